"""Kills a split at random moments, again and again, and compares what the last run leaves with an undisturbed one."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.command import Splitjoin
    from tests.servers.s3 import Bucket

MOST_KILLS = 3
"""Of one split, before it is left to end."""
SOONER = 0.7
"""When a split ended before its first kill, the machine has become faster: the next is killed sooner."""


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What a split leaves, and how long it takes, when nobody disturbs it."""

    left: dict[str, Any]
    seconds: float


def stored(bucket: Bucket, prefix: str) -> dict[str, Any]:
    """All objects under a prefix: the manifest's bytes, and of each chunk size, checksum and metadata."""
    client = bucket.client()
    found: dict[str, Any] = {}
    for key in bucket.keys(prefix):
        name = key.removeprefix(prefix)
        if name.endswith(".json"):
            found[name] = bucket.get(key)
        else:
            head = client.head_object(Bucket=bucket.name, Key=key, ChecksumMode="ENABLED")
            found[name] = (head["ContentLength"], head["ChecksumCRC64NVME"], head["Metadata"])
    return found


def kept(directory: Path) -> dict[str, Any]:
    """All files of a directory, hidden ones too, with their bytes."""
    return {path.name: path.read_bytes() if path.is_file() else None for path in directory.iterdir()}


def undisturbed(splitjoin: Splitjoin, command: tuple[str, ...], look: Callable[[], dict[str, Any]]) -> Undisturbed:
    """Run it to its end."""
    began = time.monotonic()
    splitjoin.ok(*command)
    return Undisturbed(look(), time.monotonic() - began)


def killed_splits(
    splitjoin: Splitjoin, command: Callable[[str], tuple[str, ...]], seconds: float, *, deaths: int, draw: random.Random
) -> Iterator[str]:
    """Splits into one place after another, until so many processes were killed; each place once its split is done.

    ``command`` is that of a place; undisturbed it takes about ``seconds``.
    """
    died = number = 0
    while died < deaths:
        number += 1
        place = f"killed-{number}/"
        now = kill_until_done(splitjoin, command(place), seconds, draw)
        died += now
        seconds *= 1 if now else SOONER
        yield place
    print(f"killed {died} times in {number} splits")  # noqa: T201 -- what a soak is asked for


def kill_until_done(splitjoin: Splitjoin, command: tuple[str, ...], seconds: float, draw: random.Random) -> int:
    """Start it and kill it at a random moment, up to MOST_KILLS times, then let it end. Returns how often it died."""
    died = 0
    for _ in range(draw.randint(1, MOST_KILLS)):
        process = splitjoin.begin(*command)
        time.sleep(draw.uniform(0.1, 1.0) * seconds)
        process.kill()
        end(process)
        died += process.returncode == -signal.SIGKILL
    splitjoin.ok(*command)
    return died


def end(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """Wait for it; what it said."""
    return process.communicate(timeout=120)
