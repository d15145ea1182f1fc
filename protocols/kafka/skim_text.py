"""The Python text of functions that read a few values out of bytes, and what it calls.

Numbers side by side are unpacked together, positions known beforehand cost nothing, and all positions only grow, so that one look at the last of
them tells whether everything lay within the message. What a text reads and passes over is said by `skimmers`.
"""
from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

from protocols.engine.fields import Field, Spec

__all__ = ["CALLED", "NotPlain", "Skimmer", "Text"]

Skimmer = Callable[[bytes, int, int, int], Any]
"""(data, start, end, view) -> what is wanted of the message `data[start:end]`, in the order of its tree: a list of fields, none below another, or
(for a sequence of names) a tuple with a list of values for each of the names. None: the message has to be read as a whole."""


class NotPlain(Exception):
    """The message is not one that can be skimmed. Bytes that are missing show as errors of indexing and unpacking."""


def _null(count: int) -> int:
    """What a negative length or count counts for: nothing when it is -1."""
    if count != -1:
        raise NotPlain
    return 0


def _uvarint(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned base-128 number of at most 32 bits, and the position after it."""
    value = 0
    for shift in range(0, 35, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > 0xFFFF_FFFF:
                break
            return value, at
    raise NotPlain


def _behind(data: bytes, at: int) -> int:
    """The position behind a compact string or bytes."""
    count, at = _uvarint(data, at)
    return at + count - 1 if count else at


def _tag_count(data: bytes, at: int, end: int) -> tuple[int, int]:
    """How many fields a tag section has, and the position behind their number; each takes two bytes at least."""
    count, at = _uvarint(data, at)
    if 2 * count > end - at:
        raise NotPlain
    return count, at


def _behind_tags(data: bytes, at: int, end: int) -> int:
    """The position behind a tag section."""
    count, at = _tag_count(data, at, end)
    for _ in range(count):
        _, at = _uvarint(data, at)
        size, at = _uvarint(data, at)
        at += size
    return at


CALLED: dict[str, Any] = {
    "Field": Field, "NotPlain": NotPlain, "FAULTS": (NotPlain, IndexError, struct.error), "null": _null, "uvarint": _uvarint, "behind": _behind,
    "tag_count": _tag_count, "behind_tags": _behind_tags}
"""What texts call."""


class Text:
    """The text of one skimmer. Its variable `at` holds a position in the message, and what was read so far ends `ahead` bytes after that: with `at` 20 and
    `ahead` 6, the next field starts at byte 26. Fields of fixed size only raise `ahead`; they are read together, when `at` has to move: until then `waiting`
    holds the numbers to read and `after` the lines that use them. `guards` names variables of the skimmer; it does not end early while one of them is true."""

    def __init__(self, wanted: Sequence[str] | frozenset[str], space: dict[str, Any]) -> None:
        self.order = None if isinstance(wanted, frozenset) else wanted
        """The names whose values are asked for, each in a list of its own; None: fields are asked for."""
        self.wanted = frozenset(wanted)
        self.lines: list[str] = []
        self.depth = 2
        self.ahead = 0
        self.waiting: list[tuple[int, str, str]] = []
        self.after: list[str] = []
        self.guards: tuple[str, ...] = ()
        self.space: dict[str, Any] = {**CALLED, **space}
        self._count = 0

    def emit(self, *lines: str) -> None:
        self.lines += ["    " * self.depth + line for line in lines]

    def new(self, prefix: str, value: Any = None) -> str:
        """A name not used so far; with a value, one of the text's constants."""
        self._count += 1
        name = f"{prefix}{self._count}"
        if value is not None:
            self.space[name] = value
        return name

    def constant(self, value: Any) -> str:
        """The name of a constant."""
        for name, known in self.space.items():
            if known is value:
                return name
        return self.new("C", value)

    def number(self, code: str, size: int) -> str:
        """The variable that will hold the next number."""
        name = self.new("v")
        self.waiting.append((self.ahead, code, name))
        self.ahead += size
        return name

    def flush(self) -> None:
        """Read the numbers that wait."""
        if self.waiting:
            form, reached = ">", 0
            for at, code, _ in self.waiting:
                form += (f"{at - reached}x" if at > reached else "") + code
                reached = at + struct.calcsize(">" + code)
            self.emit(f"{', '.join(name for _, _, name in self.waiting)}, = {self.new('U', struct.Struct(form).unpack_from)}(data, at)")
            self.waiting.clear()
        self.emit(*self.after)
        self.after.clear()

    def move(self) -> None:
        """Let `at` be where the text has read to."""
        self.flush()
        if self.ahead:
            self.emit(f"at += {self.ahead}")
            self.ahead = 0

    def make(self, spec: Spec, value: str, place: str, length: str, children: str = "") -> str:
        """The line that gives a field, or its value."""
        if self.order is not None:
            return f"add{self.order.index(spec.name)}({value})"
        return f"add(Field({self.constant(spec)}, {value}, {place}, {length}, view{', ' + children if children else ''}))"

    def open(self, spec: Spec, place: str) -> str:
        """A group whose end is not known yet: its variable."""
        if self.order is not None:
            self.emit(f"add{self.order.index(spec.name)}(None)")
            return ""
        group = self.new("g")
        self.emit(f"{group} = Field({self.constant(spec)}, None, {place}, 0, view)", f"add({group})")
        return group

    def close(self, group: str, place: str) -> None:
        """The group, from `place` on, ends here."""
        if group:
            self.emit(f"{group}.length = at - {place}")

    def done(self, exits: Sequence[str]) -> None:
        """Nothing wanted follows, unless a loop of `exits` goes on."""
        self.flush()
        if exits:
            self.emit(f"if not ({' or '.join((*exits, *self.guards))}):")
            self.depth += 1
        self.emit(f"if at + {self.ahead} > end:", "    raise NotPlain", "RETURN")
        self.depth -= bool(exits)

    def finish(self) -> Skimmer:
        """The function."""
        if self.order is None:
            lists, given = ["add = (out := []).append"], "out"
        else:
            lists = [f"add{i} = (out{i} := []).append" for i in range(len(self.order))]
            given = "".join(f"out{i}, " for i in range(len(self.order)))
        head = ["def skim(data, at, end, view):", *("    " + line for line in lists), *(f"    {guard} = False" for guard in self.guards), "    try:"]
        tail = ["    except FAULTS:", "        return None", f"    return {given}"]
        exec("\n".join([*head, *(line.replace("RETURN", f"return {given}") for line in self.lines), *tail]), self.space)
        made: Skimmer = self.space["skim"]
        return made
