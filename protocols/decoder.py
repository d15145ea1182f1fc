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
from typing import Any, ClassVar

from protocols.engine.fields import Field, Spec
from protocols.fast import Fast, FieldReaders
from protocols.kinds import Kind
from protocols.terms import Answer, Carried, Framing, Header, Match, MessageBytes, Opening, Side, Status, Summary, View

__all__ = ["CLAIM", "HANDED_ON", "MORE", "REFUSED", "TO_END", "Answer", "Carried", "Decoder", "Fast", "FieldReaders", "Framing", "Header", "Kind", "Match",
           "MessageBytes", "Opening", "Side", "Status", "Summary", "View"]

CLAIM = 50
"""The score from which a decoder may have a connection."""

MORE, REFUSED, TO_END, HANDED_ON = Answer.MORE, Answer.REFUSED, Answer.TO_END, Answer.HANDED_ON
"""What `frame` may answer besides a length; `Answer` says what each means."""


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
    fast: ClassVar[Fast | None] = None
    """How many messages are read at once; None: each is read on its own."""

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

    def frame(self, data: bytes, side: Side) -> int | Answer:
        """Length in bytes of the message at the start of `data`, or an `Answer`. The answer must not depend on how much
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

    def new_facts(self) -> Any:
        """What one capture teaches beyond its single streams (the names of ids, say): an object to be filled by `learn`. Once every message that
        `teaches` was taken in, it changes no more; `describe`, `dissect` and the readers find it in `MessageBytes.facts`. None: nothing."""
        return None

    def teaches(self, message: MessageBytes) -> bool:
        """Whether a message tells something for `learn`. Cheap: it is asked of every message, unless `Fast.teaching` answers for all."""
        return False

    def learn(self, message: MessageBytes, facts: Any) -> None:
        """Take in what a message tells. Messages come in the order of streams and in these in order of completion, so that the same capture
        always gives the same facts."""

    def describe(self, message: MessageBytes) -> Summary:
        """The words for a message. A response's operation and target may be left to its request."""
        raise NotImplementedError

    def dissect(self, message: MessageBytes) -> Sequence[Field]:
        """The fields below the protocol's node; with every byte of the message in one of them."""
        raise NotImplementedError
