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
_EXT_BEGIN = re.compile(rb'"extFields"\s*:\s*\{')
_CODE, _FLAG, _OPAQUE = (re.compile(rb'"%s"\s*:\s*"?(-?\d{1,10})(?=[\s,}"])' % name) for name in (b"code", b"flag", b"opaque"))
"""Numbers may be quoted: fastjson takes them so. A number counts when its end is there, too: a cut header may hold the first digits only."""

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
    if inner is not None:
        outside = text[:inner.start()] + text[inner.end():]
    else:  # where the fields of the operation are cut off, nothing behind their beginning is the header's own
        begin = _EXT_BEGIN.search(text)
        outside = text if begin is None else text[:begin.start()]
    code, flag, opaque = (int(found[1]) if (found := one.search(outside)) else None for one in (_CODE, _FLAG, _OPAQUE))
    return Front(code, flag, opaque, kind, 8 + size)


def full_code(code: int) -> int:
    """A request code from the 16 bits that a binary header holds of it."""
    code &= 0xFFFF
    return t.truncated().get(code, code)


class Asks(NamedTuple):
    """What a request works on, whole values, and their aggregatable form; whether its answer may be held; what the client calls itself."""

    targets: tuple[str, ...]
    endpoint: str
    long_poll: bool
    client_id: str


@dataclass(slots=True)
class Head:
    """A header's content; None where the bytes do not tell. `ext` has the extension fields by their long names, as text. `size` is where the header
    ends by its own length, in bytes from the start of the frame; `asks` is where `summary` keeps what a request says, for its words and its response's."""

    code: int | None = None
    flag: int | None = None
    opaque: int | None = None
    language: str = ""
    version: int = 0
    remark: str = ""
    ext: dict[str, str] = field(default_factory=dict)
    size: int | None = None
    asks: Asks | None = None

    @property
    def response(self) -> bool:
        return self.flag is not None and bool(self.flag & t.RESPONSE)

    def number(self, name: str, default: int = 0) -> int:
        """An extension field as a whole number."""
        text = self.ext.get(name, "")
        try:
            return int(text) if len(text) < 20 else default
        except ValueError:
            return default


def head(data: bytes, start: int, end: int) -> Head:
    """The header of the frame at `start`."""
    found = Head()
    if end - start < 8:
        return found
    word = FRAME(data, start)[1]
    size = word & 0xFFFFFF
    found.size = 8 + size
    stop = min(end, start + 8 + size)
    if word >> 24 == t.BINARY:
        _binary(found, data, start + 8, stop)
    else:
        _json(found, data, start + 8, stop)
    if not found.response and found.ext:
        long = t.request_letters().get(found.code) if found.code is not None else None
        if long is not None:
            found.ext = {long.get(key, key): value for key, value in found.ext.items()}
    return found


def text(value: Any) -> str:
    """A JSON scalar as RocketMQ's own text form of extension fields."""
    return "true" if value is True else "false" if value is False else "" if value is None else str(value)


def number(value: Any) -> int | None:
    """The whole number that a JSON scalar is, or that stands in its text; None for none."""
    if value.__class__ is int:
        return value
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else None


_WHOLE = re.compile(r"-?\d{1,10}")
_decode = json.JSONDecoder().raw_decode
_TEXT = frozenset({str})


def _json(found: Head, data: bytes, start: int, stop: int) -> None:
    try:
        whole = _decode(str(data[start:stop], "utf-8"))[0]
    except (ValueError, RecursionError):
        root = scan(data, start, stop).root
        whole = {one.name: {item.name: item.value for item in one.items} if one.items is not None else one.value for one in (root.items or ())} if root else {}
    if whole.__class__ is not dict:
        return
    get = whole.get
    code, flag, opaque, version = get("code"), get("flag"), get("opaque"), get("version")
    found.code = code if code.__class__ is int else number(code)
    found.flag = flag if flag.__class__ is int else number(flag)
    found.opaque = opaque if opaque.__class__ is int else number(opaque)
    found.version = version if version.__class__ is int else number(version) or 0
    language, remark, ext = get("language"), get("remark"), get("extFields")
    found.language = language if language.__class__ is str else text(language)
    if remark is not None:
        found.remark = text(remark)
    if ext.__class__ is dict:
        found.ext = ext if _TEXT.issuperset(map(type, ext.values())) else {key: value if value.__class__ is str else text(value) for key, value in ext.items()}


def _binary(found: Head, data: bytes, start: int, stop: int) -> None:
    if stop - start < 17:
        if stop - start >= 2:
            found.code = I16(data, start)[0]
        if stop - start >= 13:
            found.opaque, found.flag = I32(data, start + 5)[0], I32(data, start + 9)[0]
        size = 0
    else:
        found.code, language, found.version, found.opaque, found.flag, size = BINARY(data, start)
        found.language = t.LANGUAGES.get(language) or f"unknown language {language}"
    if found.code is not None and not found.response:
        found.code = full_code(found.code)
    at = start + 17
    if 0 < size <= stop - at:
        found.remark = str(data[at:at + size], "utf-8", "replace")
        at += size
    at += 4
    ext, last = found.ext, stop - 6
    while at <= last:
        size = data[at] << 8 | data[at + 1]
        key_at = at + 2
        at = key_at + size
        if size > 0x7FFF or at + 4 > stop:  # the length of a key is signed
            return
        size = I32(data, at)[0]
        key = data[key_at:at]
        at += 4
        if size < 0 or at + size > stop:
            return
        ext[str(key, "utf-8", "replace")] = str(data[at:at + size], "utf-8", "replace")
        at += size
