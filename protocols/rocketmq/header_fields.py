"""The header of a frame as fields: both formats, each key and value with its place."""
from __future__ import annotations

from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec
from protocols.rocketmq import specs as s
from protocols.rocketmq import tables as t
from protocols.rocketmq.head import I16, I32, full_code, number
from protocols.rocketmq.jsontext import STRING, Node, scan
from protocols.rocketmq.values import extension, masked

FIXED = 13
"""Bytes of a binary header before the remark's length."""


class Context:
    """What the fields of a header depend on: whether it answers, the request code that counts (its own, or that of its request; -1 when unknown),
    and the names of one-letter fields."""

    def __init__(self, response: bool, asked: int, version: int) -> None:
        self.response = response
        self.asked = asked
        self.version = version
        operation = t.operations().get(asked)
        self.header_class = (operation.response_header if response else operation.request_header) if operation else ""
        self.letters = t.letters(self.header_class)
        self.pull = asked in t.PULLS

    def title(self, count: int, whole: bool) -> str:
        """The line of the group of extension fields; with `whole` False there may be more than `count`."""
        return f"Extension fields ({'' if whole else 'at least '}{count})" + (f": {self.header_class}" if self.header_class else "")


def code_field(value: int, start: int, length: int, context: Context, wire: int | None = None, view: int = 0) -> Field:
    """The code, by name; `wire` is what stands there when it holds only 16 bits of the code."""
    if context.response:
        found = t.outcome(value, context.version, context.asked)
        name = found.name if found.group != "unknown" else "unknown"
        return Field(s.RESPONSE_CODE, value, start, length, view, (), f"Response: {name} ({value})")
    if wire is not None and wire != value:
        return Field(s.REQUEST_CODE, value, start, length, view, (), f"Request: {t.operation_name(value)} ({wire}, truncated: {value} & 0xFFFF)")
    return Field(s.REQUEST_CODE, value, start, length, view)


def flag_field(value: int, start: int, length: int, view: int = 0) -> Field:
    bits = [Field(s.FLAG_RESPONSE, bool(value & t.RESPONSE), start, length, view), Field(s.FLAG_ONEWAY, bool(value & t.ONEWAY), start, length, view)]
    if value & ~3:
        bits.append(Field(s.FLAG_OTHER, value & ~3, start, length, view))
    word = "response" if value & t.RESPONSE else "request"
    return Field(s.FLAG, value, start, length, view, bits, f"Flag: {word}{', one-way' if value & t.ONEWAY else ''} ({value})")


def json_header(data: bytes, start: int, end: int, context: Context, cut: bool, view: int = 0) -> list[Field]:
    """The one node of a JSON header, with a field for each member; the ones of extFields in a group."""
    found = scan(data, start, end)
    out: list[Field] = []
    secrets: list[tuple[int, int]] = []
    root = found.root
    if root is not None:
        for one in root.items or ():
            if one.name == "extFields" and one.items is not None:
                members = [_extension(data, item, context, secrets, view) for item in one.items]
                begin = one.key.start if one.key else one.start
                out.append(f.group(s.EXT, begin, one.end, members, context.title(len(members), one.whole), view))
            else:
                out.append(_member(data, one, context, view))
    if found.fault and not cut:
        out.append(f.malformed(found.end, f"JSON header: {found.fault}", end, view))
    elif data[found.end:end].strip() and not cut:
        out.append(f.malformed(found.end, "bytes after the JSON header", end, view))
    shown = hide(data, start, end, secrets)
    return [Field(s.HEADER, shown, start, end - start, view, out, f"Header: JSON, {t.sized(end - start)}")]


def hide(data: bytes, start: int, end: int, secrets: list[tuple[int, int]]) -> str:
    """The text `data[start:end]` with its secrets blacked out."""
    pieces, at = [], start
    for begin, stop in secrets:
        pieces += [data[at:begin], b'"' + masked(stop - begin).encode() + b'"']
        at = stop
    return str(b"".join([*pieces, data[at:end]]), "utf-8", "replace")


_NUMBERS = frozenset({"code", "flag", "opaque", "version"})
"""Members that are whole numbers, also when they are written as text."""
_MEMBERS: dict[str, Spec] = {"opaque": s.OPAQUE, "version": s.VERSION, "language": s.LANGUAGE, "remark": s.REMARK, "serializeTypeCurrentRPC": s.CURRENT_RPC}


def _parts(node: Node, view: int) -> list[Field]:
    """Key and value of a member, each with its place; a string's quotes are not part of it."""
    out = []
    if node.key is not None:
        key = node.key
        quoted = key.kind == STRING
        out.append(Field(s.KEY, str(key.value), key.start + quoted, key.end - key.start - 2 * quoted, view))
    start, end = _inner(node)
    out.append(Field(s.VALUE, "" if node.value is None else str(node.value), start, end - start, view))
    return out


def _inner(node: Node) -> tuple[int, int]:
    """Where a value's text stands, without quotes."""
    return (node.start + 1, node.end - 1) if node.kind == STRING else (node.start, node.end)


def _member(data: bytes, node: Node, context: Context, view: int) -> Field:
    """A member of the header itself."""
    start = node.key.start if node.key else node.start
    length, value = node.end - start, node.value
    found = number(value) if node.name in _NUMBERS else None
    whole = found is not None
    value = value if found is None else found
    made: Field | None = None
    if node.name == "code" and found is not None:
        made = code_field(found, start, length, context, None, view)
    elif node.name == "flag" and found is not None:
        made = flag_field(found, start, length, view)
        made._children = [*made.fields, *_parts(node, view)]
        return made
    spec = _MEMBERS.get(node.name)
    if made is None and spec is not None and (whole if spec.type == "int32" else node.items is None):
        made = Field(spec, value if spec.type == "int32" or value is None else str(value), start, length, view)
    if made is None:
        text = str(data[node.start:node.end], "utf-8", "replace")
        made = Field(s.HEADER_MEMBER, f"{node.name}={text}", start, length, view, (), f"{node.name}: {text[:512]}")
    made._children = lambda: _parts(node, view)
    return made


def _extension(data: bytes, node: Node, context: Context, secrets: list[tuple[int, int]], view: int) -> Field:
    wire = node.name
    name = context.letters.get(wire, wire)
    inner = _inner(node)
    place = node.key.start if node.key else node.start, node.end
    if name in t.SECRETS and inner[1] > inner[0]:
        secrets.append((node.start, node.end))
    value = node.value if node.items is None else str(data[node.start:node.end], "utf-8", "replace")
    return extension(name, wire, value, data, place, inner, lambda: _parts(node, view), context.pull, view)


def binary_header(data: bytes, start: int, end: int, context: Context, cut: bool, view: int = 0) -> list[Field]:
    """The node of a binary header, its fields one behind the other."""
    out: list[Field] = []
    text = f"Header: binary, {t.sized(end - start)}"
    node = Field(s.HEADER, None, start, end - start, view, out, text)
    at = start
    have = end - at
    if have >= 2:
        wire = I16(data, at)[0]
        code = wire if context.response else full_code(wire)
        out.append(code_field(code, at, 2, context, wire if 0 <= wire != code else None, view))
    if have >= 3:
        language = data[at + 2]
        out.append(Field(s.LANGUAGE, t.LANGUAGES.get(language, f"unknown language {language}"), at + 2, 1, view, (),
                         f"Language: {t.LANGUAGES.get(language, 'unknown')} ({language})"))
    if have >= 5:
        out.append(Field(s.VERSION, I16(data, at + 3)[0], at + 3, 2, view))
    if have >= 9:
        out.append(Field(s.OPAQUE, I32(data, at + 5)[0], at + 5, 4, view))
    if have >= 13:
        out.append(flag_field(I32(data, at + 9)[0], at + 9, 4, view))
    if have < FIXED:
        _short(out, data, at + max(size for size in (0, 2, 3, 5, 9) if size <= have), end, FIXED, cut, view)
        return [node]
    at += FIXED
    if end - at < 4:
        _short(out, data, at, end, 4, cut, view)
        return [node]
    size = I32(data, at)[0]
    at += 4
    if size <= 0:
        out.append(Field(s.REMARK.length, size, at - 4, 4, view))
    elif size > end - at:
        out.append(Field(s.REMARK.length, size, at - 4, 4, view))
        _short(out, data, at, end, size, cut, view)
        return [node]
    else:
        out.append(Field(s.REMARK, str(data[at:at + size], "utf-8", "replace"), at, size, view, 4))
        at += size
    if end - at < 4:
        _short(out, data, at, end, 4, cut, view)
        return [node]
    size = I32(data, at)[0]
    out.append(Field(s.EXT.length, size, at, 4, view, (), f"Extension fields length: {size}"))
    at += 4
    if size:
        members: list[Field] = []
        stop = min(end, at + max(0, size))
        group = f.group(s.EXT, at, stop, members, view=view)
        out.append(group)
        at = _entries(data, at, stop, context, members, cut, view)
        group._text = context.title(len(members), size <= stop - group.start)
        if size < 0 or size > end - group.start:
            _short(out, data, stop, end, size, cut, view)
            return [node]
    if at < end:
        out.append(f.malformed(at, f"{t.sized(end - at)} left over in the header", end, view))
    return [node]


def _short(out: list[Field], data: bytes, at: int, end: int, wanted: int, cut: bool, view: int) -> None:
    """The bytes that are left where more are wanted."""
    if not cut:
        out.append(f.malformed(at, f"wanted {t.sized(wanted)}, had {end - at}" if wanted >= 0 else f"a length of {wanted}", end, view))
    elif at < end:
        out.append(f.raw(data, at, end, view))


def _entries(data: bytes, at: int, end: int, context: Context, out: list[Field], cut: bool, view: int) -> int:
    """The entries of a binary map; returns where they end."""
    while at < end:
        start = at
        if end - at < 2 or (size := I16(data, at)[0]) < 0 or end - at < 6 + size:
            _short(out, data, start, end, 6, cut, view)
            return end
        key_at, at = at + 2, at + 2 + size
        key = str(data[key_at:at], "utf-8", "replace")
        count = I32(data, at)[0]
        at += 4
        if count < 0 or count > end - at:
            _short(out, data, start, end, count, cut, view)
            return end
        name = context.letters.get(key, key)
        value = str(data[at:at + count], "utf-8", "replace")
        parts = _BinaryParts(key, key_at, value, at, at + count, view)
        out.append(extension(name, key, value, data, (start, at + count), (at, at + count), parts, context.pull, view))
        at += count
    return at


class _BinaryParts:
    """Makes key and value of an entry when somebody looks."""

    __slots__ = ("at", "end", "key", "key_at", "value", "view")

    def __init__(self, key: str, key_at: int, value: str, at: int, end: int, view: int) -> None:
        self.key, self.key_at, self.value, self.at, self.end, self.view = key, key_at, value, at, end, view

    def __call__(self) -> list[Field]:
        return [Field(s.KEY, self.key, self.key_at, self.at - 4 - self.key_at, self.view, 2),
                Field(s.VALUE, self.value, self.at, self.end - self.at, self.view, 4)]
