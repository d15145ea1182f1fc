"""Pieces of a saved file: as pcapng from pcapng block by block, as pcap from pcap record by record, each as it stands in the source.

What is copied is not read: times of any resolution, options and blocks nobody here knows come through whole, and interfaces keep their numbers. Left out are
custom blocks and options that forbid to be copied into a changed file (draft-ietf-opsawg-pcapng, sections 3.5.1 and 4.7), and said.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from captures.file.blocks import BYTE_ORDER, ENHANCED_PACKET, INTERFACE, LEAST, OLD_PACKET, PRIVATE_CUSTOM, SECTION, STATISTICS
from captures.file.options import PRIVATE, options
from captures.file.pcap import FILE_HEADER, PcapSource
from captures.file.pcapng import PcapngSource
from captures.file.scan import reader
from captures.index.columns import Columns

__all__ = ["copied_blocks", "copied_records"]

OPTIONS_AT = {SECTION: 24, INTERFACE: 16, STATISTICS: 20}
"""Bytes from a block's start to its options; in packets' blocks these stand behind the packet."""
ANY_LENGTH = b"\xff" * 8


def copied_records(source: PcapSource, columns: Columns, packets: Sequence[int]) -> Iterator[bytes]:
    """The file header and the records of the packets (indices, ascending)."""
    buffer, header = source.buffer, source.variant.header
    yield buffer[:FILE_HEADER]
    for i in packets:
        start = int(columns.off[i])
        yield buffer[start - header : start + int(columns.cap[i])]


def copied_blocks(source: PcapngSource, columns: Columns, packets: Sequence[int], lost: Counter[str]) -> Iterator[bytes]:
    """All blocks of the file in its order, of those with packets only those of `packets` (indices, ascending). Counts in `lost` what may not be copied."""
    places = iter(source.blocks)
    place = next(places, -1)
    order = "<"
    for i in [*packets, -1]:
        start = source.record_start(i, int(columns.off[i])) if i >= 0 else -1
        while place >= 0 and (place < start or start < 0):
            order = _order(source, place, order)
            yield _block(source, place, order, lost)
            place = next(places, -1)
        if i >= 0:
            yield _packet(source, start, int(columns.off[i]) + (int(columns.cap[i]) + 3 & ~3), order, lost)


def _order(source: PcapngSource, place: int, order: str) -> str:
    """The byte order from the block at `place` on."""
    if reader("<", "I").unpack_from(source.buffer, place)[0] != SECTION:
        return order
    return "<" if reader("<", "I").unpack_from(source.buffer, place + 8)[0] == BYTE_ORDER else ">"


def _whole(source: PcapngSource, place: int, order: str) -> bytes:
    length: int = reader(order, "I").unpack_from(source.buffer, place + 4)[0]
    return source.buffer[place : place + (length + 3 & ~3)]


def _block(source: PcapngSource, place: int, order: str, lost: Counter[str]) -> bytes:
    """A block without a packet; nothing where it may not be copied."""
    kind = reader(order, "I").unpack_from(source.buffer, place)[0]
    if kind == PRIVATE_CUSTOM:
        lost["custom blocks that forbid it"] += 1
        return b""
    block = _whole(source, place, order)
    if kind == SECTION:     # other packets are in it now
        block = block[:16] + ANY_LENGTH + block[24:]
    return _permitted(block, OPTIONS_AT[kind], order, lost) if kind in OPTIONS_AT else block


def _packet(source: PcapngSource, place: int, options_at: int, order: str, lost: Counter[str]) -> bytes:
    """The block of a packet, whose options begin at `options_at` of the buffer."""
    block = _whole(source, place, order)
    kind = reader(order, "I").unpack_from(block, 0)[0]
    has_options = kind in (ENHANCED_PACKET, OLD_PACKET) and options_at - place + 8 <= len(block)
    return _permitted(block, options_at - place, order, lost) if has_options else block


def _permitted(block: bytes, start: int, order: str, lost: Counter[str]) -> bytes:
    """The block without those of its options that may not be copied."""
    found = list(options(block, start, len(block) - 4, order))
    kept = [(at - 4, at + (length + 3 & ~3)) for code, at, length in found if code not in PRIVATE]
    if len(kept) == len(found):
        return block
    lost["custom options that forbid it"] += len(found) - len(kept)
    body = block[8:start] + b"".join(block[low:high] for low, high in kept) + (bytes(4) if kept else b"")
    length = reader(order, "I").pack(LEAST + len(body))
    return block[:4] + length + body + length
