"""The installed command on a Lambda that throttles, fails and loses answers, and killed again and again."""

from __future__ import annotations

import random
import signal
import threading
import time
import zipfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.deploy.stack.split import HANDLER
from tests.e2e.command import Splitjoin
from tests.e2e.csvs import bulk
from tests.e2e.kills import stored
from tests.servers.lambda_runtime import running_function
from tests.servers.lambda_service import LambdaService, Reply, environments
from tests.servers.proxy import proxied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.proxy import Asked
    from tests.servers.s3 import Bucket

pytestmark = pytest.mark.soak
MIB = 1024 * 1024
OPTIONS = ("--client", "acme", "--date", "d", "--chunk-size", "9MiB")
ENVIRONMENTS, ROUNDS = 3, 8


@pytest.fixture
def splitjoin_s3(tmp_path: Path, bucket: Bucket) -> Splitjoin:
    """The command, with the S3 server that ``bucket`` lies on."""
    return Splitjoin(tmp_path, bucket.env)


@pytest.fixture
def service(tmp_path: Path, bucket: Bucket, split_zip: Path) -> Iterator[LambdaService]:
    """Lambda, with so many environments of the split function."""
    with zipfile.ZipFile(split_zip) as archive:
        archive.extractall(tmp_path / "task")
    with ExitStack() as stack:
        logs = [tmp_path / f"{number}.log" for number in range(ENVIRONMENTS)]
        invoke = environments(
            [stack.enter_context(running_function(tmp_path / "task", HANDLER, bucket.env, log)) for log in logs]
        )
        yield stack.enter_context(LambdaService(invoke).serving())


@pytest.fixture
def wanted(splitjoin_s3: Splitjoin, bucket: Bucket) -> dict[str, object]:
    """What threads store of an export of 60 MiB, which is on S3."""
    bucket.client().put_object(Bucket=bucket.name, Key="acme.csv", Body=bulk(60 * MIB))
    splitjoin_s3.ok("split", f"{bucket.uri}acme.csv", f"{bucket.uri}threads/", *OPTIONS)
    return stored(bucket, "threads/")


def command(bucket: Bucket, prefix: str, engine: str = "lambda:splits") -> tuple[str, ...]:
    """One that splits the export."""
    return ("split", f"{bucket.uri}acme.csv", f"{bucket.uri}{prefix}", *OPTIONS, "--engine", engine, "--jobs", "6")


def unreliable(invoke: Callable[[dict[str, Any]], Reply]) -> Callable[[dict[str, Any]], Reply]:
    """A Lambda that refuses a third, and of the others fails some whose unit goes on all the same."""
    killed = Reply.failure("Runtime.ExitError", "Error: Runtime exited with error: signal: killed")
    away, throttled = Reply.refusal("ServiceException", 500), Reply.refusal("TooManyRequestsException", 429)

    def answer(event: dict[str, Any]) -> Reply:
        drawn = random.random()
        if drawn < 1 / 3:
            return throttled
        if drawn < 1 / 2:
            threading.Thread(target=invoke, args=(event,), daemon=True).start()
            return away if drawn < 2 / 5 else killed
        return invoke(event)

    return answer


def test_a_lambda_that_throttles_fails_and_answers_twice_changes_nothing(
    splitjoin_s3: Splitjoin, bucket: Bucket, service: LambdaService, wanted: dict[str, object]
) -> None:
    """The same objects, and no open upload; where four tries of a unit failed, the same command ends it."""
    there, reliable = splitjoin_s3.within(**service.env), service.invoke
    service.invoke = unreliable(reliable)
    for number in range(ROUNDS):
        for _ in range(5):
            ran = there(*command(bucket, f"{number}/"))
            assert ran.code in (0, 1, 3), ran
            if ran.code == 0:
                break
        else:
            pytest.fail(f"it never ended: {ran}")
        assert stored(bucket, f"{number}/") == wanted
        assert bucket.open_uploads() == []


def test_a_command_killed_again_and_again_ends_the_same_on_any_engine(
    splitjoin_s3: Splitjoin, bucket: Bucket, service: LambdaService, wanted: dict[str, object]
) -> None:
    """Killed, or interrupted, on one engine; resumed on another."""
    there = splitjoin_s3.within(**service.env)
    for number in range(ROUNDS):
        for attempt in range(3):
            engine = "lambda:splits" if (number + attempt) % 2 else "threads"
            process = there.begin(*command(bucket, f"{number}/", engine))
            time.sleep(random.uniform(1, 8))
            process.send_signal(random.choice([signal.SIGKILL, signal.SIGINT]))
            _, err = process.communicate(timeout=120)
            early = -signal.SIGINT  # before the command heeds it
            assert process.returncode in (0, 130, -signal.SIGKILL, early), err
        there.ok(*command(bucket, f"{number}/", "lambda:splits" if number % 2 else "threads"))
        assert stored(bucket, f"{number}/") == wanted
        assert bucket.open_uploads() == []


def test_an_interrupt_does_not_wait_for_invocations(
    splitjoin_s3: Splitjoin, bucket: Bucket, service: LambdaService, wanted: dict[str, object]
) -> None:
    """However long they take; and what they store late is kept by the command that resumes."""
    there, reliable = splitjoin_s3.within(**service.env), service.invoke
    stuck, released = threading.Event(), threading.Event()

    def slow(event: dict[str, Any]) -> Reply:
        if event.get("splitjoin") == "unit":
            stuck.set()
            released.wait(120)
        return reliable(event)

    service.invoke = slow
    process = there.begin(*command(bucket, "lambda/"))
    assert stuck.wait(60)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=100)
    assert process.returncode == 130, err
    assert time.monotonic() - began < 60
    released.set()
    service.invoke = reliable
    there.ok(*command(bucket, "lambda/"))
    assert stored(bucket, "lambda/") == wanted


def test_a_split_killed_inside_a_unit_of_several_chunks_is_resumed_on_threads(
    tmp_path: Path, splitjoin_s3: Splitjoin, bucket: Bucket, whole_split_zip: Path
) -> None:
    """What the function had stored is skipped; what it stores when the split is long done changes nothing."""
    bucket.client().put_object(Bucket=bucket.name, Key="acme.csv", Body=bulk(60 * MIB))
    small = [*(option for option in OPTIONS if option != "9MiB"), "1MiB"]
    source = ("split", f"{bucket.uri}acme.csv")
    total = splitjoin_s3.json(*source, f"{bucket.uri}small/", *small)["total_parts"]
    fourth, met, released = f"lambda/acme_d-04-{total}.csv", threading.Event(), threading.Event()
    with zipfile.ZipFile(whole_split_zip) as archive:
        archive.extractall(tmp_path / "task")
    with ExitStack() as stack:
        stack.callback(released.set)
        proxy = stack.enter_context(proxied(bucket.endpoint_url))

        def hold(asked: Asked) -> None:
            if asked.method == "PUT" and asked.key == fourth:
                met.set()
                released.wait(120)

        proxy.refuse = hold
        env = {**bucket.env, "AWS_ENDPOINT_URL_S3": proxy.url}
        function = stack.enter_context(running_function(tmp_path / "task", HANDLER, env, tmp_path / "log"))
        service = stack.enter_context(LambdaService(environments([function])).serving())
        there = splitjoin_s3.within(**service.env)
        options = ("--engine", "lambda:splits", "--jobs", "2")
        process = there.begin(*source, f"{bucket.uri}lambda/", *small, *options)
        assert met.wait(100)
        process.kill()
        process.communicate(timeout=60)
        before = [key for key in bucket.keys("lambda/") if key.endswith(".csv")]
        assert before[:3] == [f"lambda/acme_d-0{number}-{total}.csv" for number in (1, 2, 3)]
        assert fourth not in before
        done = splitjoin_s3.json(*source, f"{bucket.uri}lambda/", *small)
        assert (done["uploaded"], done["skipped"], done["failed"]) == (total - len(before), len(before), 0)
        assert stored(bucket, "lambda/") == stored(bucket, "small/")
        released.set()
        while '"outcome": "stored"' not in function.log.read_text():
            time.sleep(0.1)
        assert stored(bucket, "lambda/") == stored(bucket, "small/")
    assert bucket.open_uploads() == []
