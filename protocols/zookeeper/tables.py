"""The numbers of the ZooKeeper client protocol by name: operations, errors, modes, events, and how values are shown.

Operations from 500 on are those of ClickHouse Keeper, which speaks the same protocol. Servers and clients to come have more numbers than stand here: a number
without a name is shown as a number, and says nothing about the message.
Sources: Apache ZooKeeper 3.10.0-SNAPSHOT, `ZooDefs.java`, `KeeperException.java`, `CreateMode.java`, `Watcher.java`, `ClientCnxn.java`, and what
servers 3.4 to 3.9 answered; ClickHouse, `ZooKeeperConstants.h`, `IKeeper.h`.
"""
from __future__ import annotations

from typing import NamedTuple

from protocols.decoder import Status

NOTIFICATION, PING_XID, AUTH_XID, SET_WATCHES_XID = -1, -2, -4, -8
SPECIAL_XIDS = {NOTIFICATION: "notification", PING_XID: "ping", AUTH_XID: "auth", SET_WATCHES_XID: "setWatches"}

CREATE, DELETE, EXISTS, GET_DATA, SET_DATA, GET_ACL, SET_ACL, GET_CHILDREN, SYNC = 1, 2, 3, 4, 5, 6, 7, 8, 9
PING, GET_CHILDREN2, CHECK, MULTI, CREATE2, RECONFIG, CHECK_WATCHES, REMOVE_WATCHES = 11, 12, 13, 14, 15, 16, 17, 18
CREATE_CONTAINER, DELETE_CONTAINER, CREATE_TTL, MULTI_READ = 19, 20, 21, 22
AUTH, SET_WATCHES, SASL, GET_EPHEMERALS, GET_ALL_CHILDREN_NUMBER, SET_WATCHES2, ADD_WATCH, WHO_AM_I = 100, 101, 102, 103, 104, 105, 106, 107
FILTERED_LIST, CHECK_NOT_EXISTS, CREATE_IF_NOT_EXISTS, REMOVE_RECURSIVE, CHECK_STAT, TRY_REMOVE, LIST_WITH_DATA, LIST_RECURSIVE = range(500, 508)
CREATE_SESSION, CLOSE_SESSION = -10, -11

OPERATIONS = {
    0: "notification", 1: "create", 2: "delete", 3: "exists", 4: "getData", 5: "setData", 6: "getACL", 7: "setACL", 8: "getChildren", 9: "sync",
    11: "ping", 12: "getChildren2", 13: "check", 14: "multi", 15: "create2", 16: "reconfig", 17: "checkWatches", 18: "removeWatches",
    19: "createContainer", 20: "deleteContainer", 21: "createTTL", 22: "multiRead", 100: "auth", 101: "setWatches", 102: "sasl",
    103: "getEphemerals", 104: "getAllChildrenNumber", 105: "setWatches2", 106: "addWatch", 107: "whoAmI",
    500: "filteredList", 501: "checkNotExists", 502: "createIfNotExists", 503: "removeRecursive", 504: "checkStat", 505: "tryRemove",
    506: "filteredListWithStatsAndData", 507: "listRecursive",
    -1: "error", -10: "createSession", -11: "closeSession",
}
SINCE = {
    12: "3.3", 101: "3.2", 13: "3.4", 14: "3.4", 102: "3.4", 15: "3.5", 16: "3.5", 17: "3.5", 18: "3.5", 19: "3.5", 20: "3.5", 21: "3.5",
    22: "3.6", 103: "3.6", 104: "3.6", 105: "3.6", 106: "3.6", 107: "3.7",
}
"""The first release line that knows an operation; the others are as old as the protocol."""


class Error(NamedTuple):
    """An error code: its name, whose fault it is, and what it means."""

    name: str
    status: Status
    meaning: str


def _client(name: str, meaning: str) -> Error:
    return Error(name, Status.CLIENT_ERROR, meaning)


def _server(name: str, meaning: str) -> Error:
    return Error(name, Status.SERVER_ERROR, meaning)


ERRORS = {
    0: Error("OK", Status.OK, "success"),
    -1: _server("SYSTEMERROR", "system error"),
    -2: _server("RUNTIMEINCONSISTENCY", "a runtime inconsistency; in a multi: not tried, because an operation before it failed"),
    -3: _server("DATAINCONSISTENCY", "a data inconsistency"),
    -4: _server("CONNECTIONLOSS", "the connection was lost"),
    -5: _server("MARSHALLINGERROR", "the request cannot be read"),
    -6: _server("UNIMPLEMENTED", "the server does not know the operation"),
    -7: _server("OPERATIONTIMEOUT", "the operation took too long"),
    -8: _client("BADARGUMENTS", "invalid arguments"),
    -12: _server("UNKNOWNSESSION", "the server does not know the session"),
    -13: _server("NEWCONFIGNOQUORUM", "no quorum of the new configuration is connected"),
    -14: _server("RECONFIGINPROGRESS", "another reconfiguration is in progress"),
    -100: _client("APIERROR", "API error"),
    -101: _client("NONODE", "the node does not exist"),
    -102: _client("NOAUTH", "the ACL does not allow it"),
    -103: _client("BADVERSION", "the version is not the expected one"),
    -108: _client("NOCHILDRENFOREPHEMERALS", "an ephemeral node has no children"),
    -110: _client("NODEEXISTS", "the node exists already"),
    -111: _client("NOTEMPTY", "the node has children"),
    -112: _client("SESSIONEXPIRED", "the session has expired"),
    -113: _client("INVALIDCALLBACK", "invalid callback"),
    -114: _client("INVALIDACL", "the ACL is not valid"),
    -115: _client("AUTHFAILED", "authentication failed"),
    -118: _client("SESSIONMOVED", "the session is on another server now"),
    -119: _client("NOTREADONLY", "the server is read-only"),
    -120: _client("EPHEMERALONLOCALSESSION", "a local session creates no ephemeral nodes"),
    -121: _client("NOWATCHER", "there is no such watch"),
    -122: _client("REQUESTTIMEOUT", "the request timed out"),
    -123: _client("RECONFIGDISABLED", "reconfiguration is not enabled"),
    -124: _client("SESSIONCLOSEDREQUIRESASLAUTH", "the server closes the session: it requires SASL"),
    -125: _client("QUOTAEXCEEDED", "a quota is exceeded"),
    -127: _server("THROTTLEDOP", "the server is busy and refuses the request"),
}
SOFT = {(EXISTS, -101), (CREATE, -110), (CREATE2, -110), (SET_DATA, -103), (DELETE, -103), (CHECK, -103), (CHECK_WATCHES, -121),
        (CHECK_NOT_EXISTS, -110), (CREATE_IF_NOT_EXISTS, -110), (TRY_REMOVE, -101)}
"""(operation, error) that belong to ordinary use: probing for a node, optimistic locking."""

CREATE_MODES = {
    0: "PERSISTENT", 1: "EPHEMERAL", 2: "PERSISTENT_SEQUENTIAL", 3: "EPHEMERAL_SEQUENTIAL", 4: "CONTAINER", 5: "PERSISTENT_WITH_TTL",
    6: "PERSISTENT_SEQUENTIAL_WITH_TTL",
}
EVENTS = {
    -1: "None", 1: "NodeCreated", 2: "NodeDeleted", 3: "NodeDataChanged", 4: "NodeChildrenChanged", 5: "DataWatchRemoved", 6: "ChildWatchRemoved",
    7: "PersistentWatchRemoved",
}
STATES = {
    -1: "Unknown", 0: "Disconnected", 1: "NoSyncConnected", 3: "SyncConnected", 4: "AuthFailed", 5: "ConnectedReadOnly", 6: "SaslAuthenticated",
    7: "Closed", -112: "Expired",
}
WATCHERS = {1: "Children", 2: "Data", 3: "Any", 4: "Persistent", 5: "PersistentRecursive"}
ADD_WATCH_MODES = {0: "PERSISTENT", 1: "PERSISTENT_RECURSIVE"}
LISTED = {0: "all", 1: "persistent", 2: "ephemeral"}
"""Which children a filteredList asks for."""

READ, WRITE, PERM_CREATE, PERM_DELETE, ADMIN, ALL = 1, 2, 4, 8, 16, 31
PERM_LETTERS = ((PERM_CREATE, "c"), (PERM_DELETE, "d"), (READ, "r"), (WRITE, "w"), (ADMIN, "a"))
TTL_MASK = (1 << 40) - 1


def operation(code: int) -> str:
    """The operation's name; of a code that has none here, the number."""
    return OPERATIONS.get(code) or f"operation {code}"


def error(code: int) -> Error:
    """What an error code says; below -100 it is the client's fault by the protocol's own rule, also where the code has no name here."""
    return ERRORS.get(code) or Error(f"error {code}", Status.CLIENT_ERROR if code <= -100 else Status.SERVER_ERROR, "has no name here")


def zxid(value: int) -> str:
    """A transaction id: hexadecimal, and the epoch with its counter."""
    return f"0x{value:x} (epoch {value >> 32}, counter {value & 0xFFFFFFFF})" if value >= 0 else f"{value} (none)"


def short_zxid(value: int) -> str:
    """A transaction id as `0x<epoch>.<counter>`."""
    return f"0x{value >> 32:x}.{value & 0xFFFFFFFF:x}" if value >= 0 else str(value)


def xid(value: int) -> str:
    name = SPECIAL_XIDS.get(value)
    return f"{name} ({value})" if name else str(value)


def session(value: int) -> str:
    return f"0x{value:016x} (from server {value >> 56})" if value else "0x0 (none)"


def owner(value: int) -> str:
    """The ephemeralOwner of a node (`EphemeralType.java`): a session, or in the high bits a container or a time to live."""
    if value == 0:
        return "0x0 (not ephemeral)"
    if value == 1 << 63:
        return f"0x{value:016x} (container)"
    if value >> 40 == 0xFF0000:
        return f"0x{value:016x} (time to live {value & TTL_MASK} ms)"
    return f"0x{value:016x} (session)"


def version(value: int) -> str:
    return "-1 (any)" if value == -1 else str(value)


def path(value: str) -> str:
    """A path, with what is wrong with it."""
    problem = path_problem(value)
    return f"{value}  ({problem})" if problem else value


def path_problem(value: str) -> str:
    """Why a server would not take `value` as a path, "" when it would."""
    if not value:
        return "empty"
    if value[0] != "/":
        return "does not start with /"
    if "\0" in value:
        return "holds a NUL"
    if "//" in value:
        return "holds an empty name"
    return "ends with /" if len(value) > 1 and value[-1] == "/" else ""


def perms(value: int) -> str:
    """ACL permissions as `cdrwa`, with the bits that have no meaning."""
    letters = "".join(letter for bit, letter in PERM_LETTERS if value & bit) or "none"
    extra = f", unknown bits 0x{value & ~ALL & 0xFFFFFFFF:x}" if value & ~ALL else ""
    return f"{letters} ({value}){extra}"


def data(value: bytes) -> str:
    """Node data: as text when its first bytes are printable UTF-8, else in hexadecimal."""
    if not value:
        return "<empty>"
    head, more = value[:64], "…" if len(value) > 64 else ""
    try:
        text = str(head, "utf-8")
    except UnicodeDecodeError as fault:
        # a character cut in two by the head's end is no fault
        text = str(head[:fault.start], "utf-8") if more and fault.start > len(head) - 4 else "\0"
    if not all(c.isprintable() or c in "\n\t\r" for c in text):
        text = ""
    return (f'"{text}{more}"' if text else head[:32].hex() + ("…" if len(value) > 32 else "")) + f" ({sized(len(value))})"


def sized(count: int) -> str:
    return "1 byte" if count == 1 else f"{count} bytes"
