"""TCP options (RFC 9293 section 3.2; IANA "TCP Option Kind Numbers"): a kind of one byte, alone or before a length.

`words` gives what the Info column says of them, `fields` the tree; both walk the options in the same way and stop at the
first that does not fit.
"""
from __future__ import annotations

from collections.abc import Iterator

from protocols.engine.fields import Field, Spec, generated, group, malformed, raw

KINDS = {
    0: "End of Option List (EOL)", 1: "No-Operation (NOP)", 2: "Maximum segment size", 3: "Window scale", 4: "SACK permitted", 5: "SACK", 6: "Echo",
    7: "Echo reply", 8: "Timestamps", 9: "Partial Order Connection Permitted", 10: "Partial Order Service Profile", 11: "CC", 12: "CC.NEW", 13: "CC.ECHO",
    14: "TCP Alternate Checksum Request", 15: "TCP Alternate Checksum Data", 19: "TCP MD5 signature", 20: "SCPS capabilities",
    21: "Selective Negative Acknowledgment", 27: "Quick-Start Response",
    28: "User Timeout", 29: "TCP Authentication Option", 30: "Multipath TCP", 34: "TCP Fast Open", 172: "Accurate ECN Order 0", 174: "Accurate ECN Order 1",
    253: "RFC3692-style Experiment 1", 254: "RFC3692-style Experiment 2",
}
EOL, NOP, MSS, SCALE, SACK_PERMITTED, SACK, TIMESTAMPS, MD5, AUTHENTICATION, MULTIPATH, FAST_OPEN = 0, 1, 2, 3, 4, 5, 8, 19, 29, 30, 34
EXPERIMENTAL_FAST_OPEN = 0xF989  # RFC 7413 section 4.1.1 before the option had a kind of its own

KIND = Spec("tcp.option_kind", "Kind", "uint8", KINDS)
LENGTH = Spec("tcp.option_len", "Length", "uint8")
# a group a kind, by the name that Wireshark gives it
GROUPS = {
    EOL: Spec("tcp.options.eol", "TCP Option - End of Option List (EOL)"), NOP: Spec("tcp.options.nop", "TCP Option - No-Operation (NOP)"),
    MSS: Spec("tcp.options.mss", "TCP Option - Maximum segment size"), SCALE: Spec("tcp.options.wscale", "TCP Option - Window scale"),
    SACK_PERMITTED: Spec("tcp.options.sack_perm", "TCP Option - SACK permitted"), SACK: Spec("tcp.options.sack", "TCP Option - SACK"),
    TIMESTAMPS: Spec("tcp.options.timestamp", "TCP Option - Timestamps"), MD5: Spec("tcp.options.md5", "TCP Option - TCP MD5 signature"),
    AUTHENTICATION: Spec("tcp.options.ao", "TCP Option - TCP Authentication Option"), MULTIPATH: Spec("tcp.options.mptcp", "TCP Option - Multipath TCP"),
    FAST_OPEN: Spec("tcp.options.tfo", "TCP Option - TCP Fast Open"),
}
UNKNOWN = Spec("tcp.options.unknown", "TCP Option - Unknown")
MSS_VALUE = Spec("tcp.options.mss_val", "MSS Value", "uint16")
SHIFT = Spec("tcp.options.wscale.shift", "Shift count", "uint8")
MULTIPLIER = Spec("tcp.options.wscale.multiplier", "Multiplier", "uint16")
SACK_LEFT = Spec("tcp.options.sack_le", "TCP SACK Left Edge", "uint32", about="Counted from the stream's first sequence number")
SACK_RIGHT = Spec("tcp.options.sack_re", "TCP SACK Right Edge", "uint32", about="Counted from the stream's first sequence number")
SACK_COUNT = Spec("tcp.options.sack.count", "TCP SACK Count", "uint8")
STAMP = Spec("tcp.options.timestamp.tsval", "Timestamp value", "uint32")
STAMP_ECHO = Spec("tcp.options.timestamp.tsecr", "Timestamp echo reply", "uint32")
DIGEST = Spec("tcp.options.md5.digest", "MD5 digest", "bytes")
KEY = Spec("tcp.options.ao.keyid", "AO KeyID", "uint8")
NEXT_KEY = Spec("tcp.options.ao.rnextkeyid", "AO RNextKeyID", "uint8")
MAC = Spec("tcp.options.ao.mac", "AO MAC", "bytes")
COOKIE_REQUEST = Spec("tcp.options.tfo.request", "Fast Open Cookie Request")
COOKIE = Spec("tcp.options.tfo.cookie", "Fast Open Cookie", "bytes")
SUBTYPE = Spec("tcp.options.mptcp.subtype", "Multipath TCP subtype", "uint8", {
    0: "Multipath Capable", 1: "Join Connection", 2: "Data Sequence Signal", 3: "Add Address", 4: "Remove Address", 5: "Change Subflow Priority",
    6: "TCP Fallback", 7: "Fast Close", 8: "Reset Subflow",
}, mask=0xF0)
MULTIPATH_DATA = Spec("tcp.options.mptcp.rawdata", "Option data", "bytes")
EXPERIMENT = Spec("tcp.options.experimental.exid", "Experiment Identifier", "uint16", base="hex")
PAYLOAD = Spec("tcp.options.unknown.payload", "Payload", "bytes")
SPECS = (
    KIND, LENGTH, *GROUPS.values(), UNKNOWN, MSS_VALUE, SHIFT, MULTIPLIER, SACK_LEFT, SACK_RIGHT, SACK_COUNT, STAMP, STAMP_ECHO, DIGEST, KEY, NEXT_KEY, MAC,
    COOKIE_REQUEST, COOKIE, SUBTYPE, MULTIPATH_DATA, EXPERIMENT, PAYLOAD,
)

Option = tuple[int, int, int]
FOUR = 0xFFFFFFFF


def walk(data: bytes, at: int, end: int) -> Iterator[Option]:
    """(kind, start, size) of every option; a size of 0 says that the option does not fit and nothing can be read behind it."""
    while at < end:
        kind = data[at]
        if kind in (EOL, NOP):
            yield kind, at, 1
            if kind == EOL:
                return
            at += 1
            continue
        size = data[at + 1] if at + 1 < end else 0
        if size < 2 or at + size > end:
            yield kind, at, 0
            return
        yield kind, at, size
        at += size


def number(data: bytes, at: int, size: int = 4) -> int:
    return int.from_bytes(data[at:at + size])


def words(data: bytes, at: int, end: int, base: int = 0) -> str:
    """What the Info column says, each with a blank before it; edges of SACK count from `base`."""
    out = ""
    for kind, start, size in walk(data, at, end):
        if kind == MSS and size == 4:
            out += f" MSS={number(data, start + 2, 2)}"
        elif kind == SCALE and size == 3:
            out += f" WS={1 << min(data[start + 2], 14)}"
        elif kind == SACK_PERMITTED and size == 2:
            out += " SACK_PERM"
        elif kind == TIMESTAMPS and size == 10:
            out += f" TSval={number(data, start + 2)} TSecr={number(data, start + 6)}"
        elif kind == SACK and size > 2 and size % 8 == 2:
            for edge in range(start + 2, start + size, 8):
                out += f" SLE={number(data, edge) - base & FOUR} SRE={number(data, edge + 4) - base & FOUR}"
        elif kind == FAST_OPEN and size:
            out += " TFO=R" if size == 2 else " TFO=C"
        elif kind == MD5 and size == 18:
            out += " MD5"
    return out


def window_shift(data: bytes, at: int, end: int) -> int:
    """The window scale option's shift, at most 14 (RFC 7323 section 2.3); -2 where there is none."""
    return next((min(data[start + 2], 14) for kind, start, size in walk(data, at, end) if kind == SCALE and size == 3), -2)


def title(data: bytes, at: int, end: int) -> str:
    names = [KINDS.get(kind, f"Unknown ({kind})") for kind, _, _ in walk(data, at, end)]
    return f"Options: ({end - at} bytes), {', '.join(names)}"


def fields(data: bytes, at: int, end: int, view: int, base: int = 0) -> list[Field]:
    """One group an option; what does not fit is malformed. Edges of SACK count from `base`."""
    out: list[Field] = []
    now = at
    for kind, start, size in walk(data, at, end):
        spec = GROUPS.get(kind, UNKNOWN)
        name = KINDS.get(kind, f"Unknown ({kind})")
        below = [Field(KIND, kind, start, 1, view)]
        if size == 0:
            out.append(group(spec, start, end, [*below, malformed(start + 1, "a length that does not fit", end, view)], f"TCP Option - {name}", view))
            return out
        now = start + size
        text = ""
        if size > 1:
            below.append(Field(LENGTH, size, start + 1, 1, view))
            text = _content(data, kind, start + 2, now, below, view, base)
        out.append(group(spec, start, now, below, f"TCP Option - {name}{text}", view))
    if now < end:
        out.append(raw(data, now, end, view, f"Padding: {data[now:end].hex()}"))
    return out


def _content(data: bytes, kind: int, at: int, end: int, out: list[Field], view: int, base: int) -> str:
    """Append what stands behind kind and length; gives the words behind the option's name."""
    size = end - at
    if kind == MSS and size == 2:
        value = number(data, at, 2)
        out.append(Field(MSS_VALUE, value, at, 2, view))
        return f": {value} bytes"
    if kind == SCALE and size == 1:
        shift = data[at]
        factor = 1 << min(shift, 14)
        out.extend((Field(SHIFT, shift, at, 1, view), generated(MULTIPLIER, factor, at=at, view=view)))
        return f": {shift} (multiply by {factor})"
    if kind == TIMESTAMPS and size == 8:
        value, echo = number(data, at), number(data, at + 4)
        out.extend((Field(STAMP, value, at, 4, view), Field(STAMP_ECHO, echo, at + 4, 4, view)))
        return f": TSval {value}, TSecr {echo}"
    if kind == SACK and size and size % 8 == 0:
        text = ""
        for edge in range(at, end, 8):
            left, right = number(data, edge) - base & FOUR, number(data, edge + 4) - base & FOUR
            out.extend((Field(SACK_LEFT, left, edge, 4, view), Field(SACK_RIGHT, right, edge + 4, 4, view)))
            text += f" {left}-{right}"
        out.append(Field(SACK_COUNT, size // 8, at, 0, view, (), f"[TCP SACK Count: {size // 8}]"))
        return text
    if kind == MD5 and size == 16:
        out.append(Field(DIGEST, data[at:end], at, size, view))
        return ""
    if kind == AUTHENTICATION and size >= 2:
        out.extend((Field(KEY, data[at], at, 1, view), Field(NEXT_KEY, data[at + 1], at + 1, 1, view)))
        if size > 2:
            out.append(Field(MAC, data[at + 2:end], at + 2, size - 2, view))
        return ""
    if kind == FAST_OPEN:
        out.append(Field(COOKIE, data[at:end], at, size, view) if size else Field(COOKIE_REQUEST, None, at, 0, view))
        return ": Cookie Request" if not size else f": Cookie {data[at:end].hex()}"
    if kind == MULTIPATH and size:
        out.append(Field(SUBTYPE, data[at] >> 4, at, 1, view))
        out.append(Field(MULTIPATH_DATA, data[at:end], at, size, view))
        return f": {SUBTYPE.shown(data[at] >> 4)}"
    if kind in (253, 254) and size >= 2:
        identifier = number(data, at, 2)
        out.append(Field(EXPERIMENT, identifier, at, 2, view))
        at, size = at + 2, size - 2
        if identifier == EXPERIMENTAL_FAST_OPEN and size:
            out.append(Field(COOKIE, data[at:end], at, size, view))
            return f": Fast Open Cookie {data[at:end].hex()}"
    if size:
        out.append(Field(PAYLOAD, data[at:end], at, size, view))
    return ""
