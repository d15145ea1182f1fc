"""Values: what stands left and right of an operator, compiled to functions over the values that fields have in one packet (or message).

A value is a list, because a field may occur several times; operators work on every combination. What cannot be computed (division by zero, a
number too large for the field's type) is left out. `each` says that the list is made element by element, so that a test may be
tried once for every distinct value; `array` is the same in numpy for fields that index columns answer.
"""
from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captures.filter.compile.literals import Network
from captures.filter.language.nodes import Span
from captures.values.field_names import FieldName
from captures.values.types import Typed
from protocols.engine.fields import calendar_time, seconds

__all__ = ["Arrays", "Env", "NotIndexed", "Value", "arithmetic", "as_kind", "constant", "field_value", "negative", "sliced"]

Env = Mapping[str, list[Any]]
"""Field key (name with layers) -> its values."""
Array = NDArray[Any]
Arrays = Mapping[str, list[Array]]
"""Field key -> one array an occurrence; constants are plain numbers beside them."""

LEAST, MOST = -(1 << 31), (1 << 32) - 1
LEAST_LONG, MOST_LONG = -(1 << 63), (1 << 64) - 1


class NotIndexed(Exception):
    """A value that columns do not give."""


@dataclass(frozen=True, slots=True)
class Value:
    """`kind` as in `names.kind_of`; `keys` are the fields it needs; `field` the one that literals beside it are read for.
    `computed`: not a field as it is; `masked`: a result of `&`. `ready` says whether there is anything to compare: without it a test is false."""

    kind: str
    keys: frozenset[str]
    values: Callable[[Env], list[Any]]
    array: Callable[[Arrays], list[Any]]
    ready: Callable[[Env], bool]
    field: FieldName | None = None
    each: bool = True
    function: str = ""
    computed: bool = False
    masked: bool = False
    start: int = 0
    end: int = 0

    @property
    def constant(self) -> bool:
        return not self.keys and not self.function


def _no_array(arrays: Arrays) -> list[Any]:
    raise NotIndexed


def field_value(field: FieldName, key: str, start: int, end: int, by_message: bool = False) -> Value:
    """The occurrences of a field; `by_message`: they come as a tuple a message."""
    if by_message:
        def split(env: Env) -> list[Any]:
            return [value for one in env[key] if one is not None for value in one if value is not None]
        return Value(field.kind, frozenset((key,)), split, _no_array, lambda env: any(env[key]), field, start=start, end=end)

    def values(env: Env) -> list[Any]:
        found = env[key]
        return [value for value in found if value is not None] if None in found else found

    def array(arrays: Arrays) -> list[Any]:
        return arrays[key]
    return Value(field.kind, frozenset((key,)), values, array, lambda env: bool(env[key]), field, start=start, end=end)


def constant(value: Any, kind: str, field: FieldName | None, start: int, end: int) -> Value:
    """One constant."""
    only = [value]

    def array(arrays: Arrays) -> list[Any]:
        if not isinstance(value, (int, float)) or not LEAST_LONG <= value < 1 << 63:
            raise NotIndexed
        return only
    return Value(kind, frozenset(), lambda env: only, array, lambda env: True, field, start=start, end=end)


NUMBERS = ("int", "double")


def as_kind(of: Value, kind: str) -> Value:
    """Those of the values that are of this kind, where each tells its own; without any, there is nothing to compare."""
    wanted = "number" if kind in NUMBERS else kind

    def values(env: Env) -> list[Any]:
        return [one.value for one in of.values(env) if isinstance(one, Typed) and one.kind == wanted]
    return Value(kind, of.keys, values, _no_array, lambda env: bool(values(env)), None, of.each, computed=True, start=of.start, end=of.end)


def packed(value: Any, kind: str) -> bytes:
    """The bytes that slices and `&` work on."""
    if kind == "string":
        return str(value).encode("utf-8", "surrogateescape")
    if kind in ("ipv4", "ipv6"):
        number = value.number if isinstance(value, Network) else value
        return int(number).to_bytes(4 if kind == "ipv4" else 16)
    return bytes(value)


def sliced(of: Value, spans: Sequence[Span], end: int) -> Value:
    """Bytes taken out of each value; none at all where a part lies outside."""
    def cut(value: Any) -> bytes:
        data = packed(value, of.kind)
        out = bytearray()
        for span in spans:
            piece = _piece(data, span)
            if piece is None:
                return b""
            out += piece
        return bytes(out)

    def values(env: Env) -> list[Any]:
        return [cut(value) for value in of.values(env)]
    return Value("bytes", of.keys, values, _no_array, of.ready, of.field if of.kind == "bytes" else None, of.each, computed=True, start=of.start, end=end)


def _piece(data: bytes, span: Span) -> bytes | None:
    first, second, count = span
    size = len(data)
    at = 0 if first is None else first if first >= 0 else size + first
    if second is None:
        end = size
    elif count:
        end = at + second
    else:
        end = (second if second >= 0 else size + second) + 1
    return data[at:end] if 0 <= at < end <= size else None


def negative(of: Value, start: int) -> Value:
    """`-x`."""
    def values(env: Env) -> list[Any]:
        return [-value for value in of.values(env)]

    def array(arrays: Arrays) -> list[Any]:
        return [-np.asarray(one, np.int64) for one in of.array(arrays)]
    return Value(of.kind, of.keys, values, array, of.ready, of.field, of.each, computed=True, start=start, end=of.end)


def _quotient(a: int, b: int) -> int:
    """Division towards zero, as in C."""
    return -(-a // b) if (a < 0) != (b < 0) else a // b


def _remainder(a: int, b: int) -> int:
    return a - b * _quotient(a, b)


WHOLE: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": _quotient, "%": _remainder, "&": operator.and_,
}
REAL: dict[str, Callable[[Any, Any], Any]] = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


def arithmetic(op: str, left: Value, right: Value) -> Value:
    """`a op b` for every combination of values."""
    kind = left.kind
    combine = REAL[op] if kind == "double" else WHOLE[op]
    long = any(one.field is not None and (one.field.spec.type.endswith(("64", "128")) or one.kind != "int") for one in (left, right))
    least, most = (LEAST_LONG, MOST_LONG) if long else (LEAST, MOST)

    def of(a: Any, b: Any) -> Any:
        if isinstance(a, (bytes, bytearray)):
            return bytes(x & y for x, y in zip(a, b, strict=False))
        if isinstance(a, Network) or isinstance(b, Network):
            x, y = (one.number if isinstance(one, Network) else one for one in (a, b))
            return x & y
        try:
            made = combine(a, b)
        except (ZeroDivisionError, OverflowError):
            return None
        return made if kind == "double" or least <= made <= most else None

    def values(env: Env) -> list[Any]:
        others = right.values(env)
        return [made for a in left.values(env) for b in others if (made := of(a, b)) is not None]

    def array(arrays: Arrays) -> list[Any]:
        if kind not in ("int", "duration"):
            raise NotIndexed
        return [_combined(op, np.asarray(a, np.int64), np.asarray(b, np.int64), least, most) for a in left.array(arrays) for b in right.array(arrays)]
    keys = left.keys | right.keys
    each = left.each and right.each and (left.constant or right.constant)
    return Value(kind, keys, values, array, lambda env: left.ready(env) and right.ready(env), left.field or right.field, each, computed=True, masked=op == "&",
                 start=left.start, end=right.end)


def _combined(op: str, a: Array, b: Array, least: int, most: int) -> Array:
    """The same for arrays, where no result is left out."""
    if op in "/%":
        if b.ndim or not int(b):
            raise NotIndexed
        out = np.fmod(a, b)
        return out if op == "%" else (a - out) // b
    if op == "&":
        return a & b
    if op == "*" and a.size and b.size and int(np.abs(a).max()) * int(np.abs(b).max()) > most:
        raise NotIndexed
    made = a + b if op == "+" else a - b if op == "-" else a * b
    if made.size and (int(made.min()) < least or int(made.max()) > most):
        raise NotIndexed
    return made


def shown(value: Any, kind: str) -> str:
    """`string(x)`, as `-T fields` prints it."""
    if kind in ("ipv4", "ipv6"):
        number = value.number if isinstance(value, Network) else value
        return str(IPv4Address(number) if kind == "ipv4" else IPv6Address(number))
    if kind == "ether":
        return bytes(value).hex(":")
    if kind in ("time", "duration"):
        return calendar_time(value) if kind == "time" else seconds(value)
    return str(value)
