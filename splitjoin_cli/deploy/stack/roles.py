"""Who may do what: the function's role, the Aurora cluster's, and the policy of whoever runs ``splitjoin split``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.deploy.stack.cloudformation import (
    Properties,
    Resource,
    Statement,
    Value,
    get_att,
    only_if,
    policy,
    ref,
    sub,
)
from splitjoin_cli.deploy.stack.parameters import chunks_arn, executions_arn, function_versions_arn
from splitjoin_cli.deploy.stack.storage import index_arns
from splitjoin_cli.join.continuation_aws import SERVICES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ENCRYPT",
    "OPERATE_STATEMENTS",
    "ROLES",
    "SPLIT_STATEMENTS",
    "function_arn",
    "function_name",
    "managed",
    "named",
    "right",
    "trust",
]

# Known beforehand: the role's policy names the function, and the function its role.
function_name = sub("${AWS::StackName}-worker")
function_arn = sub("arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${AWS::StackName}-worker")


def trust(service: str, condition: Mapping[str, Value] | None = None) -> Value:
    """Who may have a role: a service of AWS."""
    principal = {"Service": service}
    return policy(Statement("Assume", ("sts:AssumeRole",), principal=principal, condition=condition))


def named(name: str, document: Value) -> Value:
    """A policy within a role."""
    return {"PolicyName": name, "PolicyDocument": document}


def right(role: str, condition: str, *statements: Statement) -> Resource:
    """A role's right that it has only if a condition holds: linters do not look into conditions within a policy."""
    properties: Properties = {
        "PolicyName": sub(f"${{AWS::StackName}}-{condition}"),
        "Roles": [ref(role)],
        "PolicyDocument": policy(*statements),
    }
    return Resource("AWS::IAM::Policy", properties, condition=condition)


_LOG_STREAMS = sub("arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${LogGroup}:log-stream:*")
_WORK = (
    Statement("Log", ("logs:CreateLogStream", "logs:PutLogEvents"), (_LOG_STREAMS,)),
    Statement(
        "ReceiveChunks", ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
        (get_att("ChunkQueue"),),
    ),
    Statement("ReadChunks", ("s3:GetObject",), (chunks_arn,)),
    # Without it S3 answers 403, not 404, for a manifest that is not there yet.
    Statement("SeeWhatIsMissing", ("s3:ListBucket",), (get_att("ChunkBucket"),)),
    Statement("Count", ("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:UpdateItem"), (get_att("JobTable"),)),
    Statement("FindJobs", ("dynamodb:Query", "dynamodb:Scan"), index_arns()),
)  # fmt: skip
_DECRYPT = Statement("DecryptChunks", ("kms:Decrypt",), (ref("ChunkKeyArn"),))
ENCRYPT = Statement("EncryptChunks", ("kms:GenerateDataKey", "kms:Decrypt"), (ref("ChunkKeyArn"),))
# Only one of the actions exists for what the ARN names.
_TELL_ELSEWHERE = Statement("TellElsewhere", tuple(one.action for one in SERVICES.values()), (ref("OnJoinArn"),))

_ENI_ACTIONS = (
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
)
# Describe actions take no resource, and Lambda tries the others with "*" before it attaches a function to a VPC (AWS
# Lambda developer guide, "Attaching Lambda functions to a VPC", which has the denial too: Lambda needs these actions,
# the function's own code must not have them).
_NETWORK = (
    Statement("AttachToVpc", _ENI_ACTIONS, ("*",)),
    Statement(
        "NotTheCode", _ENI_ACTIONS, ("*",), effect="Deny",
        condition={"ArnEquals": {"lambda:SourceFunctionArn": [function_arn]}},
    ),
)  # fmt: skip

_FUNCTION_ROLE = Resource(
    "AWS::IAM::Role",
    {
        "AssumeRolePolicyDocument": trust("lambda.amazonaws.com"),
        # Before the function, which cannot be made in a VPC without it.
        "Policies": [named("work", policy(*_WORK)), only_if("HasSubnets", named("network", policy(*_NETWORK)))],
    },
)
_RIGHTS: Mapping[str, Resource] = {
    "TellHere": right(
        "FunctionRole", "JoinsHere", Statement("TellHere", (SERVICES["sns"].action,), (ref("JoinTopic"),))
    ),
    "TellElsewhere": right("FunctionRole", "JoinsElsewhere", _TELL_ELSEWHERE),
    "SeeExecution": right(
        "FunctionRole", "JoinsMachine", Statement("SeeStarted", ("states:DescribeExecution",), (executions_arn,))
    ),
    "SeeDurableExecution": right(
        "FunctionRole", "JoinsFunction",
        Statement("SeeStarted", ("lambda:ListDurableExecutionsByFunction", "lambda:GetDurableExecution"),
                  (ref("OnJoinArn"), function_versions_arn)),
    ),
    "ReadSecret": right(
        "FunctionRole", "HasSecret",
        Statement("ReadPassword", ("secretsmanager:GetSecretValue",), (ref("SecretArn"),)),
    ),
    "DecryptSecret": right(
        "FunctionRole", "HasSecretKey", Statement("DecryptPassword", ("kms:Decrypt",), (ref("SecretKeyArn"),))
    ),
    "DecryptChunks": right("FunctionRole", "HasChunkKey", _DECRYPT),
}  # fmt: skip
"""What the function's role has besides, if it is asked for."""
_AURORA_ROLE = Resource(
    "AWS::IAM::Role",
    {
        "AssumeRolePolicyDocument": trust(
            "rds.amazonaws.com",
            {
                "ArnEquals": {"aws:SourceArn": ref("AuroraClusterArn")},
                "StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")},
            },
        ),
        "Policies": [
            named(
                "read",
                policy(
                    Statement("ReadChunks", ("s3:GetObject", "s3:GetObjectVersion"), (chunks_arn,)),
                    Statement("ListChunks", ("s3:ListBucket",), (get_att("ChunkBucket"),)),
                ),
            )
        ],
    },
    condition="HasAuroraCluster",
)
SPLIT_STATEMENTS = (
    Statement(
        "StoreChunks",
        ("s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload", "s3:GetObject", "s3:DeleteObject"),
        (chunks_arn,),
    ),
    Statement("FindChunks", ("s3:ListBucket", "s3:ListBucketMultipartUploads"), (get_att("ChunkBucket"),)),
    Statement("OpenJob", ("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:UpdateItem"), (get_att("JobTable"),)),
    Statement("ReadJobs", ("dynamodb:Query", "dynamodb:Scan"), index_arns()),
)
"""``split``, ``verify``, ``merge`` and ``status`` need this of the stack; a source elsewhere is the user's own."""
OPERATE_STATEMENTS = (
    Statement(
        "SeeDeadLetters",
        (
            "sqs:ReceiveMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:GetQueueAttributes",
            "sqs:GetQueueUrl",
            "sqs:ListDeadLetterSourceQueues",
        ),
        (get_att("DeadLetterQueue"),),
    ),
    Statement("SendChunks", ("sqs:SendMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"), (get_att("ChunkQueue"),)),
    Statement("InvokeFunction", ("lambda:InvokeFunction",), (function_arn,)),
)
"""What ``retry`` and ``status --queue`` need besides."""


def managed(description: str, *statements: Statement, condition: str | None = None) -> Resource:
    """A policy that whoever deploys attaches to people and machines."""
    properties: Properties = {"Description": description, "PolicyDocument": policy(*statements)}
    return Resource("AWS::IAM::ManagedPolicy", properties, condition=condition)


ROLES: Mapping[str, Resource] = {
    "FunctionRole": _FUNCTION_ROLE,
    **_RIGHTS,
    "AuroraRole": _AURORA_ROLE,
    "AuroraDecryptChunks": right("AuroraRole", "HasAuroraClusterAndChunkKey", _DECRYPT),
    "SplitPolicy": managed("For splitjoin split, verify, merge and status", *SPLIT_STATEMENTS),
    "ChunkKeyPolicy": managed("For the same: the chunks' key", ENCRYPT, condition="HasChunkKey"),
    "OperatePolicy": managed("For splitjoin retry and status --queue, beside the other", *OPERATE_STATEMENTS),
}
