"""The Info column of a message: what makes this call different from others of its kind, and what its answer brought."""
from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from protocols.decoder import MessageBytes
from protocols.engine.fields import printable
from protocols.mongodb import bson, masking
from protocols.mongodb import tables as t
from protocols.mongodb.body import Batch, Body, read_body
from protocols.mongodb.commands import COUNTED, HELLO, SASL, awaits, brings_data, client, command_of, cursor_namespace, targets
from protocols.mongodb.errors import fault_of, succeeded

__all__ = ["documents_in", "request_line", "response_line", "sasl"]

STATEMENTS = ("update", "delete")
"""Commands whose documents are statements; those of an insert may have fields of any name."""
NAMED = ("createUser", "updateUser", "dropUser", "createRole", "updateRole", "dropRole")
"""Commands whose first value is the name of a user or role."""
OPTIONS = {
    "create": ("capped", "size", "max", "viewOn", "timeseries", "clusteredIndex"), "collMod": ("index", "viewOn", "validator", "expireAfterSeconds"),
    "convertToCapped": ("size",), "cloneCollectionAsCapped": ("toCollection", "size"), "updateSearchIndex": ("name",), "dropSearchIndex": ("name",),
    "setIndexCommitQuorum": ("indexNames",),
}
"""What makes a call of a command that defines data different from others."""
ARGUMENTS = ("filter", "query", "q", "key", "sort", "projection", "skip", "limit", "batchSize")


def request_line(body: Body, command: str) -> str:
    """The line of a request."""
    words = [t.OPCODES[body.opcode] if body.opcode in t.LEGACY_REQUESTS else command or t.opcode_name(body.opcode)]
    if body.opcode == t.OP_QUERY and body.namespace.endswith(".$cmd"):
        words.append(command)
    words += _where(body, command)
    words += _arguments(body, command)
    if body.trouble:
        words.append(f"({body.trouble})")
    if body.more_to_come or body.opcode in t.UNANSWERED:
        words.append("(no reply expected)")
    if awaits(body, command):
        words.append("(awaits)")
    return _line(body, words)


def response_line(body: Body, message: MessageBytes) -> str:
    """The line of a reply, which starts with what was asked."""
    peer = message.peer
    asked = read_body(peer.data, peer.start, peer.end) if peer is not None else None
    command = command_of(asked) if asked is not None else ""
    words = [command, *(_where(asked, command) if asked is not None else [cursor_namespace(body)]), "←"]
    fault = fault_of(body, message)
    if fault is not None:
        return _line(body, [*words, fault.name, f"({fault.code})" if fault.code is not None else "", fault.detail])
    place = message.header.context
    chain = f"(reply {place} of exhaust{', more to come' if message.header.more else ''})" if place else ""
    known = succeeded(body, message)
    results = _results(body, command, brings_data(body, message))
    return _line(body, [*words, "ok" if known else "", *results, chain, "" if known else f"({body.trouble or 'outcome not captured'})"])


def _where(body: Body, command: str) -> list[str]:
    """The first namespace that a request works on and how many more there are."""
    found = targets(body, command)
    if command == "renameCollection":
        return [" -> ".join(found)]
    return [*found[:1], f"+{len(found) - 1}" if len(found) > 1 else ""]


def _line(body: Body, words: list[str]) -> str:
    if body.packed is not None:
        compressor, size, original = body.packed
        words.append(f" ({t.COMPRESSORS.get(compressor, f'compressor {compressor}')} {original:,}→{size:,} B)")
    return printable(" ".join(word for word in words if word))


def sasl(body: Body) -> tuple[str, str, str]:
    """(mechanism, step, user) of a SASL message, or of the one that a hello carries ahead; "" for what it does not tell."""
    inside = ("speculativeAuthenticate",) if b"speculativeAuthenticate" in body.starts else ()
    e = body.find(*inside, "payload")
    payload = masking.payload_of(body.data, e) if e is not None and e.kind in (0x02, 0x05) else b""
    mechanism = str(body.value(*inside, "mechanism") or "")
    step = masking.sasl_step(payload) if not mechanism or mechanism.startswith("SCRAM") else ""
    return mechanism, step, masking.scram_user(payload) if step == "client-first" else ""


def _sasl_words(body: Body) -> list[str]:
    mechanism, step, user = sasl(body)
    return [mechanism, step, f"user {user}" if user else ""]


def _arguments(body: Body, command: str) -> list[str]:
    """What makes this call of a command different from others."""
    if command in HELLO:
        return [_client(body), *(_sasl_words(body) if b"speculativeAuthenticate" in body.starts else ())]
    if command in SASL:
        return _sasl_words(body)
    if command == "getMore":
        cursor = body.number("getMore") if body.opcode == t.OP_MSG else body.cursor
        batch = body.number("batchSize")
        return [f"cursor {cursor}" if cursor is not None else "", f"batch {batch}" if batch else ""]
    if command == "aggregate":
        return [_pipeline(body)]
    words = []
    if command in COUNTED and body.is_command:
        name, what = COUNTED[command]
        written = body.batch(name)
        words.append(_number(written, what) if written is not None or not body.cut else "")
        if command in STATEMENTS:
            statement = next(written.items(), {}) if written is not None else {}
            words += [f"{key}={bson.one_line(body.data, statement[key])}" for key in ("q", "u") if key in statement]
    elif body.opcode == t.OP_INSERT:
        words.append(_number(body.sequences.get(""), "doc"))
    elif body.opcode == t.OP_KILL_CURSORS:
        words.append(counted(body.returned, "cursor") if body.returned is not None else "")
    elif not body.is_command:
        return [_short(body)]
    elif command == "killCursors":
        words += [f"cursor {body.leaf(e)}" for e in list(body.below("cursors").values())[:3]]
    elif command in NAMED:
        words.append(body.text(command))
    elif command not in t.SECRET_COMMANDS:
        words += [*_indexes(body, command), *_given(body, ARGUMENTS), *_given(body, OPTIONS.get(command, ()))]
    number = body.number("txnNumber")
    if number is not None:
        transaction = b"autocommit" in body.starts   # a retryable write has a number, too
        words.append(f"txn {number}{' start' if body.value('startTransaction') else ''}" if transaction else f"retryable {number}")
    concern = body.value("writeConcern", "w")
    return [*words, f"w:{concern}"] if concern is not None else words


def _number(batch: Batch | None, what: str) -> str:
    """How many documents a batch has; with a plus behind where not all were captured, and nothing where none was."""
    if batch is None:
        return counted(0, what)
    count, whole = batch.number()
    return counted(count, what) if whole else f"{count:,}+ {what}s" if count else ""


def _indexes(body: Body, command: str) -> list[str]:
    """The indexes that a command makes or drops: name and key of the first two, and how many more."""
    if command in ("createIndexes", "createSearchIndexes"):
        batch = body.array("indexes")
        if batch is None:
            return []
        shown = []
        for one in islice(batch.items(), 2):
            key = one.get("key")
            shown.append(" ".join(word for word in (str(body.leaf(one.get("name")) or ""), bson.one_line(body.data, key) if key is not None else "") if word))
        more = batch.number()[0] - len(shown)
        return [", ".join(shown) + (f", +{more}" if more > 0 else "")]
    if command in ("dropIndexes", "deleteIndexes"):
        e = body.find("index")
        return [str(body.leaf(e)) if e is not None and e.kind == 0x02 else bson.one_line(body.data, e) if e is not None else ""]
    return []


def _given(body: Body, names: Sequence[str]) -> list[str]:
    """The arguments of these names that a command has."""
    found = ((name, body.find(name)) for name in names)
    return [f"{name}={bson.one_line(body.data, e)}" for name, e in found if e is not None]


def counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _short(body: Body) -> str:
    """The main document in at most 60 characters."""
    inside, room = "", 60
    for e in body.elements().values():
        inside += f"{', ' if inside else ''}{e.name}: {bson.one_line(body.data, e)}"
        if len(inside) > room:
            inside = inside[:room - 1] + "…"
            break
    else:
        if bson.ends_early(body.data, *body.main):
            inside += ", …" if inside else "…"
    return "{" + inside + "}" if body.main[1] else ""


def _pipeline(body: Body) -> str:
    """The first two stages of an aggregation by name, and how many follow."""
    pipeline = body.array("pipeline")
    if pipeline is None:
        return "" if body.cut else "[]"
    stages = [next(iter(stage), "?") for stage in islice(pipeline.items(), 2)]
    count, whole = pipeline.number()
    more = f"+{count - len(stages)}" if whole and count > len(stages) else "" if whole else "…"
    return "[" + ", ".join([*stages, more] if more else stages) + "]"


def _client(body: Body) -> str:
    """Driver and application of a hello."""
    name, version, application = client(body)
    return " ".join(w for w in (name, version, f'app "{application}"' if application else "") if w)


def documents_in(body: Body, data: bool) -> Batch | int | None:
    """The documents that a reply brings, or how many it says that they are; None where it is none that brings documents. `data` as `brings_data` says."""
    if data:
        return body.returned
    for name in ("firstBatch", "nextBatch") if b"cursor" in body.starts else ():
        if (found := body.array("cursor", name)) is not None:
            return found
    if body.opcode == t.OP_REPLY and not (body.returned == 1 and b"ok" in body.starts):
        return body.returned
    return None


def _results(body: Body, command: str, data: bool) -> list[str]:
    """What a good reply brings; `data`: documents of a collection, in which nothing is a result."""
    if not data and (command in HELLO or b"maxWireVersion" in body.starts):
        return _server(body)
    if command in SASL:
        return [sasl(body)[1], "done" if body.value("done") else ""]
    words = []
    documents = documents_in(body, data) if command != "bulkWrite" else None   # its cursor brings errors
    if documents is not None:
        cursor = body.cursor if body.opcode == t.OP_REPLY else body.value("cursor", "id")
        words += [_number(documents, "doc") if isinstance(documents, Batch) else counted(documents, "doc"), f"cursor {cursor}" if cursor else ""]
    if data:
        return words
    batches = ((body.array(key), what) for key, what in (("values", "value"), ("databases", "database"), ("cursorsKilled", "cursor")))
    words += [_number(batch, what) for batch, what in batches if batch is not None]
    numbers = ((key, body.number(key)) for key in ("n", "nModified", "nInserted", "nMatched", "nDeleted", "nUpserted"))
    return words + [f"{key}={number}" for key, number in numbers if number or (number is not None and command != "bulkWrite")]


def _server(body: Body) -> list[str]:
    """Role, set, versions and compressors of a server's answer to hello."""
    role = "primary" if body.value("isWritablePrimary") or body.value("ismaster") else "secondary" if body.value("secondary") else ""
    top = body.number("maxWireVersion")
    compression = [str(body.leaf(e)) for e in body.below("compression").values()]
    least = body.number("minWireVersion") or ("…" if body.cut else 0)
    return [role, body.text("setName"), f"wire {least}-{top}" if top is not None else "",
            f"(MongoDB {t.WIRE_VERSIONS[top]})" if top in t.WIRE_VERSIONS else "", f"compression {','.join(compression)}" if compression else "",
            *(_sasl_words(body) if b"speculativeAuthenticate" in body.starts else ())]
