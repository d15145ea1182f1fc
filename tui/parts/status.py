"""The one-line bars: title and problems on top, field and key hints at the bottom.

A bar holds finished text, so it is drawn without layout and never parsed as markup.
"""
from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from protocols.engine.fields import printable
from tui.parts.actions import Action
from tui.parts.formats import fit
from tui.parts.keys import shown

FIRST = ("filter", "error-next", "peer", "follow", "copy", "help", "quit")
"""Names of the actions whose keys are shown first, whatever else there is room for."""


def _use(action: Action) -> int:
    name = action.id.partition(".")[2]
    return FIRST.index(name) if name in FIRST else len(FIRST)


class Bar(Widget):
    """One line: `left`, and `right` at the other end as long as there is room."""

    COMPONENT_CLASSES = {"bar--error", "bar--warning", "bar--good", "bar--key"}
    DEFAULT_CSS = """
    Bar {
        height: 1; background: $pv-ground; color: $pv-text;
        & > .bar--error { color: $pv-error; text-style: bold; }
        & > .bar--warning { color: $pv-warning; text-style: bold; }
        & > .bar--good { color: $pv-good; }
        & > .bar--key { text-style: bold; color: $pv-accent; }
    }
    Bar#title { background: $pv-panel-ground; }
    """

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.left = ""
        self.right = ""
        self.look = ""

    def put(self, left: str, right: str = "", look: str = "") -> None:
        """Show text; `look` is "error", "warning", "good" or ""."""
        left, right = printable(left), printable(right)
        if (left, right, look) != (self.left, self.right, self.look):
            self.left, self.right, self.look = left, right, look
            self.refresh()

    def render_line(self, y: int) -> Strip:
        style = self.get_component_rich_style(f"bar--{self.look}") if self.look else self.rich_style
        width = self.size.width
        room = width - cell_len(self.right) - 3
        if self.right and room > min(cell_len(self.left), width // 3):
            return Strip([Segment(f" {fit(self.left, room)} {self.right} ", style)])
        return Strip([Segment(fit(" " + self.left, width), style)])


class Hints(Bar):
    """The keys that work in the focused pane, as many as fit, and the place at the right end; or a message."""

    class Chosen(Message):
        """A hint was clicked."""

        def __init__(self, action: Action) -> None:
            self.action = action
            super().__init__()

    def __init__(self) -> None:
        super().__init__(id="hints")
        self._actions: tuple[Action, ...] = ()

    def offer(self, actions: Sequence[Action]) -> None:
        """Show what is used most first, then what the focused pane can do."""
        actions = tuple(sorted((action for action in actions if action.hint), key=_use))
        if actions != self._actions:
            self._actions = actions
            self.refresh()

    def _places(self) -> list[tuple[int, Action, str, str]]:
        """Each hint's column, action, key and word."""
        room = self.size.width - cell_len(self.right) - 2
        x, found = 1, []
        for action in self._actions:
            key = shown(action.keys[0].removesuffix(" *"))
            length = cell_len(key) + 1 + len(action.hint) + 2
            if x + length > room:
                break
            found.append((x, action, key, action.hint))
            x += length
        return found

    def render_line(self, y: int) -> Strip:
        if self.left:
            return super().render_line(y)
        segments, x = [Segment(" ", self.rich_style)], 1
        bold = self.get_component_rich_style("bar--key")
        for _, _, key, word in self._places():
            segments += [Segment(key, bold), Segment(f" {word}  ", self.rich_style)]
            x += cell_len(key) + len(word) + 3
        segments.append(Segment(fit("", self.size.width - x - cell_len(self.right) - 1) + self.right + " ", self.rich_style))
        return Strip(segments)

    def on_click(self, event: events.Click) -> None:
        if self.left:
            return
        for x, action, key, word in self._places():
            if x <= event.x < x + cell_len(key) + 1 + len(word):
                self.post_message(self.Chosen(action))
