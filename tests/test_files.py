"""Files written by the format's rules are read back: every variant, cut anywhere, with bits turned over."""
from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from struct import pack

import pytest
from capture_bytes import Got, Sent, block, enhanced, interface, old, options, pcap, read, section, simple
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from captures.file.clock import NO_TIME
from captures.file.errors import CaptureError
from captures.file.interface import Interface
from captures.file.opening import open_source

SECOND = 1_700_000_000
PACKETS = [Sent(SECOND * 10**6 + 5, b"first"), Sent(SECOND * 10**6 + 999_999, b""), Sent(SECOND * 10**6 + 2_000_000, b"third packet", 1514)]
Write = Callable[[bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(data: bytes) -> Path:
        path = tmp_path / "capture"
        path.write_bytes(data)
        return path

    return to_file


def expected(packets: list[Sent], scale: int = 1000) -> list[Got]:
    return [Got(packet.time * scale, packet.data, packet.length, packet.interface) for packet in packets]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("magic", "version", "scale", "name"),
    [
        (0xA1B2C3D4, (2, 4), 1000, "pcap"),
        (0xA1B23C4D, (2, 4), 1, "pcap (nanoseconds)"),
        (0xA1B2CD34, (2, 4), 1000, "pcap (modified)"),
        (0xA1B2C3D4, (2, 2), 1000, "pcap"),
    ],
)
def test_a_pcap_file_of_any_kind_gives_the_packets_written(
    write: Write, order: str, magic: int, version: tuple[int, int], scale: int, name: str
) -> None:
    packets = PACKETS if scale == 1000 else [Sent(SECOND * 10**9 + 123_456_789, b"nano"), Sent(SECOND * 10**9 + 999_999_999, b"second")]
    found, source = read(write(pcap(packets, order, magic, version, link=113, snaplen=96)))
    assert (found, source.problems, source.format) == (expected(packets, scale), [], name)
    assert source.interfaces == [Interface(113, 96)]


def test_bits_above_the_link_type_are_not_part_of_it(write: Write) -> None:
    assert read(write(pcap(PACKETS, link=0x24000001)))[1].interfaces == [Interface(1, 65_535, fcs=4)]
    assert read(write(pcap(PACKETS, link=0x20030001)))[1].interfaces == [Interface(1, 65_535)]


def test_a_pcap_file_of_an_unknown_version_is_refused(write: Write) -> None:
    with pytest.raises(CaptureError, match=r"version 1\.4"):
        open_source(write(pcap(PACKETS, version=(1, 4))))


@pytest.mark.parametrize("data", [pcap([]), section(), section() + interface()])
def test_a_capture_without_packets_is_a_capture(write: Write, data: bytes) -> None:
    found, source = read(write(data))
    assert (found, source.problems, source.consumed()) == ([], [], source.size)


@pytest.mark.parametrize("order", "<>")
def test_all_three_packet_blocks_are_read(write: Write, order: str) -> None:
    data = section(order) + interface(order, link=101) + enhanced(PACKETS[0], order) + simple(Sent(0, b"simple", 6), order) + old(PACKETS[2], order)
    found, source = read(write(data))
    assert found == [*expected(PACKETS[:1]), Got(NO_TIME, b"simple", 6, 0), *expected(PACKETS[2:])]
    assert (source.interfaces, source.problems) == ([Interface(101, numbered=True, section=1)], [])


def test_a_simple_packet_ends_at_the_snap_length(write: Write) -> None:
    found, _ = read(write(section() + interface(snaplen=6) + simple(Sent(0, b"sixbyt", 1000))))
    assert found == [Got(NO_TIME, b"sixbyt", 1000, 0)]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("resolution", "offset", "ticks", "nanoseconds"),
    [
        (0, 0, SECOND, SECOND * 10**9),
        (3, 0, SECOND * 1000 + 7, SECOND * 10**9 + 7_000_000),
        (6, 0, 1, 1000),
        (9, 0, SECOND * 10**9 + 123_456_789, SECOND * 10**9 + 123_456_789),
        (12, 0, 5 * 10**12 + 1999, 5 * 10**9 + 1),
        (30, 0, 2**64 - 1, 0),
        (0x80, 0, SECOND, SECOND * 10**9),
        (0x80 | 10, 0, (SECOND << 10) + 512, SECOND * 10**9 + 500_000_000),
        (0x80 | 32, 0, (SECOND << 32) + (1 << 31) + 5, SECOND * 10**9 + 500_000_001),
        (0x80 | 60, 0, (3 << 60) + (1 << 59), 3_500_000_000),
        (0x80 | 70, 0, 2**64 - 1, 15_624_999),          # 2**64 of 2**70 parts are 1/64 s
        (6, 3600, SECOND * 10**6, (SECOND + 3600) * 10**9),
        (6, -3600, SECOND * 10**6, (SECOND - 3600) * 10**9),
        (6, -10, 1000, -9_999_000_000),                 # before 1970
        (6, 9_223_372_035, 1000, 9_223_372_035_001_000_000),
        (9, 0, 2**63 - 1, 2**63 - 1),                   # the last nanosecond that 64 bits hold, in the year 2262
        (0x80, -2**33, 5, (5 - 2**33) * 10**9),         # the year 1697
        (12, -1, 999_999_999_999, -1),                  # picoseconds: the finer fraction is cut off
    ],
)
def test_times_follow_the_interfaces_resolution_and_offset(write: Write, order: str, resolution: int, offset: int, ticks: int, nanoseconds: int) -> None:
    items = [(9, bytes([resolution])), (14, pack(order + "q", offset))]
    found, source = read(write(section(order) + interface(order, items=items) + enhanced(Sent(ticks, b"x"), order)))
    assert found[0].time == nanoseconds
    assert source.problems == []


@pytest.mark.parametrize(
    ("resolution", "offset", "ticks"), [(6, 0, 2**64 - 1), (9, 0, 2**63), (9, 2**63 - 1, 5), (6, -(2**63), 5), (0, -(2**34), 5), (0x80, 2**34, 5)]
)
def test_a_time_that_64_bits_cannot_hold_is_none_and_told(write: Write, resolution: int, offset: int, ticks: int) -> None:
    late = [(9, bytes([resolution])), (14, pack("<q", offset))]
    far = [enhanced(Sent(ticks, data, interface=1)) for data in (b"x", b"y")]
    found, source = read(write(section() + interface() + interface(items=late) + enhanced(PACKETS[0]) + b"".join(far)))
    assert [got.time for got in found] == [PACKETS[0].time * 1000, NO_TIME, NO_TIME]
    assert source.problems == ["times before 1678 or after 2261 in 2 packets, the first of them 2: they are shown without a time"]


def test_interfaces_of_several_sections_and_byte_orders_are_counted_on(write: Write) -> None:
    first = section("<") + interface("<", 1, 96, [(2, b"eth0")]) + interface("<", 113, 0, [(2, b"any\x1b[2J"), (9, b"\x09")])
    second = section(">") + interface(">", 101, 0, [(9, b"\x03")])
    third = section(">") + interface(">", 1)
    data = (
        first + enhanced(Sent(5, b"a", -1, 1), "<") + enhanced(Sent(6, b"b"), "<") + enhanced(Sent(7, b"c", -1, 1), "<")
        + second + enhanced(Sent(8, b"d"), ">") + third + enhanced(Sent(9, b"e"), ">") + first + enhanced(Sent(10, b"f", -1, 1), "<")
    )
    found, source = read(write(data))
    assert found == [
        Got(5, b"a", 1, 1), Got(6000, b"b", 1, 0), Got(7, b"c", 1, 1), Got(8_000_000, b"d", 1, 2), Got(9000, b"e", 1, 3), Got(10, b"f", 1, 5),
    ]
    eth, other = Interface(1, 96, "eth0", True, 1, 0), Interface(113, 0, "any\\x1b[2J", True, 1, 1)
    again = [eth._replace(section=4), other._replace(section=4)]
    assert source.interfaces == [eth, other, Interface(101, numbered=True, section=2), Interface(1, numbered=True, section=3), *again]
    assert source.problems == []


def test_an_interface_described_between_packets_holds_from_there_on(write: Write) -> None:
    data = section() + interface(items=[(9, b"\x09")]) + enhanced(PACKETS[0]) + interface(link=101) + enhanced(Sent(7, b"x", -1, 1)) + enhanced(PACKETS[0])
    found, _ = read(write(data))
    assert [(got.time, got.interface) for got in found] == [(PACKETS[0].time, 0), (7000, 1), (PACKETS[0].time, 0)]


@pytest.mark.parametrize("order", "<>")
def test_comments_are_kept(write: Write, order: str) -> None:
    data = section(order, items=[(1, b"about the file"), (4, b"program")]) + interface(order) + b"".join((
        enhanced(PACKETS[0], order),
        enhanced(PACKETS[1], order, [(2, bytes(4)), (1, b"look\nhere \x1b[31m"), (5, bytes(8)), (1, "да".encode())]),
        block(5, bytes(12), order),
        enhanced(PACKETS[2], order, [(2, bytes(4))]),
        old(PACKETS[2], order, [(1, b"old")]),
    ))
    _, source = read(write(data))
    assert dict(source.comments) == {1: ("look\nhere \\x1b[31m", "да"), 3: ("old",)}
    assert 1 in source.comments and 2 not in source.comments
    assert source.comments.get(0) is None
    assert source.metadata.comments == ["about the file"]


def test_an_option_that_overruns_its_block_gives_no_comment(write: Write) -> None:
    lying = pack("<IIIII", 0, 0, 5, 4, 4) + b"data" + pack("<HH", 1, 400) + b"beyond"
    found, source = read(write(section() + interface() + block(6, lying) + enhanced(PACKETS[0])))
    assert (len(found), dict(source.comments), source.problems) == (2, {}, [])


def test_other_blocks_are_passed_over(write: Write) -> None:
    others = [block(kind, b"whatever it holds") for kind in (4, 5, 9, 10, 11, 0xBAD, 0x40000BAD, 0x80000001)]
    found, source = read(write(section() + others[0] + interface() + b"".join(other + enhanced(PACKETS[0]) for other in others)))
    assert found == expected(PACKETS[:1]) * len(others)
    assert [problem.split(":")[0] for problem in source.problems] == [
        "1 systemd journal block without a packet, the first before packet 3", "2 custom blocks without a packet, the first before packet 6"
    ]


def test_a_block_length_that_leaves_out_the_padding_is_understood(write: Write) -> None:
    # seen from early writers; Wireshark rounds the length up in the same way
    length = pack("<I", 12 + 20 + 5)
    unpadded = pack("<I", 6) + length + pack("<IIIII", 0, 0, 5, 5, 5) + b"12345\0\0\0" + length
    found, source = read(write(section() + interface() + unpadded + enhanced(PACKETS[0])))
    assert (found, source.problems) == ([Got(5000, b"12345", 5, 0), *expected(PACKETS[:1])], [])


def cut_cases() -> list[tuple[bytes, dict[int, int]]]:
    """A file of each format, with the places where one whole record more is there and the packets up to them."""
    records = {len(pcap(PACKETS[:n])): n for n in range(len(PACKETS) + 1)}
    blocks = [
        (section(items=[(1, b"comment")]), 0), (interface(items=[(2, b"eth0")]), 0), (enhanced(PACKETS[0], items=[(1, b"hello")]), 1), (block(5, bytes(16)), 0),
        (simple(Sent(0, b"simple", 6)), 1), (interface(), 0), (enhanced(PACKETS[2]), 1),
    ]
    ends, data, packets = {}, b"", 0
    for one, more in blocks:
        data += one
        packets += more
        ends[len(data)] = packets
    return [(pcap(PACKETS), records), (data, ends)]


@pytest.mark.parametrize("case", [0, 1])
def test_a_file_cut_off_anywhere_gives_the_packets_before_and_says_so(write: Write, case: int) -> None:
    data, boundaries = cut_cases()[case]
    whole, _ = read(write(data))
    for end in range(1, len(data)):
        path = write(data[:end])
        if end < min(boundaries):
            with pytest.raises(CaptureError):
                open_source(path)
            continue
        found, source = read(path)
        assert found == whole[: max(packets for place, packets in boundaries.items() if place <= end)]
        assert len(source.problems) == (end not in boundaries), end
        if source.problems:
            assert f"packet {len(found) + 1}" in source.problems[0]
            assert source.problems[0].isprintable()


def test_the_cut_is_told_in_bytes(write: Write) -> None:
    data = pcap(PACKETS)
    assert read(write(data[:-3]))[1].problems == ["cut off in packet 3: a record of 28 bytes at byte 61, 25 there"]
    assert read(write(data[:66]))[1].problems == ["cut off in packet 3: a header of 16 bytes at byte 61, 5 there"]


@pytest.mark.parametrize("length", [(256 << 20) + 1, 0xFFFFFFFF])
def test_an_implausible_packet_length_ends_the_reading(write: Write, length: int) -> None:
    found, source = read(write(pcap(PACKETS[:2]) + pack("<IIII", SECOND, 0, length, length) + bytes(1000)))
    assert len(found) == 2
    assert source.problems == [f"damaged at packet 3: a packet of {length:,} bytes at byte 61; reading stopped there"]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (enhanced(Sent(0, b"x", -1, 3)), "interface 3"),
        (block(6, pack("<IIIII", 0, 0, 0, 9, 9) + b"12345678"), "longer than its block"),
        (block(6, bytes(8)), "longer than its block"),
        (block(3, b""), "longer than its block"),
        (pack("<II", 6, 8) + bytes(40), "a block of 8 bytes"),
        (pack("<II", 6, 0) + bytes(40), "a block of 0 bytes"),
        (enhanced(PACKETS[0])[:-4] + pack("<I", 99), "two lengths differ"),
        (block(6, bytes(24))[:4] + pack("<I", 0x7FFFFFF0) + bytes(100), "a block of 2,147,483,632 bytes"),
        (section(version=(2, 0)), "version 2.0"),
        (block(0x0A0D0D0A, bytes(16)), "without byte order"),
        (block(1, bytes(4)), "interface description too short"),
    ],
)
def test_a_damaged_block_ends_the_reading_behind_the_last_good_packet(write: Write, bad: bytes, said: str) -> None:
    found, source = read(write(section() + interface() + enhanced(PACKETS[0]) + enhanced(PACKETS[2]) + bad + enhanced(PACKETS[0])))
    assert found == expected([PACKETS[0], PACKETS[2]])
    assert len(source.problems) == 1
    assert said in source.problems[0] and "packet 3" in source.problems[0]


def test_a_simple_packet_before_any_interface_ends_the_reading(write: Write) -> None:
    found, source = read(write(section() + simple(Sent(0, b"x", 1))))
    assert (found, len(source.problems)) == ([], 1)


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_more_captured_than_on_the_wire_is_noted_once(write: Write, kind: str) -> None:
    packets = [PACKETS[0], Sent(7, b"longer", 2), Sent(8, b"longer too", 0)]
    data = pcap(packets) if kind == "pcap" else section() + interface() + b"".join(map(enhanced, packets))
    found, source = read(write(data))
    assert [(got.data, got.wire) for got in found] == [(b"first", 5), (b"longer", 2), (b"longer too", 0)]
    assert source.problems == ["more bytes captured than were on the wire in 2 packets, the first of them 2"]


@given(case=st.integers(0, 1), flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=4))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_turned_bits_never_raise_anything_but_a_clear_error(write: Write, case: int, flips: list[tuple[int, int]]) -> None:
    data, boundaries = cut_cases()[case]
    whole, _ = read(write(data))
    damaged = bytearray(data)
    for place, bits in flips:
        damaged[place % len(data)] ^= bits
    first = min(place % len(data) for place, _ in flips)
    try:
        found, source = read(write(bytes(damaged)))
    except CaptureError as error:
        assert first < min(boundaries)
        assert str(error).isprintable()
        return
    if first >= min(boundaries):
        untouched = max(packets for place, packets in boundaries.items() if place <= first)
        assert found[:untouched] == whole[:untouched]
    assert all(problem.isprintable() for problem in source.problems)


@given(data=st.binary(max_size=200), head=st.sampled_from([b"", pcap([]), section(), section(">") + interface(">"), b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd"]))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_a_capture_or_a_clear_error(write: Write, data: bytes, head: bytes) -> None:
    try:
        _, source = read(write(head + data))
    except CaptureError as error:
        assert str(error).isprintable()
    else:
        assert all(problem.isprintable() for problem in source.problems)


def test_what_cannot_be_opened_is_refused_in_one_line(write: Write, tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="No such file"):
        open_source(tmp_path / "missing")
    with pytest.raises(CaptureError, match="a directory"):
        open_source(tmp_path)
    with pytest.raises(CaptureError, match="empty"):
        open_source(write(b""))
    with pytest.raises(CaptureError, match="not a pcap or pcapng file"):
        open_source(write(b"GET / HTTP/1.1\r\n\r\n"))
    with pytest.raises(CaptureError, match="not a regular file"):
        open_source(Path("/dev/null"))
    with pytest.raises(CaptureError, match="cut off in its header"):
        open_source(write(pcap([])[:10]))
    with pytest.raises(CaptureError) as refused:
        open_source(tmp_path / "bad\x1b[2J\nname")
    assert str(refused.value).isprintable()


def test_a_format_is_told_by_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "misnamed.pcapng.gz"
    path.write_bytes(pcap(PACKETS))
    assert read(path)[1].format == "pcap"


def test_options_written_here_end_as_the_format_says() -> None:
    assert options([(1, b"abc")], ">") == b"\0\1\0\3abc\0\0\0\0\0"


@pytest.mark.skipif(shutil.which("capinfos") is None, reason="capinfos is not installed")
@pytest.mark.parametrize("folder", ["pcapng-suite", "link-and-odd"])
def test_public_captures_hold_as_many_packets_as_capinfos_counts(shared: Path, folder: str) -> None:
    paths = sorted(path for path in (shared / "public" / folder).iterdir() if path.suffix in (".pcap", ".pcapng", ".gz"))
    answer = subprocess.run(["capinfos", "-T", "-M", "-r", "-c", *map(str, paths)], capture_output=True, text=True, check=False)
    counts = {name: int(count) for name, count in (line.split("\t") for line in answer.stdout.splitlines())}
    assert len(counts) > 20
    ours = {str(path): len(read(path)[0]) for path in paths if str(path) in counts}
    assert ours == counts
