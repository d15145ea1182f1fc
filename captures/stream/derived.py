"""A stream made by another decoder: un-framed, de-chunked, decompressed or decrypted bytes, with the way back to the messages that carried them.

Each piece is what one outer message carried. Bytes that stand in the outer message as they are keep their places in packets; the others exist only here.
The bytes themselves are kept: a stream of this kind costs its size in memory.
"""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from captures.stream.byte_stream import ByteStream, Ints, Place

__all__ = ["Derived"]


class Derived(ByteStream):
    """One direction. `outer` is the stream that carried it; `source` (int64, by piece) the offset in `outer` at which the piece's bytes stand as they
    are, -1 where they stand nowhere. `packet` is the packet with which the carrying message was complete."""

    __slots__ = ("_data", "outer", "source")

    def __init__(self, outer: ByteStream, data: bytes, length: Ints, packet: Ints, source: Ints, known_start: bool) -> None:
        ends = np.cumsum(length)
        super().__init__(outer.side, ends - length, length, packet, len(data), known_start)
        self._data = data
        self.outer = outer
        self.source = source

    def read(self, start: int, count: int) -> bytes:
        return self._data[start:start + count] if start >= 0 and count > 0 else b""

    def places(self, start: int, count: int) -> Sequence[Place]:
        at = self._at(start)
        if at < 0 or count <= 0:
            return []
        stop = min(start + count, self.end)
        found: list[Place] = []
        for piece in range(at, int(self.start.searchsorted(stop, "left"))):
            low, high = max(start, int(self.start[piece])), min(stop, int(self.start[piece] + self.length[piece]))
            source = int(self.source[piece])
            if source >= 0:
                inner = self.outer.places(source + low - int(self.start[piece]), high - low)
                found.extend(place._replace(at=place.at + low - start) for place in inner)
        return found

    def tail(self, start: int) -> Derived:
        keep = self.start + self.length > start
        cut = np.maximum(start - self.start[keep], 0)
        source = np.where(self.source[keep] >= 0, self.source[keep] + cut, -1)
        return Derived(self.outer, self._data[start:], self.length[keep] - cut, self.packet[keep], source, True)
