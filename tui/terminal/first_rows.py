"""The first rows of a capture, drawn before Textual is loaded.

Loading Textual takes longer than finding the first packets. So the alternate screen is opened here and filled from the index columns alone; the
application paints over it when it is there. Nothing is drawn where there is no terminal or no room.
"""
from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from captures.file.opening import open_source
from captures.index.columns import PacketKind
from captures.index.index import Index
from captures.packet.rows import transport_row
from tui.terminal import keyboard

__all__ = ["draw", "withdraw"]

LEAST = (80, 20)
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l\x1b[2J\x1b[H", "\x1b[?25h\x1b[?1049l"


class _Enough(threading.Event):
    """Set as soon as anything is indexed: the first chunk is small."""

    def is_set(self) -> bool:
        return True


_drawn = False


def draw(file: Path) -> None:
    """Draw the file's first rows on the terminal, if there is room."""
    global _drawn
    terminal = sys.__stderr__
    if terminal is None or not terminal.isatty() or os.environ.get("TEXTUAL_DRIVER"):
        return
    columns, lines = keyboard.size_of(terminal.fileno())
    if columns < LEAST[0] or lines < LEAST[1]:
        return
    index = Index(open_source(file))
    index.run(_Enough())
    shown = "\r\n".join(line[:columns] for line in _lines(index, file.name, lines // 2))
    index.source.close()
    _drawn = True
    terminal.write(ENTER + shown)
    terminal.flush()


def withdraw() -> None:
    """Take the rows away, when the application does not come."""
    if _drawn and sys.__stderr__ is not None:
        sys.__stderr__.write(LEAVE)
        sys.__stderr__.flush()


def _lines(index: Index, name: str, room: int) -> list[str]:
    """A title and as many rows as there is room for; the text is made of numbers and addresses only, but for the file's name."""
    from protocols.engine.fields import seconds
    from protocols.engine.printable import printable

    c = index.columns
    out = [f" protoview  {printable(name)}   opening …", "", ""]
    for i in range(min(c.count, room)):
        lead = f"{i + 1:>8} {seconds(since, 6) if (since := c.since_first(i)) is not None else '':>12}"
        if int(c.kind[i]) == PacketKind.OTHER:
            out.append(lead)
            continue
        row = transport_row(index, i, None)
        out.append(f"{lead}  {row.source} → {row.destination}  {row.protocol}  {row.length}  {row.info}")
    return out
