"""BSON: what an independent writer (PyMongo's bson) encodes is read back to the same values, with every byte in a field."""
from __future__ import annotations

import datetime
import re
import struct
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.engine.fields import Field, walk
from protocols.engine.scalars import Malformed
from protocols.mongodb import bson
from protocols.mongodb.bson import scan, value
from protocols.mongodb.decimal128 import decimal128
from protocols.mongodb.document import document_fields
from protocols.mongodb.masking import sasl_text

peer = pytest.importorskip("bson")


def tree(data: bytes) -> list[Field]:
    return document_fields(data, 0, len(data), 0, "mongo.doc")


def named(data: bytes) -> int:
    """How many bytes lie in a field with a value, or in a leaf."""
    cover = bytearray(len(data))
    for one in walk(tree(data)):
        if one.length and not (one.value is None and one.fields):
            cover[one.start:one.end] = b"\1" * one.length
    return sum(cover)


LEAVES = (
    st.floats(allow_nan=False) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20) | st.booleans() | st.none()
    | st.integers(-(1 << 63), (1 << 63) - 1) | st.binary(max_size=30) | st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 1, 1)).map(
        lambda d: d.replace(microsecond=0))
)
KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=6)


def plain(data: bytes, kind: int, at: int, end: int) -> object:
    """A value as Python has it, by our reader."""
    if kind == bson.DOCUMENT:
        return {e.name: plain(data, e.kind, e.start, e.end) for e in scan(data, at, end)}
    if kind == bson.ARRAY:
        return [plain(data, e.kind, e.start, e.end) for e in scan(data, at, end)]
    found = value(data, kind, at, end)
    if kind == 0x09:
        return datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=found // 1_000_000)
    return found


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS)
def test_what_a_peer_encodes_is_read_back_equal_and_every_byte_has_a_name(content: dict[str, object]) -> None:
    data = peer.encode(content)
    assert plain(data, bson.DOCUMENT, 0, len(data)) == content
    assert named(data) == len(data)


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS, st.data())
def test_flipped_and_cut_documents_end_as_a_tree(content: dict[str, object], draw: st.DataObject) -> None:
    data = bytearray(peer.encode(content))
    for _ in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(4, len(data) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    for one in walk(tree(bytes(data))):
        assert one.start >= 0 and one.end <= len(data)
        assert not re.search("[\x00-\x1f\x7f-\x9f]", one.text)


def test_every_field_says_where_it_begins() -> None:
    data = peer.encode({"a": 1, "b": "x", "c": {"d": [2.5]}})
    assert [one.begin for one in tree(data)] == [0, 4, 11, 20, len(data) - 1]
    assert all(one.begin == one.start for one in walk(tree(data)))


@pytest.mark.parametrize("text", [
    "0", "1", "-1", "1.5", "0.1", "123456789012345678901234567890.1234", "1E+3", "-9.999999999999999999999999999999999E+6144", "1E-6176", "0E-10", "-0",
    "0.000001", "1E-7", "Infinity", "-Infinity", "NaN", "12345678901234567", "5E+6111",
])
def test_decimal128_reads_as_the_peer_writes_it(text: str) -> None:
    number = peer.Decimal128(text)
    assert decimal128(number.bid) == str(number)


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=16, max_size=16))
def test_any_sixteen_bytes_are_the_decimal_that_the_peer_reads(data: bytes) -> None:
    assert decimal128(data) == str(peer.Decimal128.from_bid(data))


def test_the_rarer_types_read_as_the_specification_lays_them_out() -> None:
    ident = peer.ObjectId("65a1b2c3d4e5f60718293a4b")
    data = peer.encode({
        "id": ident, "re": peer.Regex("^a", "i"), "code": peer.Code("f()", {"x": 1}), "ts": peer.Timestamp(1690508732, 1), "min": peer.MinKey(),
        "max": peer.MaxKey(), "js": peer.Code("g()"), "ref": peer.DBRef("c", ident), "u": peer.Binary.from_uuid(uuid.UUID(int=7)), "d": peer.Decimal128("2.5"),
    })
    found = {e.name: e for e in scan(data, 0, len(data))}
    assert [found[name].kind for name in ("id", "re", "code", "ts", "min", "max", "js", "ref", "u", "d")] == [
        0x07, 0x0B, 0x0F, 0x11, 0xFF, 0x7F, 0x0D, 0x03, 0x05, 0x13]
    texts = {one.label: one.text for one in tree(data)}
    assert texts["id"] == 'id: ObjectId("65a1b2c3d4e5f60718293a4b")'
    assert texts["re"] == "re: /^a/i"
    assert texts["ts"] == "ts: Timestamp(1690508732, 1)"
    assert texts["u"] == 'u: UUID("00000000-0000-0000-0000-000000000007")'
    assert texts["d"] == "d: Decimal128(2.5)"
    assert named(data) == len(data)
    made = next(one for one in walk(tree(data)) if one.name == "mongo.element.value.objectid.time")
    assert made.value == ident.generation_time.timestamp() * 1_000_000_000


@pytest.mark.parametrize(("data", "at"), [
    (struct.pack("<i", 4), 0),                                            # shorter than its own length field and end
    (struct.pack("<i", 100) + b"\x0ax\0\0", 0),                           # longer than what is there
    (struct.pack("<i", 12) + b"\x14xx\0\0\0\0\0", 4),                     # no such type
    (struct.pack("<i", 14) + b"\x02a\0\x00\0\0\0\0\0\0", 7),              # a string without its zero byte
    (struct.pack("<i", 8) + b"\x0aaaa", 5),                               # a name that does not end
])
def test_a_document_that_cannot_be_is_refused_at_the_byte_that_is_wrong(data: bytes, at: int) -> None:
    with pytest.raises(Malformed) as fault:
        list(scan(data, 0, len(data)))
    assert fault.value.at == at


def test_deep_nesting_costs_no_stack() -> None:
    data = b"\x05\0\0\0\0"
    for _ in range(1000):
        data = struct.pack("<i", len(data) + 8) + b"\x03a\0" + data + b"\0"
    nodes = list(walk(tree(data)))
    assert any("nested deeper than 200" in one.text for one in nodes)


@pytest.mark.parametrize(("payload", "shown"), [
    (b"n,,n=alice,r=abc", "n,,n=alice,r=abc"),
    (b"c=biws,r=abcdef,p=c2VjcmV0", "c=biws,r=abcdef,p=(masked)"),
    (b"v=c2ln", "v=(masked)"),
    (b"\0alice\0secret", "(masked, 13 bytes)"),
])
def test_sasl_payloads_never_show_what_proves_a_password(payload: bytes, shown: str) -> None:
    assert sasl_text(payload) == shown
