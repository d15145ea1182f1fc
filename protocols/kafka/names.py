"""How fields of the schema are named: filter name, label and type for every part of every message.

A field has Wireshark's name where Wireshark has one for that meaning; all others are `kafka.` and the schema's name in
snake case, elements of an array in the singular (`kafka.requested_metrics` holds `kafka.requested_metric`s).
"""
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

from protocols.engine.fields import Spec
from protocols.kafka.errors import NAMES as ERROR_NAMES
from protocols.kafka.schema import Message, Part, api_names
from protocols.kafka.values import ENUMS, SHOWS, show_milliseconds, show_time

__all__ = ["TOPIC_NAMES", "is_time", "item_spec", "label_of", "singular", "spec_of", "told_by_id", "topics_by_id"]

TYPES = {"z": "bool", "b": "int8", "h": "int16", "H": "uint16", "i": "int32", "I": "uint32", "q": "int64", "d": "double", "s": "string", "u": "string",
         "y": "bytes", "r": "none", "[": "none", "{": "none"}

ENTITIES = {"T": ("topic_name", "Topic"), "G": ("consumer_group", "Group"), "X": ("transactional_id", "Transactional id")}
"""Filter name and label of text fields by what they name."""

ALIASES = {
    "Acks": "required_acks", "TimeoutMs": "timeout", "timeoutMs": "timeout", "Index": "partition_id", "Partition": "partition_id", "partition": "partition_id",
    "PartitionIndex": "partition_id", "PartitionIndexes": "partition_id", "PartitionIds": "partition_id",
    "BaseOffset": "offset", "FetchOffset": "offset", "CommittedOffset": "offset", "OldStyleOffsets": "offset", "ErrorCode": "error",
    "PartitionErrorCode": "error", "errorCode": "streams_error", "ThrottleTimeMs": "throttle_time", "MaxWaitMs": "max_wait_time",
    "PartitionMaxBytes": "max_bytes",
    "SessionId": "fetch_session_id", "SessionEpoch": "fetch_session_epoch", "GroupInstanceId": "consumer_group_instance",
    "groupInstanceId": "consumer_group_instance", "group": "consumer_group", "topic": "topic_name", "GroupsNames": "consumer_group",
    "CoordinatorKeys": "coordinator_key", "KeyType": "coordinator_type", "ReplicaNodes": "replica_id", "Replicas": "replica_id",
    "Isr": "isr_id", "IsrNodes": "isr_id", "OfflineReplicas": "offline_id", "Mechanisms": "sasl_mechanism", "AuthBytes": "sasl_authentication",
    "Committed": "transaction_result", "TransactionResult": "transaction_result", "GenerationIdOrMemberEpoch": "generation_id", "generation": "generation_id",
    "SessionTimeoutMs": "session_timeout", "sessionTimeout": "session_timeout", "RebalanceTimeoutMs": "rebalance_timeout",
    "rebalanceTimeout": "rebalance_timeout", "RetentionTimeMs": "retention_time", "CommitTimestamp": "commit_timestamp",
    "CommittedMetadata": "metadata", "RequireStable": "require_stable_offset", "TransactionTimeoutMs": "transaction_timeout",
    "validateOnly": "validate_only", "ConfigurationKeys": "config_key", "ReadOnly": "config_readonly", "IsDefault": "config_default",
    "IsSensitive": "config_sensitive", "IncludeSynonyms": "config_include_synonyms", "TokenId": "token_id", "Hmac": "token_hmac",
    "IssueTimestamp": "token_issue_timestamp", "IssueTimestampMs": "token_issue_timestamp", "ExpiryTimestamp": "token_expiry_timestamp",
    "ExpirationTimestamp": "token_expiry_timestamp", "ExpiryTimestampMs": "token_expiry_timestamp", "MaxTimestamp": "token_max_timestamp",
    "MaxTimestampMs": "token_max_timestamp", "MaxLifetimeMs": "token_max_life_time", "RenewPeriodMs": "renew_time", "ExpiryTimePeriodMs": "expiry_time",
    "Path": "log_dir", "PartitionSize": "segment_size", "IsFutureKey": "future", "ZkVersion": "zk_version", "IsNew": "is_new_replica",
    "Listener": "listener_name", "SecurityProtocol": "broker_security_protocol_type", "MaxNumOffsets": "max_offsets", "RackId": "rack", "Racks": "rack",
    "V0Host": "host", "V0Port": "port", "HostName": "host", "userEndPoint": "user_end_point",
    "IncludeClusterAuthorizedOperations": "include_cluster_authorized_ops", "IncludeTopicAuthorizedOperations": "include_topic_authorized_ops",
    "IncludeAuthorizedOperations": "include_group_authorized_ops", "ClusterAuthorizedOperations": "cluster_authorized_ops",
    "TopicAuthorizedOperations": "topic_authorized_ops", "AuthorizedOperations": "group_authorized_ops",
    "V3AndBelowTransactionalId": "transactional_id", "V3AndBelowProducerId": "producer_id", "V3AndBelowProducerEpoch": "producer_epoch",
    "RequestApiKey": "api_key", "RequestApiVersion": "api_version", "ProducerIdFilters": "producer_id", "Assignment": "member_assignment",
    "assignment": "member_assignment", "subscription": "member_metadata", "leader": "group_leader_id", "protocol": "protocol_name",
    "Mechanism": "scram_mechanism", "NewIsr": "isr_id", "UnalignedRecords": "records", "AcknowledgeTypes": "acknowledge_type", "BrokerIds": "broker_id",
    "ResourceTypes": "config_resource_type", "isKRaftController": "is_kraft_controller", "KRaftVersion": "kraft_version", "Enable2Pc": "enable_2pc",
    "SourceTopicRegex": "source_topic_pattern", "LastKnownElr": "last_known_elr_id", "StatesFilter": "state_filter", "TypesFilter": "type_filter",
    "Topic": "topic_name", "Topics": "topic_name", "TopicName": "topic_name", "SubscribedTopicNames": "topic_name", "SourceTopics": "topic_name",
    "RepartitionSinkTopics": "topic_name", "GroupId": "consumer_group", "protocolType": "protocol_type", "memberId": "member_id",
    "currentStateTimestamp": "current_state_timestamp", "ExpireTimestamp": "expire_timestamp",
}

ITEMS = {"ApiKeys": "api_versions", "Directories": "log_directory", "Features": "feature_range", "Owners": "owner_principal",
         "Renewers": "renewer_principal", "TransactionStates": "transaction", "Users": "user_entry"}
"""Names of structs in an array where the singular stands for something else."""

ACL = {"Host": "acl_host", "HostFilter": "acl_host", "Operation": "acl_operation", "PermissionType": "acl_permission_type", "Principal": "acl_principal",
       "PrincipalFilter": "acl_principal", "ResourceName": "acl_resource_name", "ResourceNameFilter": "acl_resource_name",
       "ResourcePatternType": "acl_resource_pattern_type", "PatternType": "acl_resource_pattern_type", "PatternTypeFilter": "acl_resource_pattern_type",
       "ResourceType": "acl_resource_type", "ResourceTypeFilter": "acl_resource_type"}
CONFIG = {"ResourceType": "config_resource_type", "ResourceName": "config_resource_name"}
CONFIG_ENTRY = {"Name": "config_key", "Value": "config_value", "Key": "config_key", "key": "config_key", "value": "config_value", "Source": "config_source"}
QUOTA = {"Key": "quota_key", "Value": "quota_value", "Match": "quota_match"}
ENDPOINT = {"Name": "listener_name"}
FEATURE = {"Name": "feature"}

WITHIN = {
    **dict.fromkeys(("DescribeAcls", "CreateAcls", "DeleteAcls", "AccessControlEntryRecord"), ACL),
    **dict.fromkeys(("DescribeConfigs", "AlterConfigs", "IncrementalAlterConfigs", "ListConfigResources"), CONFIG),
    **dict.fromkeys(("Configs", "Synonyms", "TopicConfigs", "LastAssignmentConfigs"), CONFIG_ENTRY),
    **dict.fromkeys(("DescribeClientQuotas", "AlterClientQuotas", "ClientQuotaRecord"), QUOTA),
    **dict.fromkeys(("Listeners", "EndPoints", "Endpoints", "LeaderEndpoints"), ENDPOINT),
    **dict.fromkeys(("Features", "SupportedFeatures", "FinalizedFeatures", "FeatureLevelRecord"), FEATURE),
    "ConfigRecord": CONFIG | CONFIG_ENTRY,
    "ForgottenTopicsData": {"Topic": "forgotten_topic_name", "TopicId": "forgotten_topic_id", "Partitions": "forgotten_topic_partition"},
    "FindCoordinator": {"Key": "coordinator_key"}, "Coordinators": {"Key": "coordinator_key"},
    "ApiKeys": {"ApiKey": "api_versions.api_key", "MinVersion": "api_versions.min_version", "MaxVersion": "api_versions.max_version"},
    "ListOffsets": {"Timestamp": "offset_time"}, "Topics": {"Count": "partition_count"},
    "SaslHandshake": {"Mechanism": "sasl_mechanism"},
    "JoinGroup": {"Leader": "group_leader_id", "Name": "protocol_name"}, "Protocols": {"Name": "protocol_name", "Metadata": "protocol_metadata"},
    "SupportedProtocols": {"Name": "protocol_name", "Metadata": "protocol_metadata"}, "Members": {"Metadata": "member_metadata"},
    "ClientTags": {"Key": "client_tag_key", "Value": "client_tag_value"}, "clientTags": {"key": "client_tag_key_bytes", "value": "client_tag_value_bytes"},
    "SubscriptionInfoData": {"processId": "process_uuid", "version": "streams_version"},
    "DefaultPrincipalData": {"Type": "principal_type", "Name": "principal_name"},
    "ControlRecordTypeSchema": {"Type": "control_type"}, "LeaderAndIsr": {"Type": "leader_and_isr_type"}, "UpdateMetadata": {"Type": "update_metadata_type"},
    "DescribeUserScramCredentials": {"Name": "user"}, "AlterUserScramCredentials": {"Name": "user"}, "UserScramCredentialRecord": {"Name": "user"},
    "RemoveUserScramCredentialRecord": {"Name": "user"}, "BeginTransactionRecord": {"Name": "transaction_name"},
    "TopicIdPartition": {"Name": "topic_name", "Id": "topic_id"}, "RemoteLogSegmentId": {"Id": "segment_id"}, "AssignReplicasToDirs": {"Id": "directory_id"},
    "UpdateFeatures": {"Feature": "feature"}, "StreamsGroupHeartbeat": {"Partitions": "partition_count"},
    "StateChangelogTopics": {"Name": "topic_name", "Partitions": "partition_count"},
    "RepartitionSourceTopics": {"Name": "topic_name", "Partitions": "partition_count"},
    "CopartitionGroups": {"SourceTopics": "source_topic_index", "SourceTopicRegex": "source_topic_regex_index",
                          "RepartitionSourceTopics": "repartition_source_topic_index"},
    "ConsumerGroupCurrentMemberAssignmentValue": {"State": "member_state"}, "ShareGroupCurrentMemberAssignmentValue": {"State": "member_state"},
    "StreamsGroupCurrentMemberAssignmentValue": {"State": "streams_member_state"},
    "FenceBrokerRecord": {"Id": "broker_id"}, "UnfenceBrokerRecord": {"Id": "broker_id"}, "LiveBrokers": {"Id": "broker_id"},
    "BrokerRegistrationChangeRecord": {"Fenced": "fenced_change", "InControlledShutdown": "in_controlled_shutdown_change"},
    "RemoveAccessControlEntryRecord": {"Id": "acl_id"}, "Nodes": {"Name": "processor_name"}, "Source": {"Name": "processor_name"},
    "Processor": {"Name": "processor_name"}, "ConsumerGroupRegularExpressionValue": {"Version": "metadata_version"},
}
"""Names that depend on the message or on the array or struct around the field; the innermost wins."""
WITHIN["AccessControlEntryRecord"] = {**ACL, "Id": "acl_id"}

WIDE = {"kafka.epoch": "int64", "kafka.port": "int32", "kafka.replica_epoch": "int64", "kafka.producer_epoch": "int32", "kafka.error": "int16",
        "kafka.version": "int32", "kafka.fetch_session_id": "int64", "kafka.fetch_session_epoch": "int64", "kafka.segment_size": "int64"}
"""Types of names that stand for numbers of several sizes."""

LABELS = {"topic_name": "Topic", "partition_id": "Partition", "consumer_group": "Group", "consumer_group_instance": "Group instance id",
          "isr_id": "In-sync replica",
          "offline_id": "Offline replica", "replica_id": "Replica", "error": "Error code", "throttle_time": "Throttle time", "api_key": "API key",
          "api_version": "API version", "api_versions.api_key": "API key", "api_versions.min_version": "Min version", "api_versions.max_version": "Max version",
          "sasl_mechanism": "SASL mechanism", "sasl_authentication": "SASL authentication", "required_acks": "Required acks", "config_readonly": "Read-only",
          "offset_time": "Timestamp", "acl_host": "Host", "member_id": "Member id"}

API_KEYS = {"kafka.api_key", "kafka.api_versions.api_key"}
RECORDS = Spec("kafka.records", "Records", _length=[Spec("kafka.records_len", "Records length", "int64")])

TOPIC_NAMES = {"kafka.topic_id": Spec("kafka.topic_name", "Topic", "string", about="Generated where a topic is named by its id alone and its name is known"),
               "kafka.forgotten_topic_id": Spec("kafka.forgotten_topic_name", "Forgotten topic name", "string")}
"""The field with the name of a topic by the field with its id."""

TIME = re.compile(r"Timestamp(Ms)?$|LogAppendTimeMs$|TransactionStartTimeMs$|timestamp$")
WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def is_time(part: Part, holders: tuple[str, ...]) -> bool:
    """Whether an int64 holds milliseconds since 1970."""
    return part.type == "q" and TIME.search(part.name) is not None and holders[0] != "ListOffsets"


def told_by_id(parts: Sequence[Part], version: int, holders: tuple[str, ...]) -> frozenset[str]:
    """Of a struct's parts the ids of topics without a name before them: below these stands the topic's name, where the capture tells it."""
    found, named = [], False
    for part in parts:
        if part.present(version):
            named |= part.type == "s" and part.entity == "T"
            if part.type == "u" and not named and spec_of(part, holders).name in TOPIC_NAMES:
                found.append(part.name)
    return frozenset(found)


@cache
def topics_by_id(message: Message, version: int) -> Mapping[int, Spec]:
    """The generated fields that a layout can have, by the `id` of the part of the topic's id."""
    found: dict[int, Spec] = {}

    def visit(parts: Sequence[Part], holders: tuple[str, ...]) -> None:
        told = told_by_id(parts, version, holders)
        for part in parts:
            if part.present(version):
                if part.name in told:
                    found[id(part)] = TOPIC_NAMES[spec_of(part, holders).name]
                visit((part.element or part).parts, (*holders, part.name))
    visit(message.parts, (message.name,))
    return found


def singular(name: str) -> str:
    """The name of one element of an array of this name."""
    if name.endswith("ies"):
        return name[:-3] + "y"
    if name.endswith(("ches", "xes", "sses")):
        return name[:-2]
    return name[:-1] if name.endswith("s") and not name.endswith(("ss", "us")) else name


@cache
def _snake(name: str) -> str:
    return WORDS.sub("_", name).lower()


@cache
def label_of(name: str) -> str:
    """`ReplicaDirectoryId` as "Replica directory id"; the unit of a time is not part of its label."""
    words = WORDS.sub(" ", name.removesuffix("Ms").removeprefix("V3AndBelow")).lower()
    text = words[:1].upper() + words[1:]
    return re.sub(r"\bk raft\b|\bkraft\b", "KRaft", re.sub(r"\bapi\b", "API", text, flags=re.IGNORECASE), flags=re.IGNORECASE)


@cache
def _made(name: str, label: str, kind: str, show: str) -> Spec:
    """The one spec of this name, label and type."""
    shower = SHOWS.get(name) or SHOWS.get(show)
    if shower is None and kind == "time":
        shower = show_time
    if shower is None and show == "ms":
        shower = show_milliseconds
    enum = ENUMS.get(name)
    if name == "kafka.error":
        enum = ERROR_NAMES
    elif name in API_KEYS:
        enum = api_names()
    return Spec(name, label, kind, enum, shower)


def _alias(name: str, holders: tuple[str, ...]) -> str | None:
    for holder in reversed(holders):
        found = WITHIN.get(holder, {}).get(name)
        if found:
            return found
    return ALIASES.get(name)


def spec_of(part: Part, holders: tuple[str, ...]) -> Spec:
    """The spec of a field. `holders` are the names around it, the message's first. An array's own spec is that of a group."""
    if part.type == "r":
        return RECORDS
    if part.type in "[{":
        return _made(f"kafka.{_snake(part.name.removeprefix('V3AndBelow'))}", label_of(part.name), "none", "")
    return _scalar(part, part.name, holders, part.entity)


def item_spec(part: Part, holders: tuple[str, ...]) -> Spec:
    """The spec of one element of the array `part`."""
    element = part.element
    assert element is not None
    one = singular(part.name)
    if element.type in "[{":
        return _made(f"kafka.{ITEMS.get(part.name) or _snake(one.removeprefix('V3AndBelow'))}", label_of(one), "none", "")
    return _scalar(element, one, holders, part.entity, part.name)


def _scalar(part: Part, name: str, holders: tuple[str, ...], entity: str, array: str = "") -> Spec:
    """The spec of a number, text or bytes; `array` is the name of the array whose element it is."""
    bare = _alias(array or name, holders)
    if bare is None and array == "Partitions":
        bare = "partition_id"
    known = ENTITIES.get(entity) if part.type == "s" else None
    if known and bare != "forgotten_topic_name":
        bare = known[0]
    full = f"kafka.{bare or _snake(name)}"
    kind = "time" if is_time(part, holders) else WIDE.get(full, TYPES[part.type])
    show = "uuid" if part.type == "u" else "ms" if name.endswith("Ms") and kind != "time" else ""
    label = LABELS.get(bare or _snake(name)) or (known[1] if known else label_of(name))
    return _made(full, label, kind, show)
