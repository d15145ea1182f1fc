"""Filters that must decode, run in processes beside the program: they never compete with the screen for the interpreter's lock, and use more processors.

The processes are forked (`captures.filter.parallel.child`) when the first such filter is asked for: index, file and decoders are in their memory
at once, at no cost, and what one reads for a filter it keeps for the next. Of a large capture each has every n-th stream, always the same. Requests
and the numbers of the packets found cross two pipes a process; what they find is put together as far as all have come. What the index alone answers is
found here, without them; when the capture has more packets than at the fork, or is decoded in another way, others take over.
"""
from __future__ import annotations

import json
import os
import pickle
import select
import signal
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from captures.capture import Capture
from captures.file.errors import CaptureError
from captures.filter.compile.compiled import Filter
from captures.filter.language.nodes import printed
from captures.filter.parallel.child import FAULT, HEAD, LENGTH, NICE, READ, forked
from captures.filter.run.by_index import Block
from captures.filter.run.run import FilterRun, since_shown
from captures.index.known_layers import BLOCK
from captures.values.field_names import Names
from captures.values.store import Store
from captures.values.value_column import News

__all__ = ["FilterPool", "PoolRun", "processes"]

Array = NDArray[Any]

WAIT = 0.02
"""Seconds that a run waits for an answer before it gives an empty step."""
RESPONSE = 3.0
"""Seconds after which a process that still has not left another filter's step is ended."""
ATTEMPTS = 2
"""How often processes are tried, before a filter runs in this one."""
MOST_ASKED = 64
LARGE = 50_000
"""Packets from which on more than one process is worth its start."""
MOST = 4
"""Processes at most: each keeps streams of its own in memory."""
NOTHING = np.zeros(0, np.int64)


class Answer(NamedTuple):
    kind: bytes
    done: int
    body: bytes


class Ended(Exception):
    """A process is no more; the text says why. `begun` is whether it was at work on the filter."""

    def __init__(self, text: str, begun: bool) -> None:
        super().__init__(text)
        self.begun = begun


def processes(packets: int) -> int:
    """How many processes share the work on a capture of so many packets. The environment variable PROTOVIEW_PROCESSES, a number from 1 to MOST_ASKED, says it
    for captures of any size; another value counts as none."""
    asked = os.environ.get("PROTOVIEW_PROCESSES", "")
    if asked.isascii() and asked.isdigit() and 1 <= int(asked) <= MOST_ASKED:
        return int(asked)
    free = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST, free) if packets >= LARGE else 1


class FilterPool:
    """The processes for the filters of one capture, `nice` by so much; `run` makes runs, of which one is served at a time."""

    def __init__(self, capture: Capture, nice: int = NICE) -> None:
        self.capture = capture
        self.nice = nice
        self._children: list[ChildHandle] = []
        self._state: tuple[Any, ...] = ()
        self._number = 0
        self._writing = threading.Lock()

    @property
    def pids(self) -> list[int]:
        """The processes that there are."""
        return [child.pid for child in self._children]

    def run(self, filter_: Filter, names: Names, first: int = 0, reference: int | None = None, last: int | None = None) -> PoolRun:
        """`filter_`, compiled with `names`, over the packets from `first` until before `last`; nothing happens before the run is iterated."""
        return PoolRun(self, filter_, names, first, reference, last)

    def close(self) -> None:
        """End the processes; a run that they serve ends with them."""
        children, self._children = self._children, []
        for child in children:
            child.kill()

    def request(self, run: PoolRun) -> list[ChildHandle]:
        """Have a run served; none where a process cannot be had, or the run was stopped meanwhile. Raises Ended."""
        if run.stopped:
            return []
        state = _state(self.capture)
        if self._children and self._state != state:
            self.close()
        if not self._children:
            self._state = state
            for _ in range(processes(len(self.capture))):
                made = forked(self.capture, run.names, self.nice)
                if made is None:
                    break
                self._children.append(ChildHandle(Store.of(self.capture), *made))
        children = self._children if not since_shown(run.filter) else self._children[:1]
        assert run.filter.node is not None
        text = printed(run.filter.node)
        with self._writing:
            self._number += 1
            run.number = self._number
            for k, child in enumerate(children):
                child.send([run.number, text, run.filter.per_message, run.done, run.total, run.reference, [k, len(children)]])
        if run.stopped:
            self.stop(run)
            return []
        return children

    def stop(self, run: PoolRun) -> None:
        """Never waits: while a request is being written, its writer looks for this afterwards."""
        run.stopped = True
        if self._writing.acquire(blocking=False):
            if run.number:
                for child in self._children:
                    child.stop(run.number)
            self._writing.release()


class PoolRun:
    """One filter over one capture, with the outside of a `FilterRun`. A step that takes long gives empty ones meanwhile."""

    def __init__(self, process: FilterPool, filter_: Filter, names: Names, first: int, reference: int | None, last: int | None) -> None:
        self.filter = filter_
        self.total = len(process.capture) if last is None else min(last, len(process.capture))
        self.done = first
        self.found = 0
        self.names = names
        self.reference = reference
        self.number = 0
        """Of the request; 0 before there is one."""
        self.stopped = False
        self._process = process

    def stop(self) -> None:
        """Have it end with the step under way; to be used from any thread."""
        self._process.stop(self)

    def __iter__(self) -> Iterator[Array]:
        """Raises CaptureError for a filter that cannot be brought to its end."""
        if not since_shown(self.filter):
            yield from self._indexed()
        for _ in range(ATTEMPTS):
            try:
                children = self._process.request(self) if self.done < self.total else []
                if not children:
                    break
                yield from self._answers([ShareResult(child, self.number, self.done, self.total) for child in children])
                return
            except Ended as end:
                self._process.close()
                if end.begun:
                    raise CaptureError(f"the filter's process {end} after {self.done:,} packets") from None
        if self.done < self.total and not self.stopped:
            yield from self._here()

    def _indexed(self) -> Iterator[Array]:
        """What the index and what was read before tell, up to the first block with a packet that must be read."""
        capture, filter_ = self._process.capture, self.filter
        known = FilterRun(capture, filter_, self.done, self.total) if not filter_.references else None
        structure = Store.of(capture).structure
        addresses: dict[Any, tuple[Array, Array]] = {}
        for low in range(self.done - self.done % BLOCK, self.total, BLOCK):
            start, high = max(low, self.done), min(low + BLOCK, self.total)
            yes, maybe = Block(capture.index, structure, filter_.fields, start, high, addresses).evaluate(filter_.logic)
            if self.stopped:
                return
            if maybe is None or not maybe.any():
                yield self._step(np.flatnonzero(yes) + start, high)
                continue
            if known is None or not known.knows(np.flatnonzero(maybe) + start):
                return
            for packets in (run := FilterRun(capture, filter_, start, high)):
                yield self._step(packets, run.done)

    def _answers(self, shares: Sequence[ShareResult]) -> Iterator[Array]:
        """What the processes find, as far as all have come. Raises Ended."""
        asked = time.monotonic()
        while not self.stopped:
            open_ = [share for share in shares if share.open]
            ready = _ready([share.child for share in open_], WAIT)
            for share in open_:
                share.take(share.child in ready)
            done = min(share.done for share in shares)
            found = np.concatenate([share.until(done) for share in shares])
            found.sort(kind="stable")
            yield self._step(found, done)
            fault = next((share.fault for share in shares if share.fault and share.done == done), None)
            if fault is not None:
                self._process.stop(self)
                raise CaptureError(fault)
            if done == self.total:
                return
            if time.monotonic() - asked > RESPONSE and not all(share.begun for share in shares):
                raise Ended("does not answer", False)

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


class ShareResult:
    """What one process has found of a run's packets."""

    def __init__(self, child: ChildHandle, number: int, first: int, total: int) -> None:
        self.child = child
        self.done = first
        self.begun = False
        """Whether it has answered."""
        self.fault = ""
        self._number, self._total = number, total
        self._found: deque[Array] = deque()

    @property
    def open(self) -> bool:
        """Whether there is more to come."""
        return self.done < self._total and not self.fault

    def take(self, ready: bool) -> None:
        """Take the answers that have come, those that are `ready` to be read as well. Raises Ended."""
        try:
            for answer in self.child.receive(self._number, ready):
                self.begun = True
                if answer.kind == FAULT:
                    self.fault = answer.body.decode()
                else:
                    self.done = answer.done
                    self._found.append(np.frombuffer(answer.body, np.int64))
        except Ended as end:
            raise Ended(str(end), self.begun) from None

    def until(self, packet: int) -> Array:
        """The packets found before this one; they are given once."""
        parts = [NOTHING]
        while self._found:
            first = self._found.popleft()
            here = int(first.searchsorted(packet))
            parts.append(first[:here])
            if here < len(first):
                self._found.appendleft(first[here:])
                break
        return np.concatenate(parts)


class ChildHandle:
    """A process as its parent sees it. What it read is kept in `store`."""

    def __init__(self, store: Store, pid: int, requests: int, answers: int) -> None:
        self.pid = pid
        self._store = store
        self._codes: dict[str, Array] = {}
        self.answers = answers
        """The descriptor of its answers."""
        self._requests = requests
        self._buffer = bytearray()
        os.set_blocking(requests, False)
        weakref.finalize(self, _closed, os.getpid(), requests, answers)
        self._ended = weakref.finalize(self, _ended, os.getpid(), pid)      # at exit, at the latest

    def _keep(self, news: dict[str, News]) -> None:
        """Keep what the process has read, so that nobody reads it again."""
        for name, new in news.items():
            column = self._store.column(name)
            codes = np.append(self._codes.get(name, np.zeros(0, np.int32)), column.codes_of(new.values))
            self._codes[name] = codes
            fresh = column.unread(new.packets)
            ours = np.isin(new.packets, fresh)
            column.add_codes(fresh, new.counts[ours], codes[new.codes[np.repeat(ours, new.counts)]])

    def kill(self) -> None:
        """Who still waits for an answer learns that it ended; it is buried when nobody does."""
        if self._ended.alive:
            os.kill(self.pid, signal.SIGKILL)

    def send(self, request: list[Any]) -> None:
        """Only in the thread that receives. Raises Ended."""
        data = memoryview(_framed(request))
        while data:
            try:
                data = data[os.write(self._requests, data):]
            except BlockingIOError:     # it may itself be waiting for answers to be taken
                if _ready([self], WAIT):
                    self._take()
            except BrokenPipeError:     # it is gone, as `receive` will find
                return

    def stop(self, number: int) -> None:
        try:
            os.write(self._requests, _framed([number]))
        except (BlockingIOError, BrokenPipeError):      # what fills the pipe stops it as well
            pass

    def receive(self, number: int, ready: bool) -> list[Answer]:
        """The answers to a request that have come; those to earlier requests are passed over. Raises Ended."""
        if ready:
            self._take()
        at, data, out = 0, self._buffer, []
        while len(data) - at >= HEAD.size:
            kind, to, done, length = HEAD.unpack_from(data, at)
            if len(data) - at < HEAD.size + length:
                break
            at += HEAD.size + length
            if kind == READ:        # for whatever request: its codes go on from what came before
                self._keep(pickle.loads(data[at - length : at]))
            elif to == number:
                out.append(Answer(kind, done, bytes(data[at - length : at])))
        del data[:at]
        return out

    def _take(self) -> None:
        """Read what there is. Raises Ended."""
        data = os.read(self.answers, 1 << 20)
        if not data:
            status = self._ended()
            raise Ended(f"was ended by signal {-status}" if status and status < 0 else "ended", False)
        self._buffer += data


def _ready(children: Sequence[ChildHandle], seconds: float) -> list[ChildHandle]:
    """Those that have something to tell, which is waited for; a process that ended has."""
    by_descriptor = {child.answers: child for child in children}
    poll = select.poll()
    for descriptor in by_descriptor:
        poll.register(descriptor, select.POLLIN)
    return [by_descriptor[descriptor] for descriptor, _ in poll.poll(seconds * 1000)]


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
    return capture.version
