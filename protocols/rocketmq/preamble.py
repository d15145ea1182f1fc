"""The PROXY protocol header that a load balancer may put before the first frame of a connection.

Version 1 is a line of text, version 2 binary with a signature of 12 bytes. Source: HAProxy, "The PROXY protocol", versions 1 and 2 (2020/03/05).
"""
from __future__ import annotations

from protocols.decoder import MORE, REFUSED, Answer
from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec
from protocols.lower.header_tables import address
from protocols.rocketmq import tables as t

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
LONGEST = 107
"""Bytes of the longest line of version 1."""

LINE = Spec("rocketmq.proxy", "PROXY protocol", "string", about="Who the client behind a load balancer is")
SIGN = Spec("rocketmq.proxy.signature", "Signature", "bytes")
COMMAND = Spec("rocketmq.proxy.command", "Version and command", "uint8", {0x20: "2, LOCAL", 0x21: "2, PROXY"}, base="hex")
FAMILY = Spec("rocketmq.proxy.family", "Family", "string")
FAMILY_BYTE = Spec("rocketmq.proxy.family_code", "Family and transport", "uint8", base="hex", enum={
    0x00: "unspecified", 0x11: "TCP over IPv4", 0x12: "UDP over IPv4", 0x21: "TCP over IPv6", 0x22: "UDP over IPv6", 0x31: "UNIX stream",
    0x32: "UNIX datagram"})
LEN = Spec("rocketmq.proxy.len", "Length", "uint16")
SOURCE, DESTINATION = Spec("rocketmq.proxy.src", "Source", "ipv4"), Spec("rocketmq.proxy.dst", "Destination", "ipv4")
SOURCE6, DESTINATION6 = Spec("rocketmq.proxy.src_v6", "Source", "ipv6"), Spec("rocketmq.proxy.dst_v6", "Destination", "ipv6")
SOURCE_PORT, DESTINATION_PORT = Spec("rocketmq.proxy.srcport", "Source port", "uint16"), Spec("rocketmq.proxy.dstport", "Destination port", "uint16")
TLV = Spec("rocketmq.proxy.tlv", "Extension", "bytes", about="Type, length of two bytes, value")
TLV_TYPE = Spec("rocketmq.proxy.tlv_type", "Type", "uint8", base="hex")
SPECS = (LINE, SIGN, COMMAND, FAMILY, FAMILY_BYTE, LEN, SOURCE, DESTINATION, SOURCE6, DESTINATION6, SOURCE_PORT, DESTINATION_PORT, TLV, TLV.length, TLV_TYPE)


def length(data: bytes) -> int | Answer:
    """Length of the PROXY header that `data` starts with, MORE when it is not all there, REFUSED when it starts with none."""
    if data.startswith(b"PROXY "):
        end = data.find(b"\r\n", 0, LONGEST)
        return end + 2 if end >= 0 else MORE if len(data) < LONGEST else REFUSED
    if data.startswith(SIGNATURE):
        return 16 + int.from_bytes(data[14:16], "big") if len(data) >= 16 else MORE
    return REFUSED


def skip(opening: bytes) -> bytes:
    """`opening` behind its PROXY header."""
    size = length(opening)
    return opening[size:] if isinstance(size, int) else opening


def words(data: bytes, start: int, end: int) -> str:
    """The header on one line."""
    if data.startswith(b"PROXY ", start):
        return str(data[start:end], "ascii", "replace").strip()
    values = {one.spec: one.value for one in _binary(data, start, end, 0)}
    source = values.get(SOURCE, values.get(SOURCE6))
    target = values.get(DESTINATION, values.get(DESTINATION6))
    if source is None or target is None:
        return "PROXY protocol 2"
    return f"PROXY protocol 2: {source} → {target}, ports {values.get(SOURCE_PORT)} → {values.get(DESTINATION_PORT)}"


def dissect(data: bytes, start: int, end: int, view: int) -> list[Field]:
    if data.startswith(b"PROXY ", start):
        return [Field(LINE, str(data[start:end], "ascii", "replace").rstrip("\r\n"), start, end - start, view, lambda: _line(data, start, end, view))]
    return [Field(LINE, words(data, start, end), start, end - start, view, _binary(data, start, end, view))]


def _line(data: bytes, start: int, end: int, view: int) -> list[Field]:
    """The words of version 1: PROXY, family, source, destination, ports."""
    out = []
    at = start
    parts = data[start:end].rstrip(b"\r\n").split(b" ")
    v6 = len(parts) > 1 and parts[1] == b"TCP6"
    specs = (None, FAMILY, SOURCE6 if v6 else SOURCE, DESTINATION6 if v6 else DESTINATION, SOURCE_PORT, DESTINATION_PORT)
    for spec, part in zip(specs, parts, strict=False):
        text = str(part, "ascii", "replace")
        if spec is not None and (spec.type != "uint16" or (text.isdecimal() and len(text) < 6)):
            out.append(Field(spec, int(text) if spec.type == "uint16" else text, at, len(part), view))
        at += len(part) + 1
    return out


def _binary(data: bytes, start: int, end: int, view: int) -> list[Field]:
    """Version 2: signature, command, family, length, addresses, extensions."""
    if end - start < 16:
        return [f.raw(data, start, end, view)]
    at = start + 16
    family = data[start + 13]
    out = [Field(SIGN, data[start:start + 12], start, 12, view), Field(COMMAND, data[start + 12], start + 12, 1, view),
           Field(FAMILY_BYTE, family, start + 13, 1, view), Field(LEN, int.from_bytes(data[start + 14:at], "big"), start + 14, 2, view)]
    width = {1: 4, 2: 16}.get(family >> 4, 0)
    if width and end - at >= 2 * width + 4:
        for spec in (SOURCE, DESTINATION) if width == 4 else (SOURCE6, DESTINATION6):
            out.append(Field(spec, address(spec.type, data[at:at + width]), at, width, view))
            at += width
        for spec in (SOURCE_PORT, DESTINATION_PORT):
            out.append(Field(spec, int.from_bytes(data[at:at + 2], "big"), at, 2, view))
            at += 2
        while end - at >= 3 and at + 3 + (size := int.from_bytes(data[at + 1:at + 3], "big")) <= end:
            below = [Field(TLV_TYPE, data[at], at, 1, view), Field(TLV.length, size, at + 1, 2, view)]
            out.append(Field(TLV, data[at + 3:at + 3 + size], at, 3 + size, view, below, f"Extension 0x{data[at]:02x}: {t.sized(size)}"))
            at += 3 + size
    if at < end:
        out.append(f.raw(data, at, end, view))
    return out
