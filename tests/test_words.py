"""One word for one thing (CONTRIBUTING, "Words") in all that a user reads: screens, help, options, fields, errors, README."""
from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from captures.output import names
from captures.packet import expert
from protocols.lower import link
from protocols.registry import Registry
from tui.command.cli import parser
from tui.filter.filter_keys import COMMANDS
from tui.panes.copying import FORMS
from tui.parts import actions

ROOT = Path(__file__).parent.parent
INSTEAD = {
    "frame": "packet", "conversation": "stream", "connection": "stream", "dialogue": "stream", "pdu": "message", "exchange": "message", "turn": "message",
    "partner": "peer",
}
WORD = re.compile(rf"\b({'|'.join(INSTEAD)})s?\b(?!\.\w)", re.IGNORECASE)
"""The words; not `frame.number` and the like, which are Wireshark's names."""
WIRESHARKS = {spec.name for module in (*link.MODULES, expert) for spec in module.SPECS} | {"frame.time_delta_displayed"}
"""Fields whose labels are compared with tshark's."""
ALLOWED = {
    "zookeeper.len", "zookeeper.word", "rocketmq.len", "kafka.pdu_length_mismatch",     # the protocol's own frame: a length and what it counts
    "kafka.record_frame_version",                                                       # a schema's name of this field
    "kafka.request_frame", "kafka.response_frame", "http.request_in", "http.response_in", "dns.kx.key_exchange",    # Wireshark's labels
    "dns.mx.mail_exchange", "http.connection",
}


def wrong(text: str) -> list[str]:
    return [f"{found[0]!r}, say {INSTEAD[found[1].lower()]!r}: {text!r}" for found in WORD.finditer(text)]


def test_the_words_are_told_apart() -> None:
    assert len(wrong("the frames of this conversation, in turn")) == 3
    assert wrong("packets with frame.number of a stream; framed, returned, connected") == []


def test_keys_commands_and_options_use_them() -> None:
    texts = [*actions.TITLES.values(), *COMMANDS, *COMMANDS.values(), parser().format_help(), *(form.name for form in FORMS)]
    texts += [text for action in actions.ACTIONS for text in (action.id, action.help, action.hint, action.group)]
    assert len(texts) > 300
    assert [one for text in texts for one in wrong(text)] == []


def test_labels_and_meanings_of_fields_use_them() -> None:
    mine = [name.spec for name in names.known(Registry()).values() if name.spec.name not in WIRESHARKS]
    assert {"pv.rrt", "tcp.reassembled_in", "zookeeper.path"} < {spec.name for spec in mine} and len(mine) > 1000
    found = {spec.name: wrong(spec.label) + wrong(spec.about) for spec in mine if wrong(spec.label) + wrong(spec.about)}
    assert {name: words for name, words in found.items() if name not in ALLOWED} == {}
    assert set(found) == ALLOWED        # an exception that is none any more is taken out


def test_the_readme_uses_them() -> None:
    prose = re.sub(r"```.*?```|`[^`]*`", "", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    prose = re.sub(r"^\| WebSocket \|.*", "", prose, flags=re.MULTILINE)      # whose messages come in frames of its own
    assert [one for line in prose.splitlines() for one in wrong(line)] == []


def said(path: Path) -> Iterator[str]:
    """The texts of a module that have a blank in them; not docstrings, nor styles of screens."""
    tree = ast.parse(path.read_text())
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent and " " in node.value.strip():
            yield node.value


@pytest.mark.parametrize("folder", ["captures", "tui"])
def test_what_the_program_says_uses_them(folder: str) -> None:
    texts = [(path.name, text) for path in sorted((ROOT / folder).rglob("*.py")) for text in said(path)]
    assert len(texts) > 200
    found = {(name, one) for name, text in texts for one in wrong(text)}
    assert {one for one in found if one[0] != "expert.py"} == set()
