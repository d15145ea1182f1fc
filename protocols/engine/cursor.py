"""Reading forward through bytes for a few words about a message, without fields: the summaries' way."""
from __future__ import annotations

__all__ = ["Cursor"]


class Cursor:
    """A place in `data[at:end]`. Protocols add what they read; all of it raises ValueError where bytes are missing or make no sense."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data = data
        self.at = at
        self.end = end

    def skip(self, count: int) -> int:
        """Step over `count` bytes; where they started."""
        before = self.at
        if count < 0 or before + count > self.end:
            raise ValueError(f"wanted {count} bytes, had {self.end - before}")
        self.at = before + count
        return before
