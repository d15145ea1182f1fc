"""Recorded RocketMQ traffic through the middle floor: every byte in a field, requests, answers, ids and bodies as the recording clients wrote them down.

The truth files were written by the clients while they ran; what they count otherwise than the wire is named at each test.
"""
from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from rocketmq_wire import uncovered

from captures.file.opening import open_source
from captures.index.index import Index
from captures.messages.conversation import Conversation, MessageRow
from captures.stream.pair import tcp_pair
from protocols.decoder import Kind, Status
from protocols.engine.fields import Field, walk
from protocols.proxy.decoder import Proxy
from protocols.rocketmq import stored
from protocols.rocketmq.decoder import RocketMQ
from protocols.rocketmq.ha import RocketMQHA
from protocols.rocketmq.head import Head, head
from protocols.rocketmq.tables import operation_name

FOLDER = Path(__file__).parent / "data" / "rocketmq"
NAMES = sorted(file.name.removesuffix(".pcap.gz") for file in FOLDER.glob("*.pcap.gz"))
CUT = {"rocketmq-java-5.3.3-bulkpull-cut", "rocketmq-java-5.3.3-midstream"}
TLS = "rocketmq-java-5.3.3-tls"
HA = "rocketmq-slave-5.3.3-ha"


@cache
def conversations(name: str) -> list[Conversation]:
    index = Index(open_source(FOLDER / f"{name}.pcap.gz"))
    index.run()
    outer = [Conversation(tcp_pair(index, stream), [RocketMQ(), RocketMQHA(), Proxy()]) for stream in range(len(index.tcp))]
    return [layer for one in outer for layer in one.layers()]


@cache
def frames(name: str) -> list[tuple[Conversation, MessageRow, Head]]:
    """Every RocketMQ frame of a recording with its header."""
    return [(one, pdu, head(data, 0, len(data))) for one in conversations(name) if one.decoder is not None and one.decoder.name == "rocketmq"
            for pdu in one.messages if (data := one.data(pdu)) and pdu.header.kind is not Kind.EVENT]


def truth(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.truth.json").read_text())  # type: ignore[no-any-return]


def tree(conversation: Conversation, pdu: MessageRow) -> list[Field]:
    assert conversation.decoder is not None
    return list(walk(conversation.decoder.dissect(conversation.message(pdu))))


def values(name: str, field: str, op: str = "", kind: Kind | None = None) -> list[object]:
    """Every value of a field in a recording's frames of one operation and kind."""
    return [one.value for conversation, pdu, _ in frames(name) if (not op or conversation.summary(pdu).op == op) and kind in (None, pdu.header.kind)
            for one in tree(conversation, pdu) if one.name == field]


def test_the_recordings_are_there() -> None:
    assert len(NAMES) == 20


@pytest.mark.parametrize("name", NAMES)
def test_every_byte_of_every_frame_lies_in_a_field_and_none_is_malformed(name: str) -> None:
    messages = 0
    for conversation in conversations(name):
        if conversation.decoder is None:
            continue
        for pdu in conversation.messages:
            message = conversation.message(pdu)
            found = list(conversation.decoder.dissect(message))
            assert not uncovered(found, message.end), conversation.summary(pdu).info
            assert not [one.text for one in walk(found) if one.name in ("_ws.malformed", "data.data")]
            messages += 1
        assert not conversation.faults
        if name not in CUT:
            assert not conversation.holes
    assert bool(messages) == (name != TLS)


@pytest.mark.parametrize("name", [name for name in NAMES if "requests_sent_by_code" in truth(name) and name != TLS and name not in CUT])
def test_requests_and_answers_are_those_that_the_client_counted(name: str) -> None:
    """Counted by a hook in the client library, before truncation to 16 bits; answers that came after the client had gone are not in its table."""
    told = truth(name)
    sent, asked, answers = Counter[str](), Counter[str](), Counter[str]()
    for _, pdu, one in frames(name):
        if pdu.header.kind in (Kind.REQUEST, Kind.ONEWAY):
            (sent if pdu.from_client else asked)[str(one.code)] += 1
        elif one.code and pdu.peer is not None and not pdu.from_client:
            answers[f"{pdu.peer.header.op} -> {one.code}"] += 1
    assert sent == told["requests_sent_by_code"]
    assert asked == told["requests_from_broker_by_code"]
    wanted = Counter({f"{operation_name(int(key.split(' -> ')[0]))} -> {key.split(' -> ')[1]}": count for key, count in told["non_zero_answers_seen"].items()})
    late = {("rocketmq-java-5.3.3-binary-header", "PULL_MESSAGE -> 24"), ("rocketmq-java4.8.0-5.3.3-vip-v1send", "PULL_MESSAGE -> 25"),
            ("rocketmq-java4.8.0-5.3.3-vip-v1send", "QUERY_MESSAGE -> 22")}
    assert {key: count for key, count in answers.items() if (name, key) not in late} == {key: count for key, count in wanted.items() if (name, key) not in late}


@pytest.mark.parametrize("name", [name for name in NAMES if name != TLS])
def test_every_answer_has_its_request_and_only_held_requests_have_none(name: str) -> None:
    """What has no answer is a long poll that was held when its client went."""
    for conversation, pdu, _ in frames(name):
        if pdu.peer is not None or pdu.header.kind is Kind.ONEWAY:
            continue
        said = conversation.summary(pdu)
        if pdu.header.kind is Kind.RESPONSE:
            assert name in CUT and said.status is Status.ORPHAN
        else:
            assert said.long_poll and said.op in ("PULL_MESSAGE", "LITE_PULL_MESSAGE", "POP_MESSAGE") and said.status is Status.NO_RESPONSE


def test_ids_keys_and_bodies_of_the_producer() -> None:
    name = "rocketmq-java-5.3.3-producer"
    told = truth(name)
    ids = values(name, "rocketmq.message_id")
    assert told["first_offsetMsgId"] in ids and told["first_msgId"] in ids
    bodies = values(name, "rocketmq.message.body", "SEND_MESSAGE_V2")
    assert {text.encode() for text in told["text_bodies"]} <= set(bodies)
    plain = [one.value for conversation, pdu, _ in frames(name) for one in tree(conversation, pdu) if one.name == "rocketmq.message.body_plain"]
    assert len(plain) >= 3 and {len(one) for one in plain} == {told["compressed_plain_bytes"]} and len(set(plain)) == 1
    sent = Counter(f"{head(conversation.data(pdu.peer), 0, pdu.peer.have).ext['topic']} q{one.ext['queueId']} off{one.ext['queueOffset']}"
                   for conversation, pdu, one in frames(name) if one.response and one.code == 0 and "queueOffset" in one.ext and pdu.peer is not None)
    assert sent == Counter(found[1] for line in told["sends"] if (found := re.search(r"SEND_OK (\S+ q\d+ off\d+)", line)))
    counts = [len([one for one in tree(conversation, pdu) if one.name == "rocketmq.message"])
              for conversation, pdu, _ in frames(name) if pdu.header.op == "SEND_BATCH_MESSAGE"]
    assert counts == [one["count"] for one in told["batch_results"]]


def test_pulls_say_how_many_messages_came() -> None:
    name = "rocketmq-java-5.3.3-bulkpull"
    said = []
    for conversation, pdu, one in frames(name):
        if pdu.header.kind is Kind.RESPONSE and conversation.summary(pdu).op == "PULL_MESSAGE":
            request = head(conversation.data(pdu.peer), 0, pdu.peer.have) if pdu.peer else Head()
            count = len([field for field in tree(conversation, pdu) if field.name == "rocketmq.message"])
            said.append(f"q{request.ext['queueId']} from {request.ext['queueOffset']}: {one.remark} {count}")
    assert said == truth(name)["pulls"]


def test_a_recording_that_starts_inside_an_answer_goes_on_at_the_next_frame() -> None:
    """89,174 bytes of stored messages were under way; the three pulls after them are whole."""
    name = "rocketmq-java-5.3.3-bulkpull-cut"
    (cut,) = [one for one in conversations(name) if one.holes]
    assert [hole.start for hole in cut.holes] == [0]
    pulls = [cut.summary(pdu).info for pdu in cut.messages if pdu.header.kind is Kind.RESPONSE and cut.summary(pdu).op == "PULL_MESSAGE"]
    assert len(pulls) == 3 and all("SUCCESS" in one for one in pulls)


def test_transactions_as_the_broker_asked_about_them() -> None:
    for name in ("rocketmq-java-5.3.3-transactions", "rocketmq-java-5.3.3-mixed-header-tx"):
        told = truth(name)
        checks = [(conversation, pdu) for conversation, pdu, one in frames(name) if pdu.header.op == "CHECK_TRANSACTION_STATE"]
        assert len(checks) == len(told["checks"]) and all(not pdu.from_client for _, pdu in checks)
        assert all(any(field.name == "rocketmq.message" for field in tree(conversation, pdu)) for conversation, pdu in checks)
        ends = Counter(values(name, "rocketmq.ext.commit_or_rollback", "END_TRANSACTION"))
        assert set(ends) <= {0, 8, 12} and ends[8] and ends[12]


def test_pop_answers_and_their_handles() -> None:
    name = "rocketmq-java-5.3.3-pop-reply"
    told = truth(name)
    popped = [conversation.summary(pdu).info for conversation, pdu, one in frames(name)
              if one.response and one.code == 0 and conversation.summary(pdu).op == "POP_MESSAGE"]
    assert popped and all("message" in one for one in popped)
    assert len([1 for _, pdu, _ in frames(name) if pdu.header.op == "PUSH_REPLY_MESSAGE_TO_CLIENT"]) == told["replies_sent"]
    assert values(name, "rocketmq.pop.revive_qid") and values(name, "rocketmq.pop.info")


def test_truncated_pop_codes_are_named_and_refused() -> None:
    name = "rocketmq-java-5.3.3-binary-pop"
    refused = [(conversation.summary(pdu).op, one.remark.strip()) for conversation, pdu, one in frames(name) if one.response and one.code == 3]
    wanted = [line.partition("-> 3  ")[2].removesuffix(" {}").strip() for line in truth(name)["raw_answers"]]
    assert {remark for _, remark in refused} >= set(wanted)
    assert {op for op, remark in refused if "3442" in remark} == {"POP_MESSAGE"}


def test_brokers_register_in_three_forms() -> None:
    """5.3.3 plain and zlib (which it calls uncompressed), 4.9.4 zlib without mappings."""
    name = "rocketmq-broker-5.3.3-registration"
    topics = {str(one).split(" ")[0] for one in values(name, "rocketmq.register.topic")}
    plain = set(values(name, "rocketmq.body.topic_name", "REGISTER_BROKER"))
    made = [text.split(" (")[0] for run in range(1, 5) for text in truth(name)[f"run_{run}"]["topics_made"]]
    assert {one for one in made if one.startswith(("reg_zip", "reg_old"))} <= topics
    assert {one for one in made if one.startswith("reg_plain")} <= plain
    assert "BROKER_HEARTBEAT" in {pdu.header.op for _, pdu, _ in frames(name)}


def test_ipv6_hosts_and_other_ports() -> None:
    name = "rocketmq-java-5.3.3-ipv6-otherports"
    assert {conversation.match.score for conversation in conversations(name) if conversation.match} == {100}
    assert set(values(name, "rocketmq.message.store_host_v6")) == {"fd77::1"}
    assert all(len(str(one)) == 56 for one in values(name, "rocketmq.message.id"))


def test_proxy_lines_before_the_first_frame() -> None:
    name = "rocketmq-java-5.3.3-proxyprotocol"
    found = []
    for conversation in conversations(name):
        for pdu in conversation.messages:
            if conversation.decoder is not None and conversation.decoder.name == "proxy":
                said = {one.name: one.value for one in tree(conversation, pdu)}
                found.append(f"{said['proxy.src.ipv4']}:{said['proxy.srcport']}")
    assert found == truth(name)["claimed_sources"]


def test_tls_is_nobodys() -> None:
    assert not any(conversation.decoder for conversation in conversations(TLS))


def test_replication_carries_the_commit_log() -> None:
    (one,) = [conversation for conversation in conversations(HA) if conversation.decoder is not None and conversation.decoder.name == "rocketmq_ha"]
    told = truth(HA)
    log = b"".join(one.data(pdu)[12:] for pdu in one.messages if not pdu.from_client)
    assert len(log) == told["commit_log_bytes_at_master"]
    assert len(list(stored.walk(log, 0, len(log)))) == told["records_in_commit_log"]
    whole = sum(field.name == "rocketmq.message" for pdu in one.messages for field in tree(one, pdu))
    pieces = sum(field.name == "rocketmq_ha.beginning" for pdu in one.messages for field in tree(one, pdu))
    assert whole + pieces == told["records_in_commit_log"]
    assert {conversation.summary(pdu).op for conversation, pdu in ((one, pdu) for pdu in one.messages)} == {"report offset", "transfer", "heartbeat"}


@pytest.mark.parametrize("name", ["consumer-skywalking", "get-routeinfo-by-topic", "producer-otel", "producer-skywalking"])
def test_another_decoder_agrees(shared: Path, name: str) -> None:
    """DeepFlow's printed results for four public captures. It takes msg_size from the frame's length field, times in microseconds."""
    folder = next(shared.rglob("public/rocketmq"))
    index = Index(open_source(folder / f"deepflow__rocketmq-{name}.pcap"))
    index.run()
    rows = []
    for stream in range(len(index.tcp)):
        conversation = Conversation(tcp_pair(index, stream), [RocketMQ()])
        rows += [(pdu.packet, conversation, pdu) for pdu in conversation.messages]
    lines = [line for line in (folder / f"deepflow__rocketmq-{name}.result").read_text().splitlines() if line.startswith("RocketmqInfo")]
    assert len(lines) == len(rows)
    for line, (_, conversation, pdu) in zip(lines, sorted(rows, key=lambda row: row[0]), strict=True):
        found: dict[str, object] = {}
        for one in conversation.decoder.dissect(conversation.message(pdu)) if conversation.decoder else ():
            for field in walk([one]):
                found.setdefault(field.name, field)
        said = conversation.summary(pdu)
        response = pdu.header.kind is Kind.RESPONSE

        def text(name: str, found: dict[str, Any] = found) -> str:
            return str(found[name].value) if name in found else ""
        assert _word(line, "msg_type") == ("Response" if response else "Request")
        assert int(_word(line, "opaque")) == pdu.header.key
        assert text("rocketmq.version") and _word(line, "version") in found["rocketmq.version"].text  # type: ignore[attr-defined]
        assert re.search(rf"{'resp' if response else 'req'}_msg_size: Some\({text('rocketmq.len')}\)", line)
        if response:
            assert _word(line, "resp_code_name") in said.info and _word(line, "remark") == text("rocketmq.remark")
            assert {"Ok": Status.OK}[_word(line, "status")] is said.status
            rrt = conversation.rrt(pdu)
            assert rrt is not None and abs(rrt // 1000 - int(_word(line, "rrt"))) <= 1
        else:
            assert _word(line, "req_code_name") == said.op and _word(line, "ext_topic") == text("rocketmq.topic")
            assert _word(line, "ext_group") == text("rocketmq.group")
        if _word(line, "msg_key"):
            assert _word(line, "msg_key") == text("rocketmq.message_id")
        traced = re.search(r'field: "([^"]*)"', line)
        assert (traced[1] if traced else "") == text("rocketmq.trace_id") and _word(line, "span_id") == text("rocketmq.span_id")


def _word(line: str, name: str) -> str:
    found = re.search(rf'\b{name}: "?([^",}}]*)"?[,}} ]', line)
    assert found is not None, name
    return found[1].strip()
