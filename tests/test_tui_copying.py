"""What `y` copies, and the ways to the clipboard."""
from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from captures.capture import Capture
from captures.output.ndjson import node_json, packet_json
from captures.packet.model import Packet, Row
from protocols.decoder import View
from protocols.engine.fields import Field, Spec
from tui.command.cli import demo
from tui.panes.copying import FORMS, Target, filter_expression
from tui.terminal import clipboard

PATH = Spec("zookeeper.path", "Path", "string")
ACK = Spec("tcp.flags.ack", "Acknowledgment", "bool", mask=0x10)
ERROR = Spec("kafka.error", "Error", "int16", enum={19: "NOT_ENOUGH_REPLICAS"})
BODY = Spec("tcp.payload", "TCP payload", "bytes")
SOURCE = Spec("ip.src", "Source", "ipv4")
GROUP = Spec("kafka.partition", "Partition")
EPOCH = Spec("frame.time_epoch", "Epoch Time", "duration")
FRAME = b"\x00\x01\x02/a\n\xff" + bytes(range(32))


def packet() -> Packet:
    return Packet(6, [View("Frame", FRAME)], [], Row(7, 1_700_000_000_000_000_000, None, "", "10.0.0.1:5", "10.0.0.2:6", "TCP", len(FRAME), "hello"))


def copied(letter: str, field: Field | None) -> str | None:
    return next(form for form in FORMS if form.letter == letter).make(Target(packet(), field))


PARENT = Field(GROUP, None, 0, 7, 0, [Field(PATH, "/a", 3, 2), Field(ERROR, 19, 1, 2)])


@pytest.mark.parametrize(("field", "expression"), [
    (Field(PATH, "/a", 3, 2), 'zookeeper.path == "/a"'),
    (Field(PATH, 'a"b\\c\n\x01', 3, 2), 'zookeeper.path == "a\\"b\\\\c\\n\\x01"'),
    (Field(ACK, True, 0, 1), "tcp.flags.ack == 1"),
    (Field(ERROR, 19, 1, 2), "kafka.error == 19"),
    (Field(BODY, b"\x00\xff", 0, 2), "tcp.payload == 00:ff"),
    (Field(SOURCE, "10.2.0.7", 0, 4), "ip.src == 10.2.0.7"),
    (Field(GROUP, None, 0, 4), "kafka.partition"),
    (Field(EPOCH, 1_700_000_000_000_000_001, 0, 0), "frame.time_epoch == 1700000000.000000001"),     # a float would say .000000000
])
def test_a_field_becomes_a_filter_expression_of_its_type(field: Field, expression: str) -> None:
    assert filter_expression(field) == expression


def test_every_form_of_bytes_reads_back_as_the_bytes() -> None:
    field = Field(BODY, FRAME, 0, len(FRAME))
    assert bytes.fromhex(copied("x", field) or "") == FRAME
    assert base64.b64decode(copied("b", field) or "") == FRAME
    assert eval(copied("p", field) or "") == FRAME
    numbers = (copied("c", field) or "").partition("{")[2].partition("}")[0]
    assert bytes(int(number, 16) for number in numbers.split(",")) == FRAME
    dump = [line[6:54].split() for line in (copied("h", field) or "").splitlines()]
    assert bytes(int(byte, 16) for line in dump for byte in line) == FRAME


def test_value_label_and_name_are_copied() -> None:
    field = Field(ERROR, 19, 1, 2)
    assert copied("v", field) == "19"
    assert copied("l", field) == "Error: NOT_ENOUGH_REPLICAS (19)"
    assert copied("n", field) == "kafka.error"
    assert copied("v", Field(PATH, "/a", 3, 2)) == "/a"
    assert copied("v", Field(GROUP, None, 0, 4)) is None


def test_a_subtree_is_copied_as_text_and_as_json() -> None:
    assert copied("t", PARENT) == "Partition\n    Path: /a\n    Error: NOT_ENOUGH_REPLICAS (19)"
    made = json.loads(copied("J", PARENT) or "")
    assert made["name"] == "kafka.partition" and made["length"] == 7
    assert [(one["name"], one["value"], one["start"], one["length"]) for one in made["fields"]] == [("zookeeper.path", "/a", 3, 2), ("kafka.error", 19, 1, 2)]


def test_a_copied_node_is_the_node_of_the_json_output() -> None:
    capture = Capture(demo())
    capture.read_index()
    form = next(form for form in FORMS if form.letter == "J")
    for index in (3, 5, 20):
        packet = capture.packet(index)
        exported = json.loads(packet_json(packet, {}))["layers"]
        pairs = list(zip(packet.layers, exported, strict=True))
        assert pairs[-1][1]["name"] == "zookeeper"
        while pairs:
            field, node = pairs.pop()
            text = form.make(Target(packet, field)) or ""
            assert json.loads(text) == node
            assert text.encode() == json.dumps(json.loads(text), ensure_ascii=False, indent=2).encode()
            pairs += zip(field.fields, node["fields"], strict=True)


def test_copied_json_is_readable_whatever_its_texts_hold() -> None:
    text = copied("J", Field(PATH, '\\", {[]}: \x9b\n', 3, 2)) or ""
    assert json.loads(text)["value"] == '\\", {[]}: \x9b\n'
    assert [line.strip().partition(":")[0] for line in text.splitlines()] == [
        "{", '"name"', '"label"', '"value"', '"text"', '"view"', '"start"', '"length"', '"fields"', "}"]
    assert "\x9b" not in text


def test_a_message_is_copied_as_the_json_that_a_person_would_write() -> None:
    """A Metadata request of 11 bytes of names: what it says, without places, lengths and generated fields."""
    def spec(name: str, kind: str = "none") -> Spec:
        return Spec(name, name.rpartition(".")[2], kind)
    names = [Field(spec("kafka.topic"), None, 10 + 9 * i, 9, 0, [
        Field(spec("kafka.topic_name", "string"), name, 11 + 9 * i, 8, 0, [Field(spec("kafka.topic_name_len", "int64"), 8, 10 + 9 * i, 1)])],
        text=name) for i, name in enumerate(("orders", "\x9bpaid"))]
    topics = Field(spec("kafka.topics"), None, 9, 19, 0, [Field(spec("kafka.topics_len", "int64"), 2, 9, 1), *names])
    message = Field(spec("kafka", "protocol"), None, 0, 30, 0, [
        Field(spec("pv"), None, 0, 0, text="[Message: x]"), Field(spec("kafka.len", "int32"), 26, 0, 4), Field(spec("kafka.api_key", "int16"), 3, 4, 2),
        Field(spec("kafka.client_id", "string"), None, 8, 0, 0, [Field(spec("kafka.client_id_len", "int64"), -1, 6, 2)]), topics,
        Field(spec("kafka.raw", "bytes"), b"\x00\xff", 28, 2)])
    form = next(form for form in FORMS if form.letter == "j")
    text = form.make(Target(packet(), names[0], message)) or ""
    assert json.loads(text) == {"api_key": 3, "client_id": None, "topics": [{"name": "orders"}, {"name": "\x9bpaid"}], "raw": "00ff"}
    assert "\x9b" not in text
    assert copied("v", names[0]) == "orders"
    assert json.loads(copied("v", topics) or "") == [{"name": "orders"}, {"name": "\x9bpaid"}]
    assert len(json.loads(copied("v", topics) or "")) == 2


def test_a_document_has_its_extended_json_as_value() -> None:
    spec = Spec("mongo.msg.sections.section.body", "Body")
    body = Field(spec, None, 0, 9, 0, [Field(ERROR, 1, 5, 2)], text='Body: {"insert": "c", "n": {"$numberLong": "1"}}')
    assert copied("v", body) == '{"insert": "c", "n": {"$numberLong": "1"}}'
    assert json.loads(copied("j", body) or "") == {"insert": "c", "n": {"$numberLong": "1"}}


def test_a_tree_too_large_to_copy_is_cut_and_is_still_json() -> None:
    made = json.loads(node_json(Field(GROUP, None, 0, 9, 0, [Field(PATH, str(number), 0, 1) for number in range(100)]), 10))
    assert [one["value"] for one in made["fields"]] == [str(number) for number in range(9)]


def test_without_a_field_the_bytes_are_the_frame() -> None:
    assert copied("x", None) == FRAME.hex()
    assert copied("v", None) is None
    assert copied("y", None) == "7  1700000000.000000  10.0.0.1:5 → 10.0.0.2:6  TCP  39  hello"


def test_forms_have_letters_of_their_own() -> None:
    assert len({form.letter for form in FORMS}) == len(FORMS) == 13


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path


def script(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_inside_tmux_the_text_goes_to_its_buffer_and_on(tools: Path) -> None:
    script(tools, "tmux", f'echo "$@" > {tools}/arguments; cat > {tools}/text')
    assert clipboard.routes("orders ü", {"TMUX": "/tmp/tmux-0/default,1,0", "SSH_TTY": "/dev/pts/1"}) == ["tmux"]
    assert (tools / "text").read_text() == "orders ü"
    assert (tools / "arguments").read_text().split() == ["load-buffer", "-w", "-"]


def test_a_tmux_that_fails_is_not_reported(tools: Path) -> None:
    script(tools, "tmux", "exit 1")
    assert clipboard.routes("x", {"TMUX": "yes", "SSH_TTY": "/dev/pts/1"}) == []


def test_a_clipboard_tool_that_hangs_is_given_up(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tools, "tmux", "sleep 30")
    monkeypatch.setattr(clipboard, "PATIENCE", 0.2)
    assert clipboard.by_tmux("x", {"TMUX": "yes"}) is False


@pytest.mark.parametrize("name", clipboard.REMOTE)
def test_over_a_remote_line_the_desktop_is_left_alone(name: str) -> None:
    assert clipboard.by_desktop("x", {name: "1"}) is False


def test_a_desktop_that_does_not_read_back_is_not_believed(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # a stale DISPLAY: xclip takes the text, complains, and gives nothing back
    for tool in ("xclip", "xsel", "wl-copy", "wl-paste", "pbcopy", "pbpaste"):
        script(tools, tool, "cat > /dev/null; echo cannot open display >&2")
    monkeypatch.setenv("DISPLAY", ":99")
    assert clipboard.by_desktop("orders", {}) is False


def test_the_report_claims_no_more_than_was_done() -> None:
    said = clipboard.report("value", "ü", [])
    assert "Copied" not in said and "Sent value" in said and "2 bytes by OSC 52" in said
    said = clipboard.report("value", "x", ["tmux"])
    assert said.startswith("Copied value: 1 byte by tmux")
    assert "nothing was copied" in clipboard.refusal("bytes", "x" * 80_000)


@pytest.mark.parametrize("text", ["", "x", "orders ü", "y" * 500, "z" * 20_000])
def test_gnu_screen_gets_the_sequence_in_wrapped_pieces_that_add_up_to_it(text: str) -> None:
    """What screen hands on, each piece without its wrapping, is the sequence that a terminal takes."""
    whole = clipboard.osc_52(text, {"TERM": "xterm"})
    assert whole == "\x1b]52;c;" + base64.b64encode(text.encode()).decode() + "\x07"
    for term in ("screen", "screen-256color", "screen.xterm-256color"):
        wrapped = clipboard.osc_52(text, {"TERM": term, "STY": "1234.pts-0.host"})
        pieces = wrapped.removeprefix("\x1bP").removesuffix("\x1b\\").split("\x1b\\\x1bP")
        assert "".join(pieces) == whole and all(len(piece) <= 240 for piece in pieces)
    assert clipboard.osc_52(text, {"TERM": "screen-256color", "TMUX": "/tmp/tmux"}) == whole
