"""Who gets a connection, and who is its client."""
from __future__ import annotations

from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st
from stand_in import ACK, SYN, Segment, StandIn, Toy

from captures.messages.recognition import OPENING, gather, ranking, recognise
from captures.stream.pair import tcp_pair
from protocols.decoder import Decoder, Match, Opening


class Sure(Decoder):
    """Claims everything with a given score."""

    def __init__(self, score: int, ports: frozenset[int] = frozenset(), client: int = 0) -> None:
        self.score = score
        self.port_numbers = ports
        self.client = client

    name: ClassVar[str] = "sure"

    @property
    def ports(self) -> frozenset[int]:  # type: ignore[override]
        return self.port_numbers

    def recognise(self, opening: Opening) -> Match | None:
        return Match(self.score, "sure", self.client)


class Failing(Decoder):
    def recognise(self, opening: Opening) -> Match | None:
        raise ValueError


def opening(a: bytes = b"x", b: bytes = b"", ports: tuple[int, int] = (50000, 80)) -> Opening:
    return Opening((a, b), ports, (True, True), (True, True))


def opening_of(segments: list[Segment], ports: tuple[int, int] = (50000, 80)) -> Opening:
    index = StandIn(segments, ports)
    return gather(tcp_pair(index, 0))  # type: ignore[arg-type]


def test_the_highest_score_has_the_connection() -> None:
    low, high = Sure(60), Sure(70)
    for decoders in ([low, high], [high, low]):
        found = recognise(opening(), decoders)
        assert found is not None
        assert found[0] is high


def test_a_port_breaks_ties_and_claims_nothing() -> None:
    plain, ours = Sure(60), Sure(60, frozenset({80}))
    for decoders in ([plain, ours], [ours, plain]):
        found = recognise(opening(), decoders)
        assert found is not None
        assert found[0] is ours
    assert recognise(opening(), [Sure(49, frozenset({80}))]) is None
    surer = Sure(71)
    found = recognise(opening(), [ours, surer])
    assert found is not None
    assert found[0] is surer
    assert [score for _, _, score in ranking(opening(), [plain, ours, surer])] == [71, 70, 60]


def test_a_decoder_that_fails_claims_nothing() -> None:
    assert recognise(opening(), [Failing()]) is None
    assert recognise(opening(), [Failing()], Failing()) is not None


def test_the_decoder_named_by_the_user_wins() -> None:
    named = Sure(1, client=1)
    found = recognise(opening(), [Sure(100)], named)
    assert found is not None
    assert found[0] is named
    assert found[1].client == 1


def test_a_connection_without_data_is_nobodys() -> None:
    assert recognise(opening(b"", b""), [Sure(100)]) is None
    assert recognise(opening(b"", b""), [], Sure(100)) is None


def test_the_ports_tell_the_client_of_a_named_decoder_that_does_not_know_the_bytes() -> None:
    for ports, client in (((50000, 7777), 0), ((7777, 50000), 1), ((7777, 7777), 0), ((1, 2), 0)):
        found = recognise(opening(b"?", ports=ports), [], Toy())
        assert found is not None
        assert found[1].client == client


def test_the_side_that_sent_the_syn_comes_first() -> None:
    syn, answer = Segment(1, 9, flags=SYN), Segment(0, 99, flags=SYN | ACK, ack=10)
    data = [Segment(0, 100, b"server"), Segment(1, 10, b"client")]
    for segments in ([syn, answer, *data], [syn, *data], [answer, *data]):
        index = StandIn(segments, (80, 50000))
        assert tcp_pair(index, 0).first == 1  # type: ignore[arg-type]
        found = opening_of(segments, (80, 50000))
        assert found.data == (b"client", b"server")
        assert found.ports == (50000, 80)
    assert opening_of(data, (80, 50000)).data == (b"server", b"client")
    assert opening_of(data, (80, 50000)).ports == (80, 50000)


def test_an_opening_ends_at_a_gap_and_says_whether_it_is_all() -> None:
    start = [Segment(0, 9, flags=SYN), Segment(1, 99, flags=SYN | ACK)]
    found = opening_of([*start, Segment(0, 10, b"abc"), Segment(0, 15, b"xyz"), Segment(1, 100, b"def")])
    assert found.data == (b"abc", b"def")
    assert found.whole == (False, True)
    assert found.from_start == (True, True)
    found = opening_of([*start, Segment(0, 15, b"xyz"), Segment(1, 100, b"defg", captured=2)])
    assert found.data == (b"xyz", b"de")
    assert found.from_start == (False, True)
    assert found.whole == (False, False)
    found = opening_of([*start, Segment(0, 10, bytes(OPENING)), Segment(1, 100, bytes(OPENING + 1))])
    assert [len(data) for data in found.data] == [OPENING, OPENING]
    assert found.whole == (True, False)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_any_opening_is_answered(a: bytes, b: bytes) -> None:
    found = recognise(opening(a, b), [Toy()])
    assert found is None or found[1].client in (0, 1)
