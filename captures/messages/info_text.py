"""The Info column of a message, made when somebody reads it and fit for a terminal whatever the decoder gave."""
from __future__ import annotations

from collections.abc import Callable

from protocols.engine.fields import printable

__all__ = ["readable"]


def readable(text: str | Callable[[], str]) -> str:
    """`Summary.text`, made now where the decoder left that for later; a decoder's mistake becomes the text."""
    try:
        return printable(text if isinstance(text, str) else text())
    except Exception as mistake:  # a decoder's own mistake must not end the program
        return printable(f"the decoder failed: {type(mistake).__name__}: {mistake}")
