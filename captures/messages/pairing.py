"""Requests and responses brought together, in the order in which they were complete.

A request waits under its key on its side's list; a response takes the oldest that waits on the other side with the same key (protocols
that answer in order give all messages one key). Where bytes of the responding side are missing, the answers of requests made
before may have gone with them: of those that wait under one key only the newest is kept. Capture order may be skewed: a response captured
before its request is paired when it acknowledges the request's bytes. A one-way request with a key waits as well: some servers answer.
A request that has several responses (`Header.more`) has the first one as its peer, and is the peer of all.

Keys are independent of each other. Those with one request and at most one response behind it, nearly all, are matched as columns;
only the rest goes through the queues.
"""
from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protocols.kinds import EVENT, RESPONSE

__all__ = ["Keys", "pair"]

SKEW = 64
"""Packets by which a response may be captured before its request."""
FEW = 128
"""Messages from which columns are faster than the queues."""

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


def pair(side: Ints, kind: NDArray[np.uint8], packet: Ints, keys: Keys, broken: Ints, answers: Callable[[int, int], bool]) -> Ints:
    """For each row the row of its peer, -1 where it has none. `broken` are the rows (ascending) before which bytes of their side are missing;
    `answers(response, request)` says whether the packet of the row `response` acknowledges the bytes of the row `request`."""
    peer = np.full(len(side), -1, np.int64)
    left = np.arange(len(side)) if len(side) < FEW else _one_to_one(side, kind, keys, peer)
    if len(left):
        rows = _rows(left, side, kind, keys)
        breaks = [*zip(broken.tolist(), side[broken].tolist(), packet[broken].tolist(), strict=True), (len(side), 0, 0)]
        _queues(rows, packet, keys.more, breaks, peer, answers)
    return peer


def _one_to_one(side: Ints, kind: NDArray[np.uint8], keys: Keys, peer: Ints) -> Ints:
    """Pair the keys that have one request and at most one response, behind it; the rows of the others."""
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
        unclear = np.concatenate((_repeated(sorted_key), _repeated(np.sort(answered_key)), key[request > response], several))
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
            answers: Callable[[int, int], bool]) -> None:
    """Pair row by row. `breaks` are (row, side, packet) of missing bytes, closed by a row behind all others."""
    waiting: tuple[dict[Any, deque[int]], dict[Any, deque[int]]] = ({}, {})
    early: dict[Any, int] = {}
    broken = [-1, -1]
    upcoming = iter(breaks)
    at_break, broken_side, broken_packet = next(upcoming)
    for row, side, kind, key in rows:
        while at_break <= row:
            broken[broken_side] = broken_packet
            at_break, broken_side, broken_packet = next(upcoming)
        if kind != RESPONSE:
            before = early.get((1 - side, key)) if early else None
            if before is not None and packet[row] - packet[before] <= SKEW and answers(before, row):
                del early[1 - side, key]
                peer[row], peer[before] = before, row
                if before not in more:
                    continue
            waiting[side].setdefault(key, deque()).append(row)
            continue
        found = waiting[1 - side].get(key)
        if not found:
            early[side, key] = row
            continue
        request = found.popleft()
        while found and packet[request] < broken[side]:
            request = found.popleft()
        peer[row] = request
        if peer[request] < 0:
            peer[request] = row
        if row in more:
            found.appendleft(request)
        elif not found:
            del waiting[1 - side][key]
