"""The codecs of message bodies, read with a limit on what comes out: zlib (RFC 1950), raw DEFLATE (RFC 1951), LZ4 frames, zstd (RFC 8878).

The number of the codec stands in a message's flags, and is not to be relied on: some clients write DEFLATE without zlib's head and checksum, and a broker
that unpacked a half message stores it plain with its old flag.
"""
from __future__ import annotations

import zlib

from protocols.engine.codecs import CodecError, limited, lz4, zstd

__all__ = ["LIMIT", "NAMES", "CodecError", "decompress", "unpack"]

LIMIT = 64 << 20
"""Bytes that the bodies of one frame may become together."""
NAMES = {0: "zlib", 1: "LZ4", 2: "zstd", 3: "zlib"}
RAW, PLAIN = "raw DEFLATE", "plain"


def decompress(codec: int, data: bytes, limit: int) -> tuple[bytes, bool]:
    """The content of `data`, and whether it is whole: False when it was cut at `limit` bytes. `codec` is the number in a message's sysFlag.
    Raises `CodecError`."""
    read = {0: _zlib, 1: lz4, 2: zstd, 3: _zlib}.get(codec)
    if read is None:
        raise CodecError(f"compression type {codec} is unknown")
    return limited(read, data, limit)


def unpack(codec: int, data: bytes, limit: int) -> tuple[str, bytes, bool]:
    """How `data` is packed (a name in NAMES, RAW, PLAIN), its content, and whether that is whole. What is not packed as `codec` says may be text that
    is not packed at all, or raw DEFLATE to its last byte. Raises `CodecError`, with the fault of `codec`."""
    try:
        return NAMES.get(codec, ""), *decompress(codec, data, limit)
    except CodecError:
        if _text(data):
            return PLAIN, data, True
        try:
            return RAW, *limited(_deflate, data, limit)
        except CodecError:
            pass
        raise


def _text(data: bytes) -> bool:
    """Whether the bytes are text from the first to the last: of compressed bytes only the shortest could be."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return not any((one < " " and one not in "\t\r\n") or one == "\x7f" for one in text)


def _zlib(data: bytes, limit: int) -> bytes:
    one = zlib.decompressobj()
    made = one.decompress(data, limit + 1)
    if not one.eof and len(made) <= limit:
        raise CodecError("the zlib stream ends too early")
    return made


def _deflate(data: bytes, limit: int) -> bytes:
    one = zlib.decompressobj(-15)
    made = one.decompress(data, limit + 1)
    if len(made) <= limit and (not one.eof or one.unused_data):
        raise CodecError("no DEFLATE stream fills the bytes")
    return made
