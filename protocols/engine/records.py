"""The record engine: layouts as data -> readers that yield fields with byte ranges.

A layout is a tuple of `(Spec, Type)` pairs written in the protocol's own terms. Compiling it makes one closure a type;
neighbouring fixed-size numbers are unpacked together. A reader appends `Field`s to a list and returns the position after
them; groups are attached before their content is read, so whatever was read before a fault stays in the tree.

A reader that runs out of bytes raises `Short`; `read` turns that into a "malformed at byte n" node, or, when the message
was cut off by its stream (`cut`), keeps the part of the last field that is there and adds a `pv.incomplete` node. A fault
inside a part that has its own length stays inside it: what follows is read.

    >>> ACL = Layout(Spec("zookeeper.acl", "ACL"), ((PERMS, I32), (SCHEME, Text(I32)), (ID, Text(I32))))
    >>> fields = read(ACL, data, start, end)
"""
from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from protocols.engine import fields as f
from protocols.engine.choices import Custom, Switch, When, value_before
from protocols.engine.fields import Field, Spec
from protocols.engine.scalars import (
    F32,
    F32LE,
    F64,
    F64LE,
    I8,
    I16,
    I16LE,
    I32,
    I32LE,
    I64,
    I64LE,
    MICROSLE,
    MILLIS,
    MILLISLE,
    U8,
    U16,
    U16LE,
    U24,
    U24LE,
    U32,
    U32LE,
    U64,
    U64LE,
    U128LE,
    Blob,
    Bool,
    Bytes,
    CString,
    Flags,
    Malformed,
    Number,
    Prefix,
    Reader,
    Rest,
    Secret,
    Short,
    Source,
    Text,
    Type,
    Varint,
    Wide,
    numbers,
)

__all__ = [
    "F32", "F32LE", "F64", "F64LE", "I8", "I16", "I16LE", "I32", "I32LE", "I64", "I64LE", "MICROSLE", "MILLIS", "MILLISLE", "U8", "U16", "U16LE",
    "U24", "U24LE", "U32", "U32LE", "U64", "U64LE", "U128LE", "Array", "Blob", "Bool", "Bytes", "CString", "Custom", "Each", "Flags", "IfMore",
    "Layout", "Limited", "Malformed", "Number", "Prefix", "Reader", "Rest", "Secret", "Short", "Sized", "Source", "Switch", "Text", "Type", "Varint",
    "When", "Wide", "parse", "read",
]


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

    def specs(self, spec: Spec | None = None) -> Iterator[Spec]:
        """Every spec that the layout can yield; `spec` is the group's where another one than its own stands for it."""
        if self.spec is not None:
            yield spec or self.spec
        for part, kind in self.parts:
            yield from kind.specs(part)


def _sequence(parts: Sequence[tuple[Spec, Type]]) -> Reader:
    """One reader for parts in order, numbers side by side taken together."""
    readers: list[Reader] = []
    run: list[tuple[Spec, Number]] = []
    for spec, kind in parts:
        if isinstance(kind, Number) and (not run or run[0][1].order == kind.order):
            run.append((spec, kind))
            continue
        if run:
            readers.append(numbers(run))
            run = []
        if isinstance(kind, Number):
            run.append((spec, kind))
        else:
            readers.append(kind.reader(spec))
    if run:
        readers.append(numbers(run))
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
            node.length = (now if now > at or not children else children[-1].end) - at
        if title is not None:
            node._text = title(children)
        return now
    return read_group


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
        take, null, less, element, least = self.prefix.take, self.null, self.less, self.element.reader(self.item), max(1, self.element.least)
        item, plain = self.item, self.element if isinstance(self.element, Number) and self.element.scale == 1 else None

        def read_array(source: Source, at: int, end: int, out: list[Field]) -> int:
            count, now = take(source, at, end, out)
            count -= less
            if count < 0 and count != null:
                raise Malformed(at, f"a count of {count}")
            view = source.view
            children = [Field(spec.length, count, at, now - at, view)]
            node = Field(spec, None, at, now - at, view, children, f"{spec.label} ({count})" if count >= 0 else f"{spec.label}: <null>")
            out.append(node)
            if count * least > end - now and not source.cut:
                raise Malformed(now, f"a count of {count} with {end - now} {'byte' if end - now == 1 else 'bytes'} left")
            if plain is not None and 0 < count * least <= end - now:
                values = struct.unpack_from(f"{plain.order}{count}{plain.code}", source.data, now)
                children.extend([Field(item, value, now + number * least, least, view) for number, value in enumerate(values)])
                now += count * least
                node.length = now - at
                return now
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
    """Elements up to the end, without a count, or up to and with the first whose field passes `last`."""

    least = 0

    def __init__(self, item: Spec, element: Type, last: Callable[[Field], bool] | None = None) -> None:
        self.item = item
        self.element = element
        self.last = last

    def reader(self, spec: Spec) -> Reader:
        element, last = self.element.reader(self.item), self.last

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
                    if last is not None and last(children[-1]):
                        break
            finally:
                node.length = max(now, children[-1].end if children else at) - at
            return now
        return read_each

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec
        yield from self.element.specs(self.item)


def _within(inner: Reader, label: str, source: Source, at: int, count: int, end: int, out: list[Field]) -> int:
    """What `inner` reads in `count` bytes; a fault in them stays in them, unless they are not all there."""
    limit = at + count
    if limit > end:
        now = inner(source, at, end, out)
        if now < end and source.cut:
            out.append(f.raw(source.data, now, end, source.view))
        raise Short(end if source.cut else now, limit - now, end - now)
    cut, source.cut = source.cut, False
    try:
        now = inner(source, at, limit, out)
        if now < limit:
            out.append(f.malformed(now, f"{limit - now} {'byte' if limit - now == 1 else 'bytes'} left over in {label}", limit, source.view))
    except Malformed as fault:
        out.append(f.malformed(fault.at, fault.why, limit, source.view))
    finally:
        source.cut = cut
    return limit


class Limited:
    """A length, then `kind` within that many bytes; what it leaves over is malformed. `less` is taken off the number on the wire."""

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
            if count < 0 and count != null:
                raise Malformed(at, f"a length of {count}")
            out.append(Field(spec.length, count, at, now - at, source.view))
            return _within(inner, spec.label, source, now, count, end, out) if count >= 0 else now
        return read_limited

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec.length
        yield from self.kind.specs(spec)


class Sized:
    """`kind` within as many bytes as the field read before for `earlier` says."""

    least = 0

    def __init__(self, earlier: Spec, kind: Type) -> None:
        self.earlier = earlier
        self.kind = kind

    def reader(self, spec: Spec) -> Reader:
        inner, earlier = self.kind.reader(spec), self.earlier

        def read_sized(source: Source, at: int, end: int, out: list[Field]) -> int:
            count = value_before(earlier, out) or 0
            if count < 0:
                raise Malformed(at, f"a length of {count}")
            return _within(inner, spec.label, source, at, count, end, out)
        return read_sized

    def specs(self, spec: Spec) -> Iterator[Spec]:
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


def parse(layout: Layout, data: bytes, start: int, end: int, context: Any = None) -> tuple[list[Field], int]:
    """Fields of `layout` and the position after them; raises `Malformed` where the bytes do not fit."""
    out: list[Field] = []
    return out, layout.body()(Source(data, 0, False, context), start, end, out)


def read(layout: Layout, data: bytes, start: int, end: int, *, view: int = 0, want: int | None = None, context: Any = None) -> list[Field]:
    """Fields of `layout` from `data[start:end]`; never raises.

    Bytes that do not fit end in a malformed node that reaches to `end`; so do bytes left over. `want` is the length that
    the message declares (`MessageBytes.length`): when it is more than is there, bytes are missing because the capture cuts the message off, which is no fault
    of the sender's, so a `pv.incomplete` node says so and nothing is called malformed. `view` is the index of the byte view that `data` is
    (`MessageBytes.view`); `context` is handed to `Custom` parts.
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
