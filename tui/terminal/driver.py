"""The terminal driver: sends only cells that changed, and never more frames than the terminal takes.

Frames go into a `Picture`; a thread sends the difference to what was sent last whenever the terminal is free, so that on a slow line
stale frames are dropped and the event loop never waits. While the picture is up, file descriptor 2 leads nowhere, so that nothing
that a library or a child process prints can spoil the screen; the picture itself goes to the terminal.
"""
from __future__ import annotations

import os
import selectors
import threading
from codecs import getincrementaldecoder
from typing import Any

from textual.app import App
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message
from textual.messages import InBandWindowResize

from tui.parts.textual_private import KeyParser
from tui.terminal import keyboard
from tui.terminal.colours import asked
from tui.terminal.picture import Picture

SYNC_START, SYNC_END = "\x1b[?2026h", "\x1b[?2026l"
ASK_BACKGROUND = "\x1b]11;?\x1b\\"
ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
POLL = 0.1
"""Seconds after which the input thread looks whether the program ends, and a lone Escape is taken for the key."""
MOST_READ = 4096
PATIENCE = 2.0
"""Seconds that leaving waits for a terminal that takes no bytes."""


class DeltaDriver(LinuxDriver):
    """Textual's Linux driver with an output of its own."""

    def __init__(self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None) -> None:
        # a signal handler may write while the main thread is in here, so the lock must be taken twice by one thread
        self._wake = threading.Condition(threading.RLock())
        self._picture = Picture(0, 0)
        self._controls: list[str] = []
        self._sync = False
        self._up = False
        self._ended = True
        self._gone = False
        self._sender: threading.Thread | None = None
        self._terminal = -1
        self._asked = False
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._size = self._size or self._get_terminal_size()

    def _get_terminal_size(self) -> tuple[int, int]:
        """Columns and rows of the terminal, of which the picture is made."""
        width, height = keyboard.size_of(self.fileno)
        with self._wake:
            if (width, height) != (self._picture.width, self._picture.height):
                self._picture.resize(width, height)
        return width, height

    def process_message(self, message: Message) -> None:
        if isinstance(message, InBandWindowResize) and message.enabled:
            self._get_terminal_size()
        super().process_message(message)

    def start_application_mode(self) -> None:
        with self._wake:
            self._ended = self._gone = False
            self._open_terminal()
            self._picture.forget()
        if self._sender is None:
            self._sender = threading.Thread(target=self._send_changes, name="terminal-output", daemon=True)
            self._sender.start()
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if keyboard.before is not None:
            self.attrs_before = keyboard.before     # what Textual found was set by us
        if not self._asked and asked():
            self._asked = True
            self.write(ASK_BACKGROUND)

    def run_input_thread(self) -> None:
        """Read keys until the application ends."""
        parser = KeyParser(self.background)
        decode = getincrementaldecoder("utf-8")("replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(POLL):
                    data = os.read(self.fileno, MOST_READ)
                    if not data:        # the terminal was closed: SIGHUP will end the program
                        return
                    text = decode(data)
                    for message in parser.feed(text) if text else ():
                        self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)

    def background(self, answer: str) -> None:
        """The terminal told its background's colour, in the words of XParseColor; called in the input thread."""
        take = getattr(self._app, "background_told", None)
        if take is not None:
            take(answer)

    def close(self) -> None:
        """Send what is left, and give the terminal and file descriptor 2 back."""
        with self._wake:
            self._ended = True
            self._wake.notify_all()
        if self._sender is not None:
            self._sender.join(PATIENCE)
            self._sender = None
        super().close()
        if self._terminal >= 0:
            os.dup2(self._stderr, 2)
            os.close(self._stderr)
            os.close(self._terminal)
            self._terminal = -1

    def repaint(self) -> None:
        """Send the whole picture anew: something else may have written on the terminal."""
        with self._wake:
            self._controls.append("\x1b[2J")
            self._picture.forget()
            self._wake.notify()

    def write(self, data: str) -> None:
        """Take a frame or a control sequence; returns at once."""
        with self._wake:
            if data in (SYNC_START, SYNC_END):
                self._sync = True       # ours wrap what is sent, not what is drawn
                return
            if LEAVE in data:
                self._up = False
            controls = self._picture.draw(data) if self._up or ENTER in data else data
            if ENTER in data:
                self._up = True
                self._picture.forget()
            if controls:
                self._controls.append(controls)
            self._wake.notify()

    def flush(self) -> None:
        """Nothing to do: the sender never holds bytes back."""

    def _open_terminal(self) -> None:
        """The picture goes to the terminal on file descriptor 2, or to the controlling one; file descriptor 2 leads nowhere meanwhile."""
        if self._terminal >= 0:
            return
        if os.isatty(2):
            self._terminal = os.dup(2)
        else:
            try:
                self._terminal = os.open("/dev/tty", os.O_WRONLY | os.O_NOCTTY)
            except OSError:
                self._terminal = os.dup(2)
        self._stderr = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)

    def _send_changes(self) -> None:
        """The sender: controls first, then the newest picture; blocks in the terminal, never under the lock."""
        while True:
            with self._wake:
                while not (data := self._take()):
                    if self._ended:
                        return
                    self._wake.wait()
            self._transmit(data.encode("utf-8", "replace"))

    def _take(self) -> str:
        """What is to be sent now; "" when the terminal shows what it should."""
        controls = "".join(self._controls)
        self._controls.clear()
        changes = self._picture.changes() if self._up else ""
        if changes and self._sync:
            changes = f"{SYNC_START}{changes}{SYNC_END}"
        return controls + changes

    def _transmit(self, data: bytes) -> None:
        while data and not self._gone:
            try:
                data = data[os.write(self._terminal, data):]
            except BlockingIOError:
                threading.Event().wait(0.01)
            except OSError:
                self._gone = True       # the terminal was closed: SIGHUP will end the program


def driver_class() -> type[Driver] | None:
    """The driver to use; None leaves the choice to Textual (its own TEXTUAL_DRIVER, or ours switched off by PROTOVIEW_DRIVER=plain)."""
    if os.environ.get("TEXTUAL_DRIVER") or os.environ.get("PROTOVIEW_DRIVER") == "plain":
        return None
    return DeltaDriver
