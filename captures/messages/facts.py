"""What one connection teaches about another: gathered from all streams of a capture in one pass, and the same whatever was looked at before.

Some messages can only be put into words with what another connection said (Kafka names a topic by an id whose name stands in an answer to somebody else). Such
facts belong to the capture, one object a decoder (`Decoder.new_facts`). They are made when the first word needs them: every stream is cut, the messages that
teach are read in the order of streams, and from then on the facts do not change. Processes that are forked later have them; one that was forked
before makes the same ones for itself.
"""
from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from protocols.decoder import Decoder
from protocols.engine.mistakes import MISTAKES

__all__ = ["Facts", "FactsPending"]

MISSING = object()


class Teacher(Protocol):
    """What of a conversation facts are gathered from."""

    decoder: Decoder | None

    def layers(self) -> Iterable[Teacher]: ...

    def teach(self, facts: object) -> None: ...


class FactsPending(BaseException):
    """Words need facts that are not gathered yet, and the caller must not wait for them (`Facts.ready_only`). It passes through decoders, and through
    the guards around them, which catch every Exception: it is nobody's mistake."""


class Facts:
    """The facts of one capture, by decoder. `conversations` gives all streams, read as messages; `state` a value that changes when what was
    gathered holds no more: the index is complete now, or streams are decoded differently."""

    def __init__(self, conversations: Callable[[], Iterable[Teacher]], state: Callable[[], Any] = lambda: None) -> None:
        self._conversations = conversations
        self._state_now = state
        self._state = state()
        self._made: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._local = threading.local()
        self._generation = 0

    @property
    def generation(self) -> int:
        """Another number whenever facts that were given out before hold no more. Raises FactsPending within `ready_only`, while another thread gathers."""
        self._forget_stale()
        return self._generation

    def _forget_stale(self) -> None:
        """Drop what was gathered in another state of the capture. Raises FactsPending as `generation` does."""
        if self._state != self._state_now():
            if not self._lock.acquire(blocking=not self._must_not_wait):
                raise FactsPending
            try:
                if self._state != (now := self._state_now()):
                    self._state = now
                    self._made.clear()
                    self._generation += 1
            finally:
                self._lock.release()

    @property
    def _must_not_wait(self) -> bool:
        return bool(getattr(self._local, "ready_only", False))

    def of(self, decoder: Decoder) -> Any:
        """The facts for a decoder's messages, complete. Raises FactsPending within `ready_only`."""
        self._forget_stale()
        made = self._made.get(decoder.name, MISSING)
        if made is not MISSING:
            return made
        if self._must_not_wait:
            raise FactsPending
        with self._lock:
            made = self._made.get(decoder.name, MISSING)
            if made is not MISSING:
                return made
            try:
                made = decoder.new_facts()
            except MISTAKES:    # it learns nothing
                made = None
            if made is not None:
                for conversation in self._conversations():
                    for layer in conversation.layers():
                        if layer.decoder is not None and layer.decoder.name == decoder.name:
                            layer.teach(made)
            self._made[decoder.name] = made
            return made

    @contextmanager
    def ready_only(self) -> Iterator[None]:
        """Nobody in this thread waits for facts meanwhile."""
        self._local.ready_only = True
        try:
            yield
        finally:
            self._local.ready_only = False

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """No other thread gathers facts meanwhile. For forking."""
        with self._lock:
            yield
