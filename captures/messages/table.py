"""All messages of a capture: a number for each that does not change, and their words as columns.

Conversations hold the columns of their own messages (where each lies, its kind and peer); they are read when somebody asks, and may be forgotten and read
again. What costs most to make, the words, is kept here for the whole capture, so that no consumer makes them twice. A message's number is made of its
place: the stream beneath it, the layer in this stream, the row in that layer. It is the same whatever was looked at before, in every process.
"""
from __future__ import annotations

from collections.abc import Callable

from captures.messages.conversation import Conversation
from captures.messages.words import Texts, WordColumns

__all__ = ["MessageTable"]

ROW_BITS, LAYER_BITS = 28, 11
"""Of a number: row in the layer, and place of the layer in its stream's `Conversation.layers`. What is above is the stream's number and, lowest, 1 for UDP."""


class MessageTable:
    """The messages of one capture, as long as it has the same packets and is decoded in the same way. `conversation` gives a stream by number and
    transport ("tcp" or "udp")."""

    def __init__(self, conversation: Callable[[int, str], Conversation]) -> None:
        self._conversation = conversation
        self._texts = Texts()
        self._words: dict[int, WordColumns] = {}

    def number(self, conversation: Conversation, row: int) -> int:
        """The number of a message by its row in a conversation. Row 7 of what TCP stream 3 carries has 6 << 39 | 7; row 7 of the first layer inside that
        (what a WebSocket carries, say) 6 << 39 | 1 << 28 | 7."""
        return self._base(conversation) | row

    def find(self, number: int) -> tuple[Conversation, int]:
        """The conversation and the row of a message by its number. Raises LookupError for a number that no message has."""
        layer, row = number >> ROW_BITS & (1 << LAYER_BITS) - 1, number & (1 << ROW_BITS) - 1
        stream = number >> ROW_BITS + LAYER_BITS
        found = list(self._conversation(stream >> 1, "udp" if stream & 1 else "tcp").layers())[layer]
        if row >= len(found.messages):
            raise IndexError(number)
        return found, row

    def words(self, conversation: Conversation) -> WordColumns:
        """The words of a conversation's messages. It must have messages."""
        base = self._base(conversation)
        found = self._words.get(base)
        if found is None:
            found = self._words[base] = WordColumns(conversation, self._texts)
        found.conversation = conversation
        return found

    @staticmethod
    def _base(conversation: Conversation) -> int:
        stream = conversation.stream << 1 | (conversation.pair.base == "udp")
        return (stream << LAYER_BITS | conversation.ordinal) << ROW_BITS
