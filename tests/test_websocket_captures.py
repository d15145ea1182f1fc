"""Recorded WebSocket connections: sizes as the client counted them, values as tshark reads them, and what Iggy and MQTT send inside."""
from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from websocket_wire import Connection, split, streams
from zookeeper_wire import uncovered

from captures.file.opening import open_source
from captures.index.index import Index
from captures.messages.conversation import Conversation
from captures.stream.pair import tcp_pair
from protocols.engine.fields import walk
from protocols.registry import Registry
from protocols.websocket.decoder import WebSocket

FILES = [("common", "http-aiohttp3.14-websocket", 8000), ("iggy", "iggy-rustsdk-0.8.0-websocket", 8092), ("common", "mqtt-paho2.2-mosquitto2.0-websocket", 0)]


def port_of(file: Path, port: int) -> int:
    return port or int(json.loads(file.with_suffix(".truth.json").read_text())["port"])


def connections(file: Path, port: int) -> list[Connection]:
    """Each upgraded connection, the client's frames before the server's."""
    out = []
    for client, server in streams(file, port_of(file, port)):
        head, _, asked = client.partition(b"\r\n\r\n")
        answer, _, answered = server.partition(b"\r\n\r\n")
        if b" 101 " not in answer[:20]:
            continue
        assert b"websocket" in head.lower()
        line = next((part for part in answer.lower().split(b"\r\n") if part.startswith(b"sec-websocket-extensions:")), b":")
        one = Connection("; ".join(filter(None, ("websocket", line.partition(b":")[2].decode().strip()))))
        for data, way in ((asked, True), (answered, False)):
            for frame in split(data, way):
                message = one.add(frame, way)
                tree = one.decoder.dissect(message)
                assert not uncovered([field for field in tree if field.view == 0], len(frame))
                assert not [field for field in walk(tree) if field.name in ("_ws.malformed", "websocket.note")], one.decoder.describe(message).info
        out.append(one)
    assert out
    return out


@pytest.mark.parametrize(("folder", "name", "port"), FILES)
def test_every_byte_lies_in_a_field(folder: str, name: str, port: int, shared: Path) -> None:
    assert any(one.carried for one in connections(shared / folder / f"{name}.pcap", port))


def test_sizes_are_those_that_the_client_counted(shared: Path) -> None:
    file = shared / "common" / "http-aiohttp3.14-websocket.pcap"
    events = json.loads(file.with_suffix(".truth.json").read_text())["messages"]
    sent = sum(event.get("bytes", 0) for event in events)
    found = connections(file, 8000)
    carried = sum(len(one.data) for connection in found for client, one in connection.carried if client)
    # beside what it lists by size, the client sent fragments, for which it says only what came back
    assert carried >= sent > 140_000


def test_iggy_inside(shared: Path) -> None:
    first = connections(shared / "iggy" / "iggy-rustsdk-0.8.0-websocket.pcap", 8092)[0]
    asked = [one.data for client, one in first.carried if client]
    answered = [one.data for client, one in first.carried if not client]
    # the reference's count, and the first frames: length 4, code 1 (ping), and its answer
    assert (len(asked), len(answered)) == (45, 45)
    assert [len(one) for one in asked[:5]] == [8, 32, 8, 15, 42]
    assert (asked[0].hex(), answered[0].hex()) == ("0400000001000000", "0000000000000000")


def test_mqtt_inside(shared: Path) -> None:
    file = shared / "common" / "mqtt-paho2.2-mosquitto2.0-websocket.pcap"
    for one in connections(file, 0):
        asked = b"".join(part.data for client, part in one.carried if client)
        assert asked[:1] == b"\x10"
        assert b"\0\4MQTT" in asked[:12]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
def test_values_are_those_of_tshark(shared: Path) -> None:
    file = shared / "iggy" / "iggy-rustsdk-0.8.0-websocket.pcap"
    names = ["websocket.fin", "websocket.opcode", "websocket.mask", "websocket.payload_length", "websocket.masking_key"]
    command = ["tshark", "-r", str(file), "-Y", "websocket", "-T", "fields", *(part for name in names for part in ("-e", name))]
    rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    theirs: dict[str, list[str]] = {name: [] for name in names}
    for row in rows:
        for name, values in zip(names, row.split("\t"), strict=True):
            theirs[name] += values.split(",") if values else []
    ours: dict[str, list[str]] = {name: [] for name in names}
    for client, server in streams(file, 8092):
        for data, way in ((client.partition(b"\r\n\r\n")[2], True), (server.partition(b"\r\n\r\n")[2], False)):
            for frame in split(data, way):
                for field in WebSocket().dissect(Connection().add(frame, way)):
                    if field.name in ours:
                        ours[field.name].append(field.value.hex() if isinstance(field.value, bytes) else str(int(field.value)))
    assert {name: sorted(values) for name, values in ours.items()} == {name: sorted(values) for name, values in theirs.items()}


def index_of(file: Path) -> Index:
    index = Index(open_source(file))
    index.run()
    return index


def test_iggy_is_read_inside_websocket_inside_http(shared: Path) -> None:
    index = index_of(shared / "iggy" / "iggy-rustsdk-0.8.0-websocket.pcap")
    outer = Conversation(tcp_pair(index, 0), Registry(installed=False).decoders())
    chain = [outer, *outer.inner, *(one for middle in outer.inner for one in middle.inner)]
    assert [one.decoder.name for one in chain if one.decoder is not None] == ["http", "websocket", "iggy"]
    frames, inside = chain[1], chain[2]
    assert len(frames.messages) >= 90
    assert [inside.summary(pdu).op for pdu in inside.messages[:2]] == ["ping", "ping"]
    assert sum(pdu.from_client for pdu in inside.messages) == 45


def test_what_the_handshake_agreed_on_reaches_the_frames(shared: Path) -> None:
    index = index_of(shared / "common" / "http-aiohttp3.14-websocket.pcap")
    agreed = []
    for stream in range(len(index.tcp)):
        for one in Conversation(tcp_pair(index, stream), Registry(installed=False).decoders()).inner:
            contexts = [pdu.header.context.agreed for pdu in one.messages]
            agreed.append((contexts[0].known, contexts[0].deflate, contexts[0].protocol))
            assert not [one.summary(pdu).info for pdu in one.messages if "history missing" in one.summary(pdu).info]
    assert (True, True, "v2") in agreed
