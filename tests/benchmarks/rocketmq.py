"""What RocketMQ costs: cutting, headers and pairing of 200,000 frames in one connection, the words of every message of the recordings, and the fields
of single frames.

    PYTHONPATH=.:tests python tests/benchmarks/rocketmq.py [--frames N] [--recordings FOLDER]

Every figure is the median of RUNS runs. The capture is made in a temporary folder: requests and answers in turn, a packet each.
"""
from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from packet_bytes import between, tcp, write
from rocketmq_wire import SIDES, Exchange, binary_frame, json_frame, stored

from captures.file.opening import open_source
from captures.index.index import Index
from captures.messages.conversation import Conversation
from captures.stream.pair import tcp_pair
from protocols.engine.fields import walk
from protocols.proxy.decoder import Proxy
from protocols.rocketmq.decoder import RocketMQ
from protocols.rocketmq.session import Session

RUNS = 3
BODY = b"x" * 100
SEND = {"a": "pg_orders", "b": "orders", "c": "TBW102", "d": "4", "e": "1", "f": "0", "g": "1700000000000", "h": "0", "j": "0", "k": "false", "m": "false",
        "i": "UNIQ_KEY\x01FD7700000000000000000000000000020B464E0E2F2A680A57E90000\x02WAIT\x01true\x02TAGS\x01A\x02"}
SENT = {"msgId": "0A4D000100002A9F0000000000000000", "queueId": "1", "queueOffset": "17"}


def median(what: Callable[[], object], calls: int = 1) -> float:
    """Seconds of processor time of one call: what else the machine does counts less."""
    times = []
    for _ in range(RUNS):
        before = time.process_time()
        for _ in range(calls):
            what()
        times.append((time.process_time() - before) / calls)
    return statistics.median(times)


def capture(folder: Path, make: Callable[..., bytes], count: int) -> Path:
    """`count` frames of one connection: requests and their answers."""
    packets, seq = [], [1000, 5000]
    for number in range(count // 2):
        for side, data in enumerate((make(310, SEND, opaque=number, body=BODY), make(0, SENT, opaque=number, flag=1))):
            ports = (40000, 10911) if side == 0 else (10911, 40000)
            packets.append(between(side, 6, tcp(*ports, seq[side], seq[1 - side], 0x18, data)))
            seq[side] += len(data)
    place = folder / make.__name__
    place.mkdir()
    return write(place, packets)


def words(folder: Path) -> str:
    """Microseconds a message: the words of every message of the recordings in `folder`, the Info column unread, as filters and statistics ask for them;
    and the same as a row of the list asks for them, with the reading of the bytes and of the Info column."""
    conversations = []
    for file in sorted(folder.glob("*.pcap*")):
        index = Index(open_source(file))
        index.run()
        whole = (Conversation(tcp_pair(index, stream), [RocketMQ(), Proxy()]) for stream in range(len(index.tcp)))
        conversations += [layer for one in whole for layer in one.layers() if isinstance(layer.decoder, RocketMQ)]
    decoder = RocketMQ()
    messages = [one.message(pdu) for one in conversations for pdu in one.messages]
    paired = sum([message.peer is not None for message in messages])  # the bytes of peers are read here, before the clock runs

    def alone() -> float:
        for one in conversations:  # no header is remembered from the run before
            session = Session()
            for pdu in one.messages:
                pdu.header.context = session
        before = time.process_time()
        for message in messages:
            decoder.describe(message)
        return (time.process_time() - before) / len(messages) * 1e6

    def rows() -> float:
        before = time.process_time()
        for one in conversations:
            for pdu in one.messages:
                assert decoder.describe(one.message(pdu)).info
        return (time.process_time() - before) / len(messages) * 1e6
    return (f"words of {len(messages):,} recorded messages, {paired:,} of them paired: {statistics.median(alone() for _ in range(RUNS)):.1f} µs a message; "
            f"with their bytes and the Info column {statistics.median(rows() for _ in range(RUNS)):.1f} µs")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=200_000)
    parser.add_argument("--recordings", type=Path, default=Path(__file__).parent.parent / "data" / "rocketmq")
    arguments = parser.parse_args()
    count = arguments.frames
    print(words(arguments.recordings))
    with tempfile.TemporaryDirectory() as folder:
        for make in (json_frame, binary_frame):
            index = Index(open_source(capture(Path(folder), make, count)))
            index.run()
            made = Conversation(tcp_pair(index, 0), [RocketMQ()])
            assert len(made.messages) == count and all(pdu.peer for pdu in made.messages)
            whole = median(lambda index=index: Conversation(tcp_pair(index, 0), [RocketMQ()]))  # type: ignore[misc]
            print(f"{make.__name__}: cut, read and pair {count:,} frames: {whole:.2f} s, {whole / count * 1e6:.1f} µs a frame")
    for make in (json_frame, binary_frame):
        decoder, request = RocketMQ(), make(310, SEND, body=b"x" * 100)
        one = Exchange(request)
        each = median(lambda data=request, decoder=decoder: decoder.header(data, 0, len(data), SIDES[True], None), 10_000)  # type: ignore[misc]
        print(f"{make.__name__}: header {each * 1e6:.2f} µs, ", end="")
        each = median(lambda one=one: one.decoder.describe(one.request), 2_000)  # type: ignore[misc]
        print(f"words {each * 1e6:.0f} µs, ", end="")
        each = median(lambda one=one: list(walk(one.decoder.dissect(one.request))), 500)  # type: ignore[misc]
        print(f"all fields with ranges {each * 1e6:.0f} µs of {len(request)} bytes ({len(list(walk(one.decoder.dissect(one.request))))} fields)")
    answer = Exchange(json_frame(11, {"topic": "T"}), json_frame(0, {}, flag=1, body=stored(b"x" * 100) * 32))
    print(f"a pull of 32 messages: tree {median(lambda: answer.decoder.dissect(answer.response), 100) * 1e3:.2f} ms, "
          f"all of it {median(lambda: list(walk(answer.decoder.dissect(answer.response))), 50) * 1e3:.2f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
