"""Which columns of the packet list fit, and how wide they are; needs neither Textual nor a capture, so that the first picture has the same ones.

Where there is little room, addresses become shorter, then the length goes, the protocol (the operation's words tell it), the addresses, the time and the
response time: what a row says of its operation always keeps some cells.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

LEAD = 2
"""Cells before the first column: the cursor's or a mark's sign, and the severity's."""
RRT = 9
LENGTH = 6


class Wish(NamedTuple):
    """Columns, the most cells that an address gets in them, and the least that Info must be left with."""

    names: tuple[str, ...]
    address: int
    info: int


WISHES = (
    Wish(("No.", "Time", "RRT", "Source", "Destination", "Protocol", "Length"), 45, 50),
    Wish(("No.", "Time", "RRT", "Source", "Destination", "Protocol"), 21, 28),
    Wish(("No.", "Time", "RRT", "Source", "Destination", "Protocol"), 15, 24),
    Wish(("No.", "Time", "RRT", "Source", "Destination"), 15, 17),
    Wish(("No.", "Time", "RRT", "Protocol"), 0, 28),
    Wish(("No.", "Time", "RRT"), 0, 28),
    Wish(("No.", "RRT"), 0, 28),
    Wish(("No.",), 0, 0),
)


@dataclass(frozen=True, slots=True)
class ListColumns:
    """What fits: widths by column name, in the order in which they are shown; Info gets the rest."""

    widths: tuple[tuple[str, int], ...]

    @property
    def fixed(self) -> int:
        return sum(width + 1 for _, width in self.widths)

    def at(self, x: int) -> str:
        """The column under a cell of a row."""
        x -= LEAD
        for name, width in self.widths:
            if x <= width:
                return name
            x -= width + 1
        return "Info"


def choose_columns(room: int, number: int, time: int, address: int, protocol: int) -> ListColumns:
    """The columns for a list of `room` cells, given what the widest number, time, address and protocol in sight need."""
    for wish in WISHES:
        short = min(address, wish.address)
        known = {"No.": number, "Time": time, "RRT": RRT, "Source": short, "Destination": short, "Protocol": protocol, "Length": LENGTH}
        columns = ListColumns(tuple((name, known[name]) for name in wish.names))
        if room - LEAD - columns.fixed >= wish.info:
            break
    return columns
