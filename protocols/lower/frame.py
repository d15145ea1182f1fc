"""The frame: what the capture says of a packet beside its bytes. Every field is generated."""
from __future__ import annotations

from collections.abc import Sequence

from protocols.engine.fields import Field, Spec, generated, seconds
from protocols.lower.layer import Dissection

FRAME = Spec("frame", "Frame", "protocol")
INTERFACE_ID = Spec("frame.interface_id", "Interface id", "uint32")
INTERFACE_NAME = Spec("frame.interface_name", "Interface name", "string")
ENCAPSULATION = Spec("frame.encap_type", "Encapsulation type", "int16", {
    1: "Ethernet", 4: "PPP", 6: "FDDI with bit-swapped MAC addresses", 7: "Raw IP", 15: "NULL/Loopback", 20: "IEEE 802.11 Wireless LAN",
    23: "IEEE 802.11 plus radiotap radio header", 25: "Linux cooked-mode capture v1", 32: "OpenBSD Loopback", 129: "Raw IPv4", 130: "Raw IPv6",
    28: "Cisco HDLC", 210: "Linux cooked-mode capture v2",
}, about="The link type by Wireshark's own number")
TIME = Spec("frame.time", "Arrival Time", "time")
EPOCH = Spec("frame.time_epoch", "Epoch Time", "duration", about="Seconds since 1970-01-01 UTC")
DELTA = Spec("frame.time_delta", "Time delta from previous captured frame", "duration")
RELATIVE = Spec("frame.time_relative", "Time since first frame", "duration")
NUMBER = Spec("frame.number", "Frame Number", "uint32")
LENGTH = Spec("frame.len", "Frame Length", "uint32", show=lambda n: f"{n} bytes ({n * 8} bits)", about="Bytes on the wire")
CAPTURED = Spec("frame.cap_len", "Capture Length", "uint32", show=lambda n: f"{n} bytes ({n * 8} bits)", about="Bytes in the capture")
PROTOCOLS = Spec("frame.protocols", "Protocols in frame", "string")
COMMENT = Spec("frame.comment", "Comment", "string")
SPECS = (FRAME, INTERFACE_ID, INTERFACE_NAME, ENCAPSULATION, TIME, EPOCH, DELTA, RELATIVE, NUMBER, LENGTH, CAPTURED, PROTOCOLS, COMMENT)

NAMELESS = "unknown"
"""Wireshark's name of an interface that has none."""

# link type of the file -> Wireshark's number for it
ENCAPSULATIONS = {
    0: 15, 1: 1, 9: 4, 10: 6, 12: 7, 14: 7, 101: 7, 104: 28, 105: 20, 108: 32, 113: 25, 127: 23, 228: 129, 229: 130, 276: 210,
}


def dissect(walk: Dissection) -> None:
    """Add the frame's node; its range is the whole frame."""
    facts, data, lower = walk.facts, walk.data, walk.lower

    def children() -> Sequence[Field]:
        out = [generated(COMMENT, facts.comment)] if facts.comment else []
        if facts.interface_id is not None:
            out += [generated(INTERFACE_ID, facts.interface_id), generated(INTERFACE_NAME, facts.interface or NAMELESS)]
        encapsulation = ENCAPSULATIONS.get(facts.link)
        if encapsulation is not None:
            out.append(generated(ENCAPSULATION, encapsulation))
        out += [
            generated(TIME, facts.time), generated(EPOCH, facts.time), generated(DELTA, facts.since_previous), generated(RELATIVE, facts.since_first),
            generated(NUMBER, facts.number), generated(LENGTH, facts.wire), generated(CAPTURED, len(data)),
            generated(PROTOCOLS, ":".join(lower.protocols[1:])),
        ]
        return out

    text = f"Frame {facts.number}: {facts.wire} bytes on wire ({facts.wire * 8} bits), {len(data)} bytes captured ({len(data) * 8} bits)"
    if facts.interface:
        text += f" on interface {facts.interface}, id {facts.interface_id}"
    walk.add(FRAME, 0, len(data), children, text)
    walk.columns("", f"{facts.wire} bytes, {seconds(facts.since_first)} s after the first packet")
