"""Datagrams from fragments: any order, doubles, overlaps, losses, limits."""
from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path
from struct import pack

import pytest
from capture_bytes import Sent
from hypothesis import given, settings
from hypothesis import strategies as st
from packet_bytes import A6, B6, IP6, MORE, A, B, ethernet, indexed, ip4, ip6, streams, tcp, udp

from captures.index import defragment
from captures.index.index import Index

DATA = bytes(range(64))
WHOLE = udp(4000, 53, DATA)


def four(at: int, end: int, identity: int = 1, whole: bytes = WHOLE, protocol: int = 17, more: bool | None = None) -> bytes:
    """The fragment with bytes `at` to `end` of the IP payload."""
    follows = end < len(whole) if more is None else more
    return ethernet(ip4(A, B, protocol, whole[at:end], identity, at // 8 | (MORE if follows else 0)))


def six(at: int, end: int, whole: bytes = WHOLE, following: int = 17) -> bytes:
    return ethernet(ip6(A6, B6, 44, pack(">BBHI", following, 0, at | (end < len(whole)), 77) + whole[at:end]), IP6)


def payload(index: Index, i: int) -> bytes:
    buffer, start, length = index.payload(i)
    return bytes(buffer[start : start + length])


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)])
@pytest.mark.parametrize("make", [four, six])
def test_the_packet_that_completes_a_datagram_gets_its_header(make: object, order: tuple[int, ...], tmp_path: Path) -> None:
    spans = [(0, 24), (24, 48), (48, len(WHOLE))]
    index = indexed(tmp_path, [make(*spans[k]) for k in order])  # type: ignore[operator]
    assert streams(index) == ["", "", "udp 0"]
    assert (index.columns.sport[2], index.columns.dport[2], index.columns.plen[2]) == (4000, 53, 64)
    assert payload(index, 2) == DATA
    assert index.datagrams[2].data == WHOLE
    head = 34 if make is four else 62
    assert index.datagrams[2].pieces == tuple((order.index(k), head, end - at, at) for k, (at, end) in enumerate(spans))
    assert index.udp.ends(0)[0][1] == 4000


def test_fragments_of_tcp_carry_a_segment(tmp_path: Path) -> None:
    whole = tcp(1, 2, 10, 20, data=b"abcdefgh")
    index = indexed(tmp_path, [four(0, 8, 1, whole, 6), four(8, 16, 1, whole, 6), four(16, 28, 1, whole, 6)])
    assert streams(index) == ["", "", "tcp 0"]
    assert payload(index, 2) == b"abcdefgh"
    assert (index.columns.seq[2], index.columns.ack[2]) == (10, 20)


def test_an_extension_header_may_lie_in_the_fragments(tmp_path: Path) -> None:
    whole = pack(">BBBB", 17, 0, 1, 4) + bytes(4) + WHOLE
    index = indexed(tmp_path, [six(0, 16, whole, 60), six(16, len(whole), whole, 60)])
    assert payload(index, 1) == DATA
    assert index.columns.poff[1] == 16


def test_datagrams_are_told_apart_by_identification_and_protocol(tmp_path: Path) -> None:
    packets = [four(0, 32, 1), four(0, 32, 2), four(32, 72, 2), four(32, 72, 1), four(0, 32, 3), four(32, 72, 3, protocol=6)]
    assert [i for i, found in enumerate(streams(indexed(tmp_path, packets))) if found] == [2, 3]


def test_a_fragment_that_comes_twice_changes_nothing(tmp_path: Path) -> None:
    index = indexed(tmp_path, [four(0, 24), four(0, 24), four(48, 72), four(48, 72), four(24, 48)])
    assert streams(index) == [""] * 4 + ["udp 0"]
    assert payload(index, 4) == DATA


def test_where_fragments_overlap_the_one_that_starts_earlier_counts_then_the_first(tmp_path: Path) -> None:
    other = bytes(len(WHOLE))
    index = indexed(tmp_path, [four(16, 48, whole=other, more=True), four(0, 32), four(0, 32, whole=other, more=True), four(40, 72)])
    assert index.datagrams[3].data == WHOLE[:32] + other[32:48] + WHOLE[48:]


def test_a_lost_or_cut_fragment_leaves_the_datagram_unfinished(tmp_path: Path) -> None:
    middle = four(24, 48)
    assert streams(indexed(tmp_path, [four(0, 24), four(48, 72)])) == ["", ""]
    assert streams(indexed(tmp_path, [four(0, 24), Sent(0, middle[:-1], len(middle)), four(48, 72)])) == ["", "", ""]


def test_a_first_fragment_that_the_snap_length_cut_is_read_by_itself(tmp_path: Path) -> None:
    first = four(0, 48)
    assert streams(indexed(tmp_path, [Sent(0, first[:-1], len(first)), four(48, 72)])) == ["udp 0", ""]


def test_longer_than_a_datagram_can_be_is_no_fragment_of_it(tmp_path: Path) -> None:
    beyond = ethernet(ip4(A, B, 17, bytes(64), 1, 0x1FFF))
    assert streams(indexed(tmp_path, [four(0, 32), beyond, four(32, 72)])) == ["", "", "udp 0"]


def test_fragments_without_end_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defragment, "MOST_PIECES", 10)
    index = indexed(tmp_path, [four(0, 32, identity) for identity in range(100)] + [four(32, 72, 99), four(32, 72, 0)])
    assert streams(index)[100:] == ["udp 0", ""]
    assert index._defragmenter._pieces <= 10


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_a_datagram_cut_anywhere_and_shuffled_is_whole_again(data: st.DataObject) -> None:
    cuts = sorted({0, len(WHOLE)} | {8 * cut for cut in data.draw(st.sets(st.integers(1, 8)))})
    spans = data.draw(st.permutations(list(pairwise(cuts))))
    spans += data.draw(st.lists(st.sampled_from(spans), max_size=3)) if len(spans) > 1 else []
    make = data.draw(st.sampled_from([four, six]))
    with tempfile.TemporaryDirectory() as name:
        index = indexed(Path(name), [make(*span) for span in spans], chunk=data.draw(st.integers(1, 9)))
        last = len(cuts) - 2
        assert payload(index, last) == DATA
        assert streams(index)[: last + 1] == [""] * last + ["udp 0"]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8191), st.booleans(), st.binary(max_size=40), st.booleans()), max_size=12))
def test_senseless_fragments_never_raise(pieces: list[tuple[int, bool, bytes, bool]]) -> None:
    packets = []
    for at, more, data, new in pieces:
        if new:
            packets.append(ethernet(ip6(A6, B6, 44, pack(">BBHI", 17, 0, at << 3 | more, 1) + data), IP6))
        else:
            packets.append(ethernet(ip4(A, B, 17, data, 1, at | (MORE if more else 0))))
    with tempfile.TemporaryDirectory() as name:
        index = indexed(Path(name), packets)
        for i in range(len(packets)):
            buffer, start, length = index.payload(i)
            assert start + length <= len(buffer)
