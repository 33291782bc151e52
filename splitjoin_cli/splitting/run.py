"""One split from end to end: look what is there, plan, claim the name, transfer, write the manifest."""

# ruff: noqa: PLC0415 -- a split into a directory, the quickest of all, imports only what it uses

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from splitjoin_cli.core import trace
from splitjoin_cli.core.errors import AccessError, NameTakenError, StoppedError
from splitjoin_cli.core.model import ChunkState
from splitjoin_cli.core.source_name import Naming
from splitjoin_cli.splitting.abilities import NOTHING_ASKED, Abilities
from splitjoin_cli.splitting.claim import Attempt, check_not_removed, claim, next_generation, withdraw
from splitjoin_cli.splitting.conclude import conclude
from splitjoin_cli.splitting.elsewhere import Elsewhere, check_begun, check_elsewhere
from splitjoin_cli.splitting.existing import Existing, look, look_at_documents
from splitjoin_cli.splitting.leftovers import Leftovers
from splitjoin_cli.splitting.prepare import Planned, Preparation
from splitjoin_cli.splitting.request import ChunkSize
from splitjoin_cli.splitting.result import Progress, SplitResult
from splitjoin_cli.splitting.send import Sending
from splitjoin_cli.splitting.stored_chunks import batches_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.format.plan_file import PlanFile
    from splitjoin_cli.core.names import JobName
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.abilities import Inquiry
    from splitjoin_cli.splitting.engines.base import Remote
    from splitjoin_cli.splitting.free_names import FreeNames
    from splitjoin_cli.splitting.notify import Events
    from splitjoin_cli.splitting.request import SplitRequest
    from splitjoin_cli.splitting.standing import Repairs
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.sources.base import Source


class OpenJob(Protocol):
    """Makes the job known to the tracker; called once, before the first object of a run is stored or replaced."""

    def __call__(self, plan: PlanFile, destination: str, *, replace: bool) -> int:
        """The generation that the run's chunks must carry. ``plan.generation`` is the least that it can be.

        ``replace``: another run may have the name, and gives it up. Raises NameTakenError, StoreError.
        """


class SplitRun:
    """One split. ``run`` it once; the caller closes source and sink."""

    def __init__(  # noqa: PLR0913 -- a split's parts
        self,
        request: SplitRequest,
        job: JobName,
        source: Source,
        sink: Sink,
        observer: Observer,
        *,
        open_job: OpenJob | None = None,
        repairs: Callable[[PlanFile], Repairs] | None = None,
        events: Events | None = None,
        naming: Naming | None = None,
        warnings: tuple[str, ...] = (),
        resumes: bool = False,
        start: bytes | None = None,
        remote: Remote | None = None,
        swept: set[str] | None = None,
        free: FreeNames | None = None,
        inquiry: Inquiry | None = None,
    ) -> None:
        """``request.dialect.encoding`` is that of the chunks; ``job`` the name.

        ``open_job``, ``repairs``: who is told of the run, and what ``replace`` wrote down; None without a tracker.
        ``events``: what sends those of stored chunks; None where the store does.
        ``naming``: where the name comes from; None where it was typed.
        ``warnings``: what was seen of the source before; ``start``: its first block, None where nobody read it.
        ``resumes``: the caller resumes what was begun on a day before (``run`` then raises BegunElsewhereError).
        ``remote``: where the work runs; None for threads here. ``swept``: see Leftovers. ``free``: what was
        free in the place when the call began. ``inquiry``: asks the store what it lacks.
        """
        self._inquiry, self._free = inquiry, free
        self._remote = remote
        self._may_go_on = False  # a worker may still store a chunk, whatever becomes of this
        self._request, self._job, self._open_job, self._repairs = request, job, open_job, repairs
        self._source, self._sink, self._observer, self._events = source, sink, observer, events
        self._began = time.monotonic()
        self._under_way: tuple[PlanFile, Existing, Progress] | None = None
        self._elsewhere = Elsewhere(request, naming or Naming(job), sink, observer, resumes)
        self.fingerprint: str | None = None
        """Of the source, once it was read or its plan was found."""
        self._leftovers = Leftovers(sink, job, observer, swept)
        self._preparation = Preparation(request, job, source, sink, observer, self._leftovers, warnings, start, remote)

    def run(self) -> SplitResult:
        """Split, or resume; failed chunks are in the result.

        Raises NameTakenError, BadInputError, SourceError, StoreError; AccessError where credentials let no chunk be
        stored: then nothing is left of the run.
        """
        try:
            return self._run()
        except StoppedError as exc:
            if not self._request.dry_run:
                exc.kept = self.kept()
            raise

    def kept(self) -> str:
        """What is kept of it where it is stopped, and what its resume reads again."""
        from splitjoin_cli.splitting.kept import kept_text

        return kept_text(self._source.properties, self._under_way)

    def _run(self) -> SplitResult:
        request = self._request
        if self._sink.properties.keeps_metadata:
            from splitjoin_cli.core.format.metadata import check_room

            check_room(self._job.file_name, request.dialect, request.compress)
        with ThreadPoolExecutor(request.at_once, "split") as executor:
            existing = self._look()
            check_not_removed(self._sink, self._job.file_name, existing.removal)
            check_begun(self._elsewhere, existing, self._source.properties, self._preparation.digest)
            self._ask(existing)
            planned = self._preparation.prepare(existing, executor)
            self.fingerprint = planned.plan.source.fingerprint
            try:
                self._check_elsewhere(existing, planned.plan, executor)
                if request.dry_run:
                    from splitjoin_cli.splitting.rehearsal import rehearse

                    return self._result(*rehearse(self._sink, existing, planned.plan, executor, force=request.force))
                existing.share(planned.plan)
                return self._store(planned, existing, executor)
            finally:
                if planned.staging is not None:
                    planned.staging.discard()

    def _ask(self, existing: Existing) -> None:
        """Begin to ask the store what it lacks, where something may have to be stored."""
        if self._inquiry is None or (existing.manifest is not None and not self._request.force):
            return
        copier, source, size = self._preparation.copier, self._source.properties, self._request.size
        least = 0 if copier is None else copier.least_copy_bytes
        may_copy = (source.size or 0) >= least and (not isinstance(size, ChunkSize) or size.size_bytes >= least)
        self._inquiry.begin(self._sink, source.s3 if copier is not None and may_copy else None)

    def _abilities(self) -> Abilities:
        """What the store can do, as far as that was asked."""
        return NOTHING_ASKED if self._inquiry is None else self._inquiry.settled()

    def _look(self) -> Existing:
        """What is there; of a directory no more than is needed before the claim looks again."""
        naming = self._elsewhere.naming
        if batches_of(self._sink) is not None and not self._request.dry_run and naming.is_sure:
            found = look_at_documents(self._sink, self._job)
            if found is not None:
                return found
            if self._free is not None and self._free.has(self._sink, self._job.file_name):
                return Existing()  # the claim looks again
        return look(self._sink, self._job, also=naming.earlier_client, sizes=self._request.dry_run)

    def _check_elsewhere(self, existing: Existing, plan: PlanFile, executor: ThreadPoolExecutor) -> None:
        """See elsewhere.py; what killed runs left under today's name goes, since nothing else will be done there."""
        try:
            check_elsewhere(self._elsewhere, existing, plan, executor)
        except NameTakenError:
            if not self._request.dry_run:
                self._leftovers.sweep()
            raise

    def _store(self, planned: Planned, before: Existing, executor: ThreadPoolExecutor) -> SplitResult:
        """Claim the name, store the chunks, conclude; a claim of which nothing came is given back."""
        if self._remote is not None and self._abilities().conditional_writes is False:
            from splitjoin_cli.splitting.engines.store import unconditional

            raise unconditional(self._sink.properties.uri)
        free = self._free is not None and self._free.still_has(self._sink, planned.plan)
        wanted = self._opened(planned.plan, before, free=free)
        attempt, progress = Attempt(), Progress.of(wanted)
        try:
            force = self._request.force
            claimed = claim(self._sink, self._job, wanted, attempt, force=force, before=before, free=free)
            existing, plan = claimed.existing, claimed.plan
            trace.note("claimed", file_name=plan.file_name, run_id=plan.run_id, generation=plan.generation)
            self._under_way = plan, existing, progress
            repairs = None if self._repairs is None else self._repairs(plan)
            sending = Sending(
                claimed,
                self._source,
                self._sink,
                progress,
                self._observer,
                force=force,
                repairs=repairs,
                events=self._events,
                refused=self._observer.warn if self._inquiry is None else self._inquiry.refused,
            )
            self._fill(planned, sending, executor)
        except BaseException:
            if attempt.sent and not progress.any_stored() and not self._may_go_on:
                withdraw(self._sink, self._job, wanted)
            raise
        if not progress.count(ChunkState.FAILED):
            with trace.timed("concluded", chunks=len(plan.chunks)):
                conclude(self._sink, self._job, plan, existing, progress, sending.mended)
        elif existing.is_empty and progress.count(ChunkState.FAILED) == len(plan.chunks) and not progress.any_stored():
            if not self._may_go_on:
                withdraw(self._sink, self._job, plan)
            if sending.denied is not None:
                raise AccessError(f"no chunk was stored: {sending.denied.message}", hint=sending.denied.hint)
        return self._result(plan, progress)

    def _fill(self, planned: Planned, sending: Sending, executor: ThreadPoolExecutor) -> None:
        """Store the chunks of a claimed name; those that fail are in the progress."""
        self._sweep()
        if planned.staging is not None:
            sending.publish(planned.staging)
        else:
            self._send(planned, sending, executor)
            self._source.check_unchanged()

    def _send(self, planned: Planned, sending: Sending, executor: ThreadPoolExecutor) -> None:
        """Send the chunks, on threads here or on an engine; what its workers left half-way goes."""
        remote, copier = self._remote, self._preparation.copier
        abilities = self._abilities()
        if abilities.copies is False:
            copier = None
        if remote is None:
            sending.send(planned.header, self._request, copier, executor)
            return
        from splitjoin_cli.splitting.engines.store import check_conditional

        if not abilities.conditional_writes:
            check_conditional(self._sink, planned.plan.file_name)
        try:
            sending.send(planned.header, self._request, copier, executor, remote)
        finally:
            self._may_go_on = sending.may_go_on
        if self._may_go_on:
            with closing(remote.opens_sink()) as sink:
                self._sweep(sink)

    def _sweep(self, sink: Sink | None = None) -> None:
        """Remove what killed runs, or workers, left; a store that lists no uploads was told of."""
        if self._abilities().lists_uploads is not False:
            self._leftovers.sweep(sink)

    def _opened(self, plan: PlanFile, before: Existing, *, free: bool) -> PlanFile:
        """The plan with the generation that the tracker gives its run; nothing is stored before the tracker knows it.

        What is stored is looked at first: a job that could not be stored is not opened.
        """
        if self._open_job is None:
            return plan
        force, uri = self._request.force, self._sink.properties.uri
        existing = Existing() if free else look(self._sink, self._job, before=before)
        least = next_generation(self._sink, existing, plan, force=force)
        generation = self._open_job(replace(plan, generation=least), uri, replace=force)
        if existing.holds(plan.run_id) and generation != least:
            raise NameTakenError(
                f"{uri}{plan.file_name} holds run {plan.run_id} as generation {least}, and the tracker "
                f"knows it as generation {generation}: it was split with --force and without the tracker",
                hint="choose another destination, where its chunks get the tracker's generation",
            )
        return replace(plan, generation=generation)

    def _result(self, plan: PlanFile, progress: Progress) -> SplitResult:
        resume = None
        if progress.count(ChunkState.FAILED):
            from splitjoin_cli.splitting.resume import resume_command

            resume = resume_command(self._request, self._job)
        return SplitResult(
            plan=plan,
            destination=self._sink.properties.uri,
            progress=progress,
            options=self._request.shaping,
            seconds=time.monotonic() - self._began,
            resume=resume,
        )
