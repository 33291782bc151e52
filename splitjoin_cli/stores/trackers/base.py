"""The contract of a tracker: the store of each job's progress. splitjoin_cli/testing/ tests each rule.

A tracker answers three questions exactly: is this chunk counted, is the job complete, and who may run what follows.
Its rules are those of a protocol that was model-checked: each condition below closes a gap through which a join was
lost, doubled, or early.

All times are seconds since 1970-01-01 UTC, whole milliseconds, of the tracker's own injected clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from splitjoin_cli.stores.trackers.answers import Claim, ClearClaim, InitReport, Marked, Mending, Refused
    from splitjoin_cli.stores.trackers.jobs import Failure, Job, JobProgress, JobSpec, Run, Unfinished

    Clock = Callable[[], float]
    Checksum = Callable[[], str | None]
    """Tells an object's checksum, ``crc64nvme:BASE64``; it may have to read the object for it."""

SHARD_PARTS = 256
"""Chunks that are counted in one place; a job of more has one place for each so many: DynamoDB's bill asks for it."""
MAX_CLAIMS = 5
"""After so many claims without a finish the join is ``failed`` until ``reopen_join``."""
MOST_JOBS = 10_000
"""So many jobs a sweep looks at; the next one goes on after them."""
ERROR_BYTES = 500
"""Error texts are cut to so many bytes of UTF-8."""
CLEAR = "clear"
"""The join's owner while ``clear`` takes a run out of its database."""


class Tracker(Protocol):
    """A store of jobs. All methods are thread-safe, and safe across processes where the store is.

    Every method is safe to repeat: after a lost answer, a crash, or a redelivery the same call leaves the same state
    and tells the same, as far as nobody else acted in between. A store that asks for patience (throttling, conflicts,
    locks, 5xx, lost connections) is asked again, and that is never taken for an answer; when patience ends, StoreError.

    "Another run" is another ``run_id`` or generation than the job's. Where the job's generation is newer, the caller's
    run was replaced: Superseded (or its like). Else OtherRunError, which names both. It is looked at first, the total
    second (OtherTotalError), and only then whether the chunk is counted.
    """

    @property
    def uri(self) -> str:
        """``dynamodb:TABLE``, ``sqlite:PATH``, ``memory:``; for messages."""

    def init(self) -> InitReport:
        """Make the table and what belongs to it. What is right already is left as it is."""

    def reach(self) -> None:
        """Raise NotFoundError where there is no such file or table: a look at what is not there tells of no jobs."""

    def open_job(self, spec: JobSpec) -> Job:
        """Make the job known, or complete what is known of it; MAY come after chunks were counted.

        An upsert: what is there stays, what is missing is filled in. The answer's ``generation`` is what the chunks'
        metadata must carry: that of the job where the same run is there, else ``spec.run.generation``. Raises
        NameTakenError where another run has the name, whatever its generation, and where the job has counts but no
        run (the published counter's); OtherTotalError where the same run has another total.
        """

    def replace_job(self, spec: JobSpec) -> Job:
        """``split --force``: make ``spec``'s the job's run, MUST happen before the first object is replaced.

        The generation grows by exactly 1 (at least to ``spec.run.generation``), counts and join start again, the fence
        does not. Where the same run is there, or nothing, this is ``open_job``: repeated, it is no newer generation.
        """

    def job(self, file_name: str) -> Job | None:
        """The job's head, consistent and cheap, whatever its size; None where the tracker does not know it."""

    def mark_done(
        self, run: Run, number: int, *, total_parts: int, rows: int, checksum: Checksum | None = None
    ) -> Marked:
        """Count chunk ``number`` (from 1), whose ``rows`` are loaded and committed.

        ``checksum``: tells that of the object that was loaded; asked only where ``expect`` wrote one down for the
        chunk. Another one, or none, raises RunConflictError, which names both; so does a duplicate's. A round that is
        not the job's raises ClearedError: the load may have been undone since.

        Each chunk MUST be counted exactly once, whatever is delivered, repeated or lost; the ``job`` in an answer is
        what the counting write itself returned, never a later read. For each run exactly one answer has ``completed``,
        and none where that one is lost: whoever gets ``complete`` goes on to ``claim_join``, Duplicate or not.
        Whoever sees a full shard counts it into the head before this returns. Works without ``open_job``: the first
        count makes the job. Duplicates are counted, as well as can be. Raises OtherRunError, OtherTotalError,
        ValueError for a number outside 1 to ``total_parts``.
        After ``finish_join`` the shards of a large job expire: ask ``job`` first, and leave a joined run alone.
        """

    def mark_failed(self, run: Run, number: int, *, error: str, final: bool) -> None:
        """Note a failed try of a chunk. ``error`` is cut to ERROR_BYTES and MUST hold no secret.

        ``final``: nobody tries again by himself. A count of the chunk, before or after, wins over it. MAY count a try
        twice when an answer is lost.
        """

    def mark_retried(self, run: Run, failure: Failure) -> None:
        """Note that the chunk of a final ``failure``, as ``progress`` told it, was sent through again.

        It is ``retried`` then, and final no more. MUST change nothing where a later try of the chunk failed meanwhile.
        """

    def claim_join(self, run: Run, *, owner: str, lease_seconds: float) -> Claim | Refused:
        """Ask for the right to run the continuation. At most one owner at a time has a live lease.

        Granted where the job is the same run's and round's, complete, not joined, not failed, and nobody holds it. Each
        claim has a fresh token, so that its own repeat after a lost answer is recognised, and a fence greater than all
        before. The first claim of a run sets ``joined_at``. After MAX_CLAIMS claims that lapsed or failed the join is
        ``failed``. Raises OtherRunError, NoSuchJobError.
        """

    def renew_join(self, claim: Claim, *, lease_seconds: float) -> Claim | None:
        """Prolong a lease, from now on; to be called at a third of its length. None: it is somebody else's by now."""

    def release_join(self, claim: Claim) -> bool:
        """Give a claim back before the continuation began: it is no attempt. False: it was somebody else's by now."""

    def fail_join(self, claim: Claim, *, error: str, backoff_seconds: float, final: bool = False) -> bool:
        """Note that the continuation failed; the next claim may come after ``backoff_seconds``.

        ``final``, and the MAX_CLAIMS-th attempt: the join is ``failed``. False: it was somebody else's by now, and
        nothing was written.
        """

    def finish_join(self, run: Run) -> bool:
        """The continuation succeeded: the run is joined, whoever's claim stands by now.

        A success needs only the same run and round: else a continuation longer than its lease would repeat for ever.
        What is kept only for counting gets an end; the head stays. False where the run was replaced, or is or was
        cleared since: nothing was written.
        Raises OtherRunError, NoSuchJobError, StoreError where the run was never claimed.
        """

    def reopen_join(self, run: Run) -> Job:
        """After a repair: a failed or waiting join may be claimed at once, with new attempts; all else stays.

        Counts full shards first, as ``count_full_shards``. Raises OtherRunError (also where the run was replaced),
        NoSuchJobError.
        """

    def expect(self, run: Run, number: int, checksum: str | None, *, total_parts: int, asked: bool) -> Mending:
        """Write down which object chunk ``number`` must be counted with; None takes back what was written down.

        ``asked``: it is this tracker that says whether the chunk is loaded, in the same act: nothing is written where
        the chunk is counted, or the run joined, unless the same checksum is written down already. Without, the ledger
        was asked before, and only the run must be the job's. What is written down outlives a clear, and is dropped with
        the run. Raises OtherRunError, OtherTotalError, NoSuchJobError; ClearedError while the run is cleared.
        """

    def all_expected(self, run: Run) -> dict[int, str]:
        """What ``expect`` wrote down for the run's chunks, by number."""

    def claim_clear(self, run: Run) -> ClearClaim | Refused:
        """Take the join to clear ``run``; also one that is joined or failed, or that a killed clear has.

        One conditional write: the job is the run's, and no lease is alive (else Refused as HELD). The fence grows; the
        state is ``clearing`` and the owner CLEAR until ``finish_clear``. Whatever round ``run`` has, the job's is
        taken. Superseded runs are Refused; raises OtherRunError, NoSuchJobError.
        """

    def finish_clear(self, claim: ClearClaim) -> Job | None:
        """The run is out of its database: counts, failures and join begin again in a new round; the generation stays.

        None where the claim is somebody else's by now: nothing was written.
        """

    def count_full_shards(self, run: Run) -> Job:
        """The sweep's repair: count every full shard that the head lacks; the answer tells whether the job is complete.

        Where a published counter counted beside ours (more counts than numbers) and both together reach the total,
        the head is made complete. Nothing happens where the run was replaced. Raises NoSuchJobError.
        """

    def unfinished(self, *, after: str, most: int, failures: bool) -> Iterator[Unfinished]:
        """The sweep's candidates: jobs with a run that ``finish_join`` has not done with, heads read consistently.

        In order of name, the first ``most`` after ``after``. MAY lag behind by seconds, and MAY give a job that is
        ``joined``: its finish, interrupted, is to be called again. ``failures``: also what failed for good.
        """

    def progress(self, file_name: str) -> JobProgress:
        """All about one job, fast up to a million chunks. Raises NoSuchJobError."""

    def list(self) -> Iterator[JobProgress]:
        """All jobs, in no order; published ones too. MAY lag behind by seconds."""

    def close(self) -> None:
        """Free threads and connections. Safe to repeat."""
