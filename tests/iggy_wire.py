"""Iggy messages written from the protocol document's tables with struct alone, and a connection that reads them as `captures` does."""
from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import xxhash

from protocols.decoder import Header, Kind, MessageBytes, Side
from protocols.engine.fields import Field, walk
from protocols.iggy.decoder import Iggy

NOW = 1_700_000_000_000_000


def u8(value: int) -> bytes:
    return struct.pack("<B", value)


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def u64(value: int) -> bytes:
    return struct.pack("<Q", value)


def name(value: str) -> bytes:
    return u8(len(value.encode())) + value.encode()


def text(value: str) -> bytes:
    return u32(len(value.encode())) + value.encode()


def ident(value: int | str) -> bytes:
    return b"\1\4" + u32(value) if isinstance(value, int) else b"\2" + name(value)


def consumer(kind: int = 1, who: int | str = 1) -> bytes:
    return u8(kind) + ident(who)


def partition(generation: int, value: int | None) -> bytes:
    """Generations 1 and 2: the number; later a flag before it."""
    return u32(value or 0) if generation < 3 else u8(value is not None) + u32(value or 0)


def strategy(kind: int = 5, value: int = 0) -> bytes:
    return u8(kind) + u64(value)


def partitioning(kind: int = 1, value: bytes = b"") -> bytes:
    return u8(kind) + u8(len(value)) + value


def headers(generation: int, pairs: Sequence[tuple[str, int, bytes]]) -> bytes:
    """User headers: (key, kind, value); from generation 4 on the key has a kind, too."""
    return b"".join((b"\2" if generation >= 4 else b"") + u32(len(key)) + key.encode() + u8(kind) + u32(len(value)) + value for key, kind, value in pairs)


def old_sent(payload: bytes, more: bytes = b"", number: int = 0) -> bytes:
    return number.to_bytes(16, "little") + u32(len(more)) + more + u32(len(payload)) + payload


def old_polled(offset: int, payload: bytes, more: bytes = b"") -> bytes:
    return u64(offset) + b"\1" + u64(NOW) + bytes(16) + u32(zlib.crc32(payload)) + u32(len(more)) + more + u32(len(payload)) + payload


def message(generation: int, payload: bytes, more: bytes = b"", offset: int = 0, filled: bool = False) -> bytes:
    """A message of generations 2 to 4: payload first, user headers behind; `filled` as the server sends it."""
    times = u64(NOW if filled else 0) + u64(NOW)
    body = bytes(15) + b"\7" + u64(offset) + times + u32(len(more)) + u32(len(payload)) + (u64(0) if generation == 4 else b"") + payload + more
    if not filled:
        return u64(0) + body
    return u64(zlib.crc32(body) if generation == 2 else xxhash.xxh3_64_intdigest(body)) + body


def send(generation: int, stream: bytes, topic: bytes, where: bytes, payloads: Sequence[bytes], more: bytes = b"") -> bytes:
    if generation == 1:
        return stream + topic + where + b"".join(old_sent(payload, more) for payload in payloads)
    messages = [message(generation, payload, more) for payload in payloads]
    end, index = 0, b""
    for one in messages:
        end += len(one)
        index += u32(0) + u32(end) + u64(0)
    metadata = stream + topic + where + u32(len(messages))
    return u32(len(metadata)) + metadata + index + b"".join(messages)


def polled(generation: int, number: int, payloads: Sequence[bytes], first: int = 0, more: bytes = b"") -> bytes:
    head = u32(number) + u64(first + len(payloads)) + u32(len(payloads))
    if generation == 1:
        return head + b"".join(old_polled(first + at, payload, more) for at, payload in enumerate(payloads))
    return head + b"".join(message(generation, payload, more, first + at, True) for at, payload in enumerate(payloads))


def request(code: int, payload: bytes = b"") -> bytes:
    return u32(4 + len(payload)) + u32(code) + payload


def reply(payload: bytes = b"", status: int = 0) -> bytes:
    return u32(status) + u32(len(payload)) + payload


# VSR

CLIENT = 0x1122334455667788


def vsr(command: int, own: dict[int, bytes], body: bytes = b"", seal: bool = False) -> bytes:
    """A frame: `own` are the bytes at offsets from 128 on."""
    head = bytearray(256)
    head[48:52], head[60] = u32(256 + len(body)), command
    for offset, value in own.items():
        head[offset:offset + len(value)] = value
    if seal:
        head[0:8] = u64(xxhash.xxh3_64_intdigest(bytes(head[16:])))
    return bytes(head) + body


def vsr_request(operation: int, body: bytes = b"", number: int = 1, code: int = 0, client: int = CLIENT, checksum: bool = False) -> bytes:
    own = {128: client.to_bytes(16, "little"), 168: u64(number), 176: u8(operation), 184: u64(9 if operation != 1 else 0), 196: u32(code)}
    if checksum:
        own[144] = u64(xxhash.xxh3_64_intdigest(body))
    return vsr(5, own, body)


def vsr_reply(operation: int, body: bytes = b"", number: int = 1, status: int = 0, client: int = CLIENT) -> bytes:
    return vsr(8, {160: client.to_bytes(16, "little"), 176: u64(42), 200: u64(number), 208: u8(operation), 216: u32(status)}, body)


def eviction(reason: int, client: int = CLIENT) -> bytes:
    return vsr(13, {128: client.to_bytes(16, "little"), 144: u32(0x2C00), 148: u32(0x2C00), 255: u8(reason)})


def batch(payloads: Sequence[bytes], base: int = 0, more: bytes = b"") -> bytes:
    frames, sums = b"", b""
    for at, payload in enumerate(payloads):
        body = (at + 1).to_bytes(16, "little") + u32(at) + u32(at) + u32(len(more)) + u32(len(payload)) + u64(0) + payload + more
        check = u64(xxhash.xxh3_64_intdigest(body))
        frames, sums = frames + check + body, sums + check
    head = u64(3) + u64(base) + u64(NOW) + u64(NOW) + u64(256 + len(frames))
    return head + u64(xxhash.xxh3_64_intdigest(head + u32(len(payloads)) + sums)) + u32(len(payloads)) + bytes(204) + frames


class Wire:
    """A connection: messages go through `header` in order and are paired as `captures` pairs them, by key."""

    def __init__(self, *opening: bytes) -> None:
        self.decoder = Iggy()
        self.session = self.decoder.session()
        self.opening = opening
        self.waiting: dict[object, list[MessageBytes]] = {}

    def _add(self, data: bytes, from_client: bool, whole: int | None) -> MessageBytes:
        side = Side(from_client, True, self.opening[0] if self.opening else data, b"")
        header: Header = self.decoder.header(data, 0, min(len(data), 4096), side, self.session)
        peers: list[MessageBytes | None] = [None]
        made = MessageBytes(data, 0, len(data), len(data) if whole is None else whole, header, from_client, find_peer=lambda: peers[0])
        made.views.clear()
        if header.kind in (Kind.REQUEST, Kind.ONEWAY):
            self.waiting.setdefault(header.key, []).append(made)
        elif header.kind is Kind.RESPONSE and self.waiting.get(header.key):
            peers[0] = self.waiting[header.key].pop(0)
        return made

    def client(self, data: bytes, whole: int | None = None) -> MessageBytes:
        return self._add(data, True, whole)

    def server(self, data: bytes, whole: int | None = None) -> MessageBytes:
        return self._add(data, False, whole)

    def tree(self, one: MessageBytes) -> Sequence[Field]:
        return self.decoder.dissect(one)

    def info(self, one: MessageBytes) -> str:
        return self.decoder.describe(one).info


def values(tree: Sequence[Field]) -> dict[str, object]:
    """The first value of every field by name."""
    found: dict[str, object] = {}
    for one in walk(tree):
        if one.value is not None:
            found.setdefault(one.name, one.value)
    return found


def faults(tree: Sequence[Field]) -> list[object]:
    return [one.value for one in walk(tree) if one.name in ("_ws.malformed", "iggy.trailing")]


def uncovered(tree: Sequence[Field], size: int) -> list[int]:
    """The bytes that no field with a value holds."""
    cover = bytearray(size)
    for one in walk(tree):
        if one.length and not (one.value is None and one.fields):
            cover[one.start:one.end] = b"\1" * one.length
    return [at for at, byte in enumerate(cover) if not byte]


def lines(tree: Sequence[Field], depth: int = 0) -> list[str]:
    """The tree as text, each line with its place."""
    out = []
    for one in tree:
        place = f"  {one.start}+{one.length}" if one.length else ""
        out.append("    " * depth + one.text + place)
        out += lines(one.fields, depth + 1)
    return out
