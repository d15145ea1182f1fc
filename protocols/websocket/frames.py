"""The head of a WebSocket frame (RFC 6455 section 5.2), masking, and what the handshake negotiated.

The hint by which a handshake's decoder names the bytes that follow is `websocket`, then, each behind "; ": `permessage-deflate` and its
parameters as the server accepted them, and `protocol=NAME`. Example: `websocket; permessage-deflate; server_no_context_takeover; protocol=mqtt`.
"""
from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CLOSE", "CONTINUATION", "OPCODES", "PING", "PONG", "TEXT", "Head", "Negotiated", "head", "negotiated", "unmask"]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
OPCODES = {0: "Continuation", 1: "Text", 2: "Binary", 8: "Close", 9: "Ping", 10: "Pong"}
CONTROL_MOST = 125
DEFLATE = "permessage-deflate"


@dataclass(frozen=True, slots=True)
class Head:
    """`size` is the length of the head, `length` that of the payload, both in bytes; `key` is b"" in frames that are not masked. `fault` says what is
    wrong with the frame, "" when nothing is."""

    fin: bool
    rsv: int
    opcode: int
    size: int
    length: int
    key: bytes
    fault: str = ""

    @property
    def control(self) -> bool:
        return self.opcode >= 8

    @property
    def compressed(self) -> bool:
        return bool(self.rsv & 4)


def head(data: bytes, at: int, end: int) -> Head | None:
    """The head at `at`; None when it is not all there."""
    if end - at < 2:
        return None
    first, second = data[at], data[at + 1]
    length, size = second & 0x7F, 2
    fault = ""
    if length >= 126:
        wide = 2 if length == 126 else 8
        if end - at < 2 + wide:
            return None
        length, size = int.from_bytes(data[at + 2:at + 2 + wide], "big"), 2 + wide
        if length < (126 if wide == 2 else 65536):
            fault = "the length is written longer than it needs to be"
        elif length >> 63:
            fault = "a length of more than 63 bits"
    key = b""
    if second & 0x80:
        key = data[at + size:min(end, at + size + 4)]
        size += 4
        if len(key) < 4:
            return None
    opcode, fin = first & 15, bool(first & 0x80)
    if opcode not in OPCODES:
        fault = f"the opcode {opcode} is reserved"
    elif opcode >= 8 and (not fin or length > CONTROL_MOST or first & 0x40):
        fault = "a control frame is whole, short and not compressed"
    elif first & 0x30:
        fault = "reserved bits are set"
    return Head(fin, first >> 4 & 7, opcode, size, length, key, fault)


def unmask(data: bytes, key: bytes) -> bytes:
    """`data` with the byte at i xored with byte i mod 4 of `key` (RFC 6455 section 5.3)."""
    if not key or not data:
        return data
    pad = (key * (len(data) // 4 + 1))[:len(data)]
    return (int.from_bytes(data, "little") ^ int.from_bytes(pad, "little")).to_bytes(len(data), "little")


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What client and server agreed on. `takeover` says by direction (the client's first) whether the compressor keeps its window from message to
    message; `known` is False where the handshake was not seen."""

    known: bool = False
    deflate: bool = True
    takeover: tuple[bool, bool] = (True, True)
    protocol: str = ""


UNKNOWN = Negotiated()


def negotiated(hint: str) -> Negotiated:
    """What a hint says."""
    words = [one.strip() for one in hint.split(";")]
    if not words or words[0].lower() != "websocket":
        return UNKNOWN
    names = [one.split("=")[0].strip().lower() for one in words[1:]]
    protocol = next((one[9:] for one in words[1:] if one.startswith("protocol=")), "")
    keeps = "client_no_context_takeover" not in names, "server_no_context_takeover" not in names
    return Negotiated(True, DEFLATE in names, keeps, protocol)
