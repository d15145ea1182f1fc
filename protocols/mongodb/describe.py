"""The words for a message: operation, namespace, status, error, and one line for the Info column.

What counts as an error is in the MongoDB manual and specifications: `ok` that is not 1, write errors, a write concern error, a
failed query or a lost cursor of the legacy replies, failed items of a bulkWrite.
"""
from __future__ import annotations

from protocols.decoder import Message, Status, Summary
from protocols.fields import printable
from protocols.mongodb import bson
from protocols.mongodb import tables as t
from protocols.mongodb.body import Body, read_body
from protocols.mongodb.document import scram

__all__ = ["command_of", "describe"]

HELLO = ("hello", "isMaster", "ismaster")
ARGUMENTS = ("filter", "query", "q", "key", "sort", "projection", "skip", "limit", "batchSize")


def command_of(body: Body) -> str:
    """The command's name: the first key of its document, or what a legacy opcode does."""
    if body.opcode == t.OP_COMMAND:
        return body.namespace.rsplit(" ", 1)[-1]
    if body.opcode in t.LEGACY_NAMES:
        return t.LEGACY_NAMES[body.opcode]
    if body.opcode == t.OP_QUERY and not body.namespace.endswith(".$cmd"):
        return "query"
    return next((name for name in body.top if not name.startswith("$")), "") if body.opcode in (t.OP_MSG, t.OP_QUERY) else ""


def namespace(body: Body, command: str) -> str:
    """`database.collection`, or the database alone."""
    if body.opcode == t.OP_COMMAND:
        return body.namespace.split(".$cmd", 1)[0]
    if body.opcode in (t.OP_INSERT, t.OP_UPDATE, t.OP_DELETE, t.OP_GET_MORE):
        return body.namespace
    if body.opcode == t.OP_QUERY and not body.namespace.endswith(".$cmd"):
        return body.namespace
    database = body.text("$db") or body.namespace.removesuffix(".$cmd")
    if command == "bulkWrite":
        first = body.leaf(body.first.get("ns")) if "nsInfo" in body.sequences else None
        return str(first) if isinstance(first, str) else database
    if command == "renameCollection":
        return body.text(command)
    collection = body.text("collection") if command in ("getMore", "parallelCollectionScan") else body.text(command)
    if command == "explain":
        inner = body.below("explain")
        found = body.leaf(next(iter(inner.values()), None))
        collection = found if isinstance(found, str) else ""
    if command in ("saslStart", "saslContinue", "ping", "authenticate", "getnonce", "logout", "createUser", "updateUser", "dropUser", "usersInfo", *HELLO):
        collection = ""
    return f"{database}.{collection}" if collection and database else collection or database


def describe(message: Message) -> Summary:
    """The words for one message."""
    body = read_body(message.data, message.start, message.end)
    ident = str(message.header.key if message.header.key is not None else "")
    packed = ""
    if body.packed is not None:
        compressor, size, original = body.packed
        packed = f"  ({t.COMPRESSORS.get(compressor, f'compressor {compressor}')} {original:,}→{size:,} B)"
    summary = _request(body) if message.from_client else _response(body, message)
    summary.id = ident
    if body.trouble and not summary.info:
        summary.info = f"{t.OPCODES.get(body.opcode, f'opcode {body.opcode}')}: {body.trouble}"
    summary.info = printable(summary.info + packed)
    return summary


def _request(body: Body) -> Summary:
    command = command_of(body)
    target = namespace(body, command)
    shown = {t.OP_UPDATE: "OP_UPDATE", t.OP_INSERT: "OP_INSERT", t.OP_DELETE: "OP_DELETE", t.OP_GET_MORE: "OP_GET_MORE",
             t.OP_KILL_CURSORS: "OP_KILL_CURSORS", t.OP_QUERY: "OP_QUERY"}.get(body.opcode, command or t.OPCODES.get(body.opcode, f"opcode {body.opcode}"))
    words = [shown]
    if body.opcode == t.OP_QUERY and body.namespace.endswith(".$cmd"):
        words.append(command)
    words.append(target)
    words += _arguments(body, command)
    unanswered = body.more_to_come or body.opcode in t.UNANSWERED
    if unanswered:
        words.append("(no reply expected)")
    waits = _waits(body, command)
    if waits:
        words.append("(awaits)")
    op = command or t.OPCODES.get(body.opcode, f"opcode {body.opcode}")
    return Summary(op=op, target=target, endpoint=target, info=" ".join(w for w in words if w), waits=waits)


def _waits(body: Body, command: str) -> bool:
    """Whether the server may hold the reply back by design."""
    if command in HELLO:
        return "maxAwaitTimeMS" in body.top or bool(body.flags & t.EXHAUST_ALLOWED and body.opcode == t.OP_MSG)
    if body.opcode == t.OP_QUERY:
        return bool(body.flags & 1 << 5)
    return command == "getMore" and "maxTimeMS" in body.top


def _arguments(body: Body, command: str) -> list[str]:
    """What makes this call of a command different from others."""
    words = []
    if command in HELLO:
        return [_client(body)]
    if command in ("saslStart", "saslContinue"):
        payload = body.value("payload")
        mechanism = body.text("mechanism")
        return [mechanism, scram(payload) if isinstance(payload, bytes) and (not mechanism or mechanism.startswith("SCRAM")) else ""]
    if command == "getMore":
        cursor = body.number("getMore") if body.opcode == t.OP_MSG else body.cursor
        batch = body.number("batchSize")
        return [f"cursor {cursor}", f"batch {batch}" if batch else ""]
    if command == "aggregate":
        return [_pipeline(body)]
    counted = {"insert": "documents", "update": "updates", "delete": "deletes", "bulkWrite": "ops"}.get(command)
    if counted:
        count = body.sequences.get(counted, body.sequences.get("", len(body.below(counted))))
        what = "docs" if command == "insert" else "ops" if command == "bulkWrite" else "statements"
        words.append(f"{count} {what if count != 1 else what[:-1]}")
        statement = body.first if counted in body.sequences else next((body.nested(e) for e in body.below(counted).values()), {})
        words += [f"{key}={bson.one_line(body.data, statement[key])}" for key in ("q", "u") if key in statement]
    if body.opcode == t.OP_QUERY and not body.namespace.endswith(".$cmd"):
        inside = ", ".join(f"{e.name}: {bson.one_line(body.data, e)}" for e in body.top.values())
        words.append("{" + (inside if len(inside) <= 60 else inside[:59] + "…") + "}")
    elif command not in t.SECRET_COMMANDS:
        words += [f"{key}={bson.one_line(body.data, body.top[key])}" for key in ARGUMENTS if key in body.top]
    number = body.number("txnNumber")
    if number is not None:
        words.append(f"txn {number}{' start' if body.value('startTransaction') else ''}")
    concern = {e.name: body.leaf(e) for e in body.below("writeConcern").values()}
    if "w" in concern:
        words.append(f"w:{concern['w']}")
    return words


def _pipeline(body: Body) -> str:
    """The first two stages of an aggregation by name, and how many follow."""
    stages = [next(iter(body.nested(stage)), "?") for stage in body.below("pipeline").values()]
    return "[" + ", ".join(stages[:2]) + (f", +{len(stages) - 2}" if len(stages) > 2 else "") + "]"


def _client(body: Body) -> str:
    """Driver and application of a hello."""
    client = body.below("client")
    driver = body.nested(client["driver"]) if "driver" in client else {}
    words = [str(body.leaf(driver.get(key)) or "") for key in ("name", "version")]
    application = body.nested(client["application"]) if "application" in client else {}
    name = body.leaf(application.get("name"))
    if isinstance(name, str):
        words.append(f'app "{name}"')
    return " ".join(w for w in words if w)


def _response(body: Body, message: Message) -> Summary:
    peer = message.peer
    asked = read_body(peer.data, peer.start, peer.end) if peer is not None else None
    command = command_of(asked) if asked is not None else ""
    target = namespace(asked, command) if asked is not None else ""
    code, error, detail = _error(body)
    waits = _waits(asked, command) if asked is not None else False
    summary = Summary(op=command, target=target, endpoint=target, waits=waits)
    what = f"{command} {target}".strip()
    if error:
        summary.status, summary.code, summary.error = t.error_status(code), code, error
        summary.info = " ".join(w for w in (what, "←", error, f"({code})" if code is not None else "", detail) if w)
        return summary
    if not message.complete and not body.top:
        summary.info = f"{what} ← reply"
        return summary
    summary.status, summary.code = Status.OK, 0
    summary.info = " ".join(w for w in (what, "← ok", *_results(body, command), "(more to come)" if message.header.more else "") if w)
    return summary


def _error(body: Body) -> tuple[int | None, str, str]:
    """(code, name, message) of the first real error in a reply; an empty name when all is well."""
    if body.opcode == t.OP_REPLY and body.flags & 1:
        return 43, "CursorNotFound", ""
    ok = body.value("ok")
    failed = (ok is not None and not isinstance(ok, str) and ok != 1) or "$err" in body.top or (body.opcode == t.OP_REPLY and body.flags & 2)
    if failed:
        code = body.number("code")
        return code, body.text("codeName") or t.error_name(code or 0) or (f"error {code}" if code else "error"), body.text("errmsg") or body.text("$err")
    for name in ("writeErrors", "writeConcernError"):
        found = body.below(name)
        if not found:
            continue
        inner = body.nested(next(iter(found.values()))) if name == "writeErrors" else found
        leaves = {key: body.leaf(e) for key, e in inner.items() if key in ("code", "codeName", "errmsg")}
        number = leaves.get("code")
        code = int(number) if isinstance(number, (int, float)) else None
        more = f"(+{len(found) - 1} more)" if name == "writeErrors" and len(found) > 1 else ""
        return code, str(leaves.get("codeName") or t.error_name(code or 0) or name), f"{leaves.get('errmsg') or ''} {more}".strip()
    if body.number("nErrors"):
        return _bulk_error(body)
    legacy = body.text("err")
    return (body.number("code"), t.error_name(body.number("code") or 0) or "error", legacy) if legacy else (None, "", "")


def _bulk_error(body: Body) -> tuple[int | None, str, str]:
    """The first failed item of a bulkWrite's cursor."""
    cursor = body.below("cursor")
    batch = body.nested(cursor["firstBatch"]) if "firstBatch" in cursor else {}
    for item in batch.values():
        leaves = {key: body.leaf(e) for key, e in body.nested(item).items()}
        if leaves.get("ok") in (0, 0.0):
            code = leaves.get("code")
            number = int(code) if isinstance(code, (int, float)) else None
            return number, t.error_name(number or 0) or "bulkWrite error", str(leaves.get("errmsg") or "")
    return None, "bulkWrite error", f"{body.number('nErrors')} errors"


def _results(body: Body, command: str) -> list[str]:
    """What a good reply brings."""
    words = []
    if command in HELLO or "maxWireVersion" in body.top:
        role = "primary" if body.value("isWritablePrimary") or body.value("ismaster") else "secondary" if body.value("secondary") else ""
        top = body.number("maxWireVersion")
        server = f"(MongoDB {t.WIRE_VERSIONS[top]})" if top in t.WIRE_VERSIONS else ""
        compression = [str(body.leaf(e)) for e in body.below("compression").values()]
        return [role, body.text("setName"), f"wire {body.number('minWireVersion') or 0}-{top}" if top is not None else "", server,
                f"compression {','.join(compression)}" if compression else ""]
    cursor = body.below("cursor")
    for batch in ("firstBatch", "nextBatch"):
        if batch in cursor:
            count = len(body.nested(cursor[batch]))
            words.append(f"{count} {'doc' if count == 1 else 'docs'}")
            ident = body.leaf(cursor.get("id"))
            words.append(f"cursor {ident}" if ident else "")
    if body.opcode == t.OP_REPLY and not command_is_single(body):
        count = body.sequences.get("", 0)
        words += [f"{count} {'doc' if count == 1 else 'docs'}", f"cursor {body.cursor}" if body.cursor else ""]
    words += [f"{key}={body.number(key)}" for key in ("n", "nModified", "nInserted", "nMatched", "nDeleted", "nUpserted") if body.number(key) is not None]
    return words


def command_is_single(body: Body) -> bool:
    """Whether an OP_REPLY answers a command: one document that says `ok`."""
    return body.sequences.get("") == 1 and "ok" in body.top
