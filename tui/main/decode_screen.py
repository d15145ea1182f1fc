"""Decode as: the protocols that may read a stream, the most likely first, each with its reason; above them the way back to recognition.

The choice in force is marked. A protocol that does not recognise the stream is taken only when it is chosen twice.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from textual.app import ComposeResult
from textual.strip import Strip

from protocols.engine.fields import printable
from tui.parts import actions
from tui.parts.formats import fit
from tui.parts.key_screen import KeyScreen
from tui.parts.keys import Press
from tui.parts.pane import Rows


class DecoderChoice(NamedTuple):
    """A protocol by name and title, how sure its decoder is (0-100), and why."""

    name: str
    title: str
    score: int
    why: str


AUTOMATIC = DecoderChoice("", "recognise each stream by its bytes", 100, "as at the start")


class Candidates(Rows):
    """A line a protocol; `current` is the name of the one in force, "" for recognition."""

    context = actions.DECODE
    head = 1
    DEFAULT_CSS = "Candidates { width: 100%; height: 100%; & > .candidates--header { text-style: bold underline; } }"
    COMPONENT_CLASSES = {"candidates--header"}

    def __init__(self, candidates: Sequence[DecoderChoice], current: str) -> None:
        super().__init__(id="candidates")
        self.candidates, self.current = [AUTOMATIC, *candidates], current
        names = [one.name for one in self.candidates]
        self.cursor = names.index(current) if current in names[1:] else min(1, len(candidates))

    @property
    def count(self) -> int:
        return len(self.candidates)

    def top_line(self, y: int) -> Strip:
        return self.plain(fit(f"  {'Protocol':14} {'Title':28} Score  Why", self.area.width), self.style_of("candidates--header"))

    def line(self, row: int) -> Strip:
        name, title, score, why = self.candidates[row]
        here = row == self.cursor
        mark = "●" if name == self.current else " "
        points = str(score) if name else ""
        text = f"{'▶' if here else ' '}{mark}{fit(printable(name) or 'automatic', 14)} {fit(printable(title), 28)} {points:>5}  {printable(why)}"
        return self.plain(fit(text, self.area.width), self.cursor_style() if here else self.plain_style)


class DecodeScreen(KeyScreen):
    """`chosen` is called with the protocol's name after the screen is closed."""

    CONTEXTS = (actions.DECODE,)

    def __init__(self, title: str, candidates: Sequence[DecoderChoice], current: str, chosen: Callable[[str], None]) -> None:
        """`current` is the name in force, "" for recognition; so is what `chosen` is called with."""
        super().__init__()
        self._asked = ""
        self._title_text = title
        self._chosen = chosen
        self.pane = Candidates(candidates, current)

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.pane.set_title(f"{self._title_text}  (Enter chooses, q closes)")
        self.set_focus(self.pane)

    def do_choose(self, _press: Press) -> None:
        one = self.pane.candidates[self.pane.cursor]
        if not one.score and self._asked != one.name:
            self._asked = one.name
            self.pane.set_title(f"{one.name} does not recognise this stream; Enter once more takes it all the same, q closes")
            return
        self.dismiss()
        self._chosen(one.name)
