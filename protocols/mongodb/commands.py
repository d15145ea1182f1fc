"""What a command is: its name, the namespaces that it works on, whether its answer may come late, and whether it carries secrets."""
from __future__ import annotations

from protocols.decoder import MessageBytes
from protocols.mongodb import tables as t
from protocols.mongodb.body import Body, read_body

__all__ = ["COUNTED", "HELLO", "SASL", "awaits", "brings_data", "carries_secrets", "client", "command_of", "cursor_namespace", "namespaces", "targets"]

HELLO = ("hello", "isMaster", "ismaster")
SASL = ("saslStart", "saslContinue")
NO_COLLECTION = frozenset({"authenticate", "getnonce", "logout", "createUser", "updateUser", "dropUser", "usersInfo", "createRole", "updateRole",
                           "dropRole", *HELLO, *SASL})
"""Commands whose first value may be text that is no collection."""
WHOLE = frozenset({
    "shardCollection", "reshardCollection", "abortReshardCollection", "commitReshardCollection", "unshardCollection", "moveCollection", "moveChunk",
    "moveRange", "split", "splitVector", "splitChunk", "mergeChunks", "mergeAllChunksOnShard", "balancerCollectionStatus", "updateZoneKeyRange",
    "clearJumboFlag", "cleanupOrphaned", "refineCollectionShardKey", "configureCollectionBalancing", "getShardVersion", "analyzeShardKey",
})
"""Commands whose first value is a whole namespace, whatever `$db` says."""
SPECIAL = NO_COLLECTION | WHOLE | {"bulkWrite", "explain", "getMore", "parallelCollectionScan", "renameCollection"}
"""Commands that do not name their collection in their first value, or not only there."""
COUNTED = {"insert": ("documents", "doc"), "update": ("updates", "statement"), "delete": ("deletes", "statement"), "bulkWrite": ("ops", "op")}


def command_of(body: Body) -> str:
    """The command's name: the first key of its document, or what a legacy opcode does."""
    if body.opcode == t.OP_MSG:
        return _first(body)
    if body.opcode == t.OP_COMMAND:
        return body.namespace.rsplit(" ", 1)[-1]
    if body.opcode in t.LEGACY_NAMES:
        return t.LEGACY_NAMES[body.opcode]
    if body.opcode == t.OP_QUERY:
        return _first(body) if body.is_command else "query" if body.namespace else ""
    return ""


def _first(body: Body) -> str:
    """The first key that is no operator; also where the message is cut off in its value."""
    for name in body.starts:
        if not name.startswith(b"$"):
            return name.decode("utf-8", "replace")
    at, end = body.main
    zero = body.data.find(b"\0", at + 5, end) if body.cut and not body.starts else -1
    return body.data[at + 5:zero].decode("utf-8", "replace") if zero > 0 and body.data[at + 5] != 0x24 else ""


def namespaces(body: Body, command: str) -> list[tuple[str, str]]:
    """Database and collection of each namespace that a request works on, "" where it names none; at least one."""
    if body.opcode == t.OP_MSG and command not in SPECIAL:
        return [(body.text("$db"), body.text(command))]
    whole: list[str] = []
    if body.opcode == t.OP_COMMAND:
        return [(body.namespace.split(".$cmd", 1)[0], "")]
    if body.opcode in (t.OP_INSERT, t.OP_UPDATE, t.OP_DELETE, t.OP_GET_MORE) or (body.opcode == t.OP_QUERY and not body.is_command):
        whole = [body.namespace]
    elif command == "bulkWrite":
        batch = body.batch("nsInfo")
        found = [body.leaf(one.get("ns")) for one in batch.items()] if batch is not None else []
        whole = [name for name in dict.fromkeys(found) if isinstance(name, str)]
    elif command == "renameCollection":
        whole = [name for name in (body.text(command), body.text("to")) if name]
    elif command in WHOLE:
        whole = [body.text(command)]
    if any(whole):
        return [(database, collection) for database, _, collection in (name.partition(".") for name in whole)]
    if command in NO_COLLECTION:
        collection = ""
    elif command == "explain":
        inner = body.leaf(next(iter(body.below(command).values()), None))
        collection = inner if isinstance(inner, str) else ""
    else:
        collection = body.text("collection" if command in ("getMore", "parallelCollectionScan") else command)
    return [(body.text("$db") or body.namespace.removesuffix(".$cmd"), collection)]


def targets(body: Body, command: str) -> tuple[str, ...]:
    """The namespaces as database.collection; a database alone where the command works on it or on the server."""
    found = namespaces(body, command)
    if len(found) == 1:
        database, collection = found[0]
        return (f"{database}.{collection}",) if database and collection else (database or collection,) if database or collection else ()
    return tuple([f"{database}.{collection}" if database and collection else database or collection for database, collection in found])


def awaits(body: Body, command: str) -> bool:
    """Whether the server may hold the reply back by design: a streamed or awaited hello, a tailable cursor."""
    if command == "getMore":
        return b"maxTimeMS" in body.starts
    if command in HELLO:
        return b"maxAwaitTimeMS" in body.starts or bool(body.flags & t.EXHAUST_ALLOWED and body.opcode == t.OP_MSG)
    return body.opcode == t.OP_QUERY and bool(body.flags & t.QUERY_AWAIT)


def brings_data(body: Body, message: MessageBytes) -> bool:
    """Whether a reply's main document is one of a collection, whose keys are data: in a legacy reply to a query that is no command."""
    if body.opcode != t.OP_REPLY or body.flags & (t.REPLY_NOT_FOUND | t.REPLY_FAILURE):
        return False
    if body.returned != 1 or body.cursor:
        return True
    request = message.peer
    asked = read_body(request.data, request.start, request.end) if request is not None else None
    return asked is not None and asked.opcode in (t.OP_QUERY, t.OP_GET_MORE) and not asked.is_command


def carries_secrets(message: MessageBytes, body: Body) -> bool:
    """Whether passwords, proofs or tokens travel in this message: told by its command, in a reply without one by its keys."""
    if message.from_client:
        return command_of(body) in t.SECRET_COMMANDS
    request = message.peer
    if request is None:
        return not t.SECRET_KEYS.isdisjoint(body.starts)
    return command_of(read_body(request.data, request.start, request.end)) in t.SECRET_COMMANDS


def client(body: Body) -> tuple[str, str, str]:
    """(driver, its version, application) of a hello."""
    leaves = (body.value("client", *path) for path in (("driver", "name"), ("driver", "version"), ("application", "name")))
    name, version, application = (leaf if isinstance(leaf, str) else "" for leaf in leaves)
    return name, version, application


def cursor_namespace(body: Body) -> str:
    """The namespace that a reply's cursor names."""
    found = body.value("cursor", "ns")
    return found if isinstance(found, str) else ""
