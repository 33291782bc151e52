"""A run is taken out of its database, whatever is killed when; nobody joins over rows that are being deleted."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from splitjoin_cli.core.errors import (
    LoadError,
    NoRunColumnError,
    NoSuchJobError,
    RunConflictError,
    SplitjoinError,
    UsageError,
)
from splitjoin_cli.join.operate.clear import ClearReport, choose_run, clear_run, plan_clear
from splitjoin_cli.stores.loaders.base import Ledger, LedgerJob, TableRows
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from tests.join.memory import FILE_NAME, RUN_ID, MemoryLoader
from tests.join.operate.repairs import RUN, DiedError, Life, Mortal, World, lives, world
from tests.schemas import hold

OTHER = "b" * 32
SQL = (
    f"DELETE FROM \"t\" WHERE \"run\" = '{RUN_ID}'; DELETE FROM splitjoin_ledger WHERE file_name = '{FILE_NAME}' AND"
    f" run_id = '{RUN_ID}'; UPDATE splitjoin_jobs SET joined_at = NULL WHERE file_name = '{FILE_NAME}' AND run_id ="
    f" '{RUN_ID}'"
)


def quoted(name: str) -> str:
    """As most databases write an identifier."""
    return f'"{name}"'


def ledger_of(made: World) -> Ledger:
    """What a look into the database shows."""
    runs: dict[str, dict[int, int]] = {}
    for (_, run_id, number), (rows, _) in made.database.ledger.items():
        runs.setdefault(run_id, {})[number] = rows
    return Ledger("memory:", found=True, job=made.database.jobs.get(FILE_NAME), runs=runs)


def clear(
    made: World, life: Life, *, tracker: bool = True, column: str | None = "run", dry_run: bool = False,
    run_id: str | None = None,
) -> ClearReport:  # fmt: skip
    """One process that clears."""
    jobs: Any = Mortal(made.tracker(), life) if tracker else None
    loader: Any = Mortal(MemoryLoader(made.database), life)
    ledger = life.around(lambda: ledger_of(made))
    job = jobs.job(FILE_NAME) if jobs else None
    plan = plan_clear(ledger, FILE_NAME, choose_run(ledger, FILE_NAME, run_id, job), column, quoted)
    return clear_run(plan, loader, jobs, column, dry_run=dry_run)


def joined() -> World:
    """All is loaded, counted and joined."""
    made = world()
    tracker = made.tracker()
    made.database.jobs[FILE_NAME] = LedgerJob(FILE_NAME, RUN_ID, 1, "t", "2024-01-31T00:00:00Z")
    for number in (1, 2, 3):
        made.database.ledger[FILE_NAME, RUN_ID, number] = (2, None)
        made.database.table[RUN_ID, number] = 1
        tracker.mark_done(RUN, number, total_parts=3, rows=2)
    tracker.claim_join(RUN, owner="w", lease_seconds=60)
    tracker.finish_join(RUN)
    return made


def state(made: World) -> tuple[object, ...]:
    """All that a clear leaves, less the fence, which grows with each try."""
    job = made.tracker().job(FILE_NAME)
    assert job is not None
    database = made.database
    return (database.ledger, database.table, database.jobs, replace(job, join=replace(job.join, fence=0)))


def test_a_cleared_run_can_be_loaded_again() -> None:
    """Rows, ledger and joined_at are gone; nothing is counted; a new round begins."""
    made = joined()
    document = clear(made, Life()).to_json()
    hold("clear", document)
    assert document == {
        "file_name": FILE_NAME,
        "run_id": RUN_ID,
        "chunks": 3,
        "rows": 6,
        "table": "t",
        "tracker": "memory:",
        "sql": SQL,
        "done": True,
        "dry_run": False,
    }
    assert (made.database.ledger, made.database.table) == ({}, {})
    assert made.database.jobs[FILE_NAME].joined_at is None
    job = made.tracker().job(FILE_NAME)
    assert job is not None
    assert (job.processed_parts, job.round, job.join.state) == (0, 1, "none")


def test_killed_anywhere_the_same_command_takes_it_over() -> None:
    """Before and after every call: the same command then leaves what an undisturbed one leaves, but for the round."""
    undisturbed = joined()
    clear(undisturbed, Life())
    died = 0
    for life in lives():
        made = joined()
        try:
            clear(made, life)
        except DiedError:
            died += 1
            job = made.tracker().job(FILE_NAME)
            assert job is not None
            if len(made.database.ledger) < 3:
                assert job.join.state == "clearing" or job.round == 1
        clear(made, Life())
        database, expected = made.database, undisturbed.database
        assert (database.ledger, database.table, database.jobs) == (expected.ledger, expected.table, expected.jobs)
        job = made.tracker().job(FILE_NAME)
        assert job is not None
        assert (job.processed_parts, job.join.state) == (0, "none")
        assert job.round in {1, 2}
    assert died > 8


def test_a_live_lease_keeps_it_out() -> None:
    """Its owner is about to continue: nothing is deleted."""
    made = world()
    tracker = made.tracker()
    made.database.jobs[FILE_NAME] = LedgerJob(FILE_NAME, RUN_ID, 1, "t", None)
    for number in (1, 2, 3):
        made.database.ledger[FILE_NAME, RUN_ID, number] = (2, None)
        made.database.table[RUN_ID, number] = 1
        tracker.mark_done(RUN, number, total_parts=3, rows=2)
    tracker.claim_join(RUN, owner="worker 7", lease_seconds=60)
    before = state(made)
    message = f"{FILE_NAME}: worker 7 has the join, and its lease is alive"
    with pytest.raises(SplitjoinError, match=f"^{re.escape(message)}$"):
        clear(made, Life())
    assert state(made) == before


def test_an_older_run_than_the_trackers_leaves_the_tracker_alone() -> None:
    """Its rows go, the newer run's counts stay."""
    made = joined()
    made.tracker().replace_job(JobSpec(Run(FILE_NAME, OTHER), 3))
    before = made.tracker().job(FILE_NAME)
    report = clear(made, Life())
    assert (report.tracker, report.plan.chunks, made.database.ledger) == (None, 3, {})
    assert made.tracker().job(FILE_NAME) == before


def test_a_run_that_is_replaced_while_it_is_cleared_is_left_to_the_newer() -> None:
    """The database is done; the tracker is the newer run's by then."""
    made = joined()
    loader = MemoryLoader(made.database)
    plan = plan_clear(ledger_of(made), FILE_NAME, RUN_ID, "run", quoted)

    class Slow(MemoryLoader):
        def clear_run(self, file_name: str, run_id: str) -> Any:  # noqa: ANN401 -- as the loader has it
            made.tracker().replace_job(JobSpec(Run(FILE_NAME, OTHER), 3))
            return loader.clear_run(file_name, run_id)

    report = clear_run(plan, Slow(made.database), made.tracker(), "run", dry_run=False)
    assert (report.tracker, made.database.ledger) == (None, {})


def test_a_claim_that_another_clear_took_ends_it() -> None:
    """Only one of two begins the next round."""
    made = joined()
    plan = plan_clear(ledger_of(made), FILE_NAME, RUN_ID, "run", quoted)

    class Slow(MemoryLoader):
        def clear_run(self, file_name: str, run_id: str) -> Any:  # noqa: ANN401 -- as the loader has it
            made.tracker().claim_clear(RUN)
            return MemoryLoader(made.database).clear_run(file_name, run_id)

    message = f"{FILE_NAME}: another splitjoin clear took the claim over; the run is out of the database"
    with pytest.raises(SplitjoinError, match=f"^{re.escape(message)}$"):
        clear_run(plan, Slow(made.database), made.tracker(), "run", dry_run=False)


class HasNoRunColumn(MemoryLoader):
    """A table without the column that was named."""

    def table_rows(self, file_name: str = "", run_id: str = "") -> TableRows:  # noqa: ARG002 -- Loader's signature
        """As engines do: the hint is for who loads."""
        raise NoRunColumnError("table t has no column run", hint='ALTER TABLE "t" ADD COLUMN "run" TEXT')


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_run_column_that_is_missing_is_not_to_be_added(*, dry_run: bool) -> None:
    """A new one says nothing of the rows that are there, and the same command would fail by their number."""
    made = joined()
    before = state(made)
    plan = plan_clear(ledger_of(made), FILE_NAME, RUN_ID, "run", quoted)
    with pytest.raises(SplitjoinError) as error:
        clear_run(plan, HasNoRunColumn(made.database), made.tracker(), "run", dry_run=dry_run)
    assert error.value.message == f"which rows of t are of run {RUN_ID} is unknown: the table has no column run"
    assert error.value.hint == "check --run-column; or leave it out, and the command says the SQL that deletes them"
    assert state(made) == before


@pytest.mark.parametrize("dry_run", [True, False])
def test_rows_that_cannot_be_told_or_are_not_there_stop_it(*, dry_run: bool) -> None:
    """Before anything is claimed: without a column it says the SQL; with too few rows it counts both."""
    made = joined()
    before = state(made)
    with pytest.raises(SplitjoinError, match=f"^which rows of t are of run {RUN_ID} is unknown") as error:
        clear(made, Life(), column=None, dry_run=dry_run)
    assert error.value.hint is not None
    assert 'DELETE FROM "t" WHERE ...; DELETE FROM splitjoin_ledger WHERE' in error.value.hint
    assert state(made) == before
    del made.database.table[RUN_ID, 2]
    message = f"the ledger holds 6 rows of run {RUN_ID}, and only 4 rows carry it in column run of t; nothing was done"
    with pytest.raises(RunConflictError, match=f"^{re.escape(message)}$"):
        clear(made, Life(), dry_run=dry_run)
    job = made.tracker().job(FILE_NAME)
    assert job is not None
    assert job.join.state == "joined"


def test_after_the_sql_was_typed_the_same_command_clears_the_tracker() -> None:
    """No run column is needed where the ledger has nothing of the run."""
    made = joined()
    made.database.ledger.clear()
    made.database.table.clear()
    report = clear(made, Life(), column=None)
    assert (report.tracker, report.round, report.plan.chunks) == ("memory:", 1, 0)


def test_which_run_is_asked_for_where_the_ledger_holds_several() -> None:
    """They are listed; one that nobody knows is refused; a job that the ledger does not know is exit 10."""
    ledger = Ledger("memory:", found=True, runs={RUN_ID: {1: 2}, OTHER: {1: 2}})
    with pytest.raises(UsageError, match=f"^the ledger holds several runs of {FILE_NAME}: {RUN_ID}, {OTHER}$"):
        choose_run(ledger, FILE_NAME, None, None)
    assert choose_run(ledger, FILE_NAME, OTHER, None) == OTHER
    with pytest.raises(UsageError, match=f"^the ledger holds no run c of {FILE_NAME}$"):
        choose_run(ledger, FILE_NAME, "c", None)
    with pytest.raises(NoSuchJobError, match=f"^memory:: the ledger knows no job {FILE_NAME}$"):
        choose_run(Ledger("memory:", found=True), FILE_NAME, None, None)


@pytest.mark.parametrize("tracker", [True, False])
def test_a_dry_run_does_nothing(*, tracker: bool) -> None:
    """It counts what would go, and shows the SQL."""
    made = joined()
    before = state(made)
    report = clear(made, Life(), tracker=tracker, dry_run=True)
    assert (report.plan.rows, report.plan.sql, report.tracker) == (6, SQL, "memory:" if tracker else None)
    assert state(made) == before


def test_without_a_tracker_the_database_alone_is_cleared() -> None:
    """``--tracker none``."""
    made = joined()
    report = clear(made, Life(), tracker=False)
    assert (report.tracker, made.database.ledger) == (None, {})


def test_a_database_that_fails_leaves_the_claim_for_the_same_command() -> None:
    """Nobody joins until it is typed again."""
    made = joined()
    plan = plan_clear(ledger_of(made), FILE_NAME, RUN_ID, "run", quoted)

    class Away(MemoryLoader):
        def clear_run(self, file_name: str, run_id: str) -> Any:  # noqa: ANN401 -- as the loader has it
            raise LoadError(f"{file_name} {run_id}: the database is away")

    with pytest.raises(LoadError):
        clear_run(plan, Away(made.database), made.tracker(), "run", dry_run=False)
    job = made.tracker().job(FILE_NAME)
    assert job is not None
    assert job.join.state == "clearing"
    assert clear(made, Life()).round == 1
