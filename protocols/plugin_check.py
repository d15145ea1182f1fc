"""Whether a plugin may run, and whether it is all that a decoder must be: asked once, when it is loaded.

What is missing or of the wrong type is said here in a line with the author's file and line, instead of in the middle of a capture.
"""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from protocols.decoder import Decoder, Framing
from protocols.engine.checked import wrong_spec
from protocols.engine.mistakes import written_at
from protocols.engine.printable import printable
from protocols.fast import Fast

__all__ = ["check", "others_may_write"]

NAMES = ("name", "title", "column")
METHODS = ("specs", "recognise", "header", "describe", "dissect")
FRAMING = ("framing", "framing_for", "frame")
"""One of these three, unless the protocol comes in datagrams alone."""
TYPES: dict[str, tuple[type, ...]] = {"ports": (frozenset, set), "transports": (frozenset, set), "prefixes": (tuple,), "header_bytes": (int,),
                                      "fast": (Fast, type(None)), "framing": (Framing, type(None)), "frames": (tuple, type(None))}


def check(decoder: Decoder) -> None:
    """Raise TypeError for what would go wrong later. A title or column that no terminal should get is made printable."""
    cls = type(decoder)
    for what in NAMES:
        if not isinstance(getattr(decoder, what, None), str) or not getattr(decoder, what):
            raise TypeError(_missing(decoder, what))
        setattr(decoder, what, printable(getattr(decoder, what)))
    if not decoder.name.replace("_", "").isalnum() or not decoder.name.isascii() or decoder.name != decoder.name.lower():
        raise TypeError(f"{decoder.name!r} is no filter name: lower-case letters, digits and _")
    for what, types in TYPES.items():
        if not isinstance(getattr(decoder, what), types):
            raise TypeError(f"{cls.__name__}.{what} is of type {type(getattr(decoder, what)).__name__}, not {types[0].__name__} ({_place(cls)})")
    missing = [what for what in METHODS if getattr(cls, what) is getattr(Decoder, what)]
    if missing:
        raise TypeError(_missing(decoder, ", ".join(missing)))
    if "tcp" in decoder.transports and all(getattr(cls, what) is getattr(Decoder, what) for what in FRAMING):
        raise TypeError(f"{cls.__name__} has neither framing nor frame, so no message ends ({_place(cls)})")
    if not all(isinstance(port, int) for port in decoder.ports) or not decoder.transports <= {"tcp", "udp"}:
        raise TypeError(f"{cls.__name__} has ports that are no numbers, or transports other than tcp and udp ({_place(cls)})")
    specs: list[Any] = [*decoder.specs(), *(decoder.frames or ())]
    for spec in specs:
        why = wrong_spec(spec)
        if not why and spec.name != decoder.name and not spec.name.startswith(decoder.name + "."):
            why = f"the field {spec.name} is outside {decoder.name}"
        if why:
            raise TypeError(f"{why} ({written_at(decoder.specs)})")
    if decoder.fast is not None and not all(isinstance(name, str) for name in (*decoder.fast.columns, *decoder.fast.verbatim())):
        raise TypeError(f"{type(decoder.fast).__name__} names fields by what is no text ({_place(type(decoder.fast))})")


def _missing(decoder: Decoder, what: str) -> str:
    return f"{type(decoder).__name__} has no {what} ({_place(type(decoder))})"


def _place(cls: type) -> str:
    """The file and line where a class starts."""
    import inspect  # only where there is something to complain of: its import takes longer than a decoder's

    try:
        return printable(f"{Path(inspect.getfile(cls)).name}:{inspect.findsource(cls)[1] + 1}")
    except (OSError, TypeError):
        return written_at(cls)


def others_may_write(path: Path, mine: bool = True) -> str:
    """Why a plugin file or folder must not be trusted, as ssh judges its own: somebody but the user and root may write to it. `mine`: it must also
    belong to one of them (a file that the user named may be another's). "" when all is well, or the system knows no such rights."""
    try:
        found = path.stat()
    except OSError:
        return ""       # it cannot be run either, which says why
    if not hasattr(os, "getuid"):
        return ""
    if mine and found.st_uid not in (0, os.getuid()):
        return "it belongs to another user"
    if found.st_mode & 0o002:
        return "everybody may write to it (chmod o-w)"
    if found.st_mode & 0o020 and not _alone(found.st_uid, found.st_gid):
        return "its group may write to it (chmod g-w)"
    return ""


def _alone(user: int, group: int) -> bool:
    """Whether a group is the user's own and has nobody else in it, as many systems make one for each user; then its rights are the user's."""
    import grp
    import pwd

    try:
        owner, members = pwd.getpwuid(user), grp.getgrgid(group)
    except KeyError:
        return False
    return owner.pw_gid == group and members.gr_name == owner.pw_name and set(members.gr_mem) <= {owner.pw_name}
