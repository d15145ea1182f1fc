"""WebSocket frames for tests: one connection read as the middle floor reads it, and the streams of small captures."""
from __future__ import annotations

from pathlib import Path

import dpkt

from protocols.decoder import Carried, MessageBytes, Side
from protocols.websocket.decoder import WebSocket


class Connection:
    """Frames of both directions with their headers read in order, and what they carry."""

    def __init__(self, hint: str = "", from_start: bool = True) -> None:
        self.decoder = WebSocket()
        self.session = self.decoder.session()
        self.carry = self.decoder.carrier()
        self.hint, self.from_start = hint, from_start
        self.carried: list[tuple[bool, Carried]] = []

    def add(self, data: bytes, client: bool, length: int | None = None) -> MessageBytes:
        side = Side(client, self.from_start, data, b"", False, "http", None, self.hint)
        header = self.decoder.header(data, 0, min(len(data), self.decoder.header_bytes), side, self.session)
        message = MessageBytes(data, 0, len(data), len(data) if length is None else length, header, client)
        self.carried += [(client, one) for one in self.carry(message)]
        return message

    def client(self, text: str) -> MessageBytes:
        return self.add(bytes.fromhex(text), True)

    def server(self, text: str) -> MessageBytes:
        return self.add(bytes.fromhex(text), False)


def split(data: bytes, client: bool) -> list[bytes]:
    """The frames of one direction; the last may be cut off."""
    decoder, side, out, at = WebSocket(), Side(client, True, data, b""), [], 0
    while at < len(data):
        size = decoder.frame(data[at:], side)
        out.append(data[at:at + size] if isinstance(size, int) else data[at:])
        at += len(out[-1])
    return out


def streams(file: Path, port: int) -> list[tuple[bytes, bytes]]:
    """The bytes of the connections of a server's port, the client's first, in the order of their first packet; only for captures without loss."""
    found: dict[tuple[int, bool], dict[int, bytes]] = {}
    opened: dict[tuple[int, bool], int] = {}
    with file.open("rb") as stream:
        for _, frame in dpkt.pcap.UniversalReader(stream):
            packet = dpkt.ethernet.Ethernet(frame).data
            tcp = getattr(packet, "data", None)
            if not isinstance(tcp, dpkt.tcp.TCP) or port not in (tcp.sport, tcp.dport):
                continue
            client = tcp.dport == port
            key = tcp.sport if client else tcp.dport, client
            if tcp.flags & dpkt.tcp.TH_SYN:
                opened[key] = tcp.seq + 1
                found[key] = {}
            elif tcp.data:
                at = (tcp.seq - opened[key]) & 0xFFFFFFFF
                if len(tcp.data) > len(found[key].get(at, b"")):
                    found[key][at] = bytes(tcp.data)
    out = []
    for number, client in found:
        if client:
            both = []
            for way in (True, False):
                made = bytearray()
                for at, piece in sorted(found.get((number, way), {}).items()):
                    if at <= len(made) < at + len(piece):
                        made[at:] = piece
                both.append(bytes(made))
            out.append((both[0], both[1]))
    return out
