"""From packet bytes to columns: every link type, every way to TCP and UDP, and nothing that raises."""
from __future__ import annotations

import socket
import tempfile
from pathlib import Path
from struct import pack

import dpkt
import pytest
from capture_bytes import Sent
from hypothesis import given, settings
from hypothesis import strategies as st
from packet_bytes import A6, ACK, B6, IP4, IP6, PSH, A, B, ethernet, indexed, ip4, ip6, tcp, udp

from captures.index.columns import PacketKind
from captures.index.index import Index

SEGMENT = tcp(40000, 9092, 0x01020304, 0xFFFFFFFE, ACK | PSH, b"payload", words=8, window=4321)
FOUR, SIX = ip4(A, B, 6, SEGMENT), ip6(A6, B6, 6, SEGMENT)
OPTION_HEADER = pack(">BBBB", 6, 0, 1, 4) + bytes(4)


def tagged(*tags: int) -> bytes:
    """IPv4 behind VLAN tags of these types."""
    data, kind = FOUR, IP4
    for tag in reversed(tags):
        data, kind = pack(">HH", 7, kind) + data, tag
    return ethernet(data, kind)


def snap(data: bytes, kind: int) -> bytes:
    return b"\xaa\xaa\x03\0\0\0" + pack(">H", kind) + data


WAYS = {
    "Ethernet": (1, ethernet(FOUR)),
    "Ethernet, IPv6": (1, ethernet(SIX, IP6)),
    "VLAN": (1, tagged(0x8100)),
    "QinQ": (1, tagged(0x88A8, 0x8100)),
    "old QinQ, three tags": (1, tagged(0x9100, 0x8100, 0x8100)),
    "802.3 with SNAP": (1, ethernet(snap(FOUR, IP4), len(FOUR) + 8)),
    "PPPoE": (1, ethernet(pack(">BBHHH", 0x11, 0, 1, len(FOUR) + 2, 0x21) + FOUR, 0x8864)),
    "MPLS, two labels": (1, ethernet(pack(">II", 5 << 12 | 64, 6 << 12 | 256 | 64) + FOUR, 0x8847)),
    "IPv4 options": (1, ethernet(ip4(A, B, 6, SEGMENT, options=b"\1\1\1\0"))),
    "IPv6 in IPv4": (1, ethernet(ip4("192.0.2.1", "192.0.2.2", 41, SIX))),
    "IPv6 extension headers": (1, ethernet(ip6(A6, B6, 0, pack(">BBBB", 60, 0, 1, 4) + bytes(4) + OPTION_HEADER + SEGMENT), IP6)),
    "IPv6 authentication header": (1, ethernet(ip6(A6, B6, 51, pack(">BBHIII", 6, 2, 0, 1, 1, 0) + SEGMENT), IP6)),
    "IPv6 atomic fragment": (1, ethernet(ip6(A6, B6, 44, pack(">BBHI", 6, 0, 0, 99) + SEGMENT), IP6)),
    "cooked": (113, pack(">HHH8sH", 0, 1, 6, b"", IP4) + FOUR),
    "cooked 2": (276, pack(">HHIHBB8s", IP6, 0, 1, 1, 0, 6, b"") + SIX),
    "loopback, little-endian": (0, pack("<I", 2) + FOUR),
    "loopback, big-endian": (0, pack(">I", 2) + FOUR),
    "loopback, IPv6 of FreeBSD": (0, pack("<I", 28) + SIX),
    "loopback of OpenBSD": (108, pack(">I", 24) + SIX),
    "raw 101": (101, FOUR),
    "raw 12": (12, SIX),
    "raw 14": (14, FOUR),
    "raw IPv4": (228, FOUR),
    "raw IPv6": (229, SIX),
    "PPP": (9, b"\xff\x03\x00\x21" + FOUR),
    "PPP, short protocol": (9, b"\x57" + SIX),
    "Cisco HDLC": (104, pack(">BBH", 15, 0, IP4) + FOUR),
    "FDDI": (10, bytes(13) + snap(FOUR, IP4)),
}


def values(index: Index, i: int) -> dict[str, int]:
    return {name: int(getattr(index.columns, name)[i]) for name in ("kind", "sport", "dport", "seq", "ack", "flags", "win", "plen", "poff", "sd")}


@pytest.mark.parametrize("way", WAYS)
def test_a_segment_is_found_below_any_headers(way: str, tmp_path: Path) -> None:
    link, packet = WAYS[way]
    index = indexed(tmp_path, [packet], link)
    assert values(index, 0) == {
        "kind": PacketKind.TCP, "sport": 40000, "dport": 9092, "seq": 0x01020304, "ack": 0xFFFFFFFE, "flags": 0x18, "win": 4321, "plen": 7,
        "poff": packet.index(b"payload"), "sd": 0,
    }
    six = SIX in packet or ("IPv6" in way and "raw IPv4" not in way)
    assert index.tcp.ends(0) == ((socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, A6 if six else A), 40000),
                                 (socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, B6 if six else B), 9092))


@pytest.mark.parametrize("way", WAYS)
def test_a_segment_cut_anywhere_counts_from_its_window_on(way: str, tmp_path: Path) -> None:
    link, packet = WAYS[way]
    index = indexed(tmp_path, [Sent(0, packet[:cut], len(packet)) for cut in range(len(packet))], link)
    start = packet.index(SEGMENT)
    assert index.columns.kind[: len(packet)].tolist() == [PacketKind.TCP if cut >= start + 16 else PacketKind.OTHER for cut in range(len(packet))]
    assert [index.payload(cut)[2] for cut in range(len(packet))] == [max(0, cut - start - 32) for cut in range(len(packet))]


def test_a_segment_is_found_behind_many_extension_headers(tmp_path: Path) -> None:
    options = [bytes([following, 0, 1, 4, 0, 0, 0, 0]) for following in [60] * 99 + [6]]
    assert indexed(tmp_path, [ethernet(ip6(A6, B6, 60, b"".join(options) + SEGMENT), IP6)]).columns.kind[0] == PacketKind.TCP


def test_padding_behind_the_ip_packet_is_not_payload(tmp_path: Path) -> None:
    short = ethernet(ip4(A, B, 6, tcp(1, 2)))
    index = indexed(tmp_path, [short + bytes(6), ethernet(ip4(A, B, 17, udp(1, 2, b"x"))) + bytes(20), short])
    assert index.columns.plen[:3].tolist() == [0, 1, 0]


def test_an_ip_length_of_zero_means_the_rest_of_the_frame(tmp_path: Path) -> None:
    offloaded = [ethernet(ip4(A, B, 6, tcp(1, 2, data=b"x" * 3000), total=0)), ethernet(ip6(A6, B6, 6, tcp(1, 2, data=b"x" * 3000), length=0), IP6)]
    assert indexed(tmp_path, offloaded).columns.plen[:2].tolist() == [3000, 3000]


def test_the_payload_length_is_that_on_the_wire_when_the_capture_is_cut(tmp_path: Path) -> None:
    whole = ethernet(ip4(A, B, 6, tcp(1, 2, data=b"x" * 100)))
    index = indexed(tmp_path, [Sent(0, whole[:cut], len(whole)) for cut in (60, 54, 50, 49)])
    assert index.columns.plen[:4].tolist() == [100, 100, 100, 0]
    assert index.columns.kind[:4].tolist() == [1, 1, 1, 0]
    assert [index.payload(i)[2] for i in range(3)] == [6, 0, 0]


def test_wrong_header_lengths_leave_no_payload(tmp_path: Path) -> None:
    packets = [ethernet(ip4(A, B, 6, tcp(1, 2, data=b"abcd")[:12] + pack(">H", words << 12 | ACK) + bytes(6) + b"abcd")) for words in range(16)]
    assert indexed(tmp_path, packets).columns.plen[:16].tolist() == [0] * 5 + [4] + [0] * 10


def test_udp_lengths_that_are_wrong(tmp_path: Path) -> None:
    packets = [ethernet(ip4(A, B, 17, udp(1, 2, b"abcd", length))) for length in (0, 7, 8, 10, 12, 400)]
    index = indexed(tmp_path, packets)
    assert index.columns.kind[:6].tolist() == [0, 0, 2, 2, 2, 2]
    assert index.columns.plen[2:6].tolist() == [0, 2, 4, 4]


@pytest.mark.parametrize("packet", [
    ethernet(b"\0\1\x08\0" + bytes(40), 0x0806), ethernet(b"\x42\x42\x03" + bytes(40), 38), ethernet(ip4(A, B, 132, SEGMENT)), ethernet(b"\x65" + FOUR[1:]),
    ethernet(b"\x44" + FOUR[1:]), ethernet(ip4(A, B, 6, SEGMENT, total=19)), b"", bytes(14), ethernet(FOUR, 0x86DD), ethernet(SIX),
])
def test_what_is_not_tcp_or_udp_is_other(packet: bytes, tmp_path: Path) -> None:
    index = indexed(tmp_path, [packet])
    assert values(index, 0) == dict.fromkeys(("kind", "sport", "dport", "seq", "ack", "flags", "win", "plen", "poff"), 0) | {"sd": -1}


def test_an_unknown_link_type_is_other(tmp_path: Path) -> None:
    assert indexed(tmp_path, [ethernet(FOUR)], 147).columns.kind[0] == PacketKind.OTHER


def alone_and_together(packets: list[bytes], link: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        together = indexed(folder, packets, link)
        for i, packet in enumerate(packets):
            alone = values(indexed(folder, [packet], link), 0)
            found = values(together, i)
            alone.pop("sd"), found.pop("sd")
            assert found == alone
            assert found["kind"] == 0 or found["poff"] <= 65535


MUTATED = st.builds(
    lambda way, changes, cut: (way[0], bytes(changes.get(i, byte) for i, byte in enumerate(way[1]))[:cut]),
    st.sampled_from(list(WAYS.values())), st.dictionaries(st.integers(0, 90), st.integers(0, 255), max_size=4), st.integers(0, 120),
)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([1, 0, 9, 10, 12, 101, 104, 108, 113, 228, 229, 276, 999]), st.lists(st.binary(max_size=120), min_size=1, max_size=6))
def test_random_bytes_never_raise(link: int, packets: list[bytes]) -> None:
    alone_and_together(packets, link)


@settings(max_examples=60, deadline=None)
@given(st.lists(MUTATED, min_size=2, max_size=6))
def test_damaged_packets_never_raise_and_do_not_disturb_each_other(packets: list[tuple[int, bytes]]) -> None:
    alone_and_together([packet for link, packet in packets if link == packets[0][0]], packets[0][0])


PORT, NUMBER = st.integers(0, 65535), st.integers(0, 0xFFFFFFFF)
PLAIN = st.tuples(st.booleans(), st.booleans(), PORT, PORT, NUMBER, NUMBER, st.integers(0, 0xFFF), PORT, st.binary(max_size=30))


@settings(max_examples=60, deadline=None)
@given(st.lists(PLAIN, min_size=1, max_size=12))
def test_plain_packets_read_as_dpkt_reads_them(plain: list[tuple[bool, bool, int, int, int, int, int, int, bytes]]) -> None:
    packets = []
    for six, stream, sport, dport, seq, ack, flags, window, data in plain:
        body = tcp(sport, dport, seq, ack, flags, data, window=window) if stream else udp(sport, dport, data)
        protocol = 6 if stream else 17
        packets.append(ethernet(ip6(A6, B6, protocol, body), IP6) if six else ethernet(ip4(A, B, protocol, body)))
    with tempfile.TemporaryDirectory() as name:
        index = indexed(Path(name), packets)
        for i, packet in enumerate(packets):
            inner = dpkt.ethernet.Ethernet(packet).data.data
            found = values(index, i)
            buffer, start, length = index.payload(i)
            assert bytes(buffer[start : start + length]) == inner.data
            assert (found["sport"], found["dport"], found["plen"]) == (inner.sport, inner.dport, len(inner.data))
            if isinstance(inner, dpkt.tcp.TCP):
                assert (found["seq"], found["ack"], found["win"], found["flags"] & 0x1FF) == (inner.seq, inner.ack, inner.win, inner.flags)
            else:
                assert found["kind"] == PacketKind.UDP
