"""What the words of a Kafka message need, read from its bytes without a tree: names, client, waiting time, error and the broker's text about it.

One function is written for each API, version and direction (`skimmers`): it passes over all else by its length. Which names tell what a message works on
is the same for an API's requests and responses: topics with partitions, topics alone, or what `GROUPED` APIs and those without topics name (a
group, a transactional id, a resource). Of a huge array the first MOST_NAMES names are kept; a request is read no further than that, a response is, for
its errors. Where a message is not plain (cut, malformed, newer than the schema) the functions give None.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from struct import Struct
from typing import Any

from protocols.engine.fields import Spec
from protocols.kafka import names, schema
from protocols.kafka.frames import API_VERSIONS, LONG_POLLS, UNSUPPORTED_VERSION, Api, request_version
from protocols.kafka.reader import FIXED
from protocols.kafka.schema import Part
from protocols.kafka.skim_text import CALLED, Skimmer
from protocols.kafka.skimmers import Held, Writer
from protocols.kafka.topics import NO_ID, Ids, topic_id

__all__ = ["ERRORS", "ERROR_TEXTS", "MOST_NAMES", "OTHERS", "PARTITION", "PARTITIONS", "Flat", "Place", "answer_reader", "best", "by_topic", "names_others",
           "outcome_reader", "places", "request_reader", "targets"]

MOST_NAMES = 300
ERRORS = frozenset(("kafka.error", "kafka.acknowledge_error_code"))
ERROR_TEXTS = frozenset(("kafka.error_message", "kafka.batch_index_error_message", "kafka.acknowledge_error_message"))
TOPIC, TOPIC_ID, PARTITION = "kafka.topic_name", "kafka.topic_id", "kafka.partition_id"
ADD = {TOPIC: "add(VALUE)", TOPIC_ID: "add((VALUE,))", PARTITION: "add(VALUE)"}
PARTITIONS = frozenset(("kafka.partitions", "kafka.partition_indexes"))
"""Arrays of numbers that are numbers of partitions."""
NO_IDS = Ids(frozenset(), frozenset())
REQUEST, RESPONSE = 12, 8
"""Bytes of a frame up to and with the correlation id."""
OTHERS = ("kafka.consumer_group", "kafka.coordinator_key", "kafka.transactional_id", "kafka.config_resource_name", "kafka.acl_resource_name", "kafka.user")
"""What a request works on that names no topic: the first of these that it has."""
GROUPED = frozenset((11, 14, 65, 68, 69, 76, 77, 88, 89))
"""APIs that work on a group or transaction; the topics in them are its content: JoinGroup, SyncGroup, DescribeTransactions, and the heartbeats and
descriptions of consumer, share and streams groups."""
TOPICS_ALONE = frozenset((3, 19, 37, 75))
"""APIs that work on topics as a whole: Metadata, CreateTopics, CreatePartitions, DescribeTopicPartitions."""

Flat = list[bytes | int | tuple[Any, ...] | list[Any]]
"""Names in the order of the message: topics as bytes; topic ids in a tuple, with True where the name comes next; numbers of partitions of the topic before
them; in a list the place in OTHERS and the name."""
Place = tuple[str, list[int]]
"""A topic and its partitions, as far as they are named."""


def by_topic(key: int) -> tuple[str, ...]:
    """The names of the fields that tell what an API's messages work on."""
    if key in GROUPED:
        return ()
    return (TOPIC, TOPIC_ID) if key in TOPICS_ALONE else (TOPIC, TOPIC_ID, PARTITION)


class _Writer(Writer):
    """Writes one reader: its `take` says what becomes of a value, by the name of its field."""

    def __init__(self, message: schema.Message, version: int, kept: dict[str, str], full: str = "") -> None:
        super().__init__(message, version, tuple(kept), Held(False, False, frozenset()), NO_IDS)
        self.message = message
        self.kept = kept
        self.full = full
        """What to do when there are names enough."""
        self.named_next: set[int] = set()
        """The topic ids, by `id` of their parts, behind which their names stand."""

    def body(self, parts: Sequence[Part], holders: tuple[str, ...], exits: Sequence[str] | None) -> bool:
        self.named_next |= {id(one) for i, one in enumerate(parts) if one.name == "TopicId" and any(other.entity == "T" for other in parts[i + 1:])}
        return super().body(parts, holders, exits)

    def take(self, spec: Spec, value: str) -> str:
        return self.kept[spec.name].replace("VALUE", value)

    def visited(self, part: Part, holders: tuple[str, ...]) -> bool:
        if part.element is not None and part.element.type not in "[{" and names.item_spec(part, holders).name == PARTITION:
            return PARTITION in self.wanted and names.spec_of(part, holders).name in PARTITIONS
        return super().visited(part, holders)

    def fixed(self, part: Part, holders: tuple[str, ...], spec: Spec) -> None:
        if spec.name not in self.wanted:
            super().fixed(part, holders, spec)
            return
        value = self.number(*FIXED[part.type])
        self.after.append(self.take(spec, f"{value}, True" if id(part) in self.named_next else value))

    def made(self, kind: str, spec: Spec, count: str, width: str) -> None:
        start = self.new("s")
        self.emit(f"if {count} > 0:", f"    {start} = at", f"    at += {count}", "    " + self.take(spec, f"data[{start}:at]"))

    def element(self, part: Part, element: Part, item: Spec, holders: tuple[str, ...], inner: tuple[str, ...], compact: bool,
                exits: Sequence[str] | None) -> None:
        if self.full and self.visited(part, holders):
            self.emit(f"if len(out) > {MOST_NAMES}:", f"    {self.full}")
        if element.type in "[{s" or item.name not in self.wanted:
            super().element(part, element, item, holders, inner, compact, exits)
        else:
            self.after.append(self.take(item, self.number(*FIXED[element.type])))

    def written(self, ready: str, given: str) -> Skimmer:
        """The function that reads what the header left and the body: `ready` is its first line, `given` what it gives."""
        parts, holders = self.message.parts, (self.message.name,)
        inside = any(part.present(self.version) and self.visited(part, holders) for part in parts)
        if inside and self.flexible and not (self.message.kind == "r" and self.message.key == API_VERSIONS):
            self.body((), (), None)     # the header's tags
        if not inside or not self.body(parts, holders, ()):
            self.done(())
        head = ["def read(data, at, end, view):", "    add = (out := []).append", f"    {ready}", "    try:"]
        tail = ["    except FAULTS:", "        return None", f"    return {given}"]
        text = "\n".join([*head, *(line.replace("RETURN", f"return {given}") for line in self.lines), *tail])
        return _compiled(text, tuple((name, value.__self__.format) for name, value in self.space.items() if name[0] == "U"))


@cache
def _compiled(text: str, numbers: tuple[tuple[str, str], ...]) -> Skimmer:
    """The function of a text, and the forms of its numbers by their names. Most versions of an API differ in nothing that is read here."""
    space: dict[str, Any] = {**CALLED, "drop": _drop, **{name: Struct(form).unpack_from for name, form in numbers}}
    exec(text, space)
    made: Skimmer = space["read"]
    return made


def _present(message: schema.Message, version: int) -> set[str]:
    """The names of the texts and numbers in a layout."""
    found: set[str] = set()

    def visit(parts: Iterable[Part], holders: tuple[str, ...]) -> None:
        for part in parts:
            if part.present(version):
                found.add((names.item_spec if part.element is not None else names.spec_of)(part, holders).name)
                visit((part.element or part).parts, (*holders, part.name))
    visit(message.parts, (message.name,))
    return found


def _names_topics(message: schema.Message | None, version: int) -> bool:
    """Whether messages of a layout can name topics as what they work on."""
    return message is not None and message.key not in GROUPED and bool(_present(message, version) & {TOPIC, TOPIC_ID})


@lru_cache(maxsize=1024)
def names_others(api: Api) -> bool:
    """Whether what a request names besides topics is what it works on: where its response names topics, these are, in both."""
    return not _names_topics(schema.response(api.key), api.version)


@lru_cache(maxsize=1024)
def request_reader(api: Api) -> Skimmer | None:
    """The reader of an API's requests: (names, client id, milliseconds that the server may wait). Names that are no topics come in a list: (place in
    OTHERS, name)."""
    message = schema.request(api.key)
    if message is None or not message.knows(api.version):
        return None
    kept = {name: ADD[name] for name in by_topic(api.key)}
    if names_others(api):
        kept |= {name: f"add([{place}, VALUE])" for place, name in enumerate(OTHERS)}
    if wait := LONG_POLLS.get(api.key):
        kept[wait] = "wait = VALUE"
    writer = _Writer(message, api.version, kept, "return out, client, wait")
    writer.ahead = REQUEST
    if request_version(api):
        count, _, _ = writer.length("s", False)
        writer.emit(f"if {count} > 0:", f"    client = data[at:at + {count}]", f"    at += {count}")
    return writer.written("client = b''; wait = 0", "out, client, wait")


@lru_cache(maxsize=1024)
def answer_reader(api: Api) -> Skimmer | None:
    """The reader of an API's responses: (names, first error code or 0, the broker's text about it)."""
    message = schema.response(api.key)
    if message is None or not message.knows(api.version):
        return None
    kept = {name: ADD[name] for name in by_topic(api.key)}
    kept |= dict.fromkeys(ERRORS, "if VALUE: failed += 1; code = code or VALUE")
    kept |= dict.fromkeys(ERROR_TEXTS, "if failed == 1 and not text: text = VALUE")
    return _answer(message, api, kept, "add = drop", "failed = code = 0; text = b''", "out, code, text")


@lru_cache(maxsize=1024)
def outcome_reader(api: Api) -> Skimmer | None:
    """The reader of nothing but an API's error codes. It reads no further than the last of them: what it gives is not None when they are all there, though
    the message be cut off behind them."""
    message = schema.response(api.key)
    if message is None or not message.knows(api.version):
        return None
    return _answer(message, api, dict.fromkeys(ERRORS, "VALUE"), "", "", "out")


def _answer(message: schema.Message, api: Api, kept: dict[str, str], full: str, ready: str, given: str) -> Skimmer:
    writer = _Writer(message, api.version, kept, full)
    writer.ahead = RESPONSE
    if api.key == API_VERSIONS:
        # a broker that does not know the version answers in another
        error = UNSUPPORTED_VERSION.to_bytes(2, "big")
        writer.emit(f"if data[at + {RESPONSE}:at + {RESPONSE + 2}] == {error!r}:", "    raise NotPlain")
    return writer.written(ready, given)


def _drop(name: object) -> None:
    """What becomes of names that are too many."""


@lru_cache(maxsize=4096)
def _identity(data: bytes) -> str:
    return topic_id(data)


def places(flat: Flat, known: Mapping[str, str]) -> tuple[Sequence[Place], tuple[str, ...]]:
    """The topics in order, each with its partitions; without any, the other names. `known` has the names of topic ids. Of a name and an
    id of the same topic, the name counts."""
    found: list[Place] = []
    others: list[tuple[int, str]] = []
    topic = unnamed = ""
    named = False
    for one in flat:
        if type(one) is int:
            if topic:
                found[-1][1].append(one)
            named = False
        elif type(one) is bytes:
            if unnamed and found[-1] == (unnamed, []):
                found.pop()
            topic, unnamed, named = one.decode("utf-8", "replace"), "", True
            if not found or found[-1][0] != topic:
                found.append((topic, []))
        elif type(one) is tuple:
            identity = _identity(one[0])
            told = known.get(identity, "")
            unnamed = ""        # the id before it had no name
            # the name before belongs to another topic where ids stand first
            if identity != NO_ID and (told or not named or len(one) > 1):
                topic = told or identity
                if not found or found[-1][0] != topic:
                    found.append((topic, []))
                    if len(one) > 1:
                        unnamed = topic
            named = False
        elif type(one) is list:
            others.append((one[0], one[1].decode("utf-8", "replace")))
    return found, () if found else best(others)


def best(others: Sequence[tuple[int, str]]) -> tuple[str, ...]:
    """Of names that are no topics those of the first kind in OTHERS, each once."""
    first = min((place for place, _ in others), default=0)
    return tuple(dict.fromkeys(name for place, name in others[:MOST_NAMES] if place == first))


def targets(found: Sequence[Place]) -> tuple[str, ...]:
    """`orders-0`, `orders-1`, `clicks`: each partition, and each topic without one."""
    made: list[str] = []
    for topic, numbers in found[:MOST_NAMES]:
        if numbers:
            made += [f"{topic}-{number}" for number in numbers[:MOST_NAMES]]
        else:
            made.append(topic)
    return tuple(dict.fromkeys(made[:MOST_NAMES])) if len(made) > 1 else tuple(made)
