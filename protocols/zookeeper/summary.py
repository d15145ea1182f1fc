"""The words for a ZooKeeper message: operation, path, outcome and the line in the Info column, read straight from its bytes.

No fields are made: a cursor steps over what is not said. Where the bytes end early, the words end there.
"""
from __future__ import annotations

import struct
from collections.abc import Callable

from protocols.decoder import MessageBytes, Status, Summary
from protocols.engine.cursor import Cursor
from protocols.zookeeper import tables as t
from protocols.zookeeper import words

_I8, _I32, _I64 = (struct.Struct(code).unpack_from for code in (">b", ">i", ">q"))
STAT_SIZE = 68
SHOWN_STEPS = 3
SHOWN = 200


class Jute(Cursor):
    """What ZooKeeper's records are made of."""

    __slots__ = ()

    def bool(self) -> bool:
        return self.data[self.skip(1)] != 0

    def i32(self) -> int:
        return int(_I32(self.data, self.skip(4))[0])

    def i64(self) -> int:
        return int(_I64(self.data, self.skip(8))[0])

    def blob(self) -> int:
        """Step over a buffer; its length, -1 for null."""
        count = self.i32()
        self.skip(max(0, count) if count >= -1 else count)
        return count

    def text(self) -> str:
        """A string, "" for null."""
        count = self.i32()
        start = self.skip(max(0, count) if count >= -1 else count)
        return str(self.data[start:self.at], "utf-8", "replace")

    def vector(self, step: Callable[[], object]) -> int:
        """Step over a vector; how many elements it has, -1 for null."""
        count = self.i32()
        if count > (self.end - self.at) // 4:
            raise ValueError(f"a count of {count}")
        for _ in range(count):
            step()
        return count

    def acl(self) -> None:
        self.skip(4)
        self.blob()
        self.blob()

    def stat(self) -> tuple[int, int]:
        """A Stat: data version and data length."""
        at = self.skip(STAT_SIZE)
        return int(_I32(self.data, at + 32)[0]), int(_I32(self.data, at + 52)[0])


def endpoint(path: str) -> str:
    """The first two components of a path."""
    return "/".join(path.split("/", 3)[:3]) if path.startswith("/") else ""


def request(message: MessageBytes) -> Summary:
    """The words for a request with its header."""
    cursor = Jute(message.data, message.start + 4, message.end)
    try:
        xid, code = cursor.i32(), cursor.i32()
    except ValueError:
        return Summary(op=message.header.op, info="request without a whole header")
    name = t.operation(code)
    target, details = "", ""
    try:
        target, details = _request(code, cursor)
    except ValueError:
        details = "cut off" if not message.complete else "malformed"
        target = request_path(message)
    info = " ".join(part for part in (name, target[:SHOWN], details) if part)
    return Summary(name, target, endpoint(target), str(xid), info=f"{info}  xid={xid}")


def request_path(message: MessageBytes) -> str:
    """What a request works on, as `Summary.target` says it; "" where its bytes do not tell."""
    cursor = Jute(message.data, message.start + 8, message.end)
    try:
        code = cursor.i32()
        if code in (t.MULTI, t.MULTI_READ):
            return _multi(cursor)[0]
        if code in _PATH_FIRST:
            return cursor.text()
        return _request(code, cursor)[0]
    except ValueError:
        return ""


_CREATES = (t.CREATE, t.CREATE2, t.CREATE_CONTAINER, t.CREATE_TTL)
_READS = (t.EXISTS, t.GET_DATA, t.GET_CHILDREN, t.GET_CHILDREN2)
_PATH_FIRST = frozenset({*_CREATES, *_READS, t.DELETE, t.SET_DATA, t.GET_ACL, t.SET_ACL, t.SYNC, t.CHECK, t.CHECK_WATCHES, t.REMOVE_WATCHES, t.DELETE_CONTAINER,
                         t.GET_EPHEMERALS, t.GET_ALL_CHILDREN_NUMBER, t.ADD_WATCH})


def _request(code: int, c: Jute) -> tuple[str, str]:
    """What the operation works on, and its other arguments in a few words."""
    if code in _PATH_FIRST:
        return c.text(), _arguments(code, c)
    if code in (t.MULTI, t.MULTI_READ):
        return _multi(c)
    if code == t.AUTH:
        c.skip(4)
        return c.text(), ""
    if code in (t.SET_WATCHES, t.SET_WATCHES2):
        c.skip(8)
        names = ("data", "exist", "child", "persistent", "recursive")[:3 if code == t.SET_WATCHES else 5]
        return " ".join(f"{name}={max(0, c.vector(c.blob))}" for name in names), ""
    if code == t.SASL:
        return "", t.sized(max(0, c.blob()))
    if code == t.RECONFIG:
        parts = [f"{name}={value}" for name in ("join", "leave", "members") if (value := c.text())]
        return "", " ".join(parts)[:SHOWN]
    return "", ""


def _arguments(code: int, c: Jute) -> str:
    if code in _CREATES:
        size = c.blob()
        c.vector(c.acl)
        mode = c.i32()
        words = f"{t.CREATE_MODES.get(mode, f'unknown mode {mode}')} {t.sized(max(0, size))}"
        return f"{words} ttl={c.i64()} ms" if code == t.CREATE_TTL else words
    if code in _READS:
        return "watch" if c.bool() else ""
    if code == t.SET_DATA:
        return f"{t.sized(max(0, c.blob()))} version={_expected(c.i32())}"
    if code in (t.DELETE, t.CHECK):
        return f"version={_expected(c.i32())}"
    if code == t.SET_ACL:
        return f"{max(0, c.vector(c.acl))} ACLs version={_expected(c.i32())}"
    if code in (t.CHECK_WATCHES, t.REMOVE_WATCHES):
        kind = c.i32()
        return t.WATCHERS.get(kind, f"unknown type {kind}")
    if code == t.ADD_WATCH:
        mode = c.i32()
        return t.ADD_WATCH_MODES.get(mode, f"unknown mode {mode}")
    return ""


def _expected(version: int) -> str:
    return "any" if version == -1 else str(version)


def _multi(c: Jute) -> tuple[str, str]:
    """The first path of a transaction " +n" more operations, and the first few operations by name."""
    first, count = "", 0
    shown: list[str] = []
    try:
        while c.at < c.end:
            code = c.i32()
            done = c.bool()
            c.skip(4)
            if done:
                break
            count += 1
            path = c.text() if code in _PATH_FIRST else ""
            first = first or path
            if len(shown) < SHOWN_STEPS:
                shown.append(f"{t.operation(code)} {path[:SHOWN]}".rstrip())
            if code not in _PATH_FIRST:
                break
            _arguments(code, c)
    except ValueError:
        pass
    more = f", {count - len(shown)} more" if count > len(shown) else ""
    return f"{first} +{count - 1}" if count > 1 else first, f"({', '.join(shown)}{more})" if shown else "(empty)"


def reply(message: MessageBytes) -> Summary:
    """The words for a reply with its header; the operation is the request's."""
    c = Jute(message.data, message.start + 4, message.end)
    try:
        xid, zxid, code = c.i32(), c.i64(), c.i32()
    except ValueError:
        return Summary(info="reply without a whole header")
    peer = message.peer
    name = peer.header.op if peer is not None else t.SPECIAL_XIDS.get(xid, "")
    asked = _code(peer)
    target = request_path(peer) if peer is not None and asked is not None else ""
    details = ""
    if asked is not None and (code == 0 or asked == t.SASL):
        try:
            code, details = _reply(asked, target, c, code)
        except ValueError:
            details = "" if c.end - c.at == 0 else ("cut off" if not message.complete else "malformed")
    found = t.error(code)
    outcome = "OK" if code == 0 else f"{found.name} ({code})"
    parts = [name or "reply", "←", outcome, target[:SHOWN], details, f"zxid={t.short_zxid(zxid)}" if code == 0 and zxid > 0 else ""]
    if not name:
        parts.append("(request not captured)")
    info = " ".join(part for part in parts if part)
    soft = (asked, code) in t.SOFT
    return Summary(name, target, endpoint(target), str(xid), found.status, code, "" if code == 0 else found.name, f"{info}  xid={xid}", soft)


def _code(peer: MessageBytes | None) -> int | None:
    """The operation code of a request with its header; None of a ConnectRequest, and where it is not there."""
    if peer is None or peer.end - peer.start < 12 or peer.header.key == "connect":
        return None
    return int(_I32(peer.data, peer.start + 8)[0])


def _reply(asked: int, path: str, c: Jute, code: int) -> tuple[int, str]:
    """The error that counts (a multi's first) and the result in a few words; `path` is what was asked for."""
    if asked in (t.MULTI, t.MULTI_READ):
        return _results(c)
    if asked in _CREATES:
        made = c.text()
        return code, f"→ {made[:SHOWN]}" if made != path else ""
    if asked in (t.GET_DATA, t.RECONFIG):
        size = max(0, c.blob())
        return code, f"{t.sized(size)} version={c.stat()[0]}"
    if asked in (t.EXISTS, t.SET_DATA, t.SET_ACL):
        version, size = c.stat()
        return code, f"version={version} {t.sized(size)}"
    if asked in (t.GET_CHILDREN, t.GET_CHILDREN2):
        return code, f"{max(0, c.i32())} children"
    if asked == t.GET_ACL:
        return code, f"{max(0, c.i32())} ACLs"
    if asked == t.GET_EPHEMERALS:
        return code, f"{max(0, c.i32())} ephemerals"
    if asked == t.GET_ALL_CHILDREN_NUMBER:
        return code, f"{c.i32()} nodes"
    if asked == t.WHO_AM_I:
        users: list[str] = []
        c.vector(lambda: users.append(f"{c.text()}:{c.text()}"))
        return code, ", ".join(users)[:SHOWN]
    if asked == t.SASL:
        return code, t.sized(max(0, c.blob()))
    if asked == t.ADD_WATCH:
        return code or c.i32(), ""
    return code, ""


def _results(c: Jute) -> tuple[int, str]:
    """The first error of a transaction's results (those before it are 0, "rolled back", those behind it -2, "not tried"), and how many there are."""
    failed, count, at_fault = 0, 0, 0
    while c.at < c.end:
        kind, done, code = c.i32(), c.bool(), c.i32()
        if done:
            break
        if kind == -1:
            c.skip(4)
            if code and not failed:
                failed, at_fault = code, count
        elif kind in (t.CREATE, t.CREATE2, t.GET_DATA):
            c.blob()
        elif kind == t.GET_CHILDREN:
            c.vector(c.blob)
        elif kind not in (t.DELETE, t.CHECK, t.SET_DATA):
            raise ValueError(f"a result of type {kind}")
        if kind in (t.CREATE2, t.SET_DATA, t.GET_DATA):
            c.skip(STAT_SIZE)
        count += 1
    return failed, f"operation {at_fault + 1} of {count} failed" if failed else f"{count} results"


def event(message: MessageBytes) -> Summary:
    """The words for a watch event."""
    c = Jute(message.data, message.start + 8, message.end)
    try:
        zxid = c.i64()
        c.skip(4)
        kind, state, path = c.i32(), c.i32(), c.text()
    except ValueError:
        return Summary("notification", id="-1", info="notification, " + ("malformed" if message.complete else "cut off"))
    said = ["notification", t.EVENTS.get(kind, f"unknown event {kind}"), t.STATES.get(state, f"unknown state {state}"), path[:SHOWN]]
    if zxid > 0:
        said.append(f"zxid={t.short_zxid(zxid)}")
    return Summary("notification", path, endpoint(path), "-1", info=" ".join(word for word in said if word))


def connect_request(message: MessageBytes) -> Summary:
    """The words for a ConnectRequest."""
    c = Jute(message.data, message.start + 16, message.end)
    words = ["connect"]
    try:
        words.append(f"timeout={c.i32()} ms")
        session = c.i64() & 0xFFFFFFFFFFFFFFFF
        words.append(f"session=0x{session:x}" if session else "new session")
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
    return Summary(name, status=status, error=error, info=f"{name} ← {said} ({t.sized(len(text))})")
