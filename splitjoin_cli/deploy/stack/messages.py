"""What carries events: the queue of arrived chunks with its dead letters, and the topic that tells of joins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.deploy.stack.cloudformation import Resource, Statement, Value, Waiver, get_att, policy, ref
from splitjoin_cli.deploy.stack.parameters import expected_bucket_arn, visibility_seconds
from splitjoin_cli.deploy.stack.storage import INSECURE

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MESSAGES"]

MOST_SECONDS = 14 * 86400
"""As long as SQS keeps a message at most: a dead letter must outlast holidays."""


def _only_encrypted(name: str) -> Statement:
    return Statement("OnlyEncrypted", ("sqs:*",), (get_att(name),), principal="*", effect="Deny", condition=INSECURE)


def _queue_policy(name: str, *statements: Statement) -> Resource:
    document = policy(*statements, _only_encrypted(name))
    return Resource("AWS::SQS::QueuePolicy", {"Queues": [ref(name)], "PolicyDocument": document})


_FROM_BUCKET: Mapping[str, Value] = {
    "ArnEquals": {"aws:SourceArn": expected_bucket_arn},
    "StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")},
}
_ENCRYPTED_BY_SQS = Waiver(
    "CKV_AWS_27", "SSE-SQS encrypts it; S3 cannot send through AWS's own KMS key, and names are not secret"
)
_DEAD_LETTERS = Resource(
    "AWS::SQS::Queue",
    {"SqsManagedSseEnabled": True, "MessageRetentionPeriod": MOST_SECONDS},
    waivers=(_ENCRYPTED_BY_SQS,),
)
_QUEUE = Resource(
    "AWS::SQS::Queue",
    {
        "SqsManagedSseEnabled": True,
        "MessageRetentionPeriod": MOST_SECONDS,
        "VisibilityTimeout": visibility_seconds,
        "RedrivePolicy": {
            "deadLetterTargetArn": get_att("DeadLetterQueue"),
            "maxReceiveCount": ref("MaxReceives"),
        },
    },
    waivers=(_ENCRYPTED_BY_SQS,),
)
_TOPIC = Resource("AWS::SNS::Topic", {"KmsMasterKeyId": "alias/aws/sns"})
_TOPIC_POLICY = Resource(
    "AWS::SNS::TopicPolicy",
    {
        "Topics": [ref("JoinTopic")],
        "PolicyDocument": policy(
            Statement(
                "OnlyEncrypted", ("sns:Publish",), (ref("JoinTopic"),), principal="*", effect="Deny",
                condition=INSECURE,
            )
        ),
    },
)  # fmt: skip
MESSAGES: Mapping[str, Resource] = {
    "DeadLetterQueue": _DEAD_LETTERS,
    "DeadLetterQueuePolicy": _queue_policy("DeadLetterQueue"),
    "ChunkQueue": _QUEUE,
    "ChunkQueuePolicy": _queue_policy(
        "ChunkQueue",
        Statement(
            "FromChunkBucket", ("sqs:SendMessage",), (get_att("ChunkQueue"),),
            principal={"Service": "s3.amazonaws.com"}, condition=_FROM_BUCKET,
        ),
    ),
    "JoinTopic": _TOPIC,
    "JoinTopicPolicy": _TOPIC_POLICY,
}  # fmt: skip
