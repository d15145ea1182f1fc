"""The messages of a conversation as columns: a million of them are a few arrays, and an object only for those that somebody looks at."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from protocols.decoder import Header, Kind
from protocols.kinds import KINDS
from protocols.message_heads import MessageHeads

__all__ = ["Hole", "MessageRow", "Messages"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Hole:
    """Bytes `start` .. `end` of side `side` that belong to no message, and why. `packet` has the first of them."""

    side: int
    start: int
    end: int
    packet: int
    reason: str


class MessageRow:
    """A message. `row` is its number in the conversation, in order of completion; `side` the direction bit; `start` its stream offset,
    `length` what it declares, `have` how many of these bytes are there without a gap. `packet` is where it is complete (where its
    last byte without a gap lies when it is cut off), `first_packet` where its first byte lies; indices from 0."""

    __slots__ = ("_header", "_messages", "first_packet", "from_client", "have", "kind", "length", "packet", "row", "side", "start")

    def __init__(self, messages: Messages, row: int) -> None:
        self._messages = messages
        self._header: Header | None = None
        self.row = row
        self.side = int(messages.side[row])
        self.from_client = self.side == messages.client_side
        self.start = int(messages.start[row])
        self.length = int(messages.length[row])
        self.have = int(messages.have[row])
        self.packet = int(messages.packet[row])
        self.first_packet = int(messages.first_packet[row])
        self.kind: Kind = KINDS[messages.kind[row]]

    @property
    def header(self) -> Header:
        if self._header is None:
            self._header = self._messages.header(self)
        return self._header

    @header.setter
    def header(self, header: Header) -> None:
        self._header = header

    @property
    def peer(self) -> MessageRow | None:
        """The message that it is paired with."""
        row = int(self._messages.peer[self.row])
        return None if row < 0 else self._messages[row]

    @property
    def paired(self) -> bool:
        return bool(self._messages.peer[self.row] >= 0)

    @property
    def complete(self) -> bool:
        return self.have >= self.length

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MessageRow) and self.row == other.row and self._messages is other._messages

    def __hash__(self) -> int:
        return self.row


@dataclass(slots=True, eq=False)
class Messages(Sequence[MessageRow]):
    """All messages in order of completion, a column each of what `MessageRow` names; `kind` by number (see `protocols.kinds`), `peer` the row of the
    peer or -1. `heads` are their first bytes, where the decoder reads headers by columns. `header` gives a message's header."""

    client_side: int
    side: Ints
    start: Ints
    length: Ints
    have: Ints
    packet: Ints
    first_packet: Ints
    kind: NDArray[np.uint8]
    peer: Ints
    heads: MessageHeads | None
    header: Callable[[MessageRow], Header]

    @classmethod
    def none(cls) -> Messages:
        """The messages of a conversation that has none."""
        ints = np.zeros(0, np.int64)

        def header(one: MessageRow) -> Header:
            raise LookupError(one.row)
        return cls(0, ints, ints, ints, ints, ints, ints, np.zeros(0, np.uint8), ints, None, header)

    def __len__(self) -> int:
        return len(self.side)

    @overload
    def __getitem__(self, row: int) -> MessageRow: ...
    @overload
    def __getitem__(self, row: slice) -> list[MessageRow]: ...
    def __getitem__(self, row: int | slice) -> MessageRow | list[MessageRow]:
        if isinstance(row, slice):
            return [MessageRow(self, one) for one in range(*row.indices(len(self)))]
        if not -len(self) <= row < len(self):
            raise IndexError(row)
        return MessageRow(self, row % len(self))

    def __iter__(self) -> Iterator[MessageRow]:
        return (MessageRow(self, row) for row in range(len(self)))

    def in_packets(self, packets: Ints) -> Ints:
        """The rows of the messages that are complete (or cut off) in these packets (ascending)."""
        low, high = self.packet.searchsorted(packets), self.packet.searchsorted(packets, "right")
        count = high - low
        return np.repeat(low - np.cumsum(count) + count, count) + np.arange(int(count.sum()))
