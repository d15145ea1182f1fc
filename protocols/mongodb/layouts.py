"""The thirteen message layouts as data; OP_MSG's sections, which no table can say, are in `sections`.

Sources: MongoDB specifications, source/message/OP_MSG.md and source/compression/OP_COMPRESSED.md; the legacy opcodes after the
MongoDB manual, "Wire Protocol". Everything little endian.
"""
from __future__ import annotations

from collections.abc import Iterator

from protocols.engine.fields import Field, Spec
from protocols.engine.records import Custom, Each, IfMore, Layout
from protocols.engine.scalars import I32LE, I64LE, U8, U32LE, Bytes, CString, Flags, Reader, Rest, Source, Type
from protocols.mongodb import tables as t
from protocols.mongodb.document import Document
from protocols.mongodb.sections import DOCUMENT, SECTION, SECTIONS

__all__ = ["BODIES", "COMPRESSED_HEAD", "HEADER", "MONGO", "specs"]

MONGO = Spec("mongo", "MongoDB", "protocol")


def _flag(name: str, label: str, mask: int) -> Spec:
    return Spec(name, label, "bool", mask=mask)


LENGTH = Spec("mongo.message_length", "Message length", "int32")
REQUEST_ID = Spec("mongo.request_id", "Request ID", "uint32", base="hex", show=lambda v: f"0x{v:08x} ({v})")
RESPONSE_TO = Spec("mongo.response_to", "Response to", "uint32", base="hex", show=lambda v: f"0x{v:08x} ({v})")
OPCODE = Spec("mongo.opcode", "OpCode", "int32", enum=t.OPCODES)
HEADER = Layout(None, ((LENGTH, I32LE), (REQUEST_ID, U32LE), (RESPONSE_TO, U32LE), (OPCODE, I32LE)))

MSG_FLAGS = Spec("mongo.msg.flags", "Message flags", "uint32", base="hex")
MSG_BITS = (_flag("mongo.msg.flags.checksumpresent", "Checksum present", 1), _flag("mongo.msg.flags.moretocome", "More to come", 2),
            _flag("mongo.msg.flags.exhaustallowed", "Exhaust allowed", 1 << 16))
CHECKSUM = Spec("mongo.msg.checksum", "Checksum", "uint32", base="hex")
CHECKSUM_STATUS = Spec("mongo.msg.checksum.status", "Checksum status", "uint8", enum={0: "Bad", 1: "Good", 2: "Unverified"})

NAMESPACE = Spec("mongo.full_collection_name", "Full collection name", "string")
DATABASE_PART = Spec("mongo.database_name", "Database name", "string")
COLLECTION_PART = Spec("mongo.collection_name", "Collection name", "string")
ZERO = Spec("mongo.document.zero", "Zero", "bytes", about="Reserved, must be zero")
QUERY_FLAGS = Spec("mongo.query.flags", "Query flags", "uint32", base="hex")
QUERY_BITS = tuple(_flag(f"mongo.query.flags.{name}", label, 1 << bit) for bit, name, label in (
    (1, "tailable_cursor", "Tailable cursor"), (2, "slave_ok", "Secondary OK"), (3, "op_log_reply", "Oplog replay"),
    (4, "no_cursor_timeout", "No cursor timeout"),
    (5, "awaitdata", "Await data"), (6, "exhaust", "Exhaust"), (7, "partial", "Partial")))
SKIP = Spec("mongo.number_to_skip", "Number to skip", "int32")
RETURN = Spec("mongo.number_to_return", "Number to return", "int32")
QUERY = Spec("mongo.query", "Query")
RETURN_FIELDS = Spec("mongo.return_field_selector", "Return field selector")
REPLY_FLAGS = Spec("mongo.reply.flags", "Reply flags", "uint32", base="hex")
REPLY_BITS = tuple(_flag(f"mongo.reply.flags.{name}", label, 1 << bit) for bit, name, label in (
    (0, "cursornotfound", "Cursor not found"), (1, "queryfailure", "Query failure"), (2, "sharedconfigstale", "Shard config stale"),
    (3, "awaitcapable", "Await capable")))
CURSOR = Spec("mongo.cursor_id", "Cursor ID", "int64")
STARTING = Spec("mongo.starting_from", "Starting from", "int32")
RETURNED = Spec("mongo.number_returned", "Number returned", "int32")
UPDATE_FLAGS = Spec("mongo.update.flags", "Update flags", "uint32", base="hex")
UPDATE_BITS = (_flag("mongo.update.flags.upsert", "Upsert", 1), _flag("mongo.update.flags.multiupdate", "Multi update", 2))
INSERT_FLAGS = Spec("mongo.insert.flags", "Insert flags", "uint32", base="hex")
INSERT_BITS = (_flag("mongo.insert.flags.continueonerror", "Continue on error", 1),)
DELETE_FLAGS = Spec("mongo.delete.flags", "Delete flags", "uint32", base="hex")
DELETE_BITS = (_flag("mongo.delete.flags.singleremove", "Single remove", 1),)
SELECTOR = Spec("mongo.selector", "Selector")
UPDATE = Spec("mongo.update", "Update")
DOCUMENTS = Spec("mongo.documents", "Documents")
CURSOR_COUNT = Spec("mongo.number_to_cursor_ids", "Number of cursor IDs", "int32")
CURSORS = Spec("mongo.cursor_ids", "Cursor IDs")
MESSAGE = Spec("mongo.message", "Message", "string")
DATABASE = Spec("mongo.database", "Database", "string")
COMMAND_NAME = Spec("mongo.commandname", "Command name", "string")
METADATA = Spec("mongo.metadata", "Metadata")
COMMAND_ARGS = Spec("mongo.commandargs", "Command arguments")
INPUT_DOCS = Spec("mongo.inputdocs", "Input documents")
COMMAND_REPLY = Spec("mongo.commandreply", "Command reply")
OUTPUT_DOCS = Spec("mongo.outputdocs", "Output documents")
UNKNOWN = Spec("mongo.unknown", "Unknown opcode's body", "bytes")

ORIGINAL_OPCODE = Spec("mongo.compression.original_opcode", "Original opcode", "int32", enum=t.OPCODES)
ORIGINAL_SIZE = Spec("mongo.compression.original_size", "Uncompressed size", "int32")
COMPRESSOR = Spec("mongo.compression.compressor", "Compressor", "uint8", enum=t.COMPRESSORS)
COMPRESSED_DATA = Spec("mongo.compression.compressed_data", "Compressed data", "bytes")
UNSUPPORTED_DATA = Spec("mongo.compression.unsupported_compressed", "Data of an unknown compressor", "bytes")
COMPRESSION = Spec("mongo.compression", "Compression")
DECOMPRESSED = Spec("mongo.compression.message", "Decompressed message")


def _namespace(spec: Spec) -> Reader:
    """A namespace up to a zero byte; below it the database up to the first dot, and the collection."""
    whole = CString().reader(spec)

    def read_namespace(source: Source, at: int, end: int, out: list[Field]) -> int:
        after = whole(source, at, end, out)
        dot = source.data.find(b".", at, after)
        if dot >= 0:
            parts = ((DATABASE_PART, at, dot), (COLLECTION_PART, dot + 1, after - 1))
            out[-1]._children = [Field(part, source.data[a:b].decode("utf-8", "replace"), a, b - a, source.view) for part, a, b in parts]
        return after
    return read_namespace


FULL_NAME = Custom(_namespace, (DATABASE_PART, COLLECTION_PART), 1)
COMPRESSED = Layout(COMPRESSION, ((ORIGINAL_OPCODE, I32LE), (ORIGINAL_SIZE, I32LE), (COMPRESSOR, U8), (COMPRESSED_DATA, Rest())))
COMPRESSED_HEAD = Layout(None, ((COMPRESSION, COMPRESSED),))
D = Document()
BODIES: dict[int, Layout] = {
    t.OP_MSG: Layout(None, ((MSG_FLAGS, Flags(U32LE, MSG_BITS)), (SECTION, SECTIONS))),
    t.OP_QUERY: Layout(None, ((QUERY_FLAGS, Flags(U32LE, QUERY_BITS)), (NAMESPACE, FULL_NAME), (SKIP, I32LE), (RETURN, I32LE), (QUERY, D),
                              (RETURN_FIELDS, IfMore(D)))),
    t.OP_REPLY: Layout(None, ((REPLY_FLAGS, Flags(U32LE, REPLY_BITS)), (CURSOR, I64LE), (STARTING, I32LE), (RETURNED, I32LE), (DOCUMENTS, Each(DOCUMENT, D)))),
    t.OP_UPDATE: Layout(None, ((ZERO, Bytes(4)), (NAMESPACE, FULL_NAME), (UPDATE_FLAGS, Flags(U32LE, UPDATE_BITS)), (SELECTOR, D), (UPDATE, D))),
    t.OP_INSERT: Layout(None, ((INSERT_FLAGS, Flags(U32LE, INSERT_BITS)), (NAMESPACE, FULL_NAME), (DOCUMENTS, Each(DOCUMENT, D)))),
    t.OP_GET_MORE: Layout(None, ((ZERO, Bytes(4)), (NAMESPACE, FULL_NAME), (RETURN, I32LE), (CURSOR, I64LE))),
    t.OP_DELETE: Layout(None, ((ZERO, Bytes(4)), (NAMESPACE, FULL_NAME), (DELETE_FLAGS, Flags(U32LE, DELETE_BITS)), (SELECTOR, D))),
    t.OP_KILL_CURSORS: Layout(None, ((ZERO, Bytes(4)), (CURSOR_COUNT, I32LE), (CURSORS, Each(CURSOR, I64LE)))),
    t.OP_COMMAND: Layout(None, ((DATABASE, CString()), (COMMAND_NAME, CString()), (METADATA, D), (COMMAND_ARGS, D), (INPUT_DOCS, Each(DOCUMENT, D)))),
    t.OP_COMMANDREPLY: Layout(None, ((METADATA, D), (COMMAND_REPLY, D), (OUTPUT_DOCS, Each(DOCUMENT, D)))),
    t.DB_MSG: Layout(None, ((MESSAGE, CString()),)),
}
UNKNOWN_BODY = Layout(None, ((UNKNOWN, Rest()),))


def specs() -> Iterator[Spec]:
    """Every spec of these layouts."""
    seen: set[int] = set()
    parts: list[tuple[Spec, Type]] = [(MONGO, layout) for layout in (HEADER, *BODIES.values(), COMPRESSED_HEAD, UNKNOWN_BODY)]
    for spec, kind in parts:
        for one in (*kind.specs(spec), CHECKSUM, CHECKSUM_STATUS, DECOMPRESSED, UNSUPPORTED_DATA):
            if id(one) not in seen:
                seen.add(id(one))
                yield one
