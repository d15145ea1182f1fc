"""The words for TCP segments and UDP datagrams in the packet list, from numbers alone: no bytes are read here, and no dpkt is loaded."""
from __future__ import annotations

from collections.abc import Sequence

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE = (1 << i for i in range(9))
FLAG_NAMES = ((FIN, "FIN"), (SYN, "SYN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"), (URG, "URG"), (ECE, "ECE"), (CWR, "CWR"), (AE, "AE"), (0xE00, "Reserved"))
FLAG_LETTERS = "RRRACEUAPRSF"


def flag_names(flags: int) -> str:
    """`SYN, ACK`; `<None>` where no bit is set."""
    return ", ".join(name for bit, name in FLAG_NAMES if flags & bit) or "<None>"


def flag_letters(flags: int) -> str:
    """`·······A··S·`: a letter for each of the twelve bits that is set."""
    return "".join(letter if flags >> 11 - i & 1 else "·" for i, letter in enumerate(FLAG_LETTERS))

# name -> (words in the Info column, words in the tree, severity), in the order in which Wireshark puts the words before the line
FINDINGS = {
    "retransmission": ("TCP Retransmission", "This frame is a (suspected) retransmission", "note"),
    "fast_retransmission": ("TCP Fast Retransmission", "This frame is a (suspected) fast retransmission", "note"),
    "spurious_retransmission": ("TCP Spurious Retransmission", "This frame is a (suspected) spurious retransmission", "note"),
    "out_of_order": ("TCP Out-Of-Order", "This frame is a (suspected) out-of-order segment", "warning"),
    "reused_ports": ("TCP Port numbers reused", "A new tcp session is started with the same ports as an earlier session in this trace", "note"),
    "lost_segment": ("TCP Previous segment not captured", "Previous segment(s) not captured (common at capture start)", "warning"),
    "ack_lost_segment": ("TCP ACKed unseen segment", "ACKed segment that wasn't captured (common at capture start)", "warning"),
    "window_update": ("TCP Window Update", "TCP window update", ""),
    "window_full": ("TCP Window Full", "TCP window specified by the receiver is now completely full", "warning"),
    "keep_alive": ("TCP Keep-Alive", "TCP keep-alive segment", "note"),
    "keep_alive_ack": ("TCP Keep-Alive ACK", "ACK to a TCP keep-alive segment", "note"),
    "duplicate_ack": ("TCP Dup ACK", "Duplicate ACK", "note"),
    "zero_window_probe": ("TCP ZeroWindowProbe", "TCP Zero Window Probe", "note"),
    "zero_window": ("TCP ZeroWindow", "TCP Zero Window segment", "warning"),
    "zero_window_probe_ack": ("TCP ZeroWindowProbeAck", "ACK to a TCP Zero Window Probe", "note"),
}


def tcp_line(sport: int, dport: int, flags: int, seq: int, ack: int, win: int, length: int, analysis: Sequence[str] = (),
             duplicate: tuple[int, int] | None = None, urgent: int = 0, options: str = "") -> str:
    """The Info column: `seq` and `ack` relative, `win` scaled, `length` the payload in bytes, `duplicate` as in `TcpFacts.duplicate_ack`."""
    line = f"{sport} → {dport} [{flag_names(flags)}] Seq={seq}"
    if flags & ACK:
        line += f" Ack={ack}"
    line += f" Win={win}"
    if flags & URG:
        line += f" Urg={urgent}"
    line += f" Len={length}{options}"
    for name in FINDINGS:
        if name in analysis:
            words = FINDINGS[name][0]
            if name == "duplicate_ack" and duplicate is not None:
                words += f" {duplicate[1]}#{duplicate[0]}"
            line = f"[{words}] {line}"
    return line


def severity(analysis: Sequence[str], flags: int = 0) -> str:
    """The worst of the findings' levels; a reset is a warning."""
    levels = {FINDINGS[name][2] for name in analysis if name in FINDINGS}
    return "warning" if "warning" in levels or flags & RST else "note" if "note" in levels else ""


def scaled(window: int, flags: int, shift: int) -> int:
    """The window in bytes; that of a SYN is never scaled (RFC 7323 section 2.2)."""
    return window << shift if shift > 0 and not flags & SYN else window


def udp_line(sport: int, dport: int, length: int) -> str:
    """The Info column of a datagram with `length` bytes of payload."""
    return f"{sport} → {dport} Len={length}"
