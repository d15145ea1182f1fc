"""What the upper floors are handed: rows, packets, byte views and where their bytes came from."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from captures.stream.places import Origin
from protocols.decoder import View
from protocols.engine.fields import Field

__all__ = ["Packet", "Row", "View"]


class Row(NamedTuple):
    """One line of the packet list. Times in nanoseconds, `time` None where the file gives none; `rrt` is None where there is no pair.
    `mark` is ┬ on a request that has its response, ┴ on a response, "" elsewhere.
    `severity` is "error", "warning", "note" or "". `pending`: the application layer is not read yet."""

    number: int
    time: int | None
    rrt: int | None
    mark: str
    source: str
    destination: str
    protocol: str
    length: int
    info: str
    severity: str = ""
    pending: bool = False


@dataclass(slots=True)
class Packet:
    """One packet, dissected. `views[0]` is the frame. `pieces[v]` tells where the bytes of view v came from (empty where they were
    made, as by decompression). `layers` are the top nodes of the tree."""

    index: int
    views: list[View]
    layers: Sequence[Field]
    row: Row
    pieces: dict[int, list[Origin]] = field(default_factory=dict)
