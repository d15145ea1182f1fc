"""HTTP connections for tests: whole directions cut into messages as the middle floor cuts them, and paired in order."""
from __future__ import annotations

from dataclasses import dataclass, field

from protocols.decoder import HANDED_ON, Kind, MessageBytes, Side
from protocols.http1.decoder import HTTP


@dataclass
class Cut:
    """The messages of both directions; `handed` has what of each belongs to another protocol, None where nothing does."""

    client: list[MessageBytes] = field(default_factory=list)
    server: list[MessageBytes] = field(default_factory=list)
    handed: list[bytes | None] = field(default_factory=list)
    hint: str = ""


def cut(client: bytes, server: bytes) -> Cut:
    decoder, out = HTTP(), Cut()
    state = decoder.framing_state()
    for data, way, messages in ((client, True, out.client), (server, False, out.server)):
        side = Side(way, True, data[:4096], b"", False, "tcp", state)
        at, handed = 0, None
        while at < len(data):
            size = decoder.frame(data[at:], side)
            if size is HANDED_ON:
                handed = data[at:]
                break
            end = at + size if isinstance(size, int) else len(data)
            decoder.framed(data[at:end][:decoder.header_bytes], side)
            header = decoder.header(data, at, min(end, len(data)), side, decoder.session())
            messages.append(MessageBytes(data, at, min(end, len(data)), end - at, header, way))
            at = end
        out.handed.append(handed)
    out.hint = decoder.handed_on(state)
    waiting = [one for one in out.client if one.header.kind is Kind.REQUEST]
    for response in out.server:
        if response.header.kind is Kind.RESPONSE and waiting:
            request = waiting[0] if response.header.more else waiting.pop(0)
            response.find_peer = lambda request=request: request
            request.find_peer = lambda response=response: response
    return out
