"""Fields skimmed by name are those that a walk of the tree meets, in every recording and for any bytes."""
from __future__ import annotations

import random
import struct
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka_wire import (
    KAFKA,
    REQUESTS,
    RESPONSES,
    batch,
    capture_names,
    conversations,
    exchange,
    message,
    messages,
    pair,
    produce,
    record,
    request_frame,
    response_frame,
)

from protocols.decoder import FieldReaders, MessageBytes
from protocols.engine.fields import Field, walk
from protocols.kafka import frames
from protocols.kafka.topics import Topics, topic_id
from protocols.message_heads import MessageHeads

USUAL = ("kafka.error", "kafka.partition_id", "kafka.topic_name", "kafka.throttle_time", "kafka.offset", "kafka.client_id", "kafka.api_key", "kafka.topics",
         "kafka.topic_name_len", "kafka.broker_id", "kafka.consumer_group", "kafka.leader_epoch", "kafka.partitions_len", "kafka.records")
INTERNAL = b"__consumer_offsets"


def shown(fields: Sequence[Field], names: frozenset[str]) -> list[str]:
    """Name, value and range of the fields with these names; as text, since a NaN equals nothing."""
    return [repr((one.name, one.value, one.start, one.length, one.view)) for one in walk(fields) if one.name in names]


def skimmed(one: MessageBytes, names: frozenset[str]) -> list[str]:
    one.views.clear()
    return shown(KAFKA.fast.skim(one, names), names)


def dissected(one: MessageBytes, names: frozenset[str]) -> list[str]:
    one.views.clear()
    return shown(KAFKA.dissect(one), names)


def judged(one: MessageBytes, seed: int, most: int = 1000) -> None:
    """Names of the message singly (`most` of them), two at once, and some that it may not have."""
    one.views.clear()
    tree = [(field.name, repr((field.name, field.value, field.start, field.length, field.view))) for field in walk(KAFKA.dissect(one))]
    there = sorted({name for name, _ in tree})
    rng = random.Random(seed)
    pairs = [frozenset(rng.sample([*there, *USUAL], 2)) for _ in range(min(most, 4))]
    for names in (*({name} for name in rng.sample(there, min(most, len(there)))), *({name} for name in USUAL[:most]), *pairs):
        assert skimmed(one, frozenset(names)) == [line for name, line in tree if name in names], names


@pytest.mark.parametrize("name", capture_names())
def test_every_name_of_a_recording_is_skimmed_as_the_tree_has_it(name: str) -> None:
    seen: dict[object, int] = {}
    for number, (pdu, one) in enumerate(messages(name)):
        kind = (one.from_client, one.header.context or (one.peer is not None and one.peer.header.context), one.length.bit_length())
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] == 1 and one.length < 3_000:
            judged(one, number, 1000 if len(seen) < 40 else 2)
        elif seen[kind] < 5:
            names = frozenset(USUAL[number % 7::7])
            assert skimmed(one, names) == dissected(one, names), (names, pdu)


@pytest.mark.parametrize("name", ["kafka.error", "kafka.partition_id", "kafka.topic_name", "kafka.throttle_time"])
def test_most_messages_need_no_tree(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    trees: list[MessageBytes] = []
    dissect = frames.dissect
    monkeypatch.setattr(frames, "dissect", lambda one: trees.append(one) or dissect(one))
    count = 0
    for recording in capture_names():
        for _, one in messages(recording):
            count += 1
            KAFKA.fast.skim(one, frozenset((name,)))
    assert count > 5000
    assert len(trees) < count / 20


def test_every_version_of_every_message_is_skimmed_as_its_tree_has_it() -> None:
    rng = random.Random(5)
    for one in REQUESTS:
        for version in range(one.low, one.high + 1):
            header = 0 if (one.key, version) == (7, 0) else 2 if one.flexible(version) else 1
            body, _ = one.make(version, rng)
            answer, _ = RESPONSES[one.key].make(version, rng)
            for made in exchange(request_frame(one.key, version, body, header=header),
                                 response_frame(answer, header=int(one.flexible(version) and one.key != 18))):
                there = sorted({field.name for field in walk(KAFKA.dissect(made))})
                for name in {*rng.sample(there, min(2, len(there))), *rng.sample(USUAL, 1)}:
                    assert skimmed(made, frozenset((name,))) == dissected(made, frozenset((name,))), (one.name, version, name)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_any_message_is_skimmed_as_its_tree_has_it(seed: int) -> None:
    for one in pair(seed):
        judged(one, seed, 12)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**9), st.lists(st.tuples(st.integers(12, 5000), st.integers(1, 255)), min_size=1, max_size=3), st.floats(0, 1), st.booleans())
def test_flipped_and_cut_messages_are_skimmed_as_their_trees_have_them(seed: int, flips: list[tuple[int, int]], share: float, whole: bool) -> None:
    for one in pair(seed):
        data = bytearray(one.data)
        for at, mask in flips:
            data[12 + (at - 12) % max(1, len(data) - 12) if len(data) > 12 else 0] ^= mask
        have = len(data) if whole else int(len(data) * share)
        for length in (have, len(data)):  # a message that says that it ends too early, and one that is cut off
            made = MessageBytes(bytes(data[:have]), 0, have, length, one.header, one.from_client, find_peer=one.find_peer)
            there = sorted({field.name for field in walk(KAFKA.dissect(made))})
            for name in {*random.Random(seed).sample(there, min(5, len(there))), *USUAL[:4]}:
                assert skimmed(made, frozenset((name,))) == dissected(made, frozenset((name,))), name


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([(one.key, version) for one in REQUESTS for version in range(one.low, one.high + 1)]), st.binary(max_size=120), st.sampled_from(USUAL))
def test_random_bodies_are_skimmed_as_their_trees_have_them(api: tuple[int, int], body: bytes, name: str) -> None:
    for one in (*exchange(request_frame(*api, body), response_frame(body)), message(response_frame(body), False)):
        assert skimmed(one, frozenset((name,))) == dissected(one, frozenset((name,)))


def test_structs_that_may_be_null_are_skimmed_as_the_tree_has_them() -> None:
    rng = random.Random(8)
    layouts = [one for one in (*REQUESTS, *RESPONSES.values()) if "}?" in one.text]
    assert layouts
    for one in layouts:
        for seed in range(6):
            body, _ = one.make(one.high, rng)
            asked, answered = exchange(request_frame(one.key, one.high, body, header=2), response_frame(body, header=1))
            judged(asked if one.kind == "q" else answered, seed)


NAMES = struct.pack(">ih", 2, 2) + b"ab"
PARTITION = b"\2\2t\2" + struct.pack(">ihqqq", 7, 0, 0, 0, 0) + b"\1\1"
"""A Produce answer of version 10 up to the tagged fields of its one partition 7 of topic t."""


@pytest.mark.parametrize(("key", "version", "asked", "answered", "name", "found"), [
    # Metadata v0: topics, names behind an int16 that is -1 or more
    (3, 0, NAMES + struct.pack(">h", 1) + b"c", b"", "kafka.topic_name", [["ab", "c"], []]),
    (3, 0, NAMES + struct.pack(">h", -2), b"", "kafka.topic_name", [["ab"], []]),
    (3, 0, struct.pack(">ihh", 2, -2, 1) + b"c", b"", "kafka.topic_name", [[], []]),
    (3, 0, struct.pack(">i", -2) + NAMES, b"", "kafka.topic_name", [[], []]),
    # Produce v8: the acks stand behind a transactional id, which may be null
    (0, 8, struct.pack(">hh", -1, 1), b"", "kafka.required_acks", [[1], []]),
    (0, 8, struct.pack(">hh", -2, 1), b"", "kafka.required_acks", [[], []]),
    # ApiVersions v4: header tags, software name and version; tag numbers have 32 bits
    (18, 4, b"\1\xff\xff\xff\xff\x0f\0\3ab\2c\0", b"", "kafka.client_software_name", [["ab"], []]),
    (18, 4, b"\1\xff\xff\xff\xff\x1f\0\3ab\2c\0", b"", "kafka.client_software_name", [[], []]),
    # ApiVersions: an answer in version 0 from a broker that does not know version 3: error 35, one API with two versions
    (18, 3, b"\0\2a\2b\0", struct.pack(">hihhh", 35, 1, 18, 0, 2), "kafka.api_versions.max_version", [[], [2]]),
    # Produce v10: leader id and epoch in a tagged field of the right size (9 with their own tags), and of one too small
    (0, 10, b"", PARTITION + b"\1\0\x09" + struct.pack(">ii", 4, 5) + b"\0\0" + bytes(5), "kafka.leader_epoch", [[], [5]]),
    (0, 10, b"", PARTITION + b"\1\0\4" + struct.pack(">ii", 4, 5) + b"\0\0" + bytes(5), "kafka.leader_epoch", [[], []]),
])
def test_odd_and_faulty_bytes(key: int, version: int, asked: bytes, answered: bytes, name: str, found: list[list[object]]) -> None:
    flexible = key == 18 or (key, version) == (0, 10)
    pair = exchange(request_frame(key, version, asked), response_frame(answered, header=int(flexible and key != 18)))
    for one, expected in zip(pair, found, strict=True):
        assert [field.value for field in walk(KAFKA.dissect(one)) if field.name == name] == expected
        assert values(one, name) == expected
    compared((name,), *heads_of(*pair), pair)


def offsets_batch() -> bytes:
    """A committed offset as Kafka keeps it: OffsetCommitKey and OffsetCommitValue version 1."""
    def text(data: bytes) -> bytes:
        return struct.pack(">h", len(data)) + data

    key = struct.pack(">h", 1) + text(b"group") + text(b"committed-topic") + struct.pack(">i", 77)
    return batch(record(key, struct.pack(">hq", 1, 42) + text(b"") + struct.pack(">qq", 0, 0)), 1)


def values(one: MessageBytes, name: str) -> list[object]:
    names = frozenset((name,))
    return [field.value for field in walk(KAFKA.fast.skim(one, names)) if field.name == name]


def test_names_inside_records_of_kafkas_own_topics_are_found() -> None:
    one = message(produce(offsets_batch(), topic=INTERNAL))
    assert values(one, "kafka.topic_name") == ["__consumer_offsets", "committed-topic"]
    assert values(one, "kafka.partition_id") == [0, 77]
    assert values(message(produce(offsets_batch(), topic=b"orders")), "kafka.partition_id") == [0]


def test_a_fetch_that_names_such_a_topic_by_its_id_is_opened_too() -> None:
    # a Metadata answer, version 10: throttle time, no brokers, no cluster id, no controller, and one topic with its id, which is longer than a header
    identity = b"0123456789abcdef"
    name = bytes([len(INTERNAL) + 1]) + INTERNAL
    filler = b"".join(b"\0\0\6other" + bytes(16) + b"\0\1" + bytes(4) + b"\0" for _ in range(200))
    topics = b"\xca\1" + filler + b"\0\0" + name + identity + b"\1\1" + bytes(4) + b"\0"
    body = struct.pack(">i", 0) + b"\1\0" + struct.pack(">i", -1) + topics + bytes(4) + b"\0"
    _, answer = exchange(request_frame(3, 10, b"\1\0\0\0\0", header=2), response_frame(body, header=1))
    assert answer.length > 4096
    topics = Topics()
    assert KAFKA.teaches(answer)
    KAFKA.learn(answer, topics)
    assert topics.names[topic_id(identity)] == INTERNAL.decode()
    # Fetch, version 13: one partition of this topic with a batch
    records = offsets_batch()
    partition = struct.pack(">ihqqq", 5, 0, 1, 1, 0) + b"\0" + struct.pack(">i", -1) + skim_length(len(records) + 1) + records + b"\0"
    body = struct.pack(">ihi", 0, 0, 0) + b"\2" + identity + b"\2" + partition + b"\0" + b"\0"
    _, fetched = exchange(request_frame(1, 13, b"", header=2), response_frame(body, header=1), topics)
    assert values(fetched, "kafka.partition_id") == [5, 77]


def skim_length(value: int) -> bytes:
    return bytes([value & 0x7F | 0x80, value >> 7])


def heads_of(asked: MessageBytes, answered: MessageBytes) -> tuple[MessageHeads, np.ndarray]:
    """A request and its response as rows 0 and 1."""
    head = np.zeros((2, 64), np.uint8)
    for row, one in enumerate((asked, answered)):
        head[row, :min(64, one.end)] = np.frombuffer(one.data[:64], np.uint8)
    return MessageHeads(head, np.array([asked.end, answered.end]), np.array([asked.length, answered.length]), np.array([True, False])), np.array([1, 0])


def test_what_a_message_cannot_hold_is_known_from_its_api_and_version() -> None:
    def told(version: int, name: str) -> list[int]:
        heads, peer = heads_of(*exchange(request_frame(1, version, b""), response_frame(b"")))
        return [int(one) for one in KAFKA.fast.readers((name,), heads, peer, Topics).reader]

    none, tree = FieldReaders.NONE, FieldReaders.TREE
    assert told(6, "kafka.error") == [none, 0]
    assert told(6, "kafka.fetch_session_id") == [none, none]
    assert told(7, "kafka.fetch_session_id")[0] >= 0
    assert told(99, "kafka.error") == [tree, tree]
    assert told(6, "_ws.malformed") == [tree, tree]
    assert told(6, "kafka.long_poll") == [tree, none]
    heads, _ = heads_of(*exchange(request_frame(1, 6, b""), response_frame(b"")))
    assert KAFKA.fast.readers(("kafka.error",), heads, np.array([-1, -1]), Topics).reader.tolist() == [none, tree], "a response without its request"
    heads.have[0] = 8
    assert KAFKA.fast.readers(("kafka.error",), heads, np.array([1, 0]), Topics).reader.tolist() == [tree, tree], "a request whose header is cut off"


def compared(names: tuple[str, ...], heads: MessageHeads, peer: np.ndarray, rows: Sequence[MessageBytes]) -> int:
    """How many of the messages were skimmed; what they gave is what their trees have."""
    skims, count = KAFKA.fast.readers(names, heads, peer, rows[0].find_facts), 0
    for number, one in zip(skims.reader.tolist(), rows, strict=True):
        if number == FieldReaders.TREE:
            continue
        before, behind = b"\xff" * 3, b"\1" * 100
        got = skims.readers[number](before + one.data + behind, 3, 3 + one.end, 0) if number >= 0 else ([],) * len(names)
        if got is not None:
            count += 1
            one.views.clear()
            tree = list(walk(KAFKA.dissect(one)))
            assert repr(list(got)) == repr([[field.value for field in tree if field.name == name] for name in names]), (names, one.header)
    return count


@pytest.mark.parametrize("name", ["kafka-confluent-4.1-groups-classic", "kafka-java-4.1-txn", "kafka-raw-4.1-versions", "kafka-kafkapython2-2.8-legacy"])
def test_many_messages_are_skimmed_as_their_trees_have_them(name: str) -> None:
    rng, skimmed_ones, count = random.Random(name), 0, 0
    for conversation in conversations(name):
        columns = conversation.messages
        if columns is not None and columns.heads is not None:
            rows = [conversation.message(pdu) for pdu in columns]
            skimmed_ones += compared(tuple(rng.sample(USUAL, 2)), columns.heads, columns.peer, rows)
            count += len(rows)
    assert skimmed_ones >= count / 2


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**9), st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=2))
def test_values_of_flipped_messages_are_those_of_their_trees(seed: int, flips: list[tuple[int, int]]) -> None:
    asked, answered = pair(seed)
    data = bytearray(answered.data)
    for at, mask in flips:
        data[8 + at % max(1, len(data) - 8) if len(data) > 8 else 0] ^= mask
    answered = MessageBytes(bytes(data), 0, len(data), len(data), answered.header, False, find_peer=lambda: asked)
    names = sorted({*USUAL, *(field.name for one in (asked, answered) for field in walk(KAFKA.dissect(one)))} - {"kafka.records_len"})
    for name in random.Random(seed).sample(names, 6):
        compared((name, "kafka.records_len"), *heads_of(asked, answered), (asked, answered))
