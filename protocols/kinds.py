"""What a message is in an exchange: by name for decoders, by number in columns."""
from __future__ import annotations

from enum import StrEnum

__all__ = ["EVENT", "KINDS", "ONEWAY", "REQUEST", "RESPONSE", "Kind"]


class Kind(StrEnum):
    """What a message is in an exchange. A one-way request gets no answer; an event answers no request."""

    REQUEST = "request"
    RESPONSE = "response"
    ONEWAY = "oneway"
    EVENT = "event"


KINDS = (Kind.REQUEST, Kind.RESPONSE, Kind.ONEWAY, Kind.EVENT)
REQUEST, RESPONSE, ONEWAY, EVENT = range(4)
"""Kinds as numbers: places in KINDS."""
