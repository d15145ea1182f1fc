"""Two sides of a connection that we wrote: messages, pairs, times and words must come out as they went in."""
from __future__ import annotations

import random
import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stand_in import ACK, FIN, FRAME_HEAD, SYN, Lines, Ordered, Segment, StandIn, Toy, line, toy

from captures.messages.conversation import Conversation, MessageRow
from captures.stream.pair import tcp_pair
from protocols.decoder import Decoder, Header, Kind, MessageBytes, Side, Status, Summary
from protocols.lower.facts import Datagram

Q, A, ONEWAY, EVENT = 1, 2, 3, 4


class Talk:
    """Writes a connection segment by segment, with right sequence and acknowledgement numbers."""

    def __init__(self, handshake: bool = True, start: tuple[int, int] = (1000, 0xFFFFFFF0)) -> None:
        self.next = [start[0] + 1, start[1] + 1]
        self.segments: list[Segment] = []
        if handshake:
            self.segments += [Segment(0, start[0], flags=SYN), Segment(1, start[1], flags=SYN | ACK, ack=start[0] + 1)]

    def say(self, side: int, data: bytes, lost: bool = False) -> int:
        """One segment; its packet's index. A lost one was sent but not captured."""
        if not lost:
            self.segments.append(Segment(side, self.next[side], data, ack=self.next[1 - side]))
        self.next[side] += len(data)
        return len(self.segments) - 1

    def read(self, decoder: Decoder | None = None, forced: Decoder | None = None, ports: tuple[int, int] = (50000, 7777)) -> Conversation:
        return Conversation(tcp_pair(StandIn(self.segments, ports), 0), [decoder or Toy()], {"tcp": forced} if forced else None)  # type: ignore[arg-type]


def peers(conversation: Conversation) -> list[int | None]:
    return [pdu.peer.row if pdu.peer is not None else None for pdu in conversation.messages]


def test_responses_pair_with_requests_by_key() -> None:
    talk = Talk()
    talk.say(0, toy(Q, 1) + toy(Q, 2))
    talk.say(1, toy(A, 2))
    talk.say(0, toy(Q, 3))
    talk.say(1, toy(A, 3) + toy(A, 1))
    conversation = talk.read()
    assert [pdu.header.key for pdu in conversation.messages] == [1, 2, 2, 3, 3, 1]
    assert peers(conversation) == [5, 2, 1, 4, 3, 0]
    assert [pdu.packet for pdu in conversation.messages] == [2, 2, 3, 4, 5, 5]
    assert [pdu.from_client for pdu in conversation.messages] == [True, True, False, True, False, False]
    assert [pdu.row for pdu in conversation.messages] == list(range(6))
    assert conversation.client_side == 0
    assert conversation.holes == []


def test_equal_keys_pair_oldest_first_and_both_sides_may_ask() -> None:
    talk = Talk()
    talk.say(0, toy(Q, 9))
    talk.say(0, toy(Q, 9))
    talk.say(1, toy(Q, 9))
    talk.say(1, toy(A, 9))
    talk.say(1, toy(A, 9))
    talk.say(0, toy(A, 9))
    assert peers(talk.read()) == [3, 4, 5, 0, 1, 2]


def test_ordered_protocols_pair_in_order_whatever_the_key() -> None:
    talk = Talk()
    talk.say(0, toy(Q, 1) + toy(Q, 2) + toy(Q, 3))
    talk.say(1, toy(A, 7) + toy(A, 8))
    assert peers(talk.read(Ordered())) == [3, 4, None, 0, 1]
    talk = Talk()
    talk.say(0, line("Q", b"one") + line("Q", b""))
    talk.say(1, line("A", b"") + line("A", b"two"))
    assert peers(talk.read(Lines())) == [2, 3, 0, 1]


def test_several_responses_to_one_request_all_have_it_as_their_peer() -> None:
    class Streaming(Toy):
        def header(self, data: bytes, start: int, end: int, side: Side, session: Any) -> Header:
            header = super().header(data, start, end, side, session)
            header.more = data[start + 8] == 9
            return header

    class OrderedStreaming(Streaming, Ordered):
        pass
    for decoder in (Streaming(), OrderedStreaming()):
        talk = Talk()
        talk.say(0, toy(Q, 1) + toy(Q, 1))
        for code in (9, 9, 0, 9, 0, 0):
            talk.say(1, toy(A, 1, code=code))
        assert peers(talk.read(decoder)) == [2, 5, 0, 0, 0, 1, 1, None]


def test_events_pair_with_nothing_and_a_one_way_request_expects_nothing() -> None:
    talk = Talk()
    talk.say(0, toy(ONEWAY, 1) + toy(ONEWAY, 2))
    talk.say(1, toy(EVENT, 1) + toy(A, 2))
    conversation = talk.read()
    assert peers(conversation) == [None, 3, None, 1]
    assert [conversation.summary(pdu).status for pdu in conversation.messages] == [None, Status.OK, None, Status.OK]


def test_times_are_from_the_last_byte_of_the_request_to_the_first_of_the_response() -> None:
    talk = Talk()
    request, response = toy(Q, 1, bytes(50)), toy(A, 1, bytes(50))
    for side, data in ((0, request[:20]), (0, request[20:]), (1, response[:9]), (1, response[9:])):
        talk.say(side, data)
    for segment, when in zip(talk.segments, (0, 0, 5, 1_000, 3_500, 9_000), strict=True):
        segment.time = when
    conversation = talk.read()
    assert [(pdu.first_packet, pdu.packet) for pdu in conversation.messages] == [(2, 3), (4, 5)]
    assert [conversation.rrt(pdu) for pdu in conversation.messages] == [2_500, 2_500]
    talk = Talk()
    talk.say(0, toy(Q, 1))
    alone = talk.read()
    assert alone.rrt(alone.messages[0]) is None


def test_a_response_captured_before_its_request_is_paired_when_it_acknowledges_it() -> None:
    talk = Talk()
    talk.say(0, toy(Q, 1))
    talk.say(1, toy(A, 1))
    talk.segments[2], talk.segments[3] = talk.segments[3], talk.segments[2]
    conversation = talk.read()
    assert [pdu.header.kind for pdu in conversation.messages] == [Kind.RESPONSE, Kind.REQUEST]
    assert peers(conversation) == [1, 0]


@pytest.mark.parametrize("decoder", [Toy, Ordered])
@pytest.mark.parametrize("order", ["answers first", "requests first", "answers early"])
def test_the_order_in_the_file_of_the_two_directions_changes_no_pair(decoder: type[Decoder], order: str) -> None:
    """Requests singly and in pairs, under one key; the file has the directions behind each other, or the answers some packets too early."""
    talk, wanted = Talk(), []
    for count in (1, 2, 1, 3, 1, 1, 2):
        for _ in range(count):
            talk.say(0, toy(Q, 5))
        talk.say(1, b"".join(toy(A, 5) for _ in range(count)))
    opened, rest = talk.segments[:2], talk.segments[2:]
    rank = {"answers first": lambda at, side: (1 - side, at), "requests first": lambda at, side: (side, at),
            "answers early": lambda at, side: (at - 5 * side, at)}
    talk.segments = opened + [one for _, one in sorted(enumerate(rest), key=lambda each: rank[order](each[0], each[1].side))]
    conversation = talk.read(decoder())
    wanted = [[pdu for pdu in conversation.messages if pdu.side == side] for side in (0, 1)]
    assert len(wanted[0]) == len(wanted[1]) == 11
    assert [pdu.peer for pdu in wanted[0]] == wanted[1]
    assert [pdu.peer for pdu in wanted[1]] == wanted[0]


def test_a_response_that_came_before_a_request_of_its_key_is_not_its_answer() -> None:
    talk = Talk(handshake=False)
    talk.say(1, toy(A, 1))
    talk.say(0, toy(Q, 1))
    conversation = talk.read()
    assert peers(conversation) == [None, None]
    assert [conversation.summary(pdu).status for pdu in conversation.messages] == [Status.ORPHAN, Status.NOT_CAPTURED]


def test_a_lost_answer_does_not_shift_the_pairs_behind_it() -> None:
    """Pings share a key: after a gap the newest request has the next answer."""
    for decoder, kinds in ((Toy(), (Q, A)), (Ordered(), (Q, A))):
        talk = Talk()
        for i in range(6):
            talk.say(0, toy(kinds[0], 5))
            talk.say(1, toy(kinds[1], 5), lost=i == 2)
        conversation = talk.read(decoder)
        requests = [pdu for pdu in conversation.messages if pdu.from_client]
        assert [pdu.peer is not None for pdu in requests] == [True, True, False, True, True, True]
        assert all(pdu.peer is None or pdu.peer.row == pdu.row + 1 for pdu in requests)


def test_words_are_shared_by_a_pair() -> None:
    talk = Talk()
    talk.say(0, toy(Q, 1) + toy(Q, 2) + toy(Q, 3))
    talk.say(1, toy(A, 1) + toy(A, 2, code=7) + toy(A, 9))
    talk.segments.append(Segment(1, talk.next[1], flags=FIN | ACK, ack=talk.next[0]))
    conversation = talk.read()
    words = [conversation.summary(pdu) for pdu in conversation.messages]
    assert [one.op for one in words] == ["op1", "op2", "op3", "op1", "op2", ""]
    assert [one.target for one in words] == ["/t", "/t", "/t", "/t", "/t", ""]
    assert [one.status for one in words] == [Status.OK, Status.SERVER_ERROR, Status.NO_RESPONSE, Status.OK, Status.SERVER_ERROR, Status.ORPHAN]
    assert [one.code for one in words] == [0, 7, None, 0, 7, 0]
    assert [one.error for one in words] == ["", "Bad", "", "", "Bad", ""]
    assert [one.info for one in words] == ["request"] * 3 + ["response"] * 3
    assert [conversation.severity(pdu) for pdu in conversation.messages] == ["", "", "warning", "", "error", "note"]


def test_a_message_that_is_cut_off_is_truncated() -> None:
    talk = Talk()
    talk.say(0, toy(Q, 1))
    talk.say(1, toy(A, 1, bytes(100))[:60])
    conversation = talk.read()
    response = conversation.messages[1]
    assert (response.have, response.length, response.complete, response.packet) == (60, 109, False, 3)
    assert [conversation.summary(pdu).status for pdu in conversation.messages] == [Status.TRUNCATED, Status.TRUNCATED]
    assert not conversation.message(response).complete
    assert conversation.data(response) == toy(A, 1, bytes(100))[:60]


def test_messages_are_found_by_packet() -> None:
    talk = Talk()
    big = toy(Q, 1, bytes(range(100)))
    first = talk.say(0, toy(Q, 0) + big[:50])
    middle = talk.say(0, big[50:90])
    last = talk.say(0, big[90:] + toy(Q, 2))
    conversation = talk.read()
    assert [pdu.header.key for pdu in conversation.of_packet(first)] == [0]
    assert conversation.of_packet(middle) == []
    assert [pdu.header.key for pdu in conversation.of_packet(last)] == [1, 2]
    reassembled = conversation.of_packet(last)[0]
    assert conversation.covering(first) == reassembled
    assert conversation.covering(middle) == reassembled
    assert conversation.covering(last) is None
    assert conversation.data(reassembled) == big
    assert conversation.origins(reassembled) == [(0, 50, first, FRAME_HEAD + 9), (50, 40, middle, FRAME_HEAD), (90, 19, last, FRAME_HEAD)]


def test_pieces_of_a_fragmented_datagram_lie_in_its_fragments() -> None:
    message = toy(Q, 1, bytes(range(30)))
    talk = Talk()
    at = talk.say(0, message)
    talk.segments[at].datagram = Datagram(bytes(20) + message, ((8, 34, 32, 0), (9, 38, 27, 32)))
    conversation = talk.read()
    pdu = conversation.messages[0]
    assert conversation.data(pdu) == message
    assert conversation.origins(pdu) == [(0, 12, 8, 54), (12, 27, 9, 38)]


def test_bytes_of_no_message_are_told_packet_by_packet() -> None:
    talk = Talk()
    first = talk.say(0, toy(Q, 0) + b"garbage ")
    second = talk.say(0, b"more garbage")
    third = talk.say(0, b"!" + toy(Q, 1) + toy(Q, 2))
    conversation = talk.read()
    assert [(hole.start, hole.end, hole.packet) for hole in conversation.holes] == [(9, 30, first)]
    assert [conversation.hole_data(hole) for packet in (first, second, third) for hole in conversation.holes_of(packet)] == [b"garbage ", b"more garbage", b"!"]
    assert [pdu.header.key for pdu in conversation.messages] == [0, 1, 2]


def test_the_peer_is_made_when_it_is_asked_for() -> None:
    talk = Talk()
    talk.say(0, toy(Q, 1, b"question"))
    talk.say(1, toy(A, 1, b"answer"))
    conversation = talk.read()
    request, response = (conversation.message(pdu) for pdu in conversation.messages)
    assert response.peer is not None
    assert response.peer.data == request.data
    assert response.peer.peer is not None
    assert response.peer.peer.data == response.data
    assert request.from_client
    assert not response.from_client


def test_a_server_that_speaks_first_is_not_taken_for_the_client() -> None:
    """The side that opened is side 0 of the opening, whoever sends first and whatever is captured first."""
    talk = Talk()
    talk.say(1, toy(Q, 1))
    talk.say(0, toy(A, 1))
    talk.segments = talk.segments[1:]  # only the SYN-ACK is left
    for segment in talk.segments:
        segment.side = 1 - segment.side
    conversation = talk.read(ports=(7777, 50000))
    assert conversation.client_side == 0  # Toy takes the asking side for the client
    assert [pdu.from_client for pdu in conversation.messages] == [True, False]


def test_nobody_claims_what_nobody_knows() -> None:
    talk = Talk()
    talk.say(0, b"something else")
    conversation = talk.read()
    assert conversation.decoder is None
    assert (list(conversation.messages), conversation.holes, conversation.of_packet(2), conversation.holes_of(2)) == ([], [], [], [])
    assert conversation.client_side == 0
    assert Talk().read().decoder is None


def test_the_user_may_name_the_decoder() -> None:
    talk = Talk()
    talk.say(0, b"?" + toy(Q, 1) + toy(Q, 2))
    talk.say(1, b"?" + toy(A, 1))
    assert talk.read().decoder is None
    for ports, client in (((50000, 7777), 0), ((7777, 50000), 1), ((50000, 50001), 0)):
        conversation = talk.read(forced=Toy(), ports=ports)
        assert isinstance(conversation.decoder, Toy)
        assert conversation.client_side == client
        assert peers(conversation) == [2, None, 0]


def test_a_decoder_that_fails_is_told_and_ends_nothing() -> None:
    class Broken(Toy):
        def header(self, data: bytes, start: int, end: int, side: Side, session: Any) -> Header:
            header = super().header(data, start, end, side, session)
            if header.key == 2:
                raise RuntimeError("two\x1b[31m")
            if header.key == 3:
                header.key = []
            return header

        def describe(self, message: MessageBytes) -> Summary:
            if message.header.key == 4:
                raise KeyError("four")
            return super().describe(message)
    talk = Talk()
    talk.say(0, b"".join(toy(Q, i) for i in range(6)))
    talk.say(1, b"".join(toy(A, i) for i in range(6)))
    conversation = talk.read(Broken())
    assert peers(conversation) == [6, 7, None, None, 10, 11, 0, 1, None, None, 4, 5]
    kinds = [pdu.header.kind for pdu in conversation.messages]
    assert [row for row, kind in enumerate(kinds) if kind is Kind.EVENT] == [2, 3, 8, 9]
    infos = [conversation.summary_text(pdu) for pdu in conversation.messages]
    assert re.fullmatch(r"9 bytes; the decoder failed: RuntimeError: two\\x1b\[31m \(test_conversation\.py:\d+\)", infos[2])
    assert re.fullmatch(r"9 bytes; the decoder failed: KeyError: 'four' \(test_conversation\.py:\d+\)", infos[4])
    assert infos[3].startswith("9 bytes; the decoder failed: TypeError: Header.key is of type list, not hashable (test_conversation.py:")
    assert conversation.severity(conversation.messages[2]) == "error"


def test_what_a_decoder_says_can_not_steer_the_terminal() -> None:
    class Rude(Toy):
        def describe(self, message: MessageBytes) -> Summary:
            return Summary("op", info="a\x1b[2J\nb é")

    talk = Talk()
    talk.say(0, toy(Q, 1))
    conversation = talk.read(Rude())
    assert conversation.summary_text(conversation.messages[0]) == "a\\x1b[2J\\nb é"


def test_headers_see_at_most_4096_bytes_and_the_first_message_is_marked() -> None:
    seen: list[tuple[int, bool]] = []

    class Nosy(Toy):
        def header(self, data: bytes, start: int, end: int, side: Side, session: Any) -> Header:
            seen.append((end - start, side.first))
            return super().header(data, start, end, side, session)
    talk = Talk()
    for message in (toy(Q, 1, bytes(10_000)), toy(Q, 2, bytes(4087)), toy(Q, 3, bytes(4088)), toy(Q, 4)):
        for at in range(0, len(message), 1400):
            talk.say(0, message[at:at + 1400])
    talk.read(Nosy())
    assert seen == [(4096, True), (4096, False), (4096, False), (9, False)]


def test_both_directions_may_start_in_the_middle() -> None:
    talk = Talk(handshake=False)
    for i in range(5):
        talk.say(0, toy(Q, i, bytes(30)))
        talk.say(1, toy(A, i, bytes(30)))
    talk.segments[0].data, talk.segments[0].seq = talk.segments[0].data[11:], talk.segments[0].seq + 11
    conversation = talk.read(forced=Toy())
    assert [pdu.header.key for pdu in conversation.messages] == [0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert peers(conversation) == [None, 2, 1, 4, 3, 6, 5, 8, 7]
    assert [(hole.start, hole.end) for hole in conversation.holes] == [(0, 28)]


def test_candidates_name_score_and_reason() -> None:
    talk = Talk()
    talk.say(0, toy(Q, 1))
    conversation = talk.read()
    toy_decoder, lines = Toy(), Lines()
    assert conversation.candidates([lines, toy_decoder]) == [(toy_decoder, 80, "magic")]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 60)), min_size=1, max_size=25), st.integers(1, 200), st.integers(0, 1 << 31),
       st.sampled_from([Toy, Ordered]))
def test_every_exchange_is_paired_however_it_was_captured(sizes: list[tuple[int, int]], size: int, seed: int, kind: type[Decoder]) -> None:
    """Segments are cut at random, sent twice, and swapped with their neighbours."""
    rng = random.Random(seed)
    talk = Talk(start=(rng.randrange(1 << 32), rng.randrange(1 << 32)))
    for key, (asked, answered) in enumerate(sizes):
        for side, message in ((0, toy(Q, key, bytes(asked))), (1, toy(A, key, bytes(answered)))):
            at = 0
            while at < len(message):
                count = rng.randint(1, size)
                talk.say(side, message[at:at + count])
                at += count
                if rng.random() < 0.2:
                    talk.segments.append(talk.segments[-1])
                if rng.random() < 0.2 and len(talk.segments) > 3:
                    talk.segments[-2:] = talk.segments[:-3:-1]
    talk.segments.append(Segment(0, talk.next[0], flags=FIN))
    conversation = talk.read(kind())
    assert conversation.holes == []
    keys = sorted((f"op{i}", side) for i in range(len(sizes)) for side in (False, True))
    assert sorted((pdu.header.op, pdu.from_client) for pdu in conversation.messages) == keys
    for pdu in conversation.messages:
        assert pdu.complete
        assert pdu.peer is not None
        assert pdu.peer.header.op == pdu.header.op
        pieces = conversation.origins(pdu)
        frames = b"".join(conversation.index.frame(piece.packet)[piece.frame_start:piece.frame_start + piece.length] for piece in pieces)
        assert frames == conversation.data(pdu)
        assert pdu in conversation.of_packet(pdu.packet)
        assert max(piece.packet for piece in pieces) <= pdu.packet


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 200), st.binary(max_size=40) | st.builds(toy, st.integers(1, 4), st.integers(0, 3))), max_size=20),
       st.booleans(), st.sampled_from([Toy, Ordered, Lines]))
def test_any_bytes_are_read_without_an_exception(parts: list[tuple[int, int, bytes]], syn: bool, kind: type[Decoder]) -> None:
    start = [Segment(0, 99, flags=SYN), Segment(1, 99, flags=SYN | ACK)] if syn else []
    segments = [*start, *(Segment(side, 100 + at, data, ack=at) for side, at, data in parts)]
    if not segments:
        return
    conversation = Conversation(tcp_pair(StandIn(segments), 0), [kind()], {"tcp": kind()})  # type: ignore[arg-type]
    for pdu in conversation.messages:
        assert isinstance(pdu, MessageRow)
        assert pdu.peer is None or pdu.peer.peer == pdu
        conversation.summary(pdu)
        conversation.severity(pdu)
        assert len(conversation.data(pdu)) == pdu.have == sum(piece.length for piece in conversation.origins(pdu))
    for packet in range(len(segments)):
        conversation.of_packet(packet)
        conversation.holes_of(packet)
        conversation.covering(packet)


def test_a_stream_of_many_small_messages_costs_microseconds_each() -> None:
    talk = Talk()
    count = 20_000
    for low in range(0, count, 50):
        talk.say(0, b"".join(toy(Q, key & 0xFFFF) for key in range(low, low + 50)))
        talk.say(1, b"".join(toy(A, key & 0xFFFF) for key in range(low, low + 50)))
    clock = time.thread_time()
    conversation = talk.read()
    spent = time.thread_time() - clock
    assert all(pdu.peer is not None for pdu in conversation.messages)
    assert len(conversation.messages) == 2 * count
    assert spent / len(conversation.messages) < 50e-6


@pytest.mark.parametrize("decoder", [Toy(), Ordered(), Lines()])
def test_byte_by_byte_segments_give_the_same_messages(decoder: Decoder) -> None:
    talk = Talk()
    for key in range(20):
        question, answer = (line("Q", bytes(key)), line("A", b"")) if isinstance(decoder, Lines) else (toy(Q, key, bytes(key)), toy(A, key))
        for side, message in ((0, question), (1, answer)):
            for i in range(len(message)):
                talk.say(side, message[i:i + 1])
    conversation = talk.read(decoder)
    assert peers(conversation) == [row ^ 1 for row in range(40)]
