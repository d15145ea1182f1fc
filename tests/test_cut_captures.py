"""Recordings of which only the first bytes of each packet were captured: every stream keeps its name or has none, and nothing is claimed that was cut off."""
from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from captures.file.opening import open_source
from captures.index.index import Index
from captures.messages.conversation import Conversation
from captures.stream.pair import StreamPair, tcp_pair, udp_pair
from protocols.decoder import Decoder, Kind, Status
from protocols.dns.decoder import DNS
from protocols.http1.decoder import HTTP
from protocols.iggy.decoder import Iggy
from protocols.websocket.decoder import WebSocket
from protocols.zookeeper.decoder import ZooKeeper

DATA = Path(__file__).parent / "data"
COMMON = Path(os.environ.get("PROTOVIEW_CAPTURES", "/nowhere")) / "common"
LENGTHS = (60, 68, 72, 80, 84, 96, 128, 256, 512)
DECODERS: list[Decoder] = [ZooKeeper(), Iggy(), DNS(), HTTP(), WebSocket()]
RECORDINGS = [*sorted(DATA.glob("zookeeper/*.pcap.gz")), *sorted(DATA.glob("iggy/*.pcap.gz")), *sorted(COMMON.glob("*.pcap"))]
MOST = 1 << 21
"""Bytes of a recording that is read at all lengths: larger ones say the same with more packets."""
TOLD = (Status.OK, Status.CLIENT_ERROR, Status.SERVER_ERROR)
PIPELINED = ("iggy-raw-0.8.0-pipelined", "iggy-pysdk-0.8.0-midstream", "iggy-rustsdk-0.8.0-big-cut")
"""In these, cut, requests are lost in the middle of packets that hold many, and answers name none of them; or the start is missing, too."""


def shortened(data: bytes, most: int) -> bytes:
    """A capture (pcap, little-endian) whose packets have `most` bytes at most."""
    parts, at = [data[:24]], 24
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        kept = min(size, most)
        parts.append(data[at:at + 8] + struct.pack("<I", kept) + data[at + 12:at + 16 + kept])
        at += 16 + size
    return b"".join(parts)


def pairs(path: Path) -> Iterator[tuple[str, StreamPair]]:
    index = Index(open_source(path))
    index.run()
    yield from ((f"tcp {stream}", tcp_pair(index, stream)) for stream in range(len(index.tcp)))
    yield from ((f"udp {stream}", udp_pair(index, stream)) for stream in range(len(index.udp)))


def read(path: Path) -> tuple[dict[str, str | None], dict[tuple[str, int, int], Status | None]]:
    """The decoder of each stream by name; the status of each response by stream, side and offset."""
    names: dict[str, str | None] = {}
    statuses: dict[tuple[str, int, int], Status | None] = {}
    for stream, pair in pairs(path):
        one = Conversation(pair, DECODERS)
        names[stream] = one.decoder.name if one.decoder is not None else None
        for pdu in one.messages:
            if pdu.kind is Kind.RESPONSE:
                statuses[stream, pdu.side, pdu.start] = one.summary(pdu).status
    return names, statuses


@pytest.mark.parametrize("path", RECORDINGS, ids=[path.name.split(".pcap")[0] for path in RECORDINGS])
def test_a_cut_recording_keeps_its_names_and_claims_no_outcome_that_was_cut_off(path: Path, tmp_path: Path) -> None:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if data[:4] != b"\xd4\xc3\xb2\xa1" or len(data) > MOST:
        pytest.skip("another format, or much of the same")
    file = tmp_path / "cut.pcap"
    file.write_bytes(data)
    names, whole = read(file)
    for most in LENGTHS:
        file.write_bytes(shortened(data, most))
        cut_names, cut = read(file)
        assert [(stream, name) for stream, name in cut_names.items() if name not in (None, names[stream])] == [], most
        if not path.name.startswith(PIPELINED):
            assert [(place, status) for place, status in cut.items() if status in TOLD and whole.get(place, status) is not status] == [], most
