"""The start line and the header fields of a message (RFC 9112 sections 2 to 5), with the place of each.

Bytes are read as ISO-8859-1, so that one byte is one character. A line may end with LF alone; a line that begins with a space goes on with the field before.
"""
from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["HEAD_MOST", "Head", "HeaderLine", "Line", "head", "header_lines", "start_like"]

HEAD_MOST = 1 << 20
"""Bytes of a head beyond which no end of it is looked for."""
LINE_MOST = 1 << 16
_LEADING = re.compile(rb"(?:\r?\n){0,2}")
_REQUEST = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,40}) +(\S(?:[^\r\n]*\S)?) +(HTTP/1\.[0-9])[ \t]*\r?\n?\Z")
_RESPONSE = re.compile(rb"(HTTP/1\.[0-9]|ICY) +([1-5][0-9]{2})(?: ([^\r\n]*))?\r?\n?\Z")
_END = re.compile(rb"\n\r?\n")
_BEGINS = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,40}(?: |\Z)")


@dataclass(frozen=True, slots=True)
class HeaderLine:
    """A header field: `start` to `end` with its line end; the value's own bytes are `at` to `stop`. `name` is in lower case, `value` has folded lines
    joined. `fault` is "" for a field without one."""

    name: str
    value: str
    start: int
    end: int
    at: int
    stop: int
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A start line: `words` are its three parts as (text, start, end); a phrase that is not there is empty."""

    request: bool
    words: tuple[tuple[str, int, int], ...]
    start: int
    end: int


@dataclass(slots=True)
class Head:
    """`line` is None where bytes are no start line. `end` is the position of the body, or where bytes run out; `whole` says which."""

    line: Line | None
    fields: list[HeaderLine] = field(default_factory=list)
    end: int = 0
    whole: bool = False

    def values(self, name: str) -> list[str]:
        return [one.value for one in self.fields if one.name == name]

    def value(self, name: str) -> str:
        """All values of a field, joined as a list."""
        return ", ".join(self.values(name))

    def tokens(self, name: str) -> list[str]:
        """The members of a list field in lower case."""
        return [one.strip().lower() for one in self.value(name).split(",") if one.strip()]

    @property
    def code(self) -> int:
        return int(self.line.words[1][0]) if self.line is not None and not self.line.request else 0

    @property
    def method(self) -> str:
        return self.line.words[0][0] if self.line is not None and self.line.request else ""


def start_like(data: bytes, request: bool) -> bool | None:
    """Whether bytes start a message; None where more of them are needed to tell."""
    at = _LEADING.match(data).end()                        # type: ignore[union-attr]
    stop = data.find(b"\n", at, at + LINE_MOST)
    if stop >= 0:
        return (_REQUEST if request else _RESPONSE).match(data[at:stop + 1]) is not None
    if len(data) - at >= LINE_MOST:
        return False
    rest = data[at:]
    if request:
        return None if not rest or _BEGINS.match(rest) else False
    return None if rest[:7] == b"HTTP/1."[:len(rest)] or rest[:4] == b"ICY "[:len(rest)] else False


def head(data: bytes, start: int, end: int) -> Head:
    """The head of the message at `start`."""
    first = _LEADING.match(data, start, end).end()         # type: ignore[union-attr]
    stop = data.find(b"\n", first, min(end, first + LINE_MOST))
    after = stop + 1 if stop >= 0 else end
    text = data[first:after]
    for request, found in ((True, _REQUEST.match(text)), (False, _RESPONSE.match(text))):
        if found is not None:
            words = tuple((str(found[i] or b"", "latin-1"), first + max(0, found.start(i)), first + max(0, found.end(i))) for i in (1, 2, 3))
            out = Head(Line(request, words, first, after))
            out.fields, out.end, out.whole = header_lines(data, after, end)
            return out
    return Head(None, [], start, False)


def head_end(data: bytes) -> int:
    """The position after the empty line that ends the head, -1 when it is not there."""
    at = _LEADING.match(data).end()                        # type: ignore[union-attr]
    found = _END.search(data, at, at + HEAD_MOST)
    return found.end() if found is not None else -1


def header_lines(data: bytes, at: int, end: int) -> tuple[list[HeaderLine], int, bool]:
    """Header fields up to and with the empty line; the position after it, and whether it was there."""
    out: list[HeaderLine] = []
    while at < end:
        stop = data.find(b"\n", at, end)
        if stop < 0:
            return out, at, False
        if data[at:stop] in (b"", b"\r"):
            return out, stop + 1, True
        after = stop + 1
        folded = False
        while after < end and data[after] in b" \t":
            stop = data.find(b"\n", after, end)
            if stop < 0:
                return out, at, False
            after, folded = stop + 1, True
        out.append(_header(data, at, after, folded))
        at = after
    return out, at, False


def _header(data: bytes, start: int, end: int, folded: bool) -> HeaderLine:
    line = data[start:end]
    colon = line.find(b":")
    name = str(line[:colon] if colon >= 0 else line.rstrip(b"\r\n"), "latin-1")
    stop = start + len(line.rstrip(b"\r\n \t"))
    at = min(stop, start + colon + 1 + (len(line[colon + 1:]) - len(line[colon + 1:].lstrip(b" \t")))) if colon >= 0 else stop
    value = str(data[at:stop], "latin-1")
    fault = ""
    if colon <= 0:
        fault = "no name and colon"
    elif name != name.rstrip():
        fault = "a space before the colon"
    elif folded:
        fault, value = "a folded line", re.sub(r"\s*\r?\n\s+", " ", value)
    elif not line.endswith(b"\r\n"):
        fault = "a line feed without carriage return"
    elif re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
        fault = "a control character"
    return HeaderLine(name.strip().lower(), value, start, end, at, stop, fault)
