"""OP_COMPRESSED bodies: decompressed within the size that the message declares, or a reason why not.

Source: MongoDB specifications, source/compression/OP_COMPRESSED.md: 0 noop, 1 snappy (raw block), 2 zlib (RFC 1950), 3 zstd.
"""
from __future__ import annotations

import zlib
from functools import lru_cache

from protocols.mongodb.tables import COMPRESSORS, LARGEST

__all__ = ["CannotDecompress", "decompress", "peek"]


class CannotDecompress(Exception):
    """The reason, in words for the user."""


@lru_cache(maxsize=2)
def decompress(compressor: int, data: bytes, size: int) -> bytes:
    """The original message without its header. Raises CannotDecompress; never yields more than `size` bytes. The last results are kept: a message is
    asked about for its line, for its tree and for its reply's."""
    if not 0 <= size <= LARGEST:
        raise CannotDecompress(f"an uncompressed size of {size:,} bytes is over the limit of {LARGEST:,}")
    if compressor not in COMPRESSORS:
        raise CannotDecompress(f"unknown compressor {compressor}")
    try:
        found = _CODECS[compressor](data, size)
    except CannotDecompress:
        raise
    except Exception as fault:  # each codec has errors of its own
        raise CannotDecompress(f"{COMPRESSORS[compressor]}: {fault}") from None
    if len(found) != size:
        raise CannotDecompress(f"{len(found):,} bytes came out, {size:,} were declared")
    return found


def _noop(data: bytes, size: int) -> bytes:
    return data


def _snappy(data: bytes, size: int) -> bytes:
    import cramjam

    declared = _uvarint(data)
    if declared != size:
        raise CannotDecompress(f"snappy declares {declared:,} bytes, the message {size:,}")
    return bytes(cramjam.snappy.decompress_raw(data))


def _zlib(data: bytes, size: int) -> bytes:
    machine = zlib.decompressobj()
    found = machine.decompress(data, size + 1)
    if len(found) > size:
        raise CannotDecompress(f"more than the declared {size:,} bytes come out")
    return found


def _zstd(data: bytes, size: int) -> bytes:
    import zstandard

    with zstandard.ZstdDecompressor().stream_reader(data) as reader:
        return bytes(reader.read(size + 1))


_CODECS = {0: _noop, 1: _snappy, 2: _zlib, 3: _zstd}


def _uvarint(data: bytes) -> int:
    value = 0
    for i, byte in enumerate(data[:5]):
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return value
    raise CannotDecompress("snappy without a length")


def peek(compressor: int, data: bytes, want: int = 512) -> bytes:
    """The first bytes of the original, as many as `data` (the start of the compressed bytes) gives; empty when none come out."""
    try:
        if compressor == 0:
            return data[:want]
        if compressor == 1:
            return _snappy_start(data, want)
        if compressor == 2:
            return zlib.decompressobj().decompress(data, want)
        if compressor == 3:
            import zstandard

            with zstandard.ZstdDecompressor().stream_reader(data) as reader:
                return bytes(reader.read(want))
    except Exception:  # a start that no codec reads tells nothing
        pass
    return b""


def _snappy_start(data: bytes, want: int) -> bytes:
    """The first bytes of a raw snappy block, as far as `data` goes: literals, and copies of what came before.

    Source: snappy format description (google/snappy, format_description.txt): the two low bits of a tag are its kind.
    """
    at, out = 0, bytearray()
    while at < len(data) and data[at] & 0x80:
        at += 1
    at += 1
    while at < len(data) and len(out) < want:
        tag, kind = data[at] >> 2, data[at] & 3
        at += 1
        if kind == 0:
            extra = max(0, tag - 59)
            length = int.from_bytes(data[at:at + extra], "little") + 1 if extra else tag + 1
            out += data[at + extra:at + extra + length]
            at += extra + length
            continue
        size = (1, 2, 4)[kind - 1]
        offset = int.from_bytes(data[at:at + size], "little") | ((tag >> 3) << 8 if kind == 1 else 0)
        length = (tag & 7) + 4 if kind == 1 else tag + 1
        at += size
        if at > len(data) or not 0 < offset <= len(out):
            break
        for _ in range(length):
            out.append(out[-offset])
    return bytes(out[:want])
