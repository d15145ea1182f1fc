"""Times without a zone are local time: in filters, in `-T fields`, in the list; as in tshark, whatever TZ says."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from captures.capture import Capture
from captures.filter import FilterError, FilterRun, Names, compile_filter
from protocols.engine.fields import calendar_time
from tui.parts.formats import TIME_FORMATS

CASE = Path(__file__).parent / "data" / "cases" / "filter-local-time.pcap"
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC")


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def shown(text: str) -> list[int]:
    capture = Capture(CASE)
    capture.read_index()
    return [int(i) + 1 for batch in FilterRun(capture, compile_filter(text, Names(capture.registry))) for i in batch]


def printed(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}).stdout


FILTERS = (
    'frame.time >= "2023-11-14 23:13:20.003"', 'frame.time >= "2023-11-14 17:13:20.003"', 'frame.time < "Nov 15, 2023 03:43:20.0035"',
    'frame.time >= "2023-11-14T22:13:20.003Z"', 'frame.time >= "2023-11-14 23:13:20.003+01:00"', "frame.time >= 2023-11-15", 'frame.time == "2023-11-14"',
    'frame.time in {"2023-11-14 23:13:20.003" .. "2023-11-14 23:13:20.005"}', 'frame.time >= "2023-07-14 23:13:20.003"',
)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("text", FILTERS)
def test_a_time_without_zone_is_local_as_in_tshark(zone: str, text: str) -> None:
    theirs = printed("tshark", "-r", str(CASE), "-Y", text, "-T", "fields", "-e", "frame.number")
    assert shown(text) == [int(word) for word in theirs.split()]


def test_in_berlin_the_case_shows_packets_3_to_9(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as there:
        there.setenv("TZ", "Europe/Berlin")
        time.tzset()
        assert shown('frame.time >= "2023-11-14 23:13:20.003"') == [3, 4, 5, 6, 7, 8, 9]
    time.tzset()


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_fields_are_printed_in_local_time_as_in_tshark(zone: str) -> None:
    arguments = ["-r", str(CASE), "-T", "fields", "-e", "frame.time"]
    assert printed(sys.executable, "-m", "protoview", *arguments) == printed("tshark", *arguments)


@pytest.mark.parametrize("which", ["local", "UTC"])
def test_what_is_copied_from_the_list_finds_its_packet(zone: str, which: str) -> None:
    show = next(one.show for one in TIME_FORMATS if one.name.startswith(which))
    capture = Capture(CASE)
    capture.read_index()
    for i in (0, 2, 8):
        text = show(capture.row(i).time, 0, None) + ("Z" if which == "UTC" else "")
        assert shown(f'frame.time == "{text}"') == [i + 1]


def test_the_list_writes_nanoseconds_where_there_are_some(zone: str) -> None:
    assert TIME_FORMATS[3].show(1_700_000_000_000_000_001, 0, None) == "2023-11-14 22:13:20.000000001"
    assert TIME_FORMATS[3].show(1_700_000_000_000_001_000, 0, None) == "2023-11-14 22:13:20.000001"


def test_what_is_copied_from_fields_finds_its_packet(zone: str) -> None:
    capture = Capture(CASE)
    capture.read_index()
    for i in (0, 2, 8):
        assert shown(f'frame.time == "{calendar_time(capture.row(i).time)}"') == [i + 1]


def test_the_hour_that_comes_twice_is_told_apart_by_its_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(Capture(CASE).registry)
    with monkeypatch.context() as there:
        there.setenv("TZ", "Europe/Berlin")
        time.tzset()
        for first, second in ((1_698_539_400, "Oct 29, 2023 02:30:00.000000000 CEST"), (1_698_543_000, "Oct 29, 2023 02:30:00.000000000 CET")):
            assert calendar_time(first * 10**9) == second
            compile_filter(f'frame.time == "{second}"', names)
        with pytest.raises(FilterError, match="not a valid absolute time"):
            compile_filter('frame.time == "Oct 29, 2023 02:30:00 EST"', names)
    time.tzset()
