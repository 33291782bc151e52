"""The template, deployed by CloudFormation: MiniStack makes each resource, and an upload's event reaches the queue.

MiniStack 1.5 knows every resource of the template, but leaves out the bucket's lifecycle rules, the function's VPC and
its reserved concurrency, sets policies without applying them, and needs Stack.mend_feed.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.deploy.lambda_settings import Settings
from splitjoin_cli.deploy.stack.split import HANDLER
from tests.deploy.stack.stacks import ACCOUNT, INTO, REGION, SECONDS

if TYPE_CHECKING:
    from tests.deploy.stack.stacks import Account


def test_every_resource_is_made(account: Account) -> None:
    """All that have no condition, and the function is told what it must know."""
    stack = account.deploy()
    listed = account.client("cloudformation").describe_stack_resources(StackName=stack.name)["StackResources"]
    resources = json.loads(account.template)["Resources"]
    asked = {name for name, one in resources.items() if "Condition" in one} - {"TellHere"}
    assert {one["LogicalResourceId"] for one in listed} == set(resources) - asked
    assert len(asked) == 16
    table = stack.outputs["Tracker"].removeprefix("dynamodb:")
    assert stack.environment() == {
        "SPLITJOIN_INTO": INTO, "SPLITJOIN_TABLE": "", "SPLITJOIN_CREATE_TABLE": "", "SPLITJOIN_RUN_COLUMN": "",
        "SPLITJOIN_BESIDE_OTHER_RUN": "", "SPLITJOIN_SECRET": "", "SPLITJOIN_TRACKER": f"dynamodb:{table}",
        "SPLITJOIN_MAX_RECORD": "256MiB", "SPLITJOIN_EXACT_VALUES": "",
        "SPLITJOIN_ON_JOIN": f"sns:{stack.outputs['JoinTopicArn']}", "SPLITJOIN_STUCK_AFTER": "3600s",
        "SPLITJOIN_MAX_RECEIVES": "5",
    }  # fmt: skip
    settings = Settings.from_environment({**stack.environment(), "AWS_REGION": REGION})
    assert (str(settings.load.into), settings.load.table, settings.load.secret) == (INTO, None, None)
    assert (settings.stuck_after_seconds, settings.max_receives) == (3600.0, 5)
    assert stack.outputs["Destination"] == f"s3://{stack.name}-{ACCOUNT}-{REGION}/chunks/"
    described = account.client("dynamodb").describe_table(TableName=table)["Table"]
    assert {one["IndexName"] for one in described["GlobalSecondaryIndexes"]} == {"jobs", "unfinished", "failures"}


def test_the_queue_and_its_feed(account: Account) -> None:
    """Six timeouts, five deliveries, so many at once, chunk by chunk."""
    stack = account.deploy(Timeout="60", Concurrency="7")
    sqs, url = account.client("sqs"), stack.outputs["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    dead = sqs.get_queue_attributes(QueueUrl=stack.outputs["DeadLetterQueueUrl"], AttributeNames=["QueueArn"])
    redrive = json.loads(queue["RedrivePolicy"])
    assert (queue["VisibilityTimeout"], queue["SqsManagedSseEnabled"]) == ("360", "true")
    assert (redrive["deadLetterTargetArn"], int(redrive["maxReceiveCount"])) == (dead["Attributes"]["QueueArn"], 5)
    (feed,) = stack.feeds()
    assert (feed["EventSourceArn"], feed["BatchSize"]) == (queue["QueueArn"], 1)
    assert feed["ScalingConfig"] == {"MaximumConcurrency": 7}
    assert feed["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_an_uploads_event_reaches_the_queue(account: Account) -> None:
    """A chunk's does; a plan's, a manifest's, and that of an object elsewhere in the bucket do not."""
    stack = account.deploy()
    for feed in stack.feeds():
        account.client("lambda").delete_event_source_mapping(UUID=feed["UUID"])
    s3, sqs = account.client("s3"), account.client("sqs")
    chunk = "chunks/acme_20240131-1-2.csv"
    others = ("chunks/acme_20240131.plan.json", "chunks/acme_20240131.manifest.json", "acme_20240131-1-2.csv")
    for key in (*others, chunk):
        s3.put_object(Bucket=stack.bucket, Key=key, Body=b"id\n1\n")
    keys: list[str] = []
    deadline = time.monotonic() + SECONDS
    while chunk not in keys:
        assert time.monotonic() < deadline, keys
        received = sqs.receive_message(QueueUrl=stack.outputs["QueueUrl"], MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in received.get("Messages", []):
            keys += [one["s3"]["object"]["key"] for one in json.loads(message["Body"]).get("Records", [])]
    assert keys == [chunk]


@pytest.mark.parametrize(
    ("service", "resource", "url", "action"),
    [
        ("sns", "told", "sns:{arn}", "sns:Publish"),
        ("sqs", "told", f"sqs:https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/told", "sqs:SendMessage"),
        ("lambda", "function:told", "lambda:{arn}", "lambda:InvokeFunction"),
        ("states", "stateMachine:told", "states:{arn}", "states:StartExecution"),
        ("events", "event-bus/told", "events:{arn}", "events:PutEvents"),
    ],
)
def test_a_join_that_is_told_elsewhere(account: Account, service: str, resource: str, url: str, action: str) -> None:
    """The function gets its URL, and the right for it alone."""
    arn = f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"
    stack = account.deploy(OnJoinArn=arn, OnJoinService=service)
    assert stack.environment()["SPLITJOIN_ON_JOIN"] == url.format(arn=arn)
    told = {sid: one for sid, one in stack.statements().items() if sid.startswith("Tell")}
    assert list(told) == ["TellElsewhere"]
    assert (action in told["TellElsewhere"]["Action"], told["TellElsewhere"]["Resource"]) == (True, [arn])


def test_parts_that_are_asked_for(account: Account) -> None:
    """A VPC, a secret with a key of its own, a role for Aurora, alarms that go somewhere, another prefix."""
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:db-AbCdEf"
    key, topic = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234", f"arn:aws:sns:{REGION}:{ACCOUNT}:ops"
    stack = account.deploy(
        SubnetIds="subnet-1,subnet-2", SecurityGroupIds="sg-1", SecretArn=secret, SecretKeyArn=key, AlarmArn=topic,
        AuroraClusterArn=f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:sales", ReservedConcurrency="9", ChunkDays="30",
        ChunkPrefix="in/", StuckAfter="2h", ChunkKeyArn=key,
    )  # fmt: skip
    allowed = stack.statements()
    assert allowed["ReadPassword"]["Resource"] == [secret]
    assert allowed["DecryptPassword"]["Resource"] == allowed["DecryptChunks"]["Resource"] == [key]
    assert "AttachToVpc" in allowed
    assert allowed["ReadChunks"]["Resource"] == [f"arn:aws:s3:::{stack.bucket}/in/*"]
    assert stack.environment()["SPLITJOIN_SECRET"] == secret
    assert stack.environment()["SPLITJOIN_STUCK_AFTER"] == "2h"
    alarms = account.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{stack.name}-")["MetricAlarms"]
    assert {tuple(alarm["AlarmActions"]) for alarm in alarms} == {(topic,)}
    role = stack.outputs["AuroraRoleArn"].rpartition("/")[2]
    trust = account.client("iam").get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    assert [one["Principal"] for one in trust["Statement"]] == [{"Service": "rds.amazonaws.com"}]


def test_the_split_function(account: Account) -> None:
    """It may read the sources that are named, write chunks, and nothing else; who splits may invoke it."""
    sources = ["arn:aws:s3:::exports/daily/*", "arn:aws:s3:::more/*"]
    stack = account.deploy(SplitCodeKey="worker.zip", SplitSourceArns=",".join(sources), SplitTimeout="60")
    functions, name = account.client("lambda"), stack.outputs["SplitFunctionName"]
    found = functions.get_function_configuration(FunctionName=name)
    assert (found["Handler"], found["Timeout"], found["MemorySize"]) == (HANDLER, 60, 1769)
    allowed = stack.statements(found["Role"])
    assert set(allowed) == {"Log", "ReadSources", "StoreChunks", "SeeWhatIsMissing"}
    assert allowed["ReadSources"]["Resource"] == sources
    assert allowed["StoreChunks"]["Resource"] == [f"arn:aws:s3:::{stack.bucket}/chunks/*"]
    iam, arn = account.client("iam"), stack.outputs["SplitFunctionPolicyArn"]
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    assert document["Statement"][0]["Resource"] == [found["FunctionArn"]]


def test_removing_the_stack_keeps_what_it_holds(account: Account) -> None:
    """Bucket and table outlive it; the function does not."""
    stack = account.deploy()
    account.client("cloudformation").delete_stack(StackName=stack.name)
    functions, deadline = account.client("lambda"), time.monotonic() + SECONDS
    while stack.outputs["FunctionName"] in {one["FunctionName"] for one in functions.list_functions()["Functions"]}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert stack.bucket in {one["Name"] for one in account.client("s3").list_buckets()["Buckets"]}
    table = stack.outputs["Tracker"].removeprefix("dynamodb:")
    assert table in account.client("dynamodb").list_tables()["TableNames"]
