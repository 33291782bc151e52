"""A job's status for people: the report of one job, and the table of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.cli.ledger_text import ledger_lines, values_lines
from splitjoin_cli.cli.lines import STATE_TONES, Line, Piece, fact_line
from splitjoin_cli.cli.text import count_text, duration_text, fact, listed
from splitjoin_cli.cli.times import Times
from splitjoin_cli.join.operate.join_words import join_text, tries_text
from splitjoin_cli.join.operate.status import cells, pace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.cli.lines import Tone
    from splitjoin_cli.join.operate.dead_letters import DeadLetters
    from splitjoin_cli.join.operate.status import Cell, JobStatus

HEAD_INDENT = 4
MAP_CELLS = 500
MAP_WIDTH = 50
FAILURES_SHOWN = 20
CELLS: dict[Cell, Piece] = {
    "done": Piece("#", "good"),
    "some": Piece("+", "busy"),
    "none": Piece(".", "faint"),
    "failed": Piece("!", "bad"),
}
TONES: dict[str, Tone] = {"failed": "bad", "why": "warning", "dead letter": "warning"}
_MINUTE, _HOUR = 60, 3600


def report(
    status: JobStatus, *, earlier: JobStatus | None = None, full: bool = False, watched: bool = False
) -> list[Line]:
    """One job, whole. ``earlier``: an earlier look, which the pace is measured from. ``full``: whole times.

    ``watched``: to watch it is nothing to be proposed.
    """
    times = Times(status.at, full=full)
    blocks = [
        [_headline(status)],
        [_line(text) for text in _facts(status, earlier, times)],
        list(_map(status)),
        [_line(text) for text in (*_missing(status, times), *_dead_letters(status))],
        [_line(text) for text in ledger_lines(status)],
        [_line(text) for text in values_lines(status)],
        list(_advice(status, watched=watched)),
    ]
    lines: list[Line] = []
    for block in filter(None, blocks):
        lines += [Line(()), *block] if lines else block
    return lines


def headline(status: JobStatus) -> str:
    """``acme_20240131: running, 5 of 9 chunks counted (55 %)``."""
    return _headline(status).text


def _headline(status: JobStatus) -> Line:
    progress = status.progress
    percent = 100 * progress.processed_parts // progress.total_parts
    of = f"{progress.processed_parts:,} of {count_text(progress.total_parts, 'chunk')} counted"
    state = Piece(status.state, STATE_TONES[status.state])
    return Line(
        (Piece(progress.file_name, "strong"), Piece(": "), state, Piece(", "), Piece(f"{of} ({percent} %)")),
        HEAD_INDENT,
    )


def _line(text: str) -> Line:
    return fact_line(text, TONES.get(text.partition("  ")[0].rstrip(), "plain"))


def _facts(status: JobStatus, earlier: JobStatus | None, times: Times) -> Iterator[str]:
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
        yield fact("duplicates", f"{progress.duplicates:,} (deliveries of chunks that were counted already)")
    if progress.unnumbered:
        counts = count_text(progress.unnumbered, "count")
        yield fact("unnumbered", f"{counts} came without a chunk's number: the published counter's")
    going = pace(status, earlier)
    if going is not None and status.state == "running":  # a job that is stuck or failed has no end in sight
        yield fact("pace", f"{_rate(going.chunks_per_second)}, {duration_text(going.seconds_left)} left at that")
    yield fact("began", times.text(progress.created_at))
    yield fact("progress", f"{times.text(progress.updated_at)} (last)")
    yield fact("join", _join(status, times))


def _rate(per_second: float) -> str:
    units = {"s": 1, "min": _MINUTE, "h": _HOUR}
    unit = next((unit for unit, seconds in units.items() if per_second * seconds >= 1), "h")
    return f"{per_second * units[unit]:,.1f} chunks/{unit}"


def _join(status: JobStatus, times: Times) -> str:
    join = status.progress.join
    error = f": {join.error}" if join.error and join.state in {"waiting", "failed"} else ""
    return f"{join_text(join, status.at, times.text)}{error}"


def _map(status: JobStatus) -> Iterator[Line]:
    """Lines of cells, each line with the number of its first chunk."""
    per_cell, marks = cells(status.progress, MAP_CELLS)
    if not marks:
        return
    width = len(f"{status.progress.total_parts:,}")
    for start in range(0, len(marks), MAP_WIDTH):
        drawn = (CELLS[mark] for mark in marks[start : start + MAP_WIDTH])
        yield Line((Piece(f"{start * per_cell + 1:>{width},}  ", "faint"), *drawn), None)
    each = "" if per_cell == 1 else f"; a mark is {per_cell:,} chunks, + some of them counted"
    margin = Piece(" " * (width + 2))
    yield Line((margin, Piece(f"(# counted, . missing, ! failed{each})", "faint")), width + 2)


def _missing(status: JobStatus, times: Times) -> Iterator[str]:
    progress = status.progress
    if progress.missing is None and not status.all_counted:
        yield fact("missing", "unknown: some chunks were counted without their numbers")
    elif progress.missing:
        yield fact("missing", listed(progress.missing))
    if status.never_uploaded:
        yield fact("not stored", listed(status.never_uploaded))
    for failure in progress.failures[:FAILURES_SHOWN]:
        final, since = ", permanently" if failure.final else "", ", sent again since" if failure.retried else ""
        when = f"{tries_text(failure.attempts)}{final}, last {times.text(failure.at)}{since}"
        yield fact("failed", f"chunk {failure.number} ({when}): {failure.error}")
    if len(progress.failures) > FAILURES_SHOWN:
        yield fact("", f"and {len(progress.failures) - FAILURES_SHOWN:,} more; --json lists all")


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


def _advice(status: JobStatus, *, watched: bool) -> Iterator[Line]:
    """Why, and what to do: whatever comes before the last step is to be done first. A command is never wrapped."""
    for reason in status.advice.reasons:
        yield _line(fact("why", reason.text))
    steps = [step for step in status.advice.steps if not (watched and step.text.endswith(" --watch"))]
    *before, last = steps or (None,)
    for label, step in [*(("first", step) for step in before), ("next", last)]:
        if step is not None:
            yield fact_line(fact(label, step.text), "strong" if step.command else "plain", whole=step.command)
