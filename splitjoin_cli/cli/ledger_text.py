"""What a comparison of tracker and ledger found, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.cli.text import count_text, fact, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.join.operate.reconcile import Reconciliation
    from splitjoin_cli.join.operate.status import JobStatus

ROWS_SHOWN = 20


def ledger_lines(status: JobStatus) -> Iterator[str]:
    """What the ledger holds, and each chunk that it disagrees about; nothing where nobody compared."""
    found = status.reconciliation
    if found is None:
        return
    yield fact("ledger", _summary(found))
    for run in found.other_runs:
        yield fact("other run", f"{run.run_id}: {count_text(run.chunks, 'chunk')}, {count_text(run.rows, 'row')}")
    for label, numbers, meaning in (
        ("not loaded", found.counted_not_loaded, "counted, but not in the ledger"),
        ("not counted", found.loaded_not_counted, "in the ledger, but not counted"),
        ("loaded by", found.loaded_by_other_run, "by another run, not by this one"),
        ("no history", found.not_in_history, "in the ledger, but not in mysql.aurora_s3_load_history"),
        ("history", found.only_in_history, "in mysql.aurora_s3_load_history alone: undone, or loaded past the ledger"),
    ):
        if numbers:
            yield fact(label, f"{listed(numbers)} ({meaning})")
    for one in found.rows_differ[:ROWS_SHOWN]:
        yield fact("rows differ", f"chunk {one.number}: {one.loaded:,} are loaded, the split counted {one.expected:,}")
    if len(found.rows_differ) > ROWS_SHOWN:
        yield fact("", f"and {len(found.rows_differ) - ROWS_SHOWN:,} more; --json lists all")
    if found.sums_differ:
        yield fact("rows differ", f"{found.rows_loaded:,} in the ledger, {status.progress.rows:,} in the tracker")
    if found.ledger.history_error:
        yield fact("history", f"unknown: {found.ledger.history_error}")


def _summary(found: Reconciliation) -> str:
    ledger = found.ledger
    if not ledger.found:
        return f"{ledger.uri} has none: nothing was ever loaded there"
    if ledger.job is None:
        return f"{ledger.uri} knows nothing of this job: none of its chunks was ever loaded there"
    where = f"in {ledger.job.table} of {ledger.uri}"
    text = f"{count_text(found.loaded_parts, 'chunk')} of this run, {count_text(found.rows_loaded, 'row')}, {where}"
    return f"{text}: as the tracker has it" if found.agrees else text
