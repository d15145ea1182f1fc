"""RocketMQ frames written from the protocol's description with struct and json alone, and a way to read one as `captures` does."""
from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence

from protocols.decoder import Header, MessageBytes, Side
from protocols.engine.fields import Field, walk
from protocols.rocketmq.decoder import RocketMQ

V533 = 479
JAVA = "JAVA"
SIDES = {True: Side(True, True, b"", b""), False: Side(False, True, b"", b"")}


def frame(header: bytes, body: bytes = b"", kind: int = 0) -> bytes:
    return struct.pack(">iI", 4 + len(header) + len(body), kind << 24 | len(header)) + header + body


def json_frame(code: int, ext: Mapping[str, object] | None = None, *, opaque: int = 1, flag: int = 0, body: bytes = b"", remark: str | None = None,
               version: int = V533, language: str = JAVA) -> bytes:
    """A frame as Java writes it: keys in alphabetical order."""
    header: dict[str, object] = {"code": code}
    if ext is not None:
        header["extFields"] = dict(ext)
    header |= {"flag": flag, "language": language, "opaque": opaque}
    if remark is not None:
        header["remark"] = remark
    header |= {"serializeTypeCurrentRPC": "JSON", "version": version}
    return frame(json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode(), body)


def binary_frame(code: int, ext: Mapping[str, str] | None = None, *, opaque: int = 1, flag: int = 0, body: bytes = b"", remark: str = "",
                 version: int = V533, language: int = 0) -> bytes:
    entries = b"".join(struct.pack(">h", len(key.encode())) + key.encode() + struct.pack(">i", len(value.encode())) + value.encode()
                       for key, value in (ext or {}).items())
    said = remark.encode()
    header = struct.pack(">HBhiii", code & 0xFFFF, language, version, opaque, flag, len(said)) + said + struct.pack(">i", len(entries)) + entries
    return frame(header, body, 1)


def properties(**values: str) -> bytes:
    return b"".join(name.encode() + b"\1" + value.encode() + b"\2" for name, value in values.items())


def stored(body: bytes, *, topic: str = "TopicTest", queue: int = 1, offset: int = 5, physical: int = 1234, sys_flag: int = 0, crc: int = 0,
           props: bytes = b"", v2: bool = False, born: bytes = b"\x0a\0\0\x09", host: bytes = b"\x0a\0\0\x01") -> bytes:
    """A stored message; `born` and `host` of 16 bytes set their flags."""
    sys_flag |= (0x10 if len(born) == 16 else 0) | (0x20 if len(host) == 16 else 0)
    name = topic.encode()
    rest = struct.pack(">IIiiqqIq", 0xDAA320AB if v2 else 0xDAA320A7, crc, queue, 0, offset, physical, sys_flag, 1_700_000_000_000)
    rest += born + struct.pack(">iq", 50000, 1_700_000_000_005) + host + struct.pack(">iiq", 10911, 0, 0)
    rest += struct.pack(">i", len(body)) + body + struct.pack(">h" if v2 else ">b", len(name)) + name + struct.pack(">h", len(props)) + props
    return struct.pack(">i", len(rest) + 4) + rest


def inner(body: bytes, props: bytes = b"", flag: int = 0) -> bytes:
    rest = struct.pack(">iiii", 0, 0, flag, len(body)) + body + struct.pack(">h", len(props)) + props
    return struct.pack(">i", len(rest) + 4) + rest


class Exchange:
    """A request and, it may be, its response, each readable."""

    def __init__(self, request: bytes = b"", response: bytes = b"", cut: int = 0) -> None:
        self.decoder = RocketMQ()
        self.request = self._message(request, True, cut)
        self.response = self._message(response, False, cut)
        if request and response:
            self.request.find_peer = lambda: self.response
            self.response.find_peer = lambda: self.request

    def _message(self, data: bytes, client: bool, cut: int) -> MessageBytes:
        length = len(data) + cut
        header = self.decoder.header(data, 0, len(data), SIDES[client], None) if data else Header(kind=None)  # type: ignore[arg-type]
        return MessageBytes(data, 0, len(data), length, header, client)


def dissect(data: bytes, request: bytes = b"", cut: int = 0) -> tuple[list[Field], MessageBytes]:
    """The fields of one frame, the answer to `request` if that is given."""
    one = Exchange(request, data, cut) if request else Exchange(data, b"", cut)
    message = one.response if request else one.request
    return list(one.decoder.dissect(message)), message


def info(data: bytes, request: bytes = b"") -> str:
    one = Exchange(request, data) if request else Exchange(data)
    return one.decoder.describe(one.response if request else one.request).info


def named(fields: Sequence[Field], name: str) -> list[Field]:
    """Every field of this name in the tree."""
    return [one for one in walk(fields) if one.name == name]


def value(fields: Sequence[Field], name: str) -> object:
    """The value of the one field of this name."""
    found = named(fields, name)
    assert len(found) == 1, f"{name}: {found}"
    return found[0].value


def faults(fields: Sequence[Field]) -> list[object]:
    return [one.value for one in named(fields, "_ws.malformed")]


def uncovered(fields: Sequence[Field], end: int) -> list[int]:
    """The bytes of view 0 that lie in no field with a value."""
    cover = bytearray(end)
    for one in walk(fields):
        if not one.view and one.length and not (one.value is None and one.fields):
            cover[one.start:one.end] = b"\1" * one.length
    return [at for at, seen in enumerate(cover) if not seen]
