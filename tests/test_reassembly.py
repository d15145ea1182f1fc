"""Segments of a known stream go in, in any order and shape; the stream must come out."""
from __future__ import annotations

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stand_in import ACK, FIN, RST, SYN, Segment, StandIn

from captures.stream.reassembly import Direction, reassemble
from protocols.lower.facts import Datagram


def one_way(segments: list[Segment]) -> Direction:
    return reassemble(StandIn(segments), 0)[0]  # type: ignore[arg-type]


def whole(direction: Direction) -> bytes:
    return b"".join(direction.read(start, end - start) for start, end in direction.runs())


def test_segments_in_order_are_one_run_from_the_start() -> None:
    direction = one_way([Segment(0, 99, flags=SYN), Segment(0, 100, b"abc"), Segment(0, 103, b"defg")])
    assert direction.runs() == [(0, 7)]
    assert direction.read(0, 7) == b"abcdefg"
    assert direction.from_start
    assert direction.places(2, 3) == [(0, 1, 1, 2), (1, 2, 2, 0)]


def test_out_of_order_data_is_complete_when_the_gap_is_filled() -> None:
    direction = one_way([Segment(0, 99, flags=SYN), Segment(0, 103, b"def"), Segment(0, 106, b"ghi"), Segment(0, 100, b"abc"), Segment(0, 109, b"j")])
    assert direction.read(0, 100) == b"abcdefghij"
    assert [direction.done_at(end) for end in (3, 6, 9, 10)] == [3, 3, 3, 4]
    assert direction.packet_at(3) == 1


def test_the_copy_captured_first_wins() -> None:
    segments = [Segment(0, 99, flags=SYN), Segment(0, 105, b"FGHIJ"), Segment(0, 103, b"defghijkl"), Segment(0, 100, b"abcde")]
    direction = one_way(segments)
    assert direction.read(0, 99) == b"abcdeFGHIJkl"
    assert direction.places(0, 99) == [(0, 3, 3, 0), (3, 2, 2, 0), (5, 5, 1, 0), (10, 2, 2, 7)]


def test_retransmissions_add_nothing() -> None:
    sent = [(100, b"abc"), (100, b"XXX"), (103, b"def"), (100, b"XX"), (100, b"YYYYYYgh")]
    segments = [Segment(0, 99, flags=SYN), *(Segment(0, seq, data) for seq, data in sent)]
    direction = one_way(segments)
    assert direction.read(0, 99) == b"abcdefgh"
    assert direction.places(0, 99) == [(0, 3, 1, 0), (3, 3, 3, 0), (6, 2, 5, 6)]


def test_a_missing_segment_is_a_gap() -> None:
    direction = one_way([Segment(0, 99, flags=SYN), Segment(0, 100, b"abc"), Segment(0, 106, b"ghi")])
    assert direction.runs() == [(0, 3), (6, 9)]
    assert direction.read(1, 9) == b"bc"
    assert direction.read(4, 9) == b""
    assert direction.read(6, 9) == b"ghi"
    with pytest.raises(IndexError):
        direction.packet_at(4)


def test_runs_count_their_packets_apart() -> None:
    """What lies behind a gap does not wait for what was captured late before it."""
    segments = [Segment(0, 99, flags=SYN), Segment(0, 110, b"kl"), Segment(0, 103, b"d"), Segment(0, 100, b"abc")]
    direction = one_way(segments)
    assert [direction.done_at(end) for end in (3, 4, 12)] == [3, 3, 1]


def test_a_segment_cut_by_the_snap_length_leaves_a_gap() -> None:
    direction = one_way([Segment(0, 99, flags=SYN), Segment(0, 100, b"abcdef", captured=4), Segment(0, 106, b"gh")])
    assert direction.runs() == [(0, 4), (6, 8)]
    again = one_way([Segment(0, 99, flags=SYN), Segment(0, 100, b"abcdef", captured=4), Segment(0, 106, b"gh"), Segment(0, 103, b"DEF")])
    assert again.read(0, 99) == b"abcdEFgh"


def test_sequence_numbers_wrap() -> None:
    start = 0xFFFFFFFE
    direction = one_way([Segment(0, start - 1, flags=SYN), Segment(0, start, b"abcd"), Segment(0, start + 8, b"ij"), Segment(0, start + 4, b"efgh")])
    assert direction.read(0, 99) == b"abcdefghij"


def test_positions_go_on_past_4_gib() -> None:
    """Each segment declares 1 GiB less a bit on the wire, of which 10 bytes are captured."""
    step = (1 << 30) - 5

    class Huge(StandIn):
        def __init__(self) -> None:
            super().__init__([Segment(0, 0, flags=SYN), *(Segment(0, 1 + i * step, bytes([i]) * 10) for i in range(12))])
            self.columns.plen[1:] = step
    direction = reassemble(Huge(), 0)[0]  # type: ignore[arg-type]
    assert direction.runs() == [(i * step, i * step + 10) for i in range(12)]
    assert direction.read(11 * step, 10) == bytes([11]) * 10
    assert direction.end == 12 * step


def test_a_stray_number_moves_nothing() -> None:
    for stray in (0x7FFFFFF0, 0x90000000, 0x70000000):
        segments = [Segment(0, 5999, flags=SYN), Segment(0, 6000, b"abc"), Segment(0, 6000 + stray, b"?"), Segment(0, 1000, b"old"), Segment(0, 6003, b"def")]
        direction = one_way(segments)
        assert direction.read(0, 6) == b"abcdef"


def test_a_stream_without_its_start_begins_with_the_lowest_byte_seen() -> None:
    direction = one_way([Segment(0, 500, b"def"), Segment(0, 497, b"abc"), Segment(0, 503, b"ghi")])
    assert direction.read(0, 99) == b"abcdefghi"
    assert not direction.from_start


def test_a_syn_ack_tells_where_the_other_side_starts() -> None:
    segments = [Segment(1, 7000, flags=SYN | ACK, ack=100), Segment(0, 103, b"def"), Segment(0, 100, b"abc")]
    direction = one_way(segments)
    assert direction.from_start
    assert direction.read(0, 99) == b"abcdef"
    late = one_way([segments[0], segments[1]])
    assert late.runs() == [(3, 6)]
    assert not late.from_start


def test_a_second_syn_ack_with_another_number_starts_the_stream_anew() -> None:
    for second in (500, 90_000):
        segments = [Segment(0, 7000, flags=SYN | ACK), Segment(1, 1, flags=RST), Segment(0, second, flags=SYN | ACK), Segment(0, second + 1, b"abc")]
        direction = one_way(segments)
        assert direction.runs() == [(0, 3)]
        assert direction.from_start


def test_data_on_the_syn_counts() -> None:
    direction = one_way([Segment(0, 99, b"abc", flags=SYN), Segment(0, 103, b"def")])
    assert direction.read(0, 99) == b"abcdef"


def test_keep_alives_and_window_probes_leave_the_stream_alone() -> None:
    segments = [
        Segment(0, 99, flags=SYN), Segment(0, 100, b"abc"), Segment(1, 0, ack=103), Segment(0, 102, b"\0"), Segment(0, 102),
        Segment(0, 103, b"d"), Segment(0, 103, b"def"), Segment(0, 105, b"\0"),
    ]
    assert whole(one_way(segments)) == b"abcdef"


def test_a_keep_alive_does_not_start_a_stream() -> None:
    direction = one_way([Segment(1, 0, b"x", ack=103), Segment(0, 102, b"\0"), Segment(1, 1, ack=103), Segment(0, 103, b"def")])
    assert direction.runs() == [(0, 3)]
    assert direction.read(0, 9) == b"def"


def test_fin_reset_and_what_a_reset_says_are_no_data() -> None:
    direction = one_way([Segment(0, 99, flags=SYN), Segment(0, 100, b"abc", flags=FIN | ACK), Segment(0, 104, b"go away", flags=RST)])
    assert whole(direction) == b"abc"
    assert direction.fin == 1
    assert direction.rst


def test_a_stream_without_data_is_empty() -> None:
    for segments in ([Segment(0, 99, flags=SYN), Segment(1, 5, flags=SYN | ACK, ack=100)], [Segment(0, 99)], [Segment(0, 99, flags=RST)]):
        for direction in reassemble(StandIn(segments), 0):  # type: ignore[arg-type]
            assert direction.runs() == []
            assert direction.read(0, 10) == b""
            assert direction.in_packet(0) == []


def test_fragments_put_together_are_read_from_their_datagram() -> None:
    datagram = Datagram(bytes(20) + b"defghi", ((1, 34, 16, 0), (2, 34, 10, 16)))
    segments = [Segment(0, 99, flags=SYN), Segment(0, 100, b"abc"), Segment(0, 103, b"defghi", captured=0, datagram=datagram)]
    assert one_way(segments).read(0, 99) == b"abcdefghi"


def test_the_stretches_of_a_packet_are_found() -> None:
    direction = one_way([Segment(0, 99, flags=SYN), Segment(0, 103, b"de"), Segment(0, 100, b"abcdefgh")])
    assert direction.in_packet(1) == [(3, 5)]
    assert direction.in_packet(2) == [(0, 3), (5, 8)]
    assert direction.in_packet(7) == []


def test_many_equal_and_nested_segments_take_linear_time() -> None:
    rng = random.Random(7)
    data = rng.randbytes(20_000)
    segments = [Segment(0, 0, flags=SYN)]
    segments += [Segment(0, 1 + at, data[at:at + 1]) for at in range(len(data))]
    segments += [Segment(0, 1 + at, data[at:at + 4000]) for at in range(0, len(data), 7)]
    rng.shuffle(segments)
    capture = StandIn(segments)
    clock = time.thread_time()
    direction = reassemble(capture, 0)[0]  # type: ignore[arg-type]
    assert time.thread_time() - clock < 2
    assert whole(direction) == data


@st.composite
def shuffled(draw: st.DrawFn) -> tuple[bytes, int, list[tuple[int, int]]]:
    """Data, an initial sequence number, and pieces (start, end) that cover the data at least once, in any order."""
    data = draw(st.binary(min_size=1, max_size=300))
    cuts = sorted({0, len(data), *draw(st.lists(st.integers(0, len(data)), max_size=20))})
    pieces = list(pairwise(cuts))
    extra = draw(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(1, 60)), max_size=15))
    pieces += [(start, min(len(data), start + length)) for start, length in extra]
    return data, draw(st.integers(0, 0xFFFFFFFF)), draw(st.permutations(pieces))


@settings(max_examples=300, deadline=None)
@given(shuffled(), st.booleans())
def test_cut_duplicated_reordered_and_overlapped_segments_give_the_stream(made: tuple[bytes, int, list[tuple[int, int]]], syn: bool) -> None:
    data, isn, pieces = made
    segments = [Segment(0, isn, flags=SYN)] if syn else []
    segments += [Segment(0, isn + 1 + start, data[start:end]) for start, end in pieces]
    direction = one_way(segments)
    assert direction.runs() == [(0, len(data))]
    assert direction.read(0, len(data)) == data
    # the owner of each byte is the first packet that had it, and a prefix is done when its last byte came
    first = [min(i for i, one in enumerate(segments) if one.data and (one.seq - isn - 1 & 0xFFFFFFFF) <= at < (one.seq - isn - 1 & 0xFFFFFFFF) + len(one.data))
             for at in range(len(data))]
    assert [direction.packet_at(at) for at in range(len(data))] == first
    assert [direction.done_at(at + 1) for at in range(len(data))] == [max(first[:at + 1]) for at in range(len(data))]


@settings(max_examples=200, deadline=None)
@given(shuffled(), st.data())
def test_dropped_segments_leave_gaps_and_everything_else(made: tuple[bytes, int, list[tuple[int, int]]], more: st.DataObject) -> None:
    data, isn, pieces = made
    dropped = more.draw(st.sets(st.integers(0, len(pieces) - 1)))
    kept = [piece for i, piece in enumerate(pieces) if i not in dropped]
    there = [any(start <= at < end for start, end in kept) for at in range(len(data))]
    direction = one_way([Segment(0, isn, flags=SYN), *(Segment(0, isn + 1 + start, data[start:end]) for start, end in kept)])
    assert [any(start <= at < end for start, end in direction.runs()) for at in range(len(data))] == there
    for start, end in direction.runs():
        assert direction.read(start, end - start + 50) == data[start:end]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.builds(Segment, st.integers(0, 1), st.integers(0, 0xFFFFFFFF), st.binary(max_size=9), st.integers(0, 31), st.integers(0, 0xFFFFFFFF),
                          captured=st.none() | st.integers(0, 9)), max_size=12))
def test_any_segments_give_pieces_without_overlap(segments: list[Segment]) -> None:
    for direction in reassemble(StandIn(segments), 0):  # type: ignore[arg-type]
        starts, lengths = direction.start.tolist(), direction.length.tolist()
        assert all(length > 0 for length in lengths)
        assert all(a + n <= b for a, n, b in zip(starts, lengths, starts[1:], strict=False))
        assert all(start >= 0 for start in starts)
