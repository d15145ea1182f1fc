"""Messages over UDP, and messages inside the messages of another protocol: rows, trees, pairs, filters and follow through all layers."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from packet_bytes import ACK, SYN, between, tcp, udp, write

from captures.capture import Capture
from captures.filter import FilterRun, Names, compile_filter
from captures.output.ndjson import ndjson
from captures.stream.places import Stream
from protocols.decoder import HANDED_ON, MORE, REFUSED, TO_END, Carried, Decoder, Header, Kind, Match, Summary
from protocols.engine.fields import Spec, raw, walk
from protocols.registry import Registry

UDP_PLUGIN = Path(__file__).parent / "data" / "plugin_udp.py"


def asks(number: int, text: bytes = b"") -> bytes:
    return b"\1" + number.to_bytes(2, "big") + text


def answers(number: int, text: bytes = b"") -> bytes:
    return b"\2" + number.to_bytes(2, "big") + text


def datagram(side: int, data: bytes) -> bytes:
    return between(side, 17, udp(*((50000, 7017) if side == 0 else (7017, 50000)), data))


@pytest.fixture
def beacons(tmp_path: Path) -> Capture:
    """Two questions, answered in the other order, and one without an answer."""
    sent = [(0, asks(1, b"one")), (0, asks(2, b"two")), (1, answers(2, b"2")), (1, answers(1, b"1")), (0, asks(3, b"three"))]
    capture = Capture(write(tmp_path, [datagram(*one) for one in sent]), Registry([UDP_PLUGIN], installed=False))
    capture.read_index()
    return capture


def shown(capture: Capture, text: str) -> list[int]:
    """The packets, from 0, that a filter shows."""
    names = Names(capture.registry)
    return [packet for part in FilterRun(capture, compile_filter(text, names)) for packet in part.tolist()]


def values(capture: Capture, packet: int, name: str) -> list[Any]:
    return [field.value for field in walk(capture.packet(packet).layers) if field.name == name]


def test_datagrams_are_messages_and_pair_by_key(beacons: Capture) -> None:
    rows = [beacons.row(i) for i in range(5)]
    assert [row.protocol for row in rows] == ["Beacon"] * 5
    assert [row.info for row in rows] == ["beacon 'one'", "beacon 'two'", "beacon '2'", "beacon '1'", "beacon 'three'"]
    assert [beacons.peer_packet(i) for i in range(5)] == [3, 2, 1, 0, None]
    assert [values(beacons, i, "beacon.id") for i in range(5)] == [[1], [2], [2], [1], [3]]
    assert values(beacons, 2, "pv.req_frame") == [2] and values(beacons, 4, "pv.status") == ["not_captured"]


@pytest.mark.parametrize(("text", "packets"), [
    ("beacon", [0, 1, 2, 3, 4]), ("pv.kind == response", [2, 3]), ("beacon.id == 2", [1, 2]), ("pv.target == \"two\"", [1, 2]),
    ("pv.status == not_captured", [4]), ("beacon.text contains \"thr\"", [4]), ("udp.stream == 0 && pv.op == \"ask\" && pv.kind == request", [0, 1, 4]),
])
def test_filters_know_messages_of_datagrams(beacons: Capture, text: str, packets: list[int]) -> None:
    assert shown(beacons, text) == packets


def test_datagrams_are_followed_as_messages_and_decoded_as_named(beacons: Capture, tmp_path: Path) -> None:
    follow = beacons.follow(Stream("udp", 0))
    assert [(turn.kind, turn.from_client, turn.info) for turn in follow.turns][:3] == [
        ("message", True, "beacon 'one'"), ("message", True, "beacon 'two'"), ("message", False, "beacon '2'")]
    assert follow.data(follow.turns[1]) == asks(2, b"two")
    other = Capture(write(tmp_path, [between(0, 17, udp(1, 2, b"\7\0\1x"))]), Registry([UDP_PLUGIN], installed=False))
    other.read_index()
    assert other.row(0).protocol == "UDP"
    other.decode_as("udp", 2, "beacon")
    assert other.row(0).protocol == "Beacon"


def test_a_datagram_cut_by_the_snap_length_says_so(tmp_path: Path) -> None:
    from capture_bytes import Sent

    whole = datagram(0, asks(1, b"a long text"))
    capture = Capture(write(tmp_path, [Sent(0, whole[:-6], len(whole)), Sent(1, datagram(1, answers(1)))]), Registry([UDP_PLUGIN], installed=False))
    capture.read_index()
    message = capture.conversation(0, "udp").messages[0]
    assert (message.have, message.length, message.complete) == (8, 14, False)
    assert capture.peer_packet(1) == 0


class Inner(Decoder):
    """What the wrapping carries: 1 asks, 2 answers, a byte of id, a byte of length, text."""

    name, title, column = "inner", "Inner", "INNER"

    def specs(self):  # type: ignore[no-untyped-def]
        return (Spec("inner", "Inner", "protocol"), Spec("inner.all", "All", "bytes"))

    def recognise(self, opening):  # type: ignore[no-untyped-def]
        return Match(80, f"inside {opening.transport}: {opening.hint}") if opening.transport == "wrapped" else None

    def frame(self, data, side):  # type: ignore[no-untyped-def]
        return MORE if len(data) < 3 else 3 + data[2] if data[0] in (1, 2) else REFUSED

    def header(self, data, start, end, side, session):  # type: ignore[no-untyped-def]
        return Header(Kind.REQUEST if data[start] == 1 else Kind.RESPONSE, data[start + 1], "inner op")

    def describe(self, message):  # type: ignore[no-untyped-def]
        return Summary(info="inner " + message.data[message.start + 3:message.end].decode())

    def dissect(self, message):  # type: ignore[no-untyped-def]
        return [raw(message.data, message.start, message.end, message.view)]


class Wrapped(Decoder):
    """A byte of length, then bytes that are turned over (xor 0xff) where the client sends them. 0xfe hands on all that follows."""

    name, title, column = "wrapped", "Wrapped", "WRAP"
    ports = frozenset({7018})

    def specs(self):  # type: ignore[no-untyped-def]
        return (Spec("wrapped", "Wrapped", "protocol"),)

    def recognise(self, opening):  # type: ignore[no-untyped-def]
        return Match(80, "its port") if 7018 in opening.ports and opening.transport == "tcp" else None

    def frame(self, data, side):  # type: ignore[no-untyped-def]
        if data[:1] == b"\xfd":
            return HANDED_ON
        return 1 + data[0] if data else MORE

    def framed(self, data, side):  # type: ignore[no-untyped-def]
        side.state.append((side.from_client, data[0]))

    def framing_state(self):  # type: ignore[no-untyped-def]
        return []

    def handed_on(self, state):  # type: ignore[no-untyped-def]
        return f"after {len(state)}"

    def carrier(self):  # type: ignore[no-untyped-def]
        def carries(message):  # type: ignore[no-untyped-def]
            data = message.data[message.start + 1:message.end]
            yield Carried(bytes(255 - one for one in data)) if message.from_client else Carried(data, 1)
        return carries

    def header(self, data, start, end, side, session):  # type: ignore[no-untyped-def]
        return Header(Kind.EVENT)

    def describe(self, message):  # type: ignore[no-untyped-def]
        return Summary(info="wrapped")

    def dissect(self, message):  # type: ignore[no-untyped-def]
        return [raw(message.data, message.start, message.end, message.view)]


def wrapped(data: bytes, client: bool) -> bytes:
    return bytes((len(data),)) + (bytes(255 - one for one in data) if client else data)


def layered(tmp_path: Path, parts: list[tuple[int, bytes]], inside: tuple[str, ...] = ("inner",)) -> Capture:
    """A TCP connection with these payloads, (side, bytes) each, read by the two decoders."""
    at, sent = [100, 900], []
    sent.append(between(0, 6, tcp(50000, 7018, 99, 0, SYN)))
    sent.append(between(1, 6, tcp(7018, 50000, 899, 100, SYN | ACK)))
    for side, data in parts:
        ports = (50000, 7018) if side == 0 else (7018, 50000)
        sent.append(between(side, 6, tcp(*ports, at[side], at[1 - side], ACK, data)))
        at[side] += len(data)
    capture = Capture(write(tmp_path, sent), Registry(installed=False, built_in={name: f"{__name__}:{name.title()}" for name in ("wrapped", *inside)}))
    capture.read_index()
    return capture


ONE, TWO = b"\1\7\5hello", b"\2\7\2ok"


def test_messages_inside_messages_have_rows_trees_pairs_and_filters(tmp_path: Path) -> None:
    # the question is cut over two outer messages, which come in two packets
    capture = layered(tmp_path, [(0, wrapped(ONE[:4], True)), (0, wrapped(ONE[4:], True)), (1, wrapped(TWO, False))])
    assert [capture.row(i).info for i in (2, 3, 4)] == ["wrapped", "inner hello", "inner ok"]
    assert [layer.name for layer in capture.packet(3).layers][-2:] == ["wrapped", "inner"]
    assert capture.peer_packet(3) == 4 and capture.peer_packet(4) == 3
    inside = capture.conversation(0).inner[0]
    assert inside.match is not None and inside.match.why == "inside wrapped: "
    assert [(pdu.packet, pdu.first_packet) for pdu in inside.messages] == [(3, 2), (4, 4)]
    # what was turned over has a view of its own and no place; what stands as it is in the packet is shown there
    packet = capture.packet(3)
    assert packet.views[-1].data == ONE and packet.layers[-1].view == len(packet.views) - 1
    answer = capture.packet(4).layers[-1]
    assert answer.view == 0 and capture.frame(4)[answer.start:answer.end] == TWO
    assert shown(capture, "inner") == [3, 4] and shown(capture, "wrapped") == [2, 3, 4]
    assert shown(capture, "pv.op == \"inner op\"") == [3, 4] and shown(capture, "wrapped && inner && pv.kind == response") == []
    assert shown(capture, "pv.rrt > 0") == [3, 4] and shown(capture, "inner && pv.rrt > 0") == [3, 4]
    assert shown(capture, "wrapped && pv.rrt > 0") == [] and shown(capture, "inner && pv.kind == response") == [4]
    layers = json.loads(next(ndjson(capture, [3])))["layers"]
    assert [layer["name"] for layer in layers][-2:] == ["wrapped", "inner"]


class Behind(Inner):
    """What is handed on: 0xfd and all that is there, or an answer."""

    name = "behind"

    def recognise(self, opening):  # type: ignore[no-untyped-def]
        return Match(90, opening.hint) if opening.data[0][:1] == b"\xfd" and opening.hint else None

    def frame(self, data, side):  # type: ignore[no-untyped-def]
        return TO_END if data[:1] == b"\xfd" else REFUSED


def test_what_follows_is_handed_on_and_recognised_with_the_hint(tmp_path: Path) -> None:
    capture = layered(tmp_path, [(0, wrapped(b"x", True)), (0, b"\xfdrest"), (1, b"\xfd")], ("behind",))
    (inside,) = capture.conversation(0).inner
    assert inside.match is not None and inside.match.why == "after 1"
    assert inside.data(inside.messages[0]) == b"\xfdrest"
    assert [(at.packet, at.length) for at in inside.origins(inside.messages[0])] == [(3, 5)]
    assert capture.packet(3).layers[-1].view == 0


def test_a_layer_is_followed_and_decoded_as_named(tmp_path: Path) -> None:
    capture = layered(tmp_path, [(0, wrapped(ONE, True)), (1, wrapped(TWO, False))])
    follow = capture.follow(Stream("tcp", 0, "inner"))
    assert [(turn.info, follow.data(turn)) for turn in follow.turns] == [("inner hello", ONE), ("inner ok", TWO)]
    assert [turn.info for turn in capture.follow(Stream("tcp", 0)).turns] == ["wrapped", "wrapped"]
    with pytest.raises(KeyError, match="wrapped, inner"):
        capture.follow(Stream("tcp", 0, "nosuch"))
    assert [decoder.name for decoder, _, _ in capture.recognised(Stream("tcp", 0, "inner"))] == ["inner"]
    capture.decode_as("wrapped", 7018, "wrapped")
    assert [decoder.name for layer in capture.conversation(0).layers() if (decoder := layer.decoder)][:2] == ["wrapped", "wrapped"]
