"""The packet list: asks the capture for the rows on the screen and writes each as one run of one style.

Columns are dropped by priority on narrow screens; addresses are shortened in their middle, never cut. Info takes what is left, and
scrolls sideways on its own. Under a filter a row stands for the packet that `Shown` names; numbers, marks and times stay those of the packet.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual.strip import Strip

from captures.least_used import LeastUsed
from captures.packet.model import Row
from tui.app.keys import Press
from tui.main.formats import TIME_FORMATS, duration, fit, fit_middle
from tui.main.pane import Rows
from tui.main.row_source import RowSource
from tui.main.visible import Shown

if TYPE_CHECKING:
    from captures.capture import Capture

SEVERITY = {"error": "!", "warning": "▲", "note": "·", "": " "}
INFO_STEP = 16
KEPT_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class ListColumns:
    """What fits: widths by column name, in the order in which they are shown; Info gets the rest."""

    widths: tuple[tuple[str, int], ...]

    @property
    def fixed(self) -> int:
        return sum(width + 1 for _, width in self.widths)


def choose_columns(screen: int, number: int, time: int, address: int, protocol: int) -> ListColumns:
    """The columns for a screen of `screen` cells, given what the widest number, time, address and protocol in sight need."""
    known = {"No.": number, "Time": time, "RRT": 9, "Source": address, "Destination": address, "Protocol": protocol, "Length": 6}
    if screen >= 160:
        names = ["No.", "Time", "RRT", "Source", "Destination", "Protocol", "Length"]
    elif screen >= 100:
        names = ["No.", "Time", "RRT", "Source", "Destination", "Protocol"]
    elif screen >= 80:
        names = ["No.", "Time", "RRT", "Protocol"]
    elif screen >= 60:
        names = ["No.", "RRT"]
    else:
        names = ["No."]
    if screen < 160:
        known["Source"] = known["Destination"] = min(address, 21)
        known["RRT"] = 9
    return ListColumns(tuple((name, known[name]) for name in names))


class PacketList(Rows):
    """A line a packet."""

    context = "packets"
    head = 1
    COMPONENT_CLASSES = {"packets--header", "packets--error", "packets--warning", "packets--note", "packets--response", "packets--lit"}
    DEFAULT_CSS = """
    PacketList {
        & > .packets--header { text-style: bold underline; color: $foreground; }
        & > .packets--error { color: $text-error; background: $error-muted; }
        & > .packets--warning { color: $text-warning; }
        & > .packets--note { color: $foreground 70%; }
        & > .packets--response { color: $text-primary; }
        & > .packets--lit { text-style: bold; }
    }
    """

    def __init__(self, capture: Capture, moved: Callable[[], None]) -> None:
        """`moved` is called when the cursor stands on another packet."""
        super().__init__(id="packets")
        self.set_title("Packets")
        self._moved = moved
        self.capture = capture
        self._rows = RowSource(capture)
        self.time_format = TIME_FORMATS[0]
        self.shown: Shown | None = None
        """The packets that a filter shows; None for all."""
        self.reference: int | None = None
        self.marks: dict[int, str] = {}
        """Letters shown beside marked packets, by index."""
        self.sideways = 0
        self.screen_width = 0
        """The terminal's width, which decides the columns; 0 while not known."""
        self._known: LeastUsed[int, Row] = LeastUsed(KEPT_ROWS)
        self._count = len(capture)
        self._told = -1
        self._columns = ListColumns(())
        self._address = 15
        self._protocol = 9
        self._time = 0

    # rows

    @property
    def count(self) -> int:
        return self._count if self.shown is None else len(self.shown)

    @property
    def packet(self) -> int:
        """The index of the packet under the cursor; -1 when the filter shows none."""
        return self.cursor if self.shown is None else self.shown.packet(self.cursor)

    def packet_at(self, row: int) -> int:
        return row if self.shown is None else self.shown.packet(row)

    def row_of(self, packet: int) -> int:
        """The row of a packet, or of the nearest one that is shown."""
        return packet if self.shown is None else self.shown.row(packet)

    def shows(self, packet: int) -> bool:
        return self.shown is None or self.shown.has(packet)

    def go_packet(self, packet: int) -> None:
        """Put the cursor on a packet, or on the nearest one that is shown."""
        self.go(self.row_of(packet))

    def show_only(self, shown: Shown | None, packet: int) -> None:
        """Show other packets, with the cursor on or near `packet`."""
        self.shown = shown
        self._drawn.clear()
        self.resize_lines()
        self._stand_on(packet)

    def shown_more(self, packet: int | None) -> None:
        """The filter found further packets; the cursor stays, or goes on to `packet` or as near as there is one."""
        self.resize_lines()
        self._stand_on(self.packet if packet is None else packet)

    def _stand_on(self, packet: int) -> None:
        self.cursor = max(0, min(self.row_of(packet), self.count - 1))
        self.show_row(self.cursor)
        self.paint()
        if self.packet != self._told:
            self.cursor_changed()

    def grow(self) -> bool:
        """Take notice of packets indexed since; returns whether there are any."""
        count = len(self.capture)
        if count == self._count:
            return False
        was_empty = not self._count
        self._count = count
        if self.shown is None:
            self.resize_lines()
            self.paint()
            if was_empty:
                self.cursor_changed()
        return True

    def row(self, index: int) -> Row:
        row = self._known.get(index)
        if row is None:
            row = self._rows.row(index)
            self._known.put(index, row)
        return row

    def pending(self) -> bool:
        """Whether a row in sight waits for its application layer."""
        return any(self.row(i).pending for i in self.in_sight())

    def renew_pending(self) -> None:
        """Ask again for the rows in sight that were not complete."""
        for i in self.in_sight():
            if self.row(i).pending:
                self._known.drop(i)
        self.paint()

    def forget(self) -> None:
        """Rows have other contents now."""
        self._known.clear()
        self.paint()

    def in_sight(self) -> Sequence[int]:
        """The packets on the screen."""
        top = self.scroll_offset.y
        rows = range(top, min(self.count, top + self.page))
        return rows if self.shown is None else self.shown.packets[rows.start:rows.stop].tolist()

    # drawing

    def top_line(self, y: int) -> Strip:
        cells = [fit(name, width) if name in ("Source", "Destination", "Protocol") else name.rjust(width)[:width] for name, width in self._columns.widths]
        if any(name == "RRT" for name, _ in self._columns.widths):
            at = [name for name, _ in self._columns.widths].index("RRT")
            cells[at] = "RRT".rjust(self._columns.widths[at][1] - 2) + "  "
        info = "Info" if not self.sideways else f"Info «{self.sideways}"
        return self.plain(fit("  " + " ".join([*cells, info]), self.area.width), self.style_of("packets--header"))

    def paint(self) -> None:
        self._measure()
        super().paint()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        self._measure()
        super().watch_scroll_y(old_value, new_value)

    def on_resize(self) -> None:
        self._measure()
        super().on_resize()

    def _measure(self) -> None:
        """Fit the columns to what is in sight; they only ever grow, so that nothing jumps about."""
        address, protocol, time = self._address, self._protocol, self._time
        for i in self.in_sight():
            row = self.row(i)
            address = max(address, len(row.source), len(row.destination))
            protocol = max(protocol, cell_len(row.protocol))
            time = max(time, len(self._time_text(i, row)))
        self._address, self._protocol, self._time = min(address, 45), min(protocol, 14), time
        time = max(self.time_format.least, time)
        columns = choose_columns(self.screen_width or self.area.width, max(5, len(str(self._count))), time, self._address, self._protocol)
        if columns != self._columns:
            self._columns = columns
            self._drawn.clear()

    def line(self, row: int) -> Strip:
        packet = self.packet_at(row)
        one = self.row(packet)
        here = row == self.cursor
        cells = [self._cell(packet, one, name, width) for name, width in self._columns.widths]
        sign = "▶" if here else self.marks.get(packet, " ")
        rest = max(0, self.area.width - 2 - self._columns.fixed)
        info = one.info[self.sideways:] if self.sideways else one.info
        return self.plain(f"{sign}{SEVERITY.get(one.severity, ' ')}{' '.join([*cells, fit(info, rest)])}", self._style(one, here))

    def _style(self, row: Row, here: bool) -> Style:
        if here:
            return self.cursor_style()
        if row.severity:
            return self.style_of(f"packets--{row.severity}")
        return self.style_of("packets--response") if row.mark == "┴" else self.plain_style

    def _cell(self, index: int, row: Row, name: str, width: int) -> str:
        if name == "No.":
            return str(row.number).rjust(width)
        if name == "Time":
            return self._time_text(index, row).rjust(width)
        if name == "RRT":
            value = "" if row.rrt is None else duration(row.rrt)
            return value.rjust(width - 2) + " " + (row.mark or " ")
        if name == "Length":
            return str(row.length).rjust(width)
        if name == "Protocol":
            return fit(row.protocol, width)
        return fit_middle(row.source if name == "Source" else row.destination, width)

    def _time_text(self, index: int, row: Row) -> str:
        if index == self.reference:
            return "*REF*"
        if row.time is None:
            return ""
        columns = self.capture.columns
        origin = columns.time(self.reference) if self.reference is not None and index > self.reference else columns.first_time
        before = columns.time_before(index) if self.time_format.name == "delta" else None
        return self.time_format.show(row.time, origin or 0, before)

    # moving

    def cursor_changed(self) -> None:
        self._told = self.packet
        self._moved()

    def on_click(self, event: events.Click) -> None:
        super().on_click(event)
        if event.chain == 2:
            self.screen.set_focus(self.screen.query_one("#tree"))

    def do_top(self, press: Press) -> None:
        if press.number is None:
            self.go(0)
        else:
            self.go_packet(press.number - 1)

    def do_bottom(self, press: Press) -> None:
        if press.number is None:
            self.go(self.count - 1)
        else:
            self.go_packet(min(press.number, self._count) - 1)

    def do_right(self, press: Press) -> None:
        longest = max((cell_len(self.row(i).info) for i in self.in_sight()), default=0)
        self.sideways = min(self.sideways + press.times * INFO_STEP, max(0, longest - INFO_STEP))
        self.paint()

    def do_left(self, press: Press) -> None:
        self.sideways = max(0, self.sideways - press.times * INFO_STEP)
        self.paint()

    def next_time_format(self, step: int) -> str:
        """Change the Time column; returns the format's name."""
        self.time_format = TIME_FORMATS[(TIME_FORMATS.index(self.time_format) + step) % len(TIME_FORMATS)]
        self._time = 0
        self.paint()
        return self.time_format.name

    def refer_time(self) -> None:
        """Count times from the packet under the cursor, or from the first again."""
        self.reference = None if self.reference == self.packet else self.packet
        self._time = 0
        self.paint()
