"""The words for messages: what a decoder says of one, joined with what it says of its peer; for one message as a `Summary`, for many as columns.

An operation belongs to the request and an outcome to the response, yet both are asked of both. `JOINED` says once for each word from which of the two it is
taken; `joined` applies that to two summaries, `WordColumns` to thousands of messages at once. Columns hold numbers of distinct texts (`Texts`), which all
conversations of a capture share, so that the columns of one can be compared with those of another.
"""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from captures.messages.given import described as given
from captures.messages.many import Readable, many
from captures.messages.messages import MessageRow, Messages
from captures.messages.unanswered import Unanswered
from protocols.decoder import Decoder, Kind, MessageBytes, Status, Summary
from protocols.engine.mistakes import MISTAKES, failed
from protocols.engine.printable import printable
from protocols.kinds import RESPONSE

__all__ = ["ERRORS", "NO_CODE", "Texts", "WordColumns", "described", "is_error", "joined"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NO_CODE = -(1 << 63)
"""The code of a message without one."""
ERRORS = (Status.CLIENT_ERROR, Status.SERVER_ERROR)

From = Literal["own", "response", "request", "either"]
JOINED: dict[str, From] = {
    "op": "own", "targets": "own", "endpoint": "own", "id": "own", "status": "response", "code": "response", "error": "response",
    "error_text": "response", "soft": "response", "long_poll": "either", "client_id": "request",
}
"""Word -> whose it is: "own" its own, or where that is empty the request's; "request" and "response" that one's, on both; "either" true when one's is."""
TEXTS = ("op", "targets", "endpoint", "id", "status", "error", "error_text", "client_id")


class Described(Readable, Protocol):
    """What of a conversation its words are made from."""

    decoder: Decoder | None
    faults: dict[int, str]

    @property
    def unanswered(self) -> Unanswered: ...


def described(conversation: Described, one: MessageRow, message: Callable[[MessageRow], MessageBytes]) -> Summary:
    """What the decoder says of a message by itself; `message` gives its bytes. A mistake of the decoder's becomes the text; what only the conversation knows
    of the outcome is filled in."""
    fault = conversation.faults.get(one.row)
    if fault is None and conversation.decoder is not None:
        try:
            words = given(conversation.decoder, message(one))
        except MISTAKES as mistake:
            fault = failed(mistake)
        else:
            if words.status in (None, Status.OK):
                alone = not one.paired
                if not one.complete and (alone or one.kind is Kind.RESPONSE):
                    words.status = Status.TRUNCATED
                elif alone and one.kind in (Kind.REQUEST, Kind.RESPONSE) and one.header.key is not None:
                    # without the peer that its key (or its place in the order) promises
                    words.status = Status.ORPHAN if one.kind is Kind.RESPONSE else conversation.unanswered.status(one)
            if not isinstance(words.text, str) or not words.text.isprintable():
                words.text = partial(_readable, words.text)
            return words
    return Summary(op=one.header.op, info=f"{one.have:,} bytes; {fault}")


def _readable(text: str | Callable[[], str]) -> str:
    """`Summary.text`, made now where the decoder left that for later; a decoder's mistake becomes the text."""
    try:
        return printable(text if isinstance(text, str) else text())
    except MISTAKES as fault:
        return failed(fault)


def joined(mine: Summary, request: Summary, response: Summary) -> Summary:
    """The words for one of a pair: `mine` is `request` or `response`."""
    out = Summary(info=lambda: mine.info)
    for name, whose in JOINED.items():
        if whose == "response":
            value = getattr(response, name)
        else:
            value = getattr(mine if whose == "own" else request, name) or getattr(response if whose in ("either", "request") else request, name)
        setattr(out, name, value)
    return out


def is_error(words: Summary, asked_and_answered: bool) -> bool:
    """Whether a message is shown as an error: its own outcome is one, and none that callers expect. Of a pair only the response is."""
    return words.status in ERRORS and not asked_and_answered and not words.soft


class Texts:
    """Distinct values by number; 0 is "nothing"."""

    def __init__(self) -> None:
        self.distinct: list[Any] = [None]
        self.known: dict[Any, int] = {"": 0, (): 0, None: 0}
        """The number of each."""

    def number(self, value: Any) -> int:
        """The number of a value, a new one where it is not known."""
        found = self.known.get(value)
        if found is None:
            found = self.known[value] = len(self.distinct)
            self.distinct.append(value)
        return found


class WordColumns:
    """The words of one conversation's messages, a row a message, read when they are asked for and kept. A conversation that was forgotten and read again is
    told by setting `conversation`: its messages are the same."""

    def __init__(self, conversation: Described, texts: Texts) -> None:
        count = len(conversation.messages)
        self.conversation = conversation
        self.texts = texts
        self._said = np.zeros(count, np.bool_)
        self._numbers = {name: np.zeros(count, np.int32) for name in TEXTS}
        self._code = np.full(count, NO_CODE, np.int64)
        self._soft = np.zeros(count, np.bool_)
        self._long_poll = np.zeros(count, np.bool_)

    @property
    def _messages(self) -> Messages:
        return self.conversation.messages

    def read(self, rows: Ints) -> None:
        """Have the words of these messages, and of their peers, read."""
        messages = self._messages
        peers = messages.peer[rows]
        rows = np.concatenate((rows, peers[peers >= 0]))
        rows = np.unique(rows[~self._said[rows]])
        known, number = self.texts.known, self.texts.number
        found: list[tuple[int, ...]] = []
        for one, message in many(self.conversation, rows.tolist()):
            words = described(self.conversation, one, lambda _, message=message: message)    # type: ignore[misc]
            code, status = words.code, words.status
            said = (words.op, words.targets, words.endpoint, words.id, None if status is None else str(status), words.error, words.error_text, words.client_id)
            found.append((*[number(value) if (place := known.get(value)) is None else place for value in said],
                          NO_CODE if code is None else code, words.soft, words.long_poll))
        columns: list[NDArray[Any]] = [*self._numbers.values(), self._code, self._soft, self._long_poll]
        for column, values in zip(columns, zip(*found, strict=True), strict=bool(found)):
            column[rows] = values
        self._said[rows] = True

    def texts_of(self, name: str, rows: Ints) -> NDArray[np.int32]:
        """A word of these messages, which were read, as numbers of `texts`."""
        column = self._numbers[name]
        other = self._other(name, rows)
        own: NDArray[np.int32] = column[rows]
        if JOINED[name] == "response":
            return np.where(other >= 0, column[other], own)
        if JOINED[name] == "own":
            return np.where((own == 0) & (other >= 0), column[other], own)
        found = np.where(other >= 0, column[other], own)
        return np.where(found == 0, own, found)

    def _other(self, name: str, rows: Ints) -> Ints:
        """The peer of each message where its word may count instead of the message's own, else -1."""
        peer, answers = self._messages.peer[rows], self._messages.kind[rows] == RESPONSE
        return np.where(answers == (JOINED[name] != "response"), peer, -1)

    def codes(self, rows: Ints) -> Ints:
        """The status or error number of these messages, NO_CODE without."""
        other = self._other("code", rows)
        return np.where(other >= 0, self._code[other], self._code[rows])

    def soft(self, rows: Ints) -> Bools:
        """Whether the error of these messages is one that callers expect."""
        other = self._other("soft", rows)
        return np.where(other >= 0, self._soft[other], self._soft[rows])

    def long_poll(self, rows: Ints) -> Bools:
        """Whether the answer of these messages may come late by design."""
        peer = self._messages.peer[rows]
        return self._long_poll[rows] | ((peer >= 0) & self._long_poll[peer])

    def errors(self, rows: Ints) -> Bools:
        """Which of these messages are shown as errors, as `is_error` says of one; those that the decoder could not read are."""
        kinds = [self.texts.number(str(status)) for status in ERRORS]
        asked = (self._messages.peer[rows] >= 0) & (self._messages.kind[rows] != RESPONSE)
        found: Bools = np.isin(self.texts_of("status", rows), kinds) & ~asked & ~self.soft(rows)
        found |= np.isin(rows, list(self.conversation.faults))
        return found
