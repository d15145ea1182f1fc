"""Where keys come from, and that none is lost: before the screen is up, after Escape, with standard input that is no terminal."""
from __future__ import annotations

import os
import re
import signal
import sys
import termios
import time
from pathlib import Path

import pytest
from terminal import Terminal
from textual import events

from tui.parts.textual_private import KeyParser

ERRORS = Path(__file__).parent / "data" / "zookeeper" / "zookeeper-java-3.9-errors.pcap.gz"
PROGRAM = [sys.executable, "-m", "protoview", str(ERRORS)]


def keys(*reads: bytes) -> list[str]:
    """The names of the keys that arrive in some reads of the terminal."""
    parser, found = KeyParser(lambda _: None), []
    for read in reads:
        found += [one.key for one in parser.feed(read.decode()) if isinstance(one, events.Key)]
        time.sleep(0.15)
        found += [one.key for one in parser.tick() if isinstance(one, events.Key)]
    return found


@pytest.mark.parametrize(("read", "names"), [
    (b"\x1bj", ["escape", "j"]), (b"\x1b/tcp\r", ["escape", "slash", "t", "c", "p", "enter"]), (b"\x1bf", ["escape", "f"]), (b"\x1b1", ["escape", "1"]),
    (b"\x1b\r", ["escape", "enter"]), (b"\x1b:q", ["escape", "colon", "q"]), (b"\x1bG", ["escape", "G"]), (b"\x1b[A", ["up"]), (b"\x1bOA", ["up"]),
    (b"\x1b\x1b[B", ["escape", "down"]), (b"\x1b", ["escape"]), (b"ab\n", ["a", "b", "enter"])])
def test_escape_and_a_key_in_one_read_are_two_keys(read: bytes, names: list[str]) -> None:
    assert [name.removeprefix("shift+").removeprefix("upper_") for name in keys(read)] == names


def test_the_answer_about_the_background_is_no_key() -> None:
    told: list[str] = []
    parser = KeyParser(told.append)
    got = [one for read in ("a\x1b]11;rgb:ff", "ff/0000/0000\x1b\\b", "\x1b]11;rgb:00/00/00\x07") for one in parser.feed(read)]
    assert [one.key for one in got if isinstance(one, events.Key)] == ["a", "b"]
    assert told == ["rgb:ffff/0000/0000", "rgb:00/00/00"]


def test_escape_leaves_the_filter_line_and_the_key_behind_it_moves() -> None:
    with Terminal(PROGRAM, 120, 40) as terminal:
        terminal.wait_for("Frame 1:")
        terminal.wait_for("● indexed ")
        terminal.press(b"/zook")
        terminal.press(b"\x1b\x1bj", 0.6)       # the first closes what is offered
        terminal.wait_for("Frame 2:")
        assert "zookj" not in terminal.text() and "all packets" in terminal.text()


@pytest.mark.parametrize("wait", [0.0, 0.25, 0.6])
def test_keys_typed_before_the_screen_is_up_arrive(wait: float) -> None:
    """A filter with its Enter, typed while the program starts: before, during and after its first picture. None of it is echoed."""
    with Terminal(PROGRAM, 120, 40) as terminal:
        time.sleep(wait)
        os.write(terminal.master, b"/tcp.flags.syn == 1\r")
        terminal.wait_for("6 of 257", 20)
        picture = bytes(terminal.sent).partition(b"\x1b[?1049h")[2]
        assert b"/tcp.flags" not in picture
        assert "/tcp.flags" not in terminal.text()


@pytest.mark.parametrize("before", ["printf 'a\\nq\\n' |", "exec <&-;", "exec </dev/null;"])
def test_keys_come_from_the_terminal_whatever_standard_input_is(before: str) -> None:
    with Terminal(["sh", "-c", f"{before} {' '.join(PROGRAM)}"], 120, 40) as terminal:
        terminal.wait_for("Frame 1:")
        terminal.wait_for("● indexed ")
        terminal.press(b"j")
        terminal.wait_for("Frame 2:")
        terminal.press(b"q")
        assert terminal.exit_status() == 0


def test_a_loop_over_a_list_of_files_shows_each_of_them() -> None:
    with Terminal(["sh", "-c", f"printf '1\\n2\\n' | while read n; do {' '.join(PROGRAM)}; echo seen $n; done"], 120, 40) as terminal:
        for number in (1, 2):
            terminal.wait_for("● indexed ")
            terminal.screen.reset()     # the emulator has no alternate screen: what the first one showed must not stand for the second
            os.write(terminal.master, b"q")
            end = time.monotonic() + 10
            while f"seen {number}".encode() not in terminal.sent:      # on the screen the second program soon stands over it
                assert terminal.read(0.05) is not None and time.monotonic() < end


def test_without_any_terminal_for_keys_rows_are_printed() -> None:
    """A new session has no controlling terminal; standard output still is one."""
    with Terminal(["sh", "-c", f"setsid -w {' '.join(PROGRAM)} </dev/null | head -1; setsid -w {' '.join(PROGRAM)} </dev/null"], 120, 40) as terminal:
        assert terminal.exit_status(20) == 0
        assert b"\x1b[?1049h" not in terminal.sent and b"SYN" in terminal.sent


def test_a_dumb_terminal_gets_rows() -> None:
    with Terminal(PROGRAM, 120, 40, {"TERM": "dumb"}) as terminal:
        assert terminal.exit_status(20) == 0
        assert b"\x1b" not in terminal.sent and b"SYN" in terminal.sent


@pytest.mark.parametrize(("environment", "size"), [({}, (80, 24)), ({"COLUMNS": "100", "LINES": "30"}, (100, 30))])
def test_a_terminal_without_a_size_gets_a_usual_one(environment: dict[str, str], size: tuple[int, int]) -> None:
    with Terminal(PROGRAM, 0, 0, environment) as terminal:
        terminal.screen.resize(size[1], size[0])
        terminal.wait_for("1/257")
        lines = terminal.text().splitlines()
        assert len(lines) == size[1] and lines[-1].endswith("1/257") and len(lines[-1]) >= size[0] - 2


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
@pytest.mark.parametrize("up", [False, True])
def test_signals_give_the_terminal_back_at_any_time(number: signal.Signals, up: bool) -> None:
    with Terminal([sys.executable, "-m", "protoview", "--demo"], 120, 40) as terminal:
        before = termios.tcgetattr(terminal.master)
        terminal.wait_for("● indexed" if up else "opening …")
        os.kill(terminal.pid, number)
        assert terminal.exit_status() == 128 + number
        switches = re.findall(rb"\x1b\[\?1049([hl])", bytes(terminal.sent))
        assert switches[-1] == b"l"
        assert termios.tcgetattr(terminal.master)[3] == before[3]


def test_the_terminal_is_left_as_it_was_found() -> None:
    with Terminal(PROGRAM, 120, 40) as terminal:
        before = termios.tcgetattr(terminal.master)
        assert before[3] & termios.ECHO
        terminal.wait_for("● indexed ")
        assert not termios.tcgetattr(terminal.master)[3] & termios.ECHO
        terminal.press(b"q")
        assert terminal.exit_status() == 0
        assert termios.tcgetattr(terminal.master)[:4] == before[:4]
