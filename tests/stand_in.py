"""A capture made of TCP segments, without files, and two small protocols to cut and pair it with."""
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from captures.index.columns import LAYOUT
from protocols.decoder import MORE, REFUSED, TO_END, Answer, Decoder, Framing, Header, Kind, Match, MessageBytes, Opening, Side, Status, Summary
from protocols.engine.fields import Field, raw
from protocols.lower.facts import Datagram

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
FRAME_HEAD = 54


@dataclass
class Segment:
    """One packet: direction bit, raw sequence number, payload, flags; `captured` is how much of the payload the snap length leaves."""

    side: int
    seq: int
    data: bytes = b""
    flags: int = ACK
    ack: int = 0
    time: int | None = None
    captured: int | None = None
    datagram: Datagram | None = field(default=None, repr=False)


class StandIn:
    """What `captures` asks of an index, for one TCP stream."""

    def __init__(self, segments: Sequence[Segment], ports: tuple[int, int] = (50000, 7777)) -> None:
        self.segments = list(segments)
        count = len(self.segments)
        made: dict[str, Any] = {name: np.zeros(count, kind) for name, kind in LAYOUT.items()}
        for i, one in enumerate(self.segments):
            kept = len(one.data) if one.captured is None else min(one.captured, len(one.data))
            made["ts"][i] = i * 1000 if one.time is None else one.time
            made["poff"][i] = FRAME_HEAD if one.datagram is None else 20
            made["plen"][i] = len(one.data)
            made["cap"][i] = FRAME_HEAD + kept
            made["wire"][i] = FRAME_HEAD + len(one.data)
            made["kind"][i] = 1
            made["sport"][i], made["dport"][i] = ports if one.side == 0 else ports[::-1]
            made["seq"][i] = one.seq & 0xFFFFFFFF
            made["ack"][i] = one.ack & 0xFFFFFFFF
            made["flags"][i] = one.flags
            made["sd"][i] = one.side
        made["off"][1:] = np.cumsum(made["cap"])[:-1]
        self.columns = SimpleNamespace(count=count, time=lambda packet: int(made["ts"][packet]), **made)
        self.buffer = b"".join(bytes(FRAME_HEAD) + one.data[:one.captured] for one in self.segments)
        self.datagrams = {i: one.datagram for i, one in enumerate(self.segments) if one.datagram is not None}

    def packets_of(self, transport: str, number: int) -> Any:
        assert (transport, number) == ("tcp", 0)
        return np.arange(len(self.segments), dtype=np.int64)

    def frame(self, i: int) -> bytes:
        start = int(self.columns.off[i])
        return self.buffer[start:start + int(self.columns.cap[i])]

    def payload(self, i: int) -> tuple[bytes, int, int]:
        one = self.segments[i]
        if one.datagram is not None:
            return one.datagram.data, 20, len(one.datagram.data) - 20
        return self.buffer, int(self.columns.off[i]) + FRAME_HEAD, int(self.columns.cap[i]) - FRAME_HEAD


KINDS = {1: Kind.REQUEST, 2: Kind.RESPONSE, 3: Kind.ONEWAY, 4: Kind.EVENT}


def toy(kind: int, key: int, body: bytes = b"", code: int = 0) -> bytes:
    """A message of the toy protocol: length of the rest (4), kind, 0x7e, key (2), code, body."""
    return (5 + len(body)).to_bytes(4, "big") + bytes((kind, 0x7E)) + key.to_bytes(2, "big") + bytes((code,)) + body


class Toy(Decoder):
    """A length field, a magic byte and a key. The text "hello" opens a connection on which the rest is one message."""

    name: ClassVar[str] = "toy"
    title: ClassVar[str] = "Toy"
    column: ClassVar[str] = "TOY"
    ports: ClassVar[frozenset[int]] = frozenset({7777})
    framing: ClassVar[Framing | None] = Framing(offset=0, size=4, order="big", add=4, head=6, least=9, most=1 << 26)

    def recognise(self, opening: Opening) -> Match | None:
        for side, data in enumerate(opening.data):
            if data[:5] == b"hello":
                return Match(90, "a greeting", side)
            if data[5:6] == b"\x7e" and data[4] in KINDS:
                return Match(70, "magic", side if data[4] != 2 else 1 - side)
        return None

    def frame(self, data: bytes, side: Side) -> int | Answer:
        return TO_END if side.first and b"hello" in (side.opening[:5], side.peer_opening[:5]) else MORE

    def accepts(self, head: bytes, side: Side) -> bool:
        return (len(head) < 6 or head[5] == 0x7E) and (len(head) < 5 or head[4] in KINDS)

    def header(self, data: bytes, start: int, end: int, side: Side, session: Any) -> Header:
        key = int.from_bytes(data[start + 6:start + 8], "big") if end - start >= 8 else None
        return Header(KINDS[data[start + 4]], key, f"op{key}")

    def describe(self, message: MessageBytes) -> Summary:
        head = message.data[message.start:message.end]
        if message.header.kind is Kind.RESPONSE:
            bad = len(head) > 8 and head[8] != 0
            status = Status.SERVER_ERROR if bad else Status.OK
            return Summary(status=status, code=head[8] if len(head) > 8 else None, error="Bad" if bad else "", info="response")
        return Summary(op=message.header.op, target="/t", endpoint="/t", id=str(message.header.key), info=str(message.header.kind))

    def dissect(self, message: MessageBytes) -> Sequence[Field]:
        return [raw(message.data, message.start, message.end, message.view)]


class Ordered(Toy):
    """The same, paired in order: all messages have one key."""

    def header(self, data: bytes, start: int, end: int, side: Side, session: Any) -> Header:
        return replace(super().header(data, start, end, side, session), key=0)


LINE = re.compile(rb"(Q|A) (\d{1,6})\n")


def line(kind: str, body: bytes) -> bytes:
    """A message of the line protocol: Q or A, the body's length in digits, a line feed, the body."""
    return f"{kind} {len(body)}\n".encode() + body


class Lines(Decoder):
    """No length field at a fixed place: a head line and a body. Paired in order."""

    name: ClassVar[str] = "lines"
    title: ClassVar[str] = "Lines"
    column: ClassVar[str] = "LINES"

    def recognise(self, opening: Opening) -> Match | None:
        for side, data in enumerate(opening.data):
            if data[:2] == b"Q ":
                return Match(60, "a question", side)
        return None

    def frame(self, data: bytes, side: Side) -> int | Answer:
        end = data.find(b"\n", 0, 10)
        if end < 0:
            return MORE if len(data) < 10 else REFUSED
        found = LINE.match(data)
        return end + 1 + int(found[2]) if found else REFUSED

    def accepts(self, head: bytes, side: Side) -> bool:
        return head[:1] in (b"Q", b"A") and head[1:2] in (b" ", b"")

    def header(self, data: bytes, start: int, end: int, side: Side, session: Any) -> Header:
        return Header(Kind.REQUEST if data[start] == ord("Q") else Kind.RESPONSE, key=0)

    def describe(self, message: MessageBytes) -> Summary:
        return Summary(op="ask" if message.header.kind is Kind.REQUEST else "", info="line")

    def dissect(self, message: MessageBytes) -> Sequence[Field]:
        return [raw(message.data, message.start, message.end, message.view)]
