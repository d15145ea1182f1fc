"""The other process of `captures.filter.parallel.pool`: forked with the capture in its memory, it runs one filter after another and writes what it finds.

The program that forks has threads, and the child has only the one that forked: a lock that another thread held at that moment stays locked in it. So the thread
that forks holds the capture's own locks meanwhile, and all decoders are loaded before. A lock of the interpreter's (that of a module which another thread is
importing) can still be caught; the child then stands still, and `pool` gives it up when it has not answered in time. On macOS, system libraries may refuse to
work in such a child: there a filter can lose its process, which `pool` says. Signal handlers and descriptors are let go at once, and the child leaves by
`os._exit`. It ends with its parent: the pipe of requests is closed then, and once a second of work it looks whether the parent is still the same.
"""
from __future__ import annotations

import gc
import json
import os
import pickle
import select
import signal
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn, cast

from captures.capture import Capture
from captures.file.errors import CaptureError
from captures.filter.compile.compiled import compile_filter
from captures.filter.run.run import FilterRun
from captures.values.field_names import Names
from captures.values.store import Store

__all__ = ["FAULT", "HEAD", "LENGTH", "NICE", "READ", "forked"]

LENGTH = struct.Struct("<I")
"""In front of a request: JSON, its length in bytes. [number, text, by message, first packet, end, selected packet or null, share], or [number]: stop."""
HEAD = struct.Struct("<cqqq")
"""In front of an answer: its kind, the request's number, packets decided, bytes that follow: packet indices as int64 (STEP), UTF-8 text (FAULT), or
a pickled dictionary (READ): by the name of a column of `captures.values.store` the `News` of it, for whoever asks for these values next."""
STEP, READ, FAULT = b"s", b"r", b"f"
NICE = 5
"""The screen goes first."""
TICK = 1.0
"""Seconds between two looks at whether the work is still wanted."""
LEFT = 3
"""Looks in a row that find the run given up and its step not ended, until the process ends itself."""


def forked(capture: Capture, names: Names, nice: int) -> tuple[int, int, int] | None:
    """A process that serves filters of the capture as it is now: its id, where requests are written and answers read. None where there can be none."""
    if not hasattr(os, "fork"):
        return None
    capture.load()
    theirs, requests = os.pipe()
    answers, out = os.pipe()
    parent = os.getpid()
    try:
        with _unwarned(), capture.frozen():
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())    # a handler of the parent's must not run in the child
            try:
                pid = os.fork()
            finally:
                if os.getpid() == parent:
                    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if not pid:
            _live(Server(capture, names, theirs, out), parent, mask, nice)
    except OSError:     # no memory, or too many processes
        os.close(requests)
        os.close(answers)
        return None
    finally:
        os.close(theirs)
        os.close(out)
    return pid, requests, answers


@contextmanager
def _unwarned() -> Iterator[None]:
    """Python 3.12 and later warn of locks that other threads may hold at a fork; those that the child takes are held here. Only one entry is added and taken
    out again: `warnings.catch_warnings` puts back the whole list, and so would undo or keep for good what another thread does to it meanwhile."""
    before = list(warnings.filters)
    warnings.filterwarnings("ignore", r"This process .* is multi-threaded", DeprecationWarning)
    added = [one for one in warnings.filters if one not in before]
    try:
        yield
    finally:
        for one in added:
            with suppress(ValueError):      # gone with another thread's list
                cast("list[Any]", warnings.filters).remove(one)


def _live(server: Server, parent: int, mask: set[Any], nice: int) -> NoReturn:
    """Be the child."""
    try:
        signal.set_wakeup_fd(-1)        # it is the parent's event loop that would be woken
        for number in signal.valid_signals():
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, lambda _number, _frame: server.look(parent))
        _let_go(server.requests, server.answers)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.nice(nice)
        Store.of(server.capture).tell()
        gc.freeze()                     # what came with the fork stays shared: the collector would write into every page of it
        server.serve()
    finally:
        os._exit(1)                     # whatever happened, none of the parent's frames below may go on


def _let_go(*kept: int) -> None:
    """Close what was open in the parent: the terminal above all. Mapped files stay mapped."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        if standard not in kept:
            os.dup2(nowhere, standard)
    low = 3
    for end in (*sorted(kept), os.sysconf("SC_OPEN_MAX")):
        os.closerange(low, end)
        low = max(low, end + 1)


class Server:
    """Reads requests, runs filters, and writes answers; `serve` ends when the pipe of requests does."""

    def __init__(self, capture: Capture, names: Names, requests: int, answers: int) -> None:
        self.capture, self.names = capture, names
        self.requests, self.answers = requests, answers
        self._ready = select.poll()
        self._ready.register(requests, select.POLLIN)
        self._left = 0

    def serve(self) -> None:
        while (length := self._read(LENGTH.size)) and (data := self._read(LENGTH.unpack(length)[0])):
            number, *asked = json.loads(data)
            if asked:
                self._answer(number, *asked)

    def look(self, parent: int) -> None:
        """End when there is no parent any more, or a step goes on although its run was given up."""
        self._left = self._left + 1 if self._ready.poll(0) else 0
        if os.getppid() != parent or self._left > LEFT:
            os._exit(1)

    def _answer(self, number: int, text: str, by_message: bool, first: int, end: int, reference: int | None, share: list[int]) -> None:
        """Run one filter until its end, or until another request is there."""
        self._left = 0
        signal.setitimer(signal.ITIMER_REAL, TICK, TICK)
        try:
            self._write(STEP, number, first)
            run = FilterRun(self.capture, compile_filter(text, self.names, by_message=by_message), first, end, reference, (share[0], share[1]))
            for packets in run:
                if self._ready.poll(0):
                    return
                if news := run.news():
                    self._write(READ, number, run.done, pickle.dumps(news, pickle.HIGHEST_PROTOCOL))
                self._write(STEP, number, run.done, packets.astype("i8", copy=False).tobytes())
        except BrokenPipeError:
            os._exit(0)
        except CaptureError as fault:
            self._write(FAULT, number, 0, str(fault).encode())
        except Exception as fault:  # whatever a test does with a value, the process stays
            self._write(FAULT, number, 0, f"{type(fault).__name__}: {fault}".encode())
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _write(self, kind: bytes, number: int, done: int, body: bytes = b"") -> None:
        data = memoryview(HEAD.pack(kind, number, done, len(body)) + body)
        while data:
            data = data[os.write(self.answers, data):]

    def _read(self, size: int) -> bytes:
        """So many bytes of requests; b"" at the end."""
        data = b""
        while len(data) < size:
            more = os.read(self.requests, size - len(data))
            if not more:
                return b""
            data += more
        return data
