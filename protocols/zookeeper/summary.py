"""The words for a ZooKeeper message: operation, paths, outcome and the line in the Info column, read straight from its bytes.

No fields are made: a cursor steps over what is not said. What is counted and filtered is read at once, the line only when somebody looks at it. Where the
bytes end early, the words end there and say so: an outcome that was not captured is none.
"""
from __future__ import annotations

import struct
from collections.abc import Callable

from protocols.decoder import MessageBytes, Status, Summary
from protocols.engine.fields import printable
from protocols.zookeeper import tables as t
from protocols.zookeeper import words
from protocols.zookeeper.handshake import WIDE
from protocols.zookeeper.jute import STAT_SIZE, Jute
from protocols.zookeeper.requests import CREATES, LISTS, SHOWN, TRANSACTIONS, arguments, code_of, named, targets

__all__ = ["connect_request", "connect_response", "event", "reply", "request", "request_targets", "word_reply", "word_request"]

KEPT = 1 << 14
"""Bytes of a message up to which its line is made when it is read: until then the message is kept."""

_XID_CODE, _XID_CODE_64 = struct.Struct(">ii").unpack_from, struct.Struct(">qi").unpack_from
_REPLY, _REPLY_64 = struct.Struct(">iqi").unpack_from, struct.Struct(">qqi").unpack_from


def _later(message: MessageBytes, line: Callable[[], str]) -> str | Callable[[], str]:
    """The line of the Info column: made when it is read, unless the message is too long to be kept for that."""
    return (lambda: printable(line())) if message.end - message.start <= KEPT else printable(line())


def endpoint(path: str) -> str:
    """The first two components of a path."""
    return "/".join(path.split("/", 3)[:3]) if path.startswith("/") else ""


def request(message: MessageBytes) -> Summary:
    """The words for a request with its header."""
    data, start = message.data, message.start
    after = message.header.context.after
    if message.end - start < after + 4:
        return Summary(op=message.header.op, info="request without a whole header")
    xid, code = (_XID_CODE if after == 8 else _XID_CODE_64)(data, start + 4)
    paths = targets(code, message)
    name = t.operation(code)

    def line() -> str:
        details, steps = arguments(code, message)
        parts = [name, named(code, paths, steps), details]
        return f"{' '.join(part for part in parts if part)}  xid={xid}"
    return Summary(name, paths, endpoint(paths[0]) if paths else "", str(xid), info=_later(message, line))


def request_targets(message: MessageBytes | None) -> tuple[str, ...]:
    """What a request works on, as `Summary.targets` says it; nothing where its bytes do not tell."""
    code = code_of(message)
    return targets(code, message) if code is not None and message is not None else ()


def reply(message: MessageBytes) -> Summary:
    """The words for a reply with its header; the operation is the request's."""
    data, start, end, peer = message.data, message.start, message.end, message.peer
    after = message.header.context.after
    asked = code_of(peer)
    paths = targets(asked, peer) if asked is not None and peer is not None else ()
    name = peer.header.op if peer is not None else ""
    place = endpoint(paths[0]) if paths else ""
    if end - start < after + 12:
        xid = str(int.from_bytes(data[start + 4:start + after], "big", signed=True)) if end - start >= after else ""
        return Summary(name, paths, place, xid, info=f"{name or 'reply'} ← reply without a whole header")
    xid_, zxid, code = (_REPLY if after == 8 else _REPLY_64)(data, start + 4)
    name = name or t.SPECIAL_XIDS.get(xid_, "")
    told: int | None = code
    if asked in TRANSACTIONS and code == 0:
        told = _outcome(asked, Jute(data, start + after + 12, end), message.complete)
    elif asked == t.ADD_WATCH and code == 0 and end - start >= after + 16:
        told = int.from_bytes(data[start + after + 12:start + after + 16], "big", signed=True)

    def line() -> str:
        details, steps = "", None
        if asked is not None and (code == 0 or asked == t.SASL):
            cursor = Jute(data, start + after + 12, end)
            try:
                details = _results(cursor) if asked in TRANSACTIONS else _brought(asked, paths[0] if paths else "", cursor)
            except ValueError:
                details = "cut off" if not message.complete else "malformed" if cursor.at < end else ""
            if peer is not None and (asked in TRANSACTIONS or asked in (t.SET_WATCHES, t.SET_WATCHES2)):
                words, steps = arguments(asked, peer)
                details = words if asked not in TRANSACTIONS else details
        outcome = "" if told is None else "OK" if told == 0 else f"{t.error(told).name} ({told})"
        place = named(asked, paths, steps) if asked is not None else ""
        parts = [name or "reply", "←", outcome, place, details, f"zxid={t.short_zxid(zxid)}" if told == 0 and zxid > 0 else ""]
        if not name:
            parts.append("(request not captured)")
        return f"{' '.join(part for part in parts if part)}  xid={xid_}"
    text = _later(message, line)
    if told == 0:
        return Summary(name, paths, place, str(xid_), Status.OK, 0, "", text)
    if told is None:
        return Summary(name, paths, place, str(xid_), info=text)
    found = t.error(told)
    return Summary(name, paths, place, str(xid_), found.status, told, found.name, text, (asked, told) in t.SOFT)


def _brought(asked: int, path: str, c: Jute) -> str:
    """What a reply brought in a few words; `path` is what was asked for."""
    if asked in CREATES:
        made = c.text()
        return f"→ {made[:SHOWN]}" if made != path else ""
    if asked in (t.GET_DATA, t.RECONFIG):
        size = max(0, c.blob())
        return f"{t.sized(size)} version={c.stat()[0]}"
    if asked in (t.EXISTS, t.SET_DATA, t.SET_ACL):
        version, size = c.stat()
        return f"version={version} {t.sized(size)}"
    if asked in LISTS:
        return f"{c.count()} children"
    if asked == t.LIST_RECURSIVE:
        return f"{c.count()} paths"
    if asked == t.GET_ACL:
        return f"{c.count()} ACLs"
    if asked == t.GET_EPHEMERALS:
        return f"{c.count()} ephemerals"
    if asked == t.GET_ALL_CHILDREN_NUMBER:
        return f"{c.i32()} nodes"
    if asked == t.WHO_AM_I:
        users: list[str] = []
        c.vector(lambda: users.append(f"{c.text()}:{c.text()}"))
        return ", ".join(users)[:SHOWN]
    return t.sized(max(0, c.blob())) if asked == t.SASL else ""


# the results of a transaction: where it failed, those before the fault are 0, "rolled back", those behind it -2, "not tried"

_STATED = frozenset({t.CREATE2, t.SET_DATA, t.GET_DATA, t.EXISTS, t.GET_CHILDREN2, t.FILTERED_LIST, t.LIST_WITH_DATA, t.GET_ACL})
_TEXTS = frozenset({t.CREATE, t.CREATE2, t.GET_DATA, t.CREATE_IF_NOT_EXISTS})
_NAMES = frozenset({*LISTS, t.LIST_RECURSIVE})
_EMPTY = frozenset({t.DELETE, t.CHECK, t.CHECK_NOT_EXISTS, t.REMOVE_RECURSIVE, t.CHECK_STAT, t.TRY_REMOVE})


def _each_result(c: Jute, found: Callable[[int, int], object]) -> bool:
    """Hand each result, its operation and its error, to `found`; False where one is of an operation that is not known: what follows cannot be read."""
    while c.at < c.end:
        kind, done, code = c.i32(), c.bool(), c.i32()
        if done:
            return True
        found(kind, code)
        if kind == -1:
            c.skip(4)
        elif not code:
            if kind in _TEXTS:
                c.blob()
            elif kind in _NAMES:
                c.vector(c.blob)
            elif kind == t.GET_ACL:
                c.vector(c.acl)
            elif kind not in _EMPTY and kind not in _STATED:
                return False
            if kind in _STATED:
                c.skip(STAT_SIZE)
            if kind == t.LIST_WITH_DATA:
                c.skip(STAT_SIZE * c.count())
                c.vector(c.blob)
    return True


def _outcome(asked: int, c: Jute, complete: bool) -> int | None:
    """The first error of a transaction's results, 0 without one; None where the results that would tell were not captured."""
    results: list[tuple[int, int]] = []
    try:
        _each_result(c, lambda *result: results.append(result))
    except ValueError:
        pass
    failed = next((code for _, code in results if code), 0)
    if failed or complete or (asked == t.MULTI and results and results[0][0] != -1):   # of a multi that failed every result is an error
        return failed
    return None


def _results(c: Jute) -> str:
    """How many results a transaction has, and which of them is its fault. Raises ValueError where they are cut off."""
    errors: list[int] = []
    whole = _each_result(c, lambda _, code: errors.append(code))
    at_fault = next((number for number, code in enumerate(errors, 1) if code), 0)
    if at_fault:
        return f"operation {at_fault} of {len(errors)} failed"
    return f"{len(errors)} results" if whole else f"{len(errors)} results or more, the last of an unknown operation"


def event(message: MessageBytes) -> Summary:
    """The words for a watch event."""
    after = message.header.context.after
    c = Jute(message.data, message.start + after, message.end)
    xid = "-1"
    try:
        zxid = c.i64()
        c.skip(4)
        kind, state, path = c.i32(), c.i32(), c.text()
    except ValueError:
        return Summary("notification", id=xid, info="notification, " + ("malformed" if message.complete else "cut off"))
    said = ["notification", t.EVENTS.get(kind, f"unknown event {kind}"), t.STATES.get(state, f"unknown state {state}"), path[:SHOWN]]
    if zxid > 0:
        said.append(f"zxid={t.short_zxid(zxid)}")
    return Summary("notification", path, endpoint(path), xid, info=" ".join(word for word in said if word))


def connect_request(message: MessageBytes) -> Summary:
    """The words for a ConnectRequest."""
    c = Jute(message.data, message.start + 4, message.end)
    words = ["connect"]
    try:
        version = c.i32()
        c.skip(9 if version >= WIDE else 8)
        words.append(f"timeout={c.i32()} ms")
        session = c.i64() & 0xFFFFFFFFFFFFFFFF
        words.append(f"session=0x{session:x}" if session else "new session")
        if version:
            words.append(f"version={version}")
        c.blob()
        if c.at < c.end and c.bool():
            words.append("read-only allowed")
    except ValueError:
        words.append("cut off" if not message.complete else "malformed")
    return Summary("connect", info=" ".join(words))


def connect_response(message: MessageBytes) -> Summary:
    """The words for a ConnectResponse; a time-out of 0 says that the session has expired."""
    c = Jute(message.data, message.start + 8, message.end)
    name = "createSession" if message.header.key == "createSession" else "connect"
    try:
        timeout, session = c.i32(), c.i64() & 0xFFFFFFFFFFFFFFFF
    except ValueError:
        return Summary(name, info=f"{name} ← " + ("malformed" if message.complete else "cut off"))
    if timeout <= 0:
        expired = t.ERRORS[-112]
        return Summary(name, status=expired.status, code=-112, error=expired.name, info=f"{name} ← {expired.name} (the session is not known any more)")
    words = f"{name} ← OK session=0x{session:x} timeout={timeout} ms"
    try:
        c.blob()
        if c.at < c.end and c.bool():
            words += " from a read-only server"
    except ValueError:
        words += " cut off"
    return Summary(name, status=Status.OK, code=0, info=words)


def word_request(message: MessageBytes) -> Summary:
    found = message.data[message.start:message.start + 4]
    name = words.name(found) if found in words.WORDS else ""
    return Summary(name, info=f"{name} ({words.WORDS.get(found, '')})")


def word_reply(message: MessageBytes) -> Summary:
    text = message.data[message.start:message.end]
    status, error = words.outcome(text)
    peer = message.peer
    name = peer.header.op if peer is not None else ""
    said = f"{error}: {words.first_line(text)}" if error else words.first_line(text)
    if not message.complete:
        said += ", cut off"
    told = None if not error and not message.complete else status     # what is left of a text may be a refusal's beginning
    return Summary(name, status=told, error=error, info=printable(f"{name} ← {said} ({t.sized(message.length)})"))


def block(message: MessageBytes) -> Summary:
    """The words for a compressed block of ClickHouse Keeper's."""
    return Summary(info=f"compressed messages ({t.sized(message.length)})")
