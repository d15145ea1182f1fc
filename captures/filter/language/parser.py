"""Tokens to a tree, by recursive descent; the loosest binding first.

    expr     := or                         or   := xor (("||") xor)*        xor := and ("^^" and)*       and := not ("&&" not)*
    not      := "!" not | test             test := ["any" | "all"] relation | "(" expr ")"
    relation := bits [op bits]* | bits ["not"] "in" set | bits ("contains" | "matches") bits
    bits     := sum ("&" sum)*             sum  := product (("+" | "-") product)*          product := unary (("*" | "/" | "%") unary)*
    unary    := "-" unary | primary slice*
    primary  := ["@"] field ["#" layers] | function "(" arguments ")" | literal | "{" bits "}" | "${" field "}" | "$" field

The words of Wireshark's grammar, 4.0 to 5.0; `^^` and chains with a constant in front are additions. Nesting is limited, so that no text ends the program.
"""
from __future__ import annotations

import re
from collections.abc import Callable

from captures.filter.language.errors import FilterError, Fix
from captures.filter.language.lexer import Token, tokens
from captures.filter.language.nodes import Arithmetic, Call, Compare, Exists, In, Junction, Literal, Name, Negative, Node, Not, Range, Reference, Slice, Span

__all__ = ["ValueExpected", "parse", "parse_value"]

DEEPEST = 60
COMPARISONS = frozenset(("==", "!=", "!==", "===", ">", ">=", "<", "<="))
RELATIONS = COMPARISONS | {"contains", "matches"}
FIELD = re.compile(r"[A-Za-z_][\w-]*(?:\.(?:[\w$-]|[^\x00-\x7f])+)*", re.ASCII)
PART = re.compile(r"\s*(?:(-?\w+)\s*(?:(:|-)\s*(-?\w+)?)?|:\s*(\w+))\s*", re.ASCII)
LAYER = re.compile(r"\s*(?:(-?\d+)\s*(?:-\s*(\d+)?)?)\s*", re.ASCII)


class ValueExpected(FilterError):
    """The text ends where a value must follow; `left` is what it is compared with."""

    def __init__(self, left: Node, at: int) -> None:
        super().__init__("Unexpected end of filter expression.", at, at, incomplete=True)
        self.left = left


def parse(text: str) -> Node | None:
    """The tree of a filter; None for an empty one. Raises FilterError."""
    found = tokens(text)
    if len(found) == 1:
        return None
    reader = Parser(text, found)
    try:
        node = reader.expression()
        if reader.now.kind != "end":
            raise reader.unexpected()
    except FilterError as error:
        better = _display_filter(text)
        if better is None:
            raise
        what = f"That is a capture filter; as display filter: {better}"
        raise FilterError(what, error.start, error.end, Fix(0, len(text), better)) from error
    return node


def parse_value(text: str) -> Node:
    """The tree of a value: of what may stand left of an operator. Raises FilterError."""
    reader = Parser(text, tokens(text))
    node = reader.bits()
    if reader.now.kind != "end":
        raise reader.unexpected()
    return node


class Parser:
    """One filter being read; `now` is the next token."""

    def __init__(self, text: str, found: list[Token]) -> None:
        self.text = text
        self.tokens = found
        self.at = 0
        self.depth = 0
        self.open: list[Token] = []

    @property
    def now(self) -> Token:
        return self.tokens[self.at]

    def take(self) -> Token:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def unexpected(self, hint: str = "", fix: Fix | None = None) -> FilterError:
        """The next token does not belong here."""
        token = self.now
        if token.kind == "end":
            if self.open:
                one = self.open[-1]
                return FilterError(f"Unclosed {one.text}", one.start, one.end, Fix(token.start, token.start, {"(": ")"}.get(one.text, "}")), True)
            return FilterError("Unexpected end of filter expression.", token.start, token.end, None, True)
        return FilterError(f'"{token.text}" was unexpected in this context.{hint}', token.start, token.end, fix)

    def expect(self, kind: str, hint: str = "") -> Token:
        if self.now.kind != kind:
            raise self.unexpected(hint)
        return self.take()

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise FilterError("Nested too deeply.", self.now.start, self.now.end)

    # truth

    def expression(self) -> Node:
        return self.junction("||", lambda: self.junction("^^", lambda: self.junction("&&", self.negation)))

    def junction(self, op: str, part: Callable[[], Node]) -> Node:
        first = part()
        parts = [first]
        while self.now.kind == op:
            self.take()
            parts.append(part())
        return first if len(parts) == 1 else Junction(op, tuple(parts), start=first.start, end=parts[-1].end)

    def negation(self) -> Node:
        if self.now.kind != "!":
            return self.test()
        token = self.take()
        self.deeper()
        of = self.negation()
        self.depth -= 1
        return Not(of, start=token.start, end=of.end)

    def test(self) -> Node:
        if self.now.kind == "(":
            token = self.take()
            self.open.append(token)
            self.deeper()
            inner = self.expression()
            self.depth -= 1
            closing = self.expect(")")
            self.open.pop()
            after = self.now.kind
            if after in RELATIONS or after in ("+", "-", "*", "/", "%", "&", "in"):
                raise self.unexpected(" Values are grouped with braces: { }")
            return _placed(inner, token.start, closing.end)
        quantifier = ""
        token = self.now
        if token.kind in ("any", "all"):
            quantifier = self.take().kind
        return self.relation(quantifier, token.start)

    def relation(self, quantifier: str, start: int) -> Node:
        left = self.bits()
        kind = self.now.kind
        if kind == "in":
            return self.membership(left, False, quantifier, start)
        if kind == "!" and self.tokens[self.at + 1].kind == "in":
            if self.take().text.lower() != "not":
                self.at -= 1
                raise self.unexpected()
            return self.membership(left, True, quantifier, start)
        if kind in ("contains", "matches"):
            op = self.take().kind
            right = self.value(left)
            return Compare((left, right), (op,), quantifier, start=start, end=right.end)
        if kind in COMPARISONS:
            operands, operators = [left], []
            while self.now.kind in COMPARISONS:
                operators.append(self.take().kind)
                operands.append(self.value(operands[-1]))
            return Compare(tuple(operands), tuple(operators), quantifier, start=start, end=operands[-1].end)
        if quantifier:
            raise self.unexpected(f' "{quantifier}" stands before a comparison.')
        return Exists(left, start=start, end=left.end)

    def membership(self, of: Node, negated: bool, quantifier: str, start: int) -> Node:
        self.take()
        token = self.now
        if token.kind == "end":
            raise self.unexpected()
        if token.kind != "{":
            fix = Fix(token.start, token.end, f"{{{token.text}}}") if token.kind in ("word", "string", "char") else None
            raise self.unexpected(f" in needs a set: {{{token.text}}}" if fix else " in needs a set in braces.", fix)
        self.open.append(self.take())
        items: list[Node] = []
        while True:
            items.append(self.item())
            if self.now.kind == "}":
                break
            if self.now.kind == ",":
                self.take()
            elif self.now.kind not in ("word", "string", "char", "-", "${", "$", "@"):
                raise self.unexpected()
        self.open.pop()
        return In(of, tuple(items), negated, quantifier, start=start, end=self.take().end)

    def item(self) -> Node:
        low = self.bits()
        if self.now.kind != "..":
            return low
        dots = self.take()
        if self.now.kind in ("}", ","):
            raise FilterError(f'"{self.now.text}" was unexpected in this context. A range needs an upper end', dots.start, self.now.end)
        high = self.bits()
        return Range(low, high, start=low.start, end=high.end)

    # values

    def value(self, left: Node) -> Node:
        """What stands right of an operator."""
        if self.now.kind == "end" and not self.open:
            raise ValueExpected(left, self.now.start)
        return self.bits()

    def bits(self) -> Node:
        return self.arithmetic(("&",), lambda: self.arithmetic(("+", "-"), lambda: self.arithmetic(("*", "/", "%"), self.unary)))

    def arithmetic(self, ops: tuple[str, ...], part: Callable[[], Node]) -> Node:
        left = part()
        while self.now.kind in ops:
            op = self.take().kind
            right = part()
            left = Arithmetic(op, left, right, start=left.start, end=right.end)
        return left

    def unary(self) -> Node:
        if self.now.kind not in ("-", "+"):
            return self.sliced(self.primary())
        token = self.take()
        self.deeper()
        of = self.unary()
        self.depth -= 1
        if token.kind == "+":
            return of
        if isinstance(of, Literal) and of.kind == "word" and of.text[0].isdigit():
            return Literal("-" + of.text, start=token.start, end=of.end)
        return Negative(of, start=token.start, end=of.end)

    def sliced(self, of: Node) -> Node:
        before = self.depth
        while self.now.kind == "slice":
            self.deeper()
            token = self.take()
            of = Slice(of, _spans(token), start=of.start, end=token.end)
        self.depth = before
        return of

    def primary(self) -> Node:
        token = self.now
        if token.kind == "word":
            return self.word()
        if token.kind in ("string", "char"):
            self.take()
            return Literal(token.text, token.kind, start=token.start, end=token.end)
        if token.kind == "{":
            self.open.append(self.take())
            self.deeper()
            inner = self.bits()
            self.depth -= 1
            closing = self.expect("}")
            self.open.pop()
            return _placed(inner, token.start, closing.end)
        if token.kind == "${":
            self.open.append(self.take())
            name = self.expect("word", " ${field} is a field of the selected packet, ${name:argument;argument} a macro.")
            closing = self.expect("}", " ${field} is a field of the selected packet, ${name:argument;argument} a macro.")
            self.open.pop()
            return Reference(name.text, start=token.start, end=closing.end)
        if token.kind in ("$", "@") and self.tokens[self.at + 1].kind == "word" and self.tokens[self.at + 1].start == token.end:
            self.take()
            if token.kind == "$" and FIELD.fullmatch(self.now.text):
                name = self.take()
                return Reference(name.text, start=token.start, end=name.end)
            of = self.word()
            if isinstance(of, Name):
                return Name(of.name, of.layers, True, start=token.start, end=of.end)
            self.at -= 1
        raise self.unexpected(" @ stands before a field." if token.kind == "@" else "")

    def word(self) -> Node:
        token = self.take()
        if self.now.kind == "(" and FIELD.fullmatch(token.text):
            return self.call(token)
        if self.now.kind == "#" and FIELD.fullmatch(token.text):
            return self.layered(token)
        if FIELD.fullmatch(token.text):
            return Name(token.text, start=token.start, end=token.end)
        return Literal(token.text, start=token.start, end=token.end)

    def call(self, name: Token) -> Node:
        self.open.append(self.take())
        self.deeper()
        arguments: list[Node] = []
        if self.now.kind != ")":
            arguments.append(self.bits())
            while self.now.kind == ",":
                self.take()
                arguments.append(self.bits())
        self.depth -= 1
        closing = self.expect(")")
        self.open.pop()
        return Call(name.text, tuple(arguments), start=name.start, end=closing.end)

    def layered(self, name: Token) -> Node:
        self.take()
        token = self.now
        if token.kind not in ("word", "slice"):
            raise self.unexpected() if token.kind == "end" else FilterError(f'Expected digit or "[", not "{token.text}"', token.start, token.end)
        self.take()
        parts = token.text[1:-1].split(",") if token.kind == "slice" else [token.text]
        layers: list[tuple[int, int | None]] = []
        for part in parts:
            found = LAYER.fullmatch(part)
            if found is None or len(part) > 20 or (token.kind == "word" and "-" in part) or int(found[1]) < 0:
                raise FilterError(f'"{token.text}" is no layer: a number from 1, or ranges in brackets', token.start, token.end)
            first = int(found[1])
            layers.append((first, int(found[2]) if found[2] else None if "-" in part else first))
        return Name(name.text, tuple(layers), start=name.start, end=token.end)


def _spans(token: Token) -> tuple[Span, ...]:
    """`[0:4,-1,2-3]` as spans."""
    spans: list[Span] = []
    at = token.start + 1
    for part in token.text[1:-1].split(","):
        found = PART.fullmatch(part)
        try:
            if found is None:
                raise ValueError
            first, sign, second, count = (found[k] for k in range(1, 5))
            if count is not None:
                spans.append((None, _index(count), True))
            elif sign is None:
                spans.append((_index(first), _index(first), False))
            elif sign == ":":
                spans.append((_index(first), None if second is None else _index(second), True))
            elif second is None:
                raise ValueError
            else:
                spans.append((_index(first), _index(second), False))
            if (sign == ":" and second is not None and _index(second) <= 0) or (count is not None and _index(count) <= 0):
                raise ValueError
            low, high, counted = spans[-1]
            if not counted and low is not None and high is not None and 0 <= high < low:
                raise ValueError
        except ValueError:
            message = f'"{part.strip()}" is no part of a slice: first:count, first-last, first: or a single byte'
            raise FilterError(message, at, min(token.end, max(at + 1, at + len(part)))) from None
        at += len(part) + 1
    return tuple(spans)


def _index(text: str) -> int:
    number = int(text, 0)
    if abs(number) > 0x7FFFFFFF:
        raise ValueError
    return number


def _placed(node: Node, start: int, end: int) -> Node:
    """`node` with its parentheses."""
    made = {name: getattr(node, name) for name in node.__dataclass_fields__}
    return type(node)(**made | {"start": start, "end": end})


Write = Callable[[re.Match[str]], str]
CAPTURE: tuple[tuple[re.Pattern[str], Write], ...] = (
    (re.compile(r"(tcp|udp)?\s*(src|dst)?\s*port\s+(\d+)"), lambda m: f"{m[1] or 'tcp'}.{m[2] + 'port' if m[2] else 'port'} == {m[3]}"),
    (re.compile(r"(tcp|udp)?\s*portrange\s+(\d+)-(\d+)"), lambda m: f"{m[1] or 'tcp'}.port in {{{m[2]}..{m[3]}}}"),
    (re.compile(r"(?:ip\s+)?(src|dst)?\s*(?:host|net)?\s+(\d+\.\d+\.\d+\.\d+(?:/\d+)?)"), lambda m: f"ip.{m[1] or 'addr'} == {m[2]}"),
    (re.compile(r"(?:ip\s+)?(src|dst)?\s*(?:host|net)\s+(\d+\.\d+\.\d+\.\d+(?:/\d+)?)"), lambda m: f"ip.{m[1] or 'addr'} == {m[2]}"),
    (re.compile(r"(?:ip6\s+)?(src|dst)?\s*(?:host|net)\s+([0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(?:/\d+)?)"), lambda m: f"ipv6.{m[1] or 'addr'} == {m[2]}"),
)


def _display_filter(text: str) -> str | None:
    """A capture filter as display filter, where every part of it is one of the common forms."""
    parts = re.split(r"\s+(and|or|&&|\|\|)\s+", text.strip())
    out, turned = [], False
    for k, part in enumerate(parts):
        if k % 2:
            out.append(part)
            continue
        negated = re.match(r"(?:not|!)\s+", part)
        bare = part[negated.end():] if negated else part
        for pattern, write in CAPTURE:
            found = pattern.fullmatch(bare.strip())
            if found:
                out.append(f"!({write(found)})" if negated else write(found))
                turned = True
                break
        else:
            if not re.fullmatch(r"tcp|udp|ip|arp|icmp", bare):
                return None
            out.append(part)
    return " ".join(out) if turned else None


