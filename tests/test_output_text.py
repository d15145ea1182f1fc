"""`-T text`: rows, trees and hex dumps as tshark prints them."""
from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captures.capture import Capture
from captures.output.hexdump import hex_digits, hex_line, hex_lines
from captures.output.text import dump_lines, relative_time, row_line, text, tree_lines
from captures.packet.model import Row
from protocols.decoder import View
from protocols.engine.fields import Spec, generated, group, seconds
from tui.command.cli import demo

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


@pytest.fixture(scope="module")
def capture() -> Capture:
    made = Capture(demo())
    made.read_index()
    return made


def tshark(*arguments: str) -> list[str]:
    done = subprocess.run(["tshark", "-n", "-r", demo(), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@needs_tshark
def test_a_syn_is_a_row_of_tsharks_but_for_the_ports(capture):
    ours = "".join(text(capture, range(2))).splitlines()
    shorter = [line.replace(":55752 ", " ").replace(":2181 ", " ") for line in ours]
    assert [line.split() for line in shorter] == [line.split() for line in tshark("-c", "2")]


def test_a_row_has_tsharks_columns():
    row = Row(7, 1_000_001_500, None, "", "10.0.0.1", "10.0.0.2", "TCP", 60, "hello")
    assert row_line(row, 1_000_000_000) == "    7 0.000001500     10.0.0.1 → 10.0.0.2     TCP 60 hello"


@pytest.mark.parametrize(("nanoseconds", "shown"), [
    (0, "0.000000"), (1_000, "0.000001"), (1, "0.000000001"), (-1_500_000_000, "-1.500000"), (10**12, "1000.000000"),
])
def test_times_have_six_decimals_or_nine(nanoseconds, shown):
    assert relative_time(nanoseconds) == shown


@needs_tshark
def test_dumps_are_tsharks(capture):
    dumps = [line for i in range(10) for line in [*hex_lines(capture.packet(i).views[0].data, group=16), ""]]
    assert dumps == tshark("-c", "10", "-x")


def test_several_views_are_told_apart():
    assert list(dump_lines([View("Frame", b"ab"), View("Body", b"\n")])) == [
        "Frame (2 bytes):", "0000  61 62                                             ab", "",
        "Body (1 byte):", "0000  0a                                                .",
    ]


@given(st.binary(max_size=300))
def test_a_dump_holds_every_byte_and_no_control_character(data):
    lines = list(hex_lines(data, group=16))
    assert bytes.fromhex("".join(line[6:53] for line in lines)) == data
    assert all(line.isprintable() for line in lines)


def test_lines_of_a_dump_in_halves_and_of_other_widths():
    assert hex_line(b"01234567\0a", 0x1f0) == "000001f0  30 31 32 33 34 35 36 37  00 61                    01234567.a"
    assert hex_line(b"01234567\0a", 0x1f0, "08X", halved=True) == "000001F0  30 31 32 33 34 35 36 37  00 61                    01234567 .a"
    assert hex_digits(b"\xff", 4) == "ff         "
    assert [len(hex_digits(b"", width)) for width in (8, 16, 32)] == [23, 48, 98]     # two digits a byte, a blank between bytes, one more a group


def test_a_tree_is_indented_by_four():
    inner, outer = Spec("x.y", "Inner", "uint8"), Spec("x", "Outer")
    tree = [group(outer, 0, 2, [generated(inner, 1), group(outer, 0, 1, [generated(inner, 2)])]), generated(inner, 3)]
    assert list(tree_lines(tree)) == ["Outer", "    [Inner: 1]", "    Outer", "        [Inner: 2]", "[Inner: 3]"]


def test_a_packet_is_its_row_its_tree_and_its_bytes(capture):
    lines = "".join(text(capture, range(4), tree=True, dump=True)).split("\n")
    start = lines.index(row_line(capture.row(3), capture.row(0).time))
    assert lines[start + 1].startswith("Frame 4: 115 bytes on wire (920 bits)")
    layers = [line.split(",")[0] for line in lines[start + 2:] if line and not line.startswith((" ", "0"))]
    assert layers == ["Ethernet II", "Internet Protocol Version 4", "Transmission Control Protocol", "Apache ZooKeeper"]
    assert lines[-12:-10] == ["    Read only: False", ""]
    assert lines[-10:] == [*hex_lines(capture.packet(3).views[0].data, group=16), "", ""]


def test_an_empty_capture_prints_nothing():
    assert list(text(None, ())) == []


def test_a_tree_leaves_out_what_a_message_has_not():
    capture = Capture(demo())
    capture.read_index()
    lines = list(tree_lines(capture.packet(20).layers))     # a request that was answered OK
    assert any("[Operation: create]" in line for line in lines)
    assert not any("[Error:" in line for line in lines)


@pytest.mark.parametrize(("nanoseconds", "decimals", "shown"), [
    (1_999_999_999, 6, "1.999999"), (-1_999_999_999, 6, "-1.999999"), (1_700_000_000_000_000_001, 9, "1700000000.000000001"), (-1, 9, "-0.000000001"),
])
def test_seconds_are_cut_off_and_never_rounded_up(nanoseconds, decimals, shown):
    assert seconds(nanoseconds, decimals) == shown
