"""What stands in database and tracker: looked at before a simulation and after it, it makes the report."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from splitjoin_cli.errors import NoSuchJobError
from splitjoin_cli.simulate.report import SimulateReport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.loaders.base import Loader
    from splitjoin_cli.simulate.chunks import ChunkSet
    from splitjoin_cli.simulate.tally import CountedContinuation, Tally
    from splitjoin_cli.trackers.base import Tracker

__all__ = ["Standing"]


class Standing:
    """Made before the first delivery, it remembers what was there: rows of others in the table, a finished join."""

    def __init__(self, found: ChunkSet, loader: Loader, tracker: Tracker) -> None:
        """Look. Raises LoadError, StoreError."""
        self._found, self._loader, self._tracker = found, loader, tracker
        run = found.run
        ledger, job = loader.job(run.file_name), tracker.job(run.file_name)
        mine = loader.ledger_rows(run.file_name, run.run_id).rows
        joined = ledger is not None and ledger.run_id == run.run_id and ledger.joined_at is not None
        self._joined_before = joined or (job is not None and job.run == run and job.join.state == "joined")
        self._other_rows = max(0, loader.table_rows(run.run_id) - mine)

    def report(self, tally: Tally, continuation: CountedContinuation, seconds: float) -> SimulateReport:
        """Look again, when no thread is at work any more. Raises LoadError, StoreError."""
        found, loader, run = self._found, self._loader, self._found.run
        rows_loaded = loader.table_rows(run.run_id) - self._other_rows
        loaded = set(loader.ledger_numbers(run.file_name, run.run_id))
        for number in loaded & found.rows.keys():
            tally.stories[number].rows = found.rows[number]
        processed, owner = 0, None
        with suppress(NoSuchJobError):
            progress = self._tracker.progress(run.file_name)
            processed = progress.processed_parts
            owner = progress.join.owner if progress.join.state == "joined" else None
        keys = {payload.run_id for payload in continuation.effects} | ({run.run_id} if self._joined_before else set())
        chunk, worker = tally.joined_by or (None, owner)
        report = SimulateReport(
            file_name=run.file_name,
            into=loader.properties.uri,
            table=loader.properties.table,
            tracker=self._tracker.uri,
            total_parts=found.total_parts,
            processed_parts=processed,
            rows_expected=found.rows_expected,
            rows_loaded=rows_loaded,
            deliveries=tally.deliveries,
            duplicates=tally.duplicates,
            failures=tally.failures,
            crashes=tally.crashes,
            joins=len(keys),
            continuation_runs=len(continuation.effects),
            joined_chunk=chunk,
            joined_worker=worker,
            problems=(),
            seconds=seconds,
            chunks=tuple(tally.stories.values()),
        )
        problems = (*self._not_loaded(tally, loaded), *self._not_right(report, continuation))
        hints = dict.fromkeys(story.hint for story in report.chunks if story.hint and not story.rows)
        return replace(report, problems=problems, hints=tuple(filter(None, hints)) if problems else ())

    def _not_loaded(self, tally: Tally, loaded: set[int]) -> Iterator[str]:
        """What became of the chunks that are not in the database."""
        for number, story in tally.stories.items():
            if number in loaded:
                continue
            if number not in self._found.uris:
                yield f"chunk {number} is not stored"
            else:
                yield f"chunk {number} is not loaded: {story.events[-1] if story.events else 'it was not delivered'}"

    def _not_right(self, report: SimulateReport, continuation: CountedContinuation) -> Iterator[str]:
        """What is wrong with the whole."""
        if report.rows_expected is not None and report.rows_loaded != report.rows_expected:
            yield f"{report.rows_loaded:,} rows are loaded, {report.rows_expected:,} were expected"
        if report.joins != 1:
            job = self._tracker.job(report.file_name)
            error = f": {job.join.error}" if job is not None and job.join.error else ""
            yield f"the join's effect is there {report.joins} times{error}"
        if len(set(continuation.effects)) > 1:
            yield "the continuation was told different things by different tries"
