"""ARP (RFC 826), with the addresses of any hardware and protocol; RARP has the same layout."""
from __future__ import annotations

from collections.abc import Sequence

import dpkt

from protocols.engine.fields import Field, Spec, generated
from protocols.lower.ethernet import ETHERTYPES
from protocols.lower.header_tables import Header, Part, address, enough
from protocols.lower.layer import Dissection, Next

HARDWARE = {1: "Ethernet", 6: "IEEE 802", 7: "ARCNET", 15: "Frame Relay", 16: "ATM", 24: "IEEE 1394", 32: "InfiniBand"}
OPCODES = {1: "request", 2: "reply", 3: "reverse request", 4: "reverse reply", 8: "inverse request", 9: "inverse reply", 10: "NAK"}

ARP = Spec("arp", "Address Resolution Protocol", "protocol")
HARDWARE_TYPE = Spec("arp.hw.type", "Hardware type", "uint16", HARDWARE)
PROTOCOL_TYPE = Spec("arp.proto.type", "Protocol type", "uint16", ETHERTYPES, base="hex")
HARDWARE_SIZE = Spec("arp.hw.size", "Hardware size", "uint8")
PROTOCOL_SIZE = Spec("arp.proto.size", "Protocol size", "uint8")
OPCODE = Spec("arp.opcode", "Opcode", "uint16", OPCODES)
GRATUITOUS = Spec("arp.isgratuitous", "Is gratuitous", "bool")
PROBE = Spec("arp.isprobe", "Is probe", "bool")
ANNOUNCEMENT = Spec("arp.isannouncement", "Is announcement", "bool")
SENDER_MAC = Spec("arp.src.hw_mac", "Sender MAC address", "ether")
SENDER_HARDWARE = Spec("arp.src.hw", "Sender hardware address", "bytes")
SENDER_IP = Spec("arp.src.proto_ipv4", "Sender IP address", "ipv4")
SENDER_PROTOCOL = Spec("arp.src.proto", "Sender protocol address", "bytes")
TARGET_MAC = Spec("arp.dst.hw_mac", "Target MAC address", "ether")
TARGET_HARDWARE = Spec("arp.dst.hw", "Target hardware address", "bytes")
TARGET_IP = Spec("arp.dst.proto_ipv4", "Target IP address", "ipv4")
TARGET_PROTOCOL = Spec("arp.dst.proto", "Target protocol address", "bytes")
SPECS = (
    ARP, HARDWARE_TYPE, PROTOCOL_TYPE, HARDWARE_SIZE, PROTOCOL_SIZE, OPCODE, GRATUITOUS, PROBE, ANNOUNCEMENT, SENDER_MAC, SENDER_HARDWARE, SENDER_IP,
    SENDER_PROTOCOL, TARGET_MAC, TARGET_HARDWARE, TARGET_IP, TARGET_PROTOCOL,
)
HEADER = Header(dpkt.arp.ARP, (
    Part("hrd", HARDWARE_TYPE), Part("pro", PROTOCOL_TYPE), Part("hln", HARDWARE_SIZE), Part("pln", PROTOCOL_SIZE), Part("op", OPCODE),
))
FIXED = 8
ANY, NOBODY = "0.0.0.0", "00:00:00:00:00:00"


def dissect(walk: Dissection, start: int, end: int) -> Next | None:
    """ARP's fixed 8 bytes, then two pairs of addresses of the sizes that it states."""
    data, view = walk.data, walk.view
    walk.columns("ARP", "Address Resolution Protocol")
    if not enough(data, start, end, FIXED):
        fault = walk.missing(start, FIXED, end)
        walk.add(ARP, start, end, [*HEADER.fields(data, start, view), fault])
        return None
    fields = HEADER.fields(data, start, view)
    kind, protocol, hardware_size, protocol_size, opcode = (one.value for one in fields)
    size = FIXED + 2 * (hardware_size + protocol_size)
    name = OPCODES.get(opcode, f"opcode 0x{opcode:04x}")
    if not enough(data, start, end, size):
        walk.columns("ARP", name)
        walk.add(ARP, start, end, [*fields, walk.missing(start + FIXED, size - FIXED, end)], f"Address Resolution Protocol ({name})")
        return None
    ethernet, ip = kind in (1, 6) and hardware_size == 6, protocol == 0x0800 and protocol_size == 4
    at = start + FIXED
    for hardware, network in ((SENDER_MAC, SENDER_IP), (TARGET_MAC, TARGET_IP)):
        other, another = (SENDER_HARDWARE, SENDER_PROTOCOL) if hardware is SENDER_MAC else (TARGET_HARDWARE, TARGET_PROTOCOL)
        for known, spec, plain, count in ((ethernet, hardware, other, hardware_size), (ip, network, another, protocol_size)):
            part = data[at:at + count]
            if count:
                fields.append(Field(spec, address(spec.type, part), at, count, view) if known else Field(plain, part, at, count, view))
            at += count
    if ethernet and ip:
        fields[5:5] = _about(fields, opcode, at=start, view=view)
        info = _info(opcode, *(one.value for one in fields if one.length and one.start >= start + FIXED))
    else:
        info = name
    walk.columns("ARP" if protocol != 0x0800 or opcode not in (3, 4) else "RARP", info)
    walk.covered = min(walk.covered, at) if walk.covered else at
    walk.add(ARP, start, at, fields, f"Address Resolution Protocol ({name})")
    return None


def _about(fields: Sequence[Field], opcode: int, at: int, view: int) -> list[Field]:
    """Probe, gratuitous ARP and announcement (RFC 5227)."""
    _, sender, target_mac, target = (one.value for one in fields[5:9])
    out = []
    if opcode == 1 and sender == ANY:
        out.append(generated(PROBE, True, None, at, view))
    elif sender == target:
        out.append(generated(GRATUITOUS, True, None, at, view))
        if opcode == 1 and target_mac == NOBODY:
            out.append(generated(ANNOUNCEMENT, True, None, at, view))
    return out


def _info(opcode: int, sender_mac: str, sender: str, target_mac: str, target: str) -> str:
    """Wireshark's words."""
    if opcode == 1:
        if sender == ANY:
            return f"Who has {target}? (ARP Probe)"
        if sender == target:
            return f"ARP Announcement for {target}" if target_mac == NOBODY else f"Gratuitous ARP for {target} (Request)"
        return f"Who has {target}? Tell {sender}"
    if opcode == 2:
        return f"Gratuitous ARP for {sender} (Reply)" if sender == target else f"{sender} is at {sender_mac}"
    if opcode == 3:
        return f"Who is {target_mac}? Tell {sender_mac}"
    if opcode == 4:
        return f"{target_mac} is at {target}"
    return OPCODES.get(opcode, f"Unknown ARP opcode 0x{opcode:04x}")
