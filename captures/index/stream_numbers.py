"""TCP and UDP streams, numbered as Wireshark numbers them, a chunk of packets at a time.

A conversation is a pair of endpoints (address id << 16 | port, 64 bits each), whichever comes first. `PairTable` turns the pairs of
a whole chunk into ids by open addressing in numpy rounds, with full keys compared, so that the result is exact. A UDP stream is a pair.
A TCP stream is a pair until a SYN with another initial sequence number opens the next one on it; only pairs on which a SYN comes late
are walked packet by packet, and of those only the few packets that can matter.
"""
from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SYN, ACK = 0x02, 0x10
IPV6_ID = 1 << 32
"""Address ids below this are IPv4 addresses as numbers; from it on they are ids of IPv6 addresses."""
SLOTS = 1 << 16
"""Entries of a hash table at first; few pairs in many slots rarely collide."""
_PIECE = 65536


class PairTable:
    """Numbers pairs of 64-bit values from 0 in order of first appearance. The hash is seeded at random, so that no capture can be made
    whose pairs collide."""

    def __init__(self) -> None:
        self.count = 0
        self.a = np.zeros(1024, np.uint64)
        self.b = np.zeros(1024, np.uint64)
        self._slots = np.full(SLOTS, -1, np.int32)
        self._odd = tuple(np.uint64(int.from_bytes(os.urandom(8)) | 1) for _ in range(2))

    def __len__(self) -> int:
        return self.count

    def intern(self, a: Array, b: Array) -> tuple[Array, Array]:
        """The ids (int64) of the pairs (a[i], b[i]), and where the ids not seen before first stand (positions, ascending)."""
        hashed = self._hash(a, b)
        slot = self._first_slot(hashed)
        ids: Array = self._slots.take(slot).astype(np.int64)         # take is faster than an index
        misses = np.flatnonzero((ids < 0) | (self.a.take(ids) != a) | (self.b.take(ids) != b))
        if not len(misses):
            return ids, misses
        fresh = []
        step = 0
        while len(misses):
            empty = ids[misses] < 0
            fresh.append(misses[empty])
            misses = misses[~empty]
            step += 1
            slot[misses] = (slot[misses] + step) & (len(self._slots) - 1)
            ids[misses] = found = self._slots[slot[misses]]
            misses = misses[(found < 0) | (self.a[found] != a[misses]) | (self.b[found] != b[misses])]
        unseen = np.sort(np.concatenate(fresh))
        first = _first_equal(a[unseen], b[unseen], hashed[unseen])
        firsts = np.flatnonzero(first == np.arange(len(unseen)))
        number = np.empty(len(unseen), np.int64)
        number[firsts] = np.arange(self.count, self.count + len(firsts))
        ids[unseen] = number[first]
        positions = unseen[firsts]
        self._append(a[positions], b[positions])
        return ids, positions

    def _hash(self, a: Array, b: Array) -> Array:
        return a * self._odd[0] + b * self._odd[1]

    def _first_slot(self, hashed: Array) -> Array:
        return (hashed >> np.uint64(65 - len(self._slots).bit_length())).astype(np.int64)

    def _append(self, a: Array, b: Array) -> None:
        start, self.count = self.count, self.count + len(a)
        if self.count > len(self.a):
            self.a, self.b = _longer(self.a, self.count), _longer(self.b, self.count)
        self.a[start : self.count] = a
        self.b[start : self.count] = b
        if self.count * 2 > len(self._slots):
            self._slots = np.full(1 << (self.count * 3).bit_length(), -1, np.int32)
            start = 0
        for low in range(start, self.count, _PIECE):
            self._insert(low, min(low + _PIECE, self.count))

    def _insert(self, low: int, high: int) -> None:
        ids = np.arange(low, high, dtype=np.int32)
        slot = self._first_slot(self._hash(self.a[low:high], self.b[low:high]))
        step = 0
        while len(ids):
            free = self._slots[slot] < 0
            self._slots[slot[free]] = ids[free]
            left = self._slots[slot] != ids
            step += 1
            ids, slot = ids[left], (slot[left] + step) & (len(self._slots) - 1)


def _first_equal(a: Array, b: Array, hashed: Array) -> Array:
    """For each pair the position of the first equal pair."""
    first = np.empty(len(a), np.int64)
    bits = max(8, len(a).bit_length())
    table = np.empty(1 << bits, np.int64)
    todo, odd = np.arange(len(a)), 1
    while len(todo):
        slot = (hashed[todo] * np.uint64(odd)) >> np.uint64(64 - bits)
        table[slot[::-1]] = todo[::-1]  # of equal slots the last write stays: the first packet
        found = table[slot]
        same = (a[found] == a[todo]) & (b[found] == b[todo])
        first[todo[same]] = found[same]
        todo, odd = todo[~same], odd + 2
    return first


def _longer(array: Array, length: int, fill: int = 0) -> Array:
    wider = np.full(max(length, len(array) * 2), fill, array.dtype)
    wider[: len(array)] = array
    return wider


class Addresses:
    """Ids for addresses: an IPv4 address is its number, IPv6 addresses are numbered from IPV6_ID on."""

    def __init__(self) -> None:
        self._six = PairTable()

    def six(self, high: Array, low: Array) -> Array:
        """Ids (uint64) of IPv6 addresses given as two halves."""
        return self._six.intern(high, low)[0].astype(np.uint64) + np.uint64(IPV6_ID)

    def identify(self, address: bytes) -> int:
        """The id of one address of 4 or 16 bytes."""
        if len(address) == 4:
            return int.from_bytes(address, "big")
        halves = np.frombuffer(address, ">u8").astype(np.uint64)
        return int(self.six(halves[:1], halves[1:])[0])

    def packed(self, number: int) -> bytes:
        """The 4 or 16 bytes of the address with this id."""
        if number < IPV6_ID:
            return number.to_bytes(4, "big")
        at = number - IPV6_ID
        return int(self._six.a[at]).to_bytes(8, "big") + int(self._six.b[at]).to_bytes(8, "big")


@dataclass(slots=True)
class Segments:
    """Packets of one transport in order. `source` and `destination` are address id << 16 | port (uint64), `packet` the index in the capture;
    `mute` ones tell no numbers: those quoted in ICMP errors and those with a bad header. UDP has no use for flags, seq, ack and mute."""

    source: Array
    destination: Array
    packet: Array
    flags: Array
    seq: Array
    ack: Array
    mute: Array


class StreamTable:
    """The streams of one transport by number; a is the sender of a stream's first packet. `len` may grow while it is read."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._pairs = PairTable()
        self._current = np.zeros(1024, np.int32)  # pair -> its latest stream
        self._oldest = np.full(1024, -1, np.int32)  # pair -> its first stream
        self._pair = np.zeros(1024, np.int32)     # stream -> its pair
        self._turned = np.zeros(1024, np.bool_)   # stream -> whether its first packet went from the pair's b to a
        self._first = np.zeros(1024, np.int64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def packed_address(self, number: int) -> bytes:
        """The 4 or 16 bytes of the address with this id."""
        return self._addresses.packed(number)

    def ends(self, number: int) -> tuple[tuple[bytes, int], tuple[bytes, int]]:
        """((address, port) of a, (address, port) of b); addresses of 4 or 16 bytes."""
        pair = self._pair[number]
        one, other = int(self._pairs.a[pair]), int(self._pairs.b[pair])
        if self._turned[number]:
            one, other = other, one
        return (self._addresses.packed(one >> 16), one & 0xFFFF), (self._addresses.packed(other >> 16), other & 0xFFFF)

    def first(self, number: int) -> int:
        """Index of the stream's first packet."""
        return int(self._first[number])

    def reuses(self, number: int) -> bool:
        """Whether an earlier stream had the same two ends."""
        return int(self._oldest[self._pair[number]]) != number

    def endpoints(self) -> tuple[Array, Array]:
        """All streams' ends as numbers, address id << 16 | port (uint64): those of a, those of b."""
        count = self._count
        pair, turned = self._pair[:count], self._turned[:count]
        a, b = self._pairs.a[pair], self._pairs.b[pair]
        return np.where(turned, b, a), np.where(turned, a, b)

    def number(self, some: Segments) -> Array:
        """stream * 2 + direction (int32) of each packet; direction 0 is that of the stream's first packet."""
        raise NotImplementedError

    def _pair_ids(self, some: Segments) -> tuple[Array, Array, Array]:
        """(pair ids, whether each packet goes from b to a, positions of the pairs not seen before)."""
        turned = some.source > some.destination
        pair, births = self._pairs.intern(np.minimum(some.source, some.destination), np.maximum(some.source, some.destination))
        if len(self._pairs) > len(self._current):
            self._current = _longer(self._current, len(self._pairs))
            self._oldest = _longer(self._oldest, len(self._pairs), fill=-1)
        return pair, turned, births

    def _numbered(self, stream: Array, turned: Array) -> Array:
        both: Array = stream * 2 + (turned != self._turned.take(stream))
        return both

    def _open(self, births: Array, pair: Array, turned: Array, packet: Array) -> None:
        """Open a stream at each of the positions `births`, in their order."""
        start, count = self._count, self._count + len(births)
        if count > len(self._pair):
            self._pair, self._first = _longer(self._pair, count), _longer(self._first, count)
            self._turned = _longer(self._turned, count)
        self._pair[start:count] = pairs = pair[births]
        self._turned[start:count] = turned[births]
        self._first[start:count] = packet[births]
        numbers = np.arange(start, count)
        self._current[pairs] = numbers  # of equal pairs the last write stays
        unopened = np.flatnonzero(self._oldest[pairs] < 0)[::-1]
        self._oldest[pairs[unopened]] = numbers[unopened]
        self._count = count


class UdpStreams(StreamTable):
    """A stream a pair of endpoints."""

    def number(self, some: Segments) -> Array:
        pair, turned, births = self._pair_ids(some)
        self._open(births, pair, turned, some.packet)
        return self._numbered(self._current[pair], turned)


class TcpStreams(StreamTable):
    """Streams by pair of endpoints and initial sequence number.

    The rule, found by experiment with tshark 4.0: each direction of a stream has a base number. It is the sequence number of the direction's
    first packet (less one unless that is a SYN), or what the other direction acknowledged before (less one). A SYN+ACK with another number
    sets it anew. A SYN (without ACK) whose number is not its direction's base opens a new stream. FIN and RST change nothing, nor do
    headers quoted in ICMP errors or with a bad length, except that their SYN opens streams like any.
    """

    def __init__(self, addresses: Addresses) -> None:
        super().__init__(addresses)
        self._base = [np.zeros(1024, np.uint32), np.zeros(1024, np.uint32)]  # by direction of the pair
        self._known = [np.zeros(1024, np.bool_), np.zeros(1024, np.bool_)]
        self._lacking = np.ones(1024, np.bool_)  # not both bases are known

    def number(self, some: Segments) -> Array:
        before = len(self._pairs)
        pair, turned, births = self._pair_ids(some)
        if len(self._pairs) > len(self._lacking):
            self._base = [_longer(one, len(self._pairs)) for one in self._base]
            self._known = [_longer(one, len(self._pairs)) for one in self._known]
            self._lacking = _longer(self._lacking, len(self._pairs), fill=True)
        late = self._late(some, pair, before, births)
        walked = np.zeros(len(self._pairs), np.bool_)
        walked[pair[late]] = True
        apart = walked[pair] if len(late) else None
        self._learn(some, pair, turned, apart)
        if apart is None:
            self._open(births, pair, turned, some.packet)
            return self._numbered(self._current.take(pair), turned)
        order = np.flatnonzero(apart)
        order = order[np.argsort(pair[order], kind="stable")]
        change = np.ones(len(order), np.bool_)  # where in `order` another stream starts: with each pair, and where streams open
        change[1:] = pair[order[1:]] != pair[order[:-1]]
        opened = self._walk(some, pair, turned, order, before)
        change[opened] = True
        earlier = self._current[pair[order]]
        births = np.sort(np.concatenate([births[~apart[births]], order[opened]]))
        self._open(births, pair, turned, some.packet)
        stream = self._current[pair]
        stream[order] = earlier
        stream[births] = np.arange(self._count - len(births), self._count)
        stream[order] = stream[order[np.maximum.accumulate(np.where(change, np.arange(len(order)), 0))]]
        return self._numbered(stream, turned)

    def _late(self, some: Segments, pair: Array, before: int, births: Array) -> Array:
        """Positions of the SYNs on pairs that have packets already, the ones that may open another stream; and mute SYNs, which set no base."""
        syn = np.flatnonzero((some.flags & (SYN | ACK)) == SYN)
        late = pair[syn] < before
        new = np.flatnonzero(~late)
        late[new] = births[pair[syn[new]] - before] != syn[new]
        return np.concatenate([syn[late], np.flatnonzero(some.mute & ((some.flags & SYN) != 0))])

    def _learn(self, some: Segments, pair: Array, turned: Array, apart: Array | None) -> None:
        """Note the base numbers that segments tell of the two directions of their pair of endpoints. Left out are the segments marked in `apart` (None: no
        segment): on their pairs a SYN may open another stream within this chunk, and `_walk` notes their bases one by one."""
        lacking = self._lacking.take(pair) & ~some.mute
        both = (some.flags & (SYN | ACK)) == SYN | ACK
        if apart is not None:
            lacking &= ~apart
            both &= ~apart
        at = np.flatnonzero(lacking)
        if len(at):
            ids, flags, seq, ack = pair[at], some.flags[at], some.seq[at], some.ack[at]
            acks = (flags & ACK) != 0
            for way in (0, 1):
                sent = turned[at] == way
                tells = np.flatnonzero((sent | acks) & ~self._known[way][ids])[::-1]  # backwards: the first packet's word stays
                own = seq[tells] - ((flags[tells] & SYN) == 0)
                self._base[way][ids[tells]] = np.where(sent[tells], own, ack[tells] - np.uint32(1))
                self._known[way][ids[tells]] = True
            self._lacking[ids] = ~(self._known[0][ids] & self._known[1][ids])
        at = np.flatnonzero(both)
        for way in (0, 1):
            mine = at[turned[at] == way]
            self._base[way][pair[mine]] = some.seq[mine]

    def _walk(self, some: Segments, pair: Array, turned: Array, order: Array, before: int) -> list[int]:
        """Positions in `order` (packets by pair, then in order) at which streams open. A packet with ACK that follows one with ACK cannot
        matter unless it is a SYN: both bases are known by then."""
        pairs, flags = pair[order], some.flags[order]
        mute = some.mute[order]
        settles = ((flags & ACK) != 0) & ~mute
        quiet = settles & ((flags & SYN) == 0)
        quiet[0] = False
        quiet[1:] &= settles[:-1] & (pairs[1:] == pairs[:-1])
        at = np.flatnonzero(~quiet)
        here = order[at]
        opened: list[int] = []
        now, base, known, fresh = -1, [0, 0], [False, False], False
        columns = (at, pairs[at], turned[here], flags[at], some.seq[here], some.ack[here], mute[at])
        for place, one, way, flag, seq, ack, silent in zip(*(column.tolist() for column in columns), strict=True):
            if one != now:
                self._keep(now, base, known)
                now, fresh = one, one >= before
                base = [int(self._base[0][one]), int(self._base[1][one])]
                known = [bool(self._known[0][one]), bool(self._known[1][one])]
            kind = flag & (SYN | ACK)
            if fresh or (kind == SYN and known[way] and base[way] != seq):
                opened.append(place)
                known, fresh = [False, False], False
            elif kind == SYN | ACK and known[way]:
                base[way] = seq
            if silent:
                continue
            if not known[way]:
                base[way], known[way] = (seq if flag & SYN else seq - 1 & 0xFFFFFFFF), True
            if flag & ACK and not known[not way]:
                base[not way], known[not way] = ack - 1 & 0xFFFFFFFF, True
        self._keep(now, base, known)
        return opened

    def _keep(self, pair: int, base: list[int], known: list[bool]) -> None:
        if pair >= 0:
            self._lacking[pair] = not all(known)
            for way in (0, 1):
                self._base[way][pair], self._known[way][pair] = base[way], known[way]
