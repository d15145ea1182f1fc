"""ZooKeeper messages written from the protocol's tables with struct alone, and a connection that reads them as `captures` does."""
from __future__ import annotations

import struct
from collections.abc import Sequence

from protocols.decoder import Header, Kind, MessageBytes, Side
from protocols.engine.fields import Field, walk
from protocols.zookeeper.decoder import ZooKeeper

STAT = struct.pack(">qqqqiiiqiiq", 0x100000002, 0x100000003, 1_700_000_000_000, 1_700_000_001_000, 7, 8, 9, 0, 2, 3, 0x100000004)


def i32(value: int) -> bytes:
    return struct.pack(">i", value)


def i64(value: int) -> bytes:
    return struct.pack(">q", value)


def text(value: str | None) -> bytes:
    return i32(-1) if value is None else i32(len(value.encode())) + value.encode()


def blob(value: bytes | None) -> bytes:
    return i32(-1) if value is None else i32(len(value)) + value


def vector(*elements: bytes) -> bytes:
    return i32(len(elements)) + b"".join(elements)


def acl(perms: int, scheme: str, who: str) -> bytes:
    return i32(perms) + text(scheme) + text(who)


OPEN_ACL = vector(acl(31, "world", "anyone"))


def frame(body: bytes) -> bytes:
    return i32(len(body)) + body


def request(xid: int, code: int, body: bytes = b"") -> bytes:
    return frame(i32(xid) + i32(code) + body)


def reply(xid: int, body: bytes = b"", err: int = 0, zxid: int = 0x100000005) -> bytes:
    return frame(i32(xid) + i64(zxid) + i32(err) + body)


def step(code: int, body: bytes = b"", err: int = -1) -> bytes:
    return i32(code) + b"\0" + i32(err) + body


END = i32(-1) + b"\1" + i32(-1)


def connect_request(session: int = 0, password: bytes | None = bytes(16), read_only: bytes = b"\0",
                    version: int = 0, timeout: int = 10000, zxid: int = 0) -> bytes:
    return frame(i32(version) + i64(zxid) + i32(timeout) + i64(session) + blob(password) + read_only)


def connect_response(session: int = 0x10000A1B2C30000, timeout: int = 10000, read_only: bytes = b"\0") -> bytes:
    return frame(i32(0) + i32(timeout) + i64(session) + blob(bytes(range(16))) + read_only)


class Wire:
    """One connection: messages are handed in as they go over the wire, and come back paired by key, oldest request first."""

    def __init__(self, from_start: bool = False) -> None:
        self.decoder = ZooKeeper()
        self.session = self.decoder.session()
        self.from_start = from_start
        self.openings: dict[bool, bytes] = {True: b"", False: b""}
        self.waiting: dict[object, list[MessageBytes]] = {}

    def client(self, data: bytes, length: int | None = None) -> MessageBytes:
        return self._add(data, True, length)

    def server(self, data: bytes, length: int | None = None) -> MessageBytes:
        return self._add(data, False, length)

    def _add(self, data: bytes, client: bool, length: int | None) -> MessageBytes:
        first = not self.openings[client]
        self.openings[client] = self.openings[client] or data
        side = Side(client, self.from_start, self.openings[client], self.openings[not client], first)
        header: Header = self.decoder.header(data, 0, min(len(data), 4096), side, self.session)
        message = MessageBytes(data, 0, len(data), len(data) if length is None else length, header, client)
        if header.kind is Kind.REQUEST:
            self.waiting.setdefault(header.key, []).append(message)
        elif header.kind is Kind.RESPONSE and self.waiting.get(header.key):
            peer = self.waiting[header.key].pop(0)
            message.find_peer = lambda: peer
            peer.find_peer = lambda: message
        return message

    def tree(self, message: MessageBytes) -> Sequence[Field]:
        return self.decoder.dissect(message)


def shown(fields: Sequence[Field]) -> list[tuple[str, object, int, int]]:
    """Name, value, start and length of every field with bytes, groups left out."""
    return [(one.name, one.value, one.start, one.length) for one in walk(fields) if one.length and not (one.value is None and one.fields)]


def values(fields: Sequence[Field]) -> dict[str, object]:
    """The first value of each field, lengths left out."""
    found: dict[str, object] = {}
    for one in walk(fields):
        if one.value is not None and not one.name.endswith("_len"):
            found.setdefault(one.name.removeprefix("zookeeper."), one.value)
    return found


def lines(fields: Sequence[Field], depth: int = 0) -> list[str]:
    """The tree as text: place, length, and what the screen shows."""
    out = []
    for one in fields:
        out.append(f"{one.start:4} +{one.length:<4} {'  ' * depth}{one.text}")
        out += lines(one.fields, depth + 1)
    return out


def uncovered(fields: Sequence[Field], size: int) -> list[int]:
    """Bytes of a message that lie in no field with a value."""
    cover = bytearray(size)
    for one in walk(fields):
        assert 0 <= one.start <= one.end <= size, one
        if one.value is not None or not one.fields:
            cover[one.start:one.end] = b"\1" * one.length
    return [at for at, byte in enumerate(cover) if not byte]
