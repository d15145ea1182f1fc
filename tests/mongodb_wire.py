"""MongoDB messages for the tests: the worked examples of the protocol document, and messages by an independent writer of BSON (PyMongo)."""
from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import bson

from protocols.decoder import MessageBytes, Side
from protocols.engine.fields import Field, walk
from protocols.mongodb.decoder import MongoDB

MONGO = MongoDB()
CLIENT, SERVER = Side(True, True, b"", b""), Side(False, True, b"", b"")

REPLY = bytes.fromhex(  # M1, the OP_MSG reply with $clusterTime that DeepFlow's article takes apart
    "a30000000a50884823000000dd07000000000000008e000000016f6b00000000000000f03f116f7065726174696f6e54696d650001000000bc1dc3640324636c"
    "757374657254696d65005800000011636c757374657254696d650001000000bc1dc364037369676e6174757265003300000005686173680014000000002912d4"
    "7f7852554204292fb7368539c1476605de126b6579496400010000008cd2e463000000")
INSERT = bytes.fromhex(  # M2, a body, a sequence, a checksum
    "a80000006500000000000000dd07000001000000003000000002696e7365727400070000006f726465727300086f726465726564000102246462000500000073"
    "686f700000015e000000646f63756d656e74730027000000105f6964000100000002736b75000300000041310012717479000500000000000000002900000010"
    "5f6964000200000002736b75000300000042320001707269636500000000000000044000583bdd8d")
COMPRESSED = bytes.fromhex(  # M3, snappy
    "5b0000006600000000000000dc070000dd07000042000000014200000101743d0000000266696e6400070000006f7264657273000366696c7465720011011d68"
    "736b7500030000004131000002246462000500000073686f700000")
QUERY = bytes.fromhex(  # M4, the legacy handshake
    "440000000100000000000000d40700000400000061646d696e2e24636d640000000000ffffffff1d0000001069734d617374657200010000000868656c6c6f4f"
    "6b000100")
LEGACY_REPLY = bytes.fromhex(  # M5, its answer
    "540000003700000001000000010000000800000000000000000000000000000001000000300000000869736d61737465720001106d6178576972655665727369"
    "6f6e0015000000016f6b00000000000000f03f00")
WRITE_ERROR = bytes.fromhex(  # M6, an error in a reply that is ok
    "7d0000004d00000065000000dd070000000000000068000000106e00000000000477726974654572726f727300430000000330003b00000010696e6465780000"
    "00000010636f646500f82a0000026572726d73670015000000453131303030206475706c6963617465206b6579000000016f6b00000000000000f03f00")
EXAMPLES = (REPLY, INSERT, COMPRESSED, QUERY, LEGACY_REPLY, WRITE_ERROR)


def message(data: bytes, from_client: bool = True, peer: MessageBytes | None = None, session: Any = None) -> MessageBytes:
    """A whole message as the middle floor hands it to the decoder."""
    header = MONGO.header(data, 0, len(data), CLIENT if from_client else SERVER, session or MONGO.session())
    length = struct.unpack_from("<i", data)[0] if len(data) >= 4 else 16
    return MessageBytes(data, 0, len(data), length, header, from_client, find_peer=lambda: peer)


def dissect(data: bytes, from_client: bool = True, peer: MessageBytes | None = None) -> tuple[list[Field], MessageBytes]:
    one = message(data, from_client, peer)
    return list(MONGO.dissect(one)), one


def meaning(one: MessageBytes) -> dict[str, Any]:
    """The generated fields of a message by name, without `mongo.`; the first of a name."""
    group = next(node for node in MONGO.dissect(one) if node.name == "mongo.meaning")
    return {node.name.removeprefix("mongo."): node.value for node in reversed(group.fields)}


def uncovered(data: bytes, fields: Sequence[Field]) -> list[int]:
    """Bytes of a message that lie in no field with a value."""
    cover = bytearray(len(data))
    for one in walk(fields):
        if one.view == 0 and one.length and not (one.value is None and one.fields):
            cover[one.start:one.end] = b"\1" * one.length
    return [i for i, byte in enumerate(cover) if not byte]


def framed(opcode: int, body: bytes, request_id: int = 7, response_to: int = 0) -> bytes:
    return struct.pack("<iIIi", 16 + len(body), request_id, response_to, opcode) + body


def section(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + content


def sequence(name: str, documents: Sequence[Mapping[str, Any]]) -> bytes:
    inside = name.encode() + b"\0" + b"".join(bson.encode(one) for one in documents)
    return section(1, struct.pack("<i", len(inside) + 4) + inside)


def op_msg(body: Mapping[str, Any], request_id: int = 7, response_to: int = 0, flags: int = 0, **sequences: Sequence[Mapping[str, Any]]) -> bytes:
    parts = struct.pack("<I", flags) + section(0, bson.encode(body))
    parts += b"".join(sequence(name, documents) for name, documents in sequences.items())
    return framed(2013, parts, request_id, response_to)


def op_query(namespace: str, query: Mapping[str, Any], flags: int = 0, request_id: int = 7) -> bytes:
    return framed(2004, struct.pack("<i", flags) + namespace.encode() + b"\0" + struct.pack("<ii", 0, -1) + bson.encode(query), request_id)


def op_reply(documents: Sequence[Mapping[str, Any]], cursor: int = 0, flags: int = 8, request_id: int = 9, response_to: int = 7) -> bytes:
    body = struct.pack("<iqii", flags, cursor, 0, len(documents)) + b"".join(bson.encode(one) for one in documents)
    return framed(1, body, request_id, response_to)
