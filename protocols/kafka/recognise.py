"""Tells Kafka from the bytes alone, on any port, and finds where a frame can start.

A request is strict: length, a known API key and version, a printable client id, and (for the claim) a body that takes the frame
exactly. A response has only a length and a correlation id, which is judged by the correlation ids of the requests seen at
the start of the other direction.
"""
from __future__ import annotations

import struct
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from protocols.decoder import Match, Opening, Side
from protocols.engine.fields import printable
from protocols.engine.records import Malformed, Short, Source
from protocols.kafka import frames, schema
from protocols.kafka.frames import Api
from protocols.kafka.layouts import reader

__all__ = ["FAR", "HEAD", "MOST", "PORTS", "Expected", "accepts", "expected", "is_headless", "is_request", "recognise"]

MOST = 104_857_600
"""`socket.request.max.bytes` of a broker; responses can be a little larger than what was asked for."""
HEAD = 64
PORTS = frozenset({9092})
NEWER = 2
"""Versions beyond the schema that are still believed without a look at the client id."""
METADATA, SASL_HANDSHAKE, API_VERSIONS = 3, 17, 18
SURPLUS = 8
"""Bytes that librdkafka may leave behind a Metadata or ApiVersions request."""
REQUEST = 12
"""Bytes of a request up to and with its correlation id."""
TRIED = 4
UNSURE = 2**24
BEFORE = 10_000
FAR = 0x7FFF_0000
"""How far correlation ids may be from those of the requests seen: ahead, behind; and from where on a client counts in a range of its own."""
WEAK = 25
"""The score of what has the form of a request's first bytes and nothing more: a claim only with an answer that has its id, and Kafka's port."""
LETTERS = 3
"""Of a client id that is cut off, as many must be there."""
HEADLESS, KNOWN, NEW = 1, 2, 3
LENGTH_AND_API, LENGTH_AND_ID, OPENS = struct.Struct(">ihh"), struct.Struct(">ii"), struct.Struct(">iIih")


@lru_cache(maxsize=4096)
def _standing(key: int, version: int) -> int:
    """What the API and version of a request say: HEADLESS, KNOWN, NEW (the length of its client id must be there to be judged) or 0."""
    message = schema.request(key)
    if version < 0:
        return 0
    if message is not None and frames.request_version(Api(key, version)) == 0:
        return HEADLESS
    if message is not None and version <= message.most + NEWER:
        return KNOWN
    return NEW if version < 256 and 0 <= key < 2048 else 0


@lru_cache(maxsize=1024)
def _printable(text: bytes) -> bool:
    """Whether this is UTF-8 without control characters; a character may be cut off at the end."""
    decoded = text.decode("utf-8", "ignore")
    return printable(decoded) == decoded and len(text) - len(decoded.encode()) <= 3


@lru_cache(maxsize=4096)
def _usual(api: int, client: bytes) -> bool:
    """Whether a known API and version (key << 16 | version) with a readable client id stand here, as in nearly all requests."""
    return _standing(api >> 16 & 0xFFFF, api & 0xFFFF) == KNOWN and _printable(client)


def is_request(head: bytes) -> bool:
    """Whether a request can start with `head`; only what is there is judged."""
    if len(head) >= 14:
        length, api, _, size = OPENS.unpack_from(head)
        if -1 <= size <= length - 10 and length <= MOST and _usual(api, head[14:14 + max(0, size)]):
            return True
    if len(head) < 8:
        return len(head) < 4 or bool(8 <= int.from_bytes(head[:4], "big") <= MOST)
    length, key, version = LENGTH_AND_API.unpack_from(head)
    standing = _standing(key, version)
    if not standing or not 8 <= length <= MOST:
        return False
    if standing == HEADLESS:
        return True
    if len(head) >= 14:
        size = (head[12] << 8 | head[13]) - (head[12] >> 7 << 16)
        client = head[14:14 + max(0, size)]
        if length < 10 or not -1 <= size <= length - 10 or not _printable(client):
            return False
    return standing == KNOWN or len(head) >= REQUEST + 2


def is_headless(head: bytes) -> bool:
    """Whether the API and version of the request `head` have no client id."""
    _, key, version = LENGTH_AND_API.unpack_from(head)
    return _standing(key, version) == HEADLESS


@lru_cache(maxsize=64)
def _first_requests(opening: bytes) -> tuple[tuple[int, int, int], ...]:
    """(correlation id, API key, version) of the requests in the opening of the client's direction."""
    at, found = _start(opening), []
    while at >= 0 and at + 12 <= len(opening) and is_request(opening[at:at + HEAD]):
        length, key, version, correlation = struct.unpack_from(">ihhi", opening, at)
        found.append((correlation, key, version))
        at += 4 + length
    return tuple(found)


@lru_cache(maxsize=64)
def _start(data: bytes) -> int:
    """Where the first request starts whose follower starts well too; -1 when there is none."""
    for at in range(max(0, len(data) - 11)):
        if data[at] > 6 or not is_request(data[at:at + HEAD]):
            continue
        after = at + 4 + int.from_bytes(data[at:at + 4], "big")
        if at == 0 or after == len(data) or (after + 12 <= len(data) and is_request(data[after:after + HEAD])):
            return at
    return -1


class Expected(NamedTuple):
    """What the requests in the opening of the client's direction say of the responses: which correlation ids are likely, and
    whether any will do because they jump about. `bare`: the client asked for SASL tokens without Kafka frames (SaslHandshake v0)."""

    low: int
    high: int
    named: frozenset[int]
    any: bool
    bare: bool


@lru_cache(maxsize=64)
def expected(client: bytes) -> Expected:
    """What the opening of the client's direction says."""
    requests = _first_requests(client)
    if not requests:
        return Expected(0, UNSURE - 1, frozenset(), False, False)
    known = [one for one, _, _ in requests]
    bare = any(key == SASL_HANDSHAKE and version == 0 for _, key, version in requests)
    jumps = any(abs(b - a) > UNSURE for a, b in pairwise(known))
    return Expected(known[0] - BEFORE, known[-1] + UNSURE, frozenset(known), jumps or bare, bare)


def accepts(head: bytes, side: Side) -> bool:
    """Whether a message can start with `head` in this direction."""
    if side.from_client:
        return is_request(head) or (len(head) >= 4 and int.from_bytes(head[:4], "big") <= MOST and expected(side.opening).bare)
    if len(head) < 8:
        return len(head) < 4 or 4 <= (length := int.from_bytes(head[:4], "big")) <= MOST or (length < 4 and expected(side.peer_opening).bare)
    length, correlation = LENGTH_AND_ID.unpack_from(head)
    low, high, named, any_, bare = expected(side.peer_opening)
    if not 4 <= length <= MOST:
        return bare and 0 <= length < 4
    return low <= correlation <= high or any_ or correlation >= FAR or correlation in named


def _fits(data: bytes, at: int, end: int) -> bool | None:
    """Whether the request at `at` .. `end` is one, to its last byte, or as far as `data` goes; None when this build has no layout for it."""
    key, version = struct.unpack_from(">hh", data, at + 4)
    message = schema.request(key)
    if message is None or not message.knows(version):
        return None
    now, there = at + 12, min(end, len(data))
    kind = frames.request_version(Api(key, version))
    source = Source(data, 0, there < end)
    try:
        if kind:
            (size,) = struct.unpack_from(">h", data, now)
            now += 2 + max(0, size)
        if kind > 1:
            now = reader(schema.header("HeaderTags"), 0)(source, now, there, [])
        now = reader(message, version)(source, now, there, [])
    except Short:
        return there < end
    except (Malformed, struct.error):
        return False
    return now == there == end or (key in (METADATA, API_VERSIONS) and 0 <= end - now <= SURPLUS)


def _has_client(data: bytes, at: int) -> bool:
    """Whether the request at `at` names its client in letters that were captured: a length alone is no name."""
    if len(data) < at + 14 or data[at + 12]:
        return False
    return data[at + 13] > 0 and len(data) - at - 14 >= min(data[at + 13], LETTERS)


def _requests(data: bytes, from_start: bool) -> tuple[int, str, set[int]]:
    """Score, why and correlation ids of one direction, taken as a client's. A request that does not name its client counts for less:
    rows of zeros fit many layouts. Without a body that was read to its end, it is never enough for a claim by itself, and an id of 0 is
    none that an answer could prove it by."""
    at = 0 if from_start and is_request(data[:HEAD]) else -1 if from_start else _start(data)
    if at < 0 or len(data) - at < 12:
        return 0, "", set()
    zeros = not any(data[at + 4:at + REQUEST])
    exact, unread, headers, named, name, ids = 0, 0, 0, 0, "", set()
    while at + 12 <= len(data) and headers < TRIED and is_request(data[at:at + HEAD]):
        length, key, version, correlation = struct.unpack_from(">ihhi", data, at)
        end = at + 4 + length
        fits = _fits(data, at, end)
        if fits is False and not exact:
            return 0, "", set()
        headers += 1
        named += _has_client(data, at)
        ids.add(correlation)
        name = name or f"{schema.api_name(key)} v{version}"
        exact += bool(fits) and end <= len(data)
        unread += fits is None
        at = end
    if exact:
        return 95 if named else 45 if zeros else 55, f"request {name} whose body takes its frame exactly", ids if named else ids - {0}
    if not named:
        return WEAK if headers else 0, f"the start of request {name}", ids - {0}
    if headers > 1:
        return 80, f"{headers} request headers in a row, first {name}", ids
    if unread:
        return 55 if at <= len(data) else 0, f"the header of request {name}, with a body that this build does not read", ids
    return 60, f"the start of request {name}", ids


def _answered(data: bytes, ids: set[int]) -> bool:
    """Whether the server's first frame has one of the correlation ids."""
    return len(data) >= 8 and 4 <= int.from_bytes(data[:4], "big") <= MOST and int.from_bytes(data[4:8], "big", signed=True) in ids


def _api_versions_answer(data: bytes) -> bool:
    """Whether the direction opens with the answer to ApiVersions, which can be told without its request."""
    if len(data) < 10 or not 4 <= (length := int.from_bytes(data[:4], "big")) <= len(data) - 4 or int.from_bytes(data[8:10], "big") not in (0, 35):
        return False
    message = schema.response(18)
    assert message is not None
    for version in range(message.most, -1, -1):
        try:
            if reader(message, version)(Source(data), 8, 4 + length, []) == 4 + length:
                return True
        except Malformed:
            continue
    return False


def _answers(data: bytes) -> int:
    """How many frames with rising correlation ids follow each other from the start of `data`."""
    at, count, last = 0, 0, -1
    while at + 8 <= len(data):
        length, correlation = struct.unpack_from(">ii", data, at)
        if not 4 <= length <= MOST or not last <= correlation <= last + 1000 + (UNSURE if last < 0 else 0):
            return 0
        at, count, last = at + 4 + length, count + 1, correlation
    return count


def recognise(opening: Opening) -> Match | None:
    """How sure it is that a connection which opens like this is Kafka's, and which side is the client."""
    best: Match | None = None
    for side in (0, 1):
        score, why, ids = _requests(opening.data[side], opening.from_start[side])
        if not score:
            continue
        if _answered(opening.data[1 - side], ids):
            score, why = min(99, score + 20), f"{why}, answered with its correlation id"
        if opening.ports[1 - side] in PORTS:
            score = min(99, score + 10)
        if best is None or score > best.score:
            best = Match(score, why, side)
    if best is not None:
        return best
    for side in (0, 1):
        data = opening.data[side]
        if _api_versions_answer(data):
            return Match(80, "the answer to ApiVersions", 1 - side)
        if opening.ports[side] in PORTS and not opening.data[1 - side] and _answers(data) > 1:
            return Match(55, f"port {opening.ports[side]}, frames with rising correlation ids", 1 - side)
    return None
