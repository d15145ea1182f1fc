"""What of a message must not be shown: passwords, keys, proofs and tokens. Their bytes stay where they are; no line and no value holds them.

The commands in which they travel are named in `tables.SECRET_COMMANDS`; in their documents these elements are hidden by name, at any depth.
Sources: MongoDB authentication specification; RFC 5802 (SCRAM).
"""
from __future__ import annotations

import re

from protocols.mongodb.bson import Element

__all__ = ["hide", "payload_of", "sasl_step", "sasl_text", "scram_user", "sensitive"]

HIDDEN = frozenset({"pwd", "key", "password", "token", "storedKey", "serverKey", "salt", "jwt"})
SENSITIVE = 8
_PROOF = re.compile(r"\b([pv])=[^,]*")
_SCRAM = re.compile(rb"(?:n,|y,|p=[\w-]+,|[rvec]=)")


def sensitive(data: bytes, e: Element) -> str | None:
    """The text in place of binary data that its subtype calls sensitive."""
    return f"(masked, {e.end - e.start - 5} bytes)" if e.kind == 0x05 and data[e.start + 4] == SENSITIVE else None


def hide(data: bytes, e: Element) -> str | None:
    """The text in place of a secret of a command that carries secrets; None for what may be shown."""
    if e.kind in (0x02, 0x05):
        if e.name in HIDDEN:
            return f"(masked, {e.end - e.start - 5} bytes)"
        if e.name == "payload":
            return sasl_text(payload_of(data, e))
    return sensitive(data, e)


def payload_of(data: bytes, e: Element) -> bytes:
    """The SASL payload in an element: binary, or text in old drivers."""
    return data[e.start + 5:e.end] if e.kind == 0x05 else data[e.start + 4:e.end - 1]


def sasl_text(payload: bytes) -> str:
    """A SASL payload: SCRAM's parts (RFC 5802, section 5.1) but for proof and signature; anything else by its size alone."""
    if not payload:
        return "(empty)"
    if not _SCRAM.match(payload):
        return f"(masked, {len(payload)} bytes)"
    text = payload.decode("utf-8", "replace")
    return text if text.startswith("p=") else _PROOF.sub(r"\1=(masked)", text)


def scram_user(payload: bytes) -> str:
    """The user's name in SCRAM's first message; "" when there is none."""
    found = re.match(rb"(?:n|y|p=[^,]*),[^,]*,n=([^,]*)", payload)
    return found[1].replace(b"=2C", b",").replace(b"=3D", b"=").decode("utf-8", "replace") if found else ""


def sasl_step(payload: bytes) -> str:
    """Which step of SCRAM a payload is; "" for other mechanisms and for the empty payload of a last round."""
    for pattern, step in ((rb"(?:n|y|p=[^,]*),", "client-first"), (rb"c=", "client-final"), (rb"r=", "server-first"), (rb"v=|e=", "server-final")):
        if re.match(pattern, payload):
            return step
    return ""
