"""Kafka frames: the worked examples of the protocol reference, headers, fallbacks, what is one-way, raw or not known."""
from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
from kafka_wire import KAFKA, batch, exchange, framed, message, named, produce, record, request_frame, response_frame, uncovered, uvarint, walk
from work import calls

from protocols.decoder import Kind, Opening, Side, Status
from protocols.engine.fields import Field
from protocols.kafka import schema
from protocols.kafka.errors import ERRORS, error_status, show_error

K1 = bytes.fromhex(
    "0000001c00120003000000010002707600086c696272646b6606322e312e3000")
K2 = bytes.fromhex(
    "000000240000000100000300000000000d000012000000040000000000010108000000000000004d")
K3 = bytes.fromhex(
    "00000085000000080000000700027076ffffffff000075300000000100066f726465727300000001000000000000005900000000000000000000004d00000000"
    "02c899ed9f0000000000010000018bcfe568000000018bcfe56800ffffffffffffffffffffffffffff0000000222000000046b310a68656c6c6f020268027612"
    "000a02010662796500")
K4 = bytes.fromhex(
    "0000003c000000070000000100066f726465727300000001000000000000000000000000002affffffffffffffff000000000000000000000000ffff00000000")
K5 = bytes.fromhex(
    "000000d000000009000000000000000100066f726465727300000001000000000000000000000000000b000000000000000b000000000000009a000000000000"
    "00090000004000000000020d374d930012000000000000018bcfe568000000018bcfe5680000000000000003e900000000000000000001301c5e000000026b50"
    "769a01000000000000000000000a000000420000000002375e6a320030000000000000018bcfe568000000018bcfe5680000000000000003e90000ffffffff00"
    "0000012000000008000000010c00000000000300")
K6 = bytes.fromhex(
    "0000007e00000009000000080002707600000000000003e802076f726465727302000000005a00000000000000000000004d0000000002c899ed9f0000000000"
    "010000018bcfe568000000018bcfe56800ffffffffffffffffffffffffffff0000000222000000046b310a68656c6c6f020268027612000a0201066279650000"
    "0000")
K7 = bytes.fromhex(
    "00000080000000020000000b000270760001000003e80000000100017400000001000000000000005b00000000000000010000004fadb2cf2601010000018bcf"
    "e56800ffffffff000000391f8b080000000000020363608003897ad6a620462083b1fbfcd30c9008632288a880ca83a424faa61dc842559304222a0100dd3ba3"
    "48000000")


def lines(tree: object) -> list[tuple[int, int, str, object]]:
    """(first byte, last byte, name, value) of the fields with bytes."""
    return [(one.start, one.end - 1, one.name, one.value) for one in walk(tree) if one.length and one.view == 0]  # type: ignore[arg-type]


def has(tree: object, *rows: tuple[int, int, str, object]) -> None:
    found = lines(tree)
    assert [row for row in rows if row not in found] == []


def test_k1_api_versions_request() -> None:
    tree = KAFKA.dissect(message(K1))
    has(tree, (0, 3, "kafka.len", 28), (4, 5, "kafka.api_key", 18), (6, 7, "kafka.api_version", 3), (8, 11, "kafka.correlation_id", 1),
        (14, 15, "kafka.client_id", "pv"),
        (12, 13, "kafka.client_id_len", 2), (16, 16, "kafka.tagged_fields_count", 0), (18, 24, "kafka.client_software_name", "librdkf"),
        (26, 30, "kafka.client_software_version", "2.1.0"), (31, 31, "kafka.tagged_fields_count", 0))
    assert not uncovered(tree, 32)


def test_k2_api_versions_response_has_no_tag_section_in_its_header() -> None:
    _, answered = exchange(K1, K2)
    tree = KAFKA.dissect(answered)
    has(tree, (4, 7, "kafka.correlation_id", 1), (8, 9, "kafka.error", 0), (10, 10, "kafka.api_keys_len", 2), (11, 12, "kafka.api_versions.api_key", 0),
        (15, 16, "kafka.api_versions.max_version", 13), (18, 19, "kafka.api_versions.api_key", 18), (22, 23, "kafka.api_versions.max_version", 4),
        (25, 28, "kafka.throttle_time", 0), (32, 39, "kafka.finalized_features_epoch", 77), (30, 30, "kafka.tagged_field_tag", 1),
        (31, 31, "kafka.tagged_field_size", 8))
    assert not uncovered(tree, 40)
    assert KAFKA.describe(answered).info == "ApiVersions v3 ← OK 2 APIs"


def test_k3_produce_request_with_one_batch() -> None:
    asked = message(K3)
    tree = KAFKA.dissect(asked)
    has(tree, (16, 17, "kafka.transactional_id_len", -1), (18, 19, "kafka.required_acks", -1), (20, 23, "kafka.timeout", 30000),
        (24, 27, "kafka.topic_data_len", 1),
        (30, 35, "kafka.topic_name", "orders"), (40, 43, "kafka.partition_id", 0), (44, 47, "kafka.records_len", 89), (48, 55, "kafka.offset", 0),
        (56, 59, "kafka.message_size", 77), (60, 63, "kafka.partition_leader_epoch", 0), (64, 64, "kafka.message_magic", 2),
        (65, 68, "kafka.batch_crc", 0xC899ED9F),
        (69, 70, "kafka.batch_attributes", 0), (71, 74, "kafka.batch_last_offset_delta", 1), (75, 82, "kafka.batch_first_timestamp", 1_700_000_000_000 * 10**6),
        (83, 90, "kafka.batch_last_timestamp", 1_700_000_000_000 * 10**6), (91, 98, "kafka.producer_id", -1), (99, 100, "kafka.producer_epoch", -1),
        (101, 104, "kafka.batch_base_sequence", -1), (105, 108, "kafka.batch_size", 2), (109, 109, "kafka.record_length", 17),
        (114, 115, "kafka.message_key", b"k1"),
        (117, 121, "kafka.message_value", b"hello"), (122, 122, "kafka.headers_len", 1), (124, 124, "kafka.header_key", "h"),
        (126, 126, "kafka.header_value", b"v"),
        (127, 127, "kafka.record_length", 9), (129, 129, "kafka.record_timestamp_delta", 5), (130, 130, "kafka.record_offset_delta", 1),
        (133, 135, "kafka.message_value", b"bye"))
    assert named(tree, "kafka.batch_crc.status") == [1]
    assert named(tree, "kafka.message_key") == [b"k1", None]
    assert named(tree, "kafka.message_timestamp") == [1_700_000_000_000 * 10**6, 1_700_000_000_005 * 10**6]
    assert not uncovered(tree, len(K3))
    summary = KAFKA.describe(asked)
    assert (summary.op, summary.target, summary.endpoint, summary.id) == ("Produce v8", "orders-0", "orders", "7")
    assert summary.info == "Produce v8 orders-0 2 records 89 B acks=all"


def test_k4_produce_response() -> None:
    _, answered = exchange(K3, K4)
    tree = KAFKA.dissect(answered)
    has(tree, (14, 19, "kafka.topic_name", "orders"), (28, 29, "kafka.error", 0), (30, 37, "kafka.offset", 42), (46, 53, "kafka.log_start_offset", 0),
        (54, 57, "kafka.record_errors_len", 0), (60, 63, "kafka.throttle_time", 0))
    assert not uncovered(tree, len(K4))
    summary = KAFKA.describe(answered)
    assert (summary.status, summary.code, summary.info) == (Status.OK, 0, "Produce v8 ← OK orders-0@42")


def test_k5_fetch_response_with_a_transaction_and_its_marker() -> None:
    request = request_frame(1, 4, struct.pack(">iiiib", -1, 500, 1, 1 << 20, 0) + struct.pack(">ih6siiqi", 1, 6, b"orders", 1, 0, 9, 1 << 20), correlation=9)
    asked, answered = exchange(request, K5)
    tree = KAFKA.dissect(answered)
    has(tree, (34, 41, "kafka.high_watermark", 11), (42, 49, "kafka.last_stable_offset", 11), (50, 53, "kafka.aborted_transactions_len", 0),
        (79, 80, "kafka.batch_attributes", 0x12), (111, 114, "kafka.batch_base_sequence", 0), (155, 156, "kafka.batch_attributes", 0x30),
        (200, 203, "kafka.message_key", b"\0\0\0\1"), (200, 201, "kafka.control_version", 0), (202, 203, "kafka.control_type", 1),
        (205, 206, "kafka.record_value_version", 0), (207, 210, "kafka.coordinator_epoch", 3))
    assert named(tree, "kafka.batch_crc.status") == [1, 1]
    assert not uncovered(tree, len(K5))
    assert [view.name for view in answered.views] == ["Decompressed records (snappy) at offset 9"]
    assert named(tree, "kafka.message_value") == [b"v" * 40, b"\0\0\0\0\0\3"]
    assert not uncovered([one for one in walk(tree) if one.view == 1], len(answered.views[0].data), 1)
    assert any(one.text == "Control record COMMIT at offset 10" for one in walk(tree))
    assert KAFKA.describe(asked).info == "Fetch v4 orders-0@9 (long poll 500 ms)"
    assert KAFKA.describe(answered).info == "Fetch v4 ← OK orders-0 1 record 154 B (snappy) 1 control high watermark=11"


def test_k6_produce_without_acks_is_one_way() -> None:
    asked = message(K6)
    assert asked.header.kind is Kind.ONEWAY
    tree = KAFKA.dissect(asked)
    has(tree, (18, 19, "kafka.required_acks", 0), (26, 31, "kafka.topic_name", "orders"), (33, 36, "kafka.partition_id", 0), (37, 37, "kafka.records_len", 89),
        (127, 127, "kafka.tagged_fields_count", 0), (128, 128, "kafka.tagged_fields_count", 0), (129, 129, "kafka.tagged_fields_count", 0))
    assert named(tree, "kafka.no_response") == [True]
    assert not uncovered(tree, len(K6))
    assert KAFKA.describe(asked).info == "Produce v9 orders-0 2 records 89 B acks=none (no response)"


def test_k7_legacy_wrapper_holds_messages_with_relative_offsets() -> None:
    asked = message(K7)
    tree = KAFKA.dissect(asked)
    has(tree, (41, 48, "kafka.offset", 1), (49, 52, "kafka.message_size", 79), (57, 57, "kafka.message_magic", 1), (58, 58, "kafka.message_attributes", 1))
    assert named(tree, "kafka.message_crc.status") == [1, 1, 1]
    assert named(tree, "kafka.absolute_offset") == [0, 1]
    assert not uncovered(tree, len(K7))
    assert not uncovered(tree, len(asked.views[0].data), 1)


def test_wireshark_agrees_with_the_examples_on_the_headers() -> None:
    for data, key, version, correlation in ((K1, 18, 3, 1), (K3, 0, 8, 7), (K7, 0, 2, 11)):
        header = message(data).header
        assert (header.key, tuple(header.context)) == (correlation, (key, version))


# what is not understood, or not as asked

def test_a_broker_that_does_not_know_the_version_answers_in_version_0() -> None:
    _, answered = exchange(request_frame(18, 4, b"\2a\2b\0", header=2), response_frame(struct.pack(">hihhh", 35, 1, 18, 0, 3)))
    tree = KAFKA.dissect(answered)
    assert named(tree, "kafka.api_versions.max_version") == [3]
    assert not uncovered(tree, answered.end)
    summary = KAFKA.describe(answered)
    assert (summary.status, summary.error, summary.code) == (Status.CLIENT_ERROR, "UNSUPPORTED_VERSION", 35)


def test_an_odd_fallback_body_keeps_its_error_and_its_bytes() -> None:
    _, answered = exchange(K1, response_frame(bytes.fromhex("0023010012000000020000000000"), correlation=1))
    tree = KAFKA.dissect(answered)
    assert named(tree, "kafka.error") == [35]
    assert not uncovered(tree, answered.end)


@pytest.mark.parametrize(("key", "version", "words"), [
    (3, 99, "Metadata v99 is newer than this build knows (up to v13)"), (999, 0, "API key 999 is not known to this build")])
def test_what_is_newer_than_the_table_keeps_its_header(key: int, version: int, words: str) -> None:
    asked = message(request_frame(key, version, b"\x12\x34\x56", header=2 if key == 3 else 1))
    tree = KAFKA.dissect(asked)
    assert named(tree, "kafka.client_id") == ["pv"]
    assert named(tree, "kafka.unsupported_api_version") + named(tree, "kafka.unknown_api_key") == [words]
    assert named(tree, "kafka.body") == [b"\x12\x34\x56"]
    assert not named(tree, "_ws.malformed")


def test_controlled_shutdown_0_has_no_client_id() -> None:
    tree = KAFKA.dissect(message(request_frame(7, 0, struct.pack(">i", 5), header=0)))
    assert named(tree, "kafka.broker_id") == [5]
    assert not named(tree, "kafka.client_id")


def test_bytes_left_over_are_a_note() -> None:
    tree = KAFKA.dissect(message(framed(K1[4:] + b"\1\0\0")))
    assert named(tree, "kafka.left_over") == [b"\1\0\0"]
    assert not named(tree, "_ws.malformed")


def test_a_null_client_id_is_null() -> None:
    tree = KAFKA.dissect(message(request_frame(12, 0, struct.pack(">h1sih1s", 1, b"g", 3, 1, b"m"), client=None)))
    assert named(tree, "kafka.client_id") == [None]
    assert not uncovered(tree, 4 + 8 + 2 + 3 + 4 + 3)


def test_a_response_without_its_request_is_a_guess_that_says_so() -> None:
    body = struct.pack(">i", 1) + struct.pack(">h6si", 6, b"orders", 1) + struct.pack(">ihqqqih", 0, 0, 42, -1, 0, 0, -1) + struct.pack(">i", 0)
    orphan = message(response_frame(body), False)
    tree = KAFKA.dissect(orphan)
    assert named(tree, "kafka.correlation_id") == [7]
    assert named(tree, "kafka.request_missing") == ["request not captured"]
    assert named(tree, "kafka.guess") == ["Produce v8"]
    assert any("guess" in one.text for one in walk(tree) if one.name == "kafka.guessed")
    assert not uncovered(tree, orphan.end)
    assert "not captured" in KAFKA.describe(orphan).info


def test_a_forwarded_request_is_read_inside_its_envelope() -> None:
    inner = request_frame(19, 7, b"\1" + struct.pack(">ib", 1000, 0) + b"\0", header=2)[4:]
    principal = b"\0\0" + b"\5User\6alice" + b"\0\0"
    body = bytes([len(inner) + 1]) + inner + bytes([len(principal) + 1]) + principal + b"\5\x0a\0\0\1" + b"\0"
    answer = bytes.fromhex("0000000700") + struct.pack(">i", 0) + b"\1\0"
    asked, answered = exchange(request_frame(58, 0, body, header=2), response_frame(bytes([len(answer) + 1]) + answer + b"\0\0\0", header=1))
    tree = KAFKA.dissect(asked)
    assert named(tree, "kafka.request_key") == [58, 19]
    assert named(tree, "kafka.principal_name") == ["alice"]
    assert not uncovered(tree, asked.end)
    tree = KAFKA.dissect(answered)
    assert named(tree, "kafka.response_key") == [58, 19]
    assert not named(tree, "_ws.malformed")


# SASL without Kafka frames

def test_after_sasl_handshake_0_bare_tokens_follow_until_the_next_request() -> None:
    session = KAFKA.session()
    handshake = request_frame(17, 0, b"\0\5PLAIN")
    token = framed(b"\0alice\0secret")
    side = Side(True, True, handshake + token, b"")
    server = Side(False, True, b"", handshake + token)
    kinds = []
    for data, where in ((handshake, side), (response_frame(b"\0\0\0\0\0\1\0\5PLAIN"), server), (token, side), (framed(b""), server), (K1, side), (K2, server)):
        assert KAFKA.accepts(data[:64], where)
        header = KAFKA.header(data, 0, len(data), where, session)
        kinds.append((header.kind, header.op, header.key))
    assert kinds == [(Kind.REQUEST, "SaslHandshake v0", 7), (Kind.RESPONSE, "", 7), (Kind.REQUEST, "SASL token", ("sasl", 1)),
                     (Kind.RESPONSE, "SASL token", ("sasl", 1)),
                     (Kind.REQUEST, "ApiVersions v3", 1), (Kind.RESPONSE, "", 1)]
    session = KAFKA.session()
    KAFKA.header(handshake, 0, len(handshake), side, session)
    asked = message(token, session=session)
    tree = KAFKA.dissect(asked)
    assert named(tree, "kafka.sasl.user") == ["alice"]
    assert not uncovered(tree, asked.end)
    assert "secret" not in "".join(one.text for one in walk(tree)) + KAFKA.describe(asked).info


def test_a_refused_handshake_is_not_followed_by_tokens() -> None:
    session = KAFKA.session()
    for data, client in ((request_frame(17, 0, b"\0\4NOPE"), True), (response_frame(b"\0\x21\0\0\0\0"), False)):
        KAFKA.header(data, 0, len(data), Side(client, True, b"", b""), session)
    assert KAFKA.header(framed(b"\0a\0b"), 0, 8, Side(True, True, b"", b""), session).op != "SASL token"


@pytest.mark.parametrize(("token", "user"), [(b"\0bob\0hunter2", "bob"), (b"n,,n=carol,r=abc", "carol")])
def test_a_token_in_sasl_authenticate_names_its_user_and_hides_the_secret(token: bytes, user: str) -> None:
    asked = message(request_frame(36, 1, struct.pack(">i", len(token)) + token))
    tree = KAFKA.dissect(asked)
    assert named(tree, "kafka.sasl.user") == [user]
    assert "hunter2" not in "".join(one.text for one in walk(tree)) + KAFKA.describe(asked).info
    assert not uncovered(tree, asked.end)


@pytest.mark.parametrize("token", [b"c=biws,r=abcdef,p=c2VjcmV0", b"v=c2VjcmV0", b"n,,\1auth=Bearer c2VjcmV0\1\1"])
def test_proofs_and_bearer_tokens_are_hidden(token: bytes) -> None:
    asked = message(request_frame(36, 1, struct.pack(">i", len(token)) + token))
    tree = KAFKA.dissect(asked)
    assert "c2VjcmV0" not in "".join(one.text for one in walk(tree)) + KAFKA.describe(asked).info
    assert not uncovered(tree, asked.end)


# errors

def test_error_codes_have_name_meaning_and_whether_to_retry() -> None:
    assert sorted(ERRORS) == list(range(-1, 137))
    assert show_error(19).startswith("NOT_ENOUGH_REPLICAS (19) retriable: ")
    assert show_error(36).startswith("TOPIC_ALREADY_EXISTS (36): ")
    assert show_error(5000) == "error 5000 (unknown)"
    assert {code for code, error in ERRORS.items() if error.retriable} >= {2, 3, 5, 6, 7, 13, 14, 15, 16, 19, 20, 41, 51, 56, 70, 71, 89, 100, 133}
    assert error_status(6) is Status.SERVER_ERROR
    assert error_status(29) is Status.CLIENT_ERROR
    assert error_status(0) is Status.OK


def test_a_response_reports_its_first_error_and_how_many() -> None:
    body = struct.pack(">i", 1) + struct.pack(">h6si", 6, b"orders", 3) + b"".join(
        struct.pack(">ihq", part, code, -1) for part, code in ((0, 0), (1, 19), (2, 6)))
    _, answered = exchange(request_frame(0, 0, struct.pack(">hii", 1, 1, 0)), response_frame(body))
    summary = KAFKA.describe(answered)
    assert (summary.status, summary.code, summary.error) == (Status.SERVER_ERROR, 19, "NOT_ENOUGH_REPLICAS")
    assert "NOT_ENOUGH_REPLICAS (19, 2 of 3 failed)" in summary.info
    assert "Partition 1: NOT_ENOUGH_REPLICAS" in [one.text for one in walk(KAFKA.dissect(answered))]


def test_long_polls_are_marked_so_that_their_time_is_no_latency() -> None:
    assert KAFKA.describe(message(FETCH)).long_poll
    assert named(KAFKA.dissect(message(FETCH)), "kafka.long_poll") == [True]
    assert not KAFKA.describe(message(K3)).long_poll


def test_an_error_that_is_a_step_of_the_protocol_is_soft() -> None:
    body = struct.pack(">ih", 0, 79) + struct.pack(">ihhhi", -1, 0, 0, 0, 0)
    _, answered = exchange(request_frame(11, 4, b""), response_frame(body))
    summary = KAFKA.describe(answered)
    assert (summary.error, summary.soft) == ("MEMBER_ID_REQUIRED", True)


def test_list_offsets_names_what_was_asked_and_what_was_found() -> None:
    asking = struct.pack(">ibi", -1, 0, 1) + struct.pack(">h1si", 1, b"t", 2) + struct.pack(">iq", 0, -2) + struct.pack(">iq", 1, -1)
    answering = struct.pack(">ii", 0, 1) + struct.pack(">h1si", 1, b"t", 2) + struct.pack(">ihqq", 0, 0, -1, 5) + struct.pack(">ihqq", 1, 0, -1, 90)
    asked, answered = exchange(request_frame(2, 2, asking), response_frame(answering))
    assert KAFKA.describe(asked).info == "ListOffsets v2 t-0@earliest, t-1@latest"
    assert KAFKA.describe(answered).info == "ListOffsets v2 ← OK t-0@5, t-1@90"


# recognition

def opening(client: bytes, server: bytes, start: bool = True, ports: tuple[int, int] = (40000, 50000)) -> Opening:
    return Opening((client, server), ports, (start, start), (True, True))


def test_kafka_is_known_on_any_port_and_from_either_side() -> None:
    match = KAFKA.recognise(opening(K1, K2))
    assert match is not None
    assert (match.score, match.client) == (99, 0)
    match = KAFKA.recognise(opening(K2, K1))
    assert match is not None
    assert match.client == 1


def test_a_stream_that_starts_in_the_middle_is_known_by_its_next_frames() -> None:
    match = KAFKA.recognise(opening(K3[40:] + K1 + K3, K2, start=False))
    assert match is not None
    assert match.score >= 50


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40), bytes(64), b"\0\0\0\x10" + bytes(60),
                                  b"*1\r\n$4\r\nPING\r\n", b"\0\0\0\x2d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x75\x30" + bytes(29)])
def test_other_protocols_are_not_kafka(data: bytes) -> None:
    match = KAFKA.recognise(opening(data, b""))
    assert match is None or match.score < 50


def test_an_answer_to_api_versions_is_enough() -> None:
    match = KAFKA.recognise(opening(b"", K2))
    assert match is not None
    assert match.client == 0


# figures

def test_the_schema_is_ready_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more than 200 messages only those are parsed that a capture has: the request and its header."""
    parsed: list[str] = []

    class Noted(schema._Parser):
        def __init__(self, text: str) -> None:
            parsed.append(text)
            super().__init__(text)
    monkeypatch.setattr(schema, "_Parser", Noted)
    schema._table.cache_clear()
    KAFKA.dissect(message(K3))
    assert 1 <= len(parsed) <= 2 and len(list(schema.messages())) > 180


def test_every_field_name_has_one_type_and_is_listed() -> None:
    specs = list(KAFKA.specs())
    assert len({spec.name for spec in specs}) == len(specs)
    assert all(re.fullmatch(r"kafka(\.[a-z0-9_]+)*", spec.name) for spec in specs)
    kinds: dict[str, set[str]] = {}
    for part, holders in parts():
        from protocols.kafka import names
        for spec in (names.spec_of(part, holders), *([names.item_spec(part, holders)] if part.element else [])):
            kinds.setdefault(spec.name, set()).add(spec.type)
    assert {name: kind for name, kind in kinds.items() if len(kind) > 1} == {}


def parts() -> list[tuple[schema.Part, tuple[str, ...]]]:
    found = []

    def visit(part: schema.Part, holders: tuple[str, ...]) -> None:
        found.append((part, holders))
        for one in (part.element or part).parts:
            visit(one, (*holders, part.name))
    for one in schema.messages():
        for part in one.parts:
            visit(part, (one.name,))
    return found


def test_every_field_of_a_tree_is_in_the_list() -> None:
    listed = {spec.name for spec in KAFKA.specs()}
    data = produce(batch(record(b"k", b'{"a":1}', headers=[(b"h", b"v")]), 1))
    assert {one.name for one in walk(KAFKA.dissect(message(data)))} <= listed


# the examples as text

GOLDEN = Path(__file__).parent / "golden"
FETCH = request_frame(1, 4, struct.pack(">iiiib", -1, 500, 1, 1 << 20, 0) + struct.pack(">ih6siiqi", 1, 6, b"orders", 1, 0, 9, 1 << 20), correlation=9)
TALKS = {"versions": (K1, K2), "produce": (K3, K4), "fetch": (FETCH, K5), "oneway": (K6,), "legacy": (K7,)}


def transcript(name: str) -> str:
    """The conversation of a golden file: each message's line in the list, then its tree with places."""
    asked = message(TALKS[name][0])
    made = [asked, *(message(data, False, asked) for data in TALKS[name][1:])]
    rows: list[str] = []

    def visit(fields: Sequence[Field], depth: int) -> None:
        for one in fields:
            place = f"{one.start:4} +{one.length:<4}" if not one.view else f"v{one.view}:{one.start} +{one.length:<4}"
            rows.append(f"{place} {'  ' * depth}{one.text}")
            visit(one.fields, depth + 1)
    for one in made:
        rows.append(("> " if one.from_client else "< ") + KAFKA.describe(one).info)
        visit(KAFKA.dissect(one), 0)
        rows.append("")
    return "\n".join(rows)


@pytest.mark.parametrize("name", TALKS)
def test_the_worked_examples_read_as_written_down(name: str) -> None:
    """Places and values in the golden texts were checked against the maps of the protocol document (K1-K7)."""
    assert transcript(name) == (GOLDEN / f"kafka-{name}.txt").read_text()


def test_a_field_of_a_large_metadata_answer_costs_one_call() -> None:
    """A call takes a tenth of a microsecond at least, and a capture of a large cluster has millions of such fields."""
    def compact(text: str) -> bytes:
        return bytes([len(text) + 1]) + text.encode()
    partition = struct.pack(">hiiii", 0, 3, 1, 5, 0)[:14] + (b"\4" + struct.pack(">iii", 1, 2, 3)) * 2 + b"\1\0"
    topics = b"".join(b"\0\0" + compact(f"topic-{i}") + b"\0\x0d" + partition * 12 + struct.pack(">i", -1) + b"\0" for i in range(500))
    body = struct.pack(">i", 0) + b"\1" + compact("cluster") + struct.pack(">i", 1) + uvarint(501) + topics + struct.pack(">i", -1) + b"\0"
    _, answered = exchange(request_frame(3, 9, b"\0\1\1\1\0", header=2), response_frame(body, header=1))
    KAFKA.dissect(answered)         # what is made once for a version
    tree, work = calls(lambda: KAFKA.dissect(answered))
    count = sum(1 for _ in walk(tree))
    assert count > 100_000
    assert not uncovered(tree[:5], 9)
    assert not [one for one in tree if one.name == "_ws.malformed"]
    assert work < 1.2 * count
