"""The bodies of RocketMQ's own trace topic: what clients say of each send and consumption, as text.

Contexts end with 0x02, their values are separated by 0x01; the first value names the kind. Source: TraceDataEncoder.java (client, 4.4.0 to 5.3.3).
"""
from __future__ import annotations

from protocols.engine.fields import Field, Spec
from protocols.rocketmq.tables import filter_word

_KINDS = {
    "Pub": ("timeStamp", "regionId", "groupName", "topic", "msgId", "tags", "keys", "storeHost", "bodyLength", "costTime", "msgType", "offsetMsgId",
            "isSuccess", "clientHost"),
    "SubBefore": ("timeStamp", "regionId", "groupName", "requestId", "msgId", "retryTimes", "keys", "clientHost"),
    "SubAfter": ("requestId", "msgId", "costTime", "isSuccess", "keys", "contextCode", "timeStamp", "groupName"),
    "EndTransaction": ("timeStamp", "regionId", "groupName", "topic", "msgId", "tags", "keys", "storeHost", "msgType", "clientHost", "transactionId",
                       "transactionState", "fromTransactionCheck"),
    "Recall": ("timeStamp", "regionId", "groupName", "topic", "msgId", "isSuccess"),
}
CONTEXT = Spec("rocketmq.trace", "Trace", "string", about="What a client says of one send or consumption")
KIND = Spec("rocketmq.trace.kind", "Kind", "string")
OTHER = Spec("rocketmq.trace.other", "Value", "string")
_TIME = Spec("rocketmq.trace.time_stamp", "timeStamp", "time")
_SPECS = {name: _TIME if name == "timeStamp" else Spec(f"rocketmq.trace.{filter_word(name)}", name, "string") for names in _KINDS.values() for name in names}
SPECS = (CONTEXT, KIND, OTHER, *_SPECS.values())


def trace_fields(data: bytes, start: int, end: int, view: int = 0) -> list[Field]:
    """A field for each context in `data[start:end]`."""
    out, at = [], start
    while at < end:
        stop = data.find(b"\x02", at, end)
        after = end if stop < 0 else stop + 1
        stop = end if stop < 0 else stop
        if data[at:stop].strip():
            out.append(_context(data, at, stop, after, view))
        at = after
    return out


def _context(data: bytes, start: int, stop: int, after: int, view: int) -> Field:
    words = data[start:stop].split(b"\x01")
    kind = str(words[0], "utf-8", "replace")
    names = _KINDS.get(kind, ())
    parts = [Field(KIND, kind, start, len(words[0]), view)]
    at = start + len(words[0]) + 1
    for number, word in enumerate(words[1:]):
        spec = _SPECS[names[number]] if number < len(names) else OTHER
        text = str(word, "utf-8", "replace")
        if spec is _TIME:
            if text.isdecimal() and len(text) < 18:
                parts.append(Field(spec, int(text) * 1_000_000, at, len(word), view))
            else:
                parts.append(Field(OTHER, text, at, len(word), view))
        elif word:
            parts.append(Field(spec, text, at, len(word), view))
        at += len(word) + 1
    return Field(CONTEXT, str(data[start:stop], "utf-8", "replace"), start, after - start, view, parts, f"Trace: {kind}, {len(words) - 1} values")
