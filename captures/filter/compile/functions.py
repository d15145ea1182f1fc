"""The functions of the language: what they take and what they give.

A function that gets no value at all gives none, which makes every test with it false, as in Wireshark.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from captures.filter.compile.literals import labels
from captures.filter.compile.special_addresses import special_name
from captures.filter.compile.values import Arrays, Env, NotIndexed, Value, as_kind, shown
from captures.filter.language.errors import FilterError
from captures.values.field_names import BITS, FieldName
from captures.values.types import Part

__all__ = ["FUNCTIONS", "applied"]

FUNCTIONS = {
    "upper": "text in upper case", "lower": "text in lower case", "len": "length in bytes", "count": "how often the field occurs",
    "string": "a number, address or time as text", "max": "the greatest of all values", "min": "the least of all values",
    "vals": "the name of a field's value", "dec": "a whole number as decimal text", "hex": "a whole number as hexadecimal text, 0x and the field's full width",
    "ip_special_name": "what a special-purpose address is for: Private-Use, Loopback",
    "abs": "the size of a number without its sign", "float": "a number as floating point", "double": "a number as floating point",
}
"""Name -> what it gives."""
STRINGS = ("int", "ipv4", "ipv6", "ether", "double", "time", "duration")
NUMBERS = ("int", "duration", "double")
ORDERED = ("int", "duration", "double", "time", "ipv4", "ipv6", "ether", "string", "bytes")
ANY = {"upper": "string", "lower": "string", "len": "string", "abs": "double", "float": "double", "double": "double"}
"""What a function takes of values that tell their own type."""
SIZES = {"ipv4": 4, "ipv6": 16, "ether": 6, "bool": 1}


def applied(name: str, arguments: list[Value], start: int, end: int) -> Value:
    """The value of a call. Raises FilterError."""
    if name in ("max", "min"):
        return _greatest(name, [as_kind(one, "double") if one.kind == "any" else one for one in arguments], start, end)
    if len(arguments) == 1 and arguments[0].kind == "any" and name in ANY:
        arguments = [as_kind(arguments[0], ANY[name])]
    if len(arguments) != 1:
        raise FilterError(f"{name}() takes one argument, not {len(arguments)}", start, end)
    of = arguments[0]
    if of.constant:
        raise FilterError(f"The argument of {name}() must be a field, not a constant.", of.start, of.end)
    if name == "count":
        if of.computed or of.function:
            raise FilterError("Only fields can be used as parameter for count()", of.start, of.end)
        return _made("int", of, lambda env: [len(of.values(env))] if of.values(env) else [], start, end, False)
    if name in ("upper", "lower"):
        if of.kind != "string":
            raise FilterError(f"Only string type fields can be used as parameter for {name}()", of.start, of.end)
        change = _upper if name == "upper" else _lower
        return _mapped("string", of, change, start, end)
    if name == "len":
        if of.kind in ("none", "time", "duration", "double"):
            raise FilterError("len() takes text, bytes, or a number's field", of.start, of.end)
        return _mapped("int", of, _length(of), start, end)
    if name == "string" and of.kind == "any":
        return _made("string", of, lambda env: [_words(one.value) for one in of.values(env) if one.value is not None], start, end, of.each)
    if name == "string":
        if of.kind not in STRINGS:
            raise FilterError(f'String conversion for field "{of.field.name if of.field else "this"}" is not supported', of.start, of.end)
        return _mapped("string", of, lambda value: shown(value, of.kind), start, end)
    if name in ("vals", "dec", "hex"):
        return _number_text(name, of, start, end)
    if name == "ip_special_name":
        if of.kind not in ("ipv4", "ipv6"):
            raise FilterError("ip_special_name() takes an IPv4 or IPv6 address", of.start, of.end)
        return _named(of, lambda value: special_name(value, of.kind), start, end)
    if name == "abs":
        if of.kind not in NUMBERS:
            raise FilterError("abs() takes a number", of.start, of.end)

        def array(arrays: Arrays) -> list[Any]:
            return [abs(one) for one in of.array(arrays)]
        return Value(of.kind, of.keys, lambda env: [abs(value) for value in of.values(env)], array, of.ready, of.field, of.each, name, True,
                     start=start, end=end)
    if of.kind not in (*NUMBERS, "time", "bool"):
        raise FilterError(f"{name}() takes a number", of.start, of.end)
    scale = 1e9 if of.kind in ("time", "duration") else 1
    return _mapped("double", of, lambda value: value / scale, start, end)


def _number_text(name: str, of: Value, start: int, end: int) -> Value:
    """`vals`, `dec` and `hex`: a number in words or digits."""
    spec = of.field.spec if of.field is not None and not of.computed else None
    if name == "vals" and spec is not None and of.kind == "bool":
        return _mapped("string", of, lambda value: spec.shown(bool(value)), start, end)
    if of.kind != "int":
        raise FilterError(f"{name}() takes a whole number", of.start, of.end)
    if name == "dec":
        return _mapped("string", of, str, start, end)
    if name == "hex":
        bits = BITS[spec.type][0] if spec is not None else 0
        return _mapped("string", of, lambda value: f"0x{value & (1 << bits) - 1 if value < 0 else value:0{bits // 4}x}", start, end)
    known = labels(spec) if spec is not None else {}
    if not known:
        raise FilterError("vals() takes a field whose values have names", of.start, of.end)
    return _named(of, known.get, start, end)


def _named(of: Value, name: Callable[[Any], str | None], start: int, end: int) -> Value:
    """The names of those values that have one."""
    return _made("string", of, lambda env: [found for value in of.values(env) if (found := name(value)) is not None], start, end, of.each)


def _words(value: Any) -> str:
    """A value that tells its own type as text; whole numbers alike, however they are stored."""
    return value.hex() if isinstance(value, bytes) else f"{value:.15g}" if isinstance(value, float) else str(value)


def _upper(text: str) -> str:
    return "".join(chr(ord(c) - 32) if "a" <= c <= "z" else c for c in text)


def _lower(text: str) -> str:
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def _length(of: Value) -> Callable[[Any], int]:
    field: FieldName | None = of.field
    size = BITS[field.spec.type][0] // 8 if field is not None and field.spec.type in BITS else SIZES.get(of.kind)
    if size is not None:
        return lambda value: size
    if of.kind == "string":
        return lambda value: len(value.encode("utf-8", "surrogateescape"))
    return lambda value: value.length if isinstance(value, Part) else len(value)


def _no_array(arrays: Arrays) -> list[Any]:
    raise NotIndexed


def _made(kind: str, of: Value, values: Callable[[Env], list[Any]], start: int, end: int, each: bool) -> Value:
    return Value(kind, of.keys, values, _no_array, of.ready, None, each, "function", True, start=start, end=end)


def _mapped(kind: str, of: Value, change: Callable[[Any], Any], start: int, end: int) -> Value:
    return _made(kind, of, lambda env: [change(value) for value in of.values(env)], start, end, of.each)


def _greatest(name: str, arguments: list[Value], start: int, end: int) -> Value:
    """max and min: of all values of all arguments."""
    if not arguments:
        raise FilterError(f"{name}() takes fields of one type", start, end)
    first = arguments[0]
    if first.constant:
        raise FilterError(f"Argument '{first.values({})[0]}' is not valid for {name}()", first.start, first.end)
    for one in arguments:
        if one.kind not in ORDERED:
            raise FilterError(f"{name}() takes numbers", one.start, one.end)
        if one.kind != first.kind:
            raise FilterError(f"Arguments to '{name}' must have the same type (expected {first.kind}, got {one.kind})", one.start, one.end)
    choose: Callable[..., Any] = max if name == "max" else min

    def values(env: Env) -> list[Any]:
        every = [value for one in arguments for value in one.values(env)]
        return [choose(every)] if every else []
    keys = frozenset().union(*(one.keys for one in arguments))
    return Value(first.kind, keys, values, _no_array, lambda env: any(one.ready(env) for one in arguments), first.field, False, name, True,
                 start=start, end=end)
