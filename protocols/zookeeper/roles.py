"""What a ZooKeeper message is, which says how it is to be read: the decoder's own note on each (`Header.context`)."""
from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Role"]


@dataclass(frozen=True, slots=True, eq=False)
class Role:
    """`after` is where a message goes on behind its xid, in bytes from its start: 8, or 12 where xids have 8 bytes."""

    name: str
    after: int = 8


REQUEST, REPLY, EVENT = Role("request"), Role("reply"), Role("event")
REQUEST_64, REPLY_64, EVENT_64 = Role("request", 12), Role("reply", 12), Role("event", 12)
CONNECT_REQUEST, CONNECT_RESPONSE, WORD, WORD_REPLY, BLOCK = (Role(name) for name in ("connect request", "connect response", "word", "word reply", "block"))
