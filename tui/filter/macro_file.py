"""The user's filter macros on disk: `dfilter_macros` in the user's folder of settings, in the format of Wireshark's file of that name.

A line a macro, `"name","text"`, with `\\x22` for a quote inside; the form of later versions, `"name" text` (their file `dmacros`), is read as well. Lines that
are something else stay as they are and are told; a file that cannot be read is as good as none.
"""
from __future__ import annotations

import re
from pathlib import Path

from platformdirs import user_config_path

from captures.file.atomic import replacing

LARGEST_FILE = 1 << 20
NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}", re.ASCII)
LINE = re.compile(r'\s*"((?:[^"\\]|\\.)*)"(?:\s*,\s*"((?:[^"\\]|\\.)*)"\s*(?:,.*)?|\s+(\S.*))')
ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)


class MacroFile:
    """`folder` defaults to the user's folder of settings."""

    def __init__(self, folder: Path | None = None) -> None:
        self.path = (folder or user_config_path("protoview")) / "dfilter_macros"
        self.problems: list[str] = []
        """Which lines are no macros."""
        self._stamp: tuple[int, int] | None = None
        self._macros: dict[str, str] = {}

    @property
    def macros(self) -> dict[str, str]:
        """Text by name; read again when the file has changed."""
        try:
            known = self.path.stat()
            stamp = (known.st_mtime_ns, known.st_size)
        except OSError:
            stamp = None
        if stamp != self._stamp:
            self._stamp = stamp
            self._macros, self.problems = {}, []
            for number, line in enumerate(self._lines(), 1):
                name, text = _parsed(line)
                if name:
                    self._macros[name] = text
                elif line.strip() and not line.lstrip().startswith("#"):
                    self.problems.append(f'{self.path}: line {number} is no macro: wanted "name","text"')
        return self._macros

    def define(self, name: str, text: str) -> str:
        """Keep a macro; returns why that failed, or ""."""
        new = f'"{name}","{_escaped(text)}"'
        lines = self._lines()
        at = next((k for k, line in enumerate(lines) if _parsed(line)[0] == name), len(lines))
        lines[at:at + 1] = [new]
        try:
            with replacing(self.path, private=True) as file:
                file.write(("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))
        except OSError as fault:
            return str(fault)
        return ""

    def _lines(self) -> list[str]:
        try:
            if self.path.stat().st_size > LARGEST_FILE:
                return []
            return self.path.read_text("utf-8", "surrogateescape").splitlines()
        except OSError:
            return []


def _parsed(line: str) -> tuple[str, str]:
    """Name and text of a macro; two empty ones for another line."""
    found = LINE.fullmatch(line)
    name = _plain(found[1]) if found else ""
    if found is None or not NAME.fullmatch(name):
        return "", ""
    return name, _plain(found[2]) if found[3] is None else found[3].strip()


def _plain(text: str) -> str:
    data = ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else found[2], text.encode("utf-8", "surrogateescape"))
    return data.decode("utf-8", "replace")


def _escaped(text: str) -> str:
    return "".join(f"\\x{ord(c):02x}" if c in '"\\' or (c.isascii() and not c.isprintable()) else c for c in text)
