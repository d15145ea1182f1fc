"""What may stand between the link and IP: FDDI, Cisco HDLC, PPP (RFC 1661, 1662), PPPoE (RFC 2516), MPLS labels (RFC 3032)."""
from __future__ import annotations

from protocols.engine.fields import Field, Spec
from protocols.lower.ethernet import ETHERTYPES
from protocols.lower.header_tables import Place, address, enough, places
from protocols.lower.layer import Dissection, Next

PPP_TYPES = {
    0x0021: "Internet Protocol version 4", 0x0057: "Internet Protocol version 6", 0x8021: "Internet Protocol Control Protocol",
    0x8057: "IPv6 Control Protocol", 0xC021: "Link Control Protocol", 0xC023: "Password Authentication Protocol",
    0xC223: "Challenge Handshake Authentication Protocol",
}
SLARP = 0x8035     # the number that Ethernet gives to RARP
PPP = Spec("ppp", "Point-to-Point Protocol", "protocol")
PPP_ADDRESS = Spec("ppp.address", "Address", "uint8", base="hex")
PPP_CONTROL = Spec("ppp.control", "Control", "uint8", base="hex")
PPP_PROTOCOL = Spec("ppp.protocol", "Protocol", "uint16", PPP_TYPES, base="hex")
PPPOE = Spec("pppoe", "PPP-over-Ethernet Session", "protocol")
PPPOE_VERSION = Spec("pppoe.version", "Version", "uint8", mask=0xF0)
PPPOE_TYPE = Spec("pppoe.type", "Type", "uint8", mask=0x0F)
PPPOE_CODE = Spec("pppoe.code", "Code", "uint8", {0: "Session Data"}, base="hex")
PPPOE_SESSION = Spec("pppoe.session_id", "Session ID", "uint16", base="hex")
PPPOE_LENGTH = Spec("pppoe.payload_length", "Payload Length", "uint16")
MPLS = Spec("mpls", "MultiProtocol Label Switching Header", "protocol")
LABEL = Spec("mpls.label", "MPLS Label", "uint32", mask=0xFFFFF000)
EXPERIMENTAL = Spec("mpls.exp", "MPLS Experimental Bits", "uint32", mask=0x00000E00)
BOTTOM = Spec("mpls.bottom", "MPLS Bottom Of Label Stack", "uint32", mask=0x00000100)
LABEL_TTL = Spec("mpls.ttl", "MPLS TTL", "uint32", mask=0x000000FF)
FDDI = Spec("fddi", "Fiber Distributed Data Interface", "protocol")
FDDI_CONTROL = Spec("fddi.fc", "Frame Control", "uint8", base="hex")
FDDI_DESTINATION = Spec("fddi.dst", "Destination", "ether")
FDDI_SOURCE = Spec("fddi.src", "Source", "ether")
CHDLC = Spec("chdlc", "Cisco HDLC", "protocol")
CHDLC_ADDRESS = Spec("chdlc.address", "Address", "uint8", {0x0F: "Unicast", 0x8F: "Multicast"}, base="hex")
CHDLC_CONTROL = Spec("chdlc.control", "Control", "uint8", base="hex")
CHDLC_PROTOCOL = Spec("chdlc.protocol", "Protocol", "uint16", {**ETHERTYPES, SLARP: "SLARP"}, base="hex")
SPECS = (
    CHDLC, CHDLC_ADDRESS, CHDLC_CONTROL, CHDLC_PROTOCOL,
    PPP, PPP_ADDRESS, PPP_CONTROL, PPP_PROTOCOL, PPPOE, PPPOE_VERSION, PPPOE_TYPE, PPPOE_CODE, PPPOE_SESSION, PPPOE_LENGTH, MPLS, LABEL, EXPERIMENTAL, BOTTOM,
    LABEL_TTL, FDDI, FDDI_CONTROL, FDDI_DESTINATION, FDDI_SOURCE,
)
TO_TYPE = {0x0021: 0x0800, 0x0057: 0x86DD}


def _short(walk: Dissection, spec: Spec, size: int, start: int, end: int) -> bool:
    """Add the node of a header that is not all there."""
    if enough(walk.data, start, end, size):
        return False
    walk.columns(spec.name.upper(), spec.label)
    walk.add(spec, start, end, [walk.missing(start, size, end)])
    return True


def ppp(walk: Dissection, start: int, end: int) -> Next | None:
    """Address and control (which may be left out), then the protocol."""
    data, view = walk.data, walk.view
    addressed = data[start:start + 2] == b"\xff\x03"
    # a protocol whose first byte is odd is compressed to that byte (RFC 1661 section 2)
    at = start + 2 * addressed
    width = 1 if at < len(data) and data[at] & 1 else 2
    size = 2 * addressed + width
    if _short(walk, PPP, size, start, end):
        return None
    layout = (*((Place(PPP_ADDRESS, 1), Place(PPP_CONTROL, 1)) if addressed else ()), Place(PPP_PROTOCOL, width))
    fields = places(layout, data, start, end, view)
    kind = fields[-1].value
    walk.columns("PPP", PPP_TYPES.get(kind, f"Protocol 0x{kind:04x}"))
    walk.add(PPP, start, start + size, fields)
    return Next("ethertype", TO_TYPE[kind], start + size, end) if kind in TO_TYPE else Next("data", 0, start + size, end)


def pppoe(walk: Dissection, start: int, end: int) -> Next | None:
    """A PPPoE session's header; a PPP frame without address and control follows."""
    data, view = walk.data, walk.view
    if _short(walk, PPPOE, 6, start, end):
        return None
    version = data[start]
    fields = [Field(PPPOE_VERSION, version >> 4, start, 1, view), Field(PPPOE_TYPE, version & 15, start, 1, view)]
    fields += places((Place(PPPOE_CODE, 1), Place(PPPOE_SESSION, 2), Place(PPPOE_LENGTH, 2)), data, start + 1, end, view)
    walk.columns("PPPoES", f"Session 0x{fields[3].value:04x}")
    walk.add(PPPOE, start, start + 6, fields, name="pppoes")
    return Next("ppp", 0, start + 6, min(end, start + 6 + int(fields[4].value)))


def mpls(walk: Dissection, start: int, end: int) -> Next | None:
    """One label; what follows the last is IP when its first four bits say so."""
    data, view = walk.data, walk.view
    if _short(walk, MPLS, 4, start, end):
        return None
    word, body = int.from_bytes(data[start:start + 4]), start + 4
    fields = [Field(spec, (word & spec.mask) >> (spec.mask & -spec.mask).bit_length() - 1, start, 4, view) for spec in (LABEL, EXPERIMENTAL, BOTTOM, LABEL_TTL)]
    label, exp, bottom, ttl = (one.value for one in fields)
    text = f"MultiProtocol Label Switching Header, Label: {label}, Exp: {exp}, S: {bottom}, TTL: {ttl}"
    walk.columns("MPLS", text[39:])
    walk.add(MPLS, start, body, fields, text)
    if not bottom:
        return Next("ethertype", 0x8847, body, end)
    version = data[body] >> 4 if body < len(data) else 0
    return Next("ethertype", {4: 0x0800, 6: 0x86DD}.get(version, 0), body, end)


def fddi(walk: Dissection, start: int, end: int) -> Next | None:
    """FDDI's frame control and addresses; LLC follows."""
    data, view = walk.data, walk.view
    if _short(walk, FDDI, 13, start, end):
        return None
    walk.ends(address("ether", data[start + 7:start + 13]), address("ether", data[start + 1:start + 7]))
    walk.columns("FDDI", "Fiber Distributed Data Interface")
    walk.add(FDDI, start, start + 13, places((Place(FDDI_CONTROL, 1), Place(FDDI_DESTINATION, 6), Place(FDDI_SOURCE, 6)), data, start, end, view))
    walk.covered = len(data)
    return Next("llc", 0, start + 13, end)


def chdlc(walk: Dissection, start: int, end: int) -> Next | None:
    """Cisco HDLC: address, control, an EtherType; SLARP, its keepalives, is left as data."""
    data = walk.data
    if _short(walk, CHDLC, 4, start, end):
        return None
    fields = places((Place(CHDLC_ADDRESS, 1), Place(CHDLC_CONTROL, 1), Place(CHDLC_PROTOCOL, 2)), data, start, end, walk.view)
    kind = int(fields[2].value)
    walk.columns("SLARP" if kind == SLARP else "CHDLC", CHDLC_PROTOCOL.shown(kind))
    walk.add(CHDLC, start, start + 4, fields)
    return Next("data" if kind == SLARP else "ethertype", kind, start + 4, end)
