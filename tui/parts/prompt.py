"""A line of input that opens over the key hints: `:` for commands, `/` to find.

The sign before the line is no part of its text, so that every readline key edits what was typed and nothing else; only Escape, Ctrl-C, Enter, and
Backspace before anything was typed close it. What was answered is kept by sign, and Up brings it back. Tab completes from what the screen offers.
"""
from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from itertools import takewhile

from rich.cells import cell_len
from rich.highlighter import Highlighter
from rich.segment import Segment
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from protocols.engine.fields import printable
from tui.parts.formats import fit

EDITS = {
    "left": Input.action_cursor_left, "right": Input.action_cursor_right, "ctrl+left": Input.action_cursor_left_word,
    "ctrl+right": Input.action_cursor_right_word, "backspace": Input.action_delete_left, "delete": Input.action_delete_right,
    "ctrl+d": Input.action_delete_right, "home": Input.action_home, "ctrl+a": Input.action_home, "end": Input.action_end, "ctrl+e": Input.action_end,
    "ctrl+w": Input.action_delete_left_word, "ctrl+u": Input.action_delete_left_all, "ctrl+k": Input.action_delete_right_all,
    "ctrl+h": Input.action_delete_left,
}
LINE_END = re.compile(r"\r\n|[\r\n\t\v\f]")
KEPT = 100
"""Answers remembered for each sign."""


def one_line(text: str) -> str:
    """Text of several lines as one: every line end between them is a blank."""
    return LINE_END.sub(" ", text.strip("\r\n"))


class TextLine(Input):
    """A line of input whose keys the screen can tell from those typed before it was there."""

    def __init__(self, *, id: str, highlighter: Highlighter | None = None) -> None:
        super().__init__(id=id, compact=True, select_on_focus=False, highlighter=highlighter)
        self.cursor_blink = False
        self._seen: deque[events.Key] = deque(maxlen=256)

    def edit(self, event: events.Key) -> None:
        """Carry out a readline key at once: by way of its binding it would come behind what was typed after it."""
        change = EDITS.get(event.key)
        if change is not None:
            event.stop()
            event.prevent_default()
            change(self)

    def saw(self, event: events.Key) -> bool:
        """Whether a key came by way of this widget."""
        return any(event is one for one in self._seen)

    def pass_on(self, event: events.Key) -> None:
        """A key typed after the line was closed, before the focus went on."""
        event.stop()
        event.prevent_default()
        self.app.post_message(events.Key(event.key, event.character).set_sender(self.app))

    def on_paste(self, event: events.Paste) -> None:
        """Take all lines of what is pasted; Textual's own line takes the first and drops the rest without a word."""
        event.stop()
        event.prevent_default()
        self.replace(one_line(event.text), *self.selection)


class PromptLine(TextLine):
    """What is typed behind the sign; every key is shown to `keyed` first, which tells whether it took it."""

    DEFAULT_CSS = """
    PromptLine, PromptLine:focus { height: 1; border: none; padding: 0; width: 1fr; background: $pv-ground; color: $pv-text; }
    """

    def __init__(self, keyed: Callable[[events.Key], bool]) -> None:
        super().__init__(id="prompt-line")
        self._keyed = keyed

    def on_key(self, event: events.Key) -> None:
        self._seen.append(event)
        if self._keyed(event):
            event.stop()
            event.prevent_default()
        else:
            self.edit(event)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()


class Words(Widget):
    """A text as wide as it is."""

    DEFAULT_CSS = "Words { height: 1; background: $pv-ground; color: $pv-text; }"

    def put(self, text: str, most: int) -> None:
        self._text = fit(text, min(most, cell_len(text)))
        self.styles.width = cell_len(self._text)
        self.refresh()

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._text = ""

    def render_line(self, y: int) -> Strip:
        return Strip([Segment(self._text, self.rich_style)])


class Prompt(Horizontal):
    """The sign, the line, and what Tab offers."""

    DEFAULT_CSS = "Prompt { height: 1; width: 100%; padding: 0 1; display: none; background: $pv-ground; }"

    class Answered(Message):
        """The user pressed Enter; `text` is what stands behind the sign."""

        def __init__(self, sign: str, text: str) -> None:
            self.sign, self.text = sign, text
            super().__init__()

    class Dropped(Message):
        """The line was closed without an answer."""

    def __init__(self, candidates: Callable[[str, str], Sequence[str]] = lambda _sign, _text: ()) -> None:
        """`candidates` gives the texts that may come of one that is typed behind a sign."""
        super().__init__(id="prompt")
        self.sign = ""
        self.line = PromptLine(self._key)
        self._label, self._offer = Words(id="prompt-sign"), Words(id="prompt-offer")
        self._candidates = candidates
        self._answers: dict[str, list[str]] = {}
        self._past = 0
        self._draft = ""
        self._typed = False
        self._offered: Sequence[str] = ()

    def compose(self) -> ComposeResult:
        yield self._label
        yield self.line
        yield self._offer

    @property
    def value(self) -> str:
        """What is typed."""
        return self.line.value

    def ask(self, sign: str, text: str = "") -> None:
        """Open the line, with a text to go on from."""
        self.sign = sign
        self.display = True
        self._label.put(sign, cell_len(sign))
        self._past, self._draft, self._typed = len(self._answers.get(sign, ())), "", bool(text)
        self._show(())
        self._put(text)
        self.screen.set_focus(self.line)

    def close(self) -> None:
        self.display = False
        self.sign = ""

    def _put(self, text: str) -> None:
        self.line.value = text
        self.line.cursor_position = len(text)

    def _show(self, offered: Sequence[str]) -> None:
        """Say what Tab goes through."""
        self._offered = offered
        self._offer.put(printable("  ".join(offered)), max(0, self.size.width // 2))

    def _key(self, event: events.Key) -> bool:
        key = event.key
        if not self.sign:
            self.line.pass_on(event)
        elif key in ("escape", "ctrl+c") or (key == "backspace" and not self._typed):
            self.close()
            self.post_message(self.Dropped())
        elif key == "enter":
            sign, text = self.sign, self.value.strip()
            self._remember(sign, text)
            self.close()
            self.post_message(self.Answered(sign, text))
        elif key in ("up", "down"):
            self._recall(-1 if key == "up" else 1)
        elif key in ("tab", "shift+tab"):
            self._complete(1 if key == "tab" else -1)
        else:
            self._typed = True
            self._show(())
            return key in ("pageup", "pagedown")
        return True

    def _remember(self, sign: str, text: str) -> None:
        answers = self._answers.setdefault(sign, [])
        if text:
            answers[:] = [*(one for one in answers if one != text), text][-KEPT:]

    def _recall(self, step: int) -> None:
        """Go through what was answered before; behind the newest stands what was being typed."""
        answers = self._answers.get(self.sign, [])
        if self._past == len(answers):
            self._draft = self.value
        self._past, self._typed = max(0, min(len(answers), self._past + step)), True
        self._put(answers[self._past] if self._past < len(answers) else self._draft)

    def _complete(self, step: int) -> None:
        """Write what all candidates have in common, then one after the other."""
        if self.value in self._offered:
            self._put(self._offered[(self._offered.index(self.value) + step) % len(self._offered)])
            return
        offered = self._candidates(self.sign, self.value)
        ends = (min(offered), max(offered)) if offered else ("", "")
        common = "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(*ends, strict=False)))
        self._show(offered)
        self._typed = True
        if len(common) > len(self.value) or len(offered) == 1:
            self._put(common)
        elif offered:
            self._put(offered[0])
