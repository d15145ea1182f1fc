"""Every field name the program knows, before any byte is read."""
from __future__ import annotations

from typing import NamedTuple

from captures.messages import pv_fields
from captures.packet import expert, packets
from protocols.engine.fields import Spec
from protocols.lower import link
from protocols.registry import Registry

__all__ = ["COLUMNS", "Name", "known"]

COLUMNS = {
    "_ws.col.No.": "number", "_ws.col.Time": "time", "_ws.col.Source": "source", "_ws.col.Destination": "destination",
    "_ws.col.Protocol": "protocol", "_ws.col.Length": "length", "_ws.col.Info": "info",
}
"""tshark's names of the list's columns, and ours; tshark knows them in either case from 4.2 on, and so they are here."""


class Name(NamedTuple):
    """A field by name. `protocol` is the filter name of the protocol it belongs to."""

    spec: Spec
    protocol: str


def known(registry: Registry) -> dict[str, Name]:
    """All names; where two protocols state one name, the first counts: lower layers, the program's own, decoders as registered."""
    names: dict[str, Name] = {}
    for protocol, spec in link.specs():
        names.setdefault(spec.name, Name(spec, protocol))
    for spec in (*pv_fields.SPECS, packets.HOLE, packets.REASSEMBLED_IN):
        names.setdefault(spec.name, Name(spec, spec.name.partition(".")[0]))
    for spec in expert.SPECS:
        names.setdefault(spec.name, Name(spec, expert.EXPERT.name if spec.name.startswith("_") else "frame"))
    for decoder in registry.decoders():
        names.setdefault(decoder.name, Name(Spec(decoder.name, decoder.title, "protocol"), decoder.name))
        for spec in (*decoder.specs(), *(decoder.frames or ())):
            names.setdefault(spec.name, Name(spec, decoder.name))
    for column in COLUMNS:
        name = Name(Spec(column, f"Column {column.removeprefix('_ws.col.')}", "string"), "_ws.col")
        names[column] = names[column.lower()] = name
    return names
