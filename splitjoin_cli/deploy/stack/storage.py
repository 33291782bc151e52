"""Where chunks and jobs are kept: the bucket, what its objects start, and the tracker's table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.core.names import SUFFIX_OF
from splitjoin_cli.deploy.stack.cloudformation import (
    POLICY_VERSION,
    Properties,
    Resource,
    Statement,
    Value,
    Waiver,
    get_att,
    only_if,
    ref,
    sub,
    when,
)
from splitjoin_cli.deploy.stack.parameters import bucket_name, chunks_arn
from splitjoin_cli.stores.trackers.dynamodb_table import EXPIRES, INDEXES, table_shape

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["STORAGE", "index_arns"]

UNFINISHED_UPLOAD_DAYS = 7
"""A split that is resumed later than this sends the chunk again that it was in the middle of."""
INSECURE: Properties = {"Bool": {"aws:SecureTransport": "false"}}


def _chunk_events(suffix: str) -> Value:
    """What arrives under the prefix with a chunk's suffix; plan and manifest end with another."""
    rules: list[Value] = [{"Name": "prefix", "Value": ref("ChunkPrefix")}, {"Name": "suffix", "Value": suffix}]
    return {"Event": "s3:ObjectCreated:*", "Queue": get_att("ChunkQueue"), "Filter": {"S3Key": {"Rules": rules}}}


def index_arns() -> tuple[Value, ...]:
    """The table's indexes."""
    return tuple(sub(f"${{JobTable.Arn}}/index/{name}") for name in INDEXES)


_UNFINISHED_UPLOADS: Properties = {
    "Id": "UnfinishedUploads",
    "Status": "Enabled",
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_UPLOAD_DAYS},
}
_OLD_CHUNKS: Properties = {
    "Id": "OldChunks",
    "Status": "Enabled",
    "Prefix": ref("ChunkPrefix"),
    "ExpirationInDays": ref("ChunkDays"),
}

_WITH_KEY: Properties = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": ref("ChunkKeyArn")}

_BUCKET = Resource(
    "AWS::S3::Bucket",
    {
        "BucketName": bucket_name,
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [
                {
                    "ServerSideEncryptionByDefault": when("HasChunkKey", _WITH_KEY, {"SSEAlgorithm": "AES256"}),
                    "BucketKeyEnabled": True,  # one request to KMS for many objects
                }
            ]
        },
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        },
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "LifecycleConfiguration": {"Rules": [_UNFINISHED_UPLOADS, only_if("HasExpiry", _OLD_CHUNKS)]},
        "NotificationConfiguration": {
            "QueueConfigurations": [_chunk_events(suffix) for suffix in SUFFIX_OF.values()],
        },
    },
    after=("ChunkQueuePolicy",),  # S3 tries whether it may send when the notification is set
    keep=True,
    waivers=(
        Waiver("CKV_AWS_18", "access logs are the account's choice (CloudTrail data events do the same)"),
        Waiver("CKV_AWS_21", "chunks are copies of a source, and runs have other names; versions would be paid twice"),
    ),
)
_ENCRYPTED = Statement(
    "OnlyEncrypted", ("s3:*",), (get_att("ChunkBucket"), sub("${ChunkBucket.Arn}/*")), principal="*", effect="Deny",
    condition=INSECURE,
)  # fmt: skip
# What makes no object visible has no condition: the parts of an upload (S3 user guide, "Enforce conditional writes").
_CONDITIONAL = Statement(
    "OnlyConditionalWrites", ("s3:PutObject",), (chunks_arn,), principal="*", effect="Deny",
    condition={
        "Null": {"s3:if-none-match": "true", "s3:if-match": "true"},
        "Bool": {"s3:ObjectCreationOperation": "true"},
    },
)  # fmt: skip
_BUCKET_POLICY = Resource(
    "AWS::S3::BucketPolicy",
    {
        "Bucket": ref("ChunkBucket"),
        "PolicyDocument": {
            "Version": POLICY_VERSION,
            "Statement": [_ENCRYPTED.to_json(), only_if("HasConditionalWrites", _CONDITIONAL.to_json())],
        },
    },
)
_SHAPE = table_shape()
_TABLE = Resource(
    "AWS::DynamoDB::Table",
    {
        "KeySchema": _SHAPE["KeySchema"],
        "AttributeDefinitions": _SHAPE["AttributeDefinitions"],
        "GlobalSecondaryIndexes": _SHAPE["GlobalSecondaryIndexes"],
        "BillingMode": _SHAPE["BillingMode"],
        "SSESpecification": {
            "SSEEnabled": _SHAPE["SSESpecification"]["Enabled"],
            "SSEType": _SHAPE["SSESpecification"]["SSEType"],
        },
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "TimeToLiveSpecification": {"Enabled": True, "AttributeName": EXPIRES},
    },
    keep=True,
    waivers=(Waiver("CKV_AWS_119", "file names and counts, no data: AWS's own KMS key is enough"),),
)
STORAGE: Mapping[str, Resource] = {"ChunkBucket": _BUCKET, "ChunkBucketPolicy": _BUCKET_POLICY, "JobTable": _TABLE}
