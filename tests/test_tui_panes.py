"""The panes when something goes wrong or gets long: late, failing and far away packets, long lists."""
from __future__ import annotations

from typing import Any

import pytest
from test_tui_screens import PACKETS, Session, run

from captures.capture import Capture
from protocols.engine.fields import Field, Spec
from tui.command.cli import demo
from tui.panes.field_tree import FieldTree
from tui.panes.hex_view import HexView
from tui.panes.packet_list import PacketList
from tui.panes.tree_nodes import covering


def test_clicks_choose_rows_bytes_and_tree_marks() -> None:
    async def scenario(s: Session) -> None:
        await s.pilot.click(PacketList, offset=(20, 6))
        assert s.list.cursor == 4
        await s.pilot.click(FieldTree, offset=(2, 1))       # the mark of the first layer
        assert s.fields.is_open(s.fields._lines[0])
        await s.pilot.click(HexView, offset=(7, 1))
        assert s.hex.at == 0 or s.hex.scroll_offset.y
        assert s.panes.focus_name == "bytes"
        top = s.list.scroll_offset.y
        s.list.on_mouse_scroll_down(_Wheel())  # type: ignore[arg-type]
        assert s.list.scroll_offset.y == top + 3
    run(scenario)


class _Wheel:
    def stop(self) -> None:
        """An event that is not passed on."""


@pytest.mark.parametrize("start", [0, 99, PACKETS - 1, 100_000])
def test_the_program_can_start_at_a_packet(start: int) -> None:
    async def scenario(s: Session) -> None:
        await s.until(lambda: s.panes.packet is not None and s.panes.packet.index == min(start, PACKETS - 1))
    run(scenario, start=start)


def test_a_slow_packet_never_shows_beside_another() -> None:
    async def scenario(s: Session) -> None:
        import time
        packet = s.app.capture.packet

        def slow(index: int, ready_only: bool = False) -> Any:
            time.sleep(0.15 if index == 1 else 0)
            return packet(index, ready_only)

        s.app.capture.packet = slow  # type: ignore[method-assign]
        await s.press("j")
        assert "reading the stream" in s.text or s.panes.packet is not None
        await s.press("j")
        await s.until(lambda: s.panes.packet is not None and s.panes.packet.index == 2)
        await s.pilot.pause(0.3)
        assert s.panes.packet is not None and s.panes.packet.index == 2 and "Frame 3:" in s.text
    run(scenario)


def test_a_decoder_that_fails_is_told_and_the_program_goes_on() -> None:
    async def scenario(s: Session) -> None:
        packet = s.app.capture.packet

        def faulty(index: int, ready_only: bool = False) -> Any:
            if index == 1:
                raise ValueError("bad \x1b[31m decoder")
            return packet(index, ready_only)

        s.app.capture.packet = faulty  # type: ignore[method-assign]
        await s.press("j")
        await s.until(lambda: "could not be read" in s.text)
        assert "\x1b" not in s.text
        await s.press("j")
        await s.until(lambda: "Frame 3:" in s.text)
    run(scenario)


THING = Spec("x.thing", "Thing", "uint8")
LIST = Spec("x.list", "List")


def test_long_lists_are_shown_in_pages() -> None:
    async def scenario(s: Session) -> None:
        many = Field(LIST, None, 0, 2_500, 0, lambda: [Field(THING, i % 256, i, 1) for i in range(2_500)])
        s.fields.show([many])
        s.fields.select(("x.list", "#0"))
        assert [node.text for node in s.fields._lines] == ["List", "[0 – 999]", "[1,000 – 1,999]", "[2,000 – 2,499]"]
        s.fields.select(("x.list", "#2000", "x.thing#2400"))
        assert s.fields.selected is not None and s.fields.selected.start == 2_400
    run(scenario)


def test_the_smallest_field_is_found_in_a_long_list_and_before_its_bits() -> None:
    many = Field(LIST, None, 0, 2_500, 0, lambda: [Field(THING, i % 256, i, 1) for i in range(2_500)])
    assert covering([many], 0, 2_345) == ("x.list", "#2000", "x.thing#2345")
    bit = Spec("x.bit", "Bit", "bool", mask=1)
    flags = Field(THING, 1, 0, 1, 0, [Field(bit, True, 0, 1)])
    assert covering([Field(LIST, None, 0, 4, 0, [flags])], 0, 0) == ("x.list", "x.thing")
    assert covering([flags], 1, 0) is None


def test_the_length_before_a_string_is_found_by_its_bytes() -> None:
    """`create /app` of the demo: the path's length stands in bytes 78-81 of frame 21, the path in 82-85 (by the reference layout of create)."""
    capture = Capture(demo())
    capture.read_index()
    layers = capture.packet(20).layers
    for offset, name in ((78, "zookeeper.path_len"), (81, "zookeeper.path_len"), (82, "zookeeper.path"), (85, "zookeeper.path")):
        found = covering(layers, 0, offset)
        assert found is not None and found[-1] == name
