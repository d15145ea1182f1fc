"""What the dissection of link, network and transport layers is given and gives back.

`captures` knows things about a packet that its bytes do not say (its number and times, its stream, where the relative sequence
numbers start, which datagram it completes); they come in as `Facts`. `Lower` goes back: the layers' nodes, and where the
payload of TCP or UDP lies.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from protocols.decoder import View
from protocols.engine.fields import Field


@dataclass(frozen=True, slots=True)
class TcpFacts:
    """What the stream tells about one TCP segment. `seq_base` and `ack_base` are the raw numbers that count as relative 0 (Wireshark's rule);
    `analysis` names findings as in `tcp.analysis.NAME`; `window_scale` is the shift in force for this sender, -1 unknown, -2 no scaling.
    Times in nanoseconds since the stream's first and previous packet. `acks_frame` is the frame that it acknowledges, after `ack_rtt` nanoseconds;
    `initial_rtt` is the handshake's time in nanoseconds; bytes are those sent and not acknowledged, and those since the last PSH flag. 0: nothing to tell.
    `completeness` are the bits of `tcp.completeness`: what was seen of the connection before, None where nobody looked."""

    seq_base: int
    ack_base: int
    analysis: tuple[str, ...] = ()
    window_scale: int = -1
    duplicate_ack: tuple[int, int] | None = None
    """(how many duplicates so far, frame number of the original ACK)"""
    since_first: int | None = None
    since_previous: int | None = None
    acks_frame: int = 0
    ack_rtt: int = 0
    initial_rtt: int = 0
    bytes_in_flight: int = 0
    push_bytes_sent: int = 0
    completeness: int | None = None


@dataclass(frozen=True, slots=True)
class Datagram:
    """An IP payload put together from fragments; `pieces` are (packet index, start in its frame, length, start in the payload)."""

    data: bytes
    pieces: tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Process:
    """A process that sent or received a packet, as the file names it; `number` is its PID."""

    number: int
    name: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class PacketOptions:
    """What the file says of one packet beside its bytes and times, None or empty where it does not: pcapng's options of a packet. `flags` are the 32 bits
    of epb_flags, `dropped` the packets lost since the one before, `verdicts` (kind, number or bytes), `owner` the process for which `process` acted."""

    comments: tuple[str, ...] = ()
    flags: int | None = None
    dropped: int | None = None
    queue: int | None = None
    identifier: int | None = None
    verdicts: tuple[tuple[int, int | bytes], ...] = ()
    process: Process | None = None
    owner: Process | None = None

    @property
    def fcs(self) -> int:
        """Bytes of frame check sequence at the frame's end, as the flags say; 0 where they do not say."""
        return (self.flags or 0) >> 5 & 15


NO_OPTIONS = PacketOptions()


def unnamed(address: bytes) -> str:
    """No name for any address."""
    return ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a packet beside its bytes. Times in nanoseconds, None where the file gives the packet none; `link` is the link type (DLT); `section`
    the pcapng section, from 1 on; `offset` where the packet's record starts in the (decompressed) file; `fcs` the bytes of frame check sequence at the
    frame's end, None where the file does not say; `stream` the TCP or UDP stream's number; `datagram` the whole IP payload when this packet completes a
    fragmented one."""

    number: int
    time: int | None
    wire: int
    link: int
    interface: str = ""
    interface_id: int | None = None
    description: str = ""
    section: int | None = None
    offset: int | None = None
    fcs: int | None = None
    options: PacketOptions = NO_OPTIONS
    name_of: Callable[[bytes], str] = unnamed
    """The name that the file gives a packed address, "" for none."""
    since_first: int | None = 0
    since_previous: int | None = 0
    stream: int | None = None
    tcp: TcpFacts | None = None
    datagram: Datagram | None = None
    quoted: int | None = None
    """The stream of the TCP or UDP header that this packet quotes, when it is an ICMP error."""


@dataclass(slots=True)
class Lower:
    """The layers below the application. `views` are byte views beyond the frame (index 1 on); `payload` is (view, start, end) of the
    TCP or UDP payload as far as it is captured; `protocol` and `info` are the list's columns as they stand without an application layer;
    `severity` is "error", "warning", "note" or "". `protocols` names the layers for `frame.protocols`: who adds a layer may append to it."""

    layers: list[Field]
    views: list[View] = field(default_factory=list)
    source: str = ""
    destination: str = ""
    protocol: str = ""
    info: str = ""
    transport: str = ""
    payload: tuple[int, int, int] | None = None
    severity: str = ""
    protocols: list[str] = field(default_factory=list)
