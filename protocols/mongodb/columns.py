"""MongoDB headers by columns: many messages judged and read at once.

An ordinary OP_MSG shows in its header, its flags and the length of its first section. Everything else (legacy and compressed messages, replies of a
connection that compresses) is judged and read alone; so is all of a connection whose replies announce more to come.
"""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from protocols.kinds import ONEWAY, REQUEST, RESPONSE
from protocols.message_heads import FieldColumn, HeaderColumns, MessageHeads
from protocols.mongodb import tables as t
from protocols.mongodb.recognise import could_follow

__all__ = ["TOLD", "accepted", "headers", "known"]

PLACES = {"mongo.message_length": (0, "<i4"), "mongo.request_id": (4, "<u4"), "mongo.response_to": (8, "<u4"), "mongo.opcode": (12, "<i4")}
TOLD = frozenset(PLACES)
LEAST = 26
"""Bytes of an OP_MSG with an empty document."""
FLAGS, KIND, SIZE = 16, 20, 21
HEADER = 16


def accepted(heads: MessageHeads) -> int:
    """How many of the first messages can be MongoDB's."""
    length, size, kind = heads.number(0, "<i4"), heads.number(SIZE, "<i4"), heads.head[:, KIND]
    good = (heads.number(12, "<i4") == t.OP_MSG) & (length >= LEAST) & (length <= t.LARGEST) & (heads.number(FLAGS, "<u4") & t.REQUIRED_UNKNOWN == 0)
    good &= (kind <= 1) & (size >= 5) & (size <= length - 21)
    return heads.accepted(good, could_follow)


def headers(heads: MessageHeads) -> HeaderColumns | None:
    """Kinds and ids; None for a connection with replies that announce more."""
    client, opcode = heads.client, heads.number(12, "<i4")
    plain = (opcode == t.OP_MSG) & (heads.have >= SIZE)
    more = plain & (heads.number(FLAGS, "<u4") & t.MORE_TO_COME != 0)
    if (more & ~client).any():
        return None
    if (~client & (opcode == t.OP_COMPRESSED)).any():
        plain &= client
    kind = np.where(client, np.where(more, ONEWAY, REQUEST), RESPONSE).astype(np.uint8)
    key = np.where(client, heads.number(4, "<u4"), heads.number(8, "<u4"))
    return HeaderColumns(kind, key, np.ones(len(heads), np.bool_), np.flatnonzero(~plain))


def known(name: str, heads: MessageHeads) -> FieldColumn:
    """Fields of the header, of the messages that are not compressed."""
    sure: NDArray[np.bool_] = (heads.have >= HEADER) & (heads.number(12, "<i4") == t.OP_MSG)
    return FieldColumn(heads.number(*PLACES[name]), sure, sure)
