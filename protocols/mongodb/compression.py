"""OP_COMPRESSED bodies: decompressed within the size that the message declares, or a reason why not.

Source: MongoDB specifications, source/compression/OP_COMPRESSED.md: 0 noop, 1 snappy (raw block), 2 zlib (RFC 1950), 3 zstd.
"""
from __future__ import annotations

import zlib

from protocols.mongodb.tables import COMPRESSORS, LARGEST

__all__ = ["CannotDecompress", "decompress", "peek"]


class CannotDecompress(Exception):
    """The reason, in words for the user."""


def decompress(compressor: int, data: bytes, size: int) -> bytes:
    """The original message without its header. Raises CannotDecompress; never yields more than `size` bytes."""
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
            return _snappy_literal(data)
        if compressor == 2:
            return zlib.decompressobj().decompress(data, want)
        if compressor == 3:
            import zstandard

            with zstandard.ZstdDecompressor().stream_reader(data) as reader:
                return bytes(reader.read(want))
    except Exception:  # a start that no codec reads tells nothing
        pass
    return b""


def _snappy_literal(data: bytes) -> bytes:
    """The literal with which a raw snappy block starts (its first element always is one)."""
    at = 0
    while at < len(data) and data[at] & 0x80:
        at += 1
    at += 1
    if at >= len(data) or data[at] & 3:
        return b""
    length, extra = data[at] >> 2, 0
    if length >= 60:
        extra = length - 59
        length = int.from_bytes(data[at + 1:at + 1 + extra], "little")
    return data[at + 1 + extra:at + 2 + extra + length]
