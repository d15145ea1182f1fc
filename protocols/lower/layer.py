"""What one layer hands to the next while a packet is dissected.

Every layer is a function `(Walk, start, end) -> Next | None`: it appends its node to the walk and says what follows, by the number
that its header has for it. `end` is where the layer ends on the wire; the bytes captured may end before. The loop that
looks up the next layer is in `protocols.lower.link`.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from protocols.decoder import View
from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec
from protocols.lower.facts import Facts, Lower

__all__ = ["BAD", "DATA", "DATA_LENGTH", "GOOD", "LIMITED", "Dissection", "Hosts", "Network", "Next", "Sum", "flag", "folded", "status", "status_spec",
           "transport_sum", "unread", "verify"]

LIMITED = Spec("_ws.short", "Packet size limited during capture", "string", about="The capture holds only the start of the packet")
DATA = Spec("data", "Data", "protocol", about="Bytes that no layer reads")
DATA_LENGTH = Spec("data.len", "Length", "int32")
RANK = {"": 0, "note": 1, "warning": 2, "error": 3}
STATUS = {0: "Bad", 1: "Good", 2: "Unverified", 3: "Not present"}
BAD, GOOD, UNVERIFIED, ABSENT = range(4)


class Next(NamedTuple):
    """What follows a header: `key` in the table `kind` ("ethertype", "ip" ...), from `start` to `end`."""

    kind: str
    key: int
    start: int
    end: int


class Network(NamedTuple):
    """The network layer around a transport header: packed addresses for the pseudo-header, and whether the payload is a fragment's."""

    source: bytes
    destination: bytes
    fragment: bool = False


class Dissection:
    """The dissection of one packet as far as it has come. `quoted` says that the layers are those of a packet inside an error message."""

    __slots__ = ("covered", "data", "facts", "layers", "lower", "network", "quoted", "quotes", "ttl", "view")

    def __init__(self, data: bytes, facts: Facts, lower: Lower, view: int = 0, quoted: bool = False) -> None:
        self.data = data
        self.facts = facts
        self.lower = lower
        self.layers: list[Field] = lower.layers
        self.view = view
        self.quoted = quoted
        self.network: Network | None = None
        self.covered = 0
        self.ttl = 0
        self.quotes: Callable[[Dissection, Next], list[Field]] = lambda walk, after: []

    def add(self, spec: Spec, start: int, end: int, children: f.Children, text: str | None = None, name: str = "") -> None:
        """Append a layer's node; the range ends with the captured bytes."""
        self.layers.append(f.group(spec, start, max(start, min(end, len(self.data))), children, text, self.view))
        self.lower.protocols.append(name or spec.name)

    def columns(self, protocol: str, info: str, severity: str = "") -> None:
        """The list's words so far; a layer further in replaces them. Those of a quoted packet do not count."""
        if self.quoted:
            return
        self.lower.protocol = protocol
        self.lower.info = info
        self.worse(severity)

    def ends(self, source: str, destination: str) -> None:
        if not self.quoted:
            self.lower.source, self.lower.destination = source, destination

    def worse(self, severity: str) -> None:
        if not self.quoted and RANK[severity] > RANK[self.lower.severity]:
            self.lower.severity = severity

    def missing(self, at: int, wanted: int, end: int) -> Field:
        """The node for a header of which not all is there: malformed, or cut by the capture."""
        have = len(self.data) - at
        if have < end - at and end - at >= wanted:
            if not self.quoted:
                self.lower.info += "[Packet size limited during capture]"
            return Field(LIMITED, f"{have} of {end - at} bytes", at, max(0, have), self.view, (), "[Packet size limited during capture]")
        self.columns(self.lower.protocol, f"{self.lower.info}[Malformed packet]", "error")
        return f.malformed(at, f"wanted {wanted} bytes, had {max(0, min(end, len(self.data)) - at)}", len(self.data), self.view)

    def rest(self, start: int, end: int) -> None:
        """What no layer reads, as a `data` node."""
        end = min(end, len(self.data))
        if start < end:
            text = f"Data ({end - start:,} {'byte' if end - start == 1 else 'bytes'})"
            self.add(DATA, start, end, unread(self.data, start, end, self.view), text)

    def show(self, name: str, data: bytes) -> int:
        """Add a byte view and go on reading in it."""
        self.lower.views.append(View(name, data))
        self.data, self.view = data, len(self.lower.views)
        return self.view


def unread(data: bytes, start: int, end: int, view: int = 0) -> list[Field]:
    """What is in a `data` node for the bytes `start` .. `end`: themselves, and how many."""
    return [f.raw(data, start, end, view), f.generated(DATA_LENGTH, end - start, at=start, view=view)]


class Hosts(NamedTuple):
    """The specs for names of a network layer's ends."""

    source: Spec
    destination: Spec
    either: Spec

    def add(self, fields: list[Field], facts: Facts, source: bytes, destination: bytes) -> None:
        """Put names below the two addresses, the last two of a whole header's `fields`: those that the file gives, else the addresses again."""
        for spec, packed, shown in ((self.source, source, fields[-2]), (self.destination, destination, fields[-1])):
            name = facts.name_of(packed) or shown.value
            shown._children = [*shown.fields, *(Field(one, name, shown.start, 0, shown.view) for one in (spec, self.either))]


class Sum(NamedTuple):
    """What became of a checksum: its status by Wireshark's number, and the words behind its value."""

    status: int
    text: str


def folded(data: bytes) -> int:
    """The ones' complement sum of big-endian 16-bit words, an odd last byte padded with 0 (RFC 1071); 0 also stands for 0xffff."""
    return int.from_bytes(data if len(data) % 2 == 0 else data + b"\0") % 0xFFFF


def verify(word: int, total: int) -> Sum:
    """The verdict on checksum `word`, where `total` is the folded sum of all that it covers, itself included."""
    if total == 0:
        return Sum(GOOD, "[correct]")
    return Sum(BAD, f"[incorrect, should be 0x{(word - total) % 0xFFFF:04x}]")


def transport_sum(walk: Dissection, protocol: int, word: int, start: int, end: int) -> Sum:
    """The verdict on the checksum of a transport message with its pseudo-header (RFC 768, 9293, 8200 section 8.1)."""
    network = walk.network
    if network is None or walk.quoted or network.fragment or end > len(walk.data):
        return Sum(UNVERIFIED, "[unverified]")
    pseudo = (folded(network.source) + folded(network.destination) + folded((end - start).to_bytes(4)) + protocol) % 0xFFFF
    total = (pseudo + folded(walk.data[start:end])) % 0xFFFF
    if total and word % 0xFFFF == pseudo:
        return Sum(UNVERIFIED, "[unverified: only the pseudo-header's sum, the interface was to do the rest]")
    return verify(word, total)


def status(spec: Spec, verdict: Sum, at: int, view: int) -> Field:
    return f.generated(spec, verdict.status, f"{spec.label}: {STATUS[verdict.status]}", at, view)


def status_spec(name: str, label: str = "Checksum Status") -> Spec:
    return Spec(name, label, "uint8", STATUS)


def flag(name: str, label: str, mask: int, about: str = "") -> Spec:
    """A bit that is set or not."""
    return Spec(name, label, "bool", show=_set, mask=mask, about=about)


def _set(value: object) -> str:
    return "Set" if value else "Not set"
