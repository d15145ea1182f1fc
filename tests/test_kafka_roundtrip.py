"""Random messages of every API and version, written straight from the schema's notation (and by kio), read back: equal values, every byte used."""
from __future__ import annotations

import random
from typing import Any

import pytest
from kafka_wire import KAFKA, Notation, exchange, notations, request_frame, response_frame, uncovered, walk

from protocols.engine.fields import Field

REQUESTS = [one for one in notations() if one.kind == "q"]
RESPONSES = {one.key: one for one in notations() if one.kind == "r"}
OPENED = {"kafka.record", "kafka.batch"}
TIMES = ("time",)


def read_back(fields: list[Field]) -> list[Any]:
    """Values of the tree in wire order, generated fields, lengths and what lies inside records and bytes left out."""
    found: list[Any] = []

    def visit(one: Field) -> None:
        name = one.spec.name
        if name in ("kafka.tagged_fields_count", "kafka.tagged_field_tag", "kafka.tagged_field_size",
                    "kafka.note") or (not one.length and one.text.startswith("[")):
            return
        if name == "kafka.tagged_field_data":
            found.append(one.value)
        elif name == "kafka.records":
            found.append(b"records" if one.fields[0].value > 0 else b"" if one.fields[0].value == 0 else None)
        elif name == "kafka.present":
            found.append("struct" if one.value == 1 else "null")
        elif one.spec.type in ("none", "protocol") and one.value is None:
            children = list(one.fields)
            if children and children[0].name == name + "_len" and not (children[0].spec.label.endswith("Length") or children[0].spec.label.endswith("length")):
                found.append(children[0].value)
                children = children[1:]
            for child in children:
                visit(child)
        elif one.spec.type == "time":
            found.append(one.value // 1_000_000)
        elif one.spec.type == "bytes" and one.value is None and one.length:
            found.append(b"opened")
        else:
            found.append(one.value)
    for one in fields:
        visit(one)
    return found


def expected(values: list[tuple[str, Any]]) -> list[Any]:
    return [b"records" if name in ("Records", "UnalignedRecords") and value else value for name, value in values]


def check(one: Notation, version: int, fields: list[Field], head: int, values: list[tuple[str, Any]], size: int) -> None:
    where = f"{one.kind} {one.name} v{version}"
    bad = [field.text for field in walk(fields) if field.name in ("_ws.malformed", "kafka.left_over", "kafka.body")]
    assert not bad, (where, bad)
    assert not uncovered(fields, size), where
    got, want = read_back(fields)[head:], expected(values)
    assert len(got) == len(want), where
    for mine, theirs in zip(got, want, strict=True):
        assert mine == theirs or (mine == b"opened" and isinstance(theirs, bytes)), where


@pytest.mark.parametrize("one", REQUESTS, ids=lambda one: one.name)
def test_a_message_of_any_version_reads_back_as_it_was_written(one: Notation) -> None:
    rng = random.Random(one.key)
    answer = RESPONSES[one.key]
    for version in range(one.low, one.high + 1):
        for _ in range(3):
            body, values = one.make(version, rng)
            header = 0 if (one.key, version) == (7, 0) else 2 if one.flexible(version) else 1
            request = request_frame(one.key, version, body, header=header)
            body, answers = answer.make(version, rng)
            if one.key == 18 and body.startswith(b"\0\x23"):
                continue
            asked, answered = exchange(request, response_frame(body, header=int(answer.flexible(version) and one.key != 18)))
            check(one, version, KAFKA.dissect(asked), 4 + (header > 0), values, len(request))
            check(answer, version, KAFKA.dissect(answered), 2, answers, answered.length)
            assert KAFKA.describe(asked).op == f"{one.name} v{version}"
            assert "[Malformed]" not in KAFKA.describe(answered).info


def test_the_table_holds_every_api_and_version_of_the_reference() -> None:
    assert len(REQUESTS) == 95
    assert sum(one.high - one.low + 1 for one in REQUESTS) == 368
    assert [one.key for one in REQUESTS] == list(range(95))


