"""The columns of a chunk of packets.

Most packets of most captures are Ethernet, IPv4 without options, TCP or UDP: for them one row of 54 bytes a packet is copied out of the capture
and all columns are strided views of the rows. The whole chunk is read so; what turns out to be something else is read again by
`captures.index.any_headers` and overwrites the guess.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from captures.index.any_headers import ETHERNET, Found, Fragment, Reader
from captures.index.columns import Columns, PacketKind
from captures.index.defragment import Whole
from captures.index.stream_numbers import Addresses

if TYPE_CHECKING:
    from captures.file.opening import Records

Array = NDArray[Any]

ROW = np.dtype({  # Ethernet 14, IPv4 20, TCP 20 bytes
    "names": ["type", "total", "fragment", "protocol", "src", "dst", "sport", "dport", "seq", "ack", "bits", "win"],
    "formats": [">u4", ">u2", ">u2", "u1", ">u4", ">u4", ">u2", ">u2", ">u4", ">u4", ">u2", ">u2"],
    "offsets": [12, 16, 20, 23, 26, 30, 34, 36, 38, 42, 46, 48], "itemsize": 54,
})
IPV4_PLAIN = 0x08004500  # EtherType, version, header length 5; the type of service behind them is masked out


@dataclass(slots=True)
class Chunk:
    """What the columns do not keep: address ids (uint64) of each packet with a transport, which headers tell no good numbers,
    headers quoted in ICMP errors, fragments."""

    src: Array
    dst: Array
    mute: Array
    quoted: list[Found]
    pieces: list[Fragment]


class Headers:
    """Reads the headers of the packets of one capture; `links` are its interfaces' link types."""

    def __init__(self, buffer: Any, addresses: Addresses) -> None:
        self._bytes = np.frombuffer(buffer, np.uint8)
        self._addresses = addresses
        rows = len(self._bytes) - ROW.itemsize + 1
        self._rows = np.ndarray((rows,), "V54", self._bytes, strides=(1,)) if rows > 0 else np.empty(0, "V54")

    def fill(self, columns: Columns, records: Records, links: Array) -> Chunk:
        """Write the columns of `records` behind the `columns.count` valid ones, which have room for them; sd is left to the streams."""
        count = len(records.off)
        span = slice(columns.count, columns.count + count)
        columns.off[span], columns.ts[span] = records.off, records.ts
        columns.cap[span], columns.wire[span], columns.iface[span] = records.cap, records.wire, records.iface
        chunk = Chunk(np.zeros(count, np.uint64), np.zeros(count, np.uint64), np.zeros(count, np.bool_), [], [])
        link = links[0] if len(links) == 1 else links[records.iface]
        inside = int(np.searchsorted(records.off, max(0, len(self._rows)))) if len(self._rows) else 0
        plain = np.zeros(count, np.bool_)
        if inside and np.any(link == ETHERNET):
            plain[:inside] = self._plain(columns, columns.count, records.off[:inside], chunk)
            plain &= (link == ETHERNET) & (records.cap >= ROW.itemsize)
        columns.plain[span] = plain
        rest = np.flatnonzero(~plain)
        if len(rest):
            self._general(columns, rest, np.broadcast_to(link, count)[rest], chunk)
        return chunk

    def _plain(self, columns: Columns, start: int, off: Array, chunk: Chunk) -> Array:
        """Write columns as if every packet were Ethernet, IPv4, TCP (or UDP), and tell which ones are, if captured so far."""
        row = self._rows[off].view(ROW)
        end = start + len(off)
        bits, total = row["bits"].astype(np.uint16), row["total"].astype(np.uint16)
        header = (bits >> 10) & 0x3C
        whole = ((row["type"] & 0xFFFFFF00) == IPV4_PLAIN) & ((row["fragment"] & 0x3FFF) == 0) & (total + np.uint32(14) <= columns.wire[start:end])
        good: Array = whole & (row["protocol"] == 6) & (header >= 20) & (total >= header + 20)
        columns.kind[start:end] = PacketKind.TCP
        columns.poff[start:end] = header + 34
        columns.plen[start:end] = total - header - 20
        columns.flags[start:end] = bits & 0xFFF
        for name in ("sport", "dport", "seq", "ack", "win"):
            getattr(columns, name)[start:end] = row[name]
        chunk.src[: len(off)] = row["src"]
        chunk.dst[: len(off)] = row["dst"]
        udp = np.flatnonzero(whole & (row["protocol"] == 17) & (total >= 28))
        if len(udp):
            good[self._plain_udp(columns, start, udp, row["seq"][udp] >> 16, total[udp])] = True
        return good

    def _plain_udp(self, columns: Columns, start: int, rows: Array, length: Array, total: Array) -> Array:
        """Correct the columns of the packets `rows` that are UDP, with the lengths that UDP and IP state; returns those for which that is all."""
        fits = length >= 8
        rows, length, total = rows[fits], length[fits], total[fits]
        at = rows + start
        columns.kind[at] = PacketKind.UDP
        columns.poff[at] = 42
        columns.plen[at] = np.minimum(length - 8, total - 28)
        for name in ("seq", "ack", "flags", "win"):
            getattr(columns, name)[at] = 0
        return rows

    def _general(self, columns: Columns, rest: Array, link: Array, chunk: Chunk) -> None:
        at = rest + columns.count
        for name in ("kind", "poff", "plen", "sport", "dport", "seq", "ack", "flags", "win"):
            getattr(columns, name)[at] = 0
        reader = Reader(self._bytes, self._addresses)
        cap, wire = columns.cap[at].astype(np.int64), columns.wire[at].astype(np.int64)
        reader.read(rest, columns.off[at].astype(np.int64), cap, np.maximum(wire, cap), link.astype(np.int64))
        chunk.pieces = reader.pieces
        self._write(columns, reader.found, chunk)

    def fill_datagrams(self, columns: Columns, wholes: list[Whole], datas: list[bytes], chunk: Chunk) -> None:
        """Give the packets that complete datagrams the columns of their TCP or UDP headers. `datas` are the datagrams' payloads; they are
        read behind IP headers that hold only the addresses."""
        laid, off = bytearray(), []
        for whole, data in zip(wholes, datas, strict=True):
            laid += (bytes(12) if len(whole.source) == 4 else bytes(8)) + whole.source + whole.destination
            off.append(len(laid))
            laid += data
        reader = Reader(np.frombuffer(laid, np.uint8), self._addresses)
        reader.read_payloads(
            np.array([whole.packet - columns.count for whole in wholes], np.int64), np.array(off, np.int64), np.array([len(data) for data in datas], np.int64),
            np.array([whole.protocol for whole in wholes], np.int64), np.array([len(whole.source) == 16 for whole in wholes], np.bool_),
        )
        self._write(columns, reader.found, chunk)

    def _write(self, columns: Columns, headers: list[Found], chunk: Chunk) -> None:
        for found in headers:
            if found.quoted.any():
                chunk.quoted.append(found.take(found.quoted))
            own = found.take(~found.quoted)
            at = own.row + columns.count
            columns.kind[at] = own.transport
            for name in ("poff", "plen", "sport", "dport", "seq", "ack", "flags", "win"):
                getattr(columns, name)[at] = getattr(own, name)
            chunk.src[own.row], chunk.dst[own.row], chunk.mute[own.row] = own.src, own.dst, own.mute
