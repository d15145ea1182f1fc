"""How many colours the terminal has, and whether its background is dark or light, as far as it and its environment tell.

Nothing here loads Textual, which reads the number of colours when it is imported.
"""
from __future__ import annotations

import os
import re
from collections.abc import Mapping

__all__ = ["DEPTHS", "asked", "depth", "guessed", "told"]

DEPTHS = ("truecolor", "256", "standard")
"""The kinds of terminals, as Textual and Rich call them; "standard" is 16 colours."""
ANSWER = re.compile(r"rgba?:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})")


def depth(environ: Mapping[str, str] = os.environ) -> str:
    """How many colours the terminal has, one of DEPTHS. GNU screen hands COLORTERM on from the terminal that it was started in, and takes the numbers of
    a 24-bit colour for attributes."""
    term = environ.get("TERM", "")
    in_screen = term.startswith("screen") and bool(environ.get("STY"))
    if not in_screen and (environ.get("COLORTERM", "") in ("truecolor", "24bit") or term.endswith("-direct")):
        return "truecolor"
    return "256" if "256color" in term else "standard"


def asked(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal may be asked for its background (OSC 11): GNU screen passes no answer on, and the Linux console prints the question."""
    term = environ.get("TERM", "")
    return not (term.startswith("screen") and environ.get("STY")) and not term.startswith("linux")


def guessed(environ: Mapping[str, str] = os.environ) -> str:
    """"dark" or "light" by COLORFGBG (`15;0`: the last is the background), which some terminals set; else "dark"."""
    ground = environ.get("COLORFGBG", "").rpartition(";")[2]
    return "light" if ground in ("7", "15") else "dark"


def told(answer: str) -> str | None:
    """"dark" or "light" by the answer to OSC 11 (`rgb:ffff/ffff/ffff`, one to four hex digits each); None for another answer."""
    found = ANSWER.match(answer)
    if found is None:
        return None
    red, green, blue = (int(part, 16) / (16 ** len(part) - 1) for part in found.groups())
    return "light" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "dark"
