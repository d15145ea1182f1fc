"""Which packets the list shows and in which order: those that a filter found, as a growing array of packet indices, or any packets in any order."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Shown:
    """Row -> packet index. Rows are only ever added at the end."""

    def __init__(self) -> None:
        self._packets = np.zeros(1024, np.int32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def packets(self) -> NDArray[np.int32]:
        """The packets shown so far, by row."""
        return self._packets[:self._count]

    def add(self, packets: NDArray[np.integer]) -> None:
        """Show further packets, each behind those shown already."""
        end = self._count + len(packets)
        if end > len(self._packets):
            wider = np.zeros(max(end, 2 * len(self._packets)), np.int32)
            wider[:self._count] = self.packets
            self._packets = wider
        self._packets[self._count:end] = packets
        self._count = end

    def packet(self, row: int) -> int:
        """The packet in a row; -1 where there is no such row."""
        return int(self._packets[row]) if 0 <= row < self._count else -1

    def row(self, packet: int) -> int:
        """The row of a packet; of one that is not shown, the row of the nearest that is (0 when there is none)."""
        at = int(np.searchsorted(self.packets, packet))
        if at and (at == self._count or packet - self.packet(at - 1) < self.packet(at) - packet):
            at -= 1
        return at

    def has(self, packet: int) -> bool:
        return self.packet(self.row(packet)) == packet


class Ordered:
    """Row -> packet index for packets in any order, each of them once."""

    def __init__(self, packets: NDArray[np.integer]) -> None:
        self.packets: NDArray[np.int32] = packets.astype(np.int32)
        self._rows = np.argsort(self.packets, kind="stable")
        self._ascending = self.packets[self._rows]

    def __len__(self) -> int:
        return len(self.packets)

    def packet(self, row: int) -> int:
        """The packet in a row; -1 where there is no such row."""
        return int(self.packets[row]) if 0 <= row < len(self.packets) else -1

    def row(self, packet: int) -> int:
        """The row of a packet; of one that is not shown, the row of the nearest by number (0 when there is none)."""
        at = int(np.searchsorted(self._ascending, packet))
        if at and (at == len(self) or packet - int(self._ascending[at - 1]) < int(self._ascending[at]) - packet):
            at -= 1
        return int(self._rows[at]) if len(self) else 0

    def has(self, packet: int) -> bool:
        return self.packet(self.row(packet)) == packet
