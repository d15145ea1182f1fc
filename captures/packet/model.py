"""What the upper floors are handed: rows, packets, byte views and where their bytes came from."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from protocols.decoder import View
from protocols.engine.fields import Field

__all__ = ["Origin", "Packet", "Row", "Stream", "View"]


class Stream(NamedTuple):
    """A stream by its number in tshark's counting: `Stream("tcp", 3)`. With `layer`, the filter name of a protocol, the stream of this protocol's
    messages in it: `Stream("tcp", 3, "websocket")`; without, what TCP or UDP carries."""

    transport: str
    number: int
    layer: str = ""


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


class Origin(NamedTuple):
    """`length` bytes at `start` of a byte view came from `frame_start` of packet `packet` (index from 0)."""

    start: int
    length: int
    packet: int
    frame_start: int


@dataclass(slots=True)
class Packet:
    """One packet, dissected. `views[0]` is the frame. `pieces[v]` tells where the bytes of view v came from (empty where they were
    made, as by decompression). `layers` are the top nodes of the tree."""

    index: int
    views: list[View]
    layers: Sequence[Field]
    row: Row
    pieces: dict[int, list[Origin]] = field(default_factory=dict)
