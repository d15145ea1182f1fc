"""Compressed captures: the same packets as uncompressed; damage, cuts, bombs and a full disk leave what was good."""
from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import os
from collections.abc import Callable
from pathlib import Path
from struct import pack

import lz4.frame
import pytest
import zstandard
from benchmarks.make_capture import make
from capture_bytes import Sent, enhanced, interface, pcap, read, section
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from captures.file import compressed
from captures.file.errors import CaptureError
from captures.file.opening import open_source

PACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstandard.ZstdCompressor().compress, "lz4": lz4.frame.compress,
                                             "xz": lzma.compress, "bzip2": bz2.compress}
CASES = Path(__file__).parent / "data" / "cases"
KINDS = list(PACK)
SMALL = pcap([Sent(n, b"packet %d" % n) for n in range(50)])
Write = Callable[[bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(data: bytes) -> Path:
        path = tmp_path / "capture"
        path.write_bytes(data)
        return path

    return to_file


def open_descriptors() -> int:
    """How many this process has, 0 where the system does not tell."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_compressed_capture_gives_the_packets_of_the_plain_one(write: Write, kind: str) -> None:
    data = make(6000, 20)
    plain, _ = read(write(data))
    found, source = read(write(PACK[kind](data)))
    assert found == plain
    assert (source.format, source.problems, source.consumed()) == (f"pcap ({kind})", [], source.size)


@pytest.mark.parametrize("kind", KINDS)
def test_pcapng_may_be_compressed_too(write: Write, kind: str) -> None:
    found, source = read(write(PACK[kind](section(">") + interface(">") + enhanced(Sent(5, b"x"), ">", [(1, b"note")]))))
    assert ([got.data for got in found], source.format, dict(source.comments)) == ([b"x"], f"pcapng ({kind})", {0: ("note",)})


@pytest.mark.parametrize("kind", KINDS)
def test_several_members_are_one_capture(write: Write, kind: str) -> None:
    data = b"".join(PACK[kind](SMALL[start : start + 99]) for start in range(0, len(SMALL), 99))
    found, source = read(write(data))
    assert (len(found), source.problems) == (50, [])


def test_padding_behind_gzip_is_no_problem_and_garbage_is_told(write: Write) -> None:
    assert read(write(gzip.compress(SMALL) + bytes(512)))[1].problems == []
    found, source = read(write(gzip.compress(SMALL) + b"garbage"))
    assert (len(found), source.problems) == (50, ["7 bytes behind the gzip data passed over"])


@pytest.mark.parametrize("kind", ["zstd", "lz4"])
def test_frames_without_data_are_skipped(write: Write, kind: str) -> None:
    empty = b"\x53\x2a\x4d\x18" + pack("<I", 5) + b"hello"
    middle = PACK[kind](SMALL[:500]) + empty + PACK[kind](SMALL[500:])
    for data in (middle, empty + middle, empty * 3 + middle):
        found, source = read(write(data))
        assert (len(found), source.problems, source.format) == (50, [], f"pcap ({kind})")


@pytest.mark.parametrize(("name", "kind"), [("tools-two.pcap.xz", "xz"), ("tools-two.pcap.bz2", "bzip2"), ("tools-skippable-first.pcap.lz4", "lz4")])
def test_cases_hold_two_packets(name: str, kind: str) -> None:
    found, source = read(CASES / name)
    assert ([len(got.data) for got in found], source.problems, source.format) == ([52, 53], [], f"pcap ({kind})")


@pytest.mark.parametrize(("head", "name"), [
    (b"\x89LZO\0\r\n\x1a\n\x10\x40", "lzop"), (b"\xff\x06\0\0sNaPpY\0", "snappy"), (lzma.compress(SMALL, lzma.FORMAT_ALONE)[:200], "lzma"),
    (b"\x02\x21\x4c\x18\x50\0\0\0", "old LZ4"), (b"LZIP\x01", "lzip"), (b"\x1f\x9d\x90", "compress"), (b"PK\x03\x04\x14\0", "zip"),
])
def test_a_compression_that_is_not_opened_is_named(write: Write, head: bytes, name: str) -> None:
    with pytest.raises(CaptureError, match=f"capture: {name} data, which is not opened here: decompress it first"):
        open_source(write(head))


def test_brotli_is_named_by_the_files_name(tmp_path: Path) -> None:
    path = tmp_path / "capture.pcap.br"
    path.write_bytes(b"\x0b\x02\x80abc")
    with pytest.raises(CaptureError, match="brotli data, which is not opened here"):
        open_source(path)


@pytest.mark.parametrize("kind", ["xz", "bzip2"])
def test_late_damage_leaves_the_packets_before_in_xz_and_bzip2(write: Write, kind: str) -> None:
    whole, _ = read(write(make(6000, 20)))
    data = bytearray(PACK[kind](make(6000, 20)))
    data[len(data) * 9 // 10] ^= 255
    found, source = read(write(bytes(data)))
    assert found[:3000] == whole[:3000]     # xz has no check before the end of what is damaged
    assert any(f"{kind} data damaged near byte" in problem for problem in source.problems)


@pytest.mark.parametrize("kind", KINDS)
def test_compressed_data_cut_off_anywhere_gives_what_was_there(write: Write, kind: str) -> None:
    whole, _ = read(write(SMALL))
    data = PACK[kind](SMALL)
    for end in range(1, len(data), 3):
        try:
            found, source = read(write(data[:end]))
        except CaptureError as error:
            assert str(error).isprintable()
            continue
        assert found == whole[: len(found)]
        assert any("cut off after" in problem for problem in source.problems)


@given(kind=st.sampled_from(KINDS), place=st.integers(4, 10**6), bits=st.integers(1, 255))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_compressed_data_never_raises_anything_but_a_clear_error(write: Write, kind: str, place: int, bits: int) -> None:
    data = bytearray(PACK[kind](SMALL))
    data[4 + place % (len(data) - 4)] ^= bits
    try:
        _, source = read(write(bytes(data)))
    except CaptureError as error:
        assert str(error).isprintable()
    else:
        assert all(problem.isprintable() for problem in source.problems)


def test_damage_late_in_the_data_leaves_the_packets_before(write: Write) -> None:
    data = gzip.compress(make(3000, 20), 1)
    found, source = read(write(data[:-100_000] + os.urandom(4096) + data[-95_904:]))
    assert 0 < len(found) < 3000
    assert any("gzip data damaged near byte" in problem for problem in source.problems)


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_is_stopped_at_its_limit(write: Write, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(compressed, "SMALLEST", 1 << 20)
    monkeypatch.setattr(compressed, "RATIO", 10)
    packets = [Sent(n, bytes(60_000)) for n in range(200)]
    data = PACK[kind](pcap(packets))
    assert len(data) * 10 < 12_000_000
    found, source = read(write(data))
    room = compressed.limit(len(data))
    assert len(found) == (room - 24) // 60_016
    assert any(f"decompression stopped after {room:,} bytes: the limit" in problem for problem in source.problems)


def test_the_limit_grows_with_the_file_between_two_bounds() -> None:
    assert compressed.limit(1000) == 256 << 20
    assert compressed.limit(1 << 20) == 1000 << 20
    assert compressed.limit(1 << 40) == 64 << 30


def test_a_full_disk_leaves_the_packets_before(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    written = 0
    pwrite = os.pwrite

    def full(descriptor: int, data: bytes, offset: int) -> int:
        nonlocal written
        written += len(data)
        if written > 2_000_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwrite(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    monkeypatch.setattr(compressed, "PIECE", 100_000)
    found, source = read(write(gzip.compress(make(6000, 20), 1)))
    assert 0 < len(found) < 6000
    assert any("No space left on device" in problem for problem in source.problems)


@pytest.mark.parametrize("kind", KINDS)
def test_compressed_data_that_is_no_capture_is_refused(write: Write, kind: str) -> None:
    with pytest.raises(CaptureError, match="no pcap or pcapng file in it"):
        open_source(write(PACK[kind](b"hello world")))
    with pytest.raises(CaptureError):
        open_source(write(PACK[kind](b"")))


def test_the_spool_leaves_no_file_and_no_descriptor_behind(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spools = tmp_path / "spools"
    spools.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spools))
    path = write(gzip.compress(make(3000, 20)))
    before = open_descriptors()
    for whole in (True, False):
        source = open_source(path)
        assert list(spools.iterdir()) == []
        if whole:
            assert sum(len(records.off) for records in source.chunks()) == 3000
        source.close()
    assert open_descriptors() == before


def test_the_first_packets_come_before_the_rest_is_decompressed(write: Write) -> None:
    source = open_source(write(gzip.compress(make(20_000, 20), 1)))
    chunks = source.chunks()
    first = next(chunks)
    assert 0 < len(first.off) < 20_000
    assert source.consumed() < source.size // 2
    assert len(first.off) + sum(len(records.off) for records in chunks) == 20_000
    source.close()


def test_gzip_data_with_a_wrong_checksum_or_damage_late_still_gives_the_packets_before_it(write: Write) -> None:
    whole = make(6000, 20)
    plain, _ = read(write(whole))
    packed = bytearray(gzip.compress(whole))
    packed[-8] ^= 1
    found, source = read(write(bytes(packed)))
    assert found == plain
    assert len(source.problems) == 1
    assert "gzip data damaged" in source.problems[0]
    packed[len(packed) * 3 // 4] ^= 0xFF
    found, source = read(write(bytes(packed)))
    assert found[:len(plain) // 2] == plain[:len(plain) // 2]
    assert "damaged" in " ".join(source.problems)
