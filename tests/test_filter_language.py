"""The filter language: what parses, what it means in normal form, every error with its place and fix, and the traps that are told."""
from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captures.filter import FilterError, Names, compile_filter
from captures.filter.language.nodes import Arithmetic, Call, Compare, Exists, In, Junction, Literal, Name, Negative, Node, Not, Range, Reference, Slice, printed
from captures.filter.language.parser import parse
from protocols.registry import Registry

NAMES = Names(Registry(installed=False))


def error(text: str) -> FilterError:
    with pytest.raises(FilterError) as caught:
        compile_filter(text, NAMES)
    return caught.value


# the table of section 5.5 of the reference: input, words in the message, what the caret is under, the text after the fix
ERRORS = [
    ("kafka.api_kye == 3", 'Unknown field "kafka.api_kye". Did you mean kafka.api_key?', "kafka.api_kye", "kafka.api_key == 3"),
    ("tcp.port == abc", '"abc" is not a valid number. tcp.port is a number 0-65535', "abc", None),
    ("tcp.port == 9092.0", '"9092.0" is not a valid number. tcp.port is a number 0-65535', "9092.0", None),
    ('tcp.port == "9092"', "tcp.port is a number: remove the quotes", '"9092"', "tcp.port == 9092"),
    ("tcp.port = 9092", '"=" was unexpected in this context. Use ==', "=", "tcp.port == 9092"),
    ("tcp and or udp", '"or" was unexpected in this context.', "or", None),
    ("(tcp.port == 9092", "Unclosed (", "(", "(tcp.port == 9092)"),
    ("ip.addr == 300.1.1.1", '"300.1.1.1" is not a valid hostname or IPv4 address.', "300.1.1.1", None),
    ("ip.addr == 10.0.0.0/40", "Netmask bits in a CIDR IPv4 address should be <= 32, not 40", "10.0.0.0/40", None),
    ("tcp.port in {1..}", "A range needs an upper end", "..}", None),
    ("tcp.port in {9092-9093}", "Ranges are written 9092..9093", "9092-9093", "tcp.port in {9092..9093}"),
    ("tcp.port in 9092", "in needs a set: {9092}", "9092", "tcp.port in {9092}"),
    ('kafka.client_id matches "a["', "Regex compilation error: unterminated character set (column 2)", "[", None),
    ("tcp.port == kafka", "tcp.port and kafka are not of compatible types.", "kafka", None),
    ("port 9092", "That is a capture filter; as display filter: tcp.port == 9092", "9092", "tcp.port == 9092"),
    ("host 10.0.0.1 and not udp port 53", "ip.addr == 10.0.0.1 and !(udp.port == 53)", "10.0.0.1", "ip.addr == 10.0.0.1 and !(udp.port == 53)"),
    ("!tcp == 1", "compares a protocol with a number", "tcp == 1", "!tcp"),
    ("kafka.client_id == 'G'", 'Use "G"', "'G'", 'kafka.client_id == "G"'),
    ("tcp.len > -1", "tcp.len is never negative", "-1", None),
    ("abs(-5) == 5", "it takes a field", "-5", None),
    ("tcp.port == 65536", '"65536" too big for this field, maximum 65535.', "65536", None),
    ("tcp.port contains 80", "cannot participate in contains comparison. string(tcp.port) makes it text", "tcp.port", "string(tcp.port) contains 80"),
    ("tcp.port[0] == 1", "cannot be sliced", "tcp.port", None),
    ("tcp.analysis.flags == 1", "cannot participate in == comparison", "tcp.analysis.flags", None),
    ("upper(tcp.port) == 1", "Only string type fields can be used as parameter for upper()", "tcp.port", None),
    ("lenn(tcp.payload) > 1", "Function 'lenn' does not exist. Did you mean len?", "lenn", "len(tcp.payload) > 1"),
    ("(tcp.len + 10) > 100", "Values are grouped with braces", ">", None),
    ("tcp.payload == GET", 'Text stands in quotes: "GET"', "GET", 'tcp.payload == "GET"'),
    ("tcp.payload[0:2] == 0x4745", "Bytes are written 47:45", "0x4745", "tcp.payload[0:2] == 47:45"),
    ("eth.src == 00:11:22", "too few bytes to be a valid Ethernet address", "00:11:22", None),
    ('frame.time > "yesterday"', "is not a valid absolute time", '"yesterday"', None),
    ('kafka.client_id == "\\q"', "\\q is not a valid character escape sequence", "\\q", 'kafka.client_id == r"\\q"'),
    ('kafka.client_id == "\\u002f"', "is not a valid universal character name", "\\u002f", None),
    ("kafka.client_id matches ^a", '"^" was unexpected', "^", None),
    ("kafka.client_id matches abc", "Matches requires a double quoted string", "abc", 'kafka.client_id matches "abc"'),
    ('kafka.client_id matches "a\\Kb"', "is not supported", '"a\\Kb"'[1:-1], None),
    ("kafka.api_key == Produse", "Did you mean Produce?", "Produse", "kafka.api_key == Produce"),
    ("80 == 80", 'Left side of "==" expression must be a field or function, not 80.', "80", None),
    ("ip.ttl + 200 > 260", '"260" too big for this field, maximum 255.', "260", None),
    ("tcp|udp", "Use ||", "|", "tcp||udp"),
    ("${nosuch} == 1", '"nosuch" is neither a field nor a macro.', "nosuch", None), ("${nosuch:1}", '"nosuch" is no macro.', "nosuch", None),
    ("tcp.port#0x == 1", "is no layer", "0x", None),
]


@pytest.mark.parametrize(("text", "message", "under", "fixed"), ERRORS, ids=[one[0] for one in ERRORS])
def test_an_error_says_the_cause_and_the_place_and_offers_a_fix(text: str, message: str, under: str, fixed: str | None) -> None:
    found = error(text)
    assert message in found.message
    assert text[found.start:found.end] == under
    assert (found.fix.apply(text) if found.fix else None) == fixed
    if fixed is not None and "(" not in text[:1]:
        compile_filter(fixed, NAMES)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a*)*b", "(?:a|aa)+$", "a++b", "a*+", "(?>a+)b", "a{2,}+", "(?-i)A", "(?i:a)B", r"\\x00\\d"])
def test_every_pattern_that_python_runs_is_taken(pattern: str) -> None:
    compile_filter(f'kafka.client_id matches "{pattern}"', NAMES)


@pytest.mark.parametrize(("text", "message"), [
    ("tcp.port ==", "Value expected: number"), ("ip.src ==", "Value expected: IPv4 address"), ("tcp and", "Unexpected end of filter expression."),
    ("!", "Unexpected end"), ("tcp.port in {", "Unclosed {"), ('kafka.client_id == "a', "The final quote was missing"), ("any tcp", "Unexpected end"),
    ("tcp.payload[0", "The right bracket was missing"), ("(", "Unclosed ("),
])
def test_text_that_may_still_become_a_filter_is_incomplete(text: str, message: str) -> None:
    found = error(text)
    assert found.incomplete
    assert message in found.message


@pytest.mark.parametrize("text", ["tcp.port == abc", "tcp and or udp", "kafka.api_kye == 3", "tcp.port = 1"])
def test_what_is_wrong_already_is_not_incomplete(text: str) -> None:
    assert not error(text).incomplete


TRAPS = [
    ("tcp.flags.syn", "tests that the field is present", "tcp.flags.syn == 1"),
    ("tcp.port > 9000 && tcp.port < 9100", "each side may match a different tcp.port", "tcp.port in {9001..9099}"),
    ("tcp.port >= 9000 and tcp.port <= 9100", "each side may match a different tcp.port", "tcp.port in {9000..9100}"),
    ("tcp.port != 9092", "holds when no tcp.port has the value", "!(tcp.port == 9092)"),
    ('kafka.client_id matches "\\bx"', "backspace", 'kafka.client_id matches r"\\bx"'),
]


@pytest.mark.parametrize(("text", "message", "fixed"), TRAPS, ids=[one[0] for one in TRAPS])
def test_a_trap_is_told_with_its_way_out(text: str, message: str, fixed: str) -> None:
    (trap,) = compile_filter(text, NAMES).warnings
    assert message in trap.message
    assert trap.fix is not None
    assert trap.fix.apply(text) == fixed
    assert not [one for one in compile_filter(fixed, NAMES).warnings if one.message == trap.message]


@pytest.mark.parametrize("text", ["tcp.flags.syn == 1", "tcp.len > 5 && tcp.len < 9", "tcp.stream != 3", "tcp", "tcp.port in {1..5}", "any tcp.port != 1"])
def test_no_trap_where_there_is_none(text: str) -> None:
    assert compile_filter(text, NAMES).warnings == []


@pytest.mark.parametrize(("text", "normal"), [
    ("tcp and not udp or ip", "tcp && !udp || ip"), ("tcp||udp&&ip", "tcp || udp && ip"), ("(tcp||udp)&&ip", "(tcp || udp) && ip"), ("not not tcp", "!!tcp"),
    ("tcp.port eq 80", "tcp.port == 80"), ("tcp.port ~= 80", "tcp.port !== 80"), ("tcp.len&1+1==2", "tcp.len & 1 + 1 == 2"),
    ("{tcp.len&1}+1==2", "{tcp.len & 1} + 1 == 2"),
    ("tcp.payload~\"a\"", 'tcp.payload matches "a"'), ("tcp.port in {1 2..4,5}", "tcp.port in {1, 2 .. 4, 5}"), ("tcp.port not in{1}", "tcp.port not in {1}"),
    ("tcp.len-10 > 1", "tcp.len-10 > 1"), ("tcp.len -10 > 1", "tcp.len - 10 > 1"), ("a xor b and c", "a ^^ b && c"), ("1 < tcp.len < 9", "1 < tcp.len < 9"),
    ("ip.src#[1,3-4,6-] == 1.2.3.4", "ip.src#[1,3-4,6-] == 1.2.3.4"), ("tcp[:4,-1,2-3,5:] == 00", "tcp[:4,-1,2-3,5:] == 00"),
])
def test_a_filter_in_normal_form(text: str, normal: str) -> None:
    node = parse(text)
    assert node is not None
    assert printed(node) == normal
    assert parse(normal) == node


@pytest.mark.parametrize("text", ["", "   ", "\t\n"])
def test_an_empty_filter_is_a_filter(text: str) -> None:
    assert compile_filter(text, NAMES).node is None


def test_nesting_is_limited() -> None:
    for text in ("(" * 5000 + "tcp" + ")" * 5000, "!" * 5000 + "tcp", "-" * 5000 + "tcp.len == 1", "{" * 5000, "len(" * 5000):
        assert "Nested too deeply" in error(text).message


def test_a_long_chain_is_no_nesting() -> None:
    compile_filter(" || ".join(f"tcp.port == {port}" for port in range(3000)), NAMES)
    compile_filter("tcp.len" + " + 1" * 300 + " > 5", NAMES)


# trees made at random, printed and parsed again

WORDS = st.sampled_from(["tcp.port", "ip.addr", "kafka.client_id", "frame", "abc", "zk.op", "x-y.z_1"])
NUMBERS = st.sampled_from(["80", "0x50", "10.0.0.1", "10.0.0.0/8", "00:11:22", "::1", "fe80::1/64", "2026-11-20", "50ms", "0.001", "-5", "9092-9093"])
QUOTED = st.sampled_from(['"a b"', r'r"\d+"', '"\\x00\\""', "'G'"])
P = {"start": 0, "end": 0}


def literal(text: str) -> Literal:
    return Literal(text, "string" if text[0] in 'r"' and '"' in text else "char" if text[0] == "'" else "word", **P)


LAYERS = st.lists(st.one_of(
    st.integers(1, 9).map(lambda n: (n, n)), st.tuples(st.integers(1, 4), st.integers(5, 9)), st.integers(1, 9).map(lambda n: (n, None)),
), max_size=3).map(tuple)
SPANS = st.lists(st.one_of(
    st.tuples(st.integers(-9, 9), st.integers(1, 9), st.just(True)), st.integers(-9, 9).map(lambda n: (n, n, False)),
    st.tuples(st.integers(0, 4), st.integers(5, 9), st.just(False)),
    st.integers(-9, 9).map(lambda n: (n, None, True)), st.integers(1, 9).map(lambda n: (None, n, True)),
), min_size=1, max_size=3).map(tuple)
FIELDS = st.builds(lambda name, layers: Name(name, layers, **P), WORDS, LAYERS)
PRIMARY = st.one_of(FIELDS, NUMBERS.map(literal), QUOTED.map(literal), WORDS.map(lambda name: Reference(name, **P)))


def values(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.one_of(
        st.builds(lambda op, a, b: Arithmetic(op, a, b, **P), st.sampled_from("+-*/%&"), inner, inner),
        st.builds(lambda name, args: Call(name, tuple(args), **P), st.sampled_from(["len", "max"]), st.lists(inner, max_size=3)),
        st.builds(lambda of: Negative(of, **P), inner.filter(lambda one: not isinstance(one, Literal))),
        st.builds(lambda of, spans: Slice(of, spans, **P), inner.filter(lambda one: not isinstance(one, (Arithmetic, Negative))), SPANS),
    )


VALUES = st.recursive(PRIMARY, values, max_leaves=6)
QUANTIFIERS = st.sampled_from(["", "any", "all"])
OPS = st.sampled_from(["==", "!=", "!==", "===", ">", ">=", "<", "<="])
TESTS: st.SearchStrategy[Node] = st.one_of(
    VALUES.map(lambda of: Exists(of, **P)),
    st.lists(st.tuples(OPS, VALUES), min_size=1, max_size=3).flatmap(lambda rest: st.builds(
        lambda first, quantifier: Compare((first, *(value for _, value in rest)), tuple(op for op, _ in rest), quantifier, **P), VALUES, QUANTIFIERS)),
    st.builds(lambda op, a, b, quantifier: Compare((a, b), (op,), quantifier, **P), st.sampled_from(["contains", "matches"]), VALUES, VALUES, QUANTIFIERS),
    st.builds(lambda of, items, negated, quantifier: In(of, tuple(items), negated, quantifier, **P), VALUES,
              st.lists(st.one_of(VALUES, st.builds(lambda a, b: Range(a, b, **P), VALUES, VALUES)), min_size=1, max_size=3), st.booleans(), QUANTIFIERS),
)


def logic(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.one_of(inner.map(lambda of: Not(of, **P)), st.builds(
        lambda op, parts: Junction(op, tuple(parts), **P), st.sampled_from(["&&", "||", "^^"]), st.lists(inner, min_size=2, max_size=3)))


@given(st.recursive(TESTS, logic, max_leaves=5))
@settings(max_examples=300, deadline=None)
def test_a_tree_printed_and_parsed_again_is_the_same_tree(node: Node) -> None:
    text = printed(node)
    again = parse(text)
    assert again is not None
    # && of && is one list when it is read
    assert printed(again) == printed(parse(printed(again)) or again)
    assert parse(printed(again)) == again


TOKENS = st.sampled_from([
    "tcp", "tcp.port", "ip.addr", "kafka.client_id", "pv.op", "==", "!=", "=", ">", "<", "&&", "||", "^^", "!", "not", "and", "or", "in", "{", "}",
    "(", ")", "[", "]", "[0:4]", "[0", ",", "..", "80", "-5", "0x", "10.0.0.1", "10.0.0.0/8", '"a"', '"', "'", "'G'", "r\"", "matches", "contains",
    "any", "all", "#", "#1", "${", "len", "len(", "+", "-", "*", "/", "%", "&", "~",
    "\\", "é", "\0", "frame.time", "tcp.flags.syn", "50ms", "00:11", ":", ".", "port", "tcp.len", "frame",
])


@given(st.lists(TOKENS, max_size=14).map(" ".join) | st.lists(TOKENS, max_size=10).map("".join) | st.text(max_size=40))
@settings(max_examples=1500, deadline=None)
def test_any_text_is_a_filter_or_an_error_with_a_place_in_the_text(text: str) -> None:
    try:
        made = compile_filter(text, NAMES)
    except FilterError as found:
        assert found.message
        assert 0 <= found.start <= found.end <= len(text)
        if found.fix is not None:
            assert 0 <= found.fix.start <= found.fix.end <= len(text)
        assert len(found.lines(text)) == 3
    else:
        for trap in made.warnings:
            assert 0 <= trap.start < trap.end <= len(text)
