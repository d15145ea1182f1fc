"""Where messages start and end: a direction of a stream cut by its decoder's framing.

Where the decoder declares a length field, a tight loop hops from message to message, block by block, and the decoder must accept the start
of each (of all at once, where it can); else, and for a direction's first message, `Decoder.frame` is asked with as many bytes as it
wants. Where it does not accept, after a gap, and where the start was not captured, the next message is searched for (`Cutter.search`): the
start of each piece of the stream, then the bytes inside it, up to SEARCH bytes a hole and SEARCH_ALL a direction (SEARCH, where
no length field is declared); beyond that only the starts of pieces. A candidate counts when its message is followed by another
one, or ends where the run ends, or lies in pieces of its own; the longer the chain, the better. What is skipped is a hole.

A message of which the stream has less than it declares is kept with what is there. It goes on behind a gap; but where one of the
pieces behind its start begins a chain of two whole messages, its length was a lie (or its rest was lost), and messages
resume there. Every byte is looked at a bounded number of times, whatever the bytes are.
"""
from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import chain, repeat
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from captures.messages.window import FIRST_LOOK, Window
from captures.stream.byte_stream import ByteStream
from protocols.decoder import HANDED_ON, MORE, REFUSED, TO_END, Answer, Decoder, Framing, Side
from protocols.engine.mistakes import MISTAKES, failed, written_at
from protocols.message_heads import MessageHeads

__all__ = ["Cut", "cut"]

SEARCH = 1 << 20
SEARCH_ALL = 1 << 23
LINKS = 4
PIECES = 4096
"""How many starts of pieces are tried inside a message that is not whole."""

HEAD = 64
"""Bytes that `accepts` is shown by default: where no framing says how many."""
CANDIDATE_LOOK = 1 << 16
FIRST_BLOCK, LARGEST_BLOCK = 32, 1 << 16
"""Messages that are hopped over before the decoder is asked about them: few at first, so that bytes that are none cost little."""
UNSIGNED = {1: "B", 2: "H", 4: "I", 8: "Q"}
"""Size of a length field -> code of `struct`."""

AFTER_GAP = "no message starts here after missing bytes"
BEFORE_FIRST = "before the first message that starts in the capture"
REFUSED_HERE = "no message of the protocol"
BEHIND_GAP = "behind missing bytes of a message that is cut off"


@dataclass(slots=True)
class Cut:
    """Messages of a direction, in order: stream offset, declared length, bytes that are there from the offset on. A length that is
    not known, because the bytes end before it can be told, is one more than is there. `holes` are (start, end, reason): bytes of no message.
    `window` is what the bytes were read with: of a small direction it holds all."""

    window: Window
    start: array[int] = field(default_factory=lambda: array("q"))
    length: array[int] = field(default_factory=lambda: array("q"))
    have: array[int] = field(default_factory=lambda: array("q"))
    holes: list[tuple[int, int, str]] = field(default_factory=list)
    heads: list[tuple[int, NDArray[np.uint8]]] = field(default_factory=list)
    """(number of the first message, first bytes of this one and of those behind it), where the decoder was asked about many at once."""
    handed_on: int | None = None
    """The stream offset from which on the bytes belong to another protocol."""


def cut(direction: ByteStream, decoder: Decoder, side: Side) -> Cut:
    """The messages of a direction. Errors of the decoder end in a hole, never in an exception."""
    declared = direction.declared()
    if declared is not None:
        return _datagrams(direction, declared)
    try:
        cutter = Cutter(direction, decoder, side)
    except MISTAKES as fault:
        return Cut(Window(direction), holes=[(start, end, failed(fault)) for start, end in direction.runs()])
    for start, end in direction.runs():
        try:
            cutter.run(start, end)
        except MISTAKES as fault:
            if cutter.at < end:
                cutter.out.holes.append((cutter.at, end, failed(fault)))
        if cutter.out.handed_on is not None:
            break
    return cutter.out


def _datagrams(direction: ByteStream, declared: NDArray[np.int64]) -> Cut:
    """Each piece is a message."""
    start, length, have = (array("q", column.astype(np.int64).tobytes()) for column in (direction.start, declared, direction.length))
    return Cut(Window(direction), start, length, have)


class Cutter:
    """Cuts one direction, run by run. `at` is how far it came."""

    def __init__(self, direction: ByteStream, decoder: Decoder, side: Side) -> None:
        self.direction = direction
        self.decoder = decoder
        self.side = replace(side, first=False)
        self.first_side = replace(side, first=True)
        self.framing = decoder.framing_for(side)
        self.window = Window(direction)
        self.head = self.framing.head if self.framing else HEAD
        self.told = type(decoder).framed is not Decoder.framed
        if self.framing is not None:
            self.number = _numbers(self.framing)
        self.out = Cut(self.window)
        self.at = 0
        self.last_end = direction.runs()[-1][1] if direction.runs() else 0
        self.owed: int | None = None  # where the message ends that a gap cut off
        self.budget = SEARCH_ALL if self.framing else SEARCH

    def run(self, start: int, end: int) -> None:
        """Cut the run `start` .. `end`."""
        self.at = start
        reason = REFUSED_HERE
        if self.owed is not None:
            reason = AFTER_GAP
            if self.owed >= end and self.owed > start:
                self.at = self.chain(start, end)
                if self.at == end and self.owed > self.direction.end:
                    self.at = self.beyond(start, end)
                self.rest(start)
                if self.at == end:
                    return
            elif start <= self.owed and self.message(self.owed, end) is not REFUSED:
                self.at = self.owed
                self.rest(start)
            else:
                self.resume(start, end, reason)
            self.owed = None
        elif start != self.direction.runs()[0][0]:
            self.resume(start, end, AFTER_GAP)
        elif not self.first(start, end):
            reason = REFUSED_HERE if self.side.from_start else BEFORE_FIRST
            self.resume(start, end, reason)
        while self.at < end:
            self.messages(end)
            if self.out.handed_on is not None:
                return
            if self.at < end:
                self.resume(self.at, end, REFUSED_HERE)

    def rest(self, start: int) -> None:
        """What lies between a gap in a message and `at` is shown as a hole."""
        if self.at > start:
            self.out.holes.append((start, self.at, BEHIND_GAP))

    # one message

    def first(self, start: int, end: int) -> bool:
        """The direction's first message: by `frame` alone, or as all others when it leaves that open."""
        length = self.ask(start, end, self.first_side, FIRST_LOOK if self.framing else end - start)
        if length is MORE:
            if self.framing:
                return self.side.from_start and self.message(start, end) is not REFUSED
            length, sure = end - start + 1, self.side.from_start
        elif isinstance(length, int):
            sure = self.side.from_start or start + length == end or self.message(start + length, end) is not REFUSED
        else:
            sure = length is TO_END
        if sure:
            self.emit(start, length, end)
        return sure or (length is HANDED_ON and self.told)      # handed on as a whole, by `messages`

    def ask(self, start: int, end: int, side: Side, most: int) -> int | Answer:
        """What `frame` says of `start`, given up to `most` bytes of the run that ends at `end`. Raises TypeError when that is neither."""
        have = min(end - start, most)
        size = FIRST_LOOK
        while True:
            answer = self.decoder.frame(self.window.take(start, min(size, have)), side)
            if answer is not MORE or size >= have:
                if isinstance(answer, Answer) or (type(answer) is int and answer > 0):
                    return answer
                raise TypeError(f"{answer!r} for a length, neither a number from 1 on nor an Answer ({written_at(self.decoder.frame)})")
            size *= 2

    def message(self, start: int, end: int, most: int = CANDIDATE_LOOK) -> int | Answer:
        """The length of a message at `start` (more than is left when it is not whole), TO_END when it has no end, REFUSED when none starts there."""
        framing = self.framing
        left = end - start
        if not self.decoder.accepts(self.window.take(start, min(self.head, left)), self.side):
            return REFUSED
        if framing is None:
            answer = self.ask(start, end, self.side, most)
            if answer is MORE:
                return left + 1 if left <= most else REFUSED
            return REFUSED if answer is HANDED_ON else answer
        field_end = framing.offset + framing.size
        if left < field_end:
            return max(left + 1, framing.least)
        length = _length(framing, self.window.take(start, field_end))
        return length if max(1, framing.least) <= length <= framing.most else REFUSED

    def emit(self, start: int, length: int | Answer, end: int) -> None:
        """Keep the message; `at` goes behind it, or to the end of the run."""
        out, left = self.out, end - start
        if not isinstance(length, int):     # TO_END
            length = max(left, self.direction.end - start)
        self.at = start + min(length, left)
        have = self.at - start
        if length > left:
            self.owed = start + length
            resumed = self.chain(start + 1, end)
            if resumed < end:
                self.at, have, self.owed = resumed, resumed - start, None
        out.start.append(start)
        out.length.append(length)
        out.have.append(have)
        if self.told:
            self.decoder.framed(self.window.take(start, min(have, self.decoder.header_bytes)), self.side)

    # many messages

    def messages(self, end: int) -> None:
        """Cut messages from `at` on, up to the end of the run or to where none starts."""
        while self.at < end:
            if self.framing is not None:
                self.hop(self.framing, end)
                if self.at >= end:
                    return
            elif self.told and self.ask(self.at, end, self.side, FIRST_LOOK) is HANDED_ON:
                self.out.handed_on = self.at
                return
            length = self.message(self.at, end, end - self.at)
            if length is REFUSED:
                return
            self.emit(self.at, length, end)

    def hop(self, framing: Framing, end: int) -> None:
        """The loop for whole messages with a declared length field; stops at the first one that is not whole, or refused."""
        need = max(self.head, framing.offset + framing.size)
        number, offset, add, least, most = self.number, framing.offset, framing.add, max(1, framing.least), framing.most
        window, out, block, more = self.window, self.out, FIRST_BLOCK, True
        while more and end - self.at >= need:
            now = window.seek(self.at, need)
            data, base = window.data, window.base
            last = min(window.end, end) - base - need
            found = array("q")
            keep = found.append
            for _ in repeat(None, block):
                if now > last:
                    break
                length = number(data, now + offset)[0] + add
                if not least <= length <= most:
                    more = False
                    break
                keep(now)
                now += length
            if now > end - base:
                now = found.pop()
                more = False
            found.append(now)
            places = np.frombuffer(found, np.int64)
            starts, lengths = places[:-1], np.diff(places)
            count = self.accepted(data, starts, lengths)
            if count < len(starts):
                starts, lengths, now, more = starts[:count], lengths[:count], int(starts[count]), False
            out.start.frombytes((starts + base).tobytes())
            out.length.frombytes(lengths.tobytes())
            out.have.frombytes(lengths.tobytes())
            self.at = base + now
            block = min(block * 4, LARGEST_BLOCK)

    def accepted(self, data: bytes, starts: NDArray[np.int64], length: NDArray[np.int64]) -> int:
        """How many of the messages of `data` that start there, one behind the other, the decoder accepts."""
        fast = self.decoder.fast
        if fast is not None and len(starts) >= FIRST_BLOCK:
            rows = np.ndarray((len(data) - self.head + 1,), f"V{self.head}", data, strides=(1,))[starts]
            head = rows.view(np.uint8).reshape(len(starts), self.head)
            heads = MessageHeads(head, length, length, np.full(len(starts), self.side.from_client))
            try:
                count = fast.count_accepted(heads, self.side)
            except MISTAKES:    # messages are judged one by one
                count = None
            if count is not None:
                self.out.heads.append((len(self.out.start), head[:count]))
                return count
        accepts, side, head_size = self.decoder.accepts, self.side, self.head
        count = 0
        try:
            for start in starts.tolist():
                if not accepts(data[start:start + head_size], side):
                    break
                count += 1
        except MISTAKES:    # those before it count; it comes again when this one is asked about alone
            if not count:
                raise
        return count

    # finding the next one

    def links(self, start: int, end: int) -> int:
        """How many messages stand one behind the other from `start` on, the first of them whole, up to LINKS; LINKS, too, where they fill the
        run. 0 also for one alone that has no pieces of its own."""
        at = start
        for count in range(LINKS):
            length = self.message(at, end, CANDIDATE_LOOK if count else FIRST_LOOK)
            if not isinstance(length, int) or length > end - at:
                if not count:
                    return 0
                if length is not REFUSED:
                    return LINKS if count > 1 else 2
                return count if count > 1 or (self.direction.starts_piece(start) and self.direction.starts_piece(at)) else 0
            at += length
            if at == end:
                break
        return LINKS

    def chain(self, start: int, end: int) -> int:
        """The first piece from `start` on that begins with two whole messages, one after the other; `end` when there is none.
        Without a declared length field bytes inside a message look too much like messages to try."""
        for at in self.direction.piece_starts(start, end)[:PIECES] if self.framing else ():
            length = self.message(at, end)
            if isinstance(length, int) and length < end - at:
                second = self.message(at + length, end)
                if isinstance(second, int) and second <= end - at - length:
                    return at
        return end

    def beyond(self, start: int, end: int) -> int:
        """Behind a message that is longer than all that was sent: the first piece from `start` on that begins with a message and its follower."""
        for at in self.direction.piece_starts(start, end)[:PIECES] if self.framing else ():
            if self.links(at, end) > 1:
                return at
        return end

    def resume(self, start: int, end: int, reason: str) -> None:
        """Go on at the next message from `start` on; what is skipped becomes a hole."""
        self.at = self.search(start, end)
        if self.at > start:
            self.out.holes.append((start, self.at, reason))

    def search(self, start: int, end: int) -> int:
        """Where the next message starts from `start` on; `end` when nowhere.

        Of candidates that overlap, one with LINKS messages wins over an earlier one with fewer. A message that is not whole counts only when
        no whole one is found: at the start of a piece, and when what the direction sent in all leaves room for it.
        """
        direction = self.direction
        limit = min(end, start + min(SEARCH, self.budget))
        found, reach, cut_off = end, end, end
        for at in chain(self.candidates(start, limit), direction.piece_starts(limit, end)):
            if at >= reach:
                break
            length = self.message(at, end, FIRST_LOOK)
            if isinstance(length, int) and length <= end - at:
                links = self.links(at, end)
                if links == LINKS:
                    found = at
                    break
                if links and found == end:
                    found, reach = at, at + length
            elif (length is not REFUSED and at < cut_off and (not isinstance(length, int) or at + length <= direction.end or end == self.last_end)
                  and direction.starts_piece(at)):
                cut_off = at
        else:
            at = end
        self.budget -= max(0, min(limit, at) - start)
        return found if found < end else cut_off

    def candidates(self, start: int, end: int) -> Iterable[int]:
        """Positions at which a message may start: all, or those where the declared length field holds a possible length."""
        framing = self.framing
        if framing is None:
            yield from range(start, end)
            return
        need = framing.offset + framing.size
        for low in range(start, end, FIRST_LOOK * 16):
            data = self.window.take(low, min(FIRST_LOOK * 16, end - low) + need)
            count = len(data) - need + 1
            if count > 0:
                plausible = _plausible(framing, data, min(count, end - low, FIRST_LOOK * 16))
                yield from (low + at for at in plausible)


def _numbers(framing: Framing) -> Callable[[bytes, int], tuple[int]]:
    """The function that reads the length field at a place, as `struct` does."""
    if framing.size in UNSIGNED:
        return Struct((">" if framing.order == "big" else "<") + UNSIGNED[framing.size]).unpack_from
    return lambda data, at: (int.from_bytes(data[at:at + framing.size], framing.order),)


def _length(framing: Framing, data: bytes) -> int:
    return int.from_bytes(data[framing.offset:framing.offset + framing.size], framing.order) + framing.add


def _plausible(framing: Framing, data: bytes, count: int) -> list[int]:
    """The first `count` positions of `data` at which the length field holds a length within bounds."""
    column = np.frombuffer(data, np.uint8)
    value = np.zeros(count, np.int64)
    places = range(framing.size) if framing.order == "big" else range(framing.size - 1, -1, -1)
    for place in places:
        value = value << 8 | column[framing.offset + place:framing.offset + place + count]
    value += framing.add
    found: list[int] = np.flatnonzero((value >= max(1, framing.least)) & (value <= framing.most)).tolist()
    return found
