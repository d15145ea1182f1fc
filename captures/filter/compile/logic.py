"""Tests: comparisons compiled to functions of the values in one packet, and the logic that joins them.

A `Condition` is one test. `pairs` gives the outcome for every combination of values; the quantifier says whether one or all must hold. A leaf
over one field made `each` by each is tried once for every distinct value; `column` answers from numpy arrays.
"""
from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captures.filter.compile.literals import PART, Network
from captures.filter.compile.regex import Search
from captures.filter.compile.values import Arrays, Env, NotIndexed, Value
from captures.values.types import Typed

__all__ = ["And", "Condition", "Logic", "Negation", "Or", "Xor", "comparison", "leaves", "membership", "presence", "unversioned"]

Array = NDArray[Any]
Bools = NDArray[np.bool_]

COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}
VERSION = re.compile(r" v\d+\Z")
QUANTIFIED = {"==": ("==", False), "!=": ("!=", True), "!==": ("!=", False), "===": ("==", True)}
"""Operator -> (comparison, whether all values must satisfy it)."""


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """`keys` are the fields; `every` the quantifier all. `needs` are byte strings: the condition can only hold for a
    message that contains one of them, or one of those that `Fast.not_verbatim_if` names. Empty: it may hold for any message."""

    keys: frozenset[str]
    ready: Callable[[Env], bool]
    pairs: Callable[[Env], Iterator[bool]]
    column: Callable[[Arrays], Bools]
    every: bool = False
    each: bool = False
    exists: bool = False
    start: int = 0
    end: int = 0
    needs: tuple[bytes, ...] = ()

    def holds(self, env: Env) -> bool:
        if not self.ready(env):
            return False
        return all(self.pairs(env)) if self.every else any(self.pairs(env))


@dataclass(frozen=True, slots=True, eq=False)
class And:
    parts: tuple[Logic, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Or:
    parts: tuple[Logic, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Xor:
    """An odd number of the parts: exclusive or."""

    parts: tuple[Logic, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Negation:
    part: Logic


Logic = Condition | And | Or | Xor | Negation


def leaves(logic: Logic) -> Iterator[Condition]:
    """All tests."""
    stack: list[Logic] = [logic]
    while stack:
        one = stack.pop()
        if isinstance(one, Condition):
            yield one
        elif isinstance(one, Negation):
            stack.append(one.part)
        else:
            stack.extend(one.parts)


def presence(value: Value) -> Condition:
    """A field that is there; arithmetic that is not zero."""
    def pairs(env: Env) -> Iterator[bool]:
        if value.function or (value.computed and value.kind != "bytes"):
            return (bool(one) for one in value.values(env))
        if value.computed:
            return (any(one) if masked else True for one in value.values(env))
        return iter((True,))

    def column(arrays: Arrays) -> Bools:
        if not value.computed:
            raise NotIndexed
        return _joined([one != 0 for one in value.array(arrays)], False)
    masked = value.computed and value.kind == "bytes" and value.masked
    return Condition(value.keys, value.ready, pairs, column, False, value.each, not value.computed, value.start, value.end)


def comparison(op: str, left: Value, right: Value, quantifier: str) -> Condition:
    """`left op right`; the operand types agree. `op` may be `contains`; `matches` is made by `matching`."""
    base, every = QUANTIFIED.get(op, (op, False))
    if quantifier:
        every = quantifier == "all"
    test = _order(base, left, right)

    def pairs(env: Env) -> Iterator[bool]:
        others = right.values(env)
        return (test(a, b) for a in left.values(env) for b in others)

    def column(arrays: Arrays) -> Bools:
        if op == "contains":
            raise NotIndexed
        compare = COMPARE[base]
        return _joined([compare(a, b) for a in left.array(arrays) for b in right.array(arrays)], every)
    return Condition(left.keys | right.keys, lambda env: left.ready(env) and right.ready(env), pairs, column, every,
                left.each and right.each and (left.constant or right.constant), needs=_needs(left, [right]) if base in ("==", "contains") else (),
                start=left.start, end=right.end)


def _needs(left: Value, others: Sequence[Value]) -> tuple[bytes, ...]:
    """The texts of which one must stand in a message for its field to equal or contain one of these; none where that is not certain."""
    if left.field is None or left.computed or left.constant or not left.field.verbatim:
        return ()
    texts = [text for one in others if one.constant for text in one.values({})]
    if len(texts) < len(others) or not all(isinstance(text, str) and text and text.isascii() for text in texts):
        return ()
    return tuple(text.encode() for text in texts)


def matching(left: Value, search: Search, quantifier: str, end: int) -> Condition:
    """`left matches pattern`."""
    def pairs(env: Env) -> Iterator[bool]:
        return (search(value) for value in left.values(env))

    def column(arrays: Arrays) -> Bools:
        raise NotIndexed
    return Condition(left.keys, left.ready, pairs, column, quantifier == "all", left.each, start=left.start, end=end)


def membership(left: Value, items: Sequence[Value | tuple[Value, Value]], quantifier: str, end: int) -> Condition:
    """`left in {items}`; a pair is a closed range."""
    equal = [(_order("==", left, one), one) for one in items if isinstance(one, Value)]
    spans = [(_order(">=", left, one[0]), one[0], _order("<=", left, one[1]), one[1]) for one in items if isinstance(one, tuple)]
    others = [one for _, one in equal] + [one for _, low, _, high in spans for one in (low, high)]
    plain = all(one.constant for _, one in equal) and left.kind not in ("any", "ipv4", "ipv6") and not _named(left) and not _words(left)
    known = frozenset(one.values({})[0] for _, one in equal) if plain else frozenset()

    def inside(value: Any, env: Env) -> bool:
        if plain:
            if value in known:
                return True
        elif any(test(value, b) for test, one in equal for b in one.values(env)):
            return True
        return any(any(above(value, b) for b in low.values(env)) and any(below(value, b) for b in high.values(env)) for above, low, below, high in spans)

    def pairs(env: Env) -> Iterator[bool]:
        return (inside(value, env) for value in left.values(env))

    def column(arrays: Arrays) -> Bools:
        found = []
        for one in left.array(arrays):
            hit = np.zeros(one.shape, np.bool_)
            for _, item in equal:
                for other in item.array(arrays):
                    hit |= one == other
            for _, low, _, high in spans:
                for a in low.array(arrays):
                    for b in high.array(arrays):
                        hit |= (one >= a) & (one <= b)
            found.append(hit)
        return _joined(found, quantifier == "all")
    keys = left.keys.union(*(one.keys for one in others))

    def ready(env: Env) -> bool:
        return left.ready(env) and (constants or all(one.ready(env) for one in others))
    constants = all(one.constant for one in others)
    needs = () if spans else _needs(left, [one for _, one in equal])
    return Condition(keys, ready, pairs, column, quantifier == "all", left.each and constants, needs=needs, start=left.start, end=end)


def _joined(found: Sequence[Array], every: bool) -> Bools:
    out: Bools = found[0]
    for one in found[1:]:
        out = out & one if every else out | one
    return out


def _order(base: str, left: Value, right: Value) -> Callable[[Any, Any], bool]:
    """The comparison of two values; a network counts in the bits of its mask alone, and an operation may be named without its version."""
    if base == "contains":
        return _typed_contains if left.kind == "any" else _contains
    compare = COMPARE[base]
    if left.kind == "any":
        return _typed(compare, lambda kind: kind != "bool" or base in ("==", "!="), base == "!=")
    if base in ("==", "!=") and (words := _words(left) or _words(right)):
        return _meant(base == "==", words)
    if base in ("==", "!=") and (_named(left) or _named(right)):
        return _operations(base == "==", _named(left))
    if left.kind not in ("ipv4", "ipv6"):
        return compare

    def masked(a: Any, b: Any) -> bool:
        mask = -1
        if isinstance(b, Network):
            b, mask = b
        if isinstance(a, Network):
            a, other = a
            mask &= other
        return bool(compare(a & mask, b & mask))
    return masked


def _contains(a: Any, b: Any) -> bool:
    return bool(b) and b in a


def _typed(compare: Callable[[Any, Any], Any], fits: Callable[[str], bool], otherwise: bool) -> Callable[[Any, Any], bool]:
    """The comparison of values that tell their kind with each other or with a literal's alternatives; `otherwise` where the kinds differ or do not fit."""
    def holds(a: Any, b: Any) -> bool:
        kind = a.kind if isinstance(a, Typed) else b.kind
        one, other = (({side.kind: side.value} if isinstance(side, Typed) else side).get(kind) for side in (a, b))
        if one is None or other is None or not fits(kind):
            return otherwise
        return bool(compare(one, other))
    return holds


def _typed_contains(a: Any, b: Any) -> bool:
    """The same for text and bytes among values that tell their kind."""
    if a.kind not in ("string", "bytes"):
        return False
    part = (b.value if b.kind == a.kind else None) if isinstance(b, Typed) else b.get(a.kind) or (b.get(PART) if a.kind == "bytes" else None)
    return part is not None and _contains(a.value, part)


def unversioned(operation: str) -> str:
    """An operation's name without its version: `Produce` for `Produce v9`."""
    return VERSION.sub("", operation)


def _words(value: Value) -> Mapping[str, tuple[str, ...]] | None:
    """The words of a field that has no other values, where some stand for more than themselves."""
    words = value.field.words if value.field is not None and value.kind == "string" and not value.computed else None
    return words if words and any(values != (word,) for word, values in words.items()) else None


def _meant(equal: bool, words: Mapping[str, tuple[str, ...]]) -> Callable[[str, str], bool]:
    """Whether two words have a value in common."""
    return lambda a, b: bool({*words.get(a, (a,))} & {*words.get(b, (b,))}) is equal


def _named(value: Value) -> bool:
    return value.field is not None and value.field.name == "pv.op" and not value.computed and not value.constant


def _operations(equal: bool, left: bool) -> Callable[[str, str], bool]:
    """Whether an operation has a name, with or without its version; `left`: the operation stands left."""
    def holds(a: str, b: str) -> bool:
        operation, name = (a, b) if left else (b, a)
        return (name == operation or name == unversioned(operation)) is equal
    return holds
