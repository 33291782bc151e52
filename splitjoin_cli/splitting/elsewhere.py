"""Is the same content split already under another name? A cron job that runs twice must not load twice."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import NameTakenError, StoreError
from splitjoin_cli.core.format.removal import Removal
from splitjoin_cli.core.source_name import day_of
from splitjoin_cli.splitting.existing import standing
from splitjoin_cli.splitting.heads import SeenHead, manifest_head, plan_head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

    from splitjoin_cli.core.format.heads import Head
    from splitjoin_cli.core.format.plan_file import PlanFile
    from splitjoin_cli.core.model import SourceProperties
    from splitjoin_cli.core.names import JobName
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.core.source_name import Naming
    from splitjoin_cli.splitting.existing import Existing, Other
    from splitjoin_cli.splitting.request import SplitRequest
    from splitjoin_cli.stores.sinks.base import Sink

__all__ = ["DAYS", "BegunElsewhereError", "check_begun", "check_elsewhere", "is_of_source"]

DAYS = 31
"""How far back the same file is looked for where the date is today's for want of another."""


class BegunElsewhereError(Exception):
    """The same split is unfinished under the date of a day before: the caller resumes it under that name."""

    def __init__(self, job: JobName) -> None:
        """``job``: its name."""
        super().__init__(job.file_name)
        self.job = job


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What is looked through, and for what. ``resumes``: the caller resumes what was begun on a day before."""

    request: SplitRequest
    naming: Naming
    sink: Sink
    observer: Observer
    resumes: bool = False

    def candidates(self, others: list[Other]) -> Iterator[Other]:
        """Names under which the content may be: of an earlier release, or of the days before."""
        for other in others:
            if self.is_of_a_day_before(other.job) or other.job.client == self.naming.earlier_client:
                yield other

    def is_of_a_day_before(self, job: JobName) -> bool:
        """Whether it is this split's name but for the date, which is one of the days before."""
        today, day = self.naming.today, day_of(job.date)
        return (
            today is not None
            and day is not None
            and job.client == self.naming.job.client
            and dt.timedelta(0) < today - day <= dt.timedelta(DAYS)
        )

    @property
    def is_asked_for(self) -> bool:
        """Whether it is to be split whatever else there is."""
        return self.request.force or self.request.run_label is not None

    def head(self, other: Other) -> Head | None:
        """Of its plan, else of its manifest; None where both are gone, or cannot be read (a warning says so)."""
        readers: list[Callable[[Sink, str], SeenHead | Removal | None]] = [manifest_head]
        if other.planned:
            readers.insert(0, plan_head)  # it may be finished by now: a plan goes after its manifest is there
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
    if look.is_asked_for or existing.holds(plan.run_id):
        return
    candidates = _latest_first(look, existing)
    for other, head in zip(candidates, executor.map(look.head, candidates), strict=True):
        if head is not None and head.fingerprint == plan.source.fingerprint:
            same_options = head.options_digest == plan.options_digest  # a manifest has none: that split is finished
            if look.resumes and same_options and look.is_of_a_day_before(other.job):
                raise BegunElsewhereError(other.job)
            raise look.error(other, head, plan)


def check_begun(look: Elsewhere, existing: Existing, source: SourceProperties, digest: str) -> None:
    """Raise BegunElsewhereError where a plan of a day before is of this very file, unchanged, and these options.

    What ``check_elsewhere`` finds after a scan, this finds before it. ``digest``: of the options.
    """
    if not look.resumes or look.is_asked_for or existing.plan or existing.manifest:
        return
    for other in _latest_first(look, existing):
        if not other.planned or not look.is_of_a_day_before(other.job):
            continue
        held = standing(look.sink, other.job)
        plan = None if held is None or isinstance(held.plan, Removal) else held.plan
        if plan is not None and plan.options_digest == digest and is_of_source(plan, source):
            raise BegunElsewhereError(other.job)


def is_of_source(plan: PlanFile, source: SourceProperties) -> bool:
    """Whether a plan was made of this source as it is now, by its name, size and validator."""
    return (
        source.validator is not None
        and plan.validator == source.validator
        and plan.source.stored_bytes == source.stored_bytes
        and plan.source.uri == source.uri
    )


def _latest_first(look: Elsewhere, existing: Existing) -> list[Other]:
    return sorted(look.candidates(existing.others), key=lambda other: other.job.date, reverse=True)
