"""The fields of a message: header, payload by command and generation, and what is known beside the bytes.

A classic payload is read by the layout that consumes it exactly; a reply by its request, and where that was not captured by a guess that says so. Of a VSR
frame the header names the operation; a reply's payload may begin with a section of results.
"""
from __future__ import annotations

from functools import cache

from protocols.decoder import MessageBytes
from protocols.engine.fields import Field, Spec, generated
from protocols.engine.records import U32LE, U64LE, Array, IfMore, Layout, Limited, Rest, read
from protocols.iggy import commands as c
from protocols.iggy import errors, vsr
from protocols.iggy.generation import TELLING, Session, body, layout_for, sound, tiles, vsr_body
from protocols.iggy.kinds import UNKNOWN_SHOWN, sized, whole
from protocols.iggy.layouts import GENERATIONS, VSR, reply_parts, request_parts
from protocols.iggy.messages import ONE_BATCH
from protocols.iggy.parts import DERIVED_OPTIONS, PARTITION_ID, STREAM, TOPIC, Parts
from protocols.iggy.vsr import CODE, STATUS, Frame

__all__ = ["GETS", "TELLING", "code_of", "frame", "operation_of", "reply", "request", "specs"]

ROOT = Spec("iggy", "Apache Iggy", "protocol")
LENGTH = Spec("iggy.length", "Length", "uint32", about="Of a request: bytes behind this field; of a reply: bytes of the payload")
BODY = Spec("iggy.body", "Payload", "bytes", about="A payload whose layout is not known")
TRAILING = Spec("iggy.trailing", "Trailing bytes", "bytes", about="Bytes behind the payload; servers ignore them")
ERROR_TEXT = Spec("iggy.error.text", "Error text", "string")
COMMAND = Spec("iggy.command", "Operation", "string", about="The operation that a message belongs to, also on its reply")
ERROR = Spec("iggy.error", "Error", "string", about="What the status says, and whose fault it is")
GENERATION = Spec("iggy.generation", "Layouts of", "string", about="The server releases whose layouts fit, and why they were chosen")
GUESS = Spec("iggy.guess", "Guess", "string", about="The layout that fits where the request was not captured")
NOTE = Spec("iggy.note", "Note", "string", about="What is unusual about the message")
GENERATED = (COMMAND, ERROR, GENERATION, GUESS, NOTE)

_REQUEST: Parts = ((LENGTH, U32LE), (CODE, U32LE))
_REPLY: Parts = ((STATUS, U32LE), (LENGTH, U32LE))
_AFTER: Parts = ((TRAILING, Rest()),)
_UNKNOWN: Parts = ((BODY, Rest()),)
GETS = frozenset({c.CLIENT, c.USER, c.GET_OFFSET, c.STREAM, c.TOPIC, c.GROUP})
"""Commands to which an empty payload says that there is no such thing."""
TRIED_MOST = 1 << 24


@cache
def _request_layout(generation: int, code: int) -> Layout:
    parts = request_parts(generation, code)
    return Layout(None, (*_REQUEST, *_UNKNOWN) if parts is None else (*_REQUEST, *parts, *_AFTER))


@cache
def _reply_layout(generation: int, code: int) -> Layout:
    parts = reply_parts(generation, code)
    if parts is None:
        return Layout(None, (*_REPLY, *_UNKNOWN))
    return Layout(None, (*_REPLY, (BODY, IfMore(Layout(None, parts))), *_AFTER))


_FAILED = Layout(None, (*_REPLY, (ERROR_TEXT, Rest(text=True))))
_UNREAD = Layout(None, (*_REPLY, *_UNKNOWN))
_SHORT = Layout(None, _REQUEST)


def request(message: MessageBytes) -> list[Field]:
    """The fields of a classic request."""
    data, start, end, view, note = message.data, message.start, message.end, message.view, message.header.context
    if end - start < 8:
        return read(_SHORT, data, start, end, view=view, want=message.length)
    code, session = note.code, note.session
    generation, out = _read(message, code, True)
    out.append(generated(COMMAND, c.operation(code), at=start, view=view))
    out.append(_told(generation, code, True, session, start, view))
    if body(generation, code, True) is None:
        out.append(_note(f"command {code} has no layout in this framing here: its payload is shown as bytes", start, view))
    _trailing(out, start, view)
    return out


def _read(message: MessageBytes, code: int, request: bool) -> tuple[int, list[Field]]:
    """(generation, fields) of a classic message: by the connection's generation, unless another one fits and that does not."""
    data, start, end, view = message.data, message.start, message.end, message.view
    layout = _request_layout if request else _reply_layout
    session = message.header.context.session
    generation = session.generation
    out = read(layout(generation, code), data, start, end, view=view, want=message.length)
    if message.complete and not (sound(out) and out[-1].spec is not TRAILING):
        other, _ = layout_for(session, code, request, data, start + 8, end, True)
        if other != generation:
            return other, _lenient(layout(other, code), data, start, end, view, None)
    if not sound(out):
        out = _lenient(layout(generation, code), data, start, end, view, message.length)
    return generation, out


def _lenient(layout: Layout, data: bytes, start: int, end: int, view: int, want: int | None) -> list[Field]:
    """The fields of a layout; numbers without a name are shown as unknown."""
    out = read(layout, data, start, end, view=view, want=want)
    return out if sound(out) else read(layout, data, start, end, view=view, want=want, context=UNKNOWN_SHOWN)


def _told(generation: int, code: int, request: bool, session: Session, at: int, view: int) -> Field:
    """Which releases have the layout that a message was read by, and why."""
    same = body(generation, code, request)
    alike = [number for number in sorted(session.generations) if same is not None and _parts_of(number, code, request) == same.parts]
    if generation not in session.generations:
        words = f"{GENERATIONS[generation]} (only these fit this message; of the connection: {session.reason})"
        return generated(GENERATION, GENERATIONS[generation], f"Layouts of: {words}", at, view)
    named = ", ".join(GENERATIONS[number] for number in alike) or GENERATIONS[generation]
    return generated(GENERATION, named, f"Layouts of: {named}{', alike' if len(alike) > 1 else ''} ({session.reason})", at, view)


def _parts_of(generation: int, code: int, request: bool) -> Parts | None:
    found = body(generation, code, request)
    return found.parts if found is not None else None


def _note(text: str, at: int, view: int) -> Field:
    return generated(NOTE, text, f"Note: {text}", at, view)


def _trailing(out: list[Field], at: int, view: int) -> None:
    found = next((one for one in out if one.spec is TRAILING), None)
    if found is not None:
        out.append(_note(f"{sized(found.length)} behind the payload: some SDKs (Go, Node) send them, servers ignore them", at, view))


def reply(message: MessageBytes) -> list[Field]:
    """The fields of a classic reply."""
    data, start, end, view, note = message.data, message.start, message.end, message.view, message.header.context
    if end - start < 8:
        return read(_UNREAD, data, start, end, view=view, want=message.length)
    status = int.from_bytes(data[start:start + 4], "little")
    code = _asked(message)
    if status:
        out = read(_FAILED, data, start, end, view=view, want=message.length)
        _known(out, code, start, view)
        _failed(out, status, start, view)
        if message.header.kind == "event":
            out.append(_note("the server stops: a status that answers no request", start, view))
        return out
    if code is None:
        return _guessed(message)
    generation, out = _read(message, code, False)
    _known(out, code, start, view)
    if end - start > 8:
        out.append(_told(generation, code, False, note.session, start, view))
    elif code in GETS and message.complete:
        out.append(_note("nothing: it was not found", start, view))
    _trailing(out, start, view)
    return out


def _asked(message: MessageBytes) -> int | None:
    """The command of the request that a reply answers."""
    peer = message.peer
    return peer.header.context.code if peer is not None and peer.header.context.code >= 0 else None


def _known(out: list[Field], code: int | None, at: int, view: int) -> None:
    if code is not None:
        out.append(generated(COMMAND, c.operation(code), at=at, view=view))


def _failed(out: list[Field], status: int, at: int, view: int) -> None:
    found = errors.error(status)
    fault = "the server's" if found.status == "server_error" else "the client's"
    out.append(generated(ERROR, found.name, f"Error: {found.text} ({found.area}; {fault} side)", at, view))


_GUESSES = ((c.GET_OFFSET, "consumer offsets"), (c.POLL, "polled messages"), (c.STATS, "statistics"))


def _guessed(message: MessageBytes) -> list[Field]:
    """A reply whose request was not captured: only where one layout is unmistakable."""
    data, start, end, view, session = message.data, message.start, message.end, message.view, message.header.context.session
    if message.complete and 16 < end - start - 8 <= TRIED_MOST:
        for code, words in _GUESSES:
            for generation in session.order():
                if tiles(body(generation, code, False), data, start + 8, end):
                    out = read(_reply_layout(generation, code), data, start, end, view=view)
                    return [*out, generated(GUESS, words, f"Guess: {words} (the request was not captured)", start, view)]
    return read(_UNREAD, data, start, end, view=view, want=message.length)


# VSR

_ASSIGNMENT = Spec("iggy.assignment", "Assignment")
_ASSIGNMENTS: Parts = ((Spec("iggy.assignments", "Assignments"), Array(U32LE, _ASSIGNMENT, Layout(_ASSIGNMENT, ((PARTITION_ID, U32LE), (vsr.GROUP, U64LE))))),)
_WRAPPED = whole("iggy.request", "Request")


@cache
def _replicated(operation: int) -> Layout:
    """The body of a prepare: what the client asked for, wrapped where the server added to it."""
    if operation in (64, 65):
        code = c.CREATE_TOPIC if operation == 64 else c.CREATE_PARTITIONS
        inner = Limited(U32LE, Layout(_WRAPPED, request_parts(VSR, code) or ()))
        derived: Parts = (DERIVED_OPTIONS,) if operation == 64 else ()
        return Layout(None, ((_WRAPPED, inner), *derived, *_ASSIGNMENTS, *_AFTER))
    found = c.BY_OPERATION.get(operation)
    if found is not None and found.code == c.SEND:
        return Layout(None, (ONE_BATCH, *_AFTER))  # the server has resolved where it goes
    if operation == 68:
        return Layout(None, (STREAM, TOPIC, *_UNKNOWN))  # what follows is written down nowhere
    parts = request_parts(VSR, found.code) if found is not None else None
    return Layout(None, _UNKNOWN if parts is None else (*parts, *_AFTER))


@cache
def _request_body(code: int) -> Layout:
    parts = request_parts(VSR, code)
    return Layout(None, _UNKNOWN if parts is None else (*parts, *_AFTER))


@cache
def _reply_body(code: int, results: bool) -> Layout:
    parts = reply_parts(VSR, code)
    content = _UNKNOWN if parts is None else ((BODY, IfMore(Layout(None, parts))), *_AFTER)
    return Layout(None, (*(vsr.RESULT_SECTION if results else ()), *content))


_SUFFIX = Layout(None, vsr.SUFFIX)
_RAW = Layout(None, _UNKNOWN)


def code_of(data: bytes, start: int, end: int, found: Frame) -> int:
    """The command of a VSR request; -1 where nobody knows the operation. A registration is told by its body: with a token or with a user's name."""
    if found.operation == c.NON_REPLICATED:
        return found.code
    if found.operation == c.REGISTER:
        token = vsr_body(c.TOKEN_REGISTER, True)
        return c.TOKEN_REGISTER if tiles(token, data, start + vsr.HEADER, min(end, start + found.size)) else c.LOGIN_REGISTER
    known = c.BY_OPERATION.get(found.operation)
    return known.code if known is not None else -1


def operation_of(found: Frame, code: int) -> str:
    """The operation of a VSR request by name."""
    if code >= 0:
        return c.operation(code)
    return c.OPERATIONS.get(found.operation, f"operation {found.operation}")


def frame(message: MessageBytes) -> list[Field]:
    """The fields of a VSR frame."""
    data, start, end, view = message.data, message.start, message.end, message.view
    head = min(end, start + vsr.HEADER)
    found = vsr.frame(data, start, end)
    layout = vsr.LAYOUTS.get(found.command, vsr.LAYOUTS[0])
    if end - start < vsr.HEADER:
        return read(Layout(None, ((vsr.ROOT, layout),)), data, start, end, view=view, want=message.length)
    out = read(Layout(None, ((vsr.ROOT, layout),)), data, start, head, view=view)
    made: list[Field] = []
    if head < end or not message.complete:
        want = None if message.complete else message.length - vsr.HEADER
        out += _lenient(_body(message, found, made), data, head, end, view, want)
    else:
        _body(message, found, made)
    if found.command == vsr.REQUEST:
        made.append(generated(COMMAND, operation_of(found, message.header.context.code), at=start, view=view))
    _trailing(out, start, view)
    return out + made


def _body(message: MessageBytes, found: Frame, made: list[Field]) -> Layout:
    """The layout of a frame's body; what is known beside the bytes goes to `made`."""
    data, start, view = message.data, message.start, message.view
    command = found.command
    if command == vsr.REQUEST:
        return _request_body(message.header.context.code)
    if command in (vsr.PREPARE, vsr.REPAIR_PREPARE):
        made.append(generated(COMMAND, c.OPERATIONS.get(found.operation, f"operation {found.operation}"), at=start, view=view))
        return _replicated(found.operation)
    if command in (11, 12):
        return _SUFFIX
    if command == vsr.EVICTION:
        text = vsr.REASONS.get(found.reason, f"reason {found.reason}")
        made.append(generated(ERROR, text, f"Error: evicted, {errors.words(text)}", start, view))
    if command != vsr.REPLY:
        return _RAW
    code = _asked(message)
    known = c.BY_OPERATION.get(c.REPLIED_AS.get(found.operation, found.operation))
    if code is None and known is not None:
        code = known.code
    if code is None and found.operation == c.REGISTER:
        code = c.LOGIN_REGISTER
    _known(made, code, start, view)
    if found.status:
        _failed(made, found.status, start, view)
    size = message.end - start - vsr.HEADER
    results = vsr.has_results(found.operation, size) and size >= 4
    if results:
        refused = refusal(data, start + vsr.HEADER, message.end)
        if refused:
            _failed(made, refused, start, view)
    if code in GETS and not size and not found.status:
        made.append(_note("nothing: it was not found", start, view))
    return _reply_body(-1 if code is None else code, results)


def refusal(data: bytes, at: int, end: int) -> int:
    """The first error in a section of results; 0 where all is well."""
    count = int.from_bytes(data[at:at + 4], "little") if end - at >= 4 else 0
    return int.from_bytes(data[at + 8:at + 12], "little") if count and end - at >= 12 else 0


def specs() -> list[Spec]:
    """Every field of every layout, once a name, in the order of the tables."""
    found: dict[str, Spec] = {ROOT.name: ROOT}
    layouts = [_request_layout(number, code) for number in (1, 2, 3, 4) for code in c.BY_CODE]
    layouts += [_reply_layout(number, code) for number in (1, 2, 3, 4) for code in c.BY_CODE]
    layouts += [_request_body(code) for code in c.BY_CODE] + [_reply_body(code, True) for code in c.BY_CODE]
    layouts += [_replicated(64), _replicated(65), _SUFFIX, _FAILED, _RAW]
    for layout in layouts:
        for spec in layout.specs(ROOT):
            found.setdefault(spec.name, spec)
    for header in vsr.LAYOUTS.values():
        for spec in header.specs(ROOT):
            found.setdefault(spec.name, spec)
    for spec in GENERATED:
        found.setdefault(spec.name, spec)
    return list(found.values())


