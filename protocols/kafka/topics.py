"""The names of topic ids, as one capture tells them.

Since Kafka 3.1 most messages name a topic by its id alone, a UUID that never changes and is never used again (KIP-516). Which name it has is said in a
few answers (Metadata, CreateTopics, DescribeTopicPartitions), often on another connection. `Topics` is what `Kafka.learn` fills
from these; readers look ids up in it and keep the name with the value (`TopicId`), so that lines, titles and words need no look-up of their own.
"""
from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

__all__ = ["INTERNAL", "KNOWN_IDS", "NO_ID", "TOPIC_IDS_KEPT", "Ids", "TopicId", "Topics", "topic_id", "topic_of"]

TOPIC_IDS_KEPT = 100_000
KNOWN_IDS = {"AAAAAAAAAAAAAAAAAAAAAQ": "__cluster_metadata"}
"""The metadata log has the same id in every cluster (`Uuid.METADATA_TOPIC_ID` of Kafka's Java sources)."""
NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"
INTERNAL = "__"
"""What the names of Kafka's own topics start with."""
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def topic_id(data: bytes) -> str:
    """A UUID of 16 bytes as Kafka prints it: 22 characters of URL-safe base64."""
    return binascii.b2a_base64(data, newline=False)[:22].translate(_URL_SAFE).decode()


class TopicId(str):
    """An id, as text, with the name of its `topic`."""

    topic: str

    def __new__(cls, identity: str, topic: str) -> TopicId:
        made = super().__new__(cls, identity)
        made.topic = topic
        return made


def topic_of(identity: str) -> str:
    """The name that an id was read with; "" when the capture does not tell it."""
    return identity.topic if isinstance(identity, TopicId) else ""


class Ids(NamedTuple):
    """What readers that are made for a capture have to know of its ids, as on the wire: those of Kafka's own topics, and all with their names."""

    internal: frozenset[bytes]
    names: frozenset[tuple[bytes, str]]


class Topics:
    """Names by id. Of more than TOPIC_IDS_KEPT ids, those that came first are known."""

    def __init__(self) -> None:
        self.names = dict(KNOWN_IDS)
        self.internal = frozenset((bytes(15) + b"\1",))
        """The ids, as on the wire, of topics whose names start with INTERNAL."""
        self.wire = {bytes(15) + b"\1": KNOWN_IDS["AAAAAAAAAAAAAAAAAAAAAQ"]}
        """Names by id as on the wire."""
        self._ids: Ids | None = None

    def learn(self, identity: str, name: str) -> None:
        """Take in what an answer says of an id."""
        if not name or identity == NO_ID or identity in KNOWN_IDS or (len(self.names) >= TOPIC_IDS_KEPT and identity not in self.names):
            return
        self.names[identity] = name
        wire = base64.urlsafe_b64decode(identity + "==")
        self.wire[wire] = name
        self._ids = None
        if name.startswith(INTERNAL):
            self.internal |= {wire}

    def ids(self) -> Ids:
        """What was taken in so far."""
        if self._ids is None:
            self._ids = Ids(self.internal, frozenset(self.wire.items()))
        return self._ids
