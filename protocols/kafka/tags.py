"""Tag sections: the optional fields that end a struct of a flexible version, each with its number and size.

Each is read within its size, so that a fault, or one that this build does not know, ends there.
"""
from __future__ import annotations

from protocols.engine import fields as f
from protocols.engine.fields import Bare, Field, Spec
from protocols.engine.records import Malformed, Reader, Short, Source
from protocols.kafka.reader import TAG, TAG_COUNT, TAG_DATA, TAG_NUMBER, TAG_SIZE, TAGS, last_end, note, read_uvarint

__all__ = ["tags_reader"]


def tags_reader(tags: dict[int, tuple[Spec, Reader]]) -> Reader:
    """The reader of a tag section. Known tags are read within their size; whatever is wrong in one stays in it."""
    def read_tags(source: Source, at: int, end: int, out: list[Field]) -> int:
        view = source.view
        if at < end and not source.data[at]:
            none = Bare()
            none.spec, none.value, none.start, none.length, none.view = TAG_COUNT, 0, at, 1, view
            out.append(none)
            return at + 1
        count, now = read_uvarint(source, at, end)
        children = [Field(TAG_COUNT, count, at, now - at, view)]
        section = Field(TAGS, None, at, now - at, view, children, f"Tagged fields ({count})")
        out.append(section)
        if 2 * count > end - now and not source.cut:
            raise Malformed(at, f"{count} tagged fields with {end - now} bytes left")
        last = -1
        try:
            for _ in range(count):
                start = now
                number, now = read_uvarint(source, now, end)
                before_size = now
                try:
                    size, now = read_uvarint(source, now, end)
                except Malformed as fault:
                    fault.at = start  # the number belongs to what could not be read
                    raise
                inside = [Field(TAG_NUMBER, number, start, before_size - start, view), Field(TAG_SIZE, size, before_size, now - before_size, view)]
                known = tags.get(number)
                limit = min(now + size, end)
                children.append(Field(TAG, None, start, limit - start, view, inside, f"Tag {number}: {known[0].label if known else 'not known to this build'}"))
                if number <= last:
                    inside.append(note(f"tag {number} after tag {last}: tags have to ascend", start, view))
                last = number
                _tagged(source, known, now, limit, inside)
                if now + size > end:
                    raise Short(end, now + size - end, 0)
                now = limit
        finally:
            section.length = max(now, children[-1].end) - at
        return now
    return read_tags


def _tagged(source: Source, known: tuple[Spec, Reader] | None, at: int, limit: int, out: list[Field]) -> None:
    """The content of one tagged field."""
    if known is None:
        out.append(Field(TAG_DATA, source.data[at:limit], at, limit - at, source.view))
        return
    try:
        now = known[1](source, at, limit, out)
        if now < limit:
            out.append(f.raw(source.data, now, limit, source.view, f"{limit - now} bytes left over in the tagged field"))
    except Malformed as fault:
        if not source.cut:
            out.append(f.malformed(fault.at, fault.why, limit, source.view))
        elif (reached := last_end(out)) < limit:
            out.append(f.raw(source.data, reached, limit, source.view))
