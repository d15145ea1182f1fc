"""The four-letter words: commands in plain ASCII that a client sends instead of a first frame.

The server reads them where a length would stand, answers with text and closes. Source: Apache ZooKeeper 3.10.0-SNAPSHOT,
`FourLetterCommands.java`, `NIOServerCnxn.checkFourLetterWord`, and what a 3.9.3 server answered.
"""
from __future__ import annotations

import re

from protocols.decoder import Status
from protocols.engine.fields import Field, Spec, group, incomplete
from protocols.zookeeper.layouts import TRAILING

WORDS = {
    b"conf": "configuration", b"cons": "connections in full", b"crst": "reset the connections' counters", b"dirs": "sizes of the data and log folders",
    b"dump": "sessions and ephemeral nodes", b"envi": "environment", b"gtmk": "get the trace mask", b"stmk": "set the trace mask",
    b"ruok": "are you ok?", b"srvr": "server summary", b"srst": "reset the server's counters", b"stat": "server summary and clients",
    b"wchs": "summary of the watches", b"wchc": "watches by session", b"wchp": "watches by path", b"mntr": "values for monitoring",
    b"isro": "is the server read-only?", b"hash": "history of digests", b"\xff\xf4\xff\xfd": "telnet interrupt",
}
TELNET = b"\xff\xf4\xff\xfd"

_REFUSED = rb"\w{4} is not executed because it is not in the whitelist\."
_NOT_SERVING = rb"This ZooKeeper instance is not currently serving requests"
_ANSWERS = {
    b"conf": rb"\w+=[^\n]*\n", b"cons": rb"\s*/[\d\[]|\s+\Z", b"crst": rb"Connection stats reset", b"dirs": rb"datadir_size", b"dump": rb"SessionTracker dump",
    b"envi": rb"Environment:", b"gtmk": rb"\d+\Z", b"stmk": rb"\d+\Z", b"ruok": rb"imok", b"srvr": rb"Zookeeper version:", b"srst": rb"Server stats reset",
    b"stat": rb"Zookeeper version:", b"wchs": rb"\d+ connections watching", b"wchc": rb"0x[0-9a-f]+\n|\s*\Z", b"wchp": rb"/[^\n]*\n\t0x|\s*\Z",
    b"mntr": rb"zk_", b"isro": rb"r[ow]\Z|null", b"hash": rb"\[|\{|\s*\Z",
}
_FITS = {word: re.compile(rb"(?:%s)|%s|%s" % (answer, _REFUSED, _NOT_SERVING)) for word, answer in _ANSWERS.items()}

COMMAND = Spec("zookeeper.word", "Command", "string", about="A four-letter word in place of the first frame")
MASK = Spec("zookeeper.word.mask", "Trace mask", "uint64", show=lambda v: f"0x{v:x}")
REPLY = Spec("zookeeper.word.reply", "Reply")
LINE = Spec("zookeeper.word.line", "Line", "string")
SERVER = Spec("zookeeper.word.version", "Zookeeper version", "string", about="The server's exact version")
SPECS = (COMMAND, COMMAND.length, MASK, REPLY, LINE, SERVER)

_VERSION = b"Zookeeper version: "


def word(opening: bytes) -> bytes:
    """The word that a connection's first bytes are, b"" when they are none."""
    return opening[:4] if opening[:4] in WORDS else b""


def name(found: bytes) -> str:
    return "telnet interrupt" if found == TELNET else found.decode()


def alone(opening: bytes) -> bool:
    """Whether nothing but a word was sent: a line end may follow, and after stmk the mask of 8 bytes."""
    more = len(opening) - 4
    return more == 0 or opening[4:] in (b"\n", b"\r\n") or (opening[:4] == b"stmk" and more == 8) or (opening[:4] == TELNET and more <= 2)


def fits(found: bytes, reply: bytes) -> bool:
    """Whether `reply` begins as the answer to this word does."""
    pattern = _FITS.get(found)
    return pattern is not None and pattern.match(reply) is not None


def outcome(reply: bytes) -> tuple[Status, str]:
    """How a word ended, and the error in words."""
    if re.match(_REFUSED, reply):
        return Status.CLIENT_ERROR, "not in the whitelist"
    if reply.startswith(_NOT_SERVING):
        return Status.SERVER_ERROR, "not serving"
    return Status.OK, ""


def first_line(reply: bytes) -> str:
    return reply[:200].strip().split(b"\n")[0].decode("utf-8", "replace").strip()


def dissect_word(data: bytes, start: int, end: int, view: int) -> list[Field]:
    found = data[start:start + 4]
    text = f"{name(found)} ({WORDS[found]})" if found in WORDS else found.decode("utf-8", "replace")
    out = [Field(COMMAND, name(found) if found in WORDS else text, start, min(4, end - start), view, (), f"Command: {text}")]
    at = start + 4
    if found == b"stmk" and end - at >= 8:
        out.append(Field(MASK, int.from_bytes(data[at:at + 8], "big"), at, 8, view))
        at += 8
    if at < end:
        out.append(Field(TRAILING, data[at:end], at, end - at, view))
    return out


def dissect_reply(data: bytes, start: int, end: int, length: int, view: int) -> list[Field]:
    """The text, one field a line; each line's range ends with its line feed."""
    lines: list[Field] = []
    at = start
    while at < end:
        stop = data.find(b"\n", at, end)
        stop = end if stop < 0 else stop + 1
        line = data[at:stop]
        spec, shown = (SERVER, line[len(_VERSION):]) if line.startswith(_VERSION) else (LINE, line)
        value = shown.rstrip(b"\r\n").decode("utf-8", "replace")
        lines.append(Field(spec, value, at, stop - at, view, (), line.rstrip(b"\r\n").decode("utf-8", "replace") or "<empty line>"))
        at = stop
    out = [group(REPLY, start, end, lines, f"Reply ({len(lines)} {'line' if len(lines) == 1 else 'lines'}, {end - start} bytes)", view)]
    if end - start < length:
        out.append(incomplete(end - start, length, start, view))
    return out
