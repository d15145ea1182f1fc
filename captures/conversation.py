"""A TCP stream as messages: put in order, recognised, cut, each header read once, responses paired with requests.

Everything is made in one go when the conversation is asked for: both directions are cut into messages, these are merged in the order in which
they were complete, and one loop of a few microseconds a message reads headers and pairs. Words and bytes of a message are made on demand.
No decoder's mistake gets out of here: its text becomes the message's info.
"""
from __future__ import annotations

import gc
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from captures.framing import Cut, Window, cut
from captures.model import Piece
from captures.pairing import Pairing
from captures.reassembly import ACK, reassemble
from captures.recognition import gather, opener, ranking, recognise
from protocols.decoder import Decoder, Header, Kind, Match, Message, Side, Status, Summary
from protocols.fields import printable

if TYPE_CHECKING:
    from captures.index import Index

__all__ = ["Conversation", "Hole", "Pdu"]

OPENING = 4096
KEPT_SUMMARIES = 4096
ALONE = {Kind.REQUEST: Status.NO_RESPONSE, Kind.RESPONSE: Status.ORPHAN}
"""What a message is without the peer that its key (or its place in the order) promises."""


@dataclass(slots=True, eq=False)
class Pdu:
    """A message. `row` is its number in the conversation, in order of completion; `side` the direction bit; `start` its stream offset,
    `length` what it declares, `have` how many of these bytes are there without a gap. `packet` is where it is complete (where its
    last byte without a gap lies when it is cut off), `first_packet` where its first byte lies; indices from 0."""

    row: int
    side: int
    from_client: bool
    start: int
    length: int
    have: int
    header: Header
    packet: int
    first_packet: int
    peer: Pdu | None = None

    @property
    def complete(self) -> bool:
        return self.have >= self.length


@dataclass(frozen=True, slots=True)
class Hole:
    """Bytes `start` .. `end` of side `side` that belong to no message, and why. `packet` has the first of them."""

    side: int
    start: int
    end: int
    packet: int
    reason: str


class Conversation:
    """TCP stream number `stream` of `index`. Without a decoder there are no messages and no holes."""

    def __init__(self, index: Index, stream: int, decoders: Sequence[Decoder], forced: Decoder | None = None) -> None:
        self.index = index
        self.stream = stream
        self.packets = len(index.packets_of("tcp", stream))
        """How many packets of the stream it was made from."""
        self.directions = reassemble(index, stream)
        self.decoder: Decoder | None = None
        self.match: Match | None = None
        self.pdus: list[Pdu] = []
        """The messages in the order in which they were complete."""
        self.holes: list[Hole] = []
        self.faults: dict[int, str] = {}
        """Rows of messages whose header the decoder failed to read, with its error."""
        self._starts: tuple[list[int], list[int]] = ([], [])
        self._rows: tuple[list[int], list[int]] = ([], [])
        self._holes_by_side: tuple[list[Hole], list[Hole]] = ([], [])
        self._packets: list[int] = []
        self._ordered = False
        self._summaries: dict[int, Summary] = {}
        self._opening = gather(index, stream, self.directions)
        self.client_side = opener(index, stream)
        """The direction bit of the client: the side that opened the connection, where the decoder does not know better."""
        found = recognise(self._opening, decoders, forced)
        if found is not None:
            self.decoder, self.match = found
            self.client_side ^= self.match.client
            # a million objects that all stay need no search for garbage: it would take longer than making them
            collecting = gc.isenabled()
            gc.disable()
            try:
                self._read(self.decoder)
            finally:
                if collecting:
                    gc.enable()

    def _read(self, decoder: Decoder) -> None:
        """Cut both directions, read the headers in order of completion, and pair."""
        openings = [one.read(one.runs()[0][0], OPENING) if one.runs() else b"" for one in self.directions]
        sides = [Side(side == self.client_side, self.directions[side].from_start, openings[side], openings[1 - side]) for side in (0, 1)]
        cuts = [cut(direction, decoder, side) for direction, side in zip(self.directions, sides, strict=True)]
        self._headers(decoder, sides, [one.window for one in cuts], self._merged(cuts))
        for side, one in enumerate(cuts):
            holes = [Hole(side, start, end, self.directions[side].packet_at(start), reason) for start, end, reason in one.holes]
            self._holes_by_side[side].extend(holes)
        self.holes = sorted(self._holes_by_side[0] + self._holes_by_side[1], key=lambda hole: hole.packet)

    def _merged(self, cuts: list[Cut]) -> tuple[list[int], ...]:
        """The messages of both directions in order of completion: side, start, length, have, packet, first packet, and whether bytes
        are missing or belong to no message right before it."""
        columns = []
        for side, (direction, one) in enumerate(zip(self.directions, cuts, strict=True)):
            start, length, have = (np.array(values, np.int64) for values in (one.start, one.length, one.have))
            broken = np.zeros(len(start), np.int64)
            broken[1:] = start[1:] != (start + length)[:-1]
            columns.append((np.full(len(start), side), start, length, have, direction.all_done_at(start + have), direction.packets_at(start), broken))
        merged = [np.concatenate(both) for both in zip(*columns, strict=True)]
        order = np.lexsort((merged[1], merged[4]))
        return tuple(column[order].tolist() for column in merged)

    def _headers(self, decoder: Decoder, sides: list[Side], windows: list[Window], merged: tuple[list[int], ...]) -> None:
        first_sides = [replace(side, first=True) for side in sides]
        first_at = [direction.runs()[0][0] if direction.runs() else 0 for direction in self.directions]
        client = self.client_side
        pairing = Pairing(decoder.ordered, self._answers)
        ask, answer, read, most = pairing.request, pairing.response, decoder.header, decoder.header_bytes
        request, response, oneway = Kind.REQUEST, Kind.RESPONSE, Kind.ONEWAY
        session = decoder.session()
        self._ordered = decoder.ordered
        pdus, starts, rows = self.pdus, self._starts, self._rows
        for row, (side, start, length, have, packet, first, broken) in enumerate(zip(*merged, strict=True)):
            seen = have if have < most else most
            window = windows[side]
            at = start - window.base
            if at < 0 or start + seen > window.end:
                at = window.seek(start, seen)
            if broken:
                pairing.broken(side, packet)
            try:
                header = read(window.data, at, at + seen, first_sides[side] if start == first_at[side] else sides[side], session)
                pdu = Pdu(row, side, side == client, start, length, have, header, packet, first)
                kind = header.kind
                if kind is request or kind is oneway:
                    ask(pdu)
                elif kind is response:
                    answer(pdu)
            except Exception as fault:  # a decoder's own mistake (no header, a key that has no hash) must not end the program
                pdu = Pdu(row, side, side == client, start, length, have, Header(Kind.EVENT), packet, first)
                self.faults[row] = f"{type(fault).__name__}: {fault}"
            pdus.append(pdu)
            starts[side].append(start)
            rows[side].append(row)
        self._packets = merged[4]

    def _answers(self, response: Pdu, request: Pdu) -> bool:
        """Whether the packet of `response` acknowledges the bytes of `request`."""
        columns, base = self.index.columns, self.directions[request.side].raw_base
        if base is None or not int(columns.flags[response.first_packet]) & ACK:
            return False
        return (int(columns.ack[response.first_packet]) - (base + request.start + request.have)) & 0xFFFFFFFF < 0x80000000

    # by packet

    def of_packet(self, packet: int) -> list[Pdu]:
        """The messages that are complete (or cut off) in a packet, in order."""
        return self.pdus[bisect_left(self._packets, packet):bisect_right(self._packets, packet)]

    def covering(self, packet: int) -> Pdu | None:
        """The message to which the packet's last byte belongs, when it is complete in another packet."""
        for side, direction in enumerate(self.directions):
            for _, end in reversed(direction.in_packet(packet)):
                at = bisect_right(self._starts[side], end - 1) - 1
                if at >= 0:
                    pdu = self.pdus[self._rows[side][at]]
                    if pdu.packet != packet and end <= pdu.start + pdu.have:
                        return pdu
        return None

    def holes_of(self, packet: int) -> list[Hole]:
        """The bytes of a packet that belong to no message."""
        found = []
        for side, direction in enumerate(self.directions):
            holes = self._holes_by_side[side]
            for start, end in direction.in_packet(packet) if holes else ():
                at = max(0, bisect_right(holes, start, key=lambda hole: hole.start) - 1)
                while at < len(holes) and holes[at].start < end:
                    one = holes[at]
                    if one.end > start:
                        found.append(Hole(side, max(start, one.start), min(end, one.end), packet, one.reason))
                    at += 1
        return found

    # one message

    def data(self, pdu: Pdu) -> bytes:
        """The bytes of a message that are there."""
        return self.directions[pdu.side].read(pdu.start, pdu.have)

    def hole_data(self, hole: Hole) -> bytes:
        return self.directions[hole.side].read(hole.start, hole.end - hole.start)

    def pieces(self, pdu: Pdu) -> list[Piece]:
        """Where the bytes of `data` came from: places in frames."""
        found: list[Piece] = []
        columns, datagrams, at = self.index.columns, self.index.datagrams, 0
        for packet, offset, length in self.directions[pdu.side].pieces(pdu.start, pdu.have):
            place = int(columns.poff[packet]) + offset
            datagram = datagrams.get(packet)
            if datagram is None:
                found.append(Piece(at, length, packet, place))
            else:
                for fragment, frame_start, size, begin in datagram.pieces:
                    low, high = max(place, begin), min(place + length, begin + size)
                    if low < high:
                        found.append(Piece(at + low - place, high - low, fragment, frame_start + low - begin))
            at += length
        return found

    def message(self, pdu: Pdu) -> Message:
        """The message as `describe` and `dissect` see it: its bytes alone, in view 0."""
        peer: list[Message | None] = []

        def find_peer() -> Message | None:
            if not peer:
                peer.append(self.message(pdu.peer) if pdu.peer is not None else None)
            return peer[0]
        return Message(self.data(pdu), 0, pdu.have, pdu.length, pdu.header, pdu.from_client, find_peer=find_peer)

    def rrt(self, pdu: Pdu) -> int | None:
        """Nanoseconds from the packet with the request's last byte to the packet with the (first) response's first byte; None without a pair.
        Negative where the answer began before the request was complete, or capture order is skewed."""
        if pdu.peer is None:
            return None
        request, response = (pdu, pdu.peer) if pdu.header.kind is not Kind.RESPONSE else (pdu.peer, pdu)
        ts = self.index.columns.ts
        return int(ts[response.first_packet]) - int(ts[request.packet])

    # words

    def summary(self, pdu: Pdu) -> Summary:
        """The words for a message, those of its peer filled in: the request's operation and target, the response's outcome."""
        mine = self._described(pdu)
        if pdu.peer is not None:
            other = self._described(pdu.peer)
            request, response = (other, mine) if pdu.header.kind is Kind.RESPONSE else (mine, other)
            return Summary(
                mine.op or request.op, mine.target or request.target, mine.endpoint or request.endpoint, mine.id or request.id,
                response.status, response.code, response.error, mine.info, response.soft, request.waits or response.waits,
            )
        if mine.status in (None, Status.OK):
            if not pdu.complete:
                return replace(mine, status=Status.TRUNCATED)
            if pdu.header.kind in ALONE and (self._ordered or pdu.header.key is not None):
                return replace(mine, status=ALONE[pdu.header.kind])
        return mine

    def summary_text(self, pdu: Pdu) -> str:
        """The message's line in the Info column."""
        return self.summary(pdu).info

    def severity(self, pdu: Pdu) -> str:
        """"error", "warning", "note" or "": how a message stands out in the list."""
        if pdu.row in self.faults:
            return "error"
        words = self.summary(pdu)
        status = words.status
        if status in (Status.CLIENT_ERROR, Status.SERVER_ERROR):
            if pdu.peer is not None and pdu.header.kind is not Kind.RESPONSE:
                return ""
            return "note" if words.soft else "error"
        if not pdu.complete or status is Status.NO_RESPONSE:
            return "warning"
        return "note" if status is Status.ORPHAN else ""

    def candidates(self, decoders: Sequence[Decoder]) -> list[tuple[Decoder, int, str]]:
        """Every decoder that knows the connection's opening bytes: its score, with the bonus for a default port, and why; best first."""
        return [(decoder, score, printable(match.why)) for decoder, match, score in ranking(self._opening, decoders)]

    def _described(self, pdu: Pdu) -> Summary:
        """What the decoder says of a message; kept for the messages asked about last."""
        words = self._summaries.get(pdu.row)
        if words is None:
            words = self._describe(pdu)
            if len(self._summaries) >= KEPT_SUMMARIES:
                self._summaries.clear()
            self._summaries[pdu.row] = words
        return words

    def _describe(self, pdu: Pdu) -> Summary:
        fault = self.faults.get(pdu.row)
        if fault is None and self.decoder is not None:
            try:
                words = self.decoder.describe(self.message(pdu))
            except Exception as mistake:  # a decoder's own mistake must not end the program
                fault = f"{type(mistake).__name__}: {mistake}"
            else:
                if not pdu.complete and words.status in (None, Status.OK) and pdu.header.kind is Kind.RESPONSE:
                    words = replace(words, status=Status.TRUNCATED)
                return words if words.info.isprintable() else replace(words, info=printable(words.info))
        return Summary(op=pdu.header.op, info=printable(f"{pdu.have:,} bytes; the decoder failed: {fault}"))
