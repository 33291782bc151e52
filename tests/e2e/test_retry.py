"""``splitjoin retry`` against a queue and a function: what never arrived arrives, once, and the join comes."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.stores.trackers.jobs import Run
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker
from tests.e2e.command import Splitjoin
from tests.e2e.test_worker import split, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.aws_desk import AwsDesk

ROLE = "arn:aws:iam::000000000000:role/any"
RECORDS = """
import json, os, urllib.request
import boto3

def handler(event, context):
    boto3.client("sqs", endpoint_url=os.environ["ENDPOINT"]).send_message(
        QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
"""


@pytest.fixture
def lost(tmp_path: Path, aws_desk: AwsDesk) -> Splitjoin:
    """The command, after a split of five chunks whose notifications were lost; two of them are counted."""
    command = Splitjoin(tmp_path, {**aws_desk.env, "SPLITJOIN_TRACKER": "sqlite:jobs.db"})
    split(command, aws_desk, rows=50, per_chunk=10)
    aws_desk.bodies(aws_desk.queue)
    command.ok("retry", "acme_1", "--to", f"sqs:{aws_desk.queue}", "--chunks", "1,4")
    worker(command, aws_desk)
    assert command.json("status", "acme_1")["missing"] == [2, 3, 5]
    return command


def worker(command: Splitjoin, desk: AwsDesk) -> None:
    """Work until nothing comes any more."""
    command.ok("worker", desk.queue, "--into", "sqlite:sales.db", "--on-join", f"sqs:{desk.joins}", "--idle-exit", "1s")


def test_what_was_lost_is_sent_to_the_queue(lost: Splitjoin, aws_desk: AwsDesk) -> None:
    """Only what is not counted; then all is loaded, and there is one join."""
    to = f"sqs:{aws_desk.queue}"
    dry = lost.json("retry", "acme_1", "--to", to, "--dry-run")
    assert (dry["sent"], dry["dry_run"], aws_desk.counts(aws_desk.queue)) == ([2, 3, 5], True, (0, 0))
    ran = lost.ok("retry", "acme_1", "--to", to)
    assert ran.stdout == f"3 chunks of acme_1 sent to {to}: 2-3, 5\n"
    assert ran.stderr == "splitjoin status acme_1 --tracker sqlite:jobs.db --watch\n"
    assert aws_desk.counts(aws_desk.queue) == (3, 0)
    worker(lost, aws_desk)
    assert lost.json("status", "acme_1")["state"] == "joined"
    (joined,) = aws_desk.bodies(aws_desk.joins)
    assert json.loads(joined)["rows"] == 50
    again = lost.ok("retry", "acme_1", "--to", to)
    assert again.stdout == "acme_1: nothing to send, 5 of 5 chunks counted, join: joined\n"
    useless = lost.ok("retry", "acme_1", "--to", to, "--chunks", "3", "--counted", "--dry-run")
    assert useless.stderr == (
        "Warning: acme_1 is joined: workers let its chunks be, and load none again. Where the database has lost rows,"
        " splitjoin status acme_1 --tracker sqlite:jobs.db --reconcile --into DATABASE_URL says what to type\n"
    )


def test_what_failed_and_was_sent_again_is_failed_no_more(lost: Splitjoin, aws_desk: AwsDesk) -> None:
    """From the moment that it is sent; then it is loaded, and nothing of the failure is left."""
    run_id = lost.json("status", "acme_1")["run_id"]
    with closing(SqliteTracker(lost.directory / "jobs.db")) as tracker:
        tracker.mark_failed(Run("acme_1", run_id), 3, error="row 7 is bad", final=True)
    assert lost("status", "acme_1", "--check").code == 12
    lost.ok("retry", "acme_1", "--to", f"sqs:{aws_desk.queue}")
    between = lost.ok("status", "acme_1", "--check").stdout
    assert between.startswith("acme_1: running, 2 of 5 chunks counted")
    assert ", sent again since): row 7 is bad" in between
    worker(lost, aws_desk)
    ended = lost.json("status", "acme_1")
    assert (ended["state"], ended["failures"]) == ("joined", [])


def test_chunks_that_are_not_stored(lost: Splitjoin, aws_desk: AwsDesk) -> None:
    """The others are sent (exit 3), these are named with the command that uploads them; alone they are exit 1."""
    client = aws_desk.client("s3")
    client.delete_object(Bucket=aws_desk.bucket, Key="in/acme_1-3-5.csv")
    ran = lost("retry", "acme_1", "--to", f"sqs:{aws_desk.queue}")
    assert ran.code == 3
    place = f"s3://{aws_desk.bucket}/in/"
    assert ran.stderr == (
        "not stored: 3\nsplitjoin status acme_1 --tracker sqlite:jobs.db --watch\n"
        f"Error: 1 chunk of acme_1 is not stored in {place}\n"
        "Hint: upload them, with the options of the first time: "
        f"splitjoin split --client=acme --date=1 --tracker sqlite:jobs.db SOURCE {place}\n"
    )
    alone = lost("retry", "acme_1", "--to", f"sqs:{aws_desk.queue}", "--chunks", "3", "--json")
    assert (alone.code, alone.document["never_uploaded"], alone.error["code"]) == (1, [3], 1)


def test_a_queue_that_is_not_there(lost: Splitjoin, aws_desk: AwsDesk) -> None:
    """Exit 1, with its URL."""
    url = f"{aws_desk.queue}x"
    error = lost("retry", "acme_1", "--to", f"sqs:{url}", "--json").error
    assert (error["code"], error["message"]) == (1, f"sqs:SendMessage {url}: the queue does not exist")


def test_a_function_is_invoked(lost: Splitjoin, aws_desk: AwsDesk) -> None:
    """Asynchronously, once for each chunk, with the event that S3 would send."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", RECORDS)
    name = f"record-{aws_desk.bucket}"
    aws_desk.client("lambda").create_function(
        FunctionName=name, Runtime="python3.11", Role=ROLE, Handler="index.handler",
        Code={"ZipFile": packed.getvalue()}, Timeout=30,
        Environment={"Variables": {"ENDPOINT": aws_desk.env["AWS_ENDPOINT_URL"], "QUEUE": aws_desk.joins}},
    )  # fmt: skip
    document = lost.json("retry", "acme_1", "--to", f"lambda:{name}")
    assert (document["sent"], document["to"]) == ([2, 3, 5], f"lambda:{name}")
    wait_for(lambda: aws_desk.counts(aws_desk.joins)[0] >= 3)
    events = [json.loads(body) for body in aws_desk.bodies(aws_desk.joins)]
    keys = sorted(record["s3"]["object"]["key"] for event in events for record in event["Records"])
    assert keys == [f"in/acme_1-{number}-5.csv" for number in (2, 3, 5)]
    error = lost("retry", "acme_1", "--to", f"lambda:{name}x", "--json").error
    assert error["message"] == f"lambda:InvokeFunction lambda:{name}x: not found"


def test_a_store_without_notifications_is_told_for(tmp_path: Path, aws_desk: AwsDesk) -> None:
    """``split --notify`` sends each chunk's event: the worker loads all, and there is one join.

    A queue that is not there ends the command before anything is stored; a finished split sends nothing more.
    """
    command = Splitjoin(tmp_path, {**aws_desk.env, "SPLITJOIN_TRACKER": "sqlite:jobs.db"})
    command.ok("init")
    (tmp_path / "acme.csv").write_bytes(b"id,name\n" + b"".join(b"%d,x\n" % number for number in range(50)))
    silent = f"{aws_desk.bucket}-silent"
    aws_desk.client("s3").create_bucket(Bucket=silent)
    aws_desk.bodies(aws_desk.queue)  # the event that tested the other bucket's notifications
    words = ("split", "acme.csv", f"s3://{silent}/in +/", "--date", "1", "--rows", "4")
    gone = command(*words, "--notify", f"sqs:{aws_desk.queue}-gone")
    assert (gone.code, "the queue does not exist" in gone.stderr) == (1, True)
    assert "Contents" not in aws_desk.client("s3").list_objects_v2(Bucket=silent)
    command.ok(*words, "--notify", f"sqs:{aws_desk.queue}")
    assert aws_desk.counts(aws_desk.queue) == (13, 0)
    command.ok(*words, "--notify", f"sqs:{aws_desk.queue}")
    assert aws_desk.counts(aws_desk.queue) == (13, 0)
    worker(command, aws_desk)
    assert command.json("status", "acme_1")["state"] == "joined"
    (joined,) = aws_desk.bodies(aws_desk.joins)
    assert json.loads(joined)["rows"] == 50
