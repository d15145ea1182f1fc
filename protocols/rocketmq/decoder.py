"""Apache RocketMQ's remoting protocol: frames with a JSON or a binary header, and a body that its operation explains.

Each peer writes its headers in its own form, so every frame says which; a flag says whether it answers, whichever way it goes: brokers ask their
clients as well. Request and answer share an `opaque` number. Source: apache/rocketmq 5.3.3 (develop of 2025-09-19), and recordings of 5.3.3 and 4.9.4.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence

from protocols.decoder import Decoder, Framing, Header, Kind, Match, MessageBytes, Opening, Side, Summary
from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec, generated
from protocols.rocketmq import bodies, messages, registration, summary, trace, values
from protocols.rocketmq import recognise as signs
from protocols.rocketmq import specs as s
from protocols.rocketmq import tables as t
from protocols.rocketmq.head import FRAME, Head, front
from protocols.rocketmq.header_fields import Context, binary_header, json_header
from protocols.rocketmq.session import Session, head_of
from protocols.rocketmq.summary import Words

__all__ = ["RocketMQ"]

IDS = 32
"""Messages of one frame whose ids are listed."""


class RocketMQ(Decoder):
    name = "rocketmq"
    title = "Apache RocketMQ"
    column = "RocketMQ"
    ports = signs.PORTS
    header_bytes = 65_536   # Java writes the correlation id behind the properties
    framing = Framing(offset=0, size=4, order="big", add=4, head=40, least=signs.LEAST, most=signs.MOST)

    def specs(self) -> Iterable[Spec]:
        return s.unique((*s.FIXED, *s.extensions().values(), *s.members().values(), *values.SPECS, *s.properties().values(), *messages.SPECS,
                         *registration.SPECS, *trace.SPECS))

    def recognise(self, opening: Opening) -> Match | None:
        return signs.recognise(opening)

    def accepts(self, head: bytes, side: Side) -> bool:
        return signs.accepts(head)

    def session(self) -> Session:
        return Session()

    def header(self, data: bytes, start: int, end: int, side: Side, session: Session | None) -> Header:
        found = front(data, start, end)
        flag, code = found.flag, found.code
        if flag is not None:
            kind = Kind.RESPONSE if flag & t.RESPONSE else Kind.ONEWAY if flag & t.ONEWAY else Kind.REQUEST
        elif code is None:  # the header is cut off before it tells anything
            kind = Kind.EVENT
        else:  # ... or before it tells what it is: no request has code 0, and of a server's requests the codes are known
            asks = code in t.FROM_BROKER or code in t.FROM_BOTH
            kind = Kind.RESPONSE if code == 0 or not (side.from_client or asks) else Kind.REQUEST
        if kind is not Kind.RESPONSE and found.opaque is None and session is not None:
            session.unnumbered[side.from_client] = True
        return Header(kind, found.opaque, "" if kind is Kind.RESPONSE else t.operation_name(code), session)

    def describe(self, message: MessageBytes) -> Summary:
        return summary.describe(message)

    def dissect(self, message: MessageBytes) -> Sequence[Field]:
        data, start, end, view = message.data, message.start, message.end, message.view
        cut = not message.complete
        if end - start < 8:
            return [f.raw(data, start, end, view), f.incomplete(end - start, message.length, start, view)]
        total, word = FRAME(data, start)
        kind, size = word >> 24, word & 0xFFFFFF
        out = [Field(s.LEN, total, start, 4, view), Field(s.SERIALIZE_TYPE, kind, start + 4, 1, view), Field(s.HEADER_LEN, size, start + 5, 3, view)]
        peer = message.peer
        said = Words(message)
        request = said if not said.response else Words(peer) if peer is not None else None
        if said.response:
            said.answers(request)
        context = Context(said.response, said.asked, said.head.version)
        if size > total - 4:
            out.append(f.malformed(start + 5, f"a header of {t.sized(size)} in a frame of {t.sized(max(0, total))}", start + 8, view))
        stop = min(end, start + 8 + size)
        cut_header = start + 8 + size > end
        if stop > start + 8:
            out += (binary_header if kind == t.BINARY else json_header)(data, start + 8, stop, context, cut_header, view)
        out += bodies.body(message, said, stop, cut)
        out += [generated(spec, value, at=start, view=view) for spec, value in _said(said, request)]
        if cut:
            out.append(f.incomplete(end - start, message.length, start, view))
        return out


_MEANINGS = {"soft": "a normal outcome: nothing there, or try again", "client": "the client's side", "server": "the server's side",
             "transaction": "the state of a transaction", "ok": "success"}


def _said(said: Words, request: Words | None) -> list[tuple[Spec, object]]:
    """What the frame says beside its bytes: outcome, topic, group, message ids, and what is unusual."""
    head = said.head
    out: list[tuple[Spec, object]] = []
    if said.response:
        found = t.outcome(head.code, head.version, said.asked)
        if found is not t.UNREAD:
            out.append((s.OUTCOME, f"{found.status} ({_MEANINGS.get(found.group, found.group)})"))
        if request is not None:
            out.append((s.ASKED, t.operation_name(request.head.code)))
    if request is not None:
        if request.asks().long_poll:
            out.append((s.LONG_POLL, True))
        for spec, name in ((s.TOPIC, "topic"), (s.QUEUE, "queueId"), (s.GROUP, "group"), (s.CLIENT_ID, "clientId")):
            value = request.word(name)
            if value and (spec is not s.QUEUE or values.typed(spec, value)[0]):
                out.append((spec, int(value) if spec is s.QUEUE else value))
    for one in said.messages()[:IDS]:
        if ident := one.get("UNIQ_KEY") or one.get(""):
            out.append((s.MESSAGE_ID, ident))
        if one.get("KEYS"):
            out.append((s.MESSAGE_KEYS, one["KEYS"]))
        for spec, value in zip((s.TRACE_ID, s.SPAN_ID), summary.trace_ids(one), strict=True):
            if value:
                out.append((spec, value))
    if said.response and head.ext.get("msgId"):
        out += [(s.MESSAGE_ID, one) for one in head.ext["msgId"].split(",")[:IDS]]
    out += [(s.NOTE, note) for note in _notes(said, head)]
    return out


def _notes(said: Words, head: Head) -> list[str]:
    """What is unusual about the frame."""
    notes = []
    operation = t.operations().get(said.asked)
    if head.flag is not None and head.flag & ~(t.RESPONSE | t.ONEWAY):
        notes.append("unknown bits in the flag")
    if operation and said.message.complete:
        found = t.header_classes().get(operation.response_header if said.response else operation.request_header)
        missing = [one.name for one in found.members if one.required and one.name not in head.ext and one.wire not in head.ext] if found else []
        if missing and (head.code == 0 and head.ext if said.response else not _succeeded(said.message)):
            notes.append(f"without the required {', '.join(missing)}")
        size = said.message.end - said.body
        if size and not said.kind and (not said.response or head.code == 0):
            notes.append(f"a body of {t.sized(size)} where {operation.name} is known to have none")
    return notes


def _succeeded(request: MessageBytes) -> bool:
    """Whether the answer is SUCCESS: what the request lacks was not required then, whatever the source says."""
    peer = request.peer
    return peer is not None and peer.header.kind is Kind.RESPONSE and head_of(peer).code == 0
