"""Times: packets that have none, clocks of every kind, sections and interfaces that come between packets."""
from __future__ import annotations

from pathlib import Path
from struct import pack

import pytest
from capture_bytes import Sent, block, enhanced, interface, old, options, read, section, simple
from tables import needs_tshark, opened, shown, table, tshark

from captures.capture import Capture
from captures.output.info import info_lines, open_index
from captures.output.ndjson import ndjson
from captures.output.text import text

CASES = Path(__file__).parent / "data" / "cases"
FRAME = bytes(range(60))
MIXED = [
    enhanced(Sent(100_000_000, FRAME)), simple(Sent(0, FRAME)), simple(Sent(0, FRAME)), enhanced(Sent(102_500_000, FRAME)),
    enhanced(Sent(101_000_000, FRAME)), enhanced(Sent(0, FRAME)),
]
"""Times 100 s, none, none, 102.5 s, 101 s, and the first second of 1970."""


@pytest.fixture
def mixed(tmp_path: Path) -> Capture:
    return opened(tmp_path / "mixed.pcapng", section() + interface() + b"".join(MIXED))


def test_a_packet_without_a_time_has_no_field_of_time_and_the_others_count_without_it(mixed: Capture) -> None:
    assert table(mixed, "frame.time_epoch", "frame.time_relative", "frame.time_delta", "_ws.col.Time") == [
        ["100.000000000", "0.000000000", "0.000000000", "0.000000"], [""] * 4, [""] * 4, ["102.500000000", "2.500000000", "2.500000000", "2.500000"],
        ["101.000000000", "1.000000000", "-1.500000000", "1.000000"], ["0.000000000", "-100.000000000", "-101.000000000", "-100.000000"],
    ]
    # the tree and the columns say the same
    deep = table(mixed, "frame.time_epoch", "frame.time_relative", "frame.time_delta", "frame.interface_id")
    assert [row[:3] for row in deep] == [row[:3] for row in table(mixed, "frame.time_epoch", "frame.time_relative", "frame.time_delta")]
    for i in range(6):
        names = {field.name: field.value for field in mixed.lower(i).layers[0].fields}
        assert ("frame.time" in names) == ("frame.time_delta" in names) == (i not in (1, 2))


@pytest.mark.parametrize(("filter_", "numbers"), [
    ("frame.time", [1, 4, 5, 6]), ("frame.time_epoch", [1, 4, 5, 6]), ("not frame.time_relative", [2, 3]), ("frame.time_epoch == 0", [6]),
    ("frame.time_relative < 1", [1, 6]), ("frame.time_relative >= 0", [1, 4, 5]), ("frame.time_delta == 2.5", [4]), ("frame.time_delta < 0", [5, 6]),
    ("not frame.time_delta > 0", [1, 2, 3, 5, 6]), ("frame.time_relative >= 0 && frame.len > 3", [1, 4, 5]),
    ("frame.time_epoch > frame.time_relative", [1, 4, 5, 6]), ("frame.time_delta < frame.time_epoch", [1, 4, 5, 6]),
    ("frame.time_delta_displayed", [1, 4, 5, 6]), ('frame.time < "1970-01-01 00:00:01 UTC"', [6]),
])
def test_filters_know_no_time_where_there_is_none(mixed: Capture, filter_: str, numbers: list[int]) -> None:
    assert shown(mixed, filter_) == numbers


def test_a_time_that_is_missing_is_blank_in_rows_and_null_in_json(mixed: Capture) -> None:
    rows = list(text(mixed, range(3)))
    assert rows[0][:17] == "    1   0.000000 " and rows[1][:17] == "    2" + " " * 12
    assert ['"time":null' in line for line in ndjson(mixed, range(3))] == [False, True, True]


def test_what_comes_first_without_a_time_is_no_origin(tmp_path: Path) -> None:
    capture = opened(tmp_path / "in.pcapng", section() + interface() + MIXED[1] + MIXED[0] + MIXED[2] + MIXED[3])
    assert table(capture, "frame.time_relative", "frame.time_delta") == [["", ""], ["0.000000000"] * 2, ["", ""], ["2.500000000"] * 2]


def test_times_are_told_of_the_packets_that_have_one(mixed: Capture) -> None:
    told = "".join(info_lines(mixed.path, open_index(mixed.path)))
    assert "Capture duration:    102.500000 seconds\n" in told and "First packet time:   1970-01-01 00:00:00.000000 UTC\n" in told
    assert "Packets without a time: 2\n" in told and "Strict time order:   False\n" in told


def test_simple_packets_have_no_time_and_their_messages_no_response_time() -> None:
    capture = opened(CASES / "simple-packets-no-time.pcapng")
    assert table(capture, "frame.number", "frame.time", "frame.time_epoch", "frame.time_relative") == [[str(n), "", "", ""] for n in range(1, 11)]
    assert shown(capture, "frame.time_epoch") == shown(capture, "pv.rrt") == shown(capture, "pv.queued") == shown(capture, "tcp.time_delta") == []
    assert "Packets without a time: 10\n" in "".join(info_lines(capture.path, open_index(capture.path)))


@pytest.mark.parametrize(("name", "epoch", "date"), [
    ("before-1970", "-9.999000000", "Dec 31, 1969 23:59:50.001000000 UTC"), ("year-2262", "9223372035.001000000", "Apr 11, 2262 23:47:15.001000000 UTC"),
])
def test_years_before_1970_and_up_to_2262_are_told(name: str, epoch: str, date: str) -> None:
    assert table(opened(CASES / f"{name}.pcapng"), "frame.time_epoch", "frame.time") == [[epoch, date]]


@pytest.mark.parametrize(("name", "packets"), [("two-clocks-bad-interface", 0), ("two-clocks-bad-interface-later", 2)])
def test_damage_is_told_where_interfaces_have_two_clocks(name: str, packets: int) -> None:
    capture = opened(CASES / f"{name}.pcapng")
    assert (len(capture), len(capture.problems)) == (packets, 1)
    assert capture.problems[0].startswith(f"damaged at packet {packets + 1}: ")


@needs_tshark
@pytest.mark.parametrize("name", ["two-sections", "simple-packets-no-time", "tools-directions", "tools-two-comments", "year-2262"])
def test_cases_have_tsharks_times_sections_and_interfaces(name: str) -> None:
    path = CASES / f"{name}.pcapng"
    names = ["frame.number", "frame.section_number", "frame.interface_id", "frame.time", "frame.time_epoch", "frame.time_delta", "frame.time_relative"]
    assert table(opened(path), *names) == tshark(path, *names)


def test_interfaces_are_numbered_in_their_section_and_named_by_it() -> None:
    capture = opened(CASES / "tools-sections.pcapng")    # tshark 4.0 names all by the first section's
    rows = table(capture, "frame.section_number", "frame.interface_id", "frame.interface_name")
    assert rows == [[str(n // 2 + 1), "0", "abcd"[n // 2]] for n in range(8)]


CLOCKS = [
    interface(items=[(9, b"\x00")]), interface(items=[(9, b"\x03"), (14, pack("<q", 3600))]), interface(),
    interface(items=[(9, b"\x09"), (14, pack("<q", -5))]),
    interface(items=[(9, b"\x0c")]), interface(items=[(9, b"\x8a")]), interface(items=[(9, b"\xa0"), (14, pack("<q", 10**9))]),
]
TICKS = [
    (0, 1_700_000_000), (1, 1_700_000_000_123), (2, 1_700_000_000_123_456), (3, 1_700_000_000_123_456_789), (4, 1_700_000_000_123_456),
    (5, 1_740_800_000_512), (6, (700_000_000 << 32) + (1 << 30)),
]


@needs_tshark
def test_every_clock_counts_as_tsharks_whenever_its_interface_is_described(tmp_path: Path) -> None:
    packets = [enhanced(Sent(ticks, FRAME, interface=number)) for number, ticks in TICKS]
    turns = b"".join(packets[number] for number in (3, 0, 6, 1, 4, 2, 5, 5, 2, 0))
    together = section() + b"".join(CLOCKS) + turns
    one_by_one = section() + b"".join(part for pair in zip(CLOCKS, packets, strict=True) for part in pair) + turns
    for n, data in enumerate((together, one_by_one, together + one_by_one)):
        capture = opened(tmp_path / f"{n}.pcapng", data)
        assert table(capture, "frame.time_epoch", "frame.interface_id") == tshark(capture.path, "frame.time_epoch", "frame.interface_id")


def alternating(count: int, kind: str) -> bytes:
    """As many packets, before each of them something that changes."""
    parts = [] if kind == "section" else [section()]
    for n in range(count):
        if kind == "section":
            parts += [section(), interface(items=[(9, bytes([6 + 3 * (n % 2)]))])]
        elif kind == "interface" or not n:
            parts.append(interface(items=[(9, bytes([6 + 3 * (n % 2)]))]))
        if kind == "statistics":
            parts.append(block(5, pack("<III", 0, 0, 5) + options([(5, pack("<Q", n))], "<")))
        packet = Sent(n * 10**9, FRAME, interface=n if kind == "interface" else 0)
        parts.append((old if n % 3 else enhanced)(packet, items=[(1, b"%d" % n)] if n % 5 == 0 else ()))
    return b"".join(parts)


@pytest.mark.parametrize("kind", ["section", "interface", "statistics"])
def test_a_block_before_each_packet_makes_no_more_chunks(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "in.pcapng"
    path.write_bytes(alternating(3000, kind))
    found, source = read(path)
    assert [got.time for got in found] == [n * (10**12 if kind == "statistics" or n % 2 == 0 else 10**9) for n in range(3000)]
    assert [got.interface for got in found] == ([0] * 3000 if kind == "statistics" else list(range(3000)))
    assert dict(source.comments) == {n: (str(n),) for n in range(0, 3000, 5)}
    assert source.problems == []
    assert len(list(Capture(path).source.chunks())) <= 3
    assert source.metadata.dropped == (2999 if kind == "statistics" else None)


def test_damage_between_blocks_that_change_something_is_told_at_its_packet(tmp_path: Path) -> None:
    good = [section(), interface(), enhanced(Sent(1, FRAME)), interface(), enhanced(Sent(2, FRAME, interface=1))]
    bad = enhanced(Sent(3, FRAME, interface=2))
    capture = opened(tmp_path / "in.pcapng", b"".join([*good, bad, interface(), interface(), block(1, bytes(4))]))
    assert (len(capture), len(capture.interfaces), len(capture.problems)) == (2, 2, 1)
    assert "packet 3: a packet of interface 2, which is not described" in capture.problems[0]


def test_a_mistake_of_the_reader_is_told_and_keeps_what_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "in.pcapng"
    path.write_bytes(section() + interface() + enhanced(Sent(1, FRAME)) + section(">") + interface(">") + enhanced(Sent(2, FRAME), ">"))
    capture = Capture(path)
    reader = capture.source._packets     # type: ignore[attr-defined]

    def failing(*arguments: object) -> object:
        if capture.source.count:
            raise ValueError("zip() argument 3 is longer")
        return reader(*arguments)

    monkeypatch.setattr(capture.source, "_packets", failing)
    capture.read_index()
    assert (len(capture), capture.complete, len(capture.problems)) == (1, True, 1)
    assert "behind packet 1 by a mistake of the program: ValueError: zip() argument 3 is longer (test_times.py:" in capture.problems[0]
