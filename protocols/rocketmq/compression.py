"""The three codecs of message bodies, read with a limit on what comes out: zlib (RFC 1950), LZ4 frames, zstd (RFC 8878)."""
from __future__ import annotations

import zlib

from protocols.engine.codecs import CodecError, limited, lz4, zstd

__all__ = ["LIMIT", "NAMES", "CodecError", "decompress"]

LIMIT = 64 << 20
"""Bytes that the bodies of one frame may become together."""
NAMES = {0: "zlib", 1: "LZ4", 2: "zstd", 3: "zlib"}


def decompress(codec: int, data: bytes, limit: int) -> tuple[bytes, bool]:
    """The content of `data`, and whether it is whole: False when it was cut at `limit` bytes. `codec` is the number in a message's sysFlag.
    Raises `CodecError`."""
    read = {0: _zlib, 1: lz4, 2: zstd, 3: _zlib}.get(codec)
    if read is None:
        raise CodecError(f"compression type {codec} is not defined")
    return limited(read, data, limit)


def _zlib(data: bytes, limit: int) -> bytes:
    one = zlib.decompressobj()
    made = one.decompress(data, limit + 1)
    if not one.eof and len(made) <= limit:
        raise CodecError("the zlib stream ends too early")
    return made
