"""The PROXY protocol before any other: its header is the one message, and all that follows is handed on.

A load balancer that opens a connection to a server writes, before it passes on what its client sends, who that client is. The header says nothing of the
protocol behind it: that is recognised on its own, as if the header were not there.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence

from protocols.decoder import HANDED_ON, REFUSED, Answer, Decoder, Header, Kind, Match, MessageBytes, Opening, Side, Summary
from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec, printable
from protocols.proxy import header

__all__ = ["Proxy"]


class _State:
    """Whether the connection's header was cut."""

    __slots__ = ("seen",)

    def __init__(self) -> None:
        self.seen = False


class Proxy(Decoder):
    name = "proxy"
    title = "PROXY Protocol"
    column = "PROXY"
    header_bytes = 16 + 65_535

    def specs(self) -> Iterable[Spec]:
        return header.SPECS

    def recognise(self, opening: Opening) -> Match | None:
        for side, data in enumerate(opening.data):
            if opening.from_start[side] and isinstance(header.length(data), int):
                return Match(100, f"a PROXY header of version {1 if data[:1] == b'P' else 2}", side)
        return None

    def framing_state(self) -> _State:
        return _State()

    def frame(self, data: bytes, side: Side) -> int | Answer:
        state: _State | None = side.state
        if not side.from_client or (state is not None and state.seen):
            return HANDED_ON
        return header.length(data) if side.first else REFUSED

    def framed(self, data: bytes, side: Side) -> None:
        if side.state is not None:
            side.state.seen = True

    def accepts(self, head: bytes, side: Side) -> bool:
        return header.length(head) is not REFUSED

    def header(self, data: bytes, start: int, end: int, side: Side, session: None) -> Header:
        return Header(Kind.EVENT, None, header.ends(data, start, end).command)

    def describe(self, message: MessageBytes) -> Summary:
        said = header.ends(message.data, message.start, message.end)
        proxied = f" {said.source} → {said.destination}" if said.source and said.destination else ""
        cut = "" if message.complete else " cut off"
        line = f"PROXY v{said.version}{'' if said.command == 'PROXY' else f' {said.command}'}{proxied}{cut}"
        return Summary(said.command, said.source, said.source_host, info=printable(line))

    def dissect(self, message: MessageBytes) -> Sequence[Field]:
        data, start, end, view = message.data, message.start, message.end, message.view
        out = header.dissect(data, start, end, view)
        if not message.complete:
            out.append(f.incomplete(end - start, message.length, start, view))
        return out
