"""Bodies of RocketMQ: stored messages, batches, compression, JSON that is none, registrations, and what does not fit."""
from __future__ import annotations

import json
import struct
import zlib

import pytest
from rocketmq_wire import Exchange, dissect, faults, inner, json_frame, named, properties, stored, uncovered, value

from protocols.engine.fields import Field, walk
from protocols.rocketmq.jsontext import scalars, scan

PULL = json_frame(11, {"topic": "T", "queueId": "1", "sysFlag": "0"})


def pulled(body: bytes) -> list[Field]:
    data = json_frame(0, {"nextBeginOffset": "1"}, flag=1, remark="FOUND", body=body)
    fields, _ = dissect(data, PULL)
    assert not uncovered(fields, len(data))
    return fields


def test_a_message_with_ipv6_hosts_and_a_long_topic() -> None:
    born, host = bytes.fromhex("fd77" + "00" * 13 + "02"), bytes.fromhex("fd77" + "00" * 13 + "01")
    topic = "t" * 200
    fields = pulled(stored(b"x", topic=topic, v2=True, born=born, host=host, physical=0x1F))
    assert value(fields, "rocketmq.message.born_host_v6") == "fd77::2" and value(fields, "rocketmq.message.store_host_v6") == "fd77::1"
    assert value(fields, "rocketmq.message.topic") == topic
    assert value(fields, "rocketmq.message.id") == host.hex().upper() + "00002A9F" + "000000000000001F"
    assert not faults(fields)


@pytest.mark.parametrize(("codec", "bits"), [("zlib", 0x0), ("lz4", 0x100), ("zstd", 0x200), ("zlib", 0x300)])
def test_a_compressed_body_is_a_byte_view(codec: str, bits: int) -> None:
    import lz4.frame
    import zstandard

    plain = b'{"order":17,"note":"' + b"z" * 5000 + b'"}'
    packed = {"zlib": zlib.compress, "lz4": lz4.frame.compress, "zstd": zstandard.ZstdCompressor().compress}[codec](plain)
    data = json_frame(0, {}, flag=1, body=stored(packed, sys_flag=0x1 | bits, crc=zlib.crc32(packed) & 0x7FFFFFFF))
    fields, message = dissect(data, PULL)
    (view,) = message.views
    assert view.data == plain
    (opened,) = named(fields, "rocketmq.message.body_plain")
    assert (opened.view, opened.start, opened.length) == (1, 0, len(plain))
    member = named(fields, "rocketmq.json.member")[0]
    assert (member.value, member.view, plain[member.start:member.end]) == ("order=17", 1, b'"order":17')
    assert not faults(fields) and "(correct)" in named(fields, "rocketmq.message.crc")[0].text


def test_a_body_that_is_not_what_its_flag_says_is_malformed_and_the_next_message_read() -> None:
    fields = pulled(stored(b"no zlib\xff", sys_flag=1) + stored(b"fine", offset=6))
    assert len(faults(fields)) == 1 and str(faults(fields)[0]).startswith("malformed at byte")
    assert [one.value for one in named(fields, "rocketmq.message.queue_offset")] == [5, 6]


def test_a_bomb_is_cut_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocols.rocketmq.messages.LIMIT", 100_000)
    packed = zlib.compress(bytes(5_000_000))
    data = json_frame(0, {}, flag=1, body=stored(packed, sys_flag=1) + stored(packed, sys_flag=1))
    _, message = dissect(data, PULL)
    assert [len(view.data) for view in message.views] == [100_000]


def test_the_messages_of_a_batch_one_by_one() -> None:
    """Example E6 of the protocol document."""
    body = bytes.fromhex("0000001f000000000000000000000000000000026d3100075441475301410200000019000000000000000000000000000000036d32320000")
    data = json_frame(320, {"b": "T", "e": "0", "m": "true"}, body=body)
    fields, _ = dissect(data)
    assert [one.value for one in named(fields, "rocketmq.message.body")][1:] == [b"m1", b"m22"]
    assert value(fields, "rocketmq.property.tags") == "A" and not faults(fields) and not uncovered(fields, len(data))
    assert inner(b"m1", properties(TAGS="A")) + inner(b"m22") == body


@pytest.mark.parametrize("text", [b"A\x01b\x02KEYS\x01k\x02", b"A\x01b\x02KEYS\x01k"])
def test_properties_with_and_without_the_last_separator(text: bytes) -> None:
    fields = pulled(stored(b"x", props=text))
    assert value(fields, "rocketmq.property") == "A=b" and value(fields, "rocketmq.property.keys") == "k"


def test_a_stored_checksum_property_is_written_backwards() -> None:
    assert value(pulled(stored(b"x", props=b"__CRC32#\x011234567890\x02")), "rocketmq.property.crc32") == "987654321"


def test_a_pop_handle_is_split() -> None:
    handle = "17 1700000000000 60000 999 0 broker-a 3 21"
    data = json_frame(200051, {"topic": "T", "queueId": "3", "extraInfo": handle, "offset": "21", "consumerGroup": "g"})
    fields, _ = dissect(data)
    got = {one.name.removeprefix("rocketmq.pop."): one for one in walk(fields) if one.name.startswith("rocketmq.pop.")}
    assert got["ck_queue_offset"].value == 17 and got["revive_qid"].text == "reviveQid: 999 (ordered)" and got["msg_queue_offset"].value == 21
    assert data[got["broker_name"].start:got["broker_name"].end] == b"broker-a"


def test_the_short_names_of_a_batch_ack_are_spelled_out() -> None:
    body = b'{"acks":[{"b":"AQ==","c":"cg","it":60000,"pt":1700000000000,"q":2,"r":"0","rq":1,"so":40,"t":"pop"}],"brokerName":"broker-a"}'
    fields, _ = dissect(json_frame(200151, None, body=body))
    assert value(fields, "rocketmq.body.consumer_group") == "cg" and value(fields, "rocketmq.body.start_offset") == 40
    assert named(fields, "rocketmq.body.pop_time")[0].text == "popTime (pt): 2023-11-14 22:13:20.000000000 UTC"


def test_objects_as_keys_have_members_and_places() -> None:
    body = b'{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:{"brokerOffset":5,"consumerOffset":4}},"consumeTps":0.5}'
    data = json_frame(0, None, flag=1, body=body)
    fields, _ = dissect(data, json_frame(208, {"consumerGroup": "g"}))
    assert not faults(fields)
    assert value(fields, "rocketmq.body.broker_offset") == 5 and value(fields, "rocketmq.body.consume_tps") == 0.5
    (key,) = [one for one in named(fields, "rocketmq.key") if one.text.startswith("Key: {")]
    assert data[key.start:key.end] == b'{"brokerName":"b","queueId":0,"topic":"T"}'
    assert {one.name: one.value for one in key.fields} == {"rocketmq.body.broker_name": "b", "rocketmq.body.queue_id": 0, "rocketmq.body.topic": "T"}


def test_a_zlib_registration_is_told_by_its_bytes() -> None:
    version, filters = b'{"counter":2,"timestamp":1700000000000}', b"[]"
    parts = [struct.pack(">i", len(version)) + version, struct.pack(">i", 2)]
    parts += [struct.pack(">i", len(topic)) + topic for topic in (b"a 1 1 6 SINGLE_TAG", b'b 4 4 6 SINGLE_TAG {"message.type":"DELAY"}')]
    parts += [struct.pack(">i", len(filters)) + filters, struct.pack(">i", 0)]
    plain = b"".join(parts)
    for with_mappings in (True, False):
        content = plain if with_mappings else plain[:-4]
        data = json_frame(103, {"brokerName": "b", "compressed": "false"}, body=zlib.compress(content))
        fields, message = dissect(data)
        assert message.views[0].data == content
        assert [one.value for one in named(fields, "rocketmq.register.topic")] == ["a 1 1 6 SINGLE_TAG", 'b 4 4 6 SINGLE_TAG {"message.type":"DELAY"}']
        assert len(named(fields, "rocketmq.register.mappings")) == with_mappings and not faults(fields) and not uncovered(fields, len(data))


@pytest.mark.parametrize("count", [4, 7])
def test_a_timer_check_point_of_either_length(count: int) -> None:
    fields, _ = dissect(json_frame(0, None, flag=1, body=struct.pack(f">{count}q", *range(1, count + 1))), json_frame(60))
    assert value(fields, "rocketmq.timer.master_timer_queue_offset") == 4
    assert [one.value for one in named(fields, "rocketmq.timer.counter")] == [7] * (count == 7)


def test_configuration_lines() -> None:
    body = b"brokerName=broker-a\nlistenPort=10911\nkeystorePassword=geheim\n"
    data = json_frame(0, {"version": "v"}, flag=1, body=body)
    fields, _ = dissect(data, json_frame(26))
    lines = [one.value for one in named(fields, "rocketmq.config.line")]
    assert lines == ["brokerName=broker-a", "listenPort=10911", "keystorePassword=6 bytes, masked"]
    assert not uncovered(fields, len(data))


def test_trace_messages_are_split() -> None:
    body = b"Pub\x011700000000000\x01DefaultRegion\x01pg\x01orders\x01ID1\x01tag\x01k\x0110.0.0.1:10911\x0117\x013\x010\x01OFF1\x01true\x02"
    fields, _ = dissect(json_frame(310, {"b": "RMQ_SYS_TRACE_TOPIC", "e": "0"}, body=body))
    assert value(fields, "rocketmq.trace.kind") == "Pub" and value(fields, "rocketmq.trace.msg_id") == "ID1"
    assert value(fields, "rocketmq.trace.cost_time") == "3"


def test_trace_ids_of_two_tracers() -> None:
    w3c = json_frame(310, {"i": "traceparent\x0100-7240bb0a67d82172a5527edbe80a4823-08c57e1e4bc4f7d0-01\x02"})
    assert value(dissect(w3c)[0], "rocketmq.trace_id") == "7240bb0a67d82172a5527edbe80a4823"
    walking = json_frame(310, {"i": "sw8\x011-YS4xLjI=-Yi4xLjM=-0-c\x02"})
    fields, _ = dissect(walking)
    assert (value(fields, "rocketmq.trace_id"), value(fields, "rocketmq.span_id")) == ("a.1.2", "b.1.3-0")


@pytest.mark.parametrize(("body", "said"), [
    (stored(b"x") + b"\0\0\0\x50", "malformed at byte"), (stored(b"x")[:-3], "malformed at byte"), (b"\0\0\0\x5b\xda\xa3\x20\xa7" + bytes(83), ""),
    (stored(b"x")[:70] + b"\x7f\xff\xff\xff" + stored(b"x")[74:], "")])
def test_stored_messages_that_do_not_fit_are_malformed_where_they_do_not(body: bytes, said: str) -> None:
    fields = pulled(body)
    assert all(str(one).startswith("malformed at byte") for one in faults(fields))
    assert bool(faults(fields)) or not said


def test_the_blank_record_at_the_end_of_a_file() -> None:
    fields = pulled(stored(b"x") + struct.pack(">iI", 40, 0xCBD43194) + bytes(32))
    assert value(fields, "rocketmq.message.filler") == bytes(32) and not faults(fields)


def test_a_wrong_checksum_is_said() -> None:
    assert "(incorrect, should be 0x" in named(pulled(stored(b"x", crc=5)), "rocketmq.message.crc")[0].text


JSON = ['{"a":1,"b":{"c":[true,null,-2.5,"x\\u0041\\n"]}}', "[]", "{}", '"alone"', '{"a":{"b":{"c":{}}}}', '{"ключ":"значение","e":1e3}']


@pytest.mark.parametrize("text", JSON)
def test_standard_json_reads_as_the_standard_library_reads_it(text: str) -> None:
    data = text.encode()
    found = scan(data, 0, len(data))
    assert not found.fault and found.end == len(data) and found.root is not None
    flat = {path: one for path, one, _, _ in scalars(found.root)}
    assert flat == dict(_flat(json.loads(text)))


def _flat(one: object, path: str = "") -> list[tuple[str, object]]:
    if isinstance(one, dict):
        return [pair for key, item in one.items() for pair in _flat(item, f"{path}.{key}" if path else key)]
    if isinstance(one, list):
        return [pair for number, item in enumerate(one) for pair in _flat(item, f"{path}[{number}]")]
    return [(path, one)]


def test_scalars_stand_where_they_are_said_to_stand() -> None:
    data = b'{"brokerAddrs":{0:"10.0.0.1:10911",1:"b"}, "n" : 17 }\n'
    found = scan(data, 0, len(data))
    assert found.root is not None
    assert [(path, one, data[start:end]) for path, one, start, end in scalars(found.root)] == [
        ("brokerAddrs.0", "10.0.0.1:10911", b'"10.0.0.1:10911"'), ("brokerAddrs.1", "b", b'"b"'), ("n", 17, b"17")]


@pytest.mark.parametrize("text", [b"[" * 5000, b'{"a":' * 5000, b"[1," * 100 + b"}"])
def test_deep_and_broken_json_ends_in_a_fault_not_in_an_exception(text: bytes) -> None:
    assert scan(text, 0, len(text)).fault
    fields, _ = dissect(json_frame(0, None, flag=1, body=b'{"a":' + text), json_frame(106))
    assert faults(fields) or "not opened: more than 100 levels" in named(fields, "data.data")[0].text


def test_a_huge_json_body_is_opened_up_to_a_limit() -> None:
    body = b'{"topicList":[' + b'"t",' * 200_000 + b'"t"]}'
    one = Exchange(json_frame(206), json_frame(0, None, flag=1, body=body))
    fields = one.decoder.dissect(one.response)
    (rest,) = named(fields, "data.data")
    assert "not opened: more than 100,000 values" in rest.text and not faults(fields)


def test_the_messages_of_a_huge_answer_are_read_page_by_page() -> None:
    count = 5000
    one = Exchange(PULL, json_frame(0, {}, flag=1, body=b"".join(stored(b"x", offset=number) for number in range(count))))
    (group,) = [field for field in one.decoder.dissect(one.response) if field.name == "rocketmq.messages"]
    assert len(group.fields) == 2001 and group.fields[-1].text == "Messages from 2000 on"
    assert [field.value for field in named(group.fields, "rocketmq.message.queue_offset")] == list(range(count))
