"""Is a connection Iggy's? Scores from its opening bytes, and the tests for the start of a single message.

The VSR framing is told by its header: 66 zero bytes behind a known command and a possible size. The classic one has no mark: a login, or a request and its
reply, must fit their layouts exactly. Where the recording started later, requests must follow one another, or replies do so on Iggy's own port.
"""
from __future__ import annotations

import re
import struct
from collections.abc import Callable
from functools import lru_cache
from itertools import islice

from protocols.decoder import CLAIM, Match, Opening
from protocols.iggy import commands as c
from protocols.iggy import vsr
from protocols.iggy.errors import NAMES
from protocols.iggy.generation import CLASSIC, body, fitting, tiles

__all__ = ["HEAD", "MOST", "PORTS", "is_vsr", "recognise", "reply_like", "request_like"]

PORTS = frozenset({8090, 8091})
HEAD = 12
MOST = (64 << 20) + (1 << 20)
"""Bytes of a message: payloads up to 64,000,000 bytes, user headers and the rest."""
ERROR_TEXT = 4096
TRIES, CHAIN, LOOKED_MOST = 300, 16, 1 << 17
UNKNOWN_CODES, STATUSES = 1024, 1 << 16
"""Numbers below these may be a command or a status, whether or not they have a name here."""

_HEAD: Callable[..., tuple[int, int]] = struct.Struct("<II").unpack_from
_CODES = b"|".join(re.escape(struct.pack("<I", one.code)) for one in c.CODES)
_REQUEST_LIKE = re.compile(rb"(?s)(?=..[\x00-\x3f]\x00(?:" + _CODES + rb"))")
_VSR_LIKE = re.compile(rb"(?s)(?=.{50}.[\x00-\x04].{8}[\x00-\x7f].\x00{66})")
_EMPTY = frozenset({c.PING, c.STATS, c.CLUSTER, c.ME, c.CLIENTS, c.USERS, c.LOGOUT_USER, c.TOKENS, c.STREAMS})
_LONG = frozenset({c.SEND, c.CREATE_USER, c.PERMISSIONS})
_SLACK, _SHORT, _METADATA = 64, 4096, 1 << 16
"""Bytes that a request without payload may have all the same (servers take them), that all but _LONG may have, and that the metadata of a send may claim."""
_LOGINS = frozenset({c.LOGIN, c.TOKEN_LOGIN})


def request_like(head: bytes) -> bool:
    """Whether a classic request can start with `head`: a known command, or an unknown one with a small number. A length below 4 is refused by servers, and
    the next request follows it."""
    if len(head) < 8:
        return len(head) < 4 or 4 <= int.from_bytes(head[:4], "little") <= MOST - 4
    length, code = _HEAD(head)
    if not 4 <= length <= MOST - 4:
        return False
    if code == c.SEND:
        return len(head) < HEAD or head[8] in (1, 2) or int.from_bytes(head[8:12], "little") < _METADATA
    if code in c.BY_CODE:
        return length <= (4 + _SLACK if code in _EMPTY else MOST if code in _LONG else _SHORT)
    return length <= (_SHORT if code else 4 + _SLACK) and code < UNKNOWN_CODES    # zeros are more often the middle of something


def reply_like(head: bytes) -> bool:
    """Whether a classic reply can start with `head`: status 0 with any length, an error with hardly more than itself; one without a name here with nothing
    or a text."""
    if len(head) < 8:
        return len(head) < 4 or int.from_bytes(head[:4], "little") < STATUSES
    status, length = _HEAD(head)
    if not status or status in NAMES:
        return length <= (ERROR_TEXT if status else MOST - 8)
    return status < STATUSES and length <= ERROR_TEXT and (not length or (bytes(head[8:12]).isascii() and all(byte > 31 for byte in head[8:12])))


@lru_cache(maxsize=256)
def is_vsr(opening: bytes, peer: bytes) -> bool:
    """Whether a connection speaks the VSR framing, from the opening bytes of both directions."""
    return any(_frame_from(one) >= 0 for one in (opening, peer))


def _frame_from(data: bytes) -> int:
    """Where the first frame of a direction begins that may have begun before; -1 where there is none. Behind the first byte it must prove itself: with a
    checksum, or, as frames of clients have none, with zeros in its place."""
    if len(data) >= 128 and vsr.looks_like(data[:128]):
        return 0
    for found in islice(_VSR_LIKE.finditer(data), TRIES):
        at = found.start()
        if vsr.looks_like(data[at:at + 128]) and vsr.sure(data, at):
            return at
    return -1


def recognise(opening: Opening) -> Match | None:
    """The best match over both possible clients."""
    found = [match for client in (0, 1) if (match := _as_vsr(opening, client) or _as_classic(opening, client)) is not None]
    return max(found, key=lambda match: match.score, default=None)


# VSR

def _frames(data: bytes, at: int) -> list[vsr.Frame]:
    """The frames that follow each other from `at` on, up to CHAIN; the last may be cut off."""
    found: list[vsr.Frame] = []
    while len(found) < CHAIN and len(data) - at >= 128 and vsr.looks_like(data[at:at + 128]):
        one = vsr.frame(data, at, len(data))
        found.append(one)
        at += one.size
    return found


def _as_vsr(opening: Opening, client: int) -> Match | None:
    mine, theirs = (_first_frames(opening, side) for side in (client, 1 - client))
    if not mine and not theirs:
        return None
    count = len(mine) + len(theirs)
    asked, answered = any(one.command == vsr.REQUEST for one in mine), any(one.command in (vsr.REPLY, vsr.EVICTION) for one in theirs)
    words = f"{count} VSR {'frame' if count == 1 else 'frames'}"
    if asked or answered:
        sides = "requests and replies" if asked and answered else "requests" if asked else "replies"
        return Match(100 if asked and answered else 95, f"0.9 (VSR): {words}, {sides}", client)
    if any(one.command in (vsr.REQUEST, vsr.REPLY, vsr.EVICTION) for one in (*mine, *theirs)):
        return Match(CLAIM + 10, f"0.9 (VSR): {words}, the sides exchanged", client)
    return Match(95 if client == 0 else 94, f"0.9 (VSR): {words} between replicas", client)


def _first_frames(opening: Opening, side: int) -> list[vsr.Frame]:
    """The frames of a side: from its first byte where the start was captured, else from where the first one stands."""
    data = opening.data[side]
    if opening.from_start[side]:
        return _frames(data, 0)
    at = _frame_from(data)
    return _frames(data, at) if at >= 0 else []


# classic

def _request_at(data: bytes, at: int) -> tuple[int, int]:
    """(command, where the request at `at` ends) when its payload fits the layout of a generation exactly; (0, 0) when not."""
    if len(data) - at < 8:
        return 0, 0
    length, code = _HEAD(data, at)
    end = at + 4 + length
    if not 4 <= length <= len(data) - at - 4 or code not in c.BY_CODE or code in c.VSR_ONLY:
        return 0, 0
    return (code, end) if fitting(code, True, data, at + 8, end) else (0, 0)


def _requests(data: bytes, at: int) -> tuple[list[int], int]:
    """The commands of the requests that follow each other from `at` on, up to CHAIN, and the position after them."""
    found: list[int] = []
    while len(found) < CHAIN:
        code, end = _request_at(data, at)
        if not end:
            break
        found.append(code)
        at = end
    return found, at


def _replies(data: bytes) -> tuple[list[tuple[int, int, int]], bool]:
    """The replies from the start of `data`, up to CHAIN, as (status, start and end of the payload); whether they go on to its end, or to CHAIN."""
    found: list[tuple[int, int, int]] = []
    at = 0
    while at < len(data) and len(found) < CHAIN:
        if not reply_like(data[at:at + 8]):
            return found, False
        if len(data) - at < 8:
            break
        status, length = _HEAD(data, at)
        found.append((status, at + 8, at + 8 + length))
        at += 8 + length
    return found, True


def _fits(code: int, reply: tuple[int, int, int], data: bytes) -> bool:
    """Whether a reply can answer a command. An error can answer any."""
    status, start, end = reply
    if status:
        return True
    if end == start:
        return True
    if end > len(data):
        return body(CLASSIC[0], code, False) is not None and body(CLASSIC[0], code, False).parts != ()  # type: ignore[union-attr]
    return any(tiles(body(number, code, False), data, start, end) for number in CLASSIC)


def _as_classic(opening: Opening, client: int) -> Match | None:
    mine, theirs = opening.data[client], opening.data[1 - client]
    if opening.from_start[client] and mine:
        found, after = _requests(mine, 0)
        if not found:
            return _cut_request(opening, client)
        if after < len(mine) and len(found) < CHAIN and not request_like(mine[after:after + HEAD]) and found[0] not in _LOGINS:
            return None
        replies, whole = _replies(theirs)
        name = c.operation(found[0])
        named = any(status in NAMES for status, _, _ in replies)    # a status without a name speaks for nothing
        if replies and whole and named and all(_fits(code, reply, theirs) for code, reply in zip(found, replies, strict=False)):
            sure = 100 if _LOGINS.intersection(found) else 90 if any(reply[2] > reply[1] for reply in replies) or len(found) > 2 else 70
            return Match(sure, f"{name} and a reply that fits", client)
        if found[0] in _LOGINS:
            return Match(90 if not theirs else 75, f"{name} request", client)
        return Match(60, f"{len(found)} requests that fit their layouts", client) if len(found) > 2 and not theirs else None
    if opening.from_start[1 - client] and theirs:
        return None
    return _midstream(opening, client)


def _cut_request(opening: Opening, client: int) -> Match | None:
    """A first request that is longer than the opening, or not all there: with a reply, on Iggy's own port."""
    mine, theirs = opening.data[client], opening.data[1 - client]
    if len(mine) < 8 or not request_like(mine[:HEAD]) or not PORTS.intersection(opening.ports):
        return None
    code = _HEAD(mine)[1]
    replies, whole = _replies(theirs)
    if code in c.BY_CODE and code not in c.VSR_ONLY and replies and whole:
        return Match(CLAIM + 5, f"{c.operation(code)} request and a reply", client)
    return None


def _midstream(opening: Opening, client: int) -> Match | None:
    """A connection whose start was not captured."""
    mine, theirs = opening.data[client], opening.data[1 - client]
    best: list[int] = []
    looked = 0
    for found in islice(_REQUEST_LIKE.finditer(mine), TRIES):
        requests, after = _requests(mine, found.start())
        looked += min(len(mine), after + 4 + _HEAD(mine, found.start())[0]) - found.start()
        if looked > LOOKED_MOST:
            break
        if len(requests) > len(best):
            best = requests
        if len(best) >= 4 or (best and after == len(mine)):
            break
    replies, whole = _replies(theirs)
    telling = [code for code in best if code not in _EMPTY]
    if len(telling) >= 2:
        return Match(85, f"{len(best)} requests in a row that fit their layouts", client)
    if telling and whole and replies:
        return Match(75, f"{c.operation(telling[0])} request that fits, and replies", client)
    if best and whole and replies and PORTS.intersection(opening.ports):
        return Match(CLAIM + 5, f"{c.operation(best[0])} request and replies, Iggy's port", client)
    if opening.ports[1 - client] in PORTS and whole and len(replies) >= 2:
        return Match(CLAIM, f"{len(replies)} replies in a row from Iggy's port", client)
    return None
