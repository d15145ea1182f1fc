"""A stream of bytes in order, whatever carries it: what cutting, recognition, pairing and the panes ask of one direction.

A stream is a list of pieces without overlap: `length` bytes at stream offset `start`, which were there when packet `packet` had been captured. Bytes
that were not captured are gaps between runs. Three kinds have this face: a TCP direction (`captures.stream.reassembly`: pieces are places in packets), UDP
datagrams (`captures.stream.datagrams`: each piece is one message), and the bytes that another decoder hands on (`captures.stream.derived`: pieces
come from messages). Nothing above asks which of them it has.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["ByteStream", "Place"]

Ints = NDArray[np.int64]


class Place(NamedTuple):
    """`length` bytes of a stream, `at` bytes after the start of what was asked for, stand in packet `packet` at `offset` of its payload."""

    at: int
    length: int
    packet: int
    offset: int


class ByteStream:
    """One direction, as its pieces (three int64 columns, sorted by `start`, without overlap).

    `side` is the direction bit, 0 or 1. `end` is the offset after the last byte sent, captured or not. `from_start` says that the first byte of
    the first run is the first byte of the stream.
    """

    __slots__ = ("_by_packet", "_done", "_runs", "end", "from_start", "length", "packet", "side", "start")

    def __init__(self, side: int, start: Ints, length: Ints, packet: Ints, end: int, known_start: bool) -> None:
        self.side = side
        self.start, self.length, self.packet = start, length, packet
        self.end = end
        self.from_start = known_start and not (len(start) and int(start[0]) > 0)
        stops = start + length
        first = np.flatnonzero(np.concatenate(([True], start[1:] != stops[:-1]))) if len(stops) else np.zeros(0, np.int64)
        last = np.append(first[1:], len(stops)) - 1 if len(first) else first
        self._runs: list[tuple[int, int]] = list(zip(start[first].tolist(), stops[last].tolist(), strict=True))
        self._done: Ints = packet
        if len(first) == 1:
            self._done = np.maximum.accumulate(packet)
        elif len(first):
            # one accumulation for all runs: lift each run above the one before
            lift = np.repeat(np.arange(len(first), dtype=np.int64) << 40, last - first + 1)
            self._done = np.maximum.accumulate(packet + lift) - lift
        self._by_packet: Ints | None = None

    def __len__(self) -> int:
        """Bytes captured."""
        return int(self.length.sum())

    def read(self, start: int, count: int) -> bytes:
        """Up to `count` bytes from stream offset `start`; stops at a gap."""
        raise NotImplementedError

    def places(self, start: int, count: int) -> Sequence[Place]:
        """Where in packets the bytes that `read` gives stand, in order; bytes that stand in no packet as they are (decrypted ones) have no place."""
        raise NotImplementedError

    def sequence(self, offsets: Ints) -> Ints:
        """The TCP sequence numbers (32 bits) of stream offsets; -1 where the stream has none."""
        return np.full(len(offsets), -1, np.int64)

    def tail(self, start: int) -> ByteStream:
        """What follows stream offset `start`, as a stream of its own that starts there."""
        raise NotImplementedError

    def declared(self) -> Ints | None:
        """The lengths of the messages where each piece is one (datagrams; more than `length` where the snap length cut it); None: a decoder must cut."""
        return None

    def runs(self) -> list[tuple[int, int]]:
        """The stretches (start, end) without a gap."""
        return self._runs

    def _at(self, position: int) -> int:
        """The piece that holds the byte at `position`, -1 when it was not captured."""
        at = int(self.start.searchsorted(position, "right")) - 1
        return at if at >= 0 and position < int(self.start[at]) + int(self.length[at]) else -1

    def packet_at(self, position: int) -> int:
        """The packet that holds the byte at `position`; raises IndexError when it was not captured."""
        at = self._at(position)
        if at < 0:
            raise IndexError(position)
        return int(self.packet[at])

    def done_at(self, end: int) -> int:
        """The packet with which all bytes of the run up to `end` (exclusive) had been captured: where a message that ends there is complete."""
        at = self._at(end - 1)
        if at < 0:
            raise IndexError(end)
        return int(self._done[at])

    def packets_at(self, positions: Ints) -> Ints:
        """`packet_at` for many positions, all of them captured."""
        return self.packet[self.start.searchsorted(positions, "right") - 1]

    def all_done_at(self, ends: Ints) -> Ints:
        """`done_at` for many ends, all of them captured."""
        return self._done[self.start.searchsorted(ends - 1, "right") - 1]

    def starts_piece(self, position: int) -> bool:
        """Whether a piece (in general a segment) starts at `position`."""
        at = self._at(position)
        return at >= 0 and int(self.start[at]) == position

    def piece_starts(self, start: int, end: int) -> list[int]:
        """Where pieces start from `start` on and before `end`."""
        found: list[int] = self.start[int(self.start.searchsorted(start)):int(self.start.searchsorted(end))].tolist()
        return found

    def in_packet(self, packet: int) -> list[tuple[int, int]]:
        """The stretches (start, end) of the stream that came in this packet."""
        if self._by_packet is None:
            self._by_packet = np.argsort(self.packet, kind="stable")
        order = self._by_packet
        low, high = (int(self.packet.searchsorted(packet, edge, sorter=order)) for edge in ("left", "right"))
        return [(int(self.start[k]), int(self.start[k]) + int(self.length[k])) for k in order[low:high].tolist()]
