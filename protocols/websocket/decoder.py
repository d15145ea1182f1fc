"""WebSocket: each frame is a message; what data frames carry is a stream of its own, which other decoders recognise.

Frames answer nothing, except that a Pong repeats the payload of a Ping and a Close is answered by a Close. The payload of a masked frame is shown unmasked in
    a
byte view of its own, that of a compressed message inflated in another.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from protocols.decoder import MORE, REFUSED, Answer, Carried, Decoder, Header, Kind, Match, MessageBytes, Opening, Side, Status, Summary
from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec, generated, printable
from protocols.websocket import frames as w
from protocols.websocket import recognise as signs
from protocols.websocket.deflate import History, Inflater

__all__ = ["WebSocket"]

CLOSE_CODES = {
    1000: "Normal Closure", 1001: "Going Away", 1002: "Protocol Error", 1003: "Unsupported Data", 1004: "reserved", 1005: "No Status Received",
    1006: "Abnormal Closure", 1007: "Invalid Frame Payload Data", 1008: "Policy Violation", 1009: "Message Too Big", 1010: "Mandatory Extension",
    1011: "Internal Error", 1012: "Service Restart", 1013: "Try Again Later", 1014: "Bad Gateway", 1015: "TLS Handshake", 3000: "Unauthorized",
        3003: "Forbidden",
    3008: "Timeout",
}
NEVER_SENT = (1004, 1005, 1006, 1015)
FINE = (1000, 1001, 1005)

ROOT = Spec("websocket", "WebSocket", "protocol")
FIN, RSV = Spec("websocket.fin", "Fin", "bool", mask=0x80), Spec("websocket.rsv", "Reserved", "uint8", mask=0x70, base="hex")
PMC = Spec("websocket.pmc", "Per-Message Compressed", "bool", mask=0x40)
OPCODE = Spec("websocket.opcode", "Opcode", "uint8", mask=0x0F, enum=w.OPCODES)
MASK, LENGTH7 = Spec("websocket.mask", "Mask", "bool", mask=0x80), Spec("websocket.payload_length", "Payload length", "uint8", mask=0x7F)
LENGTH16 = Spec("websocket.payload_length_ext_16", "Extended Payload length (16 bits)", "uint16")
LENGTH64 = Spec("websocket.payload_length_ext_64", "Extended Payload length (64 bits)", "uint64")
LENGTH = Spec("websocket.length", "Length", "uint64", about="The payload's length in bytes, however it is written")
KEY = Spec("websocket.masking_key", "Masking-Key", "bytes")
MASKED, PAYLOAD = Spec("websocket.masked_payload", "Masked payload"), Spec("websocket.payload", "Payload")
TEXT, CONTINUED = Spec("websocket.payload.text", "Text", "string"), Spec("websocket.payload.continue", "Continue", "bytes")
BINARY, COMPRESSED = Spec("websocket.payload.binary", "Binary", "bytes"), Spec("websocket.payload.compressed", "Compressed payload", "bytes")
CLOSING = Spec("websocket.payload.close", "Close")
CODE = Spec("websocket.payload.close.status_code", "Status code", "uint16", show=lambda v: f"{_close_name(v)} ({v})")
REASON = Spec("websocket.payload.close.reason", "Reason", "string")
PING, PONG = Spec("websocket.payload.ping", "Ping", "bytes"), Spec("websocket.payload.pong", "Pong", "bytes")
UNREAD = Spec("websocket.payload.unknown", "Unknown", "bytes")
PROTOCOL, NOTE = Spec("websocket.subprotocol", "Subprotocol", "string"), Spec("websocket.note", "Note", "string")
SPECS = (ROOT, FIN, RSV, PMC, OPCODE, MASK, LENGTH7, LENGTH16, LENGTH64, LENGTH, KEY, MASKED, PAYLOAD, TEXT, CONTINUED, BINARY, COMPRESSED, CLOSING,
    CODE, REASON,
         PING, PONG, UNREAD, PROTOCOL, NOTE)
FRAME_MOST = 1 << 40
PINGS_KEPT = 64
KEPT = 1 << 20
"""Bytes of a frame that `header` is given: those of compressed messages are kept for showing later ones."""


def _close_name(code: int) -> str:
    if code in CLOSE_CODES:
        return CLOSE_CODES[code]
    return "private use" if 4000 <= code < 5000 else "registered by a library" if 3000 <= code < 4000 else "invalid"


@dataclass(slots=True)
class _Way:
    """One direction: the opcode of the message that is not at its end (None: none is), whether it is compressed, and how many of its frames were seen."""

    opcode: int | None = None
    compressed: bool = False
    fragment: int = 0
    closed: bool = False
    pings: list[bytes] = field(default_factory=list)
    history: History | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What the frames before tell of this one: the opcode of its message, which frame of it this is (from 0), whether it is compressed, and where the
    compressed bytes are kept (`history`, `place`). `faults` are rules that it breaks."""

    opcode: int
    fragment: int
    compressed: bool
    agreed: w.Negotiated
    history: History | None = None
    place: int | None = None
    faults: tuple[str, ...] = ()


class WebSocket(Decoder):
    name = "websocket"
    title = "WebSocket"
    column = "WebSocket"
    header_bytes = KEPT

    def specs(self) -> Iterable[Spec]:
        return SPECS

    def recognise(self, opening: Opening) -> Match | None:
        return signs.recognise(opening)

    def session(self) -> tuple[_Way, _Way]:
        """The client's direction, and the server's."""
        return _Way(), _Way()

    def frame(self, data: bytes, side: Side) -> int | Answer:
        if len(data) >= 1 and (data[0] & 0x30 or data[0] & 15 not in w.OPCODES):
            return REFUSED
        found = w.head(data, 0, len(data))
        if found is None:
            return MORE
        return REFUSED if found.length > FRAME_MOST or (found.control and found.fault) else found.size + found.length

    def header(self, data: bytes, start: int, end: int, side: Side, session: tuple[_Way, _Way]) -> Header:
        found = w.head(data, start, end)
        agreed = w.negotiated(side.hint)
        if found is None:
            return Header(Kind.EVENT, None, "", Context(0, 0, False, agreed))
        way, other = (session if side.from_client else session[::-1])
        faults = [found.fault] if found.fault else []
        if bool(found.key) is not side.from_client:
            faults.append("a client masks its frames" if side.from_client else "a server does not mask its frames")
        op = w.OPCODES.get(found.opcode, f"opcode {found.opcode}")
        if found.control:
            payload = w.unmask(data[start + found.size:min(end, start + found.size + found.length)], found.key)
            return _control(found, payload, op, way, other, side.from_client, Context(found.opcode, 0, False, agreed, faults=tuple(faults)))
        if way.closed:
            faults.append("data after a Close")
        if found.opcode == w.CONTINUATION:
            if way.opcode is None:
                faults.append("a continuation without a start")
                way.compressed, way.fragment = False, 0
            way.fragment += way.opcode is not None
        else:
            if way.opcode is not None:
                faults.append("a message starts before the one before is at its end")
            way.fragment, way.compressed = 0, found.compressed
        opcode = found.opcode or way.opcode or 0
        place = None
        if found.compressed and agreed.known and not agreed.deflate:
            faults.append("compressed, which was not negotiated")
        if way.compressed:
            if way.history is None:
                way.history = History(agreed.takeover[0 if side.from_client else 1], side.from_start)
            payload = w.unmask(data[start + found.size:min(end, start + found.size + found.length)], found.key)
            place = way.history.add(payload, way.fragment == 0, found.fin, len(payload) == found.length)
        context = Context(opcode, way.fragment, way.compressed, agreed, way.history if way.compressed else None, place, tuple(faults))
        way.opcode = None if found.fin else opcode
        return Header(Kind.EVENT, None, op, context)

    def carrier(self) -> Callable[[MessageBytes], Iterable[Carried]]:
        inflaters: dict[bool, Inflater] = {}

        def carry(message: MessageBytes) -> Iterable[Carried]:
            context: Context = message.header.context
            found = w.head(message.data, message.start, message.end)
            if found is None or found.control:
                return
            payload = w.unmask(message.data[message.start + found.size:message.end], found.key)
            hint = context.agreed.protocol
            if not context.compressed:
                yield Carried(payload, None if found.key else found.size, 0, hint)
                return
            client = message.from_client
            inflater = inflaters.setdefault(client, Inflater(context.agreed.takeover[0 if client else 1]))
            made = inflater.feed(payload, context.fragment == 0, found.fin)
            if made:
                yield Carried(made, None, 0, hint)
        return carry

    def describe(self, message: MessageBytes) -> Summary:
        found, context = w.head(message.data, message.start, message.end), message.header.context
        if found is None:
            return Summary(info="WebSocket frame cut off")
        out = Summary(message.header.op)
        payload, inflated = _payload(message, found)
        if found.opcode == w.CLOSE:
            code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
            reason = payload[2:].decode("utf-8", "replace")
            out.code, out.status = code, _close_status(code, message.from_client)
            out.error = "" if out.status is Status.OK else f"{code} {_close_name(code)}" + (f": {reason}" if reason else "")
            said = f'Close {code} {_close_name(code)}' + (f' "{reason}"' if reason else "")
        elif found.control:
            said = f"{out.op} {_sized(found.length)}"
            out.status = Status.OK if message.header.kind is Kind.RESPONSE else None
        else:
            name = w.OPCODES.get(context.opcode, out.op)
            if context.fragment or not found.fin:
                name += f" fragment {context.fragment + 1}" + (" (last)" if found.fin else "")
            sizes = f"deflate {found.length} → {len(inflated)}" if inflated is not None else \
                f"deflate {found.length}, history missing" if context.compressed else _sized(found.length)
            text = inflated if inflated is not None else payload
            said = f"{name} ({sizes})"
            if context.opcode == w.TEXT and (inflated is not None or not context.compressed):
                said += f' "{text[:200].decode("utf-8", "replace")}{"…" if len(text) > 200 else ""}"'
        out.info = printable(said + "".join(f" [{one}]" for one in context.faults))
        out.error = printable(out.error)
        return out

    def dissect(self, message: MessageBytes) -> Sequence[Field]:
        data, start, end, view = message.data, message.start, message.end, message.view
        out: list[Field] = []
        found = w.head(data, start, end)
        if start < end:
            first = data[start]
            values = ((FIN, bool(first & 0x80)), (RSV, first >> 4 & 7), (PMC, bool(first & 0x40)), (OPCODE, first & 15))
            out += [Field(spec, value, start, 1, view) for spec, value in values]
        if found is None:
            if start + 1 < end:
                out.append(f.raw(data, start + 1, end, view))
            out.append(f.incomplete(end - start, max(message.length, end - start + 1), start, view))
            return out
        out += [Field(MASK, bool(found.key), start + 1, 1, view), Field(LENGTH7, data[start + 1] & 0x7F, start + 1, 1, view)]
        wide = found.size - 2 - len(found.key)
        if wide:
            out.append(Field(LENGTH16 if wide == 2 else LENGTH64, found.length, start + 2, wide, view))
        out.append(generated(LENGTH, found.length, at=start, view=view))
        if found.key:
            out.append(Field(KEY, found.key, start + found.size - 4, 4, view))
        out += _payload_fields(message, found)
        context = message.header.context
        if context.agreed.protocol:
            out.append(generated(PROTOCOL, context.agreed.protocol, at=start, view=view))
        out += [generated(NOTE, one, at=start, view=view) for one in context.faults]
        if not message.complete:
            out.append(f.incomplete(end - start, message.length, start, view))
        return out


def _control(found: w.Head, payload: bytes, op: str, way: _Way, other: _Way, client: bool, context: Context) -> Header:
    """A Ping waits for a Pong with its payload, a Close for a Close."""
    if found.opcode == w.PING:
        way.pings.append(payload)
        del way.pings[:-PINGS_KEPT]
        return Header(Kind.REQUEST, ("ping", client, payload), op, context)
    if found.opcode == w.PONG:
        if payload not in other.pings:
            return Header(Kind.ONEWAY, None, op, context)            # a Pong that nobody asked for (section 5.5.3)
        del other.pings[:other.pings.index(payload) + 1]
        return Header(Kind.RESPONSE, ("ping", not client, payload), "", context)
    if found.opcode == w.CLOSE:
        way.closed = True
        return Header(Kind.RESPONSE, "close", "", context) if other.closed else Header(Kind.REQUEST, "close", op, context)
    return Header(Kind.EVENT, None, op, context)


def _close_status(code: int, client: bool) -> Status:
    """Who is to blame: the side that is told of a fault, except for faults that a server says of itself."""
    if code in FINE:
        return Status.OK
    if 1002 <= code <= 1010:
        return Status.SERVER_ERROR if client else Status.CLIENT_ERROR
    return Status.SERVER_ERROR if 1011 <= code <= 1014 else Status.CLIENT_ERROR


def _payload(message: MessageBytes, found: w.Head) -> tuple[bytes, bytes | None]:
    """The unmasked payload, and what it inflates to where it is compressed and can be read."""
    payload = w.unmask(message.data[message.start + found.size:message.end], found.key)
    context: Context = message.header.context
    if not context.compressed or found.control:
        return payload, None
    if context.history is not None and context.place is not None:
        return payload, context.history.inflated(context.place)
    # what came before is not there: some messages can be read without
    if context.fragment or not found.fin or not message.complete:
        return payload, None
    made = Inflater(False).feed(payload, True, True)
    if made is not None and context.opcode == w.TEXT:
        try:
            made.decode()
        except UnicodeDecodeError:
            return payload, None
    return payload, made


def _payload_fields(message: MessageBytes, found: w.Head) -> list[Field]:
    """The payload as sent, and below views of it unmasked and inflated."""
    data, start, end, view = message.data, message.start + found.size, message.end, message.view
    if start >= end:
        return [Field(PAYLOAD, None, end, 0, view)] if not found.length else []
    out: list[Field] = []
    payload, inflated = _payload(message, found)
    if found.key:
        out.append(Field(MASKED, None, start, end - start, view, (), f"Masked payload ({_sized(end - start)}): {data[start:start + 32].hex()}"
                         + ("…" if end - start > 32 else "")))
        at, where = 0, message.add_view("Unmasked payload", payload)
    else:
        at, where = start, view
    context: Context = message.header.context
    if context.compressed and not found.control:
        out.append(Field(COMPRESSED, payload, at, len(payload), where))
        if inflated is None:
            out.append(generated(NOTE, "compressed: cannot be read, history missing or damaged", at=message.start, view=view))
            return out
        payload, at, where = inflated, 0, message.add_view("Inflated payload", inflated)
    out.append(Field(PAYLOAD, None, at, len(payload), where, _content(found, context, payload, at, where), f"Payload ({_sized(len(payload))})"))
    return out


def _content(found: w.Head, context: Context, payload: bytes, at: int, view: int) -> list[Field]:
    """What a payload is, by its opcode."""
    if found.opcode == w.CLOSE:
        if len(payload) < 2:
            return [f.malformed(at, "a Close of one byte", at + len(payload), view)]
        code, reason = int.from_bytes(payload[:2], "big"), payload[2:]
        parts = [Field(CODE, code, at, 2, view)]
        if reason:
            parts.append(Field(REASON, reason.decode("utf-8", "replace"), at + 2, len(reason), view))
        if code in NEVER_SENT or _close_name(code) == "invalid":
            parts.append(f.malformed(at, f"{code} is not sent", at, view))
        return [f.group(CLOSING, at, at + len(payload), parts, view=view)]
    if found.opcode == w.TEXT:
        out = [Field(TEXT, payload.decode("utf-8", "replace"), at, len(payload), view)]
        try:
            payload.decode()
        except UnicodeDecodeError as fault:
            # a fragment may end inside a character
            if found.fin or fault.reason != "unexpected end of data":
                out.append(f.malformed(at + fault.start, "no UTF-8", at + fault.start, view))
        return out
    spec = {w.PING: PING, w.PONG: PONG, w.CONTINUATION: CONTINUED}.get(found.opcode, BINARY if found.opcode == 2 else UNREAD)
    text = f'Continue: "{payload[:512].decode("utf-8", "replace")}"' if spec is CONTINUED and context.opcode == w.TEXT else None
    return [Field(spec, payload, at, len(payload), view, (), text)]


def _sized(count: int) -> str:
    return "1 byte" if count == 1 else f"{count} bytes"
