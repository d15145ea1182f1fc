"""Filters on packets: the same frames as tshark, the same answer from columns and from trees, messages one by one, and a run in steps."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from captures import patterns
from captures.capture import Capture
from captures.file.errors import CaptureError
from captures.filter import Filter, FilterError, FilterRun, Names, compile_filter, shown_at_once
from captures.filter.compile.regex import compiled
from captures.filter.run.by_index import Block, Ternary
from captures.values import store
from captures.values.reading import Reader

DATA = Path(__file__).parent / "data" / "filter"
GOLDEN = [tuple(line.split("\t")) for line in (DATA / "tshark.txt").read_text().splitlines() if not line.startswith("#")]


@pytest.fixture(scope="module")
def mixed() -> Iterator[Capture]:
    """ZooKeeper over IPv6, Kafka, MongoDB, DNS over UDP and TCP, and HTTP, one behind the other."""
    capture = Capture(DATA / "mixed.pcap")
    capture.read_index()
    yield capture
    capture.close()


@pytest.fixture(scope="module")
def names(mixed: Capture) -> Names:
    return Names(mixed.registry)


def shown(capture: Capture, names: Names, text: str, **more: int) -> list[int]:
    """The numbers of the packets that a filter shows."""
    return [number + 1 for step in FilterRun(capture, compile_filter(text, names), **more) for number in step.tolist()]


def frames(ranges: str) -> list[int]:
    """`1-3,7` as numbers."""
    out: list[int] = []
    for part in filter(None, ranges.split(",")):
        first, _, last = part.partition("-")
        out.extend(range(int(first), int(last or first) + 1))
    return out


@pytest.mark.parametrize(("text", "expected"), GOLDEN, ids=[one[0] for one in GOLDEN])
def test_a_filter_shows_the_frames_that_tshark_shows(mixed: Capture, names: Names, text: str, expected: str) -> None:
    if expected == "refused":
        with pytest.raises(FilterError):
            compile_filter(text, names)
    else:
        assert shown(mixed, names, text) == frames(expected)


INDEXED = ("tcp.port", "tcp.len", "tcp.flags", "tcp.stream", "udp.port", "ip.addr", "ip.src", "ipv6.", "frame.", "arp", "vlan")


@pytest.mark.parametrize("text", [text for text, expected in GOLDEN if expected != "refused" and ("." not in text or any(one in text for one in INDEXED))][::2])
def test_columns_and_trees_give_the_same_answer(mixed: Capture, names: Names, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = shown(mixed, names, text)
    monkeypatch.setattr(Block, "evaluate", lambda self, logic: Ternary(np.zeros(self.count, np.bool_), np.ones(self.count, np.bool_)))
    assert shown(mixed, names, text) == fast


COLUMNAR = [
    "tcp", "!udp", "tcp.port == 9092", "tcp.port != 9092", "tcp.stream in {1..3}", "frame.len > 100", "frame.number % 2 == 0", "ip.addr == 10.77.0.1",
    "ipv6.src == fd77::/16",
    "tcp.flags & 2", "tcp.len - 10 < 0", "ip && tcp.flags.syn == 1", "frame.time_delta > 0.01", "tcp.srcport > tcp.dstport", "all tcp.port > 2000 ^^ udp",
]


@pytest.mark.parametrize("text", COLUMNAR)
def test_what_columns_hold_reads_no_packet(mixed: Capture, names: Names, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*arguments: object) -> None:
        raise AssertionError("a packet was read")
    monkeypatch.setattr(Reader, "read", read)
    monkeypatch.setattr(store, "STORES", type(store.STORES)())
    found = shown_at_once(compile_filter(text, names), mixed.index)
    assert found is not None
    assert (np.flatnonzero(found) + 1).tolist() == shown(mixed, names, text)


def test_columns_say_none_when_packets_must_be_read(mixed: Capture, names: Names) -> None:
    assert shown_at_once(compile_filter('kafka.client_id == "x"', names), mixed.index) is None


def test_only_packets_that_columns_leave_open_are_read(mixed: Capture, names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    original = Reader.read

    def spy(self: Reader, reach: object, wanted: object, packets: np.ndarray) -> object:   # type: ignore[type-arg]
        read.extend(packets.tolist())
        return original(self, reach, wanted, packets)       # type: ignore[arg-type]
    monkeypatch.setattr(Reader, "read", spy)
    monkeypatch.setattr(store, "STORES", type(store.STORES)())
    assert shown(mixed, names, "tcp.srcport == 9092 && kafka.correlation_id == 3")
    c = mixed.columns
    asked = np.flatnonzero((c.sport[:len(mixed)] == 9092) & (c.plen[:len(mixed)] > 0)).tolist()
    assert set(read) == {one for one in asked if (found := mixed.conversation_of(one)) is not None and found.of_packet(one)}
    count = len(read)
    assert shown(mixed, names, "tcp.srcport == 9092 && kafka.correlation_id > 3")
    assert len(read) == count, "the field was read already"


# messages


def exchanges(capture: Capture, name: str) -> Iterator[tuple[int, list[object]]]:
    """What the tree shows of a `pv` field, message by message."""
    for i in range(len(capture)):
        groups = [group for layer in capture.packet(i).layers for group in layer.fields[:1] if group.name == "pv"]
        values = [node.value for group in groups for node in group.fields if node.name == name]
        if values:
            yield i + 1, values


@pytest.mark.parametrize(("name", "text", "test"), [
    ("pv.op", 'pv.op == "Fetch v11"', lambda v: v == "Fetch v11"), ("pv.op", 'pv.op != "Fetch v11"', lambda v: v and v != "Fetch v11"),
    ("pv.op", 'pv.op matches "^get"', lambda v: v.lower().startswith("get")), ("pv.rrt", "pv.rrt > 1ms", lambda v: v is not None and v > 0.001),
    ("pv.rrt", "pv.rrt in {0.0005 .. 0.002}", lambda v: v is not None and 0.0005 <= v <= 0.002), ("pv.kind", "pv.kind == request", lambda v: v == "request"),
    ("pv.status", "pv.status == ok", lambda v: v == "ok"),
    ("pv.resp_frame", "pv.resp_frame", lambda v: v is not None), ("pv.error", "pv.error", lambda v: bool(v)),
    ("pv.target", 'pv.target contains "a"', lambda v: "a" in v), ("pv.proto", 'pv.proto in {"kafka", "mongo"}', lambda v: v in ("kafka", "mongo")),
    ("pv.req_frame", "pv.req_frame < 300", lambda v: v is not None and v < 300), ("pv.code", "pv.code == 0", lambda v: v == 0),
    ("pv.client", 'pv.client contains "fd77"', lambda v: "fd77" in v), ("pv.confidence", "pv.confidence > 50", lambda v: v > 50), ("pv", "pv", None),
])
def test_a_filter_on_messages_agrees_with_the_tree(mixed: Capture, names: Names, name: str, text: str, test: object) -> None:
    if test is None:
        expected = [number for number, _ in exchanges(mixed, "pv.kind")]
    else:
        expected = [number for number, values in exchanges(mixed, name) if any(test(value) for value in values)]    # type: ignore[operator]
    assert expected
    assert shown(mixed, names, text) == expected


def test_conditions_on_messages_hold_for_one_message(mixed: Capture, names: Names) -> None:
    """Some packets carry several messages: two of them do not share what one must have."""
    pairs = [dict(enumerate(zip(ops, kinds, strict=True))) for (_, ops), (_, kinds) in zip(exchanges(mixed, "pv.op"), exchanges(mixed, "pv.id"), strict=True)]
    several = [one for one in pairs if len(set(one.values())) > 1 and len({op for op, _ in one.values()}) > 1]
    assert several, "the capture has packets with different messages"
    (op, _), (_, other) = several[0][0], next(pair for pair in several[0].values() if pair[0] != several[0][0][0])
    text = f'pv.op == "{op}" && pv.id == "{other}"'
    expected = [number for (number, ops), (_, ids) in zip(exchanges(mixed, "pv.op"), exchanges(mixed, "pv.id"), strict=True)
                if any(a == op and b == other for a, b in zip(ops, ids, strict=True))]
    assert shown(mixed, names, text) == expected
    both = set(shown(mixed, names, f'pv.op == "{op}"')) & set(shown(mixed, names, f'pv.id == "{other}"'))
    assert set(expected) < both


def test_fields_of_layers_go_with_fields_of_messages(mixed: Capture, names: Names) -> None:
    expected = [number for number, kinds in exchanges(mixed, "pv.kind") if "request" in kinds and mixed.columns.dport[number - 1] == 9092]
    assert shown(mixed, names, "pv.kind == request && tcp.dstport == 9092") == expected
    everything = shown(mixed, names, "pv.kind == request || udp")
    assert everything == sorted(set(shown(mixed, names, "pv.kind == request")) | set(shown(mixed, names, "udp")))


def test_not_a_message_shows_packets_without_messages_too(mixed: Capture, names: Names) -> None:
    found = set(shown(mixed, names, "!(pv.kind == request)"))
    assert set(shown(mixed, names, "icmp || arp || tcp.len == 0")) <= found
    questions = set(shown(mixed, names, "dns && udp.dstport == 53"))
    assert questions and set(shown(mixed, names, "udp")) - questions <= found and not questions & found
    only = {number for number, kinds in exchanges(mixed, "pv.kind") if set(kinds) == {"request"}}
    assert only and not only & found


# zookeeper is not in tshark: its fields against the tree


@pytest.mark.parametrize(("text", "name", "test"), [
    ("zookeeper.xid > 5", "zookeeper.xid", lambda v: v > 5), ("zk.xid == 3", "zookeeper.xid", lambda v: v == 3),
    ('zookeeper.path contains "a"', "zookeeper.path", lambda v: "a" in v), ("zookeeper.path", "zookeeper.path", lambda v: True),
])
def test_a_field_of_a_message_agrees_with_the_tree(mixed: Capture, names: Names, text: str, name: str, test: object) -> None:
    from protocols.engine.fields import walk
    expected = [i + 1 for i in range(len(mixed)) if any(node.name == name and not node.absent and test(node.value) for node in walk(mixed.packet(i).layers))]  # type: ignore[operator]
    assert expected
    assert shown(mixed, names, text) == expected


# additions to Wireshark's language


@pytest.mark.parametrize(("ours", "same"), [
    ("tcp ^^ ip", "(tcp || ip) && !(tcp && ip)"), ("tcp.port in {9092 27017}", "tcp.port in {9092, 27017}"),
    ("100 < tcp.len < 500", "tcp.len > 100 && tcp.len < 500"), ("frame.time_delta > 500us", "frame.time_delta > 0.0005"),
    ("frame.time_relative < 0.005min", "frame.time_relative < 0.3"), ("tcp.len > 1kb", "tcp.len > 1000"),
    ("frame.len >= 1KiB", "frame.len >= 1024"), ("tcp.flags.syn == true", "tcp.flags.syn == 1"), ("9092 == tcp.port", "tcp.port == 9092"),
    ('frame matches "\\.1"', 'frame matches r"\\.1"'), ("zk", "zookeeper"), ('_ws.col.protocol == "Kafka"', "kafka"), ("float(tcp.len) > 99.5", "tcp.len > 99"),
    ("double(frame.time_delta) > 0.001", "frame.time_delta > 0.001"), ('string(frame.time_relative) matches "^0[.]0000"',
     "frame.time_relative in {0..0.000099999}"),
    ('string(frame.time) contains "2026 04:55:"', 'frame.time >= "2026-11-21 04:55:00" && frame.time < "2026-11-21 04:56:00"'),
])
def test_an_addition_means_the_same_as_its_long_form(mixed: Capture, names: Names, ours: str, same: str) -> None:
    found = shown(mixed, names, ours)
    assert found == shown(mixed, names, same)
    assert 0 < len(found) < len(mixed)


def test_the_selected_packet_is_named_by_a_reference(mixed: Capture, names: Names) -> None:
    at = shown(mixed, names, "tcp.port == 27017")[0] - 1
    stream = int(mixed.columns.sd[at]) >> 1
    assert shown(mixed, names, "tcp.stream == ${tcp.stream}", reference=at) == shown(mixed, names, f"tcp.stream == {stream}")
    assert shown(mixed, names, "tcp.stream == ${tcp.stream}") == []


def test_the_empty_filter_shows_everything(mixed: Capture, names: Names) -> None:
    assert shown(mixed, names, "") == list(range(1, len(mixed) + 1))


# runs


def test_a_run_goes_in_steps_and_tells_how_far_it_is(mixed: Capture, names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "STORES", type(store.STORES)())
    run = FilterRun(mixed, compile_filter("tcp.payload contains 00", names))
    seen, found = [], 0
    for step in run:
        assert np.all(np.diff(step) > 0)
        found += len(step)
        seen.append(run.done)
        assert run.found == found
    assert seen == sorted(seen)
    assert len(seen) > 2
    assert run.done == run.total == len(mixed)


def test_a_run_that_is_left_reads_no_more(mixed: Capture, names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "STORES", type(store.STORES)())
    run = FilterRun(mixed, compile_filter("tcp.payload contains 00", names))
    next(iter(run))
    assert run.done < run.total // 2


def test_a_run_over_a_part_finds_that_part(mixed: Capture, names: Names) -> None:
    whole = shown(mixed, names, "tcp.len > 0")
    assert shown(mixed, names, "tcp.len > 0", first=100, last=300) == [number for number in whole if 100 < number <= 300]
    assert shown(mixed, names, 'kafka.client_id contains "a"', first=300) == [n for n in shown(mixed, names, 'kafka.client_id contains "a"') if n > 300]


def test_one_packet_can_be_asked_about(mixed: Capture, names: Names) -> None:
    made: Filter = compile_filter("kafka || udp.port == 53", names)
    run = FilterRun(mixed, made)
    everything = set(shown(mixed, names, made.text))
    assert {i + 1 for i in range(0, len(mixed), 7) if run.matches(i)} == {number for number in everything if (number - 1) % 7 == 0}


def test_decoding_as_another_protocol_forgets_what_was_read(names: Names) -> None:
    capture = Capture(DATA / "mixed.pcap")
    capture.read_index()
    before = shown(capture, names, "kafka")
    capture.decode_as("tcp", 9092, "zookeeper")
    assert before
    assert not shown(capture, names, "kafka && tcp.port == 9092")
    capture.close()


def test_a_pattern_that_takes_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "LIMIT", 0.05)
    search = compiled(b"a.*a.*a.*a.*a.*a.*(?=b)b", 0, 1)
    with pytest.raises(patterns.Endless, match="takes too long on a value"):
        search(b"a" * 20_000)
    assert search(b"a" * 6 + b"b")
    assert not search(b"a" * 5 + b"b")


def test_a_filter_ends_with_its_pattern(mixed: Capture, names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "LIMIT", 0.05)
    run = FilterRun(mixed, compile_filter(r'tcp.payload matches "(.|..)+(?<=\x01\x02\x03)\x04"', names))
    with pytest.raises(CaptureError, match=r'"\(\.\|\.\.\)\+.*" takes too long on a value: given up after 0 packets'):
        list(run)
