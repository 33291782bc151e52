"""A Dask scheduler and workers, each a process of its own on the loopback interface, plain or with TLS."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.processes import POLL_SECONDS, START_SECONDS, ServerDiedError, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.servers.s3 import S3Server

DASK = Path(sys.executable).with_name("dask")
QUIET = {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "false"}


@dataclass(slots=True)
class DaskCluster:
    """A running ``scheduler``. ``options`` are its own and its workers', such as TLS files."""

    directory: Path
    env: Mapping[str, str]
    options: tuple[str, ...] = ()
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def scheduler_file(self) -> Path:
        """What the scheduler writes when it is ready."""
        return self.directory / "scheduler.json"

    @property
    def address(self) -> str:
        """The scheduler's."""
        return str(json.loads(self.scheduler_file.read_text())["address"])

    @property
    def engine(self) -> str:
        """What ``--engine`` takes."""
        return f"dask:{self.address}"

    def add_worker(self, *options: str, **env: str) -> subprocess.Popen[bytes]:
        """Start a worker of one thread, without a nanny (unless ``--nanny``): it stays dead when it is killed."""
        command = [str(DASK), "worker", "--scheduler-file", str(self.scheduler_file), "--nthreads", "1"]
        command += [] if "--nanny" in options else ["--no-nanny"]
        command += ["--no-dashboard", "--local-directory", str(self.directory), *self.options, *options]
        with (self.directory / "workers.log").open("ab") as out:
            worker = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **self.env, **env})
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        """Kill the workers."""
        for worker in self.workers:
            worker.send_signal(signal.SIGCONT)
            worker.kill()
        for worker in self.workers:
            worker.wait()


def start(stack: ExitStack, directory: Path, env: Mapping[str, str], *options: str) -> DaskCluster:
    """A scheduler that ends with ``stack``, and no workers yet."""
    cluster = DaskCluster(directory, {**QUIET, **env}, options)
    command = [str(DASK), "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", *options]
    command += ["--scheduler-file", str(cluster.scheduler_file)]
    ready = cluster.scheduler_file.exists
    environment = {**os.environ, **cluster.env}
    cluster.scheduler = stack.enter_context(running(command, directory=directory, ready=ready, environment=environment))
    stack.callback(cluster.close)
    deadline = time.monotonic() + START_SECONDS
    while not cluster.scheduler_file.read_bytes().endswith(b"}"):
        if time.monotonic() > deadline:
            raise ServerDiedError(cluster.scheduler_file.read_text())
        time.sleep(POLL_SECONDS)
    return cluster


@pytest.fixture(scope="session")
def dask_cluster(tmp_path_factory: pytest.TempPathFactory, s3_server: S3Server) -> Iterator[DaskCluster]:
    """A plain scheduler with two workers, which have the rights to the S3 server."""
    with ExitStack() as stack:
        cluster = start(stack, tmp_path_factory.mktemp("dask"), s3_server.env)
        cluster.add_worker()
        cluster.add_worker()
        yield cluster
