"""Every BSON type and binary subtype: bytes laid out by hand after the BSON specification and the MongoDB specifications, their values, parts and lines.

The relaxed extended JSON beside each is what "Extended JSON v2" lays down for it; where PyMongo can read the value, it must agree.
"""
from __future__ import annotations

import json
import struct
from typing import Any

import pytest

pytest.importorskip("bson")

import bson
from bson import json_util
from bson.codec_options import CodecOptions, DatetimeConversion

from protocols.engine.fields import Field, walk
from protocols.mongodb.document import document_fields
from protocols.mongodb.extjson import document_line


def document(kind: int, value: bytes, name: bytes = b"a") -> bytes:
    inside = bytes([kind]) + name + b"\0" + value
    return struct.pack("<i", len(inside) + 5) + inside + b"\0"


def binary(subtype: int, body: bytes) -> bytes:
    return struct.pack("<iB", len(body), subtype) + body


def text(value: str) -> bytes:
    data = value.encode() + b"\0"
    return struct.pack("<i", len(data)) + data


UUID = bytes.fromhex("73ffd26444b34c6990e8e7d1dfc035d4")
OID = bytes.fromhex("56e1fc72e0c917e9c4714161")
EMPTY = b"\5\0\0\0\0"
SCOPE = document(0x10, struct.pack("<i", 1), b"x")

# type, the value's bytes, its relaxed extended JSON, the field that holds it (without mongo.element.value.), its value
CASES: list[tuple[int, bytes, str, str, Any]] = [
    (0x01, struct.pack("<d", 1.0001220703125), "1.0001220703125", "double", 1.0001220703125),
    (0x01, struct.pack("<d", -0.0), "-0.0", "double", -0.0),
    (0x01, bytes.fromhex("000000000000f07f"), '{"$numberDouble": "Infinity"}', "double", float("inf")),
    (0x01, bytes.fromhex("000000000000f0ff"), '{"$numberDouble": "-Infinity"}', "double", float("-inf")),
    (0x01, bytes.fromhex("000000000000f87f"), '{"$numberDouble": "NaN"}', "double", None),
    (0x02, text(""), '""', "string", ""),
    (0x02, text("été \u2606 🙂"), '"été ☆ 🙂"', "string", "été ☆ 🙂"),
    (0x02, text("a\0b"), '"a\\u0000b"', "string", "a\0b"),
    (0x03, EMPTY, "{}", "", None),
    (0x03, SCOPE, '{"x": 1}', "int", 1),
    (0x04, EMPTY, "[]", "", None),
    (0x04, document(0x10, struct.pack("<i", 10), b"0"), "[10]", "int", 10),
    (0x05, binary(0, b"\xff\xff"), '{"$binary": {"base64": "//8=", "subType": "00"}}', "bytes", b"\xff\xff"),
    (0x05, binary(0, b""), '{"$binary": {"base64": "", "subType": "00"}}', "subtype", 0),
    (0x05, binary(1, b"\xff\xff"), '{"$binary": {"base64": "//8=", "subType": "01"}}', "subtype", 1),
    (0x05, binary(2, struct.pack("<i", 2) + b"\xff\xff"), '{"$binary": {"base64": "//8=", "subType": "02"}}', "bytes_len", 2),
    (0x05, binary(3, UUID), '{"$binary": {"base64": "c//SZESzTGmQ6OfR38A11A==", "subType": "03"}}', "uuid", "73ffd264-44b3-4c69-90e8-e7d1dfc035d4"),
    (0x05, binary(4, UUID), '{"$binary": {"base64": "c//SZESzTGmQ6OfR38A11A==", "subType": "04"}}', "uuid", "73ffd264-44b3-4c69-90e8-e7d1dfc035d4"),
    (0x05, binary(5, UUID), '{"$binary": {"base64": "c//SZESzTGmQ6OfR38A11A==", "subType": "05"}}', "bytes", UUID),
    (0x05, binary(7, b"\1\2"), '{"$binary": {"base64": "AQI=", "subType": "07"}}', "subtype", 7),
    (0x05, binary(9, b"\x27\0" + struct.pack("<2f", 127.5, -7.0)), '{"$binary": {"base64": "JwAAAP9CAADgwA==", "subType": "09"}}', "vector.float32", 127.5),
    (0x05, binary(9, b"\x03\0\x7f\xf9"), '{"$binary": {"base64": "AwB/+Q==", "subType": "09"}}', "vector.int8", 127),
    (0x05, binary(9, b"\x10\3\x7f\x08"), '{"$binary": {"base64": "EAN/CA==", "subType": "09"}}', "vector.padding", 3),
    (0x05, binary(0x80, b"\xff\xff"), '{"$binary": {"base64": "//8=", "subType": "80"}}', "bytes", b"\xff\xff"),
    (0x06, b"", '{"$undefined": true}', "", None),
    (0x07, OID, '{"$oid": "56e1fc72e0c917e9c4714161"}', "objectid.time", 0x56E1FC72 * 10**9),
    (0x08, b"\1", "true", "bool", True),
    (0x08, b"\0", "false", "bool", False),
    (0x09, struct.pack("<q", 0), '{"$date": "1970-01-01T00:00:00Z"}', "date", 0),
    (0x09, struct.pack("<q", 1356351330501), '{"$date": "2012-12-24T12:15:30.501Z"}', "date", 1356351330501 * 10**6),
    (0x09, struct.pack("<q", -284643869501), '{"$date": {"$numberLong": "-284643869501"}}', "int64", -284643869501),
    (0x09, struct.pack("<q", 253402300800000), '{"$date": {"$numberLong": "253402300800000"}}', "int64", 253402300800000),
    (0x0A, b"", "null", "", None),
    (0x0B, b"a\0i\0", '{"$regularExpression": {"pattern": "a", "options": "i"}}', "regex.options", "i"),
    (0x0B, b"\0\0", '{"$regularExpression": {"pattern": "", "options": ""}}', "regex.pattern", ""),
    (0x0C, text("b") + OID, '{"$dbPointer": {"$ref": "b", "$id": {"$oid": "56e1fc72e0c917e9c4714161"}}}', "db_ptr", OID),
    (0x0D, text("f()"), '{"$code": "f()"}', "js_code", "f()"),
    (0x0E, text("sym"), '{"$symbol": "sym"}', "string", "sym"),
    (0x0F, struct.pack("<i", 4 + 8 + len(SCOPE)) + text("abc") + SCOPE, '{"$code": "abc", "$scope": {"x": 1}}', "int", 1),
    (0x10, struct.pack("<i", -2147483648), "-2147483648", "int", -2147483648),
    (0x11, struct.pack("<II", 42, 123456789), '{"$timestamp": {"t": 123456789, "i": 42}}', "timestamp.increment", 42),
    (0x12, struct.pack("<q", -9223372036854775808), "-9223372036854775808", "int64", -9223372036854775808),
    (0x13, bytes.fromhex("0f0000000000000000000000000 03e30".replace(" ", "")), '{"$numberDecimal": "1.5"}', "decimal128", "1.5"),
    (0x7F, b"", '{"$maxKey": 1}', "", None),
    (0xFF, b"", '{"$minKey": 1}', "", None),
]


def tree(data: bytes) -> list[Field]:
    return document_fields(data, 0, len(data))


def named(data: bytes) -> int:
    cover = bytearray(len(data))
    for one in walk(tree(data)):
        if one.length and not (one.value is None and one.fields):
            cover[one.start:one.end] = b"\1" * one.length
    return sum(cover)


@pytest.mark.parametrize(("kind", "value", "line", "part", "found"), CASES)
def test_each_type_reads_as_the_specification_lays_it_out(kind: int, value: bytes, line: str, part: str, found: Any) -> None:
    data = document(kind, value)
    assert document_line(data, 0, len(data)) == '{"a": ' + line + "}"
    assert named(data) == len(data)
    assert not [one for one in walk(tree(data)) if one.name == "_ws.malformed"]
    if part and found is not None:
        assert found in [one.value for one in walk(tree(data)) if one.name == f"mongo.element.value.{part}"]
    assert next(one for one in tree(data) if one.name == "mongo.doc.a").fields[0].value == kind


@pytest.mark.parametrize(("kind", "value", "line", "part", "found"), [case for case in CASES if case[0] not in (0x06, 0x0C, 0x0E)])
def test_the_peer_writes_the_same_json(kind: int, value: bytes, line: str, part: str, found: Any) -> None:
    options: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
    theirs = json.loads(json_util.dumps(bson.decode(document(kind, value), options), json_options=json_util.RELAXED_JSON_OPTIONS))
    if kind == 0x13:
        line = '{"$numberDecimal": "1.5"}'
    assert theirs == json.loads('{"a": ' + line + "}")


ENCRYPTED = UUID + b"\2" + b"ciphertext"


@pytest.mark.parametrize(("body", "parts"), [
    (b"\1" + ENCRYPTED, {"type": 1, "key": "73ffd264-44b3-4c69-90e8-e7d1dfc035d4", "original_type": 2, "ciphertext": b"ciphertext"}),
    (b"\2" + ENCRYPTED, {"type": 2, "ciphertext": b"ciphertext"}),
    (b"\x0e\1\2", {"type": 14, "ciphertext": b"\1\2"}),
    (b"\0" + SCOPE, {"type": 0, "marking": None}),
])
def test_encrypted_values_name_key_type_and_ciphertext(body: bytes, parts: dict[str, Any]) -> None:
    data = document(0x05, binary(6, body))
    found = {one.name.removeprefix("mongo.element.value.encrypted."): one.value for one in walk(tree(data))}
    assert {name: found.get(name) for name in parts} == parts
    assert named(data) == len(data)


def test_elements_of_a_vector_are_fields_with_places() -> None:
    data = document(0x05, binary(9, b"\x03\0\x7f\xf9"))
    assert [(one.value, one.start, one.length) for one in walk(tree(data)) if one.name == "mongo.element.value.vector.int8"] == [(127, 14, 1), (-7, 15, 1)]
    assert next(one for one in tree(data) if one.name == "mongo.doc.a").text == "a: Vector(int8 × 2)"


def test_sensitive_binary_stands_in_no_text() -> None:
    data = document(0x05, binary(8, b"topsecret"))
    nodes = list(walk(tree(data)))
    assert not any(node.value == b"topsecret" or b"topsecret".hex() in node.text for node in nodes)
    assert "mongo.doc.a: (masked, 9 bytes)" in [f"{node.name}: {node.value}" for node in nodes]
    assert "dG9w" not in document_line(data, 0, len(data))


@pytest.mark.parametrize(("kind", "value", "said"), [
    (0x08, b"\2", "Value: True (as byte 2, neither 0 nor 1)"),
    (0x0B, b"a\0mi\0", "[options that are not in alphabetical order]"),
    (0x04, document(0x0A, b"", b"1"), "[an array whose element 0 is not named by its number]"),
    (0x05, binary(2, struct.pack("<i", 9) + b"\xff\xff"), "[an inner length of 9, with 2 bytes]"),
    (0x05, binary(9, b"\x27\3" + bytes(4)), "[3 padding bits]"),
    (0x05, binary(9, b"\x27\0" + bytes(5)), "[5 bytes are no whole number of float32]"),
    (0x05, binary(3, UUID), "[an old UUID: the order of its bytes depends on the driver]"),
    (0x02, struct.pack("<i", 3) + b"a\xff\0", "[no UTF-8 at byte 12]"),
])
def test_what_is_odd_is_said_and_read(kind: int, value: bytes, said: str) -> None:
    data = document(kind, value)
    assert said in [one.text for one in walk(tree(data))]
    assert not [one for one in walk(tree(data)) if one.name == "_ws.malformed"]
    assert named(data) == len(data)


@pytest.mark.parametrize(("data", "at"), [
    (document(0x14, b"12345"), 4),  # no such type
    (document(0x02, struct.pack("<i", 0) + b"\0"), 7),  # a string of no bytes, not even its zero
    (document(0x02, struct.pack("<i", -1) + b"ab\0"), 7),
    (document(0x02, struct.pack("<i", 100) + b"ab\0"), 7),  # beyond the document
    (document(0x02, struct.pack("<i", 3) + b"abc"), 7),  # without its zero byte
    (document(0x05, struct.pack("<iB", -1, 0) + b"ab"), 7),
    (document(0x05, struct.pack("<iB", 100, 0) + b"ab"), 7),
    (document(0x07, OID[:9]), 7),
    (document(0x0B, b"abc"), 7),
    (document(0x03, struct.pack("<i", 3)), 7),
    (document(0x0F, struct.pack("<i", 10) + bytes(6)), 7),  # shorter than its parts can be
    (document(0x10, b"\1\0"), 7),
    (document(0x0C, text("b") + OID[:4]), 7),
])
def test_what_does_not_fit_is_refused_where_it_is_wrong_and_its_bytes_are_kept(data: bytes, at: int) -> None:
    faults = [one for one in walk(tree(data)) if one.name == "_ws.malformed"]
    assert [fault.value.partition(":")[0] for fault in faults] == [f"malformed at byte {at}"]
    assert named(data) == len(data)


def test_elements_before_a_fault_stay() -> None:
    good = b"\x10n\0" + struct.pack("<i", 5)
    inside = good + b"\x14x\0abc"
    data = struct.pack("<i", len(inside) + 5) + inside + b"\0"
    assert [(one.name, one.value) for one in tree(data)][1] == ("mongo.doc.n", 5)


def test_documents_nested_too_deep_say_so_and_those_before_are_read() -> None:
    data = EMPTY
    for _ in range(300):
        data = document(0x03, data)
    found = [one for one in walk(tree(data)) if one.name == "mongo.document.recursion_exceeded"]
    assert [one.text for one in found] == ["[Document nested deeper than 200: not read]"]
    assert named(data) == len(data)


def test_a_document_over_sixteen_megabytes_says_so() -> None:
    data = document(0x05, binary(0, bytes(17 * 1024 * 1024)))
    assert "[longer than the 16,793,600 bytes that a document may have]" in [one.text for one in tree(data)]


def test_paths_leave_array_positions_out() -> None:
    data = bson.encode({"cursor": {"firstBatch": [{"_id": 1, "tags": ["x", "y"]}, {"_id": 2}]}, "a.b": {"c d": True}})
    found = [(one.name, one.value) for one in walk(tree(data)) if one.name.startswith("mongo.doc.") and one.spec.type != "none"]
    assert found == [
        ("mongo.doc.cursor.firstBatch._id", 1), ("mongo.doc.cursor.firstBatch.tags", "x"), ("mongo.doc.cursor.firstBatch.tags", "y"),
        ("mongo.doc.cursor.firstBatch._id", 2), ("mongo.doc.a.b.c_d", True)]


def test_what_is_there_of_a_cut_document_is_read() -> None:
    whole = bson.encode({"n": 1, "cursor": {"id": 5, "firstBatch": [{"_id": 1, "s": "abc"}, {"_id": 2, "s": "defg"}]}, "ok": 1.0})
    cut = whole[:whole.index(b"defg")]
    nodes = list(walk(tree(cut)))
    assert [one.value for one in nodes if one.name == "mongo.doc.cursor.firstBatch._id"] == [1, 2]
    assert [one.value for one in nodes if one.name == "mongo.doc.cursor.firstBatch.s"] == ["abc"]
    assert not [one for one in nodes if one.name == "_ws.malformed"]
    assert named(cut) == len(cut)
