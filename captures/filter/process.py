"""Filters that must decode, run in a process beside the program, so that they never compete with the screen for the interpreter's lock.

The process is forked (`captures.filter.serving`) when the first such filter is asked for: index, file and decoders are in its memory at once, at no cost,
and what it reads for one filter it keeps for the next. Requests and the numbers of the packets found cross two pipes. What the index alone answers is found
here, without the process; when the capture has more packets than at the fork, or is decoded in another way, another process takes over.
"""
from __future__ import annotations

import json
import os
import select
import signal
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from captures.capture import Capture
from captures.errors import CaptureError
from captures.filter import Filter, FilterRun, Names
from captures.filter.indexed import BLOCK, Block
from captures.filter.nodes import printed
from captures.filter.run import Store
from captures.filter.serving import END, FAULT, HEAD, LENGTH, forked

__all__ = ["FilterProcess", "ProcessRun"]

Array = NDArray[Any]

WAIT = 0.02
"""Seconds that a run waits for an answer before it gives an empty step."""
RESPONSE = 3.0
"""Seconds after which a process that still has not left another filter's step is ended."""
ATTEMPTS = 2
"""Processes that are tried, before a filter runs in this one."""
NOTHING = np.zeros(0, np.int64)


class Answer(NamedTuple):
    kind: bytes
    done: int
    body: bytes


class Ended(Exception):
    """The process is no more; the text says why."""


class FilterProcess:
    """The process for the filters of one capture; `run` makes runs, of which one is served at a time."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self._child: Child | None = None
        self._state: tuple[Any, ...] = ()
        self._number = 0
        self._writing = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The process, if there is one."""
        return self._child.pid if self._child is not None else None

    def run(self, filter_: Filter, names: Names, first: int = 0, reference: int | None = None) -> ProcessRun:
        """`filter_`, compiled with `names`, over the packets from `first` on; nothing happens before the run is iterated."""
        return ProcessRun(self, filter_, names, first, reference)

    def close(self) -> None:
        """End the process; a run that it serves ends with it."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()

    def request(self, run: ProcessRun) -> Child | None:
        """Have a run served; None where a process cannot be had, or the run was stopped meanwhile."""
        if run.stopped:
            return None
        state = _state(self.capture)
        if self._child is not None and self._state != state:
            self.close()
        child = self._child
        if child is None:
            made = forked(self.capture, run.names)
            if made is None:
                return None
            self._state, self._child = state, (child := Child(*made))
        assert run.filter.node is not None
        with self._writing:
            self._number += 1
            run.number = self._number
            child.send([run.number, printed(run.filter.node), run.filter.per_message, run.done, run.total, run.reference])
        if run.stopped:
            self.stop(run)
            return None
        return child

    def stop(self, run: ProcessRun) -> None:
        """Never waits: while a request is being written, its writer looks for this afterwards."""
        run.stopped = True
        if self._writing.acquire(blocking=False):
            if self._child is not None and run.number:
                self._child.stop(run.number)
            self._writing.release()


class ProcessRun:
    """One filter over one capture, with the outside of a `FilterRun`. A step that takes long gives empty ones meanwhile."""

    def __init__(self, process: FilterProcess, filter_: Filter, names: Names, first: int, reference: int | None) -> None:
        self.filter = filter_
        self.total = len(process.capture)
        self.done = first
        self.found = 0
        self.names = names
        self.reference = reference
        self.number = 0
        """Of the request; 0 before there is one."""
        self.stopped = False
        self._begun = False
        self._process = process

    def stop(self) -> None:
        """Have it end with the step under way; to be used from any thread."""
        self._process.stop(self)

    def __iter__(self) -> Iterator[Array]:
        """Raises CaptureError for a filter that cannot be brought to its end."""
        yield from self._indexed()
        for _ in range(ATTEMPTS):
            child = self._process.request(self) if self.done < self.total else None
            if child is None:
                break
            try:
                yield from self._answers(child)
                return
            except Ended as end:
                self._process.close()
                if self._begun:
                    raise CaptureError(f"the filter's process {end} after {self.done:,} packets") from None
        if self.done < self.total and not self.stopped:
            yield from self._here()

    def _indexed(self) -> Iterator[Array]:
        """What the index alone tells, up to the first block with a packet that must be read."""
        capture, filter_ = self._process.capture, self.filter
        structure = Store.of(capture).structure
        addresses: dict[Any, tuple[Array, Array]] = {}
        for low in range(self.done - self.done % BLOCK, self.total, BLOCK):
            start, high = max(low, self.done), min(low + BLOCK, self.total)
            yes, maybe = Block(capture._index, structure, filter_.fields, start, high, addresses).judge(filter_.logic)
            if self.stopped or (maybe is not None and maybe.any()):
                return
            yield self._step(np.flatnonzero(yes) + start, high)

    def _answers(self, child: Child) -> Iterator[Array]:
        """What the process finds. Raises Ended."""
        asked = time.monotonic()
        while not self.stopped:
            answer = child.receive(self.number, WAIT)
            if answer is None:
                if not self._begun and time.monotonic() - asked > RESPONSE:
                    raise Ended("does not answer")
                yield NOTHING
                continue
            self._begun = True
            if answer.kind == END:
                return
            if answer.kind == FAULT:
                raise CaptureError(answer.body.decode())
            yield self._step(np.frombuffer(answer.body, np.int64), answer.done)

    def _here(self) -> Iterator[Array]:
        """In this process, where there can be no other."""
        run = FilterRun(self._process.capture, self.filter, self.done, self.total, self.reference)
        for packets in run:
            yield self._step(packets, run.done)
            if self.stopped:
                return

    def _step(self, packets: Array, done: int) -> Array:
        self.done = done
        self.found += len(packets)
        return packets


class Child:
    """The process as its parent sees it."""

    def __init__(self, pid: int, requests: int, answers: int) -> None:
        self.pid = pid
        self._requests, self._answers = requests, answers
        self._buffer = bytearray()
        self._ready = select.poll()
        self._ready.register(answers, select.POLLIN)
        os.set_blocking(requests, False)
        weakref.finalize(self, _closed, os.getpid(), requests, answers)
        self._ended = weakref.finalize(self, _ended, os.getpid(), pid)      # at exit, at the latest

    def kill(self) -> None:
        """Who still waits for an answer learns that it ended; it is buried when nobody does."""
        if self._ended.alive:
            os.kill(self.pid, signal.SIGKILL)

    def send(self, request: list[Any]) -> None:
        """Only in the thread that receives."""
        data = memoryview(_framed(request))
        while data:
            try:
                data = data[os.write(self._requests, data):]
            except BlockingIOError:     # it may itself be waiting for answers to be taken
                if self._ready.poll(WAIT * 1000):
                    self._take()
            except BrokenPipeError:     # it is gone, as `receive` will find
                return

    def stop(self, number: int) -> None:
        try:
            os.write(self._requests, _framed([number]))
        except (BlockingIOError, BrokenPipeError):      # what fills the pipe stops it as well
            pass

    def receive(self, number: int, seconds: float) -> Answer | None:
        """The next answer to a request, None if there is none in time; those to earlier requests are passed over. Raises Ended."""
        end = time.monotonic() + seconds
        while True:
            while len(self._buffer) >= HEAD.size:
                kind, to, done, length = HEAD.unpack_from(self._buffer)
                if len(self._buffer) < HEAD.size + length:
                    break
                body = bytes(self._buffer[HEAD.size : HEAD.size + length])
                del self._buffer[: HEAD.size + length]
                if to == number:
                    return Answer(kind, done, body)
            left = end - time.monotonic()
            if left <= 0 or not self._ready.poll(left * 1000):
                return None
            self._take()

    def _take(self) -> None:
        """Read what there is. Raises Ended."""
        data = os.read(self._answers, 1 << 20)
        if not data:
            status = self._ended()
            raise Ended(f"was ended by signal {-status}" if status and status < 0 else "ended")
        self._buffer += data


def _framed(request: list[Any]) -> bytes:
    data = json.dumps(request).encode()
    return LENGTH.pack(len(data)) + data


def _ended(owner: int, pid: int) -> int:
    """End a child and take note of it: its exit status, or minus the signal that ended it. Nothing in a process that only inherited this."""
    if os.getpid() != owner:
        return 0
    try:
        os.kill(pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except (ProcessLookupError, ChildProcessError):
        return 0


def _closed(owner: int, *descriptors: int) -> None:
    if os.getpid() == owner:
        for one in descriptors:
            os.close(one)


def _state(capture: Capture) -> tuple[Any, ...]:
    """What of a capture must be as it was at the fork."""
    return len(capture), capture.complete, dict(capture._forced)
