"""Bodies with their codings undone (RFC 9110 section 8.4), each with a limit on what comes out."""
from __future__ import annotations

import zlib

from protocols.engine.codecs import CodecError, limited, zstd
from protocols.http1.head import Head

__all__ = ["BODY_MOST", "decoded", "joined"]

BODY_MOST = 16 << 20
NESTED = 4


def joined(data: bytes, at: int, end: int) -> bytes:
    """The data of the chunks in `data[at:end]`, as far as they are there."""
    out = bytearray()
    while at < end:
        stop = data.find(b"\n", at, end)
        try:
            size = int(data[at:stop].split(b";")[0].strip(), 16)
        except ValueError:
            break
        if stop < 0 or size <= 0:
            break
        out += data[stop + 1:min(end, stop + 1 + size)]
        at = stop + 1 + size + (2 if data[stop + 1 + size:stop + 2 + size] == b"\r" else 1)
    return bytes(out)


def _inflate(data: bytes, limit: int, bits: int) -> bytes:
    out, left = bytearray(), data
    while left and len(out) <= limit:
        engine = zlib.decompressobj(bits)
        out += engine.decompress(left, limit + 1 - len(out))
        left = engine.unused_data
        if not engine.eof or left[:2] != b"\x1f\x8b":      # members of gzip may follow each other
            break
    return bytes(out)


def _gzip(data: bytes, limit: int) -> bytes:
    return _inflate(data, limit, 31)


def _deflate(data: bytes, limit: int) -> bytes:
    """zlib's form, which the standard means, or raw, which some servers send."""
    zlib_form = len(data) > 1 and data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0
    return _inflate(data, limit, 15 if zlib_form else -15)


def _brotli(data: bytes, limit: int) -> bytes:
    import cramjam

    room = bytearray(min(limit, max(1 << 16, 64 * len(data))))
    while True:
        try:
            return bytes(room[:cramjam.brotli.decompress_into(data, room)])
        except cramjam.DecompressionError as fault:
            if "whole buffer" not in str(fault) or len(room) >= limit:
                raise CodecError(f"not brotli, or more than {limit} bytes" if len(room) >= limit else str(fault)) from fault
            room = bytearray(min(limit, 16 * len(room)))


CODINGS = {"gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate, "br": _brotli, "zstd": zstd}


def decoded(found: Head, body: bytes, codings: list[str]) -> list[tuple[str, bytes, str]]:
    """What undoing the codings, the last one first, gives step by step: (coding, bytes, what went wrong)."""
    out: list[tuple[str, bytes, str]] = []
    if found.code == 206 and codings:
        return [(codings[-1], b"", "a part of an encoded body cannot be decoded")]
    for coding in [one for one in reversed(codings) if one not in ("identity", "chunked", "aws-chunked")][:NESTED]:
        if coding not in CODINGS:
            return [*out, (coding, b"", "the coding is not known")]
        try:
            body, whole = limited(CODINGS[coding], body, BODY_MOST)
        except CodecError as fault:
            return [*out, (coding, b"", str(fault))]
        out.append((coding, body, "" if whole else f"stopped at {BODY_MOST} bytes"))
        if not whole:
            break
    return out
