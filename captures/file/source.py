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
from captures.file.scan import WINDOW, Records
from protocols.engine.printable import printable


class Comments(Mapping[int, str]):
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

    def __getitem__(self, packet: int) -> str:
        """The comments of the packet, a line each."""
        first = bisect_left(self.packets, packet)
        if first == len(self.packets) or self.packets[first] != packet:
            raise KeyError(packet)
        lines = []
        for k in range(first, bisect_left(self.packets, packet + 1)):
            lines += comment_lines(self.buffer[self.starts[k] : self.starts[k] + self.lengths[k]])
        return "\n".join(lines)

    def __iter__(self) -> Iterator[int]:
        return iter(dict.fromkeys(self.packets))

    def __len__(self) -> int:
        return len(set(self.packets))


def comment_lines(text: bytes) -> list[str]:
    """A comment as lines without control characters."""
    return [printable(line) for line in text.rstrip(b"\0").decode("utf-8", "replace").splitlines()]


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
        self.file_comments: list[str] = []
        self.position = start           # of the next record
        self.count = 0                  # packets handed out
        self.longer = 0                 # packets with more bytes captured than on the wire
        self.first_longer = 0
        self.ended = False

    @abstractmethod
    def _windows(self) -> Iterator[Records]:
        """The packets of one window after another; a Records may be of any length. Ends at damage, with a note."""

    def chunks(self) -> Iterator[Records]:
        """All packets in file order, the first few thousand at once. To be read once."""
        behind = 0
        for records in self._windows():
            over = records.cap > records.wire
            if over.any():
                self.first_longer = self.first_longer or self.count + int(over.argmax()) + 1
                self.longer += int(over.sum())
            self.data.ahead(self.position, WINDOW)
            yield from records.split()
            self.count += len(records.off)
            self.data.drop(behind, self.position)
            behind = self.position
        self.data.drop(behind, self.position)
        if self.longer:
            self._note(f"more bytes captured than were on the wire in {self.longer:,} packets, the first of them {self.first_longer:,}")
        if self.data.wrong:
            self._note(self.data.wrong)
        self.ended = True

    def consumed(self) -> int:
        """How far the file was gone through, in proportion to `size`."""
        return self.size if self.ended else int(self.data.share(self.position) * self.size)

    def close(self) -> None:
        """Let go of the file. Arrays over `buffer` stay valid until they are dropped."""
        self.data.close()

    def _note(self, problem: str) -> None:
        self.problems.append(printable(problem))

    def _cut_off(self, packet: int, what: str, length: int, start: int, there: int) -> None:
        self._note(f"cut off in packet {packet:,}: {what} of {length:,} bytes at byte {start:,}, {there:,} there")
