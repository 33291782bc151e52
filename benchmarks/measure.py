"""Runs one command and says what it took: wall time, CPU time, peak memory, of it and of all its children."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ERROR_TEXT_BYTES = 2000


class CommandFailedError(Exception):
    """A measured command did not exit 0; a figure of it would mean nothing."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one run took. ``peak_bytes`` is that of its largest process, not below this process's own (see ``run``)."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def run(command: Sequence[str], *, env: Mapping[str, str], log: Path) -> Usage:
    """Run ``command`` to its end; its output goes to the file ``log``. Raises CommandFailedError with the log's end.

    CPU and memory are wait4's, which adds up the children that the command itself waited for. Linux carries the
    peak of the process that forks over to the one it starts, so this process stays small: data is made by another.
    """
    with log.open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, env=dict(env), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)  # it was waited for here, not by Popen
    if process.returncode != 0:
        said = log.read_bytes()[-ERROR_TEXT_BYTES:].decode(errors="replace")
        raise CommandFailedError(f"{' '.join(command)} ended with {process.returncode}:\n{said}")
    return Usage(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def run_apart(command: Sequence[str], *, env: Mapping[str, str], log: Path) -> Usage:
    """As ``run``, by a small process of its own: for a caller that may have been large itself."""
    own = [sys.executable, str(Path(__file__)), str(log), *command]
    done = subprocess.run(own, env=dict(env), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CommandFailedError(done.stderr)
    return Usage(**json.loads(done.stdout))


def middle(usages: Sequence[Usage]) -> Usage:
    """The median of each figure by itself."""
    return Usage(
        median(usage.seconds for usage in usages),
        median(usage.cpu_seconds for usage in usages),
        int(median(usage.peak_bytes for usage in usages)),
    )


if __name__ == "__main__":
    print(json.dumps(asdict(run(sys.argv[2:], env=os.environ, log=Path(sys.argv[1])))))
