"""A job's status for people: the report of one job, and the table of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.cli.ledger_text import ledger_lines
from splitjoin_cli.cli.text import count_text, duration_text, fact, listed
from splitjoin_cli.join.operate.status import cells, iso_time, pace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from splitjoin_cli.join.operate.dead_letters import DeadLetters
    from splitjoin_cli.join.operate.status import Cell, JobStatus

MAP_CELLS = 500
MAP_WIDTH = 50
FAILURES_SHOWN = 20
CELLS: dict[Cell, str] = {"done": "#", "some": "+", "none": ".", "failed": "!"}
_MINUTE, _HOUR = 60, 3600


def report(status: JobStatus, *, earlier: JobStatus | None = None) -> str:
    """One job, whole. ``earlier``: an earlier look, which the pace is measured from."""
    blocks = [
        [headline(status)],
        list(_facts(status, earlier)),
        list(_map(status)),
        list(_missing(status)),
        list(ledger_lines(status)),
        list(_advice(status)),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def headline(status: JobStatus) -> str:
    """``acme_20240131: running, 5 of 9 chunks counted (55 %)``."""
    progress = status.progress
    percent = 100 * progress.processed_parts // progress.total_parts
    of = f"{progress.processed_parts:,} of {count_text(progress.total_parts, 'chunk')} counted"
    return f"{progress.file_name}: {status.state}, {of} ({percent} %)"


def table(jobs: Sequence[JobStatus]) -> str:
    """A line for each job, columns aligned."""
    head = ["job", "state", "counted", "failed", "rows", "began", "last progress"]
    if dead := any(job.dead_letters is not None for job in jobs):
        head.append("dead letters")
    lines = [head, *(_line(job, dead=dead) for job in jobs)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    right = {2, 3, 4, 7}
    return "\n".join(
        "  ".join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _line(job: JobStatus, *, dead: bool) -> list[str]:
    progress, letters = job.progress, job.dead_letters
    line = [
        progress.file_name,
        job.state,
        f"{progress.processed_parts:,}/{progress.total_parts:,}",
        f"{len(progress.failures):,}",
        "?" if progress.rows is None else f"{progress.rows:,}",
        _time(progress.created_at),
        _time(progress.updated_at),
    ]
    return [*line, "?" if letters is None else f"{len(letters.of(progress.file_name)):,}"] if dead else line


def _facts(status: JobStatus, earlier: JobStatus | None) -> Iterator[str]:
    progress = status.progress
    if progress.run_id is None:
        yield fact("run", "unknown: only the published counter wrote this job")
    else:
        yield fact("run", f"{progress.run_id} (generation {progress.generation})")
    if progress.destination:
        yield fact("destination", progress.destination)
    rows = "unknown" if progress.rows is None else f"{progress.rows:,}"
    yield fact("rows", rows if progress.rows_expected is None else f"{rows} of {progress.rows_expected:,}")
    if progress.duplicates:
        yield fact("duplicates", f"{progress.duplicates:,} (chunks that were delivered again)")
    if progress.unnumbered:
        counts = count_text(progress.unnumbered, "count")
        yield fact("unnumbered", f"{counts} came without a chunk's number: the published counter's")
    going = pace(status, earlier)
    if going is not None and status.state in {"running", "failed"}:
        yield fact("pace", f"{_rate(going.chunks_per_second)}, {duration_text(going.seconds_left)} left at that")
    yield fact("began", _time(progress.created_at))
    yield fact("progress", f"{_time(progress.updated_at)} (last)")
    yield fact("join", _join(status))


def _time(at: float | None) -> str:
    return iso_time(at) or "unknown"


def _rate(per_second: float) -> str:
    units = {"s": 1, "min": _MINUTE, "h": _HOUR}
    unit = next((unit for unit, seconds in units.items() if per_second * seconds >= 1), "h")
    return f"{per_second * units[unit]:,.1f} chunks/{unit}"


def _tries(count: int) -> str:
    return f"{count:,} {'try' if count == 1 else 'tries'}"


def _join(status: JobStatus) -> str:
    join = status.progress.join
    tries = _tries(join.attempts)
    error = f": {join.error}" if join.error else ""
    match join.state:
        case "joined":
            return f"done, first claimed {_time(join.joined_at)}, finished {_time(join.finished_at)}"
        case "claimed" if join.alive(status.at):
            return f"held by {join.owner} until {_time(join.lease_until)}, {tries}"
        case "claimed":
            return f"the lease of {join.owner} ran out at {_time(join.lease_until)}, {tries}"
        case "waiting":
            return f"failed, next try after {_time(join.lease_until)}, {tries}{error}"
        case "failed":
            return f"failed permanently, {tries}{error}"
        case _:
            return "not begun" if not join.attempts else f"given back, {tries}"


def _map(status: JobStatus) -> Iterator[str]:
    """Lines of cells, each line with the number of its first chunk."""
    per_cell, marks = cells(status.progress, MAP_CELLS)
    if not marks:
        return
    width = len(f"{status.progress.total_parts:,}")
    for start in range(0, len(marks), MAP_WIDTH):
        line = "".join(CELLS[mark] for mark in marks[start : start + MAP_WIDTH])
        yield f"{start * per_cell + 1:>{width},}  {line}"
    each = "" if per_cell == 1 else f"; a mark is {per_cell:,} chunks, + some of them counted"
    yield f"{'':{width}}  (# counted, . missing, ! failed{each})"


def _missing(status: JobStatus) -> Iterator[str]:
    progress = status.progress
    if progress.missing is None and not status.all_counted:
        yield fact("missing", "unknown: some chunks were counted without their numbers")
    elif progress.missing:
        yield fact("missing", listed(progress.missing))
    if status.never_uploaded:
        yield fact("not stored", listed(status.never_uploaded))
    for failure in progress.failures[:FAILURES_SHOWN]:
        final, since = ", permanently" if failure.final else "", ", sent again since" if failure.retried else ""
        when = f"{_tries(failure.attempts)}{final}, last {_time(failure.at)}{since}"
        yield fact("failed", f"chunk {failure.number} ({when}): {failure.error}")
    if len(progress.failures) > FAILURES_SHOWN:
        yield fact("", f"and {len(progress.failures) - FAILURES_SHOWN:,} more; --json lists all")
    yield from _dead_letters(status)


def _dead_letters(status: JobStatus) -> Iterator[str]:
    """The chunks whose messages the queue gave up."""
    found = status.dead_letters
    if found is None:
        return
    letters = found.of(status.progress.file_name)
    if not letters:
        yield fact("dead letter", f"none of this job in {found.queue}")
    for letter in letters[:FAILURES_SHOWN]:
        yield fact(
            "dead letter", f"chunk {letter.number}, received {count_text(letter.receives, 'time')}: {letter.uri}"
        )
    if len(letters) > FAILURES_SHOWN:
        yield fact("", f"and {len(letters) - FAILURES_SHOWN:,} more; --json lists all")
    if (note := dead_letters_note(found)) is not None:
        yield fact("", note)


def dead_letters_note(found: DeadLetters) -> str | None:
    """What of the dead letters belongs to no job, or was not looked at."""
    notes = []
    if found.others:
        notes.append(f"{count_text(found.others, 'message')} there {'names' if found.others == 1 else 'name'} no chunk")
    if found.more:
        notes.append(f"about {found.more:,} more were not looked at")
    return "; ".join(notes) or None


def _advice(status: JobStatus) -> Iterator[str]:
    """Why, and what to do: whatever comes before the last step is to be done first."""
    for reason in status.advice.reasons:
        yield fact("why", reason.text)
    steps = [step.text for step in status.advice.steps]
    for step in steps[:-1]:
        yield fact("first", step)
    for step in steps[-1:]:
        yield fact("next", step)
