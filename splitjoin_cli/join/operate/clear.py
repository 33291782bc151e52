"""Takes a run out of a database, so that another, or the same one, can be loaded.

The join is claimed first: nobody continues over rows that are being deleted. Then one transaction in the database, then
the tracker begins the run's next round, on condition of that claim. A clear that was killed is typed again: it takes
the claim over, finds what is deleted already, and ends the round.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.errors import (
    NoRunColumnError,
    NoSuchJobError,
    OtherRunError,
    RunConflictError,
    SplitjoinError,
    UsageError,
)
from splitjoin_cli.stores.loaders.base import JOBS, LEDGER
from splitjoin_cli.stores.trackers.answers import Refusal, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.stores.loaders.base import Ledger, Loader
    from splitjoin_cli.stores.trackers.answers import ClearClaim
    from splitjoin_cli.stores.trackers.base import Tracker
    from splitjoin_cli.stores.trackers.jobs import Job, Run

__all__ = ["ClearPlan", "ClearReport", "choose_run", "clear_run", "plan_clear"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearPlan:
    """What is to be cleared: a run, as the ledger has it. ``table``: empty where nothing was ever loaded of the job.

    ``sql``: what deletes it, for an operator to type; None where there is nothing to delete.
    """

    file_name: str
    run_id: str
    chunks: int
    rows: int
    table: str
    sql: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearReport:
    """What was done; with ``dry_run`` what would be. ``tracker``: None where it has another run, or none was asked.

    ``round``: the round that the tracker is in now.
    """

    plan: ClearPlan
    tracker: str | None
    round: int | None
    dry_run: bool

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        plan = self.plan
        return {
            "file_name": plan.file_name,
            "run_id": plan.run_id,
            "chunks": plan.chunks,
            "rows": plan.rows,
            "table": plan.table or None,
            "tracker": self.tracker,
            "sql": plan.sql,
            "done": not self.dry_run,
            "dry_run": self.dry_run,
        }


def choose_run(ledger: Ledger, file_name: str, run_id: str | None, job: Job | None) -> str:
    """The run that is meant: ``run_id``, or the only one of the ledger.

    ``job``: as the tracker has it: a clear that was killed after its rows were gone leaves the run there. Raises
    NoSuchJobError where the ledger knows no such job, UsageError, which lists them, where it has several runs.
    """
    if ledger.job is None and not ledger.runs:
        raise NoSuchJobError(
            f"{ledger.uri}: the ledger knows no job {file_name}",
            hint="check the name and the database; splitjoin status --tracker URL lists the jobs of a tracker",
        )
    listed = ", ".join(sorted(ledger.runs)) or "none"
    if run_id is None:
        if len(ledger.runs) > 1:
            raise UsageError(
                f"the ledger holds several runs of {file_name}: {listed}", hint="say which one with --run RUN_ID"
            )
        if ledger.runs:
            return next(iter(ledger.runs))
        assert ledger.job is not None  # noqa: S101 -- looked at above
        return ledger.job.run_id
    known = {*ledger.runs, *(one.run_id for one in (ledger.job, job) if one is not None)}
    if run_id not in known:
        raise UsageError(f"the ledger holds no run {run_id} of {file_name}", hint=f"it holds {listed}")
    return run_id


def plan_clear(
    ledger: Ledger, file_name: str, run_id: str, run_column: str | None, quoted: Callable[[str], str]
) -> ClearPlan:
    """What a clear of ``run_id`` deletes. ``quoted``: an identifier as the database writes it."""
    loaded = ledger.runs.get(run_id, {})
    table = "" if ledger.job is None else ledger.job.table
    return ClearPlan(
        file_name=file_name,
        run_id=run_id,
        chunks=len(loaded),
        rows=sum(loaded.values()),
        table=table,
        sql=_sql(table, file_name, run_id, run_column, quoted) if loaded else None,
    )


def _sql(table: str, file_name: str, run_id: str, run_column: str | None, quoted: Callable[[str], str]) -> str:
    name, run = (text.replace("'", "''") for text in (file_name, run_id))
    written = ".".join(quoted(part) for part in table.split("."))
    of_run = f"file_name = '{name}' AND run_id = '{run}'"
    rows = f"{quoted(run_column)} = '{run}'" if run_column else "..."
    statements = (
        f"DELETE FROM {written} WHERE {rows}",  # noqa: S608 -- shown to an operator, not run
        f"DELETE FROM {LEDGER} WHERE {of_run}",  # noqa: S608 -- the same
        f"UPDATE {JOBS} SET joined_at = NULL WHERE {of_run}",  # noqa: S608 -- the same
    )
    return "; ".join(statements)


def check_deletable(plan: ClearPlan, loader: Loader, run_column: str | None) -> None:
    """Raise SplitjoinError where the rows cannot be told, or are not all there: before anything is claimed."""
    if not plan.rows:
        return
    if run_column is None:
        raise SplitjoinError(
            f"which rows of {plan.table} are of run {plan.run_id} is unknown: no run column was named",
            hint=f"name it with --run-column; or, where the table has none, delete its {plan.rows} rows yourself, then"
            f" type this command again: {plan.sql} (... is what tells these rows from others)",
        )
    try:
        rows = loader.table_rows(plan.file_name, plan.run_id).rows
    except NoRunColumnError as exc:  # one that is added now says nothing of the rows that are there
        raise SplitjoinError(
            f"which rows of {plan.table} are of run {plan.run_id} is unknown: the table has no column {run_column}",
            hint="check --run-column; or leave it out, and the command says the SQL that deletes them",
        ) from exc
    if rows < plan.rows:
        raise RunConflictError(
            f"the ledger holds {plan.rows} rows of run {plan.run_id}, and only {rows} rows carry it in column"
            f" {run_column} of {plan.table}; nothing was done",
            hint="check --run-column; if rows were deleted by hand, delete the others as well, and the ledger's:"
            f" {plan.sql}",
        )


def clear_run(
    plan: ClearPlan, loader: Loader, tracker: Tracker | None, run_column: str | None, *, dry_run: bool
) -> ClearReport:
    """Take the run out of the database, then let the tracker begin its next round.

    Raises SplitjoinError where a lease is alive, where the rows cannot be told, and where another command took the
    claim over.
    """
    check_deletable(plan, loader, run_column)
    run = _run_in(tracker, plan)
    if dry_run or tracker is None or run is None:
        if not dry_run:
            plan = _deleted(plan, loader)
        uri = None if tracker is None or run is None else tracker.uri
        return ClearReport(plan=plan, tracker=uri, round=None, dry_run=dry_run)
    claim = _claimed(tracker, run)
    plan = _deleted(plan, loader)
    after = None if claim is None else _finished(tracker, claim)
    uri = None if after is None else tracker.uri
    return ClearReport(plan=plan, tracker=uri, round=None if after is None else after.round, dry_run=False)


def _deleted(plan: ClearPlan, loader: Loader) -> ClearPlan:
    """The plan with what was really there."""
    held = loader.clear_run(plan.file_name, plan.run_id)
    return ClearPlan(
        file_name=plan.file_name,
        run_id=plan.run_id,
        chunks=held.chunks,
        rows=held.rows,
        table=plan.table,
        sql=plan.sql,
    )


def _run_in(tracker: Tracker | None, plan: ClearPlan) -> Run | None:
    """The run as the tracker has it; None where it has another one, or does not know the job."""
    job = None if tracker is None else tracker.job(plan.file_name)
    return None if job is None or job.run_id != plan.run_id else job.run


def _claimed(tracker: Tracker, run: Run) -> ClearClaim | None:
    """The join, taken; None where a newer run has the job by now."""
    try:
        answer = tracker.claim_clear(run)
    except OtherRunError:
        return None
    if not isinstance(answer, Refused):
        return answer
    if answer.reason is Refusal.HELD:
        raise SplitjoinError(
            f"{run.file_name}: {answer.job.join.owner} has the join, and its lease is alive",
            hint="wait until the join ends, or its lease does; splitjoin status says when",
        )
    return None


def _finished(tracker: Tracker, claim: ClearClaim) -> Job | None:
    after = tracker.finish_clear(claim)
    if after is not None:
        return after
    now = tracker.job(claim.run.file_name)
    if now is None or now.run != claim.run:
        return None  # a newer run has the job: what is counted of it stays
    raise SplitjoinError(
        f"{claim.run.file_name}: another splitjoin clear took the claim over; the run is out of the database",
        hint="let it end; splitjoin status says what it left",
    )
