"""An open capture: the one object that the command line and the screens hold.

Opening reads the file's head. `read_index` finds the packets, in a thread of the caller's, while `len` grows; everything else is
made when it is asked for: a row of the list, a packet's tree, the messages of a stream. Streams that were read are kept, those used longest
ago dropped when together they hold too many messages.

Nothing here waits for a screen or knows of one: whoever must not wait asks with `ready_only` and has streams read elsewhere (`read_stream`).
"""
from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captures.file.errors import CaptureError
from captures.file.interface import Interface
from captures.file.opening import open_source
from captures.index.columns import Columns, PacketKind
from captures.index.endpoints import ends
from captures.index.index import Index
from captures.least_used import LeastUsed
from captures.messages.conversation import Conversation
from captures.messages.facts import Facts, FactsPending
from captures.messages.follow import Follow
from captures.messages.table import MessageTable
from captures.packet import packets, rows
from captures.packet.model import Packet, Row
from captures.stream.pair import tcp_pair, udp_pair
from captures.stream.places import Stream
from captures.stream.tcp_analysis import TcpAnalysis
from protocols.decoder import Decoder
from protocols.lower.facts import Lower
from protocols.registry import Registry

__all__ = ["Capture", "CaptureError"]

JUDGED = 64
"""Packets whose messages are read together in the search for an error."""
KEPT_MESSAGES = 2_000_000
"""Messages of all kept streams together."""


class StreamState:
    """A stream as read so far: the analysis of its segments (None for UDP) and its messages. `packets` of it were there when the capture had `seen`."""

    __slots__ = ("analysis", "conversation", "packets", "seen")

    def __init__(self, analysis: TcpAnalysis | None, conversation: Conversation, packets: int, seen: int) -> None:
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
        self.index = Index(self.source)
        """The packet index: columns, streams' numbers, where frames and payloads lie."""
        self.registry = registry or Registry()
        self._forced: dict[tuple[str, int], Decoder] = {}
        self._streams: LeastUsed[Stream, StreamState] = LeastUsed(KEPT_MESSAGES)
        self._lock = threading.RLock()
        self._decodings = 0     # how often the user has said how to decode
        self._facts = Facts(self._conversations, lambda: (self.complete, self._decodings))
        self._messages = self.version, MessageTable(self.conversation)
        self._loaded = threading.Event()

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
        return self.index.columns

    @property
    def complete(self) -> bool:
        """Whether the index has reached the end, or was stopped."""
        return self.index.complete

    @property
    def version(self) -> tuple[Any, ...]:
        """Changes whenever packets have come or streams are decoded differently: what was made from the capture holds as long as this is equal."""
        return len(self), self.complete, self._decodings

    def __len__(self) -> int:
        """Packets indexed so far."""
        return self.index.columns.count

    def read_index(self, stop: threading.Event | None = None) -> None:
        """Index to the end of the file, or until `stop` is set."""
        self.index.run(stop)

    def progress(self) -> float:
        """How much of the file is indexed, 0.0 - 1.0."""
        if self.complete or not self.source.size:
            return 1.0
        return min(1.0, self.source.consumed() / self.source.size)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Nothing of the capture changes meanwhile: no other thread is in the middle of reading. For forking."""
        with ExitStack() as held:
            held.enter_context(self._facts.frozen())
            held.enter_context(self._lock)
            held.enter_context(self.index.frozen())
            yield

    def close(self) -> None:
        self.source.close()

    # rows and packets

    def row(self, index: int, ready_only: bool = False) -> Row:
        """The list's line for a packet. With `ready_only` no stream is read for it: `Row.pending` says that the application layer may be missing."""
        i = self._checked(index)
        kind = int(self.index.columns.kind[i])
        if kind == PacketKind.OTHER:
            return self._dissected_row(i, None)
        state = self._state(i, ready_only)
        fragmented = i in self.index.datagrams
        if state is None:
            return rows.transport_row(self.index, i, None)._replace(pending=True)
        facts = state.analysis.facts(i) if state.analysis is not None else None
        syn = kind == PacketKind.TCP and int(self.index.columns.flags[i]) & 2
        row = self._dissected_row(i, state) if syn or fragmented else rows.transport_row(self.index, i, facts)
        if not ready_only:
            return rows.message_row(row, state.conversation)
        try:
            with self._facts.ready_only():
                return rows.message_row(row, state.conversation)
        except FactsPending:
            return row._replace(pending=True)

    def cold_row(self, index: int) -> Row:
        """A line from the columns alone, which needs neither decoders nor dissectors; `pending`, for a better one follows."""
        i = self._checked(index)
        c = self.index.columns
        if int(c.kind[i]) == PacketKind.OTHER:
            return Row(i + 1, c.time(i), None, "", "", "", "", int(c.wire[i]), "", pending=True)
        return rows.transport_row(self.index, i, None)._replace(pending=True)

    def packet(self, index: int, ready_only: bool = False) -> Packet:
        """The packet with its layers and byte views; with `ready_only` perhaps only the lower layers."""
        i = self._checked(index)
        state = self._state(i, ready_only) if self._has_messages(i) else None
        below = self._lower(i, state)
        row, conversation = self.row(i, ready_only), state.conversation if state else None
        if not ready_only:
            return packets.assemble(self.index, i, row, below, conversation)
        try:
            with self._facts.ready_only():
                return packets.assemble(self.index, i, row, below, conversation)
        except FactsPending:
            return packets.assemble(self.index, i, row, below, None)

    def lower(self, index: int, alone: bool = False) -> Lower:
        """The layers below the application; `alone` leaves out what only the packet's stream tells, and does not read the stream."""
        i = self._checked(index)
        return self._lower(i, None if alone or not self._has_messages(i) else self._state(i))

    def frame(self, index: int) -> bytes:
        """The captured bytes of a packet."""
        return self.index.frame(index)

    def stream_of(self, index: int) -> Stream | None:
        """The TCP or UDP stream of a packet."""
        c = self.index.columns
        sd = int(c.sd[index])
        return Stream("tcp" if int(c.kind[index]) == PacketKind.TCP else "udp", sd >> 1) if sd >= 0 else None

    def members(self, stream: Stream) -> NDArray[np.int64]:
        """The packets of a stream, in order."""
        return self.index.packets_of(stream.transport, stream.number)

    def conversation(self, number: int, transport: str = "tcp") -> Conversation:
        """The TCP or UDP stream with this number, read as messages."""
        stream = Stream("udp" if transport == "udp" else "tcp", number)
        return self._read(stream, int(self.members(stream)[0])).conversation

    def conversation_of(self, index: int, ready_only: bool = False) -> Conversation | None:
        """The conversation of a packet's stream, read at least as far as the packet; None for other packets, and with `ready_only` where it is not read."""
        state = self._state(index, ready_only) if self._has_messages(index) else None
        return state.conversation if state is not None else None

    def layer(self, stream: Stream) -> Conversation:
        """The conversation of a stream's layer. Raises KeyError, its text the layers that there are, where it has no such layer."""
        outermost = self.conversation(stream.number, stream.transport)
        if not stream.layer:
            return outermost
        layers = {one.decoder.name: one for one in reversed(list(outermost.layers())) if one.decoder is not None}
        if stream.layer not in layers:
            raise KeyError(", ".join(reversed(layers)) or "none")
        return layers[stream.layer]

    def follow(self, stream: Stream) -> Follow:
        """The stream in turns. Raises KeyError as `layer` does."""
        return Follow(self.index, stream, self.layer(stream))

    def streams(self, transport: str) -> int:
        """How many TCP or UDP streams there are."""
        return len(self.index.tcp if transport == "tcp" else self.index.udp)

    # ways from packet to packet

    def peer_packet(self, index: int) -> int | None:
        """The packet in which the response to this packet's first paired request ends, or the request of its response; the innermost layer counts."""
        conversation = self.conversation_of(index)
        for layer in reversed(list(conversation.layers())) if conversation is not None else ():
            for message in layer.of_packet(index):
                if message.peer is not None:
                    return message.peer.packet
        return None

    def neighbour(self, index: int, step: int) -> int | None:
        """The next (1) or previous (-1) packet of the same stream."""
        stream = self.stream_of(index)
        if stream is None:
            return None
        members = self.members(stream)
        at = int(np.searchsorted(members, index)) + step
        return int(members[at]) if 0 <= at < len(members) else None

    def errors(self, index: int, step: int) -> Iterator[int | None]:
        """Search for the next packet with an error from `index` on: None for each packet without (so that the search can be given up), then the packet."""
        c, count = self.index.columns, len(self)
        span = slice(index + 1, count) if step > 0 else slice(0, index)
        candidates = np.flatnonzero((c.kind[span] != PacketKind.OTHER) & (c.plen[span] > 0)) + (index + 1 if step > 0 else 0)
        ordered = candidates[::step]
        for low in range(0, len(ordered), JUDGED):
            block = ordered[low:low + JUDGED]
            erring = self._erring(np.sort(block))
            for i in block.tolist():
                if i in erring:
                    yield i
                    return
                yield None

    def _erring(self, packets: NDArray[np.int64]) -> set[int]:
        """Those of some packets (ascending) in which a message ends that is shown as an error."""
        found: set[int] = set()
        for _, _, ours in self.index.by_stream(packets):
            conversation = self.conversation_of(int(ours[-1]))
            for layer in conversation.layers() if conversation is not None else ():
                rows = layer.messages.in_packets(ours)
                if len(rows):
                    words = self.messages.words(layer)
                    words.read(rows)
                    found.update(layer.messages.packet[rows[words.errors(rows)]].tolist())
        return found

    def decode_as(self, transport: str, port: int, protocol: str | None) -> None:
        """Read all streams with this port as `protocol` from now on; None leaves them to recognition again.
        `transport` is "tcp", "udp", or the filter name of a protocol that carries others (the ports are then those of the stream beneath it).
        Raises KeyError for a protocol that is not known."""
        decoder = None if protocol is None else self.registry.get(protocol)
        with self._lock:
            if decoder is None:
                self._forced.pop((transport, port), None)
            else:
                self._forced[transport, port] = decoder
            self._decodings += 1
            self._streams.clear()

    def decoded_as(self, transport: str, port: int) -> str | None:
        """The protocol that `decode_as` was last told for a port; None where recognition decides."""
        decoder = self._forced.get((transport, port))
        return None if decoder is None else decoder.name

    def recognised(self, stream: Stream) -> list[tuple[Decoder, int, str]]:
        """Every decoder with its score and reason for a stream, best first."""
        return self.layer(stream).candidates(self.registry.decoders())

    @property
    def messages(self) -> MessageTable:
        """The messages of all streams; another table when packets have come or streams are decoded differently."""
        version, table = self._messages
        if version != self.version:
            table = MessageTable(self.conversation)
            self._messages = self.version, table
        return table

    # streams, read once

    def read_stream(self, stream: Stream, wait: bool = True) -> bool:
        """Read a stream, as far as the capture is indexed. Without `wait` it is left, and False given, while another thread is reading."""
        if not self._lock.acquire(blocking=wait):
            return False
        try:
            self._read(stream, len(self) - 1)
        finally:
            self._lock.release()
        return True

    def _conversations(self) -> Iterator[Conversation]:
        """All streams that may carry messages."""
        for transport in ("tcp", "udp"):
            for number in range(self.streams(transport)):
                yield self.conversation(number, transport)

    @property
    def loaded(self) -> bool:
        """Whether decoders and dissectors are loaded; the first row or stream that needs them loads them, which takes a while."""
        return self._loaded.is_set()

    def load(self) -> list[Decoder]:
        """All decoders; the first call loads them, and the dissectors."""
        if not self._loaded.is_set():
            from protocols.lower import link  # noqa: F401

            with self._lock:
                self.registry.decoders()
            self._loaded.set()
        return self.registry.decoders()

    def _checked(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return index

    def _has_messages(self, i: int) -> bool:
        return int(self.index.columns.kind[i]) != PacketKind.OTHER

    def _dissected_row(self, i: int, state: StreamState | None) -> Row:
        below = self._lower(i, state)
        c = self.index.columns
        row = rows.lower_row(below, i, c.time(i), int(c.wire[i]))
        if int(c.sd[i]) < 0:
            return row
        source, destination = ends(self.index, int(c.kind[i]), int(c.sd[i]))
        return row._replace(source=source, destination=destination)

    def _lower(self, i: int, state: StreamState | None) -> Lower:
        return packets.lower(self.index, i, state.analysis.facts(i) if state is not None and state.analysis is not None else None)

    def _state(self, i: int, ready_only: bool = False) -> StreamState | None:
        """The stream of packet `i`, read at least as far as this packet."""
        stream = self.stream_of(i)
        assert stream is not None
        state = self._streams.get(stream)
        if state is not None and self._fresh(state, stream, i):
            return state
        return None if ready_only else self._read(stream, i)

    def _fresh(self, state: StreamState, stream: Stream, i: int) -> bool:
        if state.seen == len(self) or (not self.complete and i < state.seen):
            return True
        if self.complete and state.packets == len(self.members(stream)):
            state.seen = len(self)
            return True
        return False

    def _read(self, stream: Stream, i: int) -> StreamState:
        """The stream, read at least as far as packet `i`."""
        with self._lock:
            state = self._streams.get(stream)
            if state is not None and self._fresh(state, stream, i):
                return state
            seen = len(self)
            count = len(self.members(stream))
            table = self.index.tcp if stream.transport == "tcp" else self.index.udp
            ports = [port for _, port in table.ends(stream.number)]
            forced = {transport: decoder for (transport, port), decoder in self._forced.items() if port in ports}
            pair = (tcp_pair if stream.transport == "tcp" else udp_pair)(self.index, stream.number)
            conversation = Conversation(pair, self.load(), forced, self._facts)
            state = StreamState(TcpAnalysis(self.index, stream.number) if stream.transport == "tcp" else None, conversation, count, seen)
            self._streams.put(stream, state, len(conversation.messages))
            return state
