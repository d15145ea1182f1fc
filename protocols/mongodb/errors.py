"""What a reply says went wrong.

Source: MongoDB manual and specifications: `ok` that is not 1, write errors, a write concern error, a failed query or a lost cursor of the
legacy replies, failed items of a bulkWrite. A reply with `ok: 1` may be an error all the same.
"""
from __future__ import annotations

from struct import pack
from typing import NamedTuple

from protocols.decoder import MessageBytes
from protocols.mongodb import tables as t
from protocols.mongodb.body import Body, read_body
from protocols.mongodb.bson import Element
from protocols.mongodb.commands import brings_data, command_of

__all__ = ["Fault", "expected", "fault_of", "succeeded"]

OK = b"\x01ok\0" + pack("<d", 1)
"""The element that nearly every reply has."""
FAULTS = frozenset({b"$err", b"writeErrors", b"writeConcernError", b"nErrors", b"err"})
"""Elements beside `ok` that tell of errors."""


class Fault(NamedTuple):
    """The first error in a reply. `code` None: the server gives no number. `text` is what the server says in words, `failures` how many errors there are."""

    code: int | None
    name: str
    text: str
    failures: int = 1

    @property
    def detail(self) -> str:
        """The words, and how many more errors there are."""
        return f"{self.text} (+{self.failures - 1} more)".strip() if self.failures > 1 else self.text


def fault_of(body: Body, message: MessageBytes) -> Fault | None:
    """The first real error in a reply; None when all is well, or when no error was captured."""
    found = _fault_of(body)
    return None if found is not None and brings_data(body, message) else found


def _fault_of(body: Body) -> Fault | None:
    starts, legacy = body.starts, body.opcode == t.OP_REPLY
    ok_at = starts.get(b"ok")
    if ok_at is not None and body.data[ok_at - 4:ok_at + 8] == OK and FAULTS.isdisjoint(starts) and not legacy:
        return None
    if legacy and body.flags & t.REPLY_NOT_FOUND:
        return Fault(43, "CursorNotFound", "")
    ok = body.value("ok")
    if (ok is not None and ok != 1 and not isinstance(ok, str)) or b"$err" in starts or (legacy and body.flags & t.REPLY_FAILURE):
        code = body.number("code")
        return Fault(code, body.text("codeName") or t.error_name(code) or (f"error {code}" if code else "error"), body.text("errmsg") or body.text("$err"))
    if b"writeErrors" in starts and (failures := body.array("writeErrors")) is not None and (found := next(failures.items(), None)) is not None:
        return _fault(body, found, "writeErrors", failures.number()[0])
    if b"writeConcernError" in starts and (found := body.below("writeConcernError")):
        return _fault(body, found, "writeConcernError", 1)
    if b"nErrors" in starts and (failed := body.number("nErrors")):
        batch = body.array("cursor", "firstBatch")
        return _fault(body, next((one for one in batch.items() if body.leaf(one.get("ok")) in (0, 0.0)), {}) if batch is not None else {},
                      "bulkWrite error", failed)
    if b"err" in starts and (said := body.text("err")):  # getLastError
        return Fault(body.number("code"), t.error_name(body.number("code")) or "error", said)
    return None


def _fault(body: Body, inner: dict[str, Element], kind: str, count: int) -> Fault:
    """An error that stands in a document of its own."""
    number, name, text = (body.leaf(inner.get(key)) for key in ("code", "codeName", "errmsg"))
    code = int(number) if isinstance(number, (int, float)) and abs(number) < 1 << 63 else None
    return Fault(code, str(name or t.error_name(code) or kind), str(text or ""), count)


def succeeded(body: Body, message: MessageBytes) -> bool:
    """Whether a reply without a fault says that all went well: not where it was cut off before it says so, nor where it could not be read."""
    return b"ok" in body.starts or (message.complete and not body.trouble)


def expected(fault: Fault, message: MessageBytes) -> bool:
    """Whether drivers count on this error as an answer to the reply's request: a collection to drop that is not there; cleaning up that a server
    does not know."""
    request = message.peer
    command = command_of(read_body(request.data, request.start, request.end)) if request is not None else ""
    return (command == "drop" and fault.code == t.NAMESPACE_NOT_FOUND) or command in ("endSessions", "killCursors")
