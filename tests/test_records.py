"""The record engine: values and ranges, lengths that lie, messages that are cut off, and parts with their own length."""
from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.engine import records as r
from protocols.engine.fields import Field, Spec, printable, walk

A, B, C, D = (Spec(f"x.{name}", name.upper(), "int32") for name in "abcd")
TEXT, BLOB, BIT = Spec("x.text", "Text", "string"), Spec("x.blob", "Blob", "bytes"), Spec("x.bit", "Bit", "bool", mask=0x40)
LIST, ITEM, GROUP = Spec("x.list", "List"), Spec("x.item", "Item"), Spec("x.group", "Group")


def shown(fields: list[Field]) -> list[tuple[str, object, int, int]]:
    return [(one.name, one.value, one.start, one.length) for one in walk(fields)]


def read(data: bytes, *parts: tuple[Spec, r.Type], want: int | None = None) -> list[tuple[str, object, int, int]]:
    return shown(r.read(r.Layout(None, parts), data, 0, len(data), want=want))


@pytest.mark.parametrize(("kind", "code", "value"), [
    (r.I8, ">b", -5), (r.U8, ">B", 200), (r.I16, ">h", -300), (r.U16, ">H", 40000), (r.I32, ">i", -70000), (r.U32, ">I", 1 << 31),
    (r.I64, ">q", -1), (r.U64, ">Q", 1 << 63), (r.F32, ">f", 1.5), (r.F64, ">d", -2.25),
    (r.I16LE, "<h", -300), (r.U16LE, "<H", 40000), (r.I32LE, "<i", 7), (r.U32LE, "<I", 1 << 31),
    (r.I64LE, "<q", -2), (r.U64LE, "<Q", 1 << 63), (r.F32LE, "<f", 0.5), (r.F64LE, "<d", 1e300),
])
def test_a_number_has_its_size_order_and_sign(kind: r.Number, code: str, value: float) -> None:
    data = struct.pack(code, value)
    assert read(data, (A, kind)) == [("x.a", value, 0, len(data))]


def test_numbers_side_by_side_in_two_byte_orders_keep_their_places() -> None:
    data = struct.pack(">bhi", 1, 2, 3) + struct.pack("<ih", 4, 5) + b"\1\2\3"
    parts = ((A, r.I8), (B, r.I16), (C, r.I32), (D, r.I32LE), (A, r.I16LE), (B, r.U24))
    assert read(data, *parts) == [("x.a", 1, 0, 1), ("x.b", 2, 1, 2), ("x.c", 3, 3, 4), ("x.d", 4, 7, 4), ("x.a", 5, 11, 2), ("x.b", 0x10203, 13, 3)]


def test_wide_numbers_and_wire_milliseconds() -> None:
    assert read(bytes(range(16)), (A, r.U128LE))[0][1] == int.from_bytes(bytes(range(16)), "little")
    assert read(b"\1\2\3", (A, r.U24LE))[0][1] == 0x30201
    assert read(struct.pack(">qi", 1_700_000_000_000, 9), (A, r.MILLIS), (B, r.I32)) == [("x.a", 1_700_000_000_000_000_000, 0, 8), ("x.b", 9, 8, 4)]


@pytest.mark.parametrize(("wire", "kind", "value"), [
    ("00", r.Varint(), 0), ("7f", r.Varint(), 127), ("8001", r.Varint(), 128), ("ffffffff0f", r.Varint(), 0xFFFFFFFF), ("00", r.Varint(zigzag=True), 0),
    ("01", r.Varint(zigzag=True), -1), ("02", r.Varint(zigzag=True), 1), ("ffffffff0f", r.Varint(zigzag=True), -(1 << 31)),
    ("ffffffffffffffffff01", r.Varint(zigzag=True, size=64), -(1 << 63)),
])
def test_a_varint_is_least_significant_group_first(wire: str, kind: r.Varint, value: int) -> None:
    assert read(bytes.fromhex(wire), (A, kind)) == [("x.a", value, 0, len(wire) // 2)]


@pytest.mark.parametrize("wire", ["ffffffff10", "ffffffffff01", "8080808080808000"])
def test_a_varint_of_more_than_32_bits_is_malformed(wire: str) -> None:
    assert "more than 32 bits" in str(read(bytes.fromhex(wire), (A, r.Varint()))[0][1])


def test_a_boolean_that_is_neither_0_nor_1_is_true_and_says_so() -> None:
    fields = r.read(r.Layout(None, ((A, r.Bool()), (B, r.Bool()), (C, r.Bool()))), b"\0\1\5", 0, 3)
    assert [one.value for one in fields] == [False, True, True]
    assert "5" in fields[2].text
    assert "5" not in fields[1].text


def test_flags_are_read_when_somebody_looks() -> None:
    low, high = Spec("x.flags.low", "Low", "bool", mask=1), Spec("x.flags.kind", "Kind", "uint8", mask=0xF0)
    field = r.read(r.Layout(None, ((A, r.Flags(r.U16, (low, high))),)), b"\0\x31", 0, 2)[0]
    assert [(one.name, one.value, one.start, one.length) for one in field.fields] == [("x.flags.low", True, 0, 2), ("x.flags.kind", 3, 0, 2)]
    assert field.fields[1].text == ".... .... 0011 .... = Kind: 3"


def test_text_lies_behind_its_length_and_null_is_no_text() -> None:
    assert read(b"\0\2hi\xff\xff\0\0", (TEXT, r.Text(r.I16)), (TEXT, r.Text(r.I16)), (TEXT, r.Text(r.I16))) == [
        ("x.text", "hi", 2, 2), ("x.text_len", 2, 0, 2), ("x.text", None, 6, 0), ("x.text_len", -1, 4, 2), ("x.text", "", 8, 0), ("x.text_len", 0, 6, 2)]


def test_a_compact_length_is_one_more_than_the_bytes() -> None:
    compact = r.Text(r.Varint(), less=1)
    assert read(b"\3hi\1\0", (TEXT, compact), (TEXT, compact), (TEXT, compact))[::2] == [("x.text", "hi", 1, 2), ("x.text", "", 4, 0), ("x.text", None, 5, 0)]


def test_bytes_that_are_no_utf8_are_replaced_not_refused() -> None:
    assert read(b"\2\xff\xfe", (TEXT, r.Text(r.U8)))[0][1] == "\ufffd\ufffd"


def test_a_secret_keeps_its_range_and_loses_its_value() -> None:
    assert read(b"\0\0\0\4abcd", (TEXT, r.Secret(r.I32)))[0] == ("x.text", "(masked, 4 bytes)", 4, 4)


def test_a_c_string_owns_its_zero() -> None:
    assert read(b"ab\0c", (TEXT, r.CString()), (A, r.U8)) == [("x.text", "ab", 0, 3), ("x.a", 99, 3, 1)]
    assert read(b"ab", (TEXT, r.CString()))[-1][1] == "malformed at byte 0: wanted 3 bytes, had 2"


def test_an_array_of_numbers_and_one_of_groups_have_a_count_and_ranges() -> None:
    assert read(b"\2\0\1\0\2", (LIST, r.Array(r.U8, ITEM, r.I16))) == [
        ("x.list", None, 0, 5), ("x.list_len", 2, 0, 1), ("x.item", 1, 1, 2), ("x.item", 2, 3, 2)]
    group = r.Layout(ITEM, ((A, r.U8), (TEXT, r.Text(r.U8))), lambda c: f"Item {c[0].value} {c[1].value}")
    fields = r.read(r.Layout(None, ((LIST, r.Array(r.U8, ITEM, group)),)), b"\2\1\1a\2\0", 0, 6)
    assert [one.text for one in walk(fields) if one.name == "x.item"] == ["Item 1 a", "Item 2 "]
    assert [(one.start, one.length) for one in walk(fields) if one.name == "x.item"] == [(1, 3), (4, 2)]
    assert fields[0].text == "List (2)"


def test_a_null_array_and_a_count_that_cannot_be() -> None:
    assert r.read(r.Layout(None, ((LIST, r.Array(r.I8, ITEM, r.I16)),)), b"\xff", 0, 1)[0].text == "List: <null>"
    assert read(b"\xfe", (LIST, r.Array(r.I8, ITEM, r.I16))) == [("_ws.malformed", "malformed at byte 0: a count of -2", 0, 1)]


def test_a_count_of_more_than_can_fit_is_refused_before_reading() -> None:
    found = read(b"\x7f\xff\xff\xff" + bytes(100), (LIST, r.Array(r.I32, ITEM, r.Text(r.I32))))
    assert found[:2] == [("x.list", None, 0, 4), ("x.list_len", 0x7FFFFFFF, 0, 4)]
    assert found[2:] == [("_ws.malformed", "malformed at byte 4: a count of 2147483647 with 100 bytes left", 4, 100)]


def test_elements_without_a_count_end_with_the_bytes_or_with_the_last_one() -> None:
    assert [one[1] for one in read(b"\1\2\3", (LIST, r.Each(ITEM, r.U8)))] == [None, 1, 2, 3]
    assert read(b"\1\2\3\4", (LIST, r.Each(ITEM, r.U8, lambda one: one.value == 2)), (A, r.U8), (B, r.U8))[0] == ("x.list", None, 0, 2)
    assert "no bytes" in str(read(b"\1", (LIST, r.Each(ITEM, r.Layout(None, ()))))[-1][1])


def test_a_part_with_its_own_length_keeps_its_faults_to_itself() -> None:
    part = r.Limited(r.U8, r.Layout(GROUP, ((A, r.I32),)))
    assert read(b"\4\0\0\0\7\1", (GROUP, part), (B, r.U8)) == [("x.group_len", 4, 0, 1), ("x.group", None, 1, 4), ("x.a", 7, 1, 4), ("x.b", 1, 5, 1)]
    too_short = read(b"\2\0\0\1", (GROUP, part), (B, r.U8))
    assert too_short[2:] == [("_ws.malformed", "malformed at byte 1: wanted 4 bytes, had 2", 1, 2), ("x.b", 1, 3, 1)]
    left_over = read(b"\6\0\0\0\7xx\1", (GROUP, part), (B, r.U8))
    assert left_over[3:] == [("_ws.malformed", "malformed at byte 5: 2 bytes left over in Group", 5, 2), ("x.b", 1, 7, 1)]


def test_a_length_may_include_itself_or_stand_further_up() -> None:
    assert read(b"\5\0\0\0\7", (GROUP, r.Limited(r.U8, r.Layout(None, ((A, r.I32),)), less=1)))[1] == ("x.a", 7, 1, 4)
    assert read(b"\2\1ab\3", (A, r.U8), (B, r.U8), (BLOB, r.Sized(A, r.Rest())), (TEXT, r.Sized(B, r.Rest(text=True)))) == [
        ("x.a", 2, 0, 1), ("x.b", 1, 1, 1), ("x.blob", b"ab", 2, 2), ("x.text", "\3", 4, 1)]
    assert read(b"\7ab", (A, r.U8), (BLOB, r.Sized(A, r.Rest())))[-1] == ("_ws.malformed", "malformed at byte 3: wanted 5 bytes, had 0", 3, 0)


def test_what_comes_next_may_depend_on_what_came_before() -> None:
    parts = ((A, r.U8), (B, r.When(A, lambda v: v > 1, r.U8)), (C, r.Switch(A, {1: r.U8, 2: r.U16}, r.U32)), (D, r.IfMore(r.U8)))
    assert read(b"\1\7", *parts) == [("x.a", 1, 0, 1), ("x.c", 7, 1, 1)]
    assert read(b"\2\6\0\7\5", *parts) == [("x.a", 2, 0, 1), ("x.b", 6, 1, 1), ("x.c", 7, 2, 2), ("x.d", 5, 4, 1)]
    assert read(b"\3\6\0\0\0\7", *parts)[-1] == ("x.c", 7, 2, 4)


def test_tagged_fields_are_a_table_like_any_other() -> None:
    """Kafka's tag section: a count, then for each field its tag, its size and its bytes; tags that are not known keep their bytes."""
    tag, known = Spec("x.tag", "Tag", "uint32"), r.Layout(None, ((C, r.Limited(r.Varint(), r.I32)),))
    section = r.Array(r.Varint(), ITEM, r.Layout(ITEM, ((tag, r.Varint()), (BLOB, r.Switch(tag, {1: known}, r.Blob(r.Varint()))))))
    found = read(b"\2\1\4\0\0\0\7\x05\1z", (LIST, section))
    assert ("x.c", 7, 3, 4) in found
    assert ("x.blob", b"z", 9, 1) in found
    assert not any("malformed" in name for name, *_ in found)


def test_missing_and_surplus_bytes_are_malformed_at_their_place() -> None:
    assert read(b"\0\0\0", (A, r.U8), (B, r.I32)) == [("x.a", 0, 0, 1), ("_ws.malformed", "malformed at byte 1: wanted 4 bytes, had 2", 1, 2)]
    assert read(b"\0\1\2", (A, r.U8))[1] == ("_ws.malformed", "malformed at byte 1: 2 bytes left over", 1, 2)
    assert read(b"\0\0\0\x09abc", (TEXT, r.Text(r.I32))) == [("x.text_len", 9, 0, 4), ("_ws.malformed", "malformed at byte 4: wanted 9 bytes, had 3", 4, 3)]


def test_of_a_message_that_is_cut_off_the_part_of_the_last_field_stays() -> None:
    parts = ((A, r.U8), (LIST, r.Array(r.U8, ITEM, r.Text(r.U8))))
    assert read(b"\1\3\1a\5hel", *parts, want=20) == [
        ("x.a", 1, 0, 1), ("x.list", None, 1, 7), ("x.list_len", 3, 1, 1), ("x.item", "a", 3, 1), ("x.item_len", 1, 2, 1), ("x.item", "hel", 5, 3),
        ("x.item_len", 5, 4, 1), ("pv.incomplete", "8 of 20 bytes", 0, 0)]
    assert read(b"\0\0", (A, r.I32), want=4) == [("data.data", b"\0\0", 0, 2), ("pv.incomplete", "2 of 4 bytes", 0, 0)]


def test_of_a_message_that_is_cut_off_a_whole_part_can_still_be_malformed() -> None:
    part = r.Limited(r.U8, r.Layout(GROUP, ((A, r.I32),)))
    assert read(b"\2\0\0\1", (GROUP, part), (B, r.U8), (C, r.I32), want=8)[2:] == [
        ("_ws.malformed", "malformed at byte 1: wanted 4 bytes, had 2", 1, 2), ("x.b", 1, 3, 1), ("pv.incomplete", "4 of 8 bytes", 0, 0)]
    assert read(b"\4\0\0", (GROUP, part), want=5) == [
        ("x.group_len", 4, 0, 1), ("x.group", None, 1, 2), ("data.data", b"\0\0", 1, 2), ("pv.incomplete", "3 of 5 bytes", 0, 0)]


def test_parse_raises_what_read_writes_down() -> None:
    layout = r.Layout(None, ((A, r.I32),))
    with pytest.raises(r.Short, match="malformed at byte 0: wanted 4 bytes, had 2"):
        r.parse(layout, b"\0\0", 0, 2)
    assert r.parse(layout, b"\0\0\0\1z", 0, 5)[1] == 4


def test_a_layout_names_every_field_that_it_yields() -> None:
    items = r.Array(r.U8, ITEM, r.Layout(ITEM, ((TEXT, r.Text(r.U8)),)))
    layout = r.Layout(None, ((A, r.Flags(r.U8, (BIT,))), (LIST, items), (GROUP, r.Limited(r.U8, r.Layout(GROUP, ((C, r.U8),))))))
    named = {spec.name for spec in layout.specs(A)}
    assert named == {"x.a", "x.bit", "x.list", "x.list_len", "x.item", "x.text", "x.text_len", "x.group_len", "x.group", "x.c"}


_INNER = r.Layout(ITEM, ((A, r.I16), (TEXT, r.Text(r.U8)), (BLOB, r.Blob(r.Varint(), less=1))))
EVERYTHING = r.Layout(None, (
    (A, r.Flags(r.U8, (BIT,))), (B, r.Varint(zigzag=True)), (LIST, r.Array(r.U8, ITEM, _INNER)),
    (GROUP, r.Limited(r.U8, r.Layout(GROUP, ((C, r.U24), (LIST, r.Each(ITEM, _INNER)))))),
    (C, r.U8), (BLOB, r.Sized(C, r.Rest())), (D, r.Bool()), (TEXT, r.CString()), (LIST, r.Array(r.Varint(), ITEM, r.I16LE, less=1)),
    (D, r.When(C, bool, r.MILLIS)), (TEXT, r.Switch(C, {1: r.Secret(r.I16)}, r.Text(r.U8))), (BLOB, r.Bytes(2)), (BLOB, r.Rest()),
))


@given(st.binary(max_size=200), st.integers(0, 50))
def test_whatever_the_bytes_a_tree_comes_and_covers_them(data: bytes, missing: int) -> None:
    fields = r.read(EVERYTHING, data, 0, len(data), want=len(data) + missing)
    cover = bytearray(len(data))
    for one in walk(fields):
        assert one.start >= 0
        assert one.end <= len(data)
        assert printable(one.text) == one.text
        if one.value is not None or not one.fields:
            cover[one.start:one.end] = b"\1" * one.length
    assert all(cover), (cover.index(0), shown(fields))
