"""The fields that a filter may name: type, meaning, and what it takes to read one.

The table is made from the specs of all layers and decoders before a byte is read. `Reach` says how far a packet has to be read for a field; the
index columns answer some fields before that (`indexed`).
"""
from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Protocol

from captures.messages import pv_fields
from captures.messages.columns import BY_NAME
from captures.values.known_names import COLUMNS, known
from protocols.engine.fields import Spec
from protocols.lower import link, tcp
from protocols.registry import Registry

__all__ = ["FieldName", "Names", "Reach", "ValueTest", "kind_of"]

ALIASES = {"zk": "zookeeper"}
BEHIND = frozenset(("data", "data.data", "frame.protocols", "tcp.reassembled_in", "_ws.malformed", "_ws.short", "pv.incomplete"))
"""Fields that may stand in any layer: the whole packet is read."""
BITS = {f"{sign}int{bits}": (bits, sign == "") for bits in (8, 16, 24, 32, 40, 48, 56, 64, 128) for sign in ("", "u")} | {"frame": (32, False)}


class Reach(IntEnum):
    """How far a packet is read for a field, the cheapest first."""

    LOWER = 0       # the layers up to TCP and UDP, each packet on its own
    STREAM = 1      # TCP with what its stream tells
    MESSAGE = 2     # the messages that end in the packet: their headers, pairs and words
    HEAD = 3        # the fields of these messages that stand at fixed places in their heads
    TREE = 4        # the other fields of these messages
    ROW = 5         # the packet list's line
    PACKET = 6      # everything


class ValueTest(Protocol):
    """A test on the values of fields, as a filter compiles it."""

    @property
    def keys(self) -> frozenset[str]: ...

    @property
    def exists(self) -> bool:
        """Whether it only asks that there is a value."""

    def holds(self, env: dict[str, list[Any]]) -> bool: ...


def kind_of(spec: Spec) -> str:
    """The kind of value, of which only one compares with another: int, bool, string, bytes, ether, ipv4, ipv6, time, duration, double, protocol, none;
    or any, where each value tells its own."""
    return "int" if spec.type in BITS else spec.type


@dataclass(frozen=True, slots=True)
class FieldName:
    """A field by its filter name. `protocol` is the filter name of the protocol that it belongs to. `by_message`: its values are read message by
    message, a tuple each; with `test`, instead of the values, whether this test on them holds. `verbatim`: see `Fast.verbatim`.
    `tcp_only`: no UDP datagram has the field. `words`: as in `Spec.words`."""

    name: str
    spec: Spec
    protocol: str
    reach: Reach
    by_message: bool = False
    test: ValueTest | None = None
    verbatim: bool = False
    tcp_only: bool = False
    words: Mapping[str, tuple[str, ...]] | None = None

    @property
    def kind(self) -> str:
        return "tuple" if self.by_message else kind_of(self.spec)

    @property
    def bounds(self) -> tuple[int, int] | None:
        """The least and greatest value of a whole number."""
        if self.spec.type not in BITS:
            return None
        bits, signed = BITS[self.spec.type]
        return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)

    @property
    def several(self) -> bool:
        """Whether every packet has the field more than once: it stands for both ends."""
        return self.name.endswith((".addr", ".port")) and self.reach is Reach.LOWER

    @property
    def per_message(self) -> bool:
        """Whether each message has one value of it, or one tuple."""
        return self.by_message or (self.every_message and not (self.name in BY_NAME and BY_NAME[self.name].several))

    @property
    def every_message(self) -> bool:
        """Whether every message is asked for it, so that a filter that names it is asked of each message."""
        return self.name in BY_NAME or self.name == pv_fields.GROUP.name

    @property
    def of_messages(self) -> bool:
        """Whether it is a message that has the field, so that it can be read by message."""
        return self.reach in (Reach.MESSAGE, Reach.HEAD, Reach.TREE)

    def split(self, test: ValueTest | None = None) -> FieldName:
        """The same field, read by message."""
        return replace(self, by_message=True, test=test)


class Names(Mapping[str, FieldName]):
    """All fields by name; aliases (`zk.` for `zookeeper.`) are found, but not listed."""

    def __init__(self, registry: Registry) -> None:
        lower = {name for name, _ in link.PROTOCOLS} - {"data"}
        decoders = {decoder.name for decoder in registry.decoders()}
        own = {spec.name for spec in pv_fields.SPECS} | {spec.name for decoder in registry.decoders() for spec in decoder.frames or ()}
        self.decoders = decoders
        heads = {name for decoder in registry.decoders() if decoder.fast for name in decoder.fast.columns}
        verbatim = {name for decoder in registry.decoders() if decoder.fast for name in decoder.fast.verbatim()}
        tcp_only = {decoder.name for decoder in registry.decoders() if "udp" not in decoder.transports}
        self._prefixes = {prefix: decoder.name for decoder in registry.decoders() for prefix in decoder.prefixes}
        self._fields: dict[str, FieldName] = {}
        for name, (spec, protocol) in known(registry).items():
            self._fields[name] = FieldName(name, spec, protocol, _reach(name, lower, decoders, own, heads), verbatim=name in verbatim,
                                           tcp_only=protocol in tcp_only, words=spec.words)
        proto = self._fields["pv.proto"]
        known_protocols = {**{name: (name,) for name in sorted(decoders)}, **{alias: (name,) for alias, name in ALIASES.items() if name in decoders}}
        self._fields[proto.name] = replace(proto, words=known_protocols)

    def __getitem__(self, name: str) -> FieldName:
        found = self._fields.get(name)
        if found is None:
            root, dot, rest = name.partition(".")
            found = self._fields.get(ALIASES.get(root, root) + dot + rest) or self._below(name)
        if found is None:
            raise KeyError(name)
        return found

    def _below(self, name: str) -> FieldName | None:
        """A name that only the bytes make, below a prefix that its decoder states. Its type is not known before."""
        for prefix, protocol in self._prefixes.items():
            if name.startswith(prefix) and len(name) > len(prefix):
                return FieldName(name, Spec(name, name.removeprefix(prefix), "any"), protocol, Reach.TREE)
        return None

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def similar(self, name: str) -> str | None:
        """The name most like one that does not exist."""
        lowered = name.lower()
        if lowered in self:
            return lowered
        root, _, _ = lowered.partition(".")
        near = [one for one in self._fields if one.startswith(root + ".")] if root in self else list(self._fields)
        found = difflib.get_close_matches(lowered, near, 1, 0.7) or difflib.get_close_matches(lowered, list(self._fields), 1, 0.8)
        return found[0] if found else None


def _reach(name: str, lower: set[str], decoders: set[str], own: set[str], heads: set[str]) -> Reach:
    root, _, rest = name.partition(".")
    if name in COLUMNS or (root == "_ws" and rest.startswith(("col.", "expert"))):
        return Reach.ROW
    if name in BEHIND:
        return Reach.PACKET
    if name in own or name in decoders:
        return Reach.MESSAGE
    if root in decoders:
        return Reach.HEAD if name in heads else Reach.TREE
    if name != "tcp" and tcp.needs_stream(name):        # of `tcp` itself a filter asks only whether it is there
        return Reach.STREAM
    return Reach.LOWER if root in lower else Reach.PACKET
