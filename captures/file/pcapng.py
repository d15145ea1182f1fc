"""pcapng files: sections of blocks, each with its length at both ends.

Format: draft-ietf-opsawg-pcapng (PCAP Next Generation Capture File Format). The chain of blocks is followed for a window at a time,
whatever the blocks are; runs of packet blocks between two blocks that change something (section header, interface description) are
then read all at once, and blocks of other kinds left out. A section in the other byte order begins a new window.
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
from captures.file.source import Source, comment_lines
from protocols.engine.printable import printable

SECTION, INTERFACE, OLD_PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
BYTE_ORDER = 0x1A2B3C4D
LEAST = 12                      # bytes of a block: type and length before its body, length behind it
COMMENT, INTERFACE_NAME, INTERFACE_RESOLUTION, INTERFACE_OFFSET = 1, 2, 9, 14
MOST_INTERFACES = 0xFFFF
MOST_FILE_COMMENTS = 1000
LATEST = np.iinfo(np.int64).max


class Clock(NamedTuple):
    """How an interface counts time: units of 10**-power seconds (2**-power when `binary`), from `offset` seconds after 1970."""

    power: int = 6
    binary: bool = False
    offset: int = 0

    def nanoseconds(self, ticks: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Nanoseconds since 1970, never beyond what 64 bits hold (the year 2262)."""
        if self.binary:
            high = ticks >> np.uint64(min(self.power, 63)) if self.power < 64 else np.zeros_like(ticks)
            fraction = ticks - (high << np.uint64(self.power)) if self.power < 64 else ticks
            shift = self.power
            if shift > 34:      # 34 bits of a fraction times 30 bits of nanoseconds is what fits
                fraction = fraction >> np.uint64(min(shift - 34, 63))
                shift = 34
            ns = np.minimum(high, np.uint64(LATEST // 10**9 - 1)) * np.uint64(10**9) + ((fraction * np.uint64(10**9)) >> np.uint64(shift))
        elif self.power <= 9:
            scale = 10 ** (9 - self.power)
            ns = ticks if scale == 1 else np.minimum(ticks, np.uint64(LATEST // scale)) * np.uint64(scale)
        else:
            scale = 10 ** (self.power - 9)
            ns = ticks // np.uint64(scale) if scale < 2**64 else np.zeros_like(ticks)
        out = np.minimum(ns, np.uint64(LATEST)).astype(np.int64)
        if self.offset:
            offset = max(-LATEST, min(LATEST, self.offset * 10**9))
            out = np.minimum(out, LATEST - max(offset, 0)) + offset
        return out


class BlockChain(Chain):
    """Blocks by their length, which includes all twelve bytes around the body."""

    header = LEAST
    least = LEAST

    def __init__(self, buffer: mmap, order: str) -> None:
        super().__init__(buffer, order, 4, 0)
        self.order = order
        self.word = reader(order, "I")
        self.pair = reader(order, "II")
        self.pattern = self.word.pack(ENHANCED_PACKET)

    def plain(self, start: int, end: int) -> tuple[NDArray[np.int64], int]:
        """Ends behind a block that is too short to be one."""
        length = self.word.unpack_from
        buffer = self.buffer
        found = []
        while start < end:
            found.append(start)
            step = length(buffer, start + 4)[0]
            if step < LEAST:
                break
            start += (step + 3) & ~3
        return np.array(found, np.int64), start

    def lock_step(self, start: int, end: int) -> tuple[NDArray[np.int64], int] | None:
        found = super().lock_step(start, end)
        if found is None:
            return None
        step = np.diff(found[0], append=found[1])
        return None if (step & 3).any() or (step < LEAST).any() else found

    def starts(self, start: int, end: int) -> NDArray[np.int64] | None:
        kind: int = self.word.unpack_from(self.buffer, start)[0]
        self.pattern = self.word.pack(kind if kind in (OLD_PACKET, SIMPLE_PACKET) else ENHANCED_PACKET)
        return super().starts(start, end)

    def patterns(self) -> list[tuple[bytes, int]]:
        return [(self.pattern, 0)]

    def likely(self, place: int, end: int) -> bool:
        """Three blocks in a row whose two lengths agree."""
        if place & 3:
            return False
        for _ in range(3):
            if place >= end:
                return place == end
            _, length = self.pair.unpack_from(self.buffer, place)
            if length & 3 or length < LEAST or place + length > end or self.word.unpack_from(self.buffer, place + length - 4)[0] != length:
                return False
            place += length
        return True


class PcapngSource(Source):
    """A pcapng file. Interface numbers run through all sections."""

    def __init__(self, data: Mapped, kind: str) -> None:
        """Raises CaptureError unless the first block is a whole section header."""
        data.fill(FIRST)
        super().__init__(data, 0)
        self.format = f"pcapng ({kind})" if kind else "pcapng"
        self.order = "<"
        self.first_interface = 0        # of the section
        self.clocks: list[Clock] = []   # of all interfaces
        self.several_clocks = False     # in the section
        self.damaged = False
        self.position = self._section(0)
        if self.damaged:
            raise CaptureError(f"not a readable pcapng file: {self.problems[-1]}")

    def _windows(self) -> Iterator[Records]:
        chain = BlockChain(self.buffer, self.order)
        length = FIRST
        while not self.damaged:
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

    def _blocks(self, off: NDArray[np.int64], after: int) -> Iterator[Records]:
        """The packets of blocks at `off`; sets `position` behind the last one that was read."""
        order = np.dtype(f"{self.order}u4")
        row = rows(self.buffer, off - 4, np.dtype([(name, order) for name in ("before", "type", "length", "iface", "high", "low", "cap", "wire")]))
        ends = np.append(off[1:], after)
        good = self._whole(off, row, after)
        changes = np.flatnonzero((row["type"][:good] == SECTION) | (row["type"][:good] == INTERFACE))
        done = 0
        for at in [*changes.tolist(), good]:
            if at > done:
                self.position = int(ends[at - 1])
                yield from self._packets(off[done:at], row[done:at])
                if self.damaged:
                    return
            done = at
            if at == good:
                break
            order_before = self.order
            self.position = int(off[at])
            behind = self._section(self.position) if row["type"][at] == SECTION else self._interface(self.position, int(ends[at]))
            if self.damaged:
                return
            self.position = behind
            if self.order != order_before:
                return
            done = at + 1
        self.position = int(ends[good - 1]) if good else int(off[0])
        if good < len(off):
            self._explain(int(off[good]))

    def _whole(self, off: NDArray[np.int64], row: NDArray[np.void], after: int) -> int:
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
        self.damaged = True
        there = self.data.fill(0)
        kind, length = reader(self.order, "II").unpack_from(self.buffer, start)
        number = self.count + 1
        if length > LARGEST_RECORD:
            self._note(f"damaged at packet {number:,}: a block of {length:,} bytes at byte {start:,}; reading stopped there")
        elif start + length > there:
            self._cut_off(number, "a block", length, start, there - start)
        else:
            what = f"a block of {length} bytes" if length < LEAST else f"a block of type {kind} whose two lengths differ"
            self._note(f"damaged at packet {number:,}: {what} at byte {start:,}; reading stopped there")

    def _broken(self, start: int, what: str, packet: int = 0) -> None:
        self.damaged = True
        self._note(f"damaged at packet {packet or self.count + 1:,}: {what} at byte {start:,}; reading stopped there")

    def _section(self, start: int) -> int:
        """Begin the section at `start`; the end of its header block."""
        there = self.data.fill(start + 28)
        magic = self.buffer[start + 8 : start + 12]
        order = {0x1A: ">", 0x4D: "<"}.get(magic[0] if there >= start + 28 else 0, "")
        if not order or reader(order, "I").unpack(magic)[0] != BYTE_ORDER:
            self._broken(start, "a section header without byte order" if there >= start + 28 else "a section header cut off")
            return start
        length, _, major, minor = reader(order, "IIHH").unpack_from(self.buffer, start + 4)
        behind: int = start + ((length + 3) & ~3)
        if length < 28 or length > LARGEST_RECORD or self.data.fill(behind) < behind or reader(order, "I").unpack_from(self.buffer, behind - 4)[0] != length:
            self._broken(start, f"a section header of {length:,} bytes, cut off or with unequal lengths")
            return start
        if major != 1:
            self._broken(start, f"a section of pcapng version {major}.{minor}")
            return start
        self.order = order
        self.first_interface = len(self.interfaces)
        self.several_clocks = False
        for code, value in self._options(start + 24, behind - 4):
            if code == COMMENT and len(self.file_comments) < MOST_FILE_COMMENTS:
                self.file_comments.append("\n".join(comment_lines(value)))
        return behind

    def _interface(self, start: int, end: int) -> int:
        """Add the interface described at `start`; the end of the block."""
        if end - start < 20 or len(self.interfaces) == MOST_INTERFACES:
            self._broken(start, "an interface description too short" if end - start < 20 else f"more than {MOST_INTERFACES:,} interfaces")
            return start
        link, _, snaplen = reader(self.order, "HHI").unpack_from(self.buffer, start + 8)
        name, clock = "", Clock()
        for code, value in self._options(start + 16, end - 4):
            if code == INTERFACE_NAME:
                name = printable(value.rstrip(b"\0").decode("utf-8", "replace"))
            elif code == INTERFACE_RESOLUTION and len(value) == 1:
                clock = clock._replace(power=value[0] & 0x7F, binary=value[0] > 0x7F)
            elif code == INTERFACE_OFFSET and len(value) == 8:
                clock = clock._replace(offset=reader(self.order, "q").unpack(value)[0])
        self.interfaces.append(Interface(link, snaplen, name, numbered=True))
        self.clocks.append(clock)
        self.several_clocks = self.several_clocks or clock != self.clocks[self.first_interface]
        return end

    def _options(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Code and value of each option in [start, end)."""
        head = reader(self.order, "HH")
        while start + 4 <= end:
            code, length = head.unpack_from(self.buffer, start)
            if code == 0 or start + 4 + length > end:
                return
            yield code, self.buffer[start + 4 : start + 4 + length]
            start += 4 + ((length + 3) & ~3)

    def _packets(self, off: NDArray[np.int64], row: NDArray[np.void]) -> Iterator[Records]:
        """The packets of a run of blocks among which no section and no interface begins."""
        kind = row["type"]
        if not (kind == ENHANCED_PACKET).all():
            packets = (kind == ENHANCED_PACKET) | (kind == OLD_PACKET) | (kind == SIMPLE_PACKET)
            off, row = off[packets], row[packets]
            if not len(off):
                return
            kind = row["type"]
        length, cap, wire = row["length"].astype(np.int64), row["cap"].astype(np.uint32), row["wire"].astype(np.uint32)
        iface, ticks, data = row["iface"].astype(np.uint32), row["high"].astype(np.uint64), off + 28
        ticks <<= np.uint64(32)
        ticks |= row["low"]
        body = length - 32
        known = len(self.interfaces) - self.first_interface
        simple = kind == SIMPLE_PACKET
        old = kind == OLD_PACKET
        if old.any():
            high_half = iface >> np.uint32(16) if self.order == ">" else iface & np.uint32(0xFFFF)
            iface = np.where(old, high_half, iface)
        if simple.any():
            iface = np.where(simple, np.uint32(0), iface)
            wire = np.where(simple, row["iface"].astype(np.uint32), wire)      # its only word stands where others have the interface
            snaplen = (self.interfaces[self.first_interface].snaplen if known else 0) or 0xFFFFFFFF
            cap = np.where(simple, np.minimum(np.minimum(wire, snaplen), np.maximum(length - 16, 0)), cap).astype(np.uint32)
            body = np.where(simple, length - 16, body)
            data = np.where(simple, off + 12, data)
        bad = (cap > body) | (iface >= known)
        good = int(bad.argmax()) if bad.any() else len(off)
        named = int(iface[good]) if good < len(off) else 0
        iface = iface[:good] + np.uint32(self.first_interface)
        ts = self._times(ticks[:good], iface)
        ts[simple[:good]] = 0
        self._find_comments(off[:good], data[:good] + ((cap[:good].astype(np.int64) + 3) & ~3), length[:good], simple[:good])
        packet = self.count + good + 1
        if good:
            yield Records(data[:good].astype(np.uint64), ts, cap[:good], wire[:good], iface.astype(np.uint16))
        if good < len(off):
            what = "a packet longer than its block" if cap[good] > body[good] else f"a packet of interface {named}, which is not described,"
            self.position = int(off[good])
            self._broken(self.position, what, packet)

    def _times(self, ticks: NDArray[np.uint64], iface: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Nanoseconds by the clock of each packet's interface."""
        if not self.several_clocks:
            return self.clocks[self.first_interface].nanoseconds(ticks) if len(ticks) else ticks.astype(np.int64)
        ts = np.empty(len(ticks), np.int64)
        order = np.argsort(iface, kind="stable")
        numbers, first = np.unique(iface[order], return_index=True)
        for number, start, end in zip(numbers.tolist(), first.tolist(), [*first[1:].tolist(), len(ticks)], strict=True):
            ts[order[start:end]] = self.clocks[number].nanoseconds(ticks[order[start:end]])
        return ts

    def _find_comments(self, off: NDArray[np.int64], options: NDArray[np.int64], length: NDArray[np.int64], simple: NDArray[np.bool_]) -> None:
        """Note where the comments of these packets lie: all option lists are followed together, an option a round."""
        end = off + length - 4
        packet = np.flatnonzero((options + 4 < end) & ~simple)
        place, end = options[packet], end[packet]
        head = np.dtype([("code", f"{self.order}u2"), ("length", f"{self.order}u2")])
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

