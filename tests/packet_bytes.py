"""Packets written by the protocols' own rules, and an index of them, for the tests of headers, streams and fragments."""
from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from struct import pack

from capture_bytes import Sent, pcap

from captures.file.opening import open_source
from captures.index.index import Index

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
A, B = "10.0.0.1", "10.0.0.2"
A6, B6 = "fd00::1", "fd00::2"
IP4, IP6 = 0x0800, 0x86DD
MORE = 0x2000


def tcp(sport: int, dport: int, seq: int = 0, ack: int = 0, flags: int = ACK, data: bytes = b"", words: int = 5, window: int = 1000) -> bytes:
    """A segment; `words` is the header's length as it says, options fill what is beyond five."""
    return pack(">HHIIHHHH", sport, dport, seq, ack, words << 12 | flags, window, 0, 0) + b"\1" * max(0, words * 4 - 20) + data


def udp(sport: int, dport: int, data: bytes = b"", length: int | None = None) -> bytes:
    return pack(">HHHH", sport, dport, 8 + len(data) if length is None else length, 0) + data


def ip4(
    source: str, destination: str, protocol: int, data: bytes, identity: int = 1, fragment: int = 0, total: int | None = None, options: bytes = b"",
) -> bytes:
    length = 20 + len(options) + len(data) if total is None else total
    head = pack(">BBHHHBBH", 0x45 + len(options) // 4, 0, length, identity, fragment, 64, protocol, 0)
    return head + ip_address(source).packed + ip_address(destination).packed + options + data


def ip6(source: str, destination: str, following: int, data: bytes, length: int | None = None) -> bytes:
    head = pack(">IHBB", 6 << 28, len(data) if length is None else length, following, 64)
    return head + ip_address(source).packed + ip_address(destination).packed + data


def ethernet(data: bytes, kind: int = IP4) -> bytes:
    return bytes(12) + pack(">H", kind) + data


def icmp(quoted: bytes, kind: int = 3) -> bytes:
    return pack(">BBHI", kind, 3, 0, 0) + quoted


def between(side: int, protocol: int, data: bytes) -> bytes:
    """An Ethernet frame from A to B (side 0) or back (1)."""
    return ethernet(ip4(*((A, B) if side == 0 else (B, A)), protocol, data))


def write(path: Path, packets: Sequence[bytes | Sent], link: int = 1) -> Path:
    """A pcap file in folder `path`."""
    sent = [one if isinstance(one, Sent) else Sent(i, one) for i, one in enumerate(packets)]
    name = path / f"made-{link}.pcap"
    name.write_bytes(pcap(sent, link=link))
    return name


def indexed(path: Path, packets: Sequence[bytes | Sent], link: int = 1, chunk: int = 65536) -> Index:
    """The complete index of packets written to folder `path`, read at most `chunk` at a time."""
    return run_in_chunks(write(path, packets, link), chunk)


def run_in_chunks(name: Path, chunk: int) -> Index:
    source = open_source(name)
    whole = source.chunks()

    def pieces():  # type: ignore[no-untyped-def]
        for records in whole:
            for i in range(0, len(records.off), chunk):
                columns = (getattr(records, column)[i : i + chunk] for column in ("off", "ts", "cap", "wire", "iface"))
                yield type(records)(*columns)

    source.chunks = pieces  # type: ignore[method-assign]
    index = Index(source)
    index.run()
    source.close()
    return index


def streams(index: Index) -> list[str]:
    """Each packet's stream as tshark prints it: `tcp 3`, `udp 0`, that of a quoted header, or nothing."""
    c, shown = index.columns, []
    for i in range(c.count):
        if c.sd[i] >= 0:
            shown.append(f"{'tcp' if c.kind[i] == 1 else 'udp'} {c.sd[i] >> 1}")
        else:
            shown.append("{} {}".format(*index.inner_streams[i]) if i in index.inner_streams else "")
    return shown
