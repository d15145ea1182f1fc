"""Fields: what every dissection is made of.

A `Spec` is what is known about a field before any byte is read: its filter name, label, type and enumeration. A `Field`
is one occurrence of it: a value with the byte range it came from. The tree, the filter names, the JSON export and
`--list-fields` all read these two and nothing else.

Positions are bytes from the start of a *byte view* (the frame, a reassembled message, a decompressed body); `view` is
the index of that view within the packet. Generated fields have length 0.
"""
from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from protocols.engine.mistakes import MISTAKES, failed
from protocols.engine.printable import printable

__all__ = ["Field", "Spec", "generated", "group", "incomplete", "malformed", "plain", "printable", "raw", "walk"]

SHOWN_BYTES = 32
SHOWN_TEXT = 512
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, eq=False, slots=True)
class Spec:
    """What is known about a field before a byte of it is read.

    `type` is one of: none (a group), protocol, bool, int8 .. int64, uint8 .. uint64, uint128, double, string, bytes, ether,
    ipv4, ipv6, time (absolute, nanoseconds since 1970 UTC), duration (nanoseconds), frame (a packet number).
    `enum` names values; `show` turns a value into the text behind the label and wins over `enum`. `mask` marks a bit field
    of the bytes that it lies in; `base` is "hex" for numbers that are written so; `about` says in a sentence what the field means.
    `words` are all texts that a string field can have; each names the values that it stands for in a filter (`error`: client_error and server_error).
    """

    name: str
    label: str
    type: str = "none"
    enum: Mapping[Any, str] | None = None
    show: Callable[[Any], str] | None = None
    mask: int = 0
    about: str = ""
    base: str = "dec"
    words: Mapping[str, tuple[str, ...]] | None = None
    _length: list[Spec] = field(default_factory=list, repr=False)

    @property
    def length(self) -> Spec:
        """The spec of the length (or count) that stands before a string, blob or list."""
        if not self._length:
            word = "Count" if self.type == "none" else "Length"
            self._length.append(Spec(self.name + "_len", f"{self.label} {word.lower()}", "int64"))
        return self._length[0]

    def shown(self, value: Any) -> str:
        """`value` as a person reads it, without the label; free of control characters. Where `show` or `enum` fail, what they failed with."""
        try:
            return printable(self._shown(value))
        except MISTAKES as fault:
            return failed(fault)

    def _shown(self, value: Any) -> str:
        if value is None:
            return "<null>"
        if self.show is not None:
            return self.show(value)
        if self.enum is not None:
            name = self.enum.get(value)
            return f"{name if name is not None else 'unknown'} ({self.number(value) if isinstance(value, int) else value})"
        if isinstance(value, bool):
            return "True" if value else "False"
        if isinstance(value, (bytes, bytearray, memoryview)):
            text = bytes(value[:SHOWN_BYTES]).hex() if len(value) else "<empty>"
            return text + ("…" if len(value) > SHOWN_BYTES else "")
        if isinstance(value, str):
            return value if len(value) <= SHOWN_TEXT else value[:SHOWN_TEXT] + "…"
        if self.type == "time":
            return absolute_time(value)
        if self.type == "duration":
            return f"{seconds(value)} seconds"
        return self.number(value) if isinstance(value, int) else str(value)

    def number(self, value: int) -> str:
        """A whole number in the base that the field is written in; hex has the digits of the field's full width."""
        if self.base == "hex":
            return f"0x{value:0{int(self.type.lstrip('uint')) // 4}x}"
        return str(value)


def seconds(nanoseconds: int, decimals: int = 9) -> str:
    """Nanoseconds as seconds: nine decimals say them exactly; of fewer, the last is cut off towards zero and not rounded (1.9999995 s is 1.999999 in six)."""
    whole, part = divmod(abs(nanoseconds), 1_000_000_000)
    return f"{'-' if nanoseconds < 0 else ''}{whole}.{part:09d}"[:decimals - 9 or None]


def absolute_time(nanoseconds: int, decimals: int = 9) -> str:
    """Nanoseconds since 1970 as ISO date and time in UTC, or the bare number when no calendar holds it."""
    try:
        moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=nanoseconds // 1_000_000_000)
    except OverflowError:
        return f"{nanoseconds} ns"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{f'{nanoseconds % 1_000_000_000:09d}'[:decimals]} UTC"


Children = Sequence["Field"] | Callable[[], "Sequence[Field]"] | int


class Field:
    """One occurrence of a field: `value` read from `length` bytes at `start` of byte view `view`.

    `children` is a list, a function that makes the list when somebody looks, or a number n of bytes: a length that
    stands in the n bytes before `start`. `text` replaces the line that the spec would give.
    """

    __slots__ = ("_children", "_text", "length", "spec", "start", "value", "view")

    def __init__(self, spec: Spec, value: Any, start: int, length: int, view: int = 0, children: Children = (), text: str | None = None) -> None:
        self.spec = spec
        self.value = value
        self.start = start
        self.length = length
        self.view = view
        self._children = children
        self._text = text

    def __repr__(self) -> str:
        return f"Field({self.name}, {self.value!r}, {self.start}+{self.length} of view {self.view})"

    @property
    def name(self) -> str:
        """The filter name."""
        return self.spec.name

    @property
    def label(self) -> str:
        return self.spec.label

    @property
    def end(self) -> int:
        return self.start + self.length

    @property
    def begin(self) -> int:
        """Where the field begins together with the length that may stand before it."""
        made = self._children
        if isinstance(made, int):
            return self.start - made
        first = made[0] if isinstance(made, list) and made else None
        return first.start if first is not None and first.length and first.view == self.view and first.start < self.start else self.start

    @property
    def fields(self) -> Sequence[Field]:
        """The children, made on first use; where making them fails, a malformed field that says why."""
        made = self._children
        if isinstance(made, int):
            width = made
            count = -1 if self.value is None else self.length
            made = [Field(self.spec.length, count, self.start - width, width, self.view)] if width else []
        elif callable(made):
            try:
                made = made()
            except MISTAKES as fault:
                made = [malformed(self.start, failed(fault), self.end, self.view)]
        else:
            return made
        self._children = made
        return made

    @property
    def absent(self) -> bool:
        """Whether this only says that there is no value: exported, so that columns line up, and not shown."""
        return not self.length and self.value in (None, "") and not self._children and self.spec.type not in ("none", "protocol")

    @property
    def has_fields(self) -> bool:
        """Whether there is (or may be) anything below, without making it."""
        return bool(self._children)

    @property
    def text(self) -> str:
        """The line in the tree; free of control characters."""
        spec = self.spec
        if self._text is not None:
            return printable(self._text)
        if spec.mask:
            try:
                return f"{bits(self.value, spec.mask, self.length)} = {spec.label}: {spec.shown(self.value)}"
            except MISTAKES as fault:   # a value without bits
                return f"{spec.label}: {failed(fault)}"
        if self.value is None and spec.type in ("none", "protocol"):
            return spec.label
        return f"{spec.label}: {spec.shown(self.value)}"


class Bare(Field):
    """A field with nothing below it and the spec's own line. Made without a call of `__init__`, which is half of what a `Field` costs: whoever makes
    one sets spec, value, start, length and view, as far as its class does not say them."""

    __slots__ = ()
    __init__ = object.__init__
    fields = _children = ()
    _text = None


def bits(value: int, mask: int, length: int) -> str:
    """Wireshark's picture of a bit field: `.... 0101` for value 5 under mask 0x0f in one byte."""
    shift = (mask & -mask).bit_length() - 1
    placed = int(value) << shift
    digits = ["." if not mask >> i & 1 else str(placed >> i & 1) for i in range(length * 8 - 1, -1, -1)]
    return " ".join("".join(digits[i:i + 4]) for i in range(0, len(digits), 4))


def walk(fields: Sequence[Field]) -> Iterator[Field]:
    """Every field of a tree, parents first. Iterative, so that depth costs no stack."""
    stack = list(reversed(fields))
    while stack:
        one = stack.pop()
        yield one
        stack.extend(reversed(one.fields))


def plain(field: Field) -> str:
    """The value as `tshark -T fields` prints it: bare, on one line, empty where there is none."""
    spec, value = field.spec, field.value
    if value is None:
        return "1" if spec.type == "none" else field.text if spec.type == "protocol" else ""
    if isinstance(value, (bool, float)) or spec.type == "bool":
        return str(int(value)) if spec.type == "bool" else f"{value:.15g}"
    if isinstance(value, int):
        if spec.type == "time":
            return calendar_time(value)
        return seconds(value) if spec.type == "duration" else spec.number(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return value.hex()
    return printable(str(value))


def calendar_time(nanoseconds: int) -> str:
    """Nanoseconds since 1970 as tshark writes an absolute time, in local time: `Nov 14, 2023 23:13:20.000000000 CET` where TZ is Europe/Berlin."""
    try:
        moment = time.localtime(nanoseconds // 1_000_000_000)
    except (OverflowError, OSError):
        return seconds(nanoseconds)
    head = f"{MONTHS[moment.tm_mon - 1]} {moment.tm_mday:2}, {moment.tm_year} {moment.tm_hour:02}:{moment.tm_min:02}:{moment.tm_sec:02}"
    return f"{head}.{nanoseconds % 1_000_000_000:09d} {moment.tm_zone}"


MALFORMED = Spec("_ws.malformed", "Malformed", "string", about="Bytes that do not fit the layout")
INCOMPLETE = Spec("pv.incomplete", "Incomplete", "string", about="The stream or the capture cuts this message off")
RAW = Spec("data.data", "Data", "bytes", about="Bytes that no decoder reads")
COMMON = (MALFORMED, INCOMPLETE, RAW)


def malformed(at: int, why: str, end: int, view: int = 0) -> Field:
    """The node for bytes `at` .. `end` that could not be read: "malformed at byte n: why"."""
    return Field(MALFORMED, f"malformed at byte {at}: {why}", at, max(0, end - at), view, (), f"[Malformed at byte {at}: {why}]")


def incomplete(have: int, want: int, at: int, view: int = 0) -> Field:
    """The node of a message of which only `have` of `want` bytes are there; generated."""
    return Field(INCOMPLETE, f"{have} of {want} bytes", at, 0, view, (), f"[Incomplete: {have} of {want} bytes]")


def raw(data: bytes, start: int, end: int, view: int = 0, text: str | None = None) -> Field:
    """The bytes `start` .. `end` of `data`, unread."""
    return Field(RAW, data[start:end], start, end - start, view, (), text)


def group(spec: Spec, start: int, end: int, children: Children, text: str | None = None, view: int = 0) -> Field:
    """A node that only holds others."""
    return Field(spec, None, start, end - start, view, children, text)


def generated(spec: Spec, value: Any, text: str | None = None, at: int = 0, view: int = 0, children: Children = ()) -> Field:
    """A field that no byte of the packet holds; its line stands in brackets."""
    return Field(spec, value, at, 0, view, children, f"[{text or f'{spec.label}: {spec.shown(value)}'}]")
