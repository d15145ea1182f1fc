"""Helpers for the Kafka tests: a writer of messages straight from the notation of schema.txt, batches built by hand, captures read."""
from __future__ import annotations

import base64
import json
import os
import random
import re
import struct
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import google_crc32c

from captures.file.opening import open_source
from captures.index.index import Index
from captures.messages.conversation import Conversation
from captures.messages.facts import Facts
from captures.stream.pair import tcp_pair
from protocols import kafka
from protocols.decoder import Kind, MessageBytes, Side
from protocols.engine.fields import Field
from protocols.kafka.decoder import Kafka
from protocols.kafka.topics import Topics

KAFKA = Kafka()
SCHEMA = Path(kafka.__file__).parent / "schema.txt"


# the tree

def walk(fields: Sequence[Field]) -> Iterator[Field]:
    for one in fields:
        yield one
        yield from walk(one.fields)


def named(fields: Sequence[Field], name: str) -> list[Any]:
    return [one.value for one in walk(fields) if one.name == name]


def uncovered(fields: Sequence[Field], end: int, view: int = 0) -> list[int]:
    """Bytes before `end` of a view that lie in no field with a value."""
    cover = bytearray(end)
    for one in walk(fields):
        if one.view == view and one.length and not (one.value is None and one.fields):
            cover[one.start:one.end] = b"\1" * (min(one.end, end) - one.start)
    return [i for i, there in enumerate(cover) if not there]


# frames

def framed(body: bytes) -> bytes:
    return struct.pack(">i", len(body)) + body


def request_frame(key: int, version: int, body: bytes, correlation: int = 7, client: bytes | None = b"pv", header: int = 1) -> bytes:
    text = struct.pack(">hhi", key, version, correlation)
    if header:
        text += struct.pack(">h", -1 if client is None else len(client)) + (client or b"")
    return framed(text + b"\0" * (header == 2) + body)


def response_frame(body: bytes, correlation: int = 7, header: int = 0) -> bytes:
    return framed(struct.pack(">i", correlation) + b"\0" * header + body)


def message(data: bytes, from_client: bool = True, peer: MessageBytes | None = None, session: Any = None, have: int | None = None,
            topics: Topics | None = None) -> MessageBytes:
    """A frame as a message; `have` bytes of it when it is cut; `topics` is what its capture teaches."""
    have = len(data) if have is None else have
    side = Side(from_client, True, data[:4096], b"")
    header = KAFKA.header(data[:have], 0, have, side, session or KAFKA.session())
    return MessageBytes(data[:have], 0, have, len(data), header, from_client, find_peer=lambda: peer, find_facts=lambda: topics)


def exchange(request: bytes, response: bytes, topics: Topics | None = None) -> tuple[MessageBytes, MessageBytes]:
    asked = message(request, topics=topics)
    answered = message(response, False, asked, topics=topics)
    return asked, answered


# batches of format 2

def varint(value: int) -> bytes:
    value = value << 1 ^ value >> 63
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def sized(data: bytes | None) -> bytes:
    return varint(-1) if data is None else varint(len(data)) + data


def record(key: bytes | None, value: bytes | None, offset: int = 0, time: int = 0, headers: Sequence[tuple[bytes, bytes | None]] = ()) -> bytes:
    body = b"\0" + varint(time) + varint(offset) + sized(key) + sized(value) + varint(len(headers)) + b"".join(sized(k) + sized(v) for k, v in headers)
    return varint(len(body)) + body


def batch(records: bytes, count: int, attributes: int = 0, offset: int = 0, producer: int = -1, time: int = 1_700_000_000_000,
          last: int | None = None) -> bytes:
    tail = struct.pack(">hiqqqhii", attributes, max(0, count - 1), time, time if last is None else last, producer, -1 if producer < 0 else 0, -1,
                       count) + records
    return struct.pack(">qiib", offset, len(tail) + 9, 0, 2) + struct.pack(">I", google_crc32c.value(tail)) + tail


def produce(records: bytes, version: int = 8, topic: bytes = b"orders") -> bytes:
    """A Produce request (versions 3-8) of one partition."""
    body = struct.pack(">hhii", -1, -1, 30000, 1) + struct.pack(">h", len(topic)) + topic + struct.pack(">iii", 1, 0, len(records)) + records
    return request_frame(0, version, body)


# a writer from the notation, independent of the decoder's loader

class Notation:
    """Values and bytes of one message in one version: random values, written as the notation says."""

    def __init__(self, line: str) -> None:
        self.kind, key, self.name, versions, flexible, self.text = line.split("|")
        self.key = int(key or -1)
        self.low, self.high = map(int, versions.split("-"))
        self.flexible_text = flexible
        self.at = 0
        self.fields = self._fields()

    def flexible(self, version: int) -> bool:
        return self.flexible_text == "*" or (self.flexible_text != "-" and self._in(self.flexible_text, version))

    @staticmethod
    def _in(text: str, version: int) -> bool:
        if text in ("", "*"):
            return True
        for one in text.split(","):
            if one.endswith("+"):
                if version >= int(one[:-1]):
                    return True
            else:
                low, _, high = one.partition("-")
                if int(low) <= version <= int(high or low):
                    return True
        return False

    def _fields(self) -> list[tuple[str, Any, dict[str, str]]]:
        found = []
        while self.at < len(self.text) and self.text[self.at] != "}":
            name = re.compile(r"\w+").match(self.text, self.at)
            assert name
            self.at = name.end() + 1
            kind = self._type()
            marks = {}
            while self.at < len(self.text) and self.text[self.at] in "?@#~%=":
                mark = self.text[self.at]
                pattern = {"?": r"[\d+,-]*", "@": r"[\d+,-]*", "#": r"\d+", "~": "", "%": r"\w", "=": r"[^;}\]]*"}[mark]
                value = re.compile(pattern).match(self.text, self.at + 1)
                assert value
                marks[mark] = value[0]
                self.at = value.end()
            found.append((name[0], kind, marks))
            if self.at < len(self.text) and self.text[self.at] == ";":
                self.at += 1
        return found

    def _type(self) -> Any:
        letter = self.text[self.at]
        self.at += 1
        if letter == "[":
            inner = self._type()
            self.at += 1
            return [inner]
        if letter == "{":
            inner = self._fields()
            self.at += 1
            return tuple(inner)
        return letter

    def make(self, version: int, rng: random.Random) -> tuple[bytes, list[tuple[str, Any]]]:
        """A body, and its scalar values in the order of the wire (arrays as ("[", count), nulls as None)."""
        self.rng, self.version, self.values = rng, version, []
        return self._write(self.fields, self.flexible(version)), self.values

    def _write(self, fields: Any, flexible: bool) -> bytes:
        out, tagged = b"", []
        for name, kind, marks in fields:
            if "@" in marks and not self._in(marks["@"], self.version):
                continue
            if "#" in marks:
                tagged.append((int(marks["#"]), name, kind, marks))
            else:
                out += self._value(name, kind, marks, flexible)
        if not flexible:
            return out
        section, count = b"", 0
        for tag, name, kind, marks in sorted(tagged, key=lambda one: one[0]):
            if self.rng.random() < 0.5:
                content = self._value(name, kind, marks, flexible, True)
                section += uvarint(tag) + uvarint(len(content)) + content
                count += 1
        if self.rng.random() < 0.2:
            section += uvarint(100) + uvarint(3) + b"new"
            self.values.append(("unknown tag", b"new"))
            count += 1
        return out + uvarint(count) + section

    def _value(self, name: str, kind: Any, marks: dict[str, str], flexible: bool, tagged: bool = False) -> bytes:
        rng = self.rng
        compact = flexible and "~" not in marks
        null = "?" in marks and self._in(marks["?"], self.version) and rng.random() < 0.3
        if isinstance(kind, tuple):
            if "?" in marks and self._in(marks["?"], self.version):
                self.values.append((name, "null" if null else "struct"))
                return (b"\0" if tagged else b"\xff") if null else b"\1" + self._write(kind, flexible)
            return self._write(kind, flexible)
        if isinstance(kind, list):
            count = -1 if null else rng.choice((0, 1, 2, 3))
            self.values.append((name, count))
            head = uvarint(count + 1) if compact else struct.pack(">i", count)
            element_marks = {key: value for key, value in marks.items() if key == "~"}
            return head + b"".join(self._value(name, kind[0], element_marks, flexible) for _ in range(max(0, count)))
        if kind in "syr":
            data = None if null else self._data(kind)
            self.values.append((name, None if data is None else data.decode() if kind == "s" else data))
            length = -1 if data is None else len(data)
            head = uvarint(length + 1) if compact else struct.pack(">h" if kind == "s" else ">i", length)
            return head + (data or b"")
        if kind == "u":
            data = bytes(rng.getrandbits(8) for _ in range(16))
            self.values.append((name, base64.urlsafe_b64encode(data).decode().rstrip("=")))
            return data
        if kind == "z":
            value: Any = rng.random() < 0.5
        elif kind == "d":
            value = rng.uniform(-1e6, 1e6)
        else:
            size = {"b": 7, "h": 15, "H": 16, "i": 31, "I": 32, "q": 63}[kind]
            value = rng.getrandbits(size) - (0 if kind in "HI" else rng.choice((0, 1 << size)))
        self.values.append((name, value))
        return struct.pack(">" + {"z": "?"}.get(kind, kind), value)

    def _data(self, kind: str) -> bytes:
        if kind == "s":
            return "".join(self.rng.choice("abc-_.ж0") for _ in range(self.rng.choice((0, 1, 5, 90)))).encode()
        if kind == "r":
            return b"" if self.rng.random() < 0.3 else batch(record(b"k", b"v"), 1)
        return b"\xff" + bytes(self.rng.getrandbits(8) for _ in range(self.rng.choice((0, 3, 200))))


def uvarint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


@cache
def notations() -> tuple[Notation, ...]:
    return tuple(Notation(line) for line in SCHEMA.read_text().splitlines() if not line.startswith("#"))


REQUESTS = [one for one in notations() if one.kind == "q"]
RESPONSES = {one.key: one for one in notations() if one.kind == "r"}


def pair(seed: int) -> tuple[MessageBytes, MessageBytes]:
    """A random request with its response."""
    rng = random.Random(seed)
    one = rng.choice(REQUESTS)
    version = rng.randint(one.low, one.high)
    header = 0 if (one.key, version) == (7, 0) else 2 if one.flexible(version) else 1
    body, _ = one.make(version, rng)
    answer, _ = RESPONSES[one.key].make(version, rng)
    return exchange(request_frame(one.key, version, body, header=header), response_frame(answer, header=int(one.flexible(version) and one.key != 18)))


# captures

FOLDERS = (Path(__file__).parent / "data" / "kafka", Path(os.environ.get("PROTOVIEW_CAPTURES", "/nowhere")) / "kafka")


def capture_names() -> list[str]:
    """Recordings beside the tests, or in the folder that PROTOVIEW_CAPTURES names."""
    return sorted({file.name.split(".pcap")[0] for folder in FOLDERS for file in folder.glob("kafka-*.pcap*")})


def capture_file(name: str) -> Path:
    return next(file for folder in FOLDERS for file in sorted(folder.glob(f"{name}.pcap*")))


def truth(name: str) -> dict[str, Any]:
    return json.loads(next(file for folder in FOLDERS for file in folder.glob(f"{name}.truth.json")).read_text())


def conversations_of(file: Path) -> list[Conversation]:
    index = Index(open_source(file))
    index.run()
    made: list[Conversation] = []
    facts = Facts(lambda: made)
    made += (Conversation(tcp_pair(index, stream), [KAFKA], facts=facts) for stream in range(len(index.tcp)))
    return made


@cache
def conversations(name: str) -> list[Conversation]:
    return conversations_of(capture_file(name))


def messages(name: str) -> Iterator[tuple[Any, MessageBytes]]:
    """(PDU, message) of every Kafka message of a recording."""
    for conversation in conversations(name):
        for pdu in conversation.messages:
            yield pdu, conversation.message(pdu)


def requests(name: str) -> Iterator[tuple[Any, MessageBytes]]:
    return ((pdu, one) for pdu, one in messages(name) if pdu.header.kind in (Kind.REQUEST, Kind.ONEWAY))
