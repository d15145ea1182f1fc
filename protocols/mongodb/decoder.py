"""The MongoDB decoder: framing, pairing and the tree.

A message is read by the layout of its opcode; a compressed one once more in a byte view of its own. Replies of an exhaust cursor name
the reply before them (some servers' name the request each time), so the session keeps which request a chain belongs to.

Sources: MongoDB specifications (OP_MSG, OP_COMPRESSED); MongoDB manual, "Wire Protocol".
"""
from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from protocols.decoder import Decoder, Fast, Framing, Header, Kind, Match, MessageBytes, Opening, Side, Summary
from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec
from protocols.engine.records import read
from protocols.message_heads import FieldColumn, HeaderColumns, MessageHeads
from protocols.mongodb import columns, document, layouts, meaning
from protocols.mongodb import tables as t
from protocols.mongodb.body import read_body
from protocols.mongodb.commands import carries_secrets
from protocols.mongodb.compression import CannotDecompress, decompress, peek
from protocols.mongodb.describe import describe
from protocols.mongodb.recognise import could_follow, recognise
from protocols.mongodb.values import note

__all__ = ["MongoDB"]

_HEAD = struct.Struct("<iIIi").unpack_from
_U32 = struct.Struct("<I").unpack_from
_I32 = struct.Struct("<i").unpack_from


@dataclass(slots=True)
class Session:
    """`chain` maps the id of a reply that announces more to the request of its chain, `place` an open chain's request to the place of its last reply;
    `exhaust` are legacy queries with the exhaust flag."""

    chain: dict[int, int] = field(default_factory=dict)
    place: dict[int, int] = field(default_factory=dict)
    exhaust: set[int] = field(default_factory=set)


class FastMongoDB(Fast):
    """How many messages are read at once: by columns of their first bytes."""

    columns = columns.TOLD

    def count_accepted(self, heads: MessageHeads, side: Side) -> int:
        return columns.accepted(heads)

    def headers(self, heads: MessageHeads) -> HeaderColumns | None:
        return columns.headers(heads)

    def column(self, name: str, heads: MessageHeads, peer: NDArray[np.int64]) -> FieldColumn:
        return columns.known(name, heads)


class MongoDB(Decoder):
    """MongoDB's wire protocol."""

    name = "mongo"
    title = "MongoDB"
    column = "MongoDB"
    fast = FastMongoDB()
    ports = frozenset({27017, 27018, 27019})
    prefixes = (document.PATHS,)
    framing = Framing(offset=0, size=4, order="little", add=0, head=48, least=16, most=t.LARGEST)
    header_bytes = 25 + 18 + 3 + 131_072
    """A compressed message's own fields, zstd's frame header and one block: nothing comes out of a block before all of it is there (RFC 8878)."""

    def specs(self) -> Iterable[Spec]:
        return (*layouts.specs(), *document.SPECS, *meaning.SPECS)

    def recognise(self, opening: Opening) -> Match | None:
        return recognise(opening)

    def session(self) -> Session:
        return Session()

    def accepts(self, head: bytes, side: Side) -> bool:
        return could_follow(head)

    def header(self, data: bytes, start: int, end: int, side: Side, session: Session) -> Header:
        """Kind and key; the command's name where the message's first bytes tell it; in a reply of a chain its place in `context`, from 1."""
        if end - start < 16:
            return Header(Kind.EVENT)
        _, request_id, response_to, opcode = _HEAD(data, start)
        if side.from_client:
            opcode, flags, name = _glance(data, start, end, opcode)
            if opcode == t.OP_QUERY and flags & t.QUERY_EXHAUST:
                session.exhaust.add(request_id)
            if session.place:
                session.place.pop(request_id, None)
            unanswered = opcode in t.UNANSWERED or (opcode == t.OP_MSG and flags & t.MORE_TO_COME)
            return Header(Kind.ONEWAY if unanswered else Kind.REQUEST, request_id, name)
        more = False
        if opcode == t.OP_MSG:
            more = end - start >= 20 and bool(data[start + 16] & t.MORE_TO_COME)
        elif opcode == t.OP_COMPRESSED:
            opcode, flags, _ = _glance(data, start, end, opcode)
            more = opcode == t.OP_MSG and bool(flags & t.MORE_TO_COME)
        key = session.chain.pop(response_to, response_to) if session.chain else response_to
        place = session.place.pop(key, 0) if session.place else 0
        if opcode == t.OP_REPLY and key in session.exhaust and end - start >= 28:
            more = data[start + 20:start + 28] != bytes(8)
        if not more:
            return Header(Kind.RESPONSE, key, "", place + 1 if place else None)
        session.chain[request_id] = key
        session.place[key] = place + 1
        return Header(Kind.RESPONSE, key, "", place + 1, True)

    def describe(self, message: MessageBytes) -> Summary:
        return describe(message)

    def dissect(self, message: MessageBytes) -> Sequence[Field]:
        data, start, end, view = message.data, message.start, message.end, message.view
        want = message.length
        if end - start < 16:
            return read(layouts.HEADER, data, start, end, view=view, want=want)
        out = read(layouts.HEADER, data, start, start + 16, view=view)
        opcode = int(_HEAD(data, start)[3])
        body = read_body(data, start, end)
        secret = carries_secrets(message, body)
        if opcode == t.OP_COMPRESSED:
            out += _compressed(message, secret)
        else:
            out += _plain(message, data, start + 16, end, view, opcode, want - 16, secret)
        return [*out, *meaning.fields(message, body)]


def _glance(data: bytes, start: int, end: int, opcode: int) -> tuple[int, int, str]:
    """(opcode, flags, command's name) from the first bytes of a message, through its compression."""
    at = start + 16
    if opcode == t.OP_COMPRESSED and end - at >= 9:
        opcode = int(_I32(data, at)[0])
        data = peek(data[at + 8], data[at + 9:end])
        at, end = 0, len(data)
    if opcode in t.LEGACY_NAMES:
        return opcode, 0, t.LEGACY_NAMES[opcode]
    if end - at < 4:
        return opcode, 0, ""
    flags = int(_U32(data, at)[0])
    if opcode == t.OP_MSG:
        now = at + 4
        while now + 5 < end and data[now] == 1 and (size := int(_I32(data, now + 1)[0])) > 4:
            now += 1 + size
        return opcode, flags, _first_key(data, now + 1, end) if now < end and data[now] == 0 else ""
    if opcode == t.OP_QUERY:
        zero = data.find(b"\0", at + 4, end)
        if zero < 0:
            return opcode, flags, ""
        return opcode, flags, _first_key(data, zero + 9, end) if data.endswith(b".$cmd", at + 4, zero) else "query"
    return opcode, flags, ""


def _first_key(data: bytes, at: int, end: int) -> str:
    """The name of the first element of the document at `at`; "" where it is none of a command (the operator $query wraps one)."""
    zero = data.find(b"\0", at + 5, min(end, at + 133))
    name = data[at + 5:zero].decode("utf-8", "replace") if zero >= 0 else ""
    return "" if name.startswith("$") else name


def _plain(message: MessageBytes, data: bytes, at: int, end: int, view: int, opcode: int, want: int, secret: bool) -> list[Field]:
    """The body of an uncompressed message."""
    layout = layouts.BODIES.get(opcode, layouts.UNKNOWN_BODY)
    checked = opcode == t.OP_MSG and end - at >= 4 and bool(_U32(data, at)[0] & t.CHECKSUM_PRESENT)
    cut = want > end - at
    stop = min(end, at + want - 4) if checked and want >= 8 else end
    out = read(layout, data, at, stop, view=view, want=want if cut else None, context=secret)
    if stop < end and cut:
        out.append(f.raw(data, stop, end, view, "Checksum, cut off"))
    elif stop < end:
        out += _checksum(data, message.start if view == message.view else None, stop, view)
    if opcode == t.OP_MSG and end - at >= 4 and (unknown := int(_U32(data, at)[0]) & t.REQUIRED_UNKNOWN):
        out.append(note(f"required flags that are not known: 0x{unknown:04x}", at, view))
    return out


def _checksum(data: bytes, start: int | None, at: int, view: int) -> list[Field]:
    """The CRC-32C over the message before it; inside a compressed one it covers a header that never was on the wire."""
    stated = int(_U32(data, at)[0])
    if start is None:
        return [Field(layouts.CHECKSUM, stated, at, 4, view), f.generated(layouts.CHECKSUM_STATUS, 2, at=at, view=view)]
    import google_crc32c

    found = google_crc32c.value(data[start:at])
    good = found == stated
    text = f"{layouts.CHECKSUM.label}: 0x{stated:08x} [{'correct' if good else f'incorrect, should be 0x{found:08x}'}]"
    return [Field(layouts.CHECKSUM, stated, at, 4, view, (), text), f.generated(layouts.CHECKSUM_STATUS, int(good), at=at, view=view)]


def _compressed(message: MessageBytes, secret: bool) -> list[Field]:
    """The compressed message's own fields, and the tree of what it holds in a byte view of its own."""
    data, at, end, view = message.data, message.start + 16, message.end, message.view
    out = read(layouts.COMPRESSED_HEAD, data, at, end, view=view, want=message.length - 16 if not message.complete else None)
    if end - at < 9 or not message.complete:
        return out
    opcode, size, compressor = int(_I32(data, at)[0]), int(_I32(data, at + 4)[0]), data[at + 8]
    if compressor not in t.COMPRESSORS and end > at + 9:
        out[0].fields[-1]._children = [Field(layouts.UNSUPPORTED_DATA, data[at + 9:end], at + 9, end - at - 9, view)]
    if opcode == t.OP_COMPRESSED:
        return [*out, note("A compressed message inside a compressed message is not read", at, view)]
    try:
        inside = decompress(compressor, data[at + 9:end], size)
    except CannotDecompress as fault:
        return [*out, note(f"Not decompressed: {fault}", at + 9, view)]
    made = message.add_view(f"Decompressed ({t.COMPRESSORS[compressor]})", inside)
    fields = _plain(message, inside, 0, len(inside), made, opcode, len(inside), secret)
    title = f"Decompressed message: {t.OPCODES.get(opcode, f'opcode {opcode}')}, {len(inside):,} bytes"
    return [*out, f.group(layouts.DECOMPRESSED, 0, len(inside), fields, title, made)]
