"""Writing a file so that nobody meets half of it: it is made under another name in the same folder and takes its own when it is complete."""
from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

__all__ = ["replacing"]


@contextmanager
def replacing(path: Path, private: bool = False) -> Iterator[BinaryIO]:
    """A new file to write to, which replaces `path` at the end of the block, or is removed when the block raises. `private`: only the user may read it, from
    its first byte on, and its folder is made where there is none. Raises OSError."""
    if private:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f"{path.name}.{token_hex(4)}.partial")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600 if private else 0o666), "wb") as out:
            yield out
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
