"""Lines of structs in the tree: "orders (3 partitions)", "Partition 0: NOT_LEADER_OR_FOLLOWER", "Broker 1 at host:9092"."""
from __future__ import annotations

from collections.abc import Callable, Sequence

from protocols.engine.fields import Field
from protocols.kafka import names, schema
from protocols.kafka.errors import error_name
from protocols.kafka.schema import Part
from protocols.kafka.topics import topic_of

__all__ = ["title_of"]

Title = Callable[[list[Field]], str]
PARTITION = {"Partition", "PartitionIndex", "Index", "PartitionId", "partition"}
BROKER = {"NodeId", "BrokerId", "Id"}
SHOWN = 80


def _short(value: object) -> str:
    text = "<null>" if value is None else str(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def title_of(array: Part, parts: Sequence[Part], label: str) -> Title | None:
    """What makes the line of one struct of `array` from its fields; `parts` are those of the struct in this version, in order."""
    place = {part.name: i for i, part in reversed(list(enumerate(parts)))}
    error = next((i for i, part in enumerate(parts) if part.name in ("ErrorCode", "PartitionErrorCode")), -1)
    first = next((i for i, part in enumerate(parts) if i != error and part.type in "ihbqHsuz"), -1)
    if first < 0:
        return None
    if array.name == "ApiKeys":
        return lambda children: f"{schema.api_name(children[0].value)}: {children[1].value} to {children[2].value}"
    name = parts[first].name
    if name in BROKER and "Host" in place and "Port" in place:
        host, port = place["Host"], place["Port"]
        return lambda children: f"Broker {children[first].value} at {_short(children[host].value)}:{children[port].value}"
    if parts[first].type == "s" and parts[first + 1:first + 2] and parts[first + 1].name in ("Value", "value"):
        return lambda children: f"{_short(children[first].value)} = {_short(children[first + 1].value)}"
    if name in PARTITION:
        plain: Title = lambda children: f"Partition {children[first].value}"  # noqa: E731
    elif parts[first].type == "u" and name == "TopicId":
        names_at = next((i for i, part in enumerate(parts) if part.entity == "T" and part.type == "s"), -1)
        plain = lambda children: _short((names_at >= 0 and children[names_at].value) or topic_of(children[first].value) or children[first].value)  # noqa: E731
    elif parts[first].type == "s":
        plain = lambda children: _short(children[first].value)  # noqa: E731
    else:
        plain = lambda children: f"{label} {children[first].value}"  # noqa: E731
    nested = next((i for i, part in enumerate(parts) if part.type == "["), -1)
    if nested >= 0 and parts[first].type in "su":
        noun = names.label_of(names.singular(_noun(parts[nested].name))).lower()
        base = plain

        def plain(children: list[Field]) -> str:
            count = _count(children[nested], noun)
            return f"{base(children)} ({count})" if noun == "partition" or count[0] in "123456789" else base(children)
    if error < 0:
        return plain
    if name in PARTITION:
        return lambda children: (f"Partition {children[first].value}: {error_name(code)}" if (code := children[error].value)
                                 else f"Partition {children[first].value}")
    bare = plain
    return lambda children: f"{bare(children)}: {error_name(code)}" if (code := children[error].value) else bare(children)


def _noun(array: str) -> str:
    return "Partitions" if array.startswith("Partition") or array == "ResultsByPartition" else array


def _count(array: Field, noun: str) -> str:
    """How many elements an array's line says that it has: "2 partitions"."""
    text = array._text or ""
    count = text[text.rfind("(") + 1:-1] if text.endswith(")") else "no"
    return f"{count} {noun}{'' if count == '1' else 's'}"
