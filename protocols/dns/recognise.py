"""How sure it is that datagrams or a stream are DNS: the whole first message of a side must read as one, to its last byte."""
from __future__ import annotations

from protocols.decoder import Match, Opening
from protocols.dns import tables as t
from protocols.dns.outline import HEADER, Outline, outline

__all__ = ["PORTS", "likely", "recognise"]

PORTS = frozenset({53, 5353, 5355})
NETBIOS = 137
MOST_RECORDS = 1000


def likely(found: Outline, start: int, end: int) -> bool:
    """Whether an outline is that of a message as servers and clients send them. Bytes may follow the last record: old Microsoft servers put
    "MS" behind a query."""
    if found.opcode not in (t.QUERY, t.STATUS, t.NOTIFY, t.UPDATE, t.DSO) or found.flags & 0x40 or sum(found.counts) > MOST_RECORDS:
        return False
    if not found.fits:
        return found.opcode == t.DSO and not any(found.counts) and end - start >= HEADER + 4
    if not found.response and found.flags & 0xF:
        return False
    for one in found.questions:
        if one.class_ & 0x7FFF not in (1, 3, 254, 255) or not (one.type in t.TYPES or 0 < one.type <= 65281):
            return False
    # a message of zeros has neither question nor record
    return bool(found.questions or found.records)


def _named(found: Outline) -> bool:
    """Whether the message names something that other short binary protocols would not: a label of ordinary characters."""
    names = [one.name for one in found.questions] + [one.name for one in found.records]
    return any(name.isprintable() and any(c.isalnum() for c in name) and name != "<Root>" for name in names) or any(one.type == 2 for one in found.questions)


def _first(data: bytes, tcp: bool) -> tuple[Outline, int, int] | None:
    """The outline of a side's first message."""
    if not tcp:
        found = outline(data, 0, len(data))
        return (found, 0, len(data)) if found is not None else None
    if len(data) < 2 + HEADER:
        return None
    end = 2 + int.from_bytes(data[:2], "big")
    if end < 2 + HEADER:
        return None
    found = outline(data, 2, min(end, len(data)))
    if found is not None and end > len(data):            # the message is longer than what is looked at
        found.fits = bool(found.questions) and len(data) >= 4096
        found.end = end
    return (found, 2, end) if found is not None else None


def recognise(opening: Opening) -> Match | None:
    """A query and the response with its id is as sure as it gets; one side alone is less; a known port makes up for it."""
    tcp = opening.transport != "udp"
    if NETBIOS in opening.ports:
        return None
    sides: list[Outline | None] = [None, None]
    exact = [False, False]
    for side in (0, 1):
        first = _first(opening.data[side], tcp)
        if first is not None and likely(first[0], first[1], first[2]):
            sides[side], exact[side] = first[0], first[0].end == first[2] or first[0].opcode == t.DSO
        elif opening.data[side] and first is not None and first[1] + HEADER <= len(opening.data[side]):
            return None
    for client in (0, 1):
        asked, answered = sides[client], sides[1 - client]
        if asked is not None and answered is not None and not asked.response and answered.response and asked.id == answered.id:
            return Match(98, "a query and the response with its id", client)
    for side in (0, 1):
        one = sides[side]
        if one is None or not exact[side] or not _named(one):
            continue
        known = bool(PORTS & set(opening.ports))
        client = 1 - side if one.response and not (one.id == 0 and not one.questions) else side
        return Match(100 if known and not tcp else 90, "a whole message with a name in it" + (", on a port of DNS" if known else ""), client)
    return None
