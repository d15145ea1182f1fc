"""What the readers of one message share: what they open, what they know of topics, how much they may read."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from protocols.engine.fields import Field
from protocols.engine.records import Source
from protocols.kafka.topics import Topics

__all__ = ["Enough", "Scope"]


class Enough(Exception):
    """As many elements were read as are wanted."""


@dataclass(slots=True)
class Scope:
    """What readers of one message share (`Source.context`). `records` and `embedded` read what lies inside a field (`records` says
    in words what it found); None leaves them closed.
    `elements` is how many elements of arrays may be read yet; then reading ends (`Enough`).
    `topic` is the name (or id) of the topic whose partitions are being read; `topics` tells what the capture says of topic ids, and is asked when an id is
    met."""

    records: Callable[[Source, int, int, list[Field]], str] | None = None
    embedded: Callable[[Source, str, int, int], list[Field]] | None = None
    topic: str = ""
    topics: Callable[[], Topics | None] = lambda: None
    add_view: Callable[[str, bytes], int] | None = None
    budget: int = 0
    depth: int = 0
    elements: int = 1 << 62
