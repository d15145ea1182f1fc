"""Which fields and values a capture holds, known from some of its packets: a bounded number of them, taken evenly from the whole."""
from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from protocols.engine.fields import walk
from tui.panes.copying import literal

if TYPE_CHECKING:
    from captures.capture import Capture

PACKETS = 1_500
SECONDS = 2.0
FIELDS = 5_000
"""Fields read of one packet at most."""
DISTINCT = 500
"""Values kept of one field at most."""
LONGEST_VALUE = 80
"""Longer values are not worth choosing."""
SMALL_STREAM = 2_000
"""Packets of a stream that is read for the sample; of larger ones the application layer counts only where it was read for something else."""


class Seen(NamedTuple):
    """A value, and how a filter writes it."""

    text: str
    value: Any


class Sample:
    """Counts by field name; grows while `steps` runs."""

    def __init__(self) -> None:
        self.packets = 0
        self._with: Counter[str] = Counter()
        self._values: dict[str, Counter[Seen]] = {}

    def packets_with(self, name: str) -> int:
        """In how many packets of the sample the field occurs."""
        return self._with[name]

    @property
    def names(self) -> Iterable[str]:
        """The fields met."""
        return self._with

    def values(self, name: str) -> list[tuple[Seen, int]]:
        """The field's values, the most frequent first."""
        found = self._values.get(name)
        return list(found.most_common()) if found is not None else []

    def steps(self, capture: Capture) -> Iterator[None]:
        """Read packet after packet, until there are enough or the time is up."""
        end = time.monotonic() + SECONDS
        count = len(capture)
        chosen = np.unique(np.linspace(0, count - 1, min(count, PACKETS)).astype(np.int64)).tolist() if count else []
        for index in chosen:
            self._take(capture, index)
            yield
            if time.monotonic() > end:
                return

    def _take(self, capture: Capture, index: int) -> None:
        names: set[str] = set()
        stream = capture.stream_of(index)
        large = stream is not None and len(capture.members(stream)) > SMALL_STREAM
        for number, field in enumerate(walk(capture.packet(index, ready_only=large).layers)):
            if number >= FIELDS:
                break
            name = field.name
            if field.absent:
                continue
            names.add(name)
            known = self._values.get(name)
            if known is None:
                known = self._values[name] = Counter()
            if isinstance(field.value, (bytes, bytearray, memoryview)) and len(field.value) > LONGEST_VALUE // 3:
                continue
            text = literal(field)
            if text is None or len(text) > LONGEST_VALUE:
                continue
            seen = Seen(text, field.value if isinstance(field.value, (int, str)) else None)
            if seen in known or len(known) < DISTINCT:
                known[seen] += 1
        self._with.update(names)
        self.packets += 1
