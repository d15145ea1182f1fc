"""Kafka's four codecs, read with a limit on what comes out.

gzip is RFC 1952; snappy is either the block stream of the xerial library (the Java client) or one raw block (librdkafka); LZ4 is
the LZ4 frame format, in message format 0 with a header checksum that old clients computed over the wrong bytes; zstd is
RFC 8878. A stream that grows beyond the limit is read up to there, and that is said.
"""
from __future__ import annotations

import struct
import zlib

from protocols.engine.codecs import CodecError, limited, lz4, zstd

__all__ = ["CodecError", "decompress", "limit_for"]

MOST = 64 << 20
"""Bytes that one compressed batch may become."""
RATIO = 2000
FREE = 1 << 20
"""A batch may become `FREE` bytes whatever its ratio; beyond that `RATIO` times its size."""

XERIAL = b"\x82SNAPPY\0"
LZ4_MAGIC = b"\x04\x22\x4d\x18"


def limit_for(size: int, budget: int) -> int:
    """How many bytes `size` compressed bytes may become, with `budget` left for the whole message."""
    return max(0, min(MOST, budget, max(FREE, RATIO * size)))


def decompress(codec: int, data: bytes, limit: int, old_lz4: bool = False) -> tuple[bytes, bool]:
    """The content of `data`, and whether it is whole: False when it was cut at `limit` bytes. Raises `CodecError`."""
    read = {1: _gzip, 2: _snappy, 3: lz4, 4: zstd}.get(codec)
    if read is None:
        raise CodecError(f"codec {codec} is not defined")
    return limited(read, _mend_lz4(data) if read is lz4 and old_lz4 and data.startswith(LZ4_MAGIC) else data, limit)


def _gzip(data: bytes, limit: int) -> bytes:
    made, left = bytearray(), data
    while left and len(made) <= limit:
        one = zlib.decompressobj(31)
        made += one.decompress(left, limit + 1 - len(made))
        if not one.eof and len(made) <= limit:
            raise CodecError("the gzip stream ends too early")
        left = one.unused_data
    return bytes(made)


def _raw_snappy(data: bytes, limit: int) -> bytes:
    import cramjam

    wanted = cramjam.snappy.decompress_raw_len(data)
    if wanted > limit:
        raise CodecError(f"it says that it holds {wanted} bytes, the limit is {limit}")
    return bytes(cramjam.snappy.decompress_raw(data))


def _snappy(data: bytes, limit: int) -> bytes:
    if not data.startswith(XERIAL):
        return _raw_snappy(data, limit)
    made, at = bytearray(), 16
    while at < len(data) and len(made) <= limit:
        if at + 4 > len(data):
            raise CodecError("the snappy stream ends inside a block's length")
        (size,) = struct.unpack_from(">I", data, at)
        if size > len(data) - at - 4:
            raise CodecError(f"a snappy block of {size} bytes with {len(data) - at - 4} left")
        made += _raw_snappy(data[at + 4:at + 4 + size], limit - len(made))
        at += 4 + size
    return bytes(made)


def _mend_lz4(data: bytes) -> bytes:
    """The frame with the header checksum that the format asks for: byte 1 of XXH32 over the descriptor, without the magic number."""
    import xxhash

    if len(data) < 7:
        return data
    flags = data[4]
    end = 6 + (8 if flags & 8 else 0) + (4 if flags & 1 else 0)
    return data[:end] + bytes([xxhash.xxh32_intdigest(data[4:end]) >> 8 & 0xFF]) + data[end + 1:]
