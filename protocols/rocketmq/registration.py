"""Bodies that are neither JSON nor messages: a broker's compressed registration, the timer's check point, configuration lines.

Sources: RegisterBrokerBody.java, TimerCheckpoint.java of apache/rocketmq 5.3.3.
"""
from __future__ import annotations

import struct

from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec
from protocols.rocketmq import specs as s
from protocols.rocketmq import tables as t
from protocols.rocketmq.jsonfields import json_fields

_I32 = struct.Struct(">i").unpack_from


def _spec(name: str, label: str, kind: str = "none", about: str = "") -> Spec:
    return Spec(f"rocketmq.register.{name}", label, kind, about=about)


VERSION = _spec("data_version", "Data version", "string")
TOPICS = _spec("topics", "Topics", "int32", "How many topics follow")
TOPIC = _spec("topic", "Topic", "string", "name, read queues, write queues, permission, filter type, attributes")
FILTERS = _spec("filter_servers", "Filter servers", "string")
MAPPINGS = _spec("mappings", "Queue mappings", "int32")
MAPPING = _spec("mapping", "Queue mapping", "string")
TIMER = tuple(Spec(f"rocketmq.timer.{t.filter_word(name)}", name, kind) for name, kind in (
    ("lastReadTimeMs", "time"), ("lastTimerLogFlushPos", "int64"), ("lastTimerQueueOffset", "int64"), ("masterTimerQueueOffset", "int64"),
    ("stateVersion", "int64"), ("timestamp", "time"), ("counter", "int64")))
SPECS = (VERSION, VERSION.length, TOPICS, TOPIC, TOPIC.length, FILTERS, FILTERS.length, MAPPINGS, MAPPING, MAPPING.length, *TIMER)


def registration(data: bytes, view: int) -> list[Field]:
    """The content of a zlib registration: DataVersion, topics as text, filter servers, and since 5.0.0 queue mappings."""
    out: list[Field] = []
    end = len(data)
    at = _block(data, 0, end, VERSION, "DataVersion", out, view)
    for counter, spec, cls in ((TOPICS, TOPIC, ""), (None, FILTERS, ""), (MAPPINGS, MAPPING, "TopicQueueMappingInfo")):
        if at < 0 or at >= end:
            return out
        count = 1
        if counter is not None:
            if end - at < 4:
                break
            count = _I32(data, at)[0]
            out.append(Field(counter, count, at, 4, view))
            at += 4
        for _ in range(count):
            at = _block(data, at, end, spec, cls, out, view)
            if at < 0:
                return out
    if at < end:
        out.append(f.malformed(at, f"{t.sized(end - at)} left over in the registration", end, view))
    return out


def _block(data: bytes, at: int, end: int, spec: Spec, cls: str, out: list[Field], view: int) -> int:
    """An i32 length and that many bytes of text; -1 where they are not there."""
    size = _I32(data, at)[0] if end - at >= 4 else -1
    if size < 0 or size > end - at - 4:
        out.append(f.malformed(at, f"a length of {size} with {t.sized(max(0, end - at - 4))} left", end, view))
        return -1
    at += 4
    made = json_fields(data, at, at + size, cls, False, view, spec, spec.label) if data[at:at + 1] in (b"{", b"[") and spec is not TOPIC else None
    length = Field(spec.length, size, at - 4, 4, view)
    if made is None:
        out.append(Field(spec, str(data[at:at + size], "utf-8", "replace"), at, size, view, [length]))
    else:
        made._children = [length, *made.fields]
        out.append(made)
    return at + size


def timer(data: bytes, start: int, end: int, view: int) -> list[Field]:
    """A timer check point: four numbers of eight bytes, seven since the data version is part of it."""
    out = []
    at = start
    for spec in TIMER:
        if end - at < 8:
            break
        value = int.from_bytes(data[at:at + 8], "big", signed=True)
        out.append(Field(spec, value * 1_000_000 if spec.type == "time" else value, at, 8, view))
        at += 8
    if at < end:
        out.append(f.malformed(at, f"{t.sized(end - at)} left over in the check point", end, view))
    return out


def config(data: bytes, start: int, end: int, view: int) -> Field:
    """Lines key=value, each with its line end; values of keys that name a password or a secret are not shown."""
    lines: list[Field] = []
    at = start
    while at < end:
        stop = data.find(b"\n", at, end)
        after = end if stop < 0 else stop + 1
        raw = data[at:after]
        key, mark, value = raw.partition(b"=")
        line = str(raw, "utf-8", "replace").rstrip("\r\n")
        if mark and value.strip() and any(word in key.lower() for word in (b"password", b"secret", b"credential")):
            line = f"{key.decode('utf-8', 'replace')}={t.sized(len(value.strip()))}, masked"
        lines.append(Field(s.CONFIG_LINE, line, at, after - at, view, (), line or "<empty line>"))
        at = after
    return f.group(s.CONFIG, start, end, lines, f"Configuration ({len(lines)} lines, {t.sized(end - start)})", view)
