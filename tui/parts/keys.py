"""From key presses to actions: counts as in vim (`45G`), sequences (`g g`, `ctrl+w w`) and keys that take a letter (`m *`).

A key is written as its character, or by Textual's name where it has none that can be seen: "j", "G", "]", "ctrl+d", "space".
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

ANY = "*"
"""In a sequence: any one character, handed to the action."""
LARGEST_COUNT = 9_999_999_999

NAMES = {
    "space": "Space", "enter": "Enter", "escape": "Esc", "tab": "Tab", "shift+tab": "Shift-Tab", "up": "↑", "down": "↓", "left": "←", "right": "→",
    "pageup": "PgUp", "pagedown": "PgDn", "home": "Home", "end": "End", "f1": "F1", "backspace": "Backspace", ANY: "a-z",
}


class Press(NamedTuple):
    """How an action was called: with a count before it (`number`, None without), and the letter of an `ANY`."""

    number: int | None = None
    letter: str = ""

    @property
    def times(self) -> int:
        return 1 if self.number is None else self.number


ONCE = Press()


def token(key: str, character: str | None) -> str:
    """How a key is written in a sequence."""
    if character is not None and len(character) == 1 and character.isprintable() and character != " ":
        return character
    return key


def shown(sequence: str) -> str:
    """A sequence as a person reads it: `ctrl+w w` is "Ctrl-W w"."""
    parts = []
    for one in sequence.split():
        if one.startswith("ctrl+"):
            parts.append("Ctrl-" + one[5:].upper())
        else:
            parts.append(NAMES.get(one, one))
    short = all(len(part) == 1 for part in parts)
    return ("" if short else " ").join(parts)


Target = TypeVar("Target")


class KeyReader:
    """Collects keys until they are a whole sequence of a table, or cannot become one."""

    def __init__(self) -> None:
        self._sequence: list[str] = []
        self._count = ""

    @property
    def pending(self) -> str:
        """What was typed of a sequence so far, for the status line."""
        return self._count + " ".join(self._sequence)

    def clear(self) -> None:
        self._sequence.clear()
        self._count = ""

    def feed(self, key: str, tables: Iterable[Mapping[str, Target]]) -> tuple[Target, Press] | None:
        """Take one key. Returns what it completes in the first table that knows it; None while waiting, or if nothing begins so."""
        if key == "escape" and self.pending:
            self.clear()
            return None
        tables = list(tables)
        if not self._sequence and key.isascii() and key.isdigit() and (self._count or key != "0") and not any(key in table for table in tables):
            self._count = (self._count + key)[:10]
            return None
        self._sequence.append(key)
        typed = " ".join(self._sequence)
        wild = " ".join([*self._sequence[:-1], ANY])
        for table in tables:
            found = table.get(typed)
            letter = ""
            if found is None and len(self._sequence) > 1 and len(key) == 1:
                found, letter = table.get(wild), key
            if found is not None:
                press = Press(min(int(self._count), LARGEST_COUNT) if self._count else None, letter)
                self.clear()
                return found, press
        if not any(name.startswith(typed + " ") for table in tables for name in table):
            self.clear()
        return None
