"""A program on a terminal of its own: a pty whose screen is kept by pyte, with the bytes counted.

Only what a real terminal does is done here: it shows what it is sent and answers the questions it is asked.
"""
from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import pyte

ROOT = str(Path(__file__).resolve().parent.parent)
# pyte knows no private modes with > < = and no DECRQM, and would print them
STRANGE = re.compile(rb"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*\$p")


class Terminal:
    """Runs `argv` on a terminal of `columns` x `rows`. Use as a context manager: the program is killed on leaving."""

    def __init__(self, argv: Sequence[str], columns: int = 120, rows: int = 40, env: Mapping[str, str] | None = None) -> None:
        kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR", "TMUX", "TEXTUAL_DRIVER", "DISPLAY")}
        self.environment = {**kept, "TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": ROOT, **(env or {})}
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.sent = bytearray()
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], list(argv), self.environment)
        self.resize(columns, rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self.master)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def read(self, seconds: float) -> bytes | None:
        """What the program writes within a time; b"" for nothing, None when it has ended."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return b""
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:
            return None
        if b"\x1b[?2026$p" in data:
            os.write(self.master, b"\x1b[?2026;2$y")
        self.sent += data
        self._stream.feed(STRANGE.sub(b"", data))
        return data or None

    def settle(self, quiet: float = 0.25, limit: float = 10.0) -> int:
        """Read until the program is silent for `quiet` seconds; returns how many bytes it wrote."""
        end, count = time.monotonic() + limit, 0
        while time.monotonic() < end:
            data = self.read(quiet)
            if not data:
                break
            count += len(data)
        return count

    def wait_for(self, text: str, limit: float = 10.0) -> None:
        """Read until the screen shows `text`; AssertionError with the screen after `limit` seconds."""
        end = time.monotonic() + limit
        while text not in self.text():
            if self.read(0.05) is None or time.monotonic() > end:
                raise AssertionError(f"{text!r} is not on the screen:\n{self.text()}")

    def press(self, keys: bytes, quiet: float = 0.25) -> int:
        """Type, and read until it is quiet; returns how many bytes the program wrote."""
        os.write(self.master, keys)
        return self.settle(quiet)

    def text(self) -> str:
        """The screen, lines without trailing blanks."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def exit_status(self, limit: float = 5.0) -> int:
        """Wait for the program's end, reading what it still writes; its exit status, or minus the signal."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
        raise AssertionError(f"the program has not ended:\n{self.text()}")
