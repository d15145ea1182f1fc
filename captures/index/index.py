"""The packet index: records -> columns -> streams, chunk by chunk, in the caller's thread.

Each chunk of at most 65,536 packets is read completely, fragments put together and streams numbered, before `columns.count` tells of it;
so another thread may read everything below that count at any time. numpy is called on pieces, so that other threads get their turn.
"""
from __future__ import annotations

import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captures.file.opening import Records, Source
from captures.index.any_headers import Found
from captures.index.columns import Columns, PacketKind
from captures.index.defragment import Datagrams, Defragmenter, Whole
from captures.index.plain_headers import Chunk, Headers
from captures.index.stream_numbers import Addresses, Segments, TcpStreams, UdpStreams

Array = NDArray[Any]

PIECE = 262_144
ROOM = 131_072


class Index:
    """The packets of one source by index from 0, and their TCP and UDP streams."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.columns = Columns()
        addresses = Addresses()
        self.tcp = TcpStreams(addresses)
        self.udp = UdpStreams(addresses)
        self.datagrams = Datagrams(self._read)
        self.inner_streams: dict[int, tuple[str, int]] = {}
        """The stream of the TCP or UDP header that an ICMP error quotes, by the error's packet."""
        self.complete = False
        self._links = np.zeros(0, np.int64)
        self._headers = Headers(source.buffer, addresses)
        self._defragmenter = Defragmenter()
        self._groups: dict[str, tuple[Array, Array]] = {}
        self._grouping = threading.Lock()

    def run(self, stop: threading.Event | None = None) -> None:
        """Index to the end, or until `stop` is set. A mistake of the program's own ends it, too, and is told as a problem of the capture: what was read before
        is there, and no thread ends without a word."""
        try:
            for records in self.source.chunks():
                self._add(records)
                if stop is not None and stop.is_set():
                    break
        except Exception as fault:
            where = traceback.extract_tb(fault.__traceback__)[-1]
            self.source.note(
                f"reading stopped behind packet {self.columns.count:,} by a mistake of the program: {type(fault).__name__}: {fault} "
                f"({Path(where.filename).name}:{where.lineno})"
            )
        finally:
            self.complete = True

    def links(self) -> NDArray[np.int64]:
        """The link type of each interface."""
        more = self.source.interfaces[len(self._links) :]
        if more:
            self._links = np.append(self._links, np.array([one.link for one in more], np.int64))
        return self._links

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """No other thread is in the middle of sorting packets by stream meanwhile. For forking."""
        with self._grouping:
            yield

    def frame(self, i: int) -> bytes:
        """The captured bytes of packet `i`."""
        start = int(self.columns.off[i])
        return bytes(self.source.buffer[start : start + int(self.columns.cap[i])])

    def payload(self, i: int) -> tuple[Any, int, int]:
        """Where the captured TCP or UDP payload of packet `i` lies: (buffer, start, length); the buffer is the source's or a datagram."""
        c = self.columns
        start, length = int(c.poff[i]), int(c.plen[i])
        datagram = self.datagrams.get(i)
        if datagram is not None:
            return datagram.data, start, max(0, min(length, len(datagram.data) - start))
        return self.source.buffer, int(c.off[i]) + start, max(0, min(length, int(c.cap[i]) - start))

    def packets_of(self, transport: str, number: int) -> NDArray[np.int64]:
        """The packets of a "tcp" or "udp" stream, in order (int64)."""
        if self.complete:
            order, starts = self._grouped(transport)
            return order[starts[number] : starts[number + 1]].astype(np.int64)
        kind, table = (PacketKind.TCP, self.tcp) if transport == "tcp" else (PacketKind.UDP, self.udp)
        count, kinds, sd = self.columns.count, self.columns.kind, self.columns.sd
        parts = [np.empty(0, np.int64)]
        for low in range(table.first(number), count, PIECE):
            high = min(low + PIECE, count)
            parts.append(np.flatnonzero((sd[low:high] >> 1 == number) & (kinds[low:high] == kind)) + low)
        return np.concatenate(parts)

    def by_stream(self, packets: NDArray[np.int64]) -> Iterator[tuple[str, int, NDArray[np.int64]]]:
        """Some packets (ascending) by the stream that they are of: transport ("tcp" or "udp"), number, and these packets. Others are left out."""
        kind = self.columns.kind[packets]
        for transport, number in (("tcp", PacketKind.TCP), ("udp", PacketKind.UDP)):
            ours = packets[kind == number]
            streams = self.columns.sd[ours] >> 1
            order = np.argsort(streams, kind="stable")
            bounds = np.flatnonzero(np.diff(streams[order])) + 1
            for group in np.split(ours[order], bounds) if len(order) else ():
                yield transport, int(self.columns.sd[group[0]]) >> 1, group

    def _grouped(self, transport: str) -> tuple[Array, Array]:
        """All packets of the transport sorted by stream (uint32), and where each stream starts among them."""
        with self._grouping:
            if transport not in self._groups:
                kind, table = (PacketKind.TCP, self.tcp) if transport == "tcp" else (PacketKind.UDP, self.udp)
                count = self.columns.count
                packets = np.flatnonzero(self.columns.kind[:count] == kind).astype(np.uint32)
                stream = self.columns.sd[packets] >> 1
                starts = np.zeros(len(table) + 1, np.int64)
                np.cumsum(np.bincount(stream, minlength=len(table)), out=starts[1:])
                # digits of 16 bits, least first: numpy sorts these by radix
                order = np.argsort((stream & 0xFFFF).astype(np.uint16), kind="stable")
                if len(table) > 0xFFFF:
                    order = order[np.argsort((stream[order] >> 16).astype(np.uint16), kind="stable")]
                self._groups[transport] = packets[order], starts
            return self._groups[transport]

    def _read(self, packet: int, start: int, length: int) -> bytes:
        at = int(self.columns.off[packet]) + start
        return bytes(self.source.buffer[at : at + length])

    # one chunk

    def _add(self, records: Records) -> None:
        columns, count = self.columns, len(records.off)
        start, end = columns.count, columns.count + count
        if end > columns.room:
            columns.grow(self._room(end))
        chunk = self._headers.fill(columns, records, self.links())
        if chunk.pieces:
            wholes = [whole for piece in sorted(chunk.pieces, key=lambda one: one.row) if (whole := self._defragmenter.add(piece, start + piece.row))]
            self._put_together(wholes, chunk)
        columns.sd[start:end] = -1
        self._number(PacketKind.TCP, chunk, start, end)
        self._number(PacketKind.UDP, chunk, start, end)
        columns.count = end

    def _room(self, needed: int) -> int:
        """Columns for as many packets as the file seems to hold; memory never written to costs nothing."""
        consumed = self.source.consumed()
        expected = int(needed * self.source.size / consumed * 1.05) if consumed else 0
        return max(min(expected, needed * 64), needed + ROOM, self.columns.room * 5 // 4)

    def _put_together(self, wholes: list[Whole], chunk: Chunk) -> None:
        for whole in wholes:
            self.datagrams.keep(whole)
        self._headers.fill_datagrams(self.columns, wholes, [self.datagrams[whole.packet].data for whole in wholes], chunk)

    def _number(self, kind: PacketKind, chunk: Chunk, start: int, end: int) -> None:
        """Write sd of the packets of one transport, and the streams of headers that ICMP errors quote."""
        c = self.columns
        rows = np.flatnonzero(c.kind[start:end] == kind)
        inner = [one for one in chunk.quoted if one.transport == kind]
        if not len(rows) and not inner:
            return
        table = self.tcp if kind == PacketKind.TCP else self.udp
        whole = len(rows) == end - start
        at: Any = slice(start, end) if whole else rows + start

        def of(column: Array) -> Array:
            return column if whole else column.take(rows)
        sport, dport, flags, seq, ack = (of(column[start:end]) for column in (c.sport, c.dport, c.flags, c.seq, c.ack))
        own = Segments(_ends(of(chunk.src), sport), _ends(of(chunk.dst), dport), rows + start, flags, seq, ack, of(chunk.mute))
        if not inner:
            c.sd[at] = table.number(own)
            return
        everything, order = _in_order([own, *(_segments(one, start) for one in inner)])
        sd = np.empty(len(order), np.int32)
        sd[order] = table.number(everything)
        c.sd[at] = sd[: len(rows)]
        quoted = order >= len(rows)
        for packet, number in zip(everything.packet[quoted].tolist(), (sd[order[quoted]] >> 1).tolist(), strict=True):
            self.inner_streams[packet] = kind.name.lower(), number


def _segments(found: Found, start: int) -> Segments:
    """Quoted headers; `start` is the index of the chunk's first packet."""
    source, destination = _ends(found.src, found.sport), _ends(found.dst, found.dport)
    numbers = found.flags.astype(np.uint16), found.seq.astype(np.uint32), found.ack.astype(np.uint32)
    return Segments(source, destination, found.row + start, *numbers, found.mute)


def _in_order(parts: list[Segments]) -> tuple[Segments, Array]:
    """All parts as one, by packet, and where in the parts (one behind the other) each comes from."""
    order = np.argsort(np.concatenate([part.packet for part in parts]), kind="stable")
    return Segments(*(np.concatenate([getattr(part, one.name) for part in parts])[order] for one in fields(Segments))), order


def _ends(address: Array, port: Array) -> Array:
    """Endpoints as numbers: address id << 16 | port."""
    ends: Array = address << np.uint64(16) | port.astype(np.uint64)
    return ends
