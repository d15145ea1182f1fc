"""The names of topic ids, as one capture tells them.

Since Kafka 3.1 most messages name a topic by its id alone, a UUID that never changes and is never used again (KIP-516). Which name it has is said in a
few answers (Metadata, CreateTopics, DescribeTopicPartitions), often on another connection. `Topics` is what `Kafka.learn` fills
from these; readers look ids up in it and keep the name with the value (`TopicId`), so that lines, titles and words need no look-up of their own.
"""
from __future__ import annotations

import base64
import binascii

__all__ = ["INTERNAL", "KNOWN_IDS", "NO_ID", "TOPIC_IDS_KEPT", "TopicId", "Topics", "topic_id", "topic_of"]

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


class Topics:
    """Names by id. Of more than TOPIC_IDS_KEPT ids, those that came first are known."""

    def __init__(self) -> None:
        self.names = dict(KNOWN_IDS)
        self.internal = frozenset((bytes(15) + b"\1",))
        """The ids, as on the wire, of topics whose names start with INTERNAL."""

    def learn(self, identity: str, name: str) -> None:
        """Take in what an answer says of an id."""
        if not name or identity == NO_ID or identity in KNOWN_IDS or (len(self.names) >= TOPIC_IDS_KEPT and identity not in self.names):
            return
        self.names[identity] = name
        if name.startswith(INTERNAL):
            self.internal |= {base64.urlsafe_b64decode(identity + "==")}
