"""Where packets were recorded."""
from __future__ import annotations

from typing import NamedTuple


class Interface(NamedTuple):
    """`link` is the link type (DLT), `snaplen` 0 when unlimited."""

    link: int
    snaplen: int = 0
    name: str = ""
