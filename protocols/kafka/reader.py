"""Readers of the parts that Kafka's messages are made of: runs of numbers, strings and bytes, arrays, structs.

The shape is the record engine's (`protocols.engine.records`): a reader takes a source, a position and an end, appends fields and
returns the position after them. What the engine does not know is here and in `tags`: compact forms, null markers, tag sections. Numbers side
by side are unpacked together by a function made for that run of sizes; every reader yields exactly one field a part.
"""
from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache, partial
from typing import Any

from protocols.engine import fields as f
from protocols.engine.fields import Bare, Field, Spec
from protocols.engine.records import Malformed, Reader, Short, Source
from protocols.kafka import names
from protocols.kafka.schema import Part
from protocols.kafka.scope import Enough
from protocols.kafka.topics import KNOWN_IDS, NO_ID, TopicId, topic_id

__all__ = [
    "FIXED", "NOTE", "TAG", "TAGS", "TAG_COUNT", "TAG_DATA", "TAG_NUMBER", "TAG_SIZE", "array_reader", "blob_reader", "converter",
    "last_end", "note", "optional_reader", "read_uvarint", "records_reader", "run_reader", "scalars_reader", "struct_reader",
]

TAG_COUNT = Spec("kafka.tagged_fields_count", "Tagged fields", "uint32", about="How many tagged fields end the struct")
TAGS = Spec("kafka.tagged_fields", "Tagged fields", about="Optional fields, each with its number and size")
TAG = Spec("kafka.tagged_field", "Tagged field")
TAG_NUMBER = Spec("kafka.tagged_field_tag", "Tag", "uint32")
TAG_SIZE = Spec("kafka.tagged_field_size", "Size", "uint32")
TAG_DATA = Spec("kafka.tagged_field_data", "Tag data", "bytes", about="A tagged field that this build does not know")
PRESENT = Spec("kafka.present", "Present", "int8", about="Whether a struct that may be null follows: negative (0 in a tagged field) means null")
NOTE = Spec("kafka.note", "Note", "string", about="What is unusual about a message without being an error")
SPECS = (TAG_COUNT, TAGS, TAG, TAG_NUMBER, TAG_SIZE, TAG_DATA, PRESENT, NOTE)

FEW = 64
"""Arrays of fewer numbers have their line ready."""

FIXED = {"z": ("?", 1), "b": ("b", 1), "h": ("h", 2), "H": ("H", 2), "i": ("i", 4), "I": ("I", 4), "q": ("q", 8), "d": ("d", 8), "u": ("16s", 16)}


def note(text: str, at: int, view: int = 0) -> Field:
    """A generated field that says what is unusual."""
    return f.generated(NOTE, text, text, at, view)


def read_uvarint(source: Source, at: int, end: int) -> tuple[int, int]:
    """An unsigned base-128 number of at most 32 bits, and the position after it."""
    value, data = 0, source.data
    for count in range(5):
        if at + count >= end:
            raise Short(at, count + 1, end - at)
        byte = data[at + count]
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            if value > 0xFFFF_FFFF:
                break
            return value, at + count + 1
    raise Malformed(at, "a varint of more than 32 bits")


def last_end(fields: Sequence[Field]) -> int:
    """How far the bytes reach that fields hold themselves; -1 without any."""
    reached = -1
    for one in reversed(fields):
        inside = one._children
        if one.length and one.value is None and isinstance(inside, list) and inside:
            return max(reached, last_end(inside))
        reached = max(reached, one.end)
        if one.length:
            break
    return reached


def _keep(source: Source, at: int, end: int, out: list[Field]) -> None:
    """Of a message that was cut off, the bytes that are there."""
    if source.cut and end > at:
        out.append(f.raw(source.data, at, end, source.view))


@cache
def _run_maker(sizes: tuple[int, ...], converted: tuple[int, ...], named: tuple[int, ...], told: tuple[int, ...]) -> Callable[..., Reader]:
    """A function that makes readers of numbers of these sizes, side by side; those at `converted` go through a function, which of those at `named` is
    given the source, too; under those at `told` stands what their function of that name gives."""
    values = ", ".join(f"v{i}" for i in range(len(sizes)))
    specs = ", ".join(f"s{i}" for i in range(len(sizes)))
    made, offset = [], 0

    def value(i: int) -> str:
        return f"c{i}(v{i}, source)" if i in named else f"c{i}(v{i})" if i in converted else f"v{i}"

    for i, size in enumerate(sizes):
        place = f"at + {offset}" if offset else "at"
        made.append(f"        f{i} = Bare(); f{i}.spec = s{i}; f{i}.value = {value(i)}\n"
                    f"        f{i}.start = {place}; f{i}.length = {size}; f{i}.view = view\n"
                    + (f"        f{i} = told(f{i})\n" if i in told else ""))
        offset += size
    more = "".join(f", c{i}" for i in converted)
    text = (f"def make(unpack, short, told, {specs}{more}):\n"
            f"    def read_run(source, at, end, out):\n"
            f"        if end - at < {offset}:\n"
            f"            short(source, at, end, out)\n"
            f"        {values}, = unpack(source.data, at)\n"
            f"        view = source.view\n"
            f"{''.join(made)}"
            f"        out += ({', '.join(f'f{i}' for i in range(len(sizes)))},)\n"
            f"        return at + {offset}\n"
            f"    return read_run\n")
    space: dict[str, Any] = {"Bare": Bare}
    exec(text, space)
    made_by: Callable[..., Reader] = space["make"]
    return made_by


def _milliseconds(value: int) -> int:
    return value * 1_000_000


def _named_id(data: bytes, source: Source) -> str:
    """A UUID, with its topic's name where the capture tells it."""
    identity = topic_id(data)
    if identity == NO_ID:
        return identity
    topics = source.context.topics() if source.context is not None else None
    name = (topics.names if topics is not None else KNOWN_IDS).get(identity, "")
    return TopicId(identity, name) if name else identity


def converter(part: Part, holders: tuple[str, ...]) -> Callable[[Any], Any] | None:
    """What makes a field's value of the number that stands for it."""
    if part.type == "u":
        return topic_id
    return _milliseconds if names.is_time(part, holders) else None


def _told(identity: Field) -> Field:
    """A topic's id with the topic's name below it, as a generated field, where the capture tells it."""
    if isinstance(identity.value, TopicId):
        name = f.generated(names.TOPIC_NAMES[identity.spec.name], identity.value.topic, at=identity.start, view=identity.view)
        return Field(identity.spec, identity.value, identity.start, identity.length, identity.view, [name])
    return identity


def run_reader(parts: Sequence[Part], holders: tuple[str, ...], specs: Sequence[Spec], told: frozenset[str] = frozenset()) -> Reader:
    """The reader of fixed-size parts in order; `told` are the ids of topics below which the topic's name stands."""
    whole, sizes = struct.Struct(">" + "".join(FIXED[part.type][0] for part in parts)), tuple(FIXED[part.type][1] for part in parts)
    named = tuple(i for i, part in enumerate(parts) if part.type == "u")
    changed: dict[int, Callable[..., Any]] = {i: made for i, part in enumerate(parts) if (made := converter(part, holders))}
    changed.update((i, _named_id) for i in named)

    def short(source: Source, at: int, end: int, out: list[Field]) -> None:
        """As many of the numbers as are there, then the fault."""
        for i, (part, spec, size) in enumerate(zip(parts, specs, sizes, strict=True)):
            if end - at < size:
                _keep(source, at, end, out)
                raise Short(at, size, end - at)
            value = struct.unpack_from(">" + FIXED[part.type][0], source.data, at)[0]
            if i in changed:
                value = changed[i](value, source) if i in named else changed[i](value)
            out.append(Field(spec, value, at, size, source.view))
            out[-1] = _told(out[-1]) if part.name in told else out[-1]
            at += size
    below = tuple(i for i, part in enumerate(parts) if part.name in told)
    return _run_maker(sizes, tuple(sorted(changed)), named, below)(whole.unpack_from, short, _told, *specs, *(changed[i] for i in sorted(changed)))


def _length(size: int) -> Callable[[Source, int, int, list[Field]], tuple[int, int]]:
    """The reader of a length: an int16 or int32, or (size 0) a uvarint that is one more. -1 is null."""
    if size == 0:
        def take_compact(source: Source, at: int, end: int, out: list[Field]) -> tuple[int, int]:
            if at < end and (count := source.data[at]) < 0x80:
                return count - 1, at + 1
            try:
                count, start = read_uvarint(source, at, end)
            except Short:
                _keep(source, at, end, out)
                raise
            return count - 1, start
        return take_compact

    unpack = struct.Struct(">h" if size == 2 else ">i").unpack_from

    def take(source: Source, at: int, end: int, out: list[Field]) -> tuple[int, int]:
        if end - at < size:
            _keep(source, at, end, out)
            raise Short(at, size, end - at)
        count = unpack(source.data, at)[0]
        if count < -1:
            raise Malformed(at, f"a length of {count}")
        return count, at + size
    return take


def blob_reader(part: Part, spec: Spec, compact: bool, nullable: bool, inner: str = "") -> Reader:
    """The reader of a string or of bytes. Bytes that hold something of their own (`inner`) are opened by the scope."""
    take = _length(0 if compact else 2 if part.type == "s" else 4)
    text = part.type == "s"

    def read_blob(source: Source, at: int, end: int, out: list[Field]) -> int:
        count, start = take(source, at, end, out)
        if count < 0:
            null = None if nullable else f"{spec.label}: <null> [null in a field that may not be null]"
            out.append(Field(spec, None, start, 0, source.view, start - at, null))
            return start
        after = start + count
        if after > end:
            if source.cut:
                length = Field(spec.length, count, at, start - at, source.view)
                had = source.data[start:end]
                out.append(Field(spec, had.decode("utf-8", "replace") if text else had, start, max(0, end - start), source.view, [length]))
            raise Short(at, count, end - start)
        data = source.data[start:after]
        out.append(Field(spec, data.decode("utf-8", "replace") if text else data, start, count, source.view, start - at))
        return after

    if not inner:
        return read_blob

    def read_opened(source: Source, at: int, end: int, out: list[Field]) -> int:
        after = read_blob(source, at, end, out)
        scope, one = source.context, out[-1]
        if scope is not None and scope.embedded is not None and one.length:
            children = scope.embedded(source, inner, one.start, after)
            if children:
                length = Field(spec.length, one.length, at, one.start - at, source.view)
                out[-1] = Field(spec, None, at, after - at, source.view, [length, *children], f"{spec.label} ({one.length} bytes)")
        return after
    return read_opened


def records_reader(spec: Spec, compact: bool) -> Reader:
    """The reader of a field of record batches: closed, or opened by the scope."""
    take = _length(0 if compact else 4)

    def read_records(source: Source, at: int, end: int, out: list[Field]) -> int:
        count, start = take(source, at, end, out)
        length = Field(spec.length, count, at, start - at, source.view)
        if count < 0:
            out.append(Field(spec, None, at, start - at, source.view, [length], f"{spec.label}: <null>"))
            return start
        after = start + count
        children = [length]
        node = Field(spec, None, at, min(after, end) - at, source.view, children, f"{spec.label} ({count} bytes)")
        out.append(node)
        scope = source.context
        if scope is not None and scope.records is not None and count:
            node._text = f"Records ({scope.records(source, start, min(after, end), children)}, {count} bytes)"
        elif after <= end or source.cut:
            children.append(f.raw(source.data, start, min(after, end), source.view))
        if after > end:
            raise Short(start, count, end - start)
        return after
    return read_records


@lru_cache(maxsize=1024)
def _numbers(code: str, count: int) -> Callable[[bytes, int], tuple[Any, ...]]:
    """What unpacks `count` numbers of one size."""
    return struct.Struct(">" + (code * count if len(code) > 1 else f"{count}{code}")).unpack_from


class Numbers(Field):
    """An array of a few numbers, of which a large answer has most; made as `Bare` is. `read` makes its elements from `data` when somebody looks."""

    __slots__ = ("data", "made", "read")
    __init__ = object.__init__
    value = None
    _children = list    # something, made later
    data: bytes
    made: list[Field] | None
    read: Callable[[bytes, int, int], list[Field]]

    @property
    def fields(self) -> list[Field]:
        if self.made is None:
            self.made = self.read(self.data, self.view, self.start)
        return self.made


def scalars_reader(part: Part, spec: Spec, item: Spec, compact: bool, holders: tuple[str, ...]) -> Reader:
    """The reader of an array of numbers: its elements are made when somebody looks."""
    take = _length(0 if compact else 4)
    element = part.element
    assert element is not None
    code, size = FIXED[element.type]
    label, length, change = spec.label, spec.length, converter(element, holders)
    texts = [f"{label} ({count - 1})" for count in range(FEW)]

    def read_scalars(source: Source, at: int, end: int, out: list[Field]) -> int:
        data = source.data
        if compact and at < end and 0 < (more := data[at]) < FEW:  # the common case, without a call
            after = at + 1 + (more - 1) * size
            if after <= end:
                node = Numbers()
                node.spec, node.start, node.length, node.view, node._text = spec, at, after - at, source.view, texts[more]
                node.data, node.read, node.made = data, small, None
                out.append(node)
                return after
        count, now = take(source, at, end, out)
        after = now + count * size if count > 0 else now
        if after > end:
            there = max(0, end - now) // size if source.cut else 0
            read = elements(source.data, source.view, at, now, there, count)
            out.append(Field(spec, None, at, end - at if source.cut else now - at, source.view, read, f"{label} ({count})"))
            if source.cut and end - now > there * size:
                read.append(f.raw(source.data, now + there * size, end, source.view))
            raise Short(now, count * size, end - now)
        text = f"{label} ({count})" if count >= 0 else f"{label}: <null>"
        out.append(Field(spec, None, at, after - at, source.view, partial(elements, source.data, source.view, at, now, max(0, count), count), text))
        return after

    def small(data: bytes, view: int, at: int) -> list[Field]:
        return elements(data, view, at, at + 1, data[at] - 1, data[at] - 1)

    def elements(data: bytes, view: int, at: int, now: int, there: int, count: int) -> list[Field]:
        values: Iterable[Any] = _numbers(code, there)(data, now)
        if change:
            values = map(change, values)
        made = [Field(length, count, at, now - at, view)]
        made += [Field(item, value, place, size, view) for value, place in zip(values, range(now, now + there * size, size), strict=True)]
        return made
    return read_scalars


def array_reader(part: Part, spec: Spec, compact: bool, element: Reader) -> Reader:
    """The reader of an array of anything else. Every element takes a byte at least."""
    take = _length(0 if compact else 4)
    label, length = spec.label, spec.length

    def read_array(source: Source, at: int, end: int, out: list[Field]) -> int:
        count, now = take(source, at, end, out)
        children = [Field(length, count, at, now - at, source.view)]
        node = Field(spec, None, at, now - at, source.view, children, f"{label} ({count})" if count >= 0 else f"{label}: <null>")
        out.append(node)
        if count > end - now and not source.cut:
            raise Malformed(at, f"a count of {count} with {end - now} bytes left")
        scope = source.context
        if scope is not None and count > 0:
            scope.elements -= count
            if scope.elements < 0:
                _first_of_many(source, now, end, children, element, count + scope.elements)
        try:
            for _ in range(count):
                now = element(source, now, end, children)
        except Malformed:
            node.length = max(now, children[-1].end) - at
            raise
        node.length = now - at
        return now
    return read_array


def _first_of_many(source: Source, at: int, end: int, out: list[Field], element: Reader, count: int) -> None:
    """The elements that may be read yet."""
    for _ in range(count):
        at = element(source, at, end, out)
    raise Enough


def struct_reader(spec: Spec, body: Reader, title: Callable[[list[Field]], str] | None) -> Reader:
    """The reader of a struct as a group of its own."""
    new = Field.__new__

    def read_struct(source: Source, at: int, end: int, out: list[Field]) -> int:
        children: list[Field] = []
        node = new(Field)   # as in `Bare`: half the cost of a call
        node.spec, node.value, node.start, node.length, node.view, node._children, node._text = spec, None, at, 0, source.view, children, None
        out.append(node)
        try:
            now = body(source, at, end, children)
        except Malformed:
            node.length = max(at, children[-1].end if children else at) - at
            raise
        node.length = now - at
        if title is not None:
            node._text = title(children)
        return now
    return read_struct


def optional_reader(spec: Spec, inner: Reader, tagged: bool) -> Reader:
    """The reader of a struct that may be null: a byte says whether it is there."""
    def read_optional(source: Source, at: int, end: int, out: list[Field]) -> int:
        if at >= end:
            raise Short(at, 1, 0)
        mark = source.data[at]
        sign = Field(PRESENT, mark - 256 if mark > 127 else mark, at, 1, source.view)
        if mark > 127 or (tagged and not mark):
            out.append(Field(spec, None, at, 1, source.view, [sign], f"{spec.label}: <null>"))
            return at + 1
        before = len(out)
        try:
            return inner(source, at + 1, end, out)
        finally:
            if len(out) > before:
                node = out[before]
                node._children = [sign, *node.fields]
                node.start, node.length = at, node.length + 1
    return read_optional
