"""A line of input that opens over the key hints: `:` for commands, `/` to find."""
from __future__ import annotations

from collections import deque

from rich.highlighter import Highlighter
from textual import events
from textual.message import Message
from textual.widgets import Input

EDITS = {
    "left": Input.action_cursor_left, "right": Input.action_cursor_right, "ctrl+left": Input.action_cursor_left_word,
    "ctrl+right": Input.action_cursor_right_word, "backspace": Input.action_delete_left, "delete": Input.action_delete_right,
    "ctrl+d": Input.action_delete_right, "home": Input.action_home, "ctrl+a": Input.action_home, "end": Input.action_end, "ctrl+e": Input.action_end,
    "ctrl+w": Input.action_delete_left_word, "ctrl+u": Input.action_delete_left_all, "ctrl+k": Input.action_delete_right_all,
}


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


class Prompt(TextLine):
    """The text begins with the prompt's sign; deleting the sign closes the line, as in vim."""

    DEFAULT_CSS = """
    Prompt, Prompt:focus { height: 1; border: none; padding: 0 1; display: none; background: $background; color: $foreground; }
    """

    class Answered(Message):
        """The user pressed Enter; `text` is what stands behind the sign."""

        def __init__(self, sign: str, text: str) -> None:
            self.sign, self.text = sign, text
            super().__init__()

    class Dropped(Message):
        """The line was closed without an answer."""

    def __init__(self) -> None:
        super().__init__(id="prompt")
        self.sign = ""

    def ask(self, sign: str) -> None:
        """Open the line."""
        self.sign = sign
        self.display = True
        self.value = sign
        self.cursor_position = len(sign)
        self.screen.set_focus(self)

    def close(self) -> None:
        self.display = False
        self.sign = ""

    def on_key(self, event: events.Key) -> None:
        self._seen.append(event)
        answer: Message
        if not self.sign:
            self.pass_on(event)
            return
        if event.key in ("escape", "ctrl+c") or (event.key == "backspace" and self.value == self.sign):
            answer = self.Dropped()
        elif event.key == "enter":
            answer = self.Answered(self.sign, self.value.removeprefix(self.sign).strip())
        else:
            self.edit(event)
            return
        event.stop()
        event.prevent_default()
        self.close()
        self.post_message(answer)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.sign and not self.value.startswith(self.sign):
            self.close()
            self.post_message(self.Dropped())
