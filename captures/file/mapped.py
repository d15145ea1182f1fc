"""The bytes of a capture as one buffer: a file mapped into memory, never copied.

Readers ask `fill` for the bytes they are about to look at and `drop` those behind them: pages of a mapped file count as memory
of the process for as long as they are mapped, whoever else shares them.
"""
from __future__ import annotations

import mmap
import os
import threading

import numpy as np

LARGE = 1 << 20
PAGE = mmap.ALLOCATIONGRANULARITY


class Mapped:
    """A regular file, mapped. `buffer` may be sliced and read by numpy without a copy."""

    def __init__(self, descriptor: int, length: int) -> None:
        """Maps `length` bytes of an open file, of which the caller keeps the descriptor."""
        self.buffer = mmap.mmap(descriptor, length, prot=mmap.PROT_READ)
        self.size = length
        self.wrong: str = ""        # what is wrong with the bytes as a whole, once `fill` has met it

    def fill(self, end: int) -> int:
        """Bytes there are to read: at least `end`, or all that will ever be."""
        return self.size

    def share(self, position: int) -> float:
        """How much of the file, 0.0 - 1.0, was read when the reader stands at `position`."""
        return position / self.size

    def ahead(self, start: int, length: int) -> None:
        """Have the pages from `start` on mapped by another thread, which touches each once: that alone is a good part of going through a file."""
        end = min(start + length, self.size)
        if end - start > LARGE:
            pages = np.frombuffer(self.buffer, np.uint8)[start:end:PAGE]     # taken here: it keeps the buffer open while the thread reads
            threading.Thread(target=pages.max, name="ahead", daemon=True).start()

    def drop(self, start: int, end: int) -> None:
        """Let go of the pages that lie wholly in [start, end); they are mapped again when somebody looks there."""
        start = -(-start // PAGE) * PAGE
        end = end // PAGE * PAGE
        if end > start:
            self.buffer.madvise(mmap.MADV_DONTNEED, start, end - start)

    def close(self) -> None:
        """Unmap; with arrays still looking at the buffer, the last of them does it."""
        try:
            self.buffer.close()
        except BufferError:
            pass


def map_file(descriptor: int) -> Mapped:
    """The whole of an open regular file that is not empty."""
    return Mapped(descriptor, os.fstat(descriptor).st_size)
