"""What the data of records and EDNS options is made of: addresses, character strings, type bitmaps, repeated and chosen parts.

Sources: RFC 1035 section 3.3, RFC 4034 section 4.1.2.
"""
from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from protocols.dns import tables as t
from protocols.dns.names import Name
from protocols.engine.fields import Field, Spec
from protocols.engine.records import U8, Blob, Custom, Layout, Reader, Rest, Sized, Source, Switch, Type
from protocols.engine.scalars import Leaf, Malformed, Number, Short, short

__all__ = ["BITMAP", "ETHER", "IP4", "IP6", "NAME", "SECONDS", "AddressPart", "Choice", "Fixed", "Many", "S", "Str", "Time48"]

NAME = Name()
SECONDS = Number("I", ">", 1_000_000_000)


def S(name: str, label: str, kind: str = "string", **more: object) -> Spec:
    """A field of DNS."""
    return Spec("dns." + name, label, kind, **more)  # type: ignore[arg-type]


class Fixed(Leaf):
    """`count` bytes, shown as their spec's type wants: an address of IPv4, IPv6, a link address, or the bytes."""

    def __init__(self, count: int) -> None:
        self.least = count

    def reader(self, spec: Spec) -> Reader:
        count = self.least

        def read_fixed(source: Source, at: int, end: int, out: list[Field]) -> int:
            if end - at < count:
                raise short(source, at, count, end, out)
            data = source.data[at:at + count]
            value: object = data
            if spec.type == "ipv4":
                value = str(IPv4Address(data))
            elif spec.type == "ipv6":
                value = str(IPv6Address(data))
            elif spec.type == "ether":
                value = data.hex(":")
            out.append(Field(spec, value, at, count, source.view))
            return at + count
        return read_fixed


IP4, IP6, ETHER = Fixed(4), Fixed(16), Fixed(6)


class Str(Blob):
    """A length of one byte and that many bytes of text; the length has its own field, `length`, where Wireshark names one."""

    def __init__(self, length: Spec | None = None) -> None:
        super().__init__(U8, None)
        self.named = length

    def reader(self, spec: Spec) -> Reader:
        named = self.named or spec.length

        def read_str(source: Source, at: int, end: int, out: list[Field]) -> int:
            if at >= end:
                raise short(source, at, 1, end, out)
            count = source.data[at]
            out.append(Field(named, count, at, 1, source.view))
            if at + 1 + count > end:
                raise short(source, at + 1, count, end, out)
            out.append(Field(spec, str(source.data[at + 1:at + 1 + count], "utf-8", "backslashreplace"), at + 1, count, source.view))
            return at + 1 + count
        return read_str

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield self.named or spec.length
        yield spec


class Many:
    """Elements up to the end, without a node around them."""

    least = 0

    def __init__(self, element: Type) -> None:
        self.element = element

    def reader(self, spec: Spec) -> Reader:
        inner = self.element.reader(spec)

        def read_many(source: Source, at: int, end: int, out: list[Field]) -> int:
            while at < end:
                after = inner(source, at, end, out)
                if after <= at:
                    raise Malformed(at, "an element of no bytes")
                at = after
            return at
        return read_many

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield from self.element.specs(spec)


def _bitmap(spec: Spec) -> Reader:
    """Blocks of a window, a length (1 to 32) and bits, the highest bit of the first byte being type window * 256 (RFC 4034 section 4.1.2)."""
    def read_bitmap(source: Source, at: int, end: int, out: list[Field]) -> int:
        data, start, before, found = source.data, at, -1, []
        fault: Malformed | None = None
        while at < end and fault is None:
            window, count = data[at], data[at + 1] if at + 1 < end else 0
            if at + 2 > end or (1 <= count <= 32 and at + 2 + count > end):
                fault = Short(at, 2 + count, end - at)
            elif not 1 <= count <= 32 or window <= before:
                fault = Malformed(at, "windows of a type bitmap out of order" if window <= before else f"a type bitmap of {count} bytes")
            else:
                for index, byte in enumerate(data[at + 2:at + 2 + count]):
                    found += [window << 8 | index << 3 | bit for bit in range(8) if byte & 0x80 >> bit]
                before = window
                at += 2 + count
        if at > start:
            out.append(Field(spec, data[start:at], start, at - start, source.view, (), f"{spec.label}: {' '.join(map(t.type_name, found)) or 'none'}"))
        if isinstance(fault, Short):
            raise short(source, at, fault.wanted, end, out)
        if fault is not None:
            raise fault
        return at
    return read_bitmap


BITMAP = Custom(_bitmap)


class AddressPart(Leaf):
    """The bytes up to the end that stand for the front of an address, the rest of which is zero. `family` is the spec of the field that says
    1 (IPv4) or 2 (IPv6); the spec's own type says which of them is read here."""

    least = 0

    def __init__(self, size: int) -> None:
        self.size = size

    def reader(self, spec: Spec) -> Reader:
        size = self.size

        def read_part(source: Source, at: int, end: int, out: list[Field]) -> int:
            count = end - at
            if count > size:
                raise Malformed(at, f"an address of {count} bytes")
            data = source.data[at:end].ljust(size, b"\0")
            out.append(Field(spec, str(IPv4Address(data) if size == 4 else IPv6Address(data)), at, count, source.view))
            return end
        return read_part


class Choice:
    """One of several fields, by the value read before for `earlier`, within as many bytes as the one for `size` says."""

    least = 0

    def __init__(self, earlier: Spec, size: Spec, cases: dict[int, tuple[Spec, Type]], other: Spec) -> None:
        self.kinds = {value: Layout(None, ((spec, kind),)) for value, (spec, kind) in cases.items()}
        self.all = Sized(size, Switch(earlier, self.kinds, Layout(None, ((other, Rest()),))))

    def reader(self, spec: Spec) -> Reader:
        return self.all.reader(spec)

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield from self.all.specs(spec)


class Time48(Leaf):
    """Seconds since 1970 in 6 bytes."""

    least = 6

    def reader(self, spec: Spec) -> Reader:
        def read_time(source: Source, at: int, end: int, out: list[Field]) -> int:
            if end - at < 6:
                raise short(source, at, 6, end, out)
            out.append(Field(spec, int.from_bytes(source.data[at:at + 6], "big") * 1_000_000_000, at, 6, source.view))
            return at + 6
        return read_time
