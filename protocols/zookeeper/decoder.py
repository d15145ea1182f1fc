"""The ZooKeeper client protocol: frames of a 4-byte length, a header with an xid, and Jute records.

The first frame of each direction is the handshake and has no header; four-letter words stand in its place. A reply says nothing of what
it answers: its layout is the request's, and without the request it is guessed, and labelled so, where one layout fits exactly. What the handshake says
of its version settles how wide an xid is, and whether what follows is compressed.
"""
from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from protocols.decoder import MORE, TO_END, Answer, Decoder, Fast, Framing, Header, Kind, Match, MessageBytes, Opening, Side, Summary
from protocols.engine.fields import Field, Spec, generated, walk
from protocols.engine.records import Layout, Malformed, parse, read
from protocols.message_heads import FieldColumn, HeaderColumns, MessageHeads
from protocols.zookeeper import columns, handshake, layouts, requests, roles, summary, words
from protocols.zookeeper import recognise as signs
from protocols.zookeeper import tables as t

__all__ = ["ZooKeeper"]

_REQUEST, _REQUEST_64 = struct.Struct(">ii").unpack_from, struct.Struct(">qi").unpack_from
_I32, _I64 = struct.Struct(">i").unpack_from, struct.Struct(">q").unpack_from

CONNECT_KEY, SESSION_KEY, WORD_KEY = "connect", "createSession", "word"
MAX_BUFFER = 0xFFFFF
GUESSED = 1 << 20
"""Bytes up to which an unknown reply is tried against the layouts."""


NO_PATH = frozenset({t.MULTI, t.MULTI_READ, t.AUTH, t.SET_WATCHES, t.SET_WATCHES2})
"""Operations that name other things than one path."""
VERBATIM = frozenset({"zookeeper.path", "zookeeper.acl.scheme", "zookeeper.acl.id", "zookeeper.child", "zookeeper.ephemeral"})


class Session:
    """What `header` remembers of a connection: which directions have begun, and what the handshake settled."""

    __slots__ = ("begun", "variant")

    def __init__(self) -> None:
        self.begun = [False, False]
        self.variant = handshake.PLAIN


class FastZooKeeper(Fast):
    """How many messages are read at once: by columns of their first bytes."""

    columns = columns.TOLD

    def count_accepted(self, heads: MessageHeads, side: Side) -> int | None:
        if _variant(side) is not handshake.PLAIN:
            return None
        return columns.requests(heads) if side.from_client else columns.replies(heads)

    def headers(self, heads: MessageHeads) -> HeaderColumns | None:
        return columns.headers(heads)

    def column(self, name: str, heads: MessageHeads, peer: NDArray[np.int64]) -> FieldColumn:
        return columns.known(name, heads, peer)

    def verbatim(self) -> frozenset[str]:
        return VERBATIM


FRAMES = Framing(offset=0, size=4, order="big", add=4, head=48, least=signs.LEAST, most=signs.MOST)
TRACED, BLOCKS = replace(FRAMES, add=5), Framing(offset=17, size=4, order="little", add=16, head=48, least=25, most=signs.MOST)
"""What ClickHouse Keeper's clients send in versions of their own: requests with a byte that their length does not count, and compressed blocks."""


class ZooKeeper(Decoder):
    name = "zookeeper"
    title = "Apache ZooKeeper"
    column = "ZooKeeper"
    fast = FastZooKeeper()
    ports = signs.PORTS
    framing = FRAMES

    def specs(self) -> Iterable[Spec]:
        return (layouts.ROOT, *layouts.specs(), *words.SPECS)

    def recognise(self, opening: Opening) -> Match | None:
        return signs.recognise(opening)

    def session(self) -> Session:
        return Session()

    def framing_for(self, side: Side) -> Framing:
        variant = _variant(side)
        if variant.compressed:
            return BLOCKS
        return TRACED if variant.more and side.from_client else self.framing

    def frame(self, data: bytes, side: Side) -> int | Answer:
        opening = data if side.from_client else side.peer_opening
        if words.word(opening):
            return TO_END
        variant = _variant(side)
        if variant is handshake.PLAIN:
            return MORE
        if side.from_client:
            return handshake.request_length(data) if handshake.connect_request(data[:48]) else MORE
        return 4 + int.from_bytes(data[:4], "big") if handshake.connect_response(data[:24]) else MORE

    def accepts(self, head: bytes, side: Side) -> bool:
        variant = _variant(side)
        if variant.compressed:
            return signs.block_like(head)
        if variant.xid == 8:
            head = handshake.narrow(head)
            if not head:
                return False
        return signs.request_like(head) if side.from_client else signs.reply_like(head)

    def header(self, data: bytes, start: int, end: int, side: Side, session: Session) -> Header:
        begun = session.begun[not side.from_client]
        if not begun:
            session.begun[not side.from_client] = True
            session.variant = _variant(side)
            found = self._opening_request(data, start, end, side) if side.from_client else self._opening_reply(data, start, end, side)
            if found is not None:
                return found
        if session.variant is not handshake.PLAIN:
            return _variant_header(data, start, end, side, session)
        if side.from_client:
            if end - start < 12:
                return Header(Kind.REQUEST, None, "", roles.REQUEST)
            xid, code = _REQUEST(data, start + 4)
            if code == t.PING:
                xid = t.PING_XID  # whatever xid it carries, the answer's is -2
            elif code == t.CREATE_SESSION:
                xid = SESSION_KEY
            return Header(Kind.REQUEST, xid, t.OPERATIONS.get(code) or t.operation(code), roles.REQUEST)
        if end - start < 8:
            return Header(Kind.RESPONSE, None, "", roles.REPLY)
        xid = _I32(data, start + 4)[0]
        if xid == t.NOTIFICATION:
            return Header(Kind.EVENT, None, "notification", roles.EVENT)
        if not xid and handshake.connect_response(data[start:start + 24]):     # the answer to a createSession has no header; no request has the xid 0
            return Header(Kind.RESPONSE, SESSION_KEY, "", roles.CONNECT_RESPONSE)
        return Header(Kind.RESPONSE, xid, "", roles.REPLY)

    def _opening_request(self, data: bytes, start: int, end: int, side: Side) -> Header | None:
        """The client's first message, unless it is an ordinary request of a connection whose start was not captured."""
        word = words.word(data[start:start + 4])
        if word:
            return Header(Kind.REQUEST, WORD_KEY, words.name(word), roles.WORD)
        head = data[start:min(end, start + 48)]
        if handshake.connect_request(head) or (side.from_start and not signs.request_at(data, start)):
            return Header(Kind.REQUEST, CONNECT_KEY, "connect", roles.CONNECT_REQUEST)
        return None

    def _opening_reply(self, data: bytes, start: int, end: int, side: Side) -> Header | None:
        """The server's first message, unless it is an ordinary reply of a connection whose start was not captured."""
        if words.word(side.peer_opening):
            return Header(Kind.RESPONSE, WORD_KEY, "", roles.WORD_REPLY)
        head = data[start:min(end, start + 24)]
        if handshake.refusal(head):
            return Header(Kind.RESPONSE, CONNECT_KEY, "", roles.REPLY)
        if handshake.connect_response(head) or (side.from_start and len(head) < 20):
            return Header(Kind.RESPONSE, CONNECT_KEY, "", roles.CONNECT_RESPONSE)
        return None

    def describe(self, message: MessageBytes) -> Summary:
        return _DESCRIBE[message.header.context](message)

    def dissect(self, message: MessageBytes) -> Sequence[Field]:
        data, start, end, view = message.data, message.start, message.end, message.view
        role = message.header.context
        if role is roles.WORD:
            return words.dissect_word(data, start, end, view)
        if role is roles.WORD_REPLY:
            return words.dissect_reply(data, start, end, message.length, view)
        made: list[Field] = []
        wide = role.after == 12
        if role is roles.BLOCK:
            layout = layouts.BLOCK
        elif role is roles.CONNECT_REQUEST:
            layout = layouts.CONNECT_REQUEST
        elif role is roles.CONNECT_RESPONSE:
            layout = layouts.CONNECT_RESPONSE
        elif role.name == "event":
            layout = layouts.WIDE_EVENT if wide else layouts.WATCH_EVENT
        elif role.name == "request":
            code = requests.code_of(message) or 0
            layout = layouts.wide_request(code) if wide else layouts.REQUESTS.get(code, layouts.UNKNOWN_REQUEST)
            if code in t.SINCE:
                made.append(generated(layouts.SINCE, t.SINCE[code], at=start, view=view))
        else:
            layout = _reply_layout(message, made)
        out = read(layout, data, start, end, view=view, want=message.length)
        out += made
        out += [generated(layouts.NOTE, note, at=start, view=view) for note in _notes(message, out)]
        return out


_DESCRIBE = {
    roles.REQUEST: summary.request, roles.REPLY: summary.reply, roles.EVENT: summary.event, roles.CONNECT_REQUEST: summary.connect_request,
    roles.REQUEST_64: summary.request, roles.REPLY_64: summary.reply, roles.EVENT_64: summary.event,
    roles.CONNECT_RESPONSE: summary.connect_response, roles.WORD: summary.word_request, roles.WORD_REPLY: summary.word_reply, roles.BLOCK: summary.block,
}


def _variant(side: Side) -> handshake.Variant:
    """What the handshake of a connection settled."""
    return handshake.variant(side.opening if side.from_client else side.peer_opening)


def _variant_header(data: bytes, start: int, end: int, side: Side, session: Session) -> Header:
    """The header of a message of ClickHouse Keeper's versions of the protocol."""
    if session.variant.compressed:
        return Header(Kind.EVENT, None, "", roles.BLOCK)
    if end - start < 12:
        kind, role = (Kind.REQUEST, roles.REQUEST_64) if side.from_client else (Kind.RESPONSE, roles.REPLY_64)
        return Header(kind, None, "", role)
    xid = _I64(data, start + 4)[0]
    if not side.from_client:
        return Header(Kind.EVENT, None, "notification", roles.EVENT_64) if xid == t.NOTIFICATION else Header(Kind.RESPONSE, xid, "", roles.REPLY_64)
    if end - start < 16:
        return Header(Kind.REQUEST, None, "", roles.REQUEST_64)
    xid, code = _REQUEST_64(data, start + 4)
    return Header(Kind.REQUEST, t.PING_XID if code == t.PING else xid, t.operation(code), roles.REQUEST_64)


def _reply_layout(message: MessageBytes, made: list[Field]) -> Layout:
    """The layout of a reply, by its request; what is known beside its bytes goes to `made`."""
    data, start, view = message.data, message.start, message.view
    after = message.header.context.after
    wide = after == 12
    if message.end - start < after + 12:
        return layouts.wide_reply(-1, False) if wide else layouts.UNKNOWN_REPLY
    xid, code = int.from_bytes(data[start + 4:start + after], "big", signed=True), _I32(data, start + after + 8)[0]
    peer = message.peer
    asked = requests.code_of(peer)
    if code:
        found = t.error(code)
        fault = "the server's" if found.status == "server_error" else "the client's"
        soft = ", a normal outcome here" if (asked, code) in t.SOFT else ""
        made.append(generated(layouts.ERR_CLASS, str(found.status), f"{found.name}: {found.meaning} ({fault} side{soft})", start, view))
    if asked is not None and peer is not None:
        made.append(generated(layouts.OPCODE, asked, at=start, view=view))
        paths = requests.targets(asked, peer) if asked not in NO_PATH else ()
        if paths:
            made.append(generated(layouts.PATH, paths[0], at=start, view=view))
        if wide:
            return layouts.wide_reply(asked, bool(code))
        return (layouts.FAILED_REPLIES if code else layouts.REPLIES).get(asked, layouts.UNKNOWN_REPLY)
    if wide:
        return layouts.wide_reply(-1, bool(code))
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


def _given_up(multi: Field) -> bool:
    """Whether a transaction could not be read to its end, because it has an operation whose layout is not known."""
    return bool(multi.fields) and any(one.spec is layouts.UNKNOWN for one in walk(multi.fields[-1:]))


def _notes(message: MessageBytes, found: Sequence[Field]) -> list[str]:
    """What is unusual about the message, or tells about its sender."""
    values = {one.spec: one for one in found if one.length or one.value is None}
    notes = []
    if message.length - 4 > MAX_BUFFER:
        notes.append(f"longer than the default limit of {MAX_BUFFER:,} bytes (jute.maxbuffer)")
    if layouts.TRAILING in values:
        notes.append(f"{t.sized(values[layouts.TRAILING].length)} after the record")
    role = message.header.context
    if role is roles.CONNECT_REQUEST and message.complete and layouts.PASSWORD in values:
        if layouts.READ_ONLY not in values:
            notes.append("no read-only flag: a client of 3.3 or older, or one that does not know it (Go, Node)")
        if values[layouts.SESSION].value == 0 and any(message.data[values[layouts.SESSION].end + 4:values[layouts.SESSION].end + 20]):
            notes.append("a password without a session")
    elif role is roles.CONNECT_RESPONSE and layouts.TIMEOUT in values and values[layouts.TIMEOUT].value == 0:
        notes.append("the session has expired, or its password is wrong; the server closes the connection")
    elif role.name == "event" and layouts.ZXID in values and values[layouts.ZXID].value > 0:
        notes.append("an event with a zxid: the server is ZooKeeper 3.9 or newer")
    elif role.name == "reply" and layouts.ERR in values and values[layouts.ERR].value and message.end - message.start > role.after + 12:
        notes.append("a body behind an error")
    if layouts.OPCODE in values and values[layouts.OPCODE].value not in t.OPERATIONS:
        notes.append(f"operation {values[layouts.OPCODE].value} has no name here: its body is shown as bytes")
    if layouts.MULTI in values and message.complete:
        if _given_up(values[layouts.MULTI]):
            notes.append("an operation without a layout here: what follows it is shown as bytes")
        elif not _terminated(values[layouts.MULTI]):
            notes.append("the transaction is not terminated")
    return notes
