"""`-T ndjson` and `-T json`: valid JSON in UTF-8, whatever the fields hold."""
from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captures.capture import Capture
from captures.output.ndjson import json_array, ndjson, packet_json
from captures.packet.model import Packet, Row, View
from protocols.engine.fields import Field, Spec, generated, group, malformed
from protocols.engine.printable import UNPRINTABLE
from tui.command.cli import demo

NODE = {"name", "label", "value", "text", "view", "start", "length", "fields"}
ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=20)   # lone surrogates and controls too


def packet(layers: list[Field], info: str = "", views: tuple[View, ...] = (View("Frame", b"\0\xff"),)) -> Packet:
    return Packet(0, list(views), layers, Row(1, 1_700_000_000_000_000_001, None, "", "a", "b", "TCP", 60, info))


def read(one: Packet, with_bytes: bool = False) -> dict:
    return json.loads(packet_json(one, {}, with_bytes).encode("utf-8"), parse_constant=pytest.fail)


def nodes(layers: list[dict]):
    for one in layers:
        yield one
        yield from nodes(one["fields"])


def test_a_packet_has_the_keys_of_the_contract():
    made = read(packet([], "hello"))
    assert list(made) == ["number", "time", "source", "destination", "protocol", "length", "info", "views", "layers"]
    assert made["time"] == "1700000000.000000001"
    assert made["views"] == [{"name": "Frame", "length": 2}]


def test_views_carry_their_bytes_when_asked_to():
    assert read(packet([]), with_bytes=True)["views"] == [{"name": "Frame", "length": 2, "bytes": "00ff"}]


@pytest.mark.parametrize(("value", "shown"), [
    (None, None), (True, True), (False, False), (0, 0), (-(1 << 63), -(1 << 63)), ((1 << 128) - 1, (1 << 128) - 1), (0.1, 0.1), (-1e300, -1e300),
    (math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf"), (b"\x00\xffA", "00ff41"), (memoryview(b"ab"), "6162"), ("кафка", "кафка"),
    ("\"\\\n\x00\x1b\x7f\x9b\u202e", "\"\\\n\x00\x1b\x7f\x9b\u202e"),
])
def test_values_keep_their_type(value, shown):
    node = read(packet([Field(Spec("x", "X", "string"), value, 3, 4, text="line")]))["layers"][0]
    assert node == {"name": "x", "label": "X", "value": shown, "text": "line", "view": 0, "start": 3, "length": 4, "fields": []}
    assert type(node["value"]) is type(shown)


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_any_text_comes_back_and_cannot_steer_a_terminal(value, label, info):
    text = packet_json(packet([Field(Spec("x", label, "string"), value, 0, 1)], info), {})
    assert not UNPRINTABLE.search(text)
    made = json.loads(text.encode("utf-8"))
    assert made["info"] == info
    assert made["layers"][0]["value"] == value and made["layers"][0]["label"] == label


def test_groups_and_their_siblings_nest_as_in_the_tree():
    spec = {name: Spec(name, name) for name in "abcde"}
    tree = [group(spec["a"], 0, 9, [group(spec["b"], 0, 4, [generated(spec["c"], 1)]), generated(spec["d"], 2)]), generated(spec["e"], 3)]

    def outline(fields):
        return [(one["name"], outline(one["fields"])) for one in fields]
    assert outline(read(packet(tree))["layers"]) == [("a", [("b", [("c", [])]), ("d", [])]), ("e", [])]


def test_depth_is_no_matter():
    spec = Spec("x", "X")
    one = generated(spec, 0)
    for _ in range(50_000):
        one = group(spec, 0, 1, [one])
    text = packet_json(packet([one]), {})
    assert text.count("{") == text.count("}") == 50_000 + 3


def test_what_could_not_be_read_is_a_node_by_its_name():
    node = read(packet([malformed(5, "wanted 4 bytes, had 2", 7)]))["layers"][0]
    assert (node["name"], node["start"], node["length"]) == ("_ws.malformed", 5, 2)


def test_an_empty_capture_is_an_empty_array():
    assert json.loads("".join(json_array(None, ()))) == []


def test_a_real_capture_gives_one_object_a_packet_and_the_same_in_an_array():
    capture = Capture(demo())
    capture.read_index()
    lines = [json.loads(line) for line in ndjson(capture, range(60))]
    assert json.loads("".join(json_array(capture, range(60)))) == lines
    assert [line["number"] for line in lines] == list(range(1, 61))
    for line in lines:
        for node in nodes(line["layers"]):
            assert set(node) == NODE
            assert 0 <= node["start"] <= node["start"] + node["length"] <= line["views"][node["view"]]["length"]
    assert [layer["name"] for layer in lines[3]["layers"]] == ["frame", "eth", "ip", "tcp", "zookeeper"]
    exchange = {node["name"]: node["value"] for node in nodes(lines[3]["layers"][-1]["fields"]) if node["name"].startswith("pv.")}
    assert (exchange["pv.kind"], exchange["pv.op"], exchange["pv.resp_frame"]) == ("request", "connect", 6)
