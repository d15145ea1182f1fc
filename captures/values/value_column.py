"""Values that were read for a filter, kept by field and packet, so that the next filter on the field reads nothing.

A `ValueColumn` holds one field of the whole capture as columns: for each packet where its values stand, for each value the number of a distinct one.
Tests are tried once a distinct value and looked up for the rest.
"""
from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["News", "Slots", "ValueColumn"]

Array = NDArray[Any]


class Slots:
    """The values of a field in some packets, one row a value: `codes[k]` is the value's code, and `position[k]` (ascending) says which packet has it, as a
    place in the array of packets that was asked about. Asked about packets 4, 7 and 9, a value of packet 7 has position 1. `counts` has a row for each of
    these packets: how many values it has."""

    __slots__ = ("codes", "counts", "position")

    def __init__(self, position: Array, codes: Array, counts: Array) -> None:
        self.position = position
        self.codes = codes
        self.counts = counts


class News(NamedTuple):
    """What came to a column since it was asked last: packets (ascending), how many values each has, and their codes; `values` are the distinct values
    that came, whose codes follow those of the values before."""

    packets: Array
    counts: Array
    codes: Array
    values: list[Any]


class ValueColumn:
    """One field. `distinct` are its values by code. With `telling` it takes note of what comes, for `news`."""

    def __init__(self, telling: bool = False) -> None:
        self._came: list[Array] | None = [] if telling else None
        self._told = 0
        self.distinct: list[Any] = []
        self._number: dict[Any, int] = {}
        self._codes = array("i")
        self._start = np.full(0, -1, np.int64)
        self._count = np.zeros(0, np.int32)

    @property
    def nothing(self) -> int:
        """The code of a value that a message does not have; -2 where all have one."""
        return self._number.get(None, -2)

    @property
    def size(self) -> int:
        """How many values are kept."""
        return len(self._codes)

    def unread(self, packets: Array) -> Array:
        """Those of the packets (ascending) that were not read yet."""
        known = int(np.searchsorted(packets, len(self._start)))
        missing: Array = self._start[packets[:known]] < 0
        return np.concatenate((packets[:known][missing], packets[known:])) if known < len(packets) or missing.any() else packets[:0]

    def codes_of(self, values: Sequence[Any]) -> Array:
        """The codes (int32) of some values."""
        number, distinct = self._number, self.distinct
        codes = np.zeros(len(values), np.int32)
        for k, value in enumerate(values):
            code = number.get(value, -1)
            if code < 0:
                code = number[value] = len(distinct)
                distinct.append(value)
            codes[k] = code
        return codes

    def add_codes(self, packets: Array, counts: Array, codes: Array) -> None:
        """Keep the values of packets (ascending) that were not read yet, `counts` by packet, by their codes."""
        if not len(packets):
            return
        self._make_room(int(packets[-1]) + 1)
        if self._came is not None:
            self._came.append(packets)
        base = len(self._codes)
        self._codes.frombytes(codes.astype(np.int32).tobytes())
        self._start[packets] = base + np.cumsum(counts) - counts
        self._count[packets] = counts

    def add_nothing(self, packets: Array) -> None:
        """Keep that those of the packets (ascending) which were not read yet have no value."""
        fresh = self.unread(packets)
        self.add_codes(fresh, np.zeros(len(fresh), np.int64), np.zeros(0, np.int32))

    def _make_room(self, top: int) -> None:
        if top > len(self._start):
            room = max(top, len(self._start) * 2, 1024)
            start, count = np.full(room, -1, np.int64), np.zeros(room, np.int32)
            start[: len(self._start)], count[: len(self._count)] = self._start, self._count
            self._start, self._count = start, count

    def add(self, packets: Array, values: Sequence[Iterable[Any]]) -> None:
        """Keep the values of packets that were not read yet."""
        if not len(packets):
            return
        self._make_room(int(packets.max()) + 1)
        if self._came is not None:
            self._came.append(packets)
        number, distinct, codes = self._number, self.distinct, self._codes
        base = len(codes)
        counts = np.zeros(len(packets), np.int32)
        for k, found in enumerate(values):
            before = len(codes)
            for value in found:
                code = number.get(value, -1)
                if code < 0:
                    code = number[value] = len(distinct)
                    distinct.append(value)
                codes.append(code)
            counts[k] = len(codes) - before
        self._start[packets] = base + np.cumsum(counts) - counts
        self._count[packets] = counts

    def news(self) -> News | None:
        """What came since this was called last, None for nothing; the first time what came since `telling`."""
        if not self._came:
            return None
        packets = np.sort(np.concatenate(self._came))
        self._came = []
        values = self.distinct[self._told:]
        self._told += len(values)
        return News(packets, self._count[packets], self.slots(packets).codes, values)

    def tell(self) -> None:
        """Take note of what comes from now on; all distinct values so far count as new."""
        self._came = []

    def slots(self, packets: Array) -> Slots:
        """The values of packets that were read."""
        counts = self._count[packets]
        total = int(counts.sum())
        if total and total == len(packets) == int(np.count_nonzero(counts)):
            return Slots(np.arange(total), np.frombuffer(self._codes, np.int32)[self._start[packets]], counts)
        position = np.repeat(np.arange(len(packets)), counts)
        places = np.repeat(self._start[packets] - (np.cumsum(counts) - counts), counts) + np.arange(total)
        # a copy: an array that exports its buffer cannot grow
        codes = np.frombuffer(self._codes, np.int32)[places] if total else np.zeros(0, np.int32)
        return Slots(position, codes, counts)

    def lists(self, packets: Array) -> list[list[Any]]:
        """The values of packets that were read, a list for each."""
        slots = self.slots(packets)
        values = [self.distinct[code] for code in slots.codes.tolist()]
        ends = np.cumsum(slots.counts).tolist()
        return [values[end - count : end] for end, count in zip(ends, slots.counts.tolist(), strict=True)]

    def nth(self, packets: Array, ordinal: Array) -> Array:
        """The code of the n-th value of each packet, -1 where there are fewer."""
        out = np.full(len(packets), -1, np.int32)
        there = ordinal < self._count[packets]
        if there.any():
            out[there] = np.frombuffer(self._codes, np.int32)[self._start[packets[there]] + ordinal[there]]
        return out

    def counts(self, packets: Array) -> Array:
        return self._count[packets]
