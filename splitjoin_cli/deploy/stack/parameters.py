"""What whoever deploys may choose: the parameters of the template, their conditions, and what follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.deploy.stack.cloudformation import (
    Parameter,
    Value,
    equals,
    every,
    find,
    inverse,
    join,
    ref,
    select,
    split,
    sub,
    when,
)
from splitjoin_cli.join.continuation_aws import SERVICES
from splitjoin_cli.stores.loaders.reserved import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CONDITIONS",
    "GROUPS",
    "LONGEST_SECONDS",
    "MAPPINGS",
    "MOST_MEMORY",
    "PARAMETERS",
    "TIMEOUTS_SECONDS",
    "bucket_name",
    "chunks_arn",
    "executions_arn",
    "expected_bucket_arn",
    "function_versions_arn",
    "join_url",
    "stuck_after",
    "visibility_seconds",
]

TIMEOUTS_SECONDS = (30, 60, 120, 180, 300, 600, 900, 1800, 3600, 5400)
LONGEST_SECONDS = 1800
"""Of a function that has no capacity provider (Lambda API Reference, "CreateFunction", Timeout)."""
MOST_MEMORY = 10240
"""MB of such a function (Lambda Developer Guide, "Lambda quotas")."""
VISIBILITY_TIMEOUTS = 6
"""AWS Lambda developer guide, "Using Lambda with Amazon SQS": a queue's visibility timeout is 6 function timeouts."""
STUCK_VISIBILITIES = 2
"""A chunk whose worker died comes again after one visibility timeout: only two without a count are a standstill."""

_FLAG = ("", "1")
_ARN = r"arn:[a-z-]+:{service}:[a-z0-9-]*:[0-9]*:\S+"
_ARN_OR_NONE = f"^$|^{_ARN}$"


def _arn(description: str, service: str, *, what: str, optional: bool = True) -> Parameter:
    pattern = (_ARN_OR_NONE if optional else f"^{_ARN}$").format(service=service)
    return Parameter(
        description, default="" if optional else None, pattern=pattern, explained=f"the ARN of {what}, or nothing"
    )


def _no_own(before: str = "") -> str:
    """What does not begin with splitjoin_ behind ``before``, in any case: the function itself looks closer."""
    letters = "".join(f"[{char}{char.upper()}]" if char.isalpha() else char for char in PREFIX)
    return rf"^(?!{before}\W*{letters}).*$"


def _flag(description: str) -> Parameter:
    return Parameter(f"{description} 1, or nothing.", default="", values=_FLAG)


_CODE: dict[str, Parameter] = {
    "CodeBucket": Parameter("Bucket, in this region, that has the function's zip.", pattern=r"^[a-z0-9.-]{3,63}$",
                            explained="a bucket's name"),
    "CodeKey": Parameter("The zip's key. Another key, or another version, is what makes an update take new code.",
                         default="splitjoin-lambda.zip", pattern=r"^\S{1,1024}$", explained="an object's key"),
    "CodeVersion": Parameter("The zip's version, where its bucket keeps versions.", default=""),
    "Runtime": Parameter("What the zip was built for.", default="python3.13",
                         values=("python3.11", "python3.12", "python3.13", "python3.14")),
    "Architecture": Parameter("What the zip was built for.", default="x86_64", values=("x86_64", "arm64")),
}  # fmt: skip
_DATABASE: dict[str, Parameter] = {
    "Into": Parameter(
        "The database: mysql://USER@HOST/DB, postgresql://, aurora-mysql:// or aurora-postgresql://.",
        pattern=r"^(aurora-)?(mysql|postgresql)://([^\s:@/]+@)?[^\s@/]+/[^\s@/?]+(\?[^\s@]*)?$",
        explained="the URL of a database server, without a password: the secret holds it",
    ),
    "Table": Parameter("Its table, or SCHEMA.NAME; nothing: the client's name.", default="",
                       pattern=_no_own(r"([^.]+\.)?"), explained=f"a table's name that does not begin with {PREFIX}"),
    "CreateTable": _flag("Make a missing table, of text columns:"),
    "RunColumn": Parameter("The table's column for the run id; a newer run replaces older rows.", default="",
                           pattern=_no_own(), explained=f"a column's name that does not begin with {PREFIX}"),
    "BesideOtherRun": _flag("Load although the ledger holds another run of a file:"),
    "MaxRecord": Parameter(
        "Maximum size of one record, such as 64MiB: loading one takes several times its size of Memory.",
        default="256MiB", pattern=r"^[1-9][0-9]{0,15}([KMGTkmgt]([iI]?[bB])?|[bB])?$",
        explained="a size: 64MiB, 100MB, plain bytes",
    ),
    "ExactValues": _flag("Refuse a value that its column's type would change:"),
    "SecretArn": _arn("Secrets Manager secret with the database's password.", "secretsmanager", what="a secret"),
    "SecretKeyArn": _arn("KMS key of that secret, where it is not AWS's own.", "kms", what="a KMS key"),
    "AuroraClusterArn": _arn("Aurora cluster that reads chunks itself (aurora-mysql, aurora-postgresql): a role is"
                             " made for it.", "rds", what="a database cluster"),
}  # fmt: skip
_CHUNKS: dict[str, Parameter] = {
    "ChunkBucketName": Parameter(
        "The bucket that is made; nothing: STACK-ACCOUNT-REGION, for a stack's name in lower case and short.",
        default="", pattern=r"^$|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", explained="a bucket's name, or nothing",
    ),
    "ChunkPrefix": Parameter(
        "Where chunks arrive: what is stored elsewhere in the bucket starts nothing.", default="chunks/",
        pattern=r"^[A-Za-z0-9!_.'()/-]{1,200}/$", explained="a prefix that ends with a slash",
    ),
    "ChunkKeyArn": _arn("KMS key that encrypts chunks; nothing: S3's own.", "kms", what="a KMS key"),
    "ConditionalWrites": _flag("Refuse to store under the prefix without If-None-Match or If-Match, as splitjoin does"
                               " not:"),
    "ChunkDays": Parameter("Days until chunks are deleted; 0: never.", type="Number", default="0", least=0, most=36500),
}  # fmt: skip
_WORK: dict[str, Parameter] = {
    "Concurrency": Parameter("Chunks from the queue that are loaded at once: connections to the database.",
                             type="Number", default="4", least=2, most=1000),
    "ReservedConcurrency": Parameter("Bound on all that the function does at once, retries sent to it included: at"
                                     " least Concurrency + 2; 0: none. The account must keep 100 unreserved.",
                                     type="Number", default="0", least=0, most=1000),
    "BatchSize": Parameter("Chunks for one invocation, which load one after another within its timeout.",
                           type="Number", default="1", least=1, most=10),
    "Memory": Parameter("MB of the function; more is also more CPU.", type="Number", default="512", least=256,
                        most=32768),
    "Timeout": Parameter("Seconds that an invocation may take; above 1800 only with CapacityProviderArn. The queue"
                         " hides a chunk for 6 times as long: so long it takes until the chunk of a worker that died"
                         " comes again.", type="Number", default="300", values=tuple(map(str, TIMEOUTS_SECONDS))),
    "MaxReceives": Parameter("Deliveries of a chunk until it is a dead letter; below 5 throttling alone can make it"
                             " one.", type="Number", default="5", least=3, most=1000),
    "MinimumPollers": Parameter("Pollers of the queue that are always there (provisioned mode), up to 10 chunks at"
                                " once each, in place of Concurrency; 0: none.", type="Number", default="0", least=0,
                                most=200),
    "MaximumPollers": Parameter("Pollers that it may grow to.", type="Number", default="200", least=2, most=10000),
    "CapacityProviderArn": _arn("Capacity provider of Lambda Managed Instances that runs the function; nothing: Lambda"
                                " itself.", "lambda", what="a capacity provider"),
    "EventsAtOnce": Parameter("Invocations at once in one environment of the capacity provider.", type="Number",
                              default="4", least=1, most=1600),
    "SubnetIds": Parameter("Private subnets of the function, with a way to S3, DynamoDB and SNS; nothing: no VPC.",
                           type="CommaDelimitedList", default=""),
    "SecurityGroupIds": Parameter("Its security groups, where it has subnets.", type="CommaDelimitedList", default=""),
}  # fmt: skip
_SPLIT: dict[str, Parameter] = {
    "SplitCodeKey": Parameter("Key of the split function's zip in CodeBucket; nothing: no split function (--engine"
                              " lambda:).", default="", pattern=r"^\S{0,1024}$",
                              explained="an object's key, or nothing"),
    "SplitSourceArns": Parameter("What it may read: ARNs such as arn:aws:s3:::BUCKET/PREFIX/*, separated by commas.",
                                 type="CommaDelimitedList", default=""),
    "SplitSourceKeyArn": _arn("KMS key that encrypts these, where it is not AWS's own.", "kms", what="a KMS key"),
    "SplitMemory": Parameter("MB of the split function; with 1769 it has one whole processor.", type="Number",
                             default="1769", least=512, most=MOST_MEMORY),
    "SplitTimeout": Parameter("Seconds that it may take for one chunk.", type="Number", default="300",
                              values=tuple(str(one) for one in TIMEOUTS_SECONDS if one <= LONGEST_SECONDS)),
    "SplitConcurrency": Parameter("Chunks that it works on at once, as a reserve of the account's; 0: none, and --jobs"
                                  " says it.", type="Number", default="0", least=0, most=1000),
}  # fmt: skip
_JOIN: dict[str, Parameter] = {
    "OnJoinArn": _arn("Topic, queue, function, state machine or event bus that hears of each join; empty: the"
                      " stack's topic.", "(sns|sqs|lambda|states|events)",
                      what="a topic, queue, function, state machine or event bus"),
    "OnJoinService": Parameter("Whose ARN that is.", default="", values=("", *SERVICES)),
    "SweepRate": Parameter("How often the sweep looks for joins that have no owner.", default="rate(5 minutes)",
                           pattern=r"^rate\((1 minute|1 hour|[0-9]+ (minutes|hours))\)$",
                           explained="rate(1 minute), rate(N minutes), rate(1 hour) or rate(N hours)"),
    "StuckAfter": Parameter("A job without progress for so long is stuck: 90s, 15m, 2h; nothing: twice as long as the"
                            " queue hides a chunk.", default="", pattern=r"^$|^[1-9][0-9]*[smhd]?$",
                            explained="90s, 15m, 2h, or nothing"),
    "AlarmArn": _arn("Topic that alarms go to; nothing: they are seen in CloudWatch alone.", "sns", what="a topic"),
    "LogDays": Parameter("Days that logs are kept.", type="Number", default="30",
                         values=("1", "7", "14", "30", "90", "180", "365", "731")),
}  # fmt: skip

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Code": tuple(_CODE),
    "Database": tuple(_DATABASE),
    "Chunks": tuple(_CHUNKS),
    "Work": tuple(_WORK),
    "Split": tuple(_SPLIT),
    "Join and watch": tuple(_JOIN),
}
PARAMETERS: Mapping[str, Parameter] = {**_CODE, **_DATABASE, **_CHUNKS, **_WORK, **_SPLIT, **_JOIN}


def _given(parameter: str) -> Value:
    return inverse(equals(ref(parameter), ""))


CONDITIONS: Mapping[str, Value] = {
    "HasCodeVersion": _given("CodeVersion"),
    "HasBucketName": _given("ChunkBucketName"),
    "HasChunkKey": _given("ChunkKeyArn"),
    "HasConditionalWrites": _given("ConditionalWrites"),
    "HasExpiry": inverse(equals(ref("ChunkDays"), "0")),
    "HasCapacityProvider": _given("CapacityProviderArn"),
    "HasPollers": inverse(equals(ref("MinimumPollers"), "0")),
    "HasReserve": inverse(equals(ref("ReservedConcurrency"), "0")),
    "HasSecret": _given("SecretArn"),
    "HasAlarmTopic": _given("AlarmArn"),
    "HasStuckAfter": _given("StuckAfter"),
    "HasAuroraCluster": _given("AuroraClusterArn"),
    "HasSubnets": inverse(equals(select(0, ref("SubnetIds")), "")),
    "JoinsHere": equals(ref("OnJoinArn"), ""),
    "JoinsElsewhere": _given("OnJoinArn"),
    "JoinsQueue": equals(ref("OnJoinService"), "sqs"),
    "JoinsMachine": every(equals(ref("OnJoinService"), "states"), _given("OnJoinArn")),
    "JoinsFunction": every(equals(ref("OnJoinService"), "lambda"), _given("OnJoinArn")),
    "HasSecretKey": _given("SecretKeyArn"),
    "HasSplit": _given("SplitCodeKey"),
    "HasSplitSources": every(_given("SplitCodeKey"), inverse(equals(select(0, ref("SplitSourceArns")), ""))),
    "HasSplitReserve": inverse(equals(ref("SplitConcurrency"), "0")),
    "HasSplitAndChunkKey": every(_given("SplitCodeKey"), _given("ChunkKeyArn")),
    "HasSplitSourceKey": every(_given("SplitCodeKey"), _given("SplitSourceKeyArn")),
    "HasAuroraClusterAndChunkKey": every(_given("AuroraClusterArn"), _given("ChunkKeyArn")),
}
MAPPINGS: Mapping[str, Mapping[str, Mapping[str, Value]]] = {
    "Timeouts": {
        str(seconds): {
            "Visibility": seconds * VISIBILITY_TIMEOUTS,
            "StuckAfter": f"{seconds * VISIBILITY_TIMEOUTS * STUCK_VISIBILITIES}s",
        }
        for seconds in TIMEOUTS_SECONDS
    }
}

bucket_name = when("HasBucketName", ref("ChunkBucketName"), sub("${AWS::StackName}-${AWS::AccountId}-${AWS::Region}"))
chunks_arn = sub("${ChunkBucket.Arn}/${ChunkPrefix}*")
# For the queue's policy, which must be there before the bucket whose events it lets in.
expected_bucket_arn = join("", "arn:", ref("AWS::Partition"), ":s3:::", bucket_name)
visibility_seconds = find("Timeouts", ref("Timeout"), "Visibility")
stuck_after = when("HasStuckAfter", ref("StuckAfter"), find("Timeouts", ref("Timeout"), "StuckAfter"))

_ARN_FIELDS = split(":", ref("OnJoinArn"))
_regional = [select(index, _ARN_FIELDS) for index in range(5)]
# What was started under a run's name, whatever version or alias of a machine or a function started it.
executions_arn = join(":", *_regional, "execution", select(6, _ARN_FIELDS), "*")
function_versions_arn = join(":", *_regional, "function", select(6, _ARN_FIELDS), "*")
# --on-join names a queue by its URL, everything else may be named by its ARN.
_queue_url = join(
    "", "sqs:https://sqs.", select(3, _ARN_FIELDS), ".", ref("AWS::URLSuffix"), "/", select(4, _ARN_FIELDS), "/",
    select(5, _ARN_FIELDS),
)  # fmt: skip
join_url = when(
    "JoinsHere",
    join(":", "sns", ref("JoinTopic")),
    when("JoinsQueue", _queue_url, join(":", ref("OnJoinService"), ref("OnJoinArn"))),
)
