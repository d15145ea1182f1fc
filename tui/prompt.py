"""A line of input that opens over the key hints: `:` for commands, `/` to find."""
from __future__ import annotations

from textual import events
from textual.message import Message
from textual.widgets import Input


class Prompt(Input):
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
        super().__init__(id="prompt", compact=True, select_on_focus=False)
        self.cursor_blink = False
        self.sign = ""
        self._seen: events.Key | None = None

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

    def saw(self, event: events.Key) -> bool:
        """Whether a key came by way of this widget."""
        return event is self._seen

    def on_key(self, event: events.Key) -> None:
        self._seen = event
        answer: Message | None = None
        if not self.sign:       # typed after the line was closed, before the focus went on
            self.app.post_message(events.Key(event.key, event.character).set_sender(self.app))
        elif event.key in ("escape", "ctrl+c") or (event.key == "backspace" and self.value == self.sign):
            answer = self.Dropped()
        elif event.key == "enter":
            answer = self.Answered(self.sign, self.value.removeprefix(self.sign).strip())
        else:
            return
        event.stop()
        event.prevent_default()
        if answer is not None:
            self.close()
            self.post_message(answer)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.sign and not self.value.startswith(self.sign):
            self.close()
            self.post_message(self.Dropped())
