"""The words for a frame: operation, topic and queue, group, outcome, message ids, and the line in the Info column.

The header is read as plain values; of the body only what the line says. The words of each operation are templates in operations.txt.
"""
from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from protocols.decoder import MessageBytes, Status, Summary
from protocols.rocketmq import stored
from protocols.rocketmq import tables as t
from protocols.rocketmq.bodies import kind_of
from protocols.rocketmq.head import Head, head
from protocols.rocketmq.jsontext import Node, scan
from protocols.rocketmq.values import split_properties

REMARK = 60
SHOWN = 160
READ = 1 << 16
"""Bytes up to which a JSON body is read for a line of words."""
MESSAGES = 1000
"""Messages of a body that are looked at for a line of words."""

_ALIASES = {"group": ("consumerGroup", "producerGroup", "group", "groupName"), "clientId": ("clientId", "clientID"), "topic": ("topic", "topicName"),
            "username": ("username", "subject")}
_TARGETS = ("topic", "group", "clientId", "brokerName", "username", "cluster", "clusterName", "namespace", "srcGroup")
_FIELD = re.compile(r"\{(\w+)\}")
_USUAL = frozenset({"FOUND", "not set any response code"})
"""Remarks of ordinary answers; the second stands in many answers of 5.3.3 and is no error."""
_ONE = re.compile(r"(?<!\S)(1 [a-z]+)s\b")
_NAMED: dict[str, dict[int, str]] = {"commitOrRollback": t.COMMIT_OR_ROLLBACK}


class Words:
    """What can be said of one frame, each thing found when it is asked for. `asked` is the request code that counts: of a response its
    request's, -1 until `answers` tells it."""

    def __init__(self, message: MessageBytes) -> None:
        self.message = message
        self.head: Head = head(message.data, message.start, message.end)
        self.asked = -1 if self.head.response else self.head.code
        self.kind = kind_of(self.asked, self.head.response, self.head.code)
        self._json: Any = None
        self._properties: dict[str, str] | None = None

    def answers(self, request: Words | None) -> None:
        """Tell a response its request, when there is one."""
        if request is not None:
            self.asked = request.head.code
            self.kind = kind_of(self.asked, self.head.response, self.head.code)

    @property
    def properties(self) -> dict[str, str]:
        """The properties of the message that is sent."""
        if self._properties is None:
            raw = self.head.ext.get("properties", "").encode("utf-8", "replace")
            self._properties = {name: value for name, value, *_ in split_properties(raw, 0, len(raw))}
        return self._properties

    @property
    def json(self) -> Any:
        """The body as plain values, {} when it is no JSON or too long for a line of words."""
        if self._json is None:
            self._json = {}
            start, end = self.head.body, self.message.end
            if 0 < end - start <= READ and self.message.data[start:start + 1] in (b"{", b"["):
                try:
                    self._json = json.loads(self.message.data[start:end])
                except (ValueError, RecursionError):
                    root = scan(self.message.data, start, end).root
                    self._json = _plain(root) if root is not None else {}
        return self._json

    def word(self, name: str) -> str:
        """The value of a template's field, "" where there is none."""
        if name == "size":
            return t.sized(self.message.length - (self.head.body - self.message.start))
        if name == "n":
            return self.count()
        if name in ("tags", "keys"):
            value = self.properties.get(name.upper(), "")
            return f"{name}={value}" if value else ""
        if name == "text":
            return str(self.message.data[self.head.body:self.message.end][:SHOWN], "utf-8", "replace")
        for one in _ALIASES.get(name, (name,)):
            if value := self.head.ext.get(one, ""):
                return _NAMED[one].get(self.head.number(one), value) if one in _NAMED else value
        if self.kind.startswith("json") and isinstance(self.json, dict):
            for one in _ALIASES.get(name, (name,)):
                found = self.json.get(one)
                if found is not None:
                    return str(len(found)) if isinstance(found, (dict, list)) else str(found)
            if name in ("producers", "consumers"):
                found = self.json.get(name[:-1] + "DataSet")
                return str(len(found)) if isinstance(found, list) else ""
        return self.properties.get(name, "") if name.isupper() else ""

    def count(self) -> str:
        """How many things the body holds: the items of its first list or map, its lines, its inner messages."""
        start, end = self.head.body, self.message.end
        if self.kind == "batch":
            return str(stored.inner_count(self.message.data, start, end))
        if self.kind == "config":
            return str(sum(b"=" in line for line in self.message.data[start:end].splitlines()))
        if isinstance(self.json, list):
            return str(len(self.json))
        return next((str(len(value)) for value in self.json.values() if isinstance(value, (dict, list))), "")

    def fill(self, template: str) -> str:
        """A template with its fields; words with an empty field are left out."""
        words = []
        for word, names in _parsed(template):
            values = [self.word(name) for name in names]
            if all(values) and not (word == "q{queueId}" and values == ["-1"]):
                for one, value in zip(names, values, strict=True):
                    word = word.replace(f"{{{one}}}", value, 1)
                words.append(word)
        return _ONE.sub(r"\1", " ".join(words))

    def target(self) -> tuple[str, str]:
        """What the operation works on, and its aggregatable form: the topic with its queue, and the topic; else the first name that it has."""
        name = next((value for one in _TARGETS if (value := self.word(one))), "")
        queue = self.head.ext.get("queueId", "")
        if queue not in ("", "-1") and self.word("topic"):
            return f"{name} q{queue}", name
        return name, name

    def long_poll(self) -> bool:
        """Whether the request allows the server to hold its answer until there are messages."""
        if self.asked in t.PULLS:
            return bool(self.head.number("sysFlag") & 2) and self.head.number("suspendTimeoutMillis") > 0
        return self.asked in (t.POP, t.NOTIFICATION) and self.head.number("pollTime") > 0

    def outlines(self) -> Iterator[stored.Outline]:
        """The stored messages of the body, up to MESSAGES."""
        data, start, end = self.message.data, self.head.body, self.message.end
        if self.kind in ("raw", "batch") or not stored.messages_like(data, start, end):
            return
        for number, one in enumerate(stored.walk(data, start, end)):
            if number == MESSAGES:
                return
            if one.magic != stored.BLANK:
                yield one

    def messages(self) -> list[dict[str, str]]:
        """The properties of the messages that the frame carries, with the offset id of stored ones as ""."""
        if self.head.ext.get("properties"):
            return [self.properties]
        data = self.message.data
        return [stored.property_values(data, one) | {"": stored.offset_id(data, one)} for one in self.outlines()]


@cache
def _parsed(template: str) -> tuple[tuple[str, list[str]], ...]:
    """The words of a template, each with the fields in it."""
    return tuple((word, _FIELD.findall(word)) for word in template.split())


def _plain(root: Node) -> Any:
    """Nodes as plain values; keys that are objects as their number."""
    if root.items is None:
        return root.value
    if root.kind == "array":
        return [_plain(one) for one in root.items]
    return {one.name or str(number): _plain(one) for number, one in enumerate(root.items)}


def trace_ids(properties: dict[str, str]) -> tuple[str, str]:
    """Trace id and span id from W3C's traceparent or SkyWalking's sw8; "" where there are none."""
    parts = properties.get("traceparent", "").split("-")
    if len(parts) >= 4:
        return parts[1], parts[2]
    parts = properties.get("sw8", "").split("-")
    if len(parts) >= 4:
        try:
            trace, segment = (base64.b64decode(one, validate=True).decode() for one in parts[1:3])
        except (binascii.Error, ValueError):
            return "", ""
        return trace, f"{segment}-{parts[3]}"
    return "", ""


def describe(message: MessageBytes) -> Summary:
    """The words for a frame; a response's operation and target are its request's."""
    if message.end - message.start < 9:
        return Summary(op=message.header.op, info="frame without a header")
    said = Words(message)
    if not said.head.response:
        return _request(said)
    peer = message.peer
    return _response(said, Words(peer) if peer is not None else None)


def _request(said: Words) -> Summary:
    name = t.operation_name(said.head.code)
    operation = t.operations().get(said.head.code)
    target, endpoint = said.target()
    details = said.fill(operation.asks) if operation else ""
    parts = [name, details[:SHOWN], "one-way" if said.head.flag & t.ONEWAY else "", "" if said.message.complete else "cut off", f" #{said.head.opaque}"]
    return Summary(name, target, endpoint, str(said.head.opaque), info=" ".join(part for part in parts if part), long_poll=said.long_poll(),
                   client_id=said.word("clientId"))


def _response(said: Words, request: Words | None) -> Summary:
    said.answers(request)
    found = said.head
    outcome = t.outcome(found.code, found.version, request.head.code if request else None)
    name = t.operation_name(request.head.code) if request else ""
    target, endpoint = request.target() if request else ("", "")
    operation = t.operations().get(said.asked)
    failed = outcome.status is not Status.OK
    said_name = outcome.name if outcome.group != "unknown" else "unknown"
    parts = [name or "response", "←", said_name if found.code == 0 else f"{said_name} ({found.code})", target[:SHOWN]]
    if found.remark and found.remark not in _USUAL:
        parts.append(found.remark[:REMARK] + ("…" if len(found.remark) > REMARK else ""))
    if not failed:
        parts.append(_carried(said))
        if operation and found.code == 0:
            parts.append(said.fill(operation.answers)[:SHOWN])
    if request is None:
        parts.append("(request not captured)")
    if not said.message.complete:
        parts.append("cut off")
    info = " ".join(part for part in [*parts, f" #{found.opaque}"] if part)
    return Summary(name, target, endpoint, str(found.opaque), outcome.status, found.code, outcome.name if failed else "", info,
                   long_poll=request.long_poll() if request else False)


def _carried(said: Words) -> str:
    """How many messages came, and their offsets."""
    offsets = [(one.queue_id, one.queue_offset) for one in said.outlines()]
    if not offsets:
        return ""
    noun = "message" if len(offsets) == 1 else "messages"
    if len({queue for queue, _ in offsets}) > 1:
        return f"{len(offsets)} {noun}"
    first, last = offsets[0][1], offsets[-1][1]
    return f"{len(offsets)} {noun}, off={first}" + (f"..{last}" if last != first else "")
