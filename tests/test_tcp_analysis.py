"""The analysis of TCP sequence numbers, told as short conversations. A line is `who flags seq ack length [window] [@milliseconds]`, who is
c (the first sender) or s; expected are tshark's findings."""
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from capture_bytes import Sent
from hypothesis import given, settings
from hypothesis import strategies as st
from packet_bytes import between, tcp, write

from captures.file.opening import open_source
from captures.index.index import Index
from captures.stream.tcp_analysis import Analysis, Segment, TcpAnalysis, analyse

BITS = {"F": 1, "S": 2, "R": 4, "A": 16}
HANDSHAKE = ["c S 1000 0 0", "s SA 5000 1001 0 @1", "c A 1001 5001 0 @2"]


def segments(lines: list[str]) -> list[Segment]:
    made: list[Segment] = []
    for i, line in enumerate(lines):
        line, _, at = line.partition("@")
        who, flags, *numbers = line.split()
        seq, ack, length, window = [*map(int, numbers), 500][:4]
        time = int(float(at or i * 10) * 1_000_000) + 10**18
        made.append(Segment(i, time, int(who == "s"), seq, ack, sum(BITS[one] for one in flags), length, window))
    return made


def run(lines: list[str], shift: int = -2, reused: bool = False) -> Analysis:
    return analyse(segments(lines), lambda packet: shift, reused)


def findings(lines: list[str], **more) -> dict[int, tuple[str, ...]]:
    """Findings by line behind the handshake, counted from 0."""
    return {i - len(HANDSHAKE): names for i, (names, _) in run(HANDSHAKE + lines, **more).findings.items()}


TALK = {
    "nothing": (["c A 1001 5001 100 @20", "s A 5001 1101 0 @21"], {}),
    "retransmission": (["c A 1001 5001 100 @20", "c A 1001 5001 100 @300"], {1: ("retransmission",)}),
    "spurious": (["c A 1001 5001 100 @20", "s A 5001 1101 0 @21", "c A 1001 5001 100 @300"], {2: ("spurious_retransmission",)}),
    "a segment missing": (["c A 1001 5001 100 @20", "c A 1201 5001 100 @21"], {1: ("lost_segment",)}),
    "out of order": (["c A 1001 5001 100 @20", "c A 1201 5001 100 @20.1", "c A 1101 5001 100 @20.2"], {1: ("lost_segment",), 2: ("out_of_order",)}),
    "too late for out of order": (
        ["c A 1001 5001 100 @20", "c A 1201 5001 100 @20.1", "c A 1101 5001 100 @50"], {1: ("lost_segment",), 2: ("retransmission",)}),
    "fast": (
        ["c A 1001 5001 100 @20", "c A 1101 5001 100 @20.1", "s A 5001 1001 0 @40", "s A 5001 1001 0 @41", "s A 5001 1001 0 @42", "c A 1001 5001 100 @45"],
        {2: ("duplicate_ack",), 3: ("duplicate_ack",), 4: ("duplicate_ack",), 5: ("fast_retransmission",)}),
    "an ACK of what was not seen": (["s A 5001 1501 0 @20"], {0: ("ack_lost_segment",)}),
    "ACKs of what was not seen, one behind the other": (
        ["s A 5001 1501 0 @20", "s A 5001 1501 0 @21", "s A 5001 1601 9 @22", "c A 1601 5010 0 @23", "s A 5010 1701 0 @24", "s A 5010 1801 0 @25"],
        {0: ("ack_lost_segment",), 1: ("duplicate_ack",), 3: ("lost_segment",), 4: ("ack_lost_segment",), 5: ("ack_lost_segment",)}),
    "sent again beside an ACK of what was not seen": (
        ["c A 1001 5001 100 @20", "s FA 5001 1101 0 @21", "c A 1101 5001 100 @40", "s FA 5001 1301 0 @41", "c A 1301 5001 100 @60", "s FA 5001 1501 0 @61"],
        {3: ("ack_lost_segment", "fast_retransmission"), 4: ("lost_segment",), 5: ("ack_lost_segment", "fast_retransmission")}),
    "keep-alive": (["c A 1000 5001 0 @20", "s A 5001 1001 0 @21", "s A 5001 1001 0 @22"], {0: ("keep_alive",), 1: ("keep_alive_ack",), 2: ("keep_alive_ack",)}),
    "zero window and probe": (
        ["s A 5001 1001 0 0 @20", "c A 1001 5001 1 @21", "s A 5001 1001 0 0 @22", "s A 5001 1001 0 900 @23"],
        {0: ("zero_window",), 1: ("zero_window_probe",), 2: ("zero_window", "zero_window_probe_ack"), 3: ("window_update",)}),
    "window update": (["c A 1001 5001 0 700 @20"], {0: ("window_update",)}),
    "window full": (["s A 5001 1001 10 @20", "c A 1001 5011 500 @21"], {1: ("window_full",)}),
    "a SYN again": (["c S 1000 0 0 @20"], {0: ("retransmission",)}),
    "a SYN+ACK with another number": (["s SA 7000 1001 0 @20"], {0: ("reused_ports", "lost_segment")}),
}


@pytest.mark.parametrize("name", TALK)
def test_a_conversation_is_judged(name):
    lines, expected = TALK[name]
    assert findings(lines) == expected


@pytest.mark.parametrize("name", TALK)
def test_a_conversation_is_judged_as_tshark_judges_it(name, tmp_path: Path):
    """The same lines as a capture: ours through the index, and tshark's."""
    if not shutil.which("tshark"):
        pytest.skip("needs tshark")
    made = segments(HANDSHAKE + TALK[name][0])
    packets = []
    for one in made:
        ports = (7, 8) if one.direction == 0 else (8, 7)
        segment = tcp(*ports, one.seq, one.ack, one.flags, b"x" * one.length, window=one.window)
        packets.append(Sent(one.time // 1000, between(one.direction, 6, segment)))
    path = write(tmp_path, packets)
    names = sorted({finding for _, expected in TALK.values() for found in expected.values() for finding in found})
    wanted = [x for one in ("tcp.seq", "tcp.ack", *(f"tcp.analysis.{one}" for one in names)) for x in ("-e", one)]
    done = subprocess.run(["tshark", "-n", "-r", path, "-T", "fields", *wanted], capture_output=True, text=True, check=True)
    theirs = []
    for row in done.stdout.split("\n")[:-1]:
        seq, ack, *cells = row.split("\t")
        theirs.append((seq, ack, {one for one, cell in zip(names, cells, strict=True) if cell}))
    index = Index(open_source(path))
    index.run()
    analysis = TcpAnalysis(index, 0)
    for one, (seq, ack, found) in zip(made, theirs, strict=True):
        facts = analysis.facts(one.packet)
        assert facts is not None
        assert str(one.seq - facts.seq_base) == seq
        assert str(one.ack - facts.ack_base if one.flags & 16 else one.ack) == ack
        # tshark calls a fast or spurious retransmission a retransmission as well
        assert set(facts.analysis) == found - ({"retransmission"} if {"fast_retransmission", "spurious_retransmission"} & found else set())


def test_a_duplicate_ack_counts_and_names_the_original():
    outcome = run([*HANDSHAKE, "c A 1001 5001 100", "s A 5001 1101 0", "s A 5001 1101 0", "s A 5001 1101 0"])
    assert [outcome.findings[i][1] for i in (5, 6)] == [(1, 5), (2, 5)]


def test_counting_starts_at_one_without_a_syn():
    facts = run(["c A 777 888 10", "s A 888 787 0"]).facts(0, 0, 0)
    assert (facts.seq_base, facts.ack_base) == (776, 887)


def test_sequence_numbers_wrap():
    high = 2**32 - 50
    lines = [f"c S {high - 1} 0 0", f"s SA 5000 {high} 0 @1", f"c A {high} 5001 0 @2", f"c A {high} 5001 100 @20", "c A 50 5001 100 @21", "s A 5001 150 0 @22"]
    assert run(lines).findings == {}


@pytest.mark.parametrize(("first", "second", "expected"), [(7, 8, (7, 8)), (7, -2, (-2, -2)), (-2, 8, (-2, -2))])
def test_windows_are_scaled_when_both_sides_offer_it(first, second, expected):
    outcome = analyse(segments(HANDSHAKE), lambda packet: first if packet == 0 else second)
    assert (outcome.facts(2, 2, 0).window_scale, outcome.facts(2, 2, 1).window_scale) == expected


def test_a_stream_on_used_ports_says_so():
    assert run(HANDSHAKE, reused=True).findings[0][0] == ("reused_ports",)


def test_facts_of_an_index_know_window_scale_times_and_reuse(tmp_path: Path):
    syn = tcp(7, 8, 100, 0, 2, words=6)[:20] + bytes([3, 3, 7, 1])
    again = tcp(7, 8, 900, 0, 2, words=6)[:20] + bytes([1, 3, 3, 4])
    packets = [between(0, 6, syn), between(1, 6, tcp(8, 7, 300, 101, 18, words=6)[:20] + bytes([3, 3, 2, 0])), between(0, 6, again)]
    index = Index(open_source(write(tmp_path, packets)))
    index.run()
    first, second = TcpAnalysis(index, 0), TcpAnalysis(index, 1)
    facts = first.facts(1)
    assert facts is not None and (facts.window_scale, facts.since_first, facts.since_previous) == (2, 1000, 1000)
    assert first.facts(0).window_scale == 7
    assert first.facts(2) is None
    assert second.facts(2).analysis == ("reused_ports",)
    assert second.facts(2).window_scale == 4


times = st.integers(-10**10, 10**10)
numbers = st.one_of(st.integers(0, 5), st.integers(2**32 - 3, 2**32 - 1))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(times, st.integers(0, 1), numbers, numbers, st.integers(0, 63), st.integers(0, 3), st.integers(0, 2)), max_size=30))
def test_any_numbers_give_findings_by_name(rows):
    outcome = analyse([Segment(i, *row) for i, row in enumerate(rows)], lambda packet: 3)
    known = {name for lines, expected in TALK.values() for found in expected.values() for name in found}
    for i, row in enumerate(rows):
        assert set(outcome.facts(i, i, row[1]).analysis) <= known
