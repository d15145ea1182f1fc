"""Saved captures, read back by dpkt and by our own readers."""
from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from struct import pack, unpack_from

import dpkt
import pytest
from capture_bytes import Sent, block, enhanced, interface, old, options, pcap, section, simple
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from captures.capture import Capture
from captures.file.errors import CaptureError
from captures.filter import FilterRun, Names, compile_filter
from captures.output.save import save_packets, with_streams

MIXED = Path(__file__).parent / "data" / "filter" / "mixed.pcap"
CASES = Path(__file__).parent / "data" / "cases"
FRAME = bytes(range(60))


def opened(path: Path, data: bytes) -> Capture:
    path.write_bytes(data)
    capture = Capture(path)
    capture.read_index()
    return capture


def commented(folder: Path) -> Capture:
    """Two interfaces, three packets, comments of the file and of packets 1 and 3 (two of them)."""
    blocks = [
        section(items=[(1, b"whole file")]), interface(items=[(2, b"eth0")], snaplen=100), interface(link=113, items=[(2, b"any"), (9, b"\x09")]),
        enhanced(Sent(1_000_001, FRAME, 90), items=[(1, b"first")]), enhanced(Sent(2_000_000_003, FRAME[:33], interface=1)),
        enhanced(Sent(3_000_000, FRAME), items=[(1, b"a"), (1, "größer".encode())]),
    ]
    return opened(folder / "in.pcapng", b"".join(blocks))


def test_pcapng_keeps_interfaces_comments_and_lengths(tmp_path: Path) -> None:
    capture = commented(tmp_path)
    assert save_packets(capture, [2, 0], tmp_path / "out.pcapng") == 2
    again = Capture(tmp_path / "out.pcapng")
    again.read_index()
    assert again.interfaces == capture.interfaces
    assert again.source.metadata.comments == ["whole file"]
    assert dict(again.source.comments) == {0: ("first",), 1: ("a", "größer")}
    assert [again.packet(i).views[0].data for i in range(len(again))] == [FRAME, FRAME]
    assert again.columns.wire[:2].tolist() == [90, 60]
    assert again.columns.ts[:2].tolist() == [1_000_001_000, 3_000_000_000]
    assert not again.problems


def test_pcapng_is_read_by_another_reader(tmp_path: Path) -> None:
    capture = opened(tmp_path / "in.pcap", pcap([Sent(5_000_007, FRAME), Sent(6_000_000, FRAME[:17], 99)]))
    save_packets(capture, range(2), tmp_path / "out.pcapng")
    packets = list(dpkt.pcapng.Reader(io.BytesIO((tmp_path / "out.pcapng").read_bytes())))
    assert [(round(time * 1e6), data) for time, data in packets] == [(5_000_007, FRAME), (6_000_000, FRAME[:17])]


@pytest.mark.parametrize(("magic", "time"), [(0xA1B2C3D4, 5_000_007), (0xA1B23C4D, 5_000_000_007)])
def test_pcap_is_read_by_another_reader_and_keeps_nanoseconds_where_there_are_any(tmp_path: Path, magic: int, time: int) -> None:
    data = pcap([Sent(time, FRAME), Sent(time + 1, FRAME[:17], 99)], magic=magic)
    capture = opened(tmp_path / "in.pcap", data)
    save_packets(capture, range(2), tmp_path / "out.pcap")
    saved = (tmp_path / "out.pcap").read_bytes()
    assert saved == data
    assert [packet for _, packet in dpkt.pcap.Reader(io.BytesIO(saved))] == [FRAME, FRAME[:17]]


def test_pcap_refuses_several_link_types(tmp_path: Path) -> None:
    capture = commented(tmp_path)
    with pytest.raises(CaptureError, match="one link type"):
        save_packets(capture, range(3), tmp_path / "out.pcap")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.pcapng"]
    assert save_packets(capture, [1], tmp_path / "out.pcap") == 1


def test_the_capture_being_read_is_not_overwritten(tmp_path: Path) -> None:
    capture = commented(tmp_path)
    with pytest.raises(CaptureError, match="being read"):
        save_packets(capture, [0], tmp_path / "in.pcapng")
    with pytest.raises(CaptureError, match="saved as"):
        save_packets(capture, [0], tmp_path / "out.txt")


def test_nothing_can_be_saved(tmp_path: Path) -> None:
    capture = commented(tmp_path)
    for name in ("out.pcap", "out.pcapng"):
        assert save_packets(capture, [], tmp_path / name) == 0
        assert len(list(Capture(tmp_path / name).source.chunks())) == 0


@pytest.fixture(scope="module")
def mixed() -> Capture:
    capture = Capture(MIXED)
    capture.read_index()
    return capture


@pytest.mark.parametrize("text", ["kafka && tcp.len > 500", 'pv.op == "create"', "mongo && pv.kind == response"])
def test_with_their_streams_saved_messages_read_as_before(tmp_path: Path, mixed: Capture, text: str) -> None:
    chosen = [int(i) for step in FilterRun(mixed, compile_filter(text, Names(mixed.registry))) for i in step]
    assert chosen
    save_packets(mixed, chosen, tmp_path / "out.pcapng", streams=True)
    again = Capture(tmp_path / "out.pcapng")
    again.read_index()
    kept = with_streams(mixed, chosen)
    assert set(chosen) <= set(kept)
    for i in chosen:
        before, after = mixed.row(i), again.row(kept.index(i))
        assert (after.protocol, after.info) == (before.protocol, before.info)


def test_the_handshake_comes_with_its_stream(mixed: Capture) -> None:
    chosen = [int(i) for step in FilterRun(mixed, compile_filter("kafka", Names(mixed.registry))) for i in step][-1:]
    stream = mixed.stream_of(chosen[0])
    kept = with_streams(mixed, chosen)
    flags = [int(mixed.columns.flags[i]) & 0x12 for i in kept]
    assert flags[:3] == [0x02, 0x12, 0x10]
    assert {mixed.stream_of(i) for i in kept} == {stream}


# all that a file says beside its packets


def saved(capture: Capture, packets: list[int], name: str) -> tuple[bytes, list[str]]:
    """The file's bytes, and what was told."""
    told: list[str] = []
    path = capture.path.with_name(name)
    save_packets(capture, packets, path, tell=told.append)
    return path.read_bytes(), told


def blocks_of(data: bytes, order: str = "<") -> list[bytes]:
    out, at = [], 0
    while at < len(data):
        length = unpack_from(order + "I", data, at + 4)[0]
        out.append(data[at : at + length])
        at += length
    return out


@pytest.mark.parametrize("name", [
    "tools-directions", "tools-names", "tools-two-comments", "tools-journal", "before-1970", "year-2262", "simple-packets-no-time", "two-sections",
])
def test_all_packets_saved_as_pcapng_are_the_file_itself(tmp_path: Path, name: str) -> None:
    data = (CASES / f"{name}.pcapng").read_bytes()
    capture = opened(tmp_path / "in.pcapng", data)
    again, told = saved(capture, list(range(len(capture))), "out.pcapng")
    # but for the length of the section
    assert [(one[:16] + one[24:] if one[:4] == b"\n\r\r\n" else one) for one in blocks_of(again)] == [
        (one[:16] + one[24:] if one[:4] == b"\n\r\r\n" else one) for one in blocks_of(data)]
    assert told == []


def test_secrets_statistics_and_custom_blocks_are_kept_but_for_those_that_forbid_it(tmp_path: Path) -> None:
    data = (CASES / "tools-secrets-custom-statistics.pcapng").read_bytes()
    capture = opened(tmp_path / "in.pcapng", data)
    again, told = saved(capture, [1], "out.pcapng")
    assert blocks_of(again) == [one for n, one in enumerate(blocks_of(data)) if n not in (3, 5)]     # the first packet, and the block 0x40000bad
    assert told == ["not kept: custom blocks that forbid it (1)"]


def test_sections_of_both_byte_orders_keep_theirs(tmp_path: Path) -> None:
    capture = opened(tmp_path / "in.pcapng", (CASES / "tools-sections.pcapng").read_bytes())
    saved(capture, [1, 4, 7], "out.pcapng")
    again = Capture(tmp_path / "out.pcapng")
    again.read_index()
    assert (again.interfaces, again.problems) == (capture.interfaces, [])
    assert [again.frame(i) for i in range(3)] == [capture.frame(i) for i in (1, 4, 7)]
    assert again.columns.ts[:3].tolist() == capture.columns.ts[[1, 4, 7]].tolist()
    assert again.columns.iface[:3].tolist() == [0, 2, 3]


@pytest.mark.parametrize("order", "<>")
def test_options_that_may_not_be_copied_are_left_out_of_every_block(tmp_path: Path, order: str) -> None:
    private, copyable = [(19372, b"\0\0\0\x01secret"), (19373, b"\0\0\0\x01\0")], (2988, b"\0\0\0\x01open")
    packet, link = Sent(5, FRAME), (2, b"eth0")
    whole = [section(order, items=[*private, (3, b"Linux")]), interface(order, items=[link, *private]), enhanced(packet, order, [private[0], copyable]),
             old(packet, order, private), simple(packet, order), block(5, pack(order + "III", 0, 0, 5) + options([(5, bytes(8)), *private], order), order)]
    kept = [section(order, items=[(3, b"Linux")]), interface(order, items=[link]), enhanced(packet, order, [copyable]), old(packet, order),
            simple(packet, order), block(5, pack(order + "III", 0, 0, 5) + options([(5, bytes(8))], order), order)]
    again, told = saved(opened(tmp_path / "in.pcapng", b"".join(whole)), [0, 1, 2], "out.pcapng")
    assert blocks_of(again, order) == kept
    assert told == ["not kept: custom options that forbid it (9)"]


def test_what_pcap_cannot_hold_is_told(tmp_path: Path) -> None:
    everything = [
        section(items=[(1, b"note"), (2, b"x86"), (3, b"Linux")]), interface(items=[(2, b"eth0"), (14, pack("<q", -1))]), block(10, bytes(8)),
        enhanced(Sent(1, FRAME), items=[(1, b"a"), (1, b"b"), (2, pack("<I", 1)), (4, bytes(8))]), simple(Sent(0, FRAME)), enhanced(Sent(2**52, FRAME)),
        enhanced(Sent(5_000_000, FRAME)), block(4, pack("<HH", 1, 7) + bytes(4) + b"ab\0\0" + bytes(4)),
        block(5, pack("<III", 0, 0, 0)), block(0xBAD, bytes(8)),
    ]
    capture = opened(tmp_path / "in.pcapng", b"".join(everything))
    data, told = saved(capture, list(range(4)), "out.pcap")
    assert told == [
        "not kept: packet comments (2), other options of packets (2), words on hardware, system and application (2), capture comments (1), "
        "interfaces' names and descriptions (1), interface statistics (1), resolved names (1), decryption secrets (1), other blocks (1), "
        "packets without a time, which pcap cannot say, written as of 1970 (1), times before 1970 or after 2106, written as of 1970 (2)"
    ]
    assert [time for time, _ in dpkt.pcap.Reader(io.BytesIO(data))] == [0, 0, 0, 4]


@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34])
@pytest.mark.parametrize("order", "<>")
def test_pcap_saved_as_pcap_keeps_its_kind(tmp_path: Path, magic: int, order: str) -> None:
    packets = [Sent(5_000_000 + n, FRAME[:n]) for n in range(4)]
    capture = opened(tmp_path / "in.pcap", pcap(packets, order, magic, link=0x24000001))
    assert saved(capture, [1, 3], "out.pcap") == (pcap([packets[1], packets[3]], order, magic, link=0x24000001), [])


def test_frame_check_sequences_are_kept_in_either_format(tmp_path: Path) -> None:
    capture = opened(tmp_path / "in.pcap", (CASES / "tools-fcs.pcap").read_bytes())
    saved(capture, [0, 1], "middle.pcapng")
    middle = Capture(tmp_path / "middle.pcapng")
    middle.read_index()
    assert [(one.link, one.fcs) for one in middle.interfaces] == [(1, 4)]
    assert saved(middle, [0, 1], "out.pcap") == (capture.path.read_bytes(), [])


def test_bits_above_the_link_type_do_not_reach_pcapng(tmp_path: Path) -> None:
    capture = opened(tmp_path / "in.pcap", (CASES / "linktype-32-bits.pcap").read_bytes())
    saved(capture, [0], "out.pcapng")
    again = Capture(tmp_path / "out.pcapng")
    again.read_index()
    assert [(one.link, one.fcs) for one in again.interfaces] == [(capture.interfaces[0].link, None)]
    assert again.frame(0) == capture.frame(0)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("name", ["tools-directions", "tools-two-comments", "two-sections", "simple-packets-no-time"])
def test_tshark_reads_of_a_saved_packet_what_it_read_of_it_before(tmp_path: Path, name: str) -> None:
    names = ("section_number", "interface_id", "time_epoch", "comment", "packet_flags", "drop_count", "packet_id")
    fields = [part for field in names for part in ("-e", f"frame.{field}")]

    def told(path: Path) -> list[str]:
        return subprocess.run(["tshark", "-n", "-r", path, "-T", "fields", *fields], capture_output=True, text=True).stdout.splitlines()

    capture = opened(tmp_path / "in.pcapng", (CASES / f"{name}.pcapng").read_bytes())
    chosen = list(range(1, len(capture), 2))
    saved(capture, chosen, "out.pcapng")
    assert told(tmp_path / "out.pcapng") == [told(capture.path)[i] for i in chosen]


@given(flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), max_size=4), name=st.sampled_from(["out.pcapng", "out.pcap"]))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_read_of_a_damaged_file_can_be_saved_and_read_again(tmp_path: Path, flips: list[tuple[int, int]], name: str) -> None:
    items = [(1, b"comment"), (2, pack("<I", 0x81)), (19372, bytes(4)), (7, b"\1" + bytes(8)), (0x8001, bytes(4))]
    parts = [
        section(items=[(2, b"x")]), interface(items=[(2, b"e"), (9, b"\x09"), (13, b"\4")]), enhanced(Sent(5, FRAME), items=items), block(10, bytes(8)),
        simple(Sent(0, FRAME)), block(0x40000BAD, bytes(8)), section(">"), interface(">"), old(Sent(5, FRAME), ">", items[:1]), block(5, bytes(12), ">"),
    ]
    data = bytearray(b"".join(parts))
    for place, bits in flips:
        data[40 + place % (len(data) - 40)] ^= bits
    capture = opened(tmp_path / "in.pcapng", bytes(data))
    try:
        count = save_packets(capture, range(len(capture)), tmp_path / name)
    except CaptureError as error:
        assert "one link type" in str(error)
        return
    again = Capture(tmp_path / name)
    again.read_index()
    assert [again.frame(i) for i in range(len(again))] == [capture.frame(i) for i in range(count)]
