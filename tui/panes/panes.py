"""The three panes, which always describe the same packet, and where they lie.

A move of the list's cursor asks the worker for the packet; the answer is shown in all panes at once, unless the cursor has gone on
meanwhile. A field lights its bytes, a byte selects its field, and a message that spans packets stays lit in each of them.
"""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.containers import Container

from captures.packet.model import Packet
from protocols.engine.fields import printable
from tui.panes.field_tree import FieldTree
from tui.panes.hex_view import HexView, Range
from tui.panes.packet_list import PacketList
from tui.panes.tree_nodes import covering
from tui.parts.keys import Press
from tui.parts.layout import PANES, Box, Choice, SizeClass, arrange, frame, size_class
from tui.parts.pane import Pane
from tui.parts.textual_private import draw_together

if TYPE_CHECKING:
    from captures.capture import Capture
    from tui.parts.worker import Worker

PATIENCE = 0.03
"""Seconds that a move waits for its packet, so that all panes change in one frame."""
STEP = 0.06
"""What one press of a resizing key adds to a pane's share."""


class Panes(Container):
    """`say` shows a message, `changed` is called when packet, field or focus are others."""

    DEFAULT_CSS = """
    Panes { height: 1fr; width: 100%; }
    Panes > Pane { position: absolute; }
    """

    def __init__(self, capture: Capture, worker: Worker, start: int, say: Callable[[str, str], None], changed: Callable[[], None]) -> None:
        super().__init__(id="panes")
        self.capture, self.worker = capture, worker
        self.say, self.changed = say, changed
        self.packet: Packet | None = None
        self.list = PacketList(capture, self._moved)
        self.list.cursor = max(0, start)
        self.fields = FieldTree(self._field_chosen)
        self.hex = HexView(self._byte_chosen)
        self.choice = Choice()
        self.detail = "tree"
        self.screen_size = (0, 0)
        self.room = (0, 0)
        self.lit: dict[int, list[Range]] = {}
        """Where in each packet the message lies that was selected last."""
        self.arrived: Callable[[Packet], None] | None = None
        """Called once with the next packet that is shown."""
        self._from_bytes = False
        self._fault = ""
        self._slow_until = 0.0

    def compose(self) -> ComposeResult:
        yield self.list
        yield self.fields
        yield self.hex

    # where they lie

    @property
    def kind(self) -> SizeClass:
        return size_class(*self.screen_size)

    @property
    def focus_name(self) -> str:
        """The pane that keys go to."""
        focused = self.screen.focused
        return focused.id if isinstance(focused, Pane) and focused.id in PANES else "packets"

    def boxes(self, focus: str) -> dict[str, Box]:
        """The panes in sight, were `focus` the focused one."""
        return arrange(*self.room, self.kind, self.choice, focus, self.detail)

    def lay_out(self, screen: tuple[int, int], room: tuple[int, int]) -> None:
        """Give every pane its place in `room` (columns, rows) on a terminal of size `screen`."""
        self.screen_size, self.room = screen, room
        self.place()

    def place(self) -> None:
        """Put the panes where size, choice and focus want them."""
        boxes = self.boxes(self.focus_name)
        look = frame(self.kind)
        for pane in (self.list, self.fields, self.hex):
            box = boxes.get(pane.id or "")
            pane.display = box is not None
            pane.set_class(look == "-rule", "-rule")
            pane.set_class(look == "-bare", "-bare")
            if box is not None:
                pane.styles.offset = (box.x, box.y)
                pane.styles.width, pane.styles.height = box.width, box.height

    def focus_pane(self, name: str) -> None:
        """Go to a pane, bringing it to sight."""
        if name != "packets":
            self.detail = name
        if name not in self.boxes(name):
            self.choice = replace(self.choice, shapes={**self.choice.shapes, self.kind: Choice().shape(self.kind)})
        pane = {"packets": self.list, "tree": self.fields, "bytes": self.hex}[name]
        pane.display = True
        self.screen.set_focus(pane)
        self.place()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if event.widget.id in ("tree", "bytes"):
            self.detail = event.widget.id
        self.place()
        self.changed()

    # the packet

    @property
    def index(self) -> int:
        """The packet under the list's cursor, from 0; -1 when none is shown."""
        return self.list.packet

    def _moved(self) -> None:
        self.settle()
        self.changed()
        draw_together((self.list, self.fields, self.hex))

    def settle(self) -> None:
        """Make sure that the panes show the packet under the cursor, or that it was asked for."""
        if self.packet is None or self.packet.index != self.index:
            self.show_packet()

    def catch_up(self) -> None:
        """Show what the index has reached since: the packet to start at, or that there is none."""
        if self.packet is not None or self.worker.busy("packet") or self.index < 0:
            return
        if self.index < len(self.capture):
            if not self._fault:
                self.show_packet()
        elif self.capture.complete and len(self.capture):
            self.list.go(self.list.count - 1)
        elif self.capture.complete:
            self.fields.show_note("the capture holds no packets")

    def show_packet(self) -> None:
        """Dissect the packet under the cursor and show it in all panes."""
        index = self.index
        if index >= len(self.capture):
            return
        if index < 0:
            self.packet = None
            self.fields.show_note("the filter shows no packet")
            self.hex.show((), {})
            return
        self._fault = ""
        # once a packet was slow, keys that are held down must not wait for each
        patience = PATIENCE if time.monotonic() > self._slow_until else 0
        done = self.worker.ask("packet", partial(self.capture.packet, index), self._show, partial(self._failed, index), patience)
        if not done:
            self._slow_until = time.monotonic() + 5 * PATIENCE
            self.packet = None
            self.fields.show_note("reading the stream …")
            self.hex.show((), {})

    def _show(self, packet: Packet) -> None:
        if packet.index != self.index:
            return
        self.packet = packet
        row = packet.row
        ends = f" · {row.source} → {row.destination}" if self.kind is SizeClass.COMPACT else ""
        self.fields.set_title(f"Dissection · packet {packet.index + 1}{printable(ends)}")
        self.hex.show(packet.views, {0: self.lit.get(packet.index, [])})
        self.fields.show(packet.layers)
        self._light()
        arrived, self.arrived = self.arrived, None
        if arrived is not None:
            arrived(packet)
        self.changed()
        draw_together((self.list, self.fields, self.hex))

    def _failed(self, index: int, fault: str) -> None:
        if index == self.index:
            self.packet, self._fault = None, fault
            self.fields.show_note(f"this packet could not be read: {fault}")
            self.hex.show((), {})

    def _field_chosen(self) -> None:
        self._light()
        self.changed()
        draw_together((self.fields, self.hex))

    def _light(self) -> None:
        """Light the selected field's bytes in every view that holds them."""
        field, packet = self.fields.selected, self.packet
        from_bytes = self._from_bytes
        if field is None or packet is None:
            return
        spans: dict[int, Range] = {field.view: (field.start, field.end)} if field.length else {}
        pieces = packet.pieces.get(field.view, []) if field.view else []
        if pieces:
            self.lit = {}
            for piece in pieces:
                self.lit.setdefault(piece.packet, []).append((piece.frame_start, piece.frame_start + piece.length))
                first, last = max(field.start, piece.start), min(field.end, piece.start + piece.length)
                if piece.packet == packet.index and first < last:
                    move = piece.frame_start - piece.start
                    spans[0] = (first + move, last + move)
        view = field.view if field.length and not from_bytes else self.hex.view
        self.hex.light(view, spans, {0: self.lit.get(packet.index, [])}, move=not from_bytes)

    def _byte_chosen(self) -> None:
        """Select the smallest field that holds the byte; a byte of a frame may belong to a message put together from several."""
        packet = self.packet
        if packet is None:
            return
        view, offset = self.hex.view, self.hex.at
        path = None
        if view == 0:
            for other, pieces in packet.pieces.items():
                for piece in pieces if other else ():
                    if piece.packet == packet.index and 0 <= offset - piece.frame_start < piece.length:
                        path = covering(packet.layers, other, offset - piece.frame_start + piece.start)
        path = path or covering(packet.layers, view, offset)
        if path is not None:
            self._from_bytes = True
            self.fields.select(path)
            self._light()
            self._from_bytes = False
            self.changed()
            draw_together((self.fields, self.hex))

    # actions

    def do_open(self, _press: Press) -> None:
        self.focus_pane("tree")

    def do_focus_field(self, _press: Press) -> None:
        self.focus_pane("tree")

    def do_field_next(self, press: Press) -> None:
        self.fields.go(self.fields.cursor + press.times)

    def do_field_previous(self, press: Press) -> None:
        self.fields.go(self.fields.cursor - press.times)

    def do_time_format(self, press: Press) -> None:
        self.say(f"time: {self.list.next_time_format(press.times)}", "")

    def do_time_reference(self, _press: Press) -> None:
        self.list.refer_time()

    def do_layout(self, _press: Press) -> None:
        if self.kind in (SizeClass.ONE, SizeClass.TWO):
            self.say(f"this terminal has room for {self.kind} only", "warning")
            return
        self.choice = self.choice.next_shape(self.kind)
        if self.focus_name not in self.boxes(self.focus_name):
            self.screen.set_focus(self.list)
        self.place()
        self.say(f"layout: {self.choice.shape(self.kind)}", "")

    def do_zoom(self, _press: Press) -> None:
        self.choice = replace(self.choice, zoomed=not self.choice.zoomed)
        self.place()

    def do_taller(self, press: Press) -> None:
        self._resize(press.times * STEP, 0)

    def do_shorter(self, press: Press) -> None:
        self._resize(-press.times * STEP, 0)

    def do_wider(self, press: Press) -> None:
        self._resize(0, press.times * STEP)

    def do_narrower(self, press: Press) -> None:
        self._resize(0, -press.times * STEP)

    def _resize(self, taller: float, wider: float) -> None:
        self.choice = self.choice.resized(self.focus_name, taller, wider, self.kind)
        self.place()

    def do_reset_sizes(self, _press: Press) -> None:
        self.choice = Choice(self.choice.shapes)
        self.place()

    def do_next_pane(self, press: Press) -> None:
        self._step(press.times)

    def do_previous_pane(self, press: Press) -> None:
        self._step(-press.times)

    def _step(self, step: int) -> None:
        hidden_too = self.kind in (SizeClass.ONE, SizeClass.TWO) or self.choice.zoomed
        names = [name for name in PANES if hidden_too or name in self.boxes(self.focus_name)]
        if names:
            at = names.index(self.focus_name) if self.focus_name in names else 0
            self.focus_pane(names[(at + step) % len(names)])
