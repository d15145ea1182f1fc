"""Constants: the text of a literal as a value of the field that it is compared with.

Values: whole numbers and booleans as int, addresses as `Network`, MAC addresses and bytes as bytes, times and durations as int nanoseconds.
Numbers as in C (0x, leading 0, 0b); units and lower-case `true` are additions to Wireshark's. A name is never looked up in the DNS.
Beside a field whose values tell their own type, a literal is all that it may be, by type.
"""
from __future__ import annotations

import difflib
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from ipaddress import IPv6Address
from typing import Any, NamedTuple

from captures.filter.language.errors import FilterError, Fix
from captures.filter.language.lexer import Token, unescaped
from captures.filter.language.nodes import Literal, Name
from captures.values.field_names import FieldName, kind_of
from protocols.engine.fields import Spec

__all__ = ["PART", "Network", "converted", "labels", "no_word", "text_of"]

NUMBER = re.compile(r"(-?)(?:0[xX]([0-9A-Fa-f]+)|0[bB]([01]+)|0([0-7]*)|([1-9]\d*))", re.ASCII)
SIZE = re.compile(r"(\d+(?:\.\d+)?)([kmgt])(i?)b", re.ASCII | re.IGNORECASE)
SECONDS = re.compile(r"(-?)(\d+)(?:\.(\d+))?", re.ASCII)
SPAN = re.compile(r"(-?\d+(?:\.\d+)?)(ns|us|µs|ms|s|min|h)")
UNITS = {"ns": 1, "us": 1000, "µs": 1000, "ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9}
IPV4 = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})", re.ASCII)
ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*(Z|[A-Z]{3,5}|[+-]\d{2}:?\d{2})?)?", re.ASCII)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
ENGLISH = re.compile(r"([A-Za-z]{3}) (\d{1,2}), (\d{4})(?: (\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(?: ([A-Z]{3,5}))?)?", re.ASCII)
FLAT = re.compile(r"[0-9A-Fa-f](?:[0-9A-Fa-f](?:[0-9A-Fa-f]{2})*)?", re.ASCII)
SPLIT = re.compile(r"[0-9A-Fa-f]{1,2}(?:([:.-])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2})*\1?|:)", re.ASCII)
QUADS = re.compile(r"[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2}", re.ASCII)
TYPES = {
    "ipv4": "IPv4 address", "ipv6": "IPv6 address", "ether": "Ethernet or other MAC address", "duration": "Time offset", "bool": "Boolean",
    "double": "Floating point (double-precision)",
}

SHOWN: dict[Spec, dict[int, str]] = {}


class Network(NamedTuple):
    """An address, or all those that agree with it in the bits of `mask`."""

    number: int
    mask: int


PART = "part of bytes"
"""The bytes of a literal that is a number, too: `contains 06`."""


def text_of(node: Literal | Name) -> str:
    """A literal as it was written; a word may look like a field's name."""
    return node.name if isinstance(node, Name) else node.text


def converted(node: Literal | Name, kind: str, field: FieldName | None) -> Any:
    """The value of a literal for a value of this kind; `field` is the field that bounds and labels are taken from. Raises FilterError."""
    if kind == "any":
        return _alternatives(node)
    if isinstance(node, Literal) and node.kind != "word":
        return _quoted(node, kind, field)
    text = text_of(node)
    match kind:
        case "int":
            return _whole(node, text, field)
        case "bool":
            return _truth(node, text, field)
        case "string":
            return text
        case "bytes" | "protocol":
            return _bytes(node, text)
        case "ether":
            return _mac(node, text)
        case "ipv4":
            return _ipv4(node, text)
        case "ipv6":
            return _ipv6(node, text)
        case "time":
            return _time(node, text)
        case "duration":
            return _duration(node, text)
    return _double(node, text)


def _alternatives(node: Literal | Name) -> dict[str, Any]:
    """Kind -> the value that the literal is for a value of this kind. What is written as a number or as true is no text."""
    found: dict[str, Any] = {}
    quoted = isinstance(node, Literal) and node.kind != "word"
    plain = text_of(node)
    if quoted:
        plain = found["string"] = _quoted(node, "string", None)     # type: ignore[arg-type]
        found["bytes"] = plain.encode("utf-8", "surrogateescape")
    readers = [("time", _time)] if quoted else [("number", _any_number), ("bool", _any_truth), ("time", _time)]
    for kind, read in readers:
        try:
            found[kind] = read(node, plain)
        except FilterError:
            continue
    if not quoted:
        number = "number" in found or "bool" in found
        if not number:
            found["string"] = plain
        try:
            found[PART if number else "bytes"] = _bytes(node, plain)
        except FilterError:
            pass
    return found


def _any_number(node: Literal | Name, text: str) -> float:
    whole = _number(text)
    if whole is None and SIZE.fullmatch(text):
        return _whole(node, text, None)
    return whole if whole is not None else _double(node, text)


def _any_truth(node: Literal | Name, text: str) -> int:
    if text.lower() not in ("1", "0", "true", "false"):
        raise _error(node, f'"{text}" is no boolean.')
    return _truth(node, text, None)


def _error(node: Literal | Name, message: str, fix: str | None = None) -> FilterError:
    return FilterError(message, node.start, node.end, None if fix is None else Fix(node.start, node.end, fix))


def _quoted(node: Literal, kind: str, field: FieldName | None) -> Any:
    """A string or character constant."""
    data = unescaped(Token(node.kind, node.text, node.start, node.end))
    if node.kind == "char":
        if len(data) != 1:
            raise _error(node, f"{node.text} is too long to be a valid character constant." if data else f"{node.text} is an empty character constant.")
        if kind == "string":
            quoted = '"\\""' if data == b'"' else '"' + node.text[1:-1] + '"'
            raise _error(node, f"A character is compared with text. Use {quoted}", quoted)
        if kind in ("int", "bool"):
            return data[0]
        if kind in ("bytes", "protocol"):
            return data
    elif kind == "string":
        return data.decode("utf-8", "surrogateescape")
    elif kind in ("bytes", "protocol"):
        return data
    elif kind == "time":
        return _time(node, data.decode("utf-8", "replace"))
    elif kind in ("int", "bool"):
        found = _label(data.decode("utf-8", "replace"), field)
        if found is not None:
            return found
    name = field.name if field is not None else "The left side"
    inner = node.text[1:-1] if node.text[0] == '"' else node.text
    what = "a number" if kind in ("int", "double", "duration") else f"a{'n' if TYPES.get(kind, kind)[0] in 'IE' else ''} {TYPES.get(kind, kind)}"
    raise _error(node, f"{what[2:].lstrip().capitalize() if kind == 'int' else TYPES.get(kind, kind)} cannot be converted from a string ({node.text}). "
                 f"{name} is {what}: remove the quotes", inner if re.fullmatch(r"[\w.:/-]+", inner) else None)


def _label(text: str, field: FieldName | None) -> int | None:
    """The number that a field's enumeration gives this name, whatever its case."""
    if field is None:
        return None
    wanted = text.lower()
    if field.kind == "bool":
        for value in (True, False):
            if field.spec.shown(value).lower() == wanted or str(value).lower() == wanted:
                return int(value)
    return next((value for value, name in labels(field.spec).items() if name.lower() == wanted), None)


def labels(spec: Spec) -> Mapping[int, str]:
    """The names of a field's values: its enumeration's, or those that its `show` gives to small numbers as `Name (7)`."""
    if spec.enum:
        return spec.enum
    if spec.show is None or kind_of(spec) != "int":
        return {}
    found = SHOWN.get(spec)
    if found is None:
        found = SHOWN[spec] = {}
        for value in range(-1, 256):
            try:
                named = re.fullmatch(r"([A-Za-z].*) \((-?\d+)\)", spec.show(value))
            except (ValueError, TypeError, LookupError):
                continue
            if named and int(named[2]) == value and named[1] != "unknown":
                found[value] = named[1]
    return found


def _number(text: str) -> int | None:
    found = NUMBER.fullmatch(text)
    if found is None or len(text) > 80:
        return None
    sign, hexa, binary, octal, decimal = found.groups()
    value = int(hexa, 16) if hexa else int(binary, 2) if binary else int(decimal) if decimal else int(octal or "0", 8)
    return -value if sign else value


def _whole(node: Literal | Name, text: str, field: FieldName | None) -> int:
    value = _number(text)
    if value is None:
        size = SIZE.fullmatch(text)
        if size:
            value = int(Fraction(size[1]) * (1024 if size[3] else 1000) ** ("kmgt".index(size[2].lower()) + 1))
    if value is None:
        value = _label(text, field)
    if value is None:
        raise _no_number(node, text, field)
    bounds = field.bounds if field is not None else None
    if bounds is not None and field is not None:
        if value > bounds[1]:
            raise _error(node, f'"{text}" too big for this field, maximum {bounds[1]}.')
        if value < bounds[0]:
            raise _error(node, f"{field.name} is never negative" if bounds[0] == 0 else f'"{text}" too small for this field, minimum {bounds[0]}.')
    return value


def _no_number(node: Literal | Name, text: str, field: FieldName | None) -> FilterError:
    if field is None:
        return _error(node, f'"{text}" is not a valid number.')
    span = re.fullmatch(r"(\d+)-(\d+)", text)
    if span:
        better = f"{span[1]}..{span[2]}"
        return _error(node, f'"{text}" is not a valid number. Ranges are written {better}', better)
    names = labels(field.spec)
    if names:
        near = difflib.get_close_matches(text.lower(), [name.lower() for name in names.values()], 1, 0.6)
        if near:
            label = next(name for name in names.values() if name.lower() == near[0])
            shown = label if re.fullmatch(r"[A-Za-z]\w*", label) else f'"{label}"'
            return _error(node, f'"{text}" cannot be found among the possible values for {field.name}. Did you mean {shown}?', shown)
        return _error(node, f'"{text}" cannot be found among the possible values for {field.name}.')
    low, high = field.bounds or (0, 1)
    return _error(node, f'"{text}" is not a valid number. {field.name} is a number {low}-{high}')


def no_word(node: Literal | Name, text: str, name: str, words: Mapping[str, tuple[str, ...]]) -> FilterError:
    """The error for a text that is none of a field's words."""
    near = difflib.get_close_matches(text.lower(), words, 2, 0.6)
    hint = f"Did you mean {', '.join(near)}?" if near else f"It is {', '.join(word for word, values in words.items() if values)}"
    return _error(node, f'"{text}" cannot be found among the possible values for {name}. {hint}', near[0] if near else None)


def _truth(node: Literal | Name, text: str, field: FieldName | None) -> int:
    value = _number(text)
    if value is None:
        value = _label(text, field)
    if value is None and text.lower() in ("true", "false"):
        value = text.lower() == "true"
    if value is None:
        raise _error(node, f'"{text}" cannot be found among the possible values for {field.name if field else "a boolean"}. It is 1 or 0', "1")
    return int(bool(value))


def _bytes(node: Literal | Name, text: str) -> bytes:
    if SPLIT.fullmatch(text):
        return bytes(int(part, 16) for part in re.split("[:.-]", text) if part)
    if QUADS.fullmatch(text):
        return bytes.fromhex(text.replace(".", ""))
    if FLAT.fullmatch(text):
        return bytes.fromhex(text if len(text) > 1 else "0" + text)
    one = re.fullmatch(r"0[xX]([0-9A-Fa-f]{1,2})", text)
    if one:
        return bytes((int(one[1], 16),))
    if re.fullmatch(r"0[xX](?:[0-9A-Fa-f]{2})+", text):
        better = ":".join(re.findall("..", text[2:]))
        raise _error(node, f'"{text}" is not a valid byte string. Bytes are written {better}', better)
    raise _error(node, f'"{text}" is not a valid byte string. Text stands in quotes: "{text}"', f'"{text}"')


def _mac(node: Literal | Name, text: str) -> bytes:
    try:
        data = _bytes(node, text)
    except FilterError:
        raise _error(node, f'"{text}" is not a valid hostname or Ethernet address.') from None
    if len(data) != 6:
        raise _error(node, f'"{text}" contains too {"few" if len(data) < 6 else "many"} bytes to be a valid Ethernet address.')
    return data


def _ipv4(node: Literal | Name, text: str) -> Network:
    address, slash, length = text.partition("/")
    found = IPV4.fullmatch(address)
    if found is None or any(int(part) > 255 for part in found.groups()):
        raise _error(node, f'"{address}" is not a valid hostname or IPv4 address. Names are not looked up')
    number = int.from_bytes(bytes(int(part) for part in found.groups()))
    return _masked(node, number, slash, length, 32, "IPv4")


def _ipv6(node: Literal | Name, text: str) -> Network:
    address, slash, length = text.partition("/")
    try:
        number = int(IPv6Address(address))
    except ValueError:
        raise _error(node, f'"{address}" is not a valid hostname or IPv6 address. Names are not looked up') from None
    return _masked(node, number, slash, length, 128, "IPv6")


def _masked(node: Literal | Name, number: int, slash: str, length: str, bits: int, name: str) -> Network:
    full = (1 << bits) - 1
    if not slash:
        return Network(number, full)
    if not (length.isascii() and length.isdigit()) or len(length) > 4 or int(length) > bits:
        raise _error(node, f"Netmask bits in a CIDR {name} address should be <= {bits}, not {length or 'missing'}")
    mask = full ^ (full >> int(length))
    return Network(number & mask, mask)


def _time(node: Literal | Name, text: str) -> int:
    """Nanoseconds since 1970. A time without a zone is local time; the zone may be Z, UTC, an offset, or what the local zone is called at that time (CET)."""
    found = ISO.fullmatch(text.strip())
    try:
        if found:
            year, month, day, hour, minute, second, fraction, zone = found.groups()
            number = int(month)
        else:
            found = ENGLISH.fullmatch(text.strip())
            if found is None:
                raise ValueError
            name, day, year, hour, minute, second, fraction, zone = found.groups()
            number = MONTHS.index(name.lower()) + 1
        moment = datetime(int(year), number, int(day), int(hour or 0), int(minute or 0), int(second or 0))
        return _epoch(moment, zone or "") * 10**9 + int((fraction or "0").ljust(9, "0"))
    except (ValueError, OverflowError):
        raise _error(node, f'"{text}" is not a valid absolute time. Example: "Nov 12, 1999 08:55:44.123" or "2011-07-04 12:34:56"') from None


def _epoch(moment: datetime, zone: str) -> int:
    """Seconds since 1970 of a time in a zone. Raises ValueError for a zone that is not known here."""
    if not zone:
        return int(moment.timestamp())
    if zone in ("Z", "UTC"):
        return int(moment.replace(tzinfo=UTC).timestamp())
    if zone[0] in "+-":
        digits = zone[1:].replace(":", "")
        away = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        return int(moment.replace(tzinfo=timezone(-away if zone[0] == "-" else away)).timestamp())
    for fold in (0, 1):     # the hour that comes twice when clocks are set back has two zones
        found = int(moment.replace(fold=fold).timestamp())
        if time.localtime(found).tm_zone == zone:
            return found
    raise ValueError


def _duration(node: Literal | Name, text: str) -> int:
    found = SECONDS.fullmatch(text)
    if found and len(text) < 80:
        value = int(found[2]) * 10**9 + int((found[3] or "0")[:9].ljust(9, "0"))
        return -value if found[1] else value
    spanned = _spanned(text)
    if spanned is None:
        raise _error(node, f'"{text}" is not a valid time. Seconds, or a number with us, ms, s, min')
    return int(spanned)


def _spanned(text: str) -> Fraction | None:
    """`50ms` in nanoseconds."""
    found = SPAN.fullmatch(text)
    return Fraction(found[1]) * UNITS[found[2]] if found and len(text) < 80 else None


def _double(node: Literal | Name, text: str) -> float:
    spanned = _spanned(text)
    if spanned is not None:
        return float(spanned / 10**9)
    whole = _number(text)
    if whole is not None:
        return float(whole)
    if re.fullmatch(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", text) and len(text) < 80:
        return float(text)
    raise _error(node, f'"{text}" is not a valid floating-point number.')
