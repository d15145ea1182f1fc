"""Values that plain Python types do not tell apart."""
from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Part", "Typed"]


class Part(bytes):
    """The bytes of a protocol: its header and what follows in it; `length` is that of its node alone."""

    length: int

    def __new__(cls, data: bytes, length: int) -> Part:
        made = super().__new__(cls, data)
        made.length = length
        return made


class Typed(NamedTuple):
    """A value with its kind, of a field that has none of its own; whole and other numbers are of one kind, "number". What has no value is None."""

    kind: str
    value: Any
