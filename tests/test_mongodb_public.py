"""Public captures of MongoDB, where PROTOVIEW_CAPTURES names the folder of all: every byte in a field, and what other programs say of them.

DeepFlow's expectation files (NAME.pcap beside NAME.result) are read wherever the folder holds any; each line is one packet with its document
as Rust's bson crate writes it.
"""
from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

pytest.importorskip("bson")

from mongodb_wire import MONGO
from test_mongodb_captures import check_bytes, meaning, read

from protocols.decoder import Kind, Status
from protocols.mongodb import bson
from protocols.mongodb import tables as t
from protocols.mongodb.body import read_body
from protocols.mongodb.bson import Element

PACKETBEAT = ("mongo_3.0_session", "mongo_one_row", "mongodb_inserts", "mongodb_more_rows", "mongodb_reply_request_reply")


@pytest.mark.parametrize("name", PACKETBEAT)
def test_packetbeats_captures_have_every_byte_in_a_field(name: str, shared: Path) -> None:
    assert check_bytes(read(shared / "public" / "mongodb" / f"packetbeat__{name}.pcap"), False)


def test_the_rows_of_packetbeats_query_are_counted(shared: Path) -> None:
    conversations = read(shared / "public" / "mongodb" / "packetbeat__mongodb_more_rows.pcap")
    found = [meaning(one.message(pdu)).get("mongo.docs") for one in conversations for pdu in one.messages if pdu.header.kind is Kind.RESPONSE]
    assert found == [101]


def test_five_one_sided_connections_are_known(shared: Path) -> None:
    conversations = read(shared / "public" / "mongodb" / "arkime__mongo.pcap")
    assert [one.decoder is MONGO for one in conversations] == [True] * 5


def test_a_connection_that_others_took_for_mongodb_is_left_alone(shared: Path) -> None:
    """nDPI keeps it as a false positive; its result file calls it TLS."""
    assert [one.decoder for one in read(shared / "public" / "mongodb" / "nDPI__mongo_false_positive.pcapng")] == [None]


def display(data: bytes, e: Element) -> str:
    """A value as Rust's bson crate displays it."""
    inner = list(bson.scan(data, e.start, e.end)) if e.kind in (bson.DOCUMENT, bson.ARRAY) else []
    if e.kind == bson.DOCUMENT:
        return "{ " + ", ".join(f'"{one.name}": {display(data, one)}' for one in inner) + " }" if inner else "{}"
    if e.kind == bson.ARRAY:
        return "[" + ", ".join(display(data, one) for one in inner) + "]"
    leaf = bson.value(data, e.kind, e.start, e.end)
    if e.kind == 0x05:
        return f"Binary({data[e.start + 4]:#x}, {base64.b64encode(leaf).decode()})"
    if e.kind == 0x07:
        return f'ObjectId("{leaf}")'
    if e.kind == 0x11:
        return f"Timestamp({leaf[0]}, {leaf[1]})"
    if e.kind == 0x09:
        moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=leaf // 1000)
        fraction = f"{moment.microsecond:06d}".rstrip("0") or "0"
        return f'DateTime("{moment:%Y-%m-%d} {moment.hour}:{moment:%M:%S}.{fraction} +00:00:00")'
    if isinstance(leaf, bool) or leaf is None:
        return str(leaf).lower().replace("none", "null")
    return f'"{leaf}"' if isinstance(leaf, str) else f"{leaf:.17g}" if isinstance(leaf, float) else str(leaf)


LINE = re.compile(
    r"MongoDBInfo \{ msg_type: (\w+), .*?request_id: (\d+), response_id: (\d+), op_code: (\d+), op_code_name: \"(\w+)\", "
    r"request: (\".*?(?<!\\)\"|\"\"), response: (\".*?(?<!\\)\"|\"\"), response_code: (\d+), exception: \"(.*?)\", status: (\w+)")


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def test_deepflows_expectations_agree(shared: Path) -> None:
    results = [file for file in (shared / "public" / "mongodb").glob("*.result") if file.with_suffix(".pcap").exists()]
    if not results:
        pytest.skip("the folder holds no .result file for MongoDB")
    for file in results:
        pdus = [(conversation, pdu) for conversation in read(file.with_suffix(".pcap")) for pdu in conversation.messages]
        lines = [found for line in file.read_text().splitlines() if (found := LINE.search(line))]
        assert len(pdus) == len(lines)
        for (conversation, pdu), found in zip(pdus, lines, strict=True):
            kind, request_id, response_id, opcode, name, request, response, code, exception, status = found.groups()
            one, words = conversation.message(pdu), conversation.summary(pdu)
            own, answered = int.from_bytes(one.data[4:8], "little"), int.from_bytes(one.data[8:12], "little")
            assert (kind == "Request") is pdu.from_client
            assert (int(request_id), int(response_id)) == ((own, 0) if pdu.from_client else (answered, own))
            body = read_body(one.data, 0, len(one.data))
            assert (int(opcode), name) == (body.opcode, t.OPCODES[body.opcode])
            if exception:
                assert (words.code, words.status, status) == (int(code), Status.CLIENT_ERROR, "ClientError")
                assert exception in words.info
                continue
            told = unescaped(request if pdu.from_client else response)
            if told != "{}":  # DeepFlow reads no document that goes on in the next packet
                top = "{ " + ", ".join(f'"{e.name}": {display(body.data, e)}' for e in body.elements().values()) + " }"
                assert top == told
