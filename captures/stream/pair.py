"""The two directions of a conversation, and what is known around them: whose packets they came in, when, and between which ends.

A pair is all that `captures.messages.conversation` is given: it does not know whether TCP, UDP or another decoder made the streams.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from captures.stream.byte_stream import ByteStream, Ints
from captures.stream.datagrams import datagrams
from captures.stream.reassembly import ACK, SYN, reassemble

if TYPE_CHECKING:
    from captures.index.index import Index

__all__ = ["StreamPair", "tcp_pair", "udp_pair"]


@dataclass(frozen=True, slots=True)
class StreamPair:
    """`directions` by direction bit; `first` is the bit of the side that opened the stream, or was seen first. `transport` is "tcp", "udp" or the filter
    name of the protocol that carries the streams; `base` and `stream` are the transport stream beneath it all, by tshark's number. `ports` are those of
    the first side and of the other one. `hint` is what the carrying decoder says of the bytes; `depth` how many streams are around this one."""

    index: Index
    transport: str
    base: Literal["tcp", "udp"]
    stream: int
    directions: tuple[ByteStream, ByteStream]
    first: int
    ports: tuple[int, int]
    hint: str = ""
    depth: int = 0

    def acknowledged(self, packets: Ints) -> Ints:
        """The acknowledgement numbers of packets, as sequence numbers (32 bits) of the side that they go to; -1 where there is none."""
        columns = self.index.columns
        if self.base != "tcp":
            return np.full(len(packets), -1, np.int64)
        return np.where(columns.flags[packets] & ACK, columns.ack[packets].astype(np.int64), -1)


def tcp_pair(index: Index, stream: int) -> StreamPair:
    """TCP stream `stream`. It was opened by the side with the SYN, or the other one than that of the SYN-ACK; else by the side seen first."""
    first = 0
    packets = index.packets_of("tcp", stream)[:4]
    for flags, sd in zip(index.columns.flags[packets].tolist(), index.columns.sd[packets].tolist(), strict=True):
        if flags & SYN:
            first = (int(sd) & 1) ^ (1 if flags & ACK else 0)
            break
    return StreamPair(index, "tcp", "tcp", stream, reassemble(index, stream), first, _ports(index, int(packets[0]), first))


def udp_pair(index: Index, stream: int) -> StreamPair:
    """UDP stream `stream`; the side seen first counts as the one that opened it."""
    packet = int(index.packets_of("udp", stream)[0])
    first = int(index.columns.sd[packet]) & 1
    return StreamPair(index, "udp", "udp", stream, datagrams(index, stream), first, _ports(index, packet, first))


def _ports(index: Index, packet: int, first: int) -> tuple[int, int]:
    """The ports of side `first` and of the other one, from any packet of the stream."""
    source, destination = int(index.columns.sport[packet]), int(index.columns.dport[packet])
    return (source, destination) if int(index.columns.sd[packet]) & 1 == first else (destination, source)
