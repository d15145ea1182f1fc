"""pcap files: a 24-byte header, then packets, each behind a 16-byte header with time, captured and original length.

Format: draft-ietf-opsawg-pcap (PCAP Capture File Format), both byte orders, micro- and nanoseconds; also the "modified" format of
Kuznetzov's libpcap, whose packet headers have 8 more bytes, and versions before 2.3, whose two lengths stand in the other order.
"""
from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from captures.file.errors import CaptureError
from captures.file.interface import Interface
from captures.file.mapped import Mapped
from captures.file.scan import FIRST, LARGEST_RECORD, WINDOW, Chain, Records, reader, rows
from captures.file.source import Source

MICROSECONDS = 0xA1B2C3D4
NANOSECONDS = 0xA1B23C4D
MODIFIED = 0xA1B2CD34
FILE_HEADER = 24
MODIFIED_HEADER = 24            # of a packet in the modified format
LINK_TYPE = 0xFFFF              # above it lie ten reserved bits, the bit that says that a frame check sequence is there, and four for its 16-bit words
FCS_THERE, FCS_SHIFT = 0x04000000, 28
USUAL = 262_144                 # no usual packet is longer: the evidence for a guessed start
APART = 1 << 17                 # seconds between neighbours, likewise
HALVES = 4                      # values of the upper half of the seconds that are searched for: three days on


class Variant(NamedTuple):
    """What tells the kinds of pcap file apart."""

    order: str                  # "<" or ">"
    fraction: int               # units of a second in the second word
    header: int                 # bytes before a packet
    swapped: bool               # original length before captured length
    title: str


def variant(head: bytes) -> Variant | None:
    """What the first eight bytes say; None when they are not a pcap file's."""
    for order in "<>":
        magic, major, minor = reader(order, "IHH").unpack_from(head.ljust(8, b"\0"))
        if magic in (MICROSECONDS, NANOSECONDS, MODIFIED):
            if len(head) == 8 and (major < 2 or (major > 2 and (major, minor) != (543, 0))):
                raise CaptureError(f"pcap version {major}.{minor} is not known")
            swapped = (major, minor) < (2, 3) or major == 543
            title = {MICROSECONDS: "pcap", NANOSECONDS: "pcap (nanoseconds)", MODIFIED: "pcap (modified)"}[magic]
            return Variant(order, 10**9 if magic == NANOSECONDS else 10**6, MODIFIED_HEADER if magic == MODIFIED else 16, swapped, title)
    return None


class PcapChain(Chain):
    """Packets by their captured length; starts are guessed from the upper half of the seconds, which neighbours share."""

    least = 16

    def __init__(self, buffer: mmap, kind: Variant) -> None:
        self.header = kind.header
        super().__init__(buffer, kind.order, 12 if kind.swapped else 8, kind.header)
        self.kind = kind
        self.words = reader(kind.order, "IIII")
        self.half = reader(kind.order, "H")
        self.half_at = 2 if kind.order == "<" else 0
        self.seconds = 0

    def plain(self, start: int, end: int) -> tuple[NDArray[np.int64], int]:
        length = reader(self.kind.order, "I").unpack_from
        buffer, at, extra = self.buffer, self.length_at, self.extra
        found = []
        while start < end:
            found.append(start)
            start += length(buffer, start + at)[0] + extra
        return np.array(found, np.int64), start

    def starts(self, start: int, end: int) -> NDArray[np.int64] | None:
        self.seconds = self.words.unpack_from(self.buffer, start)[0]
        return super().starts(start, end)

    def patterns(self) -> list[tuple[bytes, int]]:
        upper = self.seconds >> 16
        return [(self.half.pack(half & 0xFFFF), self.half_at) for half in range(upper, upper + HALVES)]

    def likely(self, place: int, end: int) -> bool:
        """Four records in a row that look like packets, or as many as there are before `end`; the seconds of the first are searched for from then on."""
        seconds: list[int] = []
        while place < end and len(seconds) < 4:
            second, fraction, cap, wire = self.words.unpack_from(self.buffer, place)
            if self.kind.swapped:
                cap, wire = wire, cap
            if fraction >= self.kind.fraction or cap > wire or wire > USUAL or (seconds and abs(second - seconds[-1]) > APART):
                return False
            seconds.append(second)
            place += cap + self.extra
        if len(seconds) < 4 and place != end:
            return False
        self.seconds = seconds[0]
        return True


class PcapSource(Source):
    """A pcap file: one interface."""

    def __init__(self, data: Mapped, kind: str) -> None:
        """Raises CaptureError where there is no whole file header."""
        there = data.fill(FILE_HEADER)
        found = variant(data.buffer[:8])
        assert found is not None
        if there < FILE_HEADER:
            raise CaptureError(f"a pcap file cut off in its header: {there} of {FILE_HEADER} bytes")
        super().__init__(data, FILE_HEADER)
        self.variant = found
        self.format = f"{found.title} ({kind})" if kind else found.title
        _, _, snaplen, link = reader(found.order, "iIII").unpack_from(data.buffer, 8)
        fcs = (link >> FCS_SHIFT) * 2 if link & FCS_THERE else None
        self.interfaces.append(Interface(link & LINK_TYPE, snaplen, fcs=fcs))

    def record_start(self, packet: int, start: int) -> int:
        return start - self.variant.header

    def _windows(self) -> Iterator[Records]:
        kind, chain = self.variant, PcapChain(self.buffer, self.variant)
        length = FIRST
        while True:
            there = self.data.fill(self.position + length)
            end = min(there - chain.header + 1, self.position + length)
            if self.position >= end:
                break
            off, after = chain.window(self.position, end)
            whole = after
            if after > there:
                last = int(off[-1])
                size = after - last - kind.header
                there = self.data.fill(after) if size <= LARGEST_RECORD else there
                if after > there:
                    self._damage(len(off), last, size, there)
                    off, whole = off[:-1], last
            self.position = whole
            if len(off):
                yield self._records(off)
            if whole < after:
                return
            length = WINDOW
        if self.position < there:
            self._cut_off(self.count + 1, "a header", chain.header, self.position, there - self.position)

    def _damage(self, packets: int, start: int, size: int, there: int) -> None:
        number, record = self.count + packets, size + self.variant.header
        if size > LARGEST_RECORD:
            self.note(f"damaged at packet {number:,}: a packet of {size:,} bytes at byte {start:,}; reading stopped there")
        else:
            self._cut_off(number, "a record", record, start, there - start)

    def _records(self, off: NDArray[np.int64]) -> Records:
        order, fraction = self.variant.order, self.variant.fraction
        names = ["seconds", "fraction", "wire", "cap"] if self.variant.swapped else ["seconds", "fraction", "cap", "wire"]
        row = rows(self.buffer, off, np.dtype([(name, f"{order}u4") for name in names]))
        ts = row["seconds"].astype(np.int64)
        ts *= fraction
        ts += row["fraction"]
        if fraction != 10**9:
            ts *= 10**9 // fraction
        return Records(
            (off + self.variant.header).astype(np.uint64), ts, row["cap"].astype(np.uint32), row["wire"].astype(np.uint32), np.zeros(len(off), np.uint16)
        )
