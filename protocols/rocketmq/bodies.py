"""The body of a frame as fields: its operation says what it should be, its bytes what it is.

A body that is not what the tables promise (an answer of an operation that has none, a user's text) is shown as the JSON, messages or text that
it turns out to be, and as bytes otherwise.
"""
from __future__ import annotations

from typing import Protocol

from protocols.decoder import MessageBytes
from protocols.engine import fields as f
from protocols.engine.fields import Field
from protocols.rocketmq import messages, registration, stored
from protocols.rocketmq import specs as s
from protocols.rocketmq import tables as t
from protocols.rocketmq.compression import LIMIT, CodecError, decompress
from protocols.rocketmq.head import Head
from protocols.rocketmq.jsonfields import json_fields


def kind_of(asked: int, response: bool, code: int | None) -> str:
    """What the body is, in the words of operations.txt; "" for none."""
    operation = t.operations().get(asked)
    if operation is None or (response and code != 0 and operation.response_body not in ("messages", "message")):
        return ""
    return operation.response_body if response else operation.request_body


class Said(Protocol):
    """What the body needs to know of its frame: `Words` has it."""

    head: Head
    asked: int
    kind: str


def body(message: MessageBytes, said: Said, start: int, cut: bool) -> list[Field]:
    """The fields of the body, `message.data[start:message.end]`."""
    data, end, view = message.data, message.end, message.view
    if start >= end:
        return []
    head, asked, kind = said.head, said.asked, said.kind
    bodies = messages.Bodies(message)
    if stored.messages_like(data, start, end) and kind not in ("raw", "batch"):
        out = messages.message_list(data, start, end, bodies, cut, view)
        count = ("at least " if cut else "") + str(len(out)) if len(out) <= messages.PAGE else f"more than {messages.PAGE:,}"
        return [f.group(messages.MESSAGES, start, end, out, f"Messages ({count}, {t.sized(end - start)})", view)]
    if kind in ("raw", "batch"):
        inner = t.INNER if kind == "batch" or (head.ext.get("batch") in ("true", "1") and asked == t.SEND_BATCH) else 0
        flag = head.number("sysFlag") & ~t.INNER | inner
        return [messages.body_fields(data, (start, end), flag, bodies, head.ext.get("topic", ""), view, 0)]
    if kind == "register" and data[start:start + 1] == b"\x78":
        return [_registration(message, start)]
    if kind == "timer" and (end - start) % 8 == 0:
        out = registration.timer(data, start, end, view)
        return [Field(s.BODY, data[start:end], start, end - start, view, out, f"Timer check point, {t.sized(end - start)}")]
    if kind == "config" and data[start:start + 1] != b"{":
        return [registration.config(data, start, end, view)]
    cls = kind.removeprefix("json:") if kind.startswith("json:") else "RegisterBrokerBody" if kind == "register" else ""
    if data[start:start + 1] in (b"{", b"["):
        if cls == "ResetOffsetBody" and data[start:start + 16].lstrip(b"{").startswith(b'"offsetTable":['):
            cls = "ResetOffsetBodyForC"
        made = json_fields(data, start, end, cls, cut, view)
        if made is not None:
            return [made]
    if messages.readable(data[start:end]):
        return [Field(s.BODY_TEXT, str(data[start:end], "utf-8", "replace"), start, end - start, view)]
    return [Field(s.BODY, data[start:end], start, end - start, view)]


def _registration(message: MessageBytes, start: int) -> Field:
    """The zlib body of REGISTER_BROKER, told by its first byte: 5.3.3 sends it with compressed=false."""
    data, end, view = message.data, message.end, message.view
    wire = data[start:end]
    try:
        plain, _ = decompress(0, wire, LIMIT)
    except CodecError as fault:
        return Field(s.BODY, wire, start, end - start, view, [f.malformed(start, f"zlib: {fault}", end, view)], f"Body: {t.sized(len(wire))}, zlib")
    index = message.add_view("Registration, zlib", plain)
    inside = registration.registration(plain, index)
    below = [Field(s.BUFFERED, plain, 0, len(plain), index, inside, f"Decompressed: {t.sized(len(plain))}")]
    return Field(s.BODY, wire, start, end - start, view, below, f"Body: registration, {t.sized(len(wire))}, zlib")
