"""Recorded Kafka traffic through the middle floor: every byte in a field, requests as the broker counted them, records as the clients saw them.

The expected figures come from the truth files, which the clients and the broker wrote; tshark and DeepFlow are the peers.
"""
from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from kafka_wire import KAFKA, capture_file, capture_names, conversations, conversations_of, messages, named, requests, truth, uncovered, walk

from protocols.decoder import Kind, MessageBytes, Status
from protocols.engine.fields import Field

NAMES = capture_names()
pytestmark = pytest.mark.skipif(not NAMES, reason="no Kafka recordings beside the tests, and PROTOVIEW_CAPTURES names none")

LEFT_OVER = {"kafka-confluent-4.1-admin": 3, "kafka-kraft-4.1-metadata-plane": 3}
"""Requests of librdkafka with bytes behind their last field (Metadata for all topics, AlterUserScramCredentials)."""


@pytest.mark.parametrize("name", NAMES)
def test_every_byte_of_every_message_lies_in_a_field_and_nothing_is_malformed(name: str) -> None:
    count, surplus = 0, 0
    for _, one in messages(name):
        tree = KAFKA.dissect(one)
        if one.complete:
            assert not uncovered(tree, one.end), KAFKA.describe(one).info
        assert not named(tree, "_ws.malformed"), KAFKA.describe(one).info
        assert 0 not in named(tree, "kafka.batch_crc.status") + named(tree, "kafka.message_crc.status")
        assert [field for field in walk(tree) if field.name == "kafka.embedded_rest"] == []
        surplus += len(named(tree, "kafka.left_over"))
        count += 1
    assert count
    assert surplus == LEFT_OVER.get(name, 0)
    assert not [hole for conversation in conversations(name) for hole in conversation.holes]


FORWARDED = re.compile(
    r"(CreateTopics|DeleteTopics|CreatePartitions|AlterConfigs|IncrementalAlterConfigs|CreateAcls|DeleteAcls|AlterUserScramCredentials|ElectLeaders|AlterClientQuotas|"
    r"AlterPartitionReassignments|ListPartitionReassignments|UpdateFeatures|DescribeQuorum|UnregisterBroker|UnregisterController|AddRaftVoter|RemoveRaftVoter|"
    r"(Create|Renew|Expire)DelegationToken) v\d+")
"""The broker counts what it forwards to the controller (which is the same process here) twice."""
INTERNAL = re.compile(r"BrokerHeartbeat|WriteTxnMarkers|AddPartitionsToTxn|Fetch(Consumer|Follower)|(Initialize|Read|Write|Delete)ShareGroupState|"
                      r"ListClientMetricsResources")
"""Sent by the broker to itself, or counted a second time under another name."""
SASL = re.compile(r"SaslHandshake|SaslAuthenticate|ApiVersions")
"""Answered before authentication, where the broker does not count."""
UNCOUNTED = {
    "kafka-confluent-4.1-sasl": {"CreateTopics v7", "Metadata v13"},  # an admin on another listener; a client without SASL, whose connection is closed
    "kafka-raw-4.1-versions": {"Metadata v99", "unknown API 999 v0", "Produce v0", "Produce v1", "Produce v2", "CreateTopics v7"},
     # closed at once; auto-creation
    "kafka-confluent-4.1-groups-kip848": {"Metadata v13"},  # one request still under way at the end
    "kafka-java-4.1-share": {"ApiVersions v4"},  # of the broker's own state client
    # of 4.4 the counts hold all connections of the broker, its own too: to its controller, and of the clients that keep states of share groups and transactions
    "kafka-confluent-4.4-compacted": {"ApiVersions v5"},
    "kafka-java-4.4-share": {"ApiVersions v5", "CreateTopics v7", "FindCoordinator v6", "ListOffsets v11", "Produce v13"},
    "kafka-java-4.4-txn": {"ApiVersions v5", "CreateTopics v7"},
    "kafka-franz-4.4-defaults": {"Fetch v18"},  # one request still under way at the end
    # versions that this broker does not know, and one request of a controller: it closes the stream at once and counts none
    "kafka-raw-4.4-probes": {"AllocateProducerIds v0", "ApiVersions v4", "Fetch v3", "InitProducerId v6", "Metadata v14", "Metadata v99",
                             "Produce v0", "Produce v2"},
}


@pytest.mark.parametrize("name", [name for name in NAMES if "midstream" not in name and "kraft" not in name])
def test_requests_of_each_api_and_version_are_as_many_as_the_broker_counted(name: str) -> None:
    wanted = truth(name)["server_counted_requests"]
    seen = Counter(pdu.header.op for pdu, _ in requests(name))
    wrong = {}
    for op in seen.keys() | wanted.keys():
        counted = wanted.get(op, 0)
        if INTERNAL.match(op) or op in UNCOUNTED.get(name, ()) or (SASL.match(op) and ("sasl" in name or "acl" in name)):
            continue
        if seen[op] != counted and not (FORWARDED.fullmatch(op) and counted == 2 * seen[op]):
            wrong[op] = (seen[op], counted)
    assert wrong == {}


def test_a_recording_from_the_middle_is_read_too() -> None:
    seen = Counter(pdu.header.op for pdu, _ in requests("kafka-confluent-4.1-midstream"))
    wanted = truth("kafka-confluent-4.1-midstream")["server_counted_requests"]
    assert 0 < seen["Fetch v16"] <= wanted["Fetch v16"]
    assert 0 < seen["Produce v10"] <= wanted["Produce v10"]


# records

@cache
def told_ids() -> dict[str, str]:
    """The names of topic ids: from every struct, in an answer of any recording, that has a name and an id."""
    found: dict[str, str] = {}
    for recording in NAMES:
        for _, one in messages(recording):
            if one.peer is not None and not one.from_client and one.peer.header.op.split()[0] in ("Metadata", "CreateTopics", "DescribeTopicPartitions"):
                for node in walk(KAFKA.dissect(one)):
                    names = {child.name: child.value for child in node.fields} if node.spec.type == "none" else {}
                    if names.get("kafka.topic_name") and names.get("kafka.topic_id"):
                        found[names["kafka.topic_id"]] = names["kafka.topic_name"]
    return found


def records_of(tree: list[Field]) -> list[tuple[str, int, list[Field]]]:
    """(topic, partition, fields) of every record in a tree, control records left out."""
    found: list[tuple[str, int, list[Field]]] = []
    topic, partition = "", -1

    def visit(one: Field, control: bool) -> None:
        nonlocal topic, partition
        if one.name == "kafka.topic_name":
            topic = one.value
        elif one.name == "kafka.topic_id":
            topic = told_ids().get(one.value, one.value)
        elif one.name == "kafka.partition_id":
            partition = one.value
        if one.name == "kafka.batch":
            control = any(flag.name == "kafka.batch_control_batch" and flag.value for flag in walk(one.fields[:6]))
        if one.name == "kafka.record" or (one.name == "kafka.message" and not any(child.name == "kafka.message" for child in one.fields)):
            if not control:
                found.append((topic, partition, list(one.fields)))
            return
        for child in one.fields:
            visit(child, control)
    for one in tree:
        visit(one, False)
    return found


def value(fields: list[Field], name: str) -> Any:
    return next((one.value for one in fields if one.name == name), None)


def produced(name: str) -> dict[str, list[tuple[str, int, list[Field]]]]:
    """Records of Produce requests by client id; those of requests that were answered with an error left out."""
    found = defaultdict(list)
    for pdu, one in requests(name):
        if not pdu.header.op.startswith("Produce "):
            continue
        if one.peer is not None and KAFKA.describe(one.peer).status is not Status.OK:
            continue
        tree = KAFKA.dissect(one)
        found[named(tree, "kafka.client_id")[0]] += records_of(tree)
    return found


@pytest.mark.parametrize("name", [name for name in ("kafka-confluent-4.1-produce", "kafka-java-4.1-produce", "kafka-kafkapython-4.1") if name in NAMES])
def test_records_keys_values_and_headers_are_what_the_producers_sent(name: str) -> None:
    sent = produced(name)
    compared = 0
    for operation in truth(name)["operations"]:
        if operation["op"] != "produce" or operation.get("errors") or "null_values" not in operation:
            continue
        records = sent[operation["client_id"]]
        assert len(records) == operation.get("messages", operation.get("records")), operation
        assert sum(value(one, "kafka.message_value") is None for _, _, one in records) == operation["null_values"]
        if "null_keys" in operation:
            assert sum(value(one, "kafka.message_key") is None for _, _, one in records) == operation["null_keys"]
        assert sum(any(field.name == "kafka.headers" for field in one) for _, _, one in records) == operation["with_headers"]
        assert {topic for topic, _, _ in records} == {operation["topic"]}
        compared += 1
    assert compared >= 5


def fetched(name: str, client: str) -> list[tuple[str, int, list[Field]]]:
    """Records in the answers to the Fetch requests of one client."""
    found = []
    for pdu, one in requests(name):
        if pdu.header.op.startswith("Fetch ") and one.peer is not None and named(KAFKA.dissect(one), "kafka.client_id") == [client]:
            found += records_of(KAFKA.dissect(one.peer))
    return found


def test_offsets_keys_and_tombstones_of_a_compacted_topic_are_what_the_reader_saw() -> None:
    name = "kafka-confluent-4.1-compacted"
    for operation in truth(name)["operations"]:
        if operation["op"] == "read":
            seen = {value(one, "kafka.offset"): [value(one, "kafka.offset"), value(one, "kafka.message_key").decode(),
                                                 value(one, "kafka.message_value") is None]
                    for _, _, one in fetched(name, operation["client_id"])}
            for row in operation["records_offset_key_tombstone"]:
                assert seen[row[0]] == row


def test_the_reader_got_what_the_answers_hold() -> None:
    name = "kafka-confluent-4.1-produce"
    for operation in truth(name)["operations"]:
        if operation["op"] != "consume":
            continue
        unique = {(topic, part, value(one, "kafka.offset")): one for topic, part, one in fetched(name, operation["client_id"]) if topic in operation["topics"]}
        assert len(unique) == operation["records"]
        assert sum(len(value(one, "kafka.message_value") or b"") for one in unique.values()) == operation["value_bytes"]
        assert Counter(f"{topic}/{part}" for topic, part, _ in unique) == operation["per_partition"]


def test_transactions_hold_the_offsets_that_their_readers_saw() -> None:
    name = "kafka-confluent-4.1-txn"
    wanted = next(one["offsets"] for one in truth(name)["operations"] if one["op"] == "read" and one["isolation"] == "read_uncommitted")
    seen = defaultdict(set)
    for pdu, one in messages(name):
        if pdu.header.kind is Kind.RESPONSE and pdu.peer is not None and pdu.peer.header.op.startswith("Fetch "):
            for _, part, record in records_of(KAFKA.dissect(one)):
                seen[str(part)].add(value(record, "kafka.offset"))
    assert set(wanted) <= set(seen)
    assert all(set(offsets) <= seen[part] for part, offsets in wanted.items())
    ends = [named(KAFKA.dissect(one), "kafka.transaction_result")[0] for pdu, one in requests(name) if pdu.header.op.startswith("EndTxn")]
    assert ends.count(True) >= 3
    assert ends.count(False) >= 2
    markers = Counter(kind for pdu, one in messages(name) if pdu.header.kind is Kind.RESPONSE for kind in named(KAFKA.dissect(one), "kafka.control_type"))
    assert markers[0]
    assert markers[1]


def test_old_message_sets_hold_what_their_producers_sent() -> None:
    """14 records of each codec and client version, read back from the requests; 0.11 with old topics was refused."""
    name = "kafka-kafkapython2-2.8-legacy"
    operations = [one for one in truth(name)["operations"] if one["op"] == "produce" and "topic" in one and "error" not in one]
    seen, nulls, formats = Counter(), Counter(), Counter()
    for pdu, one in requests(name):
        if pdu.header.op.startswith("Produce ") and one.peer is not None and KAFKA.describe(one.peer).status is Status.OK:
            tree = KAFKA.dissect(one)
            formats.update(named(tree, "kafka.message_magic"))
            for topic, _, record in records_of(tree):
                seen[topic] += 1
                nulls[topic] += value(record, "kafka.message_value") is None
    wanted, wanted_nulls = Counter(), Counter()
    for one in operations:
        wanted[one["topic"]] += one["records"]
        wanted_nulls[one["topic"]] += one["null_values"]
    assert (seen, nulls) == (wanted, wanted_nulls)
    assert set(formats) == {0, 1, 2}


def test_records_of_kafkas_own_topics_are_read_by_their_key_types() -> None:
    name = "kafka-java-4.1-internal-topics"
    seen: dict[str, Counter[int]] = defaultdict(Counter)
    tombstones: Counter[str] = Counter()
    for topic, _, one in fetched(name, next(iter({named(KAFKA.dissect(request), "kafka.client_id")[0] for pdu,
                                                  request in requests(name) if pdu.header.op.startswith("Fetch ")}))):
        key = next(field for field in one if field.name == "kafka.message_key")
        seen[topic][named(key.fields, "kafka.record_key_type")[0]] += 1
        tombstones[topic] += value(one, "kafka.message_value") is None
    for operation in truth(name)["operations"]:
        wanted = {int(key): int(count) for key, count in re.findall(r"(\d+)=(\d+)", operation["key_types"])}
        assert seen[operation["topic"]] == wanted
        assert sum(wanted.values()) == operation["records"]
        assert tombstones[operation["topic"]] == operation["tombstones"]


def test_the_metadata_log_is_read_record_by_record() -> None:
    kinds: Counter[str] = Counter()
    for _, one in messages("kafka-kraft-4.1-metadata-plane"):
        for field in walk(KAFKA.dissect(one)):
            if field.name == "kafka.record_type":
                kinds[field.text.partition(": ")[2].partition(" ")[0]] += 1
    assert kinds["TopicRecord"] >= 2
    assert {"RegisterBrokerRecord", "PartitionRecord", "PartitionChangeRecord", "FeatureLevelRecord", "RegisterControllerRecord"} <= set(kinds)
    assert not [kind for kind in kinds if kind.isdigit()]


def test_a_snapshot_is_read_as_the_batches_that_it_is() -> None:
    texts = [field.text for pdu, one in messages("kafka-kraft-4.1-snapshot") if pdu.peer is not None and pdu.peer.header.op.startswith("FetchSnapshot")
             and pdu.header.kind is Kind.RESPONSE for field in walk(KAFKA.dissect(one))]
    assert any("SNAPSHOT_HEADER" in text for text in texts)
    assert any("SNAPSHOT_FOOTER" in text for text in texts)


@pytest.mark.parametrize("name", [name for name in NAMES if "groups-classic" in name])
def test_rebalances_show_subscriptions_and_assigned_partitions(name: str) -> None:
    subscribed, assigned = set(), set()
    for pdu, one in messages(name):
        op = pdu.header.op or (pdu.peer.header.op if pdu.peer else "")
        if op.startswith("JoinGroup") and pdu.header.kind is Kind.REQUEST:
            subscribed.update(named(KAFKA.dissect(one), "kafka.topic_name"))
        elif op.startswith("SyncGroup") and pdu.header.kind is Kind.RESPONSE:
            assigned.update(named(KAFKA.dissect(one), "kafka.partition_id"))
    assert subscribed
    assert len(assigned) >= 4


@pytest.mark.parametrize("name", [name for name in NAMES if "confluent-4.1-groups" in name])
def test_committed_offsets_and_their_notes_are_what_the_members_read_back(name: str) -> None:
    """Each member asked for the group's offsets when it left. Without metadata the wire has the empty text; with it librdkafka's closing zero."""
    answered = set()
    for pdu, one in messages(name):
        if pdu.header.kind is Kind.RESPONSE and pdu.peer is not None and pdu.peer.header.op.startswith("OffsetFetch"):
            for field in walk(KAFKA.dissect(one)):
                if field.name == "kafka.partition":
                    text = value(field.fields, "kafka.metadata")
                    answered.add((value(field.fields, "kafka.partition_id"), value(field.fields, "kafka.offset"), text.rstrip("\0") if text else None))
    compared = 0
    for operation in truth(name)["operations"]:
        for row in operation.get("committed_at_leave") or []:
            assert tuple(row) in answered
            compared += 1
    assert compared >= 12


def test_batches_cut_off_by_the_fetch_limit_are_notes() -> None:
    texts = [field.text for _, one in messages("kafka-java-4.1-produce") for field in walk(KAFKA.dissect(one)) if field.name == "kafka.truncated_content"]
    assert len(texts) == 12
    assert all("cut off by the fetch's limit" in text for text in texts)


def test_errors_of_the_clients_are_in_the_answers() -> None:
    codes = {KAFKA.describe(one).code for pdu, one in messages("kafka-confluent-4.1-errors") if pdu.header.kind is Kind.RESPONSE}
    assert {3, 10, 17, 25, 26, 36, 37, 38, 40, 87} <= codes


def test_versions_are_read_as_the_asking_client_read_them() -> None:
    """The hand-made client kept the error codes of each answer."""
    wanted = {(one["key"], one["version"]): one["errors"] for one in truth("kafka-raw-4.1-versions")["operations"] if one.get("answer_bytes_left") == 0}
    seen = defaultdict(list)
    for pdu, one in requests("kafka-raw-4.1-versions"):
        if one.peer is not None:
            tree = KAFKA.dissect(one.peer)
            codes = named(tree, "kafka.error") + named(tree, "kafka.acknowledge_error_code")
            seen[tuple(pdu.header.context)].append(sorted(set(codes) - {0}))
    assert len(seen) >= 250
    wrong = {key: (errors, seen[key]) for key, errors in wanted.items() if sorted(set(errors)) not in seen[key]}
    assert wrong == {}


# peers

ASKED = ("kafka.api_key", "kafka.api_version", "kafka.correlation_id", "kafka.client_id", "kafka.topic_name", "kafka.partition_id")
KNOWN = {0: 8, 1: 11, 2: 5, 3: 9, 8: 8, 9: 7, 10: 3, 11: 7, 12: 4, 13: 4, 14: 5, 17: 1, 18: 3, 19: 5, 20: 4, 21: 1, 22: 3, 36: 2}
"""The newest version of each API that tshark 4.0 reads."""


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
@pytest.mark.parametrize("name", [name for name in ("kafka-raw-4.1-versions", "kafka-kafkapython2-2.8-legacy", "kafka-aiokafka-4.1") if name in NAMES])
def test_tshark_reads_the_same(name: str) -> None:
    file = capture_file(name)
    arguments = [part for field in ("frame.number", "_ws.malformed", "kafka.request_missing", *ASKED) for part in ("-e", field)]
    rows = subprocess.run(["tshark", "-r", file, "-d", "tcp.port==9092,kafka", "-d", "tcp.port==9095,kafka", "-o", "tcp.reassemble_out_of_order:TRUE", "-Y",
                           "kafka",
                           "-T", "fields", *arguments], capture_output=True, text=True, check=False).stdout
    theirs = {int(number): cells for number, *cells in (row.split("\t") for row in rows.splitlines())}
    ours: dict[int, list[tuple[Any, MessageBytes]]] = defaultdict(list)
    for pdu, one in messages(name):
        ours[pdu.packet + 1].append((pdu, one))
    compared = 0
    for number, found in ours.items():
        contexts = [pdu.header.context or (pdu.peer.header.context if pdu.peer else None) for pdu, _ in found]
        lost = number not in theirs or theirs[number][0] or theirs[number][1]
        if lost or len(found) != 1 or contexts[0] is None or contexts[0].version > KNOWN.get(contexts[0].key, -1):
            continue
        if contexts[0].key in (11, 14) or contexts[0] == (18, 3):  # what is inside the group protocol has no fields there
            continue
        tree = list(KAFKA.dissect(found[0][1]))
        for field, cell in zip(ASKED, theirs[number][2:], strict=True):
            mine = [str(one) for one in named(tree, field) if one is not None]
            assert ",".join(mine) == cell, (number, field, contexts[0])
            compared += 1
    assert compared > 500


FIELD = re.compile(r"(\w+): (?:Some\((\"[^\"]*\"|-?\w+)\)|(\"[^\"]*\"|-?\w+))")


def test_deepflow_reads_the_same(shared: Path) -> None:
    """Type, API, correlation id, first topic and partition, base offset, error, length and response time of each message."""
    files = sorted((shared / "public" / "kafka").glob("*.result"))
    assert files
    compared = 0
    for file in files:
        lines = [line for line in file.read_text().splitlines() if line.startswith("KafkaInfo")]
        theirs = [{key: (one or other).strip('"') for key, one, other in FIELD.findall(line)} for line in lines]
        found = [(conversation, pdu, conversation.message(pdu)) for conversation in conversations_of(file.with_suffix(".pcap"))
                 for pdu in conversation.messages]
        assert len(found) == len(theirs)
        for (conversation, pdu, one), info in zip(found, theirs, strict=True):
            tree = KAFKA.dissect(one)
            summary = conversation.summary(pdu)
            context = pdu.header.context or pdu.peer.header.context
            assert ("Request" if one.from_client else "Response") == info["msg_type"]
            assert str(pdu.header.key) == info["correlation_id"]
            assert summary.op == f"{info['api_key']} v{info['api_version']}"
            assert context.version == int(info["api_version"])
            assert named(tree, "kafka.topic_name")[0] == info["topic_name"]
            assert named(tree, "kafka.partition_id")[0] == int(info["partition"])
            assert f"{info['topic_name']}-{info['partition']}" == info["endpoint"]
            if one.from_client:
                assert named(tree, "kafka.client_id") == [info["client_id"]]
                assert named(tree, "kafka.len") == [int(info["req_msg_size"])]
                assert named(tree, "kafka.trace_id")[:1] == re.findall(r'field: "([^"]+)"', lines[theirs.index(info)])[:1]
            else:
                assert summary.code == int(info["status_code"])
                assert named(tree, "kafka.offset") == [int(info["offset"])]
                assert named(tree, "kafka.len") == [int(info["resp_msg_size"])]
                assert (conversation.rrt(pdu) or 0) // 1000 == int(info["rrt"])
            compared += 1
    assert compared >= 2


def test_peers_samples_are_recognised(shared: Path) -> None:
    for file in sorted((shared / "public" / "kafka").glob("*.pcap*")):
        if file.suffix in (".pcap", ".pcapng"):
            found = [pdu for conversation in conversations_of(file) for pdu in conversation.messages]
            assert found, file.name


OTHERS = ("common/fastcgi-nginx1.22-phpfpm8.2", "common/postgres-psycopg3.3-15-auth", "common/http2", "common/mqtt", "common/dns", "common/tls", "common/redis",
          "zookeeper/zookeeper-java-3.9-operations", "mongodb/mongodb-pymongo4.20-ferretdb1.24-crud", "iggy/iggy-cli-0.8.0", "rocketmq/rocketmq-cpp-5.3.3")


@pytest.mark.parametrize("name", OTHERS)
def test_other_protocols_with_length_fields_are_not_taken_for_kafka(shared: Path, name: str) -> None:
    file = shared / f"{name}.pcap"
    found = conversations_of(file)
    assert found
    assert [conversation.match for conversation in found if conversation.match] == []
