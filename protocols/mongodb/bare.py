"""The fields of which a document has the most: type and name of every element, lengths, ends and numbers.

Whoever makes one sets what its class does not say.
"""
from __future__ import annotations

from protocols.engine.fields import Bare, Spec
from protocols.mongodb import bson

__all__ = ["END", "LENGTH", "NAME", "SPECS", "TYPE", "EndField", "LengthField", "NameField", "TypeField"]

TYPE = Spec("mongo.element.type", "Type", "uint8", enum=bson.TYPES, base="hex")
NAME = Spec("mongo.element.name", "Element", "string")
LENGTH = Spec("mongo.document.length", "Document length", "int32")
END = Spec("mongo.document.end", "End of document", "uint8", base="hex")
SPECS = (TYPE, NAME, LENGTH, END)


class TypeField(Bare):
    """An element's type byte."""

    __slots__ = ()
    spec = TYPE
    length = 1


class NameField(Bare):
    """An element's name, with its zero byte; decoded when somebody looks."""

    __slots__ = ("data",)
    spec = NAME
    data: bytes

    @property
    def value(self) -> str:
        return self.data[self.start:self.end - 1].decode("utf-8", "replace")


class LengthField(Bare):
    """The length of a document."""

    __slots__ = ()
    spec = LENGTH
    length = 4


class EndField(Bare):
    """The zero byte at the end of a document."""

    __slots__ = ()
    spec = END
    value = 0
    length = 1
