"""Where a message ends (RFC 9112 section 6), and what of the requests the responses' ends depend on."""
from __future__ import annotations

import re
from dataclasses import dataclass, field

from protocols.decoder import HANDED_ON, MORE, REFUSED, TO_END, Answer
from protocols.http1.head import HEAD_MOST, Head, head, head_end, start_like

__all__ = ["State", "chunks", "hint", "length", "request_length", "response_length"]

LENGTH_MOST = 1 << 62
_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,16})[ \t]*(;[^\r\n]*)?\r?\n\Z")
SIZE_LINE = 4096


@dataclass(slots=True)
class State:
    """`requests` has for each request in order (method, protocols of Upgrade); `answered` counts final responses; `protocol` and `switched` say to what
    the connection was switched."""

    requests: list[tuple[str, str]] = field(default_factory=list)
    answered: int = 0
    switched: bool = False
    hint: str = ""


def content_length(found: Head) -> int | None:
    """The length that is announced; -1 when it makes no sense."""
    values = found.tokens("content-length")
    if not values:
        return None
    if len(set(values)) != 1 or not values[0].isdecimal() or not values[0].isascii() or len(values[0]) > 19:
        return -1
    return int(values[0]) if int(values[0]) < LENGTH_MOST else -1


def chunks(data: bytes, at: int, end: int) -> int | Answer:
    """The position after a chunked body at `at`, MORE, or TO_END where it breaks the rules. One hop a chunk."""
    while True:
        stop = data.find(b"\n", at, min(end, at + SIZE_LINE))
        if stop < 0:
            return MORE if end - at < SIZE_LINE else TO_END
        found = _SIZE.match(data, at, stop + 1)
        if found is None:
            return TO_END
        size, at = int(found[1], 16), stop + 1
        if size > LENGTH_MOST:
            return TO_END
        if size == 0:
            break
        at += size
        if at + 2 > end:
            return MORE
        if data[at:at + 2] != b"\r\n":
            if data[at:at + 1] != b"\n":
                return TO_END
            at -= 1
        at += 2
    while True:                                            # trailers, up to an empty line
        stop = data.find(b"\n", at, end)
        if stop < 0:
            return MORE if end - at < HEAD_MOST else TO_END
        if data[at:stop] in (b"", b"\r"):
            return stop + 1
        at = stop + 1


def chunked(found: Head) -> bool:
    codings = found.tokens("transfer-encoding")
    return bool(codings) and codings[-1] == "chunked"


def length(data: bytes, found: Head, request: bool) -> int | Answer:
    """The message's length by its head; the rules that depend on the request are dealt with before."""
    if found.values("transfer-encoding"):
        return chunks(data, found.end, len(data)) if chunked(found) else TO_END
    size = content_length(found)
    if size is None:
        return found.end if request else TO_END
    return found.end + size if size >= 0 else TO_END


def _head(data: bytes, request: bool) -> Head | Answer:
    like = start_like(data, request)
    if like is False:
        return REFUSED
    if like is None:
        return MORE
    stop = head_end(data)
    if stop < 0:
        return MORE if len(data) < HEAD_MOST else REFUSED
    return head(data, 0, stop)


def request_length(data: bytes, state: State | None) -> int | Answer:
    """Length of the request at the start of `data`. Behind one that asks for another protocol, what is no request belongs to that protocol."""
    asked = state is not None and bool(state.requests) and (state.requests[-1][0] == "CONNECT" or bool(state.requests[-1][1]))
    found = _head(data, True)
    if isinstance(found, Answer):
        return HANDED_ON if asked and found is REFUSED else found
    return length(data, found, True)


def response_length(data: bytes, state: State | None) -> int | Answer:
    """Length of the response at the start of `data`."""
    if state is not None and state.switched:
        return HANDED_ON
    found = _head(data, False)
    if isinstance(found, Answer):
        return found
    code = found.code
    if code < 200 or code in (204, 304):
        return found.end
    method = state.requests[state.answered][0] if state is not None and state.answered < len(state.requests) else ""
    if method == "HEAD" or (method == "CONNECT" and code < 300):
        return found.end
    size = content_length(found)
    if not method and size and not found.values("transfer-encoding"):
        # the request is not there: when another response follows at once, it was HEAD
        behind = data[found.end:found.end + 13]
        if len(behind) < 13 and b"HTTP/1."[:len(behind)] == behind[:7] and behind:
            return MORE if len(behind) < size else found.end + size
        if re.match(rb"HTTP/1\.[01] [1-5]\d\d", behind):
            return found.end
    return length(data, found, False)


def framed(data: bytes, state: State, request: bool) -> None:
    """Note what later lengths depend on."""
    found = head(data, 0, len(data))
    if found.line is None:
        return
    if request:
        upgrade = found.value("upgrade") if "upgrade" in found.tokens("connection") else ""
        state.requests.append((found.method, upgrade.lower()))
        return
    code = found.code
    if code < 200 and code != 101:
        return
    method = state.requests[state.answered][0] if state.answered < len(state.requests) else ""
    state.answered += 1
    if code == 101 or (method == "CONNECT" and code < 300):
        state.switched, state.hint = True, hint(found)


def hint(found: Head) -> str:
    """What a response that switches protocols says of the bytes behind it: the protocol in lower case, and for WebSocket each extension parameter and the
    subprotocol behind "; " (see `protocols.websocket.frames`); "tunnel" after CONNECT."""
    if found.code != 101:
        return "tunnel"
    parts = [found.value("upgrade").strip().lower()]
    if parts[0] == "websocket":
        parts += [one.strip() for one in found.value("sec-websocket-extensions").lower().split(";") if one.strip()]
        protocol = found.value("sec-websocket-protocol").strip()
        parts += [f"protocol={protocol}"] if protocol else []
    return "; ".join(parts)
