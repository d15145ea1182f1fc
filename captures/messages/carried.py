"""The streams that a conversation's messages carry for other protocols, as pairs that can be read like any other.

There are two ways: messages that carry bytes each (WebSocket frames, of which the payload of all of one direction is a stream), and all that follows some
point of the outer streams (after an HTTP upgrade). The decoder says which bytes (`Decoder.carrier`, `Decoder.handed_on`), this module puts
them in order and keeps the way back to packets.
"""
from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from captures.messages.given import carried
from captures.messages.messages import MessageRow
from captures.stream.byte_stream import ByteStream
from captures.stream.derived import Derived
from captures.stream.pair import StreamPair
from protocols.decoder import Decoder, MessageBytes
from protocols.engine.mistakes import MISTAKES

__all__ = ["carried_pairs"]

CARRIED_MOST = 1 << 28
"""Bytes of all streams together that one conversation may carry: a limit of memory. What comes after it is not read as messages."""


class _Pieces:
    """What one direction carries under one key, piece by piece."""

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.packet = array("q")
        self.source = array("q")

    def stream(self, outer: ByteStream, known_start: bool) -> Derived:
        length = np.array([len(one) for one in self.data], np.int64)
        packet, source = (np.array(column, np.int64) for column in (self.packet, self.source))
        return Derived(outer, b"".join(self.data), length, packet, source, known_start)


def carried_pairs(pair: StreamPair, decoder: Decoder, messages: Sequence[MessageRow], bytes_of: Callable[[MessageRow], MessageBytes],
                  handed_on: Sequence[int | None], state: object) -> list[StreamPair]:
    """The pairs carried by `messages` (in order of completion), then that of the bytes `handed_on` (stream offset by side, None where none are)."""
    pairs = list(_of_messages(pair, decoder, messages, bytes_of))
    if any(start is not None for start in handed_on):
        tails = [one.tail(one.end if start is None else start) for one, start in zip(pair.directions, handed_on, strict=True)]
        try:
            hint = str(decoder.handed_on(state))
        except MISTAKES:    # the bytes are recognised without a hint
            hint = ""
        pairs.append(replace(pair, transport=decoder.name, directions=(tails[0], tails[1]), hint=hint, depth=pair.depth + 1))
    return pairs


def _of_messages(pair: StreamPair, decoder: Decoder, messages: Sequence[MessageRow],
                 bytes_of: Callable[[MessageRow], MessageBytes]) -> Iterable[StreamPair]:
    try:
        carries = decoder.carrier()
    except MISTAKES:    # it carries nothing
        return
    if carries is None:
        return
    pieces: dict[int, tuple[_Pieces, _Pieces]] = {}
    hints: dict[int, str] = {}
    left = CARRIED_MOST
    for message in messages:
        try:
            found = carried(carries, bytes_of(message))
        except MISTAKES:    # what it said before stays
            continue
        for one in found:
            left -= len(one.data)
            if left < 0 or not one.data:
                continue
            mine = pieces.setdefault(one.key, (_Pieces(), _Pieces()))[message.side]
            mine.data.append(one.data)
            mine.packet.append(message.packet)
            mine.source.append(-1 if one.start is None else message.start + one.start)
            hints[one.key] = hints.get(one.key) or one.hint
    from_start = [bool(len(messages)) and one.from_start for one in pair.directions]
    for key, both in pieces.items():
        streams = [one.stream(outer, known) for one, outer, known in zip(both, pair.directions, from_start, strict=True)]
        yield replace(pair, transport=decoder.name, directions=(streams[0], streams[1]), hint=hints[key], depth=pair.depth + 1)
