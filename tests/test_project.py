"""The house itself: three floors, files that can be read in one go, one version, a public face."""
from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import protoview
from tui.command.cli import VERSION

ROOT = Path(__file__).parent.parent
SOURCES = [ROOT / "protoview.py", *sorted(path for folder in ("protocols", "captures", "tui", "tests") for path in (ROOT / folder).rglob("*.py"))]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_imports_only_go_downward():
    linter = Path(sys.executable).with_name("lint-imports")
    if not linter.exists():
        pytest.skip("import-linter is not installed beside this Python")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_a_file_can_be_read_in_one_go(path):
    assert len(path.read_text().splitlines()) <= (450 if path.is_relative_to(ROOT / "tests") else 400)


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_a_file_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


PRIVATE = re.compile(r"(?<![\w.])(?!self\b|cls\b)\w+(?:\.\w+)*\._(?!replace\b|asdict\b|make\b|_)[a-z]\w*")


@pytest.mark.parametrize("path", [path for path in SOURCES if {"captures", "tui"} & set(path.relative_to(ROOT).parts[:1])], ids=shown)
def test_nobody_reaches_into_what_is_private_to_another(path):
    own = {"messages/messages.py": {"other._messages"},                                                 # comparing with another of the same class
           "parts/textual_private.py": {"widget._check_refresh", "view._scroll_update", "textual._xterm_parser"}}     # what Textual does not publish
    found = {one[0] for line in path.read_text().splitlines() for one in PRIVATE.finditer(line.partition("#")[0]) if not one[0].startswith(("self.", "os."))}
    assert found <= next((words for name, words in own.items() if str(path).endswith(name)), set())


def test_there_is_one_version():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


def test_the_public_face_has_all_that_it_names():
    assert len(set(protoview.__all__)) == len(protoview.__all__)
    for name in protoview.__all__:
        assert getattr(protoview, name) is not None
    with pytest.raises(AttributeError, match="nosuch"):
        _ = protoview.nosuch


def test_a_plugin_does_not_load_what_only_captures_need():
    program = ("import sys, protoview; assert not {'numpy', 'textual', 'captures'} & set(sys.modules), 'import'\n"
               "from protoview import Decoder, Fast, Layout, Spec, read; assert not {'numpy', 'captures'} & set(sys.modules), 'words of a decoder'\n"
               "from protoview import FieldColumn, HeaderColumns, MessageHeads; assert 'numpy' in sys.modules and 'captures' not in sys.modules, 'columns'\n"
               "from protocols import message_heads as m; assert (FieldColumn, MessageHeads) == (m.FieldColumn, m.MessageHeads)")
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
