"""TCP (RFC 9293): the header, relative sequence numbers and what the analysis of the stream found. Options are in `tcp_options`."""
from __future__ import annotations

from collections.abc import Sequence

import dpkt

from protocols.engine.fields import Field, Spec, generated, group, printable, raw
from protocols.lower import tcp_options
from protocols.lower.facts import TcpFacts
from protocols.lower.header_tables import Header, Part, enough
from protocols.lower.layer import BAD, Dissection, Next, Sum, flag, status, status_spec, transport_sum
from protocols.lower.transport_words import ACK, FIN, FINDINGS, RST, SYN, flag_letters, flag_names, scaled, severity, tcp_line

TCP = Spec("tcp", "Transmission Control Protocol", "protocol")
PORT = Spec("tcp.port", "Source or Destination Port", "uint16")
SOURCE = Spec("tcp.srcport", "Source Port", "uint16")
DESTINATION = Spec("tcp.dstport", "Destination Port", "uint16")
STREAM = Spec("tcp.stream", "Stream index", "uint32")
LENGTH = Spec("tcp.len", "TCP Segment Len", "uint32", about="Payload on the wire, in bytes")
SEQ = Spec("tcp.seq", "Sequence Number", "uint32", about="Counted from the stream's first sequence number")
SEQ_RAW = Spec("tcp.seq_raw", "Sequence Number (raw)", "uint32")
NEXT_SEQ = Spec("tcp.nxtseq", "Next Sequence Number", "uint32")
ACK_NUMBER = Spec("tcp.ack", "Acknowledgment Number", "uint32", about="Counted from the other side's first sequence number")
ACK_RAW = Spec("tcp.ack_raw", "Acknowledgment number (raw)", "uint32")
HEADER_LENGTH = Spec("tcp.hdr_len", "Header Length", "uint8", show=lambda n: f"{n} bytes ({n // 4})", mask=0xF0)
FLAGS = Spec("tcp.flags", "Flags", "uint16", show=lambda n: f"0x{n:03x} ({flag_names(n)})", mask=0x0FFF, base="hex")
BITS = (
    flag("tcp.flags.res", "Reserved", 0xE00), flag("tcp.flags.ae", "Accurate ECN", 0x100), flag("tcp.flags.cwr", "Congestion Window Reduced", 0x080),
    flag("tcp.flags.ece", "ECN-Echo", 0x040), flag("tcp.flags.urg", "Urgent", 0x020), flag("tcp.flags.ack", "Acknowledgment", 0x010),
    flag("tcp.flags.push", "Push", 0x008), flag("tcp.flags.reset", "Reset", 0x004), flag("tcp.flags.syn", "Syn", 0x002), flag("tcp.flags.fin", "Fin", 0x001),
)
FLAG_TEXT = Spec("tcp.flags.str", "TCP Flags", "string")
WINDOW_VALUE = Spec("tcp.window_size_value", "Window", "uint16")
WINDOW = Spec("tcp.window_size", "Calculated window size", "uint32")
SCALES = {-1: "-1 (unknown)", -2: "-2 (no window scaling used)"}
SCALE = Spec("tcp.window_size_scalefactor", "Window size scaling factor", "int32", show=lambda n: SCALES.get(n, str(n)))
CHECKSUM = Spec("tcp.checksum", "Checksum", "uint16", base="hex")
CHECKSUM_STATUS = status_spec("tcp.checksum.status")
URGENT = Spec("tcp.urgent_pointer", "Urgent Pointer", "uint16")
OPTIONS = Spec("tcp.options", "TCP Options", "bytes")
TIMES = Spec("tcp.timestamps", "Timestamps")
SINCE_FIRST = Spec("tcp.time_relative", "Time since first frame in this TCP stream", "duration")
SINCE_PREVIOUS = Spec("tcp.time_delta", "Time since previous frame in this TCP stream", "duration")
ANALYSIS = Spec("tcp.analysis", "SEQ/ACK analysis")
ANALYSIS_FLAGS = Spec("tcp.analysis.flags", "TCP Analysis Flags")
DUPLICATE_NUMBER = Spec("tcp.analysis.duplicate_ack_num", "Duplicate ACK #", "uint32")
DUPLICATE_FRAME = Spec("tcp.analysis.duplicate_ack_frame", "Duplicate to the ACK in frame", "frame")
ACKS = Spec("tcp.analysis.acks_frame", "This is an ACK to the segment in frame", "frame")
ACK_RTT = Spec("tcp.analysis.ack_rtt", "The RTT to ACK the segment was", "duration")
INITIAL_RTT = Spec("tcp.analysis.initial_rtt", "iRTT", "duration", about="The handshake's time, from the SYN to the ACK that ends it")
IN_FLIGHT = Spec("tcp.analysis.bytes_in_flight", "Bytes in flight", "uint32", about="Bytes sent in this direction and not acknowledged yet")
PUSHED = Spec("tcp.analysis.push_bytes_sent", "Bytes sent since last PSH flag", "uint32")
COMPLETENESS = Spec("tcp.completeness", "Conversation completeness", "uint8",
                    about="What was seen of the connection before this packet: 1 SYN, 2 SYN+ACK, 4 ACK, 8 data, 16 FIN, 32 RST")
PAYLOAD = Spec("tcp.payload", "TCP payload", "bytes")
RESET_CAUSE = Spec("tcp.reset_cause", "Reset cause", "string", about="What a reset carries in place of payload (RFC 9293 section 3.5.3)")

FINDING_SPECS = {name: Spec(f"tcp.analysis.{name}", words) for name, (_, words, _) in FINDINGS.items()}
SPECS = (
    TCP, SOURCE, DESTINATION, PORT, STREAM, LENGTH, SEQ, SEQ_RAW, NEXT_SEQ, ACK_NUMBER, ACK_RAW, HEADER_LENGTH, FLAGS, *BITS, FLAG_TEXT, WINDOW_VALUE, WINDOW,
    SCALE, CHECKSUM, CHECKSUM_STATUS, URGENT, OPTIONS, *tcp_options.SPECS, TIMES, SINCE_FIRST, SINCE_PREVIOUS, ANALYSIS, ANALYSIS_FLAGS,
    *FINDING_SPECS.values(),
    DUPLICATE_NUMBER, DUPLICATE_FRAME, ACKS, ACK_RTT, INITIAL_RTT, IN_FLIGHT, PUSHED, COMPLETENESS, PAYLOAD, RESET_CAUSE,
)
ALONE = frozenset(spec.name for spec in (
    SOURCE, DESTINATION, PORT, STREAM, LENGTH, SEQ_RAW, ACK_RAW, HEADER_LENGTH, FLAGS, WINDOW_VALUE, CHECKSUM, CHECKSUM_STATUS, URGENT, OPTIONS, PAYLOAD,
)) | {"tcp.option_kind", "tcp.option_len"}


def needs_stream(name: str) -> bool:
    """Whether the value of a field, by its filter name, depends on other packets of the stream (`tcp.seq` is relative to the first one; the text of `tcp`
    has it, too). No layer but TCP has such fields."""
    return name.partition(".")[0] == "tcp" and name not in ALONE and not name.startswith(("tcp.flags.", "tcp.options."))


PORTS = (Part("sport", SOURCE, again=PORT), Part("dport", DESTINATION, again=PORT))
HEADER = Header(dpkt.tcp.TCP, (
    *PORTS, Part("seq", SEQ_RAW), Part("ack", ACK_RAW), Part("_off_flags", HEADER_LENGTH, size=1, scale=4), Part("_off_flags", FLAGS, below=BITS),
    Part("win", WINDOW_VALUE), Part("sum", CHECKSUM), Part("urp", URGENT),
))
FOUR = 0xFFFFFFFF


def dissect(walk: Dissection, start: int, end: int) -> Next | None:
    """The header and its options; the payload is left to the application."""
    data, view = walk.data, walk.view
    walk.columns("TCP", "Transmission Control Protocol")
    if not enough(data, start, end, HEADER.size):
        fault = walk.missing(start, HEADER.size, end)
        walk.add(TCP, start, end, [*HEADER.fields(data, start, view), fault])
        return None
    sport, dport, seq_raw, ack_raw, word, window, check, urgent = HEADER.unpack(data, start)
    facts = None if walk.quoted else walk.facts.tcp
    stream = walk.facts.quoted if walk.quoted else walk.facts.stream
    flags, size = word & 0xFFF, (word >> 12) * 4
    if size < HEADER.size or size > end - start:
        facts = None
    seq = seq_raw - facts.seq_base & FOUR if facts else seq_raw
    ack = ack_raw - facts.ack_base & FOUR if facts and flags & ACK else ack_raw
    text = f"Transmission Control Protocol, Src Port: {sport}, Dst Port: {dport}, Seq: {seq}"
    if size < HEADER.size or size > end - start:
        why = f"must be at least {HEADER.size}" if size < HEADER.size else f"but only {end - start} bytes are there"
        walk.columns("TCP", f"{sport} → {dport} [{flag_names(flags)}] Bogus TCP header length ({size}, {why})", "error")
        source, destination, raw_seq, *others = HEADER.fields(data, start, view)
        head = [source, destination, *([] if stream is None else [generated(STREAM, stream, None, start, view)]), Field(SEQ, seq, start + 4, 4, view), raw_seq,
                Field(ACK_NUMBER, ack, start + 8, 4, view), *others]
        at = start + HEADER.size
        there = max(at, min(end, len(data)))
        if size > HEADER.size:
            head.append(Field(OPTIONS, data[at:there], at, there - at, view, (), f"Options: ({size - HEADER.size} bytes)"))
        else:
            head.append(raw(data, at, there, view))
        walk.add(TCP, start, end, head, text)
        return None
    body, last = start + size, min(end, len(data))
    length = end - body
    verdict = transport_sum(walk, 6, check, start, end)
    shift = facts.window_scale if facts else -1
    analysis = facts.analysis if facts else ()
    base = facts.ack_base if facts else 0
    options = tcp_options.words(data, start + HEADER.size, min(body, last), base) if size > HEADER.size else ""
    line = tcp_line(sport, dport, flags, seq, ack, scaled(window, flags, shift), length, analysis, facts.duplicate_ack if facts else None, urgent, options)
    walk.columns("TCP", line, severity(analysis, flags))
    walk.worse("error" if verdict.status == BAD else "")
    # what an error message quotes may stop short of the segment's end: it does not tell the length
    told = not walk.quoted

    def children() -> Sequence[Field]:
        source, destination, raw_seq, raw_ack, header, bits, value, sum_, pointer = HEADER.fields(data, start, view)
        out = [source, destination]
        if stream is not None:
            out.append(generated(STREAM, stream, None, start, view))
        if facts is not None and facts.completeness is not None:
            out.append(generated(COMPLETENESS, facts.completeness, None, start, view))
        if told:
            out.append(generated(LENGTH, length, None, start, view))
        out.append(Field(SEQ, seq, start + 4, 4, view, (), f"Sequence Number: {seq}" + ("    (relative sequence number)" if facts else "")))
        out.append(raw_seq)
        if told:
            out.append(generated(NEXT_SEQ, seq + length + bool(flags & SYN) + bool(flags & FIN) & FOUR, None, start, view))
        out.append(Field(ACK_NUMBER, ack, start + 8, 4, view, (), f"Acknowledgment Number: {ack}" + ("    (relative ack number)" if facts else "")))
        out.append(raw_ack)
        out.append(header)
        bits._text = f"Flags: {FLAGS.shown(flags)}"
        bits._children = [*bits.fields, generated(FLAG_TEXT, flag_letters(flags), None, start + 12, view)]
        out.extend((bits, value, generated(WINDOW, scaled(window, flags, shift), None, start + 14, view)))
        if not flags & SYN:
            out.append(generated(SCALE, 1 << shift if shift >= 0 else shift, None, start + 14, view))
        out.append(checked(sum_, check, verdict))
        out.append(status(CHECKSUM_STATUS, verdict, start + 16, view))
        out.append(pointer)
        if size > HEADER.size:
            at, stop = start + HEADER.size, min(body, last)
            title = tcp_options.title(data, at, stop)
            out.append(Field(OPTIONS, data[at:stop], at, stop - at, view, lambda: tcp_options.fields(data, at, stop, view, base), title))
            if stop < body:
                out.append(walk.missing(stop, body - stop, body))
        if facts is not None:
            out.extend(found(facts, start, view))
        if last > body and flags & RST:
            out.append(Field(RESET_CAUSE, printable(data[body:last].decode("utf-8", "replace")), body, last - body, view))
        elif last > body:
            out.append(Field(PAYLOAD, data[body:last], body, last - body, view, (), f"TCP payload ({last - body} bytes)"))
        return out

    text += (f", Ack: {ack}" if flags & ACK else "") + (f", Len: {length}" if told else "")
    walk.add(TCP, start, last if flags & RST else min(body, last), children, text)
    if told and flags & RST:
        walk.lower.transport = "tcp"
    elif told:
        walk.lower.transport, walk.lower.payload = "tcp", (view, min(body, last), max(min(body, last), last))
    return None


def checked(one: Field, check: int, verdict: Sum) -> Field:
    one._text = f"Checksum: 0x{check:04x} {verdict.text}"
    return one


def found(facts: TcpFacts, at: int, view: int) -> list[Field]:
    """The stream's times and findings."""
    out = []
    if facts.since_first is not None and facts.since_previous is not None:
        times = [generated(SINCE_FIRST, facts.since_first, None, at, view), generated(SINCE_PREVIOUS, facts.since_previous, None, at, view)]
        out.append(group(TIMES, at, at, times, "[Timestamps]", view))
    below = [generated(spec, value, None, at, view) for spec, value in (
        (ACKS, facts.acks_frame), (ACK_RTT, facts.ack_rtt), (INITIAL_RTT, facts.initial_rtt), (IN_FLIGHT, facts.bytes_in_flight),
        (PUSHED, facts.push_bytes_sent)) if value]
    if facts.analysis:
        # a fast or spurious retransmission is a retransmission as well
        names = {"retransmission" if name in ("fast_retransmission", "spurious_retransmission") else name for name in facts.analysis} | set(facts.analysis)
        flags = [generated(FINDING_SPECS[name], None, FINDINGS[name][1], at, view) for name in FINDINGS if name in names]
        below.append(generated(ANALYSIS_FLAGS, None, None, at, view, flags))
        below[-1]._text = "[TCP Analysis Flags]"
        if facts.duplicate_ack is not None:
            below.append(generated(DUPLICATE_NUMBER, facts.duplicate_ack[0], None, at, view))
            below.append(generated(DUPLICATE_FRAME, facts.duplicate_ack[1], None, at, view))
    if below:
        out.append(group(ANALYSIS, at, at, below, "[SEQ/ACK analysis]", view))
    return out
