"""What a MongoDB message's words cost, and what a field of a reply costs: every node of a tree with its range, and the values and lines of text besides.

    PYTHONPATH=.:tests python tests/benchmarks/mongodb.py [--runs N] [--recordings FOLDER]

The words (operation, targets, status, error: all but the Info column, which is made when somebody reads it) are those of every message of the
recordings in tests/data/mongodb, or in FOLDER; the messages are cut out of their streams before.

The replies are answers to a find, an OP_MSG of about 15 kB each: documents of an order book with a nested document and an array each, one
flat document, and very many small documents. All nodes are opened, so that the parts of every element (type, name, length, value, what is
in an ObjectId) are counted as fields too. Figures are processor seconds and the least of the runs, so that a machine's other work shows less.
"""
from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import bson
from mongodb_wire import MONGO, message, op_msg

from captures.capture import Capture
from captures.messages.conversation import Conversation
from captures.stream.pair import tcp_pair
from protocols.decoder import MessageBytes
from protocols.engine.fields import Field

AIM = 0.6           # microseconds a field
WORDS_AIM = 12      # microseconds a message
RECORDINGS = Path(__file__).parents[1] / "data" / "mongodb"
START = datetime(2024, 1, 15, 12, 0, 0, 250_000, tzinfo=UTC)


def answer(documents: Sequence[Mapping[str, Any]]) -> bytes:
    """A find's answer, as a server of version 7 sends it."""
    cursor = {"firstBatch": documents, "id": bson.Int64(0), "ns": "shop.orders"}
    cluster = {"clusterTime": bson.Timestamp(1_705_320_000, 3), "signature": {"hash": bytes(20), "keyId": bson.Int64(0)}}
    return op_msg({"cursor": cursor, "ok": 1.0, "$clusterTime": cluster, "operationTime": bson.Timestamp(1_705_320_000, 3)}, 9, 7)


def order(random: Random, number: int) -> dict[str, Any]:
    return {"_id": bson.ObjectId(random.randbytes(12)), "number": 70_000 + number, "customer": f"customer-{random.randrange(1000):04}",
            "status": random.choice(("open", "paid", "shipped")), "total": random.randrange(100_000) / 100, "paid": random.random() < 0.5,
            "created": START + timedelta(seconds=number), "address": {"city": "Springfield", "zip": "12345", "country": "US"},
            "skus": [f"A{random.randrange(10_000):05}" for _ in range(3)]}


def flat(random: Random) -> dict[str, Any]:
    """One document of 780 elements of the plainest types."""
    kinds = (lambda: random.randrange(1 << 30), lambda: f"value-{random.randrange(1 << 20)}", random.random, lambda: random.random() < 0.5,
             lambda: bson.Int64(random.randrange(1 << 60)))
    return {f"field_{number:03}": kinds[number % len(kinds)]() for number in range(780)}


def shapes() -> dict[str, bytes]:
    random = Random(1)
    return {
        "orders": answer([order(random, number) for number in range(62)]),
        "one flat document": answer([flat(random)]),
        "many small documents": answer([{"_id": number, "at": {"x": number}} for number in range(430)]),
    }


def opened(fields: Sequence[Field]) -> int:
    """Make every node; how many there are."""
    stack, count = [*fields], 0
    while stack:
        stack += stack.pop().fields
        count += 1
    return count


def collected(fields: Sequence[Field]) -> list[Field]:
    """Every node of the tree."""
    found = [*fields]
    for one in found:   # which grows meanwhile
        found += one.fields
    return found


def least(runs: int, prepare: Callable[[], Any], what: Callable[[Any], object]) -> float:
    """Seconds of `what`, handed what `prepare` makes anew; the least of `runs`."""
    taken = []
    for _ in range(runs):
        ready = prepare()
        before = time.process_time()
        what(ready)
        taken.append(time.process_time() - before)
    return min(taken)


def values(fields: Sequence[Field]) -> None:
    for one in fields:
        one.value   # noqa: B018  read now


def lines(fields: Sequence[Field]) -> None:
    for one in fields:
        one.text   # noqa: B018  made now


def recorded(folder: Path) -> list[MessageBytes]:
    """The MongoDB messages of all recordings in `folder`, their peers at hand."""
    found = []
    for file in sorted(folder.glob("*.pcap*")):
        capture = Capture(file)
        capture.read_index()
        for stream in range(capture.streams("tcp")):
            conversation = Conversation(tcp_pair(capture.index, stream), [MONGO])
            found += [conversation.message(one) for one in conversation.messages if conversation.decoder is MONGO]
    for one in found:
        one.peer   # noqa: B018  cut out now
    return found


def words(messages: Sequence[MessageBytes]) -> None:
    for one in messages:
        MONGO.describe(one)


def infos(messages: Sequence[MessageBytes]) -> None:
    for one in messages:
        MONGO.describe(one).info   # noqa: B018  made now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--recordings", type=Path, default=RECORDINGS)
    options = parser.parse_args()
    runs = options.runs
    messages = recorded(options.recordings)
    taken = [least(max(1, runs // 20), lambda: messages, what) / len(messages) * 1e6 for what in (words, infos)]
    print(f"load {os.getloadavg()[0]:.2f}; words of {len(messages):,} messages: {taken[0]:.1f} microseconds each, with the Info column {taken[1]:.1f}; "
          f"aim for words: <= {WORDS_AIM}")
    print(f"microseconds a field; aim for nodes: <= {AIM}")
    asked = message(op_msg({"find": "orders", "filter": {}, "$db": "shop"}))
    for name, data in shapes().items():
        reply = message(data, False, asked)
        count = opened(MONGO.dissect(reply))
        nodes = least(runs, lambda: None, lambda _, one=reply: opened(MONGO.dissect(one)))   # type: ignore[misc]
        besides = [least(runs // 10, lambda one=reply: collected(MONGO.dissect(one)), what) for what in (values, lines)]   # type: ignore[misc]
        print(f"{name:20} {len(data):6,} bytes {count:6,} fields: every node with its range {nodes / count * 1e6:.2f}; "
              f"besides, all values {besides[0] / count * 1e6:.2f}; all lines of text {besides[1] / count * 1e6:.2f}")


if __name__ == "__main__":
    main()
