"""Sorting the packets shown by a column: what the index knows is sorted at once, the rest is read row by row beside the event loop.

The order belongs to the packets that were shown; under another filter it is made anew as soon as that is done. Rows that have no value come last in
both directions, equal ones keep the order of the capture, and the cursor stays on its packet.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from captures.file.clock import NO_TIME
from captures.index.columns import Columns
from tui.panes.packet_list import PacketList
from tui.parts.keys import Press
from tui.parts.visible import Ordered

if TYPE_CHECKING:
    from captures.capture import Capture
    from captures.packet.model import Row
    from tui.parts.worker import Worker

LETTERS = {"n": "No.", "t": "Time", "r": "RRT", "s": "Source", "d": "Destination", "p": "Protocol", "l": "Length", "i": "Info"}
INDEXED: dict[str, Callable[[Columns], NDArray[Any]]] = {"Time": lambda columns: columns.ts, "Length": lambda columns: columns.wire}
"""Columns that the index knows."""
LARGEST_FIRST = ("RRT", "Length")
"""Columns whose first order is descending: one looks for the slowest and the largest."""
VALUES: dict[str, Callable[[Row], Any]] = {
    "RRT": lambda row: row.rrt, "Source": lambda row: _address(row.source), "Destination": lambda row: _address(row.destination),
    "Protocol": lambda row: row.protocol.lower(), "Info": lambda row: row.info.lower(),
}
"""What a row is sorted by; None and "" have no place in the order."""
STRIDE = 64
"""Rows read between two looks at the clock."""
PATIENCE = 0.04


def _address(text: str) -> tuple[str, int] | str:
    host, _, port = text.rpartition(":")
    return (host, int(port)) if port.isdigit() else (text, 0) if text else ""


def ordered(packets: Sequence[int], values: Sequence[Any], descending: bool) -> list[int]:
    """Packets by their values, those without one behind all others."""
    there = [at for at, value in enumerate(values) if value is not None and value != ""]
    there.sort(key=values.__getitem__, reverse=descending)      # stable in both directions
    missing = [at for at, value in enumerate(values) if value is None or value == ""]
    return [packets[at] for at in there + missing]


def ordered_at_once(packets: Sequence[int], values: NDArray[Any], descending: bool) -> list[int]:
    """The same for numbers, of which NO_TIME has no place."""
    numbers = values[packets].astype(np.int64)
    there = np.flatnonzero(numbers != NO_TIME)
    order = np.argsort(-numbers[there] if descending else numbers[there], kind="stable")
    return np.asarray(packets)[np.concatenate((there[order], np.flatnonzero(numbers == NO_TIME)))].tolist()     # type: ignore[no-any-return]


class Sorting:
    """`say` shows a message; `filtered` tells whether the filter has found all it will find."""

    def __init__(self, capture: Capture, worker: Worker, rows: PacketList, say: Callable[[str, str], None], filtered: Callable[[], bool]) -> None:
        self.capture, self.worker, self.list, self.say, self._filtered = capture, worker, rows, say, filtered
        self.column = ""
        """The column wanted; "" for the capture's own order."""
        self.descending = False
        self._done = self._total = 0
        self._waits = False

    @property
    def running(self) -> bool:
        return self.worker.busy("sort")

    def do_sort(self, press: Press) -> None:
        column = LETTERS.get(press.letter)
        if column is None:
            self.say("sort by: " + "  ".join(f"{letter} {name}" for letter, name in LETTERS.items()), "warning")
        else:
            self.by(column, column in LARGEST_FIRST)

    def do_sort_reverse(self, _press: Press) -> None:
        self.by(self.column or "No.", not self.descending)

    def clicked(self, column: str) -> None:
        """A column's head was clicked: sort by it; the same once more turns the order round."""
        self.by(column, not self.descending if column == self.column else column in LARGEST_FIRST)

    def by(self, column: str, descending: bool) -> None:
        """Sort by a column, from now on and under other filters, too."""
        self.worker.cancel("sort")
        self.column, self.descending = column, descending
        if column == "No." and not descending:
            self.column = ""
            self.list.order_by(None, "", "")
            self.say("in the order of the capture", "")
        else:
            self._waits = True
            self.tick()
            if self._waits:
                self.say("sorted as soon as the filter and the index are done", "")

    def tick(self) -> None:
        """Sort what is shown once it is whole; called a few times a second."""
        if self.column and not self.running and not self.list.sort_sign[0] and not self._waits and self._filtered():
            self._waits = True      # the filter changed
        if self._waits and self._filtered() and self.capture.complete:
            self._waits = False
            self._start()
        elif self.running and self._total:
            self.say(f"sorting by {self.column} … {self._done / self._total:.0%} · Esc stops", "")

    def stop(self) -> bool:
        """Stop sorting; returns whether it was going on. The rows stay as they are."""
        if not self.worker.cancel("sort") and not self._waits:
            return False
        self._waits, self.column = False, self.list.sort_sign[0]
        self.say("sorting stopped", "")
        return True

    def _start(self) -> None:
        column, descending, shown = self.column, self.descending, self.list.shown
        packets: list[int] = np.arange(len(self.capture)).tolist() if shown is None else shown.packets.tolist()
        found: list[list[int]] = []
        self._done, self._total = 0, len(packets)

        def steps() -> Iterator[int]:
            if column == "No.":
                found.append(packets[::-1])
                return
            if column in INDEXED:
                found.append(ordered_at_once(packets, INDEXED[column](self.capture.columns), descending))
                return
            value, values = VALUES[column], []
            for at, packet in enumerate(packets):
                values.append(value(self.capture.row(packet)))
                if not at % STRIDE:
                    yield at
            found.append(ordered(packets, values, descending))

        def each(done: list[int]) -> None:
            self._done = done[-1] if done else self._done

        def then() -> None:
            if self.list.shown is not shown:
                self._waits = True
                return
            self.list.order_by(Ordered(np.array(found[0], np.int32)), column, "▼" if descending else "▲")
            first = "largest" if column in ("RRT", "Length") else "last"
            self.say(f"sorted by {column}{f', {first} first' if descending else ''}; O reverses, on is the order of the capture", "")

        self.worker.stream("sort", steps(), each, then, lambda fault: self.say(fault, "error"), PATIENCE)
