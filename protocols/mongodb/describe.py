"""The words for a message: operation, namespace, status, error, and one line for the Info column.

What counts as an error is in `errors`. What a command's line tells beside its name is what makes this call different from others of its kind.
"""
from __future__ import annotations

from protocols.decoder import MessageBytes, Status, Summary
from protocols.engine.fields import printable
from protocols.mongodb import bson, masking
from protocols.mongodb import tables as t
from protocols.mongodb.body import Body, read_body
from protocols.mongodb.errors import expected, fault_of

__all__ = ["COUNTED", "awaits", "carries_secrets", "client", "command_of", "cursor_namespace", "describe", "documents_in", "namespace", "sasl"]

HELLO = ("hello", "isMaster", "ismaster")
SASL = ("saslStart", "saslContinue")
NO_COLLECTION = frozenset({"authenticate", "getnonce", "logout", "createUser", "updateUser", "dropUser", "usersInfo", "createRole", "dropRole", *HELLO, *SASL})
"""Commands whose first value may be text that is no collection."""
ARGUMENTS = ("filter", "query", "q", "key", "sort", "projection", "skip", "limit", "batchSize")
COUNTED = {"insert": ("documents", "doc"), "update": ("updates", "statement"), "delete": ("deletes", "statement"), "bulkWrite": ("ops", "op")}


def command_of(body: Body) -> str:
    """The command's name: the first key of its document, or what a legacy opcode does."""
    if body.opcode == t.OP_COMMAND:
        return body.namespace.rsplit(" ", 1)[-1]
    if body.opcode in t.LEGACY_NAMES:
        return t.LEGACY_NAMES[body.opcode]
    if body.opcode == t.OP_QUERY and not body.namespace.endswith(".$cmd"):
        return "query"
    return next((name for name in body.top if not name.startswith("$")), "") if body.opcode in (t.OP_MSG, t.OP_QUERY) else ""


def namespace(body: Body, command: str) -> tuple[str, str]:
    """Database and collection that a request works on, "" where it names none."""
    whole = ""
    if body.opcode == t.OP_COMMAND:
        return body.namespace.split(".$cmd", 1)[0], ""
    if body.opcode in (t.OP_INSERT, t.OP_UPDATE, t.OP_DELETE, t.OP_GET_MORE) or (body.opcode == t.OP_QUERY and not body.namespace.endswith(".$cmd")):
        whole = body.namespace
    elif command == "bulkWrite":
        found = body.leaf(body.statements("nsInfo")[1].get("ns"))
        whole = found if isinstance(found, str) else ""
    elif command == "renameCollection":
        whole = body.text(command)
    if whole:
        database, _, collection = whole.partition(".")
        return database, collection
    collection = body.text("collection") if command in ("getMore", "parallelCollectionScan") else body.text(command)
    if command == "explain":
        inner = body.leaf(next(iter(body.below("explain").values()), None))
        collection = inner if isinstance(inner, str) else ""
    return body.text("$db") or body.namespace.removesuffix(".$cmd"), "" if command in NO_COLLECTION else collection


def carries_secrets(message: MessageBytes, body: Body) -> bool:
    """Whether passwords, proofs or tokens travel in this message: told by its command, in a reply without one by its keys."""
    if message.from_client:
        return command_of(body) in t.SECRET_COMMANDS
    request = message.peer
    if request is None:
        return not t.SECRET_KEYS.isdisjoint(body.top)
    return command_of(read_body(request.data, request.start, request.end)) in t.SECRET_COMMANDS


def describe(message: MessageBytes) -> Summary:
    """The words for one message."""
    body = read_body(message.data, message.start, message.end)
    packed = ""
    if body.packed is not None:
        compressor, size, original = body.packed
        packed = f"  ({t.COMPRESSORS.get(compressor, f'compressor {compressor}')} {original:,}→{size:,} B)"
    summary = _request(body) if message.from_client else _response(body, message)
    summary.id = str(message.header.key if message.header.key is not None else "")
    if body.trouble and not summary.info:
        summary.info = f"{t.opcode_name(body.opcode)}: {body.trouble}"
    summary.info = printable(summary.info + packed)
    return summary


def _request(body: Body) -> Summary:
    command = command_of(body)
    target = ".".join(part for part in namespace(body, command) if part)
    op = command or t.opcode_name(body.opcode)
    words = [t.OPCODES[body.opcode] if body.opcode in t.LEGACY_REQUESTS else op]
    if body.opcode == t.OP_QUERY and body.namespace.endswith(".$cmd"):
        words.append(command)
    words.append(target)
    words += _arguments(body, command)
    if body.more_to_come or body.opcode in t.UNANSWERED:
        words.append("(no reply expected)")
    waits = awaits(body, command)
    if waits:
        words.append("(awaits)")
    return Summary(op=op, target=target, endpoint=target, info=" ".join(w for w in words if w), long_poll=waits)


def awaits(body: Body, command: str) -> bool:
    """Whether the server may hold the reply back by design: a streamed or awaited hello, a tailable cursor."""
    if command in HELLO:
        return "maxAwaitTimeMS" in body.top or bool(body.flags & t.EXHAUST_ALLOWED and body.opcode == t.OP_MSG)
    if body.opcode == t.OP_QUERY:
        return bool(body.flags & t.QUERY_AWAIT)
    return command == "getMore" and "maxTimeMS" in body.top


def sasl(body: Body) -> tuple[str, str, str]:
    """(mechanism, step, user) of a SASL message, or of the one that a hello carries ahead; "" for what it does not tell."""
    top = body.below("speculativeAuthenticate") or body.top
    e = top.get("payload")
    payload = masking.payload_of(body.data, e) if e is not None and e.kind in (0x02, 0x05) else b""
    mechanism = str(body.leaf(top.get("mechanism")) or "")
    step = masking.sasl_step(payload) if not mechanism or mechanism.startswith("SCRAM") else ""
    return mechanism, step, masking.scram_user(payload) if step == "client-first" else ""


def _sasl_words(body: Body) -> list[str]:
    mechanism, step, user = sasl(body)
    return [mechanism, step, f"user {user}" if user else ""]


def _arguments(body: Body, command: str) -> list[str]:
    """What makes this call of a command different from others."""
    if command in HELLO:
        return [_client(body), *(_sasl_words(body) if "speculativeAuthenticate" in body.top else ())]
    if command in SASL:
        return _sasl_words(body)
    if command == "getMore":
        cursor = body.number("getMore") if body.opcode == t.OP_MSG else body.cursor
        batch = body.number("batchSize")
        return [f"cursor {cursor}", f"batch {batch}" if batch else ""]
    if command == "aggregate":
        return [_pipeline(body)]
    words = []
    if command in COUNTED and body.opcode in (t.OP_MSG, t.OP_QUERY):
        name, what = COUNTED[command]
        count, statement = body.statements(name)
        words.append(counted(count, what))
        words += [f"{key}={bson.one_line(body.data, statement[key])}" for key in ("q", "u") if key in statement]
    elif body.opcode in (t.OP_INSERT, t.OP_KILL_CURSORS):
        words.append(counted(body.sequences.get("", 0), "doc" if body.opcode == t.OP_INSERT else "cursor"))
    elif body.opcode in (t.OP_UPDATE, t.OP_DELETE) or (body.opcode == t.OP_QUERY and not body.namespace.endswith(".$cmd")):
        words.append(_short(body))
    elif command == "killCursors":
        words += [f"cursor {body.leaf(e)}" for e in list(body.below("cursors").values())[:3]]
    elif command not in t.SECRET_COMMANDS:
        words += [f"{key}={bson.one_line(body.data, body.top[key])}" for key in ARGUMENTS if key in body.top]
    number = body.number("txnNumber")
    if number is not None:
        words.append(f"txn {number}{' start' if body.value('startTransaction') else ''}")
    concern = body.leaf(body.below("writeConcern").get("w"))
    return [*words, f"w:{concern}"] if concern is not None else words


def counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _short(body: Body) -> str:
    """The main document in at most 60 characters."""
    inside = ", ".join(f"{e.name}: {bson.one_line(body.data, e)}" for e in body.top.values())
    return "{" + (inside if len(inside) <= 60 else inside[:59] + "…") + "}"


def _pipeline(body: Body) -> str:
    """The first two stages of an aggregation by name, and how many follow."""
    stages = [next(iter(body.nested(stage)), "?") for stage in body.below("pipeline").values()]
    return "[" + ", ".join(stages[:2]) + (f", +{len(stages) - 2}" if len(stages) > 2 else "") + "]"


def _client(body: Body) -> str:
    """Driver and application of a hello."""
    name, version, application = client(body)
    return " ".join(w for w in (name, version, f'app "{application}"' if application else "") if w)


def client(body: Body) -> tuple[str, str, str]:
    """(driver, its version, application) of a hello."""
    found = body.below("client")
    driver, application = ((body.nested(found[key]) if key in found else {}) for key in ("driver", "application"))
    leaves = (body.leaf(driver.get("name")), body.leaf(driver.get("version")), body.leaf(application.get("name")))
    name, version, app = (leaf if isinstance(leaf, str) else "" for leaf in leaves)
    return name, version, app


def _response(body: Body, message: MessageBytes) -> Summary:
    peer = message.peer
    asked = read_body(peer.data, peer.start, peer.end) if peer is not None else None
    command = command_of(asked) if asked is not None else ""
    target = ".".join(part for part in namespace(asked, command) if part) if asked is not None else cursor_namespace(body)
    fault = fault_of(body)
    place = message.header.context
    summary = Summary(op=command, target=target, endpoint=target, long_poll=asked is not None and (awaits(asked, command) or bool(place and place > 1)))
    what = f"{command} {target}".strip()
    if fault is not None:
        summary.status, summary.code, summary.error, summary.soft = t.error_status(fault.code), fault.code, fault.name, expected(command, fault)
        summary.info = " ".join(w for w in (what, "←", fault.name, f"({fault.code})" if fault.code is not None else "", fault.detail) if w)
        return summary
    if not message.complete and not body.top:
        summary.info = f"{what} ← reply"
        return summary
    summary.status, summary.code = Status.OK, 0
    chain = f"(reply {place} of exhaust{', more to come' if message.header.more else ''})" if place else ""
    summary.info = " ".join(w for w in (what, "← ok", *_results(body, command), chain) if w)
    return summary


def cursor_namespace(body: Body) -> str:
    """The namespace that a reply's cursor names."""
    found = body.leaf(body.below("cursor").get("ns"))
    return found if isinstance(found, str) else ""


def documents_in(body: Body) -> int | None:
    """How many documents a reply brings; None where it is none that brings documents."""
    cursor = body.below("cursor")
    for batch in ("firstBatch", "nextBatch"):
        if batch in cursor:
            return body.count(cursor[batch])
    if body.opcode == t.OP_REPLY and not (body.sequences.get("") == 1 and "ok" in body.top):
        return body.sequences.get("", 0)
    return None


def _results(body: Body, command: str) -> list[str]:
    """What a good reply brings."""
    if command in HELLO or "maxWireVersion" in body.top:
        return _server(body)
    if command in SASL:
        return [sasl(body)[1], "done" if body.value("done") else ""]
    words = []
    documents = documents_in(body)
    if documents is not None:
        cursor = body.cursor if body.opcode == t.OP_REPLY else body.leaf(body.below("cursor").get("id"))
        words += [counted(documents, "doc"), f"cursor {cursor}" if cursor else ""]
    words += [counted(body.count(body.top[key]), what) for key, what in (("values", "value"), ("databases", "database"), ("cursorsKilled", "cursor"))
              if key in body.top]
    return words + [f"{key}={body.number(key)}" for key in ("n", "nModified", "nInserted", "nMatched", "nDeleted", "nUpserted") if body.number(key) is not None]


def _server(body: Body) -> list[str]:
    """Role, set, versions and compressors of a server's answer to hello."""
    role = "primary" if body.value("isWritablePrimary") or body.value("ismaster") else "secondary" if body.value("secondary") else ""
    top = body.number("maxWireVersion")
    compression = [str(body.leaf(e)) for e in body.below("compression").values()]
    return [role, body.text("setName"), f"wire {body.number('minWireVersion') or 0}-{top}" if top is not None else "",
            f"(MongoDB {t.WIRE_VERSIONS[top]})" if top in t.WIRE_VERSIONS else "", f"compression {','.join(compression)}" if compression else "",
            *(_sasl_words(body) if "speculativeAuthenticate" in body.top else ())]
