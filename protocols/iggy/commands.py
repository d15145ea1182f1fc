"""The commands of the Iggy protocol and the operations of its VSR framing, by number.

A command has the name that the server gives it (`message.poll`) and the one that its SDKs call it by (`poll_messages`), which is the operation that is
shown and counted. `lead` says how the request begins, one letter a part: what it works on is read from there.
Servers to come have more numbers than stand here: one without a name is shown as a number.
Source: Apache Iggy at commit cc269ef, `core/binary_protocol/src/codes.rs`, `dispatch.rs`, `consensus/operation.rs`; releases 0.4.300 to 0.8.0; of SDK 0.11
(protocols 0.11 and 0.12) the crates iggy_binary_protocol 0.11.0 and 0.11.1-edge.8.
"""
from __future__ import annotations

from typing import NamedTuple

__all__ = ["BY_CODE", "BY_OPERATION", "CODES", "OPERATIONS", "REPLIED_AS", "Command", "operation"]

REGISTER, NON_REPLICATED, LOGOUT = 1, 2, 3
PING, STATS, SNAPSHOT, CLUSTER, OPTIONS, ATTACH, BIND, UPDATE_RESOURCE, METADATA_CHANGES = 1, 10, 11, 12, 13, 14, 15, 16, 17
ME, CLIENT, CLIENTS, USER, USERS, CREATE_USER, DELETE_USER, UPDATE_USER, PERMISSIONS, PASSWORD = 20, 21, 22, 31, 32, 33, 34, 35, 36, 37
LOGIN, LOGOUT_USER, LOGIN_REGISTER, TOKENS, CREATE_TOKEN, DELETE_TOKEN, TOKEN_LOGIN, TOKEN_REGISTER = 38, 39, 40, 41, 42, 43, 44, 45
POLL, SEND, FLUSH, POLL_ROUTING, POLL_ON_PRIMARY, ROUTE, POLL_DEFERRED, CANCEL_DEFERRED, FETCH = 100, 101, 102, 103, 104, 105, 106, 108, 109
GET_OFFSET, STORE_OFFSET, DELETE_OFFSET, OFFSET_ROUTING = 120, 121, 122, 123
STREAM, STREAMS, CREATE_STREAM, DELETE_STREAM, UPDATE_STREAM, PURGE_STREAM = 200, 201, 202, 203, 204, 205
TOPIC, TOPICS, CREATE_TOPIC, DELETE_TOPIC, UPDATE_TOPIC, PURGE_TOPIC = 300, 301, 302, 303, 304, 305
CREATE_PARTITIONS, DELETE_PARTITIONS, DELETE_SEGMENTS = 402, 403, 503
GROUP, GROUPS, CREATE_GROUP, DELETE_GROUP, JOIN_GROUP, LEAVE_GROUP, SYNC_GROUP = 600, 601, 602, 603, 604, 605, 606


class Command(NamedTuple):
    """A command. `operation` is its number in the VSR framing; `lead` the parts at the start of the request: S, T, G, U the identifier of a stream, topic,
    group, user, C a consumer, N a name, P a partition that may be absent, L a length (u32), D a number (u32), R a scope and what it is of."""

    code: int
    name: str
    op: str
    operation: int = NON_REPLICATED
    lead: str = ""


CODES = tuple(Command(*row) for row in (
    (1, "ping", "ping"),
    (10, "stats", "get_stats"),
    (11, "snapshot", "snapshot"),
    (12, "cluster.metadata", "get_cluster_metadata"),
    (13, "options.describe", "describe_options"),
    (14, "consumer_session.attach", "attach_consumer_session"),
    (15, "session.bind", "bind_session"),
    (16, "resource.update", "update_resource", 150, "R"),
    (17, "metadata.changes", "get_metadata_changes"),
    (20, "me", "get_me"),
    (21, "client.get", "get_client", 2, "D"),
    (22, "client.list", "get_clients"),
    (31, "user.get", "get_user", 2, "U"),
    (32, "user.list", "get_users"),
    (33, "user.create", "create_user", 141, "N"),
    (34, "user.delete", "delete_user", 143, "U"),
    (35, "user.update", "update_user", 142, "U"),
    (36, "user.permissions", "update_permissions", 145, "U"),
    (37, "user.password", "change_password", 144, "U"),
    (38, "user.login", "login_user", 2, "N"),
    (39, "user.logout", "logout_user", 3),
    (40, "user.login_register", "login_user", 1),
    (41, "personal_access_token.list", "get_personal_access_tokens"),
    (42, "personal_access_token.create", "create_personal_access_token", 146, "N"),
    (43, "personal_access_token.delete", "delete_personal_access_token", 147, "N"),
    (44, "personal_access_token.login", "login_with_personal_access_token"),
    (45, "user.login_register_with_pat", "login_with_personal_access_token", 1),
    (100, "message.poll", "poll_messages", 2, "CSTP"),
    (101, "message.send", "send_messages", 160, "LST"),
    (102, "message.flush_unsaved_buffer", "flush_unsaved_buffer", 2, "STD"),
    (103, "message.poll_routing", "get_poll_routing", 2, "CSTP"),
    (104, "message.poll_primary", "poll_messages_on_primary", 2, "CSTP"),
    (105, "partition.route", "get_partition_route", 2, "STD"),
    (106, "message.poll_deferred", "poll_messages_deferred", 2, "CSTP"),
    (108, "message.cancel_deferred", "cancel_deferred_request"),
    (109, "message.fetch", "fetch_messages", 2, "CST"),
    (120, "consumer_offset.get", "get_consumer_offset", 2, "CSTP"),
    (121, "consumer_offset.store", "store_consumer_offset", 161, "CSTP"),
    (122, "consumer_offset.delete", "delete_consumer_offset", 162, "CSTP"),
    (123, "consumer_offset.routing", "get_consumer_offset_routing", 2, "CSTP"),
    (200, "stream.get", "get_stream", 2, "S"),
    (201, "stream.list", "get_streams"),
    (202, "stream.create", "create_stream", 128),
    (203, "stream.delete", "delete_stream", 130, "S"),
    (204, "stream.update", "update_stream", 129, "SN"),
    (205, "stream.purge", "purge_stream", 131, "S"),
    (300, "topic.get", "get_topic", 2, "ST"),
    (301, "topic.list", "get_topics", 2, "S"),
    (302, "topic.create", "create_topic", 132, "S"),
    (303, "topic.delete", "delete_topic", 134, "ST"),
    (304, "topic.update", "update_topic", 133, "ST"),
    (305, "topic.purge", "purge_topic", 135, "ST"),
    (402, "partition.create", "create_partitions", 136, "STD"),
    (403, "partition.delete", "delete_partitions", 137, "STD"),
    (503, "segment.delete", "delete_segments", 138, "STDD"),
    (600, "consumer_group.get", "get_consumer_group", 2, "STG"),
    (601, "consumer_group.list", "get_consumer_groups", 2, "ST"),
    (602, "consumer_group.create", "create_consumer_group", 139, "ST"),
    (603, "consumer_group.delete", "delete_consumer_group", 140, "STG"),
    (604, "consumer_group.join", "join_consumer_group", 148, "STG"),
    (605, "consumer_group.leave", "leave_consumer_group", 149, "STG"),
    (606, "consumer_group.sync", "sync_consumer_group", 2, "STG"),
))
BY_CODE = {one.code: one for one in CODES}
NAMES = {one.code: one.name for one in CODES}
SINCE_SDK_11 = frozenset({ATTACH, POLL_ROUTING, POLL_ON_PRIMARY, OFFSET_ROUTING, BIND, UPDATE_RESOURCE, METADATA_CHANGES, ROUTE, POLL_DEFERRED,
                          CANCEL_DEFERRED, FETCH})
VSR_ONLY = frozenset({OPTIONS, LOGIN_REGISTER, TOKEN_REGISTER, SYNC_GROUP}) | SINCE_SDK_11
"""Commands that the classic framing does not have."""

BY_OPERATION = {one.operation: one for one in reversed(CODES) if one.operation not in (REGISTER, NON_REPLICATED)}
"""VSR operation -> command, for the operations that stand for one command."""

REPLIED_AS = {64: 132, 65: 136, 68: 138, 72: 150, 73: 150, 74: 150}
"""Operations that the server makes of a client's request and names in the reply -> the request's operation."""

OPERATIONS = {0: "Reserved", REGISTER: "Register", NON_REPLICATED: "NonReplicated", LOGOUT: "Logout", 64: "CreateTopicWithAssignments",
              65: "CreatePartitionsWithAssignments", 66: "RemoveConsumerGroupMember", 67: "CompleteConsumerGroupRevocation", 68: "TruncatePartition",
              70: "FinalizeSession", 71: "CompleteLifecycle", 72: "UpdateStreamResolved", 73: "UpdateTopicResolved", 74: "UpdateUserResolved",
              75: "RewrapStreamKeys", 166: "RetireSession", 167: "InstallConsumerGroupOwner", 168: "TransitionPartitionHistory",
              169: "RetireConsumerGroupOwners"}
OPERATIONS |= {number: "".join(word.title() for word in one.op.split("_")) for number, one in BY_OPERATION.items() if number != LOGOUT}


def operation(code: int) -> str:
    """The operation that a command code stands for; of a code that has no name here, the number."""
    found = BY_CODE.get(code)
    return found.op if found is not None else f"command {code}"
