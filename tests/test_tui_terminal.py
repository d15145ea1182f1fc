"""The program on a real terminal: what it sends, and how it leaves."""
from __future__ import annotations

import base64
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminal import Terminal

ERRORS = Path(__file__).parent / "data" / "zookeeper" / "zookeeper-java-3.9-errors.pcap.gz"
PROGRAM = [sys.executable, "-m", "protoview", str(ERRORS)]
MODES = (1049, 1000, 1003, 1006, 1004, 2004)


def modes_left_on(sent: bytes) -> list[int]:
    """Private modes that were switched on and not off again."""
    left = []
    for mode in MODES:
        switches = re.findall(rb"\x1b\[\?%d([hl])" % mode, sent)
        if switches and switches[-1] == b"h":
            left.append(mode)
    return left


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with Terminal(PROGRAM, 180, 50) as made:
        made.wait_for("Frame 1:")
        made.wait_for("● indexed ")
        made.settle()
        yield made


def test_a_move_costs_at_most_four_kilobytes_and_rest_costs_nothing(terminal: Terminal) -> None:
    terminal.press(b"20G")
    assert terminal.settle(0.6) == 0
    costs = [terminal.press(b"j", 0.12) for _ in range(12)]
    assert max(costs) > 0
    assert sum(costs) / len(costs) <= 4_000
    assert terminal.settle(0.8) == 0
    terminal.wait_for("Frame 32:")


def test_the_changes_add_up_to_the_same_screen_as_a_redraw(terminal: Terminal) -> None:
    for keys in (b"j", b"\x1b[6~", b"\t", b"jj", b"zR", b"|", b"\x1b[Z", b"G", b"k", b"y", b"\x1b", b"?", b"q", b"\\", b"\\"):
        terminal.press(keys, 0.4 if keys == b"\x1b" else 0.08)     # a lone escape is told from a sequence by the time
    terminal.settle(0.6)
    before = terminal.text()
    colours = [[terminal.screen.buffer[y][x] for x in range(180)] for y in range(50)]
    assert terminal.press(b"\x0c", 0.6) > 2_000
    assert terminal.text() == before
    assert [[terminal.screen.buffer[y][x] for x in range(180)] for y in range(50)] == colours


def test_ctrl_l_mends_what_another_program_wrote(terminal: Terminal) -> None:
    clean = terminal.text()
    terminal._stream.feed(b"\x1b[10;10Htcpdump: listening on eth0\r\n")
    assert "tcpdump" in terminal.text()
    terminal.press(b"\x0c")
    assert terminal.text() == clean


def test_q_leaves_a_clean_terminal(terminal: Terminal) -> None:
    os.write(terminal.master, b"q")
    assert terminal.exit_status() == 0
    assert modes_left_on(bytes(terminal.sent)) == []
    assert terminal.sent.rfind(b"\x1b[?25h") > terminal.sent.rfind(b"\x1b[?25l")
    assert b"Traceback" not in terminal.sent


def test_sigterm_leaves_a_clean_terminal_and_says_so(terminal: Terminal) -> None:
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.exit_status() == 128 + signal.SIGTERM
    assert modes_left_on(bytes(terminal.sent)) == []


def test_a_copy_reaches_the_terminal_by_osc_52(terminal: Terminal) -> None:
    terminal.press(b"8G\tjj")
    terminal.press(b"yl")
    found = re.search(rb"\x1b\]52;c;([A-Za-z0-9+/=]+)\x07", bytes(terminal.sent))
    assert found is not None and base64.b64decode(found[1]) == b"Length: 50"
    assert "Sent label and value to the terminal's clipboard: 10 bytes by OSC 52" in terminal.text()


def test_the_terminal_tells_the_size_not_the_environment() -> None:
    with Terminal(PROGRAM, 100, 30, {"COLUMNS": "60", "LINES": "20"}) as terminal:
        terminal.wait_for("Frame 1:")
        terminal.settle()
        assert len(terminal.text().splitlines()[2]) == 100
        assert terminal.text().splitlines()[29].endswith("1/257")
        terminal.resize(120, 36)
        terminal.settle(0.6)
        assert terminal.text().splitlines()[35].endswith("1/257")


def test_no_color_leaves_no_colours() -> None:
    with Terminal(PROGRAM, 100, 30, {"NO_COLOR": "1"}) as terminal:
        terminal.wait_for("Frame 1:")
        terminal.press(b"j")
        cells = [terminal.screen.buffer[y][x] for y in range(30) for x in range(100)]
        assert {(cell.fg, cell.bg) for cell in cells} == {("default", "default")}
        row = next(y for y, line in enumerate(terminal.screen.display) if "▶     2" in line)
        assert terminal.screen.buffer[row][20].reverse or terminal.screen.buffer[row][20].bold


def test_the_stock_driver_can_be_had() -> None:
    with Terminal(PROGRAM, 100, 30, {"PROTOVIEW_DRIVER": "plain"}) as terminal:
        terminal.wait_for("Frame 1:")
        terminal.settle()
        os.write(terminal.master, b"q")
        assert terminal.exit_status() == 0
        assert modes_left_on(bytes(terminal.sent)) == []


def test_without_the_mouse_no_mouse_mode_is_set() -> None:
    with Terminal([*PROGRAM, "--no-mouse"], 100, 30) as terminal:
        terminal.wait_for("Frame 1:")
        assert b"\x1b[?1003h" not in terminal.sent


def test_a_terminal_that_lags_is_sent_the_newest_picture_only(terminal: Terminal) -> None:
    for _ in range(60):
        os.write(terminal.master, b"j")
        time.sleep(0.02)
    # nothing was read meanwhile: the kernel holds a few kilobytes, later frames must have become one (sixty are 150,000 bytes)
    assert terminal.settle(0.4) < 60_000
    assert "Frame 61:" in terminal.text()


def test_standard_error_may_go_to_a_file_and_gets_no_picture(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Terminal(["sh", "-c", f"exec {sys.executable} -m protoview {ERRORS} 2>{log}"], 100, 30) as terminal:
        terminal.wait_for("Frame 1:")
        os.write(terminal.master, b"q")
        assert terminal.exit_status() == 0
    assert log.read_bytes() == b""


def test_the_first_rows_come_before_the_application() -> None:
    """Frame 1 of the demo goes from port 55752 to 2181 (tshark); its row is drawn from the index alone, in the alternate screen."""
    with Terminal([sys.executable, "-m", "protoview", "--demo"]) as terminal:
        terminal.wait_for("55752 → 2181 [SYN]")
        early = bytes(terminal.sent)
        assert early.startswith(b"\x1b[?1049h")
        terminal.wait_for("● indexed")
        terminal.press(b"q")
        assert terminal.exit_status() == 0
        assert b"\x1b[?1049l" in terminal.sent[len(early):]


def test_a_copy_in_gnu_screen_goes_out_wrapped() -> None:
    """Bytes that a terminal gets through screen: device control strings of at most 768 bytes, in their order."""
    with Terminal(PROGRAM, 120, 40, {"TERM": "screen-256color", "STY": "1.pts-0.host", "COLORTERM": "truecolor"}) as terminal:
        terminal.wait_for("● indexed ")
        assert b"38;2;" not in terminal.sent        # screen takes the numbers of 24-bit colours for attributes
        terminal.press(b"8G")
        terminal.wait_for("Frame 8:")
        terminal.press(b"yh")
        terminal.wait_for("Sent bytes as hex dump")
        pieces = re.findall(rb"\x1bP((?:(?!\x1b\\).)+)\x1b\\", bytes(terminal.sent), re.DOTALL)
        found = re.fullmatch(rb"\x1b\]52;c;([A-Za-z0-9+/=]+)\x07", b"".join(pieces))
        assert found is not None and max(map(len, pieces)) <= 768 and len(pieces) > 1
        assert base64.b64decode(found[1]).startswith(b"0000")
        assert "Copied" not in terminal.text()
