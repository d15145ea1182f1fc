"""What the index columns know of a filter: for each packet yes, no, or that it must be read.

Tests on fields that columns hold become numpy expressions over blocks of packets; addresses are tested once a stream. A test that columns
cannot answer is still "no" where the protocol of its fields is certainly missing, so that `kafka && ...` reads no packet without payload.
A packet's layers are certain where its first bytes are link, IP and transport header without anything between (`KnownLayers`).
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from captures.filter.compile.logic import And, Condition, Logic, Negation, Or, Xor
from captures.filter.compile.names import FieldName, Reach
from captures.filter.compile.values import NotIndexed
from captures.index.columns import Columns, PacketKind
from captures.index.index import Index

__all__ = ["BLOCK", "Block", "KnownLayers", "Ternary"]

BLOCK = 131_072
Bools = NDArray[np.bool_]
Array = NDArray[Any]

BASES = {1: 14, 12: 0, 14: 0, 101: 0, 113: 16, 276: 20, 228: 0, 229: 0}
"""Link type -> bytes before the network layer."""
ETHERTYPES = {1: 12, 113: 14, 276: 0}
LAYERED = (0x0800, 0x86DD, 0x8100, 0x9100, 0x88A8, 0x8864, 0x8847, 0x8848)
"""Ethernet types behind which an IP packet may come."""
KNOWN, IP4, IP6, VLAN = 1, 2, 4, 8
PLAIN = KNOWN | IP4
TRANSPORTS = {"tcp": PacketKind.TCP, "udp": PacketKind.UDP}
BITS = {"fin": 0x001, "syn": 0x002, "reset": 0x004, "push": 0x008, "ack": 0x010, "urg": 0x020, "ece": 0x040, "cwr": 0x080, "ae": 0x100}


def _bit(bit: int) -> Callable[[Columns, slice], list[Array]]:
    """A TCP flag as 0 or 1."""
    return lambda c, at: [((c.flags[at] & bit) != 0).view(np.uint8)]


FRAME: dict[str, Callable[[Columns, slice], Array]] = {
    "frame.number": lambda c, at: np.arange(at.start + 1, at.stop + 1, dtype=np.int64),
    "frame.len": lambda c, at: c.wire[at],
    "frame.cap_len": lambda c, at: c.cap[at],
    "frame.time": lambda c, at: c.ts[at],
    "frame.time_epoch": lambda c, at: c.ts[at],
    "frame.time_relative": lambda c, at: c.ts[at] - c.ts[0],
    "frame.marked": lambda c, at: np.zeros(at.stop - at.start, np.uint8),
    "frame.ignored": lambda c, at: np.zeros(at.stop - at.start, np.uint8),
    "frame.time_delta": lambda c, at: np.diff(c.ts[max(at.start - 1, 0) : at.stop], prepend=c.ts[:1] if at.start == 0 else c.ts[:0]),
}
TRANSPORT: dict[str, Callable[[Columns, slice], list[Array]]] = {
    "tcp.srcport": lambda c, at: [c.sport[at]],
    "tcp.dstport": lambda c, at: [c.dport[at]],
    "tcp.port": lambda c, at: [c.sport[at], c.dport[at]],
    "tcp.stream": lambda c, at: [c.sd[at] >> 1],
    "tcp.len": lambda c, at: [c.plen[at]],
    "tcp.seq_raw": lambda c, at: [c.seq[at]],
    "tcp.ack_raw": lambda c, at: [c.ack[at]],
    "tcp.flags": lambda c, at: [c.flags[at]],
    "tcp.window_size_value": lambda c, at: [c.win[at]],
    "udp.srcport": lambda c, at: [c.sport[at]],
    "udp.dstport": lambda c, at: [c.dport[at]],
    "udp.port": lambda c, at: [c.sport[at], c.dport[at]],
    "udp.stream": lambda c, at: [c.sd[at] >> 1],
    **{f"tcp.flags.{name}": _bit(bit) for name, bit in BITS.items()},
}
ADDRESSES = {"ip.src": (IP4, 0), "ip.dst": (IP4, 1), "ip.addr": (IP4, 2), "ipv6.src": (IP6, 0), "ipv6.dst": (IP6, 1), "ipv6.addr": (IP6, 2)}


class Ternary(NamedTuple):
    """`yes` are the packets for which it holds, `maybe` (apart from these) those that must be read; None: no such packet."""

    yes: Bools
    maybe: Bools | None


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


class Block:
    """Packets `low` .. `high` of the index, which lie in one block of BLOCK. `tables` is kept from block to block of one run: for each
    condition on addresses whether it holds, for TCP and for UDP, at the place stream * 2 + direction. So an address is tested once and not in every packet."""

    def __init__(self, index: Index, structure: KnownLayers, fields: Mapping[str, FieldName], low: int, high: int,
                 tables: dict[Condition, tuple[Bools, Bools]]) -> None:
        self.tables = tables
        self.index = index
        self.structure = structure
        self.fields = fields
        self.low = low
        self.high = high
        self.at = slice(low, high)
        self.count = high - low

    def evaluate(self, logic: Logic) -> Ternary:
        """What the columns know."""
        match logic:
            case Condition():
                return self._leaf(logic)
            case Negation():
                yes, maybe = self.evaluate(logic.part)
                return Ternary(~yes if maybe is None else ~(yes | maybe), maybe)
            case And():
                return self._all(logic)
            case Or():
                yes, maybe = self.evaluate(logic.parts[0])
                for part in logic.parts[1:]:
                    other = self.evaluate(part)
                    yes = yes | other.yes
                    maybe = other.maybe if maybe is None else maybe if other.maybe is None else maybe | other.maybe
                return Ternary(yes, None if maybe is None else maybe & ~yes)
            case Xor():
                verdicts = [self.evaluate(part) for part in logic.parts]
                unknown = np.zeros(self.count, np.bool_)
                odd = np.zeros(self.count, np.bool_)
                for yes, maybe in verdicts:
                    odd ^= yes
                    if maybe is not None:
                        unknown |= maybe
                return Ternary(odd & ~unknown, unknown)

    def _all(self, logic: And) -> Ternary:
        if not logic.parts:
            return Ternary(self._everything(), None)
        yes, maybe = self.evaluate(logic.parts[0])
        can = yes if maybe is None else yes | maybe
        for part in logic.parts[1:]:
            other = self.evaluate(part)
            yes = yes & other.yes
            can = can & (other.yes if other.maybe is None else other.yes | other.maybe)
            maybe = maybe if other.maybe is None else other.maybe
        return Ternary(yes, None if maybe is None else can & ~yes)

    # one test

    def _leaf(self, leaf: Condition) -> Ternary:
        if all(key.startswith("$") for key in leaf.keys):
            return Ternary(np.zeros(self.count, np.bool_), self._everything())
        if len(leaf.keys) == 1:
            key = next(iter(leaf.keys))
            field = self.fields[key]
            if key in FRAME or key in TRANSPORT or key in ("frame", "tcp", "udp", "ip", "ipv6", "vlan", "arp"):
                return self._single(leaf, key, field)
            if key in ADDRESSES and leaf.each:
                return self._address(leaf, key)
            return Ternary(np.zeros(self.count, np.bool_), self.possible(field))
        try:
            return self._several(leaf)
        except NotIndexed:
            pass
        maybe: Bools | None = None
        for key in leaf.keys:
            if not key.startswith("$"):
                can = self.possible(self.fields[key])
                maybe = can if maybe is None else maybe | can
        return Ternary(np.zeros(self.count, np.bool_), self._everything() if maybe is None else maybe)

    def _single(self, leaf: Condition, key: str, field: FieldName) -> Ternary:
        if leaf.exists:
            there, maybe = self.present(field.protocol)
            broken = self._broken(key, there)
            return Ternary(there & ~broken, broken if maybe is None else broken | maybe) if broken.any() else Ternary(there, maybe)
        if field.kind == "protocol":
            yes, maybe = self.present(key)
            return Ternary(np.zeros(self.count, np.bool_), yes if maybe is None else yes | maybe)
        c = self.index.columns
        try:
            hit = leaf.column({key: [FRAME[key](c, self.at)] if key in FRAME else TRANSPORT[key](c, self.at)})
        except NotIndexed:
            return Ternary(np.zeros(self.count, np.bool_), self.possible(field))
        if key in FRAME:
            return Ternary(np.broadcast_to(hit, self.count), None)
        there, maybe = self.present(field.protocol)
        broken = self._broken(key, there)
        if broken.any():
            return Ternary(hit & there & ~broken, broken if maybe is None else broken | maybe)
        return Ternary(hit & there, maybe)

    def _broken(self, key: str, there: Bools) -> Bools:
        """The packets whose header is longer than they are: they have no payload length."""
        c = self.index.columns
        return there & (c.poff[self.at] > c.wire[self.at]) if key == "tcp.len" else np.zeros(self.count, np.bool_)

    def _several(self, leaf: Condition) -> Ternary:
        """A test over several fields of columns, where each must be there."""
        c = self.index.columns
        arrays, there, maybe = {}, np.ones(self.count, np.bool_), None
        if leaf.every or not leaf.keys or any(key not in FRAME and key not in TRANSPORT for key in leaf.keys):
            raise NotIndexed
        roots = {self.fields[key].protocol for key in leaf.keys if key in TRANSPORT}
        if len(roots) > 1:
            raise NotIndexed
        for key in leaf.keys:
            arrays[key] = [FRAME[key](c, self.at)] if key in FRAME else TRANSPORT[key](c, self.at)
        for root in roots:
            there, maybe = self.present(root)
        return Ternary(leaf.column({key: [one.astype(np.int64) for one in found] for key, found in arrays.items()}) & there, maybe)

    def _address(self, leaf: Condition, key: str) -> Ternary:
        """Addresses: the test is tried once an address, then looked up by stream and direction."""
        bit, side = ADDRESSES[key]
        flags = self.structure.of(self.low, self.high)
        plain = (flags & bit) != 0
        if leaf not in self.tables:
            self.tables[leaf] = self._by_way(leaf, key, bit, side)
        tcp, udp = self.tables[leaf]
        c = self.index.columns
        way = np.maximum(c.sd[self.at], 0)
        hit = tcp[np.minimum(way, len(tcp) - 1)]
        other = np.flatnonzero(c.kind[self.at] == PacketKind.UDP)
        hit[other] = udp[way[other]]
        hit &= plain
        maybe = flags == 0
        return Ternary(hit, maybe if maybe.any() else None)

    def _by_way(self, leaf: Condition, key: str, bit: int, side: int) -> tuple[Bools, Bools]:
        """Whether the test holds, by stream * 2 + direction, for TCP and for UDP."""
        found = []
        for transport in ("tcp", "udp"):
            own, ends = self.structure.ends(transport)
            outcomes = np.array([self._address_holds(leaf, key, int(one), bit) for one in own.tolist()], np.bool_)
            by_stream = outcomes[ends]
            if side == 2:
                found.append(np.repeat(by_stream.all(1) if leaf.every else by_stream.any(1), 2))
            else:
                found.append((by_stream if side == 0 else by_stream[:, ::-1]).reshape(-1))
        return found[0], found[1]

    def _address_holds(self, leaf: Condition, key: str, number: int, bit: int) -> bool:
        if (number < 1 << 32) != (bit == IP4):
            return False
        value = number if bit == IP4 else int.from_bytes(self.index.tcp.packed_address(number))
        return leaf.holds({key: [value]})

    # presence

    def present(self, protocol: str) -> Ternary:
        """The packets that have a layer."""
        c = self.index.columns
        kind = c.kind[self.at]
        if protocol == "frame":
            return Ternary(self._everything(), None)
        if protocol in TRANSPORTS:
            yes = kind == TRANSPORTS[protocol]
            other = kind == PacketKind.OTHER
            if not other.any():
                return Ternary(yes, None)
            return Ternary(yes, other & (self.structure.of(self.low, self.high) == 0))
        flags = self.structure.of(self.low, self.high)
        bit = {"ip": IP4, "ipv6": IP6, "vlan": VLAN}.get(protocol, 0)
        unknown = flags == 0
        if protocol == "arp":
            unknown |= flags == KNOWN
        return Ternary((flags & bit) != 0, unknown if unknown.any() else None)

    def possible(self, field: FieldName) -> Bools:
        """The packets that may have a field."""
        c = self.index.columns
        if field.of_messages:
            kind = c.kind[self.at]
            carries = kind == PacketKind.TCP if field.tcp_only else kind != PacketKind.OTHER
            return np.asarray(carries & (c.plen[self.at] > 0))
        if (field.reach is Reach.LOWER and field.protocol not in ("frame", "eth", "sll", "null", "llc")) or field.reach is Reach.STREAM:
            if field.name == "ip.version":     # of both versions
                return self._everything()
            there = self.present("arp" if field.protocol not in ("tcp", "udp", "ip", "ipv6", "vlan") else field.protocol)
            return there.yes if there.maybe is None else there.yes | there.maybe
        return self._everything()

    def _everything(self) -> Bools:
        return np.ones(self.count, np.bool_)
