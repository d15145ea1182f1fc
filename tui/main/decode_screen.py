"""Decode as: the protocols that may read a stream, the most likely first, each with its reason."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from textual.app import ComposeResult
from textual.strip import Strip

from protocols.engine.fields import printable
from tui.app import actions
from tui.app.key_screen import KeyScreen
from tui.app.keys import Press
from tui.main.formats import fit
from tui.main.pane import Rows


class DecoderChoice(NamedTuple):
    """A protocol by name and title, how sure its decoder is (0-100), and why."""

    name: str
    title: str
    score: int
    why: str


class Candidates(Rows):
    """A line a protocol."""

    context = actions.DECODE
    head = 1
    DEFAULT_CSS = "Candidates { width: 100%; height: 100%; & > .candidates--header { text-style: bold underline; } }"
    COMPONENT_CLASSES = {"candidates--header"}

    def __init__(self, candidates: Sequence[DecoderChoice]) -> None:
        super().__init__(id="candidates")
        self.candidates = candidates

    @property
    def count(self) -> int:
        return len(self.candidates)

    def top_line(self, y: int) -> Strip:
        return self.plain(fit(f"  {'Protocol':14} {'Title':28} Score  Why", self.area.width), self.style_of("candidates--header"))

    def line(self, row: int) -> Strip:
        name, title, score, why = self.candidates[row]
        here = row == self.cursor
        text = f"{'▶' if here else ' '} {fit(printable(name), 14)} {fit(printable(title), 28)} {score:>5}  {printable(why)}"
        return self.plain(fit(text, self.area.width), self.cursor_style() if here else self.plain_style)


class DecodeScreen(KeyScreen):
    """`chosen` is called with the protocol's name after the screen is closed."""

    CONTEXTS = (actions.DECODE,)

    def __init__(self, title: str, candidates: Sequence[DecoderChoice], chosen: Callable[[str], None]) -> None:
        super().__init__()
        self._title_text = title
        self._chosen = chosen
        self.pane = Candidates(candidates)

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.pane.set_title(f"{self._title_text}  (Enter chooses, q closes)")
        self.set_focus(self.pane)

    def do_choose(self, _press: Press) -> None:
        if self.pane.count:
            self.dismiss()
            self._chosen(self.pane.candidates[self.pane.cursor].name)
