"""How RocketMQ is told from other protocols, who the client is, and where frames start again."""
from __future__ import annotations

import struct

import pytest
from rocketmq_wire import Exchange, binary_frame, json_frame, named, stored, value

from protocols.decoder import CLAIM, MORE, REFUSED, Kind, Match, Opening, Side
from protocols.rocketmq import preamble, recognise
from protocols.rocketmq.decoder import RocketMQ

ROUTE = json_frame(105, {"topic": "t"}, opaque=7)
ROUTED = json_frame(0, None, opaque=7, flag=1, body=b"{}")
NOTIFY = json_frame(40, {"consumerGroup": "g"}, opaque=1, flag=2)
V1 = b"PROXY TCP4 192.0.2.77 198.51.100.1 55555 9876\r\n"
V2 = preamble.SIGNATURE + b"\x21\x11" + struct.pack(">H", 12 + 5) + bytes([192, 0, 2, 78, 10, 0, 0, 1]) + struct.pack(">HH", 55556, 9876) + b"\xea\0\x02ab"


def match(mine: bytes, theirs: bytes = b"", ports: tuple[int, int] = (40000, 7000), start: bool = True) -> Match | None:
    return RocketMQ().recognise(Opening((mine, theirs), ports, (start, start), (True, True)))


@pytest.mark.parametrize(("mine", "theirs", "score"), [(ROUTE, ROUTED, 100), (ROUTE, b"", 95), (binary_frame(310, {"b": "t"}, opaque=7), ROUTED, 100),
                                                       (binary_frame(310, {"b": "t"}) * 2, b"", 90), (binary_frame(310, {"b": "t"}), b"", 70),
                                                       (V1 + ROUTE, ROUTED, 100), (V2 + ROUTE, ROUTED, 100), (ROUTE[:-5], b"", 95)])
def test_frames_on_any_port_are_recognised(mine: bytes, theirs: bytes, score: int) -> None:
    found = match(mine, theirs)
    assert found is not None and found.score == score >= CLAIM and found.client == 0


@pytest.mark.parametrize("other", [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(80), b"*1\r\n$4\r\nPING\r\n", bytes(64), b"\xff" * 64,
    struct.pack(">ihhi", 30, 18, 3, 1) + b"\0\x04test" + bytes(40), struct.pack(">iiqii", 44, 0, 0, 10000, 0) + bytes(24), b'{"code":105,"opaque":1}',
    struct.pack("<iiii", 64, 1, 0, 2013) + bytes(48), b"\0\0\0\x2a\0\0\0\x26not json at all, however long it may be.",
])
def test_other_protocols_are_not(other: bytes) -> None:
    assert match(other, other) is None


@pytest.mark.parametrize(("mine", "theirs", "client"), [(ROUTE, ROUTED, 0), (ROUTED, ROUTE, 1), (NOTIFY, b"", 1), (b"", NOTIFY, 0), (NOTIFY, ROUTE, 1)])
def test_the_client_is_the_side_that_asks_what_clients_ask(mine: bytes, theirs: bytes, client: int) -> None:
    found = match(mine, theirs, start=False)
    assert found is not None and found.client == client


def test_a_connection_seen_from_the_middle_of_a_pull_is_recognised() -> None:
    rest = stored(b"x" * 3000)[1500:]
    found = match(b"", rest + ROUTED + ROUTED, start=False)
    assert found is not None and found.client == 0


def test_a_broker_asks_its_client_on_the_same_connection() -> None:
    decoder = RocketMQ()
    check = json_frame(39, {"transactionId": "T1"}, flag=2, body=stored(b"half"))
    from_broker = decoder.header(check, 0, len(check), Side(False, True, ROUTE, ROUTE), None)
    assert (from_broker.kind, from_broker.op) == (Kind.ONEWAY, "CHECK_TRANSACTION_STATE")
    info = json_frame(307, {"consumerGroup": "g", "clientId": "c"}, opaque=3)
    assert decoder.header(info, 0, len(info), Side(False, True, b"", b""), None).kind is Kind.REQUEST


def test_a_proxy_line_stands_before_the_first_frame() -> None:
    decoder, side = RocketMQ(), Side(True, True, V1, b"", True)
    assert decoder.frame(V1 + ROUTE, side) == len(V1) and decoder.frame(V2 + ROUTE, side) == len(V2) and decoder.frame(ROUTE, side) == MORE
    for data in (V1, V2):
        header = decoder.header(data, 0, len(data), side, None)
        assert header.kind is Kind.EVENT
        message = Exchange(ROUTE).request
        message.data, message.end, message.length, message.header = data, len(data), len(data), header
        fields = decoder.dissect(message)
        assert value(fields, "rocketmq.proxy.src") in ("192.0.2.77", "192.0.2.78")
        assert value(fields, "rocketmq.proxy.srcport") in (55555, 55556)
        assert "192.0.2.7" in decoder.describe(message).info
    assert [one.value for one in named(decoder.dissect(message), "rocketmq.proxy.tlv")] == [b"ab"]


@pytest.mark.parametrize(("data", "length"), [(b"PROXY TCP4 1", MORE), (V2[:14], MORE), (b"PROXY " + b"x" * 200, REFUSED), (b"GET", REFUSED)])
def test_a_proxy_header_that_is_not_all_there(data: bytes, length: int) -> None:
    assert preamble.length(data) == length


@pytest.mark.parametrize("head", [ROUTE[:40], binary_frame(11, {"topic": "t"})[:40], ROUTE[:8], ROUTE[:3], b"", binary_frame(11, remark="r" * 90)[:40]])
def test_frames_are_accepted_by_their_first_bytes(head: bytes) -> None:
    assert recognise.accepts(head)


@pytest.mark.parametrize("head", [
    b"\0\0\0\x87\x02\0\0\x83{\"code\"", b"\0\0\0\x10\0\0\0\x83{\"code\"", b"\x7f\0\0\0\0\0\0\x83{\"code\"", b"\0\0\0\x87\0\0\0\x83[\"code\"",
    b"\0\0\0\x27\x01\0\0\x23\0\x67\0\x09\x1d\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x0f\0\x03key\0\0\0\x05value"])
def test_what_cannot_be_a_frame_is_not_accepted(head: bytes) -> None:
    assert not recognise.accepts(head)
