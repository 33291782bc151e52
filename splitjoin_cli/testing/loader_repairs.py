"""The contract of a loader, as a suite of tests: a mended chunk, and a run that is taken out of the database."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.bytes.crc64 import crc64, tagged
from splitjoin_cli.core.errors import RunConflictError
from splitjoin_cli.stores.loaders.base import Expectation, LedgerTotal
from splitjoin_cli.testing.chunks import JOB, RUN, chunk_of
from splitjoin_cli.testing.loading import NEWER, TABLE, WithLoader, fails, rows_of

if TYPE_CHECKING:
    from splitjoin_cli.stores.loaders.base import ChunkToLoad, Loader
    from splitjoin_cli.testing.loading import LoaderRig

__all__ = ["LoaderRepairsContract"]

OLD, MENDED = (tagged(crc64(b"id,name\n" + body)) for body in (b"1,Ann\n", b"1,Anna\n"))


def mended_chunk(body: bytes = b"1,Anna\n") -> ChunkToLoad:
    """Chunk 1 as ``replace`` stored it."""
    return replace(chunk_of(body), mended=True)


class LoaderRepairsContract(WithLoader):
    """Every loader: ``expect``, ``clear_run``, and ``mark_joined`` over a ledger that was cleared."""

    def test_a_checksum_that_was_written_down_is_the_only_one_that_is_loaded(
        self, rig: LoaderRig, loader: Loader
    ) -> None:
        """Another is an error that names both, before and after the right one is loaded, in any process."""
        assert loader.expect(JOB, RUN, 1, 1, MENDED, own=False, write=False) is Expectation.NOTED
        assert loader.expect(JOB, RUN, 1, 1, MENDED, own=False) is Expectation.NOTED
        message = (
            f"the ledger expects this number with the checksum {MENDED}, as splitjoin replace wrote it down, and the"
            f" chunk has {OLD}"
        )
        for _ in range(2):
            with contextlib.closing(rig.loader()) as other:
                error = fails(RunConflictError, other, chunk_of(b"1,Ann\n"))
                assert error.reason == message
                other.load(chunk_of(b"2,Bob\n", number=2))
            assert loader.load(mended_chunk()).rows == 1
        assert [str(row[1]) for row in rows_of(rig)] == ["Anna", "Bob"]
        assert loader.expect(JOB, RUN, 1, 1, MENDED, own=False) is Expectation.SAME
        assert loader.expect(JOB, RUN, 1, 1, OLD, own=True) is Expectation.LOADED

    def test_nothing_is_written_down_for_a_chunk_that_is_loaded_from_another(self, loader: Loader) -> None:
        """Its own bytes are no other: the ledger keeps no checksum of what the split stored."""
        loader.load(chunk_of(b"1,Ann\n"))
        assert loader.expect(JOB, RUN, 1, 1, MENDED, own=False) is Expectation.LOADED
        assert loader.load(chunk_of(b"1,Ann\n")).already_loaded
        assert loader.expect(JOB, RUN, 1, 1, OLD, own=True) is Expectation.SAME
        error = fails(RunConflictError, loader, mended_chunk())
        assert MENDED in error.reason

    def test_a_mended_chunk_is_known_by_its_bytes(self, loader: Loader) -> None:
        """Loaded without anything written down, its row is of no other content."""
        assert loader.load(mended_chunk()).rows == 1
        assert loader.load(mended_chunk()).already_loaded
        error = fails(RunConflictError, loader, chunk_of(b"1,Ann\n"))
        assert error.reason == (
            f"the ledger holds this number with other bytes: the checksum that was loaded is {MENDED}, and the chunk's"
            " is the split's own"
        )

    def test_a_newer_run_drops_what_was_written_down_and_keeps_an_older_one_out(self, rig: LoaderRig) -> None:
        """The run is part of what is expected; a newer run in the ledger refuses an older one's."""
        with contextlib.closing(rig.loader(run_column="run")) as loader:
            loader.load(chunk_of(b"2,Bob\n", number=2))
            assert loader.expect(JOB, RUN, 1, 1, MENDED, own=False) is Expectation.NOTED
            assert loader.load(chunk_of(b"1,Ann\n", run_id=NEWER, generation=2)).rows == 1
            assert loader.expect(JOB, RUN, 1, 1, MENDED, own=False) is Expectation.OTHER_RUN
            assert loader.expect(JOB, NEWER, 2, 3, MENDED, own=False) is Expectation.NOTED

    def test_what_is_written_down_before_anything_is_loaded_names_no_table(self, loader: Loader) -> None:
        """The first load does; another table is refused then."""
        loader.expect(JOB, RUN, 1, 2, MENDED, own=False)
        job = loader.job(JOB)
        assert job is not None
        assert (job.run_id, job.table) == (RUN, "")
        loader.load(chunk_of(b"1,Ann\n"))
        job = loader.job(JOB)
        assert job is not None
        assert job.table == TABLE

    def test_a_run_is_cleared_by_its_run_column(self, rig: LoaderRig) -> None:
        """Its rows, its ledger and joined_at; another run's stay, and what replace wrote down."""
        with contextlib.closing(rig.loader(run_column="run", beside_other_run=True)) as loader:
            loader.load(chunk_of(b"1,Ann\n"))
            loader.load(chunk_of(b"2,Bob\n3,Eve\n", number=2))
            loader.load(chunk_of(b"9,Zoe\n", run_id=NEWER))
            loader.expect(JOB, RUN, 1, 3, MENDED, own=False)
            loader.mark_joined(JOB, RUN, "2024-01-31T12:00:00Z")
            assert loader.clear_run(JOB, RUN) == LedgerTotal(2, 3)
            assert loader.clear_run(JOB, RUN) == LedgerTotal(0, 0)
            assert [str(row[1]) for row in rows_of(rig)] == ["Zoe"]
            job = loader.job(JOB)
            assert job is not None
            assert (job.run_id, job.joined_at) == (RUN, None)
            assert loader.ledger_rows(JOB, NEWER) == LedgerTotal(1, 1)
            fails(RunConflictError, loader, chunk_of(b"4,Ida\n", number=3))
            assert not loader.load(chunk_of(b"1,Ann\n")).already_loaded

    def test_joined_at_stays_where_the_jobs_row_is_another_runs(self, rig: LoaderRig) -> None:
        """Clearing an older run says nothing of the newer one's join."""
        with contextlib.closing(rig.loader(run_column="run", beside_other_run=True)) as loader:
            loader.load(chunk_of(b"1,Ann\n"))
            loader.load(chunk_of(b"9,Zoe\n", run_id=NEWER))
            loader.mark_joined(JOB, RUN, "2024-01-31T12:00:00Z")
            assert loader.clear_run(JOB, NEWER) == LedgerTotal(1, 1)
            job = loader.job(JOB)
            assert job is not None
            assert job.joined_at == "2024-01-31T12:00:00Z"

    def test_fewer_rows_than_the_ledger_has_are_not_deleted(self, rig: LoaderRig) -> None:
        """Nor without a run column: nothing changes."""
        with contextlib.closing(rig.loader()) as loader:
            loader.load(chunk_of(b"1,Ann\n2,Bob\n"))
            with pytest.raises(RunConflictError, match=r"the table has no run column$"):
                loader.clear_run(JOB, RUN)
        with contextlib.closing(rig.loader(run_column="name")) as loader:
            with pytest.raises(RunConflictError, match=r"only 0 rows carry it in column name of people; nothing was"):
                loader.clear_run(JOB, RUN)
            assert loader.ledger_rows(JOB, RUN) == LedgerTotal(1, 2)
        assert len(rows_of(rig)) == 2

    def test_joined_at_is_noted_over_a_whole_ledger_alone(self, loader: Loader) -> None:
        """A run that was cleared meanwhile is not joined."""
        loader.load(chunk_of(b"1,Ann\n"))
        assert loader.mark_joined(JOB, RUN, "2024-01-31T12:00:00Z", total_parts=2) is False
        assert loader.mark_joined(JOB, RUN, "2024-01-31T12:00:00Z", total_parts=1) is True

    def test_a_ledger_of_an_earlier_release_gets_the_table_for_mended_chunks(self, rig: LoaderRig) -> None:
        """A process that finds the ledger without it makes it."""
        with contextlib.closing(rig.loader()) as loader:
            loader.load(chunk_of(b"2,Bob\n", number=2))
        rig.query("DROP TABLE splitjoin_mended")
        with contextlib.closing(rig.loader()) as other:
            assert other.expect(JOB, RUN, 1, 1, MENDED, own=False) is Expectation.NOTED
            fails(RunConflictError, other, chunk_of(b"1,Ann\n"))
