"""One way to read a file's bytes as records, and the slow reader that tries it on a sample."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Form", "Reader", "Row", "opens"]

LF, CR = b"\n", b"\r"
OPEN_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Form:
    """How fields might be written. ``quote`` and ``escape`` are one byte, or empty where there is none.

    ``mysql``: a quote closes only before a delimiter or a line's end. ``skip_space``: spaces at a field's start are
    none of it. ``escape_quoted``: the escape character works in quoted fields alone. ``newline``: what ends a record,
    LF (a CR before it belongs to the line end, unless ``lf_only``), or CR in a file without LF.
    """

    delimiter: bytes
    quote: bytes = b""
    escape: bytes = b""
    mysql: bool = False
    skip_space: bool = False
    escape_quoted: bool = False
    newline: bytes = LF
    lf_only: bool = False

    @property
    def strips_cr(self) -> bool:
        """Whether a CR before the LF belongs to the line end."""
        return self.newline == LF and not self.lf_only


class Row(NamedTuple):
    """One record of a sample. ``cells`` are the fields as they are written, quotes included.

    ``start`` and ``end``: where it begins, and where the next one does, as places in the sample; ``line``: its first.
    ``fault``: where the first quote is that the form does not allow, as a place in the sample, -1 where there is none.
    """

    cells: list[bytes]
    start: int
    end: int
    line: int
    fault: int = -1

    @property
    def blank(self) -> bool:
        """Whether there is nothing in it but spaces and tabs."""
        return len(self.cells) == 1 and not self.cells[0].strip(b" \t\r")


class Reader:
    """Reads samples by one form."""

    def __init__(self, form: Form) -> None:
        """Compiles what a form means. Raises nothing."""
        self.form = form
        delimiter, quote, escape = (re.escape(part) for part in (form.delimiter, form.quote, form.escape))
        end = rb"\r?\n|\Z" if form.strips_cr else re.escape(form.newline) + rb"|\Z"
        space = rb"[ ]*+" if form.skip_space else b""
        self._after = re.compile(b"(%s)|(%s)" % (delimiter, end))
        first = re.escape(form.delimiter[:1])
        stop = first + re.escape(form.newline) + escape
        others = [b"[^%s]++" % stop]
        if len(form.delimiter) > 1:
            others.append(b"(?!%s)%s" % (delimiter, first))
        if escape:
            others.append(escape if form.escape_quoted else escape + rb"[\x00-\xff]")
        self._plain = re.compile(b"%s((?:%s)*+)" % (space, b"|".join(others)))
        self._quoted = None
        if quote:
            inner = [quote + quote]
            if escape:
                inner.append(escape + rb"[\x00-\xff]")
            if form.mysql:
                inner.append(b"%s(?!%s|%s)" % (quote, delimiter, end))
            calm = b"[^%s%s]*+" % (quote, escape)
            self._quoted = re.compile(b"%s(%s%s(?:(?:%s)%s)*+%s)" % (space, quote, calm, b"|".join(inner), calm, quote))

    def rows(self, data: bytes, *, line: int = 1, whole: bool = True, open_bytes: int = OPEN_BYTES) -> Iterator[Row]:
        """The records of ``data``, the first of them in ``line``.

        Not ``whole``: it was cut somewhere, and the record that it breaks off in is left out; so is one with a quote
        that does not close in the last ``open_bytes``. Further from the end such a quote is in a wrong place.
        """
        form = self.form
        newline, delimiter = form.newline, form.delimiter
        specials = [part for part in (form.quote, form.escape) if part]
        at, size = 0, len(data)
        while at < size:
            found = data.find(newline, at)
            end = size if found < 0 else found + 1
            text = data[at : end - 1] if found >= 0 else data[at:]
            lines, opened, ended = 1, size, found >= 0
            if any(special in text for special in specials):
                row, opened, ended = self._hard(data, at, line)
                lines = max(1, data.count(newline, at, row.end))
            else:
                if form.strips_cr and text.endswith(CR):
                    text = text[:-1]
                cells = text.split(delimiter)
                if form.skip_space:
                    cells = [cell.lstrip(b" ") for cell in cells]
                row = Row(cells, at, end, line)
            if not whole and (size - open_bytes <= opened < size or not ended):
                return
            yield row
            line += lines
            at = row.end

    def _hard(self, data: bytes, start: int, line: int) -> tuple[Row, int, bool]:
        """A record that holds a quote or an escape character.

        And where a quote opens in it that does not close, and whether the record ends before the data does.
        """
        cells: list[bytes] = []
        at, fault, quote, opened = start, -1, self.form.quote, len(data)
        while True:
            match = self._quoted.match(data, at) if self._quoted else None
            if match:
                begin, at = match.start(1), match.end()
                if not self._after.match(data, at):  # goes on after the closing quote: literal to the next delimiter
                    fault = at - 1 if fault < 0 else fault
                    at = self._plain_end(data, at)
            else:
                begin, at = self._plain_start(data, at), self._plain_end(data, at)
                opens = bool(quote) and data.startswith(quote, begin)
                if opens:
                    opened = min(opened, begin)
                if quote and fault < 0 and (opens or not self.form.mysql):
                    fault = self._stray(data, begin, at)
            cells.append(data[begin:at])
            after = self._after.match(data, at)
            if after is None or after.group(1) is None:
                break
            at = after.end()
        if self.form.strips_cr and cells[-1].endswith(CR):
            cells[-1] = cells[-1][:-1]
        end = len(data) if after is None else after.end()
        return Row(cells, start, end, line, fault), opened, after is not None and after.end() > after.start()

    def _stray(self, data: bytes, begin: int, end: int) -> int:
        """The first quote of an unquoted field that no escape character is before; -1 where there is none."""
        at = data.find(self.form.quote, begin, end)
        escape = self.form.escape
        while at > begin and escape and not self.form.escape_quoted and _escaped(data, begin, at, escape):
            at = data.find(self.form.quote, at + 1, end)
        return at

    def _plain_start(self, data: bytes, at: int) -> int:
        match = self._plain.match(data, at)
        return match.start(1) if match else at

    def _plain_end(self, data: bytes, at: int) -> int:
        match = self._plain.match(data, at)
        return match.end() if match else at


def _escaped(data: bytes, begin: int, at: int, escape: bytes) -> bool:
    """Whether an odd number of escape characters is right before ``at``."""
    run = data[begin:at]
    return (len(run) - len(run.rstrip(escape))) % 2 == 1


def opens(row: Row, form: Form) -> bool:
    """Whether the first quote in a wrong place is one that a field begins with: it closes nowhere in what follows."""
    if not form.quote or form.escape:
        return False
    at = row.start
    for cell in row.cells:
        if at == row.fault and cell.startswith(form.quote):
            return True
        at += len(cell) + len(form.delimiter)
    return False
