"""ZooKeeper headers by columns: many frames judged and read at once.

Ordinary requests and replies show in a few numbers at fixed places; every other frame (a handshake, an operation that few know, an xid out of the
ordinary) is judged alone. The first frame of each direction has no header and is read alone; so is all of a connection that makes sessions itself.
"""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from protocols.kinds import EVENT, REQUEST, RESPONSE
from protocols.message_heads import FieldColumn, HeaderColumns, MessageHeads
from protocols.zookeeper import tables as t
from protocols.zookeeper.handshake import PLAIN, variant
from protocols.zookeeper.layouts import REQUESTS
from protocols.zookeeper.recognise import COMMON_XIDS, MOST, reply_like, request_like

__all__ = ["TOLD", "headers", "known", "replies", "requests"]

OPERATIONS = np.array(sorted(REQUESTS), np.int64)
REPLY_HEADER = 16


def requests(heads: MessageHeads) -> int:
    """How many of the first frames can be a client's."""
    length, xid, code = heads.number(0, ">i4"), heads.number(4, ">i4"), heads.number(8, ">i4")
    place = np.minimum(OPERATIONS.searchsorted(code), len(OPERATIONS) - 1)
    good = (length >= 8) & (length <= MOST - 4) & (xid > -16) & (xid != t.NOTIFICATION) & (xid < COMMON_XIDS) & (OPERATIONS[place] == code)
    return heads.accepted(good, request_like)


def replies(heads: MessageHeads) -> int:
    """How many of the first frames can be a server's."""
    length, xid, zxid, code = heads.number(0, ">i4"), heads.number(4, ">i4"), heads.number(8, ">i8"), heads.number(16, ">i4")
    good = (length >= REPLY_HEADER) & (length <= MOST - 4) & (xid > -16) & (zxid >= -1) & (code > -200) & (code <= 0)
    return heads.accepted(good, reply_like)


def headers(heads: MessageHeads) -> HeaderColumns | None:
    """Kinds and xids; None for a connection with a createSession, whose answer has no header, and for one whose handshake says that others are read."""
    client = heads.client
    if client.any() and variant(heads.head[int(np.argmax(client))].tobytes()) is not PLAIN:
        return None
    xid, code = heads.number(4, ">i4"), heads.number(8, ">i4")
    asked = client & (heads.have >= 12)
    if (asked & (code == t.CREATE_SESSION)).any():
        return None
    single = (heads.have < np.where(client, 12, 8)) | (~client & (xid == 0))
    for side in (client, ~client):
        single[np.argmax(side)] = True
    event = ~client & (xid == t.NOTIFICATION)
    kind = np.where(client, REQUEST, np.where(event, EVENT, RESPONSE)).astype(np.uint8)
    return HeaderColumns(kind, np.where(asked & (code == t.PING), t.PING_XID, xid), ~event, np.flatnonzero(single))


PLACES = {"zookeeper.xid": (4, 4, ">i4"), "zookeeper.zxid": (None, 8, ">i8"), "zookeeper.err": (None, 16, ">i4")}
"""Filter name -> where it stands in a request and in a reply (None: not there), and its type."""
OPCODE, OPERATION = "zookeeper.opcode", "pv.op"
"""What the request says, on its reply as well."""
TOLD = frozenset({*PLACES, OPCODE, OPERATION})
SEVERAL = (t.MULTI, t.MULTI_READ)
"""Operations that carry others, with codes and errors of their own."""


def known(name: str, heads: MessageHeads, peer: NDArray[np.int64]) -> FieldColumn:
    """Fields of the header and the operation: not of the first frame of each direction and what belongs to it, of a reply without its request, and of
    operations that carry others."""
    client, xid, code = heads.client, heads.number(4, ">i4"), heads.number(8, ">i4")
    sure = heads.have >= np.where(client, 12, 4 + REPLY_HEADER)
    first = [int(np.argmax(side)) for side in (client, ~client)]
    sure[first] = False
    event = ~client & (xid == t.NOTIFICATION)
    asked = np.where(client, np.arange(len(heads)), peer)
    sure &= event | ((asked >= 0) & ~np.isin(asked, first))
    if name == OPERATION:
        place = np.zeros(len(heads), np.int64)
        codes, place[client] = np.unique(code[client], return_inverse=True)
        return FieldColumn(np.where(event, len(codes), place[asked]), sure, sure, [*(t.operation(one) for one in codes.tolist()), "notification"])
    sure &= event | ~np.isin(code[asked], SEVERAL)
    if name == OPCODE:
        return FieldColumn(code[asked], sure & ~event, sure)
    value, there = np.zeros(len(heads), np.int64), np.zeros(len(heads), np.bool_)
    for way, at in zip((client, ~client), PLACES[name][:2], strict=True):
        if at is not None:
            value[way], there[way] = heads.number(at, PLACES[name][2], way), sure[way]
    return FieldColumn(value, there, sure)
