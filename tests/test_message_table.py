"""The table of all messages: numbers that stay, words made once, the same in columns as one by one."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from captures.capture import Capture
from captures.messages import words as wording
from captures.messages.columns import COLUMNS, Chosen
from captures.messages.conversation import Conversation

DATA = Path(__file__).parent / "data"
CASES = [path for path in sorted(DATA.glob("[ikmrz]*/*.pcap*"))[::6] if "election" not in path.name and "quorum" not in path.name]


def capture_of(path: Path) -> Capture:
    capture = Capture(path)
    capture.read_index()
    return capture


def layers(capture: Capture) -> list[Conversation]:
    return [layer for transport in ("tcp", "udp") for number in range(capture.streams(transport))
            for layer in capture.conversation(number, transport).layers() if layer.messages]


@pytest.mark.parametrize("path", CASES, ids=[path.name for path in CASES])
def test_columns_say_of_many_messages_what_is_said_of_each(path: Path) -> None:
    capture = capture_of(path)
    count = 0
    for layer in layers(capture):
        messages = layer.messages
        rows = np.arange(len(messages))
        words = capture.messages.words(layer)
        words.read(rows)
        errors = words.errors(rows)
        together = [column.of(Chosen(layer, messages, rows), words) for column in COLUMNS]
        for row in rows.tolist():
            one = messages[row]
            alone = Chosen(layer, messages, rows[row:row + 1])
            assert errors[row] == (layer.severity(one) == "error")
            for column, known in zip(COLUMNS, together, strict=True):
                value = (known.names[int(known.value[row])] if known.names else known.value[row].item()) if known.there[row] else None
                expected = column.values(alone, layer.summary(one))
                if column.several:
                    assert (value or ()) == expected, column.name
                else:
                    assert ([] if value is None else [value]) == list(expected), column.name
            count += 1
    assert count


def test_every_message_has_a_number_of_its_own_that_finds_it(capture_files: list[Path]) -> None:
    for path in capture_files:
        first, second = capture_of(path), capture_of(path)
        places = [(layer.pair.base, layer.stream, layer.ordinal, row) for layer in layers(first) for row in range(len(layer.messages))]
        numbers = [first.messages.number(layer, row) for layer in layers(first) for row in range(len(layer.messages))]
        assert len(set(numbers)) == len(numbers) > 0
        for number, place in reversed(list(zip(numbers, places, strict=True))):     # whatever was looked at before
            layer, row = second.messages.find(number)
            assert (layer.pair.base, layer.stream, layer.ordinal, row) == place
        layer = layers(first)[0]
        with pytest.raises(LookupError):
            first.messages.find(first.messages.number(layer, len(layer.messages)))


@pytest.fixture
def capture_files() -> list[Path]:
    return [next(DATA.glob("iggy/*websocket*.pcap*")), next(DATA.glob("kafka/*sasl*.pcap*"))]


def test_words_are_made_once_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    capture = capture_of(next(DATA.glob("zookeeper/*auth*.pcap*")))
    layer = max(layers(capture), key=lambda one: len(one.messages))
    rows = np.arange(len(layer.messages))
    made: list[int] = []
    original = wording.described

    def spy(conversation: Conversation, one: wording.MessageRow, message: object) -> wording.Summary:
        made.append(one.row)
        return original(conversation, one, message)     # type: ignore[arg-type]
    monkeypatch.setattr(wording, "described", spy)
    capture.messages.words(layer).read(rows[::2])
    capture.messages.words(layer).read(rows)
    assert sorted(made) == rows.tolist()
    again = capture_of(capture.path).conversation(layer.stream)     # as after the stream was forgotten
    words = capture.messages.words(again)
    words.read(rows)
    assert sorted(made) == rows.tolist() and words.texts_of("op", rows).any()


def test_words_of_few_messages_are_those_of_all() -> None:
    path = next(DATA.glob("kafka/*sasl*.pcap*"))
    few, all_ = capture_of(path), capture_of(path)
    count = 0
    for one, other in zip(layers(few), layers(all_), strict=True):
        rows = np.arange(len(other.messages))
        together = all_.messages.words(other)
        together.read(rows)
        for row in rows[::9].tolist():
            alone, place = few.messages.words(one), np.array([row])
            alone.read(place)
            for name in ("op", "targets", "id", "status", "error", "client_id"):
                said = [words.texts.distinct[int(words.texts_of(name, place)[0])] for words in (alone, together)]
                assert said[0] == said[1], (name, row)
            count += 1
    assert count > 10
