"""Filters whose work several processes share: together they find what one finds, in the same order, and end together."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from terminal import ROOT
from test_filter_process import ERRORS, MIXED, RUNAWAY, found, gone, here, until

from captures.capture import Capture
from captures.file.errors import CaptureError
from captures.filter import FilterRun, Names, compile_filter
from captures.filter.parallel import child
from captures.filter.parallel import pool as parent
from captures.filter.parallel.pool import FilterPool
from captures.messages.words import WordColumns
from captures.values.reading import Reader
from captures.values.store import STORES, Store
from tui.command import headless


@pytest.fixture
def capture() -> Iterator[Capture]:
    one = Capture(MIXED)
    one.read_index()
    yield one
    one.close()


@pytest.fixture
def three(capture: Capture, monkeypatch: pytest.MonkeyPatch) -> Iterator[FilterPool]:
    """Three processes share the work."""
    monkeypatch.setattr(parent, "processes", lambda packets: 3)
    one = FilterPool(capture)
    yield one
    one.close()


@pytest.fixture(scope="module")
def names() -> Names:
    return Names(Capture(MIXED).registry)


SHARED = [
    "kafka", "!kafka", "!tcp", "udp || zookeeper", "udp.port == 53 || kafka", 'pv.op == "Produce"', 'pv.op == "Produce" && pv.rrt > 0', "!(pv.rrt > 1ms)",
    'zookeeper.path contains "/"', "tcp.payload contains 00", "!(frame contains 61)", "frame.number % 3 == 1 && (tcp.len > 0 || icmp)",
    "kafka.api_key == 3 xor zookeeper", "tcp.analysis.flags || arp", "tcp.dstport == 9092", "_ws.col.info contains \"a\""]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("text", SHARED)
def test_every_packet_is_decided_in_one_share(capture: Capture, names: Names, text: str, count: int) -> None:
    expected = here(capture, names, text)
    parts = [here(capture, names, text, share=(k, count)) for k in range(count)]
    assert expected and sorted(packet for part in parts for packet in part) == expected
    assert all(part == sorted(part) for part in parts)
    streams = [(k, stream) for k, part in enumerate(parts) for stream in (capture.columns.sd[part] >> 1).tolist()]
    assert all(stream % count == k if stream >= 0 else k == 0 for k, stream in streams)


def test_large_captures_are_shared_by_as_many_processes_as_there_are_processors_four_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    for free, expected in ((1, 1), (2, 2), (3, 3), (64, 4)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, free=free: set(range(free)), raising=False)
        assert (parent.processes(1_000_000), parent.processes(1_000)) == (expected, 1)


@pytest.mark.parametrize("text", SHARED)
def test_what_several_processes_find_comes_in_order(capture: Capture, three: FilterPool, names: Names, text: str) -> None:
    run = three.run(compile_filter(text, names), names)
    seen: list[int] = []
    before = 0
    for packets in run:
        assert run.done >= before and all(before <= packet < run.done for packet in packets.tolist())
        before = run.done
        seen += packets.tolist()
    assert seen == here(capture, names, text) and run.done == run.total


def test_several_processes_serve_many_filters_and_end_together(capture: Capture, three: FilterPool, names: Names) -> None:
    part = here(capture, names, "kafka")
    assert found(three, names, "kafka", first=part[2], last=part[-1]) == part[2:-1]
    pids = three.pids
    assert len(pids) == 3
    assert found(three, names, "zookeeper") == here(capture, names, "zookeeper") and three.pids == pids
    three.close()
    until(lambda: all(map(gone, pids)))


@pytest.mark.parametrize(("text", "name", "kind"), [
    ("pv.status != ok", "pv.status", str), ("kafka.api_key > 2", "kafka.api_key", int), ("pv.rrt > 1ms", "pv.rrt", float),
    ('zookeeper.path contains "/"', "zookeeper.path", str)])
def test_what_processes_read_is_known_here_and_never_read_again(capture: Capture, three: FilterPool, names: Names, monkeypatch: pytest.MonkeyPatch,
                                                               text: str, name: str, kind: type) -> None:
    expected, shown = here(capture, names, text), found(three, names, text)
    assert shown == expected != []
    three.close()

    def refused(*_: Any) -> None:
        raise AssertionError("read again")
    monkeypatch.setattr(Reader, "read", refused)
    monkeypatch.setattr(WordColumns, "read", refused)
    kept = Store.of(capture).column(name)
    assert {type(value) for value in kept.distinct} <= {kind, type(None)}
    if not compile_filter(text, names).logic.needs:      # bytes told of the other packets: they were not read at all
        assert found(three, names, text) == expected and not three.pids, "no process was needed"
        assert len(Store.of(capture).values([names[name]], np.array(expected))[name]) == len(expected)
    else:
        assert not len(kept.unread(np.array(expected)))


def test_what_counts_from_the_packet_shown_last_is_not_shared(capture: Capture, three: FilterPool, names: Names) -> None:
    text = "kafka && !(frame.time_delta_displayed > 0 && frame.time_delta_displayed < 0.05)"
    expected = here(capture, names, text)
    assert expected != sorted(packet for k in range(3) for packet in here(capture, names, text, share=(k, 3)))
    assert found(three, names, text) == expected


def test_a_stop_reaches_all_processes(capture: Capture, three: FilterPool, names: Names) -> None:
    run = three.run(compile_filter("tcp.payload contains 00", names), names)
    steps = iter(run)
    next(steps)
    pids = three.pids
    run.stop()
    assert list(steps) == [] and run.done < run.total
    assert found(three, names, "kafka") == here(capture, names, "kafka") and three.pids == pids


def test_what_all_found_before_the_fault_of_one_is_given(capture: Capture, three: FilterPool, names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    class Faulty(FilterRun):
        def __iter__(self) -> Iterator[Any]:
            for packets in super().__iter__():
                if self._share[0] == 1 and self.done > 200:
                    raise CaptureError("no further")
                yield packets

    text = "tcp.payload contains 00"
    expected = here(capture, names, text)
    seen: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(child, "FilterRun", Faulty)
        run = three.run(compile_filter(text, names), names)
        with pytest.raises(CaptureError, match="no further"):
            for packets in run:
                seen += packets.tolist()
    assert seen == [packet for packet in expected if packet < run.done] != expected and len(three.pids) == 3


def test_one_of_several_processes_killed_at_work_ends_the_run_and_the_next_has_others(capture: Capture, three: FilterPool, names: Names,
                                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(FilterRun):
        def __iter__(self) -> Iterator[Any]:
            while self._share[0] == 1:
                time.sleep(0.01)
            yield from super().__iter__()

    with monkeypatch.context() as patch:
        patch.setattr(child, "FilterRun", Hanging)
        run = three.run(compile_filter("kafka", names), names)
        steps = iter(run)
        assert [len(next(steps)) for _ in range(10)] == [0] * 10 and run.done == 0
        pids = three.pids
    os.kill(pids[1], signal.SIGKILL)
    with pytest.raises(CaptureError, match="the filter's process was ended by signal 9 after 0 packets"):
        list(steps)
    del steps
    assert three.pids == [] and all(map(gone, pids))
    assert found(three, names, "kafka") == here(capture, names, "kafka")


def test_one_of_several_processes_that_ended_between_two_filters_is_replaced(three: FilterPool, names: Names) -> None:
    expected = found(three, names, "kafka")
    pids = three.pids
    os.kill(pids[2], signal.SIGKILL)
    os.waitid(os.P_PID, pids[2], os.WEXITED | os.WNOWAIT)
    STORES.pop(three.capture, None)     # what they read is not known here
    assert found(three, names, "kafka") == expected
    assert all(map(gone, pids)) and len(three.pids) == 3


def test_headless_output_shares_the_work_and_leaves_no_process(capture: Capture, names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    made, expected, born = compile_filter("kafka", names), here(capture, names, "kafka"), []
    forked = parent.forked

    def noted(*all_: Any) -> Any:
        born.append(forked(*all_))
        return born[-1]

    monkeypatch.setattr(parent, "processes", lambda packets: 2)
    monkeypatch.setattr(parent, "forked", noted)
    count = expected[-1]
    assert [int(i) for step in headless.matching(capture, made, names, count) for i in step] == expected[:-1]
    left = headless.matching(capture, made, names, count)
    next(left)
    left.close()        # type: ignore[attr-defined]
    assert len(born) in (2, 4)
    until(lambda: all(gone(one[0]) for one in born))


@pytest.mark.parametrize(("text", "status", "error"), [("zookeeper", 0, ""), ("kafka", 1, ""), (RUNAWAY, 2, "takes too long on a value: given up after")])
def test_headless_output_is_the_same_with_several_processes(text: str, status: int, error: str) -> None:
    code = ("import sys, tui.command.cli; from captures.filter.parallel import pool; pool.processes = lambda _: {}; "
            "sys.exit(tui.command.cli.main())")
    one, two = (subprocess.run([sys.executable, "-c", code.format(count), str(ERRORS), "-Y", text], capture_output=True, text=True,
                               env={**os.environ, "PYTHONPATH": ROOT}) for count in (1, 2))
    assert two.returncode == one.returncode == status and two.stdout == one.stdout
    assert error in two.stderr and bool(two.stderr) == bool(error) and two.stderr.count("\n") <= 1
