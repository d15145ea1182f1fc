"""What `y` can copy: each form is a letter, a name and a function from what is selected to text."""
from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from captures.output.hexdump import hex_lines
from captures.output.ndjson import indented, node_json
from captures.packet.model import Packet
from protocols.engine.fields import Field, seconds
from tui.panes.plain_json import document, named_value, plain_json

MOST_FIELDS = 100_000


@dataclass(frozen=True, slots=True)
class Target:
    """What is copied from: a packet and the field selected in it, if any."""

    packet: Packet
    field: Field | None
    message: Field | None = None
    """The layer that the field is in."""

    @property
    def data(self) -> bytes:
        """The field's bytes; the whole frame when no field is selected."""
        if self.field is None:
            return bytes(self.packet.views[0].data)
        if self.field.view >= len(self.packet.views):
            return b""
        return bytes(self.packet.views[self.field.view].data[self.field.start:self.field.end])


@dataclass(frozen=True, slots=True)
class Form:
    """`make` gives the text, or None where this form has no sense for the target."""

    letter: str
    name: str
    make: Callable[[Target], str | None]


def literal(field: Field) -> str | None:
    """The field's value as a display filter writes it; None for what has no value."""
    value = field.value
    if value is None or field.spec.type in ("none", "protocol"):
        return None
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex(":") if len(value) else '""'
    if field.spec.type == "duration":
        return seconds(value)
    if field.spec.type == "time":
        return f'"{field.spec.shown(value)}"'.replace(" UTC", "Z").replace(" ", "T", 1)
    if isinstance(value, str) and field.spec.type not in ("ipv4", "ipv6", "ether"):
        return '"' + "".join(_quoted(character) for character in value) + '"'
    return str(value)


def _quoted(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}.get(character)
    return named or "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))


def filter_expression(field: Field) -> str:
    """`zookeeper.path == "/a"`; the name alone where there is no value to compare with."""
    value = literal(field)
    return field.name if value is None else f"{field.name} == {value}"


def value_text(field: Field) -> str | None:
    """The bare value: text as it is, bytes in hex, numbers in decimal; what the tree shows for all else. A document is its extended JSON, a group whose
    line is the name of what it holds (a topic) that name, an array or another group its plain JSON."""
    value = field.value
    if value is None and field.spec.type in ("none", "protocol"):
        text = document(field) or named_value(field.fields, field.text)
        return text or (plain_json(field, MOST_FIELDS) if field.has_fields else None)
    if value is None:
        return None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    return value if isinstance(value, str) else str(value) if field.spec.type not in ("time", "duration") else field.spec.shown(value)


def subtree(field: Field) -> Iterator[str]:
    """The field and all below as indented text."""
    for depth, one in _walk([field]):
        yield "    " * depth + one.text


def _walk(fields: Sequence[Field]) -> Iterator[tuple[int, Field]]:
    stack = [(0, field) for field in reversed(fields)]
    count = 0
    while stack and count < MOST_FIELDS:
        depth, field = stack.pop()
        yield depth, field
        count += 1
        stack.extend((depth + 1, child) for child in reversed(field.fields))


def hex_dump(data: bytes) -> str:
    """Offsets, sixteen bytes a line, and their text, as `xxd` and Wireshark write it."""
    return "\n".join(hex_lines(data))


def c_array(data: bytes) -> str:
    """A C array of the bytes."""
    rows = [", ".join(f"0x{byte:02x}" for byte in data[i:i + 12]) for i in range(0, len(data), 12)]
    return "unsigned char data[] = {\n    " + ",\n    ".join(rows) + "\n};" if rows else "unsigned char data[1] = {0}; /* empty */"


def row_text(packet: Packet) -> str:
    """The packet's line of the list."""
    row = packet.row
    time = "" if row.time is None else f"{seconds(row.time, 6)}  "
    return f"{row.number}  {time}{row.source} → {row.destination}  {row.protocol}  {row.length}  {row.info}"


def _of_field(make: Callable[[Field], str | None]) -> Callable[[Target], str | None]:
    return lambda target: None if target.field is None else make(target.field)


def _of_bytes(make: Callable[[bytes], str]) -> Callable[[Target], str | None]:
    return lambda target: make(target.data) if target.data else None


FORMS = (
    Form("v", "value", _of_field(value_text)),
    Form("l", "label and value", _of_field(lambda field: field.text)),
    Form("f", "filter expression", _of_field(filter_expression)),
    Form("n", "field name", _of_field(lambda field: field.name)),
    Form("t", "subtree as text", _of_field(lambda field: "\n".join(subtree(field)))),
    Form("j", "message as JSON", lambda target: plain_json(layer, MOST_FIELDS) if (layer := target.message or target.field) is not None else None),
    Form("J", "subtree with offsets", _of_field(lambda field: indented(node_json(field, MOST_FIELDS)))),
    Form("x", "bytes as hex", _of_bytes(bytes.hex)),
    Form("h", "bytes as hex dump", _of_bytes(hex_dump)),
    Form("b", "bytes as base64", _of_bytes(lambda data: base64.b64encode(data).decode())),
    Form("c", "bytes as C array", _of_bytes(c_array)),
    Form("p", "bytes as Python", _of_bytes(repr)),
    Form("y", "the packet's row", lambda target: row_text(target.packet)),
)
