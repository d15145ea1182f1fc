"""The filter line and the filtered list. Frame numbers are tshark 4.0.17's for the same expressions."""
from __future__ import annotations

import asyncio
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminal import Terminal
from test_tui_screens import ERRORS, PACKETS, Session, run

from captures import patterns
from captures.capture import Capture
from captures.filter.parallel.pool import FilterPool
from tui.app.app import ProtoviewApp
from tui.filter.filter_keys import joined
from tui.filter.saved_filters import FilterStore
from tui.parts.visible import Shown

SYN = [1, 2, 106, 107, 233, 234]


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "protoview"


async def write(s: Session, text: str, keys: str = "") -> None:
    """Open the line, put a text into it as typing does, and press keys."""
    await s.press("/ ctrl+u")
    await s.press(" ".join("space" if c == " " else c for c in text))
    await s.until(lambda: s.app.main.filter.line.value == text)
    await s.pilot.pause(0.06)
    if keys:
        await s.press(keys)


def line(s: Session) -> str:
    """The filter line on the screen."""
    return next(one for one in s.text.splitlines() if one.startswith(" Filter /"))


def below(s: Session) -> list[str]:
    lines = s.text.splitlines()
    return lines[lines.index(line(s)) + 1:]


def shown(s: Session) -> list[int]:
    """The numbers of the packets in the list."""
    return [s.list.packet_at(row) + 1 for row in range(s.list.count)]


async def applied(s: Session, text: str) -> None:
    await write(s, text, "enter")
    await s.until(lambda: s.app.main.filtering.text == text and not s.app.main.filtering.running)
    await s.pilot.pause(0.02)


# which packets are shown

@given(st.sets(st.integers(0, 5_000), max_size=60), st.integers(0, 5_000))
def test_the_row_of_a_packet_is_its_own_or_the_nearest(packets: set[int], wanted: int) -> None:
    one = Shown()
    ordered = sorted(packets)
    for start in range(0, len(ordered), 7):
        one.add(np.array(ordered[start:start + 7], np.int64))
    assert one.packets.tolist() == ordered
    assert one.has(wanted) == (wanted in packets)
    if ordered:
        assert abs(one.packet(one.row(wanted)) - wanted) == min(abs(packet - wanted) for packet in ordered)
    else:
        assert one.packet(one.row(wanted)) == -1


def test_enter_applies_the_filter_and_numbers_stay() -> None:
    async def scenario(s: Session) -> None:
        await applied(s, "tcp.flags.syn == 1")
        assert shown(s) == SYN
        assert f"✓ 6 of {PACKETS} · " in line(s)
        assert "  106 " in s.text and "1/6 of 257" in s.text
        await s.press("j j")
        assert s.panes.packet is not None and s.panes.packet.index == 105
        await s.press("G")
        assert s.panes.index == 233
        assert "▶   234 " in s.text
    run(scenario)


@pytest.mark.parametrize(("start", "packet"), [("1 0 6 G", 105), ("1 0 0 G", 105), ("1 0 G", 1), ("G", 233)])
def test_the_cursor_stays_on_its_packet_or_goes_to_the_nearest(start: str, packet: int) -> None:
    async def scenario(s: Session) -> None:
        await s.press(start)
        before = s.panes.index
        await applied(s, "tcp.flags.syn == 1")
        assert s.panes.index == packet
        assert s.panes.packet is not None and s.panes.packet.index == packet
        await s.press(": c l e a r enter")
        assert s.list.count == PACKETS and s.panes.index == packet
        assert before == packet or not s.app.main.filtering.text
    run(scenario)


def test_a_count_goes_to_the_packet_number_and_hidden_packets_are_told() -> None:
    async def scenario(s: Session) -> None:
        await applied(s, "tcp.flags.syn == 1")
        await s.press("1 0 7 G")
        assert s.panes.index == 106
        await s.press(": 1 0 4 enter")
        assert s.panes.index == 105 and "packet 104 is hidden by the filter" in s.message
        await s.press("m a k ' a")
        assert s.panes.index == 105
        await s.press("] k [")
        assert s.panes.index == 105 and "no earlier packet of this stream" in s.message
    run(scenario)


def test_neighbours_and_errors_keep_to_what_is_shown() -> None:
    async def scenario(s: Session) -> None:
        await applied(s, "zookeeper && tcp.srcport == 2181")
        numbers = shown(s)
        await s.press("g g ]")
        await s.until(lambda: s.panes.index == numbers[1] - 1)
        errors = [n for n in numbers if s.app.capture.row(n - 1).severity == "error"]
        await s.press("g g e")
        await s.until(lambda: s.panes.index + 1 == errors[0])
        await s.press("g g r")
        assert "hidden by the filter" in s.message
        assert s.panes.index == s.app.capture.peer_packet(numbers[0] - 1)
        assert s.list.count == len(numbers) + 1
        await s.press("r")
        assert s.panes.index == numbers[0] - 1 and s.list.count == len(numbers)
        await s.press("r j j r")
        assert s.list.guest is not None and s.list.guest != s.app.capture.peer_packet(numbers[0] - 1)
    run(scenario)


def test_a_filter_that_shows_nothing_leaves_an_empty_list_that_takes_keys() -> None:
    async def scenario(s: Session) -> None:
        await applied(s, "tcp.port == 1")
        assert s.list.count == 0 and "✓ 0 of 257" in line(s)
        assert "the filter shows no packet" in s.text
        await s.press("j k G g g r ] e m a s F a = y l tab j tab ctrl+g n")
        await s.press("escape : c l e a r enter")
        assert s.list.count == PACKETS and s.panes.packet is not None
    run(scenario)


@pytest.mark.parametrize(("text", "count", "first"), [("tcp.flags.syn == 1", 6, 0), ("zookeeper", 135, 3)])
def test_packets_indexed_later_are_filtered_too(text: str, count: int, first: int) -> None:
    capture = Capture(ERRORS)
    read_index, go = capture.read_index, threading.Event()

    def late(stop: threading.Event | None = None) -> None:
        go.wait(5)
        read_index(stop)

    capture.read_index = late    # type: ignore[method-assign]

    async def session() -> None:
        app = ProtoviewApp(capture)
        async with app.run_test(size=(120, 40)) as pilot:
            s = Session(app, pilot)
            await applied(s, text)
            assert s.list.count == 0
            go.set()
            await s.until(lambda: s.list.count == count and not app.main.filtering.running)
            await s.until(lambda: s.panes.packet is not None and s.panes.packet.index == first)
            assert f"✓ {count} of 257" in line(s)
    asyncio.run(session())


def test_escape_stops_a_run_and_what_was_found_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        """Finds two packets and goes on for ever."""

        def __init__(self, process: FilterPool, *_: Any) -> None:
            self.done, self.total = 0, len(process.capture)

        def stop(self) -> None:
            pass

        def __iter__(self) -> Iterator[np.ndarray[Any, Any]]:
            self.done = 4
            yield np.array([0, 3])
            while True:
                threading.Event().wait(0.01)
                yield np.zeros(0, np.int64)

    async def scenario(s: Session) -> None:
        monkeypatch.setattr(FilterPool, "run", lambda process, *rest: Slow(process, *rest))
        await write(s, "tcp", "enter")
        await s.until(lambda: shown(s) == [1, 4])
        assert "… 2 · 2% · Esc stops" in line(s)
        await s.press("j")
        assert s.panes.packet is not None and s.panes.packet.index == 3
        await s.press("escape")
        await s.pilot.pause(0.3)
        assert "■ 2 of the first 4" in line(s) and shown(s) == [1, 4]
        assert not s.app.main.filtering.running
    run(scenario)


# the line

def test_an_error_is_underlined_explained_and_mended_by_tab() -> None:
    async def scenario(s: Session) -> None:
        await applied(s, "tcp.flags.syn == 1")
        await write(s, "zookeeper.opcod == 3 && tcp", "escape")
        assert "✗ column 1" in line(s)
        carets, message, *_ = below(s)
        assert carets.rstrip() == " " * 10 + "^" * len("zookeeper.opcod")
        assert 'Unknown field "zookeeper.opcod". Did you mean zookeeper.opcode?' in message and "Tab: zookeeper.opcode == 3 && tcp" in message
        await s.press("enter")
        assert s.app.main.filter.editing and shown(s) == SYN
        assert "the filter stays: tcp.flags.syn == 1" in s.message
        await s.press("tab")
        assert s.app.main.filter.line.value == "zookeeper.opcode == 3 && tcp"
    run(scenario)


def test_a_trap_is_told_and_still_applies() -> None:
    async def scenario(s: Session) -> None:
        await write(s, "tcp.flags.syn")
        assert "⚠ 257 of 257" in line(s) and "~~~~~~~~~~~~~" in below(s)[0] and "Tab: tcp.flags.syn == 1" in s.text
        await s.press("tab")
        await s.pilot.pause(0.06)
        assert "✓ 6 of 257" in line(s)
        await s.press("enter")
        await s.until(lambda: shown(s) == SYN)
    run(scenario)


@pytest.mark.parametrize(("text", "state"), [
    ("zookeeper.opc", "… incomplete"), ("zookeeper.opcode ==", "… Value expected: number"), ("(tcp", "… Unclosed ("), ("tcp.port = 3 ", "✗ column 10"),
    ("", "all packets"), ("zookeeper.opcode == getD", "… incomplete"), ("frame.number < 11", "✓ 10 of 257")])
def test_every_state_has_its_sign(text: str, state: str) -> None:
    async def scenario(s: Session) -> None:
        await write(s, text)
        await s.until(lambda: s.app.main.filter.sample.packets > 0)
        await s.pilot.pause(0.06)
        assert state in line(s)
    run(scenario)


def test_escape_closes_the_completion_and_then_leaves_with_the_old_filter() -> None:
    async def scenario(s: Session) -> None:
        await applied(s, "tcp.flags.syn == 1")
        await write(s, "zookeeper.op")
        assert "▶zookeeper.opcode" in below(s)[0] and "int32" in below(s)[0]
        await s.press("escape")
        assert s.app.main.filter.editing and "▶zookeeper.opcode" not in s.text
        await s.press("escape")
        assert not s.app.main.filter.editing and s.app.main.focused is s.list
        assert "tcp.flags.syn == 1" in line(s) and shown(s) == SYN
    run(scenario)


def test_completion_goes_from_field_to_value() -> None:
    async def scenario(s: Session) -> None:
        await write(s, "zookeeper.op")
        await s.until(lambda: s.app.main.filter.sample.packets == PACKETS)
        await s.press("tab")
        assert s.app.main.filter.line.value == "zookeeper.opcode"
        await s.press("space = = space")
        await s.pilot.pause(0.06)
        assert "▶create" in below(s)[0] and "values seen in this capture" in s.text
        await s.press("down tab enter")
        await s.until(lambda: s.app.main.filtering.text == "zookeeper.opcode == setData" and not s.app.main.filtering.running)
        assert {"setData" in s.app.capture.row(n - 1).info for n in shown(s)} == {True}
    run(scenario)


def test_typed_ahead_keys_reach_what_they_were_meant_for() -> None:
    async def scenario(s: Session) -> None:
        await s.press("/ t c p . f l a g s . s y n space = = space 1 enter j j")
        await s.until(lambda: s.panes.index == 105)
        assert shown(s) == SYN
    run(scenario)


def test_up_and_down_go_through_the_history_of_this_user(state_folder: Path) -> None:
    async def scenario(s: Session) -> None:
        await applied(s, "tcp.flags.syn == 1")
        await applied(s, "udp")
        await s.press("/ ctrl+u t")
        await s.pilot.pause(0.06)
        await s.press("escape up")
        assert s.app.main.filter.line.value == "udp"
        await s.press("up")
        assert s.app.main.filter.line.value == "tcp.flags.syn == 1"
        await s.press("down down")
        assert s.app.main.filter.line.value == "t"
    run(scenario)
    file = state_folder / "filter-history.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert FilterStore().history == ["tcp.flags.syn == 1", "udp"]


def test_clicks_open_the_line_and_choose_candidates() -> None:
    async def scenario(s: Session) -> None:
        await s.pilot.click("#filter")
        assert s.app.main.filter.editing
        await s.press("z o o k e e p e r . o p c o")
        await s.pilot.pause(0.06)
        await s.pilot.click("#filter-help", offset=(3, 0))
        assert s.app.main.filter.line.value == "zookeeper.opcode" and s.app.main.filter.editing
        await s.press("escape escape")
        assert s.app.main.focused is s.list
    run(scenario)


def test_a_pattern_that_never_ends_is_given_up_and_keys_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "LIMIT", 0.05)

    async def scenario(s: Session) -> None:
        await write(s, 'tcp.payload matches "(.|..)+(?<=\\x01\\x02\\x03)\\x04"', "enter")
        await s.until(lambda: "takes too long on a value" in s.message)
        assert "✗ 0 of the first 0" in line(s) and not s.app.main.filtering.running
        await applied(s, "tcp.flags.syn == 1")
        assert shown(s) == SYN
    run(scenario)


def test_readline_keys_edit_the_line() -> None:
    async def scenario(s: Session) -> None:
        await write(s, "tcp && udp")
        await s.press("ctrl+w")
        assert s.app.main.filter.line.value == "tcp && "
        await s.press("home ! end u")
        assert s.app.main.filter.line.value == "!tcp && u"
        await s.press("ctrl+u")
        assert s.app.main.filter.line.value == ""
    run(scenario)


@pytest.mark.parametrize("size", [(180, 50), (120, 40), (80, 24), (60, 15), (44, 12)])
def test_the_line_opens_on_every_screen(size: tuple[int, int]) -> None:
    async def scenario(s: Session) -> None:
        await write(s, "zookeeper.")
        assert line(s).startswith(" Filter / zookeeper.") and "▶zookeeper." in s.text
        assert all(len(one) <= size[0] for one in s.text.splitlines())
        await s.press("escape escape")
        assert (" Filter /" in s.text) == (size[1] >= 15)
        await write(s, "zookeeper.opcod == 3", "escape")
        assert "^^^" in s.text and "Did you mean" in " ".join(s.text.split())
    run(scenario, size)


# of the selected field

@pytest.mark.parametrize(("old", "letter", "new", "expected"), [
    ("", "=", "a == 1", "a == 1"), ("b", "=", "a == 1", "a == 1"), ("b", "!", "a == 1", "!(a == 1)"), ("b", "&", "a == 1", "b && a == 1"),
    ("b || c", "&", "a == 1", "(b || c) && a == 1"), ("b", "|", 'a == "x || y"', 'b || a == "x || y"'), ("b", "x", "a == 1", "b && !(a == 1)"),
    ("", "&", "a", "a"), ("", "x", "a", "!(a)")])
def test_fields_are_joined_to_the_filter(old: str, letter: str, new: str, expected: str) -> None:
    assert joined(old, letter, new) == expected


def test_a_applies_and_capital_a_prepares_the_selected_field() -> None:
    async def scenario(s: Session) -> None:
        await applied(s, "zookeeper")
        count = s.list.count
        path = ("zookeeper", "zookeeper.opcode")
        await s.press("8 G")
        s.fields.select(path)
        await s.press("a &")
        await s.until(lambda: s.app.main.filtering.text == "zookeeper && zookeeper.opcode == 1" and not s.app.main.filtering.running)
        assert 0 < s.list.count < count
        await s.press("A =")
        assert s.app.main.filter.editing and s.app.main.filter.line.value == "zookeeper.opcode == 1"
        await s.press("escape escape a c")
        assert s.list.count == PACKETS
        await s.press("a")
        assert "= only  ! without  & and  | or  x and not" in s.message
        await s.press("q")
        assert "aq does nothing" in s.message
    run(scenario)


def test_capital_f_shows_the_stream() -> None:
    async def scenario(s: Session) -> None:
        await s.press("1 0 6 G F")
        await s.until(lambda: s.app.main.filtering.text == "tcp.stream == 1" and not s.app.main.filtering.running)
        assert len(shown(s)) == len(s.app.capture.index.packets_of("tcp", 1)) and s.panes.index == 105
    run(scenario)


def test_a_filter_is_saved_and_taken_back_by_name(state_folder: Path) -> None:
    async def scenario(s: Session) -> None:
        await s.press(": s a v e - f i l t e r space x enter")
        assert "no filter to save" in s.message
        await applied(s, "tcp.flags.syn == 1")
        await s.press(": s a v e - f i l t e r space s y n enter")
        assert "kept as syn: tcp.flags.syn == 1" in s.message
        await s.press(": c l e a r enter")
        await s.press(": f i l t e r space s y n enter")
        await s.until(lambda: shown(s) == SYN)
        await s.press(": f i l t e r space u d p enter")
        await s.until(lambda: s.app.main.filtering.text == "udp")
        await s.press(": f i l t e r enter")
        assert "syn: tcp.flags.syn == 1" in s.message
    run(scenario)
    assert stat.S_IMODE((state_folder / "filters.json").stat().st_mode) == 0o600


def test_a_broken_or_unwritable_folder_costs_the_memory_only(tmp_path: Path) -> None:
    (tmp_path / "filter-history.json").write_text('{"no": [1, 2')
    (tmp_path / "filters.json").write_text("[[[")
    store = FilterStore(tmp_path)
    assert store.history == [] and store.saved == {}
    store.remember("tcp")
    assert FilterStore(tmp_path).history == ["tcp"]
    (tmp_path / "file").write_text("")
    lost = FilterStore(tmp_path / "file" / "below")
    lost.remember("udp")
    assert lost.history == ["udp"] and lost.save("a", "udp") != ""


# the terminal

def test_the_open_line_rests_and_a_filtered_move_stays_cheap(tmp_path: Path) -> None:
    with Terminal([sys.executable, "-m", "protoview", str(ERRORS)], 180, 50, {"XDG_STATE_HOME": str(tmp_path)}) as terminal:
        terminal.wait_for("Frame 1:")
        terminal.wait_for("● indexed ")
        terminal.settle()
        terminal.press(b"/zookeeper.op")
        terminal.wait_for("▶zookeeper.opcode")
        terminal.settle(2.5, 20)      # the counts of the sample, which takes two seconds, are drawn as they come
        assert terminal.settle(0.8) == 0
        terminal.press(b"\x15zookeeper\r")
        terminal.wait_for("✓ 135 of 257")
        terminal.settle(0.6)
        costs = [terminal.press(b"j", 0.15) for _ in range(8)]
        assert 0 < sum(costs) / len(costs) <= 4_000
        assert terminal.settle(0.8) == 0
