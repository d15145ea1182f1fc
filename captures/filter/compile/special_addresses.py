"""Addresses with a special purpose, by the IANA registries of IPv4 and IPv6 special-purpose addresses (RFC 6890 and its updates)."""
from __future__ import annotations

from ipaddress import ip_network

__all__ = ["special_name"]

REGISTRY = {
    "ipv4": (
        ("0.0.0.0/32", "This host on this network"), ("0.0.0.0/8", "This network"), ("10.0.0.0/8", "Private-Use"), ("100.64.0.0/10", "Shared Address Space"),
        ("127.0.0.0/8", "Loopback"), ("169.254.0.0/16", "Link Local"), ("172.16.0.0/12", "Private-Use"), ("192.0.0.0/29", "IPv4 Service Continuity Prefix"),
        ("192.0.0.8/32", "IPv4 dummy address"), ("192.0.0.9/32", "Port Control Protocol Anycast"),
        ("192.0.0.10/32", "Traversal Using Relays around NAT Anycast"), ("192.0.0.170/31", "NAT64/DNS64 Discovery"),
        ("192.0.0.0/24", "IETF Protocol Assignments"),
        ("192.0.2.0/24", "Documentation (TEST-NET-1)"), ("192.31.196.0/24", "AS112-v4"), ("192.52.193.0/24", "AMT"),
        ("192.88.99.0/24", "Deprecated (6to4 Relay Anycast)"), ("192.168.0.0/16", "Private-Use"), ("192.175.48.0/24", "Direct Delegation AS112 Service"),
        ("198.18.0.0/15", "Benchmarking"), ("198.51.100.0/24", "Documentation (TEST-NET-2)"), ("203.0.113.0/24", "Documentation (TEST-NET-3)"),
        ("255.255.255.255/32", "Limited Broadcast"), ("240.0.0.0/4", "Reserved"),
    ),
    "ipv6": (
        ("::1/128", "Loopback Address"), ("::/128", "Unspecified Address"), ("::ffff:0:0/96", "IPv4-mapped Address"), ("64:ff9b::/96", "IPv4-IPv6 Translat."),
        ("64:ff9b:1::/48", "IPv4-IPv6 Translat."), ("100::/64", "Discard-Only Address Block"), ("2001::/32", "TEREDO"),
        ("2001:1::1/128", "Port Control Protocol Anycast"), ("2001:1::2/128", "Traversal Using Relays around NAT Anycast"), ("2001:2::/48", "Benchmarking"),
        ("2001:3::/32", "AMT"), ("2001:4:112::/48", "AS112-v6"), ("2001:10::/28", "Deprecated (previously ORCHID)"), ("2001:20::/28", "ORCHIDv2"),
        ("2001:30::/28", "Drone Remote ID Protocol Entity Tags (DETs) Prefix"), ("2001:db8::/32", "Documentation"), ("2001::/23", "IETF Protocol Assignments"),
        ("2002::/16", "6to4"), ("2620:4f:8000::/48", "Direct Delegation AS112 Service"), ("3fff::/20", "Documentation"),
        ("5f00::/16", "Segment Routing (SRv6) SIDs"),
        ("fc00::/7", "Unique-Local"), ("fe80::/10", "Link-Local Unicast"),
    ),
}
"""Kind of address -> (block, name as registered), the narrower block first."""
BLOCKS = {kind: [(int(net.network_address), int(net.netmask), name) for block, name in rows if (net := ip_network(block))] for kind, rows in REGISTRY.items()}


def special_name(address: int, kind: str) -> str | None:
    """What the address is for; None for an ordinary one."""
    return next((name for start, mask, name in BLOCKS[kind] if address & mask == start), None)
