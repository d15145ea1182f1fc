"""A filter's text as tokens, each with its place.

Bare words are taken whole as Wireshark's scanner does: `tcp.port`, `10.0.0.0/8`, `00:00:00:13`, `9092-9093` and `2026-11-20` are one
token each; what they mean is told by what they are compared with. A slice or layer range in brackets is one token, too.
"""
from __future__ import annotations

import re
from typing import NamedTuple

from captures.filter.language.errors import FilterError, Fix

__all__ = ["KEYWORDS", "Token", "tokens", "unescaped"]

KEYWORDS = {
    "and": "&&", "or": "||", "xor": "^^", "not": "!", "in": "in", "contains": "contains", "matches": "matches", "any": "any", "all": "all",
    "eq": "==", "any_eq": "==", "ne": "!=", "all_ne": "!=", "any_ne": "!==", "all_eq": "===", "gt": ">", "ge": ">=", "lt": "<", "le": "<=",
    "bitwise_and": "&", "bitand": "&", "AND": "&&", "OR": "||", "XOR": "^^", "NOT": "!",
}
"""Words that are operators -> the operator."""

SCANNER = re.compile(r"""
    (?P<space>\s+)
  | (?P<string>[rR]?"(?:[^"\\]|\\.)*(?P<closed>")?)
  | (?P<curly>[rR]?[“”](?:[^“”\\]|\\.)*(?P<curled>[“”])?)
  | (?P<char>'(?:[^'\\]|\\.)*(?P<shut>')?)
  | (?P<slice>\[[^\]\["{}()]*(?P<ended>\])?)
  | (?P<colons>(?:::|[0-9A-Fa-f]{1,4}:)[0-9A-Fa-f:.]*(?:/\d+)?)
  | (?P<hyphens>[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2})+(?![A-Za-z0-9_.-]))
  | (?P<network>\d+(?:\.\d+){0,3}/\d+(?![\w.]))
  | (?P<date>\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:?\d{2})?)?(?![\w-]))
  | (?P<word>\w(?:[\w-]*\w|-(?=\w))*(?:\.(?:[\w]|\$(?!\{)|[^\x00-\x7f])(?:(?:[\w-]|\$(?!\{)|[^\x00-\x7f])*(?:\w|\$(?!\{)|[^\x00-\x7f]))?)*)
  | (?P<operator>===|!==|==|!=|~=|>=|<=|&&|\|\||\^\^|\.\.|\$\{|\$(?=[A-Za-z_])|[@!~&+\-*/%\#(){},<>;])
""", re.VERBOSE | re.ASCII | re.DOTALL)
TIDY = {"=": "==", "|": "||"}


class Token(NamedTuple):
    """`kind`: word, string, char, slice, or the operator itself ("end" behind the last)."""

    kind: str
    text: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """The tokens of a filter, an "end" behind them. Raises FilterError."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = SCANNER.match(text, at)
        if match is None:
            raise _strange(text, at)
        kind = match.lastgroup or ""
        start, at = at, match.end()
        if kind == "space":
            continue
        word = match[0]
        if match.start("string") == start or match.start("char") == start:
            quote = "string" if match.start("string") == start else "char"
            if match["closed" if quote == "string" else "shut"] is None:
                message = "The final quote was missing from a quoted string." if quote == "string" else "The final quote was missing from a character constant."
                raise FilterError(message, start, len(text), Fix(len(text), len(text), '"' if quote == "string" else "'"), True)
            found.append(Token(quote, word, start, at))
        elif match.start("curly") == start:
            if match["curled"] is None:
                raise FilterError("The final quote was missing from a quoted string.", start, len(text), Fix(len(text), len(text), "”"), True)
            found.append(Token("string", _straight(word), start, at))
        elif match.start("slice") == start:
            if match["ended"] is None:
                raise FilterError("The right bracket was missing from a slice.", start, at, Fix(at, at, "]"), at == len(text))
            found.append(Token("slice", word, start, at))
        elif kind == "operator":
            found.append(Token("!==" if word == "~=" else "matches" if word == "~" else word, word, start, at))
        else:
            found.append(Token(KEYWORDS.get(word, "word") if kind == "word" else "word", word, start, at))
    found.append(Token("end", "", len(text), len(text)))
    return found


def _straight(word: str) -> str:
    """A text in the quotes that word processors put (“a”), in straight ones."""
    raw, body = word[: word[0] in "rR"], word[:-1].lstrip("rR")[1:]
    return f'{raw}"{body}"' if '"' not in body else raw + '"' + re.sub(r'(\\.)|"', lambda one: one[1] or '\\"', body) + '"'


def _strange(text: str, at: int) -> FilterError:
    """A character that no token starts with."""
    one = text[at]
    better = TIDY.get(one)
    hint = f" Use {better}" if better else ""
    return FilterError(f'"{one}" was unexpected in this context.{hint}', at, at + 1, Fix(at, at + 1, better) if better else None)


SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "'": "'", '"': '"', "?": "?"}
ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.?))", re.DOTALL)


def unescaped(token: Token, lenient: bool = False) -> bytes:
    """What a quoted token stands for, as bytes (text in UTF-8). `lenient` leaves unknown escapes as they are, with their backslash. Raises FilterError."""
    raw = token.text[0] in "rR"
    body = token.text[2:-1] if raw else token.text[1:-1]
    if raw:
        return body.encode("utf-8", "surrogatepass")
    out, done = bytearray(), 0
    for found in ESCAPE.finditer(body):
        out += body[done : found.start()].encode("utf-8", "surrogatepass")
        done = found.end()
        two, octal, four, eight, other = found.groups()
        start = token.start + 1 + found.start()
        if two is not None:
            out.append(int(two, 16))
        elif octal is not None:
            if int(octal, 8) > 0xFF:
                raise FilterError(f"{found[0]} is larger than 255", start, start + len(found[0]))
            out.append(int(octal, 8))
        elif four is not None or eight is not None:
            code = int(four or eight, 16)
            if (code < 0xA0 and code not in (0x24, 0x40, 0x60)) or 0xD800 <= code < 0xE000 or code > 0x10FFFF:
                raise FilterError(f"{found[0]} is not a valid universal character name", start, start + len(found[0]))
            out += chr(code).encode()
        elif other in SIMPLE:
            out += SIMPLE[other].encode()
        elif lenient:
            out += found[0].encode("utf-8", "surrogatepass")
        else:
            raise FilterError(f"{found[0]} is not a valid character escape sequence", start, start + len(found[0]), Fix(token.start, token.start, "r"))
    out += body[done:].encode("utf-8", "surrogatepass")
    return bytes(out)
