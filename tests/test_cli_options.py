"""What the command line refuses instead of leaving it without effect, pipes, and plugins named by hand."""
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tui.command.cli import EXCLUDED, demo, parser

ROOT = Path(__file__).parent.parent
DATA = ROOT / "tests" / "data"
DEMO = str(demo())
ECHO = str(DATA / "cases" / "plugin-echo-5555.pcap")
VALUES = {"-Y": ["tcp"], "-w": ["/nowhere/x.pcap"], "-T": ["json"], "-c": ["3"], "-e": ["ip.src"], "-E": ["header=y"],
          "-d": ["tcp.port==1,kafka"], "--follow": ["tcp,0"],
          "--check-plugin": [str(DATA / "plugin_echo.py")], "-T fields": ["fields"], "-T json": ["json"], "-T ndjson": ["ndjson"]}


def run(*arguments: object, **more) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": "/nowhere"}
    return subprocess.run([sys.executable, "-m", "protoview", *map(str, arguments)], text=True, capture_output=True, env=env, **more)


@pytest.mark.parametrize(("option", "other"), [(option, other) for option, others in EXCLUDED.items() for other in others])
def test_an_option_without_effect_is_refused(option: str, other: str, capsys: pytest.CaptureFixture[str]) -> None:
    from tui.command import cli
    arguments = [DEMO, option.split()[0], *VALUES.get(option, []), other, *VALUES.get(other, [])]
    arguments += ["-e", "ip.src"] if option == "-T fields" else ["-T", "fields"] if other == "-e" and option != "-T fields" else []
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    said = capsys.readouterr().err
    assert end.value.code == 2 and "has no effect with" in said and len(said.splitlines()) == 1


def test_every_option_is_known_to_the_table() -> None:
    known = {word for action in parser()._actions for word in action.option_strings}
    assert {word.split()[0] for option, others in EXCLUDED.items() for word in (option, *others)} <= known


@pytest.mark.parametrize(("rule", "said"), [("udp.port==2181,kafka", "kafka does not come over udp, only over tcp"), ("tcp.port==53,nosuch", "no protocol")])
def test_a_protocol_is_not_taken_for_what_it_does_not_come_over(rule: str, said: str) -> None:
    done = run(DEMO, "-d", rule, "-c", 1)
    assert done.returncode == 2 and said in done.stderr and done.stdout == ""


def test_dns_comes_over_both() -> None:
    assert run(DEMO, "-d", "udp.port==1053,dns", "-d", "tcp.port==1053,dns", "-c", 1).returncode == 0


def test_a_pipe_is_read_as_the_file_is(tmp_path: Path) -> None:
    wanted = run(ECHO).stdout
    with Path(ECHO).open("rb") as pipe:
        assert run("-", stdin=pipe).stdout == wanted
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen(["cp", ECHO, fifo]):
        assert run(fifo).stdout == wanted
    assert not list(tmp_path.glob("protoview-*"))


def test_the_copy_of_a_pipe_goes_with_the_program(tmp_path: Path) -> None:
    with Path(ECHO).open("rb") as pipe:
        env = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
        subprocess.run([sys.executable, "-m", "protoview", "-", "--info"], stdin=pipe, capture_output=True, env=env, check=True)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_pipe_is_a_clear_error() -> None:
    done = run("-", stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "Traceback" not in done.stderr


@pytest.mark.parametrize(("text", "line", "said"), [
    ("x = 1\nraise RuntimeError('no luck')\n", 2, "no luck"),
    ("x = (\n", 1, "SyntaxError"),
    ("\n\nimport nosuch_module\n", 3, "nosuch_module"),
    ("from protoview import Decoder\n\nclass A(Decoder):\n    name = title = column = 'a1'\n    def specs(self): return []\n", 3, "A has no recognise"),
])
def test_a_plugin_named_by_hand_that_fails_ends_the_program_with_its_line(text: str, line: int, said: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(text)
    for more in ([], ["--list-protocols"], ["-T", "ndjson"]):
        done = run(ECHO, "--plugin", broken, *more)
        assert done.returncode == 2 and f"{broken}: " in done.stderr
        assert re.search(rf"\(broken.py(:|, line ){line}\)", done.stderr) and said in done.stderr and done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
    assert "Traceback (most recent call last)" in run(ECHO, "--plugin", broken, "--traceback").stderr


def test_a_plugin_that_is_not_there_or_takes_a_name_in_use_is_refused(tmp_path: Path) -> None:
    assert run(ECHO, "--plugin", tmp_path / "nosuch.py").returncode == 2
    taken = tmp_path / "taken.py"
    taken.write_text((DATA / "plugin_echo.py").read_text().replace('"echo', '"kafka'))
    assert run(ECHO, "--plugin", taken).returncode == 2


PLUGIN = """
from protoview import *

class P(Decoder):
    name = "zz"; title = "Zz"; column = "ZZ"
    framing = Framing(offset=0, size=4, order="big", add=4, head=16, least=4, most=10000000)
    X = Spec("zz.x", "X", "uint32")
    Y = Spec("zz.y", "Y", "uint8")
    def specs(self): return [self.X, SPECS]
    def recognise(self, opening): return Match(100, "zz")
    def accepts(self, head, side): return True
    def session(self): return None
    def header(self, data, start, end, side, session): return Header(Kind.EVENT)
    def describe(self, message): return Summary(op="op", info="info")
    def dissect(self, m): return [Field(self.X, 1, m.start, 4, m.view), FIELDS]
"""


@pytest.mark.parametrize(("specs", "fields", "said"), [
    ("self.Y", "Field(self.Y, 1, m.start + 4, m.end - m.start - 4, m.view)", ""), ("self.Y", "", "bytes 4-"),
    ("", "Field(self.Y, 1, m.start + 4, m.end - m.start - 4, m.view)", "the field zz.y has no Spec"), ("self.Y", "1 / 0", "ZeroDivisionError"),
    ("self.Y, Spec('zz.x', 'Other')", "Field(self.Y, 1, m.start + 4, m.end - m.start - 4, m.view)", "the name zz.x stands in 2 Specs"),
    ("self.Y", "Field(self.Y, 1, m.start + 4, m.end - m.start - 4, m.view, lambda: 1 / 0)", "(plugin.py:15)"),
])
def test_a_plugin_is_checked_against_a_capture(specs: str, fields: str, said: str, tmp_path: Path) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(PLUGIN.replace("SPECS", specs).replace("FIELDS", fields))
    done = run("--check-plugin", plugin, ECHO)
    assert "Traceback" not in done.stderr and "messages read" in done.stdout.splitlines()[-1]
    if said:
        assert done.returncode == 1 and said in done.stdout
    else:
        assert done.returncode == 0 and "nothing to say" in done.stdout
    if "ZeroDivision" in said:
        assert "Traceback (most recent call last)" in run("--check-plugin", plugin, ECHO, "--traceback").stdout


def test_the_example_plugin_has_nothing_to_say_of_it() -> None:
    assert run("--check-plugin", DATA / "plugin_echo.py", DEMO).returncode == 0
