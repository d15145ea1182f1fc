"""Stream numbers: the rules found by experiment with tshark 4.0.17, each as a dialogue, and the tables below them."""
from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packet_bytes import A6, ACK, B6, FIN, IP6, RST, SYN, A, B, between, ethernet, icmp, indexed, ip4, ip6, run_in_chunks, streams, tcp, udp, write

from captures.index.stream_numbers import Addresses, PairTable

Said = tuple[int, int, int, int]
"""Side, flags, sequence number, acknowledgement."""

SHAKEN = [(0, SYN, 100, 0), (1, SYN | ACK, 500, 101), (0, ACK, 101, 501)]
DIALOGUES: dict[str, tuple[list[Said], list[int]]] = {
    "a SYN again is the same stream": ([(0, SYN, 100, 0), (0, SYN, 100, 0), (1, SYN | ACK, 500, 101)], [0, 0, 0]),
    "a SYN with another number opens a stream": ([(0, SYN, 100, 0), (0, SYN, 200, 0)], [0, 1]),
    "the same SYN after FIN is the same stream": ([*SHAKEN, (0, FIN | ACK, 101, 501), (0, SYN, 100, 0)], [0] * 5),
    "the same SYN after RST is the same stream": ([(0, SYN, 100, 0), (1, RST | ACK, 0, 101), (0, SYN, 100, 0)], [0] * 3),
    "another SYN after FIN opens a stream": ([*SHAKEN, (0, FIN | ACK, 101, 501), (0, SYN, 900, 0), (1, SYN | ACK, 7, 901)], [0, 0, 0, 0, 1, 1]),
    "both sides may begin": ([(0, SYN, 100, 0), (1, SYN, 300, 0)], [0, 0]),
    "what was acknowledged is a side's base": ([(0, ACK, 100, 300), (1, SYN, 299, 0)], [0, 0]),
    "a SYN beside what was acknowledged opens a stream": ([(0, ACK, 100, 300), (1, SYN, 300, 0)], [0, 1]),
    "midstream, the base is one before the first number": ([(0, ACK, 100, 300), (0, SYN, 99, 0)], [0, 0]),
    "midstream, a SYN with the first number opens a stream": ([(0, ACK, 100, 300), (0, SYN, 100, 0)], [0, 1]),
    "a SYN+ACK sets the base anew": ([*SHAKEN, (1, SYN | ACK, 700, 101), (1, SYN, 700, 0), (1, SYN, 500, 0)], [0, 0, 0, 0, 0, 1]),
    "a SYN+ACK may come first": ([(1, SYN | ACK, 500, 101), (0, SYN, 100, 0), (0, SYN, 101, 0)], [0, 0, 1]),
    "flags beside SYN do not matter": ([(0, SYN, 100, 0), (0, SYN | FIN, 101, 0), (0, SYN, 101, 0)], [0, 1, 1]),
}


@pytest.mark.parametrize("chunk", [65536, 2, 1])
@pytest.mark.parametrize("name", DIALOGUES)
def test_tcp_streams_open_as_in_tshark(name: str, chunk: int, tmp_path: Path) -> None:
    said, wanted = DIALOGUES[name]
    packets = [between(side, 6, tcp(*((1000, 80) if side == 0 else (80, 1000)), seq, ack, flags)) for side, flags, seq, ack in said]
    assert streams(indexed(tmp_path, packets, chunk=chunk)) == [f"tcp {number}" for number in wanted]


@pytest.mark.parametrize("chunk", [65536, 1])
def test_a_stream_tells_whether_its_ends_had_one_before(chunk: int, tmp_path: Path) -> None:
    packets = [between(0, 6, tcp(port, 80, seq, 0, SYN)) for port, seq in ((1, 5), (2, 5), (1, 6), (1, 7), (3, 5))]
    index = indexed(tmp_path, packets, chunk=chunk)
    assert [index.tcp.reuses(number) for number in range(5)] == [False, False, True, True, False]


def test_direction_0_is_that_of_the_first_packet_whichever_address_is_lower(tmp_path: Path) -> None:
    packets = [between(1, 6, tcp(80, 1000, 1, 1)), between(0, 6, tcp(1000, 80, 1, 1)), between(0, 17, udp(5, 6)), between(1, 17, udp(6, 5))]
    index = indexed(tmp_path, packets)
    assert index.columns.sd[:4].tolist() == [0, 1, 0, 1]
    assert index.tcp.ends(0) == ((b"\x0a\0\0\2", 80), (b"\x0a\0\0\1", 1000))
    assert index.udp.ends(0) == ((b"\x0a\0\0\1", 5), (b"\x0a\0\0\2", 6))


def test_tcp_and_udp_and_both_ip_versions_are_numbered_apart(tmp_path: Path) -> None:
    mapped = "::10.0.0.1", "::10.0.0.2"
    packets = [
        between(0, 6, tcp(1, 2)), between(0, 17, udp(1, 2)), ethernet(ip6(A6, B6, 6, tcp(1, 2)), IP6), ethernet(ip6(*mapped, 6, tcp(1, 2)), IP6),
        ethernet(ip6(B6, A6, 6, tcp(2, 1)), IP6), between(1, 6, tcp(2, 1)),
    ]
    index = indexed(tmp_path, packets)
    assert streams(index) == ["tcp 0", "udp 0", "tcp 1", "tcp 2", "tcp 1", "tcp 0"]
    assert (len(index.tcp), len(index.udp)) == (3, 1)
    assert [index.tcp.first(number) for number in range(3)] == [0, 2, 3]


def test_headers_quoted_in_icmp_errors_take_part_in_the_numbering(tmp_path: Path) -> None:
    lost = ip4(A, B, 17, udp(5000, 53, b"q" * 20))
    packets = [between(1, 1, icmp(lost[:28])), between(0, 17, udp(6000, 53)), ethernet(lost), between(1, 1, icmp(lost[:27]))]
    assert streams(indexed(tmp_path, packets)) == ["udp 0", "udp 1", "udp 0", ""]


def test_a_quoted_syn_opens_streams_but_sets_no_base(tmp_path: Path) -> None:
    syn = {seq: ip4(A, B, 6, tcp(5000, 80, seq, 0, SYN)) for seq in (100, 777)}
    packets = [ethernet(syn[100]), between(1, 1, icmp(syn[777])), ethernet(syn[100]), ethernet(syn[777])]
    for chunk in (4, 1):
        assert streams(indexed(tmp_path, packets, chunk=chunk)) == ["tcp 0", "tcp 1", "tcp 1", "tcp 2"]


def chatter(seed: int, count: int) -> list[bytes]:
    """A random mess on few addresses and numbers, so that every rule is met often."""
    draw = random.Random(seed)
    packets = []
    for _ in range(count):
        side, port = draw.randrange(2), draw.randrange(1, 4)
        flags = draw.choice([SYN, SYN, SYN | ACK, ACK, ACK, FIN | ACK, RST, RST | ACK, 0, SYN | FIN])
        segment = tcp(port if side == 0 else 80, 80 if side == 0 else port, draw.choice([0, 1, 100, 101, 0xFFFFFFFF]), draw.choice([0, 1, 100, 101]), flags)
        data = ip4(*((A, B) if side == 0 else (B, A)), 6, segment)
        packets.append(between(1 - side, 1, icmp(data)) if draw.random() < 0.1 else ethernet(data))
    return packets


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
@pytest.mark.parametrize("chunk", [65536, 50])
def test_a_random_mess_is_numbered_as_tshark_numbers_it(chunk: int, tmp_path: Path) -> None:
    name = write(tmp_path, chatter(7, 2000))
    command = ["tshark", "-n", "-r", str(name), "-T", "fields", "-e", "tcp.stream"]
    wanted = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    assert streams(run_in_chunks(name, chunk)) == [f"tcp {number}" for number in wanted]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 40))
def test_how_the_packets_come_in_chunks_does_not_matter(seed: int, chunk: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        file = write(Path(name), chatter(seed, 60))
        assert streams(run_in_chunks(file, chunk)) == streams(run_in_chunks(file, 65536))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, 6), st.sampled_from([0, 1, 1 << 63, (1 << 64) - 1])), max_size=60), max_size=5))
def test_pairs_are_numbered_as_a_dictionary_would(chunks: list[list[tuple[int, int]]]) -> None:
    table, known = PairTable(), {}
    for pairs in chunks:
        before = len(known)
        wanted = [known.setdefault(pair, len(known)) for pair in pairs]
        a, b = (np.array([pair[k] for pair in pairs], np.uint64) for k in (0, 1))
        ids, births = table.intern(a, b)
        assert ids.tolist() == wanted
        assert births.tolist() == [wanted.index(number) for number in range(before, len(known))]


def test_very_many_pairs_stay_exact_while_the_table_grows() -> None:
    table = PairTable()
    a = np.arange(300_000, dtype=np.uint64)
    for low in range(0, len(a), 65536):
        piece = a[low : low + 65536]
        assert np.array_equal(table.intern(piece, piece << np.uint64(32))[0], piece.astype(np.int64))
    assert np.array_equal(table.intern(a[::-1], a[::-1] << np.uint64(32))[0], np.arange(300_000)[::-1])


def test_addresses_come_back_from_their_ids() -> None:
    addresses = Addresses()
    halves = np.array([0xFD00 << 48, 0], np.uint64), np.array([1, 1], np.uint64)
    assert [addresses.packed(number) for number in addresses.six(*halves).tolist()] == [b"\xfd" + bytes(14) + b"\1", bytes(15) + b"\1"]
    assert addresses.packed(0x7F000001) == b"\x7f\0\0\1"
