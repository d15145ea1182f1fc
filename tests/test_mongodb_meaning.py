"""What messages mean: the generated fields that filters find, masking, chains, odd messages, and the golden trees.

Messages are made by an independent writer of BSON after the layouts of the specification.
"""
from __future__ import annotations

import struct
import uuid
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("bson")

import bson
from bson import Binary, Int64, Timestamp
from mongodb_wire import (
    CLIENT,
    COMPRESSED,
    INSERT,
    LEGACY_REPLY,
    MONGO,
    QUERY,
    REPLY,
    SERVER,
    WRITE_ERROR,
    dissect,
    framed,
    meaning,
    message,
    op_msg,
    op_query,
    op_reply,
    section,
    sequence,
    uncovered,
)

from protocols.decoder import Decoder, Kind, MessageBytes, Status
from protocols.engine.fields import Field, Spec, walk
from protocols.mongodb import tables as t
from protocols.mongodb.compression import peek
from protocols.mongodb.masking import sasl_step, sasl_text, scram_user

SESSION = uuid.UUID("8e1c1d05-3a55-4a29-9d24-1f5d7a5b0c11")


def test_a_request_in_a_transaction_says_all_that_it_carries() -> None:
    body = {
        "update": "orders", "lsid": {"id": Binary.from_uuid(SESSION)}, "txnNumber": Int64(3), "startTransaction": True, "autocommit": False,
        "readConcern": {"level": "snapshot"}, "writeConcern": {"w": "majority"}, "$readPreference": {"mode": "primary"}, "maxTimeMS": 500,
        "$clusterTime": {"clusterTime": Timestamp(1690508732, 1)}, "$db": "shop",
    }
    found = meaning(message(op_msg(body, updates=[{"q": {}, "u": {}}, {"q": {}, "u": {}}])))
    assert found == {
        "command": "update", "db": "shop", "collection": "orders", "ns": "shop.orders", "lsid": str(SESSION), "txn_number": 3, "start_transaction": True,
        "autocommit": False, "read_concern": "snapshot", "write_concern": "majority", "read_preference": "primary", "max_time_ms": 500,
        "cluster_time": 1690508732 * 10**9, "docs": 2,
    }


def test_a_reply_has_its_requests_names_and_its_own_results() -> None:
    request = message(op_msg({"find": "orders", "lsid": {"id": Binary.from_uuid(SESSION)}, "$db": "shop"}))
    body = {"cursor": {"firstBatch": [{}, {}], "id": Int64(72), "ns": "shop.orders"}, "ok": 1.0, "operationTime": Timestamp(9, 1)}
    reply = message(op_msg(body, 8, 7), False, request)
    assert meaning(reply) == {
        "command": "find", "db": "shop", "collection": "orders", "ns": "shop.orders", "lsid": str(SESSION), "ok": 1.0, "docs": 2, "cursor.id": 72,
        "operation_time": 9 * 10**9}
    assert MONGO.describe(reply).info == "find shop.orders ← ok 2 docs cursor 72"


def test_a_reply_without_its_request_is_known_by_its_cursor() -> None:
    reply = message(op_msg({"cursor": {"nextBatch": [{}], "id": Int64(0), "ns": "shop.orders"}, "ok": 1.0}, 8, 7), False)
    assert meaning(reply)["ns"] == "shop.orders"
    assert MONGO.describe(reply).target == "shop.orders"


@pytest.mark.parametrize(("body", "found"), [
    ({"ok": 0.0, "code": 112, "codeName": "WriteConflict", "errmsg": "conflict", "errorLabels": ["TransientTransactionError"]},
     {"ok": 0.0, "error_code": 112, "code_name": "WriteConflict", "errmsg": "conflict", "error_label": "TransientTransactionError"}),
    ({"ok": 1.0, "n": 1, "writeErrors": [{"index": 1, "code": 11000, "errmsg": "E11000"}, {"index": 2, "code": 11000, "errmsg": "E11000"}]},
     {"ok": 1.0, "n": 1, "error_code": 11000, "code_name": "DuplicateKey", "errmsg": "E11000", "write_errors": 2}),
    ({"ok": 1.0, "n": 1, "nModified": 1, "writeConcernError": {"code": 64, "errmsg": "timed out"}},
     {"ok": 1.0, "n": 1, "n_modified": 1, "error_code": 64, "code_name": "WriteConcernTimeout", "errmsg": "timed out", "write_concern_error": 64}),
    ({"ok": 1.0, "nErrors": 1, "cursor": {"id": Int64(0), "firstBatch": [{"ok": 1.0, "idx": 0}, {"ok": 0.0, "idx": 1, "code": 11000, "errmsg": "dup"}]}},
     {"ok": 1.0, "error_code": 11000, "code_name": "DuplicateKey", "errmsg": "dup", "docs": 2}),
    ({"ok": 0, "errmsg": "no code at all"}, {"ok": 0.0, "code_name": "error", "errmsg": "no code at all"}),
])
def test_errors_of_every_kind_are_fields(body: dict[str, Any], found: dict[str, Any]) -> None:
    assert meaning(message(op_msg(body, 8, 7), False)) == found


def test_lost_cursors_and_failed_queries_of_legacy_replies_are_errors() -> None:
    lost = MONGO.describe(message(op_reply([], flags=1), False))
    assert (lost.status, lost.code, lost.error) == (Status.CLIENT_ERROR, 43, "CursorNotFound")
    failed = MONGO.describe(message(op_reply([{"$err": "bad", "code": 2}], flags=2), False))
    assert (failed.status, failed.code, failed.error) == (Status.CLIENT_ERROR, 2, "BadValue")


def test_the_handshake_names_driver_application_and_both_sides_offers() -> None:
    request = message(op_msg({
        "hello": 1, "client": {"application": {"name": "billing"}, "driver": {"name": "PyMongo", "version": "4.12"}}, "compression": ["zstd", "snappy"],
        "speculativeAuthenticate": {"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": b"n,,n=bob,r=xyz"}, "$db": "admin"}))
    found = meaning(request)
    assert (found["appname"], found["driver"], found["compressors"]) == ("billing", "PyMongo 4.12", "zstd,snappy")
    assert (found["sasl.mechanism"], found["sasl.step"], found["sasl.user"]) == ("SCRAM-SHA-256", "client-first", "bob")
    assert MONGO.describe(request).info == 'hello admin PyMongo 4.12 app "billing" SCRAM-SHA-256 client-first user bob'
    body = {"isWritablePrimary": True, "setName": "rs0", "minWireVersion": 0, "maxWireVersion": 21, "compression": ["zstd"], "ok": 1.0}
    reply = message(op_msg(body, 8, 7), False, request)
    assert (meaning(reply)["max_wire_version"], meaning(reply)["server_version"], meaning(reply)["compressors"]) == (21, "7.0", "zstd")
    assert MONGO.describe(reply).info == "hello admin ← ok primary rs0 wire 0-21 (MongoDB 7.0) compression zstd"


@pytest.mark.parametrize(("payload", "step", "user", "shown"), [
    (b"n,,n=bob,r=abc", "client-first", "bob", "n,,n=bob,r=abc"),
    (b"n,a=admin,n=a=2Cb,r=abc", "client-first", "a,b", "n,a=admin,n=a=2Cb,r=abc"),
    (b"p=tls-unique,,n=bob,r=abc", "client-first", "bob", "p=tls-unique,,n=bob,r=abc"),
    (b"r=abc,s=c2FsdA==,i=4096", "server-first", "", "r=abc,s=c2FsdA==,i=4096"),
    (b"c=biws,r=abc,p=cHJvb2Y=", "client-final", "", "c=biws,r=abc,p=(masked)"),
    (b"v=c2lnbg==", "server-final", "", "v=(masked)"),
    (b"\0bob\0secret", "", "", "(masked, 11 bytes)"),
    (b"", "", "", "(empty)"),
])
def test_scram_steps_are_named_and_proofs_masked(payload: bytes, step: str, user: str, shown: str) -> None:
    assert (sasl_step(payload), scram_user(payload), sasl_text(payload)) == (step, user, shown)


def texts(one: MessageBytes) -> str:
    """Everything that a person or an export can see of a message."""
    nodes = list(walk(MONGO.dissect(one)))
    values = (str(node.value) for node in nodes if "doc." in node.name or "element" in node.name)
    return "\n".join([MONGO.describe(one).info, *(node.text for node in nodes), *values])


@pytest.mark.parametrize("body", [
    {"createUser": "bob", "pwd": "hunter2", "$db": "admin"},
    {"updateUser": "bob", "pwd": "hunter2", "$db": "admin"},
    {"saslStart": 1, "mechanism": "PLAIN", "payload": b"\0bob\0hunter2", "$db": "$external"},
    {"saslStart": 1, "mechanism": "MONGODB-OIDC", "payload": bson.encode({"jwt": "hunter2"}), "$db": "$external"},
    {"saslContinue": 1, "conversationId": 1, "payload": b"c=biws,r=x,p=hunter2", "$db": "admin"},
    {"authenticate": 1, "user": "bob", "nonce": "n", "key": "hunter2", "$db": "admin"},
    {"hello": 1, "speculativeAuthenticate": {"saslStart": 1, "mechanism": "PLAIN", "payload": b"\0bob\0hunter2"}, "$db": "admin"},
])
def test_secrets_stand_in_no_text_whole_cut_compressed_or_legacy(body: dict[str, Any]) -> None:
    whole = op_msg(body)
    inside = whole[16:]
    packed = framed(2012, struct.pack("<iiB", 2013, len(inside), 2) + zlib.compress(inside))
    command = {key: value for key, value in body.items() if key != "$db"}
    cut = whole[:-3]
    for data in (whole, packed, op_query("admin.$cmd", command), op_query("admin.$cmd", {"$query": command})):
        assert "hunter2" not in texts(message(data))
        assert b"hunter2".hex() not in texts(message(data))
    assert "hunter2" not in texts(MessageBytes(cut, 0, len(cut), len(whole), message(whole).header, True))


@pytest.mark.parametrize("with_request", [True, False])
def test_proofs_in_replies_stand_in_no_text(with_request: bool) -> None:
    request = message(op_msg({"saslContinue": 1, "payload": b"", "$db": "admin"})) if with_request else None
    assert "hunter2" not in texts(message(op_msg({"conversationId": 1, "payload": b"v=hunter2", "ok": 1.0}, 8, 7), False, request))
    asked = message(op_msg({"usersInfo": 1, "showCredentials": True, "$db": "admin"})) if with_request else None
    users = {"users": [{"user": "bob", "credentials": {"SCRAM-SHA-1": {"storedKey": "hunter2", "serverKey": "hunter2", "salt": "hunter2"}}}], "ok": 1.0}
    assert "hunter2" not in texts(message(op_msg(users, 8, 7), False, asked))


@pytest.mark.parametrize(("data", "waits"), [
    (op_msg({"hello": 1, "maxAwaitTimeMS": 10000, "topologyVersion": {}, "$db": "admin"}), True),
    (op_msg({"hello": 1, "$db": "admin"}, flags=1 << 16), True),
    (op_msg({"hello": 1, "$db": "admin"}), False),
    (op_msg({"getMore": Int64(5), "collection": "c", "maxTimeMS": 1000, "$db": "d"}), True),
    (op_msg({"getMore": Int64(5), "collection": "c", "$db": "d"}), False),
    (op_query("d.c", {}, flags=1 << 5), True),
    (op_query("d.c", {}), False),
])
def test_long_polls_are_marked_on_the_request(data: bytes, waits: bool) -> None:
    request = message(data)
    assert MONGO.describe(request).long_poll is waits
    assert meaning(request).get("awaits", False) is waits


def test_replies_of_a_chain_are_numbered_and_later_ones_wait() -> None:
    session = MONGO.session()
    request = message(op_msg({"getMore": Int64(5), "collection": "c", "$db": "d"}, 10, 0, 1 << 16), session=session)
    replies = [message(op_msg({"cursor": {"id": Int64(5), "nextBatch": []}, "ok": 1.0}, ident, answered, flags), False, request, session)
               for ident, answered, flags in ((900, 10, 2), (901, 900, 2), (902, 901, 0))]
    assert [(meaning(one)["exhaust_reply"], meaning(one).get("more_to_come", False), MONGO.describe(one).long_poll) for one in replies] == [
        (1, True, False), (2, True, True), (3, False, True)]
    assert MONGO.describe(replies[1]).info == "getMore d.c ← ok 0 docs cursor 5 (reply 2 of exhaust, more to come)"


def test_a_legacy_exhaust_query_keeps_its_replies_until_the_cursor_ends() -> None:
    session = MONGO.session()
    message(op_query("d.c", {}, 1 << 6, 10), session=session)
    found = [message(op_reply([{}], cursor, 8, ident, answered), False, None, session).header
             for cursor, ident, answered in ((77, 900, 10), (77, 901, 900), (0, 902, 901))]
    assert [(one.key, one.more) for one in found] == [(10, True), (10, True), (10, False)]


@pytest.mark.parametrize("compressor", [0, 1, 2, 3])
def test_the_operation_and_a_chain_are_told_through_every_compressor(compressor: int) -> None:
    import cramjam
    import zstandard

    pack = {0: bytes, 1: lambda data: bytes(cramjam.snappy.compress_raw(data)), 2: zlib.compress, 3: zstandard.ZstdCompressor().compress}[compressor]

    def packed(data: bytes) -> bytes:
        body = struct.pack("<iiB", 2013, len(data) - 16, compressor) + pack(data[16:])
        return struct.pack("<iIIi", 16 + len(body), *struct.unpack_from("<II", data, 4), 2012) + body

    plain = op_msg({"insert": "orders", "$db": "shop"}, flags=2, documents=[{"n": i, "text": "abc" * i} for i in range(50)])
    one = message(packed(plain))
    assert (one.header.kind, one.header.op) == (Kind.ONEWAY, "insert")
    fields, _ = dissect(packed(plain))
    assert uncovered(packed(plain), fields) == []
    inner = [(node.name, node.value, node.start, node.length) for node in walk(fields) if node.view == 1 and node.length]
    straight = [(node.name, node.value, node.start - 16, node.length) for node in walk(dissect(plain)[0]) if node.start >= 16 and node.length]
    assert [row for row in inner if row[0] != "mongo.compression.message"] == straight
    session = MONGO.session()
    reply = message(packed(op_msg({"ok": 1.0}, 900, 7, 2)), False, None, session)
    assert (reply.header.key, reply.header.more) == (7, True)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([b"\0" * 5, b"abcd", b"insert", b"xyz" * 30]) | st.binary(max_size=9), max_size=40), st.data())
def test_the_start_of_a_snappy_block_reads_as_the_peer_reads_it_whole(pieces: list[bytes], draw: st.DataObject) -> None:
    import cramjam

    plain = b"".join(pieces)
    packed = bytes(cramjam.snappy.compress_raw(plain))
    assert peek(1, packed, 1 << 20) == plain
    assert plain.startswith(peek(1, packed[:draw.draw(st.integers(0, len(packed)))], 64))


@pytest.mark.parametrize(("data", "op"), [
    (op_msg({"find": "c", "$db": "d"}), "find"), (framed(2013, bytes(4) + sequence("documents", [{}]) + section(0, bson.encode({"insert": "c"}))), "insert"),
    (QUERY, "isMaster"), (op_query("d.c", {}), "query"), (op_query("d.$cmd", {"$query": {"count": "c"}}), ""), (framed(2007, bytes(16)), "killCursors"),
    (op_msg({}), ""), (framed(2013, b""), ""), (framed(2013, bytes(6)), ""), (framed(2004, bytes(4) + b"d.$cmd\0"), ""), (framed(2004, bytes(4) + b"d"), ""),
])
def test_a_header_tells_the_operation(data: bytes, op: str) -> None:
    assert message(data).header.op == op


def test_the_worked_snappy_example_tells_its_command_before_it_is_read() -> None:
    assert message(COMPRESSED).header.op == "find"


BODY = section(0, bson.encode({"insert": "c", "$db": "d"}))


@pytest.mark.parametrize(("flags", "sections", "said"), [
    (0, BODY + BODY, "[2 bodies where one belongs]"),
    (0, sequence("documents", [{}]), "[no body where one belongs]"),
    (0, BODY + sequence("documents", [{}]) + sequence("documents", [{}]), "[the sequence documents stands twice]"),
    (0, section(0, bson.encode({"insert": "c", "documents": []})) + sequence("documents", [{}]), "[documents stands in the body and as a sequence]"),
    (4, BODY, "[required flags that are not known: 0x0004]"),
])
def test_what_the_specification_forbids_is_said_and_read(flags: int, sections: bytes, said: str) -> None:
    data = framed(2013, struct.pack("<I", flags) + sections)
    fields, _ = dissect(data)
    assert said in [node.text for node in fields]
    assert not [node for node in walk(fields) if node.name == "_ws.malformed"]
    assert uncovered(data, fields) == []


def test_a_fault_in_a_sequence_stays_in_it() -> None:
    broken = bytearray(sequence("documents", [{"a": 1}, {"b": 2}]))
    broken[broken.index(b"\x10b") - 4] = 99
    data = framed(2013, struct.pack("<I", 0) + bytes(broken) + BODY)
    fields, one = dissect(data)
    assert [node.text for node in walk(fields) if node.name == "_ws.malformed"] == ["[Malformed at byte 47: a document of 99 bytes, had 12]"]
    assert ("mongo.doc.insert", "c") in [(node.name, node.value) for node in walk(fields)]
    assert uncovered(data, fields) == []
    assert one.header.key == 7


def test_a_security_token_and_an_unknown_kind_of_section() -> None:
    token = framed(2013, struct.pack("<I", 0) + BODY + section(2, b"token"))
    assert [node.value for node in walk(dissect(token)[0]) if node.name == "mongo.msg.sections.section.raw"] == [b"token"]
    unknown = framed(2013, struct.pack("<I", 0) + BODY + section(7, b"what"))
    fields, _ = dissect(unknown)
    assert [node.value for node in walk(fields) if node.name == "mongo.msg.sections.section.unknown"] == [b"what"]
    assert "Section: unknown (7)" in [node.text for node in fields]
    assert not [node for node in walk(fields) if node.name == "_ws.malformed"]
    assert uncovered(unknown, fields) == []


@pytest.mark.parametrize(("opcode", "body", "names"), [
    (1000, b"hello\0", {"mongo.message": "hello"}),
    (2001, bytes(4) + b"d.c\0" + struct.pack("<i", 3) + bson.encode({"q": 1}) + bson.encode({"u": 2}),
     {"mongo.database_name": "d", "mongo.collection_name": "c", "mongo.update.flags.multiupdate": True, "mongo.doc.u": 2}),
    (2002, struct.pack("<i", 1) + b"d.c\0" + bson.encode({"a": 1}) + bson.encode({"b": 2}), {"mongo.insert.flags.continueonerror": True, "mongo.doc.b": 2}),
    (2005, bytes(4) + b"d.c.e\0" + struct.pack("<iq", 5, 77), {"mongo.collection_name": "c.e", "mongo.number_to_return": 5, "mongo.cursor_id": 77}),
    (2006, bytes(4) + b"d.c\0" + struct.pack("<i", 1) + bson.encode({"q": 1}), {"mongo.delete.flags.singleremove": True}),
    (2007, bytes(4) + struct.pack("<iqq", 2, 5, 6), {"mongo.number_to_cursor_ids": 2, "mongo.cursor_id": 5}),
    (2010, b"d\0find\0" + bson.encode({}) + bson.encode({"find": "c"}) + bson.encode({"in": 1}), {"mongo.commandname": "find", "mongo.doc.in": 1}),
    (2011, bson.encode({}) + bson.encode({"ok": 1.0}) + bson.encode({"out": 1}), {"mongo.doc.ok": 1.0, "mongo.doc.out": 1}),
    (2003, b"reserved", {"mongo.unknown": b"reserved"}),
    (4711, b"whatever", {"mongo.unknown": b"whatever"}),
])
def test_every_opcode_reads_by_its_layout(opcode: int, body: bytes, names: dict[str, Any]) -> None:
    data = framed(opcode, body)
    fields, one = dissect(data, opcode not in t.FROM_SERVER)
    found = {node.name: node.value for node in reversed(list(walk(fields)))}
    assert {name: found.get(name) for name in names} == names
    assert uncovered(data, fields) == []
    assert not [node for node in walk(fields) if node.name == "_ws.malformed"]
    assert MONGO.describe(one).info
    cut = MessageBytes(data[:-2], 0, len(data) - 2, len(data), one.header, one.from_client)
    assert uncovered(cut.data, list(MONGO.dissect(cut))) == []


def test_an_unknown_compressor_and_one_message_in_another_are_named_not_read() -> None:
    for body, said in ((struct.pack("<iiB", 2013, 5, 9) + b"abc", "[Not decompressed: unknown compressor 9]"),
                       (struct.pack("<iiB", 2012, 5, 0) + b"abcde", "[A compressed message inside a compressed message is not read]")):
        fields, one = dissect(framed(2012, body))
        assert said in [node.text for node in fields]
        assert one.views == []
        assert uncovered(framed(2012, body), fields) == []
    assert "mongo.compression.unsupported_compressed" in [node.name for node in walk(dissect(framed(2012, struct.pack("<iiB", 2013, 5, 9) + b"abc"))[0])]


def test_all_names_are_known_before_reading_but_paths_which_a_prefix_covers() -> None:
    names = {spec.name for spec in MONGO.specs()}
    assert MONGO.prefixes == ("mongo.doc.",)
    assert Decoder.prefixes == ()
    for data in (REPLY, INSERT, COMPRESSED, QUERY, LEGACY_REPLY, WRITE_ERROR, op_msg({"find": "c", "$db": "d"})):
        for node in walk(dissect(data)[0]):
            assert node.name in names or node.name.startswith(MONGO.prefixes), node.name


WIRESHARK = """
message_length request_id response_to opcode query.flags full_collection_name database_name collection_name reply.flags reply.flags.cursornotfound
reply.flags.queryfailure reply.flags.sharedconfigstale reply.flags.awaitcapable message cursor_id starting_from number_returned document
document.length document.empty document.zero update.flags update.flags.upsert update.flags.multiupdate selector update insert.flags
insert.flags.continueonerror query.flags.tailable_cursor query.flags.slave_ok query.flags.op_log_reply query.flags.no_cursor_timeout
query.flags.awaitdata query.flags.exhaust query.flags.partial number_to_skip number_to_return query return_field_selector delete.flags
delete.flags.singleremove compression compression.original_opcode compression.original_size compression.compressor compression.compressed_data
compression.unsupported_compressed msg.flags msg.flags.checksumpresent msg.flags.moretocome msg.flags.exhaustallowed msg.sections.section
msg.sections.section.kind msg.sections.section.body msg.sections.section.doc_sequence msg.sections.section.size msg.sections.section.doc_sequence_id
number_to_cursor_ids element.name element.type element.length element.value.bool element.value.int element.value.int64 element.value.double
element.value.string element.value.length element.value.bytes element.value.regex.pattern element.value.regex.options element.value.objectid
element.value.objectid.time element.value.objectid.machine_id element.value.objectid.inc element.value.db_ptr element.value.js_code
element.value.js_scope database commandname metadata commandargs commandreply outputdocs unknown document.recursion_exceeded
"""


def test_wiresharks_names_are_there() -> None:
    """Those of tshark 4.0.17 (-G fields) but for mongo.elements (elements stand below their document), the host and pid of old ObjectIds, and four
    names of its expert notes, which are notes and malformed nodes here."""
    assert {f"mongo.{name}" for name in WIRESHARK.split()} - {spec.name for spec in MONGO.specs()} == set()


GOLDEN = Path(__file__).parent / "golden"


def lines(fields: list[Field], depth: int = 0) -> list[str]:
    """Position, length, line of every node that is shown when all documents are opened, but for what elements are made of."""
    out = []
    for one in fields:
        out.append(f"{one.view}:{one.start:4} +{one.length:<4} {'  ' * depth}{one.text}")
        whole = one.name.startswith("mongo.doc.") and one.spec.type != "none"
        out += [] if whole else lines(list(one.fields), depth + 1)
    return out


def transcript(name: str) -> str:
    """The messages of a golden file: each one's line in the list, then its tree."""
    insert = message(INSERT)
    made = {
        "reply": [message(REPLY, False)], "insert": [insert, message(WRITE_ERROR, False, insert)], "compressed": [message(COMPRESSED)],
        "handshake": [message(QUERY), message(LEGACY_REPLY, False, message(QUERY))],
    }[name]
    return "\n\n".join("\n".join([("> " if one.from_client else "< ") + MONGO.describe(one).info, *lines(list(MONGO.dissect(one)))]) for one in made) + "\n"


@pytest.mark.parametrize("name", ["reply", "insert", "compressed", "handshake"])
def test_the_worked_examples_read_as_written_down(name: str) -> None:
    """The golden texts hold examples M1 to M6 of the protocol document; places and values were checked against its maps."""
    assert transcript(name) == (GOLDEN / f"mongodb-{name}.txt").read_text()


def test_sides_are_told_apart_by_what_headers_cannot_say() -> None:
    """A first request with id 0 has an answer with responseTo 0 (Rust driver); the side decides, not the number."""
    assert MONGO.header(op_msg({"ping": 1}, 0), 0, 60, CLIENT, MONGO.session()).kind is Kind.REQUEST
    assert MONGO.header(op_msg({"ok": 1.0}, 1, 0), 0, 60, SERVER, MONGO.session()).kind is Kind.RESPONSE


def test_a_drop_of_nothing_is_an_expected_error() -> None:
    body = {"ok": 0.0, "code": 26, "codeName": "NamespaceNotFound", "errmsg": "ns not found"}
    soft = [MONGO.describe(message(op_msg(body, 8, 7), False, message(op_msg({command: "c", "$db": "d"})))).soft for command in ("drop", "find")]
    assert soft == [True, False]


def test_values_keep_their_types_for_filters() -> None:
    data = op_msg({"find": "c", "filter": {"n": 5, "when": bson.datetime_ms.DatetimeMS(1000), "who": "x", "open": True}, "$db": "d"})
    found: dict[str, Spec] = {node.name: node.spec for node in walk(dissect(data)[0]) if node.name.startswith("mongo.doc.filter.")}
    assert {name.rpartition(".")[2]: spec.type for name, spec in found.items()} == {"n": "int32", "when": "time", "who": "string", "open": "bool"}
