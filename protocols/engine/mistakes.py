"""A decoder's mistakes: which exceptions they are, and how one is told on a line.

Whoever calls a decoder, or uses what it gave, catches MISTAKES and goes on with what `failed` says in place of the result. What is none of
the decoder's stays uncaught: Ctrl-C, and `BaseException`s of the program's own that pass through decoders.
"""
from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from traceback import walk_tb
from typing import Any

from protocols.engine.printable import printable

__all__ = ["MISTAKES", "PLUGIN", "failed", "told", "written_at"]

MISTAKES = (Exception, SystemExit)
PLUGIN = "protoview_plugin_"
"""What the module names of plugin files start with."""
OURS = frozenset({"captures", "protocols", "protoview", "tui"})
LONGEST = 300
"""Characters of an exception's text."""


def told(fault: BaseException) -> str:
    """An exception on one line, fit for a terminal, with the place in the decoder's file: "KeyError: 'id' (crate.py:14)"."""
    try:
        lines = str(fault).strip().splitlines()
    except MISTAKES:    # a text that cannot be made is one more mistake
        lines = []
    text = f"{type(fault).__name__}: {lines[0]}" if lines else type(fault).__name__
    where = _where(fault)
    return printable(text if len(text) <= LONGEST else text[:LONGEST] + "…") + (f" ({where})" if where else "")


def failed(fault: BaseException) -> str:
    """The words in place of what a decoder should have given."""
    return f"the decoder failed: {told(fault)}"


def written_at(function: Callable[..., Any] | type) -> str:
    """Where a function or class is written: "crate.py:14"; the name of its module where no line is known."""
    code = getattr(function, "__code__", None)
    if code is None and isinstance(function, type):
        code = next((found for one in vars(function).values() if (found := getattr(one, "__code__", None)) is not None), None)
    return _shown(code.co_filename, code.co_firstlineno) if code is not None else printable(str(getattr(function, "__module__", "")))


def _where(fault: BaseException) -> str:
    """The innermost line of the decoder's own that the exception came through; "" where there is none."""
    best, found = 0, ""
    for frame, line in walk_tb(fault.__traceback__):
        rank = _rank(str(frame.f_globals.get("__name__", "")))
        if rank and rank >= best:
            best, found = rank, _shown(frame.f_code.co_filename, line)
    return found


def _rank(module: str) -> int:
    """How much a module looks like the decoder's own: a plugin file, an installed package, a built-in decoder, nobody's."""
    top = module.partition(".")[0]
    if module.startswith(PLUGIN):
        return 3
    if top not in OURS and top not in sys.stdlib_module_names:
        return 2
    return int(top == "protocols" and module.count(".") > 1 and not module.startswith("protocols.engine."))


def _shown(file: str, line: int) -> str:
    return printable(f"{Path(file).name}:{line}")
