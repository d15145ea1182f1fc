"""MongoDB messages: the worked examples (laid out by hand after the specification), their words, and what damage does to them.

`ROWS` are (byte view, first byte, last byte, filter name, value) as the examples' maps give them.
"""
from __future__ import annotations

import struct
import zlib
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("bson")

import google_crc32c
import zstandard
from bson import Int64
from mongodb_wire import (
    CLIENT,
    COMPRESSED,
    EXAMPLES,
    INSERT,
    LEGACY_REPLY,
    MONGO,
    QUERY,
    REPLY,
    SERVER,
    WRITE_ERROR,
    dissect,
    framed,
    message,
    op_msg,
    uncovered,
)

from protocols.decoder import Header, Kind, MessageBytes, Opening, Side, Status
from protocols.engine.fields import walk

HEAD = "mongo.message_length", "mongo.request_id", "mongo.response_to", "mongo.opcode"


def head(*values: int) -> list[tuple[int, int, int, str, object]]:
    return [(0, 4 * i, 4 * i + 3, name, value) for i, (name, value) in enumerate(zip(HEAD, values, strict=True))]


ROWS: list[tuple[bytes, list[tuple[int, int, int, str, object]]]] = [
    (REPLY, [
        *head(163, 1216892938, 35, 2013), (0, 16, 19, "mongo.msg.flags", 0), (0, 20, 20, "mongo.msg.sections.section.kind", 0),
        (0, 21, 24, "mongo.document.length", 142), (0, 25, 36, "mongo.doc.ok", 1.0), (0, 37, 59, "mongo.doc.operationTime", 1690508732 * 10**9),
        (0, 74, 77, "mongo.document.length", 88), (0, 78, 98, "mongo.doc.$clusterTime.clusterTime", 1690508732 * 10**9),
        (0, 114, 144, "mongo.doc.$clusterTime.signature.hash", bytes.fromhex("2912d47f7852554204292fb7368539c1476605de")),
        (0, 145, 159, "mongo.doc.$clusterTime.signature.keyId", 7198109603182149633), (0, 160, 160, "mongo.document.end", 0),
        (0, 162, 162, "mongo.document.end", 0),
    ]),
    (INSERT, [
        *head(168, 101, 0, 2013), (0, 16, 19, "mongo.msg.flags", 1), (0, 25, 43, "mongo.doc.insert", "orders"), (0, 44, 53, "mongo.doc.ordered", True),
        (0, 54, 67, "mongo.doc.$db", "shop"), (0, 69, 69, "mongo.msg.sections.section.kind", 1), (0, 70, 73, "mongo.msg.sections.section.size", 94),
        (0, 74, 83, "mongo.msg.sections.section.doc_sequence_id", "documents"),
        (0, 88, 96, "mongo.doc.documents._id", 1), (0, 97, 108, "mongo.doc.documents.sku", "A1"),
        (0, 109, 121, "mongo.doc.documents.qty", 5), (0, 148, 162, "mongo.doc.documents.price", 2.5), (0, 164, 167, "mongo.msg.checksum", 0x8DDD3B58),
    ]),
    (COMPRESSED, [
        *head(91, 102, 0, 2012), (0, 16, 19, "mongo.compression.original_opcode", 2013), (0, 20, 23, "mongo.compression.original_size", 66),
        (0, 24, 24, "mongo.compression.compressor", 1), (1, 0, 3, "mongo.msg.flags", 0), (1, 9, 25, "mongo.doc.find", "orders"),
        (1, 38, 49, "mongo.doc.filter.sku", "A1"), (1, 51, 64, "mongo.doc.$db", "shop"), (1, 65, 65, "mongo.document.end", 0),
    ]),
    (QUERY, [
        *head(68, 1, 0, 2004), (0, 16, 19, "mongo.query.flags", 4), (0, 20, 30, "mongo.full_collection_name", "admin.$cmd"),
        (0, 31, 34, "mongo.number_to_skip", 0), (0, 35, 38, "mongo.number_to_return", -1), (0, 43, 56, "mongo.doc.isMaster", 1),
        (0, 57, 66, "mongo.doc.helloOk", True),
    ]),
    (LEGACY_REPLY, [
        *head(84, 55, 1, 1), (0, 16, 19, "mongo.reply.flags", 8), (0, 20, 27, "mongo.cursor_id", 0), (0, 28, 31, "mongo.starting_from", 0),
        (0, 32, 35, "mongo.number_returned", 1), (0, 40, 50, "mongo.doc.ismaster", True), (0, 51, 70, "mongo.doc.maxWireVersion", 21),
        (0, 71, 82, "mongo.doc.ok", 1.0),
    ]),
    (WRITE_ERROR, [
        *head(125, 77, 101, 2013), (0, 25, 31, "mongo.doc.n", 0), (0, 56, 66, "mongo.doc.writeErrors.index", 0),
        (0, 67, 76, "mongo.doc.writeErrors.code", 11000), (0, 77, 109, "mongo.doc.writeErrors.errmsg", "E11000 duplicate key"),
    ]),
]


@pytest.mark.parametrize(("data", "rows"), ROWS)
def test_the_worked_examples_read_as_their_maps_say(data: bytes, rows: list[tuple[int, int, int, str, object]]) -> None:
    fields, _ = dissect(data)
    found = {(one.view, one.start, one.end - 1, one.name, one.value) for one in walk(fields) if one.value is not None}
    assert [row for row in rows if row not in found] == []
    assert uncovered(data, fields) == []


def test_a_good_checksum_is_said_and_a_wrong_one_names_the_right_one() -> None:
    assert any(one.text == "Checksum: 0x8ddd3b58 [correct]" for one in dissect(INSERT)[0])
    wrong = INSERT[:-4] + bytes(4)
    texts = [one.text for one in dissect(wrong)[0]]
    assert f"Checksum: 0x00000000 [incorrect, should be 0x{google_crc32c.value(INSERT[:-4]):08x}]" in texts


@pytest.mark.parametrize(("body", "op", "target", "info"), [
    ({"find": "orders", "filter": {"sku": "A1"}, "limit": 10, "$db": "shop"}, "find", "shop.orders", 'find shop.orders filter={sku: "A1"} limit=10'),
    ({"aggregate": "orders", "pipeline": [{"$match": {}}, {"$group": {}}, {"$sort": {}}, {"$limit": 1}], "$db": "shop"}, "aggregate", "shop.orders",
     "aggregate shop.orders [$match, $group, +2]"),
    ({"getMore": Int64(72034), "collection": "orders", "batchSize": 100, "$db": "shop"}, "getMore", "shop.orders",
     "getMore shop.orders cursor 72034 batch 100"),
    ({"hello": 1, "client": {"application": {"name": "x"}, "driver": {"name": "PyMongo", "version": "4.8"}}, "$db": "admin"}, "hello", "admin",
     'hello admin PyMongo 4.8 app "x"'),
    ({"ping": 1, "$db": "admin"}, "ping", "admin", "ping admin"),
    ({"renameCollection": "a.b", "to": "a.c", "$db": "admin"}, "renameCollection", "a.b, a.c", "renameCollection a.b -> a.c"),
    ({"saslStart": 1, "mechanism": "PLAIN", "payload": b"\0bob\0secret", "$db": "$external"}, "saslStart", "$external", "saslStart $external PLAIN"),
])
def test_requests_in_words(body: dict[str, object], op: str, target: str, info: str) -> None:
    words = MONGO.describe(message(op_msg(body)))
    assert (words.op, words.target, words.info) == (op, target, info)


def test_counts_of_a_sequence_and_a_write_concern_stand_in_the_line() -> None:
    data = op_msg({"insert": "orders", "writeConcern": {"w": "majority"}, "$db": "shop"}, documents=[{"a": 1}, {"a": 2}])
    assert MONGO.describe(message(data)).info == "insert shop.orders 2 docs w:majority"
    one_way = op_msg({"delete": "orders", "$db": "shop"}, flags=2, deletes=[{"q": {"a": 1}, "limit": 1}])
    words = message(one_way)
    assert words.header.kind is Kind.ONEWAY
    assert MONGO.describe(words).info == "delete shop.orders 1 statement q={a: 1} (no reply expected)"


@pytest.mark.parametrize(("body", "status", "code", "error"), [
    ({"ok": 1.0, "n": 1}, Status.OK, 0, ""),
    ({"ok": 0, "code": 59, "codeName": "CommandNotFound", "errmsg": "no such command"}, Status.CLIENT_ERROR, 59, "CommandNotFound"),
    ({"ok": 0.0, "code": 10107, "errmsg": "not primary"}, Status.SERVER_ERROR, 10107, "NotWritablePrimary"),
    ({"ok": 1, "writeErrors": [{"index": 0, "code": 11000, "errmsg": "E11000"}]}, Status.CLIENT_ERROR, 11000, "DuplicateKey"),
    ({"ok": 1, "writeConcernError": {"code": 64, "codeName": "WriteConcernTimeout", "errmsg": "waiting"}}, Status.CLIENT_ERROR, 64, "WriteConcernTimeout"),
])
def test_a_reply_is_an_error_when_the_server_meant_one(body: dict[str, object], status: Status, code: int, error: str) -> None:
    request = message(op_msg({"update": "orders", "$db": "shop"}))
    words = MONGO.describe(message(op_msg(body, response_to=7), False, request))
    assert (words.status, words.code, words.error) == (status, code, error)
    assert words.info.startswith("update shop.orders ←")


def test_the_flags_of_a_large_compressed_message_are_seen_in_the_bytes_that_a_header_is_given() -> None:
    """zstd's blocks hold up to 128 KiB, and nothing comes out of one before all of it is there."""
    plain = op_msg({"insert": "orders", "documents": [{"note": Random(1).randbytes(200_000).hex()}], "$db": "shop"}, flags=2)
    data = framed(2012, struct.pack("<iiB", 2013, len(plain) - 16, 3) + zstandard.compress(plain[16:]))
    head = data[:MONGO.header_bytes]
    assert len(head) < len(data)
    asked, answered = (MONGO.header(head, 0, len(head), side, MONGO.session()) for side in (CLIENT, SERVER))
    assert (asked.kind, asked.op) == (Kind.ONEWAY, "insert")
    assert (answered.kind, answered.more) == (Kind.RESPONSE, True)


def test_replies_of_an_exhaust_cursor_keep_the_key_of_their_request() -> None:
    session = MONGO.session()

    def header(data: bytes, side: Side) -> Header:
        return MONGO.header(data, 0, len(data), side, session)

    assert header(op_msg({"getMore": 5, "$db": "d"}, 10, 0, 1 << 16), CLIENT).key == 10
    chain = [header(op_msg({"ok": 1}, ident, answered, flags), SERVER) for ident, answered, flags in ((900, 10, 2), (901, 900, 2), (902, 901, 0))]
    assert [(one.key, one.more) for one in chain] == [(10, True), (10, True), (10, False)]


def test_passwords_stand_in_no_line() -> None:
    for body in ({"createUser": "bob", "pwd": "hunter2", "roles": [], "$db": "admin"},
                 {"saslStart": 1, "mechanism": "PLAIN", "payload": b"\0bob\0hunter2", "$db": "x"},
                 {"hello": 1, "speculativeAuthenticate": {"saslStart": 1, "payload": b"\0bob\0hunter2"}, "$db": "admin"}):
        data = op_msg(body)
        fields, one = dissect(data)
        assert not any("hunter2" in node.text or b"hunter2".hex() in node.text for node in walk(fields))
        assert "hunter2" not in MONGO.describe(one).info


def test_a_whole_message_claims_a_connection_on_any_port_and_tls_does_not() -> None:
    request, reply = op_msg({"ping": 1, "$db": "admin"}), op_msg({"ok": 1.0}, 8, 7)
    found = MONGO.recognise(Opening((request, reply), (50000, 12345), (True, True), (True, True)))
    assert found is not None and found.score >= 95 and found.client == 0
    middle = MONGO.recognise(Opening((reply[20:] + reply, request[9:] + request), (12345, 50000), (False, False), (True, True)))
    assert middle is not None and middle.client == 1
    assert MONGO.recognise(Opening((b"\x16\x03\x01\x02\x00\x01\0\1\xfc\3\3" + bytes(100), b"\x16\3\3"), (50000, 27017), (True, True), (True, True))) is None


def test_the_header_of_an_answer_without_documents_is_no_proof_in_the_middle_of_other_bytes() -> None:
    weak = struct.pack("<iIIiIqii", 36, 9, 7, 1, 8, 0, 0, 0)
    other = bytes(range(1, 120))
    assert MONGO.recognise(Opening((other + weak + other, b""), (1, 2), (False, False), (True, True))) is None
    assert MONGO.recognise(Opening((b"", weak), (1, 2), (False, False), (True, True))) is not None


@pytest.mark.parametrize("stranger", [0, 1])
def test_bytes_of_another_kind_on_one_side_count_against_it(stranger: int) -> None:
    data = [op_msg({"ping": 1, "$db": "admin"})] * 2
    data[stranger] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    found = MONGO.recognise(Opening((data[0], data[1]), (1, 2), (True, True), (True, True)))
    assert found is not None and found.score == 65


@pytest.mark.parametrize(("head", "accepted"), [
    (op_msg({"ping": 1}), True), (framed(2003, b"reserved"), True), (framed(1000, b"text\0"), True), (framed(2050, b"not known yet"), True),
    (framed(4711, b"not known"), True), (framed(70_000, b"too large"), False), (framed(-1, b"no opcode"), False),
    (struct.pack("<iIIi", 48_000_000, 1, 0, 2050), False), (struct.pack("<iIIi", 15, 1, 0, 2013), False),
    (b"\x16\x03\x01\x02\0\x01\0\1\xfc\3\3" + bytes(40), False), (framed(2013, bytes(4) + b"\0" + bytes(20)), False),
    (framed(2013, bytes(4) + b"\5" + bytes(20)), True),
])
def test_where_a_message_can_start(head: bytes, accepted: bool) -> None:
    assert MONGO.accepts(head[:48], CLIENT) is accepted
    alone = MONGO.recognise(Opening((head, b""), (1, 27017), (True, True), (True, True)))
    assert (alone is not None) is (head == op_msg({"ping": 1}))


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(EXAMPLES), st.data())
def test_any_cut_keeps_every_byte_in_a_field(data: bytes, draw: st.DataObject) -> None:
    cut = data[:draw.draw(st.integers(1, len(data) - 1))]
    one = MessageBytes(cut, 0, len(cut), len(data), message(data).header, True)
    fields = list(MONGO.dissect(one))
    assert any(node.name == "pv.incomplete" for node in fields)
    assert uncovered(cut, fields) == []
    assert not any(node.name == "_ws.malformed" for node in walk(fields))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(EXAMPLES), st.data())
def test_any_flipped_bits_end_as_a_tree_and_words(data: bytes, draw: st.DataObject) -> None:
    bad = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 5))):
        bad[draw.draw(st.integers(4, len(bad) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    fields, one = dissect(bytes(bad), draw.draw(st.booleans()))
    assert all(node.start >= 0 and node.end <= len(bad) for node in walk(fields) if node.view == 0)
    MONGO.describe(one)


def test_a_bomb_is_refused_by_its_declared_size() -> None:
    packed = zlib.compress(bytes(50_000_000))
    for size in (50_000_000, 1000):
        body = struct.pack("<iiB", 2013, size, 2) + packed
        fields, one = dissect(framed(2012, body))
        assert one.views == []
        assert any("Not decompressed" in node.text for node in fields)
