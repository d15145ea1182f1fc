"""The VSR framing of Iggy 0.9: 256-byte headers by command, on the client's wire and between replicas.

Every header begins alike and ends in 128 bytes of its command's own, given here as a table of (offset, field, type); bytes between are reserved.
Replicas seal their control frames with XxHash3-64 over header bytes 16 .. 256; a client's request may carry one of its body.
Source: Apache Iggy at commit cc269ef, `core/binary_protocol/src/consensus/header.rs`, `command.rs`, `reply_result.rs`; the fields of
protocol 0.12, in bytes that were reserved before and are named where they are not zero, from the crate iggy_binary_protocol 0.11.1-edge.8.
"""
from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from protocols.engine.fields import Field, Spec
from protocols.engine.records import U8, U32LE, U64LE, Array, Bytes, Custom, Each, Layout, Number, Type
from protocols.engine.scalars import MICROSLE, Reader, Source, Wide
from protocols.iggy import commands
from protocols.iggy.errors import NAMES
from protocols.iggy.kinds import Checksum, Reserved, moment, xxh3
from protocols.iggy.parts import USER_ID, Parts, version

__all__ = ["COMMANDS", "HEADER", "LAYOUTS", "RESULT", "Frame", "frame", "looks_like", "sure"]

HEADER, MOST = 256, (64 << 20) + 4096
ZEROS = bytes(66)
REQUEST, PREPARE, PREPARE_OK, REPLY, EVICTION, REPAIR_PREPARE = 5, 6, 7, 8, 13, 19
COMMANDS = dict(enumerate((
    "Reserved", "Ping", "Pong", "PingClient", "PongClient", "Request", "Prepare", "PrepareOk", "Reply", "Commit", "StartViewChange", "DoViewChange",
    "StartView", "Eviction", "ReplicaHello", "ReplicaChallenge", "ReplicaFinish", "RequestStartView", "RequestPrepares", "RepairPrepare", "RepairDone",
    "RangeEvicted", "RequestStateTransfer", "StateTransferTarget", "RequestStateChunk", "StateChunk", "ForwardRegister", "ForwardRegisterResult",
    "ForwardLogout", "ForwardLogoutResult", "ConsumerSessionHeartbeat", "SessionRetirementProgress", "ForwardCompletion", "PrimaryRebalance", "SegmentDelete",
    "CommitReply", "PrepareProgress")))
COMMANDS_MOST = 128
"""Commands below this may exist, whether or not they have a name here."""
SEALED = frozenset({7, 9, 10, 11, 12, 17, 18, *range(20, 37)})
REASONS = dict(enumerate((
    "Reserved", "NoSession", "ClientReleaseTooLow", "ClientReleaseTooHigh", "InvalidRequestOperation", "InvalidRequestBody", "InvalidRequestBodySize",
    "SessionTooLow", "SessionReleaseMismatch", "InvalidCredentials", "InvalidToken", "UserInactive", "SessionError", "StaleClient", "IncompatibleProtocol",
    "MalformedLogin")))
REGISTER_OUTCOMES = dict(enumerate(("ok", "not primary", "not caught up", "pipeline full", "in progress", "canceled", "client id owned by another user")))
LOGOUT_OUTCOMES = dict(enumerate(("ok", "not primary", "pipeline full", "in progress", "canceled")))


def _namespace(value: int) -> str:
    """A group id: the metadata plane, or a partition of a topic of a stream."""
    if value >> 63:
        return f"metadata (0x{value:016x})"
    return f"stream {value >> 32 & 0xFFFFF}, topic {value >> 20 & 0xFFF}, partition {value & 0xFFFFF} (0x{value:016x})"


def _spec(name: str, label: str, type: str = "uint64", **more: object) -> Spec:
    return Spec(f"iggy.vsr.{name}", label, type, **more)  # type: ignore[arg-type]


U128 = Wide(16, "<")
ROOT = _spec("header", "VSR header", "none")
RESERVED = _spec("reserved", "Reserved", "bytes")
CHECKSUM, CHECKSUM_BODY = _spec("checksum", "Checksum", "uint128", base="hex"), _spec("checksum_body", "Checksum of the body", "uint128", base="hex")
CLUSTER = _spec("cluster", "Cluster", "uint128", base="hex")
SIZE = _spec("size", "Size", "uint32", about="Bytes of the header and the body")
VIEW, RELEASE = _spec("view", "View", "uint32"), _spec("release", "Release", "uint32", about="0")
COMMAND = _spec("command", "Command", "uint8", enum=COMMANDS)
REPLICA = _spec("replica", "Replica", "uint8")
CLIENT = _spec("client", "Client", "uint128", base="hex", about="The number that the client gave itself")
NUMBER = _spec("request", "Request number", about="Counted by the client; not every operation has a number of its own")
OPERATION = _spec("operation", "Operation", "uint8", enum=commands.OPERATIONS)
CODE = Spec("iggy.code", "Command", "uint32", commands.NAMES)
STATUS = Spec("iggy.status", "Status", "uint32", NAMES)
SESSION = _spec("session", "Session")
TIMESTAMP = _spec("timestamp", "Timestamp", "time", show=moment)
REQUEST_CHECKSUM = _spec("request_checksum", "Checksum of the request", "uint128", base="hex")
PARENT = _spec("parent", "Parent", "uint128", base="hex", about="The checksum of the prepare before")
OP, COMMIT = _spec("op", "Op number"), _spec("commit", "Commit number")
GROUP = _spec("group", "Group", show=_namespace)
REASON = _spec("reason", "Reason", "uint8", enum=REASONS)
SERVER_VERSION, LEAST_VERSION = (_spec(f"{name}_protocol_version", label, "uint32", show=version) for name, label in (
    ("server", "Server's protocol version"), ("least", "Least protocol version")))
IDENTIFIER = _spec("request_identifier", "Request identifier", "uint128", base="hex", about="Random; the same on what is sent once more. Since protocol 0.12")
INCARNATION = _spec("partition_incarnation", "Partition incarnation", about="Since protocol 0.12")
NONCE = _spec("nonce", "Nonce", "uint128", base="hex")


def _sealed(data: bytes, at: int, end: int) -> list[tuple[str, int]] | None:
    """Over the header behind the checksum. A prepare's is its identity, which other frames refer to: it leaves out what a repair changes."""
    if end - at < HEADER:
        return None
    return [("XxHash3-64", xxh3(memoryview(data)[at + 16:at + HEADER]))] if data[at + 60] in SEALED else None


def _identity(data: bytes, at: int, end: int) -> list[tuple[str, int]] | None:
    """The identity of a Prepare, also when it is sent again as a RepairPrepare: the header with checksum and view zero, and the command Prepare."""
    if end - at < HEADER:
        return None
    head = bytearray(data[at:at + HEADER])
    head[0:16], head[52:56], head[60] = bytes(16), bytes(4), PREPARE
    return [("XxHash3-64", xxh3(bytes(head)))]


def _own(data: bytes, at: int, end: int) -> list[tuple[str, int]] | None:
    return _identity(data, at, end) if end - at > 60 and data[at + 60] in (PREPARE, REPAIR_PREPARE) else _sealed(data, at, end)


def _only(kind: Number, earlier: Spec, value: int) -> Custom:
    """A number that is reserved unless the field read before for `earlier` has `value`."""
    def make(spec: Spec) -> Reader:
        inner, otherwise = kind.reader(spec), Reserved(kind.least).reader(RESERVED)

        def read_only(source: Source, at: int, end: int, out: list[Field]) -> int:
            found = next((one.value for one in reversed(out) if one.spec is earlier), None)
            return (inner if found == value else otherwise)(source, at, end, out)
        return read_only
    return Custom(make, least=kind.least)


def _unless_zero(kind: Number) -> Custom:
    """A number that is reserved where it is 0."""
    def make(spec: Spec) -> Reader:
        inner, otherwise = kind.reader(spec), Reserved(kind.least).reader(RESERVED)

        def read_number(source: Source, at: int, end: int, out: list[Field]) -> int:
            return (inner if any(source.data[at:at + kind.least]) else otherwise)(source, at, end, out)
        return read_number
    return Custom(make, least=kind.least)


def _body_sum(place: int) -> Checksum:
    """A checksum of the body, in a field `place` bytes behind the header's start."""
    def over(data: bytes, at: int, end: int) -> list[tuple[str, int]] | None:
        start = at - place
        if start + HEADER > len(data):
            return None
        stop = start + _U32(data, start + 48)[0]
        return [("XxHash3-64", xxh3(memoryview(data)[start + HEADER:stop]))] if stop <= len(data) else None
    return Checksum(16, over)


def _checksum_or_identifier() -> Custom:
    """The checksum of a request's body, of 64 bits; since protocol 0.12 a random number of 128 bits in its place, which says what is sent once more."""
    checksum = _body_sum(144)

    def make(spec: Spec) -> Reader:
        inner, otherwise = checksum.reader(spec), U128.reader(IDENTIFIER)

        def read_either(source: Source, at: int, end: int, out: list[Field]) -> int:
            return (otherwise if any(source.data[at + 8:at + 16]) else inner)(source, at, end, out)
        return read_either
    return Custom(make, also=(*checksum.specs(REQUEST_CHECKSUM), IDENTIFIER), least=checksum.least)


_U32 = struct.Struct("<I").unpack_from
COMMON: Parts = ((CHECKSUM, Checksum(16, _own)), (CHECKSUM_BODY, _body_sum(16)), (CLUSTER, U128), (SIZE, U32LE), (VIEW, U32LE), (RELEASE, U32LE), (COMMAND, U8),
                 (REPLICA, U8), (RESERVED, Reserved(66)))

Row = tuple[int, Spec, Type]
_PREPARE: tuple[Row, ...] = ((128, CLIENT, U128), (144, PARENT, U128), (160, REQUEST_CHECKSUM, U128), (176, OP, U64LE), (184, COMMIT, U64LE),
                             (192, TIMESTAMP, MICROSLE), (200, NUMBER, U64LE), (208, OPERATION, U8), (216, GROUP, U64LE), (224, USER_ID, U32LE),
                             (228, _spec("retry_capacity", "Retry capacity", "uint32"), _unless_zero(U32LE)),
                             (232, INCARNATION, _unless_zero(U64LE)), (248, SESSION, _unless_zero(U64LE)))
_REPAIR: tuple[Row, ...] = ((128, NONCE, U128), (144, OP, U64LE), (152, GROUP, U64LE))
_INCARNATION: Row = (240, _spec("incarnation", "Incarnation", "uint128", base="hex"), U128)
_SECRETS: tuple[Row, ...] = ((128, _spec("hello.nonce", "Nonce", "bytes"), Bytes(32)),
                             (160, _spec("hello.mac", "Message authentication code", "bytes"), Bytes(32)))
_BITSETS: tuple[Row, ...] = ((224, _spec("nack_bitset", "Nack bit set", "uint128", base="hex"), U128),
                             (240, _spec("present_bitset", "Present bit set", "uint128", base="hex"), U128))
ROWS: dict[int, tuple[Row, ...]] = {
    REQUEST: ((128, CLIENT, U128), (144, REQUEST_CHECKSUM, _checksum_or_identifier()), (160, TIMESTAMP, MICROSLE), (168, NUMBER, U64LE), (176, OPERATION, U8),
              (184, SESSION, U64LE), (192, USER_ID, U32LE), (196, CODE, _only(U32LE, OPERATION, commands.NON_REPLICATED)),
              (200, INCARNATION, _unless_zero(U64LE)), (208, _spec("owner_generation", "Owner generation"), _unless_zero(U64LE)),
              (216, _spec("minimum_metadata_op", "Least metadata op number"), _unless_zero(U64LE)),
              (240, _spec("metadata_watermark", "Metadata watermark"), _unless_zero(U64LE)), (248, GROUP, _unless_zero(U64LE))),
    PREPARE: _PREPARE, REPAIR_PREPARE: _PREPARE,
    PREPARE_OK: ((128, PARENT, U128), (144, _spec("prepare_checksum", "Checksum of the prepare", "uint128", base="hex"), U128), (160, OP, U64LE),
                 (168, COMMIT, U64LE), (176, TIMESTAMP, MICROSLE), (184, NUMBER, U64LE), (192, OPERATION, U8), (200, GROUP, U64LE)),
    REPLY: ((128, REQUEST_CHECKSUM, U128), (144, _spec("context", "Context", "uint128", base="hex"), U128), (160, CLIENT, U128), (176, OP, U64LE),
            (184, COMMIT, U64LE), (192, TIMESTAMP, MICROSLE), (200, NUMBER, U64LE), (208, OPERATION, U8), (216, STATUS, U32LE),
            (220, _spec("committed", "Committed result", "uint8", enum={1: "yes"}), _unless_zero(U8)), (224, INCARNATION, _unless_zero(U64LE))),
    9: ((128, _spec("commit_checksum", "Checksum of the commit", "uint128", base="hex"), U128), (144, _spec("monotonic", "Monotonic time"), U64LE),
        (152, COMMIT, U64LE), (160, _spec("checkpoint_op", "Checkpoint op number"), U64LE), (168, GROUP, U64LE),
        (176, INCARNATION, _unless_zero(U64LE))),
    10: ((128, GROUP, U64LE), (136, INCARNATION, _unless_zero(U64LE))),
    11: ((128, OP, U64LE), (136, COMMIT, U64LE), (144, GROUP, U64LE), (152, _spec("log_view", "Log view", "uint32"), U32LE),
         (156, _spec("flags", "Flags", "uint8", enum={1: "untrusted log"}), _unless_zero(U8)), (216, INCARNATION, _unless_zero(U64LE)), *_BITSETS),
    12: ((128, OP, U64LE), (136, COMMIT, U64LE), (144, GROUP, U64LE), (152, INCARNATION, _unless_zero(U64LE)), _INCARNATION),
    EVICTION: ((128, CLIENT, U128), (144, SERVER_VERSION, U32LE), (148, LEAST_VERSION, U32LE), (255, REASON, U8)),
    14: _SECRETS, 16: _SECRETS, 15: (*_SECRETS, (192, _spec("hello.status", "Status", "uint8", enum={0: "ok"}), U8)),
    17: ((128, GROUP, U64LE), _INCARNATION),
    18: ((128, NONCE, U128), (144, _spec("from_op", "From op number"), U64LE), (152, _spec("to_op", "To op number"), U64LE), (160, GROUP, U64LE)),
    20: _REPAIR, 21: _REPAIR, 22: ((128, NONCE, U128), (144, GROUP, U64LE)),
    23: ((128, NONCE, U128), (144, _spec("commit_op", "Commit op number"), U64LE), (152, GROUP, U64LE), (160, _spec("available", "Available", "uint8"), U8),
         (161, _spec("transient", "Transient", "uint8"), U8), (168, _spec("commit_max", "Greatest commit number"), U64LE)),
    24: ((128, NONCE, U128), (144, _spec("chunk.offset", "Offset"), U64LE), (152, GROUP, U64LE), (160, _spec("chunk.length", "Wanted length", "uint32"), U32LE),
         (164, _spec("chunk.artifact", "Artifact", "uint32"), U32LE)),
    25: ((128, NONCE, U128), (144, _spec("chunk.offset", "Offset"), U64LE), (152, GROUP, U64LE), (160, _spec("chunk.artifact", "Artifact", "uint32"), U32LE)),
    26: ((128, CLIENT, U128), (144, NONCE, U128), (160, USER_ID, U32LE)),
    27: ((128, NONCE, U128), (144, CLIENT, U128), (160, _spec("epoch", "Epoch"), U64LE), (168, _spec("watermark", "Watermark"), U64LE),
         (255, _spec("register_outcome", "Outcome", "uint8", enum=REGISTER_OUTCOMES), U8)),
    28: ((128, CLIENT, U128), (144, NONCE, U128), (160, SESSION, U64LE), (168, NUMBER, U64LE)),
    29: ((128, NONCE, U128), (144, CLIENT, U128), (160, COMMIT, U64LE), (255, _spec("logout_outcome", "Outcome", "uint8", enum=LOGOUT_OUTCOMES), U8)),
    30: ((128, _spec("incomplete", "Incomplete", "uint8"), U8),),
    35: ((128, _spec("monotonic", "Monotonic time"), U64LE), (136, GROUP, U64LE), (144, INCARNATION, U64LE)),
    36: ((128, _spec("progress.nonce", "Nonce"), U64LE), (136, GROUP, U64LE), (144, INCARNATION, U64LE),
         (152, _spec("progress.observed", "Observed op"), U64LE), (160, _spec("progress.received", "Received op"), U64LE),
         (168, _spec("progress.held", "Held op"), U64LE),
         (176, COMMIT, U64LE),
         (184, _spec("progress.kind", "Kind", "uint8", enum={0: "probe", 1: "reply"}), U8), (185, _spec("progress.ready", "Ready", "uint8"), U8)),
}
"""Command -> (offset in the header, field, type). Bytes that no row names are reserved."""


def _parts(rows: tuple[Row, ...]) -> Iterator[tuple[Spec, Type]]:
    """The rows in order, reserved bytes between them."""
    at = 128
    for offset, spec, kind in rows:
        if offset > at:
            yield RESERVED, Reserved(offset - at)
        yield spec, kind
        at = offset + kind.least
    if at < HEADER:
        yield RESERVED, Reserved(HEADER - at)


def _header_line(children: Sequence[Field]) -> str:
    command = next((one for one in children if one.spec is COMMAND), None)
    return "VSR header" if command is None else f"VSR header: {COMMANDS.get(command.value, 'unknown command')}"


LAYOUTS = {number: Layout(ROOT, (*COMMON, *_parts(ROWS.get(number, ()))), _header_line) for number in COMMANDS}
"""Command -> the header as a group."""

_SUFFIX = _spec("suffix", "Suffix header", "none")
SUFFIX: Parts = ((_spec("suffix_list", "Suffix headers", "none"), Each(_SUFFIX, Layout(_SUFFIX, (*COMMON, *_parts(_PREPARE))))),)
"""The body of DoViewChange and StartView: headers of prepares."""

RESULTS = _spec("results", "Results", "none")
RESULT_INDEX, RESULT = _spec("result.index", "Index", "uint32"), Spec("iggy.result", "Result", "uint32", NAMES)
RESULT_ENTRY = Layout(_spec("result", "Result", "none"), ((RESULT_INDEX, U32LE), (RESULT, U32LE)),
                      lambda c: f"Result: {RESULT.shown(c[1].value)}" if len(c) > 1 else "Result")
RESULT_SECTION: Parts = ((RESULTS, Array(U32LE, RESULT_ENTRY.spec or RESULTS, RESULT_ENTRY)),)

METADATA = frozenset({*range(128, 138), *range(139, 151), *range(64, 69), *range(72, 75)})
"""Operations whose replies begin with a result section; those of 1, 161 and 162 do, too, when they are not empty."""


def has_results(operation: int, body: int) -> bool:
    """Whether the reply to `operation` with `body` bytes begins with a result section."""
    return operation in METADATA or (body > 0 and operation in (1, 161, 162))


class Frame(NamedTuple):
    """What pairing and words need of a header. `number` is the client's request number; `code` the command of a NonReplicated request."""

    command: int
    size: int
    client: int = 0
    number: int = 0
    operation: int = 0
    code: int = 0
    status: int = 0
    reason: int = 0


_REQUEST = struct.Struct("<QB19xI").unpack_from  # from 168: request number, operation, code
_REPLY = struct.Struct("<QB7xI").unpack_from  # from 200: request number, operation, status


def frame(data: bytes, at: int, end: int) -> Frame:
    """The header at `at`. Of one that is cut off only the command and the size, 0 where they are missing, too."""
    if end - at < 61:
        return Frame(0, 0)
    command, size = data[at + 60], int(_U32(data, at + 48)[0])
    if end - at < HEADER:
        return Frame(command, size)
    client = int.from_bytes(data[at + 128:at + 144], "little")
    if command == REQUEST:
        number, operation, code = _REQUEST(data, at + 168)
        return Frame(command, size, client, number, operation, code if operation == commands.NON_REPLICATED else 0)
    if command == REPLY:
        number, operation, status = _REPLY(data, at + 200)
        return Frame(command, size, int.from_bytes(data[at + 160:at + 176], "little"), number, operation, 0, status)
    if command in (PREPARE, REPAIR_PREPARE):
        return Frame(command, size, client, int.from_bytes(data[at + 200:at + 208], "little"), data[at + 208])
    if command == PREPARE_OK:
        return Frame(command, size, 0, int.from_bytes(data[at + 184:at + 192], "little"), data[at + 192])
    return Frame(command, size, client, reason=data[at + 255] if command == EVICTION else 0)


def looks_like(head: bytes) -> bool:
    """Whether a frame can start with `head` (128 bytes; fewer at the end of a direction, which then must not contradict)."""
    if len(head) >= 52 and not HEADER <= _U32(head, 48)[0] <= MOST:
        return False
    if len(head) > 60 and head[60] >= COMMANDS_MOST:
        return False
    return bytes(head[62:128]) == ZEROS[:max(0, len(head[:128]) - 62)]


def sure(data: bytes, at: int) -> bool:
    """Whether the frame at `at`, which `looks_like` one, is one for certain: its checksum is right, or it is a client's, which has none but a client id."""
    if len(data) - at < HEADER:
        return False
    if data[at + 60] in (REQUEST, REPLY, EVICTION):
        client = 160 if data[at + 60] == REPLY else 128
        return not any(data[at:at + 32]) and not any(data[at + 56:at + 60]) and any(data[at + client:at + client + 16])
    computed = _own(data, at, len(data))
    return computed is not None and computed[0][1] == int.from_bytes(data[at:at + 16], "little")
