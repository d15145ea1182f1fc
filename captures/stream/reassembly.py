"""TCP reassembly: each direction of a stream put in order, as places in packets; no payload is copied.

Sequence numbers are unwrapped to 64-bit positions, segments sorted, and overlaps given to the copy that was captured first, all
in numpy; only clusters of segments that truly overlap (beyond plain retransmissions) are swept one by one. What is left is a
list of pieces without overlap: stream offset, length, packet, offset in its payload. Bytes that were not captured, because a
packet is missing or was cut by the snap length, are gaps between runs.

Offset 0 is the byte after the SYN (RFC 9293, section 3.4), or the first byte seen when the start was not captured.
"""
from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from captures.stream.byte_stream import ByteStream, Place

if TYPE_CHECKING:
    from captures.index.index import Index

__all__ = ["Direction", "payload_lengths", "reassemble"]

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

WINDOW = 1 << 30
"""No segment lies further than the largest window (RFC 7323, section 2.3) from where its sender stands."""

UNCLEAR = 1 << 31
"""Bytes of a direction from which a sequence number may be an earlier or a later one."""

Ints = NDArray[np.int64]


class Direction(ByteStream):
    """What one side sent, as places in packets: the bytes of a piece are those at `offset` (int64, by piece) of the payload of its packet.

    `raw_base` is the sequence number of stream offset 0, None when nothing was sent or the stream has none; `fin` the packet with the FIN, if
    one was seen; `rst` whether a reset was.
    """

    __slots__ = ("_buffer", "_fragmented", "_index", "_place", "fin", "offset", "raw_base", "rst")

    def __init__(self, index: Index, side: int, pieces: tuple[Ints, Ints, Ints, Ints], raw_base: int | None, known_start: bool, end: int,
                 fin: int | None, rst: bool, fragmented: bool) -> None:
        start, length, packet, self.offset = pieces
        super().__init__(side, start, length, packet, end, known_start)
        self._index = index
        self.raw_base = raw_base
        self.fin = fin
        self.rst = rst
        self._fragmented = fragmented
        self._place: Ints | None = None  # where pieces lie in the capture's buffer, when no packet of the stream is a datagram put together
        if len(packet) and not fragmented:
            columns = index.columns
            self._buffer = index.payload(int(packet[0]))[0]
            self._place = columns.off[packet].astype(np.int64) + columns.poff[packet] + self.offset

    def read(self, start: int, count: int) -> bytes:
        """Up to `count` bytes from stream offset `start`; stops at a gap."""
        if self._place is None:
            parts = []
            for _, length, packet, offset in self.places(start, count):
                buffer, at, _ = self._index.payload(packet)
                parts.append(buffer[at + offset:at + offset + length])
            return b"".join(parts)
        at = self._at(start)
        if at < 0 or count <= 0:
            return b""
        stop, run_end = start + count, self._runs[bisect_right(self._runs, (start, 1 << 62)) - 1][1]
        last = int(self.start.searchsorted(min(stop, run_end), "left"))
        buffer, places, lengths = self._buffer, self._place[at:last].tolist(), self.length[at:last].tolist()
        skip = start - int(self.start[at])
        places[0] += skip
        lengths[0] -= skip
        lengths[-1] -= max(0, int(self.start[last - 1] + self.length[last - 1]) - stop)
        if len(places) == 1:
            return bytes(buffer[places[0]:places[0] + lengths[0]])
        view = memoryview(buffer)  # slices of the map itself would copy every segment twice
        return b"".join([view[place:place + length] for place, length in zip(places, lengths, strict=True)])

    def places(self, start: int, count: int) -> list[Place]:
        """Where the bytes that `read` gives stand, in order."""
        at = self._at(start)
        if at < 0 or count <= 0:
            return []
        stop = start + count
        last = int(self.start.searchsorted(stop, "left"))
        found, position = [], start
        for begin, length, packet, offset in zip(self.start[at:last].tolist(), self.length[at:last].tolist(),
                                                 self.packet[at:last].tolist(), self.offset[at:last].tolist(), strict=True):
            if begin > position:
                break
            skip = position - begin
            taken = min(length - skip, stop - position)
            found.append(Place(position - start, taken, packet, offset + skip))
            position += taken
        return found

    def sequence(self, offsets: Ints) -> Ints:
        """The sequence numbers of stream offsets; -1 where nothing was sent, and in streams so long that a number would not tell which bytes it means."""
        if self.raw_base is None or self.end >= UNCLEAR:
            return np.full(len(offsets), -1, np.int64)
        return (offsets + self.raw_base) & 0xFFFFFFFF

    def tail(self, start: int) -> Direction:
        """What follows stream offset `start`, as a stream of its own."""
        keep = self.start + self.length > start
        cut = np.maximum(start - self.start[keep], 0)
        pieces = (self.start[keep] + cut - start, self.length[keep] - cut, self.packet[keep], self.offset[keep] + cut)
        raw_base = None if self.raw_base is None else self.raw_base + start & 0xFFFFFFFF
        return Direction(self._index, self.side, pieces, raw_base, True, max(0, self.end - start), self.fin, self.rst, self._fragmented)


@dataclass(frozen=True, slots=True)
class _Segments:
    """The packets of a stream, column by column; `have` is how much of the payload was captured."""

    packet: Ints
    side: Ints
    seq: NDArray[np.uint32]
    ack: NDArray[np.uint32]
    flags: NDArray[np.uint16]
    sent: Ints
    have: Ints


def payload_lengths(index: Index, packet: Ints) -> tuple[Ints, Ints, bool]:
    """Of the TCP or UDP payloads of these packets: how many bytes were sent (by the headers), how many of them were captured, and whether a packet is among
    them that was put together from IP fragments."""
    columns = index.columns
    sent = columns.plen[packet].astype(np.int64)
    have = np.minimum(sent, np.maximum(columns.cap[packet].astype(np.int64) - columns.poff[packet], 0))
    put_together = [k for k, one in enumerate(packet.tolist()) if one in index.datagrams] if index.datagrams else []
    for k in put_together:
        have[k] = min(int(sent[k]), index.payload(int(packet[k]))[2])
    return sent, have, bool(put_together)


def reassemble(index: Index, stream: int) -> tuple[Direction, Direction]:
    """Both directions of TCP stream `stream`, by direction bit."""
    columns = index.columns
    packet = np.asarray(index.packets_of("tcp", stream), np.int64)
    sent, have, put_together = payload_lengths(index, packet)
    flags = columns.flags[packet]
    # what a reset carries is a diagnosis (RFC 9293, section 3.10.7), not the stream
    reset = (flags & RST) != 0
    sent[reset] = have[reset] = 0
    segments = _Segments(packet, columns.sd[packet].astype(np.int64) & 1, columns.seq[packet], columns.ack[packet], flags, sent, have)
    return _direction(index, segments, 0, put_together), _direction(index, segments, 1, put_together)


def _direction(index: Index, all_: _Segments, side: int, fragmented: bool) -> Direction:
    mine = all_.side == side
    rst = bool(np.any(mine & ((all_.flags & RST) != 0)))
    counts = mine & ((all_.sent > 0) | ((all_.flags & (SYN | FIN)) != 0)) & ((all_.flags & RST) == 0)
    used = np.flatnonzero(counts)
    nothing = np.zeros(0, np.int64)
    syn_ack = np.flatnonzero(~mine & ((all_.flags & (SYN | ACK)) == (SYN | ACK)))
    if not len(used):
        raw = int(all_.ack[syn_ack[0]]) if len(syn_ack) else None
        return Direction(index, side, (nothing, nothing, nothing, nothing), raw, bool(len(syn_ack)), 0, None, rst, fragmented)
    packet, seq, flags, sent, have = all_.packet[used], all_.seq[used], all_.flags[used], all_.sent[used], all_.have[used]
    position = _unwrap(seq)
    is_syn = (flags & SYN) != 0
    known = True
    if is_syn.any():
        # a server that is asked again may choose another number: the last SYN before data counts
        syns = np.flatnonzero(is_syn)
        before = syns[syns <= (np.argmax(sent > 0) if sent.any() else len(sent))]
        base = int(position[before[-1] if len(before) else syns[0]]) + 1
    elif len(syn_ack):
        base = int(position[0]) + _signed(int(all_.ack[syn_ack[0]]) - int(seq[0]))
    else:
        known = False
        base = _first_seen(position, sent, _keep_alive(all_, used, seq, sent, flags))
    begin = position - base + is_syn
    fins = np.flatnonzero(flags & FIN)
    data = have > 0
    end = max(0, int((begin + sent).max()))
    pieces = _trimmed(begin[data], have[data], packet[data])
    raw_base = int(seq[0]) - int(position[0]) + base & 0xFFFFFFFF
    return Direction(index, side, pieces, raw_base, known, end, int(packet[fins[0]]) if len(fins) else None, rst, fragmented)


def _signed(difference: int) -> int:
    """A difference of sequence numbers as the nearest one, -2^31 .. 2^31 - 1."""
    return (difference + 0x80000000 & 0xFFFFFFFF) - 0x80000000


def _unwrap(seq: NDArray[np.uint32]) -> Ints:
    """Positions of sequence numbers relative to the first: each the nearest to the one before, so that 4 GiB wraps are counted."""
    steps = np.diff(seq).view(np.int32).astype(np.int64)
    wild = np.flatnonzero(np.abs(steps) > WINDOW)
    position = np.concatenate((np.zeros(1, np.int64), np.cumsum(steps)))
    if not len(wild):
        return position
    # A step beyond the window is a stray number or a long loss: what follows counts from before it where that is near.
    numbers = seq.tolist()
    anchor = int(wild[0])
    for low, high in zip((wild + 1).tolist(), [*(wild[1:] + 1).tolist(), len(numbers)], strict=True):
        near = abs(_signed(numbers[low] - numbers[anchor])) <= WINDOW
        origin = anchor if near else low - 1
        position[low:high] += int(position[origin]) + _signed(numbers[low] - numbers[origin]) - int(position[low])
        anchor = high - 1 if near else low - 1
    return position


def _keep_alive(all_: _Segments, used: Ints, seq: NDArray[np.uint32], sent: Ints, flags: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Which segments are one byte that the peer had just acknowledged: keep-alives, whose byte may be anything (RFC 9293, section 3.8.4)."""
    one: NDArray[np.bool_] = (sent == 1) & ((flags & (SYN | FIN)) == 0)
    if not one.any():
        return one
    side = all_.side[used[0]]
    peer = np.where((all_.side != side) & ((all_.flags & ACK) != 0), np.arange(len(all_.side)), -1)
    latest = np.maximum.accumulate(peer)[used]
    one &= (latest >= 0) & (all_.ack[latest] == seq + np.uint32(1))
    return one


def _first_seen(position: Ints, sent: Ints, keep_alive: NDArray[np.bool_]) -> int:
    """Where a stream starts whose SYN was not captured: the lowest position with data that a window reaches from the first."""
    data = position[(sent > 0) & ~keep_alive]
    if not len(data):
        return int(position[0] + sent[0])
    return int(data[data >= data[0] - WINDOW].min())


def _trimmed(begin: Ints, length: Ints, packet: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Segments in capture order -> pieces in stream order without overlap (start, length, packet, offset in the payload)."""
    early = np.minimum(np.maximum(-begin, 0), length)
    begin, length, offset = begin + early, length - early, early
    if early.any():
        keep = length > 0
        begin, length, packet, offset = begin[keep], length[keep], packet[keep], offset[keep]
    if len(begin) > 1 and (begin[1:] < begin[:-1]).any():
        order = np.argsort(begin, kind="stable")
        begin, length, packet, offset = begin[order], length[order], packet[order], offset[order]
    if len(begin) < 2 or not (begin[1:] < (begin + length)[:-1]).any():
        return begin, length, packet, offset
    # plain retransmissions: the same start, captured later, and no longer than the first copy
    head = np.maximum.accumulate(np.where(np.concatenate(([True], begin[1:] != begin[:-1])), np.arange(len(begin)), 0))
    keep = (head == np.arange(len(begin))) | (length > length[head])
    begin, length, packet, offset = begin[keep], length[keep], packet[keep], offset[keep]
    reach = np.maximum.accumulate(begin + length)
    cluster = np.cumsum(np.concatenate(([True], begin[1:] >= reach[:-1])))
    tangled = np.bincount(cluster)[cluster] > 1
    if not tangled.any():
        return begin, length, packet, offset
    swept = _sweep(*(column[tangled].tolist() for column in (begin, length, packet, offset)))
    columns = [np.concatenate((column[~tangled], np.array(one, np.int64))) for column, one in
               zip((begin, length, packet, offset), zip(*swept, strict=True), strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return columns[0][order], columns[1][order], columns[2][order], columns[3][order]


def _sweep(begin: list[int], length: list[int], packet: list[int], offset: list[int]) -> Iterator[tuple[int, int, int, int]]:
    """Overlapping segments, sorted by start -> pieces, each byte from the segment captured first."""
    open_: list[tuple[int, int]] = []  # (packet, which segment): the top was captured first
    now, count, upcoming = 0, len(begin), 0
    while upcoming < count or open_:
        if not open_:
            now = max(now, begin[upcoming])
        while upcoming < count and begin[upcoming] <= now:
            heappush(open_, (packet[upcoming], upcoming))
            upcoming += 1
        while open_ and begin[open_[0][1]] + length[open_[0][1]] <= now:
            heappop(open_)
        if not open_:
            continue
        owner = open_[0][1]
        stop = begin[owner] + length[owner]
        while upcoming < count and begin[upcoming] < stop:
            heappush(open_, (packet[upcoming], upcoming))
            upcoming += 1
            if open_[0][1] != owner:
                stop = begin[upcoming - 1]
        yield now, stop - now, packet[owner], offset[owner] + now - begin[owner]
        now = stop
