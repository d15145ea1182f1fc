"""The first bytes of many messages at once, for decoders that can judge and read headers by columns.

A protocol whose headers lie at fixed places is read a hundred times faster this way than message by message. What does not fit a column
(a handshake, a header that changes the connection's state) is named by its row and read by `Decoder.header` in the right order.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FieldColumn", "HeaderColumns", "MessageHeads"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MessageHeads:
    """A row a message: `head`, its first bytes (uint8, as many columns as `Framing.head` says, a multiple of 8; behind the message's end they are
    anything); `have`, how many of its bytes are there; `length`, how many it declares; `client`, whether the client sent it."""

    head: NDArray[np.uint8]
    have: Ints
    length: Ints
    client: Bools

    def __len__(self) -> int:
        return len(self.head)

    def number(self, at: int, code: str, rows: Any = slice(None)) -> Ints:
        """The numbers at byte `at` of the rows; `code` in numpy's words: ">i4"."""
        size = int(code[-1])
        column = np.ascontiguousarray(self.head[rows, at:at + size]).view(code).reshape(-1)
        return column.astype(np.int64)

    def accepted(self, good: Bools, accepts: Callable[[bytes], bool]) -> int:
        """How many of the first messages are `good`, or else accepted when asked about alone."""
        for row in np.flatnonzero(~good).tolist():
            if not accepts(self.head[row].tobytes()):
                return int(row)
        return len(self)


@dataclass(frozen=True, slots=True)
class HeaderColumns:
    """What `Fast.headers` says, a row a message: `kind` by number (uint8); `key`; `keyed`, whether the message has a key. The rows in `single`, ascending,
    are left out: `Decoder.header` reads each of these messages, in order, and may change the session. For every other row `Decoder.header` must give
    the same answer as the columns, in whatever state the session is then."""

    kind: NDArray[np.uint8]
    key: Ints
    keyed: Bools
    single: Ints


@dataclass(frozen=True, slots=True)
class FieldColumn:
    """A field that heads tell: its value by row, for the rows where `there`; `sure` are the rows of which it is known whether and with what value
    the field occurs, at most once. With `names`, values are places in it."""

    value: NDArray[Any]
    there: Bools
    sure: Bools
    names: Sequence[Any] = ()
