"""Filters that hold for one message: where a packet carries several, where values tell their own type, and what only exchanges tell."""
from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bson
import pytest
from capture_bytes import Sent
from kafka_wire import request_frame, response_frame
from mongodb_wire import op_msg
from packet_bytes import ACK, SYN, between, tcp, write

from captures.capture import Capture
from captures.filter import FilterError, FilterRun, Names, compile_filter
from captures.values import store
from captures.values.reading import Reader
from protocols.engine.fields import Field, walk

MIXED = Path(__file__).parent / "data" / "filter" / "mixed.pcap"
API_VERSIONS, METADATA = 18, 3
EMPTY = b"\0" * 4


def conversation(path: Path, port: int, turns: list[tuple[int, int, bytes]]) -> Capture:
    """A TCP connection that says `turns`: (time in microseconds, side, bytes). The first of them is packet 3."""
    said = [100, 500]
    packets = [Sent(0, between(0, 6, tcp(40000, port, 99, flags=SYN))), Sent(0, between(1, 6, tcp(port, 40000, 499, 100, SYN | ACK)))]
    for time, side, data in turns:
        ports = (port, 40000) if side else (40000, port)
        packets.append(Sent(time, between(side, 6, tcp(*ports, said[side], said[1 - side], data=data))))
        said[side] += len(data)
    capture = Capture(write(path, packets))
    capture.read_index()
    return capture


def shown(capture: Capture, text: str, by_message: bool = False, **more: int) -> list[int]:
    made = compile_filter(text, Names(capture.registry), by_message=by_message)
    return [number + 1 for step in FilterRun(capture, made, **more) for number in step.tolist()]


@pytest.fixture(scope="module")
def pipelined(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """Three Kafka requests in packet 3, one behind the other; their answers in packets 4, 5 and 6, after 1, 4 and 4.5 ms."""
    calls = ((API_VERSIONS, 10, b""), (METADATA, 11, EMPTY), (API_VERSIONS, 12, b""))
    asked = [request_frame(key, 0, body, correlation, b"one") for key, correlation, body in calls]
    return conversation(tmp_path_factory.mktemp("kafka"), 9092, [
        (1000, 0, b"".join(asked)), (2000, 1, response_frame(b"\0\0" + EMPTY, 10)), (5000, 1, response_frame(EMPTY * 2, 11)),
        (5500, 1, response_frame(b"\0\0" + EMPTY, 12)),
    ])


ONE = [
    ("kafka.api_key == 18 && kafka.correlation_id == 11", [3], []), ("kafka.api_key == 3 && kafka.correlation_id == 11", [3], [3]),
    ("kafka.api_key == 18 && kafka.api_key == 3", [3], []), ("kafka.api_key == Metadata || kafka.correlation_id == 10", [3, 4, 5], [3, 4, 5]),
    ("kafka.correlation_id > 10 && kafka.correlation_id < 12 && kafka.api_key == 18", [3], []), ("count(kafka.api_key) == 3", [3], []),
    ("count(kafka.api_key) == 1", [], [3]), ("kafka.client_id && !(kafka.api_key == 18)", [], [3]), ("all kafka.api_key == 3", [], [3]),
    ("kafka.api_key != 18", [], [3]), ("len(kafka) == 17 && kafka.api_key == 3", [3], []), ("len(kafka) == 21 && kafka.api_key == 3", [3], [3]),
    ('kafka contains "one" && kafka.correlation_id == 12', [3], [3]),
    ("kafka[7] == 0b && kafka[5] == 12", [], []), ("kafka[11] == 0b && kafka[5] == 12", [3], []),
    ("kafka.correlation_id in {11, 99} && kafka.api_key in {17..18}", [3], []), ("kafka.response_frame == 5 && kafka.correlation_id == 12", [3], []),
    ("kafka.response_frame == 5 && kafka.correlation_id == 11", [3], [3]), ("tcp.srcport == 40000 && kafka.api_key == 3", [3], [3]),
    ("kafka.correlation_id + 0 == kafka.api_key - 8 && kafka.api_key == 18", [3], [3]), ("kafka.client_id#2 && kafka.correlation_id == 11", [3], [3]),
    ("kafka.client_id#2 && kafka.correlation_id == 12", [3], []),
]


@pytest.mark.parametrize(("text", "of_packet", "of_message"), ONE, ids=[one[0] for one in ONE])
def test_one_message_must_satisfy_all_when_filters_are_asked_of_messages(pipelined: Capture, text: str, of_packet: list[int], of_message: list[int]) -> None:
    requests = {3, *of_packet, *of_message}
    assert [n for n in shown(pipelined, text) if n in requests] == of_packet
    assert [n for n in shown(pipelined, text, True) if n in requests] == of_message


@pytest.mark.parametrize(("text", "expected"), [
    ("pv.kind == request && kafka.api_key == 18 && kafka.correlation_id == 11", []),
    ("pv.kind == request && kafka.api_key == 3 && kafka.correlation_id == 11", [3]),
    ('pv.op == "Metadata v0" && kafka.correlation_id == 11', [3, 5]), ('pv.op == "Metadata" && kafka.correlation_id == 12', []),
    ("kafka.correlation_id == 11 && pv.rrt > 4.2ms", []), ("kafka.correlation_id == 12 && pv.rrt > 4.2ms", [3, 6]),
    ('kafka contains 00:00:00:0b && pv.op == "ApiVersions"', []), ('kafka contains 00:00:00:0b && pv.op == "Metadata"', [3, 5]),
])
def test_fields_of_messages_beside_pv_fields_are_those_of_the_same_message(pipelined: Capture, text: str, expected: list[int]) -> None:
    assert shown(pipelined, text) == expected
    assert shown(pipelined, text, True) == expected


def test_not_of_a_message_also_shows_packets_without_messages(pipelined: Capture) -> None:
    assert shown(pipelined, "!(kafka.correlation_id == 11)", True) == [1, 2, 3, 4, 6]
    assert shown(pipelined, "!(kafka.correlation_id == 11)") == [1, 2, 4, 6]


def test_pv_alone_shows_the_packets_with_messages(pipelined: Capture) -> None:
    store.STORES.pop(pipelined, None)
    assert shown(pipelined, "pv") == [3, 4, 5, 6]


def test_trees_are_read_only_where_the_message_can_still_match(pipelined: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    original = Reader._trees

    def spy(self: Reader, conversation: Any, wanted: Any, pdus: Any, place: Any, out: Any) -> None:
        read.extend(place)
        original(self, conversation, wanted, pdus, place, out)
    monkeypatch.setattr(Reader, "_trees", spy)
    store.STORES.pop(pipelined, None)
    assert shown(pipelined, "pv.rrt > 4.2ms && pv.kind == response && kafka.error == 0") == [6]
    assert read == [5]


# what exchanges tell


def values(capture: Capture, packet: int, name: str) -> list[object]:
    """What the tree says, message by message."""
    return [node.value for node in walk(capture.packet(packet - 1).layers) if node.name == name]


def test_lengths_names_and_waiting_are_told_of_every_message(pipelined: Capture) -> None:
    assert values(pipelined, 3, "pv.req_len") == [17, 21, 17]
    assert values(pipelined, 3, "pv.resp_len") == [14, 16, 14]
    assert values(pipelined, 5, "pv.req_len") == [21]
    assert values(pipelined, 3, "pv.client_id") == ["one"] * 3
    assert values(pipelined, 4, "pv.client_id") == ["one"], "a response has the name that its request gave"
    assert values(pipelined, 3, "pv.queued") == [0, 0.001, 0.004]
    assert [values(pipelined, n, "pv.queued") for n in (4, 5, 6)] == [[0], [0.001], [0.004]]


@pytest.mark.parametrize(("text", "expected"), [
    ("pv.queued > 0", [3, 5, 6]), ("pv.queued == 4ms", [3, 6]), ("pv.req_len == 21", [3, 5]), ("pv.resp_len > 14", [3, 5]),
    ('pv.client_id == "one"', [3, 4, 5, 6]),
    ("pv.queued > 0 && pv.req_len == 17", [3, 6]), ("pv.status == late", []), ("pv.status == error", []),
    ("pv.trace_id || pv.process || pv.server_time", []),
    ("pv.server_time > 0 || pv.trace_id == \"x\"", []), ("pv.kind == response && pv.client_id", [4, 5, 6]),
])
def test_what_exchanges_tell_can_be_asked_for(pipelined: Capture, text: str, expected: list[int]) -> None:
    assert shown(pipelined, text) == expected


def test_answers_out_of_order_do_not_wait_for_one_another(tmp_path: Path) -> None:
    asked = b"".join(request_frame(API_VERSIONS, 0, b"", correlation) for correlation in (1, 2))
    capture = conversation(tmp_path, 9092, [(0, 0, asked), (1000, 1, response_frame(b"\0\0" + EMPTY, 2)), (2000, 1, response_frame(b"\0\0" + EMPTY, 1))])
    assert values(capture, 5, "pv.queued") == [None]
    assert values(capture, 5, "pv.rrt") == [0.002]


def test_a_request_names_the_frame_of_its_answer_and_the_answer_that_of_its_request(pipelined: Capture) -> None:
    """As in Wireshark, which tells the first of them only when it reads a file twice."""
    assert values(pipelined, 3, "kafka.response_frame") == [4, 5, 6]
    assert [values(pipelined, n, "kafka.request_frame") for n in (3, 4, 5, 6)] == [[], [3], [3], [3]]
    assert shown(pipelined, "kafka.request_frame") == [4, 5, 6]
    assert shown(pipelined, "kafka.response_frame") == [3]
    assert shown(pipelined, "kafka && !kafka.response_frame") == [4, 5, 6]
    assert shown(pipelined, "kafka.request_frame == 3 && frame.number == 5") == [5]


def test_what_the_selected_packet_says_can_be_asked_for(pipelined: Capture) -> None:
    made = compile_filter("pv.op == ${pv.op} && pv.kind == response", Names(pipelined.registry))
    for selected, expected in ((2, [4, 5, 6]), (0, [])):        # a request; a packet without a message
        found = [packet + 1 for step in FilterRun(pipelined, made, reference=selected) for packet in step.tolist()]
        assert found == expected


# operations and their versions


@pytest.mark.parametrize("text", [
    'pv.op == "Metadata"', "pv.op == Metadata", 'pv.op == "Metadata v0"', '"Metadata" == pv.op', 'pv.op in {"Metadata", "Fetch"}', 'pv.op in {"Metadata v0"}',
    'pv.op === "Metadata"', '!(pv.op in {"ApiVersions"}) && pv', 'pv.op not in {"ApiVersions"} && pv', 'pv.op != "ApiVersions"', 'pv.op != "ApiVersions v0"',
])
def test_an_operation_is_named_with_or_without_its_version(pipelined: Capture, text: str) -> None:
    assert shown(pipelined, text) == [3, 5]


@pytest.mark.parametrize("text", ['pv.op == "Meta"', 'pv.op == "Metadata v1"', 'pv.op == "metadata"', 'pv.op == "v0"', 'pv.op == "Metadata v"'])
def test_another_name_or_version_is_another_operation(pipelined: Capture, text: str) -> None:
    assert shown(pipelined, text) == []


# ZooKeeper's messages of a real capture, against the tree


@pytest.fixture(scope="module")
def mixed() -> Iterator[Capture]:
    capture = Capture(MIXED)
    capture.read_index()
    yield capture
    capture.close()


def messages(capture: Capture) -> Iterator[tuple[int, dict[str, list[object]]]]:
    """Every ZooKeeper message with its packet's number and its values by field."""
    for i in range(260):
        for layer in capture.packet(i).layers:
            if layer.name == "zookeeper":
                yield i + 1, _by_name(layer)


def _by_name(layer: Field) -> dict[str, list[object]]:
    found: dict[str, list[object]] = {}
    for node in walk([layer]):
        if not node.absent:
            found.setdefault(node.name, []).append(node.value)
    return found


def test_messages_of_a_recording_are_told_apart_as_in_their_trees(mixed: Capture) -> None:
    found = [(number, one) for number, one in messages(mixed) if "zookeeper.xid" in one and "zookeeper.path" in one]
    several = [number for number, _ in found if sum(number == other for other, _ in found) > 1]
    assert several
    xid, path = next(one["zookeeper.xid"][0] for number, one in found if number == several[0]), found[-1][1]["zookeeper.path"][0]
    text = f'zookeeper.xid == {xid} && zookeeper.path == "{path}"'
    expected = sorted({number for number, one in found if xid in one["zookeeper.xid"] and path in one["zookeeper.path"]})
    assert [n for n in shown(mixed, text, True) if n <= 260] == expected
    assert shown(mixed, f"{text} && pv") == shown(mixed, text, True)


# values that tell their own type

OID = bson.ObjectId("656565656565656565656565")
MOMENT = datetime.datetime(2024, 2, 29, 12, 0, 0, tzinfo=datetime.UTC)
TYPED: list[tuple[str, object]] = [
    ("int32", 5), ("int64", bson.Int64(5)), ("double", 5.0), ("text", "5"), ("true", True), ("false", False), ("time", MOMENT), ("bytes", b"\x05\x06"),
    ("large", 1 << 40), ("half", 0.5), ("word", "open"), ("null", None), ("oid", OID), ("inside", {"a-b": {"$gt": 7}, "é": 8}), ("list", [1, "x", 9]),
]


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """A MongoDB command a packet, from packet 3 on, each with another value of `v`."""
    turns = []
    for n, (_, value) in enumerate(TYPED):
        turns += [(n, 0, op_msg({"find": "t", "v": value, "$db": "d"}, request_id=n + 1)), (n, 1, op_msg({"ok": 1.0}, request_id=100 + n, response_to=n + 1))]
    return conversation(tmp_path_factory.mktemp("mongo"), 27017, turns)


NUMBERS = {"int32", "int64", "double"}
TESTS = [
    ("mongo.doc.v == 5", NUMBERS), ("mongo.doc.v == 5.0", NUMBERS), ("mongo.doc.v == 0x5", NUMBERS), ("5 == mongo.doc.v", NUMBERS),
    ('mongo.doc.v == "5"', {"text"}),
    ("mongo.doc.v > 5", {"large", "list"}), ("mongo.doc.v >= 5", NUMBERS | {"large", "list"}), ("mongo.doc.v < 1", {"half"}), ("mongo.doc.v == 1TB", set()),
    ("mongo.doc.v > 1gb", {"large"}), ("mongo.doc.v == true", {"true"}), ("mongo.doc.v == True", {"true"}), ("mongo.doc.v == false", {"false"}),
    ('mongo.doc.v == "true"', set()), ("mongo.doc.v == open", {"word"}), ('mongo.doc.v == "open"', {"word"}), ('mongo.doc.v == "OPEN"', set()),
    ('mongo.doc.v > "2024-02-29 11:00:00"', {"time", "text", "word", "oid", "list"}), ('mongo.doc.v == "2024-02-29T12:00:00Z"', {"time"}),
    ("mongo.doc.v > 2024-02-29", {"time", "text", "word", "oid", "list"}), ("mongo.doc.v == 05:06", {"bytes"}), ("mongo.doc.v contains 06", {"bytes"}),
    (f'mongo.doc.v == "{OID}"', {"oid"}), ("mongo.doc.v in {5, \"open\"}", NUMBERS | {"word"}), ("mongo.doc.v in {0.1..5}", NUMBERS | {"half", "list"}),
    ("mongo.doc.v == 5 || mongo.doc.v == 0.5", NUMBERS | {"half"}), ('mongo.doc.v contains "pe"', {"word"}), ('mongo.doc.v matches "^OPEN$"', {"word"}),
    ("mongo.doc.v + 1 == 6", NUMBERS), ("mongo.doc.v == 2 + 3", NUMBERS), ("-mongo.doc.v == -5", NUMBERS), ("upper(mongo.doc.v) == \"OPEN\"", {"word"}),
    ("len(mongo.doc.v) == 4", {"word"}), ('string(mongo.doc.v) == "5"', NUMBERS | {"text"}), ("mongo.doc.v[0:2] == \"op\"", {"word"}),
    ("abs(mongo.doc.v) == 5", NUMBERS), ("max(mongo.doc.v) == 9", {"list"}),
    ("mongo.doc.v == mongo.doc.v && !(mongo.doc.v > 0)", {"text", "true", "false", "time", "bytes", "word", "oid"}),
    ("all mongo.doc.v == 5", NUMBERS), ("mongo.doc.v.a-b.$gt == 7", {"inside"}), ("mongo.doc.v.é > 7", {"inside"}),
    ("mongo.doc.v.a-b.$gt != \"7\"", {"inside"}), ("0 < mongo.doc.v < 3", {"half", "list"}),
    ("mongo.doc.v == mongo.doc.v", {name for name, _ in TYPED} - {"null", "inside"}),
    ("mongo.doc.v != 5", {name for name, _ in TYPED} - NUMBERS),
]


@pytest.mark.parametrize("by_message", [False, True])
@pytest.mark.parametrize(("text", "expected"), TESTS, ids=[one[0] for one in TESTS])
def test_a_value_compares_as_what_it_is(documents: Capture, text: str, expected: set[str], by_message: bool) -> None:
    found = shown(documents, f"mongo.doc.find && ({text})", by_message)
    assert {TYPED[(number - 3) // 2][0] for number in found} == expected


def test_an_element_is_there_whatever_its_value(documents: Capture) -> None:
    assert len(shown(documents, "mongo.doc.v")) == len(TYPED)
    assert shown(documents, "mongo.doc.nowhere") == []


def test_what_cannot_be_calculated_with_is_told(documents: Capture) -> None:
    with pytest.raises(FilterError, match="cannot"):
        compile_filter("mongo.doc.v % 2 == 1", Names(documents.registry))
