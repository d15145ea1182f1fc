"""The records of the ZooKeeper client protocol as layouts: every request and reply, header included.

Source: Apache ZooKeeper 3.10.0-SNAPSHOT, `zookeeper.jute`, `MultiOperationRecord.java`, `MultiResponse.java`; ClickHouse, `ZooKeeperCommon.cpp`. All numbers
are big-endian; strings, buffers and vectors carry an int32 length or count, -1 for null. Nothing says which version wrote a record, so bytes after it are
shown, not refused.
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from protocols.engine.fields import Field, Spec
from protocols.engine.records import (
    I32,
    I64,
    MILLIS,
    U8,
    U32LE,
    U64,
    Array,
    Blob,
    Bool,
    Bytes,
    Each,
    Flags,
    IfMore,
    Layout,
    Rest,
    Secret,
    Switch,
    Text,
    Type,
    When,
)
from protocols.terms import STATUS_WORDS
from protocols.zookeeper import tables as t
from protocols.zookeeper.handshake import WIDE

Parts = tuple[tuple[Spec, Type], ...]

ROOT = Spec("zookeeper", "Apache ZooKeeper", "protocol")
LEN = Spec("zookeeper.len", "Length", "int32", about="Bytes of the frame after this field")
XID = Spec("zookeeper.xid", "Xid", "int64", show=t.xid, about="Pairs a reply with its request; -1, -2, -4, -8 are special. 4 bytes, or 8 by the handshake")
OPCODE = Spec("zookeeper.opcode", "Operation", "int32", t.OPERATIONS)
ZXID = Spec("zookeeper.zxid", "Zxid", "int64", show=t.zxid, about="The last transaction that the server has processed")
ERR = Spec("zookeeper.err", "Error", "int32", {code: one.name for code, one in t.ERRORS.items()})
ERR_CLASS = Spec("zookeeper.err.class", "Class", "string", about="Whose fault the error is, and what it means", words=STATUS_WORDS)
TRAILING = Spec("zookeeper.trailing", "Trailing bytes", "bytes", about="Bytes after the record; servers ignore them")
UNKNOWN = Spec("zookeeper.body", "Body", "bytes", about="The body of a message whose layout is not known")
NOTE = Spec("zookeeper.note", "Note", "string", about="What is unusual about the message, or what it tells about its sender")
GUESS = Spec("zookeeper.guess", "Guess", "string", about="The layout that fits exactly where the request was not captured")
SINCE = Spec("zookeeper.since", "Known since ZooKeeper", "string", about="The first release line that knows the operation")

PROTOCOL_VERSION = Spec("zookeeper.protocol_version", "Protocol version", "int32",
                        about="0; 10 and more are ClickHouse Keeper's: compressed, xids of 8 bytes, traced")
COMPRESSION = Spec("zookeeper.compression", "Compressed", "bool", about="Whether messages after the handshake are compressed. In versions from 11 on")
LAST_ZXID = Spec("zookeeper.last_zxid_seen", "Last zxid seen", "int64", show=t.zxid)
TIMEOUT = Spec("zookeeper.timeout", "Session timeout", "int32", show=lambda v: f"{v} ms")
SESSION = Spec("zookeeper.session_id", "Session id", "uint64", show=t.session, about="0 asks for a new session; the highest byte is the server that made it")
PASSWORD = Spec("zookeeper.password", "Password", "string", about="What proves the session when a client comes back; masked")
READ_ONLY = Spec("zookeeper.read_only", "Read only", "bool", about="The client takes a read-only server; the server is one. Since 3.4")

PATH = Spec("zookeeper.path", "Path", "string", show=t.path)
DATA = Spec("zookeeper.data", "Data", "bytes", show=t.data)
WATCH = Spec("zookeeper.watch", "Watch", "bool", about="Whether the request leaves a watch")
VERSION = Spec("zookeeper.version", "Version", "int32", show=t.version, about="The version that the node must have")
MODE = Spec("zookeeper.create_mode", "Create mode", "int32", t.CREATE_MODES)
TTL = Spec("zookeeper.ttl", "Time to live", "int64", show=lambda v: f"{v} ms")
ACLS = Spec("zookeeper.acls", "ACLs")
ACL = Spec("zookeeper.acl", "ACL")
PERMS = Spec("zookeeper.acl.perms", "Permissions", "int32", show=t.perms)
PERM_BITS = tuple(Spec(f"zookeeper.acl.perms.{name}", name, "bool", mask=mask) for name, mask in (
    ("create", t.PERM_CREATE), ("delete", t.PERM_DELETE), ("read", t.READ), ("write", t.WRITE), ("admin", t.ADMIN)))
SCHEME = Spec("zookeeper.acl.scheme", "Scheme", "string")
ID = Spec("zookeeper.acl.id", "Id", "string")
STAT = Spec("zookeeper.stat", "Stat")
CHILDREN, CHILD = Spec("zookeeper.children", "Children"), Spec("zookeeper.child", "Child", "string")
CONFIG = Spec("zookeeper.config", "Configuration", "bytes", show=t.data)
JOINING = Spec("zookeeper.joining_servers", "Joining servers", "string")
LEAVING = Spec("zookeeper.leaving_servers", "Leaving servers", "string")
MEMBERS = Spec("zookeeper.new_members", "New members", "string")
CONFIG_ID = Spec("zookeeper.config_id", "Current configuration id", "int64", show=t.version)
WATCHER = Spec("zookeeper.watcher_type", "Watcher type", "int32", t.WATCHERS)
WATCH_MODE = Spec("zookeeper.add_watch_mode", "Mode", "int32", t.ADD_WATCH_MODES)
AUTH_TYPE = Spec("zookeeper.auth.type", "Type", "int32", about="Always 0")
AUTH_SCHEME = Spec("zookeeper.auth.scheme", "Scheme", "string")
AUTH_DATA = Spec("zookeeper.auth.credentials", "Credentials", "string", about="Masked")
TOKEN = Spec("zookeeper.sasl.token", "SASL token", "string", about="Masked")
RELATIVE_ZXID = Spec("zookeeper.relative_zxid", "Relative zxid", "int64", show=t.zxid,
                     about="The last transaction that the client saw: later changes fire the watches at once")
LISTED = Spec("zookeeper.list_type", "Children wanted", "uint8", t.LISTED)
WITH_STAT, WITH_DATA = Spec("zookeeper.with_stat", "With stats", "bool"), Spec("zookeeper.with_data", "With data", "bool")
LIMIT = Spec("zookeeper.limit", "Limit", "int32", about="How many nodes at most")
STATS, DATAS = Spec("zookeeper.stats", "Stats"), Spec("zookeeper.data_list", "Data")
EPHEMERALS, EPHEMERAL = Spec("zookeeper.ephemerals", "Ephemerals"), Spec("zookeeper.ephemeral", "Ephemeral", "string")
TOTAL = Spec("zookeeper.total_number", "Number of children", "int32", about="All nodes below, not only the direct children")
BODY_ERR = Spec("zookeeper.body_err", "Error in the body", "int32", ERR.enum)
CLIENTS, CLIENT = Spec("zookeeper.client_infos", "Identities"), Spec("zookeeper.client_info", "Identity")
CLIENT_SCHEME, CLIENT_USER = Spec("zookeeper.client_info.scheme", "Scheme", "string"), Spec("zookeeper.client_info.user", "User", "string")
EVENT = Spec("zookeeper.watch.type", "Event", "int32", t.EVENTS)
STATE = Spec("zookeeper.watch.state", "State", "int32", t.STATES)
MULTI = Spec("zookeeper.multi", "Transaction")
STEP = Spec("zookeeper.multi.op", "Operation")
STEP_TYPE = Spec("zookeeper.multi.opcode", "Operation", "int32", t.OPERATIONS)
STEP_DONE = Spec("zookeeper.multi.done", "Done", "bool", about="Ends the list")
STEP_ERR = Spec("zookeeper.multi.err", "Error", "int32", ERR.enum)
STEP_UNUSED = Spec("zookeeper.multi.err", "Error", "int32", show=lambda v: f"{v} (unused)")
STEP_BODY_ERR = Spec("zookeeper.multi.body_err", "Error in the body", "int32", ERR.enum)


def _stat(name: str, label: str, type: str = "int32", about: str = "") -> Spec:
    return Spec(f"zookeeper.stat.{name}", label, type, show={"zxid": t.zxid, "owner": t.owner}.get(about), about="" if about in ("zxid", "owner") else about)


STAT_LAYOUT = Layout(STAT, (
    (_stat("czxid", "Created by zxid", "int64", "zxid"), I64), (_stat("mzxid", "Modified by zxid", "int64", "zxid"), I64),
    (_stat("ctime", "Created", "time"), MILLIS), (_stat("mtime", "Modified", "time"), MILLIS),
    (_stat("version", "Data version"), I32), (_stat("cversion", "Children version"), I32), (_stat("aversion", "ACL version"), I32),
    (_stat("ephemeral_owner", "Ephemeral owner", "uint64", "owner"), U64), (_stat("data_length", "Data length"), I32),
    (_stat("num_children", "Number of children"), I32), (_stat("pzxid", "Children changed by zxid", "int64", "zxid"), I64),
), lambda c: f"Stat: version {c[4].value}, {t.sized(c[8].value)}, {c[9].value} {'child' if c[9].value == 1 else 'children'}")

ACL_LAYOUT = Layout(ACL, ((PERMS, Flags(I32, PERM_BITS)), (SCHEME, Text(I32)), (ID, Text(I32))),
                    lambda c: f"ACL: {c[1].value}:{c[2].value} {t.perms(c[0].value)}")
CLIENT_LAYOUT = Layout(CLIENT, ((CLIENT_SCHEME, Text(I32)), (CLIENT_USER, Text(I32))), lambda c: f"Identity: {c[0].value}:{c[1].value}")


def _watches(kind: str, label: str) -> tuple[Spec, Type]:
    return Spec(f"zookeeper.{kind}_watches", f"{label} watches"), Array(I32, Spec(f"zookeeper.{kind}_watch", f"{label} watch", "string"), Text(I32))


_PATH: tuple[Spec, Type] = (PATH, Text(I32))
_DATA: tuple[Spec, Type] = (DATA, Blob(I32))
_ACLS: tuple[Spec, Type] = (ACLS, Array(I32, ACL, ACL_LAYOUT))
_STAT: tuple[Spec, Type] = (STAT, STAT_LAYOUT)
_CHILDREN: tuple[Spec, Type] = (CHILDREN, Array(I32, CHILD, Text(I32)))
_WATCH: tuple[Spec, Type] = (WATCH, Bool())
_VERSION: tuple[Spec, Type] = (VERSION, I32)
_CREATE: Parts = (_PATH, _DATA, _ACLS, (MODE, I32))
_WATCHES: Parts = ((RELATIVE_ZXID, I64), _watches("data", "Data"), _watches("exist", "Exist"), _watches("child", "Child"))
FRAME: Parts = ((LEN, I32),)
AFTER: Parts = ((TRAILING, Rest()),)

REQUEST_BODIES: dict[int, Parts] = {
    t.CREATE: _CREATE, t.CREATE2: _CREATE, t.CREATE_CONTAINER: _CREATE, t.CREATE_TTL: (*_CREATE, (TTL, I64)),
    t.DELETE: (_PATH, _VERSION), t.CHECK: (_PATH, _VERSION), t.SET_DATA: (_PATH, _DATA, _VERSION),
    t.EXISTS: (_PATH, _WATCH), t.GET_DATA: (_PATH, _WATCH), t.GET_CHILDREN: (_PATH, _WATCH), t.GET_CHILDREN2: (_PATH, _WATCH),
    t.GET_ACL: (_PATH,), t.SET_ACL: (_PATH, _ACLS, _VERSION), t.SYNC: (_PATH,), t.DELETE_CONTAINER: (_PATH,),
    t.GET_EPHEMERALS: (_PATH,), t.GET_ALL_CHILDREN_NUMBER: (_PATH,),
    t.CHECK_WATCHES: (_PATH, (WATCHER, I32)), t.REMOVE_WATCHES: (_PATH, (WATCHER, I32)), t.ADD_WATCH: (_PATH, (WATCH_MODE, I32)),
    t.RECONFIG: ((JOINING, Text(I32)), (LEAVING, Text(I32)), (MEMBERS, Text(I32)), (CONFIG_ID, I64)),
    t.PING: (), t.WHO_AM_I: (), t.CLOSE_SESSION: (), t.CREATE_SESSION: ((TIMEOUT, I32),),
    t.AUTH: ((AUTH_TYPE, I32), (AUTH_SCHEME, Text(I32)), (AUTH_DATA, Secret(I32))), t.SASL: ((TOKEN, Secret(I32)),),
    t.SET_WATCHES: _WATCHES,
    t.SET_WATCHES2: (*_WATCHES, _watches("persistent", "Persistent"), _watches("persistent_recursive", "Persistent recursive")),
    t.FILTERED_LIST: (_PATH, _WATCH, (LISTED, U8)), t.CHECK_NOT_EXISTS: (_PATH, _VERSION), t.CREATE_IF_NOT_EXISTS: _CREATE,
    t.REMOVE_RECURSIVE: (_PATH, (LIMIT, I32)), t.CHECK_STAT: (_PATH, _VERSION, _STAT), t.TRY_REMOVE: (_PATH, _VERSION),
    t.LIST_WITH_DATA: (_PATH, _WATCH, (LISTED, U8), (WITH_STAT, Bool()), (WITH_DATA, Bool())), t.LIST_RECURSIVE: (_PATH, (LIMIT, I32)),
}
REPLY_BODIES: dict[int, Parts] = {
    t.CREATE: (_PATH,), t.CREATE2: (_PATH, _STAT), t.CREATE_CONTAINER: (_PATH, _STAT), t.CREATE_TTL: (_PATH, _STAT),
    t.EXISTS: (_STAT,), t.GET_DATA: (_DATA, _STAT), t.SET_DATA: (_STAT,), t.GET_ACL: (_ACLS, _STAT), t.SET_ACL: (_STAT,),
    t.GET_CHILDREN: (_CHILDREN,), t.GET_CHILDREN2: (_CHILDREN, _STAT), t.SYNC: (_PATH,), t.CHECK: ((STAT, IfMore(STAT_LAYOUT)),),
    t.RECONFIG: ((CONFIG, Blob(I32)), _STAT), t.SASL: ((TOKEN, Secret(I32)),),
    t.GET_EPHEMERALS: ((EPHEMERALS, Array(I32, EPHEMERAL, Text(I32))),), t.GET_ALL_CHILDREN_NUMBER: ((TOTAL, I32),),
    t.ADD_WATCH: ((BODY_ERR, I32),), t.WHO_AM_I: ((CLIENTS, Array(I32, CLIENT, CLIENT_LAYOUT)),),
    t.DELETE: (), t.PING: (), t.CHECK_WATCHES: (), t.REMOVE_WATCHES: (), t.DELETE_CONTAINER: (), t.AUTH: (), t.SET_WATCHES: (),
    t.SET_WATCHES2: (), t.CLOSE_SESSION: (),
    t.FILTERED_LIST: (_CHILDREN, _STAT), t.CHECK_NOT_EXISTS: (), t.CREATE_IF_NOT_EXISTS: (_PATH,), t.REMOVE_RECURSIVE: (), t.CHECK_STAT: (), t.TRY_REMOVE: (),
    t.LIST_WITH_DATA: (_CHILDREN, _STAT, (STATS, Array(I32, STAT, STAT_LAYOUT)), (DATAS, Array(I32, DATA, Blob(I32)))), t.LIST_RECURSIVE: (_CHILDREN,),
}
RESULT_BODIES: dict[int, Parts] = {
    t.CREATE: (_PATH,), t.CREATE2: (_PATH, _STAT), t.DELETE: (), t.CHECK: (), t.SET_DATA: (_STAT,), t.GET_DATA: (_DATA, _STAT),
    t.GET_CHILDREN: (_CHILDREN,), t.EXISTS: (_STAT,), t.GET_CHILDREN2: (_CHILDREN, _STAT), t.GET_ACL: (_ACLS, _STAT),
    **{code: REPLY_BODIES[code] for code in range(t.FILTERED_LIST, t.LIST_RECURSIVE + 1)},
}
"""What follows a MultiHeader in the reply to a multi or a multiRead, where it says no error."""


def _step_title(c: Sequence[Field]) -> str:
    if len(c) < 3 or c[1].value:
        return "End of the transaction"
    found = next((one.value for one in c if one.spec is PATH), None)
    return f"{t.operation(c[0].value)} {'' if found is None else found}".rstrip()


def _result_title(c: Sequence[Field]) -> str:
    if len(c) < 3 or c[1].value or c[0].value != -1:
        return _step_title(c)
    return "rolled back" if c[2].value == 0 else f"{t.error(c[2].value).name} ({c[2].value})" + (", not tried" if c[2].value == -2 else "")


def _steps(bodies: dict[int, Parts], request: bool) -> tuple[Spec, Type]:
    """MultiHeader and body, again and again, up to the header that says "done"; a body of unknown type ends the reading."""
    cases: Type = Switch(STEP_TYPE, {code: Layout(None, parts) for code, parts in bodies.items()}, Layout(None, ((UNKNOWN, Rest()),)))
    if not request:
        cases = Switch(STEP_TYPE, {-1: Layout(None, ((STEP_BODY_ERR, I32),))}, Layout(None, ((STEP, When(STEP_ERR, lambda err: not err, cases)),)))
    more = Layout(None, ((STEP_UNUSED if request else STEP_ERR, I32), (STEP, cases)))
    step = Layout(STEP, ((STEP_TYPE, I32), (STEP_DONE, Bool()), (STEP, Switch(STEP_DONE, {False: more, True: Layout(None, ((STEP_UNUSED, I32),))}))),
                  _step_title if request else _result_title)
    return MULTI, Each(STEP, step, lambda one: bool(one.fields[1].value))


_STEPS, _RESULTS = _steps(REQUEST_BODIES, True), _steps(RESULT_BODIES, False)
REQUEST_BODIES |= {t.MULTI: (_STEPS,), t.MULTI_READ: (_STEPS,)}
REPLY_BODIES |= {t.MULTI: (_RESULTS,), t.MULTI_READ: (_RESULTS,)}

_REQUEST: Parts = (*FRAME, (XID, I32), (OPCODE, I32))
REPLY_HEADER: Parts = (*FRAME, (XID, I32), (ZXID, I64), (ERR, I32))
_COMPRESSION: Parts = ((COMPRESSION, When(PROTOCOL_VERSION, lambda version: version >= WIDE, Bool())),)
CONNECT_REQUEST = Layout(None, (*FRAME, (PROTOCOL_VERSION, I32), *_COMPRESSION, (LAST_ZXID, I64), (TIMEOUT, I32), (SESSION, U64),
                                (PASSWORD, Secret(I32)), (READ_ONLY, IfMore(Bool())), *AFTER))
CONNECT_RESPONSE = Layout(None, (*FRAME, (PROTOCOL_VERSION, I32), (TIMEOUT, I32), (SESSION, U64), (PASSWORD, Secret(I32)), (READ_ONLY, IfMore(Bool())), *AFTER))
WATCH_EVENT = Layout(None, (*REPLY_HEADER, (EVENT, I32), (STATE, I32), _PATH, *AFTER))
REQUESTS = {code: Layout(None, (*_REQUEST, *parts, *AFTER)) for code, parts in REQUEST_BODIES.items()}
UNKNOWN_REQUEST = Layout(None, (*_REQUEST, (UNKNOWN, Rest())))
REPLIES = {code: Layout(None, (*REPLY_HEADER, *parts, *AFTER)) for code, parts in REPLY_BODIES.items()}
FAILED_REPLIES = {code: Layout(None, (*REPLY_HEADER, (UNKNOWN, IfMore(Layout(None, parts))), *AFTER)) for code, parts in REPLY_BODIES.items()}
UNKNOWN_REPLY = Layout(None, (*REPLY_HEADER, (UNKNOWN, Rest())))

WIDE_REPLY_HEADER: Parts = (*FRAME, (XID, I64), (ZXID, I64), (ERR, I32))
WIDE_EVENT = Layout(None, (*WIDE_REPLY_HEADER, (EVENT, I32), (STATE, I32), _PATH, *AFTER))


@cache
def wide_request(code: int) -> Layout:
    """The layout of a request whose xid has 8 bytes. A tracing byte behind it is not counted by its length."""
    header: Parts = (*FRAME, (XID, I64), (OPCODE, I32))
    parts = REQUEST_BODIES.get(code)
    return Layout(None, (*header, (UNKNOWN, Rest())) if parts is None else (*header, *parts, *AFTER))


@cache
def wide_reply(code: int, failed: bool) -> Layout:
    """The layout of a reply whose xid has 8 bytes; -1 stands for an operation that is not known."""
    parts = REPLY_BODIES.get(code)
    if parts is None:
        return Layout(None, (*WIDE_REPLY_HEADER, (UNKNOWN, Rest())))
    return Layout(None, (*WIDE_REPLY_HEADER, (UNKNOWN, IfMore(Layout(None, parts))), *AFTER) if failed else (*WIDE_REPLY_HEADER, *parts, *AFTER))


BLOCK = Layout(None, ((Spec("zookeeper.block.checksum", "Checksum", "bytes"), Bytes(16)), (Spec("zookeeper.block.method", "Method", "uint8", {
    0x82: "LZ4", 0x90: "zstd", 2: "none"}), U8), (Spec("zookeeper.block.size", "Size", "uint32", about="Bytes from the method on"), U32LE),
    (Spec("zookeeper.block.content_size", "Size of the content", "uint32"), U32LE), (Spec("zookeeper.block.data", "Compressed messages", "bytes"), Rest())))
"""What ClickHouse Keeper's version 10 sends after the handshake."""

GUESSES: tuple[tuple[str, Layout], ...] = tuple((name, Layout(None, (*REPLY_HEADER, *parts))) for name, parts in (
    ("Stat", (_STAT,)), ("path", (_PATH,)), ("path and Stat", (_PATH, _STAT)), ("results of a multi", (_RESULTS,)), ("data and Stat", (_DATA, _STAT)),
    ("ACLs and Stat", (_ACLS, _STAT)), ("children and Stat", (_CHILDREN, _STAT)), ("children", (_CHILDREN,)), ("identities", REPLY_BODIES[t.WHO_AM_I]),
    ("a number", REPLY_BODIES[t.GET_ALL_CHILDREN_NUMBER]),
))
"""Replies that name themselves by fitting exactly, most telling first, for replies whose request was not captured."""

GENERATED = (ERR_CLASS, NOTE, GUESS, SINCE)


def specs() -> list[Spec]:
    """Every field of every layout, once a name, in the order of the tables."""
    layouts = (BLOCK, CONNECT_REQUEST, CONNECT_RESPONSE, *REQUESTS.values(), UNKNOWN_REQUEST, *REPLIES.values(), WATCH_EVENT)
    found: dict[str, Spec] = {}
    for layout in layouts:
        for spec in layout.specs(ROOT):
            found.setdefault(spec.name, spec)
    for spec in GENERATED:
        found.setdefault(spec.name, spec)
    return list(found.values())
