"""A DNS message as a tree: header, the four sections, DSO's items (RFC 1035 section 4.1, RFC 2136, RFC 8490).

Over TCP two bytes of length stand before it. Every record is read within its own length, so a fault in one does not reach the next.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence

from protocols.dns import tables as t
from protocols.dns.edns import OPT_HEAD, OPTIONS
from protocols.dns.names import ROOT, labels
from protocols.dns.parts import NAME, S
from protocols.dns.rdata import RDATA
from protocols.dns.rdata import UNKNOWN as UNKNOWN_RDATA
from protocols.dns.rdata import specs as rdata_specs
from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec, generated
from protocols.engine.records import U16, U32, Custom, Flags, Layout, Reader, Rest, Sized, Source, Switch
from protocols.engine.scalars import short

__all__ = ["DNS", "REQUEST_IN", "RESPONSE_IN", "TCP_MESSAGE", "UDP_MESSAGE", "specs"]

DNS = Spec("dns", "Domain Name System", "protocol")
REQUEST_IN, RESPONSE_IN = S("response_to", "Request In", "frame"), S("response_in", "Response In", "frame")
LENGTH = S("length", "Length", "uint16", about="Bytes of the message, which follow, over TCP")
ID, FLAGS = S("id", "Transaction ID", "uint16", base="hex"), S("flags", "Flags", "uint16", base="hex")
RESPONSE, OPCODE = S("flags.response", "Response", "bool", mask=0x8000), S("flags.opcode", "Opcode", "uint16", mask=0x7800, enum=t.OPCODES)
AUTHORITATIVE, TRUNCATED = S("flags.authoritative", "Authoritative", "bool", mask=0x400), S("flags.truncated", "Truncated", "bool", mask=0x200)
DESIRED, AVAILABLE = S("flags.recdesired", "Recursion desired", "bool", mask=0x100), S("flags.recavail", "Recursion available", "bool", mask=0x80)
Z, AUTHENTICATED = S("flags.z", "Z", "bool", mask=0x40), S("flags.authenticated", "Answer authenticated", "bool", mask=0x20)
CHECK_DISABLE = S("flags.checkdisable", "Non-authenticated data", "bool", mask=0x10)
RCODE = S("flags.rcode", "Reply code", "uint16", mask=0xF, show=lambda v: f"{t.RCODE_TEXT.get(v, 'unassigned')} ({v})")
QUERY_BITS = (RESPONSE, OPCODE, TRUNCATED, DESIRED, Z, CHECK_DISABLE)
WISH_BITS = (*QUERY_BITS[:5], AUTHENTICATED, CHECK_DISABLE)
"""A query's bits when it wishes to be told whether the answer is authenticated (RFC 6840 section 5.7)."""
RESPONSE_BITS = (RESPONSE, OPCODE, AUTHORITATIVE, TRUNCATED, DESIRED, AVAILABLE, Z, AUTHENTICATED, CHECK_DISABLE, RCODE)

COUNTS = (S("count.queries", "Questions", "uint16"), S("count.answers", "Answer RRs", "uint16"), S("count.auth_rr", "Authority RRs", "uint16"),
          S("count.add_rr", "Additional RRs", "uint16"))
UPDATE_COUNTS = (S("count.zones", "Zones", "uint16"), S("count.prerequisites", "Prerequisites", "uint16"), S("count.updates", "Updates", "uint16"), COUNTS[3])
SECTIONS = (S("queries", "Queries", "none"), S("answers", "Answers", "none"), S("authorities", "Authoritative nameservers", "none"),
            S("additionals", "Additional records", "none"))
UPDATE_SECTIONS = (S("zones", "Zone", "none"), S("prerequisites", "Prerequisites", "none"), S("updates", "Updates", "none"), SECTIONS[3])

QUERY = S("qry", "Query", "none")
Q_NAME, Q_TYPE = S("qry.name", "Name"), S("qry.type", "Type", "uint16", show=lambda v: f"{t.type_name(v)} ({v})")
Q_LENGTH, Q_LABELS = S("qry.name.len", "Name Length", "uint16"), S("count.labels", "Label Count", "uint16")
Q_CLASS = S("qry.class", "Class", "uint16", base="hex", show=lambda v: f"{t.class_name(v)} (0x{v:04x})")
Q_QU = S("qry.qu", '"QU" question', "bool", mask=0x8000)
RECORD = S("resp", "Record", "none")
R_NAME, R_TYPE = S("resp.name", "Name"), S("resp.type", "Type", "uint16", show=lambda v: f"{t.type_name(v)} ({v})")
R_CLASS = S("resp.class", "Class", "uint16", base="hex", show=lambda v: f"{t.class_name(v)} (0x{v:04x})")
R_FLUSH = S("resp.cache_flush", "Cache flush", "bool", mask=0x8000)
R_TTL = S("resp.ttl", "Time to live", "uint32", show=lambda v: f"{v} seconds" + (" (the uppermost bit is set: taken for 0)" if v >> 31 else ""))
R_LENGTH = S("resp.len", "Data length", "uint16")
MEANING = S("update.meaning", "Meaning", about="What a record of a dynamic update asks for")
SRV_PARTS = (S("srv.service", "Service"), S("srv.proto", "Protocol"), S("srv.name", "Name"))
EXTRANEOUS = S("extraneous.data", "Extraneous Data Bytes", "bytes", about="Bytes behind the last record")

DSO_TYPE, DSO_LENGTH = S("dso.tlv.type", "Type", "uint16", enum=t.DSO_TYPES), S("dso.tlv.length", "Length", "uint16")
DSO_TLV, DSO_DATA = S("dso.tlv", "DSO TLV", "none"), S("dso.tlv.data", "Data", "bytes")
DSO_UNSUBSCRIBE = S("dso.tlv.subscribe_id", "Subscription", "uint16", base="hex")


def _record(section: int, update: bool) -> Reader:
    """One resource record. `section` is 1 (answers) to 3 (additional); in an update class and type say what is asked."""
    name, rtype, ttl, length = NAME.reader(R_NAME), U16.reader(R_TYPE), U32.reader(R_TTL), U16.reader(R_LENGTH)
    opt_head, options = OPT_HEAD.body(), Sized(R_LENGTH, OPTIONS).reader(R_LENGTH)
    bodies = {kind: Sized(R_LENGTH, layout).reader(R_LENGTH) for kind, layout in RDATA.items()}
    unknown = Sized(R_LENGTH, UNKNOWN_RDATA).reader(R_LENGTH)

    def read_record(source: Source, at: int, end: int, out: list[Field]) -> int:
        children: list[Field] = []
        node = Field(RECORD, None, at, 0, source.view, children)
        out.append(node)
        now = at
        try:
            now = name(source, at, end, children)
            now = rtype(source, now, end, children)
            kind = children[-1].value
            if kind == t.OPT:
                now = opt_head(source, now, end, children)
                now = length(source, now, end, children)
                now = options(source, now, end, children)
                if section != 3 or children[0].value != ROOT:
                    children.append(f.malformed(at, "an OPT record outside the additional section" if section != 3 else "an OPT record with a name",
                        at, source.view))
            else:
                now = _class(source, now, end, children, R_CLASS, R_FLUSH)
                now = ttl(source, now, end, children)
                now = length(source, now, end, children)
                if kind == t.SRV:
                    children += _srv(str(children[0].value), at, source.view)
                if update and section < 3:
                    children.append(generated(MEANING, _meaning(section, children[2].value, kind, children[4].value), at=at, view=source.view))
                empty = update and children[4].value == 0
                now = now if empty else bodies.get(kind, unknown)(source, now, end, children)
        finally:
            node.length = (now if now > at or not children else children[-1].end) - at
            node._text = _record_title(children)
        return now
    return read_record


def _class(source: Source, at: int, end: int, out: list[Field], spec: Spec, bit: Spec) -> int:
    """A class. In mDNS its highest bit has a meaning of its own (RFC 6762 sections 5.4, 10.2); elsewhere no class has it with 1 to 4 below."""
    if end - at < 2:
        raise short(source, at, 2, end, out)
    value = int.from_bytes(source.data[at:at + 2], "big")
    high = bool(value & 0x8000) and value & 0x7FFF in (1, 255)
    below = [Field(bit, True, at, 2, source.view)] if high else []
    out.append(Field(spec, value & 0x7FFF if high else value, at, 2, source.view, below))
    return at + 2


def _srv(name: str, at: int, view: int) -> list[Field]:
    """The parts of `_service._protocol.name` (RFC 2782)."""
    parts = name.split(".", 2)
    return [generated(spec, part, at=at, view=view) for spec, part in zip(SRV_PARTS, parts, strict=True)] if len(parts) == 3 and name[0] == "_" else []


def _meaning(section: int, class_: int, kind: int, size: int) -> str:
    """What a record of an update says (RFC 2136 sections 2.4 and 2.5)."""
    what = t.type_name(kind)
    if section == 1:
        if class_ == 255:
            return "the name is in use" if kind == t.ANY else f"there is a {what} RRset"
        if class_ == 254:
            return "the name is not in use" if kind == t.ANY else f"there is no {what} RRset"
        return f"the {what} RRset has this value"
    if class_ == 255:
        return "delete all records of the name" if kind == t.ANY else f"delete the {what} RRset"
    return f"delete this {what} record" if class_ == 254 else f"add this {what} record" if size else f"a {what} record without data"


def _record_title(children: Sequence[Field]) -> str:
    """A record's line: name, type, class, and the first values of its data."""
    if len(children) < 2:
        return "Record"
    kind = children[1].value
    line = f"{children[0].value}: type {t.type_name(kind)}"
    if kind == t.OPT or len(children) < 3:
        return line
    shown = [one.spec.shown(one.value) for one in children[3:] if one.length and one.value is not None and one.spec not in (R_TTL, R_LENGTH)
             and "length" not in one.name]
    return f"{line}, class {t.class_name(children[2].value)}" + (f", {' '.join(shown)[:120]}" if shown else "")


def _question(source: Source, at: int, end: int, out: list[Field]) -> int:
    children: list[Field] = []
    node = Field(QUERY, None, at, 0, source.view, children)
    out.append(node)
    now = at
    try:
        now = READ_Q_NAME(source, at, end, children)
        text = str(children[0].value)
        parts = labels(source.data, at, end, source.context.base)[0]
        children.append(generated(Q_LENGTH, sum(map(len, parts)) + max(0, len(parts) - 1), at=at, view=source.view))
        children.append(generated(Q_LABELS, len(parts), at=at, view=source.view))
        now = READ_Q_TYPE(source, now, end, children)
        now = _class(source, now, end, children, Q_CLASS, Q_QU)
        node._text = f"{text}: type {t.type_name(children[3].value)}, class {t.class_name(children[4].value)}"
    finally:
        node.length = (now if now > at or not children else children[-1].end) - at
    return now


READ_Q_NAME, READ_Q_TYPE = NAME.reader(Q_NAME), U16.reader(Q_TYPE)


def _body(spec: Spec) -> Reader:
    """All behind the id."""
    plain, wish, answer = (Flags(U16, bits).reader(FLAGS) for bits in (QUERY_BITS, WISH_BITS, RESPONSE_BITS))
    counts = {False: Layout(None, [(one, U16) for one in COUNTS]).body(), True: Layout(None, [(one, U16) for one in UPDATE_COUNTS]).body()}
    records = {(section, update): _record(section, update) for section in (1, 2, 3) for update in (False, True)}
    dso = _dso()

    def read_body(source: Source, at: int, end: int, out: list[Field]) -> int:
        if end - at < 2:
            raise short(source, at, 2, end, out)
        word = int.from_bytes(source.data[at:at + 2], "big")
        opcode = word >> 11 & 15
        at = (answer if word & 0x8000 else wish if word & 0x20 else plain)(source, at, end, out)
        out[-1]._text = f"Flags: 0x{word:04x} {_flag_words(word)}"
        update = opcode == t.UPDATE
        at = counts[update](source, at, end, out)
        numbers = [int(one.value) for one in out[-4:]]
        for section, (number, node_spec) in enumerate(zip(numbers, UPDATE_SECTIONS if update else SECTIONS, strict=True)):
            if number:
                at = _section(source, at, end, out, node_spec, number, records[section, update] if section else _question)
        if opcode == t.DSO and not any(numbers):
            at = dso(source, at, end, out)
        if at < end:
            out.append(Field(EXTRANEOUS, source.data[at:end], at, end - at, source.view))
        return end
    return read_body


def _section(source: Source, at: int, end: int, out: list[Field], spec: Spec, number: int, element: Reader) -> int:
    """`number` elements below a node; each takes bytes, so a lying count ends with them."""
    children: list[Field] = []
    node = Field(spec, None, at, 0, source.view, children, f"{spec.label} ({number})")
    out.append(node)
    now = at
    try:
        for done in range(number):
            if now >= end:
                raise short(source, now, 5 * (number - done), end, children)
            now = element(source, now, end, children)
    finally:
        node.length = max(now, children[-1].end if children else at) - at
    if sum(1 for one in children if one.spec is RECORD and len(one.fields) > 1 and one.fields[1].value == t.OPT) > 1:
        children.append(f.malformed(at, "more than one OPT record", at, source.view))
    return now


def _flag_words(word: int) -> str:
    opcode = t.OPCODES.get(word >> 11 & 15) or f"Opcode {word >> 11 & 15}"
    return f"{opcode} response, {t.RCODE_TEXT.get(word & 15) or f'unassigned {word & 15}'}" if word & 0x8000 else opcode


def _dso() -> Reader:
    """Items of a stateful operation up to the end (RFC 8490 section 5.4.4, RFC 8765)."""
    keep = Layout(None, [(one, U32) for one in DSO_KEEP])
    retry, padding = Layout(None, ((DSO_RETRY, U32),)), Layout(None, ((DSO_PADDING, Rest()),))
    question = Layout(None, ((QUERY, Custom(lambda _: _question)),))
    one_record = _record(1, False)

    def pushed(_: Spec) -> Reader:
        def read_all(source: Source, at: int, end: int, out: list[Field]) -> int:
            while at < end:
                at = one_record(source, at, end, out)
            return at
        return read_all
    push = Layout(None, ((RECORD, Custom(pushed)),))
    cases = {1: keep, 2: retry, 3: padding, 0x40: question, 0x41: push, 0x42: Layout(None, ((DSO_UNSUBSCRIBE, U16),)), 0x43: push}
    item = Layout(DSO_TLV, ((DSO_TYPE, U16), (DSO_LENGTH, U16), (DSO_DATA, Sized(DSO_LENGTH, Switch(DSO_TYPE, cases, Rest()))))).reader(DSO_TLV)

    def read_items(source: Source, at: int, end: int, out: list[Field]) -> int:
        while at < end:
            at = item(source, at, end, out)
        return at
    return read_items


DSO_RETRY, DSO_PADDING = S("dso.tlv.retrydelay.retrydelay", "Retry Delay", "uint32"), S("dso.tlv.encpad.padding", "Padding", "bytes")
DSO_KEEP = (S("dso.tlv.keepalive.inactivity", "Inactivity Timeout", "uint32"), S("dso.tlv.keepalive.interval", "Keepalive Interval", "uint32"))
UDP_MESSAGE = Layout(None, ((ID, U16), (FLAGS, Custom(_body))))
TCP_MESSAGE = Layout(None, ((LENGTH, U16), (ID, U16), (FLAGS, Custom(_body))))


def specs() -> Iterator[Spec]:
    """Every field, each name once."""
    seen: set[str] = set()
    own = (DNS, REQUEST_IN, RESPONSE_IN, LENGTH, ID, FLAGS, *RESPONSE_BITS, *COUNTS, *UPDATE_COUNTS, *SECTIONS, *UPDATE_SECTIONS, QUERY, Q_NAME,
        Q_LENGTH, Q_LABELS, Q_TYPE,
           Q_CLASS, Q_QU, RECORD, R_NAME, R_TYPE, R_CLASS, R_FLUSH, R_TTL, R_LENGTH, MEANING, *SRV_PARTS, EXTRANEOUS, DSO_TLV, DSO_TYPE, DSO_LENGTH, DSO_DATA,
           DSO_UNSUBSCRIBE, DSO_RETRY, DSO_PADDING, *DSO_KEEP)
    for spec in (*own, *OPT_HEAD.specs(DNS), *OPTIONS.specs(DNS), *rdata_specs()):
        if spec.name not in seen:
            seen.add(spec.name)
            yield spec
