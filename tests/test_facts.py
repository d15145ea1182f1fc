"""What one connection teaches about another: the same words whatever was looked at before, by however many processes, and nothing kept outside the capture."""
from __future__ import annotations

import importlib
import os
import pkgutil
import threading
from pathlib import Path
from typing import Any

import pytest

import protocols
from captures.capture import Capture
from captures.filter import FilterRun, Names, compile_filter
from captures.filter.parallel import pool
from captures.output.ndjson import ndjson
from captures.values.store import STORES
from protocols.decoder import Decoder
from protocols.registry import Registry

DATA = Path(__file__).parent / "data"
RECORDINGS = sorted(DATA.glob("*/*.pcap*"))
OTHERS = sorted(Path(os.environ["PROTOVIEW_CAPTURES"]).glob("common/*.pcap*")) if "PROTOVIEW_CAPTURES" in os.environ else []
"""Protocols that carry others, and those of other programs."""
TAUGHT = DATA / "kafka" / "kafka-confluent-4.1-produce.pcap.gz"
PURE = {"protocols.mongodb.document.KNOWN"}
"""Caches of values that follow from their keys alone: whether one is there changes no answer. This one keeps the specs of paths in documents."""
MOST = 200
"""Packets of a recording whose trees are compared."""
FILTERS = ['pv.target contains "orders"', "pv.status != ok", "pv.rrt > 1ms", 'kafka.topic_name contains "o"',
           'frame contains "topic"', "kafka.partition_id == 0"]
SHARED = FILTERS[:2]
"""One on names that other streams teach, one on the words of all messages. `test_filter_shares.py` has filters of every other kind."""


REGISTRY = Registry()
NAMES = Names(REGISTRY)


def opened(path: Path) -> Capture:
    capture = Capture(path, REGISTRY)
    capture.read_index()
    return capture


def test_a_filter_on_a_name_finds_the_packets_of_messages_that_name_it_by_id() -> None:
    # 170 packets carry messages about the topic "orders", 54 of them fetches that also ask for others; it stands in most of them as an id that a Metadata
    # answer on another connection names
    capture = opened(TAUGHT)
    names, shared = NAMES, pool.FilterPool(capture)
    found = [packet for part in shared.run(compile_filter('pv.target contains "orders"', names), names) for packet in part.tolist()]
    shared.close()
    assert len(found) == 170


@pytest.mark.parametrize("path", [*RECORDINGS, *OTHERS], ids=lambda path: path.name)
def test_any_number_of_processes_finds_the_same_packets(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = opened(path)     # what this process makes once (readers of fields), the others need not make
    names = NAMES
    expected = [[packet for part in FilterRun(here, compile_filter(text, names)) for packet in part.tolist()] for text in SHARED]
    for count in (1, 2, 3):
        monkeypatch.setenv("PROTOVIEW_PROCESSES", str(count))
        STORES.pop(here, None)      # what was read for the processes before is forgotten
        shared = pool.FilterPool(here)
        assert pool.processes(1) == count
        assert [[packet for part in shared.run(compile_filter(text, names), names) for packet in part.tolist()] for text in SHARED] == expected
        shared.close()


@pytest.mark.parametrize("value", ["", "0", "-1", "x", "65", "\u00b2"])
def test_another_number_of_processes_counts_as_none(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROTOVIEW_PROCESSES", raising=False)
    usual = pool.processes(1)
    monkeypatch.setenv("PROTOVIEW_PROCESSES", value)
    assert pool.processes(1) == usual == 1


def words(capture: Capture, order: list[int]) -> dict[int, tuple[Any, ...]]:
    return {i: capture.row(i) for i in order}


@pytest.mark.parametrize("path", RECORDINGS[::9] + [path for path in RECORDINGS if path.parent.name == "kafka"][:5], ids=lambda path: path.name)
def test_rows_and_trees_are_the_same_whatever_was_looked_at_before(path: Path) -> None:
    first, second, filtered = opened(path), opened(path), opened(path)
    order = list(range(len(first)))[:MOST]
    for text in FILTERS:
        list(FilterRun(filtered, compile_filter(text, NAMES)))
    assert words(first, order) == words(second, order[::-1]) == words(filtered, order)
    for i in order[::-7]:
        second.packet(i)
    assert list(ndjson(second, order)) == list(ndjson(first, order)) == list(ndjson(filtered, order))


def test_captures_in_one_process_do_not_mix() -> None:
    alone = opened(TAUGHT)
    order = list(range(len(alone)))
    expected = words(alone, order)
    other = opened(DATA / "kafka" / next(path.name for path in RECORDINGS if path.parent.name == "kafka" and path != TAUGHT))
    words(other, list(range(len(other))))
    assert words(opened(TAUGHT), order) == expected


def state() -> dict[str, str]:
    """Everything that modules of the ground floor hold and that could change, as text."""
    held: dict[str, str] = {}
    for info in pkgutil.walk_packages(protocols.__path__, "protocols."):
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            if not name.startswith("__") and isinstance(value, (dict, list, set, bytearray)):
                held[f"{info.name}.{name}"] = repr(sorted(value, key=repr) if not isinstance(value, (list, bytearray)) else value)[:200_000]
    return held


def test_no_module_of_the_ground_floor_keeps_state_of_a_capture() -> None:
    opened(RECORDINGS[0]).packet(0)
    before = state()
    for path in RECORDINGS[::3]:
        capture = opened(path)
        for i in range(0, len(capture), 5):
            capture.packet(i)
        list(FilterRun(capture, compile_filter("pv.status != ok && kafka.topic_name", NAMES)))
    assert len(before) > 100
    assert {name for name, value in state().items() if before.get(name) != value} <= PURE


def test_facts_are_gathered_once_and_anew_when_streams_are_read_differently() -> None:
    capture = opened(TAUGHT)
    decoder: Decoder = capture.registry.get("kafka")
    conversation = next(one for one in (capture.conversation(n) for n in range(capture.streams("tcp"))) if one.decoder is decoder)
    facts = conversation.find_facts()
    assert conversation.find_facts() is facts and "orders" in facts.names.values()    # type: ignore[attr-defined]
    capture.decode_as("udp", 1, "dns")
    assert conversation.find_facts() is not facts


def test_a_row_that_must_not_wait_does_not_wait_for_facts_being_gathered() -> None:
    capture = opened(TAUGHT)
    row = next(i for i in range(len(capture)) if "orders" in capture.row(i).info)
    gathering, go = threading.Event(), threading.Event()

    def gather() -> None:
        with capture._facts.frozen():       # as a pass over a large capture would hold it
            gathering.set()
            go.wait(10)

    thread = threading.Thread(target=gather)
    thread.start()
    gathering.wait(10)
    capture._decodings += 1
    assert capture.row(row, ready_only=True).pending
    go.set()
    thread.join()
    assert "orders" in capture.row(row).info
