"""Fifty deaths of commands and workers on Dask, and workers short of memory: what is stored stays the same."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.e2e.kills import end, stored
from tests.soak.test_dask import clear, cluster, command, splitjoin_s3, wanted

if TYPE_CHECKING:
    import subprocess

    from tests.e2e.command import Splitjoin
    from tests.servers.dask import DaskCluster
    from tests.servers.s3 import Bucket

__all__ = ["cluster", "splitjoin_s3", "wanted"]

pytestmark = pytest.mark.soak
DEATHS = 50
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
CALM = (0, 1, 3, 130, 143, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT)
"""How a disturbed command may end; by a signal before it heeds one, too."""


class Deaths:
    """What was killed, and how often. ``kill_worker`` lets another one come in its place."""

    def __init__(self, draw: random.Random, cluster: DaskCluster) -> None:
        self.draw, self.cluster, self.counts = draw, cluster, Counter[str]()

    @property
    def total(self) -> int:
        return self.counts.total()

    def kill_worker(self) -> None:
        living = [worker for worker in self.cluster.workers if worker.poll() is None]
        self.draw.choice(living).kill()
        self.counts["worker"] += 1
        self.cluster.add_worker()

    def disturb(self, process: subprocess.Popen[bytes], engine: str) -> None:
        """While it runs: kill a worker, or the command, or both, at random moments."""
        for _ in range(self.draw.randint(1, 3)):
            time.sleep(self.draw.uniform(0.5, 4))
            if process.poll() is not None:
                return
            if engine != "threads" and self.draw.random() < 0.5:
                self.kill_worker()
                continue
            what = self.draw.choice(SIGNALS)
            process.send_signal(what)
            self.counts[f"command on {engine.partition(':')[0]} by {what.name}"] += 1
            return


def test_fifty_deaths_leave_what_an_undisturbed_run_leaves(
    splitjoin_s3: Splitjoin, bucket: Bucket, cluster: DaskCluster, wanted: dict[str, object]
) -> None:
    """Workers and commands, at random moments; resumed on threads and on Dask in turn, until it is done."""
    deaths, splits, seed = Deaths(random.Random(time.time_ns()), cluster), 0, time.time_ns()
    deaths.draw.seed(seed)
    print(f"\nseed {seed}")  # noqa: T201 -- what a soak is asked for
    while deaths.total < DEATHS:
        prefix, code, attempt = f"{splits}/", -1, splits
        while code != 0:
            engine = cluster.engine if attempt % 2 else "threads"
            process = splitjoin_s3.begin(*command(bucket, prefix, engine))
            if attempt - splits < 4:
                deaths.disturb(process, engine)
            _, err = end(process)
            code, attempt = process.returncode, attempt + 1
            assert code in CALM, err.decode()
            assert b"Traceback" not in err
            assert attempt - splits < 12, err.decode()
        assert stored(bucket, prefix) == wanted
        assert bucket.open_uploads() == []
        clear(bucket, prefix)
        splits += 1
    print(f"{splits} splits; killed: {dict(deaths.counts)}")  # noqa: T201 -- the same


@pytest.mark.parametrize("limit", ["90MiB", "130MiB", "160MiB", "200MiB"])
def test_workers_short_of_memory(
    splitjoin_s3: Splitjoin, bucket: Bucket, cluster: DaskCluster, wanted: dict[str, object], limit: str
) -> None:
    """Their nannies kill and restart them: the split is done, or ends soon with what to do, and is resumed."""
    for worker in cluster.workers:
        worker.kill()
    for _ in range(2):
        cluster.add_worker("--nanny", "--memory-limit", limit)
    prefix, began = f"memory-{limit}/", time.monotonic()
    ran = splitjoin_s3(*command(bucket, prefix, cluster.engine))
    said = ran.stderr.strip().splitlines()[-2:]
    print(f"\n{limit}: exit {ran.code} after {time.monotonic() - began:.0f} s: {said}")  # noqa: T201 -- the same
    assert ran.code in (0, 1, 3)
    assert "Traceback" not in ran.stderr
    splitjoin_s3.ok(*command(bucket, prefix, "threads"))
    assert stored(bucket, prefix) == wanted
    clear(bucket, prefix)
