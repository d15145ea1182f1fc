"""The parts of one BSON value as fields: lengths, subtypes, what is inside of ObjectIds, binaries and code.

Names are Wireshark's where it has one; below a date or a timestamp stands its plain number (`mongo.element.value.int64`), below code its text
(`mongo.element.value.string`), as Wireshark knows them.
Sources: BSON specification 1.1; MongoDB specifications, "BSON Binary Subtype 6" (encrypted) and "BSON Binary Subtype 9 - Vector".
"""
from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial

from protocols.engine import fields as f
from protocols.engine.fields import Bare, Field, Spec
from protocols.engine.scalars import F32LE, I32LE, I64LE, Malformed
from protocols.mongodb import bson
from protocols.mongodb.decimal128 import decimal128

__all__ = ["LEAVES", "NOTE", "SECRET_LEAVES", "SPECS", "Documents", "add_parts", "note", "vector_text"]

Documents = Callable[[int, int], list[Field]]
"""The fields of the document between two positions of the data, a level deeper than the element in hand."""

ENCRYPTION = {0: "intent to encrypt", 1: "deterministic", 2: "random"}
NOTE = Spec("mongo.note", "Note", "string", about="What is odd about a message without making it unreadable")
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
DOUBLE = Spec("mongo.element.value.double", "Value", "double")
BOOL = Spec("mongo.element.value.bool", "Value", "bool")
INT32 = Spec("mongo.element.value.int", "Value", "int32")
DECIMAL = Spec("mongo.element.value.decimal128", "Value", "string")
SPECS = (
    NOTE, VALUE_LENGTH, TOTAL_LENGTH, SUBTYPE, DATE, TIMESTAMP, SECONDS, INCREMENT, OID, OID_TIME, OID_MACHINE, OID_COUNTER, CODE, SCOPE, PATTERN,
    OPTIONS, REFERENCE, BYTES, STRING, UUID, OLD_LENGTH, ENCRYPTED, ENCRYPTED_KEY, ENCRYPTED_TYPE, CIPHERTEXT, MARKING, VECTOR_TYPE, VECTOR_PADDING,
    VECTOR, VECTOR_FLOAT, VECTOR_INT, VECTOR_BITS, DOUBLE, BOOL, INT32, INT64, DECIMAL)
_I32 = I32LE.unpack
_I64 = I64LE.unpack
_OBJECT_ID = struct.Struct(">I5sBH").unpack_from


def note(text: str, at: int, view: int = 0) -> Field:
    """Something odd that hinders no reading."""
    return f.generated(NOTE, text, text, at, view)


Parts = Callable[[list[Field], bytes, int, int, int], None]
"""Appends the parts of the value `data[at:end]`, every byte in one of them: out, data, at, end, view."""


def add_parts(out: list[Field], data: bytes, kind: int, at: int, end: int, view: int, documents: Documents, hidden: str | None) -> None:
    """Append the parts of a value that may hold a secret or a document. `hidden` stands in place of a secret."""
    if kind == 0x02:
        _string(out, data, at, end, view, STRING, hidden)
    elif kind == 0x05:
        out += _binary(data, at, end, view, documents, hidden)
    elif kind == 0x0F:
        _scoped(out, data, at, end, view, documents)


def _number(spec: Spec, code: str) -> Parts:
    unpack = struct.Struct("<" + code).unpack_from

    def read_number(out: list[Field], data: bytes, at: int, end: int, view: int) -> None:
        one = Bare()
        one.spec, one.value, one.start, one.length, one.view = spec, unpack(data, at)[0], at, end - at, view
        out.append(one)
    return read_number


def _bool(out: list[Field], data: bytes, at: int, end: int, view: int) -> None:
    byte = data[at]
    if byte > 1:
        out.append(Field(BOOL, True, at, 1, view, (), f"Value: True (as byte {byte}, neither 0 nor 1)"))
        return
    one = Bare()
    one.spec, one.value, one.start, one.length, one.view = BOOL, byte == 1, at, 1, view
    out.append(one)


def _decimal(out: list[Field], data: bytes, at: int, end: int, view: int) -> None:
    out.append(Field(DECIMAL, decimal128(data[at:end]), at, 16, view))


def _string(out: list[Field], data: bytes, at: int, end: int, view: int, spec: Spec = STRING, hidden: str | None = None) -> None:
    """Length, text with its zero byte, and a note where the text is no UTF-8."""
    start, fault = at + 4, None
    try:
        text = data[start:end - 1].decode()
    except UnicodeDecodeError as found:
        text, fault = data[start:end - 1].decode("utf-8", "replace"), found
    length, one = Bare(), Bare()
    length.spec, length.value, length.start, length.length, length.view = VALUE_LENGTH, end - start, at, 4, view
    one.spec, one.value, one.start, one.length, one.view = STRING, hidden or text, start, end - start, view
    out.append(length)
    out.append(one if spec is STRING else Field(spec, one.value, start, end - start, view, [one]))
    if fault is not None:
        out.append(note(f"no UTF-8 at byte {start + fault.start}", start, view))


def _date(out: list[Field], data: bytes, at: int, end: int, view: int) -> None:
    milliseconds = _I64(data, at)[0]
    plain = Bare()
    plain.spec, plain.value, plain.start, plain.length, plain.view = INT64, milliseconds, at, 8, view
    out.append(Field(DATE, milliseconds * 1_000_000, at, 8, view, [plain]))


def _timestamp(out: list[Field], data: bytes, at: int, end: int, view: int) -> None:
    increment, seconds = struct.unpack_from("<II", data, at)
    inside = [Field(INCREMENT, increment, at, 4, view), Field(SECONDS, seconds, at + 4, 4, view), Field(INT64, _I64(data, at)[0], at, 8, view)]
    out.append(Field(TIMESTAMP, seconds * 1_000_000_000, at, 8, view, inside))


def _oid(out: list[Field], data: bytes, at: int, end: int, view: int, spec: Spec = OID) -> None:
    """Twelve bytes: seconds since 1970, five random, a counter; big endian."""
    seconds, process, high, low = _OBJECT_ID(data, at)
    made, machine, counter = Bare(), Bare(), Bare()
    made.spec, made.value, made.start, made.length, made.view = OID_TIME, seconds * 1_000_000_000, at, 4, view
    machine.spec, machine.value, machine.start, machine.length, machine.view = OID_MACHINE, process, at + 4, 5, view
    counter.spec, counter.value, counter.start, counter.length, counter.view = OID_COUNTER, high << 16 | low, at + 9, 3, view
    out.append(Field(spec, data[at:end], at, 12, view, [made, machine, counter]))


def _regex(out: list[Field], data: bytes, at: int, end: int, view: int) -> None:
    middle = data.index(b"\0", at) + 1
    options = data[middle:end - 1].decode("utf-8", "replace")
    out.append(Field(PATTERN, data[at:middle - 1].decode("utf-8", "replace"), at, middle - at, view))
    out.append(Field(OPTIONS, options, middle, end - middle, view))
    if options != "".join(sorted(options)):
        out.append(note("options that are not in alphabetical order", middle, view))


def _pointer(out: list[Field], data: bytes, at: int, end: int, view: int) -> None:
    _string(out, data, at, end - 12, view)
    _oid(out, data, end - 12, end, view, REFERENCE)


def _code(out: list[Field], data: bytes, at: int, end: int, view: int) -> None:
    _string(out, data, at, end, view, CODE)


def _nothing(out: list[Field], data: bytes, at: int, end: int, view: int) -> None:
    """Of types whose name is their value."""


def _scoped(out: list[Field], data: bytes, at: int, end: int, view: int, documents: Documents) -> None:
    """JavaScript with its scope: total length, code, document; lengths that do not agree are said."""
    out.append(Field(TOTAL_LENGTH, _I32(data, at)[0], at, 4, view))
    scope = bson.scoped(data, at, end)[1]
    if scope is None:
        out.append(f.malformed(at + 4, f"a code length of {_I32(data, at + 4)[0]}", end, view))
        return
    _code(out, data, at + 4, scope, view)
    try:
        after = bson.bounds(data, scope, end)
    except Malformed as fault:
        out.append(f.malformed(scope, fault.why, end, view))
        return
    out.append(f.group(SCOPE, scope, after, partial(documents, scope, after), None, view))
    if after < end:
        out.append(f.malformed(after, f"{end - after} bytes left over in code with scope", end, view))


_LEAVES: dict[int, Parts] = {
    0x01: _number(DOUBLE, "d"), 0x02: _string, 0x06: _nothing, 0x07: _oid, 0x08: _bool, 0x09: _date, 0x0A: _nothing, 0x0B: _regex, 0x0C: _pointer,
    0x0D: _code, 0x0E: _string, 0x10: _number(INT32, "i"), 0x11: _timestamp, 0x12: _number(INT64, "q"), 0x13: _decimal, 0x7F: _nothing, 0xFF: _nothing,
}
LEAVES = [_LEAVES.get(kind) for kind in range(256)]
"""By type byte; None for what may hold a document or a secret."""
SECRET_LEAVES = [None if kind == 0x02 else read for kind, read in enumerate(LEAVES)]
"""The same in the documents of commands that carry secrets."""


def _binary(data: bytes, at: int, end: int, view: int, documents: Documents, hidden: str | None) -> list[Field]:
    subtype, body = data[at + 4], at + 5
    parts = [Field(VALUE_LENGTH, _I32(data, at)[0], at, 4, view), Field(SUBTYPE, subtype, at + 4, 1, view)]
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
    length = int(_I32(data, at)[0])
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
