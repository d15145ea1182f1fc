"""Filters that are valid and probably not what was meant: what is said of them, with the filter that was."""
from __future__ import annotations

from collections.abc import Iterator

from captures.filter.compile.literals import converted
from captures.filter.language.errors import Fix, Trap
from captures.filter.language.nodes import Compare, Junction, Literal, Name, Node, printed
from captures.values.field_names import FieldName, Names

__all__ = ["never_equal", "two_sided"]


def never_equal(field: FieldName, left: Name, right: Node) -> Iterator[Trap]:
    """`f != a` on a field that occurs several times: it asks for packets that have the field, and never with this value."""
    if field.several:
        better = f"!({field.name} == {printed(right)})"
        yield Trap(f"holds when no {field.name} has the value, and never without the field; {better} also shows packets without it",
                   left.start, right.end, Fix(left.start, right.end, better))


def two_sided(node: Junction, names: Names) -> Iterator[Trap]:
    """`f > a && f < b` on a field that occurs several times: each side may be satisfied by another occurrence."""
    low: dict[str, tuple[Compare, int]] = {}
    high: dict[str, tuple[Compare, int]] = {}
    for part in node.parts:
        if not isinstance(part, Compare) or len(part.operators) != 1 or part.quantifier or not isinstance(part.operands[0], Name):
            continue
        field, right, op = names.get(part.operands[0].name), part.operands[1], part.operators[0]
        if field is None or not field.several or field.kind != "int" or not isinstance(right, Literal) or op not in (">", ">=", "<", "<="):
            continue
        bound = int(converted(right, "int", field))
        if op[0] == ">":
            low[field.name] = part, bound + (op == ">")
        else:
            high[field.name] = part, bound - (op == "<")
    for name in low.keys() & high.keys():
        (one, least), (other, most) = low[name], high[name]
        start, end = min(one.start, other.start), max(one.end, other.end)
        better = f"{name} in {{{least}..{most}}}"
        beside = sum(start <= part.start and part.end <= end for part in node.parts) == 2
        yield Trap(f"each side may match a different {name}: {better}", start, end, Fix(start, end, better) if beside else None)
