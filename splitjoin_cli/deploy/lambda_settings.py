"""What the Lambda function is told: its environment, read once, each error with the variable's name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

from splitjoin_cli.api.open import LoadRequest
from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.units import LARGE_RECORD_BYTES, SECONDS_IN, parse_size, scaled
from splitjoin_cli.join.base import STUCK_AFTER_SECONDS
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.reserved import check_system
from splitjoin_cli.stores.loaders.urls import EMBEDDED
from splitjoin_cli.stores.loaders.urls import parse as parse_database
from splitjoin_cli.stores.trackers.urls import parse as parse_tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from splitjoin_cli.stores.trackers.urls import TrackerUrl

__all__ = ["Settings", "naming"]

T = TypeVar("T")

_YES = frozenset({"1", "true", "t", "yes", "y", "on"})
_NO = frozenset({"0", "false", "f", "no", "n", "off"})


def naming(variable: str, make: Callable[[], T]) -> T:
    """What ``make`` makes of a variable's value; a UsageError begins with the variable's name."""
    try:
        return make()
    except UsageError as exc:
        raise UsageError(f"{variable}: {exc.message}", hint=exc.hint) from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The variables that the function reads; an empty one is an absent one, as CloudFormation passes them.

    ``SPLITJOIN_INTO``, ``SPLITJOIN_TRACKER``: needed. ``SPLITJOIN_TABLE`` (else the client's name),
    ``SPLITJOIN_CREATE_TABLE``, ``SPLITJOIN_RUN_COLUMN``, ``SPLITJOIN_BESIDE_OTHER_RUN``, ``SPLITJOIN_MAX_RECORD``,
    ``SPLITJOIN_EXACT_VALUES``, ``SPLITJOIN_SECRET``, ``SPLITJOIN_ON_JOIN``, ``SPLITJOIN_STUCK_AFTER``: as the
    command's options.
    ``SPLITJOIN_MAX_RECEIVES``: deliveries after which the queue gives a message up, its ``maxReceiveCount``; the
    failure of the last one is final then.
    """

    load: LoadRequest
    tracker: TrackerUrl
    on_join: str | None = None
    stuck_after_seconds: float = STUCK_AFTER_SECONDS
    max_receives: int | None = None
    region: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """The settings. Raises UsageError, which names the variable and what was expected."""
        read = _Variables(environment)
        database = read.needed("SPLITJOIN_INTO", "the database's URL, mysql://USER@HOST/DB or another")
        into = naming("SPLITJOIN_INTO", lambda: parse_database(database))
        load = LoadRequest(
            into=into,
            table=read.text("SPLITJOIN_TABLE"),
            create_table=read.flag("SPLITJOIN_CREATE_TABLE"),
            run_column=read.text("SPLITJOIN_RUN_COLUMN"),
            beside_other_run=read.flag("SPLITJOIN_BESIDE_OTHER_RUN"),
            max_record_bytes=read.size("SPLITJOIN_MAX_RECORD", LARGE_RECORD_BYTES),
            exact_values=read.flag("SPLITJOIN_EXACT_VALUES"),
            secret=read.secret("SPLITJOIN_SECRET") if into.scheme not in EMBEDDED else None,
        )
        read.checked("SPLITJOIN_TABLE", lambda: LoadTarget(load.table or "t"))
        read.checked("SPLITJOIN_INTO and SPLITJOIN_TABLE", lambda: check_system(into, load.table or "t"))
        read.checked("SPLITJOIN_RUN_COLUMN", lambda: LoadTarget("t", run_column=load.run_column))
        tracker = read.needed("SPLITJOIN_TRACKER", "the tracker's URL, dynamodb:TABLE")
        return cls(
            load=load,
            tracker=naming("SPLITJOIN_TRACKER", lambda: parse_tracker(tracker)),
            on_join=read.text("SPLITJOIN_ON_JOIN"),
            stuck_after_seconds=read.seconds("SPLITJOIN_STUCK_AFTER", STUCK_AFTER_SECONDS),
            max_receives=read.count("SPLITJOIN_MAX_RECEIVES"),
            region=read.text("AWS_REGION"),
        )


class _Variables:
    """An environment, read by type."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str) -> str | None:
        return self._environment.get(name, "").strip() or None

    def needed(self, name: str, expected: str) -> str:
        found = self.text(name)
        if found is None:
            raise UsageError(f"{name} is not set", hint=f"it is {expected}")
        return found

    def flag(self, name: str) -> bool:
        found = (self.text(name) or "0").lower()
        if found not in _YES | _NO:
            raise UsageError(f"{name}: {found!r} is neither true nor false", hint="set it to true or false")
        return found in _YES

    def seconds(self, name: str, absent: float) -> float:
        found = self.text(name)
        if found is None:
            return absent
        seconds = scaled(found, SECONDS_IN)
        if seconds is None or seconds <= 0:
            raise UsageError(f"{name}: {found!r} is not a duration", hint="write 90s, 15m, 2h")
        return float(seconds)

    def size(self, name: str, absent: int) -> int:
        found = self.text(name)
        if found is None:
            return absent
        try:
            return parse_size(found)
        except ValueError as exc:
            raise UsageError(f"{name}: {exc}") from exc

    def count(self, name: str) -> int | None:
        found = self.text(name)
        if found is None:
            return None
        if not (found.isascii() and found.isdecimal() and int(found)):
            raise UsageError(f"{name}: {found!r} is not a number from 1 on", hint="it is the queue's maxReceiveCount")
        return int(found)

    def secret(self, name: str) -> str | None:
        found = self.text(name)
        if found is not None:
            from splitjoin_cli.stores.loaders.secret import check_secret_arn  # noqa: PLC0415 -- botocore is slow to import

            naming(name, lambda: check_secret_arn(found))
        return found

    def checked(self, name: str, make: Callable[[], object]) -> None:
        """Raise UsageError where ``make`` raises ValueError."""
        try:
            make()
        except ValueError as exc:
            raise UsageError(f"{name}: {exc}", hint=getattr(exc, "hint", None)) from exc
