"""Kafka's four codecs, read with a limit on what comes out.

gzip is RFC 1952; snappy is either the block stream of the xerial library (the Java client) or one raw block (librdkafka); LZ4 is
the LZ4 frame format, in message format 0 with a header checksum that old clients computed over the wrong bytes; zstd is
RFC 8878. A stream that grows beyond the limit is read up to there, and that is said.
"""
from __future__ import annotations

import io
import struct
import zlib

__all__ = ["CodecError", "decompress", "limit_for"]

MOST = 64 << 20
"""Bytes that one compressed batch may become."""
RATIO = 2000
FREE = 1 << 20
"""A batch may become `FREE` bytes whatever its ratio; beyond that `RATIO` times its size."""

XERIAL = b"\x82SNAPPY\0"
LZ4_MAGIC = b"\x04\x22\x4d\x18"


class CodecError(Exception):
    """The bytes are not what the codec says that they are."""


def limit_for(size: int, budget: int) -> int:
    """How many bytes `size` compressed bytes may become, with `budget` left for the whole message."""
    return max(0, min(MOST, budget, max(FREE, RATIO * size)))


def decompress(codec: int, data: bytes, limit: int, old_lz4: bool = False) -> tuple[bytes, bool]:
    """The content of `data`, and whether it is whole: False when it was cut at `limit` bytes. Raises `CodecError`."""
    try:
        if codec == 1:
            made = _gzip(data, limit)
        elif codec == 2:
            made = _snappy(data, limit)
        elif codec == 3:
            made = _lz4(data, limit, old_lz4)
        elif codec == 4:
            made = _zstd(data, limit)
        else:
            raise CodecError(f"codec {codec} is not defined")
    except CodecError:
        raise
    except Exception as fault:  # every codec library has its own exceptions
        raise CodecError(str(fault) or type(fault).__name__) from fault
    return (made, True) if len(made) <= limit else (made[:limit], False)


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


def _lz4(data: bytes, limit: int, old: bool) -> bytes:
    import lz4.frame

    if old and data.startswith(LZ4_MAGIC):
        data = _mend_lz4(data)
    made, left = bytearray(), data
    while left and len(made) <= limit:
        one = lz4.frame.LZ4FrameDecompressor()
        made += one.decompress(left, max_length=limit + 1 - len(made))
        while not one.eof and not one.needs_input and len(made) <= limit:
            made += one.decompress(b"", max_length=limit + 1 - len(made))
        if not one.eof:
            if len(made) <= limit:
                raise CodecError("the LZ4 frame ends too early")
            break
        left = one.unused_data or b""
    return bytes(made)


def _zstd(data: bytes, limit: int) -> bytes:
    import zstandard

    with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(io.BytesIO(data), read_across_frames=True) as stream:
        made = bytearray()
        while len(made) <= limit and (piece := stream.read(min(1 << 20, limit + 1 - len(made)))):
            made += piece
    return bytes(made)


def _mend_lz4(data: bytes) -> bytes:
    """The frame with the header checksum that the format asks for: byte 1 of XXH32 over the descriptor, without the magic number."""
    if len(data) < 7:
        return data
    flags = data[4]
    end = 6 + (8 if flags & 8 else 0) + (4 if flags & 1 else 0)
    return data[:end] + bytes([_xxh32(data[4:end]) >> 8 & 0xFF]) + data[end + 1:]


def _xxh32(data: bytes) -> int:
    """XXH32 with seed 0 of fewer than 16 bytes."""
    def turn(value: int, by: int) -> int:
        value &= 0xFFFF_FFFF
        return (value << by | value >> 32 - by) & 0xFFFF_FFFF

    one, two, three, four, five = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1
    value = five + len(data)
    at = 0
    while at + 4 <= len(data):
        value = turn(value + int.from_bytes(data[at:at + 4], "little") * three, 17) * four
        at += 4
    for byte in data[at:]:
        value = turn(value + byte * five, 11) * one
    value &= 0xFFFF_FFFF
    value = (value ^ value >> 15) * two & 0xFFFF_FFFF
    value = (value ^ value >> 13) * three & 0xFFFF_FFFF
    return value ^ value >> 16
