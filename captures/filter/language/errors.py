"""What is wrong, or suspicious, about a filter: a line for the user, the place in the text, and the text that would mend it."""
from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FilterError", "Fix", "Trap"]


@dataclass(frozen=True, slots=True)
class Fix:
    """Replace `text[start:end]` by `replacement`."""

    start: int
    end: int
    replacement: str

    def apply(self, text: str) -> str:
        return text[: self.start] + self.replacement + text[self.end :]


class FilterError(Exception):
    """A filter that cannot be used. `text[start:end]` is what it is about (0 <= start <= end <= len(text)); `incomplete` says that the text may
    still become a filter when more is typed."""

    def __init__(self, message: str, start: int, end: int, fix: Fix | None = None, incomplete: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end
        self.fix = fix
        self.incomplete = incomplete

    def lines(self, text: str) -> list[str]:
        """The message, the filter, and carets under the place."""
        return [self.message, text, " " * self.start + "^" * max(1, self.end - self.start)]


@dataclass(frozen=True, slots=True)
class Trap:
    """A filter that is valid and probably not what was meant."""

    message: str
    start: int
    end: int
    fix: Fix | None = None
