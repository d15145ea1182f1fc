"""How long requests waited for those before them: in a stream that is answered in order, a response cannot come before the one to the request before.

Computed for a whole stream at once, from its message columns, and kept as long as its `Conversation` is.
"""
from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from captures.file.clock import NO_TIME
from captures.messages.conversation import Conversation
from captures.messages.messages import MessageRow
from protocols.kinds import RESPONSE

__all__ = ["queued", "waits"]

KNOWN: WeakKeyDictionary[Conversation, tuple[NDArray[np.int64], NDArray[np.bool_]]] = WeakKeyDictionary()


def waits(conversation: Conversation) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """How long each request waited for its turn, and whether that can be told; a row a message, a response having the row of its request.

    The wait, in nanoseconds, lasts from the request's last byte to the last byte of the response before its own; it is 0 where that response came before the
    request. A client asks A at 0 ms and B at 1 ms; the response to A ends at 5 ms, that to B at 6 ms: A waited 0 ms, B 4 ms (from 1 to 5). It cannot be told
    for a message without a peer, nor where the response before belongs to a later request: then requests do not wait for one another;
    nor where one of these packets has no time."""
    found = KNOWN.get(conversation)
    if found is None:
        found = KNOWN[conversation] = _made(conversation)
    return found


def _made(conversation: Conversation) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    messages = conversation.messages
    if not messages:
        return np.zeros(0, np.int64), np.zeros(0, np.bool_)
    peer, time = messages.peer, conversation.index.columns.ts[messages.packet]
    answer = messages.kind == RESPONSE
    before = np.full(len(peer), -1)
    for side in (0, 1):
        rows = np.flatnonzero(answer & (messages.side == side))
        before[rows[1:]] = rows[:-1]
    paired = answer & (peer >= 0)
    behind = paired & (before > peer)       # an answer came between the request and its own
    untimed = (time == NO_TIME) | (time[peer] == NO_TIME) | behind & (time[before] == NO_TIME)
    overtaken = behind & ((peer[before] < 0) | (peer[before] >= peer))
    wait = np.where(behind, np.maximum(time[before] - time[peer], 0), 0)
    told = paired & ~overtaken & ~untimed
    asked = np.flatnonzero(~answer & (peer >= 0))
    wait[asked], told[asked] = wait[peer[asked]], told[peer[asked]]
    return wait, told


def queued(conversation: Conversation, pdu: MessageRow) -> int | None:
    """The same for one message; None where it cannot be told."""
    wait, told = waits(conversation)
    return int(wait[pdu.row]) if told[pdu.row] else None
