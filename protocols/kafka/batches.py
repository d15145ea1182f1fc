"""Records fields: batches of format 2, message sets of formats 0 and 1, one after the other, the last one possibly cut off.

`batch_heads` hops from batch to batch and is all that the list needs; `read_batches` makes the tree. Checksums are verified and
compressed batches opened at once (each as a byte view of its own), single records only when somebody looks. Formats:
Kafka's `DefaultRecordBatch`, `DefaultRecord` and `LegacyRecord` (4.5 development line).
"""
from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import NamedTuple

from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec
from protocols.engine.records import Malformed, Source
from protocols.kafka import single
from protocols.kafka.compression import CodecError, decompress, limit_for
from protocols.kafka.reader import note
from protocols.kafka.scope import Scope
from protocols.kafka.single import MESSAGE_KEY, MESSAGE_VALUE, RecordSet
from protocols.kafka.values import CODECS, show_time

__all__ = ["BATCH_HEADER", "SPECS", "BatchHead", "batch_heads", "in_words", "read_batches", "told_by"]

BATCH_HEADER = 61
LEAST_ENTRY = 17
"""Bytes up to and with the magic of either format."""
DEPTH = 4
MOST_BATCHES = 20_000
"""Batches (or old messages) of one field that are read; what follows is shown raw."""
HEAD = struct.Struct(">qiibIhiqqqhii")
STATUS = {0: "bad", 1: "good", 2: "unverified"}


def _hex(value: int) -> str:
    return f"0x{value:08x}"


BATCH = Spec("kafka.batch", "Record batch")
MESSAGE = Spec("kafka.message", "Message")
OFFSET = Spec("kafka.offset", "Offset", "int64")
BASE_OFFSET = Spec("kafka.offset", "Base offset", "int64")
SIZE = Spec("kafka.message_size", "Batch length", "int32")
EPOCH = Spec("kafka.partition_leader_epoch", "Partition leader epoch", "int32")
MAGIC = Spec("kafka.message_magic", "Magic", "int8", about="The format of the batch")
CRC = Spec("kafka.batch_crc", "CRC-32C", "uint32", show=_hex)
CRC_STATUS = Spec("kafka.batch_crc.status", "CRC status", "uint8", STATUS)
ATTRIBUTES = Spec("kafka.batch_attributes", "Attributes", "uint16", show=lambda value: f"0x{value:04x}")
CODEC = Spec("kafka.batch_codec", "Compression codec", "uint16", CODECS, mask=0x07)
TIME_TYPE = Spec("kafka.batch_timestamp_type", "Timestamp type", "uint16", {0: "CreateTime", 1: "LogAppendTime"}, mask=0x08)
TRANSACTIONAL = Spec("kafka.batch_transactional", "Transactional", "uint16", mask=0x10)
CONTROL = Spec("kafka.batch_control_batch", "Control batch", "uint16", mask=0x20)
HORIZON = Spec("kafka.batch_delete_horizon", "Delete horizon", "uint16", mask=0x40)
UNUSED = Spec("kafka.batch_unused", "Unused", "uint16", mask=0xFF80)
LAST_DELTA = Spec("kafka.batch_last_offset_delta", "Last offset delta", "int32")
FIRST_TIME = Spec("kafka.batch_first_timestamp", "First timestamp", "time", show=show_time)
LAST_TIME = Spec("kafka.batch_last_timestamp", "Last timestamp", "time", show=show_time)
PRODUCER = Spec("kafka.producer_id", "Producer id", "int64")
PRODUCER_EPOCH = Spec("kafka.producer_epoch", "Producer epoch", "int32")
SEQUENCE = Spec("kafka.batch_base_sequence", "Base sequence", "int32")
COUNT = Spec("kafka.batch_size", "Record count", "int32")
COMPRESSED = Spec("kafka.batch_compressed", "Compressed records", "bytes")
REDUCTION = Spec("kafka.message_compression_reduction", "Compression reduction", "double", show=lambda value: f"{value:.3f}")
PARTIAL = Spec("kafka.truncated_content", "Partial batch", "bytes", about="A last batch that the fetch's limit cut off: clients pass it over")
MESSAGE_SIZE = Spec("kafka.message_size", "Message size", "int32")
MESSAGE_CRC = Spec("kafka.message_crc", "CRC-32", "uint32", show=_hex)
MESSAGE_CRC_STATUS = Spec("kafka.message_crc.status", "CRC status", "uint8", STATUS)
MESSAGE_ATTRIBUTES = Spec("kafka.message_attributes", "Attributes", "uint8", show=lambda value: f"0x{value:02x}")
MESSAGE_CODEC = Spec("kafka.message_codec", "Compression codec", "uint8", CODECS, mask=0x07)
MESSAGE_TIME_TYPE = Spec("kafka.message_timestamp_type", "Timestamp type", "uint8", {0: "CreateTime", 1: "LogAppendTime"}, mask=0x08)
MESSAGE_TIME = Spec("kafka.message_timestamp", "Timestamp", "time", show=show_time)
ABSOLUTE = Spec("kafka.absolute_offset", "Offset in the partition", "int64", about="Inside a compressed message of format 1 offsets count from its start")
SPECS = (BATCH, MESSAGE, OFFSET, SIZE, EPOCH, MAGIC, CRC, CRC_STATUS, ATTRIBUTES, CODEC, TIME_TYPE, TRANSACTIONAL, CONTROL, HORIZON, UNUSED, LAST_DELTA,
         FIRST_TIME,
         LAST_TIME, PRODUCER, PRODUCER_EPOCH, SEQUENCE, COUNT, COMPRESSED, REDUCTION, PARTIAL, MESSAGE_CRC, MESSAGE_CRC_STATUS,
         MESSAGE_ATTRIBUTES, MESSAGE_CODEC, MESSAGE_TIME_TYPE, MESSAGE_TIME, ABSOLUTE)


class BatchHead(NamedTuple):
    """One batch (or message of an old set) without its records. `end` may lie beyond what is there; `magic` is -1 when the head itself is cut."""

    start: int
    end: int
    offset: int
    magic: int
    attributes: int
    records: int
    last_offset: int
    producer: int

    @property
    def codec(self) -> int:
        return self.attributes & 7

    @property
    def control(self) -> bool:
        return self.magic == 2 and bool(self.attributes & 0x20)

    def is_there(self, end: int) -> bool:
        """Whether all that it says lies before `end`."""
        return self.end <= end or (self.magic == 2 and end - self.start >= BATCH_HEADER)


def batch_heads(data: bytes, start: int, end: int) -> Iterator[BatchHead]:
    """The batches of a records field, the cut one at the end included. A length that cannot be ends it."""
    at = start
    while at < end:
        if end - at < LEAST_ENTRY:
            yield BatchHead(at, end + 1, -1, -1, 0, 0, -1, -1)
            return
        offset, length = struct.unpack_from(">qi", data, at)
        magic = struct.unpack_from(">b", data, at + 16)[0]
        after = at + 12 + length
        if length < 14:
            yield BatchHead(at, at, offset, magic, 0, 0, offset, -1)
            return
        if magic >= 2:
            whole = end - at >= BATCH_HEADER
            attributes, delta = struct.unpack_from(">hi", data, at + 21) if whole else (0, 0)
            producer = struct.unpack_from(">q", data, at + 43)[0] if whole else -1
            count = struct.unpack_from(">i", data, at + 57)[0] if whole else 0
            yield BatchHead(at, after, offset, magic, attributes, count, offset + delta, producer)
        else:
            yield BatchHead(at, after, offset, magic, data[at + 17] if end - at > 17 else 0, 1, offset, -1)
        at = after


def in_words(heads: Iterable[BatchHead], end: int) -> str:
    """How many batches and records lie before `end`: "2 batches, 34 records"; old compressed messages do not say how many they hold."""
    batches = records = sets = 0
    for head in heads:
        if head.start < head.end <= end:
            batches += head.magic == 2
            records += head.records if head.magic == 2 or not head.codec else 0
            sets += head.magic < 2 and bool(head.codec)
    words = [_plural(batches, "batch")] if batches else []
    words += [_plural(sets, "compressed message")] if sets else []
    return ", ".join([*words, _plural(records, "record")] if records or not words else words)


def told_by(heads: list[BatchHead], end: int, declared: int) -> tuple[list[BatchHead], bool]:
    """What the heads say of a records field that ends at `declared` and of which the capture holds the bytes before `end`: the batches whose heads are
    there, as ending at `end`, and whether further ones may follow. Of a field that is there as a whole, all heads."""
    if end >= declared:
        return heads, False
    kept = [head for head in heads if head.start < head.end and head.is_there(end)]
    more = not kept or kept[-1] is not heads[-1] or kept[-1].end < declared
    return [head._replace(end=min(head.end, end)) for head in kept], more


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 'es' if noun.endswith('h') else 's'}"


def read_batches(source: Source, start: int, end: int, out: list[Field]) -> str:
    """Batches as nodes of `out`; never raises. What cannot be read is said and shown raw. Gives back what there is in words."""
    heads = list(islice(batch_heads(source.data, start, end), MOST_BATCHES + 1))
    declared = start + out[0].value if source.cut and out else end
    _read_heads(source, heads, end, out)
    told, more = told_by(heads, end, declared)
    return f"at least {in_words(told, end)}" if more and told else "not captured" if more else in_words(told, end)


def _read_heads(source: Source, heads: list[BatchHead], end: int, out: list[Field]) -> None:
    view, data = source.view, source.data
    for number, head in enumerate(heads):
        if number >= MOST_BATCHES:
            out.append(f.raw(data, head.start, end, view, f"[{end - head.start} bytes of further batches: only the first {MOST_BATCHES} are read]"))
            return
        if head.end <= head.start:
            out.append(f.malformed(head.start, "a batch with an impossible length", end, view))
        elif head.end > end and not (source.cut and head.is_there(end)):
            _partial(source, head, end, out)
        elif head.magic == 2:
            if head.end - head.start < BATCH_HEADER:
                out.append(f.malformed(head.start, f"a batch of {head.end - head.start} bytes", head.end, view))
            else:
                out.append(_batch(source, head, end))
        elif head.magic in (0, 1):
            out.append(_message(source, head.start, head.end, 0))
        else:
            out.append(f.raw(data, head.start, head.end, view, f"[batch of format {head.magic}, which this build does not know]"))


def _partial(source: Source, head: BatchHead, end: int, out: list[Field]) -> None:
    """A last batch of which a part is there."""
    had = end - head.start
    if source.cut:
        why = f"batch of which the capture holds {had} of {head.end - head.start} bytes" if head.magic >= 0 else f"{had} bytes of a batch"
    elif head.magic < 0:
        why = f"{had} bytes of a further batch, cut off by the fetch's limit"
    else:
        why = f"partial batch at offset {head.offset}: {had} of {head.end - head.start} bytes, cut off by the fetch's limit"
    out.append(Field(PARTIAL, source.data[head.start:end], head.start, had, source.view, [note(why, head.start, source.view)], f"[{why}]"))


def _crc_field(spec: Spec, status: Spec, at: int, value: int, computed: int, view: int) -> Field:
    good = value == computed
    text = f"{spec.label}: {_hex(value)} [{'correct' if good else f'incorrect, computed {_hex(computed)}'}]"
    return Field(spec, value, at, 4, view, [f.generated(status, int(good), at=at, view=view)], text)


def _flags(spec: Spec, value: int, start: int, size: int, view: int, parts: tuple[Spec, ...]) -> Field:
    bits = [Field(one, (value & one.mask) >> (one.mask & -one.mask).bit_length() - 1, start, size, view) for one in parts]
    return Field(spec, value, start, size, view, bits)


def _batch(source: Source, head: BatchHead, end: int) -> Field:
    """A batch of format 2. What the capture holds of it ends at `end` at the latest: then its head and the records before that are shown."""
    import google_crc32c

    data, view, at = source.data, source.view, head.start
    (offset, length, epoch, magic, crc, attributes, delta, first, last, producer, producer_epoch, sequence, count) = HEAD.unpack_from(data, at)
    attributes &= 0xFFFF
    stop = min(head.end, end)
    checked = _crc_field(CRC, CRC_STATUS, at + 17, crc, google_crc32c.value(data[at + 21:stop]), view)
    if stop < head.end:
        checked = Field(CRC, crc, at + 17, 4, view, (), f"{CRC.label}: {_hex(crc)} [not checked: the batch was not captured whole]")
    flags = (CODEC, TIME_TYPE, TRANSACTIONAL, CONTROL, HORIZON, UNUSED) if attributes & 0xFF80 else (CODEC, TIME_TYPE, TRANSACTIONAL, CONTROL, HORIZON)
    children = [
        Field(BASE_OFFSET, offset, at, 8, view), Field(SIZE, length, at + 8, 4, view), Field(EPOCH, epoch, at + 12, 4, view),
        Field(MAGIC, magic, at + 16, 1, view),
        checked, _flags(ATTRIBUTES, attributes, at + 21, 2, view, flags),
        Field(LAST_DELTA, delta, at + 23, 4, view),
        # with the flag, it is no time of a record: when what marks deletion in the batch may go
        Field(FIRST_TIME, first * 1_000_000, at + 27, 8, view, (), f"Delete horizon: {show_time(first * 1_000_000)}" if attributes & HORIZON.mask else None),
        Field(LAST_TIME, last * 1_000_000, at + 35, 8, view),
        Field(PRODUCER, producer, at + 43, 8, view), Field(PRODUCER_EPOCH, producer_epoch, at + 51, 2, view), Field(SEQUENCE, sequence, at + 53, 4, view),
        Field(COUNT, count, at + 57, 4, view),
    ]
    scope: Scope | None = source.context
    rules = RecordSet(offset, first, last if attributes & 8 else None, bool(attributes & 0x20), scope.topic if scope else "", count, stop < head.end)
    start, codec = at + BATCH_HEADER, attributes & 7
    inside: Callable[[], list[Field]] | None = None
    if rules.cut:
        children.append(note(f"the capture holds {stop - at} of the batch's {head.end - at} bytes", at, view))
    if codec and start < stop:
        body, body_view, made = _open(source, codec, start, stop, f"Decompressed records ({CODECS.get(codec, codec)}) at offset {offset}")
        children += made
        if body is not None:
            inside = partial(single.read_records, Source(body, body_view), 0, len(body), rules)
    else:
        inside = partial(single.read_records, source, start, stop, rules)

    def all_fields() -> list[Field]:
        return children + (inside() if inside else [])
    good = not any(one.spec is CRC_STATUS and not one.value for one in checked.fields)
    return Field(BATCH, None, at, stop - at, view, all_fields, _batch_title(offset, delta, count, codec, attributes, good))


def _batch_title(offset: int, delta: int, count: int, codec: int, attributes: int, good: bool) -> str:
    text = f"Record batch: {count} {'record' if count == 1 else 'records'}, offset {offset}" + (f" to {offset + delta}" if delta > 0 else "")
    if codec:
        text += f", {CODECS.get(codec, f'codec {codec}')}"
    text += ", transactional" * bool(attributes & 0x10) + ", control" * bool(attributes & 0x20)
    return text if good else f"{text} [CRC incorrect]"


def _open(source: Source, codec: int, start: int, end: int, name: str, old_lz4: bool = False) -> tuple[bytes | None, int, list[Field]]:
    """The compressed bytes as a field, and (where they can be opened) what they hold with its byte view."""
    data, scope = source.data[start:end], source.context
    field = Field(COMPRESSED, data, start, end - start, source.view, (), f"Compressed records: {end - start} bytes, {CODECS.get(codec, f'codec {codec}')}")
    if scope is None or scope.add_view is None:
        return None, 0, [field]
    limit = limit_for(end - start, scope.budget)
    if limit <= 0:
        return None, 0, [field, note("not decompressed: the limit for one message is used up", start, source.view)]
    try:
        body, whole = decompress(codec, data, limit, old_lz4)
    except CodecError as fault:
        return None, 0, [field, note(f"not decompressed: {fault}", start, source.view)]
    scope.budget -= len(body)
    made = [field, f.generated(REDUCTION, len(data) / len(body) if body else 0.0, f"Decompressed: {len(body)} bytes", start, source.view)]
    if not whole:
        made.append(note(f"decompression stopped at the limit of {limit} bytes", start, source.view))
    return body, scope.add_view(name, body), made


def _message(source: Source, at: int, end: int, depth: int, shift: int | None = None) -> Field:
    """A message of format 0 or 1, with the messages inside it when it is compressed. `shift` turns its offset into the partition's."""
    data, view = source.data, source.view
    children: list[Field] = []
    node = Field(MESSAGE, None, at, end - at, view, children)
    try:
        offset, size, crc, magic, attributes = struct.unpack_from(">qiIbB", data, at)
        now = at + 18
        children += [Field(OFFSET, offset, at, 8, view), Field(MESSAGE_SIZE, size, at + 8, 4, view),
                     _crc_field(MESSAGE_CRC, MESSAGE_CRC_STATUS, at + 12, crc, zlib.crc32(data[at + 16:end]), view), Field(MAGIC, magic, at + 16, 1, view),
                     _flags(MESSAGE_ATTRIBUTES, attributes, at + 17, 1, view, (MESSAGE_CODEC, MESSAGE_TIME_TYPE) if magic else (MESSAGE_CODEC,))]
        if shift is not None:
            offset += shift
            children.insert(1, f.generated(ABSOLUTE, offset, at=at, view=view))
        if magic:
            if end - now < 8:
                raise Malformed(now, f"wanted 8 bytes, had {end - now}")
            children.append(Field(MESSAGE_TIME, struct.unpack_from(">q", data, now)[0] * 1_000_000, now, 8, view))
            now += 8
        topic = source.context.topic if source.context else ""
        key, now = single.sized(MESSAGE_KEY, source, now, end, children)
        codec = attributes & 7
        if codec and depth < DEPTH:
            _nested(source, now, end, codec, magic, offset, depth, children)
            node._text = f"Message at offset {offset}: compressed with {CODECS.get(codec, f'codec {codec}')}"
            return node
        value, now = single.sized(MESSAGE_VALUE, source, now, end, children)
        meaning = single.open_payloads(topic, key, value, source)
        node._text = f"Message at offset {offset}: {meaning or f'{single.preview(key)} = {single.preview(value)}'}"
        if now < end:
            raise Malformed(now, f"{end - now} bytes left over in the message")
    except (Malformed, struct.error) as fault:
        where = fault.at if isinstance(fault, Malformed) else at
        children.append(f.malformed(where, fault.why if isinstance(fault, Malformed) else "a message cut short", end, view))
        node._text = "Message [malformed]"
    return node


def _nested(source: Source, at: int, end: int, codec: int, magic: int, offset: int, depth: int, children: list[Field]) -> None:
    """The value of a compressed message: a message set of its own."""
    value, now = single.sized(MESSAGE_VALUE, source, at, end, children)
    if value.value is None:
        return
    body, view, made = _open(source, codec, value.start, now, f"Decompressed messages ({CODECS.get(codec, codec)}) at offset {offset}", old_lz4=magic == 0)
    children[-1] = value = Field(MESSAGE_VALUE, value.value, value.start, value.length, source.view, [*value.fields, *made[1:]], f"Value: {value.length} bytes")
    if body is None:
        return
    inner = Source(body, view, False, source.context)
    heads = list(islice(batch_heads(body, 0, len(body)), MOST_BATCHES + 1))
    if len(heads) > MOST_BATCHES:
        beyond = heads.pop()
        more = f"[{len(body) - beyond.start} bytes of further messages: only the first {MOST_BATCHES} are read]"
        children.append(f.raw(body, beyond.start, len(body), view, more))
    last = heads[-1].offset if heads else 0
    shift = offset - last if magic else None
    for head in heads:
        if head.end <= head.start:
            children.append(f.malformed(head.start, "a message with an impossible length", len(body), view))
        elif head.end > len(body):
            children.append(f.malformed(head.start, f"a message of {head.end - head.start} bytes with {len(body) - head.start} left", len(body), view))
        elif head.magic not in (0, 1):
            children.append(f.malformed(head.start, f"magic {head.magic} inside a compressed message", head.end, view))
        else:
            children.append(_message(inner, head.start, head.end, depth + 1, shift))
