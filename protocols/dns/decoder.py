"""DNS: one message a datagram over UDP, messages behind a length of two bytes over TCP.

A response belongs to the query with its id, question and type; ids alone are used again too soon. A response without its question (later messages of
a zone transfer) belongs to the last query with its id. Messages of mDNS (id 0, names under .local) ask and tell without belonging to each other.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from protocols.decoder import Decoder, Framing, Header, Kind, Match, MessageBytes, Opening, Side, Summary
from protocols.dns import message as layouts
from protocols.dns import recognise as signs
from protocols.dns import tables as t
from protocols.dns.names import Context
from protocols.dns.outline import HEADER, Outline, outline
from protocols.dns.summary import operation, summary
from protocols.engine.fields import Field, Spec
from protocols.engine.records import read

__all__ = ["DNS"]

LONGEST = 2 + 0xFFFF
TRANSFERS = (t.AXFR, t.IXFR)


class DNS(Decoder):
    name = "dns"
    title = "Domain Name System"
    column = "DNS"
    ports = signs.PORTS
    transports = frozenset({"tcp", "udp"})
    framing = Framing(offset=0, size=2, order="big", add=2, head=14, least=2 + HEADER, most=LONGEST)
    frames = layouts.REQUEST_IN, layouts.RESPONSE_IN
    header_bytes = LONGEST

    def specs(self) -> Iterable[Spec]:
        return layouts.specs()

    def recognise(self, opening: Opening) -> Match | None:
        return signs.recognise(opening)

    def session(self) -> dict[int, Any]:
        """The key of the last query of each id."""
        return {}

    def accepts(self, head: bytes, side: Side) -> bool:
        if len(head) < 14:
            return True
        flags, counts = int.from_bytes(head[4:6], "big"), [int.from_bytes(head[at:at + 2], "big") for at in (6, 8, 10, 12)]
        if flags & 0x40 or flags >> 11 & 15 not in (*t.OPERATIONS, 0) or (bool(flags & 0x8000) is side.from_client and not _stateful(flags)):
            return False
        length = 2 + int.from_bytes(head[:2], "big")
        return 5 * counts[0] + 11 * sum(counts[1:]) <= length - 14

    def header(self, data: bytes, start: int, end: int, side: Side, session: dict[int, Any]) -> Header:
        prefixed = side.transport != "udp"
        at = start + 2 if prefixed else start
        found = outline(data, at, end, records=False)
        if found is None:
            return Header(Kind.REQUEST if side.from_client else Kind.RESPONSE, None, "", prefixed)
        question = found.questions[0] if found.questions else None
        multicast = found.id == 0 and not prefixed and (question is None or question.name.lower().endswith(".local") or bool(question.class_ & 0x8000))
        op = operation(found)
        if multicast and found.opcode == t.QUERY:
            return Header(Kind.EVENT if found.response else Kind.ONEWAY, None, op or "announcement", prefixed)
        key = (found.id, found.opcode, question.name.lower(), question.type) if question is not None else None
        if not found.response:
            if _one_way(found):
                return Header(Kind.ONEWAY, None, op, prefixed)
            session[found.id] = key or found.id
            return Header(Kind.REQUEST, key or found.id, op, prefixed)
        asked = session.get(found.id, found.id)
        kind = question.type if question is not None else asked[3] if isinstance(asked, tuple) else 0
        more = prefixed and kind in TRANSFERS and not _last(outline(data, at, end), session)
        return Header(Kind.RESPONSE, key or asked, "", prefixed, more)

    def describe(self, message: MessageBytes) -> Summary:
        return summary(message)

    def dissect(self, message: MessageBytes) -> Sequence[Field]:
        prefixed = bool(message.header.context)
        layout = layouts.TCP_MESSAGE if prefixed else layouts.UDP_MESSAGE
        context = Context(message.start + (2 if prefixed else 0))
        return read(layout, message.data, message.start, message.end, view=message.view, want=message.length, context=context)


def _stateful(flags: int) -> bool:
    """Whether either side may send this: operations on a session."""
    return flags >> 11 & 15 == t.DSO


def _one_way(found: Outline) -> bool:
    """Whether nothing answers: a stateful operation with id 0 (RFC 8490 section 5.4)."""
    return found.opcode == t.DSO and found.id == 0


def _last(found: Outline | None, session: dict[Any, Any]) -> bool:
    """Whether a message ends a zone transfer: it closes with the zone's SOA, which also opened the first message (RFC 5936 section 2.2)."""
    if found is None or not found.fits or found.rcode:
        return True
    answers = [one for one in found.records if one.section == 1]
    opened = session.setdefault(("transfer", found.id), False)
    session["transfer", found.id] = True
    if not answers or answers[-1].type != t.SOA or (not opened and len(answers) == 1 and bool(found.questions) and found.questions[0].type == t.AXFR):
        return False
    del session["transfer", found.id]
    return True
