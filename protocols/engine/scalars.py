"""The leaves of layouts: numbers, flags, byte strings, text.

Each compiles to a closure `(source, at, end, out) -> position after`, which appends one `Field` to `out`. A leaf that runs
out of bytes raises `Short`; of a message that its stream cut off (`Source.cut`) it first keeps the bytes that are there.
"""
from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Protocol

from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec


class Malformed(Exception):
    """Bytes at `at` that do not fit the layout."""

    def __init__(self, at: int, why: str) -> None:
        super().__init__(f"malformed at byte {at}: {why}")
        self.at = at
        self.why = why


class Short(Malformed):
    """The layout asks for `wanted` bytes at `at`, and `had` are there."""

    def __init__(self, at: int, wanted: int, had: int) -> None:
        super().__init__(at, f"wanted {wanted} {'byte' if wanted == 1 else 'bytes'}, had {max(0, had)}")
        self.wanted = wanted
        self.had = had


class Source:
    """What a reader reads from: `data`, the index of its byte view, whether its end is a cut, and the decoder's own context."""

    __slots__ = ("context", "cut", "data", "view")

    def __init__(self, data: bytes, view: int = 0, cut: bool = False, context: Any = None) -> None:
        self.data = data
        self.view = view
        self.cut = cut
        self.context = context


Reader = Callable[[Source, int, int, list[Field]], int]


class Type(Protocol):
    """A part of a layout: compiles to a reader for one spec, and names the specs that it can yield beside it.

    `least` is the fewest bytes that it can take: a count of more elements than fit is refused before reading them.
    """

    least: int

    def reader(self, spec: Spec) -> Reader: ...

    def specs(self, spec: Spec) -> Iterator[Spec]: ...


class Prefix(Protocol):
    """A number that can stand before something as its length: reads to (value, position after it)."""

    least: int

    def take(self, source: Source, at: int, end: int, out: list[Field]) -> tuple[int, int]: ...


def short(source: Source, at: int, wanted: int, end: int, out: list[Field]) -> Short:
    """The fault "wanted more than is there"; of a cut message the bytes that are there are kept."""
    if source.cut and end > at:
        out.append(f.raw(source.data, at, end, source.view))
    return Short(at, wanted, end - at)


class Leaf:
    """A type that yields one field."""

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec


class Number(Leaf):
    """A fixed-size number that `struct` knows. `scale` multiplies it: 1,000,000 makes wire milliseconds the nanoseconds of type time."""

    def __init__(self, code: str, order: str = ">", scale: int = 1) -> None:
        self.code = code
        self.order = order
        self.scale = scale
        self.unpack = struct.Struct(order + code).unpack_from
        self.least = struct.calcsize(order + code)

    def take(self, source: Source, at: int, end: int, out: list[Field]) -> tuple[Any, int]:
        after = at + self.least
        if after > end:
            raise short(source, at, self.least, end, out)
        value = self.unpack(source.data, at)[0]
        return value if self.scale == 1 else value * self.scale, after

    def reader(self, spec: Spec) -> Reader:
        return numbers([(spec, self)])


def numbers(parts: Sequence[tuple[Spec, Number]]) -> Reader:
    """The reader of numbers that stand side by side in one byte order: one unpack for all."""
    whole = struct.Struct(parts[0][1].order + "".join(kind.code for _, kind in parts))
    size, unpack = whole.size, whole.unpack_from
    plan, offset = [], 0
    for spec, kind in parts:
        plan.append((spec, offset, kind.least, kind.scale))
        offset += kind.least
    scaled = any(kind.scale != 1 for _, kind in parts)
    plain = [part[:3] for part in plan]

    def read_numbers(source: Source, at: int, end: int, out: list[Field]) -> int:
        view, append = source.view, out.append
        if end - at < size:
            for (spec, kind), (_, before, length, _) in zip(parts, plan, strict=True):
                append(Field(spec, kind.take(source, at + before, end, out)[0], at + before, length, view))
        if scaled:
            for (spec, before, length, scale), value in zip(plan, unpack(source.data, at), strict=True):
                append(Field(spec, value * scale, at + before, length, view))
            return at + size
        for (spec, before, length), value in zip(plain, unpack(source.data, at), strict=True):
            append(Field(spec, value, at + before, length, view))
        return at + size
    return read_numbers


def taken(kind: Prefix, spec: Spec) -> Reader:
    """The reader of a number whose size `struct` does not know."""
    def read_taken(source: Source, at: int, end: int, out: list[Field]) -> int:
        value, after = kind.take(source, at, end, out)
        out.append(Field(spec, value, at, after - at, source.view))
        return after
    return read_taken


class Wide(Leaf):
    """An unsigned number of a size in bytes that `struct` does not know (3 or 16). `order` is > or <."""

    def __init__(self, size: int, order: str = ">") -> None:
        self.least = size
        self.order = order

    def take(self, source: Source, at: int, end: int, out: list[Field]) -> tuple[int, int]:
        after = at + self.least
        if after > end:
            raise short(source, at, self.least, end, out)
        return int.from_bytes(source.data[at:after], "little" if self.order == "<" else "big"), after

    def reader(self, spec: Spec) -> Reader:
        return taken(self, spec)


class Varint(Leaf):
    """A base-128 number of `size` bits, least significant group first; `zigzag` makes it signed."""

    least = 1

    def __init__(self, zigzag: bool = False, size: int = 32) -> None:
        self.zigzag = zigzag
        self.size = size

    def take(self, source: Source, at: int, end: int, out: list[Field]) -> tuple[int, int]:
        data, value, shift, now = source.data, 0, 0, at
        while now < end:
            byte = data[now]
            now += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >> self.size:
                    raise Malformed(at, f"a varint of more than {self.size} bits")
                return (value >> 1 ^ -(value & 1)) if self.zigzag else value, now
            shift += 7
            if shift >= self.size:
                raise Malformed(at, f"a varint of more than {self.size} bits")
        raise short(source, at, now - at + 1, end, out)

    def reader(self, spec: Spec) -> Reader:
        return taken(self, spec)


class Bool(Leaf):
    """One byte, true when not 0; the line says so when it is neither 0 nor 1."""

    least = 1

    def reader(self, spec: Spec) -> Reader:
        def read_bool(source: Source, at: int, end: int, out: list[Field]) -> int:
            if at >= end:
                raise Short(at, 1, 0)
            byte = source.data[at]
            out.append(Field(spec, byte != 0, at, 1, source.view, (), None if byte < 2 else f"{spec.label}: True (as byte {byte}, neither 0 nor 1)"))
            return at + 1
        return read_bool


class Flags:
    """A number with named bits below it: `bits` are specs with a mask; those of type bool are true or false."""

    def __init__(self, kind: Number | Wide, bits: Sequence[Spec]) -> None:
        self.kind = kind
        self.bits = tuple((spec, spec.mask, (spec.mask & -spec.mask).bit_length() - 1) for spec in bits)
        self.least = kind.least

    def reader(self, spec: Spec) -> Reader:
        take, bits = self.kind.take, self.bits

        def read_flags(source: Source, at: int, end: int, out: list[Field]) -> int:
            value, after = take(source, at, end, out)
            view = source.view

            def named() -> list[Field]:
                found = ((one, (value & mask) >> shift) for one, mask, shift in bits)
                return [Field(one, bool(part) if one.type == "bool" else part, at, after - at, view) for one, part in found]
            out.append(Field(spec, value, at, after - at, view, named))
            return after
        return read_flags

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec
        for one, _, _ in self.bits:
            yield one


I8, U8 = Number("b"), Number("B")
I16, U16, I32, U32, I64, U64, F32, F64 = (Number(c) for c in "hHiIqQfd")
I16LE, U16LE, I32LE, U32LE, I64LE, U64LE, F32LE, F64LE = (Number(c, "<") for c in "hHiIqQfd")
MILLIS, MILLISLE, MICROSLE = Number("q", ">", 1_000_000), Number("q", "<", 1_000_000), Number("Q", "<", 1_000)
U24, U24LE, U128LE = Wide(3), Wide(3, "<"), Wide(16, "<")


class Bytes(Leaf):
    """`count` bytes."""

    def __init__(self, count: int) -> None:
        self.least = count

    def reader(self, spec: Spec) -> Reader:
        count = self.least

        def read_bytes(source: Source, at: int, end: int, out: list[Field]) -> int:
            if end - at < count:
                raise short(source, at, count, end, out)
            out.append(Field(spec, source.data[at:at + count], at, count, source.view))
            return at + count
        return read_bytes


class Blob:
    """A length and that many bytes. A length of `null` is no value at all; `less` is taken off the number on the wire."""

    def __init__(self, prefix: Prefix, null: int | None = -1, less: int = 0) -> None:
        self.prefix = prefix
        self.null = null
        self.less = less
        self.least = prefix.least

    def value(self, data: bytes) -> Any:
        return data

    def reader(self, spec: Spec) -> Reader:
        prefix, take, null, less, value = self.prefix, self.prefix.take, self.null, self.less, self.value
        unpack = prefix.unpack if isinstance(prefix, Number) else None
        width = prefix.least

        def read_blob(source: Source, at: int, end: int, out: list[Field]) -> int:
            data = source.data
            start = at + width
            if unpack is None or start > end:
                count, start = take(source, at, end, out)
            else:
                count = unpack(data, at)[0]
            count -= less
            after = start + count
            if count < 0:
                if count != null:
                    raise Malformed(at, f"a length of {count}")
                out.append(Field(spec, None, start, 0, source.view, start - at))
                return start
            if after > end:
                length = Field(spec.length, count, at, start - at, source.view)
                out.append(Field(spec, value(data[start:end]), start, end - start, source.view, [length]) if source.cut else length)
                raise Short(start, count, end - start)
            out.append(Field(spec, value(data[start:after]), start, count, source.view, start - at))
            return after
        return read_blob

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec
        yield spec.length


class Text(Blob):
    """A length in bytes and that many bytes of UTF-8."""

    def value(self, data: bytes) -> Any:
        return str(data, "utf-8", "replace")


class Secret(Blob):
    """A length and that many bytes which are not shown: the value says how many there are, the range stays. `shown` lifts the mask,
    for the whole program."""

    shown: ClassVar[bool] = False

    def value(self, data: bytes) -> Any:
        if Secret.shown:
            text = str(data, "utf-8", "replace")
            return data if "\ufffd" in text else text
        return f"(masked, {len(data)} {'byte' if len(data) == 1 else 'bytes'})"


class CString(Leaf):
    """UTF-8 up to a zero byte, which belongs to the field but not to its value."""

    least = 1

    def reader(self, spec: Spec) -> Reader:
        def read_cstring(source: Source, at: int, end: int, out: list[Field]) -> int:
            stop = source.data.find(b"\0", at, end)
            if stop < 0:
                raise short(source, at, max(0, end - at) + 1, end, out)
            out.append(Field(spec, str(source.data[at:stop], "utf-8", "replace"), at, stop + 1 - at, source.view))
            return stop + 1
        return read_cstring


class Rest(Leaf):
    """All that is left; nothing when nothing is left. `text` reads it as UTF-8."""

    least = 0

    def __init__(self, text: bool = False) -> None:
        self.text = text

    def reader(self, spec: Spec) -> Reader:
        def read_rest(source: Source, at: int, end: int, out: list[Field]) -> int:
            if at < end:
                data = source.data[at:end]
                out.append(Field(spec, str(data, "utf-8", "replace") if self.text else data, at, end - at, source.view))
            return max(at, end)
        return read_rest
