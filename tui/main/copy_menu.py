"""The menu that `y` opens: every form of what is selected, with a letter and a glimpse of the text."""
from __future__ import annotations

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from protocols.engine.fields import printable
from tui.panes.copying import FORMS, Form, Target
from tui.parts.formats import fit

GLIMPSE = 200
MOST_BYTES = 4_096
"""A glimpse is made only of fields up to this size."""


class CopyMenu(Widget):
    """Lies over the panes while the second key is awaited; a click chooses too."""

    COMPONENT_CLASSES = {"menu--key"}
    DEFAULT_CSS = """
    CopyMenu {
        position: absolute; layer: menu; display: none; background: $pv-panel-ground; color: $pv-text; border: heavy $pv-accent; border-title-style: bold;
        & > .menu--key { text-style: bold; color: $pv-accent; }
    }
    """

    class Chosen(Message):
        """A form was clicked."""

        def __init__(self, form: Form) -> None:
            self.form = form
            super().__init__()

    def __init__(self) -> None:
        super().__init__(id="copy")
        self._lines: list[tuple[Form, str]] = []

    def show(self, target: Target, width: int, height: int) -> None:
        """Open at the bottom of an area of so many cells."""
        small = target.field is None or target.field.length <= MOST_BYTES
        self._lines = []
        for form in FORMS:
            text = form.make(target) if small else ""
            if text is not None:
                self._lines.append((form, printable(text[:GLIMPSE])))
        self.border_title = "Copy"
        rows = min(len(self._lines) + 2, height)
        self.styles.width, self.styles.height = min(100, width), rows
        self.styles.offset = (0, max(0, height - rows))
        self.display = True
        self.refresh()

    def render_line(self, y: int) -> Strip:
        if y >= len(self._lines):
            return Strip.blank(self.size.width, self.rich_style)
        form, glimpse = self._lines[y]
        key = self.get_component_rich_style("menu--key")
        return Strip([Segment(f" {form.letter}", key), Segment(fit(f"  {form.name:20} {glimpse}", self.size.width - 2), self.rich_style)])

    def on_click(self, event: events.Click) -> None:
        y = event.y - self.gutter.top
        if 0 <= y < len(self._lines):
            self.post_message(self.Chosen(self._lines[y][0]))
