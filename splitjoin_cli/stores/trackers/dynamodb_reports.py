"""What the DynamoDB tracker reads for its reports: many items at a time."""

from __future__ import annotations

from heapq import nsmallest
from itertools import groupby, islice
from typing import TYPE_CHECKING

from splitjoin_cli.stores.trackers import dynamodb_items as items
from splitjoin_cli.stores.trackers import rules
from splitjoin_cli.stores.trackers.jobs import JoinState, Unfinished

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from splitjoin_cli.stores.trackers.dynamodb_calls import Table
    from splitjoin_cli.stores.trackers.dynamodb_items import Item, Shard
    from splitjoin_cli.stores.trackers.jobs import Failure, Job, JobProgress, Run

JOBS_INDEX = "jobs"
UNFINISHED_INDEX = "unfinished"
FAILURES_INDEX = "failures"
PAGE = 100


class Reports:
    """Reads jobs, their shards and their failures."""

    def __init__(self, table: Table, shard_parts: int) -> None:
        """``shard_parts``: chunks of a full shard."""
        self._table = table
        self._shard_parts = shard_parts

    def shard_count(self, total_parts: int) -> int:
        """How many shards a job has; 0 where its chunks are in its own item."""
        return 0 if total_parts <= self._shard_parts else -(-total_parts // self._shard_parts)

    def shards(self, run: Run, total_parts: int) -> dict[int, Shard]:
        """A job's shards that are there, and are of its run and total, by index, each read consistently."""
        return self._shards_of([(run, total_parts)])[run]

    def _shards_of(self, runs: Sequence[tuple[Run, int]]) -> dict[Run, dict[int, Shard]]:
        """The same for many jobs, in as few requests."""
        wanted = {
            key["file_name"]["S"]: (run, total, index, key)
            for run, total in runs
            for index in range(self.shard_count(total))
            for key in [items.key_of_shard(run, index)]
        }
        found = self._table.get_many([key for *_, key in wanted.values()])
        shards: dict[Run, dict[int, Shard]] = {run: {} for run, _ in runs}
        for name, (run, total, index, _) in wanted.items():
            if name in found and items.is_shard_of(found[name], run, total):
                shards[run][index] = items.shard_of(found[name])
        return shards

    def keys_beside(self, run: Run, total_parts: int) -> Iterator[Item]:
        """The keys of all that a run has beside its job's item: shards, and failures as far as the index knows."""
        for index in range(self.shard_count(total_parts)):
            yield items.key_of_shard(run, index)
        for found in self._table.query(FAILURES_INDEX, "failed_job", items.text(items.failed_job(run))):
            yield {items.KEY: found[items.KEY]}

    def unfinished(self, after: str, most: int, *, failures: bool) -> Iterator[Unfinished]:
        """Jobs with a run that are in the index of unfinished ones, and still are when they are read, in order of name.

        Requests: the pages of the index; then for each PAGE of jobs one that reads the heads and, where there are
        shards, one for each hundred of them; with ``failures`` once the pages of their index. Names alone are held.
        """
        listed = (str(item[items.KEY]["S"]) for item in self._table.scan(UNFINISHED_INDEX))
        names = list(dict.fromkeys(nsmallest(most, (name for name in listed if name > after))))
        final = self._final_failures(set(names)) if failures and names else {}
        for at in range(0, len(names), PAGE):
            yield from self._unfinished(names[at : at + PAGE], final)

    def _unfinished(self, names: list[str], final: Mapping[str, list[Failure]]) -> Iterator[Unfinished]:
        found = self._table.get_many([items.key_of_job(name) for name in names])
        heads = [(found[name], items.job_of(found[name])) for name in names if items.MARKER in found.get(name, {})]
        runs = [(job.run, job.total_parts) for _, job in heads if job.run and job.join.state != JoinState.JOINED]
        shards = self._shards_of(runs)
        for item, job in heads:
            if job.run is None:
                continue
            mine = shards.get(job.run, {})
            report = self._report(item, job, mine, final.get(items.failed_job(job.run), ()))
            uncounted = self._lags(item, job, mine, report.processed_parts)
            yield Unfinished(job, uncounted, report.counted_at, report.failures[0] if report.failures else None)

    def _lags(self, item: Item, job: Job, shards: dict[int, Shard], processed_parts: int) -> bool:
        """Whether a full shard is not counted into the job's item, or all chunks are counted and it does not say so."""
        if self.shard_count(job.total_parts) == 0:
            return False
        inside, parts = items.numbers(item, "shards"), self._shard_parts
        full = any(
            len(shard.done) == min(parts, job.total_parts - index * parts)
            for index, shard in shards.items()
            if index not in inside
        )
        return full or (processed_parts >= job.total_parts and not job.complete)

    def progress(self, file_name: str) -> JobProgress:
        """One job's report."""
        item = self._table.get(items.key_of_job(file_name))
        job = rules.known(items.job_or_none(item), file_name, self._table.uri)
        if item is None or job.run is None or _is_tidied(item):
            return self._report(item or {}, job, {}, ())
        found = self._table.query(FAILURES_INDEX, "failed_job", items.text(items.failed_job(job.run)))
        failures = [items.failure_of(failure) for failure in found]
        return self._report(item, job, self.shards(job.run, job.total_parts), failures)

    def all_jobs(self) -> Iterator[JobProgress]:
        """All jobs' reports. The failures are read once, and only where a job is under way."""
        failures: dict[str, list[Failure]] | None = None
        heads = self._heads(JOBS_INDEX)
        while page := [(item, items.job_of(item)) for item in islice(heads, PAGE)]:
            open_runs = [(job.run, job.total_parts) for item, job in page if job.run and not _is_tidied(item)]
            if open_runs and failures is None:
                failures = self._failures()
            shards = self._shards_of(open_runs)
            for item, job in page:
                mine = (failures or {}).get(items.failed_job(job.run), []) if job.run else []
                yield self._report(item, job, shards.get(job.run, {}) if job.run else {}, mine)

    def _final_failures(self, names: Container[str]) -> dict[str, list[Failure]]:
        """The failures for good of the jobs of these names, by run and round."""
        found: dict[str, list[Failure]] = {}
        for item in self._table.scan(FAILURES_INDEX):
            whose, failure = str(item["failed_job"]["S"]), items.failure_of(item)
            if failure.final and items.job_name(whose) in names:
                found.setdefault(whose, []).append(failure)
        return found

    def _failures(self) -> dict[str, list[Failure]]:
        found = sorted(self._table.scan(FAILURES_INDEX), key=lambda item: str(item["failed_job"]["S"]))
        groups = groupby(found, key=lambda item: str(item["failed_job"]["S"]))
        return {name: [items.failure_of(item) for item in group] for name, group in groups}

    def _heads(self, index: str) -> Iterator[Item]:
        """The items of the jobs that an index knows, each once, and read consistently."""
        keys = self._keys(index)
        while page := list(islice(keys, PAGE)):
            yield from self._table.get_many(page).values()

    def _keys(self, index: str) -> Iterator[Item]:
        """A job that gets another total meanwhile moves within the index, so that a scan may meet it twice."""
        seen: set[str] = set()
        for item in self._table.scan(index):
            name = str(item[items.KEY]["S"])
            if name not in seen:
                seen.add(name)
                yield {items.KEY: item[items.KEY]}

    def _report(self, item: Item, job: Job, shards: dict[int, Shard], failures: Iterable[Failure]) -> JobProgress:
        inside = items.numbers(item, "shards")
        sharded = self.shard_count(job.total_parts) > 0
        uncounted = [shard for index, shard in shards.items() if index not in inside]
        return rules.report(
            job,
            numbers=self._numbers(item, job, shards),
            unnumbered=self._unnumbered(item, job, sharded=sharded),
            more_rows=sum(shard.rows for shard in uncounted),
            more_duplicates=sum(shard.duplicates for shard in shards.values()),
            counted_at=max((shard.counted_at for shard in shards.values() if shard.counted_at), default=None),
            failures=tuple(failures),
        )

    def _numbers(self, item: Item, job: Job, shards: dict[int, Shard]) -> Iterable[int] | None:
        """The chunks that are counted by number; None for all of a joined job, whose shards may be gone."""
        if self.shard_count(job.total_parts) == 0:
            return items.numbers(item, "done")
        if job.run is None:
            return ()
        if _is_tidied(item):
            return None
        parts = self._shard_parts
        return (index * parts + member + 1 for index, shard in shards.items() for member in shard.done)

    def _unnumbered(self, item: Item, job: Job, *, sharded: bool) -> int:
        """How many counts came without a number: the published counter's."""
        if "unnumbered" in item:
            return int(item["unnumbered"]["N"])
        if not sharded:
            return job.processed_parts - len(items.numbers(item, "done"))
        inside = items.numbers(item, "shards")
        parts, total = self._shard_parts, job.total_parts
        return job.processed_parts - sum(min(parts, total - index * parts) for index in inside)


def _is_tidied(item: Item) -> bool:
    """Whether the job is joined and its shards and failures are on their way out."""
    return items.MARKER not in item and item.get("join_state", {}).get("S") == JoinState.JOINED
