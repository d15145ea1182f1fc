"""What an Iggy request asks for: what it works on, who consumes, and its other arguments in a few words, read straight from its bytes.

A cursor steps over the parts that a command begins with (`Command.lead`), then over those of its own. What is cut off is left out and said.
"""
from __future__ import annotations

import struct

from protocols.engine.cursor import Cursor
from protocols.iggy import commands as c
from protocols.iggy.kinds import sized
from protocols.iggy.layouts import SECRET_BYTES, VSR, WITH_SECRET
from protocols.iggy.parts import NEVER, PARTITIONINGS, STRATEGIES, version

__all__ = ["SHOWN", "Asked", "Words", "read_request"]

_U32, _U64 = (struct.Struct(code).unpack_from for code in ("<I", "<Q"))
SHOWN = 200


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
    """What a request says, as far as its bytes go: the resource's parts, who consumes, and details for the line. `missing` are the bytes that were cut off."""

    __slots__ = ("details", "domain", "missing", "partition", "path", "whole")

    def __init__(self, missing: int = 0) -> None:
        self.missing = missing
        self.whole = True
        """Whether all parts of what the request works on are there: a stream is not what a request to one of its topics works on."""
        self.path: list[str] = []
        self.domain = ""
        self.partition = ""
        self.details: list[str] = []

    @property
    def endpoint(self) -> str:
        """The consumer or group that asks; where nobody is named, the stream and topic."""
        return self.domain or ("/".join(self.path[:2]) if self.whole else "")

    @property
    def place(self) -> str:
        """What the request works on, for its line."""
        return "/".join(self.path)[:SHOWN] + (f" p{self.partition}" if self.partition else "")

    @property
    def target(self) -> str:
        return "/".join([*self.path, *([self.partition] if self.partition else [])]) if self.whole else ""


_NAMED_LATER = frozenset({c.SEND, c.FLUSH, c.LOGIN_REGISTER, c.CREATE_STREAM, c.CREATE_TOPIC, c.CREATE_GROUP, c.UPDATE_STREAM, c.ROUTE, c.DELETE_SEGMENTS,
                          c.CLIENT})
"""Commands of which what they work on is named behind the parts of `Command.lead`, too."""


def read_request(code: int, generation: int, cursor: Words, missing: int = 0) -> Asked:
    """What a request of `generation` says, of which `missing` bytes were cut off; raises nothing."""
    asked = Asked(missing)
    asked.whole = False
    try:
        _lead(c.BY_CODE[code].lead if code in c.BY_CODE else "", generation, cursor, asked)
        asked.whole = code not in _NAMED_LATER
        _details(code, generation, cursor, asked)
        asked.whole = True
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
        elif letter == "R":
            scope = cursor.u8()
            asked.path.extend(cursor.identifier() for _ in range(2 if scope == 1 else 1))
        elif letter == "P":
            given = cursor.u8() if generation > 2 else 1
            number = cursor.u32()
            if given:
                asked.partition = str(number)
        else:
            break


_POLLS = frozenset({c.POLL, c.POLL_ROUTING, c.POLL_ON_PRIMARY, c.POLL_DEFERRED})


def _details(code: int, generation: int, cursor: Words, asked: Asked) -> None:
    say = asked.details.append
    if code in _POLLS:
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
        say(sized(max(0, cursor.end + asked.missing - cursor.at - (16 * count if 1 < generation < VSR else 0))))
    elif code in (c.GET_OFFSET, c.STORE_OFFSET, c.DELETE_OFFSET, c.OFFSET_ROUTING):
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
        if protocol >= WITH_SECRET:
            cursor.skip(SECRET_BYTES)
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
    elif code == c.ROUTE:
        asked.partition = str(cursor.u32())
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
