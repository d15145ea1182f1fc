"""Link, network and transport layers on packets written by hand, with values from the protocols' own documents."""
from __future__ import annotations

from struct import pack

import pytest
from packet_bytes import A6, ACK, B6, IP6, PSH, SYN, A, B, ethernet, icmp, ip4, ip6, tcp, udp

from protocols.engine.fields import Field, plain, walk
from protocols.lower.facts import Datagram, Facts, Lower, TcpFacts
from protocols.lower.layer import folded
from protocols.lower.link import dissect, specs
from protocols.lower.transport_words import tcp_line
from protocols.lower.udp import udp_line


def read(data: bytes, link: int = 1, **facts) -> Lower:
    known = {"number": 1, "time": 0, "wire": len(data), "link": link} | facts
    return dissect(data, Facts(**known))


def fields(lower: Lower) -> dict[str, list[Field]]:
    found: dict[str, list[Field]] = {}
    for one in walk(lower.layers):
        found.setdefault(one.name, []).append(one)
    return found


def values(lower: Lower, name: str) -> list:
    return [one.value for one in fields(lower).get(name, [])]


def names(lower: Lower) -> list[str]:
    return [one.name for one in lower.layers]


# checksums

def test_the_ones_complement_sum_is_that_of_rfc_1071():
    assert folded(bytes.fromhex("0001f203f4f5f6f7")) == 0xDDF2


def test_a_right_header_checksum_is_good_and_a_wrong_one_says_what_it_should_be():
    header = bytes.fromhex("450000730000400040 11 b861 c0a80001c0a800c7".replace(" ", ""))
    good = fields(read(header + bytes(95), 228))
    assert good["ip.checksum"][0].text == "Header Checksum: 0xb861 [correct]"
    assert good["ip.checksum.status"][0].value == 1
    wrong = read(header[:10] + b"\x12\x34" + header[12:] + bytes(95), 228)
    assert fields(wrong)["ip.checksum"][0].text == "Header Checksum: 0x1234 [incorrect, should be 0xb861]"
    assert wrong.severity == "error"


def transport_sum(data: bytes, protocol: int) -> int:
    """The checksum of a transport message between A and B, by the words of RFC 9293 section 3.1."""
    pseudo = bytes([10, 0, 0, 1, 10, 0, 0, 2, 0, protocol]) + len(data).to_bytes(2)
    total = sum(int.from_bytes((pseudo + data + b"\0")[i:i + 2]) for i in range(0, len(pseudo + data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def summed(segment: bytes) -> bytes:
    """A frame from A to B with a TCP segment whose checksum is right."""
    return ethernet(ip4(A, B, 6, segment[:16] + transport_sum(segment, 6).to_bytes(2) + segment[18:]))


@pytest.mark.parametrize("payload", [b"", b"a", b"ab", b"abc"])
def test_transport_checksums_cover_pseudo_header_and_odd_payloads(payload):
    segment = tcp(1, 2, flags=ACK, data=payload)
    check = transport_sum(segment, 6)
    assert values(read(summed(segment)), "tcp.checksum.status") == [1]
    broken = ethernet(ip4(A, B, 6, segment[:16] + (check ^ 1).to_bytes(2) + segment[18:]))
    assert fields(read(broken))["tcp.checksum"][0].text == f"Checksum: 0x{check ^ 1:04x} [incorrect, should be 0x{check:04x}]"


def test_the_sum_of_the_pseudo_header_alone_is_told_as_offloading():
    segment = tcp(1, 2, data=b"x" * 10)
    pseudo = folded(bytes([10, 0, 0, 1, 10, 0, 0, 2, 0, 6]) + len(segment).to_bytes(2))
    lower = read(ethernet(ip4(A, B, 6, segment[:16] + pseudo.to_bytes(2) + segment[18:])))
    assert values(lower, "tcp.checksum.status") == [2]
    assert "the interface was to do the rest" in fields(lower)["tcp.checksum"][0].text


def test_checksums_of_cut_packets_are_not_judged():
    packet = ethernet(ip4(A, B, 6, tcp(1, 2, data=b"x" * 100)))
    assert values(read(packet[:80], wire=len(packet)), "tcp.checksum.status") == [2]


def test_udp_without_a_checksum_is_not_wrong():
    assert values(read(ethernet(ip4(A, B, 17, udp(1, 2, b"abc")))), "udp.checksum.status") == [3]


def right(packet: bytes, **facts) -> Lower:
    """`packet` read with its IP header checksum made right."""
    check = 0xFFFF - folded(packet[14:24] + b"\0\0" + packet[26:34])
    return read(packet[:24] + check.to_bytes(2) + packet[26:], **facts)


# places and bits

def test_every_header_field_has_its_bytes():
    found = fields(read(ethernet(ip4(A, B, 6, tcp(0x1234, 80, 7, 9, SYN | ACK)))))
    places = {name: (found[name][0].start, found[name][0].length) for name in (
        "eth.dst", "eth.src", "eth.type", "ip.ttl", "ip.src", "ip.dst", "tcp.srcport", "tcp.seq_raw", "tcp.flags", "tcp.urgent_pointer")}
    assert places == {
        "eth.dst": (0, 6), "eth.src": (6, 6), "eth.type": (12, 2), "ip.ttl": (22, 1), "ip.src": (26, 4), "ip.dst": (30, 4),
        "tcp.srcport": (34, 2), "tcp.seq_raw": (38, 4), "tcp.flags": (46, 2), "tcp.urgent_pointer": (52, 2)}


def test_bit_fields_are_drawn_as_wireshark_draws_them():
    found = fields(read(ethernet(ip4(A, B, 6, tcp(1, 2, flags=SYN), fragment=0x4000))))
    assert found["ip.hdr_len"][0].text == ".... 0101 = Header Length: 20 bytes (5)"
    assert found["ip.flags"][0].text == "010. .... = Flags: 0x2, Don't fragment"
    assert found["ip.flags.df"][0].text == ".1.. .... = Don't fragment: Set"
    assert found["tcp.flags"][0].text == "Flags: 0x002 (SYN)"
    assert found["tcp.flags.str"][0].value == "··········S·"


@pytest.mark.parametrize(("name", "text"), [
    ("eth.type", "0x0800"), ("ip.id", "0x0001"), ("tcp.flags", "0x0018"), ("tcp.flags.push", "1"), ("tcp.flags.syn", "0"), ("ip.src", "10.0.0.1"),
    ("eth.src", "00:00:00:00:00:00"), ("frame.time_epoch", "1699999999.123456000"), ("tcp.payload", "6162"), ("ip.proto", "6"), ("ip.dsfield", "0x00"),
])
def test_values_print_as_in_tshark_fields(name, text):
    lower = read(ethernet(ip4(A, B, 6, tcp(1, 2, flags=PSH | ACK, data=b"ab"))), time=1_699_999_999_123_456_000)
    assert plain(fields(lower)[name][0]) == text


def test_addresses_and_ports_are_found_under_their_common_name():
    lower = read(ethernet(ip4(A, B, 17, udp(53, 4242))))
    assert values(lower, "ip.addr") == [A, B]
    assert values(lower, "udp.port") == [53, 4242]


# link layers

def test_stacked_vlan_tags():
    lower = read(ethernet(b"\x60\x0a\x81\x00\x00\x14\x08\x00" + ip4(A, B, 17, udp(1, 2)), 0x8100))
    assert values(lower, "vlan.id") == [10, 20]
    assert values(lower, "vlan.priority") == [3, 0]
    assert lower.layers[0].fields[-1].value == "eth:ethertype:vlan:ethertype:vlan:ethertype:ip:udp"


def test_linux_cooked_captures_of_both_versions():
    ip = ip4(A, B, 17, udp(1, 2))
    first = read(pack(">HHH", 4, 1, 6) + bytes(range(8)) + b"\x08\x00" + ip, 113)
    second = read(b"\x08\x00\0\0" + pack(">IHBB", 5, 1, 4, 6) + bytes(range(8)) + ip, 276)
    for lower in (first, second):
        assert names(lower) == ["frame", "sll", "ip", "udp"]
        assert values(lower, "sll.src.eth") == ["00:01:02:03:04:05"]
        assert values(lower, "sll.unused")[-1] == b"\x06\x07"
    assert values(second, "sll.ifindex") == [5]


@pytest.mark.parametrize("family", [b"\x02\0\0\0", b"\0\0\0\x02"])
def test_loopback_family_in_either_byte_order(family):
    assert names(read(family + ip4(A, B, 17, udp(1, 2)), 0)) == ["frame", "null", "ip", "udp"]


def test_raw_ip_is_told_by_its_version():
    assert names(read(ip6(A6, B6, 17, udp(1, 2)), 101)) == ["frame", "ipv6", "udp"]


def test_ieee_802_3_with_snap():
    body = b"\xaa\xaa\x03\0\0\0\x08\x00" + ip4(A, B, 17, udp(1, 2))
    lower = read(ethernet(body, len(body)))
    assert names(lower) == ["frame", "eth", "llc", "ip", "udp"]
    assert values(lower, "eth.len") == [len(body)]


def test_padding_is_zeros_up_to_sixty_bytes_and_trailer_what_is_behind():
    packet = ethernet(ip4(A, B, 17, udp(1, 2, b"ab")))
    found = fields(read(packet + bytes(60 - len(packet)) + b"\1\2\3\4"))
    assert (found["eth.padding"][0].start, found["eth.padding"][0].length) == (44, 16)
    assert found["eth.trailer"][0].value == b"\1\2\3\4"


def test_an_unknown_link_type_is_one_node_of_bytes():
    lower = read(b"hello", 250)
    assert (names(lower), lower.protocol) == (["frame", "data"], "DLT 250")
    assert values(lower, "data.data") == [b"hello"]


# ARP and ICMP

def arp(opcode: int, sender: str, target: str) -> bytes:
    address = [bytes(map(int, one.split("."))) for one in (sender, target)]
    return ethernet(pack(">HHBBH", 1, 0x0800, 6, 4, opcode) + b"\2\0\0\0\0\1" + address[0] + bytes(6) + address[1], 0x0806)


@pytest.mark.parametrize(("opcode", "sender", "target", "info"), [
    (1, A, B, "Who has 10.0.0.2? Tell 10.0.0.1"), (2, A, B, "10.0.0.1 is at 02:00:00:00:00:01"),
    (1, "0.0.0.0", B, "Who has 10.0.0.2? (ARP Probe)"), (1, A, A, "ARP Announcement for 10.0.0.1"), (2, A, A, "Gratuitous ARP for 10.0.0.1 (Reply)"),
])
def test_arp_says_what_wireshark_says(opcode, sender, target, info):
    lower = read(arp(opcode, sender, target))
    assert (lower.protocol, lower.info) == ("ARP", info)
    assert values(lower, "arp.opcode") == [opcode]


def test_an_icmp_error_quotes_a_packet_whose_fields_appear_again():
    quoted = ip4(B, A, 17, udp(1111, 2222, b"lost"))
    lower = read(ethernet(ip4(A, B, 1, icmp(quoted))), quoted=3)
    assert values(lower, "ip.src") == [A, B]
    assert values(lower, "udp.srcport") == [1111]
    assert values(lower, "udp.stream") == [3]
    assert (lower.protocol, lower.info, lower.payload) == ("ICMP", "Destination unreachable (Port unreachable)", None)
    assert (lower.source, lower.destination) == (A, B)


def test_an_echo_request_shows_its_numbers_in_both_byte_orders():
    lower = read(ethernet(ip4(A, B, 1, pack(">BBHHH", 8, 0, 0, 0x1234, 1))))
    assert lower.info == "Echo (ping) request  id=0x1234, seq=1/256, ttl=64"
    assert values(lower, "icmp.ident_le") == [0x3412]


def test_a_quoted_segment_does_not_tell_its_length():
    quoted = ip4(B, A, 6, tcp(1111, 2222, seq=7, data=b"lost"))
    lower = read(ethernet(ip4(A, B, 1, icmp(quoted))), quoted=3)
    assert (values(lower, "tcp.seq"), values(lower, "tcp.hdr_len"), values(lower, "tcp.len"), values(lower, "tcp.nxtseq")) == ([7], [20], [], [])


# fragments and extension headers

def test_a_fragment_is_data_until_its_datagram_is_whole():
    message = udp(1, 2, b"x" * 24)
    first = ethernet(ip4(A, B, 17, message[:16], fragment=0x2000))
    lower = read(first)
    assert lower.info == "Fragmented IP protocol (proto=UDP 17, off=0, ID=0001)"
    assert (lower.payload, names(lower)) == (None, ["frame", "eth", "ip", "data"])
    last = ethernet(ip4(A, B, 17, message[16:], fragment=2))
    whole = read(last, datagram=Datagram(message, ((0, 34, 16, 0), (1, 34, 16, 16))))
    assert whole.payload == (1, 8, 32)
    assert whole.views[0].data == message
    assert values(whole, "udp.srcport") == [1] and fields(whole)["udp.srcport"][0].view == 1
    assert values(whole, "ip.fragment") == [1, 2]
    assert fields(whole)["data.data"][0].value == message[16:]


def test_ipv6_extension_headers_lead_to_the_transport():
    message = udp(1, 2, b"abc")
    hops = bytes([60, 0, 5, 2, 0, 0, 1, 0])
    options = bytes([44, 0, 1, 4, 0, 0, 0, 0])
    atomic = bytes([17, 0, 0, 0, 0, 0, 0, 7])
    lower = read(ethernet(ip6(A6, B6, 0, hops + options + atomic + message), IP6))
    assert names(lower) == ["frame", "eth", "ipv6", "ipv6.hopopts", "ipv6.dstopts", "ipv6.fraghdr", "udp"]
    assert values(lower, "ipv6.opt.router_alert") == [0]
    assert values(lower, "ipv6.fraghdr.ident") == [7]
    assert lower.payload == (0, 14 + 40 + 24 + 8, 14 + 40 + 24 + 11)


# TCP

def options(*parts: bytes) -> bytes:
    data = b"".join(parts)
    data += b"\1" * (-len(data) % 4)
    return data


def with_options(data: bytes, flags: int = SYN, facts: TcpFacts | None = None) -> Lower:
    segment = tcp(1, 2, 100, 50, flags, words=5 + len(data) // 4)
    return read(ethernet(ip4(A, B, 6, segment[:20] + data)), tcp=facts)


def test_options_of_a_syn_stand_in_the_line_and_the_tree():
    lower = with_options(options(bytes([2, 4, 5, 180]), bytes([4, 2]), bytes([8, 10]) + pack(">II", 77, 0), bytes([1, 3, 3, 7])), facts=TcpFacts(100, 0))
    assert lower.info == "1 → 2 [SYN] Seq=0 Win=1000 Len=0 MSS=1460 SACK_PERM TSval=77 TSecr=0 WS=128"
    assert values(lower, "tcp.options.mss_val") == [1460]
    assert [(one.value, one.length) for one in fields(lower)["tcp.options.wscale.multiplier"]] == [(128, 0)]
    assert values(lower, "tcp.options.timestamp.tsval") == [77]


def test_selective_acknowledgments_count_from_the_other_sides_start():
    lower = with_options(options(b"\1\1", bytes([5, 10]) + pack(">II", 60, 80)), ACK, TcpFacts(99, 49))
    assert lower.info.endswith("Len=0 SLE=11 SRE=31")
    assert values(lower, "tcp.options.sack_re") == [31]


def test_an_option_that_does_not_fit_is_malformed_and_ends_the_options():
    lower = with_options(bytes([2, 4, 5, 180, 8, 40, 0, 0]))
    assert values(lower, "tcp.options.mss_val") == [1460]
    assert any(one.name == "_ws.malformed" for one in walk(lower.layers))


def test_relative_numbers_scaled_window_and_findings_come_from_the_stream():
    facts = TcpFacts(1000, 500, ("duplicate_ack",), 7, (2, 41))
    lower = right(summed(tcp(1, 2, 1001, 600, ACK)), tcp=facts, stream=4)
    assert lower.info == "[TCP Dup ACK 41#2] 1 → 2 [ACK] Seq=1 Ack=100 Win=128000 Len=0"
    assert (values(lower, "tcp.seq"), values(lower, "tcp.seq_raw")) == ([1], [1001])
    assert values(lower, "tcp.window_size") == [128000]
    assert values(lower, "tcp.analysis.duplicate_ack_frame") == [41]
    assert (values(lower, "tcp.stream"), lower.severity) == ([4], "note")


def test_a_reset_is_a_warning():
    assert right(summed(tcp(1, 2, flags=4))).severity == "warning"


def test_what_a_reset_carries_is_its_cause():
    lower = right(summed(tcp(1, 2, flags=4 | ACK, data=b"no\x07")))
    assert (values(lower, "tcp.reset_cause"), values(lower, "tcp.payload"), values(lower, "tcp.len")) == (["no\\x07"], [], [3])
    assert lower.payload is None
    assert lower.layers[-1].end == 14 + 20 + 20 + 3


def test_payload_length_is_that_on_the_wire_and_the_payload_what_was_captured():
    packet = ethernet(ip4(A, B, 6, tcp(1, 2, data=b"x" * 100)))
    lower = read(packet[:60], wire=len(packet))
    assert values(lower, "tcp.len") == [100]
    assert lower.payload == (0, 54, 60)


def test_lines_without_a_packet():
    assert tcp_line(1, 2, SYN | ACK, 0, 1, 500, 0, ("retransmission", "zero_window")) == \
        "[TCP ZeroWindow] [TCP Retransmission] 1 → 2 [SYN, ACK] Seq=0 Ack=1 Win=500 Len=0"
    assert udp_line(54321, 53, 32) == "54321 → 53 Len=32"


# cuts and nonsense

@pytest.mark.parametrize("length", range(1, 54))
def test_a_packet_cut_by_the_snap_length_says_so_and_is_no_error(length):
    packet = ethernet(ip4(A, B, 6, tcp(1, 2)))
    lower = read(packet[:length], wire=len(packet))
    assert lower.info.endswith("[Packet size limited during capture]")
    assert lower.severity == ""
    assert not any(one.name == "_ws.malformed" for one in walk(lower.layers))


def test_a_header_that_does_not_fit_is_malformed():
    lower = read(ethernet(ip4(A, B, 6, tcp(1, 2)[:10])))
    assert lower.severity == "error"
    assert [one.value for one in walk(lower.layers) if one.name == "_ws.malformed"] == ["malformed at byte 34: wanted 20 bytes, had 10"]
    assert values(lower, "tcp.srcport") == [1]


def test_a_layer_without_a_byte_is_none():
    for packet in (ethernet(ip4(A, B, 6, b"")), ethernet(ip6(A6, B6, 17, b""), IP6), b""):
        lower = read(packet)
        assert "tcp" not in names(lower) and "udp" not in names(lower)
        assert (names(lower)[-1], lower.severity) == ("_ws.malformed", "error")
    packet = ethernet(ip4(A, B, 6, tcp(1, 2)))
    lower = read(packet[:34], wire=len(packet))
    assert (names(lower)[-2:], lower.severity) == (["ip", "_ws.short"], "")


def test_a_header_length_beyond_the_packet_leaves_options_that_are_not_there():
    lower = read(ethernet(ip4(A, B, 6, tcp(1, 2, words=7)[:20])), stream=5)
    assert (values(lower, "tcp.options"), values(lower, "tcp.hdr_len"), values(lower, "tcp.stream"), values(lower, "tcp.len")) == ([b""], [28], [5], [])


def test_a_header_length_means_something_in_version_4_only():
    for first, expected in ((0x44, [16]), (0x55, [])):
        packet = bytearray(ip4(A, B, 6, tcp(1, 2)))
        packet[0] = first
        assert values(read(ethernet(bytes(packet))), "ip.hdr_len") == expected


def test_a_total_length_of_zero_shows_the_length_of_the_frame():
    lower = read(ethernet(ip4(A, B, 6, tcp(1, 2, data=b"x" * 3000), total=0)))
    assert values(lower, "ip.len") == [3040]


def test_cisco_hdlc_names_what_follows_and_keepalives_are_data():
    lower = read(pack(">BBH", 15, 0, 0x0800) + ip4(A, B, 17, udp(1, 2, b"abc")), 104)
    assert names(lower) == ["frame", "chdlc", "ip", "udp"]
    assert (values(lower, "chdlc.address"), values(lower, "chdlc.protocol"), lower.protocols) == ([15], [0x0800], ["frame", "chdlc", "ip", "udp"])
    keepalive = read(pack(">BBHIII", 0x8F, 0, 0x8035, 2, 5, 2), 104)
    assert (names(keepalive), keepalive.protocol) == (["frame", "chdlc", "data"], "SLARP")


def test_every_spec_is_named_once():
    seen = [spec.name for _, spec in specs()]
    assert sorted(seen) == sorted(set(seen))
