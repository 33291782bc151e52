"""Handles one chunk-arrived event: load, count, and whoever completes the job joins it."""

from __future__ import annotations

import logging
import time
from contextlib import closing
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.errors import (
    BadInputError,
    BadRowError,
    MixupError,
    NotFoundError,
    OlderRunError,
    OtherRunError,
    RunConflictError,
    SplitjoinError,
    StoppedError,
)
from splitjoin_cli.core.words import count_text
from splitjoin_cli.join.chunk import chunk_to_load, run_of
from splitjoin_cli.stores.trackers import rules
from splitjoin_cli.stores.trackers.answers import Counted, Refusal, Superseded
from splitjoin_cli.stores.trackers.jobs import JobSpec, JoinState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from splitjoin_cli.join.events import Batch, ChunkArrived, Delivery
    from splitjoin_cli.join.joiner import Joiner
    from splitjoin_cli.stores.chunks.base import ChunkStore, StoredChunk
    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.stores.trackers.base import Tracker
    from splitjoin_cli.stores.trackers.jobs import Job, Run

__all__ = ["BatchOutcome", "ChunkWorker", "Handled", "acknowledged"]

_LOG = logging.getLogger(__name__)

# Trying the same again cannot help; somebody has to change the chunk, the table, or the mix-up.
FINAL_ERRORS = (BadRowError, BadInputError, MixupError, RunConflictError)


class End(StrEnum):
    """How the work on one event ended, as the log lines say it."""

    COUNTED = "counted"
    """The job is not complete yet."""
    JOINED = "joined"
    """Now or before."""
    REPLACED = "replaced"
    """A newer run has the job."""
    LEFT = "left"
    """Another worker holds the join."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of one event.

    ``acknowledge``: it need not come again.
    ``rows``: of the chunk in the database, None where it did not come so far. ``loaded``, ``counted``, ``joined``:
    whether this event did it, rather than an earlier one. ``run`` is None where the object could not be read.
    """

    arrived: ChunkArrived
    acknowledge: bool
    end: End
    run: Run | None = None
    rows: int | None = None
    loaded: bool = False
    counted: bool = False
    joined: bool = False
    error: SplitjoinError | None = None


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What became of a batch. ``failed``: ids of the messages that must come again; None is the event itself."""

    outcomes: tuple[Handled, ...]
    failed: tuple[str | None, ...]
    errors: tuple[SplitjoinError, ...]


def acknowledged(delivery: Delivery, outcomes: Sequence[Handled]) -> bool:
    """Whether a message need not come again: it was read, and so is every event in it."""
    return delivery.error is None and all(outcome.acknowledge for outcome in outcomes)


class ChunkWorker:
    """Handles events, one call each, any number of threads at once.

    Any step can be the last before a crash: the event then comes again, and each step finds what was done. An event is
    acknowledged only when its chunk is counted and

    - its shard is not full, or the shard is counted and the job is not complete: others bring the rest; or
    - the run is joined; or
    - another claim is alive, and a sweep runs that takes over if it dies; or
    - the chunk's generation is older than the tracker's: nobody wants it.

    Errors, mixed runs and failed continuations are not acknowledged.
    """

    def __init__(
        self,
        *,
        chunks: ChunkStore,
        loader: Loader,
        tracker: Tracker,
        joiner: Joiner,
        sweep_runs: bool,
        max_receives: int | None = None,
        log: logging.Logger = _LOG,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``sweep_runs``: a sweep looks after claims whose owner died.

        ``max_receives``: deliveries after which the queue gives a message up, where that is known: the failure of the
        last one is final. ``monotonic``: seconds, from which the log says how long an event took.
        """
        self._chunks = chunks
        self._loader = loader
        self._tracker = tracker
        self._joiner = joiner
        self._sweep_runs = sweep_runs
        self._max_receives = max_receives
        self._log = log
        self._monotonic = monotonic

    def handle_batch(self, batch: Batch, *, may_begin: Callable[[], bool] = lambda: True) -> BatchOutcome:
        """Handle all deliveries in order; one that fails does not keep the others from being handled.

        ``may_begin``: asked before each; those that may not begin are to come again.
        """
        outcomes: list[Handled] = []
        failed: list[str | None] = []
        errors: list[SplitjoinError] = []
        for delivery in batch.deliveries:
            if not may_begin():
                self._log.warning("message %s is not begun: too little time is left", delivery.message_id)
                failed.append(delivery.message_id)
                continue
            found = self.handle_delivery(delivery)
            outcomes += found
            problems = [outcome.error for outcome in found if outcome.error is not None]
            if delivery.error is not None:
                error = {"type": type(delivery.error).__name__, "message": delivery.error.message}
                self._log.error("message %s: %s", delivery.message_id, error["message"], extra={"error": error})
                problems.append(delivery.error)
            if not acknowledged(delivery, found):
                failed.append(delivery.message_id)
            errors += problems
        return BatchOutcome(tuple(outcomes), tuple(failed), tuple(errors))

    def handle_delivery(self, delivery: Delivery) -> list[Handled]:
        """Handle each chunk that one message names."""
        return [self.handle(arrived) for arrived in delivery.arrivals]

    def handle(self, arrived: ChunkArrived) -> Handled:
        """See one event through, as far as it is this worker's to do. Raises StoppedError alone."""
        began = self._monotonic()
        outcome = self._handle(arrived)
        self._tell(outcome, self._monotonic() - began)
        return outcome

    def _handle(self, arrived: ChunkArrived) -> Handled:
        try:
            stored = self._chunks.open_chunk(arrived.uri, body=not self._loader.properties.reads_s3)
        except StoppedError:
            raise
        except SplitjoinError as exc:
            return self._unread(arrived, exc)
        with closing(stored):
            return self._handle_stored(arrived, stored)

    def _handle_stored(self, arrived: ChunkArrived, stored: StoredChunk) -> Handled:
        run: Run | None = None
        try:
            run = run_of(stored)
            job = self._tracker.job(run.file_name)
            run = rules.of_round(run, job)
            begun = self._load_and_count(Handled(arrived, acknowledge=False, end=End.FAILED, run=run), stored, run, job)
        except StoppedError:
            raise
        except OlderRunError as exc:
            self._log.debug("%s", exc.message, extra=_extra(arrived, run))
            return Handled(arrived, acknowledge=True, end=End.REPLACED, run=run)
        except Exception as exc:  # noqa: BLE001 -- whatever it is: it is recorded, and the event comes again
            return self._failed(arrived, run, exc)
        return begun if begun.acknowledge else self._join(begun, run)

    def _load_and_count(self, begun: Handled, stored: StoredChunk, run: Run, job: Job | None) -> Handled:
        """See to the chunk. What it returns is to be acknowledged unless the job is complete and wants its join.

        ``job``: as it was before anything was loaded, in the round of ``run``: what is cleared since is not counted.
        """
        if (end := self._standing(stored, run, job)) is not None:
            return replace(begun, acknowledge=True, end=end)
        chunk = chunk_to_load(stored)
        loaded = self._loader.load(chunk)
        stored.close()  # the connection need not wait for the join
        begun = replace(begun, rows=loaded.rows, loaded=not loaded.already_loaded)
        name = stored.name
        marked = self._tracker.mark_done(
            run, name.number, total_parts=name.total, rows=loaded.rows, checksum=chunk.checksum
        )
        if isinstance(marked, Superseded):
            return replace(begun, acknowledge=True, end=End.REPLACED)
        begun = replace(begun, counted=isinstance(marked, Counted))
        return begun if marked.complete else replace(begun, acknowledge=True, end=End.COUNTED)

    def _standing(self, stored: StoredChunk, run: Run, job: Job | None) -> End | None:
        """Look at the job before anything is loaded; open it where it is new. Not None: the event is done with.

        Raises what mixed runs raise, before they can mix in the table.
        """
        if job is None and self._ledger_says_joined(run):
            # The ledger learns of a join only after the tracker knew the job: what was absent just now may be there.
            job = self._tracker.job(run.file_name)
            if job is None:
                return End.JOINED
        if job is None:
            place = stored.uri[: len(stored.uri) - len(stored.uri.rpartition("/")[2])]
            job = self._tracker.open_job(JobSpec(run, stored.name.total, destination=place or None))
        if _superseded(job, run, stored):
            return End.REPLACED
        rules.check_total(job, stored.name.total)
        return End.JOINED if job.join.state == JoinState.JOINED else None

    def _ledger_says_joined(self, run: Run) -> bool:
        """The ledger answers late redeliveries where the tracker has lost the job."""
        ledger = self._loader.job(run.file_name)
        return ledger is not None and ledger.joined_at is not None and ledger.run_id == run.run_id

    def _join(self, begun: Handled, run: Run) -> Handled:
        try:
            tried = self._joiner.try_join(run)
        except StoppedError:
            raise
        except Exception as exc:  # noqa: BLE001 -- the chunk is counted; the event comes again for the join's sake
            return replace(begun, error=self._ours(exc, begun.arrived, run))
        if tried.settled:
            replaced = tried.replaced or tried.refused is Refusal.SUPERSEDED
            return replace(begun, acknowledge=True, end=End.REPLACED if replaced else End.JOINED, joined=tried.joined)
        if tried.refused is Refusal.HELD:
            return replace(begun, acknowledge=self._sweep_runs, end=End.LEFT)
        return replace(begun, error=tried.error or _refused(run, tried.refused))

    def _unread(self, arrived: ChunkArrived, exc: SplitjoinError) -> Handled:
        """The object could not be read. One that is gone is no loss where the job is joined or another split's."""
        name = arrived.name
        job: Job | None = None
        try:
            job = self._tracker.job(name.file_name)
        except SplitjoinError as also:
            self._log.error("the tracker could not be asked either: %s", also.message, extra=_extra(arrived, None))
        run = job.run if job is not None else None
        if job is not None and isinstance(exc, NotFoundError):
            if job.generation > 1 and job.total_parts != name.total:
                return Handled(arrived, acknowledge=True, end=End.REPLACED, run=run)
            if job.join.state == JoinState.JOINED:
                return Handled(arrived, acknowledge=True, end=End.JOINED, run=run)
        same = job is not None and job.total_parts == name.total
        return self._failed(arrived, run if same else None, exc)

    def _failed(self, arrived: ChunkArrived, run: Run | None, exc: Exception) -> Handled:
        """Record a failed try; the event is not acknowledged."""
        error = self._ours(exc, arrived, run)
        last = self._max_receives is not None and arrived.receives >= self._max_receives
        if run is not None:
            final = last or isinstance(error, FINAL_ERRORS)
            try:
                self._tracker.mark_failed(run, arrived.name.number, error=error.reason_first, final=final)
            except SplitjoinError as also:
                self._log.error("the failure could not be recorded: %s", also.message, extra=_extra(arrived, run))
        return Handled(arrived, acknowledge=False, end=End.FAILED, run=run, error=error)

    def _ours(self, exc: Exception, arrived: ChunkArrived, run: Run | None) -> SplitjoinError:
        if isinstance(exc, SplitjoinError):
            return exc
        self._log.error("unexpected error at %s", arrived.uri, exc_info=exc, extra=_extra(arrived, run))
        return SplitjoinError(f"{arrived.uri}: unexpected {type(exc).__name__}; the log has more")

    def _tell(self, outcome: Handled, seconds: float) -> None:
        """One line for each event."""
        extra: dict[str, Any] = {
            **_extra(outcome.arrived, outcome.run),
            "outcome": outcome.end,
            "loaded": outcome.loaded,
            "rows": outcome.rows,
            "seconds": round(seconds, 3),
        }
        if (error := outcome.error) is not None:
            extra["error"] = {"type": type(error).__name__, "message": error.message}
            self._log.error("%s", error.told, extra={**extra, "hint": error.hint})
        else:
            done = "loaded" if outcome.loaded else "not loaded again"
            rows = "" if outcome.rows is None else f", {count_text(outcome.rows, 'row')} {done}"
            self._log.info("%s: %s%s", outcome.arrived.uri, outcome.end, rows, extra=extra)


def _refused(run: Run, why: Refusal | None) -> OtherRunError:
    """What is said of a chunk that is loaded and counted, while the join cannot begin."""
    hint = None
    if why is Refusal.FAILED:
        hint = f"the chunk is loaded; once all are, splitjoin retry {run.file_name} --join runs the join again"
    return OtherRunError(f"{run.file_name}: the join cannot be claimed: {why}", hint=hint)


def _superseded(job: Job, run: Run, stored: StoredChunk) -> bool:
    try:
        return rules.superseded(job, run)
    except OtherRunError as exc:
        if stored.metadata is not None:
            raise
        raise OtherRunError(
            f"{stored.uri} carries no metadata of splitjoin, so that its run is not known: {exc.message}",
            hint="copy chunks with a tool that keeps their metadata, or split again",
        ) from exc


def _extra(arrived: ChunkArrived, run: Run | None) -> dict[str, str | int | None]:
    return {
        "file_name": arrived.name.file_name,
        "run_id": None if run is None else run.run_id,
        "chunk": arrived.name.number,
    }
