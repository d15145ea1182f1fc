"""The Info column of Kafka's messages, made from their fields when somebody reads it.

A small table says which first values each API shows; the rest is what the message works on, how it ended and how much it holds. Records stay closed
(of batches only the heads are read), and of a huge array the first LOOKED_AT elements are looked at.
"""
from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import islice
from typing import Any

from protocols.decoder import MessageBytes
from protocols.engine.fields import Field
from protocols.kafka import internal, sasl, words
from protocols.kafka.batches import BatchHead, batch_heads, in_words, told_by
from protocols.kafka.collect import Found, collect
from protocols.kafka.errors import NAMES, error_name
from protocols.kafka.frames import Api, body_fields, operation
from protocols.kafka.scope import Scope
from protocols.kafka.values import CODECS, ENUMS

__all__ = ["fields_of", "outcome_known", "request_info", "response_info"]

SHOWN = 3
LONGEST_TEXT = 160
"""Characters of what a broker says of an error."""
LOOKED_AT = 5_000
NO_RECORDS = "no records"
MOST_HEADS = 10_000
PRODUCE, FETCH, METADATA, API_VERSIONS, JOIN, SYNC, SASL_AUTHENTICATE, END_TXN, LIST_OFFSETS, ENVELOPE = 0, 1, 3, 18, 11, 14, 36, 26, 2, 58
SASL_HANDSHAKE, SHARE_FETCH = 17, 78
MOST_MECHANISMS = 8

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
    22: ("kafka.producer_id", "kafka.producer_epoch"), 26: ("kafka.producer_epoch",), 62: NODE, 63: ("kafka.is_fenced",),
    68: ("kafka.member_epoch", "kafka.heartbeat_interval_ms"), 76: ("kafka.member_epoch",),
}
"""The first values that a response's line shows, by API key."""
LEAVES, COMES_BACK = "leaves", "leaves, a static member that will come back"
LEAVING = {68: {-1: LEAVES, -2: COMES_BACK}, 76: {-1: LEAVES}, 88: {-1: LEAVES, -2: COMES_BACK}}
"""What a member epoch below 0 says in the heartbeats of consumer, share and streams groups."""
COUNTED = {
    METADATA: (("kafka.brokers", "broker"), ("kafka.topics", "topic")), FETCH: (("kafka.aborted_transactions", "aborted transaction"),),
    API_VERSIONS: (("kafka.api_keys", "API"),), 16: (("kafka.groups", "group"),),
    JOIN: (("kafka.members", "member"),), 66: (("kafka.transaction_states", "transaction"),),
    60: (("kafka.brokers", "broker"),), 29: (("kafka.resources", "resource"),), 35: (("kafka.results", "log directory"),),
}


def _where(found: Found, offsets: str) -> str:
    """Topics with partitions as text, the first few."""
    pieces, total = [], 0
    for topic, partitions in found.places:
        if not partitions:
            total += 1
            pieces.append(topic)
        for number, offset in partitions:
            total += 1
            if len(pieces) < SHOWN:
                pieces.append(f"{topic}-{number}" + (f"@{_offset(offset)}" if offset is not None and (offsets == "any" or (offsets and offset >= 0)) else ""))
    return ", ".join(pieces[:SHOWN]) + (f", +{total - SHOWN}" if total > SHOWN else "")


def _offset(value: int) -> str:
    return ENUMS["kafka.offset_time"].get(value) or str(value)


def _records(found: Found, data: bytes, end: int) -> str:
    """How many records, bytes, of which codec; control and cut batches. Of what the capture cuts off, what the heads of batches say."""
    heads: list[BatchHead] = []
    size, control, partial, more = 0, 0, 0, False
    for one in found.records:
        length = one.fields[0]
        if length.value <= 0:
            continue
        declared = length.end + length.value
        stop = min(declared, end)
        size += length.value
        every, further = told_by(list(islice(batch_heads(data, length.end, stop), MOST_HEADS)), stop, declared)
        more |= further
        for head in every:
            partial += head.end > stop
            control += head.control
            if head.start < head.end <= stop and not head.control:
                heads.append(head)
    if not size:
        return NO_RECORDS
    codecs = dict.fromkeys(CODECS.get(head.codec, f"codec {head.codec}") for head in heads if head.codec)
    count = in_words([head._replace(magic=0, attributes=0) if head.magic == 2 else head for head in heads], end)
    text = f"at least {count}, {size} B" if more and heads else f"{size} B of records" if more else f"{count} {size} B"
    text += f" ({', '.join(codecs)})" if codecs else ""
    return text + (f" {control} control" if control else "") + (f" {partial} partial" if partial else "")


def _word(name: str, value: Any) -> str:
    before, most = WORDS.get(name, (name.removeprefix("kafka.") + "=", 0))
    enum = ENUMS.get(name)
    text = enum.get(value, str(value)) if enum else str(value).lower() if isinstance(value, bool) else str(value)
    return f"{before}{text if not most or len(text) <= most else text[:most] + '…'}"


def _array_count(found: Found, name: str) -> int | None:
    array = found.arrays.get(name)
    return array.fields[0].value if array is not None and array.fields else None


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


def fields_of(message: MessageBytes, api: Api | None) -> list[Field]:
    """The fields that words are made of; those of subscriptions and assignments are opened."""
    embedded = internal.open_embedded if api is not None and api.key in (JOIN, SYNC) else None
    return body_fields(message, Scope(embedded=embedded, topics=message.find_facts, elements=LOOKED_AT))


def request_info(message: MessageBytes, api: Api) -> str:
    """The line of a request."""
    fields = fields_of(message, api)
    found = collect(fields, "kafka.offset_time" if api.key == LIST_OFFSETS else "kafka.offset")
    where = _where(found, "any" if api.key == LIST_OFFSETS else "known" if api.key in (1, 8, 28, 21) else "")
    said: list[str] = [operation(api)]
    if where:
        said.append(where)
    elif api.key == METADATA and (count := _array_count(found, "kafka.topics")) is not None and count <= 0:
        said.append("no topics" if count == 0 and api.version else "all topics")
    if found.records:
        said.append(_records(found, message.data, message.end))
    if api.key == PRODUCE and "kafka.required_acks" in found.first:
        said += [f"acks={ENUMS['kafka.required_acks'].get(found.first['kafka.required_acks'], found.first['kafka.required_acks'])}"]
    said += [_word(name, found.first[name]) for name in SHOW.get(api.key, ()) if found.first.get(name) not in (None, "", -1)]
    if api.key in LEAVING and (epoch := found.first.get("kafka.member_epoch")) in LEAVING[api.key]:
        said = [word for word in said if not word.startswith("epoch=")] + [f"epoch={epoch} ({LEAVING[api.key][epoch]})"]
    if api.key == FETCH and found.first.get("kafka.fetch_session_id"):
        said.append(f"session={found.first['kafka.fetch_session_id']}/{found.first.get('kafka.fetch_session_epoch')}")
    if api.key == SASL_AUTHENTICATE and found.first.get("kafka.sasl_authentication") is not None:
        said.append(sasl.token_words(found.first["kafka.sasl_authentication"]))
    if api.key == END_TXN and "kafka.transaction_result" in found.first:
        said.append("commit" if found.first["kafka.transaction_result"] else "abort")
    if api.key == ENVELOPE and len(inner := found.first.get("kafka.request_data") or b"") >= 4:
        said.append(f"of {operation(Api(*struct.unpack_from('>hh', inner)))}")
    if found.first.get("kafka.long_poll"):
        wait = found.first.get("kafka.max_wait_time", found.first.get("kafka.rebalance_timeout"))
        said.append(f"(long poll {wait} ms)")
    if found.first.get("kafka.no_response"):
        said.append("(no response)")
    return " ".join(said) + _tail(message, fields)


def _acquired(fields: Sequence[Field]) -> int:
    """How many records were given to the member that asked: of the batches that hold them, all is sent."""
    count, stack = 0, list(fields)
    while stack:
        one = stack.pop()
        if one.spec.name == "kafka.acquired_record":
            inside = {part.spec.name: part.value for part in one.fields}
            count += inside.get("kafka.last_offset", -1) - inside.get("kafka.first_offset", 0) + 1
        elif one.value is None and isinstance(one._children, list):
            stack += one._children
    return count


def _handshake(key: int, found: Found) -> list[str]:
    """What the answers of handshakes offer and grant."""
    if key == SASL_HANDSHAKE and (offered := found.arrays.get("kafka.mechanisms")) is not None:
        return [f"offers {', '.join(str(one.value) for one in offered.fields[1:1 + MOST_MECHANISMS])}"] if offered.fields[1:] else []
    if key == SASL_AUTHENTICATE:
        token, lifetime = found.first.get("kafka.sasl_authentication"), found.first.get("kafka.session_lifetime_ms")
        return ([sasl.token_words(token)] if token else []) + ([f"session {lifetime} ms"] if lifetime else [])
    return []


def outcome_known(message: MessageBytes, api: Api) -> bool:
    """Whether every error code that a response can have was captured. None of them being an error is success then, and only then."""
    read = words.outcome_reader(api)
    return read is not None and read(message.data, message.start, message.end, 0) is not None


def response_info(message: MessageBytes, api: Api) -> str:
    """The line of a response to a request of this API and version."""
    fields = fields_of(message, api)
    found = collect(fields)
    where = _where(found, "known" if api.key in (0, 2, 9) else "")
    said = [operation(api), "←"]
    if found.errors:
        checked = found.checked - (found.top == 0)
        told = found.text if len(found.text) <= LONGEST_TEXT else found.text[:LONGEST_TEXT] + "…"
        said.append(_failure(found.errors[0], f"{len(found.errors)} of {checked} failed" if checked > 1 else "") + (f": {told}" if told else ""))
    elif outcome_known(message, api):
        said.append("OK")
    else:
        said.append("(outcome not understood)" if message.complete else "(outcome not captured)")
    if where and (api.key != METADATA or found.errors):
        said.append(where)
    if found.records:
        held = _records(found, message.data, message.end)
        if api.key == SHARE_FETCH and held != NO_RECORDS:
            acquired = _acquired(fields)
            held = held if held.startswith(f"{acquired} record") else f"{acquired} acquired of {held}"
        if held != NO_RECORDS or not found.errors:
            said.append(held)
    elif api.key == FETCH and not where and not found.errors and message.complete:
        said.append("nothing new")
    for name, noun in COUNTED.get(api.key, ()):
        count = _array_count(found, name)
        if count is not None and count >= (api.key == FETCH):
            said.append(f"{count} {noun if count == 1 else noun[:-1] + 'ies' if noun.endswith('y') else noun + 's'}")
    if api.key != FETCH or sum(len(partitions) for _, partitions in found.places) == 1:
        said += [_word(name, found.first[name]) for name in ANSWER.get(api.key, ()) if found.first.get(name) not in (None, "", -1)]
    said += _handshake(api.key, found)
    if found.first.get("kafka.throttle_time"):
        said.append(f"throttled {found.first['kafka.throttle_time']} ms")
    return " ".join(said) + _tail(message, fields)
