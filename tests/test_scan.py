"""Cursors in lock step find the very records that a loop over the chain finds, in every kind of file, and give up where they cannot."""
from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from struct import unpack_from

import numpy as np
import pytest
from benchmarks.make_capture import frames, make
from capture_bytes import Sent, block, enhanced, interface, old, pcap, read, section, simple
from numpy.typing import NDArray

from captures.file import scan
from captures.file.opening import open_source
from captures.file.pcap import PcapChain, PcapSource
from captures.file.pcapng import BlockChain, PcapngSource
from captures.file.scan import Chain

DAY = 86_400 * 10**6
Write = Callable[[bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(data: bytes) -> Path:
        path = tmp_path / "capture"
        path.write_bytes(data)
        return path

    return to_file


@cache
def traffic(packets: int = 7000) -> list[Sent]:
    """Enough packets for a window that the cursors do: 4 MB."""
    return [Sent(time, frame) for time, frame in frames(packets, 30, 1)]


def chain_of(path: Path) -> tuple[Chain, int]:
    """The chain of a file of one section, and where its first packet's record starts."""
    source = open_source(path)
    if isinstance(source, PcapSource):
        return PcapChain(source.buffer, source.variant), source.position
    assert isinstance(source, PcapngSource)
    return BlockChain(source.buffer, source.order), source.position + len(interface())


def loop(data: bytes, start: int, end: int, length_at: int, extra: int, order: str) -> tuple[list[int], int]:
    """The chain as the format defines it."""
    found = []
    while start < end:
        found.append(start)
        start += unpack_from(order + "I", data, start + length_at)[0] + extra
    return found, start


def variants() -> dict[str, Callable[[], tuple[bytes, int, int, str]]]:
    """File, where a record's length stands, what is added to it, byte order."""

    def blocks(order: str, one: Callable[[Sent, str], bytes], every: int = 0) -> bytes:
        body = [one(packet, order) + (block(5, bytes(20), order) if every and n % every == 0 else b"") for n, packet in enumerate(traffic())]
        return section(order) + interface(order) + b"".join(body)

    nano = [Sent(packet.time * 1000 + 7, packet.data) for packet in traffic()]
    # ten minutes between packets: the upper half of the seconds is another one every 109 packets
    slow = [Sent(packet.time + n * DAY // 144, packet.data) for n, packet in enumerate(traffic())]
    return {
        "pcap": lambda: (pcap(traffic()), 8, 16, "<"),
        "pcap, big-endian": lambda: (pcap(traffic(), ">"), 8, 16, ">"),
        "pcap, nanoseconds": lambda: (pcap(nano, magic=0xA1B23C4D), 8, 16, "<"),
        "pcap, big-endian nanoseconds": lambda: (pcap(nano, ">", 0xA1B23C4D), 8, 16, ">"),
        "pcap, modified": lambda: (pcap(traffic(), magic=0xA1B2CD34), 8, 24, "<"),
        "pcap, old": lambda: (pcap(traffic(), version=(2, 2)), 12, 16, "<"),
        "pcap over days": lambda: (pcap(slow), 8, 16, "<"),
        "pcapng": lambda: (blocks("<", enhanced), 4, 0, "<"),
        "pcapng, big-endian": lambda: (blocks(">", enhanced), 4, 0, ">"),
        "pcapng, other blocks between": lambda: (blocks("<", enhanced, 10), 4, 0, "<"),
        "pcapng, simple packets": lambda: (blocks("<", simple), 4, 0, "<"),
        "pcapng, obsolete packets": lambda: (blocks(">", old), 4, 0, ">"),
    }


@pytest.mark.parametrize("name", list(variants()))
def test_the_cursors_find_the_chain_of_every_kind_of_file(write: Write, name: str) -> None:
    data, length_at, extra, order = variants()[name]()
    chain, start = chain_of(write(data))
    end = len(data) - chain.header + 1
    assert end - start > scan.PLAIN
    found = chain.lock_step(start, end)
    assert found is not None, "the slow way was taken"
    off, after = found
    assert (off.tolist(), after) == loop(data, start, end, length_at, extra, order)
    assert (off.tolist(), after) == (chain.plain(start, end)[0].tolist(), len(data))


def test_the_cursors_stop_at_the_windows_end(write: Write) -> None:
    data = pcap(traffic())
    chain, start = chain_of(write(data))
    for end in (3_000_000, 3_000_001, 3_000_700):
        found = chain.lock_step(start, end)
        assert found is not None
        assert (found[0].tolist(), found[1]) == loop(data, start, end, 8, 16, "<")
        assert found[1] >= end


def embedded(order: str = "<") -> list[Sent]:
    """Traffic in which every fifth packet carries a stretch of the capture itself, records and all."""
    inner = pcap([Sent(packet.time, packet.data[:60]) for packet in traffic()[:400]], order)
    return [Sent(packet.time, inner[24 + 76 * 5 :] if n % 5 == 0 else packet.data) for n, packet in enumerate(traffic()[:1000])]


def test_a_capture_inside_the_payload_is_not_taken_for_records(write: Write) -> None:
    packets = embedded()
    path = write(pcap(packets))
    chain, start = chain_of(path)
    found, source = read(path)
    assert chain.lock_step(start, source.size - 15) is None, "the test does not test the fallback"
    assert [got.data for got in found] == [packet.data for packet in packets]
    assert source.problems == []


def test_pcapng_blocks_inside_the_payload_are_not_taken_for_blocks(write: Write) -> None:
    inner = b"".join(enhanced(Sent(packet.time, packet.data[:60])) for packet in traffic()[:300])
    packets = [Sent(packet.time, inner if n % 5 == 0 else packet.data) for n, packet in enumerate(traffic()[:1000])]
    path = write(section() + interface() + b"".join(map(enhanced, packets)))
    chain, start = chain_of(path)
    found, source = read(path)
    assert chain.lock_step(start, source.size - 11) is None, "the test does not test the fallback"
    assert [got.data for got in found] == [packet.data for packet in packets]


def test_payload_that_answers_every_guess_costs_no_more_than_the_loop(write: Write) -> None:
    seconds = traffic()[0].time // 10**6
    hostile = (seconds >> 16).to_bytes(2, "little") * 1_500_000
    found, source = read(write(pcap([Sent(packet.time, hostile) for packet in traffic()[:2]])))
    assert ([len(got.data) for got in found], source.problems) == ([3_000_000] * 2, [])


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_damage_behind_a_window_of_good_records_is_told_with_its_packet(write: Write, kind: str) -> None:
    packets = traffic()
    good = pcap(packets) if kind == "pcap" else section() + interface() + b"".join(map(enhanced, packets))
    found, source = read(write(good + b"\xff" * 40))
    assert [got.data for got in found] == [packet.data for packet in packets]
    assert len(source.problems) == 1
    assert "damaged at packet 7,001" in source.problems[0]


def test_damage_amid_a_window_ends_the_reading_there(write: Write) -> None:
    packets = traffic()
    data = bytearray(pcap(packets))
    place = len(pcap(packets[:5000]))
    data[place + 8 : place + 12] = b"\xff\xff\xff\x7f"
    found, source = read(write(bytes(data)))
    assert [got.data for got in found] == [packet.data for packet in packets[:5000]]
    assert source.problems == [f"damaged at packet 5,001: a packet of 2,147,483,647 bytes at byte {place:,}; reading stopped there"]


def test_a_large_file_cut_off_gives_all_but_the_last(write: Write) -> None:
    for data in (pcap(traffic()), section() + interface() + b"".join(map(enhanced, traffic()))):
        found, source = read(write(data[:-3]))
        assert len(found) == 6999
        assert "cut off in packet 7,000" in source.problems[0]


def test_a_section_in_the_other_byte_order_amid_a_large_file_is_read(write: Write) -> None:
    little = section("<") + interface("<") + b"".join(enhanced(packet, "<") for packet in traffic())
    big = section(">") + interface(">", 101) + b"".join(enhanced(packet, ">") for packet in traffic())
    found, source = read(write(little + big + little))
    assert [got.data for got in found] == [packet.data for packet in traffic()] * 3
    assert [got.interface for got in found] == [0] * 7000 + [1] * 7000 + [2] * 7000
    assert source.problems == []


def test_comments_keep_their_packets_across_windows(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("captures.file.pcapng", "captures.file.scan"):
        monkeypatch.setattr(f"{module}.WINDOW", 1 << 20)
    body = b"".join(enhanced(packet, items=[(1, b"no %d" % n)] if n % 1000 == 999 else ()) for n, packet in enumerate(traffic()))
    _, source = read(write(section() + interface() + body))
    assert dict(source.comments) == {n: (f"no {n}",) for n in range(999, 7000, 1000)}


def test_chunks_are_small_and_the_first_comes_at_once(write: Write) -> None:
    packets = [Sent(n, b"") for n in range(200_000)]
    source = open_source(write(pcap(packets)))
    chunks = source.chunks()
    first = next(chunks)
    assert source.consumed() <= 600_000 < source.size
    sizes = [len(first.off), *(len(records.off) for records in chunks)]
    assert max(sizes) <= 65_536
    assert sum(sizes) == len(packets)
    assert source.consumed() == source.size


def test_windows_and_chunks_meet_without_a_seam(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(pcap(traffic()))
    whole, _ = read(path)
    for window in (300_000, 333_333, 2_500_000):
        monkeypatch.setattr("captures.file.pcap.WINDOW", window)
        monkeypatch.setattr("captures.file.pcap.FIRST", 5000)
        assert read(path)[0] == whole


def test_rows_beyond_the_end_are_filled_with_zeros(write: Write) -> None:
    source = open_source(write(pcap([Sent(0, b"abcd")])))
    layout = np.dtype([("one", "<u4"), ("two", "<u4")])
    off: NDArray[np.int64] = np.array([36, 40], np.int64)
    rows = scan.rows(source.buffer, off, layout)
    assert rows["one"].tolist() == [4, int.from_bytes(b"abcd", "little")]
    assert rows["two"].tolist() == [int.from_bytes(b"abcd", "little"), 0]


def test_the_generator_gives_the_same_bytes_for_the_same_seed() -> None:
    assert make(500, 5, 3) == make(500, 5, 3)
    assert make(500, 5, 3) != make(500, 5, 4)
