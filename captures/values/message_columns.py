"""Fields of messages that are answered without an object a message: what the columns of a conversation tell, and what the decoder reads from heads.

A stream that is touched is answered for all of its packets at once. Packets with a message of which the columns do not tell (a handshake, a
message that is cut off) stay unread, and are read as trees or words by the reader.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captures.capture import Capture
from captures.index.columns import PacketKind
from captures.messages.conversation import Conversation
from captures.messages.messages import Messages
from captures.messages.queueing import waits
from captures.values.field_names import FieldName, Reach
from captures.values.reading import EXCHANGE, ReadPlan
from captures.values.value_column import ValueColumn
from protocols.kinds import EVENT, KINDS, RESPONSE
from protocols.message_heads import FieldColumn

__all__ = ["MessageColumns"]

Array = NDArray[Any]
CONSTANT = ("pv.proto", "pv.client", "pv.server", "pv.confidence", "pv.why")
"""Fields that are the same in all messages of a conversation."""
OF_HEADS = ("pv.op",)
"""Fields of every protocol that heads may tell."""


class MessageColumns:
    """What the message columns of a capture tell. `keep` gives the column in which the values of a key are kept."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self._answered: dict[str, set[int]] = {}

    def fill(self, wanted: ReadPlan, keep: Callable[[str], ValueColumn], packets: Array) -> None:
        """Answer what can be answered of the wanted fields, for the streams of these packets."""
        keys = [key for key, field in wanted.fields.items() if self._may(key, field, wanted)]
        unread = [keep(key).unread(packets) for key in keys]
        missing = np.unique(np.concatenate(unread)) if unread else packets[:0]
        if not len(missing):
            return
        c = self.capture.columns
        tcp = c.kind[missing] == PacketKind.TCP
        none = missing[c.kind[missing] == PacketKind.OTHER]
        for key in keys:
            keep(key).add_nothing(none)
        for number in np.unique(c.sd[missing[tcp]] >> 1).tolist():
            open_ = [key for key in keys if number not in self._answered.setdefault(key, set())]
            if open_:
                self._stream(int(number), open_, wanted, keep)

    def _may(self, key: str, field: FieldName, wanted: ReadPlan) -> bool:
        """Whether columns may tell the field in some stream."""
        name = field.name
        if any(layers for one, layers in wanted.by_name[name] if one == key) or field.test is not None:
            return False
        if field.reach is Reach.HEAD or name in COLUMNS or name in CONSTANT or name in OF_HEADS:
            return True
        return key in wanted.present and field.spec.type == "protocol"

    def _stream(self, number: int, keys: Sequence[str], wanted: ReadPlan, keep: Callable[[str], ValueColumn]) -> None:
        """One stream's packets, all of them, for these keys."""
        conversation = self.capture.conversation(number)
        if conversation.inner:      # columns are of one layer
            return
        members = self.capture.index.packets_of("tcp", number)
        messages = conversation.messages
        for key in keys:
            self._answered[key].add(number)
            field, column = wanted.fields[key], keep(key)
            if messages is None:
                column.add_nothing(members)
                continue
            known = self._known(conversation, messages, field)
            if known is None:
                continue
            fresh = column.unread(members)
            if not known.sure.all():
                fresh = fresh[~np.isin(fresh, messages.packet[~known.sure])]
            self._keep(column, field, known, messages.packet, fresh)

    @staticmethod
    def _keep(column: ValueColumn, field: FieldName, known: FieldColumn, packet: Array, fresh: Array) -> None:
        """Keep the values of the packets `fresh` (ascending)."""
        empty: Any = () if field.by_message else None
        ours = np.isin(packet, fresh)
        rows = np.flatnonzero(ours if field.per_message else ours & known.there)
        distinct, place = np.unique(known.value[rows], return_inverse=True)
        values: list[Any] = [known.names[one] for one in distinct.tolist()] if known.names else distinct.tolist()
        if field.spec.type in ("none", "protocol"):
            values = [True] * len(values)
        if field.by_message:
            values = [(one,) for one in values]
        codes = column.codes_of([*values, empty])
        there = known.there[rows]
        column.add_codes(fresh, packet[rows].searchsorted(fresh, "right") - packet[rows].searchsorted(fresh),
                         np.where(there, codes[:-1][place], codes[-1]) if len(values) else np.full(len(rows), codes[-1]))

    def _known(self, conversation: Conversation, messages: Messages, field: FieldName) -> FieldColumn | None:
        """The field's values by message; None where only the messages themselves tell."""
        name, decoder = field.name, conversation.decoder
        assert decoder is not None
        count = len(messages)
        everywhere = np.ones(count, np.bool_)
        if name in COLUMNS:
            value, there = COLUMNS[name](conversation, messages)
            return FieldColumn(value, there, everywhere, [str(kind) for kind in KINDS] if name == "pv.kind" else ())
        if name in CONSTANT:
            value = EXCHANGE[name](conversation, messages[0])
            return FieldColumn(np.zeros(count, np.int64), everywhere if value is not None else ~everywhere, everywhere, (value,))
        if field.protocol != decoder.name and field.protocol != "pv":
            return FieldColumn(np.zeros(count, np.int64), ~everywhere, everywhere)
        if name == decoder.name:
            return FieldColumn(np.zeros(count, np.int64), everywhere, everywhere)
        if messages.heads is None or decoder.fast is None or name not in decoder.fast.columns:
            return None
        try:
            return decoder.fast.column(name, messages.heads, messages.peer)
        except Exception:  # a decoder's own mistake: the reader finds out message by message
            return None


def _pairs(messages: Messages) -> tuple[Array, Array, Array]:
    """(request, response, which messages have both), by row."""
    rows, peer = np.arange(len(messages)), messages.peer
    answers = messages.kind == RESPONSE
    return np.where(answers, peer, rows), np.where(answers, rows, peer), peer >= 0


def _time(conversation: Conversation, messages: Messages) -> tuple[Array, Array]:
    request, response, both = _pairs(messages)
    ts = conversation.index.columns.ts
    return (ts[messages.first_packet[response]].astype(np.int64) - ts[messages.packet[request]].astype(np.int64)) / 1e9, both


def _queued(conversation: Conversation, messages: Messages) -> tuple[Array, Array]:
    wait, told = waits(conversation)
    return wait / 1e9, told


def _frame(of: int) -> Callable[[Conversation, Messages], tuple[Array, Array]]:
    return lambda conversation, messages: (messages.packet[_pairs(messages)[of]] + 1, _pairs(messages)[2])


def _length(of: int) -> Callable[[Conversation, Messages], tuple[Array, Array]]:
    def lengths(conversation: Conversation, messages: Messages) -> tuple[Array, Array]:
        row = _pairs(messages)[of]
        return messages.length[row], (row >= 0) & (messages.kind != EVENT)
    return lengths


COLUMNS: dict[str, Callable[[Conversation, Messages], tuple[Array, Array]]] = {
    "pv": lambda conversation, messages: (np.ones(len(messages), np.int64), np.ones(len(messages), np.bool_)),
    "pv.kind": lambda conversation, messages: (messages.kind, np.ones(len(messages), np.bool_)),
    "pv.rrt": _time, "pv.queued": _queued, "pv.req_frame": _frame(0), "pv.resp_frame": _frame(1), "pv.req_len": _length(0), "pv.resp_len": _length(1),
}
"""(values, where there is one) by message."""
