"""DNS messages from the format's own examples: trees, record data, names with faults, pairing, recognition.

The bytes were written by other encoders (dnspython, dig) or by hand after the RFCs; what they mean is stated beside them.
"""
from __future__ import annotations

import pytest
from dns_wire import made
from hypothesis import given, settings
from hypothesis import strategies as st
from zookeeper_wire import lines, shown, uncovered

from protocols.decoder import Kind, Opening, Side, Status
from protocols.dns.decoder import DNS
from protocols.engine.fields import walk

QUERY = bytes.fromhex("a1b20120000100000000000106" "62726f6b6572076578616d706c65000001000100002904d000000000000c000a00085028c4f412543073")
ANSWER = bytes.fromhex("a1b28580000100010000000106" "62726f6b6572076578616d706c650000010001c00c00010001000000000004" "0a4d000100002904d0000000000000")
EDNS = bytes.fromhex("12340100000100000000000103777777076578616d706c65000001000100002904d00000800000390008000700011800c00002000f00090012626c6f636b65"
                     "64000a00080102030405060708000300036e7331000b00020064000c000400000000")
UPDATE = bytes.fromhex("777728000001000200020000076578616d706c6500000600010178c00c00ff00ff0000000000000179c00c000100fe0000000000000168c00c0001000100"
                       "00012c00040a000009036f6c64c00c00ff00ff000000000000")
SIGNED = bytes.fromhex("0001010000010000000000010161076578616d706c650000060001036b65790000fa00ff00000000003d0b686d61632d7368613235360000006b013554012c"
                       "0020d0b30efb2a5b0cf83d1b6afdf805699883ec7a859714cc94159cc149ccc544ee000100000000")
MDNS_ASK = bytes.fromhex("000000000001000000000000045f697070045f746370056c6f63616c00000c8001")
MDNS_TELL = bytes.fromhex("000084000000000200000000045f697070045f746370056c6f63616c00000c0001000011940008054d792e5043c00cc0270021800100000078000c00000000"
                          "02770370" "6331c016")


def record(kind: int, rdata: str) -> bytes:
    """A response with one answer of a type."""
    data = bytes.fromhex(rdata)
    return bytes.fromhex("000180000000000100000000") + b"\1x\0" + kind.to_bytes(2, "big") + bytes.fromhex("000100000001") + len(data).to_bytes(2,
        "big") + data


def test_the_tree_of_a_query() -> None:
    assert lines(DNS().dissect(made(QUERY))) == [
        "   0 +2    Transaction ID: 0xa1b2", "   2 +2    Flags: 0x0120 Standard query", "   2 +2      0... .... .... .... = Response: False",
        "   2 +2      .000 0... .... .... = Opcode: Standard query (0)", "   2 +2      .... ..0. .... .... = Truncated: False",
        "   2 +2      .... ...1 .... .... = Recursion desired: True", "   2 +2      .... .... .0.. .... = Z: False",
        "   2 +2      .... .... ..1. .... = Answer authenticated: True", "   2 +2      .... .... ...0 .... = Non-authenticated data: False",
        "   4 +2    Questions: 1", "   6 +2    Answer RRs: 0", "   8 +2    Authority RRs: 0", "  10 +2    Additional RRs: 1",
        "  12 +20   Queries (1)", "  12 +20     broker.example: type A, class IN", "  12 +16       Name: broker.example", "  12 +0        [Name Length: 14]",
        "  12 +0        [Label Count: 2]", "  28 +2        Type: A (1)", "  30 +2        Class: IN (0x0001)",
        "  32 +23   Additional records (1)", "  32 +23     <Root>: type OPT", "  32 +1        Name: <Root>", "  33 +2        Type: OPT (41)",
        "  35 +2        UDP payload size: 1232", "  37 +1        Higher bits in extended RCODE: 0x00", "  38 +1        EDNS0 version: 0",
        "  39 +2        Z: 0x0000", "  39 +2          0... .... .... .... = DO bit: False",
            "  39 +2          .0.. .... .... .... = Compact answers OK: False",
        "  39 +2          ..00 0000 0000 0000 = Reserved: 0x0000", "  41 +2        Data length: 12", "  43 +12       Option: COOKIE",
        "  43 +2          Option Code: COOKIE (10)", "  45 +2          Option Length: 8", "  47 +8          Client Cookie: 5028c4f412543073",
    ]


def test_words_for_query_and_answer() -> None:
    asked, answered = DNS().describe(made(QUERY)), DNS().describe(made(ANSWER, False))
    assert (asked.op, asked.target, asked.id, asked.status) == ("A", "broker.example", "0xa1b2", None)
    assert asked.info == "Standard query 0xa1b2 A broker.example"
    assert (answered.status, answered.code, answered.info) == (Status.OK, 0, "Standard query 0xa1b2 response A broker.example A 10.77.0.1")


@pytest.mark.parametrize(("code", "status", "error", "soft"), [(1, "client_error", "FORMERR", False), (2, "server_error", "SERVFAIL", False),
                                                              (3, "client_error", "NXDOMAIN", True), (5, "server_error", "REFUSED", False),
                                                              (12, "server_error", "unassigned 12", False)])
def test_status_by_response_code(code: int, status: str, error: str, soft: bool) -> None:
    words = DNS().describe(made(ANSWER[:3] + bytes([0x80 | code]) + ANSWER[4:], False))
    assert (words.status, words.error, words.code, words.soft) == (status, error, code, soft)


def test_the_extended_error_and_the_upper_bits_of_the_code() -> None:
    refused = bytes.fromhex("cd8c818500010000000000010161000001000100002904d0000000000006000f0002000e")
    assert DNS().describe(made(refused, False)).error == "REFUSED (Not Ready)"
    badvers = bytes.fromhex("cd8c818000010000000000010161000001000100002904d0010000000000")
    assert DNS().describe(made(badvers, False)).error == "BADVERS"


def test_options_of_edns() -> None:
    found = {name: value for name, value, _, _ in shown(DNS().dissect(made(EDNS)))}
    assert {k: found["dns." + k] for k in ("opt.client.addr4", "opt.client.netmask", "opt.ext_error.info_code", "opt.ext_error.extra_text",
        "opt.nsid", "resp.z.do",
                                           "opt.edns_tcp_keepalive.timeout", "opt.padding", "rr.udp_payload_size")} == {
        "opt.client.addr4": "192.0.2.0", "opt.client.netmask": 24, "opt.ext_error.info_code": 18, "opt.ext_error.extra_text": "blocked", "opt.nsid": "ns1",
        "resp.z.do": True, "opt.edns_tcp_keepalive.timeout": 100, "opt.padding": bytes(4), "rr.udp_payload_size": 1232}


def test_what_an_update_asks() -> None:
    message = made(UPDATE)
    tree = list(walk(DNS().dissect(message)))
    assert [one.value for one in tree if one.name == "dns.update.meaning"] == [
        "the name is in use", "there is no A RRset", "add this A record", "delete all records of the name"]
    assert [one.value for one in tree if one.name.startswith("dns.count.")][:4] == [1, 2, 2, 0]
    assert (message.header.op, DNS().describe(message).info) == ("UPDATE", "Dynamic update 0x7777 SOA example")


def test_a_signed_query() -> None:
    found = {name: value for name, value, _, _ in shown(DNS().dissect(made(SIGNED)))}
    assert (found["dns.tsig.algorithm_name"], found["dns.tsig.fudge"], found["dns.tsig.mac_size"], found["dns.tsig.original_id"]) == ("hmac-sha256",
        300, 32, 1)


RDATA = [
    (6, "026e73076578616d706c650007" "61646d696e2e78076578616d706c650078a3f17500001c2000000e10001275000000012c",
     ["ns.example", r"admin\.x.example", 2024010101, 7200, 3600, 1209600, 300]),
    (11, "0a000001060000004000000000000080", ["10.0.0.1", 6, bytes.fromhex("0000004000000000000080")]),
    (29, "000016138b3cf018810cbce0009895b8", [0, 0, 22, 19, 0x8B3CF018, 0x810CBCE0, 9999800]),
    (35, "006400640175074532552b7369700e215e2e2a24217369703a6140782100", [100, 100, 1, "u", 7, "E2U+sip", 14, "!^.*$!sip:a@x!", "<Root>"]),
    (42, "000108010a00021081fd", [1, 8, 1, False, 1, "10.0.0.0", 2, 16, 0x81, True, 1, "fd00::"]),
    (45, "0a0102c0000201010203", [10, 1, 2, "192.0.2.1", b"\1\2\3"]),
    (46, "00010d020000012c65badf00659200803039076578616d706c650001020304",
     [1, 13, 2, 300, 1706745600 * 10**9, 1704067200 * 10**9, 12345, "example", b"\1\2\3\4"]),
    (47, "0162076578616d706c65000006400100000003010140", ["b.example", bytes.fromhex("0006400100000003010140")]),
    (50, "0101000502aabb14174eb2409fe28bcb4887a1836f957f0a8425e27b0006400000000002",
     [1, 1, True, 5, 2, b"\xaa\xbb", 20, "2t7b4g4vsa5smi47k61mv5bv1a22bojr", bytes.fromhex("0006400000000002")]),
    (55, "10020006200100107b1a74df365639cc39f1d57803010001b7710172076578616d706c6500",
     [16, 2, 6, bytes.fromhex("200100107b1a74df365639cc39f1d578"), bytes.fromhex("03010001b771"), "r.example"]),
    (64, "00010173076578616d706c650000010006026832026833000300022" "0fb000400040a000001029b00026869",
     [1, "s.example", 1, 6, 2, "h2", 2, "h3", 3, 2, 8443, 4, 4, "10.0.0.1", 667, 2, b"hi"]),
    (257, "000569737375656c657473656e63727970742e6f7267", [0, False, 5, "issue", "letsencrypt.org"]),
    (256, "000a000168747470733a2f2f782f", [10, 1, "https://x/"]),
    (260, "0a01cb00710f", [10, 1, False, 1, "203.0.113.15"]),
    (16, "03616263036465" "66", [3, "abc", 3, "def"]),
    (65400, "0102", [b"\1\2"]),
]


@pytest.mark.parametrize(("kind", "rdata", "expected"), RDATA)
def test_record_data(kind: int, rdata: str, expected: list[object]) -> None:
    data = record(kind, rdata)
    tree = DNS().dissect(made(data, False))
    assert [value for _, value, start, _ in shown(tree) if start >= 25] == expected
    assert not uncovered(tree, len(data))
    assert not [one for one in walk(tree) if one.name == "_ws.malformed"]


def test_type_bitmaps_by_name_and_the_tag_of_a_key() -> None:
    assert any("A MX RRSIG NSEC CAA" in one.text for one in walk(DNS().dissect(made(record(47, RDATA[7][1]), False))))
    # RFC 4034 section 5.4: the tag of this key is 60485
    from base64 import b64decode
    key = b64decode("AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMzNXxeYCmZDRD99WYwYqUSdjMmmAphXdvxegXd/M5+X7OrzKBaMbCVdFLUUh6DhweJ"
                    "BjEVv5f2wwjM9XzcnOf+EPbtG9DMBmADjFDc2w/rljwvFw==")
    tree = walk(DNS().dissect(made(record(48, (bytes.fromhex("01000305") + key).hex()), False)))
    assert [one.value for one in tree if one.name == "dns.dnskey.key_id"] == [60485]


@pytest.mark.parametrize(("name", "why"), [
    ("c00c", "does not point backwards"), ("c00e", "does not point backwards"), ("c002", "into the header"), ("4161", "obsolete"), ("8161", "obsolete"),
    ("3f61", "not all there"), ("c0", "half a compression pointer"), ("01", "not all there"), ("", "wanted"),
])
def test_names_with_faults(name: str, why: str) -> None:
    data = bytes.fromhex("000101000001000000000000") + bytes.fromhex(name)
    tree = DNS().dissect(made(data))
    assert any(one.name == "_ws.malformed" and why in str(one.value) for one in walk(tree)), lines(tree)


def test_names_that_expand_to_too_much_end_the_message() -> None:
    long = b"".join(bytes([63]) + b"a" * 63 for _ in range(3)) + b"\0"
    data = bytes.fromhex("000180000001") + (2000).to_bytes(2,
        "big") + bytes(4) + long + bytes.fromhex("00010001") + bytes.fromhex("c00c0001000100000000" "0000") * 2000
    assert any(one.name == "_ws.malformed" and "65536" in str(one.value) for one in walk(DNS().dissect(made(data, False))))


def test_multicast() -> None:
    asked, told = made(MDNS_ASK), made(MDNS_TELL, False)
    assert (asked.header.kind, told.header.kind) == (Kind.ONEWAY, Kind.EVENT)
    found = {name: value for name, value, _, _ in shown(DNS().dissect(asked))}
    assert (found["dns.qry.class"], found["dns.qry.qu"]) == (1, True)
    values = [(name, value) for name, value, _, _ in shown(DNS().dissect(told))]
    assert ("dns.ptr.domain_name", r"My\.PC._ipp._tcp.local") in values
    assert ("dns.srv.target", "pc1.local") in values
    assert ("dns.resp.cache_flush", True) in values


def test_responses_belong_to_the_query_with_their_question() -> None:
    session = DNS().session()
    asked = made(QUERY, True, session)
    assert made(ANSWER, False, session).header.key == asked.header.key
    other = ANSWER.replace(b"broker", b"BROKER")
    assert made(other, False, session).header.key == asked.header.key            # letters in any case are the same name
    assert made(ANSWER.replace(b"broker", b"broken"), False, session).header.key != asked.header.key
    bare = bytes.fromhex("a1b281850000000000000000")
    assert made(bare, False, session).header.key == asked.header.key


def test_a_zone_transfer_goes_on_to_the_second_soa() -> None:
    soa = bytes.fromhex("00" "0006" "0001" "00000001" "0016") + bytes(22)
    address = bytes.fromhex("00" "0001" "0001" "00000001" "0004" "01020304")
    session = DNS().session()

    def answer(records: list[bytes], question: bool) -> bytes:
        body = bytes.fromhex("00078400") + bytes([0, question, 0, len(records)]) + bytes(4) + (b"\0\0\xfc\0\1" if question else b"") + b"".join(records)
        return len(body).to_bytes(2, "big") + body
    asked = made(bytes.fromhex("0011" "000701000001000000000000" "0000fc0001"), True, session, "tcp")
    found = [made(one, False, session, "tcp").header for one in (answer([soa], True), answer([address], False), answer([address, soa], False))]
    assert [(one.key, one.more) for one in found] == [(asked.header.key, True), (asked.header.key, True), (asked.header.key, False)]


def test_stateful_operations() -> None:
    keep = bytes.fromhex("000130000000000000000000" "00010008" "00003a98" "00007530")
    found = {name: value for name, value, _, _ in shown(DNS().dissect(made(keep)))}
    assert (found["dns.dso.tlv.keepalive.inactivity"], found["dns.dso.tlv.keepalive.interval"]) == (15000, 30000)
    assert not uncovered(DNS().dissect(made(keep)), len(keep))


def opening(client: bytes, server: bytes = b"", transport: str = "udp", ports: tuple[int, int] = (40000, 9999)) -> Opening:
    return Opening((client, server), ports, (True, True), (True, True), transport)


def test_recognition() -> None:
    decoder = DNS()
    both = decoder.recognise(opening(QUERY, ANSWER))
    assert both is not None
    assert (both.score, both.client) == (98, 0)
    assert decoder.recognise(opening(ANSWER, QUERY)).client == 1                 # type: ignore[union-attr]
    assert decoder.recognise(opening(QUERY, ports=(40000, 53))).score == 100     # type: ignore[union-attr]
    tcp = [len(one).to_bytes(2, "big") + one for one in (QUERY, ANSWER)]
    assert decoder.recognise(opening(*tcp, "tcp")).score == 98                   # type: ignore[union-attr]
    for other in (bytes(12), bytes(40), b"GET / HTTP/1.1\r\n\r\n", QUERY + b"x", QUERY[:-1], b"\0\1" * 20, b""):
        assert decoder.recognise(opening(other)) is None
        assert decoder.recognise(opening(other, transport="tcp")) is None
    assert decoder.recognise(opening(QUERY, b"not dns at all")) is None


def test_frames_of_tcp() -> None:
    decoder, side = DNS(), Side(True, True, b"", b"")
    assert decoder.accepts((len(QUERY).to_bytes(2, "big") + QUERY)[:14], side)
    assert not decoder.accepts((len(ANSWER).to_bytes(2, "big") + ANSWER)[:14], side)
    assert not decoder.accepts(b"\0\x0c" + QUERY[:12], side)                     # a question does not fit into 12 bytes


EXAMPLES = [QUERY, ANSWER, EDNS, UPDATE, SIGNED, MDNS_ASK, MDNS_TELL, *(record(kind, rdata) for kind, rdata, _ in RDATA)]


@pytest.mark.parametrize("data", EXAMPLES)
def test_every_byte_lies_in_a_field_wherever_the_message_is_cut(data: bytes) -> None:
    for end in range(len(data) + 1):
        message = made(data[:end], bool(data[2] < 0x80), length=len(data))
        tree = DNS().dissect(message)
        assert not uncovered(tree, end), (end, lines(tree))
        assert DNS().describe(message).info
        assert (end == len(data)) != any(one.name == "pv.incomplete" for one in tree)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(EXAMPLES), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6), st.booleans(),
    st.sampled_from(["udp", "tcp"]))
def test_damaged_messages_give_a_tree(data: bytes, changes: list[tuple[int, int]], client: bool, transport: str) -> None:
    damaged = bytearray(data if transport == "udp" else len(data).to_bytes(2, "big") + data)
    for at, byte in changes:
        damaged[at % len(damaged)] = byte
    message = made(bytes(damaged), client, None, transport)
    tree = DNS().dissect(message)
    assert not uncovered(tree, len(damaged))
    DNS().describe(message)
    DNS().recognise(opening(bytes(damaged), transport=transport))
    DNS().accepts(bytes(damaged[:14]), Side(client, True, b"", b""))


def test_every_field_is_named_before_it_is_read() -> None:
    known = {spec.name: spec for spec in DNS().specs()}
    for data in EXAMPLES:
        for one in walk(DNS().dissect(made(data))):
            if one.name.startswith("dns"):
                assert known[one.name].type == one.spec.type
