"""Recorded DNS traffic: every byte in a field, values as tshark reads them, outcomes as the client saw them."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
from dns_wire import datagrams, made
from zookeeper_wire import uncovered

from captures.file.opening import open_source
from captures.index.index import Index
from captures.messages.conversation import Conversation
from captures.stream.pair import tcp_pair
from protocols.decoder import Kind, Status
from protocols.dns.decoder import DNS
from protocols.engine.fields import Field, plain, walk

FOLDER = Path(os.environ.get("PROTOVIEW_CAPTURES", "/nowhere"))
AXFR = FOLDER / "public" / "dns" / "packetbeat__dns_tcp_axfr.pcap"
COMMON = [FOLDER / "common" / name for name in ("dns.pcap", "dns-dig9.18-dnsmasq2.90-tcp-edns.pcap")]
PUBLIC = [FOLDER / "public" / "dns" / f"packetbeat__dns_{name}.pcap" for name in ("additional", "google_com", "not_found", "ns", "txt")]
pytestmark = pytest.mark.skipif(not COMMON[0].exists(), reason="needs the recordings")

COMPARED = ("dns.id", "dns.flags", "dns.flags.response", "dns.flags.rcode", "dns.flags.authenticated", "dns.count.queries", "dns.count.answers",
    "dns.count.auth_rr",
            "dns.count.add_rr", "dns.qry.name", "dns.qry.type", "dns.qry.class", "dns.qry.name.len", "dns.count.labels", "dns.resp.name", "dns.resp.type",
            "dns.resp.class", "dns.resp.ttl", "dns.resp.len", "dns.a", "dns.aaaa", "dns.cname", "dns.ns", "dns.mx.preference", "dns.mx.mail_exchange",
            "dns.txt", "dns.txt.length", "dns.srv.priority", "dns.srv.port", "dns.srv.target", "dns.srv.service", "dns.srv.proto", "dns.srv.name",
            "dns.resp.ext_rcode", "dns.resp.edns0_version", "dns.resp.z", "dns.resp.z.do", "dns.opt.code", "dns.opt.len", "dns.opt.cookie.client",
            "dns.opt.cookie.server", "dns.opt.ext_error.info_code")


def tshark(file: Path, names: tuple[str, ...]) -> dict[int, dict[str, list[str]]]:
    command = ["tshark", "-r", str(file), "-Y", "udp && dns", "-T", "fields", "-E", "separator=\x01", "-E", "aggregator=\x02", "-e", "frame.number"]
    for name in names:
        command += ["-e", name]
    rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return {int(number): {name: part.split("\2") if part else [] for name, part in zip(names, parts, strict=True)}
            for number, *parts in (row.split("\1") for row in rows)}


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
@pytest.mark.parametrize("file", COMMON + PUBLIC, ids=lambda file: file.name)
def test_values_are_those_of_tshark(file: Path) -> None:
    theirs, compared, damaged = tshark(file, COMPARED), 0, 0
    for number, client, data in datagrams(file):
        tree = DNS().dissect(made(data, client))
        assert not uncovered(tree, len(data))
        if any(one.name == "_ws.malformed" for one in walk(tree)):
            damaged += 1
            continue
        ours: dict[str, list[str]] = defaultdict(list)
        left_out: Field | None = None
        for one in walk(tree):
            # tshark gives the owner of an SRV record in parts only (dns.srv.service ...)
            names = [below.name for below in one.fields] if one.name == "dns.resp" else []
            if "dns.srv.service" in names:
                left_out = one.fields[names.index("dns.resp.name")]
            if one.name in COMPARED and one is not left_out:
                ours[one.name].append(plain(one))
        for name in COMPARED:
            if name in ("dns.qry.name.len", "dns.count.labels") and ours["dns.qry.name"] == ["<Root>"]:
                continue                                 # tshark counts the letters of "<Root>"
            # tshark puts a text where the optional half of a cookie is not there
            assert ours[name] == [value for value in theirs[number][name] if value != "<MISSING>"], (number, name)
        compared += 1
    assert compared
    # the probes of the client: two bytes, a message cut off, a compression loop, which the server sends back
    assert damaged == (4 if "dig" in file.name else 0)


@pytest.mark.parametrize("file", [*COMMON, AXFR], ids=lambda file: file.name)
def test_over_tcp_every_query_has_its_answer(file: Path) -> None:
    index = Index(open_source(file))
    index.run()
    pairs = 0
    for stream in range(len(index.tcp)):
        conversation = Conversation(tcp_pair(index, stream), [DNS()])
        assert conversation.decoder is not None
        assert conversation.decoder.name == "dns"
        for pdu in conversation.messages:
            message = conversation.message(pdu)
            assert not uncovered(DNS().dissect(message), message.end)
            assert message.peer is not None
            pairs += pdu.header.kind is Kind.REQUEST
    assert pairs


def test_outcomes_are_those_that_dig_saw() -> None:
    truth = json.loads(COMMON[1].with_name(COMMON[1].name.replace(".pcap", ".truth.json")).read_text())["events"]
    said = {code for event in truth for code in event.get("status", ())}
    codes = {"NOERROR" if words.status is Status.OK else words.error.split()[0]
             for _, client, data in datagrams(COMMON[1]) if not client for words in [DNS().describe(made(data, False))]}
    assert codes <= said
    cut = sum(bool(event.get("truncated")) for event in truth)
    flags = sum(1 for _, client, data in datagrams(COMMON[1]) if not client and data[2] & 2)
    assert flags >= cut > 0
    assert sum("truncated" in DNS().describe(made(data, False)).info for _, client, data in datagrams(COMMON[1]) if not client) == flags
