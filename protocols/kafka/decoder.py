"""The Kafka decoder: framing, header and the way into the rest.

A frame is a length and that many bytes. A request names its API and version; a response has only the correlation id, so it is read by
its request. Between SaslHandshake v0 and the next proper request, frames are bare SASL tokens: the one state that a connection has.
"""
from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from protocols.decoder import Decoder, Fast, FieldReaders, Framing, Header, Kind, Match, MessageBytes, Opening, Side, Summary
from protocols.engine.fields import Field, Spec
from protocols.kafka import batches, columns, describe, frames, internal, names, reader, recognise, sasl, schema, single, skim
from protocols.kafka.frames import TEACHERS, TOKEN, Api
from protocols.kafka.recognise import accepts as starts_message
from protocols.kafka.topics import INTERNAL, Topics
from protocols.message_heads import FieldColumn, HeaderColumns, MessageHeads

__all__ = ["Kafka"]

REQUEST = struct.Struct(">hhi")
CUT = struct.Struct(">hh")
CORRELATION = struct.Struct(">i")
PRODUCE, SASL_HANDSHAKE = 0, 17
SEARCHED = 64
"""Of as many topic ids at most each is searched for in a stream."""
ASKED, ANSWERED = Kind.REQUEST, Kind.RESPONSE


class Session:
    """Whether bare SASL tokens may come, how many each side has sent, and the correlation id of the handshake."""

    __slots__ = ("bare", "handshake", "tokens")

    def __init__(self) -> None:
        self.bare = False
        self.handshake: int | None = None
        self.tokens = [0, 0]


@cache
def _operation(key: int, version: int) -> tuple[str, Api]:
    api = Api(key, version)
    return frames.operation(api), api


def _unanswered(data: bytes, start: int, end: int, version: int) -> bool:
    """Whether a Produce request asks for no answer (acks 0)."""
    try:
        at = start + 14 + max(0, struct.unpack_from(">h", data, start + 12)[0])
        if version >= 9:
            tags, at = data[at], at + 1
            for _ in range(tags):
                at = _skip_tag(data, at)
            size = data[at]
            if size > 0x7F:
                size, at = (size & 0x7F) | data[at + 1] << 7, at + 1
            at += 1 + max(0, size - 1)
        elif version >= 3:
            at += 2 + max(0, struct.unpack_from(">h", data, at)[0])
        return at + 2 <= end and data[at:at + 2] == b"\0\0"
    except (struct.error, IndexError):
        return False


def _skip_tag(data: bytes, at: int) -> int:
    """Behind one small tagged field of a header."""
    return at + 2 + data[at + 1]


class FastKafka(Fast):
    """How many messages are read at once: by columns of their first bytes."""

    columns = columns.TOLD

    def count_accepted(self, heads: MessageHeads, side: Side) -> int | None:
        expected = recognise.expected(side.opening if side.from_client else side.peer_opening)
        if expected.bare:
            return None
        return columns.requests(heads) if side.from_client else columns.responses(heads, expected)

    def headers(self, heads: MessageHeads) -> HeaderColumns | None:
        return columns.headers(heads)

    def column(self, name: str, heads: MessageHeads, peer: NDArray[np.int64]) -> FieldColumn:
        return columns.known(name, heads, peer)

    def readers(self, names: tuple[str, ...], heads: MessageHeads, peer: NDArray[np.int64],
                facts: Callable[[], Topics | None]) -> FieldReaders:
        return skim.readers(names, heads, peer, facts)

    def skim(self, message: MessageBytes, names: frozenset[str]) -> Sequence[Field]:
        return skim.skim(message, names)

    def verbatim(self) -> frozenset[str]:
        return _verbatim()

    def teaching(self, heads: MessageHeads, peer: NDArray[np.int64]) -> NDArray[np.int64]:
        return columns.teaching(heads, peer)

    def not_verbatim_if(self, heads: MessageHeads | None, facts: Callable[[], Topics]) -> Sequence[bytes]:
        """What the names of internal topics begin with, since records of these topics have fields of their own and their batches may be compressed;
        and, where messages may name topics by their ids alone, all ids, since their names stand in no byte. Of many ids: any message."""
        if heads is not None and not columns.any_by_id(heads):
            return (INTERNAL.encode(),)
        known = facts().wire
        return (INTERNAL.encode(), *known) if len(known) <= SEARCHED else (b"",)


class Kafka(Decoder):
    """Apache Kafka, all APIs and versions of 0.8 to 4.5."""

    name = "kafka"
    title = "Apache Kafka"
    column = "Kafka"
    fast = FastKafka()
    ports = recognise.PORTS
    frames = Spec("kafka.request_frame", "Request Frame", "frame"), Spec("kafka.response_frame", "Response Frame", "frame")
    framing = Framing(offset=0, size=4, order="big", add=4, head=recognise.HEAD, least=4, most=recognise.MOST + 4)

    def specs(self) -> Iterable[Spec]:
        """Every field, by walking the whole schema (some 30 ms, once)."""
        return _all_specs()

    def recognise(self, opening: Opening) -> Match | None:
        return recognise.recognise(opening)

    def session(self) -> Session:
        return Session()

    accepts = staticmethod(starts_message)

    def header(self, data: bytes, start: int, end: int, side: Side, session: Session) -> Header:
        if session.bare and self._is_token(data, start, end, side, session):
            mine = 0 if side.from_client else 1
            session.tokens[mine] += 1
            return Header(Kind.RESPONSE if mine else Kind.REQUEST, ("sasl", session.tokens[mine]), "SASL token", TOKEN)
        if not side.from_client:
            if end - start < 8:
                return Header(ANSWERED)
            (correlation,) = CORRELATION.unpack_from(data, start + 4)
            return Header(ANSWERED, correlation)
        if end - start < 12:
            # cut off: what it asks may be there, its correlation id is not
            return Header(ASKED, None, *_operation(*CUT.unpack_from(data, start + 4))) if end - start >= 8 else Header(ASKED)
        key, version, correlation = REQUEST.unpack_from(data, start + 4)
        op, api = _operation(key, version)
        if key == PRODUCE and _unanswered(data, start, end, version):
            return Header(Kind.ONEWAY, correlation, op, api)
        if key == SASL_HANDSHAKE and version == 0:
            session.bare, session.handshake = True, correlation
        return Header(ASKED, correlation, op, api)

    def _is_token(self, data: bytes, start: int, end: int, side: Side, session: Session) -> bool:
        """Whether a frame after SaslHandshake v0 is a bare token; notes the handshake's answer and the end of the tokens."""
        if side.from_client:
            if end - start >= 12 and recognise.is_request(data[start:start + recognise.HEAD]):
                session.bare = False
                return False
            return True
        if session.handshake is not None and end - start >= 10 and int.from_bytes(data[start + 4:start + 8], "big", signed=True) == session.handshake:
            session.handshake = None
            session.bare = data[start + 8:start + 10] == b"\0\0"
            return False
        return True

    def new_facts(self) -> Topics:
        return Topics()

    def teaches(self, message: MessageBytes) -> bool:
        peer = message.peer if not message.from_client else None
        api = peer.header.context if peer is not None else None
        return api is not None and api != TOKEN and api.version >= TEACHERS.get(api.key, schema.LATEST)

    def learn(self, message: MessageBytes, facts: Topics) -> None:
        peer = message.peer
        if peer is not None:
            frames.learn(message.data, message.start, message.end, peer.header.context, facts)

    def describe(self, message: MessageBytes) -> Summary:
        return describe.describe(message)

    def dissect(self, message: MessageBytes) -> Sequence[Field]:
        return frames.dissect(message)


@cache
def _all_specs() -> tuple[Spec, ...]:
    """The specs of frames, records and of every part of the schema, each name once."""
    found: dict[str, Spec] = {}

    def keep(spec: Spec) -> None:
        found.setdefault(spec.name, spec)

    def part_specs(part: schema.Part, holders: tuple[str, ...]) -> None:
        spec = names.spec_of(part, holders)
        keep(spec)
        if part.type in "[syr":
            keep(spec.length)
        inner = part
        if part.element is not None:
            inner = part.element
            item = names.item_spec(part, holders)
            keep(item)
            if inner.type in "sy":
                keep(item.length)
        for one in inner.parts:
            part_specs(one, (*holders, part.name))

    keep(Spec("kafka", "Kafka", "protocol", about="Apache Kafka"))
    for group in (frames.SPECS, reader.SPECS, batches.SPECS, single.SPECS, internal.SPECS, sasl.SPECS):
        for spec in group:
            keep(spec)
    for message in schema.messages():
        for part in message.parts:
            part_specs(part, (message.name,))
    return tuple(found.values())


@cache
def _verbatim() -> frozenset[str]:
    """The texts of the schema, and the client id; none that something else than a layout makes as well."""
    found: dict[bool, set[str]] = {True: set(), False: set()}

    def texts(part: schema.Part, holders: tuple[str, ...]) -> None:
        found[part.type == "s"].add(names.spec_of(part, holders).name)
        inner = part.element or part
        if part.element is not None:
            found[inner.type == "s"].add(names.item_spec(part, holders).name)
        for one in inner.parts:
            texts(one, (*holders, part.name))

    for message in schema.messages():
        for part in message.parts:
            texts(part, (message.name,))
    made = {spec.name for group in (frames.SPECS, reader.SPECS, batches.SPECS, single.SPECS, internal.SPECS, sasl.SPECS) for spec in group}
    return frozenset(found[True] - found[False] - made | {"kafka.client_id"})
