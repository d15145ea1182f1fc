"""BSON documents, element by element, with the place of every byte.

`scan` steps over one document without looking into values, which is all that headers and summaries need; nested documents are
stepped over by their length. `document` makes the tree from it, a nested document's part when somebody opens it.

Source: BSON specification 1.1 and the corpus in the MongoDB specifications. All numbers are little endian but ObjectId's.
"""
from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from protocols.engine.scalars import Malformed
from protocols.mongodb.decimal128 import decimal128

__all__ = [
    "ARRAY", "BINARY_SUBTYPES", "DEEPEST", "DOCUMENT", "LARGEST", "SIZES", "TYPES", "Element", "Hide", "as_dict", "bounds", "count", "ends_early",
    "iso_time", "one_line", "scan", "scoped", "shown", "size_of", "starts", "string", "value",
]

DEEPEST = 200
LARGEST = 16 * 1024 * 1024 + 16 * 1024
"""Bytes that a document may have: 16 MiB, and what the server adds for itself."""
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
SIZES = [FIXED.get(kind, -1) for kind in range(256)]
"""Bytes of a value by its type byte; -1 where the value tells."""
STRINGS = (0x02, 0x0D, 0x0E)
MOST = 500
"""Elements of a document that are looked at for one by its name."""
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


def scan(data: bytes, at: int, end: int, partial: bool = False) -> Iterator[Element]:
    """The elements of the document that starts at `at` and must end before `end`. Raises Malformed at the first that does not fit. `partial`
    reads what is whole in a document that is cut off at `end`."""
    cut = partial and ends_early(data, at, end)
    stop = end if cut else bounds(data, at, end) - 1
    now = at + 4
    while now < stop:
        kind = data[now]
        zero = data.find(b"\0", now + 1, stop)
        start = zero + 1
        try:
            if zero < 0:
                raise Malformed(now + 1, "an element's name does not end")
            after = start + size_of(data, kind, start, stop, now)
            if after > stop:
                raise Malformed(start, f"wanted {after - start} bytes, had {stop - start}")
        except Malformed:
            if cut and kind in TYPES:
                return
            raise
        yield Element(kind, data[now + 1:zero].decode("utf-8", "replace"), now, start, after)
        now = after
    if not cut and data[stop] != 0:
        raise Malformed(stop, "a document that does not end with a zero byte")


def size_of(data: bytes, kind: int, at: int, stop: int, type_at: int) -> int:
    """The bytes of a value of type `kind` at `at`. Of a string it is sure that they end before `stop`."""
    if SIZES[kind] >= 0:
        return SIZES[kind]
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
    """The string whose length stands at `at`; what is no UTF-8 is replaced."""
    return data[at + 4:at + 3 + _I32(data, at)[0]].decode("utf-8", "replace")


def scoped(data: bytes, at: int, end: int) -> tuple[str, int | None]:
    """JavaScript with scope: its code, and where the scope starts; None when the code's length cannot be."""
    length = int(_I32(data, at + 4)[0])
    scope = at + 8 + length
    return (string(data, at + 4), scope) if length >= 1 and scope + 5 <= end else ("", None)


def iso_time(milliseconds: int) -> str:
    """Milliseconds since 1970 as ISO 8601 in UTC; without a fraction where it is zero, as the number where no calendar holds it."""
    try:
        moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=milliseconds // 1000)
    except OverflowError:
        return f"{milliseconds} ms"
    fraction = f".{milliseconds % 1000:03d}" if milliseconds % 1000 else ""
    return f"{moment.replace(tzinfo=None).isoformat()}{fraction}Z"


def _regex(data: bytes, at: int, end: int) -> str:
    pattern, options = data[at:end - 1].split(b"\0", 1)
    return f"/{pattern.decode('utf-8', 'replace')}/{options.decode('utf-8', 'replace')}"


def _timestamp(data: bytes, at: int, end: int) -> tuple[int, int]:
    increment, seconds = struct.unpack_from("<II", data, at)
    return seconds, increment


_VALUES: dict[int, Callable[[bytes, int, int], Any]] = {
    0x01: lambda data, at, end: _F64(data, at)[0],
    0x02: lambda data, at, end: string(data, at),
    0x05: lambda data, at, end: data[at + 5:end],
    0x06: lambda data, at, end: "undefined",
    0x07: lambda data, at, end: data[at:at + 12].hex(),
    0x08: lambda data, at, end: data[at] != 0,
    0x09: lambda data, at, end: _I64(data, at)[0] * 1_000_000,
    0x0B: _regex,
    0x0C: lambda data, at, end: f"{string(data, at)} {data[end - 12:end].hex()}",
    0x0D: lambda data, at, end: string(data, at),
    0x0E: lambda data, at, end: string(data, at),
    0x0F: lambda data, at, end: scoped(data, at, end)[0],
    0x10: lambda data, at, end: _I32(data, at)[0],
    0x11: _timestamp,
    0x12: lambda data, at, end: _I64(data, at)[0],
    0x13: lambda data, at, end: decimal128(data[at:at + 16]),
    0x7F: lambda data, at, end: "maxKey",
    0xFF: lambda data, at, end: "minKey",
}


def value(data: bytes, kind: int, at: int, end: int) -> Any:
    """A leaf's value: dates in nanoseconds since 1970, timestamps as (seconds, increment), ObjectIds as hex; None for what holds others."""
    read = _VALUES.get(kind)
    return read(data, at, end) if read is not None else None


def starts(data: bytes, at: int, end: int, most: int = MOST) -> dict[bytes, int]:
    """Where the values of the top elements start, by name as on the wire (its type byte stands len(name) + 2 before), the first of a name, as far
    as the document is well and there; of the first `most` elements, so that a large document costs no more. Where the document is cut off,
    the last one is the document or array that the cut goes through. The hot loop of a message's words: a value is stepped over by its length."""
    found: dict[bytes, int] = {}
    if end - at < 5:
        return found
    length = _I32(data, at)[0]
    cut = length > end - at
    stop = end if cut else at + length - 1
    now, find = at + 4, data.find
    for _ in range(most):
        if now >= stop:
            break
        zero = find(b"\0", now + 1, stop)
        if zero < 0:
            break
        kind, start = data[now], zero + 1
        size = SIZES[kind]
        if size < 0:
            if kind == 0x02 and start + 4 < stop:   # strings and documents without a call, as these are most
                size = _I32(data, start)[0] + 4
                if size < 5 or start + size > stop or data[start + size - 1]:
                    break
            elif kind in (DOCUMENT, ARRAY) and start + 4 < stop:
                size = _I32(data, start)[0]
                if size < 5:
                    break
            else:
                try:
                    size = size_of(data, kind, start, stop, now)
                except Malformed:
                    break
        name = data[now + 1:zero]
        now = start + size
        if now > stop and not (cut and kind in (DOCUMENT, ARRAY)):
            break
        if name not in found:
            found[name] = start
    return found


def as_dict(data: bytes, at: int, end: int, most: int = MOST) -> dict[str, Element]:
    """The elements that `starts` finds, by name."""
    found: dict[str, Element] = {}
    for key, start in starts(data, at, end, most).items():
        name, type_at = key.decode("utf-8", "replace"), start - len(key) - 2
        kind = data[type_at]
        found.setdefault(name, Element(kind, name, type_at, start, min(start + size_of(data, kind, start, end, type_at), end)))
    return found


def ends_early(data: bytes, at: int, end: int) -> bool:
    """Whether the document `data[at:end]` declares more than is there."""
    return end - at < 4 or int(_I32(data, at)[0]) > end - at


def count(data: bytes, at: int, end: int, most: int) -> int:
    """How many elements the document has, as far as it is well and there; `most` where it has as many or more."""
    number, now, find = 0, at + 4, data.find
    if end - at < 5:
        return 0
    stop = end - (int(_I32(data, at)[0]) <= end - at)
    try:
        while now < stop and number < most:
            start = find(0, now + 1, stop) + 1
            if not start:
                break
            kind = data[now]
            size = SIZES[kind]
            if size < 0:
                size = int(_I32(data, start)[0]) if kind in (DOCUMENT, ARRAY) else size_of(data, kind, start, stop, now)
                if size < 2:
                    break
            if start + size > stop:
                break
            now = start + size
            number += 1
    except (Malformed, struct.error):
        pass
    return number


Hide = Callable[[bytes, Element], str | None]
"""What stands in place of a value that must not be shown; None for one that may."""


def one_line(data: bytes, element: Element, room: int = 60, hide: Hide | None = None) -> str:
    """A value as relaxed extended JSON, shortened to about `room` characters; a nested document is read only as far as it is shown."""
    text = hide(data, element) if hide else None
    if text is None:
        text = _line(data, element.kind, element.start, element.end, room, 0, hide)
    return text if len(text) <= room else text[:room - 1] + "…"


def _line(data: bytes, kind: int, at: int, end: int, room: int, depth: int, hide: Hide | None) -> str:
    if kind in (DOCUMENT, ARRAY):
        opening, closing = "{}" if kind == DOCUMENT else "[]"
        if depth >= 8:
            return f"{opening}…{closing}"
        parts: list[str] = []
        used = 2
        try:
            for element in scan(data, at, end, True):
                if used > room:
                    parts.append("…")
                    break
                inner = hide(data, element) if hide else None
                if inner is None:
                    inner = _line(data, element.kind, element.start, element.end, room - used, depth + 1, hide)
                if len(inner) > room:
                    inner = inner[:room] + "…"
                parts.append(f"{element.name}: {inner}" if kind == DOCUMENT else inner)
                used += len(parts[-1]) + 2
            else:
                if ends_early(data, at, end):
                    parts.append("…")
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
            return iso_time(leaf // 1_000_000)
        case 0x0A:
            return "null"
        case 0x11:
            return f"Timestamp({leaf[0]}, {leaf[1]})"
        case 0x0D | 0x0F:
            return f"Code({leaf[:200]})"
        case 0x13:
            return f"Decimal128({leaf})"
    return str(leaf)
