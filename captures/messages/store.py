"""What filters learned of a capture, kept while it is decoded as it is: later filters read no value twice.

There is one `Store` a capture and process. Another takes its place when streams are decoded differently, or more packets have come to streams that were read.
"""
from __future__ import annotations

from weakref import WeakKeyDictionary

from captures.capture import Capture
from captures.filter.run.by_index import KnownLayers
from captures.filter.run.reading import Reader
from captures.messages.byte_search import ByteSearch
from captures.messages.message_columns import MessageColumns
from captures.messages.skimming import Skimming
from captures.messages.value_column import ValueColumn

__all__ = ["Store"]


class Store:
    """What was learned of one capture: the structure of its packets, and values by field key."""

    def __init__(self, capture: Capture) -> None:
        self.structure = KnownLayers(capture.index)
        self.reader = Reader(capture)
        self.columns = MessageColumns(capture)
        self.skimming = Skimming(capture)
        self.needles = ByteSearch(capture)
        self.kept: dict[str, ValueColumn] = {}
        self.version = capture.version

    @classmethod
    def of(cls, capture: Capture) -> Store:
        """The capture's store, a new one where it is not as it was."""
        store = STORES.get(capture)
        if store is None or store.version != capture.version:
            store = STORES[capture] = cls(capture)
        return store


STORES: WeakKeyDictionary[Capture, Store] = WeakKeyDictionary()
