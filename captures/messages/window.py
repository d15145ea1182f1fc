"""The bytes of one direction around a position, for those who read forward through it."""
from __future__ import annotations

from captures.stream.byte_stream import ByteStream

__all__ = ["DENSE", "FIRST_LOOK", "Window"]

DENSE = 8
"""From one message in so many on, those who read messages of a stream put its bytes together for all of them."""
FIRST_LOOK = 4096
READ_AHEAD = 1 << 18
WHOLE = 1 << 22
"""A direction up to this size is read at once."""


class Window:
    """The bytes of a direction around a position: at first up to WHOLE bytes, then ahead further and further while positions go forward.

    `data` holds the bytes `base` .. `end` of the stream, which lie in one run.
    """

    __slots__ = ("_direction", "_size", "base", "data", "end")

    def __init__(self, direction: ByteStream) -> None:
        self._direction = direction
        self._size = WHOLE if direction.end <= WHOLE else FIRST_LOOK
        self.data = b""
        self.base = self.end = 0

    def seek(self, start: int, count: int) -> int:
        """Have the bytes `start` .. `start + count` in `data`, or as many of them as the run has; where in `data` they start."""
        if not self.base <= start <= start + count <= self.end:
            ahead = self.end <= start + count and self.base <= start <= self.end + self._size
            self._size = max(self._size, min(self._size * 2, READ_AHEAD)) if ahead else FIRST_LOOK
            self.data = self._direction.read(start, max(count, self._size))
            self.base, self.end = start, start + len(self.data)
        return start - self.base

    def take(self, start: int, count: int) -> bytes:
        """The bytes `start` .. `start + count`, or as many of them as the run has."""
        at = self.seek(start, count)
        return self.data[at:at + count]
