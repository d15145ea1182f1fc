"""Messages that we wrote go in, whole, in pieces, with gaps and with lies; the same messages must be found."""
from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stand_in import SYN, Lines, Segment, StandIn, Toy, line, toy

from captures.messages.framing import Cut, cut
from captures.messages.window import Window
from captures.stream.reassembly import Direction, reassemble
from protocols.decoder import HANDED_ON, MORE, REFUSED, TO_END, Answer, Decoder, Side


def direction(parts: list[tuple[int, bytes]], syn: bool = True) -> Direction:
    """A direction whose segments are (stream offset, data)."""
    start = [Segment(0, 999, flags=SYN)] if syn else []
    return reassemble(StandIn([*start, *(Segment(0, 1000 + at, data) for at, data in parts)]), 0)[0]  # type: ignore[arg-type]


def side_of(one: Direction) -> Side:
    opening = one.read(one.runs()[0][0], 4096) if one.runs() else b""
    return Side(True, one.from_start, opening, b"")


@dataclass
class Found:
    """A `Cut` with lists."""

    start: list[int]
    length: list[int]
    have: list[int]
    holes: list[tuple[int, int, str]]


def cut_up(parts: list[tuple[int, bytes]], decoder: Decoder | None = None, syn: bool = True) -> Found:
    one = direction(parts, syn)
    found = cut(one, decoder or Toy(), side_of(one))
    return Found(found.start.tolist(), found.length.tolist(), found.have.tolist(), found.holes)


def segmented(data: bytes, size: int) -> list[tuple[int, bytes]]:
    return [(at, data[at:at + size]) for at in range(0, len(data), size)]


def places(messages: list[bytes]) -> list[int]:
    found, at = [], 0
    for one in messages:
        found.append(at)
        at += len(one)
    return found


MESSAGES = [toy(1, i, bytes([i]) * (i * 7 % 90)) for i in range(60)]
LINES = [line("Q", bytes([65 + i % 20]) * (i * 7 % 90)) for i in range(60)]


def test_every_message_is_found_whatever_the_segments() -> None:
    for messages, decoder in ((MESSAGES, Toy()), (LINES, Lines())):
        data = b"".join(messages)
        for size in (1, 2, 3, 7, 50, 1000, 1 << 16):
            found = cut_up(segmented(data, size), decoder)
            assert found.start == places(messages)
            assert found.length == found.have == [len(one) for one in messages]
            assert found.holes == []


def test_large_messages_and_small_ones_are_found_across_read_ahead() -> None:
    rng = random.Random(1)
    for make in (lambda body: toy(1, 7, body), lambda body: line("Q", body)):
        messages = [make(bytes(rng.choice((0, 10, 5000, 70_000, 300_000)))) for _ in range(60)]
        found = cut_up(segmented(b"".join(messages), 1400), Toy() if messages[0][5:6] == b"\x7e" else Lines())
        assert found.start == places(messages)
        assert found.holes == []


def test_a_message_that_ends_with_the_capture_is_kept_with_what_is_there() -> None:
    data = b"".join(MESSAGES[:3])
    for cut_off in range(1, len(MESSAGES[2])):
        found = cut_up([(0, data[:-cut_off])])
        assert found.start == places(MESSAGES[:3])
        assert found.have[2] == len(MESSAGES[2]) - cut_off
        assert found.length[2] > found.have[2]
        if found.have[2] >= 4:
            assert found.length[2] == len(MESSAGES[2])


def test_the_rest_of_a_message_behind_a_gap_is_shown_as_a_hole() -> None:
    messages = [toy(1, 1), toy(1, 2, bytes(100)), toy(1, 3), toy(1, 4)]
    data = b"".join(messages)
    found = cut_up([(0, data[:40]), (60, data[60:])])
    assert found.start == places(messages)
    assert found.have == [9, 31, 9, 9]
    assert found.length == [len(one) for one in messages]
    assert found.holes == [(60, 118, "behind missing bytes of a message that is cut off")]


def test_messages_behind_a_gap_are_found_in_the_middle_of_a_segment() -> None:
    data = b"".join(MESSAGES)
    starts = places(MESSAGES)
    for gap in ((starts[10] + 3, starts[30] + 11), (starts[10], starts[30]), (starts[10], starts[30] + 1), (starts[10] + 1, starts[30])):
        found = cut_up([(0, data[:gap[0]]), (gap[1], data[gap[1]:])])
        lost = [i for i, start in enumerate(starts) if start < gap[1] and start + len(MESSAGES[i]) > gap[0]]
        assert set(starts) - set(found.start) <= {starts[i] for i in lost}
        whole = [start for start, length, have in zip(found.start, found.length, found.have, strict=True) if have == length]
        assert whole == [start for i, start in enumerate(starts) if i not in lost]


def test_a_capture_that_starts_inside_a_message_finds_the_next_one() -> None:
    for messages, decoder in ((MESSAGES, Toy()), (LINES, Lines())):
        data, starts = b"".join(messages), places(messages)
        for at in (1, 4, 5, starts[9] + 2, starts[9] + 20):
            found = cut_up(segmented(data[at:], 300), decoder, syn=False)
            assert found.start == [start - at for start in starts if start >= at]
            skipped = [(0, found.start[0], "before the first message that starts in the capture")]
            assert found.holes == (skipped if found.start[0] else [])


def test_bytes_of_no_message_are_a_hole() -> None:
    good = b"".join(MESSAGES[:5])
    found = cut_up([(0, good + b"garbage that is no message" + good)])
    assert found.start == [*places(MESSAGES[:5]), *(len(good) + 26 + at for at in places(MESSAGES[:5]))]
    assert found.holes == [(len(good), len(good) + 26, "no message of the protocol")]


def test_a_length_beyond_bounds_is_no_message() -> None:
    for lie in (0, 3, 4, 1 << 26, 0x80000000, 0xFFFFFFFF):
        bad = lie.to_bytes(4, "big") + MESSAGES[9][4:]
        good = b"".join(MESSAGES[:9])
        found = cut_up([(0, good), (len(good), bad), (len(good + bad), good)])
        assert found.start == [*places(MESSAGES[:9]), *(len(good + bad) + at for at in places(MESSAGES[:9]))]
        assert found.holes == [(len(good), len(good + bad), "no message of the protocol")]


def test_a_length_that_never_comes_does_not_swallow_what_follows() -> None:
    lie = (1 << 25).to_bytes(4, "big") + MESSAGES[9][4:]
    good = b"".join(MESSAGES[:9])
    expected = [*places(MESSAGES[:9]), len(good), *(len(good + lie) + at for at in places(MESSAGES[:9]))]
    found = cut_up([(0, good), (len(good), lie), (len(good + lie), good)])
    assert found.start == expected
    assert found.have[9] == len(lie)
    assert found.length[9] == (1 << 25) + 4
    # the same with a gap behind the lie: positions shift by the missing bytes
    found = cut_up([(0, good), (len(good), lie), (len(good + lie) + 50, good), (2 * len(good + lie) + 100, good)])
    assert found.start[:10] == expected[:10]
    assert found.start[10:19] == [len(good + lie) + 50 + at for at in places(MESSAGES[:9])]
    assert found.start[19:] == [2 * len(good + lie) + 100 + at for at in places(MESSAGES[:9])]


def test_one_message_behind_a_length_that_cannot_be_is_found() -> None:
    lie = (1 << 25).to_bytes(4, "big") + MESSAGES[9][4:]
    found = cut_up([(0, MESSAGES[0] + lie), (500, MESSAGES[7])])
    assert found.start == [0, len(MESSAGES[0]), 500]
    # where the length can be, the same bytes are the rest of the message
    true = (1000).to_bytes(4, "big") + MESSAGES[9][4:]
    found = cut_up([(0, MESSAGES[0] + true), (500, MESSAGES[7]), (len(MESSAGES[0]) + 1004, MESSAGES[5])])
    assert found.start == [0, len(MESSAGES[0]), len(MESSAGES[0]) + 1004]
    assert found.holes == [(500, 500 + len(MESSAGES[7]), "behind missing bytes of a message that is cut off")]


def test_of_candidates_that_overlap_the_longer_chain_wins() -> None:
    real = [toy(1, 1, bytes(20) + toy(1, 77) + b"zz"), *MESSAGES[:5]]
    until = 9 + 20  # from the real message's start to the one inside it
    before = b"rest of a message "
    fake = (until + 9 - 4).to_bytes(4, "big") + b"\1\x7e\0\0\0"
    assert len(fake) == 9
    found = cut_up([(0, MESSAGES[0]), (100, before + fake + b"".join(real))])
    assert found.start == [0, *(100 + len(before + fake) + at for at in places(real))]


def test_a_first_message_without_an_end_takes_all() -> None:
    found = cut_up(segmented(b"hello" + b"".join(MESSAGES), 100))
    assert (found.start, found.length, found.holes) == ([0], [5 + len(b"".join(MESSAGES))], [])


def test_a_decoder_that_fails_leaves_a_hole() -> None:
    class Broken(Toy):
        def accepts(self, head: bytes, side: Side) -> bool:
            if head[6:8] == b"\0\x05":
                raise ZeroDivisionError
            return super().accepts(head, side)
    Broken.framing = Toy.framing.__class__(0, 4, "big", 4, 8, 9, 1 << 26)  # type: ignore[union-attr]
    data = b"".join(MESSAGES)
    found = cut_up([(0, data)], Broken())
    assert found.start == places(MESSAGES[:5])
    (start, end, why), = found.holes
    assert (start, end) == (places(MESSAGES)[5], len(data)) and re.fullmatch(r"the decoder failed: ZeroDivisionError \(test_framing\.py:\d+\)", why)


@pytest.mark.parametrize("wrong", [0, -1, -2, -3, -100, True, None, 2.0, "12"])
def test_a_number_below_one_is_a_mistake_and_no_answer(wrong: Any) -> None:
    class Wrong(Lines):
        def frame(self, data: bytes, side: Side) -> Any:
            return super().frame(data, side) if data.startswith(b"Q 3") else wrong
    good = line("Q", b"abc")
    data = good + line("Q", b"12345") * 3
    found = cut_up([(0, data)], Wrong())
    assert (found.start, found.length) == ([0], [len(good)])
    (start, end, why), = found.holes
    assert (start, end) == (len(good), len(data))
    assert why.startswith(f"the decoder failed: TypeError: {wrong!r} for a length, neither a number from 1 on nor an Answer (test_framing.py:")


@pytest.mark.parametrize(("answer", "messages", "holes", "handed_on"), [
    (MORE, [0, 7], [], None),               # the second one goes on behind the capture
    (REFUSED, [0], [7], None), (TO_END, [0, 7], [], None), (HANDED_ON, [0], [], 7),
])
def test_each_answer_is_told_from_the_others(answer: Answer, messages: list[int], holes: list[int], handed_on: int | None) -> None:
    class Answering(Lines):
        def frame(self, data: bytes, side: Side) -> int | Answer:
            return super().frame(data, side) if data.startswith(b"Q 3") else answer

        def framed(self, data: bytes, side: Side) -> None:
            """Lengths depend on messages before: what is handed on is asked about."""
    one = direction([(0, line("Q", b"abc") + b"Q 5\n12345")])
    found = cut(one, Answering(), side_of(one))
    assert (list(found.start), [start for start, _, _ in found.holes], found.handed_on) == (messages, holes, handed_on)
    assert not isinstance(answer, int) and answer not in (0, -1, -2, -3)


def test_framing_that_cannot_be_had_leaves_a_hole() -> None:
    class Broken(Toy):
        def framing_for(self, side: Side) -> Any:
            raise KeyError("no framing\nfor it")
    found = cut_up(segmented(b"".join(MESSAGES), 100), Broken())
    (start, end, why), = found.holes
    assert (start, end, found.start) == (0, len(b"".join(MESSAGES)), [])
    assert why.startswith("the decoder failed: KeyError: 'no framing\\nfor it' (test_framing.py:")


def test_little_endian_and_three_byte_lengths_are_cut() -> None:
    class Small(Toy):
        framing = Toy.framing.__class__(1, 3, "little", 4, 5, 4, 1 << 20)  # type: ignore[union-attr]

        def accepts(self, head: bytes, side: Side) -> bool:
            return head[:1] == b"\xfe"
    messages = [b"\xfe" + size.to_bytes(3, "little") + bytes(size) for size in (0, 1, 300, 70_000, 2)]
    found = cut_up([(0, b"".join(messages))], Small())
    assert found.start == places(messages)
    found = cut_up([(0, b"?" + b"".join(messages))], Small())
    assert [start - 1 for start in found.start] == places(messages)


def test_garbage_takes_bounded_time() -> None:
    rng = random.Random(3)
    lies = b"".join((1 << 25).to_bytes(4, "big") + b"\1\x7e" + bytes(8) for _ in range(10_000))
    for data in (bytes(1_200_000), rng.randbytes(1_200_000), b"\0\0\0\x09\1\x7e" * 20_000, lies):
        for decoder in (Toy(), Lines()):
            one = direction(segmented(data, 1400))
            clock = time.thread_time()
            found = cut(one, decoder, side_of(one))
            assert time.thread_time() - clock < 4
            covered(one, found)


def covered(one: Direction, found: Cut | Found) -> None:
    """Messages and holes lie side by side, in order, and leave no captured byte out."""
    spans: list[tuple[int, int]] = sorted([*((start, start + max(have, 1)) for start, have in zip(found.start, found.have, strict=True)),
                                           *((start, end) for start, end, _ in found.holes)])
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    reaches = sorted(start + length for start, length, have in zip(found.start, found.length, found.have, strict=True) if length > have)
    at = 0
    for start, end in one.runs():
        now = start
        while at < len(spans) and spans[at][0] < end:
            if spans[at][0] > now:
                assert any(reach >= spans[at][0] for reach in reaches), "bytes in nothing, and not the rest of a message that was cut off"
            now = max(now, spans[at][1])
            at += 1
        assert now >= end or any(reach >= end for reach in reaches)


def test_a_window_gives_what_the_direction_has() -> None:
    rng = random.Random(5)
    data = rng.randbytes(900_000)
    window = Window(direction(segmented(data, 1000)))
    for _ in range(300):
        at, count = rng.randrange(len(data)), rng.choice((1, 10, 5000, 300_000))
        assert window.take(at, count) == data[at:at + count]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=25), st.lists(st.tuples(st.integers(0, 600), st.integers(1, 80)), max_size=4), st.integers(1, 99),
       st.sampled_from([Toy, Lines]))
def test_messages_that_no_gap_touches_are_always_found(sizes: list[int], gaps: list[tuple[int, int]], size: int, kind: Any) -> None:
    """Bodies are zeros, which no decoder accepts, so that the next message is the only candidate."""
    messages = [toy(1, i, bytes(n)) if kind is Toy else line("Q", bytes(n)) for i, n in enumerate(sizes)]
    data, starts = b"".join(messages), places(messages)
    lost = {at for start, length in gaps for at in range(start, start + length)}
    parts = []
    for at, piece in segmented(data, size):
        low = 0
        for i in range(len(piece) + 1):
            if i == len(piece) or at + i in lost:
                if i > low:
                    parts.append((at + low, piece[low:i]))
                low = i + 1
    one = direction(parts)
    found = cut(one, kind(), side_of(one))
    whole = [start for start, length, have in zip(found.start, found.length, found.have, strict=True) if have == length]
    untouched = [start for start, message in zip(starts, messages, strict=True) if not lost.intersection(range(start, start + len(message)))]
    assert set(untouched) <= set(whole)
    covered(one, found)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.binary(max_size=60) | st.sampled_from([*MESSAGES[:9], *LINES[:9]])), max_size=12), st.booleans(),
       st.sampled_from([Toy, Lines]))
def test_any_bytes_are_cut_without_an_exception(parts: list[tuple[int, bytes]], syn: bool, kind: Any) -> None:
    one = direction(parts, syn)
    covered(one, cut(one, kind(), side_of(one)))
