"""The words for a frame: operation, topic and queue, group, outcome, message ids, and the line in the Info column.

The header is read as plain values; of the body only what the line says. The words of each operation are templates in operations.txt.
"""
from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from functools import cache, partial
from typing import Any

from protocols.decoder import Kind, MessageBytes, Status, Summary
from protocols.engine.fields import printable
from protocols.rocketmq import stored
from protocols.rocketmq import tables as t
from protocols.rocketmq.bodies import kind_of
from protocols.rocketmq.head import Asks, Head
from protocols.rocketmq.jsontext import Node, scan
from protocols.rocketmq.session import Session, head_of
from protocols.rocketmq.values import split_properties

REMARK = 60
SHOWN = 160
READ = 1 << 16
"""Bytes up to which a JSON body is read for a line of words."""
MESSAGES = 1000
"""Messages of a body that are looked at for a line of words."""

_ALIASES = {"group": ("consumerGroup", "producerGroup", "group", "groupName"), "clientId": ("clientId", "clientID"),
            "topic": ("topic", "topicName", "parentTopic"), "username": ("username", "subject")}
_TARGETS = ("topic", "group", "clientId", "brokerName", "username", "cluster", "clusterName", "namespace", "srcGroup")
_TARGET_FIELDS = tuple(field for name in _TARGETS for field in _ALIASES.get(name, (name,)))
"""Extension fields that name what a request works on, in the order in which they are asked."""
_FIELD = re.compile(r"\{(\w+)\}")
_USUAL = frozenset({"FOUND", "not set any response code"})
"""Remarks of ordinary answers; the second stands in many answers of 5.3.3 and is no error."""
_ONE = re.compile(r"(?<!\S)(1 [a-z]+)s\b")
_NAMED: dict[str, dict[int, str]] = {"commitOrRollback": t.COMMIT_OR_ROLLBACK}


class Words:
    """What can be said of one frame, each thing found when it is asked for. `asked` is the request code that counts: of a response its
    request's, -1 until `answers` tells it."""

    __slots__ = ("_json", "_properties", "asked", "body", "head", "kind", "message", "response")

    def __init__(self, message: MessageBytes) -> None:
        self.message = message
        self.head: Head = head_of(message)
        self.response = message.header.kind is Kind.RESPONSE
        self.asked = -1 if self.response or self.head.code is None else self.head.code
        self.kind = kind_of(self.asked, self.response, self.head.code)
        self.body = min(message.end, message.start + self.head.size) if self.head.size is not None else message.end
        """Where the body starts, or would."""
        self._json: Any = None
        self._properties: dict[str, str] | None = None

    def answers(self, request: Words | None) -> None:
        """Tell a response its request, when there is one."""
        if request is not None and request.head.code is not None:
            self.asked = request.head.code
            self.kind = kind_of(self.asked, self.response, self.head.code)

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
            start, end = self.body, self.message.end
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
            return t.sized(max(0, self.message.length - self.head.size)) if self.head.size is not None else ""
        if name == "n":
            return self.count()
        if name in ("tags", "keys"):
            value = self.properties.get(name.upper(), "")
            return f"{name}={value}" if value else ""
        if name == "text":
            return str(self.message.data[self.body:self.message.end][:SHOWN], "utf-8", "replace")
        if name == "topic" and self.head.ext.get("liteTopic"):
            return self._lite()
        if self.asked == t.LITE_SUBSCRIPTION_CTL and not self.response:
            return self._of_subscriptions(name)
        for one in _ALIASES.get(name, (name,)):
            if value := self.head.ext.get(one, ""):
                return _NAMED[one].get(self.head.number(one), value) if one in _NAMED else value
        if self.kind.startswith("json") and isinstance(self.json, dict):
            for one in _ALIASES.get(name, (name,)):
                found = self.json.get(one)
                if found is not None:
                    return self._counted(found) if isinstance(found, (dict, list)) else str(found)
            if name in ("producers", "consumers"):
                found = self.json.get(name[:-1] + "DataSet")
                return self._counted(found) if isinstance(found, list) else ""
        return self.properties.get(name, "") if name.isupper() else ""

    def _counted(self, items: dict[Any, Any] | list[Any]) -> str:
        """How many there are; "" where there may be more than were captured."""
        return str(len(items)) if self.message.complete else ""

    def count(self) -> str:
        """How many things the body holds: the items of its first list or map, its lines, its inner messages. "" when it is cut off."""
        if not self.message.complete:
            return ""
        start, end = self.body, self.message.end
        if self.kind == "batch":
            return str(stored.inner_count(self.message.data, start, end))
        if self.kind == "config":
            return str(sum(b"=" in line for line in self.message.data[start:end].splitlines()))
        if isinstance(self.json, list):
            return str(len(self.json))
        return next((str(len(value)) for value in self.json.values() if isinstance(value, (dict, list))), "")

    def fill(self, template: str) -> str:
        """A template with its fields; words with an empty field are left out, and the plain words behind them."""
        words = []
        shown = True
        for word, names in _parsed(template):
            values = [self.word(name) for name in names]
            if names:
                shown = all(values) and not (word == "q{queueId}" and (values == ["-1"] or bool(self.head.ext.get("liteTopic"))))
            if shown:
                for one, value in zip(names, values, strict=True):
                    word = word.replace(f"{{{one}}}", value, 1)
                words.append(word)
        return _ONE.sub(r"\1", " ".join(words))

    def asks(self) -> Asks:
        """What a request says of itself; kept with its header."""
        found = self.head.asks
        if found is None:
            found = self.head.asks = Asks(*self._target(), self._long_poll(), self._client_id())
        return found

    def _target(self) -> tuple[tuple[str, ...], str]:
        """What the operation works on, whole values, and their aggregatable form: the topic with its queue or its lite topic, and the topic; else the
        first name that it has."""
        ext = self.head.ext
        if self.asked == t.LITE_SUBSCRIPTION_CTL:
            return self._subscribed()
        json = self.kind.startswith("json")
        if not (self.message.complete if json else self.head.size is not None and self.body - self.message.start == self.head.size):
            name = self._known_target()
        elif json:
            name = next((value for one in _TARGETS if (value := self.word(one))), "")
        else:
            name = next((ext[one] for one in _TARGET_FIELDS if ext.get(one)), "")
        if lite := ext.get("liteTopic"):  # offsets count in the lite topic, which has one queue
            return (self._lite(),), self._first("topic") or lite
        queue = ext.get("queueId", "")
        if queue not in ("", "-1") and self.word("topic"):
            return (f"{name} q{queue}",), name
        return ((name,) if name else ()), name

    def _known_target(self) -> str:
        """What a request works on that is cut off: no other name stands for the one that its operation has, and that may be missing."""
        operation = t.operations().get(self.asked)
        found = t.header_classes().get(operation.request_header) if operation else None
        names = {one.name for one in found.members} if found else set()
        names |= t.body_classes().get(self.kind.removeprefix("json:"), {}).keys()
        return next((self.word(one) for one in _TARGETS if names.intersection(_ALIASES.get(one, (one,)))), "")

    def _subscribed(self) -> tuple[tuple[str, ...], str]:
        """The lite topics of a LITE_SUBSCRIPTION_CTL, which says all in its body."""
        targets: dict[str, None] = {}
        topics: dict[str, None] = {}
        for one in self.subscriptions():
            topic = str(one.get("topic") or "")
            topics[topic] = None
            lites = one.get("liteTopicSet")
            for lite in lites if isinstance(lites, list) and lites else [""]:
                targets[f"{topic}/{lite}" if lite else topic] = None
        return tuple(one for one in targets if one), next(iter(topics), "")

    def subscriptions(self) -> list[dict[str, Any]]:
        """What a LITE_SUBSCRIPTION_CTL asks for."""
        found = self.json.get("subscriptionSet") if isinstance(self.json, dict) else None
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def _of_subscriptions(self, name: str) -> str:
        """A word of a LITE_SUBSCRIPTION_CTL, its different values in a row."""
        if name == "topic":
            return ", ".join(self._subscribed()[0])
        return ", ".join(dict.fromkeys(str(one[name]) for one in self.subscriptions() if one.get(name)))

    def _client_id(self) -> str:
        """What the client calls itself; "" in requests that name another client, or none."""
        if self.asked in t.NAMES_ANOTHER_CLIENT:
            return ""
        if self.asked == t.LITE_SUBSCRIPTION_CTL:
            return next((str(one["clientId"]) for one in self.subscriptions() if one.get("clientId")), "")
        ext = self.head.ext
        found = ext.get("clientId") or ext.get("clientID")
        return found or (self.word("clientId") if self.kind.startswith("json") else "")

    def _lite(self) -> str:
        """The lite topic below its parent."""
        return "/".join(one for one in (self._first("topic"), self.head.ext.get("liteTopic", "")) if one)

    def _first(self, name: str) -> str:
        """The value of the extension field `name`, or of one that means the same."""
        return next((value for one in _ALIASES.get(name, (name,)) if (value := self.head.ext.get(one))), "")

    def _long_poll(self) -> bool:
        """Whether the request allows the server to hold its answer until there are messages."""
        if self.asked in t.PULLS:
            return bool(self.head.number("sysFlag") & 2) and self.head.number("suspendTimeoutMillis") > 0
        return self.asked in t.POPS and self.head.number("pollTime") > 0

    def outlines(self) -> Iterator[stored.Outline]:
        """The stored messages of the body, up to MESSAGES."""
        data, start, end = self.message.data, self.body, self.message.end
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
        return Summary(op=message.header.op, info="frame without a header" if message.complete else "cut off before the header")
    found = head_of(message)
    ident = "" if found.opaque is None else str(found.opaque)
    if message.header.kind is not Kind.RESPONSE:
        asks = found.asks or Words(message).asks()
        return Summary(message.header.op, asks.targets, asks.endpoint, ident, info=partial(_request_line, message), long_poll=asks.long_poll,
                       client_id=asks.client_id)
    peer = message.peer
    out = Summary(id=ident, code=found.code, info=partial(_response_line, message))
    asked = None
    if peer is not None:
        request = head_of(peer)
        asked, out.op = request.code, peer.header.op
        out.targets, out.endpoint, out.long_poll, out.client_id = request.asks or Words(peer).asks()
    outcome = t.outcome(found.code, found.version, asked)
    out.status = outcome.status
    if outcome.status is not Status.OK and outcome.status is not None:
        out.error, out.error_text = outcome.name, "" if found.remark in _USUAL else found.remark
    return out


def _request_line(message: MessageBytes) -> str:
    """The Info column of a request."""
    said = Words(message)
    head = said.head
    operation = t.operations().get(said.asked)
    details = said.fill(operation.asks) if operation else ", ".join(said.asks().targets)
    parts = [t.operation_name(head.code) or "frame", details[:SHOWN], "one-way" if head.flag and head.flag & t.ONEWAY else "",
             "" if message.complete else "cut off", f" #{head.opaque}" if head.opaque is not None else ""]
    return printable(" ".join(part for part in parts if part))


def _response_line(message: MessageBytes) -> str:
    """The Info column of a response."""
    said, peer = Words(message), message.peer
    request = Words(peer) if peer is not None else None
    said.answers(request)
    found = said.head
    outcome = t.outcome(found.code, found.version, request.head.code if request else None)
    operation = t.operations().get(said.asked)
    said_name = outcome.name if outcome.group != "unknown" else "unknown"
    parts = [(t.operation_name(request.head.code) if request else "") or "response", "←", said_name if not found.code else f"{said_name} ({found.code})",
             ", ".join(request.asks().targets)[:SHOWN] if request else ""]
    if found.remark and found.remark not in _USUAL:
        parts.append(found.remark[:REMARK] + ("…" if len(found.remark) > REMARK else ""))
    if outcome.status is Status.OK:
        parts.append(_carried(said))
        if operation and found.code == 0:
            parts.append(said.fill(operation.answers)[:SHOWN])
    if request is None:
        parts.append("(which request is not captured)" if _unnumbered(message) else "(request not captured)")
    if not message.complete:
        parts.append("cut off")
    return printable(" ".join(part for part in [*parts, f" #{found.opaque}" if found.opaque is not None else ""] if part))


def _unnumbered(message: MessageBytes) -> bool:
    """Whether the request of a response may be one whose opaque is cut off."""
    session = message.header.context
    return isinstance(session, Session) and session.unnumbered[not message.from_client]


def _carried(said: Words) -> str:
    """How many messages came, and their offsets; "at least" where more may have come than were captured, or are looked at."""
    offsets = [(one.queue_id, one.queue_offset) for one in said.outlines()]
    if not offsets:
        return ""
    noun = ("at least " if not said.message.complete or len(offsets) == MESSAGES else "") + f"{len(offsets)} message{'' if len(offsets) == 1 else 's'}"
    if len({queue for queue, _ in offsets}) > 1:
        return noun
    first, last = offsets[0][1], offsets[-1][1]
    return f"{noun}, off={first}" + (f"..{last}" if last != first else "")
