"""The PROXY protocol before other protocols: its header by HAProxy's document, the protocol behind it as if it were not there."""
from __future__ import annotations

import struct
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rocketmq_wire import named, uncovered, value

from captures.capture import Capture
from captures.file.opening import open_source
from captures.index.index import Index
from captures.messages.conversation import Conversation
from captures.stream.pair import tcp_pair
from protocols.decoder import HANDED_ON, MORE, REFUSED, Kind, MessageBytes, Opening, Side
from protocols.engine.fields import Field
from protocols.proxy import header
from protocols.proxy.decoder import Proxy
from protocols.registry import Registry

CASE = Path(__file__).parent / "data" / "cases" / "proxy-protocol.pcap"
V1 = b"PROXY TCP4 192.0.2.77 198.51.100.1 55555 9876\r\n"
V1_6 = b"PROXY TCP6 2001:db8::1 2001:db8::2 55555 9876\r\n"


def v2(rest: bytes, command: int = 0x21, family: int = 0x11) -> bytes:
    return b"\r\n\r\n\0\r\nQUIT\n" + struct.pack(">BBH", command, family, len(rest)) + rest


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack(">BH", kind, len(value)) + value


ENDS = bytes([192, 0, 2, 78, 10, 0, 0, 1]) + struct.pack(">HH", 55556, 9876)
SECURED = tlv(0x20, b"\x01\0\0\0\0" + tlv(0x21, b"TLSv1.3") + tlv(0x22, b"client.example") + tlv(0x23, b"AES256"))
V2 = v2(ENDS + tlv(0x02, b"db.example") + tlv(0xEA, b"\x01vpce-1") + SECURED)
SIDE = Side(True, True, b"", b"", True)


def message(data: bytes, cut: int = 0) -> MessageBytes:
    decoder = Proxy()
    return MessageBytes(data, 0, len(data), len(data) + cut, decoder.header(data, 0, len(data), SIDE, None), True)


def dissect(data: bytes, cut: int = 0) -> list[Field]:
    return list(Proxy().dissect(message(data, cut)))


@cache
def conversations() -> list[Conversation]:
    index = Index(open_source(CASE))
    index.run()
    decoders = Registry(installed=False).decoders()
    return [Conversation(tcp_pair(index, stream), decoders) for stream in range(len(index.tcp))]


def test_each_of_the_five_protocols_is_recognised_behind_it() -> None:
    """Version 1, version 2, version 2 with extensions, each before each protocol; the last stream holds a health check alone."""
    found = [[layer.decoder.name for layer in one.layers() if layer.decoder] for one in conversations()]
    assert found == [["proxy", name] for _ in range(3) for name in ("kafka", "zookeeper", "mongo", "rocketmq", "iggy")] + [["proxy"]]
    for one in conversations()[:-1]:
        (pdu,) = one.messages
        said = one.summary(pdu)
        assert (said.op, said.targets, pdu.kind, pdu.from_client) == ("PROXY", ("203.0.113.7:51000",), Kind.EVENT, True)
        (inner,) = one.inner
        assert len(inner.messages) == 2 and all(pdu.peer is not None for pdu in inner.messages) and not inner.holes


def test_fields_have_the_values_that_tshark_shows() -> None:
    """tshark 4.0.17 reads the headers alone in their segment; the others of the case are the same bytes."""
    fields = dissect(conversations()[0].data(conversations()[0].messages[0]))
    assert value(fields, "proxy.src.ipv4") == "203.0.113.7" and value(fields, "proxy.dst.ipv4") == "10.0.0.1"
    assert (value(fields, "proxy.srcport"), value(fields, "proxy.dstport"), value(fields, "proxy.v1.proto")) == (51000, 9092, "TCP4")
    fields = dissect(conversations()[10].data(conversations()[10].messages[0]))
    assert value(fields, "proxy.src.ipv4") == "203.0.113.7" and value(fields, "proxy.v2.length") == 25 and value(fields, "proxy.v2.cmd") == 1
    assert [one.value for one in named(fields, "proxy.v2.tlv.type")] == [0x03, 0x05]
    assert [one.value for one in named(fields, "proxy.v2.tlv.value")] == [b"\1\2\3\4", b"abc"]


def test_a_packet_with_header_and_request_shows_both() -> None:
    capture = Capture(CASE)
    capture.index.run()
    row = capture.row(29)
    assert row.info == "PROXY v1 203.0.113.7:51000 → 10.0.0.1:9092 | GET_ROUTEINFO_BY_TOPIC T  #1" and row.protocol == "RocketMQ"


def test_the_balancer_may_speak_for_itself() -> None:
    one = message(v2(b"", 0x20, 0))
    said = Proxy().describe(one)
    assert (said.op, said.targets, said.info) == ("LOCAL", (), "PROXY v2 LOCAL")


@pytest.mark.parametrize(("data", "source", "info"), [
    (V1, "192.0.2.77:55555", "PROXY v1 192.0.2.77:55555 → 198.51.100.1:9876"), (V2, "192.0.2.78:55556", "PROXY v2 192.0.2.78:55556 → 10.0.0.1:9876"),
    (V1_6, "[2001:db8::1]:55555", "PROXY v1 [2001:db8::1]:55555 → [2001:db8::2]:9876"), (b"PROXY UNKNOWN\r\n", "", "PROXY v1"),
    (v2(bytes(15) + b"\1" + bytes(15) + b"\2" + struct.pack(">HH", 1, 2), family=0x21), "[::1]:1", "PROXY v2 [::1]:1 → [::2]:2")])
def test_the_client_is_named(data: bytes, source: str, info: str) -> None:
    said = Proxy().describe(message(data))
    assert (said.target, said.info) == (source, info)
    fields = dissect(data)
    assert not uncovered(fields, len(data)) and not named(fields, "_ws.malformed")


def test_extensions_of_tls_are_opened() -> None:
    fields = dissect(V2)
    assert value(fields, "proxy.v2.tlv.ssl.version") == "TLSv1.3" and value(fields, "proxy.v2.tlv.ssl.cn") == "client.example"
    assert value(fields, "proxy.v2.tlv.ssl.client") == 1 and value(fields, "proxy.v2.tlv.ssl.verify") == 0
    assert [one.value for one in named(fields, "proxy.v2.tlv.type")] == [0x02, 0xEA, 0x20, 0x21, 0x22, 0x23]


@pytest.mark.parametrize(("data", "length"), [
    (V1, len(V1)), (V2 + b"more", len(V2)), (b"PROXY TCP4 1", MORE), (V2[:14], MORE), (b"PRO", MORE), (b"PROXY " + b"x" * 200, REFUSED), (b"GET", REFUSED),
    (b"PROXY me\r\n", REFUSED), (V2[:12] + b"\x31" + V2[13:], REFUSED), (b"", REFUSED)])
def test_the_length_of_a_header(data: bytes, length: int) -> None:
    assert header.length(data) == length


def test_what_follows_is_handed_on_in_both_directions() -> None:
    decoder = Proxy()
    state = decoder.framing_state()
    client, server = (Side(client, True, V1, b"", True, state=state) for client in (True, False))
    assert decoder.frame(V1 + b"x", client) == len(V1)
    decoder.framed(V1, client)
    assert decoder.frame(b"x", Side(True, True, V1, b"", False, state=state)) == HANDED_ON and decoder.frame(b"x", server) == HANDED_ON


@pytest.mark.parametrize(("mine", "theirs", "start"), [(b"PROXY ok", b"", True), (b"x" + V1, b"", True), (V1, b"", False)])
def test_what_is_no_header_is_not_claimed(mine: bytes, theirs: bytes, start: bool) -> None:
    assert Proxy().recognise(Opening((mine, theirs), (1, 2), (start, start), (True, True))) is None


def test_every_field_is_declared() -> None:
    known = {one.name for one in Proxy().specs()}
    assert {one.name for data in (V1, V1_6, V2) for one in dissect(data)} <= known


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([V1, V1_6, V2]), st.integers(1, 200), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4))
def test_damage_makes_a_tree_and_no_exception(data: bytes, size: int, flips: list[tuple[int, int]]) -> None:
    damaged = bytearray(data)
    for at, byte in flips:
        damaged[at % len(data)] = byte
    got = bytes(damaged[:size])
    assert not uncovered(dissect(got, len(data) - len(got)), len(got))
    Proxy().describe(message(got))
