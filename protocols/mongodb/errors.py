"""What a reply says went wrong.

Source: MongoDB manual and specifications: `ok` that is not 1, write errors, a write concern error, a failed query or a lost cursor of the
legacy replies, failed items of a bulkWrite. A reply with `ok: 1` may be an error all the same.
"""
from __future__ import annotations

from typing import NamedTuple

from protocols.mongodb import tables as t
from protocols.mongodb.body import Body
from protocols.mongodb.bson import Element

__all__ = ["Fault", "expected", "fault_of"]


class Fault(NamedTuple):
    """The first error in a reply. `code` None: the server gives no number. `failures` is how many there are."""

    code: int | None
    name: str
    detail: str
    failures: int = 1


def fault_of(body: Body) -> Fault | None:
    """The first real error in a reply; None when all is well."""
    if body.opcode == t.OP_REPLY and body.flags & t.REPLY_NOT_FOUND:
        return Fault(43, "CursorNotFound", "")
    ok = body.value("ok")
    if (ok is not None and not isinstance(ok, str) and ok != 1) or "$err" in body.top or (body.opcode == t.OP_REPLY and body.flags & t.REPLY_FAILURE):
        code = body.number("code")
        return Fault(code, body.text("codeName") or t.error_name(code) or (f"error {code}" if code else "error"), body.text("errmsg") or body.text("$err"))
    for name in ("writeErrors", "writeConcernError"):
        found = body.below(name)
        if found:
            inner = body.nested(next(iter(found.values()))) if name == "writeErrors" else found
            return _fault(body, inner, name, len(found) if name == "writeErrors" else 1)
    if failed := body.number("nErrors"):
        cursor = body.below("cursor")
        batch = body.nested(cursor["firstBatch"]) if "firstBatch" in cursor else {}
        items = (body.nested(item) for item in batch.values())
        return _fault(body, next((item for item in items if body.leaf(item.get("ok")) in (0, 0.0)), {}), "bulkWrite error", failed)
    legacy = body.text("err")  # getLastError
    return Fault(body.number("code"), t.error_name(body.number("code")) or "error", legacy) if legacy else None


def _fault(body: Body, inner: dict[str, Element], kind: str, count: int) -> Fault:
    """An error that stands in a document of its own."""
    number, name, text = (body.leaf(inner.get(key)) for key in ("code", "codeName", "errmsg"))
    code = int(number) if isinstance(number, (int, float)) and abs(number) < 1 << 63 else None
    more = f"(+{count - 1} more)" if count > 1 else ""
    return Fault(code, str(name or t.error_name(code) or kind), f"{text or ''} {more}".strip(), count)


def expected(command: str, fault: Fault) -> bool:
    """Whether drivers count on this error: a collection to drop that is not there; cleaning up that a server does not know."""
    return (command == "drop" and fault.code == t.NAMESPACE_NOT_FOUND) or command in ("endSessions", "killCursors")
