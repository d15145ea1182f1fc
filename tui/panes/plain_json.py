"""A message, or a part of it, as the JSON that a person would write for it: names and values, without places, lengths and what was made up
(whose lines stand in brackets).

A name is the field's own, without what stands above it: `kafka.topic_name` in a topic is `name`. A group whose members were counted on the wire, or whose
members all have one name, is an array; of a value that is shown again or split into bits below it, the value counts.
"""
from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from protocols.engine.fields import Field
from protocols.engine.printable import UNPRINTABLE

__all__ = ["document", "plain", "plain_json"]

COUNTED = ("_len", "_length", "_count", ".length", ".end")
"""How names end of fields that only frame others."""
BELOW = "mongo.doc."
MOST_DEPTH = 200


def document(field: Field) -> str | None:
    """The extended JSON that the line of a document shows behind its label; None for other fields, and for one that is cut short."""
    text = field.text.removeprefix(field.label).removeprefix(": ")
    return text if text[:1] in ("{", "[") and text[-1:] in ("}", "]") and "…" not in text else None


def plain_json(field: Field, most: int) -> str:
    """A field with all below as indented JSON, of about `most` fields."""
    text = json.dumps(plain(field, [most]), ensure_ascii=False, indent=2)
    return UNPRINTABLE.sub(lambda found: found[0] if found[0] == "\n" else json.dumps(found[0])[1:-1], text)     # nothing that steers a terminal


def plain(field: Field, left: list[int], depth: int = 0) -> Any:
    """A field as a value that JSON has; `left[0]` is how many more fields may be taken."""
    left[0] -= 1
    if field.value is not None or field.spec.type not in ("none", "protocol"):
        return _value(field)
    text = document(field)
    if text is not None:
        try:
            return json.loads(text)
        except ValueError:      # a document in another notation
            pass
    parts = [part for part in (field.fields if depth < MOST_DEPTH else ()) if (part.length or part.text[:1] != "[") and not part.absent]
    counted = any(part.name == field.name + "_len" for part in parts)
    parts = [part for part in parts if not _frames(part)]
    if counted or (len(parts) > 1 and len({part.name for part in parts}) == 1):
        return [plain(part, left, depth + 1) for part in parts if left[0] > 0]
    made: dict[str, Any] = {}
    times: dict[str, int] = {}
    for part in parts:
        if left[0] <= 0:
            break
        name = _short(part.name, field)
        value = plain(part, left, depth + 1)
        times[name] = times.get(name, 0) + 1
        if times[name] == 2:
            made[name] = [made[name]]
        if times[name] > 1:
            made[name].append(value)
        else:
            made[name] = value
    return made


def _frames(part: Field) -> bool:
    """Whether a field only says how long others are, or that nothing follows."""
    return part.spec.type not in ("none", "protocol") and (part.name.endswith(COUNTED) or part.name.rpartition(".")[2] in ("len", "length"))


def _short(name: str, above: Field) -> str:
    """A field's name below another."""
    if name.startswith(BELOW):
        return name.removeprefix(BELOW).rpartition(".")[2] or name
    parent = above.name.rpartition(".")[2]
    short = name.rpartition(".")[2]
    for prefix in (parent + "_", parent.removesuffix("s") + "_", parent.removesuffix("_data") + "_"):
        if short.startswith(prefix) and len(short) > len(prefix) and not short.endswith("_data"):
            return short.removeprefix(prefix)
    return short


def _value(field: Field) -> Any:
    value = field.value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _text(bytes(value)) if field.spec.show is not None else bytes(value).hex()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if field.spec.type in ("time", "duration") and value is not None:
        return field.spec.shown(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _text(value: bytes) -> str:
    """Bytes of which the tree makes a text: themselves if they are one, else hex."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return value.hex()
    return text if all(one.isprintable() or one in "\n\r\t" for one in text) else value.hex()


def named_value(fields: Sequence[Field], text: str) -> str | None:
    """The text of a field among these that is the same as the line of the group that holds them: a topic's line is its name."""
    return next((one.value for one in fields if isinstance(one.value, str) and one.value and one.value == text), None)
