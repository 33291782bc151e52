"""The installed command with ``--engine lambda:``: the split function's zip, run by Lambda's own runtime client."""

from __future__ import annotations

import zipfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from splitjoin_cli.deploy.stack.split import HANDLER
from tests.e2e.csvs import bulk
from tests.e2e.kills import stored
from tests.servers.lambda_runtime import running_function
from tests.servers.lambda_service import LambdaService, Reply, environments

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.command import Splitjoin
    from tests.servers.s3 import Bucket

MIB = 1024 * 1024
OPTIONS = ("--client", "acme", "--date", "d", "--chunk-size", "9MiB", "--compress", "gzip")


def test_s3_to_s3_has_the_same_objects_as_on_threads(
    splitjoin_s3: Splitjoin, bucket: Bucket, split_zip: Path, tmp_path: Path
) -> None:
    """Manifest included; no key travels; and the same command on threads then has nothing to do."""
    with zipfile.ZipFile(split_zip) as archive:
        archive.extractall(tmp_path / "task")
    bucket.client().put_object(Bucket=bucket.name, Key="acme.csv", Body=bulk(12 * MIB))
    command = ("split", f"{bucket.uri}acme.csv")
    splitjoin_s3.ok(*command, f"{bucket.uri}threads/", *OPTIONS)
    with ExitStack() as stack:
        logs = [tmp_path / f"{number}.log" for number in range(2)]
        invoke = environments(
            [stack.enter_context(running_function(tmp_path / "task", HANDLER, bucket.env, log)) for log in logs]
        )
        events: list[str] = []

        def noted(event: dict[str, Any]) -> Reply:
            events.append(str(event))
            return invoke(event)

        service = stack.enter_context(LambdaService(noted).serving())
        ran = splitjoin_s3.within(**service.env).ok(
            *command, f"{bucket.uri}lambda/", *OPTIONS, "--engine=lambda:splits"
        )
    assert stored(bucket, "lambda/") == stored(bucket, "threads/")
    assert "by workers" not in ran.stderr
    assert len(events) == 1 + 2 + 2
    assert not any(secret in "".join(events) for secret in (bucket.server.access_key, bucket.server.secret_key))
    lines = "".join(log.read_text() for log in logs).splitlines()
    assert sum('"outcome": "stored"' in line for line in lines) == 2
    assert sum('"outcome": "scanned"' in line for line in lines) == 2
    again = splitjoin_s3.json(*command, f"{bucket.uri}lambda/", *OPTIONS)
    assert (again["uploaded"], again["skipped"]) == (0, 2)
