"""What a decoder states about its protocol, and what it is given.

Theory of operation. `captures` puts the bytes of each direction of a connection in order, asks every decoder how sure it
is from the opening bytes of both directions (`recognise`), cuts each direction into messages (`framing`, or `frame` where no
length field tells), reads each message's `header` once in the order in which the messages were complete, and pairs
responses with requests by the header's key. Nothing else happens until somebody looks: then `describe` gives the words for
a row, and `dissect` the fields of one message.

A decoder keeps no state of its own: `session()` makes the state of one connection, which only `header` may change. It
never raises for bad bytes: what does not fit becomes a malformed field.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from protocols.engine.fields import Field, Spec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from protocols.message_heads import FieldColumn, HeaderColumns, MessageHeads

__all__ = ["CLAIM", "HANDED_ON", "MORE", "REFUSED", "TO_END", "Carried", "Decoder", "Framing", "Header", "Kind", "Match", "MessageBytes", "Opening",
           "Side", "Skims", "Status", "Summary", "View"]

CLAIM = 50
"""The score from which a decoder may have a connection."""

MORE = 0
REFUSED = -1
TO_END = -2
HANDED_ON = -3
"""What `frame` may answer besides a length: bytes are missing to tell; no message starts here; all that is left is one message;
all that is left in this direction belongs to another protocol (after an HTTP upgrade, say), which is recognised on its own."""


class Kind(StrEnum):
    """What a message is in an exchange. A one-way request gets no answer; an event answers no request."""

    REQUEST = "request"
    RESPONSE = "response"
    ONEWAY = "oneway"
    EVENT = "event"


class Status(StrEnum):
    """How an exchange ended. The last three are told by `captures`, not by decoders."""

    OK = "ok"
    CLIENT_ERROR = "client_error"
    SERVER_ERROR = "server_error"
    NO_RESPONSE = "no_response"
    ORPHAN = "orphan"
    TRUNCATED = "truncated"


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
    """One direction of a connection as framing sees it. `opening` and `peer_opening` are up to 4,096 bytes from the start of
    each direction; `from_start` says that the start was captured; `first` that the bytes asked about are this direction's first.
    `transport` is "tcp" or "udp", or the filter name of the protocol that carries the stream ("websocket"), and `hint` what that one says of
    the bytes, as in `Opening.hint`. `state` is what `Decoder.framing_state` made for the connection."""

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
    """What `recognise` sees of a connection: up to 16 KiB from the start of each direction, without gaps.

    `data[0]` is what the side sent that opened the connection (SYN), or that was seen first; `ports` are their ports; `whole[i]` says
    that `data[i]` is all that this side sent; `from_start[i]` that its first byte is the connection's first. `transport` is "tcp" or "udp" (of which
    each `data` is the side's first datagram), or the filter name of the protocol that carries the stream; `hint` is what that one says of the bytes
    (the subprotocol of a WebSocket, say), "" when it says nothing.
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

    `key` correlates a response with its request (None: it pairs with nothing, or by order); `op` is the operation by name, "" in a
    response that does not name it; `context` is the decoder's own note on how to read the rest. `more` says that further responses to
    the same request follow this one.
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
    """One message as `describe` and `dissect` see it: `data[start:end]` in byte view `view`.

    `length` is what the message declares; `end - start` is less when its stream or the capture cuts it off. `peer` is the message
    that it is paired with. `add_view` takes a byte view made from the message (a decompressed body) and gives its index.
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

    @property
    def peer(self) -> MessageBytes | None:
        return self.find_peer()

    @property
    def facts(self) -> Any:
        """What the capture teaches (`Decoder.new_facts`), complete; None where nobody gathered it."""
        return self.find_facts()

    @property
    def complete(self) -> bool:
        return self.end - self.start >= self.length

    def add_view(self, name: str, data: bytes) -> int:
        self.views.append(View(name, data))
        return self.first_view + len(self.views) - 1


@dataclass(frozen=True, slots=True)
class Skims:
    """How the values of some fields are read out of many messages. `reader` has, a row a message, the place of its function in `readers`, or NONE:
    it holds none of the fields, or TREE: `Decoder.skim` tells.

    A function is given bytes, where in them what is there of the message starts and ends, and 0. It gives for each name the values that `Decoder.skim` would
    give, in order; or None: `Decoder.skim` tells.
    """

    NONE: ClassVar[int] = -1
    TREE: ClassVar[int] = -2

    reader: NDArray[np.int64]
    readers: Sequence[Callable[[bytes, int, int, int], tuple[list[Any], ...] | None]]


@dataclass(slots=True)
class Summary:
    """The words for one message, the same in the list, the tables, the statistics and the export.

    `target` is what the operation works on (topic, path, collection), `endpoint` its aggregatable form; `id` the correlation id as
    text; `status`, `code` and `error` stand in responses; `info` is the Info column. `soft` marks an error that callers expect as an answer
    (the node is not there, asked for with exists). `waits` says that the server answers late by
    design (a long poll): its response time is no latency.
    """

    op: str = ""
    target: str = ""
    endpoint: str = ""
    id: str = ""
    status: Status | None = None
    code: int | None = None
    error: str = ""
    info: str = ""
    soft: bool = False
    waits: bool = False


class Decoder:
    """One application protocol. Subclasses fill the tables and the four methods below."""

    name: ClassVar[str]
    """The filter name: `kafka`."""
    title: ClassVar[str]
    """The full name: "Apache Kafka"."""
    column: ClassVar[str]
    """The Protocol column: "Kafka"."""
    ports: ClassVar[frozenset[int]] = frozenset()
    """Default ports; they break ties and are never a proof."""
    transports: ClassVar[frozenset[str]] = frozenset({"tcp"})
    """What its messages travel in: "tcp" for any stream of bytes (also one that another decoder hands on), "udp" for datagrams, of which each is one
    message."""
    framing: ClassVar[Framing | None] = None
    prefixes: ClassVar[tuple[str, ...]] = ()
    """Starts of field names that are made while reading, as `mongo.doc.` for the elements of documents by their path. A name that starts with one
    of them is known, although `specs` cannot list it: its type is that of the values that it meets, and may differ from field to field."""
    frames: ClassVar[tuple[Spec, Spec] | None] = None
    """Wireshark's fields for the frame of a response's request and the frame of a request's response, where it has them; `captures` fills them in."""
    header_bytes: ClassVar[int] = 4096
    """How many bytes of a message `header` is given at most."""
    ordered: ClassVar[bool] = False
    """Responses pair with requests in order, not by key."""
    by_columns: ClassVar[bool] = False
    """`accepted` and `headers` are there: the decoder judges and reads many messages at once. Needs a `framing` with a `head` that is a multiple of 8."""
    heads_tell: ClassVar[frozenset[str]] = frozenset()
    """The fields that `known` knows, by filter name."""

    def specs(self) -> Iterable[Spec]:
        """Every field that `dissect` can yield, the protocol's own first."""
        raise NotImplementedError

    def recognise(self, opening: Opening) -> Match | None:
        """How sure we are that a connection which opens like this is ours."""
        raise NotImplementedError

    def session(self) -> Any:
        """The state of one connection, handed to `header`."""
        return None

    def framing_for(self, side: Side) -> Framing | None:
        """The length field of one direction, for protocols whose two directions differ."""
        return self.framing

    def frame(self, data: bytes, side: Side) -> int:
        """Length of the message at the start of `data`, or MORE, REFUSED or TO_END. The answer must not depend on how much
        follows the message. Where `framing` is declared, only the first message of a direction is asked about here, and MORE means: as declared."""
        return MORE

    def framing_state(self) -> Any:
        """The state by which `frame` tells lengths, one a connection, in `Side.state`; only `framed` may change it."""
        return None

    def framed(self, data: bytes, side: Side) -> None:
        """Called once for each message that was cut, in order, the client's direction whole before the server's; `data` has its first
        `header_bytes`. Only for protocols whose lengths depend on earlier messages."""

    def carrier(self) -> Callable[[MessageBytes], Iterable[Carried]] | None:
        """For protocols that carry others: a new function that is given each message of one connection, in the order in which they were
        complete, and yields what it carries. It may keep state (a decompressor)."""
        return None

    def handed_on(self, state: Any) -> str:
        """The hint for the bytes that `frame` said were HANDED_ON, from the connection's `framing_state`."""
        return ""

    def accepts(self, head: bytes, side: Side) -> bool:
        """Whether a message can start with `head` (`framing.head` bytes, fewer at the end of the direction). Asked at every message, and
        to find the next one after a gap or a lying length: cheap, and strict enough for that."""
        return True

    def header(self, data: bytes, start: int, end: int, side: Side, session: Any) -> Header:
        """Kind, key and operation of the message `data[start:end]` (`data` may hold only the message's first `header_bytes`)."""
        raise NotImplementedError

    def accepted(self, heads: MessageHeads, side: Side) -> int | None:
        """How many of the first messages of one direction, one behind the other, `accepts` would take; None: ask it one by one."""
        return None

    def headers(self, heads: MessageHeads) -> HeaderColumns | None:
        """What `header` says of all messages of a connection (in order of completion); None: read them one by one."""
        return None

    def known(self, name: str, heads: MessageHeads, peer: NDArray[np.int64]) -> FieldColumn:
        """What the heads tell of a field of `heads_tell`, exactly as `dissect` would yield it. `peer` has the row of the message that each one is
        paired with, or -1."""
        raise NotImplementedError

    def verbatim(self) -> frozenset[str]:
        """The text fields, by filter name, whose values stand as they are, in UTF-8, in the bytes of their message or of its peer: these can be
        searched for a text."""
        return frozenset()

    def elsewhere(self, heads: MessageHeads | None, facts: Callable[[], Any]) -> Sequence[bytes]:
        """What a message holds one of, of which a field of `verbatim` may have values that are not in these bytes (but in compressed ones)."""
        return ()

    def new_facts(self) -> Any:
        """What one capture teaches beyond its single connections (the names of ids, say): an object to be filled by `learn`. Once every message that
        `teaches` was taken in, it changes no more; `describe`, `dissect` and the readers find it in `MessageBytes.facts`. None: nothing."""
        return None

    def teaches(self, message: MessageBytes) -> bool:
        """Whether a message tells something for `learn`. Cheap: it is asked of every message, unless `teaching` answers for all."""
        return False

    def teaching(self, heads: MessageHeads, peer: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """The rows of the messages that `teaches` would name, for many messages by their first bytes; None: ask one by one."""
        return None

    def learn(self, message: MessageBytes, facts: Any) -> None:
        """Take in what a message tells. Messages come in the order of streams and in these in order of completion, so that the same capture
        always gives the same facts."""

    def describe(self, message: MessageBytes) -> Summary:
        """The words for a message. A response's operation and target may be left to its request."""
        raise NotImplementedError

    def dissect(self, message: MessageBytes) -> Sequence[Field]:
        """The fields below the protocol's node; with every byte of the message in one of them."""
        raise NotImplementedError

    def skim(self, message: MessageBytes, names: frozenset[str]) -> Sequence[Field]:
        """The fields with these filter names: those that a walk of the tree would meet, in its order, perhaps with others between or below them.
        The lines that they make in the tree are not asked for."""
        return self.dissect(message)

    def skims(self, names: tuple[str, ...], heads: MessageHeads, peer: NDArray[np.int64], facts: Callable[[], Any]) -> Skims | None:
        """How the values of fields are read out of many messages; None: ask `skim` for each. `peer` as for `known`."""
        return None
