"""Forms of Wireshark 4.2 to 5.0, in one table: each shows what the form of 4.0 beside it shows, which tshark 4.0 is asked where it is there."""
from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captures.capture import Capture
from captures.filter import FilterError, FilterRun, Names, compile_expression, compile_filter, computed
from captures.filter.compile.special_addresses import REGISTRY, special_name
from captures.filter.language.nodes import printed
from captures.filter.language.parser import parse

CASE = Path(__file__).parent / "data" / "cases" / "tcp-rtt-fields.pcap"
MACROS = {"port": "tcp.port == $1", "both": "ip.src == $1 && tcp.dstport == $2", "syn": "tcp.flags.syn == 1"}

FORMS = [
    # form, the same in Wireshark 4.0
    ("ip AND tcp.flags.syn == 1", "ip and tcp.flags.syn == 1"), ("tcp.flags.fin == 1 OR tcp.flags.syn == 1", "tcp.flags.fin == 1 or tcp.flags.syn == 1"),
    ("NOT tcp.flags.syn == 1", "not tcp.flags.syn == 1"), ("tcp.len NOT in {0, 17}", "tcp.len not in {0, 17}"),
    ("frame contains “orders”", 'frame contains "orders"'), ("frame matches r“ord\\w+”", 'frame matches r"ord\\w+"'),
    ("tcp.port == ${frame.number}", "tcp.port == 3"), ("$frame.number == 3", "frame.number == 65535"),
    ("tcp.flags bitand 2", "tcp.flags & 2"), ("tcp.flags bitand 0x10 == 0x10", "tcp.flags & 0x10 == 0x10"),
    ("@tcp.flags[1] == 12", "tcp.flags == 0x12"), ("@tcp.dstport == 23:84", "tcp.dstport == 9092"), ("@ip.ttl == 40", "ip.ttl == 64"),
    ("@frame.number", "frame"), ("@ip.src[0] == 0a && @ip.src[3] == 01", "ip.src == 10.0.0.1"), ("@tcp.port#1[0] == 23", "tcp.port == 9092"),
    ("len(tcp.payload)", "tcp.len > 0"), ("!len(tcp.payload)", "tcp.len == 0"), ("len(tcp.payload) && ip.src == 10.0.0.1", "tcp.len > 0 && ip.src == 10.0.0.1"),
    ('vals(tcp.flags.syn) == "Set"', "tcp.flags.syn == 1"), ('vals(kafka.api_key) == "Produce"', "kafka.api_key == 0"),
    ('dec(tcp.dstport) == "9092"', "tcp.dstport == 9092"), ('dec(tcp.len) contains "7"', "tcp.len in {17, 1370}"),
    ('hex(tcp.dstport) == "0x2384"', "tcp.dstport == 9092"), ('hex(ip.ttl) == "0x40"', "ip.ttl == 64"),
    ('ip_special_name(ip.src) == "Private-Use"', "ip.src == 10.0.0.0/8"), ("ip_special_name(ip.dst)", "ip.dst == 10.0.0.0/8"),
    ("${port;9092}", "tcp.port == 9092"), ("${both;10.0.0.2;9092}", "ip.src == 10.0.0.2 && tcp.dstport == 9092"),
    ("tcp && ${port;9092} AND NOT ${syn}", "tcp && tcp.port == 9092 && !(tcp.flags.syn == 1)"),
]


FIELDS = ("ip.host", "ip.src_host", "ip.dst_host", "data.len", "tcp.len")
FIELD_FILTERS = ('ip.host == "10.0.0.1"', 'ip.src_host contains "0.1"', 'ip.dst_host matches "2$"', "ip.host",
                 'ip.host in {"10.0.0.1", "10.0.0.9"}', "data.len",
                 'ip.src_host == "10.0.0.1" && tcp.len > 0', 'ipv6.host == "::1"', "tcp.completeness == 31", "tcp.completeness & 8",
                 "tcp.analysis.ack_rtt > 0.001",
                 "tcp.analysis.bytes_in_flight > 1000", "tcp.analysis.initial_rtt == 0.002", "tcp.analysis", "tcp.analysis.acks_frame == 8")


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("text", FIELD_FILTERS)
def test_fields_that_users_ask_for_show_what_they_show_in_tshark(text: str, capture: Capture) -> None:
    done = subprocess.run(["tshark", "-n", "-r", CASE, "-Y", text, "-T", "fields", "-e", "frame.number"], capture_output=True, text=True, check=True)
    assert shown(capture, text) == [int(word) for word in done.stdout.split()]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_fields_of_no_tree_are_printed_as_in_tshark() -> None:
    arguments = ["-r", str(CASE), "-T", "fields", *(word for name in FIELDS for word in ("-e", name))]
    theirs = subprocess.run(["tshark", "-n", *arguments], capture_output=True, text=True, check=True)
    paths = {"PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-m", "protoview", *arguments], capture_output=True, text=True, env=paths)
    assert done.stdout == theirs.stdout


@pytest.fixture(scope="module")
def capture() -> Capture:
    made = Capture(CASE)
    made.read_index()
    return made


def shown(capture: Capture, text: str) -> list[int]:
    names = Names(capture.registry)
    run = FilterRun(capture, compile_filter(text, names, MACROS), reference=2)
    return [int(i) + 1 for batch in run for i in batch]


@pytest.mark.parametrize(("form", "before"), FORMS)
def test_a_form_shows_what_that_of_4_0_shows(form: str, before: str, capture: Capture) -> None:
    if form == "$frame.number == 3":
        assert shown(capture, form) == list(range(1, 17))     # packet 3 is selected: it holds for all
        return
    if shutil.which("tshark") and "kafka" not in form:
        done = subprocess.run(["tshark", "-r", CASE, "-Y", before, "-T", "fields", "-e", "frame.number"], capture_output=True, text=True, check=True)
        assert shown(capture, form) == [int(word) for word in done.stdout.split()]
    else:
        assert shown(capture, form) == shown(capture, before) != []


@pytest.mark.parametrize("form", [form for form, _ in FORMS if "${" not in form])
def test_a_form_printed_is_read_again_as_the_same(form: str) -> None:
    node = parse(form)
    assert node is not None and parse(printed(node)) == node


@pytest.mark.parametrize(("text", "said"), [
    ("frame contains “orders", "final quote was missing"), ("@ tcp.port", "@ stands before a field"), ("@5", "@ stands before a field"), ("@", "unexpected"),
    ("$", "unexpected"), ("$ frame.number == 1", "unexpected"), ("$nosuch.field == 1", "Unknown field"), ("@nosuch.field", "nosuch.field"),
    ("vals(tcp.len) == 1", "names"), ("hex(ip.src) == 1", "whole number"), ("ip_special_name(tcp.port)", "address"), ("ip aNd tcp", "unexpected"),
])
def test_what_no_form_has_is_refused(text: str, said: str, capture: Capture) -> None:
    with pytest.raises(FilterError, match=said):
        compile_filter(text, Names(capture.registry))


@given(st.text(st.sampled_from("“”\"\\x0a b'"), max_size=12))
def test_curly_quotes_hold_what_straight_ones_hold(inside: str) -> None:
    names = Names(Capture(CASE).registry)
    body = inside.replace("“", "").replace("”", "").replace('"', "")

    def outcome(text: str) -> str:
        try:
            made = compile_filter(text, names)
            return printed(made.node) if made.node is not None else ""
        except FilterError as error:
            return error.message.replace("“", '"').replace("”", '"')
    assert outcome(f"kafka.client_id == “{body}”") == outcome(f'kafka.client_id == "{body}"')


def test_a_straight_quote_may_stand_in_curly_ones(capture: Capture) -> None:
    assert shown(capture, 'frame contains “a"b\\"”') == shown(capture, 'frame contains "a\\"b\\""') == []


# the registries: https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry
@pytest.mark.parametrize(("address", "kind", "name"), [
    (0x0A000001, "ipv4", "Private-Use"), (0x7F000001, "ipv4", "Loopback"), (0xC0A80101, "ipv4", "Private-Use"), (0xAC1F0001, "ipv4", "Private-Use"),
    (0x64400001, "ipv4", "Shared Address Space"), (0xA9FE0101, "ipv4", "Link Local"), (0x08080808, "ipv4", None), (0xFFFFFFFF, "ipv4", "Limited Broadcast"),
    (0xC0000009, "ipv4", "Port Control Protocol Anycast"), (0xC00000AB, "ipv4", "NAT64/DNS64 Discovery"), (0, "ipv4", "This host on this network"),
    (1, "ipv6", "Loopback Address"), (0xFE80 << 112 | 5, "ipv6", "Link-Local Unicast"), (0xFD77 << 112, "ipv6", "Unique-Local"),
    (0x20010DB8 << 96, "ipv6", "Documentation"), (0x2606 << 112, "ipv6", None),
])
def test_special_addresses_have_their_registered_names(address: int, kind: str, name: str | None) -> None:
    assert special_name(address, kind) == name


def test_a_narrower_block_comes_before_the_wider_one() -> None:
    from ipaddress import ip_network
    for rows in REGISTRY.values():
        blocks = [ip_network(block) for block, _ in rows]
        for k, block in enumerate(blocks):
            assert not any(block != other and block.subnet_of(other) for other in blocks[:k]), block   # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "expected"), [
    ("tcp.srcport + 1", ["40001", "9093", "40001", "40001", "9093"]), ("len(tcp.payload)", ["", "", "", "17", "20"]), ("@tcp.flags", ["6002", "6012", "5010"]),
    ("hex(ip.ttl)", ["0x40"] * 5), ("ip_special_name(ip.src)", ["Private-Use"] * 5), ("tcp.len * 2", ["0", "0", "0", "34", "40"]),
    ("upper(pv.op)", ["", "", "", "APIVERSIONS"]), ("max(tcp.port)", ["40000"] * 5), ("frame[0:2]", ["0200"] * 5),
])
def test_an_expression_is_printed_as_a_column(text: str, expected: list[str], capture: Capture) -> None:
    values = computed(capture, compile_expression(text, Names(capture.registry)))
    found = [",".join(values(i)) for i in range(len(expected))]
    assert [one.partition(" ")[0] for one in found] == expected


def test_expressions_and_fields_stand_side_by_side_in_a_table() -> None:
    words = [sys.executable, "-m", "protoview", str(CASE), "-T", "fields", "-E", "header=y",
             "-e", "tcp.len", "-e", "tcp.len + 1", "-e", "frame.number", "-c", "4"]
    done = subprocess.run(words, capture_output=True, text=True, env={"PYTHONPATH": str(Path(__file__).parent.parent)})
    assert done.stdout.splitlines() == ["tcp.len\ttcp.len + 1\tframe.number", "0\t1\t1", "0\t1\t2", "0\t1\t3", "17\t18\t4"]


@pytest.mark.parametrize(("text", "said"), [("tcp.prot", "did you mean tcp.port?"), ("zk.path", "did you mean zookeeper.path?"),
                                            ("tcp.len +", "Unexpected end"),
                                            ("tcp.len == 1", "unexpected"),
                                            ("nosuch(tcp.len)", "does not exist"), ("$frame.number + 1", "No packet is selected")])
def test_a_column_that_is_nothing_is_told_with_what_was_meant(text: str, said: str) -> None:
    words = [sys.executable, "-m", "protoview", str(CASE), "-T", "fields", "-e", text]
    done = subprocess.run(words, capture_output=True, text=True, env={"PYTHONPATH": str(Path(__file__).parent.parent)})
    assert done.returncode == 2 and said in done.stderr and not done.stdout
