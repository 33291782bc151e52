"""Where a table begins and ends among what stands around it: preamble, header, trailer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.splitting.inspect.columns import Profile, profile
from splitjoin_cli.splitting.inspect.header import header_score
from splitjoin_cli.splitting.inspect.kinds import TYPED, kind_of
from splitjoin_cli.splitting.trailer import MOST_TRAILER_LINES, is_tagged

if TYPE_CHECKING:
    from splitjoin_cli.splitting.inspect.form import Row
    from splitjoin_cli.splitting.inspect.score import Fit

__all__ = ["Top", "bottom", "top"]

_FAR = 60
_SPARSE = 0.4
_UNSURE = 0.3
_NAMES_COLUMNS = 1.0
_BLOCK = 3
_LONG_NAME = 60
_NO_NAME = TYPED - {"bool"}  # n, t and y are names
_LAST_WORDS = re.compile(
    rb"(?i)\(?(?:grand |sub)?total\b|sum\b|summe\b|gesamt|somme\b|eof\b|end\b|trailer\b|trl\b|tlr\b|footer\b|t\Z|z\Z"
    rb"|99+\Z|count\b|rows?\b|records?\b|generated\b|source\b|note|\*|#|--|\(\d+ |\d+ (?:rows?|records?|lines?)\b"
    rb"|created\b|report\b|page\b"
)


@dataclass(frozen=True, slots=True)
class Top:
    """``at``: the index of the header, or of the first record without one; ``header``: None where it is unknown.

    ``body``: the index of the first record under it. ``ragged``: the header has another number of fields.
    """

    at: int
    header: bool | None
    body: int
    profile: Profile
    ragged: bool = False


def top(fit: Fit) -> Top:
    """Where the table of ``fit`` begins."""
    rows, width, quote = fit.rows, fit.width, fit.form.quote
    run = [at for at in range(fit.first, fit.last) if len(rows[at].cells) == width and not rows[at].blank]
    later = run[min(len(run) // 2, 20) :] if len(run) > 2 else run[1:] or run
    body = profile([rows[at] for at in later], width, quote)
    run = _past_prose(rows, run, body)
    at = _past_sparse(rows, run, body)
    at = _past_comments(rows, run, at, body)
    at = _past_pairs(rows, run, at, body)
    under = profile([rows[i] for i in run if i > at and rows[i].cells != rows[at].cells], width, quote)
    at = _before_a_broken_record(rows, at, under)
    before = _ragged_header(rows, at, under)
    if before is not None:
        return Top(before, True, at, under, ragged=True)  # noqa: FBT003
    if not under.rows:
        alone = any(kind_of(text) in _NO_NAME for text in body.texts(rows[at]))
        return Top(at, not alone, at if alone else at + 1, body)
    score = header_score(rows[at], under)
    header = None if -_UNSURE < score < 0 else score >= 0
    return Top(at, header, at if header is False else at + 1, under)


def _filled(row: Row, body: Profile) -> int:
    return sum(1 for text in body.texts(row) if text)


def _past_prose(rows: list[Row], run: list[int], body: Profile) -> list[int]:
    """The run without lines of prose that have the table's width by chance: other lines come before the header."""
    near = run[:_FAR]
    gaps = [i for i in range(run[0], near[-1]) if not rows[i].blank and len(rows[i].cells) != body.width]
    for gap in reversed(gaps):
        before, after = [i for i in near if i < gap], [i for i in run if i > gap]
        if all(body.agrees(rows[i]) < 0 for i in before) and header_score(rows[after[0]], body) > 0:
            return after
    return run


def _past_sparse(rows: list[Row], run: list[int], body: Profile) -> int:
    """Past lines that were padded to the table's width, and past what ends with an empty one."""
    width = body.width
    at = run[0]
    if width < 2 or body.fill < min(2, 0.6 * width):
        return at
    near = run[:_FAR]
    empty = _empty_before_a_block(rows, near, body)
    if empty is not None:
        after = [i for i in run if i > empty]
        before = [i for i in near if i < empty]
        odd = all(_filled(rows[i], body) < body.fill or body.agrees(rows[i]) <= 0 for i in before)
        if after and odd:
            return after[0]
    sparse = _SPARSE * body.fill
    for n, i in enumerate(near[:-1]):
        if _filled(rows[i], body) > max(1, sparse):
            return i if n == 0 or _filled(rows[i], body) >= 0.5 * body.fill else at
        if body.fill <= 2 and width > 2:  # a sparse table
            return at
        if width == 2:
            return at
    return at


def _empty_before_a_block(rows: list[Row], near: list[int], body: Profile) -> int | None:
    """The first record of empty fields that a block of three records or more follows; None where there is none."""
    empty = [n for n, i in enumerate(near) if _filled(rows[i], body) == 0]
    for n, after in zip(empty, [*empty, len(near)][1:], strict=True):
        if after - n > _BLOCK:
            return near[n]
    return None


def _past_comments(rows: list[Row], run: list[int], at: int, body: Profile) -> int:
    """Past lines that begin with #, unless the last of them names the columns."""
    later = [i for i in run if i >= at]
    marked = []
    for i in later:
        if not rows[i].cells[0].startswith((b"#", b"//", b"%")):
            break
        marked.append(i)
    rest = later[len(marked) :]
    if not marked or not rest or len(rest) < len(marked):
        return at
    return rest[0] if body.agrees(rows[rest[0]]) < 0 else marked[-1]


def _past_pairs(rows: list[Row], run: list[int], at: int, body: Profile) -> int:
    """Past pairs of a name and a value (``Report date,2024-01-31``) above a header of as many fields."""
    later = [i for i in run[:_FAR] if i >= at]
    typed = [n for n, column in enumerate(body.columns) if column.kind and column.filled > 0.5]
    if not typed:
        return at
    heads = 0
    for i in later:
        if body.agrees(rows[i]) > 0:
            break
        heads += 1
    if not 1 < heads < len(later):
        return at
    first, last = later[0], later[heads - 1]
    mixed = any(kindless for i in later[: heads - 1] for kindless in (_names_a_value(rows[i], body),) if kindless)
    gap = any(rows[i].blank for i in range(first, last))
    return last if mixed or gap else at


def _names_a_value(row: Row, body: Profile) -> bool:
    texts = body.texts(row)
    return texts[0].endswith(b":") or (
        len(texts) == 2 and kind_of(texts[1]) in TYPED and kind_of(texts[0]) in ("word", "text")
    )


def _before_a_broken_record(rows: list[Row], at: int, under: Profile) -> int:
    """The header, where the record under it is broken, and so no part of the run."""
    if under.rows < 3 or header_score(rows[at], under) > 0:
        return at
    near = [i for i in range(max(0, at - 3), at) if len(rows[i].cells) == under.width]
    return next((i for i in near if header_score(rows[i], under) > _NAMES_COLUMNS), at)


def _ragged_header(rows: list[Row], at: int, under: Profile) -> int | None:
    """The index of a header that lacks a field, or has one too many, right before the record ``at``."""
    if at == 0 or under.rows < 2:
        return None
    row, width = rows[at - 1], under.width
    cells, first = len(row.cells), not any(not one.blank for one in rows[: at - 1])
    few = max(1, width // 10) if first else 1
    if row.blank or width < 3 or cells < 2 or not 0 < abs(cells - width) <= few:
        return None
    texts = under.texts(row)
    if sum(1 for text in texts if text) < cells - 1 or any(len(text) > _LONG_NAME for text in texts):
        return None
    typed = any(column.kind for column in under.columns)
    names = not any(kind_of(text) in _NO_NAME for text in texts) and b" " not in row.cells[-1][:1]
    if first and typed and names and under.agrees(rows[at]) > 0:
        return at - 1
    return at - 1 if header_score(rows[at], under) <= 0 < header_score(row, under) else None


def bottom(rows: list[Row], width: int, body: Profile, *, ragged: bool, counted: int | None = None) -> int:
    """The index of the first row after the table in ``rows``, which reach to the file's end.

    ``ragged``: records of other widths are ordinary in it. ``counted``: records in all, those of the trailer included.
    """
    end = len(rows)
    for at in range(len(rows) - 1, -1, -1):
        row = rows[at]
        if row.blank:
            continue
        if len(row.cells) == width:
            before = rows[:at]
            if _is_last_word(row, before[-1] if at else None, body) or _says_count(row, before, body, counted):
                end = at
                continue
            if _belongs(row, body) or not _alien_behind(rows[max(0, at - 3) : at], width):
                break
        elif len(row.cells) > 1 and body.agrees(row) > (0 if ragged else 1):
            break
        end = at
    return end


def _belongs(row: Row, body: Profile) -> bool:
    return body.agrees(row) > 0 or not any(column.kind for column in body.columns)


def _alien_behind(before: list[Row], width: int) -> bool:
    """Whether the lines right before are no records either."""
    return any(len(row.cells) != width for row in before)


def _says_count(row: Row, before: list[Row], body: Profile, counted: int | None) -> bool:
    """Whether a record of the table's width is a trailer with one number: ``TOTAL,2000``.

    It is where the number is that of the records, a few lines of trailer more or less, or where the first fields of
    the records ``before`` are of one kind that is no word.
    """
    first, *others = body.texts(row)
    held = [text for text in others if text]
    if not is_tagged(first.decode("utf-8", "replace")) or len(held) != 1 or not held[0].isdigit():
        return False
    if counted is not None and counted - MOST_TRAILER_LINES <= int(held[0]) < counted:
        return True
    kinds = {kind_of(body.texts(one)[0]) for one in before if len(one.cells) == body.width}
    return len(before) > 1 and len(kinds) == 1 and kinds <= _NO_NAME


def _is_last_word(row: Row, before: Row | None, body: Profile) -> bool:
    """Whether a record of the table's width is a trailer that was padded to it."""
    filled, width = _filled(row, body), body.width
    if width < 3 or body.fill < 0.6 * width:
        return False
    if filled == 0:
        return True
    texts = [text for text in body.texts(row) if text]
    sparse = filled <= max(1, _SPARSE * body.fill)
    gap = before is not None and len(before.cells) == width and _filled(before, body) == 0
    alien = body.agrees(row) < 0 or not body.columns[0].kind or not body.columns[0].holds(texts[0])
    return sparse and alien and (gap or filled == 1 or bool(_LAST_WORDS.match(texts[0])))
