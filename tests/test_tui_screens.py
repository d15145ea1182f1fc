"""The application on a real capture, driven by keys and clicks; what is asserted is the state and the text of the screen."""
from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot

from captures.capture import Capture
from tui.app.app import ProtoviewApp
from tui.app.help_screen import HelpScreen
from tui.follow.follow_screen import FollowScreen
from tui.main.main_screen import MainScreen
from tui.panes.field_tree import FieldTree
from tui.panes.hex_view import HexView
from tui.panes.packet_list import PacketList
from tui.panes.panes import Panes

ERRORS = Path(__file__).parent / "data" / "zookeeper" / "zookeeper-java-3.9-errors.pcap.gz"
PACKETS = 257
SPANNING = 223
"""Index of the packet that completes a message of 85 segments, the first of them in packet 134 (index)."""


def screen_text(app: ProtoviewApp) -> str:
    """What the terminal would show."""
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in app.screen._compositor.render_strips())


class Session:
    """The application under test, with short names for its parts."""

    def __init__(self, app: ProtoviewApp, pilot: Pilot[int]) -> None:
        self.app, self.pilot = app, pilot
        self.main: MainScreen = app.main
        self.panes: Panes = app.main.panes
        self.list: PacketList = app.main.panes.list
        self.fields: FieldTree = app.main.panes.fields
        self.hex: HexView = app.main.panes.hex

    async def press(self, keys: str) -> None:
        """Keys parted by blanks, typed faster than the screen is drawn."""
        for key in keys.split():
            name = _character_to_key(key) if len(key) == 1 else key
            character = key if len(key) == 1 else {"enter": "\r", "space": " ", "tab": "\t", "escape": "\x1b"}.get(key)
            self.app.post_message(events.Key(name, character))
        await self.pilot.pause()
        await self.pilot.pause()

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(100):
            if condition():
                return
            await self.pilot.pause(0.03)
        raise AssertionError(screen_text(self.app))

    @property
    def text(self) -> str:
        return screen_text(self.app)

    @property
    def name(self) -> str:
        assert self.fields.selected is not None
        return self.fields.selected.name

    @property
    def message(self) -> str:
        return self.main.hints.left


def run(scenario: Callable[[Session], Awaitable[None]], size: tuple[int, int] = (120, 40), path: Path = ERRORS, start: int = 0) -> ProtoviewApp:
    async def session() -> ProtoviewApp:
        app = ProtoviewApp(Capture(path), start=start)
        async with app.run_test(size=size) as pilot:
            one = Session(app, pilot)
            await one.until(lambda: app.capture.complete and one.panes.packet is not None and len(app.capture) == one.list.count)
            await scenario(one)
        return app
    return asyncio.run(session())


def test_the_three_panes_describe_the_packet_under_the_cursor() -> None:
    async def scenario(s: Session) -> None:
        assert "257 packets" in s.text and "● indexed" in s.text and "1/257" in s.text
        await s.press("j j j")
        assert s.panes.packet is not None and s.panes.packet.index == s.list.cursor == 3
        assert "▶     4" in s.text and "Frame 4:" in s.text
        assert s.hex.views[0].data == s.app.capture.packet(3).views[0].data
        first_row = s.hex.views[0].data[:8].hex(" ")
        await s.press("tab tab g g")
        assert f"0000  {first_row}" in s.text
    run(scenario)


@pytest.mark.parametrize(("keys", "packet"), [("G", PACKETS - 1), ("4 5 G", 44), ("5 j k", 4), ("G g g", 0), ("G k", PACKETS - 2),
                                              ("1 0 0 j ctrl+u end home", 0), ("9 9 9 9 9 G", PACKETS - 1), (": 4 5 enter", 44)])
def test_the_cursor_moves_as_in_vim(keys: str, packet: int) -> None:
    async def scenario(s: Session) -> None:
        await s.press(keys)
        assert s.list.cursor == packet
        assert s.panes.packet is not None and s.panes.packet.index == packet
        assert re.search(rf"▶.\s*{packet + 1} ", s.text)
    run(scenario)


def test_r_goes_to_the_other_end_of_the_exchange_and_back() -> None:
    async def scenario(s: Session) -> None:
        await s.press("8 G r")
        assert s.list.cursor == s.app.capture.peer_packet(7) == 8
        await s.press("r")
        assert s.list.cursor == 7
        await s.press("g g r")
        assert s.list.cursor == 0 and "no request or response here" in s.message
    run(scenario)


def test_e_goes_from_error_to_error() -> None:
    async def scenario(s: Session) -> None:
        errors = [index for index in range(PACKETS) if s.app.capture.row(index).severity == "error"]
        await s.press("e")
        await s.until(lambda: s.list.cursor == errors[0])
        await s.press("e")
        await s.until(lambda: s.list.cursor == errors[1])
        assert "!" in next(line for line in s.text.splitlines() if "▶" in line)
        await s.press("E")
        await s.until(lambda: s.list.cursor == errors[0])
        await s.press("E")
        await s.until(lambda: "no error before" in s.message)
        assert s.list.cursor == errors[0]
    run(scenario)


def test_marks_and_jumps_are_remembered() -> None:
    async def scenario(s: Session) -> None:
        await s.press("2 0 G m a 4 0 G ' a")
        assert s.list.cursor == 19
        assert s.list.marks == {19: "a"}
        await s.press("' '")
        assert s.list.cursor == 39
        await s.press("m .")
        assert s.list.marks[39] == "*"
        await s.press("m . ' z")
        assert 39 not in s.list.marks and "no packet is marked z" in s.message
    run(scenario)


def test_a_field_stays_selected_and_open_from_packet_to_packet() -> None:
    async def scenario(s: Session) -> None:
        await s.press("8 G tab")
        while s.name != "zookeeper.path":
            await s.press("j")
        await s.press("tab tab j j")    # to the list, and on to the next request
        assert s.list.cursor == 9 and s.name == "zookeeper.path"
        await s.press("k k k k")        # a TCP segment without a message
        assert s.list.cursor == 5 or s.name != "zookeeper.path"
        await s.press("8 G")
        assert s.name == "zookeeper.path"
    run(scenario)


def test_a_selected_field_lights_its_bytes() -> None:
    async def scenario(s: Session) -> None:
        await s.press("8 G tab j j")
        field = s.fields.selected
        assert field is not None and field.length
        assert s.hex._field == {0: (field.start, field.end)}
        assert s.hex.at == field.start
        assert f"bytes {field.start}–{field.end - 1}" in s.main.field_bar.left
    run(scenario)


def test_a_byte_selects_the_smallest_field_that_holds_it() -> None:
    async def scenario(s: Session) -> None:
        await s.press("8 G tab tab g g")
        assert s.name == "eth.dst"
        await s.press("6 l")
        assert s.name == "eth.src"
        await s.press("8 l")        # byte 14: version and header length, half a byte each
        assert s.fields.selected is not None and (s.fields.selected.start, s.fields.selected.length) == (14, 1)
        await s.press(") g f")
        assert s.panes.focus_name == "tree"
    run(scenario)


def test_a_message_over_many_packets_is_lit_in_each_of_them() -> None:
    async def scenario(s: Session) -> None:
        await s.press(" ".join(f"{SPANNING + 1}") + " G tab g g")
        packet = s.panes.packet
        assert packet is not None and len(packet.views) > 1
        s.fields.select(next(path for path in (node.path for node in s.fields._lines) if path == ("zookeeper",)))
        await s.pilot.pause()
        assert s.hex.view == 1                  # the message's own tab
        assert "ZooKeeper message" in s.text
        pieces = packet.pieces[1]
        assert s.panes.lit[134] == [(piece.frame_start, piece.frame_start + piece.length) for piece in pieces if piece.packet == 134]
        await s.press("1 3 5 G" if s.panes.focus_name == "packets" else "shift+tab 1 3 5 G")
        assert s.list.cursor == 134
        assert s.hex._message[0] == s.panes.lit[134] != []
        frame = len(s.hex.data)
        assert s.panes.lit[134][0] == (frame - 1448, frame)
    run(scenario)


def test_folding_and_siblings() -> None:
    async def scenario(s: Session) -> None:
        await s.press("8 G tab g g z M")
        assert all(node.depth == 0 for node in s.fields._lines)
        await s.press("l j")
        assert s.fields.node is not None and s.fields.node.path[0] == "frame" and s.fields.node.depth == 1
        await s.press("h")
        assert s.fields.node.path == ("frame",)
        await s.press("h J")
        assert s.fields.node.path == ("eth",)
        closed = len(s.fields._lines)
        await s.press("z O")
        opened = len(s.fields._lines)
        await s.press("z R")
        assert len(s.fields._lines) > opened > closed
        await s.press("z C z M")
        assert len(s.fields._lines) == closed
    run(scenario)


def test_enter_on_a_packet_number_goes_there() -> None:
    async def scenario(s: Session) -> None:
        await s.press("9 G tab z R")
        row = next(row for row, node in enumerate(s.fields._lines) if node.field.name == "pv.req_frame")
        s.fields.go(row)
        await s.press("enter")
        assert s.list.cursor == 7
    run(scenario)


@pytest.mark.parametrize("size", [(180, 50), (160, 40), (120, 40), (100, 30), (80, 24), (70, 20), (60, 15), (45, 12), (40, 10)])
def test_every_size_shows_what_it_has_room_for(size: tuple[int, int]) -> None:
    async def scenario(s: Session) -> None:
        await s.press("8 G")
        lines = s.text.splitlines()
        assert len(lines) <= size[1] and all(len(line) <= size[0] for line in lines)
        assert "▶" in s.text and "8/257" in s.text
        row = s.app.capture.row(7)
        if size[0] >= 100:
            assert row.source in s.text and row.destination in s.text and "Dissection" in s.text and "Bytes" in s.text
        else:
            # an address is shown whole or not at all, and the operation always
            line = next(line for line in lines if line.startswith("▶"))
            assert (row.source in line and row.destination in line) == (size[0] >= 80) and "create" in line
        await s.press("enter")
        assert s.panes.focus_name == "tree" and "create" in s.text
    run(scenario, size)


def test_a_terminal_too_small_says_so_and_loses_nothing() -> None:
    async def scenario(s: Session) -> None:
        await s.press("8 G")
        await s.pilot.resize_terminal(37, 9)
        await s.pilot.pause()
        assert "too small: 37x9, need 40x10" in s.text
        await s.press("tab j")
        await s.pilot.resize_terminal(120, 40)
        await s.pilot.pause()
        assert s.panes.packet is not None and "Dissection" in s.text and "257 packets" in s.text
    run(scenario)


def test_layouts_zoom_and_sizes_change_the_panes_in_sight() -> None:
    async def scenario(s: Session) -> None:
        shown = lambda: [pane.id for pane in (s.list, s.fields, s.hex) if pane.display]  # noqa: E731
        assert shown() == ["packets", "tree", "bytes"]
        seen = []
        for _ in range(4):
            await s.press("|")
            seen.append(tuple(shown()))
        assert ("packets", "tree") in seen and ("packets", "bytes") in seen
        await s.press("\\")
        assert shown() == ["packets"]
        await s.press("tab")
        assert shown() == ["tree"]
        await s.press("\\ tab tab")
        height = s.list.size.height
        await s.press("+ +")
        assert s.list.size.height > height
        await s.press("=")
        assert s.list.size.height == height
    run(scenario)


def test_time_formats_and_the_time_reference() -> None:
    async def scenario(s: Session) -> None:
        await s.press("5 G T")
        assert "*REF*" in s.text
        line = next(line for line in s.text.splitlines() if line.startswith(("│      6", "┃      6")))
        gap = s.app.capture.row(5).time - s.app.capture.row(4).time
        assert f"{gap / 1e9:.6f}" in line
        await s.press("T t")
        assert s.list.time_format.name == "delta" and f"{gap / 1e9:.6f}" in next(line for line in s.text.splitlines() if line[1:8] == "      6")
        await s.press("t t t")
        seconds, rest = divmod(s.app.capture.row(4).time, 1_000_000_000)
        assert f"{seconds}.{rest // 1000:06d}" in s.text
    run(scenario)


def test_copying_says_what_and_how_much() -> None:
    async def scenario(s: Session) -> None:
        sent: list[str] = []
        s.app.copy_to_clipboard = sent.append  # type: ignore[method-assign]
        await s.press("8 G tab j y")
        assert "filter expression" in s.text and s.main.keys.pending == "y"
        await s.press("l")
        assert s.fields.selected is not None and sent == [s.fields.selected.text]
        assert "Sent label and value" in s.message and f"{len(sent[0])} bytes" in s.message
        assert "filter expression" not in s.text
        await s.press("y f y Q")
        assert sent[1].startswith("pv") or sent[1].startswith("zookeeper")
        assert "yQ copies nothing" in s.message and len(sent) == 2
    run(scenario)


def test_what_is_too_long_for_a_terminal_is_not_sent() -> None:
    async def scenario(s: Session) -> None:
        sent: list[str] = []
        s.app.copy_to_clipboard = sent.append  # type: ignore[method-assign]
        s.main.copy("bytes", "x" * 75_000)
        await s.pilot.pause()
        assert sent == [] and "nothing was copied" in s.message
    run(scenario)


def test_follow_shows_the_stream_and_enter_goes_to_the_packet() -> None:
    async def scenario(s: Session) -> None:
        await s.press("1 3 G s")
        await s.until(lambda: isinstance(s.app.screen, FollowScreen) and s.app.screen.pane.count > 0)
        follow = s.app.screen
        assert isinstance(follow, FollowScreen) and follow.follow is not None
        assert "c→s" in s.text and "s→c" in s.text and "NODEEXISTS" in s.text and "Follow TCP stream 0" in s.text
        everything = follow.pane.count
        await s.press("c")
        await s.until(lambda: 0 < follow.pane.count < everything)
        assert "s→c " not in "\n".join(s.text.splitlines()[2:-1])
        await s.press("b v")
        await s.until(lambda: follow.pane.lines is not None and follow.pane.lines.view == "text")
        await s.press("v")
        await s.until(lambda: follow.pane.lines is not None and follow.pane.lines.view == "hex")
        assert "00000000" in s.text or follow.pane.cursor > 20
        await s.press("v g g / d e l e t e enter")
        await s.until(lambda: "found in packet" in follow.hints.left)
        assert follow.pane.lines is not None
        packet = follow.pane.lines.turns[follow.pane.lines.place(follow.pane.cursor).turn].packet
        assert "delete" in s.app.capture.row(packet).info
        await s.press("enter")
        await s.until(lambda: s.app.screen is s.main and s.list.cursor == packet)
    run(scenario)


def test_leaving_follow_leaves_the_list_as_it_was() -> None:
    async def scenario(s: Session) -> None:
        await s.press("1 3 G s")
        await s.until(lambda: isinstance(s.app.screen, FollowScreen) and s.app.screen.pane.count > 0)
        await s.press("j j q")
        await s.until(lambda: s.app.screen is s.main)
        assert s.list.cursor == 12
    run(scenario)


def test_help_is_made_from_the_registry_and_twice_shows_every_key() -> None:
    async def scenario(s: Session) -> None:
        await s.press("?")
        await s.until(lambda: isinstance(s.app.screen, HelpScreen) and "Packets · Move" in s.text)
        assert "next packet" in s.text and "every key" in s.text
        await s.press("?")
        pane = s.app.screen.query_one("#help")
        assert any("Follow stream" in line for _, line in pane.text)  # type: ignore[attr-defined]
        await s.press("q")
        await s.until(lambda: s.app.screen is s.main)
    run(scenario)


def test_the_palette_offers_the_actions() -> None:
    app = ProtoviewApp(Capture(ERRORS))

    async def scenario() -> None:
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.pause(0.2)
            titles = [command.title for command in app.get_system_commands(app.screen)]
            assert any("from request to response" in title for title in titles)
            await pilot.press("ctrl+p")
            await pilot.pause(0.3)
            await pilot.press("escape")
            await pilot.pause(0.2)
            assert app.screen is app.main
    asyncio.run(scenario())


def test_escape_never_quits_and_q_does() -> None:
    async def scenario(s: Session) -> None:
        await s.press("escape escape ctrl+c")
        assert s.app._exit is False and "press q to quit" in s.message
        await s.press("ctrl+q ctrl+s")
        assert s.app._exit is False
        await s.press("q")
        assert s.app._exit is True
    assert run(scenario).return_code == 0


@pytest.mark.parametrize(("typed", "says"), [("9 9 9 9", "there is no packet 9,999"), ("n o s u c h", "no command nosuch")])
def test_the_command_line_answers_what_it_cannot_do(typed: str, says: str) -> None:
    async def scenario(s: Session) -> None:
        await s.press(f": {typed} enter")
        assert says in s.message and s.list.cursor == 0
        await s.press(": backspace j")
        assert s.list.cursor == 1
        await s.press(": 5 escape")
        assert s.list.cursor == 1 and s.panes.focus_name == "packets"
    run(scenario)
