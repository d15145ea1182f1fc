"""DNS messages for tests: datagrams of a capture, and messages as the middle floor hands them over."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dpkt

from protocols.decoder import MessageBytes, Side
from protocols.dns.decoder import DNS


def made(data: bytes, client: bool = True, session: object = None, transport: str = "udp", length: int | None = None) -> MessageBytes:
    """A message with its header read."""
    decoder = DNS()
    side = Side(client, True, data, b"", True, transport)
    header = decoder.header(data, 0, len(data), side, decoder.session() if session is None else session)
    return MessageBytes(data, 0, len(data), len(data) if length is None else length, header, client)


def datagrams(file: Path, port: int = 53) -> Iterator[tuple[int, bool, bytes]]:
    """Frame number, whether it goes to the server, and the payload of each UDP datagram of a port."""
    with file.open("rb") as stream:
        for number, (_, frame) in enumerate(dpkt.pcap.UniversalReader(stream), 1):
            packet = dpkt.ethernet.Ethernet(frame).data
            udp = getattr(packet, "data", None)
            if isinstance(udp, dpkt.udp.UDP) and port in (udp.sport, udp.dport):
                yield number, udp.dport == port, bytes(udp.data)
