"""RocketMQ's numbers by name: request and response codes, languages, versions, flags, header and body classes.

The long tables are text files beside this one; a line of them is a row, `#` begins a comment. Sources: apache/rocketmq 5.3.3 (develop of
2025-09-19), RequestCode, ResponseCode, LanguageCode, MQVersion, MessageSysFlag, PullSysFlag, MessageConst.
"""
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from protocols.decoder import Status

JSON, BINARY = 0, 1
SERIALIZE_TYPES = {JSON: "JSON", BINARY: "ROCKETMQ"}
RESPONSE, ONEWAY = 1, 2
LANGUAGES = dict(enumerate(("JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER", "HTTP", "GO", "PHP", "OMS", "RUST", "NODE_JS")))

SEND, PULL, LITE_PULL, SEND_V2, SEND_BATCH, SEND_REPLY, SEND_REPLY_V2, PUSH_REPLY = 10, 11, 361, 310, 320, 324, 325, 326
REGISTER_BROKER, HEART_BEAT, END_TRANSACTION, POP, PEEK, NOTIFICATION, BATCH_ACK = 103, 34, 37, 200050, 200052, 200054, 200151
POP_LITE, LITE_SUBSCRIPTION_CTL = 200070, 200071
PULLS = frozenset({PULL, LITE_PULL})
POPS = frozenset({POP, POP_LITE, NOTIFICATION})
FROM_BROKER = frozenset({39, 40, 220, 221, 326, 200073})
"""Requests that only brokers send, to clients on the connections that these opened."""
FROM_BOTH = frozenset({307, 309})
"""Requests that an admin tool sends to a broker, and the broker to a client."""
NAMES_ANOTHER_CLIENT = frozenset({307, 309, 200073, 200077, 200079})
"""Requests whose clientId is not the sender's."""
SECRETS = frozenset({"Signature", "SecurityToken", "secretKey"})
SECRET_MEMBERS = frozenset({"password", "secretKey"})

COMMIT_OR_ROLLBACK = {0: "UNKNOWN", 8: "COMMIT", 12: "ROLLBACK"}
INIT_MODES = {0: "MIN", 1: "MAX"}
FORBIDDEN = {1: "broker", 2: "group", 3: "topic", 4: "broadcasting", 5: "subscription"}
REQUEST_SOURCES = {-1: "SDK", 0: "PROXY_FOR_ORDER", 1: "PROXY_FOR_BROADCAST", 2: "PROXY_FOR_STREAM"}
PULL_BITS = (("commit_offset", "Commit offset", 1), ("suspend", "Suspend (long poll)", 2), ("subscription", "Subscription", 4),
             ("class_filter", "Class filter", 8), ("lite_pull", "Lite pull", 16))
MESSAGE_BITS = (("compressed", "Compressed", 0x1), ("multi_tags", "Multiple tags", 0x2), ("born_host_v6", "Born host is IPv6", 0x10),
                ("store_host_v6", "Store host is IPv6", 0x20), ("need_unwrap", "Need unwrap", 0x40), ("inner_batch", "Inner batch", 0x80))
COMPRESSED, BORN_V6, STORE_V6, INNER = 0x1, 0x10, 0x20, 0xC0
TRANSACTIONS = {0: "none", 1: "prepared", 2: "commit", 3: "rollback"}
COMPRESSIONS = {0: "zlib", 1: "LZ4", 2: "zstd", 3: "zlib"}

PROPERTIES = (
    "KEYS", "TAGS", "WAIT", "DELAY", "RETRY_TOPIC", "REAL_TOPIC", "REAL_QID", "TRAN_MSG", "PGROUP", "MIN_OFFSET", "MAX_OFFSET", "BUYER_ID",
    "ORIGIN_MESSAGE_ID", "TRANSFER_FLAG", "CORRECTION_FLAG", "MQ2_FLAG", "RECONSUME_TIME", "MSG_REGION", "TRACE_ON", "UNIQ_KEY", "EXTEND_UNIQ_INFO",
    "MAX_RECONSUME_TIMES", "CONSUME_START_TIME", "INNER_NUM", "INNER_BASE", "DUP_INFO", "CHECK_IMMUNITY_TIME_IN_SECONDS", "TRAN_PREPARED_QUEUE_OFFSET",
    "__transactionId__", "TRANSACTION_CHECK_TIMES", "INSTANCE_ID", "CORRELATION_ID", "REPLY_TO_CLIENT", "TTL", "ARRIVE_TIME", "PUSH_REPLY_TIME", "CLUSTER",
    "MSG_TYPE", "POP_CK", "POP_CK_OFFSET", "1ST_POP_TIME", "__SHARDINGKEY", "PROPERTY_FORWARD_QUEUE_ID", "REDIRECT", "INNER_MULTI_DISPATCH",
    "INNER_MULTI_QUEUE_OFFSET", "TRACE_CONTEXT", "TIMER_DELAY_SEC", "TIMER_DELIVER_MS", "__BORNHOST", "BORN_TIMESTAMP", "__RMQ.TRANSIENT.",
    "TIMER_ENQUEUE_MS", "TIMER_DEQUEUE_MS", "TIMER_ROLL_TIMES", "TIMER_OUT_MS", "TIMER_DEL_UNIQKEY", "TIMER_DELAY_LEVEL", "TIMER_DELAY_MS", "__CRC32#",
    "DLQ_ORIGIN_TOPIC", "DLQ_ORIGIN_MESSAGE_ID", "ORIGIN_GROUP", "TRANS_OFFSET", "_SYS_MSG_PRIORITY_", "__LITE_TOPIC", "__RMQ.TRANSIENT.TOPIC_SYS_FLAG",
    "__RMQ.TRANSIENT.GROUP_SYS_FLAG", "TIMER_ROLL_LABEL",
)
"""Names of message properties that RocketMQ itself gives a meaning."""

_FAULTS = {"client": Status.CLIENT_ERROR, "server": Status.SERVER_ERROR}


class Operation(NamedTuple):
    """A request code. Bodies are the words of operations.txt; `asks` and `answers` are templates for the Info column."""

    code: int
    name: str
    since: str
    direction: str
    request_header: str
    request_body: str
    response_header: str
    response_body: str
    asks: str
    answers: str


class Outcome(NamedTuple):
    """A response code: its name, its class as in responses.txt, and how the exchange ended."""

    name: str
    group: str
    status: Status | None


UNREAD = Outcome("unknown", "unread", None)
"""Of an answer whose code is not captured."""


class Member(NamedTuple):
    """A field of a header or body class: its name, how the wire calls it, its type, whether it is required."""

    name: str
    wire: str
    type: str
    required: bool


class HeaderClass(NamedTuple):
    name: str
    members: tuple[Member, ...]


def _rows(name: str) -> Iterator[list[str]]:
    for line in files("protocols.rocketmq").joinpath(name).read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


def _members(text: str) -> tuple[Member, ...]:
    found = []
    for word in text.split() if text != "-" else ():
        names, _, kind = word.partition(":")
        required = names.endswith("*")
        wire, _, name = names.rstrip("*").partition("=")
        found.append(Member(name or wire, wire, kind, required))
    return tuple(found)


@cache
def operations() -> dict[int, Operation]:
    """Every request code."""
    return {int(row[0]): Operation(int(row[0]), *("" if cell == "-" else cell for cell in row[1:])) for row in _rows("operations.txt")}


@cache
def operation_names() -> dict[int, str]:
    return {code: one.name for code, one in operations().items()}


@cache
def truncated() -> dict[int, int]:
    """Codes beyond 16 bits by what a binary header holds of them."""
    return {code & 0xFFFF: code for code in operations() if code > 0xFFFF}


_BASES = {"-": (), "R": ("ns:s", "nsd:b", "bname:s", "oway:b")}
_BASES["T"] = _BASES["TQ"] = (*_BASES["R"], "lo:b")


@cache
def header_classes() -> dict[str, HeaderClass]:
    """Every class of extFields, the fields of its base class last."""
    return {row[0]: HeaderClass(row[0], _members(row[2]) + _members(" ".join(_BASES[row[1]]) or "-")) for row in _rows("headers.txt")}


@cache
def letters(name: str) -> Mapping[str, str]:
    """What the one-letter fields of header class `name` mean."""
    found = header_classes().get(name)
    return {one.wire: one.name for one in found.members if one.wire != one.name} if found else {}


@cache
def request_letters() -> dict[int, Mapping[str, str]]:
    """What the one-letter fields of requests mean, by request code; codes without any are left out."""
    return {code: found for code, one in operations().items() if (found := letters(one.request_header))}


@cache
def body_classes() -> dict[str, dict[str, Member]]:
    """Every class of JSON bodies: members by the name on the wire; of members with short names, the long name counts as well."""
    found = {}
    for name, text in _rows("bodies.txt"):
        members = _members(text)
        found[name] = {one.name: one for one in members} | {one.wire: one for one in members}
    return found


@cache
def outcomes() -> dict[int, Outcome]:
    return {int(row[0]): _outcome(row) for row in _rows("responses.txt") if len(row) == 3}


def _outcome(row: list[str]) -> Outcome:
    return Outcome(row[1], row[2], _FAULTS.get(row[2], Status.OK))


@cache
def _former() -> dict[int, tuple[int, frozenset[int], Outcome]]:
    """Former meanings: the version ordinal before which they hold, the request codes to which they hold."""
    found = {}
    for row in _rows("responses.txt"):
        if len(row) == 4:
            said = dict(word.split("=") for word in row[3].split())
            found[int(row[0])] = ordinal(said["before"]), frozenset(map(int, said.get("requests", "-1").split(","))), _outcome(row)
    return found


def outcome(code: int | None, version: int, asked: int | None = None) -> Outcome:
    """The response code `code` sent by a peer of `version`, to request code `asked` where that is known."""
    if code is None:
        return UNREAD
    former = _former().get(code)
    if former is not None and ((0 < version < former[0] and asked not in operations_since_5()) or asked in former[1]):
        return former[2]
    return outcomes().get(code) or Outcome(f"unknown response code {code}", "unknown", Status.SERVER_ERROR)


@cache
def operations_since_5() -> frozenset[int]:
    """Requests that no release before 5.0.0 knows: the pop family."""
    return frozenset(code for code in operations() if code > 0xFFFF)


def operation_name(code: int | None) -> str:
    """The name of a request code; "" where it is not known which."""
    if code is None:
        return ""
    found = operations().get(code)
    return found.name if found else f"unknown request code {code}"


# versions

_EARLY = ("SNAPSHOT", "ALPHA1", "BETA1", "BETA2", "BETA3", "BETA4", "BETA5", "BETA6_SNAPSHOT", "BETA6", "BETA7_SNAPSHOT", "BETA7", "BETA8_SNAPSHOT", "BETA8",
          "BETA9_SNAPSHOT", "BETA9", "FINAL")
_LINES = ((17, "3_0", 1), (47, "3_1", 0), (67, "3_2", 0), *((69 + 18 * minor - 36, f"3_{minor}", 1) for minor in range(3, 10)))
"""Release lines: ordinal of the first release, the line, the first release's last number."""
HIGHER = 612


def ordinal(version: str) -> int:
    """The ordinal of release "4.9.4" or "5.x.y"."""
    major, minor, patch = map(int, version.split("."))
    return (213 if major == 4 else 413) + 2 * (10 * minor + patch)


def version(number: int) -> str:
    """A version's ordinal as MQVersion names it: V5_3_3, V4_9_4_SNAPSHOT."""
    if number < 0 or number > HIGHER:
        return "unknown version"
    if number == HIGHER:
        return "HIGHER_VERSION"
    release = number | 1
    end = "" if number & 1 else "_SNAPSHOT"
    if release >= 213:
        major, base = (5, 413) if release >= 413 else (4, 213)
        minor, patch = divmod((release - base) // 2, 10)
        return f"V{major}_{minor}_{patch}{end}"
    if number < len(_EARLY):
        return f"V3_0_0_{_EARLY[number]}"
    base, line, first = max(one for one in _LINES if one[0] <= release)
    return f"V{line}_{(release - base) // 2 + first}{end}"


# words

_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def filter_word(name: str) -> str:
    """A Java name as a part of a filter name: consumerGroup -> consumer_group."""
    return re.sub(r"\W+", "_", _BOUNDARY.sub("_", name)).lower().strip("_")


def sized(count: int) -> str:
    return f"{count:,} byte" if count == 1 else f"{count:,} bytes"


def permission(value: object) -> str:
    """A topic's permission bits as RocketMQ prints them: RW-."""
    if not isinstance(value, int):
        return str(value)
    letters = ("R" if value & 4 else "-") + ("W" if value & 2 else "-") + ("X" if value & 1 else "-")
    return f"{letters} ({value})"
