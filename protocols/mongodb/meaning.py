"""What a message means, as fields that filters find: command, namespace, session, results, errors.

All are generated: their bytes lie in documents, which are read where they stand. A reply has its request's command, namespace and session.
"""
from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from protocols.decoder import MessageBytes
from protocols.engine.fields import Field, Spec, generated
from protocols.mongodb import bson
from protocols.mongodb import tables as t
from protocols.mongodb.body import ALL, Batch, Body, read_body
from protocols.mongodb.commands import COUNTED, awaits, brings_data, client, command_of, cursor_namespace, namespaces
from protocols.mongodb.errors import fault_of
from protocols.mongodb.info import documents_in, sasl
from protocols.mongodb.values import uuid_text

__all__ = ["SPECS", "fields"]

Values = Iterator[tuple[Spec, Any]]

GROUP = Spec("mongo.meaning", "Meaning")
COMMAND = Spec("mongo.command", "Command", "string", about="The command's name, on the request and on its reply; what the opcode does for legacy messages")
DATABASE = Spec("mongo.db", "Database", "string")
COLLECTION = Spec("mongo.collection", "Collection", "string")
NAMESPACE = Spec("mongo.ns", "Namespace", "string", about="database.collection")
LSID = Spec("mongo.lsid", "Session", "string", about="The logical session's UUID")
TXN = Spec("mongo.txn_number", "Transaction number", "int64", about="Of a transaction; without mongo.autocommit the number of a retryable write")
START = Spec("mongo.start_transaction", "Starts a transaction", "bool")
AUTOCOMMIT = Spec("mongo.autocommit", "Autocommit", "bool")
READ_CONCERN = Spec("mongo.read_concern", "Read concern", "string")
WRITE_CONCERN = Spec("mongo.write_concern", "Write concern", "string")
READ_PREFERENCE = Spec("mongo.read_preference", "Read preference", "string")
MAX_TIME = Spec("mongo.max_time_ms", "Time limit in milliseconds", "int64")
CLUSTER_TIME = Spec("mongo.cluster_time", "Cluster time", "time")
CURSOR = Spec("mongo.cursor.id", "Cursor", "int64")
DOCS = Spec("mongo.docs", "Documents", "uint32", about="Documents that a write or a reply brings; statements of an update or delete")
APP_NAME = Spec("mongo.appname", "Application", "string")
DRIVER = Spec("mongo.driver", "Driver", "string")
COMPRESSORS = Spec("mongo.compressors", "Compressors", "string", about="What a hello offers, or what the server takes of it")
MECHANISM = Spec("mongo.sasl.mechanism", "SASL mechanism", "string")
STEP = Spec("mongo.sasl.step", "SASL step", "string")
USER = Spec("mongo.sasl.user", "SASL user", "string")
AWAITS = Spec("mongo.awaits", "Awaits", "bool", about="The server may answer late by design: an awaited or streamed hello, a tailable cursor")
NO_REPLY = Spec("mongo.no_reply", "No reply expected", "bool")
WIRE_VERSION = Spec("mongo.max_wire_version", "Wire version", "int32")
SERVER = Spec("mongo.server_version", "Server", "string", about="The version of MongoDB that a wire version stands for")
OK = Spec("mongo.ok", "OK", "double")
ERROR_CODE = Spec("mongo.error_code", "Error code", "int64", about="Of the first error: of the command, of its first failed write, of its write concern")
CODE_NAME = Spec("mongo.code_name", "Error", "string")
ERRMSG = Spec("mongo.errmsg", "Error message", "string")
ERROR_LABEL = Spec("mongo.error_label", "Error label", "string")
WRITE_ERRORS = Spec("mongo.write_errors", "Write errors", "uint32")
CONCERN_CODE = Spec("mongo.write_concern_error", "Write concern error", "int64")
N = Spec("mongo.n", "n", "int64", about="Documents that the command wrote, matched or counted")
MODIFIED = Spec("mongo.n_modified", "nModified", "int64")
OPERATION_TIME = Spec("mongo.operation_time", "Operation time", "time")
MORE = Spec("mongo.more_to_come", "More to come", "bool", about="Further replies follow without a request")
PLACE = Spec("mongo.exhaust_reply", "Reply of exhaust", "uint32", about="Which reply of a chain to one request this is, from 1")
SPECS = (
    GROUP, COMMAND, DATABASE, COLLECTION, NAMESPACE, LSID, TXN, START, AUTOCOMMIT, READ_CONCERN, WRITE_CONCERN, READ_PREFERENCE, MAX_TIME, CLUSTER_TIME, CURSOR,
    DOCS, APP_NAME, DRIVER, COMPRESSORS, MECHANISM, STEP, USER, AWAITS, NO_REPLY, WIRE_VERSION, SERVER, OK, ERROR_CODE, CODE_NAME, ERRMSG, ERROR_LABEL,
    WRITE_ERRORS, CONCERN_CODE, N, MODIFIED, OPERATION_TIME, MORE, PLACE)


def fields(message: MessageBytes, body: Body) -> list[Field]:
    """The group of what `message` means, its content made when it is opened; nothing where the message says nothing."""
    if not body.starts and not body.namespace and not body.sequences:
        return []
    return [generated(GROUP, None, GROUP.label, message.start, message.view, partial(_made, message, body))]


def _made(message: MessageBytes, body: Body) -> list[Field]:
    values = _request(body) if message.from_client else _reply(body, message)
    return [generated(spec, value, at=message.start, view=message.view) for spec, value in values if value not in (None, "")]


def _request(body: Body) -> Values:
    command = command_of(body)
    yield from _named(body, command)
    if body.is_command:
        yield from _arguments(body)
    if command == "getMore":
        yield CURSOR, body.number("getMore") if body.opcode == t.OP_MSG else body.cursor
    if command == "killCursors":
        cursors = body.find("cursors")
        for e in bson.as_dict(body.data, cursors.start, cursors.end, ALL).values() if cursors is not None and cursors.kind == bson.ARRAY else ():
            yield CURSOR, body.leaf(e)
    if command in COUNTED and body.is_command:
        yield DOCS, _number(body.batch(COUNTED[command][0]))
    elif body.opcode == t.OP_INSERT:
        yield DOCS, _number(body.sequences.get(""))
    yield AWAITS, awaits(body, command) or None
    yield NO_REPLY, body.more_to_come or body.opcode in t.UNANSWERED or None


def _arguments(body: Body) -> Values:
    """What any command may have beside its own arguments, and what a hello tells."""
    yield START, True if body.value("startTransaction") else None
    yield AUTOCOMMIT, body.value("autocommit")
    yield READ_CONCERN, body.value("readConcern", "level")
    concern = body.value("writeConcern", "w")
    yield WRITE_CONCERN, None if concern is None else str(concern)
    yield READ_PREFERENCE, body.value("$readPreference", "mode")
    yield MAX_TIME, body.number("maxTimeMS")
    yield CLUSTER_TIME, _timestamp(body.value("$clusterTime", "clusterTime"))
    driver, version, application = client(body)
    yield APP_NAME, application
    yield DRIVER, f"{driver} {version}".strip()
    yield from _sasl(body)
    yield from _compressors(body)


def _named(body: Body, command: str) -> Values:
    """Command, namespace and session of a request, the same on its reply."""
    yield COMMAND, command
    for database, collection in namespaces(body, command):
        yield DATABASE, database
        yield COLLECTION, collection
        yield NAMESPACE, f"{database}.{collection}" if database and collection else None
    session = body.value("lsid", "id") if body.is_command else None
    yield LSID, uuid_text(session) if isinstance(session, bytes) and len(session) == 16 else None
    yield TXN, body.number("txnNumber") if body.is_command else None


def _reply(body: Body, message: MessageBytes) -> Values:
    peer = message.peer
    if peer is not None:
        asked = read_body(peer.data, peer.start, peer.end)
        yield from _named(asked, command_of(asked))
    else:
        yield NAMESPACE, cursor_namespace(body)
    data = brings_data(body, message)
    yield DOCS, _number(documents_in(body, data))
    yield CURSOR, (body.cursor if body.opcode == t.OP_REPLY else body.value("cursor", "id")) or None
    yield MORE, message.header.more or None
    yield PLACE, message.header.context
    if not data:
        yield from _outcome(body, message)


def _outcome(body: Body, message: MessageBytes) -> Values:
    """What a command's reply tells."""
    ok = body.value("ok")
    yield OK, float(ok) if isinstance(ok, (int, float)) else None
    fault = fault_of(body, message)
    if fault is not None:
        yield ERROR_CODE, fault.code
        yield CODE_NAME, fault.name
        yield ERRMSG, fault.text
        for label in body.below("errorLabels").values():
            yield ERROR_LABEL, body.leaf(label)
    yield WRITE_ERRORS, _number(body.array("writeErrors")) or None
    yield CONCERN_CODE, body.value("writeConcernError", "code")
    yield N, body.number("n")
    yield MODIFIED, body.number("nModified")
    wire = body.number("maxWireVersion")
    yield WIRE_VERSION, wire
    yield SERVER, t.WIRE_VERSIONS.get(wire) if wire is not None else None
    yield from _sasl(body)
    yield from _compressors(body)
    yield CLUSTER_TIME, _timestamp(body.value("$clusterTime", "clusterTime"))
    yield OPERATION_TIME, _timestamp(body.value("operationTime"))


def _number(batch: Batch | int | None) -> int | None:
    """How many documents there are; None where there are none to be, or where not all were captured."""
    if not isinstance(batch, Batch):
        return batch
    number, whole = batch.number(ALL)
    return number if whole else None


def _sasl(body: Body) -> Values:
    if b"payload" in body.starts or b"speculativeAuthenticate" in body.starts:
        yield from zip((MECHANISM, STEP, USER), sasl(body), strict=True)


def _compressors(body: Body) -> Values:
    names = [body.leaf(e) for e in body.below("compression").values()]
    yield COMPRESSORS, ",".join(name for name in names if isinstance(name, str))


def _timestamp(found: object) -> int | None:
    """Nanoseconds since 1970 of a BSON timestamp."""
    return found[0] * 1_000_000_000 if isinstance(found, tuple) else None
