"""What stands in database and tracker: looked at before a simulation and after it, it makes the report."""

from __future__ import annotations

import heapq
from dataclasses import replace
from typing import TYPE_CHECKING

from splitjoin_cli.api.simulate.report import SimulateReport
from splitjoin_cli.core.errors import NoSuchJobError
from splitjoin_cli.core.ranges import NumberRanges, as_ranges
from splitjoin_cli.core.words import count_text
from splitjoin_cli.stores.trackers.jobs import JoinState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.api.simulate.chunks import ChunkSet
    from splitjoin_cli.api.simulate.tally import CountedContinuation, Tally
    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.stores.trackers.base import Tracker
    from splitjoin_cli.stores.trackers.jobs import JobProgress

__all__ = ["Standing"]


class Standing:
    """Made before the first delivery, it remembers what was there: rows of others in the table, a finished join.

    Other processes may work on the same job, and on other jobs of the same table, all the while: what they load and
    join stands as well, and is told from what this simulation did.
    """

    def __init__(self, found: ChunkSet, loader: Loader, tracker: Tracker) -> None:
        """Look. Raises LoadError, StoreError."""
        self._found, self._loader, self._tracker = found, loader, tracker
        run = found.run
        ledger, job = loader.job(run.file_name), tracker.job(run.file_name)
        joined = ledger is not None and ledger.run_id == run.run_id and ledger.joined_at is not None
        self._joined = joined or (job is not None and job.run == run and job.join.state == JoinState.JOINED)
        self._rows = loader.table_rows(run.file_name, run.run_id)

    def report(self, tally: Tally, continuation: CountedContinuation, seconds: float) -> SimulateReport:
        """Look again, when no thread is at work any more. Raises LoadError, StoreError."""
        found, loader = self._found, self._loader
        loaded = as_ranges(loader.ledger_numbers(found.run.file_name, found.run.run_id))
        tally.stories.loaded = loaded
        progress = self._progress()
        joined = progress is not None and progress.join.state == JoinState.JOINED
        chunk, worker = tally.joined_by or (None, progress.join.owner if progress is not None and joined else None)
        report = SimulateReport(
            file_name=found.run.file_name,
            into=loader.properties.uri,
            table=loader.properties.table,
            tracker=self._tracker.uri,
            total_parts=found.total_parts,
            processed_parts=0 if progress is None else progress.processed_parts,
            rows_expected=found.rows_expected,
            rows_loaded=self._rows_loaded(),
            deliveries=tally.deliveries,
            duplicates=tally.duplicates,
            failures=tally.failures,
            crashes=tally.crashes,
            joins=len(self._effects(tally, continuation, progress)),
            continuation_runs=len(continuation.effects),
            joined_chunk=chunk,
            joined_worker=worker,
            problems=(),
            seconds=seconds,
            chunks=tally.stories,
        )
        problems = (*self._not_loaded(tally, loaded), *self._not_right(report, continuation, progress))
        return replace(report, problems=problems, hints=tally.stories.hints() if problems else ())

    def _progress(self) -> JobProgress | None:
        try:
            return self._tracker.progress(self._found.run.file_name)
        except NoSuchJobError:
            return None

    def _rows_loaded(self) -> int:
        """The job's rows: all but those that were others' before, or went in with other jobs since."""
        before, now = self._rows, self._loader.table_rows(self._found.run.file_name, self._found.run.run_id)
        return now.rows - max(0, before.rows - before.of_run) - (now.of_others - before.of_others)

    def _effects(self, tally: Tally, continuation: CountedContinuation, progress: JobProgress | None) -> set[str]:
        """The join's effects that stand, by idempotency key.

        Of a join that was finished elsewhere the tracker's word is taken; of one finished here the effect was seen.
        """
        run = self._found.run
        keys = {payload.run_id for payload in continuation.effects}
        finished = progress is not None and progress.run == run and progress.join.state == JoinState.JOINED
        if self._joined or (finished and tally.joined_by is None):
            keys.add(run.run_id)
        return keys

    def _not_loaded(self, tally: Tally, loaded: NumberRanges) -> Iterator[str]:
        """What became of the chunks that are not in the database."""
        present = heapq.merge(loaded, self._found.numbers)
        for first, last in NumberRanges.without(present, self._found.total_parts).ranges():
            yield f"chunk {first} is not stored" if first == last else f"chunks {first}-{last} are not stored"
        for number in self._found.numbers.less(loaded):
            yield f"chunk {number} is not loaded: {tally.stories.last_event(number) or 'it was not delivered'}"

    def _not_right(
        self, report: SimulateReport, continuation: CountedContinuation, progress: JobProgress | None
    ) -> Iterator[str]:
        """What is wrong with the whole."""
        if report.rows_expected is not None and report.rows_loaded != report.rows_expected:
            loaded = "1 row is" if report.rows_loaded == 1 else f"{report.rows_loaded:,} rows are"
            yield f"{loaded} loaded, {report.rows_expected:,} were expected"
        if report.joins != 1:
            yield f"the join's effect is there {count_text(report.joins, 'time')}{self._why(progress)}"
        if len(set(continuation.effects)) > 1:
            yield "different tries of the continuation had different payloads"

    def _why(self, progress: JobProgress | None) -> str:
        """Why there is no join, as far as the tracker knows."""
        if progress is None:
            return ""
        if progress.run is not None and progress.run != self._found.run:
            return f": the job is another run's by now, {progress.run}, and this is {self._found.run}"
        return f": {progress.join.error}" if progress.join.error else ""
