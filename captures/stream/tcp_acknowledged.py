"""Which segment an ACK acknowledges and how long that took, how many bytes are in flight, and how much of a connection was captured.

Each sender has a list of segments that are not acknowledged yet, by the rules of tshark 4.0: an ACK of a segment's end tells its frame and round-trip
time and takes it off the list, one of its middle shortens it, an older one leaves it alone. What lies between the lowest and the highest number on the
list is in flight; after a gap nothing is said of that, until the other side acknowledges something. Blocks of selective acknowledgments are not read.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from protocols.lower.transport_words import ACK, FIN, PSH, RST, SYN

__all__ = ["Acknowledged", "Unacknowledged", "completed"]

FOUR = 0xFFFFFFFF
HALF = 0x80000000
MOST = 10_000
"""Segments on a list at most, as in tshark."""
TOO_MANY = 2_000_000_000
"""Bytes in flight from which on the numbers are no real ones."""
OPENED, ANSWERED, ACKNOWLEDGED, DATA, FINISHED, RESET = 1, 2, 4, 8, 16, 32


class Acknowledged(NamedTuple):
    """What is told of one packet: the frame (from 1) that it acknowledges and after how many nanoseconds, bytes in flight behind it, bytes since the
    last PSH flag; 0 where there is nothing to tell."""

    frame: int = 0
    rtt: int = 0
    in_flight: int = 0
    pushed: int = 0


NOTHING = Acknowledged()


class Sent(NamedTuple):
    """A segment: packet index, time, first sequence number, the number behind its last."""

    packet: int
    time: int
    seq: int
    end: int


@dataclass(slots=True)
class Unacknowledged:
    """What one sender sent and the other side did not acknowledge, in order of sending. `told` is whether bytes in flight are known, `walked` the number up
    to which the list was gone through and not changed since; `low` and `high` are the list's ends relative to the base number, while `known`."""

    sent: list[Sent] = field(default_factory=list)
    told: bool = True
    pushed: int = 0
    pushed_last: bool = False
    walked: int = -1
    known: bool = False
    low: int = 0
    high: int = 0

    def add(self, packet: int, time: int, seq: int, end: int, base: int) -> None:
        """A segment was sent."""
        if len(self.sent) >= MOST:
            return
        self.sent.append(Sent(packet, time, seq, end))
        self.walked = -1
        if self.known:
            self.low, self.high = min(self.low, seq - base & FOUR), max(self.high, end - base & FOUR)

    def acknowledge(self, ack: int, time: int) -> tuple[int, int]:
        """The other side acknowledged up to `ack`: (frame, nanoseconds) of the oldest segment that ends there, or zeros."""
        if ack == self.walked or not self.sent:
            return 0, 0
        self.walked = ack
        frame, took = 0, 0
        left: list[Sent] = []
        changed = False
        for one in self.sent:
            if ack == one.end:
                if not frame:
                    frame, took = one.packet + 1, time - one.time
                changed = True
            elif 0 < (ack - one.seq & FOUR) < HALF and (one.end - ack & FOUR) < HALF:
                left.append(one._replace(seq=ack))
                changed = True
            elif 0 < (one.end - ack & FOUR) < HALF:
                left.append(one)
            else:
                changed = True
        if changed:
            self.sent, self.known = left, False
        return frame, took

    def in_flight(self, base: int) -> int:
        """Bytes between the lowest and the highest number on the list; 0 where they are not known."""
        if not self.told or not self.sent:
            return 0
        if not self.known:
            self.low, self.high = min(one.seq - base & FOUR for one in self.sent), max(one.end - base & FOUR for one in self.sent)
            self.known = True
        count = self.high - self.low
        return count if 0 < count < TOO_MANY else 0

    def push(self, length: int, flags: int) -> int:
        """Bytes since the last segment with PSH, this one included."""
        push = bool(flags & PSH)
        self.pushed = length if self.pushed_last else self.pushed + length
        self.pushed_last = push
        return self.pushed


def completed(before: int, flags: int, length: int, first: bool) -> int:
    """What was seen of a connection with this packet, as in `tcp.completeness`: 1 SYN, 2 SYN+ACK, 4 ACK, 8 data, 16 FIN, 32 RST."""
    if first:
        return (OPENED | (DATA if length else 0)) if flags & (SYN | ACK) == SYN else 0
    seen = before
    if flags & (SYN | ACK) == SYN | ACK:
        seen |= ANSWERED
    if flags & (SYN | ACK) == ACK:
        seen |= DATA if length else ACKNOWLEDGED
    if flags & (FIN | ACK) == FIN | ACK:
        seen |= FINISHED
    return seen | RESET if flags & RST else seen
