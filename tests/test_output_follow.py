"""`--follow`: a stream in words, as text and in hex."""
from __future__ import annotations

import shutil
import subprocess

import pytest

from captures.capture import Capture
from captures.output.follow_text import follow_text, wanted_stream
from captures.stream.places import Stream
from tui.command.cli import demo


@pytest.fixture(scope="module")
def capture() -> Capture:
    made = Capture(demo())
    made.read_index()
    return made


def lines(capture: Capture, mode: str, number: int = 0) -> list[str]:
    return "".join(follow_text(capture.follow(Stream("tcp", number)), mode)).splitlines()


@pytest.mark.parametrize(("words", "wanted"), [
    ("tcp,0", ("tcp", 0, "decoded")), ("udp,12", ("udp", 12, "decoded")), ("tcp,3,hex", ("tcp", 3, "hex")), ("tcp,hex,3", ("tcp", 3, "hex")),
    ("tcp,ascii,3", ("tcp", 3, "text")), ("tcp,1,decoded", ("tcp", 1, "decoded")),
])
def test_a_stream_is_named_by_transport_and_number(words, wanted):
    stream, mode = wanted_stream(words)
    assert (stream.transport, stream.number, mode) == wanted


@pytest.mark.parametrize("words", ["", "tcp", "tcp,", "tcp,x", "sctp,0", "tcp,0,1", "tcp,0,hex,text", "tcp,-1", "tcp,0,a,b", "tcp,²"])
def test_anything_else_is_refused(words):
    with pytest.raises(ValueError, match="a stream is given as"):
        wanted_stream(words)


def test_words_come_in_the_order_in_which_they_were_said(capture):
    said = lines(capture, "decoded")
    assert said[2:5] == ["Protocol: Apache ZooKeeper", "Client: 10.77.0.2:55752", "Server: 10.77.0.1:2181"]
    assert said[6].startswith("→ 0.000000 packet 4: connect ")
    assert said[7].startswith("\t← 0.010114 packet 6: connect ")   # frame.time_relative in tshark: 0.000193 and 0.010307


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("number", [0, 1])
def test_the_bytes_are_tsharks(capture, number):
    ours = {"": [], "\t": []}
    for line in lines(capture, "hex", number)[6:-1]:
        side = "\t" if line.startswith("\t") else ""
        at, data = int(line.strip()[:8], 16), bytes.fromhex(line.removeprefix(side)[10:58])
        assert at == sum(map(len, ours[side]))
        ours[side].append(data)
    done = subprocess.run(["tshark", "-n", "-r", demo(), "-q", "-z", f"follow,tcp,raw,{number}"], capture_output=True, text=True, check=True)
    theirs = {"": "", "\t": ""}
    for line in done.stdout.splitlines()[6:-1]:
        theirs["\t" if line.startswith("\t") else ""] += line.strip()
    assert {side: b"".join(parts).hex() for side, parts in ours.items()} == theirs
    assert theirs[""]


@pytest.mark.parametrize("mode", ["decoded", "text", "hex"])
def test_no_byte_of_the_stream_reaches_the_terminal_raw(capture, mode):
    assert all(line.replace("\t", "").isprintable() for line in lines(capture, mode, 1))


def test_text_shows_what_is_text(capture):
    said = lines(capture, "text")
    assert any("/app/конфиг" in line for line in said)
    assert said[6].startswith("\\0\\0\\0-")
