"""A job's status for people: the report of one job, and the table of all."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from splitjoin_cli.cli.ledger_text import ledger_command, ledger_first, ledger_lines, ledger_why
from splitjoin_cli.cli.text import count_text, duration_text, fact, listed, visible
from splitjoin_cli.core.names import parse_file_name
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


def report(status: JobStatus, tracker_uri: str, *, earlier: JobStatus | None = None, dest: str | None = None) -> str:
    """One job, whole. ``earlier``: an earlier look, which the pace is measured from. ``dest``: what was compared."""
    blocks = [
        [headline(status)],
        list(_facts(status, earlier)),
        list(_map(status)),
        list(_missing(status)),
        list(ledger_lines(status)),
        list(_advice(status, tracker_uri, dest)),
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
        visible(progress.file_name),
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
            return f"failed for good, {tries}{error}"
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
        final, since = ", for good" if failure.final else "", ", sent again since" if failure.retried else ""
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


def _advice(status: JobStatus, tracker_uri: str, dest: str | None) -> Iterator[str]:
    for why in (ledger_why(status), _why(status), _given_up(status)):
        if why is not None:
            yield fact("why", why)
    if (first := ledger_first(status)) is not None:
        yield fact("first", f"in the database: {first}")
    command = ledger_command(status, tracker_uri, dest) or next_command(status, tracker_uri, dest)
    if command is not None:
        yield fact("next", command)


def _given_up(status: JobStatus) -> str | None:
    if not status.given_up:
        return None
    which = f"{'chunk' if len(status.given_up) == 1 else 'chunks'} {listed(status.given_up)}"
    return f"the queue gave {which} up; mend what failed, then send what is missing through again"


def _why(status: JobStatus) -> str | None:
    progress, join = status.progress, status.progress.join
    idle = "" if status.idle_seconds is None else duration_text(status.idle_seconds)
    match status.state:
        case "failed" if join.state == "failed":
            return f"the join failed for good: {join.error or 'no error was noted'}"
        case "failed":
            final = [failure.number for failure in progress.failures if failure.final]
            which = f"{'chunk' if len(final) == 1 else 'chunks'} {listed(final)}"
            return f"the last try of {which} failed for good: nobody tries again by himself"
        case "stuck" if status.all_counted:
            return f"the last chunk was counted {idle} ago, and nobody has finished the join since"
        case "stuck":
            return f"no chunk was newly counted for {idle}; {_where(status)}"
        case "complete" if progress.run_id is None:
            return "whoever wrote the published counter's item runs what follows: it says nothing of a join"
        case _:
            return None


def _where(status: JobStatus) -> str:
    """What is known of the missing chunks."""
    if status.never_uploaded:
        count = len(status.never_uploaded)
        return f"{count_text(count, 'missing chunk')} {'was' if count == 1 else 'were'} never uploaded"
    if retried := [failure.number for failure in status.progress.failures if failure.retried]:
        which = f"{'chunk' if len(retried) == 1 else 'chunks'} {listed(retried)}"
        return f"{which} failed, {'was' if len(retried) == 1 else 'were'} sent again since, and nothing came of it yet"
    if status.never_uploaded is None:
        return "the missing chunks were never uploaded, or their events were lost or fail (--dest tells)"
    return "all of them are stored, so their events were lost, or wait, or fail"


def next_command(status: JobStatus, tracker_uri: str, dest: str | None = None) -> str | None:
    """What to type next; None where there is nothing to do. Words in capitals are for the user to fill in."""
    progress = status.progress
    name, place = progress.file_name, dest or progress.destination
    tracker = ["--tracker", tracker_uri]
    ask = ["splitjoin", "status", name, *tracker]
    if status.state == "joined" or (progress.run_id is None and status.all_counted):
        return None
    here = place is not None and not place.startswith("s3://")
    calm = status.state not in {"stuck", "failed", "waiting"} or (status.state == "waiting" and not here)
    if calm and not status.given_up:
        return shlex.join([*ask, "--watch"])
    job = parse_file_name(name)
    if status.never_uploaded and job is not None:
        named = [f"--client={job.client}", f"--date={job.date}"]
        return shlex.join(["splitjoin", "split", *named, *tracker, "SOURCE", place or "DEST"])
    asked = status.never_uploaded is not None or bool(status.given_up)
    if status.state == "stuck" and not status.all_counted and not asked:
        return shlex.join([*ask, "--dest", place or "DEST"])
    return shlex.join(_again(status, tracker, place, here=here))


def _again(status: JobStatus, tracker: list[str], place: str | None, *, here: bool) -> list[str]:
    """The command that brings missing or failed chunks, or the join, on its way again."""
    progress = status.progress
    retry = ["splitjoin", "retry", progress.file_name, *tracker]
    if status.all_counted:
        # Reopened, a failed join is taken by the workers' sweep; one that nobody finishes has nobody who sweeps.
        swept = status.state == "failed" and not here
        return [*retry, "--join", *([] if swept else ["--into", "DATABASE_URL", "--on-join", "JOIN_URL"])]
    if here and place is not None:
        return ["splitjoin", "simulate", place, "--name", progress.file_name, *tracker, "--into", "DATABASE_URL"]
    known = [] if place is not None and place == progress.destination else ["--dest", place or "DEST"]
    source = None if status.dead_letters is None else status.dead_letters.source
    return [*retry, *known, "--to", f"sqs:{source or 'QUEUE_URL'}"]
