"""A filter as a tree, as it was written: what the parser makes, the checker reads and `printed` writes back.

Places (`start`, `end`) do not count in comparisons, so that a filter printed and parsed again gives an equal tree.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = [
    "Arithmetic", "Call", "Compare", "Exists", "In", "Junction", "Literal", "Name", "Negative", "Node", "Not", "Range", "Reference", "Slice", "Span",
    "names_in", "printed",
]

Span = tuple[int | None, int | None, bool]
"""A part of a slice: first, last or count, whether the second is a count. (None, n, True) is `:n`, (n, None, ...) `n:`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    start: int = field(compare=False)
    end: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A field or protocol; `layers` are the ranges behind `#`, as (first, last); `raw` says that its bytes are meant, not its value (`@tcp.port`)."""

    name: str
    layers: tuple[tuple[int, int | None], ...] = ()
    raw: bool = False


@dataclass(frozen=True, slots=True)
class Reference(Node):
    """`${field}`: the values that the field has in the selected packet."""

    name: str


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A constant as it was written; `kind`: word, string or char."""

    text: str
    kind: str = "word"


@dataclass(frozen=True, slots=True)
class Slice(Node):
    of: Node
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Negative(Node):
    of: Node


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """`op`: one of + - * / % &."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Exists(Node):
    """A field that is present, or arithmetic that is not zero."""

    of: Node


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """`a op b`, or a chain `a op b op c`; `quantifier`: "any", "all" or "". Operators in their symbolic form, `contains` and `matches`."""

    operands: tuple[Node, ...]
    operators: tuple[str, ...]
    quantifier: str = ""


@dataclass(frozen=True, slots=True)
class Range(Node):
    low: Node
    high: Node


@dataclass(frozen=True, slots=True)
class In(Node):
    of: Node
    items: tuple[Node, ...]
    negated: bool = False
    quantifier: str = ""


@dataclass(frozen=True, slots=True)
class Not(Node):
    of: Node


@dataclass(frozen=True, slots=True)
class Junction(Node):
    """`op`: && || ^^."""

    op: str
    parts: tuple[Node, ...]


def names_in(node: Node) -> Iterator[str]:
    """The words that may be fields."""
    stack: list[object] = [node]
    while stack:
        one = stack.pop()
        if isinstance(one, Name):
            yield one.name
        elif isinstance(one, Node):
            stack.extend(getattr(one, part) for part in one.__dataclass_fields__)
        elif isinstance(one, tuple):
            stack.extend(one)


LEVEL = {"||": 1, "^^": 2, "&&": 3, "&": 6, "+": 7, "-": 7, "*": 8, "/": 8, "%": 8}


def printed(node: Node) -> str:
    """The filter as text, with the parentheses and braces that it needs. Recursion is as deep as the parser allows nesting."""
    return _text(node, 0)


def _text(node: Node, level: int) -> str:
    match node:
        case Name():
            return "@" * node.raw + node.name + _layers(node.layers)
        case Reference():
            return f"${{{node.name}}}"
        case Literal():
            return node.text
        case Slice():
            return _text(node.of, 10) + "[" + ",".join(map(_span, node.spans)) + "]"
        case Negative():
            return _braced("-" + _text(node.of, 9), level > 9)
        case Arithmetic():
            own = LEVEL[node.op]
            return _braced(f"{_text(node.left, own)} {node.op} {_text(node.right, own + 1)}", level > own)
        case Call():
            return f"{node.function}({', '.join(_text(one, 0) for one in node.arguments)})"
        case Exists():
            return _text(node.of, 5)
        case Compare():
            out = _text(node.operands[0], 6)
            for op, operand in zip(node.operators, node.operands[1:], strict=True):
                out += f" {op} {_text(operand, 6)}"
            return f"{node.quantifier} {out}".lstrip()
        case Range():
            return f"{_text(node.low, 6)} .. {_text(node.high, 6)}"
        case In():
            items = ", ".join(_text(one, 6) for one in node.items)
            return f"{node.quantifier} {_text(node.of, 6)} {'not ' if node.negated else ''}in {{{items}}}".lstrip()
        case Not():
            return f"!{_text(node.of, 4)}"
        case Junction():
            own = LEVEL[node.op]
            joined = f" {node.op} ".join(_text(part, own + 1) for part in node.parts)
            return f"({joined})" if level > own else joined
    raise TypeError(node)


def _braced(text: str, needed: bool) -> str:
    return f"{{{text}}}" if needed else text


def _layers(layers: tuple[tuple[int, int | None], ...]) -> str:
    if not layers:
        return ""
    if len(layers) == 1 and layers[0][0] == layers[0][1]:
        return f"#{layers[0][0]}"
    return "#[" + ",".join(str(a) if a == b else f"{a}-{'' if b is None else b}" for a, b in layers) + "]"


def _span(span: Span) -> str:
    first, second, count = span
    if count:
        return f"{'' if first is None else first}:{'' if second is None else second}"
    return str(first) if first == second else f"{first}-{second}"
