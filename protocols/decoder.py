"""What a decoder states about its protocol, and what it is given.

Theory of operation. `captures` puts the bytes of each direction of a stream in order, asks every decoder how sure it is
from the opening bytes of both directions (`recognise`), cuts each direction into messages (`framing`, or `frame` where no
length field tells), reads each message's `header` once in the order in which the messages were complete, and pairs
responses with requests by the header's key. Nothing else happens until somebody looks: then `describe` gives the words for
a row, and `dissect` the fields of one message.

A decoder keeps no state of its own: `session()` makes the state of one stream, which only `header` may change. It
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
    """One application protocol. A subclass states five things; nothing else is needed for one whose requests and responses stand alone.

    | required | member | asked when | by |
    |---|---|---|---|
    | its names | `name`, `title`, `column` | the program starts | the registry |
    | which streams are its own | `recognise` | a stream is looked at for the first time | `captures.messages.recognition` |
    | where messages end | `framing`; or `frame` (not for datagrams) | then, for every message | `captures.messages.framing` |
    | what each message is | `header` | then, for every message, in order of completion | `captures.messages.conversation` |
    | what is shown of it | `specs` | filters and lists need the names | the registry, `captures.values.known_names` |
    | | `describe` | a row is shown, or messages are counted | `captures.messages.words` |
    | | `dissect` | a tree is shown, or a field's value is asked for | `captures.packet.packets`, `captures.values` |

    | optional | member | asked when |
    |---|---|---|
    | who else might have it | `ports`, `transports` | with `recognise` |
    | directions that are framed differently | `framing_for` | a direction is cut |
    | a check of each message's start | `accepts` | at every message, and where one is searched for |
    | lengths that depend on messages before | `framing_state`, `framed` | a stream is cut |
    | what `header` must remember | `session`, `header_bytes` | headers are read |
    | protocols that it carries | `carrier`, `handed_on` | packets of the stream are shown |
    | what one stream teaches about others | `new_facts`, `teaches`, `learn` | words first need it |
    | names that data make, Wireshark's frame fields | `prefixes`, `frames` | names are asked for, trees made |
    | speed for millions of messages | `fast` | everywhere |
    """

    name: ClassVar[str]
    """The filter name: `kafka`. Lower-case letters, digits and _; all its fields start with it: `kafka.topic_name`."""
    title: ClassVar[str]
    """The full name, in the tree: "Apache Kafka"."""
    column: ClassVar[str]
    """The short name, in the Protocol column: "Kafka"."""
    ports: ClassVar[frozenset[int]] = frozenset()
    """Default ports. Of two decoders that are equally sure, the one whose port it is has the stream; a port alone is never a proof."""
    transports: ClassVar[frozenset[str]] = frozenset({"tcp"})
    """What its messages travel in: "tcp" for any stream of bytes (also one that another decoder hands on), "udp" for datagrams, of which each is one
    message."""
    framing: ClassVar[Framing | None] = None
    """The length field that stands at a fixed place in every message; None where none does, and `frame` tells lengths."""
    prefixes: ClassVar[tuple[str, ...]] = ()
    """Starts of field names that are made while reading, as `mongo.doc.` for the elements of documents by their path. A name that starts with one
    of them is known, although `specs` cannot list it: its type is that of the values that it meets, and may differ from field to field."""
    frames: ClassVar[tuple[Spec, Spec] | None] = None
    """Wireshark's fields for the frame of a response's request and the frame of a request's response, where it has them; `captures` fills them in."""
    header_bytes: ClassVar[int] = 4096
    """How many bytes from a message's start `header` and `framed` are given at most."""
    fast: ClassVar[Fast | None] = None
    """How many messages are read at once; None: each is read on its own."""

    def specs(self) -> Iterable[Spec]:
        """Every field that `dissect` can yield: what filters know and complete, and what `--list-fields` prints. A field that is listed
        twice counts once. The protocol's own (`name`) need not be listed."""
        raise NotImplementedError(f"{type(self).__name__} has no specs")

    def recognise(self, opening: Opening) -> Match | None:
        """How sure the decoder is that a stream which opens like this is its own, or None. The highest score from CLAIM on has the stream.
        All decoders are asked about all streams, so a few bytes that others may send as well deserve a low score."""
        raise NotImplementedError(f"{type(self).__name__} has no recognise")

    def session(self) -> Any:
        """The state of one stream, handed to `header`: requests that wait for their responses, say."""
        return None

    def framing_for(self, side: Side) -> Framing | None:
        """The length field of one direction, for protocols whose two directions differ."""
        return self.framing

    def frame(self, data: bytes, side: Side) -> int | Answer:
        """Length in bytes of the message at the start of `data`, from 1 on, or an `Answer`: MORE asks again with more bytes. The length must not depend on
        how much follows the message. Where `framing` is declared, only the first message of a direction is asked about here, and MORE means: as declared."""
        return MORE

    def framing_state(self) -> Any:
        """The state by which `frame` tells lengths, one a stream, in `Side.state`; only `framed` may change it."""
        return None

    def framed(self, data: bytes, side: Side) -> None:
        """Take note of a message that was cut: called once for each, in order, the client's direction whole before the server's; `data` has its first
        `header_bytes`. Only for protocols whose lengths depend on earlier messages."""

    def carrier(self) -> Callable[[MessageBytes], Iterable[Carried]] | None:
        """For protocols that carry others: a new function that is given each message of one stream, in the order in which they were
        complete, and yields what it carries. It may keep state (a decompressor)."""
        return None

    def handed_on(self, state: Any) -> str:
        """The hint for the bytes that `frame` said were HANDED_ON, from the stream's `framing_state`."""
        return ""

    def accepts(self, head: bytes, side: Side) -> bool:
        """Whether a message can start with `head` (`framing.head` bytes, fewer at the end of the direction). Asked at every message, and
        to find the next one after a gap or a lying length: cheap, and strict enough for that."""
        return True

    def header(self, data: bytes, start: int, end: int, side: Side, session: Any) -> Header:
        """Kind, key and operation of the message `data[start:end]`. Of a message longer than `header_bytes` only these are there; bytes of
        others may stand before `start` and behind `end`."""
        raise NotImplementedError(f"{type(self).__name__} has no header")

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
        """The words for a message. A response's operation, targets and endpoint may be left out: they are taken from its request."""
        raise NotImplementedError(f"{type(self).__name__} has no describe")

    def dissect(self, message: MessageBytes) -> Sequence[Field]:
        """The fields below the protocol's node, with every byte of the message in one of them: `read` with a `Layout` does that."""
        raise NotImplementedError(f"{type(self).__name__} has no dissect")
