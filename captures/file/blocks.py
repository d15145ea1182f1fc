"""pcapng's chain of blocks: each with its type, its length at both ends, and a body between (draft-ietf-opsawg-pcapng, section 3)."""
from __future__ import annotations

from mmap import mmap

import numpy as np
from numpy.typing import NDArray

from captures.file.scan import Chain, reader

__all__ = [
    "BYTE_ORDER", "CUSTOM", "ENHANCED_PACKET", "INTERFACE", "JOURNAL", "LEAST", "NAMES", "OLD_PACKET", "PRIVATE_CUSTOM", "PROCESS", "SECRETS",
    "SECTION", "SIMPLE_PACKET", "STATISTICS", "SYSDIG_EVENTS", "BlockChain",
]

SECTION, INTERFACE, OLD_PACKET, SIMPLE_PACKET, NAMES, STATISTICS, ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 4, 5, 6
JOURNAL, SECRETS, CUSTOM, PRIVATE_CUSTOM, PROCESS = 9, 10, 0xBAD, 0x40000BAD, 0x80000001
SYSDIG_EVENTS = (0x204, 0x208, 0x216, 0x217, 0x221, 0x222)
BYTE_ORDER = 0x1A2B3C4D
LEAST = 12                      # bytes of a block: type and length before its body, length behind it


class BlockChain(Chain):
    """Blocks by their length, which includes all twelve bytes around the body."""

    header = LEAST
    least = LEAST

    def __init__(self, buffer: mmap, order: str) -> None:
        super().__init__(buffer, order, 4, 0)
        self.order = order
        self.word = reader(order, "I")
        self.pair = reader(order, "II")
        self.pattern = self.word.pack(ENHANCED_PACKET)

    def plain(self, start: int, end: int) -> tuple[NDArray[np.int64], int]:
        """Ends behind a block that is too short to be one."""
        length = self.word.unpack_from
        buffer = self.buffer
        found = []
        while start < end:
            found.append(start)
            step = length(buffer, start + 4)[0]
            if step < LEAST:
                break
            start += (step + 3) & ~3
        return np.array(found, np.int64), start

    def lock_step(self, start: int, end: int) -> tuple[NDArray[np.int64], int] | None:
        found = super().lock_step(start, end)
        if found is None:
            return None
        step = np.diff(found[0], append=found[1])
        return None if (step & 3).any() or (step < LEAST).any() else found

    def starts(self, start: int, end: int) -> NDArray[np.int64] | None:
        kind: int = self.word.unpack_from(self.buffer, start)[0]
        self.pattern = self.word.pack(kind if kind in (OLD_PACKET, SIMPLE_PACKET) else ENHANCED_PACKET)
        return super().starts(start, end)

    def patterns(self) -> list[tuple[bytes, int]]:
        return [(self.pattern, 0)]

    def likely(self, place: int, end: int) -> bool:
        """Three blocks in a row whose two lengths agree."""
        if place & 3:
            return False
        for _ in range(3):
            if place >= end:
                return place == end
            _, length = self.pair.unpack_from(self.buffer, place)
            if length & 3 or length < LEAST or place + length > end or self.word.unpack_from(self.buffer, place + length - 4)[0] != length:
                return False
            place += length
        return True
