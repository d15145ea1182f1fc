"""Values computed from fields, packet by packet, as a table prints them."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from captures.capture import Capture
from captures.filter.compile.expression import Expression
from captures.filter.compile.values import shown
from captures.values.field_names import FieldName, Reach
from captures.values.reading import ReadPlan
from captures.values.store import Store
from protocols.engine.printable import printable

__all__ = ["computed"]

Passing = dict[str, dict[int, list[Any]]]
"""Values too large to be kept, by field key and packet."""


def computed(capture: Capture, expression: Expression) -> Callable[[int], list[str]]:
    """The function that gives a packet's values of an expression, as text; nothing where one of its fields is missing."""
    groups: dict[Reach, dict[str, FieldName]] = {}
    for key, field in expression.fields.items():
        groups.setdefault(field.reach, {})[key] = field
    plans = {reach: ReadPlan(fields, expression.layers, frozenset()) for reach, fields in groups.items()}
    value = expression.value

    def of(packet: int) -> list[str]:
        store, at, passing = Store.of(capture), np.array([packet]), Passing()
        for reach, plan in plans.items():
            store.read(reach, plan, at, passing)
        env = {key: passing[key][packet] if key in passing else [one for one in store.column(key).lists(at)[0] if one is not None] for key in value.keys}
        return [_text(one, value.kind) for one in value.values(env)] if value.ready(env) else []
    return of


def _text(value: Any, kind: str) -> str:
    if kind == "double":
        return f"{value:.15g}"
    if isinstance(value, (bytes, bytearray)) and kind != "ether":
        return value.hex()
    return printable(shown(value, kind))
