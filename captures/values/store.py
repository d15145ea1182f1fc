"""The values of any field for many packets: which way of reading them is the cheapest, and what was read, so that nobody reads it again.

Filters, tables and expressions ask here and do not know which way answered: index columns, message columns, generated readers, byte search or trees.

There is one `Store` a capture and process. Another takes its place when streams are decoded differently, or more packets have come to streams that were read.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from captures.capture import Capture
from captures.index.known_layers import KnownLayers
from captures.values.byte_search import ByteSearch
from captures.values.field_names import FieldName, Reach
from captures.values.message_columns import MessageColumns
from captures.values.reading import Reader, ReadPlan
from captures.values.skimming import Skimming
from captures.values.value_column import ValueColumn

__all__ = ["Store"]

Array = NDArray[Any]
Bools = NDArray[np.bool_]
PRESENCE = "?"
"""In front of a key of which only the presence is kept."""
LARGE = ("bytes", "protocol")
"""Kinds of values that are not kept."""


class Store:
    """What was read of one capture: the structure of its packets, and values by field key."""

    def __init__(self, capture: Capture) -> None:
        self.structure = KnownLayers(capture.index)
        self.reader = Reader(capture)
        self.columns = MessageColumns(capture)
        self.skimming = Skimming(capture)
        self.needles = ByteSearch(capture)
        self.kept: dict[str, ValueColumn] = {}
        self._telling = False
        self.version = capture.version

    def column(self, key: str, presence: bool = False) -> ValueColumn:
        """What is kept of a field; with `presence`, of whether packets have it."""
        return self.kept.setdefault(self.name_of(key, presence), ValueColumn(self._telling))

    @staticmethod
    def name_of(key: str, presence: bool) -> str:
        """What the values of a field, or its presence, are kept under."""
        return PRESENCE + key if presence else key

    def tell(self) -> None:
        """Have all columns take note of what comes from now on (`ValueColumn.news`)."""
        self._telling = True
        for column in self.kept.values():
            column.tell()

    def values(self, fields: Sequence[FieldName], packets: Array) -> dict[str, list[list[Any]]]:
        """By name, the values of fields in each of these packets (ascending), as filters compare them; None stands for one that a message does not have.
        They are read in the cheapest way there is, and kept."""
        passing: dict[str, dict[int, list[Any]]] = {}
        for reach in sorted({field.reach for field in fields}):
            self.read(reach, ReadPlan({field.name: field for field in fields if field.reach is reach}, {}, frozenset()), packets, passing)
        return {field.name: [passing[field.name][packet] for packet in packets.tolist()] if field.name in passing else self.column(field.name).lists(packets)
                for field in fields}

    def read(self, reach: Reach, wanted: ReadPlan, packets: Array, passing: dict[str, dict[int, list[Any]]], likely: Bools | None = None) -> None:
        """Read the fields of one reach in these packets (ascending) where they were not read yet, in the cheapest way there is. Later packets of the same
        streams may be read with them, since that is cheap: those that `likely` (a flag for each packet of the capture) marks, or any where it is None.
        Values too large to be kept go into `passing`, by field key and packet."""

        def keep(key: str) -> ValueColumn:
            return self.column(key, key in wanted.present)
        if reach in (Reach.MESSAGE, Reach.HEAD):
            self.columns.fill(wanted, keep, packets)
        elif reach is Reach.TREE:
            self.skimming.fill(wanted, keep, packets, likely)
        kept = {key for key in wanted.fields if key in wanted.present or wanted.fields[key].kind not in LARGE}
        missing, open_ = np.zeros(0, np.int64), []
        for key in wanted.fields:
            if key in kept:
                unread = keep(key).unread(packets)
            else:
                known = passing.setdefault(key, {})
                unread = np.array([packet for packet in packets.tolist() if packet not in known], np.int64)
            if len(unread):
                open_.append(key)
                missing = unread if not len(missing) else np.union1d(missing, unread)
        if not len(missing):
            return
        numbers = missing.tolist()
        for key, lists in self.reader.read(reach, wanted.only(open_), missing).items():
            if key not in kept:
                passing[key].update(zip(numbers, lists, strict=True))
                continue
            column = keep(key)
            fresh = column.unread(missing)
            if len(fresh) == len(missing):
                column.add(missing, lists)
            else:
                place = np.searchsorted(missing, fresh).tolist()
                column.add(fresh, [lists[k] for k in place])

    @classmethod
    def of(cls, capture: Capture) -> Store:
        """The capture's store, a new one where it is not as it was."""
        store = STORES.get(capture)
        if store is None or store.version != capture.version:
            store = STORES[capture] = cls(capture)
        return store


STORES: WeakKeyDictionary[Capture, Store] = WeakKeyDictionary()
