"""What a message says, without its tree: opcode, flags, the body document, the documents of its sequences.

Only the top of each document is looked at; nested ones are stepped over by their length. Whatever does not fit ends the search.
"""
from __future__ import annotations

import struct
from dataclasses import dataclass, field

from protocols.engine.scalars import Malformed
from protocols.mongodb import bson
from protocols.mongodb import tables as t
from protocols.mongodb.bson import Element
from protocols.mongodb.compression import CannotDecompress, decompress

__all__ = ["Body", "read_body"]

_HEAD = struct.Struct("<iIIi").unpack_from
_I32 = struct.Struct("<i").unpack_from
_U32 = struct.Struct("<I").unpack_from
_I64 = struct.Struct("<q").unpack_from


@dataclass(slots=True)
class Body:
    """`top` are the elements of the main document in `data` (a command, its reply, a query, a reply's first document); `sequences` counts the
    documents of each OP_MSG sequence, or of an OP_INSERT or OP_REPLY under ""; `first` has each OP_MSG sequence's first document. `packed` is
    (compressor, compressed size, original size)."""

    opcode: int
    data: bytes
    flags: int = 0
    namespace: str = ""
    top: dict[str, Element] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    first: dict[str, dict[str, Element]] = field(default_factory=dict)
    cursor: int = 0
    limit: int = 0
    packed: tuple[int, int, int] | None = None
    trouble: str = ""

    @property
    def more_to_come(self) -> bool:
        return self.opcode == t.OP_MSG and bool(self.flags & t.MORE_TO_COME)

    def value(self, name: str) -> object:
        """The value of a top element; None when it is not there or holds others."""
        e = self.top.get(name)
        return None if e is None else bson.value(self.data, e.kind, e.start, e.end)

    def text(self, name: str) -> str:
        found = self.value(name)
        return found if isinstance(found, str) else ""

    def number(self, name: str) -> int | None:
        found = self.value(name)
        return int(found) if isinstance(found, (int, float)) and found == found and abs(found) < 1 << 63 else None

    def below(self, name: str) -> dict[str, Element]:
        """The elements of a nested document or array."""
        e = self.top.get(name)
        return bson.as_dict(self.data, e.start, e.end) if e is not None and e.kind in (bson.DOCUMENT, bson.ARRAY) else {}

    def nested(self, e: Element) -> dict[str, Element]:
        return bson.as_dict(self.data, e.start, e.end) if e.kind in (bson.DOCUMENT, bson.ARRAY) else {}

    def count(self, e: Element | None) -> int:
        """How many elements a nested document or array has."""
        return bson.count(self.data, e.start, e.end) if e is not None and e.kind in (bson.DOCUMENT, bson.ARRAY) else 0

    def statements(self, name: str) -> tuple[int, dict[str, Element]]:
        """How many documents a command brings under `name`, as a sequence or as an array in its body; and the first of them."""
        if name in self.sequences:
            return self.sequences[name], self.first.get(name, {})
        e = self.top.get(name)
        first = next(iter(self.below(name).values()), None)
        return self.count(e), self.nested(first) if first is not None else {}

    def leaf(self, e: Element | None) -> object:
        return None if e is None else bson.value(self.data, e.kind, e.start, e.end)


def read_body(data: bytes, start: int, end: int) -> Body:
    """The body of the message `data[start:end]`, decompressed when it is compressed; as far as it can be read."""
    if end - start < 16:
        return Body(0, data)
    opcode = int(_HEAD(data, start)[3])
    at, packed = start + 16, None
    if opcode == t.OP_COMPRESSED:
        if end - at < 9:
            return Body(opcode, data)
        opcode, size, compressor = int(_I32(data, at)[0]), int(_I32(data, at + 4)[0]), data[at + 8]
        packed = (compressor, end - at - 9, size)
        try:
            data = decompress(compressor, data[at + 9:end], size)
            at, end = 0, len(data)
        except CannotDecompress as fault:
            return Body(opcode, b"", packed=packed, trouble=str(fault))
    body = Body(opcode, data, packed=packed)
    try:
        _READERS[opcode](body, data, at, end) if opcode in _READERS else None
    except (Malformed, struct.error, IndexError, ValueError) as fault:
        body.trouble = str(fault)
    return body


def _msg(body: Body, data: bytes, at: int, end: int) -> None:
    body.flags = int(_U32(data, at)[0])
    at += 4
    end -= 4 if body.flags & t.CHECKSUM_PRESENT else 0
    while at < end:
        kind = data[at]
        if kind == 0:
            after = at + 1 + int(_I32(data, at + 1)[0])
            body.top = bson.as_dict(data, at + 1, min(after, end)) or body.top
        elif kind == 1:
            after = at + 1 + int(_I32(data, at + 1)[0])
            zero = data.index(b"\0", at + 5, end)
            name = data[at + 5:zero].decode("utf-8", "replace")
            count, now = 0, zero + 1
            while now < min(after, end):
                if not count:
                    body.first[name] = bson.as_dict(data, now, end)
                now += max(5, int(_I32(data, now)[0]))
                count += 1
            body.sequences[name] = count
        else:
            return
        if after <= at:
            return
        at = after


def _cstring(data: bytes, at: int, end: int) -> tuple[str, int]:
    zero = data.index(b"\0", at, end)
    return data[at:zero].decode("utf-8", "replace"), zero + 1


def _query(body: Body, data: bytes, at: int, end: int) -> None:
    body.flags = int(_U32(data, at)[0])
    body.namespace, at = _cstring(data, at + 4, end)
    body.limit = int(_I32(data, at + 4)[0])
    body.top = bson.as_dict(data, at + 8, end)
    wrapped = body.top.get("$query") or body.top.get("query")
    if wrapped is not None and wrapped.kind == bson.DOCUMENT and next(iter(body.top)) == wrapped.name:
        body.top = bson.as_dict(data, wrapped.start, wrapped.end) or body.top


def _reply(body: Body, data: bytes, at: int, end: int) -> None:
    body.flags, body.cursor = int(_U32(data, at)[0]), int(_I64(data, at + 4)[0])
    body.sequences[""] = int(_I32(data, at + 16)[0])
    body.top = bson.as_dict(data, at + 20, end) if end > at + 20 else {}


def _documents(body: Body, data: bytes, at: int, end: int) -> int:
    count = 0
    while at < end:
        at += max(5, int(_I32(data, at)[0]))
        count += 1
    return count


def _insert(body: Body, data: bytes, at: int, end: int) -> None:
    body.flags = int(_U32(data, at)[0])
    body.namespace, at = _cstring(data, at + 4, end)
    body.sequences[""] = _documents(body, data, at, end)


def _change(body: Body, data: bytes, at: int, end: int) -> None:
    body.namespace, at = _cstring(data, at + 4, end)
    body.flags = int(_U32(data, at)[0])
    body.top = bson.as_dict(data, at + 4, end)


def _get_more(body: Body, data: bytes, at: int, end: int) -> None:
    body.namespace, at = _cstring(data, at + 4, end)
    body.limit, body.cursor = int(_I32(data, at)[0]), int(_I64(data, at + 4)[0])


def _kill(body: Body, data: bytes, at: int, end: int) -> None:
    body.sequences[""] = int(_I32(data, at + 4)[0])


def _command(body: Body, data: bytes, at: int, end: int) -> None:
    database, at = _cstring(data, at, end)
    name, at = _cstring(data, at, end)
    body.namespace = f"{database}.$cmd {name}"
    at += int(_I32(data, at)[0])
    body.top = bson.as_dict(data, at, end)


def _command_reply(body: Body, data: bytes, at: int, end: int) -> None:
    at += int(_I32(data, at)[0])
    body.top = bson.as_dict(data, at, end)


_READERS = {
    t.OP_MSG: _msg, t.OP_QUERY: _query, t.OP_REPLY: _reply, t.OP_INSERT: _insert, t.OP_UPDATE: _change, t.OP_DELETE: _change,
    t.OP_GET_MORE: _get_more, t.OP_KILL_CURSORS: _kill, t.OP_COMMAND: _command, t.OP_COMMANDREPLY: _command_reply,
}
