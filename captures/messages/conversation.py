"""A pair of streams as messages: recognised, cut, each header read once, responses paired with requests.

Everything is made in one go when the conversation is asked for: both directions are cut into messages, these are merged in the order in which
they were complete, headers are read (as columns where the decoder can, else one by one), and responses paired. All of it is kept as columns;
objects, words and bytes of a message are made on demand. What the messages carry for other protocols becomes conversations of their own (`inner`), made
when they are asked for. No decoder's mistake gets out of here: its text becomes the message's info.
"""
from __future__ import annotations

import gc
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from captures.index.endpoints import stream_ends
from captures.least_used import LeastUsed
from captures.messages.carried import carried_pairs
from captures.messages.facts import Facts
from captures.messages.framing import cut
from captures.messages.given import HeaderReader, header_columns, header_reader
from captures.messages.merging import first_bytes, merged
from captures.messages.messages import Hole, MessageRow, Messages
from captures.messages.pairing import Acknowledged, Keys, pair
from captures.messages.recognition import gather, ranking, recognise
from captures.messages.unanswered import Unanswered
from captures.messages.window import Window
from captures.messages.words import ERRORS, described, is_error, joined
from captures.stream.pair import StreamPair
from captures.stream.places import Origin
from protocols.decoder import Decoder, Header, Kind, Match, MessageBytes, Side, Status, Summary
from protocols.engine.fields import printable
from protocols.engine.mistakes import MISTAKES, failed
from protocols.kinds import KINDS
from protocols.message_heads import HeaderColumns

__all__ = ["Conversation", "Hole", "MessageRow"]

OPENING = 4096
KEPT_SUMMARIES = 4096
DEEPEST = 8
"""Streams inside streams: a decoder that hands on what it was given must come to an end."""
FEW = 64
"""Messages from which columns are faster than reading one by one."""
NUMBERS = {kind: number for number, kind in enumerate(KINDS)}


class Conversation:
    """The messages of `pair`. `forced` names the decoder by transport where the user has said it; `facts` are the capture's (without: what this
    conversation alone teaches). Without a decoder there are no messages and no holes."""

    def __init__(self, pair: StreamPair, decoders: Sequence[Decoder], forced: Mapping[str, Decoder] | None = None, facts: Facts | None = None) -> None:
        self.pair = pair
        self.index = pair.index
        self.stream = pair.stream
        self.directions = pair.directions
        self._decoders = decoders
        self._forced = forced or {}
        self._facts = facts or Facts(lambda: (self,))
        self._generation = 0
        self.ordinal = 0
        """Its place in the `layers` of the outermost conversation, known when they were walked."""
        self.decoder: Decoder | None = None
        self.match: Match | None = None
        self.messages = Messages.none()
        """The messages in the order in which they were complete; none without a decoder."""
        self.holes: list[Hole] = []
        self.faults: dict[int, str] = {}
        """Rows of messages whose header the decoder failed to read, with its error."""
        self._by_side: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        self._holes_by_side: tuple[list[Hole], list[Hole]] = ([], [])
        self._headers: dict[int, Header] = {}
        self._sides: list[Side] = []
        self._session: object = None
        self._summaries: LeastUsed[int, Summary] = LeastUsed(KEPT_SUMMARIES)
        self._framing_state: object = None
        self._read_header: HeaderReader | None = None
        self.handed_on: list[int | None] = [None, None]
        self._opening = gather(pair)
        self.client_side = pair.first
        """The direction bit of the client: the side that opened the connection, where the decoder does not know better."""
        found = recognise(self._opening, decoders, self._forced.get(pair.transport))
        if found is not None:
            self.decoder, self.match = found
            self.client_side ^= self.match.client
            # headers that all stay need no search for garbage: it would take longer than making them
            collecting = gc.isenabled()
            gc.disable()
            try:
                self._read(self.decoder)
            except MISTAKES as fault:
                self._give_up(failed(fault))
            finally:
                if collecting:
                    gc.enable()

    def _read(self, decoder: Decoder) -> None:
        """Cut both directions, read the headers in order of completion, and pair."""
        openings = [one.read(one.runs()[0][0], OPENING) if one.runs() else b"" for one in self.directions]
        state = self._framing_state = decoder.framing_state()
        self._read_header = header_reader(decoder)
        self._sides = [Side(side == self.client_side, self.directions[side].from_start, openings[side], openings[1 - side],
                            transport=self.pair.transport, state=state, hint=self.pair.hint) for side in (0, 1)]
        # what the server's lengths depend on is in what the client sent
        by_side = {side: cut(self.directions[side], decoder, self._sides[side]) for side in (self.client_side, 1 - self.client_side)}
        cuts = [by_side[0], by_side[1]]
        self.handed_on = [one.handed_on for one in cuts]
        for side, one in enumerate(cuts):
            holes = [Hole(side, start, end, self.directions[side].packet_at(start), reason) for start, end, reason in one.holes]
            self._holes_by_side[side].extend(holes)
        self.holes = sorted(self._holes_by_side[0] + self._holes_by_side[1], key=lambda hole: hole.packet)
        order, (side_of, start, length, have, packet, first, broken) = merged(self.directions, cuts)
        count = len(order)
        if not count:
            return
        windows = [one.window for one in cuts]
        heads = first_bytes(decoder, cuts, self.client_side, order, side_of, start, have, length) if decoder.fast is not None and count >= FEW else None
        known = None
        if heads is not None and decoder.fast is not None:
            try:
                known = header_columns(decoder, heads)
            except MISTAKES:    # messages are read one by one
                known = None
        if known is None:
            heads = None
            known = HeaderColumns(np.zeros(count, np.uint8), np.zeros(count, np.int64), np.zeros(count, np.bool_), np.arange(count))
        keys, rows = Keys(known.key, known.keyed), known.single
        keys.numbered[rows] = False
        self._one_by_one(decoder, windows, zip(*(one[rows].tolist() for one in (np.arange(count), side_of, start, have)), strict=True), known.kind, keys)

        peer = pair(side_of, known.kind, packet, keys, np.flatnonzero(broken), self._acknowledged(side_of, start, have, first))
        self.messages = Messages(self.client_side, side_of, start, length, have, packet, first, known.kind, peer, heads, self._header)
        for side in (0, 1):
            mine = np.flatnonzero(side_of == side)
            self._by_side.append((mine, start[mine]))

    def _acknowledged(self, side: NDArray[np.int64], start: NDArray[np.int64], have: NDArray[np.int64], first: NDArray[np.int64]) -> Acknowledged:
        """What the messages' packets acknowledge of each other's streams."""
        from_start, to_end = (np.where(side == 0, *(one.sequence(offsets) for one in self.directions)) for offsets in (start, start + have))
        return Acknowledged(from_start, to_end, self.pair.acknowledged(first))

    def _give_up(self, why: str) -> None:
        """No message can be had: all bytes lie in holes with this reason."""
        self.messages, self._by_side = Messages.none(), []
        self._handed_on, self.faults, self._headers = [None, None], {}, {}
        for side, direction in enumerate(self.directions):
            self._holes_by_side[side][:] = [Hole(side, start, end, direction.packet_at(start), why) for start, end in direction.runs()]
        self.holes = sorted(self._holes_by_side[0] + self._holes_by_side[1], key=lambda hole: hole.packet)

    def _one_by_one(self, decoder: Decoder, windows: list[Window], rows: Iterable[tuple[int, int, int, int]], kinds: NDArray[np.uint8],
                    keys: Keys) -> None:
        """Read the headers of some messages, (row, side, start, have) each, in order."""
        sides = self._sides
        first_sides = [replace(side, first=True) for side in sides]
        first_at = [direction.runs()[0][0] if direction.runs() else 0 for direction in self.directions]
        read, most, headers = self._read_header, decoder.header_bytes, self._headers
        assert read is not None
        session = self._session = decoder.session()
        for row, side, start, have in rows:
            seen = have if have < most else most
            window = windows[side]
            at = start - window.base
            if at < 0 or start + seen > window.end:
                at = window.seek(start, seen)
            try:
                header = read(window.data, at, at + seen, first_sides[side] if start == first_at[side] else sides[side], session)
                kinds[row] = NUMBERS[header.kind]
                key = header.key
                if type(key) is int and -1 << 63 <= key < 1 << 63:
                    keys.number[row] = key
                    keys.numbered[row] = True
                elif key is not None:
                    hash(key)
                    keys.other[row] = key
                if header.more:
                    keys.more.add(row)
            except MISTAKES as fault:
                header = Header(Kind.EVENT)
                kinds[row] = NUMBERS[Kind.EVENT]
                self.faults[row] = failed(fault)
            headers[row] = header

    def _header(self, pdu: MessageRow) -> Header:
        """A message's header, read now where it was read as part of a column."""
        found = self._headers.get(pdu.row)
        if found is None:
            assert self.decoder is not None
            data = self.directions[pdu.side].read(pdu.start, min(pdu.have, self.decoder.header_bytes))
            found = self.header_in(pdu, data, 0)
        return found

    def header_in(self, pdu: MessageRow, data: bytes, start: int) -> Header:
        """A message's header; the message stands at `start` of `data`."""
        found = self._headers.get(pdu.row)
        if found is None:
            assert self._read_header is not None and self.decoder is not None
            try:
                found = self._read_header(data, start, start + min(pdu.have, self.decoder.header_bytes), self._sides[pdu.side], self._session)
            except MISTAKES as fault:
                self.faults[pdu.row] = failed(fault)
                found = self._headers[pdu.row] = Header(pdu.kind)
        return found

    @cached_property
    def ends(self) -> tuple[str, str]:
        """Client and server, address and port."""
        a, b = stream_ends(self.index, self.pair.base, self.stream)
        return (a, b) if self.client_side == 0 else (b, a)

    # what the messages carry

    @cached_property
    def inner(self) -> list[Conversation]:
        """The conversations that this one's messages carry, as far as a decoder knows them."""
        if self.decoder is None or self.pair.depth >= DEEPEST:
            return []
        pairs = carried_pairs(self.pair, self.decoder, self.messages, self.message, self.handed_on, self._framing_state)
        made = (Conversation(pair, self._decoders, self._forced, self._facts) for pair in pairs)
        return [one for one in made if one.decoder is not None]

    def layers(self) -> Iterator[Conversation]:
        """This conversation and those inside it, the outermost first."""
        yield self
        ordinal = self.ordinal
        for inner in self.inner:
            for one in inner.layers():
                ordinal += 1
                one.ordinal = ordinal
                yield one

    # by packet

    def of_packet(self, packet: int) -> list[MessageRow]:
        """The messages that are complete (or cut off) in a packet, in order."""
        low, high = (int(self.messages.packet.searchsorted(packet, edge)) for edge in ("left", "right"))
        return self.messages[low:high]

    def covering(self, packet: int) -> MessageRow | None:
        """The message to which the packet's last byte belongs, when it is complete in another packet."""
        for direction, (rows, starts) in zip(self.directions, self._by_side, strict=False):
            for _, end in reversed(direction.in_packet(packet)):
                at = int(starts.searchsorted(end - 1, "right")) - 1
                if at >= 0:
                    pdu = self.messages[int(rows[at])]
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

    def data(self, pdu: MessageRow) -> bytes:
        """The bytes of a message that are there."""
        return self.directions[pdu.side].read(pdu.start, pdu.have)

    def hole_data(self, hole: Hole) -> bytes:
        return self.directions[hole.side].read(hole.start, hole.end - hole.start)

    def origins(self, pdu: MessageRow) -> list[Origin]:
        """Where in frames the bytes of `data` stand; those that another decoder made stand nowhere."""
        found: list[Origin] = []
        columns, datagrams = self.index.columns, self.index.datagrams
        for at, length, packet, offset in self.directions[pdu.side].places(pdu.start, pdu.have):
            place = int(columns.poff[packet]) + offset
            datagram = datagrams.get(packet)
            if datagram is None:
                found.append(Origin(at, length, packet, place))
            else:
                for fragment, frame_start, size, begin in datagram.pieces:
                    low, high = max(place, begin), min(place + length, begin + size)
                    if low < high:
                        found.append(Origin(at + low - place, high - low, fragment, frame_start + low - begin))
        return found

    def message(self, pdu: MessageRow) -> MessageBytes:
        """The message as `describe` and `dissect` see it: its bytes alone, in view 0."""
        peer: list[MessageBytes | None] = []

        def find_peer() -> MessageBytes | None:
            if not peer:
                peer.append(self.message(pdu.peer) if pdu.peer is not None else None)
            return peer[0]
        return MessageBytes(self.data(pdu), 0, pdu.have, pdu.length, pdu.header, pdu.from_client, find_peer=find_peer, find_facts=self.find_facts,
                            has_peer=pdu.paired)

    # facts

    def find_facts(self) -> object:
        """What the capture teaches for this conversation's protocol."""
        return self._facts.of(self.decoder) if self.decoder is not None else None

    def teach(self, facts: object) -> None:
        """Have the decoder take in what the messages of this conversation tell."""
        decoder, messages = self.decoder, self.messages
        if decoder is None:
            return
        try:
            rows = decoder.fast.teaching(messages.heads, messages.peer) if decoder.fast is not None and messages.heads is not None else None
            for one in messages if rows is None else (messages[row] for row in rows.tolist()):
                message = self.message(one)
                if rows is not None or decoder.teaches(message):
                    decoder.learn(message, facts)
        except MISTAKES:    # what it learned before stays
            return

    def not_verbatim_if(self) -> Sequence[bytes]:
        """`Fast.not_verbatim_if` for this conversation."""
        if self.decoder is None or self.decoder.fast is None:
            return ()
        try:
            return tuple(map(bytes, self.decoder.fast.not_verbatim_if(self.messages.heads, self.find_facts)))
        except MISTAKES:    # what stands in every message: all are read
            return (b"",)

    def rrt(self, pdu: MessageRow) -> int | None:
        """Nanoseconds from the packet with the request's last byte to the packet with the (first) response's first byte; None without a pair or times.
        Negative where the answer began before the request was complete, or capture order is skewed."""
        if pdu.peer is None:
            return None
        request, response = (pdu, pdu.peer) if pdu.kind is not Kind.RESPONSE else (pdu.peer, pdu)
        begin, end = self.index.columns.time(request.packet), self.index.columns.time(response.first_packet)
        return None if begin is None or end is None else end - begin

    # words

    @cached_property
    def unanswered(self) -> Unanswered:
        """What can be said of requests without a response."""
        return Unanswered(self.pair)

    def summary(self, pdu: MessageRow) -> Summary:
        """The words for a message, those of its peer filled in: the request's operation and target, the response's outcome."""
        mine = self._described(pdu)
        if pdu.peer is not None:
            other = self._described(pdu.peer)
            return joined(mine, other, mine) if pdu.kind is Kind.RESPONSE else joined(mine, mine, other)
        return mine

    def summary_text(self, pdu: MessageRow) -> str:
        """The message's line in the Info column."""
        return self.summary(pdu).info

    def severity(self, pdu: MessageRow) -> str:
        """"error", "warning", "note" or "": how a message stands out in the list."""
        if pdu.row in self.faults:
            return "error"
        words = self.summary(pdu)
        asked = pdu.peer is not None and pdu.kind is not Kind.RESPONSE
        if words.status in ERRORS:
            return "error" if is_error(words, asked) else "" if asked else "note"
        if not pdu.complete or words.status is Status.NO_RESPONSE:
            return "warning"
        return "note" if words.status in (Status.ORPHAN, Status.NOT_CAPTURED) else ""

    def candidates(self, decoders: Sequence[Decoder]) -> list[tuple[Decoder, int, str]]:
        """Every decoder that knows the connection's opening bytes: its score, with the bonus for a default port, and why; best first."""
        return [(decoder, score, printable(match.why)) for decoder, match, score in ranking(self._opening, decoders)]

    def _described(self, pdu: MessageRow) -> Summary:
        """What the decoder says of a message; kept for the messages asked about last."""
        generation = self._facts.generation
        if generation != self._generation:
            self._summaries.clear()
            self._generation = generation
        words = self._summaries.get(pdu.row)
        if words is None:
            words = described(self, pdu, self.message)
            self._summaries.put(pdu.row, words)
        return words
