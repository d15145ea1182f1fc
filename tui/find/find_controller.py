"""Find on the main screen: goes to the first hit as soon as there is one, and counts on beside the event loop.

The search begins behind the cursor, goes to the end and on from the start, so that `n` always has the nearest hits first. It runs over the packets
that are shown.
"""
from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from captures.find import FIELDS, Needle, Search, in_views, needle
from captures.packet.model import Packet
from protocols.engine.fields import printable
from tui.panes.panes import Panes
from tui.panes.tree_nodes import Node, Path, below, nodes
from tui.parts.keys import Press

if TYPE_CHECKING:
    from captures.capture import Capture
    from tui.parts.worker import Worker

PATIENCE = 0.03


class Finding:
    """`say` shows a message; `said` tells the one that is shown; `ask` opens the line that the needle is typed in."""

    def __init__(self, capture: Capture, worker: Worker, panes: Panes,
                 say: Callable[[str, str], None], said: Callable[[], str], ask: Callable[[], None]) -> None:
        self.capture, self.worker, self.panes = capture, worker, panes
        self.say, self.said, self.ask = say, said, ask
        self.text = ""
        self.hits: list[int] = []
        """Packets with a match, ascending."""
        self.search: Search | None = None
        self._needle: Needle | None = None
        self._done = self._total = 0
        self._step = 0
        """The direction in which a hit is awaited; 0 when none is."""
        self._from = 0
        self._words = ""
        self._stopped = False

    @property
    def running(self) -> bool:
        return self.worker.busy("search")

    def start(self, text: str) -> None:
        """Search for what was typed."""
        try:
            sought = needle(text)
        except ValueError as fault:
            self.say(f"find {printable(text)}: {fault}", "error")
            return
        if not self.panes.list.count:
            self.say("there are no packets to search", "warning")
            return
        self.text, self._needle = text, sought
        self.hits, self._step, self._from, self._stopped = [], 1, self.panes.index, False
        packets = self._order(self.panes.list.cursor + 1)
        self._done, self._total = 0, len(packets)
        self.search = search = Search(self.capture, sought, packets)
        self._say()
        self.worker.stream("search", search.steps(), self._found, self._ended, self._failed, PATIENCE)

    def _order(self, row: int) -> Sequence[int]:
        """The packets shown, from a row on and round to the one before it."""
        order: list[int] = np.roll(self.panes.list.packets(), -row).tolist()
        return order

    def _found(self, looked: list[tuple[int, bool]]) -> None:
        for packet, hit in looked:
            self._done += packet >= 0
            if hit:
                insort(self.hits, packet)
        if self._step:
            self._go(self._step)

    def _ended(self) -> None:
        if self._step:
            self._step, step = 0, self._step
            self._go(step, wrap=True)
        elif self.said() == self._words:
            self._say()

    def _failed(self, fault: str) -> None:
        self.say(fault, "error")

    def stop(self) -> bool:
        """Stop the search; returns whether there was one. Hits found stay."""
        if self.search is None or not self.worker.cancel("search"):
            return False
        self._step, self._stopped = 0, True
        self._say()
        return True

    def tick(self) -> None:
        """Count on, as long as nothing else was said."""
        if self.running and self._words and self.said() == self._words:
            self._say()

    # going to hits

    def do_find(self, _press: Press) -> None:
        self.ask()

    def do_hit_next(self, press: Press) -> None:
        self._again(press.times)

    def do_hit_previous(self, press: Press) -> None:
        self._again(-press.times)

    def _again(self, step: int) -> None:
        if self.search is None:
            self.say("nothing to find; Ctrl-F asks for it", "warning")
            return
        self._from = self.panes.index
        self._go(step, wrap=not self.running)

    def _go(self, step: int, wrap: bool = False) -> None:
        """Go to the hit so many hits away from where the search or the last step began; wait for it while the search runs."""
        hits, here = self.hits, self._from
        at = (bisect_right(hits, here) + step - 1) if step > 0 else (bisect_left(hits, here) + step)
        if not 0 <= at < len(hits):
            if not wrap or not hits:
                self._step = step if self.running else 0
                self._say()
                return
            at %= len(hits)
        self._step = 0
        self._arrive(hits[at])

    def _arrive(self, packet: int) -> None:
        panes = self.panes
        panes.arrived = self._locate
        panes.list.go_packet(packet)
        if panes.packet is not None and panes.packet.index == packet and panes.arrived is not None:
            panes.arrived = None
            self._locate(panes.packet)
        self._say()

    def _locate(self, packet: Packet) -> None:
        """Select what matches: the deepest field whose text does, or the bytes."""
        sought = self._needle
        if sought is None:
            return
        path = _matching(packet, sought, with_bytes=True) or _matching(packet, sought, with_bytes=False)
        if path is not None:
            self.panes.fields.select(path)
            return
        found = in_views(packet, sought)
        if found is not None:
            self.panes.hex.reveal(found[0], found[1][0])

    # words

    def _say(self) -> None:
        hits, here = self.hits, self.panes.index
        count = f"{len(hits):,}"
        if self.running:
            count += f" so far · {self._done / max(1, self._total):.0%} · Esc stops"
        elif self._stopped:
            count += f" in the {self._done / max(1, self._total):.0%} that were searched"
        at = bisect_left(hits, here)
        there = at < len(hits) and hits[at] == here and not self._step
        name = f"find {printable(self.text)}"
        other = self.search.across.get(here) if self.search is not None and there else None
        if not hits and not self.running:
            words, look = f"{name}: nothing" + (" so far" if self._stopped else " in list, fields and bytes"), "warning"
        else:
            words, look = f"{name}: {f'{at + 1:,} of ' if there else ''}{count}" + (f" · runs on into packet {other + 1:,}" if other is not None else ""), ""
        self._words = printable(words)
        self.say(words, look)


def _matching(packet: Packet, sought: Needle, with_bytes: bool) -> Path | None:
    """The path of the first field (that has bytes) whose text matches, or of the deepest below it that does too."""
    best: Node | None = None
    stack = list(nodes(packet.layers, ()))[::-1]
    for _ in range(FIELDS):
        if not stack:
            break
        node = stack.pop()
        if best is not None and node.path[:len(best.path)] != best.path:
            break
        if node.page is None and (node.field.length or not with_bytes) and sought.in_text(node.field.text):
            best = node
        if node.opens:
            stack.extend(list(below(node))[::-1])
    return best.path if best is not None else None


