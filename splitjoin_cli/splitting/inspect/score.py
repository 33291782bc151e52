"""How well a form fits a sample: by the run of records of one width, by what its fields look like, by stray quotes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from splitjoin_cli.splitting.inspect.candidates import prior
from splitjoin_cli.splitting.inspect.form import opens
from splitjoin_cli.splitting.inspect.kinds import kind_of, plain

if TYPE_CHECKING:
    from splitjoin_cli.splitting.inspect.form import Form, Row

__all__ = ["Fit", "fit", "region_of"]

_MORE = 1.03  # of two tables in one file the first, where they are as good
_SOLID = 4
_JUDGED_ROWS = 120
_TORN_ROWS = 3
_JUDGED_CELLS = 3000
_SEPARATORS = (b",", b";", b"\t", b"|")


@dataclass(slots=True)
class Fit:
    """A form, the records it makes, and the run of records (``first`` to ``last``, half-open) of ``width`` fields."""

    form: Form
    rows: list[Row] = field(repr=False)
    width: int
    first: int
    last: int
    score: float
    share: float
    likeness: float
    faults: int
    ragged: int


def region_of(widths: list[int], width: int) -> tuple[int, int, int]:
    """The run that holds most records of ``width`` and fewest others: its ends and how many it holds.

    ``widths``: of each record, 0 for a blank one. The largest sum of +1 and -1 (Bentley, Programming Pearls, 8).
    """
    best = total = hits = 0
    start, found = 0, (0, 0, 0)
    for at, one in enumerate(widths):
        if one == width:
            total, hits = total + 1, hits + 1
        elif one:
            total -= 1
        if total <= 0:
            total, hits, start = 0, 0, at + 1
        elif total > best:
            best, found = total, (start, at + 1, hits)
    return found


def fit(form: Form, rows: list[Row]) -> Fit | None:
    """The best run of records in ``rows``, judged; None where no two fields are anywhere."""
    widths = [0 if row.blank else len(row.cells) for row in rows[: _torn(form, rows)]]
    filled = sum(1 for w in widths if w)
    if not filled:
        return None
    counted = Counter(w for w in widths if w > 1)
    best: Fit | None = None
    for width, _ in counted.most_common(3):
        first, last, hits = region_of(widths, width)
        if not hits:
            continue
        ragged = sum(1 for w in widths[first:last] if w) - hits
        run = [row for row in rows[first:last] if len(row.cells) == width]
        faults = sum(1 for row in rows[first:last] if row.fault >= 0)
        likeness = _likeness(form, run)
        share = hits / filled
        steady = hits / (hits + ragged)
        if not ragged and hits >= _SOLID and not faults and (not first or not any(widths[last:])):
            share = 0.4 + 0.6 * share  # one width from the beginning, or to the end
        score = share * steady * (1 - 0.6 / width) * likeness * prior(form.delimiter)
        score *= max(0.0, 1 - 2 * faults / max(1, last - first)) if faults else 1
        if best is None or score > _MORE * best.score:
            best = Fit(form, rows, width, first, last, score, share, likeness, faults, ragged)
    return best


def _torn(form: Form, rows: list[Row]) -> int:
    """Where the last records begin to be what a quote leaves that opens and never closes; else their number.

    A file that was cut short inside quotes has quotes all the same: what is torn says nothing against a form.
    """
    if form.quote == b'"':
        for at in range(max(1, len(rows) - _TORN_ROWS), len(rows)):
            if rows[at].fault >= 0 and opens(rows[at], form):
                return at
    return len(rows)


def _likeness(form: Form, run: list[Row]) -> float:
    """The share of fields that look like something a table holds, 0 to 1."""
    step = max(1, len(run) // _JUDGED_ROWS)
    total = seen = 0.0
    for row in run[::step]:
        if seen > _JUDGED_CELLS:
            break
        for cell in row.cells[:60]:
            seen += 1
            total += _cell(form, cell)
    return total / seen if seen else 0.0


def _cell(form: Form, cell: bytes) -> float:
    quote = form.quote
    if quote and cell.startswith(quote):
        text = plain(cell, quote)
        if text is cell:
            return 0.0
        return 1.0 if b"\n" not in text or len(text) < 2000 else 0.5  # a quote that swallows pages
    if not cell:
        return 0.9
    ends = cell.strip(b" ")
    if ends[:1] in (b'"', b"'") and ends[-1:] == ends[:1] and len(ends) > 1:
        return 0.1
    if ends[:1] == b'"' or ends[-1:] == b'"':
        return 0.2
    kind = kind_of(cell)
    if kind in ("word", "text"):
        return 0.9 if cell[:1] != b" " else 0.8
    if kind != "other":
        return 1.0
    if any(s in cell for s in _SEPARATORS if s != form.delimiter):
        return 0.35
    return 0.7
