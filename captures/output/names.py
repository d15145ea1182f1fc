"""The lists of fields and protocols (`--list-fields`, `--list-protocols`)."""
from __future__ import annotations

from collections.abc import Iterator

from captures.values.known_names import known
from protocols.registry import Registry

__all__ = ["field_lines", "protocol_lines"]


def field_lines(registry: Registry) -> Iterator[str]:
    """Name, type, label and protocol of every field, tab-separated, sorted by name."""
    for name, (spec, protocol) in sorted(known(registry).items()):
        if name == spec.name:
            yield f"{name}\t{spec.type}\t{spec.label}\t{protocol}\n"


def protocol_lines(registry: Registry) -> Iterator[str]:
    """Name, title and default ports of every application protocol, tab-separated, sorted by name."""
    for decoder in sorted(registry.decoders(), key=lambda one: one.name):
        yield f"{decoder.name}\t{decoder.title}\t{','.join(map(str, sorted(decoder.ports)))}\n"
