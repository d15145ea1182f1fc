"""Which packets certainly are link, IP and transport header without anything between, told from their first bytes, a block at a time."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from captures.index.columns import PacketKind
from captures.index.index import Index

__all__ = ["BLOCK", "IP4", "IP6", "KNOWN", "VLAN", "KnownLayers"]

BLOCK = 131_072
Array = NDArray[Any]

BASES = {1: 14, 12: 0, 14: 0, 101: 0, 113: 16, 276: 20, 228: 0, 229: 0}
"""Link type -> bytes before the network layer."""
ETHERTYPES = {1: 12, 113: 14, 276: 0}
LAYERED = (0x0800, 0x86DD, 0x8100, 0x9100, 0x88A8, 0x8864, 0x8847, 0x8848)
"""Ethernet types behind which an IP packet may come."""
KNOWN, IP4, IP6, VLAN = 1, 2, 4, 8
PLAIN = KNOWN | IP4


class KnownLayers:
    """Which packets are plainly link, (VLAN,) IP, TCP or UDP; made a block at a time when an address or a lower layer is asked for, and kept."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self._blocks: dict[int, Array] = {}
        self._ends: dict[str, tuple[int, Array, Array]] = {}

    def of(self, low: int, high: int) -> Array:
        """The bits KNOWN, IP4, IP6 and VLAN (uint8) of packets `low` .. `high`, which lie in one block."""
        number = low // BLOCK
        kept = self._blocks.get(number)
        if kept is None or len(kept) < high - number * BLOCK:
            kept = self._blocks[number] = self._made(number * BLOCK, high)
        return kept[low - number * BLOCK : high - number * BLOCK]

    def ends(self, transport: str) -> tuple[Array, Array]:
        """The distinct address ids of a transport's streams, and which of them the two ends of each stream have (shape: streams, 2)."""
        table = self.index.tcp if transport == "tcp" else self.index.udp
        count, own, ends = self._ends.get(transport, (-1, np.zeros(0, np.uint64), np.zeros((0, 2), np.int64)))
        if count != len(table):
            count = len(table)
            both = np.stack(table.endpoints(), 1) >> np.uint64(16) if count else np.zeros((1, 2), np.uint64)
            own, inverse = np.unique(both, return_inverse=True)
            ends = inverse.reshape(both.shape)
            self._ends[transport] = count, own, ends
        return own, ends

    def _made(self, low: int, high: int) -> Array:
        c = self.index.columns
        out = c.plain[low:high] * np.uint8(PLAIN)
        data = np.frombuffer(self.index.source.buffer, np.uint8)
        links = np.array([one.link for one in self.index.source.interfaces] or [0])[c.iface[low:high]]
        for link in np.unique(links).tolist():
            if link in BASES:
                rows = np.flatnonzero((links == link) & (out == 0))
                out[rows] = self._plain(link, rows + low, data)
        for packet in self.index.datagrams:
            if low <= packet < high:
                out[packet - low] = 0
        return out

    def _plain(self, link: int, rows: Array, data: Array) -> Array:
        c = self.index.columns
        found = np.zeros(len(rows), np.uint8)
        base = BASES[link]
        at = np.flatnonzero(c.cap[rows] >= base + 28)
        rows = rows[at]
        start = c.off[rows].astype(np.int64)
        network = start + base
        flags = np.ones(len(rows), np.uint8)
        kind = c.kind[rows]
        if link in ETHERTYPES:
            place = start + ETHERTYPES[link]
            ethertype = data[place].astype(np.int32) << 8 | data[place + 1]
            tagged = np.flatnonzero(ethertype == 0x8100)
            if len(tagged):
                ethertype[tagged] = data[network[tagged] + 2].astype(np.int32) << 8 | data[network[tagged] + 3]
                network[tagged] += 4
                flags[tagged] |= VLAN
            none = (kind == PacketKind.OTHER) & (ethertype >= 0x600) & ~np.isin(ethertype, LAYERED)
        else:
            version = data[network] >> 4
            ethertype = np.where(version == 4, 0x0800, np.where(version == 6, 0x86DD, 0))
            none = np.zeros(len(rows), np.bool_)
        flags[ethertype == 0x0800] |= IP4
        flags[ethertype == 0x86DD] |= IP6
        first = data[network]
        four = (ethertype == 0x0800) & (first >> 4 == 4)
        header = np.where(four, (first & 15).astype(np.int64) * 4, 40)
        protocol = np.where(four, data[network + 9], data[network + 6])
        transport = network + header
        inside = transport + 14 <= start + c.cap[rows]
        offset = data[np.where(inside, transport + 12, 0)]
        size = np.where(kind == PacketKind.TCP, (offset >> 4).astype(np.int64) * 4, 8)
        plain = (four | (ethertype == 0x86DD) & (first >> 4 == 6)) & (transport + size - start == c.poff[rows])
        plain &= ((kind == PacketKind.TCP) & (protocol == 6) & inside) | ((kind == PacketKind.UDP) & (protocol == 17))
        found[at] = np.where(plain, flags, np.where(none, np.uint8(KNOWN), np.uint8(0)))
        return found
