"""The words of Kafka messages: read from the bytes they equal those of the tree, name what both sides of an exchange name, and stay small."""
from __future__ import annotations

import random
import struct
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka_wire import KAFKA, REQUESTS, RESPONSES, capture_names, exchange, message, messages, pair, request_frame, response_frame, uvarint
from work import calls, memory

from protocols.decoder import MessageBytes, Status, Summary
from protocols.kafka import words
from protocols.kafka.topics import Topics

NAMES = capture_names()


def by_tree(one: MessageBytes, monkeypatch: pytest.MonkeyPatch) -> Summary:
    with monkeypatch.context() as patch:
        patch.setattr(words, "request_reader", lambda api: None)
        patch.setattr(words, "answer_reader", lambda api: None)
        return KAFKA.describe(one)


def facts(found: Summary) -> tuple[object, ...]:
    return (found.op, found.endpoint, found.id, found.status, found.code, found.error, found.error_text, found.soft, found.long_poll, found.client_id)


def same(one: MessageBytes, monkeypatch: pytest.MonkeyPatch) -> None:
    fast, slow = KAFKA.describe(one), by_tree(one, monkeypatch)
    assert facts(fast) == facts(slow)
    assert fast.targets[:1] == slow.targets[:1] and set(slow.targets) <= set(fast.targets)


@pytest.mark.parametrize("name", NAMES[::8])
def test_words_read_from_bytes_are_those_of_the_tree(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for _, one in messages(name):
        same(one, monkeypatch)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 10**9))
def test_words_of_any_message_of_the_schema_are_those_of_the_tree(seed: int) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        for one in pair(seed):
            same(one, monkeypatch)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9), st.binary(min_size=1, max_size=4), st.floats(0, 1))
def test_damaged_messages_have_words(seed: int, damage: bytes, share: float) -> None:
    for one in pair(seed):
        at = min(len(one.data) - 1, 12 + int(share * len(one.data)))
        data = (one.data[:at] + damage + one.data[at + len(damage):])[:len(one.data)]
        found = KAFKA.describe(replace(one, data=data))
        assert found.op and found.info


# whole values

def orders(partitions: int, version: int = 8) -> tuple[MessageBytes, MessageBytes]:
    """A Produce exchange about that many partitions of two topics."""
    def topics(partition: bytes) -> bytes:
        made = struct.pack(">i", 2)
        for name in (b"orders", b"a, b"):
            made += struct.pack(">h", len(name)) + name + struct.pack(">i", partitions)
            made += b"".join(struct.pack(">i", at) + partition for at in range(partitions))
        return made
    asked = struct.pack(">hhi", -1, -1, 30_000) + topics(struct.pack(">i", 0))
    answered = topics(struct.pack(">hqqqih", 0, 7, -1, 0, 0, -1)) + struct.pack(">i", 0)
    return exchange(request_frame(0, version, asked, client=b"shop"), response_frame(answered))


def test_targets_are_whole_and_the_same_on_both_sides() -> None:
    asked, answered = (KAFKA.describe(one) for one in orders(3))
    assert asked.targets == answered.targets == ("orders-0", "orders-1", "orders-2", "a, b-0", "a, b-1", "a, b-2")
    assert asked.client_id == "shop" and not answered.client_id
    assert "orders-0, orders-1, orders-2, +3" in asked.info


def test_a_topic_known_by_its_id_is_called_by_its_name() -> None:
    topics = Topics()
    topics.learn("AAAAAAAAAAAAAAAAAAAAAw", "orders")
    partition = struct.pack(">iiqiqi", 4, -1, 7, -1, -1, 1 << 20)
    body = struct.pack(">iiiibii", -1, 500, 1, 1 << 20, 0, 0, -1) + b"\2" + bytes(15) + b"\3" + b"\2" + partition + b"\0\0\1\1\0"
    asked = KAFKA.describe(message(request_frame(1, 13, body, header=2), topics=topics))
    assert (asked.targets, asked.endpoint, asked.long_poll) == (("orders-4",), "orders", True)
    unknown = KAFKA.describe(message(request_frame(1, 13, body, header=2)))
    assert unknown.targets == ("AAAAAAAAAAAAAAAAAAAAAw-4",)


@pytest.mark.parametrize(("key", "version"), [(key, version) for one in REQUESTS for key, version in ((one.key, one.low), (one.key, one.high))])
def test_what_both_sides_name_is_of_one_kind(key: int, version: int) -> None:
    """Topics, partitions of topics, or a group and the like: whatever is in a random request and its response."""
    asked_as, answered_as = set(), set()
    for seed in range(12):
        rng = random.Random(seed)
        one, other = next(one for one in REQUESTS if one.key == key), RESPONSES[key]
        asked, answered = exchange(request_frame(key, version, one.make(version, rng)[0], header=0 if (key, version) == (7, 0) else 1 + one.flexible(version)),
                                   response_frame(other.make(version, rng)[0], header=int(one.flexible(version) and key != 18)))
        for side, found in ((asked, asked_as), (answered, answered_as)):
            reader = (words.request_reader if side is asked else words.answer_reader)(asked.header.context)
            assert reader is not None
            flat = reader(side.data, 0, side.end, 0)[0]
            found |= {"other" if isinstance(name, list) else "partition" if isinstance(name, int) else "topic" for name in flat}
    if asked_as and answered_as:
        assert ("other" in asked_as) == ("other" in answered_as)
        assert asked_as == answered_as


# errors

def test_the_brokers_own_words_about_an_error_are_told() -> None:
    answered = struct.pack(">i", 0) + struct.pack(">i", 1) + struct.pack(">h5sh", 5, b"plain", 36)
    text = b"Topic 'plain' already exists."
    answered += struct.pack(">h", len(text)) + text
    body = struct.pack(">ih5sihii", 1, 5, b"plain", 1, 1, 0, 0) + struct.pack(">ib", 30_000, 0)
    _, one = exchange(request_frame(19, 2, body), response_frame(answered))
    found = KAFKA.describe(one)
    assert (found.status, found.code, found.error, found.error_text) == (Status.CLIENT_ERROR, 36, "TOPIC_ALREADY_EXISTS", "Topic 'plain' already exists.")
    assert found.info == "CreateTopics v2 ← TOPIC_ALREADY_EXISTS (36): Topic 'plain' already exists. plain"


def test_an_error_behind_many_partitions_is_found() -> None:
    asked, answered = orders(2_000)
    at = answered.data.rindex(struct.pack(">ih", 1_999, 0)) + 4
    failed = replace(answered, data=answered.data[:at] + struct.pack(">h", 19) + answered.data[at + 2:])
    found = KAFKA.describe(failed)
    assert (found.error, len(found.targets)) == ("NOT_ENOUGH_REPLICAS", words.MOST_NAMES)
    assert KAFKA.describe(asked).targets == found.targets


# how much is looked at

def test_a_request_of_sixteen_million_names_costs_no_memory() -> None:
    count = 16_000_000
    data = request_frame(3, 9, uvarint(count + 1) + b"\2a\0" * count + b"\1\0\0\0", header=2)
    asked = message(data)
    found, held = memory(lambda: KAFKA.describe(asked))
    assert found.targets == ("a",) and held < 1_000_000
    text, held = memory(lambda: found.info)
    assert text.startswith("Metadata v9 a") and held < 10_000_000


def test_a_response_of_many_partitions_costs_no_memory() -> None:
    _, answered = orders(10_000)
    found, held = memory(lambda: KAFKA.describe(answered))
    assert len(found.targets) == words.MOST_NAMES and held < 500_000
    text, held = memory(lambda: found.info)
    assert "orders-0@7" in text and held < 20_000_000


def test_the_info_column_is_made_when_it_is_read_and_a_response_does_not_read_its_request() -> None:
    _, answered = orders(1)
    KAFKA.describe(answered)    # the reader is made
    _, small = calls(lambda: KAFKA.describe(answered))
    larger, _ = orders(250)
    big = replace(answered, find_peer=lambda: larger)
    _, same_work = calls(lambda: KAFKA.describe(big))
    assert same_work <= small + 2 and small < 60
