"""Captures in gzip (RFC 1952), zstd (RFC 8878), xz, bzip2 or the LZ4 frame format, decompressed into a spool as far as the reader has come.

The spool is an unlinked temporary file, made sparse at its largest permitted length and mapped once, so that the first packets are
there before the last are decompressed and offsets never change. That length is the defence against decompression bombs: a thousand
times the compressed size, at least 256 MiB and at most 64 GiB. What was good before damage, a limit or a full disk stays readable.
"""
from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Callable
from typing import Any

from captures.file.errors import CaptureError
from captures.file.mapped import Mapped

MAGICS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4", b"\xfd7zXZ\x00": "xz", b"BZh": "bzip2"}
FOREIGN = {
    b"\x89LZO\x00\r\n\x1a\n": "lzop", b"\xff\x06\x00\x00sNaPpY": "snappy", b"\x5d\x00\x00": "lzma", b"\x02\x21\x4c\x18": "old LZ4", b"LZIP": "lzip",
    b"\x1f\x9d": "compress", b"PK\x03\x04": "zip", b"7z\xbc\xaf\x27\x1c": "7z", b"LRZI": "lrzip",
}
"""First bytes of what is not opened here."""
SKIPPABLE = b"\x2a\x4d\x18"     # behind a byte 0x50 - 0x5f: a frame without data, of zstd (where pzstd begins files with it) and of LZ4

RATIO = 1000                    # capture data in gzip is seldom below a twentieth; deflate cannot go below a 1032nd
SMALLEST = 256 << 20
LARGEST = 64 << 30
PIECE = 4 << 20                 # decompressed at most at a time
SMALL_PIECE = 64 << 10          # for libraries that keep a piece to themselves when they meet damage in it
READ = {"gzip": 256 << 10, "lz4": 256 << 10, "xz": 64 << 10, "bzip2": 64 << 10, "zstd": 4 << 10}
"""Compressed bytes read at a time; zstd has no bound on what a piece becomes: 32,768 times at worst."""
XZ_MEMORY = 512 << 20           # xz -9 asks for 65 MiB
MOST_SKIPPED = 1000             # frames without data before the first with some
HEAD = 16


def compression(descriptor: int) -> str:
    """"gzip", "zstd", "lz4", "xz", "bzip2", or "" when the file does not begin as any of these; frames without data are passed over."""
    at = 0
    for _ in range(MOST_SKIPPED):
        head = os.pread(descriptor, HEAD, at)
        if not _skippable(head) or len(head) < 8:
            break
        at += 8 + int.from_bytes(head[4:8], "little")
    return _kind(head) or ("zstd" if at else "")


def foreign(head: bytes, suffix: str) -> str:
    """The name of a compression that is not opened here, by a file's first `HEAD` bytes; brotli's have no mark, so its name tells. "" for anything else."""
    return next((name for magic, name in FOREIGN.items() if head.startswith(magic)), "brotli" if suffix.lower() == ".br" else "")


def _kind(head: bytes) -> str:
    return next((name for magic, name in MAGICS.items() if head.startswith(magic)), "")


def _skippable(head: bytes) -> bool:
    return head[1:4] == SKIPPABLE and head[0] >> 4 == 5


def limit(compressed: int) -> int:
    """The bytes that `compressed` bytes may become."""
    return min(max(compressed * RATIO, SMALLEST), LARGEST)


class Spool(Mapped):
    """A compressed file seen as what it decompresses to. `size` is the room reserved; only what `fill` returned is data."""

    def __init__(self, descriptor: int, length: int, kind: str) -> None:
        self.kind = kind
        self.source = os.dup(descriptor)
        os.lseek(self.source, 0, os.SEEK_SET)
        self.compressed = length
        self.taken = 0              # compressed bytes read
        self.available = 0
        self.ended = False
        self.pending = b""
        self.decoder = _decoder(kind)
        self.fresh = True           # between two members or frames
        with tempfile.TemporaryFile() as file:
            self.spool = os.dup(file.fileno())
        self._reserve(limit(length))

    def _reserve(self, room: int) -> None:
        """Map `room` bytes of the spool, or fewer where file system or limits allow only that."""
        while True:
            try:
                os.ftruncate(self.spool, room)
                super().__init__(self.spool, room)
                return
            except OSError as error:
                if room <= SMALLEST >> 8:
                    self._stop("")
                    raise CaptureError(f"no room for decompressing in {tempfile.gettempdir()}: {error.strerror}") from error
                room >>= 1

    def ahead(self, start: int, length: int) -> None:
        """Nothing is there before it is decompressed."""

    def fill(self, end: int) -> int:
        """Decompress until `end` bytes are there, or the end, or what stops it; `wrong` then says what that was."""
        # with all room taken, one piece more tells whether that was all
        while (self.available < min(end, self.size) or end > self.size == self.available) and not self.ended:
            try:
                data = self._piece()
            except Damaged as damage:
                self._write(damage.good)
                if not self.ended:
                    self._stop(f"{self.kind} data damaged near byte {self.taken:,} of {self.compressed:,}: {damage}")
                break
            except OSError as error:
                self._stop(f"cannot read the file on: {error.strerror}")
                break
            if not self.ended:
                self._write(data)
        return self.available

    def _write(self, data: bytes) -> None:
        room = self.size - self.available
        written = 0
        try:
            while written < min(len(data), room):
                written += os.pwrite(self.spool, data[written:room], self.available + written)
        except OSError as error:
            self._stop(f"decompression stopped after {self.available:,} bytes: {error.strerror} in {tempfile.gettempdir()}")
            return
        self.available += written
        if len(data) > room:
            self._stop(f"decompression stopped after {self.available:,} bytes: the limit for {self.compressed:,} bytes of {self.kind}")

    def _piece(self) -> bytes:
        """The next decompressed bytes, possibly none; sets `ended`."""
        if not self.pending and self.decoder.hungry:
            self.pending = os.read(self.source, READ[self.kind])
            self.taken += len(self.pending)
        if self.fresh and not self._next_member():
            return b""
        ending = not self.pending and self.decoder.hungry
        data = self.decoder.decompress(self.pending)
        if ending and not data and not self.decoder.eof:
            self._stop(f"{self.kind} data cut off after {self.compressed:,} bytes")
        self.pending = self.decoder.rest
        if self.decoder.eof:
            self.decoder = _decoder(self.kind)
            self.fresh = True
        return data

    def _next_member(self) -> bool:
        """Whether another member begins at `pending`; bytes that begin none end the data, as zero padding behind a gzip member does."""
        if len(self.pending) < HEAD:
            more = os.read(self.source, READ[self.kind])
            self.taken += len(more)
            self.pending += more
        if _kind(self.pending) != self.kind and not (self.kind in ("lz4", "zstd") and _skippable(self.pending)):
            trailing = self.compressed - self.taken + len(self.pending)
            self._stop(f"{trailing:,} bytes behind the {self.kind} data passed over" if self.pending.strip(b"\0") else "")
            return False
        self.fresh = False
        return True

    def _stop(self, wrong: str) -> None:
        self.ended = True
        self.wrong = wrong
        os.close(self.source)
        os.close(self.spool)        # the map has its own

    def share(self, position: int) -> float:
        """As far as the compressed file was read, less what is decompressed and still ahead of the reader."""
        return self.taken / self.compressed * min(position / max(self.available, 1), 1.0)

    def close(self) -> None:
        if not self.ended:
            self._stop("")
        super().close()


class Damaged(Exception):
    """Compressed data that is not what it should be; `good` is what came of it before the damage."""

    def __init__(self, what: str, good: bytes = b"") -> None:
        super().__init__(what)
        self.good = good


class _Zlib:
    """One gzip member."""

    def __init__(self) -> None:
        self.inner = zlib.decompressobj(wbits=31)
        self.rest = b""

    hungry = True

    @property
    def eof(self) -> bool:
        return self.inner.eof

    def decompress(self, data: bytes) -> bytes:
        before = self.inner.copy()
        try:
            out = self.inner.decompress(data, PIECE)
        except zlib.error as error:
            raise Damaged(str(error), _up_to_damage(before, data)) from error
        self.rest = self.inner.unused_data if self.inner.eof else self.inner.unconsumed_tail
        return out


def _up_to_damage(inner: zlib._Decompress, data: bytes) -> bytes:
    """What comes of `data`, given a byte at a time, before zlib refuses it: with more at once it keeps all to itself."""
    good = bytearray()
    try:
        for at in range(len(data)):
            good += inner.decompress(data[at:at + 1])
    except zlib.error:
        pass
    return bytes(good)


class _Zstd:
    """One zstd frame; windows above 128 MiB are refused by the library's default."""

    def __init__(self) -> None:
        import zstandard

        self.inner = zstandard.ZstdDecompressor().decompressobj()
        self.error = zstandard.ZstdError
        self.rest = b""

    hungry = True

    @property
    def eof(self) -> bool:
        return self.inner.eof

    def decompress(self, data: bytes) -> bytes:
        try:
            out = self.inner.decompress(data)
        except self.error as error:
            raise Damaged(str(error)) from error
        self.rest = self.inner.unused_data if self.inner.eof else b""
        return out


class _Library:
    """One LZ4 frame, xz or bzip2 stream: `inner` has the methods of the standard library's decompressors, gives at most `most` bytes at a time, and raises
    `error` on damage."""

    def __init__(self, inner: Any, error: type[Exception], most: int) -> None:
        self.inner = inner
        self.error = error
        self.most = most
        self.rest = b""

    @property
    def hungry(self) -> bool:
        return bool(self.inner.needs_input)

    @property
    def eof(self) -> bool:
        return bool(self.inner.eof)

    def decompress(self, data: bytes) -> bytes:
        try:
            out: bytes = self.inner.decompress(data, max_length=self.most)
        except self.error as error:
            raise Damaged(str(error)) from error
        self.rest = (self.inner.unused_data or b"") if self.inner.eof else b""
        return out


def _lz4() -> _Library:
    import lz4.frame

    return _Library(lz4.frame.LZ4FrameDecompressor(), RuntimeError, PIECE)


def _xz() -> _Library:
    import lzma

    return _Library(lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_MEMORY), lzma.LZMAError, SMALL_PIECE)


def _bzip2() -> _Library:
    import bz2

    return _Library(bz2.BZ2Decompressor(), OSError, SMALL_PIECE)


Decompressor = _Zlib | _Zstd | _Library
_DECODERS: dict[str, Callable[[], Decompressor]] = {"gzip": _Zlib, "zstd": _Zstd, "lz4": _lz4, "xz": _xz, "bzip2": _bzip2}


def _decoder(kind: str) -> Decompressor:
    return _DECODERS[kind]()

