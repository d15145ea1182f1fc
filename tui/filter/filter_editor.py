"""Editing a filter: checked after a moment's quiet, completed from the capture's own fields and values, remembered when applied.

The check is a compilation (well under a millisecond) in the event loop; counting what would be shown is the worker's. Tab accepts what is offered,
or else mends what is wrong; Enter applies, and on a faulty filter keeps the old one and says so.
"""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from rich.cells import cell_len
from textual.timer import Timer
from textual.widget import Widget

from tui.filter.completion import Completion, complete
from tui.filter.filter_bar import FilterBar, FilterHelp, FilterLine
from tui.filter.filter_controller import Filtering
from tui.filter.saved_filters import FilterStore
from tui.filter.value_sample import Sample

if TYPE_CHECKING:
    from captures.filter import Filter, FilterError, Fix

QUIET = 0.03
"""Seconds without a key after which the text is checked."""


class FilterEditor:
    """`left` is called when the line was opened or closed, with whether it is open."""

    def __init__(self, filtering: Filtering, store: FilterStore, say: Callable[[str, str], None], toggled: Callable[[bool], None]) -> None:
        self.filtering, self.store, self.say = filtering, store, say
        self._toggled = toggled
        self.line = FilterLine(self._key, self._moved)
        self.bar, self.help = FilterBar(self.line), FilterHelp()
        self.sample = Sample()
        self._sampled = 0
        self._timer: Timer | None = None
        self._completion: Completion | None = None
        self._chosen = 0
        self._dismissed = self._forced = False
        self._fix: Fix | None = None
        self._seen = ""
        self._past: int | None = None
        self._draft = ""
        self._back: Widget | None = None
        self.by_message = False
        """Whether filters are asked of each message instead of each packet."""

    @property
    def editing(self) -> bool:
        return self.line.editing

    # opening and closing

    def open(self, text: str | None = None) -> None:
        """Edit the filter in force, or `text`."""
        screen = self.line.screen
        if not self.editing:
            self._back = screen.focused if screen.focused is not self.line else self._back
        self.line.editing = True
        self._past, self._dismissed, self._forced, self._completion = None, False, False, None
        self._toggled(True)
        screen.set_focus(self.line)
        self.line.put(self.filtering.text if text is None else text)
        self._seen = self.line.value
        self._take_sample()
        self.check()

    def close(self) -> None:
        """Leave the line; it shows the filter in force again."""
        self.line.editing = False
        if self._timer is not None:
            self._timer.stop()
        self.help.hide()
        self.line.mark(0, 0)
        self.line.put(self.filtering.text, 0)
        self.refresh()
        self.filtering.worker.cancel("check")
        back = self._back if self._back is not None and self._back.display else self.filtering.list
        self.line.screen.set_focus(back)
        self._toggled(False)

    def refresh(self) -> None:
        """Say how the filter in force is doing."""
        if not self.editing:
            if self.line.value != self.filtering.text:
                self.line.put(self.filtering.text, 0)
            self.bar.say(*self.filtering.status)

    def _take_sample(self) -> None:
        """Read some packets, to know what the capture holds; once, and again when it has grown to twice the size."""
        count = len(self.filtering.capture)
        if count < 2 * max(1, self._sampled) or self.filtering.worker.busy("sample"):
            return
        self._sampled = count
        sample = Sample()

        def then() -> None:
            self.sample = sample
            if self.editing:
                self.check()

        self.filtering.worker.stream("sample", sample.steps(self.filtering.capture), lambda _: None, then, lambda _fault: then())

    def forget(self) -> None:
        """Packets have other contents now: what was seen in them holds no more."""
        self.sample, self._sampled = Sample(), 0

    # keys

    def _moved(self) -> None:
        """Text or caret changed."""
        if self.line.value != self._seen:
            self._seen = self.line.value
            self._dismissed = self._forced = False
            self._chosen = 0
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.line.set_timer(QUIET, self.check)

    def _key(self, key: str) -> bool:
        """Whether a key was for the bar and not for the text."""
        if key == "enter":
            self._enter()
        elif key == "tab":
            self._settle()
            if self.help.offering:
                self.accept(self._chosen)
            elif self._fix is not None:
                self._write(self._fix.apply(self.line.value), self._fix.start + len(self._fix.replacement))
            else:
                self._forced, self._dismissed = True, False
                self.check()
        elif key == "escape" and self.help.offering:
            self._dismissed = True
            self.check()
        elif key in ("escape", "ctrl+c"):
            self.close()
        elif key in ("up", "down") and self.help.offering:
            assert self._completion is not None
            self._chosen = (self._chosen + (1 if key == "down" else -1)) % len(self._completion.candidates)
            self._draw_offer()
        elif key in ("up", "down"):
            self._recall(-1 if key == "up" else 1)
        else:
            return key in ("shift+tab", "pageup", "pagedown")
        return True

    def _settle(self) -> None:
        """Check at once what was typed just now."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
            self.check()

    def _recall(self, step: int) -> None:
        """Go through the history; behind its newest entry stands what was being typed."""
        history = self.store.history
        if self._past is None:
            self._draft, self._past = self.line.value, len(history)
        self._past = max(0, min(len(history), self._past + step))
        text = history[self._past] if self._past < len(history) else self._draft
        self._write(text, len(text))

    def accept(self, row: int) -> None:
        """Put a candidate into the text."""
        completion = self._completion
        if completion is None or row >= len(completion.candidates):
            return
        text, word = self.line.value, completion.candidates[row].text
        self._write(text[:completion.start] + word + text[completion.end:], completion.start + len(word))

    def _write(self, text: str, caret: int) -> None:
        """Replace the text; what stands in it then needs no completion."""
        self._dismissed, self._seen = True, text
        self.line.put(text, caret)
        self._moved()

    def _enter(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        found = self.compiled(self.line.value.strip())
        if isinstance(found, Exception):
            self._dismissed = True
            self.check()
            kept = self.filtering.text
            self.say(f"✗ {found} — " + (f"the filter stays: {kept}" if kept else "all packets stay shown"), "error")
            return
        self.use(found)
        self.close()

    def use(self, filter_: Filter) -> None:
        """Apply a filter and remember it."""
        self.store.remember(filter_.text.strip())
        self.filtering.apply(filter_)

    def ask_of(self, messages: bool) -> None:
        """Ask filters of messages or of packets, also the one in force."""
        self.by_message = messages
        found = self.compiled(self.filtering.text)
        if not isinstance(found, Exception):
            self.filtering.apply(found)

    def compiled(self, text: str) -> Filter | FilterError:
        """A filter, or what is wrong with it."""
        from captures.filter import FilterError, compile_filter
        try:
            return compile_filter(text, self.filtering.names, self.store.macro_file.macros, self.by_message)
        except FilterError as error:
            return error

    # checking

    def check(self) -> None:
        """Say what the text is worth, and offer what may stand at the caret."""
        self._timer = None
        if not self.editing:
            return
        text = self.line.value
        self._completion = complete(text, self.line.cursor_position, self.filtering.names, self.sample, self.store.macro_file.macros)
        self._chosen = min(self._chosen, max(0, len(self._completion.candidates) - 1))
        found = self.compiled(text)
        self._fix = None
        if not isinstance(found, Exception):
            trap = found.warnings[0] if found.warnings else None
            self._fix = trap.fix if trap is not None else None
            self.line.mark(trap.start, trap.end) if trap is not None else self.line.mark(0, 0)
            self._count(found)
            self._show(trap.message if trap is not None else "", "warning", trap.start if trap is not None else 0, trap.end if trap is not None else 0)
            return
        self.filtering.worker.cancel("check")
        self._fix = found.fix
        if found.incomplete or self._unfinished(found):
            self.bar.say(f"… {found}" if found.incomplete else "… incomplete")
            self.line.mark(0, 0)
            self._show("", "", 0, 0)
        else:
            self.bar.say(f"✗ column {found.start + 1}", "error")
            self.line.mark(found.start, found.end)
            self._show(str(found), "error", found.start, found.end)

    def _unfinished(self, error: FilterError) -> bool:
        """Whether an error is only that a word is still being typed."""
        completion = self._completion
        return (self.line.cursor_position == len(self.line.value) <= error.end and completion is not None and bool(completion.candidates)
                and completion.start <= error.start < completion.end and not self._dismissed)

    def _count(self, filter_: Filter) -> None:
        """Count what would be shown, where the index alone can tell."""
        if filter_.node is None:
            self.bar.say("all packets")
            return
        sign, look = ("⚠", "warning") if filter_.warnings else ("✓", "good")

        def counted(found: tuple[int, int] | None) -> None:
            if self.editing and self.line.value == filter_.text:
                self.bar.say(f"{sign} {found[0]:,} of {found[1]:,}" if found is not None else f"{sign} Enter applies", look)

        self.bar.say(f"{sign} Enter applies", look)
        self.filtering.worker.ask("check", partial(self._columns, filter_), counted, lambda _fault: None, 0.01)

    def _columns(self, filter_: Filter) -> tuple[int, int] | None:
        from captures.filter import shown_at_once
        found = shown_at_once(filter_, self.filtering.capture.index)
        return (int(np.count_nonzero(found)), len(found)) if found is not None else None

    # what hangs below

    def _wanted(self) -> bool:
        """Whether candidates are to be shown: some are, and something was typed of them, or a value is due, or they were asked for."""
        found = self._completion
        if found is None or not found.candidates or self._dismissed:
            return False
        return self._forced or self.line.cursor_position > found.start or found.title.startswith("values")

    def _show(self, message: str, look: str, start: int, end: int) -> None:
        if self._wanted():
            self._draw_offer()
        elif message:
            region, scrolled = self.line.region, self.line.scroll_offset.x
            text = self.line.value
            first, last = (region.x + cell_len(text[:place]) - scrolled for place in (start, end))
            hint = f"Esc: keep {self.filtering.text or 'all packets'}" if look == "error" else ""
            if self._fix is not None:
                hint = f"Tab: {self._fix.apply(text)}"
            self.help.explain(message, look, first, last, hint, region.bottom, self.line.screen.size.width)
        else:
            self.help.hide()

    def _draw_offer(self) -> None:
        found = self._completion
        assert found is not None
        region = self.line.region
        x = region.x + cell_len(self.line.value[:found.start]) - self.line.scroll_offset.x - 1
        size = self.line.screen.size
        self.help.offer(found.candidates, self._chosen, f"{found.title} · Tab accept · ↑↓ · Esc close", x, region.bottom, (size.width, size.height))
