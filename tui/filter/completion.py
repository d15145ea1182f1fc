"""What may stand at the caret of a filter: field names, operators, or values, found with a few words of look-back and no parser.

The text before the caret is cut into words and signs; what stands last decides. Nothing here fails on a half-typed filter.
"""
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from protocols.engine.fields import printable
from tui.filter.value_sample import Sample, Seen

if TYPE_CHECKING:
    from captures.values.field_names import FieldName

PIECES = re.compile(r"""
    (?P<space>\s+) | (?P<string>r?"(?:[^"\\]|\\.)*"? | '[^']*'?) | (?P<word>[\w:]+(?:\.(?!\.)[\w:$]*|[-/][\w.:$]+)*)
    | (?P<op>[=!<>~]=?=? | && | \|\| | \^\^ | \.\. | .)
    """, re.DOTALL | re.VERBOSE)
COMPARISONS = {
    "==": "equal", "!=": "all different", ">": "greater", ">=": "at least", "<": "less", "<=": "at most", "in": "one of a set {a, b..c}",
    "contains": "holds this text or these bytes", "matches": "regular expression", "~": "regular expression", "===": "all equal", "!==": "some different",
}
WORDS = {"eq": "==", "ne": "!=", "gt": ">", "ge": ">=", "lt": "<", "le": "<=", "any_eq": "==", "all_eq": "===", "all_ne": "!=", "any_ne": "!==", "~=": "!=="}
JUNCTIONS = {"&&": "and", "||": "or", "^^": "either, not both"}
JOINING = frozenset((*JUNCTIONS, "and", "or", "xor", "not", "!", "(", "any", "all"))
TEXTS = frozenset(("string", "bytes", "ether", "protocol"))
OFFERED = ("==", "!=", ">", ">=", "<", "<=", "in")
ARGUMENT = re.compile(r"\$\d")
LABEL = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
MOST_OFFERED = 200


class Candidate(NamedTuple):
    """`text` replaces what is being typed; the rest is shown beside it. `seen` is how often it was met, if known."""

    text: str
    kind: str = ""
    about: str = ""
    seen: int | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """`text[start:end]` is what a candidate replaces; `title` says what is offered."""

    start: int
    end: int
    title: str
    candidates: tuple[Candidate, ...]


class Piece(NamedTuple):
    kind: str
    text: str
    start: int


def complete(text: str, caret: int, names: Mapping[str, FieldName], sample: Sample, macros: Mapping[str, str] | None = None) -> Completion:
    """What may stand at the caret; no candidates where nothing is known to fit."""
    before = [Piece(found.lastgroup or "op", found[0], found.start()) for found in PIECES.finditer(text, 0, caret)]
    start, typed = caret, ""
    if before and before[-1].kind in ("word", "string"):
        start, typed = before[-1].start, before[-1].text
        del before[-1]
    if before and start == caret and before[-1].kind == "op" and before[-1].text in ("=", "&", "|", "^"):
        typed = before.pop().text
        start -= 1
    touching = bool(before) and before[-1].kind != "space"
    said = [piece for piece in before if piece.kind != "space"]
    end = caret
    while typed and end < len(text) and (text[end].isalnum() or text[end] in "._"):
        end += 1
    if [piece.text for piece in before[-2:]] == ["$", "{"]:
        offered = tuple(_named(typed, names, sample, macros or {}))
        return Completion(start, end + (text[end:end + 1] == "}"), "macros and fields of the selected packet", offered)
    field = _compared(said, names)
    if field is not None:
        return Completion(start, end, "values seen in this capture, most frequent first", tuple(_values(field, typed, names, sample)))
    last = said[-1] if said else None
    if last is not None and last.text not in JOINING and not (last.kind == "op" and last.text not in ")]}"):
        if touching and not typed:
            return Completion(start, end, "", ())
        return Completion(start, end, "operators", tuple(_operators(last, typed, names)))
    if typed[:1] in ("", '"', "'") and not typed.strip("\"'") and last is None and not text.strip():
        return Completion(start, end, "fields", tuple(_fields("", names, sample)))
    if typed.startswith(('"', "'", 'r"')):
        return Completion(start, end, "", ())
    return Completion(start, end, "fields", tuple(_fields(typed, names, sample)))


def _compared(said: list[Piece], names: Mapping[str, FieldName]) -> FieldName | None:
    """The field whose value is being typed: left of a comparison, or of `in {`."""
    if not said:
        return None
    at = len(said) - 1
    opened = next((k for k in range(at, -1, -1) if said[k].text in "{}"), -1)
    if opened >= 1 and said[opened].text == "{" and said[opened - 1].text == "in" and said[at].text in ("{", ",", ".."):
        at = opened - 1
    name = WORDS.get(said[at].text, said[at].text)
    if name not in COMPARISONS or at < 1:
        return None
    if said[at - 1].text == "not" and name == "in":
        at -= 1
    return names.get(said[at - 1].text) if at >= 1 and said[at - 1].kind == "word" else None


def _fields(typed: str, names: Mapping[str, FieldName], sample: Sample) -> Iterator[Candidate]:
    lowered = typed.lower()
    # names that only bytes make, below a prefix of their decoder, are known from the capture alone
    every = {**dict.fromkeys(names), **dict.fromkeys(name for name in sample.names if name in names)}
    found = [name for name in every if lowered in name.lower() and name != typed]
    counts = {name: sample.packets_with(name) for name in found}

    def rank(name: str) -> tuple[bool, bool, int, int, str]:
        dots = name.count(".")
        return not name.lower().startswith(lowered), not counts[name], dots if "." not in typed else 0, -(counts[name] or 0), name
    for name in sorted(found, key=rank)[:MOST_OFFERED]:
        spec = names[name].spec
        yield Candidate(name, "" if spec.type == "none" else spec.type, printable(spec.about or spec.label), counts[name] if sample.packets else None)


def _named(typed: str, names: Mapping[str, FieldName], sample: Sample, macros: Mapping[str, str]) -> Iterator[Candidate]:
    """What `${` may begin."""
    lowered = typed.lower()
    for name, body in sorted(macros.items(), key=lambda one: (not one[0].lower().startswith(lowered), one)):
        if lowered in name.lower():
            yield Candidate(name + (":" if ARGUMENT.search(body) else "}"), "macro", printable(body))
    if typed and ":" not in typed:
        for one in _fields(typed, names, sample):
            yield one._replace(text=one.text + "}")


def _operators(last: Piece, typed: str, names: Mapping[str, FieldName]) -> Iterator[Candidate]:
    field = names.get(last.text) if last.kind == "word" else None
    offered: list[tuple[str, str]] = []
    if field is not None and field.kind not in ("none", "protocol"):
        offered += [(op, COMPARISONS[op]) for op in (("==", "!=", "in", "contains", "matches") if field.kind in TEXTS else OFFERED)]
    elif field is not None and field.kind == "protocol":
        offered += [(op, COMPARISONS[op]) for op in ("contains", "matches")]
    offered += JUNCTIONS.items()
    for op, about in offered:
        if op.startswith(typed) and op != typed:
            yield Candidate(op, "", about)


def _values(field: FieldName, typed: str, names: Mapping[str, FieldName], sample: Sample) -> Iterator[Candidate]:
    bare = typed.strip('"').lower()
    enum = field.spec.enum or {}
    given: set[str] = set()
    for value, count in _seen(field, sample):
        label = enum.get(value.value)
        yield from _value(value.text, label, bare, count, names, given)
    for word, values in (field.words or {}).items():
        if values:
            yield from _value(f'"{word}"', None, bare, None, names, given)
    if field.kind == "bool":
        for text in ("1", "0"):
            yield from _value(text, None, bare, None, names, given)
    for number, label in enum.items():
        if len(given) >= MOST_OFFERED:
            return
        yield from _value(str(number), label, bare, None, names, given)


def _seen(field: FieldName, sample: Sample) -> list[tuple[Seen, int]]:
    """The values met; an operation with a version also without it, for all its versions together."""
    found = sample.values(field.name)
    if field.name != "pv.op":
        return found
    from captures.filter.compile.logic import unversioned
    bare: Counter[Seen] = Counter()
    for value, count in found:
        short = unversioned(str(value.value))
        if short != value.value:
            bare[Seen(f'"{short}"', short)] += count
    return sorted([*bare.items(), *found], key=lambda one: -one[1])


def _value(text: str, label: str | None, bare: str, count: int | None, names: Mapping[str, FieldName], given: set[str]) -> Iterator[Candidate]:
    if text in given:
        return
    given.add(text)
    if bare and not text.strip('"').lower().startswith(bare) and not (label or "").lower().startswith(bare):
        return
    if text.strip('"') == bare and label is None:
        return
    # a label may stand for its number, unless a field has that name
    written = text if label is None or text.startswith('"') or label in names else label if LABEL.fullmatch(label) else text
    yield Candidate(written, "", f"{printable(label)} ({text})" if label is not None else "", count)
