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
