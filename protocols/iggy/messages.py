"""Messages as producers send and consumers get them: the layout of 0.4, that of 0.5 to 0.8 with its index, and the batches of 0.9.

Of a message in 0.5 and later the payload comes before the user headers, although their lengths stand the other way round. The header has 56 bytes in 0.5 and
0.6 and 64 from 0.7 on. Checksums are CRC32 in 0.5, XxHash3-64 later; producers leave them 0, the server fills them in.
Source: Apache Iggy, `message_layout.rs`, `send_messages.rs`, `batch.rs`, and the bytes that servers 0.4.300 to 0.9.0-edge.5 sent.
"""
from __future__ import annotations

import struct
from collections.abc import Sequence

from protocols.engine.fields import Field, Spec
from protocols.engine.records import MICROSLE, U8, U32LE, U64LE, U128LE, Blob, Custom, Each, Layout, Limited, Rest, Sized, Type
from protocols.engine.scalars import Malformed, Reader, Source
from protocols.iggy.kinds import HEADER_KINDS, Checksum, Reserved, Typed, brief, crc32, moment, payload, sized, whole, xxh3
from protocols.iggy.parts import COUNT, PARTITIONING, STREAM, TOPIC, Parts

__all__ = ["BATCHES", "MESSAGES", "ONE_BATCH", "SEND", "SEND_BATCH", "user_headers"]

STATES = {1: "available", 10: "unavailable", 20: "poisoned", 30: "marked for deletion"}
BATCH_HEADER, FRAME_HEADER = 256, 48
_U32, _U64 = struct.Struct("<I").unpack_from, struct.Struct("<Q").unpack_from


def message_id(value: int) -> str:
    """A message id: small ones are counted, large ones are UUIDs."""
    if value < 1 << 64:
        return f"{value}{' (the server gives one)' if not value else ''}"
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


ID = Spec("iggy.message.id", "Message id", "uint128", show=message_id, base="hex")
MESSAGE_OFFSET = Spec("iggy.message.offset", "Offset", "uint64")
TIMESTAMP = Spec("iggy.message.timestamp", "Timestamp", "time", show=moment)
ORIGIN = Spec("iggy.message.origin_timestamp", "Origin timestamp", "time", show=moment)
HEADERS_LENGTH = Spec("iggy.message.headers_length", "User headers length", "uint32")
PAYLOAD_LENGTH = Spec("iggy.message.payload_length", "Payload length", "uint32")
PAYLOAD = Spec("iggy.message.payload", "Payload", "bytes", show=payload, about="What the producer sent; it may be encrypted end to end")
STATE = Spec("iggy.message.state", "State", "uint8", STATES)
CHECKSUM = Spec("iggy.message.checksum", "Checksum", "uint64", base="hex")
CHECKSUM_32 = Spec("iggy.message.checksum32", "Checksum", "uint32", base="hex")
RESERVED = Spec("iggy.message.reserved", "Reserved", "bytes")
MESSAGE = Spec("iggy.message", "Message")
ALL = Spec("iggy.messages", "Messages")
INDEX = Spec("iggy.index", "Index")
INDEX_OFFSET = Spec("iggy.index.offset", "Offset", "uint32")
INDEX_POSITION = Spec("iggy.index.position", "End of the message", "uint32",
                      about="Bytes from the start of the messages; its place in a segment when the server says it")
INDEX_TIME = Spec("iggy.index.timestamp", "Timestamp", "uint64")
INDEX_ENTRY = Spec("iggy.index.entry", "Entry")
METADATA = whole("iggy.send.metadata", "Metadata")

HEADERS = whole("iggy.headers", "User headers")
HEADER = Spec("iggy.header", "User header")
KEY_KIND = Spec("iggy.header.key_kind", "Key kind", "uint8", HEADER_KINDS)
KEY = Spec("iggy.header.key", "Key", "string", about="The key by its kind, as text")
KIND = Spec("iggy.header.kind", "Value kind", "uint8", HEADER_KINDS)
VALUE = Spec("iggy.header.value", "Value", "string", about="The value by its kind, as text")


def _header_title(c: Sequence[Field]) -> str:
    values = {one.spec: one.value for one in c}
    return f"{values.get(KEY)}: {values.get(VALUE)} ({HEADER_KINDS.get(values.get(KIND, 0), 'unknown kind')})"


_HEADER_1 = Layout(HEADER, ((KEY, Typed(None)), (KIND, U8), (VALUE, Typed(KIND))), _header_title)
_HEADER_2 = Layout(HEADER, ((KEY_KIND, U8), (KEY, Typed(KEY_KIND)), (KIND, U8), (VALUE, Typed(KIND))), _header_title)
_EACH_1, _EACH_2 = Each(HEADER, _HEADER_1), Each(HEADER, _HEADER_2)


def second_version(head: bytes) -> bool:
    """Whether user headers that begin with `head` name the kinds of their keys, as from 0.7 on: bytes 1 to 3 are zero where they do not."""
    return any(head[1:4])


def _either(spec: Spec) -> Reader:
    first, second = _EACH_1.reader(spec), _EACH_2.reader(spec)

    def read_headers(source: Source, at: int, end: int, out: list[Field]) -> int:
        if at >= end:
            return at
        return (second if second_version(source.data[at:at + 4]) else first)(source, at, end, out)
    return read_headers


user_headers = Custom(_either, also=tuple(_EACH_2.specs(HEADERS))[1:])
"""User headers of either version up to the end; nothing when nothing is left."""


# 0.4

def _old_title(c: Sequence[Field]) -> str:
    values = {one.spec: one.value for one in c}
    offset = f" offset {values[MESSAGE_OFFSET]}" if MESSAGE_OFFSET in values else ""
    return f"Message{offset}: {brief(values.get(PAYLOAD) or b'')}"


def _old_checksum(data: bytes, at: int, end: int) -> list[tuple[str, int]] | None:
    """CRC32 over the payload, which stands behind the user headers."""
    if end - at < 8:
        return None
    start = at + 8 + _U32(data, at + 4)[0]
    if end - start < 4:
        return None
    length = _U32(data, start)[0]
    return [("CRC32", crc32(data[start + 4:start + 4 + length]))] if length <= end - start - 4 else None


_OLD_BODY: Parts = ((HEADERS, Limited(U32LE, user_headers)), (PAYLOAD, Blob(U32LE)))
_OLD_SENT = Layout(MESSAGE, ((ID, U128LE), *_OLD_BODY), _old_title)
_OLD_POLLED = Layout(MESSAGE, ((MESSAGE_OFFSET, U64LE), (STATE, U8), (TIMESTAMP, MICROSLE), (ID, U128LE), (CHECKSUM_32, Checksum(4, _old_checksum)),
                              *_OLD_BODY), _old_title)


# 0.5 to 0.8

def _title(c: Sequence[Field]) -> str:
    values = {one.spec: one.value for one in c}
    offset, made = values.get(MESSAGE_OFFSET), values.get(TIMESTAMP)
    return f"Message{f' offset {offset}' if made else ''}: {brief(values.get(PAYLOAD) or b'')}"


def _over(data: bytes, at: int, end: int) -> list[tuple[str, int]] | None:
    """Over all of the message behind the checksum. The header's size is told by whether its last eight bytes are there and zero."""
    if end - at < 56:
        return None
    body = _U32(data, at + 48)[0] + _U32(data, at + 52)[0]
    found = []
    for size in (64, 56):
        if at + size + body <= end:
            covered = memoryview(data)[at + 8:at + size + body]
            found += [("XxHash3-64", xxh3(covered)), ("CRC32", crc32(covered))]
    return found or None


def _message(size: int) -> Layout:
    reserved: Parts = ((RESERVED, Reserved(8)),) if size == 64 else ()
    return Layout(MESSAGE, (
        (CHECKSUM, Checksum(8, _over)), (ID, U128LE), (MESSAGE_OFFSET, U64LE), (TIMESTAMP, MICROSLE), (ORIGIN, MICROSLE), (HEADERS_LENGTH, U32LE),
        (PAYLOAD_LENGTH, U32LE), *reserved, (PAYLOAD, Sized(PAYLOAD_LENGTH, Rest())), (HEADERS, Sized(HEADERS_LENGTH, user_headers))), _title)


_ENTRY = Layout(INDEX_ENTRY, ((INDEX_OFFSET, U32LE), (INDEX_POSITION, U32LE), (INDEX_TIME, U64LE)),
                lambda c: f"Message ends at {c[1].value}" if len(c) > 1 else "Entry")


def _indexed(size: int) -> Type:
    """An index of COUNT entries, then as many messages up to the end, each as long as the index says."""
    message = _message(size)

    def make(spec: Spec) -> Reader:
        entry, one = _ENTRY.reader(INDEX_ENTRY), message.reader(MESSAGE)

        def read_indexed(source: Source, at: int, end: int, out: list[Field]) -> int:
            count = next((one.value for one in reversed(out) if one.spec is COUNT), None)
            if count is None:
                raise Malformed(at, "no count of messages")
            if count * 16 > end - at and not source.cut:
                raise Malformed(at, f"an index of {count} entries with {sized(end - at)} left")
            entries: list[Field] = []
            index = Field(INDEX, None, at, 0, source.view, entries, f"Index ({count})")
            out.append(index)
            now = at
            try:
                for _ in range(count):
                    now = entry(source, now, end, entries)
            finally:
                index.length = max(now, entries[-1].end if entries else now) - at
            start, before = now, 0
            messages: list[Field] = []
            node = Field(spec, None, start, 0, source.view, messages, f"Messages ({count})")
            out.append(node)
            try:
                for place in entries:
                    after = place.fields[1].value
                    now = one(source, now, end, messages)
                    if now - start != after:
                        raise Malformed(place.start + 4, f"the index says that the message ends at {after}, it ends at {now - start}"
                                        if after > before else f"the index goes back from {before} to {after}")
                    before = after
            finally:
                node.length = max(now, messages[-1].end if messages else now) - start
            return now
        return read_indexed
    return Custom(make, also=(INDEX, *_ENTRY.specs(INDEX_ENTRY), *message.specs(MESSAGE)))


_METADATA: Parts = (STREAM, TOPIC, (PARTITIONING.spec or ALL, PARTITIONING))
SEND: dict[int, Parts] = {
    0: (*_METADATA, (ALL, Each(MESSAGE, _OLD_SENT))),
    56: ((METADATA, Limited(U32LE, Layout(None, (*_METADATA, (COUNT, U32LE))))), (ALL, _indexed(56))),
    64: ((METADATA, Limited(U32LE, Layout(None, (*_METADATA, (COUNT, U32LE))))), (ALL, _indexed(64))),
}
"""The request to send messages, by the size of the message header; 0 is the layout of 0.4."""
MESSAGES: dict[int, Type] = {0: Each(MESSAGE, _OLD_POLLED), 56: Each(MESSAGE, _message(56)), 64: Each(MESSAGE, _message(64))}
"""Messages as they are polled, up to the end."""


# 0.9: batches

BATCH = Spec("iggy.batch", "Batch")
_PARTITION = Spec("iggy.batch.partition", "Partition", "uint64")
BASE_OFFSET = Spec("iggy.batch.base_offset", "Base offset", "uint64")
_BASE_TIME = Spec("iggy.batch.base_timestamp", "Base timestamp", "time", show=moment)
_ORIGIN_TIME = Spec("iggy.batch.origin_timestamp", "Origin timestamp", "time", show=moment)
_LENGTH = Spec("iggy.batch.length", "Batch length", "uint64")
_BATCH_CHECKSUM = Spec("iggy.batch.checksum", "Batch checksum", "uint64", base="hex")
_MESSAGES = Spec("iggy.batch.count", "Messages", "uint32")
_RESERVED = Spec("iggy.batch.reserved", "Reserved", "bytes")
OFFSET_DELTA = Spec("iggy.message.offset_delta", "Offset delta", "uint32")
_TIME_DELTA = Spec("iggy.message.timestamp_delta", "Timestamp delta", "uint32", show=lambda v: f"{v} µs")


def _frame_checksum(data: bytes, at: int, end: int) -> list[tuple[str, int]] | None:
    if end - at < FRAME_HEADER:
        return None
    after = at + FRAME_HEADER + _U32(data, at + 32)[0] + _U32(data, at + 36)[0]
    return [("XxHash3-64", xxh3(memoryview(data)[at + 8:after]))] if after <= end else None


def _batch_checksum(data: bytes, at: int, end: int) -> list[tuple[str, int]] | None:
    """Over the header's numbers, then the checksum of every frame. What a server cuts out of a batch keeps the checksum of the slice."""
    start = at - 40
    length, count = _U64(data, at - 8)[0], _U32(data, at + 8)[0] if end - at >= 12 else 0
    stop = start + length
    if not BATCH_HEADER <= length <= end - start:
        return None
    covered, now = bytearray(data[start:start + 40] + data[at + 8:at + 12]), start + BATCH_HEADER
    for _ in range(count):
        if stop - now < FRAME_HEADER:
            return None
        covered += data[now:now + 8]
        now += FRAME_HEADER + _U32(data, now + 32)[0] + _U32(data, now + 36)[0]
    return [("XxHash3-64", xxh3(bytes(covered)))] if now == stop else None


_FRAME = Layout(MESSAGE, (
    (CHECKSUM, Checksum(8, _frame_checksum)), (ID, U128LE), (OFFSET_DELTA, U32LE), (_TIME_DELTA, U32LE), (HEADERS_LENGTH, U32LE), (PAYLOAD_LENGTH, U32LE),
    (RESERVED, Reserved(8)), (PAYLOAD, Sized(PAYLOAD_LENGTH, Rest())), (HEADERS, Sized(HEADERS_LENGTH, user_headers))),
    lambda c: f"Message +{c[2].value}: {brief(next((one.value for one in c if one.spec is PAYLOAD), b''))}" if len(c) > 2 else "Message")
_BATCH_PARTS: Parts = (
    (_PARTITION, U64LE), (BASE_OFFSET, U64LE), (_BASE_TIME, MICROSLE), (_ORIGIN_TIME, MICROSLE), (_LENGTH, U64LE),
    (_BATCH_CHECKSUM, Checksum(8, _batch_checksum)),
    (_MESSAGES, U32LE), (_RESERVED, Reserved(BATCH_HEADER - 52)))


def _batch(spec: Spec) -> Reader:
    """A batch header, and frames in as many bytes as it says."""
    header, frame = Layout(None, _BATCH_PARTS).reader(spec), _FRAME.reader(MESSAGE)

    def read_batch(source: Source, at: int, end: int, out: list[Field]) -> int:
        children: list[Field] = []
        node = Field(BATCH, None, at, 0, source.view, children)
        out.append(node)
        now = at
        try:
            now = header(source, at, end, children)
            values = {one.spec: one.value for one in children}
            stop, count = at + values[_LENGTH], values[_MESSAGES]
            node._text = f"Batch: {count} {'message' if count == 1 else 'messages'}, base offset {values[BASE_OFFSET]}"
            if stop < now:
                raise Malformed(at + 32, f"a batch of {sized(values[_LENGTH])}")
            limit = min(stop, end)
            while now < limit:
                now = frame(source, now, limit, children)
                if values[_BASE_TIME]:
                    one = children[-1].fields
                    children[-1]._text = f"Message offset {values[BASE_OFFSET] + one[2].value}: {brief(next((f.value for f in one if f.spec is PAYLOAD), b''))}"
            if stop > end:
                raise Malformed(end, f"the batch has {sized(stop - end)} more")
            if sum(one.spec is MESSAGE for one in children) != count:
                raise Malformed(at + 48, f"a count of {count} messages, and {sum(one.spec is MESSAGE for one in children)} of them")
        finally:
            node.length = max(now, children[-1].end if children else at) - at
        return now
    return read_batch


_ONE_BATCH = Custom(_batch, also=(*(part for spec, kind in _BATCH_PARTS for part in kind.specs(spec)), *_FRAME.specs(MESSAGE)))
ONE_BATCH: tuple[Spec, Type] = (BATCH, _ONE_BATCH)
BATCHES = Each(BATCH, _ONE_BATCH)
SEND_BATCH: Parts = ((METADATA, Limited(U32LE, Layout(None, (*_METADATA, (COUNT, U32LE))))), ONE_BATCH)
"""The request to send messages in 0.9."""
