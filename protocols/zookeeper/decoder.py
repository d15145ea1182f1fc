"""The ZooKeeper client protocol: frames of a 4-byte length, a header with an xid, and Jute records.

The first frame of each direction is the handshake and has no header; four-letter words stand in its place. A reply says nothing of what
it answers: its layout is the request's, and without the request it is guessed, and labelled so, where one layout fits exactly.
"""
from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from protocols.decoder import MORE, TO_END, Answer, Decoder, Fast, Framing, Header, Kind, Match, MessageBytes, Opening, Side, Summary
from protocols.engine.fields import Field, Spec, generated, printable
from protocols.engine.records import Layout, Malformed, parse, read
from protocols.message_heads import FieldColumn, HeaderColumns, MessageHeads
from protocols.zookeeper import columns, layouts, summary, words
from protocols.zookeeper import recognise as signs
from protocols.zookeeper import tables as t

__all__ = ["Role", "ZooKeeper"]

_REQUEST = struct.Struct(">ii").unpack_from
_REPLY = struct.Struct(">iqi").unpack_from
_I32 = struct.Struct(">i").unpack_from

CONNECT_KEY, SESSION_KEY, WORD_KEY = "connect", "createSession", "word"
MAX_BUFFER = 0xFFFFF
GUESSED = 1 << 20
"""Bytes up to which an unknown reply is tried against the layouts."""


VERBATIM = frozenset({"zookeeper.path", "zookeeper.acl.scheme", "zookeeper.acl.id", "zookeeper.child", "zookeeper.ephemeral"})


class Role(Enum):
    """How a message is to be read."""

    REQUEST = "request"
    REPLY = "reply"
    EVENT = "event"
    CONNECT_REQUEST = "connect request"
    CONNECT_RESPONSE = "connect response"
    WORD = "word"
    WORD_REPLY = "word reply"


class Session:
    """What `header` remembers of a connection: which directions have begun, and how many createSession requests wait for their odd answer."""

    __slots__ = ("begun", "creating")

    def __init__(self) -> None:
        self.begun = [False, False]
        self.creating = 0


class FastZooKeeper(Fast):
    """How many messages are read at once: by columns of their first bytes."""

    columns = columns.TOLD

    def count_accepted(self, heads: MessageHeads, side: Side) -> int:
        return columns.requests(heads) if side.from_client else columns.replies(heads)

    def headers(self, heads: MessageHeads) -> HeaderColumns | None:
        return columns.headers(heads)

    def column(self, name: str, heads: MessageHeads, peer: NDArray[np.int64]) -> FieldColumn:
        return columns.known(name, heads, peer)

    def verbatim(self) -> frozenset[str]:
        return VERBATIM


class ZooKeeper(Decoder):
    name = "zookeeper"
    title = "Apache ZooKeeper"
    column = "ZooKeeper"
    fast = FastZooKeeper()
    ports = signs.PORTS
    framing = Framing(offset=0, size=4, order="big", add=4, head=48, least=signs.LEAST, most=signs.MOST)

    def specs(self) -> Iterable[Spec]:
        return (layouts.ROOT, *layouts.specs(), *words.SPECS)

    def recognise(self, opening: Opening) -> Match | None:
        return signs.recognise(opening)

    def session(self) -> Session:
        return Session()

    def frame(self, data: bytes, side: Side) -> int | Answer:
        opening = data if side.from_client else side.peer_opening
        return TO_END if words.word(opening) else MORE

    def accepts(self, head: bytes, side: Side) -> bool:
        return signs.request_like(head) if side.from_client else signs.reply_like(head)

    def header(self, data: bytes, start: int, end: int, side: Side, session: Session) -> Header:
        if side.from_client:
            if not session.begun[0]:
                session.begun[0] = True
                found = self._opening_request(data, start, end, side)
                if found is not None:
                    return found
            if end - start < 12:
                return Header(Kind.REQUEST, None, "", Role.REQUEST)
            xid, code = _REQUEST(data, start + 4)
            if code == t.PING:
                xid = t.PING_XID  # whatever xid it carries, the answer's is -2
            elif code == t.CREATE_SESSION:
                session.creating += 1
                xid = SESSION_KEY
            return Header(Kind.REQUEST, xid, t.OPERATIONS.get(code) or t.operation(code), Role.REQUEST)
        if not session.begun[1]:
            session.begun[1] = True
            found = self._opening_reply(data, start, end, side)
            if found is not None:
                return found
        if end - start < 8:
            return Header(Kind.RESPONSE, None, "", Role.REPLY)
        xid = _I32(data, start + 4)[0]
        if xid == t.NOTIFICATION:
            return Header(Kind.EVENT, None, "notification", Role.EVENT)
        if session.creating and signs.connect_response(data[start:start + 24]):
            session.creating -= 1
            return Header(Kind.RESPONSE, SESSION_KEY, "", Role.CONNECT_RESPONSE)
        return Header(Kind.RESPONSE, xid, "", Role.REPLY)

    def _opening_request(self, data: bytes, start: int, end: int, side: Side) -> Header | None:
        """The client's first message, unless it is an ordinary request of a connection whose start was not captured."""
        word = words.word(data[start:start + 4])
        if word:
            return Header(Kind.REQUEST, WORD_KEY, words.name(word), Role.WORD)
        head = data[start:min(end, start + 48)]
        if signs.connect_request(head) or (side.from_start and not signs.request_at(data, start)):
            return Header(Kind.REQUEST, CONNECT_KEY, "connect", Role.CONNECT_REQUEST)
        return None

    def _opening_reply(self, data: bytes, start: int, end: int, side: Side) -> Header | None:
        """The server's first message, unless it is an ordinary reply of a connection whose start was not captured."""
        if words.word(side.peer_opening):
            return Header(Kind.RESPONSE, WORD_KEY, "", Role.WORD_REPLY)
        head = data[start:min(end, start + 24)]
        if signs.refusal(head):
            return Header(Kind.RESPONSE, CONNECT_KEY, "", Role.REPLY)
        if signs.connect_response(head) or (side.from_start and len(head) < 20):
            return Header(Kind.RESPONSE, CONNECT_KEY, "", Role.CONNECT_RESPONSE)
        return None

    def describe(self, message: MessageBytes) -> Summary:
        words = _DESCRIBE[message.header.context](message)
        words.info = printable(words.info)
        return words

    def dissect(self, message: MessageBytes) -> Sequence[Field]:
        data, start, end, view = message.data, message.start, message.end, message.view
        role = message.header.context
        if role is Role.WORD:
            return words.dissect_word(data, start, end, view)
        if role is Role.WORD_REPLY:
            return words.dissect_reply(data, start, end, message.length, view)
        made: list[Field] = []
        if role is Role.CONNECT_REQUEST:
            layout = layouts.CONNECT_REQUEST
        elif role is Role.CONNECT_RESPONSE:
            layout = layouts.CONNECT_RESPONSE
        elif role is Role.EVENT:
            layout = layouts.WATCH_EVENT
        elif role is Role.REQUEST:
            code = _I32(data, start + 8)[0] if end - start >= 12 else 0
            layout = layouts.REQUESTS.get(code, layouts.UNKNOWN_REQUEST)
            if code in t.SINCE:
                made.append(generated(layouts.SINCE, t.SINCE[code], at=start, view=view))
        else:
            layout = _reply_layout(message, made)
        out = read(layout, data, start, end, view=view, want=message.length)
        out += made
        out += [generated(layouts.NOTE, note, at=start, view=view) for note in _notes(message, out)]
        return out


_DESCRIBE = {
    Role.REQUEST: summary.request, Role.REPLY: summary.reply, Role.EVENT: summary.event, Role.CONNECT_REQUEST: summary.connect_request,
    Role.CONNECT_RESPONSE: summary.connect_response, Role.WORD: summary.word_request, Role.WORD_REPLY: summary.word_reply,
}


def _reply_layout(message: MessageBytes, made: list[Field]) -> Layout:
    """The layout of a reply, by its request; what is known beside its bytes goes to `made`."""
    data, start, view = message.data, message.start, message.view
    if message.end - start < 20:
        return layouts.UNKNOWN_REPLY
    xid, _, code = _REPLY(data, start + 4)
    peer = message.peer
    asked = _I32(peer.data, peer.start + 8)[0] if peer is not None and peer.header.context is Role.REQUEST and peer.end - peer.start >= 12 else None
    if code:
        found = t.error(code)
        fault = "the server's" if found.status == "server_error" else "the client's"
        soft = ", a normal outcome here" if (asked, code) in t.SOFT else ""
        made.append(generated(layouts.ERR_CLASS, str(found.status), f"{found.name}: {found.meaning} ({fault} side{soft})", start, view))
    if asked is not None and peer is not None:
        made.append(generated(layouts.OPCODE, asked, at=start, view=view))
        path = summary.request_path(peer) if asked not in (t.MULTI, t.MULTI_READ, t.AUTH, t.SET_WATCHES, t.SET_WATCHES2) else ""
        if path:
            made.append(generated(layouts.PATH, path, at=start, view=view))
        return (layouts.FAILED_REPLIES if code else layouts.REPLIES).get(asked, layouts.UNKNOWN_REPLY)
    if peer is not None or xid in t.SPECIAL_XIDS or not 20 < message.end - start <= GUESSED or not message.complete:
        return layouts.UNKNOWN_REPLY
    for name, layout in layouts.GUESSES:
        try:
            fields, after = parse(layout, data, start, message.end)
        except Malformed:
            continue
        if after == message.end and not (name.startswith("path") and not str(fields[4].value).startswith("/")) and _whole_multi(name, fields):
            made.append(generated(layouts.GUESS, name, f"guess: {name} (the request was not captured)", start, view))
            return layout
    return layouts.UNKNOWN_REPLY


def _whole_multi(name: str, fields: Sequence[Field]) -> bool:
    """Whether a guessed transaction ends as one does."""
    return not name.startswith("results") or _terminated(fields[-1])


def _terminated(multi: Field) -> bool:
    """Whether the last operation of a transaction is the one that says "done"."""
    steps = multi.fields
    return bool(steps) and len(steps[-1].fields) >= 3 and steps[-1].fields[1].value is True


def _notes(message: MessageBytes, found: Sequence[Field]) -> list[str]:
    """What is unusual about the message, or tells about its sender."""
    values = {one.spec: one for one in found if one.length or one.value is None}
    notes = []
    if message.length - 4 > MAX_BUFFER:
        notes.append(f"longer than the default limit of {MAX_BUFFER:,} bytes (jute.maxbuffer)")
    if layouts.TRAILING in values:
        notes.append(f"{t.sized(values[layouts.TRAILING].length)} after the record")
    role = message.header.context
    if role is Role.CONNECT_REQUEST and message.complete and layouts.PASSWORD in values:
        if layouts.READ_ONLY not in values:
            notes.append("no read-only flag: a client of 3.3 or older, or one that does not know it (Go, Node)")
        if values[layouts.SESSION].value == 0 and any(message.data[message.start + 32:message.start + 48]):
            notes.append("a password without a session")
    elif role is Role.CONNECT_RESPONSE and layouts.TIMEOUT in values and values[layouts.TIMEOUT].value == 0:
        notes.append("the session has expired, or its password is wrong; the server closes the connection")
    elif role is Role.EVENT and layouts.ZXID in values and values[layouts.ZXID].value > 0:
        notes.append("an event with a zxid: the server is ZooKeeper 3.9 or newer")
    elif role is Role.REPLY and layouts.ERR in values and values[layouts.ERR].value and message.end - message.start > 20:
        notes.append("a body behind an error")
    if layouts.OPCODE in values and values[layouts.OPCODE].value not in t.OPERATIONS:
        notes.append("no server knows this operation; the answer is UNIMPLEMENTED (-6)")
    if layouts.MULTI in values and message.complete and not _terminated(values[layouts.MULTI]):
        notes.append("the transaction is not terminated")
    return notes
