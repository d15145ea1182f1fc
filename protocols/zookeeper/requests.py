"""What a ZooKeeper request asks for: the paths that it works on, and its other arguments in a few words.

Paths are read whenever somebody counts or filters messages, the arguments only for the lines on a screen. What is cut off is left out and said.
"""
from __future__ import annotations

import struct
from collections.abc import Callable

from protocols.decoder import MessageBytes
from protocols.zookeeper import tables as t
from protocols.zookeeper.jute import STAT_SIZE, Jute

__all__ = ["CREATES", "LISTS", "SHOWN", "TRANSACTIONS", "arguments", "code_of", "named", "targets"]

SHOWN = 200
SHOWN_STEPS = 3
TRANSACTIONS = frozenset({t.MULTI, t.MULTI_READ})
CREATES = frozenset({t.CREATE, t.CREATE2, t.CREATE_CONTAINER, t.CREATE_TTL, t.CREATE_IF_NOT_EXISTS})
LISTS = frozenset({t.GET_CHILDREN, t.GET_CHILDREN2, t.FILTERED_LIST, t.LIST_WITH_DATA})
_WATCHING = frozenset({*LISTS, t.EXISTS, t.GET_DATA})
_VERSIONED = frozenset({t.DELETE, t.CHECK, t.CHECK_NOT_EXISTS, t.CHECK_STAT, t.TRY_REMOVE})
PATH_FIRST = frozenset({*CREATES, *_WATCHING, *_VERSIONED, t.SET_DATA, t.GET_ACL, t.SET_ACL, t.SYNC, t.CHECK_WATCHES, t.REMOVE_WATCHES, t.DELETE_CONTAINER,
                        t.GET_EPHEMERALS, t.GET_ALL_CHILDREN_NUMBER, t.ADD_WATCH, t.REMOVE_RECURSIVE, t.LIST_RECURSIVE})
_WATCHES = {t.SET_WATCHES: ("data", "exist", "child"), t.SET_WATCHES2: ("data", "exist", "child", "persistent", "recursive")}

_I32: Callable[..., tuple[int]] = struct.Struct(">i").unpack_from
_STEP: Callable[..., tuple[int, int]] = struct.Struct(">i5xi").unpack_from  # the operation's code, and the length of its path
_FIXED = {**dict.fromkeys(CREATES, 4), t.CREATE_TTL: 12, **dict.fromkeys(_WATCHING, 1), t.FILTERED_LIST: 2, t.LIST_WITH_DATA: 4, t.SET_DATA: 4, t.SET_ACL: 4,
          **dict.fromkeys(_VERSIONED, 4), t.CHECK_STAT: 4 + STAT_SIZE, t.CHECK_WATCHES: 4, t.REMOVE_WATCHES: 4, t.ADD_WATCH: 4, t.REMOVE_RECURSIVE: 4,
          t.LIST_RECURSIVE: 4}
"""How many bytes of fixed size the arguments of an operation have, behind its path, data and ACLs."""


def code_of(message: MessageBytes | None) -> int | None:
    """The operation code of a request with its header; None of all other messages, and where it is not there."""
    if message is None:
        return None
    role = message.header.context
    at = message.start + role.after
    if role.name != "request" or at + 4 > message.end:
        return None
    return _I32(message.data, at)[0]


def targets(code: int, message: MessageBytes) -> tuple[str, ...]:
    """The paths that a request works on, each whole and once; of an authentication its scheme."""
    data, at, end = message.data, message.start + message.header.context.after + 4, message.end
    if code in PATH_FIRST:
        if end - at < 4:
            return ()
        size = _I32(data, at)[0]
        return (str(data[at + 4:at + 4 + size], "utf-8", "replace"),) if 0 < size <= end - at - 4 else ()
    if code not in TRANSACTIONS and code not in _WATCHES and code != t.AUTH:
        return ()
    found: dict[str, None] = {}
    try:
        cursor = Jute(data, at, end)
        if code == t.AUTH:
            cursor.skip(4)
            found[cursor.text()] = None
        elif code in _WATCHES:
            cursor.skip(8)
            for _ in _WATCHES[code]:
                cursor.vector(lambda: found.setdefault(cursor.text()))
        else:
            _steps(cursor, lambda _, path: found.setdefault(path))
    except ValueError:
        pass
    found.pop("", None)
    return tuple(found)


def named(code: int, paths: tuple[str, ...], steps: int | None = None) -> str:
    """What a request works on, for its line: the one path, or the first of a transaction's and how many operations follow."""
    if code in _WATCHES or not paths:
        return ""
    more = f" +{steps - 1}" if steps is not None and steps > 1 else ""
    return paths[0][:SHOWN] + more


def arguments(code: int, message: MessageBytes) -> tuple[str, int | None]:
    """The arguments behind the path in a few words; of a transaction its first operations, and how many there are."""
    cursor = Jute(message.data, message.start + message.header.context.after + 4, message.end)
    cut = "cut off" if not message.complete else "malformed"
    if code in TRANSACTIONS:
        shown: list[str] = []
        count = 0

        def keep(step: int, path: str) -> None:
            nonlocal count
            count += 1
            if len(shown) < SHOWN_STEPS:
                shown.append(f"{t.operation(step)} {path[:SHOWN]}".rstrip())
        try:
            whole = _steps(cursor, keep)
        except ValueError:
            return f"({', '.join(shown)}, {cut})" if shown else cut, None
        more = f", {count - len(shown)} more" if count > len(shown) else ""
        return f"({', '.join(shown)}{more}{'' if whole else ', …'})" if shown else "(empty)", count if whole else None
    try:
        return _arguments(code, cursor, code in PATH_FIRST), None
    except ValueError:
        return cut, None


def _steps(c: Jute, found: Callable[[int, str], object]) -> bool:
    """Hand each operation of a transaction, code and path, to `found`; False where one is not known, so that what follows it cannot be read. Raises
    ValueError where bytes are missing."""
    data, at, end = c.data, c.at, c.end
    try:
        while at < end:
            if at + 9 <= end and data[at + 4]:
                return True
            code, size = _STEP(data, at)
            if code not in PATH_FIRST:
                found(code, "")
                return False
            path = at + 13
            at = path + max(0, size)
            if size < -1 or at > end:
                raise ValueError("a path that is cut off")
            found(code, str(data[path:at], "utf-8", "replace"))
            at = _behind(code, data, at)
            if at > end:
                raise ValueError("arguments that are cut off")
    except struct.error as fault:
        raise ValueError("a step that is cut off") from fault
    return True


def _behind(code: int, data: bytes, at: int) -> int:
    """Where the arguments of an operation that starts with a path end, which begin at `at`. Raises struct.error where bytes are missing."""
    if code in CREATES or code == t.SET_DATA:
        at += 4 + max(0, _I32(data, at)[0])
    if code in CREATES or code == t.SET_ACL:
        count = _I32(data, at)[0]
        at += 4
        for _ in range(count):
            at += 8 + max(0, _I32(data, at + 4)[0])
            at += 4 + max(0, _I32(data, at)[0])
    return at + _FIXED.get(code, 0)


def _arguments(code: int, c: Jute, path: bool) -> str:
    """The arguments of one operation, with its path before them where `path`. Raises ValueError where bytes are missing."""
    if path:
        c.blob()
    if code in CREATES:
        size = max(0, c.blob())
        c.vector(c.acl)
        mode = c.i32()
        words = f"{t.CREATE_MODES.get(mode, f'unknown mode {mode}')} {t.sized(size)}"
        return f"{words} ttl={c.i64()} ms" if code == t.CREATE_TTL else words
    if code in _WATCHING:
        watch = "watch" if c.bool() else ""
        return watch if code not in (t.FILTERED_LIST, t.LIST_WITH_DATA) else _listed(code, c, watch)
    if code == t.SET_DATA:
        return f"{t.sized(max(0, c.blob()))} version={_expected(c.i32())}"
    if code in _VERSIONED:
        version = c.i32()
        if code == t.CHECK_STAT:
            c.stat()
        return f"version={_expected(version)}"
    if code == t.SET_ACL:
        return f"{c.vector(c.acl)} ACLs version={_expected(c.i32())}"
    if code in (t.CHECK_WATCHES, t.REMOVE_WATCHES):
        kind = c.i32()
        return t.WATCHERS.get(kind, f"unknown type {kind}")
    if code == t.ADD_WATCH:
        mode = c.i32()
        return t.ADD_WATCH_MODES.get(mode, f"unknown mode {mode}")
    if code in (t.REMOVE_RECURSIVE, t.LIST_RECURSIVE):
        return f"limit={c.i32()}"
    if code in _WATCHES:
        c.skip(8)
        return " ".join(f"{name}={c.vector(c.blob)}" for name in _WATCHES[code])
    if code == t.SASL:
        return t.sized(max(0, c.blob()))
    if code == t.RECONFIG:
        parts = [f"{name}={value}" for name in ("join", "leave", "members") if (value := c.text())]
        return " ".join(parts)[:SHOWN]
    return ""


def _listed(code: int, c: Jute, watch: str) -> str:
    kind = c.data[c.skip(1)]
    words = [t.LISTED.get(kind, f"unknown type {kind}"), watch]
    if code == t.LIST_WITH_DATA:
        words += ["with stats" if c.bool() else "", "with data" if c.bool() else ""]
    return " ".join(word for word in words if word)


def _expected(version: int) -> str:
    return "any" if version == -1 else str(version)
