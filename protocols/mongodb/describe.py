"""The words for a message, from the tops of its documents: operation, namespaces, status, error.

What counts as an error is in `errors`. The Info column is made in `info`, mostly when somebody reads it. A reply leaves its operation and target to
its request, which has them anyway: to look at it would cost more than all the rest.
"""
from __future__ import annotations

from functools import partial

from protocols.decoder import MessageBytes, Status, Summary
from protocols.mongodb import tables as t
from protocols.mongodb.body import Body, read_body
from protocols.mongodb.commands import HELLO, awaits, command_of, cursor_namespace, targets
from protocols.mongodb.errors import expected, fault_of, succeeded
from protocols.mongodb.info import request_line, response_line

__all__ = ["describe"]

KEPT = 16_384
"""Bytes of a message up to which they are kept until its line is read; of a larger one the line is made at once, as words are kept by thousands."""


def describe(message: MessageBytes) -> Summary:
    """The words for one message."""
    body = read_body(message.data, message.start, message.end)
    summary = _request(body) if message.from_client else _response(body, message)
    key = message.header.key
    summary.id = str(key) if key is not None else ""
    if len(message.data) + len(body.data) > 2 * KEPT:
        summary.text = summary.info
    return summary


def _request(body: Body) -> Summary:
    command = command_of(body)
    found = targets(body, command)
    application = body.value("client", "application", "name") if command in HELLO else ""
    return Summary(command or t.opcode_name(body.opcode), found, found[0] if found else "", "", None, None, "", partial(request_line, body, command),
                   False, awaits(body, command), application if isinstance(application, str) else "")


def _response(body: Body, message: MessageBytes) -> Summary:
    found = "" if message.paired else cursor_namespace(body)
    place = message.header.context
    summary = Summary("", found, found, "", None, None, "", partial(response_line, body, message), False, bool(place and place > 1))
    fault = fault_of(body, message)
    if fault is not None:
        summary.status, summary.code, summary.error, summary.error_text = t.error_status(fault.code), fault.code, fault.name, fault.text
        summary.soft = body.value("ok") != 1 and expected(fault, message)   # else a write failed, which no one counts on
    elif succeeded(body, message):
        summary.status, summary.code = Status.OK, 0
    return summary
