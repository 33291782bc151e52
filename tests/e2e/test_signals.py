"""Splits that are interrupted, terminated and killed: nothing stays open, and the same command ends them whole."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.command import COMMAND
from tests.e2e.csvs import bulk
from tests.e2e.kills import end, kept, killed_splits, stored, undisturbed
from tests.seldom import seldom

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.command import Splitjoin
    from tests.servers.proxy import Asked, Proxy
    from tests.servers.s3 import Bucket

MIB = 1024 * 1024
DATA = bulk(20 * MIB)
LARGE = DATA * 6
SLOW = 4.0 * MIB
"""Bytes per second and connection: an upload lasts until a test has acted."""


def wait_for(happened: Callable[[], object]) -> None:
    """Until it has happened; a minute at most."""
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "code"), [seldom(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_and_resumed(
    splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy, number: signal.Signals, code: int
) -> None:
    """A signal in the middle of multipart uploads aborts them; the command in the JSON document resumes."""
    (splitjoin_s3.directory / "acme.csv.gz").write_bytes(gzip.compress(DATA, 1))
    proxy.bytes_per_second = SLOW
    command = ("split", "acme.csv.gz", f"{bucket.uri}in/", "--date", "d", "--chunk-size", "9MiB", "--json")
    process = splitjoin_s3.begin(*command, AWS_ENDPOINT_URL_S3=proxy.url)
    wait_for(lambda: [key for key in bucket.open_uploads() if key.endswith("-3.csv")])
    process.send_signal(number)
    out, said = end(process)
    assert process.returncode == code
    document = json.loads(out)
    resume = f"splitjoin split --client=acme --date=d --chunk-size={9 * MIB} -- acme.csv.gz {bucket.uri}in/"
    word = "interrupted by SIGINT" if number == signal.SIGINT else "terminated by SIGTERM"
    hint = document["error"].pop("hint")
    assert document == {"resume": resume, "error": {"code": code, "message": word}}
    told = re.fullmatch(r"(.*); to resume, type: (.*)", hint)
    assert told is not None
    assert told[2] == resume
    there = [key for key in bucket.keys("in/") if key.endswith("-3.csv")]
    expected = {
        0: "no chunk is stored yet, so the source is read again from its beginning",
        1: "1 of 3 chunks is kept; the source is read again from its beginning, without another scan",
        2: "2 of 3 chunks are kept; the source is read again from its beginning, without another scan",
    }
    assert told[1] == expected[len(there)]
    assert b"Traceback" not in said
    assert bucket.open_uploads() == []
    assert "in/acme_d.manifest.json" not in bucket.keys("")
    path = f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["sh", "-c", resume], cwd=splitjoin_s3.directory, env=splitjoin_s3.environment(PATH=path), check=True
    )
    assert splitjoin_s3.ok("merge", f"{bucket.uri}in/", "-", "-q").out == DATA
    assert "in/acme_d.plan.json" not in bucket.keys("")


def test_interrupted_while_an_upload_begins(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """A signal after the store has begun an upload and before we hear its id leaves no open upload either."""
    (splitjoin_s3.directory / "acme.csv.gz").write_bytes(gzip.compress(DATA, 1))
    heard: list[list[str]] = []

    def interrupt(asked: Asked) -> None:
        if "uploads" in asked.query and asked.method == "POST" and asked.key.endswith("-3.csv") and not heard:
            heard.append(bucket.open_uploads())
            process.send_signal(signal.SIGTERM)
            time.sleep(1)

    proxy.answering = interrupt
    command = ("split", "acme.csv.gz", f"{bucket.uri}in/", "--date", "d", "--chunk-size", "9MiB")
    process = splitjoin_s3.begin(*command, AWS_ENDPOINT_URL_S3=proxy.url)
    end(process)
    assert process.returncode == 143
    assert heard == [["in/acme_d-1-3.csv"]]
    assert bucket.open_uploads() == []


@pytest.mark.parametrize("number", [signal.SIGINT, seldom(signal.SIGTERM)])
def test_interrupted_into_a_directory(splitjoin: Splitjoin, number: signal.Signals) -> None:
    """A signal while chunks are written leaves no temporary file; the same command ends whole."""
    (splitjoin.directory / "acme.csv.gz").write_bytes(gzip.compress(LARGE, 1))
    command = ("split", "acme.csv.gz", "out", "--date", "d", "--chunk-size", "1MiB")
    process = splitjoin.begin(*command)
    out = splitjoin.directory / "out"
    wait_for(lambda: out.exists() and any(path.is_dir() and any(path.iterdir()) for path in out.iterdir()))
    process.send_signal(number)
    _, said = end(process)
    assert process.returncode == 128 + number
    assert (
        "Hint: no chunk is stored yet, so the source is read again from its beginning; to resume, type: "
        f"splitjoin split --client=acme --date=d --chunk-size={MIB} -- acme.csv.gz out\n"
    ) in said.decode()
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    result = splitjoin.json(*command)
    assert sum(chunk["end"] - chunk["start"] for chunk in result["chunks"]) + result["header_bytes"] == len(LARGE)
    assert splitjoin.json("verify", "out", "--source", "acme.csv.gz")["ok"] is True


def test_uploads_of_a_killed_run_are_found(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """SIGKILL leaves multipart uploads open, which cost money: the next run ends them, and leaves strangers' alone."""
    (splitjoin_s3.directory / "acme.csv.gz").write_bytes(gzip.compress(DATA, 1))
    strange = bucket.client().create_multipart_upload(Bucket=bucket.name, Key="in/other_d-1-2.csv")
    proxy.bytes_per_second = SLOW
    command = ("split", "acme.csv.gz", f"{bucket.uri}in/", "--date", "d", "--chunk-size", "9MiB")
    process = splitjoin_s3.begin(*command, AWS_ENDPOINT_URL_S3=proxy.url)
    wait_for(lambda: [key for key in bucket.open_uploads() if "acme_d-" in key])
    process.kill()
    end(process)
    assert len(bucket.open_uploads()) > 1
    splitjoin_s3.ok(*command)
    assert bucket.open_uploads() == ["in/other_d-1-2.csv"]
    bucket.client().abort_multipart_upload(Bucket=bucket.name, Key="in/other_d-1-2.csv", UploadId=strange["UploadId"])


def test_stored_chunks_are_not_sent_again(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """After a kill only what is missing is sent, and the source is not scanned again."""
    (splitjoin_s3.directory / "acme.csv").write_bytes(DATA)
    proxy.bytes_per_second = SLOW
    command = ("split", "acme.csv", f"{bucket.uri}in/", "--date", "d", "--chunk-size", "2MiB", "--jobs", "2")
    process = splitjoin_s3.begin(*command, AWS_ENDPOINT_URL_S3=proxy.url)
    wait_for(lambda: len(bucket.keys("in/acme_d-")) > 2)
    process.kill()
    end(process)
    proxy.bytes_per_second = None
    before = set(bucket.keys("in/acme_d-"))
    proxy.requests.clear()
    ran = splitjoin_s3.ok(*command, "-v", "--json", AWS_ENDPOINT_URL_S3=proxy.url)
    sent = {one.key for one in proxy.requests if one.method == "PUT" and one.key.endswith(".csv")}
    assert len(before) > 2
    assert not sent & before
    # What was on its way when the process died may have arrived after the look.
    assert ran.document["skipped"] >= len(before)
    assert ran.document["skipped"] + len(sent) == ran.document["total_parts"]
    assert "the source is unchanged, so it is not scanned again\n" in ran.stderr
    assert splitjoin_s3.ok("merge", f"{bucket.uri}in/", "-", "-q").out == DATA


def test_killed_splits_to_s3_end_as_undisturbed_ones(splitjoin_s3: Splitjoin, bucket: Bucket) -> None:
    """Killed at any moments, the same command again leaves the same objects, manifest included, and no open upload."""
    (splitjoin_s3.directory / "acme.csv.gz").write_bytes(gzip.compress(DATA, 1))

    def command(prefix: str) -> tuple[str, ...]:
        return ("split", "acme.csv.gz", f"{bucket.uri}{prefix}", "--date", "d", "--chunk-size", "9MiB")

    whole = undisturbed(splitjoin_s3, command("whole/"), lambda: stored(bucket, "whole/"))
    for prefix in killed_splits(splitjoin_s3, command, whole.seconds, deaths=5, draw=random.Random(1)):
        assert stored(bucket, prefix) == whole.left
        assert bucket.open_uploads() == []


def test_killed_splits_into_a_directory_end_as_undisturbed_ones(splitjoin: Splitjoin) -> None:
    """The same for a directory: no temporary file is left, by name or in hiding."""
    (splitjoin.directory / "acme.csv").write_bytes(DATA)

    def command(directory: str) -> tuple[str, ...]:
        return ("split", "acme.csv", directory, "--date", "d", "--chunk-size", "1MiB", "--fsync")

    whole = undisturbed(splitjoin, command("whole"), lambda: kept(splitjoin.directory / "whole"))
    for directory in killed_splits(splitjoin, command, whole.seconds, deaths=5, draw=random.Random(2)):
        assert kept(splitjoin.directory / directory) == whole.left


def test_two_processes_on_one_split(splitjoin_s3: Splitjoin, bucket: Bucket) -> None:
    """The same split started twice at once is done once: both end well, and the objects are those of one."""
    (splitjoin_s3.directory / "acme.csv").write_bytes(DATA)
    command = ("split", "acme.csv", f"{bucket.uri}in/", "--date", "d", "--chunk-size", "4MiB")
    both = [splitjoin_s3.begin(*command) for _ in range(2)]
    said = [end(process) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    whole = undisturbed(
        splitjoin_s3, (*command[:2], f"{bucket.uri}whole/", *command[3:]), lambda: stored(bucket, "whole/")
    )
    assert stored(bucket, "in/") == whole.left
    assert bucket.open_uploads() == []


def test_two_contents_race_for_one_name(splitjoin_s3: Splitjoin, bucket: Bucket) -> None:
    """Two exports under one name at once: exactly one gets it, the other is exit 11, and nothing is mixed."""
    for number in (1, 2):
        (splitjoin_s3.directory / f"{number}.csv").write_bytes(bulk(8 * MIB, seed=number))
    options = ("--client", "acme", "--date", "d", "--chunk-size", "1MiB")
    both = [splitjoin_s3.begin("split", f"{n}.csv", bucket.uri, *options) for n in (1, 2)]
    said = [end(process) for process in both]
    assert sorted(process.returncode for process in both) == [0, 11], said
    winner = 1 + [process.returncode for process in both].index(0)
    assert splitjoin_s3.json("verify", bucket.uri, "--source", f"{winner}.csv")["ok"] is True
