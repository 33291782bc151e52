"""Sends chunks through again: those not counted yet, as the notification that S3 itself would send for each.

A chunk that is delivered again is never loaded or counted twice, so that sending too much does no harm.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core import names
from splitjoin_cli.core.aws.s3 import parse_uri
from splitjoin_cli.core.errors import SplitjoinError, UsageError
from splitjoin_cli.core.names import MAX_TOTAL
from splitjoin_cli.core.parallel import in_order
from splitjoin_cli.core.ranges import NumberRanges, as_ranges, plain
from splitjoin_cli.join.events import notification
from splitjoin_cli.join.operate.senders import SENDS_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Executor

    from splitjoin_cli.core.ranges import Ranges
    from splitjoin_cli.join.operate.senders import Sender
    from splitjoin_cli.stores.trackers.base import Tracker
    from splitjoin_cli.stores.trackers.jobs import Failure, JobProgress

__all__ = [
    "RetryReport",
    "SendFailure",
    "note_retried",
    "retry_chunks",
    "wanted",
]


@dataclass(frozen=True, slots=True)
class SendFailure:
    """A chunk whose notification was not taken, and why."""

    number: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryReport:
    """What was sent; with ``dry_run`` what would be. All numbers ascend.

    ``to``: None where a dry run named none. ``counted``: chosen by hand, and counted already: not sent.
    ``never_uploaded``: not stored at ``destination``: only ``split`` can help.
    """

    progress: JobProgress
    destination: str
    to: str | None
    dry_run: bool
    sent: Sequence[int]
    counted: Sequence[int]
    never_uploaded: Sequence[int]
    failed: Sequence[SendFailure]

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return plain(self.document())

    def document(self) -> dict[str, Any]:
        """The same, with ranges of numbers, which may be millions, as they are kept: to be written piece by piece."""
        progress = self.progress
        return {
            "file_name": progress.file_name,
            "run_id": progress.run_id,
            "total_parts": progress.total_parts,
            "processed_parts": progress.processed_parts,
            "destination": self.destination,
            "to": self.to,
            "dry_run": self.dry_run,
            "sent": as_ranges(self.sent),
            "counted": list(self.counted),
            "never_uploaded": as_ranges(self.never_uploaded),
            "failed": [{"number": one.number, "error": one.error} for one in self.failed],
            "join": None,
        }


@dataclass(frozen=True, slots=True)
class ChosenChunks:
    """Chunks to send: a flag for each number from 1 (a million of them are a megabyte)."""

    flags: bytearray
    counted: list[int]


def wanted(progress: JobProgress, chosen: Ranges | None, *, even_counted: bool = False) -> ChosenChunks:
    """Which chunks are to be sent: those not counted; of ``chosen``, where that is given, alone.

    ``even_counted``: of ``chosen`` the counted ones as well, for a database that has lost them. Raises UsageError for
    numbers that the job does not have, SplitjoinError where the tracker cannot tell what is missing.
    """
    total = progress.total_parts
    if total > MAX_TOTAL:
        raise SplitjoinError(
            f"{progress.file_name} has {total:,} chunks, as the tracker has it; a split has at most {MAX_TOTAL:,}",
            hint="its first event came from an object whose name is wrong; remove the job from the tracker",
        )
    if chosen is None and progress.missing is None:
        raise SplitjoinError(
            f"{progress.file_name}: which chunks are missing is unknown: {progress.unnumbered:,} were counted without"
            " their numbers, by the published counter",
            hint="name them: --chunks 3,7-9; a chunk that is counted already is neither loaded nor counted again",
        )
    missing = bytearray(total + 1)
    everything = NumberRanges.without((), total)
    for first, last in (everything if progress.missing is None else as_ranges(progress.missing)).ranges():
        missing[first : last + 1] = b"\1" * (last + 1 - first)
    if chosen is None:
        return ChosenChunks(missing, [])
    flags, counted = bytearray(total + 1), []
    for first, last in chosen:
        if last > total:
            raise UsageError(f"{progress.file_name} has no chunk {last}", hint=f"it has chunks 1 to {total}")
        for number in range(first, last + 1):
            if missing[number] or even_counted:
                flags[number] = 1
            else:
                counted.append(number)
    return ChosenChunks(flags, sorted(set(counted)))


def retry_chunks(
    progress: JobProgress, want: ChosenChunks, stored: Iterable[str], destination: str, sender: Sender | None, *,
    executor: Executor, dry_run: bool,
) -> RetryReport:  # fmt: skip
    """Send a notification for each wanted chunk that is stored.

    ``stored``: the names of what lies at ``destination`` (``s3://bucket/prefix/``), as they come; of two names of one
    chunk the first counts. ``sender``: None only for a dry run. Memory grows by a byte for each chunk of the job, and
    with what is reported. Raises what ``sender`` raises: what was sent until then is on its way.
    """
    left = bytearray(want.flags)
    sent = bytearray(len(left))
    failed: list[SendFailure] = []
    found = _found(progress, left, stored, destination)
    if dry_run or sender is None:
        for number, _ in found:
            sent[number] = 1
    else:
        for numbers, results in _send_all(found, sender, executor):
            for number, error in zip(numbers, results, strict=True):
                if error is None:
                    sent[number] = 1
                else:
                    failed.append(SendFailure(number, error))
    return RetryReport(
        progress=progress,
        destination=destination,
        to=None if sender is None else sender.uri,
        dry_run=dry_run,
        sent=NumberRanges.of_flags(sent),
        counted=want.counted,
        never_uploaded=NumberRanges.of_flags(left),
        failed=sorted(failed, key=lambda one: one.number),
    )


def note_retried(report: RetryReport, tracker: Tracker, executor: Executor) -> SplitjoinError | None:
    """Tell ``tracker`` which failures are on their way again; the first error that kept it from being told all.

    Nothing depends on it but what ``status`` says until the chunks are counted.
    """
    run, sent = report.progress.run, as_ranges(report.sent)
    if run is None or report.dry_run:
        return None
    failures = [failure for failure in report.progress.failures if failure.final and failure.number in sent]

    def note(failure: Failure) -> SplitjoinError | None:
        try:
            tracker.mark_retried(run, failure)
        except SplitjoinError as exc:
            return exc
        return None

    return next((error for error in executor.map(note, failures) if error is not None), None)


def _found(
    progress: JobProgress, left: bytearray, stored: Iterable[str], destination: str
) -> Iterator[tuple[int, str]]:
    """Number and notification of each wanted chunk, whose flag is taken away as it is found."""
    place = parse_uri(destination)
    for stored_name in stored:
        name = names.parse(stored_name)
        if name is None or (name.file_name, name.total) != (progress.file_name, progress.total_parts):
            continue
        if left[name.number]:
            left[name.number] = 0
            yield name.number, json.dumps(notification(place.bucket, place.key + stored_name))


def _send_all(
    found: Iterator[tuple[int, str]], sender: Sender, executor: Executor
) -> Iterator[tuple[list[int], list[str | None]]]:
    """Batches in parallel, twice SENDS_AT_ONCE ahead at most."""
    batches = iter(lambda: list(islice(found, sender.batch)), [])

    def send(batch: list[tuple[int, str]]) -> tuple[list[int], list[str | None]]:
        return [number for number, _ in batch], sender.send([body for _, body in batch])

    return in_order(executor, send, batches, 2 * SENDS_AT_ONCE)
