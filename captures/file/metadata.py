"""What a pcapng file says beside its packets: of sections, interfaces, names, counts, processes, secrets, and of single packets.

Blocks are read as the packets are found, one by one, for there are few; a packet's own options are read when somebody asks for them.
Format: draft-ietf-opsawg-pcapng; process blocks and the options that name them are Apple's (Darwin, as tcpdump of macOS writes them).
"""
from __future__ import annotations

from mmap import mmap
from typing import NamedTuple

from captures.file.clock import MICROSECONDS
from captures.file.interface import Interface, Statistics
from captures.file.options import COMMENT, number, options, text, text_lines
from captures.file.scan import reader
from protocols.lower.facts import NO_OPTIONS, PacketOptions, Process

__all__ = ["About", "Metadata", "interface", "packet_options"]

MOST_TOLD = 1000
"""Sections' own words and comments that are kept at most."""
MOST_NAMES = 100_000
MOST_PROCESSES = 1_000_000

HARDWARE, SYSTEM, APPLICATION = 2, 3, 4
INTERFACE_NAME, DESCRIPTION, RESOLUTION, FILTER, INTERFACE_SYSTEM, FCS_LENGTH, OFFSET, INTERFACE_HARDWARE = 2, 3, 9, 11, 12, 13, 14, 15
FLAGS, DROPPED, IDENTIFIER, QUEUE, VERDICT, PROCESS, OWNER = 2, 4, 5, 6, 7, 0x8001, 0x8003
NUMBERED_VERDICTS = (1, 2)      # of eBPF
COUNTS = {4: "received", 5: "dropped", 6: "accepted", 7: "dropped_by_system", 8: "delivered"}
PROCESS_NAME, PROCESS_PATH = 2, 3


class About(NamedTuple):
    """What a section says of the computer and the program that recorded it."""

    hardware: str = ""
    system: str = ""
    application: str = ""


class Metadata:
    """What a file says beside its packets; grows while the file is read, and is empty for pcap."""

    def __init__(self) -> None:
        self.sections = 0
        self.about: list[About] = []
        self.comments: list[str] = []
        self.names: dict[bytes, list[str]] = {}
        """Names of IPv4 and IPv6 addresses (4 or 16 bytes), as Name Resolution Blocks tell them."""
        self.statistics: dict[int, Statistics] = {}
        """The last counts of an interface, by its index in the source's list."""
        self.secrets = 0
        """Decryption Secrets Blocks."""
        self.others = 0
        """Blocks of kinds that are not read here: custom blocks, journal entries."""
        self.processes: list[Process] = []
        self._first_process: dict[int, int] = {}
        self._section_of: list[int] = []

    @property
    def dropped(self) -> int | None:
        """Packets that all interfaces lost together; None where nobody counted."""
        counts = [count for one in self.statistics.values() for count in (one.dropped, one.dropped_by_system) if count is not None]
        return sum(counts) if counts else None

    def section(self, buffer: mmap, start: int, end: int, order: str) -> None:
        """The options of a section header, which lie in [start, end)."""
        self.sections += 1
        if end - start < 4:
            return
        found = {code: buffer[at : at + length] for code, at, length in options(buffer, start, end, order) if code != COMMENT}
        about = About(*(text(found.get(code, b"")) for code in (HARDWARE, SYSTEM, APPLICATION)))
        if any(about) and len(self.about) < MOST_TOLD and about not in self.about[-1:]:
            self.about.append(about)
        for code, at, length in options(buffer, start, end, order):
            if code == COMMENT and len(self.comments) < MOST_TOLD:
                self.comments.append("\n".join(text_lines(buffer[at : at + length])))

    def resolution(self, buffer: mmap, start: int, end: int, order: str) -> None:
        """The records of a Name Resolution Block in [start, end): IPv4 (1) or IPv6 (2) address, then names, each with a zero behind."""
        for kind, at, length in options(buffer, start, end, order):
            width = {1: 4, 2: 16}.get(kind, 0)
            if not width or length < width or len(self.names) >= MOST_NAMES:
                continue
            known = self.names.setdefault(buffer[at : at + width], [])
            known += [name for one in buffer[at + width : at + length].split(b"\0") if one and (name := text(one)) not in known]

    def name_of(self, address: bytes) -> str:
        """The first name that the file gives an address, "" for none."""
        names = self.names.get(address)
        return names[0] if names else ""

    def counts(self, buffer: mmap, start: int, end: int, order: str, first_interface: int) -> None:
        """An Interface Statistics Block whose body is [start, end)."""
        if end - start < 12:
            return
        found: dict[str, int | None] = {}
        for code, at, length in options(buffer, start + 12, end, order):
            if code in COUNTS:
                found[COUNTS[code]] = number(buffer[at : at + length], order)
        self.statistics[first_interface + reader(order, "I").unpack_from(buffer, start)[0]] = Statistics(**found)

    def process(self, buffer: mmap, start: int, end: int, order: str) -> None:
        """A process block whose body is [start, end): the PID, then options."""
        if end - start < 4 or len(self.processes) >= MOST_PROCESSES:
            return
        self._first_process.setdefault(self.sections, len(self.processes))
        self._section_of.append(self.sections)
        found = {code: text(buffer[at : at + length]) for code, at, length in options(buffer, start + 4, end, order)}
        name, path = found.get(PROCESS_NAME, ""), found.get(PROCESS_PATH, "")
        self.processes.append(Process(reader(order, "I").unpack_from(buffer, start)[0], name, path))

    def process_of(self, section: int, place: int | None) -> Process | None:
        """The process that a packet of a section names by its place among the section's."""
        first = self._first_process.get(section)
        at = first + place if first is not None and place is not None else len(self.processes)
        return self.processes[at] if at < len(self.processes) and self._section_of[at] == section else None


class Described(NamedTuple):
    """An interface and its clock: the byte of if_tsresol, and the seconds of if_tsoffset."""

    interface: Interface
    resolution: int = MICROSECONDS
    offset: int = 0


def interface(buffer: mmap, start: int, end: int, order: str, section: int, place: int) -> Described:
    """The Interface Description Block whose body, at least 8 bytes, is [start, end)."""
    link, _, snaplen = reader(order, "HHI").unpack_from(buffer, start)
    words: dict[int, str] = {}
    resolution, offset, fcs = MICROSECONDS, 0, None
    for code, at, length in options(buffer, start + 8, end, order):
        value = buffer[at : at + length]
        if code in (INTERFACE_NAME, DESCRIPTION, INTERFACE_SYSTEM, INTERFACE_HARDWARE):
            words[code] = text(value)
        elif code == FILTER:
            words[code] = text(value[1:]) if value[:1] == b"\0" else f"{max(0, length - 1):,} bytes of BPF code"
        elif code == RESOLUTION and length == 1:
            resolution = value[0]
        elif code == OFFSET and length == 8:
            offset = reader(order, "q").unpack(value)[0]
        elif code == FCS_LENGTH and length == 1:
            fcs = value[0] // 8 if value[0] >= 16 else value[0]     # the draft says bits, its example and Wireshark mean bytes
    get = words.get
    made = Interface(link, snaplen, get(INTERFACE_NAME, ""), True, section, place, get(DESCRIPTION, ""), get(FILTER, ""), get(INTERFACE_SYSTEM, ""),
                     get(INTERFACE_HARDWARE, ""), fcs)
    return Described(made, resolution, offset)


def packet_options(buffer: mmap, start: int, end: int, order: str, metadata: Metadata, section: int) -> PacketOptions:
    """What the options in [start, end) say of a packet of a section; what does not fit its option is left out."""
    if start + 4 > end:
        return NO_OPTIONS
    comments: list[str] = []
    numbers: dict[int, int | None] = {}
    verdicts: list[tuple[int, int | bytes]] = []
    for code, at, length in options(buffer, start, end, order):
        if code == COMMENT:
            if length:
                comments.append("\n".join(text_lines(buffer[at : at + length])))
        elif code == VERDICT and length:
            value = buffer[at + 1 : at + length]
            verdicts.append((buffer[at], reader(order, "q").unpack(value)[0] if buffer[at] in NUMBERED_VERDICTS and length == 9 else value))
        else:
            numbers[code] = number(buffer[at : at + length], order)
    get = numbers.get
    process, owner = (metadata.process_of(section, get(code)) for code in (PROCESS, OWNER))
    return PacketOptions(tuple(comments), get(FLAGS), get(DROPPED), get(QUEUE), get(IDENTIFIER), tuple(verdicts), process, owner)

