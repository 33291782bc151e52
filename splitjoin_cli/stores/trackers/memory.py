"""A tracker in memory, in the same steps as the one on DynamoDB: for tests, and for the exploration of the protocol."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from splitjoin_cli.stores.trackers import repairs, rules
from splitjoin_cli.stores.trackers.answers import (
    Claim,
    ClearClaim,
    Counted,
    Duplicate,
    InitReport,
    Mending,
    Refused,
    Superseded,
)
from splitjoin_cli.stores.trackers.base import SHARD_PARTS
from splitjoin_cli.stores.trackers.jobs import Failure, JoinState, Unfinished

if TYPE_CHECKING:
    from splitjoin_cli.stores.trackers.answers import Marked
    from splitjoin_cli.stores.trackers.base import Checksum, Clock
    from splitjoin_cli.stores.trackers.jobs import Job, JobProgress, JobSpec, Run

Key = tuple[str, int, int, int]
"""File name, generation, round, and a shard's index or a chunk's number."""
Step = Callable[[str], None]


@dataclass(slots=True)
class Shard:
    """The chunks of one shard that are counted, and what else is kept of them."""

    run: Run
    total_parts: int
    done: set[int] = field(default_factory=set)
    rows: int = 0
    duplicates: int = 0
    counted_at: float | None = None


@dataclass(slots=True)
class MemoryTable:
    """What several trackers share, and the lock that they take for each step.

    ``shards``: by file name, generation, round and index; a job that is not sharded has one, which its head follows at
    once. ``counted``: the shards that are in the head. ``expected``: checksums that were written down, by file name,
    generation and number.
    """

    jobs: dict[str, Job] = field(default_factory=dict)
    shards: dict[Key, Shard] = field(default_factory=dict)
    counted: set[Key] = field(default_factory=set)
    failures: dict[Key, Failure] = field(default_factory=dict)
    expected: dict[tuple[str, int, int], str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    def copy(self) -> MemoryTable:
        """A snapshot that shares nothing that can change."""
        shards = {key: replace(shard, done=set(shard.done)) for key, shard in self.shards.items()}
        return MemoryTable(dict(self.jobs), shards, set(self.counted), dict(self.failures), dict(self.expected))


class MemoryTracker:
    """A Tracker over a MemoryTable.

    A job of more than ``shard_parts`` chunks is counted in two steps, as on DynamoDB: the chunk into its shard, the
    full shard into the head. ``on_step`` is called with the step's name before each of them, outside the lock, and may
    raise: that is a crash, or wait: that is a race.
    """

    def __init__(
        self,
        table: MemoryTable | None = None,
        *,
        clock: Clock = time.time,
        new_token: Callable[[], str] = lambda: uuid.uuid4().hex,
        shard_parts: int = SHARD_PARTS,
        on_step: Step = lambda _step: None,
    ) -> None:
        """``table``: one that is there; None for a new one. ``shard_parts``: the same for all trackers of a table."""
        self.table = table if table is not None else MemoryTable()
        self._clock = clock
        self._new_token = new_token
        self._shard_parts = shard_parts
        self._step = on_step
        self._lock = self.table.lock

    @property
    def uri(self) -> str:
        """``memory:``."""
        return "memory:"

    def init(self) -> InitReport:
        """Nothing is to be made."""
        return InitReport(created=False)

    def reach(self) -> None:
        """It is there."""

    def open_job(self, spec: JobSpec) -> Job:
        """See Tracker."""
        self._step("open_job")
        with self._lock:
            return self._put(rules.opened(self.table.jobs.get(spec.run.file_name), spec, self._clock()))

    def replace_job(self, spec: JobSpec) -> Job:
        """See Tracker."""
        self._step("replace_job")
        with self._lock:
            return self._put(rules.replaced(self.table.jobs.get(spec.run.file_name), spec, self._clock()))

    def job(self, file_name: str) -> Job | None:
        """See Tracker."""
        self._step("job")
        with self._lock:
            return self.table.jobs.get(file_name)

    def mark_done(
        self, run: Run, number: int, *, total_parts: int, rows: int, checksum: Checksum | None = None
    ) -> Marked:
        """See Tracker."""
        rules.check_number(number, total_parts)
        self._step("mark_done")
        if total_parts <= self._shard_parts:
            with self._lock:
                return self._mark_in_head(run, number, total_parts, rows, checksum)
        index = (number - 1) // self._shard_parts
        with self._lock:
            repairs.check_expected(self._expected(run, number), checksum, run.file_name, number)
            new = self._mark(run, index, number, total_parts, rows)
            full = self._full(run, index, total_parts)
        if not full:
            return Counted(None) if new else Duplicate(None)
        self._step("count_shard")
        with self._lock:
            head = self._count_shard(run, index, total_parts)
        if isinstance(head, Superseded):
            return head
        job, counted = head
        return (Counted if new else Duplicate)(job, completed=counted and job.complete)

    def _mark_in_head(self, run: Run, number: int, total_parts: int, rows: int, checksum: Checksum | None) -> Marked:
        """One step: the chunk and the head together."""
        head = self.table.jobs.get(run.file_name)
        if head is not None:
            if rules.superseded(head, run):
                return Superseded(head)
            rules.check_total(head, total_parts)
            rules.check_round(head, run)
        repairs.check_expected(self._expected(run, number), checksum, run.file_name, number)
        if not self._mark(run, 0, number, total_parts, rows):
            return Duplicate(head)
        job = self._put(rules.counted(head, run, total_parts, parts=1, rows=rows, now=self._clock()))
        return Counted(job, completed=job.complete)

    def _mark(self, run: Run, index: int, number: int, total_parts: int, rows: int) -> bool:
        """Put a chunk into its shard; False where it is in there."""
        key = _key(run, index)
        shard = self.table.shards.setdefault(key, Shard(run, total_parts))
        seen = rules.counted(None, shard.run, shard.total_parts, parts=0, rows=0, now=0)
        rules.superseded(seen, run)
        rules.check_total(seen, total_parts)
        if number in shard.done:
            shard.duplicates += 1
            return False
        shard.done.add(number)
        shard.rows += rows
        shard.counted_at = rules.stamp(self._clock())
        return True

    def _full(self, run: Run, index: int, total_parts: int) -> bool:
        shard = self.table.shards.get(_key(run, index))
        if shard is None or (shard.run, shard.total_parts) != (run, total_parts):
            return False
        return len(shard.done) == self._size(index, total_parts)

    def _size(self, index: int, total_parts: int) -> int:
        return min(self._shard_parts, total_parts - index * self._shard_parts)

    def _count_shard(self, run: Run, index: int, total_parts: int) -> tuple[Job, bool] | Superseded:
        """Count a full shard into the head, once; the head, and whether it was this time."""
        head = self.table.jobs.get(run.file_name)
        if head is not None:
            if rules.superseded(head, run):
                return Superseded(head)
            rules.check_total(head, total_parts)
            rules.check_round(head, run)
        key = _key(run, index)
        if key in self.table.counted and head is not None:
            return head, False
        self.table.counted.add(key)
        size, rows = self._size(index, total_parts), self.table.shards[key].rows
        return self._put(rules.counted(head, run, total_parts, parts=size, rows=rows, now=self._clock())), True

    def mark_failed(self, run: Run, number: int, *, error: str, final: bool) -> None:
        """See Tracker."""
        self._step("mark_failed")
        key = _key(run, number)
        with self._lock:
            before = self.table.failures.get(key)
            attempts = 1 + (before.attempts if before else 0)
            at = rules.stamp(self._clock())
            self.table.failures[key] = Failure(number, rules.cut(error), attempts, at, final)

    def mark_retried(self, run: Run, failure: Failure) -> None:
        """See Tracker."""
        self._step("mark_retried")
        key = _key(run, failure.number)
        with self._lock:
            if self.table.failures.get(key) == failure and failure.final:
                self.table.failures[key] = replace(failure, final=False, retried=True)

    def claim_join(self, run: Run, *, owner: str, lease_seconds: float) -> Claim | Refused:
        """See Tracker."""
        self._step("claim_join")
        token = self._new_token()
        with self._lock:
            job, answer = rules.claimed(
                self._known(run), run, owner=owner, token=token, lease_seconds=lease_seconds, now=self._clock()
            )
            self._put(job)
            return answer

    def renew_join(self, claim: Claim, *, lease_seconds: float) -> Claim | None:
        """See Tracker."""
        self._step("renew_join")
        with self._lock:
            job = self.table.jobs.get(claim.run.file_name)
            if job is None or not rules.owns(job, claim):
                return None
            return rules.claim_of(self._put(rules.renewed(job, lease_seconds, self._clock())), claim.run)

    def release_join(self, claim: Claim) -> bool:
        """See Tracker."""
        self._step("release_join")
        return self._give_up(claim, lambda job: rules.released(job, self._clock()))

    def fail_join(self, claim: Claim, *, error: str, backoff_seconds: float, final: bool = False) -> bool:
        """See Tracker."""
        self._step("fail_join")
        return self._give_up(
            claim,
            lambda job: rules.failed(job, error=error, backoff_seconds=backoff_seconds, final=final, now=self._clock()),
        )

    def _give_up(self, claim: Claim, change: Callable[[Job], Job]) -> bool:
        with self._lock:
            job = self.table.jobs.get(claim.run.file_name)
            if job is None or not rules.owns(job, claim):
                return rules.given_up(job, claim)
            self._put(change(job))
            return True

    def finish_join(self, run: Run) -> bool:
        """See Tracker."""
        self._step("finish_join")
        with self._lock:
            job = rules.finished(self._known(run), run, self._clock())
            if isinstance(job, Superseded):
                return False
            self._put(job)
            return True

    def reopen_join(self, run: Run) -> Job:
        """See Tracker."""
        self.count_full_shards(run)
        self._step("reopen_join")
        with self._lock:
            return self._put(rules.reopened(self._known(run), run, self._clock()))

    def expect(self, run: Run, number: int, checksum: str | None, *, total_parts: int, asked: bool) -> Mending:
        """See Tracker."""
        rules.check_number(number, total_parts)
        self._step("expect")
        with self._lock:
            job = self._known(run)
            shard = self.table.shards.get(_key(job.run or run, (number - 1) // self._shard_parts))
            answer = repairs.expecting(
                job, run, checksum, total_parts=total_parts, asked=asked,
                counted=shard is not None and number in shard.done, standing=self._expected(run, number),
            )  # fmt: skip
            key = (run.file_name, run.generation, number)
            if answer is Mending.NOTED and checksum is not None:
                self.table.expected[key] = checksum
            elif answer is Mending.NOTED:
                self.table.expected.pop(key, None)
            return answer

    def _expected(self, run: Run, number: int) -> str | None:
        return self.table.expected.get((run.file_name, run.generation, number))

    def all_expected(self, run: Run) -> dict[int, str]:
        """See Tracker."""
        mine = (run.file_name, run.generation)
        with self._lock:
            job = self.table.jobs.get(run.file_name)
            if job is None or job.run != run:
                return {}
            return {key[2]: checksum for key, checksum in self.table.expected.items() if key[:2] == mine}

    def claim_clear(self, run: Run) -> ClearClaim | Refused:
        """See Tracker."""
        self._step("claim_clear")
        with self._lock:
            job, answer = repairs.clearing(self._known(run), run, token=self._new_token(), now=self._clock())
            self._put(job)
            return answer

    def finish_clear(self, claim: ClearClaim) -> Job | None:
        """See Tracker."""
        self._step("finish_clear")
        with self._lock:
            job = self.table.jobs.get(claim.run.file_name)
            if job is not None and repairs.clears(job, claim):
                return self._put(repairs.cleared(job))
            return job if repairs.is_cleared(job, claim) else None

    def count_full_shards(self, run: Run) -> Job:
        """See Tracker."""
        self._step("job")
        with self._lock:
            job = self._known(run)
        if job.total_parts <= self._shard_parts or job.run != run:
            return job
        run = replace(run, round=job.round)
        for index in range(-(-job.total_parts // self._shard_parts)):
            with self._lock:
                lacking = _key(run, index) not in self.table.counted
                full = self._full(run, index, job.total_parts)
            if lacking and full:
                self._step("count_shard")
                with self._lock:
                    head = self._count_shard(run, index, job.total_parts)
                job = head.job if isinstance(head, Superseded) else head[0]
        return job

    def unfinished(self, *, after: str, most: int, failures: bool) -> Iterator[Unfinished]:
        """See Tracker."""
        self._step("unfinished")
        with self._lock:
            jobs = [job for name, job in sorted(self.table.jobs.items()) if name > after]
            jobs = [job for job in jobs if job.run is not None and job.join.state != JoinState.JOINED][:most]
            found = [self._unfinished(job, failures=failures) for job in jobs]
        yield from found

    def _unfinished(self, job: Job, *, failures: bool) -> Unfinished:
        report = self._report(job)
        final = [failure for failure in report.failures if failures and failure.final]
        run, shards = report.run, -(-job.total_parts // self._shard_parts)
        uncounted = (
            run is not None
            and shards > 1
            and any(
                _key(run, index) not in self.table.counted and self._full(run, index, job.total_parts)
                for index in range(shards)
            )
        )
        return Unfinished(job, uncounted, report.counted_at, final[0] if final else None)

    def progress(self, file_name: str) -> JobProgress:
        """See Tracker."""
        with self._lock:
            return self._report(rules.known(self.table.jobs.get(file_name), file_name, self.uri))

    def list(self) -> Iterator[JobProgress]:
        """See Tracker."""
        with self._lock:
            reports = [self._report(job) for job in self.table.jobs.values()]
        yield from reports

    def _report(self, job: Job) -> JobProgress:
        mine = (job.file_name, job.generation, job.round)
        whose = (job.run, job.total_parts)
        shards = {
            key: shard
            for key, shard in self.table.shards.items()
            if key[:3] == mine and (shard.run, shard.total_parts) == whose
        }
        at = [shard.counted_at for shard in shards.values() if shard.counted_at is not None]
        whole = job.total_parts <= self._shard_parts
        uncounted = () if whole else [shard for key, shard in shards.items() if key not in self.table.counted]
        return rules.report(
            job,
            numbers=[number for shard in shards.values() for number in shard.done],
            more_rows=sum(shard.rows for shard in uncounted),
            more_duplicates=sum(shard.duplicates for shard in shards.values()),
            counted_at=max(at, default=None),
            failures=[failure for key, failure in self.table.failures.items() if key[:3] == mine],
        )

    def close(self) -> None:
        """Nothing is held."""

    def _put(self, job: Job) -> Job:
        self.table.jobs[job.file_name] = job
        return job

    def _known(self, run: Run) -> Job:
        return rules.known(self.table.jobs.get(run.file_name), run.file_name, self.uri)


def _key(run: Run, part: int) -> Key:
    return (run.file_name, run.generation, run.round, part)
