"""The `pv.*` fields: what every message says in the same words, whatever its protocol.

One group a message, each field once, in a fixed order, with an empty value where the message has none, so that the
columns of one packet line up (`-T fields -e pv.op -e pv.rrt`).
"""
from __future__ import annotations

from dataclasses import dataclass

from protocols.decoder import Summary
from protocols.fields import Field, Spec, generated

GROUP = Spec("pv", "Exchange")
PROTO = Spec("pv.proto", "Protocol", "string", about="The protocol's filter name")
KIND = Spec("pv.kind", "Kind", "string", about="request, response, oneway or event")
OP = Spec("pv.op", "Operation", "string", about="What the request asks for, on the request and on its response")
TARGET = Spec("pv.target", "Target", "string", about="What the operation works on: path, topic, collection")
ID = Spec("pv.id", "Correlation", "string", about="The protocol's own correlation id")
STATUS = Spec("pv.status", "Status", "string", about="ok, client_error, server_error, no_response, orphan or truncated")
CODE = Spec("pv.code", "Code", "int64", about="The response's status or error number")
ERROR = Spec("pv.error", "Error", "string", about="The error by name")
RRT = Spec("pv.rrt", "Response time", "double", show=lambda s: f"{s * 1e3:.3f} ms", about="Seconds from the request's last byte to the response's first")
REQUEST = Spec("pv.req_frame", "Request in frame", "frame")
RESPONSE = Spec("pv.resp_frame", "Response in frame", "frame")
CLIENT = Spec("pv.client", "Client", "string")
SERVER = Spec("pv.server", "Server", "string")
CONFIDENCE = Spec("pv.confidence", "Recognised", "uint8", about="How sure the decoder is of the connection, 0-100")
WHY = Spec("pv.why", "Because", "string", about="Why the connection was taken for this protocol")
SPECS = (GROUP, PROTO, KIND, OP, TARGET, ID, STATUS, CODE, ERROR, RRT, REQUEST, RESPONSE, CLIENT, SERVER, CONFIDENCE, WHY)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A message's part in its exchange. `rrt` in nanoseconds; frames are numbers from 1."""

    proto: str
    kind: str
    summary: Summary
    rrt: int | None
    request: int | None
    response: int | None
    client: str
    server: str
    confidence: int
    why: str


def fields(one: Exchange, at: int, view: int) -> Field:
    """The group of `pv.*` nodes for a message that starts at `at` of `view`."""
    words = one.summary
    values = (
        (PROTO, one.proto), (KIND, one.kind), (OP, words.op), (TARGET, words.target), (ID, words.id), (STATUS, str(words.status or "")),
        (CODE, words.code), (ERROR, words.error), (RRT, None if one.rrt is None else one.rrt / 1e9), (REQUEST, one.request), (RESPONSE, one.response),
        (CLIENT, one.client), (SERVER, one.server), (CONFIDENCE, one.confidence), (WHY, one.why),
    )
    nodes = [generated(spec, value, at=at, view=view) for spec, value in values]
    return generated(GROUP, None, _title(one), at, view, nodes)


def _title(one: Exchange) -> str:
    words = one.summary
    parts = [f"{words.op or one.kind} {words.target}".strip()]
    if words.status is not None:
        parts.append(str(words.status) + (f" {words.error}" if words.error else ""))
    if one.rrt is not None:
        parts.append(RRT.shown(one.rrt / 1e9))
    if one.kind == "request" and one.response is not None:
        parts.append(f"response in frame {one.response}")
    if one.kind == "response" and one.request is not None:
        parts.append(f"request in frame {one.request}")
    return "Exchange: " + ", ".join(parts)
