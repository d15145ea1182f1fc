"""The packet list: sorting, the columns after a resize, and times to the packet shown before."""
from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_tui_screens import PACKETS, Session, run

from tui.main.sorting import ordered
from tui.parts.visible import Ordered


@given(st.lists(st.one_of(st.none(), st.integers(0, 5)), max_size=40), st.booleans())
def test_missing_values_come_last_and_equal_ones_keep_their_order(values: list[int | None], descending: bool) -> None:
    found = ordered(range(len(values)), values, descending)
    there = [i for i in found if values[i] is not None]
    assert sorted(found) == list(range(len(values))) and found[:len(there)] == there
    for a, b in pairwise(there):
        one, other = values[a], values[b]
        assert one is not None and other is not None
        assert (one > other if descending else one < other) or (one == other and a < b)


@given(st.lists(st.integers(0, 1000), min_size=1, unique=True), st.integers(0, 1000))
def test_a_packet_is_found_in_any_order(packets: list[int], sought: int) -> None:
    order = Ordered(np.array(packets))
    assert [order.packet(order.row(one)) for one in packets] == packets
    assert order.has(sought) == (sought in packets)
    nearest = order.packet(order.row(sought))
    assert abs(nearest - sought) == min(abs(one - sought) for one in packets)


def rows(s: Session) -> list[int]:
    """The packets of all rows."""
    return [s.list.packet_at(row) for row in range(s.list.count)]


async def sort(s: Session, keys: str) -> None:
    await s.press(keys)
    await s.until(lambda: not s.main.sorting.running and s.main.sorting.column == s.list.sort_sign[0])


@pytest.mark.parametrize(("letter", "column", "falling"), [("r", "rrt", True), ("l", "length", True), ("p", "protocol", False), ("t", "time", False)])
def test_rows_are_sorted_by_a_column_and_back(letter: str, column: str, falling: bool) -> None:
    async def scenario(s: Session) -> None:
        values: list[Any] = [getattr(s.app.capture.row(i), column) for i in range(PACKETS)]
        await s.press("2 0 G")
        await sort(s, f"o {letter}")
        found = [values[i] for i in rows(s) if values[i] is not None]
        assert found == sorted(found, reverse=falling) and len(rows(s)) == PACKETS
        assert s.list.packet == 19 and s.panes.packet is not None and s.panes.packet.index == 19      # the cursor stays on its packet
        assert "▼" in s.text if falling else "▲" in s.text
        await sort(s, "O")
        again = [values[i] for i in rows(s) if values[i] is not None]
        assert again == sorted(found, reverse=not falling)
        await sort(s, "o n")
        assert rows(s) == list(range(PACKETS)) and s.list.packet == 19
    run(scenario)


def test_the_sort_holds_for_what_is_shown_and_under_the_next_filter() -> None:
    async def scenario(s: Session) -> None:
        lengths = [s.app.capture.row(i).length for i in range(PACKETS)]
        await sort(s, "o l")
        await s.press("/ t c p . s t r e a m = = 0 enter")
        await s.until(lambda: s.list.shown is not None and not s.main.filtering.running and s.list.sort_sign[0] == "Length")
        assert s.list.shown is not None
        members = s.list.shown.packets.tolist()
        assert sorted(rows(s)) == members and [lengths[i] for i in rows(s)] == sorted((lengths[i] for i in members), reverse=True)
        await s.press("g g j")
        assert s.panes.packet is not None and s.panes.packet.index == rows(s)[1]
        await s.press("a c")
        await s.until(lambda: s.list.count == PACKETS and s.list.sort_sign[0] == "Length")
    run(scenario)


def test_a_click_on_a_head_sorts_and_another_turns_round() -> None:
    async def scenario(s: Session) -> None:
        head = next(line for line in s.text.splitlines() if "RRT" in line)
        for sign in ("▼", "▲"):
            await s.pilot.click(s.list, offset=(head.index("RRT") + 1, 1))
            await s.until(lambda sign=sign: s.list.sort_sign == ("RRT", sign))  # type: ignore[misc]
        assert s.list.cursor == rows(s).index(0)
    run(scenario)


def test_escape_stops_a_slow_sort(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(s: Session) -> None:
        whole = s.app.capture.row
        monkeypatch.setattr(s.app.capture, "row", lambda i, **more: (time.sleep(0.02), whole(i, **more))[1])
        await s.press("o i")
        await s.until(lambda: s.main.sorting.running)
        await s.press("escape")
        assert not s.main.sorting.running and rows(s) == list(range(PACKETS)) and "stopped" in s.message
    run(scenario)


def test_columns_follow_every_resize_at_once() -> None:
    async def scenario(s: Session) -> None:
        for width, height, there, gone in ((60, 15, ["Time"], ["Source"]), (170, 45, ["Source", "Length"], []), (80, 24, ["Source", "Destination"], ["Length"]),
                                           (40, 10, ["No."], ["Time"]), (120, 40, ["Protocol", "Source"], ["Length"])):
            await s.pilot.resize_terminal(width, height)
            await s.pilot.pause()
            head = next(line for line in s.text.splitlines() if "No." in line)
            assert all(name in head for name in [*there, "Info"]) and not any(name in head for name in gone), (width, head)
    run(scenario)


def test_the_cursor_stays_in_sight_through_a_resize_and_a_scrolled_list_stays_where_it_is() -> None:
    async def scenario(s: Session) -> None:
        await s.press("1 0 0 G")
        for width, height in ((80, 24), (180, 50), (60, 15)):
            await s.pilot.resize_terminal(width, height)
            await s.pilot.pause()
            assert s.list.cursor in s.list.in_sight()
        s.list.scroll_rows(60)
        await s.pilot.pause()
        top = s.list.scroll_offset.y
        await s.pilot.resize_terminal(80, 24)
        await s.pilot.pause()
        assert s.list.cursor not in s.list.in_sight() and s.list.scroll_offset.y == top
    run(scenario)


def test_the_key_line_keeps_what_is_used_most_at_80_columns() -> None:
    async def scenario(s: Session) -> None:
        for _ in range(3):
            assert all(hint in s.text.splitlines()[-1] for hint in ("/ filter", "e error", "r pair", "s follow", "y copy", "? help"))
            await s.press("tab")
    run(scenario, (80, 24))


def test_delta_times_are_to_the_packet_shown_before_and_the_head_says_so() -> None:
    async def scenario(s: Session) -> None:
        await s.press("/ z o o k e e p e r enter")
        await s.until(lambda: s.list.shown is not None and not s.main.filtering.running)
        for _ in range(6):
            if s.list.time_format.head == "Δ shown":
                break
            await s.press("t")
        first, second = rows(s)[:2]
        assert second - first > 1
        gap = s.app.capture.row(second).time - s.app.capture.row(first).time
        assert "Δ shown" in s.text and f"{gap / 1e9:.6f}" in next(line for line in s.text.splitlines() if f" {second + 1} " in line[:10])
    run(scenario)


def test_a_small_tree_starts_at_the_message_wraps_and_scrolls_sideways() -> None:
    async def scenario(s: Session) -> None:
        await s.press("8 G tab")
        tree = s.fields
        top = tree._lines[tree.scroll_offset.y].field
        assert top.spec.type == "protocol" and top.name == "zookeeper"
        whole = next(one for one in tree._lines if len(one.text) > tree.area.width)
        await s.press("w")
        parts = [tree.line(row).text[3:].rstrip() for row, one in enumerate(tree._lines) if one.field is whole.field]
        assert len(parts) > 1 and "".join(parts).replace(" ", "") == whole.text.replace(" ", "")
        count = len(tree._lines)
        await s.press("w")
        assert len(tree._lines) < count
        await s.press("z l")
        assert tree.sideways > 0
        await s.press("z h z h")
        assert tree.sideways == 0
    run(scenario, (60, 15))
