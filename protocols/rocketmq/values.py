"""Fields from text: extension fields and JSON members typed by the tables, properties with their places inside escaped text, flags, pop handles.

What a value's text does not fit is shown as text. Secrets keep their byte range and lose their value.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from protocols.engine.fields import Field, Spec
from protocols.rocketmq import specs as s
from protocols.rocketmq import tables as t
from protocols.rocketmq.jsontext import text_of

_INTEGER = re.compile(r"[+-]?\d{1,19}\Z")
_BOOLS = {"true": True, "false": False, "1": True, "0": False, "": None}

PROPERTIES = Spec("rocketmq.properties", "Properties", "string", about="The message's properties: name 0x01 value 0x02, again and again")
PROPERTY = Spec("rocketmq.property", "Property", "string", about="A property that RocketMQ gives no meaning: the sender's own")
_HANDLE: tuple[tuple[str, str, Callable[[Any], str] | None], ...] = (
    ("ckQueueOffset", "int64", None), ("popTime", "time", None), ("invisibleTime", "int64", lambda v: f"{v} ms"),
    ("reviveQid", "int32", lambda v: f"{v} (ordered)" if v == 999 else str(v)),
    ("retry", "string", lambda v: str({"0": "normal topic (0)", "1": "retry topic v1 (1)", "2": "retry topic v2 (2)"}.get(v, v))),
    ("brokerName", "string", None), ("queueId", "int32", None), ("msgQueueOffset", "int64", None))
POP_PARTS = tuple(Spec(f"rocketmq.pop.{t.filter_word(name)}", name, kind, show=show) for name, kind, show in _HANDLE)
POP_INFO = Spec("rocketmq.pop.info", "Queue", "string", about="retry flag, queue id and offsets of what was popped from a queue")
PULL_FLAGS = tuple((Spec(f"rocketmq.pull_flag.{name}", label, "bool"), mask) for name, label, mask in t.PULL_BITS)
MESSAGE_FLAGS = tuple((Spec(f"rocketmq.sys_flag.{name}", label, "bool"), mask) for name, label, mask in t.MESSAGE_BITS)
TRANSACTION = Spec("rocketmq.sys_flag.transaction", "Transaction", "uint8", t.TRANSACTIONS)
COMPRESSION = Spec("rocketmq.sys_flag.compression", "Compression", "uint8", t.COMPRESSIONS)
SPECS = (PROPERTIES, PROPERTIES.length, PROPERTY, *POP_PARTS, POP_INFO, *(one for one, _ in PULL_FLAGS), *(one for one, _ in MESSAGE_FLAGS), TRANSACTION,
         COMPRESSION)


def masked(count: int) -> str:
    return f"(masked, {t.sized(count)})"


def typed(spec: Spec, value: Any) -> tuple[bool, Any]:
    """`value` (text, or a JSON scalar) as `spec`'s type wants it, and whether it fits."""
    kind = spec.type
    if kind == "string":
        return True, value if isinstance(value, str) else _text(value)
    if kind == "bool":
        if isinstance(value, str):
            value = _BOOLS.get(value.lower(), value)
        return isinstance(value, (bool, int)) and value in (0, 1), bool(value)
    if kind == "double":
        return isinstance(value, (int, float)), value
    if isinstance(value, str):
        if not _INTEGER.match(value):
            return False, value
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return False, value
    return True, value * 1_000_000 if kind == "time" else value


def _text(value: Any) -> str:
    return "true" if value is True else "false" if value is False else "null" if value is None else str(value)


def extension(name: str, wire: str, value: Any, raw: bytes, place: tuple[int, int], inner: tuple[int, int], parts: Callable[[], list[Field]],
              pull: bool, view: int = 0) -> Field:
    """The field of one extension field. `raw` is `data` itself, `place` the range of the whole entry, `inner` of its value; `parts` makes key
    and value fields."""
    start, length = place[0], place[1] - place[0]
    label = name if name == wire else f"{name} ({wire})"
    spec = s.extensions().get(name)
    if name in t.SECRETS and value:
        hidden = masked(inner[1] - inner[0])
        return Field(spec or s.EXT_OTHER, hidden, start, length, view, (), f"{label}: {hidden}")
    if spec is None:
        return Field(s.EXT_OTHER, f"{wire}={_text(value)}", start, length, view, parts, f"{wire}: {_text(value)[:512]}")
    if value is None or (value == "" and spec.type != "string"):
        return Field(spec, None, start, length, view, parts, f"{label}: <null>")
    fits, shown = typed(spec, value)
    if not fits:
        return Field(s.EXT_BAD, f"{wire}={_text(value)}", start, length, view, parts, f"{label}: {_text(value)[:512]} (not of type {spec.type})")

    def children() -> list[Field]:
        return parts() + _inside(name, shown, raw, inner, pull, view)
    return Field(spec, shown, start, length, view, children, f"{label}: {spec.shown(shown)}" if label != spec.label else None)


def _inside(name: str, value: Any, raw: bytes, inner: tuple[int, int], pull: bool, view: int) -> list[Field]:
    """What lies in the text of an extension field."""
    start, end = inner
    if name == "properties":
        return properties(raw, start, end, view)
    if name == "sysFlag":
        return flags(value, start, end - start, view, pull)
    if name == "extraInfo":
        return pop_handle(raw, start, end, view)
    if name in ("startOffsetInfo", "msgOffsetInfo", "orderCountInfo"):
        return pop_infos(raw, start, end, view)
    return []


def flags(value: int, start: int, length: int, view: int, pull: bool = False) -> list[Field]:
    """The bits of a sysFlag: of a pull, or of a message."""
    if pull:
        return [Field(spec, bool(value & mask), start, length, view) for spec, mask in PULL_FLAGS]
    found = [Field(spec, bool(value & mask), start, length, view) for spec, mask in MESSAGE_FLAGS]
    found.append(Field(TRANSACTION, value >> 2 & 3, start, length, view))
    if value & t.COMPRESSED:
        found.append(Field(COMPRESSION, value >> 8 & 7, start, length, view))
    return found


_MARK = re.compile(rb"\\u000([12])|([\x01\x02])|\\.", re.DOTALL)


def split_properties(data: bytes, start: int, end: int) -> list[tuple[str, str, int, int, int]]:
    """(name, value, start of the name, start of the value, end of the entry) of properties in `data`, whose separators may be JSON escapes."""
    found = []
    begin, value_at, name_end = start, -1, -1
    for mark in _MARK.finditer(data, start, end):
        sign = mark[1] or mark[2]
        if sign is None:
            continue
        if sign in (b"1", b"\x01"):
            if value_at < 0:
                name_end, value_at = mark.start(), mark.end()
        else:
            if value_at >= 0:
                found.append((text_of(data[begin:name_end]), text_of(data[value_at:mark.start()]), begin, value_at, mark.end()))
            begin, value_at = mark.end(), -1
    if value_at >= 0:
        found.append((text_of(data[begin:name_end]), text_of(data[value_at:end]), begin, value_at, end))
    return found


def properties(data: bytes, start: int, end: int, view: int = 0) -> list[Field]:
    """A field for each property in the text `data[start:end]`."""
    out = []
    known = s.properties()
    for name, value, begin, value_at, after in split_properties(data, start, end):
        spec = known.get(name)
        line = f"{name}: {value if len(value) <= 512 else value[:512] + '…'}"
        if spec is None:
            out.append(Field(PROPERTY, f"{name}={value}", begin, after - begin, view, (), line))
        else:
            inside: Sequence[Field] = pop_handle(data, value_at, value_at + len(value.encode()), view) if name == "POP_CK" else ()
            out.append(Field(spec, _mirrored(value) if name == "__CRC32#" else value, begin, after - begin, view, inside, line))
    return out


def _mirrored(value: str) -> str:
    """The checksum of a message is written with its lowest digit first."""
    return value.strip()[::-1].lstrip("0") or "0"


def pop_handle(data: bytes, start: int, end: int, view: int = 0) -> list[Field]:
    """The parts of a receipt handle: words with single blanks between (ExtraInfoUtil.java)."""
    out, at = [], start
    words = data[start:end].split(b" ")
    for spec, word in zip(POP_PARTS, words, strict=False):
        fits, value = typed(spec, str(word, "utf-8", "replace"))
        if fits:
            out.append(Field(spec, value, at, len(word), view))
        at += len(word) + 1
    return out if len(words) >= 6 else []


def pop_infos(data: bytes, start: int, end: int, view: int = 0) -> list[Field]:
    """The queues of a pop's answer, `;` between them."""
    out, at = [], start
    for part in data[start:end].split(b";"):
        if part:
            out.append(Field(POP_INFO, str(part, "utf-8", "replace"), at, len(part), view))
        at += len(part) + 1
    return out
