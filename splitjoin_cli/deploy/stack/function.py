"""What works: the function with its log, what feeds it from the queue, and the schedule of the sweep."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from splitjoin_cli.deploy.stack.cloudformation import (
    NO_VALUE,
    Resource,
    Value,
    Waiver,
    get_att,
    join,
    only_if,
    ref,
    sub,
    when,
)
from splitjoin_cli.deploy.stack.parameters import join_url, stuck_after
from splitjoin_cli.deploy.stack.roles import function_name

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ENVIRONMENT", "FUNCTION", "SWEEP_EVENT"]

HANDLER = "splitjoin_cli.deploy.lambda_handler.handler"
SWEEP_EVENT = {"splitjoin": "sweep"}
ENVIRONMENT: Mapping[str, Value] = {
    "SPLITJOIN_INTO": ref("Into"),
    "SPLITJOIN_TABLE": ref("Table"),
    "SPLITJOIN_CREATE_TABLE": ref("CreateTable"),
    "SPLITJOIN_RUN_COLUMN": ref("RunColumn"),
    "SPLITJOIN_BESIDE_OTHER_RUN": ref("BesideOtherRun"),
    "SPLITJOIN_MAX_RECORD": ref("MaxRecord"),
    "SPLITJOIN_EXACT_VALUES": ref("ExactValues"),
    "SPLITJOIN_SECRET": ref("SecretArn"),
    "SPLITJOIN_TRACKER": join(":", "dynamodb", ref("JobTable")),
    "SPLITJOIN_ON_JOIN": join_url,
    "SPLITJOIN_STUCK_AFTER": stuck_after,
    "SPLITJOIN_MAX_RECEIVES": ref("MaxReceives"),
}
"""As the handler reads it; an empty variable is an absent one."""

_MANAGED: Mapping[str, Value] = {
    "LambdaManagedInstancesCapacityProviderConfig": {
        "CapacityProviderArn": ref("CapacityProviderArn"),
        "PerExecutionEnvironmentMaxConcurrency": ref("EventsAtOnce"),
    }
}
_FUNCTION = Resource(
    "AWS::Lambda::Function",
    {
        "FunctionName": function_name,
        "Description": "splitjoin: loads each arriving chunk once, joins once",
        "Handler": HANDLER,
        "Runtime": ref("Runtime"),
        "Architectures": [ref("Architecture")],
        "Role": get_att("FunctionRole"),
        "Code": {
            "S3Bucket": ref("CodeBucket"),
            "S3Key": ref("CodeKey"),
            "S3ObjectVersion": only_if("HasCodeVersion", ref("CodeVersion")),
        },
        "MemorySize": ref("Memory"),
        "Timeout": ref("Timeout"),
        "ReservedConcurrentExecutions": only_if("HasReserve", ref("ReservedConcurrency")),
        "Environment": {"Variables": ENVIRONMENT},
        "LoggingConfig": {"LogGroup": ref("LogGroup")},
        "CapacityProviderConfig": only_if("HasCapacityProvider", _MANAGED),
        # What is called without a version is then this one (Lambda Developer Guide, "$LATEST.PUBLISHED").
        "PublishToLatestPublished": only_if("HasCapacityProvider", value=True),
        "VpcConfig": only_if(
            "HasSubnets", {"SubnetIds": ref("SubnetIds"), "SecurityGroupIds": ref("SecurityGroupIds")}
        ),
    },
    waivers=(
        Waiver("CKV_AWS_115", "the mapping's MaximumConcurrency bounds it; a reserve is a parameter, since accounts"
                              " with a small quota cannot have one"),
        Waiver("CKV_AWS_116", "chunks come from a queue with dead letters of its own; a failed sweep is done again"),
        Waiver("CKV_AWS_117", "the VPC is a parameter: a database may be reached without one"),
        Waiver("CKV_AWS_173", "names and URLs, no secrets: the password is in Secrets Manager"),
    ),
)  # fmt: skip
_LOGS = Resource(
    "AWS::Logs::LogGroup",
    {"LogGroupName": sub("/splitjoin/${AWS::StackName}"), "RetentionInDays": ref("LogDays")},
    waivers=(
        Waiver("CKV_AWS_158", "file names, counts and errors, no data and no secrets: CloudWatch's own key is enough"),
    ),
)
_FEED = Resource(
    "AWS::Lambda::EventSourceMapping",
    {
        "EventSourceArn": get_att("ChunkQueue"),
        "FunctionName": ref("Function"),
        "BatchSize": ref("BatchSize"),
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        # One or the other (AWS CloudFormation Template Reference, "AWS::Lambda::EventSourceMapping").
        "ScalingConfig": when("HasPollers", NO_VALUE, {"MaximumConcurrency": ref("Concurrency")}),
        "ProvisionedPollerConfig": only_if(
            "HasPollers", {"MinimumPollers": ref("MinimumPollers"), "MaximumPollers": ref("MaximumPollers")}
        ),
    },
)
_SCHEDULE = Resource(
    "AWS::Events::Rule",
    {
        "Description": "splitjoin: takes over joins that have no owner, reports stuck jobs",
        "ScheduleExpression": ref("SweepRate"),
        "Targets": [{"Id": "sweep", "Arn": get_att("Function"), "Input": json.dumps(SWEEP_EVENT)}],
    },
)
_MAY_SWEEP = Resource(
    "AWS::Lambda::Permission",
    {
        "Action": "lambda:InvokeFunction",
        "FunctionName": ref("Function"),
        "Principal": "events.amazonaws.com",
        "SourceArn": get_att("SweepSchedule"),
    },
)
FUNCTION: Mapping[str, Resource] = {
    "LogGroup": _LOGS,
    "Function": _FUNCTION,
    "ChunkFeed": _FEED,
    "SweepSchedule": _SCHEDULE,
    "SweepPermission": _MAY_SWEEP,
}
