"""What Wireshark says of a TCP stream's sequence numbers, a stream at a time and only when one of its packets is looked at.

Theory: two `Side`s hold what has been seen of each sender (next sequence number, last ACK, window). Every segment is judged against its
own side and the other, by the rules of tshark 4.0 in their order, then its own side is brought up to date. Kept is only what is out
of the ordinary: the findings by packet, and where base numbers and window scales change. Sequence numbers are compared modulo 2**32
(RFC 9293 section 3.4). Times are nanoseconds.
"""
from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from captures.index.index import Index
from captures.stream.tcp_acknowledged import NOTHING, Acknowledged, Unacknowledged, completed
from protocols.lower.facts import TcpFacts
from protocols.lower.tcp_options import window_shift
from protocols.lower.transport_words import ACK, FIN, RST, SYN

__all__ = ["Analysis", "Segment", "TcpAnalysis", "analyse"]

FOUR = 0xFFFFFFFF
HALF = 0x80000000
FAST = 20_000_000           # a fast retransmission comes within this time of the last duplicate ACK
OUT_OF_ORDER = 3_000_000    # an out-of-order segment comes within this time of the highest one, where the round trip is not known
TOLD = FOUR                 # stands for a count of duplicate ACKs, as in tshark: segments of this side that the capture lacks were told of
SHORTEST, LONGEST = 20, 60  # a TCP header's sizes


class Segment(NamedTuple):
    """One packet of a stream: its index, time, direction (0 or 1), header numbers, and payload length on the wire."""

    packet: int
    time: int
    direction: int
    seq: int
    ack: int
    flags: int
    length: int
    window: int


class Known(NamedTuple):
    """What holds from position `start` of the stream on: for each direction base numbers and window scales (as in `TcpFacts`); the handshake's round-trip
    time, 0 before it is known, and what was seen of the connection before."""

    start: int
    base: tuple[int, int]
    scale: tuple[int, int]
    round_trip: int
    completeness: int


@dataclass(slots=True)
class Side:
    """What has been seen of one sender; a number of 0 is one not seen yet, as in tshark. `expected` is the highest number that the other
    side can acknowledge, without gaps; `original` the frame number of the first ACK with the last acknowledgment number."""

    base: int | None = None
    scale: int = -1
    next: int = 0
    next_time: int = 0
    expected: int = 0
    ack: int = 0
    ack_time: int = 0
    window: int = -1
    duplicates: int = 0
    original: int = 0
    found: tuple[str, ...] = ()
    answered: bool = False
    unacknowledged: Unacknowledged = field(default_factory=Unacknowledged)


@dataclass(slots=True)
class Analysis:
    """The outcome for one stream. `findings` by packet: (names as in `tcp.analysis.NAME`, duplicate ACK as in `TcpFacts`); `acknowledged` by packet."""

    findings: dict[int, tuple[tuple[str, ...], tuple[int, int] | None]]
    known: list[Known]
    acknowledged: dict[int, Acknowledged] = field(default_factory=dict)

    def facts(self, packet: int, position: int, direction: int) -> TcpFacts:
        """What the analysis says of a packet that stands at `position` in its stream."""
        names, duplicate = self.findings.get(packet, ((), None))
        known = self.known[max(0, bisect_right(self.known, position, key=lambda one: one.start) - 1)]
        told = self.acknowledged.get(packet, NOTHING)
        return TcpFacts(
            known.base[direction], known.base[1 - direction], names, known.scale[direction], duplicate, acks_frame=told.frame, ack_rtt=told.rtt,
            bytes_in_flight=told.in_flight, push_bytes_sent=told.pushed, completeness=known.completeness,
            initial_rtt=known.round_trip if names or told is not NOTHING else 0,
        )


def after(a: int, b: int) -> bool:
    """Whether sequence number `a` is greater than `b`, modulo 2**32."""
    return 0 < (a - b & FOUR) < HALF


def analyse(segments: Iterable[Segment], shift: Callable[[int], int], reused: bool = False) -> Analysis:
    """Judge the segments of one stream in order. `shift(packet)` reads a SYN's window scale option, -2 where it has none; `reused` says that
    an earlier stream had the same ends."""
    judge = Judge()
    outcome = Analysis({}, [])
    last: tuple[tuple[int, int], tuple[int, int], int, int] | None = None
    seen = 0
    for position, segment in enumerate(segments):
        names, duplicate = judge.add(segment)
        told = judge.acknowledged(names, segment)
        if told != NOTHING:
            outcome.acknowledged[segment.packet] = told
        if segment.flags & SYN:
            judge.scale(segment, shift(segment.packet))
            if position == 0 and reused:
                names = ("reused_ports", *names)
        if names:
            outcome.findings[segment.packet] = names, duplicate
        now = (*judge.known(), judge.round_trip, seen)
        seen = completed(seen, segment.flags, segment.length, not position)
        if now != last:
            outcome.known.append(Known(position, *now))
            last = now
    return outcome


class Judge:
    """The two sides of one stream and what they share."""

    def __init__(self) -> None:
        self.sides = (Side(), Side())
        self.syn_time = 0
        self.round_trip = 0

    def known(self) -> tuple[tuple[int, int], tuple[int, int]]:
        a, b = self.sides
        return (a.base or 0, b.base or 0), (a.scale, b.scale)

    def add(self, one: Segment) -> tuple[tuple[str, ...], tuple[int, int] | None]:
        """Judge a segment and take it in."""
        own, other = self.sides[one.direction], self.sides[1 - one.direction]
        names: list[str] = []
        flags = one.flags
        if own.base is None or other.base is None or flags & SYN:
            self._bases(names, own, other, one)
        if not self.round_trip or flags & SYN:
            self._round_trip(own, other, one)
        duplicate = None
        if one.length == 1 and one.seq == own.next and other.window == 0:
            names.append("zero_window_probe")
        else:
            duplicate = _windows(names, own, other, one)
        if one.ack != own.ack:
            own.original = one.packet + 1
            own.duplicates = 0
        if flags & ACK and other.expected and after(one.ack, other.expected):
            _beyond(names, own, other, one)
        if (one.length or flags & (SYN | FIN)) and "keep_alive" not in names:
            self._repeated(names, own, other, one)
        _remember(names, own, one)
        return tuple(names), duplicate

    def acknowledged(self, names: Sequence[str], one: Segment) -> Acknowledged:
        """What a segment that was judged acknowledges, and what is in flight behind it; a FIN behind data does not count there."""
        own, other = self.sides[one.direction], self.sides[1 - one.direction]
        base, flags = own.base or 0, one.flags
        if flags & ACK:
            other.unacknowledged.told = True
        if "lost_segment" in names:
            own.unacknowledged.told = False
        if one.length or flags & (SYN | FIN):
            own.unacknowledged.add(one.packet, one.time, one.seq, one.seq + one.length + bool(flags & (SYN | FIN)) & FOUR, base)
        frame, took = other.unacknowledged.acknowledge(one.ack, one.time)
        flying = pushed = 0
        if one.length and own.unacknowledged.told and own.unacknowledged.sent:
            flying = max(0, own.unacknowledged.in_flight(base) - bool(flags & FIN))
            pushed = own.unacknowledged.push(one.length, flags)
        return Acknowledged(frame, took, flying, pushed) if frame or flying or pushed else NOTHING

    def scale(self, one: Segment, shift: int) -> None:
        """Window scaling is in force when both SYNs offer it; a SYN without the option settles it, even if the answer is missing."""
        own, other = self.sides[one.direction], self.sides[1 - one.direction]
        if shift >= 0:
            own.scale = -2 if one.flags & ACK and other.scale == -2 else shift
        elif own.scale == -1:
            own.scale = other.scale = -2

    def _bases(self, names: list[str], own: Side, other: Side, one: Segment) -> None:
        """The numbers that count as 0: a SYN's own, else one less than the first number seen, so that counting starts at 1. A SYN+ACK with
        another number sets it anew."""
        if one.flags & (SYN | ACK) == SYN | ACK and own.base is not None and own.base != one.seq:
            own.base = one.seq
            names.append("reused_ports")
        if own.base is None:
            own.base = one.seq if one.flags & SYN else one.seq - 1 & FOUR
        if other.base is None and one.flags & ACK:
            other.base = one.ack - 1 & FOUR

    def _round_trip(self, own: Side, other: Side, one: Segment) -> None:
        """The time from the SYN to the ACK that ends the handshake."""
        if one.flags & (SYN | ACK) == SYN:
            self.syn_time = one.time
        elif not self.round_trip and self.syn_time and one.flags & (SYN | ACK) == ACK:
            self.round_trip = one.time - self.syn_time

    def _repeated(self, names: list[str], own: Side, other: Side, one: Segment) -> None:
        """A segment that does not advance the sequence number: sent again, or late. SYN and FIN count as a byte."""
        end = one.seq + one.length & FOUR
        if one.length and other.ack and not after(end, other.ack):
            names.append("spurious_retransmission")
        elif not own.next or not after(own.next, one.seq) or (one.length > 1 and own.next - 1 & FOUR == one.seq):
            pass
        elif other.duplicates >= 2 and other.ack == one.seq and 0 <= one.time - other.ack_time < FAST:
            names.append("fast_retransmission")
        elif 0 <= one.time - own.next_time < (self.round_trip or OUT_OF_ORDER) and own.next != end + bool(one.flags & (SYN | FIN)) & FOUR:
            names.append("out_of_order")
        else:
            names.append("retransmission")


def _windows(names: list[str], own: Side, other: Side, one: Segment) -> tuple[int, int] | None:
    """Zero, full and updated windows, gaps, keep-alives, and ACKs that say nothing new; (how many, since which frame) of a duplicate ACK."""
    seq, length, window = one.seq, one.length, one.window
    if own.next and after(seq, own.next) and not one.flags & RST:
        names.append("lost_segment")
    if one.flags & (SYN | FIN | RST):
        return None
    if window == 0:
        names.append("zero_window")
    if length <= 1 and seq == own.next - 1 & FOUR:
        names.append("keep_alive")
    if length:
        edge = other.ack + (other.window << (0 if other.answered else max(0, other.scale))) if other.scale != -1 and other.window >= 0 else -1
        if edge >= 0 and seq + length & FOUR == edge & FOUR:
            names.append("window_full")
        return None
    if seq != own.next:
        return None
    same = one.ack == own.ack
    if window == 0:
        if own.window == 0 and one.ack - own.ack & FOUR in (0, 1) and "zero_window_probe" in other.found:
            names.append("zero_window_probe_ack")
            if not same:
                other.next = other.expected = one.ack
    elif same and window != own.window:
        names.append("window_update")
    elif same and "keep_alive" in other.found:
        names.append("keep_alive_ack")
    elif same:
        own.duplicates = 1 if own.duplicates == TOLD else own.duplicates + 1
        names.append("duplicate_ack")
        return own.duplicates, own.original
    return None


def _beyond(names: list[str], own: Side, other: Side, one: Segment) -> None:
    """An ACK of more than was seen: of a zero window probe's byte, or of segments that the capture lacks."""
    if one.ack == own.ack + 1 & FOUR and one.seq == own.next and "zero_window_probe" in other.found:
        other.next = other.expected = one.ack
        names.append("window_update")
    elif after(other.next, other.expected):
        other.expected = other.next
        names.append("ack_lost_segment")
    else:
        # as long as the other side acknowledges nothing new, one finding stands for all
        if not other.duplicates:
            names.append("ack_lost_segment")
        other.duplicates = TOLD


def _remember(names: list[str], own: Side, one: Segment) -> None:
    """Bring the sender's side up to date. A zero window probe's byte does not count before it is acknowledged."""
    if not names or "zero_window_probe" not in names:
        following = one.seq + one.length + bool(one.flags & (SYN | FIN)) & FOUR
        if not own.next or after(following, own.next):
            own.next, own.next_time = following, one.time
        if one.seq == own.expected or not own.expected:
            own.expected = own.next
    own.window = one.window
    own.ack, own.ack_time = one.ack, one.time
    own.found = tuple(names)
    own.answered = one.flags & (SYN | ACK) == SYN | ACK


class TcpAnalysis:
    """The analysis of one TCP stream of an index, made on first use."""

    def __init__(self, index: Index, stream: int) -> None:
        self._index = index
        self._stream = stream
        self._packets = index.packets_of("tcp", stream)
        self._analysis: Analysis | None = None

    def facts(self, packet: int) -> TcpFacts | None:
        """What the stream tells about a packet (index from 0); None for a packet that is not of this stream."""
        packets = self._packets
        position = int(np.searchsorted(packets, packet))
        if position == len(packets) or packets[position] != packet:
            return None
        if self._analysis is None:
            self._analysis = self._analyse()
        columns = self._index.columns
        facts = self._analysis.facts(packet, position, int(columns.sd[packet]) & 1)
        time, first, previous = (columns.time(one) for one in (packet, int(packets[0]), int(packets[max(0, position - 1)])))
        return replace(facts, since_first=None if time is None or first is None else time - first,
                       since_previous=None if time is None or previous is None else time - previous)

    def _analyse(self) -> Analysis:
        columns, packets = self._index.columns, self._packets
        numbers = [getattr(columns, name)[packets] for name in ("ts", "sd", "seq", "ack", "flags", "plen", "win")]
        numbers[1] = numbers[1] & 1
        return analyse(map(Segment, packets.tolist(), *(one.tolist() for one in numbers)), self._shift, self._reused())

    def _reused(self) -> bool:
        """Whether an earlier stream had the same two ends."""
        return self._index.tcp.reuses(self._stream)

    def _shift(self, packet: int) -> int:
        """The window scale option of a SYN. Its header ends where the payload starts, and is known by its ports and sequence number."""
        columns = self._index.columns
        datagram = self._index.datagrams.get(packet)
        data = datagram.data if datagram is not None else self._index.frame(packet)
        end = int(columns.poff[packet])
        wanted = int(columns.sport[packet]).to_bytes(2) + int(columns.dport[packet]).to_bytes(2) + int(columns.seq[packet]).to_bytes(4)
        for size in range(SHORTEST, LONGEST + 1, 4):
            start = end - size
            if start >= 0 and start + SHORTEST <= len(data) and data[start:start + 8] == wanted and data[start + 12] >> 4 == size // 4:
                return window_shift(data, start + SHORTEST, min(end, len(data)))
        return -2
