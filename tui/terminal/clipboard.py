"""Putting text on the clipboard of the machine that the user sits at.

OSC 52 asks the terminal and works over SSH, but is never answered; tmux drops it by default, so there tmux is asked as well. On a
local desktop pyperclip is tried in a process of its own, with a time limit, and believed only if it reads the same text back.
"""
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

LIMIT = 74_994
"""Bytes of text that terminals take by OSC 52 (100,000 of base64)."""
PATIENCE = 2.0
REMOTE = ("SSH_TTY", "SSH_CONNECTION", "SSH_CLIENT", "MOSH_CONNECTION", "MOSH_IP")

# The exit status is the answer: a clipboard tool that stays behind would keep a pipe open.
SCRIPT = """
import sys, pyperclip
text = sys.stdin.buffer.read().decode()
pyperclip.copy(text)
sys.exit(pyperclip.paste() != text)
"""


def is_remote(environ: Mapping[str, str]) -> bool:
    """Whether the user sits at another machine, as far as the environment tells."""
    return any(environ.get(name) for name in REMOTE)


def by_tmux(text: str, environ: Mapping[str, str]) -> bool:
    """Through tmux (3.2 or later) to the terminal that it runs in."""
    return bool(environ.get("TMUX")) and _run(["tmux", "load-buffer", "-w", "-"], text)


def by_desktop(text: str, environ: Mapping[str, str]) -> bool:
    """Through the desktop's own clipboard; True only if it gives the text back."""
    return not is_remote(environ) and _run([sys.executable, "-c", SCRIPT], text)


def routes(text: str, environ: Mapping[str, str] = os.environ) -> list[str]:
    """Send text by every way besides OSC 52; returns the names of those that worked. Blocks for up to 2 x PATIENCE seconds."""
    ways = (("tmux", by_tmux), ("desktop clipboard", by_desktop))
    return [name for name, way in ways if way(text, environ)]


def _run(command: list[str], text: str) -> bool:
    try:
        ended = subprocess.run(command, input=text.encode("utf-8", "replace"), timeout=PATIENCE, check=False,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ended.returncode == 0


def report(what: str, text: str, ways: list[str]) -> str:
    """What was done, and no more than that."""
    return f"Copied {what}: {len(text.encode('utf-8', 'replace')):,} bytes by {', '.join(['OSC 52', *ways])}"


def refusal(what: str, text: str) -> str:
    """Why nothing was sent."""
    return f"{what} is {len(text.encode('utf-8', 'replace')):,} bytes, more than a terminal's clipboard takes ({LIMIT:,}); nothing was copied"
