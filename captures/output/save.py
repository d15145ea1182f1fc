"""Saving some packets of a capture as pcapng or pcap, with all that the file says beside them.

pcapng keeps everything (draft-ietf-opsawg-pcapng): from pcapng its blocks are copied as they stand (`copying`), from pcap it is made anew. pcap
(draft-ietf-opsawg-pcap) holds one link type, the bytes and the times from 1970 to 2106; what else there was is told. The file appears under its name when it
is complete.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from struct import pack

import numpy as np

from captures.capture import Capture
from captures.file.atomic import replacing
from captures.file.clock import NO_TIME
from captures.file.errors import CaptureError
from captures.file.interface import Interface
from captures.file.pcap import FCS_SHIFT, FCS_THERE, MODIFIED_HEADER, PcapSource
from captures.file.pcapng import PcapngSource
from captures.file.source import Source
from captures.index.columns import PacketKind
from captures.messages.conversation import Conversation, MessageRow
from captures.output.copying import copied_blocks, copied_records
from protocols.engine.fields import printable
from protocols.lower.facts import PacketOptions

__all__ = ["save_packets", "with_streams"]

INTERFACE_RESOLUTION, FCS_LENGTH = 9, 13
NANOSECONDS = b"\x09"
LATEST = 2**32 * 10**9
"""The first nanosecond that pcap cannot tell, in the year 2106."""
PIECE = 1 << 20
SYN, ACK = 0x02, 0x10


def save_packets(capture: Capture, packets: Iterable[int], path: Path, streams: bool = False, tell: Callable[[str], None] | None = None) -> int:
    """Save packets (indices) as `path`, which ends in .pcapng or .pcap; how many were saved. `streams` adds what `with_streams` says. `tell` is called, when
    the file is complete, with a line about what it could not keep, if there is anything. Raises CaptureError, one line, and OSError."""
    shown = printable(str(path))
    chosen = sorted(set(packets))
    if path.suffix.lower() not in (".pcapng", ".pcap"):
        raise CaptureError(f"{shown}: a capture is saved as .pcapng or .pcap")
    if path.exists() and capture.path.exists() and path.samefile(capture.path):
        raise CaptureError(f"{shown}: this is the capture that is being read")
    if streams:
        chosen = with_streams(capture, chosen)
    lost: Counter[str] = Counter()
    pieces = _pcapng(capture, chosen, lost) if path.suffix.lower() == ".pcapng" else _pcap(capture, chosen, shown, lost)
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
    if lost and tell is not None:
        tell(f"not kept: {', '.join(f'{what} ({count:,})' for what, count in lost.items())}")
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


def _pcapng(capture: Capture, packets: Sequence[int], lost: Counter[str]) -> Iterator[bytes]:
    source, columns = capture.source, capture.columns
    if isinstance(source, PcapngSource):
        yield from copied_blocks(source, columns, packets, lost)
        return
    assert isinstance(source, PcapSource)
    if source.variant.header == MODIFIED_HEADER and packets:
        lost["packets' interface, protocol and kind, as the modified format has them"] = len(packets)
    fine = source.variant.fraction == 10**9
    yield _block(0x0A0D0D0A, pack("<IHHq", 0x1A2B3C4D, 1, 0, -1), b"")
    for interface in source.interfaces:
        options = _option(INTERFACE_RESOLUTION, NANOSECONDS) if fine else b""
        if interface.fcs is not None:
            options += _option(FCS_LENGTH, bytes([interface.fcs]))
        yield _block(1, pack("<HHI", interface.link, 0, interface.snaplen), options)
    for i in packets:
        data, ticks = capture.index.frame(i), int(columns.ts[i]) // (1 if fine else 1000)
        yield _block(6, pack("<IIIII", int(columns.iface[i]), ticks >> 32, ticks & 0xFFFFFFFF, len(data), int(columns.wire[i])) + data, b"")


def _option(code: int, value: bytes) -> bytes:
    return pack("<HH", code, len(value)) + value + bytes(-len(value) & 3)


def _block(kind: int, body: bytes, options: bytes) -> bytes:
    body += bytes(-len(body) & 3) + (options + bytes(4) if options else b"")
    length = pack("<I", 12 + len(body))
    return pack("<I", kind) + length + body + length


# pcap


def _pcap(capture: Capture, packets: Sequence[int], shown: str, lost: Counter[str]) -> Iterator[bytes]:
    """Pieces of a pcap file; times in nanoseconds where microseconds would lose something. Raises CaptureError at once for packets of several link types."""
    columns, source = capture.columns, capture.source
    if isinstance(source, PcapSource):
        return copied_records(source, columns, packets)
    chosen = np.array(packets, np.int64)
    used = [source.interfaces[number] for number in np.unique(columns.iface[chosen]).tolist()] or source.interfaces[:1] or [Interface(1)]
    if len(links := {one.link for one in used}) > 1:
        raise CaptureError(f"{shown}: pcap holds one link type, the packets have {len(links)}; save them as .pcapng")
    lengths = {options.fcs or source.interfaces[int(columns.iface[i])].fcs for i in packets if (options := _options_of(capture, i))}
    network = used[0].link
    if len(lengths) == 1 and (fcs := lengths.pop()) is not None and fcs % 2 == 0:
        network |= FCS_THERE | (fcs // 2) << FCS_SHIFT
    lost.update(_lost(capture, source, packets))
    if len(lengths) > 1:
        lost["different FCS lengths"] = len(lengths)
    snaplen = max((one.snaplen for one in source.interfaces), default=0) or 262_144
    ts = columns.ts[chosen]
    untold = (ts < 0) | (ts >= LATEST)
    told = (("packets without a time, which pcap cannot say, written as of 1970", ts == NO_TIME),
            ("times before 1970 or after 2106, written as of 1970", untold & (ts != NO_TIME)))
    lost.update({what: int(which.sum()) for what, which in told if which.any()})
    unit = 1 if (ts[~untold] % 1000).any() else 1000
    return _pcap_pieces(capture, packets, np.where(untold, 0, ts).tolist(), network, snaplen, unit)


def _pcap_pieces(capture: Capture, packets: Sequence[int], times: list[int], network: int, snaplen: int, unit: int) -> Iterator[bytes]:
    yield pack("<IHHiIII", 0xA1B23C4D if unit == 1 else 0xA1B2C3D4, 2, 4, 0, 0, snaplen, network)
    for i, time in zip(packets, times, strict=True):
        data = capture.index.frame(i)
        whole, part = divmod(time, 10**9)
        yield pack("<IIII", whole, part // unit, len(data), int(capture.columns.wire[i])) + data


def _options_of(capture: Capture, packet: int) -> PacketOptions:
    columns = capture.columns
    return capture.source.packet_options(packet, int(columns.off[packet]), int(columns.cap[packet]), int(columns.iface[packet]))


def _lost(capture: Capture, source: Source, packets: Sequence[int]) -> Counter[str]:
    """What a pcapng file says beside the bytes and times of these packets, in pieces."""
    told = source.metadata
    lost: Counter[str] = Counter()
    for options in (_options_of(capture, i) for i in packets):
        lost["packet comments"] += len(options.comments)
        lost["other options of packets"] += sum(getattr(options, name) is not None for name in ("flags", "dropped", "queue", "identifier", "process", "owner"))
        lost["other options of packets"] += len(options.verdicts)
    lost["words on hardware, system and application"] = sum(bool(word) for about in told.about for word in about)
    lost["capture comments"] = len(told.comments)
    lost["interfaces' names and descriptions"] = sum(any(one[2:3] + one[6:10]) for one in source.interfaces)
    lost["interface statistics"] = len(told.statistics)
    lost["resolved names"] = sum(map(len, told.names.values()))
    lost["decryption secrets"] = told.secrets
    lost["processes"] = len(told.processes)
    lost["other blocks"] = told.others
    return +lost
