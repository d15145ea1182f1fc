"""What the requests and replies of Iggy are made of: identifiers, consumers, partitions, strategies, permissions, options.

Source: Apache Iggy, `core/binary_protocol/src/primitives/` (commit cc269ef) and `core/common/src/types/` of the releases before 0.8. All numbers are
little-endian; times are microseconds since 1970.
"""
from __future__ import annotations

from collections.abc import Sequence

from protocols.engine.fields import Field, Spec
from protocols.engine.records import MICROSLE, U8, U32LE, U64LE, Blob, Custom, Each, Layout, Limited, Switch, Text, Type, When
from protocols.engine.scalars import Malformed, Reader, Source
from protocols.iggy.kinds import HEADER_KINDS, Name, OneOf, Typed, YesNo, whole

Part = tuple[Spec, Type]
Parts = tuple[Part, ...]

NEVER = (1 << 64) - 1
ID_KINDS = {1: "numeric", 2: "string"}
CONSUMER_KINDS = {1: "consumer", 2: "consumer group"}
STRATEGIES = {1: "offset", 2: "timestamp", 3: "first", 4: "last", 5: "next"}
PARTITIONINGS = {1: "balanced", 2: "partition id", 3: "messages key"}
USER_STATUSES = {1: "active", 2: "inactive"}
COMPRESSIONS = {1: "none", 2: "gzip"}
TRANSPORTS = {1: "TCP", 2: "QUIC", 3: "HTTP", 4: "WebSocket"}
SNAPSHOT_COMPRESSIONS = {1: "stored", 2: "deflated", 3: "bzip2", 4: "zstd", 5: "lzma", 6: "xz"}
SNAPSHOT_TYPES = {1: "filesystem overview", 2: "process list", 3: "resource usage", 4: "test", 5: "server logs", 6: "server config", 100: "all"}
ROLES = {0: "leader", 1: "follower"}
NODE_STATUSES = {0: "healthy", 1: "starting", 2: "stopping", 3: "unreachable", 4: "maintenance"}
SCOPES = {1: "topic", 2: "stream", 3: "user"}
ACKS = {0: "NoAck", 1: "Quorum"}


def expiry(value: int) -> str:
    """Microseconds until something expires."""
    if value in (0, NEVER):
        return f"{'never' if value else 'server default'} ({value})"
    return f"{value / 1e6:,g} s ({value} µs)"


def max_size(value: int) -> str:
    """Bytes that a topic may have."""
    return f"{'unlimited' if value else 'server default'} ({value})" if value in (0, NEVER) else f"{value:,} bytes"


def version(value: int) -> str:
    """A protocol version: 12 bits major, 10 minor, 10 patch."""
    return f"{value >> 20}.{value >> 10 & 0x3FF}.{value & 0x3FF} (0x{value:08x})" if value else "none (0)"


def semver(value: int) -> str:
    """A server's version as one number: 8000 for 0.8.0."""
    return f"{value // 1_000_000}.{value // 1000 % 1000}.{value % 1000} ({value})" if value else "none (0)"


def refuse(what: str) -> Type:
    """A type that no bytes fit."""
    def make(spec: Spec) -> Reader:
        def read_refused(source: Source, at: int, end: int, out: list[Field]) -> int:
            raise Malformed(at, what)
        return read_refused
    return Custom(make)


NOTHING = Layout(None, ())


def identifier(prefix: str, label: str) -> Part:
    """Kind, length, and a number or a name."""
    kind, number, name = Spec(f"{prefix}.kind", "Kind", "uint8", ID_KINDS), Spec(f"{prefix}.id", "Id", "uint32"), Spec(f"{prefix}.name", "Name", "string")
    other = Spec(f"{prefix}.value", "Value", "bytes", about="An identifier of a kind that has no name here")
    layout = Layout(Spec(prefix, label), (
        (kind, OneOf(ID_KINDS)),
        (number, Switch(kind, {1: Layout(None, ((number, Limited(U8, U32LE)),)), 2: Layout(None, ((name, Name()),))},
                        Layout(None, ((other, Blob(U8)),)))),
    ), lambda c: f"{label}: #{c[-1].value}" if c and c[-1].spec is number else f"{label}: {c[-1].spec.shown(c[-1].value)}" if len(c) > 1 else label)
    return layout.spec or kind, layout


STREAM, TOPIC, GROUP = identifier("iggy.stream", "Stream"), identifier("iggy.topic", "Topic"), identifier("iggy.group", "Consumer group")
USER = identifier("iggy.user", "User")
STREAM_ID, TOPIC_ID, GROUP_ID = (Spec(f"iggy.{what}.id", f"{what.capitalize()} id", "uint32") for what in ("stream", "topic", "group"))
USER_ID = Spec("iggy.user.id", "User id", "uint32", show=lambda v: "none (4294967295)" if v == 0xFFFFFFFF else str(v))
STREAM_NAME, TOPIC_NAME, GROUP_NAME, USER_NAME = (Spec(f"iggy.{what}.name", "Name", "string") for what in ("stream", "topic", "group", "user"))
NAME = Name()
TEXT = Text(U32LE)

CONSUMER_KIND = Spec("iggy.consumer.kind", "Consumer kind", "uint8", CONSUMER_KINDS)
_CONSUMER_ID = identifier("iggy.consumer_id", "Identifier")
CONSUMER: Part = (Spec("iggy.consumer", "Consumer"), Layout(
    Spec("iggy.consumer", "Consumer"), ((CONSUMER_KIND, OneOf(CONSUMER_KINDS)), _CONSUMER_ID), lambda c: (
        f"{CONSUMER_KINDS.get(c[0].value, 'consumer').capitalize()}: {c[1].text.partition(': ')[2]}" if len(c) > 1 else "Consumer")))

PARTITION_ID = Spec("iggy.partition", "Partition", "uint32")
HAS_PARTITION = Spec("iggy.partition.present", "Partition given", "bool", about="Whether a partition is named; else the number is 0")
_ZERO_PARTITION = Spec("iggy.partition.absent", "Partition", "uint32", show=lambda v: f"none ({v})")
PARTITION: Parts = ((HAS_PARTITION, YesNo()), (PARTITION_ID, Switch(HAS_PARTITION, {
    True: Layout(None, ((PARTITION_ID, U32LE),)), False: Layout(None, ((_ZERO_PARTITION, U32LE),))})))
PARTITION_PLAIN: Parts = ((PARTITION_ID, U32LE),)

STRATEGY_KIND = Spec("iggy.strategy.kind", "Strategy", "uint8", STRATEGIES)
STRATEGY_OFFSET = Spec("iggy.strategy.offset", "From offset", "uint64")
STRATEGY_TIME = Spec("iggy.strategy.timestamp", "From time", "time")
STRATEGY_VALUE = Spec("iggy.strategy.value", "Value", "uint64", show=lambda v: f"{v} (unused)")
STRATEGY = Layout(Spec("iggy.strategy", "Polling strategy"), ((STRATEGY_KIND, OneOf(STRATEGIES)), (STRATEGY_VALUE, Switch(STRATEGY_KIND, {
    1: Layout(None, ((STRATEGY_OFFSET, U64LE),)), 2: Layout(None, ((STRATEGY_TIME, MICROSLE),))}, Layout(None, ((STRATEGY_VALUE, U64LE),))))),
    lambda c: f"Polling strategy: {STRATEGIES.get(c[0].value, f'unknown ({c[0].value})') if c else '?'}" + (
        f" {c[1].spec.shown(c[1].value)}" if len(c) > 1 and c[0].value < 3 else ""))

PARTITIONING_KIND = Spec("iggy.partitioning.kind", "Partitioning", "uint8", PARTITIONINGS)
PARTITIONING_KEY = Spec("iggy.partitioning.key", "Messages key", "bytes")
PARTITIONING_NONE = whole("iggy.partitioning.value", "Value")
PARTITIONING_OTHER = Spec("iggy.partitioning.other", "Value", "bytes", about="What a partitioning that has no name here goes by")
PARTITIONING = Layout(Spec("iggy.partitioning", "Partitioning"), ((PARTITIONING_KIND, OneOf(PARTITIONINGS)), (PARTITIONING_NONE, Switch(PARTITIONING_KIND, {
    1: Layout(None, ((PARTITIONING_NONE, Limited(U8, NOTHING)),)), 2: Layout(None, ((PARTITION_ID, Limited(U8, U32LE)),)),
    3: Layout(None, ((PARTITIONING_KEY, Blob(U8)),))}, Layout(None, ((PARTITIONING_OTHER, Blob(U8)),))))),
    lambda c: "Partitioning: " + (PARTITIONINGS.get(c[0].value, f"unknown ({c[0].value})") if c else "") + (
        f" {c[-1].spec.shown(c[-1].value)}" if len(c) > 1 and c[0].value > 1 else ""))

COMPRESSION = Spec("iggy.topic.compression", "Compression", "uint8", COMPRESSIONS, about="A setting of the topic; the protocol does not compress payloads")
EXPIRY = Spec("iggy.topic.message_expiry", "Message expiry", "uint64", show=expiry)
MAX_SIZE = Spec("iggy.topic.max_size", "Greatest size", "uint64", show=max_size)
REPLICATION = Spec("iggy.topic.replication_factor", "Replication factor", "uint8")
PARTITIONS = Spec("iggy.topic.partitions", "Partitions", "uint32")
COUNT = Spec("iggy.count", "Count", "uint32")
OFFSET = Spec("iggy.offset", "Offset", "uint64")

_RIGHTS = ("manage_servers", "read_servers", "manage_users", "read_users", "manage_streams", "read_streams", "manage_topics", "read_topics", "poll_messages",
           "send_messages")


def _rights(level: str, names: Sequence[str]) -> Parts:
    return tuple((Spec(f"iggy.permissions.{level}{name}", name, "bool"), YesNo()) for name in names)


def _granted(children: Sequence[Field]) -> str:
    rights = (one.label for one in children if one.value is True and not one.name.rpartition(".")[2].startswith("has_"))
    return ", ".join(rights) or "nothing"


_MORE = "has_next"
_HAS_NEXT_TOPIC, _HAS_NEXT_STREAM = (Spec(f"iggy.permissions.{what}.{_MORE}", f"Another {what} follows", "bool") for what in ("topic", "stream"))
_HAS_TOPICS = Spec("iggy.permissions.stream.has_topics", "Has topics", "bool")
HAS_STREAMS = Spec("iggy.permissions.has_streams", "Has streams", "bool")
_TOPIC_RIGHTS = Layout(Spec("iggy.permissions.topic", "Topic"), (
    (TOPIC_ID, U32LE), *_rights("topic.", ("manage_topic", "read_topic", "poll_messages", "send_messages")), (_HAS_NEXT_TOPIC, YesNo())),
    lambda c: f"Topic {c[0].value}: {_granted(c)}" if c else "Topic")
_TOPICS = Spec("iggy.permissions.topics", "Topics")
_STREAM_RIGHTS = Layout(Spec("iggy.permissions.stream", "Stream"), (
    (STREAM_ID, U32LE), *_rights("stream.", ("manage_stream", "read_stream", "manage_topics", "read_topics", "poll_messages", "send_messages")),
    (_HAS_TOPICS, YesNo()), (_TOPICS, When(_HAS_TOPICS, bool, Each(_TOPICS, _TOPIC_RIGHTS, lambda one: not one.fields[-1].value))),
    (_HAS_NEXT_STREAM, YesNo())), lambda c: f"Stream {c[0].value}: {_granted(c)}" if c else "Stream")
_STREAMS = Spec("iggy.permissions.streams", "Streams")
PERMISSIONS = Layout(whole("iggy.permissions", "Permissions"), (
    *_rights("", _RIGHTS), (HAS_STREAMS, YesNo()), (_STREAMS, When(HAS_STREAMS, bool, Each(_STREAMS, _STREAM_RIGHTS, lambda one: not one.fields[-1].value)))),
    lambda c: f"Permissions: {_granted(c)}")
HAS_PERMISSIONS = Spec("iggy.permissions.present", "Permissions given", "bool")
GIVEN_PERMISSIONS: Parts = ((HAS_PERMISSIONS, YesNo()), (PERMISSIONS.spec or HAS_PERMISSIONS, When(HAS_PERMISSIONS, bool, Limited(U32LE, PERMISSIONS))))

OPTION_KEY_KIND = Spec("iggy.option.key_kind", "Key kind", "uint8", HEADER_KINDS)
OPTION_KEY = Spec("iggy.option.key", "Key", "string")
OPTION_KIND = Spec("iggy.option.kind", "Value kind", "uint8", HEADER_KINDS)
OPTION_VALUE = Spec("iggy.option.value", "Value", "string", about="The value by its kind, as text")
_OPTION = Layout(Spec("iggy.option", "Option"),
                 ((OPTION_KEY_KIND, U8), (OPTION_KEY, Typed(OPTION_KEY_KIND)), (OPTION_KIND, U8), (OPTION_VALUE, Typed(OPTION_KIND))),
                 lambda c: f"{c[1].value}: {c[3].value} ({HEADER_KINDS.get(c[2].value, 'unknown kind')})" if len(c) > 3 else "Option")
_OPTIONS = whole("iggy.options", "Options")
_DERIVED = whole("iggy.options.derived", "Derived options", about="Options that the server worked out")
_EACH_OPTION = Each(_OPTION.spec or _OPTIONS, _OPTION)
OPTIONS_TO_END: Part = (_OPTIONS, _EACH_OPTION)
"""Options in a request: to its end."""
OPTIONS: Part = (_OPTIONS, Limited(U32LE, _EACH_OPTION))
DERIVED_OPTIONS: Part = (_DERIVED, Limited(U32LE, _EACH_OPTION))
