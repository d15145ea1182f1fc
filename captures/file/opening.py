"""Opening capture files: what a file is, is told by its first bytes, never by its name.

pcap and pcapng, each also compressed with gzip, zstd, LZ4, xz or bzip2. `open_source` reads the head; `Source.chunks` then gives the packets.
"""
from __future__ import annotations

import os
import stat
from pathlib import Path

from captures.file.errors import CaptureError
from captures.file.mapped import Mapped, map_file
from captures.file.pcap import PcapSource, variant
from captures.file.scan import FIRST, Records
from captures.file.source import Source
from protocols.engine.printable import printable

__all__ = ["Records", "Source", "open_source"]

SECTION = b"\x0a\x0d\x0d\x0a"


def open_source(path: Path) -> Source:
    """The capture at `path`. Raises CaptureError, one line: not there, not a file, not permitted, empty, not a capture."""
    shown = printable(str(path))
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)     # a pipe without a writer would wait
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CaptureError(f"{shown}: {reason}") from error
    try:
        return _open(descriptor, path.suffix)
    except CaptureError as error:
        raise CaptureError(f"{shown}: {printable(str(error))}") from error
    except OSError as error:
        raise CaptureError(f"{shown}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _open(descriptor: int, suffix: str) -> Source:
    status = os.fstat(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise CaptureError("a directory, not a capture file")
    if not stat.S_ISREG(status.st_mode):
        raise CaptureError("not a regular file; save what it gives to a file first")
    if not status.st_size:
        raise CaptureError("the file is empty")
    kind, data = _buffer(descriptor, status.st_size)
    try:
        return _source(data, kind, suffix)
    except CaptureError:
        data.close()
        raise


def _buffer(descriptor: int, length: int) -> tuple[str, Mapped]:
    """The file's bytes, decompressed if need be, and by what."""
    head = os.pread(descriptor, 8, 0)
    if not head.startswith(SECTION) and variant(head) is None:
        from captures.file.compressed import Spool, compression  # plain captures open without it

        kind = compression(descriptor)
        if kind:
            return kind, Spool(descriptor, length, kind)
    return "", map_file(descriptor)


def _source(data: Mapped, kind: str, suffix: str) -> Source:
    there = data.fill(FIRST)
    head = data.buffer[: min(there, 8)]
    if head.startswith(SECTION):
        from captures.file.pcapng import PcapngSource

        return PcapngSource(data, kind)
    if variant(head) is not None:
        return PcapSource(data, kind)
    if not kind:
        from captures.file.compressed import HEAD, foreign

        other = foreign(data.buffer[:HEAD], suffix)
        raise CaptureError(f"{other} data, which is not opened here: decompress it first" if other else "not a pcap or pcapng file")
    raise CaptureError(data.wrong or f"{kind} data, but no pcap or pcapng file in it")
