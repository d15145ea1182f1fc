"""The words for a message: operation, what it works on, outcome, and the line in the Info column, read straight from its bytes.

No fields are made: a cursor steps over the parts that a command begins with. Where the bytes end early, the words end there.
"""
from __future__ import annotations

import struct

from protocols.decoder import MessageBytes, Status, Summary
from protocols.engine.cursor import Cursor
from protocols.iggy import commands as c
from protocols.iggy import errors, frames, vsr
from protocols.iggy.generation import layout_for
from protocols.iggy.kinds import sized
from protocols.iggy.layouts import VSR
from protocols.iggy.messages import BATCH_HEADER, FRAME_HEADER
from protocols.iggy.parts import NEVER, PARTITIONINGS, STRATEGIES, version

__all__ = ["frame", "reply", "request"]

_U32, _U64 = (struct.Struct(code).unpack_from for code in ("<I", "<Q"))
SHOWN = 200
TRIED_MOST = 4096
"""Bytes of a request up to which the layouts are tried for its words."""
ARROW = "←"


class Words(Cursor):
    """What Iggy's messages are made of."""

    __slots__ = ()

    def u8(self) -> int:
        return self.data[self.skip(1)]

    def u32(self) -> int:
        return int(_U32(self.data, self.skip(4))[0])

    def u64(self) -> int:
        return int(_U64(self.data, self.skip(8))[0])

    def name(self) -> str:
        count = self.u8()
        at = self.skip(count)
        return str(self.data[at:at + count], "utf-8", "replace")

    def text(self) -> str:
        count = self.u32()
        at = self.skip(count)
        return str(self.data[at:at + count], "utf-8", "replace")

    def identifier(self) -> str:
        """A name, or a number as `#1`."""
        kind = self.u8()
        if kind == 1:
            if self.u8() != 4:
                raise ValueError("a numeric identifier of another length than 4")
            return f"#{self.u32()}"
        if kind != 2:
            raise ValueError(f"identifier kind {kind}")
        return self.name()


class Asked:
    """What a request says, as far as its bytes go: the resource's parts, who consumes, and details for the line."""

    __slots__ = ("details", "domain", "partition", "path")

    def __init__(self) -> None:
        self.path: list[str] = []
        self.domain = ""
        self.partition = ""
        self.details: list[str] = []

    @property
    def endpoint(self) -> str:
        """The consumer or group that asks; where nobody is named, the stream and topic."""
        return self.domain or "/".join(self.path[:2])

    @property
    def target(self) -> str:
        return "/".join([*self.path, *([self.partition] if self.partition else [])])


def _read(code: int, generation: int, cursor: Words) -> Asked:
    """What a request of `generation` says; raises nothing."""
    asked = Asked()
    try:
        _lead(c.BY_CODE[code].lead if code in c.BY_CODE else "", generation, cursor, asked)
        _details(code, generation, cursor, asked)
    except ValueError:
        asked.details.append("…")
    return asked


def _lead(lead: str, generation: int, cursor: Words, asked: Asked) -> None:
    for letter in lead:
        if letter == "L":
            if generation > 1:
                cursor.u32()
        elif letter in "ST":
            asked.path.append(cursor.identifier())
        elif letter in "GU":
            asked.domain = cursor.identifier()
            asked.path.append(asked.domain)
        elif letter == "N":
            asked.path.append(cursor.name())
        elif letter == "C":
            kind = "group" if cursor.u8() == 2 else "consumer"
            asked.domain = f"{kind} {cursor.identifier()}"
        elif letter == "P":
            given = cursor.u8() if generation > 2 else 1
            number = cursor.u32()
            if given:
                asked.partition = str(number)
        else:
            break


def _details(code: int, generation: int, cursor: Words, asked: Asked) -> None:
    say = asked.details.append
    if code == c.POLL:
        kind, value = cursor.u8(), cursor.u64()
        strategy = STRATEGIES.get(kind, f"strategy {kind}") + (f" {value}" if kind < 3 else "")
        say(f"{strategy} x{cursor.u32()}")
        if cursor.u8():
            say("auto-commit")
        say(asked.domain)
    elif code == c.SEND:
        _partitioning(cursor, asked)
        count = cursor.u32() if generation > 1 else _old_messages(cursor.data, cursor.at, cursor.end)
        say(f"{count} {'msg' if count == 1 else 'msgs'}")
        say(sized(max(0, cursor.end - cursor.at - (16 * count if 1 < generation < VSR else 0))))
    elif code in (c.GET_OFFSET, c.STORE_OFFSET, c.DELETE_OFFSET):
        if code == c.STORE_OFFSET:
            say(f"= {cursor.u64()}")
        say(asked.domain)
    elif code == c.FLUSH:
        asked.partition = str(cursor.u32())
        if cursor.u8():
            say("fsync")
    elif code == c.LOGIN:
        cursor.skip(cursor.u8())
        asked.domain = asked.path[0] if asked.path else ""
        if sdk := cursor.text():
            say(f"v{sdk}")
    elif code in (c.LOGIN_REGISTER, c.TOKEN_REGISTER):
        protocol, name, sdk = cursor.u32(), cursor.name(), cursor.name()
        if code == c.LOGIN_REGISTER:
            asked.path.append(cursor.name())
        asked.domain = asked.path[0] if asked.path else ""
        say(f"{name} {sdk}, protocol {version(protocol).split()[0]}")
    elif code == c.CREATE_STREAM:
        _id(generation, cursor, asked)
        asked.path.append(cursor.name())
    elif code in (c.CREATE_TOPIC, c.CREATE_GROUP):
        _id(generation, cursor, asked)
        if code == c.CREATE_TOPIC:
            say(f"x{cursor.u32()}")
            if generation != VSR:
                cursor.skip(18)
        name = cursor.name()
        asked.path.append(name)
        if code == c.CREATE_GROUP:
            asked.domain = name
    elif code == c.UPDATE_TOPIC:
        if generation != VSR:
            cursor.skip(18)
        say(f"→ {cursor.name()}")
    elif code == c.UPDATE_STREAM:
        say(f"→ {asked.path.pop()}")
    elif code in (c.CREATE_PARTITIONS, c.DELETE_PARTITIONS):
        say(f"x{cursor.u32()}")
    elif code == c.DELETE_SEGMENTS:
        asked.partition = str(cursor.u32())
        say(f"x{cursor.u32()}")
    elif code == c.CLIENT:
        asked.path.append(str(cursor.u32()))
    elif code == c.CREATE_TOKEN:
        value = cursor.u64()
        say("never expires" if value in (0, NEVER) else f"expires after {value / 1e6:g} s")
    elif code == c.OPTIONS:
        say({1: "topic", 2: "stream", 3: "user"}.get(cursor.u8(), "unknown scope"))


def _old_messages(data: bytes, at: int, end: int) -> int:
    """How many messages of 0.4 stand between `at` and `end`: id, user headers and payload each with a length."""
    count = 0
    while at < end:
        for fixed in (16, 0):
            at += fixed
            if at + 4 > end:
                raise ValueError("cut off inside a message")
            at += 4 + int(_U32(data, at)[0])
        count += 1
    return count


def _id(generation: int, cursor: Words, asked: Asked) -> None:
    """The number that requests to create something began with before 0.6."""
    if generation < 3:
        number = cursor.u32()
        if number:
            asked.details.append(f"as #{number}")


def _partitioning(cursor: Words, asked: Asked) -> None:
    kind, count = cursor.u8(), cursor.u8()
    at = cursor.skip(count)
    if kind == 2 and count == 4:
        asked.partition = str(_U32(cursor.data, at)[0])
    elif kind == 3:
        asked.details.append(f"key {cursor.data[at:at + min(count, 24)].hex()}")
    else:
        asked.details.append(PARTITIONINGS.get(kind, f"partitioning {kind}"))


def _line(op: str, asked: Asked) -> str:
    place = "/".join(asked.path)[:SHOWN] + (f" p{asked.partition}" if asked.partition else "")
    return " ".join(part for part in (op, place, *asked.details) if part)


# classic

def _asked(message: MessageBytes) -> Asked:
    """What a classic request says."""
    note = message.header.context
    data, start, end = message.data, message.start, message.end
    open_question = note.code in frames.TELLING and len(note.session.generations) > 1 and end - start <= TRIED_MOST
    generation = layout_for(note.session, note.code, True, data, start + 8, end, open_question and message.complete)[0]
    return _read(note.code, generation, Words(data, start + 8, end))


def request(message: MessageBytes) -> Summary:
    """The words for a classic request."""
    note = message.header.context
    if message.end - message.start < 8:
        return Summary(info="request without a whole head")
    op = message.header.op
    asked = _asked(message)
    return Summary(op, asked.target, asked.endpoint, str(note.number), info=_line(op, asked))


def reply(message: MessageBytes) -> Summary:
    """The words for a classic reply."""
    note, data, start = message.header.context, message.data, message.start
    if message.end - start < 8:
        return Summary(info="reply without a whole head")
    status = int(_U32(data, start)[0])
    if message.header.kind == "event":
        found = errors.error(status)
        info = f"server stops: {found.name} ({status}), asked by no one"
        return Summary("server stops", code=status, status=found.status, error=found.name, info=info, soft=True)
    peer = message.peer
    code = peer.header.context.code if peer is not None else None
    op = peer.header.op if peer is not None else ""
    number = str(peer.header.context.number) if peer is not None else str(note.number)
    asked = _asked(peer) if peer is not None and peer.end - peer.start >= 8 else Asked()
    return _outcome(op, asked, code, note.session.generation, status, Words(data, start + 8, message.end), number, message.complete)


def _outcome(op: str, asked: Asked, code: int | None, generation: int, status: int, cursor: Words, number: str, complete: bool) -> Summary:
    """The words for a reply with `status`, whose payload, in the layout of `generation`, the cursor stands at."""
    found = errors.error(status)
    place = "/".join(asked.path)[:SHOWN] + (f" p{asked.partition}" if asked.partition else "")
    said = f"{found.name} ({status})" if status else "ok"
    if not status:
        try:
            said = " ".join(part for part in (said, _result(code, generation, cursor, complete)) if part)
        except ValueError:
            said += ", cut off" if not complete else ""
    info = " ".join(part for part in (op or "reply", place, ARROW, said) if part)
    return Summary(op, asked.target, asked.endpoint, number, found.status, status, found.name if status else "", info)


_LISTS = frozenset({c.CLIENTS, c.USERS, c.TOKENS, c.STREAMS, c.TOPICS, c.GROUPS})


def _result(code: int | None, generation: int, cursor: Words, complete: bool) -> str:
    """What a reply brought, in a few words."""
    size = cursor.end - cursor.at
    if not size and complete:
        return "not found" if code in frames.GETS else "none" if code in _LISTS else ""
    if code in (c.LOGIN, c.TOKEN_LOGIN, c.LOGIN_REGISTER, c.TOKEN_REGISTER):
        return f"user #{cursor.u32()}"
    if code == c.POLL:
        return _polled(cursor, generation)
    if code == c.GET_OFFSET:
        partition, current, stored = cursor.u32(), cursor.u64(), cursor.u64()
        return f"p{partition} {current}/{stored}"
    if code in (c.STREAM, c.CREATE_STREAM):
        number, _, topics, _, messages = cursor.u32(), cursor.u64(), cursor.u32(), cursor.u64(), cursor.u64()
        return f"#{number}, {topics} topics, {messages} msgs"
    if code in (c.TOPIC, c.CREATE_TOPIC):
        number, _, partitions = cursor.u32(), cursor.u64(), cursor.u32()
        return f"#{number}, {partitions} partitions"
    if code in (c.GROUP, c.CREATE_GROUP):
        number, partitions, members = cursor.u32(), cursor.u32(), cursor.u32()
        return f"#{number}, {members} members, {partitions} partitions"
    if code == c.SEND:
        count = cursor.u32()
        if not count:
            return ""
        cursor.skip(8)
        return f"p{cursor.u32()} from offset {cursor.u64()}" + (f" and {count - 1} more" if count > 1 else "")
    return sized(size)


def _polled(cursor: Words, generation: int) -> str:
    """How many messages a poll brought, and their offsets."""
    partition, current, count = cursor.u32(), cursor.u64(), cursor.u32()
    words = f"p{partition} {count} {'msg' if count == 1 else 'msgs'}"
    if not count:
        return f"{words}, current offset {current}"
    at = cursor.at
    if generation == VSR:
        cursor.skip(BATCH_HEADER + FRAME_HEADER)
        first = int(_U64(cursor.data, at + 8)[0]) + int(_U32(cursor.data, at + BATCH_HEADER + 24)[0])
    else:
        cursor.skip(32)
        first = int(_U64(cursor.data, at + (24 if generation > 1 else 0))[0])
    return f"{words} offsets {first}..{first + count - 1}"


# VSR

def _frame_asked(message: MessageBytes) -> Asked:
    code = message.header.context.code
    return _read(code, VSR, Words(message.data, message.start + vsr.HEADER, message.end))


def frame(message: MessageBytes) -> Summary:
    """The words for a VSR frame."""
    data, start, end = message.data, message.start, message.end
    found = vsr.frame(data, start, end)
    if end - start < vsr.HEADER:
        return Summary(message.header.op, info="VSR frame without a whole header")
    name = vsr.COMMANDS.get(found.command, f"VSR command {found.command}")
    if found.command == vsr.REQUEST:
        asked = _frame_asked(message)
        return Summary(message.header.op, asked.target, asked.endpoint, str(found.number), info=_line(message.header.op, asked))
    if found.command in (vsr.REPLY, vsr.EVICTION):
        return _frame_reply(message, found)
    operation = c.OPERATIONS.get(found.operation, f"operation {found.operation}")
    if found.command in (vsr.PREPARE, vsr.REPAIR_PREPARE, vsr.PREPARE_OK):
        op = int(_U64(data, start + (160 if found.command == vsr.PREPARE_OK else 176))[0])
        known = c.BY_OPERATION.get(found.operation)
        asked = _read(known.code, VSR, Words(data, start + vsr.HEADER, end)) if known is not None and found.command != vsr.PREPARE_OK else Asked()
        status = Status.OK if found.command == vsr.PREPARE_OK else None
        place = f" {asked.target}" if asked.target else ""
        return Summary(name, asked.target, asked.endpoint, str(op), status=status, info=f"{name} op {op} {operation}{place}")
    outcome = data[start + 255] if found.command in (27, 29) else 0
    words = (vsr.REGISTER_OUTCOMES if found.command == 27 else vsr.LOGOUT_OUTCOMES).get(outcome, f"outcome {outcome}") if outcome else ""
    status = None if message.header.kind != "response" else Status.SERVER_ERROR if outcome else Status.OK
    size = f" ({sized(end - start - vsr.HEADER)})" if end - start > vsr.HEADER else ""
    return Summary(name, status=status, error=words, info=f"{name}{size}" + (f": {words}" if words else ""))


def _frame_reply(message: MessageBytes, found: vsr.Frame) -> Summary:
    data, start, end, peer = message.data, message.start, message.end, message.peer
    asked = _frame_asked(peer) if peer is not None else Asked()
    op = peer.header.op if peer is not None else ""
    number = str(found.number) if found.command == vsr.REPLY else ""
    if found.command == vsr.EVICTION:
        reason = vsr.REASONS.get(found.reason, f"reason {found.reason}")
        place = "/".join(asked.path)[:SHOWN]
        info = " ".join(part for part in (op, place, ARROW, f"evicted: {reason} ({found.reason})") if part)
        return Summary(op or "eviction", asked.target, asked.endpoint, number, Status.CLIENT_ERROR, found.reason, reason, info)
    code = peer.header.context.code if peer is not None else None
    known = c.BY_OPERATION.get(c.REPLIED_AS.get(found.operation, found.operation))
    if code is None and known is not None:
        code, op = known.code, known.op
    status, at = found.status, start + vsr.HEADER
    if not status and vsr.has_results(found.operation, end - at) and end - at >= 4:
        status = frames.refusal(data, at, end)
        at += 4
    return _outcome(op, asked, code, VSR, status, Words(data, min(at, end), end), number, message.complete)
