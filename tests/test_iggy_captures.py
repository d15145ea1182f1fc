"""Recorded Iggy traffic through the middle floor: every byte in a field, calls, errors, offsets and payloads as the clients counted and saw them.

The figures come from the truth files, which the recording clients wrote; what they do not count (what an SDK adds or refuses by itself) is named at each test.
"""
from __future__ import annotations

import ast
import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from iggy_wire import uncovered

from captures.file.opening import open_source
from captures.index.index import Index
from captures.messages.conversation import Conversation, MessageRow
from captures.stream.pair import tcp_pair
from protocols.decoder import Kind, Status
from protocols.engine.fields import Field, walk
from protocols.iggy.decoder import Iggy
from protocols.iggy.errors import NAMES
from protocols.iggy.kinds import BAD, HEADER_KINDS, UNVERIFIED

FOLDER = Path(__file__).parent / "data" / "iggy"
FILES = sorted(file.name.removeprefix("iggy-").removesuffix(".pcap.gz") for file in FOLDER.glob("*.pcap.gz"))
WEBSOCKET = "rustsdk-0.8.0-websocket"
RAW, RAW_VSR, CUT, CLUSTER = "raw-0.8.0-pipelined", "raw-0.9.0edge5-pipelined", "rustsdk-0.8.0-big-cut", "rustsdk-0.9.0edge5-cluster"
PLAIN = [name for name in FILES if name != WEBSOCKET]
GENERATIONS = {"0.4.300": "0.4", "0.5.0": "0.5", "0.8.0": "0.7-0.8"}


@cache
def conversations(name: str) -> list[Conversation]:
    index = Index(open_source(FOLDER / f"iggy-{name}.pcap.gz"))
    index.run()
    return [Conversation(tcp_pair(index, stream), [Iggy()]) for stream in range(len(index.tcp))]


@cache
def truth(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"iggy-{name}.truth.json").read_text())
    return found


def trees(name: str) -> list[tuple[Conversation, MessageRow, list[Field]]]:
    return [(one, pdu, list(Iggy().dissect(one.message(pdu)))) for one in conversations(name) for pdu in one.messages]


def test_the_recordings_are_there() -> None:
    assert len(FILES) == 24


@pytest.mark.parametrize("name", [name for name in PLAIN if not name.startswith("raw") or "serverstop" in name])
def test_every_byte_of_every_message_lies_in_a_field_and_nothing_is_malformed(name: str) -> None:
    for one, pdu, tree in trees(name):
        info = one.summary(pdu).info
        assert not uncovered(tree, pdu.have), info
        assert not [field.text for field in walk(tree) if field.name in ("_ws.malformed", "iggy.trailing", "iggy.body")
                    and "TruncatePartition" not in info], info  # whose body is written down nowhere
    assert not [hole for one in conversations(name) for hole in one.holes] or name == CUT


@pytest.mark.parametrize("name", PLAIN)
def test_no_checksum_is_wrong_or_left_unverified(name: str) -> None:
    """The raw client sent a wrong request checksum and a message with a wrong one on purpose."""
    wrong = Counter((field.name, field.value) for _, _, tree in trees(name) for field in walk(tree)
                    if field.name.startswith("iggy") and field.name.endswith(".status") and "checksum" in field.name and field.value in (BAD, UNVERIFIED))
    assert wrong == ({("iggy.vsr.request_checksum.status", BAD): 1, ("iggy.message.checksum.status", BAD): 1} if name == RAW_VSR else {})


def test_bad_input_on_purpose_is_malformed_where_it_is_bad() -> None:
    """Thirteen malformed requests by the client's count: two unknown codes and bytes behind a ping are no malformed bytes; a length of 2 is no message."""
    assert truth(RAW)["malformed_among_them"] == 13
    found, notes = [], []
    for _, pdu, tree in trees(RAW):
        assert not uncovered(tree, pdu.have)
        bad = [str(field.value) for field in walk(tree) if field.name == "_ws.malformed"]
        found += bad[:1]
        said = [str(field.value) for field in walk(tree) if field.name == "iggy.note"]
        notes += [one for one in said if "behind" in one or "has no layout" in one]
    assert [one.partition(": ")[2] for one in found] == [
        "wanted 4 bytes, had 2", "Name is empty", "wanted 32 bytes, had 3", "Name is not UTF-8 (byte 0 of it)",
        "wanted 4988 bytes, had 0", "wanted 1 byte, had 0"]
    assert notes == [*(f"command {code} has no layout in this framing here: its payload is shown as bytes" for code in (999, 0)),
                     "3 bytes behind the payload: some SDKs (Go, Node) send them, servers ignore them"]
    assert [one.hole_data(hole) for one in conversations(RAW) for hole in one.holes] == [bytes.fromhex("0200000001000000")]


ADDED = {"ping", "get_cluster_metadata", "logout_user"}
"""What SDKs send by themselves: a ping on connecting, the cluster's metadata after the login, a logout at the end."""
DIFFERENT = {
    "pysdk-0.4.300": {"connect": -1},
    "pysdk-0.5.0": {"connect": -1, "consumer_group.consume_messages": -1, "get_stream": 1, "get_topic": 1, "poll_messages": 17},
    "pysdk-0.8.0": {"connect": -1, "consumer_group.consume_messages": -1, "get_stream": 1, "get_topic": 1, "poll_messages": 17},  # the SDK's own consumer
    "rustsdk-0.5.0-admin-users": {"create_personal_access_token": -1},  # a name that the SDK refuses (50)
    "rustsdk-0.9.0edge5-groups-system": {"poll_messages": -1},  # by one who is no member: the SDK knows it from its sync
    "rustsdk-0.9.0edge5-messages": {"send_messages": -1, "get_topic": 2},  # the SDK looks the topic up first
}


@pytest.mark.parametrize("name", [name for name in PLAIN if name != CLUSTER and truth(name).get("calls_per_operation")])
def test_calls_per_operation_are_those_that_the_client_counted(name: str) -> None:
    calls = Counter(pdu.header.op for one in conversations(name) for pdu in one.messages if pdu.header.kind is Kind.REQUEST)
    for op, count in truth(name)["calls_per_operation"].items():
        if op in ADDED:
            assert calls[op] >= count, op
        else:
            assert calls[op] == count + DIFFERENT.get(name, {}).get(op, 0), op


EVICTED = {42: 9, 53: 10}
"""Refused logins of 0.9 are evictions: InvalidCredentials, InvalidToken."""
LOCAL = {("rustsdk-0.5.0-admin-users", 50): 1, ("rustsdk-0.9.0edge5-groups-system", 5006): 1, ("rustsdk-0.9.0edge5-messages", 2010): 1, (CLUSTER, 9000): 1}
"""Errors that the SDK made itself, or that another connection than the recorded ones saw."""


@pytest.mark.parametrize("name", [name for name in PLAIN if truth(name).get("errors")])
def test_error_codes_are_those_that_the_client_saw(name: str) -> None:
    codes = {error: code for code, error in NAMES.items()}
    seen = Counter(words.code for one in conversations(name) for pdu in one.messages
                   if pdu.header.kind is Kind.RESPONSE and (words := one.summary(pdu)).code)
    for error, count in truth(name)["errors"].items():
        code = int(error.split()[0]) if error[0].isdigit() else codes[error]
        evicted = seen[EVICTED[code]] if "edge" in name and code in EVICTED else 0
        assert seen[code] + evicted + LOCAL.get((name, code), 0) == count, error


@pytest.mark.parametrize("name", PLAIN)
def test_every_reply_has_its_request(name: str) -> None:
    """Without a request are: the reply to a send whose head was not captured; the two that 0.8.0 sent too many after bad input. Without a reply are what the
    server of 0.9 drops, and what the recording cuts off."""
    pdus = [(one, pdu) for one in conversations(name) for pdu in one.messages]
    alone = [one.summary(pdu).info for one, pdu in pdus if pdu.header.kind is Kind.RESPONSE and pdu.peer is None]
    assert alone == {CUT: ["reply ← ok"], RAW: ["reply ← InvalidCommand (3)"] * 2}.get(name, [])
    unanswered = sum(one.summary(pdu).status in (Status.NO_RESPONSE, Status.TRUNCATED) for one, pdu in pdus if pdu.header.kind is Kind.REQUEST)
    # the client's record says "no reply" to 7 of these; the others are what it sent behind a frame that closed the connection
    assert unanswered == {CUT: 1, RAW_VSR: 8}.get(name, 0)


POLLS = [name for name in PLAIN if any(call[1] == "poll_messages" and "ok" in call[-1] for call in truth(name).get("calls", ()) if isinstance(call[-1], dict))]


@pytest.mark.parametrize("name", POLLS)
def test_polls_brought_what_the_client_says(name: str) -> None:
    """Partition, current offset, count, first and last offset, bytes of payload, the first payload and message id of every poll."""
    seen = Counter(poll(tree) for one, pdu, tree in trees(name) if pdu.header.kind is Kind.RESPONSE and one.summary(pdu).op == "poll_messages"
                   and one.summary(pdu).status is Status.OK)
    wanted = [call[-1]["ok"] for call in truth(name)["calls"] if call[1] == "poll_messages" and "ok" in call[-1]]
    assert wanted
    for one in wanted:
        first = one["first_payload"]
        key = (one["count"], one["first"], one["last"], one["payload_bytes"], one.get("partition"), one.get("current_offset"), one.get("first_id"))
        matches = [found for found in seen if seen[found] > 0 and all(want is None or want == got for want, got in zip(key, found[:-1], strict=True))
                   and (first is None or found[-1].startswith(bytes.fromhex(first[4:]) if first.startswith("hex:") else first.encode()[:30]))]
        assert matches, one
        seen[matches[0]] -= 1


def poll(tree: list[Field]) -> tuple[Any, ...]:
    """(count, first offset, last offset, bytes of payload, partition, current offset, first id, first payload)."""
    base, offsets, payloads, ids = 0, [], [], []
    head = {field.name: field.value for field in reversed(tree)}
    for field in walk(tree):
        match field.name:
            case "iggy.batch.base_offset":
                base = field.value
            case "iggy.message.offset":
                offsets.append(field.value)
            case "iggy.message.offset_delta":
                offsets.append(base + field.value)
            case "iggy.message.payload":
                payloads.append(field.value)
            case "iggy.message.id":
                ids.append(str(field.value))
    return (len(offsets), offsets[0] if offsets else None, offsets[-1] if offsets else None, sum(map(len, payloads)), head.get("iggy.partition"),
            head.get("iggy.current_offset"), ids[0] if ids else None, payloads[0] if payloads else b"")


@pytest.mark.parametrize("name", [name for name in POLLS if name.startswith("rustsdk") and "messages" in name])
def test_user_headers_of_every_kind_are_read_as_they_were_sent(name: str) -> None:
    """The truth lists (key, value) pairs as `kind:text` for the polls that brought user headers."""
    lists = [call[-1]["ok"]["user_headers"] for call in truth(name)["calls"]
             if call[1] == "poll_messages" and isinstance(call[-1].get("ok"), dict) and call[-1]["ok"].get("user_headers")]
    wanted = sorted(tuple(as_sent(part) for part in pair) for pairs in lists[0] for pair in pairs or ())
    assert len(wanted) >= 15
    polls = [tree for one, pdu, tree in trees(name) if pdu.header.kind is Kind.RESPONSE and one.summary(pdu).op == "poll_messages"]
    seen = [sorted(tuple(as_read(header)) for header in walk(tree) if header.name == "iggy.header") for tree in polls]
    assert wanted in seen


def as_sent(told: str) -> str:
    """`kind:text` of the truth, raw bytes in hexadecimal; a text without a kind is a key of the time when keys were strings."""
    kind, colon, value = told.partition(":")
    if kind not in HEADER_KINDS.values() or not colon:
        return f"string:{told}"
    return f"{kind}:{ast.literal_eval(value.strip()).hex() if kind == 'raw' else value.removeprefix(' ')}"


def as_read(header: Field) -> list[str]:
    parts = {field.name: field.value for field in header.fields}
    return [f"{HEADER_KINDS[parts.get(f'iggy.header.{kind}', 2)]}:{parts[f'iggy.header.{what}']}" for kind, what in (("key_kind", "key"), ("kind", "value"))]


@pytest.mark.parametrize("name", [name for name in PLAIN if name.split("-")[1] in GENERATIONS and name.startswith(("pysdk", "rustsdk"))])
def test_the_generation_is_that_of_the_server(name: str) -> None:
    """Where the layouts differ, the release named is the server's, alone or among those that have the same."""
    server = GENERATIONS[name.split("-")[1]]
    told = Counter(str(field.value) for _, _, tree in trees(name) for field in walk(tree) if field.name == "iggy.generation")
    assert told
    assert all(server in one for one in told), told


def test_every_command_of_the_command_line_client_is_its_own_connection() -> None:
    """63 commands, of which the client says that 8 failed, by their exit status."""
    name = "cli-0.8.0"
    streams = conversations(name)
    failed = [any(one.summary(pdu).code for pdu in one.messages if pdu.header.kind is Kind.RESPONSE) for one in streams]
    assert [bool(call[1]) for call in truth(name)["calls"]] == failed
    assert sum(failed) == truth(name)["failed"]


def test_a_server_that_stops_says_so_unasked() -> None:
    words = [(pdu.header.kind, one.summary(pdu).info) for one in conversations("raw-0.8.0-serverstop") for pdu in one.messages if pdu.header.kind is Kind.EVENT]
    assert words == [(Kind.EVENT, "server stops: Disconnected (8), asked by no one")] * 3


def test_a_recording_that_starts_inside_a_request_is_read_from_the_next_one_on() -> None:
    """The truth: six replies, five whole sends (one message of 120,000 bytes, then four of 30), and the beginning of one more."""
    (one,) = conversations(CUT)
    sends = [pdu for pdu in one.messages if pdu.header.kind is Kind.REQUEST]
    counts = [sum(field.name == "iggy.message" for field in walk(Iggy().dissect(one.message(pdu)))) for pdu in sends[:5]]
    assert counts == [1, 30, 30, 30, 30]
    assert [pdu.complete for pdu in sends] == [True] * 5 + [False]
    assert sum(pdu.header.kind is Kind.RESPONSE for pdu in one.messages) == truth(CUT)["server_frames"]


def test_a_recording_that_starts_after_the_login_is_read_from_its_first_request_on() -> None:
    name = "pysdk-0.8.0-midstream"
    (one,) = conversations(name)
    calls = [pdu.header.op for pdu in one.messages if pdu.header.kind is Kind.REQUEST]
    assert calls == [call[0] for call in truth(name)["calls"]]
    assert not one.holes


def test_pipelined_requests_get_the_replies_that_the_client_got() -> None:
    """Status and payload length of each reply, in order, for the connection that pipelines."""
    wanted = [(status, length) for kind, _, _, outcome in truth(RAW)["calls"] if kind == "pipeline" for status, length, times in outcome["replies"]
              for _ in range(times)]
    one = conversations(RAW)[1]
    replies = [pdu.peer for pdu in one.messages if pdu.header.kind is Kind.REQUEST]
    assert [(one.summary(pdu).code, pdu.length - 8) for pdu in replies if pdu is not None] == wanted


def test_dropped_vsr_frames_stand_without_a_reply_and_the_next_ones_have_theirs() -> None:
    """By the client's record: which frames got "no reply", which a reply of which operation, which an eviction with which reason."""
    calls = [call for call in truth(RAW_VSR)["calls"] if call[0] == "bad"]
    dropped = sum(outcome[0] == "no reply in 4 s" for call in calls for outcome in call[3])
    outcomes = [outcome[0] for call in truth(RAW_VSR)["calls"] for outcome in call[3] if isinstance(outcome[0], dict)]
    evicted = sorted(outcome["eviction"] for outcome in outcomes if "eviction" in outcome)
    pdus = [(one, pdu) for one in conversations(RAW_VSR) for pdu in one.messages]
    unanswered = [one.summary(pdu).info for one, pdu in pdus if pdu.peer is None and pdu.header.kind in (Kind.REQUEST, Kind.ONEWAY)]
    # the connection that begins with a classic ping is not recognised; behind "size 100" the connection is closed
    assert len(unanswered) == dropped - 1 + 1
    reasons = sorted(one.summary(pdu).code or 0 for one, pdu in pdus if "evicted" in one.summary(pdu).info and pdu.header.kind is Kind.RESPONSE)
    assert reasons == evicted


def test_replicas_are_named_and_their_answers_paired() -> None:
    """Ports 9091 and 9190; a prepare that is passed on in a chain is acknowledged on another connection."""
    streams = [one for one in conversations(CLUSTER) if one.messages[0].header.op == "ReplicaHello"]
    assert len(streams) == 4
    ops = Counter(one.summary(pdu).op for one in streams for pdu in one.messages if pdu.header.kind is not Kind.RESPONSE)
    assert set(ops) == {"ReplicaHello", "ReplicaFinish", "Commit", "Prepare", "PrepareOk", "ForwardRegister", "ForwardLogout", "RequestStartView", "StartView",
                        "RequestStateTransfer"}
    assert not [pdu for one in streams for pdu in one.messages if one.summary(pdu).status in (Status.ORPHAN, Status.NO_RESPONSE)]


def test_passwords_and_tokens_are_nowhere_in_trees_or_lines() -> None:
    """The wrong password that the Python client used, and every secret's own bytes."""
    for name in ("pysdk-0.8.0", "rustsdk-0.8.0-users", "rustsdk-0.9.0edge5-users"):
        for one, pdu, tree in trees(name):
            data = one.data(pdu)
            secrets = [data[field.start:field.end].decode() for field in walk(tree) if field.name in (
                "iggy.user.password", "iggy.user.new_password", "iggy.token") and field.length > 4]
            words = one.summary(pdu).info + "\n".join(field.text + str(field.value) for field in walk(tree))
            assert not [secret for secret in secrets if secret in words]
            assert "wrong-password" not in words


def test_iggy_in_websocket_and_other_protocols_are_left_alone() -> None:
    assert all(one.decoder is None for one in conversations(WEBSOCKET))
