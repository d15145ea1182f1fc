"""Recorded ZooKeeper traffic through the middle floor: every byte in a field, operations and errors as the client counted them.

The figures come from the truth files, which the recording clients wrote; what they do not count is named at each test.
"""
from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from zookeeper_wire import uncovered

from captures.file.opening import open_source
from captures.index.index import Index
from captures.messages.conversation import Conversation
from captures.stream.pair import tcp_pair
from protocols.decoder import Kind, Status
from protocols.engine.fields import walk
from protocols.zookeeper.decoder import ZooKeeper

FOLDER = Path(__file__).parent / "data" / "zookeeper"
CLIENT_FILES = sorted(file.name.removesuffix(".pcap.gz") for kind in ("java", "kazoo", "raw", "words") for file in FOLDER.glob(f"zookeeper-{kind}*.pcap.gz"))
OTHER_FILES = sorted(file.name.removesuffix(".pcap.gz") for kind in ("quorum", "election") for file in FOLDER.glob(f"zookeeper-{kind}*.pcap.gz"))


@cache
def conversations(name: str) -> list[Conversation]:
    index = Index(open_source(FOLDER / f"{name}.pcap.gz"))
    index.run()
    return [Conversation(tcp_pair(index, stream), [ZooKeeper()]) for stream in range(len(index.tcp))]


def truth(name: str) -> dict[str, Any]:
    file = FOLDER / f"{name}.truth.json"
    return json.loads(file.read_text()) if file.exists() else {}


def test_the_recordings_are_there() -> None:
    assert len(CLIENT_FILES) >= 20
    assert OTHER_FILES


@pytest.mark.parametrize("name", CLIENT_FILES)
def test_every_byte_of_every_message_lies_in_a_field(name: str) -> None:
    decoder, messages = ZooKeeper(), 0
    for conversation in conversations(name):
        for pdu in conversation.messages:
            message = conversation.message(pdu)
            tree = decoder.dissect(message)
            assert not uncovered(tree, message.end), conversation.summary(pdu).info
            if name != "zookeeper-raw-3.9":
                assert not [one for one in walk(tree) if one.name == "_ws.malformed" or (one.name == "zookeeper.trailing" and pdu.header.key != "word")]
            messages += 1
        if name != "zookeeper-raw-3.9":
            assert not conversation.holes
    assert messages


def test_bad_input_on_purpose_is_malformed_where_it_is_bad() -> None:
    """raw-3.9 sent cut bodies, a length of -2, one of 2 GB, a vector of 2^31-1, headers of 0 and 4 bytes; and three frames that are none."""
    found, holes = [], []
    for conversation in conversations("zookeeper-raw-3.9"):
        for pdu in conversation.messages:
            found += [one.value for one in walk(ZooKeeper().dissect(conversation.message(pdu))) if one.name == "_ws.malformed"]
        holes += [conversation.hole_data(hole)[:4] for hole in conversation.holes]
    assert found == [
        "malformed at byte 28: wanted 10 bytes, had 3", "malformed at byte 16: wanted 40 bytes, had 4", "malformed at byte 12: a length of -2",
        "malformed at byte 16: wanted 2147483647 bytes, had 5", "malformed at byte 30: a count of 2147483647 with 31 bytes left",
        "malformed at byte 8: wanted 4 bytes, had 0", "malformed at byte 4: wanted 4 bytes, had 0"]
    assert holes == [b"\xff\xff\xff\xff", b"\x01\0\0\0", b"GET "]


NOT_COUNTED = {
    ("zookeeper-java-3.9-errors", "setData"): 1,  # the 1.2 MB request that the server cut off was never answered
    ("zookeeper-java-3.9-reconnect", "setData"): 1,  # lost with its connection
}
NOT_RECORDED = {"zookeeper-java-3.9-midstream"}  # the truth tells of the time before the recording as well


@pytest.mark.parametrize("name", [name for name in CLIENT_FILES if "calls_per_operation" in truth(name) and name not in NOT_RECORDED])
def test_operations_errors_and_events_are_those_that_the_client_counted(name: str) -> None:
    calls: Counter[str] = Counter()
    errors: Counter[int] = Counter()
    events: Counter[str] = Counter()
    for conversation in conversations(name):
        for pdu in conversation.messages:
            words = conversation.summary(pdu)
            if pdu.header.kind is Kind.REQUEST:
                calls[words.op] += 1
            elif pdu.header.kind is Kind.EVENT:
                events[words.info.split()[1]] += 1
            elif pdu.header.key != "connect" and (code := int.from_bytes(conversation.data(pdu)[16:20], "big", signed=True)):
                errors[code] += 1  # of the header: clients do not count what a multi holds
    wanted = truth(name)
    for op, count in wanted["calls_per_operation"].items():
        if not op.startswith("("):
            assert calls[op] == count + NOT_COUNTED.get((name, op), 0), op
    for event, count in wanted.get("watch_events", {}).items():
        assert events[event.split("/")[0]] == count, event
    for code, one in wanted.get("errors_per_code", {}).items():
        if isinstance(one, dict):  # kazoo counts by another rule
            assert errors[int(code)] == one["count"], code


@pytest.mark.parametrize("name", CLIENT_FILES)
def test_every_reply_has_its_request(name: str) -> None:
    """None is an orphan; requests without a reply exist only where the server closed: refused connections, bad input, a lost server."""
    statuses = Counter((pdu.header.kind, conversation.summary(pdu).status) for conversation in conversations(name) for pdu in conversation.messages)
    assert not statuses[Kind.RESPONSE, Status.ORPHAN]
    unanswered = {"readonly-refused": 33, "readonly": 5, "reconnect": 1, "sasl-required": 1, "tls": 1, "raw-3.9": 12, "words-3.9": 2}
    assert statuses[Kind.REQUEST, Status.NO_RESPONSE] == unanswered.get(name.removeprefix("zookeeper-java-3.9-").removeprefix("zookeeper-"), 0)


@pytest.mark.parametrize("name", OTHER_FILES)
def test_the_quorum_and_election_planes_are_left_alone(name: str) -> None:
    assert not [one.match for one in conversations(name) if one.decoder is not None]


def test_tls_is_left_alone_and_the_plain_client_beside_it_is_not() -> None:
    claimed = [one for one in conversations("zookeeper-java-3.9-tls") if one.decoder is not None]
    assert [[pdu.header.op for pdu in one.messages] for one in claimed] == [["connect"]]
