"""Kafka headers by columns: many messages judged and read at once.

Requests of a connection differ in little but the correlation id: API, version and client id repeat. One of each kind is judged as `accepts`
judges it, and all that equal it in these bytes are good for the same reason. A header that says more than its bytes (SASL without
frames, answers that name topic ids, acks at a place that must be searched) is left to be read alone.
"""
from __future__ import annotations

from functools import cache
from struct import unpack

import numpy as np
from numpy.typing import NDArray

from protocols.kafka import schema
from protocols.kafka.frames import TEACHERS, Api, operation
from protocols.kafka.names import topics_by_id
from protocols.kafka.recognise import FAR, MOST, Expected, is_headless, is_request
from protocols.kinds import ONEWAY, REQUEST, RESPONSE
from protocols.message_heads import FieldColumn, HeaderColumns, MessageHeads

__all__ = ["TOLD", "headers", "known", "requests", "responses"]

PATTERNS = 32
"""Kinds of requests that are looked for before the rest is judged one by one."""
PRODUCE, SASL_HANDSHAKE, ENVELOPE = 0, 17, 58
CLIENT = 14
"""Where the client id stands in a request, behind its length."""

Ints = NDArray[np.int64]


def requests(heads: MessageHeads) -> int:
    """How many of the first messages are requests."""
    words = heads.head.view(np.uint64)
    body = heads.number(0, ">i4")
    size = heads.number(12, ">i2")
    within = (body >= 10) & (body <= MOST) & (size <= body - 10)
    left = np.arange(len(heads))
    for _ in range(PATTERNS):
        if not len(left):
            return len(heads)
        one = int(left[0])
        head = heads.head[one]
        if not is_request(head.tobytes()):
            return one
        headless = is_headless(head.tobytes())
        mask = np.zeros(len(head), np.uint8)
        mask[4:8] = 0xFF
        if not headless:
            mask[12:CLIENT + max(0, int(size[one]))] = 0xFF
        same = (body[left] >= 8) & (body[left] <= MOST) if headless else within[left]
        for place, bits in enumerate(mask.view(np.uint64)):
            if bits:
                same &= words[left, place] & bits == words[one, place] & bits
        same[0] = True
        left = left[~same]
    good = np.ones(len(heads), np.bool_)
    good[left] = False
    return heads.accepted(good, is_request)



def responses(heads: MessageHeads, expected: Expected) -> int:
    """How many of the first messages are responses to requests like those of the opening."""
    body, correlation = heads.number(0, ">i4"), heads.number(4, ">i4")
    good = (body >= 4) & (body <= MOST)
    if not expected.any:
        likely = (correlation >= expected.low) & (correlation <= expected.high) | (correlation >= FAR)
        if not likely.all():
            likely |= np.isin(correlation, np.array(sorted(expected.named), np.int64))
        good &= likely
    return len(heads) if good.all() else int(np.argmin(good))


def headers(heads: MessageHeads) -> HeaderColumns | None:
    """Kinds and correlation ids; None for a connection with SASL tokens without frames."""
    client = heads.client
    key, version = heads.number(4, ">i2"), heads.number(6, ">i2")
    if (client & (key == SASL_HANDSHAKE) & (version == 0)).any():
        return None
    kind = np.where(client, REQUEST, RESPONSE).astype(np.uint8)
    number = np.where(client, heads.number(8, ">i4"), heads.number(4, ">i4"))
    single = heads.have < np.where(client, 12, 8)
    produce = np.flatnonzero(client & (key == PRODUCE) & ~single)
    if len(produce):
        unanswered, unclear = _acks(heads, produce, version[produce])
        kind[produce[unanswered]] = ONEWAY
        single[produce[unclear]] = True
    return HeaderColumns(kind, number, np.ones(len(heads), np.bool_), np.flatnonzero(single))


def teaching(heads: MessageHeads, peer: Ints) -> Ints:
    """The rows of the answers that name topic ids."""
    key, version = heads.number(4, ">i2"), heads.number(6, ">i2")
    asks = np.zeros(len(heads), np.bool_)
    for api, first in TEACHERS.items():
        asks |= heads.client & (heads.have >= 8) & (key == api) & (version >= first)
    answers = peer[asks]
    return np.sort(answers[answers >= 0])


def any_by_id(heads: MessageHeads) -> bool:
    """Whether a request, or its response, may name a topic by its id alone (KIP-516)."""
    apis = np.unique(heads.number(4, ">u4", heads.client & (heads.have >= 8)))
    return any(_by_id(*unpack(">hh", api.to_bytes(4, "big"))) for api in apis.tolist())


@cache
def _by_id(key: int, version: int) -> bool:
    layouts = (schema.request(key), schema.response(key))
    return any(one is not None and one.knows(version) and topics_by_id(one, version) for one in layouts)


def _acks(heads: MessageHeads, rows: Ints, version: Ints) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which Produce requests ask for no answer, and of which the head does not tell: the acks stand behind the client id and the transactional id."""
    size = np.maximum(heads.number(12, ">i2", rows), 0)
    unanswered, unclear = np.zeros(len(rows), np.bool_), np.ones(len(rows), np.bool_)
    old = version < 3
    kinds = np.unique(np.stack((size, version >= 9, old), axis=1), axis=0)
    for length, flexible, oldest in kinds.tolist():
        at = CLIENT + length
        if at + 4 > heads.head.shape[1]:
            continue
        mine = (size == length) & ((version >= 9) == flexible) & (old == oldest)
        chosen = rows[mine]
        if oldest:
            clear, acks = np.ones(len(chosen), np.bool_), heads.number(at, ">i2", chosen)
        else:
            # no transactional id: -1 as an int16, or no tags and a compact length of 0 or 1
            before, acks = heads.number(at, ">i2", chosen), heads.number(at + 2, ">i2", chosen)
            clear = before >> 1 == 0 if flexible else before == -1
        clear &= heads.have[chosen] >= at + 4
        unclear[mine], unanswered[mine] = ~clear, clear & (acks == 0)
    return unanswered, unclear


PLACES = {"kafka.len": (0, 0, ">i4"), "kafka.correlation_id": (8, 4, ">i4"), "kafka.api_key": (4, None, ">i2"), "kafka.request_key": (4, -1, ">i2"),
          "kafka.api_version": (6, -1, ">i2"), "kafka.request.version": (6, -1, ">i2"), "kafka.response_key": (-1, None, ">i2"),
          "kafka.response.version": (-1, None, ">i2")}
"""Filter name -> where it stands in a request and in a response, and its type; -1: it is not there, None: it is the request's."""
OPERATION = "pv.op"
OF_REQUEST = {"kafka.api_key": 4, "kafka.response_key": 4, "kafka.response.version": 6}
TOLD = frozenset({*PLACES, OPERATION})


def known(name: str, heads: MessageHeads, peer: Ints) -> FieldColumn:
    """Fields of the header. Not of what is too short, of a response without its request, and of Envelope, which has headers inside."""
    client = heads.client
    key = heads.number(4, ">i2")
    request = np.where(client, np.arange(len(heads)), peer)
    sure = (heads.have >= np.where(client, 12, 8)) & (request >= 0)
    sure[sure] = (key[request[sure]] != ENVELOPE) & (heads.have[request[sure]] >= 12)
    if name == OPERATION:
        place = np.zeros(len(heads), np.int64)
        api, place[client] = np.unique(heads.number(4, ">u4", client), return_inverse=True)
        names = [operation(Api(*unpack(">hh", one.to_bytes(4, "big")))) for one in api.tolist()]
        return FieldColumn(place[request], sure, sure, names)
    asked, answered, code = PLACES[name]
    value, there = np.zeros(len(heads), np.int64), np.zeros(len(heads), np.bool_)
    for way, at in ((client & sure, asked), (~client & sure, answered)):
        rows = np.flatnonzero(way)
        if at == -1 or not len(rows):
            continue
        value[rows] = heads.number(OF_REQUEST[name], code, request[rows]) if at is None else heads.number(at, code, rows)
        there[rows] = True
    return FieldColumn(value, there, sure)
