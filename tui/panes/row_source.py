"""Rows for the screen, which must never wait: what is ready is shown at once, small streams are read on the way, the rest is left to a worker.

A row whose stream is large, or for which the time of this moment is used up, comes from the columns alone and says that it is `pending`; whoever draws
it has it read beside the screen (`MainScreen.tick`) and asks again.
"""
from __future__ import annotations

import time

from captures.capture import Capture
from captures.packet.model import Row

__all__ = ["RowSource"]

SMALL_STREAM = 2_000
"""Packets of a stream that may be read while the screen waits."""
BUDGET, PERIOD = 0.02, 0.1
"""Seconds that may go by with such reading, in a period of so many seconds."""


class RowSource:
    """The rows of one capture, each at once."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self._since = self._spent = 0.0

    def row(self, index: int) -> Row:
        """The line of packet `index` as far as it can be told now."""
        if not self.capture.loaded:
            return self.capture.cold_row(index)
        row = self.capture.row(index, ready_only=True)
        return self.capture.row(index, ready_only=True) if row.pending and self._read_now(index) else row

    def _read_now(self, index: int) -> bool:
        """Read the packet's stream, if it is small and there is time for it."""
        now = time.monotonic()
        if now - self._since > PERIOD:
            self._since, self._spent = now, 0.0
        stream = self.capture.stream_of(index)
        if stream is None or self._spent >= BUDGET or len(self.capture.members(stream)) > SMALL_STREAM:
            return False
        read = self.capture.read_stream(stream, wait=False)
        self._spent += time.monotonic() - now
        return read
