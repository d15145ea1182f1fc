"""A followed stream as numbered lines, each made when it is drawn: decoded (a line a message), text, or hex.

Where a line's bytes lie is computed from the lengths of the turns, so that a stream of any size opens at once. Text is broken at its
newlines when the stream is small enough to look for them all, and every `width` bytes otherwise.
"""
from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from captures.output.hexdump import WIDTH, hex_line, picture
from protocols.engine.fields import printable, seconds
from tui.parts.formats import duration, fit, size

if TYPE_CHECKING:
    from captures.messages.follow import Follow, Turn
    from captures.packet.model import Row

VIEWS = ("decoded", "text", "hex")
SMALL = 4_000_000
"""Bytes of a stream in which newlines are looked for."""
CHUNK = 1 << 20
WIDE, NARROW, LEAST = 96, 64, 46
"""Cells from which on a decoded line has room for its bytes and packet, for microseconds, and for the response time."""
BREAK = re.compile(rb"\r?\n")


class Place(NamedTuple):
    """A line's turn (by its number in the view) and the bytes of the turn that it shows."""

    turn: int
    start: int
    stop: int


def part(follow: Follow, turn: Turn, start: int, stop: int) -> bytes:
    """Bytes `start` .. `stop` of a turn, without reading those before."""
    if turn.kind == "gap":
        return b""
    if follow.conversation is None:
        return follow.data(turn, stop)[start:]
    return follow.data(replace(turn, start=turn.start + start, length=min(stop, turn.length) - start))


class Lines:
    """One view of the turns of one or both sides. `origin` is the time (ns) that times are counted from."""

    def __init__(self, follow: Follow, turns: Sequence[Turn], view: str, width: int, origin: int, row: Callable[[int], Row] | None = None) -> None:
        """`row` gives the line of a packet (its index) as far as it is known: response times and errors are taken from it."""
        self.follow, self.turns, self.view, self.width, self.origin, self.row = follow, turns, view, max(8, width), origin, row
        self._breaks: list[list[int]] | None = None
        if view == "decoded":
            counts: list[int] = [1] * len(turns)
        elif view == "hex":
            counts = [1 if turn.kind == "gap" else max(1, -(-turn.length // WIDTH)) for turn in turns]
        elif sum(turn.length for turn in turns) <= SMALL:
            self._breaks = [self._text_breaks(turn) for turn in turns]
            counts = [len(breaks) for breaks in self._breaks]
        else:
            counts = [1 if turn.kind == "gap" else max(1, -(-turn.length // self.width)) for turn in turns]
        self._first = [0, *accumulate(counts)]

    def __len__(self) -> int:
        return self._first[-1]

    def _text_breaks(self, turn: Turn) -> list[int]:
        """Where the lines of a turn's text start."""
        data = self.follow.data(turn)
        starts: list[int] = []
        at = 0
        for end in [*(found.end() for found in BREAK.finditer(data)), len(data)]:
            starts.extend(range(at, end, self.width))
            at = end
        return starts or [0]

    def place(self, line: int) -> Place:
        turn = bisect_right(self._first, line) - 1
        within, one = line - self._first[turn], self.turns[turn]
        if self.view == "decoded" or one.kind == "gap":
            return Place(turn, 0, one.length)
        if self._breaks is not None:
            starts = self._breaks[turn]
            return Place(turn, starts[within], starts[within + 1] if within + 1 < len(starts) else one.length)
        step = WIDTH if self.view == "hex" else self.width
        return Place(turn, within * step, min(one.length, (within + 1) * step))

    def line_of(self, turn: int, offset: int = 0) -> int:
        """The line that shows a byte of a turn."""
        first = self._first[turn]
        if self.view == "decoded":
            return first
        if self._breaks is not None:
            return first + max(0, bisect_right(self._breaks[turn], offset) - 1)
        return min(first + offset // (WIDTH if self.view == "hex" else self.width), self._first[turn + 1] - 1)

    def text(self, line: int) -> str:
        """The line as it is shown: direction, then what the view shows."""
        number, start, stop = self.place(line)
        turn = self.turns[number]
        arrow = "c→s" if turn.from_client else "s→c"
        if turn.kind == "gap":
            return f"{arrow} ── {printable(turn.info)} ──"
        if self.view == "decoded":
            moment = "" if turn.time is None else seconds(turn.time - self.origin, 6 if self.width >= NARROW else 3)
            info = printable(turn.info) or ("data" if turn.kind == "data" else "")
            if turn.kind == "hole":
                info = f"[bytes of no message: {info}]"
            row = self.row(turn.packet) if self.row is not None and turn.kind == "message" else None
            took = duration(row.rrt) if row is not None and row.rrt is not None and row.mark == "┴" else ""
            sign = "!" if row is not None and row.severity == "error" else " "
            place = f"{size(turn.length):>9}  packet {turn.packet + 1:<7}" if self.width >= WIDE else ""
            head = f"{arrow} {moment:>{11 if self.width >= NARROW else 7}}" + (f" {took:>7}" if self.width >= LEAST else "")
            return f"{fit(f'{head} {sign}{info}', self.width + 4 - len(place))}{place}"
        head = arrow if start == 0 else "   "
        data = part(self.follow, turn, start, stop)
        if self.view == "text":
            return f"{head} {picture(data.rstrip(bytes((13, 10))))}"
        return f"{head} {hex_line(data, turn.start + start)}"

    def find(self, needle: str, start: Place, step: int) -> Iterator[Place | None]:
        """Search the words and bytes of the turns from behind `start` on, ignoring case; yields None now and then."""
        wanted, words = needle.encode().lower(), needle.lower()
        turns = range(start.turn, len(self.turns)) if step > 0 else range(start.turn, -1, -1)
        for number in turns:
            turn = self.turns[number]
            here = number == start.turn
            if self.view == "decoded" and not here and words in turn.info.lower():
                yield Place(number, 0, 0)
                return
            low, high = (start.start + 1, turn.length) if here and step > 0 else (0, start.start) if here else (0, turn.length)
            if self.view == "decoded" and here:
                continue
            yield from self._find_bytes(number, wanted, low, high, step)
            yield None

    def _find_bytes(self, number: int, wanted: bytes, low: int, high: int, step: int) -> Iterator[Place | None]:
        """Search bytes `low` .. `high` of a turn in chunks that overlap by the length of what is sought."""
        chunks = list(range(low, high, CHUNK))
        for at in chunks if step > 0 else reversed(chunks):
            data = part(self.follow, self.turns[number], at, min(self.turns[number].length, at + CHUNK + len(wanted) - 1)).lower()
            found = data.find(wanted) if step > 0 else data.rfind(wanted)
            if found >= 0 and low <= at + found < high:
                yield Place(number, at + found, at + found + len(wanted))
                return
            yield None
