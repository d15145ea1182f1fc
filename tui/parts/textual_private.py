"""Every use of Textual's internals, each with its reason; nothing else in this project may touch an underscored name of Textual."""
from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from textual import events
from textual._xterm_parser import XTermParser
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.widget import Widget


def set_virtual_size(view: ScrollView, size: Size) -> None:
    """Tell a view how much it can scroll over, without laying out the screen (setting `virtual_size` does, for every change)."""
    if size != view.virtual_size:
        view.set_reactive(Widget.virtual_size, size)
        view._scroll_update(size)


def draw_together(widgets: Iterable[Widget]) -> None:
    """Hand in what these widgets have to repaint at once. Each would do so when it is idle next, so that one move took two or three frames."""
    for widget in widgets:
        widget._check_refresh()


ESCAPE = "\x1b"
OPENS = "[O"
"""What follows Escape in the sequences that name one key."""
BACKGROUND = re.compile(r"\x1b\]11;([^\x07\x1b]*)(?:\x07|\x1b\\)")


class KeyParser(XTermParser):
    """Textual's reader of what a terminal sends, in three things otherwise. Escape and a key that arrive in one read are two keys, since a terminal sends
    Alt with a key in the same way and Textual takes the Escape away. A line feed is Enter: it is what the terminal's own line editing made of
    an Enter typed before the program ran. The answer to OSC 11 goes to `background`, where Textual would have it typed."""

    def __init__(self, background: Callable[[str], None]) -> None:
        super().__init__()
        self._background = background
        self._kept = ""

    def feed(self, data: str) -> Iterable[Message]:
        at_end, data = not data, self._kept + data
        self._kept = ""
        for answer in BACKGROUND.finditer(data):
            self._background(answer[1])
        data = BACKGROUND.sub("", data)
        start = data.rfind(ESCAPE + "]11;")
        if start >= 0 and not at_end:
            data, self._kept = data[:start], data[start:]
        return super().feed(data) if data or at_end else ()

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        pair = len(sequence) == 2 and sequence[0] == ESCAPE and sequence[1] not in OPENS + ESCAPE
        if alt or pair:
            yield events.Key("escape", ESCAPE)
        for event in super()._sequence_to_key_events(sequence[1:] if pair else sequence):
            yield events.Key("enter", "\r") if event.key == "ctrl+j" else event
