"""Presets of ``--dialect``: what exporters write, by name; one typed option beats what a preset sets."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from splitjoin_cli.core.model import EscapeIn, LineEndRule, StrayQuote

__all__ = ["PRESETS", "DialectOptions", "preset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DialectOptions:
    """How records are written, as options say it; None where nothing was said.

    ``quotechar`` and ``escapechar``: the empty text for ``none``. ``nulls``: empty where nothing is NULL.
    ``skip_ruler``: the line of dashes under the header is in no chunk.
    """

    delimiter: str | None = None
    quotechar: str | None = None
    escapechar: str | None = None
    no_header: bool | None = None
    nulls: tuple[str, ...] | None = None
    c_escapes: bool | None = None
    escape_in: EscapeIn | None = None
    line_end: LineEndRule | None = None
    on_stray_quote: StrayQuote | None = None
    skip_initial_space: bool | None = None
    skip_blank_lines: bool | None = None
    skip_repeated_headers: bool | None = None
    skip_ruler: bool | None = None

    def over(self, other: DialectOptions) -> DialectOptions:
        """What is said here, and what ``other`` says where nothing is."""
        mine = {field.name: getattr(self, field.name) for field in fields(self)}
        return DialectOptions(
            **{name: getattr(other, name) if value is None else value for name, value in mine.items()}
        )


_CSV = DialectOptions(delimiter=",", quotechar='"', escapechar="")
_MYSQL = DialectOptions(
    delimiter="\t", quotechar="", escapechar="\\", nulls=("\\N",), c_escapes=True, line_end="lf", no_header=True
)

PRESETS: Mapping[str, DialectOptions] = {
    "excel": _CSV,
    "excel-semicolon": DialectOptions(delimiter=";").over(_CSV),
    "tsv": DialectOptions(delimiter="\t").over(_CSV),
    "postgresql-csv": DialectOptions(nulls=("",)).over(_CSV),
    "postgresql-text": DialectOptions(delimiter="\t", quotechar="", escapechar="\\", nulls=("\\N",), c_escapes=True),
    "mysql-outfile": _MYSQL,
    "mysqldump-tab": _MYSQL,
    "redshift-unload": DialectOptions(delimiter="|", quotechar="", escapechar="\\"),
    "snowflake": DialectOptions(delimiter=",", quotechar='"', escapechar="\\", nulls=("\\N",)),
    "clickhouse-csv": DialectOptions(nulls=("\\N",)).over(_CSV),
    "clickhouse-tsv": DialectOptions(delimiter="\t", quotechar="", escapechar="\\", nulls=("\\N",), c_escapes=True),
    "r": DialectOptions(nulls=("NA",)).over(_CSV),
    "php": DialectOptions(on_stray_quote="mysql").over(_CSV),
    "sqlcmd": DialectOptions(delimiter=",", quotechar="", escapechar="", nulls=("NULL",), skip_ruler=True),
    "sqlplus": _CSV,
}
"""By name. None of them sets ``--skip-lines`` or ``--skip-trailer``: those belong to one file."""


def preset(name: str, typed: DialectOptions) -> DialectOptions:
    """What ``typed`` says, and what the preset ``name`` says beside it, as far as that has a meaning then.

    Raises KeyError for a name that is not in PRESETS.
    """
    both = typed.over(PRESETS[name])
    without: dict[str, None] = {}
    if both.escapechar == "":
        without |= dict.fromkeys(("c_escapes", "escape_in"))
    if both.quotechar == "":
        without |= dict.fromkeys(("escape_in", "on_stray_quote"))
    if both.no_header:
        without |= dict.fromkeys(("skip_repeated_headers", "skip_ruler"))
    if both.nulls is not None and typed.nulls is None:
        chars = {both.quotechar, both.delimiter} - {"", None}
        if any(char in text for text in both.nulls for char in chars if char):
            without["nulls"] = None
    kept = {field.name: getattr(both, field.name) for field in fields(both)}
    return DialectOptions(**kept | {name: None for name in without if getattr(typed, name) is None})
