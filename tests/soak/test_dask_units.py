"""Workers, commands and schedulers that die inside a unit, where it hurts most: the objects are those of threads."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

import splitjoin_cli as splitjoin
from splitjoin_cli.api import one_split
from splitjoin_cli.core.model import ChunkState
from splitjoin_cli.splitting.engines.in_process import InProcess
from splitjoin_cli.splitting.engines.place import Place
from tests.e2e.command import Splitjoin
from tests.e2e.csvs import bulk
from tests.e2e.kills import end, kept, stored
from tests.servers.proxy import proxied
from tests.soak.watched import kill, settled, watched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.s3 import Bucket
    from tests.soak.watched import Watched

pytestmark = pytest.mark.soak
MIB = 1024 * 1024
COPIED, SENT = "12MiB", "1MiB"
LEAST_SECONDS, MOST_SECONDS = 5, 60
"""A unit whose worker hangs has a backup after so long, and is done well before its deadline of two minutes."""


@pytest.fixture
def splitjoin_s3(tmp_path: Path, bucket: Bucket) -> Splitjoin:
    """The command, with the S3 server that ``bucket`` lies on."""
    return Splitjoin(tmp_path, bucket.env)


@pytest.fixture
def workers(tmp_path: Path, bucket: Bucket) -> Iterator[Watched]:
    """Two of this test's own."""
    with watched(tmp_path / "dask", bucket) as one:
        yield one


@pytest.fixture(autouse=True)
def _export(bucket: Bucket) -> None:
    bucket.client().put_object(Bucket=bucket.name, Key="acme.csv", Body=bulk(60 * MIB))


def command(bucket: Bucket, prefix: str, size: str, engine: str = "threads") -> tuple[str, ...]:
    """One that splits the export."""
    options = ("--client", "acme", "--date", "d", "--chunk-size", size, "--engine", engine)
    return ("split", f"{bucket.uri}acme.csv", f"{bucket.uri}{prefix}", *options)


def split_on_threads(splitjoin: Splitjoin, bucket: Bucket, size: str) -> tuple[dict[str, object], int]:
    """What is stored then, and how many chunks that is."""
    total = splitjoin.json(*command(bucket, "threads/", size))["total_parts"]
    return stored(bucket, "threads/"), total


def name_of(number: int, total: int) -> str:
    """Of a chunk."""
    return f"acme_d-{number:0{len(str(total))}d}-{total}.csv"


@pytest.mark.parametrize(
    ("size", "request_"), [(SENT, "put"), (COPIED, "part"), (COPIED, "copy"), (COPIED, "complete")]
)
def test_the_worker_of_the_last_unit_is_killed(
    splitjoin_s3: Splitjoin, bucket: Bucket, workers: Watched, size: str, request_: str
) -> None:
    """At once another one has it; the upload that was open is not."""
    wanted, total = split_on_threads(splitjoin_s3, bucket, size)
    workers.when(request_, f"dask/{name_of(total, total)}", kill)
    process = splitjoin_s3.begin(*command(bucket, "dask/", size, workers.cluster.engine), "-v")
    _, err = end(process)
    assert process.returncode == 0, err
    assert workers.met.is_set()
    assert time.monotonic() - workers.at < MOST_SECONDS
    assert stored(bucket, "dask/") == wanted
    assert bucket.open_uploads() == []
    assert (b"removed 1 leftovers" in err) == (size == COPIED)


@pytest.mark.parametrize(("size", "request_"), [(SENT, "put"), (COPIED, "copy")])
def test_the_worker_of_the_last_unit_hangs(
    splitjoin_s3: Splitjoin, bucket: Bucket, workers: Watched, size: str, request_: str
) -> None:
    """Another one has it soon, which the curious hear; when the first wakes up it changes nothing."""
    wanted, total = split_on_threads(splitjoin_s3, bucket, size)
    name = name_of(total, total)
    workers.when(request_, f"dask/{name}", lambda worker: worker.send_signal(signal.SIGSTOP))
    process = splitjoin_s3.begin(*command(bucket, "dask/", size, workers.cluster.engine), "-v")
    _, err = end(process)
    assert process.returncode == 0, err
    assert LEAST_SECONDS < time.monotonic() - workers.at < MOST_SECONDS
    assert f"no worker answered to store chunk {total} for ".encode() in err
    assert b" s: it is sent once more" in err
    assert stored(bucket, "dask/") == wanted
    for worker in workers.cluster.workers:
        worker.send_signal(signal.SIGCONT)
    time.sleep(8)  # what it had begun it goes on with
    assert stored(bucket, "dask/") == wanted
    assert bucket.open_uploads() == []


def test_a_worker_is_killed_inside_a_unit_of_several_chunks(
    splitjoin_s3: Splitjoin, bucket: Bucket, workers: Watched
) -> None:
    """Another one has the unit from its first chunk on, and finds what is stored; each chunk counts once."""
    wanted, total = split_on_threads(splitjoin_s3, bucket, SENT)
    workers.when("put", f"dask/{name_of(4, total)}", kill)
    process = splitjoin_s3.begin(*command(bucket, "dask/", SENT, workers.cluster.engine), "--json")
    out, err = end(process)
    assert process.returncode == 0, err
    assert workers.met.is_set()
    done = json.loads(out)
    assert (done["uploaded"], done["skipped"], done["failed"]) == (total, 0, 0)
    assert stored(bucket, "dask/") == wanted


@pytest.mark.parametrize(
    ("dies", "resumed_on"),
    [
        ("command", "threads"),
        ("command and workers", "threads"),
        ("command and workers", "dask"),
        ("command and workers", "in-process"),
        ("scheduler", "dask"),
    ],
)
def test_a_split_that_dies_inside_a_unit_is_resumed_on_any_engine(
    tmp_path: Path,
    splitjoin_s3: Splitjoin,
    s3_env: Bucket,
    workers: Watched,
    monkeypatch: pytest.MonkeyPatch,
    dies: str,
    resumed_on: str,
) -> None:
    """Some chunks of units are stored, others are not: what stands is skipped, the rest is sent, and all is equal.

    Workers that live on go on to the end of their units.
    """
    bucket, running = s3_env, list[subprocess.Popen[bytes]]()
    wanted, total = split_on_threads(splitjoin_s3, bucket, SENT)
    scheduler = workers.cluster.scheduler
    assert scheduler is not None

    def die(_: subprocess.Popen[bytes]) -> None:
        with_workers = [*running, *workers.cluster.workers]
        for process in {"command": running, "scheduler": [scheduler]}.get(dies, with_workers):
            kill(process)

    workers.when("put", f"dask/{name_of(4, total)}", die)
    running.append(splitjoin_s3.begin(*command(bucket, "dask/", SENT, workers.cluster.engine)))
    workers.wait()
    _, err = end(running[0])
    if dies == "scheduler":
        assert running[0].returncode == 1
        assert f"the Dask scheduler {workers.cluster.address} is gone".encode() in err
        assert b"run the same command again" in err
    else:
        assert running[0].returncode == -signal.SIGKILL
    before = settled(bucket, "dask/")
    assert 3 <= len(before) < total
    with ExitStack() as stack:
        if resumed_on == "in-process":
            monkeypatch.setattr(one_split, "open_engine", lambda *_: stack.enter_context(closing(InProcess(Place()))))
        another = stack.enter_context(watched(tmp_path / "another", bucket)) if resumed_on == "dask" else None
        engine = "threads" if another is None else another.cluster.engine
        source, destination = f"{bucket.uri}acme.csv", f"{bucket.uri}dask/"
        done = splitjoin.split(source, destination, client="acme", date="d", chunk_size=SENT, engine=engine)
    counts = [done.progress.count(state) for state in (ChunkState.UPLOADED, ChunkState.SKIPPED, ChunkState.FAILED)]
    assert counts == [total - len(before), len(before), 0]
    assert stored(bucket, "dask/") == wanted
    assert bucket.open_uploads() == []


def test_a_killed_worker_leaves_nothing_in_a_directory(tmp_path: Path, splitjoin_s3: Splitjoin, bucket: Bucket) -> None:
    """The hidden file that it wrote is removed at the end."""
    source, options = f"{bucket.uri}acme.csv", command(bucket, "", COPIED)[3:-2]
    splitjoin_s3.ok("split", source, "threads", *options)
    with watched(tmp_path / "dask", bucket, 0) as workers, proxied(bucket.endpoint_url) as slow:
        slow.link_bytes_per_second = 8.0 * MIB
        for _ in range(2):
            workers.cluster.add_worker(AWS_ENDPOINT_URL_S3=slow.url)
        process = splitjoin_s3.begin("split", source, "out", *options, "--engine", workers.cluster.engine, "-v")
        while process.poll() is None and len(list((tmp_path / "out").glob("acme_d-*"))) < 2:
            time.sleep(0.05)
        kill(workers.cluster.workers[0])
        _, err = end(process)
    assert process.returncode == 0, err
    assert kept(tmp_path / "out") == kept(tmp_path / "threads")
