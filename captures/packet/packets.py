"""One packet, dissected: its layers, the messages that end in it, and the byte views that they lie in.

A message that lies in one frame is read where it lies (view 0); one that was put together from several packets gets a view of its
own, and `pieces` tell which byte came from where. The decoder adds further views (decompressed bodies) behind it.
"""
from __future__ import annotations

from captures.index.index import Index
from captures.messages import pv_fields
from captures.messages.conversation import Conversation, Hole, MessageRow
from captures.messages.given import dissected
from captures.packet.model import Packet, Row, View
from captures.stream.places import Origin
from protocols.decoder import Kind
from protocols.engine.fields import Field, Spec, generated, group, malformed
from protocols.engine.mistakes import MISTAKES, failed
from protocols.lower.facts import Facts, Lower, TcpFacts
from protocols.lower.layer import unread

REASSEMBLED_IN = Spec("tcp.reassembled_in", "Reassembled in packet", "frame")
HOLE = Spec("data", "Data that belongs to no message", "protocol")
LAYERS: dict[str, Spec] = {}


def lower(index: Index, i: int, tcp: TcpFacts | None) -> Lower:
    """The layers below the application."""
    c = index.columns
    source, sd, start, number = index.source, int(c.sd[i]), int(c.off[i]), int(c.iface[i])
    where, options = source.interfaces[number], source.packet_options(i, start, int(c.cap[i]), number)
    time, since_first, since_previous = c.times(i)
    facts = Facts(
        number=i + 1, time=time, wire=int(c.wire[i]), link=where.link, interface=where.name, interface_id=where.number if where.numbered else None,
        description=where.description, section=where.section or None, offset=source.record_start(i, start), fcs=options.fcs or where.fcs, options=options,
        name_of=source.metadata.name_of, since_first=since_first, since_previous=since_previous,
        stream=sd >> 1 if sd >= 0 else None, quoted=index.inner_streams.get(i, ("", None))[1], tcp=tcp, datagram=index.datagrams.get(i),
    )
    from protocols.lower import link  # the layers and dpkt: the list's first rows come without them

    return link.dissect(index.frame(i), facts)


def assemble(index: Index, i: int, row: Row, below: Lower, conversation: Conversation | None) -> Packet:
    """The whole packet."""
    views = [View("Frame", index.frame(i)), *below.views]
    layers = list(below.layers)
    pieces: dict[int, list[Origin]] = {0: [Origin(0, len(views[0].data), i, 0)]}
    datagram = index.datagrams.get(i)
    if datagram is not None and below.views:
        pieces[1] = [Origin(at, length, packet, start) for packet, start, length, at in datagram.pieces]
    if conversation is not None and conversation.decoder is not None:
        for one in conversation.layers():
            found = [message_layer(one, pdu, i, views, pieces) for pdu in one.of_packet(i)]
            layers.extend(found)
            below.protocols.extend(layer.name for layer in found)
            layers.extend(_hole(one, hole, views) for hole in one.holes_of(i))
        later = conversation.covering(i)
        if later is not None and below.payload is not None:
            layers.append(generated(REASSEMBLED_IN, later.packet + 1))
    elif below.payload is not None:
        view, start, end = below.payload
        if end > start:
            layers.append(group(HOLE, start, end, unread(views[view].data, start, end, view), f"Data ({end - start:,} bytes)", view))
            below.protocols.append(HOLE.name)
    return Packet(i, views, layers, row, pieces)


def message_layer(conversation: Conversation, pdu: MessageRow, i: int, views: list[View], pieces: dict[int, list[Origin]]) -> Field:
    """The node of one message with its fields and its `pv.*` group; adds the views that it needs."""
    decoder = conversation.decoder
    assert decoder is not None
    parts = conversation.origins(pdu)
    message = conversation.message(pdu)
    if len(parts) == 1 and parts[0].packet == i and parts[0].length == pdu.have and i not in conversation.index.datagrams:
        message.data, message.view = views[0].data, 0
        message.start = parts[0].frame_start
    else:
        message.data, message.view, message.start = conversation.data(pdu), len(views), 0
        pieces[len(views)] = parts
        views.append(View(f"{decoder.column} message", message.data))
    message.end = message.start + pdu.have
    message.first_view = len(views)
    try:
        fields = dissected(decoder, message)
    except MISTAKES as fault:
        fields = [malformed(message.start, failed(fault), message.end, message.view)]
        message.views.clear()
    views.extend(message.views)
    if decoder.frames is not None and pdu.peer is not None:
        spec = decoder.frames[0 if pdu.kind is Kind.RESPONSE else 1]
        fields.append(generated(spec, pdu.peer.packet + 1, at=message.start, view=message.view))
    words = conversation.summary(pdu)
    fields.insert(0, pv_fields.fields(conversation, pdu, words, message.start, message.view))
    spec = LAYERS.setdefault(decoder.name, Spec(decoder.name, decoder.title, "protocol"))
    info = words.info
    return group(spec, message.start, message.end, fields, f"{decoder.title}, {info}" if info else decoder.title, message.view)


def _hole(conversation: Conversation, hole: Hole, views: list[View]) -> Field:
    data = conversation.hole_data(hole)
    view = len(views)
    views.append(View("Data", data))
    return group(HOLE, 0, len(data), unread(data, 0, len(data), view), f"{hole.end - hole.start:,} bytes that belong to no message: {hole.reason}", view)

