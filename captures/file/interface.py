"""Where packets were recorded, and what the recorder said of it."""
from __future__ import annotations

from typing import NamedTuple

__all__ = ["Interface", "Statistics"]


class Interface(NamedTuple):
    """`link` is the link type (DLT), `snaplen` 0 when unlimited. `numbered`: the file tells interfaces apart by number, as pcapng does; `number` counts
    from 0 in each section, `section` from 1. `fcs`: bytes of frame check sequence at the end of each frame, None where the file does not say."""

    link: int
    snaplen: int = 0
    name: str = ""
    numbered: bool = False
    section: int = 0
    number: int = 0
    description: str = ""
    filter: str = ""
    system: str = ""
    hardware: str = ""
    fcs: int | None = None


class Statistics(NamedTuple):
    """What was counted on an interface (pcapng's Interface Statistics Block); None where it was not."""

    received: int | None = None
    dropped: int | None = None
    accepted: int | None = None
    dropped_by_system: int | None = None
    delivered: int | None = None
