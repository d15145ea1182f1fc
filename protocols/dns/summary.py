"""The words for a DNS message: what is asked, what is answered."""
from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from protocols.decoder import MessageBytes, Status, Summary
from protocols.dns import tables as t
from protocols.dns.edns import option_texts
from protocols.dns.names import expand, labels
from protocols.dns.outline import Outline, Record, outline
from protocols.engine.printable import printable
from protocols.engine.scalars import Malformed

__all__ = ["operation", "summary"]

SHOWN = 8
"""Records that stand in the Info column."""


def operation(found: Outline) -> str:
    """The first question's type, or the operation's name when it is no query."""
    if found.opcode != t.QUERY:
        return t.OPERATIONS.get(found.opcode) or f"opcode {found.opcode}"
    return t.type_name(found.questions[0].type) if found.questions else "query" if not found.response else ""


def summary(message: MessageBytes) -> Summary:
    start = message.start + (2 if message.header.context else 0)
    found = outline(message.data, start, message.end)
    if found is None:
        return Summary(info="DNS message cut off")
    op, name = operation(found), found.questions[0].name if found.questions else ""
    asked = op if found.opcode == t.QUERY else t.type_name(found.questions[0].type) if found.questions else ""
    what = f"{asked} {name}".strip()
    opened = _opened(found)
    if op in ("AXFR", "IXFR"):
        opened = f"Zone transfer 0x{found.id:04x}"
    out = Summary(op, target=name, endpoint=name, id=f"0x{found.id:04x}")
    if not found.response:
        if not found.questions and found.records:
            out.target = out.endpoint = found.records[0].name
        out.info = printable(f"{opened} {what}".strip())
        return out
    code = found.rcode
    out.code, out.status = code, t.status(code)
    out.soft = code == t.NXDOMAIN
    details = [text for one in found.records if one.type == t.OPT for text in option_texts(message.data, one.start, one.end)]
    answers = [one for one in found.records if one.section == 1]
    words = [opened, "response"]
    if code:
        said = t.RCODE_TEXT.get(code) or t.rcode_name(code)
        out.error = printable(t.rcode_name(code) + (f" ({'; '.join(details)})" if details else ""))
        words.append(said + (f" ({'; '.join(details)})" if details else ""))
    words.append(what)
    if op in ("AXFR", "IXFR"):
        words.append(f"({len(answers)} {'record' if len(answers) == 1 else 'records'})")
    else:
        words += [f"{t.type_name(one.type)} {value(message.data, one, start)}".rstrip() for one in answers[:SHOWN]]
        if len(answers) > SHOWN:
            words.append(f"… ({len(answers)} answers)")
    if not code and found.questions and found.opcode == t.QUERY and not found.flags & 0x200 and _no_data(found, answers):
        words.append("(no data)")
    if found.flags & 0x200:
        words.append("(truncated, retry over TCP)")
    if not found.questions and answers:
        out.target = out.endpoint = answers[0].name
    out.info = printable(" ".join(filter(None, words)))
    if out.status is None:
        out.status = Status.OK
    return out


def _opened(found: Outline) -> str:
    return f"{t.OPCODES.get(found.opcode) or f'Opcode {found.opcode}'} 0x{found.id:04x}"


def _no_data(found: Outline, answers: list[Record]) -> bool:
    """No answer of the type that was asked for: the name exists, with other records."""
    asked = found.questions[0].type
    return asked not in (t.ANY, t.AXFR, t.IXFR) and not any(one.type == asked for one in answers)


def value(data: bytes, one: Record, base: int) -> str:
    """A record's data in a few words, "" where only the tree tells."""
    at, end = one.start, one.end
    try:
        if one.type == t.A and end - at == 4:
            return str(IPv4Address(data[at:end]))
        if one.type == t.AAAA and end - at == 16:
            return str(IPv6Address(data[at:end]))
        if one.type in (t.NS, t.CNAME, t.PTR, t.DNAME):
            return expand(labels(data, at, end, base)[0])
        if one.type == t.SOA:
            return expand(labels(data, at, end, base)[0])
        if one.type == t.MX and end - at > 2:
            return f"{int.from_bytes(data[at:at + 2], 'big')} {expand(labels(data, at + 2, end, base)[0])}"
        if one.type == t.SRV and end - at > 6:
            parts = [int.from_bytes(data[at + i:at + i + 2], "big") for i in (0, 2, 4)]
            return f"{parts[0]} {parts[1]} {parts[2]} {expand(labels(data, at + 6, end, base)[0])}"
    except Malformed:
        pass
    return ""
