"""What one pass over the fields of a message collects for its Info column: topics and partitions, errors, first values, arrays."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from protocols.engine.fields import Field
from protocols.kafka.topics import NO_ID, topic_of
from protocols.kafka.words import ERROR_TEXTS, ERRORS, PARTITIONS
from protocols.kafka.words import OTHERS as ORDER

__all__ = ["Found", "collect"]

ROLES = ERRORS | ERROR_TEXTS | {"kafka.topic_name", "kafka.topic_id", "kafka.partition_id"}

OTHERS = {name: place for place, name in enumerate(ORDER)}


@dataclass(slots=True)
class Found:
    """What one pass over a message's fields collects."""

    first: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Field] = field(default_factory=dict)
    places: list[list[Any]] = field(default_factory=list)
    errors: list[int] = field(default_factory=list)
    checked: int = 0
    top: int | None = None
    records: list[Field] = field(default_factory=list)
    others: list[tuple[int, str]] = field(default_factory=list)
    """What is named besides topics, each with its place in `words.OTHERS`."""
    text: str = ""
    """What the broker says of the first error."""


def is_part(text: Field) -> bool:
    """Whether the capture ends inside a text or bytes: what is there of them is no name."""
    inside = text.fields
    return bool(inside) and inside[0].name == f"{text.name}_len" and inside[0].value > text.length


def collect(fields: Sequence[Field], place: str = "kafka.offset") -> Found:
    """Walks what is read already; arrays of numbers are opened only where they hold partitions. `place` is the field that says where in a
    partition: an offset, or what ListOffsets asks for."""
    found = Found()
    first, places, arrays = found.first, found.places, found.arrays
    topic = unnamed = ""
    named = identified = False
    for one in fields:
        if one.spec.name in ERRORS:
            found.top = one.value
    stack = list(reversed(fields))
    while stack:
        one = stack.pop()
        name, value = one.spec.name, one.value
        if value is None:
            if name == "kafka.records":
                found.records.append(one)
                continue
            children = one._children
            if one.spec.type == "none" and name not in arrays:
                arrays[name] = one
            if isinstance(children, list):
                stack += reversed(children)
            elif name in PARTITIONS and callable(children):
                stack += reversed(one.fields)
            continue
        if type(one._children) is list and is_part(one):
            continue
        if name not in first:
            first[name] = value
        just_named, named = named, name == "kafka.topic_name" and value != ""
        just_identified, identified = identified, name == "kafka.topic_id"
        if name not in ROLES:
            if name in OTHERS:
                if value:
                    found.others.append((OTHERS[name], str(value)))
            elif name == place and topic and places[-1][1] and places[-1][1][-1][1] is None:
                places[-1][1][-1][1] = value
        elif name in ERROR_TEXTS:
            found.text = found.text or (value if len(found.errors) == 1 else "")
        elif name in ERRORS:
            found.checked += 1
            if value:
                found.errors.append(value)
        elif name == "kafka.partition_id":
            if topic:
                places[-1][1].append([value, None])
        elif value and value != NO_ID:
            by_id = name == "kafka.topic_id"
            if by_id and just_named and not topic_of(value):
                continue  # the id of the name just before it
            if not by_id and just_identified and places and places[-1] == [unnamed, []]:
                places.pop()  # the name of the id just before it
            topic = (topic_of(value) or value) if by_id else value
            unnamed = ""
            if not places or places[-1][0] != topic:
                places.append([topic, []])
                unnamed = topic if by_id else ""
    return found
