"""Makes functions that read a few fields out of a Kafka message and pass over all others, from the schema.

One function is written (`skim_text`) for each message, version and set of names: everything not wanted is stepped over by its length, and reading
ends behind the last part that can hold a wanted field. Where something is not plain (a fault, a record or embedded bytes that can hold a wanted
field) the function gives up: then the message has to be read as a whole.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence

from protocols.engine.fields import Spec
from protocols.kafka import names
from protocols.kafka.reader import FIXED, converter
from protocols.kafka.schema import Message, Part
from protocols.kafka.skim_text import Text
from protocols.kafka.topics import Ids

__all__ = ["Held", "Writer"]

OWN_TOPICS = frozenset((b"__consumer_offsets", b"__transaction_state", b"__share_group_state", b"__cluster_metadata", b"__remote_log_metadata"))
"""Topics whose records have layouts in the schema."""
UNDERSCORE = ord("_")


class Held:
    """What may lie inside a message's parts and is not in its layout. `records`: a wanted name occurs in any topic's record batches;
    `internal`: in records of Kafka's own topics; `embedded`: the bytes fields, by name, in which one may occur."""

    def __init__(self, records: bool, internal: bool, embedded: frozenset[str]) -> None:
        self.records = records
        self.internal = internal
        self.embedded = embedded


class IdsNeeded(Exception):
    """The skimmer depends on the capture's topic ids."""


class Writer(Text):
    """Writes one skimmer. `ids` are the topic ids of the capture at hand; None: raise IdsNeeded where they are needed.
    Its variable `hold` tells that the topic at hand has records of its own layouts, in which a wanted field may be."""

    def __init__(self, message: Message, version: int, wanted: Sequence[str] | frozenset[str], held: Held, ids: Ids | None) -> None:
        super().__init__(wanted, {"internal_ids": ids and ids.internal, "topic_names": dict(ids.names) if ids else None, "OWN_TOPICS": OWN_TOPICS})
        self.ids = ids
        self.version = version
        self.flexible = message.is_flexible(version)
        self.held = held
        self.told = names.topics_by_id(message, version)
        self.watched = held.internal and _has_records(message.parts, version)
        if self.watched:
            self.guards = ("hold",)

    # what is wanted

    def visited(self, part: Part, holders: tuple[str, ...]) -> bool:
        """Whether something is to be read or looked at in a part."""
        spec, inner = names.spec_of(part, holders), (*holders, part.name)
        if self.named(spec) or self.telling(part):
            return True
        if part.type == "[":
            element, item = part.element, names.item_spec(part, holders)
            assert element is not None
            return (self.named(item) or (element.type == "y" and item.name in self.held.embedded)
                    or any(one.present(self.version) and self.visited(one, inner) for one in element.parts))
        if part.type == "{":
            return any(one.present(self.version) and self.visited(one, inner) for one in part.parts)
        return ((part.type == "y" and spec.name in self.held.embedded) or (part.type == "r" and self.held.records)
                or (self.watched and (part.name == "TopicId" or part.entity == "T")))

    def telling(self, part: Part) -> Spec | None:
        """The field with the name of a topic that stands below its id, where it is wanted."""
        spec = self.told.get(id(part))
        return spec if spec is not None and spec.name in self.wanted else None

    def named(self, spec: Spec) -> bool:
        """Whether a field, or the length before it, is wanted."""
        return spec.name in self.wanted or spec.name + "_len" in self.wanted

    def size(self, parts: Sequence[Part]) -> int:
        """The bytes of a struct's content where they are always as many, else -1."""
        total = 0
        for part in parts:
            if part.present(self.version):
                if part.type == "{" and part.tag < 0 and not part.may_be_null(self.version):
                    size = self.size(part.parts)
                else:
                    size = FIXED[part.type][1] if part.type in FIXED else -1
                if size < 0:
                    return -1
                total += size
        return -1 if self.flexible else total

    # parts

    def body(self, parts: Sequence[Part], holders: tuple[str, ...], exits: Sequence[str] | None) -> bool:
        """The content of a struct. `exits`: when all these variables are 0, nothing wanted follows behind the struct; None: something may.
        Gives back whether the text ends here."""
        present = [part for part in parts if part.present(self.version)]
        tags = {part.tag: part for part in present if part.tag >= 0}
        plain = [part for part in present if part.tag < 0]
        tagged = any(self.visited(part, holders) for part in tags.values())
        last = len(plain) if tagged else max((i for i, part in enumerate(plain) if self.visited(part, holders)), default=-1)
        for i, part in enumerate(plain):
            leaves = exits if i == last else None
            self.part(part, holders, leaves)
            if leaves is not None and (not leaves or part.type not in "[{"):
                self.done(leaves)
                if not leaves:
                    return True
        if self.flexible:
            if tagged:
                self.tags(tags, holders)
                if exits is not None:
                    self.done(exits)
                    return not exits
            else:
                self.flush()
                self.emit(f"if data[at + {self.ahead}]:", f"    at = behind_tags(data, at + {self.ahead}, end) - {self.ahead + 1}")
                self.ahead += 1
        return False

    def part(self, part: Part, holders: tuple[str, ...], exits: Sequence[str] | None) -> None:
        spec, compact = names.spec_of(part, holders), self.flexible and part.compact
        if part.type in FIXED:
            self.fixed(part, holders, spec)
        elif part.type == "{":
            self.struct(part, holders, spec, exits)
        elif part.type == "[":
            self.array(part, holders, spec, compact, exits)
        elif part.type == "r":
            self.records(spec, compact)
        else:
            self.blob(part.type, spec, compact, self.watched and part.entity == "T")

    def fixed(self, part: Part, holders: tuple[str, ...], spec: Spec) -> None:
        code, size = FIXED[part.type]
        place = f"at + {self.ahead}"
        watched, tells = self.watched and part.name == "TopicId", self.telling(part)
        if spec.name not in self.wanted and not watched and not tells:
            self.ahead += size
            return
        value = self.number(code, size)
        if (watched or tells) and self.ids is None:
            raise IdsNeeded
        if watched:
            self.after.append(f"hold = {value} in internal_ids")
        if spec.name in self.wanted:
            change = converter(part, holders)
            self.after.append(self.make(spec, f"{self.constant(change)}({value})" if change else value, place, str(size)))
        if tells:
            self.after.append(f"if {value} in topic_names: {self.make(tells, f'topic_names[{value}]', place, '0')}")

    def length(self, kind: str, compact: bool, least: int = 0) -> tuple[str, str, str]:
        """Reads a length or count and moves behind it: the variables of the number (-1: null) and of where it stands, and the bytes that it takes."""
        place = self.new("p")
        if compact:
            self.move()
            count = self.new("v")
            self.emit(f"{place} = at", f"{count} = data[at] - 1", "at += 1",
                      f"if {count} > 126:", f"    {count}, at = uvarint(data, {place})", f"    {count} -= 1")
            return count, place, f"(at - {place})"
        size = 2 if kind == "s" else 4
        count = self.number("h" if size == 2 else "i", size)
        self.flush()
        self.emit(f"{place} = at + {self.ahead - size}", f"at += {self.ahead}", f"if {count} < -1:", "    raise NotPlain")
        self.ahead = 0
        return count, place, str(size)

    def blob(self, kind: str, spec: Spec, compact: bool, watched: bool = False) -> None:
        """A string or bytes."""
        embedded = kind == "y" and spec.name in self.held.embedded
        if self.named(spec) or watched or embedded:
            count, _, width = self.length(kind, compact)
            if embedded:
                self.emit(f"if {count} > 0:", "    raise NotPlain")
            if watched:
                self.emit(f"hold = {count} > 0 and data[at] == {UNDERSCORE} and data[at:at + {count}] in OWN_TOPICS")
            if not self.named(spec):
                self.emit(f"if {count} > 0:", f"    at += {count}")
                return
            self.made(kind, spec, count, width)
        elif compact:
            self.flush()
            count = self.new("v")
            self.emit(f"{count} = data[at + {self.ahead}]", f"if 0 < {count} < 128:", f"    at += {count}" + (f" + {self.ahead}" if self.ahead else ""),
                      "else:", f"    at = behind(data, at + {self.ahead})")
            self.ahead = 0
        else:
            count = self.number(*("h", 2) if kind == "s" else ("i", 4))
            self.flush()
            self.emit(f"at += ({count} if {count} >= 0 else null({count})) + {self.ahead}")
            self.ahead = 0

    def made(self, kind: str, spec: Spec, count: str, width: str) -> None:
        """A string or bytes of which the length was read: its field, or its value and length."""
        start, sized = self.new("s"), spec.name + "_len" in self.wanted
        self.emit(f"{start} = at", f"if {count} > 0:", f"    at += {count}")
        if self.order is None or spec.name in self.wanted:
            decode, empty = (".decode('utf-8', 'replace')", "''") if kind == "s" else ("", "b''")
            width = width.replace("at", start)
            # the length below a field costs more than the field: left out where nobody asks for it
            self.emit("    " + self.make(spec, f"data[{start}:at]{decode}", start, count, width if sized else ""),
                      "else:", "    " + self.make(spec, f"None if {count} else {empty}", start, "0", width))
        if self.order is not None and sized:
            self.emit(self.make(spec.length, count, start, "0"))

    def records(self, spec: Spec, compact: bool) -> None:
        if not (self.named(spec) or self.held.records or self.watched):
            self.blob("y", spec, compact)
            return
        count, place, width = self.length("y", compact)
        if self.held.records or self.watched:
            self.emit(f"if {count} > 0{'' if self.held.records else ' and hold'}:", "    raise NotPlain")
        if spec.name in self.wanted:
            self.emit(self.make(spec, "None", place, f"at - {place} + max(0, {count})"))
        if spec.length.name in self.wanted:
            self.emit(self.make(spec.length, count, place, width))
        self.emit(f"if {count} > 0:", f"    at += {count}")

    def array(self, part: Part, holders: tuple[str, ...], spec: Spec, compact: bool, exits: Sequence[str] | None) -> None:
        element, item, inner = part.element, names.item_spec(part, holders), (*holders, part.name)
        assert element is not None
        size = FIXED[element.type][1] if element.type in FIXED else self.size(element.parts) if element.type == "{" else -1
        if size >= 0 and not self.visited(part, holders):
            count, _, _ = self.length("[", compact)
            self.emit(f"if {count} > 0:", f"    at += {count} * {size}")
            return
        count, place, width = self.length("[", compact)
        # every element takes a byte at least, so that a lying count ends here and not in a loop
        self.emit(f"if {count} > end - at:", "    raise NotPlain")
        group = self.open(spec, place) if spec.name in self.wanted else ""
        if spec.length.name in self.wanted:
            self.emit(self.make(spec.length, count, place, width))
        if group:
            exits = None
        left = self.new("l")
        self.emit(f"for {left} in range({count} - 1, -1, -1):")
        self.depth += 1
        self.element(part, element, item, holders, inner, compact, None if exits is None else (*exits, left))
        self.move()
        self.emit("pass")
        self.depth -= 1
        self.close(group, place)

    def element(self, part: Part, element: Part, item: Spec, holders: tuple[str, ...], inner: tuple[str, ...], compact: bool,
                exits: Sequence[str] | None) -> None:
        if element.type in FIXED:
            code, size = FIXED[element.type]
            if item.name in self.wanted:
                change, value = converter(element, holders), self.number(code, size)
                self.after.append(self.make(item, f"{self.constant(change)}({value})" if change else value, f"at + {self.ahead - size}", str(size)))
            else:
                self.ahead += size
        elif element.type == "{":
            self.group(item, element.parts, inner, exits)
        else:
            self.blob(element.type, item, compact)

    def group(self, spec: Spec, parts: Sequence[Part], inner: tuple[str, ...], exits: Sequence[str] | None, before: int = 0) -> None:
        """A struct as a group of its own, `before` bytes of it read already."""
        if spec.name not in self.wanted:
            self.body(parts, inner, exits)
            return
        self.move()
        place = self.new("p")
        self.emit(f"{place} = at - {before}")
        group = self.open(spec, place)
        self.body(parts, inner, None)
        self.move()
        self.close(group, place)

    def struct(self, part: Part, holders: tuple[str, ...], spec: Spec, exits: Sequence[str] | None) -> None:
        inner = (*holders, part.name)
        if not part.may_be_null(self.version):
            self.group(spec, part.parts, inner, exits)
            return
        self.move()
        mark = self.new("v")
        self.emit(f"{mark} = data[at]", "at += 1", f"if {mark} < 128{f' and {mark}' if part.tag >= 0 else ''}:")
        self.depth += 1
        self.group(spec, part.parts, inner, None, 1)
        self.move()
        self.emit("pass")
        self.depth -= 1
        if spec.name in self.wanted:
            self.emit("else:", "    " + self.make(spec, "None", "at - 1", "1"))

    def tags(self, tags: Mapping[int, Part], holders: tuple[str, ...]) -> None:
        """A tag section in which something is wanted. Each known tag has to fill its size."""
        self.move()
        count, number, size, stop = (self.new(prefix) for prefix in ("c", "t", "n", "e"))
        self.emit(f"{count}, at = tag_count(data, at, end)", f"for _ in range({count}):")
        self.depth += 1
        self.emit(f"{number}, at = uvarint(data, at)", f"{size}, at = uvarint(data, at)", f"{stop} = at + {size}")
        for tag, part in tags.items():
            if self.visited(part, holders):
                self.emit(f"if {number} == {tag}:")
                self.depth += 1
                self.part(part, holders, None)
                self.move()
                self.emit(f"if at != {stop}:", "    raise NotPlain")
                self.depth -= 1
        self.emit(f"at = {stop}")
        self.depth -= 1


def _has_records(parts: Sequence[Part], version: int) -> bool:
    return any(part.present(version) and (part.type == "r" or _has_records(part.element.parts if part.element else part.parts, version)) for part in parts)
