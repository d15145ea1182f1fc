"""An open capture: the one object that the command line and the screens hold.

Opening reads the file's head. `index` finds the packets, in a thread of the caller's, while `count` grows; everything else is
made when it is asked for: a row of the list, a packet's tree, the messages of a stream.
"""
from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from captures.model import Interface, Packet, Row, Stream


class CaptureError(Exception):
    """The file cannot be opened as a capture; the message is one line for the user."""


class Capture:
    """Packets by index from 0 (numbers shown are from 1)."""

    path: Path
    format: str                  # "pcap", "pcapng", "pcapng (gzip)" ...
    problems: list[str]          # one line each: what is wrong with the file, for status bar and stderr
    interfaces: list[Interface]
    complete: bool               # the index has reached the end (or was stopped)

    def __init__(self, path: Path | str) -> None:
        """Raises CaptureError."""
        raise NotImplementedError

    def __len__(self) -> int:
        """Packets indexed so far."""
        raise NotImplementedError

    def index(self, stop: threading.Event | None = None) -> None:
        """Index to the end of the file, or until `stop` is set."""
        raise NotImplementedError

    def progress(self) -> float:
        """How much of the file is indexed, 0.0 - 1.0."""
        raise NotImplementedError

    def row(self, index: int, wait: bool = True) -> Row:
        """The list's line for a packet. Without `wait` the application layer may still be missing: `pending` says so."""
        raise NotImplementedError

    def packet(self, index: int) -> Packet:
        """The packet with its layers and byte views."""
        raise NotImplementedError

    def stream_of(self, index: int) -> Stream | None:
        raise NotImplementedError

    def partner(self, index: int) -> int | None:
        """The packet in which the response to this packet's (first) request ends, or the request of its response."""
        raise NotImplementedError

    def neighbour(self, index: int, step: int) -> int | None:
        """The next (1) or previous (-1) packet of the same stream."""
        raise NotImplementedError

    def errors(self, index: int, step: int) -> Iterator[int | None]:
        """Search for the next packet with an error from `index` on; yields None while searching (so that it can be given up), then the packet."""
        raise NotImplementedError

    def decode_as(self, transport: str, port: int, protocol: str) -> None:
        """Read all streams with this port as `protocol` from now on."""
        raise NotImplementedError
