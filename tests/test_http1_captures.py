"""Recorded HTTP/1 connections: every byte in a field, what clients asked and got, values as tshark reads them, and upgrades handed on."""
from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from http1_wire import Cut, cut
from websocket_wire import streams
from zookeeper_wire import uncovered

from protocols.decoder import Status
from protocols.engine.fields import plain, walk
from protocols.http1.decoder import HTTP

FILES = [("http", 80), ("http-aiohttp3.14-rest", 8000), ("http-aiohttp3.14-websocket", 8000)]


def read(file: Path, port: int) -> list[Cut]:
    return [cut(client, server) for client, server in streams(file, port)]


@pytest.mark.parametrize(("name", "port"), FILES)
def test_every_byte_lies_in_a_field(name: str, port: int, shared: Path) -> None:
    messages = 0
    for found in read(shared / "common" / f"{name}.pcap", port):
        for message in found.client + found.server:
            tree = [one for one in HTTP().dissect(message) if one.view == 0]
            assert not [at for at in uncovered(tree, message.end) if at >= message.start], HTTP().describe(message).info
            assert not [one for one in walk(tree) if one.name == "_ws.malformed"]
            messages += 1
    assert messages


def test_requests_and_outcomes_are_those_of_the_client(shared: Path) -> None:
    file = shared / "common" / "http-aiohttp3.14-rest.pcap"
    truth = [one for one in json.loads(file.with_suffix(".truth.json").read_text())["requests"] if "path" in one and "status" in one]
    ours: Counter[tuple[str, str, int]] = Counter()
    for found in read(file, 8000):
        for message in found.server:
            if not message.header.more and message.peer is not None:
                words = HTTP().describe(message)
                assert words.code is not None
                ours[words.op, words.target, words.code] += 1
                assert (words.status is Status.OK) == (words.code < 400)
    wanted = Counter((one["method"], one["path"], one["status"]) for one in truth)
    assert not wanted - ours
    assert len(wanted) > 10


def test_gzip_in_chunks_is_the_file_itself(shared: Path) -> None:
    found = read(shared / "common" / "http.pcap", 80)
    plain_body = found[1].server[0].data[-405264:]
    views: list[bytes] = []
    for one in found:
        for message in one.server:
            HTTP().dissect(message)
            views += [view.data for view in message.views if view.name == "gzip body"]
    assert views == [plain_body]


def test_upgraded_connections_are_handed_on(shared: Path) -> None:
    found = read(shared / "common" / "http-aiohttp3.14-websocket.pcap", 8000)
    handed = [one for one in found if one.handed != [None, None]]
    assert [one.hint.split(";")[0] for one in handed] == ["websocket"] * len(handed)
    assert any("permessage-deflate" in one.hint for one in handed)
    assert all(one.handed[1] and one.handed[1][0] & 0x70 in (0, 0x40) for one in handed)


# not http.request.uri.path, which tshark gives only for targets with a query
COMPARED = ["http.request.method", "http.request.uri", "http.request.version",
    "http.request.full_uri", "http.host",
            "http.user_agent", "http.accept", "http.response.code", "http.response.code.desc", "http.response.phrase", "http.response.version",
                "http.content_type",
            "http.content_length", "http.content_length_header", "http.server", "http.date", "http.connection", "http.transfer_encoding",
                "http.content_encoding",
            "http.last_modified"]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
@pytest.mark.parametrize("stream", range(9))
def test_values_are_those_of_tshark(stream: int, shared: Path) -> None:
    file = shared / "common" / "http.pcap"
    command = ["tshark", "-r", str(file), "-Y", f"http && tcp.stream == {stream}", "-T", "fields", "-E", "separator=\x01", "-E", "aggregator=\x02",
               *(part for name in COMPARED for part in ("-e", name))]
    rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    theirs = {name: [value for row in rows for value in row.split("\1")[at].split("\2") if value] for at, name in enumerate(COMPARED)}
    found = read(file, 80)[stream]
    messages = [one for pair in zip(found.client, found.server, strict=True) for one in pair if one.complete]
    ours = {name: [plain(one) for message in messages for one in walk(HTTP().dissect(message)) if one.name == name] for name in COMPARED}
    assert ours == theirs
