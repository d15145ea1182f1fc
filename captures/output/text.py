"""Rows, trees and hex dumps as tshark prints them (`-T text`, `-V`, `-x`).

A row costs what `Capture.row` costs; the packet is dissected only where a tree or a dump is asked for. Trees are walked with a
stack of their own, so that depth costs nothing.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from captures.capture import Capture
from captures.output.hexdump import hex_lines
from captures.packet.model import Row
from protocols.decoder import View
from protocols.engine.fields import Field, seconds

__all__ = ["dump_lines", "relative_time", "row_line", "text", "tree_lines"]

INDENT = "    "


def text(capture: Capture, chosen: Iterable[int], tree: bool = False, dump: bool = False) -> Iterator[str]:
    """The chosen packets, a piece of text each."""
    first: int | None = None
    for i in chosen:
        if first is None:
            first = capture.columns.first_time or 0
        if not tree and not dump:
            yield row_line(capture.row(i), first) + "\n"
            continue
        packet = capture.packet(i)
        lines = [row_line(packet.row, first)]
        if tree:
            lines += tree_lines(packet.layers)
        if dump:
            lines.append("")
            lines += dump_lines(packet.views)
        yield "\n".join(lines) + "\n\n"


def row_line(row: Row, first: int) -> str:
    """A line of the packet list in tshark's columns; `first` is the capture's first time, nanoseconds. The time of a packet without one is blank."""
    time = relative_time(None if row.time is None else row.time - first)
    return f"{row.number:5} {time:>10} {row.source:>12} → {row.destination:<12} {row.protocol} {row.length} {row.info}"


def relative_time(nanoseconds: int | None) -> str:
    """Seconds with six decimals, nine where the time is not whole microseconds; "" for no time."""
    return "" if nanoseconds is None else seconds(nanoseconds, 9 if nanoseconds % 1000 else 6)


def tree_lines(fields: Sequence[Field]) -> Iterator[str]:
    """The tree, a line a field, four blanks a level; without what only says that there is no value."""
    stack = [(one, "") for one in reversed(fields)]
    while stack:
        one, indent = stack.pop()
        yield indent + one.text
        deeper = indent + INDENT
        stack.extend([(child, deeper) for child in reversed(one.fields) if not child.absent])


def dump_lines(views: Sequence[View]) -> Iterator[str]:
    """Every byte view in hex; with a heading each where there are several."""
    for number, view in enumerate(views):
        if len(views) > 1:
            if number:
                yield ""
            yield f"{view.name} ({len(view.data):,} {'byte' if len(view.data) == 1 else 'bytes'}):"
        yield from hex_lines(view.data, group=16)
