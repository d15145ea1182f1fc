"""Where the records of a capture begin: the chain of length fields followed for a window at a time.

Both formats are chains: a record's place is known from the length of the one before. 256 cursors follow the chain of a window of
32 MiB in lock step, from starts that were guessed by looking at the bytes; numpy then has 256 cache misses under way where a loop
has one. The result is exact, not likely: it counts only when every cursor lands on the very place its successor began at, which by
induction makes all of them part of the one chain from the window's known start. Otherwise a plain loop does the window, so a
capture embedded in a payload costs speed and nothing else.
"""
from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from mmap import mmap

import numpy as np
from numpy.typing import NDArray

FIRST = 512 << 10               # the first window: a screenful in a few milliseconds
WINDOW = 32 << 20
PLAIN = 2 << 20                 # windows up to this length are done by the plain loop, and pieces of larger ones where the cursors failed
CURSORS = 256
ROUNDS = 32                     # hops between two looks at which cursors are done
REACH = 256 << 10               # bytes searched for the start of a cursor
GUESSES = 64                    # places looked at for it, for each pattern
MISSES = 16                     # cursors without a start after which the loop is the faster way
CHUNK = 65_536
LARGEST_RECORD = 256 << 20      # bytes; a longer packet is damage


@dataclass(slots=True)
class Records:
    """A run of consecutive packets in file order, at most 65,536 of them; all arrays are of one length."""

    off: NDArray[np.uint64]     # where the packet's first byte lies in the buffer
    ts: NDArray[np.int64]       # nanoseconds since 1970 UTC; `clock.NO_TIME` where the file has none
    cap: NDArray[np.uint32]     # bytes captured
    wire: NDArray[np.uint32]    # bytes on the wire
    iface: NDArray[np.uint16]   # index in the source's interfaces

    def split(self) -> list[Records]:
        """The same packets in runs of at most 65,536."""
        return [
            Records(self.off[i : i + CHUNK], self.ts[i : i + CHUNK], self.cap[i : i + CHUNK], self.wire[i : i + CHUNK], self.iface[i : i + CHUNK])
            for i in range(0, len(self.off), CHUNK)
        ]


def joined(runs: list[Records]) -> Records:
    """Runs behind one another as one, which may be longer than 65,536 packets."""
    if len(runs) == 1:
        return runs[0]
    return Records(*(np.concatenate([getattr(one, name) for one in runs]) for name in Records.__slots__))


def rows(buffer: mmap, off: NDArray[np.int64], layout: np.dtype[np.void]) -> NDArray[np.void]:
    """One structured row for each offset; rows that reach beyond the buffer are filled up with zeros."""
    width = layout.itemsize
    inside = int(np.searchsorted(off, len(buffer) - width, "right"))
    out = np.empty(len(off), f"V{width}")
    if inside:
        out[:inside] = np.ndarray((len(buffer) - width + 1,), f"V{width}", buffer, strides=(1,))[off[:inside]]
    for k in range(inside, len(off)):
        out[k] = np.void(buffer[int(off[k]) : int(off[k]) + width].ljust(width, b"\0"))
    return out.view(layout)


class Chain(ABC):
    """A chain of records in one byte order: `length_at` bytes into a record stands a 32-bit length, to which `extra` is added to reach the next."""

    header: int                 # bytes that must be there for a record's length and kind to be read
    least: int                  # a smaller step is damage

    def __init__(self, buffer: mmap, order: str, length_at: int, extra: int) -> None:
        self.buffer = buffer
        self.length_at = length_at
        self.extra = extra
        self.lengths = np.ndarray((len(buffer) - length_at - 3,), f"{order}u4", buffer, offset=length_at, strides=(1,))
        self.plain_until = 0

    @abstractmethod
    def patterns(self) -> list[tuple[bytes, int]]:
        """Bytes that a record near the last one found may hold, and where in it they stand; the likeliest first."""

    @abstractmethod
    def likely(self, place: int, end: int) -> bool:
        """Whether several records in a row seem to begin at `place`, judged by bytes before `end`."""

    @abstractmethod
    def plain(self, start: int, end: int) -> tuple[NDArray[np.int64], int]:
        """`window` by a loop over the records."""

    def window(self, start: int, end: int) -> tuple[NDArray[np.int64], int]:
        """The record starts in [start, stop) and the start of the record after them, where `start` is one and `stop` is `end` or, to keep
        memory small, less. The `header` bytes behind every place below `end` must be there. Every record but the last ends below `end`."""
        if end - start > PLAIN and start >= self.plain_until:
            found = self.lock_step(start, end)
            if found is not None:
                return found
            self.plain_until = end
        return self.plain(start, min(end, start + PLAIN))

    def lock_step(self, start: int, end: int) -> tuple[NDArray[np.int64], int] | None:
        """`window` by cursors; None when the guessed starts were too few or do not lie on the chain."""
        cursor = self.starts(start, end)
        if cursor is None:
            return None
        goal = np.append(cursor[1:], end)
        found = []
        after = end
        while len(cursor):
            path = self.hop(cursor, min(end, len(self.lengths) - 1))
            inside = path < goal
            found.append(path[:-1][inside[:-1]])
            hops = inside.sum(axis=0)                       # places of the path before the goal: positions only grow
            ended = hops <= ROUNDS
            where = path[hops[ended], np.flatnonzero(ended)]
            here = goal[ended]
            if len(where):
                if here[-1] == end:
                    after = int(where[-1])
                    here = here[:-1]
                if (where[: len(here)] != here).any():
                    return None
            if (path[-1] - path[-2] < self.least)[~ended].any():
                return None
            cursor, goal = path[-1][~ended], goal[~ended]
        off = np.concatenate(found)
        off.sort(kind="stable")                              # which merges runs
        return off, after

    def hop(self, cursor: NDArray[np.int64], highest: int) -> NDArray[np.int64]:
        """The places of all cursors before and after each of ROUNDS hops, a row each. From `highest` on they mean nothing but that."""
        path = np.empty((ROUNDS + 1, len(cursor)), np.int64)
        path[0] = cursor
        for before, behind in pairwise(path):
            np.minimum(before, highest, out=behind)
            behind += self.lengths[behind]
            behind += self.extra
        return path

    def starts(self, start: int, end: int) -> NDArray[np.int64] | None:
        """`start` and up to CURSORS - 1 likely starts spread over [start, end); None if too many of them were not found."""
        found = [start]
        searched = start
        misses = 0
        for k in range(1, CURSORS):
            position = max(start + (end - start) * k // CURSORS, searched)
            if position <= found[-1]:
                continue
            limit = min(position + REACH, end)
            place = self.start(position, limit, end)
            if place > found[-1]:
                found.append(place)
            elif place < 0:
                searched = limit
                misses += 1
                if misses > MISSES:
                    return None
        return np.array(found, np.int64)

    def start(self, position: int, limit: int, end: int) -> int:
        """A likely record start in [position, limit), -1 if none was found."""
        for pattern, at in self.patterns():
            guesses = GUESSES
            place = self.buffer.find(pattern, position + at, limit)
            while place >= 0 and guesses:
                if self.likely(place - at, end):
                    return place - at
                guesses -= 1
                place = self.buffer.find(pattern, place + 1, limit)
        return -1


@cache
def reader(order: str, form: str) -> struct.Struct:
    """A struct for numbers in byte order "<" or ">"."""
    return struct.Struct(order + form)
