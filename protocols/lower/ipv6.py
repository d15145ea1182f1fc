"""IPv6 (RFC 8200) and its extension headers: hop-by-hop and destination options, routing, fragment, and AH (RFC 4302)."""
from __future__ import annotations

from collections.abc import Callable, Sequence

import dpkt

from protocols.engine.fields import Field, Spec, group, raw
from protocols.lower.header_tables import Header, Part, address, enough
from protocols.lower.ipv4 import CODEPOINT_SHORT, CODEPOINTS, CONGESTION, CONGESTION_SHORT, PROTOCOLS, fragment_bytes, pieces
from protocols.lower.ipv4 import VERSION as IP_VERSION
from protocols.lower.layer import Dissection, Hosts, Network, Next, flag

IPV6 = Spec("ipv6", "Internet Protocol Version 6", "protocol")
VERSION = Spec("ipv6.version", "Version", "uint8", mask=0xF0)
CLASS = Spec("ipv6.tclass", "Traffic Class", "uint32", mask=0x0FF00000, base="hex",
             show=lambda n: f"0x{n:02x} (DSCP: {CODEPOINT_SHORT.get(n >> 2, f'Unknown ({n >> 2})')}, ECN: {CONGESTION_SHORT[n & 3]})")
DSCP = Spec("ipv6.tclass.dscp", "Differentiated Services Codepoint", "uint32", CODEPOINTS, mask=0x0FC00000)
ECN = Spec("ipv6.tclass.ecn", "Explicit Congestion Notification", "uint32", CONGESTION, mask=0x00300000)
FLOW = Spec("ipv6.flow", "Flow Label", "uint24", show=lambda n: f"0x{n:05x}", mask=0x000FFFFF, base="hex")
LENGTH = Spec("ipv6.plen", "Payload Length", "uint16")
NEXT = Spec("ipv6.nxt", "Next Header", "uint8", PROTOCOLS)
HOPS = Spec("ipv6.hlim", "Hop Limit", "uint8")
ADDRESS = Spec("ipv6.addr", "Source or Destination Address", "ipv6")
SOURCE = Spec("ipv6.src", "Source Address", "ipv6")
HOSTS = Hosts(Spec("ipv6.src_host", "Source Host", "string"), Spec("ipv6.dst_host", "Destination Host", "string"),
              Spec("ipv6.host", "Source or Destination Host", "string", about="The name that the file gives the address, or the address"))
DESTINATION = Spec("ipv6.dst", "Destination Address", "ipv6")
HOP_BY_HOP = Spec("ipv6.hopopts", "IPv6 Hop-by-Hop Option", "protocol")
HOP_NEXT = Spec("ipv6.hopopts.nxt", "Next Header", "uint8", PROTOCOLS)
HOP_LENGTH = Spec("ipv6.hopopts.len", "Length", "uint8")
DESTINATION_OPTIONS = Spec("ipv6.dstopts", "Destination Options for IPv6", "protocol")
DESTINATION_NEXT = Spec("ipv6.dstopts.nxt", "Next Header", "uint8", PROTOCOLS)
DESTINATION_LENGTH = Spec("ipv6.dstopts.len", "Length", "uint8")
OPTION = Spec("ipv6.opt", "IPv6 Option")
OPTION_TYPE = Spec("ipv6.opt.type", "Type", "uint8", {
    0: "Pad1", 1: "PadN", 4: "Tunnel Encapsulation Limit", 5: "Router Alert", 0x26: "Quick-Start", 0x07: "CALIPSO", 0x63: "RPL Option", 0xC2: "Jumbo Payload",
    0xC9: "Home Address",
}, base="hex")
OPTION_LENGTH = Spec("ipv6.opt.length", "Length", "uint8")
PAD1 = Spec("ipv6.opt.pad1", "Pad1")
PADDING = Spec("ipv6.opt.padn", "PadN", "bytes")
ALERT = Spec("ipv6.opt.router_alert", "Router Alert", "uint16", {0: "MLD", 1: "RSVP", 2: "Active Networks"})
JUMBO = Spec("ipv6.opt.jumbo", "Payload Length", "uint32")
HOME = Spec("ipv6.mipv6_home_address", "MIPv6 Home Address", "ipv6")
UNKNOWN = Spec("ipv6.opt.unknown", "Unknown Option Payload", "bytes")
ROUTING = Spec("ipv6.routing", "Routing Header for IPv6", "protocol")
ROUTING_NEXT = Spec("ipv6.routing.nxt", "Next Header", "uint8", PROTOCOLS)
ROUTING_LENGTH = Spec("ipv6.routing.len", "Length", "uint8")
ROUTING_TYPE = Spec("ipv6.routing.type", "Type", "uint8", {0: "Source Route", 1: "Nimrod", 2: "Mobile IPv6", 3: "RPL Source Route", 4: "Segment Routing"})
SEGMENTS = Spec("ipv6.routing.segleft", "Segments Left", "uint8")
ROUTING_ADDRESS = Spec("ipv6.routing.src.addr", "Address", "ipv6")
ROUTING_RESERVED = Spec("ipv6.routing.src.reserved", "Reserved", "bytes")
ROUTING_DATA = Spec("ipv6.routing.unknown.data", "Type-Specific Data", "bytes")
FRAGMENT = Spec("ipv6.fraghdr", "Fragment Header for IPv6", "protocol")
FRAGMENT_NEXT = Spec("ipv6.fraghdr.nxt", "Next header", "uint8", PROTOCOLS)
FRAGMENT_RESERVED = Spec("ipv6.fraghdr.reserved_octet", "Reserved octet", "uint8", base="hex")
OFFSET = Spec("ipv6.fraghdr.offset", "Offset", "uint16", mask=0xFFF8, about="Where the fragment lies in its datagram, in units of 8 bytes")
RESERVED_BITS = Spec("ipv6.fraghdr.reserved_bits", "Reserved bits", "uint16", mask=0x0006)
MORE = flag("ipv6.fraghdr.more", "More Fragments", 0x0001)
ID = Spec("ipv6.fraghdr.ident", "Identification", "uint32", base="hex")
FRAGMENTS = Spec("ipv6.fragments", "IPv6 Fragments")
PIECE = Spec("ipv6.fragment", "IPv6 Fragment", "frame")
PIECE_COUNT = Spec("ipv6.fragment.count", "Fragment count", "uint32")
REASSEMBLED = Spec("ipv6.reassembled.length", "Reassembled IPv6 length", "uint32")
AH = Spec("ah", "Authentication Header", "protocol")
AH_NEXT = Spec("ah.next_header", "Next header", "uint8", PROTOCOLS)
AH_LENGTH = Spec("ah.length", "Length", "uint8")
AH_RESERVED = Spec("ah.reserved", "Reserved", "bytes")
AH_SPI = Spec("ah.spi", "AH SPI", "uint32", base="hex")
AH_SEQUENCE = Spec("ah.sequence", "AH Sequence", "uint32")
AH_ICV = Spec("ah.icv", "AH ICV", "bytes")
SPECS = (
    *HOSTS, IPV6, VERSION, CLASS, DSCP, ECN, FLOW, LENGTH, NEXT, HOPS, SOURCE, DESTINATION, ADDRESS, HOP_BY_HOP, HOP_NEXT, HOP_LENGTH, DESTINATION_OPTIONS,
    DESTINATION_NEXT, DESTINATION_LENGTH, OPTION, OPTION_TYPE, OPTION_LENGTH, PAD1, PADDING, ALERT, JUMBO, HOME, UNKNOWN, ROUTING, ROUTING_NEXT, ROUTING_LENGTH,
    ROUTING_TYPE, SEGMENTS, ROUTING_ADDRESS, ROUTING_RESERVED, ROUTING_DATA, FRAGMENT, FRAGMENT_NEXT, FRAGMENT_RESERVED, OFFSET, RESERVED_BITS, MORE, ID,
    FRAGMENTS, PIECE, PIECE_COUNT, REASSEMBLED, AH, AH_NEXT, AH_LENGTH, AH_RESERVED, AH_SPI, AH_SEQUENCE, AH_ICV,
)

HEADER = Header(dpkt.ip6.IP6, (
    Part("_v_fc_flow", VERSION, size=1, again=IP_VERSION), Part("_v_fc_flow", CLASS, below=(DSCP, ECN)), Part("_v_fc_flow", FLOW), Part("plen", LENGTH),
    Part("nxt", NEXT),
    Part("hlim", HOPS), Part("src", SOURCE, again=ADDRESS), Part("dst", DESTINATION, again=ADDRESS),
))
FRAGMENT_HEADER = Header(dpkt.ip6.IP6FragmentHeader, (
    Part("nxt", FRAGMENT_NEXT), Part("_resv", FRAGMENT_RESERVED), Part("_frag_off_resv_m", OFFSET), Part("_frag_off_resv_m", RESERVED_BITS),
    Part("_frag_off_resv_m", MORE), Part("id", ID),
))
AH_HEADER = Header(dpkt.ip6.IP6AHHeader, (
    Part("nxt", AH_NEXT), Part("len", AH_LENGTH), Part("_resv", AH_RESERVED), Part("spi", AH_SPI), Part("seq", AH_SEQUENCE),
))


def dissect(walk: Dissection, start: int, end: int) -> Next | None:
    """The fixed header; extension headers follow as layers of their own."""
    data, view = walk.data, walk.view
    walk.columns("IPv6", "Internet Protocol Version 6")
    if not enough(data, start, end, HEADER.size):
        fault = walk.missing(start, HEADER.size, end)
        walk.add(IPV6, start, end, [*HEADER.fields(data, start, view), fault])
        return None
    word, length, following, hops, sender, to = HEADER.unpack(data, start)
    if word >> 28 != 6:
        walk.columns("IPv6", f"Bogus IPv6 version ({word >> 28}, must be 6)", "error")
        known = HEADER.fields(data, start, view)[:1]
        walk.add(IPV6, start, end, [*known, raw(data, start + 1, min(end, len(data)), view)], f"Internet Protocol Version 6, bogus version ({word >> 28})")
        return None
    source, destination = address("ipv6", sender), address("ipv6", to)
    walk.ends(source, destination)
    body = start + HEADER.size
    # a length of 0 is a jumbogram's (RFC 2675) or left by an interface that cuts large segments itself
    whole = min(end, body + length) if length else end
    if not walk.quoted:
        walk.covered = min(whole, len(data))
    walk.network = Network(sender, to)
    walk.ttl = hops

    def children() -> Sequence[Field]:
        out = HEADER.fields(data, start, view)
        HOSTS.add(out, walk.facts, sender, to)
        return out

    walk.add(IPV6, start, body, children, f"Internet Protocol Version 6, Src: {source}, Dst: {destination}")
    walk.columns("IPv6", f"{PROTOCOLS.get(following, 'Unknown')} ({following})")
    return _next(walk, following, body, whole)


def _next(walk: Dissection, following: int, start: int, end: int) -> Next | None:
    if following == 59:
        walk.columns("IPv6", "IPv6 no next header")
    return Next("ip", following, start, end)


def _sized(walk: Dissection, spec: Spec, start: int, end: int, unit: int = 8, extra: int = 8) -> int | None:
    """Where an extension header ends, by the length in its second byte; None when it is not all there."""
    data = walk.data
    if enough(data, start, end, 8):
        size = data[start + 1] * unit + extra
        if enough(data, start, end, size):
            return start + size
    else:
        size = 8
    walk.add(spec, start, end, [walk.missing(start, size, end)])
    return None


def _options(walk: Dissection, start: int, end: int, spec: Spec, following: Spec, length: Spec) -> Next | None:
    data, view = walk.data, walk.view
    stop = _sized(walk, spec, start, end)
    if stop is None:
        return None

    def children() -> Sequence[Field]:
        count = data[start + 1]
        head = [Field(following, data[start], start, 1, view), Field(length, count, start + 1, 1, view, (), f"Length: {count} ({count * 8 + 8} bytes)")]
        return head + options(data, start + 2, stop, view)

    walk.add(spec, start, stop, children)
    return _next(walk, data[start], stop, end)


def hop_by_hop(walk: Dissection, start: int, end: int) -> Next | None:
    """RFC 8200 section 4.3."""
    return _options(walk, start, end, HOP_BY_HOP, HOP_NEXT, HOP_LENGTH)


def destination_options(walk: Dissection, start: int, end: int) -> Next | None:
    """RFC 8200 section 4.6."""
    return _options(walk, start, end, DESTINATION_OPTIONS, DESTINATION_NEXT, DESTINATION_LENGTH)


def options(data: bytes, at: int, end: int, view: int) -> list[Field]:
    """Options (RFC 8200 section 4.2): Pad1 is one byte, all others type, length and content."""
    out: list[Field] = []
    while at < end:
        kind = data[at]
        name = (OPTION_TYPE.enum or {}).get(kind, f"Unknown (0x{kind:02x})")
        below = [Field(OPTION_TYPE, kind, at, 1, view)]
        if kind == 0:
            out.append(group(OPTION, at, at + 1, below, "Pad1", view))
            at += 1
            continue
        size = data[at + 1] if at + 1 < end else 0
        body, stop = at + 2, at + 2 + size
        if body > end or stop > end:
            out.append(group(OPTION, at, end, [*below, raw(data, at + 1, end, view)], f"{name} (length runs past the header)", view))
            break
        below.append(Field(OPTION_LENGTH, size, at + 1, 1, view))
        content = data[body:stop]
        if kind == 5 and size == 2:
            below.append(Field(ALERT, int.from_bytes(content), body, 2, view))
        elif kind == 0xC2 and size == 4:
            below.append(Field(JUMBO, int.from_bytes(content), body, 4, view))
        elif kind == 0xC9 and size == 16:
            below.append(Field(HOME, address("ipv6", content), body, 16, view))
        elif size or kind == 1:
            below.append(Field(PADDING if kind == 1 else UNKNOWN, content, body, size, view))
        out.append(group(OPTION, at, stop, below, name, view))
        at = stop
    return out


def routing(walk: Dissection, start: int, end: int) -> Next | None:
    """RFC 8200 section 4.4; types 0 and 2 hold addresses."""
    data, view = walk.data, walk.view
    stop = _sized(walk, ROUTING, start, end)
    if stop is None:
        return None

    def children() -> Sequence[Field]:
        count, kind = data[start + 1], data[start + 2]
        out = [
            Field(ROUTING_NEXT, data[start], start, 1, view), Field(ROUTING_LENGTH, count, start + 1, 1, view, (), f"Length: {count} ({count * 8 + 8} bytes)"),
            Field(ROUTING_TYPE, kind, start + 2, 1, view), Field(SEGMENTS, data[start + 3], start + 3, 1, view),
        ]
        at = start + 4
        if kind in (0, 2):
            out.append(Field(ROUTING_RESERVED, data[at:at + 4], at, 4, view))
            out += [Field(ROUTING_ADDRESS, address("ipv6", data[at:at + 16]), at, 16, view) for at in range(start + 8, stop - 15, 16)]
            at = out[-1].end
        if at < stop:
            out.append(Field(ROUTING_DATA, data[at:stop], at, stop - at, view))
        return out

    if data[start + 3] and walk.network is not None:
        # the checksum covers the last destination (RFC 8200 section 8.1), which segment routing has first in its list (RFC 8754 section 2)
        at = {0: stop - 16, 2: stop - 16, 4: start + 8}.get(data[start + 2], -1)
        if at >= start + 8 and at + 16 <= stop:
            walk.network = walk.network._replace(destination=data[at:at + 16])
    walk.add(ROUTING, start, stop, children)
    return _next(walk, data[start], stop, end)


def fragment(walk: Dissection, start: int, end: int) -> Next | None:
    """RFC 8200 section 4.5. The whole payload is read where a packet completes it, an atomic fragment at once."""
    data, view = walk.data, walk.view
    if not enough(data, start, end, FRAGMENT_HEADER.size):
        fault = walk.missing(start, FRAGMENT_HEADER.size, end)
        walk.add(FRAGMENT, start, end, [*FRAGMENT_HEADER.fields(data, start, view), fault])
        return None
    following, _, word, ident = FRAGMENT_HEADER.unpack(data, start)
    offset, more = word & 0xFFF8, bool(word & 1)
    body = start + FRAGMENT_HEADER.size
    datagram = walk.facts.datagram if (offset or more) and not walk.quoted and view == 0 else None

    def children() -> Sequence[Field]:
        out = FRAGMENT_HEADER.fields(data, start, view)
        out[2]._text = f"{out[2].text} ({offset} bytes)"
        if datagram is not None:
            out.append(pieces(datagram, FRAGMENTS, PIECE, PIECE_COUNT, REASSEMBLED, "IPv6"))
            out.append(fragment_bytes(data, own, last, view))
        return out

    own, last = body, min(end, len(data))
    walk.add(FRAGMENT, start, body, children)
    if (offset or more) and datagram is None:
        walk.columns("IPv6", f"IPv6 fragment (off={offset} more={'y' if more else 'n'} ident=0x{ident:08x} nxt={following})")
        if walk.network is not None:
            walk.network = walk.network._replace(fragment=True)
        if offset or not walk.quoted:
            return Next("data", 0, body, end)
    elif datagram is not None:
        walk.show(f"Reassembled IPv6 ({len(datagram.data):,} bytes)", datagram.data)
        body, end = 0, len(datagram.data)
    return _next(walk, following, body, end)


def authentication(walk: Dissection, start: int, end: int) -> Next | None:
    """AH: its length counts words of 4 bytes, less 2."""
    data, view = walk.data, walk.view
    stop = _sized(walk, AH, start, end, 4, 8)
    if stop is None:
        return None

    def children() -> Sequence[Field]:
        out = AH_HEADER.fields(data[:stop], start, view)
        at = out[-1].end
        return [*out, Field(AH_ICV, data[at:stop], at, stop - at, view)] if at < stop else out

    walk.add(AH, start, stop, children)
    walk.columns("AH", f"AH (SPI=0x{int.from_bytes(data[start + 4:start + 8]):08x})")
    return _next(walk, data[start], stop, end)


EXTENSIONS: dict[int, Callable[[Dissection, int, int], Next | None]] = {
    0: hop_by_hop, 43: routing, 44: fragment, 51: authentication, 60: destination_options,
}
