"""Checks every split of a place, several at once."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import StoppedError
from splitjoin_cli.splitting.stored.listing import list_splits
from splitjoin_cli.splitting.stored.verify import VerifyReport, verify
from splitjoin_cli.splitting.together import Together
from splitjoin_cli.stores.sources.stoppable import StoppableSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.stored.chunks import OpenChunk
    from splitjoin_cli.splitting.stored.judge import Elsewhere
    from splitjoin_cli.splitting.stored.listing import ListedSplit
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.sources.base import Source
    from splitjoin_cli.stores.sources.s3_objects import S3Objects
    from splitjoin_cli.stores.sources.small_files import SmallFiles

__all__ = ["verify_all"]


def verify_all(
    sink: Sink,
    open_chunk: OpenChunk,
    *,
    jobs: int,
    finished: bool,
    observer: Observer,
    files: SmallFiles | None = None,
    objects: S3Objects | None = None,
    elsewhere: Elsewhere | None = None,
) -> list[VerifyReport]:
    """A report of each split that has an object directly in the place, by name.

    One that is under way is not read, and is a problem only with ``finished``. At most ``jobs`` chunks are read at the
    same time, of all splits together. Raises StoreError.
    """
    stop = threading.Event()

    def check() -> None:
        if stop.is_set():
            raise StoppedError(signal.SIGINT)

    def stoppable(name: str) -> Source:
        check()
        return StoppableSource(open_chunk(name), check)

    with ThreadPoolExecutor(jobs, "verify") as executor:
        splits = list_splits(sink, executor=executor, jobs=jobs, observer=observer)
        if not splits:
            return []
        look = partial(
            verify,
            sink,
            stoppable,
            executor=executor,
            jobs=jobs,
            files=files and files.stoppable(check),
            objects=objects and objects.stoppable(check),
            elsewhere=elsewhere and elsewhere.stoppable(check),
        )
        together = Together(observer, "verifying", "split", [split.size_bytes for split in splits], 1)
        one = partial(_one, look, together, finished)
        with ThreadPoolExecutor(min(jobs, len(splits)), "split") as several:
            reports = [several.submit(one, split) for split in splits]
            return _results(reports, stop)


def _one(
    look: Callable[..., VerifyReport],
    together: Together,
    finished: bool,  # noqa: FBT001 -- given by partial
    split: ListedSplit,
) -> VerifyReport:
    """The report of a split, which the others' progress hears of."""
    heard, report = together.member(split.file_name, split.size_bytes), None
    try:
        if split.state == "under way" and not finished:
            report = VerifyReport(split.file_name, (), under_way=True)
        else:
            report = look(file_name=split.file_name, observer=heard, alone=split.alone)
        return report
    finally:
        heard.end(failed=report is None or not report.ok)


def _results(reports: list[Future[VerifyReport]], stop: threading.Event) -> list[VerifyReport]:
    """All of them; after an error, or a signal, the others end at their next read."""
    try:
        return [report.result() for report in reports]
    except BaseException:
        stop.set()
        for report in reports:
            report.cancel()
        wait(reports)
        raise
