"""The terminal driver's picture: what is sent must leave the screen that the frames draw."""
from __future__ import annotations

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.terminal.picture import Picture

WIDTH, HEIGHT = 24, 6


def screen() -> tuple[pyte.Screen, pyte.Stream]:
    made = pyte.Screen(WIDTH, HEIGHT)
    made.mode.discard(pyte.modes.DECAWM)
    return made, pyte.Stream(made)


def cells(made: pyte.Screen) -> list[list[object]]:
    return [[made.buffer[y][x] for x in range(WIDTH)] for y in range(HEIGHT)]


TEXT = st.text(st.sampled_from("abcXYZ .─┃日本🎉é"), min_size=1, max_size=12)
STYLE = st.sampled_from(["", "1", "31", "38;2;1;2;3;48;5;7", "7"])
RUN = st.tuples(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1), TEXT, STYLE)


def frame(runs: list[tuple[int, int, str, str]]) -> str:
    """Runs of text as Textual writes them: within their row, in cells of their own."""
    from rich.cells import cell_len
    out = []
    for x, y, text, style in runs:
        while cell_len(text) > WIDTH - x:
            text = text[:-1]
        if text:
            out.append(f"\x1b[{y + 1};{x + 1}H" + (f"\x1b[{style}m{text}\x1b[0m" if style else text))
    return "".join(out)


def whole(character: str = ".") -> str:
    return "\x1b[1;1H" + "\n".join(character * WIDTH for _ in range(HEIGHT))


@settings(max_examples=150)
@given(st.lists(st.lists(RUN, max_size=4), max_size=6))
def test_the_sent_changes_leave_the_drawn_screen(frames: list[list[tuple[int, int, str, str]]]) -> None:
    picture = Picture(WIDTH, HEIGHT)
    sent, sent_stream = screen()
    wanted, wanted_stream = screen()
    for runs in [[], *frames]:
        # the rows that are drawn on are drawn whole, as a terminal blanks the other half of a wide character that is overwritten
        drawn = "".join(f"\x1b[{y + 1};1H{' ' * WIDTH}" for y in sorted({run[1] for run in runs}))
        used: set[int] = set()
        kept = [run for run in runs if not (run[1] in used or used.add(run[1]))]
        text = whole() if not runs else drawn + frame(kept)
        assert picture.draw(text) == ""
        wanted_stream.feed(text.replace("\n", "\r\n"))
        sent_stream.feed(picture.changes())
    assert cells(sent) == cells(wanted)


def test_what_is_drawn_again_is_not_sent_again() -> None:
    picture = Picture(WIDTH, HEIGHT)
    picture.draw(whole())
    assert picture.changes()
    picture.draw(whole())
    assert picture.changes() == ""
    picture.draw("\x1b[2;3HX")
    assert picture.changes() == "\x1b[2;3HX\x1b[2;3H"


def test_only_the_newest_of_several_frames_is_sent() -> None:
    picture = Picture(WIDTH, HEIGHT)
    for character in "abc":
        picture.draw(whole(character))
    changes = picture.changes()
    assert "c" * WIDTH in changes and "a" not in changes and "b" not in changes


def test_a_forgotten_terminal_is_sent_everything() -> None:
    picture = Picture(WIDTH, HEIGHT)
    picture.draw(whole())
    picture.changes()
    picture.forget()
    assert picture.changes().count("." * WIDTH) == HEIGHT


def test_what_is_no_drawing_is_handed_back() -> None:
    picture = Picture(WIDTH, HEIGHT)
    controls = "\x1b]52;c;aGk=\a\x1b[?1003h\x07\x1b[>1u"
    assert picture.draw(controls) == controls
    assert picture.draw(f"\x1b[1;1Hab{controls}cd") == controls
    assert "abcd" in picture.changes()


def test_drawing_outside_the_terminal_is_left_out() -> None:
    picture = Picture(4, 2)
    picture.draw("\x1b[1;3Habcdef\x1b[9;1Hxyz\x1b[2;4H日")
    assert picture.changes() == "\x1b[1;3Hab\x1b[2;4H"


def test_the_cell_behind_a_wide_character_is_addressed_anew() -> None:
    picture = Picture(8, 1)
    picture.draw("\x1b[1;1H日x")
    assert picture.changes().startswith("\x1b[1;1H日\x1b[1;3Hx")
