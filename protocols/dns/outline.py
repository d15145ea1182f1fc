"""A message in outline, without fields: what recognition, pairing and the summaries need."""
from __future__ import annotations

import struct
from dataclasses import dataclass, field

from protocols.dns import tables as t
from protocols.dns.names import EXPANDED, expand, labels
from protocols.engine.scalars import Malformed

__all__ = ["Outline", "Question", "Record", "outline"]

HEADER = 12
_WORDS = struct.Struct(">6H").unpack_from
_FOUR = struct.Struct(">HH").unpack_from
_TEN = struct.Struct(">HHIH").unpack_from


@dataclass(frozen=True, slots=True)
class Question:
    name: str
    type: int
    class_: int


@dataclass(frozen=True, slots=True)
class Record:
    """`section` is 1 (answers) to 3 (additional); `start` and `end` are the place of the record's data."""

    section: int
    name: str
    type: int
    class_: int
    ttl: int
    start: int
    end: int


@dataclass(slots=True)
class Outline:
    """`end` is where reading stopped; `fits` says that everything announced was there."""

    id: int
    flags: int
    counts: tuple[int, int, int, int]
    questions: list[Question] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    end: int = 0
    fits: bool = False

    @property
    def response(self) -> bool:
        return bool(self.flags & 0x8000)

    @property
    def opcode(self) -> int:
        return self.flags >> 11 & 15

    @property
    def rcode(self) -> int:
        """The response code with the upper bits of EDNS."""
        code = self.flags & 15
        for one in self.records:
            if one.type == t.OPT and one.section == 3:
                return code | one.ttl >> 24 << 4
        return code


def outline(data: bytes, start: int, end: int, records: bool = True) -> Outline | None:
    """The message at `start` (behind the length of TCP), as far as it can be read; None without a whole header."""
    if end - start < HEADER:
        return None
    number, flags, *counts = _WORDS(data, start)
    found = Outline(number, flags, (counts[0], counts[1], counts[2], counts[3]))
    at, spent = start + HEADER, 0
    try:
        for _ in range(counts[0]):
            parts, at = labels(data, at, end, start)
            kind, class_ = _FOUR(data, at)
            at += 4
            if at > end:
                return found
            found.questions.append(Question(expand(parts), kind, class_))
            if not records:
                return found
        for section in (1, 2, 3):
            for _ in range(counts[section]):
                parts, at = labels(data, at, end, start)
                spent += sum(map(len, parts)) + len(parts)
                kind, class_, ttl, size = _TEN(data, at)
                at += 10
                if at + size > end or spent > EXPANDED:
                    return found
                found.records.append(Record(section, expand(parts), kind, class_, ttl, at, at + size))
                at += size
                found.end = at
    except (Malformed, struct.error):
        return found
    found.end, found.fits = at, True
    return found
