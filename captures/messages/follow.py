"""A stream in turns: its messages, or its bytes as they came, in the order in which they were complete.

Turns are places, not bytes: `data` reads them when they are shown, so that following a connection of any size costs its index only.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Literal

from captures.index.index import Index
from captures.messages.conversation import Conversation
from captures.stream.places import Stream

TurnKind = Literal["message", "data", "gap", "hole"]


@dataclass(frozen=True, slots=True)
class Turn:
    """`length` bytes at stream offset `start` of one direction; `packet` (from 0) is where they were complete, `time` that
    packet's, None where it has none."""

    packet: int
    from_client: bool
    time: int | None
    start: int
    length: int
    kind: TurnKind
    words: Callable[[], str] = str

    @property
    def info(self) -> str:
        """What a message is, or why bytes are missing; made when it is read."""
        return self.words()


class Follow:
    """The turns of one layer of a stream: of what TCP or UDP carries, or of a stream inside that another protocol made."""

    def __init__(self, index: Index, stream: Stream, conversation: Conversation) -> None:
        self.index = index
        self.stream = stream
        self.conversation = conversation
        self.client_side = conversation.client_side
        self.client, self.server = conversation.ends
        decoder = conversation.decoder
        self.protocol = decoder.title if decoder is not None else stream.transport.upper()
        self.turns = self._turns(conversation)

    def _turns(self, conversation: Conversation) -> list[Turn]:
        time = self.index.columns.time
        turns = [Turn(pdu.packet, pdu.from_client, time(pdu.packet), pdu.start, pdu.have, "message", partial(conversation.summary_text, pdu))
                 for pdu in conversation.messages]
        turns += [Turn(hole.packet, hole.side == self.client_side, time(hole.packet), hole.start, hole.end - hole.start, "hole", partial(str, hole.reason))
                  for hole in conversation.holes]
        for side, direction in enumerate(conversation.directions):
            from_client = side == self.client_side
            if conversation.decoder is None:
                columns = (direction.packet, direction.start, direction.length)
                turns += [Turn(packet, from_client, time(packet), start, length, "data")
                          for packet, start, length in zip(*(x.tolist() for x in columns), strict=True)]
            for (_, end), (start, _) in pairwise(direction.runs()):
                packet = direction.packet_at(start)
                turns.append(Turn(packet, from_client, time(packet), end, start - end, "gap", partial("{:,} bytes missing".format, start - end)))
        turns.sort(key=lambda turn: (turn.packet, turn.from_client, turn.start))
        return turns

    def data(self, turn: Turn, limit: int | None = None) -> bytes:
        """The turn's bytes, at most `limit`; none for a gap."""
        if turn.kind == "gap":
            return b""
        count = turn.length if limit is None else min(limit, turn.length)
        side = self.client_side if turn.from_client else 1 - self.client_side
        return self.conversation.directions[side].read(turn.start, count)
