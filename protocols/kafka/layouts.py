"""Compiles a layout of the schema into one reader, for each message and version, on first use.

Every part of a struct becomes one reader and yields exactly one field; numbers side by side become one reader together. Kafka's records
are read with the topic in mind: in the messages that carry them, the topic just read is noted in the scope.
"""
from __future__ import annotations

from collections.abc import Sequence

from protocols.engine.fields import Field, Spec
from protocols.engine.records import Reader, Source
from protocols.kafka import names, titles
from protocols.kafka.reader import FIXED, array_reader, blob_reader, optional_reader, records_reader, run_reader, scalars_reader, struct_reader
from protocols.kafka.schema import Message, Part
from protocols.kafka.tags import tags_reader
from protocols.kafka.topics import topic_of

__all__ = ["reader"]

WITH_RECORDS = {"Produce", "Fetch", "ShareFetch", "FetchSnapshot"}


def _topic_watch(inner: Reader, by_id: bool) -> Reader:
    """Notes the topic just read, so that its records can be read as what they are."""
    def read_topic(source: Source, at: int, end: int, out: list[Field]) -> int:
        after = inner(source, at, end, out)
        if source.context is not None:
            value = out[-1].value or ""
            source.context.topic = topic_of(value) or value if by_id else value
        return after
    return read_topic


class _Compiler:
    """The readers of one message in one version."""

    def __init__(self, message: Message, version: int) -> None:
        self.message = message
        self.version = version
        self.flexible = message.is_flexible(version)
        self.watched = message.name in WITH_RECORDS

    def body(self, parts: Sequence[Part], holders: tuple[str, ...]) -> Reader:
        """The reader of a struct's content: its parts, then (flexible versions) the tag section."""
        readers: list[Reader] = []
        run: list[Part] = []
        tags: dict[int, tuple[Spec, Reader]] = {}
        told = names.told_by_id(parts, self.version, holders)

        def close_run() -> None:
            if run:
                readers.append(run_reader(tuple(run), holders, [names.spec_of(one, holders) for one in run], told))
                run.clear()

        for part in parts:
            if not part.present(self.version):
                continue
            if part.tag >= 0:
                tags[part.tag] = (names.spec_of(part, holders), self.part(part, holders, told))
            elif part.type in FIXED and not (self.watched and part.name == "TopicId"):
                run.append(part)
            else:
                close_run()
                readers.append(self.part(part, holders, told))
        close_run()
        if self.flexible:
            readers.append(tags_reader(tags))
        if len(readers) == 1:
            return readers[0]
        steps = tuple(readers)

        def read_parts(source: Source, at: int, end: int, out: list[Field]) -> int:
            for step in steps:
                at = step(source, at, end, out)
            return at
        return read_parts

    def part(self, part: Part, holders: tuple[str, ...], told: frozenset[str]) -> Reader:
        """The reader of one part: one field. `told` are those under which the topic's name is told."""
        spec, compact, nullable = names.spec_of(part, holders), self.flexible and part.compact, part.may_be_null(self.version)
        if part.type == "{":
            made = struct_reader(spec, self.body(part.parts, (*holders, part.name)), None)
            return optional_reader(spec, made, part.tag >= 0) if nullable else made
        if part.type == "[":
            return self.array(part, spec, holders, compact)
        if part.type == "r":
            return records_reader(spec, compact)
        if part.type in FIXED:
            made = run_reader((part,), holders, (spec,), told)
            return _topic_watch(made, True) if self.watched and part.name == "TopicId" else made
        made = blob_reader(part, spec, compact, nullable, spec.name if part.type == "y" else "")
        return _topic_watch(made, False) if self.watched and part.entity == "T" else made

    def array(self, part: Part, spec: Spec, holders: tuple[str, ...], compact: bool) -> Reader:
        element, item = part.element, names.item_spec(part, holders)
        assert element is not None
        if element.type in FIXED:
            return scalars_reader(part, spec, item, compact, holders)
        inner = (*holders, part.name)
        if element.type == "{":
            present = [one for one in element.parts if one.present(self.version) and one.tag < 0]
            return array_reader(part, spec, compact, struct_reader(item, self.body(element.parts, inner), titles.title_of(part, present, item.label)))
        return array_reader(part, spec, compact, blob_reader(element, item, compact, False, item.name if element.type == "y" else ""))


def reader(message: Message, version: int) -> Reader:
    """The reader of `message` in `version`, compiled on first use."""
    made: Reader | None = message.compiled.get(version)
    if made is None:
        made = message.compiled[version] = _Compiler(message, version).body(message.parts, (message.name,))
    return made
