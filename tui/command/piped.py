"""A capture that comes through a pipe: it is copied to a temporary file first, because captures are read in any order."""
from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from pathlib import Path

from captures.file.errors import CaptureError

__all__ = ["settled"]

STANDARD = Path("-")


def settled(file: Path) -> Path:
    """The file itself, or the temporary copy of what comes through the pipe that it names ("-": standard input), which goes when the program ends.
    Raises CaptureError where nothing can come, OSError when it cannot be kept."""
    if file != STANDARD and not file.is_fifo():
        return file
    if file == STANDARD and (sys.stdin is None or sys.stdin.isatty()):
        raise CaptureError('"-" reads a capture from a pipe, and there is none: tcpdump -w - | protoview -')
    with tempfile.NamedTemporaryFile(prefix="protoview-", delete=False) as copy:
        atexit.register(Path(copy.name).unlink, missing_ok=True)
        if file == STANDARD:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        else:
            with file.open("rb") as pipe:
                shutil.copyfileobj(pipe, copy)
    return Path(copy.name)
