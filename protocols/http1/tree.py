"""A message as a tree: start line, header fields, body as sent, and the body with its codings undone in byte views.

Names are Wireshark's where it has them; a header field without one is `http.header.<name>`. Credentials are masked unless `Secret.shown`.
"""
from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from functools import lru_cache
from urllib.parse import unquote_plus

from protocols.decoder import MessageBytes
from protocols.engine import fields as f
from protocols.engine.fields import Field, Spec, generated
from protocols.engine.scalars import Secret
from protocols.http1 import bodies, framing, trace
from protocols.http1 import tables as t
from protocols.http1.head import Head, HeaderLine, head, header_lines

__all__ = ["REQUEST_IN", "RESPONSE_IN", "dissect", "specs"]


def S(name: str, label: str, kind: str = "string", about: str = "") -> Spec:
    return Spec("http." + name, label, kind, about=about)


ROOT = Spec("http", "Hypertext Transfer Protocol", "protocol")
REQUEST_IN, RESPONSE_IN = S("request_in", "Request in frame", "frame"), S("response_in", "Response in frame", "frame")
REQUEST, RESPONSE, START = S("request", "Request", "bool"), S("response", "Response", "bool"), S("start_line", "Start line")
METHOD, URI, VERSION = S("request.method", "Request Method"), S("request.uri", "Request URI"), S("request.version", "Request Version")
PATH, QUERY = S("request.uri.path", "Request URI Path"), S("request.uri.query", "Request URI Query")
PARAMETER = S("request.uri.query.parameter", "Request URI Query Parameter")
FULL, FOR = S("request.full_uri", "Full request URI"), S("response_for.uri", "Request URI")
R_VERSION, CODE, PHRASE = S("response.version", "Response Version"), S("response.code", "Status Code", "uint16"), S("response.phrase", "Response Phrase")
DESCRIPTION = S("response.code.desc", "Status Code Description")
REQUEST_LINE, RESPONSE_LINE = S("request.line", "Request line"), S("response.line", "Response line")
LENGTH, END, LEADING = (
    S("content_length", "Content length", "uint64"), S("end_of_head", "End of header fields", "none"),
    S("leading_crlf", "Leading CRLF", "none")
)
CHUNK, CHUNK_SIZE, CHUNK_EXTENSION = S("chunk", "Chunk", "none"), S("chunk_size", "Chunk size", "uint32"), S("chunk_extension", "Chunk extension")
CHUNK_LINE = S("chunk_line", "Chunk size line", about="The size in hexadecimal, and extensions")
CHUNK_DATA, CHUNK_END = S("chunk_data", "Chunk data", "bytes"), S("chunk_boundary", "Chunk boundary", "bytes")
TRAILER, BODY, FILE = S("chunked_trailer_part", "trailer-part"), S("body", "Body", "bytes", "The body as it was sent"), S("file_data", "File Data")
NOTE, BASIC, PAIR = S("note", "Note", about="What is unusual about the message"), S("authbasic", "Credentials"), S("cookie_pair", "Cookie pair")
BOTH = S("te_and_length", "Content-Length and Transfer-Encoding together", "none")
EVENT, E_TYPE, E_ID, E_DATA, E_RETRY = S("sse", "Event", "none"), S("sse.event", "Type"), S("sse.id", "Id"), S("sse.data", "Data"), S("sse.retry", "Retry")
E_LINE = S("sse.line", "Line")
OWN = (ROOT, REQUEST_IN, RESPONSE_IN, REQUEST, RESPONSE, START, METHOD, URI, VERSION, PATH, QUERY, PARAMETER, FULL, FOR, R_VERSION, CODE, PHRASE, DESCRIPTION,
       REQUEST_LINE, RESPONSE_LINE, LENGTH, END, LEADING, CHUNK, CHUNK_LINE, CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_DATA, CHUNK_END, TRAILER, BODY, FILE,
           NOTE, BASIC, PAIR,
       BOTH, EVENT, E_TYPE, E_ID, E_DATA, E_RETRY, E_LINE)
MASKED = "(masked)"


def specs() -> Iterable[Spec]:
    return *OWN, *t.HEADERS.values(), *trace.SPECS


@lru_cache(maxsize=4096)
def _other(name: str) -> Spec:
    return Spec("http.header." + "".join(c if c.isalnum() and c.isascii() else "_" for c in name), name.title() or "(no name)", "string")


def dissect(message: MessageBytes) -> Sequence[Field]:
    data, start, end, view = message.data, message.start, message.end, message.view
    found = head(data, start, end)
    out: list[Field] = []
    if found.line is None:
        if start < end:
            out.append(f.raw(data, start, end, view))
    else:
        if found.line.start > start:
            out.append(Field(LEADING, None, start, found.line.start - start, view, (), "Leading CRLF (the message before may have sent too many)"))
        out.append(_start(found, view))
        out += [_header(one, found.line.request, data, view) for one in found.fields]
        if found.whole:
            before = found.fields[-1].end if found.fields else found.line.end
            out.append(Field(END, None, before, found.end - before, view, (), "\\r\\n"))
        elif found.end < end:
            out.append(f.raw(data, found.end, end, view))
        out += _told(message, found, view, start)
        if found.whole and found.end < end:
            out += _body(message, found)
    if not message.complete:
        out.append(f.incomplete(end - start, message.length, start, view))
    return out


def _start(found: Head, view: int) -> Field:
    line = found.line
    assert line is not None
    (one, a, b), (two, c, d), (three, e, g) = line.words
    text = f"{one} {two} {three}".rstrip()
    if line.request:
        target = [Field(METHOD, one, a, b - a, view), Field(URI, two, c, d - c, view, _uri(two, c, view)), Field(VERSION, three, e, g - e, view)]
        return Field(START, text, line.start, line.end - line.start, view, target, text)
    code = int(two)
    parts = [Field(R_VERSION, one, a, b - a, view), Field(CODE, code, c, d - c, view), generated(DESCRIPTION, t.CODES.get(code, "Unknown"), at=c, view=view)]
    if three:
        parts.append(Field(PHRASE, three, e, g - e, view))
    return Field(START, text, line.start, line.end - line.start, view, parts, text if three else f"{text} [{t.CODES.get(code, 'unknown')}]")


def _uri(target: str, at: int, view: int) -> list[Field]:
    path, mark, query = target.partition("?")
    if not mark:
        return [Field(PATH, path, at, len(path), view)] if path.startswith("/") else []
    out = [Field(PATH, path, at, len(path), view), Field(QUERY, query, at + len(path) + 1, len(query), view)]
    now = at + len(path) + 1
    for part in query.split("&"):
        if part:
            shown = unquote_plus(part)
            text = f"Request URI Query Parameter: {part}" + (f" ({shown})" if shown != part else "")
            out.append(Field(PARAMETER, part, now, len(part), view, (), text))
        now += len(part) + 1
    return out


def _header(one: HeaderLine, request: bool, data: bytes, view: int) -> Field:
    """A header field: the whole line, and below it the value under its own name."""
    spec = t.HEADERS.get(one.name) or _other(one.name)
    hidden = t.secret(one.name) and not Secret.shown
    value, line = one.value, str(data[one.start:one.end], "latin-1")
    below: list[Field] = []
    if hidden:
        value = _masked(one.name, one.value)
        line = f"{line.partition(':')[0]}: {value}\r\n"
    below.append(Field(spec, value, one.at, one.stop - one.at, view))
    if one.name == "content-length" and one.value.isdecimal() and one.value.isascii() and len(one.value) < 20:
        below.append(Field(LENGTH, int(one.value), one.at, one.stop - one.at, view))
    elif one.name in ("authorization", "proxy-authorization") and one.value[:6].lower() == "basic ":
        below.append(generated(BASIC, _credentials(one.value[6:], hidden), at=one.at, view=view))
    elif one.name == "cookie":
        for pair in one.value.split(";"):
            name, mark, content = pair.strip().partition("=")
            below.append(generated(PAIR, f"{name}{mark}{MASKED if hidden and content else content}", at=one.at, view=view))
    if one.fault:
        below.append(generated(NOTE, one.fault, at=one.start, view=view))
    return Field(REQUEST_LINE if request else RESPONSE_LINE, line, one.start, one.end - one.start, view, below, line.rstrip("\r\n"))


def _masked(name: str, value: str) -> str:
    """A secret header value with what is no secret: the scheme, names of cookies."""
    if name in ("authorization", "proxy-authorization"):
        return f"{value.partition(' ')[0]} {MASKED}" if " " in value else MASKED
    if name == "cookie":
        return "; ".join(f"{pair.strip().partition('=')[0]}={MASKED}" for pair in value.split(";"))
    if name == "set-cookie":
        first, mark, rest = value.partition(";")
        return f"{first.partition('=')[0]}={MASKED}{mark}{rest}"
    return MASKED


def _credentials(value: str, hidden: bool) -> str:
    try:
        user, mark, password = base64.b64decode(value, validate=True).decode("utf-8", "replace").partition(":")
    except (binascii.Error, ValueError):
        return MASKED if hidden else value
    return f"{user}{mark}{MASKED if hidden else password}"


def _told(message: MessageBytes, found: Head, view: int, at: int) -> list[Field]:
    """What follows from the head: kind, full address, trace ids, and what is wrong."""
    assert found.line is not None
    out = [generated(REQUEST if found.line.request else RESPONSE, True, at=at, view=view)]
    if found.line.request:
        target, host = found.line.words[1][0], found.value("host")
        full = target if "://" in target else f"http://{host}{target}" if host and target.startswith("/") else ""
        if full:
            out.append(generated(FULL, full, at=at, view=view))
    else:
        peer = message.peer
        asked = head(peer.data, peer.start, peer.end) if peer is not None else None
        if asked is not None and asked.line is not None and asked.line.request:
            out.append(generated(FOR, asked.line.words[1][0], at=at, view=view))
    out += trace.fields(found, at, view)
    if found.values("transfer-encoding") and found.values("content-length"):
        out.append(generated(BOTH, None, "Content-Length and Transfer-Encoding together: the latter counts (request smuggling?)", at, view))
    if found.values("transfer-encoding") and not framing.chunked(found):
        out.append(generated(NOTE, "the last transfer coding is not chunked", at=at, view=view))
    if framing.content_length(found) == -1:
        out.append(generated(NOTE, "Content-Length makes no sense", at=at, view=view))
    if found.line.request and found.line.words[2][0] != "HTTP/1.0" and len(found.values("host")) != 1:
        out.append(generated(NOTE, "Host is missing" if not found.values("host") else "Host is repeated", at=at, view=view))
    return out


def _body(message: MessageBytes, found: Head) -> list[Field]:
    """The body as sent, and the views of it."""
    data, at, end, view = message.data, found.end, message.end, message.view
    kind, codings = found.value("content-type").lower(), found.tokens("content-encoding")
    out: list[Field] = []
    if found.values("transfer-encoding") and framing.chunked(found):
        out += _chunks(data, at, end, view)
        body = bodies.joined(data, at, end)
        codings = codings + found.tokens("transfer-encoding")[:-1]
        where, place = message.add_view("De-chunked body", body), 0
    else:
        body, where, place = data[at:end], view, at
    steps = bodies.decoded(found, body, codings)
    if steps and where == view:
        out.append(Field(BODY, body, at, end - at, view))
    for coding, made, fault in steps:
        if fault:
            out.append(generated(NOTE, f"{coding}: {fault}", at=message.start, view=view))
        if not made:
            return out
        body, place, where = made, 0, message.add_view(f"{coding} body", made)
    if body:
        out.append(_content(body, place, where, kind))
    return out


def _chunks(data: bytes, at: int, end: int, view: int) -> list[Field]:
    """Chunks and trailers; what breaks the rules is malformed."""
    out: list[Field] = []
    while at < end:
        stop = data.find(b"\n", at, end) + 1
        text = str(data[at:stop], "latin-1").rstrip("\r\n")
        digits, mark, extension = text.partition(";")
        try:
            size = int(digits.strip(), 16) if stop and digits.strip().isalnum() else -1
        except ValueError:
            size = -1
        if size < 0:
            out.append(f.malformed(at, "no chunk size", end, view) if stop else f.raw(data, at, end, view))
            return out
        below = [Field(CHUNK_SIZE, size, at, len(digits), view)]
        if mark:
            below.append(Field(CHUNK_EXTENSION, extension, at + len(digits) + 1, len(extension), view))
        parts = [Field(CHUNK_LINE, text, at, stop - at, view, below)]
        last = min(end, stop + size)
        if size and last > stop:
            parts.append(Field(CHUNK_DATA, data[stop:last], stop, last - stop, view))
        now = last
        if size and last == stop + size and now < end:
            now = min(end, last + (2 if data[last:last + 1] == b"\r" else 1))
            parts.append(Field(CHUNK_END, data[last:now], last, now - last, view))
        out.append(Field(CHUNK, None, at, now - at, view, parts, f"Chunk ({size} bytes)" if size else "Last chunk"))
        at = now
        if not size:
            break
    if at < end:
        trailers, after, whole = header_lines(data, at, end)
        out += [Field(TRAILER, str(data[one.start:one.end], "latin-1"), one.start, one.end - one.start, view) for one in trailers]
        if whole:
            out.append(Field(CHUNK_END, data[trailers[-1].end if trailers else at:after], trailers[-1].end if trailers else at,
                             after - (trailers[-1].end if trailers else at), view))
        if after < end:
            out.append(f.raw(data, after, end, view))
    return out


def _content(body: bytes, at: int, view: int, kind: str) -> Field:
    """The body's text; bytes that are no UTF-8 are read as ISO-8859-1."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = body.decode("latin-1")
    below = _events(body, at, view) if kind.startswith("text/event-stream") else []
    return Field(FILE, text, at, len(body), view, below, f"File Data ({len(body)} bytes): {text[:f.SHOWN_TEXT]}")


def _events(body: bytes, at: int, view: int) -> list[Field]:
    """Server-sent events (WHATWG HTML): lines up to an empty one; several lines of data are one text."""
    out: list[Field] = []
    named = {"event": E_TYPE, "id": E_ID, "data": E_DATA, "retry": E_RETRY}
    parts: list[Field] = []
    start = now = 0
    for line in body.splitlines(keepends=True):
        text = line.rstrip(b"\r\n").decode("utf-8", "replace")
        name, _, value = text.partition(":")
        if text:
            parts.append(Field(named.get(name, E_LINE), value.removeprefix(" ") if name in named else text, at + now, len(line), view))
        now += len(line)
        if not text:
            if any(one.spec is E_DATA for one in parts):
                title = next((str(one.value) for one in parts if one.spec is E_TYPE), "message")
                out.append(f.group(EVENT, at + start, at + now, parts, f"Event {title}", view))
            parts, start = [], now
    return out
