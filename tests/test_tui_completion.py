"""What the filter line offers at the caret, without a screen."""
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_tui_screens import ERRORS

from captures.capture import Capture
from captures.filter import Names
from protocols.registry import Registry
from tui.filter.completion import complete
from tui.filter.value_sample import Sample

NAMES = Names(Registry())


@pytest.fixture(scope="module")
def sample() -> Sample:
    capture = Capture(ERRORS)
    capture.read_index()
    made = Sample()
    list(made.steps(capture))
    return made


@pytest.mark.parametrize(("text", "first", "kind"), [
    ("zookeeper.op", "zookeeper.opcode", "fields"), ("tcp && zookeeper.op", "zookeeper.opcode", "fields"), ("(zookeeper.opc", "zookeeper.opcode", "fields"),
    ("zookeeper.opcode ", "==", "operators"), ("zookeeper.path con", "contains", "operators"), ("tcp.port == 2181 ", "&&", "operators"),
    ("tcp.port =", "==", "operators"), ("zookeeper.opcode == ", "create", "values"), ("zookeeper.opcode in {", "create", "values"),
    ("tcp.port in {80, ", "2181", "values"), ("tcp.port in {80..", "2181", "values"), ("tcp.port not in {", "2181", "values"),
    ("tcp.port eq ", "2181", "values"),
    ('zookeeper.path == "/e/n', '"/e/no"', "values"), ("tcp.flags.syn == ", "0", "values")])
def test_what_is_offered_fits_the_place(text: str, first: str, kind: str, sample: Sample) -> None:
    found = complete(text, len(text), NAMES, sample)
    assert found.title.startswith(kind)
    assert found.candidates[0].text == first


def test_values_come_by_frequency_and_enumerations_in_full(sample: Sample) -> None:
    found = complete("zookeeper.opcode == ", 20, NAMES, sample).candidates
    seen = [one.seen for one in found if one.seen is not None]
    assert seen == sorted(seen, reverse=True) and len(seen) < len(found)
    assert {"ping", "multi"} <= {one.text for one in found}


@given(st.text(st.sampled_from('tcp.por =!<>&|"\'{}()[]..,~1\\ inot zokeper\n\x1b'), max_size=40), st.integers(0, 40))
def test_no_text_is_too_strange_for_the_completion(text: str, caret: int) -> None:
    found = complete(text, min(caret, len(text)), NAMES, Sample())
    assert 0 <= found.start <= found.end <= len(text)


def test_what_stands_in_a_capture_cannot_steer_the_terminal(sample: Sample) -> None:
    found = complete("zookeeper.path == ", 18, NAMES, sample)
    assert found.candidates and all(text.isprintable() for one in found.candidates for text in (one.text, one.kind, one.about))


def test_paths_of_documents_are_offered_as_far_as_the_capture_has_them() -> None:
    capture = Capture(ERRORS.parent.parent / "mongodb" / "mongodb-pymongo4.20-ferretdb1.24-crud.pcap.gz")
    capture.read_index()
    seen = Sample()
    list(seen.steps(capture))
    names = Names(capture.registry)
    assert "mongo.doc.$db" in [one.text for one in complete("mongo.doc.$", 11, names, seen).candidates]
    assert complete("mongo.doc.$db ", 14, names, seen).candidates[0].text == "=="
    assert complete("mongo.doc.$db == ", 17, names, seen).candidates[0].text == '"shop"'


def test_an_operation_is_offered_with_and_without_its_version() -> None:
    capture = Capture(ERRORS.parent.parent / "kafka" / "kafka-aiokafka-4.1.pcap.gz")
    capture.read_index()
    seen = Sample()
    list(seen.steps(capture))
    found = {one.text: one.seen for one in complete("pv.op == ", 9, Names(capture.registry), seen).candidates}
    versions = [count for text, count in found.items() if text.startswith('"Metadata v')]
    assert versions and found['"Metadata"'] == sum(versions)     # type: ignore[arg-type]
    assert list(found.values()) == sorted(found.values(), reverse=True)     # type: ignore[type-var]
