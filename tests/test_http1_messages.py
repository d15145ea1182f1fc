"""HTTP/1 from the RFCs' rules: trees, where messages end, codings, upgrades, trace ids, secrets, damage."""
from __future__ import annotations

import gzip
import zlib

import pytest
from http1_wire import cut
from hypothesis import given, settings
from hypothesis import strategies as st
from zookeeper_wire import lines, uncovered

from protocols.decoder import HANDED_ON, MORE, REFUSED, TO_END, Kind, MessageBytes, Opening, Side, Status
from protocols.engine.fields import walk
from protocols.engine.scalars import Secret
from protocols.http1.decoder import HTTP, endpoint
from protocols.http1.framing import State
from protocols.http1.trace import ids

E1 = b"GET /health.json HTTP/1.1\r\nHost: 10.77.0.1\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n"
E4 = (b"POST /v1/orders HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n"
      b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n5;ext=\"a;b\"\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 42\r\n\r\n")
GZIP = bytes.fromhex("1f8b0800000000000203ab56cacf56b22a292a4dad0500905fd4a70b000000")
E5 = (b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: 31\r\n\r\n" + GZIP)
WS_ASK = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"
WS_TAKE = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
           b"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")


def side(client: bool, state: State | None = None) -> Side:
    return Side(client, True, b"", b"", False, "tcp", state)


def values(message: MessageBytes, name: str) -> list[object]:
    return [one.value for one in walk(HTTP().dissect(message)) if one.name == name]


def one(data: bytes, client: bool = True) -> MessageBytes:
    found = cut(data, b"") if client else cut(E1, data)
    return (found.client if client else found.server)[0]


def test_the_tree_of_a_request() -> None:
    assert lines(HTTP().dissect(one(E1))) == [
        "   0 +27   GET /health.json HTTP/1.1", "   0 +3      Request Method: GET", "   4 +12     Request URI: /health.json",
        "   4 +12       Request URI Path: /health.json", "  17 +8      Request Version: HTTP/1.1", "  27 +17   Host: 10.77.0.1",
            "  33 +9      Host: 10.77.0.1",
        "  44 +25   User-Agent: curl/7.88.1", "  56 +11     User-Agent: curl/7.88.1", "  69 +13   Accept: */*", "  77 +3      Accept: */*",
        "  82 +2    \\r\\n", "   0 +0    [Request: True]", "   0 +0    [Full request URI: http://10.77.0.1/health.json]",
    ]


def test_chunks_trailers_and_trace_ids() -> None:
    message = one(E4)
    assert message.length == 209
    assert values(message, "http.chunk_size") == [5, 6, 0]
    assert values(message, "http.chunk_extension") == ['ext="a;b"']
    assert values(message, "http.chunk_data") == [b"hello", b" world"]
    assert values(message, "http.chunked_trailer_part") == ["X-Sum: 42\r\n"]
    message.views.clear()
    assert values(message, "http.file_data") == ["hello world"]
    assert [(view.name, view.data) for view in message.views] == [("De-chunked body", b"hello world")]
    assert (values(message, "http.trace.id"), values(message, "http.trace.span")) == (["4bf92f3577b34da6a3ce929d0e0e4736"], ["00f067aa0ba902b7"])


def test_an_interim_response_does_not_answer() -> None:
    found = cut(E4, E5)
    assert [(each.length, each.header.more) for each in found.server] == [(57, True), (len(E5) - 57, False)]
    words = HTTP().describe(found.server[1])
    assert (words.op, words.target, words.code, words.status) == ("POST", "/v1/orders", 201, Status.OK)
    assert values(found.server[1], "http.file_data") == ['{"ok":true}']


@pytest.mark.parametrize(("coding", "body"), [
    ("gzip", GZIP.hex()), ("deflate", "78daab56cacf56b22a292a4dad050016e30411"), ("deflate", "ab56cacf56b22a292a4dad0500"),
        ("br", "0b05807b226f6b223a747275657d03"),
    ("zstd", "28b52ffd200b5900007b226f6b223a747275657d"), ("gzip, identity", GZIP.hex()),
])
def test_codings(coding: str, body: str) -> None:
    data = bytes.fromhex(body)
    message = one(b"HTTP/1.1 200 OK\r\nContent-Encoding: " + coding.encode() + b"\r\nContent-Length: " + str(len(data)).encode() + b"\r\n\r\n" + data, False)
    assert values(message, "http.file_data") == ['{"ok":true}']
    assert message.views[-1].data == b'{"ok":true}'


def test_bombs_stop_at_the_limit() -> None:
    cramjam = pytest.importorskip("cramjam")
    for coding, data in (("gzip", gzip.compress(bytes(40 << 20))), ("deflate", zlib.compress(bytes(40 << 20))),
        ("br", bytes(cramjam.brotli.compress(bytes(40 << 20)))),
                         ("zstd", bytes(cramjam.zstd.compress(bytes(40 << 20))))):
        message = one(b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding.encode(), len(data)) + data, False)
        HTTP().dissect(message)
        assert all(len(view.data) <= 16 << 20 for view in message.views), coding
        assert any("16777216" in str(note) for note in values(message, "http.note")), coding


def test_responses_without_a_body_by_their_requests() -> None:
    asked = b"".join(b"%b HTTP/1.1\r\nHost: a\r\n\r\n" % line for line in (b"HEAD /x", b"GET /x", b"GET /y"))
    answered = (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"
                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    found = cut(asked, answered)
    assert [HTTP().describe(each).info for each in found.server] == ["200 OK HEAD /x", "304 Not Modified GET /x", "200 OK GET /y (2 bytes)"]


@pytest.mark.parametrize(("head", "expected"), [
    (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 46), (b"HTTP/1.1 200 OK\r\n\r\n", TO_END),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", 46), (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", TO_END),
    (b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", TO_END), (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", TO_END),
    (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 35), (b"ICY 200 OK\r\n\r\n", TO_END), (b"HTTP/2.0 200 OK\r\n\r\n", REFUSED),
        (b"RTSP/1.0 200 OK\r\n\r\n", REFUSED),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 71), (b"HTTP/1.1 200 OK\r\nContent-", MORE),
        (b"HTT", MORE), (b"", MORE),
])
def test_where_a_response_ends(head: bytes, expected: int) -> None:
    assert HTTP().frame(head, side(False, State([("GET", "")]))) == expected


@pytest.mark.parametrize(("data", "expected"), [
    (E1, 84), (b"\r\n" + E1, 86), (E1.replace(b"\r\n", b"\n"), 79), (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", REFUSED), (b"GET /x\r\n", REFUSED),
        (b"get x\r\n", REFUSED),
    (b"CONNECT\nhost:1\n", REFUSED), (b"\x16\x03\x01", REFUSED), (b"GET ", MORE), (E4[:-2], MORE), (b"PUT / HTTP/1.1\r\nContent-Length: 7\r\n\r\n", 44),
    (b"X / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", TO_END),
])
def test_where_a_request_ends(data: bytes, expected: int) -> None:
    assert HTTP().frame(data, side(True)) == expected


@pytest.mark.parametrize("data", [E1, E4])
def test_the_length_does_not_depend_on_what_follows(data: bytes) -> None:
    whole = data + b"GET / HTTP/1.1\r\n\r\n"
    for end in range(len(whole)):
        assert HTTP().frame(whole[:end], side(True)) == (MORE if end < len(data) else len(data))


def test_upgrades_hand_on_what_follows() -> None:
    frames = bytes.fromhex("818537fa213d7f9f4d5158"), bytes.fromhex("810548656c6c6f")
    found = cut(WS_ASK + frames[0], WS_TAKE + frames[1])
    assert found.handed == list(frames)
    assert found.hint == "websocket; permessage-deflate; server_no_context_takeover; protocol=mqtt"
    refused = cut(WS_ASK + E1, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" * 2)
    assert (refused.handed, len(refused.client), len(refused.server)) == ([None, None], 2, 2)


def test_tunnels_hand_on_what_follows() -> None:
    found = cut(b"CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n\x16\x03\x01", b"HTTP/1.1 200 Connection established\r\n\r\n\x16\x03\x03")
    assert (found.handed, found.hint) == ([b"\x16\x03\x01", b"\x16\x03\x03"], "tunnel")
    assert HTTP().frame(b"\x16\x03\x03", side(False, State([], 0, True))) == HANDED_ON


@pytest.mark.parametrize(("code", "status", "soft"), [(101, "ok", False), (302, "ok", False), (404, "client_error", True), (429, "client_error", False),
                                                      (503, "server_error", False)])
def test_status(code: int, status: str, soft: bool) -> None:
    words = HTTP().describe(one(b"HTTP/1.1 %d Reason\r\nContent-Length: 0\r\n\r\n" % code, False))
    assert (words.status, words.code, words.soft) == (status, code, soft)
    assert (words.error == f"{code} Reason") == (code >= 400)


def test_the_error_in_a_json_body() -> None:
    body = b'{"title": "Out of stock", "status": 409}'
    message = one(b"HTTP/1.1 409 Conflict\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\n\r\n" % len(body) + body, False)
    assert HTTP().describe(message).error == "409 Conflict: Out of stock"


def test_secrets_are_masked() -> None:
    message = one(b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic dXNlcjpwYXNz\r\nCookie: a=1; sid=xyz\r\nX-Api-Key: k3y\r\n\r\n")
    text = "\n".join(lines(HTTP().dissect(message)))
    assert not [word for word in ("dXNlcjpwYXNz", "pass", "xyz", "k3y") if word in text]
    assert values(message, "http.authbasic") == ["user:(masked)"]
    Secret.shown = True
    try:
        assert values(message, "http.authbasic") == ["user:pass"]
    finally:
        Secret.shown = False


def test_queries_and_endpoints() -> None:
    message = one(b"GET /api/orders/17?full=1&q=%D0%B0 HTTP/1.1\r\nHost: shop\r\n\r\n")
    assert values(message, "http.request.uri.query.parameter") == ["full=1", "q=%D0%B0"]
    assert [values(message, name) for name in ("http.request.uri.path", "http.request.uri.query")] == [["/api/orders/17"], ["full=1&q=%D0%B0"]]
    assert [endpoint(one) for one in ("/api/17/x?y", "/", "*", "http://h/a/b/c", "db:5432")] == ["/api/{id}", "/", "*", "/a/b", "db:5432"]


def test_server_sent_events() -> None:
    body = b": hi\nid: 7\nevent: tick\ndata: one\ndata: two\nretry: 3000\n\n"
    message = one(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n", False
        )
    assert [values(message, f"http.sse.{name}") for name in ("event", "id", "data", "retry")] == [["tick"], ["7"], ["one", "two"], ["3000"]]


@pytest.mark.parametrize(("name", "value", "expected"), [
    ("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90", ("80f198ee56343ba864fe8b2a57d3eff7", "e457b5a2e4d86bd1",
        "05e3ac9a4f6e3b90")),
    ("uber-trace-id", "abc%3A1:0:1", ("abc", "1", "")), ("traceparent", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", ("", "", "")),
    ("sw8", "1-YWJjLjEuMg==-c2VnLjE=-3-c2hvcA==-aW4x-L29yZGVycw==-MTAuMC4wLjE6ODA=", ("abc.1.2", "seg.1-3", "")), ("b3", "0", ("", "", "")),
    ("x-amzn-trace-id", "Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1", ("67891233abcdef012345678912345678", "",
        "463ac35c9f6413ad")),
])
def test_trace_headers(name: str, value: str, expected: tuple[str, str, str]) -> None:
    assert ids(name, value) == expected


def test_what_is_wrong_is_said() -> None:
    message = one(b"POST / HTTP/1.1\r\nA : b\r\nC: d\r\n e\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n")
    assert set(values(message, "http.note")) == {"a space before the colon", "a folded line", "Host is missing"}
    assert [each.name for each in walk(HTTP().dissect(message)) if each.name == "http.te_and_length"]


def test_recognition() -> None:
    def score(client: bytes, server: bytes) -> tuple[int, int] | None:
        found = HTTP().recognise(Opening((client, server), (1, 2), (True, True), (True, True)))
        return (found.score, found.client) if found is not None else None
    answer = b"HTTP/1.1 200 OK\r\n\r\n"
    assert [score(E1, answer), score(answer, E1), score(E1, b""), score(b"", answer), score(b"FOO / HTTP/1.1\r\n", b"")] == [(100, 0), (100, 1),
        (98, 0), (95, 0), (80, 0)]
    for other in (b"PRI * HTTP/2.0\r\n\r\n", b"get x\r\n", b"GET x\r\n", b"OPTIONS rtsp://x RTSP/1.0\r\n", b"INVITE sip:a SIP/2.0\r\n", b"\0" * 40, b""):
        assert score(other, b"") is None


EXAMPLES = [E1, E4, E5, WS_ASK, WS_TAKE, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1f\r\n" + GZIP + b"\r\n0\r\n\r\n"]


@pytest.mark.parametrize("data", EXAMPLES)
def test_every_byte_lies_in_a_field_wherever_the_message_is_cut(data: bytes) -> None:
    client = not data.startswith(b"HTTP")
    for end in range(1, len(data) + 1):
        header = HTTP().header(data, 0, end, side(client), None)
        message = MessageBytes(data[:end], 0, end, len(data), header, client)
        tree = [each for each in HTTP().dissect(message) if each.view == 0]
        assert not uncovered(tree, end), (end, lines(tree))
        HTTP().describe(message)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(EXAMPLES), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_messages_give_a_tree(data: bytes, changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(data)
    for at, byte in changes:
        damaged[at % len(damaged)] = byte
    found = cut(bytes(damaged), bytes(damaged))
    for message in found.client + found.server:
        tree = [each for each in HTTP().dissect(message) if each.view == 0]
        missing = [at for at in uncovered(tree, message.end) if at >= message.start]
        assert not missing, (missing, lines(tree))
        HTTP().describe(message)
    HTTP().recognise(Opening((bytes(damaged), data), (1, 2), (True, True), (True, True)))


def test_kinds() -> None:
    assert [each.header.kind for each in cut(E1, E5).client + cut(E1, E5).server] == [Kind.REQUEST, Kind.RESPONSE, Kind.RESPONSE]
