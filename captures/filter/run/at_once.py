"""What a filter shows when the index alone can tell: no packet is read, so that the answer is there while the filter is typed."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from captures.filter.compile.compiled import Filter
from captures.filter.compile.logic import Condition
from captures.filter.run.by_index import Block
from captures.index.index import Index
from captures.index.known_layers import BLOCK, KnownLayers

__all__ = ["shown_at_once"]


def shown_at_once(filter_: Filter, index: Index) -> NDArray[np.bool_] | None:
    """For each packet indexed so far whether the filter shows it; None when packets have to be read to tell."""
    structure, count = KnownLayers(index), index.columns.count
    out = np.zeros(count, np.bool_)
    tables: dict[Condition, tuple[NDArray[np.bool_], NDArray[np.bool_]]] = {}
    for low in range(0, count, BLOCK):
        high = min(low + BLOCK, count)
        yes, maybe = Block(index, structure, filter_.fields, low, high, tables).evaluate(filter_.logic)
        if maybe is not None and maybe.any():
            return None
        out[low:high] = yes
    return out
