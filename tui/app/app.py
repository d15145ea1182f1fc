"""The Textual application: starts the index, watches it, and holds what belongs to no single screen.

The index runs in a thread and the worker in another; neither touches a widget. A timer looks at what they have done a few times a second
and repaints only what that changed, so that an idle program sends nothing.
"""
from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import App, SystemCommand
from textual.screen import Screen
from textual.timer import Timer

from tui.app.help_screen import HelpScreen
from tui.main.main_screen import MainScreen
from tui.parts import actions
from tui.parts.key_screen import KeyScreen
from tui.parts.keys import Press
from tui.parts.palette import PALETTES
from tui.parts.worker import Worker
from tui.terminal.clipboard import osc_52
from tui.terminal.colours import depth, guessed, told
from tui.terminal.driver import DeltaDriver, driver_class

if TYPE_CHECKING:
    from captures.capture import Capture

SWITCH = 0.0005
"""Seconds after which a busy thread lets the event loop have its turn."""
TICK = 0.12
FIRST_TICK = 0.02


class ProtoviewApp(App[int], inherit_bindings=False):
    """A capture on the screen."""

    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    ESCAPE_TO_MINIMIZE = False
    ALLOW_SELECT = False
    CSS = """
    App.-monochrome .rows--cursor, App.-monochrome .rows--cursor-blurred, App.-monochrome .bytes--field { text-style: reverse bold; }
    App.-monochrome .bytes--cursor { text-style: reverse bold underline; }
    """

    def __init__(self, capture: Capture, *, start: int = 0) -> None:
        if os.environ.get("NO_COLOR") == "":
            del os.environ["NO_COLOR"]      # no-color.org: it counts when it is not empty; Textual looks whether it is there
        monochrome = "NO_COLOR" in os.environ
        self._depth = "standard" if monochrome else depth()
        super().__init__(driver_class=driver_class(), watch_css=False, ansi_color=True if monochrome else None)
        for (kind, look), palette in PALETTES.items():
            self.register_theme(palette.theme(f"protoview-{kind}-{look}"))
        self._own_theme = not os.environ.get("TEXTUAL_THEME")
        if self._own_theme:
            self.theme = f"protoview-{self._depth}-{guessed()}"
        self.set_class(monochrome, "-monochrome")
        self.capture = capture
        self.worker = Worker(self._post, "dissector")
        self.stop_index = threading.Event()
        self.searcher = Worker(self._post, "searcher")
        self.main = MainScreen(capture, self.worker, self.searcher, start)
        self._ticker: Timer | None = None
        self._indexer = threading.Thread(target=self._index, name="index", daemon=True)
        self._index_fault = ""

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The program's own colours under a theme that is not its own."""
        return PALETTES["truecolor", "dark" if self.current_theme.dark else "light"].variables()

    def copy_to_clipboard(self, text: str) -> None:
        """Have the terminal take a text, also from within GNU screen."""
        if self._driver is not None:
            self._driver.write(osc_52(text))

    def background_told(self, answer: str) -> None:
        """The terminal answered what its background is; to be called from any thread."""
        look = told(answer)
        if look is not None and self._own_theme:
            self._post(partial(setattr, self, "theme", f"protoview-{self._depth}-{look}"))

    def _index(self) -> None:
        try:
            self.capture.read_index(self.stop_index)
        except Exception as fault:  # a file that cannot be read on still shows what was read
            self._index_fault = f"{type(fault).__name__}: {fault}"

    def _post(self, work: Callable[[], None]) -> None:
        """Have something called in the application's own thread and context; to be used from any thread."""
        if not self.call_later(work):
            raise RuntimeError("the application has ended")

    def get_default_screen(self) -> Screen[Any]:
        return self.main

    def on_mount(self) -> None:
        self.animation_level = "none"
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, partial(self.exit, None, 128 + number))
        # Textual draws nothing after a suspended program goes on
        self.app_resume_signal.subscribe(self, lambda _app: self.do_redraw(Press()))
        self._indexer.start()
        self.set_timer(FIRST_TICK, self._tick)
        self._ticker = self.set_interval(TICK, self._tick)

    def _tick(self) -> None:
        self.main.tick()
        if self._index_fault:
            self.main.say(f"the index stopped: {self._index_fault}", "error")
            self._index_fault = ""

    def on_unmount(self) -> None:
        self.stop_index.set()
        self.main.filtering.close()

    # actions that work everywhere

    def do_quit(self, _press: Press) -> None:
        self.exit(0)

    def do_help(self, _press: Press) -> None:
        if isinstance(self.screen, KeyScreen):
            self.push_screen(HelpScreen(self.screen.contexts()))

    def do_palette(self, _press: Press) -> None:
        self.action_command_palette()

    def stop_work(self) -> bool:
        """Stop a search, or else the filter, or else the index; returns whether anything was running."""
        if self.main.stop_search():
            return True
        if self.worker.cancel("search"):
            self.main.say("search stopped")
            return True
        if not self.capture.complete and not self.stop_index.is_set():
            self.stop_index.set()
            self.main.say("indexing stopped; the packets read so far stay")
            return True
        return False

    def do_cancel(self, _press: Press) -> None:
        self.stop_work()

    def do_interrupt(self, _press: Press) -> None:
        if not self.stop_work():
            self.main.say("press q to quit")

    def do_suspend(self, _press: Press) -> None:
        """Stop the whole job, pipeline and all, if there is a shell to go on with."""
        try:
            shell = os.getsid(os.getppid()) == os.getsid(0)
        except OSError:
            shell = False
        if shell and not self.is_headless:
            os.kill(0, signal.SIGTSTP)
        else:
            self.main.say("no shell to suspend to", "warning")

    def do_redraw(self, _press: Press) -> None:
        driver = self._driver
        if isinstance(driver, DeltaDriver):
            driver.repaint()
        self.screen.refresh(layout=True)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette's contents: what the registry offers on this screen."""
        if not isinstance(screen, KeyScreen):
            return
        for action in actions.in_contexts(screen.contexts()):
            if not any(key.endswith("*") for key in action.keys) and action.method != "do_palette":
                keys = ", ".join(action.keys)
                yield SystemCommand(f"{actions.TITLES[action.context]}: {action.help}", keys, partial(screen.perform, action))


def run(capture: Capture, *, mouse: bool = True, start: int = 0) -> int:
    """Show a capture until the user leaves, beginning at the packet with index `start`; returns the exit status."""
    app = ProtoviewApp(capture, start=start)
    sys.setswitchinterval(SWITCH)
    app.run(mouse=mouse)
    return app.return_code or 0
