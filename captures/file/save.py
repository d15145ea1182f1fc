"""Saving some packets of a capture as pcapng or pcap.

pcapng keeps the interfaces, the comments of the file and of the packets, and nanoseconds (draft-ietf-opsawg-pcapng: Section Header, Interface
Description and Enhanced Packet Blocks). pcap (draft-ietf-opsawg-pcap) holds one link type and no comments. The file appears under its name
when it is complete.
"""
from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from struct import pack

import numpy as np

from captures.capture import Capture
from captures.file.atomic import replacing
from captures.file.errors import CaptureError
from captures.index.columns import PacketKind
from captures.messages.conversation import Conversation, MessageRow
from protocols.engine.fields import printable

__all__ = ["save_packets", "with_streams"]

COMMENT, INTERFACE_NAME, INTERFACE_RESOLUTION = 1, 2, 9
NANOSECONDS = b"\x09"
PIECE = 1 << 20
SYN, ACK = 0x02, 0x10


def save_packets(capture: Capture, packets: Iterable[int], path: Path, streams: bool = False) -> int:
    """Save packets (indices) as `path`, which ends in .pcapng or .pcap; how many were saved. `streams` adds what `with_streams` says. Raises CaptureError, one
    line, and OSError."""
    shown = printable(str(path))
    chosen = sorted(set(packets))
    if path.suffix.lower() not in (".pcapng", ".pcap"):
        raise CaptureError(f"{shown}: a capture is saved as .pcapng or .pcap")
    if path.exists() and capture.path.exists() and path.samefile(capture.path):
        raise CaptureError(f"{shown}: this is the capture that is being read")
    if streams:
        chosen = with_streams(capture, chosen)
    pieces = _pcapng(capture, chosen) if path.suffix.lower() == ".pcapng" else _pcap(capture, chosen, shown)
    with replacing(path) as out:
        held: list[bytes] = []
        size = 0
        for piece in pieces:
            held.append(piece)
            size += len(piece)
            if size >= PIECE:
                out.write(b"".join(held))
                held.clear()
                size = 0
        out.write(b"".join(held))
    return len(chosen)


def with_streams(capture: Capture, packets: Sequence[int]) -> list[int]:
    """`packets` with all segments of the messages that lie in them and of those paired with these, the fragments that these came in, and the handshakes
    of their TCP streams."""
    index = capture.index
    columns = index.columns
    found = set(packets)
    opened: set[int] = set()
    for packet in packets:
        conversation = capture.conversation_of(packet)
        if conversation is None:
            continue
        stream = int(columns.sd[packet]) >> 1
        if int(columns.kind[packet]) == PacketKind.TCP and stream not in opened:
            opened.add(stream)
            found.update(_handshake(capture, stream))
        # what an inner layer's messages need lies in messages of the outer ones
        for layer in conversation.layers():
            for pdu in _messages(layer, packet):
                found.update(origin.packet for origin in layer.origins(pdu))
                found.add(pdu.packet)
    for packet in list(found):
        datagram = index.datagrams.get(packet)
        if datagram is not None:
            found.update(piece[0] for piece in datagram.pieces)
    return sorted(found)


def _messages(conversation: Conversation, packet: int) -> Iterator[MessageRow]:
    """The messages that lie in a packet, wholly or in part, each followed by its peer."""
    later = conversation.covering(packet)
    for pdu in (*conversation.of_packet(packet), *((later,) if later is not None else ())):
        yield pdu
        if pdu.peer is not None:
            yield pdu.peer


def _handshake(capture: Capture, stream: int) -> list[int]:
    """The packets that open a TCP stream: the SYNs, and the first packet behind them."""
    index = capture.index
    members = index.packets_of("tcp", stream)
    flags = index.columns.flags[members]
    syns = np.flatnonzero(flags & SYN)
    if not len(syns):
        return []
    after = np.flatnonzero((flags & (SYN | ACK)) == ACK)
    after = after[after > syns[-1]][:1]
    return [int(packet) for packet in members[np.concatenate((syns, after))]]


# pcapng


def _pcapng(capture: Capture, packets: Sequence[int]) -> Iterator[bytes]:
    source, columns = capture.source, capture.columns
    options = b"".join(_option(COMMENT, comment.encode("utf-8", "replace")) for comment in source.metadata.comments)
    yield _block(0x0A0D0D0A, pack("<IHHq", 0x1A2B3C4D, 1, 0, -1), options)
    for interface in source.interfaces:
        options = _option(INTERFACE_NAME, interface.name.encode("utf-8", "replace")) if interface.name else b""
        yield _block(1, pack("<HHI", interface.link, 0, interface.snaplen), options + _option(INTERFACE_RESOLUTION, NANOSECONDS))
    for i in packets:
        data, ts = capture.index.frame(i), max(0, int(columns.ts[i]))
        head = pack("<IIIII", int(columns.iface[i]), ts >> 32, ts & 0xFFFFFFFF, len(data), int(columns.wire[i]))
        yield _block(6, head + data, b"".join(_option(COMMENT, one) for one in _comments(capture, i)))


def _comments(capture: Capture, packet: int) -> Iterator[bytes]:
    """The comments of a packet as they stand in the file."""
    comments = capture.source.comments
    for k in range(bisect_left(comments.packets, packet), bisect_left(comments.packets, packet + 1)):
        yield comments.buffer[comments.starts[k] : comments.starts[k] + comments.lengths[k]]


def _option(code: int, value: bytes) -> bytes:
    value = value[:0xFFFF]
    return pack("<HH", code, len(value)) + value + bytes(-len(value) & 3)


def _block(kind: int, body: bytes, options: bytes) -> bytes:
    body += bytes(-len(body) & 3) + (options + bytes(4) if options else b"")
    length = pack("<I", 12 + len(body))
    return pack("<I", kind) + length + body + length


# pcap


def _pcap(capture: Capture, packets: Sequence[int], shown: str) -> Iterator[bytes]:
    """Pieces of a pcap file; times in nanoseconds where microseconds would lose something. Raises CaptureError at once for packets of several link types."""
    columns, interfaces = capture.columns, capture.interfaces
    chosen = np.array(packets, np.int64)
    links = {interfaces[number].link for number in np.unique(columns.iface[chosen]).tolist()} or {one.link for one in interfaces[:1]} or {1}
    if len(links) > 1:
        raise CaptureError(f"{shown}: pcap holds one link type, the packets have {len(links)}; save them as .pcapng")
    snaplen = max((one.snaplen for one in interfaces), default=0) or 262_144
    unit = 1 if (columns.ts[chosen] % 1000).any() else 1000
    return _pcap_pieces(capture, packets, links.pop(), snaplen, unit)


def _pcap_pieces(capture: Capture, packets: Sequence[int], link: int, snaplen: int, unit: int) -> Iterator[bytes]:
    columns = capture.columns
    yield pack("<IHHiIII", 0xA1B23C4D if unit == 1 else 0xA1B2C3D4, 2, 4, 0, 0, snaplen, link)
    for i in packets:
        data = capture.index.frame(i)
        whole, part = divmod(max(0, int(columns.ts[i])), 10**9)
        yield pack("<IIII", whole & 0xFFFFFFFF, part // unit, len(data), int(columns.wire[i])) + data
