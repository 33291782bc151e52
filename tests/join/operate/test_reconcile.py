"""Tracker against ledger: each kind of disagreement, and what counts as broken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.join.operate.reconcile import OtherRun, Reconciliation, RowsDiffer, reconcile
from splitjoin_cli.stores.loaders.base import Ledger, LedgerJob
from splitjoin_cli.stores.trackers.jobs import JobProgress, Join

NAME = "acme_20240131"
JOB = LedgerJob(NAME, "r1", 1, "acme", None)


def progress(*counted: int, total: int = 4, **changes: Any) -> JobProgress:  # noqa: ANN401 -- any of JobProgress's
    """A job of ``total`` chunks of ten rows, of which some are counted."""
    plain = JobProgress(
        file_name=NAME, run_id="r1", generation=1, total_parts=total, processed_parts=len(counted), unnumbered=0,
        complete=False, missing=tuple(sorted(set(range(1, total + 1)) - set(counted))), failures=(), duplicates=0,
        rows=10 * len(counted), rows_expected=10 * total, destination=None, created_at=None, counted_at=None,
        updated_at=None, join=Join(),
    )  # fmt: skip
    return replace(plain, **changes)


def ledger(*loaded: int, run: str = "r1", **changes: Any) -> Ledger:  # noqa: ANN401 -- any of Ledger's
    """A ledger with some chunks of ten rows."""
    return replace(Ledger("sqlite:x", found=True, job=JOB, runs={run: dict.fromkeys(loaded, 10)}), **changes)


def differences(found: Reconciliation) -> dict[str, Any]:
    """What its document says, less what never disagrees."""
    return {
        key: value
        for key, value in found.to_json().items()
        if value not in ([], None) and key not in {"database", "ledger", "table", "run_id", "loaded_parts"}
    }


def test_all_agree() -> None:
    """Nothing to say, and known to be nothing."""
    found = reconcile(progress(1, 2), ledger(1, 2), {1: 10, 2: 10, 3: 10, 4: None})
    assert differences(found) == {"agrees": True, "rows_loaded": 20}
    assert not found.broken


@given(st.sets(st.integers(1, 9)), st.sets(st.integers(1, 9)))
def test_numbers_are_the_differences_of_the_sets(counted: set[int], loaded: set[int]) -> None:
    """Whatever is counted and loaded, each number is in its list; counted alone is broken, loaded alone is not."""
    found = reconcile(progress(*counted, total=9), ledger(*sorted(loaded)))
    assert found.counted_not_loaded == tuple(sorted(counted - loaded))
    assert found.loaded_not_counted == tuple(sorted(loaded - counted))
    assert found.lacking == len(counted - loaded)
    assert found.broken == bool(counted - loaded)
    assert found.agrees == (counted == loaded)


def test_no_ledger_has_loaded_nothing() -> None:
    """A database without one lacks every counted chunk."""
    found = reconcile(progress(1, 3), Ledger("sqlite:x", found=False))
    assert differences(found) == {"agrees": False, "rows_loaded": 0, "counted_not_loaded": [1, 3]}


def test_chunks_of_another_run() -> None:
    """They are none of this run's, and each number says so; what this run has loaded too is no question."""
    both = replace(ledger(1, 2), runs={"r0": {2: 7, 3: 8}, "r1": {1: 10, 2: 10}})
    found = reconcile(progress(1, 2, 3), both)
    assert found.counted_not_loaded == (3,)
    assert found.loaded_by_other_run == (3,)
    assert found.other_runs == (OtherRun("r0", 2, 15),)


def test_another_run_beside_ours_is_no_disagreement() -> None:
    """``--beside-other-run``, or a newer run whose first chunk has not come yet."""
    beside = replace(ledger(1), runs={"r0": {1: 7}, "r1": {1: 10}})
    assert reconcile(progress(1), beside).agrees is True
    assert reconcile(progress(), ledger(1, 2, run="r0")).agrees is True


def test_rows_that_differ_from_the_plan() -> None:
    """By chunk where the plan is known; chunks of unknown rows cannot differ."""
    found = reconcile(progress(1, 2, 3), ledger(1, 2, 3), {1: 10, 2: 12, 3: None})
    assert found.rows_differ == (RowsDiffer(2, 10, 12),)
    assert found.to_json()["rows_differ"] == [{"number": 2, "loaded": 10, "expected": 12}]
    assert (found.agrees, found.broken) == (False, True)


def test_sums_that_differ() -> None:
    """The same chunks, and other rows than the tracker was told; unknown rows cannot differ."""
    assert reconcile(progress(1, 2, rows=19), ledger(1, 2)).broken
    assert reconcile(progress(1, 2, rows=None), ledger(1, 2)).agrees is True
    assert not reconcile(progress(1, rows=19), ledger(1, 2)).sums_differ


def test_beside_the_published_counter_numbers_are_unknown() -> None:
    """Null, not an empty list; that our own counts are lacking is still known."""
    mixed: dict[str, Any] = {"missing": None, "processed_parts": 3, "unnumbered": 1}
    found = reconcile(progress(**mixed), ledger(1, 2))
    assert found.to_json()["counted_not_loaded"] is None
    assert found.to_json()["loaded_not_counted"] is None
    assert (found.agrees, found.broken) == (None, False)
    short = reconcile(progress(**mixed), ledger(1))
    assert (short.lacking, short.agrees) == (1, False)
    published = reconcile(progress(run_id=None, **mixed), ledger(1))
    assert (published.agrees, published.loaded_parts, published.other_runs) == (None, 0, (OtherRun("r1", 1, 10),))


def test_history_of_aurora() -> None:
    """By the names of objects, of this job and total, in any spelling of a URI; null where there is none."""
    names = (
        "s3-eu-west-1://b/in/acme_20240131-1-4.csv", "b/acme_20240131-3-4.csv", "acme_20240131-2-5.csv",
        "acme_202401310-2-4.csv", "s3://b/acme_20240131-",
    )  # fmt: skip
    found = reconcile(progress(1, 2), ledger(1, 2, history=names))
    assert (found.not_in_history, found.only_in_history) == ((2,), (3,))
    assert (found.agrees, found.broken) == (False, False)
    assert reconcile(progress(1, 2), ledger(1, 2)).to_json()["not_in_history"] is None
