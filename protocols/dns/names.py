"""Domain names: labels and compression pointers (RFC 1035 sections 3.1 and 4.1.4), read with limits.

A pointer counts from the start of the message and must point before the labels that it ends; so following pointers always goes backwards and
ends. What all names of a message expand to is bounded as well, since a few bytes can point at the same long name again and again.
"""
from __future__ import annotations

from collections.abc import Iterator

from protocols.engine.fields import Field, Spec
from protocols.engine.scalars import Malformed, Reader, Source, short

__all__ = ["ROOT", "Context", "Name", "expand", "labels"]

ROOT = "<Root>"
"""How Wireshark writes the name without labels."""
LONGEST = 255
JUMPS = 128
EXPANDED = 1 << 16


class Context:
    """Where the message starts in the bytes (behind the length field of TCP), and how many bytes its names have expanded to."""

    __slots__ = ("base", "expanded")

    def __init__(self, base: int) -> None:
        self.base = base
        self.expanded = 0


def labels(data: bytes, at: int, end: int, base: int) -> tuple[list[bytes], int]:
    """The labels of the name at `at` and the position after its own bytes. Raises Malformed."""
    found: list[bytes] = []
    after, run, size, jumps, limit = 0, at, 1, 0, end
    while True:
        if at >= limit:
            raise Malformed(min(at, end), "a name without its end")
        head = data[at]
        if head == 0:
            return found, after or at + 1
        kind = head & 0xC0
        if kind == 0xC0:
            if at + 2 > limit:
                raise Malformed(at, "half a compression pointer")
            target = base + ((head & 0x3F) << 8 | data[at + 1])
            after = after or at + 2
            jumps += 1
            if target < base + 12:
                raise Malformed(at, "a compression pointer into the header")
            if target >= run or jumps > JUMPS:
                raise Malformed(at, "a compression pointer that does not point backwards")
            at = run = target
            limit = len(data)
            continue
        if kind:
            raise Malformed(at, "a label of an obsolete kind")
        size += head + 1
        if size > LONGEST:
            raise Malformed(at, f"a name of more than {LONGEST} bytes")
        if at + 1 + head > limit:
            raise Malformed(at, "a label that is not all there")
        found.append(data[at + 1:at + 1 + head])
        at += 1 + head


def _escaped(label: bytes) -> str:
    if label.isalnum():
        return label.decode("ascii")
    try:
        text = label.decode()                  # mDNS names are UTF-8 (RFC 6762 section 16)
    except UnicodeDecodeError:
        text = label.decode("latin-1")
        return "".join(c if 0x20 < ord(c) < 0x7f and c not in ".\\" else "\\" + c if c in ".\\" else f"\\{ord(c):03d}" for c in text)
    return "".join("\\" + c if c in ".\\" else c if ord(c) >= 0x20 and c != "\x7f" else f"\\{ord(c):03d}" for c in text)


def expand(found: list[bytes]) -> str:
    """A name as text: dots between labels, a dot inside one escaped."""
    return ".".join(map(_escaped, found)) if found else ROOT


class Name:
    """A domain name; the field has its own bytes only, not those that a pointer leads to."""

    least = 1

    def reader(self, spec: Spec) -> Reader:
        def read_name(source: Source, at: int, end: int, out: list[Field]) -> int:
            context = source.context
            if source.cut and _runs_out(source.data, at, end):
                raise short(source, at, end - at + 1, end, out)
            try:
                found, after = labels(source.data, at, end, context.base)
            except Malformed as fault:
                raise Malformed(at, fault.why + (f" (byte {fault.at})" if fault.at != at else "")) from fault
            context.expanded += sum(map(len, found)) + len(found)
            if context.expanded > EXPANDED:
                raise Malformed(at, f"names of more than {EXPANDED} bytes in one message")
            text = expand(found)
            out.append(Field(spec, text, at, after - at, source.view, (), _line(spec, text, found)))
            return after
        return read_name

    def specs(self, spec: Spec) -> Iterator[Spec]:
        yield spec


def _runs_out(data: bytes, at: int, end: int) -> bool:
    """Whether a cut message ends inside the labels of a name."""
    while at < end:
        head = data[at]
        if head == 0 or head & 0xC0:
            return head & 0xC0 == 0xC0 and at + 2 > end
        at += 1 + head
    return True


def _line(spec: Spec, text: str, found: list[bytes]) -> str | None:
    """The line of a name with internationalised labels, which are shown decoded as well; None for the ordinary line."""
    if not any(label[:4].lower() == b"xn--" for label in found):
        return None
    shown = []
    for label in found:
        try:
            shown.append(label[4:].decode("punycode") if label[:4].lower() == b"xn--" else _escaped(label))
        except UnicodeError:
            shown.append(_escaped(label))
    return f"{spec.label}: {text} ({'.'.join(shown)})"
