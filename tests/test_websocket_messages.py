"""WebSocket frames from RFC 6455, RFC 7692 and wsproto: trees, masking, fragments, deflate with a shared window, control frames, recognition."""
from __future__ import annotations

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websocket_wire import Connection, split
from zookeeper_wire import lines, uncovered

from protocols.decoder import MORE, REFUSED, Kind, Opening, Side, Status
from protocols.engine.fields import walk
from protocols.websocket.decoder import WebSocket
from protocols.websocket.frames import Negotiated, negotiated, unmask

DEFLATE = "websocket; permessage-deflate; protocol=chat"
# wsproto 1.3.2, permessage-deflate with context takeover; what each one says stands in the test
W1, W2, W3 = "c18737fa213dc5b2ecf4fefd21", "c107f248cdc9c90700", "c105f200110000"
PING, PONG, CLOSE, CLOSED = "898201020304696b", "8a026869", "8885a1b2c3d4a25aa1adc4", "880503e8627965"


def test_the_tree_of_a_masked_text() -> None:
    # RFC 6455 section 5.7: "a single-frame masked text message", "Hello"
    message = Connection().client("818537fa213d7f9f4d5158")
    assert lines(WebSocket().dissect(message)) == [
        "   0 +1    1... .... = Fin: True", "   0 +1    .000 .... = Reserved: 0x00", "   0 +1    .0.. .... = Per-Message Compressed: False",
        "   0 +1    .... 0001 = Opcode: Text (1)", "   1 +1    1... .... = Mask: True", "   1 +1    .000 0101 = Payload length: 5",
        "   0 +0    [Length: 5]", "   2 +4    Masking-Key: 37fa213d", "   6 +5    Masked payload (5 bytes): 7f9f4d5158",
        "   0 +5    Payload (5 bytes)", "   0 +5      Text: Hello",
    ]
    assert [(one.name, one.data) for one in message.views] == [("Unmasked payload", b"Hello")]
    assert WebSocket().describe(message).info == 'Text (5 bytes) "Hello"'


def test_frames_of_the_rfc() -> None:
    one = Connection()
    assert WebSocket().describe(one.server("810548656c6c6f")).info == 'Text (5 bytes) "Hello"'
    first, second = one.server("010348656c"), one.server("80026c6f")
    assert [WebSocket().describe(each).info for each in (first, second)] == ['Text fragment 1 (3 bytes) "Hel"', 'Text fragment 2 (last) (2 bytes) "lo"']
    assert [carried.data for _, carried in one.carried] == [b"Hello", b"Hel", b"lo"]
    assert [carried.start for _, carried in one.carried] == [2, 2, 2]
    big = bytes.fromhex("827e0100") + bytes(256)
    assert [len(part) for part in split(big + bytes.fromhex("827f0000000000010000") + bytes(65536), False)] == [260, 65546]


def test_deflate_with_a_shared_window() -> None:
    one = Connection(DEFLATE)
    messages = [one.client(W1), one.server(W2), one.server(W3)]
    assert [carried.data for _, carried in one.carried] == [b"Hello"] * 3
    assert {carried.hint for _, carried in one.carried} == {"chat"}
    assert {carried.start for _, carried in one.carried} == {None}
    for message in reversed(messages):                  # in any order
        tree = list(walk(WebSocket().dissect(message)))
        assert [field.value for field in tree if field.name == "websocket.payload.text"] == ["Hello"]
        assert [field.value for field in tree if field.name == "websocket.pmc"] == [True]
    assert WebSocket().describe(messages[0]).info == 'Text (deflate 7 → 5) "Hello"'


def test_deflate_whose_history_is_missing() -> None:
    one = Connection("", from_start=False)
    alone = one.server(W3)                              # refers to a message before it
    assert "history missing" in WebSocket().describe(alone).info
    assert not one.carried
    fresh = Connection("", from_start=False).server(W2)
    assert WebSocket().describe(fresh).info == 'Text (deflate 7 → 5) "Hello"'


def test_deflate_without_a_shared_window() -> None:
    one = Connection("websocket; permessage-deflate; server_no_context_takeover")
    for _ in range(2):
        one.server(W2)
    assert [carried.data for _, carried in one.carried] == [b"Hello", b"Hello"]
    # RFC 7692 section 7.2.3.2: with the window shared, the second message can be as short as this
    shared = Connection("websocket; permessage-deflate")
    shared.server(W2)
    shared.server(W3)
    assert [carried.data for _, carried in shared.carried] == [b"Hello", b"Hello"]


def test_a_last_block_inside_a_message() -> None:
    # RFC 7692 section 7.2.3.4: "Hello" in a DEFLATE block with BFINAL set to 1
    one = Connection("websocket; permessage-deflate")
    one.server("c108f348cdc9c9070000")
    one.server(W2)
    assert [carried.data for _, carried in one.carried] == [b"Hello", b"Hello"]


def test_a_bomb_ends_what_is_carried() -> None:
    press = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = press.compress(bytes(64 << 20)) + press.flush(zlib.Z_SYNC_FLUSH)
    frame = b"\xc2\x7e" + len(bomb[:-4]).to_bytes(2, "big") + bomb[:-4] if len(bomb) < 65540 else b"\xc2\x7f" + len(bomb[:-4]).to_bytes(8, "big") + bomb[:-4]
    one = Connection("websocket; permessage-deflate")
    message = one.add(frame, False)
    assert not one.carried
    assert "history missing" in WebSocket().describe(message).info
    assert all(len(view.data) <= 16 << 20 for view in message.views)


def test_control_frames() -> None:
    one = Connection()
    ping, pong = one.client(PING), one.server(PONG)
    assert (ping.header.kind, pong.header.kind, ping.header.key == pong.header.key) == (Kind.REQUEST, Kind.RESPONSE, True)
    assert one.server(PONG).header.kind is Kind.ONEWAY
    close, closed = one.client(CLOSE), one.server(CLOSED)
    assert (close.header.kind, closed.header.kind, close.header.key == closed.header.key) == (Kind.REQUEST, Kind.RESPONSE, True)
    words = WebSocket().describe(closed)
    assert (words.info, words.code, words.status) == ('Close 1000 Normal Closure "bye"', 1000, Status.OK)
    found = {field.name: field.value for field in walk(WebSocket().dissect(close))}
    assert (found["websocket.payload.close.status_code"], found["websocket.payload.close.reason"]) == (1000, "bye")
    assert not one.carried
    assert "data after a Close" in WebSocket().describe(one.server("8100")).info


@pytest.mark.parametrize(("code", "client", "status"), [(1002, False, Status.CLIENT_ERROR), (1002, True, Status.SERVER_ERROR),
    (1011, False, Status.SERVER_ERROR),
                                                       (4001, False, Status.CLIENT_ERROR), (1001, False, Status.OK)])
def test_the_status_of_a_close(code: int, client: bool, status: Status) -> None:
    frame = (b"\x88\x82\0\0\0\0" if client else b"\x88\x02") + code.to_bytes(2, "big")
    assert WebSocket().describe(Connection().add(frame, client)).status is status


@pytest.mark.parametrize(("frame", "client", "note"), [
    ("8100", True, "a client masks"), ("818000000000", False, "a server does not mask"), ("8000", False, "without a start"),
        ("817e0001" + "61", False, "longer"),
])
def test_rules_that_are_broken_are_said(frame: str, client: bool, note: str) -> None:
    message = Connection().add(bytes.fromhex(frame), client)
    assert any(one.name == "websocket.note" and note in str(one.value) for one in WebSocket().dissect(message))


def test_framing() -> None:
    side = Side(True, True, b"", b"")
    whole = bytes.fromhex("818537fa213d7f9f4d5158")
    assert [WebSocket().frame(whole[:n], side) for n in range(len(whole) + 1)] == [MORE] * 6 + [11] * 6
    for bad in ("83", "8b00", "a100", "0900", "897e0080", "827f8000000000000000"):
        assert WebSocket().frame(bytes.fromhex(bad), side) == REFUSED, bad


def test_what_hints_say() -> None:
    assert negotiated("websocket; permessage-deflate; client_no_context_takeover; server_max_window_bits=12; protocol=mqtt") == Negotiated(
        True, True, (False, True), "mqtt")
    assert negotiated("websocket") == Negotiated(True, False, (True, True), "")
    assert not negotiated("").known


def opening(client: str, server: str, transport: str = "tcp", hint: str = "") -> Opening:
    return Opening((bytes.fromhex(client), bytes.fromhex(server)), (40000, 8092), (False, False), (True, True), transport, hint)


def test_recognition() -> None:
    told = WebSocket().recognise(opening("8282" + "00000000" + "0000", "", "http", "websocket; protocol=mqtt"))
    assert told is not None
    assert told.score == 95
    asked, answered = "818537fa213d7f9f4d5158", "810548656c6c6f"
    found = WebSocket().recognise(opening(answered * 3, asked * 3))
    assert found is not None
    assert (found.score, found.client) == (70, 1)
    assert WebSocket().recognise(opening(asked * 2, answered * 3)) is None
    assert WebSocket().recognise(opening(asked * 3, answered * 2 + "8101ff")) is None      # no UTF-8
    assert WebSocket().recognise(opening("00" * 60, "00" * 60)) is None
    assert WebSocket().recognise(opening(asked * 3, answered * 3, "http")) is None


EXAMPLES = [(bytes.fromhex(text), client) for text, client in ((W1, True), (W2, False), (PING, True), (CLOSE, True), (CLOSED, False),
                                                                ("827e0080" + "61" * 128, False), ("827f0000000000010000" + "00" * 65536, False))]


@pytest.mark.parametrize(("data", "client"), EXAMPLES)
def test_every_byte_lies_in_a_field_wherever_the_frame_is_cut(data: bytes, client: bool) -> None:
    for end in range(min(len(data), 40) + 1):
        message = Connection(DEFLATE).add(data[:end], client, len(data))
        covered = [one for one in WebSocket().dissect(message) if one.view == 0]
        assert not uncovered(covered, end), (end, lines(covered))
        WebSocket().describe(message)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(EXAMPLES[:6]), st.integers(0, 20), st.integers(0, 255)), min_size=1, max_size=5),
    st.sampled_from(["", DEFLATE, "websocket"]))
def test_damaged_frames_give_a_tree(parts: list[tuple[tuple[bytes, bool], int, int]], hint: str) -> None:
    one = Connection(hint)
    for (data, client), at, byte in parts:
        damaged = bytearray(data)
        damaged[at % len(data)] = byte
        message = one.add(bytes(damaged), client)
        assert not uncovered([field for field in WebSocket().dissect(message) if field.view == 0], len(damaged))
        WebSocket().describe(message)
        WebSocket().frame(bytes(damaged), Side(client, True, b"", b""))
        WebSocket().recognise(opening(damaged.hex(), damaged.hex()))


@given(st.binary(max_size=100), st.binary(min_size=4, max_size=4))
def test_unmasking(data: bytes, key: bytes) -> None:
    assert unmask(data, key) == bytes(byte ^ key[at % 4] for at, byte in enumerate(data))
