"""One thread beside the event loop that dissects, pairs and searches, so that no key ever waits for a long stream.

Requests have a kind: a newer one of the same kind makes the older one moot, whose answer is then never delivered. Kinds are served
in the order of `KINDS`; a search runs in slices between the others.
"""
from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from captures.file.errors import CaptureError

Result = TypeVar("Result")
KINDS = ("packet", "go", "follow", "check", "filter", "sample", "search", "rows", "sort", "save")
SLICE = 0.02
"""Seconds that a search runs before others get their turn."""


class Job:
    """A piece of work and what to do with its outcome; `deliver` belongs to the event loop's thread."""

    def __init__(self, kind: str, work: Callable[[], Any], then: Callable[[Any], None], failed: Callable[[str], None]) -> None:
        self.kind, self.work, self.then, self.failed = kind, work, then, failed
        self.done = threading.Event()
        self.delivered = False
        self.result: Any = None
        self.fault = ""

    def run(self) -> None:
        try:
            self.result = self.work()
        except Exception as fault:  # whatever a decoder does to a packet, the screen stays
            self.fault = said(fault)
        self.done.set()


def said(fault: Exception) -> str:
    """A fault as one line for the user."""
    return str(fault) if isinstance(fault, CaptureError) else f"{type(fault).__name__}: {fault}"


class SlicedSteps(Generic[Result]):
    """Steps (a generator) that are run through slice by slice. There is no cycle of references: when nobody holds the stream any more, its generator is closed
    at once, and not when the garbage collector comes by."""

    def __init__(self, worker: Worker, kind: str, steps: Iterator[Result], each: Callable[[list[Result]], None], then: Callable[[], None],
                 failed: Callable[[str], None]) -> None:
        self.worker, self.kind, self.steps = worker, kind, steps
        self.each, self.then, self.failed = each, then, failed

    def slice(self) -> tuple[list[Result], bool, str]:
        """What the steps gave for a while, whether that was all, and what went wrong; in the worker's thread."""
        end, found = time.monotonic() + SLICE, []
        try:
            for one in self.steps:
                found.append(one)
                if time.monotonic() > end:
                    return found, False, ""
        except Exception as fault:  # what was found before is handed over first
            return found, True, said(fault)
        return found, True, ""

    def after(self, outcome: tuple[list[Result], bool, str]) -> None:
        """Hand a slice over, and go on."""
        found, ended, fault = outcome
        if not ended:
            self.worker.ask(self.kind, self.slice, self.after, self.failed)
        self.each(found)
        if fault:
            self.failed(fault)
        elif ended:
            self.then()


class Worker:
    """`post` takes a callable into the event loop's thread; `name` is that of the worker's own thread."""

    def __init__(self, post: Callable[[Callable[[], None]], None], name: str) -> None:
        self._post, self._name = post, name
        self._wake = threading.Condition()
        self._waiting: dict[str, Job] = {}
        self._newest: dict[str, Job] = {}
        self._thread: threading.Thread | None = None

    def ask(self, kind: str, work: Callable[[], Result], then: Callable[[Result], None], failed: Callable[[str], None], patience: float = 0.0) -> bool:
        """Have `work` done. If it is done within `patience` seconds, `then` (or `failed`) is called before this returns True."""
        job = Job(kind, work, then, failed)
        self._queue(job)
        if patience and job.done.wait(patience):
            self._deliver(job)
            return True
        return False

    def search(self, steps: Iterator[Result | None], then: Callable[[Result | None], None], failed: Callable[[str], None]) -> None:
        """Run through `steps` until one is not None, and hand it over; None when there is none."""

        def slice_of_search() -> tuple[Result | None, bool]:
            end = time.monotonic() + SLICE
            for found in steps:
                if found is not None:
                    return found, True
                if time.monotonic() > end:
                    return None, False
            return None, True

        def after(outcome: tuple[Result | None, bool]) -> None:
            found, ended = outcome
            if ended:
                then(found)
            else:
                self.ask("search", slice_of_search, after, failed)

        self.ask("search", slice_of_search, after, failed)

    def stream(self, kind: str, steps: Iterator[Result], each: Callable[[list[Result]], None], then: Callable[[], None], failed: Callable[[str], None],
               patience: float = 0.0) -> None:
        """Run through `steps`, handing over what they give slice by slice; the first slice at once if it is done within `patience` seconds.
        `then` is called at the end, `failed` where it is none, after the steps before it were handed over."""
        stream = SlicedSteps(self, kind, steps, each, then, failed)
        self.ask(kind, stream.slice, stream.after, failed, patience)

    def busy(self, kind: str) -> bool:
        """Whether an answer of this kind is still to come."""
        return kind in self._newest

    def cancel(self, kind: str) -> bool:
        """Give up what was asked for; returns whether there was anything."""
        with self._wake:
            self._waiting.pop(kind, None)
            return self._newest.pop(kind, None) is not None

    def _queue(self, job: Job) -> None:
        with self._wake:
            self._waiting[job.kind] = self._newest[job.kind] = job
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
                self._thread.start()
            self._wake.notify()

    def _deliver(self, job: Job) -> None:
        if job.delivered or self._newest.get(job.kind) is not job:
            return
        job.delivered = True
        del self._newest[job.kind]
        if job.fault:
            job.failed(job.fault)
        else:
            job.then(job.result)

    def _serve(self) -> None:
        while True:
            with self._wake:
                while not self._waiting:
                    self._wake.wait()
                job = self._waiting.pop(min(self._waiting, key=KINDS.index))
            job.run()
            try:
                self._post(lambda job=job: self._deliver(job))  # type: ignore[misc]
            except RuntimeError:    # the event loop has ended
                return
