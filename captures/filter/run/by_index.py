"""What the index columns know of a filter: for each packet yes, no, or that it must be read.

Tests on fields that columns hold become numpy expressions over blocks of packets; addresses are tested once a stream. A test that columns
cannot answer is still "no" where the protocol of its fields is certainly missing, so that `kafka && ...` reads no packet without payload.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from captures.file.clock import NO_TIME
from captures.filter.compile.logic import And, Condition, Logic, Negation, Or, Xor
from captures.filter.compile.values import NotIndexed
from captures.index.columns import PacketKind
from captures.index.index import Index
from captures.index.known_layers import IP4, IP6, KNOWN, VLAN, KnownLayers
from captures.values.field_names import FieldName, Reach
from captures.values.index_columns import FRAME, TIMES, TRANSPORT

__all__ = ["Block", "Ternary"]

Bools = NDArray[np.bool_]
Array = NDArray[Any]

TRANSPORTS = {"tcp": PacketKind.TCP, "udp": PacketKind.UDP}
ADDRESSES = {"ip.src": (IP4, 0), "ip.dst": (IP4, 1), "ip.addr": (IP4, 2), "ipv6.src": (IP6, 0), "ipv6.dst": (IP6, 1), "ipv6.addr": (IP6, 2)}


class Ternary(NamedTuple):
    """`yes` are the packets for which it holds, `maybe` (apart from these) those that must be read; None: no such packet."""

    yes: Bools
    maybe: Bools | None


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
            if key in TIMES:
                return Ternary(self._timed(), None)
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
            hit = np.broadcast_to(hit, self.count)
            return Ternary(hit & self._timed() if key in TIMES else hit, None)
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
        if not TIMES.isdisjoint(leaf.keys):
            there = there & self._timed()
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

    def _timed(self) -> Bools:
        return np.asarray(self.index.columns.ts[self.at] != NO_TIME)

    def _everything(self) -> Bools:
        return np.ones(self.count, np.bool_)
