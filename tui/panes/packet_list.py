"""The packet list: asks the capture for the rows on the screen and writes each as one run of one style.

Columns are dropped by priority on narrow screens; addresses are shortened in their middle, never cut. Info takes what is left, and
scrolls sideways on its own. Under a filter a row stands for the packet that `Shown` names; numbers, marks and times stay those of the packet.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip

from captures.least_used import LeastUsed
from captures.packet.model import Row
from tui.panes.row_source import RowSource
from tui.parts.columns import LEAD, ListColumns, choose_columns
from tui.parts.formats import DELTA, DELTA_SHOWN, TIME_FORMATS, duration, fit, fit_middle
from tui.parts.keys import Press
from tui.parts.palette import COLOURS, protocol_colour
from tui.parts.pane import Rows
from tui.parts.visible import Ordered, Shown

if TYPE_CHECKING:
    from captures.capture import Capture

SEVERITY = {"error": "!", "warning": "▲", "note": "·", "": " "}
PLAIN = frozenset(("TCP",))
"""What the protocol column says of segments that carry no message."""
INFO_STEP = 16
KEPT_ROWS = 2_000


class PacketList(Rows):
    """A line a packet."""

    context = "packets"
    head = 1
    COMPONENT_CLASSES = {"packets--header", "packets--error", "packets--warning", "packets--note", "packets--request", "packets--response", "packets--plain",
                         *(f"packets--protocol-{number}" for number in range(COLOURS))}
    DEFAULT_CSS = """
    PacketList {
        & > .packets--header { text-style: bold; color: $pv-text; }
        & > .packets--error { color: $pv-error; background: $pv-error-ground; text-style: bold; }
        & > .packets--warning { color: $pv-warning; }
        & > .packets--note { color: $pv-quiet; }
        & > .packets--request { color: $pv-request; }
        & > .packets--response { color: $pv-response; }
        & > .packets--plain { color: $pv-plain; }
        & > .packets--protocol-0 { color: $pv-protocol-0; }
        & > .packets--protocol-1 { color: $pv-protocol-1; }
        & > .packets--protocol-2 { color: $pv-protocol-2; }
        & > .packets--protocol-3 { color: $pv-protocol-3; }
        & > .packets--protocol-4 { color: $pv-protocol-4; }
        & > .packets--protocol-5 { color: $pv-protocol-5; }
        & > .packets--protocol-6 { color: $pv-protocol-6; }
        & > .packets--protocol-7 { color: $pv-protocol-7; }
    }
    """

    def __init__(self, capture: Capture, moved: Callable[[], None]) -> None:
        """`moved` is called when the cursor stands on another packet."""
        super().__init__(id="packets")
        self.sort_sign = ("", "")
        """The column that rows are sorted by, and the sign of the direction."""
        self.set_title("Packets")
        self._moved = moved
        self.capture = capture
        self._rows = RowSource(capture)
        self.time_format = TIME_FORMATS[0]
        self.shown: Shown | None = None
        """The packets that a filter shows; None for all."""
        self._sorted: Ordered | None = None
        self._order: Ordered | None = None
        self.guest: int | None = None
        """A packet that is shown although the filter hides it."""
        self.reference: int | None = None
        self.marks: dict[int, str] = {}
        """Letters shown beside marked packets, by index."""
        self.sideways = 0
        self._known: LeastUsed[int, Row] = LeastUsed(KEPT_ROWS)
        self._count = len(capture)
        self._told = -1
        self._columns = ListColumns(())
        self._address = 15
        self._protocol = 9
        self._time = 0

    # rows

    @property
    def view(self) -> Shown | Ordered | None:
        """The rows as they are: sorted, with a guest, or only filtered; None for all packets in their own order."""
        return self._order or self.shown

    @property
    def count(self) -> int:
        return self._count if self.view is None else len(self.view)

    @property
    def packet(self) -> int:
        """The index of the packet under the cursor; -1 when the filter shows none."""
        return self.packet_at(self.cursor)

    def packet_at(self, row: int) -> int:
        return row if self.view is None else self.view.packet(row)

    def row_of(self, packet: int) -> int:
        """The row of a packet, or of the nearest one that is shown."""
        return packet if self.view is None else self.view.row(packet)

    def shows(self, packet: int) -> bool:
        return self.view is None or self.view.has(packet)

    def packets(self) -> NDArray[np.integer]:
        """The packets shown, by row."""
        return np.arange(self._count, dtype=np.int32) if self.view is None else self.view.packets

    def go_packet(self, packet: int) -> None:
        """Put the cursor on a packet, or on the nearest one that is shown."""
        self.go(self.row_of(packet))

    def show_only(self, shown: Shown | None, packet: int) -> None:
        """Show other packets, in their own order, with the cursor on or near `packet`."""
        self.shown, self._order, self._sorted, self.guest = shown, None, None, None
        self.sort_sign = ("", "")
        self._renew_order(packet)

    def order_by(self, order: Ordered | None, column: str, sign: str) -> None:
        """Show the same packets in another order (None: their own), with the cursor on the same one; the head of `column` bears the sign."""
        packet = self.packet
        self._order = self._sorted = order
        self.guest, self.sort_sign = None, (column, sign)
        self._renew_order(packet)

    def invite(self, guest: int | None) -> None:
        """Show a packet that the filter hides, beside the one under the cursor; None sends it away."""
        packet, row = self.packet, self.cursor
        self.guest, self._order = guest, self._sorted
        if guest is not None:
            self._order = Ordered(np.insert(self.packets(), row + (guest > packet), guest))
        self._renew_order(packet)

    def set_title(self, text: str) -> None:
        """The pane's title; what rows are sorted by is added, since the column may not be in sight."""
        self._words = text
        super().set_title(text + (f" · by {' '.join(self.sort_sign)}" if self.sort_sign[0] else ""))

    def _renew_order(self, packet: int) -> None:
        self.set_title(self._words)
        self._drawn.clear()
        self.resize_lines()
        self._stand_on(packet)

    def shown_more(self, packet: int | None) -> None:
        """The filter found further packets; the cursor stays, or goes on to `packet` or as near as there is one."""
        if self._order is not None:
            self.order_by(None, "", "")     # the order and the guest were those of fewer packets
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
        if self.view is None:
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
        return rows if self.view is None else self.view.packets[rows.start:rows.stop].tolist()

    # drawing

    def top_line(self, y: int) -> Strip:
        cells = []
        for name, width in [*self._columns.widths, ("Info", 0)]:
            head = self.time_format.head if name == "Time" else name
            if self.sort_sign[0] == name:
                head += self.sort_sign[1]
            if name == "RRT":
                cells.append(head.rjust(width - 2) + "  ")
            elif name == "Info":
                cells.append(head if not self.sideways else f"{head} «{self.sideways}")
            else:
                cells.append(fit(head, width) if name in ("Source", "Destination", "Protocol") else head.rjust(width)[:width])
        return self.plain(fit("  " + " ".join(cells), self.area.width), self.style_of("packets--header"))

    def paint(self) -> None:
        self._measure()
        super().paint()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        self._measure()
        super().watch_scroll_y(old_value, new_value)

    def _measure_area(self) -> None:
        # the columns belong to the area: whoever learns of another one first, a resize or a draw, must have both
        before = self.area
        super()._measure_area()
        if self.area != before:
            self._measure()

    def _measure(self) -> None:
        """Fit the columns to what is in sight; they only ever grow, so that nothing jumps about."""
        address, protocol, time = self._address, self._protocol, self._time
        top = self.scroll_offset.y
        for row, packet in enumerate(self.in_sight(), top):
            one = self.row(packet)
            address = max(address, len(one.source), len(one.destination))
            protocol = max(protocol, cell_len(one.protocol))
            time = max(time, len(self._time_text(row, packet, one)))
        self._address, self._protocol, self._time = min(address, 45), min(protocol, 14), time
        time = max(self.time_format.least, time)
        columns = choose_columns(self.area.width, max(5, len(str(self._count))), time, self._address, self._protocol)
        if columns != self._columns:
            self._columns = columns
            self._drawn.clear()

    def line(self, row: int) -> Strip:
        packet = self.packet_at(row)
        one = self.row(packet)
        here = row == self.cursor
        base, words, protocol = self._styles_of(one, here)
        sign = "▶" if here else "+" if packet == self.guest else self.marks.get(packet, " ")
        parts = [(sign, base), (SEVERITY.get(one.severity, " "), words)]
        for name, width in self._columns.widths:
            parts += [(self._cell(row, packet, one, name, width), protocol if name == "Protocol" else base), (" ", base)]
        rest = max(0, self.area.width - LEAD - self._columns.fixed)
        parts.append((fit(one.info[self.sideways:] if self.sideways else one.info, rest), words))
        return Strip(joined(parts))

    def _styles_of(self, row: Row, here: bool) -> tuple[Style, Style, Style]:
        """The styles of a row, of the words that say what it is (the severity's sign and Info), and of its protocol."""
        error = row.severity == "error"
        if here:
            style = self.cursor_style()
            return style, self.cursor_style(error), style
        if row.severity in ("warning", "note"):
            base = self.style_of(f"packets--{row.severity}")
        else:
            answer = row.mark == "┴" or " ← " in row.info
            base = self.style_of("packets--" + ("response" if answer else "plain" if row.protocol in PLAIN else "request"))
        words = self.style_of("packets--error") if error else base
        if error:
            base += Style(bgcolor=words.bgcolor)
        if row.protocol in PLAIN or row.severity == "warning":
            return base, words, base
        return base, words, base + Style(color=self.style_of(f"packets--protocol-{protocol_colour(row.protocol)}").color)

    def _cell(self, row: int, packet: int, one: Row, name: str, width: int) -> str:
        if name == "No.":
            return str(one.number).rjust(width)
        if name == "Time":
            return self._time_text(row, packet, one).rjust(width)
        if name == "RRT":
            value = "" if one.rrt is None else duration(one.rrt)
            return value.rjust(width - 2) + " " + (one.mark or " ")
        if name == "Length":
            return str(one.length).rjust(width)
        if name == "Protocol":
            return fit(one.protocol, width)
        return fit_middle(one.source if name == "Source" else one.destination, width)

    def _time_text(self, row: int, packet: int, one: Row) -> str:
        if packet == self.reference:
            return "*REF*"
        if one.time is None:
            return ""
        columns = self.capture.columns
        origin = columns.time(self.reference) if self.reference is not None and packet > self.reference else columns.first_time
        before: int | None = None
        if self.time_format is DELTA_SHOWN:
            before = columns.time(self.packet_at(row - 1)) if row else None
        elif self.time_format is DELTA:
            before = columns.time_before(packet)
        return self.time_format.show(one.time, origin or 0, before)

    # moving

    def cursor_changed(self) -> None:
        self._told = self.packet
        self._moved()

    class HeadClicked(Message):
        """The head of a column was clicked."""

        def __init__(self, column: str) -> None:
            self.column = column
            super().__init__()

    def on_click(self, event: events.Click) -> None:
        if event.y - self.gutter.top == 0:
            self.post_message(self.HeadClicked(self._columns.at(event.x - self.gutter.left)))
            return
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


def joined(parts: Sequence[tuple[str, Style]]) -> list[Segment]:
    """Pieces of text as segments, neighbours of the same style as one: each costs a colour change."""
    segments: list[Segment] = []
    for text, style in parts:
        if segments and segments[-1].style == style:
            segments[-1] = Segment(segments[-1].text + text, style)
        else:
            segments.append(Segment(text, style))
    return segments
