"""The lines that a dissection tree may show, made from fields when they are asked for, and the field that a byte belongs to."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from protocols.engine.fields import Field

Path = tuple[str, ...]
PAGE = 1_000
"""Children shown under one line; more are parted into pages."""
MOST_VISITS = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A line: a field, or (`page` given) that part of its children, or (`more` given) the words of a field that the line above had no room for."""

    field: Field
    path: Path
    page: range | None = None
    more: str = ""

    @property
    def depth(self) -> int:
        return len(self.path) - 1

    @property
    def text(self) -> str:
        if self.more:
            return self.more
        return self.field.text if self.page is None else f"[{self.page.start:,} – {self.page.stop - 1:,}]"

    @property
    def opens(self) -> bool:
        return self.page is not None or self.field.has_fields


def nodes(fields: Sequence[Field], above: Path, numbers: range | None = None) -> Iterator[Node]:
    """The lines of siblings, or of those with the given numbers, below the path `above`."""
    seen: dict[str, int] = {}
    for number, field in enumerate(fields):
        if numbers is not None and number >= numbers.stop:
            return
        times = seen.get(field.name, 0)
        seen[field.name] = times + 1
        if (numbers is None or number >= numbers.start) and not field.absent:
            yield Node(field, (*above, field.name if not times else f"{field.name}#{times}"))


def below(node: Node) -> Iterator[Node]:
    """The lines directly under a line."""
    fields = node.field.fields
    if node.page is not None:
        yield from nodes(fields, node.path, node.page)
    elif len(fields) > PAGE:
        for start in range(0, len(fields), PAGE):
            yield Node(node.field, (*node.path, f"#{start}"), range(start, min(start + PAGE, len(fields))))
    else:
        yield from nodes(fields, node.path)


def repeats(field: Field, part: Field) -> bool:
    """Whether `part`, a child, only says again or splits into bits what `field` has as its value."""
    same = (part.start, part.length) == (field.start, field.length)
    return field.spec.type not in ("none", "protocol") and bool(part.spec.mask or same)


def covering(layers: Sequence[Field], view: int, offset: int) -> Path | None:
    """The path of the smallest field that holds a byte, of equals the deepest; but not what only repeats or splits a value."""
    best: tuple[tuple[int, int], Path] | None = None
    visits = 0
    stack = list(nodes(layers, ()))[::-1]
    while stack:
        node = stack.pop()
        visits += 1
        field = node.field
        inside = field.view == view and field.start <= offset < field.end
        if inside and node.page is None:
            rank = (field.length, -node.depth)
            if best is None or rank < best[0]:
                best = rank, node.path
        near = inside or field.view != view or field.begin <= offset < field.end
        if node.opens and (near or not field.length) and visits < MOST_VISITS:
            stack.extend([child for child in below(node) if not repeats(field, child.field)][::-1])
    return best[1] if best else None
