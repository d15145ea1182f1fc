"""Iggy messages: every command and every reply, written here from the protocol document, against the fields that come back; bytes that do not fit."""
from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iggy_wire import (
    Wire,
    consumer,
    faults,
    ident,
    lines,
    name,
    partition,
    partitioning,
    polled,
    reply,
    request,
    send,
    strategy,
    text,
    u8,
    u32,
    u64,
    uncovered,
    values,
)

from protocols.decoder import Kind, Opening, Status
from protocols.engine.fields import printable, walk
from protocols.iggy import commands as c
from protocols.iggy import errors, layouts
from protocols.iggy.decoder import Iggy

GOLDEN = Path(__file__).parent / "golden"

EXAMPLES = {number: bytes.fromhex(digits) for number, digits in {
    1: "0400000001000000", 2: "0000000000000000", 3: "1c000000260000000469676779046967677906000000302e31302e3000000000", 4: "000000000400000000000000",
    5: "f103000000000000",
    6: "81000000650000001800000001040100000002066f726465727302040300000001000000000000005100000000000000"
       "000000000000000000000000010000000000000000000000000000000000000000000000000000000000000000401e18"
       "240a06000c00000005000000000000000000000068656c6c6f02010000006b020100000076",
    7: "2c000000640000000101040100000001040100000002066f726465727301030000000500000000000000000a00000001",
    8: "000000005500000003000000290000000000000001000000a82f480ccf06025801000000000000000000000000000000"
       "290000000000000040822d18240a060000401e18240a06000000000005000000000000000000000068656c6c6f",
}.items()}


def transcript(which: str) -> str:
    """The conversation of a golden file: each message's line in the list, then its tree."""
    wire = Wire()
    ask, answer = {"ping": (1, 2), "login": (3, 4), "send": (6, 2), "poll": (7, 8), "error": (7, 5)}[which]
    made = [wire.client(EXAMPLES[ask]), wire.server(EXAMPLES[answer])]
    parts = ["\n".join([("> " if one.from_client else "< ") + wire.info(one), *lines(wire.tree(one))]) for one in made]
    return "\n\n".join(parts) + "\n"


@pytest.mark.parametrize("which", ["ping", "login", "send", "poll", "error"])
def test_the_documents_worked_examples_read_as_written_down(which: str) -> None:
    """Examples E1-E8; places and values were checked by hand against the document's map of E6 and its tables."""
    assert transcript(which) == (GOLDEN / f"iggy-{which}.txt").read_text()


PERMISSIONS = bytes(9) + b"\1" + b"\1" + u32(7) + b"\1\1\0\0\0\1" + b"\1" + u32(3) + b"\0\1\1\1\0" + b"\0"
TWO_LEVELS = bytes(10) + b"\1" + u32(1) + bytes(6) + b"\0\1" + u32(2) + bytes(6) + b"\1" + u32(5) + bytes(4) + b"\1" + u32(6) + bytes(4) + b"\0" + b"\0"
SETTINGS = u8(2) + u64(60_000_000) + u64((1 << 64) - 1) + u8(1)
S, T, G, U = ident("orders"), ident(2), ident("workers"), ident("bob")


def requests(generation: int) -> dict[int, list[bytes]]:
    """Payloads of every command of the classic framing, by the document's table."""
    number = u32(9) if generation < 3 else b""
    where = [partition(generation, 3)] + ([partition(generation, None)] if generation > 2 else [])
    return {
        c.PING: [b""], c.STATS: [b""], c.CLUSTER: [b""], c.ME: [b""], c.CLIENTS: [b""], c.USERS: [b""], c.LOGOUT_USER: [b""], c.TOKENS: [b""], c.STREAMS: [b""],
        c.SNAPSHOT: [u8(2) + u8(3) + b"\1\2\x64"], c.CLIENT: [u32(7)], c.USER: [U, ident(1)], c.DELETE_USER: [U],
        c.CREATE_USER: [name("bob") + name("secret") + u8(1) + u8(0), name("bob") + name("secret") + u8(2) + u8(1) + u32(len(PERMISSIONS)) + PERMISSIONS],
        c.UPDATE_USER: [U + b"\0\0", U + b"\1" + name("rob") + b"\1\2"],
        c.PERMISSIONS: [U + b"\0", U + b"\1" + u32(len(TWO_LEVELS)) + TWO_LEVELS], c.PASSWORD: [U + name("old one") + name("new one")],
        c.LOGIN: [name("iggy") + name("secret") + text("0.10.0") + text("cli"), name("iggy") + u8(0) + text("") + text("")],
        c.CREATE_TOKEN: [name("ci") + u64(0)], c.DELETE_TOKEN: [name("ci")], c.TOKEN_LOGIN: [name("abcdef")],
        c.POLL: [consumer(2, "g") + S + T + one + strategy(kind, 7) + u32(10) + b"\1" for one in where for kind in range(1, 6)],
        c.SEND: [send(generation, S, T, partitioning(2, u32(3)), [b"a", b"bb"]), send(generation, S, T, partitioning(), [b"{}"])],
        c.FLUSH: [S + T + u32(3) + b"\1"], c.GET_OFFSET: [consumer() + S + T + one for one in where],
        c.DELETE_OFFSET: [consumer() + S + T + one for one in where],
        c.STORE_OFFSET: [consumer() + S + T + one + u64(41) for one in where],
        c.STREAM: [S], c.CREATE_STREAM: [number + name("orders")], c.DELETE_STREAM: [S], c.UPDATE_STREAM: [S + name("new")], c.PURGE_STREAM: [S],
        c.TOPIC: [S + T], c.TOPICS: [S], c.CREATE_TOPIC: [S + number + u32(3) + SETTINGS + name("created")], c.DELETE_TOPIC: [S + T],
        c.UPDATE_TOPIC: [S + T + SETTINGS + name("new")], c.PURGE_TOPIC: [S + T], c.CREATE_PARTITIONS: [S + T + u32(2)], c.DELETE_PARTITIONS: [S + T + u32(2)],
        c.DELETE_SEGMENTS: [S + T + u32(3) + u32(1)], c.GROUP: [S + T + G], c.GROUPS: [S + T], c.CREATE_GROUP: [S + T + number + name("workers")],
        c.DELETE_GROUP: [S + T + G], c.JOIN_GROUP: [S + T + G], c.LEAVE_GROUP: [S + T + G],
    }


CLIENT = u32(7) + u32(1) + u8(1) + text("10.0.0.1:4") + u32(1)
USER = u32(1) + u64(5) + u8(1) + name("bob")
STREAM = u32(1) + u64(5) + u32(1) + u64(9) + u64(2) + name("orders")
TOPIC = u32(1) + u64(5) + u32(2) + u64(0) + u8(1) + u64(0) + u8(1) + u64(9) + u64(2) + name("created")
PARTITION = u32(1) + u64(5) + u32(1) + u64(41) + u64(9) + u64(2)
GROUP = u32(1) + u32(3) + u32(2) + name("workers")
MEMBER = u32(1) + u32(2) + u32(0) + u32(1)
STATS = bytes(108) + text("host") + text("Linux") + text("6.1")
STATS_V8 = STATS + text("kernel") + text("0.8.0") + u32(8000) + u32(1) + bytes(32) + u32(4) + u64(1) + u64(2)
NODE = text("n1") + text("10.0.0.1") + bytes(8) + b"\0\0"


def replies(generation: int) -> dict[int, list[bytes]]:
    """Payloads of every reply that has one, by the document's table of records."""
    user = [USER + b"\0\0\0\0", USER + b"\0", USER + b"\1" + u32(len(PERMISSIONS)) + PERMISSIONS]
    return {
        c.STATS: [STATS, STATS + text("kernel"), STATS_V8], c.SNAPSHOT: [b"PK\3\4zip"], c.CLUSTER: [text("cluster") + u32(2) + NODE * 2],
        c.ME: [CLIENT + u32(1) + u32(2) + u32(3)], c.CLIENT: [CLIENT + u32(1) + u32(2) + u32(3), b""], c.CLIENTS: [CLIENT * 2, b""],
        c.USER: user, c.CREATE_USER: user, c.USERS: [USER * 3], c.LOGIN: [u32(0)], c.TOKEN_LOGIN: [u32(1)], c.TOKENS: [(name("ci") + u64(0)) * 2],
        c.CREATE_TOKEN: [name("abcdef")], c.POLL: [polled(generation, 3, [b"one", b"two"], 40), u32(3) + u64(0) + u32(0)],
        c.GET_OFFSET: [u32(3) + u64(41) + u64(40), b""], c.STREAM: [STREAM + TOPIC * 2, b""], c.CREATE_STREAM: [STREAM], c.STREAMS: [STREAM * 3, b""],
        c.TOPIC: [TOPIC + PARTITION * 2], c.CREATE_TOPIC: [TOPIC + PARTITION], c.TOPICS: [TOPIC * 2], c.GROUP: [GROUP + MEMBER * 2],
        c.CREATE_GROUP: [GROUP, b""], c.GROUPS: [GROUP * 2],
    }


def test_the_tables_name_every_command_of_the_document() -> None:
    """47 commands of the classic framing at 0.8.0, 51 with those of VSR, 62 with those of SDK 0.11; 34 operations and 11 of protocol 0.12; 238 error names, 3
    retired, 29 of protocol 0.12."""
    assert len(c.CODES) == 62
    assert set(requests(4)) == {one.code for one in c.CODES} - c.VSR_ONLY
    assert len(requests(4)) == 47
    assert len(c.OPERATIONS) == 34 + 11
    assert len(errors.NAMES) - 1 == 238 + 29 + 2  # the third retired meaning shares 1011
    assert c.BY_CODE[31].op == "get_user" and c.BY_CODE[33].op == "create_user"


@pytest.mark.parametrize("generation", [1, 2, 3, 4])
def test_every_request_reads_to_the_last_byte_and_names_its_operation(generation: int) -> None:
    for code, payloads in requests(generation).items():
        for payload in payloads:
            wire = Wire()
            message = wire.client(request(code, payload))
            tree = wire.tree(message)
            assert not faults(tree), (code, payload)
            assert not uncovered(tree, message.length)
            assert message.header.op == c.BY_CODE[code].op
            assert wire.info(message).startswith(c.BY_CODE[code].op)


@pytest.mark.parametrize("generation", [1, 2, 3, 4])
def test_every_reply_is_read_by_its_request(generation: int) -> None:
    for code, payloads in replies(generation).items():
        for payload in payloads:
            wire = Wire()
            wire.client(request(code, requests(generation)[code][0]))
            message = wire.server(reply(payload))
            tree = wire.tree(message)
            assert not faults(tree), (code, payload)
            assert not uncovered(tree, message.length)
            assert wire.decoder.describe(message).status is Status.OK


@pytest.mark.parametrize(("code", "payload", "info", "target", "endpoint"), [
    (c.POLL, requests(4)[c.POLL][4], "poll_messages orders/#2 p3 next x10 auto-commit group g", "orders/#2/3", "group g"),
    (c.SEND, requests(4)[c.SEND][0], "send_messages orders/#2 p3 2 msgs 131 bytes", "orders/#2/3", "orders/#2"),
    (c.STORE_OFFSET, requests(4)[c.STORE_OFFSET][0], "store_consumer_offset orders/#2 p3 = 41 consumer #1", "orders/#2/3", "consumer #1"),
    (c.CREATE_TOPIC, requests(4)[c.CREATE_TOPIC][0], "create_topic orders/created x3", "orders/created", "orders/created"),
    (c.LOGIN, requests(4)[c.LOGIN][0], "login_user iggy v0.10.0", "iggy", "iggy"),
    (c.USER, U, "get_user bob", "bob", "bob"),
    (c.CREATE_USER, requests(4)[c.CREATE_USER][0], "create_user bob", "bob", "bob"),
    (c.JOIN_GROUP, S + T + G, "join_consumer_group orders/#2/workers", "orders/#2/workers", "workers"),
    (c.DELETE_SEGMENTS, S + T + u32(3) + u32(1), "delete_segments orders/#2 p3 x1", "orders/#2/3", "orders/#2"),
])
def test_a_request_says_what_it_works_on(code: int, payload: bytes, info: str, target: str, endpoint: str) -> None:
    wire = Wire()
    words = wire.decoder.describe(wire.client(request(code, payload)))
    assert (words.info, words.target, words.endpoint, words.id) == (info, target, endpoint, "1")


def test_replies_say_what_they_brought() -> None:
    wire = Wire()
    wire.client(EXAMPLES[7])
    assert wire.info(wire.server(EXAMPLES[8])) == "poll_messages #1/orders p3 ← ok p3 1 msg offsets 41..41"
    wire.client(request(c.GET_OFFSET, requests(4)[c.GET_OFFSET][0]))
    assert wire.info(wire.server(reply(u32(3) + u64(41) + u64(40)))) == "get_consumer_offset orders/#2 p3 ← ok p3 41/40"
    wire.client(request(c.STREAM, S))
    assert wire.info(wire.server(reply())) == "get_stream orders ← ok not found"


def test_pipelined_requests_are_answered_in_their_order() -> None:
    wire = Wire()
    asked = [wire.client(request(code, payloads[0])) for code, payloads in requests(4).items()]
    for one in asked:
        assert wire.server(reply(status=40)).peer is one


@pytest.mark.parametrize("code", sorted(errors.NAMES))
def test_every_error_has_a_name_and_a_culprit(code: int) -> None:
    wire = Wire()
    wire.client(request(c.STREAM, S))
    message = wire.server(reply(status=code))
    words = wire.decoder.describe(message)
    if code:
        assert words.error == errors.NAMES[code] and words.status in (Status.CLIENT_ERROR, Status.SERVER_ERROR)
        assert f"{words.error} ({code})" in words.info
        assert values(wire.tree(message))["iggy.error"] == errors.NAMES[code]
    else:
        assert words.status is Status.OK


def test_error_names_read_as_words() -> None:
    assert errors.error(1009).text == "stream id not found"
    assert errors.error(99999).name == "error 99999"


def test_secrets_are_masked_and_keep_their_place() -> None:
    wire = Wire()
    for code, payload, secrets in (
            (c.LOGIN, name("iggy") + name("s3cret!") + text("") + text(""), ["s3cret!"]),
            (c.PASSWORD, U + name("old pass") + name("new pass"), ["old pass", "new pass"]),
            (c.TOKEN_LOGIN, name("tok3n-abc"), ["tok3n-abc"]),
            (c.CREATE_USER, name("bob") + name("s3cret!") + u8(1) + u8(0), ["s3cret!"])):
        data = request(code, payload)
        message = wire.client(data)
        tree = wire.tree(message)
        shown = wire.info(message) + "".join(f"{one.text}{one.value}" for one in walk(tree))
        for secret in secrets:
            assert secret not in shown
            assert any(data[one.start:one.end] == secret.encode() for one in walk(tree))


def test_bytes_behind_a_payload_are_a_note_and_not_malformed() -> None:
    wire = Wire()
    tree = wire.tree(wire.client(request(c.DELETE_TOPIC, S + T + bytes(4))))
    assert values(tree)["iggy.trailing"] == bytes(4)
    assert "_ws.malformed" not in values(tree)
    assert "4 bytes behind the payload" in str(values(tree)["iggy.note"])


def test_a_reply_without_its_request_is_guessed_only_where_one_layout_fits() -> None:
    wire = Wire()
    assert values(wire.tree(wire.server(EXAMPLES[8])))["iggy.guess"] == "polled messages"
    assert values(wire.tree(wire.server(reply(u32(3) + u64(41) + u64(40)))))["iggy.guess"] == "consumer offsets"
    unknown = wire.tree(wire.server(reply(b"something else")))
    assert "iggy.guess" not in values(unknown) and values(unknown)["iggy.body"] == b"something else"


def test_a_status_without_a_request_is_an_event_only_when_the_server_stops() -> None:
    wire = Wire()
    assert wire.server(reply(status=8)).header.kind is Kind.EVENT
    wire.client(EXAMPLES[1])
    assert wire.server(reply(status=8)).header.kind is Kind.RESPONSE


@pytest.mark.parametrize(("client", "server", "ports"), [
    (EXAMPLES[3], EXAMPLES[4], (40000, 5555)), (EXAMPLES[1] * 3 + EXAMPLES[7], EXAMPLES[2] * 3 + EXAMPLES[8], (40000, 5555)), (EXAMPLES[3], b"", (40000, 5555)),
])
def test_a_connection_is_recognised_by_content_on_any_port_from_either_side(client: bytes, server: bytes, ports: tuple[int, int]) -> None:
    decoder = Iggy()
    for swapped in (False, True):
        data = (server, client) if swapped else (client, server)
        match = decoder.recognise(Opening(data, ports, (True, True), (True, True)))
        assert match is not None and match.score >= 50 and match.client == int(swapped)


@pytest.mark.parametrize("client", [
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", bytes.fromhex("16030102000100"), b"\x3a\0\0\0\1\0\0\0\0\0\0\0\xd4\x07\0\0\0\0\0\0admin.$cmd\0",
    bytes(64), b"*1\r\n$4\r\nPING\r\n", b"\4\0\0\0\1\0\0\0",
])
def test_others_are_left_alone(client: bytes) -> None:
    for server in (b"", b"HTTP/1.1 101 Switching Protocols\r\n", b"+PONG\r\n"):
        match = Iggy().recognise(Opening((client, server), (40000, 5555), (True, True), (True, True)))
        assert match is None or match.score < 50


# bytes that do not fit

SOME = [request(code, payload) for generation in (1, 4) for code, payloads in requests(generation).items() for payload in payloads]
ANSWERS = [(code, payload) for generation in (1, 4) for code, payloads in replies(generation).items() for payload in payloads]


def harmless(wire: Wire, data: bytes, client: bool, whole: int | None = None) -> None:
    message = (wire.client if client else wire.server)(data, whole)
    tree = wire.tree(message)
    info = wire.info(message)
    assert printable(info) == info
    for one in walk(tree):
        assert 0 <= one.start <= one.end <= len(data)
        assert printable(one.text) == one.text
    assert not uncovered(tree, len(data))


@settings(max_examples=300)
@given(st.sampled_from(SOME), st.data())
def test_a_request_that_is_cut_or_flipped_anywhere_is_a_tree(data: bytes, draw: st.DataObject) -> None:
    if draw.draw(st.booleans()):
        harmless(Wire(), data[:draw.draw(st.integers(0, len(data)))], True, len(data) + 1)
    else:
        changed = bytearray(data)
        for _ in range(3):
            changed[draw.draw(st.integers(8, max(8, len(data) - 1))) % len(data)] ^= 1 << draw.draw(st.integers(0, 7))
        harmless(Wire(bytes(EXAMPLES[1])), bytes(changed), True)


@settings(max_examples=300)
@given(st.sampled_from(ANSWERS), st.data())
def test_a_reply_that_is_cut_or_flipped_anywhere_is_a_tree(answer: tuple[int, bytes], draw: st.DataObject) -> None:
    code, payload = answer
    wire = Wire(EXAMPLES[1])
    wire.client(request(code, requests(4)[code][0]))
    data = reply(payload)
    if draw.draw(st.booleans()):
        harmless(wire, data[:draw.draw(st.integers(0, len(data)))], False, len(data) + 1)
    else:
        changed = bytearray(data)
        changed[draw.draw(st.integers(0, len(data) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
        harmless(wire, bytes(changed), False)


@settings(max_examples=200)
@given(st.sampled_from(sorted(c.BY_CODE)), st.binary(max_size=300), st.booleans())
def test_no_payload_makes_a_reader_fail(code: int, payload: bytes, answered: bool) -> None:
    wire = Wire(EXAMPLES[1])
    harmless(wire, request(code, payload), True)
    if answered:
        harmless(wire, reply(payload), False)


@given(st.binary(max_size=300), st.binary(max_size=300), st.booleans())
def test_no_opening_makes_recognition_fail(client: bytes, server: bytes, start: bool) -> None:
    decoder = Iggy()
    decoder.recognise(Opening((client, server), (1, 8090), (start, start), (True, True)))


def test_every_field_that_a_tree_can_hold_is_listed_once_with_its_type() -> None:
    listed = [one.name for one in Iggy().specs()]
    assert len(listed) == len(set(listed))
    assert all(re.fullmatch(r"iggy(\.[a-z0-9_]+)*", one) for one in listed)
    wire, seen = Wire(), set()
    for code, payloads in requests(4).items():
        for payload in payloads:
            seen |= {one.name for one in walk(wire.tree(wire.client(request(code, payload))))}
            for answer in replies(4).get(code, [b""]):
                seen |= {one.name for one in walk(wire.tree(wire.server(reply(answer)))) }
    assert seen <= set(listed)
    assert layouts.GENERATIONS[4] == "0.7-0.8"
