"""The display filter in force: runs beside the event loop, in processes of its own where packets must be decoded, and fills the packet list while it does.

The list changes with the first packets found. The cursor stays on its packet, or as near to it as the filter shows one. Packets that are indexed
later are asked about later; what was read while the index was growing is asked once more when it is complete, since messages may have been cut off.
"""
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from tui.panes.packet_list import PacketList
from tui.parts.formats import duration
from tui.parts.visible import Shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from captures.capture import Capture
    from captures.filter import Filter, Names
    from captures.filter.parallel.pool import FilterPool, PoolRun
    from tui.parts.worker import Worker

PATIENCE = 0.04
"""Seconds that applying a filter waits for its first packets, so that a fast one changes the screen once."""
SLOW = 2.0
"""Seconds without a packet decided, after which the filter line tells at which packet it stands."""
GLANCE = 1.0
"""Seconds that the first hits may be seen before the cursor goes on to where it was; later the list stays still, whoever reads it."""
GROWING = 0.5
"""Seconds between two looks at packets that were indexed meanwhile."""


class Step(NamedTuple):
    """What a step of a run gave: `done` of `total` packets are decided."""

    packets: NDArray[np.int64]
    done: int
    total: int


class Filtering:
    """`say` shows a message, `changed` is called when the filter or its state are others."""

    def __init__(self, capture: Capture, worker: Worker, rows: PacketList, say: Callable[[str, str], None], changed: Callable[[], None]) -> None:
        self.capture, self.worker, self.list = capture, worker, rows
        self.say, self.changed = say, changed
        self.filter: Filter | None = None
        self.done = 0
        """Packets decided."""
        self._total = 0
        self._fresh: Shown | None = None
        self._anchor: int | None = None
        self._stood, self._row = -1, 0
        self._began = self._took = 0.0
        self._process: FilterPool | None = None
        self._run: PoolRun | None = None
        self._heard = 0.0
        """When a packet was last decided."""
        self._stopped = self._dirty = self._slow = False
        self._provisional = self._warm = False
        self._fault = ""

    @cached_property
    def names(self) -> Names:
        """The fields that a filter may name; made on first use (0.2 s)."""
        from captures.filter import Names
        return Names(self.capture.registry)

    @property
    def text(self) -> str:
        return self.filter.text if self.filter is not None else ""

    @property
    def running(self) -> bool:
        return self.worker.busy("filter")

    @property
    def status(self) -> tuple[str, str]:
        """What the filter line says of the filter, and its look."""
        if self.filter is None:
            return "", ""
        found, total = len(self.list.shown or ()), len(self.capture)
        if self._fault:
            return f"✗ {found:,} of the first {self.done:,}: {self._fault}", "error"
        if self._stopped:
            return f"■ {found:,} of the first {self.done:,}", "warning"
        if self.running and not self._fresh:
            part = f"slow at {self.done + 1:,}" if self._slow else f"{min(1.0, self.done / max(1, self._total)):.0%}"
            return f"… {found:,} · {part} · Esc stops", ""
        counts = f"{found:,} of {total:,}"
        return (f"⚠ {counts}", "warning") if self.filter.warnings else (f"✓ {counts} · {duration(round(self._took * 1e9))}", "good")

    # applying

    def apply(self, filter_: Filter | None) -> None:
        """Show what a filter shows; None shows all packets."""
        self._halt()
        packet = self.list.packet if self.list.packet >= 0 else max(0, self._stood)
        self.filter = filter_ if filter_ is not None and filter_.node is not None else None
        self._stopped, self._fault, self._fresh, self._provisional = False, "", None, False
        if self.filter is None:
            self.list.show_only(None, packet)
        else:
            self._anchor = self._stood = packet
            self.done = 0
            self._start(replace=True)
        self.changed()

    def again(self) -> None:
        """Packets have other contents now."""
        self.apply(self.filter)

    def stop(self) -> bool:
        """Stop a run; returns whether there was one. What was found stays."""
        if not self._halt():
            return False
        if self._fresh is not None:
            self._fresh = None      # the old answer stays whole
        else:
            self._stopped = True
        self._show()
        self.changed()
        return True

    def close(self) -> None:
        """The program ends."""
        self._halt()
        if self._process is not None:
            self._process.close()

    def _halt(self) -> bool:
        """Give up the run; returns whether there was one."""
        if self._run is not None:
            self._run.stop()
        return self.worker.cancel("filter")

    def _start(self, replace: bool) -> None:
        """Run from `done` on; `replace` begins the list anew with the first packets found."""
        filter_ = self.filter
        assert filter_ is not None
        self._began, self._total = time.monotonic(), len(self.capture)
        self._provisional = not self.capture.complete
        waiting = replace

        def begin() -> None:
            nonlocal waiting
            if waiting:
                waiting = False
                self.list.show_only(Shown(), 0)
                self._row = self.list.cursor

        def each(steps: list[Step]) -> None:
            if not self._decided(steps):
                return
            begin()
            shown = self.list.shown
            assert shown is not None
            for step in steps:
                shown.add(step.packets)
            few = len(shown) < 2 * self.list.page
            self._dirty = True
            if few:
                self._show()
                self.changed()

        def then() -> None:
            begin()
            self._took = time.monotonic() - self._began
            self.done = self._total
            self._show()
            self.changed()

        def failed(fault: str) -> None:
            begin()
            self._failed(fault)

        reference = self._anchor if self._anchor is not None and self._anchor < len(self.capture) else None
        self.worker.stream("filter", self._steps(filter_, self.done, reference), each, then, failed, PATIENCE)

    def _decided(self, steps: list[Step]) -> bool:
        """Take notice of how far a run is; returns whether it has come any further."""
        if not steps or (steps[-1].done == self.done and not any(len(step.packets) for step in steps)):
            return False
        self.done, self._total = steps[-1].done, steps[-1].total
        self._heard, self._slow = time.monotonic(), False
        return True

    def _steps(self, filter_: Filter, first: int, reference: int | None) -> Iterator[Step]:
        """A run, as steps for the worker's thread."""
        from captures.filter.parallel.pool import FilterPool
        if self._process is None:
            self._process = FilterPool(self.capture)
        self._run = run = self._process.run(filter_, self.names, first, reference)
        self._heard, self._slow = time.monotonic(), False
        return (Step(packets, run.done, run.total) for packets in run)

    def _failed(self, fault: str) -> None:
        self._fault, self._fresh = fault, None
        self._show()
        self.say(fault, "error")
        self.changed()

    def _show(self) -> None:
        """Have the list take notice of what was found."""
        if self.list.cursor != self._row:
            self._anchor = None     # the user has moved meanwhile
        ended = not self.running and time.monotonic() - self._began < GLANCE
        self.list.shown_more(self._anchor if ended else None)
        self._row = self.list.cursor
        self._stood = self.list.packet if self.list.packet >= 0 else self._stood
        if not self.running:
            self._anchor = None
        self._dirty = False

    def tick(self) -> None:
        """Show what was found since, and go on with what was indexed since; called a few times a second."""
        if self.filter is None:
            if self.capture.complete and not self._warm:
                self._warm = True
                self.worker.ask("check", lambda: self.names, lambda _: None, lambda _fault: None)   # so that `/` need not wait for it
            return
        slow = self.running and time.monotonic() - self._heard > SLOW
        if self._dirty or slow != self._slow:
            self._slow = slow
            self._show()
            self.changed()
        if self.running or self._stopped or self._fault:
            return
        complete = self.capture.complete
        if complete and self._provisional and self._reads():
            self._refine()
        elif self.done < len(self.capture) and (complete or time.monotonic() - self._began > GROWING):
            self._start(replace=False)

    def _reads(self) -> bool:
        """Whether the filter asks for more than single packets tell."""
        from captures.values.field_names import Reach
        return self.filter is not None and any(field.reach > Reach.LOWER for field in self.filter.fields.values())

    def _refine(self) -> None:
        """Ask about every packet again, and show the new answer once it is whole."""
        filter_ = self.filter
        assert filter_ is not None
        self._provisional = False
        fresh = self._fresh = Shown()
        began = time.monotonic()

        def each(steps: list[Step]) -> None:
            for step in steps:
                fresh.add(step.packets)
                self._total = step.total

        def then() -> None:
            self._fresh = None
            self.done, self._took = self._total, time.monotonic() - began
            self.list.show_only(fresh, self.list.packet if self.list.packet >= 0 else self._stood)
            self.changed()

        self.worker.stream("filter", self._steps(filter_, 0, None), each, then, self._failed)
