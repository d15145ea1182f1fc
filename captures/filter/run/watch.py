"""Ends the search for a pattern that does not come to an end, such as `(a+)+b` in a row of `a`.

`re` looks at signals while it searches. A timer of processor time runs while searches do; one that is still under way from one of its signals to
the next is ended. So a search costs next to nothing, and has between one and two times LIMIT. Python hands signals to the main thread alone, and Windows has no
such timer: searches elsewhere are not watched.
"""
from __future__ import annotations

import re
import signal
import threading
from typing import Any

from captures.file.errors import CaptureError
from protocols.engine.printable import printable

__all__ = ["WATCH", "Endless"]

LIMIT = 1.0
"""Seconds of processor time."""
SHOWN = 40
"""Characters of a pattern that the message shows."""


class Endless(CaptureError):
    """A pattern took too long on a value. `decided` is how many packets were decided before, when that is known."""

    def __init__(self, pattern: bytes, decided: int | None = None) -> None:
        self.pattern = pattern
        text = printable(pattern.decode("utf-8", "replace"))
        text = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
        place = f" after {decided:,} packets" if decided is not None else ""
        super().__init__(f'the pattern "{text}" takes too long on a value: given up{place}')


class Watch:
    """Searches, one at a time."""

    def __init__(self) -> None:
        self._searching: re.Pattern[bytes] | None = None
        self._number = 0
        self._noted = 0
        self._before: Any = None
        self._running = False

    def search(self, pattern: re.Pattern[bytes], data: bytes) -> bool:
        """Whether the pattern occurs. Raises Endless."""
        if threading.current_thread() is not threading.main_thread():
            return pattern.search(data) is not None
        self._number += 1
        if not self._running:
            self._run()
        self._searching = pattern
        try:
            return pattern.search(data) is not None
        finally:
            self._searching = None

    def forget(self) -> None:
        """In a process just forked no timer runs."""
        self._running, self._searching = False, None

    def _run(self) -> None:
        if hasattr(signal, "setitimer"):
            self._running, self._noted = True, self._number
            self._before = signal.signal(signal.SIGVTALRM, self._look) or signal.SIG_DFL
            signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT, LIMIT)

    def _look(self, _number: int, _frame: Any) -> None:
        searching, again = self._searching, self._noted == self._number
        self._noted = self._number
        if not again:
            return
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, self._before)
        self._running = False
        if searching is not None:
            raise Endless(searching.pattern)


WATCH = Watch()
