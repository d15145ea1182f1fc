"""The table of Kafka's message layouts, `schema.txt`, read on demand.

Opening the table only splits it into lines; a line is parsed when its message is first asked for. What the marks mean
stands at the top of `schema.txt`; the layouts come from Kafka's own message definition files, named there with their commits.
"""
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["LATEST", "Message", "Part", "api_name", "api_names", "data_record", "header", "messages", "metadata_record", "request", "response"]

LATEST = 0x7FFF
"""Stands for "and all later versions"."""

Ranges = tuple[tuple[int, int], ...]
RANGE = re.compile(r"[0-9+,-]*")
DIGITS = re.compile(r"\d+")
DEFAULT = re.compile(r"[^;}\]]*")


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a message. `type` is a letter of the notation, "[" (array of `element`) or "{" (struct of `parts`).

    `versions` and `nullable` are inclusive ranges, None: always and never; `tag` is the number in the tag section, -1 none;
    `entity` is T, B, G, X, P or ""; `default` as written in the table, "" for the type's zero.
    """

    name: str
    type: str
    element: Part | None = None
    parts: tuple[Part, ...] = ()
    versions: Ranges | None = None
    nullable: Ranges | None = None
    tag: int = -1
    compact: bool = True
    entity: str = ""
    default: str = ""

    def present(self, version: int) -> bool:
        return self.versions is None or within(version, self.versions)

    def may_be_null(self, version: int) -> bool:
        return self.nullable is not None and within(version, self.nullable)


@dataclass(slots=True, eq=False)
class Message:
    """One line of the table. `kind` is q, r, h, d or k; `key` -1 where a line has none; `compiled` holds readers by version."""

    kind: str
    key: int
    name: str
    least: int
    most: int
    flexible: Ranges
    text: str
    compiled: dict[int, Any] = field(default_factory=dict)
    _parts: tuple[Part, ...] | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        """The fields in order, parsed on first use."""
        if self._parts is None:
            self._parts = _Parser(self.text).parts()
        return self._parts

    def is_flexible(self, version: int) -> bool:
        return within(version, self.flexible)

    def knows(self, version: int) -> bool:
        return self.least <= version <= self.most


def within(version: int, ranges: Ranges) -> bool:
    return any(low <= version <= high for low, high in ranges)


def _ranges(text: str) -> Ranges:
    """`0-3`, `5+`, `7` or nothing (always), several joined by commas."""
    if not text:
        return ((0, LATEST),)
    found = []
    for one in text.split(","):
        low, _, high = one.partition("-")
        found.append((int(low.rstrip("+")), LATEST if one.endswith("+") else int(high or low)))
    return tuple(found)


class _Parser:
    """The recursive reader of one line's fields."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def parts(self) -> tuple[Part, ...]:
        found: list[Part] = []
        while self.at < len(self.text) and self.text[self.at] != "}":
            found.append(self.part())
            if self.text[self.at:self.at + 1] == ";":
                self.at += 1
        return tuple(found)

    def part(self) -> Part:
        colon = self.text.index(":", self.at)
        name, self.at = self.text[self.at:colon], colon + 1
        made: dict[str, Any] = self.type(name)
        while (mark := self.text[self.at:self.at + 1]) and mark in "?@#~%=":
            self.at += 1
            if mark == "?":
                made["nullable"] = _ranges(self.take(RANGE))
            elif mark == "@":
                made["versions"] = _ranges(self.take(RANGE))
            elif mark == "#":
                made["tag"] = int(self.take(DIGITS))
            elif mark == "~":
                made["compact"] = False
            elif mark == "%":
                made["entity"] = self.text[self.at]
                self.at += 1
            else:
                made["default"] = self.take(DEFAULT)
        return Part(name, **made)

    def type(self, name: str) -> dict[str, Any]:
        letter = self.text[self.at]
        self.at += 1
        if letter == "[":
            element = Part(name, **self.type(name))
            self.at += 1
            return {"type": letter, "element": element}
        if letter == "{":
            parts = self.parts()
            self.at += 1
            return {"type": letter, "parts": parts}
        return {"type": letter}

    def take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        assert found
        self.at = found.end()
        return found[0]


@cache
def _table() -> dict[tuple[str, int | str], Message]:
    """Messages by (kind, key); those of kind d and h by (kind, name)."""
    table: dict[tuple[str, int | str], Message] = {}
    for line in (Path(__file__).parent / "schema.txt").read_text("ascii").splitlines():
        if line.startswith("#"):
            continue
        kind, key, name, versions, flexible, text = line.split("|")
        least, most = versions.split("-")
        ranges = () if flexible == "-" else _ranges("" if flexible == "*" else flexible)
        message = Message(kind, int(key or -1), name, int(least), int(most), ranges, text)
        table[kind, name if kind in "dh" else message.key] = message
    return table


def messages() -> Iterator[Message]:
    """Every message of the table."""
    return iter(_table().values())


def request(key: int) -> Message | None:
    """The request of an API; its versions are the response's too."""
    return _table().get(("q", key))


def response(key: int) -> Message | None:
    return _table().get(("r", key))


def metadata_record(key: int) -> Message | None:
    """The record of this type in `__cluster_metadata`."""
    return _table().get(("k", key))


def data_record(name: str) -> Message:
    """A layout that is not a request or response, by its name."""
    return _table()["d", name]


def header(name: str) -> Message:
    """A piece of a frame that is no message of its own."""
    return HEADERS[name]


HEADERS = {
    "HeaderTags": Message("h", -1, "HeaderTags", 0, 0, ((0, 0),), ""),
    "ErrorOnly": Message("h", -1, "ErrorOnly", 0, 0, (), "ErrorCode:h"),
}
"""The tag section that ends a flexible header; the error code of an answer that is otherwise not understood."""


def api_name(key: int) -> str:
    found = request(key)
    return found.name if found else f"unknown API {key}"


@cache
def api_names() -> dict[int, str]:
    """Every API's name by its key."""
    return {one.key: one.name for one in messages() if one.kind == "q"}
