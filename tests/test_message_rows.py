"""The line of a packet that carries part of a message: of a datagram from fragments, of a message that is cut off, of the rest behind a gap."""
from __future__ import annotations

from pathlib import Path

from packet_bytes import ACK, MORE, SYN, A, B, between, ethernet, ip4, tcp, write
from zookeeper_wire import STAT, blob, connect_request, connect_response, i32, reply, request, text

from captures.capture import Capture
from captures.messages.follow import Follow
from captures.stream.places import Stream
from protocols.zookeeper import tables as t

SET = request(1, t.SET_DATA, text("/big") + blob(b"x" * 3000) + i32(-1))
OPENING = [
    between(0, 6, tcp(40000, 2181, 99, flags=SYN)),
    between(1, 6, tcp(2181, 40000, 499, 100, SYN | ACK)),
    between(0, 6, tcp(40000, 2181, 100, 500, data=connect_request())),
    between(1, 6, tcp(2181, 40000, 500, 100 + len(connect_request()), data=connect_response())),
]
SEQ, ANSWERED = 100 + len(connect_request()), 500 + len(connect_response())


def opened(path: Path, packets: list[bytes]) -> Capture:
    capture = Capture(write(path, [*OPENING, *packets]))
    capture.read_index()
    return capture


def client(data: bytes, offset: int = 0) -> bytes:
    return tcp(40000, 2181, SEQ + offset, ANSWERED, data=data)


def follow(capture: Capture) -> Follow:
    return capture.follow(Stream("tcp", 0))


def test_a_message_in_ip_fragments_is_named_where_the_last_fragment_is(tmp_path: Path) -> None:
    segment = client(SET)
    parts = [segment[:1600], segment[1600:]]
    pieces = [ethernet(ip4(A, B, 6, part, 7, MORE if not n else 200)) for n, part in enumerate(parts)]
    capture = opened(tmp_path, [*pieces, between(1, 6, tcp(2181, 40000, ANSWERED, SEQ + len(SET), data=reply(1, STAT)))])
    assert [capture.row(i).protocol for i in (4, 5, 6)] == ["IPv4", "ZooKeeper", "ZooKeeper"]
    assert capture.row(5).info.startswith("setData /big 3000 bytes")
    assert (capture.row(5).mark, capture.row(6).mark) == ("┬", "┴")


def test_a_message_that_is_cut_off_is_not_called_complete(tmp_path: Path) -> None:
    capture = opened(tmp_path, [between(0, 6, client(SET[at:at + 500], at)) for at in (0, 500, 1000)])
    assert [capture.row(i).info.rpartition(" [")[2] for i in (4, 5)] == ["part of a ZooKeeper message, cut off in packet 7]"] * 2
    assert "cut off" in capture.row(6).info


def test_what_lies_behind_a_gap_in_a_message_is_a_hole_and_stays_to_be_seen(tmp_path: Path) -> None:
    capture = opened(tmp_path, [between(0, 6, client(SET[:1000])), between(0, 6, client(SET[2000:], 2000)),
                                between(0, 6, client(request(-2, t.PING), len(SET)))])
    rest = capture.packet(5).layers[-1]
    assert (rest.spec.name, rest.length) == ("data", len(SET) - 2000)
    assert "part of" not in capture.row(5).info
    assert capture.row(6).info.startswith("ping")
    turns = [(turn.kind, turn.length) for turn in follow(capture).turns if turn.from_client]
    assert turns == [("message", len(connect_request())), ("message", 1000), ("gap", 1000), ("hole", len(SET) - 2000), ("message", 12)]
