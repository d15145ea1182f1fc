"""Whether bytes are MongoDB's, and which side is the client.

A whole message with a known opcode whose layout and BSON end exactly where its length says is a proof; the header alone is not. What a
message may hold beyond that (opcodes, flags, compressors, kinds of sections that are not known here) is no reason against it; of a message
that is cut off, which proves nothing by its end, more is asked.
The client is the side that opened the connection; where the start was not captured, the side whose bodies are commands
(replies carry `ok`). `responseTo` decides last: some drivers number their requests from 0.
"""
from __future__ import annotations

import struct
from typing import NamedTuple

from protocols.decoder import Match, Opening
from protocols.engine.scalars import Malformed
from protocols.mongodb import bson
from protocols.mongodb import tables as t
from protocols.mongodb.body import Body, read_body

__all__ = ["could_follow", "could_start", "recognise"]

_HEAD = struct.Struct("<iIIi").unpack_from
_U32 = struct.Struct("<I").unpack_from
_I32 = struct.Struct("<i").unpack_from
SEARCH = 16 * 1024
LARGEST_UNKNOWN = 1 << 20
"""Bytes of a message with an unknown opcode: less than others may have, as nothing else tells that it is one."""
MOST_OPCODE = 1 << 16
"""Opcodes are small numbers; where one is larger, no message starts."""
MOST_SKIPPED = 8
"""Messages with unknown opcodes that may stand before the first that tells something."""


def could_start(head: bytes, usual: bool = False) -> bool:
    """Whether a message with an opcode that is known can start with `head`: its header, and what its opcode has right behind it as far as it is
    there. `usual` asks for flags, compressors and sections that are known, too."""
    if len(head) < 16:
        return False
    length, opcode = int(_HEAD(head, 0)[0]), int(_HEAD(head, 0)[3])
    if not 16 <= length <= t.LARGEST or opcode not in t.SPOKEN:
        return False
    rest = head[16:length]
    if opcode == t.OP_MSG:
        return _msg(rest, length, usual)
    if opcode == t.OP_COMPRESSED:
        return length >= 25 and (len(rest) < 9 or (
            0 <= _I32(rest, 4)[0] <= t.LARGEST and (0 < _I32(rest, 0)[0] < MOST_OPCODE if not usual else _I32(rest, 0)[0] in t.SPOKEN and rest[8] <= 3)))
    if opcode == t.OP_REPLY:
        return length >= 36 and (len(rest) < 20 or ((not usual or _U32(rest, 0)[0] <= 0xF) and 0 <= _I32(rest, 16)[0] <= 1_000_000))
    if opcode in (t.OP_COMMAND, t.OP_COMMANDREPLY):
        return length > 21
    if opcode == t.OP_QUERY:
        return length >= 29 and (len(rest) < 5 or ((not usual or _U32(rest, 0)[0] <= 0xFF) and _names(rest[4])))
    if opcode == t.OP_INSERT:
        return length >= 22 and (len(rest) < 5 or ((not usual or _U32(rest, 0)[0] <= 1) and _names(rest[4])))
    return length >= 24 and (len(rest) < 4 or _U32(rest, 0)[0] == 0)


def could_follow(head: bytes) -> bool:
    """Whether a message of a connection that is known to be MongoDB's can start with `head`: one of `could_start`, or one with an opcode that is not
    known, which then is shown by its header alone."""
    return could_start(head) or _unknown(head)


def _unknown(head: bytes) -> bool:
    """Whether `head` is the header of a message with an opcode that is reserved or not known."""
    if len(head) < 16:
        return False
    length, opcode = int(_HEAD(head, 0)[0]), int(_HEAD(head, 0)[3])
    return 16 <= length <= LARGEST_UNKNOWN and 0 < opcode < MOST_OPCODE and opcode not in t.SPOKEN


def _names(first: int) -> bool:
    """Whether a namespace can start with this byte: one of UTF-8 text, no blank and no control character."""
    return first > 0x20 and first != 0x7F


def _msg(rest: bytes, length: int, usual: bool) -> bool:
    """OP_MSG: a first section whose length fits, where its kind is known."""
    if length < 26:
        return False
    if len(rest) < 9:
        return True
    flags, kind, size = int(_U32(rest, 0)[0]), rest[4], int(_I32(rest, 5)[0])
    if kind > 1:
        return not usual and length <= LARGEST_UNKNOWN
    if flags & t.REQUIRED_UNKNOWN and usual:
        return kind == 0 and size == length - 21
    return 5 <= size <= length - 21


def recognise(opening: Opening) -> Match | None:
    """What the first message of each side says; a side whose bytes hold none counts against it."""
    found = [_first_message(data, start) for data, start in zip(opening.data, opening.from_start, strict=True)]
    best = max((95 if one.whole else 70 for one in found if one is not None), default=0)
    if not best:
        return None
    strangers = sum(one is None and bool(data) for one, data in zip(found, opening.data, strict=True))
    words = [one.why + f" from port {port}" for one, port in zip(found, opening.ports, strict=True) if one is not None]
    told = [1 - side if one.reply else side for side, one in enumerate(found) if one is not None and one.reply is not None]
    client = 0 if opening.from_start[0] or not told else told[0]
    return Match(best - 30 * strangers + (3 if all(found) else 0), "; ".join(words), client)


class Found(NamedTuple):
    """A message: whether it is all there and well, whether it is a reply (None: it does not tell), and words for it."""

    whole: bool
    reply: bool | None
    why: str


def _first_message(data: bytes, from_start: bool) -> Found | None:
    """The first message in `data`. Where the start was not captured it is searched for, and must be whole and
    hold a document, or be all there is."""
    if from_start:
        at = 0
        for _ in range(MOST_SKIPPED):
            if not _unknown(data[at:at + 16]):
                break
            at += int(_I32(data, at)[0])
        return _judge(data, at, False)
    for opcode in (b"\xdd\x07\0\0", b"\xdc\x07\0\0", b"\xd4\x07\0\0", b"\x01\0\0\0"):
        at = data.find(opcode, 12, SEARCH)
        while at >= 12:
            judged = _judge(data, at - 12, True)
            if judged is not None:
                return judged
            at = data.find(opcode, at + 1, SEARCH)
    return None


def _judge(data: bytes, at: int, searched: bool) -> Found | None:
    head = data[at:at + 48]
    if not could_start(head):
        return None
    length, _, response_to, opcode = _HEAD(head, 0)
    end = at + length
    whole = end <= len(data)
    body = read_body(data, at, min(end, len(data)))
    if body.packed is not None and body.packed[0] not in t.COMPRESSORS:
        whole = False   # a body that nobody here can read proves nothing
    if whole:
        inside, start = (data, at + 16) if body.packed is None else (body.data, 0)
        held = _documents(inside, start, end if body.packed is None else len(inside), body.opcode) if not body.trouble else -1
        if held < 0 or (searched and not held and (at or end < len(data))):
            return None
    elif searched or not _begins_well(data, at, end, body):
        return None
    if body.opcode in t.FROM_SERVER:
        reply: bool | None = True
    elif body.opcode != t.OP_MSG:
        reply = False
    elif body.starts:
        reply = b"ok" in body.starts and b"$db" not in body.starts
    else:
        reply = response_to != 0 if whole else None
    name = t.OPCODES[opcode]
    return Found(whole, reply, f"{'a whole' if whole else 'the start of an'} {name} message{f' after {at} bytes' if at else ''}")


def _begins_well(data: bytes, at: int, end: int, body: Body) -> bool:
    """Whether what is there of a message that is cut off (or that cannot be decompressed) reads as one."""
    unread = body.packed is not None and body.packed[0] not in t.COMPRESSORS
    if unread:
        return end <= len(data) and body.opcode in t.SPOKEN
    if not could_start(data[at:at + 48], True):
        return False
    try:
        for _ in bson.scan(body.data, *body.main, True):
            pass
    except Malformed:
        return not body.main[1]
    return True


def _documents(data: bytes, at: int, end: int, opcode: int) -> int:
    """How many documents with elements a whole message's body `data[at:end]` holds; -1 when they do not end exactly where it ends."""
    if opcode == t.OP_MSG:
        return _sections(data, at, end)
    names, after = _BEFORE_DOCUMENTS[opcode]
    for skip in names:
        at = data.find(b"\0", at + skip, end) + 1
        if not at:
            return -1
    at += after
    if opcode == t.OP_GET_MORE:
        return 0 if at == end else -1
    if opcode == t.OP_KILL_CURSORS:
        return 0 if end - at == 8 * int(_I32(data, at - 4)[0]) else -1
    return _tiles(data, at, end)


_BEFORE_DOCUMENTS: dict[int, tuple[tuple[int, ...], int]] = {
    t.OP_QUERY: ((4,), 8), t.OP_REPLY: ((), 20), t.OP_UPDATE: ((4,), 4), t.OP_INSERT: ((4,), 0), t.OP_DELETE: ((4,), 4), t.OP_GET_MORE: ((4,), 12),
    t.OP_KILL_CURSORS: ((), 8), t.OP_COMMAND: ((0, 0), 0), t.OP_COMMANDREPLY: ((), 0),
}
"""What stands before the documents: for each zero-terminated name the bytes before it, then the bytes after the last."""


def _sections(data: bytes, at: int, end: int) -> int:
    """`_documents` for OP_MSG."""
    stop = end - (4 if int(_U32(data, at)[0]) & t.CHECKSUM_PRESENT else 0)
    now, held = at + 4, 0
    while now < stop:
        kind = data[now]
        if kind > 1 and held:
            return held   # behind what tells enough, a section of which nothing is known
        if kind > 1 or now + 5 > stop:
            return -1
        after = now + 1 + int(_I32(data, now + 1)[0])
        if not now < after <= stop:
            return -1
        first = now + 1 if kind == 0 else data.find(b"\0", now + 5, after) + 1
        found = _tiles(data, first, after) if first else -1
        if found < 0:
            return -1
        held += found
        now = after
    return held if now == stop else -1


def _tiles(data: bytes, at: int, end: int) -> int:
    """How many of the documents that fill `data[at:end]` have elements; -1 when they do not fill it."""
    held = 0
    while at < end:
        try:
            held += len(list(bson.scan(data, at, end))) > 0
        except Malformed:
            return -1
        at += int(_I32(data, at)[0])
    return held if at == end else -1
