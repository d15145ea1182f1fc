"""Kafka traffic that was once shown wrongly, each recording with its right value; and recordings cut to a snap length, which are Kafka's or nobody's."""
from __future__ import annotations

import gzip
import struct
from collections import Counter
from pathlib import Path

import pytest
from kafka_wire import KAFKA, conversations_of, message, named, request_frame, walk

from captures.capture import Capture
from captures.filter import Names, compile_filter
from captures.filter.parallel import pool
from captures.messages.conversation import Conversation
from protocols.decoder import Kind, MessageBytes, Side

DATA = Path(__file__).parent / "data"
CASES = DATA / "cases"
SNAPPED = (60, 68, 72, 80, 84, 96, 128, 256, 512)


def opened(path: Path) -> Capture:
    capture = Capture(path)
    capture.read_index()
    return capture


def rows(name: str) -> dict[int, list[str]]:
    """The Info column's pieces by frame number."""
    found: dict[int, list[str]] = {}
    for one in conversations_of(CASES / f"{name}.pcap"):
        for pdu in one.messages:
            found.setdefault(pdu.packet + 1, []).append(one.summary(pdu).info)
    return found


def trees(name: str) -> list[MessageBytes]:
    return [one.message(pdu) for one in conversations_of(CASES / f"{name}.pcap") for pdu in one.messages]


def lines(name: str) -> list[str]:
    return [field.text for one in trees(name) for field in walk(KAFKA.dissect(one))]


def matches(path: Path, text: str) -> list[int]:
    """The numbers of the frames that a filter shows."""
    capture = opened(path)
    names, shared = Names(capture.registry), pool.FilterPool(capture)
    found = [packet + 1 for part in shared.run(compile_filter(text, names), names) for packet in part.tolist()]
    shared.close()
    return sorted(found)


# nothing read is not "nothing there" and not "OK"

def test_an_outcome_that_was_not_captured_is_not_called_ok() -> None:
    outcomes = {}
    for one in conversations_of(CASES / "kafka-cut-says-ok.pcap"):
        for pdu in one.messages:
            if pdu.kind is Kind.RESPONSE:
                found = one.summary(pdu)
                outcomes[pdu.packet + 1] = (found.status, found.code, "OK" in found.info)
    assert outcomes == {5: ("truncated", 0, True), **dict.fromkeys((10, 15, 20, 25), ("truncated", None, False))}
    assert rows("kafka-cut-says-ok")[20] == ["Produce v3 ← (outcome not captured) [14 of 50 bytes]"]


def test_of_a_batch_what_was_captured_is_shown() -> None:
    # 2,871 bytes of a batch that says 20 records: its head takes 61; records of 309 and 310 bytes follow, 9 of them whole
    cut = next(one for one in trees("kafka-cut-batch") if not one.complete)
    tree = KAFKA.dissect(cut)
    assert named(tree, "kafka.batch_size") == [20] and named(tree, "kafka.producer_id") == [-1]
    assert [field.text.split(":")[0] for field in walk(tree) if field.name == "kafka.record"] == [f"Record at offset {number}" for number in range(9)]
    assert "11 of 20 records were not captured whole" in " ".join(field.text for field in walk(tree))
    assert not named(tree, "kafka.batch_crc.status") and not named(tree, "_ws.malformed")
    assert rows("kafka-cut-batch")[8] == ["Produce v3 orders-0 20 records 6241 B acks=all [2920 of 6290 bytes]"]


@pytest.mark.parametrize(("have", "words"), [(6290, "20 records 6241 B"), (200, "20 records 6241 B"), (80, "6241 B of records")])
def test_counts_come_from_the_heads_that_are_there(have: int, words: str) -> None:
    whole = next(one for one in trees("kafka-cut-batch") if not one.complete)
    had = whole.data + bytes(whole.length - len(whole.data))
    one = MessageBytes(had[:have], 0, have, whole.length, whole.header, True)
    assert words in KAFKA.describe(one).info


def test_a_name_cut_off_is_no_name() -> None:
    body = struct.pack(">hii", -1, 30_000, 1) + struct.pack(">h6sii", 6, b"orders", 1, 0) + struct.pack(">i", 0)
    data = request_frame(0, 2, body)
    at = data.index(b"orders")
    for have in range(at, len(data)):
        found = KAFKA.describe(message(data, have=have))
        assert found.targets in ((), ("orders",), ("orders-0",)) and ("ord" in found.info) == ("orders" in found.info)


def test_a_request_of_eight_captured_bytes_says_what_it_asks() -> None:
    assert rows("kafka-eight-byte-request")[18] == ["Metadata v8 [8 of 21 bytes]"]


# Kafka 4.4

def test_offsets_asked_for_have_names() -> None:
    asked = {line for line in lines("kafka-admin-4.4-pending-upload") if line.startswith("Timestamp: ") and "(-" in line}
    assert asked == {f"Timestamp: {name}" for name in ("latest (-1)", "earliest (-2)", "max timestamp (-3)", "earliest local (-4)", "latest tiered (-5)",
                                                       "earliest pending upload (-6)")}


def test_an_offset_asked_for_that_nobody_named_is_a_number() -> None:
    body = struct.pack(">ibi", -1, 0, 1) + struct.pack(">h6siiiq", 6, b"orders", 1, 0, -1, -77)
    tree = KAFKA.dissect(message(request_frame(2, 5, body)))
    assert [field.text for field in walk(tree) if field.name == "kafka.offset_time"] == ["Timestamp: unknown (-77)"]


def test_the_first_time_of_a_batch_with_the_flag_is_a_delete_horizon() -> None:
    found = lines("kafka-delete-horizon-4.4")
    assert "Delete horizon: 2026-11-30 21:57:20.529000000 UTC" in found
    assert "First timestamp: 2026-11-30 21:57:20.529000000 UTC" not in found


def test_records_of_kafkas_own_topics_are_called_by_their_names() -> None:
    found = lines("kafka-internal-topics-4.4")
    assert not [line for line in found if "Confluent schema" in line]
    assert Counter(line for line in found if line.startswith("Delivery state")) == {
        "Delivery state: acknowledged (2)": 20, "Delivery state: archived (4)": 4, "Delivery state: archiving (3)": 4, "Delivery state: available (0)": 4}
    # 12, 7, 4 and 2 records with the states 0, 1, 2 and 3: streams groups count theirs from 1
    states = Counter(line for line in found if line.startswith("State: "))
    assert states == {"State: stable (0)": 12, "State: stable (1)": 5, "State: unrevoked partitions (1)": 2, "State: unreleased partitions (2)": 3,
                      "State: unrevoked tasks (2)": 1, "State: unreleased tasks (3)": 2}
    values = {line.split()[1] for line in found if line.startswith("Value: ")}
    assert values >= {"ShareUpdate", "ShareSnapshot", "StreamsGroupMetadata", "GroupMetadata", "OffsetCommit", "TransactionLog"}


def test_rows_of_share_groups_tell_what_was_given_and_who_leaves() -> None:
    found = rows("kafka-share-4.4-record-limit")
    assert found[108] == ["ShareFetch v2 ← OK q44-0 6 acquired of 24 records 448 B"]
    assert found[135] == ["ShareFetch v2 ← OK q44-0 6 acquired of 24 records 448 B"]
    assert found[217] == ["ShareGroupHeartbeat v1 group=sg-44 member=2omHrLeiRv6bALXrW6jyzw epoch=-1 (leaves)"]
    assert "Share acquire mode: record_limit (1)" in lines("kafka-share-4.4-record-limit")


def test_a_topic_known_by_its_id_is_found_by_its_name_in_one_stream() -> None:
    path = CASES / "kafka-share-4.4-record-limit.pcap"
    assert len(matches(path, 'tcp.stream == 6 && pv.target == "q44-0"')) == 27


# whose bytes they are

def snapped(path: Path, size: int, folder: Path) -> Path:
    """The capture with packets of at most `size` bytes."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    order = "<" if data[:1] in b"\xd4\x4d" else ">"
    out, at = [data[:24]], 24
    while at < len(data):
        seconds, part, have, whole = struct.unpack_from(f"{order}IIII", data, at)
        out.append(struct.pack(f"{order}IIII", seconds, part, min(have, size), whole) + data[at + 16:at + 16 + min(have, size)])
        at += 16 + have
    made = folder / f"{size}.pcap"
    made.write_bytes(b"".join(out))
    return made


def recognised(path: Path) -> set[str]:
    capture = opened(path)
    found: list[Conversation] = [capture.conversation(stream) for stream in range(capture.streams("tcp"))]
    return {one.decoder.name if one.decoder else "" for one in found}


OTHERS = [CASES / "zookeeper-cut-named-kafka.pcap", *sorted((DATA / "zookeeper").glob("*.pcap.gz"))[::9], *sorted((DATA / "iggy").glob("*.pcap.gz"))[::9]]


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.name)
def test_what_is_cut_off_is_not_taken_for_kafka(path: Path, tmp_path: Path) -> None:
    for size in SNAPPED:
        assert "kafka" not in recognised(snapped(path, size, tmp_path)), size


@pytest.mark.parametrize("name", ["kafka-aiokafka-4.1", "kafka-java-4.1-produce"])
def test_kafka_cut_off_is_kafka_or_nobodys(name: str, tmp_path: Path) -> None:
    for size in SNAPPED:
        found = recognised(snapped(DATA / "kafka" / f"{name}.pcap.gz", size, tmp_path))
        assert found <= {"kafka", ""} and (size < 84 or found == {"kafka"}), size


@pytest.mark.parametrize(("first", "second"), [
    # the opening of HTTP/2 and the settings that answer it; DNS over TCP; a ZooKeeper session, 14 bytes of each
    ("505249202a20485454502f322e30", "00001e0400000000000001000010"), ("0030b3cf00200001000000000001", "002ab3cf80850001000000000001"),
    ("0000002d00000007000000000000", "0000002500000000000027100100")])
def test_the_first_bytes_of_other_protocols_are_no_claim(first: str, second: str) -> None:
    from protocols.decoder import CLAIM, Opening
    for ports in ((50_000, 9092), (50_000, 2181)):
        match = KAFKA.recognise(Opening((bytes.fromhex(first), bytes.fromhex(second)), ports, (True, True), (False, False)))
        assert match is None or match.score < CLAIM


# unknown is not impossible

@pytest.mark.parametrize("client", [None, b"", b"pv"])
@pytest.mark.parametrize(("key", "version"), [(600, 3), (0, 40), (95, 0)])
def test_apis_and_versions_that_nobody_knows_are_messages(key: int, version: int, client: bytes | None) -> None:
    data = request_frame(key, version, b"\1\2\3", client=client)
    assert KAFKA.accepts(data[:64], Side(True, True, data, b""))
    words = KAFKA.describe(message(data))
    assert str(version) in words.op and words.info


# a topic named by its id

def test_a_filter_by_a_topics_name_finds_what_names_it_by_its_id() -> None:
    path = CASES / "kafka-topic-ids.pcap"
    assert matches(path, 'kafka.topic_name == "orders"') == matches(path, 'pv.target contains "orders"') == [6, 7, 13, 14]


@pytest.mark.parametrize("stream", [13, 20])
def test_names_of_ids_are_those_of_the_targets(stream: int) -> None:
    path = DATA / "kafka" / "kafka-confluent-4.1-produce.pcap.gz"
    names = matches(path, f'tcp.stream == {stream} && kafka.topic_name == "orders"')
    assert names == matches(path, f'tcp.stream == {stream} && pv.target contains "orders"')


def test_a_name_is_told_once() -> None:
    for one in trees("kafka-topic-ids"):
        for field in walk(KAFKA.dissect(one)):
            inside = [part.name for part in field.fields]
            below = [part.name for child in field.fields if child.name == "kafka.topic_id" for part in child.fields]
            assert (inside + below).count("kafka.topic_name") <= 1
