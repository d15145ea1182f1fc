"""Opening a large capture, side by side: protoview with capinfos and termshark, in one run, as ratios of medians.

    PYTHONPATH=.:tests python tests/benchmarks/compare.py [CAPTURE] [--runs N]

Without CAPTURE, one of 1,000,000 packets is made in a temporary folder. What is not installed is left out. The machine's other work
shows in the times; the ratios of one run are what counts.
"""
from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from make_capture import frames, write
from terminal import ROOT, Terminal

SCRIPT = Path(sys.executable).with_name("protoview")
PROTOVIEW = [str(SCRIPT)] if SCRIPT.exists() else [sys.executable, "-m", "protoview"]
INDEXED = re.compile(r"● indexed(?! \d)")
BUDGET_BYTES, BUDGET_KEY = 72, 0.050


def seconds(command: list[str]) -> float:
    """How long a whole process takes, its output thrown away."""
    before = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, cwd=ROOT)
    return time.perf_counter() - before


def until(terminal: Terminal, done: Callable[[], bool], limit: float = 300.0) -> float:
    """Seconds of reading the terminal until `done`."""
    before = time.perf_counter()
    while not done():
        if terminal.read(0.02) is None or time.perf_counter() - before > limit:
            raise SystemExit(f"did not get there; the screen:\n{terminal.text()}")
    return time.perf_counter() - before


def opened(command: list[str], complete: Callable[[Terminal], bool]) -> tuple[float, float, Terminal]:
    """(seconds to the first rows, seconds to the whole list, the terminal, still running)."""
    before = time.perf_counter()
    terminal = Terminal(command, 180, 50)
    until(terminal, lambda: "0.000000" in terminal.text())
    first = time.perf_counter() - before
    until(terminal, lambda: complete(terminal))
    return first, time.perf_counter() - before, terminal


def listed(terminal: Terminal) -> bool:
    """Whether termshark's list is loaded: the tshark that writes it has ended."""
    tree = psutil.Process(terminal.pid).children(recursive=True)
    return not any("psml" in word for child in tree for word in child.cmdline())


def key_seconds(terminal: Terminal, keys: bytes) -> float:
    """From a key to the last byte of what it paints."""
    before = time.perf_counter()
    last = before
    os.write(terminal.master, keys)
    while terminal.read(0.15 if last > before else 2.0):
        last = time.perf_counter()
    return last - before


def index_bytes(capture: str) -> float:
    """Bytes of the packet index a packet, as the process itself counts them."""
    code = ("import sys; from captures.capture import Capture; c = Capture(sys.argv[1]); c.read_index(); "
            "from captures.index.columns import LAYOUT; k = c._index.columns; n = len(c); "
            "print(sum(getattr(k, name)[:n].nbytes for name in LAYOUT) / n)")
    return float(subprocess.run([sys.executable, "-c", code, capture], capture_output=True, text=True, check=True, cwd=ROOT).stdout)


def row(what: str, ours: float, theirs: float | None, against: str, aim: str) -> None:
    ratio = f"{ours / theirs:6.2f}x ({theirs / ours:5.1f}x sooner)" if theirs else ""
    shown = f"{theirs * 1e3:9.0f} ms" if theirs else ""
    print(f"{what:38} {ours * 1e3:9.1f} ms {against:>12} {shown:12} {ratio:26} aim: {aim}", flush=True)


def measure(capture: str, runs: int) -> None:
    """Print a line a measurement."""
    if shutil.which("capinfos"):
        pairs = [(seconds([*PROTOVIEW, "--info", capture]), seconds(["capinfos", "-c", capture])) for _ in range(runs)]
        row("index, whole process (--info)", *(statistics.median(side) for side in zip(*pairs, strict=True)), "capinfos -c", "<= 2.5x")
    ours = [opened([*PROTOVIEW, capture], lambda t: bool(INDEXED.search(t.text()))) for _ in range(runs)]
    theirs: list[tuple[float, float]] = []
    if shutil.which("termshark"):
        for _ in range(max(1, runs // 3)):
            first, whole, terminal = opened(["termshark", "-r", capture], listed)
            theirs.append((first, whole))
            with terminal:
                pass
    for number, (what, aim) in enumerate((("first rows on the screen", ">= 3x sooner"), ("index complete in the UI", ">= 30x sooner"))):
        row(what, statistics.median(one[number] for one in ours), statistics.median(one[number] for one in theirs) if theirs else None, "termshark", aim)
    with ours[-1][2] as terminal:
        terminal.settle(0.5)
        moves = [key_seconds(terminal, b"\x1b[B") for _ in range(20)]
        row("cursor key, all three panes", statistics.median(moves), None, "", f"<= {BUDGET_KEY * 1e3:.0f} ms")
        row("jump to the last packet", statistics.median([_jump(terminal) for _ in range(5)]), None, "", f"<= {BUDGET_KEY * 1e3:.0f} ms")
    for _, _, terminal in ours[:-1]:
        with terminal:
            pass
    print(f"{'index memory':38} {index_bytes(capture):9.1f} bytes a packet; aim: <= {BUDGET_BYTES}")


def _jump(terminal: Terminal) -> float:
    key_seconds(terminal, b"\x1b[H")
    return key_seconds(terminal, b"\x1b[F")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture", nargs="?")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    if options.capture:
        measure(options.capture, options.runs)
        return
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(folder) / "million.pcap"
        write(frames(1_000_000, 2_000, 1), capture, None)
        measure(str(capture), options.runs)


if __name__ == "__main__":
    main()
