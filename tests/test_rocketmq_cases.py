"""Small RocketMQ captures that were shown wrongly once, with what is right: lite topics of 5.5, cut packets, bodies as others compress them."""
from __future__ import annotations

from functools import cache
from pathlib import Path

from rocketmq_wire import dissect, json_frame, named, uncovered

from captures.file.opening import open_source
from captures.index.index import Index
from captures.messages.conversation import Conversation, MessageRow
from captures.stream.pair import tcp_pair
from protocols.decoder import Kind
from protocols.engine.fields import Field, walk
from protocols.registry import Registry
from protocols.rocketmq import tables as t

CASES = Path(__file__).parent / "data" / "cases"


@cache
def messages(name: str) -> list[tuple[Conversation, MessageRow]]:
    """Every RocketMQ message of a case, in the order of its packets."""
    index = Index(open_source(CASES / f"{name}.pcap"))
    index.run()
    decoders = Registry(installed=False).decoders()
    found = [(one, pdu) for stream in range(len(index.tcp)) for one in Conversation(tcp_pair(index, stream), decoders).layers()
             if one.decoder is not None and one.decoder.name == "rocketmq" for pdu in one.pdus]
    return sorted(found, key=lambda one: one[1].packet)


def tree(one: Conversation, pdu: MessageRow) -> list[Field]:
    assert one.decoder is not None
    return list(one.decoder.dissect(one.message(pdu)))


LITE = {200070: "POP_LITE_MESSAGE", 200071: "LITE_SUBSCRIPTION_CTL", 200072: "ACK_LITE_MESSAGE", 200073: "NOTIFY_UNSUBSCRIBE_LITE",
        200074: "GET_BROKER_LITE_INFO", 200075: "GET_PARENT_TOPIC_INFO", 200076: "GET_LITE_TOPIC_INFO", 200077: "GET_LITE_CLIENT_INFO",
        200078: "GET_LITE_GROUP_INFO", 200079: "TRIGGER_LITE_DISPATCH", 5001: "SWITCH_TIMER_ENGINE",
        5002: "DELETE_TOPIC_IN_BROKER_LIST", 5003: "DELETE_SUBSCRIPTION_GROUP_LIST"}
"""RequestCode of rocketmq-remoting 5.5.1, read by reflection."""


def test_codes_of_releases_5_4_and_5_5_have_their_names() -> None:
    assert {code: t.operation_name(code) for code in LITE} == LITE
    assert [t.outcome(code, 0).name for code in (2017, 2018)] == ["LMQ_QUOTA_EXCEEDED", "LITE_SUBSCRIPTION_QUOTA_EXCEEDED"]


def test_requests_of_5_5_are_read_and_nothing_is_called_wrong_beside_a_success() -> None:
    ops = [one.summary(pdu).op for one, pdu in messages("rocketmq-lite-codes") if pdu.kind is Kind.REQUEST]
    assert set(LITE.values()) - {"ACK_LITE_MESSAGE", "NOTIFY_UNSUBSCRIBE_LITE", "DELETE_TOPIC_IN_BROKER_LIST", "DELETE_SUBSCRIPTION_GROUP_LIST"} <= set(ops)
    assert all(pdu.peer is not None for _, pdu in messages("rocketmq-lite-codes"))
    for one, pdu in messages("rocketmq-lite-codes"):
        fields = tree(one, pdu)
        assert not named(fields, "rocketmq.note") and not named(fields, "_ws.malformed") and not uncovered(fields, pdu.have)
        assert not named(fields, "rocketmq.body.text")
        assert [field.value for field in named(fields, "rocketmq.ext.other")] in ([], ["engineType=file"], ["engineType=rocksdb"])  # a field that is none


def test_a_subscription_names_its_lite_topics_each_whole() -> None:
    (asked,) = [one.summary(pdu) for one, pdu in messages("rocketmq-lite-codes") if pdu.header.op == "LITE_SUBSCRIPTION_CTL"]
    assert asked.targets == ("g_lite/session-0", "g_lite/session-2") and asked.endpoint == "g_lite"
    assert "COMPLETE_ADD g_lite/session-0, g_lite/session-2 cg_lite" in asked.info and asked.client_id


def test_offsets_of_lite_topics_are_told_apart() -> None:
    """Two messages with offset 3, one in each lite topic."""
    said = [(one.summary(pdu).targets, one.summary(pdu).info.split("  #")[0]) for one, pdu in messages("rocketmq-lite-pop") if pdu.header.op == "ACK_MESSAGE"]
    assert said == [((f"g_lite/session-{number}",), f"ACK_MESSAGE g_lite/session-{number} off={offset} cg_lite") for number in (0, 1) for offset in (3, 4)]
    answers = [one.summary(pdu).targets for one, pdu in messages("rocketmq-lite-pop") if pdu.kind is Kind.RESPONSE and one.summary(pdu).op == "ACK_MESSAGE"]
    assert answers == [targets for targets, _ in said]


def test_fields_of_5_5_have_names_of_their_own() -> None:
    found = [field for one, pdu in messages("rocketmq-lite-pop") for field in walk(tree(one, pdu))]
    assert not [field.text for field in found if field.name in ("rocketmq.ext.other", "rocketmq.ext.bad")]
    assert {field.value for field in found if field.name == "rocketmq.ext.lite_topic"} == {"session-0", "session-1"}
    assert {field.value for field in found if field.name == "rocketmq.property.lite_topic"} >= {"session-0", "session-1"}
    (pop,) = [one.summary(pdu) for one, pdu in messages("rocketmq-lite-pop") if pdu.header.op == "POP_LITE_MESSAGE"]
    assert pop.long_poll and pop.targets == ("g_lite",)
    for code, ext in ((200053, {"suspend": "true", "liteTopic": "s"}), (11, {"liteTopic": "s"}), (29, {"liteTopic": "s"}),
                      (12, {"indexType": "K", "lastKey": "k"}), (200054, {"expType": "TAG", "exp": "*"})):
        assert not named(dissect(json_frame(code, ext))[0], "rocketmq.ext.other"), code


def test_a_table_of_required_fields_is_not_what_servers_ask_for() -> None:
    """The tools of 5.5.0 send no groupSeq; also without an answer in the capture nothing is called missing."""
    for code in (201, 21):
        assert not named(dissect(json_frame(code, {}))[0], "rocketmq.note")
