"""Trace and span ids in header fields: W3C Trace Context, B3, Jaeger, SkyWalking, and the request ids of proxies."""
from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote

from protocols.engine.fields import Field, Spec, generated
from protocols.http1.head import Head

__all__ = ["SPECS", "fields", "ids"]

TRACE, SPAN = Spec("http.trace.id", "Trace id", "string"), Spec("http.trace.span", "Span id", "string")
PARENT, REQUEST = Spec("http.trace.parent", "Parent span id", "string"), Spec("http.trace.request_id", "Request id", "string")
SPECS = (TRACE, SPAN, PARENT, REQUEST)
_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?\Z")
_AMAZON = re.compile(r"(?:^|;)\s*(Root|Parent)=([0-9a-fA-F-]+)")


def _text(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return value


def ids(name: str, value: str) -> tuple[str, str, str]:
    """Trace, span and parent span that a header field says, "" for what it does not."""
    value = value.strip()
    if name == "traceparent":
        found = _PARENT.match(value)
        return (found[1], found[2], "") if found is not None else ("", "", "")
    if name == "b3":
        parts = value.split("-")
        return (parts[0], parts[1], parts[3] if len(parts) > 3 else "") if len(parts) > 1 else ("", "", "")
    if name == "uber-trace-id":
        parts = unquote(value).split(":")
        return (parts[0], parts[1], "" if parts[2] == "0" else parts[2]) if len(parts) == 4 else ("", "", "")
    if name == "sw8":
        parts = value.split("-")
        return (_text(parts[1]), f"{_text(parts[2])}-{parts[3]}", "") if len(parts) == 8 else ("", "", "")
    if name == "x-amzn-trace-id":
        said = dict(_AMAZON.findall(value))
        return "".join(said.get("Root", "").split("-")[1:]), "", said.get("Parent", "")
    if name == "x-cloud-trace-context":
        first, _, rest = value.partition("/")
        return first, rest.partition(";")[0], ""
    return {"x-b3-traceid": (value, "", ""), "x-b3-spanid": ("", value, ""), "x-b3-parentspanid": ("", "", value), "x-datadog-trace-id": (value, "", ""),
            "x-datadog-parent-id": ("", "", value)}.get(name, ("", "", ""))


def fields(found: Head, at: int, view: int) -> list[Field]:
    """The ids of a message, in the order of its header fields."""
    out = []
    for one in found.fields:
        for spec, value in zip((TRACE, SPAN, PARENT), ids(one.name, one.value), strict=True):
            if value:
                out.append(generated(spec, value, at=at, view=view))
        if one.name in ("x-request-id", "x-correlation-id", "x-amzn-requestid", "x-ms-request-id"):
            out.append(generated(REQUEST, one.value, at=at, view=view))
    return out
