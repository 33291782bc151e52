"""Makes the tables of rights and costs in docs/guide/aws.md; cog runs it: they are the template's and add up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.deploy.stack.roles import SPLIT_STATEMENTS

if TYPE_CHECKING:
    from splitjoin_cli.deploy.stack.cloudformation import Statement

OBJECTS, BUCKET, TABLE, INDEXES = "`BUCKET/PREFIX*`", "`BUCKET`", "the table", "`TABLE/index/*`"
PLACES = {"StoreChunks": OBJECTS, "FindChunks": BUCKET, "OpenJob": TABLE, "ReadJobs": INDEXES}
PURPOSES = {
    "s3:PutObject": "chunks, plan, manifest",
    "s3:PutObjectTagging": "`--tag` alone",
    "s3:AbortMultipartUpload": "leaving no paid remains of what failed",
    "s3:GetObject": "resuming; `verify`, `merge`; copies on the server",
    "s3:DeleteObject": "the plan, when the manifest is there; with `--force` the replaced run",
    "s3:ListBucket": "what is stored already, and 404 instead of 403 for what is not",
    "s3:ListBucketMultipartUploads": "what a killed split left",
    "dynamodb:GetItem": "`--tracker`: the job",
    "dynamodb:BatchGetItem": "`--tracker`: its counts",
    "dynamodb:UpdateItem": "`--tracker`: opening it",
    "dynamodb:Query": "`--tracker`: its failures",
    "dynamodb:Scan": "`status` of all jobs",
}

MILLION = 1_000_000
CHUNK_SECONDS, MEMORY_GB = 20, 0.5
LOG_KILOBYTES = 1


@dataclass(frozen=True, slots=True)
class Cost:
    """One line of the bill for a million chunks: ``amount`` of what, in the unit of ``price``."""

    what: str
    amount: float
    unit: str
    price: float

    @property
    def dollars(self) -> float:
        """What it comes to, to the cent."""
        return round(self.amount * self.price, 2)


COSTS = (
    Cost("S3 PUT, one a chunk", 1000, "thousand", 0.005),
    Cost("S3 GET, one a chunk", 1000, "thousand", 0.0004),
    Cost("SQS: sent, received, deleted", 3, "million", 0.40),
    Cost("Lambda requests", 1, "million", 0.20),
    Cost(
        f"Lambda time: {CHUNK_SECONDS} s x {MEMORY_GB} GB a chunk", CHUNK_SECONDS * MEMORY_GB * MILLION, "GB-second",
        0.0000166667,
    ),
    Cost("DynamoDB writes: at most 1.4 units a chunk", 1.4, "million", 0.625),
    Cost("DynamoDB reads: at most 2 units a chunk", 2, "million", 0.125),
    Cost(f"CloudWatch logs: {LOG_KILOBYTES} KB a chunk", LOG_KILOBYTES, "GB", 0.50),
)  # fmt: skip
"""List prices of us-east-1, without free tiers."""


GIGABYTE_SECOND, INVOCATION = 0.0000166667, 0.20 / MILLION
PUT_CLASS, GET_CLASS = 0.005 / 1000, 0.0004 / 1000
SPLIT_CHUNK_BYTES, SPLIT_MEMORY_GB = 128 * 1024**2, 1769 / 1024
FUNCTION_BYTES_PER_SECOND = 75_000_000
"""What the network of one function is assumed to carry, in all."""
AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Invocations:
    """One kind of work on the chunks of 1 TB. ``cpu_seconds``: measured, for 128 MiB; ``passes``: of its bytes.

    ``waits``: seconds for which it waits for the store, an assumption.
    """

    what: str
    cpu_seconds: float
    passes: int
    puts: int
    gets: int
    waits: float = 0.0

    @property
    def seconds(self) -> float:
        """Of one."""
        return max(self.cpu_seconds, self.passes * SPLIT_CHUNK_BYTES / FUNCTION_BYTES_PER_SECOND) + self.waits

    @property
    def count(self) -> int:
        """Of 1 TB."""
        return -(-(10**12) // SPLIT_CHUNK_BYTES)

    @property
    def dollars(self) -> float:
        """Lambda's time and invocations, and S3's requests."""
        lambda_cost = self.seconds * SPLIT_MEMORY_GB * GIGABYTE_SECOND + INVOCATION
        return self.count * (lambda_cost + self.puts * PUT_CLASS + self.gets * GET_CLASS)


SCAN = Invocations("scan a chunk", 0.16, 1, 0, 1)
COPY = Invocations("let the store copy it", 0.08, 0, 4, 2, waits=2.0)
SEND = Invocations("or read it again and send it", 0.47, 2, 1, 1)


def split_cost_table() -> str:
    """What 1 TB costs by ``--engine lambda:``, and how long it takes."""
    lines = [
        f"| {one.what} | {one.count:,} | {one.cpu_seconds:.2f} | {one.seconds:.1f} | ${one.dollars:.2f} |"
        f" {_minutes(one.count * one.seconds / AT_ONCE)} |"
        for one in (SCAN, COPY, SEND)
    ]
    for what, other in (("1 TB within one store", COPY), ("1 TB to another store, or compressed", SEND)):
        dollars, seconds = SCAN.dollars + other.dollars, SCAN.count * (SCAN.seconds + other.seconds) / AT_ONCE
        lines.append(f"| {what} | {SCAN.count + other.count:,} | | | ${dollars:.2f} | {_minutes(seconds)} |")
    head = f"| | invocations | processor seconds | seconds each | cost | {AT_ONCE} at once |"
    return "\n".join([head, "|---|---:|---:|---:|---:|---:|", *lines])


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min"


def rights_table() -> str:
    """The rights that a split needs, a line for each action."""
    lines = [line for statement in SPLIT_STATEMENTS for line in _rights(statement)]
    return "\n".join(["| action | on | for |", "|---|---|---|", *lines])


def _rights(statement: Statement) -> list[str]:
    return [f"| `{action}` | {PLACES[statement.sid]} | {PURPOSES[action]} |" for action in statement.actions]


def cost_table() -> str:
    """The bill for a million chunks, with its arithmetic and its sum."""
    lines = [
        f"| {one.what} | {_plain(one.amount)} | ${_plain(one.price)} a {one.unit} | ${one.dollars:,.2f} |"
        for one in COSTS
    ]
    total = sum(one.dollars for one in COSTS)
    head = ["| | amount | price | cost |", "|---|---:|---:|---:|"]
    return "\n".join([*head, *lines, f"| a million chunks | | | **${total:,.2f}** |"])


def _plain(number: float) -> str:
    """A number without an exponent or needless zeros."""
    return f"{number:,.10f}".rstrip("0").rstrip(".")
