"""Fields of messages that are answered without a tree a message: the columns of `captures.messages`, the words, and what the decoder reads from heads.

What costs nothing a message (where it lies, its pair, its head) is answered for all packets of a stream that is touched; words are read for the packets
asked about. Packets with a message of which columns do not tell stay unread, and are read as trees by the reader.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from captures.capture import Capture
from captures.index.columns import PacketKind
from captures.messages.columns import BY_NAME, Chosen
from captures.messages.conversation import Conversation
from captures.messages.given import field_column
from captures.messages.messages import Messages
from captures.values.field_names import FieldName, Reach
from captures.values.reading import ReadPlan
from captures.values.value_column import ValueColumn
from protocols.engine.mistakes import MISTAKES
from protocols.kinds import RESPONSE
from protocols.message_heads import FieldColumn

__all__ = ["MessageColumns"]

Array = NDArray[Any]
Keep = Callable[[str], ValueColumn]
How = Callable[[Conversation, Messages, FieldName, Array], FieldColumn | None]
OPERATION = "pv.op"
"""The word that heads and headers may tell."""
ALL = "pv"
"""The field that every message has, and that says nothing more."""


class Told(NamedTuple):
    """What columns tell of one layer: `known` has a row for each of the messages `rows`, which end in `packets`."""

    rows: Array
    packets: Array
    known: FieldColumn


class MessageColumns:
    """What the message columns of a capture tell. `keep` gives the column in which the values of a key are kept."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self._answered: dict[str, set[tuple[str, int]]] = {}

    def fill(self, wanted: ReadPlan, keep: Keep, packets: Array) -> None:
        """Answer what can be answered of the wanted fields, for the streams of these packets (ascending)."""
        keys = [key for key, field in wanted.fields.items() if self._may(key, field, wanted)]
        unread = [keep(key).unread(packets) for key in keys]
        missing = np.unique(np.concatenate(unread)) if unread else packets[:0]
        if not len(missing):
            return
        for key in keys:
            keep(key).add_nothing(missing[self.capture.columns.kind[missing] == PacketKind.OTHER])
        for transport, number, group in self.capture.index.by_stream(missing):
            self._stream(transport, number, group, keys, wanted, keep)

    def _may(self, key: str, field: FieldName, wanted: ReadPlan) -> bool:
        """Whether columns may tell the field in some stream."""
        if field.name in BY_NAME or field.name == ALL:
            return True
        if any(layers for one, layers in wanted.by_name[field.name] if one == key) or field.test is not None:
            return False
        return field.reach is Reach.HEAD or (field.reach is Reach.MESSAGE and (field.spec.type != "protocol" or key in wanted.present))

    def _stream(self, transport: str, number: int, packets: Array, keys: Sequence[str], wanted: ReadPlan, keep: Keep) -> None:
        """These packets of a stream, and where that costs nothing all of it, for these keys."""
        layers = [one for one in self.capture.conversation(number, transport).layers() if one.messages]
        members: Array | None = None
        for key in keys:
            field, column = wanted.fields[key], keep(key)
            worded = field.name in BY_NAME and bool(BY_NAME[field.name].word) and bool(layers)
            answered = self._answered.setdefault(key, set())
            if (transport, number) not in answered and (not worded or field.name == OPERATION):
                answered.add((transport, number))
                if members is None:
                    members = self.capture.index.packets_of(transport, number)
                self._answer(layers, field, column, column.unread(members), self._known)
            if worded:
                self._answer(layers, field, column, column.unread(packets), self._worded)

    @staticmethod
    def _answer(layers: Sequence[Conversation], field: FieldName, column: ValueColumn, packets: Array, how: How) -> None:
        """Keep the values of these packets (ascending) but those of which some layer does not tell."""
        if not len(packets):
            return
        told: list[Told] = []
        for layer in layers:
            rows = layer.messages.in_packets(packets)
            if not len(rows):
                continue
            known = how(layer, layer.messages, field, rows)
            if known is None:
                packets = packets[~np.isin(packets, layer.messages.packet[rows])]
                continue
            ends = layer.messages.packet[rows]
            if not known.sure.all():
                packets = packets[~np.isin(packets, ends[~known.sure])]
            told.append(Told(rows, ends, known))
        of, codes = _coded(told, field, column)
        if len(told) > 1:
            order = np.argsort(of, kind="stable")
            of, codes = of[order], codes[order]
        if len(told) and not np.array_equal(of, packets):
            ours = np.isin(of, packets)
            of, codes = of[ours], codes[ours]
        column.add_codes(packets, of.searchsorted(packets, "right") - of.searchsorted(packets), codes)

    def _known(self, conversation: Conversation, messages: Messages, field: FieldName, rows: Array) -> FieldColumn | None:
        """The field's values in these messages of one conversation, had without reading a message; None where only the messages themselves tell."""
        name, decoder = field.name, conversation.decoder
        assert decoder is not None
        everywhere = np.ones(len(rows), np.bool_)
        if name == OPERATION:
            return self._of_heads(conversation, messages, name, rows)
        if name in BY_NAME:
            return BY_NAME[name].of(Chosen(conversation, messages, rows), None)
        if name in (ALL, decoder.name):
            return FieldColumn(np.zeros(len(rows), np.int64), everywhere, everywhere)
        if field.protocol != decoder.name:
            return FieldColumn(np.zeros(len(rows), np.int64), ~everywhere, everywhere)
        if decoder.frames is not None and name in (spec.name for spec in decoder.frames):
            peer = messages.peer[rows]
            there = (peer >= 0) & ((messages.kind[rows] == RESPONSE) == (name == decoder.frames[0].name))
            return FieldColumn(messages.packet[peer] + 1, there, everywhere)
        return self._of_heads(conversation, messages, name, rows)

    def _worded(self, conversation: Conversation, messages: Messages, field: FieldName, rows: Array) -> FieldColumn | None:
        """The same of a word: an operation from the messages' headers where these name it, all else from the decoder's words."""
        if field.name == OPERATION:
            request = Chosen(conversation, messages, rows).request
            names = [messages[row].header.op or (messages[asked].header.op if asked >= 0 else "")
                     for row, asked in zip(rows.tolist(), request.tolist(), strict=True)]
            if all(names):
                distinct = list(dict.fromkeys(names))
                place = {name: k for k, name in enumerate(distinct)}
                everywhere = np.ones(len(rows), np.bool_)
                return FieldColumn(np.array([place[name] for name in names], np.int64), everywhere, everywhere, distinct)
        words = self.capture.messages.words(conversation)
        words.read(rows)
        return BY_NAME[field.name].of(Chosen(conversation, messages, rows), words)

    @staticmethod
    def _of_heads(conversation: Conversation, messages: Messages, name: str, rows: Array) -> FieldColumn | None:
        """What the decoder reads from heads."""
        decoder = conversation.decoder
        if decoder is None or messages.heads is None or decoder.fast is None or name not in decoder.fast.columns:
            return None
        try:
            known = field_column(decoder, name, messages.heads, messages.peer)
            return None if known is None else FieldColumn(known.value[rows], known.there[rows], known.sure[rows], known.names)
        except MISTAKES:    # the reader finds out message by message
            return None


def _coded(told: Sequence[Told], field: FieldName, column: ValueColumn) -> tuple[Array, Array]:
    """(packet, code in `column`) of every value, layer by layer."""
    parts = [_codes_of(one, field, column) for one in told]
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int32)
    return parts[0] if len(parts) == 1 else (np.concatenate([of for of, _ in parts]), np.concatenate([codes for _, codes in parts]))


def _codes_of(told: Told, field: FieldName, column: ValueColumn) -> tuple[Array, Array]:
    """The same of one layer."""
    several = field.name in BY_NAME and BY_NAME[field.name].several
    known, packets = told.known, told.packets
    chosen = np.ones(len(packets), np.bool_) if field.per_message else known.there
    distinct, place = np.unique(known.value[chosen], return_inverse=True)
    values: list[Any] = [known.names[one] for one in distinct.tolist()] if known.names else distinct.tolist()
    if field.spec.type in ("none", "protocol"):
        values = [True] * len(values)
    made = [value if several else (value,) for value in values] if several or field.by_message else values
    if several and not field.by_message:
        flat = column.codes_of([one for values in made for one in values])
        count = np.array([len(values) for values in made], np.int64)
        first = np.cumsum(count) - count
        each = count[place]
        inside = np.arange(int(each.sum())) - np.repeat(np.cumsum(each) - each, each)
        return np.repeat(packets[chosen], each), flat[np.repeat(first[place], each) + inside]
    if field.test is not None:
        (key,) = field.test.keys
        made = [(True,) if field.test.holds({key: [values]}) else () for values in made]
        nothing: Any = (True,) if field.test.holds({key: [()]}) else ()
    else:
        nothing = () if field.by_message else None
    codes = column.codes_of([*made, nothing])
    if not len(distinct):
        return packets[chosen], np.full(int(chosen.sum()), codes[-1])
    return packets[chosen], np.where(known.there[chosen], codes[:-1][place], codes[-1])
