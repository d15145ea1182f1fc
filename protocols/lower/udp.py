"""UDP (RFC 768)."""
from __future__ import annotations

from collections.abc import Sequence

import dpkt

from protocols.engine.fields import Field, Spec, generated, raw
from protocols.lower.header_tables import Header, Part, enough
from protocols.lower.layer import ABSENT, BAD, Dissection, Next, Sum, status, status_spec, transport_sum
from protocols.lower.transport_words import udp_line

UDP = Spec("udp", "User Datagram Protocol", "protocol")
PORT = Spec("udp.port", "Source or Destination Port", "uint16")
SOURCE = Spec("udp.srcport", "Source Port", "uint16")
DESTINATION = Spec("udp.dstport", "Destination Port", "uint16")
LENGTH = Spec("udp.length", "Length", "uint16", about="Header and payload, in bytes")
CHECKSUM = Spec("udp.checksum", "Checksum", "uint16", base="hex")
CHECKSUM_STATUS = status_spec("udp.checksum.status")
STREAM = Spec("udp.stream", "Stream index", "uint32")
PAYLOAD = Spec("udp.payload", "UDP payload", "bytes")
SPECS = (UDP, SOURCE, DESTINATION, PORT, LENGTH, CHECKSUM, CHECKSUM_STATUS, STREAM, PAYLOAD)

HEADER = Header(dpkt.udp.UDP, (Part("sport", SOURCE, again=PORT), Part("dport", DESTINATION, again=PORT), Part("ulen", LENGTH), Part("sum", CHECKSUM)))


def dissect(walk: Dissection, start: int, end: int) -> Next | None:
    """The header; the payload is left to the application."""
    data, view = walk.data, walk.view
    walk.columns("UDP", "User Datagram Protocol")
    if not enough(data, start, end, HEADER.size):
        fault = walk.missing(start, HEADER.size, end)
        walk.add(UDP, start, end, [*HEADER.fields(data, start, view), fault])
        return None
    sport, dport, length, check = HEADER.unpack(data, start)
    body = start + HEADER.size
    text = f"User Datagram Protocol, Src Port: {sport}, Dst Port: {dport}"
    # 0 stands for "to the end" in a jumbogram (RFC 2675 section 4)
    if length == 0:
        length = end - start
    if length < HEADER.size or length > end - start:
        limit = f"< {HEADER.size}" if length < HEADER.size else "> IP PAYLOAD LENGTH"
        walk.columns("UDP", f"[BAD UDP LENGTH {length} {limit}] {udp_line(sport, dport, max(0, length - HEADER.size))}", "" if walk.quoted else "error")
        if length < HEADER.size:
            rest = raw(data, body, max(body, min(end, len(data))), view)
            walk.add(UDP, start, end, [*HEADER.fields(data, start, view), rest], f"{text}, bad length {length}")
            return None
    else:
        end = start + length
        walk.columns("UDP", udp_line(sport, dport, length - HEADER.size))
    if not walk.quoted and view == 0 and walk.covered > end:
        walk.covered = end
    verdict = Sum(ABSENT, "[not present]") if check == 0 else transport_sum(walk, 17, check, start, end)
    walk.worse("error" if verdict.status == BAD else "")
    last, stream = min(end, len(data)), walk.facts.quoted if walk.quoted else walk.facts.stream

    def children() -> Sequence[Field]:
        out = HEADER.fields(data, start, view)
        out[3]._text = f"Checksum: 0x{check:04x} {verdict.text}"
        out.append(status(CHECKSUM_STATUS, verdict, start + 6, view))
        if stream is not None:
            out.append(generated(STREAM, stream, None, start, view))
        if last > body:
            out.append(Field(PAYLOAD, data[body:last], body, last - body, view, (), f"UDP payload ({last - body} bytes)"))
        return out

    walk.add(UDP, start, body, children, text)
    if not walk.quoted:
        walk.lower.transport, walk.lower.payload = "udp", (view, body, max(body, last))
    return None
