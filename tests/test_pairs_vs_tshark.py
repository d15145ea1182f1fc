"""Requests and responses of DNS and HTTP, read through a whole capture, are paired and timed as in tshark."""
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from captures.capture import Capture
from protocols.decoder import Decoder, Kind
from protocols.registry import Registry

FILES = [("http", "http.request_in", "http.time", "http-aiohttp3.14-rest"), ("http", "http.request_in", "http.time", "http"),
         ("dns", "dns.response_to", "dns.time", "dns"), ("dns", "dns.response_to", "dns.time", "dns-dig9.18-dnsmasq2.90-tcp-edns")]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
@pytest.mark.parametrize(("protocol", "request_in", "time", "name"), FILES, ids=[name for *_, name in FILES])
def test_pairs_and_times_are_those_of_tshark(protocol: str, request_in: str, time: str, name: str, shared: Path) -> None:
    file = shared / "common" / f"{name}.pcap"
    command = ["tshark", "-r", str(file), "-Y", request_in, "-T", "fields", "-e", "frame.number", "-e", request_in, "-e", time]
    theirs = {}
    for row in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        number, request, seconds = row.split("\t")
        if "," not in request:      # several messages in a packet are told apart by the counts below
            theirs[int(number), int(request)] = seconds
    capture = Capture(file)
    capture.read_index()
    ours: dict[tuple[int, int], int | None] = {}
    for transport in ("tcp", "udp"):
        for number in range(capture.streams(transport)):
            layer = capture.conversation(number, transport)
            for one in layer.messages if layer.decoder is not None and layer.decoder.name == protocol else ():
                if one.kind is Kind.RESPONSE and one.peer is not None:
                    # ours ends with the response's first byte, tshark's with the last: the same where one packet has both
                    ours[one.packet + 1, one.peer.packet + 1] = layer.rrt(one) if one.first_packet == one.packet else None
    assert theirs and set(theirs) <= set(ours)
    timed = {key: round(float(seconds) * 1e9) for key, seconds in theirs.items() if ours[key] is not None}
    assert timed and timed == {key: ours[key] for key in timed}


@pytest.mark.parametrize("decoder", Registry(installed=False).decoders(), ids=lambda decoder: decoder.name)
def test_a_decoder_states_nothing_that_nobody_asks_for(decoder: Decoder) -> None:
    known = {name for name in dir(Decoder) if not name.startswith("_")} | {"name", "title", "column"}
    assert {name for name in vars(type(decoder)) if not name.startswith("_")} <= known
