"""The messages of both directions in one order, that in which they were complete, and their first bytes side by side."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from captures.messages.framing import Cut
from captures.stream.byte_stream import ByteStream
from protocols.decoder import Decoder
from protocols.message_heads import MessageHeads

__all__ = ["first_bytes", "merged"]


def merged(directions: Sequence[ByteStream], cuts: Sequence[Cut]) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """The order of completion of the messages of side 0 and then side 1, and their columns in this order: side, start, length, have,
    packet, first packet, and whether bytes are missing or belong to no message right before it."""
    columns = []
    for side, (direction, one) in enumerate(zip(directions, cuts, strict=True)):
        start, length, have = (np.array(values, np.int64) for values in (one.start, one.length, one.have))
        broken = np.zeros(len(start), np.int64)
        broken[1:] = start[1:] != (start + length)[:-1]
        columns.append((np.full(len(start), side), start, length, have, direction.all_done_at(start + have), direction.packets_at(start), broken))
    both = [np.concatenate(pair) for pair in zip(*columns, strict=True)]
    order = np.lexsort((both[1], both[4]))
    return order, [column[order] for column in both]


def first_bytes(decoder: Decoder, cuts: Sequence[Cut], client_side: int, order: NDArray[np.int64], side: NDArray[np.int64], start: NDArray[np.int64],
                have: NDArray[np.int64], length: NDArray[np.int64]) -> MessageHeads:
    """The first bytes of all messages."""
    assert decoder.framing is not None
    width = decoder.framing.head
    head = np.zeros((len(order), width), np.uint8)
    there = np.zeros(len(order), np.bool_)
    base = 0
    for one in cuts:
        for at, found in one.heads:
            head[base + at:base + at + len(found)] = found
            there[base + at:base + at + len(found)] = True
        base += len(one.start)
    head, there = head[order], there[order]
    for row in np.flatnonzero(~there).tolist():
        data = cuts[side[row]].window.take(int(start[row]), min(width, int(have[row])))
        head[row, :len(data)] = np.frombuffer(data, np.uint8)
    return MessageHeads(head, have, length, side == client_side)
