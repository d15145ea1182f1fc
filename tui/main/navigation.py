"""Ways from packet to packet on the main screen: numbers, pairs, streams, errors and marks; all of them keep to the packets that are shown."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from tui.panes.panes import PATIENCE, Panes
from tui.parts.keys import Press

if TYPE_CHECKING:
    from captures.capture import Capture
    from tui.parts.worker import Worker

MOST_STEPS = 100_000


class Going:
    """`say` shows a message."""

    def __init__(self, capture: Capture, worker: Worker, panes: Panes, say: Callable[[str, str], None]) -> None:
        self.capture, self.worker, self.panes, self.say = capture, worker, panes, say
        self.marks: dict[str, int] = {}
        self._came_from: int | None = None
        self._host = 0

    def jump(self, index: int, near: bool = False) -> None:
        """Go to a packet, remembering from where; `near`: to the nearest one if the filter hides it."""
        if not 0 <= index < len(self.capture):
            self.say(f"there is no packet {index + 1:,}; the last is {len(self.capture):,}", "warning")
            return
        rows = self.panes.list
        if not rows.shows(index):
            self.say(f"packet {index + 1:,} is hidden by the filter; :clear shows all", "warning")
            if not near:
                return
        self._came_from = self.panes.index
        rows.go_packet(index)

    def do_peer(self, _press: Press) -> None:
        """Go to the other packet of the pair. One that the filter hides is shown until this is called again, which leads back."""
        rows = self.panes.list
        guest, host = rows.guest, self._host
        if guest is not None:
            there = rows.packet == guest
            if there:
                rows.go_packet(host)
            rows.invite(None)
            if there:
                return
        self._find("its request or response", self.capture.peer_packet, self.panes.index, show=True)

    def do_stream_next(self, press: Press) -> None:
        self._find("a later packet of this stream", self._neighbour, self.panes.index, press.times)

    def do_stream_previous(self, press: Press) -> None:
        self._find("an earlier packet of this stream", self._neighbour, self.panes.index, -press.times)

    def _neighbour(self, index: int, steps: int) -> int | None:
        found: int | None = None
        left, step = min(abs(steps), MOST_STEPS), 1 if steps > 0 else -1
        while left:
            following = self.capture.neighbour(index, step)
            if following is None:
                break
            index = following
            if self.panes.list.shows(index):
                found, left = index, left - 1
        return found

    def _find(self, what: str, work: Callable[..., int | None], *arguments: int, show: bool = False) -> None:
        start = self.panes.index
        if start < 0:
            return

        def then(found: int | None) -> None:
            if found is None:
                self.say(f"there is no {what.removeprefix('a ').removeprefix('an ').removeprefix('its ')} here", "warning")
            elif self.panes.index == start:
                rows = self.panes.list
                if show and not rows.shows(found):
                    self._host = start
                    rows.invite(found)
                    self.say(f"packet {found + 1:,} is hidden by the filter and shown until r goes back", "")
                self.jump(found)

        self.worker.ask("go", partial(work, *arguments), then, lambda fault: self.say(fault, "error"), PATIENCE)

    def do_error_next(self, _press: Press) -> None:
        self._search_errors(1)

    def do_error_previous(self, _press: Press) -> None:
        self._search_errors(-1)

    def _search_errors(self, step: int) -> None:
        def then(found: int | None) -> None:
            if found is None:
                self.say(f"no error {'after' if step > 0 else 'before'} this packet", "warning")
            else:
                self.say("", "")
                self.jump(found)

        self.say("searching for an error … Esc stops", "")
        self.worker.search(self._errors(step), then, lambda fault: self.say(fault, "error"))

    def _errors(self, step: int) -> Iterator[int | None]:
        rows = self.panes.list
        if rows.view is None:
            return self.capture.errors(self.panes.index, step)
        packets = rows.packets()[rows.cursor + 1:] if step > 0 else rows.packets()[:rows.cursor][::-1]
        return (packet if self.capture.row(packet).severity == "error" else None for packet in packets.tolist())

    def do_mark(self, press: Press) -> None:
        """Mark the packet with a letter; `.` sets or clears a plain mark."""
        rows, index = self.panes.list, self.panes.index
        if index < 0:
            return
        if press.letter == ".":
            if rows.marks.pop(index, None) is None:
                rows.marks[index] = "*"
        else:
            old = self.marks.get(press.letter)
            if old is not None:
                rows.marks.pop(old, None)
            self.marks[press.letter] = index
            rows.marks[index] = press.letter
            self.say(f"packet {index + 1:,} is marked {press.letter}", "")
        rows.paint()

    def do_go_mark(self, press: Press) -> None:
        place = self._came_from if press.letter == "'" else self.marks.get(press.letter)
        if place is None:
            self.say("no jump to go back from" if press.letter == "'" else f"no packet is marked {press.letter}", "warning")
        else:
            self.jump(place)
