"""Records field by field, character by character: what the fast reader is held to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from splitjoin_cli.core.model import Dialect

__all__ = ["OpenError", "slow_records"]

LETTERS = {"0": "\0", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "Z": "\x1a"}


class OpenError(Exception):
    """The text ends within quotes, or right after an escape character."""


class _Reader:
    def __init__(self, text: str, dialect: Dialect, header: str | None) -> None:
        self.text, self.dialect, self.place = text, dialect, 0
        self.header = None if header is None else self._line(header)

    def _line(self, record: str) -> str:
        line = record.removesuffix("\n")
        return line[:-1] if line.endswith("\r") and self.dialect.line_end_rule == "auto" else line

    def _at(self, *texts: str) -> bool:
        return any(self.text.startswith(text, self.place) for text in texts)

    def _after_escape(self) -> str:
        self.place += 2
        if self.place > len(self.text):
            raise OpenError
        letter = self.text[self.place - 1]
        return LETTERS.get(letter, letter) if self.dialect.c_escapes else letter

    def _quoted(self) -> str:
        dialect, quote, read = self.dialect, self.dialect.quotechar or "", ""
        self.place += 1
        while self.place < len(self.text):
            if dialect.escapechar and self._at(dialect.escapechar):
                read += self._after_escape()
            elif self._at(quote * 2):
                read, self.place = read + quote, self.place + 2
            elif self._at(quote):
                self.place += 1
                if dialect.stray_quote != "mysql" or self.place == len(self.text):
                    return read
                if self._at(dialect.delimiter, "\n") or (dialect.line_end_rule == "auto" and self._at("\r\n")):
                    return read
                read += quote
            else:
                read, self.place = read + self.text[self.place], self.place + 1
        raise OpenError

    def _ends(self) -> tuple[str, ...]:
        return ("\n",) if self.dialect.line_end_rule == "lf" else ("\r\n", "\n", "\r")

    def field(self) -> str | None:
        dialect, read = self.dialect, ""
        escape = dialect.escapechar if dialect.escape_in == "any" else None
        while dialect.skip_initial_space and self._at(" "):
            self.place += 1
        start, quoted = self.place, bool(dialect.quotechar and self._at(dialect.quotechar))
        if quoted:
            read = self._quoted()
            if escape and dialect.stray_quote != "mysql" and self._at(escape):
                read, self.place = read + escape, self.place + 1  # as the csv module does
        while self.place < len(self.text) and not self._at(dialect.delimiter, *self._ends()):
            if escape and self._at(escape):
                read += self._after_escape()
            else:
                read, self.place = read + self.text[self.place], self.place + 1
        bare = self.text[start : self.place]
        nulls = (f"{dialect.escapechar}N",) if dialect.nulls is None and dialect.escapechar else dialect.nulls or ()
        return None if not quoted and bare in nulls else read

    def records(self) -> list[list[str | None]]:
        found: list[list[str | None]] = []
        while self.place < len(self.text):
            start = self.place
            record = [self.field()]
            while self._at(self.dialect.delimiter):
                self.place += len(self.dialect.delimiter)
                record.append(self.field())
            end = next((end for end in self._ends() if self._at(end)), "")
            self.place += len(end)
            line = self._line(self.text[start : self.place])
            blank = not line.strip(" \t") and self.dialect.delimiter not in line
            if self.dialect.skip_blank_lines and blank:
                continue
            if self.dialect.skip_repeated_headers and line == self.header:
                continue
            found.append(record)
        return found


def slow_records(text: str, dialect: Dialect, header: str | None = None) -> list[list[str | None]]:
    """The records of all of ``text``. Raises OpenError."""
    return _Reader(text, dialect, header).records()
