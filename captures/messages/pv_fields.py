"""The group of `pv.*` nodes in a packet's tree: what every message says in the same words, whatever its protocol.

One group a message, each field of `columns` at least once, in their order, with an empty value where the message has none, so that the
columns of one packet line up (`-T fields -e pv.op -e pv.rrt`; only of `pv.target` a message may have several).
"""
from __future__ import annotations

from typing import Any

import numpy as np

from captures.messages.columns import BY_NAME, COLUMNS, Chosen
from captures.messages.conversation import Conversation, MessageRow
from protocols.decoder import Summary
from protocols.engine.fields import Field, Spec, generated

__all__ = ["GROUP", "SPECS", "fields"]

GROUP = Spec("pv", "Message")
SPECS = (GROUP, *(column.spec for column in COLUMNS))


def fields(conversation: Conversation, one: MessageRow, words: Summary, at: int, view: int) -> Field:
    """The group of `pv.*` nodes for a message that starts at `at` of `view`."""
    messages = conversation.messages
    chosen = Chosen(conversation, messages, np.array([one.row]))
    said = {column.name: column.values(chosen, words) for column in COLUMNS}
    nodes = [generated(BY_NAME[name].spec, value, at=at, view=view) for name, values in said.items() for value in values or (BY_NAME[name].empty,)]
    return generated(GROUP, None, _title(one, words, said), at, view, nodes)


def _title(one: MessageRow, words: Summary, said: dict[str, tuple[Any, ...]]) -> str:
    parts = [f"{words.op or one.kind} {words.target}".strip()]
    if words.status is not None:
        parts.append(str(words.status) + (f" {words.error}" if words.error else ""))
    parts += [BY_NAME["pv.rrt"].spec.shown(value) for value in said["pv.rrt"]]
    if one.kind == "request":
        parts += [f"response in packet {number}" for number in said["pv.resp_frame"]]
    if one.kind == "response":
        parts += [f"request in packet {number}" for number in said["pv.req_frame"]]
    return "Message: " + ", ".join(parts)
