"""IPv4 and IPv6 datagrams put together from their fragments (RFC 791 section 3.2, RFC 8200 section 4.5).

Of a fragment only its place is kept, never its bytes: a datagram is copied out of the capture when somebody asks for it. Which
parts have arrived is a bit for each 8 bytes. Where fragments overlap, the one that starts earlier counts, then the one that came
first, as in Wireshark.
"""
from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from captures.index.any_headers import Fragment

if TYPE_CHECKING:
    from protocols.lower.facts import Datagram

MOST_FRAGMENTED = 65535
MOST_PIECES = 262_144
"""Fragments kept of unfinished datagrams; beyond, the oldest datagram is given up."""

Places = tuple[tuple[int, int, int, int], ...]
"""(packet index, start in its frame, length, start in the payload), in the payload's order, without gaps."""


@dataclass(slots=True)
class _Open:
    """A datagram that is not whole yet. `parts` are (start in the payload, length, packet, start in the frame)."""

    parts: list[tuple[int, int, int, int]] = field(default_factory=list)
    arrived: int = 0
    total: int = -1
    protocol: int = -1


@dataclass(frozen=True, slots=True)
class Whole:
    """A datagram that `packet` completed; `protocol` is what its payload starts with."""

    packet: int
    source: bytes
    destination: bytes
    protocol: int
    places: Places


class Defragmenter:
    """Takes fragments in the order of their packets."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[bytes, bytes, int, int], _Open] = OrderedDict()
        self._pieces = 0

    def add(self, piece: Fragment, packet: int) -> Whole | None:
        """The datagram that this fragment, in packet `packet` of the capture, completes."""
        if piece.length <= 0 or piece.at + piece.length > MOST_FRAGMENTED:
            return None
        one = self._open.setdefault(piece.key, _Open())
        one.parts.append((piece.at, piece.length, packet, piece.start))
        self._pieces += 1
        end = piece.at + piece.length
        if piece.at == 0 and one.protocol < 0:
            one.protocol = piece.protocol
        if not piece.more and one.total < 0:
            one.total = end
        units = end // 8 if piece.more else -(-end // 8)
        one.arrived |= (1 << units) - 1 & -1 << piece.at // 8
        wanted = (1 << -(-one.total // 8)) - 1
        if one.total >= 0 and one.arrived & wanted == wanted:
            del self._open[piece.key]
            self._pieces -= len(one.parts)
            places = _in_order(one)
            return Whole(packet, piece.key[0], piece.key[1], one.protocol, places) if places else None
        while self._pieces > MOST_PIECES:
            self._pieces -= len(self._open.popitem(last=False)[1].parts)
        return None


def _in_order(one: _Open) -> Places:
    """The parts without their overlaps; nothing when there is a gap after all (a middle fragment of odd length)."""
    places, have = [], 0
    for at, length, packet, start in sorted(one.parts, key=lambda part: part[0]):
        if at > have:
            return ()
        end = min(at + length, one.total)
        if end > have:
            places.append((packet, start + have - at, end - have, have))
            have = end
    return tuple(places) if have == one.total else ()


class Datagrams(Mapping[int, "Datagram"]):
    """The datagrams by the packet that completed them. `read(packet, start, length)` gives bytes of a frame."""

    def __init__(self, read: Callable[[int, int, int], bytes]) -> None:
        self._read = read
        self._places: dict[int, Places] = {}

    def keep(self, whole: Whole) -> None:
        self._places[whole.packet] = whole.places

    def __getitem__(self, packet: int) -> Datagram:
        places = self._places[packet]
        from protocols.lower.facts import Datagram

        return Datagram(b"".join(self._read(*place[:3]) for place in places), places)

    def __contains__(self, packet: object) -> bool:
        return packet in self._places

    def __iter__(self) -> Iterator[int]:
        return iter(tuple(self._places))

    def __len__(self) -> int:
        return len(self._places)
