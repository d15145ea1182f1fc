"""Patterns mean what they mean in Python's `re`, whichever engine searches, and every search ends."""
from __future__ import annotations

import re
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captures import patterns
from captures.find import needle
from captures.patterns import Endless, pattern_of

ATOMS = ["a", "b", "K", r"\d", r"\w", r"\W", ".", "[^a]", "[a-c]", "[^\\d]", "^", r"\b", r"\A", "(?:ab|a)", "(?:)", r"\.", "-", "é", r"\s", "$", "{", "a{,2}"]
REPEATS = ["", "", "", "*", "+", "?", "{2}", "{1,3}", "*?", "+?"]
PATTERNS = st.lists(st.tuples(st.sampled_from(ATOMS), st.sampled_from(REPEATS)).map("".join), min_size=1, max_size=5).map("".join)
FLAGS = st.sampled_from([0, re.IGNORECASE, re.DOTALL, re.IGNORECASE | re.DOTALL])
TEXT = st.text(st.sampled_from("aAbBkK19_.- \n\v\té{,"), max_size=12)


@given(PATTERNS, FLAGS, st.binary(max_size=12) | TEXT.map(str.encode))
def test_bytes_are_searched_as_re_does(pattern: str, flags: int, data: bytes) -> None:
    try:
        expected = re.compile(pattern.encode(), flags).search(data)
    except re.error:
        with pytest.raises(re.error):
            pattern_of(pattern.encode(), flags)
        return
    assert pattern_of(pattern.encode(), flags).span(data) == (expected.span() if expected else None)


@given(PATTERNS, FLAGS, TEXT)
def test_text_is_searched_as_re_does(pattern: str, flags: int, text: str) -> None:
    try:
        expected = re.compile(pattern, flags).search(text)
    except re.error:
        return
    assert pattern_of(pattern, flags).span(text) == (expected.span() if expected else None)


@pytest.mark.parametrize(("pattern", "data", "span"), [
    (b"[[:alpha:]]+", b"12abc3", (2, 5)), (b"[[:alpha:]]", b"12abc3", (2, 3)),
    ("[[:alpha:]]+", "12abc3", (2, 5)), (b"[0-2[:space:]]", b"3 ", (1, 2)), (b"[[:digit:][:space:]]+$", b"a 12", (1, 4)),
    (b"a\\Z", b"ba", (1, 2)), (b"x{y", b"ax{y", (1, 4)),
])
def test_what_re_does_not_know_or_others_read_differently(pattern: bytes | str, data: bytes | str, span: tuple[int, int]) -> None:
    assert pattern_of(pattern).span(data) == span


@pytest.mark.parametrize("pattern", [b"[[:foo:]]", b"[0-9[:foo:]]", b"[[:alpha:"])
def test_a_posix_class_that_nobody_knows_is_an_error_as_any_other(pattern: bytes) -> None:
    with pytest.raises((re.error, Warning)):
        pattern_of(pattern)


@pytest.mark.parametrize(("pattern", "flags", "text"), [("i", re.IGNORECASE, "\u0130"), (r"\w", 0, "\u00b2"), (r"\s", 0, "\x1c"), (r"\B", 0, ""),
                                                       ("I.", re.IGNORECASE, "x\u0131y")])
def test_what_repeats_nothing_means_exactly_what_it_means_in_re(pattern: str, flags: int, text: str) -> None:
    expected = re.compile(pattern, flags).search(text)
    assert pattern_of(pattern, flags).span(text) == (expected.span() if expected else None)


def test_a_lone_surrogate_is_no_question_mark() -> None:
    assert pattern_of(r"\?+").span("a\udc80") is None and pattern_of("a.?").span("a\udc80") == (0, 2)


def test_overlapping_alternatives_end_at_once() -> None:
    # (a|aa)+ has more ways through 50 letters than anybody can wait for, if they are tried one after the other
    for made in (needle("/(a|aa)+c/"), needle("/(?:a|ab|b)*d/")):
        assert not made.in_text("ab" * 25)
        assert made.in_bytes(b"ab" * 1_000_000) is None
    assert needle("/(a|aa)+c/").in_bytes(b"a" * 50 + b"c") == (0, 51)


def test_a_search_without_end_is_given_up_in_any_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "LIMIT", 0.2)
    made = pattern_of(rb"(a|aa)+(?=c)c")
    ended: list[object] = []

    def search() -> None:
        try:
            ended.append(made.span(b"a" * 60))
        except Endless as fault:
            ended.append(str(fault))

    thread = threading.Thread(target=search)
    thread.start()
    turns = 0
    while thread.is_alive():
        time.sleep(0.005)
        turns += 1
    assert ended == ['the pattern "(a|aa)+(?=c)c" takes too long on a value: given up']
    assert turns > 5, "this thread stood still while the other one searched"
    assert list(pattern_of(rb"a(?=b)").spans(b"abacab")) == [(0, 1), (4, 5)]
