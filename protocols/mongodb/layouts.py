"""The thirteen message layouts as data, and the two parts that no table can say: OP_MSG's sections and OP_COMPRESSED's body.

Sources: MongoDB specifications, source/message/OP_MSG.md and source/compression/OP_COMPRESSED.md; the legacy opcodes after the
MongoDB manual, "Wire Protocol". Everything little endian.
"""
from __future__ import annotations

from collections.abc import Iterator

from protocols import fields as f
from protocols.fields import Field, Spec
from protocols.mongodb import tables as t
from protocols.mongodb.document import Document
from protocols.records import Custom, Each, IfMore, Layout
from protocols.scalars import I32LE, I64LE, U8, U32LE, CString, Flags, Malformed, Reader, Rest, Source, Type, short

__all__ = ["BODIES", "COMPRESSED_HEAD", "HEADER", "MONGO", "SECTIONS", "specs"]

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
SECTION = Spec("mongo.msg.sections.section", "Section")
SECTION_KIND = Spec("mongo.msg.sections.section.kind", "Kind", "uint8", enum={0: "Body", 1: "Document sequence", 2: "Security token"})
SECTION_BODY = Spec("mongo.msg.sections.section.body", "Body")
SECTION_SIZE = Spec("mongo.msg.sections.section.size", "Size", "int32")
SECTION_ID = Spec("mongo.msg.sections.section.doc_sequence_id", "Sequence identifier", "string")
SECTION_DOCS = Spec("mongo.msg.sections.section.doc_sequence", "Documents")
SECTION_RAW = Spec("mongo.msg.sections.section.raw", "Security token", "bytes")
CHECKSUM = Spec("mongo.msg.checksum", "Checksum", "uint32", base="hex")
CHECKSUM_STATUS = Spec("mongo.msg.checksum.status", "Checksum status", "uint8", enum={0: "Bad", 1: "Good", 2: "Unverified"})

NAMESPACE = Spec("mongo.full_collection_name", "Full collection name", "string")
ZERO = Spec("mongo.reserved", "Reserved", "int32")
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
DOCUMENT = Spec("mongo.document", "Document")
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
DECOMPRESSED = Spec("mongo.compression.message", "Decompressed message")
NOTE = Spec("mongo.note", "Note", "string", about="What is odd about a message without making it unreadable")
COMPRESSED_HEAD = Layout(None, ((ORIGINAL_OPCODE, I32LE), (ORIGINAL_SIZE, I32LE), (COMPRESSOR, U8), (COMPRESSED_DATA, Rest())))


def _sections(spec: Spec) -> Reader:
    """Sections up to the end: a kind byte, then a document, or a size, a name and documents."""
    document = Document().reader(SECTION_BODY)
    item = Document().reader(DOCUMENT)

    def section(source: Source, at: int, end: int, inside: list[Field]) -> int:
        kind = source.data[at]
        inside.append(Field(SECTION_KIND, kind, at, 1, source.view))
        if kind == 0:
            return document(source, at + 1, end, inside)
        if kind == 2:
            inside.append(Field(SECTION_RAW, source.data[at + 1:end], at + 1, end - at - 1, source.view))
            return end
        if kind != 1:
            raise Malformed(at, f"a section of kind {kind}")
        if end - at < 5:
            raise short(source, at + 1, 4, end, inside)
        size = int(I32LE.unpack(source.data, at + 1)[0])
        inside.append(Field(SECTION_SIZE, size, at + 1, 4, source.view))
        limit = at + 1 + size
        if size < 5 or (limit > end and not source.cut):
            raise Malformed(at + 1, f"a sequence of {size} bytes, had {end - at - 1}")
        now = CString().reader(SECTION_ID)(source, at + 5, min(limit, end), inside)
        documents: list[Field] = []
        node = Field(SECTION_DOCS, None, now, min(limit, end) - now, source.view, documents)
        inside.append(node)
        while now < min(limit, end):
            now = item(source, now, min(limit, end), documents)
        node._text = f"{SECTION_DOCS.label} ({len(documents)})"
        return now

    def read_sections(source: Source, at: int, end: int, out: list[Field]) -> int:
        while at < end:
            inside: list[Field] = []
            node = Field(SECTION, None, at, end - at, source.view, inside)
            out.append(node)
            start, at = at, section(source, at, end, inside)
            node.length = at - start
            node._text = f"Section: {inside[2].value} ({len(inside[3].fields)})" if inside[0].value == 1 else f"Section: {SECTION_KIND.shown(inside[0].value)}"
        return at
    return read_sections


SECTIONS = Custom(_sections, (SECTION_KIND, SECTION_BODY, SECTION_SIZE, SECTION_ID, SECTION_DOCS, SECTION_RAW, DOCUMENT))
D = Document()
BODIES: dict[int, Layout] = {
    t.OP_MSG: Layout(None, ((MSG_FLAGS, Flags(U32LE, MSG_BITS)), (SECTION, SECTIONS))),
    t.OP_QUERY: Layout(None, ((QUERY_FLAGS, Flags(U32LE, QUERY_BITS)), (NAMESPACE, CString()), (SKIP, I32LE), (RETURN, I32LE), (QUERY, D),
                              (RETURN_FIELDS, IfMore(D)))),
    t.OP_REPLY: Layout(None, ((REPLY_FLAGS, Flags(U32LE, REPLY_BITS)), (CURSOR, I64LE), (STARTING, I32LE), (RETURNED, I32LE), (DOCUMENTS, Each(DOCUMENT, D)))),
    t.OP_UPDATE: Layout(None, ((ZERO, I32LE), (NAMESPACE, CString()), (UPDATE_FLAGS, Flags(U32LE, UPDATE_BITS)), (SELECTOR, D), (UPDATE, D))),
    t.OP_INSERT: Layout(None, ((INSERT_FLAGS, Flags(U32LE, INSERT_BITS)), (NAMESPACE, CString()), (DOCUMENTS, Each(DOCUMENT, D)))),
    t.OP_GET_MORE: Layout(None, ((ZERO, I32LE), (NAMESPACE, CString()), (RETURN, I32LE), (CURSOR, I64LE))),
    t.OP_DELETE: Layout(None, ((ZERO, I32LE), (NAMESPACE, CString()), (DELETE_FLAGS, Flags(U32LE, DELETE_BITS)), (SELECTOR, D))),
    t.OP_KILL_CURSORS: Layout(None, ((ZERO, I32LE), (CURSOR_COUNT, I32LE), (CURSORS, Each(CURSOR, I64LE)))),
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
        for one in (*kind.specs(spec), CHECKSUM, CHECKSUM_STATUS, DECOMPRESSED, NOTE):
            if id(one) not in seen:
                seen.add(id(one))
                yield one


def note(text: str, at: int, view: int = 0) -> Field:
    """Something odd that hinders no reading."""
    return f.generated(NOTE, text, text, at, view)
