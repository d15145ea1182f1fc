"""The bytes pane: the byte views of a packet as hex and text, with the selected field lit.

Rows are made from the buffer when they are drawn, so a view of any size opens at once. A cursor stands on one byte; lit ranges are
kept per view: those of the field, and, weaker, those of the message that it belongs to.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.strip import Strip

from captures.output.hexdump import hex_digits, picture
from captures.packet.model import View
from protocols.engine.fields import printable
from tui.parts.formats import size
from tui.parts.keys import Press
from tui.parts.pane import Pane

Range = tuple[int, int]


class HexView(Pane):
    """Tabs (when there is more than one view) and rows of 8, 16 or 32 bytes."""

    context = "bytes"
    COMPONENT_CLASSES = {"bytes--field", "bytes--message", "bytes--cursor", "bytes--tab", "bytes--offset"}
    DEFAULT_CSS = """
    HexView {
        & > .bytes--field { background: $pv-field-ground; color: $pv-field; text-style: bold; }
        & > .bytes--message { background: $pv-message-ground; color: $pv-message; text-style: underline; }
        & > .bytes--cursor { background: $pv-byte-ground; color: $pv-byte; text-style: bold underline; }
        & > .bytes--tab { text-style: bold reverse; }
        & > .bytes--offset { color: $pv-quiet; }
    }
    """

    def __init__(self, chosen: Callable[[], None]) -> None:
        """`chosen` is called when the user put the cursor on a byte."""
        super().__init__(id="bytes")
        self._chosen = chosen
        self.views: Sequence[View] = ()
        self.view = 0
        self.at = 0
        self._field: dict[int, Range] = {}
        self._message: dict[int, list[Range]] = {}

    # contents

    @property
    def data(self) -> bytes:
        return self.views[self.view].data if self.view < len(self.views) else b""

    @property
    def width(self) -> int:
        """Bytes in a row."""
        digits = self._digits
        for width in (32, 16, 8):
            if self.area.width >= digits + 2 + 3 * width + width // 8 + width:
                return width
        return 4

    @property
    def _digits(self) -> int:
        return max(4, (len(f"{len(self.data):x}") + 1) // 2 * 2)

    @property
    def count(self) -> int:
        return -(-len(self.data) // self.width)

    def show(self, views: Sequence[View], message: dict[int, list[Range]]) -> None:
        """Show a packet's views, the first one in front; `message` are ranges to light weakly, by view."""
        self.views, self.view, self.at = views, 0, 0
        self._field, self._message = {}, message
        self._changed()
        if self.scroll_offset.y:
            self.scroll_to(y=0, animate=False)
        self.paint()

    def light(self, view: int, field: dict[int, Range], message: dict[int, list[Range]], move: bool = True) -> None:
        """Bring `view` to the front and light ranges; `move` puts the cursor on the field's first byte."""
        self._field, self._message = field, message
        if view != self.view:
            self.view = view
            self._changed()
        span = field.get(view)
        if move and span is not None:
            self.at = max(0, min(span[0], len(self.data) - 1))
            self._show_span(span)
        self.paint()

    def _show_span(self, span: Range) -> None:
        first, last = span[0] // self.width, max(span[0], span[1] - 1) // self.width
        top, page = self.scroll_offset.y, self.page
        if first < top or last >= top + page:
            self.scroll_to(y=max(0, first - 1 if last - first >= page - 1 else first - (page - (last - first)) // 2), animate=False)

    def _changed(self) -> None:
        """Another buffer is in front."""
        self.head = int(len(self.views) > 1)
        self.at = max(0, min(self.at, len(self.data) - 1))
        name = printable(self.views[self.view].name) if self.view < len(self.views) else ""
        self.set_title(f"Bytes · {name} {size(len(self.data))}" if name else "Bytes")
        self.resize_lines()

    # drawing

    def _tabs(self) -> list[tuple[int, str]]:
        """Each tab's place and text."""
        tabs, x = [], 1
        for number, view in enumerate(self.views):
            name = f"{printable(view.name)} {size(len(view.data))}"
            text = f"[{name}]" if number == self.view else f" {name} "
            tabs.append((x, text))
            x += cell_len(text)
        return tabs

    def top_line(self, y: int) -> Strip:
        tabs = self._tabs()
        last = self._tabs()[self.view][0] + len(tabs[self.view][1]) if tabs else 0
        skip = max(0, last - self.area.width + 1)
        chosen = self.style_of("bytes--tab")
        segments = [Segment(" ", self.plain_style)]
        segments += [Segment(text, chosen if number == self.view else self.plain_style) for number, (_, text) in enumerate(tabs)]
        return Strip(segments).crop(skip, skip + self.area.width)

    def line(self, row: int) -> Strip:
        width = self.width
        start = row * width
        data = bytes(self.data[start:start + width])
        plain = self.plain_style
        segments = [Segment(f"{start:0{self._digits}x}  ", self.style_of("bytes--offset"))]
        styles = self._styles_of(start, len(data))
        if not any(styles):
            return Strip([*segments, Segment(f"{hex_digits(data, width)}  {picture(data)}", plain)])
        self._hex_cells(data, styles, width, segments)
        text = picture(data)
        segments.append(Segment("  ", plain))
        segments += [Segment(text[a:b], style or plain) for a, b, style in runs(styles)]
        return Strip(segments)

    def _hex_cells(self, data: bytes, styles: list[Style | None], width: int, segments: list[Segment]) -> None:
        text = hex_digits(data, width)
        at = 0
        for a, b, style in runs(styles):
            first, last = a * 3 + a // 8, (b - 1) * 3 + (b - 1) // 8 + 2
            segments.append(Segment(text[at:first], self.plain_style))
            segments.append(Segment(text[first:last], style or self.plain_style))
            at = last
        segments.append(Segment(text[at:], self.plain_style))

    def _styles_of(self, start: int, count: int) -> list[Style | None]:
        styles: list[Style | None] = [None] * count
        field = [self._field[self.view]] if self.view in self._field else []
        for ranges, name in ((self._message.get(self.view, []), "bytes--message"), (field, "bytes--field")):
            for first, last in ranges:
                a, b = max(first - start, 0), min(last - start, count)
                if a < b:
                    styles[a:b] = [self.style_of(name)] * (b - a)
        if self.has_focus and 0 <= self.at - start < count:
            styles[self.at - start] = self.style_of("bytes--cursor")
        return styles

    def on_focus(self) -> None:
        self.paint()

    def on_blur(self) -> None:
        self.paint()

    # moving

    def go(self, offset: int) -> None:
        """Put the cursor on a byte as the user's choice."""
        if not self.data:
            return
        self.at = max(0, min(offset, len(self.data) - 1))
        self.show_row(self.at // self.width)
        self.paint()
        self._chosen()

    def reveal(self, view: int, offset: int) -> None:
        """Bring a view to the front with the cursor on one of its bytes."""
        if view != self.view:
            self._show_tab(view)
        self.go(offset)

    def on_click(self, event: events.Click) -> None:
        x, y = event.x - self.gutter.left, event.y - self.gutter.top
        if y < self.head:
            for number, (start, text) in enumerate(self._tabs()):
                if start <= x < start + cell_len(text):
                    self._show_tab(number)
            return
        row = self.row_at(y)
        at = None if row is None else self._byte_at(x)
        if row is not None and at is not None and row * self.width + at < len(self.data):
            self.go(row * self.width + at)

    def _byte_at(self, x: int) -> int | None:
        """Which byte of its row a cell belongs to."""
        width, x = self.width, x - self._digits - 2
        hex_cells = 3 * width - 1 + (width - 1) // 8
        if 0 <= x < hex_cells:
            group, within = divmod(x, 25)
            return min(group * 8 + min(within // 3, 7), width - 1)
        x -= hex_cells + 2
        return x if 0 <= x < width else None

    def _show_tab(self, number: int) -> None:
        self.view = number % max(1, len(self.views))
        self.at = 0
        self._changed()
        span = self._field.get(self.view)
        if span is not None:
            self.at = span[0]
            self._show_span(span)
        else:
            self.scroll_to(y=0, animate=False)
        self.paint()

    def do_left(self, press: Press) -> None:
        self.go(self.at - press.times)

    def do_right(self, press: Press) -> None:
        self.go(self.at + press.times)

    def do_up(self, press: Press) -> None:
        self._rows(-press.times)

    def do_down(self, press: Press) -> None:
        self._rows(press.times)

    def do_page_up(self, press: Press) -> None:
        self._rows(-press.times * self.page)

    def do_page_down(self, press: Press) -> None:
        self._rows(press.times * self.page)

    def do_half_up(self, press: Press) -> None:
        self._rows(-press.times * (self.page // 2))

    def do_half_down(self, press: Press) -> None:
        self._rows(press.times * (self.page // 2))

    def _rows(self, rows: int) -> None:
        """Move by rows, staying in the column."""
        if not self.data:
            return
        column, last = self.at % self.width, (len(self.data) - 1) // self.width
        self.go(min(max(0, self.at // self.width + rows), last) * self.width + column)

    def do_top(self, _press: Press) -> None:
        self.go(0)

    def do_bottom(self, press: Press) -> None:
        self.go(len(self.data) - 1 if press.number is None else press.number)

    def do_row_start(self, _press: Press) -> None:
        self.go(self.at // self.width * self.width)

    def do_row_end(self, _press: Press) -> None:
        self.go(self.at // self.width * self.width + self.width - 1)

    def do_tab_next(self, press: Press) -> None:
        self._show_tab(self.view + press.times)

    def do_tab_previous(self, press: Press) -> None:
        self._show_tab(self.view - press.times)


def runs(styles: Sequence[Style | None]) -> list[tuple[int, int, Style | None]]:
    """Neighbours of the same style: (first, behind the last, style)."""
    found: list[tuple[int, int, Style | None]] = []
    start = 0
    for i in range(1, len(styles) + 1):
        if i == len(styles) or styles[i] != styles[start]:
            found.append((start, i, styles[start]))
            start = i
    return found
