"""The record engine: layouts as data -> readers that yield fields with byte ranges.

A layout is a tuple of `(Spec, Type)` pairs written in the protocol's own terms. Compiling it makes one closure a type;
neighbouring fixed-size numbers are unpacked together. A reader appends `Field`s to a list and returns the position after
them; groups are attached before their content is read, so whatever was read before a fault stays in the tree.

A reader that runs out of bytes raises `Short`; `read` turns that into a "malformed at byte n" node, or, when the message
was cut off by its stream (`cut`), keeps the part of the last field that is there and adds a `pv.incomplete` node.

    >>> ACL = Layout(Spec("zookeeper.acl", "ACL"), ((PERMS, I32), (SCHEME, Text(I32)), (ID, Text(I32))))
    >>> fields = read(ACL, data, start, end)
"""
from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from protocols import fields as f
from protocols.fields import Field, Spec

__all__ = [
    "F32", "F32LE", "F64", "F64LE", "I8", "I16", "I16LE", "I32", "I32LE", "I64", "I64LE", "U8", "U16", "U16LE", "U24", "U32", "U32LE", "U64", "U64LE", "U128LE",
    "Array", "Blob", "Bool", "Bytes", "CString", "Custom", "Each", "IfMore", "Layout", "Limited", "Malformed", "Number", "Rest", "Short",
    "Source", "Switch", "Text", "Type", "Varint", "When", "parse", "read",
]


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
    """A part of a layout: compiles to a reader for one spec, and names the specs that it can yield beside it."""

    least: int

    def reader(self, spec: Spec) -> Reader: ...

    def specs(self, spec: Spec) -> Iterator[Spec]: ...


class Prefix(Protocol):
    """A number that can stand before something as its length: reads to (value, position after it)."""

    least: int

    def take(self, source: Source, at: int, end: int, out: list[Field]) -> tuple[int, int]: ...


def _short(source: Source, at: int, wanted: int, end: int, out: list[Field]) -> Short:
    """The fault "wanted more than is there"; of a cut message the bytes that are there are kept."""
    if source.cut and end > at:
        out.append(f.raw(source.data, at, end, source.view))
    return Short(at, wanted, end - at)


class Number:
    """A fixed-size number that `struct` knows."""

    def __init__(self, code: str, order: str = ">") -> None:
        self.code = code
        self.order = order
        self._struct = struct.Struct(order + code)
        self.least = self._struct.size

    def take(self, source: Source, at: int, end: int, out: list[Field]) -> tuple[int, int]:
        after = at + self.least
        if after > end:
            raise _short(source, at, self.least, end, out)
        return self._struct.unpack_from(source.data, at)[0], after

    def reader(self, spec: Spec) -> Reader:
        return _numbers([(spec, self)])

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec


class Wide:
    """An unsigned number of a size that `struct` does not know (3 or 16 bytes)."""

    def __init__(self, size: int, order: str = "big") -> None:
        self.least = size
        self.order = order

    def take(self, source: Source, at: int, end: int, out: list[Field]) -> tuple[int, int]:
        after = at + self.least
        if after > end:
            raise _short(source, at, self.least, end, out)
        return int.from_bytes(source.data[at:after], "little" if self.order == "little" else "big"), after

    def reader(self, spec: Spec) -> Reader:
        return _taken(self, spec)

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec


class Varint:
    """A base-128 number, least significant group first, of at most `most` bytes; `zigzag` makes it signed."""

    least = 1

    def __init__(self, zigzag: bool = False, most: int = 5) -> None:
        self.zigzag = zigzag
        self.most = most

    def take(self, source: Source, at: int, end: int, out: list[Field]) -> tuple[int, int]:
        value, data = 0, source.data
        for count in range(self.most):
            if at + count >= end:
                raise _short(source, at, count + 1, end, out)
            byte = data[at + count]
            value |= (byte & 0x7F) << 7 * count
            if byte < 0x80:
                return (value >> 1 ^ -(value & 1)) if self.zigzag else value, at + count + 1
        raise Malformed(at, f"a varint of more than {self.most} bytes")

    def reader(self, spec: Spec) -> Reader:
        return _taken(self, spec)

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec


class Bool:
    """One byte, true when not 0."""

    least = 1

    def reader(self, spec: Spec) -> Reader:
        def read_bool(source: Source, at: int, end: int, out: list[Field]) -> int:
            if at >= end:
                raise Short(at, 1, 0)
            out.append(Field(spec, source.data[at] != 0, at, 1, source.view))
            return at + 1
        return read_bool

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec


I8, U8 = Number("b"), Number("B")
I16, U16, I32, U32, I64, U64, F32, F64 = (Number(c) for c in "hHiIqQfd")
I16LE, U16LE, I32LE, U32LE, I64LE, U64LE, F32LE, F64LE = (Number(c, "<") for c in "hHiIqQfd")
U24 = Wide(3)
U128LE = Wide(16, "little")


class Bytes:
    """`count` bytes."""

    def __init__(self, count: int) -> None:
        self.least = count

    def reader(self, spec: Spec) -> Reader:
        count = self.least

        def read_bytes(source: Source, at: int, end: int, out: list[Field]) -> int:
            if end - at < count:
                raise _short(source, at, count, end, out)
            out.append(Field(spec, source.data[at:at + count], at, count, source.view))
            return at + count
        return read_bytes

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec


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
        take, null, less, value = self.prefix.take, self.null, self.less, self.value

        def read_blob(source: Source, at: int, end: int, out: list[Field]) -> int:
            count, start = take(source, at, end, out)
            count -= less
            if count < 0:
                if count != null:
                    raise Malformed(at, f"a length of {count}")
                out.append(Field(spec, None, start, 0, source.view, start - at))
                return start
            after = start + count
            if after > end:
                if source.cut:
                    length = Field(spec.length, count, at, start - at, source.view)
                    out.append(Field(spec, value(source.data[start:end]), start, end - start, source.view, [length]))
                raise Short(start, count, end - start)
            out.append(Field(spec, value(source.data[start:after]), start, count, source.view, start - at))
            return after
        return read_blob

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec
        yield spec.length


class Text(Blob):
    """A length in bytes and that many bytes of UTF-8."""

    def value(self, data: bytes) -> Any:
        return data.decode("utf-8", "replace")


class CString:
    """UTF-8 up to a zero byte, which belongs to the field but not to its value."""

    least = 1

    def reader(self, spec: Spec) -> Reader:
        def read_cstring(source: Source, at: int, end: int, out: list[Field]) -> int:
            stop = source.data.find(b"\0", at, end)
            if stop < 0:
                raise _short(source, at, end - at + 1, end, out)
            out.append(Field(spec, source.data[at:stop].decode("utf-8", "replace"), at, stop + 1 - at, source.view))
            return stop + 1
        return read_cstring

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec


class Rest:
    """All that is left; nothing when nothing is left. `text` reads it as UTF-8."""

    least = 0

    def __init__(self, text: bool = False) -> None:
        self.text = text

    def reader(self, spec: Spec) -> Reader:
        def read_rest(source: Source, at: int, end: int, out: list[Field]) -> int:
            if at < end:
                data = source.data[at:end]
                out.append(Field(spec, data.decode("utf-8", "replace") if self.text else data, at, end - at, source.view))
            return max(at, end)
        return read_rest

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec


class Layout:
    """A record: its parts in order. As a type it yields one group; `title` makes the group's line from its fields.

    Without a `spec` it yields its parts into the group around it.
    """

    def __init__(self, spec: Spec | None, parts: Sequence[tuple[Spec, Type]], title: Callable[[Sequence[Field]], str] | None = None) -> None:
        self.spec = spec
        self.parts = tuple(parts)
        self.title = title
        self.least = sum(kind.least for _, kind in self.parts)
        self._body: Reader | None = None

    def body(self) -> Reader:
        """The reader of the parts alone, compiled on first use."""
        if self._body is None:
            self._body = _sequence(self.parts)
        return self._body

    def reader(self, spec: Spec) -> Reader:
        body = self.body()
        if self.spec is None:
            return body
        return _grouped(spec, body, self.title)

    def specs(self, spec: Spec) -> Iterator[Spec]:
        if self.spec is not None:
            yield spec
        for part, kind in self.parts:
            yield from kind.specs(part)


class Array:
    """A count and that many elements. `item` is the spec of an element."""

    def __init__(self, prefix: Prefix, item: Spec, element: Type, null: int | None = -1, less: int = 0) -> None:
        self.prefix = prefix
        self.item = item
        self.element = element
        self.null = null
        self.less = less
        self.least = prefix.least

    def reader(self, spec: Spec) -> Reader:
        take, null, less, element, least = self.prefix.take, self.null, self.less, self.element.reader(self.item), self.element.least

        def read_array(source: Source, at: int, end: int, out: list[Field]) -> int:
            count, now = take(source, at, end, out)
            count -= less
            children = [Field(spec.length, count, at, now - at, source.view)]
            node = Field(spec, None, at, now - at, source.view, children, f"{spec.label} ({count})" if count >= 0 else f"{spec.label}: <null>")
            out.append(node)
            if count < 0:
                if count != null:
                    raise Malformed(at, f"a count of {count}")
                return now
            if not least and count > end - now:
                raise Malformed(at, f"a count of {count} with {end - now} bytes left")
            try:
                for _ in range(count):
                    now = element(source, now, end, children)
            finally:
                node.length = max(now, children[-1].end) - at
            return now
        return read_array

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec
        yield spec.length
        yield from self.element.specs(self.item)


class Each:
    """Elements up to the end, without a count."""

    least = 0

    def __init__(self, item: Spec, element: Type) -> None:
        self.item = item
        self.element = element

    def reader(self, spec: Spec) -> Reader:
        element = self.element.reader(self.item)

        def read_each(source: Source, at: int, end: int, out: list[Field]) -> int:
            children: list[Field] = []
            node = Field(spec, None, at, 0, source.view, children)
            out.append(node)
            now = at
            try:
                while now < end:
                    after = element(source, now, end, children)
                    if after == now:
                        raise Malformed(now, "an element of no bytes")
                    now = after
            finally:
                node.length = max(now, children[-1].end if children else at) - at
            return now
        return read_each

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec
        yield from self.element.specs(self.item)


class Limited:
    """A length, then `kind` within that many bytes; what it leaves over is malformed."""

    def __init__(self, prefix: Prefix, kind: Type, null: int | None = None, less: int = 0) -> None:
        self.prefix = prefix
        self.kind = kind
        self.null = null
        self.less = less
        self.least = prefix.least

    def reader(self, spec: Spec) -> Reader:
        take, inner, null, less = self.prefix.take, self.kind.reader(spec), self.null, self.less

        def read_limited(source: Source, at: int, end: int, out: list[Field]) -> int:
            count, now = take(source, at, end, out)
            count -= less
            out.append(Field(spec.length, count, at, now - at, source.view))
            if count < 0:
                if count != null:
                    raise Malformed(at, f"a length of {count}")
                return now
            limit = now + count
            if limit > end:
                inner(source, now, end, out)
                raise Short(now, count, end - now)
            now = inner(source, now, limit, out)
            if now != limit:
                raise Malformed(now, f"{limit - now} bytes left over in {spec.label}")
            return now
        return read_limited

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec.length
        yield from self.kind.specs(spec)


class IfMore:
    """`kind` when bytes are left."""

    least = 0

    def __init__(self, kind: Type) -> None:
        self.kind = kind

    def reader(self, spec: Spec) -> Reader:
        inner = self.kind.reader(spec)

        def read_more(source: Source, at: int, end: int, out: list[Field]) -> int:
            return inner(source, at, end, out) if at < end else at
        return read_more

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield from self.kind.specs(spec)


def _before(spec: Spec, out: list[Field]) -> Any:
    """The value that `spec` has among the fields read so far in this record."""
    for one in reversed(out):
        if one.spec is spec:
            return one.value
    return None


class When:
    """`kind` when the value read before for `earlier` passes `test`."""

    least = 0

    def __init__(self, earlier: Spec, test: Callable[[Any], bool], kind: Type) -> None:
        self.earlier = earlier
        self.test = test
        self.kind = kind

    def reader(self, spec: Spec) -> Reader:
        inner, earlier, test = self.kind.reader(spec), self.earlier, self.test

        def read_when(source: Source, at: int, end: int, out: list[Field]) -> int:
            return inner(source, at, end, out) if test(_before(earlier, out)) else at
        return read_when

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield from self.kind.specs(spec)


class Switch:
    """The type that `cases` has for the value read before for `earlier`; `otherwise` for all others."""

    least = 0

    def __init__(self, earlier: Spec, cases: Mapping[Any, Type], otherwise: Type | None = None) -> None:
        self.earlier = earlier
        self.cases = cases
        self.otherwise = otherwise

    def reader(self, spec: Spec) -> Reader:
        earlier = self.earlier
        readers = {value: kind.reader(spec) for value, kind in self.cases.items()}
        rest = self.otherwise.reader(spec) if self.otherwise else None

        def read_switch(source: Source, at: int, end: int, out: list[Field]) -> int:
            inner = readers.get(_before(earlier, out), rest)
            return inner(source, at, end, out) if inner else at
        return read_switch

    def specs(self, spec: Spec) -> Iterator[Spec]:
        for kind in self.cases.values():
            yield from kind.specs(spec)
        if self.otherwise:
            yield from self.otherwise.specs(spec)


class Custom:
    """What no table can say: `make(spec)` gives the reader. `also` names further specs that it yields."""

    def __init__(self, make: Callable[[Spec], Reader], also: Sequence[Spec] = (), least: int = 0) -> None:
        self.make = make
        self.also = also
        self.least = least

    def reader(self, spec: Spec) -> Reader:
        return self.make(spec)

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec
        yield from self.also


def _taken(kind: Any, spec: Spec) -> Reader:
    """The reader of a number whose size `struct` does not know."""
    def read_taken(source: Source, at: int, end: int, out: list[Field]) -> int:
        value, after = kind.take(source, at, end, out)
        out.append(Field(spec, value, at, after - at, source.view))
        return int(after)
    return read_taken


def _numbers(parts: Sequence[tuple[Spec, Number]]) -> Reader:
    """The reader of numbers that stand side by side in one byte order: one unpack for all."""
    whole = struct.Struct(parts[0][1].order + "".join(kind.code for _, kind in parts))
    size, unpack = whole.size, whole.unpack_from
    plan, offset = [], 0
    for spec, kind in parts:
        plan.append((spec, offset, kind.least))
        offset += kind.least

    def read_numbers(source: Source, at: int, end: int, out: list[Field]) -> int:
        view = source.view
        if end - at < size:
            for (spec, kind), (_, before, _) in zip(parts, plan, strict=True):
                value, after = kind.take(source, at + before, end, out)
                out.append(Field(spec, value, at + before, after - at - before, view))
        for (spec, before, length), value in zip(plan, unpack(source.data, at), strict=True):
            out.append(Field(spec, value, at + before, length, view))
        return at + size
    return read_numbers


def _sequence(parts: Sequence[tuple[Spec, Type]]) -> Reader:
    """One reader for parts in order, numbers side by side taken together."""
    readers: list[Reader] = []
    run: list[tuple[Spec, Number]] = []
    for spec, kind in parts:
        if isinstance(kind, Number) and (not run or run[0][1].order == kind.order):
            run.append((spec, kind))
            continue
        if run:
            readers.append(_numbers(run))
            run = []
        if isinstance(kind, Number):
            run.append((spec, kind))
        else:
            readers.append(kind.reader(spec))
    if run:
        readers.append(_numbers(run))
    if len(readers) == 1:
        return readers[0]

    def read_sequence(source: Source, at: int, end: int, out: list[Field]) -> int:
        for reader in readers:
            at = reader(source, at, end, out)
        return at
    return read_sequence


def _grouped(spec: Spec, body: Reader, title: Callable[[Sequence[Field]], str] | None) -> Reader:
    """The reader of a group: attached first, filled after, its range and line set when its content is known."""
    def read_group(source: Source, at: int, end: int, out: list[Field]) -> int:
        children: list[Field] = []
        node = Field(spec, None, at, 0, source.view, children)
        out.append(node)
        now = at
        try:
            now = body(source, at, end, children)
        finally:
            node.length = max(now, children[-1].end if children else at) - at
        if title is not None:
            node._text = title(children)
        return now
    return read_group


def parse(layout: Layout, data: bytes, start: int, end: int, context: Any = None) -> tuple[list[Field], int]:
    """Fields of `layout` and the position after them; raises `Malformed` where the bytes do not fit."""
    out: list[Field] = []
    return out, layout.body()(Source(data, 0, False, context), start, end, out)


def read(layout: Layout, data: bytes, start: int, end: int, *, view: int = 0, want: int | None = None, context: Any = None) -> list[Field]:
    """Fields of `layout` from `data[start:end]`; never raises.

    Bytes that do not fit end in a malformed node that reaches to `end`; so do bytes left over. `want` is the length that
    the message declares: when it is more than is there, the fault is the cut, and a `pv.incomplete` node says so.
    """
    out: list[Field] = []
    cut = want is not None and want > end - start
    source = Source(data, view, cut, context)
    try:
        now = layout.body()(source, start, end, out)
        if now < end:
            out.append(f.malformed(now, f"{end - now} {'byte' if end - now == 1 else 'bytes'} left over", end, view))
    except Short as fault:
        if not cut:
            out.append(f.malformed(fault.at, fault.why, end, view))
    except Malformed as fault:
        out.append(f.malformed(fault.at, fault.why, end, view))
    if cut and want is not None:
        out.append(f.incomplete(end - start, want, start, view))
    return out
