"""The PROXY protocol's header: how long it is, and its fields.

Version 1 is a line of text of at most 107 bytes, version 2 binary with a signature of 12 bytes, the length of the rest in 2 bytes, addresses, and
extensions (type, length of 2 bytes, value); all big-endian. Source: HAProxy, "The PROXY protocol", versions 1 and 2 (2020/03/05). Field names are
Wireshark's.
"""
from __future__ import annotations

from typing import NamedTuple

from protocols.decoder import MORE, REFUSED, Answer
from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec, generated
from protocols.lower.header_tables import address

__all__ = ["LONGEST", "SIGNATURE", "SPECS", "Ends", "dissect", "ends", "length"]

WORD = b"PROXY "
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
LONGEST = 107
"""Bytes of the longest line of version 1."""
FIXED = 16
"""Bytes of version 2 before the addresses."""
COMMANDS = {0: "LOCAL", 1: "PROXY"}
FAMILIES = {0: "unspecified", 1: "IPv4", 2: "IPv6", 3: "UNIX"}
TRANSPORTS = {0: "unspecified", 1: "stream", 2: "datagram"}
BOTH = {0x00: "unspecified", 0x11: "TCP over IPv4", 0x12: "UDP over IPv4", 0x21: "TCP over IPv6", 0x22: "UDP over IPv6", 0x31: "UNIX stream",
        0x32: "UNIX datagram"}
TYPES = {0x01: "ALPN", 0x02: "AUTHORITY", 0x03: "CRC32C", 0x04: "NOOP", 0x05: "UNIQUE_ID", 0x20: "SSL", 0x21: "SSL VERSION", 0x22: "SSL CN",
         0x23: "SSL CIPHER", 0x24: "SSL SIG ALG", 0x25: "SSL KEY ALG", 0x30: "NETNS", 0xEA: "AWS", 0xEE: "AZURE"}
SSL = 0x20

ROOT = Spec("proxy", "PROXY Protocol", "protocol")
VERSION = Spec("proxy.version", "Version", "uint8")
SOURCE4, DESTINATION4 = Spec("proxy.src.ipv4", "Source address", "ipv4"), Spec("proxy.dst.ipv4", "Destination address", "ipv4")
SOURCE6, DESTINATION6 = Spec("proxy.src.ipv6", "Source address", "ipv6"), Spec("proxy.dst.ipv6", "Destination address", "ipv6")
SOURCE_PORT, DESTINATION_PORT = Spec("proxy.srcport", "Source port", "uint16"), Spec("proxy.dstport", "Destination port", "uint16")
LINE = Spec("proxy.v1.line", "Line", "string", about="The whole header of version 1, without its line end")
WORD_FIELD = Spec("proxy.v1.magic", "PROXY v1 magic", "none")
PROTO = Spec("proxy.v1.proto", "Protocol", "string", about="Family and transport of what is passed on: TCP4, TCP6, UNKNOWN")
UNKNOWN1 = Spec("proxy.v1.unknown", "Unknown data", "string")
MAGIC = Spec("proxy.v2.magic", "Magic", "bytes")
VERSION2 = Spec("proxy.v2.version", "Version", "uint8", mask=0xF0)
COMMAND = Spec("proxy.v2.cmd", "Command", "uint8", COMMANDS, mask=0x0F, about="LOCAL: the balancer speaks for itself, a health check say")
FAMILY_TRANSPORT = Spec("proxy.v2.addr_family_protocol", "Address family and protocol", "uint8", BOTH, base="hex")
FAMILY = Spec("proxy.v2.addr_family", "Address family", "uint8", FAMILIES, mask=0xF0)
TRANSPORT = Spec("proxy.v2.protocol", "Protocol", "uint8", TRANSPORTS, mask=0x0F)
LENGTH = Spec("proxy.v2.length", "Length", "uint16", about="Bytes of addresses and extensions")
SOURCE_UNIX, DESTINATION_UNIX = Spec("proxy.v2.src.unix", "Source address", "bytes"), Spec("proxy.v2.dst.unix", "Destination address", "bytes")
UNKNOWN2 = Spec("proxy.v2.unknown", "Unknown data", "bytes")
TLV = Spec("proxy.v2.tlv", "TLV")
TLV_TYPE = Spec("proxy.v2.tlv.type", "Type", "uint8", TYPES, base="hex")
TLV_LENGTH = Spec("proxy.v2.tlv.length", "Length", "uint16")
TLV_VALUE = Spec("proxy.v2.tlv.value", "Value", "bytes")
SSL_CLIENT = Spec("proxy.v2.tlv.ssl.client", "Client", "uint8", base="hex", about="0x01: over TLS; 0x02: with a certificate now; 0x04: once before")
SSL_VERIFY = Spec("proxy.v2.tlv.ssl.verify", "Verify", "uint32", base="hex", about="0: the client's certificate was verified")
_SSL_TEXT = {0x21: Spec("proxy.v2.tlv.ssl.version", "Version", "string"), 0x22: Spec("proxy.v2.tlv.ssl.cn", "CN", "string"),
             0x23: Spec("proxy.v2.tlv.ssl.cipher", "Cipher", "string"), 0x24: Spec("proxy.v2.tlv.ssl.sig_alg", "SIG ALG", "string"),
             0x25: Spec("proxy.v2.tlv.ssl.keu_alg", "Key ALG", "string")}
SPECS = (ROOT, VERSION, SOURCE4, DESTINATION4, SOURCE6, DESTINATION6, SOURCE_PORT, DESTINATION_PORT, LINE, WORD_FIELD, PROTO, UNKNOWN1, MAGIC, VERSION2,
         COMMAND, FAMILY_TRANSPORT, FAMILY, TRANSPORT, LENGTH, SOURCE_UNIX, DESTINATION_UNIX, UNKNOWN2, TLV, TLV_TYPE, TLV_LENGTH, TLV_VALUE, SSL_CLIENT,
         SSL_VERIFY, *_SSL_TEXT.values())
_FAMILY_SPECS = {1: (4, SOURCE4, DESTINATION4), 2: (16, SOURCE6, DESTINATION6), 3: (108, SOURCE_UNIX, DESTINATION_UNIX)}
"""By family: bytes of an address, and the fields of source and destination."""


class Ends(NamedTuple):
    """What a header says: its version, its command (LOCAL, PROXY), the proxied connection's ends as text, "" where it does not tell."""

    version: int
    command: str
    source: str = ""
    destination: str = ""
    source_host: str = ""


def length(data: bytes) -> int | Answer:
    """Length of the header that `data` starts with, MORE when it is not all there, REFUSED when it starts with none."""
    if data.startswith(WORD):
        end = data.find(b"\r\n", 0, LONGEST)
        if end >= 0:
            return end + 2 if data[6:end].split(b" ")[0] in (b"TCP4", b"TCP6", b"UNKNOWN") else REFUSED
        return MORE if len(data) < LONGEST else REFUSED
    if data.startswith(SIGNATURE):
        if len(data) > 12 and data[12] >> 4 != 2:
            return REFUSED
        return FIXED + int.from_bytes(data[14:16], "big") if len(data) >= FIXED else MORE
    return MORE if data and (WORD.startswith(data) or SIGNATURE.startswith(data)) else REFUSED


def ends(data: bytes, start: int, end: int) -> Ends:
    """What the header at `start` says, as far as it is there."""
    first = data.startswith(WORD, start)
    found: dict[Spec, object] = {}
    for one in f.walk(_line(data, start, end, 0) if first else _binary(data, start, end, 0)):
        found.setdefault(one.spec, one.value)
    command = "PROXY" if first else COMMANDS.get(data[start + 12] & 15, f"command {data[start + 12] & 15}") if end - start > 12 else ""
    hosts = [next((str(found[spec]) for spec in specs if spec in found), "") for specs in ((SOURCE4, SOURCE6), (DESTINATION4, DESTINATION6))]
    source, destination = (f"[{host}]:{found[spec]}" if ":" in host and spec in found else f"{host}:{found[spec]}" if host and spec in found else host
                           for host, spec in zip(hosts, (SOURCE_PORT, DESTINATION_PORT), strict=True))
    return Ends(1 if first else 2, command, source, destination, hosts[0])


def dissect(data: bytes, start: int, end: int, view: int) -> list[Field]:
    """The fields of the header `data[start:end]`."""
    if not data.startswith(WORD, start):
        return [generated(VERSION, 2, at=start, view=view), *_binary(data, start, end, view)]
    text = str(data[start:end], "ascii", "replace").rstrip("\r\n")
    return [generated(VERSION, 1, at=start, view=view), Field(LINE, text, start, end - start, view, lambda: _line(data, start, end, view))]


def _line(data: bytes, start: int, end: int, view: int) -> list[Field]:
    """The words of version 1: PROXY, family, source, destination, ports."""
    parts = data[start:end].rstrip(b"\r\n").split(b" ")
    out = [Field(WORD_FIELD, None, start, len(parts[0]), view)]
    at = start + len(parts[0]) + 1
    if len(parts) > 1:
        out.append(Field(PROTO, str(parts[1], "ascii", "replace"), at, len(parts[1]), view))
        at += len(parts[1]) + 1
    family = {b"TCP4": (SOURCE4, DESTINATION4), b"TCP6": (SOURCE6, DESTINATION6)}.get(parts[1] if len(parts) > 1 else b"", ())
    specs = (*family, SOURCE_PORT, DESTINATION_PORT) if family else ()
    for number, part in enumerate(parts[2:]):
        text = str(part, "ascii", "replace")
        spec = specs[number] if number < len(specs) else UNKNOWN1
        if spec.type == "uint16" and text.isdecimal() and len(text) < 6:
            out.append(Field(spec, int(text), at, len(part), view))
        elif part:
            out.append(Field(UNKNOWN1 if spec.type == "uint16" else spec, text, at, len(part), view))
        at += len(part) + 1
    return out


def _binary(data: bytes, start: int, end: int, view: int) -> list[Field]:
    """Version 2: signature, command, family, length, addresses, extensions."""
    if end - start < FIXED:
        return [f.raw(data, start, end, view)]
    at = start + FIXED
    command, family = data[start + 12], data[start + 13]
    both = [Field(FAMILY, family >> 4, start + 13, 1, view), Field(TRANSPORT, family & 15, start + 13, 1, view)]
    out = [Field(MAGIC, data[start:start + 12], start, 12, view), Field(VERSION2, command >> 4, start + 12, 1, view),
           Field(COMMAND, command & 15, start + 12, 1, view), Field(FAMILY_TRANSPORT, family, start + 13, 1, view, both),
           Field(LENGTH, int.from_bytes(data[start + 14:at], "big"), start + 14, 2, view)]
    width, *specs = _FAMILY_SPECS.get(family >> 4, (0,))
    if not width or end - at < 2 * width + (4 if width < 108 else 0):
        if end > at:
            out.append(Field(UNKNOWN2, data[at:end], at, end - at, view))
        return out
    for spec in specs:
        out.append(Field(spec, address(spec.type, data[at:at + width]) if width < 108 else data[at:at + width], at, width, view))
        at += width
    for spec in (SOURCE_PORT, DESTINATION_PORT) if width < 108 else ():
        out.append(Field(spec, int.from_bytes(data[at:at + 2], "big"), at, 2, view))
        at += 2
    return out + _extensions(data, at, end, view)


def _extensions(data: bytes, at: int, end: int, view: int) -> list[Field]:
    """Extensions from `at` to `end`; those of SSL hold more of them."""
    out: list[Field] = []
    while end - at >= 3 and at + 3 + (size := int.from_bytes(data[at + 1:at + 3], "big")) <= end:
        kind, value, stop = data[at], at + 3, at + 3 + size
        below = [Field(TLV_TYPE, kind, at, 1, view), Field(TLV_LENGTH, size, at + 1, 2, view)]
        if kind == SSL and size >= 5:
            below += [Field(SSL_CLIENT, data[value], value, 1, view), Field(SSL_VERIFY, int.from_bytes(data[value + 1:value + 5], "big"), value + 1, 4, view),
                      *_extensions(data, value + 5, stop, view)]
        elif kind in _SSL_TEXT:
            below.append(Field(_SSL_TEXT[kind], str(data[value:stop], "utf-8", "replace"), value, size, view))
        elif size:
            below.append(Field(TLV_VALUE, data[value:stop], value, size, view))
        name = TYPES.get(kind, f"type 0x{kind:02x}")
        text = f' "{data[value:stop].decode("ascii", "replace")}"' if kind in (0x01, 0x02, 0x30) else ""
        out.append(f.group(TLV, at, stop, below, f"TLV {name}: {size} byte{'' if size == 1 else 's'}{text}", view))
        at = stop
    if at < end:
        out.append(f.malformed(at, "no extension fits in what is left", end, view))
    return out
