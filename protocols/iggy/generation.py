"""Which generation of layouts a classic connection speaks: the one whose layout consumes a payload exactly.

Nothing on the wire names it. A connection starts with all four possible; each payload whose layout changed between releases leaves those that fit, and later
evidence that contradicts wins. What was found out holds for the whole connection, also for the messages before.
"""
from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from functools import cache
from typing import Any

from protocols.engine.fields import MALFORMED, Field
from protocols.engine.records import Layout, Malformed, parse
from protocols.iggy import commands as c
from protocols.iggy.layouts import GENERATIONS, VSR, reply_parts, request_parts

__all__ = ["CLASSIC", "TELLING", "Session", "body", "fitting", "layout_for", "sound", "tiles", "vsr_body"]

CLASSIC = (4, 3, 2, 1)
"""The generations of the classic framing, likeliest first."""
TELLING = frozenset({c.POLL, c.SEND, c.GET_OFFSET, c.STORE_OFFSET, c.DELETE_OFFSET, c.CREATE_STREAM, c.CREATE_TOPIC, c.CREATE_GROUP})
"""Requests whose layouts differ between generations."""
TELLING_REPLIES = frozenset({c.POLL})
SDKS = {"0.5": 1, "0.6": 1, "0.7": 2, "0.8": 3, "0.9": 4, "0.10": 4}
"""SDK release -> the generation that it speaks."""
TRIES = 8
"""Payloads of one command that are examined before it is left."""


@cache
def body(generation: int, code: int, request: bool) -> Layout | None:
    """The layout of a payload; None where nobody knows the command."""
    parts = request_parts(generation, code) if request else reply_parts(generation, code)
    return None if parts is None else Layout(None, parts)


def tiles(layout: Layout | None, data: bytes, start: int, end: int) -> bool:
    """Whether a layout consumes `data[start:end]` exactly. Faults in a part with its own length count as well."""
    if layout is None:
        return False
    try:
        fields, after = parse(layout, data, start, end)
    except Malformed:
        return False
    return after == end and sound(fields)


def sound(fields: Sequence[Field]) -> bool:
    """Whether nothing in a tree is malformed, without making children that were not made yet."""
    stack = list(fields)
    while stack:
        one = stack.pop()
        if one.spec is MALFORMED:
            return False
        if isinstance(one._children, list):
            stack.extend(one._children)
    return True


def fitting(code: int, request: bool, data: bytes, start: int, end: int) -> frozenset[int]:
    """The classic generations whose layout consumes the payload exactly."""
    return frozenset(number for number in CLASSIC if tiles(body(number, code, request), data, start, end))


def releases(generations: frozenset[int]) -> str:
    return " or ".join(GENERATIONS[number] for number in sorted(generations))


class Session:
    """What `header` remembers of a connection: the generations that are possible, and why; the requests that wait for their replies."""

    __slots__ = ("_examined", "asked", "generations", "named", "number", "open", "version", "vsr", "waiting", "why")

    def __init__(self) -> None:
        self.generations = frozenset(CLASSIC)
        self.why: list[str] = []
        self.vsr: bool | None = None
        """Whether the connection speaks the VSR framing; None before its first message."""
        self.version = ""
        self.named = 0
        """What the client called itself at login, and the generation of that release."""
        self.number = [0, 0]
        self.waiting: deque[int] = deque()
        """Classic: the commands of requests without reply, oldest first."""
        self.open: deque[tuple[Any, ...]] = deque()
        """VSR: the keys of requests without reply, oldest first."""
        self.asked: dict[Hashable, None] = {}
        """VSR: the keys of frames between replicas that are answered, those of late."""
        self._examined: dict[Hashable, int] = {}

    @property
    def generation(self) -> int:
        """The likeliest generation: the one that the login names, where it is possible."""
        return self.named if self.named in self.generations else max(self.generations)

    @property
    def reason(self) -> str:
        """Why it is that one, in words."""
        words = list(self.why)
        if len(self.generations) > 1 and self.named in self.generations:
            words.append(f"the login says SDK {self.version}")
        return "; ".join(words) or "nothing seen tells"

    def learn(self, code: int, request: bool, data: bytes, start: int, end: int) -> None:
        """Look at a whole payload of a command that tells."""
        key = code, request
        seen = self._examined.get(key, 0)
        if (len(self.generations) == 1 and seen) or seen >= TRIES:
            return
        self._examined[key] = seen + 1
        found = fitting(code, request, data, start, end)
        if not found or len(found) == len(CLASSIC):
            return
        left = self.generations & found
        words = f"{c.operation(code)} {'request' if request else 'reply'} fits {releases(found)}"
        if not left:
            self.generations, self.why = found, [words]
        elif left != self.generations:
            self.generations = left
            self.why.append(words)

    def login(self, data: bytes, start: int, end: int) -> None:
        """Take the SDK's version from a login payload: a hint only, as foreign SDKs put their own there."""
        at = start
        for _ in range(2):
            at += 1 + data[at] if at < end else 1
        length = int.from_bytes(data[at:at + 4], "little") if at + 4 <= end else 0
        if 0 < length <= min(64, end - at - 4):
            self.version = str(data[at + 4:at + 4 + length], "utf-8", "replace")
            self.named = SDKS.get(".".join(self.version.split(".")[:2]), 0)

    def order(self) -> tuple[int, ...]:
        """The classic generations, those first that are possible."""
        return tuple(sorted(CLASSIC, key=lambda one: (one != self.generation, one not in self.generations, -one)))


def layout_for(session: Session, code: int, request: bool, data: bytes, start: int, end: int, whole: bool) -> tuple[int, Layout | None]:
    """(generation, layout) for a classic payload: of the connection's generations first, then of the others, the one that consumes it exactly. Where none does,
    or the payload is not whole, or it is the same in all, it is the connection's."""
    first = session.generation
    if whole and code in (TELLING if request else TELLING_REPLIES):
        for number in session.order():
            found = body(number, code, request)
            if tiles(found, data, start, end):
                return number, found
    return first, body(first, code, request)


def vsr_body(code: int, request: bool) -> Layout | None:
    return body(VSR, code, request)
