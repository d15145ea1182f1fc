"""A followed stream as text: its messages in words, or its bytes as text or in hex, in the order in which they came.

What the client sends stands at the left margin; what the server sends is indented by a tab, as in tshark.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from captures.messages.follow import Follow, Turn
from captures.output.hexdump import WIDTH, hex_line
from captures.output.text import relative_time
from captures.stream.places import Stream
from protocols.engine.fields import printable

__all__ = ["MODES", "Mode", "follow_text", "wanted_stream"]

Mode = Literal["decoded", "text", "hex"]
MODES: tuple[Mode, ...] = ("decoded", "text", "hex")
RULE = "=" * 67
PIECE = 1 << 16


def wanted_stream(words: str) -> tuple[Stream, Mode]:
    """`tcp,3`, `udp,0,hex`, or in tshark's order `tcp,hex,3`; a word that is no mode names a layer: `tcp,3,websocket,hex`. Raises ValueError."""
    transport, *rest = words.split(",")
    numbers = [word for word in rest if word.isascii() and word.isdigit()]
    modes = [mode for word in rest for mode in MODES if mode == ("text" if word == "ascii" else word)]
    layers = [word for word in rest if word not in numbers and word not in ("ascii", *MODES)]
    known = not layers or layers[0].replace("_", "").isalnum()
    if transport not in ("tcp", "udp") or len(numbers) != 1 or len(modes) > 1 or len(layers) > 1 or not known:
        raise ValueError(f"a stream is given as tcp,N or udp,N and perhaps a protocol in it and {', '.join(MODES)}: tcp,0,hex; not {printable(words)!r}")
    return Stream(transport, int(numbers[0]), layers[0] if layers else ""), modes[0] if modes else "decoded"


def follow_text(follow: Follow, mode: Mode) -> Iterator[str]:
    """The whole stream, a piece of text a turn or less."""
    stream = ",".join(str(part) for part in follow.stream if part != "")
    yield f"{RULE}\nFollow: {stream},{mode}\nProtocol: {follow.protocol}\n"
    yield f"Client: {follow.client}\nServer: {follow.server}\n{RULE}\n"
    begin = next((turn.time for turn in follow.turns if turn.time is not None), 0)
    offsets = {True: 0, False: 0}
    for turn in follow.turns:
        indent = "" if turn.from_client else "\t"
        if mode == "decoded" or turn.kind == "gap":
            yield _line(turn, begin, indent)
        if turn.kind != "gap" and (mode != "decoded" or turn.kind != "message"):
            data = follow.data(turn)
            yield from _hex(data, offsets[turn.from_client], indent) if mode == "hex" else _text(data, indent)
            offsets[turn.from_client] += len(data)
    yield f"{RULE}\n"


def _line(turn: Turn, begin: int, indent: str) -> str:
    arrow = "→" if turn.from_client else "←"
    words = turn.info if turn.kind != "data" else f"{turn.length:,} bytes"
    kind = f"[{turn.kind}] " if turn.kind in ("gap", "hole") else ""
    time = "" if turn.time is None else relative_time(turn.time - begin) + " "
    return f"{indent}{arrow} {time}packet {turn.packet + 1}: {kind}{words}\n"


def _text(data: bytes, indent: str) -> Iterator[str]:
    """Bytes as lines of text: what is not UTF-8 as `\\xNN`, control characters escaped."""
    for line in data.decode("utf-8", "backslashreplace").replace("\r\n", "\n").removesuffix("\n").split("\n"):
        yield f"{indent}{printable(line)}\n"


def _hex(data: bytes, offset: int, indent: str) -> Iterator[str]:
    """16 bytes a line with their offset in the direction, in two halves, as tshark writes them."""
    lines = []
    for at in range(0, len(data), WIDTH):
        lines.append(f"{indent}{hex_line(data[at:at + WIDTH], offset + at, '08X', halved=True)}\n")
        if len(lines) == PIECE // 64:
            yield "".join(lines)
            lines.clear()
    yield "".join(lines)
