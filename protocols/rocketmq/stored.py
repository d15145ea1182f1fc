"""Stored messages without a field: where the parts of each record lie, and what a line of words says of them.

Source: MessageDecoder.java of apache/rocketmq 5.3.3; all big-endian. A record says its own length, and a fault inside one stays inside it. The
same outline serves the words of a row, which look at thousands of records, and the fields, which look at one.
"""
from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from protocols.rocketmq import tables as t
from protocols.rocketmq.values import split_properties

V1, V2, BLANK = 0xDAA320A7, 0xDAA320AB, 0xCBD43194
RECORDS = frozenset({V1, V2, BLANK})
MAGIC_BYTES = (b"\xda\xa3\x20\xa7", b"\xda\xa3\x20\xab")
HEAD = struct.Struct(">iIIiiqqIq")
"""Size, magic, CRC, queue id, flag, queue offset, physical offset, sysFlag, born time in milliseconds; hosts follow."""
LEAST = 91
INNER_LEAST = 22

_I32, _U32 = struct.Struct(">i").unpack_from, struct.Struct(">I").unpack_from


@dataclass(slots=True)
class Outline:
    """Where the parts of a record lie. `fault` says what does not fit, at `at`; parts from there on are empty."""

    start: int
    end: int
    magic: int
    queue_id: int = -1
    queue_offset: int = -1
    physical_offset: int = -1
    sys_flag: int = 0
    body: tuple[int, int] = (0, 0)
    topic: tuple[int, int] = (0, 0)
    properties: tuple[int, int] = (0, 0)
    at: int = 0
    fault: str = ""
    after_body: bool = False

    @property
    def topic_width(self) -> int:
        return 2 if self.magic == V2 else 1


def outline(data: bytes, start: int, end: int) -> Outline:
    """The outline of the stored message at `start`; `end` is the end of what may belong to it."""
    size, magic = _I32(data, start)[0], _U32(data, start + 4)[0]
    stop = min(end, start + size)
    found = Outline(start, stop, magic, at=start)
    if magic == BLANK:
        return found
    if stop - start < HEAD.size:
        found.fault = f"wanted {HEAD.size} bytes, had {stop - start}"
        return found
    _, _, _, found.queue_id, _, found.queue_offset, found.physical_offset, found.sys_flag, _ = HEAD.unpack_from(data, start)
    at = start + HEAD.size + (20 if found.sys_flag & t.BORN_V6 else 8) + 8 + (20 if found.sys_flag & t.STORE_V6 else 8) + 12
    found.at = at
    found.body, at = block(found, data, at, stop, 4)
    if not found.fault:
        found.after_body = True
        found.topic, at = block(found, data, at, stop, found.topic_width)
    if not found.fault:
        found.properties, at = block(found, data, at, stop, 2)
    if not found.fault and at != stop:
        found.fault = f"{t.sized(stop - at)} left over in the record"
    found.at = at
    return found


def block(found: Outline, data: bytes, at: int, stop: int, width: int) -> tuple[tuple[int, int], int]:
    """A length of `width` bytes and that many bytes: their range, and the position after them."""
    if stop - at < width:
        found.fault = f"wanted {t.sized(width)}, had {max(0, stop - at)}"
        return (at, at), at
    size = int.from_bytes(data[at:at + width], "big", signed=True)
    if size < 0 or size > stop - at - width:
        found.fault = f"a length of {size} with {t.sized(stop - at - width)} left"
        return (at, at), at
    return (at + width, at + width + size), at + width + size


def walk(data: bytes, start: int, end: int) -> Iterator[Outline]:
    """The whole records from `start` on, up to the first that does not fit."""
    at = start
    while end - at >= 8:
        size = _I32(data, at)[0]
        magic = _U32(data, at + 4)[0]
        if magic not in RECORDS or not (8 if magic == BLANK else LEAST) <= size <= end - at:
            return
        yield outline(data, at, end)
        at += size


def messages_like(data: bytes, start: int, end: int) -> bool:
    """Whether stored messages start here."""
    return end - start >= LEAST and data[start + 4:start + 8] in MAGIC_BYTES


def offset_id(data: bytes, found: Outline) -> str:
    """The offset message id: hex of store host, port and physical offset; "" where the record is cut before them."""
    at = found.start + HEAD.size + (20 if found.sys_flag & t.BORN_V6 else 8) + 8
    width = 20 if found.sys_flag & t.STORE_V6 else 8
    return (data[at:at + width] + data[found.start + 28:found.start + 36]).hex().upper() if at + width <= found.end else ""


def property_values(data: bytes, found: Outline) -> dict[str, str]:
    return {name: value for name, value, *_ in split_properties(data, *found.properties)}


def inner_count(data: bytes, start: int, end: int) -> int:
    """How many messages a batch holds."""
    at, count = start, 0
    while end - at >= INNER_LEAST and INNER_LEAST <= (size := _I32(data, at)[0]) <= end - at:
        at += size
        count += 1
    return count
