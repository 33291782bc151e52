"""The table of all jobs: as many columns as fit, and every job's name whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from splitjoin_cli.cli.lines import STATE_TONES, Line, Piece, display_width
from splitjoin_cli.cli.text import visible
from splitjoin_cli.cli.times import Times

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from splitjoin_cli.cli.lines import Tone
    from splitjoin_cli.join.operate.status import JobStatus

__all__ = ["Column", "rows_of", "table"]

GAP = "  "
NAME_COLUMNS = 24
"""A name may take so many columns before others are left out for it; a longer one gets a line of its own."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its head and its cells. ``spared``: the higher, the earlier it is left out where not all fit.

    ``width``: of the widest cell; measured once, for each of ten thousand cells is padded to it.
    """

    head: str
    cells: tuple[str, ...]
    right: bool = False
    spared: int = 0
    width: int = field(init=False)

    def __post_init__(self) -> None:
        """Measure."""
        object.__setattr__(self, "width", max(map(display_width, (self.head, *self.cells))))

    def padded(self, index: int) -> str:
        """The cell of a row; the head where it is -1."""
        text = self.head if index < 0 else self.cells[index]
        padding = " " * (self.width - display_width(text))
        return padding + text if self.right else text + padding


def table(jobs: Sequence[JobStatus], width: int | None = None, *, full: bool = False) -> Iterator[Line]:
    """A line for each job. ``full``: whole times, and all columns, however wide. ``width``: None for any."""
    names, tones = [job.progress.file_name for job in jobs], [STATE_TONES[job.state] for job in jobs]
    return rows_of("job", names, _columns(jobs, full=full), tones, None if full else width)


def rows_of(
    head: str, of: Sequence[str], columns: list[Column], tones: Sequence[Tone], width: int | None
) -> Iterator[Line]:
    """A line for each name, with as many columns as fit into ``width``; ``tones``: of the cells called ``state``.

    Each is made when it is taken: of ten thousand jobs only the columns' cells are held.
    """
    names = [visible(name) for name in of]
    longest = room = max(map(display_width, (head, *names)))
    if width is not None:
        columns = _fitting(columns, width - min(longest, NAME_COLUMNS))
        room = max(min(longest, width - _taken(columns)), display_width(head))
    margin = " " * (room - len(head))
    yield _stripped(Line((Piece(head + margin, "faint"), *(_cell(column, -1) for column in columns)), None))
    for index, (tone, name) in enumerate(zip(tones, names, strict=True)):
        cells = [_cell(column, index, tone) for column in columns]
        if display_width(name) > room:
            yield _stripped(Line((Piece(name, "strong"),), None))
            name = ""  # noqa: PLW2901 -- it has been said
        yield _stripped(Line((Piece(name + " " * (room - display_width(name)), "strong"), *cells), None))


def _columns(jobs: Sequence[JobStatus], *, full: bool) -> list[Column]:
    def cells(texts: list[str]) -> tuple[str, ...]:
        return tuple(texts)

    seen = [(job.progress, Times(job.at, full=full)) for job in jobs]
    columns = [
        Column("state", cells([job.state for job in jobs])),
        Column("counted", cells([f"{one.processed_parts:,}/{one.total_parts:,}" for one, _ in seen]), right=True),
        Column("failed", cells([f"{len(one.failures):,}" for one, _ in seen]), right=True),
        Column("rows", cells(["?" if one.rows is None else f"{one.rows:,}" for one, _ in seen]), right=True, spared=2),
        Column("began", cells([times.text(one.created_at) for one, times in seen]), spared=3),
        Column("last progress", cells([times.text(one.updated_at) for one, times in seen]), spared=1),
    ]
    if any(job.dead_letters is not None for job in jobs):
        columns.append(Column("dead letters", cells([_letters(job) for job in jobs]), right=True))
    return columns


def _letters(job: JobStatus) -> str:
    letters = job.dead_letters
    return "?" if letters is None else f"{len(letters.of(job.progress.file_name)):,}"


def _taken(columns: Sequence[Column]) -> int:
    return sum(len(GAP) + column.width for column in columns)


def _fitting(columns: list[Column], room: int) -> list[Column]:
    """Without those that are spared, one after the other, until the others fit."""
    kept = columns
    while _taken(kept) > room and any(column.spared for column in kept):
        last = max(kept, key=lambda column: column.spared)
        kept = [column for column in kept if column is not last]
    return kept


def _cell(column: Column, index: int, state: Tone = "plain") -> Piece:
    text = GAP + column.padded(index)
    if index < 0:
        return Piece(text, "faint")
    failed = column.head == "failed" and column.cells[index] != "0"
    return Piece(text, state if column.head == "state" else "bad" if failed else "plain")


def _stripped(line: Line) -> Line:
    *before, last = line.pieces
    return Line((*before, Piece(last.text.rstrip(), last.tone)), None)
