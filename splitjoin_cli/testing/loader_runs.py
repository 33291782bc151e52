"""The contract of a loader, as a suite of tests: which run's rows are in the table, and what a newer run does."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import BadRowError, LoadError, OlderRunError, RunConflictError
from splitjoin_cli.stores.loaders.base import LedgerJob
from splitjoin_cli.testing.chunks import JOB, RUN, chunk_of
from splitjoin_cli.testing.loading import NEWER, TABLE, WithLoader, fails, rows_of

if TYPE_CHECKING:
    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.testing.loading import LoaderRig

__all__ = ["LoaderRunsContract"]


class LoaderRunsContract(WithLoader):
    """Every loader: a newer run replaces an older one, and what it cannot tell apart is refused."""

    def test_another_etag_under_a_known_number_is_an_error(self, loader: Loader) -> None:
        """Chunks without metadata are known by it alone: never skipped."""
        chunk = chunk_of(b"1,Ann\n", validator='"aaa"')
        loader.load(chunk)
        assert loader.load(chunk).already_loaded
        error = fails(RunConflictError, loader, replace(chunk, validator='"bbb"'))
        assert error.message.endswith('the ledger holds this number with ETag "aaa", and the chunk\'s is "bbb"')
        assert loader.table_rows().rows == 1

    def test_another_table_for_the_same_job_is_an_error(self, rig: LoaderRig, loader: Loader) -> None:
        """The ledger would skip what the other table lacks."""
        loader.load(chunk_of(b"1,Ann\n"))
        loader.close()
        rig.query(f"UPDATE splitjoin_jobs SET table_name = 'elsewhere' WHERE file_name = '{JOB}'")
        error = fails(RunConflictError, loader, chunk_of(b"2,Bob\n", number=2))
        assert error.message.endswith("the ledger says that this job is loaded into table elsewhere, not people")

    def test_an_older_generation_is_refused(self, rig: LoaderRig, loader: Loader) -> None:
        """Its chunks were replaced: nothing is loaded, and the caller can tell."""
        loader.load(chunk_of(b"1,Ann\n", generation=2, run_id=NEWER))
        error = fails(OlderRunError, loader, chunk_of(b"1,Old\n", generation=1))
        assert error.message == (
            f"chunk 1 of 9 of {JOB} (run {RUN}) into {TABLE}: run {NEWER} (generation 2) has replaced it (generation 1)"
        )
        assert rows_of(rig) == [("1", "Ann")]

    def test_a_newer_generation_replaces_the_older_one(self, rig: LoaderRig) -> None:
        """By the run column, in the same transaction; other jobs' rows stay."""
        with contextlib.closing(rig.loader(run_column="run")) as loader:
            loader.load(chunk_of(b"1,Ann\n2,Bob\n"))
            loader.load(chunk_of(b"3,Cy\n", number=2))
            other = replace(chunk_of(b"9,Zed\n", run_id="other"), file_name="other_20240131")
            loader.load(other)
            assert loader.table_rows(JOB, RUN).rows == 3
            assert loader.mark_joined(JOB, RUN, "2024-01-31T12:00:00Z")
            loader.load(chunk_of(b"1,Eve\n", run_id=NEWER, generation=2))
            assert rows_of(rig, "id, name, run") == [("1", "Eve", NEWER), ("9", "Zed", "other")]
            assert loader.job(JOB) == LedgerJob(JOB, NEWER, 2, TABLE, None)
            assert (loader.ledger_numbers(JOB, RUN), loader.ledger_numbers(JOB, NEWER)) == ([], [1])
            assert (loader.table_rows(JOB, RUN).rows, loader.table_rows(JOB, NEWER).rows, loader.table_rows().rows) == (
                0,
                1,
                2,
            )

    def test_a_replacement_that_fails_deletes_nothing(self, rig: LoaderRig) -> None:
        """The older run stands until a chunk of the newer one is in."""
        with contextlib.closing(rig.loader(run_column="run")) as loader:
            loader.load(chunk_of(b"1,Ann\n2,Bob\n"))
            fails(BadRowError, loader, chunk_of(b"1,Eve\n", rows=2, run_id=NEWER, generation=2))
            assert rows_of(rig, "id, name, run") == [("1", "Ann", RUN), ("2", "Bob", RUN)]
            assert loader.job(JOB) == LedgerJob(JOB, RUN, 1, TABLE, None)

    def test_a_newer_generation_without_a_run_column_is_an_error(self, loader: Loader) -> None:
        """It names both runs and the ways out."""
        loader.load(chunk_of(b"1,Ann\n2,Bob\n"))
        error = fails(RunConflictError, loader, chunk_of(b"1,Eve\n", run_id=NEWER, generation=2))
        assert error.message == (
            f"chunk 1 of 9 of {JOB} (run {NEWER}) into {TABLE}: the ledger holds 2 rows in 1 chunks of run {RUN}"
            f" (generation 1), and the chunk is of run {NEWER} (generation 2)"
        )
        assert error.hint == (
            "use --run-column, with a column that the other run's rows carry, to replace it, or clear the other one:"
            f" delete its rows from {TABLE}, then DELETE FROM splitjoin_ledger WHERE file_name = '{JOB}'"
            f" AND run_id = '{RUN}' or use --beside-other-run"
        )
        assert loader.table_rows().rows == 2

    def test_the_way_out_of_a_conflict_works(self, rig: LoaderRig, loader: Loader) -> None:
        """After what the hint says, the newer run loads."""
        loader.load(chunk_of(b"1,Ann\n2,Bob\n"))
        loader.close()
        for statement in (f"DELETE FROM {TABLE}", f"DELETE FROM splitjoin_ledger WHERE run_id = '{RUN}'"):
            rig.query(statement)
        assert loader.load(chunk_of(b"1,Eve\n", run_id=NEWER, generation=2)).rows == 1
        assert loader.job(JOB) == LedgerJob(JOB, NEWER, 2, TABLE, None)

    @pytest.mark.parametrize("run_column", [None, "run"])
    def test_another_run_of_the_same_generation_is_an_error(self, rig: LoaderRig, run_column: str | None) -> None:
        """Nothing says which is newer, run column or not (hazard H5)."""
        with contextlib.closing(rig.loader(run_column=run_column)) as loader:
            loader.load(chunk_of(b"1,Ann\n"))
            error = fails(RunConflictError, loader, chunk_of(b"1,Eve\n", run_id=NEWER))
            assert f"of run {RUN} (generation 1), and the chunk is of run {NEWER} (generation 1)" in error.message
            assert loader.table_rows().rows == 1

    @pytest.mark.parametrize("generation", [1, 2])
    def test_beside_another_run(self, rig: LoaderRig, generation: int) -> None:
        """On purpose: both runs' rows are there; the row follows the newer generation."""
        with contextlib.closing(rig.loader(beside_other_run=True)) as loader:
            loader.load(chunk_of(b"1,Ann\n"))
            loader.load(chunk_of(b"1,Eve\n", run_id=NEWER, generation=generation))
            assert rows_of(rig, order="2") == [("1", "Ann"), ("1", "Eve")]
            assert (loader.ledger_numbers(JOB, RUN), loader.ledger_numbers(JOB, NEWER)) == ([1], [1])
            assert loader.job(JOB) == LedgerJob(JOB, RUN if generation == 1 else NEWER, generation, TABLE, None)

    def test_rows_without_the_run_are_never_taken_for_replaced(self, rig: LoaderRig) -> None:
        """Loaded before the column was used: deleting by it would leave them, and double the data."""
        names = "(id VARCHAR(9), name VARCHAR(9), run VARCHAR(99) "
        default = rig.kind.fills_run_column
        rig.query(f"CREATE TABLE {TABLE} {names}{default})")
        with contextlib.closing(rig.loader(run_column="run")) as loader:
            loader.load(chunk_of(b"1,Ann\n"))
            loader.close()
            rig.query(f"UPDATE {TABLE} SET run = NULL")
            error = fails(RunConflictError, loader, chunk_of(b"1,Eve\n", run_id=NEWER, generation=2))
            assert error.message.endswith(
                f"the ledger holds 1 rows of run {RUN}, and only 0 rows carry it in column run; nothing was deleted"
            )
            assert loader.ledger_numbers(JOB, RUN) == [1]

    def test_a_run_column_that_is_missing_is_an_error(self, rig: LoaderRig) -> None:
        """It says how to add it, whether rows are to be loaded or counted."""
        rig.query(f"CREATE TABLE {TABLE} (id VARCHAR(9), name VARCHAR(9))")
        with contextlib.closing(rig.loader(run_column="run")) as loader:
            with pytest.raises(LoadError) as counted:
                loader.table_rows(JOB, RUN)
            error = fails(LoadError, loader, chunk_of(b"1,Ann\n"))
            assert error.message.endswith(f"table {TABLE} has no column run")
            assert (counted.value.message, counted.value.hint) == (f"table {TABLE} has no column run", error.hint)
            assert error.hint is not None
            loader.close()
            rig.query(error.hint)
            assert loader.load(chunk_of(b"1,Ann\n")).rows == 1
            assert loader.table_rows(JOB, RUN).rows == 1

    def test_the_same_run_in_a_newer_generation_goes_on(self, loader: Loader) -> None:
        """The same content replaced by force: what is loaded is loaded."""
        loader.load(chunk_of(b"1,Ann\n"))
        assert loader.load(chunk_of(b"1,Ann\n", generation=2)).already_loaded
        assert loader.job(JOB) == LedgerJob(JOB, RUN, 2, TABLE, None)
        assert loader.load(chunk_of(b"1,Ann\n", generation=1)).already_loaded
        assert loader.job(JOB) == LedgerJob(JOB, RUN, 2, TABLE, None)

    def test_replacing_under_concurrency_leaves_one_run(self, rig: LoaderRig) -> None:
        """6 threads, chunks of both generations shuffled: at the end the newer run is whole and alone."""
        loaders = [rig.loader(run_column="run"), rig.loader(run_column="run")]
        old = [chunk_of(b"%d,old\n" % n, number=n) for n in range(1, 10)]
        new = [chunk_of(b"%d,new\n" % n, number=n, run_id=NEWER, generation=2) for n in range(1, 10)]
        mixed = [chunk for pair in zip(old, new, strict=True) for chunk in pair]

        def work(place: int) -> bool:
            try:
                loaders[place % 2].load(mixed[place])
            except OlderRunError:
                return False
            return True

        with ThreadPoolExecutor(6) as pool:
            done = list(pool.map(work, range(len(mixed))))
        assert all(done[1::2])
        assert rig.query(f"SELECT name, run, COUNT(*) FROM {TABLE} GROUP BY name, run") == [("new", NEWER, 9)]
        assert loaders[0].ledger_numbers(JOB, NEWER) == list(range(1, 10))
        assert loaders[0].ledger_numbers(JOB, RUN) == []
        for each in loaders:
            each.close()
