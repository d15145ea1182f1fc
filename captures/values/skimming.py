"""Fields of messages that a decoder reads out of many of them by functions made for these fields (`Fast.readers`), without a tree.

What is read goes straight into the columns of kept values. Messages of which the functions do not tell stay unread, for the reader of trees.
"""
from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captures.capture import Capture
from captures.index.columns import PacketKind
from captures.messages.conversation import Conversation
from captures.messages.given import field_readers
from captures.messages.messages import Messages
from captures.messages.window import DENSE, Window
from captures.values.field_names import FieldName
from captures.values.reading import CONVERT, ReadPlan
from captures.values.value_column import ValueColumn
from protocols.decoder import FieldReaders
from protocols.engine.mistakes import MISTAKES

__all__ = ["Skimming"]

Array = NDArray[Any]
MOST = 50_000
"""Messages of one stream that are read at once, whoever asked for a few of its packets."""


class Skimming:
    """Reads a capture's messages this way. `keep` gives the column in which the values of a key are kept."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self._skims: dict[int, FieldReaders | None] = {}
        self._names: tuple[str, ...] = ()

    def fill(self, wanted: ReadPlan, keep: Callable[[str], ValueColumn], packets: Array, likely: NDArray[np.bool_] | None) -> None:
        """Read the wanted fields of these packets (ascending) where decoders have functions for it, and of those that follow in their streams (of these, if
        it is told, the `likely` ones, by packet)."""
        keys = [key for key, field in wanted.fields.items() if self._may(key, field, wanted)]
        if len(keys) < len(wanted.fields):
            return
        unread = [keep(key).unread(packets) for key in keys]
        missing = np.unique(np.concatenate(unread)) if unread else packets[:0]
        missing = missing[self.capture.columns.kind[missing] == PacketKind.TCP]
        for _, number, asked in self.capture.index.by_stream(missing):
            conversation = self.capture.conversation(number)
            messages = conversation.messages
            if not messages or conversation.decoder is None or conversation.inner or conversation.decoder.name not in wanted.roots:
                continue
            skims = self._of(number, conversation, tuple(wanted.fields[key].name for key in keys))
            if skims is None:
                continue
            first = int(messages.packet.searchsorted(asked[0]))
            last = int(messages.packet[min(first + MOST, len(messages)) - 1]) if first < len(messages) else 0
            members = self.capture.index.packets_of("tcp", number)
            behind = members[(members > asked[-1]) & (members <= last)]
            if likely is not None:
                behind = behind[behind < len(likely)]
                behind = behind[likely[behind]]
            asked = np.concatenate((asked, behind))
            asked = np.unique(np.concatenate([keep(key).unread(asked) for key in keys]))
            _read(conversation, messages, skims, [(key, wanted.fields[key], keep(key)) for key in keys], wanted, asked)

    def _of(self, number: int, conversation: Conversation, names: tuple[str, ...]) -> FieldReaders | None:
        """How the fields with these names are read in a stream."""
        if names != self._names:
            self._skims, self._names = {}, names
        if number not in self._skims:
            assert conversation.decoder is not None
            heads, peer, decoder, skims = conversation.messages.heads, conversation.messages.peer, conversation.decoder, None
            try:
                skims = field_readers(decoder, names, heads, peer, conversation.find_facts) if heads is not None else None
            except MISTAKES:    # the reader finds out message by message
                skims = None
            self._skims[number] = skims
        return self._skims[number]

    @staticmethod
    def _may(key: str, field: FieldName, wanted: ReadPlan) -> bool:
        """Whether values without their nodes are enough."""
        if any(layers for one, layers in wanted.by_name[field.name] if one == key) or field.test is not None:
            return False
        return key in wanted.present or (wanted.kinds[key] in CONVERT and wanted.kinds[key] != "bytes")


def _read(conversation: Conversation, messages: Messages, skims: FieldReaders, keys: Sequence[tuple[str, FieldName, ValueColumn]],
          wanted: ReadPlan, packets: Array) -> None:
    """Keep the values of these packets (ascending) but those with messages of which `skims` does not tell."""
    rows = messages.in_packets(packets)
    untold = rows[skims.reader[rows] == FieldReaders.TREE]
    found = [_Values(field, column, key in wanted.present, wanted.kinds[key]) for key, field, column in keys]
    read = rows[skims.reader[rows] >= 0] if not any(one.by_message for one in found) else rows[skims.reader[rows] != FieldReaders.TREE]
    windows = [Window(direction) for direction in conversation.directions] if len(read) * DENSE > len(messages) else None
    failed: list[int] = []
    kept: list[int] = []
    nothing: tuple[list[Any], ...] = tuple([] for _ in keys)
    columns = (read, skims.reader[read], messages.side[read], messages.start[read], messages.have[read])
    for row, reader, side, start, have in zip(*(one.tolist() for one in columns), strict=True):
        if reader < 0:
            values: tuple[list[Any], ...] | None = nothing
        elif windows is None:
            values = skims.readers[reader](conversation.directions[side].read(start, have), 0, have, 0)
        else:
            window = windows[side]
            at = start - window.base
            if at < 0 or start + have > window.end:
                at = window.seek(start, have)
            values = skims.readers[reader](window.data, at, at + have, 0)
        if values is None:
            failed.append(row)
            continue
        kept.append(row)
        for one, more in zip(found, values, strict=True):
            one.add(more)
    bad = np.unique(messages.packet[np.concatenate((untold, np.array(failed, np.int64)))])
    good = packets[~np.isin(packets, bad)]
    of = messages.packet[np.array(kept, np.int64)]
    for one in found:
        one.keep(good, of)


class _Values:
    """The values of one field being read, by code."""

    def __init__(self, field: FieldName, column: ValueColumn, present: bool, kind: str) -> None:
        self.by_message = field.by_message
        self.column = column
        self._convert: Callable[[Any], Any] | None = None if present else CONVERT[kind]
        self._codes = array("i")
        self._counts = array("q")
        self._known: dict[Any, int] = {}

    def add(self, values: list[Any]) -> None:
        """The values of the next message."""
        codes, known = self._codes, self._known
        before = len(codes)
        if self.by_message:
            values = [tuple(values)]
        for value in values:
            code = known.get(value)
            if code is None:
                code = known[value] = self._code(value)
            codes.append(code)
        self._counts.append(len(codes) - before)

    def _code(self, value: Any) -> int:
        made: Any = tuple(map(self._one, value)) if self.by_message else self._one(value)
        return int(self.column.codes_of([made])[0])

    def _one(self, value: Any) -> Any:
        if self._convert is None:
            return True
        try:
            return None if value is None else self._convert(value)
        except (ValueError, TypeError):
            return None

    def keep(self, packets: Array, of: Array) -> None:
        """Keep them for those of these packets that have none yet; `of` are the packets of the messages added, ascending."""
        packets = self.column.unread(packets)
        count = np.frombuffer(self._counts, np.int64)
        code = np.frombuffer(self._codes, np.int32)
        ours = np.isin(of, packets)
        code = code[np.repeat(ours, count)]
        end = np.concatenate((np.zeros(1, np.int64), np.cumsum(count[ours])))
        low, high = of[ours].searchsorted(packets), of[ours].searchsorted(packets, "right")
        self.column.add_codes(packets, end[high] - end[low], code)
