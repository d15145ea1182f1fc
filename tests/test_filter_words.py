"""Fields with few values: what they never have is told, with what was meant; one word may stand for several values."""
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captures.capture import Capture
from captures.filter import FilterError, FilterRun, Names, compile_filter
from captures.messages.columns import BY_NAME
from protocols.kinds import Kind
from protocols.registry import Registry
from protocols.terms import Status
from tui.app.help_screen import help_lines
from tui.command.cli import EXAMPLES
from tui.filter.completion import complete
from tui.filter.value_sample import Sample

DATA = Path(__file__).parent / "data"
NAMES = Names(Registry())
README = (DATA.parent.parent / "README.md").read_text()


@pytest.fixture(scope="module")
def errors() -> Capture:
    capture = Capture(DATA / "zookeeper" / "zookeeper-java-3.9-errors.pcap.gz")
    capture.read_index()
    return capture


def shown(capture: Capture, text: str) -> list[int]:
    return [int(i) + 1 for batch in FilterRun(capture, compile_filter(text, Names(capture.registry))) for i in batch]


@pytest.mark.parametrize(("text", "said", "fix"), [
    ("pv.status == eror", 'for pv.status. Did you mean error', "pv.status == error"),
    ("pv.status == client_eror", "Did you mean client_error?", "pv.status == client_error"),
    ("pv.status != OK", "Did you mean ok?", "pv.status != ok"),
    ('pv.status == "failed"', "It is ok, client_error, server_error, no_response, not_captured, orphan,", None),
    ("pv.status in {ok, serverr}", "Did you mean server_error", "pv.status in {ok, server_error}"),
    ('"reqest" == pv.kind', "Did you mean request", "request == pv.kind"),
    ("pv.kind == push", "It is request, response, oneway, event", None), ("pv.proto == kafca", "Did you mean kafka?", "pv.proto == kafka"),
    ("zookeeper.err.class == clienterror", "Did you mean client_error", "zookeeper.err.class == client_error"),
    ("any pv.status === orphans", "Did you mean orphan?", "any pv.status === orphan"),
])
def test_what_no_message_has_is_told(text: str, said: str, fix: str | None) -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter(text, NAMES)
    assert "cannot be found among the possible values" in caught.value.message and said in caught.value.message
    assert (caught.value.fix.apply(text) if caught.value.fix else None) == fix


@pytest.mark.parametrize("text", [f"pv.status == {one}" for one in Status] + [f"pv.kind == {one}" for one in Kind] + [
    "pv.proto == zk", "pv.proto == websocket", "pv.status contains err", 'pv.status matches "ERR"', 'upper(pv.status) == "OK"', "pv.status == pv.kind"])
def test_what_messages_have_and_parts_of_it_are_taken(text: str) -> None:
    assert not compile_filter(text, NAMES).warnings


def test_a_value_that_no_packet_has_yet_is_told_as_such() -> None:
    assert ["no packet has yet" in one.message for one in compile_filter("pv.status == late", NAMES).warnings] == [True]


@pytest.mark.parametrize(("word", "meant"), [
    ("pv.status == error", "pv.status == client_error || pv.status == server_error"), ('error == pv.status', 'pv.status matches "_error$"'),
    ("pv.status != error", "pv.status && !(pv.status matches \"_error$\")"),
    ("pv.status in {error, orphan}", "pv.status in {client_error, server_error, orphan}"),
    ("pv.status not in {error}", "!(pv.status in {client_error, server_error})"), ("zookeeper.err.class == error", "zookeeper.err.class"),
    ("pv.proto == zk", "pv.proto == zookeeper"),
])
def test_a_word_for_several_values_holds_for_each(word: str, meant: str, errors: Capture) -> None:
    assert shown(errors, word) == shown(errors, meant) != []


def test_readme_help_and_completion_know_every_value() -> None:
    for spec, values in ((BY_NAME["pv.status"].spec, Status), (BY_NAME["pv.kind"].spec, Kind)):
        screen = next(line for _, line in help_lines(["main"], 180) if line.strip().startswith(spec.name))
        offered = {one.text for one in complete(f"{spec.name} == ", len(spec.name) + 4, NAMES, Sample()).candidates}
        for value in values:
            assert f"`{value}`" in README.partition("`pv.kind` is ")[2][:400] and value in EXAMPLES and value in screen and f'"{value}"' in offered


@given(st.text(max_size=12))
def test_no_text_is_too_strange_to_be_told(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    try:
        compile_filter(f'pv.status == "{quoted}"', NAMES)
        assert BY_NAME["pv.status"].spec.words and text in BY_NAME["pv.status"].spec.words
    except FilterError as error:
        assert "possible values" in error.message
