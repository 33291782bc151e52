"""A Dask cluster of one environment's own, and how much CPU time its processes took so far."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.processes import running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Cluster", "cluster"]

WORKERS = 2
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cluster:
    """``pids``: of scheduler and workers."""

    scheduler_file: Path
    pids: tuple[int, ...]

    @property
    def cpu_seconds(self) -> float:
        """Of all of them, since they began."""
        return sum(_cpu_seconds(pid) for pid in self.pids)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS  # utime and stime: proc(5)


@contextmanager
def cluster(programs: Path, directory: Path, env: Mapping[str, str]) -> Iterator[Cluster]:
    """A scheduler and two workers of one thread, from the environment whose ``bin`` is ``programs``.

    Raises LookupError where it has no Dask.
    """
    dask, file = programs / "dask", directory / "scheduler.json"
    if not dask.exists():
        raise LookupError(f"{dask} is not installed")
    directory.mkdir()
    quiet = {**env, "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "false"}
    command = [str(dask), "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    command += ["--scheduler-file", str(file)]
    worker = [str(dask), "worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    with running(command, directory=directory, ready=file.exists, environment=quiet) as scheduler:
        workers: list[subprocess.Popen[bytes]] = []
        try:
            with (directory / "workers.log").open("ab") as log:
                for _ in range(WORKERS):
                    words = [*worker, "--local-directory", str(directory)]
                    workers.append(subprocess.Popen(words, stdout=log, stderr=log, env=quiet))
            _wait_for(str(programs / "python"), file, quiet)
            yield Cluster(file, (scheduler.pid, *(one.pid for one in workers)))
        finally:
            for one in workers:
                one.kill()
                one.wait()


def _wait_for(python: str, file: Path, env: Mapping[str, str]) -> None:
    code = "import sys, distributed; distributed.Client(scheduler_file=sys.argv[1]).wait_for_workers(int(sys.argv[2]))"
    subprocess.run([python, "-c", code, str(file), str(WORKERS)], env=dict(env), check=True, capture_output=True)
