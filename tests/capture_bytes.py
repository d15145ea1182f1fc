"""Capture files written by the formats' own rules, for the tests of the readers."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import pack

import numpy as np

from captures.file.opening import Records, Source, open_source


@dataclass(frozen=True)
class Sent:
    """A packet to be written: time in the file's own units, captured bytes, length on the wire (that of the bytes unless given)."""

    time: int
    data: bytes
    wire: int = -1
    interface: int = 0

    @property
    def length(self) -> int:
        return len(self.data) if self.wire < 0 else self.wire


def pcap(packets: Sequence[Sent], order: str = "<", magic: int = 0xA1B2C3D4, version: tuple[int, int] = (2, 4), link: int = 1, snaplen: int = 65_535) -> bytes:
    """A pcap file; times in micro- or, by the magic, nanoseconds."""
    units = 10**9 if magic == 0xA1B23C4D else 10**6
    out = [pack(order + "IHHiIII", magic, *version, 0, 0, snaplen, link)]
    for packet in packets:
        lengths = (packet.length, len(packet.data)) if version < (2, 3) else (len(packet.data), packet.length)
        out.append(pack(order + "IIII", *divmod(packet.time, units), *lengths))
        if magic == 0xA1B2CD34:
            out.append(pack(order + "IHBB", 7, 8, 0, 0))
        out.append(packet.data)
    return b"".join(out)


def padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) & 3)


def options(items: Sequence[tuple[int, bytes]], order: str) -> bytes:
    """An option list with its end, or nothing."""
    return b"".join(pack(order + "HH", code, len(value)) + padded(value) for code, value in items) + bytes(4) if items else b""


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body = padded(body)
    length = pack(order + "I", 12 + len(body))
    return pack(order + "I", kind) + length + body + length


def section(order: str = "<", version: tuple[int, int] = (1, 0), items: Sequence[tuple[int, bytes]] = ()) -> bytes:
    return block(0x0A0D0D0A, pack(order + "IHHq", 0x1A2B3C4D, *version, -1) + options(items, order), order)


def interface(order: str = "<", link: int = 1, snaplen: int = 0, items: Sequence[tuple[int, bytes]] = ()) -> bytes:
    return block(1, pack(order + "HHI", link, 0, snaplen) + options(items, order), order)


def enhanced(packet: Sent, order: str = "<", items: Sequence[tuple[int, bytes]] = ()) -> bytes:
    head = pack(order + "IIIII", packet.interface, packet.time >> 32, packet.time & 0xFFFFFFFF, len(packet.data), packet.length)
    return block(6, head + padded(packet.data) + options(items, order), order)


def old(packet: Sent, order: str = "<", items: Sequence[tuple[int, bytes]] = ()) -> bytes:
    """The obsolete Packet Block."""
    head = pack(order + "HHIIII", packet.interface, 0xFFFF, packet.time >> 32, packet.time & 0xFFFFFFFF, len(packet.data), packet.length)
    return block(2, head + padded(packet.data) + options(items, order), order)


def simple(packet: Sent, order: str = "<") -> bytes:
    return block(3, pack(order + "I", packet.length) + packet.data, order)


@dataclass(frozen=True)
class Got:
    """A packet as read. `time` in nanoseconds since 1970."""

    time: int
    data: bytes
    wire: int
    interface: int


def packets_of(source: Source, chunks: Sequence[Records]) -> list[Got]:
    """All packets with their bytes."""
    view = memoryview(source.buffer)
    found = []
    for records in chunks:
        columns = records.off.tolist(), records.ts.tolist(), records.cap.tolist(), records.wire.tolist(), records.iface.tolist()
        found += [Got(ts, bytes(view[off : off + cap]), wire, iface) for off, ts, cap, wire, iface in zip(*columns, strict=True)]
    view.release()
    return found


def read(path: Path) -> tuple[list[Got], Source]:
    """Everything in the file at `path`, and the source, still open."""
    source = open_source(path)
    chunks = list(source.chunks())
    assert [records.off.dtype for records in chunks] == [np.uint64] * len(chunks)
    return packets_of(source, chunks), source
