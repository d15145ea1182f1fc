"""The status codes of Iggy's replies by name, with whose fault each is.

Sources: Apache Iggy at commit cc269ef, `core/common/src/error/iggy_error.rs`, releases 0.5.0 and 0.8.0, and the crate iggy_common
0.11.1-edge.10. `+` marks codes that 0.8.0 does not have. Servers to come have more.
"""
from __future__ import annotations

import re
from typing import NamedTuple

from protocols.decoder import Status

__all__ = ["NAMES", "Error", "error"]

_TABLE = """
1 Error, 2 InvalidConfiguration, 3 InvalidCommand, 4 InvalidFormat, 5 FeatureUnavailable, 6 InvalidIdentifier, 7 InvalidVersion, 8 Disconnected
9 CannotEstablishConnection, 10 CannotCreateBaseDirectory, 11 CannotCreateRuntimeDirectory, 12 CannotRemoveRuntimeDirectory
13 CannotCreateStateDirectory, 14 StateFileNotFound, 15 StateFileCorrupted, 16 InvalidStateEntryChecksum, 19 CannotOpenDatabase, 20 ResourceNotFound
21 CannotCloseWebSocketConnection, 30 StaleClient, 31 TcpError, 32 QuicError, 33 InvalidServerAddress, 34 InvalidClientAddress, 35 InvalidIpAddress
36 HttpError, 37 InvalidApiUrl+, 40 Unauthenticated, 41 Unauthorized, 42 InvalidCredentials, 43 InvalidUsername, 44 InvalidPassword
45 InvalidUserStatus, 46 UserAlreadyExists, 47 UserInactive, 48 CannotDeleteUser, 49 CannotChangePermissions, 50 InvalidPersonalAccessTokenName
51 PersonalAccessTokenAlreadyExists, 52 PersonalAccessTokensLimitReached, 53 InvalidPersonalAccessToken, 54 PersonalAccessTokenExpired
55 UsersLimitReached, 56 InvalidPersonalAccessTokenExpiry+, 57 TransientNotCommitted+, 58 TransientNotAccepted+, 59 RequestAlreadyApplied+
61 NotConnected, 63 ClientShutdown, 64 InvalidTlsDomain, 65 InvalidTlsCertificatePath, 66 InvalidTlsCertificate, 67 FailedToAddCertificate
70 InvalidEncryptionKey, 71 CannotEncryptData, 72 CannotDecryptData, 73 InvalidJwtAlgorithm, 74 InvalidJwtSecret, 75 JwtMissing, 76 CannotGenerateJwt
77 AccessTokenMissing, 78 InvalidAccessToken, 79 CannotFetchJwks, 80 InvalidSizeBytes, 81 InvalidUtf8, 82 InvalidNumberEncoding
83 InvalidBooleanValue, 84 InvalidNumberValue, 85 RequestTooOld+, 87 HistoryUnavailable+, 88 LifecycleBusy+, 89 NotPrimary+
90 DeferredPollCapacityExceeded+, 91 ProducerIdsExhausted+, 92 ProducerSequenceOutOfOrder+, 93 ProducerEpochFenced+, 94 ProducerUnknown+
95 ProducerPartitionRequired+
100 ClientNotFound, 101 InvalidClientId, 206 ConnectionClosed, 209 CannotParseHeaderKind
300 HttpResponseError, 301 InvalidHttpRequest, 302 InvalidJsonResponse, 303 InvalidBytesResponse, 304 EmptyResponse, 305 CannotCreateEndpoint
306 CannotParseUrl, 400 WebSocketError, 401 WebSocketConnectionError, 402 WebSocketCloseError, 403 WebSocketReceiveError, 404 WebSocketSendError
1000 CannotCreateStreamsDirectory, 1001 CannotCreateStreamDirectory, 1002 CannotCreateStreamInfo, 1003 CannotUpdateStreamInfo
1004 CannotOpenStreamInfo, 1005 CannotReadStreamInfo, 1006 CannotCreateStream, 1007 CannotDeleteStream, 1008 CannotDeleteStreamDirectory
1009 StreamIdNotFound, 1010 StreamNameNotFound, 1011 StreamDirectoryNotFound, 1012 StreamNameAlreadyExists, 1013 InvalidStreamName
1014 InvalidStreamId, 1015 CannotReadStreams, 1019 InvalidTopicSize, 1020 TooManyStreams+
2000 CannotCreateTopicsDirectory, 2001 CannotCreateTopicDirectory, 2002 CannotCreateTopicInfo, 2003 CannotUpdateTopicInfo, 2004 CannotOpenTopicInfo
2005 CannotReadTopicInfo, 2006 CannotCreateTopic, 2007 CannotDeleteTopic, 2008 CannotDeleteTopicDirectory, 2009 CannotPollTopic, 2010 TopicIdNotFound
2011 TopicNameNotFound, 2013 TopicNameAlreadyExists, 2014 InvalidTopicName, 2015 TooManyPartitions, 2016 InvalidTopicId, 2017 CannotReadTopics
2018 InvalidReplicationFactor, 2019 InvalidPartitionsCount, 2020 TopicDirectoryNotFound, 2021 TooManyTopics+
2022 PartitionsLimitReached+, 2023 PartitionResizeDisabled+
3000 CannotCreatePartition, 3001 CannotCreatePartitionsDirectory, 3002 CannotCreatePartitionDirectory, 3003 CannotOpenPartitionLogFile
3004 CannotReadPartitions, 3005 CannotDeletePartition, 3006 CannotDeletePartitionDirectory, 3007 PartitionNotFound, 3008 NoPartitions, 3009 TopicFull
3010 CannotDeleteConsumerOffsetsDirectory, 3011 CannotDeleteConsumerOffsetFile, 3012 CannotCreateConsumerOffsetsDirectory
3013 PartitionIdSpaceExhausted+, 3014 PartitionHistoryChanged+, 3020 CannotReadConsumerOffsets, 3021 ConsumerOffsetNotFound, 3022 NotResolvedConsumer
3023 CannotOpenConsumerOffsetsFile, 3024 TooManyConsumerOffsets+
4000 SegmentNotFound, 4001 SegmentClosed, 4002 InvalidSegmentSize, 4003 CannotCreateSegmentLogFile, 4004 CannotCreateSegmentIndexFile
4005 CannotCreateSegmentTimeIndexFile, 4006 CannotSaveMessagesToSegment, 4007 CannotSaveIndexToSegment, 4008 CannotSaveTimeIndexToSegment
4009 InvalidMessagesCount, 4010 CannotAppendMessage, 4011 CannotReadMessage, 4012 CannotReadMessageId, 4013 CannotReadMessageState
4014 CannotReadMessageTimestamp, 4015 CannotReadHeadersLength, 4016 CannotReadHeadersPayload, 4017 TooBigUserHeaders, 4018 InvalidHeaderKey
4019 InvalidHeaderValue, 4020 CannotReadMessageLength, 4021 CannotReadMessagePayload, 4022 TooBigMessagePayload, 4023 TooManyMessages
4024 EmptyMessagePayload, 4025 InvalidMessagePayloadLength, 4026 CannotReadMessageChecksum, 4027 InvalidMessageChecksum, 4028 InvalidKeyValueLength
4029 CommandLengthError, 4030 InvalidSegmentsCount, 4031 NonZeroOffset, 4032 NonZeroTimestamp, 4033 MissingIndex, 4034 InvalidIndexesByteSize
4035 InvalidIndexesCount, 4036 InvalidMessagesSize, 4037 TooSmallMessage, 4038 InvalidMessageTimestampDelta, 4039 InvalidBatchChecksum
4040 InvalidHeaderKind, 4041 UnsupportedOptionKey+, 4042 InvalidOptionValue+, 4043 OptionsBlockTooLarge+
4050 CannotSendMessagesDueToClientDisconnection, 4051 BackgroundSendError, 4052 BackgroundSendTimeout, 4053 BackgroundSendBufferFull
4054 BackgroundWorkerDisconnected, 4055 BackgroundSendBufferOverflow, 4056 ProducerSendFailed, 4057 ProducerClosed, 4100 InvalidOffset
4101 InvalidReservedField, 4102 SegmentSizeMismatchAtOpen+, 4103 OptionNotUpdatable+, 4104 OptionNotResettable+, 4105 ReadOnlyOption+
4106 StreamEncryptionUnavailable+, 4107 UnsupportedCriticalOption+, 4108 CannotModifyRootUser+
5000 ConsumerGroupIdNotFound, 5002 InvalidConsumerGroupId, 5003 ConsumerGroupNameNotFound, 5004 ConsumerGroupNameAlreadyExists
5005 InvalidConsumerGroupName, 5006 ConsumerGroupMemberNotFound, 5007 CannotCreateConsumerGroupInfo, 5008 CannotDeleteConsumerGroupInfo
5009 ConsumerGroupPartitionNotOwned+, 5010 TooManyConsumerGroups+
6000 MissingBaseOffsetRetainedMessageBatch, 6001 MissingLastOffsetDeltaRetainedMessageBatch, 6002 MissingMaxTimestampRetainedMessageBatch
6003 MissingLengthRetainedMessageBatch, 6004 MissingPayloadRetainedMessageBatch
7000 CannotReadBatchBaseOffset, 7001 CannotReadBatchLength, 7002 CannotReadLastOffsetDelta, 7003 CannotReadMaxTimestamp, 7004 CannotReadBatchPayload
8000 InvalidConnectionString
9000 SnapshotFileCompletionFailed
10000 CannotSerializeResource, 10001 CannotDeserializeResource, 10002 CannotReadFile, 10003 CannotReadFileMetadata, 10004 CannotSeekFile
10005 CannotAppendToFile, 10006 CannotWriteToFile, 10007 CannotOverwriteFile, 10008 CannotDeleteFile, 10009 CannotSyncFile
10010 CannotReadIndexOffset, 10011 CannotReadIndexPosition, 10012 CannotReadIndexTimestamp, 10013 TimestampOutOfRange
11000 ShardNotFound, 11001 ShardCommunicationError
12000 CannotBindToSocket, 12001 TaskTimeout
13000 IoError
14000 AlreadyAuthenticated+, 14001 InvalidSession+, 14003 IncompatibleProtocolVersion+, 14004 SessionMismatch+, 14005 RequestIdExhausted+
14006 OperationUncertain+, 14007 LaneBlocked+, 14008 OperationNotRetained+, 14009 PartitionLaneBlocked+, 14010 FetchProgressUncertain+
"""
_EARLIER = {2012: "TopicIdAlreadyExists", 5001: "ConsumerGroupIdAlreadyExists"}
"""In 0.5.0; retired since."""
STREAM_ID_ALREADY_EXISTS = 1011
"""StreamIdAlreadyExists in 0.5.0, StreamDirectoryNotFound from 0.8.0 on."""

_ROWS = [(int(code), name, bool(mark)) for code, name, mark in re.findall(r"(\d+) (\w+)(\+?)", _TABLE)]
NAMES = {0: "Ok"} | {code: name for code, name, _ in _ROWS} | _EARLIER
SINCE_VSR = frozenset(code for code, _, mark in _ROWS if mark)
"""Codes that came with the VSR framing or later."""

_CLIENT = ((3, 6), (20, 20), (30, 30), (40, 57), (85, 85), (92, 95), (100, 101), (1009, 1016), (1020, 1020), (2010, 2023), (3007, 3009), (3014, 3014),
           (3021, 3022), (3024, 3024), (4009, 4057), (4100, 4101), (4103, 4105), (4107, 4108), (5000, 5010), (14000, 14005))
_CLASSES = ((1, 39, "general"), (40, 59, "authentication"), (60, 79, "connection"), (80, 84, "encoding"), (85, 89, "session"),
            (90, 99, "producer and deferred poll"), (100, 999, "transport"), (1000, 1999, "stream"), (2000, 2999, "topic"),
            (3000, 3999, "partition and offset"), (4000, 4999, "message and segment"), (5000, 5999, "consumer group"),
            (6000, 7999, "batch"), (8000, 9999, "configuration and snapshot"), (10000, 10999, "input and output"), (11000, 13999, "shard and task"),
            (14000, 14999, "session"))


class Error(NamedTuple):
    """A status code: its name, whose fault it is, what it says in words, and the part of the server that it is about."""

    name: str
    status: Status
    text: str
    area: str


def error(code: int) -> Error:
    """What a status code says."""
    if code == 0:
        return Error("Ok", Status.OK, "ok", "")
    name = NAMES.get(code)
    status = Status.CLIENT_ERROR if any(low <= code <= high for low, high in _CLIENT) else Status.SERVER_ERROR
    area = next((area for low, high, area in _CLASSES if low <= code <= high), "unknown")
    if name is None:
        return Error(f"error {code}", status, "a status that has no name here", area)
    return Error(name, status, words(name), area)


def words(name: str) -> str:
    """`StreamIdNotFound` as "stream id not found"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()
