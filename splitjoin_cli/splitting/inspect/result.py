"""What ``inspect`` found, as a value: the document of its command, and what it prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from splitjoin_cli.core.model import Compression
    from splitjoin_cli.splitting.inspect.problems import Problem

__all__ = ["InspectResult"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectResult:
    """What a source is, as far as the bytes that were read show it; None is unknown.

    ``source``: as typed, without user, password and query. ``bytes``: as stored. ``line_end``: LF, CR LF, CR or
    ``mixed``. ``skip_lines``: lines before the header (or the first record); ``skip_trailer``: lines that are not blank
    after the last record, None where the end was not read. ``fields``: how many records of those read have how many
    fields, the most frequent first. ``columns``: the header's names, none without one. ``records``: rows that the
    command makes; counted where ``records_exact``, else estimated from the size. ``options``: what goes on the command
    line of ``split``, word by word. ``command``: all of it; None where the source cannot be split as it is.
    """

    source: str
    bytes: int | None
    compression: Compression | None
    encoding: str | None
    byte_order_mark: bool
    line_end: str | None
    delimiter: str | None
    quotechar: str | None
    escapechar: str | None
    nulls: tuple[str, ...]
    header: bool | None
    skip_lines: int | None
    skip_trailer: int | None
    fields: dict[int, int]
    columns: tuple[str, ...]
    records: int | None
    records_exact: bool
    problems: tuple[Problem, ...]
    options: tuple[str, ...]
    command: str | None
    sep_line: bool = False
    trailer: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The document of ``splitjoin inspect --json``."""
        return {
            "source": self.source,
            "bytes": self.bytes,
            "compression": self.compression,
            "encoding": self.encoding,
            "byte_order_mark": self.byte_order_mark,
            "line_end": self.line_end,
            "delimiter": self.delimiter,
            "quotechar": self.quotechar,
            "escapechar": self.escapechar,
            "nulls": list(self.nulls),
            "header": self.header,
            "skip_lines": self.skip_lines,
            "skip_trailer": self.skip_trailer,
            "fields": {str(width): times for width, times in self.fields.items()},
            "columns": list(self.columns),
            "records": self.records,
            "records_exact": self.records_exact,
            "problems": [one._asdict() for one in self.problems],
            "options": list(self.options),
            "command": self.command,
        }
