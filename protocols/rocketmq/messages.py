"""Messages as fields: stored messages, the inner messages of a batch, bodies decompressed into byte views and opened as what they hold.

The outline of a record comes from `stored`; its fields are made when somebody opens it. Only decompression happens at once, for the byte view.
"""
from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Sequence
from functools import partial
from typing import Any

from protocols.decoder import MessageBytes
from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec
from protocols.lower.header_tables import address
from protocols.rocketmq import specs as s
from protocols.rocketmq import tables as t
from protocols.rocketmq.compression import LIMIT, NAMES, CodecError, unpack
from protocols.rocketmq.compression import PLAIN as STORED_PLAIN
from protocols.rocketmq.jsonfields import json_fields
from protocols.rocketmq.stored import BLANK, HEAD, INNER_LEAST, LEAST, V1, V2, Outline, block, offset_id, outline, property_values
from protocols.rocketmq.trace import trace_fields
from protocols.rocketmq.values import PROPERTIES, flags, properties

MAGICS = {V1: "message", V2: "message, long topic", BLANK: "end of a commit log file", 0: "inner message"}
TRACE_TOPIC = "RMQ_SYS_TRACE_TOPIC"
REVIVE_TOPIC = "rmq_sys_REVIVE_LOG"


def _spec(name: str, label: str, kind: str, **more: Any) -> Spec:
    return Spec(f"rocketmq.message.{name}", label, kind, **more)


MESSAGES = Spec("rocketmq.messages", "Messages")
MESSAGE = Spec("rocketmq.message", "Message")
SIZE = _spec("size", "Total size", "int32", about="Bytes of the record with this field")
MAGIC = _spec("magic", "Magic", "uint32", base="hex", show=lambda v: f"0x{v:08x} ({MAGICS.get(v, 'unknown')})")
CRC = _spec("crc", "Body CRC", "uint32", base="hex", about="CRC-32 of the stored body without its highest bit; 0 when unset")
QUEUE_ID = _spec("queue_id", "Queue id", "int32")
FLAG = _spec("flag", "Flag", "int32", about="The user's own")
QUEUE_OFFSET = _spec("queue_offset", "Queue offset", "int64")
PHYSICAL_OFFSET = _spec("physical_offset", "Physical offset", "int64", about="Where the record stands in the broker's commit log")
SYS_FLAG = _spec("sys_flag", "System flag", "uint32", base="hex")
BORN_TIME = _spec("born_time", "Born", "time")
BORN_HOST, BORN_HOST6, BORN_PORT = _spec("born_host", "Born host", "ipv4"), _spec("born_host_v6", "Born host", "ipv6"), _spec("born_port", "Born port", "int32")
STORE_TIME = _spec("store_time", "Stored", "time")
STORE_HOST, STORE_HOST6 = _spec("store_host", "Store host", "ipv4"), _spec("store_host_v6", "Store host", "ipv6")
STORE_PORT = _spec("store_port", "Store port", "int32")
RECONSUMED = _spec("reconsume_times", "Reconsumed", "int32", about="How often it was delivered before")
PREPARED = _spec("prepared_transaction_offset", "Prepared transaction offset", "int64")
BODY = _spec("body", "Body", "bytes")
BODY_JSON = _spec("body_json", "Body", "string")
BODY_TEXT = _spec("body_text", "Body", "string")
PLAIN = _spec("body_plain", "Body, decompressed", "bytes")
TOPIC = _spec("topic", "Topic", "string")
ID = _spec("id", "Offset message id", "string", about="Store host, port and physical offset: what the broker calls the message")
FILLER = _spec("filler", "Filler", "bytes", about="The unused end of a commit log file")
SPECS = (MESSAGES, MESSAGE, SIZE, MAGIC, CRC, QUEUE_ID, FLAG, QUEUE_OFFSET, PHYSICAL_OFFSET, SYS_FLAG, BORN_TIME, BORN_HOST, BORN_HOST6, BORN_PORT, STORE_TIME,
         STORE_HOST, STORE_HOST6, STORE_PORT, RECONSUMED, PREPARED, BODY, BODY.length, BODY_JSON, BODY_TEXT, PLAIN, TOPIC, TOPIC.length, ID, FILLER)

_TAIL = struct.Struct(">iq")
_HEAD_SPECS = (SIZE, MAGIC, CRC, QUEUE_ID, FLAG, QUEUE_OFFSET, PHYSICAL_OFFSET, SYS_FLAG, BORN_TIME)
_HEAD_SIZES = (4, 4, 4, 4, 4, 8, 8, 4, 8)
_I32, _U32, _I64 = (struct.Struct(code).unpack_from for code in (">i", ">I", ">q"))

_UNREADABLE = re.compile(r"[\x00\x03-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


LEFT = "not decompressed: the limit for one frame is reached"
PAGE = 2000
"""Messages in one group."""


class Bodies:
    """Decompresses the bodies of one frame into byte views, within one limit for all."""

    def __init__(self, message: MessageBytes | None) -> None:
        """Without a message nothing is decompressed: it is too late for byte views."""
        self.message = message
        self.left = LIMIT if message is not None else 0
        self.cut_at = message.end if message is not None and not message.complete else -1
        """Where the message is cut off: a body that ends there is not all of it."""

    def open(self, codec: int, data: bytes) -> tuple[int, bytes, str, str]:
        """View index, content, how it was packed, and fault of compressed bytes; the index is 0 when there is no content, or when the bytes are plain."""
        name = NAMES.get(codec, "")
        if self.left <= 0 or self.message is None:
            return 0, b"", name, LEFT
        try:
            name, made, whole = unpack(codec, data, self.left)
        except CodecError as fault:
            return 0, b"", name, f"{name}: {fault}" if name else str(fault)
        if name == STORED_PLAIN:
            return 0, b"", name, ""
        self.left -= len(made)
        return self.message.add_view(f"Body, {name}", made), made, name, "" if whole else f"cut at {len(made):,} bytes"


def message_list(data: bytes, start: int, end: int, bodies: Bodies, cut: bool, view: int = 0, number: int = 0) -> list[Field]:
    """Stored messages from `start` to `end`, one group each; those behind PAGE in a group of their own, which is read when somebody opens it."""
    out: list[Field] = []
    at = start
    while at < end:
        left = end - at
        if len(out) == PAGE:
            further = partial(message_list, data, at, end, Bodies(None), cut, view, number)
            out.append(f.group(MESSAGES, at, end, further, f"Messages from {number} on", view))
            break
        size = _I32(data, at)[0] if left >= 4 else 0
        magic = _U32(data, at + 4)[0] if left >= 8 else 0
        if left >= 8 and (magic not in (V1, V2, BLANK) or size < (8 if magic == BLANK else LEAST)):
            why = f"magic 0x{magic:08x}" if magic not in (V1, V2, BLANK) else f"a record of {size} bytes"
            out.append(f.malformed(at, f"no stored message: {why}", end, view))
            break
        if left < 8 or size > left:
            if cut:
                if left >= HEAD.size:
                    out.append(record(data, outline(data, at, end), number, bodies, True, view))
                else:
                    out.append(f.raw(data, at, end, view))
            else:
                out.append(f.malformed(at, f"a record of {size} bytes with {left} left" if left >= 4 else f"wanted 4 bytes, had {left}", end, view))
            break
        out.append(record(data, outline(data, at, end), number, bodies, False, view))
        at += size
        number += 1
    return out


def record(data: bytes, found: Outline, number: int, bodies: Bodies, cut: bool, view: int = 0) -> Field:
    """The group of one stored message. Its body is decompressed at once, for the byte view; the rest waits."""
    start, end = found.start, found.end
    if found.magic == BLANK:
        parts = [Field(SIZE, _I32(data, start)[0], start, 4, view), Field(MAGIC, BLANK, start + 4, 4, view)]
        if end > start + 8:
            parts.append(Field(FILLER, data[start + 8:end], start + 8, end - start - 8, view))
        return f.group(MESSAGE, start, end, parts, f"Message {number}: end of a commit log file, {t.sized(end - start)}", view)
    topic = str(data[slice(*found.topic)], "utf-8", "replace")
    body = body_fields(data, found.body, found.sys_flag, bodies, topic, view) if found.after_body else None
    named = property_values(data, found)
    name = "/".join(filter(None, (topic, named.get("__LITE_TOPIC"))))
    words = [name, f"q{found.queue_id}", f"offset {found.queue_offset}", t.sized(found.body[1] - found.body[0])]
    words += [f"{name.lower()}={named[name]}" for name in ("KEYS", "TAGS") if named.get(name)]
    return f.group(MESSAGE, start, end, lambda: _record_fields(data, found, body, cut, view), f"Message {number}: " + " ".join(words)[:200], view)


def _record_fields(data: bytes, found: Outline, body: Field | None, cut: bool, view: int) -> list[Field]:
    start, end = found.start, found.end
    out: list[Field] = []
    if end - start >= HEAD.size:
        at = start
        for spec, size, value in zip(_HEAD_SPECS, _HEAD_SIZES, HEAD.unpack_from(data, start), strict=True):
            out.append(Field(spec, value * 1_000_000 if spec is BORN_TIME else value, at, size, view))
            at += size
        out[2] = _crc(data, found, view)
        out[7] = Field(SYS_FLAG, found.sys_flag, start + 36, 4, view, lambda: flags(found.sys_flag, start + 36, 4, view))
        at = _host(out, data, at, end, bool(found.sys_flag & t.BORN_V6), (BORN_HOST, BORN_HOST6, BORN_PORT), view)
        if end - at >= 8:
            out.append(Field(STORE_TIME, _I64(data, at)[0] * 1_000_000, at, 8, view))
            at += 8
        at = _host(out, data, at, end, bool(found.sys_flag & t.STORE_V6), (STORE_HOST, STORE_HOST6, STORE_PORT), view)
        if end - at >= _TAIL.size:
            times, prepared = _TAIL.unpack_from(data, at)
            out += [Field(RECONSUMED, times, at, 4, view), Field(PREPARED, prepared, at + 4, 8, view)]
            at += 12
    else:
        at = start
    if body is not None:
        out.append(body)
        at = found.body[1]
        if found.topic[0] > at:
            topic = str(data[slice(*found.topic)], "utf-8", "replace")
            out.append(Field(TOPIC, topic, found.topic[0], found.topic[1] - found.topic[0], view, found.topic_width))
            at = found.topic[1]
        if found.properties[0] > at:
            out.append(properties_field(data, *found.properties, view))
            at = found.properties[1]
    if at < end:
        out.append(f.raw(data, at, end, view) if cut else f.malformed(at, found.fault or "left over", end, view))
    if not found.fault:
        out.append(f.generated(ID, offset_id(data, found), at=start, view=view))
    return out


def properties_field(data: bytes, start: int, end: int, view: int) -> Field:
    """Properties with their i16 length in front."""
    raw = str(data[start:end], "utf-8", "replace")
    length = Field(PROPERTIES.length, end - start, start - 2, 2, view)
    parts = properties(data, start, end, view)
    return Field(PROPERTIES, raw, start, end - start, view, [length, *parts], f"Properties ({len(parts)})")


def _crc(data: bytes, found: Outline, view: int) -> Field:
    value = _U32(data, found.start + 8)[0]
    line = None
    if value and found.after_body:
        made = zlib.crc32(data[slice(*found.body)]) & 0x7FFFFFFF
        line = f"Body CRC: 0x{value:08x} " + ("(correct)" if made == value else f"(incorrect, should be 0x{made:08x})")
    elif not value:
        line = "Body CRC: 0x00000000 (unset)"
    return Field(CRC, value, found.start + 8, 4, view, (), line)


def _host(out: list[Field], data: bytes, at: int, end: int, v6: bool, specs: Sequence[Spec], view: int) -> int:
    """An address and its port of four bytes."""
    width = 16 if v6 else 4
    if end - at < width + 4:
        return at
    spec = specs[1] if v6 else specs[0]
    out.append(Field(spec, address(spec.type, data[at:at + width]), at, width, view))
    out.append(Field(specs[2], _I32(data, at + width)[0], at + width, 4, view))
    return at + width + 4


def body_fields(data: bytes, place: tuple[int, int], sys_flag: int, bodies: Bodies, topic: str, view: int, width: int = 4) -> Field:
    """A message's body: as it stands, and below it what it is: decompressed, inner messages, JSON, text. A length of `width` bytes stands before it."""
    start, end = place
    stored = data[start:end]
    length = [Field(BODY.length, end - start, start - width, width, view)] if width else []
    if sys_flag & t.COMPRESSED and stored:
        codec = sys_flag >> 8 & 7
        index, plain, name, fault = bodies.open(codec, stored)
        if name != STORED_PLAIN:
            below: list[Field] = list(length)
            if index:
                inside = content(plain, 0, len(plain), sys_flag, bodies, topic, index)
                below.append(Field(PLAIN, plain, 0, len(plain), index, inside, f"Decompressed: {t.sized(len(plain))}{readable(plain)}"))
            if fault and end == bodies.cut_at:
                below.append(f.generated(PLAIN, None, "not decompressed: cut off", start, view))
            elif fault:
                said = index or fault is LEFT or codec not in NAMES
                below.append(f.generated(PLAIN, None, fault, start, view) if said else f.malformed(start, fault, end, view))
            return Field(BODY, stored, start, end - start, view, below, f"Body: {t.sized(end - start)}, {name or f'unknown compression type {codec}'}")
        note = f"marked as compressed ({NAMES.get(codec, f'unknown type {codec}')}), and plain"
        length = [*length, f.generated(s.NOTE, note, at=start, view=view)]
    below = [*length, *content(data, start, end, sys_flag, bodies, topic, view)]
    return Field(BODY, stored, start, end - start, view, below, f"Body: {t.sized(end - start)}{readable(stored)}")


def readable(data: bytes) -> str:
    """The beginning of a body in quotes when it is text, else "" """
    try:
        text = data[:240].decode("utf-8", "strict" if len(data) <= 240 else "ignore")
    except UnicodeDecodeError:
        return ""
    if not text or len(_UNREADABLE.findall(text)) * 10 > len(text):
        return ""
    return f' "{text[:120]}{"…" if len(data) > 120 else ""}"'


def content(data: bytes, start: int, end: int, sys_flag: int, bodies: Bodies, topic: str, view: int) -> list[Field]:
    """What a body's bytes hold."""
    if start >= end:
        return []
    if sys_flag & t.INNER:
        return inner_list(data, start, end, bodies, view)
    if topic == TRACE_TOPIC:
        return trace_fields(data, start, end, view)
    if topic.startswith(REVIVE_TOPIC):
        made = json_fields(data, start, end, "AckMsg" if b'"ao"' in data[start:end] or b'"aol"' in data[start:end] else "PopCheckPoint", False, view, BODY_JSON)
        return [made] if made else []
    if data[start:start + 1] in b"{[" and data[end - 1:end] in b"}]":
        made = json_fields(data, start, end, "", True, view, BODY_JSON, "Content")
        if made is not None and made.fields:
            return [made]
    if readable(data[start:end]):
        return [Field(BODY_TEXT, str(data[start:end], "utf-8", "replace"), start, end - start, view)]
    return []


def inner_list(data: bytes, start: int, end: int, bodies: Bodies, view: int) -> list[Field]:
    """The messages of a batch: size, magic, CRC, flag, body with an i32 length, properties with an i16 length."""
    out: list[Field] = []
    at, number = start, 0
    while at < end:
        size = _I32(data, at)[0] if end - at >= 4 else -1
        if size < INNER_LEAST or size > end - at:
            out.append(f.malformed(at, f"an inner message of {size} bytes with {end - at} left" if size >= 0 else f"wanted 4 bytes, had {end - at}", end, view))
            break
        out.append(_inner(data, at, at + size, number, bodies, view))
        at += size
        number += 1
    return out


def _inner(data: bytes, start: int, end: int, number: int, bodies: Bodies, view: int) -> Field:
    out = [Field(SIZE, end - start, start, 4, view), Field(MAGIC, _U32(data, start + 4)[0], start + 4, 4, view),
           Field(CRC, _U32(data, start + 8)[0], start + 8, 4, view), Field(FLAG, _I32(data, start + 12)[0], start + 12, 4, view)]
    found = Outline(start, end, V1)
    found.body, at = block(found, data, start + 16, end, 4)
    title = f"Message {number}"
    if not found.fault:
        out.append(body_fields(data, found.body, 0, bodies, "", view))
        found.properties, at = block(found, data, at, end, 2)
        title += f": {t.sized(found.body[1] - found.body[0])}"
    if not found.fault:
        out.append(properties_field(data, *found.properties, view))
    if at < end or found.fault:
        out.append(f.malformed(at, found.fault or f"{t.sized(end - at)} left over", end, view))
    return f.group(MESSAGE, start, end, out, title, view)
