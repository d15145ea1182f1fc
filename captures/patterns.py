"""Regular expressions of the user's, for filters and for Find: in general the meaning of Python's `re`, and every search comes to an end.

`re` decides whether a pattern is one, and searches those that repeat nothing, as plain words are. Of the others, what RE2 understands in the same way is
searched by it: its time grows with the data alone, whatever the pattern. The rest (back references, look-around, `$`, `\\s`, POSIX classes, bytes beyond
ASCII) is searched by the package `regex`, which is told to give up after LIMIT seconds. It looks at the clock between its steps, and a long run of one
class is one step: in values of up to a megabyte it is punctual within half a second, in ten megabytes it may take ten times as long. Other threads go
on meanwhile (pauses of 0.01 s at most were measured in 10 MB). Both are imported when a pattern needs them.

RE2 means something else than `re`, and is therefore not asked, for: `$` (only the very end of the data), `\\s` (no vertical tab), `{,n}` (literal), case
of bytes from 0x80 on (Latin-1 letters have two), and in text `\\d`, `\\w` and `\\b` (ASCII alone). A brace after which no number comes is escaped for
`regex`, where it is an approximate match. What remains different, of patterns that repeat something: in text beyond ASCII, `regex` has other members in
`\\w` and `\\s` (U+00B2, U+0301, U+001C), and the Turkish letters U+0130 and U+0131 are no `i` when case does not count; `\\B` matches an empty value; a
repeated group that may match nothing can end elsewhere.
"""
from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any, Protocol

from captures.file.errors import CaptureError
from protocols.engine.printable import printable

__all__ = ["Endless", "Pattern", "pattern_of"]

LIMIT = 1.0
"""Seconds that one search may take."""
SHOWN = 40
"""Characters of a pattern that a message shows."""
POSIX = re.compile(r"\[\^?(?:\[:\^?\w+:\])+")
REPEATS = re.compile(rb"[*+?{]")
"""Without one of these a pattern is tried at each place once."""
OTHERWISE = re.compile(rb"\$|\\[sSxuUN0-7Z]|\{,|[\x80-\xff]|\[:|\(\?[a-zA-Z]*[Lau]")
"""What RE2 may take in another sense than `re`, in bytes."""
OTHERWISE_TEXT = re.compile(rb"\\[dDwWbB]")
"""The same in text, besides."""
BRACE = re.compile(rb"(?<!\\)((?:\\\\)*)\{(?![\d,])")


class Endless(CaptureError):
    """A pattern took too long on a value. `decided` is how many packets were decided before, when that is known."""

    def __init__(self, pattern: bytes, decided: int | None = None) -> None:
        self.pattern = pattern
        text = printable(pattern.decode("utf-8", "replace"))
        text = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
        place = f" after {decided:,} packets" if decided is not None else ""
        super().__init__(f'the pattern "{text}" takes too long on a value: given up{place}')


class Pattern(Protocol):
    """A compiled pattern."""

    def span(self, data: Any) -> tuple[int, int] | None:
        """Where the first match lies, in bytes or characters; None without one. Raises Endless."""

    def spans(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where matches lie, one after the other. Raises Endless."""


class _Plain:
    """Searched by `re`."""

    def __init__(self, made: re.Pattern[Any]) -> None:
        self._made = made

    def span(self, data: Any) -> tuple[int, int] | None:
        found = self._made.search(data)
        return found.span() if found is not None else None

    def spans(self, data: bytes) -> Iterator[tuple[int, int]]:
        return (found.span() for found in self._made.finditer(data))


class _Linear:
    """Searched by RE2."""

    def __init__(self, made: Any) -> None:
        self._made = made

    def span(self, data: Any) -> tuple[int, int] | None:
        try:
            found = self._made.search(data)
        except UnicodeEncodeError:      # a lone surrogate, which UTF-8 does not write: another character that no pattern means
            found = self._made.search("".join("\ufffd" if "\ud800" <= one <= "\udfff" else one for one in data))
        return found.span() if found is not None else None

    def spans(self, data: bytes) -> Iterator[tuple[int, int]]:
        return (found.span() for found in self._made.finditer(data))


class _Limited:
    """Searched by `regex`, for LIMIT seconds at most."""

    def __init__(self, made: Any, pattern: bytes) -> None:
        self._made = made
        self._pattern = pattern

    def span(self, data: Any) -> tuple[int, int] | None:
        try:
            found = self._made.search(data, timeout=LIMIT, concurrent=True)
        except TimeoutError:
            raise Endless(self._pattern) from None
        return found.span() if found is not None else None

    def spans(self, data: bytes) -> Iterator[tuple[int, int]]:
        try:
            for found in self._made.finditer(data, timeout=LIMIT, concurrent=True):
                yield found.span()
        except TimeoutError:
            raise Endless(self._pattern) from None


def _checked(pattern: bytes | str, flags: int) -> re.Pattern[Any]:
    """What `re` makes of the pattern, POSIX classes, which it does not know, as other classes. Raises re.error, a Warning or an OverflowError,
    RecursionError or ValueError for what is no pattern."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if isinstance(pattern, bytes):
            return re.compile(_other_classes(pattern.decode("latin-1")).encode("latin-1"), flags)
        return re.compile(_other_classes(pattern), flags)


def _other_classes(pattern: str) -> str:
    """The pattern with letters in place of what opens a POSIX class, as long as before: errors keep their places."""
    return POSIX.sub(lambda found: "[" + "x" * (len(found[0]) - 1), pattern)


def pattern_of(pattern: bytes | str, flags: int = 0) -> Pattern:
    """The search for a pattern (bytes in bytes, text in text); `flags` are those of `re`: IGNORECASE, DOTALL. Raises re.error, a Warning, or an
    OverflowError, RecursionError or ValueError, for what is no pattern."""
    plain = _checked(pattern, flags)
    raw = pattern.encode("utf-8", "surrogatepass") if isinstance(pattern, str) else pattern
    text = isinstance(pattern, str)
    if not REPEATS.search(raw) and b"[:" not in raw:
        return _Plain(plain)
    if not OTHERWISE.search(raw) and not (text and OTHERWISE_TEXT.search(raw)):
        linear = _linear(raw, flags, text)
        if linear is not None:
            return linear
    import regex

    braced = BRACE.sub(rb"\1\\{", raw)
    asked = (regex.IGNORECASE if flags & re.IGNORECASE else 0) | (regex.DOTALL if flags & re.DOTALL else 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made = regex.compile(braced.decode("utf-8", "surrogatepass") if text else braced, asked | regex.VERSION0)
        except regex.error as fault:      # what `re` does not judge: the name of a POSIX class
            raise re.error(fault.msg, pattern, fault.pos) from None
        return _Limited(made, raw)


def _linear(raw: bytes, flags: int, text: bool) -> _Linear | None:
    """The pattern for RE2; None where it does not take it."""
    import re2

    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not flags & re.IGNORECASE
    options.dot_nl = bool(flags & re.DOTALL)
    options.encoding = re2.Options.Encoding.UTF8 if text else re2.Options.Encoding.LATIN1
    try:
        return _Linear(re2.compile(raw.decode("utf-8") if text else raw, options=options))
    except (re2.error, UnicodeError):
        return None
