"""The main screen: title, problems, the three panes, and the lines that say where one is and what one can do.

Here are copying and the doors to the other screens; what the panes do among themselves is in `panes`, ways from packet to packet in `going`, the
filter in `filter_editor` and `filtering`, Find in `finding`.
"""
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.widget import Widget

from captures.stream.places import Stream
from protocols.engine.fields import Field
from tui.filter.filter_bar import FilterHelp, FilterLine
from tui.filter.filter_controller import Filtering
from tui.filter.filter_editor import FilterEditor
from tui.filter.filter_keys import JOIN, FilterKeys
from tui.filter.saved_filters import FilterStore
from tui.find.find_controller import Finding
from tui.follow.follow_screen import FollowScreen
from tui.main.command_line import CommandLine
from tui.main.copy_menu import CopyMenu
from tui.main.decode_screen import DecoderChoice, DecodeScreen
from tui.main.navigation import Going
from tui.main.sorting import LETTERS, Sorting
from tui.panes.copying import FORMS, Target
from tui.panes.field_tree import FieldTree
from tui.panes.packet_list import PacketList
from tui.panes.panes import Panes
from tui.parts import actions
from tui.parts.actions import Action
from tui.parts.formats import size
from tui.parts.key_screen import KeyScreen
from tui.parts.keys import Press
from tui.parts.layout import LEAST_HEIGHT, LEAST_WIDTH, SizeClass, size_class
from tui.parts.prompt import Prompt
from tui.parts.status import Bar, Hints
from tui.parts.textual_private import draw_together
from tui.terminal import clipboard

if TYPE_CHECKING:
    from captures.capture import Capture
    from tui.parts.worker import Worker

FIND = "find "


class MainScreen(KeyScreen):
    """What is seen after the program starts."""

    CONTEXTS = (actions.MAIN,)
    DEFAULT_CSS = """
    MainScreen { layers: default menu; }
    MainScreen #small { display: none; height: 1fr; }
    """

    def __init__(self, capture: Capture, worker: Worker, searcher: Worker, start: int = 0) -> None:
        """`worker` does what the panes wait for, `searcher` what goes through the whole capture."""
        super().__init__()
        self.capture, self.worker = capture, worker
        self._complete = capture.complete
        self.panes = Panes(capture, worker, start, self.say, self.refresh_status)
        self.title_bar, self.problems_bar, self.small_bar, self.field_bar = (Bar(id=name) for name in ("title", "problems", "small", "field"))
        self.prompt, self.hints, self.menu = Prompt(self._completions), Hints(), CopyMenu()
        self.going = Going(capture, worker, self.panes, self.say)
        self.filtering = Filtering(capture, searcher, self.panes.list, self.say, self._filter_changed)
        self.filter = FilterEditor(self.filtering, FilterStore(), self.say, self._filter_toggled)
        self.filter_keys = FilterKeys(self.filter, self.panes, self.say)
        self.finding = Finding(capture, searcher, self.panes, self.say, lambda: self.hints.left, self._ask_find)
        self.commands = CommandLine(capture, searcher, self.going, self.filter_keys, self.say, lambda: self.app.exit(0))
        self.sorting = Sorting(capture, searcher, self.panes.list, self.say, lambda: not self.filtering.running)
        self.parts = (self.sorting, self.going, self.filter_keys, self.finding)

    def compose(self) -> ComposeResult:
        yield self.title_bar
        yield self.problems_bar
        yield self.filter.bar
        yield self.panes
        yield self.small_bar
        yield self.field_bar
        yield self.prompt
        yield self.hints
        yield self.menu
        yield self.filter.help

    def on_mount(self) -> None:
        self.set_focus(self.panes.list)
        self.refresh_status()
        if len(self.capture):
            self.panes.show_packet()

    def on_resize(self, event: events.Resize) -> None:
        self.lay_out(event.size.width, event.size.height)

    def lay_out(self, width: int, height: int) -> None:
        """Show the bars that a terminal of this size has room for, and leave the rest to the panes."""
        kind = size_class(width, height)
        fits = kind not in (SizeClass.ONE, SizeClass.TOO_SMALL)
        seen: tuple[tuple[Widget, bool], ...] = (
            (self.title_bar, kind is not SizeClass.TOO_SMALL), (self.problems_bar, fits and bool(self.capture.problems)), (self.field_bar, fits),
            (self.filter.bar, fits or (kind is SizeClass.ONE and (self.filter.editing or self.filtering.filter is not None))),
        )
        for bar, there in seen:
            bar.display = there
        small = self.small_bar
        small.display = kind is SizeClass.TOO_SMALL
        small.put(f"too small: {width}x{height}, need {LEAST_WIDTH}x{LEAST_HEIGHT}")
        self.panes.display = not small.display
        self.hints.display = not small.display and not self.prompt.display
        self.panes.lay_out((width, height), (width, max(1, height - sum(there for _, there in seen) - 1)))

    # going about

    def jump(self, index: int) -> None:
        """Go to a packet, remembering from where."""
        self.going.jump(index)

    def tick(self) -> None:
        """Take notice of what the threads have done; called a few times a second."""
        if self.panes.list.grow():
            self.refresh_status()
        if self.capture.complete and not self._complete:
            self._complete = True
            self.panes.list.forget()    # words may say more, now that all streams can be asked
        self.filtering.tick()
        self.sorting.tick()
        self.finding.tick()
        self.panes.catch_up()
        if self.panes.list.pending() and not self.worker.busy("rows"):
            wanted = [i for i in self.panes.list.in_sight() if self.panes.list.row(i).pending]
            self.worker.ask("rows", partial(self._read_rows, wanted), self._renew, lambda _fault: None)
        self.refresh_title()

    def _read_rows(self, wanted: list[int]) -> None:
        for index in wanted:
            self.capture.row(index)

    def _renew(self, _nothing: None) -> None:
        self.panes.list.renew_pending()

    def on_packet_list_head_clicked(self, event: PacketList.HeadClicked) -> None:
        self.sorting.clicked(event.column)

    def on_field_tree_jump(self, event: FieldTree.Jump) -> None:
        self.jump(event.number - 1)

    # copying

    def do_copy(self, press: Press) -> None:
        """Copy in the form of the letter; without one (from the footer) only open the menu."""
        if not press.letter:
            self.keys.feed("y", [{"y *": None}])
            self.typed()
            return
        form = next((form for form in FORMS if form.letter == press.letter), None)
        target = self._target()
        text = form.make(target) if form is not None and target is not None else None
        if form is None:
            self.say(f"y{press.letter} copies nothing", "warning")
        elif text is None:
            self.say(f"there is no {form.name} here", "warning")
        else:
            self.copy(form.name, text)

    def copy(self, what: str, text: str) -> None:
        """Send text to the clipboard by every way there is, and say which."""
        if len(text.encode("utf-8", "replace")) > clipboard.LIMIT:
            self.tell(clipboard.refusal(what, text), "warning")
            return
        self.app.copy_to_clipboard(text)
        self.tell(clipboard.report(what, text, []))
        self.run_worker(partial(self._copy_further, what, text), thread=True, exclusive=True, group="clipboard")

    def _copy_further(self, what: str, text: str) -> None:
        ways = clipboard.routes(text)
        if ways:
            self.app.call_from_thread(self.tell, clipboard.report(what, text, ways))

    def _target(self) -> Target | None:
        panes = self.panes
        return Target(panes.packet, panes.fields.selected, panes.fields.top) if panes.packet is not None else None

    def on_copy_menu_chosen(self, event: CopyMenu.Chosen) -> None:
        self.keys.clear()
        self.do_copy(Press(letter=event.form.letter))
        self.typed()

    # other screens

    def do_follow(self, _press: Press) -> None:
        stream = self._stream()
        if stream is not None:
            self.app.push_screen(FollowScreen(self.capture, self.worker, stream, self.panes.index, self.jump, self.copy))

    def do_decode_as(self, _press: Press) -> None:
        stream = self._stream()
        if stream is None:
            return
        self.worker.ask("follow", partial(self._candidates, stream), self._choose_decoder, lambda fault: self.say(fault, "error"))

    def _candidates(self, stream: Stream) -> tuple[str, int, list[DecoderChoice]]:
        """What carries the stream, its server port, and who may read it; in the worker's thread."""
        layer = self.capture.layer(stream)
        port = int(layer.ends[1].rpartition(":")[2])
        kind = "udp" if layer.pair.transport == "udp" else "tcp"
        sure = [DecoderChoice(decoder.name, decoder.title, min(score, 100), why) for decoder, score, why in self.capture.recognised(stream)]
        names = {candidate.name for candidate in sure}
        rest = [DecoderChoice(decoder.name, decoder.title, 0, "does not recognise this stream") for decoder in self.capture.registry.decoders()
                if kind in decoder.transports]
        return layer.pair.transport, port, sure + [candidate for candidate in rest if candidate.name not in names]

    def _choose_decoder(self, answer: tuple[str, int, list[DecoderChoice]]) -> None:
        transport, port, candidates = answer

        def chosen(protocol: str) -> None:
            self.capture.decode_as(transport, port, protocol or None)
            self.panes.list.forget()
            self.panes.show_packet()
            self.filter.forget()
            self.filtering.again()
            self.say(f"streams with port {port} are {f'read as {protocol}' if protocol else 'recognised by their bytes'}")

        current = self.capture.decoded_as(transport, port) or ""
        self.app.push_screen(DecodeScreen(f"Decode {transport} port {port} as", candidates, current, chosen))

    def _stream(self) -> Stream | None:
        """The stream of the packet, and of its layers that which the cursor is in, in the tree or among the bytes."""
        index = self.panes.index
        stream = self.capture.stream_of(index) if 0 <= index < len(self.capture) else None
        if stream is None:
            self.say("this packet belongs to no stream", "warning")
            return None
        layer = self.panes.fields.layer if self.panes.focus_name != "packets" else ""
        return stream._replace(layer=layer) if any(layer == decoder.name for decoder in self.capture.registry.decoders()) else stream

    def do_quit(self, _press: Press) -> None:
        """Quit; where only one pane fits, first come back from the details."""
        if self.panes.kind is SizeClass.ONE and self.panes.focus_name != "packets":
            self.panes.focus_pane("packets")
        else:
            self.app.exit(0)

    def do_cancel(self, _press: Press) -> None:
        self.app.stop_work()  # type: ignore[attr-defined]

    # the filter and Find

    def stop_search(self) -> bool:
        """Stop Find or the filter; returns whether one of them was running."""
        return self.finding.stop() or self.sorting.stop() or self.filtering.stop()

    def _filter_changed(self) -> None:
        self.filter.refresh()
        filter_ = self.filtering.filter
        kind = "" if filter_ is None else " · per message" if filter_.per_message or self.filter.by_message else " · per packet"
        self.panes.list.set_title(f"Packets{kind}")
        if self.is_mounted:
            if self.panes.kind is SizeClass.ONE:
                self.lay_out(*self.size)
            self.refresh_status()

    def _filter_toggled(self, editing: bool) -> None:
        if editing:
            self.say("Enter applies · Tab completes or mends · ↑ earlier filters · Esc leaves")
        else:
            self.say("")
        self.lay_out(*self.size)

    def on_filter_line_opened(self, _event: FilterLine.Opened) -> None:
        self.filter.open()

    def on_filter_help_chosen(self, event: FilterHelp.Chosen) -> None:
        self.filter.accept(event.row)

    def _ask_find(self) -> None:
        self.hints.display = False
        self.prompt.ask(FIND)

    # the command line

    def _completions(self, sign: str, text: str) -> list[str]:
        """What a text typed behind `:` may become."""
        return self.commands.completions(text, self.contexts()) if sign == ":" else []

    def do_command(self, _press: Press) -> None:
        self.hints.display = False
        self.prompt.ask(":")

    def on_prompt_answered(self, event: Prompt.Answered) -> None:
        self.on_prompt_dropped()
        text = event.text
        if event.sign == FIND:
            if text or self.finding.text:
                self.finding.start(text or self.finding.text)
            self.refresh_status()
            return
        action = self.commands.action(text, self.contexts())
        if action is not None:
            self.perform(action)
        self.refresh_status()

    def on_prompt_dropped(self) -> None:
        self.hints.display = True
        self.set_focus(self.panes.list)

    def do_place(self, _press: Press) -> None:
        stream = self.capture.stream_of(self.panes.index) if len(self.capture) and self.panes.index >= 0 else None
        self.say(f"{self.capture.path}: packet {self.panes.index + 1:,} of {len(self.capture):,}" + (f", {stream_words(stream)}" if stream else ""))

    # the bars

    def say(self, text: str, look: str = "") -> None:
        """A message in the last line, until the next key."""
        hints = self.hints
        hints.put(text, hints.right, look)

    def typing(self) -> None:
        if not self.worker.busy("search"):
            self.say("")

    def about_to(self, action: Action) -> None:
        # keys typed ahead: the panes must have followed the list before a key is meant for them
        if action.context in (actions.TREE, actions.BYTES) or action.method == "do_copy":
            self.panes.settle()

    def typed(self) -> None:
        menu = self.menu
        target = self._target() if self.keys.pending == "y" else None
        if target is not None:
            menu.show(target, self.size.width, self.size.height - 1)
        elif menu.display:
            menu.display = False
        if self.keys.pending == "o":
            self.say("sort by: " + "  ".join(f"{letter} {name}" for letter, name in LETTERS.items()))
        if self.keys.pending in ("a", "A"):
            self.say(f"{'apply' if self.keys.pending == 'a' else 'prepare'} the selected field: " + "  ".join(f"{key} {words}" for key, words in JOIN.items()))
        self.refresh_status()

    def tell(self, text: str, look: str = "") -> None:
        """A message on whatever screen is in front."""
        screen = self.app.screen
        say = getattr(screen, "say", self.say)
        say(text, look)

    def refresh_title(self) -> None:
        """Name, packets and how far the index is."""
        capture = self.capture
        count = len(capture)
        progress = "● indexed" if capture.complete else f"● indexed {capture.progress():.0%}"
        try:
            volume = f" · {size(capture.path.stat().st_size)}"
        except OSError:
            volume = ""
        self.title_bar.put(f"protoview  {capture.path.name}   {count:,} packets{volume} · {capture.format}", f"{progress}   ? help")
        problems = capture.problems
        if problems:
            bar = self.problems_bar
            bar.put("▲ " + problems[0] + (f"   (+{len(problems) - 1} more)" if len(problems) > 1 else ""), look="warning")
            if not bar.display:
                self.lay_out(*self.size)

    def refresh_status(self) -> None:
        """The field, the hints and the place."""
        self.refresh_title()
        count = len(self.capture)
        hints = self.hints
        rows = self.panes.list
        place = f"{rows.cursor + 1 if rows.count else 0}/{rows.count}" + (f" of {count}" if rows.shown is not None else "")
        hints.offer(actions.in_contexts(self.contexts()))
        hints.put(hints.left, f"{self.keys.pending}  {place}" if self.keys.pending else place, hints.look)
        field, packet = self.panes.fields.selected, self.panes.packet
        words = describe(field) if field is not None and packet is not None else ""
        if packet is not None:
            stream = self.capture.stream_of(packet.index)
            words += f"{' · ' if words else ''}{stream_words(stream)}" if stream is not None else ""
        self.field_bar.put(words)
        draw_together((self.title_bar, self.field_bar, self.hints))


def describe(field: Field) -> str:
    """A field's name, type, label and place."""
    kind = field.spec.type
    place = "generated"
    if field.length:
        place = f"byte {field.start}" if field.length == 1 else f"bytes {field.start}–{field.end - 1} ({field.length:,})"
        if field.spec.mask:
            place += f" bits {field.spec.mask:#x}"
    return f"{field.name} {f'({kind}) ' if kind != 'none' else ''}\"{field.label}\" · {place}"


def stream_words(stream: Stream) -> str:
    return f"{stream.transport} stream {stream.number}"
