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


def values_lines(status: JobStatus) -> Iterator[str]:
    """What a comparison of the table's values found; nothing where nobody compared."""
    found = status.values
    if found is None:
        return
    of = f"{count_text(found.rows, 'row')} in {count_text(found.compared_parts, 'chunk')}"
    said = "every value is the same" if found.agree else f"{found.table_rows:,} in the table, and they differ"
    yield fact("values", f"{of}: {said}")
    if found.not_compared:
        yield fact("unchecked", ", ".join(found.not_compared))
    if found.chunks:
        yield fact("in chunks", listed(found.chunks))
    for label, count, rows in (
        ("lost rows", found.missing_rows, found.missing),
        ("extra rows", found.extra_rows, found.extra),
    ):
        if count:
            yield fact(label, f"{count:,}{_first(count, len(rows))}")
        for row in rows:
            yield fact("", f"{_of_chunk(row.number)}{_texts(row.row)}")
    if found.changed_rows:
        yield fact("changed", f"{found.changed_rows:,}{_first(found.changed_rows, len(found.changed))}")
    for one in found.changed:
        values = "; ".join(f"{value.column}: {_text(value.file)} is {_text(value.table)}" for value in one.values)
        yield fact("", f"{_of_chunk(one.number)}{_texts(one.key)}: {values}")
    if not found.complete:
        yield fact("", "more differs than is counted here")


def _first(count: int, rows: int) -> str:
    return f", the first {rows}" if count > rows else ""


def _of_chunk(number: int | None) -> str:
    return "" if number is None else f"chunk {number}: "


def _texts(row: dict[str, str | None]) -> str:
    return ", ".join(f"{name}={_text(value)}" for name, value in row.items())


def _text(value: str | None) -> str:
    return "NULL" if value is None else f"'{value}'"


def _summary(found: Reconciliation) -> str:
    ledger = found.ledger
    if not ledger.found:
        return f"{ledger.uri} has none: nothing was ever loaded there"
    if ledger.job is None:
        return f"{ledger.uri} knows nothing of this job: none of its chunks was ever loaded there"
    where = f"in {ledger.job.table} of {ledger.uri}"
    text = f"{count_text(found.loaded_parts, 'chunk')} of this run, {count_text(found.rows_loaded, 'row')}, {where}"
    return f"{text}: as the tracker has it" if found.agrees else text
