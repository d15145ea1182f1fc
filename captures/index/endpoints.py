"""Addresses with their ports, as text."""
from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

from captures.index.columns import PacketKind
from captures.index.index import Index

__all__ = ["endpoint", "ends", "stream_ends"]


@lru_cache(8192)
def endpoint(address: bytes, port: int) -> str:
    """`10.0.0.1:2181`, `[fd77::1]:2181`."""
    shown = str(ip_address(address))
    return f"[{shown}]:{port}" if len(address) == 16 else f"{shown}:{port}"


def stream_ends(index: Index, transport: str, stream: int) -> tuple[str, str]:
    """The two ends of a TCP or UDP stream, by direction bit of what they send."""
    table = index.tcp if transport == "tcp" else index.udp
    a, b = (endpoint(*end) for end in table.ends(stream))
    return a, b


def ends(index: Index, kind: int, sd: int) -> tuple[str, str]:
    """Source and destination of a packet of this kind with stream and direction `sd`."""
    a, b = stream_ends(index, "tcp" if kind == PacketKind.TCP else "udp", sd >> 1)
    return (b, a) if sd & 1 else (a, b)
