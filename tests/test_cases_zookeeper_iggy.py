"""Small captures whose right values were known before the program read them: made from the formats, or recorded from clients that wrote down what they did."""
from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from captures.file.opening import open_source
from captures.index.index import Index
from captures.messages.conversation import Conversation, MessageRow
from captures.stream.pair import tcp_pair
from protocols.decoder import Kind, Status
from protocols.engine.fields import walk
from protocols.registry import Registry

FOLDER = Path(__file__).parent / "data" / "cases"


@cache
def conversation(name: str) -> Conversation:
    """The one stream of a case, read by all decoders."""
    index = Index(open_source(FOLDER / f"{name}.pcap"))
    index.run()
    return Conversation(tcp_pair(index, 0), Registry(installed=False).decoders())


def rows(name: str) -> list[tuple[int, str, str, int | None, str]]:
    """(packet from 1, operation, status, the peer's packet, line) of every message."""
    one = conversation(name)

    def row(pdu: MessageRow) -> tuple[int, str, str, int | None, str]:
        words = one.summary(pdu)
        return pdu.packet + 1, words.op, str(words.status or ""), pdu.peer.packet + 1 if pdu.peer else None, words.info
    return [row(pdu) for pdu in one.messages]


def texts(name: str) -> str:
    """Everything that is shown of a case."""
    one = conversation(name)
    decoder = one.decoder
    assert decoder is not None
    trees = [field.text for pdu in one.messages for field in walk(decoder.dissect(one.message(pdu)))]
    return "\n".join([*trees, *(row[4] for row in rows(name)), *(" ".join(one.summary(pdu).targets) for pdu in one.messages)])


def test_operations_of_clickhouse_keeper_have_names_paths_and_answers() -> None:
    """The client's truth: a filteredList of two children; a multi of checkNotExists, create (sequential, made log-0000000001) and createIfNotExists; a
    removeRecursive limited to 1000; a filteredList that found no node; a multiRead of filteredList and getData."""
    found = [row for row in rows("keeper-operations") if row[0] >= 8]
    assert [(row[0], row[1], row[2], row[3]) for row in found if row[0] % 2 == 0] == [
        (8, "filteredList", "ok", 9), (10, "multi", "ok", 11), (12, "removeRecursive", "ok", 13), (14, "filteredList", "client_error", 15),
        (16, "multiRead", "ok", 17), (18, "getChildren2", "ok", 19)]
    one = conversation("keeper-operations")
    targets = {pdu.packet + 1: one.summary(pdu).targets for pdu in one.messages}
    table = "/clickhouse/tables/01/t"
    assert targets[8] == targets[9] == (f"{table}/replicas",)
    assert targets[10] == targets[11] == (f"{table}/blocks/x", f"{table}/log/log-", f"{table}/mutations")
    assert targets[16] == targets[17] == ("/a", "/b")
    assert [one.summary(pdu).error for pdu in one.messages if pdu.packet == 14] == ["NONODE"]
    shown = texts("keeper-operations")
    assert "2 children" in shown and "limit=1000" in shown and "log-0000000001" in shown
    for wrong in ("alformed", "not terminated", "UNIMPLEMENTED", "no server", "no name here"):
        assert wrong not in shown


def test_xids_of_eight_bytes_are_read_where_the_handshake_says_so() -> None:
    found = [row[:4] for row in rows("keeper-xid64")]
    assert found == [(4, "connect", "ok", 5), (5, "connect", "ok", 4), (6, "getData", "ok", 7), (7, "getData", "ok", 6),
                     (8, "getChildren2", "client_error", 9), (9, "getChildren2", "client_error", 8), (10, "ping", "ok", 11), (11, "ping", "ok", 10)]
    one = conversation("keeper-xid64")
    assert [one.summary(pdu).id for pdu in one.messages] == ["", "", "1", "1", "2", "2", "-2", "-2"]
    assert [one.summary(pdu).targets for pdu in one.messages][2:6] == [("/keeper/api_version",)] * 2 + [("/a",)] * 2
    assert "alformed" not in texts("keeper-xid64")


def test_a_status_without_a_name_is_an_answer_like_any_other() -> None:
    """Replies come in the order of requests: 13099 to the first create, 1012 to the second, and the pings are well."""
    found = [row[:4] for row in rows("iggy-new-status") if row[1] != "login_user"]
    assert found == [(6, "create_stream", "server_error", 7), (6, "create_stream", "client_error", 8), (6, "ping", "ok", 9),
                     (7, "create_stream", "server_error", 6),
                     (8, "create_stream", "client_error", 6), (9, "ping", "ok", 6), (10, "ping", "ok", 11), (11, "ping", "ok", 10)]
    one = conversation("iggy-new-status")
    assert [one.summary(pdu).code for pdu in one.messages if pdu.packet + 1 in (7, 8)] == [13099, 1012]


@pytest.mark.parametrize("name", ["iggy-protocol-0.12", "iggy-protocol-0.12-low"])
def test_the_version_that_a_login_states_decides_its_layout(name: str) -> None:
    """32 bytes of secret, then 4 bytes "iggy", a password of 4 bytes and no context, by the client's own source; none of the secret is shown."""
    one = conversation(name)
    assert [(row[1], row[2], row[4].split(" ←")[0].split()[1]) for row in rows(name)] == [("login_user", "client_error", "iggy")] * 4
    logins = [pdu for pdu in one.messages if pdu.kind is Kind.REQUEST]
    assert one.decoder is not None
    for pdu in logins:
        message = one.message(pdu)
        fields = {field.name: field for field in walk(one.decoder.dissect(message))}
        assert "_ws.malformed" not in fields
        assert fields["iggy.login.bind_secret"].length == 32
        assert fields["iggy.login.bind_secret"].value == "(masked, 32 bytes)"
        assert fields["iggy.user.name"].value == "iggy"
        assert fields["iggy.user.password"].value == "(masked, 4 bytes)"
        secret = message.data[fields["iggy.login.bind_secret"].start:fields["iggy.login.bind_secret"].end]
        for length in (4, 8):
            for at in range(0, 32, length):
                assert secret[at:at + length].hex() not in texts(name)
                assert str(secret[at:at + length], "latin-1") not in texts(name)


def test_a_session_of_which_eighteen_bytes_a_packet_were_captured_keeps_its_name() -> None:
    """No outcome was captured, so none is claimed."""
    one = conversation("zookeeper-cut-named-kafka")
    assert one.decoder is not None and one.decoder.name == "zookeeper"
    assert [row[1] for row in rows("zookeeper-cut-named-kafka")] == ["connect", "connect", "getData", "getData", "getData", "getData", "multi", "multi"]
    assert {one.summary(pdu).status for pdu in one.messages} == {Status.TRUNCATED}
    assert not [row[4] for row in rows("zookeeper-cut-named-kafka") if "OK" in row[4]]


def test_answers_that_were_captured_first_pair_by_what_they_acknowledge() -> None:
    """Both directions are whole; the server's packets stand 50 ms too early in the file."""
    pairs = {(row[1], row[0]): (row[3], row[2]) for row in rows("iggy-answers-captured-first")}
    assert pairs == {("login_user", 7): (2, "ok"), ("login_user", 2): (7, "ok"), ("create_stream", 8): (3, "ok"), ("create_stream", 3): (8, "ok"),
                     ("create_stream", 9): (4, "client_error"), ("create_stream", 4): (9, "client_error"), ("create_stream", 12): (10, "ok"),
                     ("create_stream", 10): (12, "ok")}
    assert next(row[4] for row in rows("iggy-answers-captured-first")) == "login_user iggy ← ok user #1"
