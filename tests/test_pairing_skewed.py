"""Recordings whose directions were captured apart: the same pairs come whatever the order of the directions in the file."""
from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from stand_in import ACK, Ordered, Segment, StandIn, toy

from captures.file.opening import open_source
from captures.index.index import Index
from captures.messages.conversation import Conversation
from captures.stream.pair import tcp_pair
from protocols.decoder import Decoder
from protocols.iggy.decoder import Iggy
from protocols.zookeeper.decoder import ZooKeeper

DATA = Path(__file__).parent / "data"
RECORDINGS: list[tuple[type[Decoder], str]] = [
    (Iggy, "iggy/iggy-raw-0.8.0-pipelined"), (Iggy, "iggy/iggy-rustsdk-0.8.0-groups"), (ZooKeeper, "zookeeper/zookeeper-kazoo-3.9-recipes"),
    (ZooKeeper, "zookeeper/zookeeper-raw-3.9"),
]
ETHERNET, SYN = 14, 2
Record = tuple[bytes, bytes]


def records(name: str) -> tuple[bytes, list[Record]]:
    """The file header and the packets, each with its own header."""
    data = gzip.decompress((DATA / f"{name}.pcap.gz").read_bytes())
    found, at = [], 24
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        found.append((data[at:at + 16], data[at + 16:at + 16 + size]))
        at += 16 + size
    return data[:24], found


def from_server(packet: bytes) -> bool:
    """Whether the smaller port sent a TCP packet over IPv4."""
    at = ETHERNET + (packet[ETHERNET] & 15) * 4
    source, destination = struct.unpack_from(">HH", packet, at)
    return source < destination


def opens(packet: bytes) -> bool:
    return bool(packet[ETHERNET + (packet[ETHERNET] & 15) * 4 + 13] & SYN)


def pairs(path: Path, decoder: type[Decoder]) -> set[tuple[int, int, int]]:
    """(port and stream offset of a request, stream offset of its response) of all streams."""
    index = Index(open_source(path))
    index.run()
    found = set()
    for stream in range(len(index.tcp)):
        one = Conversation(tcp_pair(index, stream), [decoder()])
        for pdu in one.messages:
            if pdu.from_client and pdu.peer is not None:
                found.add((max(one.pair.ports), pdu.start, pdu.peer.start))
    return found


ORDERS: dict[str, Callable[[int, bool], tuple[int, int]]] = {
    "answers first": lambda at, server: (not server, at), "requests first": lambda at, server: (server, at),
    "answers early": lambda at, server: (at - 40 * server, at),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("decoder", "name"), RECORDINGS, ids=[name for _, name in RECORDINGS])
def test_the_order_of_the_directions_changes_no_pair(decoder: type[Decoder], name: str, order: str, tmp_path: Path) -> None:
    head, found = records(name)
    (tmp_path / "as-recorded.pcap").write_bytes(head + b"".join(a + b for a, b in found))
    wanted = pairs(tmp_path / "as-recorded.pcap", decoder)
    assert len(wanted) > 50
    openings = [one for one in found if opens(one[1])]
    rest = [one for one in found if not opens(one[1])]
    ordered = [one for _, one in sorted(enumerate(rest), key=lambda each: ORDERS[order](each[0], from_server(each[1][1])))]
    (tmp_path / "apart.pcap").write_bytes(head + b"".join(a + b for a, b in openings + ordered))
    assert pairs(tmp_path / "apart.pcap", decoder) == wanted


def test_a_response_takes_no_request_that_it_cannot_acknowledge() -> None:
    """The first answer is to a request that was not captured; by its place in the file it would take the first request."""
    asked, answer = toy(1, 5), toy(2, 5)
    lost = 1001 + len(asked)
    segments = [Segment(0, 1000, flags=2), Segment(1, 5000, flags=2 | ACK, ack=1001), Segment(0, lost, asked, ack=5001), Segment(1, 5001, answer, ack=lost),
                Segment(1, 5001 + len(answer), answer, ack=lost + len(asked))]
    one = Conversation(tcp_pair(StandIn(segments), 0), [Ordered()])  # type: ignore[arg-type]
    assert [pdu.peer.row if pdu.peer is not None else None for pdu in one.messages] == [2, None, 0]
