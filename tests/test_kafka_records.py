"""Records inside Kafka messages: batches and old message sets, codecs and their quirks, checksums, control records, what values hold."""
from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import cramjam
import google_crc32c
import lz4.frame
import pytest
import xxhash
import zstandard
from kafka_wire import KAFKA, batch, exchange, message, named, produce, record, request_frame, response_frame, uncovered, uvarint, varint, walk

from protocols.engine.fields import Field
from protocols.kafka.compression import CodecError, decompress, limit_for
from protocols.kafka.topics import KNOWN_IDS, Topics


def xerial(data: bytes, block: int = 32) -> bytes:
    """The block stream of the Java snappy library."""
    made = b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)
    for at in range(0, len(data), block):
        piece = bytes(cramjam.snappy.compress_raw(data[at:at + block]))
        made += struct.pack(">i", len(piece)) + piece
    return made


def gzipped(data: bytes) -> bytes:
    one = zlib.compressobj(wbits=31)
    return one.compress(data) + one.flush()


CODECS = {
    "gzip": (1, gzipped), "snappy-raw": (2, lambda data: bytes(cramjam.snappy.compress_raw(data))), "snappy-xerial": (2, xerial),
    "lz4": (3, lz4.frame.compress), "zstd": (4, zstandard.ZstdCompressor().compress),
    "zstd-unsized": (4, zstandard.ZstdCompressor(write_content_size=False).compress),
}
TWO = record(b"k1", b"hello", headers=[(b"h", b"v"), (b"n", None)]) + record(None, b"bye" * 50, 1, 5)


def dissected(records: bytes, version: int = 8, topic: bytes = b"orders") -> tuple[list[Field], Any]:
    one = message(produce(records, version, topic))
    return list(KAFKA.dissect(one)), one


@pytest.mark.parametrize("name", CODECS)
def test_compressed_batches_open_into_a_view_of_their_own(name: str) -> None:
    codec, compress = CODECS[name]
    tree, one = dissected(batch(compress(TWO), 2, codec))
    assert [view.data for view in one.views] == [TWO]
    assert named(tree, "kafka.message_value") == [b"hello", b"bye" * 50]
    assert {field.view for field in walk(tree) if field.name == "kafka.record"} == {1}
    assert named(tree, "kafka.batch_codec") == [codec]
    assert not uncovered(tree, one.end)
    assert not uncovered(tree, len(TWO), 1)
    assert not named(tree, "_ws.malformed")


def test_several_batches_stand_in_one_field_each_with_its_own_view() -> None:
    data = batch(TWO, 2) + batch(gzipped(TWO), 2, 1, offset=2) + batch(CODECS["zstd"][1](TWO), 2, 4, offset=4)
    tree, one = dissected(data)
    assert named(tree, "kafka.offset").count(4) == 2
    assert len(one.views) == 2
    assert [field.view for field in walk(tree) if field.name == "kafka.record"] == [0, 0, 1, 1, 2, 2]
    assert any(field.text.startswith("Records (3 batches, 6 records, ") for field in tree if field.name == "kafka.topic_data" for field in walk([field]))
    assert KAFKA.describe(one).info == f"Produce v8 orders-0 6 records {len(data)} B (gzip, zstd) acks=all"


def test_offsets_and_timestamps_count_from_the_batch() -> None:
    tree, _ = dissected(batch(record(b"a", b"1", 0, 0) + record(b"b", b"2", 3, -7), 2, offset=100, time=5000))
    assert [field.value for field in walk(tree) if field.name == "kafka.offset"] == [100, 100, 103]
    assert named(tree, "kafka.message_timestamp") == [5000 * 10**6, 4993 * 10**6]


def test_log_append_time_stands_for_all_records() -> None:
    tree, _ = dissected(batch(record(b"a", b"1", 0, 9), 1, 0x08, time=5000, last=8000))
    assert named(tree, "kafka.message_timestamp") == [8000 * 10**6]
    assert named(tree, "kafka.batch_timestamp_type") == [1]


def test_a_wrong_crc_is_said_and_the_records_are_read_all_the_same() -> None:
    data = bytearray(batch(TWO, 2))
    data[17] ^= 1
    tree, _ = dissected(bytes(data))
    assert named(tree, "kafka.batch_crc.status") == [0]
    assert any("[incorrect, computed 0x" in field.text for field in walk(tree) if field.name == "kafka.batch_crc")
    assert any("[CRC incorrect]" in field.text for field in walk(tree) if field.name == "kafka.batch")
    assert len(named(tree, "kafka.message_value")) == 2


@pytest.mark.parametrize("have", [1, 16, 17, 40, 61, 80])
def test_a_last_batch_cut_off_by_the_fetch_limit_is_a_note(have: int) -> None:
    data = batch(TWO, 2) + batch(TWO, 2, offset=2)[:have]
    tree, one = dissected(data)
    assert not named(tree, "_ws.malformed")
    assert named(tree, "kafka.truncated_content") == [data[-have:]]
    assert not uncovered(tree, one.end)
    assert "1 partial" in KAFKA.describe(one).info


def test_an_unknown_codec_or_broken_stream_is_said_and_kept_as_bytes() -> None:
    for codec, body in ((1, b"no gzip"), (2, b"\xff\xff\xff\xff\xff\x01"), (3, b"no lz4 frame"), (4, b"no zstd"), (6, b"x")):
        tree, one = dissected(batch(body, 1, codec))
        assert any("not decompressed" in str(text) for text in named(tree, "kafka.note"))
        assert named(tree, "kafka.batch_compressed") == [body]
        assert not uncovered(tree, one.end)


def test_control_records_are_named() -> None:
    commit = record(b"\0\0\0\1", b"\0\0" + struct.pack(">i", 3))
    abort = record(b"\0\0\0\0", b"\0\0" + struct.pack(">i", 4))
    leader = record(b"\0\0\0\2", struct.pack(">hi", 0, 5) + b"\2" + struct.pack(">i", 5) + b"\0" + b"\1" + b"\0")
    texts = []
    for one in (commit, abort, leader):
        tree, _ = dissected(batch(one, 1, 0x30, producer=9))
        texts += [field.text for field in walk(tree) if field.name == "kafka.record"]
        assert not named(tree, "_ws.malformed")
        assert not named(tree, "kafka.embedded_rest")
    assert texts == ["Control record COMMIT at offset 0", "Control record ABORT at offset 0", "Control record LEADER_CHANGE at offset 0"]


@pytest.mark.parametrize(("value", "words"), [
    (b'{"id": 1}', '{"id": 1} (JSON)'), (b"[1, 2]", "[1, 2] (JSON)"), ("привет".encode(), "привет"), (b"{broken", "{broken"), (b"\xff\xfe\x01", "fffe01"),
    (b"\0\0\0\0\x2a\x02\x08", "Confluent schema 42, 2 bytes: 0208"), (b"", "<empty>"), (b"\x1b[31mred", "1b5b33316d726564"),
])
def test_values_say_what_they_are(value: bytes, words: str) -> None:
    tree, one = dissected(batch(record(b"k", value), 1))
    assert [field.text for field in walk(tree) if field.name == "kafka.message_value"] == [f"Value: {words}"]
    assert not uncovered(tree, one.end)


def test_confluent_framing_has_its_parts() -> None:
    tree, _ = dissected(batch(record(None, b"\0\0\0\1\0\x02\x08"), 1))
    assert named(tree, "kafka.schema_id") == [256]
    assert named(tree, "kafka.payload") == [b"\x02\x08"]


def test_trace_ids_are_taken_from_the_headers() -> None:
    sw8 = "-".join(["1", base64.b64encode(b"trace-1").decode(), base64.b64encode(b"segment-2").decode(), "0", "x", "x", "x", "x"]).encode()
    tree, _ = dissected(batch(record(b"k", b"v", headers=[(b"sw8", sw8), (b"traceparent", b"00-abc-def-01")]), 1))
    assert named(tree, "kafka.trace_id") == ["trace-1", "abc"]
    assert named(tree, "kafka.span_id") == ["segment-2-0", "def"]


def test_many_records_are_shown_in_groups_of_a_thousand() -> None:
    records = b"".join(record(b"", b"%d" % i, i) for i in range(2500))
    tree, one = dissected(batch(records, 2500))
    groups = [field for field in walk(tree) if field.name == "kafka.record_group"]
    assert [field.text for field in groups] == ["Records 1 to 1000", "Records 1001 to 2000", "Records 2001 to 2500"]
    assert len(named(tree, "kafka.record_length")) == 2500
    assert not uncovered(tree, one.end)


# old formats

def old(magic: int, key: bytes | None, value: bytes | None, offset: int = 0, codec: int = 0, time: int = 1000) -> bytes:
    def blob(data: bytes | None) -> bytes:
        return struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + data
    body = struct.pack(">bB", magic, codec) + (struct.pack(">q", time) if magic else b"") + blob(key) + blob(value)
    return struct.pack(">qi", offset, len(body) + 4) + struct.pack(">I", zlib.crc32(body)) + body


@pytest.mark.parametrize("magic", [0, 1])
def test_old_messages_have_their_own_layout(magic: int) -> None:
    tree, one = dissected(old(magic, b"k", b"v", 5) + old(magic, None, None, 6))
    assert named(tree, "kafka.message_key") == [b"k", None]
    assert named(tree, "kafka.message_magic") == [magic, magic]
    assert named(tree, "kafka.message_crc.status") == [1, 1]
    assert len(named(tree, "kafka.message_timestamp")) == 2 * magic
    assert not uncovered(tree, one.end)


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("name", ["gzip", "snappy-raw", "snappy-xerial", "lz4"])
def test_compressed_old_messages_hold_messages(magic: int, name: str) -> None:
    codec, compress = CODECS[name]
    inner = old(magic, b"a", b"1", 0 if magic else 10) + old(magic, b"b", b"2", 1 if magic else 11)
    tree, one = dissected(old(magic, None, compress(inner), 11, codec))
    assert named(tree, "kafka.message_key") == [None, b"a", b"b"]
    assert named(tree, "kafka.absolute_offset") == ([10, 11] if magic else [])
    assert not uncovered(tree, one.end)
    assert not uncovered(tree, len(inner), 1)


def test_nested_compression_is_opened_to_a_depth() -> None:
    data = old(1, b"deep", b"v")
    for _ in range(8):
        data = old(1, None, gzipped(data), 0, 1)
    tree, one = dissected(data)
    assert len(one.views) == 4
    assert not named(tree, "_ws.malformed")
    assert not uncovered(tree, one.end)


def test_the_old_lz4_header_checksum_is_borne_with() -> None:
    """Clients before format 1 took the checksum over the magic number too."""
    frame = bytearray(lz4.frame.compress(old(0, b"k", b"v"), content_checksum=True, store_size=False))
    frame[6] = xxhash.xxh32_intdigest(bytes(frame[:6])) >> 8 & 0xFF
    with pytest.raises(CodecError):
        decompress(3, bytes(frame), 1000)
    tree, _ = dissected(old(0, None, bytes(frame), 0, 3))
    assert named(tree, "kafka.message_key") == [None, b"k"]


def test_an_old_messages_wrong_crc_is_said() -> None:
    data = bytearray(old(1, b"k", b"v"))
    data[-1] ^= 1
    tree, _ = dissected(bytes(data))
    assert named(tree, "kafka.message_crc.status") == [0]


# limits

@pytest.mark.parametrize(("codec", "bomb"), [
    (1, gzipped(bytes(80 << 20))), (4, zstandard.ZstdCompressor().compress(bytes(80 << 20))), (3, lz4.frame.compress(bytes(80 << 20)))])
def test_a_bomb_is_stopped_at_the_limit_and_that_is_said(codec: int, bomb: bytes) -> None:
    tree, one = dissected(batch(bomb, 5, codec))
    limit = limit_for(len(bomb), 256 << 20)
    assert limit <= 64 << 20
    assert len(one.views[0].data) == limit
    assert any(f"limit of {limit} bytes" in str(text) for text in named(tree, "kafka.note"))


def test_a_snappy_length_beyond_the_limit_is_not_believed() -> None:
    tree, _ = dissected(batch(uvarint(3 << 30) + b"\0", 1, 2))
    assert any("the limit is" in str(text) for text in named(tree, "kafka.note"))


def test_all_batches_of_a_message_share_one_budget() -> None:
    bomb = batch(zstandard.ZstdCompressor().compress(bytes(60 << 20)), 1, 4)
    _, one = dissected(bomb * 6)
    assert sum(len(view.data) for view in one.views) <= 256 << 20


# what lies inside bytes

def fetch_of(topic: bytes, records: bytes) -> tuple[list[Field], Any]:
    asked = struct.pack(">iiiib", -1, 500, 1, 1 << 20, 0) + struct.pack(">ih", 1, len(topic)) + topic + struct.pack(">iiqi", 1, 0, 0, 1 << 20)
    request = request_frame(1, 4, asked)
    body = struct.pack(">iih", 0, 1, len(topic)) + topic + struct.pack(">iihqqii", 1, 0, 0, 10, 10, 0, len(records)) + records
    _, answered = exchange(request, response_frame(body))
    return list(KAFKA.dissect(answered)), answered


def text(value: bytes) -> bytes:
    return struct.pack(">h", len(value)) + value


def test_committed_offsets_are_read_from_their_topic() -> None:
    key = struct.pack(">h", 1) + text(b"grp") + text(b"orders") + struct.pack(">i", 2)
    value = struct.pack(">hqi", 3, 77, 4) + text(b"note") + struct.pack(">q", 1_700_000_000_000)
    tree, one = fetch_of(b"__consumer_offsets", batch(record(key, value) + record(key, None, 1), 2))
    assert named(tree, "kafka.consumer_group") == ["grp", "grp"]
    assert named(tree, "kafka.record_key_type") == [1, 1]
    assert named(tree, "kafka.metadata") == ["note"]
    assert [field.text for field in walk(tree) if field.name == "kafka.record"] == [
        "Record at offset 0: OffsetCommit grp/orders/2", "Record at offset 1: OffsetCommit grp/orders/2 = <null> (tombstone)"]
    assert not uncovered(tree, one.end)


def test_transaction_states_are_read_from_their_topic() -> None:
    key = struct.pack(">h", 0) + text(b"tx-1")
    value = struct.pack(">hqhib", 0, 9, 1, 60000, 4) + struct.pack(">i", 1) + text(b"orders") + struct.pack(">ii", 1, 0) + struct.pack(">qq", 1000, 900)
    tree, _ = fetch_of(b"__transaction_state", batch(record(key, value), 1))
    assert named(tree, "kafka.transactional_id") == ["tx-1"]
    assert [field.text for field in walk(tree) if field.name == "kafka.transaction_status"] == ["Transaction status: CompleteCommit (4)"]


def test_metadata_records_are_read_from_the_cluster_topic() -> None:
    value = b"\1" + uvarint(2) + uvarint(0) + b"\7orders" + bytes(15) + b"\x05" + b"\0"
    tree, _ = fetch_of(b"__cluster_metadata", batch(record(None, value), 1))
    assert "orders" in named(tree, "kafka.topic_name")
    assert [field.text for field in walk(tree) if field.name == "kafka.record"] == ["Record at offset 0: TopicRecord orders"]


def join(metadata: bytes, protocol: bytes = b"consumer") -> list[Field]:
    body = text(b"g") + struct.pack(">ii", 1000, 1000) + text(b"") + text(protocol) + struct.pack(">i", 1) + text(b"range")
    body += struct.pack(">i", len(metadata)) + metadata
    asked = message(request_frame(11, 1, body))
    tree = list(KAFKA.dissect(asked))
    assert not uncovered(tree, asked.end)
    return tree


def test_subscriptions_are_read_inside_join_group() -> None:
    tree = join(struct.pack(">hi", 0, 2) + text(b"a") + text(b"b") + struct.pack(">i", -1))
    assert named(tree, "kafka.topic_name") == ["a", "b"]


def test_a_subscription_that_leaves_fields_out_is_read_as_far_as_it_goes() -> None:
    """kafka-go says version 1 and sends no OwnedPartitions."""
    tree = join(struct.pack(">hi", 1, 1) + text(b"a") + struct.pack(">i", -1))
    assert named(tree, "kafka.topic_name") == ["a"]
    assert any("leaves out" in note for note in named(tree, "kafka.note"))
    assert not named(tree, "_ws.malformed")


def test_connect_workers_are_told_from_consumers() -> None:
    tree = join(struct.pack(">h", 0) + text(b"http://worker:8083/") + struct.pack(">q", 5), b"connect")
    assert named(tree, "kafka.connect_url") == ["http://worker:8083/"]
    assert named(tree, "kafka.connect_config_offset") == [5]


def test_bytes_of_no_known_group_protocol_stay_bytes() -> None:
    assert named(join(b"\xff\xff\xff\xff", b"other"), "kafka.protocol_metadata") == [b"\xff\xff\xff\xff"]


def test_a_topic_id_is_shown_with_the_name_that_an_answer_gave() -> None:
    topics = Topics()
    topics.learn("AAAAAAAAAAAAAAAAAAAAZw", "named-topic")
    identity = bytes(15) + b"\x67"
    body = b"\0" + struct.pack(">hi", -1, 1000) + b"\2" + identity + b"\2" + struct.pack(">i", 0) + b"\1\0\0\0"
    asked = message(request_frame(0, 13, body, header=2), topics=topics)
    assert KAFKA.describe(asked).target == "named-topic-0"
    assert any("named-topic" in field.text for field in walk(KAFKA.dissect(asked)) if field.name == "kafka.topic_id")


def test_no_answer_gives_the_metadata_log_another_name() -> None:
    topics = Topics()
    (metadata_log,) = KNOWN_IDS
    topics.learn(metadata_log, "renamed")
    assert topics.names[metadata_log] == "__cluster_metadata"


def test_an_answer_with_names_and_ids_tells_every_topic_once() -> None:
    made = b"".join(b"\5" + name + bytes(15) + bytes([at]) + struct.pack(">h", 0) + b"\0" + struct.pack(">ih", 1, 1) + b"\1\0"
                    for at, name in ((0x71, b"one1"), (0x72, b"two2")))
    _, answered = exchange(request_frame(19, 7, b"\1" + struct.pack(">i", 0) + b"\0\0", header=2),
                           response_frame(struct.pack(">i", 0) + b"\3" + made + b"\0", header=1))
    assert KAFKA.describe(answered).info == "CreateTopics v7 ← OK one1, two2"


def test_the_helpers_batch_has_the_checksum_that_kafka_wants() -> None:
    data = batch(TWO, 2)
    assert struct.unpack_from(">I", data, 17)[0] == google_crc32c.value(data[21:])
    assert varint(-1) == b"\1"
