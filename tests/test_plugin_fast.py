"""A plugin's `Fast` that raises, or gives columns and readers that do not fit: filters find what the messages say one by one, and end in no exception."""
from __future__ import annotations

from pathlib import Path

import pytest
from packet_bytes import ACK, SYN, between, tcp, write

from captures.capture import Capture
from captures.filter import FilterRun, Names, compile_filter
from protocols.registry import Registry

COUNT = 40
"""Requests, and as many responses: enough for columns to be asked for."""
PLUGIN = '''
import numpy as np
from protoview import *

LENGTH, ID, TEXT = Spec("bad.len", "Length", "uint32"), Spec("bad.id", "Id", "uint32"), Spec("bad.text", "Text", "string")
BODY = Layout(None, ((LENGTH, U32), (ID, U32), (TEXT, Rest(text=True))))

class Quick(Fast):
    columns = frozenset({"bad.id"})

    def headers(self, heads):
        kinds = np.where(heads.client, 0, 1).astype(np.uint8)
        return HeaderColumns(kinds, heads.number(4, ">i4"), np.ones(len(heads), bool), np.zeros(0, np.int64))

    def METHOD

class Bad(Decoder):
    name = title = column = "bad"
    framing = Framing(offset=0, size=4, order="big", add=4, head=8, least=8, most=1000)
    fast = Quick()

    def specs(self):
        return BODY.specs()

    def recognise(self, opening):
        return Match(50, "anything")

    def header(self, data, start, end, side, session):
        return Header(Kind.REQUEST if side.from_client else Kind.RESPONSE, int.from_bytes(data[start + 4:start + 8], "big"), "op")

    def describe(self, message):
        return Summary("op")

    def dissect(self, message):
        return read(BODY, message.data, message.start, message.end, view=message.view, want=message.length)
'''
WRONG = {
    "count_accepted(self, heads, side)": ["1 / 0", "7.5", "10 ** 9", "'x'"],
    "headers(self, h)": ["1 / 0", "7", "HeaderColumns(np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3))",
                         "HeaderColumns(np.full(len(h), 9), np.zeros(len(h)), np.ones(len(h), bool), np.zeros(0, int))",
                         "HeaderColumns(np.zeros(len(h), np.uint8), np.zeros(len(h), int), np.ones(len(h), bool), np.array([10 ** 6]))"],
    "column(self, name, h, peer)": ["1 / 0", "exit(3)", "7", "FieldColumn(np.zeros(3), np.ones(3, bool), np.ones(3, bool))",
                                    "FieldColumn(np.array(['x'] * len(h)), np.ones(len(h), bool), np.ones(len(h), bool))",
                                    "FieldColumn(np.full(len(h), 99), np.ones(len(h), bool), np.ones(len(h), bool), ('a',))"],
    "readers(self, names, h, peer, facts)": [
        "1 / 0", "exit(3)", "[None]", "FieldReaders(7, 8)", "FieldReaders(np.full(len(h), 9), [])", "FieldReaders(np.zeros(3, int), [])",
        "FieldReaders(np.zeros(len(h), int), [lambda *a: 1 / 0])", "FieldReaders(np.zeros(len(h), int), [lambda *a: (1, 2, 3)])",
    ],
    "skim(self, message, names)": ["1 / 0", "exit(3)", "[None]", "7"], "teaching(self, h, peer)": ["1 / 0", "np.array([10 ** 6])"],
    "not_verbatim_if(self, h, facts)": ["1 / 0", "7", "['x']"],
}


@pytest.mark.parametrize(("method", "given"), [(method, given) for method, some in WRONG.items() for given in some])
def test_a_fast_that_is_wrong_ends_no_filter(tmp_path: Path, method: str, given: str) -> None:
    (tmp_path / "bad.py").write_text(PLUGIN.replace("METHOD", f"{method}: return {given}"))
    sent = [between(0, 6, tcp(50000, 5555, 99, 0, SYN)), between(1, 6, tcp(5555, 50000, 899, 100, SYN | ACK))]
    for at in range(COUNT):
        data = (8).to_bytes(4, "big") + at.to_bytes(4, "big") + b"text"
        sent.append(between(0, 6, tcp(50000, 5555, 100 + 12 * at, 900 + 12 * at, ACK, data)))
        sent.append(between(1, 6, tcp(5555, 50000, 900 + 12 * at, 112 + 12 * at, ACK, data)))
    capture = Capture(write(tmp_path, sent), Registry([tmp_path / "bad.py"], installed=False))
    capture.read_index()
    names = Names(capture.registry)
    shown = {text: [int(one) for part in FilterRun(capture, compile_filter(text, names)) for one in part]
             for text in ("bad.id == 7", 'bad.text == "text" && bad.id < 2', "pv.kind == response && bad.len && bad.id == 3")}
    if not method.startswith(("skim", "count_accepted")):       # where a message cannot be read, it is not found
        assert list(shown.values()) == [[16, 17], [2, 3, 4, 5], [9]]
