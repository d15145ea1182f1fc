"""Many messages of a conversation one after the other, for whoever reads all: none is copied, and a response finds its request where it lay.

The bytes of each direction are put together in windows that go forward with the rows, and a message is a place in its window. A request that was passed
is kept until its response comes, at most KEPT of them. Few messages of many are read each on its own: windows would hold what nobody asked for.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from captures.messages.messages import MessageRow, Messages
from captures.messages.window import DENSE, Window
from captures.stream.byte_stream import ByteStream
from protocols.decoder import Header, MessageBytes

__all__ = ["many"]

KEPT = 256
"""A request holds the window that it lies in."""


class Readable(Protocol):
    """What of a conversation its messages are read from."""

    directions: tuple[ByteStream, ByteStream]
    messages: Messages

    def message(self, pdu: MessageRow) -> MessageBytes: ...

    def header_in(self, pdu: MessageRow, data: bytes, start: int) -> Header: ...

    def find_facts(self) -> object: ...


def many(conversation: Readable, rows: Sequence[int]) -> Iterator[tuple[MessageRow, MessageBytes]]:
    """The messages in these rows (ascending). What is given holds until the next one is asked for."""
    messages = conversation.messages
    if len(rows) * DENSE <= len(messages):
        for row in rows:
            one = MessageRow(messages, row)
            yield one, conversation.message(one)
        return
    windows = [Window(direction) for direction in conversation.directions]
    peers = messages.peer
    passed: dict[int, MessageBytes] = {}
    find_facts = conversation.find_facts
    for row in rows:
        one = MessageRow(messages, row)
        window = windows[one.side]
        start, have = one.start, one.have
        at = start - window.base
        if at < 0 or start + have > window.end:
            at = window.seek(start, have)
        header = one.header = conversation.header_in(one, window.data, at)
        peer = int(peers[row])
        message = MessageBytes(window.data, at, at + have, one.length, header, one.from_client, find_facts=find_facts, has_peer=peer >= 0)
        if peer >= 0:
            message.find_peer = _finder(conversation, messages, peer, passed.pop(peer, None))
            if peer > row:
                passed[row] = message
                if len(passed) > KEPT:
                    del passed[next(iter(passed))]
        yield one, message


def _finder(conversation: Readable, messages: Messages, row: int, passed: MessageBytes | None) -> Callable[[], MessageBytes | None]:
    """The function that gives a message's peer, which was passed or is read now."""
    found = passed

    def find() -> MessageBytes | None:
        nonlocal found
        if found is None:
            found = conversation.message(messages[row])
        return found
    return find
