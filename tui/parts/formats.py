"""How numbers, times and places are written on the screen; pure functions of their arguments."""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from protocols.engine.fields import seconds

SECOND = 1_000_000_000


def fit(text: str, width: int) -> str:
    """`text` in exactly `width` cells; what is too long ends in an ellipsis."""
    if width <= 0:
        return ""
    if text.isascii():
        return text.ljust(width) if len(text) <= width else text[:width - 1] + "…"
    return set_cell_size(text, width) if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"


def fit_middle(text: str, width: int) -> str:
    """`text` in exactly `width` cells; what is too long loses its middle, so that both ends of an address stay."""
    if cell_len(text) <= width:
        return fit(text, width)
    if width < 3:
        return fit(text, width)
    tail = (width - 1) * 3 // 5
    return fit(text[:width - 1 - tail] + "…" + text[len(text) - tail:], width)


def duration(nanoseconds: int) -> str:
    """At most seven characters: `812ns`, `4.3µs`, `812µs`, `4.3ms`, `304.1ms`, `12.3s`, `4m05s`."""
    sign, n = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if n < 1_000:
        return f"{sign}{n}ns"
    if n < 999_500:
        return f"{sign}{n / 1e3:.0f}µs" if n >= 99_950 else f"{sign}{n / 1e3:.1f}µs"
    if n < 999_950_000:
        return f"{sign}{n / 1e6:.1f}ms"
    if n < 100 * SECOND:
        return f"{sign}{n / 1e9:.1f}s"
    minutes, rest = divmod(round(n / 1e9), 60)
    return f"{sign}{minutes}m{rest:02d}s" if minutes < 60 else f"{sign}{minutes // 60}h{minutes % 60:02d}m"


def size(count: int) -> str:
    """Bytes in powers of 1,000: `812 B`, `28.0 MB`."""
    value, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while value >= 999.95 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{count} B" if units[0] == "B" else f"{value:.1f} {units[0]}"


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """A way to write a packet's time. `show(time, origin, previous)`: nanoseconds since 1970 of the packet, of the reference and of
    the packet before (None for the first). `head` names it above the column; `least` is the width that it takes at least."""

    name: str
    head: str
    least: int
    show: Callable[[int, int, int | None], str]


def _clock(nanoseconds: int, convert: Callable[[float], time.struct_time], pattern: str) -> str:
    """Date and time, whole: what is copied from the list into a filter finds the packet again."""
    try:
        return time.strftime(pattern, convert(nanoseconds // SECOND)) + seconds(nanoseconds % SECOND, 9 if nanoseconds % 1000 else 6).removeprefix("0")
    except (OverflowError, OSError, ValueError):
        return seconds(nanoseconds, 6)


def _local(now: int, _origin: int, _before: int | None) -> str:
    return _clock(now, time.localtime, "%Y-%m-%d %H:%M:%S")


def _utc(now: int, _origin: int, _before: int | None) -> str:
    return _clock(now, time.gmtime, "%Y-%m-%d %H:%M:%S")


def _delta(now: int, _origin: int, before: int | None) -> str:
    return seconds(now - (now if before is None else before), 6)


DELTA = TimeFormat("delta", "Δ captured", 10, _delta)
DELTA_SHOWN = TimeFormat("delta to the packet shown before", "Δ shown", 9, _delta)
TIME_FORMATS = (
    TimeFormat("relative", "Time", 9, lambda now, origin, _before: seconds(now - origin, 6)),
    DELTA,
    TimeFormat("local " + time.strftime("%Z"), "Time " + time.strftime("%Z"), 26, _local),
    TimeFormat("UTC", "Time UTC", 26, _utc),
    TimeFormat("epoch", "Epoch", 17, lambda now, _origin, _before: seconds(now, 6)),
    DELTA_SHOWN,
)
