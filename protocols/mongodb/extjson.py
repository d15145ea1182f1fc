"""Documents as relaxed extended JSON on one line, shortened to the room there is.

Source: MongoDB specifications, "Extended JSON v2" (relaxed format).
"""
from __future__ import annotations

import base64
import math
from json import dumps
from typing import Any

from protocols.engine.scalars import Malformed
from protocols.mongodb import bson
from protocols.mongodb.bson import ARRAY, DOCUMENT, Element, Hide
from protocols.mongodb.masking import sensitive

__all__ = ["document_line", "json_text"]

DEEPEST = 100
"""Documents in documents that a server takes."""
YEAR_10000 = 253_402_300_800
"""Its first second, counted from 1970."""


def document_line(data: bytes, at: int, end: int, room: int = 100, hide: Hide | None = sensitive) -> str:
    """The document `data[at:end]`; what goes beyond `room` characters is left out, and "…" says so."""
    text = json_text(data, Element(DOCUMENT, "", at, at, end), room, hide)
    return text if len(text) <= room else text[:room - 1] + "…"


def json_text(data: bytes, e: Element, room: int, hide: Hide | None = None, depth: int = 0) -> str:
    """One value. It may come out longer than `room`, by no more than its last leaf."""
    hidden = hide(data, e) if hide else None
    if hidden is not None:
        return _quoted(hidden)
    if e.kind not in (DOCUMENT, ARRAY):
        return _leaf(data, e, room, hide, depth)
    opening, closing = "{}" if e.kind == DOCUMENT else "[]"
    if depth >= DEEPEST:
        return f"{opening}…{closing}"
    parts: list[str] = []
    used = 2
    try:
        for element in bson.scan(data, e.start, e.end, True):
            if used > room:
                parts.append("…")
                break
            inner = json_text(data, element, room - used, hide, depth + 1)
            parts.append(f"{_quoted(element.name)}: {inner}" if e.kind == DOCUMENT else inner)
            used += len(parts[-1]) + 2
        else:
            if bson.ends_early(data, e.start, e.end):
                parts.append("…")
    except Malformed:
        parts.append("(malformed)")
    return opening + ", ".join(parts) + closing


def _quoted(text: str) -> str:
    return dumps(text, ensure_ascii=False)


def _leaf(data: bytes, e: Element, room: int, hide: Hide | None, depth: int) -> str:
    """A value that is no document: bare where JSON has its type, else an object whose key names the type."""
    kind = e.kind
    if kind == 0x0F:
        return _scoped(data, e, room, hide, depth)
    leaf: Any = bson.value(data, kind, e.start, e.end)
    match kind:
        case 0x02:
            return _quoted(leaf if len(leaf) <= room else leaf[:room] + "…")
        case 0x08 | 0x0A:
            return dumps(leaf)
        case 0x10 | 0x12:
            return str(leaf)
        case 0x01:
            if math.isfinite(leaf):
                return repr(leaf)
            return dumps({"$numberDouble": "NaN" if leaf != leaf else "Infinity" if leaf > 0 else "-Infinity"})
        case 0x05:
            if data[e.start + 4] == 2 and len(leaf) >= 4:
                leaf = leaf[4:]  # an old binary holds its length once more
            text = base64.b64encode(leaf[:room]).decode() + ("" if len(leaf) <= room else "…")
            return f'{{"$binary": {{"base64": "{text}", "subType": "{data[e.start + 4]:02x}"}}}}'
        case 0x07:
            return f'{{"$oid": "{leaf}"}}'
        case 0x09:
            return _date(leaf // 1_000_000)
        case 0x0B:
            pattern, options = (part.decode("utf-8", "replace") for part in data[e.start:e.end - 1].split(b"\0", 1))
            return f'{{"$regularExpression": {{"pattern": {_quoted(pattern)}, "options": {_quoted(options)}}}}}'
        case 0x0C:
            return f'{{"$dbPointer": {{"$ref": {_quoted(bson.string(data, e.start))}, "$id": {{"$oid": "{data[e.end - 12:e.end].hex()}"}}}}}}'
        case 0x11:
            return f'{{"$timestamp": {{"t": {leaf[0]}, "i": {leaf[1]}}}}}'
    name = {0x0D: "$code", 0x0E: "$symbol", 0x13: "$numberDecimal", 0x06: "$undefined", 0x7F: "$maxKey", 0xFF: "$minKey"}[kind]
    return f'{{"{name}": {_quoted(leaf) if kind in (0x0D, 0x0E, 0x13) else "true" if kind == 0x06 else 1}}}'


def _date(milliseconds: int) -> str:
    """ISO 8601 from 1970 to 9999, milliseconds as a number outside of it."""
    if not 0 <= milliseconds < YEAR_10000 * 1000:
        return f'{{"$date": {{"$numberLong": "{milliseconds}"}}}}'
    return f'{{"$date": "{bson.iso_time(milliseconds)}"}}'


def _scoped(data: bytes, e: Element, room: int, hide: Hide | None, depth: int) -> str:
    code, scope = bson.scoped(data, e.start, e.end)
    inner = json_text(data, Element(DOCUMENT, "", scope, scope, e.end), room, hide, depth + 1) if scope is not None else "…"
    return f'{{"$code": {_quoted(code)}, "$scope": {inner}}}'
