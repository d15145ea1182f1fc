"""Iggy's own types for the record engine: names that must hold something, numbers that must have a name, typed user headers, verified checksums.

Unlike the engine's lenient ones these refuse what a server would refuse, so that trying the layouts of all generations tells which one wrote the bytes.
Source: Apache Iggy, `core/binary_protocol/src/primitives/`; checksums as recorded from servers 0.5.0 to 0.9.0-edge.5.
"""
from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache

import xxhash

from protocols.engine.fields import Field, Spec, absolute_time
from protocols.engine.scalars import U8, Leaf, Malformed, Reader, Secret, Short, Source, short

__all__ = ["UNKNOWN_SHOWN", "Checksum", "Hidden", "Name", "OneOf", "Reserved", "Typed", "YesNo", "moment", "payload", "sized", "whole"]

SHOWN_TEXT, SHOWN_BYTES, JSON_MOST = 120, 32, 1 << 16
HEADER_KINDS = {
    1: "raw", 2: "string", 3: "bool", 4: "int8", 5: "int16", 6: "int32", 7: "int64", 8: "int128", 9: "uint8", 10: "uint16", 11: "uint32", 12: "uint64",
    13: "uint128", 14: "float32", 15: "float64",
}
SIZES = {3: 1, 4: 1, 5: 2, 6: 4, 7: 8, 8: 16, 9: 1, 10: 2, 11: 4, 12: 8, 13: 16, 14: 4, 15: 8}
"""Bytes of a header value of each kind that has a fixed size."""


def sized(count: int) -> str:
    return "1 byte" if count == 1 else f"{count:,} bytes"


def text_of(data: bytes) -> str | None:
    """`data` as text when it is UTF-8 without control characters but line ends and tabs."""
    try:
        text = str(data, "utf-8")
    except UnicodeDecodeError:
        return None
    return text if all(c.isprintable() or c in "\n\r\t" for c in text) else None


def payload(data: bytes) -> str:
    """A message's payload as JSON, as text, or in hexadecimal, with what it is and how long."""
    if not data:
        return "<empty>"
    head = data[:SHOWN_TEXT * 4]
    text = text_of(head if len(data) == len(head) else str(head, "utf-8", "ignore").encode())
    if text is None:
        return head[:SHOWN_BYTES].hex() + ("…" if len(data) > SHOWN_BYTES else "") + f" ({sized(len(data))})"
    kind = "text"
    if text[:1] in "{[" and len(data) <= JSON_MOST:
        try:
            json.loads(data)
            kind = "JSON"
        except (ValueError, RecursionError):
            pass
    return (text if len(text) <= SHOWN_TEXT else text[:SHOWN_TEXT] + "…") + f" ({kind}, {sized(len(data))})"


def brief(data: bytes) -> str:
    """The beginning of a payload for a title."""
    text = text_of(data[:48]) if len(data) <= 48 else text_of(str(data[:48], "utf-8", "ignore").encode())
    return f'"{text[:40]}{"…" if len(text) > 40 or len(data) > 48 else ""}"' if text else data[:12].hex() + ("…" if len(data) > 12 else "")


def whole(name: str, label: str, about: str = "") -> Spec:
    """The spec of a group that a length in bytes stands before."""
    return Spec(name, label, about=about, _length=[Spec(f"{name}_len", f"{label} length", "int64")])


def moment(nanoseconds: int) -> str:
    """A time; producers leave those to the server that they do not know."""
    return absolute_time(nanoseconds) if nanoseconds else "not filled in (0)"


class Hidden(Leaf):
    """`count` secret bytes, masked as `Secret` masks."""

    def __init__(self, count: int) -> None:
        self.least = count

    def reader(self, spec: Spec) -> Reader:
        count, masked = self.least, Secret(U8).value

        def read_hidden(source: Source, at: int, end: int, out: list[Field]) -> int:
            have = min(count, end - at)
            if have:
                out.append(Field(spec, masked(source.data[at:at + have]), at, have, source.view))
            if have < count:
                raise Short(at + have, count - have, 0)
            return at + count
        return read_hidden


UNKNOWN_SHOWN = "unknown shown"
"""The context (see `records.read`) in which a number without a name is shown as unknown: a newer server may have a name for it."""


class OneOf(Leaf):
    """One byte whose value is among `names`. Another one refuses the layout, so that trying the layouts tells which one wrote the bytes; in the
    context UNKNOWN_SHOWN it is shown by its number."""

    least = 1

    def __init__(self, names: Mapping[int, str]) -> None:
        self.names = names

    def reader(self, spec: Spec) -> Reader:
        names = self.names

        def read_one(source: Source, at: int, end: int, out: list[Field]) -> int:
            if at >= end:
                raise Short(at, 1, 0)
            value = source.data[at]
            if value not in names and source.context != UNKNOWN_SHOWN:
                raise Malformed(at, f"{spec.label} {value} is none of {', '.join(f'{number} {name}' for number, name in names.items())}")
            out.append(Field(spec, value, at, 1, source.view))
            return at + 1
        return read_one


class YesNo(Leaf):
    """One byte, 0 or 1."""

    least = 1

    def reader(self, spec: Spec) -> Reader:
        def read_yes(source: Source, at: int, end: int, out: list[Field]) -> int:
            if at >= end:
                raise Short(at, 1, 0)
            value = source.data[at]
            if value > 1:
                raise Malformed(at, f"{spec.label} is {value}, neither 0 nor 1")
            out.append(Field(spec, value == 1, at, 1, source.view))
            return at + 1
        return read_yes


class Name:
    """A length of one byte, 1 to 255, and that many bytes of UTF-8."""

    least = 2

    def reader(self, spec: Spec) -> Reader:
        def read_name(source: Source, at: int, end: int, out: list[Field]) -> int:
            if at >= end:
                raise Short(at, 1, 0)
            count, start = source.data[at], at + 1
            after = start + count
            if not count:
                raise Malformed(at, f"{spec.label} is empty")
            data = source.data[start:min(after, end)]
            if after > end:
                length = Field(spec.length, count, at, 1, source.view)
                out.append(Field(spec, str(data, "utf-8", "replace"), start, end - start, source.view, [length]) if source.cut else length)
                raise Short(start, count, end - start)
            try:
                value = str(data, "utf-8")
            except UnicodeDecodeError as fault:
                out.append(Field(spec.length, count, at, 1, source.view))
                raise Malformed(start, f"{spec.label} is not UTF-8 (byte {fault.start} of it)") from None
            out.append(Field(spec, value, start, count, source.view, 1))
            return after
        return read_name

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec
        yield spec.length


class Reserved(Leaf):
    """`count` bytes that are 0; others are kept and said."""

    def __init__(self, count: int) -> None:
        self.least = count

    def reader(self, spec: Spec) -> Reader:
        count, zeros = self.least, bytes(self.least)

        def read_reserved(source: Source, at: int, end: int, out: list[Field]) -> int:
            if end - at < count:
                raise short(source, at, count, end, out)
            data = source.data[at:at + count]
            text = f"{spec.label}: {sized(count)} of zero" if data == zeros else f"{spec.label}: {data.hex()} (not zero)"
            out.append(Field(spec, data, at, count, source.view, (), text))
            return at + count
        return read_reserved


def typed(kind: int | None, data: bytes) -> tuple[object, str]:
    """A header value by its kind: the value, and the line's text. A value of the wrong size is shown as it is."""
    if kind == 2:
        value = str(data, "utf-8", "replace")
        return value, value
    size = SIZES.get(kind or 0)
    if size is None or size != len(data):
        shown = data[:SHOWN_BYTES].hex() + ("…" if len(data) > SHOWN_BYTES else "")
        wrong = f" ({sized(len(data))}, {HEADER_KINDS[kind]} has {size})" if size is not None and kind is not None else ""
        return shown, shown + wrong
    if kind == 3:
        value = {0: "false", 1: "true"}.get(data[0], f"true (as byte {data[0]})")
    elif kind in (14, 15):
        value = repr(struct.unpack("<f" if kind == 14 else "<d", data)[0])
    else:
        value = str(int.from_bytes(data, "little", signed=kind is not None and kind < 9))
    return value, value


class Typed:
    """A length (u32, 1 to 255) and a value of the kind that the field read before for `kind` names; the field's value is its text."""

    least = 4

    def __init__(self, kind: Spec | None) -> None:
        self.kind = kind

    def reader(self, spec: Spec) -> Reader:
        kind = self.kind

        def read_typed(source: Source, at: int, end: int, out: list[Field]) -> int:
            if end - at < 4:
                raise short(source, at, 4, end, out)
            count, start = int.from_bytes(source.data[at:at + 4], "little"), at + 4
            if not 1 <= count <= 255:
                out.append(Field(spec.length, count, at, 4, source.view))
                raise Malformed(at, f"a length of {count}, outside 1 .. 255")
            if count > end - start:
                out.append(Field(spec.length, count, at, 4, source.view))
                raise short(source, start, count, end, out)
            number = 2 if kind is None else next((one.value for one in reversed(out) if one.spec is kind), None)
            value, text = typed(number, source.data[start:start + count])
            out.append(Field(spec, value, start, count, source.view, 4, f"{spec.label}: {text}"))
            return start + count
        return read_typed

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec
        yield spec.length


def xxh3(data: bytes | memoryview) -> int:
    """XxHash3-64 without a seed."""
    return xxhash.xxh3_64_intdigest(data)


def crc32(data: bytes | memoryview) -> int:
    return zlib.crc32(data)


GOOD, BAD, UNFILLED, UNVERIFIED = 1, 0, 2, 3
STATES = {BAD: "Bad", GOOD: "Good", UNFILLED: "Not filled in", UNVERIFIED: "Unverified"}


class Checksum:
    """A little-endian checksum of `size` bytes over what `over(data, at, end)` gives: pairs of an algorithm's name and what it yields, or None when the bytes
    are not all there. The first that agrees names the algorithm. 0 says that the sender leaves the checksum to the server."""

    def __init__(self, size: int, over: Callable[[bytes, int, int], list[tuple[str, int]] | None]) -> None:
        self.least = size
        self.over = over

    def reader(self, spec: Spec) -> Reader:
        size, over = self.least, self.over
        status = status_of(spec)

        def read_checksum(source: Source, at: int, end: int, out: list[Field]) -> int:
            if end - at < size:
                raise short(source, at, size, end, out)
            value = int.from_bytes(source.data[at:at + size], "little")
            state, words = UNFILLED, "not filled in"
            if value:
                computed = over(source.data, at, end)
                state, words = UNVERIFIED, "unverified"
                if computed:
                    name = next((name for name, one in computed if one == value), None)
                    state, words = (GOOD, f"correct, {name}") if name else (BAD, f"incorrect, should be 0x{computed[0][1]:0{size * 2}x} ({computed[0][0]})")
            below = [Field(status, state, at, 0, source.view, (), f"[{status.label}: {STATES[state]}]")]
            out.append(Field(spec, value, at, size, source.view, below, f"{spec.label}: 0x{value:0{size * 2}x} [{words}]"))
            return at + size
        return read_checksum

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec
        yield status_of(spec)


@cache
def status_of(spec: Spec) -> Spec:
    """The spec of the verdict below a checksum."""
    return Spec(f"{spec.name}.status", f"{spec.label} status", "uint8", STATES, about="Whether the checksum is right")
