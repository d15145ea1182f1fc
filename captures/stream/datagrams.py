"""UDP datagrams as streams: each datagram that carries bytes is one piece and one message.

Stream offsets count payload bytes in capture order, as declared by the UDP headers (RFC 768); what the snap length cut off is a gap after its piece.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from captures.stream.byte_stream import Ints
from captures.stream.reassembly import Direction, payload_lengths

if TYPE_CHECKING:
    from captures.index.index import Index

__all__ = ["Datagrams", "datagrams"]


class Datagrams(Direction):
    """What one side sent; `sent` (int64, by piece) are the payload lengths that the headers declare, in bytes."""

    __slots__ = ("sent",)

    def __init__(self, index: Index, side: int, pieces: tuple[Ints, Ints, Ints, Ints], sent: Ints, end: int, fragmented: bool) -> None:
        super().__init__(index, side, pieces, None, True, end, None, False, fragmented)
        self.sent = sent

    def declared(self) -> Ints:
        return self.sent


def datagrams(index: Index, stream: int) -> tuple[Datagrams, Datagrams]:
    """Both directions of UDP stream `stream`, by direction bit."""
    packet = np.asarray(index.packets_of("udp", stream), np.int64)
    sent, have, put_together = payload_lengths(index, packet)
    side = index.columns.sd[packet] & 1

    def one(mine: int) -> Datagrams:
        rows = np.flatnonzero((side == mine) & (have > 0))
        ends = np.cumsum(sent[rows])
        pieces = (ends - sent[rows], have[rows], packet[rows], np.zeros(len(rows), np.int64))
        return Datagrams(index, mine, pieces, sent[rows], int(ends[-1]) if len(ends) else 0, put_together)

    return one(0), one(1)
