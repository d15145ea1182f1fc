"""A capture written and opened, and what it says of chosen fields: here, and by tshark."""
from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from captures.capture import Capture
from captures.filter import FilterRun, Names, compile_filter
from captures.output.field_table import FieldFormat, field_table

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


def opened(path: Path, data: bytes | None = None) -> Capture:
    """The capture at `path`, which holds `data` where they are given."""
    if data is not None:
        path.write_bytes(data)
    capture = Capture(path)
    capture.read_index()
    return capture


def table(capture: Capture, *names: str) -> list[list[str]]:
    return [line.rstrip("\n").split("\t") for line in field_table(capture, range(len(capture)), names, FieldFormat())]


def shown(capture: Capture, text: str) -> list[int]:
    """The numbers of the packets that a filter shows."""
    return [int(i) + 1 for step in FilterRun(capture, compile_filter(text, Names(capture.registry))) for i in step]


def tshark(path: Path, *names: str, more: tuple[str, ...] = ()) -> list[list[str]]:
    """The same table by tshark, in UTC. A file that it reads in part only is no error."""
    arguments = [part for name in names for part in ("-e", name)]
    done = subprocess.run(["tshark", "-n", "-r", path, *more, "-T", "fields", *arguments], capture_output=True, text=True, env={**os.environ, "TZ": "UTC"})
    assert done.stdout, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]
