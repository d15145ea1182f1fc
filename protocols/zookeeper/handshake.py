"""The handshake of a ZooKeeper connection, and what it settles for all that follows: how wide an xid is, whether messages travel compressed.

ZooKeeper's own version is 0. ClickHouse Keeper, which speaks the same protocol, states 10 for blocks that are compressed after the handshake, 11 for xids
of 8 bytes and 12 for a byte of tracing behind each request; from 11 on a byte between the version and the last zxid, which the length does not count,
says whether they are compressed. Versions that nobody has written down are read like those before them.
Source: Apache ZooKeeper, `zookeeper.jute`; ClickHouse, `ZooKeeperConstants.h`, `KeeperTCPHandler.cpp`.
"""
from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

__all__ = ["PLAIN", "WIDE", "Variant", "connect_request", "connect_response", "cut_request", "cut_response", "narrow", "refusal", "request_length", "variant"]

COMPRESSED, WIDE, TRACED = 10, 11, 12
"""Versions of ClickHouse Keeper, each with what those before it have."""
VERSIONS = 1 << 16
"""Versions below this may be real; anything above is another protocol's number."""
PASSWORDS = (-1, 0, 16)
"""Sizes of a password: none, or what servers make."""

_I32 = struct.Struct(">i").unpack_from
_HEAD: Callable[..., tuple[int, int]] = struct.Struct(">ii").unpack_from
_XID_HEAD: Callable[..., tuple[int, int]] = struct.Struct(">iq").unpack_from


class Variant(NamedTuple):
    """What a handshake settles. `xid` is the size of an xid in bytes; `more` how many bytes the length of a request does not count."""

    xid: int = 4
    more: int = 0
    compressed: bool = False


PLAIN = Variant()


def _flag(version: int) -> int:
    """Bytes between the version and the last zxid, which the length does not count."""
    return 1 if version >= WIDE else 0


def connect_request(head: bytes) -> bool:
    """Whether `head` (48 bytes) opens as a ConnectRequest does."""
    if len(head) < 32:
        return False
    length, version = _HEAD(head)
    if not 0 <= version < VERSIONS:
        return False
    at = _flag(version)
    if len(head) < 32 + at:
        return False
    timeout, password = int(_I32(head, 16 + at)[0]), int(_I32(head, 28 + at)[0])
    if password not in PASSWORDS or timeout < 0:
        return False
    extra, read_only = length - 28 - max(0, password), 32 + at + max(0, password)
    return extra == 0 or (extra == 1 and (len(head) <= read_only or head[read_only] <= 5))


def connect_response(head: bytes) -> bool:
    """Whether `head` (24 bytes) opens as a ConnectResponse does."""
    if len(head) < 24:
        return False
    length, version = _HEAD(head)
    timeout = int(_I32(head, 8)[0])
    return length in (36, 37) and 0 <= version < VERSIONS and head[20:24] == b"\0\0\0\x10" and timeout >= 0 and (timeout == 0 or head[12:20] != bytes(8))


def cut_request(head: bytes) -> bool:
    """Whether `head`, of which less is there than a ConnectRequest has, can start one: with the lengths that clients of ZooKeeper send."""
    if not 12 <= len(head) < 33:
        return False
    length, version = _HEAD(head)
    return length in (28, 29, 44, 45) and 0 <= version < VERSIONS and not (len(head) >= 20 and version == 0 and head[16] & 0x80)


def cut_response(head: bytes) -> bool:
    """Whether `head`, of which less is there than a ConnectResponse or a refusal has, can start one."""
    if not 12 <= len(head) < 24:
        return False
    length, version = _HEAD(head)
    return (length in (36, 37) and 0 <= version < VERSIONS and not head[8] & 0x80) or (len(head) < 20 and head[:8] == b"\0\0\0\x10\0\0\0\0")


def refusal(head: bytes) -> bool:
    """Whether `head` (20 bytes) is what a read-only server answers to a ConnectRequest that it cannot serve: a bare ReplyHeader."""
    return head[:8] == b"\0\0\0\x10\0\0\0\0" and head[16:20] == b"\xff\xff\xff\x89"


def variant(opening: bytes) -> Variant:
    """What the handshake settled, from the first bytes of the client."""
    if opening[4:7] != b"\0\0\0" or len(opening) < 8 or opening[7] < COMPRESSED:
        return PLAIN
    return _variant(opening[:48])


@lru_cache(maxsize=64)
def _variant(head: bytes) -> Variant:
    if not connect_request(head):
        return PLAIN
    version = _HEAD(head)[1]
    if version < WIDE:
        return Variant(compressed=version == COMPRESSED)
    return Variant(8, 1 if version >= TRACED else 0, bool(head[8]))


def request_length(head: bytes) -> int:
    """Bytes of the ConnectRequest that `head` opens."""
    length, version = _HEAD(head)
    return 4 + length + _flag(version)


def narrow(head: bytes) -> bytes:
    """`head` with an xid of 4 bytes in place of its one of 8; b"" where the xid does not fit into them."""
    if len(head) < 12:
        return head[:8]
    length, xid = _XID_HEAD(head)
    return struct.pack(">ii", length - 4, xid) + head[12:] if -1 << 31 <= xid < 1 << 31 else b""
