"""The template, read as a document: least privilege, the table as ``init`` makes it, what starts the function."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.names import ChunkName, JobName, manifest_name, plan_name
from splitjoin_cli.core.names import format as chunk_key
from splitjoin_cli.deploy.stack.cloudformation import Parameter
from splitjoin_cli.deploy.stack.contradictions import CONTRADICTIONS
from splitjoin_cli.deploy.stack.function import HANDLER, SWEEP_EVENT
from splitjoin_cli.deploy.stack.parameters import GROUPS, LONGEST_SECONDS, PARAMETERS, TIMEOUTS_SECONDS
from splitjoin_cli.deploy.stack.split import HANDLER as SPLIT_HANDLER
from splitjoin_cli.deploy.stack.template import make_template
from splitjoin_cli.stores.trackers.dynamodb_table import init_table
from tests.deploy.stack.reading import Document, statements, strings
from tools.template_variants import variants

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ran

DOCUMENT = make_template().to_json()
RESOURCES: dict[str, Document] = DOCUMENT["Resources"]
FILE_BYTES = 51_200
"""CloudFormation user guide, "Quotas": a template that is passed as a file."""

TIMEOUTS = ", ".join(f"'{one}'" for one in TIMEOUTS_SECONDS)
NO_URL = "Into must be the URL of a database server, without a password: the secret holds it"
OBJECTS = "the objects under the chunks' prefix have names that nobody knows beforehand"
STREAMS = "Lambda names a log stream for each process that runs the function"
NETWORK = "Describe actions take no resource, and Lambda tries the others with * before it attaches a function to a VPC"
STARTED = (
    "what was started under a run's name has that name, and a version's number, behind the machine's or function's"
)
STARS = {
    "SeeExecution.SeeStarted": STARTED,
    "SeeDurableExecution.SeeStarted": STARTED,
    "FunctionRole.ReadChunks": OBJECTS,
    "AuroraRole.ReadChunks": OBJECTS,
    "SplitPolicy.StoreChunks": OBJECTS,
    "SplitRole.StoreChunks": OBJECTS,
    "FunctionRole.Log": STREAMS,
    "SplitRole.Log": STREAMS,
    "FunctionRole.AttachToVpc": NETWORK,
}
"""The only statements that may allow something on more than one thing, with the reason."""


def test_no_statement_allows_more_than_it_must() -> None:
    """No wildcard in an action, and none in a resource but where STARS says why."""
    allowed = {name: one for name, one in statements(DOCUMENT) if one["Effect"] == "Allow"}
    assert len(allowed) > 20
    assert [name for name, one in allowed.items() if "*" in "".join(strings(one["Action"]))] == []
    starred = {name for name, one in allowed.items() if "*" in "".join(strings(one.get("Resource", [])))}
    assert starred == set(STARS)


@pytest.mark.parametrize("name", [name for name in STARS if name != "FunctionRole.AttachToVpc"])
def test_a_wildcard_ends_the_name_of_something_exact(name: str) -> None:
    """It stands at the end of an ARN, behind the bucket and the prefix or the log group."""
    resource = dict(statements(DOCUMENT))[name]["Resource"][-1]
    if STARS[name] == STARTED:
        colon, fields = resource["Fn::Join"]
        assert (colon, fields[-3] in {"execution", "function"}, "*" in "".join(strings(fields[:-1]))) == (
            ":",
            True,
            False,
        )
        return
    known = (
        "${ChunkBucket.Arn}/${ChunkPrefix}*",
        ":log-group:${LogGroup}:log-stream:*",
        ":log-group:${SplitLogGroup}:log-stream:*",
    )
    assert resource["Fn::Sub"].endswith(known)


def test_what_a_vpc_needs_is_lambdas_and_not_the_codes() -> None:
    """The function's own code is denied what its role lets Lambda do for it."""
    found = dict(statements(DOCUMENT))
    allowed, denied = found["FunctionRole.AttachToVpc"], found["FunctionRole.NotTheCode"]
    assert (denied["Effect"], denied["Action"]) == ("Deny", allowed["Action"])
    assert list(denied["Condition"]["ArnEquals"]) == ["lambda:SourceFunctionArn"]


def test_nobody_without_a_name_is_let_in() -> None:
    """The only principals that are allowed something are services, each for one account; all others are denials."""
    for name, one in statements(DOCUMENT):
        if "Principal" in one and one["Effect"] == "Allow":
            assert set(one["Principal"]) == {"Service"}, name
        elif "Principal" in one and not name.endswith(".OnlyConditionalWrites"):
            assert one["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}, name


def test_a_bucket_that_demands_conditional_writes() -> None:
    """If it is asked for; the parts of an upload need none."""
    policy = RESOURCES["ChunkBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    condition, statement, nothing = policy[1]["Fn::If"]
    assert (condition, nothing) == ("HasConditionalWrites", {"Ref": "AWS::NoValue"})
    assert (statement["Effect"], statement["Action"]) == ("Deny", ["s3:PutObject"])
    assert statement["Condition"] == {
        "Null": {"s3:if-none-match": "true", "s3:if-match": "true"},
        "Bool": {"s3:ObjectCreationOperation": "true"},
    }


def test_the_split_function_reads_sources_and_writes_chunks() -> None:
    """And nothing else; it is there only if it is asked for, as are its rights."""
    ours = {name: one for name, one in RESOURCES.items() if name.startswith("Split") and name != "SplitPolicy"}
    conditions = {"HasSplit", "HasSplitSources", "HasSplitAndChunkKey", "HasSplitSourceKey"}
    assert {one["Condition"] for one in ours.values()} == conditions
    assert PARAMETERS["SplitCodeKey"].default == ""
    rights = {name.partition(".")[2]: one for name, one in statements({"Resources": ours}) if "Resource" in one}
    assert rights["ReadSources"]["Action"] == ["s3:GetObject"]
    assert rights["ReadSources"]["Resource"] == {"Ref": "SplitSourceArns"}
    services = {action.partition(":")[0] for one in rights.values() for action in one["Action"]}
    assert services == {"logs", "s3", "kms", "lambda"}
    deleting = [one for one in rights.values() if any("Delete" in action for action in one["Action"])]
    assert deleting == []
    function = ours["SplitFunction"]["Properties"]
    assert "Environment" not in function
    assert importlib.import_module(SPLIT_HANDLER.rpartition(".")[0]).handler


@pytest.mark.parametrize("name", ["ChunkBucketPolicy", "ChunkQueuePolicy", "DeadLetterQueuePolicy", "JoinTopicPolicy"])
def test_only_encrypted_connections(name: str) -> None:
    """Bucket, queues and topic refuse what comes without TLS."""
    assert dict(statements(DOCUMENT))[f"{name}.OnlyEncrypted"]["Effect"] == "Deny"


class RecordsCreation:
    """Stands where the tracker's table stands: an ``init`` of a table that is not there yet."""

    name = "jobs"
    uri = "dynamodb:jobs"

    def __init__(self) -> None:
        self.asked: dict[str, dict[str, Any]] = {}

    def attempt(self, method: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 -- as Table has it
        if method == "describe_table" and "create_table" not in self.asked:
            raise _missing()
        self.asked[method] = parameters
        made = self.asked.get("create_table", {})
        return {
            "Table": {**made, "TableStatus": "ACTIVE"},
            "ContinuousBackupsDescription": {},
            "TimeToLiveDescription": {},
        }


def _missing() -> Exception:
    from botocore.exceptions import ClientError  # noqa: PLC0415 -- what DynamoDB answers

    return ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "DescribeTable")


def test_the_table_is_the_one_that_init_makes() -> None:
    """Keys, indexes, billing, encryption, recovery and time to live, request by request."""
    table: Any = RecordsCreation()
    init_table(table)
    made = RESOURCES["JobTable"]["Properties"]
    asked = table.asked["create_table"]
    same = ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "BillingMode")
    assert {name: made[name] for name in same} == {name: asked[name] for name in same}
    assert len(made["GlobalSecondaryIndexes"]) == 3
    assert made["SSESpecification"] == {"SSEEnabled": True, "SSEType": asked["SSESpecification"]["SSEType"]}
    recovery = table.asked["update_continuous_backups"]["PointInTimeRecoverySpecification"]
    assert made["PointInTimeRecoverySpecification"] == recovery
    assert made["TimeToLiveSpecification"] == table.asked["update_time_to_live"]["TimeToLiveSpecification"]


def starts(key: str) -> int:
    """How many of the bucket's notifications an object under the prefix causes."""
    configurations = RESOURCES["ChunkBucket"]["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
    rules = [{rule["Name"]: rule["Value"] for rule in one["Filter"]["S3Key"]["Rules"]} for one in configurations]
    assert {json.dumps(rule["prefix"]) for rule in rules} == {'{"Ref": "ChunkPrefix"}'}
    return sum(key.endswith(rule["suffix"]) for rule in rules)


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
def test_a_chunk_starts_the_function_once(compression: Any) -> None:  # noqa: ANN401 -- a Literal
    """One notification for each chunk, however it is stored."""
    assert starts(chunk_key(ChunkName("acme", "20240131", 1, 9, compression))) == 1


def test_what_a_split_stores_beside_chunks_starts_nothing() -> None:
    """Neither plan nor manifest: what the system writes does not trigger the system."""
    job = JobName("acme", "20240131").file_name
    assert [starts(name) for name in (plan_name(job), manifest_name(job))] == [0, 0]


def test_the_queue_hides_a_chunk_for_six_timeouts() -> None:
    """As Lambda asks for it, for each timeout that can be chosen, up to its longest; stuck is what took two of them."""
    table = DOCUMENT["Mappings"]["Timeouts"]
    assert list(table) == DOCUMENT["Parameters"]["Timeout"]["AllowedValues"]
    assert (LONGEST_SECONDS, max(map(int, table))) == (1800, 5400)
    for seconds, found in table.items():
        assert found == {"Visibility": 6 * int(seconds), "StuckAfter": f"{12 * int(seconds)}s"}
        assert found["Visibility"] <= 43_200, "SQS hides a message for 12 hours at most"


def test_the_database_is_protected() -> None:
    """The mapping bounds how much is loaded at once, and reports chunk by chunk."""
    feed = RESOURCES["ChunkFeed"]["Properties"]
    nothing = {"Ref": "AWS::NoValue"}
    bound = {"MaximumConcurrency": {"Ref": "Concurrency"}}
    pollers = {name: {"Ref": name} for name in ("MinimumPollers", "MaximumPollers")}
    assert feed["ScalingConfig"] == {"Fn::If": ["HasPollers", nothing, bound]}
    assert feed["ProvisionedPollerConfig"] == {"Fn::If": ["HasPollers", pollers, nothing]}
    assert feed["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_what_is_there_only_if_asked_for() -> None:
    """A VPC, a reserve, a capacity provider, an expiry: with its parameter's condition, or left out."""
    function = RESOURCES["Function"]["Properties"]
    rules = RESOURCES["ChunkBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    nothing = {"Ref": "AWS::NoValue"}
    vpc = {"SubnetIds": {"Ref": "SubnetIds"}, "SecurityGroupIds": {"Ref": "SecurityGroupIds"}}
    assert function["VpcConfig"] == {"Fn::If": ["HasSubnets", vpc, nothing]}
    assert function["ReservedConcurrentExecutions"] == {
        "Fn::If": ["HasReserve", {"Ref": "ReservedConcurrency"}, nothing]
    }
    managed = {
        "CapacityProviderArn": {"Ref": "CapacityProviderArn"},
        "PerExecutionEnvironmentMaxConcurrency": {"Ref": "EventsAtOnce"},
    }
    provided = {"LambdaManagedInstancesCapacityProviderConfig": managed}
    assert function["CapacityProviderConfig"] == {"Fn::If": ["HasCapacityProvider", provided, nothing]}
    assert function["PublishToLatestPublished"] == {"Fn::If": ["HasCapacityProvider", True, nothing]}
    assert rules[1]["Fn::If"][0] == "HasExpiry"
    assert (
        rules[1]["Fn::If"][1].items()
        >= {"Prefix": {"Ref": "ChunkPrefix"}, "ExpirationInDays": {"Ref": "ChunkDays"}}.items()
    )


def test_unfinished_uploads_are_removed() -> None:
    """In the whole bucket, after a week."""
    rules = RESOURCES["ChunkBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert rules[0] == {
        "Id": "UnfinishedUploads", "Status": "Enabled", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }  # fmt: skip


def test_what_holds_data_stays() -> None:
    """Deleting the stack deletes neither chunks nor jobs."""
    kept = {name for name, one in RESOURCES.items() if one.get("DeletionPolicy") == "Retain"}
    assert kept == {"ChunkBucket", "JobTable"}
    assert kept == {name for name, one in RESOURCES.items() if one.get("UpdateReplacePolicy") == "Retain"}


def test_every_parameter_is_used_and_stands_under_a_heading() -> None:
    """None is asked for in vain."""
    text = json.dumps({name: DOCUMENT[name] for name in ("Resources", "Conditions", "Outputs")})
    unused = [name for name in PARAMETERS if f'"{name}"' not in text and f"${{{name}}}" not in text]
    assert unused == []
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(PARAMETERS)


def test_every_condition_is_used() -> None:
    """A condition that nothing asks for is one that something forgot."""
    text = json.dumps([RESOURCES, DOCUMENT["Outputs"]])
    assert [name for name in DOCUMENT["Conditions"] if f'"{name}"' not in text] == []


def test_it_fits_a_file(splitjoin: Callable[..., Ran]) -> None:
    """As the command prints it, with room for longer defaults."""
    assert len(splitjoin("template", "-q").stdout) < FILE_BYTES - 2_000


def test_the_handler_is_where_lambda_looks_for_it() -> None:
    """And it takes the schedule's event for a sweep, and writes the metrics that are watched."""
    module, _, name = HANDLER.rpartition(".")
    handler = importlib.import_module(module)
    assert callable(getattr(handler, name))
    assert handler.SWEEP == SWEEP_EVENT
    told = {
        one["Properties"]["Namespace"] for name, one in RESOURCES.items() if name in ("StuckJobAlarm", "FailedJobAlarm")
    }
    assert told == {handler.NAMESPACE}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Concurrency", "1", "Concurrency cannot be '1': it is a number from 2 to 1000"),
        ("Concurrency", "many", "Concurrency cannot be 'many': it is a number from 2 to 1000"),
        ("Timeout", "301", f"Timeout cannot be '301': it is one of {TIMEOUTS}"),
        ("MaxReceives", "2", "MaxReceives cannot be '2': it is a number from 3 to 1000"),
        ("ChunkPrefix", "chunks", "ChunkPrefix must be a prefix that ends with a slash"),
        ("Into", "mysql://me:hunter2@db/sales", "the mysql URL holds a password, and process lists show it"),
        ("Into", "mysql://db/sales?password=hunter2", "the mysql URL holds a password, and process lists show it"),
        ("Into", "sqlite:sales.db", NO_URL),
        ("AlarmArn", "arn:aws:sqs:eu-west-1:123456789012:q", "AlarmArn must be the ARN of a topic, or nothing"),
    ],
)  # fmt: skip
def test_a_default_that_cannot_be(name: str, value: str, message: str) -> None:
    """Is refused as CloudFormation would refuse it, and a password is not repeated."""
    with pytest.raises(UsageError) as caught:
        make_template({name: value})
    assert caught.value.message == message


PROVIDER = "arn:aws:lambda:eu-west-1:123456789012:capacity-provider:loads"
MANAGED = {"CapacityProviderArn": PROVIDER, "Memory": "4096"}
TOGETHER: list[tuple[dict[str, str], str]] = [
    ({"OnJoinService": "sns"}, "OnJoinArn and OnJoinService"),
    ({"Timeout": "3600"}, "Timeout 3600 needs CapacityProviderArn"),
    ({**MANAGED, "Memory": "512"}, "Memory 512 does not fit CapacityProviderArn"),
    ({"Memory": "16384"}, "Memory 16384 needs CapacityProviderArn"),
    ({**MANAGED, "Runtime": "python3.12"}, "Runtime python3.12 does not fit CapacityProviderArn"),
    ({**MANAGED, "SubnetIds": "subnet-1"}, "SubnetIds and CapacityProviderArn exclude each other"),
    ({**MANAGED, "ReservedConcurrency": "9"}, "ReservedConcurrency and CapacityProviderArn exclude each other"),
    ({"Concurrency": "8", "ReservedConcurrency": "9"}, "ReservedConcurrency 9 is below Concurrency 8 + 2"),
    ({"MinimumPollers": "1", "ReservedConcurrency": "9"}, "MinimumPollers 1 is below the 2 of provisioned mode"),
    ({"MinimumPollers": "5", "MaximumPollers": "4", "ReservedConcurrency": "9"},
     "MinimumPollers 5 is above MaximumPollers 4"),
    ({"MinimumPollers": "2"}, "MinimumPollers needs ReservedConcurrency"),
    ({"SplitCodeKey": "splits.zip"}, "SplitCodeKey and SplitSourceArns are given together"),
]  # fmt: skip


@pytest.mark.parametrize(("defaults", "message"), TOGETHER)
def test_parameters_that_contradict_each_other(defaults: dict[str, str], message: str) -> None:
    """Both are named; CloudFormation is told the same, where its rules can compare."""
    with pytest.raises(UsageError) as caught:
        make_template(defaults)
    assert caught.value.message.startswith(message)
    assert caught.value.hint is not None


def test_each_contradiction_is_tried() -> None:
    """And those that only numbers tell are the ones that CloudFormation does not know."""
    assert len(TOGETHER) == len(CONTRADICTIONS)
    assert set(CONTRADICTIONS) - set(DOCUMENT["Rules"]) == {"Reserve", "Pollers"}


def test_every_parameter_has_a_variant_for_the_linters() -> None:
    """Each of them is a template, and the one with a capacity provider runs for 90 minutes."""
    tried = {name.partition("-")[0]: make_template(defaults) for name, defaults in variants()}
    assert set(tried) == set(PARAMETERS)
    assert tried["CapacityProviderArn"].parameters["Timeout"].default == "5400"


def test_a_parameter_that_is_not_there() -> None:
    """The hint lists those that are."""
    with pytest.raises(UsageError) as caught:
        make_template({"Memmory": "512"})
    assert caught.value.message == "the template has no parameter Memmory"
    assert caught.value.hint == f"it has {', '.join(PARAMETERS)}"


def test_defaults_hold_what_they_ask_for() -> None:
    """Each parameter's own default is one that it takes."""
    for name, parameter in PARAMETERS.items():
        if parameter.default is not None:
            assert parameter.checked(name, parameter.default) == parameter.default


def test_a_number_without_bounds_is_any() -> None:
    """Bounds are checked where there are some."""
    assert Parameter("Days.", type="Number").checked("Days", "123456789") == "123456789"
