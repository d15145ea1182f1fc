"""Large captures made from a seed: the same arguments give the same bytes.

    python tests/benchmarks/make_capture.py --packets 1000000 --conns 2000 --pcap big.pcap --pcapng big.pcapng

Ethernet, IPv4, and for most packets TCP: handshake, data with an acknowledgement for every second segment, teardown; sequence numbers
and checksums are right, some segments are sent again or overtake each other, some tuples of addresses and ports are used twice.
ZooKeeper on 2181 (session, requests, pings, watch events, pipelining), Redis on 6379, unnamed bytes on 7000, and DNS over UDP.
The first packet comes five seconds before the upper half of the seconds changes. A frame is a few microseconds of plain Python.
"""
from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from struct import Struct, pack

MSS = 1448
START = (25_940 << 16) * 10**6 - 5 * 10**6      # microseconds since 1970
FIN, SYN, PUSH, ACK = 1, 2, 8, 16
TCP, UDP = 6, 17
RETRANSMITTED, OVERTAKEN, REUSED, DATAGRAMS = 0.012, 0.02, 0.02, 0.03     # shares
OPEN = 100                                      # conversations open at once
SERVERS = {"zookeeper": (2181, 3), "redis": (6379, 2), "bytes": (7000, 2)}
SHARES = {"zookeeper": 60, "redis": 25, "bytes": 15}

IP = Struct(">BBHHHBBH4s4s")
TCP_HEADER = Struct(">HHIIBBHHH")
TIMESTAMPS = Struct(">HHII")
Exchange = tuple[bytes, bytes]                  # what the client sends, what the server answers
Tuple4 = tuple[bytes, int, bytes, int]


def checksum(*parts: bytes) -> int:
    """The Internet checksum (RFC 1071) of the parts joined; all but the last are of even length."""
    joined = b"".join(parts)
    total = int.from_bytes(joined + b"\0" * (len(joined) & 1), "big") % 0xFFFF
    return 0xFFFF - total


def words(random: Random, size: int) -> bytes:
    """Text of `size` bytes."""
    names = (b"alpha", b"bravo", b"delta", b"echo", b"golf")
    return b" ".join(b"%s-%06x" % (random.choice(names), random.getrandbits(24)) for _ in range(size // 12 + 1))[:size]


class Texts:
    """Texts of many sizes, made once: making them anew would be most of the work."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.pool = words(random, 1 << 16)

    def take(self, low: int, high: int) -> bytes:
        size = self.random.randint(low, high)
        start = self.random.randrange(len(self.pool) - size)
        return self.pool[start : start + size]


def buffer(data: bytes) -> bytes:
    """A jute buffer or string: length and bytes."""
    return pack(">i", len(data)) + data


def zookeeper(random: Random, texts: Texts) -> Iterator[Exchange]:
    """A ZooKeeper 3.8 session: connect, then requests in batches of one to six, answered in order."""
    session, zxid, xid = random.getrandbits(62), random.getrandbits(33), 0
    password = random.randbytes(16)
    yield (
        buffer(pack(">iqiq", 0, 0, 30_000, 0) + buffer(bytes(16)) + b"\0"),
        buffer(pack(">iiq", 0, 30_000, session) + buffer(password) + b"\0"),
    )
    acl = pack(">ii", 1, 31) + buffer(b"world") + buffer(b"anyone")
    while True:
        sent, answered = [], []
        for _ in range(random.choice((1, 1, 1, 2, 6))):
            zxid += 1
            stat = pack(">qqqqiiiqiiq", zxid, zxid, START // 1000, START // 1000, 1, 0, 0, 0, 32, 0, zxid)
            path = buffer(b"/services/%s/%05d" % (random.choice((b"orders", b"payments", b"search", b"users")), random.randrange(20_000)))
            kind = random.random()
            if kind < 0.1:
                sent.append(buffer(pack(">ii", -2, 11)))
                answered.append(buffer(pack(">iqi", -2, zxid, 0)))
                continue
            xid += 1
            reply = pack(">iqi", xid, zxid, 0)
            if kind < 0.5:
                code, body, result = 4, path + b"\0", buffer(texts.take(40, 1200)) + stat
            elif kind < 0.6:
                code, body, result = 3, path + b"\1", stat
            elif kind < 0.65:
                code, body, result, reply = 3, path + b"\1", b"", pack(">iqi", xid, zxid, -101)
            elif kind < 0.75:
                code, body, result = 5, path + buffer(texts.take(40, 2500)) + pack(">i", -1), stat
            elif kind < 0.85:
                children = [buffer(b"child-%07d" % n) for n in range(random.randrange(120))]
                code, body, result = 12, path + b"\0", pack(">i", len(children)) + b"".join(children) + stat
            elif kind < 0.95:
                code, body, result = 1, path + buffer(texts.take(20, 400)) + acl + pack(">i", 0), path
            else:
                code, body, result = 2, path + pack(">i", -1), b""
                answered.append(buffer(pack(">iqi", -1, -1, 0) + pack(">ii", 2, 3) + path))     # the watch on it fires first
            sent.append(buffer(pack(">ii", xid, code) + body))
            answered.append(buffer(reply + result))
        yield b"".join(sent), b"".join(answered)


def redis(random: Random, texts: Texts) -> Iterator[Exchange]:
    """GET and SET in RESP2, now and then pipelined."""
    while True:
        sent, answered = [], []
        for _ in range(random.choice((1, 1, 4))):
            key, value = b"key:%06d" % random.randrange(10**6), texts.take(10, 3000)
            bulk = b"$%d\r\n%s\r\n" % (len(value), value)
            if random.random() < 0.7:
                sent.append(b"*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n" % (len(key), key))
                answered.append(bulk)
            else:
                sent.append(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n%s" % (len(key), key, bulk))
                answered.append(b"+OK\r\n")
        yield b"".join(sent), b"".join(answered)


def unnamed(random: Random, texts: Texts) -> Iterator[Exchange]:
    """Bytes of no protocol: a short request, a long answer."""
    while True:
        yield random.randbytes(random.randint(8, 64)), random.randbytes(random.randint(200, 20_000))


PROTOCOLS = {"zookeeper": zookeeper, "redis": redis, "bytes": unnamed}


class Host:
    """Makes the frames of one conversation. Direction 0 goes from client to server."""

    def __init__(self, random: Random, ends: Tuple4) -> None:
        client, client_port, server, server_port = ends
        macs = b"\2\0" + client, b"\2\0" + server
        self.ethernet = macs[1] + macs[0] + b"\x08\0", macs[0] + macs[1] + b"\x08\0"
        self.addresses = (client, server), (server, client)
        self.ports = (client_port, server_port), (server_port, client_port)
        self.seq = [random.getrandbits(32), random.getrandbits(32)]
        self.identification = [random.getrandbits(16), random.getrandbits(16)]

    def frame(self, way: int, protocol: int, body: bytes) -> bytes:
        """An Ethernet frame with an IPv4 header before `body`."""
        self.identification[way] = number = (self.identification[way] + 1) & 0xFFFF
        source, target = self.addresses[way]
        header = IP.pack(0x45, 0, 20 + len(body), number, 0x4000, 64, protocol, 0, source, target)
        return b"".join((self.ethernet[way], header[:10], checksum(header).to_bytes(2, "big"), header[12:], body))

    def segment(self, way: int, flags: int, now: int, payload: bytes = b"") -> bytes:
        """The next TCP segment; takes its sequence numbers."""
        options = TIMESTAMPS.pack(0x0101, 0x080A, now // 1000 & 0xFFFFFFFF, 0)
        if flags & SYN:
            options = pack(">HHBBBB", 0x0204, 1460, 1, 3, 3, 7) + options
        length = 20 + len(options) + len(payload)
        acknowledged = self.seq[1 - way] if flags & ACK else 0
        header = TCP_HEADER.pack(*self.ports[way], self.seq[way], acknowledged, (20 + len(options)) << 2, flags, 502, 0, 0)
        total = checksum(*self.addresses[way], pack(">HH", TCP, length), header, options, payload)
        self.seq[way] = (self.seq[way] + len(payload) + (flags & SYN != 0) + (flags & FIN)) & 0xFFFFFFFF
        return self.frame(way, TCP, b"".join((header[:16], total.to_bytes(2, "big"), header[18:], options, payload)))

    def datagram(self, way: int, payload: bytes) -> bytes:
        """A UDP datagram."""
        header = pack(">HHHH", *self.ports[way], 8 + len(payload), 0)
        total = checksum(*self.addresses[way], pack(">HH", UDP, 8 + len(payload)), header, payload) or 0xFFFF
        return self.frame(way, UDP, header[:6] + total.to_bytes(2, "big") + payload)


def conversation(random: Random, texts: Texts, protocol: str, ends: Tuple4, length: int, clock: list[int]) -> Iterator[list[bytes]]:
    """The bursts of a TCP connection of about `length` packets; `clock[0]` is the time now."""
    host = Host(random, ends)
    yield [host.segment(0, SYN, clock[0])]
    yield [host.segment(1, SYN | ACK, clock[0])]
    yield [host.segment(0, ACK, clock[0])]
    sent, again = 3, []
    for exchange in PROTOCOLS[protocol](random, texts):
        for way, data in enumerate(exchange):
            burst = []
            for full, start in enumerate(range(0, len(data), MSS), 1):
                last = start + MSS >= len(data)
                burst.append(host.segment(way, ACK | PUSH if last else ACK, clock[0], data[start : start + MSS]))
                if random.random() < RETRANSMITTED:
                    again.append(burst[-1])
                elif full >= 2 and not last and random.random() < OVERTAKEN:
                    burst[-2:] = burst[:-3:-1]
                if full % 2 == 0:
                    burst.append(host.segment(1 - way, ACK, clock[0]))
            sent += len(burst)
            yield burst
        if again:
            yield again
            again = []
        if sent >= length:
            break
    yield [host.segment(0, FIN | ACK, clock[0])]
    yield [host.segment(1, FIN | ACK, clock[0])]
    yield [host.segment(0, ACK, clock[0])]


def lookup(random: Random, client: bytes) -> list[bytes]:
    """A DNS query for an address, and its answer."""
    host = Host(random, (client, random.randrange(32_768, 61_000), b"\x0a\0\0\x35", 53))
    identifier = random.getrandbits(16)
    question = b"\x05host%d\7example\3com\0" % random.randrange(10) + pack(">HH", 1, 1)
    answer = pack(">HHHIH", 0xC00C, 1, 1, 300, 4) + random.randbytes(4)
    return [
        host.datagram(0, pack(">HHHHHH", identifier, 0x0100, 1, 0, 0, 0) + question),
        host.datagram(1, pack(">HHHHHH", identifier, 0x8180, 1, 1, 0, 0) + question + answer),
    ]


def frames(packets: int, connections: int, seed: int) -> Iterator[tuple[int, bytes]]:
    """`packets` times in microseconds since 1970, each with its frame."""
    random = Random(seed)
    texts, clock = Texts(random), [START]
    mean = max(packets / connections, 1)
    closed: list[tuple[str, Tuple4]] = []
    running: list[tuple[tuple[str, Tuple4], Iterator[list[bytes]]]] = []
    kinds, shares = list(SHARES), list(SHARES.values())
    count = opened = 0
    while count < packets:
        while not running or (len(running) < OPEN and opened * mean < count + OPEN * mean and opened < connections):
            if closed and random.random() < REUSED:
                who = closed.pop(random.randrange(len(closed)))
            else:
                kind = random.choices(kinds, shares)[0]
                port, servers = SERVERS[kind]
                client = pack(">BBH", 10, 1, random.randrange(1, 2000))
                who = kind, (client, random.randrange(32_768, 61_000), pack(">BBH", 10, 2, random.randrange(1, servers + 1)), port)
            running.append((who, conversation(random, texts, *who, int(random.expovariate(1 / mean)), clock)))
            opened += 1
        at = random.randrange(len(running))
        who, bursts = running[at]
        burst = lookup(random, who[1][0]) if random.random() < DATAGRAMS else next(bursts, None)
        if burst is None:
            running[at] = running[-1]
            running.pop()
            closed.append(who)
            continue
        for frame in burst[: packets - count]:
            clock[0] += random.randrange(2, 40)
            yield clock[0], frame
        count += len(burst)


PCAP_HEADER = pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)
PCAPNG_HEADER = pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28) + pack("<IIHHII", 1, 20, 1, 0, 262_144, 20)


def pcap_record(time: int, frame: bytes) -> bytes:
    return pack("<IIII", *divmod(time, 10**6), len(frame), len(frame)) + frame


def pcapng_block(time: int, frame: bytes) -> bytes:
    length = 32 + (len(frame) + 3 & ~3)
    return pack("<IIIIIII", 6, length, 0, time >> 32, time & 0xFFFFFFFF, len(frame), len(frame)) + frame + b"\0" * (-len(frame) & 3) + pack("<I", length)


def make(packets: int, connections: int = 20, seed: int = 1) -> bytes:
    """A small capture as the bytes of a pcap file."""
    return PCAP_HEADER + b"".join(pcap_record(*item) for item in frames(packets, connections, seed))


def write(items: Iterable[tuple[int, bytes]], pcap: Path | None, pcapng: Path | None) -> None:
    """Write the same frames to either file or both."""
    kinds = (pcap, PCAP_HEADER, pcap_record), (pcapng, PCAPNG_HEADER, pcapng_block)
    outputs = [(path.open("wb", 1 << 20), header, record) for path, header, record in kinds if path is not None]
    try:
        for file, header, _ in outputs:
            file.write(header)
        for time, frame in items:
            for file, _, record in outputs:
                file.write(record(time, frame))
    finally:
        for file, _, _ in outputs:
            file.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a large capture made from a seed.")
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--conns", type=int, help="TCP connections; packets / 500 unless given")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pcap", type=Path)
    parser.add_argument("--pcapng", type=Path)
    options = parser.parse_args()
    if options.pcap is None and options.pcapng is None:
        sys.exit("nothing to write: give --pcap or --pcapng")
    connections = options.conns or max(options.packets // 500, 1)
    write(frames(options.packets, connections, options.seed), options.pcap, options.pcapng)


if __name__ == "__main__":
    main()
