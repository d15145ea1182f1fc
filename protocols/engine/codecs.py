"""Compressed parts of messages, read with a limit on what comes out: what the protocols share.

A stream that grows beyond the limit is read up to there, and that is said. Sources: LZ4 frame format 1.6, RFC 8878 (zstd).
"""
from __future__ import annotations

import io
from collections.abc import Callable

__all__ = ["CodecError", "limited", "lz4", "zstd"]


class CodecError(Exception):
    """The bytes are not what the codec says that they are."""


def limited(read: Callable[[bytes, int], bytes], data: bytes, limit: int) -> tuple[bytes, bool]:
    """What `read` makes of `data`, and whether it is whole: False when it was cut at `limit` bytes. `read` stops soon after the limit.
    Raises CodecError, whatever the codec's library raises."""
    try:
        made = read(data, limit)
    except CodecError:
        raise
    except Exception as fault:  # every codec library has its own exceptions
        raise CodecError(str(fault) or type(fault).__name__) from fault
    return (made, True) if len(made) <= limit else (made[:limit], False)


def lz4(data: bytes, limit: int) -> bytes:
    """LZ4 frames, one behind the other."""
    import lz4.frame

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


def zstd(data: bytes, limit: int) -> bytes:
    """zstd frames, one behind the other."""
    import zstandard

    with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(io.BytesIO(data), read_across_frames=True) as stream:
        made = bytearray()
        while len(made) <= limit and (piece := stream.read(min(1 << 20, limit + 1 - len(made)))):
            made += piece
    return bytes(made)
