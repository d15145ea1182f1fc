"""OP_MSG's sections: a body, sequences of documents, and what is odd about them.

Source: MongoDB specifications, source/message/OP_MSG.md. A fault inside a sequence stays in it, as its size tells where the next section starts.
"""
from __future__ import annotations

from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec
from protocols.engine.records import Custom
from protocols.engine.scalars import I32LE, CString, Malformed, Reader, Short, Source, short
from protocols.mongodb import bson
from protocols.mongodb.document import PATHS, Document, below, read_document
from protocols.mongodb.values import note

__all__ = ["DOCUMENT", "SECTION", "SECTIONS"]

SECTION = Spec("mongo.msg.sections.section", "Section")
KIND = Spec("mongo.msg.sections.section.kind", "Kind", "uint8", enum={0: "Body", 1: "Document sequence", 2: "Security token"})
BODY = Spec("mongo.msg.sections.section.body", "Body")
SIZE = Spec("mongo.msg.sections.section.size", "Size", "int32")
IDENTIFIER = Spec("mongo.msg.sections.section.doc_sequence_id", "Sequence identifier", "string")
SEQUENCE = Spec("mongo.msg.sections.section.doc_sequence", "Documents")
UNKNOWN = Spec("mongo.msg.sections.section.unknown", "Section of an unknown kind, and what follows it", "bytes")
TOKEN = Spec("mongo.msg.sections.section.raw", "Security token", "bytes")
DOCUMENT = Spec("mongo.document", "Document")


def _sections(spec: Spec) -> Reader:
    body = Document().reader(BODY)

    def read_section(source: Source, at: int, end: int, inside: list[Field]) -> int:
        kind = source.data[at]
        inside.append(Field(KIND, kind, at, 1, source.view))
        if kind == 0:
            return body(source, at + 1, end, inside)
        if kind == 1:
            return _sequence(source, at + 1, end, inside)
        if kind == 2:
            if at + 1 < end:
                inside.append(Field(TOKEN, source.data[at + 1:end], at + 1, end - at - 1, source.view))
            return end
        if at + 1 < end:
            inside.append(Field(UNKNOWN, source.data[at + 1:end], at + 1, end - at - 1, source.view))
        return end

    def read_sections(source: Source, at: int, end: int, out: list[Field]) -> int:
        first = at
        sections: list[Field] = []
        while at < end:
            inside: list[Field] = []
            node = Field(spec, None, at, end - at, source.view, inside, "Section")
            out.append(node)
            sections.append(node)
            start, at = at, read_section(source, at, end, inside)
            node.length = at - start
            named = inside[2].spec is IDENTIFIER if len(inside) > 3 else False
            node._text = f"Section: {inside[2].value} ({len(inside[3].fields)})" if named else f"Section: {KIND.shown(inside[0].value)}"
        out.extend(note(text, first, source.view) for text in _odd(source.data, sections))
        return at
    return read_sections


_IDENTIFIER = CString().reader(IDENTIFIER)


def _sequence(source: Source, at: int, end: int, inside: list[Field]) -> int:
    """Size, identifier, and documents to the end of the size."""
    if end - at < 4:
        raise short(source, at, 4, end, inside)
    size = int(I32LE.unpack(source.data, at)[0])
    inside.append(Field(SIZE, size, at, 4, source.view))
    limit = at + size
    if size < 5 or (limit > end and not source.cut):
        raise Malformed(at, f"a sequence of {size} bytes, had {end - at}")
    cut, source.cut = source.cut, limit > end
    stop = min(limit, end)
    documents: list[Field] | None = None
    try:
        now = _IDENTIFIER(source, at + 4, stop, inside)
        documents = []
        path = below(PATHS[:-1], inside[-1].value)[0]
        node = Field(SEQUENCE, None, now, stop - now, source.view, documents, SEQUENCE.label)
        inside.append(node)
        while now < stop:
            now = read_document(DOCUMENT, path, source, now, stop, documents)
        node._text = f"{SEQUENCE.label} ({len(documents)})"
    except Short:
        if source.cut:
            raise
        inside.append(f.malformed(at + 4, "an identifier that does not end", stop, source.view))
    except Malformed as fault:
        (inside if documents is None else documents).append(f.malformed(fault.at, fault.why, stop, source.view))
    finally:
        source.cut = cut
    if limit > end:
        raise Short(end, limit - end, 0)
    return limit


def _odd(data: bytes, sections: list[Field]) -> list[str]:
    """What the specification forbids and reading survives: no body or more than one, an identifier twice or in the body as well."""
    bodies = [one.fields[1] for one in sections if one.fields[0].value == 0]
    found = [] if len(bodies) == 1 else [f"{len(bodies) or 'no'} {'bodies' if bodies else 'body'} where one belongs"]
    names: list[str] = [part.value for one in sections for part in one.fields if part.spec is IDENTIFIER]
    if names:
        found += [f"the sequence {name} stands twice" for name in sorted({name for name in names if names.count(name) > 1})]
        keys = bson.as_dict(data, bodies[0].start, bodies[0].end) if bodies else {}
        found += [f"{name} stands in the body and as a sequence" for name in sorted(set(names)) if name in keys]
    return found


SECTIONS = Custom(_sections, (KIND, BODY, SIZE, IDENTIFIER, SEQUENCE, TOKEN, UNKNOWN, DOCUMENT))
