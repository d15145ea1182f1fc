"""A plugin with one mistake each, in every form of output and on filters: said in a line with the plugin's file and line, never the end of the program."""
from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from captures.messages import given
from protocols.engine import checked
from tui.command import cli

CAPTURE = Path(__file__).parent / "data" / "cases" / "plugin-echo-5555.pcap"
"""Ten packets with a message of 28 bytes each behind TCP's handshake: length of what follows (4), id (4), text; port 5555."""
GOOD = '''
from protoview import *

X = Spec("bad.x", "X", "string")
N = Spec("bad.n", "N", "uint32")

class Bad(Decoder):
    name, title, column, ports = "bad", "Bad", "BAD", frozenset({5555})
    framing = Framing(offset=0, size=4, order="big", add=4, head=16, least=4, most=10000000)

    def specs(self):
        return [X, N]

    def recognise(self, opening):
        return Match(100, "always")

    def header(self, data, start, end, side, session):
        return Header(Kind.REQUEST if side.from_client else Kind.RESPONSE, int.from_bytes(data[start + 4:start + 8], "big"), "op")

    def describe(self, message):
        return Summary("op", info="info")

    def dissect(self, message):
        return [Field(X, "x", message.start, 4, message.view)]

    # here stands what is wrong:
'''
FORMS = {
    "rows": [], "tree": ["-V", "-x"], "ndjson": ["-T", "ndjson"],
    "fields": ["-T", "fields", *(word for name in ("bad.x", "bad.n", "bad", "pv.op", "pv.target", "pv.status", "_ws.col.Info") for word in ("-e", name))],
    "values": ["-Y", 'bad.x contains "x" || bad.n > 3'], "layer": ["-Y", 'bad && !(bad.x == "y")'],
    "words": ["-Y", 'pv.op == "op" || pv.rrt > 0 || pv.client_id'], "follow": ["--follow", "tcp,0"],
}
BOO = 'raise RuntimeError("boo\\x1b[31m\\nline two")'
CALLS = ("recognise", "session", "framing_for", "framing_state", "frame", "framed", "carrier", "handed_on", "accepts", "header", "new_facts", "teaches",
         "learn", "describe", "dissect")
"""Methods that raise."""
TOLD = ("session", "framing_for", "framing_state", "frame", "accepts", "header", "describe", "dissect")
"""Those without which nothing of a message can be shown: the tree says why."""
ARGUMENTS = {"recognise": "o", "framing_for": "side", "frame": "data, side", "framed": "data, side", "carrier": "", "header": "*a",
             "describe": "m", "dissect": "m"}
RETURNED = {    # method -> what it gives back
    "recognise": ["'yes'", "Match('100', 'x')", "Match(100, 'x', 7)", "Match(100, None)"], "framing_for": ["'x'", "Framing(0, 0, 'up', 1, 0, 0, 9)"],
    "carrier": ["7", "lambda m: ['x', None]", "lambda m: iter(lambda: Carried(b'x'), None)", "lambda m: [Carried('x', key=[])]"],
    "header": ["None", "Header('request', 1, 'op')", "Header(0, 1, 'op')", "Header(Kind.REQUEST, [1], 'op')", "Header(Kind.REQUEST, 1, 7)"],
    "describe": [
        "None", "'x'", "Summary('op', info=7)", "Summary(7)", "Summary('op', target=(1, None))", "Summary('op', code='x', status='ok')",
        "Summary('op', status='fine')", "Summary('op', info=lambda: 7)", "Summary('op', info=lambda: 1 / 0)",
        "Summary('o\\x1b[1m', 't\\x1b[1m', info='\\x1b[1m')",
    ],
    "dissect": [
        "None", "'abc'", "[None, X, 3]", "self.dissect(m)", "exit(3)", "iter(lambda: Field(X, 'x', 0, 0), None)",                       # the last has no end
        "[Field(X, 'x', m.start, 4, m.view, lambda: 1 / 0)]", "[Field(X, 'x', m.start, 4, m.view, lambda: exit(3))]", "[Field(X, 'x', 0, 4, 0, lambda: None)]",
        "[Field(X, 'x', 0, 4, 0, ['a', 1])]", "[Field(X, 'x', 0, 4, 0, 2.5)]", "[Field(X, 'x', 0, 4, 0, lambda: iter(lambda: Field(X, 'x', 0, 0), None))]",
        "[Field(N, 'abc', 0, 4), Field(X, 7, 0, 4), Field(X, {1: 2}, 0, 4), Field(N, 2.5, 0, 4)]", "[Field(N, 10 ** 5000, 0, 4), Field(N, 2 ** 100, 0, 4)]",
        "[Field(X, 'x', None, 'four'), Field(X, 'x', 0, -4), Field(X, 'x', 0, 4, 99), Field(X, 'x', 1 << 70, 1 << 70)]",
        "[Field('bad.x', 'x', 0, 4)]", "[Field([], 'x', 0, 4)]", "[Field(Spec('bad.y', 'Y', 'uint33'), 1, 0, 4)]", "[Field(X, 'x', 0, 4, 0, (), 7)]",
        "[Field(Spec('bad.x', 'X', 'string', show=lambda v: 1 / 0), 'x', 0, 4)]", "[Field(Spec('bad.x', 'X', 'string', show=lambda v: 7), 'x', 0, 4)]",
        "[Field(Spec('bad.n', 'N', 'uint32', {1: 7, 2: None}), 1, 0, 4)]", "[Field(Spec('bad.y', 'Y\\x1b[31m'), None, 0, 4)]",
        "[Field(X, 'x\\x1b[31m\\n\\u202ey', 0, 4), Field(X, None, 0, 4, 0, (), '\\x1b[1m')]",
        "[Field(X, 'x', 0, 1, m.add_view('v\\x1b[31m', b'x'))]", "[Field(X, 'x', 0, 1, m.add_view('v', 'x'))]", "m.views.append(7) or []",
    ],
}
BODIES = [      # (method, its lines)
    ("dissect", "below = []", "one = Field(X, 'x', 0, 4, 0, below)", "below.append(one)", "return [one]"),              # its own child
    ("dissect", "one = Field(X, 'x', 0, 4, 0, lambda: [one])", "return [one]"),                                         # the same when somebody looks
    ("dissect", "def k(): return [Field(X, 'x', 0, 4, 0, k)]", "return k()"),                                           # deeper without end
    ("dissect", "one = Field(X, 'x', 0, 4)", "for _ in range(60): one = Field(X, 'x', 0, 4, 0, [one, one])", "return [one]"),   # 2 ** 60 paths
]
SOURCES = [f"    def {method}(self, {ARGUMENTS[method]}): return {given}" for method, some in RETURNED.items() for given in some]
SOURCES += ["\n        ".join((f"    def {method}(self, {ARGUMENTS[method]}):", *lines)) for method, *lines in BODIES]
SOURCES += [f"    framing = None\n    def frame(self, data, side): return {given}" for given in ("0", "-3", "'12'", "None", "1 / 0")]
SOURCES += [f"    framing = None\n    def frame(self, data, side): return 28\n    def framed(self, data, side): {BOO}",
            "    title = 'T\\x1b[31m'; column = 'C\\nx'"]


@pytest.fixture
def run(capfd, monkeypatch, tmp_path):
    """The program on a plugin: what it printed, with status."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def run(source: str, *options: str) -> SimpleNamespace:
        plugin = tmp_path / "bad.py"
        plugin.write_text(source)
        try:
            status = cli.main(["--plugin", str(plugin), str(CAPTURE), *options])
        except SystemExit as end:
            status = end.code
        out, err = capfd.readouterr()
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", out + err)
        assert "Traceback" not in out + err
        return SimpleNamespace(status=status, out=out, err=err)
    return run


@pytest.mark.parametrize("name", CALLS)
def test_a_method_that_raises_ends_no_form_of_output(run, name: str) -> None:
    source = f"{GOOD}    def {name}(self, *a, **k): {BOO}\n"
    outs = {form: run(source, *options, *(() if form == "follow" else ("-c", "8"))) for form, options in FORMS.items()}
    assert {form: (one.status, one.err) for form, one in outs.items() if one.status not in (0, 1) or one.err} == {}
    assert outs["rows"].out.count("\n") == 8
    assert (f"the decoder failed: RuntimeError: boo\\x1b[31m (bad.py:{source.count(chr(10))})" in outs["tree"].out) == (name in TOLD)


@pytest.mark.parametrize("wrong", SOURCES)
def test_whatever_a_method_gives_back_ends_no_form_of_output(run, monkeypatch, wrong: str) -> None:
    monkeypatch.setattr(checked, "MOST", 1000)
    monkeypatch.setattr(checked, "DEEPEST", 50)
    monkeypatch.setattr(given, "CARRIED_MOST", 1000)
    outs = {form: run(f"{GOOD}{wrong}\n", *options, *(() if form == "follow" else ("-c", "6"))) for form, options in FORMS.items()}
    assert {form: (one.status, one.err) for form, one in outs.items() if one.status not in (0, 1) or one.err} == {}
    assert outs["rows"].out.count("\n") == 6


@pytest.mark.parametrize(("wrong", "told"), [
    ("    def dissect(self, m): return [Field(X, 'a', m.start, 4, m.view, lambda: 1 / 0), Field(N, 5, m.start, 4, m.view)]",
     ["    X: a", "        [Malformed at byte 40: the decoder failed: ZeroDivisionError: division by zero (bad.py:27)]", "    N: 5"]),
    ("    def dissect(self, m): return [Field(Spec('bad.x', 'X', 'string', show=lambda v: 1 / 0), 'a', m.start, 4, m.view), Field(N, 5, m.start, 4, m.view)]",
     ["    X: the decoder failed: ZeroDivisionError: division by zero (bad.py:27)", "    N: 5"]),
    ("    def dissect(self, m): return [None, Field(N, 'five', m.start, 4, m.view), Field(N, 5, m.start, 4, m.view)]",
     ["    [Malformed at byte 40: the decoder failed: NoneType in place of a Field]",
      "    [Malformed at byte 40: the decoder failed: the field bad.n of type uint32 has a value of type str]", "    N: 5"]),
    ("    def dissect(self, m):\n        one = Field(X, 'a', m.start, 4, m.view, lambda: [one])\n        return [one]",
     ["    X: a", "        [Malformed at byte 40: the decoder failed: the field bad.x stands in two places of the tree]"]),
    ("    def describe(self, m): return None",
     ["Bad, 28 bytes; the decoder failed: TypeError: what describe gave is of type NoneType, not Summary (bad.py:27)", "    X: x"]),
    ("    def header(self, *a): return Header('request', 1)",
     ["Bad, 28 bytes; the decoder failed: TypeError: Header.kind is of type str, not Kind (bad.py:27)", "    X: x"]),
    ("    def session(self): return helper()\n\ndef helper(): return {}['none']",
     ["28 bytes that belong to no message: the decoder failed: KeyError: 'none' (bad.py:29)"]),
])
def test_what_is_wrong_is_told_where_it_stands_and_the_rest_stays(run, wrong: str, told: list[str]) -> None:
    lines = run(f"{GOOD}{wrong}\n", "-V", "-Y", "frame.number == 4").out.splitlines()
    shown = [line for line in lines if not line.startswith("        [") or "Malformed" in line]
    at = shown.index(told[0]) if told[0] in shown else -1
    assert [line for line in shown[at:] if line and not line.startswith("    [Message")][:len(told)] == told
