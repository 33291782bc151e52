"""Why chunks fail for good, told from what the tracker keeps of it: the error's text. Each cause has its own remedy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from splitjoin_cli.stores.trackers.jobs import JobProgress

__all__ = ["Cause", "Kind", "causes"]

Kind = Literal[
    "ledger-run",
    "ledger-object",
    "ledger-table",
    "mended",
    "no-metadata",
    "not-stored",
    "other-run",
    "other-total",
    "columns",
    "header",
    "bad-row",
    "other",
]

# The first that fits. tests/join/operate/test_causes.py lets the parts that raise these errors raise them.
_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("ledger-run", re.compile(r"the ledger holds \d+ rows (?:in \d+ chunks )?of run (?P<run>\w+)")),
    ("ledger-object", re.compile(r"the ledger holds this number with (?:ETag|other bytes)")),
    ("mended", re.compile(r"as splitjoin replace wrote it down")),
    ("ledger-table", re.compile(r"the ledger says that this job is loaded into table (?P<table>.+), not ")),
    ("no-metadata", re.compile(r"carries no metadata of splitjoin")),
    ("not-stored", re.compile(r"^s3:(?:Get|Head)Object s3://.*: not found$|\.csv(?:\.gz|\.zst)? is not there$")),
    ("other-run", re.compile(r"the tracker has run (?P<run>\w+) ")),
    ("other-total", re.compile(r"the tracker has \d+ chunks, and this is one of \d+")),
    ("columns", re.compile(r"\btable \S.* has no column .*, which the header names")),
    ("header", re.compile(r"of the header, '.*', cannot be a column in|header makes (?:a table of|no table)")),
    (
        "bad-row",
        re.compile(
            r"\b(?:record|row|line|column) (?:number )?['\"]?\w|\bfields\b|would not take it as it is"
            r"|quote is never closed|rows, and the table took|\bbyte 0x|no column|not valid"
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason for which chunks failed for good. ``error``: of the first of them.

    ``about``: the run or table that the error names, where it names one.
    """

    kind: Kind
    numbers: tuple[int, ...]
    error: str
    about: str | None = None


def causes(progress: JobProgress) -> list[Cause]:
    """What made chunks fail for good, each with its chunks, in the order of their first."""
    numbers: dict[tuple[Kind, str | None], list[int]] = {}
    errors: dict[tuple[Kind, str | None], str] = {}
    for failure in progress.failures:
        if failure.final:
            key = _kind(failure.error)
            numbers.setdefault(key, []).append(failure.number)
            errors.setdefault(key, failure.error)
    return [Cause(kind, tuple(numbers[kind, about]), error, about) for (kind, about), error in errors.items()]


@lru_cache(1024)  # chunks of one job fail alike
def _kind(error: str) -> tuple[Kind, str | None]:
    for kind, pattern in _KINDS:
        if (told := pattern.search(error)) is not None:
            return kind, next(iter(told.groups()), None)
    return "other", None
