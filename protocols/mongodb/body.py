"""What a message says, without its tree: opcode, flags, the body document, the documents of its sequences.

When a body is read, only places are noted: where the values of its main document start (nested documents are stepped over by their
length), and where batches lie. Elements are made when somebody asks, and documents of a batch counted for those who want the number.
Whatever does not fit ends the search.
"""
from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from protocols.mongodb import bson
from protocols.mongodb import tables as t
from protocols.mongodb.bson import ARRAY, DOCUMENT, Element
from protocols.mongodb.compression import CannotDecompress, decompress, peek

__all__ = ["ALL", "Batch", "Body", "read_body"]

_HEAD = struct.Struct("<iIIi").unpack_from
_I32 = struct.Struct("<i").unpack_from
_U32 = struct.Struct("<I").unpack_from
_COMPRESSED = struct.Struct("<iiB").unpack_from
_FIRST_SECTION = struct.Struct("<IBi").unpack_from
_SECTION = struct.Struct("<Bi").unpack_from
_I64 = struct.Struct("<q").unpack_from
MOST_PEEKED = 1 << 16
"""Bytes that are taken out of the start of a compressed message that is cut off."""
MOST_COUNTED = 100_000
"""Documents that are counted for a line of text: one of 20 MB that is full of tiny ones must not cost seconds."""
ALL = 1 << 62
"""More than any message has."""


class Batch(NamedTuple):
    """Documents that a message brings: side by side in `data[at:end]`, or as elements of the array that lies there. `cut`: some of its bytes are missing."""

    data: bytes
    at: int
    end: int
    array: bool
    cut: bool

    def number(self, most: int = MOST_COUNTED) -> tuple[int, bool]:
        """How many whole ones there are, at most `most`; and whether there are no more."""
        if self.array:
            number = bson.count(self.data, self.at, self.end, most)
        else:
            number, now, end = 0, self.at, self.end
            while now + 5 <= end and number < most:
                now += max(5, int(_I32(self.data, now)[0]))
                number += now <= end
        return number, not self.cut and number < most

    def items(self) -> Iterator[dict[str, Element]]:
        """The tops of the documents, of a few hundred at most."""
        if self.array:
            for e in bson.as_dict(self.data, self.at, self.end).values():
                yield bson.as_dict(self.data, e.start, e.end) if e.kind in (DOCUMENT, ARRAY) else {}
            return
        now, left = self.at, bson.MOST
        while now + 5 <= self.end and left:
            yield bson.as_dict(self.data, now, self.end)
            now += max(5, int(_I32(self.data, now)[0]))
            left -= 1


class Body:
    """`starts` says where the values of the main document (a command, its reply, a query, a reply's first document) start, by name; the first few hundred.
    `sequences` are the documents of each OP_MSG sequence, or of an OP_INSERT or OP_REPLY under "". `returned` is how many documents an OP_REPLY
    states, or cursors an OP_KILL_CURSORS. `packed` is (compressor, compressed size, original size); `trouble` says why the message could not be
    read, `cut` that some of its bytes are missing."""

    flags = 0
    cursor: int | None = None
    returned: int | None = None
    namespace = trouble = ""
    packed: tuple[int, int, int] | None = None
    sequences: Mapping[str, Batch] = MappingProxyType({})
    _start = _end = 0
    starts: Mapping[bytes, int] = MappingProxyType({})

    def __init__(self, opcode: int, data: bytes, cut: bool) -> None:
        self.opcode = opcode
        self.data = data
        self.cut = cut

    def read_main(self, at: int, end: int) -> None:
        """Take the document at `at` for the main one."""
        self._start, self._end = at, end
        self.starts = bson.starts(self.data, at, end)

    @property
    def main(self) -> tuple[int, int]:
        """Where the main document lies in `data`, as far as it is there; (0, 0) where none was found."""
        return self._start, self._end

    @property
    def is_command(self) -> bool:
        """Whether a request's main document is a command's, and no filter or statement whose keys are data."""
        return self.opcode in (t.OP_MSG, t.OP_COMMAND) or (self.opcode == t.OP_QUERY and self.namespace.endswith(".$cmd"))

    @property
    def more_to_come(self) -> bool:
        return self.opcode == t.OP_MSG and bool(self.flags & t.MORE_TO_COME)

    def find(self, name: str, *names: str) -> Element | None:
        """The element that is reached through documents of these names; None when it is not there."""
        found = self._element(self.starts, name)
        for below in names:
            if found is None or found.kind not in (DOCUMENT, ARRAY):
                return None
            found = self._element(bson.starts(self.data, found.start, found.end), below)
        return found

    def _element(self, starts: Mapping[bytes, int], name: str) -> Element | None:
        key = name.encode()
        start = starts.get(key)
        if start is None:
            return None
        type_at = start - len(key) - 2
        kind = self.data[type_at]
        return Element(kind, name, type_at, start, min(start + bson.size_of(self.data, kind, start, len(self.data), type_at), self._end))

    def value(self, *names: str) -> Any:
        """The value of the element that is reached through documents of these names; None when it is not there or holds others."""
        e = self.find(*names)
        return None if e is None else bson.value(self.data, e.kind, e.start, e.end)

    def text(self, name: str) -> str:
        """The value of a top element that is a string; "" when there is none."""
        key = name.encode()
        start = self.starts.get(key)
        return bson.string(self.data, start) if start is not None and self.data[start - len(key) - 2] == 0x02 else ""

    def number(self, name: str) -> int | None:
        found = self.value(name)
        return int(found) if isinstance(found, (int, float)) and found == found and abs(found) < 1 << 63 else None

    def below(self, *names: str) -> dict[str, Element]:
        """The elements of a nested document or array."""
        e = self.find(*names)
        return bson.as_dict(self.data, e.start, e.end) if e is not None and e.kind in (DOCUMENT, ARRAY) else {}

    def elements(self) -> dict[str, Element]:
        """Those of the main document, the first few hundred."""
        return bson.as_dict(self.data, self._start, self._end)

    def array(self, *names: str) -> Batch | None:
        """The elements of a nested array or document as a batch."""
        e = self.find(*names)
        if e is None or e.kind not in (DOCUMENT, ARRAY):
            return None
        return Batch(self.data, e.start, e.end, True, bson.ends_early(self.data, e.start, e.end))

    def batch(self, name: str) -> Batch | None:
        """The documents that a command brings under `name`, as a sequence or as an array in its body."""
        return self.sequences.get(name) or self.array(name)

    def leaf(self, e: Element | None) -> object:
        return None if e is None else bson.value(self.data, e.kind, e.start, e.end)


def read_body(data: bytes, start: int, end: int) -> Body:
    """The body of the message `data[start:end]`, decompressed when it is compressed; as far as it can be read."""
    if end - start < 16:
        return Body(0, data, True)
    length, _, _, opcode = _HEAD(data, start)
    at = start + 16
    body = Body(opcode, data, length > end - start)
    if opcode == t.OP_COMPRESSED:
        if end - at < 9:
            return body
        opcode, size, compressor = _COMPRESSED(data, at)
        body.packed = (compressor, end - at - 9, size)
        body.opcode, body.data = opcode, b""
        try:
            if body.cut and compressor in t.COMPRESSORS:
                data = body.data = peek(compressor, data[at + 9:end], min(size, MOST_PEEKED))
            else:
                data = body.data = decompress(compressor, data[at + 9:end], size)
        except CannotDecompress as fault:
            body.trouble = str(fault)
            return body
        at, end = 0, len(data)
    reader = _READERS.get(opcode)
    if reader is not None:
        try:
            reader(body, data, at, end)
        except (struct.error, IndexError, ValueError):   # a number or a name that goes beyond the end
            body.trouble = "" if body.cut else "malformed"
    return body


def _msg(body: Body, data: bytes, at: int, end: int) -> None:
    flags, kind, size = _FIRST_SECTION(data, at) if end - at >= 9 else (*_U32(data, at), -1, 0)
    body.flags = flags
    if flags & t.CHECKSUM_PRESENT and not body.cut:
        end -= 4
    at += 4
    sequences: dict[str, Batch] = {}
    while kind >= 0 and size > 0:
        after = at + 1 + size
        if kind == 0:
            if not body._end or size > 5:   # a second body is forbidden
                body.read_main(at + 1, after if after < end else end)
        elif kind == 1:
            zero = data.index(b"\0", at + 5, end)
            sequences[data[at + 5:zero].decode("utf-8", "replace")] = Batch(data, zero + 1, min(after, end), False, after > end)
            body.sequences = sequences
        else:
            return
        at = after
        if at >= end:
            return
        kind, size = _SECTION(data, at)


def _cstring(data: bytes, at: int, end: int) -> tuple[str, int]:
    zero = data.index(b"\0", at, end)
    return data[at:zero].decode("utf-8", "replace"), zero + 1


def _query(body: Body, data: bytes, at: int, end: int) -> None:
    body.flags = int(_U32(data, at)[0])
    body.namespace, at = _cstring(data, at + 4, end)
    body.read_main(at + 8, end)
    first = next(iter(body.starts), b"")
    if first in (b"$query", b"query") and data[at + 12] == DOCUMENT and bson.starts(data, body.starts[first], end):
        body.read_main(body.starts[first], end)


def _reply(body: Body, data: bytes, at: int, end: int) -> None:
    body.flags, body.cursor = int(_U32(data, at)[0]), int(_I64(data, at + 4)[0])
    body.returned = int(_I32(data, at + 16)[0])
    body.read_main(at + 20, end)


def _insert(body: Body, data: bytes, at: int, end: int) -> None:
    body.flags = int(_U32(data, at)[0])
    body.namespace, at = _cstring(data, at + 4, end)
    body.sequences = {"": Batch(data, at, end, False, body.cut)}


def _change(body: Body, data: bytes, at: int, end: int) -> None:
    body.namespace, at = _cstring(data, at + 4, end)
    body.flags = int(_U32(data, at)[0])
    body.read_main(at + 4, end)


def _get_more(body: Body, data: bytes, at: int, end: int) -> None:
    body.namespace, at = _cstring(data, at + 4, end)
    body.cursor = int(_I64(data, at + 4)[0])


def _kill(body: Body, data: bytes, at: int, end: int) -> None:
    body.returned = int(_I32(data, at + 4)[0])


def _command(body: Body, data: bytes, at: int, end: int) -> None:
    database, at = _cstring(data, at, end)
    name, at = _cstring(data, at, end)
    body.namespace = f"{database}.$cmd {name}"
    body.read_main(at + int(_I32(data, at)[0]), end)


def _command_reply(body: Body, data: bytes, at: int, end: int) -> None:
    body.read_main(at + int(_I32(data, at)[0]), end)


_READERS = {
    t.OP_MSG: _msg, t.OP_QUERY: _query, t.OP_REPLY: _reply, t.OP_INSERT: _insert, t.OP_UPDATE: _change, t.OP_DELETE: _change,
    t.OP_GET_MORE: _get_more, t.OP_KILL_CURSORS: _kill, t.OP_COMMAND: _command, t.OP_COMMANDREPLY: _command_reply,
}
