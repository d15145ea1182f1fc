"""The terminal as cells: what it should show, what it was sent, and the bytes from one to the other.

Textual writes a frame as cursor moves, colours and text. `Picture.draw` reads such a frame into cells; `Picture.changes` writes
only the cells that differ from those sent before. Whatever a frame holds besides (modes, titles, OSC) is handed back by `draw` to be passed on.
"""
from __future__ import annotations

import re

from rich.cells import cell_len, split_graphemes

Cell = tuple[str, str]
"""A character with its combining marks, and its SGR parameters. "" follows a character two cells wide."""

TOKEN = re.compile(
    r"\x1b\[(\d+);(\d+)H"                                       # 1, 2: move
    r"|\x1b\[([\d;:]*)m"                                        # 3: colours
    r"|([\r\n]+)"                                               # 4: next line
    r"|([^\x00-\x1f\x7f]+)"                                     # 5: text
    r"|(\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P][^\a\x1b]*(?:\a|\x1b\\)|.)|[\x00-\x1f\x7f])",  # 6: anything else
    re.DOTALL,
)
BLANK: Cell = (" ", "")
UNKNOWN: Cell = ("", "?")
GAP = 5
"""So many unchanged cells of the same colour are cheaper to send again than a cursor move."""


class Picture:
    """`width` x `height` cells, wanted and sent."""

    def __init__(self, width: int, height: int) -> None:
        self.resize(width, height)

    def resize(self, width: int, height: int) -> None:
        """Start anew: nothing is wanted, nothing is known of the terminal."""
        self.width, self.height = width, height
        self._wanted: list[list[Cell]] = [[UNKNOWN] * width for _ in range(height)]
        self._sent: list[list[Cell]] = [[UNKNOWN] * width for _ in range(height)]
        self._touched: set[int] = set()
        self._cursor = (1, 1)

    def forget(self) -> None:
        """The terminal's content is no longer known: `changes` will send all that is wanted."""
        self._sent = [[UNKNOWN] * self.width for _ in range(self.height)]
        self._touched = set(range(self.height))

    def draw(self, frame: str) -> str:
        """Take a frame into the wanted cells; returns the sequences in it that are no drawing."""
        x = y = 0
        style = ""
        rest: list[str] = []
        for token in TOKEN.finditer(frame):
            text = token[5]
            if text is not None:
                x = self._put(x, y, text, style)
            elif token[1] is not None:
                y, x = int(token[1]) - 1, int(token[2]) - 1
                self._cursor = (y + 1, x + 1)
            elif token[3] is not None:
                style = "" if token[3] == "0" else token[3]
            elif token[4] is not None:
                y += token[4].count("\n")
                x = 0
            else:
                rest.append(token[6])
        return "".join(rest)

    def _put(self, x: int, y: int, text: str, style: str) -> int:
        if not 0 <= y < self.height:
            return x + cell_len(text)
        row, width = self._wanted[y], self.width
        self._touched.add(y)
        if text.isascii() or cell_len(text) == len(text):
            if x < width:
                kept = text[:width - x]
                row[x:x + len(kept)] = [(character, style) for character in kept]
            return x + len(text)
        spans, _ = split_graphemes(text)
        for start, end, cells in spans:
            if cells == 0:
                if 0 < x <= width:
                    row[x - 1] = (row[x - 1][0] + text[start:end], style)
                continue
            if x + cells <= width:
                row[x] = (text[start:end], style)
                for more in range(1, cells):
                    row[x + more] = ("", style)
            x += cells
        return x

    def changes(self) -> str:
        """The sequences that bring the terminal from what it was sent to what is wanted; "" when it shows it already."""
        out: list[str] = []
        pen = ""
        for y in sorted(self._touched):
            if self._wanted[y] != self._sent[y]:
                pen = self._row(y, out, pen)
                self._sent[y] = self._wanted[y].copy()
        self._touched.clear()
        if not out:
            return ""
        if pen:
            out.append("\x1b[m")
        row, column = self._cursor
        out.append(f"\x1b[{row};{column}H")
        return "".join(out)

    def _row(self, y: int, out: list[str], pen: str) -> str:
        """Append one row's changes; `pen` is the colour set so far, the colour set at the end is returned."""
        wanted, sent = self._wanted[y], self._sent[y]
        at = -1
        for x in range(self.width):
            cell = wanted[x]
            if cell == sent[x] or cell is UNKNOWN or not cell[0]:     # the right half of a wide character came with its left half
                continue
            if at != x:
                if 0 <= at < x <= at + GAP and all(wanted[i][1] == pen and wanted[i][0] for i in range(at, x)):
                    out.extend(wanted[i][0] for i in range(at, x))
                else:
                    out.append(f"\x1b[{y + 1};{x + 1}H")
            character, style = cell
            if style != pen:
                out.append(f"\x1b[0;{style}m" if style else "\x1b[m")
                pen = style
            out.append(character)
            # terminals disagree on the width of what is not one plain cell: say where the next one goes
            at = x + 1 if len(character) == 1 and (x + 1 == self.width or wanted[x + 1][0]) else -1
        return pen
