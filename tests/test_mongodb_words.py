"""The words of MongoDB messages: what users met in real traffic, what a cut message does not tell, and that words look at little of a message.

The captures are small ones of real servers and clients; what is right of each was told by the clients that wrote it (issue 13, line 22).
"""
from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("bson")

import bson
from bson import Int64
from hypothesis import given, settings
from hypothesis import strategies as st
from mongodb_wire import CLIENT, EXAMPLES, MONGO, SERVER, framed, meaning, message, op_msg, op_query, op_reply, section, sequence

from captures.file.opening import open_source
from captures.index.index import Index
from captures.messages.conversation import Conversation
from captures.stream.pair import tcp_pair
from protocols.decoder import MessageBytes, Status, Summary

CASES = Path(__file__).parent / "data" / "cases"


@cache
def rows(name: str) -> dict[int, Summary]:
    """The words of a capture's MongoDB messages by packet number."""
    index = Index(open_source(CASES / f"mongo-{name}.pcap"))
    index.run()
    found = {}
    for stream in range(len(index.tcp)):
        conversation = Conversation(tcp_pair(index, stream), [MONGO])
        found.update({pdu.packet + 1: conversation.summary(pdu) for pdu in conversation.messages})
    return found


@pytest.mark.parametrize(("name", "packet", "info"), [
    ("insert-named-q-u", 10, "insert m.answers 1 doc retryable 1"),
    ("insert-named-q-u", 12, "insert m.answers 2 docs retryable 2"),
    ("retryable-not-txn", 10, "insert m.o 1 doc retryable 1"),
    ("retryable-not-txn", 12, "update m.o 1 statement q={_id: 1} u={$set: {a: 1}} retryable 2"),
    ("retryable-not-txn", 14, "insert m.o 1 doc txn 3 start"),
    ("retryable-not-txn", 16, "insert m.o 1 doc txn 3"),
    ("retryable-not-txn", 18, "commitTransaction admin txn 3"),
    ("bulkwrite-namespaces", 8, "bulkWrite m.first +2 3 ops retryable 1"),
    ("bulkwrite-namespaces", 9, "bulkWrite m.first +2 ← ok nInserted=3"),
    ("ddl-mute", 14, "createIndexes m.old by_sku {sku: 1, qty: -1}"),
    ("ddl-mute", 16, "renameCollection m.old -> m.new"),
    ("ddl-mute", 18, "dropIndexes m.new by_sku"),
    ("wire-27", 6, "ismaster admin ← ok primary secantus wire 0-27 (MongoDB 8.2)"),
])
def test_rows_say_what_was_asked_and_brought(name: str, packet: int, info: str) -> None:
    assert rows(name)[packet].info == info


def test_every_namespace_of_a_bulk_write_is_a_target_of_request_and_reply() -> None:
    words = rows("bulkwrite-namespaces")
    assert words[8].targets == words[9].targets == ("m.first", "m.second", "other.third")
    assert rows("ddl-mute")[16].targets == ("m.old", "m.new")


def test_replies_that_all_name_the_request_are_one_chain() -> None:
    chain = [words.info.rpartition("(")[2] for packet, words in rows("exhaust-one-id").items() if 21 <= packet <= 30]
    assert chain == [f"reply {place} of exhaust, more to come)" for place in range(1, 7)] + ["reply 7 of exhaust)"]


def test_a_request_that_takes_an_open_chains_number_starts_anew() -> None:
    session = MONGO.session()
    for answered in (10, 10):
        message(op_msg({"ok": 1.0}, 900, answered, 2), False, None, session)
    message(op_msg({"ping": 1, "$db": "d"}, 10), session=session)
    assert message(op_msg({"ok": 1.0}, 901, 10), False, None, session).header.context is None


@pytest.mark.parametrize(("body", "info"), [
    ({"bulkWrite": 1, "ops": [{"insert": 0, "document": {"q": 1, "u": 2}}], "nsInfo": [{"ns": "d.c"}], "$db": "admin"}, "bulkWrite d.c 1 op"),
    ({"insert": "c", "documents": [{"q": 1}, {"u": 2}], "txnNumber": Int64(4), "autocommit": False, "$db": "d"}, "insert d.c 2 docs txn 4"),
    ({"delete": "c", "deletes": [{"q": {"a": 1}, "limit": 1}], "$db": "d"}, "delete d.c 1 statement q={a: 1}"),
    ({"createIndexes": "c", "indexes": [{"key": {k: 1}, "name": k} for k in "abcd"], "$db": "d"}, "createIndexes d.c a {a: 1}, b {b: 1}, +2"),
    ({"createSearchIndexes": "c", "indexes": [{"name": "text", "definition": {}}], "$db": "d"}, "createSearchIndexes d.c text"),
    ({"dropIndexes": "c", "index": ["a", "b"], "$db": "d"}, 'dropIndexes d.c ["a", "b"]'),
    ({"dropIndexes": "c", "index": {"a": 1}, "$db": "d"}, "dropIndexes d.c {a: 1}"),
    ({"deleteIndexes": "c", "index": "*", "$db": "d"}, "deleteIndexes d.c *"),
    ({"create": "v", "viewOn": "c", "pipeline": [], "$db": "d"}, 'create d.v viewOn="c"'),
    ({"shardCollection": "d.c", "key": {"a": 1}, "$db": "admin"}, "shardCollection d.c key={a: 1}"),
    ({"createUser": "bob", "pwd": "hunter2", "roles": [], "$db": "d"}, "createUser d bob"),
])
def test_a_row_tells_calls_of_a_command_apart(body: dict[str, object], info: str) -> None:
    assert MONGO.describe(message(op_msg(body))).info == info


@pytest.mark.parametrize("concern", [None, {"w": 0}, {"w": "majority"}])
def test_more_to_come_is_no_write_concern(concern: dict[str, object] | None) -> None:
    body = {"endSessions": [], "$db": "admin"} | ({"writeConcern": concern} if concern else {})
    said = f"w:{concern['w']} " if concern else ""
    assert MONGO.describe(message(op_msg(body, flags=2))).info == f"endSessions admin {said}(no reply expected)"


@pytest.mark.parametrize(("wire", "said"), [(25, " (MongoDB 8.0)"), (26, " (MongoDB 8.1)"), (27, " (MongoDB 8.2)"), (28, ""), (29, " (MongoDB 9.0)"), (99, "")])
def test_a_wire_version_names_the_server_where_it_is_known(wire: int, said: str) -> None:
    reply = message(op_msg({"isWritablePrimary": True, "minWireVersion": 0, "maxWireVersion": wire, "ok": 1.0}, 8, 7), False)
    assert MONGO.describe(reply).info == f"← ok primary wire 0-{wire}{said}"


def test_an_application_names_the_client() -> None:
    hello = {"hello": 1, "client": {"application": {"name": "billing"}, "driver": {"name": "d", "version": "1"}}, "$db": "admin"}
    assert MONGO.describe(message(op_msg(hello))).client_id == "billing"
    assert MONGO.describe(message(op_query("admin.$cmd", hello))).client_id == "billing"
    assert MONGO.describe(message(op_msg({"find": "client", "client": {"application": {"name": "x"}}, "$db": "d"}))).client_id == ""


@pytest.mark.parametrize(("body", "text"), [
    ({"ok": 0.0, "code": 13, "errmsg": "not allowed"}, "not allowed"), ({"ok": 1.0, "writeErrors": [{"code": 11000, "errmsg": "dup"}] * 3}, "dup"),
    ({"ok": 1.0, "writeConcernError": {"code": 64, "errmsg": "late"}}, "late"), ({"ok": 1.0}, ""),
])
def test_what_the_server_says_of_its_error_is_its_text_alone(body: dict[str, object], text: str) -> None:
    words = MONGO.describe(message(op_msg(body, 8, 7), False))
    assert words.error_text == text
    assert text in words.info


# cut messages

BATCH = [{"_id": number, "text": "x" * 20} for number in range(9)]
ASKED = message(op_msg({"find": "c", "filter": {"a": 1, "b": "y" * 50}, "$db": "d"}))
REPLIES = [
    op_msg({"cursor": {"firstBatch": BATCH, "id": Int64(0), "ns": "d.c"}, "ok": 1.0}, 8, 7), op_msg({"ok": 0.0, "errmsg": "no " * 20, "code": 13}, 8, 7),
    op_msg({"n": 1, "writeErrors": [{"index": 0, "code": 11000, "errmsg": "dup"}], "ok": 1.0}, 8, 7), op_reply(BATCH, 5), op_reply([{"a": 1, "ok": 0.0}]),
    op_msg({"isWritablePrimary": True, "maxWireVersion": 25, "ok": 1.0}, 8, 7),
]


def cut(data: bytes, at: int, from_client: bool) -> MessageBytes:
    header = MONGO.header(data, 0, at, CLIENT if from_client else SERVER, MONGO.session())
    return MessageBytes(data[:at], 0, at, len(data), header, from_client, find_peer=lambda: None if from_client else ASKED)


@pytest.mark.parametrize("data", REPLIES)
def test_a_reply_that_is_cut_before_its_outcome_has_none(data: bytes) -> None:
    whole = MONGO.describe(message(data, False, ASKED))
    outcome = data.rfind(b"\x01ok\0") + 12 if b"\x01ok\0" in data else len(data)
    for at in range(16, len(data)):
        words = MONGO.describe(cut(data, at, False))
        assert words.status in (None, whole.status)
        if at < outcome and words.status is None:
            assert (words.code, words.error) == (None, "")
            assert "ok" not in words.info.replace("outcome", "")
            assert words.info.endswith("(outcome not captured)")
        if at < outcome:
            assert words.status is not Status.OK


def test_of_a_cut_batch_the_whole_documents_are_counted_and_said_to_be_part() -> None:
    data, step = REPLIES[0], len(bson.encode(BATCH[0])) + 3   # type byte, one digit, zero
    first = data.index(b"\x030\0") + step
    for at, said in ((first - 1, "find d.c ← (outcome not captured)"), (first, "find d.c ← 1+ docs (outcome not captured)"),
                     (first + 3 * step, "find d.c ← 4+ docs (outcome not captured)")):
        assert MONGO.describe(cut(data, at, False)).info == said
    stated = op_reply(BATCH, 5)
    assert MONGO.describe(cut(stated, 40, False)).info == "find d.c ← 9 docs cursor 5 (outcome not captured)"


def test_a_cut_write_says_how_much_of_it_was_captured() -> None:
    data = op_msg({"insert": "c", "$db": "d"}, documents=BATCH)
    one = len(bson.encode(BATCH[0]))
    start = len(data) - 9 * one
    said = [MONGO.describe(cut(data, at, True)).info for at in (start + one - 1, start + one, len(data) - 1)]
    assert said == ["insert d.c", "insert d.c 1+ docs", "insert d.c 8+ docs"]
    assert MONGO.describe(cut(data, start - 3, True)).info == "insert d.c"


def test_a_cut_argument_shows_what_is_there() -> None:
    data = ASKED.data
    assert MONGO.describe(cut(data, data.index(b"yyyy"), True)).info == "find c filter={a: 1, …}"


def test_a_body_that_cannot_be_read_says_so_and_is_not_ok() -> None:
    words = MONGO.describe(message(framed(2012, struct.pack("<iiB", 2013, 5, 9) + b"abc", 8, 7), False))
    assert (words.status, words.code) == (None, None)
    assert words.info == "← (unknown compressor 9)  (compressor 9 5→3 B)"
    assert MONGO.describe(message(framed(2012, struct.pack("<iiB", 2013, 5, 9) + b"abc"))).info == "OP_MSG (unknown compressor 9)  (compressor 9 5→3 B)"


DATA = {"_id": 1, "ok": 0.0, "code": 5, "errmsg": "no", "n": 7, "err": "x", "writeErrors": [{"code": 1}], "maxWireVersion": 9, "txnNumber": Int64(3),
        "writeConcern": {"w": 1}, "lsid": {"id": bson.Binary(bytes(16), 4)}}


@pytest.mark.parametrize("count", [1, 2])
def test_keys_of_a_collections_documents_are_no_results(count: int) -> None:
    reply = message(op_reply([DATA] * count), False, message(op_query("d.c", DATA)))
    words = MONGO.describe(reply)
    assert (words.status, words.error, words.error_text) == (Status.OK, "", "")
    assert words.info == f"query d.c ← ok {count} doc{'s' if count > 1 else ''}"
    assert meaning(reply).keys() == {"command", "db", "collection", "ns", "docs"}


def test_keys_of_a_query_are_no_arguments() -> None:
    asked = message(op_query("d.c", {"txnNumber": Int64(3), "writeConcern": {"w": 1}}))
    assert MONGO.describe(asked).info == "OP_QUERY d.c {txnNumber: 3, writeConcern: {w: 1}}"
    assert meaning(asked).keys() == {"command", "db", "collection", "ns"}


def test_the_reply_to_a_legacy_command_tells_its_error_all_the_same() -> None:
    reply = message(op_reply([{"ok": 0.0, "code": 13, "errmsg": "no"}]), False, message(op_query("d.$cmd", {"ping": 1})))
    assert MONGO.describe(reply).info == "ping d ← Unauthorized (13) no"


@pytest.mark.parametrize(("data", "at", "from_client", "info"), [
    (op_query("d.c", {"a": 1}), 20, True, "OP_QUERY"), (op_query("d.c", {"a": 1}), 34, True, "OP_QUERY d.c {…}"),
    (op_query("d.c", {"a": 1, "b": 2}), 45, True, "OP_QUERY d.c {a: 1, …}"),
    (framed(2005, bytes(4) + b"d.c\0" + struct.pack("<iq", 5, 77)), 26, True, "OP_GET_MORE d.c"),
    (op_msg({"getMore": Int64(5), "collection": "c", "$db": "d"}), 36, True, "getMore"),
    (op_msg({"aggregate": "c", "pipeline": [{"$match": {}}, {"$sort": {}}], "$db": "d"}), 43, True, "aggregate c"),
    (op_msg({"aggregate": "c", "pipeline": [{"$match": {}}, {"$sort": {}}, {"$limit": 1}], "$db": "d"}), 75, True, "aggregate c [$match, …]"),
    (op_msg({"isWritablePrimary": True, "maxWireVersion": 25, "minWireVersion": 0, "ok": 1.0}, 8, 7), 65, False,
     "find d.c ← primary wire …-25 (MongoDB 8.0) (outcome not captured)"),
])
def test_nothing_is_said_of_what_was_not_captured(data: bytes, at: int, from_client: bool, info: str) -> None:
    assert MONGO.describe(cut(data, at, from_client)).info == info


def test_of_a_compressed_message_that_is_cut_off_the_start_is_read() -> None:
    plain = op_msg({"insert": "orders", "$db": "shop"}, documents=[{"_id": number, "text": "abc" * number} for number in range(200)])[16:]
    packed = zlib.compress(plain)
    data = framed(2012, struct.pack("<iiB", 2013, len(plain), 2) + packed)
    words = MONGO.describe(cut(data, len(data) - 20, True))
    assert words.targets == ("shop.orders",)
    assert re.fullmatch(r"insert shop.orders \d\d\d?\+ docs  \(zlib .*\)", words.info)
    reply = op_msg({"ok": 1.0, "n": 5}, 8, 7)[16:]
    data = framed(2012, struct.pack("<iiB", 2013, len(reply), 2) + zlib.compress(reply), 8, 7)
    words = MONGO.describe(cut(data, 27, False))
    assert (words.status, words.info[:38]) == (None, "find d.c ← (outcome not captured)  (zl")


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([*EXAMPLES, *REPLIES, ASKED.data]), st.data(), st.booleans())
def test_words_come_of_any_bytes(data: bytes, draw: st.DataObject, from_client: bool) -> None:
    broken = bytearray(data[:draw.draw(st.integers(16, len(data)))])
    for at in draw.draw(st.lists(st.integers(16, len(broken) - 1), max_size=4)) if len(broken) > 16 else ():
        broken[at] ^= 1 << draw.draw(st.integers(0, 7))
    one = cut(bytes(broken), len(broken), from_client)
    one.length = len(data)
    words = MONGO.describe(one)
    assert words.info.isprintable()
    assert all(target.strip(".") for target in words.targets)


# how much is looked at

class Counting(bytes):
    """Bytes that count how often somebody looks for the end of a name in them."""

    looks = 0

    def find(self, *args: object) -> int:   # type: ignore[override]
        Counting.looks += 1
        return super().find(*args)   # type: ignore[arg-type]


def large() -> Iterator[tuple[str, bytes, bool]]:
    keys = b"".join(b"\x0a%d\0" % number for number in range(200_000))
    many = struct.pack("<i", len(keys) + 5) + keys + b"\0"
    yield "a reply of very many elements", framed(2013, bytes(4) + section(0, many), 8, 7), False
    yield "a query of very many elements", framed(2004, bytes(4) + b"d.c\0" + bytes(8) + many), True
    array = bson.encode({"find": "c", "$db": "d"})[4:-1] + b"\x04in\0" + many
    yield "a command with a large array", framed(2013, bytes(4) + section(0, struct.pack("<i", len(array) + 5) + array + b"\0")), True
    yield "a write of very many documents", op_msg({"insert": "c", "$db": "d"}, documents=[{}] * 200_000), True


@pytest.mark.parametrize(("data", "from_client"), [pytest.param(data, side, id=name) for name, data, side in large()])
def test_of_a_large_message_little_is_looked_at(data: bytes, from_client: bool) -> None:
    one = message(data, from_client)
    one.data = Counting(data)
    Counting.looks = 0
    MONGO.describe(one)
    assert Counting.looks < 3_000


def test_counting_ends_before_it_takes_long() -> None:
    assert MONGO.describe(message(op_msg({"insert": "c", "$db": "d"}, documents=[{}] * 150_000))).info == "insert d.c 100,000+ docs"


def test_a_reply_leaves_its_request_alone() -> None:
    """The request is cut out of its stream for nothing where only status and error are asked for; the two have their words together in the end."""
    asked = 0

    def find_peer() -> MessageBytes:
        nonlocal asked
        asked += 1
        return ASKED

    reply = message(REPLIES[0], False)
    reply.find_peer, reply.has_peer = find_peer, True
    words = MONGO.describe(reply)
    assert (words.status, words.targets, asked) == (Status.OK, (), 0)
    assert words.info == "find d.c ← ok 9 docs"
    assert asked == 1


def test_of_sequences_only_what_stands_before_them_is_read_for_words() -> None:
    data = framed(2013, bytes(4) + sequence("documents", [{"insert": "wrong", "$db": "wrong"}]) + section(0, bson.encode({"insert": "c", "$db": "d"})))
    assert MONGO.describe(message(data)).targets == ("d.c",)
