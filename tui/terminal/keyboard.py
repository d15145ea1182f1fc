"""The terminal that keys come from and its state before the program, taken before the first picture is drawn.

Keys come from file descriptor 0. Where that is no terminal (`while read f; do protoview $f; done < list`), the controlling terminal is put in its place.
Echo and line editing end here and not with the application's start a second later, so that what is typed meanwhile is neither seen nor lost.
"""
from __future__ import annotations

import io
import os
import shutil
import signal
import sys
import termios
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["before", "give_back", "has_screens", "on_end", "quiet", "size_of", "take"]

USUAL = (80, 24)
before: list[Any] | None = None
"""The terminal's attributes as they were found; None while nothing was changed."""


def has_screens(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether there is a terminal that can show screens and send keys: no `dumb` one, and one to be opened where standard input is none."""
    if environ.get("TERM") == "dumb":
        return False
    try:
        if os.isatty(0):
            return True
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def take() -> None:
    """Make file descriptor 0 the terminal. What stood there is closed for this process only."""
    if os.isatty(0):
        return
    terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    if terminal:
        os.dup2(terminal, 0)
        os.close(terminal)
    if sys.__stdin__ is None:
        sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.FileIO(0, closefd=False))  # type: ignore[misc]


def quiet() -> None:
    """End echo and line editing. Ctrl-C still interrupts: nothing else could while a file is slow to open."""
    global before
    try:
        found = termios.tcgetattr(0)
    except termios.error:
        return
    before = found
    raw = list(found)
    raw[0] &= ~(termios.ICRNL | termios.INLCR | termios.IGNCR | termios.IXON)
    raw[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
    termios.tcsetattr(0, termios.TCSANOW, raw)


def give_back() -> None:
    """Set the terminal as it was found."""
    if before is not None:
        try:
            termios.tcsetattr(0, termios.TCSANOW, before)
        except termios.error:       # the terminal is gone
            pass


def on_end(work: Callable[[], None]) -> None:
    """Have `work` done when a signal ends the program before the application listens to it."""

    def end(number: int, _frame: object) -> None:
        work()
        os._exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def size_of(descriptor: int) -> tuple[int, int]:
    """Columns and rows of a terminal. Exported COLUMNS and LINES are often stale, so they count only where the terminal says 0 (a serial console, a
    container's), and 80 x 24 where there are none."""
    try:
        columns, rows = os.get_terminal_size(descriptor)
    except OSError:
        columns = rows = 0
    if columns > 0 and rows > 0:
        return columns, rows
    known = shutil.get_terminal_size((0, 0))     # of the environment, else of standard output
    return columns or known.columns or USUAL[0], rows or known.lines or USUAL[1]
