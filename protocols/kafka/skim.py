"""A few fields of a Kafka message by name, without its tree: what a display filter asks of a million messages.

From the schema it is known which names a message of an API and version can hold: most messages hold none of those asked for and are not
looked at. The others are read by a function made for them (`skimmers`). What the schema does not tell (faults, notes, guesses, records and bytes
that may hold more of the names, a cut before the last of them) is left to `frames.dissect`, so that the fields are always those of the tree.
"""
from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from protocols.decoder import FieldReaders, MessageBytes
from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec
from protocols.kafka import batches, frames, internal, names, reader, sasl, schema, single
from protocols.kafka.frames import API_VERSIONS, LONG_POLLS, TOKEN, UNSUPPORTED_VERSION, Api
from protocols.kafka.schema import Part
from protocols.kafka.skim_text import Skimmer
from protocols.kafka.skimmers import Held, IdsNeeded, Writer
from protocols.kafka.topics import Ids, Topics
from protocols.message_heads import MessageHeads

__all__ = ["readers", "skim"]

PRODUCE, ENVELOPE = 0, 58
REQUEST, RESPONSE = 12, 8
"""Bytes of a frame up to and with the correlation id."""
NO_IDS = Topics().ids()

def _named(specs: Iterable[Spec]) -> frozenset[str]:
    """The names of fields and of the lengths before them."""
    found = [spec.name for spec in specs]
    return frozenset(found + [name + "_len" for name in found])


REQUESTED = _named((frames.LEN, frames.KEY, frames.VERSION, frames.CORRELATION, frames.CLIENT, frames.REQUEST_KEY, frames.REQUEST_VERSION))
ANSWERED = _named((frames.LEN, frames.CORRELATION, frames.KEY, frames.RESPONSE_KEY, frames.RESPONSE_VERSION))
"""The names in the headers of requests and of responses."""
GENERATED = frozenset((frames.LONG_POLL.name, frames.NO_RESPONSE.name))
UNPLANNED = frozenset(spec.name for spec in (*f.COMMON, *reader.SPECS, *frames.SPECS, frames.TOKEN_FIELD)) - REQUESTED - ANSWERED - GENERATED
"""Names that may occur in any message, for its faults and oddities."""


def _specs(parts: Sequence[Part], holders: tuple[str, ...]) -> Iterator[Spec]:
    for part in parts:
        yield names.spec_of(part, holders)
        inner = part.parts
        if part.element is not None:
            yield names.item_spec(part, holders)
            inner = part.element.parts
        yield from _specs(inner, (*holders, part.name))


def _of(*layouts: schema.Message) -> frozenset[str]:
    return frozenset().union(*(_named(_specs(one.parts, (one.name,))) for one in layouts))


@cache
def _in_records() -> frozenset[str]:
    """The names that occur in the record batches of any topic."""
    return _named((*batches.SPECS, *single.SPECS, *internal.SPECS)) | _of(*map(schema.data_record, internal.CONTROL.values()))


@cache
def _in_internal() -> frozenset[str]:
    """The names that occur in the records of Kafka's own topics."""
    return _of(*(one for one in schema.messages() if one.kind in "dk"))


@cache
def _in_embedded() -> dict[str, frozenset[str]]:
    """Bytes field -> the names that occur in it; its own among them, since one that is opened is no value any more."""
    opened = {name: _named(internal.SPECS) | _in_internal() for name in internal.OPENED}
    opened["kafka.sasl_authentication"] = _named(sasl.SPECS)
    return {name: inside | {name, name + "_len"} for name, inside in opened.items()}


def _compile(api: Api, request: bool, asked: Sequence[str] | frozenset[str], ids: Ids | None) -> Skimmer | None:
    """The skimmer of the requests or responses of an API and version; `_nothing` when none of the names occurs there, None when they need the tree."""
    message, wanted = schema.request(api.key) if request else schema.response(api.key), frozenset(asked)
    if message is None or not message.knows(api.version) or api.key == ENVELOPE:
        return None
    if request and ((frames.NO_RESPONSE.name in wanted and api.key == PRODUCE) or (frames.LONG_POLL.name in wanted and api.key in LONG_POLLS)):
        return None
    embedded = frozenset(name for name, inside in _in_embedded().items() if inside & wanted)
    writer = Writer(message, api.version, asked, Held(bool(_in_records() & wanted), bool(_in_internal() & wanted), embedded), ids)
    inside = any(part.present(api.version) and writer.visited(part, (message.name,)) for part in message.parts)
    if not inside and not wanted & (REQUESTED if request else ANSWERED):
        return _nothing
    if request:
        _request(writer, api, inside)
    else:
        _response(writer, api, inside)
    if not inside or not writer.body(message.parts, (message.name,), ()):
        writer.done(())
    return writer.finish()


def _nothing(data: bytes, start: int, end: int, view: int) -> Sequence[Field]:
    """The skimmer of messages that hold none of the names."""
    return ()


def _number(writer: Writer, spec: Spec, code: str, size: int) -> None:
    if spec.name in writer.wanted:
        place = f"at + {writer.ahead}"
        writer.after.append(writer.make(spec, writer.number(code, size), place, str(size)))
    else:
        writer.ahead += size


def _generated(writer: Writer, spec: Spec, value: int) -> None:
    if spec.name in writer.wanted:
        writer.after.append(writer.make(spec, str(value), f"at + {writer.ahead}", "0"))


def _request(writer: Writer, api: Api, body: bool) -> None:
    """The header of a request."""
    _number(writer, frames.LEN, "i", 4)
    for spec, by_kind, value in ((frames.KEY, frames.REQUEST_KEY, api.key), (frames.VERSION, frames.REQUEST_VERSION, api.version)):
        start = writer.ahead
        _number(writer, spec, "h", 2)
        if by_kind.name in writer.wanted:
            writer.after.append(writer.make(by_kind, str(value), f"at + {start}", "0"))
    _number(writer, frames.CORRELATION, "i", 4)
    header = frames.request_version(api)
    if header and (body or writer.named(frames.CLIENT)):
        writer.blob("s", frames.CLIENT, False)
    if header > 1 and body:
        writer.body((), (), None)


def _response(writer: Writer, api: Api, body: bool) -> None:
    """The header of a response: what it answers is known from its request."""
    _number(writer, frames.LEN, "i", 4)
    _number(writer, frames.CORRELATION, "i", 4)
    for spec, value in ((frames.KEY, api.key), (frames.RESPONSE_KEY, api.key), (frames.RESPONSE_VERSION, api.version)):
        _generated(writer, spec, value)
    if not body:
        return
    if api.key == API_VERSIONS:
        writer.flush()
        error = UNSUPPORTED_VERSION.to_bytes(2, "big")
        writer.emit(f"if data[at + {writer.ahead}:at + {writer.ahead + 2}] == {error!r}:", "    raise NotPlain")
    elif writer.flexible:
        writer.body((), (), None)


def _skimmer(api: Api, request: bool, wanted: tuple[str, ...] | frozenset[str], topics: Callable[[], Topics | None]) -> Skimmer | None:
    """The skimmer for one kind of message in a capture with these topics, which are asked for only when it depends on them."""
    made = _made(api, request, wanted, None)
    if isinstance(made, IdsNeeded):
        known = topics()
        made = _made(api, request, wanted, known.ids() if known is not None else NO_IDS)
    return None if isinstance(made, IdsNeeded) else made


@lru_cache(maxsize=1024)
def _made(api: Api, request: bool, wanted: tuple[str, ...] | frozenset[str], ids: Ids | None) -> Skimmer | IdsNeeded | None:
    try:
        return None if UNPLANNED & frozenset(wanted) else _compile(api, request, wanted, ids)
    except IdsNeeded as needed:
        return needed


@lru_cache(maxsize=1024)
def _api(head: bytes) -> Api:
    return Api(*struct.unpack(">hh", head))


def skim(message: MessageBytes, wanted: frozenset[str]) -> Sequence[Field]:
    """The fields with these names, in the order of the tree, perhaps with others between or below them. Never raises."""
    data, start, end = message.data, message.start, message.end
    if end - start >= (REQUEST if message.from_client else RESPONSE) and message.header.context != TOKEN:
        if message.from_client:
            read = _skimmer(_api(data[start + 4:start + 8]), True, wanted, message.find_facts)
        else:
            peer = message.peer
            read = _skimmer(api, False, wanted, message.find_facts) if peer is not None and (api := peer.header.context) not in (None, TOKEN) else None
        if read is not None:
            made: Sequence[Field] | None = read(data, start, end, message.view)
            if made is not None:
                return made
    return frames.dissect(message)


def readers(wanted: tuple[str, ...], heads: MessageHeads, peer: NDArray[np.int64], topics: Callable[[], Topics | None]) -> FieldReaders:
    """How many messages are skimmed, by their heads."""
    client = heads.client
    request = np.where(client, np.arange(len(heads)), peer)
    rows = np.flatnonzero((heads.have >= np.where(client, REQUEST, RESPONSE)) & (request >= 0))
    rows = rows[heads.have[request[rows]] >= REQUEST]
    kinds, place = np.unique(heads.number(4, ">u4", request[rows]) << 1 | client[rows], return_inverse=True)
    made: list[Skimmer] = []
    chosen = np.full(len(kinds), FieldReaders.TREE)
    for i, kind in enumerate(kinds.tolist()):
        read = _skimmer(Api(*struct.unpack(">hh", (kind >> 1).to_bytes(4, "big"))), bool(kind & 1), wanted, topics)
        if read is _nothing:
            chosen[i] = FieldReaders.NONE
        elif read is not None:
            chosen[i] = len(made)
            made.append(read)
    reader = np.full(len(heads), FieldReaders.TREE)
    reader[rows] = chosen[place]
    return FieldReaders(reader, made)
