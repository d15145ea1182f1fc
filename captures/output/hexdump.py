"""Bytes in hex and as text, for every dump: `-x`, `--follow` in hex, the bytes pane, the follow screen, and what `yh` copies."""
from __future__ import annotations

from collections.abc import Iterator

__all__ = ["WIDTH", "hex_digits", "hex_line", "hex_lines", "picture"]

WIDTH = 16
"""Bytes in a line of a dump; only the bytes pane has wider and narrower ones."""
VISIBLE = bytes(code if 0x20 <= code < 0x7F else 0x2E for code in range(256))


def picture(data: bytes) -> str:
    """A character a byte: printable ASCII as it is, all else as a dot."""
    return data.translate(VISIBLE).decode("ascii")


def hex_digits(data: bytes, width: int = WIDTH, group: int = 8) -> str:
    """The bytes of a line in hex, with a blank between bytes and two between groups, filled up to what `width` bytes take: 48 characters for 16."""
    groups = [data[at:at + group].hex(" ") for at in range(0, len(data), group)]
    return "  ".join(groups).ljust(3 * width - 1 + (width - 1) // group)


def hex_line(data: bytes, offset: int, digits: str = "08x", group: int = 8, halved: bool = False) -> str:
    """At most 16 bytes as a line: the offset in the format `digits`, the bytes in hex (48 characters, whatever the groups), their picture.
    `halved` puts a blank between the two halves of the picture, too."""
    text = picture(data)
    if halved and len(data) > 8:
        text = f"{text[:8]} {text[8:]}"
    return f"{offset:{digits}}  {hex_digits(data, WIDTH, group):<48}  {text}"


def hex_lines(data: bytes, group: int = 8) -> Iterator[str]:
    """All of `data`, 16 bytes a line, with offsets of at least four digits. `group=16` gives tshark's `-x`, which parts no halves."""
    for at in range(0, len(data), WIDTH):
        yield hex_line(data[at:at + WIDTH], at, "04x", group)
