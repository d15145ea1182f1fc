"""A filter ready for use: what it tests, which fields it needs, and what is suspicious about it."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from captures.filter.compile.check import WORDS, check
from captures.filter.compile.logic import And, Logic, leaves
from captures.filter.language.errors import FilterError, Trap
from captures.filter.language.macros import expanded
from captures.filter.language.nodes import Name, Node, names_in
from captures.filter.language.parser import ValueExpected, parse
from captures.values.field_names import FieldName, Names, Reach

__all__ = ["Filter", "compile_filter", "furthest"]

LIGHT = ("bytes", "protocol", "none")
"""Kinds of which the presence alone is kept, where nothing else is asked."""


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """`text` as it was written; `fields` by key: the field's name with its layers, behind "$" when it stands for the selected packet. `present` are the
    keys of which only the presence counts. `per_message`: it is asked of each message, as one that names `pv.*` fields is: all must hold for one."""

    text: str
    node: Node | None
    logic: Logic
    fields: dict[str, FieldName]
    layers: dict[str, tuple[tuple[int, int | None], ...]]
    warnings: list[Trap] = field(default_factory=list)
    present: frozenset[str] = frozenset()
    per_message: bool = False

    @property
    def references(self) -> list[str]:
        """The fields of the selected packet that it names."""
        return [key[1:] for key in self.fields if key.startswith("$")]


def compile_filter(text: str, names: Names, macros: Mapping[str, str] | None = None, by_message: bool = False) -> Filter:
    """The filter that `text` says. `macros` are texts by name, for `${name:argument}`; `by_message`: fields of messages must hold for one message, also where
    no `pv.*` field is named. Raises FilterError, which tells the place and perhaps a fix."""
    whole = expanded(text, macros or {}, names)
    try:
        made = _compiled(whole.text, names, by_message)
    except FilterError as error:
        raise whole.placed(error) from None
    return replace(made, text=text, warnings=[whole.told(trap) for trap in made.warnings])


def _compiled(text: str, names: Names, by_message: bool) -> Filter:
    """The filter without macros."""
    try:
        node = parse(text)
    except ValueExpected as error:
        raise _expected(error, names) from None
    if node is None:
        return Filter(text, None, And(()), {}, {})
    by_message = by_message or any(field.every_message for name in names_in(node) if (field := names.get(name)) is not None)
    logic, state = check(node, names, by_message)
    fields = state.fields
    used = {key for leaf in leaves(logic) if not leaf.exists for key in leaf.keys}
    per_message = any(one.per_message for key, one in fields.items() if not key.startswith("$"))
    if per_message:
        fields["pv"] = names["pv"]      # tells how many messages a packet has
    present = frozenset(key for key, one in fields.items() if key not in used and one.kind in LIGHT and key != "pv")
    return Filter(text, node, logic, fields, state.layers, state.traps, present, per_message)


def _expected(error: ValueExpected, names: Names) -> FilterError:
    """The text ends behind an operator: say what is to follow."""
    left = error.left
    found = names.get(left.name) if isinstance(left, Name) else None
    if found is None:
        return FilterError("Value expected", error.start, error.end, None, True)
    return FilterError(f"Value expected: {WORDS[found.kind]}", error.start, error.end, None, True)


def furthest(logic: Logic, fields: dict[str, FieldName]) -> Reach:
    """How far packets have to be read at most."""
    return max((fields[key].reach for leaf in leaves(logic) for key in leaf.keys if not key.startswith("$")), default=Reach.LOWER)


