"""ICMP (RFC 792, 950, 1191, 1256, 4884): messages, and in errors the packet that they quote, dissected in its place."""
from __future__ import annotations

import dpkt

from protocols.engine.fields import Field, Spec, raw
from protocols.lower.header_tables import Header, Part, Place, enough, places
from protocols.lower.layer import BAD, Dissection, Next, Sum, folded, status, status_spec, verify

ECHO_REPLY, UNREACHABLE, QUENCH, REDIRECT, ECHO, EXCEEDED, PROBLEM, TIMESTAMP = 0, 3, 4, 5, 8, 11, 12, 13
TYPES = {
    0: "Echo (ping) reply", 3: "Destination unreachable", 4: "Source quench (flow control)", 5: "Redirect", 6: "Alternate host address",
    8: "Echo (ping) request",
    9: "Router advertisement", 10: "Router solicitation", 11: "Time-to-live exceeded", 12: "Parameter problem", 13: "Timestamp request", 14: "Timestamp reply",
    15: "Information request", 16: "Information reply", 17: "Address mask request", 18: "Address mask reply", 40: "Photuris", 42: "Extended Echo request",
    43: "Extended Echo reply",
}
CODES = {
    UNREACHABLE: {
        0: "Network unreachable", 1: "Host unreachable", 2: "Protocol unreachable", 3: "Port unreachable", 4: "Fragmentation needed", 5: "Source route failed",
        6: "Destination network unknown", 7: "Destination host unknown", 8: "Source host isolated", 9: "Network administratively prohibited",
        10: "Host administratively prohibited", 11: "Network unreachable for TOS", 12: "Host unreachable for TOS",
        13: "Communication administratively filtered",
        14: "Host precedence violation", 15: "Precedence cutoff in effect",
    },
    REDIRECT: {0: "Redirect for network", 1: "Redirect for host", 2: "Redirect for TOS and network", 3: "Redirect for TOS and host"},
    9: {0: "Normal router advertisement", 16: "Does not route common traffic"},
    EXCEEDED: {0: "Time to live exceeded in transit", 1: "Fragment reassembly time exceeded"},
    PROBLEM: {0: "Pointer indicates the error", 1: "Required option missing", 2: "Bad length"},
}
ICMP = Spec("icmp", "Internet Control Message Protocol", "protocol")
TYPE = Spec("icmp.type", "Type", "uint8", TYPES)
CODE = Spec("icmp.code", "Code", "uint8")
CHECKSUM = Spec("icmp.checksum", "Checksum", "uint16", base="hex")
CHECKSUM_STATUS = status_spec("icmp.checksum.status")
IDENT = Spec("icmp.ident", "Identifier (BE)", "uint16", show=lambda n: f"{n} (0x{n:04x})")
IDENT_LE = Spec("icmp.ident_le", "Identifier (LE)", "uint16", show=lambda n: f"{n} (0x{n:04x})", about="The identifier read in little-endian order")
SEQ = Spec("icmp.seq", "Sequence Number (BE)", "uint16", show=lambda n: f"{n} (0x{n:04x})")
SEQ_LE = Spec("icmp.seq_le", "Sequence Number (LE)", "uint16", show=lambda n: f"{n} (0x{n:04x})", about="The number read in little-endian order")
UNUSED = Spec("icmp.unused", "Unused", "bytes")
LENGTH = Spec("icmp.length", "Length", "uint8", about="Length of the quoted packet in units of 4 bytes (RFC 4884)")
MTU = Spec("icmp.mtu", "MTU of next hop", "uint16")
GATEWAY = Spec("icmp.redir_gw", "Gateway Address", "ipv4")
POINTER = Spec("icmp.pointer", "Pointer", "uint32")
ADDRESSES = Spec("icmp.num_addrs", "Number of addresses", "uint8")
ENTRY = Spec("icmp.addr_entry_size", "Address entry size", "uint8")
LIFETIME = Spec("icmp.lifetime", "Lifetime", "uint16")
ROUTER = Spec("icmp.router_address", "Router address", "ipv4")
PREFERENCE = Spec("icmp.pref_level", "Preference level", "int32")
ORIGINATE = Spec("icmp.originate_timestamp", "Originate Timestamp", "uint32")
RECEIVE = Spec("icmp.receive_timestamp", "Receive Timestamp", "uint32")
TRANSMIT = Spec("icmp.transmit_timestamp", "Transmit Timestamp", "uint32")
MASK = Spec("icmp.address_mask", "Address Mask", "ipv4")
SPECS = (
    ICMP, TYPE, CODE, CHECKSUM, CHECKSUM_STATUS, IDENT, IDENT_LE, SEQ, SEQ_LE, UNUSED, LENGTH, MTU, GATEWAY, POINTER, ADDRESSES, ENTRY, LIFETIME, ROUTER,
    PREFERENCE, ORIGINATE, RECEIVE, TRANSMIT, MASK,
)
HEADER = Header(dpkt.icmp.ICMP, (Part("type", TYPE), Part("code", CODE), Part("sum", CHECKSUM)))
ERRORS = frozenset((UNREACHABLE, QUENCH, REDIRECT, EXCEEDED, PROBLEM))
NUMBERED = frozenset((0, 8, 13, 14, 15, 16, 17, 18))
LEAST = 8
STAMPS = (Place(ORIGINATE, 4), Place(RECEIVE, 4), Place(TRANSMIT, 4))
SECOND: dict[int, tuple[Place, ...]] = {
    UNREACHABLE: (Place(UNUSED, 4),), QUENCH: (Place(UNUSED, 4),), EXCEEDED: (Place(UNUSED, 4),),
    REDIRECT: (Place(GATEWAY, 4),), PROBLEM: (Place(POINTER, 1), Place(LENGTH, 1), Place(UNUSED, 2)),
    9: (Place(ADDRESSES, 1), Place(ENTRY, 1), Place(LIFETIME, 2)), 10: (Place(UNUSED, 4),),
}


def dissect(walk: Dissection, start: int, end: int) -> Next | None:
    """The eight bytes that every message has, then what its type holds."""
    data, view = walk.data, walk.view
    walk.columns("ICMP", "Internet Control Message Protocol")
    if not enough(data, start, end, HEADER.size):
        fault = walk.missing(start, HEADER.size, end)
        walk.add(ICMP, start, end, [*HEADER.fields(data, start, view), fault])
        return None
    kind, code, check = HEADER.unpack(data, start)
    last = min(end, len(data))
    name, reason = TYPES.get(kind, f"Unknown ({kind})"), CODES.get(kind, {}).get(code, "")
    info = f"{name:<20} ({reason})" if reason else f"{name:<20}"
    if kind in (ECHO, ECHO_REPLY) and last - start >= LEAST:
        sequence = int.from_bytes(data[start + 6:start + 8])
        info += f" id=0x{int.from_bytes(data[start + 4:start + 6]):04x}, seq={sequence}/{swapped(sequence)}, ttl={walk.ttl}"
    walk.columns("ICMP", info, "note" if kind in ERRORS else "")
    broken = walk.network is not None and walk.network.fragment
    verdict = verify(check, folded(data[start:end])) if end <= len(data) and not broken and not walk.quoted else Sum(2, "[unverified]")
    walk.worse("error" if verdict.status == BAD else "")

    out = HEADER.fields(data, start, view)
    out[1]._text = f"Code: {code}" + (f" ({reason})" if reason else "")
    out[2]._text = f"Checksum: 0x{check:04x} {verdict.text}"
    out.append(status(CHECKSUM_STATUS, verdict, start + 2, view))
    walk.add(ICMP, start, end, out)
    body = start + LEAST
    if last < body:
        out.append(walk.missing(start + HEADER.size, LEAST - HEADER.size, end))
    if kind in NUMBERED:
        for at, big, little in ((start + 4, IDENT, IDENT_LE), (start + 6, SEQ, SEQ_LE)):
            if at + 2 <= last:
                value = int.from_bytes(data[at:at + 2])
                out.extend((Field(big, value, at, 2, view), Field(little, swapped(value), at, 2, view)))
        if kind in (TIMESTAMP, TIMESTAMP + 1):
            out.extend(places(STAMPS, data, body, last, view))
        elif kind in (17, 18):
            out.extend(places((Place(MASK, 4),), data, body, last, view))
    elif kind == UNREACHABLE and code == 4:
        out.extend(places((Place(UNUSED, 2), Place(MTU, 2)), data, start + 4, last, view))
    elif kind in SECOND:
        out.extend(places(SECOND[kind], data, start + 4, last, view))
        if kind == 9 and last > body and data[start + 5] >= 2:
            step = data[start + 5] * 4
            for at in range(body, min(last, body + data[start + 4] * step) - 7, step):
                out.extend(places((Place(ROUTER, 4), Place(PREFERENCE, 4)), data, at, last, view))
    remaining(walk, out, 0x0800 if kind in ERRORS else 0, start + HEADER.size, body, end)
    return None


def remaining(walk: Dissection, out: list[Field], quote: int, at: int, body: int, end: int) -> None:
    """Behind the fields read so far in `out`: the quoted packet of ethertype `quote` from `body` on, or data."""
    data, view = walk.data, walk.view
    last = min(end, len(data))
    now = max([at, *(one.end for one in out)])
    if quote and body < last and now <= body:
        if now < body:
            out.append(raw(data, now, body, view))
        inner = walk.quotes(walk, Next("ethertype", quote, body, end))
        out.extend(inner)
        now = max([body, *(one.end for one in inner)])
        return_to = max((one.end for layer in inner for one in layer.fields if one.view == view), default=now)
        now = max(now, return_to)
    if now < last:
        out.append(raw(data, now, last, view, f"Data ({last - now:,} {'byte' if last - now == 1 else 'bytes'})"))


def swapped(value: int) -> int:
    """A 16-bit number read in the other byte order."""
    return value >> 8 | (value & 0xFF) << 8

