"""How long display filters take, beside tshark on the same capture.

    python tests/benchmarks/make_capture.py --packets 1000000 --conns 2000 --pcap big.pcap
    python tests/benchmarks/filters.py big.pcap [--tshark] [FILTER ...]

For each filter: the packets shown, the first run in this process, and a second run (the best of five). With --tshark also the whole program beside
`tshark -Y`: seconds of each, with reading the file and printing the numbers of the packets, their ratio, and whether they show the same packets.
"""
from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from captures.capture import Capture
from captures.filter import FilterRun, Names, compile_filter

COLUMNS = (
    "tcp", "udp.port == 53", "tcp.port == 2181", "tcp.port != 2181", "!(tcp.port in {2181, 6379})", "tcp.flags.syn == 1 && tcp.flags.ack == 0",
    "tcp.len > 1000", "tcp.stream == 17", "frame.len in {60..80}", "frame.number % 1000 == 0", "frame.time_delta > 0.001",
    "ip.addr == 10.0.0.0/8 && tcp.dstport == 2181", "ip.src == 10.1.0.3", "tcp.flags & 0x05 && tcp.len == 0",
)
TREES = ("zookeeper", 'pv.op == "getData"', "pv.rrt > 1ms", 'zookeeper.path contains "7"', 'tcp.payload contains "alpha"', "tcp.analysis.retransmission")
ROOT = Path(__file__).resolve().parents[2]
OURS = (sys.executable, "-m", "protoview")
TSHARK = ("tshark", "-n", "-o", "tcp.reassemble_out_of_order:TRUE")


def run(capture: Capture, names: Names, text: str) -> tuple[float, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Seconds, and the packets shown."""
    began = time.perf_counter()
    steps = list(FilterRun(capture, compile_filter(text, names)))
    return time.perf_counter() - began, np.concatenate(steps) if steps else np.zeros(0, np.int64)


def program(command: tuple[str, ...], path: Path, text: str) -> tuple[float, list[int] | None]:
    """Seconds of a whole program, and the frames that it shows; None where it refuses the filter."""
    began = time.perf_counter()
    done = subprocess.run([*command, "-r", str(path), "-Y", text, "-T", "fields", "-e", "frame.number"], capture_output=True, text=True, check=False, cwd=ROOT)
    return time.perf_counter() - began, [int(number) for number in done.stdout.split()] if done.returncode in (0, 1) else None


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("capture", type=Path)
    options.add_argument("filters", nargs="*", default=[*COLUMNS, *TREES])
    options.add_argument("--tshark", action="store_true")
    asked = options.parse_args()
    began = time.perf_counter()
    capture = Capture(asked.capture)
    capture.read_index()
    opened = time.perf_counter() - began
    names = Names(capture.registry)
    print(f"{asked.capture.name}: {len(capture):,} packets, opened in {opened:.2f} s")
    print(f"{'filter':<48} {'shown':>9} {'first ms':>10} {'again ms':>10}" + (f" {'whole s':>8} {'tshark s':>9} {'ratio':>6}" if asked.tshark else ""))
    for text in asked.filters:
        first, found = run(capture, names, text)
        again = min(run(capture, names, text)[0] for _ in range(5))
        line = f"{text:<48} {len(found):>9,} {first * 1e3:>10.1f} {again * 1e3:>10.1f}"
        if asked.tshark:
            ours, _ = program(OURS, asked.capture.resolve(), text)
            theirs, frames = program(TSHARK, asked.capture.resolve(), text)
            same = "refused" if frames is None else "same" if frames == (found + 1).tolist() else f"{len(frames):,} frames"
            line += f" {ours:>8.1f} {theirs:>9.1f} {theirs / ours:>6.1f} {same}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
