"""Filters in processes of their own: what a run in this process finds is what it must find, whatever happens to these."""
from __future__ import annotations

import asyncio
import os
import queue
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from terminal import ROOT, Terminal
from test_tui_screens import Session

from captures import patterns
from captures.capture import Capture
from captures.file.errors import CaptureError
from captures.filter import FilterRun, Names, compile_filter
from captures.filter.parallel import child
from captures.filter.parallel.pool import FilterPool
from captures.values.store import STORES
from tui.app.app import ProtoviewApp
from tui.parts.worker import Worker

DATA = Path(__file__).parent / "data"
MIXED = DATA / "filter" / "mixed.pcap"
ERRORS = DATA / "zookeeper" / "zookeeper-java-3.9-errors.pcap.gz"
DECODING = "zookeeper"
RUNAWAY = r'tcp.payload matches "(.|..)+(?<=\x01\x02\x03)\x04"'
SERVING = """
import sys, time
from captures import filter as filters
from captures.capture import Capture
from captures.filter.parallel import child
from captures.filter.parallel.pool import FilterPool
class Endless(filters.FilterRun):
    def __iter__(self):
        yield from super().__iter__()
        while True: pass
if sys.argv[2] == "busy": child.FilterRun = Endless
capture = Capture(sys.argv[1])
capture.read_index()
names = filters.Names(capture.registry)
process = FilterPool(capture)
for packets in process.run(filters.compile_filter("zookeeper", names), names):
    if len(packets): break
print(*process.pids, flush=True)
if sys.argv[3] == "waits": time.sleep(60)
"""


@pytest.fixture
def capture() -> Iterator[Capture]:
    one = Capture(MIXED)
    one.read_index()
    yield one
    one.close()


@pytest.fixture
def process(capture: Capture) -> Iterator[FilterPool]:
    one = FilterPool(capture)
    yield one
    one.close()


@pytest.fixture(scope="module")
def names() -> Names:
    return Names(Capture(MIXED).registry)


def found(process: FilterPool, names: Names, text: str, **more: Any) -> list[int]:
    return [int(i) for step in process.run(compile_filter(text, names), names, **more) for i in step]


def here(capture: Capture, names: Names, text: str, **more: Any) -> list[int]:
    """What a run in this process finds; what it read is forgotten, so that others have to read it themselves."""
    shown = [int(i) for step in FilterRun(capture, compile_filter(text, names), **more) for i in step]
    STORES.pop(capture, None)
    return shown


def gone(pid: int) -> bool:
    """Whether there is no such process, not even one that waits to be taken note of."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def ended(pid: int) -> bool:
    """Whether a process of somebody else's, who may not have taken note of it yet, is gone."""
    try:
        return gone(pid) or ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return gone(pid)


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_fork_leaves_the_filter_of_warnings_as_it_was(process: FilterPool, names: Names) -> None:
    warnings.filterwarnings("ignore", "another thread's")
    before = list(warnings.filters)
    assert found(process, names, DECODING) and process.pids
    assert warnings.filters == before


# what is found

@pytest.mark.parametrize("text", [
    "kafka", "zookeeper || udp.port == 53", 'pv.op == "Produce"', "pv.rrt > 1ms", 'zookeeper.path contains "/"', "tcp.payload contains 00",
    "tcp.len > 0 && !kafka", 'tcp.payload matches "a.*b"', "frame.number == 7 || mongo", r'frame contains "\"" && ip.ttl in {1..128}',
    "kafka.api_key == 3 xor zookeeper"])
def test_the_process_finds_what_a_run_here_finds(capture: Capture, process: FilterPool, names: Names, text: str) -> None:
    expected = here(capture, names, text)
    assert expected
    run = process.run(compile_filter(text, names), names)
    seen: list[int] = []
    for packets in run:
        assert packets.dtype == np.int64
        seen += packets.tolist()
        assert run.found == len(seen) and run.done <= run.total
    assert seen == expected
    assert process.pids and run.done == run.total == len(capture)


def test_a_part_and_the_selected_packet_are_taken_into_account(capture: Capture, process: FilterPool, names: Names) -> None:
    whole = here(capture, names, "kafka")
    assert found(process, names, "kafka", first=whole[3]) == whole[3:]
    text, packet = "zookeeper && tcp.stream == ${tcp.stream}", here(capture, names, "zookeeper")[0]
    assert found(process, names, text, reference=packet) == here(capture, names, text, reference=packet) != []
    assert found(process, names, text) == []


def test_what_the_index_answers_starts_no_process(capture: Capture, process: FilterPool, names: Names) -> None:
    assert found(process, names, "tcp.dstport == 9092") == here(capture, names, "tcp.dstport == 9092") != []
    assert process.pids == []


def test_one_process_serves_many_filters(process: FilterPool, names: Names) -> None:
    first = found(process, names, DECODING)
    (pid,) = process.pids
    assert found(process, names, "kafka") and found(process, names, DECODING) == first
    assert process.pids == [pid]


def test_a_filter_longer_than_a_pipe_holds_is_served(capture: Capture, process: FilterPool, names: Names) -> None:
    text = f"kafka.api_key in {{{', '.join(str(number) for number in range(-2_000, 15_000))}}}"
    assert len(text) > 1 << 16
    stopped = process.run(compile_filter("tcp.payload contains 00", names), names)
    next(iter(stopped))
    stopped.stop()
    assert found(process, names, text) == here(capture, names, text) != []


def test_compressed_captures_are_read_in_the_process(names: Names) -> None:
    capture = Capture(ERRORS)
    capture.read_index()
    process = FilterPool(capture)
    assert found(process, names, "zookeeper.opcode == 1") == here(capture, names, "zookeeper.opcode == 1") != []
    process.close()
    capture.close()


def test_without_fork_filters_run_here(capture: Capture, process: FilterPool, names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    assert found(process, names, "kafka") == here(capture, names, "kafka")
    assert process.pids == []


def test_a_fork_that_fails_leaves_no_descriptor_open(capture: Capture, process: FilterPool, names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    expected = here(capture, names, "kafka")
    monkeypatch.setattr(os, "fork", fails)
    free = os.dup(0)
    os.close(free)
    assert found(process, names, "kafka") == expected
    again = os.dup(0)
    os.close(again)
    assert again == free
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


# when another process takes over

def test_decoding_as_another_protocol_replaces_the_process(capture: Capture, process: FilterPool, names: Names) -> None:
    assert found(process, names, "kafka && tcp.port == 9092")
    (pid,) = process.pids
    capture.decode_as("tcp", 9092, "zookeeper")
    assert found(process, names, "kafka && tcp.port == 9092") == []
    assert process.pids != [pid] and gone(pid)


def test_packets_indexed_later_replace_the_process(names: Names) -> None:
    capture = Capture(ERRORS)
    capture.read_index()
    index, process = capture.index, FilterPool(capture)
    everything = here(capture, names, DECODING)
    count, index.columns.count, index.complete = index.columns.count, 100, False     # as if it were no further yet
    assert found(process, names, DECODING) == [i for i in everything if i < 100] != []
    (pid,) = process.pids
    index.columns.count, index.complete = count, True
    assert found(process, names, DECODING) == everything
    assert gone(pid)
    process.close()
    capture.close()


# stopping

def test_a_stopped_run_gives_nothing_more_and_the_process_takes_the_next(capture: Capture, process: FilterPool, names: Names) -> None:
    expected = here(capture, names, "kafka")
    run = process.run(compile_filter("tcp.payload contains 00", names), names)
    steps = iter(run)
    next(steps)
    (pid,) = process.pids
    run.stop()
    assert list(steps) == [] and run.done < run.total
    assert found(process, names, "kafka") == expected
    assert process.pids == [pid]


def test_a_run_stopped_before_it_began_starts_nothing(process: FilterPool, names: Names) -> None:
    run = process.run(compile_filter(DECODING, names), names)
    run.stop()
    assert list(run) == [] and process.pids == []


def test_a_step_without_end_gives_empty_steps_and_ends_after_a_stop(capture: Capture, process: FilterPool, names: Names,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(FilterRun):
        def __iter__(self) -> Iterator[Any]:
            while True:
                pass

    monkeypatch.setattr(child, "TICK", 0.05)
    with monkeypatch.context() as patch:
        patch.setattr(child, "FilterRun", Hanging)
        run = process.run(compile_filter("kafka", names), names)
        steps = iter(run)
        assert [len(next(steps)) for _ in range(4)] == [0, 0, 0, 0] and run.done == 0
        (pid,) = process.pids
    run.stop()
    assert list(steps) == []
    until(lambda: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None)
    assert found(process, names, "kafka") == here(capture, names, "kafka")
    assert process.pids != [pid]


def test_a_pattern_without_end_ends_the_filter_and_not_the_process(capture: Capture, process: FilterPool, names: Names,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "LIMIT", 0.05)
    with pytest.raises(CaptureError, match=r'the pattern "\(\.\|\.\.\)\+.*" takes too long on a value: given up after \d+ packets'):
        found(process, names, RUNAWAY)
    (pid,) = process.pids
    assert found(process, names, "kafka") == here(capture, names, "kafka")
    assert process.pids == [pid]


# when the process ends

def test_a_process_that_is_killed_ends_the_run_with_a_reason(process: FilterPool, names: Names) -> None:
    run = process.run(compile_filter("tcp.payload contains 00", names), names)
    steps = iter(run)
    while not len(next(steps)):
        pass
    (pid,) = process.pids
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(CaptureError, match=r"the filter's process was ended by signal 9 after \d+ packets"):
        list(steps)
    del steps
    assert process.pids == [] and gone(pid)


def test_a_process_that_ended_between_two_filters_is_replaced(process: FilterPool, names: Names) -> None:
    expected = found(process, names, "kafka")
    (pid,) = process.pids
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    STORES.pop(process.capture, None)       # what it read is not known here
    assert found(process, names, "kafka") == expected
    assert gone(pid)


@pytest.mark.parametrize("work", ["idle", "busy"])
def test_the_process_ends_with_its_parent(work: str) -> None:
    parent = subprocess.Popen([sys.executable, "-c", SERVING, str(ERRORS), work, "waits"], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": ROOT})
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert not gone(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: ended(pid))


def test_the_process_is_gone_when_the_program_has_ended() -> None:
    done = subprocess.run([sys.executable, "-c", SERVING, str(ERRORS), "busy", "ends"], capture_output=True, env={**os.environ, "PYTHONPATH": ROOT}, check=True)
    assert gone(int(done.stdout)) and not done.stderr


def test_the_process_holds_none_of_the_parents_files(process: FilterPool, names: Names) -> None:
    found(process, names, DECODING)
    folder = Path(f"/proc/{process.pids[0]}/fd")
    if not folder.is_dir():
        pytest.skip("no /proc")
    held = [str(one.readlink()) for one in folder.iterdir()]
    assert sum(one.startswith("pipe:") for one in held) == 2
    assert all(one == os.devnull for one in held if not one.startswith("pipe:"))


def test_signals_of_the_parent_are_not_those_of_the_process(process: FilterPool, names: Names) -> None:
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    try:
        found(process, names, DECODING)
        (pid,) = process.pids
        os.kill(pid, signal.SIGTERM)
        assert os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT).si_status == signal.SIGTERM     # type: ignore[union-attr]
        assert not told
    finally:
        signal.signal(signal.SIGTERM, before)


# in the program

def test_leaving_the_screens_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    async def session() -> int:
        app = ProtoviewApp(Capture(ERRORS))
        async with app.run_test(size=(120, 40)) as pilot:
            s = Session(app, pilot)
            await s.until(lambda: app.capture.complete and len(app.capture) == s.list.count)
            filtering = app.main.filtering
            filtering.apply(compile_filter("zookeeper", filtering.names))
            await s.until(lambda: s.list.count == 135 and not filtering.running)
            assert filtering._process is not None
            (pid,) = filtering._process.pids
            assert not gone(pid)
        return pid
    pid = asyncio.run(session())
    until(lambda: gone(pid))


def test_steps_before_a_fault_are_handed_over() -> None:
    def steps() -> Iterator[int]:
        yield 1
        yield 2
        raise CaptureError("no further")

    told: list[Any] = []
    posted: queue.Queue[Callable[[], None]] = queue.Queue()
    worker = Worker(posted.put, "filter")
    worker.stream("filter", steps(), told.append, lambda: told.append("end"), told.append)
    posted.get(timeout=5)()
    assert told == [[1, 2], "no further"] and not worker.busy("filter")


def test_headless_output_ends_with_the_pattern_and_status_2() -> None:
    argv = [sys.executable, "-m", "protoview", str(ERRORS), "-Y", RUNAWAY]
    done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ROOT})
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith('protoview: the pattern "(.|..)+') and "takes too long on a value: given up after" in done.stderr


def children(pid: int) -> list[int]:
    return [int(one) for file in Path(f"/proc/{pid}/task").glob("*/children") for one in file.read_text().split()]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 128 + signal.SIGHUP), (signal.SIGKILL, -signal.SIGKILL)])
def test_signals_end_the_program_and_its_process(tmp_path: Path, number: int, status: int) -> None:
    with Terminal([sys.executable, "-m", "protoview", str(ERRORS)], env={"XDG_STATE_HOME": str(tmp_path)}) as terminal:
        terminal.wait_for("● indexed ")
        if not Path(f"/proc/{terminal.pid}/task/{terminal.pid}/children").exists():
            pytest.skip("no /proc")
        terminal.press(b"/zookeeper\r")
        terminal.wait_for("✓ 135 of 257")
        (child,) = children(terminal.pid)
        os.kill(terminal.pid, number)
        assert terminal.exit_status() == status
        until(lambda: ended(child))
