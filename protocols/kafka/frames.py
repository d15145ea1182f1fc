"""One Kafka frame as fields: length, header, body; the body of a response by its request.

Header versions follow from API, version and direction (a request is flexible: header 2, else 1, ControlledShutdown v0: 0; a response:
1 or 0, ApiVersions always 0). What is newer than the schema keeps its header and leaves its body raw.
"""
from __future__ import annotations

import gc
import struct
from functools import lru_cache
from typing import NamedTuple

from protocols.decoder import MessageBytes
from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec
from protocols.engine.records import Malformed, Short, Source
from protocols.kafka import batches, internal, sasl, schema
from protocols.kafka.layouts import reader
from protocols.kafka.names import LABELS
from protocols.kafka.reader import last_end, note
from protocols.kafka.scope import Enough, Scope
from protocols.kafka.topics import Topics
from protocols.kafka.values import ENUMS, SHOWS

__all__ = ["SPECS", "TEACHERS", "TOKEN", "Api", "body_fields", "dissect", "learn", "operation", "request_version"]


class Api(NamedTuple):
    """What a request asks: API key and version. Key -1 is a bare SASL token."""

    key: int
    version: int


TOKEN = Api(-1, -1)


@lru_cache(maxsize=4096)
def operation(api: Api) -> str:
    """`Produce v9`."""
    return "SASL token" if api == TOKEN else f"{schema.api_name(api.key)} v{api.version}"


BUDGET = 256 << 20
"""Decompressed bytes of one message, all batches together."""
GUESSED_MOST = 65_536
NESTED = 4
"""How deep an Envelope may lie in an Envelope."""
CONTROLLED_SHUTDOWN = 7
API_VERSIONS = 18
UNSUPPORTED_VERSION = 35

LEN = Spec("kafka.len", "Length", "int32", about="Bytes that follow")
KEY = Spec("kafka.api_key", LABELS["api_key"], "int16", show=SHOWS["kafka.api_key"])
VERSION = Spec("kafka.api_version", LABELS["api_version"], "int16")
CORRELATION = Spec("kafka.correlation_id", "Correlation id", "int32")
CLIENT = Spec("kafka.client_id", "Client id", "string")
REQUEST_KEY = Spec("kafka.request_key", "API key", "int16", show=SHOWS["kafka.response_key"], about="The API key of a request, and of no response")
REQUEST_VERSION = Spec("kafka.request.version", "API version", "int16")
RESPONSE_KEY = Spec("kafka.response_key", "API key", "int16", show=SHOWS["kafka.response_key"])
RESPONSE_VERSION = Spec("kafka.response.version", "API version", "int16")
MISSING = Spec("kafka.request_missing", "Request missing", "string", about="The request of this response is not in the capture")
GUESS = Spec("kafka.guess", "Guess", "string", about="What the response could be, by what its bytes fit")
GUESSED = Spec("kafka.guessed", "Guessed body")
UNREAD = Spec("kafka.body", "Body", "bytes", about="The body of an API or version that this build does not know")
LEFT_OVER = Spec("kafka.left_over", "Bytes left over", "bytes", about="Bytes behind the last field; some clients and brokers send them and nobody minds")
UNKNOWN_KEY = Spec("kafka.unknown_api_key", "Unknown API key", "string", about="An API that this build does not know")
UNSUPPORTED = Spec("kafka.unsupported_api_version", "Unsupported API version", "string", about="A version of an API that this build does not know")
MISMATCH = Spec("kafka.pdu_length_mismatch", "Length mismatch", "string", about="The last field does not end where the frame does")
LONG_POLL = Spec("kafka.long_poll", "Long poll", "bool", about="The server may hold this request back until there is something to say")
NO_RESPONSE = Spec("kafka.no_response", "No response", "bool", about="Produce with acks=0 is not answered")
TOKEN_FIELD = Spec("kafka.sasl_authentication", "SASL token", "bytes")
SPECS = (LEN, KEY, VERSION, CORRELATION, CLIENT, CLIENT.length, REQUEST_KEY, REQUEST_VERSION, RESPONSE_KEY, RESPONSE_VERSION, MISSING, GUESS, GUESSED, UNREAD,
         LEFT_OVER, LONG_POLL, NO_RESPONSE, UNKNOWN_KEY, UNSUPPORTED, MISMATCH)

LIKELY = (1, 0, 3, 12, 8, 9, 10, 11, 14, 13, 2, 18, 22, 25, 24, 26, 28, 68, 78, 79, 36, 17, 71, 72, 63, 52, 19, 20, 32)
LONG_POLLS = {1: "kafka.max_wait_time", 78: "kafka.max_wait_time", 11: "kafka.rebalance_timeout", 59: ""}


def request_version(api: Api) -> int:
    """The header version of a request; for versions beyond the schema that of the API's newest."""
    message = schema.request(api.key)
    if message is None:
        return 1
    if api.key == CONTROLLED_SHUTDOWN and api.version == 0:
        return 0
    return 2 if message.is_flexible(api.version) else 1


def body_fields(message: MessageBytes, scope: Scope | None) -> list[Field]:
    """The fields of a frame; `scope` says whether records and bytes are opened. Never raises.

    The garbage collector rests meanwhile: fields make no cycles, and a large answer makes 100,000 of them, which it would walk again and again.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _frame(message, scope)
    finally:
        if collecting:
            gc.enable()


def _frame(message: MessageBytes, scope: Scope | None) -> list[Field]:
    out: list[Field] = []
    cut = not message.complete
    source = Source(message.data, message.view, cut, scope)
    try:
        if message.end - message.start < 4:
            raise Short(message.start, 4, message.end - message.start)
        out.append(Field(LEN, struct.unpack_from(">i", message.data, message.start)[0], message.start, 4, message.view))
        at = message.start + 4
        if message.header.context == TOKEN:
            at = _token(source, at, message.end, out)
        elif message.from_client:
            at = _request(source, at, message.end, out)
        else:
            peer = message.peer
            at = _response(source, at, message.end, out, peer.header.context if peer else None)
        if at < message.end:
            _left_over(source, at, message.end, out)
    except Enough:
        pass
    except Malformed as fault:
        if not (cut and isinstance(fault, Short)):
            out.append(f.malformed(fault.at, fault.why, message.end, message.view))
        elif (reached := max(last_end(out), message.start)) < message.end:
            out.append(f.raw(message.data, reached, message.end, message.view))
    if cut:
        out.append(f.incomplete(message.end - message.start, message.length, message.start, message.view))
    return out


def _left_over(source: Source, at: int, end: int, out: list[Field]) -> None:
    count = end - at
    text = f"{count} {'byte' if count == 1 else 'bytes'} left over"
    out.append(Field(LEFT_OVER, source.data[at:end], at, count, source.view, [f.generated(MISMATCH, text, text, at, source.view)], f"[{text}]"))


def _token(source: Source, at: int, end: int, out: list[Field]) -> int:
    """A SASL token without a Kafka header, as after SaslHandshake v0."""
    out.append(Field(TOKEN_FIELD, None, at, end - at, source.view, sasl.open_token(source, at, end), f"SASL token ({end - at} bytes)"))
    return end


def _number(spec: Spec, code: str, size: int, source: Source, at: int, end: int, out: list[Field]) -> int:
    if end - at < size:
        if source.cut and end > at:
            out.append(f.raw(source.data, at, end, source.view))
        raise Short(at, size, end - at)
    value: int = struct.unpack_from(code, source.data, at)[0]
    out.append(Field(spec, value, at, size, source.view))
    return value


def _request(source: Source, at: int, end: int, out: list[Field]) -> int:
    """A request from its API key on."""
    api = Api(_number(KEY, ">h", 2, source, at, end, out), _number(VERSION, ">h", 2, source, at + 2, end, out))
    out[-2]._children = [f.generated(REQUEST_KEY, api.key, at=at, view=source.view)]
    out[-1]._children = [f.generated(REQUEST_VERSION, api.version, at=at + 2, view=source.view)]
    _number(CORRELATION, ">i", 4, source, at + 4, end, out)
    at = at + 8
    header = request_version(api)
    if header:
        at = _client(source, at, end, out)
    if header > 1:
        at = reader(schema.header("HeaderTags"), 0)(source, at, end, out)
    message = schema.request(api.key)
    if message is None or not message.knows(api.version):
        return _unread(source, message, api, at, end, out)
    after = reader(message, api.version)(source, at, end, out)
    _marks(api, out)
    return after


def _client(source: Source, at: int, end: int, out: list[Field]) -> int:
    """The client id: an int16 length whatever the version."""
    if end - at < 2:
        raise Short(at, 2, end - at)
    count: int = struct.unpack_from(">h", source.data, at)[0]
    if count < -1:
        raise Malformed(at, f"a length of {count}")
    start, after = at + 2, at + 2 + max(0, count)
    text = source.data[start:min(after, end)].decode("utf-8", "replace") if count >= 0 else None
    if after > end:
        if source.cut:
            out.append(Field(CLIENT, text, start, end - start, source.view, [Field(CLIENT.length, count, at, 2, source.view)]))
        raise Short(at, count, end - start)
    out.append(Field(CLIENT, text, start, after - start, source.view, 2))
    return after


def _unread(source: Source, message: schema.Message | None, api: Api, at: int, end: int, out: list[Field]) -> int:
    """A body that no layout is known for."""
    spec = UNKNOWN_KEY if message is None else UNSUPPORTED
    if message is None:
        why = f"API key {api.key} is not known to this build"
    elif api.version > message.most:
        why = f"{message.name} v{api.version} is newer than this build knows (up to v{message.most})"
    else:
        why = f"{message.name} has no version {api.version}"
    out.append(f.generated(spec, why, why, at, source.view))
    if at < end:
        out.append(Field(UNREAD, source.data[at:end], at, end - at, source.view))
    return end


def _marks(api: Api, out: list[Field]) -> None:
    """Generated fields of a request that statistics ask for."""
    if api.key == 0 and any(one.name == "kafka.required_acks" and one.value == 0 for one in out):
        out.append(f.generated(NO_RESPONSE, True, "acks=0: no response follows", at=out[0].start, view=out[0].view))
    elif api.key in LONG_POLLS:
        wait = next((one.value for one in out if one.name == LONG_POLLS[api.key]), 0)
        if wait and wait > 0:
            out.append(f.generated(LONG_POLL, True, f"Long poll: the server may wait up to {wait} ms", at=out[0].start, view=out[0].view))


def _response(source: Source, at: int, end: int, out: list[Field], api: Api | None) -> int:
    """A response from its correlation id on."""
    _number(CORRELATION, ">i", 4, source, at, end, out)
    at += 4
    if api is None or api == TOKEN:
        return _orphan(source, at, end, out)
    by_kind = f.generated(RESPONSE_KEY, api.key, at=at, view=source.view)
    out += (f.generated(KEY, api.key, at=at, view=source.view, children=[by_kind]), f.generated(RESPONSE_VERSION, api.version, at=at, view=source.view))
    return _response_body(source, at, end, out, api)


def _response_body(source: Source, at: int, end: int, out: list[Field], api: Api) -> int:
    message = schema.response(api.key)
    if api.key == API_VERSIONS and message is not None:
        return _api_versions(source, message, api, at, end, out)
    if message is None:
        return _unread(source, message, api, at, end, out)
    if message.is_flexible(api.version):
        at = reader(schema.header("HeaderTags"), 0)(source, at, end, out)
    if not message.knows(api.version):
        return _unread(source, message, api, at, end, out)
    return reader(message, api.version)(source, at, end, out)


def _api_versions(source: Source, message: schema.Message, api: Api, at: int, end: int, out: list[Field]) -> int:
    """Header 0 always. A broker that does not know the version asked for answers in version 0, with error 35."""
    versions = [api.version] if message.knows(api.version) else []
    if end - at >= 2 and struct.unpack_from(">h", source.data, at)[0] == UNSUPPORTED_VERSION:
        versions.insert(0, 0)
    for version in versions:
        made: list[Field] = []
        try:
            after = reader(message, version)(source, at, end, made)
        except Malformed:
            if version == versions[-1] and len(versions) == 1:
                out += made
                raise
            continue
        if after == end or len(versions) == 1:
            if version != api.version:
                out.append(note(f"answered in version {version}: the broker does not know version {api.version}", at, source.view))
            out += made
            return after
    if end - at < 2:
        raise Short(at, 2, end - at)
    error = reader(schema.header("ErrorOnly"), 0)
    at = error(source, at, end, out)
    out.append(note("an answer in no known layout behind its error code", at, source.view))
    if at < end:
        out.append(Field(UNREAD, source.data[at:end], at, end - at, source.view))
    return end


def _orphan(source: Source, at: int, end: int, out: list[Field]) -> int:
    """The body of a response whose request was not captured: a guess, called a guess, where the bytes fit one API only."""
    out.append(f.generated(MISSING, "request not captured", "The request of this response is not in the capture", at, source.view))
    fits = _fitting(source, at, end) if not source.cut and end - at <= GUESSED_MOST else {}
    if len(fits) == 1:
        api, made = next(iter(fits.values()))
        name = f"{schema.api_name(api.key)} v{api.version}"
        out.append(f.generated(GUESS, name, f"Guess: this could be the response to {name}, the only likely one that fits", at, source.view))
        out.append(Field(GUESSED, None, at, end - at, source.view, made, f"Body, read as {name} (guess)"))
        return end
    if fits:
        names = ", ".join(f"{schema.api_name(api.key)} v{api.version}" for api, _ in fits.values())
        out.append(f.generated(GUESS, names, f"Guess: this could be the response to {names}", at, source.view))
    if at < end:
        out.append(Field(UNREAD, source.data[at:end], at, end - at, source.view))
    return end


def _fitting(source: Source, at: int, end: int) -> dict[int, tuple[Api, list[Field]]]:
    """The likely APIs whose newest fitting version takes exactly these bytes, with the fields."""
    found: dict[int, tuple[Api, list[Field]]] = {}
    for key in LIKELY:
        message = schema.response(key)
        assert message is not None
        for version in range(message.most, message.least - 1, -1):
            made: list[Field] = []
            try:
                after = _response_body(Source(source.data, source.view), at, end, made, Api(key, version))
            except Malformed:
                continue
            if after == end and _plausible(made):
                found[key] = Api(key, version), made
                break
        if len(found) > 3:
            break
    return found


def _plausible(fields: list[Field]) -> bool:
    """Whether values look like what they would be: known errors, no negative throttle time, names without control characters."""
    known = ENUMS.get("kafka.error") or {}
    for one in f.walk(fields):
        if one.name in ("kafka.unsupported_api_version", "kafka.note", "kafka.left_over", "kafka.body"):
            return False
        if one.name == "kafka.error" and (one.spec.enum or known).get(one.value) is None:
            return False
        if one.name == "kafka.throttle_time" and not 0 <= one.value < 3_600_000:
            return False
        if (isinstance(one.value, str) and f.printable(one.value) != one.value) or (one.value == "" and one.name == "kafka.topic_name"):
            return False
    return True


def dissect(message: MessageBytes) -> list[Field]:
    """Everything of one message: bytes opened, batches decompressed into byte views of the message."""
    peer = message.peer

    def opened(source: Source, name: str, at: int, end: int) -> list[Field]:
        if name == "kafka.sasl_authentication":
            return sasl.open_token(source, at, end)
        if name in ("kafka.request_data", "kafka.response_data"):
            return _enveloped(source, name, at, end, scope, peer)
        return internal.open_embedded(source, name, at, end)

    scope = Scope(records=batches.read_batches, embedded=opened, add_view=message.add_view, budget=BUDGET, topics=message.find_facts)
    return body_fields(message, scope)


def _enveloped(source: Source, name: str, at: int, end: int, scope: Scope, peer: MessageBytes | None) -> list[Field]:
    """The request or response that Envelope forwards: a frame without its length."""
    out: list[Field] = []
    known = end - at >= 2 and schema.request(struct.unpack_from(">h", source.data, at)[0]) is not None
    if scope.depth >= NESTED or (name == "kafka.request_data" and not known):
        return out
    scope.depth += 1
    inner = Source(source.data, source.view, False, scope)
    try:
        now = _request(inner, at, end, out) if name == "kafka.request_data" else _response(inner, at, end, out, _forwarded(peer))
        if now < end:
            _left_over(inner, now, end, out)
    except Malformed as fault:
        out.append(f.malformed(fault.at, fault.why, end, source.view))
    finally:
        scope.depth -= 1
    return out


def _forwarded(peer: MessageBytes | None) -> Api | None:
    """What the request inside an Envelope asked."""
    if peer is None:
        return None
    for one in f.walk(body_fields(peer, None)):
        if one.name == "kafka.request_data" and one.value and len(one.value) >= 4:
            return Api(*struct.unpack_from(">hh", one.value))
    return None


TEACHERS = {3: 10, 19: 7, 75: 0}
"""APIs whose answers name topic ids, and the first version that does: Metadata, CreateTopics, DescribeTopicPartitions."""


def learn(data: bytes, start: int, end: int, api: Api, topics: Topics) -> None:
    """Take in the topic ids named in the response `data[start:end]`, as far as it is there."""
    fields: list[Field] = []
    try:
        _response_body(Source(data, 0, True), start + 8, end, fields, api)
    except Malformed:
        pass
    for array in fields:
        if array.name == "kafka.topics" and isinstance(array._children, list):
            for topic in array._children:
                if topic.spec.type == "none" and isinstance(topic._children, list):
                    name = next((one.value for one in topic._children if one.name == "kafka.topic_name"), None)
                    identity = next((one.value for one in topic._children if one.name == "kafka.topic_id"), None)
                    if name and identity:
                        topics.learn(identity, name)


