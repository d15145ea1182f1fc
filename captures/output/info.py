"""What capinfos tells of a capture (`--info`), from the index alone: no packet is dissected, and no decoder is loaded.

Labels and units are those of `capinfos -M`; times are in UTC.
"""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from captures.file.clock import NO_TIME
from captures.file.interface import Interface, Statistics
from captures.file.opening import Source, open_source
from captures.index.index import Index
from protocols.engine.fields import absolute_time, seconds
from protocols.engine.printable import printable

__all__ = ["info_lines", "open_index"]

LINKS = {
    0: "NULL/Loopback", 1: "Ethernet", 6: "Token Ring", 8: "SLIP", 9: "PPP", 10: "FDDI", 12: "Raw IP", 14: "Raw IP", 101: "Raw IP",
    105: "IEEE 802.11 Wireless LAN", 108: "OpenBSD Loopback", 113: "Linux cooked-mode capture v1", 127: "IEEE 802.11 plus radiotap radio header",
    147: "USER 0", 187: "Bluetooth H4", 189: "USB packets with Linux header", 195: "IEEE 802.15.4 Wireless PAN",
    220: "USB packets with Linux header and padding", 227: "SocketCAN", 228: "Raw IPv4", 229: "Raw IPv6", 239: "NFLOG", 253: "Linux Netlink",
    276: "Linux cooked-mode capture v2",
}
"""Link type (DLT) -> Wireshark's words for it (tcpdump.org, Link-layer header types)."""


ABOUT = ("Capture hardware", "Capture oper-sys", "Capture application")
COUNTS = ("Packets received", "Packets dropped by the interface", "Packets accepted by the filter", "Packets dropped by the system", "Packets delivered")


def open_index(path: Path) -> Index:
    """The capture, indexed to its end. Raises CaptureError."""
    index = Index(open_source(path))
    index.run(None)
    return index


def info_lines(path: Path, index: Index) -> Iterator[str]:
    """A line a fact."""
    source, c, count = index.source, index.columns, index.columns.count
    yield _line("File name", printable(str(path)))
    yield _line("File type", source.format)
    yield from _encapsulation(index, source)
    yield _line("Number of packets", count)
    yield _line("File size", f"{path.stat().st_size} bytes")
    data = int(c.wire[:count].sum(dtype=np.uint64))
    yield _line("Data size", f"{data} bytes")
    timed = c.ts[:count] != NO_TIME
    ts = c.ts[:count][timed]
    if len(ts):
        yield from _times(ts, data if len(ts) == count else int(c.wire[:count][timed].sum(dtype=np.uint64)))
    yield _line("Average packet size", f"{data / count if count else 0:.2f} bytes")
    yield _line("Strict time order", False if (ts[1:] < ts[:-1]).any() else True if len(ts) == count else "Unknown")
    if len(ts) < count:
        yield _line("Packets without a time", count - len(ts))
    yield _line("Number of streams", f"{len(index.tcp)} TCP, {len(index.udp)} UDP")
    yield from _recorded(source)
    yield f"Number of interfaces in file: {len(source.interfaces)}\n"
    packets = np.bincount(c.iface[:count], minlength=len(source.interfaces)).tolist()
    for number, (interface, seen) in enumerate(zip(source.interfaces, packets, strict=False)):
        yield f"Interface #{number} info:\n"
        yield from _interface(interface, source.metadata.statistics.get(number), seen)


def _recorded(source: Source) -> Iterator[str]:
    """What the file says of how it was recorded, and what it holds beside packets."""
    told = source.metadata
    for about in told.about:
        yield from (_line(label, value) for label, value in zip(ABOUT, about, strict=True) if value)
    for comment in told.comments:
        yield _line("Capture comment", comment)
    if len(source.comments):
        yield _line("Packet comments", len(source.comments))
    if told.dropped is not None:
        yield _line("Packets dropped", told.dropped)
    for width, title in ((4, "IPv4"), (16, "IPv6")):
        names = sum(len(address) == width for address in told.names)
        if names:
            yield _line(f"Number of resolved {title} addresses in file", names)
    if told.secrets:
        yield _line("Number of decryption secrets in file", told.secrets)
    if told.processes:
        yield _line("Number of processes in file", len(told.processes))
    if told.sections > 1:
        yield _line("Number of sections in file", told.sections)


def _interface(one: Interface, counted: Statistics | None, seen: int) -> Iterator[str]:
    words = [("Name", one.name), ("Description", one.description)]
    words += [("Encapsulation", _link(one.link)), ("Capture length", str(one.snaplen or "unlimited")), ("Filter string", one.filter)]
    words += [("Operating system", one.system), ("Hardware", one.hardware)]
    words += [("FCS length", "" if one.fcs is None else f"{one.fcs} bytes")]
    yield from (_inner(label, value) for label, value in words if value)
    yield _inner("Number of packets", seen)
    for label, count in zip(COUNTS, counted or (), strict=False):
        if count is not None:
            yield _inner(label, count)


def _encapsulation(index: Index, source: Source) -> Iterator[str]:
    links = list(dict.fromkeys(one.link for one in source.interfaces))
    yield _line("File encapsulation", "Per packet" if len(links) > 1 else _link(links[0]) if links else "Unknown")
    limits = sorted({one.snaplen for one in source.interfaces if one.snaplen})
    yield _line("Packet size limit", f"file hdr: {limits[-1]} bytes" if limits else "file hdr: (not set)")
    count = index.columns.count
    cut = index.columns.cap[:count][index.columns.cap[:count] < index.columns.wire[:count]]
    if len(cut):
        low, high = int(cut.min()), int(cut.max())
        yield _line("Packet size limit", f"inferred: {low} bytes" + (f" - {high} bytes (range)" if high > low else ""))


def _times(ts: np.ndarray[tuple[int], np.dtype[np.int64]], data: int) -> Iterator[str]:
    first, last = int(ts.min()), int(ts.max())
    digits = 9 if first % 1000 or last % 1000 else 6
    duration = (last - first) / 1e9
    yield _line("Capture duration", f"{seconds(last - first, digits)} seconds")
    yield _line("First packet time", absolute_time(first, digits))
    yield _line("Last packet time", absolute_time(last, digits))
    if duration > 0:
        yield _line("Data byte rate", f"{data / duration:.2f} bytes/sec")
        yield _line("Data bit rate", f"{data * 8 / duration:.2f} bits/sec")
        yield _line("Average packet rate", f"{len(ts) / duration:.2f} packets/sec")


def _link(link: int) -> str:
    return LINKS.get(link, f"link type {link}")


def _line(label: str, value: object) -> str:
    return f"{label + ':':<20} {value}\n"


def _inner(label: str, value: object) -> str:
    return f"{'':20} {label} = {value}\n"
