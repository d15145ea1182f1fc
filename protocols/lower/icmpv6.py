"""ICMPv6 (RFC 4443) with neighbour discovery (RFC 4861, 4191, 8106) and multicast listener discovery (RFC 2710, 3810)."""
from __future__ import annotations

import dpkt

from protocols.engine.fields import Field, Spec, group, raw
from protocols.lower.header_tables import Header, Part, Place, enough, places
from protocols.lower.icmp import remaining
from protocols.lower.layer import BAD, Dissection, Next, flag, status, status_spec, transport_sum

TYPES = {
    1: "Destination Unreachable", 2: "Packet Too Big", 3: "Time Exceeded", 4: "Parameter Problem", 128: "Echo (ping) request", 129: "Echo (ping) reply",
    130: "Multicast Listener Query", 131: "Multicast Listener Report", 132: "Multicast Listener Done", 133: "Router Solicitation", 134: "Router Advertisement",
    135: "Neighbor Solicitation", 136: "Neighbor Advertisement", 137: "Redirect", 138: "Router Renumbering", 139: "Node Information Query",
    140: "Node Information Reply", 141: "Inverse Neighbor Discovery Solicitation", 142: "Inverse Neighbor Discovery Advertisement",
    143: "Multicast Listener Report Message v2", 144: "Home Agent Address Discovery Request", 145: "Home Agent Address Discovery Reply",
    146: "Mobile Prefix Solicitation", 147: "Mobile Prefix Advertisement", 148: "Certification Path Solicitation", 149: "Certification Path Advertisement",
    155: "RPL Control", 160: "Extended Echo request", 161: "Extended Echo reply",
}
CODES = {
    1: {
        0: "no route to destination", 1: "Administratively prohibited", 2: "Beyond scope of source address", 3: "Address unreachable", 4: "Port unreachable",
        5: "Source address failed ingress/egress policy", 6: "Reject route to destination", 7: "Error in Source Routing Header",
    },
    3: {0: "hop limit exceeded in transit", 1: "fragment reassembly time exceeded"},
    4: {0: "erroneous header field encountered", 1: "unrecognized Next Header type encountered", 2: "unrecognized IPv6 option encountered",
        3: "IPv6 First Fragment has incomplete IPv6 Header Chain"},
}
OPTIONS = {
    1: "Source link-layer address", 2: "Target link-layer address", 3: "Prefix information", 4: "Redirected header", 5: "MTU", 14: "Nonce",
    24: "Route Information", 25: "Recursive DNS Server", 26: "RA Flags Extension", 31: "DNS Search List Option",
}
ICMPV6 = Spec("icmpv6", "Internet Control Message Protocol v6", "protocol")
TYPE = Spec("icmpv6.type", "Type", "uint8", TYPES)
CODE = Spec("icmpv6.code", "Code", "uint8")
CHECKSUM = Spec("icmpv6.checksum", "Checksum", "uint16", base="hex")
CHECKSUM_STATUS = status_spec("icmpv6.checksum.status")
RESERVED = Spec("icmpv6.reserved", "Reserved", "bytes")
MTU = Spec("icmpv6.mtu", "MTU", "uint32")
POINTER = Spec("icmpv6.pointer", "Pointer", "uint32")
IDENTIFIER = Spec("icmpv6.echo.identifier", "Identifier", "uint16", base="hex")
SEQUENCE = Spec("icmpv6.echo.sequence_number", "Sequence", "uint16")
HOPS = Spec("icmpv6.nd.ra.cur_hop_limit", "Cur hop limit", "uint8")
RA_FLAGS = Spec("icmpv6.nd.ra.flag", "Flags", "uint8", base="hex")
RA_BITS = (
    flag("icmpv6.nd.ra.flag.m", "Managed address configuration", 0x80), flag("icmpv6.nd.ra.flag.o", "Other configuration", 0x40),
    flag("icmpv6.nd.ra.flag.h", "Home Agent", 0x20),
    Spec("icmpv6.nd.ra.flag.prf", "Prf (Default Router Preference)", "uint8", {0: "Medium", 1: "High", 2: "Reserved", 3: "Low"}, mask=0x18),
    flag("icmpv6.nd.ra.flag.p", "Proxy", 0x04), Spec("icmpv6.nd.ra.flag.rsv", "Reserved", "uint8", mask=0x03),
)
LIFETIME = Spec("icmpv6.nd.ra.router_lifetime", "Router lifetime (s)", "uint16")
REACHABLE = Spec("icmpv6.nd.ra.reachable_time", "Reachable time (ms)", "uint32")
RETRANS = Spec("icmpv6.nd.ra.retrans_timer", "Retrans timer (ms)", "uint32")
NS_TARGET = Spec("icmpv6.nd.ns.target_address", "Target Address", "ipv6")
NA_FLAGS = Spec("icmpv6.nd.na.flag", "Flags", "uint32", base="hex")
NA_BITS = (
    flag("icmpv6.nd.na.flag.r", "Router", 0x80000000), flag("icmpv6.nd.na.flag.s", "Solicited", 0x40000000),
    flag("icmpv6.nd.na.flag.o", "Override", 0x20000000),
    Spec("icmpv6.nd.na.flag.rsv", "Reserved", "uint32", mask=0x1FFFFFFF),
)
NA_TARGET = Spec("icmpv6.nd.na.target_address", "Target Address", "ipv6")
RD_TARGET = Spec("icmpv6.nd.rd.target_address", "Target Address", "ipv6")
RD_DESTINATION = Spec("icmpv6.rd.na.destination_address", "Destination Address", "ipv6")
DELAY = Spec("icmpv6.mld.maximum_response_delay", "Maximum Response Delay [ms]", "uint16")
DELAY_CODE = Spec("icmpv6.mld.maximum_response_code", "Maximum Response Code", "uint16")
GROUP_ADDRESS = Spec("icmpv6.mld.multicast_address", "Multicast Address", "ipv6")
MLD_FLAGS = Spec("icmpv6.mld.flag", "Flags", "uint8", base="hex")
MLD_BITS = (
    Spec("icmpv6.mld.flag.reserved", "Reserved", "uint8", mask=0xF0), flag("icmpv6.mld.flag.s", "Suppress Router-Side Processing", 0x08),
    Spec("icmpv6.mld.flag.qrv", "QRV (Querier's Robustness Variable)", "uint8", mask=0x07),
)
QQI = Spec("icmpv6.mld.qqi", "QQIC (Querier's Query Interval Code)", "uint8")
SOURCES = Spec("icmpv6.mld.nb_sources", "Number of Sources", "uint16")
SOURCE = Spec("icmpv6.mld.source_address", "Source Address", "ipv6")
RECORDS = Spec("icmpv6.mldr.nb_mcast_records", "Number of Multicast Address Records", "uint16")
RECORD = Spec("icmpv6.mldr.mar", "Multicast Address Record")
RECORD_TYPE = Spec("icmpv6.mldr.mar.record_type", "Record Type", "uint8", {
    1: "Include", 2: "Exclude", 3: "Changed to include", 4: "Changed to exclude", 5: "Allow new sources", 6: "Block old sources",
})
RECORD_AUX = Spec("icmpv6.mldr.mar.aux_data_len", "Aux Data Len", "uint8", about="In units of 4 bytes")
RECORD_SOURCES = Spec("icmpv6.mldr.mar.nb_sources", "Number of Sources", "uint16")
RECORD_GROUP = Spec("icmpv6.mldr.mar.multicast_address", "Multicast Address", "ipv6")
RECORD_SOURCE = Spec("icmpv6.mldr.mar.source_address", "Source Address", "ipv6")
RECORD_DATA = Spec("icmpv6.mldr.mar.auxiliary_data", "Auxiliary Data", "bytes")
OPTION = Spec("icmpv6.opt", "ICMPv6 Option")
OPTION_TYPE = Spec("icmpv6.opt.type", "Type", "uint8", OPTIONS)
OPTION_LENGTH = Spec("icmpv6.opt.length", "Length", "uint8", show=lambda n: f"{n} ({n * 8} bytes)")
LINK_ADDRESS = Spec("icmpv6.opt.linkaddr", "Link-layer address", "ether")
PREFIX_LENGTH = Spec("icmpv6.opt.prefix.length", "Prefix Length", "uint8")
PREFIX_FLAGS = Spec("icmpv6.opt.prefix.flag", "Flag", "uint8", base="hex")
PREFIX_BITS = (
    flag("icmpv6.opt.prefix.flag.l", "On-link flag(L)", 0x80), flag("icmpv6.opt.prefix.flag.a", "Autonomous address-configuration flag(A)", 0x40),
    flag("icmpv6.opt.prefix.flag.r", "Router address flag(R)", 0x20), Spec("icmpv6.opt.prefix.flag.reserved", "Reserved", "uint8", mask=0x1F),
)
VALID = Spec("icmpv6.opt.prefix.valid_lifetime", "Valid Lifetime", "uint32")
PREFERRED = Spec("icmpv6.opt.prefix.preferred_lifetime", "Preferred Lifetime", "uint32")
OPTION_RESERVED = Spec("icmpv6.opt.reserved", "Reserved", "bytes")
PREFIX = Spec("icmpv6.opt.prefix", "Prefix", "ipv6")
OPTION_MTU = Spec("icmpv6.opt.mtu", "MTU", "uint32")
NONCE = Spec("icmpv6.opt.nonce", "Nonce", "bytes")
DNS_LIFETIME = Spec("icmpv6.opt.rdnss.lifetime", "Lifetime", "uint32")
DNS = Spec("icmpv6.opt.rdnss", "Recursive DNS Servers", "ipv6")
SPECS = (
    ICMPV6, TYPE, CODE, CHECKSUM, CHECKSUM_STATUS, RESERVED, MTU, POINTER, IDENTIFIER, SEQUENCE, HOPS, RA_FLAGS, *RA_BITS, LIFETIME, REACHABLE, RETRANS,
    NS_TARGET, NA_FLAGS, *NA_BITS, NA_TARGET, RD_TARGET, RD_DESTINATION, DELAY, DELAY_CODE, GROUP_ADDRESS, MLD_FLAGS, *MLD_BITS, QQI, SOURCES, SOURCE,
    RECORDS, RECORD,
    RECORD_TYPE, RECORD_AUX, RECORD_SOURCES, RECORD_GROUP, RECORD_SOURCE, RECORD_DATA, OPTION, OPTION_TYPE, OPTION_LENGTH, LINK_ADDRESS, PREFIX_LENGTH,
    PREFIX_FLAGS, *PREFIX_BITS, VALID, PREFERRED, OPTION_RESERVED, PREFIX, OPTION_MTU, NONCE, DNS_LIFETIME, DNS,
)
HEADER = Header(dpkt.icmp6.ICMP6, (Part("type", TYPE), Part("code", CODE), Part("sum", CHECKSUM)))
UNUSED = Place(RESERVED, 4)
BODIES: dict[int, tuple[Place, ...]] = {
    1: (UNUSED,), 2: (Place(MTU, 4),), 3: (UNUSED,), 4: (Place(POINTER, 4),),
    128: (Place(IDENTIFIER, 2), Place(SEQUENCE, 2)), 129: (Place(IDENTIFIER, 2), Place(SEQUENCE, 2)),
    130: (Place(DELAY, 2), Place(RESERVED, 2), Place(GROUP_ADDRESS, 16)), 131: (Place(DELAY, 2), Place(RESERVED, 2), Place(GROUP_ADDRESS, 16)),
    132: (Place(DELAY, 2), Place(RESERVED, 2), Place(GROUP_ADDRESS, 16)), 133: (UNUSED,),
    134: (Place(HOPS, 1), Place(RA_FLAGS, 1, RA_BITS), Place(LIFETIME, 2), Place(REACHABLE, 4), Place(RETRANS, 4)),
    135: (UNUSED, Place(NS_TARGET, 16)), 136: (Place(NA_FLAGS, 4, NA_BITS), Place(NA_TARGET, 16)),
    137: (UNUSED, Place(RD_TARGET, 16), Place(RD_DESTINATION, 16)), 143: (Place(RESERVED, 2), Place(RECORDS, 2)),
}
QUERY_V2 = (
    Place(DELAY_CODE, 2), Place(RESERVED, 2), Place(GROUP_ADDRESS, 16), Place(MLD_FLAGS, 1, MLD_BITS), Place(QQI, 1), Place(SOURCES, 2),
)
RECORD_HEAD = (Place(RECORD_TYPE, 1), Place(RECORD_AUX, 1), Place(RECORD_SOURCES, 2), Place(RECORD_GROUP, 16))
OPTION_BODIES: dict[int, tuple[Place, ...]] = {
    1: (Place(LINK_ADDRESS, 6),), 2: (Place(LINK_ADDRESS, 6),),
    3: (Place(PREFIX_LENGTH, 1), Place(PREFIX_FLAGS, 1, PREFIX_BITS), Place(VALID, 4), Place(PREFERRED, 4), Place(OPTION_RESERVED, 4), Place(PREFIX, 16)),
    5: (Place(OPTION_RESERVED, 2), Place(OPTION_MTU, 4)), 14: (Place(NONCE, 6),),
    25: (Place(OPTION_RESERVED, 2), Place(DNS_LIFETIME, 4), *(Place(DNS, 16),) * 8),
}
WITH_OPTIONS = frozenset((133, 134, 135, 136, 137))
ERRORS = frozenset((1, 2, 3, 4))


def dissect(walk: Dissection, start: int, end: int) -> Next | None:
    """Type, code and checksum, then what the type holds; options of neighbour discovery behind it."""
    data, view = walk.data, walk.view
    walk.columns("ICMPv6", "Internet Control Message Protocol v6")
    if not enough(data, start, end, HEADER.size):
        fault = walk.missing(start, HEADER.size, end)
        walk.add(ICMPV6, start, end, [*HEADER.fields(data, start, view), fault])
        return None
    kind, code, check = HEADER.unpack(data, start)
    last, body = min(end, len(data)), start + HEADER.size
    name, reason = TYPES.get(kind, f"Unknown ({kind})"), CODES.get(kind, {}).get(code, "")
    verdict = transport_sum(walk, 58, check, start, end)
    out = HEADER.fields(data, start, view)
    out[1]._text = f"Code: {code}" + (f" ({reason})" if reason else "")
    out[2]._text = f"Checksum: 0x{check:04x} {verdict.text}"
    out.append(status(CHECKSUM_STATUS, verdict, start + 2, view))
    walk.add(ICMPV6, start, end, out)
    layout = QUERY_V2 if kind == 130 and end - start >= 28 else BODIES.get(kind, ())
    out.extend(places(layout, data, body, last, view))
    now = max(one.end for one in out)
    if layout is QUERY_V2 and now == start + 28:
        out.extend(places((Place(SOURCE, 16),) * ((last - now) // 16), data, now, last, view))
    elif kind == 143:
        records(data, now, last, out, view)
    elif kind in WITH_OPTIONS and now == body + sum(place.size for place in layout):
        out.extend(options(data, now, last, view))
    info = f"{name} ({reason})" if reason else name
    walk.columns("ICMPv6", info + _more(walk, kind, {one.name: one.value for one in out}, out), "note" if kind in ERRORS else "")
    walk.worse("error" if verdict.status == BAD else "")
    remaining(walk, out, 0x86DD if kind in ERRORS else 0, body, start + 8, end)
    return None


def records(data: bytes, at: int, end: int, out: list[Field], view: int) -> None:
    """The records of a version 2 report, as many as there is room for."""
    while end - at >= 20:
        below = places(RECORD_HEAD, data, at, end, view)
        sources, extra = int(below[2].value), data[at + 1] * 4
        below += places((Place(RECORD_SOURCE, 16),) * min(sources, (end - at) // 16), data, at + 20, end, view)
        now = below[-1].end
        if extra and now + extra <= end:
            below.append(Field(RECORD_DATA, data[now:now + extra], now, extra, view))
            now += extra
        out.append(group(RECORD, at, now, below, f"Multicast Address Record {RECORD_TYPE.shown(data[at])}: {below[3].value}", view))
        at = now


def options(data: bytes, at: int, end: int, view: int) -> list[Field]:
    """Options: type, length in units of 8 bytes, content."""
    out: list[Field] = []
    while end - at >= 2:
        kind, size = data[at], data[at + 1] * 8
        if size == 0 or at + size > end:
            break
        below = [Field(OPTION_TYPE, kind, at, 1, view), Field(OPTION_LENGTH, data[at + 1], at + 1, 1, view)]
        below += places(OPTION_BODIES.get(kind, ()), data, at + 2, at + size, view)
        now = below[-1].end
        if now < at + size:
            below.append(raw(data, now, at + size, view))
        out.append(group(OPTION, at, at + size, below, f"ICMPv6 Option ({OPTIONS.get(kind, f'Unknown {kind}')})", view))
        at += size
    return out


def _more(walk: Dissection, kind: int, values: dict[str, object], out: list[Field]) -> str:
    """What Wireshark's line says behind the message's name."""
    link = next((one.value for option in out if option.spec is OPTION for one in option.fields if one.spec is LINK_ADDRESS), None)
    if kind in (128, 129):
        return f" id=0x{values.get(IDENTIFIER.name, 0):04x}, seq={values.get(SEQUENCE.name, 0)}, hop limit={walk.ttl}"
    if kind in (133, 134):
        return f" from {link}" if link else ""
    if kind == 135:
        return f" for {values.get(NS_TARGET.name)}" + (f" from {link}" if link else "")
    if kind == 136:
        bits = values.get(NA_FLAGS.name, 0)
        names = [name for name, bit in (("rtr", 0x80000000), ("sol", 0x40000000), ("ovr", 0x20000000)) if isinstance(bits, int) and bits & bit]
        return f" {values.get(NA_TARGET.name)}" + (f" ({', '.join(names)})" if names else "") + (f" is at {link}" if link else "")
    return ""

