"""The frame: what the capture says of a packet beside its bytes. Every field is generated.

What a file does not say has no field: times where packets have none, flags, counts, comments and processes where pcapng's options do not give them.
"""
from __future__ import annotations

from collections.abc import Sequence

from protocols.engine.fields import Field, Spec, bits, generated, seconds
from protocols.lower.facts import NO_OPTIONS, PacketOptions
from protocols.lower.layer import Dissection, flag

FRAME = Spec("frame", "Frame", "protocol")
SECTION = Spec("frame.section_number", "Section number", "uint32", about="Of the file's section, from 1 on")
INTERFACE_ID = Spec("frame.interface_id", "Interface id", "uint32", about="From 0 on in each section")
INTERFACE_NAME = Spec("frame.interface_name", "Interface name", "string")
INTERFACE_DESCRIPTION = Spec("frame.interface_description", "Interface description", "string")
QUEUE = Spec("frame.interface_queue", "Interface queue", "uint32")
FLAGS = Spec("frame.packet_flags", "Packet flags", "uint32", base="hex")
DIRECTION = Spec("frame.packet_flags_direction", "Direction", "uint32", {0: "Unknown", 1: "Inbound", 2: "Outbound"}, mask=0x3, base="hex")
RECEPTION = Spec("frame.packet_flags_reception_type", "Reception type", "uint32", {
    0: "Not specified", 1: "Unicast", 2: "Multicast", 3: "Broadcast", 4: "Promiscuous",
}, mask=0x1C)
FCS_LENGTH = Spec("frame.packet_flags_fcs_length", "FCS length", "uint32", mask=0x1E0)
RESERVED = Spec("frame.packet_flags_reserved", "Reserved", "uint32", mask=0xFE00)
FLAG_PARTS = (
    DIRECTION, RECEPTION, FCS_LENGTH, RESERVED, *(flag(f"frame.packet_flags_{name}", label, mask) for name, label, mask in (
        ("crc_error", "CRC error", 1 << 24), ("packet_too_error", "Packet too long error", 1 << 25),
        ("packet_too_short_error", "Packet too short error", 1 << 26), ("wrong_inter_frame_gap_error", "Wrong interframe gap error", 1 << 27),
        ("unaligned_frame_error", "Unaligned frame error", 1 << 28), ("start_frame_delimiter_error", "Start frame delimiter error", 1 << 29),
        ("preamble_error", "Preamble error", 1 << 30), ("symbol_error", "Symbol error", 1 << 31),
    )),
)
IDENTIFIER = Spec("frame.packet_id", "Packet id", "uint64")
VERDICTS = {
    0: Spec("frame.verdict.hw", "Verdict of the hardware", "bytes"), 1: Spec("frame.verdict.ebpf_tc", "Verdict of eBPF TC", "int64"),
    2: Spec("frame.verdict.ebpf_xdp", "Verdict of eBPF XDP", "int64"),
}
UNKNOWN_VERDICT = Spec("frame.verdict.unknown", "Verdict of an unknown kind", "bytes")
PROCESS_ID = Spec("frame.process.pid", "Process id", "uint32", about="Of the process that sent or received the packet, where the file names it")
PROCESS_NAME = Spec("frame.process.name", "Process name", "string")
PROCESS_PATH = Spec("frame.process.path", "Process path", "string")
OWNER_ID = Spec("frame.process.epid", "Effective process id", "uint32", about="Of the process for which another one acted")
OWNER_NAME = Spec("frame.process.epname", "Effective process name", "string")
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
DROPPED = Spec("frame.drop_count", "Drop Count", "uint64", about="Packets that the interface lost between this and the one before")
OFFSET = Spec("frame.file_off", "File Offset", "int64", about="Where the packet's record starts in the file, or in what it decompresses to")
P2P = Spec("frame.p2p_dir", "Point-to-Point Direction", "int8", {0: "Sent", 1: "Received"})
PROTOCOLS = Spec("frame.protocols", "Protocols in frame", "string")
COMMENT = Spec("frame.comment", "Comment", "string")
SPECS = (
    FRAME, SECTION, INTERFACE_ID, INTERFACE_NAME, INTERFACE_DESCRIPTION, QUEUE, FLAGS, *FLAG_PARTS, IDENTIFIER, *VERDICTS.values(), UNKNOWN_VERDICT,
    PROCESS_ID, PROCESS_NAME, PROCESS_PATH, OWNER_ID, OWNER_NAME, ENCAPSULATION, TIME, EPOCH, DELTA, RELATIVE, NUMBER, LENGTH, CAPTURED, DROPPED, OFFSET,
    P2P, PROTOCOLS, COMMENT,
)

RECEIVED = {1: 1, 2: 0}
"""Direction in the flags -> Wireshark's number for it."""
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
        options = facts.options
        out = [generated(COMMENT, comment) for comment in options.comments]
        if facts.section is not None:
            out.append(generated(SECTION, facts.section))
        if facts.interface_id is not None:
            out += [generated(INTERFACE_ID, facts.interface_id), generated(INTERFACE_NAME, facts.interface or NAMELESS)]
        if facts.description:
            out.append(generated(INTERFACE_DESCRIPTION, facts.description))
        if options is not NO_OPTIONS:
            out += _optional(options)
        encapsulation = ENCAPSULATIONS.get(facts.link)
        if encapsulation is not None:
            out.append(generated(ENCAPSULATION, encapsulation))
        if facts.time is not None:
            out += [generated(TIME, facts.time), generated(EPOCH, facts.time), generated(DELTA, facts.since_previous), generated(RELATIVE, facts.since_first)]
        out += [generated(NUMBER, facts.number), generated(LENGTH, facts.wire), generated(CAPTURED, len(data))]
        out += [generated(spec, value) for spec, value in ((DROPPED, options.dropped), (OFFSET, facts.offset)) if value is not None]
        if (options.flags or 0) & DIRECTION.mask in RECEIVED:
            out.append(generated(P2P, RECEIVED[(options.flags or 0) & DIRECTION.mask]))
        out.append(generated(PROTOCOLS, ":".join(lower.protocols[1:])))
        return out

    text = f"Frame {facts.number}: {facts.wire} bytes on wire ({facts.wire * 8} bits), {len(data)} bytes captured ({len(data) * 8} bits)"
    if facts.interface:
        text += f" on interface {facts.interface}, id {facts.interface_id}"
    walk.add(FRAME, 0, len(data), children, text)
    moment = "" if facts.since_first is None else f", {seconds(facts.since_first)} s after the first packet"
    walk.columns("", f"{facts.wire} bytes{moment}")


def _optional(options: PacketOptions) -> list[Field]:
    """What only options of the packet tell."""
    out = []
    if options.queue is not None:
        out.append(generated(QUEUE, options.queue))
    if options.flags is not None:
        word = options.flags
        parts = [(spec, (word & spec.mask) // (spec.mask & -spec.mask)) for spec in FLAG_PARTS]
        below = [generated(spec, value, f"{bits(value, spec.mask, 4)} = {spec.label}: {spec.shown(value)}") for spec, value in parts]
        out.append(generated(FLAGS, word, children=below))
    if options.identifier is not None:
        out.append(generated(IDENTIFIER, options.identifier))
    for kind, value in options.verdicts:
        spec = VERDICTS.get(kind, UNKNOWN_VERDICT)
        out.append(generated(spec if (spec.type == "bytes") == isinstance(value, bytes) else UNKNOWN_VERDICT, value))
    if options.process is not None:
        named = ((PROCESS_ID, options.process.number), (PROCESS_NAME, options.process.name), (PROCESS_PATH, options.process.path))
        out += [generated(spec, value) for spec, value in named if value != ""]
    if options.owner is not None:
        out += [generated(spec, value) for spec, value in ((OWNER_ID, options.owner.number), (OWNER_NAME, options.owner.name)) if value != ""]
    return out
