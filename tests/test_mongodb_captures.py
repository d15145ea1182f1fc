"""Recorded MongoDB traffic through the middle floor: every byte in a field, commands, replies and errors as the clients counted them.

The figures come from the truth files, which drivers' monitoring and the clients' own books wrote; what those do not count is named at each test.
PyMongo's bson and its extended JSON are the peers for every document on the wire. The two largest recordings are read where
PROTOVIEW_CAPTURES names the folder of all.
"""
from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("bson")

import bson
from bson import json_util
from bson.codec_options import CodecOptions, DatetimeConversion
from mongodb_wire import MONGO, uncovered

from captures.file.opening import open_source
from captures.index.index import Index
from captures.messages.conversation import Conversation
from captures.stream.pair import tcp_pair
from protocols.decoder import Kind, MessageBytes, Status
from protocols.engine.fields import walk
from protocols.mongodb.document import DocumentField
from protocols.mongodb.extjson import document_line
from protocols.zookeeper.decoder import ZooKeeper

FOLDER = Path(__file__).parent / "data" / "mongodb"
FILES = sorted(file.name.removesuffix(".pcap.gz") for file in FOLDER.glob("*.pcap.gz"))
COUNTED = [name for name in FILES if "commands_started" in json.loads((FOLDER / f"{name}.truth.json").read_text())]
MIDDLE = {"mongodb-pymongo4.20-ferretdb1.24-midstream"}
TLS = "mongodb-pymongo4.12-mjs1.47-tls"


def read(file: Path) -> list[Conversation]:
    index = Index(open_source(file))
    index.run()
    return [Conversation(tcp_pair(index, stream), [ZooKeeper(), MONGO]) for stream in range(len(index.tcp))]


@cache
def conversations(name: str) -> list[Conversation]:
    return read(FOLDER / f"{name}.pcap.gz")


def truth(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.truth.json").read_text())


def meaning(one: MessageBytes) -> dict[str, Any]:
    found = [node for node in MONGO.dissect(one) if node.name == "mongo.meaning"]
    return {node.name: node.value for node in reversed(found[0].fields)} if found else {}


def test_the_recordings_are_there() -> None:
    assert len(FILES) == 30
    assert len(COUNTED) == 22


def check_bytes(of: list[Conversation], middle: bool) -> int:
    messages = 0
    for conversation in of:
        for pdu in conversation.messages:
            one = conversation.message(pdu)
            tree = MONGO.dissect(one)
            assert uncovered(one.data, list(tree)) == [], conversation.summary(pdu).info
            assert not [node for node in walk(tree) if node.name == "_ws.malformed"], conversation.summary(pdu).info
            messages += 1
        assert middle or conversation.decoder is None or not conversation.holes
    return messages


@pytest.mark.parametrize("name", FILES)
def test_every_byte_of_every_message_lies_in_a_field_and_none_is_malformed(name: str) -> None:
    assert check_bytes(conversations(name), name in MIDDLE)


@pytest.mark.parametrize("name", ["large", "large-cutstart"])
def test_large_messages_and_a_cut_one_too(name: str, shared: Path) -> None:
    file = shared / "mongodb" / f"mongodb-pymongo4.20-ferretdb1.24-{name}.pcap"
    assert check_bytes(read(file), "cut" in name)


LEGACY = "mongodb-pymongo3.13-mjs1.38-legacy"
EXHAUST = "mongodb-pymongo4.20-ferretdb1.24-proxyexhaust"
STARTED = {
    LEGACY: {"find": 0, "query": 12, "listIndexes": 0, "getlasterror": 2},  # to the driver 11 queries are finds and one a listIndexes
    EXHAUST: {"getMore": 5},  # the driver counts each reply of a chain as a getMore of its own
}


@pytest.mark.parametrize("name", COUNTED)
def test_commands_are_started_as_often_as_the_driver_says(name: str) -> None:
    calls: Counter[str] = Counter()
    for conversation in conversations(name):
        calls.update(conversation.summary(pdu).op for pdu in conversation.messages if pdu.header.kind in (Kind.REQUEST, Kind.ONEWAY))
    wanted = truth(name)["commands_started"] | STARTED.get(name, {})
    assert {command: calls[command] for command in wanted} == wanted


@pytest.mark.parametrize("name", [name for name in COUNTED if name not in (LEGACY, EXHAUST)])
def test_failures_errors_and_documents_are_those_that_the_driver_met(name: str) -> None:
    """Failures without a code are no replies: the connection was closed, or the driver refused the answer. Drivers do not read answers to
    one-way requests."""
    failed, inside, documents, written, cursors = Counter(), Counter(), Counter(), Counter(), Counter()  # type: tuple[Counter[Any], ...]
    for conversation in conversations(name):
        for pdu in conversation.messages:
            if pdu.header.kind is not Kind.RESPONSE or (pdu.peer is not None and pdu.peer.header.kind is Kind.ONEWAY):
                continue
            words, found = conversation.summary(pdu), meaning(conversation.message(pdu))
            if found["mongo.ok"] != 1:
                assert words.status in (Status.CLIENT_ERROR, Status.SERVER_ERROR)
                if words.code is not None:
                    failed[words.op, words.code, words.error] += 1
                continue
            inside[words.op] += found.get("mongo.write_errors", 0) + ("mongo.write_concern_error" in found)
            documents[words.op] += found.get("mongo.docs", 0)
            written[words.op] += found.get("mongo.n", 0)
            cursors[words.op] += "mongo.cursor.id" in found
    told = truth(name)
    commands = set(told["commands_started"])
    assert {key: count for key, count in failed.items() if key[0] in commands} == Counter(
        (one["command"], one["code"], one["codeName"]) for one in told["failed_replies"] if one.get("code") is not None)
    assert +inside == Counter(one["command"] for one in told["errors_inside_ok_replies"])
    for mine, theirs in ((documents, "documents_in_batches"), (written, "n"), (cursors, "replies_with_open_cursor")):
        assert {command: mine[command] for command in told.get(theirs, {})} == told.get(theirs, {}), theirs


UNANSWERED = {
    "mongodb-handmade-ferretdb1.24-checksum": {"ping": 1},  # a wrong checksum: the server closes
    "mongodb-java2.14-mjs1.38-legacy": {"insert": 2, "query": 2, "ping": 1},  # flags and a symbol that the server closes on
    "mongodb-pymongo3.13-mjs1.38-legacy": {"getlasterror": 1, "query": 3, "ping": 1},  # the same
    "mongodb-pymongo4.12-mjs1.47-errors": {"insert": 1},  # closed
    "mongodb-pymongo4.12-mjs1.47-tls": {"ismaster": 3},  # plain clients on a TLS port
    "mongodb-pymongo4.12-mjs1.47-types": {"insert": 10},  # types that the server closes on
    "mongodb-pymongo4.12-mjs1.47-w0refused": {"insert": 2, "aggregate": 1},  # after a message with moreToCome the server closes
    "mongodb-pymongo4.20-ferretdb1.24-midstream": {"find": 2, "insert": 2, "aggregate": 1, "getMore": 1},  # the recording stops
    "mongodb-pymongo4.20-ferretdb1.24-proxytxn": {"hello": 1},  # an awaited hello, given up by closing
    "mongodb-pymongo4.20-ferretdb1.24-types": {"insert": 12, "find": 4},  # types that the server closes on
    "mongodb-pymongo4.20-ferretdb1.24-w0answered": {"insert": 2, "aggregate": 1},  # the client closes on an answer to w:0
}
ORPHANS = {"mongodb-pymongo4.20-ferretdb1.24-midstream": 5}  # of requests before the recording


@pytest.mark.parametrize("name", FILES)
def test_every_reply_has_its_request_and_only_closed_connections_leave_requests_alone(name: str) -> None:
    alone: Counter[str] = Counter()
    orphans = 0
    for conversation in conversations(name):
        for pdu in conversation.messages:
            if pdu.header.kind is Kind.REQUEST and pdu.complete and pdu.peer is None:
                alone[conversation.summary(pdu).op] += 1
            orphans += pdu.header.kind is Kind.RESPONSE and pdu.peer is None
    assert alone == UNANSWERED.get(name, {})
    assert orphans == ORPHANS.get(name, 0)


def test_answers_to_requests_that_want_none_are_paired() -> None:
    """FerretDB answers requests with moreToCome."""
    answered = [pdu for one in conversations("mongodb-pymongo4.20-ferretdb1.24-w0answered") for pdu in one.messages
                if pdu.header.kind is Kind.ONEWAY and pdu.peer]
    assert len(answered) == 7
    assert all(pdu.peer is not None and pdu.peer.peer == pdu for pdu in answered)


def test_chains_of_an_exhaust_cursor_belong_to_one_request_each() -> None:
    chains: Counter[int] = Counter()
    numbers: dict[int, list[int]] = {}
    for stream, conversation in enumerate(conversations(EXHAUST)):
        for pdu in conversation.messages:
            if pdu.header.kind is Kind.RESPONSE and pdu.header.context is not None:
                assert pdu.peer is not None
                chain = stream * 1000 + pdu.peer.row
                chains[chain] += 1
                numbers.setdefault(chain, []).append(pdu.header.context)
                assert conversation.summary(pdu).op == "getMore"
                assert f"reply {pdu.header.context} of exhaust" in conversation.summary_text(pdu)
    assert len(chains) == 3
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())
    assert sum(chains.values()) == 19 - 2  # of 19 replies to getMore two are no chain


def test_streamed_hellos_wait_by_design() -> None:
    waits = Counter(
        conversation.summary(pdu).long_poll for conversation in conversations("mongodb-pymongo4.20-ferretdb1.24-proxyw0-stream")
        for pdu in conversation.messages if pdu.header.context is not None)
    assert waits == {True: 7}


def test_only_the_plain_connections_beside_tls_are_claimed() -> None:
    claimed = [conversation for conversation in conversations(TLS) if conversation.decoder is not None]
    assert [len(conversation.messages) for conversation in claimed] == [1, 1, 1]
    assert len(conversations(TLS)) > len(claimed)


def documents(name: str) -> Iterator[bytes]:
    """Every document of every message of a recording, top ones and those in sequences and replies."""
    for conversation in conversations(name):
        for pdu in conversation.messages:
            one = conversation.message(pdu)
            if not pdu.complete:
                continue
            tree = MONGO.dissect(one)
            buffers = {one.view: one.data} | {one.first_view + i: view.data for i, view in enumerate(one.views)}
            stack = list(tree)
            while stack:
                node = stack.pop()
                if isinstance(node, DocumentField):
                    yield buffers[node.view][node.start:node.end]
                elif not node.name.startswith("mongo.doc."):
                    stack.extend(node.fields)


OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS, unicode_decode_error_handler="replace")


@pytest.mark.parametrize("name", FILES)
def test_pymongo_reads_the_same_values_from_every_document(name: str) -> None:
    seen = 0
    for data in documents(name):
        line = document_line(data, 0, len(data), 1 << 24, None)
        theirs = json_util.dumps(bson.decode(data, OPTIONS), json_options=json_util.RELAXED_JSON_OPTIONS)
        assert json.loads(line, object_hook=without_symbols) == json.loads(theirs)
        seen += 1
    assert seen


def without_symbols(one: dict[str, Any]) -> Any:
    """PyMongo reads a symbol as text."""
    return one.get("$symbol", one)
