"""The payload of every request and every reply of Iggy, in each generation.

Generations: 1 is server 0.4, 2 is 0.5, 3 is 0.6, 4 is 0.7 and 0.8, 5 is 0.9 with the VSR framing. A request that a table does not name for a
generation is the same as in the one before. Lists without a count run to the end of the payload.
Source: Apache Iggy, `core/binary_protocol/src/requests/` and `responses/` (commit cc269ef; of protocol 0.12 the crate
0.11.1-edge.8), `commands/` and `utils/mapper.rs` of the releases before 0.8,
and what their servers sent.
"""
from __future__ import annotations

from collections.abc import Sequence

from protocols.engine.fields import Field, Spec
from protocols.engine.records import (
    F32LE,
    MICROSLE,
    U8,
    U16LE,
    U32LE,
    U64LE,
    U128LE,
    Array,
    Custom,
    Each,
    IfMore,
    Layout,
    Limited,
    Rest,
    Secret,
    Switch,
    When,
)
from protocols.engine.scalars import Malformed, Reader, Source
from protocols.iggy import commands as c
from protocols.iggy import messages as m
from protocols.iggy import parts as p
from protocols.iggy.kinds import Hidden, OneOf, YesNo, payload
from protocols.iggy.parts import GROUP, NAME, PARTITION, PARTITION_PLAIN, STREAM, TEXT, TOPIC, USER, Part, Parts

__all__ = ["GENERATIONS", "REPLIES", "REQUESTS", "SECRET_BYTES", "VSR", "WITH_SECRET", "reply_parts", "request_parts"]

FIRST, SECOND, THIRD, FOURTH, VSR = 1, 2, 3, 4, 5
GENERATIONS = {FIRST: "0.4", SECOND: "0.5", THIRD: "0.6", FOURTH: "0.7-0.8", VSR: "0.9 (VSR)"}
"""Generation -> the server releases of it."""

PASSWORD = Spec("iggy.user.password", "Password", "string", about="Masked")
NEW_PASSWORD = Spec("iggy.user.new_password", "New password", "string", about="Masked")
TOKEN = Spec("iggy.token", "Token", "string", about="A personal access token; masked")
TOKEN_NAME = Spec("iggy.token.name", "Name", "string")
TOKEN_EXPIRY = Spec("iggy.token.expiry", "Expiry", "uint64", show=p.expiry)
TOKEN_UNTIL = Spec("iggy.token.expires", "Expires", "time", show=lambda v: "never" if v in (0, p.NEVER * 1000) else m.TIMESTAMP.shown(v))
USER_STATUS = Spec("iggy.user.status", "Status", "uint8", p.USER_STATUSES)
SDK_VERSION = Spec("iggy.login.version", "SDK version", "string")
CONTEXT = Spec("iggy.login.context", "Context", "string")
PROTOCOL_VERSION = Spec("iggy.login.protocol_version", "Protocol version", "uint32", show=p.version)
WITH_SECRET = 12 << 10
"""The protocol version from which a login carries a bind secret."""
SECRET_BYTES = 32
BIND_SECRET = Spec("iggy.login.bind_secret", "Bind secret", "string", about="What proves the session on further streams; since protocol 0.12; masked")
SDK_NAME = Spec("iggy.login.sdk_name", "SDK", "string")
SDK = Spec("iggy.login.sdk_version", "SDK version", "string")
CLIENT_ID = Spec("iggy.client.id", "Client id", "uint32")
HAS_NAME, HAS_STATUS = Spec("iggy.user.name.present", "Name given", "bool"), Spec("iggy.user.status.present", "Status given", "bool")
POLL_COUNT = Spec("iggy.poll.count", "Messages wanted", "uint32")
AUTO_COMMIT = Spec("iggy.poll.auto_commit", "Auto commit", "bool")
FSYNC = Spec("iggy.flush.fsync", "fsync", "bool")
ACK = Spec("iggy.ack", "Acknowledgement", "uint8", p.ACKS)
SEGMENTS = Spec("iggy.segments", "Segments", "uint32")
SCOPE = Spec("iggy.options.scope", "Scope", "uint8", p.SCOPES)
SNAPSHOT_COMPRESSION = Spec("iggy.snapshot.compression", "Compression", "uint8", p.SNAPSHOT_COMPRESSIONS)
SNAPSHOT_TYPES, SNAPSHOT_TYPE = Spec("iggy.snapshot.types", "Types"), Spec("iggy.snapshot.type", "Type", "uint8", p.SNAPSHOT_TYPES)
ARCHIVE = Spec("iggy.snapshot.archive", "Archive", "bytes", about="A ZIP archive",
               show=lambda v: payload(v) if v[:4] != b"PK\x03\x04" else f"ZIP, {len(v):,} bytes")
CREATE_ID = Spec("iggy.new_id", "Id", "uint32", show=lambda v: f"{v} (the server gives one)" if not v else str(v))

_EXPIRY_SIZE: Parts = ((p.COMPRESSION, OneOf(p.COMPRESSIONS)), (p.EXPIRY, U64LE), (p.MAX_SIZE, U64LE), (p.REPLICATION, U8))
_STREAM_NAME, _TOPIC_NAME, _GROUP_NAME, _USER_NAME = ((spec, NAME) for spec in (p.STREAM_NAME, p.TOPIC_NAME, p.GROUP_NAME, p.USER_NAME))
_STRATEGY: Part = (p.STRATEGY.spec or POLL_COUNT, p.STRATEGY)
_POLL_END: Parts = (_STRATEGY, (POLL_COUNT, U32LE), (AUTO_COMMIT, YesNo()))
_CONSUMED: Parts = (p.CONSUMER, STREAM, TOPIC)
_PASSWORD: Part = (PASSWORD, Secret(U8))
_CREATE_USER: Parts = (_USER_NAME, _PASSWORD, (USER_STATUS, OneOf(p.USER_STATUSES)), *p.GIVEN_PERMISSIONS)
_UPDATE_USER: Parts = (USER, (HAS_NAME, YesNo()), (p.USER_NAME, When(HAS_NAME, bool, Layout(None, (_USER_NAME,)))),
                       (HAS_STATUS, YesNo()), (USER_STATUS, When(HAS_STATUS, bool, Layout(None, ((USER_STATUS, OneOf(p.USER_STATUSES)),)))))
_VERSION_INFO: Parts = ((PROTOCOL_VERSION, U32LE), (SDK_NAME, NAME), (SDK, NAME))
_SECRET: Part = (BIND_SECRET, Hidden(SECRET_BYTES))
_LOGIN: Parts = (*_VERSION_INFO, (BIND_SECRET, When(PROTOCOL_VERSION, lambda version: version >= WITH_SECRET, Layout(None, (_SECRET,)))))
_IDENTITY: Parts = ((Spec("iggy.session.client", "Client", "uint128", base="hex"), U128LE), (Spec("iggy.session.id", "Session", "uint64"), U64LE),
                    (Spec("iggy.session.metadata_watermark", "Metadata watermark", "uint64"), U64LE))
_ST: Parts = (STREAM, TOPIC)
_STG: Parts = (STREAM, TOPIC, GROUP)

_POLL: Parts = (*_CONSUMED, *PARTITION, *_POLL_END)
_RESET = Spec("iggy.options.reset_key", "Option to reset", "string")
_UPDATE: Parts = ((SCOPE, OneOf(p.SCOPES)), (SCOPE, Switch(SCOPE, {1: Layout(None, _ST), 2: Layout(None, (STREAM,)), 3: Layout(None, (USER,))})),
                  (Spec("iggy.options.reset_keys", "Options to reset"), Array(U8, _RESET, NAME)), p.OPTIONS_TO_END)
_WAIT, _REQUEST_TIMEOUT = ((Spec(f"iggy.poll.{name}", label, "uint64", show=lambda v: f"{v} µs"), U64LE) for name, label in (
    ("wait", "Waits for messages"), ("request_timeout", "Request time-out")))
_MIN_COUNT, _MAX_BYTES = ((Spec(f"iggy.poll.{name}", label, "uint32"), U32LE) for name, label in (
    ("min_count", "Messages at least"), ("max_bytes", "Bytes at most")))
_INCARNATION, _OWNER = ((Spec(f"iggy.partition.{name}", label, "uint64"), U64LE) for name, label in (
    ("incarnation", "Partition incarnation"), ("owner_generation", "Owner generation")))
_FETCH_TARGET = Spec("iggy.fetch.target", "Partition to fetch")
_FETCH: Parts = (*_CONSUMED, _WAIT, _REQUEST_TIMEOUT, _MIN_COUNT, (POLL_COUNT, U32LE), _MAX_BYTES, (AUTO_COMMIT, YesNo()), (
    Spec("iggy.fetch.targets", "Partitions to fetch"), Array(U32LE, _FETCH_TARGET, Layout(_FETCH_TARGET, (
        *PARTITION_PLAIN, _STRATEGY, _MAX_BYTES, _INCARNATION, _OWNER)))))

REQUESTS: dict[int, dict[int, Parts]] = {
    FIRST: {
        c.PING: (), c.STATS: (), c.ME: (), c.CLIENTS: (), c.USERS: (), c.LOGOUT_USER: (), c.TOKENS: (), c.STREAMS: (), c.CLUSTER: (),
        c.SNAPSHOT: ((SNAPSHOT_COMPRESSION, OneOf(p.SNAPSHOT_COMPRESSIONS)), (SNAPSHOT_TYPES, Array(U8, SNAPSHOT_TYPE, U8))),
        c.CLIENT: ((CLIENT_ID, U32LE),), c.USER: (USER,), c.DELETE_USER: (USER,), c.CREATE_USER: _CREATE_USER, c.UPDATE_USER: _UPDATE_USER,
        c.PERMISSIONS: (USER, *p.GIVEN_PERMISSIONS), c.PASSWORD: (USER, _PASSWORD, (NEW_PASSWORD, Secret(U8))),
        c.LOGIN: (_USER_NAME, _PASSWORD, (SDK_VERSION, TEXT), (CONTEXT, TEXT)),
        c.CREATE_TOKEN: ((TOKEN_NAME, NAME), (TOKEN_EXPIRY, U64LE)), c.DELETE_TOKEN: ((TOKEN_NAME, NAME),), c.TOKEN_LOGIN: ((TOKEN, Secret(U8)),),
        c.POLL: (*_CONSUMED, *PARTITION_PLAIN, *_POLL_END), c.SEND: m.SEND[0], c.FLUSH: (*_ST, *PARTITION_PLAIN, (FSYNC, YesNo())),
        c.GET_OFFSET: (*_CONSUMED, *PARTITION_PLAIN), c.STORE_OFFSET: (*_CONSUMED, *PARTITION_PLAIN, (p.OFFSET, U64LE)),
        c.DELETE_OFFSET: (*_CONSUMED, *PARTITION_PLAIN),
        c.STREAM: (STREAM,), c.CREATE_STREAM: ((CREATE_ID, U32LE), _STREAM_NAME), c.DELETE_STREAM: (STREAM,), c.UPDATE_STREAM: (STREAM, _STREAM_NAME),
        c.PURGE_STREAM: (STREAM,), c.TOPIC: _ST, c.TOPICS: (STREAM,), c.DELETE_TOPIC: _ST, c.PURGE_TOPIC: _ST,
        c.CREATE_TOPIC: (STREAM, (CREATE_ID, U32LE), (p.PARTITIONS, U32LE), *_EXPIRY_SIZE, _TOPIC_NAME), c.UPDATE_TOPIC: (*_ST, *_EXPIRY_SIZE, _TOPIC_NAME),
        c.CREATE_PARTITIONS: (*_ST, (p.PARTITIONS, U32LE)), c.DELETE_PARTITIONS: (*_ST, (p.PARTITIONS, U32LE)),
        c.DELETE_SEGMENTS: (*_ST, *PARTITION_PLAIN, (SEGMENTS, U32LE)),
        c.GROUP: _STG, c.GROUPS: _ST, c.CREATE_GROUP: (*_ST, (CREATE_ID, U32LE), _GROUP_NAME), c.DELETE_GROUP: _STG, c.JOIN_GROUP: _STG, c.LEAVE_GROUP: _STG,
    },
    SECOND: {c.SEND: m.SEND[56]},
    THIRD: {
        c.POLL: _POLL, c.GET_OFFSET: (*_CONSUMED, *PARTITION), c.STORE_OFFSET: (*_CONSUMED, *PARTITION, (p.OFFSET, U64LE)),
        c.DELETE_OFFSET: (*_CONSUMED, *PARTITION), c.CREATE_STREAM: (_STREAM_NAME,), c.CREATE_GROUP: (*_ST, _GROUP_NAME),
        c.CREATE_TOPIC: (STREAM, (p.PARTITIONS, U32LE), *_EXPIRY_SIZE, _TOPIC_NAME),
    },
    FOURTH: {c.SEND: m.SEND[64]},
    VSR: {
        c.OPTIONS: ((SCOPE, OneOf(p.SCOPES)),), c.LOGIN_REGISTER: (*_LOGIN, _USER_NAME, _PASSWORD, (CONTEXT, TEXT)),
        c.TOKEN_REGISTER: (*_LOGIN, (TOKEN, Secret(U8)), (CONTEXT, TEXT)), c.ATTACH: _IDENTITY, c.BIND: (*_VERSION_INFO, *_IDENTITY, _SECRET),
        c.UPDATE_RESOURCE: _UPDATE, c.POLL_ROUTING: _POLL, c.POLL_ON_PRIMARY: _POLL, c.OFFSET_ROUTING: (*_CONSUMED, *PARTITION),
        c.ROUTE: (*_ST, *PARTITION_PLAIN), c.POLL_DEFERRED: (*_POLL, _WAIT, _MIN_COUNT, _MAX_BYTES, _REQUEST_TIMEOUT), c.FETCH: _FETCH,
        c.SYNC_GROUP: _STG, c.SEND: m.SEND_BATCH,
        c.CREATE_USER: (*_CREATE_USER, p.OPTIONS_TO_END), c.UPDATE_USER: (*_UPDATE_USER, p.OPTIONS_TO_END),
        c.STORE_OFFSET: (*_CONSUMED, *PARTITION, (p.OFFSET, U64LE), (ACK, OneOf(p.ACKS))), c.DELETE_OFFSET: (*_CONSUMED, *PARTITION, (ACK, OneOf(p.ACKS))),
        c.CREATE_STREAM: (_STREAM_NAME, p.OPTIONS_TO_END), c.UPDATE_STREAM: (STREAM, _STREAM_NAME, p.OPTIONS_TO_END),
        c.CREATE_TOPIC: (STREAM, (p.PARTITIONS, U32LE), _TOPIC_NAME, p.OPTIONS_TO_END), c.UPDATE_TOPIC: (*_ST, _TOPIC_NAME, p.OPTIONS_TO_END),
    },
}
"""Generation -> command -> what differs from the generation before."""


# replies

SIZE, CREATED = Spec("iggy.size", "Size", "uint64", show=lambda v: f"{v:,} bytes"), Spec("iggy.created_at", "Created", "time")
MESSAGES_COUNT = Spec("iggy.messages_count", "Messages", "uint64")
CURRENT_OFFSET = Spec("iggy.current_offset", "Current offset", "uint64")
STORED_OFFSET = Spec("iggy.stored_offset", "Stored offset", "uint64")


def _record(name: str, label: str, parts: Parts, title: Spec | None = None) -> tuple[Spec, Layout]:
    spec = Spec(f"iggy.{name}", label)

    def line(children: Sequence[Field]) -> str:
        found = next((one for one in children if one.spec is title), None)
        return label if found is None else f"{label}: {found.spec.shown(found.value)}"
    return spec, Layout(spec, parts, line)


def _each(name: str, label: str, record: tuple[Spec, Layout]) -> Part:
    return Spec(f"iggy.{name}", label), Each(*record)


def _u32(name: str, label: str) -> Part:
    return Spec(f"iggy.{name}", label, "uint32"), U32LE


def _u64(name: str, label: str, what: str = "") -> Part:
    shows = {"bytes": lambda v: f"{v:,} bytes", "": None}
    return Spec(f"iggy.{name}", label, "uint64", show=shows[what]), U64LE


_CLIENT: Parts = ((CLIENT_ID, U32LE), (p.USER_ID, U32LE), (Spec("iggy.client.transport", "Transport", "uint8", p.TRANSPORTS), U8),
                  (Spec("iggy.client.address", "Address", "string"), TEXT), _u32("client.groups_count", "Consumer groups"))
_ADDRESS = _CLIENT[3][0]
_CLIENT_GROUP = _record("client.group", "Consumer group", ((p.STREAM_ID, U32LE), (p.TOPIC_ID, U32LE), (p.GROUP_ID, U32LE)), p.GROUP_ID)
_USER: Parts = ((p.USER_ID, U32LE), (CREATED, MICROSLE), (USER_STATUS, U8), _USER_NAME)
_STREAM: Parts = ((p.STREAM_ID, U32LE), (CREATED, MICROSLE), _u32("stream.topics", "Topics"), (SIZE, U64LE), (MESSAGES_COUNT, U64LE), _STREAM_NAME)
_TOPIC: Parts = ((p.TOPIC_ID, U32LE), (CREATED, MICROSLE), (p.PARTITIONS, U32LE), (p.EXPIRY, U64LE), (p.COMPRESSION, U8), (p.MAX_SIZE, U64LE),
                 (p.REPLICATION, U8), (SIZE, U64LE), (MESSAGES_COUNT, U64LE), _TOPIC_NAME)
_TOPIC_V: Parts = (*(part for part in _TOPIC if part[0] is not p.REPLICATION), p.OPTIONS, p.DERIVED_OPTIONS)
_PARTITION = _record("partition_record", "Partition", ((p.PARTITION_ID, U32LE), (CREATED, MICROSLE), (SEGMENTS, U32LE), (CURRENT_OFFSET, U64LE), (SIZE, U64LE),
                                                       (MESSAGES_COUNT, U64LE)), p.PARTITION_ID)
_MEMBER_PARTITIONS = Spec("iggy.member.partitions", "Partitions")
_MEMBER = _record("member", "Member", (_u32("member.id", "Member id"), (_MEMBER_PARTITIONS, Array(U32LE, p.PARTITION_ID, U32LE))))
_GROUP: Parts = ((p.GROUP_ID, U32LE), (p.PARTITIONS, U32LE), _u32("group.members", "Members"), _GROUP_NAME)

_NO_PERMISSIONS = Spec("iggy.permissions.none", "No permissions", "bytes")


def _user_permissions(spec: Spec) -> Reader:
    """01 with a length and the permissions, or 00 alone, or four zero bytes."""
    given = Layout(None, p.GIVEN_PERMISSIONS).reader(spec)

    def read_permissions(source: Source, at: int, end: int, out: list[Field]) -> int:
        if at < end and source.data[at] == 0:
            after = min(end, at + 4)
            if any(source.data[at:after]):
                raise Malformed(at, "no permissions, and something behind")
            out.append(Field(_NO_PERMISSIONS, source.data[at:after], at, after - at, source.view, (), "No permissions"))
            return after
        return given(source, at, end, out)
    return read_permissions


_USER_PERMISSIONS: Part = (_NO_PERMISSIONS, Custom(_user_permissions, also=tuple(spec for part, kind in p.GIVEN_PERMISSIONS for spec in kind.specs(part))))

_CACHE = _record("stats.cache_entry", "Cache", ((p.STREAM_ID, U32LE), (p.TOPIC_ID, U32LE), (p.PARTITION_ID, U32LE), _u64("stats.cache_hits", "Hits"),
                                                _u64("stats.cache_misses", "Misses"), (Spec("iggy.stats.cache_hit_ratio", "Hit ratio", "double"), F32LE)))


def _text(name: str, label: str) -> Part:
    return Spec(f"iggy.{name}", label, "string"), TEXT


def _more(*parts: Part) -> Part:
    """Parts that older servers leave out at the end."""
    return parts[0][0], IfMore(Layout(None, parts))


SERVER_VERSION = _text("stats.server_version", "Server version")
_STATS: Parts = (
    _u32("stats.process_id", "Process id"), (Spec("iggy.stats.cpu_usage", "CPU usage", "double", show=lambda v: f"{v:.2f} %"), F32LE),
    (Spec("iggy.stats.total_cpu_usage", "Total CPU usage", "double", show=lambda v: f"{v:.2f} %"), F32LE), _u64("stats.memory_usage", "Memory usage", "bytes"),
    _u64("stats.total_memory", "Total memory", "bytes"), _u64("stats.available_memory", "Available memory", "bytes"),
    (Spec("iggy.stats.run_time", "Run time", "uint64", show=lambda v: f"{v / 1e6:,.6f} s"), U64LE),
    (Spec("iggy.stats.start_time", "Started", "time"), MICROSLE),
    _u64("stats.read_bytes", "Read", "bytes"), _u64("stats.written_bytes", "Written", "bytes"), _u64("stats.messages_size", "Messages size", "bytes"),
    _u32("stats.streams", "Streams"), _u32("stats.topics", "Topics"), _u32("stats.partitions", "Partitions"), _u32("stats.segments", "Segments"),
    _u64("stats.messages", "Messages"), _u32("stats.clients", "Clients"), _u32("stats.groups", "Consumer groups"),
    _text("stats.hostname", "Host name"), _text("stats.os_name", "OS name"), _text("stats.os_version", "OS version"),
    _more(_text("stats.kernel_version", "Kernel version")),
    _more(SERVER_VERSION), _more((Spec("iggy.stats.server_semver", "Server version", "uint32", show=p.semver), U32LE)),
    _more((Spec("iggy.stats.cache", "Cache"), Array(U32LE, *_CACHE))), _more(_u32("stats.threads", "Threads")),
    _more(_u64("stats.free_disk", "Free disk", "bytes")),
    _more(_u64("stats.total_disk", "Total disk", "bytes")),
)
_NODE = _record("cluster.node", "Node", (_text("cluster.node.name", "Name"), _text("cluster.node.ip", "Address"), *(
    (Spec(f"iggy.cluster.node.{name}", label, "uint16"), U16LE) for name, label in (
        ("tcp_port", "TCP port"), ("quic_port", "QUIC port"), ("http_port", "HTTP port"), ("websocket_port", "WebSocket port"))),
    (Spec("iggy.cluster.node.role", "Role", "uint8", p.ROLES), U8), (Spec("iggy.cluster.node.status", "Status", "uint8", p.NODE_STATUSES), U8)))
_DEFAULT = Spec("iggy.options.default", "Default", "bytes")
_CATALOG_ENTRY = _record("options.entry", "Option", ((p.OPTION_KEY, NAME), (p.OPTION_KIND, U8), (_DEFAULT, Limited(U32LE, Layout(None, ((_DEFAULT, Rest()),)))),
                                                     _text("options.description", "Description")), p.OPTION_KEY)
_TOKEN_RECORD = _record("token_record", "Token", ((TOKEN_NAME, NAME), (TOKEN_UNTIL, MICROSLE)), TOKEN_NAME)
_SENT = _record("sent", "Confirmation", ((p.STREAM_ID, U32LE), (p.TOPIC_ID, U32LE), (p.PARTITION_ID, U32LE), (m.BASE_OFFSET, U64LE)), m.BASE_OFFSET)
_POLLED: Parts = ((p.PARTITION_ID, U32LE), (CURRENT_OFFSET, U64LE), (p.COUNT, U32LE))
_USER_IDENTITY: Parts = ((p.USER_ID, U32LE),)
_STREAM_DETAILS: Parts = (*_STREAM, _each("topics", "Topics", _record("topic_record", "Topic", _TOPIC, p.TOPIC_NAME)))
_TOPIC_DETAILS: Parts = (*_TOPIC, _each("partitions", "Partitions", _PARTITION))
_GROUPS_LIST = _each("client.groups", "Consumer groups", _CLIENT_GROUP)
_STREAM_LIST = _each("streams", "Streams", _record("stream_record", "Stream", _STREAM, p.STREAM_NAME))
_TOPIC_LIST = _each("topics", "Topics", _record("topic_record", "Topic", _TOPIC, p.TOPIC_NAME))
_GROUP_LIST = _each("groups", "Consumer groups", _record("group_record", "Consumer group", _GROUP, p.GROUP_NAME))
_CLUSTER: Parts = (_text("cluster.name", "Cluster"), (Spec("iggy.cluster.nodes", "Nodes"), Array(U32LE, *_NODE)))
_GROUP_DETAILS: Parts = (*_GROUP, _each("members", "Members", _MEMBER))
_STREAM_V: Parts = (*_STREAM, p.OPTIONS)
_TOPIC_RECORD_V = _record("topic_record", "Topic", _TOPIC_V, p.TOPIC_NAME)
_STREAM_DETAILS_V: Parts = (*_STREAM_V, _each("topics", "Topics", _TOPIC_RECORD_V))
_TOPIC_DETAILS_V: Parts = (*_TOPIC_V, _each("partitions", "Partitions", _PARTITION))
_USER_V: Parts = (*_USER, p.OPTIONS)
_REGISTERED: Parts = (*_USER_IDENTITY, _u64("login.session", "Session"), (Spec("iggy.login.server_protocol_version", "Server's protocol version", "uint32",
                      show=p.version), U32LE), (Spec("iggy.login.server_version", "Server version", "string"), NAME))

_OPAQUE: Parts = ((Spec("iggy.reply.content", "Content", "bytes", about="A payload that is shown as it is"), Rest()),)
_ROUTING: Parts = (*_IDENTITY, (_NODE[0], _NODE[1]))

REPLIES: dict[int, dict[int, Parts]] = {
    FIRST: {
        c.STATS: _STATS, c.SNAPSHOT: ((ARCHIVE, Rest()),), c.CLUSTER: _CLUSTER,
        c.ME: (*_CLIENT, _GROUPS_LIST), c.CLIENT: (*_CLIENT, _GROUPS_LIST),
        c.CLIENTS: (_each("clients", "Clients", _record("client", "Client", _CLIENT, _ADDRESS)),),
        c.USER: (*_USER, _USER_PERMISSIONS), c.CREATE_USER: (*_USER, _USER_PERMISSIONS),
        c.USERS: (_each("users", "Users", _record("user_record", "User", _USER, p.USER_NAME)),),
        c.LOGIN: _USER_IDENTITY, c.TOKEN_LOGIN: _USER_IDENTITY, c.TOKENS: (_each("tokens", "Tokens", _TOKEN_RECORD),), c.CREATE_TOKEN: ((TOKEN, Secret(U8)),),
        c.POLL: (*_POLLED, (m.ALL, m.MESSAGES[0])),
        c.GET_OFFSET: (*PARTITION_PLAIN, (CURRENT_OFFSET, U64LE), (STORED_OFFSET, U64LE)),
        c.STREAM: _STREAM_DETAILS, c.CREATE_STREAM: _STREAM_DETAILS, c.STREAMS: (_STREAM_LIST,),
        c.TOPIC: _TOPIC_DETAILS, c.CREATE_TOPIC: _TOPIC_DETAILS, c.TOPICS: (_TOPIC_LIST,),
        c.GROUP: _GROUP_DETAILS, c.CREATE_GROUP: _GROUP_DETAILS, c.GROUPS: (_GROUP_LIST,),
    },
    SECOND: {c.POLL: (*_POLLED, (m.ALL, m.MESSAGES[56]))},
    THIRD: {},
    FOURTH: {c.POLL: (*_POLLED, (m.ALL, m.MESSAGES[64]))},
    VSR: {
        c.OPTIONS: ((Spec("iggy.options.catalog", "Options catalogue"), Array(U32LE, *_CATALOG_ENTRY)),),
        c.LOGIN_REGISTER: _REGISTERED, c.TOKEN_REGISTER: _REGISTERED,
        c.SEND: ((Spec("iggy.sent_list", "Confirmations"), Array(U32LE, *_SENT)),), c.POLL: (*_POLLED, (m.ALL, m.BATCHES)),
        c.USER: (*_USER_V, _USER_PERMISSIONS), c.CREATE_USER: (*_USER_V, _USER_PERMISSIONS),
        c.USERS: (_each("users", "Users", _record("user_record", "User", _USER_V, p.USER_NAME)),),
        c.STREAM: _STREAM_DETAILS_V, c.CREATE_STREAM: _STREAM_DETAILS_V,
        c.STREAMS: (_each("streams", "Streams", _record("stream_record", "Stream", _STREAM_V, p.STREAM_NAME)),),
        c.TOPIC: _TOPIC_DETAILS_V, c.CREATE_TOPIC: _TOPIC_DETAILS_V, c.TOPICS: ((Spec("iggy.topics", "Topics"), Array(U32LE, *_TOPIC_RECORD_V)),),
        c.POLL_ON_PRIMARY: (*_POLLED, (m.ALL, m.BATCHES)), c.POLL_DEFERRED: _OPAQUE, c.FETCH: _OPAQUE, c.POLL_ROUTING: _ROUTING, c.OFFSET_ROUTING: _ROUTING,
        c.ROUTE: (_INCARNATION, _u64("route.metadata_op", "Metadata op number"), _u32("route.view", "View"), (p.PARTITIONS, U32LE),
                  (Spec("iggy.route.primary_replica", "Primary replica", "uint8"), U8)),
        c.SYNC_GROUP: (_u64("group.generation", "Generation"), (_MEMBER_PARTITIONS, Array(U32LE, p.PARTITION_ID, U32LE))),
    },
}
"""Generation -> command -> what a reply with status 0 carries, where it differs from the generation before; commands that are named nowhere answer with
nothing. An empty payload is right for every command: there is nothing, or it was not found."""


def _all(tables: dict[int, dict[int, Parts]]) -> dict[tuple[int, int], Parts]:
    """(generation, command) -> parts, with what a generation takes over from the one before."""
    found: dict[tuple[int, int], Parts] = {}
    for generation, table in tables.items():
        for code in {*table, *(one for before, one in found if before == generation - 1)}:
            found[generation, code] = table[code] if code in table else found[generation - 1, code]
    return found


_REQUESTS, _REPLIES = _all(REQUESTS), _all(REPLIES)


def request_parts(generation: int, code: int) -> Parts | None:
    """What a request carries; None for a command that nobody knows."""
    return _REQUESTS.get((generation, code))


def reply_parts(generation: int, code: int) -> Parts | None:
    """What a reply with status 0 carries; None where the command is not known, () where it carries nothing."""
    found = _REPLIES.get((generation, code))
    return () if found is None and (generation, code) in _REQUESTS else found


