"""An open capture: the one object that the command line and the screens hold.

Opening reads the file's head. `index` finds the packets, in a thread of the caller's, while `len` grows; everything else is
made when it is asked for: a row of the list, a packet's tree, the messages of a stream. Streams that were read are kept, the
least used ones dropped when together they hold too many messages.
"""
from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from captures.file.errors import CaptureError
from captures.file.interface import Interface
from captures.file.opening import open_source
from captures.index.columns import Columns, PacketKind
from captures.index.index import Index
from captures.messages.conversation import Conversation
from captures.packet import packets, rows
from captures.packet.model import Packet, Row, Stream
from captures.stream.follow import Follow
from captures.stream.tcp_analysis import TcpAnalysis
from protocols.decoder import Decoder
from protocols.lower.facts import Lower
from protocols.registry import Registry

__all__ = ["Capture", "CaptureError"]

KEPT_MESSAGES = 2_000_000
SMALL_STREAM = 2_000
PATIENCE = 0.02
"""Without `wait`, a stream of at most SMALL_STREAM packets is read at once, as long as not more than PATIENCE seconds went by so in a tenth of a second."""


class StreamState:
    """A TCP stream as read so far: its analysis and its messages."""

    __slots__ = ("analysis", "conversation", "packets", "seen")

    def __init__(self, analysis: TcpAnalysis, conversation: Conversation, packets: int, seen: int) -> None:
        self.analysis = analysis
        self.conversation = conversation
        self.packets = packets
        self.seen = seen


class Capture:
    """Packets by index from 0 (the numbers shown are from 1)."""

    def __init__(self, path: Path | str, registry: Registry | None = None) -> None:
        """Raises CaptureError, its text one line for the user."""
        self.path = Path(path)
        self.source = open_source(self.path)
        self._index = Index(self.source)
        self.registry = registry or Registry()
        self._forced: dict[tuple[str, int], Decoder] = {}
        self._streams: OrderedDict[int, StreamState] = OrderedDict()
        self._kept = 0
        self._lock = threading.RLock()
        self._wanted: list[int] = []
        self._wake = threading.Condition()
        self._reader: threading.Thread | None = None
        self._spent = (0.0, 0.0)
        self._warm = threading.Event()
        """Set when decoders and dissectors are loaded. What does not wait does not load them: the first rows come sooner."""

    @property
    def format(self) -> str:
        return self.source.format

    @property
    def problems(self) -> list[str]:
        """What is wrong with the file, a line each."""
        return self.source.problems

    @property
    def interfaces(self) -> list[Interface]:
        return self.source.interfaces

    @property
    def columns(self) -> Columns:
        """The packet index; see `captures.index.columns` for what holds while it grows."""
        return self._index.columns

    @property
    def complete(self) -> bool:
        """Whether the index has reached the end, or was stopped."""
        return self._index.complete

    def __len__(self) -> int:
        """Packets indexed so far."""
        return self._index.columns.count

    def index(self, stop: threading.Event | None = None) -> None:
        """Index to the end of the file, or until `stop` is set."""
        self._index.run(stop)

    def progress(self) -> float:
        """How much of the file is indexed, 0.0 - 1.0."""
        if self.complete or not self.source.size:
            return 1.0
        return min(1.0, self.source.consumed() / self.source.size)

    def close(self) -> None:
        self.source.close()

    # rows and packets

    def row(self, index: int, wait: bool = True) -> Row:
        """The list's line for a packet. Without `wait` the application layer may still be missing: `pending` says so."""
        i = self._checked(index)
        kind = int(self._index.columns.kind[i])
        if not wait and not self._warm.is_set():
            return self._cold_row(i, kind)
        fragmented = i in self._index.datagrams
        if kind == PacketKind.OTHER or (fragmented and kind != PacketKind.TCP):
            return self._dissected_row(i, wait)
        if kind == PacketKind.UDP:
            return rows.transport_row(self._index, i, None)
        read = self._read(i, wait)
        if read is None:
            return rows.transport_row(self._index, i, None)._replace(pending=True)
        facts = read.analysis.facts(i)
        syn = int(self._index.columns.flags[i]) & 2
        row = self._dissected_row(i, wait) if syn or fragmented else rows.transport_row(self._index, i, facts)
        return rows.message_row(row, read.conversation, read.conversation.of_packet(i))

    def _cold_row(self, i: int, kind: int) -> Row:
        """A row from the columns alone; pending, for a better one follows."""
        self._ask(None)
        if kind == PacketKind.OTHER:
            c = self._index.columns
            return Row(i + 1, int(c.ts[i]), None, "", "", "", "", int(c.wire[i]), "", pending=True)
        return rows.transport_row(self._index, i, None)._replace(pending=True)

    def packet(self, index: int, wait: bool = True) -> Packet:
        """The packet with its layers and byte views; without `wait` perhaps only the lower layers."""
        i = self._checked(index)
        read = self._read(i, wait) if self._is_tcp(i) else None
        below = self._lower(i, read)
        return packets.assemble(self._index, i, self.row(i, wait), below, read.conversation if read else None)

    def lower(self, index: int, alone: bool = False) -> Lower:
        """The layers below the application; `alone` leaves out what only the packet's stream tells, and does not read the stream."""
        i = self._checked(index)
        return self._lower(i, None if alone or not self._is_tcp(i) else self._read(i, True))

    def stream_of(self, index: int) -> Stream | None:
        c = self._index.columns
        sd = int(c.sd[index])
        return Stream("tcp" if int(c.kind[index]) == PacketKind.TCP else "udp", sd >> 1) if sd >= 0 else None

    def conversation(self, number: int) -> Conversation:
        """The TCP stream with this number, read as messages."""
        read = self._stream(number, int(self._index.packets_of("tcp", number)[0]), wait=True)
        assert read is not None
        return read.conversation

    def follow(self, stream: Stream) -> Follow:
        """The stream as a dialogue."""
        if stream.transport == "tcp":
            return Follow(self._index, stream, self.conversation(stream.number))
        return Follow(self._index, stream, None)

    def streams(self, transport: str) -> int:
        """How many TCP or UDP streams there are."""
        return len(self._index.tcp if transport == "tcp" else self._index.udp)

    # ways from packet to packet

    def partner(self, index: int) -> int | None:
        """The packet in which the response to this packet's first paired request ends, or the request of its response."""
        if not self._is_tcp(index):
            return None
        read = self._read(index, True)
        if read is not None:
            for pdu in read.conversation.of_packet(index):
                if pdu.peer is not None:
                    return pdu.peer.packet
        return None

    def neighbour(self, index: int, step: int) -> int | None:
        """The next (1) or previous (-1) packet of the same stream."""
        stream = self.stream_of(index)
        if stream is None:
            return None
        members = self._index.packets_of(stream.transport, stream.number)
        at = int(np.searchsorted(members, index)) + step
        return int(members[at]) if 0 <= at < len(members) else None

    def errors(self, index: int, step: int) -> Iterator[int | None]:
        """Search for the next packet with an error from `index` on; yields None while searching (so that it can be given up), then the packet."""
        c, count = self._index.columns, len(self)
        span = slice(index + 1, count) if step > 0 else slice(0, index)
        candidates = np.flatnonzero((c.kind[span] == PacketKind.TCP) & (c.plen[span] > 0)) + (index + 1 if step > 0 else 0)
        clock = time.monotonic()
        for i in candidates[::step].tolist():
            read = self._read(i, True)
            if read is not None and any(read.conversation.severity(pdu) == "error" for pdu in read.conversation.of_packet(i)):
                yield i
                return
            if time.monotonic() - clock > PATIENCE:
                yield None
                clock = time.monotonic()

    def decode_as(self, transport: str, port: int, protocol: str) -> None:
        """Read all streams with this port as `protocol` from now on. Raises KeyError for a protocol that is not known."""
        decoder = self.registry.get(protocol)
        with self._lock:
            self._forced[transport, port] = decoder
            self._streams.clear()
            self._kept = 0

    def recognised(self, number: int) -> list[tuple[Decoder, int, str]]:
        """Every decoder with its score and reason for a TCP stream, best first."""
        return self.conversation(number).candidates(self.registry.decoders())

    # streams, read once

    def _checked(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return index

    def _is_tcp(self, i: int) -> bool:
        return int(self._index.columns.kind[i]) == PacketKind.TCP

    def _dissected_row(self, i: int, wait: bool) -> Row:
        below = self._lower(i, self._read(i, wait) if self._is_tcp(i) else None)
        c = self._index.columns
        row = rows.lower_row(below, i, int(c.ts[i]), int(c.wire[i]))
        if int(c.sd[i]) < 0:
            return row
        source, destination = rows.ends(self._index, int(c.kind[i]), int(c.sd[i]))
        return row._replace(source=source, destination=destination)

    def _lower(self, i: int, read: StreamState | None) -> Lower:
        return packets.lower(self._index, i, read.analysis.facts(i) if read else None)

    def _read(self, i: int, wait: bool) -> StreamState | None:
        return self._stream(int(self._index.columns.sd[i]) >> 1, i, wait)

    def _stream(self, number: int, i: int, wait: bool) -> StreamState | None:
        """The stream, read at least as far as packet `i`."""
        read = self._streams.get(number)
        if read is not None and self._fresh(read, number, i):
            return read
        if wait:
            with self._lock:
                return self._make(number, i)
        if self._may_read_now(number) and self._lock.acquire(blocking=False):
            try:
                before = time.monotonic()
                made = self._make(number, i)
                since, spent = self._spent
                self._spent = (since, spent + time.monotonic() - before)
                return made
            finally:
                self._lock.release()
        self._ask(number)
        return None

    def _fresh(self, read: StreamState, number: int, i: int) -> bool:
        if read.seen == len(self) or (not self.complete and i < read.seen):
            return True
        if self.complete and read.packets == len(self._index.packets_of("tcp", number)):
            read.seen = len(self)
            return True
        return False

    def _may_read_now(self, number: int) -> bool:
        now = time.monotonic()
        since, spent = self._spent
        if now - since > 0.1:
            self._spent = since, spent = now, 0.0
        return spent < PATIENCE and len(self._index.packets_of("tcp", number)) <= SMALL_STREAM

    def _make(self, number: int, i: int) -> StreamState:
        read = self._streams.get(number)
        if read is not None and self._fresh(read, number, i):
            self._streams.move_to_end(number)
            return read
        seen = len(self)
        members = len(self._index.packets_of("tcp", number))
        table = self._index.tcp.ends(number)
        forced = next((self._forced[key] for _, port in table if (key := ("tcp", port)) in self._forced), None)
        conversation = Conversation(self._index, number, self._load(), forced)
        read = StreamState(TcpAnalysis(self._index, number), conversation, members, seen)
        old = self._streams.pop(number, None)
        self._streams[number] = read
        self._kept += len(conversation.pdus) - (len(old.conversation.pdus) if old else 0)
        while self._kept > KEPT_MESSAGES and len(self._streams) > 1:
            _, dropped = self._streams.popitem(last=False)
            self._kept -= len(dropped.conversation.pdus)
        return read

    def _ask(self, number: int | None) -> None:
        """Have the stream (if any) read beside the caller, the newest wish first."""
        with self._wake:
            if number is not None:
                if number in self._wanted:
                    self._wanted.remove(number)
                self._wanted.append(number)
                del self._wanted[:-100]
            if self._reader is None:
                self._reader = threading.Thread(target=self._read_wanted, name="streams", daemon=True)
                self._reader.start()
            self._wake.notify()

    def _load(self) -> list[Decoder]:
        """All decoders; the first call loads them, and the dissectors."""
        if not self._warm.is_set():
            from protocols.lower import link  # noqa: F401

            with self._lock:
                self.registry.decoders()
            self._warm.set()
        return self.registry.decoders()

    def _read_wanted(self) -> None:
        self._load()
        while True:
            with self._wake:
                while not self._wanted:
                    self._wake.wait()
                number = self._wanted.pop()
            with self._lock:
                self._make(number, len(self) - 1)

