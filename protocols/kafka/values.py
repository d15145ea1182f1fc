"""What Kafka's numbers mean: enumerations by filter name, and how times, sizes, bit sets and topic ids are shown.

Enumerations come from Kafka's Java sources (`common/acl`, `common/resource`, `ConfigResource`, `TransactionState` and the request
classes, 4.5 development line). The name of a topic id comes with the value that is shown (`protocols.kafka.topics`).
"""
from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from protocols.engine.fields import absolute_time
from protocols.kafka import schema
from protocols.kafka.errors import show_error
from protocols.kafka.topics import NO_ID, topic_of

__all__ = ["CODECS", "CONTROL_TYPES", "ENUMS", "SHOWS", "show_milliseconds", "show_time"]

ACL_OPERATIONS = dict(enumerate((
    "unknown", "any", "all", "read", "write", "create", "delete", "alter", "describe", "cluster_action", "describe_configs", "alter_configs",
    "idempotent_write", "create_tokens", "describe_tokens", "two_phase_commit")))
CONFIG_RESOURCES = {0: "unknown", 2: "topic", 4: "broker", 8: "broker_logger", 16: "client_metrics", 32: "group"}
CODECS = {0: "none", 1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
CONTROL_TYPES = {0: "ABORT", 1: "COMMIT", 2: "LEADER_CHANGE", 3: "SNAPSHOT_HEADER", 4: "SNAPSHOT_FOOTER", 5: "KRAFT_VERSION", 6: "KRAFT_VOTERS"}
TRANSACTION_STATES = dict(enumerate(("Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead", "PrepareEpochFence")))
DELIVERY_STATES = {0: "available", 1: "acquired", 2: "acknowledged", 3: "archiving", 4: "archived"}
MEMBER_STATES = {0: "stable", 1: "unrevoked partitions", 2: "unreleased partitions", 127: "unknown"}
STREAMS_MEMBER_STATES = {1: "stable", 2: "unrevoked tasks", 3: "unreleased tasks", 127: "unknown"}
LATER_OFFSETS = {-4: "earliest local", -5: "latest tiered", -6: "earliest pending upload"}

ENUMS: dict[str, Mapping[Any, str]] = {
    "kafka.required_acks": {-1: "all", 0: "none", 1: "leader"},
    "kafka.isolation_level": {0: "read_uncommitted", 1: "read_committed"},
    "kafka.coordinator_type": {0: "group", 1: "transaction", 2: "share"},
    "kafka.broker_security_protocol_type": {0: "PLAINTEXT", 1: "SSL", 2: "SASL_PLAINTEXT", 3: "SASL_SSL"},
    "kafka.acl_operation": ACL_OPERATIONS,
    "kafka.acl_permission_type": {0: "unknown", 1: "any", 2: "deny", 3: "allow"},
    "kafka.acl_resource_type": {0: "unknown", 1: "any", 2: "topic", 3: "group", 4: "cluster", 5: "transactional_id", 6: "delegation_token", 7: "user"},
    "kafka.acl_resource_pattern_type": {0: "unknown", 1: "any", 2: "match", 3: "literal", 4: "prefixed"},
    "kafka.config_resource_type": CONFIG_RESOURCES,
    "kafka.config_source": {0: "unknown", 1: "topic", 2: "dynamic broker", 3: "dynamic default broker", 4: "static broker", 5: "default",
                            6: "broker logger", 7: "client metrics", 8: "group"},
    "kafka.config_type": {0: "unknown", 1: "boolean", 2: "string", 3: "int", 4: "short", 5: "long", 6: "double", 7: "list", 8: "class", 9: "password"},
    "kafka.config_operation": {0: "set", 1: "delete", 2: "append", 3: "subtract"},
    "kafka.election_type": {0: "preferred", 1: "unclean"},
    "kafka.status_code": {0: "stale topology", 1: "missing source topics", 2: "incorrectly partitioned", 3: "missing internal topics",
                          4: "shutdown application", 5: "assignment delayed", 6: "missing client tags"},
    "kafka.scram_mechanism": {0: "unknown", 1: "SCRAM-SHA-256", 2: "SCRAM-SHA-512"},
    "kafka.acknowledge_type": {0: "gap", 1: "accept", 2: "release", 3: "reject", 4: "renew"},
    "kafka.delivery_state": DELIVERY_STATES,
    "kafka.share_acquire_mode": {0: "batch_optimized", 1: "record_limit"},
    "kafka.member_type": {-1: "unknown", 0: "classic", 1: "consumer"},
    "kafka.member_state": MEMBER_STATES,
    "kafka.streams_member_state": STREAMS_MEMBER_STATES,
    "kafka.topology_description_status": {0: "not requested", 1: "not stored", 2: "error", 3: "available"},
    "kafka.compression_type": CODECS,
    "kafka.accepted_compression_type": CODECS,
    "kafka.transaction_status": TRANSACTION_STATES,
    "kafka.endpoint_type": {0: "unknown", 1: "brokers", 2: "controllers"},
    "kafka.upgrade_type": {0: "unknown", 1: "upgrade", 2: "safe downgrade", 3: "unsafe downgrade"},
    "kafka.leader_recovery_state": {-1: "no change", 0: "recovered", 1: "recovering"},
    "kafka.control_type": CONTROL_TYPES,
    "kafka.zk_migration_state": {0: "none", 1: "pre-migration", 2: "migration", 3: "post-migration", 4: "complete"},
    "kafka.offset_time": {-1: "latest", -2: "earliest", -3: "max timestamp", **LATER_OFFSETS},
}


def show_time(nanoseconds: int) -> str:
    """A time that Kafka keeps in milliseconds; negative ones mean that there is none."""
    return absolute_time(nanoseconds) if nanoseconds >= 0 else f"none ({nanoseconds // 1_000_000})"


def show_milliseconds(value: int) -> str:
    return f"{value} ms"


def _show_offset_time(value: int) -> str:
    name = ENUMS["kafka.offset_time"].get(value)
    return f"{name} ({value})" if name else f"{absolute_time(value * 1_000_000)} ({value})" if value >= 0 else f"unknown ({value})"


def _show_operations(value: int) -> str:
    """The bit set of allowed operations; the least int32 says that nobody asked."""
    if value == -0x8000_0000:
        return "not requested"
    names = [name for bit, name in ACL_OPERATIONS.items() if value >> bit & 1]
    return f"{', '.join(names) or 'none'} (0x{value & 0xFFFF_FFFF:x})"


def _show_api(value: int) -> str:
    return f"{schema.api_name(value)} ({value})"


def _show_uuid(value: str) -> str:
    """Kafka's form, the hexadecimal form, and the topic's name when it is known."""
    if value == NO_ID:
        return f"{value} (none)"
    try:
        digits = base64.urlsafe_b64decode(value + "==").hex()
    except (ValueError, binascii.Error):
        return value
    name = topic_of(value)
    known = f", topic {name}" if name else ""
    return f"{value} ({digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}{known})"


SHOWS: dict[str, Callable[[Any], str]] = {
    "kafka.error": show_error,
    "kafka.acknowledge_error_code": show_error,
    "kafka.topic_config_error_code": show_error,
    "kafka.api_key": _show_api,
    "kafka.response_key": _show_api,
    "kafka.api_versions.api_key": _show_api,
    "kafka.offset_time": _show_offset_time,
    "kafka.cluster_authorized_ops": _show_operations,
    "kafka.topic_authorized_ops": _show_operations,
    "kafka.group_authorized_ops": _show_operations,
    "uuid": _show_uuid,
}
