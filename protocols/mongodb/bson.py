"""BSON documents, element by element, with the place of every byte.

`scan` steps over one document without looking into values, which is all that headers and summaries need; nested documents are
stepped over by their length. `document` makes the tree from it, a nested document's part when somebody opens it.

Source: BSON specification 1.1 and the corpus in the MongoDB specifications. All numbers are little endian but ObjectId's.
"""
from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from protocols.fields import absolute_time
from protocols.mongodb.decimal128 import decimal128
from protocols.scalars import Malformed

__all__ = ["ARRAY", "BINARY_SUBTYPES", "DEEPEST", "DOCUMENT", "FIXED", "TYPES", "Element", "as_dict", "one_line", "scan", "value"]

DEEPEST = 200
DOCUMENT, ARRAY = 0x03, 0x04
TYPES = {
    0x01: "double", 0x02: "string", 0x03: "document", 0x04: "array", 0x05: "binary", 0x06: "undefined", 0x07: "objectId", 0x08: "bool", 0x09: "date",
    0x0A: "null", 0x0B: "regex", 0x0C: "dbPointer", 0x0D: "javascript", 0x0E: "symbol", 0x0F: "javascriptWithScope", 0x10: "int32", 0x11: "timestamp",
    0x12: "int64", 0x13: "decimal128", 0x7F: "maxKey", 0xFF: "minKey",
}
BINARY_SUBTYPES = {
    0: "generic", 1: "function", 2: "binary (old)", 3: "UUID (old)", 4: "UUID", 5: "MD5", 6: "encrypted", 7: "compressed column", 8: "sensitive", 9: "vector",
}
FIXED = {0x01: 8, 0x06: 0, 0x07: 12, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16, 0x7F: 0, 0xFF: 0}
STRINGS = (0x02, 0x0D, 0x0E)
_I32 = struct.Struct("<i").unpack_from
_I64 = struct.Struct("<q").unpack_from
_F64 = struct.Struct("<d").unpack_from


class Element(NamedTuple):
    """`kind` is the type byte, at `at`; the name ends before `start`; the value is `data[start:end]`."""

    kind: int
    name: str
    at: int
    start: int
    end: int


def bounds(data: bytes, at: int, end: int) -> int:
    """Where the document at `at` ends. Raises Malformed when its length cannot be."""
    if end - at < 5:
        raise Malformed(at, f"a document of at least 5 bytes, had {max(0, end - at)}")
    length = int(_I32(data, at)[0])
    if length < 5:
        raise Malformed(at, f"a document length of {length}")
    if length > end - at:
        raise Malformed(at, f"a document of {length} bytes, had {end - at}")
    return at + length


def scan(data: bytes, at: int, end: int) -> Iterator[Element]:
    """The elements of the document that starts at `at` and must end before `end`. Raises Malformed at the first that does not fit."""
    stop = bounds(data, at, end) - 1
    now = at + 4
    while now < stop:
        kind = data[now]
        zero = data.find(b"\0", now + 1, stop)
        if zero < 0:
            raise Malformed(now + 1, "an element's name does not end")
        start = zero + 1
        after = start + _size(data, kind, start, stop, now)
        if after > stop:
            raise Malformed(start, f"wanted {after - start} bytes, had {stop - start}")
        yield Element(kind, data[now + 1:zero].decode("utf-8", "replace"), now, start, after)
        now = after
    if data[stop] != 0:
        raise Malformed(stop, "a document that does not end with a zero byte")


def _size(data: bytes, kind: int, at: int, stop: int, type_at: int) -> int:
    """The bytes of a value of type `kind` at `at`."""
    fixed = FIXED.get(kind)
    if fixed is not None:
        return fixed
    if kind == 0x0B:
        first = data.find(b"\0", at, stop)
        second = data.find(b"\0", first + 1, stop) if first >= 0 else -1
        if second < 0:
            raise Malformed(at, "a regular expression does not end")
        return second + 1 - at
    if kind not in TYPES:
        raise Malformed(type_at, f"unknown element type 0x{kind:02x}")
    if stop - at < 4:
        raise Malformed(at, f"wanted 4 bytes, had {stop - at}")
    length = int(_I32(data, at)[0])
    if kind in STRINGS or kind == 0x0C:
        if length < 1 or at + 4 + length > stop or data[at + 3 + length] != 0:
            raise Malformed(at, f"a string length of {length}")
        return 4 + length + (12 if kind == 0x0C else 0)
    if kind == 0x05:
        if length < 0:
            raise Malformed(at, f"a binary length of {length}")
        return 5 + length
    if length < (5 if kind in (DOCUMENT, ARRAY) else 14):
        raise Malformed(at, f"a length of {length}")
    return length


def string(data: bytes, at: int) -> str:
    """The string whose length stands at `at`."""
    return data[at + 4:at + 3 + int(_I32(data, at)[0])].decode("utf-8", "replace")


def value(data: bytes, kind: int, at: int, end: int) -> Any:
    """A leaf's value: dates in nanoseconds since 1970, timestamps as (seconds, increment), ObjectIds as hex; None for what holds others."""
    match kind:
        case 0x01:
            return _F64(data, at)[0]
        case 0x02 | 0x0D | 0x0E:
            return string(data, at)
        case 0x05:
            return data[at + 5:end]
        case 0x07:
            return data[at:at + 12].hex()
        case 0x08:
            return data[at] != 0
        case 0x09:
            return int(_I64(data, at)[0]) * 1_000_000
        case 0x0B:
            pattern, options = data[at:end - 1].split(b"\0", 1)
            return f"/{pattern.decode('utf-8', 'replace')}/{options.decode('utf-8', 'replace')}"
        case 0x0C:
            return f"{string(data, at)} {data[end - 12:end].hex()}"
        case 0x0F:
            return string(data, at + 4)
        case 0x10:
            return _I32(data, at)[0]
        case 0x11:
            increment, seconds = struct.unpack_from("<II", data, at)
            return (seconds, increment)
        case 0x12:
            return _I64(data, at)[0]
        case 0x13:
            return decimal128(data[at:at + 16])
        case 0x06:
            return "undefined"
        case 0x7F:
            return "maxKey"
        case 0xFF:
            return "minKey"
    return None


def as_dict(data: bytes, at: int, end: int) -> dict[str, Element]:
    """The top elements by name, the first of a name; as far as the document is well."""
    found: dict[str, Element] = {}
    try:
        for element in scan(data, at, end):
            found.setdefault(element.name, element)
    except Malformed:
        pass
    return found


def one_line(data: bytes, element: Element, room: int = 60) -> str:
    """A value as relaxed extended JSON, shortened to about `room` characters; a nested document is read only as far as it is shown."""
    text = _line(data, element.kind, element.start, element.end, room, 0)
    return text if len(text) <= room else text[:room - 1] + "…"


def _line(data: bytes, kind: int, at: int, end: int, room: int, depth: int) -> str:
    if kind in (DOCUMENT, ARRAY):
        opening, closing = "{}" if kind == DOCUMENT else "[]"
        if depth >= 8:
            return f"{opening}…{closing}"
        parts: list[str] = []
        used = 2
        try:
            for element in scan(data, at, end):
                if used > room:
                    parts.append("…")
                    break
                inner = _line(data, element.kind, element.start, element.end, room - used, depth + 1)
                if len(inner) > room:
                    inner = inner[:room] + "…"
                parts.append(f"{element.name}: {inner}" if kind == DOCUMENT else inner)
                used += len(parts[-1]) + 2
        except Malformed:
            parts.append("(malformed)")
        return opening + ", ".join(parts) + closing
    return shown(kind, value(data, kind, at, end), data[at + 4] if kind == 0x05 else 0)


def shown(kind: int, leaf: Any, subtype: int = 0) -> str:
    """A leaf as relaxed extended JSON writes it, or shorter where that is plain."""
    match kind:
        case 0x02 | 0x0E:
            return f'"{leaf}"' if len(leaf) <= 512 else f'"{leaf[:512]}…"'
        case 0x05:
            if subtype in (3, 4) and len(leaf) == 16:
                h = leaf.hex()
                return f'UUID("{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}")'
            return f"Binary({BINARY_SUBTYPES.get(subtype, f'user {subtype}' if subtype >= 128 else f'subtype {subtype}')}, {len(leaf)} bytes)"
        case 0x07:
            return f'ObjectId("{leaf}")'
        case 0x08:
            return "true" if leaf else "false"
        case 0x09:
            return absolute_time(leaf).replace(" UTC", "Z").replace(" ", "T").replace("000000Z", "Z")
        case 0x0A:
            return "null"
        case 0x11:
            return f"Timestamp({leaf[0]}, {leaf[1]})"
        case 0x0D | 0x0F:
            return f"Code({leaf[:200]})"
        case 0x13:
            return f"Decimal128({leaf})"
    return str(leaf)
