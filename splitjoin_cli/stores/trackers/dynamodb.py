"""The tracker on DynamoDB: one item for a job of up to 256 chunks, one more for each 256 above that."""

from __future__ import annotations

import contextlib
import time
import uuid
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.errors import SplitjoinError, StoreError
from splitjoin_cli.stores.trackers import dynamodb_items as items
from splitjoin_cli.stores.trackers import dynamodb_join_updates as join_updates
from splitjoin_cli.stores.trackers import dynamodb_updates as updates
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
from splitjoin_cli.stores.trackers.dynamodb_calls import RETRY, Table
from splitjoin_cli.stores.trackers.dynamodb_reports import Reports
from splitjoin_cli.stores.trackers.dynamodb_table import init_table
from splitjoin_cli.stores.trackers.jobs import JoinState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from splitjoin_cli.core.aws.client import AwsOptions
    from splitjoin_cli.core.aws.s3 import Retry
    from splitjoin_cli.stores.trackers.answers import Marked
    from splitjoin_cli.stores.trackers.base import Checksum, Clock
    from splitjoin_cli.stores.trackers.dynamodb_items import Item
    from splitjoin_cli.stores.trackers.jobs import Failure, Job, JobProgress, JobSpec, Run, Unfinished

__all__ = ["DynamoDbTracker"]

CONNECTIONS = 32
RACES = 50
"""How often a write that lost a race looks again; each loss is somebody else's progress."""
KEEP_SECONDS = 30 * 24 * 3600
"""How long the shards and failures of a joined job stay, for whoever looks into it."""


class DynamoDbTracker:
    """A Tracker in a DynamoDB table.

    Every count is one conditional UpdateItem. When its condition fails, the item that it met says why, by the rules
    that all trackers share; where they see no reason any more, it is tried again.
    """

    def __init__(
        self,
        table: str,
        options: AwsOptions | None = None,
        *,
        clock: Clock = time.time,
        new_token: Callable[[], str] = lambda: uuid.uuid4().hex,
        shard_parts: int = SHARD_PARTS,
        client: Any = None,  # noqa: ANN401 -- botocore makes its clients' classes at run time
        retry: Retry = RETRY,
    ) -> None:
        """``table``: its name or ARN. ``client``: one made with ``attempts=1``, instead of ``options``.

        ``shard_parts``: the same for all trackers of a table, for ever.
        """
        made = client or aws.client("dynamodb", options, connections=CONNECTIONS, attempts=1)
        self._owned = client is None
        self._table = Table(made, table, retry=retry)
        self._reports = Reports(self._table, shard_parts)
        self._clock = clock
        self._new_token = new_token
        self._shard_parts = shard_parts

    @property
    def uri(self) -> str:
        """``dynamodb:TABLE``."""
        return self._table.uri

    def init(self) -> InitReport:
        """See Tracker."""
        return init_table(self._table)

    def reach(self) -> None:
        """See Tracker."""
        self._table.get(items.key_of_job("any_job"))

    def open_job(self, spec: JobSpec) -> Job:
        """See Tracker."""
        key = items.key_of_job(spec.run.file_name)
        for _ in range(RACES):
            answer = self._table.update(key, updates.open_job(spec, self._clock()))
            if answer.item is None:
                continue
            job = items.job_of(answer.item)
            if answer.written:
                return job
            rules.opened(job, spec, self._clock())
            if job.join.state == JoinState.JOINED:
                return job
        raise self._lost("open_job", spec.run)

    def replace_job(self, spec: JobSpec) -> Job:
        """See Tracker."""
        for _ in range(RACES):
            before = self.job(spec.run.file_name)
            if before is None or before.run_id == spec.run.run_id:
                return self.open_job(spec)
            after = rules.replaced(before, spec, self._clock())
            answer = self._table.update(items.key_of_job(before.file_name), updates.replace_job(before, after))
            if answer.written and answer.item is not None:
                if before.run is not None:
                    self._expire(before.run, before.total_parts)
                return items.job_of(answer.item)
        raise self._lost("replace_job", spec.run)

    def job(self, file_name: str) -> Job | None:
        """See Tracker."""
        return items.job_or_none(self._table.get(items.key_of_job(file_name)))

    def mark_done(
        self, run: Run, number: int, *, total_parts: int, rows: int, checksum: Checksum | None = None
    ) -> Marked:
        """See Tracker."""
        rules.check_number(number, total_parts)
        if total_parts <= self._shard_parts:
            answer = self._count(run, total_parts, into="done", member=number, parts=1, rows=rows, checksum=checksum)
            if isinstance(answer, Duplicate):
                self._note_duplicate(items.key_of_job(run.file_name))
            return answer
        index, member = divmod(number - 1, self._shard_parts)
        new, shard = self._count_in_shard(run, total_parts, index, member, rows, checksum)
        if not new:
            self._note_duplicate(items.key_of_shard(run, index))
        if len(shard.done) < self._size(index, total_parts):
            return Counted(None) if new else Duplicate(None)
        answer = self._count_shard(run, total_parts, index, shard)
        if isinstance(answer, Superseded):
            return answer
        return (Counted if new else Duplicate)(answer.job, completed=answer.completed)

    def _count(
        self, run: Run, total_parts: int, *, into: str, member: int, parts: int, rows: int,
        checksum: Checksum | None = None,
    ) -> Marked:  # fmt: skip
        """Count into the job's item, a chunk or a full shard."""
        loaded: str | None = None
        for _ in range(RACES):
            update = updates.count(
                run, total_parts, into=into, member=member, parts=parts, rows=rows, now=self._clock(), checksum=loaded
            )
            answer = self._table.update(items.key_of_job(run.file_name), update)
            if answer.item is None:
                continue
            job = items.job_of(answer.item)
            if answer.written:
                return Counted(job, completed=job.complete)
            if rules.superseded(job, run):
                return Superseded(job)
            rules.check_total(job, total_parts)
            rules.check_round(job, run)
            if into == "done":
                expected = items.expected_text(answer.item, run, member)
                loaded = repairs.check_expected(expected, checksum, run.file_name, member)
            if member in items.numbers(answer.item, into):
                return Duplicate(job)
        raise self._lost("mark_done", run)

    def _count_in_shard(
        self, run: Run, total_parts: int, index: int, member: int, rows: int, checksum: Checksum | None
    ) -> tuple[bool, items.Shard]:
        """Count a chunk into its shard; whether it was new, and the shard as it is now."""
        loaded: str | None = None
        number = index * self._shard_parts + member + 1
        for _ in range(RACES):
            update = updates.count_in_shard(
                run, total_parts, member=member, rows=rows, now=self._clock(), checksum=loaded
            )
            answer = self._table.update(items.key_of_shard(run, index), update)
            if answer.item is None:
                continue
            shard = items.shard_of(answer.item)
            if answer.written:
                return True, shard
            head = items.head_of_shard(answer.item, run)
            rules.superseded(head, run)
            rules.check_total(head, total_parts)
            expected = items.expected_text(answer.item, run, member)
            loaded = repairs.check_expected(expected, checksum, run.file_name, number)
            if member in shard.done:
                return False, shard
        raise self._lost("mark_done", run)

    def _count_shard(self, run: Run, total_parts: int, index: int, shard: items.Shard) -> Marked:
        size = self._size(index, total_parts)
        return self._count(run, total_parts, into="shards", member=index, parts=size, rows=shard.rows)

    def _note_duplicate(self, key: Item) -> None:
        """As well as can be, so tried once: nothing depends on it, and a throttled item has enough to do."""
        with contextlib.suppress(SplitjoinError):
            self._table.update(key, updates.duplicate(), patient=False)

    def mark_failed(self, run: Run, number: int, *, error: str, final: bool) -> None:
        """See Tracker."""
        update = updates.failure(run, number, error=error, final=final, now=self._clock())
        self._table.update(items.key_of_failure(run, number), update)

    def mark_retried(self, run: Run, failure: Failure) -> None:
        """See Tracker."""
        self._table.update(items.key_of_failure(run, failure.number), updates.retried(failure))

    def claim_join(self, run: Run, *, owner: str, lease_seconds: float) -> Claim | Refused:
        """See Tracker."""
        token = self._new_token()
        for _ in range(RACES):
            now = self._clock()
            update = join_updates.claim_join(run, owner=owner, token=token, lease_seconds=lease_seconds, now=now)
            answer = self._table.update(items.key_of_job(run.file_name), update)
            job = rules.known(items.job_or_none(answer.item), run.file_name, self.uri)
            if answer.written:
                return rules.claim_of(job, run)
            after, reason = rules.claimed(
                job, run, owner=owner, token=token, lease_seconds=lease_seconds, now=self._clock()
            )
            if after is job:
                return reason
            if isinstance(reason, Refused) and self._change(job, after, run):
                return reason  # the attempts are used up, which is written down
        raise self._lost("claim_join", run)

    def renew_join(self, claim: Claim, *, lease_seconds: float) -> Claim | None:
        """See Tracker."""
        job = self._change_owned(claim, lambda job: rules.renewed(job, lease_seconds, self._clock()))
        return None if job is None else rules.claim_of(job, claim.run)

    def release_join(self, claim: Claim) -> bool:
        """See Tracker."""
        return self._give_up(claim, lambda job: rules.released(job, self._clock()))

    def fail_join(self, claim: Claim, *, error: str, backoff_seconds: float, final: bool = False) -> bool:
        """See Tracker."""

        def change(job: Job) -> Job:
            return rules.failed(job, error=error, backoff_seconds=backoff_seconds, final=final, now=self._clock())

        return self._give_up(claim, change)

    def _give_up(self, claim: Claim, change: Callable[[Job], Job]) -> bool:
        if self._change_owned(claim, change) is not None:
            return True
        return rules.given_up(self.job(claim.run.file_name), claim)

    def _change_owned(self, claim: Claim, change: Callable[[Job], Job]) -> Job | None:
        """Change the join that is the claim's; None where it is somebody else's."""
        for _ in range(RACES):
            job = self.job(claim.run.file_name)
            if job is None or not rules.owns(job, claim):
                return None
            after = change(job)
            if self._change(job, after, claim.run):
                return after
        raise self._lost("the claim", claim.run)

    def _change(self, before: Job, after: Job, run: Run, *, needs_fence: bool = True) -> bool:
        if after == before:
            return True
        update = join_updates.change_join(before, after, run, needs_fence=needs_fence)
        return self._table.update(items.key_of_job(run.file_name), update).written

    def finish_join(self, run: Run) -> bool:
        """See Tracker. First joined, then tidied, then out of the index of unfinished jobs: a crash loses nothing."""
        for _ in range(RACES):
            item = self._table.get(items.key_of_job(run.file_name))
            job = rules.known(items.job_or_none(item), run.file_name, self.uri)
            after = rules.finished(job, run, self._clock())
            if isinstance(after, Superseded):
                return False
            if self._change(job, after, run, needs_fence=False):
                if items.MARKER in (item or {}):
                    self._tidy(run, job.total_parts)
                return True
        raise self._lost("finish_join", run)

    def _tidy(self, run: Run, total_parts: int) -> None:
        shards = self._reports.shards(run, total_parts)
        self._expire(run, total_parts)
        duplicates = sum(shard.duplicates for shard in shards.values())
        update = join_updates.leave_unfinished(run, shard_duplicates=duplicates)
        self._table.update(items.key_of_job(run.file_name), update)

    def _expire(self, run: Run, total_parts: int) -> None:
        """Let what was kept beside a job's item go."""
        update = updates.expire(self._clock() + KEEP_SECONDS)
        keys = self._reports.keys_beside(run, total_parts)
        self._table.for_each(keys, lambda key: self._table.update(key, update))

    def reopen_join(self, run: Run) -> Job:
        """See Tracker."""
        self._count_all(run, clip=True)
        for _ in range(RACES):
            before = rules.known(self.job(run.file_name), run.file_name, self.uri)
            after = rules.reopened(before, run, self._clock())
            if self._change(before, after, run):
                return after
        raise self._lost("reopen_join", run)

    def expect(self, run: Run, number: int, checksum: str | None, *, total_parts: int, asked: bool) -> Mending:
        """See Tracker."""
        rules.check_number(number, total_parts)
        in_shard = total_parts > self._shard_parts
        index, inside = divmod(number - 1, self._shard_parts)
        member = inside if in_shard else number
        for _ in range(RACES):
            item = self._table.get(items.key_of_job(run.file_name))
            job = rules.known(items.job_or_none(item), run.file_name, self.uri)
            now = rules.of_round(run, job)
            key = items.key_of_shard(now, index) if in_shard else items.key_of_job(run.file_name)
            met = self._table.get(key) if in_shard else item
            standing = items.expected_text(met or {}, now, member)
            answer = repairs.expecting(
                job, now, checksum, total_parts=total_parts, asked=asked,
                counted=member in items.numbers(met or {}, "done"),
                standing=standing,
            )  # fmt: skip
            if answer is not Mending.NOTED or standing == checksum:
                return answer
            change = updates.expect_in_shard if in_shard else updates.expect
            update = change(now, total_parts, member=member, checksum=checksum, asked=asked)
            if self._table.update(key, update).written and (not in_shard or self._is_in_round(now)):
                return answer
        raise self._lost("expect", run)

    def _is_in_round(self, run: Run) -> bool:
        """Whether the round still stands: a clear carries over what shards expect, and may have done so before."""
        job = rules.known(self.job(run.file_name), run.file_name, self.uri)
        return job.join.state != JoinState.CLEARING and job.run == run and job.round == run.round

    def all_expected(self, run: Run) -> dict[int, str]:
        """See Tracker."""
        item = self._table.get(items.key_of_job(run.file_name))
        if item is None or (job := items.job_of(item)).run != run:
            return {}
        now, parts, count = rules.of_round(run, job), self._shard_parts, self._reports.shard_count(job.total_parts)
        if not count:
            return items.expected_numbers(item, now)
        keys = [items.key_of_shard(now, index) for index in range(count)]
        found = self._table.get_many(keys)
        return {
            index * parts + member + 1: checksum
            for index, key in enumerate(keys)
            for member, checksum in items.expected_numbers(found.get(key[items.KEY]["S"], {}), now).items()
        }

    def claim_clear(self, run: Run) -> ClearClaim | Refused:
        """See Tracker."""
        token = self._new_token()
        for _ in range(RACES):
            before = rules.known(self.job(run.file_name), run.file_name, self.uri)
            if before.join.token == token:
                return repairs.clear_claim(before, before)  # an earlier try of this call arrived, its answer did not
            after, answer = repairs.clearing(before, run, token=token, now=self._clock())
            if isinstance(answer, Refused):
                return answer
            if self._table.update(items.key_of_job(run.file_name), join_updates.claim_clear(before, after)).written:
                return answer
        raise self._lost("claim_clear", run)

    def finish_clear(self, claim: ClearClaim) -> Job | None:
        """See Tracker. What shards expect goes into the next round's first: a crash between leaves it there."""
        run, total = claim.run, claim.job.total_parts
        following = rules.of_round(run, None, run.round + 1)
        for index in range(self._reports.shard_count(total)):
            shard = self._table.get(items.key_of_shard(run, index))
            if shard is not None and (expected := items.expected_in(shard, run)):
                self._table.update(items.key_of_shard(following, index), updates.keep_expected(run, total, expected))
        answer = self._table.update(items.key_of_job(run.file_name), join_updates.finish_clear(claim))
        job = items.job_or_none(answer.item)
        if not repairs.is_cleared(job, claim):  # it is where the write was made, and where its answer was lost
            return None
        self._expire(run, total)
        return job

    def count_full_shards(self, run: Run) -> Job:
        """See Tracker."""
        return self._count_all(run, clip=False)

    def _count_all(self, run: Run, *, clip: bool) -> Job:
        """``count_full_shards``; ``clip`` also where a published counter's duplicate went beyond the total."""
        item = self._table.get(items.key_of_job(run.file_name))
        job = rules.known(items.job_or_none(item), run.file_name, self.uri)
        if job.run != run:
            return job
        run = rules.of_round(run, job)
        if job.total_parts <= self._shard_parts:
            return self._complete_mixed(job, run, len(items.numbers(item or {}, "done")), into="done") if clip else job
        shards = self._reports.shards(run, job.total_parts)
        inside = set(items.numbers(item or {}, "shards"))
        for index, shard in shards.items():
            if index not in inside and len(shard.done) == self._size(index, job.total_parts):
                answer = self._count_shard(run, job.total_parts, index, shard)
                job = rules.known(answer.job, run.file_name, self.uri)
                if isinstance(answer, Superseded):
                    return job
                inside.add(index)
        guarded = sum(self._size(index, job.total_parts) for index in inside)
        numbered = sum(len(shard.done) for shard in shards.values())
        if job.processed_parts - guarded + numbered < job.total_parts:
            return job
        return self._complete_mixed(job, run, numbered, into="shards")

    def _complete_mixed(self, job: Job, run: Run, numbered: int, *, into: str) -> Job:
        """Make complete what ours and a published counter counted together, or its duplicates beyond the total."""
        enough = into == "shards" or job.processed_parts > job.total_parts
        if job.complete or not enough or job.join.state == JoinState.JOINED:
            return job
        members = range(self._reports.shard_count(job.total_parts))
        unnumbered = max(0, job.total_parts - numbered)
        update = updates.make_complete(job, run, into=into, members=members, unnumbered=unnumbered)
        answer = self._table.update(items.key_of_job(run.file_name), update)
        return items.job_of(answer.item) if answer.item is not None else job

    def unfinished(self, *, after: str, most: int, failures: bool) -> Iterator[Unfinished]:
        """See Tracker."""
        return self._reports.unfinished(after, most, failures=failures)

    def progress(self, file_name: str) -> JobProgress:
        """See Tracker."""
        return self._reports.progress(file_name)

    def list(self) -> Iterator[JobProgress]:
        """See Tracker."""
        return self._reports.all_jobs()

    def close(self) -> None:
        """See Tracker."""
        if self._owned:
            self._table.client.close()

    def _size(self, index: int, total_parts: int) -> int:
        return min(self._shard_parts, total_parts - index * self._shard_parts)

    def _lost(self, verb: str, run: Run) -> StoreError:
        return StoreError(f"{self.uri}: {verb} of {run.file_name}, {run}: lost {RACES} races", hint="try again")
