"""The `pv.*` fields: what every message says in the same words, whatever its protocol.

One group a message, each field once, in a fixed order, with an empty value where the message has none, so that the
columns of one packet line up (`-T fields -e pv.op -e pv.rrt`).
"""
from __future__ import annotations

from dataclasses import dataclass

from protocols.decoder import Summary
from protocols.engine.fields import Field, Spec, generated

GROUP = Spec("pv", "Message")
PROTO = Spec("pv.proto", "Protocol", "string", about="The protocol's filter name")
KIND = Spec("pv.kind", "Kind", "string", about="request, response, oneway or event")
OP = Spec("pv.op", "Operation", "string", about="What the request asks for, on the request and on its response")
TARGET = Spec("pv.target", "Target", "string", about="What the operation works on: path, topic, collection")
ID = Spec("pv.id", "Correlation", "string", about="The protocol's own correlation id")
STATUS = Spec("pv.status", "Status", "string", about="ok, client_error, server_error, no_response, late, orphan or truncated")
CODE = Spec("pv.code", "Code", "int64", about="The response's status or error number")
ERROR = Spec("pv.error", "Error", "string", about="The error by name")
RRT = Spec("pv.rrt", "RRT", "double", show=lambda s: f"{s * 1e3:.3f} ms", about="From the request's last byte to the response's first, seconds")
REQUEST = Spec("pv.req_frame", "Request in packet", "frame")
RESPONSE = Spec("pv.resp_frame", "Response in packet", "frame")
CLIENT = Spec("pv.client", "Client", "string")
SERVER = Spec("pv.server", "Server", "string")
CONFIDENCE = Spec("pv.confidence", "Recognised", "uint8", about="How sure the decoder is of the stream, 0-100")
WHY = Spec("pv.why", "Because", "string", about="Why the stream was taken for this protocol")
REQUEST_LENGTH = Spec("pv.req_len", "Request length", "uint64", about="Bytes of the request")
RESPONSE_LENGTH = Spec("pv.resp_len", "Response length", "uint64", about="Bytes of the response, of several the first")
CLIENT_ID = Spec("pv.client_id", "Client's name", "string", about="What the client calls itself in the request, where the protocol has a field for it")
QUEUED = Spec("pv.queued", "Queued", "double", show=lambda s: f"{s * 1e3:.3f} ms",
              about="Seconds that the request waited until those before it in its stream had their responses, where responses come in order")
SERVER_TIME = Spec("pv.server_time", "Server's time", "double", about="Never there: a capture does not tell time in the server from time on the way")
TRACE_ID = Spec("pv.trace_id", "Trace", "string", about="Never there: traces are not followed")
PROCESS = Spec("pv.process", "Process", "string", about="Never there: captures do not name processes")
SPECS = (GROUP, PROTO, KIND, OP, TARGET, ID, STATUS, CODE, ERROR, RRT, REQUEST, RESPONSE, CLIENT, SERVER, CONFIDENCE, WHY,
         REQUEST_LENGTH, RESPONSE_LENGTH, CLIENT_ID, QUEUED, SERVER_TIME, TRACE_ID, PROCESS)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A message and what its peer adds. `rrt` and `queued` in nanoseconds, lengths in bytes; `request` and `response` are packet numbers from 1."""

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
    request_length: int | None
    response_length: int | None
    client_id: str
    queued: int | None


def fields(one: Exchange, at: int, view: int) -> Field:
    """The group of `pv.*` nodes for a message that starts at `at` of `view`."""
    words = one.summary
    values = (
        (PROTO, one.proto), (KIND, one.kind), (OP, words.op), (TARGET, words.target), (ID, words.id), (STATUS, str(words.status or "")),
        (CODE, words.code), (ERROR, words.error), (RRT, None if one.rrt is None else one.rrt / 1e9), (REQUEST, one.request), (RESPONSE, one.response),
        (CLIENT, one.client), (SERVER, one.server), (CONFIDENCE, one.confidence), (WHY, one.why),
        (REQUEST_LENGTH, one.request_length), (RESPONSE_LENGTH, one.response_length), (CLIENT_ID, one.client_id),
        (QUEUED, None if one.queued is None else one.queued / 1e9), (SERVER_TIME, None), (TRACE_ID, None), (PROCESS, None),
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
        parts.append(f"response in packet {one.response}")
    if one.kind == "response" and one.request is not None:
        parts.append(f"request in packet {one.request}")
    return "Message: " + ", ".join(parts)
