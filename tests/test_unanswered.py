"""A request without a response: when it is known that none came, and when the capture only does not have it."""
from __future__ import annotations

from pathlib import Path

import pytest
from capture_bytes import Sent
from packet_bytes import between, udp, write
from stand_in import ACK, FIN, RST, SYN, Segment, StandIn, Toy, toy

from captures.file.opening import open_source
from captures.index.index import Index
from captures.messages.conversation import Conversation
from captures.stream.pair import tcp_pair, udp_pair
from protocols.decoder import Kind, Status
from protocols.dns.decoder import DNS
from protocols.registry import Registry

ASKED = toy(1, 5)
CASES = Path(__file__).parent / "data" / "cases"
OPENED = [Segment(0, 1000, flags=SYN), Segment(1, 5000, flags=SYN | ACK, ack=1001)]
END = 1001 + len(ASKED)


def status(*segments: Segment) -> Status | None:
    """The status of the last request of a stream."""
    one = Conversation(tcp_pair(StandIn([*OPENED, *segments]), 0), [Toy()])  # type: ignore[arg-type]
    return [one.summary(pdu).status for pdu in one.messages if pdu.kind is Kind.REQUEST][-1]


def asked(ack: int = 5001) -> Segment:
    return Segment(0, 1001, ASKED, ack=ack)


@pytest.mark.parametrize("close", [Segment(1, 5001, flags=FIN | ACK, ack=END), Segment(1, 5001, flags=RST | ACK, ack=END),
                                   Segment(0, END, flags=FIN | ACK, ack=5001)])
def test_none_came_where_the_connection_was_closed_and_nothing_is_missing(close: Segment) -> None:
    assert status(asked(), Segment(1, 5001, ack=END), close) is Status.NO_RESPONSE


def test_a_capture_that_ends_while_the_connection_is_open_does_not_tell() -> None:
    assert status(asked()) is Status.NOT_CAPTURED
    assert status(asked(), Segment(1, 5001, ack=END)) is Status.NOT_CAPTURED


def test_bytes_that_are_missing_behind_the_request_may_be_its_answer() -> None:
    lost = len(toy(2, 5))
    closed = Segment(1, 5001 + lost, flags=FIN | ACK, ack=END)
    assert status(asked(), Segment(1, 5001, ack=END), closed) is Status.NOT_CAPTURED
    # what was missing before was heard by the client before it asked
    assert status(asked(ack=5001 + lost), Segment(1, 5001 + lost, ack=END), closed) is Status.NO_RESPONSE


def test_one_direction_alone_does_not_tell() -> None:
    alone = [Segment(0, 1000, flags=SYN), asked(), Segment(0, END, flags=FIN | ACK, ack=5001)]
    one = Conversation(tcp_pair(StandIn(alone), 0), [Toy()])  # type: ignore[arg-type]
    assert [one.summary(pdu).status for pdu in one.messages] == [Status.NOT_CAPTURED]
    assert [one.severity(pdu) for pdu in one.messages] == ["note"]


def test_the_case_of_one_direction() -> None:
    """Only the client's packets were captured; the server acknowledged every request."""
    index = Index(open_source(CASES / "one-direction.pcap"))
    index.run()
    one = Conversation(tcp_pair(index, 0), Registry(installed=False).decoders())
    assert [one.summary(pdu).op for pdu in one.messages] == ["connect", "exists", "ping", "exists", "ping", "exists", "ping"]
    assert {one.summary(pdu).status for pdu in one.messages} == {Status.NOT_CAPTURED}


QUERY = b"\x12\x34\1\0\0\1\0\0\0\0\0\0\1a\7example\0\0\1\0\1"


def lookups(tmp_path: Path, server_heard: bool, longer: int) -> Status | None:
    """The status of a query on a stream of its own, without an answer."""
    def packet(source: int, destination: int, data: bytes, side: int) -> bytes:
        return between(side, 17, udp(source, destination, data))
    packets = [packet(40000, 53, QUERY, 0)]
    if server_heard:
        packets += [packet(40001, 53, QUERY, 0), packet(53, 40001, QUERY, 1)]
    sent = [Sent(0, one) for one in packets] + [Sent(longer * 1_000_000, packet(50000, 50001, b"later", 0))]
    index = Index(open_source(write(tmp_path, sent)))
    index.run()
    one = Conversation(udp_pair(index, 0), [DNS()])
    return one.summary(one.messages[0]).status


@pytest.mark.parametrize(("server_heard", "longer", "wanted"), [
    (True, 6, Status.NO_RESPONSE), (True, 2, Status.NOT_CAPTURED), (False, 6, Status.NOT_CAPTURED),
])
def test_of_datagrams_tell_the_time_that_passed_and_whether_answers_were_captured(tmp_path: Path, server_heard: bool, longer: int, wanted: Status) -> None:
    assert lookups(tmp_path, server_heard, longer) is wanted
