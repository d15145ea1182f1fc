"""The way from a frame's bytes to its layers: which layer reads what a header names.

Layers are looked up in one table by (kind of number, number) and run one after another in a loop, so that nesting costs no
stack; a packet quoted inside an ICMP error runs through the same loop into a list of its own. What no layer reads is data.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable

from protocols.engine import fields
from protocols.engine.fields import Field, Spec
from protocols.lower import arp, cooked, ethernet, frame, icmp, icmpv6, ipv4, ipv6, layer, link_shims, tcp, udp
from protocols.lower.facts import Facts, Lower
from protocols.lower.layer import Dissection, Next

PROTOCOLS = (
    ("frame", "Frame"), ("eth", "Ethernet"), ("vlan", "802.1Q Virtual LAN"), ("llc", "Logical-Link Control"), ("sll", "Linux cooked-mode capture"),
    ("null", "Null/Loopback"), ("ieee8021ad", "IEEE 802.1ad"), ("ppp", "Point-to-Point Protocol"), ("pppoe", "PPP-over-Ethernet Session"),
    ("mpls", "MultiProtocol Label Switching Header"), ("fddi", "Fiber Distributed Data Interface"), ("chdlc", "Cisco HDLC"),
    ("arp", "Address Resolution Protocol"), ("ip", "Internet Protocol Version 4"), ("ipv6", "Internet Protocol Version 6"),
    ("icmp", "Internet Control Message Protocol"), ("icmpv6", "Internet Control Message Protocol v6"), ("tcp", "Transmission Control Protocol"),
    ("ah", "Authentication Header"), ("udp", "User Datagram Protocol"), ("data", "Data"),
)
MODULES = (frame, ethernet, cooked, link_shims, arp, ipv4, ipv6, icmp, icmpv6, tcp, udp)

Layer = Callable[[Dissection, int, int], Next | None]
LAYERS: dict[tuple[str, int], Layer] = {
    ("link", 0): cooked.dissect_null, ("link", 108): cooked.dissect_null,
    ("link", 1): ethernet.dissect,
    ("link", 12): cooked.dissect_raw, ("link", 14): cooked.dissect_raw, ("link", 101): cooked.dissect_raw,
    ("link", 113): cooked.dissect_sll, ("link", 276): cooked.dissect_sll2,
    ("link", 228): ipv4.dissect, ("link", 229): ipv6.dissect,
    ("llc", 0): ethernet.dissect_llc, ("ip-in-llc", 0x06): ipv4.dissect,
    **{("ethertype", number): ethernet.dissect_vlan for number in (0x8100, 0x9100)},
    ("ethertype", 0x88A8): ethernet.dissect_outer,
    ("link", 9): link_shims.ppp, ("link", 10): link_shims.fddi, ("link", 104): link_shims.chdlc, ("ppp", 0): link_shims.ppp,
    ("ethertype", 0x8864): link_shims.pppoe, ("ethertype", 0x8847): link_shims.mpls, ("ethertype", 0x8848): link_shims.mpls,
    ("ethertype", 0x0806): arp.dissect, ("ethertype", 0x8035): arp.dissect,
    ("ethertype", 0x0800): ipv4.dissect, ("ethertype", 0x86DD): ipv6.dissect,
    ("ip", 1): icmp.dissect, ("ip", 58): icmpv6.dissect, ("ip", 6): tcp.dissect, ("ip", 17): udp.dissect,
    ("ip", 4): ipv4.dissect, ("ip", 41): ipv6.dissect,
    **{("ip", number): extension for number, extension in ipv6.EXTENSIONS.items()},
}
# more layers than any real packet has: a chain of tags made to be long ends as data
DEEPEST = 500


def dissect(data: bytes, facts: Facts) -> Lower:
    """The layers of the frame `data`, of which `facts.wire` bytes were on the wire. Never raises."""
    lower = Lower([])
    walk = Dissection(data, facts, lower)
    walk.quotes = quoted
    frame.dissect(walk)
    end = max(facts.wire, len(data))
    if ("link", facts.link) in LAYERS:
        run(walk, Next("link", facts.link, 0, end))
    else:
        walk.columns(f"DLT {facts.link}", f"{len(data)} bytes of link type {facts.link}")
        walk.rest(0, end)
    if walk.covered < len(data) and lower.layers[-1].view == 0 and facts.link not in TRAILING:
        leftover(lower, walk, data)
    return lower


# links whose own node shows what follows the network layer's packet
TRAILING = frozenset((1, 113, 276))


def leftover(lower: Lower, walk: Dissection, data: bytes) -> None:
    """Bytes behind the packet on a link that knows no padding."""
    end = max(one.end for one in lower.layers[1:]) if len(lower.layers) > 1 else 0
    start = max(end, walk.covered)
    if 0 < start < len(data):
        lower.layers.append(fields.group(layer.DATA, start, len(data), layer.unread(data, start, len(data)), f"Trailer ({len(data) - start:,} bytes)"))


def run(walk: Dissection, after: Next | None) -> None:
    """Run the layers from `after` on."""
    for _ in range(DEEPEST):
        if after is None:
            return
        reader = LAYERS.get((after.kind, after.key))
        if reader is None:
            break
        if after.start >= min(after.end, len(walk.data)):
            walk.layers.append(walk.missing(after.start, 1, after.end))      # a layer without a byte is none
            return
        after = reader(walk, after.start, after.end)
    if after is not None:
        unread(walk, after)


def unread(walk: Dissection, after: Next) -> None:
    """What follows has no layer here: name it in the columns, show its bytes."""
    if after.kind == "ethertype" and after.key:
        name = ethernet.ETHERTYPES.get(after.key, "Unknown")
        walk.columns(ethernet.SHORT.get(after.key, f"0x{after.key:04x}"), name if name != "Unknown" else "Ethernet II")
    elif after.kind == "ip":
        name = ipv4.SHORT.get(after.key, "")
        walk.columns(name or walk.lower.protocol, f"{ipv4.PROTOCOLS.get(after.key, 'Unknown')} ({after.key})")
    walk.rest(after.start, after.end)


def quoted(walk: Dissection, after: Next) -> list[Field]:
    """The layers of the packet that an error message quotes."""
    inner = Dissection(walk.data, walk.facts, walk.lower, walk.view, True)
    inner.layers = []
    inner.quotes = quoted
    if not walk.quoted:
        run(inner, after)
    return inner.layers


def specs() -> Iterable[tuple[str, Spec]]:
    """Every field that these layers can yield, with the name of its protocol."""
    for module in MODULES:
        for spec in module.SPECS:
            yield spec.name.partition(".")[0], spec
    for spec in (layer.DATA, layer.DATA_LENGTH, layer.LIMITED, *fields.COMMON):
        yield spec.name.partition(".")[0], spec
