"""What a decoder may state to be fast: how it reads many messages at once, without an object or a tree for each.

A decoder without a `Fast` works: every message is then read on its own. A capture with a million messages of a protocol needs one. Each
member may be left out alone, and none may answer otherwise than the decoder does message by message.

| member | replaces, message by message | asked when |
|---|---|---|
| `count_accepted` | `Decoder.accepts` | a direction is cut into messages |
| `headers` | `Decoder.header` | the messages of a connection are paired |
| `columns`, `column` | `Decoder.dissect` | a filter names a field that stands at a fixed place near a message's start |
| `readers`, `skim` | `Decoder.dissect` | a filter names any other field |
| `teaching` | `Decoder.teaches` | words need what other streams say |
| `verbatim`, `not_verbatim_if` | nothing: they spare reading | a filter asks for a text |
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from protocols.engine.fields import Field
from protocols.terms import MessageBytes, Side

if TYPE_CHECKING:  # a decoder without a Fast needs no numpy
    import numpy as np
    from numpy.typing import NDArray

    from protocols.message_heads import FieldColumn, HeaderColumns, MessageHeads

__all__ = ["Fast", "FieldReaders"]


@dataclass(frozen=True, slots=True)
class FieldReaders:
    """Functions that read the values of some fields, and which of them reads which message.

    `reader` has one number for each message: the place of its function in `readers`; or NONE, when the message holds none of the fields; or
    TREE, when only `Fast.skim` (or the tree) tells.

    A function is called with (data, start, end, 0): the message is `data[start:end]`. It returns for each name the list of its values, in
    the order of the tree; or None, when only the tree tells.
    """

    NONE: ClassVar[int] = -1
    TREE: ClassVar[int] = -2

    reader: NDArray[np.int64]
    readers: Sequence[Callable[[bytes, int, int, int], tuple[list[Any], ...] | None]]


class Fast:
    """How many messages of one protocol are read at once. The decoder's `framing` must have a `head` that is a multiple of 8 (bytes)."""

    columns: frozenset[str] = frozenset()
    """The filter names of the fields for which `column` may answer."""

    def count_accepted(self, heads: MessageHeads, side: Side) -> int | None:
        """How many messages, counted from the first, `Decoder.accepts` takes before it refuses one. The messages are of one direction, one
        behind the other. None: `accepts` is asked about each."""
        return None

    def headers(self, heads: MessageHeads) -> HeaderColumns | None:
        """What `Decoder.header` says of each message of a connection, in order of completion. None: `header` is asked about each."""
        return None

    def column(self, name: str, heads: MessageHeads, peer: NDArray[np.int64]) -> FieldColumn | None:
        """The values of the field `name`, as `Decoder.dissect` yields them. `peer` has for each message the row of the message that it is paired
        with, or -1. None: these heads do not tell."""
        return None

    def readers(self, names: tuple[str, ...], heads: MessageHeads, peer: NDArray[np.int64], facts: Callable[[], Any]) -> FieldReaders | None:
        """The functions that read the fields `names` out of these messages; `peer` is as for `column`; `facts`, asked
        only where it matters, gives what the capture teaches. None: `skim` is asked about each."""
        return None

    def skim(self, message: MessageBytes, names: frozenset[str]) -> Sequence[Field] | None:
        """The fields `names` of one message, in the order of the tree; other fields may stand between or below them. The text of their lines in
        the tree is not needed. None: the tree is read."""
        return None

    def verbatim(self) -> frozenset[str]:
        """The text fields whose values stand unchanged, in UTF-8, in the bytes of their message or of its peer. A message without the bytes of a
        text cannot have it in such a field, so it is not read when a filter asks for that text."""
        return frozenset()

    def teaching(self, heads: MessageHeads, peer: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """The rows of the messages that `Decoder.teaches` would name. None: it is asked about each."""
        return None

    def not_verbatim_if(self, heads: MessageHeads | None, facts: Callable[[], Any]) -> Sequence[bytes]:
        """Byte strings that mark exceptions: in a message that holds one of them, fields of `verbatim` may also have values that do not
        stand in its bytes (but in compressed ones, say), so it is read. `heads` are those of the conversation, None where it has none; `facts` gives
        what the capture teaches, which may take a pass over all of it: to be asked only where it matters."""
        return ()
