"""BSON documents as fields: a node an element, with type, name and value below it, nested documents read when they are opened.

An element's filter name is its path: `mongo.doc.filter.status`; array positions are left out of the path, so that all elements of
an array answer to one name, and the documents of an OP_MSG sequence have the paths of an array of that name. A key is a part of the path
as it is, with its dots (`mongo.doc.filter.address.city` is the key `address.city`, too); a key that no filter can hold is changed, and says so.
To make a node costs only its place: value, line and parts are read from the bytes when somebody looks.
"""
from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec
from protocols.engine.scalars import I32LE, Malformed, Reader, Short, Source
from protocols.mongodb import bare, bson, masking, values
from protocols.mongodb.bare import LENGTH, EndField, LengthField, NameField, TypeField
from protocols.mongodb.bson import ARRAY, DOCUMENT, SIZES, Element
from protocols.mongodb.extjson import document_line

__all__ = ["PATHS", "SPECS", "Document", "below", "document_fields", "read_document"]

PATHS = "mongo.doc."
"""What every element's filter name starts with."""
DOC = Spec("mongo.doc", "BSON elements", about="Elements of documents by their path: mongo.doc.filter.status is the element status in the element filter")
EMPTY = Spec("mongo.document.empty", "Empty document", "int32", about="The length of a document that has no elements")
TOO_DEEP = Spec("mongo.document.recursion_exceeded", "Document nested too deep", "string")
SPECS = (DOC, EMPTY, TOO_DEEP, *bare.SPECS, *values.SPECS)

FIELD_TYPES = {0x01: "double", 0x05: "bytes", 0x08: "bool", 0x09: "time", 0x10: "int32", 0x11: "time", 0x12: "int64", DOCUMENT: "none", ARRAY: "none"}
COMMON = (0x02, DOCUMENT, ARRAY)
MASKED = (0x02, 0x05)
"""Types of which a value may be hidden."""
KNOWN: dict[str, dict[bytes, Spec]] = {}
"""Path of a document -> type byte and name as on the wire -> spec. In an array the type byte alone, as all elements answer to its name."""
MOST_SPECS = 20_000
"""Specs that are kept in KNOWN: documents whose keys are data (identifiers, dates) must not fill the memory."""
WRITABLE = re.compile(r"{0}(?:\.{0})*".format(r"(?:[\w$]|[^\x00-\x7f])(?:(?:[\w$-]|[^\x00-\x7f])*(?:[\w$]|[^\x00-\x7f]))?"), re.ASCII).fullmatch
"""Whether a key can stand in a filter (see `captures.filter.language`): letters, digits, "_" and "$", "-" inside, in parts with dots between them."""
UNFIT = re.compile(r"[^\w$.\x80-\U0010ffff-]|(?:^|(?<=\.))-|-(?=\.|$)", re.ASCII)
BARE_DOT = re.compile(r"(?:^|(?<=\.))(?=\.|$)")
_I32 = I32LE.unpack


def below(path: str, key: str) -> tuple[str, str]:
    """The filter name of the element `key` of the document with this filter name; and what there is to say where no filter can hold the key."""
    if WRITABLE(key):
        return f"{path}.{key}", ""
    name = f"{path}.{BARE_DOT.sub('_', UNFIT.sub('_', key))}"
    return name, f"this key cannot be written in a filter: {name} finds it, and other keys that are written so"


class Place:
    """What the elements of one document share. `path` is the document's filter name, `label` its own label, `depth` how many documents it lies in;
    `secret` says that its command carries secrets."""

    __slots__ = ("_inside", "array", "data", "depth", "known", "label", "leaves", "path", "secret", "view")
    learnt: ClassVar[int] = 0

    def __init__(self, data: bytes, view: int, path: str, secret: bool, depth: int, array: bool, label: str = "") -> None:
        self.data = data
        self.view = view
        self.path = path
        self.label = label
        self.secret = secret
        self.depth = depth
        self.array = array
        key = f"{path}[]{label}" if array else path
        known = KNOWN.get(key)
        if known is None:
            known = {}
            if Place.learnt < MOST_SPECS:
                KNOWN[key] = known
        self.known = known
        self.leaves = values.SECRET_LEAVES if secret else values.LEAVES
        self._inside: dict[Spec, Place] = {}

    def inside(self, spec: Spec, array: bool) -> Place:
        """The place of the documents in elements of this spec; one for all elements of an array."""
        found = self._inside.get(spec)
        if found is None:
            found = self._inside[spec] = Place(self.data, self.view, spec.name, self.secret, self.depth + 1, array, spec.label)
        return found

    def learn(self, key: bytes) -> Spec:
        """The spec of elements with this type byte and name; the same object for the same path and type, as far as there is room."""
        name = key[1:].decode("utf-8", "replace")
        path, said = (self.path, "") if self.array else below(self.path, name)
        spec = Spec(path, self.label if self.array else f.printable(name), FIELD_TYPES.get(key[0], "string"), about=said)
        if Place.learnt < MOST_SPECS:
            Place.learnt += 1
            self.known[key] = spec
        return spec


class ElementField(Field):
    """One element. Nothing but its place is kept; the rest is in the bytes. Its value starts at `body`."""

    __slots__ = ("_place", "body")
    __init__ = object.__init__  # as in `bare`
    _children: list[Field] | tuple[()]
    _place: Place
    body: int

    @property
    def element(self) -> Element:
        data, at, body = self._place.data, self.start, self.body
        return Element(data[at], data[at + 1:body - 1].decode("utf-8", "replace"), at, body, at + self.length)

    @property
    def value(self) -> Any:
        data, at = self._place.data, self.start
        kind = data[at]
        if kind in MASKED and (hidden := self.hidden()) is not None:
            return hidden
        leaf = bson.value(data, kind, self.body, at + self.length)
        return leaf[0] * 1_000_000_000 if kind == 0x11 else leaf

    def hidden(self) -> str | None:
        """What stands in place of a secret."""
        return masking.hide(self._place.data, self.element) if self._place.secret else masking.sensitive(self._place.data, self.element)

    @property
    def fields(self) -> Sequence[Field]:
        """Type, name and value; of a document its length, elements and end. Made on first use."""
        made = self._children
        if made:
            return made
        place, at, body = self._place, self.start, self.body
        data, view, end = place.data, self.view, at + self.length
        kind = data[at]
        kind_field, name = TypeField(), NameField()
        kind_field.value = kind
        kind_field.start = at
        kind_field.view = name.view = view
        name.start = at + 1
        name.length = body - at - 1
        name.data = data
        out: list[Field] = [kind_field, name]
        if (read := place.leaves[kind]) is not None:
            read(out, data, body, end, view)
        elif kind in (DOCUMENT, ARRAY):
            _document(place.inside(self.spec, kind == ARRAY), body, end, out)
        else:
            values.add_parts(out, data, kind, body, end, view, self._below, self.hidden() if kind in MASKED else None)
        if self.spec.about:
            out.append(values.note(self.spec.about, at + 1, view))
        self._children = out
        return out

    @property
    def has_fields(self) -> bool:
        return True

    def _below(self, at: int, end: int) -> list[Field]:
        """The fields of a document inside of the value."""
        out: list[Field] = []
        _document(self._place.inside(self.spec, False), at, end, out)
        return out

    @property
    def text(self) -> str:
        e = self.element
        return f.printable(f"{e.name}: {self._line(e)}")

    def _line(self, e: Element) -> str:
        data = self._place.data
        hidden = self.hidden()
        if hidden is not None:
            return hidden
        if e.kind == 0x05 and data[e.start + 4] == 9:
            return values.vector_text(data[e.start + 5:e.end])
        return bson.one_line(data, e, 512 if e.kind == 0x02 else 100, masking.hide if self._place.secret else None)


class DocumentField(Field):
    """A whole document; its line is made when it is shown."""

    __slots__ = ("_data", "_hide")

    def __init__(self, spec: Spec, data: bytes, at: int, end: int, view: int, path: str, secret: bool) -> None:
        super().__init__(spec, None, at, end - at, view, partial(document_fields, data, at, end, view, path, secret))
        self._data = data
        self._hide = masking.hide if secret else masking.sensitive

    @property
    def text(self) -> str:
        return f.printable(f"{self.spec.label}: {document_line(self._data, self.start, self.end, 200, self._hide)}")


class Document:
    """A BSON document as a type of the record engine: one group. The source's context says whether its command carries secrets."""

    least = 5

    def reader(self, spec: Spec) -> Reader:
        return partial(read_document, spec, PATHS[:-1])

    def specs(self, spec: Spec) -> Any:
        yield spec


def read_document(spec: Spec, path: str, source: Source, at: int, end: int, out: list[Field]) -> int:
    """Append the document at `at` as one group, its elements below the filter name `path`; where it ends."""
    data = source.data
    secret = bool(source.context)
    if source.cut and (end - at < 4 or _I32(data, at)[0] > end - at):
        if end > at:
            out.append(DocumentField(spec, data, at, end, source.view, path, secret))
        raise Short(at, _I32(data, at)[0] if end - at >= 4 else 4, end - at)
    after = bson.bounds(data, at, end)
    out.append(DocumentField(spec, data, at, after, source.view, path, secret))
    return after


def document_fields(data: bytes, at: int, end: int, view: int = 0, path: str = PATHS[:-1], secret: bool = False) -> list[Field]:
    """Length, elements and end of the document `data[at:end]`. Of one that declares more, what is there of it; the rest as raw bytes."""
    out: list[Field] = []
    _document(Place(data, view, path, secret, 0, False), at, end, out)
    return out


def _document(place: Place, at: int, end: int, out: list[Field]) -> None:
    data, view, first = place.data, place.view, len(out) + 1
    if place.depth > bson.DEEPEST:
        text = f"nested deeper than {bson.DEEPEST}: not read"
        out.append(Field(TOO_DEEP, text, at, end - at, view, (), f"[Document {text}]"))
        return
    if end - at < 4:
        out.append(f.raw(data, at, end, view))
        return
    length = _I32(data, at)[0]
    cut = length > end - at
    if length == 5:
        out.append(Field(LENGTH, 5, at, 4, view, [Field(EMPTY, 5, at, 4, view)]))
    else:
        stated = LengthField()
        stated.value = length
        stated.start = at
        stated.view = view
        out.append(stated)
    try:
        now = _elements(place, at + 4, end if cut else end - 1, out, cut)
        if cut:
            out += [f.raw(data, now, end, view)] if now < end else []
        elif data[end - 1]:
            raise Malformed(end - 1, "a document that does not end with a zero byte")
        else:
            last = EndField()
            last.start = end - 1
            last.view = view
            out.append(last)
    except Malformed as fault:
        now = out[-1].end
        if fault.at > now:
            out.append(f.raw(data, now, fault.at, view))
        out.append(f.malformed(max(now, fault.at), fault.why, end, view))
    if place.array:
        out += _numbered(place, out, first)
    if length > bson.LARGEST:
        out.append(values.note(f"longer than the {bson.LARGEST:,} bytes that a document may have", at, view))


def _elements(place: Place, now: int, stop: int, out: list[Field], cut: bool) -> int:
    """Append the elements from `now` to `stop`; where they end. The hot loop: one element is one node."""
    data, view, known, array = place.data, place.view, place.known, place.array
    find, append = data.find, out.append
    while now < stop:
        zero = find(0, now + 1, stop)
        if zero < 0:
            if cut:
                return now
            raise Malformed(now + 1, "an element's name does not end")
        kind = data[now]
        key = data[now:now + 1] if array else data[now:zero]
        start = zero + 1
        size = SIZES[kind]
        if size < 0:
            size = _I32(data, start)[0] if kind in COMMON and start + 4 <= stop else -1
            if kind == 2:
                size += 4
                if size < 5 or start + size > stop or data[start + size - 1]:
                    size = _faulty(data, kind, start, stop, now, cut)
            elif size < 5:
                size = _faulty(data, kind, start, stop, now, cut)
        after = start + size
        if size < 0 or after > stop:
            if not cut:
                raise Malformed(start, f"wanted {size} bytes, had {stop - start}")
            if kind not in (DOCUMENT, ARRAY) or stop - start < 4:
                return now
            after = stop
        one = ElementField()
        try:
            one.spec = known[key]
        except KeyError:
            one.spec = place.learn(key)
        one.start = now
        one.length = after - now
        one.view = view
        one._children = ()
        one._place = place
        one.body = start
        append(one)
        now = after
    return now


def _faulty(data: bytes, kind: int, start: int, stop: int, now: int, cut: bool) -> int:
    """The size of a value that has no fixed one; -1 where a cut hides it."""
    try:
        return bson.size_of(data, kind, start, stop, now)
    except Malformed:
        if cut and kind in bson.TYPES:
            return -1
        raise


def _numbered(place: Place, out: list[Field], first: int) -> list[Field]:
    """A note where an array's first or last element is not named by its number. Its elements are in `out` from `first` on."""
    last = len(out) - 1
    while last >= first and not isinstance(out[last], ElementField):
        last -= 1
    wrong = []
    for at in {first, last} if last >= first else ():
        start, name = out[at].start + 1, b"%d\0" % (at - first)
        if place.data[start:start + len(name)] != name:
            wrong.append(values.note(f"an array whose element {at - first} is not named by its number", start, place.view))
    return wrong
