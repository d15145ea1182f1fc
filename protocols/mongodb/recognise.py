"""Whether bytes are MongoDB's, and which side is the client.

A whole message with a known opcode whose layout and BSON end exactly where its length says is a proof; the header alone is not.
The client is the side that opened the connection; where the start was not captured, the side whose bodies are commands
(replies carry `ok`). `responseTo` decides last: some drivers number their requests from 0.
"""
from __future__ import annotations

import struct

from protocols.decoder import Match, Opening
from protocols.mongodb import bson
from protocols.mongodb import tables as t
from protocols.mongodb.body import read_body
from protocols.scalars import Malformed

__all__ = ["could_start", "recognise"]

_HEAD = struct.Struct("<iIIi").unpack_from
_U32 = struct.Struct("<I").unpack_from
_I32 = struct.Struct("<i").unpack_from
SEARCH = 16 * 1024


def could_start(head: bytes) -> bool:
    """Whether a message can start with `head`: its header, and what its opcode has right behind it as far as it is there."""
    if len(head) < 16:
        return False
    length, _, _, opcode = _HEAD(head, 0)
    if not 16 <= length <= t.LARGEST or opcode not in t.SPOKEN:
        return False
    rest = head[16:length]
    if opcode == t.OP_MSG:
        return _msg(rest, length)
    if opcode == t.OP_COMPRESSED:
        return length >= 25 and (len(rest) < 9 or (_I32(rest, 0)[0] in t.SPOKEN and 0 <= _I32(rest, 4)[0] <= t.LARGEST and rest[8] <= 3))
    if opcode == t.OP_REPLY:
        return length >= 36 and (len(rest) < 20 or (_U32(rest, 0)[0] <= 0xF and 0 <= _I32(rest, 16)[0] <= 1_000_000))
    if opcode in (t.OP_COMMAND, t.OP_COMMANDREPLY):
        return length > 21
    if opcode == t.OP_QUERY:
        return length >= 29 and (len(rest) < 5 or (_U32(rest, 0)[0] <= 0xFF and 0x20 < rest[4] < 0x7F))
    if opcode == t.OP_INSERT:
        return length >= 22 and (len(rest) < 5 or (_U32(rest, 0)[0] <= 1 and 0x20 < rest[4] < 0x7F))
    return length >= 24 and (len(rest) < 4 or _U32(rest, 0)[0] == 0)


def _msg(rest: bytes, length: int) -> bool:
    """OP_MSG: a section of kind 0 or 1 whose length fits; exactly, where a required flag is unknown."""
    if length < 26:
        return False
    if len(rest) < 9:
        return True
    size = int(_I32(rest, 5)[0])
    if int(_U32(rest, 0)[0]) & 0xFFFC:  # refused by the specification; some servers answer all the same
        return rest[4] == 0 and size == length - 21
    return rest[4] in (0, 1) and 5 <= size <= length - 21


def recognise(opening: Opening) -> Match | None:
    """The better of both readings of who is the client."""
    found = [_first_message(data, start) for data, start in zip(opening.data, opening.from_start, strict=True)]
    if all(one is None for one in found):
        return None
    score, words, client = 0, [], None
    for side, one in enumerate(found):
        if one is None:
            if opening.data[side]:
                score -= 30
            continue
        at, whole, is_reply, name = one
        score = max(score, 95 if whole else 70)
        words.append(f"{'a whole' if whole else 'the start of an'} {name} message{f' after {at} bytes' if at else ''} from port {opening.ports[side]}")
        if is_reply is not None and client is None:
            client = 1 - side if is_reply else side
    if opening.from_start[0] or client is None:
        client = 0
    return Match(max(0, min(100, score + (3 if all(found) else 0))), "; ".join(words), client)


def _first_message(data: bytes, from_start: bool) -> tuple[int, bool, bool | None, str] | None:
    """(where, complete and well, whether a reply, opcode's name) of the first message in `data`."""
    if from_start:
        return _judge(data, 0)
    for opcode in (b"\xdd\x07\0\0", b"\xdc\x07\0\0", b"\xd4\x07\0\0", b"\x01\0\0\0"):
        at = data.find(opcode, 12, SEARCH)
        while at >= 12:
            judged = _judge(data, at - 12)
            if judged is not None and judged[1]:
                return judged
            at = data.find(opcode, at + 1, SEARCH)
    return None


def _judge(data: bytes, at: int) -> tuple[int, bool, bool | None, str] | None:
    head = data[at:at + 48]
    if not could_start(head):
        return None
    length, _, response_to, opcode = _HEAD(head, 0)
    end = at + length
    whole = end <= len(data)
    if whole and not _well(data, at, end, opcode):
        return None
    body = read_body(data, at, min(end, len(data)))
    if body.opcode in t.FROM_SERVER:
        reply: bool | None = True
    elif body.opcode != t.OP_MSG:
        reply = False
    elif body.top:
        reply = "ok" in body.top and "$db" not in body.top
    else:
        reply = response_to != 0 if whole else None
    return at, whole, reply, t.OPCODES[opcode]


def _well(data: bytes, at: int, end: int, opcode: int) -> bool:
    """Whether a whole message's documents end exactly with it (of those that have documents first or last)."""
    if opcode == t.OP_COMPRESSED:
        return not read_body(data, at, end).trouble or data[at + 24] > 3
    if opcode != t.OP_MSG:
        return not read_body(data, at, end).trouble
    flags = _U32(data, at + 16)[0]
    stop = end - (4 if flags & t.CHECKSUM_PRESENT else 0)
    now = at + 20
    while now < stop:
        kind = data[now]
        if kind > 1 or now + 5 > stop:
            return False
        after = now + 1 + int(_I32(data, now + 1)[0])
        if kind == 0:
            try:
                for _ in bson.scan(data, now + 1, stop):
                    pass
            except Malformed:
                return False
        if after <= now or after > stop:
            return False
        now = after
    return now == stop
