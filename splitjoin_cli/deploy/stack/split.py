"""The split function, where it is asked for: what ``--engine lambda:`` invokes. It knows no database and no queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.deploy.stack.cloudformation import (
    Resource,
    Statement,
    Waiver,
    get_att,
    only_if,
    policy,
    ref,
    sub,
)
from splitjoin_cli.deploy.stack.parameters import chunks_arn
from splitjoin_cli.deploy.stack.roles import ENCRYPT, managed, named, right, trust

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HANDLER", "SPLIT"]

HANDLER = "splitjoin_cli.deploy.split_handler.handler"
ASKED = "HasSplit"

_LOG_STREAMS = sub(
    "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${SplitLogGroup}:log-stream:*"
)
_WORK = (
    Statement("Log", ("logs:CreateLogStream", "logs:PutLogEvents"), (_LOG_STREAMS,)),
    Statement(
        "StoreChunks",
        ("s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload", "s3:GetObject"),
        (chunks_arn,),
    ),
    # Without it S3 answers 403, not 404, for a chunk that is not there yet.
    Statement("SeeWhatIsMissing", ("s3:ListBucket",), (get_att("ChunkBucket"),)),
)
_ROLE = Resource(
    "AWS::IAM::Role",
    {
        "AssumeRolePolicyDocument": trust("lambda.amazonaws.com"),
        "Policies": [named("work", policy(*_WORK))],
    },
    condition=ASKED,
)
_FUNCTION = Resource(
    "AWS::Lambda::Function",
    {
        "FunctionName": sub("${AWS::StackName}-split"),
        "Description": "splitjoin: scans a range of an export, or stores a chunk of it, for splitjoin split",
        "Handler": HANDLER,
        "Runtime": ref("Runtime"),
        "Architectures": [ref("Architecture")],
        "Role": get_att("SplitRole"),
        "Code": {"S3Bucket": ref("CodeBucket"), "S3Key": ref("SplitCodeKey")},
        "MemorySize": ref("SplitMemory"),
        "Timeout": ref("SplitTimeout"),
        "ReservedConcurrentExecutions": only_if("HasSplitReserve", ref("SplitConcurrency")),
        "LoggingConfig": {"LogGroup": ref("SplitLogGroup")},
    },
    condition=ASKED,
    waivers=(
        Waiver("CKV_AWS_115", "--jobs bounds it; a reserve is a parameter, since accounts with a small quota cannot"
                              " have one"),
        Waiver("CKV_AWS_116", "its caller waits for each answer: no event is left behind"),
        Waiver("CKV_AWS_117", "it reads and writes S3 alone, over TLS: a VPC would add nothing"),
    ),
)  # fmt: skip
_LOGS = Resource(
    "AWS::Logs::LogGroup",
    {"LogGroupName": sub("/splitjoin/${AWS::StackName}-split"), "RetentionInDays": ref("LogDays")},
    condition=ASKED,
    waivers=(
        Waiver("CKV_AWS_158", "names, ranges and errors, no data and no secrets: CloudWatch's own key is enough"),
    ),
)
_INVOKE = Statement(
    "InvokeSplitFunction",
    ("lambda:InvokeFunction", "lambda:GetFunctionConfiguration", "lambda:GetFunctionConcurrency"),
    (get_att("SplitFunction"),),
)
_READ = Statement("ReadSources", ("s3:GetObject",), listed=ref("SplitSourceArns"))
_DECRYPT = Statement("DecryptSources", ("kms:Decrypt",), (ref("SplitSourceKeyArn"),))
SPLIT: Mapping[str, Resource] = {
    "SplitLogGroup": _LOGS,
    "SplitRole": _ROLE,
    "SplitFunction": _FUNCTION,
    "SplitReadSources": right("SplitRole", "HasSplitSources", _READ),
    "SplitEncryptChunks": right("SplitRole", "HasSplitAndChunkKey", ENCRYPT),
    "SplitDecryptSources": right("SplitRole", "HasSplitSourceKey", _DECRYPT),
    "SplitFunctionPolicy": managed("For splitjoin split --engine lambda:, beside the other", _INVOKE, condition=ASKED),
}
