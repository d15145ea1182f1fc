"""Built-in decoders on demand, plugins from files and folders, and what happens when one of them is broken."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from protocols.decoder import Header, Kind, MessageBytes, Opening, Side
from protocols.registry import Registry

ECHO = Path(__file__).parent / "data" / "plugin_echo.py"
REQUEST, REPLY = bytes.fromhex("0007010000002a6869"), bytes.fromhex("0007020000002a6869")


MINIMAL = """
from protoview import *
class A(Decoder):
    name = title = column = 'a'
    framing = Framing(offset=0, size=4, order="big", add=4, head=8, least=8, most=1000)
    def specs(self): return [Spec('a.x', 'X')]
    def recognise(self, opening): return None
    def header(self, data, start, end, side, session): return Header(Kind.EVENT)
    def describe(self, message): return Summary()
    def dissect(self, message): return []
"""


def alone(*files: Path, folder: Path | None = None) -> Registry:
    return Registry(files, folder, installed=False)


def test_the_built_in_decoder_is_found_by_its_filter_name() -> None:
    registry = Registry(installed=False)
    assert registry.get("zookeeper").title == "Apache ZooKeeper"
    assert registry.get("zookeeper") is registry.get("zookeeper")
    assert not registry.problems
    with pytest.raises(KeyError):
        registry.get("nonsense")


def test_no_decoder_is_imported_before_it_is_asked_for() -> None:
    code = ("import sys\nfrom protocols.registry import Registry\nr = Registry()\nassert 'protocols.zookeeper.decoder' not in sys.modules\n"
            "r.get('zookeeper')\nassert 'protocols.zookeeper.decoder' in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent)


def test_a_plugin_file_decodes_its_protocol() -> None:
    registry = alone(ECHO)
    echo = registry.get("echo")
    assert echo in registry.decoders()
    assert not registry.problems
    match = echo.recognise(Opening((REQUEST, REPLY), (40000, 7007), (True, True), (True, True)))
    assert match is not None
    assert match.client == 0
    heads = [echo.header(data, 0, len(data), Side(client, True, data, b""), echo.session()) for data, client in ((REQUEST, True), (REPLY, False))]
    assert [head.kind for head in heads] == [Kind.REQUEST, Kind.RESPONSE]
    assert heads[0].key == heads[1].key
    fields = echo.dissect(MessageBytes(REPLY, 0, 9, 9, heads[1], False))
    assert [(one.name, one.value, one.start, one.length) for one in fields] == [
        ("echo.len", 7, 0, 2), ("echo.kind", 2, 2, 1), ("echo.id", 42, 3, 4), ("echo.text", "hi", 7, 2)]
    assert {one.name for one in fields} <= {spec.name for spec in echo.specs()}
    assert echo.describe(MessageBytes(REPLY, 0, 9, 9, Header(Kind.RESPONSE, b"\0\0\0\x2a"), False)).id == "42"


def test_a_folder_of_plugins_is_searched_and_need_not_exist(tmp_path: Path) -> None:
    (tmp_path / "echo.py").write_text(ECHO.read_text())
    (tmp_path / "notes.txt").write_text("not a plugin")
    assert [one.name for one in alone(folder=tmp_path).decoders()][-1] == "echo"
    missing = alone(folder=tmp_path / "nowhere")
    missing.decoders()
    assert not missing.problems


@pytest.mark.parametrize(("source", "why"), [
    ("def broken(:", "SyntaxError"),
    ("import module_that_does_not_exist", "ModuleNotFoundError"),
    ("raise SystemExit(3)", "SystemExit"),
    ("1 / 0", "ZeroDivisionError: division by zero"),
    ("x = 1", "no subclass of Decoder"),
    ("from protocols.decoder import Decoder\nclass Bare(Decoder): pass", "Bare has no name"),
    ("from protocols.decoder import Decoder\nclass A(Decoder):\n    name = 'Über x'; title = column = 'A'", "no filter name"),
    ("from protocols.decoder import Decoder\nclass A(Decoder):\n    name = title = column = 'a'",
     "A has no specs, recognise, header, describe, dissect (bad.py:2)"),
    (MINIMAL.replace("[Spec('a.x', 'X')]", "[Spec('tcp.port', 'Port')]"), "the field tcp.port is outside a (bad.py:6)"),
    (MINIMAL.replace("[Spec('a.x', 'X')]", "['a.x']"), "str in place of a Spec (bad.py:6)"),
    (MINIMAL.replace("'X')", "'X', 'uint33')"), "the field a.x has the type uint33, which there is not (bad.py:6)"),
    (MINIMAL.replace("    framing =", "    pass #"), "A has neither framing nor frame, so no message ends (bad.py:3)"),
    (MINIMAL.replace("    def dissect", "    def dissects"), "A has no dissect (bad.py:3)"),
    (MINIMAL + "    ports = 7007", "A.ports is of type int, not frozenset (bad.py:3)"),
    (MINIMAL + "    ports = {'7007'}", "A has ports that are no numbers"),
    (MINIMAL + "    transports = frozenset({'sctp'})", "transports other than tcp and udp"),
    (MINIMAL + "    fast = Fast", "A.fast is of type type, not Fast (bad.py:3)"),
    (MINIMAL + "    def __init__(self): raise SystemExit('no')", "SystemExit: no (bad.py:11)"),
    ("class Own(BaseException): pass\nraise Own('mine\\x1b[31m\\nnot')", "Own: mine\\x1b[31m (bad.py:2)"),
])
def test_a_broken_plugin_is_reported_and_the_others_work(tmp_path: Path, source: str, why: str) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(source)
    registry = alone(bad, tmp_path / "missing.py", ECHO)
    assert "echo" in [one.name for one in registry.decoders()]
    assert len(registry.problems) == 2
    assert "bad.py" in registry.problems[0]
    assert why in registry.problems[0]
    assert "missing.py" in registry.problems[1]
    assert "\n" not in registry.problems[0]


def test_a_name_in_use_is_not_taken_over(tmp_path: Path) -> None:
    thief = tmp_path / "thief.py"
    thief.write_text(ECHO.read_text().replace('name = "echo"', 'name = "zookeeper"').replace('"echo', '"zookeeper'))
    registry = alone(ECHO, ECHO, thief)
    assert [one.title for one in registry.decoders() if one.name in ("echo", "zookeeper")] == ["Apache ZooKeeper", "Echo example protocol"]
    assert [problem.split(": ", 1)[1] for problem in registry.problems] == ["the name echo is in use; left out", "the name zookeeper is in use; left out"]


def test_a_built_in_decoder_that_fails_is_reported_once() -> None:
    registry = Registry(installed=False, built_in={"ghost": "protocols.ghost:Ghost", "zookeeper": "protocols.zookeeper.decoder:ZooKeeper"})
    assert [one.name for one in registry.decoders()] == ["zookeeper"]
    registry.decoders()
    assert registry.problems == ["protocol ghost: ModuleNotFoundError: No module named 'protocols.ghost'"]
    with pytest.raises(KeyError):
        registry.get("ghost")


def test_installed_plugins_come_by_entry_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "toy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (tmp_path / "toy_echo.py").write_text(ECHO.read_text() + "\nodd = 7\n")
    entries = ("a_bad = toy_missing:Echo", "b_odd = toy_echo:odd", "c_class = toy_echo:Echo", "d_module = toy_echo")
    (info / "entry_points.txt").write_text("\n".join(("[protoview.protocols]", *entries)) + "\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = Registry()
    assert registry.get("echo").column == "Echo"
    assert registry.problems == [
        "plugin a_bad: ModuleNotFoundError: No module named 'toy_missing'", "plugin b_odd: TypeError: 7 is no subclass of Decoder",
        "plugin d_module: the name echo is in use; left out"]


def test_without_installed_plugins_their_machinery_is_not_imported() -> None:
    code = "import sys\nfrom protocols.registry import Registry\nRegistry().decoders()\nassert 'importlib.metadata' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent)


def test_the_least_that_a_decoder_states_is_enough(tmp_path: Path) -> None:
    (tmp_path / "least.py").write_text(MINIMAL)
    registry = alone(tmp_path / "least.py")
    assert registry.get("a").ports == frozenset() and not registry.problems


def test_ctrl_c_while_a_plugin_is_loaded_is_nobodys_mistake(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        alone(tmp_path / "slow.py").decoders()


def test_a_title_is_made_fit_for_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "titled.py").write_text(MINIMAL + "    title = 'A\\x1b[31m\\n'\n    column = '\\u202eA'\n")
    found = alone(tmp_path / "titled.py").get("a")
    assert (found.title, found.column) == ("A\\x1b[31m\\n", "\\u202eA")


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="rights of files as POSIX has them")
@pytest.mark.parametrize(("folder_mode", "file_mode", "why"), [
    (0o755, 0o644, ""), (0o700, 0o600, ""), (0o757, 0o644, "folder"), (0o777, 0o600, "folder"), (0o1777, 0o644, "folder"), (0o755, 0o646, "file"),
])
def test_a_plugin_that_others_may_write_is_not_run(tmp_path: Path, folder_mode: int, file_mode: int, why: str) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    file, mark = folder / "echo.py", tmp_path / "ran"
    file.write_text(f"open({str(mark)!r}, 'w').close()\n{ECHO.read_text()}")
    file.chmod(file_mode)
    folder.chmod(folder_mode)
    registry = alone(folder=folder)
    assert ("echo" in [one.name for one in registry.decoders()]) == mark.exists() == (not why)
    shown = {"folder": f"plugin folder {folder}", "file": f"plugin {file}"}
    assert registry.problems == ([f"{shown[why]}: not loaded, everybody may write to it (chmod o-w)"] if why else [])
    named = alone(file)     # its folder is not asked about: the user named this file
    named.decoders()
    assert bool(named.problems) == (why == "file")


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give a file away")
def test_a_plugin_folder_of_another_user_is_not_run(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "echo.py").write_text(ECHO.read_text())
    os.chown(folder, 4242, 4242)
    registry = alone(folder=folder)
    registry.decoders()
    assert registry.problems == [f"plugin folder {folder}: not loaded, it belongs to another user"]


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="rights of files as POSIX has them")
def test_the_rights_of_a_group_count_unless_it_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "echo.py"
    file.write_text(ECHO.read_text())
    file.chmod(0o664)
    for members, safe in (([], True), (["me"], True), (["me", "you"], False)):
        monkeypatch.setattr("pwd.getpwuid", lambda uid: SimpleNamespace(pw_gid=file.stat().st_gid, pw_name="me"))
        monkeypatch.setattr("grp.getgrgid", lambda gid, members=members: SimpleNamespace(gr_name="me", gr_mem=members))
        registry = alone(file)
        registry.decoders()
        assert registry.problems == ([] if safe else [f"plugin {file}: not loaded, its group may write to it (chmod g-w)"])
