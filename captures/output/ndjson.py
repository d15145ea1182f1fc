"""Packets as JSON: one object a line (`-T ndjson`), or all of them in one array (`-T json`); and one field with all below, as `yj` copies it.

Nodes are written straight from the tree with a stack of their own: depth costs nothing, and what is the same for every field of a
spec is written once and kept. Characters that could steer a terminal, and lone surrogates, leave as `\\uXXXX`.
"""
from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from json.encoder import encode_basestring
from typing import Any

from captures.capture import Capture
from captures.packet.model import Packet
from protocols.engine.fields import Field, Spec, seconds
from protocols.engine.printable import UNPRINTABLE

__all__ = ["Heads", "indented", "json_array", "ndjson", "node_json", "packet_json"]

quoted: Callable[[str], str] = encode_basestring
Heads = dict[Spec, str]
"""What stands before the value, the same for every field of a spec."""
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\[\]|[\[\]{},:]|[^\[\]{},:"]+')
"""A piece of JSON without blanks: a string, an empty array, a mark, a number or a word."""


def ndjson(capture: Capture, chosen: Iterable[int], with_bytes: bool = False) -> Iterator[str]:
    """The chosen packets, an object a line."""
    heads: Heads = {}
    for i in chosen:
        yield packet_json(capture.packet(i), heads, with_bytes) + "\n"


def json_array(capture: Capture, chosen: Iterable[int], with_bytes: bool = False) -> Iterator[str]:
    """The chosen packets in one array, an object a line."""
    heads: Heads = {}
    before = "[\n"
    for i in chosen:
        yield before + packet_json(capture.packet(i), heads, with_bytes)
        before = ",\n"
    yield "[\n]\n" if before == "[\n" else "\n]\n"


def packet_json(packet: Packet, heads: Heads, with_bytes: bool = False) -> str:
    """One packet; `with_bytes` adds each byte view's bytes in hex. `heads` is kept from packet to packet."""
    row = packet.row
    views = ",".join(
        f'{{"name":{quoted(view.name)},"length":{len(view.data)}' + (f',"bytes":"{bytes(view.data).hex()}"}}' if with_bytes else "}") for view in packet.views
    )
    time = "null" if row.time is None else f'"{seconds(row.time)}"'
    out = [
        f'{{"number":{row.number},"time":{time},"source":{quoted(row.source)},"destination":{quoted(row.destination)},'
        f'"protocol":{quoted(row.protocol)},"length":{row.length},"info":{quoted(row.info)},"views":[{views}],"layers":'
    ]
    _nodes(packet.layers, out, heads)
    out.append("}")
    return _safe("".join(out))


def node_json(field: Field, most: int = sys.maxsize) -> str:
    """A field with all below as the same object that `packet_json` gives for it; about `most` fields of it, the rest left out."""
    out: list[str] = []
    _nodes([field], out, {}, 2 * most)
    return _safe("".join(out)[1:-1])


def indented(text: str) -> str:
    """JSON without blanks, made readable: two blanks a level, a line a key or element. It is still the same JSON."""
    out: list[str] = []
    line = "\n"
    for token in TOKEN.findall(text):
        if token in "{[":
            line += "  "
            out += (token, line)
        elif token in "}]":
            line = line[:-2]
            out += (line, token)
        else:
            out.append(token)
            if token == ",":
                out.append(line)
            elif token == ":":
                out.append(" ")
    return "".join(out)


def _safe(text: str) -> str:
    return text if text.isascii() and "\x7f" not in text else UNPRINTABLE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _nodes(layers: Sequence[Field], out: list[str], heads: Heads, most: int = sys.maxsize) -> None:
    """Append the array of `layers` with everything below, until `out` has `most` pieces: two a field."""
    put = out.append
    put("[")
    stack: list[Iterator[Field]] = [iter(layers)]
    first = True
    while stack:
        one = next(stack[-1], None) if len(out) < most else None
        if one is None:
            stack.pop()
            put("]}" if stack else "]")
            first = False
            continue
        spec = one.spec
        head = heads.get(spec)
        if head is None:
            head = heads[spec] = f'{{"name":{quoted(spec.name)},"label":{quoted(spec.label)},"value":'
        below = one.fields
        put(f'{"" if first else ","}{head}{_value(one.value)},"text":{quoted(one.text)},"view":{one.view},"start":{one.start},"length":{one.length},"fields":[')
        if below:
            stack.append(iter(below))
            first = True
        else:
            put("]}")
            first = False


def _value(value: Any) -> str:
    """A value as JSON: bytes as hex, what JSON has no number for as text."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return float.__repr__(value) if math.isfinite(value) else f'"{value}"'
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f'"{bytes(value).hex()}"'
    return quoted(str(value))
