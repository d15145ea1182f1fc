"""The words for a message: operation, what it works on, outcome, and the line in the Info column, read straight from its bytes.

No fields are made: a cursor steps over the parts that a command begins with. What is counted and filtered is read at once, the line only when somebody looks
at it. Where the bytes end early, the words end there and say so: an outcome that was not captured is none.
"""
from __future__ import annotations

import struct
from collections.abc import Callable

from protocols.decoder import MessageBytes, Status, Summary
from protocols.engine.fields import printable
from protocols.iggy import commands as c
from protocols.iggy import errors, frames, vsr
from protocols.iggy.asked import SHOWN, Asked, Words, read_request
from protocols.iggy.generation import layout_for
from protocols.iggy.kinds import sized
from protocols.iggy.layouts import VSR
from protocols.iggy.messages import BATCH_HEADER, FRAME_HEADER

__all__ = ["frame", "reply", "request"]

_U32, _U64 = (struct.Struct(code).unpack_from for code in ("<I", "<Q"))
TRIED_MOST, TEXT_MOST = 4096, 1024
"""Bytes of a request up to which the layouts are tried for its words."""
ARROW = "←"
KEPT = 1 << 14
"""Bytes of a message up to which its line is made when it is read: until then the message is kept."""


def _later(message: MessageBytes, line: Callable[[], str]) -> str | Callable[[], str]:
    """The line of the Info column: made when it is read, unless the message is too long to be kept for that."""
    return (lambda: printable(line())) if message.end - message.start <= KEPT else printable(line())


def _line(op: str, asked: Asked) -> str:
    return " ".join(part for part in (op, asked.place, *asked.details) if part)


# classic

def _asked(message: MessageBytes) -> Asked:
    """What a classic request says."""
    note = message.header.context
    data, start, end = message.data, message.start, message.end
    open_question = note.code in frames.TELLING and len(note.session.generations) > 1 and end - start <= TRIED_MOST
    generation = layout_for(note.session, note.code, True, data, start + 8, end, open_question and message.complete)[0]
    return read_request(note.code, generation, Words(data, start + 8, end), message.length - (end - start))


def request(message: MessageBytes) -> Summary:
    """The words for a classic request."""
    note = message.header.context
    if message.end - message.start < 8:
        return Summary(info="request without a whole head")
    op = message.header.op
    asked = _asked(message)
    return Summary(op, asked.target, asked.endpoint, str(note.number), info=printable(_line(op, asked)))


def reply(message: MessageBytes) -> Summary:
    """The words for a classic reply."""
    note, data, start = message.header.context, message.data, message.start
    if message.end - start < 8:
        return _headless(message)
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
    return _outcome(message, op, asked, code, note.session.generation, status, start + 8, number)


def _headless(message: MessageBytes) -> Summary:
    """The words for a reply of which too little is there to tell its outcome."""
    peer = message.peer
    asked = _asked(peer) if peer is not None and peer.end - peer.start >= 8 else Asked()
    op, number = (peer.header.op, str(peer.header.context.number)) if peer is not None else ("", "")
    return Summary(op, asked.target, asked.endpoint, number, info=f"{op or 'reply'} {ARROW} reply without a whole head")


def _outcome(message: MessageBytes, op: str, asked: Asked, code: int | None, generation: int, status: int | None, at: int, number: str) -> Summary:
    """The words for a reply with `status` (None: it was not captured), whose payload, in the layout of `generation`, starts at `at`."""
    data, end, complete = message.data, message.end, message.complete
    found = errors.error(status or 0)

    def line() -> str:
        said = f"{found.name} ({status})" if status else "ok" if status == 0 else "outcome cut off"
        if status == 0:
            try:
                said = " ".join(part for part in (said, _result(code, generation, Words(data, min(at, end), end), message)) if part)
            except ValueError:
                said += ", cut off" if not complete else ""
        return " ".join(part for part in (op or "reply", asked.place, ARROW, said) if part)
    told = str(data[at:end], "utf-8", "replace") if status and 0 < end - at <= TEXT_MOST and generation != VSR else ""
    return Summary(op, asked.target, asked.endpoint, number, found.status if status is not None else None, status, found.name if status else "",
                   _later(message, line), error_text=told if told.isprintable() else "")


_LISTS = frozenset({c.CLIENTS, c.USERS, c.TOKENS, c.STREAMS, c.TOPICS, c.GROUPS})


def _result(code: int | None, generation: int, cursor: Words, message: MessageBytes) -> str:
    """What a reply brought, in a few words."""
    size = cursor.end - cursor.at + message.length - (message.end - message.start)
    if not size:
        return "not found" if code in frames.GETS else "none" if code in _LISTS else ""
    if code in (c.LOGIN, c.TOKEN_LOGIN, c.LOGIN_REGISTER, c.TOKEN_REGISTER):
        return f"user #{cursor.u32()}"
    if code in (c.POLL, c.POLL_ON_PRIMARY):
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
    code, body = message.header.context.code, min(message.start + vsr.HEADER, message.end)
    return read_request(code, VSR, Words(message.data, body, message.end), message.length - (message.end - message.start))


def frame(message: MessageBytes) -> Summary:
    """The words for a VSR frame."""
    data, start, end = message.data, message.start, message.end
    found = vsr.frame(data, start, end)
    if end - start < vsr.HEADER:
        return _cut_frame(message)
    name = vsr.COMMANDS.get(found.command, f"VSR command {found.command}")
    if found.command == vsr.REQUEST:
        asked = _frame_asked(message)
        client = vsr.CLIENT.shown(found.client)
        return Summary(message.header.op, asked.target, asked.endpoint, str(found.number), info=printable(_line(message.header.op, asked)), client_id=client)
    if found.command in (vsr.REPLY, vsr.EVICTION):
        return _frame_reply(message, found)
    operation = c.OPERATIONS.get(found.operation, f"operation {found.operation}")
    if found.command in (vsr.PREPARE, vsr.REPAIR_PREPARE, vsr.PREPARE_OK):
        op = int(_U64(data, start + (160 if found.command == vsr.PREPARE_OK else 176))[0])
        known = c.BY_OPERATION.get(found.operation)
        asked = read_request(known.code, VSR, Words(data, start + vsr.HEADER, end)) if known is not None and found.command != vsr.PREPARE_OK else Asked()
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
    status: int | None = found.status
    at = start + vsr.HEADER
    if not status and vsr.has_results(found.operation, message.length - vsr.HEADER) and message.length - vsr.HEADER >= 4:
        status = frames.refusal(data, at, end) if message.complete or end - at >= 12 else None
        at += 4
    return _outcome(message, op, asked, code, VSR, status, at, number)


def _cut_frame(message: MessageBytes) -> Summary:
    """The words for a frame of which less than its header was captured; a reply keeps what its request says."""
    peer = message.peer if message.header.kind == "response" else None
    asked = _frame_asked(peer) if peer is not None else Asked()
    op = peer.header.op if peer is not None else message.header.op
    return Summary(op, asked.target, asked.endpoint, info="VSR frame without a whole header")
