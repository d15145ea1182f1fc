"""The index as a whole: what it counts, keeps and costs, and that recorded captures come out as in tshark."""
from __future__ import annotations

import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
from packet_bytes import A6, ACK, B6, IP6, between, ethernet, indexed, ip6, streams, tcp, udp, write

from captures.file.opening import open_source
from captures.index.index import Index

RECORDED = [
    "zookeeper/zookeeper-kazoo-3.8.pcap", "zookeeper/zookeeper-java-3.9-reconnect.pcap", "kafka/kafka-kraft-4.1-snapshot.pcap", "common/dns.pcap",
    "public/link-and-odd/dpkt__dns_icmp.pcap", "public/link-and-odd/arkime__wireshark-retrans.pcap", "public/link-and-odd/chrissanders__ip_frag_source.pcapng",
    "public/link-and-odd/PcapPlusPlus__ipv6_opt_fragments.pcap", "public/link-and-odd/nDPI__dlt_ppp.pcap", "public/link-and-odd/PcapPlusPlus__sll2.pcap",
]
FIELDS = ("tcp.stream", "udp.stream", "tcp.srcport", "udp.srcport", "tcp.seq_raw", "tcp.ack_raw", "tcp.window_size_value", "tcp.len", "udp.length")


def conversations(count: int) -> list[bytes]:
    """Packets of seven TCP and three UDP streams in turns."""
    packets = []
    for i in range(count):
        stream, side = i * i % 10, i // 10 % 2
        ports = (1000 + stream, 80) if side == 0 else (80, 1000 + stream)
        if stream < 3:
            packets.append(between(side, 17, udp(*ports, b"x" * stream)))
        else:
            packets.append(between(side, 6, tcp(*ports, i, i, ACK, b"y" * stream)))
    return packets


def test_the_packets_of_a_stream_are_the_same_before_and_after_the_end(tmp_path: Path) -> None:
    index = indexed(tmp_path, conversations(500))
    names = streams(index)
    for transport, table in (("tcp", index.tcp), ("udp", index.udp)):
        assert len(table)
        for number in range(len(table)):
            wanted = [i for i, name in enumerate(names) if name == f"{transport} {number}"]
            index.complete = True
            assert index.packets_of(transport, number).tolist() == wanted
            index.complete = False
            assert index.packets_of(transport, number).tolist() == wanted
            assert index.packets_of(transport, number).dtype == np.int64


def test_more_streams_than_16_bits_hold_are_grouped_in_order(tmp_path: Path) -> None:
    packets = [between(0, 6, tcp(i & 0xFFFF, 80 + (i >> 16))) for i in range(70_000)]
    index = indexed(tmp_path, packets + packets[:3] + packets[-1:])
    assert len(index.tcp) == 70_000
    assert [index.packets_of("tcp", number).tolist() for number in (0, 2, 65_536, 69_999)] == [[0, 70_000], [2, 70_002], [65_536], [69_999, 70_003]]


def test_frames_and_payloads_are_the_captured_bytes(tmp_path: Path) -> None:
    packets = conversations(40)
    index = indexed(tmp_path, packets)
    assert [index.frame(i) for i in range(40)] == packets
    for i, packet in enumerate(packets):
        buffer, start, length = index.payload(i)
        assert bytes(buffer[start : start + length]) == packet[len(packet) - length :] == packet[34 + (8 if index.columns.kind[i] == 2 else 20) :]


def test_indexing_stops_when_told_and_what_is_there_can_be_used(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    source = open_source(write(tmp_path, conversations(20_000)))
    index = Index(source)
    index.run(stop)
    assert index.complete
    assert 0 < index.columns.count < 20_000
    assert index.packets_of("tcp", 0)[0] == index.tcp.first(0)
    source.close()


def test_everything_below_count_is_there_while_the_index_grows(tmp_path: Path) -> None:
    wrong = []
    source = open_source(write(tmp_path, conversations(30_000)))
    index = Index(source)
    number = index._number

    def watched(kind, chunk, start, end):  # type: ignore[no-untyped-def]
        number(kind, chunk, start, end)
        count = index.columns.count
        wrong.append(count != start or bool((index.columns.sd[:count] < 0).any()) or bool((index.columns.kind[:count] == 0).any()))

    index._number = watched  # type: ignore[method-assign]
    index.run()
    assert len(wrong) > 2 and not any(wrong)
    assert index.columns.count == 30_000
    source.close()


def test_an_interface_of_another_link_type_in_the_same_file(tmp_path: Path) -> None:
    from capture_bytes import Sent, enhanced, interface, section

    packet = ethernet(ip6(A6, B6, 6, tcp(1, 2)), IP6)
    sent = [Sent(0, packet), Sent(1, packet[14:], interface=1), Sent(2, packet[14:]), Sent(3, between(0, 6, tcp(1, 2)))]
    name = tmp_path / "two.pcapng"
    name.write_bytes(section() + interface() + interface(link=101) + b"".join(enhanced(one) for one in sent))
    source = open_source(name)
    index = Index(source)
    index.run()
    assert streams(index) == ["tcp 0", "tcp 0", "", "tcp 1"]
    source.close()


def test_the_index_costs_at_most_72_bytes_a_packet(tmp_path: Path) -> None:
    index = indexed(tmp_path, conversations(100_000))
    order, starts = index._grouped("tcp")
    held = sum(getattr(index.columns, name)[:100_000].nbytes for name in vars(index.columns) if isinstance(getattr(index.columns, name), np.ndarray))
    assert (held + order.nbytes + starts.nbytes) / 100_000 <= 72


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
@pytest.mark.parametrize("name", RECORDED)
def test_recorded_captures_are_indexed_as_in_tshark(name: str, shared: Path) -> None:
    command = ["tshark", "-n", "-o", "tcp.relative_sequence_numbers:FALSE", "-r", str(shared / name), "-T", "fields"]
    for field in FIELDS:
        command += ["-e", field]
    wanted = [line.split("\t") for line in subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()]
    source = open_source(shared / name)
    index = Index(source)
    index.run()
    assert streams(index) == [f"tcp {line[0]}" if line[0] else f"udp {line[1]}" if line[1] else "" for line in wanted]
    c = index.columns
    for i, line in enumerate(wanted):
        if c.kind[i] == 1:
            assert [str(column[i]) for column in (c.sport, c.seq, c.ack, c.win, c.plen)] == [line[2], *line[4:8]]
        elif c.kind[i] == 2:
            assert [str(c.sport[i]), str(c.plen[i] + 8)] == [line[3], line[8]]
    source.close()
