"""Finding text, a regular expression or bytes in packets: in their line of the list, in the texts of their tree, and in all their bytes.

Bytes are sought in the frames, in what was put together or decompressed from them, and in TCP streams across the borders of segments.
"""
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from captures.index.columns import PacketKind
from captures.packet.model import Packet
from captures.patterns import Pattern, pattern_of
from protocols.engine.fields import walk

if TYPE_CHECKING:
    from captures.capture import Capture

WINDOW = 1 << 20
"""Bytes of a stream that are searched in one step."""
OVERLAP = 4_096
"""Bytes that a regular expression may span where two windows meet."""
FIELDS = 20_000
"""Fields of one packet that are looked at."""
MOST_SPANS = 10_000
"""Matches across segments that are kept of one stream."""
HEX = re.compile(r"0[xX]((?:[0-9A-Fa-f]{2}[ :]?)+)")
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Needle:
    """What is sought. `words` is None for bytes, which texts do not hold."""

    words: Pattern | None
    data: Pattern
    overlap: int

    def in_text(self, text: str) -> bool:
        """Raises Endless."""
        return self.words is not None and self.words.span(text) is not None

    def in_bytes(self, data: bytes) -> Span | None:
        """Where the first match lies. Raises Endless."""
        found = self.data.span(data)
        return found if found is not None and found[1] > found[0] else None



def needle(text: str) -> Needle:
    """`0xAF05` bytes, `/regex/`, `"exact text"`, and else text in any case. Raises ValueError, its text for the user."""
    found = HEX.fullmatch(text.strip())
    if found:
        data = bytes.fromhex(found[1].replace(":", " "))
        return Needle(None, pattern_of(re.escape(data), re.DOTALL), len(data) - 1)
    if len(text) > 2 and text[0] == text[-1] == "/":
        pattern = text[1:-1]
        try:
            return Needle(pattern_of(pattern), pattern_of(pattern.encode("utf-8", "surrogatepass"), re.DOTALL), OVERLAP)
        except (re.error, Warning, OverflowError, RecursionError, UnicodeError) as fault:
            raise ValueError(f"no regular expression: {fault}") from None
    exact = len(text) > 2 and text[0] == text[-1] == '"'
    words, flags = (text[1:-1], re.NOFLAG) if exact else (text, re.IGNORECASE)
    if not words:
        raise ValueError("nothing to find")
    encoded = words.encode("utf-8", "surrogatepass")
    return Needle(pattern_of(re.escape(words), flags), pattern_of(re.escape(encoded), flags), len(encoded) - 1)


class Search:
    """One search through packets of a capture, in the order given."""

    def __init__(self, capture: Capture, sought: Needle, packets: Sequence[int]) -> None:
        self.capture, self.needle, self.packets = capture, sought, packets
        self.across: dict[int, int] = {}
        """Packets in which a match begins that ends in another, with that other."""
        self._streams: set[int] = set()

    def steps(self) -> Iterator[tuple[int, bool]]:
        """For each packet whether it has a match; -1 for work between."""
        c = self.capture.columns
        for packet in self.packets:
            if int(c.kind[packet]) == PacketKind.TCP:
                stream = int(c.sd[packet]) >> 1
                if stream not in self._streams:
                    self._streams.add(stream)
                    for _ in self._through(stream):
                        yield -1, False
            yield packet, self._hit(packet)

    def _hit(self, packet: int) -> bool:
        sought = self.needle
        if packet in self.across or sought.in_bytes(bytes(self.capture.frame(packet))):
            return True
        row = self.capture.row(packet)
        if sought.in_text(f"{row.source} {row.destination} {row.protocol} {row.info}"):
            return True
        whole = self.capture.packet(packet)
        if sought.words is not None:
            for number, field in enumerate(walk(whole.layers)):
                if sought.in_text(field.text):
                    return True
                if number > FIELDS:
                    break
        return any(sought.in_bytes(view.data) for view in whole.views[1:])

    def _through(self, number: int) -> Iterator[None]:
        """Search a stream's bytes for matches that no single packet holds."""
        for direction in self.capture.conversation(number).directions:
            kept = 0
            for start, end in direction.runs():
                at = start
                while at < end and kept < MOST_SPANS:
                    data = direction.read(at, WINDOW + self.needle.overlap)
                    for begin, stop in self.needle.data.spans(data):
                        if stop == begin or begin >= WINDOW:
                            continue
                        first, last = direction.packet_at(at + begin), direction.packet_at(at + stop - 1)
                        if first != last and kept < MOST_SPANS:
                            self.across.setdefault(first, last)
                            kept += 1
                    at += WINDOW
                    yield


def in_views(packet: Packet, sought: Needle) -> tuple[int, Span] | None:
    """The first match in a packet's bytes, as byte view and range."""
    for number, view in enumerate(packet.views):
        span = sought.in_bytes(view.data)
        if span is not None:
            return number, span
    return None
