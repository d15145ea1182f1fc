"""Saved captures, read back by dpkt and by our own readers."""
from __future__ import annotations

import io
from pathlib import Path

import dpkt
import pytest
from capture_bytes import Sent, enhanced, interface, pcap, section

from captures.capture import Capture
from captures.file.errors import CaptureError
from captures.file.save import save_packets, with_streams
from captures.filter import FilterRun, Names, compile_filter

MIXED = Path(__file__).parent / "data" / "filter" / "mixed.pcap"
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
