"""The packet list's lines, made on demand from the columns.

TCP and UDP lines come from the columns and the stream table without touching the packet; where messages end in a packet
their words replace the line. Everything else is dissected when its row is asked for.
"""
from __future__ import annotations

from collections.abc import Sequence

from captures.index.columns import PacketKind
from captures.index.endpoints import ends
from captures.index.index import Index
from captures.messages.conversation import Conversation, MessageRow
from captures.packet.model import Row
from protocols.decoder import Kind
from protocols.lower.facts import Lower, TcpFacts
from protocols.lower.transport_words import severity, tcp_line, udp_line

BETWEEN = " | "
MOST_NAMED = 500
RANK = {"error": 3, "warning": 2, "note": 1, "": 0}


def transport_row(index: Index, i: int, tcp: TcpFacts | None) -> Row:
    """The line of a TCP or UDP packet as it stands without an application layer."""
    c = index.columns
    kind, sd = int(c.kind[i]), int(c.sd[i])
    source, destination = ends(index, kind, sd)
    sport, dport, length = int(c.sport[i]), int(c.dport[i]), int(c.plen[i])
    if kind == PacketKind.UDP:
        return Row(i + 1, c.time(i), None, "", source, destination, "UDP", int(c.wire[i]), udp_line(sport, dport, length))
    flags, seq, ack = int(c.flags[i]), int(c.seq[i]), int(c.ack[i])
    window = int(c.win[i])
    analysis: tuple[str, ...] = ()
    if tcp is not None:
        seq, ack, analysis = seq - tcp.seq_base & 0xFFFFFFFF, ack - tcp.ack_base & 0xFFFFFFFF if flags & 0x10 else 0, tcp.analysis
        if tcp.window_scale > 0 and not flags & 2:
            window <<= tcp.window_scale
    info = tcp_line(sport, dport, flags, seq, ack, window, length, analysis, tcp.duplicate_ack if tcp is not None else None)
    return Row(i + 1, c.time(i), None, "", source, destination, "TCP", int(c.wire[i]), info, severity(analysis, flags))


def message_row(row: Row, conversation: Conversation) -> Row:
    """`row` with the words of the messages that end in the packet: those of the innermost layer that has any there, and before them those of a layer
    that ends in this packet and hands the rest on."""
    packet = row.number - 1
    shown: Sequence[MessageRow] = ()
    before: list[str] = []
    for layer in conversation.layers():
        found = layer.of_packet(packet)
        if found:
            if any(one is not None for one in conversation.handed_on):
                before += [conversation.summary(pdu).info for pdu in shown[:MOST_NAMED]]
            conversation, shown = layer, found
    row = _with_words(row, conversation, shown)
    return row._replace(info=BETWEEN.join([*before, row.info])) if before else row


def _with_words(row: Row, conversation: Conversation, pdus: Sequence[MessageRow]) -> Row:
    """`row` with the words of these messages of one layer."""
    decoder = conversation.decoder
    if decoder is None:
        return row
    if not pdus:
        later = conversation.covering(row.number - 1)
        if later is None:
            return row
        end = "complete" if later.complete else "cut off"
        return row._replace(info=f"{row.info} [part of a {decoder.column} message, {end} in packet {later.packet + 1}]")
    infos, worst, rrt, mark = [], row.severity, None, ""
    for pdu in pdus[:MOST_NAMED]:
        infos.append(conversation.summary(pdu).info)
        worst = max(worst, conversation.severity(pdu), key=RANK.__getitem__)
        if pdu.peer is not None:
            if pdu.header.kind is not Kind.RESPONSE:
                mark = mark or "┬"
            elif rrt is None:
                rrt, mark = conversation.rrt(pdu), "┴"
    if len(pdus) > MOST_NAMED:
        infos.append(f"… {len(pdus) - MOST_NAMED:,} more messages")
    return row._replace(protocol=decoder.column, info=BETWEEN.join(infos), severity=worst, rrt=rrt, mark=mark)


def lower_row(lower: Lower, i: int, time: int | None, length: int) -> Row:
    """The line of a packet that was dissected."""
    return Row(i + 1, time, None, "", lower.source, lower.destination, lower.protocol, length, lower.info, lower.severity)

