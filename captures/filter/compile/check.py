"""From the tree to tests: names looked up, types agreed on, literals converted; what is wrong is said with its place, and what is suspicious kept.

Where a filter speaks of messages, fields of messages are read message by message. The rules are those of Wireshark 4.0; what it accepts and surely nobody
means (a protocol compared with a number, a character with text, an unsigned field with a negative number) is an error.
"""
from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from captures.filter.compile import functions
from captures.filter.compile.literals import converted, no_word, text_of
from captures.filter.compile.logic import And, Condition, Logic, Negation, Or, Xor, comparison, leaves, matching, membership, presence
from captures.filter.compile.regex import compiled
from captures.filter.compile.traps import never_equal, two_sided
from captures.filter.compile.values import Value, arithmetic, as_kind, constant, field_value, negative, sliced
from captures.filter.language.errors import FilterError, Fix, Trap
from captures.filter.language.lexer import Token, unescaped
from captures.filter.language.nodes import Arithmetic, Call, Compare, Exists, In, Junction, Literal, Name, Negative, Node, Not, Range, Reference, Slice, printed
from captures.values.field_names import FieldName, Names, Reach, kind_of
from protocols.engine.fields import Spec

__all__ = ["Checked", "check"]

TEXTS = ("string", "bytes", "ether", "protocol", "any")
SLICEABLE = ("bytes", "string", "ether", "ipv4", "ipv6", "protocol")
COMPARABLE = ("int", "bool", "string", "bytes", "ether", "ipv4", "ipv6", "time", "duration", "double", "protocol", "any")
CALCULATES = ("int", "duration", "double")
BYTES = ("bytes", "ether")
WORDS = {
    "int": "number", "bool": "1 or 0", "string": "text", "bytes": "bytes", "ether": "MAC address", "ipv4": "IPv4 address", "ipv6": "IPv6 address",
    "time": "date and time", "duration": "seconds", "double": "number", "protocol": "bytes", "none": "nothing",
    "any": "number, text, time, or true",
}
REFERENCE = "$"
SPLIT = "@"
RAW = "raw "
HEAVY = ("bytes", "protocol")
"""Kinds of which, message by message, only the outcome of a test is kept."""


class Checked:
    """One filter being checked: `fields` are those it needs by key (name with layers; references begin with "$", what is read by message with "@",
    bytes with "raw "), `traps` what is suspicious."""

    def __init__(self, names: Names, by_message: bool) -> None:
        self.names = names
        self.by_message = by_message
        self.fields: dict[str, FieldName] = {}
        self.layers: dict[str, tuple[tuple[int, int | None], ...]] = {}
        self.traps: list[Trap] = []

    # logic

    def logic(self, node: Node) -> Logic:
        match node:
            case Junction():
                parts = tuple(self.logic(part) for part in node.parts)
                if node.op == "&&":
                    self.traps += two_sided(node, self.names)
                return And(parts) if node.op == "&&" else Or(parts) if node.op == "||" else Xor(parts)
            case Not():
                return Negation(self.logic(node.of))
            case Exists():
                return self._exists(node)
            case Compare():
                return self._compare(node)
            case In():
                return self._in(node)
        raise FilterError("A test was expected.", node.start, node.end)

    def _exists(self, node: Exists) -> Condition:
        of = node.of
        if isinstance(of, Call):
            return presence(self.value(of))
        if isinstance(of, Literal) or (isinstance(of, Name) and of.name not in self.names):
            raise self._unknown(of, f"{text_of(of)} is neither a field nor a protocol name.")
        value = self.value(of)
        if value.constant:
            raise FilterError("A constant is neither a field nor a protocol name.", of.start, of.end)
        if isinstance(of, Name) and value.kind == "bool":
            better = f"{printed(of)} == 1"
            self.traps.append(Trap(f"tests that the field is present, not that it is true: {better}", of.start, of.end, Fix(of.start, of.end, better)))
        return self._tested(presence(value), printed(of))

    def _tested(self, leaf: Condition, text: str) -> Condition:
        """The test; of heavy values by message the reader keeps only its outcome, under the name of its text."""
        key = next(iter(leaf.keys), "")
        field = self.fields.get(key)
        if not key.startswith(SPLIT) or len(leaf.keys) > 1 or field is None or kind_of(field.spec) not in HEAVY:
            return leaf
        outcome = f"{SPLIT}({text})"
        self.fields[outcome] = field.split(leaf)
        if key in self.layers:
            self.layers[outcome] = self.layers[key]
        return presence(field_value(field, outcome, leaf.start, leaf.end, True))

    def _compare(self, node: Compare) -> Logic:
        leaves: list[Logic] = []
        for op, left, right in zip(node.operators, node.operands, node.operands[1:], strict=False):
            leaf = self._relation(op, left, right, node.quantifier)
            leaves.append(self._tested(leaf, f"{node.quantifier} {printed(left)} {op} {printed(right)}"))
        return leaves[0] if len(leaves) == 1 else And(tuple(leaves))

    def _relation(self, op: str, left: Node, right: Node, quantifier: str) -> Condition:
        if op == "matches":
            return self._matches(left, right, quantifier)
        left, right = self._word(left, right), self._word(right, left)
        if (self._is_constant(left) and self._is_constant(right)) or (op == "contains" and self._is_constant(left)):
            raise self._no_left(left, op)
        one, other = self._pair(left, right, op)
        for value, at in ((one, left), (other, right)):
            if op == "contains" and value.kind not in TEXTS:
                raise self._cannot(value, at, op, "string()")
            if value.kind not in COMPARABLE:
                raise self._cannot(value, at, op)
        self._surely(op, one, other, left, right)
        if op != "contains":
            self._possible(left, other)
            self._possible(right, one)
        if op == "!=" and not quantifier and isinstance(left, Name) and (field := self.fields.get(printed(left))) is not None:
            self.traps += never_equal(field, left, right)
        return comparison(op, one, other, quantifier)

    def _surely(self, op: str, one: Value, other: Value, left: Node, right: Node) -> None:
        """What nobody means."""
        if one.kind != "protocol" or one.computed or op == "contains" or not other.constant or not isinstance(right, (Literal, Name)):
            return
        if re.fullmatch(r"-?\d+", text_of(right)):
            message = f"This compares a protocol with a number. {printed(left)} alone tests that it is present"
            raise FilterError(message, left.start, right.end, Fix(left.start, right.end, printed(left)))

    def _word(self, node: Node, beside: Node) -> Node:
        """A name as text, where the field that it is compared with has it among its words: `kafka` is a field, too."""
        field = self.names.get(beside.name) if isinstance(beside, Name) else None
        if field is not None and field.words and isinstance(node, Name) and node.name in field.words:
            return Literal(f'"{node.name}"', "string", start=node.start, end=node.end)
        return node

    def _possible(self, node: Node, beside: Value) -> None:
        """Refuse a text that a field with few values never has."""
        field = beside.field if beside.kind == "string" and not beside.computed else None
        if field is None or not field.words or not isinstance(node, (Literal, Name)) or not self._is_constant(node):
            return
        text = str(converted(node, "string", None))
        if text not in field.words:
            raise no_word(node, text, field.name, field.words)
        if not field.words[text]:
            self.traps.append(Trap(f"is a known value of {field.name} that no packet has yet", node.start, node.end))

    def _pair(self, left: Node, right: Node, op: str) -> tuple[Value, Value]:
        """Both sides, of types that agree; a constant takes the other side's type."""
        if self._is_constant(left):
            other = self.value(right)
            return self._constant(left, other, right), other
        one = self.value(left)
        if self._is_constant(right):
            if one.kind == "none":
                raise self._cannot(one, left, op)
            return one, self._constant(right, one, left)
        other = self.value(right)
        if "any" in (one.kind, other.kind) and one.kind != other.kind:
            one, other = (as_kind(one, other.kind), other) if one.kind == "any" else (one, as_kind(other, one.kind))
        if not _agree(one.kind, other.kind):
            raise FilterError(f"{printed(left)} and {printed(right)} are not of compatible types.", right.start, right.end)
        return one, other

    def _matches(self, left: Node, right: Node, quantifier: str) -> Condition:
        if self._is_constant(left):
            raise self._no_left(left, "matches")
        value = self.value(left)
        if value.kind not in TEXTS:
            raise self._cannot(value, left, "matches", "string()")
        if value.kind == "any":
            value = as_kind(value, "string")
        if not isinstance(right, Literal) or right.kind != "string":
            text = printed(right)
            raise FilterError("Matches requires a double quoted string on the right side.", right.start, right.end, Fix(right.start, right.end, f'"{text}"'))
        raw = right.text[0] in "rR"
        if not raw and re.search(r"(?<!\\)(?:\\\\)*\\b", right.text):
            self.traps.append(Trap(r'"\b" is a backspace; a word boundary is written in r"..."', right.start, right.end, Fix(right.start, right.start, "r")))
        pattern = unescaped(Token("string", right.text, right.start, right.end), lenient=True)
        inner = right.start + (2 if raw else 1)
        return matching(value, compiled(pattern, inner, max(inner, right.end - 1)), quantifier, right.end)

    def _in(self, node: In) -> Logic:
        if self._is_constant(node.of):
            raise self._no_left(node.of, "in")
        left = self.value(node.of)
        if left.kind not in COMPARABLE:
            raise self._cannot(left, node.of, "in")
        items: list[Value | tuple[Value, Value]] = []
        for item in (self._word(one, node.of) for one in node.items):
            if isinstance(item, Range):
                items.append((self._item(item.low, left, node.of), self._item(item.high, left, node.of)))
            else:
                items.append(self._item(item, left, node.of))
        leaf = self._tested(membership(left, items, "" if node.negated else node.quantifier, node.end), printed(node))
        return Negation(leaf) if node.negated else leaf

    def _item(self, node: Node, left: Value, of: Node) -> Value:
        if self._is_constant(node):
            self._possible(node, left)
            return self._constant(node, left, of)
        value = self.value(node)
        if value.kind == "any" != left.kind:
            value = as_kind(value, left.kind)
        if not _agree(left.kind, value.kind):
            raise FilterError(f"{printed(of)} and {printed(node)} are not of compatible types.", node.start, node.end)
        return value

    # values

    def value(self, node: Node) -> Value:
        """A value that holds a field."""
        match node:
            case Name():
                return self._field(node)
            case Reference():
                return self._reference(node)
            case Slice():
                of = self.value(node.of)
                if of.kind == "any":
                    of = as_kind(of, "string")
                if of.kind not in SLICEABLE:
                    raise FilterError(f'"{printed(node.of)}" is a {WORDS[of.kind]} and cannot be sliced into a sequence of bytes.', node.of.start, node.of.end)
                return sliced(of, node.spans, node.end)
            case Negative():
                of = self._number(self.value(node.of))
                if of.kind not in CALCULATES:
                    raise FilterError(f"A {WORDS[of.kind]} has no negative.", node.start, node.end)
                return negative(of, node.start)
            case Arithmetic():
                return self._arithmetic(node)
            case Call():
                return self._call(node)
            case Literal():
                raise FilterError(f"A field was expected, not {node.text}.", node.start, node.end)
        raise FilterError("A value was expected.", node.start, node.end)

    def _field(self, node: Name) -> Value:
        field = self.names.get(node.name)
        if field is None:
            raise self._unknown(node)
        if node.raw:
            return self._raw(node, field)
        key = field.name + printed(node).removeprefix(node.name)
        split = self.by_message and field.of_messages and not field.per_message
        if split:
            key = SPLIT + key
        self.fields[key] = field.split() if split else field
        if node.layers:
            self.layers[key] = node.layers
        return field_value(field, key, node.start, node.end, split)

    def _raw(self, node: Name, field: FieldName) -> Value:
        """`@field`: the bytes that it stands in. Its node is read as that of a protocol is, whose value are its bytes."""
        key = printed(node).replace("@", RAW)
        self.fields[key] = FieldName(field.name, Spec(field.name, field.spec.label, "protocol"), field.protocol, Reach.PACKET)
        if node.layers:
            self.layers[key] = node.layers
        return replace(field_value(self.fields[key], key, node.start, node.end), kind="bytes", field=None, computed=True)

    def _reference(self, node: Reference) -> Value:
        field = self.names.get(node.name)
        if field is None:
            raise self._unknown(Name(node.name, start=node.start + 2, end=node.end - 1))
        if field.kind == "none":
            raise FilterError(f"{node.name} has no value.", node.start, node.end)
        key = REFERENCE + field.name
        self.fields[key] = field
        return field_value(field, key, node.start, node.end)

    def _arithmetic(self, node: Arithmetic) -> Value:
        if self._is_constant(node.left):
            right = self._number(self.value(node.right))
            left = self._constant(node.left, right, node.right)
        else:
            left = self._number(self.value(node.left))
            right = self._constant(node.right, left, node.left) if self._is_constant(node.right) else self._number(self.value(node.right))
        allowed = ("int", "bytes", "ipv4", "ipv6") if node.op == "&" else ("int",) if node.op == "%" else ("int", "double") if node.op in "*/" else CALCULATES
        for value in (left, right):
            if value.kind not in allowed:
                raise FilterError(f"{WORDS[value.kind].capitalize()} cannot {node.op}.", node.left.start, node.left.end)
        if left.kind != right.kind:
            raise FilterError(f"{printed(node.left)} and {printed(node.right)} are not of compatible types.", node.right.start, node.right.end)
        return arithmetic(node.op, left, right)

    def _call(self, node: Call) -> Value:
        if node.function not in functions.FUNCTIONS:
            import difflib
            near = difflib.get_close_matches(node.function.lower(), functions.FUNCTIONS, 1, 0.6)
            hint = f". Did you mean {near[0]}?" if near else ""
            fix = Fix(node.start, node.start + len(node.function), near[0]) if near else None
            raise FilterError(f"Function '{node.function}' does not exist{hint}", node.start, node.start + len(node.function), fix)
        arguments: list[Value] = []
        for one in node.arguments:
            if not self._is_constant(one):
                arguments.append(self.value(one))
            elif arguments and node.function in ("max", "min"):
                arguments.append(self._constant(one, arguments[0], node.arguments[0]))
            elif isinstance(one, Name):
                raise self._unknown(one)
            else:
                raise FilterError(f"Argument '{printed(one)}' is not valid for {node.function}(); it takes a field", one.start, one.end)
        return functions.applied(node.function, arguments, node.start, node.end)

    def _is_constant(self, node: Node) -> bool:
        """Whether nothing in it is a field: a word that no field has for its name is a constant."""
        match node:
            case Literal():
                return True
            case Name():
                return node.name not in self.names and not node.layers
            case Negative() | Slice():
                return self._is_constant(node.of)
            case Arithmetic():
                return self._is_constant(node.left) and self._is_constant(node.right)
        return False

    @staticmethod
    def _number(value: Value) -> Value:
        """What is calculated with: of values that tell their own type, the numbers."""
        return as_kind(value, "double") if value.kind == "any" else value

    def _constant(self, node: Node, beside: Value, at: Node) -> Value:
        """A constant as the type of what it is compared with."""
        if beside.kind == "any" and not isinstance(node, (Literal, Name)):
            (number,) = self._constant(node, self._number(beside), at).values({})
            return constant({"number": number}, "any", None, node.start, node.end)
        match node:
            case Literal() | Name():
                made = self._literal(node, beside, at)
                return constant(made, beside.kind, beside.field, node.start, node.end)
            case Negative():
                of = self._constant(node.of, beside, at)
                if of.kind not in CALCULATES:
                    raise FilterError(f"A {WORDS[of.kind]} has no negative.", node.start, node.end)
                return self._folded(negative(of, node.start), beside)
            case Arithmetic():
                left, right = self._constant(node.left, beside, at), self._constant(node.right, beside, at)
                if left.kind not in CALCULATES or (node.op in "%&" and left.kind != "int"):
                    raise FilterError(f"{WORDS[left.kind].capitalize()} cannot {node.op}.", node.start, node.end)
                return self._folded(arithmetic(node.op, left, right), beside)
        raise FilterError("A constant cannot be sliced.", node.start, node.end)

    def _folded(self, value: Value, beside: Value) -> Value:
        found = value.values({})
        if not found:
            raise FilterError("This cannot be computed.", value.start, value.end)
        return constant(found[0], value.kind, beside.field, value.start, value.end)

    def _literal(self, node: Literal | Name, beside: Value, at: Node) -> Any:
        field = beside.field if beside.kind in ("int", "bool", "string") or (beside.field is not None and beside.field.kind == beside.kind) else None
        if beside.computed and beside.kind == "int" and isinstance(node, Literal) and node.text.startswith("-"):
            return -int(converted(Literal(node.text[1:], node.kind, start=node.start + 1, end=node.end), "int", None))
        return converted(node, beside.kind, field)

    # errors

    def _unknown(self, node: Name | Literal, otherwise: str = "") -> FilterError:
        name = text_of(node)
        near = self.names.similar(name) if isinstance(node, Name) else None
        if near is None:
            return FilterError(otherwise or f'Unknown field "{name}".', node.start, node.end)
        return FilterError(f'Unknown field "{name}". Did you mean {near}?', node.start, node.start + len(name), Fix(node.start, node.start + len(name), near))

    def _no_left(self, node: Node, op: str) -> FilterError:
        if isinstance(node, Name) and self.names.similar(node.name) is not None:
            return self._unknown(node)
        message = f'Left side of "{op}" expression must be a field or function, not {printed(node)}.'
        return FilterError(f'Unknown field "{node.name}".' if isinstance(node, Name) and "." in node.name else message, node.start, node.end)

    def _cannot(self, value: Value, node: Node, op: str, instead: str = "") -> FilterError:
        text = printed(node)
        kind = value.field.spec.type if value.field is not None and not value.computed else value.kind
        hint = fix = None
        if instead and value.kind in functions.STRINGS and not value.constant:
            hint, fix = f" string({text}) makes it text", Fix(node.start, node.end, f"string({text})")
        elif value.kind == "none":
            hint = f" {text} alone tests that it is present"
        return FilterError(f"{text} (type={kind}) cannot participate in {op} comparison.{hint or ''}", node.start, node.end, fix)


def _agree(one: str, other: str) -> bool:
    return one == other or (one in BYTES and other in BYTES)


def check(node: Node, names: Names, by_message: bool) -> tuple[Logic, Checked]:
    """The tests of a filter, with the fields they need and what is suspicious. Raises FilterError."""
    state = Checked(names, by_message)
    logic = state.logic(node)
    used = {key for leaf in leaves(logic) for key in leaf.keys}
    state.fields = {key: field for key, field in state.fields.items() if key in used}
    return logic, state
