"""Each generation's encodings, built here from the document's tables, are told apart from the others' and read by their own layout."""
from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
from iggy_wire import (
    Wire,
    consumer,
    faults,
    headers,
    ident,
    name,
    partition,
    partitioning,
    polled,
    reply,
    request,
    send,
    strategy,
    text,
    u8,
    u32,
    u64,
    uncovered,
    values,
)

from protocols.engine.fields import Field
from protocols.iggy import commands as c
from protocols.iggy.generation import fitting
from protocols.iggy.layouts import GENERATIONS

CLASSIC = (1, 2, 3, 4)
IDS: tuple[int | str, ...] = (1, 0xFFFFFFFF, "o", "заказы", "a" * 255)
CONSUMERS = [(kind, who) for kind in (1, 2) for who in (7, "workers")]
PARTITIONS = (None, 0, 3, 0xFFFFFFFF)
SETTINGS = u8(1) + u64(0) + u64((1 << 64) - 1) + u8(1)
WHERE = (partitioning(), partitioning(2, u32(3)), partitioning(3, b"k"), partitioning(3, bytes(255)))


def like(generation: int) -> frozenset[int]:
    """Generations 1 and 2, and 3 and 4, have the same requests but for messages."""
    return frozenset({1, 2} if generation < 3 else {3, 4})


@pytest.mark.parametrize("generation", CLASSIC)
def test_polls_are_told_by_their_partition(generation: int) -> None:
    for (kind, who), stream, where, how in product(CONSUMERS, IDS, PARTITIONS, (1, 2, 3, 4, 5)):
        if where is None and generation < 3:
            continue
        payload = consumer(kind, who) + ident(stream) + ident("t") + partition(generation, where) + strategy(how, 9) + u32(10) + u8(1)
        assert fitting(c.POLL, True, payload, 0, len(payload)) == like(generation)


@pytest.mark.parametrize(("generation", "code", "more"), [
    (generation, code, more) for generation in CLASSIC for code, more in ((c.GET_OFFSET, b""), (c.STORE_OFFSET, u64(41)), (c.DELETE_OFFSET, b""))])
def test_offsets_are_told_by_their_partition(generation: int, code: int, more: bytes) -> None:
    for (kind, who), stream, where in product(CONSUMERS, IDS, PARTITIONS[1:]):
        payload = consumer(kind, who) + ident(stream) + ident(5) + partition(generation, where) + more
        assert fitting(code, True, payload, 0, len(payload)) == like(generation)


@pytest.mark.parametrize("generation", CLASSIC)
def test_requests_to_create_are_told_by_the_number_before_0_6(generation: int) -> None:
    for number, called in product((0, 1, 0x10000), ("s", "заказы", "a" * 200)):
        before = u32(number) if generation < 3 else b""
        stream, topic, group = before + name(called), ident("s") + before + u32(3) + SETTINGS + name(called), ident("s") + ident(1) + before + name(called)
        for code, payload in ((c.CREATE_STREAM, stream), (c.CREATE_TOPIC, topic), (c.CREATE_GROUP, group)):
            assert fitting(code, True, payload, 0, len(payload)) == like(generation), (code, number, called)


MORE = {generation: headers(generation, [("k", 2, b"v"), ("flag", 3, b"\1"), ("n", 12, u64(7))]) for generation in CLASSIC}
PAYLOADS = ([b"hello"], [b"a", b"\0" * 64], [b"", bytes(range(256)), b'{"a": 1}'])


@pytest.mark.parametrize("generation", CLASSIC)
def test_sends_are_told_by_the_size_of_the_message_header(generation: int) -> None:
    for stream, where, payloads, more in product(IDS, WHERE, PAYLOADS, (b"", MORE[generation])):
        payload = send(generation, ident(stream), ident(2), where, payloads, more)
        assert fitting(c.SEND, True, payload, 0, len(payload)) == {1: {1}, 2: {2, 3}, 3: {2, 3}, 4: {4}}[generation]


@pytest.mark.parametrize("generation", CLASSIC)
def test_polled_messages_are_told_by_their_header(generation: int) -> None:
    for payloads, more in product(PAYLOADS, (b"", MORE[generation])):
        payload = polled(generation, 3, payloads, 100, more)
        assert fitting(c.POLL, False, payload, 0, len(payload)) == {1: {1}, 2: {2, 3}, 3: {2, 3}, 4: {4}}[generation]


def conversation(generation: int) -> list[tuple[bytes, bytes]]:
    """Requests and their replies that together tell the generation."""
    before = u32(0) if generation < 3 else b""
    return [
        (request(c.LOGIN, name("iggy") + name("secret") + text("") + text("")), reply(u32(1))),
        (request(c.CREATE_STREAM, before + name("orders")), reply(u32(1) + u64(0) + u32(0) + u64(0) + u64(0) + name("orders"))),
        (request(c.SEND, send(generation, ident("orders"), ident(1), partitioning(), [b"one", b"two"], MORE[generation])), reply()),
        (request(c.POLL, consumer() + ident("orders") + ident(1) + partition(generation, 1) + strategy() + u32(10) + u8(0)),
         reply(polled(generation, 1, [b"one", b"two"], 0, MORE[generation]))),
    ]


@pytest.mark.parametrize("generation", CLASSIC)
def test_a_connection_settles_on_one_generation_also_for_the_messages_before(generation: int) -> None:
    wire = Wire()
    messages = [message for ask, answer in conversation(generation) for message in (wire.client(ask), wire.server(answer))]
    assert wire.session.generations == {generation}
    for message in messages:
        tree = wire.tree(message)
        assert not faults(tree)
        assert not uncovered(tree, message.length)
        told = values(tree).get("iggy.generation")
        assert told in (None, GENERATIONS[generation])
    assert "fits" in wire.session.reason


@pytest.mark.parametrize(("first", "second"), [(one, other) for one in CLASSIC for other in CLASSIC if one != other])
def test_later_evidence_wins_and_every_message_is_read_by_the_layout_that_fits_it(first: int, second: int) -> None:
    wire = Wire()
    messages = [wire.client(ask) for ask, _ in conversation(first) + conversation(second)]
    for message in messages:
        assert not faults(wire.tree(message))


@pytest.mark.parametrize(("version", "generation"), [("0.6.202", 1), ("0.7.0", 2), ("0.8.0", 3), ("0.9.0", 4), ("0.10.0", 4)])
def test_the_login_s_version_decides_only_what_nothing_else_does(version: str, generation: int) -> None:
    wire = Wire()
    wire.client(request(c.LOGIN, name("iggy") + name("secret") + text(version) + text("")))
    assert wire.session.generation == generation
    other = 4 if generation < 4 else 2
    wire.client(request(c.SEND, send(other, ident(1), ident(1), partitioning(), [b"x"])))
    assert wire.session.generation != generation


@pytest.mark.parametrize("generation", CLASSIC)
def test_user_headers_keep_their_types_in_both_versions(generation: int) -> None:
    pairs = [("t", 2, "привет".encode()), ("b", 3, b"\1"), ("i", 7, (-5).to_bytes(8, "little", signed=True)), ("u", 11, u32(7)), ("odd", 99, b"\xde\xad"),
             ("raw", 1, b"\0")]
    wire = Wire()
    tree = wire.tree(wire.client(request(c.SEND, send(generation, ident(1), ident(1), partitioning(), [b"x"], headers(generation, pairs)))))
    found = [one for part in tree for one in flat(part) if one.name == "iggy.header"]
    read = [({field.name: field.value for field in one.fields}) for one in found]
    assert [(one["iggy.header.key"], one["iggy.header.value"]) for one in read] == [
        ("t", "привет"), ("b", "true"), ("i", "-5"), ("u", "7"), ("odd", "dead"), ("raw", "00")]
    assert [one.get("iggy.header.key_kind") for one in read] == [2 if generation == 4 else None] * 6


def flat(field: Field) -> Iterator[Field]:
    yield field
    for one in field.fields:
        yield from flat(one)
