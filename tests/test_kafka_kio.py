"""A second writer: entities of the kio library, where it is installed, serialised by it and read back."""
from __future__ import annotations

import dataclasses
import datetime
import io
import random
import types
import typing
import uuid
from typing import Any

import pytest
from kafka_wire import KAFKA, batch, exchange, record, request_frame, response_frame, uncovered, walk

from protocols.kafka import schema
from protocols.kafka.topics import topic_id

index = pytest.importorskip("kio.index")
serial = pytest.importorskip("kio.serial")

SCALARS = {"int8": 7, "int16": 15, "int32": 31, "int64": 63, "uint16": 16, "uint32": 32}
KEYS = [(one.key, version) for one in schema.messages() if one.kind == "q" for version in {one.least, one.most, (one.least + one.most) // 2}]


def value_of(kind: str, nullable: bool, rng: random.Random) -> tuple[Any, Any]:
    """(what kio takes, what we read) of one scalar."""
    if nullable and kind != "uuid" and rng.random() < 0.3:
        return None, None
    if kind in SCALARS:
        number = rng.getrandbits(SCALARS[kind] - 1)
        return number, number
    if kind == "string":
        text = rng.choice(("", "a", "длинное имя", "x" * 200))
        return text, text
    if kind == "bytes":
        return b"\xff\1\2", b"\xff\1\2"
    if kind == "records":
        data = batch(record(b"k", b"v"), 1)
        return data, b"records"
    if kind == "bool":
        return (flag := rng.random() < 0.5), flag
    if kind == "float64":
        return (number := rng.uniform(-5, 5)), number
    if kind == "uuid":
        made = uuid.UUID(int=rng.getrandbits(128) | 1)
        return made, topic_id(made.bytes)
    if kind.startswith("timedelta"):
        number = rng.randrange(1_000_000)
        return datetime.timedelta(milliseconds=number), number
    if kind.startswith("datetime"):
        number = rng.randrange(1_700_000_000_000)
        return datetime.datetime.fromtimestamp(number / 1000, datetime.UTC).replace(microsecond=number % 1000 * 1000), number
    assert kind == "error_code", kind
    from kio.schema.errors import ErrorCode
    error = rng.choice(list(ErrorCode))
    return error, error.value


def entity(cls: Any, rng: random.Random, values: list[Any]) -> Any:
    """A random entity; its scalars are appended to `values` in wire order. Tagged fields keep their defaults, which are not written."""
    made = {}
    hints = typing.get_type_hints(cls)
    for one in dataclasses.fields(cls):
        if "tag" in one.metadata:
            if one.default is dataclasses.MISSING:
                made[one.name] = entity(hints[one.name], rng, [])
            continue
        hint, nullable = hints[one.name], False
        if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
            nullable = True
            hint = next(arg for arg in typing.get_args(hint) if arg is not type(None))
        if typing.get_origin(hint) is tuple:
            count = rng.randrange(3)
            element = typing.get_args(hint)[0]
            if dataclasses.is_dataclass(element):
                made[one.name] = tuple(entity(element, rng, values) for _ in range(count))
            else:
                pairs = [value_of(one.metadata["kafka_type"], False, rng) for _ in range(count)]
                made[one.name] = tuple(pair[0] for pair in pairs)
                values += [pair[1] for pair in pairs]
        elif dataclasses.is_dataclass(hint):
            made[one.name] = entity(hint, rng, values)
        else:
            made[one.name], read = value_of(one.metadata["kafka_type"], nullable, rng)
            values.append(read)
    return cls(**made)


def scalars(fields: Any) -> list[Any]:
    """Scalars of a tree in wire order, without lengths, counts, tags and what is generated."""
    found: list[Any] = []
    for one in fields:
        if one.name.startswith("kafka.tagged_field") or one.name in ("kafka.present", "kafka.note") or (not one.length and one.text.startswith("[")):
            continue
        if one.name == "kafka.records":
            found.append(b"records" if one.fields[0].value > 0 else None)
        elif one.spec.type == "bytes" and one.value is None and one.length:
            found.append(b"\xff\1\2")
        elif one.spec.type == "none" and one.value is None:
            found += scalars(child for child in one.fields if child.name != one.name + "_len")
        else:
            found.append(one.value // 1_000_000 if one.spec.type == "time" else one.value)
    return found


@pytest.mark.parametrize(("key", "version"), KEYS)
def test_what_kio_writes_reads_back_equal(key: int, version: int) -> None:
    message = schema.request(key)
    assert message is not None
    try:
        asking, answering = index.load_request_schema(key, version), index.load_response_schema(key, version)
    except (index.KioIndexError, index.UnknownAPIKey, ImportError):
        pytest.skip("kio has no such version")
    rng = random.Random(key * 100 + version)
    bodies, wanted = [], []
    for cls in (asking, answering):
        values: list[Any] = []
        buffer = io.BytesIO()
        serial.entity_writer(cls)(buffer, entity(cls, rng, values))
        bodies.append(buffer.getvalue())
        wanted.append(values)
    flexible = message.is_flexible(version)
    request = request_frame(key, version, bodies[0], header=2 if flexible else 1)
    asked, answered = exchange(request, response_frame(bodies[1], header=int(flexible and key != 18)))
    if key == 18 and bodies[1].startswith(b"\0\x23"):
        return
    for one, values, head in ((asked, wanted[0], 5), (answered, wanted[1], 2)):
        tree = KAFKA.dissect(one)
        assert not [field.text for field in walk(tree) if field.name in ("_ws.malformed", "kafka.left_over")]
        assert not uncovered(tree, one.end)
        assert scalars(tree)[head:] == values
