"""Links without a MAC header of their own: Linux cooked captures (LINKTYPE_LINUX_SLL, _SLL2), BSD loopback (NULL, LOOP), raw IP.

Formats: https://www.tcpdump.org/linktypes.html. NULL has the address family in the byte order of the machine that recorded
it; it is told by which order makes the family small.
"""
from __future__ import annotations

from collections.abc import Sequence

import dpkt

from protocols.engine.fields import Field, Spec
from protocols.lower.ethernet import ETHERTYPES
from protocols.lower.header_tables import Header, Part, address, enough
from protocols.lower.layer import Dissection, Next

PACKET_TYPES = {0: "Unicast to us", 1: "Broadcast", 2: "Multicast", 3: "Unicast to another host", 4: "Sent by us"}
HARDWARE = {1: "Ethernet", 6: "IEEE 802", 512: "PPP", 768: "IPIP tunnel", 769: "IPv6 tunnel", 772: "Loopback",
            778: "IP over GRE", 801: "IEEE 802.11", 65534: "None"}
FAMILIES = {2: "IP", 10: "IPv6", 24: "IPv6 NetBSD/OpenBSD/BSD/OS", 28: "IPv6 FreeBSD", 30: "IPv6 Darwin"}
FAMILY_TYPES = {2: 0x0800, 10: 0x86DD, 24: 0x86DD, 28: 0x86DD, 30: 0x86DD}

SLL = Spec("sll", "Linux cooked capture", "protocol")
PACKET_TYPE = Spec("sll.pkttype", "Packet type", "uint16", PACKET_TYPES)
HARDWARE_TYPE = Spec("sll.hatype", "Link-layer address type", "uint16", HARDWARE)
ADDRESS_LENGTH = Spec("sll.halen", "Link-layer address length", "uint16")
SOURCE_MAC = Spec("sll.src.eth", "Source", "ether")
SOURCE_IP = Spec("sll.src.ipv4", "Source", "ipv4")
SOURCE = Spec("sll.src.other", "Source", "bytes")
UNUSED = Spec("sll.unused", "Unused", "bytes")
TYPE = Spec("sll.etype", "Protocol", "uint16", ETHERTYPES, base="hex")
LINK_TYPE = Spec("sll.ltype", "Protocol", "uint16", {1: "Novell 802.3", 4: "802.2 LLC", 12: "CAN"}, base="hex")
INTERFACE = Spec("sll.ifindex", "Interface index", "uint32")
TRAILER = Spec("sll.trailer", "Trailer", "bytes")
NULL = Spec("null", "Null/Loopback", "protocol")
FAMILY = Spec("null.family", "Family", "uint32", FAMILIES)
NULL_TYPE = Spec("null.type", "Type", "uint16", ETHERTYPES, base="hex")
RAW = Spec("raw", "Raw packet data", "protocol")
SPECS = (SLL, PACKET_TYPE, HARDWARE_TYPE, ADDRESS_LENGTH, SOURCE_MAC, SOURCE_IP, SOURCE, UNUSED, TYPE, LINK_TYPE, INTERFACE, TRAILER,
         NULL, FAMILY, NULL_TYPE, RAW)

V1 = Header(dpkt.sll.SLL, (Part("type", PACKET_TYPE), Part("hrd", HARDWARE_TYPE), Part("hlen", ADDRESS_LENGTH)))
V1_TYPE = Header(dpkt.sll.SLL, (Part("ethtype", TYPE),))
V1_LINK_TYPE = Header(dpkt.sll.SLL, (Part("ethtype", LINK_TYPE),))
V2 = Header(dpkt.sll2.SLL2, (
    Part("ethtype", TYPE), Part("mbz", UNUSED), Part("intindex", INTERFACE), Part("hrd", HARDWARE_TYPE), Part("type", PACKET_TYPE),
    Part("hlen", ADDRESS_LENGTH),
))


def sender(data: bytes, at: int, hardware: int, length: int, view: int) -> list[Field]:
    """The 8 bytes of a sender's address, of which `length` count."""
    length = min(length, 8)
    out = []
    if length == 6:
        out.append(Field(SOURCE_MAC, address("ether", data[at:at + 6]), at, 6, view))
    elif length == 4 and hardware in (768, 778):
        out.append(Field(SOURCE_IP, address("ipv4", data[at:at + 4]), at, 4, view))
    elif length:
        out.append(Field(SOURCE, data[at:at + length], at, length, view))
    if length < 8:
        out.append(Field(UNUSED, data[at + length:at + 8], at + length, 8 - length, view))
    return out


def dissect_sll(walk: Dissection, start: int, end: int) -> Next | None:
    """LINKTYPE_LINUX_SLL: 16 bytes, big-endian."""
    data, view = walk.data, walk.view
    walk.columns("SLL", "Linux cooked capture")
    if not enough(data, start, end, V1.size):
        fault = walk.missing(start, V1.size, end)
        walk.add(SLL, start, end, [*V1.fields(data, start, view), fault])
        return None
    _, hardware, length, source, kind = V1.unpack(data, start)
    walk.covered = len(data)
    typed = kind >= 0x600

    def children() -> Sequence[Field]:
        out = V1.fields(data, start, view) + sender(data, start + 6, hardware, length, view)
        return out + (V1_TYPE if typed else V1_LINK_TYPE).fields(data, start, view) + _trailer(data, walk.covered, view)

    walk.add(SLL, start, start + V1.size, children, "Linux cooked capture v1")
    if length == 6:
        walk.ends(address("ether", source[:6]), "")
    return _after(walk, typed, kind, start + V1.size, end)


def dissect_sll2(walk: Dissection, start: int, end: int) -> Next | None:
    """LINKTYPE_LINUX_SLL2: 20 bytes, big-endian, the protocol first."""
    data, view = walk.data, walk.view
    walk.columns("SLL", "Linux cooked capture")
    if not enough(data, start, end, V2.size):
        fault = walk.missing(start, V2.size, end)
        walk.add(SLL, start, end, [*V2.fields(data, start, view), fault])
        return None
    kind, _, _, hardware, _, length, source = V2.unpack(data, start)
    walk.covered = len(data)

    def children() -> Sequence[Field]:
        return V2.fields(data, start, view) + sender(data, start + 12, hardware, length, view) + _trailer(data, walk.covered, view)

    walk.add(SLL, start, start + V2.size, children, "Linux cooked capture v2")
    if length == 6:
        walk.ends(address("ether", source[:6]), "")
    return _after(walk, kind >= 0x600, kind, start + V2.size, end)


def _after(walk: Dissection, typed: bool, kind: int, start: int, end: int) -> Next:
    if not typed:
        return Next("llc" if kind == 4 else "data", 0, start, end)
    walk.lower.protocols.append("ethertype")
    return Next("ethertype", kind, start, end)


def _trailer(data: bytes, covered: int, view: int) -> list[Field]:
    return [Field(TRAILER, data[covered:], covered, len(data) - covered, view)] if covered < len(data) else []


def dissect_null(walk: Dissection, start: int, end: int) -> Next | None:
    """LINKTYPE_NULL and LINKTYPE_LOOP: 4 bytes of address family."""
    data, view = walk.data, walk.view
    walk.columns("NULL", "Null/Loopback")
    if not enough(data, start, end, 4):
        walk.add(NULL, start, end, [walk.missing(start, 4, end)])
        return None
    word = data[start:start + 4]
    family = min(int.from_bytes(word, "little"), int.from_bytes(word, "big"))
    walk.covered = len(data)
    walk.add(NULL, start, start + 4, [Field(FAMILY, family, start, 4, view)])
    return Next("ethertype", FAMILY_TYPES.get(family, 0), start + 4, end)


def dissect_raw(walk: Dissection, start: int, end: int) -> Next | None:
    """Raw IP: the first four bits are IP's version."""
    walk.covered = len(walk.data)
    version = walk.data[start] >> 4 if start < len(walk.data) else 4
    return Next("ethertype", {4: 0x0800, 6: 0x86DD}.get(version, 0), start, end)
