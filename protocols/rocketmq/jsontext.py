"""JSON as RocketMQ's peers write it, scanned with the byte range of every key and value.

fastjson 1.x, jsoncpp and Go's encoders disagree about what JSON is: keys may be bare numbers, or whole objects. So a key is any value that a
colon follows. One loop over tokens, no recursion; what was read before a fault stays in the tree, but no number or word that may go on behind the end.
Limits: DEPTH levels, VALUES values.
"""
from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["Node", "Scan", "scan", "text_of"]

DEPTH = 100
VALUES = 100_000

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_BARE = re.compile(rb'[^\s,:{}\[\]"]+')
_SPACE = re.compile(rb"[\s,]*")
_INTEGER = re.compile(rb"-?\d{1,19}\Z")
_WORDS = {b"true": True, b"false": False, b"null": None}
OBJECT, ARRAY, STRING, NUMBER, WORD = "object", "array", "string", "number", "word"


class Node:
    """A value at `data[start:end]`: `kind` is object, array, string, number or word (true, false, null, or what is none of these). `items` are
    the values of an object or array; `key` is the node before the colon; `whole` is False for an object or array whose end was not found."""

    __slots__ = ("end", "items", "key", "kind", "start", "value", "whole")

    def __init__(self, kind: str, value: Any, start: int, end: int, items: list[Node] | None = None) -> None:
        self.kind = kind
        self.value = value
        self.start = start
        self.end = end
        self.items = items
        self.key: Node | None = None
        self.whole = True

    @property
    def name(self) -> str:
        """The key as text, "" without one or for one that is no scalar."""
        return str(self.key.value) if self.key is not None and self.key.items is None else ""

    def member(self, name: str) -> Node | None:
        """The last member of that name, as every reader takes it."""
        for one in reversed(self.items or ()):
            if one.key is not None and one.key.value == name:
                return one
        return None

    def get(self, name: str) -> Any:
        """The member's scalar value, None without it."""
        found = self.member(name)
        return found.value if found is not None else None


class Scan:
    """What `scan` found: the root (None when there is no value at all), the position after it, and the fault that ended it there ("" for none).
    `limited` says that not the JSON is at fault: there is more of it than is opened."""

    __slots__ = ("end", "fault", "limited", "root")

    def __init__(self, root: Node | None, end: int, fault: str = "", limited: bool = False) -> None:
        self.root = root
        self.end = end
        self.fault = fault
        self.limited = limited


def text_of(raw: bytes) -> str:
    """A string's content without its quotes, escapes resolved; escapes that JSON does not know stay as they are."""
    if b"\\" not in raw:
        return str(raw, "utf-8", "replace")
    text = str(raw, "utf-8", "replace")
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return re.sub(r"\\u([0-9a-fA-F]{4})|\\(.)", _escape, text, flags=re.DOTALL)


def _escape(found: re.Match[str]) -> str:
    if found[1]:
        return chr(int(found[1], 16))
    return {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"', "\\": "\\", "/": "/"}.get(found[2], found[0])


def _bare(raw: bytes) -> tuple[str, Any]:
    if raw in _WORDS:
        return WORD, _WORDS[raw]
    if _INTEGER.match(raw):
        return NUMBER, int(raw)
    try:
        if raw[:1] in b"-0123456789" and len(raw) < 64:
            return NUMBER, float(raw)
    except ValueError:
        pass
    return WORD, str(raw, "utf-8", "replace")


def scan(data: bytes, start: int, end: int) -> Scan:
    """The JSON value at `start`, which may not reach beyond `end`; white space and commas around values are passed over."""
    stack: list[Node] = []
    keys: list[Node | None] = []
    root: Node | None = None
    at, count = start, 0
    fault = ""
    space, string, bare = _SPACE.match, _STRING.match, _BARE.match
    while True:
        found = space(data, at, end)
        at = found.end() if found else at
        if at >= end:
            fault = "it ends inside the JSON" if stack or root is None else ""
            break
        sign = data[at]
        if sign == 0x7D or sign == 0x5D:  # } ]
            if not stack or (stack[-1].kind == OBJECT) != (sign == 0x7D):
                fault = f"{chr(sign)} without its opening"
                break
            at += 1
            stack.pop().end = at
            keys.pop()
            if not stack:
                break
            continue
        if sign == 0x3A:  # :
            items = stack[-1].items if stack else None
            if not items or stack[-1].kind != OBJECT or items[-1].key is not None or keys[-1] is not None:
                fault = "a colon without a key"
                break
            keys[-1] = items.pop()
            at += 1
            continue
        count += 1
        if count > VALUES:
            fault = f"more than {VALUES:,} values"
            break
        if sign == 0x7B or sign == 0x5B:  # { [
            if len(stack) >= DEPTH:
                fault = f"more than {DEPTH} levels"
                break
            node = Node(OBJECT if sign == 0x7B else ARRAY, None, at, end, [])
            at += 1
        elif sign == 0x22:
            found = string(data, at, end)
            if found is None:
                fault = "a string without its end"
                break
            node = Node(STRING, text_of(data[at + 1:found.end() - 1]), at, found.end())
            at = node.end
        else:
            found = bare(data, at, end)
            if found is None:
                fault = "no value"
                break
            if stack and found.end() == end:
                fault = "it ends inside a value"  # 105 and 10 begin alike
                break
            kind, value = _bare(found[0])
            node = Node(kind, value, at, found.end())
            at = node.end
        if stack:
            node.key, keys[-1] = keys[-1], None
            stack[-1].items.append(node)  # type: ignore[union-attr]
        else:
            root = node
        if node.items is not None:
            stack.append(node)
            keys.append(None)
        elif not stack:
            break
    for one in stack:
        one.end, one.whole = at, False
    return Scan(root, at, fault, count > VALUES or len(stack) >= DEPTH)


def scalars(node: Node, path: str = "") -> Iterator[tuple[str, Any, int, int]]:
    """(path, value, start, end) of every scalar below `node`, in order; paths as in `brokerDatas[0].cluster`."""
    stack = [(path, node)]
    while stack:
        path, one = stack.pop()
        if one.items is None:
            yield path, one.value, one.start, one.end
            continue
        if one.kind == ARRAY:
            stack += reversed([(f"{path}[{number}]", item) for number, item in enumerate(one.items)])
        else:
            stack += reversed([(f"{path}.{item.name}" if path else item.name, item) for item in one.items])
