"""How RocketMQ is told from other protocols, who the client is, and where frames start again."""
from __future__ import annotations

import struct

import pytest
from rocketmq_wire import binary_frame, json_frame, stored

from protocols.decoder import CLAIM, Kind, Match, Opening, Side
from protocols.rocketmq import recognise
from protocols.rocketmq.decoder import RocketMQ

ROUTE = json_frame(105, {"topic": "t"}, opaque=7)
ROUTED = json_frame(0, None, opaque=7, flag=1, body=b"{}")
NOTIFY = json_frame(40, {"consumerGroup": "g"}, opaque=1, flag=2)


def match(mine: bytes, theirs: bytes = b"", ports: tuple[int, int] = (40000, 7000), start: bool = True) -> Match | None:
    return RocketMQ().recognise(Opening((mine, theirs), ports, (start, start), (True, True)))


@pytest.mark.parametrize(("mine", "theirs", "score"), [(ROUTE, ROUTED, 100), (ROUTE, b"", 95), (binary_frame(310, {"b": "t"}, opaque=7), ROUTED, 100),
                                                       (binary_frame(310, {"b": "t"}) * 2, b"", 90), (binary_frame(310, {"b": "t"}), b"", 70),
                                                       (ROUTE[:-5], b"", 95)])
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


@pytest.mark.parametrize("head", [ROUTE[:40], binary_frame(11, {"topic": "t"})[:40], ROUTE[:8], ROUTE[:3], b"", binary_frame(11, remark="r" * 90)[:40]])
def test_frames_are_accepted_by_their_first_bytes(head: bytes) -> None:
    assert recognise.accepts(head)


@pytest.mark.parametrize("head", [
    b"\0\0\0\x87\x02\0\0\x83{\"code\"", b"\0\0\0\x10\0\0\0\x83{\"code\"", b"\x7f\0\0\0\0\0\0\x83{\"code\"", b"\0\0\0\x87\0\0\0\x83[\"code\"",
    b"\0\0\0\x27\x01\0\0\x23\0\x67\0\x09\x1d\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x0f\0\x03key\0\0\0\x05value"])
def test_what_cannot_be_a_frame_is_not_accepted(head: bytes) -> None:
    assert not recognise.accepts(head)
