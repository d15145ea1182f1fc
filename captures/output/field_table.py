"""Chosen fields of every packet as a table (`-T fields`), with tshark's options for separators, quotes and occurrences.

No packet is dissected further than the names ask for: what the index knows comes from its columns, the list's columns from the row, what every message
has from the table of messages, layers 2-4 without reading the stream where none of its findings is wanted.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from captures.capture import Capture
from captures.index.columns import Columns
from captures.messages.columns import BY_NAME
from captures.output.text import relative_time
from captures.packet import expert
from captures.packet.model import Row
from captures.values.field_names import FieldName, Names
from captures.values.index_columns import FRAME, TIMES
from captures.values.known_names import COLUMNS
from captures.values.store import Store
from protocols.engine.fields import COMMON, Field, calendar_time, generated, plain, seconds, walk
from protocols.lower import frame, icmp, icmpv6, layer, link, tcp

__all__ = ["FieldFormat", "field_format", "field_table"]

SPECIAL = {"/t": "\t", "/s": " "}
QUOTES = {"d": '"', "s": "'", "n": ""}
QUOTING = (icmp, icmpv6)
"""Layers that hold other packets' layers."""
ANYWHERE = frozenset(spec.name for spec in (*COMMON, layer.LIMITED))
EXPERT = frozenset((expert.EXPERT.name, expert.SEVERITY.name))
MESSAGES = 1024
"""Packets whose messages are read together."""
BY_LOWER_CASE = {name.lower(): column for name, column in COLUMNS.items()}


@dataclass(frozen=True, slots=True)
class FieldFormat:
    """How a table is written. `occurrence`: "f" first, "l" last, "a" all, joined by `aggregator`."""

    separator: str = "\t"
    aggregator: str = ","
    occurrence: str = "a"
    quote: str = ""
    header: bool = False

    def line(self, cells: Sequence[Sequence[str]]) -> str:
        return self.separator.join([self.cell(values) for values in cells]) + "\n"

    def cell(self, values: Sequence[str]) -> str:
        """The occurrences of one field; nothing at all, not even quotes, where there is none."""
        if not values:
            return ""
        joined = self.aggregator.join(values) if self.occurrence == "a" else values[0 if self.occurrence == "f" else -1]
        return f"{self.quote}{joined}{self.quote}"


def field_format(options: Sequence[str]) -> FieldFormat:
    """The `option=value` pairs of tshark's -E: separator, aggregator, occurrence, quote, header. Raises ValueError."""
    format_ = FieldFormat()
    chosen = {name: getattr(format_, name) for name in FieldFormat.__slots__}
    for option in options:
        name, _, value = option.partition("=")
        made: str | bool | None = None
        if value and name in ("separator", "aggregator"):
            made = SPECIAL.get(value, value[0])
        elif value in QUOTES and name == "quote":
            made = QUOTES[value]
        elif value in ("f", "l", "a") and name == "occurrence":
            made = value
        elif value in ("y", "n") and name == "header":
            made = value == "y"
        if made is None:
            raise ValueError(
                f'"{option}" is not a valid field output option=value pair. Known: separator=/t|/s|CHARACTER, aggregator=,|/s|CHARACTER, '
                "occurrence=f|l|a, quote=d|s|n, header=y|n"
            )
        chosen[name] = made
    return FieldFormat(**chosen)


def field_table(capture: Capture, chosen: Iterable[int], names: Sequence[str], format_: FieldFormat,
                computed: Mapping[str, Callable[[int], list[str]]] | None = None) -> Iterator[str]:
    """The chosen packets, a line each; `names` are known (`names.known`), or expressions, of which `computed` has the function that gives a packet's values."""
    computed = computed or {}
    if format_.header:
        yield format_.separator.join(names) + "\n"
    said = [name for name in names if name in BY_NAME]
    known = [name for name in names if name not in computed]
    told = Told(capture, said) if _is_told(known) else None
    cells = _cells(capture, [name for name in known if told is None or name not in BY_NAME])
    for block in _blocks(chosen, MESSAGES if told is not None else 1):
        words = told.of(block) if told is not None else {}
        for k, i in enumerate(block):
            found = cells(i)
            for name, texts in words.items():
                found[name] = texts[k]
            found |= {text: values(i) for text, values in computed.items()}
            yield format_.line([found.get(name, ()) for name in names])


def _is_told(names: Sequence[str]) -> bool:
    """Whether the table of messages tells of some names, and no other asks for trees of messages, which tell it anyhow."""
    lower = {spec.name for module in link.MODULES for spec in module.SPECS} - {frame.PROTOCOLS.name}
    return any(name in BY_NAME for name in names) and all(
        name in BY_NAME or name in FRAME or name in EXPERT or name.lower() in BY_LOWER_CASE or name in lower for name in names)


def _blocks(chosen: Iterable[int], size: int) -> Iterator[list[int]]:
    """The chosen packets, so many at a time."""
    left = iter(chosen)
    while block := list(islice(left, size)):
        yield block


class Told:
    """What every message of some packets says in these fields, as text."""

    def __init__(self, capture: Capture, names: Sequence[str]) -> None:
        known = Names(capture.registry)
        self._capture = capture
        self._fields = [known[name] for name in dict.fromkeys(names)]
        self._texts: dict[str, dict[Any, str]] = {field.name: {} for field in self._fields}

    def of(self, packets: Sequence[int]) -> dict[str, list[list[str]]]:
        """By name, for each of these packets the texts of its messages' values."""
        values = Store.of(self._capture).values(self._fields, np.array(packets))
        return {field.name: [[self._text(field, value) for value in one] for one in values[field.name]] for field in self._fields}

    def _text(self, field: FieldName, value: Any) -> str:
        texts = self._texts[field.name]
        found = texts.get(value)
        if found is None:
            found = texts[value] = plain(generated(field.spec, value))
        return found


Cells = Callable[[int], dict[str, list[str]]]


def _cells(capture: Capture, names: Sequence[str]) -> Cells:
    """The function that gives a packet's values by name, each as dear as the names need."""
    columns = capture.columns
    direct = {name: _of_index(columns, name) for name in names if name in FRAME}
    rows = [(name, BY_LOWER_CASE[name.lower()]) for name in names if name.lower() in BY_LOWER_CASE]
    noted = [name for name in names if name in EXPERT]
    deep = {name for name in names if name not in FRAME and name.lower() not in BY_LOWER_CASE and name not in EXPERT}
    layers, closed = _layers(capture, deep), _closed(deep)

    def cells(i: int) -> dict[str, list[str]]:
        found = {name: [value] if (value := write(i)) else [] for name, write in direct.items()}
        if rows or noted:
            row = capture.row(i)
            for name in noted:
                levels = expert.levels_of(columns, i, row.severity)
                found[name] = ["1"] * bool(levels) if name == expert.EXPERT.name else [str(level) for level in levels]
            for name, column in rows:
                found[name] = [_column(row, column, columns)]
        if deep:
            for top in layers(i):
                for node in (top,) if top.spec.name in closed else walk((top,)):
                    if (name := node.spec.name) in deep:
                        found.setdefault(name, []).append(plain(node))
        return found
    return cells


def _layers(capture: Capture, names: AbstractSet[str]) -> Callable[[int], Sequence[Field]]:
    """The function that gives a packet's layers, as many and as costly as these names need."""
    lower = {spec.name for module in link.MODULES for spec in module.SPECS} - {frame.PROTOCOLS.name}
    if not names <= lower:
        return lambda i: capture.packet(i).layers
    if not any(tcp.needs_stream(name) for name in names):
        return lambda i: capture.lower(i, alone=True).layers
    return lambda i: capture.lower(i).layers


def _closed(names: AbstractSet[str]) -> AbstractSet[str]:
    """The layers below which none of these names can be: they need not be opened."""
    closed: set[str] = set()
    if names.isdisjoint(ANYWHERE):
        for module in link.MODULES:
            own = {spec.name for spec in module.SPECS}
            if names.isdisjoint(own) and module not in QUOTING:
                closed |= {spec.name for spec in module.SPECS if spec.type == "protocol"}
    return closed


def _column(row: Row, column: str, columns: Columns) -> str:
    return relative_time(columns.since_first(row.number - 1)) if column == "time" else str(getattr(row, column))


def _of_index(columns: Columns, name: str) -> Callable[[int], str]:
    """The function that writes a field which the index knows without looking at the packet, "" where the packet has none; the numbers are those that
    filters compare."""
    show = WRITERS.get({spec.name: spec.type for spec in (*frame.SPECS, expert.MARKED, expert.IGNORED)}[name], str)
    known = FRAME[name](columns, slice(0, columns.count))

    def cell(i: int) -> str:
        nonlocal known
        if i >= len(known):     # the capture has grown
            known = FRAME[name](columns, slice(0, columns.count))
        return "" if name in TIMES and columns.time(i) is None else show(int(known[i]))
    return cell


WRITERS: dict[str, Callable[[int], str]] = {"time": calendar_time, "duration": seconds}
