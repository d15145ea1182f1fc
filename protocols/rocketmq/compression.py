"""The three codecs of message bodies, read with a limit on what comes out: zlib (RFC 1950), LZ4 frames, zstd (RFC 8878)."""
from __future__ import annotations

import io
import zlib

__all__ = ["LIMIT", "NAMES", "CodecError", "decompress"]

LIMIT = 64 << 20
"""Bytes that the bodies of one frame may become together."""
NAMES = {0: "zlib", 1: "LZ4", 2: "zstd", 3: "zlib"}


class CodecError(Exception):
    """The bytes are not what the codec says that they are."""


def decompress(codec: int, data: bytes, limit: int) -> tuple[bytes, bool]:
    """The content of `data`, and whether it is whole: False when it was cut at `limit` bytes. `codec` is the number in a message's sysFlag.
    Raises `CodecError`."""
    try:
        if codec in (0, 3):
            made = _zlib(data, limit)
        elif codec == 1:
            made = _lz4(data, limit)
        elif codec == 2:
            made = _zstd(data, limit)
        else:
            raise CodecError(f"compression type {codec} is not defined")
    except CodecError:
        raise
    except Exception as fault:  # every codec library has its own exceptions
        raise CodecError(str(fault) or type(fault).__name__) from fault
    return (made, True) if len(made) <= limit else (made[:limit], False)


def _zlib(data: bytes, limit: int) -> bytes:
    one = zlib.decompressobj()
    made = one.decompress(data, limit + 1)
    if not one.eof and len(made) <= limit:
        raise CodecError("the zlib stream ends too early")
    return made


def _lz4(data: bytes, limit: int) -> bytes:
    import lz4.frame

    one = lz4.frame.LZ4FrameDecompressor()
    made = bytearray(one.decompress(data, max_length=limit + 1))
    while not one.eof and not one.needs_input and len(made) <= limit:
        made += one.decompress(b"", max_length=limit + 1 - len(made))
    if not one.eof and len(made) <= limit:
        raise CodecError("the LZ4 frame ends too early")
    return bytes(made)


def _zstd(data: bytes, limit: int) -> bytes:
    import zstandard

    with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(io.BytesIO(data), read_across_frames=True) as stream:
        made = bytearray()
        while len(made) <= limit and (piece := stream.read(min(1 << 20, limit + 1 - len(made)))):
            made += piece
    return bytes(made)
