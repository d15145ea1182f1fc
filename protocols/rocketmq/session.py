"""What one connection remembers between its frames: the headers that were read last, and whether requests went by whose opaque is cut off.

The words of a response begin with those of its request, and both are asked for one after the other: without a memory each header of a request would be
read twice.
"""
from __future__ import annotations

from protocols.decoder import Header, MessageBytes
from protocols.rocketmq.head import Head, head

__all__ = ["Session", "head_of"]

KEPT = 64
"""Headers that are kept."""


class Session:
    """The state of one connection; it is the `context` of each of its headers. `unnumbered` says by direction (the server's first) whether a request
    went by of which the opaque was not captured: any later answer may be its."""

    __slots__ = ("_heads", "unnumbered")

    def __init__(self) -> None:
        self.unnumbered = [False, False]
        self._heads: dict[int, tuple[Header, Head]] = {}

    def head(self, message: MessageBytes) -> Head:
        """The parsed header of a message of this connection."""
        header = message.header
        kept = self._heads.get(id(header))
        if kept is not None and kept[0] is header:
            return kept[1]
        found = head(message.data, message.start, message.end)
        if len(self._heads) >= KEPT:
            self._heads.clear()
        self._heads[id(header)] = header, found
        return found


def head_of(message: MessageBytes) -> Head:
    """The parsed header of a message."""
    session = message.header.context
    return session.head(message) if session.__class__ is Session else head(message.data, message.start, message.end)
