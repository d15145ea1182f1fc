"""How a slave broker follows its master (port 10912): offsets one way, the commit log in blocks the other way.

Two forms. Plain: the slave sends its offset as an i64, the master an i64 offset, an i32 size (0: heartbeat) and that much of the commit log. With a
controller ("auto switch"): an i32 state comes first, a handshake before the rest. Blocks end where they end: a record may go on in the next one.
Source: apache/rocketmq 5.3.3, store/ha/DefaultHAConnection.java, DefaultHAClient.java, store/ha/autoswitch/.
"""
from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import pairwise

from protocols.decoder import CLAIM, MORE, REFUSED, Answer, Decoder, Header, Kind, Match, MessageBytes, Opening, Side, Summary
from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec
from protocols.engine.records import I16, I32, I64, Each, Layout, Sized, read
from protocols.rocketmq import messages, stored, trace, values
from protocols.rocketmq import specs as s
from protocols.rocketmq import tables as t

__all__ = ["RocketMQHA"]

PORT = 10912
MOST = 1 << 24
FARTHEST = 1 << 52
"""The highest offset of a commit log that is believed: 4 PiB."""
HANDSHAKE, TRANSFER = 1, 2
STATES = {0: "READY", HANDSHAKE: "HANDSHAKE", TRANSFER: "TRANSFER", 3: "SUSPEND", 4: "SHUTDOWN"}
HIGHEST_STATE = 255
"""States beyond those that have a name are believed up to here."""
RECORDS = 64

_PLAIN = struct.Struct(">qi")
_SWITCH = struct.Struct(">iiqi")
_I64, _I32 = (struct.Struct(code).unpack_from for code in (">q", ">i"))


def _spec(name: str, label: str, kind: str = "none", about: str = "") -> Spec:
    return Spec(f"rocketmq_ha.{name}", label, kind, about=about)


ROOT = Spec("rocketmq_ha", "RocketMQ replication", "protocol")
REPORTED = _spec("reported_offset", "Reported offset", "int64", "Up to where the slave has the commit log")
STATE = Spec("rocketmq_ha.state", "State", "int32", STATES)
OFFSET = _spec("offset", "Commit log offset", "int64", "Where the block stands in the commit log")
SIZE = _spec("size", "Body size", "int32", "Bytes that follow the header; 0 is a heartbeat")
EPOCH = _spec("epoch", "Epoch", "int32")
EPOCH_START = _spec("epoch_start_offset", "Epoch start offset", "int64")
CONFIRMED = _spec("confirm_offset", "Confirmed offset", "int64")
LAST_FILE = _spec("sync_from_last_file", "Sync from the last file", "int16")
LEARNER = _spec("async_learner", "Asynchronous learner", "int16")
BROKER_ID = _spec("broker_id", "Broker id", "int64")
ADDRESS_LEN = _spec("address_len", "Address length", "int32")
ADDRESS = _spec("address", "Address", "string")
EPOCHS, EPOCH_ENTRY = _spec("epochs", "Epochs"), _spec("epoch_entry", "Epoch")
BLOCK = _spec("block", "Commit log")
TAIL = _spec("tail", "End of a record", "bytes", "Goes on from the block before")
BEGINNING = _spec("beginning", "Beginning of a record", "bytes", "Goes on in the next block")
SPECS = (ROOT, REPORTED, STATE, OFFSET, SIZE, EPOCH, EPOCH_START, CONFIRMED, LAST_FILE, LEARNER, BROKER_ID, ADDRESS_LEN, ADDRESS, EPOCHS, EPOCH_ENTRY, BLOCK,
         TAIL, BEGINNING)

_ENTRY = Layout(EPOCH_ENTRY, ((EPOCH, I32), (OFFSET, I64)))
_REPORT = Layout(None, ((REPORTED, I64),))
_HEARD = Layout(None, ((STATE, I32), (REPORTED, I64)))
_GREETING = Layout(None, ((STATE, I32), (LAST_FILE, I16), (LEARNER, I16), (BROKER_ID, I64)))
_WELCOME = Layout(None, ((STATE, I32), (SIZE, I32), (OFFSET, I64), (EPOCH, I32), (EPOCHS, Sized(SIZE, Each(EPOCH_ENTRY, _ENTRY)))))
_BLOCK = Layout(None, ((OFFSET, I64), (SIZE, I32)))
_EPOCH_BLOCK = Layout(None, ((STATE, I32), (SIZE, I32), (OFFSET, I64), (EPOCH, I32), (EPOCH_START, I64), (CONFIRMED, I64)))
OLD_GREETING = 62
"""Bytes of the slave's handshake in 5.0.0 and 5.1.0, which carried an address in place of the broker id."""


def switching(client: bytes, server: bytes) -> bool:
    """Whether the two directions begin in the form with states."""
    if len(client) >= 12 and _I32(client)[0] == HANDSHAKE:
        return not server or (len(server) >= 4 and _I32(server)[0] == HANDSHAKE)
    if len(server) < _SWITCH.size:
        return False
    state, _, offset, _ = _SWITCH.unpack_from(server)
    return state in (HANDSHAKE, TRANSFER) and 0 <= offset < FARTHEST and plain_at(server, 0) is None


def plain_at(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Offset, size and end of the block at `at`; None when there is none."""
    if at + _PLAIN.size > len(data):
        return None
    offset, size = _PLAIN.unpack_from(data, at)
    return (offset, size, at + _PLAIN.size + size) if 0 <= offset < FARTHEST and 0 <= size <= MOST else None


class RocketMQHA(Decoder):
    name = "rocketmq_ha"
    title = "Apache RocketMQ replication (HA)"
    column = "RocketMQ-HA"
    ports = frozenset({PORT})

    def specs(self) -> Iterable[Spec]:
        return s.unique((*SPECS, s.KEY, s.MEMBER, s.ITEM, *s.members().values(), *messages.SPECS, *values.SPECS, *s.properties().values(), *trace.SPECS))

    def recognise(self, opening: Opening) -> Match | None:
        found = [match for client in (0, 1) if (match := _as_client(opening, client)) is not None]
        return max(found, key=lambda match: match.score, default=None)

    def frame(self, data: bytes, side: Side) -> int | Answer:
        if side.from_client:
            return _from_slave(data, switching(side.opening, side.peer_opening))
        return _from_master(data, switching(side.peer_opening, side.opening))

    def header(self, data: bytes, start: int, end: int, side: Side, session: object) -> Header:
        client, server = (side.opening, side.peer_opening) if side.from_client else (side.peer_opening, side.opening)
        states = switching(client, server)
        state = _I32(data, start)[0] if states and end - start >= 4 else 0
        if state == HANDSHAKE:
            return Header(Kind.EVENT, None, "handshake", states)
        if side.from_client:
            return Header(Kind.EVENT, None, "report offset", states)
        if end - start < 12:  # cut off before it tells whether anything follows
            return Header(Kind.EVENT, None, "", states)
        size = _I32(data, start + (4 if states else 8))[0]
        return Header(Kind.EVENT, None, "transfer" if size else "heartbeat", states)

    def describe(self, message: MessageBytes) -> Summary:
        data, start, end = message.data, message.start, message.end
        op, states = message.header.op, message.header.context
        words = [op or "block"]
        if message.from_client and op != "handshake" and end - start >= (12 if states else 8):
            words.append(f"{_I64(data, start + (4 if states else 0))[0]}")
        elif op in ("transfer", "heartbeat") and end - start >= 20:
            size, offset = (_I32(data, start + 4)[0], _I64(data, start + 8)[0]) if states else (_I32(data, start + 8)[0], _I64(data, start)[0])
            words.append(f"offset {offset}, {t.sized(size)}")
        elif op == "heartbeat" and end - start >= 12 and not states:
            words.append(f"offset {_I64(data, start)[0]}")
        if not message.complete:
            words.append("cut off")
        return Summary(op, info=" ".join(words))

    def dissect(self, message: MessageBytes) -> Sequence[Field]:
        data, start, end, view = message.data, message.start, message.end, message.view
        states = message.header.context
        state = _I32(data, start)[0] if states and end - start >= 4 else 0
        if message.from_client:
            if state == HANDSHAKE and message.length == OLD_GREETING:
                return _old_greeting(data, start, end, message.length, view)
            return read(_GREETING if state == HANDSHAKE else _HEARD if states else _REPORT, data, start, end, view=view, want=message.length)
        if state == HANDSHAKE:
            return read(_WELCOME, data, start, end, view=view, want=message.length)
        head = 36 if states else _PLAIN.size
        stop = min(end, start + head)
        cut = message.length > end - start
        out = read(_EPOCH_BLOCK if states else _BLOCK, data, start, stop, view=view, want=head if stop - start < head else None)
        if end > stop:
            parts = block(data, stop, end, messages.Bodies(message), view)
            out.append(f.group(BLOCK, stop, end, parts, f"Commit log, {t.sized(end - stop)}", view))
        if cut and stop - start >= head:
            out.append(f.incomplete(end - start, message.length, start, view))
        return out


def _old_greeting(data: bytes, start: int, end: int, length: int, view: int) -> list[Field]:
    """The handshake of 5.0: state, two flags, the length of an address, and 50 bytes for it."""
    layout = Layout(None, ((STATE, I32), (LAST_FILE, I16), (LEARNER, I16), (ADDRESS_LEN, I32)))
    out = read(layout, data, start, min(end, start + 12), view=view)
    if end > start + 12:
        out.append(Field(ADDRESS, str(data[start + 12:end], "utf-8", "replace").rstrip("\0"), start + 12, end - start - 12, view))
    if end - start < length:
        out.append(f.incomplete(end - start, length, start, view))
    return out


def _from_slave(data: bytes, states: bool) -> int | Answer:
    if len(data) < 8:
        return MORE
    if not states:
        return 8 if 0 <= _I64(data)[0] < FARTHEST else REFUSED
    if len(data) < 12:
        return MORE
    state = _I32(data)[0]
    if state == HANDSHAKE:
        return OLD_GREETING if 0 < int(_I32(data, 8)[0]) <= 50 else 16
    return 12 if 0 <= state <= HIGHEST_STATE and 0 <= _I64(data, 4)[0] < FARTHEST else REFUSED


def _from_master(data: bytes, states: bool) -> int | Answer:
    if not states:
        found = plain_at(data, 0)
        return found[2] if found else REFUSED if len(data) >= _PLAIN.size else MORE
    if len(data) < _SWITCH.size:
        return MORE
    state, size, offset, _ = _SWITCH.unpack_from(data)
    if not 0 <= state <= HIGHEST_STATE or not 0 <= size <= MOST or not 0 <= offset < FARTHEST:
        return REFUSED
    return int(size) + (_SWITCH.size if state == HANDSHAKE else 36)


def block(data: bytes, start: int, end: int, bodies: messages.Bodies, view: int = 0) -> list[Field]:
    """A piece of commit log: the rest of a record, whole records, the beginning of one."""
    out: list[Field] = []
    at = _first_record(data, start, end)
    if at > start:
        out.append(Field(TAIL, data[start:at], start, at - start, view))
    number = 0
    for one in stored.walk(data, at, end):
        out.append(messages.record(data, one, number, bodies, False, view))
        at, number = one.end, number + 1
    if at < end:
        out.append(Field(BEGINNING, data[at:end], at, end - at, view))
    return out


def _first_record(data: bytes, start: int, end: int) -> int:
    """Where the first record starts: at once, or behind the rest of one; `end` when none does."""
    at = start
    for _ in range(RECORDS):
        if end - at < 8:
            return end
        if data[at + 4:at + 8] in stored.MAGIC_BYTES and stored.LEAST <= _I32(data, at)[0] <= MOST:
            return at
        found = min((place for magic in stored.MAGIC_BYTES if (place := data.find(magic, at + 5, end)) >= 0), default=-1)
        if found < 0:
            return end
        at = found - 4
    return end


def _as_client(opening: Opening, client: int) -> Match | None:
    """A match with `data[client]` as the slave."""
    mine, theirs = opening.data[client], opening.data[1 - client]
    if not mine or not theirs:
        return None
    if len(mine) >= 16 and len(theirs) >= 20 and _SWITCH.unpack_from(theirs)[0] == HANDSHAKE and _I32(mine)[0] == HANDSHAKE:
        size = _SWITCH.unpack_from(theirs)[1]
        told = 0 <= size <= 12 * 4096 and size % 12 == 0 and 0 <= _I64(theirs, 8)[0] < FARTHEST
        told = told and all(flag in (0, 1) for flag in struct.unpack_from(">hh", mine, 4))
        return Match(90, "handshake of a slave and its master", client) if told else None
    if not opening.from_start[client] or not opening.from_start[1 - client] or (opening.whole[client] and len(mine) % 8):
        return None
    if len(theirs) >= _PLAIN.size and plain_at(theirs, 0) is None:
        return None
    reports = [_I64(mine, at)[0] for at in range(0, min(len(mine) - 7, 8 * 256), 8)]
    if not reports:
        return None
    if any(not 0 <= one < FARTHEST for one in reports) or any(b < a for a, b in pairwise(reports)):
        return None
    at = blocks = records = 0
    expected = -1
    while at < len(theirs) and blocks < 64 and (found := plain_at(theirs, at)) is not None:
        offset, size, after = found
        if expected >= 0 and offset != expected:
            return None
        records += size >= 8 and theirs[at + 16:at + 20] in stored.MAGIC_BYTES
        expected, at, blocks = offset + size, after, blocks + 1
    if at < len(theirs) and len(theirs) - at >= _PLAIN.size and blocks < 64:
        return None
    if records:
        return Match(95, f"commit log in {blocks} blocks, and {len(reports)} reports of its offset", client)
    if blocks > 1 and expected > 0 and PORT in opening.ports:
        return Match(CLAIM, "heartbeats of replication, port 10912", client)
    return None
