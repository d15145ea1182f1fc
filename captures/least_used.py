"""A cache that drops what was used longest ago: the one that streams, analyses, words and rows are kept in."""
from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["LeastUsed"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LeastUsed(Generic[K, V]):
    """Values by key, of at most `most` together in weight; the value put last stays, whatever it weighs. Threads may share it."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.weight = 0
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K) -> V | None:
        """The value, which counts as used now; None where it is not kept."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: K, value: V, weight: int = 1) -> None:
        """Keep a value, in place of the one that the key had."""
        with self._lock:
            before = self._kept.pop(key, None)
            self.weight += weight - (before[1] if before is not None else 0)
            self._kept[key] = value, weight
            while self.weight > self.most and len(self._kept) > 1:
                _, (_, dropped) = self._kept.popitem(last=False)
                self.weight -= dropped

    def drop(self, key: K) -> None:
        """Keep the key's value no longer."""
        with self._lock:
            found = self._kept.pop(key, None)
            self.weight -= found[1] if found is not None else 0

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self.weight = 0
