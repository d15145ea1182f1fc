"""HTTP/1.0 and HTTP/1.1: text heads, bodies whose length the head tells, responses in the order of their requests.

How long a response is depends on its request's method (HEAD, CONNECT), so the methods are kept in `framing_state`. Behind an upgrade or a CONNECT the
connection belongs to another protocol, which is recognised on its own; `protocols.http1.framing.hint` says what it is told.
"""
from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from protocols.decoder import Answer, Decoder, Header, Kind, Match, MessageBytes, Opening, Side, Status, Summary
from protocols.engine.fields import Field, Spec, printable
from protocols.http1 import bodies, framing, tree
from protocols.http1 import tables as t
from protocols.http1.head import Head, head, start_like

__all__ = ["HTTP"]

IN_ORDER = "in order"
"""The key of all messages: responses come in the order of their requests (RFC 9112 section 9.3.2)."""
SEGMENTS = 2
"""Path segments of an endpoint."""
JSON_MOST = 1 << 16
_NUMBER = re.compile(r"(?i)\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{24,}")


class HTTP(Decoder):
    name = "http"
    title = "Hypertext Transfer Protocol"
    column = "HTTP"
    ports = frozenset({80, 3128, 8000, 8008, 8080, 8081, 8888})
    header_bytes = 1 << 16
    prefixes = ("http.header.",)
    frames = tree.REQUEST_IN, tree.RESPONSE_IN

    def specs(self) -> Iterable[Spec]:
        return tree.specs()

    def recognise(self, opening: Opening) -> Match | None:
        asked = [_request_score(one) for one in opening.data]
        answered = [start_like(one, False) is True for one in opening.data]
        for client in (0, 1):
            if asked[client] and answered[1 - client]:
                return Match(100, "a request line and a status line", client)
        for client in (0, 1):
            if asked[client] and not opening.data[1 - client]:
                return Match(asked[client], "a request line", client)
            if asked[client] and asked[client] > 90:
                return Match(asked[client] - 20, "a request line; the other side says something else", client)
            if answered[1 - client] and not opening.data[client]:
                return Match(95, "a status line", client)
        return None

    def framing_state(self) -> framing.State:
        return framing.State()

    def frame(self, data: bytes, side: Side) -> int | Answer:
        state: framing.State | None = side.state
        return framing.request_length(data, state) if side.from_client else framing.response_length(data, state)

    def framed(self, data: bytes, side: Side) -> None:
        if side.state is not None:
            framing.framed(data, side.state, side.from_client)

    def handed_on(self, state: framing.State) -> str:
        return state.hint

    def header(self, data: bytes, start: int, end: int, side: Side, session: None) -> Header:
        found = head(data, start, min(end, start + 4096))
        if found.line is None:
            return Header(Kind.EVENT)
        if side.from_client:
            return Header(Kind.REQUEST, IN_ORDER, found.method)
        return Header(Kind.RESPONSE, IN_ORDER, "", None, found.code < 200 and found.code != 101)

    def describe(self, message: MessageBytes) -> Summary:
        found = head(message.data, message.start, message.end)
        if found.line is None:
            return Summary(info="continuation, start not captured")
        if found.line.request:
            return _request(found)
        return _response(message, found)

    def dissect(self, message: MessageBytes) -> Sequence[Field]:
        return tree.dissect(message)


def _request_score(data: bytes) -> int:
    """0 to 98: a known method and the version make a request."""
    if start_like(data, True) is not True:
        return 0
    method = data.lstrip(b"\r\n").split(b" ", 1)[0].decode("latin-1")
    return 98 if method in t.METHODS else 80


def endpoint(target: str) -> str:
    """The first segments of the path, numbers and ids replaced, so that requests for the same kind of thing count together."""
    path = target.split("?", 1)[0]
    if "://" in path:
        path = "/" + path.split("://", 1)[1].partition("/")[2]
    if not path.startswith("/"):
        return path
    parts = ["{id}" if _NUMBER.fullmatch(one) else one for one in path.split("/")[1:1 + SEGMENTS]]
    return "/" + "/".join(parts)


def _request(found: Head) -> Summary:
    assert found.line is not None
    method, target, version = (one[0] for one in found.line.words)
    size = found.value("content-length")
    more = "chunked" if framing.chunked(found) else f"{size} bytes" if size else ""
    upgrade = f" → {found.value('upgrade')}" if found.value("upgrade") and "upgrade" in found.tokens("connection") else ""
    return Summary(method, target, endpoint(target), info=printable(f"{method} {target} {version}{upgrade}" + (f" ({more})" if more else "")))


def _response(message: MessageBytes, found: Head) -> Summary:
    assert found.line is not None
    code, phrase = found.code, found.line.words[2][0] or t.CODES.get(found.code, "")
    out = Summary(code=code)
    out.status = Status.OK if code < 400 else Status.CLIENT_ERROR if code < 500 else Status.SERVER_ERROR
    out.soft = code == 404
    peer = message.peer
    asked = head(peer.data, peer.start, peer.end) if peer is not None else None
    what = ""
    if asked is not None and asked.line is not None and asked.line.request:
        out.op, out.target = asked.method, asked.line.words[1][0]
        out.endpoint, what = endpoint(out.target), f" {out.op} {out.target}"
    kind = found.value("content-type").split(";")[0].strip()
    about = ", ".join(filter(None, (kind,
        f"{message.length - (found.end - message.start)} bytes" if found.whole and message.length > found.end - message.start else "")))
    if code >= 400:
        said = _said(message, found)
        out.error = printable(f"{code} {phrase}" + (f": {said}" if said else ""))
    out.long_poll = kind == "text/event-stream"
    switched = f" → {found.value('upgrade')}" if code == 101 else ""
    out.info = printable(f"{code} {phrase}{switched}{what}" + (f" ({about})" if about else ""))
    return out


def _said(message: MessageBytes, found: Head) -> str:
    """The error that a JSON body tells (RFC 9457 and what is usual)."""
    if "json" not in found.value("content-type") or not found.whole or message.end - found.end > JSON_MOST or found.tokens("content-encoding"):
        return ""
    body = bodies.joined(message.data, found.end, message.end) if framing.chunked(found) else message.data[found.end:message.end]
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(content, dict):
        return ""
    return next((str(content[key])[:200] for key in ("error", "message", "detail", "title") if isinstance(content.get(key), str)), "")
