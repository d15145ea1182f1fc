"""Which decoder a connection belongs to: every decoder is shown the opening bytes of both directions and says how sure it is.

The highest score has it, from `CLAIM` on; a default port adds PORT_BONUS, which breaks ties and is never a proof. A decoder that
the user names ("decode as") wins over all; where it does not know the bytes itself, its ports or the handshake tell the client.
"""
from __future__ import annotations

from collections.abc import Sequence

from captures.messages.given import matched
from captures.stream.pair import StreamPair
from protocols.decoder import CLAIM, Decoder, Match, Opening
from protocols.engine.mistakes import MISTAKES

__all__ = ["gather", "ranking", "recognise"]

OPENING = 1 << 14
PORT_BONUS = 10
CERTAIN = 100
FORCED = "named by the user"


def gather(pair: StreamPair) -> Opening:
    """The opening of a pair of streams."""
    sides = pair.directions[pair.first], pair.directions[1 - pair.first]
    data, whole = [], []
    for one in sides:
        runs, declared = one.runs(), one.declared()
        start, end = runs[0] if runs else (0, 0)
        if declared is not None and len(one.length):
            end = int(one.length[0])
        data.append(one.read(start, min(OPENING, end - start)))
        whole.append(start == 0 and one.end == end <= OPENING)
    return Opening((data[0], data[1]), pair.ports, (sides[0].from_start, sides[1].from_start), (whole[0], whole[1]), pair.transport, pair.hint)


def ranking(opening: Opening, decoders: Sequence[Decoder]) -> list[tuple[Decoder, Match, int]]:
    """Every decoder that knows these bytes, with its match and its score with the port's bonus, best first. A match without any doubt (100) stands
    before all others, whatever their ports: a PROXY header is one, although the server behind it is recognised by its answers, too."""
    found = []
    kind = "udp" if opening.transport == "udp" else "tcp"
    for decoder in decoders:
        match = _ask(decoder, opening) if kind in decoder.transports else None
        if match is not None:
            found.append((decoder, match, match.score + (PORT_BONUS if decoder.ports.intersection(opening.ports) else 0)))
    found.sort(key=lambda one: (one[1].score < CERTAIN, -one[2]))
    return found


def recognise(opening: Opening, decoders: Sequence[Decoder], forced: Decoder | None = None) -> tuple[Decoder, Match] | None:
    """The decoder of a connection and its match; None when nobody claims it."""
    if not any(opening.data):
        return None
    if forced is not None:
        return forced, _ask(forced, opening) or Match(0, FORCED, _client_by_port(forced, opening))
    claims = [one for one in ranking(opening, decoders) if one[1].score >= CLAIM]
    return claims[0][:2] if claims else None


def _ask(decoder: Decoder, opening: Opening) -> Match | None:
    try:
        return matched(decoder, opening)
    except MISTAKES:    # no claim
        return None


def _client_by_port(decoder: Decoder, opening: Opening) -> int:
    """The index in the opening of the client: the side that opened, unless its port alone is one of the decoder's."""
    a, b = opening.ports
    return 1 if a in decoder.ports and b not in decoder.ports else 0
