"""Frames and headers of RocketMQ: the protocol document's worked examples, both header formats, codes, versions, words."""
from __future__ import annotations

from pathlib import Path

import pytest
from rocketmq_wire import V533, Exchange, binary_frame, dissect, faults, frame, info, json_frame, named, uncovered, value

from protocols.decoder import Kind, Status
from protocols.engine.fields import walk
from protocols.rocketmq import session
from protocols.rocketmq import tables as t
from protocols.rocketmq.decoder import RocketMQ
from protocols.rocketmq.head import head

E1 = bytes.fromhex("""
00000087000000837b22636f6465223a3130352c226578744669656c6473223a7b22746f706963223a22546f70696354
657374227d2c22666c6167223a302c226c616e6775616765223a224a415641222c226f7061717565223a372c22736572
69616c697a655479706543757272656e74525043223a224a534f4e222c2276657273696f6e223a3430317d""")
E2 = bytes.fromhex("""
0000013e0000005f7b22636f6465223a302c22666c6167223a312c226c616e6775616765223a224a415641222c226f70
61717565223a372c2273657269616c697a655479706543757272656e74525043223a224a534f4e222c2276657273696f
6e223a3430317d7b2262726f6b65724461746173223a5b7b2262726f6b65724164647273223a7b303a2231302e302e30
2e313a3130393131227d2c2262726f6b65724e616d65223a2262726f6b65722d61222c22636c7573746572223a226322
7d5d2c2266696c7465725365727665725461626c65223a7b7d2c2271756575654461746173223a5b7b2262726f6b6572
4e616d65223a2262726f6b65722d61222c227065726d223a362c227265616451756575654e756d73223a342c22746f70
6963537973466c6167223a302c22777269746551756575654e756d73223a347d5d7d""")
E3 = bytes.fromhex("0000002701000023006700091d0000000100000000000000000000000e00036b65790000000576616c7565")
E4 = bytes.fromhex("""
000000b3010000aa01360001e50000000900000002000000000000009500016100000002504700016200000009546f70
696354657374000163000000065442573130320001640000000134000165000000013100016600000001300001670000
000d31373030303030303030303030000168000000013000016900000014544147530154616741025741495401747275
650200016a000000013000016b0000000566616c736500016d0000000566616c736548656c6c6f""")
E5 = bytes.fromhex("""
0000015d000000d07b22636f6465223a302c226578744669656c6473223a7b2273756767657374576869636842726f6b
65724964223a2230222c226e657874426567696e4f6666736574223a2236222c226d696e4f6666736574223a2230222c
226d61784f6666736574223a2236227d2c22666c6167223a312c226c616e6775616765223a224a415641222c226f7061
717565223a31312c2272656d61726b223a22464f554e44222c2273657269616c697a655479706543757272656e745250
43223a224a534f4e222c2276657273696f6e223a3438357d00000089daa320a777d18982000000010000000000000000
0000000500000000000004d2000000000000018bcfe568000a0000090000c3500000018bcfe568050a00000100002a9f
0000000000000000000000000000000548656c6c6f09546f70696354657374002054414753015461674102554e49515f
4b45590130413030303030313030303102""")
GOLDEN = Path(__file__).parent / "golden"


def test_example_e1_a_route_request_with_a_json_header() -> None:
    fields, message = dissect(E1)
    assert message.header.kind is Kind.REQUEST and message.header.key == 7 and message.header.op == "GET_ROUTEINFO_BY_TOPIC"
    (topic,) = named(fields, "rocketmq.ext.topic")
    assert topic.value == "TopicTest"
    assert E1[topic.start:topic.end] == b'"topic":"TopicTest"'
    key, text = topic.fields
    assert (E1[key.start:key.end], E1[text.start:text.end]) == (b"topic", b"TopicTest")
    assert value(fields, "rocketmq.version") == 401
    assert named(fields, "rocketmq.version")[0].text == "Version: V4_9_4 (401)"
    assert not uncovered(fields, len(E1)) and not faults(fields)


def test_example_e2_a_route_with_an_unquoted_integer_key() -> None:
    fields, message = dissect(E2, E1)
    assert not faults(fields) and not uncovered(fields, len(E2))
    (addresses,) = named(fields, "rocketmq.body.broker_addrs")
    assert [one.value for one in addresses.fields] == ["0=10.0.0.1:10911"]
    assert E2[addresses.fields[0].start:addresses.fields[0].end] == b'0:"10.0.0.1:10911"'
    assert value(fields, "rocketmq.body.perm") == 6 and named(fields, "rocketmq.body.perm")[0].text == "perm: RW- (6)"
    assert "GET_ROUTEINFO_BY_TOPIC ← SUCCESS TopicTest 1 queue 1 broker" in info(E2, E1)
    assert message.header.kind is Kind.RESPONSE


def test_example_e3_a_binary_header_at_the_places_of_the_map() -> None:
    fields, _ = dissect(E3)
    places = {one.name: (one.start, one.length) for one in fields[3].fields}
    assert places == {"rocketmq.request_code": (8, 2), "rocketmq.language": (10, 1), "rocketmq.version": (11, 2), "rocketmq.opaque": (13, 4),
                      "rocketmq.flag": (17, 4), "rocketmq.remark_len": (21, 4), "rocketmq.ext_len": (25, 4), "rocketmq.ext": (29, 14)}
    (entry,) = named(fields, "rocketmq.ext")[0].fields
    key, text = entry.fields
    assert (key.value, key.start, key.length, text.value, text.start, text.length) == ("key", 31, 3, "value", 38, 5)
    assert (key.fields[0].start, key.fields[0].length, text.fields[0].start, text.fields[0].length) == (29, 2, 34, 4)
    assert not faults(fields) and not uncovered(fields, len(E3))


def test_example_e4_one_letter_fields_are_spelled_out() -> None:
    fields, message = dissect(E4)
    assert message.header.kind is Kind.ONEWAY
    assert value(fields, "rocketmq.ext.producer_group") == "PG"
    assert named(fields, "rocketmq.ext.queue_id")[0].text == "queueId (e): 1"
    assert value(fields, "rocketmq.ext.born_timestamp") == 1_700_000_000_000 * 10**6
    assert value(fields, "rocketmq.property.tags") == "TagA" and value(fields, "rocketmq.property.wait") == "true"
    (tags,) = named(fields, "rocketmq.property.tags")
    assert E4[tags.start:tags.end] == b"TAGS\x01TagA\x02"
    assert value(fields, "rocketmq.message.body") == b"Hello"
    assert "SEND_MESSAGE_V2 TopicTest q1 5 bytes tags=TagA one-way" in info(E4)
    assert not uncovered(fields, len(E4)) and not faults(fields)


def test_example_e5_a_pulled_message_at_the_places_of_the_map() -> None:
    request = json_frame(11, {"topic": "TopicTest", "queueId": "1", "consumerGroup": "g", "queueOffset": "5", "maxMsgNums": "32", "sysFlag": "2",
                              "suspendTimeoutMillis": "15000"}, opaque=11)
    fields, _ = dissect(E5, request)
    (message,) = named(fields, "rocketmq.message")
    assert (message.start, message.length) == (216, 137)
    found = {one.name.removeprefix("rocketmq.message."): one.value for one in message.fields}
    assert found["size"] == 137 and found["magic"] == 0xDAA320A7 and found["queue_id"] == 1 and found["queue_offset"] == 5
    assert found["physical_offset"] == 1234 and found["born_host"] == "10.0.0.9" and found["born_port"] == 50000
    assert found["store_host"] == "10.0.0.1" and found["store_port"] == 10911 and found["topic"] == "TopicTest" and found["body"] == b"Hello"
    assert found["id"] == "0A00000100002A9F00000000000004D2"
    assert named(fields, "rocketmq.message.crc")[0].text == "Body CRC: 0x77d18982 (correct)"
    assert value(fields, "rocketmq.property.uniq_key") == value(fields, "rocketmq.message_id") == "0A0000010001"
    assert "1 message, off=5 next=6" in info(E5, request)
    assert not uncovered(fields, len(E5)) and not faults(fields)


def test_the_words_of_a_response_are_completed_by_its_request() -> None:
    request = json_frame(105, {"topic": "t"}, opaque=3)
    one = Exchange(request, json_frame(17, opaque=3, flag=1, remark="No topic route info"))
    said = one.decoder.describe(one.response)
    assert (said.op, said.target, said.code, said.error, said.status) == ("GET_ROUTEINFO_BY_TOPIC", "t", 17, "TOPIC_NOT_EXIST", Status.CLIENT_ERROR)
    assert said.info == "GET_ROUTEINFO_BY_TOPIC ← TOPIC_NOT_EXIST (17) t No topic route info  #3"
    alone, _ = dissect(json_frame(17, opaque=3, flag=1))
    assert value(alone, "rocketmq.response_code") == 17


def test_the_words_of_a_request_name_its_client_and_those_of_a_response_its_error_in_words() -> None:
    request = json_frame(35, {"clientID": "10.0.0.2@7", "producerGroup": "g"}, opaque=3)
    one = Exchange(request, json_frame(1, opaque=3, flag=1, remark="java.lang.IllegalStateException: closed"))
    asked, answered = one.decoder.describe(one.request), one.decoder.describe(one.response)
    assert (asked.client_id, asked.targets, asked.error_text) == ("10.0.0.2@7", ("g",), "")
    assert (answered.error_text, answered.error, answered.targets) == ("java.lang.IllegalStateException: closed", "SYSTEM_ERROR", ("g",))
    heartbeat = Exchange(json_frame(34, {}, body=b'{"clientID":"c1","producerDataSet":[]}')).request
    assert RocketMQ().describe(heartbeat).client_id == "c1"


def test_a_request_about_another_client_does_not_say_who_sends_it() -> None:
    one = Exchange(json_frame(307, {"consumerGroup": "g", "clientId": "c1"}))
    assert one.decoder.describe(one.request).client_id == ""


def test_the_header_of_a_request_is_read_once_for_its_own_words_and_its_responses(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    monkeypatch.setattr(session, "head", lambda data, start, end: read.append(end) or head(data, start, end))
    one = Exchange(json_frame(105, {"topic": "t"}), json_frame(0, flag=1))
    kept = session.Session()
    one.request.header.context = one.response.header.context = kept
    for _ in range(3):
        one.decoder.describe(one.request)
        one.decoder.describe(one.response)
    assert len(read) == 2


def test_kept_headers_are_few_and_never_those_of_another_message() -> None:
    kept, decoder = session.Session(), RocketMQ()
    for number in range(3 * session.KEPT):
        one = Exchange(json_frame(105, {"topic": f"t{number}"}))
        one.request.header.context = kept
        assert decoder.describe(one.request).targets == (f"t{number}",)
    assert len(kept._heads) <= session.KEPT


@pytest.mark.parametrize("make", [json_frame, binary_frame])
def test_a_header_says_the_same_in_both_formats(make: object) -> None:
    data = make(310, {"a": "PG", "b": "T", "e": "2", "i": "KEYS\x01k 1\x02"}, opaque=-5, flag=0)  # type: ignore[operator]
    fields, message = dissect(data)
    assert message.header.key == -5
    names = ("ext.producer_group", "ext.topic", "ext.queue_id", "property.keys", "version", "language", "opaque")
    got = {name: value(fields, f"rocketmq.{name}") for name in names}
    assert got == {"ext.producer_group": "PG", "ext.topic": "T", "ext.queue_id": 2, "property.keys": "k 1", "version": V533, "language": "JAVA", "opaque": -5}
    assert not uncovered(fields, len(data)) and not faults(fields)


def test_properties_keep_their_places_inside_escaped_json_text() -> None:
    data = json_frame(310, {"i": 'A\x01one "quoted"\x02B_-.:\x01two\x02'})
    assert b"\\u0001" in data
    fields, _ = dissect(data)
    first, second = (one for one in named(fields, "rocketmq.property"))
    assert first.value == 'A=one "quoted"' and second.value == "B_-.:=two"
    assert data[first.start:first.end] == b'A\\u0001one \\"quoted\\"\\u0002'
    assert data[second.start:second.end] == b"B_-.:\\u0001two\\u0002"


@pytest.mark.parametrize("code", [200050, 200051, 200052, 200053, 200054, 200055, 200056, 200151])
def test_a_binary_header_truncates_the_codes_of_the_pop_family(code: int) -> None:
    fields, message = dissect(binary_frame(code, {"topic": "t"}))
    assert value(fields, "rocketmq.request_code") == code
    assert message.header.op == t.operations()[code].name
    assert f"({code & 0xFFFF}, truncated: {code} & 0xFFFF)" in named(fields, "rocketmq.request_code")[0].text


def test_headers_of_the_cpp_client_end_in_a_line_feed_and_hold_numbers() -> None:
    text = (b'{"code":310,"extFields":{"AccessKey":"","OnsChannel":"ALIYUN","Signature":"abcd","b":"t","e":3,"m":"0","f":0},'
            b'"flag":0,"language":"CPP","opaque":9,"remark":"","version":63}\n')
    data = frame(text, b"x")
    fields, message = dissect(data)
    assert message.header.key == 9 and not faults(fields) and not uncovered(fields, len(data))
    assert value(fields, "rocketmq.ext.queue_id") == 3 and value(fields, "rocketmq.ext.batch") is False
    assert named(fields, "rocketmq.version")[0].text == "Version: V3_1_8 (63)"


def test_flags_and_opaque_of_extension_fields_are_not_the_headers() -> None:
    go = frame(b'{"code":310,"language":"GO","version":317,"opaque":8,"flag":2,"remark":"\\"opaque\\":77",'
               b'"extFields":{"flag":1,"opaque":99,"code":5,"b":"}t"}}')
    _, message = dissect(go)
    assert (message.header.kind, message.header.key, message.header.op) == (Kind.ONEWAY, 8, "SEND_MESSAGE_V2")


def test_secrets_are_not_shown() -> None:
    data = json_frame(3001, {"username": "u", "AccessKey": "me", "Signature": "SIGN/==", "SecurityToken": "TOKEN"},
                      body=b'{"password":"hunter2","username":"u"}')
    fields, _ = dissect(data)
    shown = "\n".join(f"{one.text} {one.value}" for one in walk(fields))
    assert "SIGN" not in shown and "TOKEN" not in shown and "hunter2" not in shown
    assert "masked" in named(fields, "rocketmq.ext.signature")[0].text and "masked" in named(fields, "rocketmq.body.password")[0].text
    assert not uncovered(fields, len(data))


def test_every_code_of_the_document_has_a_name() -> None:
    codes = t.operations()
    assert len([code for code in codes if not 50 <= code <= 54 and not 50000 <= code <= 59999]) == 171
    assert {codes[50].name, codes[54].name, codes[51003].name} == {"UPDATE_AND_CREATE_ACL_CONFIG", "GET_BROKER_CLUSTER_ACL_CONFIG", "DLEDGER_PULL"}
    assert len([code for code in codes if 50000 <= code <= 59999]) == 10
    assert len(t.outcomes()) == 68
    for one in codes.values():
        for name in (one.request_header, one.response_header):
            assert not name or name in t.header_classes(), name
        for name in (one.request_body, one.response_body):
            assert not name.startswith("json:") or name[5:] in t.body_classes(), name


def test_every_request_code_gives_words_and_a_tree() -> None:
    for code, one in t.operations().items():
        data = json_frame(code, {"topic": "t", "queueId": "1"}, body=b'{"a":1}' if one.request_body else b"")
        fields, _ = dissect(data)
        assert info(data).startswith(one.name) and not uncovered(fields, len(data))


@pytest.mark.parametrize(("code", "version", "asked", "name"), [
    (209, 401, 50, "UPDATE_AND_CREATE_ACL_CONFIG_FAILED"), (210, 413, 51, "DELETE_ACL_CONFIG_FAILED"), (209, 479, 200050, "POLLING_FULL"),
    (210, 479, None, "POLLING_TIMEOUT"), (211, 401, None, "UPDATE_GLOBAL_WHITE_ADDRS_CONFIG_FAILED"),
    (2010, 415, 1001, "CONTROLLER_ALTER_SYNC_STATE_SET_FAILED"),
    (2010, 433, 1001, "CONTROLLER_BROKER_NEED_TO_BE_REGISTERED"), (0, 401, None, "SUCCESS"), (4711, 479, None, "unknown response code 4711"),
])
def test_codes_whose_meaning_changed_go_by_the_version(code: int, version: int, asked: int | None, name: str) -> None:
    assert t.outcome(code, version, asked).name == name


@pytest.mark.parametrize(("number", "name"), [
    (0, "V3_0_0_SNAPSHOT"), (47, "V3_1_0"), (67, "V3_2_0"), (79, "V3_2_6"), (87, "V3_3_1"), (105, "V3_4_1"), (123, "V3_5_1"), (141, "V3_6_1"), (159, "V3_7_1"),
    (177, "V3_8_1"), (195, "V3_9_1"), (213, "V4_0_0"), (401, "V4_9_4"), (400, "V4_9_4_SNAPSHOT"), (413, "V5_0_0"), (479, "V5_3_3"), (611, "V5_9_9"),
    (612, "HIGHER_VERSION"), (613, "unknown version"), (-1, "unknown version"),
])
def test_versions_are_named_as_mqversion_names_them(number: int, name: str) -> None:
    assert t.version(number) == name


@pytest.mark.parametrize(("ext", "waits"), [
    ({"sysFlag": "2", "suspendTimeoutMillis": "15000"}, True), ({"sysFlag": "4", "suspendTimeoutMillis": "15000"}, False), ({"sysFlag": "6"}, False)])
def test_a_pull_that_may_be_held_is_a_long_poll(ext: dict[str, str], waits: bool) -> None:
    one = Exchange(json_frame(11, {"topic": "t"} | ext), json_frame(19, {}, flag=1, remark="NO_MATCHED_MESSAGE"))
    assert one.decoder.describe(one.request).long_poll is waits
    said = one.decoder.describe(one.response)
    assert said.long_poll is waits and said.status is Status.OK and said.code == 19


def test_a_header_that_is_no_json_is_malformed_and_the_body_still_read() -> None:
    request = json_frame(34, {})
    broken = frame(b'{"code":34,"opaque":5,"flag":0 ]', b'{"clientID":"c"}')
    fields, _ = dissect(broken)
    assert len(faults(fields)) == 1 and not uncovered(fields, len(broken))
    assert dissect(request)[0]


@pytest.mark.parametrize(("at", "number", "why"), [(29, b"\x7f\xff", "wanted 6 bytes, had 14"), (34, b"\x7f\xff\xff\xff", "wanted 2,147,483,647 bytes"),
                                                   (34, b"\xff\xff\xff\xff", "a length of -1"), (21, b"\0\0\0\x40", "wanted 64 bytes, had 18")])
def test_a_binary_map_that_does_not_fit_is_malformed_from_there_on(at: int, number: bytes, why: str) -> None:
    broken = E3[:at] + number + E3[at + len(number):]
    fields, _ = dissect(broken)
    assert len(faults(fields)) == 1 and why in str(faults(fields)[0])
    assert not uncovered(fields, len(broken))
    assert value(fields, "rocketmq.opaque") == 1


def test_a_frame_that_is_cut_off_says_so_and_keeps_what_is_there() -> None:
    for size in range(1, len(E4)):
        fields, _ = dissect(E4[:size], cut=len(E4) - size)
        assert not faults(fields), size
        assert not uncovered(fields, size), size
        assert len(named(fields, "pv.incomplete")) == 1


def test_requests_without_required_fields_and_with_bodies_they_should_not_have_are_noted() -> None:
    notes = [str(one.value) for one in named(dissect(json_frame(105, {}, body=b"surprise"))[0], "rocketmq.note")]
    assert notes == ["without the required topic", "a body of 8 bytes where GET_ROUTEINFO_BY_TOPIC is known to have none"]


def test_what_no_table_knows_is_shown_by_number_and_not_called_wrong() -> None:
    fields, message = dissect(json_frame(29999, {"topic": "t"}))
    assert not named(fields, "rocketmq.note") and message.header.op == "unknown request code 29999"
    assert named(fields, "rocketmq.request_code")[0].text == "Request: unknown (29999)"
    assert info(json_frame(29999, {"topic": "t"})) == "unknown request code 29999 t  #1"


def test_what_a_request_lacks_was_not_required_when_the_server_says_success() -> None:
    """The tools of 5.5.0 ask for all subscription groups without groupSeq, which the source marks as required."""
    for code, answer, notes in ((105, 0, []), (105, 1, ["without the required topic"])):
        one = Exchange(json_frame(code, {}), json_frame(answer, {}, flag=1))
        assert [field.value for field in named(list(one.decoder.dissect(one.request)), "rocketmq.note")] == notes


def test_every_field_is_declared() -> None:
    known = {spec.name for spec in RocketMQ().specs()}
    for data, request in ((E1, b""), (E2, E1), (E3, b""), (E4, b""), (E5, E1)):
        for one in walk(dissect(data, request)[0]):
            assert one.name in known or one.name.startswith(("_ws.", "pv.", "data.")), one.name


def _transcript(name: str) -> str:
    """Messages of a golden file: each one's line in the list, then its tree with places."""
    lines = []
    for data, request in {"send": [(E4, b"")], "route": [(E1, b""), (E2, E1)], "pull": [(E5, b"")]}[name]:
        fields, _ = dissect(data, request)
        lines.append(("< " if request else "> ") + info(data, request))
        stack = [(0, one) for one in reversed(fields)]
        while stack:
            depth, one = stack.pop()
            place = f"{one.start:4} +{one.length:<5}" if one.length else " " * 11
            lines.append(f"{place}{'  ' * depth}{one.text}")
            stack += [(depth + 1, child) for child in reversed(one.fields)]
        lines.append("")
    return "\n".join(lines)


@pytest.mark.parametrize("name", ["send", "route", "pull"])
def test_the_tree_is_the_golden_one(name: str) -> None:
    """The golden texts hold examples E1, E2, E4 and E5; places and values were checked against the maps of the protocol document."""
    assert _transcript(name) == (GOLDEN / f"rocketmq-{name}.txt").read_text()
