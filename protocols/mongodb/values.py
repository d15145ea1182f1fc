"""The parts of one BSON value as fields: lengths, subtypes, what is inside of ObjectIds, binaries and code.

Names are Wireshark's where it has one; below a date or a timestamp stands its plain number (`mongo.element.value.int64`), below code its text
(`mongo.element.value.string`), as Wireshark knows them.
Sources: BSON specification 1.1; MongoDB specifications, "BSON Binary Subtype 6" (encrypted) and "BSON Binary Subtype 9 - Vector".
"""
from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial

from protocols import fields as f
from protocols.fields import Field, Spec
from protocols.mongodb import bson
from protocols.scalars import F32LE, I32LE, Malformed, Number

__all__ = ["NOTE", "SPECS", "Documents", "note", "value_parts", "vector_text"]

Documents = Callable[[int, int], list[Field]]
"""The fields of the document between two positions of the data, a level deeper than the element in hand."""

ENCRYPTION = {0: "intent to encrypt", 1: "deterministic", 2: "random"}
NOTE = Spec("mongo.note", "Note", "string", about="What is odd about a message without making it unreadable")
TYPE = Spec("mongo.element.type", "Type", "uint8", enum=bson.TYPES, base="hex")
NAME = Spec("mongo.element.name", "Element", "string")
VALUE_LENGTH = Spec("mongo.element.value.length", "Length", "int32")
TOTAL_LENGTH = Spec("mongo.element.length", "Total length", "int32")
SUBTYPE = Spec("mongo.element.value.subtype", "Binary subtype", "uint8", enum=bson.BINARY_SUBTYPES)
DATE = Spec("mongo.element.value.date", "Date", "time")
TIMESTAMP = Spec("mongo.element.value.timestamp", "Timestamp", "time")
SECONDS = Spec("mongo.element.value.timestamp.seconds", "Seconds since 1970", "uint32")
INCREMENT = Spec("mongo.element.value.timestamp.increment", "Increment", "uint32")
OID = Spec("mongo.element.value.objectid", "ObjectID", "bytes")
OID_TIME = Spec("mongo.element.value.objectid.time", "ObjectID time", "time")
OID_MACHINE = Spec("mongo.element.value.objectid.machine_id", "ObjectID machine", "bytes", about="Random for a process; in old drivers machine and process id")
OID_COUNTER = Spec("mongo.element.value.objectid.inc", "ObjectID counter", "uint32")
CODE = Spec("mongo.element.value.js_code", "JavaScript code", "string")
SCOPE = Spec("mongo.element.value.js_scope", "JavaScript scope")
PATTERN = Spec("mongo.element.value.regex.pattern", "Pattern", "string")
OPTIONS = Spec("mongo.element.value.regex.options", "Options", "string")
REFERENCE = Spec("mongo.element.value.db_ptr", "DBPointer ObjectID", "bytes")
BYTES = Spec("mongo.element.value.bytes", "Value", "bytes")
STRING = Spec("mongo.element.value.string", "Value", "string")
INT64 = Spec("mongo.element.value.int64", "Value", "int64")
UUID = Spec("mongo.element.value.uuid", "UUID", "string")
OLD_LENGTH = Spec("mongo.element.value.bytes_len", "Inner length", "int32")
ENCRYPTED = Spec("mongo.element.value.encrypted.type", "Encrypted value's type", "uint8", show=lambda v: f"{ENCRYPTION.get(v, 'queryable encryption')} ({v})")
ENCRYPTED_KEY = Spec("mongo.element.value.encrypted.key", "Data key's UUID", "string")
ENCRYPTED_TYPE = Spec("mongo.element.value.encrypted.original_type", "Original type", "uint8", enum=bson.TYPES)
CIPHERTEXT = Spec("mongo.element.value.encrypted.ciphertext", "Ciphertext", "bytes")
MARKING = Spec("mongo.element.value.encrypted.marking", "Marking")
VECTOR_TYPE = Spec("mongo.element.value.vector.dtype", "Vector's element type", "uint8", enum={0x03: "int8", 0x27: "float32", 0x10: "packed bits"})
VECTOR_PADDING = Spec("mongo.element.value.vector.padding", "Padding bits", "uint8")
VECTOR = Spec("mongo.element.value.vector", "Vector")
VECTOR_FLOAT = Spec("mongo.element.value.vector.float32", "Element", "double")
VECTOR_INT = Spec("mongo.element.value.vector.int8", "Element", "int8")
VECTOR_BITS = Spec("mongo.element.value.vector.bits", "Bits", "bytes")
LEAVES = {
    0x01: Spec("mongo.element.value.double", "Value", "double"), 0x08: Spec("mongo.element.value.bool", "Value", "bool"),
    0x10: Spec("mongo.element.value.int", "Value", "int32"), 0x12: INT64, 0x13: Spec("mongo.element.value.decimal128", "Value", "string"),
}
SPECS = (
    NOTE, TYPE, NAME, VALUE_LENGTH, TOTAL_LENGTH, SUBTYPE, DATE, TIMESTAMP, SECONDS, INCREMENT, OID, OID_TIME, OID_MACHINE, OID_COUNTER, CODE, SCOPE, PATTERN,
    OPTIONS, REFERENCE, BYTES, STRING, UUID, OLD_LENGTH, ENCRYPTED, ENCRYPTED_KEY, ENCRYPTED_TYPE, CIPHERTEXT, MARKING, VECTOR_TYPE, VECTOR_PADDING,
    VECTOR, VECTOR_FLOAT, VECTOR_INT, VECTOR_BITS, *LEAVES.values())


def note(text: str, at: int, view: int = 0) -> Field:
    """Something odd that hinders no reading."""
    return f.generated(NOTE, text, text, at, view)


def value_parts(data: bytes, kind: int, at: int, end: int, view: int, documents: Documents, hidden: str | None) -> list[Field]:
    """The parts of a leaf's value `data[at:end]`, every byte in one of them. `hidden` stands in place of a secret."""
    spec = LEAVES.get(kind)
    if spec is not None:
        leaf = bson.value(data, kind, at, end)
        if kind == 0x08 and data[at] > 1:
            return [Field(spec, leaf, at, 1, view, (), f"Value: True (as byte {data[at]}, neither 0 nor 1)")]
        return [Field(spec, leaf, at, end - at, view)]
    if kind == 0x02:
        return _string(data, at, end, view, STRING, hidden)
    reader = _READERS.get(kind)
    if reader is not None:
        return reader(data, at, end, view)
    if kind == 0x05:
        return _binary(data, at, end, view, documents, hidden)
    if kind == 0x0F:
        return _scoped(data, at, end, view, documents)
    return []


def _number(spec: Spec, kind: Number, data: bytes, at: int, view: int) -> Field:
    return Field(spec, kind.unpack(data, at)[0], at, kind.least, view)


def _string(data: bytes, at: int, end: int, view: int, spec: Spec, hidden: str | None = None) -> list[Field]:
    """Length, text with its zero byte, and a note where the text is no UTF-8."""
    text = hidden or bson.string(data, at)
    plain = () if spec is STRING else [Field(STRING, text, at + 4, end - at - 4, view)]
    parts = [_number(VALUE_LENGTH, I32LE, data, at, view), Field(spec, text, at + 4, end - at - 4, view, plain)]
    try:
        data[at + 4:end - 1].decode("utf-8")
    except UnicodeDecodeError as fault:
        parts.append(note(f"no UTF-8 at byte {at + 4 + fault.start}", at + 4, view))
    return parts


def _date(data: bytes, at: int, end: int, view: int) -> list[Field]:
    milliseconds = int(struct.unpack_from("<q", data, at)[0])
    return [Field(DATE, milliseconds * 1_000_000, at, 8, view, [Field(INT64, milliseconds, at, 8, view)])]


def _timestamp(data: bytes, at: int, end: int, view: int) -> list[Field]:
    increment, seconds = struct.unpack_from("<II", data, at)
    inside = [Field(INCREMENT, increment, at, 4, view), Field(SECONDS, seconds, at + 4, 4, view),
              Field(INT64, struct.unpack_from("<q", data, at)[0], at, 8, view)]
    return [Field(TIMESTAMP, seconds * 1_000_000_000, at, 8, view, inside)]


def _oid(data: bytes, at: int, end: int, view: int, spec: Spec = OID) -> list[Field]:
    """Twelve bytes: seconds since 1970, five random, a counter; big endian."""
    made = int.from_bytes(data[at:at + 4], "big") * 1_000_000_000
    inside = [Field(OID_TIME, made, at, 4, view), Field(OID_MACHINE, data[at + 4:at + 9], at + 4, 5, view),
              Field(OID_COUNTER, int.from_bytes(data[at + 9:at + 12], "big"), at + 9, 3, view)]
    return [Field(spec, data[at:at + 12], at, 12, view, inside)]


def _regex(data: bytes, at: int, end: int, view: int) -> list[Field]:
    middle = data.index(b"\0", at) + 1
    options = data[middle:end - 1].decode("utf-8", "replace")
    parts = [Field(PATTERN, data[at:middle - 1].decode("utf-8", "replace"), at, middle - at, view), Field(OPTIONS, options, middle, end - middle, view)]
    return parts if options == "".join(sorted(options)) else [*parts, note("options that are not in alphabetical order", middle, view)]


def _pointer(data: bytes, at: int, end: int, view: int) -> list[Field]:
    return [*_string(data, at, end - 12, view, STRING), *_oid(data, end - 12, end, view, REFERENCE)]


def _scoped(data: bytes, at: int, end: int, view: int, documents: Documents) -> list[Field]:
    """JavaScript with its scope: total length, code, document; lengths that do not agree are said."""
    out = [_number(TOTAL_LENGTH, I32LE, data, at, view)]
    scope = bson.scoped(data, at, end)[1]
    if scope is None:
        return [*out, f.malformed(at + 4, f"a code length of {I32LE.unpack(data, at + 4)[0]}", end, view)]
    out += _string(data, at + 4, scope, view, CODE)
    try:
        after = bson.bounds(data, scope, end)
    except Malformed as fault:
        return [*out, f.malformed(scope, fault.why, end, view)]
    out.append(f.group(SCOPE, scope, after, partial(documents, scope, after), None, view))
    if after < end:
        out.append(f.malformed(after, f"{end - after} bytes left over in code with scope", end, view))
    return out


_READERS: dict[int, Callable[[bytes, int, int, int], list[Field]]] = {
    0x07: _oid, 0x09: _date, 0x0B: _regex, 0x0C: _pointer, 0x11: _timestamp,
    0x0D: lambda data, at, end, view: _string(data, at, end, view, CODE), 0x0E: lambda data, at, end, view: _string(data, at, end, view, STRING),
}


def _binary(data: bytes, at: int, end: int, view: int, documents: Documents, hidden: str | None) -> list[Field]:
    subtype, body = data[at + 4], at + 5
    parts = [_number(VALUE_LENGTH, I32LE, data, at, view), Field(SUBTYPE, subtype, at + 4, 1, view)]
    if end == body:
        return parts
    if hidden is not None:
        return [*parts, Field(BYTES, hidden, body, end - body, view)]
    inside: list[Field] = []
    if subtype == 2:
        inside = _old_binary(data, body, end, view)
    elif subtype in (3, 4) and end - body == 16:
        inside = [Field(UUID, uuid_text(data[body:end]), body, 16, view)]
        if subtype == 3:
            inside.append(note("an old UUID: the order of its bytes depends on the driver", body, view))
    elif subtype == 6:
        inside = _encrypted(data, body, end, view, documents)
    elif subtype == 9:
        inside = _vector(data, body, end, view)
    return [*parts, Field(BYTES, data[body:end], body, end - body, view, inside)]


def uuid_text(data: bytes) -> str:
    h = data.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def _old_binary(data: bytes, at: int, end: int, view: int) -> list[Field]:
    """Subtype 2 holds its length once more."""
    if end - at < 4:
        return [note("an old binary without its inner length", at, view)]
    length = int(I32LE.unpack(data, at)[0])
    inside = [Field(OLD_LENGTH, length, at, 4, view)]
    if end > at + 4:
        inside.append(f.raw(data, at + 4, end, view))
    if length != end - at - 4:
        inside.append(note(f"an inner length of {length}, with {end - at - 4} bytes", at, view))
    return inside


def _encrypted(data: bytes, at: int, end: int, view: int, documents: Documents) -> list[Field]:
    """What client-side encryption made: a marking before, key and ciphertext after; queryable encryption's payloads by their number."""
    kind = data[at]
    inside = [Field(ENCRYPTED, kind, at, 1, view)]
    if kind == 0:
        try:
            after = bson.bounds(data, at + 1, end)
        except Malformed as fault:
            return [*inside, note(fault.why, at + 1, view)]
        return [*inside, f.group(MARKING, at + 1, after, partial(documents, at + 1, after), None, view)]
    if kind in (1, 2) and end - at >= 18:
        inside += [Field(ENCRYPTED_KEY, uuid_text(data[at + 1:at + 17]), at + 1, 16, view), Field(ENCRYPTED_TYPE, data[at + 17], at + 17, 1, view)]
        at += 17
    if end > at + 1:
        inside.append(Field(CIPHERTEXT, data[at + 1:end], at + 1, end - at - 1, view))
    return inside


def _vector(data: bytes, at: int, end: int, view: int) -> list[Field]:
    """Element type, padding bits, then the elements, little endian."""
    if end - at < 2:
        return [note("a vector of less than 2 bytes", at, view)]
    kind, padding, body = data[at], data[at + 1], at + 2
    inside = [Field(VECTOR_TYPE, kind, at, 1, view), Field(VECTOR_PADDING, padding, at + 1, 1, view)]
    if padding > (7 if kind == 0x10 and end > body else 0):
        inside.append(note(f"{padding} padding bits", at + 1, view))
    if kind == 0x27 and (end - body) % 4:
        inside.append(note(f"{end - body} bytes are no whole number of float32", body, view))
    if end > body:
        inside.append(f.group(VECTOR, body, end, partial(_vector_elements, data, kind, body, end, view), vector_text(data[at:end]), view))
    return inside


def _vector_elements(data: bytes, kind: int, at: int, end: int, view: int) -> list[Field]:
    if kind == 0x27:
        whole = at + (end - at) // 4 * 4
        found = [Field(VECTOR_FLOAT, F32LE.unpack(data, now)[0], now, 4, view) for now in range(at, whole, 4)]
        return [*found, f.raw(data, whole, end, view)] if whole < end else found
    if kind == 0x03:
        return [Field(VECTOR_INT, value - 256 if value > 127 else value, at + i, 1, view) for i, value in enumerate(data[at:end])]
    return [Field(VECTOR_BITS, data[at:end], at, end - at, view)]


def vector_text(data: bytes) -> str:
    """A vector in a word: its element type and how many there are."""
    if len(data) < 2:
        return f"Vector(malformed, {len(data)} bytes)"
    kind, padding, count = data[0], data[1], len(data) - 2
    if kind == 0x27:
        return f"Vector(float32 × {count // 4})"
    if kind == 0x03:
        return f"Vector(int8 × {count})"
    if kind == 0x10:
        return f"Vector(bits × {max(0, count * 8 - padding)})"
    return f"Vector(type 0x{kind:02x}, {count} bytes)"
