"""Counts of work in place of times: the same on every machine, however busy it is."""
from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

Result = TypeVar("Result")


def calls(work: Callable[[], Result]) -> tuple[Result, int]:
    """What `work` gives, and how many functions were called for it, those of the interpreter (`struct.unpack`, `list.append`) as well."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        return work(), count
    finally:
        sys.setprofile(before)


def memory(work: Callable[[], Result]) -> tuple[Result, int]:
    """What `work` gives, and the most bytes that it held at any moment."""
    gc.collect()
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
