"""Single records: format 2 inside its batch, keys and values of all formats, record headers.

Records are read when somebody looks. A batch of more than a thousand is shown in groups of a thousand, found by hopping over
the records' lengths. Values say what they are: JSON, text, Confluent's framing (a zero byte and a schema's number), or bytes.
"""
from __future__ import annotations

import json
import struct
from functools import partial
from typing import NamedTuple

from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec
from protocols.engine.records import Malformed, Short, Source
from protocols.kafka import internal
from protocols.kafka.reader import note
from protocols.kafka.values import show_time

__all__ = ["MESSAGE_KEY", "MESSAGE_VALUE", "SPECS", "RecordSet", "open_payloads", "preview", "read_records", "show_payload", "sized"]

GROUP = 1000
SHOWN = 200
SHOWN_BYTES = 32
PARSED = 65_536
"""Bytes of a value that are looked at to tell whether it is JSON."""


def _as_text(data: bytes) -> str | None:
    """UTF-8 without control characters but tabs and ends of lines; None when it is not."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if not any((c < " " and c not in "\t\r\n") or c == "\x7f" for c in text) else None


def show_payload(value: bytes) -> str:
    """What a key or value holds, and in what form."""
    if not value:
        return "<empty>"
    if value[0] == 0 and len(value) > 5 and not any(value[1:3]):
        return f"Confluent schema {int.from_bytes(value[1:5], 'big')}, {len(value) - 5} bytes: {_plain(value[5:])}"
    return _plain(value)


def _plain(value: bytes) -> str:
    text = _as_text(value[:PARSED]) if len(value) <= PARSED else None
    if text is None and len(value) > PARSED:
        text = _as_text(value[:SHOWN]) or _as_text(value[:SHOWN - 1]) or _as_text(value[:SHOWN - 2]) or _as_text(value[:SHOWN - 3])
    if text is None:
        return value[:SHOWN_BYTES].hex() + ("…" if len(value) > SHOWN_BYTES else "")
    kind = ""
    if text[:1] in "{[" and text[-1:] in "}]" and len(value) <= PARSED:
        try:
            json.loads(text)
            kind = " (JSON)"
        except (ValueError, RecursionError):
            pass
    return (text if len(text) <= SHOWN else text[:SHOWN] + "…") + kind


RECORD = Spec("kafka.record", "Record")
RECORDS = Spec("kafka.record_group", "Records")
LENGTH = Spec("kafka.record_length", "Length", "int32")
ATTRIBUTES = Spec("kafka.record_attributes", "Attributes (unused)", "int8")
TIME_DELTA = Spec("kafka.record_timestamp_delta", "Timestamp delta", "int64", show=lambda value: f"{value} ms")
OFFSET_DELTA = Spec("kafka.record_offset_delta", "Offset delta", "int32")
OFFSET = Spec("kafka.offset", "Offset", "int64")
TIME = Spec("kafka.message_timestamp", "Timestamp", "time", show=show_time)
MESSAGE_KEY = Spec("kafka.message_key", "Key", "bytes", show=show_payload)
MESSAGE_VALUE = Spec("kafka.message_value", "Value", "bytes", show=show_payload)
SCHEMA_MARK = Spec("kafka.schema_mark", "Confluent framing", "uint8", about="Zero: a schema's number and the encoded value follow")
SCHEMA_ID = Spec("kafka.schema_id", "Schema id", "int32")
PAYLOAD = Spec("kafka.payload", "Payload", "bytes", show=lambda value: _plain(value) if value else "<empty>")
HEADERS = Spec("kafka.headers", "Headers")
HEADER_COUNT = Spec("kafka.headers_len", "Header count", "int32")
HEADER = Spec("kafka.header", "Header")
HEADER_KEY = Spec("kafka.header_key", "Header key", "string")
HEADER_VALUE = Spec("kafka.header_value", "Header value", "bytes", show=show_payload)
TRACE = Spec("kafka.trace_id", "Trace id", "string", about="From the record headers traceparent, sw8, b3 or uber-trace-id")
SPAN = Spec("kafka.span_id", "Span id", "string")
SPECS = (RECORD, RECORDS, LENGTH, ATTRIBUTES, TIME_DELTA, OFFSET_DELTA, OFFSET, TIME, MESSAGE_KEY, MESSAGE_KEY.length, MESSAGE_VALUE, MESSAGE_VALUE.length,
         SCHEMA_MARK, SCHEMA_ID, PAYLOAD, HEADERS, HEADER_COUNT, HEADER, HEADER_KEY, HEADER_KEY.length, HEADER_VALUE, HEADER_VALUE.length, TRACE, SPAN)


class RecordSet(NamedTuple):
    """What a batch says about its records. Times in milliseconds; `append` is the broker's time when it stands for all. `cut`: the capture does not
    hold all of them."""

    offset: int
    time: int
    append: int | None
    control: bool
    topic: str
    records: int
    cut: bool = False


def _varint(data: bytes, at: int, end: int, most: int = 5) -> tuple[int, int]:
    """A zigzag base-128 number of at most `most` bytes."""
    value = 0
    for count in range(most):
        if at + count >= end:
            raise Short(at, count + 1, end - at)
        byte = data[at + count]
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            if value >> (32 if most == 5 else 64):
                break
            return value >> 1 ^ -(value & 1), at + count + 1
    raise Malformed(at, f"a varint of more than {32 if most == 5 else 64} bits")


def read_records(source: Source, start: int, end: int, rules: RecordSet) -> list[Field]:
    """The records of one batch as nodes; those of a large batch in groups of a thousand. Never raises."""
    out: list[Field] = []
    if rules.records <= GROUP:
        at = _some(source, start, end, rules, out, max(0, rules.records))
    else:
        at, left = start, rules.records
        while left > 0 and at < end:
            after, count = _hop(source, at, end, min(left, GROUP))
            first = rules.records - left
            read = partial(_group, source, at, after, rules, count)
            out.append(Field(RECORDS, None, at, after - at, source.view, read, f"Records {first + 1} to {first + count}"))
            left -= count
            if after <= at or count < min(left, GROUP):
                at = after
                break
            at = after
    if at < end and not rules.cut and not (out and out[-1].name == "_ws.malformed"):
        out.append(f.malformed(at, f"{end - at} bytes left over behind {rules.records} records", end, source.view))
    return out


def _group(source: Source, start: int, end: int, rules: RecordSet, count: int) -> list[Field]:
    out: list[Field] = []
    _some(source, start, end, rules, out, count)
    return out


def _hop(source: Source, at: int, end: int, count: int) -> tuple[int, int]:
    """The position behind `count` records, and how many there really are; what is wrong belongs to the last."""
    done = 0
    try:
        while done < count and at < end:
            length, now = _varint(source.data, at, end)
            if length < 0 or now + length > end:
                return end, done + 1
            at, done = now + length, done + 1
    except Malformed:
        return end, done + 1
    return at, done


def _some(source: Source, at: int, end: int, rules: RecordSet, out: list[Field], count: int) -> int:
    """`count` records, up to the first that does not fit."""
    for number in range(count):
        if at >= end:
            missing = f"{count - number} of {count} records"
            out.append(note(f"{missing} were not captured" if rules.cut else f"{missing} are missing", at, source.view))
            return at
        children: list[Field] = []
        node = Field(RECORD, None, at, 0, source.view, children)
        out.append(node)
        try:
            length, now = _varint(source.data, at, end)
            if length < 0 or now + length > end:
                raise Malformed(at, f"a record of {length} bytes with {end - now} left")
            children.append(Field(LENGTH, length, at, now - at, source.view))
        except Malformed as fault:
            if rules.cut:
                out[-1] = f.raw(source.data, at, end, source.view, f"[{end - at} bytes of a record, captured in part]")
                out.append(note(f"{count - number} of {count} records were not captured whole", at, source.view))
            else:
                out[-1] = f.malformed(fault.at, fault.why, end, source.view)
            return end
        after = now + length
        try:
            node._text = _record(source, now, after, rules, children)
        except Malformed as fault:
            children.append(f.malformed(fault.at, fault.why, after, source.view))
            node._text = "Record [malformed]"
        node.length = after - at
        at = after
    return at


def _record(source: Source, at: int, end: int, rules: RecordSet, out: list[Field]) -> str:
    """The fields of one record behind its length; its line."""
    data, view = source.data, source.view
    if at >= end:
        raise Short(at, 1, 0)
    out.append(Field(ATTRIBUTES, data[at] - 256 if data[at] > 127 else data[at], at, 1, view))
    delta, now = _varint(data, at + 1, end, 10)
    moment = rules.append if rules.append is not None else rules.time + delta
    out += (Field(TIME_DELTA, delta, at + 1, now - at - 1, view), f.generated(TIME, moment * 1_000_000, at=at + 1, view=view))
    step, after = _varint(data, now, end)
    offset = rules.offset + step
    out += (Field(OFFSET_DELTA, step, now, after - now, view), f.generated(OFFSET, offset, at=now, view=view))
    key, now = _payload(MESSAGE_KEY, source, after, end, out)
    value, now = _payload(MESSAGE_VALUE, source, now, end, out)
    now = _headers(source, now, end, out)
    if now < end:
        raise Malformed(now, f"{end - now} bytes left over in the record")
    if rules.control:
        return f"{internal.open_control(source, key, value)} at offset {offset}"
    meaning = open_payloads(rules.topic, key, value, source)
    return f"Record at offset {offset}: {meaning or f'{preview(key)} = {preview(value)}'}"


def _payload(spec: Spec, source: Source, at: int, end: int, out: list[Field]) -> tuple[Field, int]:
    """Bytes behind a zigzag length, -1 null."""
    count, start = _varint(source.data, at, end)
    return _bytes(spec, source, at, start, count, end, out)


def sized(spec: Spec, source: Source, at: int, end: int, out: list[Field]) -> tuple[Field, int]:
    """Bytes behind an int32 length, -1 null, as the old formats have them."""
    if end - at < 4:
        raise Short(at, 4, end - at)
    return _bytes(spec, source, at, at + 4, struct.unpack_from(">i", source.data, at)[0], end, out)


def _bytes(spec: Spec, source: Source, at: int, start: int, count: int, end: int, out: list[Field]) -> tuple[Field, int]:
    view = source.view
    if count < 0:
        if count != -1:
            raise Malformed(at, f"a length of {count}")
        out.append(Field(spec, None, start, 0, view, start - at))
        return out[-1], start
    after = start + count
    if after > end:
        raise Short(at, count, end - start)
    data = source.data[start:after]
    made = Field(spec, data, start, count, view, start - at)
    if count > 5 and not data[0] and not any(data[1:3]):
        made._children = [
            Field(spec.length, count, at, start - at, view), Field(SCHEMA_MARK, 0, start, 1, view),
            Field(SCHEMA_ID, int.from_bytes(data[1:5], "big"), start + 1, 4, view), Field(PAYLOAD, data[5:], start + 5, count - 5, view)]
    out.append(made)
    return made, after


def _headers(source: Source, at: int, end: int, out: list[Field]) -> int:
    """The record's headers; none is one field of count 0."""
    data, view = source.data, source.view
    count, now = _varint(data, at, end)
    if not count:
        out.append(Field(HEADER_COUNT, 0, at, now - at, view))
        return now
    if count < 0 or count > (end - now) // 2:
        raise Malformed(at, f"{count} headers with {end - now} bytes left")
    children = [Field(HEADER_COUNT, count, at, now - at, view)]
    node = Field(HEADERS, None, at, now - at, view, children, f"Headers ({count})")
    out.append(node)
    try:
        for _ in range(count):
            start = now
            size, now = _varint(data, now, end)
            if size < 0 or now + size > end:
                raise Malformed(start, f"a header key of {size} bytes with {end - now} left")
            name = data[now:now + size].decode("utf-8", "replace")
            key = Field(HEADER_KEY, name, now, size, view, now - start)
            inside = [key]
            one = Field(HEADER, None, start, now + size - start, view, inside)
            children.append(one)
            value, now = _payload(HEADER_VALUE, source, now + size, end, inside)
            one.length = now - start
            one._text = f"Header: {name} = {preview(value)}"
            inside += _trace(name, value)
    finally:
        node.length = max(now, children[-1].end) - at
    return now


def _trace(name: str, value: Field) -> list[Field]:
    """Trace and span of the headers that carry them (W3C traceparent, SkyWalking sw8, Zipkin b3, Jaeger uber-trace-id)."""
    text = _as_text(value.value) if value.value else None
    if text is None:
        return []
    trace = span = ""
    if name == "traceparent" and text.count("-") >= 3:
        _, trace, span, *_ = text.split("-")
    elif name == "b3" and "-" in text:
        trace, span, *_ = text.split("-")
    elif name == "uber-trace-id" and text.count(":") == 3:
        trace, span, *_ = text.split(":")
    elif name == "sw8" and text.count("-") >= 7:
        import base64
        import binascii

        parts = text.split("-")
        try:
            trace = base64.b64decode(parts[1]).decode("utf-8", "replace")
            span = f"{base64.b64decode(parts[2]).decode('utf-8', 'replace')}-{parts[3]}"
        except binascii.Error:
            return []
    made = [f.generated(TRACE, trace, at=value.start, view=value.view)] if trace else []
    return made + ([f.generated(SPAN, span, at=value.start, view=value.view)] if span else [])


def preview(field: Field) -> str:
    """The first characters of a key or value."""
    if field.value is None:
        return "<null>"
    text = show_payload(field.value)
    return text if len(text) <= 60 else text[:60] + "…"


def open_payloads(topic: str, key: Field, value: Field, source: Source) -> str:
    """Puts what a record of one of Kafka's own topics means below its key and value, with lines that say so; the record in words, "" for other topics."""
    in_key, in_value, words = internal.open_record(topic, key, value, source)
    for field, made in ((key, in_key), (value, in_value)):
        if made:
            field._children = [*field.fields[:1], *made]
            field._text = f"{field.spec.label}: {words}, {field.length} bytes" if words else f"{field.spec.label}: {field.length} bytes"
        elif topic in internal.OWN and field.length:
            # a number of theirs is no registry's: such bytes are not read as anything
            field._children = field.fields[:1]
            field._text = f"{field.spec.label}: {field.value[:SHOWN_BYTES].hex()}{'…' if field.length > SHOWN_BYTES else ''}"
    return words
