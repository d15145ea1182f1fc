"""The words for a message: operation, what it works on, client, result. They are read from the bytes (`words`); the Info column is made from the tree
when somebody reads it (`info`), and so is everything where the message is not plain: cut, malformed, newer than the schema."""
from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from struct import Struct

from protocols.decoder import MessageBytes, Status, Summary
from protocols.kafka import frames, sasl, words
from protocols.kafka.collect import Found, collect
from protocols.kafka.errors import error_name, error_status
from protocols.kafka.frames import TOKEN, Api, operation
from protocols.kafka.info import fields_of, outcome_known, request_info, response_info
from protocols.kafka.topics import KNOWN_IDS, Topics
from protocols.kafka.words import PARTITION, Place

__all__ = ["describe"]

SHOWN = 3
EXPECTED = frozenset({79})
"""Errors that are a step of the protocol: MEMBER_ID_REQUIRED hands out the id to join with."""
CORRELATION = Struct(">i").unpack_from


def describe(message: MessageBytes) -> Summary:
    """The words for one message."""
    context = message.header.context
    if context == TOKEN:
        return _token(message)
    if message.from_client:
        return _request(message, context) if context is not None else Summary(info=f"Request [{message.end - message.start} of {message.length} bytes]")
    peer = message.peer
    if peer is None or (api := peer.header.context) is None:
        return _orphan(message)
    return _response(message, api)


def _token(message: MessageBytes) -> Summary:
    said = sasl.token_words(message.data[message.start + 4:message.end])
    if message.from_client:
        return Summary("SASL token", info=f"SASL token {said}")
    return Summary("SASL token", info=f"SASL token ← {said}", status=Status.OK)


def _ident(message: MessageBytes) -> str:
    """The correlation id, where it was captured."""
    at = message.start + (8 if message.from_client else 4)
    return str(CORRELATION(message.data, at)[0]) if at + 4 <= message.end else ""


def _orphan(message: MessageBytes) -> Summary:
    def info() -> str:
        guess = next((one.value for one in fields_of(message, None) if one.name == "kafka.guess"), "")
        return f"Response to a request not captured, correlation id {ident}" + (f" (perhaps {guess})" if guess else "")
    ident = _ident(message)
    return Summary(id=ident, info=info)


def _names_of_ids(message: MessageBytes) -> dict[str, str]:
    topics: Topics | None = message.find_facts()
    return topics.names if topics is not None else KNOWN_IDS


def _endpoint(places: Sequence[Place]) -> str:
    """The first few topics, for statistics."""
    if len(places) == 1:
        return places[0][0]
    topics = list(dict.fromkeys(topic for topic, _ in places))
    return ", ".join(topics[:SHOWN]) + (f", +{len(topics) - SHOWN}" if len(topics) > SHOWN else "")


def _request(message: MessageBytes, api: Api) -> Summary:
    read = words.request_reader(api)
    made = read(message.data, message.start, message.end, 0) if read is not None and message.complete else None
    if made is not None:
        flat, client, wait = made
        places, others = words.places(flat, _names_of_ids(message)) if flat else ((), ())
    else:
        places, others, client, wait = _request_by_tree(message, api)
    return Summary(operation(api), words.targets(places) if places else others, _endpoint(places) if places else others[0] if others else "",
                   _ident(message), info=partial(request_info, message, api), long_poll=wait > 0, client_id=client.decode("utf-8", "replace"))


def _places(found: Found, key: int) -> Sequence[Place]:
    """What `words.places` gives, from the tree."""
    names = words.by_topic(key)
    return [(topic, [number for number, _ in numbers] if PARTITION in names else []) for topic, numbers in found.places] if names else ()


def _request_by_tree(message: MessageBytes, api: Api) -> tuple[Sequence[Place], tuple[str, ...], bytes, int]:
    """What is read of a request, from its tree."""
    found = collect(fields_of(message, api))
    first = found.first
    places = _places(found, api.key)
    others = words.best(found.others) if words.names_others(api) and not places else ()
    wait = first.get(frames.LONG_POLLS.get(api.key, ""), 0) if first.get("kafka.long_poll") else 0
    return places, others, (first.get("kafka.client_id") or "").encode(), wait


def _response(message: MessageBytes, api: Api) -> Summary:
    read = words.answer_reader(api)
    made = read(message.data, message.start, message.end, 0) if read is not None and message.complete else None
    places: Sequence[Place] = ()
    if made is not None:
        flat, code, text = made
        said = text.decode("utf-8", "replace") if text else ""
        if flat:
            places = words.places(flat, _names_of_ids(message))[0]
    else:
        found = collect(fields_of(message, api))
        places, said = _places(found, api.key), found.text
        code = found.errors[0] if found.errors else 0 if outcome_known(message, api) else None
    status = None if code is None else error_status(code)
    return Summary(operation(api), words.targets(places), _endpoint(places) if places else "", _ident(message), status, code,
                   error_name(code) if code else "", partial(response_info, message, api), soft=code in EXPECTED, error_text=said)
