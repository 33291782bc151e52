"""``splitjoin worker`` on a queue, killed and stopped, with duplicates and a poison chunk: all is there, once."""

from __future__ import annotations

import json
import re
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.join.events import notification
from tests.e2e.command import Splitjoin
from tests.e2e.kills import end

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers.aws_desk import AwsDesk
    from tests.servers.mariadb import MariadbDatabase

CHUNKS = 40
ROWS_PER_CHUNK = 2000
ROWS = CHUNKS * ROWS_PER_CHUNK


def export(rows: int = ROWS) -> bytes:
    """A CSV file with quoted newlines."""
    return b"id,note\n" + b"".join(b'%d,"a line\nand another"\n' % number for number in range(rows))


def wait_for(happened: Callable[[], object], seconds: float = 60) -> None:
    """Until it has happened."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def desk_command(tmp_path: Path, aws_desk: AwsDesk) -> Splitjoin:
    """The command where it finds MiniStack and its tracker."""
    return Splitjoin(tmp_path, {**aws_desk.env, "SPLITJOIN_TRACKER": f"dynamodb:jobs-{aws_desk.bucket}"})


def split(command: Splitjoin, desk: AwsDesk, *, rows: int = ROWS, per_chunk: int = ROWS_PER_CHUNK) -> dict[str, Any]:
    """Upload the export as acme_1; MiniStack sends the notifications."""
    (command.directory / "acme.csv").write_bytes(export(rows))
    command.ok("init")
    return command.json("split", "acme.csv", f"s3://{desk.bucket}/in/", "--date", "1", "--rows", str(per_chunk))


def test_two_workers_one_killed_one_stopped(
    desk_command: Splitjoin, aws_desk: AwsDesk, mariadb: MariadbDatabase
) -> None:
    """Duplicates, SIGKILL in the middle, SIGTERM in the middle, a third ends it: every row once, one join."""
    command = desk_command.within(
        SPLITJOIN_DB_PASSWORD=mariadb.server.password, SPLITJOIN_ON_JOIN=f"sqs:{aws_desk.joins}"
    )
    result = split(command, aws_desk)
    assert result["total_parts"] == CHUNKS
    sqs = aws_desk.client("sqs")
    for chunk in result["chunks"][::3]:
        key = str(chunk["uri"]).removeprefix(f"s3://{aws_desk.bucket}/")
        sqs.send_message(QueueUrl=aws_desk.queue, MessageBody=json.dumps(notification(aws_desk.bucket, key)))
    work = ("worker", aws_desk.queue, "--into", str(mariadb.url), "--create-table", "--lease", "5s", "--workers", "2")
    killed, stopped = command.begin(*work), command.begin(*work)

    def counted() -> int:
        found = command("status", "acme_1", "--json")
        return int(found.document["processed_parts"]) if found.code == 0 else 0

    wait_for(lambda: counted() >= 3)
    killed.kill()
    end(killed)
    stopped.send_signal(signal.SIGTERM)
    out, said = end(stopped)
    assert stopped.returncode == 143, said
    assert re.search(rb"^\d+ messages: \d+ acknowledged, \d+ given back; \d+ chunks loaded, \d joins?$", out.strip())
    assert said.decode().endswith(
        "Error: terminated by SIGTERM\nHint: what it held was finished or given back; the same command goes on\n"
    )
    last = command.json(*work, "--idle-exit", "8s")
    assert last["received"] >= 1
    status = command.json("status", "acme_1")
    assert (status["state"], status["processed_parts"], status["rows"]) == ("joined", CHUNKS, ROWS)
    assert mariadb.query("SELECT COUNT(*), COUNT(DISTINCT id) FROM acme") == [(ROWS, ROWS)]
    assert aws_desk.counts(aws_desk.queue) == (0, 0)
    assert aws_desk.counts(aws_desk.dead) == (0, 0)
    told = aws_desk.bodies(aws_desk.joins)
    assert 1 <= len(told) <= 3  # the two that were ended may have been at the join, each: it is told again, alike
    (joined,) = set(told)
    assert {key: json.loads(joined)[key] for key in ("file_name", "total_parts", "rows")} == {
        "file_name": "acme_1", "total_parts": CHUNKS, "rows": ROWS,
    }  # fmt: skip


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_worker_holds_nothing(
    desk_command: Splitjoin, aws_desk: AwsDesk, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """What does not end within the grace time is given back at once: it waits in the queue, and nobody holds it."""
    split(desk_command, aws_desk, rows=20, per_chunk=10)
    work = ("worker", aws_desk.queue, "--into", "sqlite:sales.db", "--on-join", "exec:touch began; sleep 60")
    process = desk_command.begin(*work, "--json", "--grace", "1s")
    wait_for((tmp_path / "began").exists)
    process.send_signal(number)
    began = time.monotonic()
    out, _ = end(process)
    assert time.monotonic() - began < 60  # what the continuation sleeps
    assert process.returncode == code
    document = json.loads(out)
    assert document["received"] == document["acknowledged"] + 1
    assert (document["loaded"], document["given_back"], document["joined"]) == (1, 1, 0)
    assert document["error"]["code"] == code
    assert aws_desk.counts(aws_desk.queue) == (1, 0)


def test_a_poison_chunk_is_found_mended_and_sent_again(desk_command: Splitjoin, aws_desk: AwsDesk) -> None:
    """It ends among the dead letters, status names it, what it proposes brings it through, and there is one join."""
    command = desk_command.within(SPLITJOIN_ON_JOIN=f"sqs:{aws_desk.joins}")
    result = split(command, aws_desk, rows=50, per_chunk=10)
    key = str(result["chunks"][2]["uri"]).removeprefix(f"s3://{aws_desk.bucket}/")
    s3 = aws_desk.client("s3")
    stored = s3.get_object(Bucket=aws_desk.bucket, Key=key)
    whole, about = stored["Body"].read(), {"Bucket": aws_desk.bucket, "Key": key, "Metadata": stored["Metadata"]}
    s3.put_object(Body=whole + b"1,2,3,4\n", **about)
    work = ("worker", aws_desk.queue, "--into", "sqlite:sales.db", "--idle-exit", "4s")
    command.ok(*work)
    assert aws_desk.counts(aws_desk.dead)[0] >= 1
    before = aws_desk.counts(aws_desk.dead)
    ran = command.ok("status", "acme_1", "--queue", aws_desk.queue)
    assert re.search(
        rf"^dead letter chunk 3, received \d+ times: s3://{aws_desk.bucket}/{key}$", ran.stdout, re.MULTILINE
    )
    proposed = ran.stdout.splitlines()[-1].removeprefix("next").split()
    assert proposed[:6] == ["splitjoin", "replace", "acme_1", "--chunk", "3", "FILE"]
    assert proposed[-2:] == ["--to", f"sqs:{aws_desk.queue}"]
    by_itself = command.json("status", "acme_1", "--queue", aws_desk.dead)
    assert {letter["number"] for letter in by_itself["dead_letters"]} == {3}
    assert by_itself["state"] == "failed"
    assert aws_desk.counts(aws_desk.dead) == before
    (command.directory / "mended.csv").write_bytes(whole)
    typed = {"FILE": "mended.csv", "DATABASE_URL": "sqlite:sales.db"}
    command.ok(*(typed.get(word, word) for word in proposed[1:]))
    command.ok(*work)
    status = command.json("status", "acme_1", "--queue", aws_desk.queue)
    assert (status["state"], status["rows"], status["failures"]) == ("joined", 50, [])
    (joined,) = aws_desk.bodies(aws_desk.joins)
    assert json.loads(joined)["rows"] == 50
