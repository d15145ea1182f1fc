"""A million Kafka messages: framed, read and paired in one process, and the same file under tshark with a display filter.

    PYTHONPATH=.:tests python tests/benchmarks/kafka.py [CAPTURE] [--messages N] [--runs N]

Without CAPTURE, one is made in a temporary folder: producers that send up to five batches at once, consumers that fetch, and clients
that ask for metadata, over 500 connections. Sizes of messages and the share of bare acknowledgements are like those of the recordings
of real clients in tests/data/kafka. Also the cost of a field with its range in a large answer, and of the words of every message of these recordings.
Times are processor seconds, so that a machine's other work shows less; both programs use one processor.
"""
from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from struct import pack

from kafka_wire import batch, capture_names, exchange, messages, record, request_frame, response_frame, uvarint
from make_capture import ACK, FIN, MSS, PUSH, START, SYN, Exchange, Host, write
from terminal import ROOT

from protocols.kafka.decoder import Kafka

FETCH, METADATA, API_VERSIONS = 1, 3, 18
TOPICS = [f"orders-{number}" for number in range(8)] + [f"shop.clicks.{number:03}" for number in range(8)]
SOUGHT = TOPICS[0]
PER_CONNECTION = 2_000      # messages
OPEN = 100                  # connections open at once
PACKED = 0.3                # of the messages sent at once share a segment with the one before; clients write most of them on their own
ACKNOWLEDGED = 0.3          # of the segments, besides every second one of a burst; in the recordings of the tests 0.26 to 1.0
CORRELATION = {True: 8, False: 4}
"""Where the correlation id stands in a request and in a response."""
READ = """
import sys, time
from captures.capture import Capture
from captures.stream.pair import tcp_pair
from captures.messages.conversation import Conversation
from protocols.kafka.decoder import Kafka
decoders = [Kafka()]
before = time.process_time()
capture = Capture(sys.argv[1])
capture.read_index()
indexed = time.process_time()
read = [Conversation(tcp_pair(capture.index, stream), decoders) for stream in range(capture.streams("tcp"))]
done = time.process_time()
print(indexed - before, done - indexed, sum(len(one.messages) for one in read), sum(pdu.peer is not None for one in read for pdu in one.messages))
"""


def compact(text: bytes) -> bytes:
    return uvarint(len(text) + 1) + text


def produce(topic: bytes, partition: int, records: bytes) -> Exchange:
    """Produce v8 (the newest that tshark 4.0 reads), acks=all, and its answer."""
    name = pack(">h", len(topic)) + topic
    asked = pack(">hhii", -1, -1, 30_000, 1) + name + pack(">iii", 1, partition, len(records)) + records
    answered = pack(">i", 1) + name + pack(">iihqqqihi", 1, partition, 0, 4_200, -1, 0, 0, -1, 0)
    return request_frame(0, 8, asked, client=b"order-service"), response_frame(answered)


def fetch(topic: bytes, partition: int, records: bytes) -> Exchange:
    """Fetch v11 of one partition, and what it brings."""
    name = pack(">h", len(topic)) + topic
    asked = pack(">iiiibii", -1, 500, 1, 52_428_800, 1, 77, 3) + pack(">i", 1) + name + pack(">iiiqqi", 1, partition, 5, 4_200, -1, 1 << 20)
    asked += pack(">ih", 0, 0)
    answered = pack(">ihii", 0, 0, 77, 1) + name + pack(">iihqqqiii", 1, partition, 0, 4_300, 4_300, 0, -1, -1, len(records)) + records
    return request_frame(FETCH, 11, asked, client=b"billing-consumer"), response_frame(answered)


def metadata(topics: list[bytes], partitions: int) -> Exchange:
    """Metadata v9 of `topics`, answered with three brokers and `partitions` partitions a topic."""
    asked = uvarint(len(topics) + 1) + b"".join(compact(topic) + b"\0" for topic in topics) + b"\1\0\0\0"
    brokers = b"\4" + b"".join(pack(">i", node) + compact(b"broker-%d.example" % node) + pack(">i", 9092) + b"\0\0" for node in (1, 2, 3))
    nodes = b"\4" + pack(">iii", 1, 2, 3)
    every = b"".join(pack(">hiii", 0, number, 1 + number % 3, 7) + nodes + nodes + b"\1\0" for number in range(partitions))
    of_topics = b"".join(pack(">h", 0) + compact(topic) + b"\0" + uvarint(partitions + 1) + every + pack(">i", -(1 << 31)) + b"\0" for topic in topics)
    answered = pack(">i", 0) + brokers + compact(b"cluster-A") + pack(">i", 1) + uvarint(len(topics) + 1) + of_topics + pack(">i", -(1 << 31)) + b"\0"
    return request_frame(METADATA, 9, asked, client=b"order-service", header=2), response_frame(answered, header=1)


def api_versions() -> Exchange:
    """ApiVersions v3 with an answer of 60 APIs."""
    answered = pack(">h", 0) + uvarint(61) + b"".join(pack(">hhh", key, 0, 9) + b"\0" for key in range(60)) + pack(">i", 0) + b"\0"
    asked = compact(b"apache-kafka-java") + compact(b"4.1.0") + b"\0"
    return request_frame(API_VERSIONS, 3, asked, client=b"order-service", header=2), response_frame(answered)


def stock(random: Random) -> dict[str, list[Exchange]]:
    """Exchanges of each kind, made once; only their correlation ids change."""
    found: dict[str, list[Exchange]] = {"produce": [], "fetch": [], "metadata": [], "versions": [api_versions()]}
    for topic in (name.encode() for name in TOPICS):
        for partition in range(8):
            count = random.choice((1, 2, 5, 10, 20))
            values = [b'{"id":%d,"note":"%s"}' % (number, b"abcdefgh" * random.randrange(4, 32)) for number in range(count)]
            records = batch(b"".join(record(b"o-%04d" % at, value, at) for at, value in enumerate(values)), count, offset=4_200)
            found["produce"].append(produce(topic, partition, records))
            found["fetch"].append(fetch(topic, partition, b"" if random.random() < 0.5 else records))
        found["metadata"].append(metadata([topic], 8))
    return found


def numbered(data: bytes, request: bool, correlation: int) -> bytes:
    at = CORRELATION[request]
    return data[:at] + pack(">i", correlation) + data[at + 4:]


def turns(random: Random, ready: dict[str, list[Exchange]], count: int) -> Iterator[list[list[bytes]]]:
    """What one client sends without waiting and what is answered, `count` messages in all."""
    kind = random.choice(("produce", "produce", "fetch", "fetch", "metadata"))
    correlation = 0
    while count > 0:
        if correlation < 2:
            chosen = [random.choice(ready["metadata" if correlation else "versions"])]
        else:
            chosen = [random.choice(ready[kind]) for _ in range(min(count // 2 or 1, random.choice((1, 2, 4, 5)) if kind == "produce" else 1))]
        sides = [[numbered(one[way], way == 0, correlation + at) for at, one in enumerate(chosen)] for way in (0, 1)]
        correlation += len(chosen)
        count -= 2 * len(chosen)
        yield sides


def connection(random: Random, ready: dict[str, list[Exchange]], number: int, count: int, clock: list[int]) -> Iterator[list[bytes]]:
    """The bursts of a TCP connection that carries `count` messages."""
    host = Host(random, (pack(">BBH", 10, 1, 1 + number // 200), 32_768 + number % 20_000, pack(">BBH", 10, 2, random.randrange(1, 4)), 9092))
    yield [host.segment(0, SYN, clock[0])]
    yield [host.segment(1, SYN | ACK, clock[0])]
    yield [host.segment(0, ACK, clock[0])]
    for sides in turns(random, ready, count):
        for way, sent in enumerate(sides):
            writes: list[bytes] = []
            for data in sent:
                if writes and random.random() < PACKED:
                    writes[-1] += data
                else:
                    writes.append(data)
            burst = []
            for data in writes:
                for number, start in enumerate(range(0, len(data), MSS)):
                    burst.append(host.segment(way, ACK | PUSH, clock[0], data[start:start + MSS]))
                    if number % 2 or random.random() < ACKNOWLEDGED:
                        burst.append(host.segment(1 - way, ACK, clock[0]))
            yield burst
    yield [host.segment(0, FIN | ACK, clock[0])]
    yield [host.segment(1, FIN | ACK, clock[0])]


def frames(messages: int, seed: int) -> Iterator[tuple[int, bytes]]:
    """Times in microseconds since 1970, each with its frame."""
    random, clock = Random(seed), [START]
    ready = stock(random)
    counts = [min(PER_CONNECTION, messages - at) for at in range(0, messages, PER_CONNECTION)]
    waiting = [connection(random, ready, number, count, clock) for number, count in enumerate(counts)]
    running, waiting = waiting[:OPEN], waiting[OPEN:][::-1]
    while running:
        at = random.randrange(len(running))
        burst = next(running[at], None)
        if burst is None:
            if waiting:
                running[at] = waiting.pop()
            else:
                running[at] = running[-1]
                running.pop()
            continue
        for frame in burst:
            clock[0] += random.randrange(2, 40)
            yield clock[0], frame


def ours(capture: str) -> tuple[float, float, int, int]:
    """(seconds of the index, seconds of all conversations, messages, paired messages) of one process."""
    said = subprocess.run([sys.executable, "-c", READ, capture], capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()
    return float(said[0]), float(said[1]), int(said[2]), int(said[3])


def theirs(capture: str) -> float:
    """Seconds of tshark with a filter on the topic."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["tshark", "-n", "-o", "tcp.reassemble_out_of_order:TRUE", "-r", capture, "-Y", f'kafka.topic_name == "{SOUGHT}"'],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def field_cost(runs: int) -> tuple[float, int]:
    """Seconds a field, with its range, of a Metadata answer of 100 topics with 100 partitions each; and how many fields `dissect` makes
    (the elements of arrays of numbers are made when somebody looks)."""
    _, answered = exchange(*metadata([b"topic-%03d" % number for number in range(100)], 100))
    taken = []
    for _ in range(runs):
        before = time.process_time()
        fields = Kafka().dissect(answered)
        taken.append(time.process_time() - before)
        stack, count = list(fields), 0
        while stack:
            made = stack.pop()._children
            count += 1
            if isinstance(made, list):
                stack += made
        del fields, made
    return min(taken) / count, count


def words_cost(runs: int) -> tuple[float, int]:
    """Seconds for the words of a message, and of how many messages: those of all recordings."""
    every = [one for name in capture_names() for _, one in messages(name)]
    decoder, taken = Kafka(), []
    for one in every:
        if one.peer is not None:    # found once, whoever asks
            decoder.describe(one)
    for _ in range(runs):
        before = time.process_time()
        for one in every:
            decoder.describe(one)
        taken.append(time.process_time() - before)
    return statistics.median(taken) / len(every), len(every)


def measure(capture: str, runs: int) -> None:
    """Print a line a measurement."""
    pairs = []
    for number in range(runs):
        indexed, read, messages, paired = ours(capture)
        other = theirs(capture) if shutil.which("tshark") else None
        pairs.append((indexed + read, other))
        if not number:
            print(f"{messages:,} messages, {paired:,} of them paired, in {Path(capture).stat().st_size / 1e6:.0f} MB", flush=True)
        print(f"run {number + 1}: index {indexed:.2f} s, messages {read:.2f} s" + (f"; tshark -Y {other:.2f} s" if other else ""), flush=True)
    total = statistics.median(one for one, _ in pairs)
    print(f"{'framed, read, paired, with the index':38} {total:7.2f} s; aim: < 2 s")
    ratios = [other / one for one, other in pairs if other]
    if ratios:
        print(f"{'against tshark -Y kafka.topic_name':38} {statistics.median(ratios):7.1f}x faster; aim: >= 5x")
    cost, count = field_cost(5 * runs)
    print(f"{'a field with its range':38} {cost * 1e6:7.2f} µs ({count:,} fields); aim: <= 0.5 µs")
    cost, count = words_cost(runs)
    print(f"{'the words of a message':38} {cost * 1e6:7.2f} µs ({count:,} messages); aim: <= 12 µs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture", nargs="?")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    if options.capture:
        measure(options.capture, options.runs)
        return
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(folder) / "kafka.pcap"
        write(frames(options.messages, 1), capture, None)
        measure(str(capture), options.runs)


if __name__ == "__main__":
    main()
