"""An open capture file as a source of packet records: what the two formats have in common.

A reader walks windows of the buffer. For each it asks the data to be there, follows the chain of records, turns the record headers
into arrays, hands these out in chunks and lets go of the pages behind.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from mmap import mmap

from captures.file.interface import Interface
from captures.file.mapped import Mapped
from captures.file.metadata import Metadata
from captures.file.options import text_lines
from captures.file.scan import FIRST, WINDOW, Records, joined
from protocols.engine.printable import printable
from protocols.lower.facts import NO_OPTIONS, PacketOptions

GATHERED = 4096
"""Runs of fewer packets are handed out together, unless they lie far apart: a chunk costs as much as some hundred packets."""


class Comments(Mapping[int, tuple[str, ...]]):
    """Packet comments by packet index; kept as places in the file, read when asked for."""

    def __init__(self, buffer: mmap) -> None:
        self.buffer = buffer
        self.packets = array("Q")
        self.starts = array("Q")
        self.lengths = array("Q")

    def add(self, packet: int, start: int, length: int) -> None:
        """A comment of `packet`, which is not before the last one added."""
        self.starts.append(start)
        self.lengths.append(length)
        self.packets.append(packet)     # last, for a reader in another thread

    def __getitem__(self, packet: int) -> tuple[str, ...]:
        """The comments of the packet; each may have several lines."""
        first = bisect_left(self.packets, packet)
        if first == len(self.packets) or self.packets[first] != packet:
            raise KeyError(packet)
        last = bisect_left(self.packets, packet + 1)
        return tuple("\n".join(text_lines(self.buffer[self.starts[k] : self.starts[k] + self.lengths[k]])) for k in range(first, last))

    def __iter__(self) -> Iterator[int]:
        return iter(dict.fromkeys(self.packets))

    def __len__(self) -> int:
        return len(set(self.packets))


class Source(ABC):
    """Packets of one file. `interfaces`, `problems` and comments grow while `chunks` is read."""

    format: str                     # "pcap", "pcap (nanoseconds)", "pcapng", "pcapng (gzip)" ...

    def __init__(self, data: Mapped, start: int) -> None:
        self.data = data
        self.buffer = data.buffer       # offsets of packets lie in this
        self.size = data.size           # bytes of `buffer`; a decompressed capture ends before them
        self.interfaces: list[Interface] = []
        self.problems: list[str] = []
        self.comments = Comments(data.buffer)
        self.metadata = Metadata()
        self.position = start           # of the next record
        self.count = 0                  # packets found
        self.longer = 0                 # packets with more bytes captured than on the wire
        self.first_longer = 0
        self.ended = False

    @abstractmethod
    def _windows(self) -> Iterator[Records]:
        """The packets of one window after another; a Records may be of any length. Ends at damage, with a note."""

    def record_start(self, packet: int, start: int) -> int:
        """Where the record of a packet begins whose first byte lies at `start`."""
        raise NotImplementedError

    def packet_options(self, packet: int, start: int, captured: int, interface: int) -> PacketOptions:
        """What the file says of a packet beside its bytes and times; `start` and `captured` as in the index."""
        return NO_OPTIONS

    def chunks(self) -> Iterator[Records]:
        """All packets in file order, the first few thousand at once. To be read once."""
        behind, held, packets = 0, [], 0
        try:
            for records in self._windows():
                self._look_at(records)
                self.count += len(records.off)
                held.append(records)
                packets += len(records.off)
                if packets >= GATHERED or self.position - behind >= FIRST:
                    gathered, held, packets = joined(held), [], 0
                    self.data.ahead(self.position, WINDOW)
                    yield from gathered.split()
                    self.data.drop(behind, self.position)
                    behind = self.position
        finally:
            if held:    # also what was found before a reader's own mistake
                yield from joined(held).split()
        self.data.drop(behind, self.position)
        self._conclude()
        if self.data.wrong:
            self.note(self.data.wrong)
        self.ended = True

    def _look_at(self, records: Records) -> None:
        """Count what is odd in packets just found."""
        over = records.cap > records.wire
        if over.any():
            self.first_longer = self.first_longer or self.count + int(over.argmax()) + 1
            self.longer += int(over.sum())

    def _conclude(self) -> None:
        """Note at the end what was counted."""
        if self.longer:
            self.note(f"more bytes captured than were on the wire in {self.longer:,} packets, the first of them {self.first_longer:,}")

    def consumed(self) -> int:
        """How far the file was gone through, in proportion to `size`."""
        return self.size if self.ended else int(self.data.share(self.position) * self.size)

    def close(self) -> None:
        """Let go of the file. Arrays over `buffer` stay valid until they are dropped."""
        self.data.close()

    def note(self, problem: str) -> None:
        """Add a problem, one line."""
        self.problems.append(printable(problem))

    def _cut_off(self, packet: int, what: str, length: int, start: int, there: int) -> None:
        self.note(f"cut off in packet {packet:,}: {what} of {length:,} bytes at byte {start:,}, {there:,} there")
