"""Reading ZooKeeper's records forward for a few words about a message, without fields."""
from __future__ import annotations

import struct
from collections.abc import Callable

from protocols.engine.cursor import Cursor

__all__ = ["STAT_SIZE", "Jute"]

_I32, _I64 = (struct.Struct(code).unpack_from for code in (">i", ">q"))
STAT_SIZE = 68


class Jute(Cursor):
    """What ZooKeeper's records are made of."""

    __slots__ = ()

    def bool(self) -> bool:
        return self.data[self.skip(1)] != 0

    def i32(self) -> int:
        return int(_I32(self.data, self.skip(4))[0])

    def i64(self) -> int:
        return int(_I64(self.data, self.skip(8))[0])

    def blob(self) -> int:
        """Step over a buffer; its length, -1 for null."""
        count = self.i32()
        self.skip(max(0, count) if count >= -1 else count)
        return count

    def text(self) -> str:
        """A string, "" for null."""
        count = self.i32()
        start = self.skip(max(0, count) if count >= -1 else count)
        return str(self.data[start:self.at], "utf-8", "replace")

    def count(self) -> int:
        """How many elements a vector has, 0 for null."""
        return max(0, self.i32())

    def vector(self, step: Callable[[], object]) -> int:
        """Step over a vector; how many elements it has, 0 for null."""
        count = self.count()
        for _ in range(count):
            step()
        return count

    def acl(self) -> None:
        self.skip(4)
        self.blob()
        self.blob()

    def stat(self) -> tuple[int, int]:
        """A Stat: data version and data length."""
        at = self.skip(STAT_SIZE)
        return int(_I32(self.data, at + 32)[0]), int(_I32(self.data, at + 52)[0])
