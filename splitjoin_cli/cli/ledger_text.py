"""What a comparison of tracker and ledger found, for people, and what to type next."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from splitjoin_cli.cli.text import count_text, fact, listed
from splitjoin_cli.core.ranges import ranges_text
from splitjoin_cli.stores.loaders.base import JOBS

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


def ledger_why(status: JobStatus) -> str | None:
    """What is wrong, where it is the ledger that shows it."""
    found = status.reconciliation
    if found is None:
        return None
    if found.lacking:
        lost = f"{count_text(found.lacking, 'chunk')} {'was' if found.lacking == 1 else 'were'} counted"
        return f"{lost}, and the ledger lacks them: another database, or one restored from a backup?"
    if found.rows_differ or found.sums_differ:
        return "other rows are loaded than were split or counted: was the ledger or the tracker changed by hand?"
    if found.loaded_not_counted:
        return "chunks are loaded and not counted: their next delivery counts them, and loads nothing"
    return None


def ledger_first(status: JobStatus) -> str | None:
    """What to do in the database before: a ledger that says "joined" lets no worker load its run's chunks again."""
    found = status.reconciliation
    job = None if found is None else found.ledger.job
    if found is None or job is None or not found.lacking or job.joined_at is None:
        return None
    name = job.file_name.replace("'", "''")
    return f"UPDATE {JOBS} SET joined_at = NULL WHERE file_name = '{name}';"  # noqa: S608 -- to be read, and typed by a person


def ledger_command(status: JobStatus, tracker_uri: str, dest: str | None) -> str | None:
    """What to type next; None where the job's state says it. Words in capitals are for the user to fill in."""
    found, progress = status.reconciliation, status.progress
    if found is None:
        return None
    name, place = progress.file_name, dest or progress.destination or "DEST"
    if found.counted_not_loaded and place.startswith("s3://") and status.state != "joined":
        lost = ["--chunks", ranges_text(found.counted_not_loaded).replace(" ", ""), "--counted"]
        known = [] if place == progress.destination else ["--dest", place]
        return shlex.join(
            ["splitjoin", "retry", name, "--tracker", tracker_uri, *lost, *known, "--to", "sqs:QUEUE_URL"]
        )
    if found.lacking:
        # A tracker of its own: the job's would not let a joined run be loaded again, and nothing is to join twice.
        table = [] if found.ledger.job is None else ["--table", found.ledger.job.table]
        return shlex.join(["splitjoin", "simulate", place, "--name", name, "--into", found.ledger.uri, *table])
    if found.rows_differ or found.sums_differ:
        return shlex.join(["splitjoin", "verify", place, "--name", name])
    return None
