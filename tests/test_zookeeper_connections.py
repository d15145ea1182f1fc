"""ZooKeeper connections: who is recognised and who is not, which reply answers which request, and where messages start."""
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zookeeper_wire import END, OPEN_ACL, STAT, Wire, blob, connect_request, connect_response, frame, i32, i64, reply, request, step, text, values, vector

from protocols.decoder import CLAIM, MORE, TO_END, Kind, Match, Opening, Side, Status
from protocols.zookeeper import tables as t
from protocols.zookeeper.decoder import ZooKeeper
from protocols.zookeeper.words import WORDS

ZK = ZooKeeper()
PING = request(-2, t.PING)


def opening(client: bytes, server: bytes = b"", ports: tuple[int, int] = (40000, 5555), start: bool = True, swap: bool = False) -> Opening:
    data, pair = ((server, client), (ports[1], ports[0])) if swap else ((client, server), ports)
    return Opening(data, pair, (start, start), (True, True))


def score(*args: bytes, ports: tuple[int, int] = (40000, 5555), start: bool = True) -> int:
    match = ZK.recognise(opening(*args, ports=ports, start=start))
    return 0 if match is None else match.score


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize(("client", "server", "start"), [
    (connect_request(), connect_response(), True), (connect_request(read_only=b""), connect_response(read_only=b""), True),
    (connect_request(password=None), b"", True),
    (connect_request(zxid=0x7_0000_0005, session=1), connect_response(0, 0), True), (connect_request(), reply(0, err=-119, zxid=0), True),
    (connect_request(version=7), connect_response(), True), (b"", connect_response(), True), (b"ruok", b"imok", True), (b"mntr\r\n", b"zk_version\t3.9", True),
    (b"stmk" + bytes(8), b"306", True), (b"wchs", b"wchs is not executed because it is not in the whitelist.\n", True),
    (b"junk of a message that was cut" + PING, b"", False), (request(7, t.EXISTS, text("/a") + b"\0") + request(8, t.SYNC, text("/a")), b"", False),
    (b"\0\0tail" + request(7, t.GET_DATA, text("/a") + b"\0") + request(9, t.CLOSE_SESSION), b"", False),
    (request(7, t.GET_ACL, text("/a")), reply(7, OPEN_ACL + STAT), False), (b"", reply(7, STAT, zxid=5) + reply(8, STAT, zxid=6), False),
])
def test_the_client_protocol_is_recognised_from_either_side(client: bytes, server: bytes, start: bool, swap: bool) -> None:
    match = ZK.recognise(opening(client, server, start=start, swap=swap))
    assert match is not None
    assert match.score >= CLAIM
    assert match.client == int(swap)
    assert match.why


QUORUM = i32(11) + i64(0) + blob(i64(2) + i32(0x10000) + i64(0)) + i32(-1)
ELECTION = i64(-65536) + i64(2) + blob(b"10.0.0.2:3888")
NOTIFICATION = frame(i32(0) + i64(2) + i64(0x100000003) + i64(1) + i64(1) + i32(2) + blob(b"version=0"))
KAFKA = frame(b"\0\x12\0\x03" + i32(1) + b"\0\x08rdkafka\0") + frame(b"\0\x03\0\x05" + i32(2) + b"\0\x08rdkafka\0" + i32(-1))


@pytest.mark.parametrize(("client", "server", "start"), [
    (QUORUM, i32(17) + i64(1 << 32) + blob(i32(0x10000)) + i32(-1), True), (ELECTION, NOTIFICATION, True), (ELECTION + NOTIFICATION, NOTIFICATION, True),
    (i32(5) + i64(0x100000005) + i32(-1) + i32(-1), i32(5) + i64(0x100000005) + i32(0) + i32(-1), False), (NOTIFICATION * 3, NOTIFICATION * 3, False),
    (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(32), b"\x16\x03\x03\0\x7a\x02" + bytes(40), True), (KAFKA, frame(i32(1) + bytes(30)), True),
    (KAFKA, frame(i32(1) + bytes(30)) + frame(i32(2) + bytes(30)), False), (b"", frame(i32(1) + bytes(14)) + frame(i32(2) + bytes(14)), False),
    (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n", True), (b"stats\r\n", b"STAT pid 1\r\nEND\r\n", True), (b"stat", b"drwxr-xr-x", True),
    (b"conf", b"ok", True),
    (b"xyzw", b"", True), (bytes(4096), bytes(4096), False), (b"\0\0\0\x08" * 500, b"\0\0\0\x10" * 500, False),
    (request(7, t.EXISTS, text("/a") + b"\0"), b"", False),
    (request(7, t.EXISTS, text("a") + b"\0") * 3, b"", False), (b"", reply(7, STAT) + reply(8, STAT), True), (b"", b"", True),
])
def test_other_protocols_are_not_claimed(client: bytes, server: bytes, start: bool) -> None:
    assert score(client, server, start=start) < CLAIM
    assert score(server, client, start=start) < CLAIM


def test_a_word_without_an_answer_needs_the_port() -> None:
    assert score(b"hash") < CLAIM
    assert score(b"hash", ports=(40000, 2181)) >= CLAIM
    assert score(b"\xff\xf4\xff\xfd\x06", ports=(40000, 2181)) >= CLAIM
    assert score(connect_request()[:20]) < CLAIM
    assert score(connect_request()[:20], ports=(40000, 2181)) >= CLAIM


def test_one_reply_in_the_middle_of_a_connection_needs_the_port() -> None:
    late = reply(7, blob(bytes(50_000)) + STAT)[:16384]
    assert score(b"tail of a large message", late, start=False) < CLAIM
    assert score(b"tail of a large message", late, ports=(40000, 2181), start=False) >= CLAIM
    assert score(b"tail of a large message", late, ports=(2181, 40000), start=False) < CLAIM


@given(st.binary(max_size=300), st.binary(max_size=300), st.booleans())
def test_recognition_takes_any_bytes(client: bytes, server: bytes, start: bool) -> None:
    match = ZK.recognise(opening(client, server, start=start))
    assert match is None or isinstance(match, Match)


def side(client: bool, opening: bytes = b"", peer: bytes = b"", start: bool = True, first: bool = False) -> Side:
    return Side(client, start, opening, peer, first)


@pytest.mark.parametrize("word", sorted(WORDS))
def test_a_word_and_its_answer_run_to_the_end_of_the_connection(word: bytes) -> None:
    assert ZK.frame(word, side(True, word, first=True)) == TO_END
    assert ZK.frame(b"anything", side(False, b"anything", word, first=True)) == TO_END
    assert ZK.frame(connect_request(), side(True, first=True)) == MORE


def test_the_text_of_a_word_has_a_field_a_line_and_its_outcome() -> None:
    wire = Wire(True)
    asked = wire.client(b"mntr\r\n")
    assert (asked.header.op, asked.header.kind, ZK.describe(asked).info) == ("mntr", Kind.REQUEST, "mntr (values for monitoring)")
    text_ = b"zk_version\t3.9.3\nzk_uptime\t17\n"
    answer = wire.server(text_)
    words = ZK.describe(answer)
    assert (words.op, words.status, words.info) == ("mntr", Status.OK, "mntr ← zk_version\\t3.9.3 (30 bytes)")
    assert [(one.value, one.start, one.length) for one in wire.tree(answer)[0].fields] == [("zk_version\t3.9.3", 0, 17), ("zk_uptime\t17", 17, 13)]
    refused = Wire(True)
    refused.client(b"wchs")
    words = ZK.describe(refused.server(b"wchs is not executed because it is not in the whitelist.\n"))
    assert (words.status, words.error) == (Status.CLIENT_ERROR, "not in the whitelist")
    down = Wire(True)
    down.client(b"srvr")
    assert ZK.describe(down.server(b"This ZooKeeper instance is not currently serving requests\n")).status is Status.SERVER_ERROR
    version = Wire(True)
    version.client(b"srvr")
    assert values(version.tree(version.server(b"Zookeeper version: 3.5.10, built\nMode: x\n")))["word.version"] == "3.5.10, built"
    mask = Wire(True)
    assert values(mask.tree(mask.client(b"stmk" + i64(0x132)))) == {"word": "stmk", "word.mask": 0x132}


def test_a_handshake_pairs_and_says_what_came_of_it() -> None:
    wire = Wire(True)
    asked, answer = wire.client(connect_request()), wire.server(connect_response())
    assert asked.peer is answer
    assert answer.peer is asked
    assert ZK.describe(asked).op == ZK.describe(answer).op == "connect"
    assert ZK.describe(answer).status is Status.OK
    expired = Wire(True)
    expired.client(connect_request(session=0x1000074CEF50000))
    words = ZK.describe(expired.server(connect_response(0, 0)))
    assert (words.status, words.code, words.error) == (Status.CLIENT_ERROR, -112, "SESSIONEXPIRED")


def test_a_read_only_server_refuses_with_a_bare_reply_header() -> None:
    wire = Wire(True)
    asked, answer = wire.client(connect_request()), wire.server(reply(0, err=-119, zxid=0))
    assert answer.peer is asked
    words = ZK.describe(answer)
    assert (words.op, words.error, words.status) == ("connect", "NOTREADONLY", Status.CLIENT_ERROR)
    assert values(wire.tree(answer))["err"] == -119


@pytest.mark.parametrize("first", [connect_request(read_only=b""), connect_request(password=None), connect_request(version=7),
                                   connect_request(read_only=b"\5"), frame(b""), i32(44) + bytes(16)])
def test_the_first_message_of_a_client_is_the_handshake_however_odd(first: bytes) -> None:
    wire = Wire(True)
    message = wire.client(first, length=int.from_bytes(first[:4], "big") + 4)
    assert (message.header.op, message.header.key) == ("connect", "connect")
    wire.tree(message)


def test_a_connection_recorded_from_the_middle_has_no_handshake() -> None:
    wire = Wire(from_start=False)
    asked, answer = wire.client(request(7, t.EXISTS, text("/a") + b"\0")), wire.server(reply(7, STAT))
    assert (asked.header.op, asked.peer) == ("exists", answer)


def test_replies_that_overtake_each_other_find_their_requests() -> None:
    """Seen on 3.9.3: three creates, auth, sasl and exists in one segment were answered as 1, -4, 2, 3, 4, 5 and in other orders."""
    wire = Wire()
    create = text("/a") + blob(b"x") + OPEN_ACL + i32(0)
    asked = {xid: wire.client(request(xid, code, body)) for xid, code, body in (
        (1, t.CREATE, create), (2, t.CREATE, create), (3, t.CREATE, create), (-4, t.AUTH, i32(0) + text("digest") + blob(b"u:p")), (4, t.SASL, blob(b"abc")),
        (5, t.EXISTS, text("/a") + b"\0"))}
    for xid, body in ((-4, b""), (1, text("/a")), (4, blob(None)), (2, text("/a")), (3, text("/a")), (5, STAT)):
        answer = wire.server(reply(xid, body))
        assert answer.peer is asked[xid]
        assert ZK.describe(answer).op == asked[xid].header.op


def test_special_xids_pair_by_value_and_a_ping_with_an_ordinary_xid_is_answered_as_minus_2() -> None:
    wire = Wire()
    watches = i64(5) + vector(text("/a")) + vector() + vector()
    one, two = wire.client(request(-8, t.SET_WATCHES, watches)), wire.client(request(-8, t.SET_WATCHES2, watches + vector() + vector()))
    ping, plain = wire.client(request(17, t.PING)), wire.client(request(9, t.SET_WATCHES, watches))
    assert [wire.server(reply(-8)).peer, wire.server(reply(-8)).peer] == [one, two]
    assert wire.server(reply(-2)).peer is ping
    assert wire.server(reply(9)).peer is plain


def test_an_event_answers_nothing() -> None:
    wire = Wire()
    wire.client(request(1, t.EXISTS, text("/a") + b"\1"))
    event = wire.server(reply(-1, i32(1) + i32(3) + text("/brokers/ids/1"), zxid=-1))
    assert (event.header.kind, event.peer) == (Kind.EVENT, None)
    words = ZK.describe(event)
    assert (words.op, words.target, words.endpoint, words.status) == ("notification", "/brokers/ids/1", "/brokers/ids", None)
    assert words.info == "notification NodeCreated SyncConnected /brokers/ids/1"


def test_create_session_inside_a_session_is_answered_by_a_connect_response() -> None:
    wire = Wire()
    wire.client(request(1, t.EXISTS, text("/a") + b"\0"))
    wire.server(reply(1, STAT))
    asked, answer = wire.client(request(2, t.CREATE_SESSION, i32(10000))), wire.server(connect_response())
    assert answer.peer is asked
    assert values(wire.tree(answer))["session_id"] == 0x10000A1B2C30000
    assert ZK.describe(answer).op == "createSession"


def test_an_error_with_a_body_reads_both() -> None:
    wire = Wire()
    wire.client(request(1, t.SASL, blob(b"abc")))
    answer = wire.server(reply(1, blob(None), err=-115))
    assert ZK.describe(answer).error == "AUTHFAILED"
    assert [one.text for one in wire.tree(answer)][4] == "SASL token: <null>"
    wire.client(request(2, t.MULTI, step(2, text("/a") + i32(0)) + END))
    refused = ZK.describe(wire.server(reply(2, err=-119)))
    assert (refused.error, refused.info) == ("NOTREADONLY", "multi ← NOTREADONLY (-119) /a  xid=2")


def test_an_old_client_and_a_large_message_are_noted() -> None:
    wire = Wire(True)
    notes = [one.text for one in wire.tree(wire.client(connect_request(read_only=b""))) if one.name == "zookeeper.note"]
    assert notes == ["[Note: no read-only flag: a client of 3.3 or older, or one that does not know it (Go, Node)]"]
    large = Wire()
    body = request(1, t.SET_DATA, text("/a") + blob(bytes(0xFFFFF)) + i32(0))
    assert any("jute.maxbuffer" in one.text for one in large.tree(large.client(body)))


@pytest.mark.parametrize("xid", [1, 0, -2, -7, 2**24 - 1])
@pytest.mark.parametrize("code", [-11, -9, -1, 0, 4, 10, 107, 108, 1000])
def test_every_request_that_a_server_answers_may_start_a_message(xid: int, code: int) -> None:
    assert ZK.accepts(request(xid, code, text("/a"))[:48], side(True))
    assert ZK.accepts(reply(xid, STAT, err=-6)[:48], side(False))


def test_the_inside_of_a_transaction_starts_no_message() -> None:
    names = [text(f"/m/big{n}") for n in range(600)]
    steps = b"".join(step(1, name + blob(b"\x64\xb4" * 60) + OPEN_ACL + i32(0)) + step(5, name + blob(b"\xf0\x69" * 60) + i32(-1)) for name in names)
    assert not [at for at in range(len(steps) - 48) if ZK.accepts(steps[at:at + 48], side(True))]


def test_a_long_session_reaches_any_xid_with_bodies_that_fit() -> None:
    late = 2**31 - 5
    assert ZK.accepts(request(late, t.EXISTS, text("/a") + b"\0"), side(True))
    assert ZK.accepts(request(late, t.CLOSE_SESSION), side(True))
    assert ZK.accepts(request(late, t.SASL, blob(b"abc")), side(True))
    assert not ZK.accepts(request(late, t.EXISTS, b"abcdefgh"), side(True))
    assert not ZK.accepts(request(late, 200, text("/a")), side(True))


@pytest.mark.parametrize("head", [
    b"GET / HTTP/1.1\r\nHost: x\r\n", bytes(48), b"\xff" * 48, b"\x01\0\0\0" + b"x" * 31, i32(0x7FFFFFFF) + bytes(44),
    text("world") + text("anyone") + bytes(30)])
def test_bytes_from_inside_a_message_start_none(head: bytes) -> None:
    assert not ZK.accepts(head, side(True))
    assert not ZK.accepts(head, side(False))
