"""The first rows of a capture, drawn before Textual is loaded.

Loading Textual takes longer than finding the first packets. So the alternate screen is opened here and filled from the index columns alone; the
application paints over it when it is there. Nothing is drawn where there is no terminal or no room.
"""
from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

from captures.file.opening import open_source
from captures.index.columns import PacketKind
from captures.index.index import Index
from captures.packet.rows import transport_row
from tui.terminal import keyboard

__all__ = ["draw", "withdraw"]

LEAST = (80, 20)
BARS = 4
"""Lines of the main screen that belong to no pane."""
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l\x1b[2J\x1b[H", "\x1b[?25h\x1b[?1049l"


class _Enough(threading.Event):
    """Set as soon as anything is indexed: the first chunk is small."""

    def is_set(self) -> bool:
        return True


_kept = -1
"""The terminal that the rows stand on, by a descriptor of its own: the application's driver leads the usual one nowhere; -1 without rows."""


def draw(file: Path) -> None:
    """Draw the file's first rows on the terminal, if there is room."""
    global _kept
    terminal = sys.__stderr__
    if terminal is None or not terminal.isatty() or os.environ.get("TEXTUAL_DRIVER"):
        return
    columns, lines = keyboard.size_of(terminal.fileno())
    if columns < LEAST[0] or lines < LEAST[1]:
        return
    index = Index(open_source(file))
    index.run(_Enough())
    shown = "\r\n".join(line[:columns] for line in _lines(index, file.name, columns, lines))
    index.source.close()
    _kept = os.dup(terminal.fileno())
    terminal.write(ENTER + shown)
    terminal.flush()


def withdraw() -> None:
    """Take the rows away, when the application does not come."""
    if _kept >= 0:
        with suppress(OSError):     # the terminal is gone
            os.write(_kept, LEAVE.encode())


def _lines(index: Index, name: str, columns: int, lines: int) -> list[str]:
    """The title and as many rows as there is room for, where the main screen will have them and in the same columns; the text is made of numbers and
    addresses only, but for the file's name."""
    from protocols.engine.fields import seconds
    from protocols.engine.printable import printable
    from tui.parts.columns import LEAD, choose_columns
    from tui.parts.formats import fit, fit_middle
    from tui.parts.layout import Choice, arrange, frame, size_class

    c = index.columns
    kind = size_class(columns, lines)
    box = frame(kind) == ""
    list_lines = arrange(columns, lines - BARS, kind, Choice(), "packets", "tree")["packets"].height
    room = columns - (3 if box else 1)      # the frame and the scroll bar
    rows = []
    for i in range(min(c.count, max(0, list_lines - (3 if box else 2)))):
        moment = seconds(since, 6) if (since := c.since_first(i)) is not None else ""
        if int(c.kind[i]) == PacketKind.OTHER:
            rows.append((i, moment, "", "", "", 0, ""))
        else:
            row = transport_row(index, i, None)
            rows.append((i, moment, row.source, row.destination, row.protocol, row.length, row.info))
    address = max([15, *(max(len(row[2]), len(row[3])) for row in rows)])
    chosen = choose_columns(room, max(5, len(str(c.count))), max([9, *(len(row[1]) for row in rows)]), min(address, 45), 9)
    out = [f" protoview  {printable(name)}   opening …", "", "", ""]
    for i, moment, source, destination, protocol, length, info in rows:
        cells = {"No.": str(i + 1), "Time": moment, "RRT": "", "Length": str(length)}
        texts = {"Source": source, "Destination": destination}
        line = " ".join(cells[name].rjust(width) if name in cells else fit_middle(texts[name], width) if name in texts else fit(protocol, width)
                        for name, width in chosen.widths)
        out.append(" " * (LEAD + box) + line + " " + fit(info, room - LEAD - chosen.fixed))
    return out
