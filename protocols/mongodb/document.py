"""BSON documents as fields: a node an element, with type, name and value below it, nested documents read when they are opened.

An element's filter name is its path: `mongo.doc.filter.status`; array positions are left out of the path, so that all elements of
an array answer to one name. What must not be shown (passwords, tokens) is masked in the text; its bytes stay where they are.
"""
from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from protocols import fields as f
from protocols.fields import Field, Spec
from protocols.mongodb import bson
from protocols.mongodb.bson import ARRAY, DOCUMENT, Element
from protocols.scalars import I32LE, Malformed, Number, Reader, Source, short

__all__ = ["SPECS", "Document", "document_fields", "scram"]

DOC = Spec("mongo.doc", "Document", about="A BSON document; the elements in it are mongo.doc.PATH, as mongo.doc.filter.status")
LENGTH = Spec("mongo.document.length", "Document length", "int32")
END = Spec("mongo.document.end", "End of document", "uint8", base="hex")
TYPE = Spec("mongo.element.type", "Element type", "uint8", enum=bson.TYPES)
NAME = Spec("mongo.element.name", "Element name", "string")
VALUE_LENGTH = Spec("mongo.element.length", "Value length", "int32")
SUBTYPE = Spec("mongo.element.value.subtype", "Binary subtype", "uint8", enum=bson.BINARY_SUBTYPES)
INCREMENT = Spec("mongo.element.value.increment", "Timestamp increment", "uint32")
SECONDS = Spec("mongo.element.value.timestamp", "Timestamp", "time")
OID_TIME = Spec("mongo.element.value.objectid.time", "ObjectID time", "time")
OID_RANDOM = Spec("mongo.element.value.objectid.random", "ObjectID random", "bytes")
OID_COUNTER = Spec("mongo.element.value.objectid.inc", "ObjectID counter", "uint32")
SCOPE_LENGTH = Spec("mongo.element.value.length", "Total length", "int32")
CODE = Spec("mongo.element.value.js_code", "JavaScript code", "string")
PATTERN = Spec("mongo.element.value.regex.pattern", "Pattern", "string")
OPTIONS = Spec("mongo.element.value.regex.options", "Options", "string")
REF = Spec("mongo.element.value.db_ptr", "Namespace", "string")
VALUES = {
    kind: Spec(f"mongo.element.value.{name}", "Value", type_) for kind, name, type_ in (
        (0x01, "double", "double"), (0x02, "string", "string"), (0x05, "bytes", "bytes"), (0x07, "objectid", "string"), (0x08, "bool", "bool"),
        (0x09, "date", "time"), (0x0D, "javascript", "string"), (0x0E, "symbol", "string"), (0x10, "int", "int32"), (0x12, "int64", "int64"),
        (0x13, "decimal128", "string"))
}
SPECS = (DOC, LENGTH, END, TYPE, NAME, VALUE_LENGTH, SUBTYPE, INCREMENT, SECONDS, OID_TIME, OID_RANDOM, OID_COUNTER, SCOPE_LENGTH, CODE, PATTERN, OPTIONS,
         REF, *VALUES.values())

FIELD_TYPES = {0x01: "double", 0x05: "bytes", 0x08: "bool", 0x09: "time", 0x10: "int32", 0x11: "time", 0x12: "int64", DOCUMENT: "none", ARRAY: "none"}
PATHS: dict[tuple[str, str], Spec] = {}
MOST_PATHS = 20_000
UNFIT = re.compile(r"[^\w$-]")


def path_spec(path: str, label: str, kind: int) -> Spec:
    """The spec of the elements at `path`; the same object for the same path and type."""
    key = (path, FIELD_TYPES.get(kind, "string"))
    found = PATHS.get(key)
    if found is None:
        found = Spec(path, f.printable(label), key[1])
        if len(PATHS) < MOST_PATHS:
            PATHS[key] = found
    return found


class Document:
    """A BSON document as a type of the record engine: one group."""

    least = 5

    def __init__(self, path: str = "mongo.doc") -> None:
        self.path = path

    def reader(self, spec: Spec) -> Reader:
        def read_document(source: Source, at: int, end: int, out: list[Field]) -> int:
            if source.cut and (end - at < 4 or int(I32LE.unpack(source.data, at)[0]) > end - at):
                raise short(source, at, int(I32LE.unpack(source.data, at)[0]) if end - at >= 4 else 4, end, out)
            after = bson.bounds(source.data, at, end)
            secret = source.context if isinstance(source.context, str) else ""
            text = f"{spec.label}: {_line(source.data, at, after, secret)}"
            out.append(Field(spec, None, at, after - at, source.view, partial(document_fields, source.data, at, after, source.view, self.path, secret), text))
            return after
        return read_document

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec


def _line(data: bytes, at: int, end: int, secret: str) -> str:
    if secret:
        top = bson.as_dict(data, at, end).values()
        return "{" + ", ".join(f"{e.name}: {'…' if e.kind in (DOCUMENT, ARRAY) else _leaf_text(data, e, secret)}" for e in top) + "}"
    return bson.one_line(data, Element(DOCUMENT, "", at, at, end), 100)


def document_fields(data: bytes, at: int, end: int, view: int, path: str, secret: str = "", depth: int = 0, array: bool = False) -> list[Field]:
    """Length, elements and end of the document `data[at:end]`. `secret` names the command when it carries secrets."""
    if depth > bson.DEEPEST:
        return [f.malformed(at, f"nested deeper than {bson.DEEPEST}", end, view)]
    out = [Field(LENGTH, int(I32LE.unpack(data, at)[0]), at, 4, view)]
    now = at + 4
    try:
        for element in bson.scan(data, at, end):
            out.append(_element(data, element, view, path, secret, depth, array))
            now = element.end
        out.append(Field(END, 0, end - 1, 1, view))
    except Malformed as fault:
        out.append(f.malformed(max(now, fault.at), fault.why, end, view))
        if fault.at > now:
            out.insert(-1, f.raw(data, now, fault.at, view))
    return out


def _element(data: bytes, e: Element, view: int, path: str, secret: str, depth: int, array: bool) -> Field:
    below = path if array else f"{path}.{UNFIT.sub('_', e.name) or '_'}"
    spec = path_spec(below, e.name, e.kind)
    children = partial(_parts, data, e, view, below, secret, depth)
    if e.kind in (DOCUMENT, ARRAY):
        return Field(spec, None, e.at, e.end - e.at, view, children, f"{e.name}: {bson.one_line(data, e) if not secret else '…'}")
    if e.kind == 0x0A:
        return Field(spec, None, e.at, e.end - e.at, view, children, f"{e.name}: null")
    masked = _masked(data, e, secret)
    leaf: Any = masked if masked is not None else bson.value(data, e.kind, e.start, e.end)
    text = f"{e.name}: {_leaf_text(data, e, secret)}"
    if e.kind == 0x11:
        leaf = leaf[0] * 1_000_000_000
    return Field(spec, leaf, e.at, e.end - e.at, view, children, text)


def _leaf_text(data: bytes, e: Element, secret: str) -> str:
    masked = _masked(data, e, secret)
    if masked is not None:
        return masked
    leaf = bson.value(data, e.kind, e.start, e.end)
    if e.kind == 0x05 and data[e.start + 4] == 9:
        return vector(leaf)
    return bson.shown(e.kind, leaf, data[e.start + 4] if e.kind == 0x05 else 0)


def _masked(data: bytes, e: Element, secret: str) -> str | None:
    """What stands in place of a secret; None for what may be shown."""
    count = e.end - e.start
    if e.kind == 0x05 and data[e.start + 4] == 8:
        return f"(masked, {count - 5} bytes)"
    if not secret:
        return None
    if e.name in ("pwd", "key", "password", "token") and e.kind in (0x02, 0x05):
        return f"(masked, {count} bytes)"
    if e.name == "payload" and e.kind in (0x02, 0x05):
        payload = data[e.start + 5:e.end] if e.kind == 0x05 else data[e.start + 4:e.end - 1]
        return scram(payload)
    return None


def scram(payload: bytes) -> str:
    """A SASL payload: SCRAM's parts (RFC 5802, section 5.1) but for proof and signature; anything else by its size alone."""
    if not payload:
        return "(empty)"
    if not re.match(rb"(n,|y,|[rvec]=)", payload):
        return f"(masked, {len(payload)} bytes)"
    return re.sub(r"\b([pv])=[^,]*", r"\1=(masked)", payload.decode("utf-8", "replace"))


def vector(data: bytes) -> str:
    """A binary vector: element type, padding bits, then the elements, little endian (MongoDB specifications, "BSON Binary Subtype 9 - Vector")."""
    if len(data) < 2:
        return f"Vector(malformed, {len(data)} bytes)"
    kind, padding, body = data[0], data[1], data[2:]
    if kind == 0x27:
        return f"Vector(float32 × {len(body) // 4})"
    if kind == 0x03:
        return f"Vector(int8 × {len(body)})"
    if kind == 0x10:
        return f"Vector(bits × {len(body) * 8 - padding})"
    return f"Vector(type 0x{kind:02x}, {len(body)} bytes)"


def _parts(data: bytes, e: Element, view: int, path: str, secret: str, depth: int) -> list[Field]:
    """What an element is made of."""
    name_at = e.at + 1
    out = [Field(TYPE, e.kind, e.at, 1, view), Field(NAME, e.name, name_at, e.start - name_at, view)]
    if e.kind in (DOCUMENT, ARRAY):
        return out + document_fields(data, e.start, e.end, view, path, secret, depth + 1, e.kind == ARRAY)
    out += _value_parts(data, e, view, path, secret, depth)
    return out


def _number(spec: Spec, kind: Number, data: bytes, at: int, view: int) -> Field:
    return Field(spec, kind.unpack(data, at)[0] * kind.scale, at, kind.least, view)


def _value_parts(data: bytes, e: Element, view: int, path: str, secret: str, depth: int) -> list[Field]:
    """The parts of a leaf's value, every byte in one of them."""
    at, end, kind = e.start, e.end, e.kind
    masked = _masked(data, e, secret)
    leaf = masked if masked is not None else bson.value(data, kind, at, end)
    if kind in bson.STRINGS:
        return [_number(VALUE_LENGTH, I32LE, data, at, view), Field(VALUES[kind], leaf, at + 4, end - at - 4, view)]
    if kind == 0x05:
        parts = [_number(VALUE_LENGTH, I32LE, data, at, view), Field(SUBTYPE, data[at + 4], at + 4, 1, view)]
        return [*parts, Field(VALUES[kind], leaf, at + 5, end - at - 5, view)] if end > at + 5 else parts
    if kind == 0x07:
        made = int.from_bytes(data[at:at + 4], "big") * 1_000_000_000
        return [Field(OID_TIME, made, at, 4, view), Field(OID_RANDOM, data[at + 4:at + 9], at + 4, 5, view),
                Field(OID_COUNTER, int.from_bytes(data[at + 9:end], "big"), at + 9, 3, view)]
    if kind == 0x0B:
        middle = data.index(b"\0", at) + 1
        return [Field(PATTERN, data[at:middle - 1].decode("utf-8", "replace"), at, middle - at, view),
                Field(OPTIONS, data[middle:end - 1].decode("utf-8", "replace"), middle, end - middle, view)]
    if kind == 0x0C:
        return [_number(VALUE_LENGTH, I32LE, data, at, view), Field(REF, bson.string(data, at), at + 4, end - 16 - at, view),
                Field(VALUES[0x07], data[end - 12:end].hex(), end - 12, 12, view)]
    if kind == 0x0F:
        return _scoped(data, e, view, path, depth)
    if kind == 0x11:
        seconds, increment = bson.value(data, kind, at, end)
        return [Field(INCREMENT, increment, at, 4, view), Field(SECONDS, seconds * 1_000_000_000, at + 4, 4, view)]
    return [Field(VALUES[kind], leaf, at, end - at, view)] if kind in VALUES and end > at else []


def _scoped(data: bytes, e: Element, view: int, path: str, depth: int) -> list[Field]:
    """JavaScript with its scope: total length, code, document; lengths that do not agree are said."""
    at, end = e.start, e.end
    out = [_number(SCOPE_LENGTH, I32LE, data, at, view)]
    count = int(I32LE.unpack(data, at + 4)[0])
    scope = at + 8 + count
    if count < 1 or scope + 5 > end:
        return [*out, f.malformed(at + 4, f"a code length of {count}", end, view)]
    out += [_number(VALUE_LENGTH, I32LE, data, at + 4, view), Field(CODE, bson.string(data, at + 4), at + 8, count, view)]
    try:
        after = bson.bounds(data, scope, end)
    except Malformed as fault:
        return [*out, f.malformed(scope, fault.why, end, view)]
    out += document_fields(data, scope, after, view, path, "", depth + 1)
    if after < end:
        out.append(f.malformed(after, f"{end - after} bytes left over", end, view))
    return out
