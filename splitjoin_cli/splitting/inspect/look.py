"""What a file is: its pieces judged one after the other, from the encoding to the trailer."""

from __future__ import annotations

import codecs
import re
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from splitjoin_cli.splitting.inspect.count import Counting
from splitjoin_cli.splitting.inspect.detect import SECOND_BYTES, detect, is_chance, one_column, with_later
from splitjoin_cli.splitting.inspect.edges import Top, bottom, top
from splitjoin_cli.splitting.inspect.encoding import Encoding, encoding_of
from splitjoin_cli.splitting.inspect.form import Form, Reader, Row, opens
from splitjoin_cli.splitting.inspect.tally import Tally
from splitjoin_cli.splitting.inspect.values import escapes_of, nulls_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from splitjoin_cli.splitting.inspect.pieces import Pieces
    from splitjoin_cli.splitting.inspect.score import Fit

__all__ = ["Seen", "encoding_in", "look", "transcoded", "transcoded_blocks"]

_LAG = 400
"""So many records are held back at the end: some of them may be the trailer's lines."""
_SAMPLE_ROWS = 3000
_TRIES = 8
_SETTLED = 0.22
_RIVAL = 0.92
_FEW = 3
_MANY_TIMES = 5
LONE_CR = re.compile(rb"\r(?!\n)")


@dataclass(slots=True)
class Seen:
    """What was found. Places are of the decompressed bytes (of the transcoded ones, for UTF-16 and UTF-32).

    ``form``: None where no delimiter makes records of one width. ``settled``: no other delimiter fits as well.
    ``header``: None where it is unknown. ``trailer``: lines, None where the end was not read. ``records``: None where
    their number cannot even be estimated; ``exact``: it was counted.
    """

    encoding: Encoding
    line_end: str | None
    form: Form | None
    settled: bool = True
    rival: bytes | None = None
    header: bool | None = None
    columns: list[bytes] = field(default_factory=list)
    skip_lines: int = 0
    trailer: int | None = 0
    trailer_texts: list[bytes] = field(default_factory=list)
    sep_line: bool = False
    nulls: list[str] = field(default_factory=list)
    doubtful_nulls: dict[str, int] = field(default_factory=dict)
    c_escapes: bool = False
    dashes: bool = False
    records: int | None = None
    exact: bool = False
    tally: Tally | None = None
    quotes_are_text: bool = False
    stray_rule: str | None = None
    ragged_header: bool = False
    cut_off: tuple[int | None, int] | None = None
    left_open: tuple[int | None, int] | None = None
    trailer_start: int = 0
    invalid: int | None = None


def encoding_in(pieces: Pieces) -> Encoding:
    """The encoding of all that was read."""
    return encoding_of(pieces.head, b"".join(_lines(piece) for piece in _others(pieces)), whole=pieces.whole)


def look(pieces: Pieces, encoding: Encoding, blocks: Iterable[bytes] | None = None) -> Seen:
    """Judge what was read, all of it bytes that keep ASCII: UTF-16 and UTF-32 are ``transcoded`` before.

    ``blocks``: all of the file, for exact counts; None where the pieces are enough.
    """
    mark = len(codecs.BOM_UTF8) if pieces.head.startswith(codecs.BOM_UTF8) else 0
    head = pieces.head[mark:]
    sep, start = _sep_line(head)
    found = detect(head[start:], whole=pieces.whole, delimiter=sep)
    seen = Seen(encoding, line_end(head), None, sep_line=bool(start), invalid=encoding.invalid)
    fit = found.best
    if fit is None or ((fit.score < _SETTLED or is_chance(fit)) and not sep):
        fit = one_column(head[start:], whole=pieces.whole)
        if fit is None:
            if found.best is None or found.best.score < _SETTLED:
                return seen
            fit = found.best
    seen.settled = found.rival is None or found.rival.score < _RIVAL * fit.score
    seen.rival = found.rival.form.delimiter if found.rival and not seen.settled else None
    if not pieces.whole or len(head) > SECOND_BYTES:
        fit = with_later(fit, head[start:], _others(pieces))
    judged = _Judged(fit, pieces, mark + start, head[:start].count(b"\n"))
    judged.fill(seen, blocks)
    return seen


def _others(pieces: Pieces) -> list[bytes]:
    return [piece for _, piece in pieces.between] + ([pieces.tail[1]] if pieces.tail else [])


def _lines(piece: bytes) -> bytes:
    """A piece without the lines that it cuts."""
    first, last = piece.find(b"\n"), piece.rfind(b"\n")
    return piece[first + 1 : last + 1]


def transcoded(pieces: Pieces, encoding: str) -> Pieces:
    """The head as UTF-8, alone: such a file is read from the front."""
    from splitjoin_cli.splitting.inspect.pieces import Pieces as Made  # noqa: PLC0415

    text = codecs.getincrementaldecoder(encoding)("replace").decode(pieces.head, final=pieces.whole)
    head = text.removeprefix("\ufeff").encode("utf-8", "replace")
    return Made(head, pieces.whole, len(head) if pieces.whole else None)


def transcoded_blocks(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Blocks of a wide encoding as UTF-8, without the mark."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    first = True
    for block in blocks:
        text = decoder.decode(block)
        yield (text.removeprefix("\ufeff") if first else text).encode("utf-8", "replace")
        first = False


def _sep_line(head: bytes) -> tuple[bytes, int]:
    """The delimiter that a first line ``sep=;`` sets, and that line's length; nothing where there is none."""
    line, end, _ = head[:16].partition(b"\n")
    line = line.removesuffix(b"\r")
    if not end or not line.startswith(b"sep=") or len(line) != 5 or not (0x20 <= line[4] < 0x7F or line[4] == 9):
        return b"", 0
    return line[4:], head.find(b"\n") + 1


def line_end(data: bytes) -> str | None:
    r"""``\n``, ``\r\n`` or ``\r``, "mixed" where both of the first two end lines, None without any."""
    lf, crlf = data.count(b"\n"), data.count(b"\r\n")
    if not lf:
        return "\r" if b"\r" in data.rstrip(b"\r")[:-1] or data.endswith(b"\r") else None
    if not crlf:
        return "\n"
    return "\r\n" if crlf == lf else "mixed"


class _Judged:
    """A file with its form: what the rest of it says."""

    def __init__(self, fit: Fit, pieces: Pieces, start: int, lines_before: int) -> None:
        """``start``: where the fit's sample begins in the file, ``lines_before``: lines before it."""
        self.fit, self.pieces, self.start, self.before = fit, pieces, start, lines_before
        self.form, self.width = fit.form, fit.width
        self.top: Top = top(fit)
        self.rows = fit.rows
        self.reader = Reader(self.form)

    def fill(self, seen: Seen, blocks: Iterable[bytes] | None) -> None:
        """Put what is found into ``seen``."""
        first = self.rows[self.top.at]
        body = self.top.profile
        seen.form, seen.header = self.form, self.top.header
        seen.ragged_header = self.top.ragged
        seen.skip_lines = self.before + first.line - 1
        header = first.cells if self.top.header is not False else None
        if header is not None:
            seen.columns = [unquoted(cell, self.form) for cell in header]
        seen.line_end = self._line_end(seen.line_end)
        watched = any(LONE_CR.search(piece) for piece in (self.pieces.head, *_others(self.pieces)))
        watched = watched and self.form.strips_cr
        seen.tally = Tally(self.width, header, quote=self.form.quote if watched else None, escape=self.form.escape)
        self._count(seen, blocks)
        sample = [
            row for row in self.rows[self.top.body : self.top.body + _SAMPLE_ROWS] if len(row.cells) == self.width
        ]
        escapes = escapes_of(sample, self.form)
        if seen.tally.lone_cr.times and self._mostly_lf():
            seen.form = self.form = replace(self.form, lf_only=True)
            seen.line_end = "\n"
        if not self.form.escape and not self.form.quote and escapes.speak_for_themselves(self.form.delimiter):
            seen.form = self.form = replace(self.form, escape=b"\\")
        if self.form.escape:
            seen.c_escapes = escapes.letters
            if self.form.quote and escapes.only_quoted and not self.form.escape_quoted:
                seen.form = self.form = replace(self.form, escape_quoted=True)
        under = self.rows[self.top.body : self.top.body + 1]
        seen.dashes = bool(under and header and all(cell and not cell.strip(b"- ") for cell in under[0].cells))
        seen.nulls, seen.doubtful_nulls = nulls_of(sample, self.form, body)
        self._quotes(seen)
        if seen.dashes and seen.records and seen.tally is not None:
            seen.records, seen.tally.records = seen.records - 1, seen.tally.records - 1

    def _line_end(self, raw: str | None) -> str | None:
        """What ends records: line ends of other kinds within quotes do not count."""
        if raw != "mixed":
            return raw
        ends = self._record_ends()
        return {True: "\r\n", False: "\n"}[ends.popitem()[0]] if len(ends) == 1 else raw

    def _mostly_lf(self) -> bool:
        """Whether records end with LF alone: a CR before some of them may be the last field's own."""
        ends = self._record_ends()
        return ends[False] > _MANY_TIMES * ends[True]

    def _record_ends(self) -> Counter[bool]:
        """How many records of the sample end with CR LF, and how many with LF alone."""
        data = self.pieces.head[self.start :]
        return Counter(
            data[max(0, row.end - 2) : row.end] == b"\r\n" for row in self.rows if data[row.end - 1 : row.end] == b"\n"
        )

    def _quotes(self, seen: Seen) -> None:
        """How quotes are read: none where they are letters, and by which rule where some are in a wrong place."""
        tally, form = seen.tally, self.form
        assert tally is not None  # noqa: S101 -- made by the caller
        mark = b'"'
        if not form.quote:
            held = any(mark in piece for piece in (self.pieces.head[self.start :], *_others(self.pieces)))
            text_export = form.delimiter == b"\t" and "\\N" in seen.nulls
            seen.quotes_are_text = held or text_export or seen.dashes
        elif form.mysql:
            seen.stray_rule = "mysql" if not tally.stray.times else None
        elif tally.stray.times and not tally.ragged.times and tally.records > _FEW:
            seen.stray_rule = "literal"

    def _count(self, seen: Seen, blocks: Iterable[bytes] | None) -> None:
        tally, pieces = seen.tally, self.pieces
        assert tally is not None  # noqa: S101 -- made by the caller
        body_start = self.start + self.rows[self.top.body].start if self.top.body < len(self.rows) else None
        if body_start is None:
            seen.records, seen.exact = 0, pieces.whole
            return
        line = self.before + self.rows[self.top.body].line
        if pieces.whole or blocks is not None:
            stream = [pieces.head[body_start:]] if blocks is None else _from(blocks, body_start)
            counting = Counting(self.reader, tally, at=body_start, line=line)
            self._to_the_end(seen, counting.but_the_last(stream, _LAG), body_start)
            seen.records, seen.exact = tally.records, True
            return
        for row in self.reader.rows(pieces.head[body_start:], line=line, whole=False):
            tally.add(row, body_start, lines_known=True)
        for offset, piece in pieces.between:
            for row in self._synchronised(piece):
                tally.add(row, offset, lines_known=False)
        seen.trailer = None
        end = pieces.size
        if pieces.tail is not None:
            end = self._to_the_end(
                seen, self._synchronised(pieces.tail[1], whole=True), pieces.tail[0], lines_known=False
            )
        if end is not None and tally.seen_bytes:
            seen.records = round((end - body_start) * tally.records / tally.seen_bytes)

    def _to_the_end(self, seen: Seen, rows: Iterable[Row], offset: int, *, lines_known: bool = True) -> int:
        """Count records that reach to the file's end, without the trailer; return where that begins."""
        tally = seen.tally
        assert tally is not None  # noqa: S101 -- made by the caller
        held: deque[Row] = deque()
        for row in rows:
            held.append(row)
            if len(held) > _LAG:
                tally.add(held.popleft(), offset, lines_known=lines_known)
        last = self._without_open(seen, list(held), offset, lines_known=lines_known)
        counted = tally.records + sum(1 for row in last if not row.blank)
        ragged = tally.ragged.times + sum(1 for row in last if not row.blank and len(row.cells) != self.width)
        often = counted > 0 and ragged > 0.02 * counted and ragged > len(last) // 4
        end = len(last)
        if self.width > 1:
            known = counted if lines_known else None  # lines are known where all before them was read
            end = bottom(last, self.width, self.top.profile, ragged=often, counted=known)
        end = self._cut_off(seen, last, end, offset, lines_known=lines_known)
        if any(not row.blank for row in last[end:]):
            while end and last[end - 1].blank:  # they go with the trailer
                end -= 1
        for row in last[:end]:
            tally.add(row, offset, lines_known=lines_known)
        behind = last[end:]
        seen.trailer_start = offset + (behind[0].start if behind else 0)
        seen.trailer_texts = [self.form.delimiter.join(row.cells) for row in behind if not row.blank]
        seen.trailer = sum(row_lines(row, self.form) for row in behind if not row.blank)
        if not seen.trailer:
            for row in behind:
                tally.add(row, offset, lines_known=lines_known)
            return offset + (last[-1].end if last else 0)
        return offset + behind[0].start

    def _without_open(self, seen: Seen, last: list[Row], offset: int, *, lines_known: bool) -> list[Row]:
        """``last`` without the record in which a quote opens that never closes, and what is behind it.

        What comes after such a quote is part of one field: neither a trailer, nor records with quotes in wrong places.
        """
        for place, row in enumerate(last):
            if row.fault >= 0 and opens(row, self.form):
                seen.left_open = (row.line if lines_known else None, offset + row.fault)
                return last[:place]
        return last

    def _cut_off(self, seen: Seen, last: list[Row], end: int, offset: int, *, lines_known: bool) -> int:
        """Take a last record that breaks off for what it is, and for no trailer: return where that begins now."""
        data = self.pieces.head if self.pieces.tail is None else self.pieces.tail[1]
        if not last or data.endswith(self.form.newline) or len(last[-1].cells) >= self.width:
            return end
        if len(last[-1].cells) > 1 and end >= len(last) - 1 and self.top.profile.agrees(last[-1]) > 0:
            seen.cut_off = (last[-1].line if lines_known else None, offset + last[-1].start)
            return len(last)
        return end

    def _synchronised(self, piece: bytes, *, whole: bool = False) -> Iterator[Row]:
        """The records of a piece from the middle, from the first place on where they have the table's width.

        The first one, too: behind a line end inside quotes the rest of its record would be one more, at fault.
        """
        at, best, most = 0, None, -1.0
        for _ in range(_TRIES):
            at = piece.find(self.form.newline, at) + 1
            if not at:
                break
            rows = [
                row for row, _ in zip(self.reader.rows(piece[at : at + 65536], whole=False), range(30), strict=False)
            ]
            fitting = [len(row.cells) == self.width and row.fault < 0 for row in rows]
            fits = sum(fitting) / max(1, len(rows)) if any(fitting[:1]) else 0.0
            if fits > most:
                best, most = at, fits
            if fits >= 0.9:
                break
        if best is None:
            return iter(())
        return (
            row._replace(start=row.start + best, end=row.end + best, fault=row.fault + best if row.fault >= 0 else -1)
            for row in self.reader.rows(piece[best:], whole=whole)
        )


def row_lines(row: Row, form: Form) -> int:
    """The physical lines of a record."""
    return 1 + sum(cell.count(form.newline) for cell in row.cells)


def unquoted(cell: bytes, form: Form) -> bytes:
    """A field's text: its quotes and escape characters undone."""
    quote = form.quote
    if quote and len(cell) > 1 and cell.startswith(quote) and cell.endswith(quote):
        cell = cell[1:-1].replace(quote * 2, quote)
        if form.escape:
            cell = cell.replace(form.escape + quote, quote)
    return cell.strip(b" ")


def _from(blocks: Iterable[bytes], start: int) -> Iterator[bytes]:
    """The bytes of ``blocks`` from ``start`` on."""
    for block in blocks:
        if start >= len(block):
            start -= len(block)
            continue
        yield block[start:]
        start = 0
