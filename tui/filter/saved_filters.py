"""The user's filters on disk: those applied lately, those saved by name, and macros. Files are the user's own and readable by nobody else.

A file that cannot be read or written costs the memory, never the program: filters then last as long as it runs.
"""
from __future__ import annotations

import json
from pathlib import Path

from platformdirs import user_state_path

from captures.file.atomic import replacing
from tui.filter.macro_file import MacroFile

MOST_HISTORY = 500
LONGEST_REMEMBERED = 10_000


class FilterStore:
    """`folder` defaults to the user's state folder, that of macros to the folder of settings."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or user_state_path("protoview")
        self.macro_file = MacroFile(folder)
        self._history: list[str] | None = None
        self._saved: dict[str, str] | None = None

    @property
    def history(self) -> list[str]:
        """Filters applied, the oldest first, each once."""
        if self._history is None:
            found = self._read("filter-history.json")
            self._history = [text for text in found if isinstance(text, str)][-MOST_HISTORY:] if isinstance(found, list) else []
        return self._history

    @property
    def saved(self) -> dict[str, str]:
        """Saved filters by name."""
        if self._saved is None:
            found = self._read("filters.json")
            self._saved = {name: text for name, text in found.items() if isinstance(text, str)} if isinstance(found, dict) else {}
        return self._saved

    def remember(self, text: str) -> None:
        """Note a filter that was applied."""
        if not text or len(text) > LONGEST_REMEMBERED:
            return
        history = self.history
        if text in history:
            history.remove(text)
        history.append(text)
        del history[:-MOST_HISTORY]
        self._write("filter-history.json", history)

    def save(self, name: str, text: str) -> str:
        """Keep a filter under a name; returns why that failed, or ""."""
        self.saved[name] = text
        return self._write("filters.json", self.saved)

    def _read(self, name: str) -> object:
        try:
            return json.loads((self.folder / name).read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return None

    def _write(self, name: str, content: object) -> str:
        """Replace a file at once, so that two programs never leave half of it."""
        try:
            with replacing(self.folder / name, private=True) as file:
                file.write(json.dumps(content, ensure_ascii=True, indent=1).encode("ascii"))
        except OSError as fault:
            return str(fault)
        return ""
