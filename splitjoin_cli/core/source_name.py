"""What a source's own name says of the job, where client and date were not typed."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote

from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.names import JobName, proposed_client
from splitjoin_cli.core.shown import in_quotes
from splitjoin_cli.core.urls import parts_of

__all__ = ["Naming", "day_of", "name_job", "name_pattern", "names_a_day"]

_SOURCE_SUFFIXES = {".gz", ".bz2", ".xz", ".zst"}
_CLIENT_DATE = re.compile(r"(?P<client>.+)_(?P<date>[^_]+)", re.DOTALL)
_DAY = re.compile(r"([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})")  # [0-9]: \d takes other scripts' digits as well
_GROUPS = ("client", "date")


@dataclass(frozen=True, slots=True)
class Naming:
    """A job's name, and where it comes from.

    ``today``: the day, where the date is today's for want of another. ``earlier_client``: what earlier releases called
    the client, where the name of SOURCE was taken apart: all of it.
    """

    job: JobName
    today: dt.date | None = None
    earlier_client: str | None = None

    @property
    def is_sure(self) -> bool:
        """Whether no split of another name can be the same one."""
        return self.today is None and self.earlier_client is None


def name_job(
    source: str, *, client: str | None, date: str | None, pattern: re.Pattern[str] | None, today: dt.date
) -> Naming:
    """The name of a split of ``source``: what was typed, else what ``pattern`` finds, else what the name reads as.

    Raises UsageError, which proposes a client, where that is no name.
    """
    found: dict[str, str | None] = dict.fromkeys(_GROUPS)
    if pattern is not None and None in (client, date):
        found = _found(pattern, source)
    stem = _stem(source)
    own_client, own_date = _taken_apart(stem)
    whole = client is not None or bool(found["client"]) or own_date is None
    client = client if client is not None else found["client"] or own_client
    date = date if date is not None else found["date"] or own_date
    return Naming(
        _job(client, f"{today:%Y%m%d}" if date is None else date),
        today if date is None else None,
        None if whole else unicodedata.normalize("NFC", stem),
    )


def name_pattern(text: str) -> re.Pattern[str]:
    """``--name-pattern``, compiled. Raises UsageError where it is no regular expression or has neither group."""
    try:
        pattern = re.compile(text)
    except (re.error, RecursionError, OverflowError) as exc:
        raise UsageError(
            f"--name-pattern {in_quotes(text)} is not a regular expression: {exc}",
            hint="Python's re module says what is one",
        ) from exc
    if not set(_GROUPS) & set(pattern.groupindex):
        raise UsageError(
            f"--name-pattern {in_quotes(text)} has neither the group (?P<client>...) nor (?P<date>...)",
            hint=r"name one of them, as in (?P<client>[a-z]+)\.(?P<date>\d{8})",
        )
    return pattern


def day_of(date: str) -> dt.date | None:
    """The day that YYYYMMDD or YYYY-MM-DD is; None for any other text, and where there is no such day."""
    match = _DAY.fullmatch(date)
    if match is None:
        return None
    try:
        return dt.date(int(match[1]), int(match[3]), int(match[4]))
    except ValueError:
        return None


def names_a_day(source: str) -> bool:
    """Whether the name of a source reads as CLIENT_DATE."""
    return _taken_apart(_stem(source))[1] is not None


def _found(pattern: re.Pattern[str], source: str) -> dict[str, str | None]:
    name = _last_component(source)
    match = pattern.search(name)
    if match is None:
        raise UsageError(
            f"--name-pattern {in_quotes(pattern.pattern)} does not match the name {in_quotes(name)}",
            hint="correct it, or give --client and --date",
        )
    groups = match.groupdict()
    return {group: groups.get(group) for group in _GROUPS}


def _taken_apart(stem: str) -> tuple[str, str | None]:
    """Client and date of CLIENT_DATE, where that is a day; else all of it and None."""
    match = _CLIENT_DATE.fullmatch(stem)
    if match is None or day_of(match["date"]) is None:
        return stem, None
    return match["client"], match["date"]


def _job(client: str, date: str) -> JobName:
    try:
        return JobName(client, date)
    except UsageError as exc:
        if exc.message.startswith("date "):
            raise
        proposed = proposed_client(client, date)
        hint = f"type --client {proposed}, or another name" if proposed else "give one with --client NAME"
        raise UsageError(exc.message, hint=hint) from exc


def _last_component(source: str) -> str:
    path = source
    scheme, separator, _ = source.partition("://")
    if separator and scheme.lower() not in ("s3", "gs", "file"):  # keys and paths may hold ? and #
        path = unquote(parts_of(source).path)
    return path.rpartition("/")[2]


def _stem(source: str) -> str:
    """The last component, less a compression suffix, then less one suffix."""
    name = PurePosixPath(_last_component(source))
    if name.suffix.lower() in _SOURCE_SUFFIXES:
        name = name.with_suffix("")
    return name.stem
