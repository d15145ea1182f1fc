"""Packets that may have a text in a field of a message, told from the bytes alone: no message is dissected that cannot match.

A decoder names the fields whose text stands in its messages as it is (`Fast.verbatim`). A message without the bytes of the text that a test
asks for does not have it in such a field, unless it holds what `Fast.not_verbatim_if` names. Streams are searched once for a text, whole.
"""
from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captures.capture import Capture
from captures.index.columns import PacketKind
from captures.messages.conversation import Conversation
from captures.stream.byte_stream import ByteStream

__all__ = ["ByteSearch"]

Array = NDArray[Any]
CHUNK = 1 << 24
"""Bytes of a stream that are searched at a time."""


class Found:
    """The packets in which messages with one of some texts end, of the streams searched so far."""

    def __init__(self, count: int) -> None:
        self.holds = np.zeros(count, np.bool_)
        self.searched: set[int] = set()


class ByteSearch:
    """The texts that were searched for in a capture."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self._found: dict[tuple[str, tuple[bytes, ...]], Found] = {}

    def found(self, protocol: str, needles: tuple[bytes, ...]) -> NDArray[np.bool_] | None:
        """By packet, which are known to hold one of the texts in a message of the protocol; None where it was not searched for."""
        found = self._found.get((protocol, needles))
        return None if found is None else found.holds

    def holds(self, protocol: str, needles: tuple[bytes, ...], packets: Array) -> NDArray[np.bool_]:
        """Which of the packets (ascending) may have one of the texts in a field of a message of the protocol."""
        c = self.capture.columns
        found = self._found.setdefault((protocol, needles), Found(len(self.capture)))
        of_tcp = packets[(c.kind[packets] == PacketKind.TCP) & (packets < len(found.holds))]
        for number in np.unique(c.sd[of_tcp] >> 1).tolist():
            if number not in found.searched:
                found.searched.add(number)
                for layer in self.capture.conversation(number).layers():
                    if layer.decoder is not None and layer.decoder.name == protocol:
                        packet = _search(layer, (*needles, *layer.not_verbatim_if()))
                        found.holds[packet[packet < len(found.holds)]] = True
        out = np.ones(len(packets), np.bool_)
        known = (packets < len(found.holds)) & (c.kind[packets] == PacketKind.TCP)
        out[known] = found.holds[packets[known]]
        return out


def _search(conversation: Conversation, needles: Sequence[bytes]) -> Array:
    """The packets in which messages end that hold one of the needles, or whose peers do."""
    messages = conversation.messages
    if not messages:
        return np.zeros(0, np.int64)
    hit = np.zeros(len(messages), np.bool_)
    for side, direction in enumerate(conversation.directions):
        rows = np.flatnonzero(messages.side == side)
        if len(rows):
            ends = messages.start[rows] + messages.have[rows]
            places = np.array(list(_places(direction, needles, ends.tolist())), np.int64)
            at = np.minimum(ends.searchsorted(places, "right"), len(ends) - 1)
            hit[rows[at[messages.start[rows[at]] <= places]]] = True
    hit |= (messages.peer >= 0) & hit[messages.peer]
    return messages.packet[hit]


def _places(direction: ByteStream, needles: Sequence[bytes], ends: list[int]) -> Iterator[int]:
    """Where needles stand in a direction: the first place of each in every message at least; `ends` are where messages end."""
    longest = max(map(len, needles))
    for start, end in direction.runs():
        for base in range(start, end, CHUNK):
            data = direction.read(base, min(CHUNK + longest - 1, end - base))
            for needle in needles:
                at = data.find(needle)
                while at >= 0:
                    yield base + at
                    behind = bisect_right(ends, base + at)
                    at = data.find(needle, max(at + 1, ends[behind] - base) if behind < len(ends) else at + 1)
