"""Where the three panes lie: a function of the terminal's size, the user's choice and the focus, and nothing else."""
from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

LEAST_WIDTH, LEAST_HEIGHT = 40, 10
PANES = ("packets", "tree", "bytes")


class SizeClass(StrEnum):
    """Terminals by what fits on them."""

    TOO_SMALL = "too small"
    ONE = "one pane"
    TWO = "two panes"
    COMPACT = "compact"
    STACKED = "stacked"
    WIDE = "wide"


class Shape(StrEnum):
    """Arrangements that `|` goes through."""

    SIDE = "side by side"
    STACKED = "stacked"
    LIST_TREE = "list and tree"
    LIST_BYTES = "list and bytes"


class Box(NamedTuple):
    """A place in cells, from the top left of the panes' area."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user chose: `shapes` by size class, the pane that is zoomed, and shares of the height and of the details."""

    shapes: dict[SizeClass, Shape] = field(default_factory=dict)
    zoomed: bool = False
    list_share: float = 0.45
    detail_share: float = 0.57

    def shape(self, size: SizeClass) -> Shape:
        return self.shapes.get(size, Shape.SIDE if size is SizeClass.WIDE else Shape.STACKED)

    def next_shape(self, size: SizeClass) -> Choice:
        shapes = list(Shape)
        following = shapes[(shapes.index(self.shape(size)) + 1) % len(shapes)]
        return replace(self, shapes={**self.shapes, size: following}, zoomed=False)

    def resized(self, pane: str, taller: float, wider: float, size: SizeClass) -> Choice:
        """The focused pane made taller or wider by a share (negative: smaller)."""
        side = self.shape(size) is Shape.SIDE
        step = taller if side else taller or wider
        sign = 1 if pane == "packets" else -1
        chosen = self
        if step and (side or pane != "bytes"):
            chosen = replace(chosen, list_share=_share(chosen.list_share + sign * step))
        across = wider if side else step if pane == "bytes" else 0.0
        if across and pane != "packets":
            chosen = replace(chosen, detail_share=_share(chosen.detail_share + (across if pane == "tree" else -across)))
        return chosen


def _share(value: float) -> float:
    return min(0.85, max(0.15, value))


def size_class(width: int, height: int) -> SizeClass:
    """The class of a terminal of so many columns and rows."""
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return SizeClass.TOO_SMALL
    if width < 60 or height < 15:
        return SizeClass.ONE
    if width < 80 or height < 24:
        return SizeClass.TWO
    if width < 100 or height < 30:
        return SizeClass.COMPACT
    return SizeClass.STACKED if width < 160 or height < 40 else SizeClass.WIDE


def frame(size: SizeClass) -> str:
    """How panes are framed: "" a box, "-rule" a line on top, "-bare" nothing."""
    return {SizeClass.WIDE: "", SizeClass.STACKED: "", SizeClass.ONE: "-bare"}.get(size, "-rule")


def arrange(width: int, height: int, size: SizeClass, choice: Choice, focus: str, detail: str) -> dict[str, Box]:
    """The boxes of the panes that are seen, in an area of `width` x `height`. `detail` is the pane of the lower two used last."""
    whole = Box(0, 0, width, height)
    if size is SizeClass.TOO_SMALL:
        return {}
    if size is SizeClass.ONE or choice.zoomed:
        return {focus: whole}
    top = max(3, min(height - 3, round(height * choice.list_share)))
    packets = Box(0, 0, width, top)
    rest = height - top
    shape = choice.shape(size)
    if size is SizeClass.TWO or shape in (Shape.LIST_TREE, Shape.LIST_BYTES):
        if size is not SizeClass.TWO:
            detail = "tree" if shape is Shape.LIST_TREE else "bytes"
        return {"packets": packets, detail: Box(0, top, width, rest)}
    if shape is Shape.SIDE:
        left = max(20, min(width - 20, round(width * choice.detail_share)))
        return {"packets": packets, "tree": Box(0, top, left, rest), "bytes": Box(left, top, width - left, rest)}
    middle = max(2, min(rest - 2, round(rest * choice.detail_share)))
    return {"packets": packets, "tree": Box(0, top, width, middle), "bytes": Box(0, top + middle, width, rest - middle)}
