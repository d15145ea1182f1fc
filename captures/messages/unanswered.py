"""What can be said of a request without a response: that none came, or only that none was captured.

That none came is known where the connection was closed, or reset, in the capture, and all that the other side sent since the request is there. Where the other
direction was not captured (an asymmetric path, a tap on one link), where bytes of it are missing, or where the capture ends while the connection is open, the
answer may have been on the wire. UDP has no end: there a request is unanswered when the capture went on for longer than resolvers wait, and shows
that answers of this kind were captured at all.
"""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from captures.index.columns import PacketKind
from captures.stream.pair import StreamPair
from captures.stream.reassembly import FIN, RST
from protocols.terms import Status

if TYPE_CHECKING:
    from captures.index.index import Index
    from captures.messages.messages import MessageRow

__all__ = ["Unanswered"]

PATIENCE = 5_000_000_000
"""Nanoseconds that resolvers wait for an answer before they ask again (resolv.conf, `timeout`)."""


@dataclass(frozen=True, slots=True)
class _Capture:
    """Of a capture's first `count` packets: the latest time (nanoseconds), and the ports that sent UDP."""

    count: int
    end: int
    ports: frozenset[int]


_CAPTURES: WeakKeyDictionary[Index, _Capture] = WeakKeyDictionary()


def _capture(index: Index) -> _Capture:
    columns = index.columns
    count = columns.count
    found = _CAPTURES.get(index)
    if found is None or found.count != count:
        ports = np.unique(columns.sport[:count][columns.kind[:count] == PacketKind.UDP])
        found = _CAPTURES[index] = _Capture(count, int(columns.ts[:count].max()) if count else 0, frozenset(ports.tolist()))
    return found


class Unanswered:
    """The requests of `pair` that have no response."""

    def __init__(self, pair: StreamPair) -> None:
        self.pair = pair

    @cached_property
    def _seen(self) -> tuple[bool, bool, bool]:
        """Whether packets of side 0 and of side 1 were captured, and whether the connection was closed."""
        columns, packets = self.pair.index.columns, self.pair.index.packets_of(self.pair.base, self.pair.stream)
        sides = columns.sd[packets] & 1
        return bool((sides == 0).any()), bool((sides == 1).any()), bool((columns.flags[packets] & (FIN | RST)).any())

    def status(self, request: MessageRow) -> Status:
        """NO_RESPONSE where none came, NOT_CAPTURED where one may have come."""
        pair, other = self.pair, 1 - request.side
        captured = self._seen[other]
        if pair.base == "udp":
            capture = _capture(pair.index)
            told = (captured or pair.ports[pair.first != other] in capture.ports) and capture.end - int(pair.index.columns.ts[request.packet]) > PATIENCE
        else:
            told = captured and self._seen[2] and not self._missing(request, other)
        return Status.NO_RESPONSE if told else Status.NOT_CAPTURED

    def _missing(self, request: MessageRow, other: int) -> bool:
        """Whether bytes are missing that the other side sent after it had been heard for the last time before the request was complete."""
        direction = self.pair.directions[other]
        heard = self.pair.acknowledged(np.array([request.packet]))
        since = 0
        base = int(direction.sequence(np.zeros(1, np.int64))[0])
        if base >= 0 <= heard[0]:
            since = (int(heard[0]) - base) & 0xFFFFFFFF
            since = 0 if since >= 1 << 31 else since
        runs = direction.runs()
        if not runs:
            return direction.end > since
        holes = [(runs[at][1], runs[at + 1][0]) for at in range(len(runs) - 1)] + [(runs[-1][1], direction.end)]
        return any(low < high and high > since for low, high in holes)
