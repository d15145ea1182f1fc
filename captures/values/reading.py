"""Reading fields out of packets for a filter: no further than the fields need, all fields of one reach at a time.

Layers up to TCP and UDP are dissected packet by packet; messages and their fields come from the streams, a stream's run of packets at a
time. Values come out in the form in which they are compared (addresses as numbers, MAC addresses as bytes).
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from numpy.typing import NDArray

from captures.capture import Capture
from captures.index.columns import PacketKind
from captures.least_used import LeastUsed
from captures.messages.conversation import Conversation, MessageRow
from captures.messages.given import skimmed
from captures.packet import expert
from captures.packet import packets as dissection
from captures.stream.tcp_analysis import TcpAnalysis
from captures.values.field_names import FieldName, Reach, kind_of
from captures.values.known_names import COLUMNS
from captures.values.types import Part, Typed
from protocols.engine.fields import Field, Spec
from protocols.engine.mistakes import MISTAKES
from protocols.lower import tcp
from protocols.lower.facts import Lower, TcpFacts

__all__ = ["ReadPlan", "Reader", "Values"]

Array = NDArray[Any]
Layers = tuple[tuple[int, int | None], ...]
Values = dict[str, list[list[Any]]]
"""Field key -> for each packet its values."""
NESTING = frozenset(("icmp", "icmpv6"))
"""Layers inside which other packets are quoted."""
REST = frozenset(("tcp", "udp", "icmp", "icmpv6", "data", "arp"))
"""Protocols whose bytes go on behind the header, to the end of what they carry."""
ANALYSED = 2_000_000
"""Packets of streams whose analysis is kept at most."""


class ReadPlan:
    """The fields of one reach that a filter needs. `layers` tells of keys with `#`; `present` are those of which only the presence counts."""

    def __init__(self, fields: Mapping[str, FieldName], layers: Mapping[str, Layers], present: frozenset[str]) -> None:
        self.fields = fields
        self.present = present
        self._layers = layers
        self.kinds = {key: kind_of(field.spec) for key, field in fields.items()}
        self.split = {key: field for key, field in fields.items() if field.by_message}
        """Fields of which each message gives a tuple."""
        self.by_name: dict[str, list[tuple[str, Layers]]] = {}
        for key, field in fields.items():
            self.by_name.setdefault(field.name, []).append((key, layers.get(key, ())))
        self.names = frozenset(self.by_name)
        self.roots = {field.protocol for field in fields.values()}
        self.layered = any(layers.get(key) for key in fields)
        self.findings = not self.layered and all(field.name.startswith("tcp.analysis") for field in fields.values())
        """Whether only what the analysis of the stream found is asked for: no packet is dissected for that."""

    def only(self, keys: Sequence[str]) -> ReadPlan:
        """Some of the fields."""
        return self if len(keys) == len(self.fields) else ReadPlan({key: self.fields[key] for key in keys}, self._layers, self.present)


class Reader:
    """Reads packets of one capture."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self.index = capture.index
        self._analyses: LeastUsed[int, TcpAnalysis] = LeastUsed(ANALYSED)

    def read(self, reach: Reach, wanted: ReadPlan, packets: Array) -> Values:
        """The values of all wanted fields in each of the packets (ascending)."""
        if reach in (Reach.MESSAGE, Reach.HEAD, Reach.TREE):
            return self._from_streams(reach, wanted, packets)
        one = {Reach.LOWER: self._lower, Reach.STREAM: self._stream, Reach.ROW: self._row, Reach.PACKET: self._packet}[reach]
        out: Values = {key: [] for key in wanted.fields}
        for packet in packets.tolist():
            found: dict[str, list[Any]] = {}
            one(packet, wanted, found)
            for key, lists in out.items():
                lists.append(found.get(key, []))
        return out

    # layers

    def _lower(self, packet: int, wanted: ReadPlan, found: dict[str, list[Any]]) -> None:
        below = dissection.lower(self.index, packet, None)
        self._layers(packet, below, wanted, found)
        for key, field in wanted.fields.items():
            if field.name in expert.FALSE:
                found[key] = [0]

    def _stream(self, packet: int, wanted: ReadPlan, found: dict[str, list[Any]]) -> None:
        if wanted.findings and int(self.index.columns.kind[packet]) == PacketKind.TCP:
            facts = self._facts(packet)
            if facts is not None:
                _collect(tcp.found(facts, 0, 0), wanted, found, self._part(lambda view: b"", None))
            return
        below = dissection.lower(self.index, packet, self._facts(packet))
        self._layers(packet, below, wanted, found)

    def _layers(self, packet: int, below: Lower, wanted: ReadPlan, found: dict[str, list[Any]]) -> None:
        needed = [layer for layer in below.layers
                  if layer.spec.name.partition(".")[0] in wanted.roots or layer.spec.name in NESTING or layer.spec.type != "protocol"]
        _collect(below.layers if wanted.layered else needed, wanted, found, self._part(lambda view: self._view(packet, below, view), below))

    def _view(self, packet: int, below: Lower, view: int) -> bytes:
        return self.index.frame(packet) if view == 0 else below.views[view - 1].data

    def _part(self, data: Callable[[int], bytes], below: Lower | None) -> Callable[[Field], Part]:
        """The function that gives a layer's bytes."""
        def part(node: Field) -> Part:
            end = node.end
            if node.name in REST:
                payload = below.payload if below is not None else None
                end = max(end, payload[2]) if payload is not None and payload[0] == node.view else end
            return Part(data(node.view)[node.start:end], node.length)
        return part

    def _facts(self, packet: int) -> TcpFacts | None:
        c = self.index.columns
        if int(c.kind[packet]) != PacketKind.TCP:
            return None
        number = int(c.sd[packet]) >> 1
        analysis = self._analyses.get(number)
        if analysis is None:
            analysis = TcpAnalysis(self.index, number)
            self._analyses.put(number, analysis, len(self.index.packets_of("tcp", number)))
        return analysis.facts(packet)

    def _row(self, packet: int, wanted: ReadPlan, found: dict[str, list[Any]]) -> None:
        row = self.capture.row(packet)
        for key, field in wanted.fields.items():
            if field.protocol == expert.EXPERT.name:
                levels = expert.levels_of(self.index.columns, packet, row.severity)
                found[key] = [True] * bool(levels) if field.kind == "none" else levels
                continue
            column = next(value for name, value in COLUMNS.items() if name.lower() == field.name.lower())
            found[key] = [str(getattr(row, column))]

    def _packet(self, packet: int, wanted: ReadPlan, found: dict[str, list[Any]]) -> None:
        whole = self.capture.packet(packet)
        _collect(whole.layers, wanted, found, self._part(lambda view: whole.views[view].data, None))

    # messages

    def _from_streams(self, reach: Reach, wanted: ReadPlan, packets: Array) -> Values:
        out: Values = {key: [[] for _ in range(len(packets))] for key in wanted.fields}
        for _, _, ours in self.index.by_stream(packets):
            conversation = self.capture.conversation_of(int(ours[-1]))
            if conversation is None or conversation.decoder is None:
                continue
            place = dict(zip(ours.tolist(), packets.searchsorted(ours).tolist(), strict=True))
            for layer in conversation.layers():
                assert layer.decoder is not None
                pdus = _ending(layer, ours)
                if reach is Reach.MESSAGE:
                    _whole(layer, wanted, pdus, place, out)
                elif layer.decoder.name in wanted.roots:
                    self._trees(layer, wanted, pdus, place, out)
                else:
                    # messages of other layers count as messages that have none of these fields
                    for pdu in pdus:
                        for key in wanted.split:
                            out[key][place[pdu.packet]].append(())
        return out

    def _trees(self, conversation: Conversation, wanted: ReadPlan, pdus: Sequence[MessageRow], place: Mapping[int, int], out: Values) -> None:
        decoder = conversation.decoder
        assert decoder is not None
        ordinal: dict[int, int] = {}
        for pdu in pdus:
            at = place[pdu.packet]
            message = conversation.message(pdu)
            found: dict[str, list[Any]] = {}
            try:
                fields = skimmed(decoder, message, wanted.names)
                views = [message.data, *(view.data for view in message.views)]
                ordinal[at] = ordinal.get(at, 0) + 1
                part = self._part(lambda view, views=views: views[view], None)     # type: ignore[misc]
                _collect(fields, wanted, found, part, {decoder.name: ordinal[at]})
            except MISTAKES:    # the message has no fields then
                found = {}
            for key, field in wanted.split.items():
                out[key][at].append(_one(field, found.pop(key, [])))
            for key, values in found.items():
                out[key][at].extend(values)


def _ending(conversation: Conversation, packets: Array) -> list[MessageRow]:
    """The messages that end in these packets."""
    messages = conversation.messages
    return [messages[row] for row in messages.in_packets(packets).tolist()]


def _collect(layers: Sequence[Field], wanted: ReadPlan, found: dict[str, list[Any]], part: Callable[[Field], Part],
             ordinals: dict[str, int] | None = None) -> None:
    """Append the values of the wanted fields in a tree to `found`."""
    by_name, counts = wanted.by_name, dict(ordinals or {})
    stack = list(reversed(layers))
    while stack:
        node = stack.pop()
        name = node.spec.name
        if wanted.layered and node.spec.type == "protocol":
            counts[name] = counts.get(name, 0) + 1
        keys = by_name.get(name)
        if keys is not None and not node.absent:
            for key, ranges in keys:
                if ranges and not _inside(counts.get(name.partition(".")[0], 0), ranges):
                    continue
                found.setdefault(key, []).append(True if key in wanted.present else _value(node, wanted.kinds[key], part))
        below = node.fields
        if below:
            stack.extend(reversed(below))


def _inside(number: int, ranges: Layers) -> bool:
    return any(first <= number and (last is None or number <= last) for first, last in ranges)


def _value(node: Field, kind: str, part: Callable[[Field], Part]) -> Any:
    """A field's value as it is compared; None where it has none."""
    value = node.value
    if kind == "protocol":
        return part(node)
    if kind == "none":
        return True
    if kind == "any":
        return _typed(node.spec, value)
    if value is None:
        return None
    try:
        return CONVERT[kind](value)
    except (ValueError, TypeError):
        return None


def _typed(spec: Spec, value: Any) -> Typed | None:
    """A value with its kind, as `literals` writes it; masked ones are text."""
    if value is None:
        return Typed("none", None)
    kind = "string" if isinstance(value, str) and spec.type not in ("ipv4", "ipv6", "ether") else kind_of(spec)
    try:
        return Typed("number" if kind in ("int", "double") else kind, CONVERT[kind](value))
    except (ValueError, TypeError, KeyError):
        return None


def _one(field: FieldName, values: list[Any]) -> tuple[Any, ...]:
    """What is kept of a message: the values of a field, or whether a test on them holds."""
    if field.test is None:
        return tuple(values)
    (key,) = field.test.keys
    return (True,) if field.test.holds({key: [tuple(values)]}) else ()


CONVERT: dict[str, Callable[[Any], Any]] = {
    "int": int, "bool": lambda value: int(bool(value)), "string": str, "bytes": bytes, "ether": lambda value: bytes.fromhex(value.replace(":", "")),
    "ipv4": lambda value: int(IPv4Address(value)), "ipv6": lambda value: int(IPv6Address(value)), "time": int, "duration": int, "double": float,
}


def _whole(conversation: Conversation, wanted: ReadPlan, pdus: Sequence[MessageRow], place: Mapping[int, int], out: Values) -> None:
    """The messages themselves, where a filter asks for what their protocol's name stands for: the bytes."""
    decoder = conversation.decoder
    assert decoder is not None
    for key, field in wanted.fields.items():
        light = key in wanted.present or (field.test is not None and field.test.exists)
        for pdu in pdus:
            values: list[Any] = []
            if field.name == decoder.name:
                values = [True] if light else [Part(data := conversation.data(pdu), len(data))]
            if field.by_message:
                out[key][place[pdu.packet]].append(_one(field, values))
            else:
                out[key][place[pdu.packet]].extend(values)
