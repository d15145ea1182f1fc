"""permessage-deflate (RFC 7692): messages that share a compressor's window, inflated in order and with a limit.

What a frame inflates to depends on all compressed frames before it in its direction. `Inflater` reads them once, in order; `History` keeps the compressed
bytes of the first megabytes of a direction, so that a single frame can be shown later.
"""
from __future__ import annotations

import zlib

__all__ = ["History", "Inflater"]

MESSAGE_MOST = 16 << 20
"""Bytes that one message may inflate to."""
HISTORY_MOST = 4 << 20
"""Compressed bytes of a direction that are kept."""
TAIL = b"\x00\x00\xff\xff"
"""What the sender takes off the end of each message (section 7.2.1)."""


class Inflater:
    """One direction. `takeover` says that the window stays from message to message. After a fault nothing more of it can be read, unless every message
    starts anew."""

    __slots__ = ("_engine", "_made", "_skips", "lost", "takeover")

    def __init__(self, takeover: bool) -> None:
        self.takeover = takeover
        self.lost = False
        self._engine = zlib.decompressobj(-15)
        self._made = 0
        self._skips = False

    def copy(self) -> Inflater:
        other = Inflater(self.takeover)
        other.lost, other._engine, other._made, other._skips = self.lost, self._engine.copy(), self._made, self._skips
        return other

    def feed(self, payload: bytes, first: bool, last: bool) -> bytes | None:
        """What the payload of one frame inflates to; None where it cannot be read. `first` and `last` say which end of its message the frame is."""
        if first:
            self._made, self._skips = 0, False
            if not self.takeover:
                self._engine, self.lost = zlib.decompressobj(-15), False
        if self.lost or self._skips:
            return None
        out = bytearray()
        left = payload + TAIL if last else payload
        try:
            while left:
                piece = self._engine.decompress(left, MESSAGE_MOST + 1 - self._made)
                out += piece
                self._made += len(piece)
                if self._made > MESSAGE_MOST:
                    self.lost = self._skips = True
                    return None
                if self._engine.eof:                      # a last block inside a message is allowed: the rest starts a new stream
                    left, self._engine = self._engine.unused_data, zlib.decompressobj(-15)
                    if left == TAIL:
                        break
                else:
                    left = self._engine.unconsumed_tail
        except zlib.error:
            self.lost = True
            return None
        return bytes(out)


class History:
    """The compressed frames of one direction, as far as they were kept."""

    __slots__ = ("_cached", "_frames", "_size", "takeover", "whole")

    def __init__(self, takeover: bool, whole: bool) -> None:
        self.takeover = takeover
        self.whole = whole
        """Whether every compressed frame from the connection's start is here."""
        self._frames: list[tuple[bytes, bool, bool]] = []
        self._size = 0
        self._cached: tuple[int, Inflater] | None = None

    def add(self, payload: bytes, first: bool, last: bool, complete: bool) -> int | None:
        """Keep a frame's unmasked payload; its number, or None when it cannot be kept."""
        self._size += len(payload)
        if not complete or self._size > HISTORY_MOST:
            self.whole = False
        if not self.whole:
            return None
        self._frames.append((payload, first, last))
        return len(self._frames) - 1

    def inflated(self, number: int) -> bytes | None:
        """What the frame with this number inflates to. Reading one after the other costs each frame once."""
        at, engine = 0, Inflater(self.takeover)
        cached = self._cached
        if cached is not None and cached[0] <= number:
            at, engine = cached[0], cached[1].copy()
        made: bytes | None = None
        for place in range(at, number + 1):
            if place == number:
                self._cached = place, engine.copy()
            made = engine.feed(*self._frames[place])
        return made
