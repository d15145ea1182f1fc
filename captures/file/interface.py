"""Where packets were recorded."""
from __future__ import annotations

from typing import NamedTuple


class Interface(NamedTuple):
    """`link` is the link type (DLT), `snaplen` 0 when unlimited. `numbered`: the file tells interfaces apart by number, as pcapng does."""

    link: int
    snaplen: int = 0
    name: str = ""
    numbered: bool = False
