"""Follow stream: what both sides of one stream sent, as messages, text or hex; the packet list and its state stay as they are."""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.strip import Strip

from captures.stream.places import Stream
from protocols.engine.fields import printable
from tui.follow.follow_lines import VIEWS, Lines, Place
from tui.parts import actions
from tui.parts.formats import fit, size
from tui.parts.key_screen import KeyScreen
from tui.parts.keys import Press
from tui.parts.pane import Rows
from tui.parts.prompt import Prompt
from tui.parts.status import Bar, Hints

if TYPE_CHECKING:
    from captures.capture import Capture
    from captures.messages.follow import Follow
    from tui.parts.worker import Worker

SIDES = {"both": None, "client": True, "server": False}
MOST_COPIED = 1 << 20
PATIENCE = 0.05
"""Seconds that opening a stream or another view waits for it, rather than showing that it is being read."""


class FollowPane(Rows):
    """The lines of the chosen view."""

    context = actions.FOLLOW
    COMPONENT_CLASSES = {"follow--client", "follow--server", "follow--error", "follow--gap"}
    DEFAULT_CSS = """
    FollowPane { width: 100%; height: 1fr;
        & > .follow--client { color: $pv-request; }
        & > .follow--server { color: $pv-protocol-0; }
        & > .follow--error { color: $pv-error; text-style: bold; }
        & > .follow--gap { text-style: italic; color: $pv-warning; }
    }
    """

    def __init__(self) -> None:
        super().__init__(id="follow")
        self.lines: Lines | None = None

    @property
    def count(self) -> int:
        return len(self.lines) if self.lines is not None else 0

    def show(self, lines: Lines, cursor: int) -> None:
        self.lines = lines
        self.cursor = 0
        self.resize_lines()
        self.go(cursor)
        self.paint()

    def line(self, row: int) -> Strip:
        assert self.lines is not None
        here = row == self.cursor
        text = fit(f"{'▶' if here else ' '}{self.lines.text(row)}", self.area.width)
        return self.plain(text, self.cursor_style(self._is_error(row, self.lines)) if here else self._style(row, self.lines))

    def _is_error(self, row: int, lines: Lines) -> bool:
        turn = lines.turns[lines.place(row).turn]
        return turn.kind == "message" and lines.row is not None and lines.row(turn.packet).severity == "error"

    def _style(self, row: int, lines: Lines) -> Style:
        turn = lines.turns[lines.place(row).turn]
        if turn.kind in ("gap", "hole"):
            return self.style_of("follow--gap")
        if self._is_error(row, lines):
            return self.style_of("follow--error")
        return self.style_of("follow--client" if turn.from_client else "follow--server")

    @property
    def place(self) -> Place | None:
        """What the cursor stands on."""
        return self.lines.place(self.cursor) if self.lines is not None and self.count else None


class FollowScreen(KeyScreen):
    """`to_packet` is called with a packet's index after the screen is closed; `copy` with a name and the text."""

    CONTEXTS = (actions.FOLLOW,)

    def __init__(self, capture: Capture, worker: Worker, stream: Stream, packet: int,
                 to_packet: Callable[[int], None], copy: Callable[[str, str], None]) -> None:
        super().__init__()
        self.capture, self.worker, self.stream, self.packet = capture, worker, stream, packet
        self._to_packet, self._copy = to_packet, copy
        self.pane = FollowPane()
        self.title_bar, self.views_bar, self.prompt, self.hints = Bar(id="title"), Bar(id="views"), Prompt(), Hints()
        self.follow: Follow | None = None
        self.volume = ""
        self.view = VIEWS[0]
        self.side = "both"
        self.needle = ""

    def compose(self) -> ComposeResult:
        yield self.title_bar
        yield self.views_bar
        yield self.pane
        yield self.prompt
        yield self.hints

    def on_mount(self) -> None:
        self.set_focus(self.pane)
        self.hints.offer(actions.in_contexts(self.contexts()))
        self._open(self.stream)

    def on_resize(self, _event: events.Resize) -> None:
        if self.follow is not None:
            self._rebuild()

    def _open(self, stream: Stream) -> None:
        """Read a stream beside the event loop and show it."""
        self.stream = stream
        self.title_bar.put(f"Follow {stream.transport.upper()} stream {stream.number}   reading …")
        self.worker.ask("follow", partial(self._read, stream), self._opened, lambda fault: self.say(fault, "error"), PATIENCE)

    def _read(self, stream: Stream) -> tuple[Follow, str]:
        """The stream and how much was sent; in the worker's thread."""
        follow = self.capture.follow(stream)
        sent = [sum(turn.length for turn in follow.turns if turn.from_client is side and turn.kind != "gap") for side in (True, False)]
        gaps = sum(turn.kind == "gap" for turn in follow.turns)
        return follow, f"c→s {size(sent[0])} · s→c {size(sent[1])} · {_counted(follow)}" + (f" · {gaps} gaps" if gaps else "")

    def _opened(self, answer: tuple[Follow, str]) -> None:
        if self.is_attached:
            self.follow, self.volume = answer
            self._rebuild()

    def _rebuild(self) -> None:
        """Make the lines of the view and side chosen, with the cursor on the same turn."""
        follow = self.follow
        if follow is None:
            return
        place, lines = self.pane.place, self.pane.lines
        packet = lines.turns[place.turn].packet if place is not None and lines is not None and lines.follow is follow else self.packet
        view, wanted, width, origin = self.view, SIDES[self.side], self.pane.area.width - 6, self.capture.columns.first_time or 0

        def build() -> tuple[Lines, int]:
            turns = follow.turns if wanted is None else [turn for turn in follow.turns if turn.from_client is wanted]
            made = Lines(follow, turns, view, width, origin, partial(self.capture.row, ready_only=True))
            nearest = next((number for number, turn in enumerate(turns) if turn.packet >= packet), len(turns) - 1)
            return made, made.line_of(nearest) if turns else 0

        def shown(answer: tuple[Lines, int]) -> None:
            if self.is_attached and follow is self.follow:
                self.pane.show(*answer)
                self.refresh_title()

        self.worker.ask("follow", build, shown, lambda fault: self.say(fault, "error"), PATIENCE)

    def refresh_title(self) -> None:
        follow = self.follow
        if follow is None:
            return
        name = f"{self.stream.transport.upper()} stream {self.stream.number}" + (f", {self.stream.layer}" if self.stream.layer else "")
        self.title_bar.put(f"Follow {name}   {follow.client} ⇄ {follow.server}   {follow.protocol}", self.volume)
        views = "  ".join(f"[{name}]" if name == self.view else f" {name} " for name in VIEWS)
        sides = "  ".join(f"[{name}]" if name == self.side else f" {name} " for name in SIDES)
        self.views_bar.put(f"{views}     direction: {sides}" + (f"     find: {self.needle}" if self.needle else ""))
        self.pane.set_title(f"Stream · {self.view}")

    def say(self, text: str, look: str = "") -> None:
        hints = self.hints
        hints.put(text, hints.right, look)

    def typing(self) -> None:
        if not self.worker.busy("search"):
            self.say("")

    def typed(self) -> None:
        hints = self.hints
        hints.put(hints.left, f"{self.keys.pending}  {self.pane.cursor + 1 if self.pane.count else 0}/{self.pane.count}", hints.look)

    # actions

    def do_view(self, press: Press) -> None:
        self.view = VIEWS[(VIEWS.index(self.view) + press.times) % len(VIEWS)]
        self._rebuild()

    def do_both(self, _press: Press) -> None:
        self._choose_side("both")

    def do_client(self, _press: Press) -> None:
        self._choose_side("client")

    def do_server(self, _press: Press) -> None:
        self._choose_side("server")

    def _choose_side(self, side: str) -> None:
        self.side = side
        self._rebuild()

    def do_stream_next(self, press: Press) -> None:
        self._step_stream(press.times)

    def do_stream_previous(self, press: Press) -> None:
        self._step_stream(-press.times)

    def _step_stream(self, step: int) -> None:
        number = self.stream.number + step
        if 0 <= number < self.capture.streams(self.stream.transport):
            self.packet = 0
            self._open(Stream(self.stream.transport, number))
        else:
            self.say(f"there is no {self.stream.transport} stream {number}", "warning")

    def do_open(self, _press: Press) -> None:
        place, lines = self.pane.place, self.pane.lines
        if place is not None and lines is not None:
            self.dismiss()
            self._to_packet(lines.turns[place.turn].packet)

    def do_copy(self, _press: Press) -> None:
        """Copy the message (or what else the line belongs to): its bytes in hex in the hex view, its words when decoded, else its text."""
        place, lines, follow = self.pane.place, self.pane.lines, self.follow
        if place is None or lines is None or follow is None:
            return
        turn = lines.turns[place.turn]
        if self.view == "decoded":
            text = turn.info
        else:
            data = follow.data(turn, MOST_COPIED)
            text = data.hex() if self.view == "hex" else data.decode("utf-8", "replace")
        self._copy("this message", text)

    def do_find(self, _press: Press) -> None:
        self.hints.display = False
        self.prompt.ask("/")

    def on_prompt_answered(self, event: Prompt.Answered) -> None:
        self.on_prompt_dropped()
        if event.text:
            self.needle = event.text
        self.refresh_title()
        self._search(1)

    def on_prompt_dropped(self) -> None:
        self.hints.display = True
        self.set_focus(self.pane)

    def do_hit_next(self, _press: Press) -> None:
        self._search(1)

    def do_hit_previous(self, _press: Press) -> None:
        self._search(-1)

    def _search(self, step: int) -> None:
        place, lines, needle = self.pane.place, self.pane.lines, self.needle
        if place is None or lines is None or not needle:
            self.say("nothing to find; / asks for text", "warning")
            return

        def found(hit: Place | None) -> None:
            if not self.is_attached or self.pane.lines is not lines:
                return
            if hit is None:
                self.say(f"no \"{printable(needle)}\" {'below' if step > 0 else 'above'}", "warning")
            else:
                self.say(f"found in packet {lines.turns[hit.turn].packet + 1:,}")
                self.pane.go(lines.line_of(hit.turn, hit.start))

        start = place._replace(start=place.stop - 1) if step > 0 and self.view != "decoded" else place
        self.say("searching … Esc stops")
        self.worker.search(lines.find(needle, start, step), found, lambda fault: self.say(fault, "error"))

    def do_cancel(self, press: Press) -> None:
        if self.worker.cancel("search"):
            self.say("search stopped")
        else:
            super().do_cancel(press)


def _counted(follow: Follow) -> str:
    """How many messages there are; of a stream that no decoder reads, how many pieces of data."""
    messages = sum(turn.kind == "message" for turn in follow.turns)
    return f"{messages:,} messages" if messages else f"{sum(turn.kind == 'data' for turn in follow.turns):,} pieces of data"
