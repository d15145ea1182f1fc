"""The terms in which `captures` and decoders talk: what a decoder is given, and what it answers.

These classes hold data and know no decoder, so that `Decoder` and `Fast` can both be stated in them. Authors of decoders import them from
`protocols.decoder` (a plugin: from `protoview`).
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, Literal

from protocols.engine.printable import printable
from protocols.kinds import Kind

__all__ = ["Answer", "Carried", "Framing", "Header", "Match", "MessageBytes", "Opening", "Side", "Status", "Summary", "View"]


class Answer(Enum):
    """What `Decoder.frame` may answer in place of a length. No number stands for one of them, and none is to be reckoned with: compare with `is`."""

    MORE = "more"
    """Bytes are missing to tell."""
    REFUSED = "refused"
    """No message starts here."""
    TO_END = "to end"
    """All that is left of this direction is one message."""
    HANDED_ON = "handed on"
    """All that is left of this direction belongs to another protocol (after an HTTP upgrade, say), which is recognised on its own."""


class Status(StrEnum):
    """How an exchange ended. The last four are told by `captures`, not by decoders: NO_RESPONSE where a request was not answered, NOT_CAPTURED where the
    capture does not tell (the answers' direction is not in it, bytes are missing, or it ends before), ORPHAN where a response has no request, TRUNCATED where
    what would tell was cut off."""

    OK = "ok"
    CLIENT_ERROR = "client_error"
    SERVER_ERROR = "server_error"
    NO_RESPONSE = "no_response"
    NOT_CAPTURED = "not_captured"
    ORPHAN = "orphan"
    TRUNCATED = "truncated"


STATUS_WORDS = {**{str(one): (str(one),) for one in Status}, "error": (str(Status.CLIENT_ERROR), str(Status.SERVER_ERROR)), "late": ()}
"""What a filter may call a status, and the values that it stands for. No message is late yet."""


@dataclass(frozen=True, slots=True)
class Framing:
    """A length field at a fixed place: the message's length is its value plus `add`.

    `head` is how many bytes `accepts` wants to see. A length outside `least` .. `most` (of the whole message, in bytes) is no message.
    """

    offset: int
    size: int
    order: Literal["big", "little"]
    add: int
    head: int
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Side:
    """One direction of a stream, as framing and `header` see it: `from_client` says whose. `opening` is up to 4,096 bytes from its start,
    `peer_opening` the same of the other direction; `from_start` says that the capture has the direction's first byte (the handshake is there), `first`
    that the bytes asked about are the direction's first. `transport` is "tcp" or "udp", or the filter name of the protocol that carries the
    stream ("websocket"), `hint` what that one says of the bytes, as in `Opening.hint`. `state` is what `Decoder.framing_state` made for the stream."""

    from_client: bool
    from_start: bool
    opening: bytes
    peer_opening: bytes
    first: bool = False
    transport: str = "tcp"
    state: Any = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Opening:
    """What `recognise` sees of a stream: up to 16 KiB from the start of each direction, without gaps; b"" of one that sent nothing yet.

    `data[0]` is what the side sent that opened the connection (SYN), or that was seen first; `ports` are their ports; `whole[i]` says
    that `data[i]` is all that this side sent; `from_start[i]` that its first byte is the first that this side sent at all. `transport` is "tcp" or
    "udp" (of which each `data` is the side's first datagram), or the filter name of the protocol that carries the stream; `hint` is what
    that one says of the bytes (the subprotocol of a WebSocket, say), "" when it says nothing.
    """

    data: tuple[bytes, bytes]
    ports: tuple[int, int]
    from_start: tuple[bool, bool]
    whole: tuple[bool, bool]
    transport: str = "tcp"
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """How sure a decoder is, 0-100, and why, in words for the user. `client` is the index in `Opening.data` of the client's side."""

    score: int
    why: str
    client: int = 0


@dataclass(slots=True)
class Header:
    """What pairing and statistics need of a message, read in about a microsecond.

    `key` correlates a response with its request. With None a message pairs with nothing; with the same key in all messages, the oldest open
    request gets the next response. `op` is the operation by name, "" in a response that does not name it; `context` is the decoder's own note on
    how to read the rest. `more` says that further responses to the same request follow this one.
    """

    kind: Kind
    key: Any = None
    op: str = ""
    context: Any = None
    more: bool = False


@dataclass(frozen=True, slots=True)
class Carried:
    """Bytes of an inner stream that one message carries. `data` are these bytes; where they stand in the message as they are, `start` is
    their offset from the message's start, else it is None (they were unmasked, decompressed or decrypted). What messages of one direction carry
    under the same `key` is one stream. `hint` goes to `Opening.hint`."""

    data: bytes
    start: int | None = None
    key: int = 0
    hint: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """A buffer of bytes with a name: the frame, a reassembled message, a decompressed body."""

    name: str
    data: bytes


@dataclass(slots=True)
class MessageBytes:
    """One message as `describe` and `dissect` see it: `data[start:end]` in byte view `view`, which fields of these bytes name.

    `length` is what the message declares; `end - start` is less when its stream or the capture cuts it off (`complete` is False then). `header` is
    what `Decoder.header` said of it; `peer` the message that it is paired with, or None (who makes a message may say in `has_peer`
    whether there is one). `add_view` takes a byte view made from
    the message (a decompressed body) and gives its index, for the `view` of fields that lie in it.
    """

    data: bytes
    start: int
    end: int
    length: int
    header: Header
    from_client: bool
    view: int = 0
    find_peer: Callable[[], MessageBytes | None] = lambda: None
    find_facts: Callable[[], Any] = lambda: None
    views: list[View] = field(default_factory=list)
    first_view: int = 1
    has_peer: bool | None = None

    @property
    def peer(self) -> MessageBytes | None:
        return self.find_peer()

    @property
    def paired(self) -> bool:
        """Whether there is a peer, told without cutting its bytes out of its stream."""
        return self.peer is not None if self.has_peer is None else self.has_peer

    @property
    def facts(self) -> Any:
        """What the capture teaches (`Decoder.new_facts`), complete; None where nobody gathered it."""
        return self.find_facts()

    @property
    def complete(self) -> bool:
        return self.end - self.start >= self.length

    def add_view(self, name: str, data: bytes) -> int:
        self.views.append(View(printable(name), data))
        return self.first_view + len(self.views) - 1


class Summary:
    """The words for one message, the same in the list, the tables, the statistics and the export.

    `op` is the operation by name ("Fetch"). `targets` are what the operation works on (topics, a path, a collection), each whole; give one text,
    or a tuple of several. `endpoint` is the target without what makes each one different, for counting: "/users/{id}" of the path "/users/17"; the target
    itself where nothing is to be left out. `id` is the correlation id as text. `status`, `code` (a number) and `error` (its name) stand in responses,
    `error_text` is what the server said about its error in words. `client_id` is what the client calls itself, in a request.

    `soft` marks an error that callers expect as an answer: "no such node" to a client that asks whether the node exists. It is counted, and not shown
    in red. `long_poll` says that the server waits before it answers, until there is something to say: such a response time is no latency.

    `info` is the Info column. A function in its place is called when somebody reads it, and once: most messages of a capture are counted and
    filtered, and only the few on the screen are read.
    """

    __slots__ = ("client_id", "code", "endpoint", "error", "error_text", "id", "long_poll", "op", "soft", "status", "targets", "text")

    def __init__(self, op: str = "", target: str | tuple[str, ...] = "", endpoint: str = "", id: str = "", status: Status | None = None,
                 code: int | None = None, error: str = "", info: str | Callable[[], str] = "", soft: bool = False, long_poll: bool = False,
                 client_id: str = "", error_text: str = "") -> None:
        self.op = op
        self.targets: tuple[str, ...] = target if type(target) is tuple else (target,) if target else ()    # type: ignore[assignment]
        self.endpoint = endpoint
        self.id = id
        self.status = status
        self.code = code
        self.error = error
        self.text = info
        """`info`, or the function that makes it."""
        self.soft = soft
        self.long_poll = long_poll
        self.client_id = client_id
        self.error_text = error_text

    @property
    def target(self) -> str:
        """`targets` in one line."""
        return ", ".join(self.targets)

    @target.setter
    def target(self, target: str) -> None:
        self.targets = (target,) if target else ()

    @property
    def info(self) -> str:
        """The Info column."""
        if not isinstance(self.text, str):
            self.text = self.text()
        return self.text

    @info.setter
    def info(self, info: str | Callable[[], str]) -> None:
        self.text = info
