"""pcapng files: sections of blocks, each with its length at both ends.

Format: draft-ietf-opsawg-pcapng (PCAP Next Generation Capture File Format). The chain of blocks is followed for a window at a time, whatever the blocks
are. Blocks that change something (section header, interface description) or tell something are then read one by one, and the packets of the window all at
once, each with the section and the interfaces that hold where it lies: a block before each packet costs no more than itself. A section in the other byte
order begins a new window.
"""
from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from captures.file import blocks, metadata
from captures.file.blocks import BYTE_ORDER, ENHANCED_PACKET, LEAST, OLD_PACKET, SECTION, SIMPLE_PACKET, BlockChain
from captures.file.clock import NO_TIME, nanoseconds
from captures.file.errors import CaptureError
from captures.file.mapped import Mapped
from captures.file.options import COMMENT
from captures.file.scan import FIRST, LARGEST_RECORD, WINDOW, Records, reader, rows
from captures.file.source import Source
from protocols.lower.facts import NO_OPTIONS, PacketOptions

MOST_INTERFACES = 0xFFFF
UNKNOWN_DROPS = 0xFFFF
FEW = 32        # places up to which a loop is faster than an array
TOLD = (SECTION, blocks.INTERFACE, blocks.NAMES, blocks.STATISTICS, blocks.SECRETS, blocks.PROCESS)
"""Blocks that are read one by one."""
UNCOUNTED = {
    blocks.JOURNAL: "systemd journal", blocks.CUSTOM: "custom", blocks.PRIVATE_CUSTOM: "custom", **dict.fromkeys(blocks.SYSDIG_EVENTS, "sysdig"),
}
"""Blocks without a packet that Wireshark numbers as frames."""

Array = NDArray[Any]


class Reach(NamedTuple):
    """What holds for the blocks from place `start` of a window on: the section's first interface, and how many the section has."""

    start: int
    first: int
    known: int


class PcapngSource(Source):
    """A pcapng file. Interfaces are counted through all sections."""

    def __init__(self, data: Mapped, kind: str) -> None:
        """Raises CaptureError unless the first block is a whole section header."""
        data.fill(FIRST)
        super().__init__(data, 0)
        self.format = f"pcapng ({kind})" if kind else "pcapng"
        self.order = "<"
        self.blocks = array("Q", [0])
        """Where each block that is no packet begins."""
        self._first = 0                             # interface of the section
        self._clocks: list[tuple[int, int]] = []    # resolution and offset, of all interfaces
        self._distinct: set[tuple[int, int]] = set()
        self._simple = array("Q")                   # packets that have only bytes and a length
        self._uncounted: dict[str, list[int]] = {}  # by the name of the block: how many, and before which packet the first stands
        self._untold = [0, 0]                       # packets with a time that cannot be kept, and the first of them
        self._damage = ""
        self.position = self._section(0)
        if self._damage:
            raise CaptureError(f"not a readable pcapng file: {self._damage}")

    # windows

    def _windows(self) -> Iterator[Records]:
        chain = BlockChain(self.buffer, self.order)
        length = FIRST
        while not self._damage:
            there = self.data.fill(self.position + length)
            end = min(there - LEAST + 1, self.position + length)
            if self.position >= end:
                if self.position < there:
                    self._cut_off(self.count + 1, "a block header", 8, self.position, there - self.position)
                return
            off, after = chain.window(self.position, end)
            if after > there and after - int(off[-1]) <= LARGEST_RECORD:
                self.data.fill(after)
            yield from self._blocks(off, after)
            length = WINDOW
            if chain.order != self.order:
                chain, length = BlockChain(self.buffer, self.order), FIRST

    def _blocks(self, off: Array, after: int) -> Iterator[Records]:
        """The packets of blocks at `off`; sets `position` behind the last one that was read."""
        before = self.order
        order = np.dtype(f"{before}u4")
        row = rows(self.buffer, off - 4, np.dtype([(name, order) for name in ("before", "type", "length", "iface", "high", "low", "cap", "wire")]))
        ends = np.append(off[1:], after)
        good = self._whole(off, row, after)
        kind = row["type"][:good]
        packet = (kind == ENHANCED_PACKET) | (kind == OLD_PACKET) | (kind == SIMPLE_PACKET)
        reaches = [Reach(0, self._first, len(self.interfaces) - self._first)]
        read, behind = good, int(ends[good - 1]) if good else int(off[0])
        if not packet.all():
            read, behind = self._read_others(off, ends, kind, np.flatnonzero(~packet), reaches, behind)
        which = np.flatnonzero(packet[:read])
        records, bad = self._packets(off, row, which, reaches, before) if len(which) else (None, None)
        if bad is not None:     # it lies before anything else that is wrong
            read, self._damage = bad
            behind = int(off[read])
            last = max(reach.first + reach.known for reach in reaches if reach.start <= read)
            del self.interfaces[last:], self._clocks[last:]
        if not packet.all():
            self._keep_places(off, kind, np.flatnonzero(~packet[: read + (self.order != before)]), packet)
        self.position = behind
        if records is not None:
            yield records
        if self._damage:
            self.note(f"damaged at packet {self.count + 1:,}: {self._damage} at byte {int(off[read]):,}; reading stopped there")
        elif self.order == before and good < len(off):
            self._explain(int(off[good]))

    def _whole(self, off: Array, row: Array, after: int) -> int:
        """How many of the blocks have two equal lengths and lie within the file. A section header ends them when it is in the other byte order: its
        lengths are not to be read in this one."""
        there = self.data.fill(0)
        behind = np.append(row["before"][1:], np.uint32(reader(self.order, "I").unpack_from(self.buffer, after - 4)[0] if after <= there else 0))
        bad = (row["length"] < LEAST) | (row["length"] != behind)
        foreign = (row["type"] == SECTION) & (row["iface"] != BYTE_ORDER)
        if foreign.any():
            first = int(foreign.argmax())
            bad[first] = False
            bad[first + 1 :] = True
        return int(bad.argmax()) if bad.any() else len(off)

    def _explain(self, start: int) -> None:
        """Stop at the block at `start`, whose frame is wrong, and say why."""
        self._damage = "a block"
        there = self.data.fill(0)
        kind, length = reader(self.order, "II").unpack_from(self.buffer, start)
        number = self.count + 1
        if length > LARGEST_RECORD:
            self.note(f"damaged at packet {number:,}: a block of {length:,} bytes at byte {start:,}; reading stopped there")
        elif start + length > there:
            self._cut_off(number, "a block", length, start, there - start)
        else:
            what = f"a block of {length} bytes" if length < LEAST else f"a block of type {kind} whose two lengths differ"
            self.note(f"damaged at packet {number:,}: {what} at byte {start:,}; reading stopped there")

    # blocks that are no packets

    def _read_others(self, off: Array, ends: Array, kind: Array, others: Array, reaches: list[Reach], behind: int) -> tuple[int, int]:
        """Read the blocks of `TOLD`; what changes for packets goes to `reaches`. How many blocks of the window are read then, and where reading goes on:
        less than all before a section in the other byte order, and before one that is damaged."""
        for at in _among(kind, others, TOLD).tolist():
            start, end, order = int(off[at]), int(ends[at]), self.order
            body = start + 8, end - 4, order
            match int(kind[at]):
                case blocks.SECTION:
                    after = self._section(start)
                    if self._damage or self.order != order:
                        return at, after
                    reaches.append(Reach(at + 1, self._first, 0))
                case blocks.INTERFACE:
                    self._interface(start, end)
                    if self._damage:
                        return at, start
                    reaches.append(Reach(at + 1, self._first, len(self.interfaces) - self._first))
                case blocks.NAMES:
                    self.metadata.resolution(self.buffer, *body)
                case blocks.STATISTICS:
                    self.metadata.counts(self.buffer, *body, self._first)
                case blocks.SECRETS:
                    self.metadata.secrets += 1
                case _:
                    self.metadata.process(self.buffer, *body)
        return len(kind), behind

    def _section(self, start: int) -> int:
        """Begin the section at `start`; the end of its header block. Sets `_damage` when it is none."""
        there = self.data.fill(start + 28)
        magic = self.buffer[start + 8 : start + 12]
        order = {0x1A: ">", 0x4D: "<"}.get(magic[0] if there >= start + 28 else 0, "")
        if not order or reader(order, "I").unpack(magic)[0] != BYTE_ORDER:
            self._damage = "a section header without byte order" if there >= start + 28 else "a section header cut off"
            return start
        length, _, major, minor = reader(order, "IIHH").unpack_from(self.buffer, start + 4)
        behind: int = start + ((length + 3) & ~3)
        if length < 28 or length > LARGEST_RECORD or self.data.fill(behind) < behind or reader(order, "I").unpack_from(self.buffer, behind - 4)[0] != length:
            self._damage = f"a section header of {length:,} bytes, cut off or with unequal lengths"
            return start
        if major != 1:
            self._damage = f"a section of pcapng version {major}.{minor}"
            return start
        self.order = order
        self._first = len(self.interfaces)
        self.metadata.section(self.buffer, start + 24, behind - 4, order)
        return behind

    def _interface(self, start: int, end: int) -> None:
        """Add the interface described at `start`; sets `_damage` when it is none."""
        if end - start < 20 or len(self.interfaces) == MOST_INTERFACES:
            self._damage = "an interface description too short" if end - start < 20 else f"more than {MOST_INTERFACES:,} interfaces"
            return
        found = metadata.interface(self.buffer, start + 8, end - 4, self.order, self.metadata.sections, len(self.interfaces) - self._first)
        self.interfaces.append(found.interface)
        self._clocks.append((found.resolution, found.offset))
        self._distinct.add(self._clocks[-1])

    def _keep_places(self, off: Array, kind: Array, others: Array, packet: Array) -> None:
        """Note where these blocks lie, and those that Wireshark would number as frames."""
        self.blocks.frombytes(off[others].astype(np.uint64).tobytes())
        self.metadata.others += len(others) - len(_among(kind, others, TOLD))
        uncounted = _among(kind, others, UNCOUNTED)
        if len(uncounted):
            before = np.cumsum(packet)
            for number in np.unique(kind[uncounted]).tolist():
                where = uncounted[kind[uncounted] == number]
                known = self._uncounted.setdefault(UNCOUNTED[number], [0, self.count + int(before[where[0]]) + 1])
                known[0] += len(where)

    # packets

    def _packets(self, off: Array, row: Array, which: Array, reaches: list[Reach], order: str) -> tuple[Records | None, tuple[int, str] | None]:
        """The packets at the places `which` of a window, up to the first that is damaged; its place, and what is wrong with it."""
        if len(which) < len(off):
            off, row = off[which], row[which]
        kind = row["type"]
        length, cap, wire = row["length"].astype(np.int64), row["cap"].astype(np.uint32), row["wire"].astype(np.uint32)
        iface, ticks, data = row["iface"].astype(np.uint32), row["high"].astype(np.uint64), off + 28
        ticks <<= np.uint64(32)
        ticks |= row["low"]
        body = length - 32
        reach: Array | int = 0
        if len(reaches) > 1:
            reach = np.searchsorted(np.array([one.start for one in reaches]), which, "right") - 1
        known, first = np.array([one.known for one in reaches])[reach], np.array([one.first for one in reaches])[reach]
        simple, old = kind == SIMPLE_PACKET, kind == OLD_PACKET
        if old.any():
            high_half = iface >> np.uint32(16) if order == ">" else iface & np.uint32(0xFFFF)
            iface = np.where(old, high_half, iface)
        if simple.any():
            iface = np.where(simple, np.uint32(0), iface)
            wire = np.where(simple, row["iface"].astype(np.uint32), wire)      # its only word stands where others have the interface
            limits = [self.interfaces[one.first].snaplen if one.known else 0 for one in reaches]
            most = np.array([limit or 0xFFFFFFFF for limit in limits])[reach]
            cap = np.where(simple, np.minimum(np.minimum(wire, most), np.maximum(length - 16, 0)), cap).astype(np.uint32)
            body = np.where(simple, length - 16, body)
            data = np.where(simple, off + 12, data)
        bad = (cap > body) | (iface >= known)
        good = int(bad.argmax()) if bad.any() else len(off)
        damage = None
        if good < len(off):
            named = f"a packet of interface {int(iface[good])}, which is not described,"
            damage = int(which[good]), "a packet longer than its block" if cap[good] > body[good] else named
        if not good:
            return None, damage
        iface = (iface + first)[:good].astype(np.uint16)
        simple, data, cap = simple[:good], data[:good], cap[:good]
        ts = self._times(ticks[:good], iface)
        untold = ts == NO_TIME
        if simple.any():
            ts[simple] = NO_TIME
            untold &= ~simple
            self._simple.frombytes((np.flatnonzero(simple) + self.count).astype(np.uint64).tobytes())
        if untold.any():
            self._untold = [self._untold[0] + int(untold.sum()), self._untold[1] or self.count + int(untold.argmax()) + 1]
        self._find_comments(off[:good], data + ((cap.astype(np.int64) + 3) & ~3), length[:good], simple, order)
        return Records(data.astype(np.uint64), ts, cap, wire[:good], iface), damage

    def _times(self, ticks: Array, iface: Array) -> NDArray[np.int64]:
        """Nanoseconds by the clock of each packet's interface."""
        if len(self._distinct) == 1:
            return nanoseconds(ticks, *next(iter(self._distinct)))
        ts = np.empty(len(ticks), np.int64)
        resolution, offset = (np.array(column, np.int64)[iface] for column in zip(*self._clocks, strict=True))
        for one in np.unique(resolution).tolist():
            those = resolution == one
            ts[those] = nanoseconds(ticks[those], one, offset[those] if offset.any() else 0)
        return ts

    def _find_comments(self, off: Array, options: Array, length: Array, simple: Array, order: str) -> None:
        """Note where the comments of these packets lie: all option lists are followed together, an option a round."""
        end = off + length - 4
        packet = np.flatnonzero((options + 4 < end) & ~simple)
        place, end = options[packet], end[packet]
        head = np.dtype([("code", f"{order}u2"), ("length", f"{order}u2")])
        found: list[tuple[int, int, int]] = []
        while len(packet):
            option = rows(self.buffer, place, head)
            size = option["length"].astype(np.int64)
            live = (option["code"] != 0) & (place + 4 + size <= end)
            comment = live & (option["code"] == COMMENT) & (size > 0)
            found += zip((packet[comment] + self.count).tolist(), (place[comment] + 4).tolist(), size[comment].tolist(), strict=True)
            place = place + 4 + ((size + 3) & ~3)
            live &= place + 4 <= end
            packet, place, end = packet[live], place[live], end[live]
        for comment_of, start, size_of in sorted(found):
            self.comments.add(comment_of, start, size_of)

    # one packet

    def record_start(self, packet: int, start: int) -> int:
        at = bisect_left(self._simple, packet)
        return start - (12 if at < len(self._simple) and self._simple[at] == packet else 28)

    def packet_options(self, packet: int, start: int, captured: int, interface: int) -> PacketOptions:
        block = self.record_start(packet, start)
        if start - block == 12:
            return NO_OPTIONS
        order = "<" if self.buffer[block] else ">"      # the type of a packet's block is less than 256
        behind: int = block + reader(order, "I").unpack_from(self.buffer, block + 4)[0] - 4
        first = start + ((captured + 3) & ~3)
        found = metadata.packet_options(self.buffer, first, behind, order, self.metadata, self.interfaces[interface].section)
        if reader(order, "I").unpack_from(self.buffer, block)[0] == OLD_PACKET and found.dropped is None:
            dropped = reader(order, "H").unpack_from(self.buffer, block + 10)[0]
            return found if dropped == UNKNOWN_DROPS else replace(found, dropped=dropped)
        return found

    def _conclude(self) -> None:
        super()._conclude()
        if self._untold[0]:
            self.note(f"times before 1678 or after 2261 in {self._untold[0]:,} packets, the first of them {self._untold[1]:,}: they are shown without a time")
        for name, (count, first) in self._uncounted.items():
            self.note(f"{count:,} {name} {'block' if count == 1 else 'blocks'} without a packet, the first before packet {first:,}: "
                       "Wireshark numbers these as packets, here they are not counted")


def _among(kind: Array, places: Array, kinds: Collection[int]) -> Array:
    """Those of the places where one of these kinds stands."""
    if len(places) < FEW:
        return np.array([at for at in places.tolist() if int(kind[at]) in kinds], np.int64)
    return places[np.isin(kind[places], list(kinds))]
