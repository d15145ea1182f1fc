"""What a file says of a packet, as fields of the frame, and frame check sequences."""
from __future__ import annotations

from pathlib import Path
from struct import pack
from zlib import crc32

import pytest
from capture_bytes import Sent, block, enhanced, interface, old, options, section, simple
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tables import needs_tshark, opened, shown, table, tshark

from protocols.engine.fields import walk

CASES = Path(__file__).parent / "data" / "cases"
UDP = bytes.fromhex("020000000002020000000001080045000026000140004011" "26c40a0000010a000002138813890012000000010203040506070809")
FIELDS = [f"frame.{name}" for name in (
    "number", "section_number", "interface_id", "interface_name", "interface_description", "interface_queue", "packet_flags", "packet_flags_direction",
    "packet_flags_reception_type", "packet_flags_fcs_length", "packet_flags_crc_error", "packet_id", "drop_count", "p2p_dir", "comment", "protocols",
)]


@needs_tshark
@pytest.mark.parametrize("name", ["tools-directions", "tools-two-comments", "tools-names"])
def test_cases_have_tsharks_values(name: str) -> None:
    capture = opened(CASES / f"{name}.pcapng")
    assert table(capture, *FIELDS, "data.len") == tshark(capture.path, *FIELDS, "data.len")


@needs_tshark
@pytest.mark.parametrize("name", ["tools-directions.pcapng", "tools-sections.pcapng", "tools-fcs.pcap"])
def test_records_lie_where_tshark_says(name: str) -> None:
    capture = opened(CASES / name)
    assert table(capture, "frame.file_off") == tshark(capture.path, "frame.file_off", more=("-o", "frame.show_file_off:TRUE"))


def test_two_comments_are_two_values() -> None:
    capture = opened(CASES / "tools-two-comments.pcapng")
    assert shown(capture, 'frame.comment == "one"') == shown(capture, 'frame.comment == "comment two"') == [1]
    assert table(capture, "frame.comment") == [["one,comment two"], ["x"]]


@pytest.mark.parametrize(("filter_", "numbers"), [
    ("frame.packet_flags_direction == 1", [1]), ("frame.packet_flags_direction == 2", [2]), ("frame.packet_flags", [1, 2, 3]), ("frame.p2p_dir == 0", [2]),
    ("frame.packet_flags_crc_error == 1", []), ("frame.section_number == 1", [1, 2, 3]), ("frame.file_off > 48", [2, 3]), ("frame.drop_count", []),
    ("data.len == 11", [2, 3]), ("frame.interface_description", []),
])
def test_filters_find_them(filter_: str, numbers: list[int]) -> None:
    assert shown(opened(CASES / "tools-directions.pcapng"), filter_) == numbers


@needs_tshark
@pytest.mark.parametrize("order", "<>")
def test_every_option_of_a_packet_is_tsharks(tmp_path: Path, order: str) -> None:
    flags = [0x01000105, 0x8000008A, 0xFF00FFFF, 0]
    items = [[(2, pack(order + "I", word)), (4, pack(order + "Q", 2**40 + n)), (5, pack(order + "Q", 2**63 + n)), (6, pack(order + "I", n)), (1, b"c%d" % n)]
             for n, word in enumerate(flags)]
    described = interface(order, items=[(2, b"eth0"), (3, b"the first")])
    data = section(order) + described + b"".join(enhanced(Sent(5, UDP), order, one) for one in items) + old(Sent(6, UDP), order, items[1][:1])
    capture = opened(tmp_path / "in.pcapng", data)
    names = [name for name in FIELDS if name != "frame.protocols"]
    assert table(capture, *names) == tshark(capture.path, *names)


def test_verdicts_are_values_by_their_kind(tmp_path: Path) -> None:
    items = [(7, b"\0hard"), (7, b"\1" + pack("<q", -2)), (7, b"\2" + pack("<q", 2)), (7, b"\x09odd"), (7, b"\1bad")]
    capture = opened(tmp_path / "in.pcapng", section() + interface() + enhanced(Sent(5, UDP), items=items))
    names = [f"frame.verdict.{name}" for name in ("hw", "ebpf_tc", "ebpf_xdp", "unknown")]
    assert table(capture, *names) == [[b"hard".hex(), "-2", "2", f"{b'odd'.hex()},{b'bad'.hex()}"]]


def process(number: int, name: str) -> bytes:
    return block(0x80000001, pack("<I", number) + options([(2, name.encode())], "<"))


def test_addresses_have_the_names_that_the_file_gives_them(tmp_path: Path) -> None:
    capture = opened(CASES / "tools-names.pcapng")
    assert table(capture, "ip.src_host", "ip.dst_host", "ip.host") == [["alpha.example", "beta.example", "alpha.example,beta.example"]] * 2
    assert shown(capture, 'ip.host == "beta.example"') == shown(capture, 'ip.src_host contains "alpha"') == [1, 2]
    assert shown(capture, 'ip.host == "beta2"') == shown(capture, 'ip.src_host == "10.0.0.1"') == []
    six = bytes.fromhex("020000000002020000000001" "86dd" "6000000000083b40") + bytes(15) + b"\1" + bytes(15) + b"\2" + bytes(8)
    named = block(4, pack("<HH", 2, 20) + bytes(15) + b"\2" + b"two\0" + bytes(4))
    capture = opened(tmp_path / "in.pcapng", section() + interface() + named + enhanced(Sent(5, six)) + enhanced(Sent(5, UDP)))
    names = ["ipv6.src_host", "ipv6.dst_host", "ipv6.host", "ip.src_host", "ip.dst_host", "ip.host"]
    assert table(capture, *names) == [["::1", "two", "::1,two", "", "", ""], ["", "", "", "10.0.0.1", "10.0.0.2", "10.0.0.1,10.0.0.2"]]


def test_a_packet_names_processes_of_its_section(tmp_path: Path) -> None:
    """As tcpdump of macOS writes them: a block a process, and in the packet's options its place among the section's."""
    def by(first: int, second: int | None = None) -> bytes:
        named = [(0x8001, pack("<I", first))] + ([(0x8003, pack("<I", second))] if second is not None else [])
        return enhanced(Sent(5, UDP), items=named)

    first = [section(), interface(), process(51, "curl"), process(7, "proxyd"), by(0), by(1, 0), by(2)]
    capture = opened(tmp_path / "in.pcapng", b"".join([*first, section(), interface(), process(9, "nc"), by(0), by(1)]))
    assert table(capture, "frame.process.pid", "frame.process.name", "frame.process.epid", "frame.process.epname") == [
        ["51", "curl", "", ""], ["7", "proxyd", "51", "curl"], [""] * 4, ["9", "nc", "", ""], [""] * 4,
    ]
    assert shown(capture, 'frame.process.name == "curl"') == [1]


@needs_tshark
def test_a_frame_check_sequence_is_no_trailer() -> None:
    capture = opened(CASES / "tools-fcs.pcap")
    names = ["eth.fcs", "eth.fcs.status", "eth.trailer", "eth.padding", "data.len", "frame.protocols"]
    assert table(capture, *names) == tshark(capture.path, *names, more=("-o", "eth.check_fcs:TRUE"))


@pytest.mark.parametrize(("described", "items"), [
    (interface(items=[(13, b"\x04")]), []), (interface(), [(2, pack("<I", 4 << 5))]), (interface(items=[(13, b"\x20")]), []),
    (interface(items=[(13, b"\0")]), [(2, pack("<I", 4 << 5))]),
])
def test_interface_or_packet_say_that_there_is_a_check_sequence(tmp_path: Path, described: bytes, items: list[tuple[int, bytes]]) -> None:
    arp = bytes.fromhex("ffffffffffff02000000000108060001080006040001020000000001" "0a0000010000000000000a000002") + bytes(18)
    unread = bytes.fromhex("02000000000202000000000188b5") + b"payload"
    frames = [one + crc32(one).to_bytes(4, "little") for one in (arp, unread)]
    bad = unread + b"\1\2\3\4"
    packets = [enhanced(Sent(1, one), items=items) for one in (*frames, bad)] + [enhanced(Sent(1, frames[1][:-2], len(frames[1])), items=items)]
    rows = table(opened(tmp_path / "in.pcapng", section() + described + b"".join(packets)), "eth.fcs", "eth.fcs.status", "eth.trailer", "data.data")
    assert rows == [
        ["0x" + frames[0][-4:].hex(), "1", "", ""], ["0x" + frames[1][-4:].hex(), "1", "", b"payload".hex()], ["0x01020304", "0", "", b"payload".hex()],
        ["", "", "", b"payload".hex()],
    ]


@given(flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), max_size=4), end=st.integers(40, 600))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_gives_trees_and_no_exception(tmp_path: Path, flips: list[tuple[int, int]], end: int) -> None:
    items = [(1, b"comment"), (2, pack("<I", 0x81)), (4, bytes(8)), (7, b"\1" + bytes(8)), (0x8001, bytes(4))]
    described = interface(items=[(2, b"e"), (9, b"\x09"), (13, b"\4")]), process(5, "p")
    told = block(4, pack("<HH", 1, 7) + bytes(4) + b"ab\0\0" + bytes(4)), block(5, pack("<III", 0, 0, 0))
    packets = enhanced(Sent(5, UDP), items=items), *told, simple(Sent(0, UDP)), old(Sent(5, UDP))
    data = bytearray(b"".join([section(items=[(2, b"x")]), *described, *packets]))
    for place, bits in flips:
        data[40 + place % (len(data) - 40)] ^= bits
    capture = opened(tmp_path / "in.pcapng", bytes(data[:end]))
    assert all("mistake" not in problem for problem in capture.problems)
    for i in range(len(capture)):
        assert all(one.text.isprintable() for one in walk(capture.packet(i).layers))
