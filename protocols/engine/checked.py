"""The fields that a plugin gives, checked before anybody walks them.

A tree from a plugin may hold what is no field, a value that its type does not know, itself, or no end; each of these would end the program far from the
plugin's code, in a row, a filter or an export. So every field is looked at once: those in lists at once, those that a function makes
when somebody looks, then. In place of what is wrong stands a malformed field that says so; the rest of the tree stays. The project's own
decoders are held to the same by tests, and do not pass here.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from protocols.engine.fields import Field, Spec, malformed

__all__ = ["DEEPEST", "MOST", "checked", "wrong_spec"]

MOST = 1_000_000
"""Fields of one message."""
DEEPEST = 1000
"""Fields inside fields."""
LEAST, GREATEST = -(1 << 127), (1 << 128) - 1
NUMBERS = {"double": (int, float), "string": (str,), "bytes": (bytes, bytearray, memoryview), "ether": (str,), "ipv4": (str, int), "ipv6": (str, int)}
SIMPLE = (str, int, float, bytes, bytearray, memoryview)
WHOLE = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 24, 32, 40, 48, 56, 64, 128)} | {"bool", "time", "duration", "frame"}
TYPES = WHOLE | set(NUMBERS) | {"none", "protocol"}
FITS: dict[str, tuple[type, ...]] = {name: NUMBERS.get(name, (int,) if name in WHOLE else SIMPLE) for name in TYPES}
"""Type of a field -> Python types that its values may have; None, for no value, always."""


def checked(made: Any, start: int, end: int, view: int) -> list[Field]:
    """What `Decoder.dissect` gave for the message at `start` .. `end` of `view`, fit to be walked. Raises TypeError when it cannot be gone through."""
    return _Tree(start, end, view).fields(made, 0)


def wrong_spec(spec: object) -> str:
    """Why an object is no spec that names, filters and trees can be made from; "" when it is one."""
    if not isinstance(spec, Spec):
        return f"{type(spec).__name__} in place of a Spec"
    texts = (spec.name, spec.label, spec.type, spec.about, spec.base)
    if not all(isinstance(text, str) and text.isprintable() for text in texts) or not spec.name:
        return f"the spec {spec.name!r} has a name, label, type, meaning or base that is no text fit for a terminal"
    if spec.type not in TYPES:
        return f"the field {spec.name} has the type {spec.type}, which there is not"
    if not (spec.enum is None or isinstance(spec.enum, Mapping)) or not (spec.show is None or callable(spec.show)) or type(spec.mask) is not int:
        return f"the field {spec.name} has an enum, a show or a mask of the wrong type"
    return f"the field {spec.name} has hexadecimal digits and is no number" if spec.base == "hex" and "int" not in spec.type else ""


class _Tree:
    """The tree of one message: how many fields it may still have, and those that were met."""

    def __init__(self, start: int, end: int, view: int) -> None:
        self.where = start, end, view
        self.left = MOST
        self.met: set[Field] = set()
        self.specs: set[Spec] = set()

    def fields(self, made: Any, depth: int) -> list[Field]:
        """`made` as a list of good fields, `depth` fields deep in the tree; also all that is below and already made."""
        top: list[Field] = []
        work: list[tuple[Iterable[Any], list[Field], int]] = [(made, top, depth)]
        while work:
            given, out, depth = work.pop()
            room = max(0, self.left)
            found = given if isinstance(given, (list, tuple)) and len(given) <= room else list(islice(given, room + 1))
            self.left -= len(found)
            for one in found[:room]:
                why = self._wrong(one, depth)
                out.append(self._malformed(why) if why else one)
                if not why and one._children and not isinstance(one._children, int):
                    self._below(one, depth, work)
            if len(found) > room:
                out.append(self._malformed(f"more than {MOST:,} fields of one message"))
        return top

    def _below(self, one: Field, depth: int, work: list[tuple[Iterable[Any], list[Field], int]]) -> None:
        """Check the children of a field: later, when they are made later."""
        given = one._children
        if callable(given):
            one._children = lambda: self.fields(given(), depth + 1)
        else:
            mine: list[Field] = []
            one._children = mine
            work.append((given, mine, depth + 1))       # type: ignore[arg-type]

    def _malformed(self, why: str) -> Field:
        start, end, view = self.where
        return malformed(start, f"the decoder failed: {why}", end, view)

    def _wrong(self, one: Any, depth: int) -> str:
        """Why `one` cannot stand in a tree; "" when it can."""
        if type(one) is not Field and not (isinstance(one, Field) and type(one).__module__.startswith("protocols.")):
            return f"{type(one).__name__} in place of a Field"
        spec = one.spec
        if not isinstance(spec, Spec) or spec not in self.specs:
            why = wrong_spec(spec)
            if why:
                return why
            self.specs.add(spec)
        if one in self.met:
            return f"the field {spec.name} stands in two places of the tree"
        self.met.add(one)
        if depth > DEEPEST:
            return f"the field {spec.name} lies in more than {DEEPEST:,} others"
        if not (isinstance(one.start, int) and isinstance(one.length, int) and isinstance(one.view, int) and one.length >= 0 and one.view >= 0):
            return f"the field {spec.name} has the start {one.start!r}, length {one.length!r} and view {one.view!r}"
        if one.value is not None and not isinstance(one.value, FITS[spec.type]):
            return f"the field {spec.name} of type {spec.type} has a value of type {type(one.value).__name__}"
        if isinstance(one.value, int) and not LEAST <= one.value <= GREATEST:
            return f"the field {spec.name} has a value of more than 128 bits"
        if not (one._text is None or isinstance(one._text, str)):
            return f"the field {spec.name} has a line of type {type(one._text).__name__}"
        return "" if callable(one._children) or isinstance(one._children, (list, tuple, int)) else f"the field {spec.name} has no list below it"

