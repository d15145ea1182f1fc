"""How sure it is that a connection whose handshake was not captured is WebSocket: several frames in a row that break no rule."""
from __future__ import annotations

from protocols.decoder import Match, Opening
from protocols.websocket.frames import TEXT, head, unmask

__all__ = ["recognise"]

FRAMES = 3
LOOKED_AT = 64


def recognise(opening: Opening) -> Match | None:
    """The carrier's hint is nearly a proof; without it three frames in each direction are wanted, masked on one side only."""
    if opening.hint.split(";")[0].strip().lower() == "websocket":
        first = [len(one) > 1 and bool(one[1] & 0x80) for one in opening.data]
        return Match(95, f"{opening.transport} said so in its handshake", 1 if first[1] and not first[0] else 0)
    if opening.transport != "tcp":
        return None
    masked, plain = [_frames(one, True) for one in opening.data], [_frames(one, False) for one in opening.data]
    for client in (0, 1):
        asked, answered = masked[client], plain[1 - client]
        if asked >= FRAMES and answered >= FRAMES:
            return Match(70, f"{asked} masked frames and {answered} frames of the other side, without a fault", client)
    return None


def _frames(data: bytes, masked: bool) -> int:
    """How many whole frames follow each other from the start; 0 when one breaks a rule."""
    at = count = 0
    while at < len(data) and count < LOOKED_AT:
        found = head(data, at, len(data))
        if found is None:
            return count if len(data) - at < 14 else 0
        if found.fault or bool(found.key) is not masked or found.length >> 40:
            return 0
        end = at + found.size + found.length
        if found.opcode == TEXT and found.fin and not found.compressed and end <= len(data):
            try:
                unmask(data[at + found.size:end], found.key).decode()
            except UnicodeDecodeError:
                return 0
        if end > len(data):
            return count
        count += 1
        at = end
    return count
