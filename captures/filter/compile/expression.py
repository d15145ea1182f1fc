"""A value that is computed from fields, alone: `len(tcp.payload)`, `tcp.srcport + 1`, `@tcp.flags`; what tables print beside plain fields."""
from __future__ import annotations

from dataclasses import dataclass

from captures.filter.compile.check import Checked
from captures.filter.compile.values import Value
from captures.filter.language.errors import FilterError
from captures.filter.language.parser import parse_value
from captures.values.field_names import FieldName, Names

__all__ = ["Expression", "compile_expression"]

BARE = ("none", "protocol")
"""Kinds of fields that have no value to be computed with."""


@dataclass(frozen=True, slots=True)
class Expression:
    """`fields` by key, `layers` of keys with `#`, as in `Filter`."""

    text: str
    value: Value
    fields: dict[str, FieldName]
    layers: dict[str, tuple[tuple[int, int | None], ...]]


def compile_expression(text: str, names: Names) -> Expression:
    """The value that `text` says. Raises FilterError, also for what compares instead of computing."""
    node = parse_value(text)
    state = Checked(names, False)
    value = state.value(node)
    if value.kind in BARE:
        raise FilterError("A field with a value was expected.", node.start, node.end)
    if any(key.startswith("$") for key in value.keys):
        raise FilterError("No packet is selected here, of which a field could be meant.", node.start, node.end)
    return Expression(text, value, {key: state.fields[key] for key in value.keys}, state.layers)
