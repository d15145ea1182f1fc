"""The base of every pane: a view over numbered lines that draws only those on the screen and repaints only those that changed."""
from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.parts.keys import Press
from tui.parts.textual_private import set_virtual_size

WHEEL = 3


class Pane(ScrollView, can_focus=True, inherit_bindings=False):
    """Subclasses give `count` lines by `line(row)`, and `head` lines on top that do not scroll by `top_line(y)`."""

    context = ""
    """The pane's context in the action registry."""
    head = 0

    DEFAULT_CSS = """
    Pane {
        overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1;
        background: $pv-ground; color: $pv-text;
        border: solid $pv-rule; border-title-color: $pv-text; border-title-background: $pv-ground; border-title-align: left;
    }
    Pane:focus { border: heavy $pv-accent; border-title-style: bold; }
    Pane.-rule { border: none; border-top: solid $pv-rule; }
    Pane.-rule:focus { border: none; border-top: heavy $pv-accent; }
    Pane.-bare, Pane.-bare:focus { border: none; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.area = Size(0, 0)
        """The cells that lines are drawn on."""
        self._drawn: dict[int, Strip] = {}
        self._styles: dict[str, Style] = {}
        self._title = ""
        self._paged = 0

    # what subclasses give

    @property
    def count(self) -> int:
        raise NotImplementedError

    def line(self, row: int) -> Strip:
        raise NotImplementedError

    def top_line(self, y: int) -> Strip:
        raise NotImplementedError

    # drawing

    @property
    def page(self) -> int:
        return max(1, self.area.height - self.head)

    @property
    def plain_style(self) -> Style:
        """The pane's own style."""
        return self.style_of("")

    def set_title(self, text: str) -> None:
        if text != self._title:
            self._title = text
            self.border_title = Content(text)

    def render_lines(self, crop: Region) -> list[Strip]:
        self._measure_area()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        strip = self._drawn.get(y)
        if strip is None or strip.cell_length != self.area.width:
            strip = self._drawn[y] = self._strip(y)
        return strip

    def _measure_area(self) -> None:
        """Note how many cells there are for lines, without frame and scroll bar."""
        area = self.scrollable_content_region.size
        if area != self.area:
            self.area = area
            self._drawn.clear()

    def _strip(self, y: int) -> Strip:
        width = self.area.width
        if y < self.head:
            return self.top_line(y).crop_extend(0, width, self.plain_style)
        row = self.scroll_offset.y + y - self.head
        if row >= self.count:
            return Strip.blank(width, self.plain_style)
        return self.line(row).crop_extend(0, width, self.plain_style)

    def paint(self) -> None:
        """Refresh the lines whose look changed; to be called after every change of contents, cursor or light."""
        self._measure_area()
        for y in range(self.area.height):
            strip = self._strip(y)
            if self._drawn.get(y) != strip:
                self._drawn[y] = strip
                self.refresh(Region(0, y, self.area.width, 1))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        self._drawn.clear()
        super().watch_scroll_y(old_value, new_value)

    def resize_lines(self) -> None:
        """To be called when `count` changed."""
        set_virtual_size(self, Size(self.area.width, self.count + self.head))

    def on_resize(self) -> None:
        self._measure_area()
        self._drawn.clear()
        self.resize_lines()
        before, self._paged = self._paged, self.page
        if before not in (0, self.page):
            self.page_changed(before)

    def page_changed(self, before: int) -> None:
        """The pane shows another number of lines than the `before` so far."""

    def notify_style_update(self) -> None:
        self._drawn.clear()
        self._styles.clear()
        super().notify_style_update()

    def style_of(self, name: str) -> Style:
        """The pane's style with that of a component class."""
        style = self._styles.get(name)
        if style is None:
            style = self._styles[name] = self.get_component_rich_style(name, partial=False) if name else self.rich_style
        return style

    def show_row(self, row: int) -> None:
        """Scroll until the row can be seen; at the edge by half a page, so that the next moves need no scrolling."""
        top, page = self.scroll_offset.y, self.page
        if row < top:
            self.scroll_to(y=max(0, row - page // 2 if top - row < page else row - page // 3), animate=False)
        elif row >= top + page:
            self.scroll_to(y=row - page // 2 if row - top < 2 * page else row - 2 * page // 3, animate=False)

    def scroll_rows(self, rows: int) -> None:
        self.scroll_to(y=self.scroll_offset.y + rows, animate=False)

    # the mouse

    def row_at(self, y: int) -> int | None:
        """The line under a click, given its y in the pane."""
        row = self.scroll_offset.y + y - self.head
        return row if y >= self.head and row < self.count else None

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_rows(WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_rows(-WHEEL)


class Rows(Pane):
    """A pane with a cursor on one of its lines."""

    COMPONENT_CLASSES = {"rows--cursor", "rows--cursor-blurred", "rows--cursor-error", "rows--cursor-blurred-error"}
    DEFAULT_CSS = """
    Rows {
        & > .rows--cursor { background: $pv-cursor-ground; color: $pv-cursor; text-style: bold; }
        & > .rows--cursor-error { background: $pv-cursor-ground; color: $pv-cursor-error; text-style: bold; }
        & > .rows--cursor-blurred { background: $pv-blurred-ground; color: $pv-blurred; text-style: bold; }
        & > .rows--cursor-blurred-error { background: $pv-blurred-ground; color: $pv-blurred-error; text-style: bold; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.cursor = 0

    def page_changed(self, before: int) -> None:
        if 0 <= self.cursor - self.scroll_offset.y < before:
            self.show_row(self.cursor)

    def cursor_changed(self) -> None:
        """The cursor stands on another line."""

    def go(self, row: int) -> None:
        """Put the cursor on a line and show it."""
        row = max(0, min(row, self.count - 1))
        moved, self.cursor = row != self.cursor, row
        self.show_row(row)
        self.paint()
        if moved:
            self.cursor_changed()

    def cursor_style(self, error: bool = False) -> Style:
        """The style of the cursor's line; of an error's mark and words in it."""
        return self.style_of(("rows--cursor" if self.has_focus else "rows--cursor-blurred") + "-error" * error)

    def plain(self, text: str, style: Style) -> Strip:
        """A line in one style, so that it costs one colour change."""
        return Strip([Segment(text, style)])

    def on_focus(self) -> None:
        self.paint()

    def on_blur(self) -> None:
        self.paint()

    def on_click(self, event: events.Click) -> None:
        row = self.row_at(event.y - self.gutter.top)
        if row is not None:
            self.go(row)

    def do_down(self, press: Press) -> None:
        self.go(self.cursor + press.times)

    def do_up(self, press: Press) -> None:
        self.go(self.cursor - press.times)

    def do_page_down(self, press: Press) -> None:
        self._leap(press.times * self.page)

    def do_page_up(self, press: Press) -> None:
        self._leap(-press.times * self.page)

    def do_half_down(self, press: Press) -> None:
        self._leap(press.times * (self.page // 2))

    def do_half_up(self, press: Press) -> None:
        self._leap(-press.times * (self.page // 2))

    def do_top(self, press: Press) -> None:
        self.go(press.times - 1)

    def do_bottom(self, press: Press) -> None:
        self.go(self.count - 1 if press.number is None else press.number - 1)

    def _leap(self, rows: int) -> None:
        self.scroll_rows(rows)
        self.go(self.cursor + rows)
