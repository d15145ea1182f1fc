"""Requests and responses brought together: by the order of their streams and by what was acknowledged, not by their place in the file.

A request waits under its key on its side's list; a response takes the oldest that waits on the other side with the same key (protocols
that answer in order give all messages one key), if its packet acknowledges the request's bytes: nobody answers what has not arrived. A response that
acknowledges no request that waits was captured before its own (two taps, skewed clocks, files appended to each other), or its request was not captured:
it waits in its turn, and a later request takes the oldest response that acknowledges some of its bytes. Where a stream has no acknowledgements, the place in
the file decides. Where bytes of the responding side are missing, the answers of requests made before may have gone with them: of those that wait under one
key and are acknowledged only the newest is kept. A one-way request with a key waits as well: some servers answer. A request that has several responses
(`Header.more`) has the first one as its peer, and is the peer of all.

Keys are independent of each other. Those with one request and at most one response, behind it and acknowledging it, nearly all, are matched as columns;
only the rest goes through the queues.
"""
from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protocols.kinds import EVENT, RESPONSE

__all__ = ["Acknowledged", "Keys", "pair"]

FEW = 128
"""Messages from which columns are faster than the queues."""
HALF = 0x80000000
"""Sequence numbers up to this far ahead are later ones; those beyond are earlier (RFC 9293, section 3.4)."""

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(slots=True)
class Keys:
    """The keys of the messages of a conversation, by row: `number` where `numbered`; other keys in `other`; the rest have none. `more` are the rows
    whose response is not the last one to its request."""

    number: Ints
    numbered: Bools
    other: dict[int, Any] = field(default_factory=dict)
    more: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Acknowledged:
    """What the packets of messages acknowledge, by row: the sequence numbers (32 bits) of the message's first byte and behind its last one, and the
    acknowledgement number of the packet with its first byte; -1 where there is none."""

    start: Ints
    end: Ints
    number: Ints

    def whole(self, response: Ints, request: Ints) -> Bools:
        """Whether responses acknowledge all bytes of requests; without numbers whether they come behind them."""
        number, end = self.number[response], self.end[request]
        passed: Bools = (number - end) & 0xFFFFFFFF < HALF
        return np.where((number >= 0) & (end >= 0), passed, request < response)


def pair(side: Ints, kind: NDArray[np.uint8], packet: Ints, keys: Keys, broken: Ints, acknowledged: Acknowledged) -> Ints:
    """For each row the row of its peer, -1 where it has none. `broken` are the rows (ascending) before which bytes of their side are missing."""
    peer = np.full(len(side), -1, np.int64)
    left = np.arange(len(side)) if len(side) < FEW else _one_to_one(side, kind, keys, peer, acknowledged)
    if len(left):
        rows = _rows(left, side, kind, keys)
        breaks = [*zip(broken.tolist(), side[broken].tolist(), packet[broken].tolist(), strict=True), (len(side), 0, 0)]
        _queues(rows, packet, keys.more, breaks, peer, acknowledged)
    return peer


def _one_to_one(side: Ints, kind: NDArray[np.uint8], keys: Keys, peer: Ints, acknowledged: Acknowledged) -> Ints:
    """Pair the keys that have one request and at most one response, behind it and acknowledging it; the rows of the others."""
    responds = (kind == RESPONSE) & keys.numbered
    asks = (kind != RESPONSE) & (kind != EVENT) & keys.numbered
    odd = np.zeros(len(side), np.bool_)
    odd[list(keys.other)] = True
    several = keys.number[sorted(keys.more)]
    for one in (0, 1):
        asked, answered = np.flatnonzero(asks & (side == one)), np.flatnonzero(responds & (side != one))
        if not len(asked) or not len(answered):
            continue
        asked_key, answered_key = keys.number[asked], keys.number[answered]
        order = np.argsort(asked_key, kind="stable")
        sorted_key = asked_key[order]
        place = np.minimum(sorted_key.searchsorted(answered_key), len(sorted_key) - 1)
        hit = sorted_key[place] == answered_key
        response, request, key = answered[hit], asked[order[place[hit]]], answered_key[hit]
        unclear = np.concatenate((_repeated(sorted_key), _repeated(np.sort(answered_key)), key[(request > response) | ~acknowledged.whole(response, request)],
                                  several))
        if len(unclear):
            odd[asked[np.isin(asked_key, unclear)]] = True
            odd[answered[np.isin(answered_key, unclear)]] = True
            clear = ~np.isin(key, unclear)
            response, request = response[clear], request[clear]
        peer[request], peer[response] = response, request
    return np.flatnonzero(odd)


def _repeated(keys: Ints) -> Ints:
    """Those of sorted keys that come more than once."""
    repeated: Ints = keys[1:][keys[1:] == keys[:-1]]
    return repeated


def _rows(rows: Ints, side: Ints, kind: NDArray[np.uint8], keys: Keys) -> Iterable[tuple[int, int, int, Any]]:
    """(row, side, kind, key) of the rows that pair with something, in order."""
    other = keys.other
    columns = (rows.tolist(), side[rows].tolist(), kind[rows].tolist(), keys.numbered[rows].tolist(), keys.number[rows].tolist())
    for row, one, what, numbered, number in zip(*columns, strict=True):
        if what == EVENT:
            continue
        if numbered:
            yield row, one, what, number
        elif row in other:
            yield row, one, what, other[row]


def _queues(rows: Iterable[tuple[int, int, int, Any]], packet: Ints, more: set[int], breaks: list[tuple[int, int, int]], peer: Ints,
            acknowledged: Acknowledged) -> None:
    """Pair row by row. `breaks` are (row, side, packet) of missing bytes, closed by a row behind all others."""
    number, start, end = acknowledged.number.tolist(), acknowledged.start.tolist(), acknowledged.end.tolist()
    waiting: tuple[dict[Any, deque[int]], dict[Any, deque[int]]] = ({}, {})
    early: tuple[dict[Any, deque[int]], dict[Any, deque[int]]] = ({}, {})
    broken = [-1, -1]
    upcoming = iter(breaks)
    at_break, broken_side, broken_packet = next(upcoming)
    for row, side, kind, key in rows:
        while at_break <= row:
            broken[broken_side] = broken_packet
            at_break, broken_side, broken_packet = next(upcoming)
        if kind != RESPONSE:
            held = early[1 - side].get(key)
            if not held or not _answered_early(row, held, start[row], number, more, peer):
                waiting[side].setdefault(key, deque()).append(row)
            continue
        found, mine = waiting[1 - side].get(key), number[row]
        if not found or (mine >= 0 <= end[found[0]] and (mine - end[found[0]]) & 0xFFFFFFFF >= HALF):
            if mine >= 0:
                early[side].setdefault(key, deque()).append(row)
            continue
        request = found.popleft()
        while found and packet[request] < broken[side] and (mine < 0 or (mine - end[found[0]]) & 0xFFFFFFFF < HALF):
            request = found.popleft()
        peer[row] = request
        if peer[request] < 0:
            peer[request] = row
        if row in more:
            found.appendleft(request)
        elif not found:
            del waiting[1 - side][key]


def _answered_early(request: int, held: deque[int], start: int, number: list[int], more: set[int], peer: Ints) -> bool:
    """Pair a request, of which the first byte has the sequence number `start`, with those of the responses captured before it that acknowledge some of its
    bytes; whether the last of them came. Those that acknowledge none of it answer requests before it, which were not captured: nobody takes them."""
    while held:
        response = held.popleft()
        if start < 0 or not 0 < (number[response] - start) & 0xFFFFFFFF < HALF:
            continue
        peer[response] = request
        if peer[request] < 0:
            peer[request] = response
        if response not in more:
            return True
    return False
