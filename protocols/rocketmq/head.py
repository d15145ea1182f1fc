"""The header of a frame: what pairing needs of it at once, and its content as plain values for the words of a row.

The frame is an i32 length of what follows, a serialize type, a 24-bit header length, header, body; all big-endian (RemotingCommand.java). A JSON
header is an object with the operation's own fields in `extFields`; the binary one (RocketMQSerializable.java) is code i16, language u8, version i16,
opaque i32, flag i32, remark with an i32 length, and a map with an i32 length of entries: i16 key length, key, i32 value length, value.
"""
from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from protocols.rocketmq import tables as t
from protocols.rocketmq.jsontext import scan

FRAME = struct.Struct(">iI").unpack_from
BINARY = struct.Struct(">hBhiii").unpack_from
BINARY_LEAST = 21
I16, I32 = (struct.Struct(code).unpack_from for code in (">h", ">i"))

_EXT = re.compile(rb'"extFields"\s*:\s*\{[^"}]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"}]*+)*+\}', re.DOTALL)
_CODE, _FLAG, _OPAQUE = (re.compile(rb'"%s"\s*:\s*(-?\d{1,10})' % name) for name in (b"code", b"flag", b"opaque"))

_JAVA_CODE = re.compile(rb'\{"code":(-?\d{1,10})[,}]')
_JAVA_REST = re.compile(rb'[,{]"flag":(\d{1,9}),"language":"[^"\\]*","opaque":(-?\d{1,10})[,}]')
"""How Java and C++ write a header: keys in order, so that extFields, which may hold keys of the same names, stand between code and flag."""


class Front(NamedTuple):
    """What pairing needs: code, flag and opaque; None where the bytes do not tell. `header` is the header's end, from the start of the frame."""

    code: int | None
    flag: int | None
    opaque: int | None
    kind: int
    header: int


def front(data: bytes, start: int, end: int) -> Front:
    """The front of the frame at `start`, of which `data` may hold no more than up to `end`."""
    if end - start < 8:
        return Front(None, None, None, t.JSON, 8)
    word = FRAME(data, start)[1]
    kind, size = word >> 24, word & 0xFFFFFF
    stop = min(end, start + 8 + size)
    if kind == t.BINARY:
        if stop - start - 8 < 13:
            return Front(full_code(I16(data, start + 8)[0]) if stop - start >= 10 else None, None, None, kind, 8 + size)
        code, opaque, flag = I16(data, start + 8)[0], *struct.unpack_from(">ii", data, start + 13)
        return Front(code if flag & t.RESPONSE else full_code(code), flag, opaque, kind, 8 + size)
    first = _JAVA_CODE.match(data, start + 8, stop)
    if first is not None:
        at = data.rfind(b'"flag":', start + 8, stop)
        rest = _JAVA_REST.match(data, at - 1, stop) if at > 0 else None
        if rest is not None:
            return Front(int(first[1]), int(rest[1]), int(rest[2]), kind, 8 + size)
    text = data[start + 8:stop]
    inner = _EXT.search(text)
    outside = text if inner is None else text[:inner.start()] + text[inner.end():]
    code, flag, opaque = (int(found[1]) if (found := one.search(outside)) else None for one in (_CODE, _FLAG, _OPAQUE))
    return Front(code, flag, opaque, kind, 8 + size)


def full_code(code: int) -> int:
    """A request code from the 16 bits that a binary header holds of it."""
    code &= 0xFFFF
    return t.truncated().get(code, code)


@dataclass(slots=True)
class Head:
    """A header's content. `ext` has the extension fields by their long names, as text. `body` is where the body starts."""

    code: int = -1
    flag: int = 0
    opaque: int = 0
    language: str = ""
    version: int = 0
    remark: str = ""
    ext: dict[str, str] = field(default_factory=dict)
    body: int = 0

    @property
    def response(self) -> bool:
        return bool(self.flag & t.RESPONSE)

    def number(self, name: str, default: int = 0) -> int:
        """An extension field as a whole number."""
        text = self.ext.get(name, "")
        try:
            return int(text) if len(text) < 20 else default
        except ValueError:
            return default


def head(data: bytes, start: int, end: int) -> Head:
    """The header of the frame at `start`; what is not there keeps its default."""
    found = Head(body=end)
    if end - start < 8:
        return found
    word = FRAME(data, start)[1]
    kind, size = word >> 24, word & 0xFFFFFF
    stop = min(end, start + 8 + size)
    found.body = stop
    if kind == t.BINARY:
        _binary(found, data, start + 8, stop)
    else:
        _json(found, data, start + 8, stop)
    if found.flag & t.RESPONSE == 0:
        operation = t.operations().get(found.code)
        long = t.letters(operation.request_header) if operation else {}
        if long:
            found.ext = {long.get(key, key): value for key, value in found.ext.items()}
    return found


def text(value: Any) -> str:
    """A JSON scalar as RocketMQ's own text form of extension fields."""
    return "true" if value is True else "false" if value is False else "" if value is None else str(value)


def _json(found: Head, data: bytes, start: int, stop: int) -> None:
    try:
        whole = json.loads(data[start:stop])
    except (ValueError, RecursionError):
        root = scan(data, start, stop).root
        whole = {one.name: {item.name: item.value for item in one.items} if one.items is not None else one.value for one in (root.items or ())} if root else {}
    if not isinstance(whole, dict):
        return
    for name in ("code", "flag", "opaque", "version"):
        value = whole.get(name)
        if isinstance(value, int):
            setattr(found, name, int(value))
    found.language = text(whole.get("language"))
    found.remark = text(whole.get("remark"))
    ext = whole.get("extFields")
    if isinstance(ext, dict):
        found.ext = {key: value if value.__class__ is str else text(value) for key, value in ext.items()}


def _binary(found: Head, data: bytes, start: int, stop: int) -> None:
    if stop - start < BINARY_LEAST - 4:
        return
    code, language, found.version, found.opaque, found.flag, size = BINARY(data, start)
    found.code = code if found.flag & t.RESPONSE else full_code(code)
    found.language = t.LANGUAGES.get(language, f"unknown language {language}")
    at = start + 17
    if 0 < size <= stop - at:
        found.remark = str(data[at:at + size], "utf-8", "replace")
        at += size
    if at + 4 > stop:
        return
    at += 4
    ext = found.ext
    while at + 2 <= stop:
        size = I16(data, at)[0]
        at += 2
        if size < 0 or at + size + 4 > stop:
            return
        key = str(data[at:at + size], "utf-8", "replace")
        at += size
        size = I32(data, at)[0]
        at += 4
        if size < 0 or at + size > stop:
            return
        ext[key] = str(data[at:at + size], "utf-8", "replace")
        at += size
