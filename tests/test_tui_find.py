"""Find: what is a match, in which order hits come, and what is selected. Frame numbers are tshark 4.0.17's for `frame contains`."""
from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_tui_screens import ERRORS, PACKETS, SPANNING, Session, run

from captures.capture import Capture
from captures.find import Search, needle

DEEPER = [38, 40, 42, 44, 46, 48, 50, 52, 54, 56]
"""frame contains "/none/deeper" """
NONODE = [21, *range(23, 58, 2)]
"""frame contains ff:ff:ff:9b: the error code -101"""
FIRST_SEGMENT = 134
"""Index of the first of the segments of the message that packet SPANNING completes."""


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


async def find(s: Session, text: str) -> None:
    await s.press("ctrl+f " + " ".join("space" if c == " " else c for c in text) + " enter")
    await s.until(lambda: not s.app.main.finding.running)
    await s.pilot.pause(0.02)


def hits(s: Session) -> list[int]:
    return [packet + 1 for packet in s.app.main.finding.hits]


@pytest.mark.parametrize(("typed", "text", "matches"), [
    ("orders", "My Orders", True), ('"orders"', "My Orders", False), ('"orders"', "my orders", True), ("/ord.rs$/", "my orders", True),
    ("/ord.rs$/", "my Orders", False), ("/(?i)ORD/", "order", True), ("a.c", "abc", False), ("0xff9b", "0xff9b", False), ("/", "a/b", True)])
def test_text_is_sought_in_any_case_and_exactly_in_quotes(typed: str, text: str, matches: bool) -> None:
    assert needle(typed).in_text(text) is matches


@pytest.mark.parametrize(("typed", "data", "span"), [
    ("0xff9b", b"\x00\xff\x9b", (1, 3)), ("0xFF 9B", b"\xff\x9b", (0, 2)), ("0x0a", b"a\nb", (1, 2)), ("orders", b"xORDERS", (1, 7)),
    ('"orders"', b"xORDERS", None),
    ("/o.d/", b"\xffo\nd", (1, 4)), ("é", "é".encode(), (0, 2)), ("/x*/", b"yyy", None)])
def test_bytes_are_sought_as_they_lie(typed: str, data: bytes, span: tuple[int, int] | None) -> None:
    assert needle(typed).in_bytes(data) == span


@pytest.mark.parametrize("typed", ["/[/", "", "/(?P<a/"])
def test_what_cannot_be_sought_is_told(typed: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        needle(typed)


@given(st.text(max_size=20))
def test_no_text_fails_but_with_words(typed: str) -> None:
    try:
        made = needle(typed)
    except ValueError as fault:
        assert str(fault)
    else:
        made.in_text("some text")
        made.in_bytes(b"some bytes")


def test_hits_are_counted_and_n_goes_round() -> None:
    async def scenario(s: Session) -> None:
        await find(s, "0xffffff9b")
        assert hits(s) == NONODE
        assert s.panes.index + 1 == 21 and f"find 0xffffff9b: 1 of {len(NONODE)}" in s.message
        await s.press("n n")
        assert s.panes.index + 1 == 25 and "3 of" in s.message
        await s.press("N")
        assert s.panes.index + 1 == 23
        await s.press("3 n")
        assert s.panes.index + 1 == 29
        await s.press("g g N")
        assert s.panes.index + 1 == 57
        await s.press("n")
        assert s.panes.index + 1 == 21
    run(scenario)


def test_bytes_found_are_under_the_cursor_of_the_bytes_pane() -> None:
    async def scenario(s: Session) -> None:
        await find(s, "0xffffff9b")
        frame = s.app.capture.packet(20).views[0].data
        assert s.hex.view == 0 and s.hex.at == bytes(frame).find(b"\xff\xff\xff\x9b")
        assert s.fields.selected is not None and s.fields.selected.start <= s.hex.at < s.fields.selected.end
    run(scenario)


def test_text_is_found_in_list_fields_and_bytes_and_its_field_selected() -> None:
    async def scenario(s: Session) -> None:
        await find(s, "/none/deeper")
        assert [n for n in hits(s) if n in DEEPER] == DEEPER
        # replies name the path of their request in the list only
        assert hits(s) == sorted({*DEEPER, *(n for n in range(1, PACKETS + 1) if "/none/deeper" in s.app.capture.row(n - 1).info)})
        assert s.panes.index + 1 == 38 and s.name == "zookeeper.path"
    run(scenario)


def test_a_field_that_only_the_tree_shows_is_found() -> None:
    async def scenario(s: Session) -> None:
        await find(s, "/Time to [Ll]ive: 6[0-9]/")
        assert len(hits(s)) == PACKETS and s.name == "ip.ttl"
    run(scenario)


def test_a_match_across_segments_is_found_where_it_begins() -> None:
    capture = Capture(ERRORS)
    capture.read_index()
    index = capture.index
    first, second = (bytes(buffer[at:at + length]) for buffer, at, length in (index.payload(FIRST_SEGMENT), index.payload(FIRST_SEGMENT + 1)))
    assert capture.packet(SPANNING).pieces[1][0].packet == FIRST_SEGMENT
    between = first[-4:] + second[:4]
    search = Search(capture, needle("0x" + between.hex()), range(len(capture)))
    found = {packet for packet, hit in search.steps() if hit}
    assert FIRST_SEGMENT in search.across and search.across[FIRST_SEGMENT] > FIRST_SEGMENT
    assert FIRST_SEGMENT in found and SPANNING in found
    assert all(between not in bytes(index.frame(packet)) for packet in search.across)


def test_nothing_found_is_said_and_an_error_too() -> None:
    async def scenario(s: Session) -> None:
        await find(s, "no such thing")
        assert s.message == "find no such thing: nothing in list, fields and bytes" and s.panes.index == 0
        await find(s, "/(/")
        assert "no regular expression" in s.message
        await s.press("g g")
        assert s.message == ""
    run(scenario)


def test_n_without_a_search_says_how_to_begin() -> None:
    async def scenario(s: Session) -> None:
        await s.press("n")
        assert "Ctrl-F" in s.message
        await s.press("ctrl+f escape")
        assert s.app.main.focused is s.list and not s.app.main.finding.running
    run(scenario)


def test_find_keeps_to_what_the_filter_shows() -> None:
    async def scenario(s: Session) -> None:
        await s.press("/ f r a m e . n u m b e r space > space 5 0 enter")
        await s.until(lambda: s.list.count == PACKETS - 50)
        await find(s, "0xffffff9b")
        assert hits(s) == [n for n in NONODE if n > 50]
        assert s.panes.index + 1 == 53
        await s.press("N")
        assert s.panes.index + 1 == 51
    run(scenario)


def test_the_first_hit_is_shown_while_the_search_goes_on_and_escape_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(self: Search) -> Iterator[tuple[int, bool]]:
        yield 0, False
        yield 8, True
        while True:
            threading.Event().wait(0.01)
            yield -1, False

    async def scenario(s: Session) -> None:
        monkeypatch.setattr(Search, "steps", slow)
        await s.press("ctrl+f x enter")
        await s.until(lambda: s.panes.index == 8)
        assert "1 of 1 so far · 1% · Esc stops" in s.message
        await s.press("n")
        assert s.panes.index == 8 and "so far" in s.message
        await s.press("escape")
        await s.pilot.pause(0.05)
        assert not s.app.main.finding.running and "in the 1% that were searched" in s.message
    run(scenario)
