"""How an interface of a pcapng file counts time, and what stands where a packet has none.

Times are kept as nanoseconds since 1970 in 64 signed bits, which hold the years 1678 to 2261 whole. A time outside of these, like one that the
file does not give, is `NO_TIME`: 0 is a time (the first second of 1970) and never means "unknown".
"""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["MICROSECONDS", "NO_TIME", "nanoseconds", "scale"]

NO_TIME = -(2**63)
"""In a column of times: the packet has no time, or one that nanoseconds in 64 bits cannot hold."""
LATEST = 2**63 - 1
MICROSECONDS = 6
BINARY = 0x80           # the bit of a resolution (if_tsresol) that makes it a power of two
SECOND = 10**9
FAR = 1 << 62           # seconds beyond which nothing is told apart


def scale(resolution: int) -> int:
    """Nanoseconds of one tick, 0 where that is no whole number; `resolution` is the byte of the option if_tsresol."""
    return int(10 ** (9 - resolution)) if resolution <= 9 else 0


def nanoseconds(ticks: NDArray[np.uint64], resolution: int, offset: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """Nanoseconds since 1970, or `NO_TIME`. `resolution` is the byte of the option if_tsresol (seconds to the power of minus ten or, with its highest bit, of
    minus two; a finer fraction is cut off), `offset` the seconds of if_tsoffset, one for all or one each."""
    unit = scale(resolution)
    if unit and isinstance(offset, int) and not offset:
        exact = ticks <= np.uint64(LATEST // unit)
        times = (ticks * np.uint64(unit)).view(np.int64)
        return times if exact.all() else np.where(exact, times, NO_TIME)
    whole, part = _binary(ticks, resolution & 0x7F) if resolution & BINARY else _decimal(ticks, resolution)
    moved = np.clip(offset, -FAR, FAR).astype(np.int64)
    second = np.minimum(whole, np.uint64(FAR)).astype(np.int64) + moved
    latest, rest = divmod(LATEST, SECOND)
    held = (second >= -latest) & ((second < latest) | ((second == latest) & (part <= rest)))
    return np.where(held, second * SECOND + part, NO_TIME)


def _decimal(ticks: NDArray[np.uint64], power: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Whole seconds and nanoseconds of ticks of 10**-power seconds."""
    if power > 19:      # 2**64 ticks are less than two seconds
        whole = np.zeros_like(ticks)
        part = ticks // np.uint64(10 ** (power - 9)) if power < 29 else whole
        return part // np.uint64(SECOND), (part % np.uint64(SECOND)).astype(np.int64)
    unit = np.uint64(10**power)
    whole = ticks // unit
    rest = ticks - whole * unit
    part = rest * np.uint64(10 ** (9 - power)) if power <= 9 else rest // np.uint64(10 ** (power - 9))
    return whole, part.astype(np.int64)


def _binary(ticks: NDArray[np.uint64], power: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Whole seconds and nanoseconds of ticks of 2**-power seconds."""
    whole = ticks >> np.uint64(power) if power < 64 else np.zeros_like(ticks)
    rest = ticks - (whole << np.uint64(power)) if power < 64 else ticks
    if power > 34:      # 34 bits of a fraction times 30 bits of nanoseconds is what fits
        rest = rest >> np.uint64(min(power - 34, 63))
        power = 34
    return whole, ((rest * np.uint64(SECOND)) >> np.uint64(power)).astype(np.int64)
