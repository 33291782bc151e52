"""A Dask cluster each of whose workers reaches the store through a proxy of its own: so who asks for what is known."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.servers.dask import start
from tests.servers.proxy import proxied

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.dask import DaskCluster
    from tests.servers.proxy import Asked
    from tests.servers.s3 import Bucket

    Worker = subprocess.Popen[bytes]

SECONDS = 120.0
"""What a busy machine may take until a request comes."""


def kind_of(asked: Asked) -> str:
    """What a request is, in a word."""
    if asked.method == "PUT" and "partNumber" in asked.query:
        return "copy" if asked.copies else "part"
    if asked.method == "POST":
        return "create" if "uploads" in asked.query else "complete"
    return asked.method.lower()


@dataclass(slots=True)
class Watched:
    """``cluster``: with workers that were added here."""

    cluster: DaskCluster
    bucket: Bucket
    stack: ExitStack
    met: threading.Event = field(default_factory=threading.Event)
    at: float = 0.0
    """When the last one was met, by time.monotonic()."""
    _awaited: tuple[str, str, Callable[[Worker], object]] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add_worker(self) -> Worker:
        """One more, with its proxy."""
        proxy = self.stack.enter_context(proxied(self.bucket.endpoint_url))
        worker = self.cluster.add_worker(AWS_ENDPOINT_URL_S3=proxy.url)
        proxy.refuse = lambda asked: self._asked(worker, asked)
        return worker

    def when(self, kind: str, key: str, act: Callable[[Worker], object]) -> threading.Event:
        """``act`` on the first worker that makes such a request, before the store hears it; the event says that."""
        self.met = threading.Event()
        self._awaited = kind, key, act
        return self.met

    def wait(self) -> None:
        """Until it was met."""
        assert self.met.wait(SECONDS)

    def _asked(self, worker: Worker, asked: Asked) -> None:
        with self._lock:
            if self._awaited is None or (kind_of(asked), asked.key) != self._awaited[:2]:
                return
            act, self._awaited = self._awaited[2], None
            act(worker)
            self.at = time.monotonic()
            self.met.set()


def kill(process: subprocess.Popen[bytes]) -> None:
    """And wait until it is dead."""
    process.kill()
    process.wait()


def settled(bucket: Bucket, prefix: str) -> list[str]:
    """The chunks under a prefix, once none comes any more: what a dead process had sent may still arrive."""
    found: list[str] | None = None
    while found != (now := [key for key in bucket.keys(prefix) if key.endswith(".csv")]):
        found = now
        time.sleep(2)
    return now


@contextmanager
def watched(directory: Path, bucket: Bucket, workers: int = 2) -> Iterator[Watched]:
    """A scheduler, and so many workers."""
    directory.mkdir()
    with ExitStack() as stack:
        one = Watched(start(stack, directory, bucket.env), bucket, stack)
        for _ in range(workers):
            one.add_worker()
        yield one
