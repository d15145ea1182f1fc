"""Regular expressions of `matches`: Wireshark's are PCRE2 over bytes, without regard to case; these are Python's, with what differs refused.

Text is matched in UTF-8. A repetition of a repetition, which may take forever, is refused. A pattern with several repetitions is stopped after 100 ms
a value where signals can be had (in the main thread of a process); the value then does not match.
"""
from __future__ import annotations

import re
import signal
import threading
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from captures.filter.errors import FilterError

__all__ = ["Search", "compiled"]

Search = Callable[[Any], bool]
PATIENCE = 0.1
SHORT = 64
"""Bytes up to which no such pattern takes long."""
FOREIGN = (
    (re.compile(rb"(?<!\\)(?:\\\\)*\[\[:(\w+):\]"), "POSIX classes are not supported"),
    (re.compile(rb"(?<!\\)(?:\\\\)*(\\[KRXGhHvVNCpPQEgkzZ])"), "is not supported"),
    (re.compile(rb"(?<!\\)(?:\\\\)*(\(\*\w+)"), "verbs are not supported"),
)
LEADING = re.compile(rb"\(\?(i?)(-i)?\)")
REPEATED = re.compile(rb"(?<!\\)(?:\\\\)*(?:[*+]|\{\d*,\})")
NESTED = re.compile(rb"(?<!\\)(?:[*+]|\{\d*,\d*\})\??\)(?:[*+]|\{\d*,)")


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
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            made = re.compile(body, flags)
    except re.error as error:
        at = (error.pos or 0) + len(pattern) - len(body)
        raise FilterError(f"Regex compilation error: {error.msg} (column {at + 1})", min(start + at, end), min(start + at + 1, end)) from None
    except (FutureWarning, DeprecationWarning, OverflowError, RecursionError, ValueError) as error:
        raise FilterError(f"Regex compilation error: {error}", start, end) from None
    nested = NESTED.search(pattern)
    if nested is not None:
        at = min(start + nested.start(), end)
        raise FilterError(f"A repetition of a repetition may take forever (column {nested.start() + 1})", at, min(at + len(nested[0]), end))
    search = made.search
    risky = len(REPEATED.findall(body)) > 1

    def found_in(value: Any) -> bool:
        data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        if risky and len(data) > SHORT:
            return _guarded(search, data)
        return search(data) is not None
    return found_in


class _TooLong(Exception):
    pass


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise _TooLong


def _guarded(search: Callable[[bytes], Any], data: bytes) -> bool:
    """The search, given up after PATIENCE seconds."""
    if threading.current_thread() is not threading.main_thread():
        return search(data) is not None
    before = signal.signal(signal.SIGALRM, _stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        try:
            return search(data) is not None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except _TooLong:
        return False
    finally:
        signal.signal(signal.SIGALRM, before)
