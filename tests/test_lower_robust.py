"""Whatever the bytes are: a tree whose fields lie in their views, whose text is printable, and which names every captured byte."""
from __future__ import annotations

from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packet_bytes import A6, B6, IP6, A, B, ethernet, icmp, ip4, ip6, tcp, udp

from protocols.engine.fields import plain, walk
from protocols.engine.printable import UNPRINTABLE
from protocols.lower.facts import Datagram, Facts, Lower, TcpFacts
from protocols.lower.link import dissect

LINKS = (0, 1, 9, 10, 12, 101, 108, 113, 147, 228, 229, 276)
SEGMENT = tcp(1, 2, 100, 50, 2, words=10)[:20] + bytes([2, 4, 5, 180, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 3, 3, 7, 1, 4, 2]) + b"data"
PACKETS = (
    ethernet(ip4(A, B, 6, SEGMENT)), ethernet(b"\x60\x0a\x08\x00" + ip4(A, B, 17, udp(1, 2, b"abc"), options=bytes([7, 7, 4, 1, 2, 3, 4, 0])), 0x8100),
    ethernet(ip6(A6, B6, 0, bytes([60, 0, 5, 2, 0, 0, 1, 0]) + bytes([44, 0, 1, 4, 0, 0, 0, 0]) + bytes([17, 0, 0, 1, 0, 0, 0, 7]) + udp(1, 2)), IP6),
    ethernet(ip4(A, B, 1, icmp(ip4(B, A, 6, tcp(1, 2))))), ethernet(ip4(A, B, 1, icmp(ip4(B, A, 1, icmp(ip4(A, B, 17, udp(1, 2)), 11)), 12))),
    ethernet(ip6(A6, B6, 58, pack(">BBHI", 135, 0, 0, 0) + bytes(16) + bytes([1, 1, 2, 0, 0, 0, 0, 1])), IP6),
    ethernet(ip6(A6, B6, 58, pack(">BBHHH", 143, 0, 0, 0, 1) + pack(">BBH", 4, 1, 1) + bytes(36)), IP6),
    ethernet(ip6(A6, B6, 58, pack(">BBHI", 134, 0, 0, 64 << 24) + bytes(8) + bytes([3, 4, 64, 192]) + bytes(28)), IP6),
    ethernet(pack(">HHBBH", 1, 0x0800, 6, 4, 1) + bytes(20), 0x0806), ethernet(b"\xaa\xaa\x03\0\0\0\x08\x00" + ip4(A, B, 6, tcp(1, 2)), 48),
    ethernet(b"\x11\0\0\x05\0\x2a\x00\x21" + ip4(A, B, 17, udp(1, 2)), 0x8864), ethernet(b"\0\x01\x00\x40\0\x02\x01\x40" + ip4(A, B, 6, tcp(1, 2)), 0x8847),
)
FACTS = TcpFacts(99, 49, ("retransmission", "zero_window"), 7, (1, 3), 5, 2)


def check(data: bytes, lower: Lower) -> None:
    views = [data, *(one.data for one in lower.views)]
    named = bytearray(len(data))
    for one in walk(lower.layers):
        assert 0 <= one.start <= one.end <= len(views[one.view]), one
        assert not UNPRINTABLE.search(one.text)
        assert not UNPRINTABLE.search(plain(one))
        if one.view == 0 and one.name != "frame" and not (one.value is None and one.fields):
            named[one.start:one.end] = b"\1" * one.length
    assert all(named), f"byte {named.index(0)} is in no field"
    assert not UNPRINTABLE.search(lower.info)
    if lower.payload is not None:
        view, start, end = lower.payload
        assert 0 <= start <= end <= len(views[view])


def read(data: bytes, link: int = 1, wire: int | None = None, datagram: Datagram | None = None) -> Lower:
    return dissect(data, Facts(number=1, time=0, wire=len(data) if wire is None else wire, link=link, stream=1, tcp=FACTS, datagram=datagram))


@pytest.mark.parametrize("packet", PACKETS)
def test_a_packet_may_be_cut_anywhere(packet):
    for length in range(len(packet) + 1):
        check(packet[:length], read(packet[:length]))
        check(packet[:length], read(packet[:length], wire=len(packet)))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PACKETS), st.lists(st.tuples(st.integers(0, 90), st.integers(0, 255)), max_size=6), st.integers(0, 2000))
def test_any_bytes_of_a_packet_may_be_wrong(packet, changes, wire):
    data = bytearray(packet)
    for at, value in changes:
        data[at % len(data)] = value
    check(bytes(data), read(bytes(data), wire=wire))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(LINKS), st.binary(max_size=120), st.integers(0, 200))
def test_anything_may_stand_on_any_link(link, data, wire):
    check(data, read(data, link, wire))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from((1, 6, 17, 58)), st.binary(max_size=80), st.booleans())
def test_a_datagram_may_hold_anything(protocol, payload, six):
    if six:
        frame = ethernet(ip6(A6, B6, 44, bytes([protocol, 0, 0, 8, 0, 0, 0, 7]) + payload[:8]), IP6)
    else:
        frame = ethernet(ip4(A, B, protocol, payload[:8], fragment=1))
    check(frame, read(frame, datagram=Datagram(payload, ((0, 34, len(payload), 0),))))


def test_a_long_chain_of_headers_ends():
    tags = ethernet(b"\0\1\x81\0" * 16_000, 0x8100)
    check(tags, read(tags))
    labels = ethernet(b"\0\1\0\0" * 16_000, 0x8847)
    check(labels, read(labels))


def test_icmp_errors_in_icmp_errors_end():
    packet = ip4(A, B, 17, udp(1, 2))
    for _ in range(300):
        packet = ip4(A, B, 1, icmp(packet))
    check(ethernet(packet), read(ethernet(packet)))
