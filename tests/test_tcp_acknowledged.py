"""Round-trip times, bytes in flight and completeness of TCP streams: as tshark tells them, packet by packet."""
from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captures.capture import Capture
from captures.output.field_table import field_format, field_table
from captures.stream.tcp_acknowledged import Unacknowledged, completed

ANALYSIS = ("acks_frame", "ack_rtt", "initial_rtt", "bytes_in_flight", "push_bytes_sent")
NAMES = ["frame.number", *(f"tcp.analysis.{name}" for name in ANALYSIS), "tcp.completeness"]
CASE = Path(__file__).parent / "data" / "cases" / "tcp-rtt-fields.pcap"
PUBLIC = Path(os.environ.get("PROTOVIEW_CAPTURES", "/nowhere")) / "public"
MORE = [path for name in ("tcp-behaviour/*.pcap", "zookeeper/zktraffic__omni.pcap", "link-and-odd/tcpdump__tcp_rst_data.pcap", "http/*100-continue*.pcap")
        for path in sorted(PUBLIC.glob(name))]


def ours(path: Path) -> list[str]:
    capture = Capture(path)
    capture.read_index()
    return "".join(field_table(capture, range(len(capture)), NAMES, field_format([]))).splitlines()


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("path", [CASE, *MORE], ids=lambda path: path.name)
def test_every_packet_has_what_tshark_tells_of_it(path: Path) -> None:
    done = subprocess.run(["tshark", "-n", "-r", path, "-T", "fields", *(word for name in NAMES for word in ("-e", name))], capture_output=True, text=True)
    assert ours(path) == done.stdout.splitlines()


def test_the_case_without_tshark() -> None:
    """What tshark 4.0.17 printed."""
    rows = [line.split("\t") for line in ours(CASE)]
    assert [row[3] for row in rows] == ["", "", *["0.002000000"] * 11, "", *["0.002000000"] * 2]
    assert [row[4] for row in rows] == ["", "", "", "17", "20", "", "1460", "", "", "", "2830", "50", "", "", "", ""]
    assert [row[1] for row in rows] == ["", "1", "2", "", "4", "5", "", "", "7", "", "", "8", "12", "", "14", "15"]
    assert [row[6] for row in rows] == ["0", "1", "3", "7", *["15"] * 10, "31", "31"]


def test_a_million_packets_of_one_direction_are_not_gone_through_again_and_again() -> None:
    sent = Unacknowledged()
    began = time.process_time()
    for k in range(200_000):
        sent.add(k, k, k * 10, k * 10 + 10, 0)
        assert sent.in_flight(0) and sent.acknowledge(0, k) == (0, 0) if k < 100 else sent.in_flight(0)
    assert len(sent.sent) == 10_000 and sent.in_flight(0) == 100_000
    assert time.process_time() - began < 10


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 100), st.integers(0, 2**32 - 1)), max_size=30))
def test_any_numbers_are_taken(rows: list[tuple[int, int, int]]) -> None:
    sent = Unacknowledged()
    for k, (seq, length, ack) in enumerate(rows):
        sent.add(k, k, seq, seq + length & 0xFFFFFFFF, 5)
        frame, took = sent.acknowledge(ack, k)
        assert 0 <= frame <= k + 1 and took >= 0 and 0 <= sent.in_flight(5) < 2_000_000_000


@pytest.mark.parametrize(("before", "flags", "length", "first", "after"), [
    (0, 0x02, 0, True, 1), (0, 0x02, 5, True, 9), (0, 0x10, 5, True, 0), (1, 0x12, 0, False, 3), (3, 0x10, 0, False, 7), (7, 0x18, 4, False, 15),
    (15, 0x11, 0, False, 31), (15, 0x14, 0, False, 47), (1, 0x04, 0, False, 33)])
def test_completeness_is_the_sum_of_what_was_seen(before: int, flags: int, length: int, first: bool, after: int) -> None:
    assert completed(before, flags, length, first) == after
