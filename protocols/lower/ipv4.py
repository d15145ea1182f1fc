"""IPv4 (RFC 791) with its options, the numbers of what it carries, and the payload put together from fragments."""
from __future__ import annotations

from collections.abc import Sequence

import dpkt

from protocols.engine.fields import Field, Spec, generated, group, raw
from protocols.lower.facts import Datagram
from protocols.lower.header_tables import Header, Part, address, enough
from protocols.lower.layer import BAD, Dissection, Hosts, Network, Next, flag, folded, status, status_spec, verify

PROTOCOLS = {
    0: "IPv6 Hop-by-Hop Option", 1: "ICMP", 2: "IGMP", 4: "IPIP", 6: "TCP", 8: "EGP", 9: "IGRP", 17: "UDP", 33: "DCCP", 41: "IPv6",
    43: "Routing Header for IPv6", 44: "Fragment Header for IPv6", 46: "Reservation Protocol", 47: "Generic Routing Encapsulation",
    50: "Encap Security Payload", 51: "Authentication Header",
    58: "ICMPv6", 59: "No Next Header for IPv6", 60: "Destination Options for IPv6", 88: "EIGRP", 89: "OSPF IGP", 94: "IPIP", 97: "EtherIP", 103: "PIM",
    108: "IPComp", 112: "VRRP", 115: "L2TP", 132: "SCTP", 135: "Mobility Header", 136: "UDPlite", 137: "MPLS in IP",
}
SHORT = {2: "IGMP", 46: "RSVP", 47: "GRE", 50: "ESP", 88: "EIGRP", 89: "OSPF", 103: "PIM", 112: "VRRP", 115: "L2TP", 132: "SCTP", 136: "UDP-Lite"}
CODEPOINTS = {
    0: "Default", 1: "LE", 8: "Class Selector 1", 10: "Assured Forwarding 11", 12: "Assured Forwarding 12", 14: "Assured Forwarding 13", 16: "Class Selector 2",
    18: "Assured Forwarding 21", 20: "Assured Forwarding 22", 22: "Assured Forwarding 23", 24: "Class Selector 3", 26: "Assured Forwarding 31",
    28: "Assured Forwarding 32", 30: "Assured Forwarding 33", 32: "Class Selector 4", 34: "Assured Forwarding 41", 36: "Assured Forwarding 42",
    38: "Assured Forwarding 43", 40: "Class Selector 5", 44: "Voice Admit", 46: "Expedited Forwarding", 48: "Class Selector 6", 56: "Class Selector 7",
}
CODEPOINT_SHORT = {value: "".join(word[0] if word.isalpha() else word for word in name.split()) for value, name in CODEPOINTS.items()} | {0: "CS0", 1: "LE"}
CONGESTION = {
    0: "Not ECN-Capable Transport", 1: "ECN-Capable Transport codepoint '01'", 2: "ECN-Capable Transport codepoint '10'", 3: "Congestion Experienced",
}
CONGESTION_SHORT = ("Not-ECT", "ECT(1)", "ECT(0)", "CE")
OPTIONS = {
    0: "End of Options List (EOL)", 1: "No Operation (NOP)", 7: "Record Route", 11: "MTU Probe", 12: "MTU Reply", 25: "Quick-Start", 68: "Time Stamp",
    82: "Traceroute", 130: "Security", 131: "Loose Source Route", 133: "Extended Security", 134: "Commercial Security", 136: "Stream ID",
    137: "Strict Source Route", 145: "Extended Internet Protocol", 147: "Address Extension", 148: "Router Alert",
}

IP = Spec("ip", "Internet Protocol Version 4", "protocol")
VERSION = Spec("ip.version", "Version", "uint8", mask=0xF0)
HEADER_LENGTH = Spec("ip.hdr_len", "Header Length", "uint8", show=lambda n: f"{n} bytes ({n // 4})", mask=0x0F)
DSFIELD = Spec(
    "ip.dsfield", "Differentiated Services Field", "uint8",
    show=lambda n: f"0x{n:02x} (DSCP: {CODEPOINT_SHORT.get(n >> 2, f'Unknown ({n >> 2})')}, ECN: {CONGESTION_SHORT[n & 3]})", base="hex",
)
DSCP = Spec("ip.dsfield.dscp", "Differentiated Services Codepoint", "uint8", CODEPOINTS, mask=0xFC)
ECN = Spec("ip.dsfield.ecn", "Explicit Congestion Notification", "uint8", CONGESTION, mask=0x03)
TOTAL = Spec("ip.len", "Total Length", "uint16")
ID = Spec("ip.id", "Identification", "uint16", show=lambda n: f"0x{n:04x} ({n})", base="hex")
FLAG_NAMES = ((4, "Reserved"), (2, "Don't fragment"), (1, "More fragments"))
FLAGS = Spec("ip.flags", "Flags", "uint8", show=lambda n: f"0x{n:x}" + "".join(f", {name}" for bit, name in FLAG_NAMES if n & bit), mask=0xE0, base="hex")
RESERVED = flag("ip.flags.rb", "Reserved bit", 0x80)
DONT_FRAGMENT = flag("ip.flags.df", "Don't fragment", 0x40)
MORE_FRAGMENTS = flag("ip.flags.mf", "More fragments", 0x20)
OFFSET = Spec("ip.frag_offset", "Fragment Offset", "uint16", show=lambda n: str(n * 8), mask=0x1FFF,
              about="Where the fragment lies in its datagram, in units of 8 bytes")
TTL = Spec("ip.ttl", "Time to Live", "uint8")
PROTOCOL = Spec("ip.proto", "Protocol", "uint8", PROTOCOLS)
CHECKSUM = Spec("ip.checksum", "Header Checksum", "uint16", base="hex")
CHECKSUM_STATUS = status_spec("ip.checksum.status", "Header checksum status")
ADDRESS = Spec("ip.addr", "Source or Destination Address", "ipv4")
SOURCE = Spec("ip.src", "Source Address", "ipv4")
HOSTS = Hosts(Spec("ip.src_host", "Source Host", "string"), Spec("ip.dst_host", "Destination Host", "string"),
              Spec("ip.host", "Source or Destination Host", "string", about="The name that the file gives the address, or the address"))
DESTINATION = Spec("ip.dst", "Destination Address", "ipv4")
OPTION = Spec("ip.opt", "Options")
OPTION_TYPE = Spec("ip.opt.type", "Type", "uint8", OPTIONS)
OPTION_LENGTH = Spec("ip.opt.len", "Length", "uint8")
POINTER = Spec("ip.opt.ptr", "Pointer", "uint8")
ROUTER_ALERT = Spec("ip.opt.ra", "Router Alert", "uint16", {0: "Router shall examine packet"})
RECORDED = Spec("ip.rec_rt", "Recorded Route", "ipv4")
SOURCE_ROUTE = Spec("ip.src_rt", "Source Route", "ipv4")
OVERFLOW = Spec("ip.opt.overflow", "Overflow", "uint8", mask=0xF0)
STAMP_KINDS = {0: "Time stamps only", 1: "Time stamp and address", 3: "Time stamps for prespecified addresses"}
STAMP_FLAG = Spec("ip.opt.flag", "Flag", "uint8", STAMP_KINDS, mask=0x0F, base="hex")
STAMP = Spec("ip.opt.time_stamp", "Time stamp", "uint32")
STAMP_ADDRESS = Spec("ip.opt.time_stamp_addr", "Address", "ipv4")
OPTION_PADDING = Spec("ip.opt.padding", "Padding", "bytes")
FRAGMENTS = Spec("ip.fragments", "IPv4 Fragments")
FRAGMENT = Spec("ip.fragment", "IPv4 Fragment", "frame")
FRAGMENT_COUNT = Spec("ip.fragment.count", "Fragment count", "uint32")
REASSEMBLED = Spec("ip.reassembled.length", "Reassembled IPv4 length", "uint32")
SPECS = (
    IP, VERSION, HEADER_LENGTH, DSFIELD, DSCP, ECN, TOTAL, ID, FLAGS, RESERVED, DONT_FRAGMENT, MORE_FRAGMENTS, OFFSET, TTL, PROTOCOL, CHECKSUM, CHECKSUM_STATUS,
    SOURCE, DESTINATION, ADDRESS, *HOSTS,
    OPTION, OPTION_TYPE, OPTION_LENGTH, POINTER, ROUTER_ALERT, RECORDED, SOURCE_ROUTE, OVERFLOW, STAMP_FLAG, STAMP, STAMP_ADDRESS,
    OPTION_PADDING, FRAGMENTS, FRAGMENT, FRAGMENT_COUNT, REASSEMBLED,
)

HEADER = Header(dpkt.ip.IP, (
    Part("_v_hl", VERSION), Part("_v_hl", HEADER_LENGTH, scale=4), Part("tos", DSFIELD, below=(DSCP, ECN)), Part("len", TOTAL), Part("id", ID),
    Part("_flags_offset", FLAGS, size=1, below=(RESERVED, DONT_FRAGMENT, MORE_FRAGMENTS)), Part("_flags_offset", OFFSET), Part("ttl", TTL),
    Part("p", PROTOCOL), Part("sum", CHECKSUM), Part("src", SOURCE, again=ADDRESS), Part("dst", DESTINATION, again=ADDRESS),
))
LEAST = 20


def dissect(walk: Dissection, start: int, end: int) -> Next | None:
    """The header, its options, and what it carries."""
    data, view = walk.data, walk.view
    walk.columns("IPv4", "Internet Protocol Version 4")
    if not enough(data, start, end, LEAST):
        fault = walk.missing(start, LEAST, end)
        walk.add(IP, start, end, [*HEADER.fields(data, start, view), fault])
        return None
    first, _, total, ident, word, ttl, protocol, check, sender, to = HEADER.unpack(data, start)
    length = (first & 15) * 4
    if first >> 4 != 4 or length < LEAST:
        why = f"Bogus IPv4 version ({first >> 4}, must be 4)" if first >> 4 != 4 else f"Bogus IP header length ({length}, must be at least {LEAST})"
        walk.columns("IPv4", why, "error")
        known = HEADER.fields(data, start, view)[:1 + (first >> 4 == 4)]     # the length means something in version 4 only
        walk.add(IP, start, end, [*known, raw(data, start + 1, min(end, len(data)), view)], f"Internet Protocol, {why}")
        return None
    if 0 < total < length:
        why = f"Bogus IP length ({total}, less than header length {length})"
        walk.columns("IPv4", why, "error")
        known = HEADER.fields(data, start, view)[:4]
        walk.add(IP, start, end, [*known, raw(data, start + 4, min(end, len(data)), view)], f"Internet Protocol Version 4, {why}")
        return None
    source, destination = address("ipv4", sender), address("ipv4", to)
    walk.ends(source, destination)
    body = start + length
    text = f"Internet Protocol Version 4, Src: {source}, Dst: {destination}"
    if not enough(data, start, end, length):
        known, at = HEADER.fields(data, start, view), start + LEAST
        rest = [raw(data, at, min(end, len(data)), view)] if at < min(end, len(data)) else []
        walk.add(IP, start, end, [*known, *rest, walk.missing(at, length - LEAST, end)], text)
        return None
    # a length of 0 is left by an interface that cuts large segments itself
    whole = end if total == 0 else min(end, start + total)
    verdict = verify(check, folded(data[start:body]))
    if verdict.status == BAD and check:
        walk.worse("error")
    if not walk.quoted:
        walk.covered = min(whole, len(data))
    offset, more = (word & 0x1FFF) * 8, bool(word & 0x2000)
    datagram = walk.facts.datagram if (offset or more) and not walk.quoted and view == 0 else None

    def children() -> Sequence[Field]:
        out = HEADER.fields(data, start, view)
        HOSTS.add(out, walk.facts, sender, to)
        if total == 0:
            out[3] = Field(TOTAL, whole - start, start + 2, 2, view, (), f"Total Length: {whole - start} (0 in the header: left to segmentation offload)")
        offload = " (0 may come from checksum offload)" if verdict.status == BAD and not check else ""
        out[9]._text = f"Header Checksum: 0x{check:04x} {verdict.text}{offload}"
        out.insert(10, status(CHECKSUM_STATUS, verdict, start + 10, view))
        if length > LEAST:
            at = start + LEAST
            out.append(group(OPTION, at, max(at, min(body, len(data))), lambda: options(data, at, body, view), f"Options: ({length - LEAST} bytes)", view))
        if datagram is not None:
            out.append(pieces(datagram, FRAGMENTS, FRAGMENT, FRAGMENT_COUNT, REASSEMBLED, "IPv4"))
            out.append(fragment_bytes(data, fragment, last, view))
        return out

    fragment, last = body, min(whole, len(data))
    walk.add(IP, start, body, children, text)
    name = PROTOCOLS.get(protocol, "Unknown")
    walk.columns("IPv4", f"{name} ({protocol})")
    walk.network = Network(sender, to)
    if offset or more:
        if datagram is None:
            walk.network = Network(sender, to, True)
            walk.columns("IPv4", f"Fragmented IP protocol (proto={name} {protocol}, off={offset}, ID={ident:04x})")
            if offset or not walk.quoted:
                return Next("data", 0, body, whole)
        else:
            walk.show(f"Reassembled IPv4 ({len(datagram.data):,} bytes)", datagram.data)
            body, whole = 0, len(datagram.data)
    walk.ttl = ttl
    return Next("ip", protocol, body, whole)


def pieces(datagram: Datagram, spec: Spec, piece: Spec, count: Spec, total: Spec, word: str) -> Field:
    """What a datagram was put together from."""
    below = [
        generated(piece, packet + 1, f"Frame: {packet + 1}, payload: {at}-{at + length - 1} ({length} bytes)") for packet, _, length, at in datagram.pieces
    ]
    below += [generated(count, len(datagram.pieces)), generated(total, len(datagram.data))]
    return generated(spec, None, f"{len(datagram.pieces)} {word} fragments ({len(datagram.data)} bytes)", children=below)


def fragment_bytes(data: bytes, start: int, end: int, view: int) -> Field:
    """A fragment's own bytes, where its datagram is read in a view of its own."""
    return raw(data, start, max(start, end), view, f"Fragment ({max(0, end - start):,} bytes)")


def options(data: bytes, at: int, end: int, view: int) -> list[Field]:
    """Options: a type of one byte, alone (0, 1) or before a length that counts both and the content."""
    out: list[Field] = []
    end = min(end, len(data))
    while at < end:
        kind = data[at]
        name = OPTIONS.get(kind, f"Unknown (0x{kind:02x})")
        below = [Field(OPTION_TYPE, kind, at, 1, view)]
        if kind in (0, 1):
            out.append(group(OPTION, at, at + 1, below, f"IP Option - {name}", view))
            at += 1
            if kind == 0 and at < end:
                out.append(Field(OPTION_PADDING, data[at:end], at, end - at, view))
                break
            continue
        size = data[at + 1] if at + 1 < end else 0
        if size < 2 or at + size > end:
            out.append(group(OPTION, at, end, [*below, raw(data, at + 1, end, view)], f"IP Option - {name} (length runs past the options)", view))
            break
        below.append(Field(OPTION_LENGTH, size, at + 1, 1, view))
        _content(data, kind, at + 2, at + size, below, view)
        out.append(group(OPTION, at, at + size, below, f"IP Option - {name} ({size} bytes)", view))
        at += size
    return out


def _content(data: bytes, kind: int, at: int, end: int, out: list[Field], view: int) -> None:
    """What stands behind an option's type and length; what does not fit stays raw."""
    if kind == 148 and end - at == 2:
        out.append(Field(ROUTER_ALERT, int.from_bytes(data[at:end]), at, 2, view))
        return
    if kind in (7, 68, 131, 137) and at < end:
        out.append(Field(POINTER, data[at], at, 1, view))
        at += 1
        stamps = kind == 68
        addressed = False
        if stamps and at < end:
            word = data[at]
            out.extend((Field(OVERFLOW, word >> 4, at, 1, view), Field(STAMP_FLAG, word & 15, at, 1, view)))
            addressed = word & 15 in (1, 3)
            at += 1
        while end - at >= 4 * (1 + addressed):
            if addressed or not stamps:
                spec = STAMP_ADDRESS if stamps else RECORDED if kind == 7 else SOURCE_ROUTE
                out.append(Field(spec, address("ipv4", data[at:at + 4]), at, 4, view))
                at += 4
            if stamps:
                out.append(Field(STAMP, int.from_bytes(data[at:at + 4]), at, 4, view))
                at += 4
    if at < end:
        out.append(raw(data, at, end, view))
