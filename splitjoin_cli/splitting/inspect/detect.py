"""Which form a sample has: every candidate is tried, and the one that fits best is kept, with its rivals."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from splitjoin_cli.splitting.inspect.candidates import delimiters, prior
from splitjoin_cli.splitting.inspect.columns import profile
from splitjoin_cli.splitting.inspect.form import CR, LF, Form, Reader
from splitjoin_cli.splitting.inspect.score import Fit, fit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Detected", "detect", "is_chance", "one_column", "with_later"]

FIRST_BYTES = 64 * 1024
SECOND_BYTES = 256 * 1024
_CLOSE = 0.98
_LIKELY = 0.6
_WORDS = 12
_LINES, _FRONT = 400, 100
_UNLIKELY = 0.6
_SAME = 0.99
_AROUND = 16 * 1024


@dataclass(slots=True)
class Detected:
    """The best fit, and the best one of another delimiter, where there is one."""

    best: Fit | None
    rival: Fit | None


def detect(data: bytes, *, whole: bool, delimiter: bytes = b"") -> Detected:
    """Judge ``data``, the first bytes of a file without its byte order mark; ``whole``: they are all of it.

    ``delimiter``: the one that the file itself names; empty where every candidate is tried.
    """
    newline = LF if LF in data or CR not in data else CR
    small, more = data[:FIRST_BYTES], data[:SECOND_BYTES]
    forms = forms_of(small, Form(delimiter, newline=newline)) if delimiter else _forms(small, newline)
    fits = _fits(forms, small, whole=whole and len(data) <= FIRST_BYTES)
    if len(data) > FIRST_BYTES and fits:
        likely = [one.form.delimiter for one in fits if one.score > _LIKELY * fits[0].score]
        kept = list(dict.fromkeys(likely))[:3]
        forms = (form for delimiter in kept for form in forms_of(more, Form(delimiter, newline=newline)))
        fits = _fits(forms, more, whole=whole and len(data) <= SECOND_BYTES)
    if not fits:
        return Detected(None, None)
    best = _preferred(fits)
    rivals = [
        one
        for one in fits
        if one.form.delimiter not in best.form.delimiter and best.form.delimiter not in one.form.delimiter
    ]
    return Detected(best, rivals[0] if rivals else None)


def _fits(forms: Iterable[Form], data: bytes, *, whole: bool) -> list[Fit]:
    """Every form that makes records of several fields, the best first."""
    found = (_tried(form, data, whole=whole) for form in forms)
    return sorted((one for one in found if one), key=lambda one: -one.score)


def _tried(form: Form, data: bytes, *, whole: bool) -> Fit | None:
    return fit(form, list(Reader(form).rows(data, whole=whole)))


def _forms(data: bytes, newline: bytes) -> Iterator[Form]:
    lines = data.split(newline)
    picked = lines if len(lines) <= _LINES else lines[:_FRONT] + lines[_FRONT :: len(lines) // (_LINES - _FRONT)]
    for delimiter in delimiters(picked):
        yield from forms_of(data, Form(delimiter, newline=newline))


def forms_of(data: bytes, bare: Form) -> Iterator[Form]:
    """The ways to quote and escape with one delimiter, as far as the sample holds what they need."""
    yield bare
    delimiter, newline = re.escape(bare.delimiter), re.escape(bare.newline)
    backslash = b"\\" in data
    edge = rb"(?:\A|%s|%s) *" % (delimiter, newline)
    for quote in (b'"', b"'"):
        if not re.search(edge + quote, data):
            continue
        yield replace(bare, quote=quote)
        if backslash and b"\\" + quote in data:
            yield replace(bare, quote=quote, escape=b"\\")
            yield replace(bare, quote=quote, escape=b"\\", escape_quoted=True)
        yield replace(bare, quote=quote, mysql=True)
        if re.search(delimiter + b" +" + quote, data):
            yield replace(bare, quote=quote, skip_space=True)
    if backslash and re.search(rb"\\(?:%s|%s|\r|[0bfnrtvZN\\])" % (delimiter, newline), data):
        yield replace(bare, escape=b"\\")


def _preferred(fits: list[Fit]) -> Fit:
    """The best one; of equals the simplest, and the longest delimiter that others are parts of."""
    best = fits[0]
    for one in fits:
        inside = one.form.delimiter != best.form.delimiter and best.form.delimiter in one.form.delimiter
        times = one.form.delimiter.count(best.form.delimiter)
        as_good = one.share >= _CLOSE * best.share and one.faults <= best.faults and one.ragged <= best.ragged
        if inside and as_good and (best.width - 1) == times * (one.width - 1):
            best = one
    same = [one for one in fits if one.form.delimiter == best.form.delimiter]
    clean = [one for one in same if not (one.form.mysql and one.ragged)]
    top = max((one.score for one in clean), default=best.score)
    equal = sorted(
        (one for one in clean if one.score >= top * _SAME), key=lambda one: (-round(one.share, 4), _plainness(one))
    )
    if not equal:
        return best
    if equal[0].form.escape and _doubles_quotes_too(equal[0]):  # as PHP does: a backslash stays, and is no escape
        return next((one for one in equal if one.form.mysql), equal[0])
    return equal[0]


def _plainness(one: Fit) -> tuple[bool, ...]:
    form = one.form
    return (form.mysql, bool(form.escape), form.skip_space, form.escape_quoted, not form.quote)


def _doubles_quotes_too(one: Fit) -> bool:
    """Whether quotes are doubled within fields, beside those behind a backslash, and no backslash is doubled."""
    quote, escape = one.form.quote, one.form.escape
    if not quote:
        return False
    doubled = False
    for row in one.rows[one.first : one.last]:
        for cell in row.cells:
            if cell.startswith(quote):
                doubled = doubled or bool(re.search(rb"[^\\]" + quote * 2, cell[1:-1]))
                if escape * 2 in cell:
                    return False
    return doubled


def is_chance(fit: Fit) -> bool:
    """Whether an unlikely delimiter may be a letter of one column's values: of names, addresses, times."""
    if prior(fit.form.delimiter) > _UNLIKELY:
        return False
    first = next((at for at, row in enumerate(fit.rows) if not row.blank), 0)
    if fit.first > first:
        return True
    body = profile(fit.rows[fit.first + 1 : fit.last], fit.width, fit.form.quote)
    return fit.width < 3 or not any(column.kind for column in body.columns)


def one_column(data: bytes, *, whole: bool) -> Fit | None:
    """A fit of one field a record; None where the lines read as prose, or hold what would separate fields."""
    newline = LF if LF in data or CR not in data else CR
    small = data[:SECOND_BYTES]
    best: Fit | None = None
    for quote in (b"", b'"'):
        if quote and quote not in small:
            continue
        form = Form(b",", quote=quote, newline=newline)
        rows = list(Reader(form).rows(small, whole=whole and len(small) == len(data)))
        filled = [row for row in rows if not row.blank]
        single = sum(1 for row in filled if len(row.cells) == 1 and row.fault < 0)
        if filled and single == len(filled):
            best = Fit(form, rows, 1, 0, len(rows), 0.5, 1.0, 1.0, 0, 0)
    if best is None or any(sum(1 for c in row.cells[0] if c == 0x20) > _WORDS for row in best.rows):
        return None
    return best


def with_later(found: Fit, head: bytes, others: list[bytes]) -> Fit:
    """``found``, or the fit of a form that reads what its sample did not hold: quotes or escapes further on.

    ``head``: what the sample was the beginning of; ``others``: pieces from behind it.
    """
    form = found.form
    for piece in (head[SECOND_BYTES:], *others):
        window = _window(piece, form)
        if not window:
            continue
        bare = Form(form.delimiter, newline=form.newline, skip_space=form.skip_space)
        fits = _fits(forms_of(window, bare), window, whole=False)
        better = _preferred(fits).form if fits else form
        if better.delimiter == form.delimiter and (better.quote, better.escape) != (form.quote, form.escape):
            return _tried(better, head[:SECOND_BYTES], whole=len(head) <= SECOND_BYTES) or found
    return found


def _window(piece: bytes, form: Form) -> bytes:
    """Lines around the first quote or escape in ``piece`` that ``form`` does not know; empty where there is none."""
    if not form.quote:
        first = re.search(rb"(?:%s|%s) *[\"']" % (re.escape(form.delimiter), re.escape(form.newline)), piece)
        at = first.start() if first else -1
    else:
        at = -1 if form.escape else piece.find(b"\\" + form.quote)
    if at < 0:
        return b""
    start = piece.rfind(form.newline, 0, max(0, at - _AROUND)) + 1
    return piece[start : at + _AROUND]
