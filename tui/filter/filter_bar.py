"""The filter line above the packet list, and what hangs below it while it is edited: completion, or the cause of an error with its place.

The line keeps its height whatever it has to say; the rest lies over the panes, so that nothing moves while somebody types. Every state has a letter
besides its colour: … incomplete, ✓ valid, ⚠ valid but a trap, ✗ wrong.
"""
from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

from rich.cells import cell_len
from rich.highlighter import Highlighter
from rich.segment import Segment
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from protocols.engine.fields import printable
from tui.filter.completion import Candidate
from tui.parts.formats import fit
from tui.parts.prompt import TextLine
from tui.parts.status import Bar

LABEL = " Filter / "
LEAST_STATE, MOST_STATE = 18, 48
ROWS = 10
"""Candidates seen at once."""
LEAST_ABOUT = 16
"""Cells for what a candidate means, before the box moves left."""


class Underline(Highlighter):
    """Underlines a range of the text."""

    def __init__(self) -> None:
        self.range = (0, 0)

    def highlight(self, text: Text) -> None:
        start, end = self.range
        if end > start:
            text.stylize("underline", start, end)


class FilterLine(TextLine):
    """The text being edited. Keys that mean something to the filter bar are handed to `keyed`, which tells whether it took them."""

    DEFAULT_CSS = """
    FilterLine, FilterLine:focus { height: 1; border: none; padding: 0; width: 1fr; background: $pv-ground; color: $pv-text; }
    FilterLine:focus { background: $pv-edit-ground; }
    """

    class Opened(Message):
        """The line got the focus by a click."""

    def __init__(self, keyed: Callable[[str], bool], moved: Callable[[], None]) -> None:
        self.underline = Underline()
        super().__init__(id="filter", highlighter=self.underline)
        self.placeholder = "all packets"
        self.editing = False
        self._keyed, self._moved = keyed, moved

    def mark(self, start: int, end: int) -> None:
        """Underline a range; nothing with start == end."""
        if (start, end) != self.underline.range:
            self.underline.range = (start, end)
            self.refresh()

    def put(self, text: str, caret: int | None = None) -> None:
        """Replace the text, with the caret at its end or at a place."""
        self.value = text
        self.cursor_position = len(text) if caret is None else caret

    def on_key(self, event: events.Key) -> None:
        self._seen.append(event)
        if not self.editing:
            self.pass_on(event)
        elif self._keyed(event.key):
            event.stop()
            event.prevent_default()
        else:
            self.edit(event)

    def on_focus(self) -> None:
        if not self.editing:
            self.post_message(self.Opened())

    def watch_selection(self) -> None:
        if self.editing:
            self._moved()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.editing:
            self._moved()


class FilterBar(Horizontal):
    """Label, text, and the state at the right end."""

    DEFAULT_CSS = """
    FilterBar { height: 1; width: 100%; background: $pv-ground; }
    FilterBar #filter-label { width: 10; }
    """

    def __init__(self, line: FilterLine) -> None:
        super().__init__(id="filter-bar")
        self.line = line
        self.label, self.state = Bar(id="filter-label"), Bar(id="filter-state")

    def compose(self) -> ComposeResult:
        yield self.label
        yield self.line
        yield self.state

    def on_mount(self) -> None:
        self.label.put(LABEL.strip())

    def on_resize(self, event: events.Resize) -> None:
        self.state.styles.width = max(LEAST_STATE, min(MOST_STATE, event.size.width // 3))

    def say(self, text: str, look: str = "") -> None:
        self.state.put(text, look=look)


class FilterHelp(Widget):
    """Below the line: candidates to choose from, or a text with carets under the place that it speaks of."""

    COMPONENT_CLASSES = {"filter-help--chosen", "filter-help--error", "filter-help--warning", "filter-help--dim"}
    DEFAULT_CSS = """
    FilterHelp {
        position: absolute; layer: menu; display: none; background: $pv-panel-ground; color: $pv-text;
        & > .filter-help--chosen { background: $pv-cursor-ground; color: $pv-cursor; text-style: bold; }
        & > .filter-help--error { color: $pv-error; text-style: bold; }
        & > .filter-help--warning { color: $pv-warning; text-style: bold; }
        & > .filter-help--dim { color: $pv-quiet; }
    }
    """

    class Chosen(Message):
        """A candidate was clicked."""

        def __init__(self, row: int) -> None:
            self.row = row
            super().__init__()

    def __init__(self) -> None:
        super().__init__(id="filter-help")
        self.chosen = 0
        self._top = 0
        self._rows: tuple[str, ...] = ()
        self._lines: list[tuple[str, str]] = []

    @property
    def offering(self) -> bool:
        """Whether candidates are shown."""
        return self.display and bool(self._rows)

    def hide(self) -> None:
        if self.display:
            self.display = False
        self._rows, self._lines = (), []

    def offer(self, candidates: Sequence[Candidate], chosen: int, title: str, x: int, y: int, room: tuple[int, int]) -> None:
        """Show candidates with their first column at (x, y) of a screen of `room` cells."""
        name = max(min(48, max(cell_len(one.text) for one in candidates)), 4)
        kind = max(cell_len(one.kind) for one in candidates)
        about = min(60, max(cell_len(one.about) for one in candidates))
        counts = [f"{one.seen:,}" if one.seen is not None else "" for one in candidates]
        count = max(map(len, counts))
        spare = room[0] - x - sum(column + 2 for column in (name, kind, about, count) if column)
        about = max(0, min(about, max(LEAST_ABOUT, about + spare)))
        width = min(room[0], max(sum(column + 2 for column in (name, kind, about, count) if column), cell_len(title) + 3))
        rows = []
        for one, number in zip(candidates, counts, strict=True):
            cells = ((fit(one.text, name), name), (fit(one.kind, kind), kind), (fit(one.about, about), about), (number.rjust(count), count))
            rows.append("  ".join(cell for cell, there in cells if there))
        height = min(len(rows), ROWS, room[1] - y - 2)
        self.chosen = chosen
        self._top = max(0, min(self._top, chosen, len(rows) - height), chosen - height + 1)
        self._rows = tuple(rows[self._top:self._top + height])
        self._lines = [(f" {fit(title, width - 2)} ", "dim")]
        self._place(max(0, min(x, room[0] - width)), y, width, height + 1)

    def explain(self, text: str, look: str, start: int, end: int, hint: str, y: int, width: int) -> None:
        """Show `text` with carets from column `start` to `end` of the screen; `look` is "error" or "warning"."""
        start = max(0, min(start, width - 1))
        carets = ("^" if look == "error" else "~") * max(1, min(end, width) - start)
        words = printable(text)
        lines = [(fit(" " * start + carets, width), look)]
        room = width - 2
        indent = min(start, max(0, width - 2 - cell_len(words) - cell_len(hint) - 3), 20)
        if cell_len(words) + 3 + cell_len(hint) + indent <= room:
            lines.append((fit(" " * (indent + 1) + words + ("   " + hint if hint else ""), width), look))
        else:
            lines += [(fit(" " + part, width), look) for part in textwrap.wrap(words, room)[:3]]
            if hint:
                lines.append((fit(" " + hint, width), "dim"))
        self._rows, self._lines, self._top = (), lines, 0
        self._place(0, y, width, len(lines))

    def _place(self, x: int, y: int, width: int, height: int) -> None:
        self.styles.offset = (x, y)
        self.styles.width, self.styles.height = width, max(1, height)
        self.display = True
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y < len(self._rows):
            row = self._top + y
            here = row == self.chosen
            style = self.get_component_rich_style("filter-help--chosen") if here else self.rich_style
            return Strip([Segment(fit(f"{'▶' if here else ' '}{self._rows[y]}", width), style)])
        at = y - len(self._rows)
        if at >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        text, look = self._lines[at]
        return Strip([Segment(fit(text, width), self.get_component_rich_style(f"filter-help--{look}"))])

    def on_click(self, event: events.Click) -> None:
        if 0 <= event.y < len(self._rows):
            self.post_message(self.Chosen(self._top + event.y))
