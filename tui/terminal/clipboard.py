"""Putting text on the clipboard of the machine that the user sits at.

OSC 52 asks the terminal and works over SSH, but is never answered, so what went only that way is not called copied; tmux drops it by default, so there
tmux is asked as well, and GNU screen passes it on only in wrapped pieces. On a local
desktop pyperclip is tried in a process of its own, with a time limit, and believed only if it reads the same text back.
"""
from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Mapping

LIMIT = 74_994
"""Bytes of text that terminals take by OSC 52 (100,000 of base64)."""
PIECE = 240
"""Bytes that GNU screen passes on in one device control string (its buffer holds 256 in old versions, 768 in newer ones)."""
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


def osc_52(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """The sequence that asks the terminal to take a text: `ESC ] 52 ; c ; BASE64 BEL`. Inside GNU screen it goes in pieces, each wrapped as `ESC P ... ESC \\`,
    which screen hands to the terminal around it without looking into it."""
    sequence = f"\x1b]52;c;{base64.b64encode(text.encode('utf-8', 'replace')).decode()}\x07"
    if not (environ.get("STY") and environ.get("TERM", "").startswith("screen")):
        return sequence
    return "".join(f"\x1bP{sequence[at:at + PIECE]}\x1b\\" for at in range(0, len(sequence), PIECE))


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
    """What was done, and no more than that: copied is only what something confirmed."""
    if ways:
        return f"Copied {what}: {_volume(text)} by {', '.join(ways)}, and sent to the terminal (OSC 52)"
    return f"Sent {what} to the terminal's clipboard: {_volume(text)} by OSC 52, which terminals do not confirm"


def _volume(text: str) -> str:
    count = len(text.encode("utf-8", "replace"))
    return f"{count:,} {'byte' if count == 1 else 'bytes'}"


def refusal(what: str, text: str) -> str:
    """Why nothing was sent."""
    return f"{what} is {_volume(text)}, more than a terminal's clipboard takes ({LIMIT:,}); nothing was copied"
