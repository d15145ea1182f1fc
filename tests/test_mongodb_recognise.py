"""Whose bytes are MongoDB's: what is unknown is no reason against it, and what is cut off no reason for another protocol."""
from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest

pytest.importorskip("bson")

import bson
from mongodb_wire import CLIENT, MONGO, SERVER, dissect, framed, message, op_msg, op_query, op_reply, section, uncovered

from captures.file.opening import open_source
from captures.index.index import Index
from captures.messages.conversation import Conversation
from captures.stream.pair import tcp_pair
from protocols.decoder import Opening
from protocols.engine.fields import walk
from protocols.registry import Registry

FOLDER = Path(__file__).parent / "data" / "mongodb"
DECODERS = [*Registry().decoders()]
PING = {"ping": 1, "$db": "admin"}
BODY = section(0, bson.encode(PING))


def score(client: bytes, server: bytes = b"") -> int:
    found = MONGO.recognise(Opening((client, server), (50_000, 12_345), (True, True), (True, True)))
    return found.score if found is not None else 0


UNKNOWN = {
    "required flags": framed(2013, struct.pack("<I", 0x40) + BODY), "optional flags": framed(2013, struct.pack("<I", 1 << 20) + BODY),
    "kind of section behind the body": framed(2013, bytes(4) + BODY + section(9, b"something")),
    "flags of a query": op_query("admin.$cmd", PING, 1 << 20), "flags of an insert": framed(2002, struct.pack("<i", 1 << 9) + b"d.c\0" + bson.encode(PING)),
    "namespace outside ASCII": op_query("баз.$cmd", PING), "flags of a reply": op_reply([PING], flags=1 << 9),
}


@pytest.mark.parametrize("data", UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_unknown_in_a_whole_message_is_no_reason_against_it(data: bytes) -> None:
    assert score(data) >= 95
    assert MONGO.accepts(data[:48], CLIENT)
    fields, _ = dissect(data)
    assert uncovered(data, fields) == []
    assert not [node for node in walk(fields) if node.name == "_ws.malformed"]


COMPRESSED = framed(2012, struct.pack("<iiB", 2013, 50, 9) + b"of a compressor to come")


def test_an_unknown_compressor_is_shown_by_its_number() -> None:
    assert score(COMPRESSED) >= 70
    assert MONGO.accepts(COMPRESSED[:48], SERVER)
    fields, one = dissect(COMPRESSED)
    assert "Compressor: unknown (9)" in [node.text for node in walk(fields)]
    assert MONGO.describe(one).info == "OP_MSG (unknown compressor 9)  (compressor 9 50→23 B)"
    assert score(framed(2012, struct.pack("<iiB", -7, 50, 9) + b"x")) == 0


@pytest.mark.parametrize("opcode", [2003, 2014, 2050, 4711])
def test_an_unknown_opcode_before_a_known_message_is_stepped_over_and_shown_by_its_number(opcode: int) -> None:
    first = framed(opcode, b"who knows what")
    assert score(first + op_msg(PING), op_msg({"ok": 1.0}, 8, 7)) >= 95
    assert score(first) == 0   # which alone is no proof
    assert MONGO.accepts(first, CLIENT)
    assert str(opcode) in next(node for node in walk(dissect(first)[0]) if node.name == "mongo.opcode").text
    assert MONGO.describe(message(first)).op in (f"opcode {opcode}", "OP_GET_BY_OID (reserved)")


def test_a_weak_start_of_a_message_that_is_cut_off_is_no_claim() -> None:
    whole = op_msg({"find": "c", "filter": {"a": "b" * 100}, "$db": "d"})
    assert score(whole[:60]) == 70
    broken = bytearray(whole[:60])
    broken[25] = 0x66   # no type of BSON
    assert score(bytes(broken)) == 0
    for weak in (struct.pack("<iIIiIB", 500, 1, 0, 2013, 0x40, 0), struct.pack("<iIIiIqii", 500, 1, 7, 1, 1 << 9, 0, 0, 1), COMPRESSED[:26]):
        assert score(weak + bytes(range(1, 20))) == 0


def snapped(file: Path, length: int) -> bytes:
    """The capture, a classic pcap, with at most `length` bytes of each packet."""
    data = gzip.decompress(file.read_bytes())
    assert data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1")
    out, at = [data[:24]], 24
    while at < len(data):
        have, size = struct.unpack_from("<II", data, at + 8)
        kept = min(have, length)
        out += [data[at:at + 8], struct.pack("<II", kept, size), data[at + 16:at + 16 + kept]]
        at += 16 + have
    return b"".join(out)


@pytest.mark.parametrize("length", [60, 68, 72, 80, 84, 96, 128, 256, 512])
def test_a_recording_cut_at_any_length_is_mongodb_or_nothing(length: int, tmp_path: Path) -> None:
    named = set()
    for file in sorted(FOLDER.glob("*.pcap.gz")):
        cut = tmp_path / "cut.pcap"
        cut.write_bytes(snapped(file, length))
        index = Index(open_source(cut))
        index.run()
        for stream in range(len(index.tcp)):
            conversation = Conversation(tcp_pair(index, stream), DECODERS)
            named.add(conversation.decoder.name if conversation.decoder is not None else "")
    assert named <= {"mongo", ""}
    assert "mongo" in named or length < 84   # below, hardly a packet holds a header with anything behind it
