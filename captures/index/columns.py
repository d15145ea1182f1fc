"""The packet index as columns: one numpy array a header field, 54 bytes a packet.

Arrays are made for an estimate and replaced by larger ones when they fill up; an array once taken stays valid, so another
thread may read the first `count` entries while the index grows. Take `columns.off` anew for every question.
"""
from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from captures.file.clock import NO_TIME

LAYOUT = {
    "off": "u8",    # where the packet's first byte lies in the capture's buffer
    "ts": "i8",     # nanoseconds since 1970 UTC; NO_TIME where the packet has no time
    "cap": "u4",    # bytes captured
    "wire": "u4",   # bytes on the wire
    "iface": "u2",  # index in the capture's list of interfaces
    "kind": "u1",   # a `PacketKind`
    "poff": "u2",   # where the TCP or UDP payload starts, bytes from the packet's start (in its datagram when fragments were put together)
    "plen": "u4",   # length of that payload on the wire; of it max(0, min(plen, cap - poff)) bytes are captured
    "sport": "u2",
    "dport": "u2",
    "seq": "u4",
    "ack": "u4",
    "flags": "u2",  # the 12 TCP flag bits
    "win": "u2",
    "plain": "u1",  # 1: Ethernet, IPv4 without options and without fragments, TCP or UDP, captured so far; 0: anything
    "sd": "i4",     # stream * 2 + direction, numbered apart for TCP and UDP; direction 0 is that of the stream's first packet; -1: no stream
}
PIECE = 65_536
PACKET_BYTES = sum(np.dtype(kind).itemsize for kind in LAYOUT.values())


class PacketKind(IntEnum):
    """The transport that the columns describe."""

    OTHER = 0
    TCP = 1
    UDP = 2


class Columns:
    """The columns; `count` entries of each are valid."""

    off: NDArray[np.uint64]
    ts: NDArray[np.int64]
    cap: NDArray[np.uint32]
    wire: NDArray[np.uint32]
    iface: NDArray[np.uint16]
    kind: NDArray[np.uint8]
    poff: NDArray[np.uint16]
    plen: NDArray[np.uint32]
    sport: NDArray[np.uint16]
    dport: NDArray[np.uint16]
    seq: NDArray[np.uint32]
    ack: NDArray[np.uint32]
    flags: NDArray[np.uint16]
    win: NDArray[np.uint16]
    plain: NDArray[np.uint8]
    sd: NDArray[np.int32]

    def __init__(self, room: int = 1024) -> None:
        self.count = 0
        self.room = 0
        self._first_time: int | None = None
        self._untimed = 0       # packets before this one are known to have no time
        self.grow(room)

    # times

    def time(self, packet: int) -> int | None:
        """The packet's time; None where it has none."""
        time = int(self.ts[packet])
        return None if time == NO_TIME else time

    @property
    def first_time(self) -> int | None:
        """The time of the first packet that has one, from which relative times count."""
        if self._first_time is None:
            self._first_time = self._next_time(range(self._untimed, self.count, PIECE))
        return self._first_time

    def time_before(self, packet: int) -> int | None:
        """The time of the last packet before this one that has one."""
        for high in range(packet, 0, -PIECE):
            low = max(0, high - PIECE)
            if (time := int(self.ts[high - 1])) != NO_TIME:
                return time
            timed = np.flatnonzero(self.ts[low:high] != NO_TIME)
            if len(timed):
                return int(self.ts[low + timed[-1]])
        return None

    def since_first(self, packet: int) -> int | None:
        """Nanoseconds since the first packet that has a time; None where the packet has none."""
        time = self.time(packet)
        return None if time is None else time - (self.first_time or 0)

    def times(self, packet: int) -> tuple[int, int, int] | tuple[None, None, None]:
        """The packet's time, and how long it came after the first and after the last before it with a time (0 without such); None where it has none."""
        time = int(self.ts[packet])
        if time == NO_TIME:
            return None, None, None
        before = self.time_before(packet)
        return time, time - (self.first_time or 0), 0 if before is None else time - before

    def _next_time(self, pieces: range) -> int | None:
        for low in pieces:
            timed = np.flatnonzero(self.ts[low : min(low + PIECE, self.count)] != NO_TIME)
            if len(timed):
                return int(self.ts[low + timed[0]])
            self._untimed = low
        return None

    def grow(self, room: int) -> None:
        """Make every array at least `room` long, keeping the valid entries."""
        if room <= self.room:
            return
        for name, kind in LAYOUT.items():
            wider = np.zeros(room, kind)
            if self.count:
                wider[: self.count] = getattr(self, name)[: self.count]
            setattr(self, name, wider)
        self.room = room
