"""The Iggy decoder: both framings, and the way into the rest.

Classic: a request is length and command, a reply status and length; the server answers a connection in order. VSR: 256-byte headers both ways, which name
client, request number and operation. Which framing a connection has is told from its opening bytes, once a side.
"""
from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any, NamedTuple

from protocols.decoder import Decoder, Framing, Header, Kind, Match, MessageBytes, Opening, Side, Summary
from protocols.engine.fields import Field, Spec
from protocols.iggy import commands, frames, recognise, summary, vsr
from protocols.iggy.generation import TELLING, TELLING_REPLIES, Session

__all__ = ["Iggy"]

_HEAD = struct.Struct("<II").unpack_from
CLASSIC_KEY = "in order"
DISCONNECTED = 8
ASKED_MOST = 4096
REQUESTS = Framing(offset=0, size=4, order="little", add=4, head=recognise.HEAD, least=4, most=recognise.MOST)
REPLIES = Framing(offset=4, size=4, order="little", add=8, head=recognise.HEAD, least=8, most=recognise.MOST)
FRAMES = Framing(offset=48, size=4, order="little", add=0, head=128, least=vsr.HEADER, most=vsr.MOST)


class Role(Enum):
    """How a message is to be read."""

    REQUEST = "request"
    REPLY = "reply"
    FRAME = "VSR frame"


class Note(NamedTuple):
    """How to read a message: its role, the command (of a classic reply: of the request that it answers, as far as order tells; -1 unknown), its place among
    the messages of its direction, and what is known of the connection."""

    role: Role
    code: int
    number: int
    session: Session


class Iggy(Decoder):
    name = "iggy"
    title = "Apache Iggy"
    column = "Iggy"
    ports = recognise.PORTS
    framing = REQUESTS

    def specs(self) -> Iterable[Spec]:
        return frames.specs()

    def recognise(self, opening: Opening) -> Match | None:
        return recognise.recognise(opening)

    def session(self) -> Session:
        return Session()

    def framing_for(self, side: Side) -> Framing:
        if recognise.is_vsr(side.opening, side.peer_opening):
            return FRAMES
        return REQUESTS if side.from_client else REPLIES

    def accepts(self, head: bytes, side: Side) -> bool:
        if recognise.is_vsr(side.opening, side.peer_opening):
            return vsr.looks_like(head)
        return recognise.request_like(head) if side.from_client else recognise.reply_like(head)

    def header(self, data: bytes, start: int, end: int, side: Side, session: Session) -> Header:
        if session.vsr is None:
            session.vsr = recognise.is_vsr(side.opening, side.peer_opening)
        if session.vsr:
            return _vsr_header(data, start, end, side, session)
        if end - start < 8:
            kind, role = (Kind.REQUEST, Role.REQUEST) if side.from_client else (Kind.RESPONSE, Role.REPLY)
            return Header(kind, CLASSIC_KEY, "", Note(role, -1, 0, session))
        session.number[side.from_client] += 1
        number = session.number[side.from_client]
        if side.from_client:
            length, code = _HEAD(data, start)
            session.waiting.append(code)
            if code == commands.LOGIN:
                session.login(data, start + 8, min(end, start + 4 + length))
            elif code in TELLING and length + 4 <= end - start:
                session.learn(code, True, data, start + 8, start + 4 + length)
            found = commands.BY_CODE.get(code)
            return Header(Kind.REQUEST, CLASSIC_KEY, found.op if found else commands.operation(code), Note(Role.REQUEST, code, number, session))
        status, length = _HEAD(data, start)
        if not session.waiting:
            kind = Kind.EVENT if status == DISCONNECTED and not length else Kind.RESPONSE
            return Header(kind, CLASSIC_KEY, "server stops" if kind is Kind.EVENT else "", Note(Role.REPLY, -1, number, session))
        code = session.waiting.popleft()
        if code in TELLING_REPLIES and not status and 16 < length <= end - start - 8:
            session.learn(code, False, data, start + 8, start + 8 + length)
        return Header(Kind.RESPONSE, CLASSIC_KEY, "", Note(Role.REPLY, code, number, session))

    def describe(self, message: MessageBytes) -> Summary:
        note = message.header.context
        return summary.frame(message) if note.role is Role.FRAME else summary.request(message) if note.role is Role.REQUEST else summary.reply(message)

    def dissect(self, message: MessageBytes) -> Sequence[Field]:
        role = message.header.context.role
        return frames.frame(message) if role is Role.FRAME else frames.request(message) if role is Role.REQUEST else frames.reply(message)


# VSR

_ANSWERS = {vsr.PREPARE_OK: vsr.PREPARE, 2: 1, 4: 3, 15: 14, 20: 18, 21: 18, 23: 22, 25: 24, 27: 26, 29: 28}
"""Frames between replicas that answer others: command -> what it answers."""
_ASKS = frozenset(_ANSWERS.values())
_KEYS: dict[int, tuple[slice, ...]] = {
    vsr.PREPARE: (slice(176, 184), slice(216, 224)), vsr.PREPARE_OK: (slice(160, 168), slice(200, 208)),
    18: (slice(128, 144),), 20: (slice(128, 144),), 21: (slice(128, 144),), 22: (slice(128, 144),), 23: (slice(128, 144),), 24: (slice(128, 152),),
    25: (slice(128, 152),), 26: (slice(144, 160),), 27: (slice(128, 144),), 28: (slice(144, 160),), 29: (slice(128, 144),),
}
"""Where in the header stands what both frames have in common."""


def _vsr_header(data: bytes, start: int, end: int, side: Side, session: Session) -> Header:
    session.number[side.from_client] += 1
    found = vsr.frame(data, start, end)
    note = Note(Role.FRAME, -1, session.number[side.from_client], session)
    if end - start < vsr.HEADER:
        return Header(Kind.EVENT, None, vsr.COMMANDS.get(found.command, "") if end - start > 60 else "", note)
    command = found.command
    if command == vsr.REQUEST:
        code = frames.code_of(data, start, end, found)
        key: tuple[Any, ...] = (found.client, found.number, found.operation)
        session.open.append(key)
        kind = Kind.ONEWAY if code == commands.CANCEL_DEFERRED else Kind.REQUEST
        return Header(kind, key, frames.operation_of(found, code), note._replace(code=code))
    if command == vsr.REPLY:
        key = _question(session, (found.client, found.number, commands.REPLIED_AS.get(found.operation, found.operation)))
        _answered(session, key)
        return Header(Kind.RESPONSE, key, "", note)
    if command == vsr.EVICTION:
        evicted = next((one for one in session.open if one[0] == found.client), session.open[0] if session.open else None)
        if evicted is None:
            return Header(Kind.EVENT, None, "eviction", note)
        _answered(session, evicted)
        return Header(Kind.RESPONSE, evicted, "", note)
    name = vsr.COMMANDS.get(command, f"VSR command {command}")
    asked = _ANSWERS.get(command)
    if asked is None and command not in _ASKS:
        return Header(Kind.EVENT, None, name, note)
    key = (asked or command, *(data[start + part.start:start + part.stop] for part in _KEYS.get(command, ())))
    if asked is None:
        session.asked[key] = None
        if len(session.asked) > ASKED_MOST:
            del session.asked[next(iter(session.asked))]
        return Header(Kind.ONEWAY, key, name, note)
    if key in session.asked:
        return Header(Kind.RESPONSE, key, "", note)
    return Header(Kind.EVENT, None, name, note)  # what it answers went over another connection: replicas pass prepares on in a chain


def _question(session: Session, key: tuple[Any, ...]) -> tuple[Any, ...]:
    """The key of the request that a reply answers. Replies to sends and early refusals carry other clients or request numbers than their requests."""
    if key in session.open:
        return key
    same = next((one for one in session.open if one[1:] == key[1:]), None) or next((one for one in session.open if one[2] == key[2]), None)
    return same or key


def _answered(session: Session, key: tuple[Any, ...]) -> None:
    """Take a key off the requests that wait; those before it were passed over: the server drops some frames without a word."""
    if key in session.open:
        while session.open.popleft() != key:
            pass
