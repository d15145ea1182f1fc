"""Is a connection ZooKeeper's client protocol? Scores from its opening bytes, and the test for a single frame.

A captured start is told by the handshake (or a four-letter word) and by nothing else. Where the recording started later, whole frames must fit
their layouts exactly: two in a row, or one with a reply that carries the same xid. The quorum and election planes have other frames.
"""
from __future__ import annotations

import re
import struct
from collections.abc import Callable
from itertools import islice

from protocols.decoder import CLAIM, Match, Opening
from protocols.engine.records import Malformed, parse
from protocols.zookeeper import tables as t
from protocols.zookeeper import words
from protocols.zookeeper.handshake import connect_request, connect_response, cut_request, cut_response, refusal
from protocols.zookeeper.layouts import PATH, REQUEST_BODIES, REQUESTS, TRAILING, UNKNOWN, WATCH_EVENT

LEAST, MOST = 4, (64 << 20) + 4
"""Bytes of a frame with its length field. Servers refuse bodies over `jute.maxbuffer` (1,048,575 unless raised)."""
PORTS = frozenset({2181})
TRIES, CHAIN = 200, 32
COMMON_XIDS = 1 << 24
COMMON_CODES, CODES = 1024, 1 << 15
"""Numbers below these may be an operation (the larger ones where a path or nothing follows) or an error, whether or not they have a name here."""
SLASH = 0x2F
REPLY_LEAST = 16

_HEAD: Callable[..., tuple[int, int, int]] = struct.Struct(">iii").unpack_from
_REPLY: Callable[..., tuple[int, int, int, int]] = struct.Struct(">iiqi").unpack_from
_I32 = struct.Struct(">i").unpack_from
_PING = bytes.fromhex("00000008fffffffe0000000b")
_REQUEST_LIKE = re.compile(rb"(?=\0[\0-\x0f][\0-\xff]{6}(?:\0\0\0[\x01-\x16\x64-\x6b]|\0\0\x01[\xf4-\xfb]|\xff\xff\xff\xf5))")
_REPLY_LIKE = re.compile(rb"(?=\0[\0-\x0f][\0-\xff]{6}(?:\xff{8}|[\0-\x7f][\0-\xff]{7})(?:\0\0\0\0|\xff\xff\xff[\x81-\xfe]))")
_OF_XID = {t.PING_XID: (t.PING,), t.AUTH_XID: (t.AUTH,), t.SET_WATCHES_XID: (t.SET_WATCHES, t.SET_WATCHES2)}
"""The operations of the special xids. Set-watches requests come with ordinary xids as well."""


def request_like(head: bytes) -> bool:
    """Whether a client's frame can start with `head`: a known operation with any body, or an unknown one; with an xid that few sessions
    reach the body must fit as well. Xid -1 is refused: only servers send it, and a MultiHeader inside a transaction looks so when it is taken for a message."""
    if len(head) < 12:
        return _tail(head, 0)
    length, xid, code = _HEAD(head)
    if length < 8:
        return 0 <= length == len(head) - 4
    if length > MOST - 4 or xid <= -16 or xid == t.NOTIFICATION:
        return connect_request(head)
    if code in REQUESTS:
        return xid < COMMON_XIDS or _path_fits(head, length, code)
    if xid < COMMON_XIDS and -16 < code < COMMON_CODES:
        return True
    return (xid < COMMON_XIDS and -CODES < code < CODES and (length == 8 or _path_at(head, length))) or connect_request(head)


def _path_fits(head: bytes, length: int, code: int) -> bool:
    """Whether the body of a known operation can start as `head` does: with a path, where it starts with one."""
    if code in (t.PING, t.WHO_AM_I, t.CLOSE_SESSION):
        return length == 8
    return REQUEST_BODIES[code][0][0] is not PATH or _path_at(head, length)


def _path_at(head: bytes, length: int) -> bool:
    """Whether a body can start with a path; also where less of it is there."""
    return len(head) < 17 or (0 < _I32(head, 12)[0] <= length - 12 and head[16] == SLASH)


def reply_like(head: bytes) -> bool:
    """Whether a server's frame can start with `head`."""
    if len(head) < 20:
        return _tail(head, REPLY_LEAST)
    length, xid, zxid, code = _REPLY(head)
    if not REPLY_LEAST <= length <= MOST - 4 or xid <= -16 or zxid < -1 or not -CODES < code < CODES:
        return connect_response(head)
    # errors that have no name here carry nothing: with a body they are the middle of something
    return length == REPLY_LEAST or -200 < code <= 0 or connect_response(head)


def block_like(head: bytes) -> bool:
    """Whether a compressed block can start with `head`: a checksum of 16 bytes, the method, and two lengths."""
    if len(head) < 25:
        return True
    packed, unpacked = int.from_bytes(head[17:21], "little"), int.from_bytes(head[21:25], "little")
    return 9 <= packed <= MOST and 0 < unpacked <= MOST


def _tail(head: bytes, least: int) -> bool:
    """Whether the last few bytes of a direction may be a frame that is cut off, or too short for a header; servers send none shorter than `least`."""
    return len(head) < 4 or (least <= _I32(head)[0] <= MOST - 4 and (len(head) < 8 or _I32(head, 4)[0] > -16))


def request_at(data: bytes, at: int) -> int:
    """Where the request at `at` ends, when it is a known operation with a fitting xid whose body fits exactly; else 0."""
    if at + 12 > len(data):
        return 0
    length, xid, code = _HEAD(data, at)
    end = at + 4 + length
    layout = REQUESTS.get(code)
    if layout is None or length < 8 or end > len(data):
        return 0
    if code not in _OF_XID[xid] if xid in _OF_XID else xid < 1 or code in (t.PING, t.AUTH):
        return 0
    try:
        found, after = parse(layout, data, at, end)
    except Malformed:
        return 0
    if after != end or found[-1].spec in (TRAILING, UNKNOWN):
        return 0
    paths = [one.value for one in found if one.spec is PATH]
    return 0 if any(not path or path[0] != "/" or "\0" in path for path in paths) else end


def reply_at(data: bytes, at: int) -> int:
    """Where the reply at `at` ends, when its header holds a possible xid, zxid and error; else 0."""
    if at + 20 > len(data):
        return 0
    length, xid, zxid, code = _REPLY(data, at)
    end = at + 4 + length
    if not 16 <= length <= MOST - 4 or zxid < -1 or code not in t.ERRORS or (xid < 1 and xid not in t.SPECIAL_XIDS):
        return 0
    if xid == t.NOTIFICATION:
        try:
            if parse(WATCH_EVENT, data, at, min(end, len(data)))[0][-1].spec is not PATH:
                return 0
        except Malformed:
            return 0
    return end if xid != t.PING_XID or length == 16 else 0


def recognise(opening: Opening) -> Match | None:
    """The best match over both possible clients."""
    found = [match for client in (0, 1) if (match := _as_client(opening, client)) is not None]
    return max(found, key=lambda match: match.score, default=None)


def _as_client(opening: Opening, client: int) -> Match | None:
    mine, theirs = opening.data[client], opening.data[1 - client]
    if word := words.word(mine):
        return _word(opening, client, word)
    answered = connect_response(theirs[:24])
    if connect_request(mine[:48]):
        if answered or refusal(theirs[:20]):
            return Match(100, "ConnectRequest and its answer", client)
        return Match(95, "ConnectRequest", client)
    if answered:
        return Match(90, "ConnectResponse", client)
    if _PING in mine:
        place = mine.index(_PING)
        if place == 0 or not opening.from_start[client]:
            return Match(95, "ping request", client)
    if (opening.from_start[client] and mine) or (opening.from_start[1 - client] and theirs):
        return _cut_handshake(opening, client)
    return _midstream(opening, client)


def _word(opening: Opening, client: int, word: bytes) -> Match | None:
    mine, theirs = opening.data[client], opening.data[1 - client]
    command = words.name(word)
    if not words.alone(mine):
        return None
    if theirs and words.fits(word, theirs):
        return Match(90, f"four-letter word {command} and its answer", client)
    if theirs or not opening.whole[client]:
        return None
    if PORTS.intersection(opening.ports):
        return Match(CLAIM, f"four-letter word {command}, port 2181", client)
    return Match(CLAIM - 10, f"four-letter word {command}", client)


def _cut_handshake(opening: Opening, client: int) -> Match | None:
    """A handshake that never came whole: both sides of it together; of one side alone on ZooKeeper's own port."""
    mine, theirs = opening.data[client], opening.data[1 - client]
    asked, answered = cut_request(mine), cut_response(theirs)
    if asked and answered:
        return Match(85, "ConnectRequest and its answer, both cut off", client)
    if (asked and not theirs) or (answered and not mine):
        own = opening.ports[1 - client] in PORTS
        what = "ConnectRequest" if asked else "ConnectResponse"
        return Match(CLAIM if own else CLAIM - 10, f"{what} that is cut off" + (", port 2181" if own else ""), client)
    return None


def _midstream(opening: Opening, client: int) -> Match | None:
    mine, theirs = opening.data[client], opening.data[1 - client]
    requests, xids, _ = _chain(_REQUEST_LIKE, request_at, mine)
    if requests >= 2:
        return Match(80, f"{requests} requests in a row", client)
    replies, answered, zxids = _chain(_REPLY_LIKE, reply_at, theirs)
    if requests and xids & answered:
        return Match(85, "a request and the reply with its xid", client)
    told = [zxid for zxid in zxids if zxid > 0]
    if not mine and replies >= 2 and len(told) >= 2 and told == sorted(told):
        return Match(CLAIM + 5, f"{replies} replies in a row, no request captured", client)
    if opening.ports[1 - client] in PORTS and reply_at(theirs, 0) and _REPLY(theirs)[1] > 0 and _REPLY(theirs)[2] > 0:
        return Match(CLAIM, "a reply from port 2181", client)
    return None


def _chain(pattern: re.Pattern[bytes], frame: Callable[[bytes, int], int], data: bytes) -> tuple[int, set[int], list[int]]:
    """How many frames follow each other at the best place, up to CHAIN, with their xids and what stands where replies have their zxid."""
    best: tuple[int, set[int], list[int]] = 0, set(), []
    for found in islice(pattern.finditer(data), TRIES):
        count, now = 0, found.start()
        xids: set[int] = set()
        zxids: list[int] = []
        while count < CHAIN and (end := frame(data, now)):
            xids.add(_I32(data, now + 4)[0])
            zxids.append(int.from_bytes(data[now + 8:now + 16], "big", signed=True))
            count, now = count + 1, end
        if count > best[0]:
            best = count, xids, zxids
        if count >= 4:
            break
    return best
