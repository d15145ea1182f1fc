"""What the author of a decoder is told: the five things are enough, over TCP and UDP, and the text and the docstrings name what there is."""
from __future__ import annotations

import re
from pathlib import Path

import pytest
from packet_bytes import ACK, SYN, between, tcp, udp, write

import protoview
from captures.capture import Capture
from captures.filter import FilterRun, Names, compile_filter
from protocols.decoder import Decoder
from protocols.plugin_check import FRAMING, METHODS, NAMES
from protocols.registry import Registry

TEXT = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text()
LEAST = '''
from protoview import *

LENGTH, ID, TEXT = Spec("crate.len", "Length", "uint16"), Spec("crate.id", "Id", "uint8"), Spec("crate.text", "Text", "string")
BODY = Layout(None, ((LENGTH, U16), (ID, U8), (TEXT, Rest(text=True))))

class Crate(Decoder):
    name = title = column = "crate"
    HOW

    def specs(self):
        return BODY.specs()

    def recognise(self, opening):
        return Match(50, "anything")

    def header(self, data, start, end, side, session):
        return Header(Kind.REQUEST if side.from_client else Kind.RESPONSE, data[start + 2], "call")

    def describe(self, message):
        return Summary(message.header.op, info=f"id {message.header.key}")

    def dissect(self, message):
        return read(BODY, message.data, message.start, message.end, view=message.view, want=message.length)
'''
WAYS = {
    "a length field": 'framing = Framing(offset=0, size=2, order="big", add=2, head=3, least=3, most=1000)',
    "frame": "def frame(self, data, side): return MORE if len(data) < 2 else 2 + int.from_bytes(data[:2], 'big')",
    "datagrams": 'transports = frozenset({"udp"})',
}


def crate(number: int, text: bytes) -> bytes:
    return (1 + len(text)).to_bytes(2, "big") + bytes((number,)) + text


@pytest.mark.parametrize("way", WAYS)
def test_the_five_things_are_enough(tmp_path: Path, way: str) -> None:
    file = tmp_path / "crate.py"
    file.write_text(LEAST.replace("HOW", WAYS[way]))
    asked, answers = [crate(7, b"one"), crate(9, b"two")], [crate(9, b"second"), crate(7, b"first")]
    if way == "datagrams":
        sent = [between(0, 17, udp(50000, 4711, data)) for data in asked] + [between(1, 17, udp(4711, 50000, data)) for data in answers]
    else:
        sent = [between(0, 6, tcp(50000, 4711, 99, 0, SYN)), between(1, 6, tcp(4711, 50000, 899, 100, SYN | ACK))]
        sent += [between(0, 6, tcp(50000, 4711, 100 + 6 * at, 900, ACK, data)) for at, data in enumerate(asked)]
        sent += [between(1, 6, tcp(4711, 50000, 900 + 9 * at, 112, ACK, data)) for at, data in enumerate(answers)]
    capture = Capture(write(tmp_path, sent), Registry([file], installed=False))
    capture.read_index()
    assert capture.registry.get("crate") and not capture.registry.problems
    first = len(sent) - 4
    assert [(capture.row(i).protocol, capture.row(i).info) for i in range(first, first + 4)] == [("crate", f"id {one}") for one in (7, 9, 9, 7)]
    assert [capture.peer_packet(i) for i in range(first, first + 4)] == [first + 3, first + 2, first + 1, first]
    shown = [int(one) for part in FilterRun(capture, compile_filter('crate.text == "first" || crate.id == 9 && pv.kind == request', Names(capture.registry)))
             for one in part]
    assert shown == [first + 1, first + 3]
    fields = [(one.name, one.value, one.length) for one in capture.packet(first).layers[-1].fields[1:]]
    assert fields == [("crate.len", 4, 2), ("crate.id", 7, 1), ("crate.text", "one", 3)]


def test_the_docstring_and_the_text_name_what_a_decoder_must_state() -> None:
    required, optional = str(Decoder.__doc__).split("| optional |")
    stated = set(re.findall(r"`(\w+)`", required))
    assert {*NAMES, *METHODS, "framing", "frame"} == stated - {"captures"}
    members = {name for name in (*vars(Decoder), *Decoder.__annotations__) if not name.startswith("_")}
    assert set(re.findall(r"`(\w+)`", optional)) | stated == members        # each member stands in one of the two tables
    assert set(FRAMING) <= members
    for name in members:
        assert name in re.findall(r"`(\w+)[`(]", TEXT.split("## Add a protocol")[1]) or name in ("header_bytes", "frames"), name


def test_the_words_are_few_and_the_types_exist() -> None:
    words = TEXT.split("## Words")[1].split("## Add a protocol")[0]
    rows = [line.split("|")[1].strip() for line in words.splitlines() if line.startswith("| ")][1:]
    assert {"packet", "stream", "direction", "message", "opening", "framing", "header", "key", "peer", "summary", "field, spec", "view"} <= set(rows)
    assert len(rows) <= 16
    types = TEXT.split("| type | reads |")[1].split("\n\n")[0]
    named = set(re.findall(r"\b([A-Z]\w*[a-z0-9]\w*)\b(?=[`(])", types)) | set(re.findall(r"`([A-Z]\d+(?:LE)?)`", types))
    assert {"U8", "U16LE", "Text", "Blob", "Rest", "Switch", "When", "Array"} <= named
    assert [name for name in named if not hasattr(protoview, name)] == []
