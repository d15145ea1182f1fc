"""Whatever the bytes are, every reader of RocketMQ gives a tree that covers them and words without control characters, and never an exception."""
from __future__ import annotations

import json
import zlib

from hypothesis import given, settings
from hypothesis import strategies as st
from rocketmq_wire import Exchange, binary_frame, inner, json_frame, named, properties, stored, uncovered

from protocols.decoder import Opening, Side
from protocols.engine.fields import printable, walk
from protocols.rocketmq.decoder import RocketMQ
from protocols.rocketmq.ha import RocketMQHA
from protocols.rocketmq.jsontext import scalars, scan

BODY = stored(b'{"a":1}', props=properties(KEYS="k", TAGS="t", POP_CK="1 2 3 0 0 b 1 5"))
BODY += stored(zlib.compress(b"z" * 99), sys_flag=1, v2=True) + stored(inner(b"i") * 2, sys_flag=0x80)
SEND = {"a": "PG", "b": "T", "e": "1", "f": "0", "i": "A\x01b\x02KEYS\x01c\x02"}
SAMPLES = [
    (json_frame(310, SEND, body=b"Hello"), b""), (binary_frame(310, SEND, body=b"Hello", remark="r"), b""),
    (binary_frame(320, SEND, body=inner(b"x") * 3), b""),
    (json_frame(11, {"topic": "T", "queueId": "0", "sysFlag": "2"}), json_frame(0, {"nextBeginOffset": "3"}, flag=1, remark="FOUND", body=BODY)),
    (binary_frame(200050, {"topic": "T"}), binary_frame(0, {"startOffsetInfo": "0 1 2;0 2 3", "popTime": "17"}, flag=1, body=BODY)),
    (json_frame(105, {"topic": "T"}), json_frame(0, None, flag=1, body=b'{"brokerDatas":[{"brokerAddrs":{0:"a"}}],"queueDatas":[{"perm":6}]}')),
    (json_frame(103, {"brokerName": "b"}, body=zlib.compress(b"\0\0\0\x02{}\0\0\0\x01\0\0\0\x01a\0\0\0\x02[]")), b""),
    (json_frame(26), json_frame(0, {"version": "1"}, flag=1, body=b"a=b\npassword=x\n")), (json_frame(60), json_frame(0, None, flag=1, body=bytes(56))),
    (json_frame(310, SEND | {"b": "RMQ_SYS_TRACE_TOPIC"}, body=b"Pub\x011\x01r\x02"), b""),
]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[bytes, bytes, int]:
    """A sample with bytes changed, and cut off: the frame to read, its request, how much is missing."""
    request, response = draw(st.sampled_from(SAMPLES))
    data = bytearray(response or request)
    for at, number in draw(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=4)):
        data[at] = number
    end = draw(st.integers(1, len(data))) if draw(st.booleans()) else len(data)
    return bytes(data[:end]), request if response else b"", len(data) - end


@settings(max_examples=400, deadline=None)
@given(damaged())
def test_damaged_frames_give_a_tree_that_covers_them(sample: tuple[bytes, bytes, int]) -> None:
    data, request, cut = sample
    one = Exchange(request, data, cut) if request else Exchange(data, b"", cut)
    message = one.response if request else one.request
    fields = one.decoder.dissect(message)
    assert not uncovered(fields, len(data))
    for field in walk(fields):
        assert field.text == printable(field.text)
        view = data if not field.view else message.views[field.view - 1].data
        assert 0 <= field.start <= field.end <= len(view), field
    said = one.decoder.describe(message).info
    assert said == printable(said)


@settings(max_examples=150, deadline=None)
@given(st.binary(min_size=1, max_size=200), st.sampled_from([b"", json_frame(11, {}), json_frame(105, {})]))
def test_any_bytes_give_a_tree(data: bytes, request: bytes) -> None:
    one = Exchange(request, data) if request else Exchange(data)
    message = one.response if request else one.request
    assert not uncovered(one.decoder.dissect(message), len(data))
    one.decoder.describe(message)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_as_a_body_of_any_kind(body: bytes) -> None:
    for request in (json_frame(11, {}), json_frame(26), json_frame(60), json_frame(106)):
        data = json_frame(0, None, flag=1, body=body)
        one = Exchange(request, data)
        assert not uncovered(one.decoder.dissect(one.response), len(data))
    for data in (json_frame(320, SEND, body=body), json_frame(103, {}, body=b"\x78\x9c" + body), json_frame(310, SEND | {"f": "1"}, body=body)):
        one = Exchange(data)
        assert not uncovered(one.decoder.dissect(one.request), len(data))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=300), st.booleans())
def test_any_opening_is_judged(mine: bytes, theirs: bytes, start: bool) -> None:
    opening = Opening((mine, theirs), (1, 10912), (start, start), (True, True))
    for decoder in (RocketMQ(), RocketMQHA()):
        decoder.recognise(opening)
        for client in (True, False):
            side = Side(client, start, mine, theirs, True)
            decoder.frame(mine, side)
            decoder.accepts(mine[:40], side)
            if mine:
                decoder.header(mine, 0, len(mine), side, None)


@settings(max_examples=200, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers(-2**63, 2**63 - 1) | st.text(),
                    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(min_size=1), below, max_size=4), max_leaves=20))
def test_json_reads_as_it_was_written(value: object) -> None:
    for data in (json.dumps(value).encode(), json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")):
        found = scan(data, 0, len(data))
        assert not found.fault and found.root is not None
        for _, one, start, end in scalars(found.root):
            assert json.loads(data[start:end].decode("utf-8", "surrogatepass")) == one or b"\xed" in data[start:end]


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=5), st.integers(-2**31, 2**31 - 1), st.sampled_from([0, 1, 2]))
def test_both_header_formats_read_what_was_written(ext: dict[str, str], opaque: int, flag: int) -> None:
    ext = {key.encode("utf-8", "ignore").decode() or "k": text.encode("utf-8", "ignore").decode() for key, text in ext.items()}
    for make in (json_frame, binary_frame):
        data = make(29999, ext, opaque=opaque, flag=flag)  # type: ignore[operator]
        one = Exchange(data)
        assert one.request.header.key == opaque
        fields = one.decoder.dissect(one.request)
        entries = [field for group in named(fields, "rocketmq.ext") for field in group.fields]
        assert len(entries) == len(ext) and not named(fields, "_ws.malformed")
        pairs = [(entry.fields[0].value, entry.fields[1].value) for entry in entries if len(entry.fields) >= 2]
        assert all(ext[str(key)] == text for key, text in pairs)
