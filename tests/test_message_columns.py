"""Messages judged, read and paired by columns are those that the same decoder finds one by one."""
from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stand_in import ACK, SYN, Segment, StandIn

from captures.capture import Capture
from captures.messages import conversation as conversations
from captures.messages import framing, pairing
from captures.messages.conversation import Conversation, MessageRow
from captures.messages.pairing import Acknowledged, Keys, pair
from captures.stream.pair import tcp_pair
from protocols.decoder import Decoder
from protocols.engine.fields import walk
from protocols.kafka.decoder import Kafka
from protocols.kinds import EVENT, ONEWAY, REQUEST, RESPONSE
from protocols.mongodb.decoder import MongoDB
from protocols.zookeeper.decoder import ZooKeeper

DATA = Path(__file__).parent / "data"
DECODERS: dict[str, type[Decoder]] = {"kafka": Kafka, "zookeeper": ZooKeeper, "mongodb": MongoDB}
CAPTURES = [(name, path) for name in DECODERS for path in sorted((DATA / name).glob("*.pcap*"))]


@pytest.fixture(autouse=True)
def columns_for_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns from the first message on, not only where they are faster."""
    monkeypatch.setattr(conversations, "FEW", 1)
    monkeypatch.setattr(framing, "FIRST_BLOCK", 1)
    monkeypatch.setattr(pairing, "FEW", 1)


def one_by_one(decoder: type[Decoder]) -> Decoder:
    """The decoder without its columns."""
    return type(decoder.__name__, (decoder,), {"fast": None})()  # type: ignore[no-any-return]


def said(conversation: Conversation) -> list[Any]:
    """All that is known of the messages."""
    messages = [(pdu.side, pdu.start, pdu.length, pdu.have, pdu.packet, pdu.first_packet, pdu.kind, repr(pdu.header), pdu.peer and pdu.peer.row)
                for pdu in conversation.messages]
    return [messages, [(hole.side, hole.start, hole.end, hole.reason) for hole in conversation.holes], conversation.faults]


@pytest.mark.parametrize(("name", "path"), CAPTURES, ids=[path.name for _, path in CAPTURES])
def test_columns_find_what_is_found_one_by_one(name: str, path: Path) -> None:
    capture = Capture(path)
    capture.read_index()
    for stream in range(capture.streams("tcp")):
        by_columns = Conversation(tcp_pair(capture.index, stream), [DECODERS[name]()])
        alone = Conversation(tcp_pair(capture.index, stream), [one_by_one(DECODERS[name])])
        assert said(by_columns) == said(alone)
        for pdu in by_columns.messages:
            assert pdu.header.kind is pdu.kind


@pytest.mark.parametrize("method", ["accepted", "headers"])
def test_a_decoder_that_fails_at_columns_is_asked_one_by_one(method: str) -> None:
    def fails(self: Decoder, *_: Any) -> None:
        raise ZeroDivisionError
    capture = Capture(DATA / "kafka" / "kafka-java-4.1-produce.pcap.gz")
    capture.read_index()
    broken = type("Broken", (Kafka,), {method: fails})()
    for stream in range(capture.streams("tcp")):
        assert said(Conversation(tcp_pair(capture.index, stream), [broken])) == said(Conversation(tcp_pair(capture.index, stream), [Kafka()]))


def values(conversation: Conversation, pdu: MessageRow, field: str) -> list[Any]:
    """What a message says of a field without columns."""
    if field == "pv.op":
        return [conversation.summary(pdu).op]
    assert conversation.decoder is not None
    return [one.value for one in walk(conversation.decoder.dissect(conversation.message(pdu))) if one.name == field and not one.absent]


@pytest.mark.parametrize(("name", "path"), CAPTURES, ids=[path.name for _, path in CAPTURES])
def test_what_heads_tell_of_a_field_is_what_its_dissection_tells(name: str, path: Path) -> None:
    capture = Capture(path)
    capture.read_index()
    decoder = DECODERS[name]()
    told, rows = 0, 0
    for stream in range(capture.streams("tcp")):
        conversation = Conversation(tcp_pair(capture.index, stream), [decoder])
        messages = conversation.messages
        if messages.heads is None:
            continue
        rows += len(messages)
        for field in decoder.fast.columns:
            known = decoder.fast.column(field, messages.heads, messages.peer)
            told += int(known.sure.sum())
            for row in np.flatnonzero(known.sure).tolist():
                found = known.names[known.value[row]] if known.names else int(known.value[row])
                assert values(conversation, messages[row], field) == ([found] if known.there[row] else []), (field, row)
    assert told >= rows // 2 or rows < 100 or "legacy" in path.name


def segments(capture: Capture, rng: random.Random) -> list[Segment]:
    """A stream of a real capture, cut anew, some bytes changed and some segments lost."""
    conversation = max((capture.conversation(stream) for stream in range(capture.streams("tcp"))), key=lambda one: len(one.messages))
    found = [Segment(0, 999, flags=SYN), Segment(1, 4999, flags=SYN | ACK, ack=1000)]
    sent = [1000, 5000]
    for pdu in conversation.messages[:60]:
        data = bytearray(conversation.data(pdu))
        side = 0 if pdu.from_client else 1
        if data and rng.random() < 0.1:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        cut = rng.randrange(len(data) + 1)
        for part in (bytes(data[:cut]), bytes(data[cut:])):
            if rng.random() > 0.05:
                found.append(Segment(side, sent[side], part, ack=sent[1 - side]))
            sent[side] += len(part)
    return found


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_columns_find_the_same_in_damaged_streams(name: str, seed: int) -> None:
    rng = random.Random(seed)
    capture = Capture(rng.choice([path for one, path in CAPTURES if one == name]))
    capture.read_index()
    stand_in = StandIn(segments(capture, rng))
    forced = DECODERS[name]()
    by_columns = Conversation(tcp_pair(stand_in, 0), [forced], {"tcp": forced})  # type: ignore[arg-type]
    alone = one_by_one(DECODERS[name])
    assert said(by_columns) == said(Conversation(tcp_pair(stand_in, 0), [alone], {"tcp": alone}))  # type: ignore[arg-type]


ROW = st.tuples(st.integers(0, 1), st.sampled_from((REQUEST, REQUEST, RESPONSE, RESPONSE, ONEWAY, EVENT)), st.integers(0, 6), st.integers(0, 9))


@settings(max_examples=300, deadline=None)
@given(rows=st.lists(ROW, min_size=1, max_size=30), numbers=st.lists(st.tuples(st.integers(0, 40), st.integers(-1, 40)), min_size=30, max_size=30))
def test_keys_paired_by_columns_are_those_paired_by_queues(rows: list[tuple[int, int, int, int]], numbers: list[tuple[int, int]]) -> None:
    start, number = (np.array(column[:len(rows)]) for column in zip(*numbers, strict=True))
    acknowledged = Acknowledged(start, start + 3, number)

    def paired(few: int) -> list[int]:
        side, kind, key, luck = (np.array(column) for column in zip(*rows, strict=True))
        keys = Keys(key.astype(np.int64), luck > 0, dict.fromkeys(np.flatnonzero((luck == 0) & (key < 3)).tolist(), "other"),
                    set(np.flatnonzero((luck == 1) & (kind == RESPONSE)).tolist()))
        pairing.FEW = few  # type: ignore[misc]
        return pair(side, kind.astype(np.uint8), np.arange(len(rows)), keys, np.flatnonzero(luck == 2), acknowledged).tolist()
    assert paired(1) == paired(1000)


@pytest.mark.parametrize(("name", "path"), CAPTURES, ids=[path.name for _, path in CAPTURES])
def test_text_that_is_said_to_be_verbatim_stands_in_the_bytes_of_its_message(name: str, path: Path) -> None:
    capture = Capture(path)
    capture.read_index()
    decoder = DECODERS[name]()
    verbatim = decoder.fast.verbatim()
    for stream in range(capture.streams("tcp")):
        conversation = Conversation(tcp_pair(capture.index, stream), [decoder])
        for pdu in conversation.messages:
            data = conversation.data(pdu) + (conversation.data(pdu.peer) if pdu.peer is not None else b"")
            for one in walk(decoder.dissect(conversation.message(pdu))):
                if one.name in verbatim and one.value and "\ufffd" not in one.value:
                    assert one.value.encode() in data or any(other in data for other in conversation.not_verbatim_if()), one
