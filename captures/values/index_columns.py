"""The fields that the packet index holds, as functions from a span of packets to their values."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captures.file.clock import NO_TIME
from captures.index.columns import Columns

__all__ = ["FRAME", "TIMES", "TRANSPORT"]

Array = NDArray[Any]
BITS = {"fin": 0x001, "syn": 0x002, "reset": 0x004, "push": 0x008, "ack": 0x010, "urg": 0x020, "ece": 0x040, "cwr": 0x080, "ae": 0x100}


def _bit(bit: int) -> Callable[[Columns, slice], list[Array]]:
    """A TCP flag as 0 or 1."""
    return lambda c, at: [((c.flags[at] & bit) != 0).view(np.uint8)]


def _delta(c: Columns, at: slice) -> Array:
    """Nanoseconds since the last packet before that has a time, 0 for the first of all."""
    ts = c.ts[at]
    before = c.time_before(at.start)
    last = np.maximum.accumulate(np.where(ts != NO_TIME, np.arange(len(ts)), -1))[:-1]      # with a time, up to each packet
    previous = np.where(last >= 0, ts[last], ts[1:] if before is None else before)
    since: Array = ts - np.concatenate([ts[:1] if before is None else np.array([before]), previous])
    return since


FRAME: dict[str, Callable[[Columns, slice], Array]] = {
    "frame.number": lambda c, at: np.arange(at.start + 1, at.stop + 1, dtype=np.int64),
    "frame.len": lambda c, at: c.wire[at],
    "frame.cap_len": lambda c, at: c.cap[at],
    "frame.time": lambda c, at: c.ts[at],
    "frame.time_epoch": lambda c, at: c.ts[at],
    "frame.time_relative": lambda c, at: c.ts[at] - (c.first_time or 0),
    "frame.marked": lambda c, at: np.zeros(at.stop - at.start, np.uint8),
    "frame.ignored": lambda c, at: np.zeros(at.stop - at.start, np.uint8),
    "frame.time_delta": lambda c, at: _delta(c, at),
}
TIMES = frozenset(("frame.time", "frame.time_epoch", "frame.time_relative", "frame.time_delta"))
"""Fields that a packet without a time does not have; what stands for them in the columns means nothing then."""
TRANSPORT: dict[str, Callable[[Columns, slice], list[Array]]] = {
    "tcp.srcport": lambda c, at: [c.sport[at]],
    "tcp.dstport": lambda c, at: [c.dport[at]],
    "tcp.port": lambda c, at: [c.sport[at], c.dport[at]],
    "tcp.stream": lambda c, at: [c.sd[at] >> 1],
    "tcp.len": lambda c, at: [c.plen[at]],
    "tcp.seq_raw": lambda c, at: [c.seq[at]],
    "tcp.ack_raw": lambda c, at: [c.ack[at]],
    "tcp.flags": lambda c, at: [c.flags[at]],
    "tcp.window_size_value": lambda c, at: [c.win[at]],
    "udp.srcport": lambda c, at: [c.sport[at]],
    "udp.dstport": lambda c, at: [c.dport[at]],
    "udp.port": lambda c, at: [c.sport[at], c.dport[at]],
    "udp.stream": lambda c, at: [c.sd[at] >> 1],
    **{f"tcp.flags.{name}": _bit(bit) for name, bit in BITS.items()},
}
