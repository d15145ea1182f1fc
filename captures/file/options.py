"""pcapng's option lists: code, length and value, padded to 32 bits (draft-ietf-opsawg-pcapng, section 3.5)."""
from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap

from captures.file.scan import reader
from protocols.engine.printable import printable

__all__ = ["COMMENT", "PRIVATE", "number", "options", "text", "text_lines"]

COMMENT = 1
PRIVATE = frozenset((19372, 19373))
"""Custom options that are not to be copied into a file that was changed."""


def options(buffer: mmap | bytes, start: int, end: int, order: str) -> Iterator[tuple[int, int, int]]:
    """Code, start and length of each option in [start, end), up to the end mark or to one that does not fit."""
    head = reader(order, "HH").unpack_from
    while start + 4 <= end:
        code, length = head(buffer, start)
        if code == 0 or start + 4 + length > end:
            return
        yield code, start + 4, length
        start += 4 + ((length + 3) & ~3)


def text(value: bytes) -> str:
    """A string option on one line, free of control characters."""
    return printable(value.rstrip(b"\0").decode("utf-8", "replace"))


def text_lines(value: bytes) -> list[str]:
    """A comment as lines without control characters."""
    return [printable(line) for line in value.rstrip(b"\0").decode("utf-8", "replace").splitlines()]


def number(value: bytes, order: str) -> int | None:
    """An option of 1, 2, 4 or 8 bytes as a number; None for other lengths."""
    form = {1: "B", 2: "H", 4: "I", 8: "Q"}.get(len(value))
    return None if form is None else int(reader(order, form).unpack(value)[0])
