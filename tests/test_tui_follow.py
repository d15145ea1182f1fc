"""The lines of a followed stream, computed from where its turns lie."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_tui_screens import Session, run

from captures.messages.follow import Turn
from tui.follow import follow_lines
from tui.follow.follow_lines import Lines, Place
from tui.follow.follow_screen import FollowScreen
from tui.parts.formats import duration


@dataclass
class Stream:
    """A stream in memory: what `Lines` asks of a `Follow`."""

    client: bytes
    server: bytes
    turns: list[Turn]
    conversation: Any = True
    read: list[int] = field(default_factory=list)

    def data(self, turn: Turn, limit: int | None = None) -> bytes:
        count = turn.length if limit is None else min(limit, turn.length)
        self.read.append(count)
        return (self.client if turn.from_client else self.server)[turn.start:turn.start + count]


def stream(*turns: tuple[bool, bytes], words: str = "") -> Stream:
    sides: dict[bool, bytes] = {True: b"", False: b""}
    made = []
    for number, (from_client, data) in enumerate(turns):
        made.append(Turn(number, from_client, 1_000_000 * number, len(sides[from_client]), len(data), "message", lambda: words))
        sides[from_client] += data
    return Stream(sides[True], sides[False], made)


def lines(one: Stream, view: str, width: int = 20, turns: Sequence[Turn] | None = None) -> list[str]:
    made = Lines(one, one.turns if turns is None else turns, view, width, 0)  # type: ignore[arg-type]
    return [made.text(number) for number in range(len(made))]


HTTP = stream((True, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), (False, b"HTTP/1.1 204 No Content\r\n\r\n"), words="words")


def test_decoded_shows_a_line_a_message_with_its_direction() -> None:
    assert [line.split() for line in lines(HTTP, "decoded", 100)] == [
        ["c→s", "0.000000", "words", "27", "B", "packet", "1"], ["s→c", "0.001000", "words", "27", "B", "packet", "2"]]


def test_text_is_broken_at_its_newlines_and_at_the_width() -> None:
    assert lines(HTTP, "text") == ["c→s GET / HTTP/1.1", "    Host: x", "    ", "s→c HTTP/1.1 204 No Cont", "    ent", "    "]


def test_hex_shows_sixteen_bytes_a_line_at_their_stream_offset() -> None:
    shown = lines(HTTP, "hex")
    assert shown[0] == "c→s 00000000  47 45 54 20 2f 20 48 54  54 50 2f 31 2e 31 0d 0a  GET / HTTP/1.1.."
    assert shown[1] == "    00000010  48 6f 73 74 3a 20 78 0d  0a 0d 0a                 Host: x...."
    assert [line[:3] for line in shown] == ["c→s", "   ", "s→c", "   "]


def test_control_characters_never_reach_the_screen() -> None:
    evil = stream((True, b"\x1b]0;x\x07\x9b\r\n\x00"), words="\x1b[31m")
    assert not [character for view in ("decoded", "text", "hex") for line in lines(evil, view) for character in line if not character.isprintable()]


TURNS = st.lists(st.tuples(st.booleans(), st.binary(max_size=70)), min_size=1, max_size=8)


@given(TURNS, st.sampled_from(follow_lines.VIEWS), st.integers(8, 40))
def test_the_lines_cover_every_byte_once_and_in_order(turns: list[tuple[bool, bytes]], view: str, width: int) -> None:
    one = stream(*turns)
    made = Lines(one, one.turns, view, width, 0)  # type: ignore[arg-type]
    places = [made.place(number) for number in range(len(made))]
    for number, turn in enumerate(one.turns):
        mine = [place for place in places if place.turn == number]
        assert mine[0].start == 0 and mine[-1].stop == turn.length
        assert [place.stop for place in mine[:-1]] == [place.start for place in mine[1:]]
    for row, place in enumerate(places):
        assert made.line_of(place.turn, place.start) == row


def test_a_large_stream_is_not_read_to_be_shown() -> None:
    big = Turn(0, True, 0, 0, 300_000_000, "data")
    one = Stream(b"", b"", [big])
    for view in ("text", "hex"):
        made = Lines(one, one.turns, view, 80, 0)  # type: ignore[arg-type]
        made.text(len(made) - 1)
    assert max(one.read) <= 80


def test_a_gap_says_what_is_missing() -> None:
    one = Stream(b"", b"", [Turn(3, False, 0, 10, 1_448, "gap", lambda: "1,448 bytes missing")])
    assert {line for view in follow_lines.VIEWS for line in lines(one, view)} == {"s→c ── 1,448 bytes missing ──"}


def found(one: Stream, needle: str, start: Place, step: int, view: str = "text") -> Place | None:
    made = Lines(one, one.turns, view, 20, 0)  # type: ignore[arg-type]
    return next((hit for hit in made.find(needle, start, step) if hit is not None), None)


def test_text_is_found_forwards_and_backwards_ignoring_case() -> None:
    assert found(HTTP, "host", Place(0, 0, 0), 1) == Place(0, 16, 20)
    assert found(HTTP, "no content", Place(0, 0, 0), 1) == Place(1, 13, 23)
    assert found(HTTP, "get", Place(1, 5, 5), -1) == Place(0, 0, 3)
    assert found(HTTP, "absent", Place(0, 0, 0), 1) is None


@pytest.mark.parametrize("at", [0, 5, 7, 8, 60])
def test_text_is_found_across_the_edges_of_the_chunks_searched(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow_lines, "CHUNK", 8)
    one = stream((True, b"." * 3), (False, b"." * at + b"needle" + b"." * 9))
    assert found(one, "Needle", Place(0, 0, 0), 1) == Place(1, at, at + 6)
    assert found(one, "Needle", Place(1, at + 10, at + 10), -1) == Place(1, at, at + 6)


def test_the_words_of_messages_are_searched_when_they_are_shown() -> None:
    assert found(HTTP, "WORDS", Place(0, 0, 0), 1, "decoded") == Place(1, 0, 0)


@pytest.mark.parametrize(("size", "columns"), [((180, 50), True), ((120, 40), True), ((80, 24), False), ((60, 15), False)])
def test_narrow_screens_lose_the_bytes_and_keep_response_times_errors_and_words(size: tuple[int, int], columns: bool) -> None:
    """The first response that is an error, with the time that its row in the list has."""
    async def scenario(s: Session) -> None:
        packet, row = next((i, row) for i in range(len(s.app.capture)) if (row := s.app.capture.row(i)).severity == "error" and row.rrt is not None)
        assert row.rrt is not None
        s.main.jump(packet)
        await s.press("s")
        await s.until(lambda: isinstance(s.app.screen, FollowScreen) and s.app.screen.pane.count > 0)
        line = next(line for line in s.text.splitlines() if "▶" in line)
        assert duration(row.rrt) in line and f"!{row.info[:8]}" in line
        assert (f"packet {packet + 1}" in line) == columns
        screen = s.app.screen
        assert isinstance(screen, FollowScreen) and screen.pane.lines is not None
        styles = {str(screen.pane._style(n, screen.pane.lines).color) for n in range(screen.pane.count)}
        assert len(styles) >= 3     # client, server, error
    run(scenario, size)
