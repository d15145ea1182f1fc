"""Replication of a RocketMQ master to its slave, plain and with states, from hand-made bytes."""
from __future__ import annotations

import struct

import pytest
from rocketmq_wire import named, stored, uncovered, value

from protocols.decoder import CLAIM, MORE, REFUSED, Match, MessageBytes, Opening, Side
from protocols.engine.fields import Field
from protocols.rocketmq.ha import RocketMQHA

RECORD = stored(b"hello")
FIRST, SECOND = RECORD + RECORD[:50], RECORD[50:] + RECORD
REPORTS = struct.pack(">qqq", 0, len(FIRST), len(FIRST) + len(SECOND))


def block(offset: int, log: bytes) -> bytes:
    return struct.pack(">qi", offset, len(log)) + log


LOG = block(0, FIRST) + block(len(FIRST), b"") + block(len(FIRST), SECOND)
GREETING = struct.pack(">ihhq", 1, 0, 0, 2)
WELCOME = struct.pack(">iiqi", 1, 24, 500, 2) + struct.pack(">iqiq", 1, 0, 2, 300)
TRANSFER = struct.pack(">iiqiqq", 2, len(FIRST), 0, 1, 0, 99) + FIRST


def match(slave: bytes, master: bytes, port: int = 7000) -> Match | None:
    return RocketMQHA().recognise(Opening((slave, master), (40000, port), (True, True), (True, True)))


def split(data: bytes, side: Side) -> list[bytes]:
    found = []
    while data:
        size = RocketMQHA().frame(data, side)
        assert isinstance(size, int) and size > 0
        found.append(data[:size])
        data = data[size:]
    return found


def dissect(data: bytes, side: Side, cut: int = 0) -> tuple[list[Field], str]:
    decoder = RocketMQHA()
    message = MessageBytes(data, 0, len(data), len(data) + cut, decoder.header(data, 0, len(data), side, None), side.from_client)
    fields = list(decoder.dissect(message))
    assert not uncovered(fields, len(data))
    return fields, decoder.describe(message).info


def test_blocks_and_reports_of_a_commit_log() -> None:
    found = match(REPORTS, LOG)
    assert found is not None and found.score >= 90 and found.client == 0
    other = match(LOG, REPORTS)
    assert other is not None and other.client == 1
    slave, master = Side(True, True, REPORTS, LOG), Side(False, True, LOG, REPORTS)
    assert split(REPORTS, slave) == [REPORTS[:8], REPORTS[8:16], REPORTS[16:]]
    blocks = split(LOG, master)
    assert [len(one) for one in blocks] == [12 + len(FIRST), 12, 12 + len(SECOND)]
    fields, info = dissect(blocks[0], master)
    assert value(fields, "rocketmq.message.body") == b"hello" and value(fields, "rocketmq_ha.beginning") == RECORD[:50]
    assert info == f"transfer offset 0, {len(FIRST)} bytes"
    fields, info = dissect(blocks[2], master)
    assert value(fields, "rocketmq_ha.tail") == RECORD[50:] and len(named(fields, "rocketmq.message")) == 1
    assert dissect(blocks[1], master)[1] == f"heartbeat offset {len(FIRST)}"
    fields, info = dissect(REPORTS[8:16], slave)
    assert value(fields, "rocketmq_ha.reported_offset") == len(FIRST) and info == f"report offset {len(FIRST)}"


def test_the_form_with_states() -> None:
    heard = struct.pack(">iq", 2, len(FIRST))
    slave_data, master_data = GREETING + heard, WELCOME + TRANSFER
    found = match(slave_data, master_data)
    assert found is not None and found.score >= 90 and found.client == 0
    slave, master = Side(True, True, slave_data, master_data), Side(False, True, master_data, slave_data)
    assert split(slave_data, slave) == [GREETING, heard] and split(master_data, master) == [WELCOME, TRANSFER]
    fields, info = dissect(GREETING, slave)
    assert value(fields, "rocketmq_ha.broker_id") == 2 and info == "handshake"
    fields, _ = dissect(WELCOME, master)
    assert [one.value for one in named(fields, "rocketmq_ha.epoch")] == [2, 1, 2]
    fields, info = dissect(TRANSFER, master)
    assert value(fields, "rocketmq_ha.confirm_offset") == 99 and value(fields, "rocketmq.message.queue_offset") == 5
    assert dissect(heard, slave)[1] == f"report offset {len(FIRST)}"


def test_the_older_handshake_carries_an_address() -> None:
    old = struct.pack(">ihhi", 1, 0, 0, 15) + b"10.77.0.2:10911".ljust(50, b"\0")
    slave = Side(True, True, old, WELCOME)
    assert split(old, slave) == [old]
    assert value(dissect(old, slave)[0], "rocketmq_ha.address") == "10.77.0.2:10911"


@pytest.mark.parametrize(("slave", "master"), [
    (b"", LOG), (REPORTS, b""), (REPORTS[:-3], LOG), (b"GET / HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n"),
    (REPORTS[::-1], LOG), (REPORTS, block(0, FIRST) + block(7, SECOND)),
    (bytes(16), bytes(24)), (struct.pack(">qq", 9, 3), LOG)])
def test_other_bytes_are_no_replication(slave: bytes, master: bytes) -> None:
    found = match(slave, master)
    assert found is None or found.score < CLAIM


def test_heartbeats_alone_need_the_port() -> None:
    beats = block(500, b"") * 3
    assert match(REPORTS[8:], beats) is None
    found = match(REPORTS[8:], beats, 10912)
    assert found is not None and found.score == CLAIM


def test_blocks_that_are_not_all_there() -> None:
    master = Side(False, True, LOG, REPORTS)
    assert RocketMQHA().frame(LOG[:11], master) == MORE
    assert RocketMQHA().frame(struct.pack(">qi", -1, 5), master) == REFUSED
    for size in range(1, 12 + len(FIRST)):
        fields, _ = dissect(LOG[:size], master, 12 + len(FIRST) - size)
        assert len(named(fields, "pv.incomplete")) == 1 and not named(fields, "_ws.malformed")


def test_a_state_that_has_no_name_does_not_end_the_stream() -> None:
    side = Side(False, True, WELCOME, GREETING)
    later = struct.pack(">iiqiqq", 7, 0, 500, 1, 0, 99)
    assert split(WELCOME + later + TRANSFER, side) == [WELCOME, later, TRANSFER]
    assert value(dissect(later, side)[0], "rocketmq_ha.state") == 7


def test_a_block_that_is_cut_before_its_size_is_called_neither_transfer_nor_heartbeat() -> None:
    side = Side(False, True, LOG, REPORTS)
    assert RocketMQHA().header(LOG[:11], 0, 11, side, None).op == ""
    assert dissect(LOG[:11], side, 40)[1] == "block cut off"
