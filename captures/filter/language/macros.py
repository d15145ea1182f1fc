"""Macros: `${name:argument;argument}` (or `${name;argument;argument}`) stands for a text of the user's in which `$1`, `$2` … are the arguments.

They are replaced as text before the filter is read, as in Wireshark, also inside quotes; so an error of the filter must be placed in the text as it was
written: on the whole macro where it lies in one. `${field}` is no macro where a field has the name: it is left to the parser.
"""
from __future__ import annotations

import difflib
import re
from bisect import bisect_right
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace

from captures.filter.language.errors import FilterError, Fix, Trap

__all__ = ["Expansion", "arguments_of", "expanded"]

DEEPEST = 32
LONGEST = 100_000
"""Characters that a filter has at most when its macros are replaced."""
MOST = 1_000
"""Macros that are replaced in one filter."""
SHOWN = 200
"""Characters of a macro's text, or of what is wrong in it, that a message shows."""
CALL = re.compile(r"\$\{([A-Za-z0-9_.-]+)([:;}]?)", re.ASCII)
ARGUMENT = re.compile(r"\$(\d{1,2})", re.ASCII)
QUOTED = re.compile(r"""[rR]?“(?:[^“”\\]|\\.)*”?|[rR]?"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?""", re.DOTALL)
PART = re.compile(r"""(?P<quoted>"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?)|\$?\{|\}|;|[^"'${};]+|.""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Replacement:
    """`text[start:end]` as it was written is `made[first:last]`; `name` is the macro that made it."""

    start: int
    end: int
    first: int
    last: int
    name: str


@dataclass(frozen=True, slots=True)
class Expansion:
    """A filter with its macros replaced."""

    text: str
    pieces: tuple[Replacement, ...]

    def placed(self, error: FilterError) -> FilterError:
        """The error with its place in the text as it was written."""
        start, end, name = self._back(error.start, error.end)
        message = f"In the macro {name}: {error.message[:SHOWN]}" if name else error.message
        return FilterError(message, start, end, self._fix(error.fix), error.incomplete and not name)

    def told(self, trap: Trap) -> Trap:
        start, end, _ = self._back(trap.start, trap.end)
        return replace(trap, start=start, end=end, fix=self._fix(trap.fix))

    def _fix(self, fix: Fix | None) -> Fix | None:
        if fix is None or not self.pieces:
            return fix
        if any(piece.first < max(fix.end, fix.start + 1) and fix.start < piece.last for piece in self.pieces):
            return None     # the text to mend is the macro's, not this filter's
        start, end, _ = self._back(fix.start, fix.end)
        return Fix(start, end, fix.replacement)

    def _back(self, start: int, end: int) -> tuple[int, int, str]:
        """A place as it was written, and the macro in which it lies whole."""
        one, other = self._piece(start), self._piece(max(start, end - 1))
        first = self._shifted(start) if one is None else one.start
        last = self._shifted(end) if other is None else other.end
        return first, max(first, last), one.name if one is not None and one is other else ""

    def _piece(self, at: int) -> Replacement | None:
        found = bisect_right(self.pieces, at, key=lambda piece: piece.first) - 1
        return self.pieces[found] if found >= 0 and at < self.pieces[found].last else None

    def _shifted(self, at: int) -> int:
        found = bisect_right(self.pieces, at, key=lambda piece: piece.last) - 1
        return at if found < 0 else at - self.pieces[found].last + self.pieces[found].end


def arguments_of(text: str) -> int:
    """How many arguments a macro takes."""
    return max((int(found[1]) for found in ARGUMENT.finditer(text)), default=0)


def expanded(text: str, macros: Mapping[str, str], fields: Container[str]) -> Expansion:
    """The filter with its macros replaced. Raises FilterError for a macro that is not there, takes other arguments, or uses itself."""
    if "${" not in text:
        return Expansion(text, ())
    user = User(macros, fields)
    out: list[str] = []
    pieces: list[Replacement] = []
    quoted = [found.span() for found in QUOTED.finditer(text)]
    at = size = 0
    while (call := CALL.search(text, at)) is not None:
        start = call.start()
        inside = any(low <= start < high for low, high in quoted)
        if (call[1] not in macros and (inside or not call[2])) or (user.is_field(call) and not inside):
            made, end = call[0], call.end()
        else:
            given, end = _arguments(text, call)
            made = user.replaced(call[1], given, (start, end), 0)
            pieces.append(Replacement(start, end, size + start - at, size + start - at + len(made), call[1]))
        out += (text[at:start], made)
        size += start - at + len(made)
        at = end
        if size > LONGEST:
            raise FilterError("The macros make a filter that is too long.", start, end)
    out.append(text[at:])
    return Expansion("".join(out), tuple(pieces))


class User:
    """Replaces the user's macros, a bounded number of times."""

    def __init__(self, macros: Mapping[str, str], fields: Container[str]) -> None:
        self.macros = macros
        self.fields = fields
        self.calls = 0

    def is_field(self, call: re.Match[str]) -> bool:
        return call[2] == "}" and call[1] in self.fields

    def replaced(self, name: str, given: list[str], place: tuple[int, int], depth: int) -> str:
        """What stands for one macro with its arguments; `place` is that of the outermost."""
        start, end = place
        body = self.macros.get(name)
        if body is None:
            raise self._unknown(name, given, place, depth)
        wanted = arguments_of(body)
        if wanted != len(given):
            raise FilterError(f"The macro {name} takes {wanted or 'no'} argument{'s' if wanted != 1 else ''}, not {len(given)}: {body[:SHOWN]}", start, end)
        made = ARGUMENT.sub(lambda found: given[int(found[1]) - 1] if int(found[1]) else found[0], body)
        self.calls += 1
        if depth >= DEEPEST or self.calls > MOST:
            raise FilterError(f"The macro {name} uses itself, or too many others.", start, end)
        out, at = [], 0
        while (call := CALL.search(made, at)) is not None:
            out.append(made[at:call.start()])
            if self.is_field(call) or (call[1] not in self.macros and not call[2]):
                out.append(call[0])
                at = call.end()
            else:
                inner, at = _arguments(made, call, place)
                out.append(self.replaced(call[1], inner, place, depth + 1))
            if sum(map(len, out)) > LONGEST:
                raise FilterError("The macros make a filter that is too long.", start, end)
        return "".join(out) + made[at:]

    def _unknown(self, name: str, given: list[str], place: tuple[int, int], depth: int) -> FilterError:
        near = difflib.get_close_matches(name, self.macros, 1, 0.6)
        message = f'"{name}" is {"no macro" if given else "neither a field nor a macro"}.' + (f" Did you mean {near[0]}?" if near else "")
        if depth:
            return FilterError(message, *place)
        start, end = place[0] + 2, place[0] + 2 + len(name)
        return FilterError(message, start, end, Fix(start, end, near[0]) if near else None)


def _arguments(text: str, call: re.Match[str], place: tuple[int, int] | None = None) -> tuple[list[str], int]:
    """The arguments of a macro and where it ends. Quotes and braces inside an argument are its own."""
    if call[2] == "}":
        return [], call.end()
    given, begin, depth = [], call.end(), 0
    for part in PART.finditer(text, call.end()) if call[2] else ():
        sign = part[0]
        if sign in ("{", "${"):
            depth += 1
        elif sign == "}" and depth:
            depth -= 1
        elif sign in (";", "}") and not depth:
            given.append(text[begin:part.start()])
            begin = part.end()
            if sign == "}":
                return given, begin
    start, end = place or (call.start(), min(len(text), call.start() + 2))
    fix = Fix(len(text), len(text), "}") if place is None else None
    raise FilterError("Unclosed ${", start, end, fix, incomplete=place is None)
