"""SASL tokens: what they say of the mechanism and the user, with every secret masked.

PLAIN is RFC 4616, SCRAM RFC 5802, OAUTHBEARER RFC 7628. The mechanism is told by the token's form, so that a conversation
which starts in the middle reads the same.
"""
from __future__ import annotations

import re

from protocols.engine.fields import Field, Spec
from protocols.engine.records import Source

__all__ = ["SPECS", "open_token", "token_words"]

MASK = "********"
IDENTITY = Spec("kafka.sasl.authorization_id", "Authorization id", "string")
USER = Spec("kafka.sasl.user", "User", "string")
PASSWORD = Spec("kafka.sasl.password", "Password", "string", about="Never shown")
SCRAM = Spec("kafka.sasl.scram", "SCRAM attribute", "string")
PROOF = Spec("kafka.sasl.proof", "SCRAM proof", "string", about="Never shown")
BEARER = Spec("kafka.sasl.oauth", "OAUTHBEARER", "string")
SECRET = Spec("kafka.sasl.token", "Token", "string", about="Never shown")
SEPARATOR = Spec("kafka.sasl.separator", "Separator", "bytes")
OTHER = Spec("kafka.sasl.data", "Token data", "bytes")
SPECS = (IDENTITY, USER, PASSWORD, SCRAM, PROOF, BEARER, SECRET, SEPARATOR, OTHER)

ATTRIBUTES = {"n": "user", "r": "nonce", "s": "salt", "i": "iterations", "c": "channel binding", "p": "proof", "v": "verifier", "e": "error",
              "a": "authorization id",
              "m": "extension", "y": "no channel binding", "tokenauth": "delegation token"}
SCRAM_FORM = re.compile(rb"(n|y|p=[^,]*),(a=[^,]*)?,n=|r=[^,]+,s=|c=[^,]+,r=|v=[^,]+$|e=[^,]+$")


def open_token(source: Source, at: int, end: int) -> list[Field]:
    """The parts of one token, every byte in one of them."""
    data, view = source.data[at:end], source.view
    if data.count(b"\0") == 2 and not SCRAM_FORM.match(data):
        identity, user, password = data.split(b"\0")
        one, two = at + len(identity), at + len(identity) + 1 + len(user)
        return [Field(IDENTITY, identity.decode("utf-8", "replace"), at, len(identity), view), Field(SEPARATOR, b"\0", one, 1, view),
                Field(USER, user.decode("utf-8", "replace"), one + 1, len(user), view), Field(SEPARATOR, b"\0", two, 1, view),
                Field(PASSWORD, MASK, two + 1, len(password), view)]
    if data.startswith((b"n,", b"y,", b"p,")) and b"\1auth=" in data:
        start = at + data.index(b"\1auth=") + 6
        return [Field(BEARER, data[:start - at].decode("utf-8", "replace"), at, start - at, view), Field(SECRET, MASK, start, end - start, view)]
    if SCRAM_FORM.match(data):
        return _scram(data, at, view)
    return [Field(OTHER, data, at, end - at, view)]


def _scram(data: bytes, at: int, view: int) -> list[Field]:
    out: list[Field] = []
    now = at
    for piece in data.split(b","):
        text = piece.decode("utf-8", "replace")
        name, _, value = text.partition("=")
        length = len(piece) + (1 if now + len(piece) < at + len(data) else 0)
        if name in ("p", "v") and value:
            out.append(Field(PROOF, MASK, now, length, view, (), f"SCRAM {ATTRIBUTES[name]}: {MASK}"))
        elif name == "n" and value:
            out.append(Field(USER, value, now, length, view))
        elif length:
            out.append(Field(SCRAM, text, now, length, view, (), f"SCRAM {ATTRIBUTES.get(name, 'attribute')}: {value or name}"))
        now += length
    return out


def token_words(data: bytes) -> str:
    """A token in a few words, without its secrets."""
    for field in open_token(Source(data), 0, len(data)):
        if field.spec is USER:
            return f"user {field.value}, {len(data)} bytes"
    return f"{len(data)} bytes"
