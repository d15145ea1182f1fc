"""What a decoder gives back, taken from it with care: a call that returns is not yet an answer that can be worked with.

The project's own decoders are held to their words by tests; what a plugin gives is looked at here, once, where it comes in: a match, a header, the words,
the tree, what is carried. What is not what it should be raises TypeError, which says what it is and where the plugin's method stands. Callers catch
MISTAKES, and show the mistake in place of the result.
"""
from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protocols.decoder import Carried, Decoder, FieldReaders, Header, Kind, Match, MessageBytes, Opening, Side, Status, Summary, View
from protocols.engine.checked import checked
from protocols.engine.fields import Field
from protocols.engine.mistakes import MISTAKES, written_at
from protocols.kinds import KINDS
from protocols.message_heads import FieldColumn, HeaderColumns, MessageHeads

__all__ = ["HeaderReader", "carried", "described", "dissected", "field_column", "field_readers", "header_columns", "header_reader", "matched", "skimmed"]

CARRIED_MOST = 1 << 20
"""Pieces that one message may carry: who gives more has no end."""
FieldReader = Callable[[bytes, int, int, int], tuple[list[Any], ...] | None]
HeaderReader = Callable[[bytes, int, int, Side, Any], Header]


def _own(decoder: Decoder) -> bool:
    """Whether a decoder is one of the project's."""
    return _of_project(type(decoder).__module__)


@cache
def _of_project(module: str) -> bool:
    return module.startswith("protocols.")


def _wrong(what: str, given: object, wanted: str, method: Callable[..., Any]) -> TypeError:
    return TypeError(f"{what} is of type {type(given).__name__}, not {wanted} ({written_at(method)})")


def matched(decoder: Decoder, opening: Opening) -> Match | None:
    """`Decoder.recognise`."""
    found = decoder.recognise(opening)
    if found is None or _own(decoder):
        return found
    if type(found) is not Match:
        raise _wrong("what recognise gave", found, "Match", decoder.recognise)
    if not isinstance(found.score, int) or not isinstance(found.why, str):
        raise TypeError(f"Match has the score {found.score!r} and the reason {found.why!r} ({written_at(decoder.recognise)})")
    if found.client not in (0, 1):
        raise TypeError(f"Match.client is {found.client!r}, neither 0 nor 1 ({written_at(decoder.recognise)})")
    return found


def header_reader(decoder: Decoder) -> HeaderReader:
    """`Decoder.header`, as a function that a million messages can be read with."""
    if _own(decoder):
        return decoder.header

    def read(data: bytes, start: int, end: int, side: Side, session: Any) -> Header:
        found = decoder.header(data, start, end, side, session)
        if type(found) is not Header:
            raise _wrong("what header gave", found, "Header", decoder.header)
        for what, given, kind in (("kind", found.kind, Kind), ("key", found.key, Hashable), ("op", found.op, str)):
            if not isinstance(given, kind):
                raise _wrong(f"Header.{what}", given, "hashable" if what == "key" else kind.__name__, decoder.header)
        return found
    return read


def header_columns(decoder: Decoder, heads: MessageHeads) -> HeaderColumns | None:
    """`Fast.headers`."""
    found = decoder.fast.headers(heads) if decoder.fast is not None else None
    if found is None or _own(decoder):
        return found
    single, rows = found.single, len(heads)
    if not (len(found.kind) == len(found.key) == len(found.keyed) == rows and bool((found.kind < len(KINDS)).all()) and bool((np.diff(single) > 0).all())
            and bool(((single >= 0) & (single < rows)).all())):
        raise TypeError("HeaderColumns do not fit their messages")
    return found


def field_column(decoder: Decoder, name: str, heads: MessageHeads, peer: NDArray[np.int64]) -> FieldColumn | None:
    """`Fast.column`."""
    found = decoder.fast.column(name, heads, peer) if decoder.fast is not None else None
    if found is None or _own(decoder):
        return found
    places, rows = found.value[found.there], len(heads)
    if not (len(found.value) == len(found.there) == len(found.sure) == rows and found.value.dtype.kind in "biuf"
            and (not len(found.names) or bool(((places >= 0) & (places < len(found.names))).all()))):
        raise TypeError("a FieldColumn does not fit its messages")
    return found


def field_readers(decoder: Decoder, names: tuple[str, ...], heads: MessageHeads, peer: NDArray[np.int64], facts: Callable[[], Any]) -> FieldReaders | None:
    """`Fast.readers`; what a reader of a plugin cannot read, the tree tells."""
    found = decoder.fast.readers(names, heads, peer, facts) if decoder.fast is not None else None
    if found is None or _own(decoder):
        return found
    if not (len(found.reader) == len(heads) and bool(((found.reader >= FieldReaders.TREE) & (found.reader < len(found.readers))).all())):
        raise TypeError("FieldReaders do not fit their messages")

    def careful(read: FieldReader) -> FieldReader:
        def reader(data: bytes, start: int, end: int, zero: int) -> tuple[list[Any], ...] | None:
            try:
                values = read(data, start, end, zero)
            except MISTAKES:
                return None
            return values if isinstance(values, tuple) and len(values) == len(names) and all(isinstance(one, list) for one in values) else None
        return reader
    return FieldReaders(found.reader, [careful(one) for one in found.readers])


def described(decoder: Decoder, message: MessageBytes) -> Summary:
    """`Decoder.describe`."""
    words = decoder.describe(message)
    if _own(decoder):
        return words
    if type(words) is not Summary:
        raise _wrong("what describe gave", words, "Summary", decoder.describe)
    texts = {"op": words.op, "endpoint": words.endpoint, "id": words.id, "error": words.error, "client_id": words.client_id, "error_text": words.error_text}
    for name, given in (*texts.items(), *(("target", one) for one in words.targets)):
        if type(given) is not str:
            raise _wrong(f"Summary.{name}", given, "str", decoder.describe)
    if not isinstance(words.text, str) and not callable(words.text):
        raise _wrong("Summary.info", words.text, "str", decoder.describe)
    if words.code is not None and not isinstance(words.code, int):
        raise _wrong("Summary.code", words.code, "int", decoder.describe)
    if words.status is not None:
        words.status = Status(words.status)
    return words


def dissected(decoder: Decoder, message: MessageBytes) -> list[Field]:
    """`Decoder.dissect`; the views that it adds stand in `message.views`."""
    found = decoder.dissect(message)
    return list(found) if _own(decoder) else _tree(found, message)


def skimmed(decoder: Decoder, message: MessageBytes, names: frozenset[str]) -> Sequence[Field]:
    """The fields `names` among others, by `Fast.skim` where it tells."""
    found = decoder.fast.skim(message, names) if decoder.fast is not None else None
    if found is None:
        found = decoder.dissect(message)
    return found if _own(decoder) else _tree(found, message)


def _tree(found: Any, message: MessageBytes) -> list[Field]:
    if not all(isinstance(view, View) and isinstance(view.name, str) and view.name.isprintable() and isinstance(view.data, bytes) for view in message.views):
        raise TypeError("a view is no View of a name and bytes")
    return checked(found, message.start, message.end, message.view)


def carried(carries: Callable[[MessageBytes], Iterable[Carried]], message: MessageBytes) -> list[Carried]:
    """What one message carries, by what `Decoder.carrier` gave."""
    found = list(islice(carries(message), CARRIED_MOST))
    for one in found:
        if not (isinstance(one, Carried) and isinstance(one.data, bytes) and isinstance(one.hint, str) and isinstance(one.key, Hashable)
                and (one.start is None or isinstance(one.start, int))):
            raise TypeError(f"{one!r:.100} is no Carried of bytes")
    return found
