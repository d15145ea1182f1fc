"""Fixed headers: dpkt's header tables give every part's place and format, our specs its name and bits.

A `Header` is made once from a dpkt class and a table of `Part`s. `unpack` reads the whole header in one step, for what the
next layer needs; `fields` makes the fields when somebody looks, and of a header that is cut off those that are there.
"""
from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any, NamedTuple

import dpkt

from protocols.engine.fields import Field, Spec, bits

__all__ = ["Header", "Part", "Place", "address", "enough", "places"]


@dataclass(frozen=True, slots=True)
class Part:
    """`spec` is read from the dpkt field `name`: from all of it, or from `size` bytes at `offset` in it. The value is multiplied by
    `scale`. `below` are parts of the same bytes shown underneath; `again` is a name under which the value is found as well."""

    name: str
    spec: Spec
    offset: int = 0
    size: int = 0
    scale: int = 1
    below: tuple[Spec, ...] = ()
    again: Spec | None = None


def address(kind: str, data: bytes) -> str:
    """The text of an address; `kind` is a spec's type."""
    if kind == "ipv4":
        return ".".join(map(str, data))
    if kind == "ipv6":
        return str(IPv6Address(data))
    return data.hex(":")


class Header:
    """One header of fixed size. `size` is in bytes."""

    def __init__(self, table: type[dpkt.Packet], parts: Sequence[Part]) -> None:
        layout: str = table.__hdr_fmt__
        whole = struct.Struct(layout)
        self.size = whole.size
        self.unpack = whole.unpack_from
        places: dict[str, tuple[int, int, int]] = {}
        offset = 0
        for index, (name, code, _) in enumerate(table.__hdr__):
            size = struct.calcsize(layout[0] + code)
            places[name] = (index, offset, size)
            offset += size
        self._plan = [_Step(part, *places[part.name]) for part in parts]
        self.specs = tuple(spec for part in parts for spec in (part.spec, *part.below, *((part.again,) if part.again else ())))

    def fields(self, data: bytes, start: int, view: int = 0) -> list[Field]:
        """The fields of the header at `start`, as far as `data` reaches."""
        have = len(data) - start
        values = self.unpack(data, start) if have >= self.size else self.unpack(data[start:].ljust(self.size, b"\0"))
        out: list[Field] = []
        for step in self._plan:
            if step.at + step.length > have:
                break
            out.append(step.field(values[step.index], data, start + step.at, view))
        return out


class _Step:
    """A `Part` with all that can be known before any byte is read."""

    __slots__ = ("again", "at", "below", "down", "index", "kind", "length", "low", "scale", "spec")

    def __init__(self, part: Part, index: int, at: int, size: int) -> None:
        self.spec = part.spec
        self.index = index
        self.at = at + part.offset
        self.length = part.size or size
        self.down = 8 * (size - part.offset - self.length)      # bits of the dpkt field behind this part
        self.low = (1 << 8 * self.length) - 1
        self.scale = part.scale
        self.below = tuple((spec, spec.mask, _shift(spec.mask), spec.type == "bool") for spec in (part.spec, *part.below))
        self.again = part.again
        self.kind = part.spec.type

    def field(self, word: Any, data: bytes, at: int, view: int) -> Field:
        spec, length, text = self.spec, self.length, None
        below: list[Field] = []
        value: Any
        if self.kind == "bytes":
            value = data[at:at + length]
        elif isinstance(word, bytes):
            value = address(self.kind, word)
        else:
            word = word >> self.down & self.low
            value, *bits_below = [
                bool(word & mask) if binary else (word & mask) >> shift if mask else word for _, mask, shift, binary in self.below
            ]
            if bits_below:
                below = [Field(one[0], bit, at, length, view) for one, bit in zip(self.below[1:], bits_below, strict=True)]
            if self.scale != 1:
                text = f"{bits(value, spec.mask, length)} = {spec.label}: {spec.shown(value * self.scale)}"
                value *= self.scale
        if self.again is not None:
            below.append(Field(self.again, value, at, length, view))
        return Field(spec, value, at, length, view, below, text)


def _shift(mask: int) -> int:
    return (mask & -mask).bit_length() - 1 if mask else 0


def masked(spec: Spec, word: int) -> int | bool:
    """The bits of `word` that are `spec`'s."""
    mask = spec.mask
    value = (word & mask) >> _shift(mask) if mask else word
    return bool(value) if spec.type == "bool" else value


def enough(data: bytes, start: int, end: int, size: int) -> bool:
    """Whether `size` bytes from `start` are both meant (`end`) and captured."""
    return start + size <= end and start + size <= len(data)


class Place(NamedTuple):
    """`size` bytes that hold `spec`; `below` are the bits of the same bytes."""

    spec: Spec
    size: int
    below: tuple[Spec, ...] = ()


def places(table: Sequence[Place], data: bytes, at: int, end: int, view: int = 0) -> list[Field]:
    """The fields of a small layout that dpkt has no table for, one after another, as far as `end` and the bytes reach."""
    out: list[Field] = []
    end = min(end, len(data))
    for spec, size, below in table:
        if at + size > end:
            break
        part = data[at:at + size]
        if spec.type in ("ipv4", "ipv6", "ether"):
            value: Any = address(spec.type, part)
        elif spec.type == "bytes":
            value = part
        else:
            value = masked(spec, int.from_bytes(part))
        out.append(Field(spec, value, at, size, view, [Field(one, masked(one, int.from_bytes(part)), at, size, view) for one in below]))
        at += size
    return out
