"""What columns, skimmed fields and searched bytes tell a filter is what it finds when it reads every message's tree."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from captures.capture import Capture
from captures.filter import FilterRun, Names, compile_filter
from captures.messages import conversation as conversations
from captures.messages import framing, pairing
from captures.values.byte_search import ByteSearch
from captures.values.message_columns import MessageColumns
from captures.values.skimming import Skimming
from protocols.decoder import Fast

DATA = Path(__file__).parent / "data"
KAFKA = (
    "kafka.error", "kafka.error != 0", "kafka.error == 0 && kafka.api_key == 3", "kafka.topics", "!kafka.topics", "kafka.partition_id in {0, 2..5}",
    'kafka.topic_name contains "o"', 'kafka.topic_name == "orders"', 'kafka.topic_name in {"orders", "payments", "__consumer_offsets"}',
    'kafka.client_id matches "rd|java"', "kafka.correlation_id % 2 == 0", "kafka.throttle_time > 0 || kafka.replica_id", "count(kafka.partition_id) > 2",
    'kafka.consumer_group contains "g" || kafka.host', "kafka.api_version >= 3 && !(kafka.api_key in {0, 1})", "all kafka.error == 0", "kafka#1",
    'pv.kind == response && kafka.error != 0', 'pv.rrt > 1ms && kafka.topic_name contains "r"', "pv.req_frame && kafka.response_key == 18",
    'pv.op contains "Fetch" && kafka.partition_id == 0', "kafka.len > 200", "kafka.member_id", "kafka.offset > 3",
    'kafka.coordinator_key == "g-txn" || kafka.port == 9092',
)
ZOOKEEPER = (
    "zookeeper", "zookeeper.xid > 3", 'zookeeper.path contains "a"', 'zookeeper.path == "/"', "zookeeper.err != 0", "zookeeper.opcode in {4, 14, 11}",
    "zookeeper.zxid > 10 && zookeeper.err == 0", 'pv.op == "getData" && zookeeper.path contains "/"', "!(zookeeper.opcode == 11)",
    "pv.resp_frame && zookeeper.xid < 0",
    'zookeeper.child == "a" || zookeeper.acl.scheme == "world"',
)
MONGO = (
    "mongo.opcode == 2013", "mongo.request_id > 5 && mongo.response_to", "mongo.message_length in {50..200}", "!(mongo.opcode == 2012)",
    'pv.op == "find" && mongo.request_id', 'mongo.doc.ok == 1 && mongo.opcode == OP_MSG',
)
FILES = {"kafka": KAFKA, "zookeeper": ZOOKEEPER, "mongodb": MONGO}
CASES = [(path, filters) for name, filters in FILES.items() for path in sorted((DATA / name).glob("*.pcap*"))[::5]]


def found(path: Path, filters: tuple[str, ...], alone: bool = False) -> dict[str, list[int]]:
    """The packets that each filter shows, one filter after the other; or each alone, with nothing kept from those before."""
    shown = {}
    capture = Capture(path)
    capture.read_index()
    names = Names(capture.registry)
    for text in filters:
        if alone:
            capture = Capture(path)
            capture.read_index()
        shown[text] = [packet for step in FilterRun(capture, compile_filter(text, names)) for packet in step.tolist()]
    return shown


@pytest.mark.parametrize(("path", "filters"), CASES, ids=[path.name for path, _ in CASES])
def test_shortcuts_show_the_packets_that_the_trees_show(path: Path, filters: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((conversations, "FEW"), (framing, "FIRST_BLOCK"), (pairing, "FEW")):
        monkeypatch.setattr(module, name, 1)        # columns from the first message on, not only where they are faster
    short = found(path, filters)
    assert found(path, filters, alone=True) == short

    def nothing(*_: Any) -> None:
        """No shortcut."""
    monkeypatch.setattr(MessageColumns, "_of_heads", nothing)
    monkeypatch.setattr(Skimming, "fill", nothing)
    monkeypatch.setattr(ByteSearch, "holds", lambda self, protocol, needles, packets: np.ones(len(packets), np.bool_))
    for fast in (type(one.fast) for one in Capture(path).registry.decoders() if one.fast is not None):
        monkeypatch.setattr(fast, "skim", Fast.skim)
    assert found(path, filters) == short
