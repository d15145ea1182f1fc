"""The VSR framing: headers by command, replies with results, evictions, batches, and what replicas say to each other."""
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iggy_wire import CLIENT, Wire, batch, eviction, faults, ident, name, partitioning, text, u8, u32, u64, uncovered, values, vsr, vsr_reply, vsr_request

from protocols.decoder import Kind, Side, Status
from protocols.engine.fields import walk
from protocols.iggy import commands as c
from protocols.iggy import vsr as v
from protocols.iggy.decoder import Iggy
from protocols.iggy.recognise import is_vsr

INFO = u32(0x2C00) + name("rust-sdk") + name("0.11.0")
STREAM = u32(7) + u64(1) + u32(0) + u64(0) + u64(0) + name("orders") + u32(0)
E9 = vsr_request(2, code=1)
"""An opening in the VSR framing."""
E10_BODY = INFO + name("iggy") + name("iggy") + text("")


DOCUMENT = {
    9: (256, {49: "01", 60: "05", 128: "8877665544332211", 168: "01", 176: "02", 196: "01"}),
    10: (290, {48: "2201", 60: "05", 128: "8877665544332211", 144: "95803f2a3c20de8f", 176: "01",
               257: "2c000008727573742d73646b06302e31312e3004696767790469676779"}),
    11: (268, {48: "0c01", 60: "08", 160: "8877665544332211", 176: "2a", 184: "2a", 200: "07", 208: "80", 256: "01", 264: "f403"}),
    12: (337, {0: "1800000001040100000002066f726465727302040300000001", 53: "401e18240a06003501", 68: "c30f947c3dc3378901", 284: "8e5ca59edbbdbfb901",
               320: "05", 332: "68656c6c6f"}),
    13: (256, {49: "01", 60: "0d", 128: "8877665544332211", 145: "2c0000002c", 255: "0e"}),
}
"""Examples E9-E13 of the protocol document: length, and what is not zero at which offset."""


def example(number: int) -> bytes:
    length, places = DOCUMENT[number]
    data = bytearray(length)
    for offset, digits in places.items():
        data[offset:offset + len(digits) // 2] = bytes.fromhex(digits)
    return bytes(data)


def test_the_documents_examples_read_as_it_says() -> None:
    """E9 a ping, E10 a login with its checksum, E11 a committed rejection, E12 a send whose checksums are right, E13 an eviction."""
    wire = Wire(example(9))
    ping, login = wire.client(example(9)), wire.client(example(10))
    send = wire.client(vsr_request(160, example(12), number=7))
    create = wire.client(vsr_request(128, name("orders"), number=7))
    rejected, evicted = wire.server(example(11)), wire.server(example(13))
    assert (ping.header.op, login.header.op, send.header.op) == ("ping", "login_user", "send_messages")
    assert values(wire.tree(login))["iggy.vsr.request_checksum.status"] == 1
    tree = values(wire.tree(send))
    assert (tree["iggy.batch.checksum.status"], tree["iggy.message.checksum.status"], tree["iggy.message.payload"]) == (1, 1, b"hello")
    assert wire.info(send) == "send_messages #1/orders p3 1 msg 309 bytes"
    assert rejected.peer is create and wire.info(rejected) == "create_stream orders ← StreamNameAlreadyExists (1012)"
    assert values(wire.tree(evicted))["iggy.vsr.reason"] == 14
    assert values(wire.tree(evicted))["iggy.vsr.least_protocol_version"] == 0x2C00
    for message in (ping, login, send, rejected, evicted):
        assert not faults(wire.tree(message))
        assert not uncovered(wire.tree(message), message.length)


@pytest.mark.parametrize("command", sorted(v.COMMANDS))
def test_every_byte_of_every_command_s_header_has_a_name(command: int) -> None:
    wire = Wire(E9)
    tree = wire.tree(wire.client(vsr(command, {})))
    assert not uncovered(tree, 256)
    assert not faults(tree)
    assert v.COMMANDS[command] in tree[0].text


@pytest.mark.parametrize("command", sorted(v.SEALED))
def test_the_seal_of_control_frames_is_verified(command: int) -> None:
    wire = Wire(E9)
    good, bad = vsr(command, {128: u64(5)}, seal=True), bytearray(vsr(command, {128: u64(5)}, seal=True))
    bad[130] ^= 1
    assert values(wire.tree(wire.client(good)))["iggy.vsr.checksum.status"] == 1
    assert values(wire.tree(wire.client(bytes(bad))))["iggy.vsr.checksum.status"] == 0


def test_a_register_is_a_login_with_a_name_or_with_a_token() -> None:
    wire = Wire(E9)
    named, token = wire.client(vsr_request(1, E10_BODY, number=0)), wire.client(vsr_request(1, INFO + name("abcdefgh") + text(""), number=0))
    assert (named.header.op, token.header.op) == ("login_user", "login_with_personal_access_token")
    assert wire.info(named) == "login_user iggy rust-sdk 0.11.0, protocol 0.11.0"
    for message in (named, token):
        tree = wire.tree(message)
        assert not faults(tree)
        assert not uncovered(tree, message.length)
        assert "abcdefgh" not in "".join(one.text for one in walk(tree))


SECRET, IDENTITY = bytes(range(200, 232)), (5).to_bytes(16, "little") + u64(6) + u64(7)
CONSUMER = u8(1) + ident("c")
ASKED = CONSUMER + ident("s") + ident("t")
PARTITION = u8(1) + u32(3)
POLL = ASKED + PARTITION + u8(5) + u64(0) + u32(10) + u8(0)
LATER = [
    (14, "attach_consumer_session", IDENTITY, "attach_consumer_session"), (15, "bind_session", INFO + IDENTITY + SECRET, "bind_session"),
    (103, "get_poll_routing", POLL, "get_poll_routing s/t p3 next x10 consumer c"), (104, "poll_messages_on_primary", POLL,
     "poll_messages_on_primary s/t p3 next x10 consumer c"),
    (105, "get_partition_route", ident("s") + ident("t") + u32(3), "get_partition_route s/t p3"),
    (106, "poll_messages_deferred", POLL + u64(5000) + u32(1) + u32(1000) + u64(9000), "poll_messages_deferred s/t p3 next x10 consumer c"),
    (109, "fetch_messages", ASKED + u64(5000) + u64(9000) + u32(1) + u32(10) + u32(1000) + u8(0) + u32(1) + u32(3) + u8(5) + u64(0) + u32(9) + u64(1) + u64(2),
     "fetch_messages s/t"),
    (123, "get_consumer_offset_routing", ASKED + PARTITION, "get_consumer_offset_routing s/t p3 consumer c"),
]
"""Commands of SDK 0.11, written from the crates' encoders."""


@pytest.mark.parametrize(("code", "op", "body", "info"), LATER, ids=[one[1] for one in LATER])
def test_commands_of_sdk_11_have_their_layouts(code: int, op: str, body: bytes, info: str) -> None:
    wire = Wire(E9)
    message = wire.client(vsr_request(2, body, code=code, number=3))
    tree = wire.tree(message)
    assert message.header.op == op
    assert wire.info(message) == info
    assert not faults(tree)
    assert not uncovered(tree, message.length)
    assert not [one for one in walk(tree) if one.name in ("iggy.trailing", "iggy.body")]
    assert SECRET[:4].hex() not in "".join(one.text for one in walk(tree))


@pytest.mark.parametrize(("scope", "target", "words"), [(1, ident("s") + ident("t"), "s/t"), (2, ident("s"), "s"), (3, ident("u"), "u")])
def test_an_update_of_a_resource_names_what_it_is_of(scope: int, target: bytes, words: str) -> None:
    wire = Wire(E9)
    message = wire.client(vsr_request(150, u8(scope) + target + u8(1) + name("key"), number=3))
    assert wire.info(message) == f"update_resource {words}"
    assert not faults(wire.tree(message)) and not uncovered(wire.tree(message), message.length)


def test_a_deferred_poll_is_called_off_without_an_answer() -> None:
    assert Wire(E9).client(vsr_request(2, u64(1), code=108, number=3)).header.kind is Kind.ONEWAY


def test_fields_of_protocol_12_are_named_where_they_are_not_zero() -> None:
    wire = Wire(E9)
    request = wire.client(vsr(v.REQUEST, {128: u64(9), 144: (1 << 100).to_bytes(16, "little"), 176: u8(2), 196: u32(1), 200: u64(11), 208: u64(12),
                                          216: u64(13)}))
    found = values(wire.tree(request))
    assert (found["iggy.vsr.partition_incarnation"], found["iggy.vsr.owner_generation"], found["iggy.vsr.minimum_metadata_op"]) == (11, 12, 13)
    assert found["iggy.vsr.request_identifier"] == 1 << 100 and "iggy.vsr.request_checksum" not in found
    reply = values(wire.tree(wire.server(vsr(v.REPLY, {160: u64(9), 220: u8(1), 224: u64(14)}))))
    assert (reply["iggy.vsr.committed"], reply["iggy.vsr.partition_incarnation"]) == (1, 14)
    prepare = values(wire.tree(wire.client(vsr(v.PREPARE, {228: u32(15), 232: u64(16), 248: u64(17)}))))
    assert (prepare["iggy.vsr.retry_capacity"], prepare["iggy.vsr.partition_incarnation"], prepare["iggy.vsr.session"]) == (15, 16, 17)


def test_a_command_without_a_name_is_a_frame_and_shown_by_its_number() -> None:
    wire = Wire(E9)
    message = wire.client(vsr(99, {128: u64(5)}))
    assert message.header.op == "VSR command 99"
    assert not uncovered(wire.tree(message), 256)
    assert v.looks_like(vsr(99, {})[:128])


def test_what_a_cut_off_reply_says_of_its_outcome() -> None:
    """The refusal stands in the results, behind the header: where they are not captured, the outcome is unknown."""
    wire = Wire(E9)
    wire.client(vsr_request(128, name("orders"), number=1))
    whole = vsr_reply(128, u32(1) + u32(0) + u32(1012), number=1)
    words = wire.decoder.describe(wire.server(whole[:260], whole=len(whole)))
    assert (words.op, words.targets, words.status, words.info) == ("create_stream", ("orders",), None, "create_stream orders ← outcome cut off")


def test_a_committed_rejection_is_an_error_and_an_empty_result_is_none() -> None:
    wire = Wire(E9)
    wire.client(vsr_request(128, name("orders"), number=1))
    wire.client(vsr_request(128, name("orders"), number=2))
    done, refused = wire.server(vsr_reply(128, u32(0) + STREAM, number=1)), wire.server(vsr_reply(128, u32(1) + u32(0) + u32(1012), number=2))
    assert not faults(wire.tree(done)) and not uncovered(wire.tree(done), done.length)
    assert values(wire.tree(done))["iggy.stream.name"] == "orders"
    assert wire.decoder.describe(done).status is Status.OK
    words = wire.decoder.describe(refused)
    assert (words.status, words.code, words.error) == (Status.CLIENT_ERROR, 1012, "StreamNameAlreadyExists")
    assert not uncovered(wire.tree(refused), refused.length)


@pytest.mark.parametrize(("asked", "said"), [(132, 64), (136, 65), (138, 68)])
def test_replies_that_name_the_server_s_own_operation_find_their_request(asked: int, said: int) -> None:
    wire = Wire(E9)
    wire.client(vsr_request(asked, ident("s") + ident("t") + u32(1), number=4))
    answer = wire.server(vsr_reply(said, u32(0), number=4))
    assert answer.peer is not None
    assert wire.decoder.describe(answer).op == c.BY_OPERATION[asked].op


def test_a_dropped_frame_stays_unanswered_and_the_next_one_gets_its_reply() -> None:
    wire = Wire(E9)
    dropped, ping = wire.client(vsr_request(200, number=1)), wire.client(vsr_request(2, number=2, code=1))
    answer = wire.server(vsr_reply(2, number=2))
    assert answer.peer is ping
    assert wire.waiting[dropped.header.key] == [dropped]


def test_replies_to_sends_carry_another_client_id() -> None:
    wire = Wire(E9)
    body = ident("s") + ident("t") + partitioning(2, u32(3)) + u32(1)
    sent = wire.client(vsr_request(160, u32(len(body)) + body + batch([b"hello"]), number=3))
    answer = wire.server(vsr_reply(160, u32(1) + u32(1) + u32(2) + u32(3) + u64(41), number=3, client=1))
    assert answer.peer is sent
    assert not faults(wire.tree(sent)) and not uncovered(wire.tree(sent), sent.length)
    assert wire.info(answer) == "send_messages s/t p3 ← ok p3 from offset 41"


@pytest.mark.parametrize("reason", sorted(v.REASONS))
def test_an_eviction_answers_what_is_outstanding(reason: int) -> None:
    wire = Wire(E9)
    login = wire.client(vsr_request(1, E10_BODY, number=0))
    out = wire.server(eviction(reason))
    assert out.peer is login
    assert wire.info(out) == f"login_user iggy ← evicted: {v.REASONS[reason]} ({reason})"
    assert wire.server(eviction(reason)).header.kind is Kind.EVENT


def test_batches_say_where_their_checksums_are_wrong() -> None:
    poll = u32(3) + u64(42) + u32(2)
    wire = Wire(E9)
    for flipped, name_ in ((None, ""), (-1, "iggy.message.checksum.status"), (16 + 8, "iggy.batch.checksum.status")):
        body = bytearray(poll + batch([b"hello", b"world"], 41))
        if flipped is not None:
            body[flipped] ^= 1
        wire.client(vsr_request(2, u8(1) + ident(1) + ident("s") + ident("t") + b"\1" + u32(3) + u8(5) + u64(0) + u32(10) + u8(0), code=100))
        tree = wire.tree(wire.server(vsr_reply(2, bytes(body))))
        bad = [one.name for one in walk(tree) if one.name in ("iggy.message.checksum.status", "iggy.batch.checksum.status") and one.value == 0]
        assert bad == ([name_] if name_ else [])
    assert wire.info(wire.server(vsr_reply(2, bytes(poll + batch([b"hello", b"world"], 41))))).startswith("reply ← ok")


def test_a_prepare_is_acknowledged_or_passed_on() -> None:
    wire = Wire(E9)
    own = {128: u64(CLIENT), 176: u64(34), 208: u8(128), 216: u64(1 << 63)}
    prepare, ok = wire.client(vsr(6, own, name("city"))), wire.server(vsr(7, {160: u64(34), 192: u8(128), 200: u64(1 << 63)}, seal=True))
    other = wire.server(vsr(7, {160: u64(35), 192: u8(128), 200: u64(1 << 63)}, seal=True))
    assert (prepare.header.kind, ok.header.kind, other.header.kind) == (Kind.ONEWAY, Kind.RESPONSE, Kind.EVENT)
    assert ok.peer is prepare
    assert wire.info(prepare) == "Prepare op 34 CreateStream city"


def test_the_framing_is_told_also_where_the_recording_starts_inside_a_frame() -> None:
    frame = vsr_request(2, number=2, code=1)
    assert is_vsr(b"half of a body" * 9 + frame, b"")
    assert is_vsr(b"x" * 200, b"y" * 50 + vsr(9, {152: u64(1)}, seal=True))
    assert not is_vsr(b"x" * 50 + vsr(9, {152: u64(1)}), b"")  # not sealed: zeros in a payload look like this
    assert not is_vsr(bytes(4096), bytes(4096))


@given(st.binary(max_size=700), st.integers(0, 29), st.booleans())
def test_no_bytes_behind_a_vsr_header_make_it_fail(body: bytes, command: int, cut: bool) -> None:
    wire = Wire(E9)
    frame = bytearray(vsr(command, {}, body))
    frame[128:256] = (body * 128)[:128].ljust(128, b"\1")
    data = bytes(frame)
    for message in (wire.client(data, len(data) + 9 * cut), wire.server(data, len(data) + 9 * cut)):
        tree = wire.tree(message)
        assert wire.info(message) is not None
        assert all(0 <= one.start <= one.end <= len(data) for one in walk(tree))
        assert not uncovered(tree, len(data))


@given(st.binary(max_size=400), st.booleans())
def test_a_frame_that_is_cut_anywhere_is_a_tree(tail: bytes, client: bool) -> None:
    data = (vsr_request(128, name("orders")) + tail)[:len(tail)]
    wire = Wire(E9)
    message = (wire.client if client else wire.server)(data, 600)
    wire.info(message)
    assert "pv.incomplete" in values(wire.tree(message))


def test_the_length_field_is_the_framing_s() -> None:
    decoder = Iggy()
    assert decoder.framing_for(Side(True, True, E9, b"")).offset == 48
    assert decoder.framing_for(Side(False, True, b"", bytes.fromhex("0400000001000000"))).offset == 4
    assert decoder.framing_for(Side(True, True, bytes.fromhex("0400000001000000"), b"")).offset == 0
