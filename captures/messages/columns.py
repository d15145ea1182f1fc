"""The columns that every message has, whatever its protocol: the `pv.*` fields, each stated once.

A column tells its name, type and label (`spec`) and how it is had, in one of three ways: it is the same for all messages of a conversation (`constant`), it
is computed from the conversation's own columns (`number`), or it is one of the decoder's words (`word`). From this list come the `pv.*` fields of filters
and tables (`captures.values`), the group of them in a packet's tree (`pv_fields`), and whatever counts messages.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captures.file.clock import NO_TIME
from captures.messages.conversation import Conversation
from captures.messages.messages import Messages
from captures.messages.queueing import waits
from captures.messages.words import NO_CODE, WordColumns
from protocols.decoder import Summary
from protocols.engine.fields import Spec
from protocols.kinds import EVENT, KINDS, RESPONSE
from protocols.message_heads import FieldColumn
from protocols.terms import STATUS_WORDS

__all__ = ["BY_NAME", "COLUMNS", "Chosen", "MessageColumn"]

Ints = NDArray[np.int64]
Array = NDArray[Any]


class Chosen:
    """Some messages of one conversation, by row. `request` and `response` are the rows of each one's exchange, -1 where there is none."""

    __slots__ = ("conversation", "messages", "paired", "request", "response", "rows")

    def __init__(self, conversation: Conversation, messages: Messages, rows: Ints) -> None:
        self.conversation = conversation
        self.messages = messages
        self.rows = rows
        peer, answers = messages.peer[rows], messages.kind[rows] == RESPONSE
        self.paired = peer >= 0
        self.request = np.where(answers, peer, rows)
        self.response = np.where(answers, rows, peer)


@dataclass(frozen=True, slots=True)
class MessageColumn:
    """One field of every message; exactly one of `constant`, `number` and `word` says how it is had.

    `number` gives (values, where there is one) of chosen messages, in whole numbers or, for times, seconds; `names` are texts by value, where values stand
    for texts. `word` is the name of a `Summary`'s attribute.
    """

    spec: Spec
    constant: Callable[[Conversation], Any] | None = None
    number: Callable[[Chosen], tuple[Array, Array]] | None = None
    names: tuple[str, ...] = ()
    word: str = ""

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def empty(self) -> str | None:
        """What stands in the tree of a message without a value."""
        return "" if self.word and self.spec.type == "string" else None

    @property
    def several(self) -> bool:
        """Whether one message may have several values of it."""
        return self.word == "targets"

    def of(self, chosen: Chosen, words: WordColumns | None) -> FieldColumn:
        """The values of chosen messages; `words`, with those of these messages read, are needed for a word only."""
        count = len(chosen.rows)
        sure = np.ones(count, np.bool_)
        if self.constant is not None:
            value = self.constant(chosen.conversation)
            return FieldColumn(np.zeros(count, np.int64), sure if value is not None else ~sure, sure, (value,))
        if self.number is not None:
            values, there = self.number(chosen)
            return FieldColumn(values, there, sure, self.names)
        assert words is not None
        if self.word == "code":
            codes = words.codes(chosen.rows)
            return FieldColumn(codes, codes != NO_CODE, sure)
        if self.word == "long_poll":
            return FieldColumn(words.long_poll(chosen.rows).view(np.uint8), sure, sure)
        texts = words.texts_of(self.word, chosen.rows)
        return FieldColumn(texts, texts != 0, sure, words.texts.distinct)

    def values(self, chosen: Chosen, words: Summary) -> tuple[Any, ...]:
        """The values of one message with these words, none where it has none; it alone is chosen."""
        if self.constant is not None:
            value = self.constant(chosen.conversation)
        elif self.number is not None:
            found, there = self.number(chosen)
            value = (self.names[int(found[0])] if self.names else found[0].item()) if there[0] else None
        else:
            value = getattr(words, self.word)
            if self.several:
                return tuple(value)
            if self.word == "status" and value is not None:
                value = str(value)
        return () if value in (None, "") else (value,)


def _everywhere(value: Array) -> tuple[Array, Array]:
    return value, np.ones(len(value), np.bool_)


def _time(chosen: Chosen) -> tuple[Array, Array]:
    messages, ts = chosen.messages, chosen.conversation.index.columns.ts
    asked, answered = ts[messages.packet[chosen.request]], ts[messages.first_packet[chosen.response]]
    return (answered - asked) / 1e9, chosen.paired & (asked != NO_TIME) & (answered != NO_TIME)


def _queued(chosen: Chosen) -> tuple[Array, Array]:
    wait, told = waits(chosen.conversation)
    return wait[chosen.rows] / 1e9, told[chosen.rows]


def _length(row: Ints, chosen: Chosen) -> tuple[Array, Array]:
    return chosen.messages.length[row], (row >= 0) & (chosen.messages.kind[chosen.rows] != EVENT)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.3f} ms"


COLUMNS = (
    MessageColumn(Spec("pv.proto", "Protocol", "string", about="The protocol's filter name"),
                  constant=lambda conversation: conversation.decoder.name if conversation.decoder else None),
    MessageColumn(Spec("pv.kind", "Kind", "string", about="request, response, oneway or event", words={str(kind): (str(kind),) for kind in KINDS}),
                  number=lambda chosen: _everywhere(chosen.messages.kind[chosen.rows]), names=tuple(str(kind) for kind in KINDS)),
    MessageColumn(Spec("pv.op", "Operation", "string", about="What the request asks for, on the request and on its response"), word="op"),
    MessageColumn(Spec("pv.target", "Target", "string", about="What the operation works on: path, topic, collection; one value each"), word="targets"),
    MessageColumn(Spec("pv.endpoint", "Endpoint", "string", about="What the operation works on in a form that many operations share"), word="endpoint"),
    MessageColumn(Spec("pv.id", "Correlation", "string", about="The protocol's own correlation id"), word="id"),
    MessageColumn(Spec("pv.status", "Status", "string", words=STATUS_WORDS,
                       about="ok, client_error, server_error (error: one of the two), no_response, not_captured, orphan or truncated"), word="status"),
    MessageColumn(Spec("pv.code", "Code", "int64", about="The response's status or error number"), word="code"),
    MessageColumn(Spec("pv.error", "Error", "string", about="The error by name"), word="error"),
    MessageColumn(Spec("pv.error_text", "Error text", "string", about="What the server says of its error in words"), word="error_text"),
    MessageColumn(Spec("pv.rrt", "RRT", "double", show=_milliseconds, about="From the request's last byte to the response's first, seconds"), number=_time),
    MessageColumn(Spec("pv.req_frame", "Request in packet", "frame"),
                  number=lambda chosen: (chosen.messages.packet[chosen.request] + 1, chosen.paired)),
    MessageColumn(Spec("pv.resp_frame", "Response in packet", "frame"),
                  number=lambda chosen: (chosen.messages.packet[chosen.response] + 1, chosen.paired)),
    MessageColumn(Spec("pv.client", "Client", "string"), constant=lambda conversation: conversation.ends[0]),
    MessageColumn(Spec("pv.server", "Server", "string"), constant=lambda conversation: conversation.ends[1]),
    MessageColumn(Spec("pv.confidence", "Recognised", "uint8", about="How sure the decoder is of the stream, 0-100"),
                  constant=lambda conversation: conversation.match.score if conversation.match else 0),
    MessageColumn(Spec("pv.why", "Because", "string", about="Why the stream was taken for this protocol"),
                  constant=lambda conversation: (conversation.match.why or None) if conversation.match else None),
    MessageColumn(Spec("pv.req_len", "Request length", "uint64", about="Bytes of the request"), number=lambda chosen: _length(chosen.request, chosen)),
    MessageColumn(Spec("pv.resp_len", "Response length", "uint64", about="Bytes of the response, of several the first"),
                  number=lambda chosen: _length(chosen.response, chosen)),
    MessageColumn(Spec("pv.client_id", "Client's name", "string", about="What the client calls itself, where the protocol has a field for it"),
                  word="client_id"),
    MessageColumn(Spec("pv.long_poll", "Long poll", "bool", about="The server answers late by design: the response time is no latency"), word="long_poll"),
    MessageColumn(Spec("pv.queued", "Queued", "double", show=_milliseconds,
                       about="Seconds that the request waited until those before it in its stream had their responses, where responses come in order"),
                  number=_queued),
    *(MessageColumn(Spec(name, label, kind, about=about), constant=lambda conversation: None) for name, label, kind, about in (
        ("pv.server_time", "Server's time", "double", "Never there: a capture does not tell time in the server from time on the way"),
        ("pv.trace_id", "Trace", "string", "Never there: traces are not followed"),
        ("pv.process", "Process", "string", "Never there: captures do not name processes"),
    )),
)
BY_NAME = {column.name: column for column in COLUMNS}
