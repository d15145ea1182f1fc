"""Filter macros: what a call stands for, where its errors are placed, the file they are kept in, and how the program uses them."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captures.filter import FilterError, Names, compile_filter
from captures.filter.language.macros import expanded
from captures.filter.language.nodes import printed
from protocols.registry import Registry
from tui.filter.completion import complete
from tui.filter.macro_file import MacroFile
from tui.filter.value_sample import Sample

ROOT = Path(__file__).parent.parent
MIXED = ROOT / "tests" / "data" / "filter" / "mixed.pcap"
NAMES = Names(Registry(installed=False))
MACROS = {
    "two": "tcp || udp", "port": "tcp.port == $1", "between": "tcp.port >= $1 && tcp.port <= $2", "both": "${port:9092} && tcp.len > $1", "self": "${self}",
    "client": 'kafka.client_id contains "$1"', "same": "tcp.stream == ${tcp.stream}", "wrong": "tcp.prot == $1", "none": "arp", "tcp.port": "udp",
    "ping": "${pong}", "pong": "${ping}", "lost": "${nowhere}", "swap": "$2 && $1",
}


@pytest.mark.parametrize(("text", "long"), [
    ("${two}", "tcp || udp"), ("!${none}", "!arp"), ("${port:9092}", "tcp.port == 9092"), ("${port: 9092 }", "tcp.port == 9092"),
    ("${between:9000;9100} || udp", "tcp.port >= 9000 && tcp.port <= 9100 || udp"),
    ("${both:100}", "tcp.port == 9092 && tcp.len > 100"),
    ("${two} && frame", "tcp || udp && frame"), ("${client:a b}", 'kafka.client_id contains "a b"'), ("${same}", "tcp.stream == ${tcp.stream}"),
    ("${swap:tcp;udp}", "udp && tcp"), ("${port:${tcp.port}}", "tcp.port == ${tcp.port}"),
    ("tcp.port in {1,2} && ${port:3}", "tcp.port in {1, 2} && tcp.port == 3"),
    ('frame contains "${none}"', 'frame contains "arp"'), ('frame contains "${nowhere}"', 'frame contains "${nowhere}"'),
    ('${swap:frame contains "a;b}";tcp}', 'tcp && frame contains "a;b}"'), ("${swap:tcp.port in {1,2};udp}", "udp && tcp.port in {1, 2}"),
    ("udp.port == ${tcp.port}", "udp.port == ${tcp.port}"),
])
def test_a_macro_stands_for_its_text(text: str, long: str) -> None:
    node = compile_filter(text, NAMES, MACROS).node
    assert node is not None
    assert printed(node) == printed(compile_filter(long, NAMES).node)   # type: ignore[arg-type]
    assert compile_filter(text, NAMES, MACROS).text == text


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("text", [
    "${two}", "!${none}", "${port:9092}", "${port: 9092 }", "${between:9000;9100} || udp", "${both:100}", "${two} && arp", "${client:a}",
    'frame contains "${none}"', "${port}", "${port:1;2}", "${two:}", "${self}", "${nowhere}", "${wrong:1}", "${port:x}", "udp && ${none} || ${port:9092}",
])
def test_wireshark_shows_the_same_frames_for_the_same_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "ours" / "protoview").mkdir(parents=True)
    file = MacroFile(tmp_path / "ours" / "protoview")
    for name, words in MACROS.items():
        if "." not in name:
            assert file.define(name, words) == ""
    shutil.copy(file.path, tmp_path)
    found = []
    for program, place in ((["tshark", "-n", "-r"], {"WIRESHARK_CONFIG_DIR": str(tmp_path)}),
                           ([sys.executable, "-m", "protoview"], {"XDG_CONFIG_HOME": str(tmp_path / "ours")})):
        done = subprocess.run([*program, str(MIXED), "-Y", text, "-T", "fields", "-e", "frame.number"], cwd=ROOT, env=os.environ | place, capture_output=True,
                              text=True, check=False, timeout=60)
        assert "Traceback" not in done.stderr
        found.append(done.stdout.split() if done.returncode in (0, 1) and "tshark: " not in done.stderr else None)
    assert found[0] == found[1]


@pytest.mark.parametrize(("text", "message", "under", "fixed"), [
    ("tcp && ${prt:1}", '"prt" is no macro. Did you mean port?', "prt", "tcp && ${port:1}"),
    ("${nosuch}", '"nosuch" is neither a field nor a macro.', "nosuch", None),
    ("${port} || udp", "The macro port takes 1 argument, not 0: tcp.port == $1", "${port}", None),
    ("udp || ${between:1}", "takes 2 arguments, not 1", "${between:1}", None), ("${two:}", "takes no arguments, not 1", "${two:}", None),
    ("tcp && ${self}", "uses itself", "${self}", None), ("${ping}", "uses itself", "${ping}", None),
    ("tcp && ${lost}", '"nowhere" is neither a field nor a macro.', "${lost}", None),
    ("udp || ${wrong:1}", 'In the macro wrong: Unknown field "tcp.prot"', "${wrong:1}", None),
    ("${port:abc} || udp", 'In the macro port: "abc" is not a valid number', "${port:abc}", None),
    ("${two} && tcp.prot == 1", 'Unknown field "tcp.prot"', "tcp.prot", "${two} && tcp.port == 1"),
    ("${port:1} && ${port:2} && tcp.port = 3", "Use ==", "=", "${port:1} && ${port:2} && tcp.port == 3"),
])
def test_an_error_is_placed_on_the_macro_or_behind_it(text: str, message: str, under: str, fixed: str | None) -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter(text, NAMES, MACROS)
    found = caught.value
    assert message in found.message
    assert text[found.start:found.end] == under
    assert (found.fix.apply(text) if found.fix else None) == fixed
    assert not found.incomplete


@pytest.mark.parametrize("text", ["${", "${po", "tcp && ${port:", "${between:1;", '${client:"}', "${port:${tcp.port}", "${port:1} &&"])
def test_a_macro_being_typed_is_incomplete(text: str) -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter(text, NAMES, MACROS)
    assert caught.value.incomplete


def test_a_trap_is_placed_as_it_was_written() -> None:
    (trap,) = compile_filter("${port:1} || tcp.flags.syn", NAMES, MACROS).warnings
    assert (trap.start, trap.end) == (13, 26)
    assert trap.fix is not None
    assert trap.fix.apply("${port:1} || tcp.flags.syn") == "${port:1} || tcp.flags.syn == 1"
    (trap,) = compile_filter("udp || ${between:1;9}", NAMES, MACROS).warnings
    assert (trap.start, trap.end, trap.fix) == (7, 21, None)


def test_macros_that_multiply_come_to_an_end() -> None:
    many = {f"m{k}": f"${{m{k + 1}}}${{m{k + 1}}}" for k in range(31)}
    for last in ("", "tcp", "x" * 500):
        with pytest.raises(FilterError):
            compile_filter("${m0}", NAMES, {**many, "m31": last})


PIECES = ["${", "port", "}", ":", ";", "two", "${port:1}", "${between:1;2}", '"', "'", "tcp", " ", "&&", "{", "$1", "${tcp.port}", "é", "\\", "both"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@settings(max_examples=500, deadline=None)
def test_any_text_is_a_filter_or_an_error_with_a_place_in_it(text: str) -> None:
    try:
        made = compile_filter(text, NAMES, MACROS)
    except FilterError as found:
        assert 0 <= found.start <= found.end <= len(text)
        assert found.fix is None or 0 <= found.fix.start <= found.fix.end <= len(text)
    else:
        assert all(0 <= trap.start < trap.end <= len(text) for trap in made.warnings)


def test_text_without_macros_stays_as_it_is() -> None:
    assert expanded("tcp.port == 80", MACROS, NAMES).text == "tcp.port == 80"


# the file


def test_macros_are_read_in_both_of_wiresharks_forms(tmp_path: Path) -> None:
    (tmp_path / "dfilter_macros").write_text(
        '# This file is automatically generated, DO NOT MODIFY.\n"port","tcp.port == $1"\n"client","kafka.client_id contains \\x22$1\\x22"\n'
        '"later" udp.port == 53 && "x"\n\nnonsense\n"bad name","tcp"\n"port","udp.port == $1"\n'
        '"path","frame contains \\x22C:\\x5ctmp\\x22"\n')
    file = MacroFile(tmp_path)
    assert file.macros == {"port": "udp.port == $1", "client": 'kafka.client_id contains "$1"',
                           "later": 'udp.port == 53 && "x"', "path": 'frame contains "C:\\tmp"'}
    assert [one.partition("line ")[2].split()[0] for one in file.problems] == ["6", "7"]


def test_what_is_defined_is_read_again_and_other_lines_stay(tmp_path: Path) -> None:
    file = MacroFile(tmp_path / "new")
    assert file.macros == {}
    for text in ('kafka.client_id == "a\\b"', "tcp.port == $1 || é"):
        assert file.define("m", text) == ""
        assert file.macros == MacroFile(tmp_path / "new").macros == {"m": text}
    file.path.write_text("# mine\n" + file.path.read_text() + "rubbish\n")
    assert file.define("n", "udp") == ""
    assert file.path.read_text().splitlines()[0::2] == ["# mine", "rubbish"]
    assert set(file.macros) == {"m", "n"}


def test_a_file_that_cannot_be_used_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "dfilter_macros").mkdir()
    assert MacroFile(tmp_path).macros == {}
    assert MacroFile(tmp_path).define("m", "tcp") != ""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "dfilter_macros").write_bytes(b'"m","\xff\xfe"\n"' + b"\0" * 100)
    assert list(MacroFile(tmp_path / "other").macros) == ["m"]


def test_the_headless_tool_uses_macros(tmp_path: Path) -> None:
    (tmp_path / "protoview").mkdir()
    (tmp_path / "protoview" / "dfilter_macros").write_text('"port","tcp.port == $1"\nnonsense\n')
    done = subprocess.run([sys.executable, "-m", "protoview", str(MIXED), "-Y", "${port:27017}", "-T", "fields", "-e", "frame.number"], cwd=ROOT,
                          env=os.environ | {"XDG_CONFIG_HOME": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.split() == [str(number) for number in range(666, 716)]
    assert "line 2 is no macro" in done.stderr
    done = subprocess.run([sys.executable, "-m", "protoview", str(MIXED), "-Y", "udp && ${prt:1}"], cwd=ROOT,
                          env=os.environ | {"XDG_CONFIG_HOME": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-3:] == ['protoview: "prt" is no macro. Did you mean port?', "    udp && ${prt:1}", "             ^^^"]


# completion


@pytest.mark.parametrize(("text", "first"), [("${por", "port:"), ("tcp && ${tw", "two}"), ("${", "between:"), ("udp.port == ${tcp.strea", "tcp.stream}")])
def test_macros_are_offered_behind_their_sign(text: str, first: str) -> None:
    macros = {name: MACROS[name] for name in ("port", "two", "between", "pong")}
    assert complete(text, len(text), NAMES, Sample(), macros).candidates[0].text == first
