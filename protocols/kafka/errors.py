"""Kafka's error codes: name, whether a client may try again, and what it means.

Codes, names and the retriable mark are those of Kafka's `Errors.java` (4.5 development line); the meanings are in our own words.
"""
from __future__ import annotations

from typing import NamedTuple

from protocols.decoder import Status

__all__ = ["ERRORS", "NAMES", "KafkaError", "error_name", "error_status", "show_error"]


class KafkaError(NamedTuple):
    """One code. `retriable`: the same request may succeed later without a change of its content."""

    code: int
    name: str
    retriable: bool
    meaning: str


TABLE = """
-1  UNKNOWN_SERVER_ERROR: the server met an error that it did not expect
0  NONE: no error
1  OFFSET_OUT_OF_RANGE: the offset lies outside of what the partition keeps
2* CORRUPT_MESSAGE: a record failed its checksum, or its size or key is not allowed for the topic
3* UNKNOWN_TOPIC_OR_PARTITION: this server does not host the topic or partition
4  INVALID_FETCH_SIZE: the fetch size is not valid
5* LEADER_NOT_AVAILABLE: the partition has no leader now, an election is going on
6* NOT_LEADER_OR_FOLLOWER: the broker is not the leader (or not a replica) of the partition
7* REQUEST_TIMED_OUT: the request ran into its time limit
8  BROKER_NOT_AVAILABLE: the broker is not available
9* REPLICA_NOT_AVAILABLE: the replica is not available at the asked broker
10  MESSAGE_TOO_LARGE: a record batch is larger than the server or topic allows
11  STALE_CONTROLLER_EPOCH: the controller has moved to another node
12  OFFSET_METADATA_TOO_LARGE: the metadata text of a committed offset is too long
13* NETWORK_EXCEPTION: the server disconnected before an answer came
14* COORDINATOR_LOAD_IN_PROGRESS: the coordinator is loading its state
15* COORDINATOR_NOT_AVAILABLE: no coordinator is available
16* NOT_COORDINATOR: this broker is not the coordinator asked for
17  INVALID_TOPIC_EXCEPTION: the topic name or operation on it is not valid
18  RECORD_LIST_TOO_LARGE: the request holds more than a log segment may
19* NOT_ENOUGH_REPLICAS: fewer replicas are in sync than the topic asks for; nothing was written
20* NOT_ENOUGH_REPLICAS_AFTER_APPEND: written, but by fewer replicas in sync than the topic asks for
21  INVALID_REQUIRED_ACKS: the acks value is not valid
22  ILLEGAL_GENERATION: the group generation is not the current one
23  INCONSISTENT_GROUP_PROTOCOL: the member's protocols do not fit those of the group
24  INVALID_GROUP_ID: the group id is not valid
25  UNKNOWN_MEMBER_ID: the coordinator does not know this member
26  INVALID_SESSION_TIMEOUT: the session timeout lies outside of the broker's limits
27  REBALANCE_IN_PROGRESS: the group is rebalancing, the member has to rejoin
28  INVALID_COMMIT_OFFSET_SIZE: the offsets to commit are larger than the broker allows
29  TOPIC_AUTHORIZATION_FAILED: not authorised for the topic
30  GROUP_AUTHORIZATION_FAILED: not authorised for the group
31  CLUSTER_AUTHORIZATION_FAILED: not authorised for the cluster
32  INVALID_TIMESTAMP: a record's timestamp is out of the accepted range
33  UNSUPPORTED_SASL_MECHANISM: the broker does not offer this SASL mechanism
34  ILLEGAL_SASL_STATE: the request does not fit the state of the authentication
35  UNSUPPORTED_VERSION: the server does not support this version of the API
36  TOPIC_ALREADY_EXISTS: a topic of this name exists
37  INVALID_PARTITIONS: the number of partitions is not valid
38  INVALID_REPLICATION_FACTOR: the replication factor is not valid, or larger than the number of brokers
39  INVALID_REPLICA_ASSIGNMENT: the assignment of replicas is not valid
40  INVALID_CONFIG: a configuration is not valid
41* NOT_CONTROLLER: this node is not the active controller
42  INVALID_REQUEST: the request is malformed or not allowed now
43  UNSUPPORTED_FOR_MESSAGE_FORMAT: the broker's message format does not support the request
44  POLICY_VIOLATION: a policy of the server forbids it
45  OUT_OF_ORDER_SEQUENCE_NUMBER: the producer's sequence number is not the next one
46  DUPLICATE_SEQUENCE_NUMBER: the batch was written already
47  INVALID_PRODUCER_EPOCH: the producer's epoch is old
48  INVALID_TXN_STATE: the operation does not fit the state of the transaction
49  INVALID_PRODUCER_ID_MAPPING: the producer id is not that of the transactional id
50  INVALID_TRANSACTION_TIMEOUT: the transaction timeout is larger than the broker allows
51* CONCURRENT_TRANSACTIONS: another operation on the same transaction is going on
52  TRANSACTION_COORDINATOR_FENCED: the transaction coordinator that sent it is no longer current
53  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: not authorised for the transactional id
54  SECURITY_DISABLED: security features are off
55  OPERATION_NOT_ATTEMPTED: not attempted, because another part of the request failed
56* KAFKA_STORAGE_ERROR: the broker could not reach its log on disk
57  LOG_DIR_NOT_FOUND: the broker has no such log directory
58  SASL_AUTHENTICATION_FAILED: authentication failed
59  UNKNOWN_PRODUCER_ID: the broker has no state of this producer id
60  REASSIGNMENT_IN_PROGRESS: the partition's reassignment is going on
61  DELEGATION_TOKEN_AUTH_DISABLED: delegation tokens are off
62  DELEGATION_TOKEN_NOT_FOUND: no such delegation token
63  DELEGATION_TOKEN_OWNER_MISMATCH: the principal is not owner or renewer of the token
64  DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: tokens cannot be asked for on this kind of connection
65  DELEGATION_TOKEN_AUTHORIZATION_FAILED: not authorised for the delegation token
66  DELEGATION_TOKEN_EXPIRED: the delegation token has expired
67  INVALID_PRINCIPAL_TYPE: this type of principal is not supported
68  NON_EMPTY_GROUP: the group has members
69  GROUP_ID_NOT_FOUND: no such group
70* FETCH_SESSION_ID_NOT_FOUND: the broker does not know the fetch session
71* INVALID_FETCH_SESSION_EPOCH: the fetch session's epoch is not the next one
72* LISTENER_NOT_FOUND: the leader has no listener of the name used
73  TOPIC_DELETION_DISABLED: deletion of topics is off
74* FENCED_LEADER_EPOCH: the leader epoch is older than the broker's
75* UNKNOWN_LEADER_EPOCH: the leader epoch is newer than the broker's
76  UNSUPPORTED_COMPRESSION_TYPE: the compression is not supported
77  STALE_BROKER_EPOCH: the broker epoch has changed
78* OFFSET_NOT_AVAILABLE: the new leader's high watermark is not caught up yet
79  MEMBER_ID_REQUIRED: the member has to join again with the id given
80* PREFERRED_LEADER_NOT_AVAILABLE: the preferred leader is not available
81  GROUP_MAX_SIZE_REACHED: the group is full
82  FENCED_INSTANCE_ID: another member has this static instance id
83* ELIGIBLE_LEADERS_NOT_AVAILABLE: no replica may become leader
84* ELECTION_NOT_NEEDED: the partition has the leader asked for
85  NO_REASSIGNMENT_IN_PROGRESS: the partition is not being reassigned
86  GROUP_SUBSCRIBED_TO_TOPIC: offsets of a topic that the group reads cannot be deleted
87  INVALID_RECORD: a record failed the broker's validation
88* UNSTABLE_OFFSET_COMMIT: offsets of an open transaction are pending
89* THROTTLING_QUOTA_EXCEEDED: the quota is used up
90  PRODUCER_FENCED: a newer producer has the same transactional id
91  RESOURCE_NOT_FOUND: no such resource
92  DUPLICATE_RESOURCE: the resource is named twice
93  UNACCEPTABLE_CREDENTIAL: the credential does not meet the requirements
94  INCONSISTENT_VOTER_SET: sender and receiver do not agree on who votes
95  INVALID_UPDATE_VERSION: the update version is not valid
96  FEATURE_UPDATE_FAILED: features could not be updated
97  PRINCIPAL_DESERIALIZATION_FAILURE: the forwarded principal could not be read
98  SNAPSHOT_NOT_FOUND: no such snapshot
99  POSITION_OUT_OF_RANGE: the position lies outside of the snapshot
100* UNKNOWN_TOPIC_ID: this server does not host the topic id
101  DUPLICATE_BROKER_REGISTRATION: the broker id is in use
102  BROKER_ID_NOT_REGISTERED: the broker id is not registered
103* INCONSISTENT_TOPIC_ID: the log's topic id is not that of the request
104  INCONSISTENT_CLUSTER_ID: the request is meant for another cluster
105  TRANSACTIONAL_ID_NOT_FOUND: no such transactional id
106* FETCH_SESSION_TOPIC_ID_ERROR: the session mixes topic names and topic ids
107  INELIGIBLE_REPLICA: the replica may not join the in-sync replicas
108  NEW_LEADER_ELECTED: the change of the partition made another leader
109  OFFSET_MOVED_TO_TIERED_STORAGE: the offset is in tiered storage
110  FENCED_MEMBER_EPOCH: the member epoch was fenced, the member has to rejoin
111  UNRELEASED_INSTANCE_ID: another member still has the instance id
112  UNSUPPORTED_ASSIGNOR: the group does not support the assignor
113  STALE_MEMBER_EPOCH: the member epoch is old, retry after the next heartbeat
114  MISMATCHED_ENDPOINT_TYPE: the request went to the wrong kind of endpoint
115  UNSUPPORTED_ENDPOINT_TYPE: the endpoint type is not known
116  UNKNOWN_CONTROLLER_ID: no such controller
117  UNKNOWN_SUBSCRIPTION_ID: the telemetry subscription is not the current one
118  TELEMETRY_TOO_LARGE: the metrics are larger than the broker accepts
119  INVALID_REGISTRATION: the controller considers the registration invalid
120  TRANSACTION_ABORTABLE: the transaction has to be aborted, the producer may go on
121  INVALID_RECORD_STATE: the record's state forbids the acknowledgement
122* SHARE_SESSION_NOT_FOUND: no such share session
123* INVALID_SHARE_SESSION_EPOCH: the share session's epoch is not the next one
124  FENCED_STATE_EPOCH: the state epoch is old
125  INVALID_VOTER_KEY: the voter key does not match the receiver
126  DUPLICATE_VOTER: the voter is in the set already
127  VOTER_NOT_FOUND: the voter is not in the set
128  INVALID_REGULAR_EXPRESSION: the regular expression is not valid
129  REBOOTSTRAP_REQUIRED: the client has to start again from its bootstrap servers
130  STREAMS_INVALID_TOPOLOGY: the topology is not valid
131  STREAMS_INVALID_TOPOLOGY_EPOCH: the topology epoch is not valid
132  STREAMS_TOPOLOGY_FENCED: the topology epoch is old
133* SHARE_SESSION_LIMIT_REACHED: the broker has no room for another share session
134  GROUP_DELETION_FAILED: the group could not be deleted
135  STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED: the topology description could not be stored
136  CONTROLLER_ID_NOT_REGISTERED: the controller id is not registered
"""


def _rows() -> dict[int, KafkaError]:
    rows = {}
    for line in TABLE.strip().splitlines():
        number, rest = line.split(None, 1)
        name, _, meaning = rest.partition(": ")
        code = int(number.rstrip("*"))
        rows[code] = KafkaError(code, name, number.endswith("*"), meaning)
    return rows


ERRORS = _rows()
NAMES = {code: error.name for code, error in ERRORS.items()}

AT_SERVER = frozenset({-1, 56, 57})
"""Codes that are the server's doing though a client may not retry them (56 may)."""


def error_name(code: int) -> str:
    return NAMES.get(code) or f"error {code} (unknown)"


def show_error(code: int) -> str:
    """`NOT_ENOUGH_REPLICAS (19) retriable: fewer replicas …`; an unknown code as its number."""
    error = ERRORS.get(code)
    if error is None:
        return f"error {code} (unknown)"
    if not code:
        return "NONE (0)"
    return f"{error.name} ({code}){' retriable' if error.retriable else ''}: {error.meaning}"


def error_status(code: int) -> Status:
    """Retriable codes and the server's own faults count as server errors, all others (unknown names, wrong arguments, rights, fencing) as the client's."""
    error = ERRORS.get(code)
    if not code:
        return Status.OK
    return Status.SERVER_ERROR if error is None or error.retriable or code in AT_SERVER else Status.CLIENT_ERROR
