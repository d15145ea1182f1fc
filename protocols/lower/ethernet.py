"""Ethernet II and IEEE 802.3 with LLC and SNAP, and VLAN tags (IEEE 802.1Q, 802.1ad).

The bytes behind the network layer's packet are padding (zeros up to the minimum of 60 bytes) or trailer; the network layer
notes in `Dissection.covered` where it ends. Where the file says so, the frame's last four bytes are its check sequence (IEEE 802.3 section 3.2.9: a CRC-32).
"""
from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import dpkt

from protocols.engine.fields import Field, Spec
from protocols.lower.header_tables import Header, Part, address, enough
from protocols.lower.layer import BAD, GOOD, Dissection, Next, Sum, flag, status, status_spec

ETHERTYPES = {
    0x0800: "IPv4", 0x0806: "ARP", 0x0842: "Wake on LAN", 0x22F3: "TRILL", 0x6558: "Transparent Ethernet bridging", 0x8035: "RARP",
    0x809B: "AppleTalk", 0x80F3: "AppleTalk ARP", 0x8100: "802.1Q Virtual LAN", 0x8137: "IPX", 0x86DD: "IPv6", 0x8808: "MAC Control", 0x8809: "Slow Protocols",
    0x8847: "MPLS label switched packet", 0x8848: "MPLS multicast", 0x8863: "PPPoE Discovery", 0x8864: "PPPoE Session", 0x888E: "802.1X Authentication",
    0x88A8: "802.1ad Provider Bridge (Q-in-Q)", 0x88CC: "802.1 Link Layer Discovery Protocol (LLDP)", 0x88E5: "802.1AE (MACsec)",
    0x88F7: "PTPv2 over Ethernet (IEEE1588)", 0x8902: "IEEE 802.1Q Connectivity Fault Management (CFM)", 0x9000: "Loopback",
    0x9100: "QinQ: old non-standard 802.1ad",
}
SHORT = {0x8808: "MAC CTRL", 0x8847: "MPLS", 0x8863: "PPPoED", 0x8864: "PPPoES", 0x888E: "EAPOL", 0x88CC: "LLDP",
         0x88E5: "MACsec", 0x88F7: "PTPv2", 0x9000: "LOOP"}
SAPS = {0x00: "NULL LSAP", 0x42: "Spanning Tree BPDU", 0xAA: "SNAP", 0xE0: "NetWare", 0xF0: "NetBIOS", 0xFE: "ISO Network Layer", 0xFF: "Global DSAP"}

ETHERNET = Spec("eth", "Ethernet II", "protocol")
ADDRESS = Spec("eth.addr", "Address", "ether", about="Source or destination")
DESTINATION = Spec("eth.dst", "Destination", "ether")
SOURCE = Spec("eth.src", "Source", "ether")
LOCAL = Spec("eth.lg", "LG bit", "bool", show=lambda v: "Locally administered address" if v else "Globally unique address (factory default)", mask=0x020000)
GROUP = Spec("eth.ig", "IG bit", "bool", show=lambda v: "Group address (multicast/broadcast)" if v else "Individual address (unicast)", mask=0x010000)
TYPE = Spec("eth.type", "Type", "uint16", ETHERTYPES, base="hex")
LENGTH = Spec("eth.len", "Length", "uint16")
INVALID = Spec("eth.invalid_lentype", "Invalid length/type", "uint16", base="hex")
PADDING = Spec("eth.padding", "Padding", "bytes", about="Zeros that fill the frame up to 60 bytes")
TRAILER = Spec("eth.trailer", "Trailer", "bytes", about="Bytes behind the network layer's packet")
FCS = Spec("eth.fcs", "Frame check sequence", "uint32", base="hex")
FCS_STATUS = status_spec("eth.fcs.status", "FCS Status")
VLAN = Spec("vlan", "802.1Q Virtual LAN", "protocol")
PRIORITY = Spec("vlan.priority", "Priority", "uint16", {
    0: "Best Effort (default)", 1: "Background", 2: "Excellent Effort", 3: "Critical Applications", 4: "Video, < 100ms latency", 5: "Voice, < 10ms latency",
    6: "Internetwork Control", 7: "Network Control",
}, mask=0xE000)
DEI = flag("vlan.dei", "DEI", 0x1000, "Drop eligible indicator")
VLAN_ID = Spec("vlan.id", "ID", "uint16", mask=0x0FFF)
VLAN_TYPE = Spec("vlan.etype", "Type", "uint16", ETHERTYPES, base="hex")
VLAN_LENGTH = Spec("vlan.len", "Length", "uint16")
OUTER = Spec("ieee8021ad", "IEEE 802.1ad", "protocol")
OUTER_PRIORITY = Spec("ieee8021ad.priority", "Priority", "uint16", mask=0xE000)
OUTER_DEI = flag("ieee8021ad.dei", "DEI", 0x1000, "Drop eligible indicator")
OUTER_ID = Spec("ieee8021ad.id", "ID", "uint16", mask=0x0FFF)
OUTER_TYPE = Spec("ieee8021ad.etype", "Type", "uint16", ETHERTYPES, base="hex")
LLC = Spec("llc", "Logical-Link Control", "protocol")
DSAP = Spec("llc.dsap", "DSAP", "uint8", SAPS, base="hex")
SSAP = Spec("llc.ssap", "SSAP", "uint8", SAPS, base="hex")
CONTROL = Spec("llc.control", "Control field", "uint16", base="hex")
OUI = Spec("llc.oui", "Organization Code", "uint24", {0: "Encapsulated Ethernet"}, base="hex")
SNAP_TYPE = Spec("llc.type", "Type", "uint16", ETHERTYPES, base="hex")
PID = Spec("llc.pid", "Protocol ID", "uint16", base="hex")
SPECS = (
    ETHERNET, DESTINATION, SOURCE, ADDRESS, LOCAL, GROUP, TYPE, LENGTH, INVALID, PADDING, TRAILER, FCS, FCS_STATUS, VLAN, PRIORITY, DEI, VLAN_ID, VLAN_TYPE,
    VLAN_LENGTH, OUTER, OUTER_PRIORITY, OUTER_DEI, OUTER_ID, OUTER_TYPE, LLC, DSAP, SSAP, CONTROL, OUI, SNAP_TYPE, PID,
)

HEADER = Header(dpkt.ethernet.Ethernet, (Part("dst", DESTINATION, again=ADDRESS), Part("src", SOURCE, again=ADDRESS), Part("type", TYPE)))
LENGTH_HEADER = Header(dpkt.ethernet.Ethernet, (Part("dst", DESTINATION, again=ADDRESS), Part("src", SOURCE, again=ADDRESS), Part("type", LENGTH)))
INVALID_HEADER = Header(dpkt.ethernet.Ethernet, (Part("dst", DESTINATION, again=ADDRESS), Part("src", SOURCE, again=ADDRESS), Part("type", INVALID)))
TAG = Header(dpkt.ethernet.VLANtag8021Q, (*(Part("_pri_cfi_id", spec) for spec in (PRIORITY, DEI, VLAN_ID)), Part("type", VLAN_TYPE)))
LENGTH_TAG = Header(dpkt.ethernet.VLANtag8021Q, (*(Part("_pri_cfi_id", spec) for spec in (PRIORITY, DEI, VLAN_ID)), Part("type", VLAN_LENGTH)))
OUTER_TAG = Header(dpkt.ethernet.VLANtag8021Q, (*(Part("_pri_cfi_id", spec) for spec in (OUTER_PRIORITY, OUTER_DEI, OUTER_ID)), Part("type", OUTER_TYPE)))

LONGEST = 1500      # the largest value that is a length (IEEE 802.3 section 3.2.6); from 0x0600 on it is a type
FIRST_TYPE = 0x0600
MINIMUM = 60
FCS_SIZE = 4


def dissect(walk: Dissection, start: int, end: int) -> Next | None:
    """Ethernet's header, and what its type names."""
    data, view = walk.data, walk.view
    walk.columns("Ethernet", "Ethernet II")
    if not enough(data, start, end, HEADER.size):
        fault = walk.missing(start, HEADER.size, end)
        walk.add(ETHERNET, start, end, [*HEADER.fields(data, start, view), fault])
        return None
    to, sender, kind = HEADER.unpack(data, start)
    source, destination = address("ether", sender), address("ether", to)
    walk.ends(source, destination)
    if walk.facts.fcs == FCS_SIZE and not start and not view and end - start >= HEADER.size + FCS_SIZE:
        end -= FCS_SIZE
    typed = kind >= FIRST_TYPE
    header = HEADER if typed else LENGTH_HEADER if kind <= LONGEST else INVALID_HEADER
    body = start + HEADER.size
    walk.covered = min(len(data), end)

    def children() -> Sequence[Field]:
        out = header.fields(data, start, view)
        for one in out[:2]:
            word = int.from_bytes(data[one.start:one.start + 3])
            one._children = [*one.fields, *(Field(spec, bool(word & spec.mask), one.start, 3, view) for spec in (LOCAL, GROUP))]
        out += behind(data[:end], start, walk.covered, view)
        return out + check_sequence(data, start, end, view) if end + FCS_SIZE == len(data) else out

    word = "Ethernet II" if typed else "IEEE 802.3 Ethernet"
    walk.add(ETHERNET, start, body, children, f"{word}, Src: {source}, Dst: {destination}")
    if typed:
        walk.lower.protocols.append("ethertype")
        return Next("ethertype", kind, body, end)
    if kind > LONGEST:
        return Next("data", 0, body, end)
    walk.covered = min(walk.covered, body + kind)
    return Next("llc", 0, body, min(end, body + kind))


def behind(data: bytes, start: int, covered: int, view: int) -> list[Field]:
    """The padding and the trailer from `covered` to the end of the frame that begins at `start`."""
    if covered >= len(data):
        return []
    out = []
    filled = max(covered, min(len(data), start + MINIMUM))
    if any(data[covered:filled]):
        filled = covered
    if filled > covered:
        out.append(Field(PADDING, data[covered:filled], covered, filled - covered, view))
    if filled < len(data):
        out.append(Field(TRAILER, data[filled:], filled, len(data) - filled, view))
    return out


def check_sequence(data: bytes, start: int, end: int, view: int) -> list[Field]:
    """The frame check sequence at `end`, which the sender wrote least significant byte first, of the bytes `start` .. `end`."""
    sent = data[end:end + FCS_SIZE]
    right = crc32(data[start:end]).to_bytes(FCS_SIZE, "little")
    verdict = Sum(GOOD, "[correct]") if sent == right else Sum(BAD, f"[incorrect, should be 0x{right.hex()}]")
    field = Field(FCS, int.from_bytes(sent), end, FCS_SIZE, view, (), f"Frame check sequence: 0x{sent.hex()} {verdict.text}")
    return [field, status(FCS_STATUS, verdict, end, view)]


def dissect_vlan(walk: Dissection, start: int, end: int) -> Next | None:
    """One VLAN tag."""
    data, view = walk.data, walk.view
    walk.columns("VLAN", "802.1Q Virtual LAN")
    if not enough(data, start, end, TAG.size):
        fault = walk.missing(start, TAG.size, end)
        walk.add(VLAN, start, end, [*TAG.fields(data, start, view), fault])
        return None
    word, kind = TAG.unpack(data, start)
    body = start + TAG.size
    typed = kind >= FIRST_TYPE
    text = f"802.1Q Virtual LAN, PRI: {word >> 13}, DEI: {word >> 12 & 1}, ID: {word & 0xFFF}"
    walk.add(VLAN, start, body, lambda: (TAG if typed else LENGTH_TAG).fields(data, start, view), text)
    walk.columns("VLAN", text[24:])
    if typed:
        walk.lower.protocols.append("ethertype")
        return Next("ethertype", kind, body, end)
    return Next("llc", 0, body, min(end, body + kind))


def dissect_outer(walk: Dissection, start: int, end: int) -> Next | None:
    """The outer tag of IEEE 802.1ad."""
    data, view = walk.data, walk.view
    walk.columns("VLAN", "IEEE 802.1ad")
    if not enough(data, start, end, OUTER_TAG.size):
        fault = walk.missing(start, OUTER_TAG.size, end)
        walk.add(OUTER, start, end, [*OUTER_TAG.fields(data, start, view), fault])
        return None
    word, kind = OUTER_TAG.unpack(data, start)
    body = start + OUTER_TAG.size
    walk.add(OUTER, start, body, lambda: OUTER_TAG.fields(data, start, view), f"IEEE 802.1ad, ID: {word & 0xFFF}")
    walk.lower.protocols.append("ethertype")
    return Next("ethertype", kind, body, end)


def dissect_llc(walk: Dissection, start: int, end: int) -> Next | None:
    """LLC (IEEE 802.2) and SNAP (IEEE 802): service access points, control, and the type that SNAP names."""
    data, view = walk.data, walk.view
    walk.columns("LLC", "Logical-Link Control")
    if not enough(data, start, end, 3):
        walk.add(LLC, start, end, [walk.missing(start, 3, end)])
        return None
    dsap, ssap, control = data[start:start + 3]
    # unnumbered frames have one byte of control, the others two
    wide = 1 if control & 3 == 3 else 2
    body = start + 2 + wide
    fields = [Field(DSAP, dsap, start, 1, view), Field(SSAP, ssap, start + 1, 1, view)]
    if not enough(data, start, end, body - start):
        walk.add(LLC, start, end, [*fields, walk.missing(start + 2, wide, end)])
        return None
    fields.append(Field(CONTROL, int.from_bytes(data[start + 2:body], "little"), start + 2, wide, view))
    walk.add(LLC, start, body, fields, f"Logical-Link Control, DSAP: {SAPS.get(dsap, f'0x{dsap:02x}')}, SSAP: {SAPS.get(ssap, f'0x{ssap:02x}')}")
    walk.columns("STP" if dsap == 0x42 else "LLC", SAPS.get(dsap, f"DSAP 0x{dsap:02x}"))
    if (dsap | 1, ssap | 1) != (0xAB, 0xAB):
        return Next("ip-in-llc", dsap, body, end)
    if not enough(data, body, end, 5):
        fields.append(walk.missing(body, 5, end))
        return None
    oui, kind = int.from_bytes(data[body:body + 3]), int.from_bytes(data[body + 3:body + 5])
    fields.append(Field(OUI, oui, body, 3, view))
    fields.append(Field(PID if oui else SNAP_TYPE, kind, body + 3, 2, view))
    walk.layers[-1].length = body + 5 - start
    return Next("snap" if oui else "ethertype", kind, body + 5, end)
