"""One packet, dissected: its layers, the messages that end in it, and the byte views that they lie in.

A message that lies in one frame is read where it lies (view 0); one that was put together from several packets gets a view of its
own, and `pieces` tell which byte came from where. The decoder adds further views (decompressed bodies) behind it.
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import islice

from captures.index.index import Index
from captures.messages import pv_fields
from captures.messages.conversation import Conversation, Hole, MessageRow
from captures.messages.queueing import queued
from captures.packet.model import Origin, Packet, Row, View
from captures.packet.rows import endpoints
from protocols.decoder import Decoder, Kind
from protocols.engine.fields import Field, Spec, generated, group, malformed, raw, walk
from protocols.lower.facts import Facts, Lower, TcpFacts

REASSEMBLED_IN = Spec("tcp.reassembled_in", "Reassembled in packet", "frame")
HOLE = Spec("data", "Data that belongs to no message", "protocol")
LAYERS: dict[str, Spec] = {}
HEAD = 32
"""Fields of a request among which it names its client."""


def lower(index: Index, i: int, tcp: TcpFacts | None) -> Lower:
    """The layers below the application."""
    c = index.columns
    time, sd = int(c.ts[i]), int(c.sd[i])
    where = index.source.interfaces[int(c.iface[i])]
    facts = Facts(
        number=i + 1, time=time, wire=int(c.wire[i]), link=where.link, interface=where.name, interface_id=int(c.iface[i]) if where.numbered else None,
        comment=index.source.comments.get(i, ""), since_first=time - int(c.ts[0]), since_previous=time - int(c.ts[i - 1]) if i else 0,
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
            layers.append(group(HOLE, start, end, [raw(views[view].data, start, end, view)], f"Data ({end - start:,} bytes)", view))
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
        fields = list(decoder.dissect(message))
    except Exception as fault:  # a decoder's own mistake must not end the program
        fields = [malformed(message.start, f"the decoder failed: {type(fault).__name__}: {fault}", message.end, message.view)]
    views.extend(message.views)
    named = client_id(decoder, fields) if pdu.header.kind is not Kind.RESPONSE else ""
    words = exchange_of(conversation, pdu, named)
    if decoder.frames is not None:
        spec, frame = (decoder.frames[0], words.request) if pdu.header.kind is Kind.RESPONSE else (decoder.frames[1], words.response)
        if frame is not None:
            fields.append(generated(spec, frame, at=message.start, view=message.view))
    fields.insert(0, pv_fields.fields(words, message.start, message.view))
    spec = LAYERS.setdefault(decoder.name, Spec(decoder.name, decoder.title, "protocol"))
    info = conversation.summary(pdu).info
    return group(spec, message.start, message.end, fields, f"{decoder.title}, {info}" if info else decoder.title, message.view)


@cache
def _client_field(decoder: Decoder) -> str:
    """The field in which clients name themselves, where the protocol has one."""
    name = f"{decoder.name}.client_id"
    return name if any(spec.name == name for spec in decoder.specs()) else ""


def client_id(decoder: Decoder, fields: Sequence[Field]) -> str:
    """What the client calls itself: the message's field `client_id`, near the head of a request; "" without one."""
    name = _client_field(decoder)
    if not name:
        return ""
    return next((str(field.value or "") for field in islice(walk(fields), HEAD) if field.name == name), "")


def exchange_of(conversation: Conversation, pdu: MessageRow, named: str) -> pv_fields.Exchange:
    """What one message says of itself and of its peer, for the `pv.*` fields; `named` is what the client calls itself."""
    decoder, match = conversation.decoder, conversation.match
    assert decoder is not None
    client, server = endpoints(conversation)
    request, response = (pdu.peer, pdu) if pdu.header.kind is Kind.RESPONSE else (pdu, pdu.peer)
    paired = pdu.peer is not None
    asked, answered = (one.length if one is not None and one.header.kind is not Kind.EVENT else None for one in (request, response))
    return pv_fields.Exchange(
        decoder.name, str(pdu.header.kind), conversation.summary(pdu), conversation.rrt(pdu),
        request.packet + 1 if paired and request else None, response.packet + 1 if paired and response else None,
        client, server, match.score if match else 0, match.why if match else "", asked, answered, named, queued(conversation, pdu),
    )


def _hole(conversation: Conversation, hole: Hole, views: list[View]) -> Field:
    data = conversation.hole_data(hole)
    view = len(views)
    views.append(View("Data", data))
    return group(HOLE, 0, len(data), [raw(data, 0, len(data), view)], f"{hole.end - hole.start:,} bytes that belong to no message: {hole.reason}", view)

