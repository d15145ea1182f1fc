"""Small RocketMQ captures that were shown wrongly once, with what is right: lite topics of 5.5, cut packets, bodies as others compress them."""
from __future__ import annotations

import gzip
import json
import struct
import zlib
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from rocketmq_wire import Exchange, binary_frame, dissect, frame, info, json_frame, named, stored, uncovered, value

from captures.file.opening import open_source
from captures.index.index import Index
from captures.messages.conversation import Conversation, MessageRow
from captures.stream.pair import tcp_pair
from protocols.decoder import Kind, Opening, Status
from protocols.engine.fields import Field, walk
from protocols.registry import Registry
from protocols.rocketmq import tables as t
from protocols.rocketmq.decoder import RocketMQ

CASES = Path(__file__).parent / "data" / "cases"


@cache
def messages(name: str) -> list[tuple[Conversation, MessageRow]]:
    """Every RocketMQ message of a case, in the order of its packets."""
    index = Index(open_source(CASES / f"{name}.pcap"))
    index.run()
    decoders = Registry(installed=False).decoders()
    found = [(one, pdu) for stream in range(len(index.tcp)) for one in Conversation(tcp_pair(index, stream), decoders).layers()
             if one.decoder is not None and one.decoder.name == "rocketmq" for pdu in one.messages]
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


# what the capture cuts off

RECORDED = Path(__file__).parent / "data" / "rocketmq"
SEND = json_frame(310, {"a": "pg", "b": "TopicTest", "e": "1", "i": "KEYS\x01k\x02"}, opaque=105, body=bytes(200))


def test_nothing_is_invented_of_a_header_that_is_cut_off() -> None:
    """The requests end before their opaque; the body's length follows from the two lengths before the header."""
    seen = messages("rocketmq-cut-header")
    asked = [(one.summary(pdu), tree(one, pdu)) for one, pdu in seen if pdu.from_client]
    answered = [one.summary(pdu) for one, pdu in seen if not pdu.from_client]
    assert len(asked) == len(answered) == 5
    for words, fields in asked:
        assert words.id == "" and words.status is Status.TRUNCATED and words.targets == ("TopicTest q1",)
        assert words.info == "SEND_MESSAGE_V2 TopicTest q1 200 bytes cut off"
        assert not named(fields, "rocketmq.opaque") and not named(fields, "_ws.malformed")
        assert named(fields, "rocketmq.ext")[0].text == "Extension fields (at least 8): SendMessageRequestHeaderV2"
    for words in answered:
        assert "(which request is not captured)" in words.info and "request not captured" not in words.info
    assert [words.id for words in answered] == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("make", [json_frame, binary_frame])
def test_what_is_told_of_a_cut_frame_is_what_the_whole_one_says(make: object) -> None:
    """At every length: opaque, code, topic and body length are those of the whole frame, or unknown."""
    whole = make(310, {"a": "pg", "b": "TopicTest", "e": "12", "m": "false"}, opaque=105, body=b"x" * 77)  # type: ignore[operator]
    for size in range(1, len(whole)):
        one = Exchange(whole[:size], b"", len(whole) - size).request
        words = RocketMQ().describe(one)
        fields = list(RocketMQ().dissect(one))
        assert one.header.key in (None, 105) and words.id in ("", "105") and words.op in ("", "SEND_MESSAGE_V2"), size
        assert words.target in ("", "TopicTest", "TopicTest q12"), size
        assert "bytes" not in words.info or "77 bytes" in words.info, size
        assert [field.value for field in named(fields, "rocketmq.request_code")] in ([], [310]), size
        assert [field.value for field in named(fields, "rocketmq.ext.queue_id")] in ([], [12]), size
        assert [field.value for field in named(fields, "rocketmq.opaque")] in ([], [105]), size


def test_the_target_in_a_body_that_is_cut_off_is_the_right_one_or_none() -> None:
    whole = json_frame(41, {}, body=b'{"clientId":"c","consumerGroup":"g","mqSet":[{"topic":"t"}]}')
    for size in range(20, len(whole)):
        assert RocketMQ().describe(Exchange(whole[:size], b"", len(whole) - size).request).target in ("", "g"), size
    assert RocketMQ().describe(Exchange(whole).request).target == "g"


def test_counts_of_a_cut_body_are_not_those_of_the_whole() -> None:
    request = json_frame(105, {"topic": "t"})
    routed = json_frame(0, {}, flag=1, body=b'{"brokerDatas":[{},{}],"queueDatas":[{},{},{}]}')
    assert info(routed, request) == "GET_ROUTEINFO_BY_TOPIC ← SUCCESS t 3 queues 2 brokers  #1"
    one = Exchange(request, routed[:-4], 4)
    tree_of_cut = list(RocketMQ().dissect(one.response))
    assert named(tree_of_cut, "rocketmq.body.queue_datas")[0].text.startswith("queueDatas: at least 2 items")
    assert named(tree_of_cut, "rocketmq.body.broker_datas")[0].text.startswith("brokerDatas: 2 items")
    assert RocketMQ().describe(one.response).info == "GET_ROUTEINFO_BY_TOPIC ← SUCCESS t cut off  #1"
    pulled = json_frame(0, {}, flag=1, body=stored(b"a") + stored(b"b", offset=6) + stored(b"c", offset=7))
    one = Exchange(json_frame(11, {"topic": "t"}), pulled[:-5], 5)
    assert named(list(RocketMQ().dissect(one.response)), "rocketmq.messages")[0].text.startswith("Messages (at least ")
    assert "at least 2 messages, off=5..6 cut off" in RocketMQ().describe(one.response).info


def test_answers_whose_code_is_not_captured_have_no_outcome() -> None:
    whole = binary_frame(0, {"a": "b"}, flag=1)
    one = Exchange(binary_frame(105, {"topic": "t"}), whole[:9], len(whole) - 9)
    words = RocketMQ().describe(one.response)
    assert words.status is None and words.code is None and "SUCCESS" not in words.info


@pytest.mark.parametrize(("mine", "theirs", "score"), [
    (SEND[:30], b"", 95), (SEND[:96], json_frame(0, {}, flag=1)[:62], 95), (binary_frame(310, {"b": "t", "i": "x" * 60})[:40], b"", 70)])
def test_a_cut_opening_is_recognised(mine: bytes, theirs: bytes, score: int) -> None:
    found = RocketMQ().recognise(Opening((mine, theirs), (40000, 10911), (True, True), (False, False)))
    assert found is not None and found.score == score and found.client == 0


@pytest.mark.parametrize("mine", [SEND[:15], SEND[:17], binary_frame(310, {"b": "t"})[:28], struct.pack(">iI", 400, 200) + b'{"name":310,"opaque":',
                                  struct.pack(">iI", 400, 200) + b'{"code":31'])
def test_an_opening_that_is_cut_before_its_code_is_nobodys(mine: bytes) -> None:
    assert RocketMQ().recognise(Opening((mine, b""), (40000, 10911), (True, True), (False, False))) is None


def cut_capture(path: Path, size: int, place: Path) -> Path:
    """The recording with every packet cut to `size` bytes."""
    data = gzip.decompress(path.read_bytes())
    out, at = [data[:24]], 24
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    while at < len(data):
        seconds, part, have, wire = struct.unpack_from(order + "IIII", data, at)
        kept = min(have, size)
        out += [struct.pack(order + "IIII", seconds, part, kept, wire), data[at + 16:at + 16 + kept]]
        at += 16 + have
    place.write_bytes(b"".join(out))
    return place


@pytest.mark.parametrize("name", ["java-5.3.3-producer", "java-5.3.3-binary-header", "cpp-5.3.3", "java-5.3.3-ipv6-otherports", "java-5.3.3-tls"])
def test_cut_recordings_are_named_rocketmq_or_nothing(name: str, tmp_path: Path) -> None:
    decoders = Registry(installed=False).decoders()
    seen: dict[int, Counter[str]] = {}
    for size in (60, 68, 72, 80, 84, 96, 128, 256, 512):
        index = Index(open_source(cut_capture(RECORDED / f"rocketmq-{name}.pcap.gz", size, tmp_path / "cut.pcap")))
        index.run()
        names = seen[size] = Counter()
        for stream in range(len(index.tcp)):
            one = Conversation(tcp_pair(index, stream), decoders)
            names[one.decoder.name if one.decoder is not None else ""] += 1
            for pdu in one.messages:
                assert one.summary(pdu).id == ("" if pdu.header.key is None else str(pdu.header.key))
    assert {protocol for names in seen.values() for protocol in names} <= {"", "rocketmq"}
    if name != "java-5.3.3-tls":
        assert seen[128]["rocketmq"] == seen[512]["rocketmq"] > 0


# unknown is not impossible

def test_numbers_of_a_header_may_be_text() -> None:
    """fastjson takes "code":"310" for a number."""
    text = b'{"code":"310","flag":"0","language":"JAVA","opaque":"77","version":"479","extFields":{"b":"t","e":"1"}}'
    fields, message = dissect(frame(text, b"x"))
    assert (message.header.kind, message.header.key, message.header.op) == (Kind.REQUEST, 77, "SEND_MESSAGE_V2")
    assert info(frame(text, b"x")) == "SEND_MESSAGE_V2 t q1 1 byte  #77"
    assert (value(fields, "rocketmq.request_code"), value(fields, "rocketmq.opaque"), value(fields, "rocketmq.version")) == (310, 77, 479)
    assert value(fields, "rocketmq.flag") == 0 and not named(fields, "rocketmq.header.other") and not uncovered(fields, len(text) + 9)


@pytest.mark.parametrize("language", [14, 63, 64, 127, 255])
@pytest.mark.parametrize("flag", [0, 4, 0x100])
def test_unknown_languages_and_flags_do_not_decide_what_a_frame_is(language: int, flag: int) -> None:
    data = binary_frame(4711, {"topic": "t"}, language=language, flag=flag, version=9999)
    found = RocketMQ().recognise(Opening((data * 2, b""), (1, 2), (True, True), (True, True)))
    assert found is not None and RocketMQ().accepts(data[:40], Exchange(data).decoder and None)  # type: ignore[arg-type]
    fields, _ = dissect(data)
    assert value(fields, "rocketmq.language") == f"unknown language {language}" and not named(fields, "_ws.malformed")


def test_a_response_code_that_no_table_knows_is_shown_by_number() -> None:
    assert info(json_frame(4711, {}, flag=1, remark="why"), json_frame(105, {"topic": "t"})) == "GET_ROUTEINFO_BY_TOPIC ← unknown (4711) t why  #1"


def test_a_compression_that_no_table_knows_is_not_malformed() -> None:
    fields, _ = dissect(json_frame(0, {}, flag=1, body=stored(b"\xff\xfe\x00", sys_flag=0x501)), json_frame(11, {"topic": "t"}))
    assert not named(fields, "_ws.malformed") and "unknown compression type 5" in named(fields, "rocketmq.message.body")[0].text


# bodies as others compress them

TEXT = json.dumps({"order": 1, "text": "abc" * 60}, separators=(",", ":")).encode()


def raw_deflate(data: bytes) -> bytes:
    made = zlib.compressobj(wbits=-15)
    return made.compress(data) + made.flush()


def test_bodies_of_the_case_are_all_shown() -> None:
    """Raw DEFLATE, plain text with an old flag, zlib: 201 bytes each."""
    records = [field for one, pdu in messages("rocketmq-bodies") for field in named(tree(one, pdu), "rocketmq.message")]
    plain = [[one.value for one in named([field], "rocketmq.message.body_plain")] for field in records]
    stored_bodies = [value([field], "rocketmq.message.body") for field in records]
    texts = [one[0] if one else body for one, body in zip(plain, stored_bodies, strict=True)]
    assert len(records) == 3 and len(set(texts)) == 1 and len(texts[0]) == 201 and texts[0].startswith(b'{"order":1,')  # type: ignore[arg-type, union-attr]
    assert [[one.value for one in named([field], "rocketmq.note")] for field in records] == [[], ["marked as compressed (zlib), and plain"], []]
    assert not [field for field in records if named([field], "_ws.malformed")]


@pytest.mark.parametrize(("body", "name"), [(raw_deflate(TEXT), "raw DEFLATE"), (zlib.compress(TEXT), "zlib")])
@pytest.mark.parametrize("codec", [0, 3])
def test_deflate_with_and_without_the_head_of_zlib(body: bytes, name: str, codec: int) -> None:
    sent = json_frame(310, {"b": "t", "f": str(1 | codec << 8)}, body=body)
    fields, _ = dissect(sent)
    assert value(fields, "rocketmq.message.body_plain") == TEXT and named(fields, "rocketmq.message.body")[0].text.endswith(name)


@pytest.mark.parametrize("body", [raw_deflate(TEXT)[:-1], raw_deflate(TEXT) + b"x", b"\xff" * 9])
def test_what_is_neither_is_malformed(body: bytes) -> None:
    assert named(dissect(json_frame(310, {"b": "t", "f": "1"}, body=body))[0], "_ws.malformed")


def test_a_compressed_body_that_the_capture_cuts_off_is_not_malformed() -> None:
    fields, _ = dissect(json_frame(310, {"b": "t", "f": "1"}, body=zlib.compress(TEXT))[:-3], cut=3)
    assert not named(fields, "_ws.malformed")
