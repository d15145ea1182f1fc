"""Every field of RocketMQ's frames by name. Filter names of extension fields, JSON members and properties are made from the tables."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from protocols.engine.fields import Spec
from protocols.rocketmq import tables as t

ROOT = Spec("rocketmq", "Apache RocketMQ", "protocol")
LEN = Spec("rocketmq.len", "Length", "int32", about="Bytes of the frame after this field")
SERIALIZE_TYPE = Spec("rocketmq.serialize_type", "Serialize type", "uint8", t.SERIALIZE_TYPES, about="How the header is written; each peer writes its own")
HEADER_LEN = Spec("rocketmq.header_len", "Header length", "uint32")
HEADER = Spec("rocketmq.header", "Header", "string", about="The header; its text when it is JSON, secrets masked")
REQUEST_CODE = Spec("rocketmq.request_code", "Request", "int32", t.operation_names())
RESPONSE_CODE = Spec("rocketmq.response_code", "Response", "int32", {code: one.name for code, one in t.outcomes().items()})
LANGUAGE = Spec("rocketmq.language", "Language", "string", about="The sender's programming language")
VERSION = Spec("rocketmq.version", "Version", "int32", show=lambda v: f"{t.version(v)} ({v})", about="The release that the sender claims to be")
OPAQUE = Spec("rocketmq.opaque", "Opaque", "int32", about="Pairs a response with its request; each side counts its own requests")
FLAG = Spec("rocketmq.flag", "Flag", "int32")
FLAG_RESPONSE = Spec("rocketmq.flag.response", "Answers a request", "bool")
FLAG_ONEWAY = Spec("rocketmq.flag.oneway", "One-way, no answer wanted", "bool")
FLAG_OTHER = Spec("rocketmq.flag.other", "Unknown bits", "int32")
REMARK = Spec("rocketmq.remark", "Remark", "string", about="What the server has to say about the outcome")
CURRENT_RPC = Spec("rocketmq.serialize_type_current_rpc", "Serialize type of this call", "string")
HEADER_MEMBER = Spec("rocketmq.header.other", "Other header field", "string")
EXT = Spec("rocketmq.ext", "Extension fields", about="The header's own fields for the operation")
EXT_OTHER = Spec("rocketmq.ext.other", "Extension field", "string", about="An extension field that no table knows")
EXT_BAD = Spec("rocketmq.ext.bad", "Extension field", "string", about="An extension field whose text does not fit its type")
KEY = Spec("rocketmq.key", "Key", "string")
VALUE = Spec("rocketmq.value", "Value", "string")

BODY = Spec("rocketmq.body", "Body", "bytes")
BODY_JSON = Spec("rocketmq.body.json", "Body", "string", about="The body's text; its members are rocketmq.body.*")
BODY_TEXT = Spec("rocketmq.body.text", "Body", "string")
CONFIG = Spec("rocketmq.config", "Configuration", about="Lines key=value")
CONFIG_LINE = Spec("rocketmq.config.line", "Line", "string")
MEMBER = Spec("rocketmq.json.member", "Member", "string", about="A member of JSON that no table knows")
ITEM = Spec("rocketmq.json.item", "Item", "string", about="A value in a JSON list")
BUFFERED = Spec("rocketmq.body.plain", "Body, decompressed", "bytes")

NOTE = Spec("rocketmq.note", "Note", "string", about="What is unusual about the message")
OUTCOME = Spec("rocketmq.response_class", "Outcome", "string", about="What the response code means for the caller")
ASKED = Spec("rocketmq.asked", "In response to", "string")
TOPIC = Spec("rocketmq.topic", "Topic", "string", about="The topic of a request and its response, as the request names it")
QUEUE = Spec("rocketmq.queue_id", "Queue id", "int32")
GROUP = Spec("rocketmq.group", "Group", "string", about="The producer or consumer group, from the request")
CLIENT_ID = Spec("rocketmq.client_id", "Client id", "string")
MESSAGE_ID = Spec("rocketmq.message_id", "Message id", "string", about="A message's unique key, or its offset id where it has none")
MESSAGE_KEYS = Spec("rocketmq.message_keys", "Message keys", "string")
TRACE_ID = Spec("rocketmq.trace_id", "Trace id", "string", about="From the message properties traceparent (W3C) or sw8 (SkyWalking)")
SPAN_ID = Spec("rocketmq.span_id", "Span id", "string")
LONG_POLL = Spec("rocketmq.long_poll", "Long poll", "bool", about="The server may hold its answer until there are messages")

FIXED = (ROOT, LEN, SERIALIZE_TYPE, HEADER_LEN, HEADER, REQUEST_CODE, RESPONSE_CODE, LANGUAGE, VERSION, OPAQUE, FLAG, FLAG_RESPONSE, FLAG_ONEWAY,
         FLAG_OTHER, REMARK, REMARK.length, CURRENT_RPC, HEADER_MEMBER, EXT, EXT.length, EXT_OTHER, EXT_BAD, KEY, KEY.length, VALUE, VALUE.length, BODY,
         BODY_JSON, BODY_TEXT, CONFIG, CONFIG_LINE, MEMBER, ITEM, BUFFERED, NOTE, OUTCOME, ASKED, TOPIC, QUEUE, GROUP, CLIENT_ID, MESSAGE_ID,
         MESSAGE_KEYS, TRACE_ID, SPAN_ID, LONG_POLL)

TYPES = {"s": "string", "i": "int32", "l": "int64", "b": "bool", "d": "double"}
TIMES = frozenset({
    "bornTimestamp", "storeTimestamp", "bornTime", "popTime", "beginTimestamp", "endTimestamp", "timestamp", "checkStoreTime", "indexLastUpdateTimestamp",
    "fromTime", "toTime", "invokeTime", "lastUpdateTimestamp", "lastTimestamp", "lastPopTimestamp", "lastLockTimestamp", "lastPullTimestamp",
    "lastConsumeTimestamp", "minTimeStamp", "maxTimeStamp", "consumeTimeStamp", "lastReadTimestamp", "lastWriteTimestamp", "timeOfStart", "timeOfEnd",
    "timeStamp", "lastColdReadTimeMills", "createTimeMills", "lastAccessTime", "lastConsumeTime", "earliestUnconsumedTimestamp",
})
"""Names whose values are milliseconds since 1970; shown as times, in nanoseconds as all times are."""
DURATIONS = frozenset({"suspendTimeoutMillis", "pollTime", "invisibleTime", "heartbeatTimeoutMillis", "heartbeatTimeoutMills"})


def _code(names: Mapping[int, str]) -> Callable[[Any], str]:
    return lambda value: f"{names.get(value, 'unknown')} ({value})"


_SHOWN: dict[str, Callable[[Any], str]] = {
    "perm": t.permission, "commitOrRollback": _code(t.COMMIT_OR_ROLLBACK), "initMode": _code(t.INIT_MODES), "forbiddenType": _code(t.FORBIDDEN),
    "requestSource": _code(t.REQUEST_SOURCES), "sysFlag": lambda v: f"0x{v & 0xFFFFFFFF:x}",
    "delayLevel": lambda v: f"{v} (straight to the dead letter queue)" if v < 0 else str(v) if v else "0 (by the number of attempts)",
} | {name: lambda v: f"{v} ms" for name in DURATIONS}
_OTHER_EXT = ("ReqT:i", "__ZONE_NAME:s", "__ZONE_MODE:s", "_noSuspend_:s", "_UNIQUE_KEY_QUERY:b", "MSG_REGION:s", "TRACE_ON:b", "AccessKey:s",
              "SecurityToken:s", "Signature:s", "filterServerAddr:s", "className:s", "classCRC:l", "READ_AHEAD_MODE:i", "IS_SUPPORT_HEART_BEAT_V2:b",
              "IS_SUB_CHANGE:b", "OnsChannel:s", "E_T:s")


def _made(prefix: str, name: str, kind: str) -> Spec:
    if name in TIMES and kind == "l":
        return Spec(f"{prefix}.{t.filter_word(name)}", name, "time")
    shown = _SHOWN.get(name) if kind in "il" else None
    return Spec(f"{prefix}.{t.filter_word(name)}", name, TYPES[kind], show=shown)


@cache
def extensions() -> dict[str, Spec]:
    """The spec of every extension field by its long name."""
    found: dict[str, Spec] = {}
    for header in t.header_classes().values():
        for one in header.members:
            if one.name not in found:
                found[one.name] = _made("rocketmq.ext", one.name, one.type)
    for text in _OTHER_EXT:
        name, kind = text.split(":")
        found.setdefault(name, _made("rocketmq.ext", name, kind))
    return found


@cache
def members() -> dict[str, Spec]:
    """The spec of every member of a known JSON body by its long name; type none where it holds others."""
    kinds: dict[str, str] = {}
    for body in t.body_classes().values():
        for one in body.values():
            kind = one.type if one.type in TYPES else ""
            before = kinds.setdefault(one.name, kind)
            if before != kind:
                kinds[one.name] = "l" if {before, kind} == {"i", "l"} else "s"
    return {name: _made("rocketmq.body", name, kind) if kind else Spec(f"rocketmq.body.{t.filter_word(name)}", name, "string") for name, kind in kinds.items()}


@cache
def properties() -> dict[str, Spec]:
    """The spec of every message property that RocketMQ gives a meaning."""
    return {name: Spec(f"rocketmq.property.{t.filter_word(name)}", name, "string") for name in t.PROPERTIES}


def unique(specs: Iterable[Spec]) -> list[Spec]:
    """Once a name, in order."""
    found: dict[str, Spec] = {}
    for spec in specs:
        found.setdefault(spec.name, spec)
    return list(found.values())
