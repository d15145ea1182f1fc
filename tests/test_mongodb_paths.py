"""Filter names of BSON elements: keys as they are, the same for a sequence as for an array, and a word where no filter can hold a key."""
from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("bson")

from hypothesis import given, settings
from hypothesis import strategies as st
from mongodb_wire import dissect, op_msg

from captures.capture import Capture
from captures.filter import Names, compile_filter
from captures.filter.language.errors import FilterError
from captures.filter.parallel import pool
from protocols.engine.fields import walk
from protocols.mongodb.document import below
from protocols.registry import Registry

CASES = Path(__file__).parent / "data" / "cases"


@pytest.mark.parametrize(("text", "packets"), [
    ('mongo.doc.filter.address.city == "Oslo"', [4]), ("mongo.doc.filter.address_city", [8]), ("mongo.doc.updates.q._id == 1", [6]),
    ('mongo.doc.updates.u.$set.address.zip == "0150"', [6]), ('mongo.doc.updates.u.$set.tags.0 == "x"', [6]), ("mongo.doc.q", []),
])
def test_a_filter_finds_keys_by_their_own_names(text: str, packets: list[int]) -> None:
    capture = Capture(CASES / "mongo-dotted-keys.pcap")
    capture.read_index()
    names, shared = Names(capture.registry), pool.FilterPool(capture)
    found = [packet + 1 for part in shared.run(compile_filter(text, names), names) for packet in part.tolist()]
    shared.close()
    assert found == packets


def names(data: bytes) -> set[str]:
    return {node.name for node in walk(dissect(data)[0]) if node.name.startswith("mongo.doc.")}


def test_documents_of_a_sequence_have_the_paths_of_an_array() -> None:
    updates = [{"q": {"_id": 1}, "u": {"$set": {"a.b": 2}}}]
    in_sequence = names(op_msg({"update": "c", "$db": "d"}, updates=updates))
    in_array = names(op_msg({"update": "c", "updates": updates, "$db": "d"}))
    assert in_array - in_sequence == {"mongo.doc.updates"}
    assert in_sequence <= in_array
    assert "mongo.doc.updates.u.$set.a.b" in in_sequence


@pytest.mark.parametrize(("key", "name"), [
    ("a.b", "mongo.doc.a.b"), ("$set", "mongo.doc.$set"), ("a-b", "mongo.doc.a-b"), ("größe", "mongo.doc.größe"), ("🙂", "mongo.doc.🙂"), ("0", "mongo.doc.0"),
])
def test_a_key_that_a_filter_can_hold_is_not_changed(key: str, name: str) -> None:
    assert below("mongo.doc", key) == (name, "")


@pytest.mark.parametrize(("key", "name"), [
    ("first name", "mongo.doc.first_name"), ("", "mongo.doc._"), ("a..b", "mongo.doc.a._.b"), (".a", "mongo.doc._.a"), ("-x-", "mongo.doc._x_"),
    ('"', "mongo.doc._"), ("a/b:c", "mongo.doc.a_b_c"),
])
def test_a_key_that_no_filter_can_hold_says_what_finds_it(key: str, name: str) -> None:
    fields = list(walk(dissect(op_msg({"find": "c", key: 1, "$db": "d"}))[0]))
    element = next(node for node in fields if node.name == name)
    assert element.label == key
    assert f"[this key cannot be written in a filter: {name} finds it, and other keys that are written so]" in [node.text for node in element.fields]
    assert not [node for node in fields if "cannot be written" in node.text and node not in element.fields]


NAMES = Names(Registry())


@settings(max_examples=400, deadline=None)
@given(st.text(st.sampled_from("ab0_$-. é🙂/{[(\"=\\\u00a0") | st.characters(codec="utf-8", exclude_characters="\0"), max_size=6))
def test_the_language_takes_every_name_and_no_changed_key_could_stand(key: str) -> None:
    name, said = below("mongo.doc", key)
    assert list(compile_filter(name, NAMES).fields) == [name]
    if said:
        try:
            assert list(compile_filter(f"mongo.doc.{key}", NAMES).fields) != [f"mongo.doc.{key}"]
        except FilterError:
            pass
