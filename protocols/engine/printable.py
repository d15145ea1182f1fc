"""Text from captures made fit for a terminal."""
from __future__ import annotations

import re

__all__ = ["printable"]

# C0 and C1 controls, DEL, line and paragraph separators, bidirectional overrides, byte order mark, lone surrogates
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]")
NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}


def printable(text: str) -> str:
    """`text` with every character that could steer a terminal written as an escape."""
    return text if text.isprintable() else UNPRINTABLE.sub(_escape, text)  # quick for most texts: none of those characters is printable to Python


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    return NAMED.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
