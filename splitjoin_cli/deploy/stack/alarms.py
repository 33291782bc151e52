"""What calls for somebody: dead letters, stuck and failed jobs, errors of the function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from splitjoin_cli.deploy.stack.cloudformation import Resource, get_att, only_if, ref, sub

if TYPE_CHECKING:
    from collections.abc import Mapping

    from splitjoin_cli.deploy.stack.cloudformation import Value

__all__ = ["ALARMS", "JOBS_NAMESPACE"]

JOBS_NAMESPACE = "splitjoin"
"""The metrics that the sweep writes, in embedded metric format, with the function's name as dimension."""
PERIOD_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Metric:
    """What is watched. ``told``: by each sweep alone, so that nothing told is no news."""

    namespace: str
    name: str
    statistic: Literal["Maximum", "Sum"]
    dimension: str
    value: Value
    told: bool = False


def _alarm(name: str, description: str, metric: Metric) -> Resource:
    """One that goes off when a metric is above 0 in a period."""
    return Resource(
        "AWS::CloudWatch::Alarm",
        {
            "AlarmName": sub(f"${{AWS::StackName}}-{name}"),
            "AlarmDescription": description,
            "Namespace": metric.namespace,
            "MetricName": metric.name,
            "Dimensions": [{"Name": metric.dimension, "Value": metric.value}],
            "Statistic": metric.statistic,
            "Period": PERIOD_SECONDS,
            "EvaluationPeriods": 1,
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "ignore" if metric.told else "notBreaching",
            "AlarmActions": [only_if("HasAlarmTopic", ref("AlarmArn"))],
        },
    )


def _told(name: str) -> Metric:
    return Metric(JOBS_NAMESPACE, name, "Maximum", "FunctionName", ref("Function"), told=True)


_DEAD_LETTERS = Metric(
    "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", "QueueName", get_att("DeadLetterQueue", "QueueName")
)
_ERRORS = Metric("AWS/Lambda", "Errors", "Sum", "FunctionName", ref("Function"))

ALARMS: Mapping[str, Resource] = {
    "DeadLetterAlarm": _alarm(
        "dead-letters", "Chunks failed as often as they may: splitjoin status --queue shows them.", _DEAD_LETTERS
    ),
    "StuckJobAlarm": _alarm(
        "stuck-jobs", "Jobs make no progress: splitjoin status says which, and why.", _told("StuckJobs")
    ),
    "FailedJobAlarm": _alarm(
        "failed-jobs", "Chunks or joins failed permanently: splitjoin status says which, and why.", _told("FailedJobs")
    ),
    "ErrorAlarm": _alarm("function-errors", "The function ended with an error: its log says why.", _ERRORS),
}
