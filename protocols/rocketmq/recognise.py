"""How RocketMQ is told from the opening bytes of a connection, and what may be a frame.

A JSON header between `{` and `}` at the places that two lengths name, or a binary header whose remark and map fill it exactly, is no accident.
The client is the side that asks what clients ask; brokers ask as well, but other things.
"""
from __future__ import annotations

import re
import struct
from itertools import islice

from protocols.decoder import CLAIM, Match, Opening
from protocols.rocketmq import tables as t
from protocols.rocketmq.head import Front, front

PORTS = frozenset({9876, 10911, 10909, 19876})
SHORTEST = (20, 21)
"""Bytes of the shortest JSON and binary header."""
LEAST = 8 + min(SHORTEST)
MOST = 16_777_216
CHAIN = 8
FLAGS = 1 << 16
"""Flags are below it. Two bits have a meaning today."""
SURE_BINARY = 29
"""Bytes of a frame with a binary header from which its lengths are checked against each other."""
TRIES = 256

_FRAME = struct.Struct(">iI").unpack_from
_I16, _I32 = (struct.Struct(code).unpack_from for code in (">h", ">i"))
_LIKE = re.compile(rb'[\x00\x01]...(?:\x00...\{[\s"]|\x01\x00..)', re.DOTALL)


def accepts(head: bytes) -> bool:
    """Whether a frame can start with `head`: 40 bytes, or all that there is."""
    size = len(head)
    if size < 8:
        return size < 4 or (0 <= head[0] <= 1 and (size < 5 or head[4] <= 1))
    total, word = _FRAME(head)
    kind, length = word >> 24, word & 0xFFFFFF
    if kind > 1 or not SHORTEST[kind] <= length <= total - 4 or total > MOST - 4:
        return False
    if kind == t.JSON:
        return size < 10 or (head[8] == 0x7B and head[9] in b'" \t\r\n')
    if size < 25:
        return True
    flag, remark = _I32(head, 17)[0], _I32(head, 21)[0]
    if not 0 <= flag < FLAGS or not 0 <= remark <= length - 21:
        return False
    at = 25 + remark
    return bool(at + 4 > size or _I32(head, at)[0] == length - 21 - remark)


def frame_at(data: bytes, at: int, cut: bool) -> tuple[Front, int] | None:
    """The front and the end of the frame at `at`, when what is there of it is beyond doubt; the end may lie beyond the data. With `cut` a header of
    which the code alone is there will do: packets may be cut by the capture."""
    if len(data) - at < 16 or not accepts(data[at:at + 40]):
        return None
    total = _FRAME(data, at)[0]
    found = front(data, at, len(data))
    stop = at + found.header
    if found.code is None or (found.flag is not None and not 0 <= found.flag < FLAGS):
        return None
    if stop > len(data):
        if found.kind == t.BINARY and len(data) - at < SURE_BINARY:
            return None
        if not cut and (found.flag is None or found.opaque is None):
            return None
    elif found.flag is None or found.opaque is None:
        return None
    elif found.kind == t.JSON:
        if not data[at + 8:stop].rstrip().endswith(b"}"):
            return None
    elif not _tiles(data, at + 8, stop):
        return None
    return found, at + 4 + total


def _tiles(data: bytes, start: int, stop: int) -> bool:
    """Whether a binary header's remark and map fill it exactly."""
    at = start + 17 + _I32(data, start + 13)[0]
    if at + 4 > stop or _I32(data, at)[0] != stop - at - 4:
        return False
    at += 4
    while at < stop:
        if stop - at < 6:
            return False
        size = _I16(data, at)[0]
        at += 2 + size
        if size < 0 or at + 4 > stop:
            return False
        size = _I32(data, at)[0]
        at += 4 + size
        if size < 0:
            return False
    return bool(at == stop)


def frames(data: bytes, anywhere: bool) -> list[Front]:
    """The frames that follow each other from the start of `data`, or, `anywhere`, from the best place; up to CHAIN."""
    best = _chain(data, 0, True)
    if best or not anywhere:
        return best
    for found in islice(_LIKE.finditer(data), TRIES):
        run = _chain(data, found.start(), False)
        if len(run) > len(best):
            best = run
            if len(best) > 1:
                break
    return best


def _chain(data: bytes, at: int, cut: bool) -> list[Front]:
    run: list[Front] = []
    while len(run) < CHAIN and at < len(data) and (found := frame_at(data, at, cut)) is not None:
        run.append(found[0])
        at = found[1]
    return run


def recognise(opening: Opening) -> Match | None:
    """A match when frames are found on either side."""
    runs = [frames(data, not first) for data, first in zip(opening.data, opening.from_start, strict=True)]
    count = len(runs[0]) + len(runs[1])
    if not count:
        return None
    client = _client(runs, opening)
    names = [t.operation_name(one.code) for one in runs[client] if not _answers(one)]
    known = any(one.code in t.operations() or _answers(one) for run in runs for one in run)
    told = "JSON" if any(one.kind == t.JSON for run in runs for one in run) else "binary"
    why = f"{names[0]} in a {told} header" if names else f"{count} frames with {told} headers"
    if _answered(runs):
        return Match(100, f"{why}, and its answer", client)
    if told == "JSON" and known:
        return Match(95, why, client)
    if known:
        return Match(90 if count > 1 else 70, why, client)
    return Match(80 if count > 1 else CLAIM, why, client)


def _answers(one: Front) -> bool:
    """Whether a frame is an answer; without its flag only SUCCESS, which no request has as its code, tells."""
    return one.code == 0 if one.flag is None else bool(one.flag & t.RESPONSE)


def _answered(runs: list[list[Front]]) -> bool:
    for side in (0, 1):
        asked = {one.opaque for one in runs[side] if not _answers(one) and one.opaque is not None}
        if any(_answers(one) and one.opaque in asked for one in runs[1 - side]):
            return True
    return False


def _client(runs: list[list[Front]], opening: Opening) -> int:
    """The side that asks what clients ask, or that is asked what brokers ask; else by the ports, else the side that opened."""
    weight = [0, 0]
    for side in (0, 1):
        for one in runs[side]:
            answer = _answers(one)
            if not answer and one.code in t.FROM_BROKER:
                weight[1 - side] += 4
            elif not answer and one.code not in t.FROM_BOTH:
                weight[side] += 4
            elif answer:
                weight[1 - side] += 1
    if weight[0] != weight[1]:
        return 0 if weight[0] > weight[1] else 1
    a, b = opening.ports
    return 1 if a in PORTS and b not in PORTS else 0
