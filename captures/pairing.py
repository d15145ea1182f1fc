"""Requests and responses brought together, message by message, in the order in which they were complete.

A request waits under its key on its side's list; a response takes the oldest that waits on the other side with the same key (or,
for protocols that answer in order, the oldest of all). Where bytes of the responding side are missing, the answers of requests made
before may have gone with them: of those that wait under one key only the newest is kept. Capture order may be skewed: a response captured
before its request is paired when it acknowledges the request's bytes. A one-way request with a key waits as well: some servers answer.
A request that has several responses (`Header.more`) has the first one as its peer, and is the peer of all.
"""
from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from captures.conversation import Pdu

__all__ = ["Pairing"]

SKEW = 64
"""Packets by which a response may be captured before its request."""


class Pairing:
    """The messages of one conversation that wait for their peer. `ordered` ignores keys; `answers(response, request)` says whether the packet
    of `response` acknowledges the bytes of `request`."""

    __slots__ = ("_answers", "_broken", "_early", "_ordered", "_waiting")

    def __init__(self, ordered: bool, answers: Callable[[Pdu, Pdu], bool]) -> None:
        self._ordered = ordered
        self._answers = answers
        self._waiting: tuple[dict[Any, Pdu | deque[Pdu]], dict[Any, Pdu | deque[Pdu]]] = ({}, {})
        self._early: dict[Any, Pdu] = {}
        self._broken = [-1, -1]

    def broken(self, side: int, packet: int) -> None:
        """Bytes of `side` are missing before the message that is complete in `packet`."""
        self._broken[side] = packet

    def request(self, pdu: Pdu) -> None:
        """A request: waits, unless its response was captured before it. Raises TypeError for a key that cannot be hashed."""
        key = None if self._ordered else pdu.header.key
        if key is None and not self._ordered:
            return
        if self._early:
            early = self._early.get((1 - pdu.side, key))
            if early is not None and pdu.packet - early.packet <= SKEW and self._answers(early, pdu):
                del self._early[1 - pdu.side, key]
                pdu.peer, early.peer = early, pdu
                if not early.header.more:
                    return
        waiting = self._waiting[pdu.side]
        before = waiting.get(key)
        if before is None:
            waiting[key] = pdu
        elif isinstance(before, deque):
            before.append(pdu)
        else:
            waiting[key] = deque((before, pdu))

    def response(self, pdu: Pdu) -> None:
        """A response: takes its request, if one waits."""
        key = None if self._ordered else pdu.header.key
        if key is None and not self._ordered:
            return
        waiting = self._waiting[1 - pdu.side]
        found = waiting.pop(key, None)
        if found is None:
            self._early[pdu.side, key] = pdu
            return
        if isinstance(found, deque):
            broken = self._broken[pdu.side]
            request = found.popleft()
            while found and request.packet < broken:
                request = found.popleft()
            if found:
                waiting[key] = found
        else:
            request = found
        pdu.peer = request
        if request.peer is None:
            request.peer = pdu
        if pdu.header.more:
            if isinstance(found, deque):
                found.appendleft(request)
                waiting[key] = found
            else:
                waiting[key] = request
