"""Which stream, and where in the frames its bytes came from."""
from __future__ import annotations

from typing import NamedTuple

__all__ = ["Origin", "Stream"]


class Stream(NamedTuple):
    """A stream by its number in tshark's counting: `Stream("tcp", 3)`. With `layer`, the filter name of a protocol, the stream of this protocol's
    messages in it: `Stream("tcp", 3, "websocket")`; without, what TCP or UDP carries."""

    transport: str
    number: int
    layer: str = ""


class Origin(NamedTuple):
    """`length` bytes at `start` of a byte view came from `frame_start` of packet `packet` (index from 0)."""

    start: int
    length: int
    packet: int
    frame_start: int
