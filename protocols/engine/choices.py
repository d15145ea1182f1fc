"""Types that depend on what was read before in the same record, and the one for what no table can say."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from protocols.engine.fields import Field, Spec
from protocols.engine.scalars import Reader, Source, Type

__all__ = ["Custom", "Switch", "When", "value_before"]


def value_before(spec: Spec, out: list[Field]) -> Any:
    """The value that `spec` has among the fields read so far in this record."""
    for one in reversed(out):
        if one.spec is spec:
            return one.value
    return None


class When:
    """`kind` when the value read before for `earlier` in the same record passes `test`."""

    least = 0

    def __init__(self, earlier: Spec, test: Callable[[Any], bool], kind: Type) -> None:
        self.earlier = earlier
        self.test = test
        self.kind = kind

    def reader(self, spec: Spec) -> Reader:
        inner, earlier, test = self.kind.reader(spec), self.earlier, self.test

        def read_when(source: Source, at: int, end: int, out: list[Field]) -> int:
            return inner(source, at, end, out) if test(value_before(earlier, out)) else at
        return read_when

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield from self.kind.specs(spec)


class Switch:
    """The type that `cases` has for the value read before for `earlier` in the same record; `otherwise` for all others."""

    least = 0

    def __init__(self, earlier: Spec, cases: Mapping[Any, Type], otherwise: Type | None = None) -> None:
        self.earlier = earlier
        self.cases = cases
        self.otherwise = otherwise

    def reader(self, spec: Spec) -> Reader:
        earlier = self.earlier
        readers = {value: kind.reader(spec) for value, kind in self.cases.items()}
        rest = self.otherwise.reader(spec) if self.otherwise else None

        def read_switch(source: Source, at: int, end: int, out: list[Field]) -> int:
            inner = readers.get(value_before(earlier, out), rest)
            return inner(source, at, end, out) if inner else at
        return read_switch

    def specs(self, spec: Spec) -> Iterator[Spec]:
        for kind in self.cases.values():
            yield from kind.specs(spec)
        if self.otherwise:
            yield from self.otherwise.specs(spec)


class Custom:
    """What no table can say: `make(spec)` gives the reader. `also` names further specs that it yields."""

    def __init__(self, make: Callable[[Spec], Reader], also: Sequence[Spec] = (), least: int = 0) -> None:
        self.make = make
        self.also = also
        self.least = least

    def reader(self, spec: Spec) -> Reader:
        return self.make(spec)

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec
        yield from self.also
