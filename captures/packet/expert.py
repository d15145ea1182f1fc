"""What the program holds against a packet, in Wireshark's words for it: expert levels; and the fields of the packet list that a file does not tell.

An error, warning or note is that of the list's line; opening and closing a TCP connection is chat, closing it also a note, as in Wireshark.
"""
from __future__ import annotations

from captures.index.columns import Columns, PacketKind
from protocols.engine.fields import Spec

__all__ = ["EXPERT", "FALSE", "SEVERITY", "SPECS", "levels_of"]

CHAT, NOTE, WARNING, ERROR = 0x200000, 0x400000, 0x600000, 0x800000
LEVELS = {"note": NOTE, "warning": WARNING, "error": ERROR}
FIN, SYN = 1, 2

EXPERT = Spec("_ws.expert", "Expert Information", about="There is something to note about the packet")
SEVERITY = Spec("_ws.expert.severity", "Severity level", "uint32", {CHAT: "Chat", NOTE: "Note", WARNING: "Warning", ERROR: "Error"}, base="hex")
MARKED = Spec("frame.marked", "Frame is marked", "bool", about="Marks are not kept in files: always false")
IGNORED = Spec("frame.ignored", "Frame is ignored", "bool", about="No packet is ignored: always false")
DISPLAYED = Spec("frame.time_delta_displayed", "Time delta from previous displayed frame", "duration",
                 about="Seconds since the packet shown before it; told to filters alone")
SPECS = (MARKED, IGNORED, DISPLAYED, EXPERT, SEVERITY)
FALSE = frozenset((MARKED.name, IGNORED.name))


def levels_of(columns: Columns, packet: int, severity: str) -> list[int]:
    """The levels of a packet, each once, ascending; `severity` as in its row."""
    flags = int(columns.flags[packet]) if int(columns.kind[packet]) == PacketKind.TCP else 0
    found = {LEVELS[severity]} if severity else set()
    if flags & (SYN | FIN):
        found.add(CHAT)
    if flags & FIN:
        found.add(NOTE)
    return sorted(found)
