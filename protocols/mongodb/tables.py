"""MongoDB's names: opcodes, flags, error codes and what the errors mean for a caller.

Sources: MongoDB specifications (OP_MSG, OP_COMPRESSED, retryable writes, server discovery and monitoring) and error_codes.yml of the server.
"""
from __future__ import annotations

from functools import cache
from importlib.resources import files

from protocols.decoder import Status

OP_REPLY, DB_MSG, OP_UPDATE, OP_INSERT, OP_QUERY, OP_GET_MORE, OP_DELETE, OP_KILL_CURSORS = 1, 1000, 2001, 2002, 2004, 2005, 2006, 2007
OP_COMMAND, OP_COMMANDREPLY, OP_COMPRESSED, OP_MSG = 2010, 2011, 2012, 2013
OPCODES = {
    OP_REPLY: "OP_REPLY", DB_MSG: "DB_MSG", OP_UPDATE: "OP_UPDATE", OP_INSERT: "OP_INSERT", 2003: "OP_GET_BY_OID (reserved)", OP_QUERY: "OP_QUERY",
    OP_GET_MORE: "OP_GET_MORE", OP_DELETE: "OP_DELETE", OP_KILL_CURSORS: "OP_KILL_CURSORS", 2008: "OP_COMMAND (3.2 development)",
    2009: "OP_COMMANDREPLY (3.2 development)", OP_COMMAND: "OP_COMMAND", OP_COMMANDREPLY: "OP_COMMANDREPLY", OP_COMPRESSED: "OP_COMPRESSED", OP_MSG: "OP_MSG",
}
SPOKEN = frozenset({OP_REPLY, OP_UPDATE, OP_INSERT, OP_QUERY, OP_GET_MORE, OP_DELETE, OP_KILL_CURSORS, OP_COMMAND, OP_COMMANDREPLY, OP_COMPRESSED, OP_MSG})
UNANSWERED = frozenset({DB_MSG, OP_UPDATE, OP_INSERT, OP_DELETE, OP_KILL_CURSORS})
FROM_SERVER = frozenset({OP_REPLY, OP_COMMANDREPLY})
LEGACY_REQUESTS = frozenset({OP_UPDATE, OP_INSERT, OP_DELETE, OP_GET_MORE, OP_KILL_CURSORS, OP_QUERY})
LEGACY_NAMES = {OP_UPDATE: "update", OP_INSERT: "insert", OP_GET_MORE: "getMore", OP_DELETE: "delete", OP_KILL_CURSORS: "killCursors", DB_MSG: "msg"}

CHECKSUM_PRESENT, MORE_TO_COME, EXHAUST_ALLOWED = 1, 2, 1 << 16
REQUIRED_UNKNOWN = 0xFFFC
"""Bits of OP_MSG's flags that a receiver must know to go on, and that mean nothing yet."""
QUERY_AWAIT, QUERY_EXHAUST = 1 << 5, 1 << 6
REPLY_NOT_FOUND, REPLY_FAILURE = 1, 2
NAMESPACE_NOT_FOUND = 26
COMPRESSORS = {0: "noop", 1: "snappy", 2: "zlib", 3: "zstd"}
LARGEST = 48_000_000 + 16 * 1024

SECRET_COMMANDS = frozenset({
    "saslStart", "saslContinue", "authenticate", "createUser", "updateUser", "usersInfo", "copydb", "copydbsaslstart", "hello", "isMaster", "ismaster",
    "logout", "getnonce",
})
"""Commands in which passwords, proofs or tokens travel, in requests or replies."""

SECRET_KEYS = frozenset({b"payload", b"speculativeAuthenticate", b"users", b"nonce"})
"""What a reply to such a command has at its top."""

NOT_PRIMARY = frozenset({10107, 13435, 10058, 11600, 11602, 13436, 189, 91})
NETWORK = frozenset({6, 7, 89, 9001, 50, 262})


def opcode_name(opcode: int) -> str:
    return OPCODES.get(opcode, f"opcode {opcode}")


@cache
def _errors() -> dict[int, tuple[str, bool]]:
    text = files("protocols.mongodb").joinpath("errors.txt").read_text("ascii")
    rows = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return {int(row[0]): (row[1], len(row) > 2) for row in rows}


def error_name(code: int | None) -> str:
    """The codeName of an error, "" when there is no number or it is not a listed one."""
    return _errors().get(code, ("", False))[0] if code else ""


def retriable(code: int) -> bool:
    return _errors().get(code, ("", False))[1]


def error_status(code: int | None) -> Status:
    """Whose error: the server's (retriable, not primary, network, time-out) or the caller's."""
    if code is not None and (retriable(code) or code in NOT_PRIMARY or code in NETWORK):
        return Status.SERVER_ERROR
    return Status.CLIENT_ERROR


WIRE_VERSIONS = {6: "3.6", 7: "4.0", 8: "4.2", 9: "4.4", 13: "5.0", 14: "5.1", 15: "5.2", 16: "5.3", 17: "6.0", 18: "6.1", 19: "6.2", 20: "6.3", 21: "7.0",
                 22: "7.1", 23: "7.2", 24: "7.3", 25: "8.0", 26: "8.1", 27: "8.2", 29: "9.0"}
