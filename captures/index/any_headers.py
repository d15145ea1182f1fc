"""The headers of packets of any kind, down to TCP and UDP, for many packets at once.

`HeaderCursor` holds a set of packets and how far each has been read. Every step reads one header of all of them with numpy, moves on, and hands
the packets that carry the same next header to the next step; packets whose header is cut off or wrong fall away. No read goes past
a packet's captured bytes.
Formats: IEEE 802.3/802.1Q, RFC 791, 8200, 4302, 9293, 768, 3032, 2516, 792, 4443; link types as listed at tcpdump.org/linktypes.html.
"""
from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captures.index.stream_numbers import Addresses

Array = NDArray[Any]

ETHERNET, PPP, FDDI, C_HDLC, SLL, SLL2, NULL, LOOP, IPV4_ONLY, IPV6_ONLY = 1, 9, 10, 104, 113, 276, 0, 108, 228, 229
RAW = (12, 14, 101)
IP4, IP6, MPLS, PPPOE = 0x0800, 0x86DD, 0x8847, 0x8864
VLAN = (0x8100, 0x88A8, 0x9100)
AF_INET, AF_INET6 = 2, (10, 24, 28, 30)
ARPHRD_NETLINK = 824
HOP_BY_HOP, ICMP, IN4, TCP, UDP, IN6, ROUTING, FRAGMENT, AUTHENTICATION, ICMP6, OPTIONS = 0, 1, 4, 6, 17, 41, 43, 44, 51, 58, 60
ICMP_ERRORS, ICMP6_ERRORS = (3, 4, 5, 11, 12), (1, 2, 3, 4)
DEEPEST = 16
"""Headers of one kind in a row (VLAN tags, MPLS labels, tunnels) that are read at most."""
MOST_EXTENSIONS = 500
"""The same of IPv6 extension headers, of which a packet may have many."""


@dataclass(slots=True)
class HeaderCursor:
    """Packets on their way through the headers; all arrays int64, one entry a packet, positions counted from the packet's start."""

    row: Array      # which packet of the chunk
    off: Array      # the packet's first byte in the buffer
    cap: Array      # captured bytes
    pos: Array      # where the next header starts
    end: Array      # where the packet ends, as told by the headers so far
    kind: Array     # what the next header is: a link type, an EtherType or an IP protocol
    ip: Array       # where the innermost IP header starts
    six: Array      # whether that is IPv6
    quoted: Array   # whether the headers stand in an ICMP error
    partial: Array  # whether the payload is a fragment: the first of a datagram that cannot be put together

    def where(self, mask: Array) -> HeaderCursor:
        """The packets where `mask` holds; the walk itself when it does for all. Steps set fields anew, they never write into the arrays."""
        which = np.flatnonzero(mask)
        return self if len(which) == len(mask) else HeaderCursor(*(getattr(self, one.name)[which] for one in fields(self)))

    def __len__(self) -> int:
        return len(self.row)


@dataclass(slots=True)
class Found:
    """TCP or UDP headers (`transport` a PacketKind); columns as in `captures.index.columns`. `src` and `dst` are address ids (uint64)."""

    transport: int
    row: Array
    quoted: Array
    mute: Array  # quoted, partial or longer than its datagram: Wireshark learns no numbers from it
    poff: Array
    plen: Array
    sport: Array
    dport: Array
    seq: Array
    ack: Array
    flags: Array
    win: Array
    src: Array
    dst: Array

    def take(self, which: Array) -> Found:
        return Found(self.transport, *(getattr(self, one.name)[which] for one in fields(self)[1:]))


@dataclass(slots=True)
class Fragment:
    """One fragment: `start` and `length` of its payload in the packet, `at` its place in the datagram."""

    row: int
    key: tuple[bytes, bytes, int, int]
    start: int
    length: int
    at: int
    more: bool
    protocol: int


class Reader:
    """Reads the headers of packets in one buffer."""

    def __init__(self, buffer: Array, addresses: Addresses) -> None:
        self._bytes = buffer
        # big-endian words that start at every byte
        self._words = {size: np.ndarray((max(0, len(buffer) - size + 1),), f">u{size}", buffer, strides=(1,)) for size in (1, 2, 4, 8)}
        self._addresses = addresses
        self.found: list[Found] = []
        self.pieces: list[Fragment] = []

    def read(self, row: Array, off: Array, cap: Array, wire: Array, link: Array) -> None:
        """Read packets; `found` and `pieces` hold what was found. Arrays int64."""
        none = np.zeros(len(row), np.int64)
        self._link(HeaderCursor(row, off, np.minimum(cap, wire), none, wire, link, none, none != 0, none != 0, none != 0))

    def read_payloads(self, row: Array, off: Array, length: Array, protocol: Array, six: Array) -> None:
        """Read IP payloads, each standing behind (the last bytes of) a plain IP header."""
        self._protocol(HeaderCursor(row, off, length, length * 0, length, protocol, np.where(six, -40, -20), six, six & False, six & False), 0)

    # bytes of all packets at a position, counted from each walk's own position

    def _word(self, size: int, w: HeaderCursor, at: int | Array) -> Array:
        word: Array = self._words[size][w.off + (w.pos + at)]
        return word

    def _u8(self, w: HeaderCursor, at: int | Array) -> Array:
        return self._word(1, w, at).astype(np.int64)

    def _u16(self, w: HeaderCursor, at: int | Array) -> Array:
        return self._word(2, w, at).astype(np.int64)

    def _u32(self, w: HeaderCursor, at: int | Array) -> Array:
        return self._word(4, w, at).astype(np.int64)

    def _u64(self, w: HeaderCursor, at: int | Array) -> Array:
        return self._word(8, w, at).astype(np.uint64)

    @staticmethod
    def _holding(w: HeaderCursor, length: int) -> HeaderCursor:
        """The packets that have `length` more bytes captured."""
        return w.where(w.pos + length <= np.minimum(w.cap, w.end))

    # link layer

    def _link(self, w: HeaderCursor) -> None:
        links = w.kind
        for link in np.unique(links).tolist():
            some = w.where(links == link)
            if link == ETHERNET:
                self._typed(some, 12, 14)
            elif link == SLL:
                some = self._holding(some, 16)
                self._typed(some.where(self._u16(some, 2) != ARPHRD_NETLINK), 14, 16)
            elif link == SLL2:
                some = self._holding(some, 20)
                self._typed(some.where(self._u16(some, 8) != ARPHRD_NETLINK), 0, 20)
            elif link == C_HDLC:
                self._typed(some, 2, 4)
            elif link == FDDI:
                some.pos = some.pos + 13
                self._llc(some)
            elif link == PPP:
                some = self._holding(some, 2)
                addressed = self._u16(some, 0) == 0xFF03
                some.pos = some.pos + np.where(addressed, 2, 0)
                self._ppp(some)
            elif link in (NULL, LOOP):
                self._family(some)
            elif link in RAW:
                self._by_version(some)
            elif link in (IPV4_ONLY, IPV6_ONLY):
                self._ip4(some) if link == IPV4_ONLY else self._ip6(some)

    def _typed(self, w: HeaderCursor, at: int, length: int) -> None:
        """An EtherType at `at` of a header with `length` bytes."""
        w = self._holding(w, length)
        w.kind = self._u16(w, at)
        w.pos = w.pos + length
        self._ethertype(w)

    def _ethertype(self, w: HeaderCursor) -> None:
        for _ in range(DEEPEST):
            tagged = np.isin(w.kind, VLAN)
            if not tagged.any():
                break
            inner = self._holding(w.where(tagged), 4)
            inner.kind = self._u16(inner, 2)
            inner.pos = inner.pos + 4
            w = _join(w.where(~tagged), inner)
        kind = w.kind
        for wanted, step in ((IP4, self._ip4), (IP6, self._ip6), (MPLS, self._mpls), (PPPOE, self._pppoe)):
            some = kind == wanted
            if some.any():
                step(w.where(some))
        self._sized(w.where(kind <= 1500))

    def _sized(self, w: HeaderCursor) -> None:
        """IEEE 802.3: the length in place of the type."""
        if not len(w):
            return
        w.end = np.minimum(w.end, w.pos + w.kind)
        self._llc(w)

    def _pppoe(self, w: HeaderCursor) -> None:
        w = self._holding(w, 6)
        w.end = np.minimum(w.end, w.pos + 6 + self._u16(w, 4))
        w.pos = w.pos + 6
        self._ppp(w)

    def _llc(self, w: HeaderCursor) -> None:
        """802.2 with SNAP: AA AA 03, organisation 000000, an EtherType."""
        w = self._holding(w, 8)
        w = w.where((self._u32(w, 0) == 0xAAAA0300) & (self._u16(w, 4) == 0))
        if len(w):
            w.kind = self._u16(w, 6)
            w.pos = w.pos + 8
            self._ethertype(w.where(w.kind > 1500))

    def _ppp(self, w: HeaderCursor) -> None:
        """The protocol in two bytes, or in one, which is then odd."""
        w = self._holding(w, 2)
        short = (self._u8(w, 0) & 1) != 0
        kind = np.where(short, self._u8(w, 0), self._u16(w, 0))
        w.pos = w.pos + np.where(short, 1, 2)
        self._ip4(w.where(kind == 0x0021))
        self._ip6(w.where(kind == 0x0057))

    def _mpls(self, w: HeaderCursor) -> None:
        for _ in range(DEEPEST):
            if not len(w):
                return
            w = self._holding(w, 4)
            bottom = (self._u8(w, 2) & 1) != 0
            w.pos = w.pos + 4
            self._by_version(w.where(bottom))
            w = w.where(~bottom)

    def _family(self, w: HeaderCursor) -> None:
        """BSD loopback: the address family in four bytes, in the byte order of the host that recorded."""
        w = self._holding(w, 4)
        family = self._u32(w, 0)
        family = np.where(family > 0xFFFF, family >> 24 | (family >> 8 & 0xFF00), family)
        w.pos = w.pos + 4
        self._ip4(w.where(family == AF_INET))
        self._ip6(w.where(np.isin(family, AF_INET6)))

    def _by_version(self, w: HeaderCursor) -> None:
        w = self._holding(w, 1)
        version = self._u8(w, 0) >> 4
        self._ip4(w.where(version == 4))
        self._ip6(w.where(version == 6))

    # network layer

    def _ip4(self, w: HeaderCursor, depth: int = 0) -> None:
        w = self._holding(w, 20)
        if not len(w):
            return
        first, total = self._u8(w, 0), self._u16(w, 2)
        header = (first & 15) * 4
        total = np.where(total == 0, w.end - w.pos, total)  # segmentation offload: the length was not filled in
        w.ip, w.six = w.pos, np.zeros(len(w), np.bool_)
        w.end = np.minimum(w.end, w.pos + total)
        fragment = self._u16(w, 6)
        w.kind = self._u8(w, 9)
        good = (first >> 4 == 4) & (header >= 20) & (total >= header)
        identity = self._u16(w, 4)
        w.pos = w.pos + header
        cut = (fragment & 0x3FFF) != 0
        if cut.any():
            gathers = cut & (w.end <= w.cap) & (w.pos < w.end) & ~w.quoted & good
            self._fragments(w.where(gathers), (fragment[gathers] & 0x1FFF) * 8, (fragment[gathers] & 0x2000) != 0, identity[gathers])
            good &= ~gathers & ((fragment & 0x1FFF) == 0)
            w.partial = w.partial | cut
        self._protocol(w.where(good), depth)

    def _ip6(self, w: HeaderCursor, depth: int = 0) -> None:
        w = self._holding(w, 40)
        w = w.where(self._u8(w, 0) >> 4 == 6)
        if not len(w):
            return
        length = self._u16(w, 4)
        w.ip, w.six = w.pos, np.ones(len(w), np.bool_)
        w.kind = self._u8(w, 6)
        w.pos = w.pos + 40
        w.end = np.where(length == 0, w.end, np.minimum(w.end, w.pos + length))
        self._protocol(w, depth)

    def _protocol(self, w: HeaderCursor, depth: int) -> None:
        """Skip extension headers and go on with what they carry."""
        for _ in range(MOST_EXTENSIONS):
            extended = (w.kind == AUTHENTICATION) | (w.six & np.isin(w.kind, (HOP_BY_HOP, ROUTING, FRAGMENT, OPTIONS)))
            if not extended.any():
                break
            w = _join(w.where(~extended), self._extension(w.where(extended)))
        kind = w.kind
        for wanted, step in ((TCP, self._tcp), (UDP, self._udp)):
            some = kind == wanted
            if some.any():
                step(w.where(some))
        for wanted, six, errors in ((ICMP, False, ICMP_ERRORS), (ICMP6, True, ICMP6_ERRORS)):
            some = (kind == wanted) & (w.six == six) & ~w.quoted
            if some.any():
                quoting = self._holding(w.where(some), 8)
                quoting = quoting.where(np.isin(self._u8(quoting, 0), errors))
                quoting.pos, quoting.quoted = quoting.pos + 8, np.ones(len(quoting), np.bool_)
                self._ip6(quoting, depth + 1) if six else self._ip4(quoting, depth + 1)
        if depth < DEEPEST:
            for wanted, tunnel in ((IN4, self._ip4), (IN6, self._ip6)):
                some = kind == wanted
                if some.any():
                    tunnel(w.where(some), depth + 1)

    def _extension(self, w: HeaderCursor) -> HeaderCursor:
        w = self._holding(w, 8)
        kind, size = w.kind, self._u8(w, 1)
        length = np.where(kind == AUTHENTICATION, size * 4 + 8, size * 8 + 8)
        pieces = kind == FRAGMENT
        after = self._u8(w, 0)
        good = np.ones(len(w), np.bool_)
        if pieces.any():
            length[pieces] = 8
            place = np.where(pieces, self._u16(w, 2), 0)
            split = pieces & ((place & 0xFFF9) != 0)
            gathers = split & (w.end <= w.cap) & (w.pos + 8 < w.end) & ~w.quoted
            some = w.where(gathers)
            identity = self._u32(some, 4)
            some.pos, some.kind = some.pos + 8, after[gathers]
            self._fragments(some, place[gathers] & 0xFFF8, (place[gathers] & 1) != 0, identity)
            good = ~split
        w.kind = after
        w.pos = w.pos + length
        return w.where(good)

    def _fragments(self, w: HeaderCursor, at: Array, more: Array, identity: Array) -> None:
        """Note fragments for `captures.index.defragment`; one by one, for they are rare."""
        for i in range(len(w)):
            start = int(w.off[i] + w.ip[i])
            six = bool(w.six[i])
            low, size = (start + 8, 16) if six else (start + 12, 4)
            source, destination = self._bytes[low : low + size].tobytes(), self._bytes[low + size : low + 2 * size].tobytes()
            pos, protocol = int(w.pos[i]), int(w.kind[i])
            key = (source, destination, int(identity[i]), -1 if six else protocol)
            self.pieces.append(Fragment(int(w.row[i]), key, pos, int(w.end[i]) - pos, int(at[i]), bool(more[i]), protocol))

    # transport layer

    def _tcp(self, w: HeaderCursor) -> None:
        """A segment counts when ports, numbers, flags and window (16 bytes) are there, as in Wireshark. A bad header length leaves it without payload."""
        w = self._holding(w, 16)
        if not len(w):
            return
        word = self._u16(w, 12)
        header = word >> 12 << 2
        start = w.pos + np.maximum(header, 20)
        length = np.where(header < 20, 0, np.maximum(w.end - start, 0))
        good = (w.pos + header <= w.end) & ~w.partial
        self._add(w, 1, start, length, self._u32(w, 4), self._u32(w, 8), word & 0xFFF, self._u16(w, 14), good)

    def _udp(self, w: HeaderCursor) -> None:
        """A length below 8 is an error, except 0 in IPv6 (jumbograms)."""
        w = self._holding(w, 8)
        size = self._u16(w, 4)
        good = (size >= 8) | (w.six & (size == 0))
        w, size = w.where(good), size[good]
        if not len(w):
            return
        start = w.pos + 8
        room = w.end - start
        none = np.zeros(len(w), np.int64)
        self._add(w, 2, start, np.where(size == 0, room, np.minimum(size - 8, room)), none, none, none, none, good[good])

    def _add(self, w: HeaderCursor, transport: int, poff: Array, plen: Array, seq: Array, ack: Array, flags: Array, win: Array, good: Array) -> None:
        src, dst = self._ends(w)
        found = Found(transport, w.row, w.quoted, w.quoted | ~good, poff, plen, self._u16(w, 0), self._u16(w, 2), seq, ack, flags, win, src, dst)
        near = poff < 65536  # deeper ones do not fit the column
        self.found.append(found if near.all() else found.take(near))

    def _ends(self, w: HeaderCursor) -> tuple[Array, Array]:
        """Address ids of the innermost IP header."""
        src, dst = np.zeros(len(w), np.uint64), np.zeros(len(w), np.uint64)
        back = w.ip - w.pos
        four, six = ~w.six, w.six
        if four.any():
            some, at = w.where(four), back[four]
            src[four], dst[four] = self._u32(some, at + 12), self._u32(some, at + 16)
        if six.any():
            some, at = w.where(six), back[six]
            halves = [self._u64(some, at + start) for start in (8, 16, 24, 32)]
            src[six], dst[six] = self._addresses.six(halves[0], halves[1]), self._addresses.six(halves[2], halves[3])
        return src, dst


def _join(one: HeaderCursor, other: HeaderCursor) -> HeaderCursor:
    return HeaderCursor(*(np.concatenate([getattr(one, each.name), getattr(other, each.name)]) for each in fields(one)))
