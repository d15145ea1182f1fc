"""What lies inside bytes fields: records of Kafka's own topics, control records, group protocols, forwarded requests, SASL tokens.

Layouts come from the same schema (kinds d and k). What does not fit its layout is left as bytes: these are guesses by place,
made by the topic's name or the field that holds them.
"""
from __future__ import annotations

import struct
from collections.abc import Callable

from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec
from protocols.engine.records import Malformed, Source
from protocols.kafka import schema
from protocols.kafka.layouts import reader
from protocols.kafka.reader import note, read_uvarint
from protocols.kafka.schema import Message
from protocols.kafka.scope import Scope
from protocols.kafka.values import CONTROL_TYPES

__all__ = ["OWN", "SPECS", "open_control", "open_embedded", "open_record"]

KEY_TYPE = Spec("kafka.record_key_type", "Key type", "int16")
VALUE_VERSION = Spec("kafka.record_value_version", "Value version", "int16")
FRAME_VERSION = Spec("kafka.record_frame_version", "Frame version", "uint32")
RECORD_TYPE = Spec("kafka.record_type", "Record type", "uint32")
RECORD_VERSION = Spec("kafka.record_version", "Record version", "uint32")
CONTROL_VERSION = Spec("kafka.control_version", "Control version", "int16")
CONTROL_TYPE = Spec("kafka.control_type", "Control type", "int16", CONTROL_TYPES)
PROTOCOL_VERSION = Spec("kafka.group_protocol_version", "Protocol version", "int16", about="Version of the consumer protocol inside the group protocol")
CONNECT_URL = Spec("kafka.connect_url", "Worker URL", "string")
CONNECT_OFFSET = Spec("kafka.connect_config_offset", "Config offset", "int64")
CONNECT_REST = Spec("kafka.connect_assignment", "Connect assignment", "bytes")
REST = Spec("kafka.embedded_rest", "Further bytes", "bytes")
SPECS = (KEY_TYPE, VALUE_VERSION, FRAME_VERSION, RECORD_TYPE, RECORD_VERSION, CONTROL_VERSION, CONTROL_TYPE, PROTOCOL_VERSION, CONNECT_URL, CONNECT_URL.length,
         CONNECT_OFFSET, CONNECT_REST, REST)

OFFSETS = {0: "LegacyOffsetCommit", 1: "OffsetCommit", 2: "GroupMetadata", 3: "ConsumerGroupMetadata", 4: "ConsumerGroupPartitionMetadata",
           5: "ConsumerGroupMemberMetadata", 6: "ConsumerGroupTargetAssignmentMetadata", 7: "ConsumerGroupTargetAssignmentMember",
           8: "ConsumerGroupCurrentMemberAssignment", 10: "ShareGroupMemberMetadata", 11: "ShareGroupMetadata", 12: "ShareGroupTargetAssignmentMetadata",
           13: "ShareGroupTargetAssignmentMember", 14: "ShareGroupCurrentMemberAssignment", 15: "ShareGroupStatePartitionMetadata",
           16: "ConsumerGroupRegularExpression", 17: "StreamsGroupMetadata", 19: "StreamsGroupMemberMetadata", 20: "StreamsGroupTargetAssignmentMetadata",
           21: "StreamsGroupTargetAssignmentMember", 22: "StreamsGroupCurrentMemberAssignment", 23: "StreamsGroupTopology"}
TOPICS = {"__consumer_offsets": OFFSETS, "__transaction_state": {0: "TransactionLog"}, "__share_group_state": {0: "ShareSnapshot", 1: "ShareUpdate"}}
OWN = frozenset((*TOPICS, "__cluster_metadata", "__remote_log_metadata"))
"""Topics whose records have layouts of their own."""
REMOTE = {0: "RemoteLogSegmentMetadataRecord", 1: "RemoteLogSegmentMetadataUpdateRecord", 2: "RemotePartitionDeleteMetadataRecord",
          3: "RemoteLogSegmentMetadataSnapshotRecord"}
CONTROL = {0: "EndTxnMarker", 1: "EndTxnMarker", 2: "LeaderChangeMessage", 3: "SnapshotHeaderRecord", 4: "SnapshotFooterRecord", 5: "KRaftVersionRecord",
           6: "VotersRecord"}


def _inside(source: Source) -> Scope:
    """The scope of what is embedded in a message: it may embed more, and topic ids have the same names."""
    return Scope(embedded=open_embedded, topics=source.context.topics) if source.context is not None else Scope(embedded=open_embedded)


def _read(message: Message, version: int, source: Source, at: int, end: int, out: list[Field]) -> None:
    """One layout that has to fill `at` .. `end`; what does not fit is said."""
    try:
        now = reader(message, version)(Source(source.data, source.view, False, _inside(source)), at, end, out)
    except Malformed as fault:
        out.append(f.malformed(fault.at, fault.why, end, source.view))
        return
    if now < end:
        out.append(Field(REST, source.data[now:end], now, end - now, source.view))


def _versioned(message: Message, spec: Spec, source: Source, at: int, end: int) -> list[Field]:
    """An int16 version and a layout of that version; a newer one stays bytes."""
    if end - at < 2:
        return []
    version = struct.unpack_from(">h", source.data, at)[0]
    out = [Field(spec, version, at, 2, source.view)]
    if message.knows(version):
        _read(message, version, source, at + 2, end, out)
    else:
        out += [note(f"{message.name} version {version} is newer than this build knows", at, source.view),
                Field(REST, source.data[at + 2:end], at + 2, end - at - 2, source.view)]
    return out


def open_record(topic: str, key: Field, value: Field, source: Source) -> tuple[list[Field], list[Field], str]:
    """The fields inside key and value of a record of `topic`, and the record in words; nothing for topics that are not Kafka's own."""
    if topic == "__cluster_metadata":
        return _framed(value, source, schema.metadata_record)
    if topic == "__remote_log_metadata":
        return _framed(value, source, lambda number: schema.data_record(REMOTE[number]) if number in REMOTE else None)
    layouts = TOPICS.get(topic)
    if layouts is None or key.length < 2:
        return [], [], ""
    number = struct.unpack_from(">h", source.data, key.start)[0]
    name = layouts.get(number)
    kind = Field(KEY_TYPE, number, key.start, 2, source.view, (), f"Key type: {name or 'not known to this build'} ({number})")
    if name is None:
        return [kind, Field(REST, source.data[key.start + 2:key.end], key.start + 2, key.length - 2, source.view)], [], f"record type {number}"
    inside = [kind]
    _read(schema.data_record(name + "Key"), 0, source, key.start + 2, key.end, inside)
    words = f"{name} {'/'.join(str(one.value) for one in inside[1:] if one.value is not None)}"
    if not value.length:
        return inside, [], words + " = <null> (tombstone)"
    return inside, _versioned(schema.data_record(name + "Value"), VALUE_VERSION, source, value.start, value.end), words


def _framed(value: Field, source: Source, find: Callable[[int], Message | None]) -> tuple[list[Field], list[Field], str]:
    """A metadata record: frame version, type and version as varints, then its fields."""
    if not value.length:
        return [], [], ""
    out: list[Field] = []
    at = value.start
    try:
        numbers = []
        for spec in (FRAME_VERSION, RECORD_TYPE, RECORD_VERSION):
            number, now = read_uvarint(source, at, value.end)
            out.append(Field(spec, number, at, now - at, source.view))
            numbers.append(number)
            at = now
    except Malformed as fault:
        return [], [*out, f.malformed(fault.at, fault.why, value.end, source.view)], ""
    message = find(numbers[1])
    if message is None or not message.knows(numbers[2]) or numbers[0] > 1:
        out += [note("a record that this build does not know", at, source.view), Field(REST, source.data[at:value.end], at, value.end - at, source.view)]
    else:
        out[1]._text = f"Record type: {message.name} ({numbers[1]})"
        _read(message, numbers[2], source, at, value.end, out)
    words = message.name if message else f"record type {numbers[1]}"
    named = [str(one.value) for one in out[3:6] if one.name in ("kafka.topic_name", "kafka.partition_id", "kafka.broker_id", "kafka.feature", "kafka.user")]
    return [], out, " ".join([words, *named])


def open_control(source: Source, key: Field, value: Field) -> str:
    """Puts what a control record means below its key and value; its line."""
    if key.value is None or key.length < 4:
        return "Control record"
    version, number = struct.unpack_from(">hh", source.data, key.start)
    key._children = [*key.fields[:1], Field(CONTROL_VERSION, version, key.start, 2, source.view), Field(CONTROL_TYPE, number, key.start + 2, 2, source.view)]
    if key.length > 4:
        key._children.append(Field(REST, source.data[key.start + 4:key.end], key.start + 4, key.length - 4, source.view))
    name = CONTROL.get(number)
    if name is None or value.length < 2:
        return f"Control record of type {number}"
    message = schema.data_record(name)
    if number < 2:
        made = _versioned(message, VALUE_VERSION, source, value.start, value.end)
    else:
        wanted = struct.unpack_from(">h", source.data, value.start)[0]
        made = []
        _read(message, wanted if message.knows(wanted) else 0, source, value.start, value.end, made)
    value._children = [*value.fields[:1], *made]
    value._text = f"Value: {message.name}"
    return f"Control record {CONTROL_TYPES[number]}"


def _group_protocol(name: str) -> Callable[[Source, int, int], list[Field]]:
    """What reads a member's subscription or assignment: the consumer protocol, else Connect's, else nothing."""
    message = schema.data_record(name)

    def open_protocol(source: Source, at: int, end: int) -> list[Field]:
        if end - at < 2:
            return []
        version = struct.unpack_from(">h", source.data, at)[0]
        if version < 0:
            return []
        out = [Field(PROTOCOL_VERSION, version, at, 2, source.view)]
        try:
            now = reader(message, min(version, message.most))(Source(source.data, source.view), at + 2, end, out)
        except Malformed as fault:
            if fault.at != end or len(out) < 3 or version > message.most:
                return _connect(source, at, end)
            out.append(note(f"version {version} holds more fields, which this client leaves out", end, source.view))
            return out
        if now < end:
            if version <= message.most:
                return _connect(source, at, end)
            out.append(Field(REST, source.data[now:end], now, end - now, source.view))
        return out
    return open_protocol


def _connect(source: Source, at: int, end: int) -> list[Field]:
    """Kafka Connect's worker metadata: version, URL, config offset and (from version 1) an assignment."""
    if end - at < 14:
        return []
    version, size = struct.unpack_from(">hh", source.data, at)
    stop = at + 4 + size
    if not 0 <= version <= 2 or size < 0 or stop + 8 > end or not source.data.startswith(b"http", at + 4):
        return []
    url = source.data[at + 4:stop].decode("utf-8", "replace")
    out = [Field(PROTOCOL_VERSION, version, at, 2, source.view), Field(CONNECT_URL, url, at + 4, size, source.view, 2),
           Field(CONNECT_OFFSET, struct.unpack_from(">q", source.data, stop)[0], stop, 8, source.view)]
    if stop + 8 < end:
        out.append(Field(CONNECT_REST, source.data[stop + 8:end], stop + 8, end - stop - 8, source.view))
    return out


def _principal(source: Source, at: int, end: int) -> list[Field]:
    return _versioned(schema.data_record("DefaultPrincipalData"), VALUE_VERSION, source, at, end)


_subscription = _group_protocol("ConsumerProtocolSubscription")
_assignment = _group_protocol("ConsumerProtocolAssignment")
OPENED = {"kafka.protocol_metadata": _subscription, "kafka.member_metadata": _subscription, "kafka.member_assignment": _assignment,
          "kafka.request_principal": _principal}


def open_embedded(source: Source, name: str, at: int, end: int) -> list[Field]:
    """The fields inside the bytes field `name`; nothing when it holds nothing that is known."""
    opener = OPENED.get(name)
    return opener(source, at, end) if opener else []
