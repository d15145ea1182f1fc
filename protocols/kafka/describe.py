"""The words for a message: operation, what it works on, result, and the Info column.

One pass over the message's top fields (records closed, of batches only their heads) collects topics and partitions, error codes and
first values; a small table says which values each API shows.
"""
from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from protocols.decoder import MessageBytes, Status, Summary
from protocols.engine.fields import Field
from protocols.kafka import internal, sasl, schema
from protocols.kafka.batches import BatchHead, batch_heads, in_words
from protocols.kafka.errors import NAMES, error_name, error_status
from protocols.kafka.frames import TOKEN, Api, body_fields
from protocols.kafka.reader import Scope
from protocols.kafka.topics import NO_ID, topic_of
from protocols.kafka.values import CODECS, ENUMS

__all__ = ["describe", "operation"]

SHOWN = 3
NO_RECORDS = "no records"
MOST_HEADS = 10_000
EXPECTED = frozenset({79})
"""Errors that are a step of the protocol: MEMBER_ID_REQUIRED hands out the id to join with."""
PRODUCE, FETCH, METADATA, API_VERSIONS, JOIN, SYNC, SASL_AUTHENTICATE, END_TXN, LIST_OFFSETS, ENVELOPE = 0, 1, 3, 18, 11, 14, 36, 26, 2, 58
ERRORS = {"kafka.error", "kafka.acknowledge_error_code"}
ROLES = ERRORS | {"kafka.topic_name", "kafka.topic_id", "kafka.partition_id"}
PARTITIONS = {"kafka.partitions", "kafka.partition_indexes"}

WORDS: dict[str, tuple[str, int]] = {
    "kafka.client_software_name": ("", 0), "kafka.client_software_version": ("", 0), "kafka.coordinator_key": ("key=", 0),
    "kafka.coordinator_type": ("type=", 0),
    "kafka.consumer_group": ("group=", 0), "kafka.member_id": ("member=", 24), "kafka.generation_id": ("generation=", 0), "kafka.member_epoch": ("epoch=", 0),
    "kafka.protocol_name": ("protocol=", 0), "kafka.group_leader_id": ("leader=", 24), "kafka.transactional_id": ("txn=", 0),
    "kafka.producer_id": ("producer=", 0),
    "kafka.producer_epoch": ("epoch=", 0), "kafka.sasl_mechanism": ("", 0), "kafka.group_state": ("state=", 0), "kafka.leader_id": ("leader=", 0),
    "kafka.leader_epoch": ("leader epoch=", 0), "kafka.vote_granted": ("granted=", 0), "kafka.broker_id": ("broker=", 0), "kafka.broker_epoch": ("epoch=", 0),
    "kafka.is_fenced": ("fenced=", 0), "kafka.config_resource_type": ("", 0), "kafka.config_resource_name": ("", 0),
    "kafka.acl_resource_name": ("resource=", 0), "kafka.acl_principal": ("principal=", 0),
    "kafka.host": ("", 0), "kafka.user": ("user=", 0), "kafka.feature": ("feature=", 0),
    "kafka.node_id": ("node=", 0),
    "kafka.controller_id": ("controller=", 0), "kafka.heartbeat_interval_ms": ("interval ms=", 0), "kafka.transaction_state": ("state=", 0),
    "kafka.replica_id": ("replica=", 0), "kafka.voter_id": ("voter=", 0), "kafka.voter_directory_id": ("directory=", 0), "kafka.token_id": ("token=", 0),
    "kafka.principal_name": ("principal=", 0), "kafka.log_dir": ("dir=", 0), "kafka.subscription_id": ("subscription=", 0), "kafka.election_type": ("", 0),
    "kafka.high_watermark": ("high watermark=", 0), "kafka.port": ("port ", 0),
}
"""How a first value is written: the word before it, and the most characters of it (0: all)."""

GROUP = ("kafka.consumer_group", "kafka.member_id", "kafka.generation_id", "kafka.protocol_name")
MEMBER = ("kafka.consumer_group", "kafka.member_id", "kafka.member_epoch")
TRANSACTION = ("kafka.transactional_id", "kafka.consumer_group", "kafka.producer_id", "kafka.producer_epoch")
NODE = ("kafka.broker_id", "kafka.broker_epoch", "kafka.controller_id")
QUORUM = ("kafka.replica_id", "kafka.voter_id", "kafka.leader_id", "kafka.leader_epoch", "kafka.vote_granted")
GROUP_ID = ("kafka.consumer_group",)
ACL = ("kafka.acl_resource_name", "kafka.acl_principal")
CONFIG = ("kafka.config_resource_type", "kafka.config_resource_name")
SHOW: dict[int, tuple[str, ...]] = {
    **dict.fromkeys((8, 9, 11, 12, 13, 14), GROUP), **dict.fromkeys((68, 76, 78, 79, 88, 93), MEMBER), **dict.fromkeys((22, 24, 25, 26, 28, 65), TRANSACTION),
    **dict.fromkeys((62, 63, 64, 67, 70, 73, 94), NODE), **dict.fromkeys((52, 53, 54, 80, 81, 82), QUORUM), **dict.fromkeys((29, 30, 31), ACL),
    **dict.fromkeys((32, 33, 44), CONFIG), **dict.fromkeys((42, 47, 69, 77, 83, 84, 85, 86, 87, 89, 90, 91, 92), GROUP_ID),
    0: ("kafka.transactional_id",), 10: ("kafka.coordinator_type", "kafka.coordinator_key"), 15: ("kafka.consumer_group", "kafka.group_state"),
    17: ("kafka.sasl_mechanism",), 18: ("kafka.client_software_name", "kafka.client_software_version"), 27: ("kafka.producer_id", "kafka.producer_epoch"),
    34: ("kafka.log_dir",), 38: ("kafka.principal_name",), 43: ("kafka.election_type",), 51: ("kafka.user",), 57: ("kafka.feature",),
    72: ("kafka.subscription_id",),
}
"""The first values that a request's line shows, by API key."""
ANSWER: dict[int, tuple[str, ...]] = {
    **dict.fromkeys((52, 53, 54), QUORUM), 1: ("kafka.high_watermark",), 10: ("kafka.node_id", "kafka.host", "kafka.port"),
    11: ("kafka.generation_id", "kafka.protocol_name", "kafka.group_leader_id", "kafka.member_id"), 15: ("kafka.consumer_group", "kafka.group_state"),
    17: ("kafka.sasl_mechanism",), 22: ("kafka.producer_id", "kafka.producer_epoch"), 62: NODE, 63: ("kafka.is_fenced",),
    68: ("kafka.member_epoch", "kafka.heartbeat_interval_ms"), 76: ("kafka.member_epoch",),
}
"""The first values that a response's line shows, by API key."""
COUNTED = {
    METADATA: (("kafka.brokers", "broker"), ("kafka.topics", "topic")), FETCH: (("kafka.aborted_transactions", "aborted transaction"),),
    API_VERSIONS: (("kafka.api_keys", "API"),), 16: (("kafka.groups", "group"),),
    JOIN: (("kafka.members", "member"),), 66: (("kafka.transaction_states", "transaction"),),
    60: (("kafka.brokers", "broker"),), 29: (("kafka.resources", "resource"),), 35: (("kafka.results", "log directory"),),
}


@dataclass(slots=True)
class Found:
    """What one pass over a message's fields collects."""

    first: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Field] = field(default_factory=dict)
    places: list[list[Any]] = field(default_factory=list)
    errors: list[int] = field(default_factory=list)
    checked: int = 0
    top: int | None = None
    records: list[Field] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)


def _collect(fields: Sequence[Field], place: str = "kafka.offset") -> Found:
    """Walks what is read already; arrays of numbers are opened only where they hold partitions. `place` is the field that says where in a
    partition: an offset, or what ListOffsets asks for."""
    found = Found()
    first, places, arrays = found.first, found.places, found.arrays
    topic = unnamed = ""
    named = False
    for one in fields:
        if one.spec.name in ERRORS:
            found.top = one.value
    stack = list(reversed(fields))
    while stack:
        one = stack.pop()
        name, value = one.spec.name, one.value
        if value is None:
            if name == "kafka.records":
                found.records.append(one)
                continue
            children = one._children
            if one.spec.type == "none" and name not in arrays:
                arrays[name] = one
            if isinstance(children, list):
                stack += reversed(children)
            elif name in PARTITIONS and callable(children):
                stack += reversed(one.fields)
            continue
        if name not in first:
            first[name] = value
        just_named, named = named, name == "kafka.topic_name"
        if name not in ROLES:
            if name == place and topic and places[-1][1] and places[-1][1][-1][1] is None:
                places[-1][1][-1][1] = value
        elif name in ERRORS:
            found.checked += 1
            if value:
                found.errors.append(value)
        elif name == "kafka.partition_id":
            if topic:
                places[-1][1].append([value, None])
        elif value and value != NO_ID:
            by_id = name == "kafka.topic_id"
            if by_id and just_named and not topic_of(value):
                continue  # the id of the name just before it
            if not by_id and unnamed and places and places[-1] == [unnamed, []]:
                places.pop()  # the name of the id just before it
            topic = (topic_of(value) or value) if by_id else value
            unnamed = ""
            if not places or places[-1][0] != topic:
                places.append([topic, []])
                unnamed = topic if by_id else ""
    return found


def _target(found: Found, offsets: str) -> tuple[str, str]:
    """Topics with partitions as text (the first few), and the topic names alone."""
    pieces, total = [], 0
    for topic, partitions in found.places:
        if not partitions:
            total += 1
            pieces.append(topic)
        for number, offset in partitions:
            total += 1
            if len(pieces) < SHOWN:
                pieces.append(f"{topic}-{number}" + (f"@{_offset(offset)}" if offset is not None and (offsets == "any" or (offsets and offset >= 0)) else ""))
    text = ", ".join(pieces[:SHOWN]) + (f", +{total - SHOWN}" if total > SHOWN else "")
    topics = list(dict.fromkeys(topic for topic, _ in found.places))
    return text, ", ".join(topics[:SHOWN]) + (f", +{len(topics) - SHOWN}" if len(topics) > SHOWN else "")


def _offset(value: int) -> str:
    return ENUMS["kafka.offset_time"].get(value) or str(value)


def _records(found: Found, data: bytes, end: int) -> str:
    """How many records, bytes, of which codec; control and cut batches."""
    heads: list[BatchHead] = []
    size, control, partial = 0, 0, 0
    for one in found.records:
        length = one.fields[0]
        if length.value <= 0:
            continue
        stop = min(length.end + length.value, end)
        size += length.value
        for head in islice(batch_heads(data, length.end, stop), MOST_HEADS):
            partial += head.end > stop
            control += head.control
            if head.start < head.end <= stop and not head.control:
                heads.append(head)
    if not size:
        return NO_RECORDS
    codecs = dict.fromkeys(CODECS.get(head.codec, f"codec {head.codec}") for head in heads if head.codec)
    text = f"{in_words([head._replace(magic=0, attributes=0) if head.magic == 2 else head for head in heads], end)} {size} B"
    text += f" ({', '.join(codecs)})" if codecs else ""
    return text + (f" {control} control" if control else "") + (f" {partial} partial" if partial else "")


def operation(api: Api) -> str:
    """`Produce v9`."""
    return "SASL token" if api == TOKEN else f"{schema.api_name(api.key)} v{api.version}"


def _word(name: str, value: Any) -> str:
    before, most = WORDS.get(name, (name.removeprefix("kafka.") + "=", 0))
    enum = ENUMS.get(name)
    text = enum.get(value, str(value)) if enum else str(value).lower() if isinstance(value, bool) else str(value)
    return f"{before}{text if not most or len(text) <= most else text[:most] + '…'}"


def _array_count(found: Found, name: str) -> int | None:
    array = found.arrays.get(name)
    return array.fields[0].value if array is not None and array.fields else None


def describe(message: MessageBytes) -> Summary:
    """The words for one message."""
    context, peer = message.header.context, message.peer
    if context == TOKEN:
        words = sasl.token_words(message.data[message.start + 4:message.end])
        if message.from_client:
            return Summary("SASL token", info=f"SASL token {words}")
        return Summary("SASL token", info=f"SASL token ← {words}", status=Status.OK)
    api = context if message.from_client else peer.header.context if peer else None
    fields = body_fields(message, Scope(embedded=internal.open_embedded if api is not None and api.key in (JOIN, SYNC) else None, topics=message.find_facts))
    ident = next((str(one.value) for one in fields if one.name == "kafka.correlation_id"), "")
    if message.from_client:
        return _request(message, context, fields, ident)
    if api is None:
        guess = next((one.value for one in fields if one.name == "kafka.guess"), "")
        return Summary(id=ident, info=f"Response to a request not captured, correlation id {ident}" + (f" (perhaps {guess})" if guess else ""))
    return _response(message, api, fields, ident)


def _failure(code: int, share: str) -> str:
    """`NOT_ENOUGH_REPLICAS (19, 2 of 3 failed)`; an unknown code is its own name."""
    details = ", ".join(word for word in (str(code) if code in NAMES else "", share) if word)
    return error_name(code) + (f" ({details})" if details else "")


def _tail(message: MessageBytes, fields: Sequence[Field]) -> str:
    """What has to be said of any message: malformed, cut, not understood."""
    for one in fields[-4:]:
        if one.name == "_ws.malformed":
            return " [Malformed]"
        if one.name == "kafka.unsupported_api_version":
            return " (newer than this build knows)" if "newer" in one.value else f" ({one.value})"
    return "" if message.complete else f" [{message.end - message.start} of {message.length} bytes]"


def _request(message: MessageBytes, api: Api, fields: Sequence[Field], ident: str) -> Summary:
    found = _collect(fields, "kafka.offset_time" if api.key == LIST_OFFSETS else "kafka.offset")
    op = operation(api)
    where, topics = _target(found, "any" if api.key == LIST_OFFSETS else "known" if api.key in (1, 8, 28, 21) else "")
    words: list[str] = [op]
    if where:
        words.append(where)
    elif api.key == METADATA and found.arrays.get("kafka.topics") is not None:
        words.append("no topics" if _array_count(found, "kafka.topics") == 0 and api.version else "all topics")
    if found.records:
        words.append(_records(found, message.data, message.end))
    if api.key == PRODUCE and "kafka.required_acks" in found.first:
        words += [f"acks={ENUMS['kafka.required_acks'].get(found.first['kafka.required_acks'], found.first['kafka.required_acks'])}"]
    words += [_word(name, found.first[name]) for name in SHOW.get(api.key, ()) if found.first.get(name) not in (None, "", -1)]
    if api.key == FETCH and found.first.get("kafka.fetch_session_id"):
        words.append(f"session={found.first['kafka.fetch_session_id']}/{found.first.get('kafka.fetch_session_epoch')}")
    if api.key == SASL_AUTHENTICATE and found.first.get("kafka.sasl_authentication") is not None:
        words.append(sasl.token_words(found.first["kafka.sasl_authentication"]))
    if api.key == END_TXN and "kafka.transaction_result" in found.first:
        words.append("commit" if found.first["kafka.transaction_result"] else "abort")
    if api.key == ENVELOPE and len(inner := found.first.get("kafka.request_data") or b"") >= 4:
        words.append(f"of {operation(Api(*struct.unpack_from('>hh', inner)))}")
    if found.first.get("kafka.long_poll"):
        wait = found.first.get("kafka.max_wait_time", found.first.get("kafka.rebalance_timeout"))
        words.append(f"(long poll {wait} ms)")
    if found.first.get("kafka.no_response"):
        words.append("(no response)")
    other = next((str(found.first[name]) for name in ("kafka.consumer_group", "kafka.coordinator_key", "kafka.transactional_id", "kafka.config_resource_name",
                                                     "kafka.acl_resource_name", "kafka.user") if found.first.get(name)), "")
    return Summary(op, where.partition("@")[0] if api.key in (1, 2) and "," not in where else _target(found, "")[0] or other, topics or other, ident,
                   info=" ".join(words) + _tail(message, fields), long_poll=bool(found.first.get("kafka.long_poll")),
                   client_id=str(found.first.get("kafka.client_id") or ""))


def _response(message: MessageBytes, api: Api, fields: Sequence[Field], ident: str) -> Summary:
    found = _collect(fields)
    op = operation(api)
    where, topics = _target(found, "known" if api.key in (0, 2, 9) else "")
    words = [op, "←"]
    if found.errors:
        checked = found.checked - (found.top == 0)
        words.append(_failure(found.errors[0], f"{len(found.errors)} of {checked} failed" if checked > 1 else ""))
    else:
        words.append("OK")
    if where and (api.key != METADATA or found.errors):
        words.append(where)
    if found.records:
        held = _records(found, message.data, message.end)
        if held != NO_RECORDS or not found.errors:
            words.append(held)
    elif api.key == FETCH and not where and not found.errors:
        words.append("nothing new")
    for name, noun in COUNTED.get(api.key, ()):
        count = _array_count(found, name)
        if count is not None and count >= (api.key == FETCH):
            words.append(f"{count} {noun if count == 1 else noun[:-1] + 'ies' if noun.endswith('y') else noun + 's'}")
    if api.key != FETCH or sum(len(partitions) for _, partitions in found.places) == 1:
        words += [_word(name, found.first[name]) for name in ANSWER.get(api.key, ()) if found.first.get(name) not in (None, "", -1)]
    if found.first.get("kafka.throttle_time"):
        words.append(f"throttled {found.first['kafka.throttle_time']} ms")
    code = found.errors[0] if found.errors else 0
    info = " ".join(words) + _tail(message, fields)
    return Summary(op, _target(found, "")[0], topics, ident, error_status(code), code, error_name(code) if code else "", info,
                   soft=code in EXPECTED)
