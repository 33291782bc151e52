"""Why a job does not go on, and what to do next: never a command that cannot help.

Words in capitals are for the user to fill in. What must be done by other means than a command comes before it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from splitjoin_cli.core.names import parse_file_name
from splitjoin_cli.core.places import is_s3
from splitjoin_cli.core.ranges import ranges_text
from splitjoin_cli.core.words import count_text, duration_text, which
from splitjoin_cli.join.operate.causes import causes
from splitjoin_cli.join.operate.commands import Commands, command
from splitjoin_cli.join.operate.reasons import Advice, Reason, Step
from splitjoin_cli.join.operate.remedies import before_split, remedies
from splitjoin_cli.stores.loaders.base import JOBS
from splitjoin_cli.stores.trackers.jobs import JoinState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.join.operate.causes import Cause
    from splitjoin_cli.join.operate.status import JobStatus, OtherObject

__all__ = ["advise"]

_LOST = re.compile(r"the ledger holds \d+: was the database restored\? Missing: (?P<numbers>[0-9, -]+)$")


def advise(status: JobStatus, tracker_uri: str, dest: str | None = None) -> Advice:
    """What ``status`` means for whoever looks after the job. ``dest``: what it was compared with."""
    typed = Commands(status, tracker_uri, dest)
    return Advice(tuple(_reasons(status)), tuple(_ledger_steps(status, typed) or _steps(status, typed)))


# Why


def _reasons(status: JobStatus) -> Iterator[Reason]:
    if (text := _ledger_why(status)) is not None:
        yield Reason("ledger", text)
    yield from _state_reasons(status)
    if status.state in {"complete", "stuck"} and status.progress.join.state == JoinState.WAITING:
        yield Reason("join-waiting", f"a try of the join failed: {status.progress.join.error or 'no error was noted'}")
    for cause in _causes(status):
        yield Reason("failed-chunk", f"{which(cause.numbers)}: {cause.error}")
    for other in _in_the_way(status):
        yield Reason("other-object", _other_object(status, other.number, other.run_id, other.generation))
    if status.given_up:
        text = f"the queue gave {which(status.given_up)} up; mend what failed, then send what is missing through again"
        yield Reason("dead-letters", text)


def _state_reasons(status: JobStatus) -> Iterator[Reason]:
    progress, join = status.progress, status.progress.join
    idle = "" if status.idle_seconds is None else duration_text(status.idle_seconds)
    match status.state:
        case _ if join.state == JoinState.CLEARING:
            yield Reason("clearing", "splitjoin clear takes the run out of a database, and nothing is loaded meanwhile")
        case "failed" if join.state == JoinState.FAILED:
            yield Reason("join-failed", f"the join failed permanently: {join.error or 'no error was noted'}")
        case "failed":
            final = [failure.number for failure in progress.failures if failure.final]
            text = f"the last try of {which(final)} failed permanently: no worker tries again by itself"
            yield Reason("chunks-failed", text)
        case "stuck" if status.all_counted:
            yield Reason("stuck", f"the last chunk was counted {idle} ago, and no worker has finished the join since")
        case "stuck":
            yield Reason("stuck", f"no chunk was newly counted for {idle}; {_where(status)}")
        case "complete" if progress.run_id is None:
            text = "only the published counter wrote this item: it does not say whether what follows has run"
            yield Reason("published", text)


def _where(status: JobStatus) -> str:
    """What is known of the missing chunks."""
    if status.never_uploaded:
        count = len(status.never_uploaded)
        return f"{count_text(count, 'missing chunk')} {'was' if count == 1 else 'were'} never uploaded"
    if retried := [failure.number for failure in status.progress.failures if failure.retried]:
        verb = "was" if len(retried) == 1 else "were"
        return f"{which(retried)} failed, {verb} sent again since, and nothing came of it yet"
    if others := _in_the_way(status):
        return f"{which([other.number for other in others])} at the destination can never be counted"
    if status.never_uploaded is None:
        return "the missing chunks were never uploaded, or their events were lost or fail (--dest shows which)"
    return "all of them are stored, so their events were lost, or wait, or fail"


def _other_object(status: JobStatus, number: int, run_id: str | None, generation: int) -> str:
    progress = status.progress
    ours = f"the tracker counts run {progress.run_id} (generation {progress.generation})"
    if run_id is None:
        return f"the object of chunk {number} carries no metadata of splitjoin, so that its run is not known; {ours}"
    age = "an older run" if generation < progress.generation else "another run"
    return f"the object of chunk {number} is of {age}, {run_id} (generation {generation}); {ours}"


def _ledger_why(status: JobStatus) -> str | None:
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


def _causes(status: JobStatus) -> list[Cause]:
    return (
        causes(status.progress) if status.state == "failed" and status.progress.join.state != JoinState.FAILED else []
    )


# What next


def _steps(status: JobStatus, typed: Commands) -> Iterator[Step]:
    progress = status.progress
    if status.state == "joined" or (progress.run_id is None and status.all_counted):
        return
    calm = status.state not in {"stuck", "failed", "waiting"} or (status.state == "waiting" and not typed.here)
    if others := _in_the_way(status):
        yield Step(before_split(unknown=others[0].run_id is None), command=False)
        yield typed.split(force=True)
    elif status.progress.join.state == JoinState.CLEARING:
        yield Step("let splitjoin clear end; if it was stopped, type it again", command=False)
        yield typed.clear(None)
    elif status.state == "complete" and progress.join.state == JoinState.WAITING and typed.here:
        yield Step("mend what the error says", command=False)  # no worker tries it again by itself
        yield typed.join_again(swept=False)
    elif calm and not status.given_up:
        yield typed.status("--watch")
    elif (found := _causes(status)) and any(cause.kind != "other" for cause in found):
        yield from remedies(found, typed)
    elif status.never_uploaded and parse_file_name(progress.file_name) is not None:
        yield Step(before_split(unknown=False), command=False)
        yield typed.split(force=False)
    elif status.state == "stuck" and not status.all_counted and status.never_uploaded is None and not status.given_up:
        yield typed.status("--dest", typed.place or "DEST")
    else:
        yield from _again(status, found, typed)


def _in_the_way(status: JobStatus) -> tuple[OtherObject, ...]:
    """Objects that keep a job from going on. While a split is at work, they are those that it has not replaced yet."""
    return (status.other_objects or ()) if status.state in {"stuck", "failed"} or status.given_up else ()


def _again(status: JobStatus, found: list[Cause], typed: Commands) -> Iterator[Step]:
    """Bring missing or failed chunks, or the join, on their way again."""
    if status.all_counted:
        lost = _LOST.search(status.progress.join.error or "") if status.state == "failed" else None
        if lost is not None and typed.here:
            yield typed.simulate("--into", "DATABASE_URL", tracked=False)  # the job's tracker lets no join begin
        elif lost is not None:
            yield typed.load_again(lost["numbers"])
        yield typed.join_again(swept=status.state == "failed" and not typed.here)
        return
    if found:
        yield Step("mend what the error says", command=False)
    yield typed.load_again(None)


def _ledger_steps(status: JobStatus, typed: Commands) -> list[Step]:
    """What the comparison with the ledger asks for; nothing where the job's state says what to do."""
    found = status.reconciliation
    if found is None:
        return []
    steps = []
    job = found.ledger.job
    if found.lacking and job is not None and job.joined_at is not None:
        # A ledger that says "joined" lets no worker load its run's chunks again.
        name = job.file_name.replace("'", "''")
        sql = f"UPDATE {JOBS} SET joined_at = NULL WHERE file_name = '{name}';"  # noqa: S608 -- to be read, and typed by a person
        steps.append(Step(f"in the database: {sql}", command=False))
    if found.counted_not_loaded and is_s3(typed.place or "") and status.state != "joined":
        steps.append(typed.load_again(ranges_text(found.counted_not_loaded)))
    elif found.lacking:
        # A tracker of its own: the job's would not let a joined run be loaded again, and nothing is to join twice.
        table = [] if job is None else ["--table", job.table]
        steps.append(typed.simulate("--into", found.ledger.uri, *table, tracked=False))
    elif found.rows_differ or found.sums_differ:
        steps.append(command("verify", typed.place or "DEST", "--name", status.progress.file_name))
    return steps
