"""Fields, bit for bit, as tshark prints them, on recorded captures."""
from __future__ import annotations

import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from captures.file.opening import open_source
from captures.index.index import Index
from captures.packet.packets import lower
from captures.stream.tcp_analysis import TcpAnalysis
from protocols.engine.fields import plain, walk

NAMES = [
    "frame.number", "frame.len", "frame.cap_len", "frame.time_epoch", "frame.time_delta", "eth.src", "eth.addr", "eth.type", "vlan.id", "sll.etype",
    "ip.src", "ip.dst", "ip.addr", "ip.hdr_len", "ip.dsfield", "ip.dsfield.dscp", "ip.len", "ip.id", "ip.flags", "ip.flags.df", "ip.frag_offset",
    "ip.ttl", "ip.proto", "ip.checksum", "ip.checksum.status", "ipv6.src", "ipv6.dst", "ipv6.tclass", "ipv6.flow", "ipv6.plen", "ipv6.nxt",
    "ipv6.hlim", "ipv6.fraghdr.offset", "ipv6.opt.type", "icmp.type", "icmp.code", "icmp.ident", "icmp.seq_le", "icmpv6.type", "icmpv6.code",
    "arp.opcode", "arp.src.hw_mac", "tcp.srcport", "tcp.port", "tcp.stream", "tcp.seq", "tcp.seq_raw", "tcp.nxtseq", "tcp.ack", "tcp.ack_raw",
    "tcp.len", "tcp.hdr_len", "tcp.flags", "tcp.flags.str", "tcp.flags.push", "tcp.window_size_value", "tcp.window_size",
    "tcp.window_size_scalefactor", "tcp.checksum", "tcp.options", "tcp.options.mss_val", "tcp.options.sack_le", "tcp.options.timestamp.tsval",
    "tcp.options.wscale.multiplier", "tcp.payload", "tcp.analysis.retransmission", "tcp.analysis.out_of_order", "tcp.analysis.lost_segment",
    "tcp.analysis.duplicate_ack_num", "tcp.analysis.duplicate_ack_frame", "tcp.analysis.window_update", "tcp.analysis.keep_alive", "udp.srcport",
    "udp.stream", "udp.length", "udp.checksum",
]
CAPTURES = (
    "zookeeper/zookeeper-java-3.9-reconnect.pcap", "rocketmq/rocketmq-java-5.3.3-ipv6-otherports.pcap", "common/dns-dig9.18-dnsmasq2.90-tcp-edns.pcap",
    "public/tcp-behaviour/deepflow__ip-fragment.pcap", "public/link-and-odd/zeek__linuxsll-arp.pcap", "public/link-and-odd/dpkt__dns_icmp.pcap",
    "public/link-and-odd/arkime__wireshark-retrans.pcap", "public/link-and-odd/zeek__mixed-vlan-mpls.pcap", "public/link-and-odd/zeek__vlan-pcp-dei.pcapng",
    "public/tcp-behaviour/deepflow__client-keep-alive.pcap", "public/link-and-odd/zeek__rst-inject-rae.pcap",
)
OPTIONS = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.calculate_timestamps:TRUE"]


def printed(index: Index, i: int, analyses: dict[int, TcpAnalysis]) -> dict[str, str]:
    stream, tcp = int(index.columns.sd[i]) >> 1, None
    if stream >= 0 and index.columns.kind[i] == 1:
        tcp = analyses.setdefault(stream, TcpAnalysis(index, stream)).facts(i)
    found = defaultdict(list)
    for one in walk(lower(index, i, tcp).layers):
        found[one.name].append(plain(one))
    return {name: ",".join(found[name]) for name in NAMES}


@pytest.mark.parametrize("name", CAPTURES)
def test_fields_are_tsharks(shared: Path, name: str):
    path = shared / name
    if not shutil.which("tshark") or not path.exists():
        pytest.skip("needs tshark and the capture")
    wanted = [x for one in NAMES for x in ("-e", one)]
    done = subprocess.run(["tshark", "-n", *OPTIONS, "-r", path, "-c", "300", "-T", "fields", *wanted], capture_output=True, text=True, check=True)
    index = Index(open_source(path))
    index.run()
    analyses: dict[int, TcpAnalysis] = {}
    rows = done.stdout.split("\n")[:-1]
    assert rows
    for i, row in enumerate(rows):
        assert printed(index, i, analyses) == dict(zip(NAMES, row.split("\t"), strict=True)), f"frame {i + 1}"
