"""Regular expressions of `matches`: Wireshark's are PCRE2 over bytes, without regard to case; these are Python's, with what differs refused.

Text is matched in UTF-8. Every pattern that Python knows is taken: `captures.patterns` sees to it that its search ends.
"""
from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from captures.filter.language.errors import FilterError
from captures.patterns import pattern_of

__all__ = ["Search", "compiled"]

Search = Callable[[Any], bool]
FOREIGN = (
    (re.compile(rb"(?<!\\)(?:\\\\)*(\\[KRXGhHvVNCpPQEgkzZ])"), "is not supported"),
    (re.compile(rb"(?<!\\)(?:\\\\)*(\(\*\w+)"), "verbs are not supported"),
)
LEADING = re.compile(rb"\(\?(i?)(-i)?\)")


def compiled(pattern: bytes, start: int, end: int) -> Search:
    """The search for a pattern. Raises FilterError; `start` is where the pattern's text begins in the filter, `end` where it ends."""
    for foreign, why in FOREIGN:
        found = foreign.search(pattern)
        if found:
            raise FilterError(f"Regex compilation error: {found[1].decode('latin-1')} {why} (column {found.start(1) + 1})", start, end)
    flags = re.IGNORECASE
    body = pattern
    option = LEADING.match(pattern)
    if option and (option[1] or option[2]):
        body = pattern[option.end():]
        flags = re.NOFLAG if option[2] else re.IGNORECASE
    try:
        made = pattern_of(body, flags)
    except re.error as error:
        at = (error.pos or 0) + len(pattern) - len(body)
        raise FilterError(f"Regex compilation error: {error.msg} (column {at + 1})", min(start + at, end), min(start + at + 1, end)) from None
    except (FutureWarning, DeprecationWarning, OverflowError, RecursionError, ValueError) as error:
        raise FilterError(f"Regex compilation error: {error}", start, end) from None

    def found_in(value: Any) -> bool:
        """Raises Endless."""
        return made.span(value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value) is not None
    return found_in
