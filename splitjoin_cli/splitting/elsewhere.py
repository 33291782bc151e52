"""Is the same content split already under another name? A cron job that runs twice must not load twice."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import NameTakenError, StoreError
from splitjoin_cli.core.source_name import day_of
from splitjoin_cli.splitting.heads import SeenHead, manifest_head, plan_head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

    from splitjoin_cli.core.format.heads import Head
    from splitjoin_cli.core.format.manifest import PlanFile
    from splitjoin_cli.core.format.removal import Removal
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.core.source_name import Naming
    from splitjoin_cli.splitting.claim import Existing, Other
    from splitjoin_cli.splitting.request import SplitRequest
    from splitjoin_cli.stores.sinks.base import Sink

__all__ = ["DAYS", "check_elsewhere"]

DAYS = 31
"""How far back the same file is looked for where the date is today's for want of another."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What is looked through, and for what."""

    request: SplitRequest
    naming: Naming
    sink: Sink
    observer: Observer

    def candidates(self, others: list[Other]) -> Iterator[Other]:
        """Names under which the content may be: of an earlier release, or of the days before."""
        naming = self.naming
        for other in others:
            client, day = other.job.client, day_of(other.job.date)
            of_a_day_before = (
                naming.today is not None
                and day is not None
                and client == naming.job.client
                and dt.timedelta(0) < naming.today - day <= dt.timedelta(DAYS)
            )
            if of_a_day_before or client == naming.earlier_client:
                yield other

    def head(self, other: Other) -> Head | None:
        """Of its manifest, else of its plan; None where both are gone, or cannot be read (a warning says so)."""
        readers: list[Callable[[Sink, str], SeenHead | Removal | None]] = [manifest_head, plan_head]
        if not other.finished:
            readers.reverse()  # it may be finished by now: a plan goes after its manifest is there
        try:
            for read in readers:
                found = read(self.sink, other.job.file_name)
                if isinstance(found, SeenHead):
                    return found.head
        except StoreError as exc:
            self.observer.warn(f"cannot tell whether this content is split already: {exc.message}")
        return None

    def error(self, other: Other, head: Head, plan: PlanFile) -> NameTakenError:
        """What says that ``other`` is the same, and what to do."""
        job, uri = self.naming.job, self.sink.properties.uri
        earlier = other.job.client != job.client
        again = f"--client {job.client} to split it as {job.file_name} as well"
        if not earlier:
            again = "--date, --force or --run-label to split it all the same"
        where = f", {other.job.file_name}, named as earlier releases did" if earlier else f", of {other.job.date}"
        if head.options_digest is None:
            return NameTakenError(
                f"{uri} has a finished split of the same content{where} (run {head.run_id}): it is done",
                hint=f"nothing is left to do; or {again}",
            )
        return NameTakenError(
            f"{uri} has an unfinished split of the same content{where}",
            hint=f"to resume it, {self._resume(other, head, plan)}; or {again}",
        )

    def _resume(self, other: Other, head: Head, plan: PlanFile) -> str:
        from splitjoin_cli.splitting.resume import query_note, resume_command  # noqa: PLC0415 -- needed here alone

        if head.options_digest != plan.options_digest:
            return f"type the command that began it, with --client={other.job.client} --date={other.job.date}"
        return f"type: {resume_command(self.request, other.job)}{query_note(self.request.source)}"


def check_elsewhere(look: Elsewhere, existing: Existing, plan: PlanFile, executor: Executor) -> None:
    """Raise NameTakenError where the content of ``plan`` is split, or being split, under another name.

    Not where that was asked for: with ``--force`` or ``--run-label``, or where the run has its name already.
    """
    if look.request.force or look.request.run_label is not None or existing.holds(plan.run_id):
        return
    candidates = sorted(look.candidates(existing.others), key=lambda other: other.job.date, reverse=True)
    for other, head in zip(candidates, executor.map(look.head, candidates), strict=True):
        if head is not None and head.fingerprint == plan.source.fingerprint:
            raise look.error(other, head, plan)
