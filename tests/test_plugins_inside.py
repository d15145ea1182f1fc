"""A plugin for a protocol inside WebSocket: one file of less than 60 lines, whose messages are decoded and paired through HTTP's upgrade and masked frames."""
from __future__ import annotations

from pathlib import Path

import pytest
from packet_bytes import ACK, SYN, between, tcp, write

from captures.capture import Capture
from captures.filter import FilterRun, Names, compile_filter
from captures.stream.places import Stream
from protocols.registry import Registry

DATA = Path(__file__).parent / "data"
MASK = b"\x12\x34\x56\x78"
# the handshake of RFC 6455, section 1.3: this accept value belongs to this key
ASKED = (b"GET /chat HTTP/1.1\r\nHost: server.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
         b"Sec-WebSocket-Protocol: quiz\r\nSec-WebSocket-Version: 13\r\n\r\n")
ANSWERED = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
            b"Sec-WebSocket-Protocol: quiz\r\n\r\n")


def frame(data: bytes, masked: bool) -> bytes:
    """A binary frame (RFC 6455, section 5.2)."""
    if not masked:
        return bytes((0x82, len(data))) + data
    return bytes((0x82, 0x80 | len(data))) + MASK + bytes(one ^ MASK[at % 4] for at, one in enumerate(data))


def quiz(kind: int, number: int, text: bytes) -> bytes:
    return bytes((3 + len(text), kind)) + number.to_bytes(2, "big") + text


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    """A handshake, a question cut over two frames, its answer."""
    question, answer = quiz(1, 7, b"how many?"), quiz(2, 7, b"42")
    parts = [(0, ASKED), (1, ANSWERED), (0, frame(question[:5], True)), (0, frame(question[5:], True)), (1, frame(answer, False))]
    at, sent = [100, 900], [between(0, 6, tcp(50000, 8080, 99, 0, SYN)), between(1, 6, tcp(8080, 50000, 899, 100, SYN | ACK))]
    for side, data in parts:
        ports = (50000, 8080) if side == 0 else (8080, 50000)
        sent.append(between(side, 6, tcp(*ports, at[side], at[1 - side], ACK, data)))
        at[side] += len(data)
    made = Capture(write(tmp_path, sent), Registry([DATA / "plugin_inside.py"], installed=False))
    made.read_index()
    return made


def test_a_plugin_reads_and_pairs_messages_inside_websocket(capture: Capture) -> None:
    assert [capture.row(i).protocol for i in range(2, 7)] == ["HTTP", "HTTP", "WebSocket", "Quiz", "Quiz"]
    assert [capture.row(i).info for i in (5, 6)] == ["quiz 'how many?'", "quiz '42'"]
    assert (capture.peer_packet(5), capture.peer_packet(6)) == (6, 5)
    assert (capture.peer_packet(2), capture.peer_packet(3)) == (3, 2)      # the handshake is a request and its response
    assert [layer.name for layer in capture.packet(5).layers][-2:] == ["websocket", "quiz"]
    names = Names(capture.registry)
    shown = [int(one) for part in FilterRun(capture, compile_filter('quiz.id == 7 && pv.kind == response', names)) for one in part]
    assert shown == [6]
    assert [turn.info for turn in capture.follow(Stream("tcp", 0, "quiz")).turns] == ["quiz 'how many?'", "quiz '42'"]


@pytest.mark.parametrize("name", ["plugin_echo.py", "plugin_udp.py", "plugin_inside.py"])
def test_the_example_plugins_are_a_page_and_import_the_public_face_alone(name: str) -> None:
    lines = (DATA / name).read_text().splitlines()
    assert len(lines) < 60
    assert [line for line in lines if "import" in line.split()] == [line for line in lines if line.startswith("from protoview import ")]
