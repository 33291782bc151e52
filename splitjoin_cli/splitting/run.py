"""One split from end to end: look what is there, plan, claim the name, transfer, write the manifest."""

# ruff: noqa: PLC0415 -- a split into a directory, the quickest of all, imports only what it uses

from __future__ import annotations

import time
from array import array
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, cast

from splitjoin_cli.core.errors import AccessError, NameTakenError, SplitjoinError, StoreError
from splitjoin_cli.core.format.manifest import Manifest, PlanFile
from splitjoin_cli.core.names import manifest_name, plan_name
from splitjoin_cli.splitting.claim import Existing, check_free, claim, look, next_generation, read_plan, withdraw
from splitjoin_cli.splitting.prepare import Planned, Preparation
from splitjoin_cli.splitting.result import Progress, SplitResult, chunk_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.model import Chunk, StoredObject
    from splitjoin_cli.core.names import JobName
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.request import SplitRequest
    from splitjoin_cli.splitting.staging import Staging
    from splitjoin_cli.stores.sinks.base import Sink, StagingSink
    from splitjoin_cli.stores.sources.base import Source

LOOK_AHEAD = 256
"""How many stored chunks a resume looks at before it is known whether they must be sent."""


class OpenJob(Protocol):
    """Makes the job known to the tracker; called once, before the first object of a run is stored or replaced."""

    def __call__(self, plan: PlanFile, destination: str, *, replace: bool) -> int:
        """The generation that the run's chunks must carry. ``plan.generation`` is the least that it can be.

        ``replace``: another run may have the name, and gives it up. Raises NameTakenError, StoreError.
        """


class SplitRun:
    """One split. ``run`` it once; the caller closes source and sink."""

    def __init__(
        self,
        request: SplitRequest,
        job: JobName,
        source: Source,
        sink: Sink,
        observer: Observer,
        *,
        open_job: OpenJob | None = None,
        warnings: tuple[str, ...] = (),
    ) -> None:
        """``request.dialect.encoding`` is that of the chunks; ``job`` the name; ``open_job`` None without a tracker.

        ``warnings``: what was seen of the source before.
        """
        self._request, self._job, self._open_job = request, job, open_job
        self._source, self._sink, self._observer = source, sink, observer
        self._began = time.monotonic()
        self._denied: AccessError | None = None
        self._preparation = Preparation(request, job, source, sink, observer, warnings)

    def run(self) -> SplitResult:
        """Split, or resume; failed chunks are in the result.

        Raises NameTakenError, BadInputError, SourceError, StoreError; AccessError where credentials let no chunk be
        stored: then nothing is left of the run.
        """
        request = self._request
        with ThreadPoolExecutor(request.jobs, "split") as executor:
            existing = look(self._sink, self._job)
            planned = self._preparation.prepare(existing, executor)
            try:
                self._check_other_dates(existing, planned.plan)
                if request.dry_run:
                    if not request.force:
                        check_free(self._sink, existing, planned.plan)
                    return self._result(planned.plan, Progress.of(len(planned.plan.chunks)))
                return self._store(planned, executor)
            finally:
                if planned.staging is not None:
                    planned.staging.discard()

    def _check_other_dates(self, existing: Existing, plan: PlanFile) -> None:
        """A cron job that is run again past midnight must resume yesterday's split, not begin another."""
        if self._request.force:
            return
        for other in existing.others:
            theirs = read_plan(self._sink, other)
            if theirs is not None and theirs.source.fingerprint == plan.source.fingerprint:
                from splitjoin_cli.splitting.resume import query_note, resume_command

                what = f"type: {resume_command(self._request, other)}{query_note(self._request.source)}"
                if theirs.options_digest != plan.options_digest:
                    what = f"type the command that began it, with --client={other.client} --date={other.date}"
                raise NameTakenError(
                    f"{self._sink.properties.uri} has an unfinished split of the same content, of {other.date}",
                    hint=f"to resume it, {what}; or --force to split it under this date as well",
                )

    def _store(self, planned: Planned, executor: ThreadPoolExecutor) -> SplitResult:
        wanted = self._opened(planned.plan)
        existing, plan = claim(self._sink, self._job, wanted, force=self._request.force)
        progress = Progress.of(len(plan.chunks))
        try:
            self._fill(planned, plan, existing, progress, executor)
        except BaseException:
            if existing.is_empty and not progress.count("uploaded"):
                withdraw(self._sink, self._job, plan)
            raise
        if not progress.count("failed"):
            self._conclude(plan, existing, progress)
        elif existing.is_empty and progress.count("failed") == len(plan.chunks):
            withdraw(self._sink, self._job, plan)
            if self._denied is not None:
                raise AccessError(f"no chunk was stored: {self._denied.message}", hint=self._denied.hint)
        return self._result(plan, progress)

    def _fill(
        self, planned: Planned, plan: PlanFile, existing: Existing, progress: Progress, executor: ThreadPoolExecutor
    ) -> None:
        """Store the chunks of a claimed name; those that fail are in ``progress``."""
        self._preparation.sweep()
        if planned.staging is not None:
            self._publish(planned.staging, plan, progress)
        else:
            self._send(planned, plan, existing, progress, executor)
            self._source.check_unchanged()

    def _opened(self, plan: PlanFile) -> PlanFile:
        """The plan with the generation that the tracker gives its run; nothing is stored before the tracker knows it.

        What is stored is looked at first: a job that could not be stored is not opened.
        """
        if self._open_job is None:
            return plan
        force, existing, uri = self._request.force, look(self._sink, self._job), self._sink.properties.uri
        least = next_generation(self._sink, existing, plan, force=force)
        generation = self._open_job(replace(plan, generation=least), uri, replace=force)
        if existing.holds(plan.run_id) and generation != least:
            raise NameTakenError(
                f"{uri}{plan.file_name} holds run {plan.run_id} as generation {least}, and the tracker "
                f"knows it as generation {generation}: it was split with --force and without the tracker",
                hint="choose another destination, where its chunks get the tracker's generation",
            )
        return replace(plan, generation=generation)

    def _publish(self, staging: Staging, plan: PlanFile, progress: Progress) -> None:
        sink = cast("StagingSink", self._sink)
        self._observer.phase("naming", None, len(plan.chunks))
        for number, staged in enumerate(staging.chunks, 1):
            sink.publish(staged, chunk_name(plan, number), metadata=self._metadata(plan, plan.chunks[number]))
            progress.set(number, "uploaded")
            self._observer.chunk_done(number, "uploaded")

    def _send(
        self, planned: Planned, plan: PlanFile, existing: Existing, progress: Progress, executor: ThreadPoolExecutor
    ) -> None:
        from splitjoin_cli.splitting.transfer import Job, Transfer

        total = plan.chunks.end - plan.chunks.start + plan.header_bytes * len(plan.chunks)
        self._observer.phase("uploading", total, len(plan.chunks))

        def done(chunk: Chunk, stored: StoredObject) -> None:
            progress.stored_bytes[chunk.number - 1] = stored.size
            progress.checksums[chunk.number - 1] = stored.checksum or 0
            progress.set(chunk.number, "uploaded")
            self._observer.chunk_done(chunk.number, "uploaded")

        def failed(chunk: Chunk, error: SplitjoinError) -> None:
            if self._denied is None and isinstance(error, AccessError):
                self._denied = error
            progress.errors[chunk.number] = error.message
            progress.set(chunk.number, "failed")
            self._observer.chunk_done(chunk.number, "failed")
            self._observer.warn(f"chunk {chunk.number} failed: {error.message}")

        transfer = Transfer(
            Job(
                self._source,
                self._sink,
                planned.header,
                self._request.compress,
                name=lambda chunk: chunk_name(plan, chunk.number),
                metadata=lambda chunk: self._metadata(plan, chunk),
                done=done,
                failed=failed,
                observer=self._observer,
                copies=self._preparation.copies,
            ),
            executor,
            self._request.jobs,
        )
        transfer.run(self._missing(plan, existing, progress, executor))

    def _missing(
        self, plan: PlanFile, existing: Existing, progress: Progress, executor: ThreadPoolExecutor
    ) -> Iterator[Chunk]:
        """The chunks to send: all but those that are stored, which are marked as skipped."""
        if not existing.chunks:
            yield from plan.chunks
            return
        from splitjoin_cli.core.parallel import in_order

        def look_at(chunk: Chunk) -> tuple[Chunk, StoredObject | None]:
            return chunk, self._stored(plan, chunk, existing)

        for chunk, stored in in_order(executor, look_at, plan.chunks, LOOK_AHEAD):
            if stored is None:
                yield chunk
                continue
            progress.stored_bytes[chunk.number - 1] = stored.size
            progress.checksums[chunk.number - 1] = stored.checksum or 0
            progress.set(chunk.number, "skipped")
            self._observer.advance(plan.header_bytes + chunk.range.size)
            self._observer.chunk_done(chunk.number, "skipped")

    def _stored(self, plan: PlanFile, chunk: Chunk, existing: Existing) -> StoredObject | None:
        """The stored object of a chunk, if it is this run's.

        On S3 the chunk says so itself. In a directory it follows from the claimed name, unless a run was replaced
        there: then, and for compressed chunks, whose checksum is of the stored bytes, the (local) file is read.
        """
        name = chunk_name(plan, chunk.number)
        stored = existing.chunks.get(name)
        if stored is None or (plan.compression is None and stored.size != plan.header_bytes + chunk.range.size):
            return None
        if self._sink.properties.keeps_metadata:
            return self._stored_remotely(plan, chunk, name)
        if plan.compression is None and plan.generation == 1:
            return stored
        crc = cast("StagingSink", self._sink).checksum(name)
        wanted = chunk.checksum if plan.compression is None else None
        if existing.manifest is not None and existing.manifest.run_id == plan.run_id:
            wanted = existing.manifest.chunks[chunk.number].checksum
        elif plan.compression is not None and plan.generation > 1:
            return None  # nothing tells it from the replaced run's
        return replace(stored, checksum=crc) if wanted in (None, crc) else None

    def _stored_remotely(self, plan: PlanFile, chunk: Chunk, name: str) -> StoredObject | None:
        found = self._sink.head(name)
        if found is None or found.metadata is None:
            return None
        from splitjoin_cli.core.format.metadata import decode_metadata

        try:
            metadata = decode_metadata(found.metadata, name)
        except StoreError:
            return None
        same = (metadata.run_id, metadata.number, metadata.range) == (plan.run_id, chunk.number, chunk.range)
        whole = plan.compression is not None or found.checksum in (None, chunk.checksum) or chunk.checksum is None
        return found if same and whole else None

    def _metadata(self, plan: PlanFile, chunk: Chunk) -> str | None:
        if not self._sink.properties.keeps_metadata:
            return None
        from splitjoin_cli.core.format.metadata import ChunkMetadata, encode_metadata

        return encode_metadata(
            ChunkMetadata(
                file_name=plan.file_name,
                run_id=plan.run_id,
                generation=plan.generation,
                number=chunk.number,
                total=len(plan.chunks),
                range=chunk.range,
                rows=chunk.rows,
                dialect=plan.dialect,
                header_lines=plan.header_lines,
                header_bytes=plan.header_bytes,
                compression=plan.compression,
            )
        )

    def _conclude(self, plan: PlanFile, existing: Existing, progress: Progress) -> None:
        """Write the manifest, then remove what it replaces, then the plan."""
        name = manifest_name(plan.file_name)
        if existing.manifest is None or existing.manifest.run_id != plan.run_id:
            self._check_still_ours(plan)
            self._write(name, self._manifest(plan, progress))
        if plan.generation > 1 and existing.chunks:
            ours = {chunk_name(plan, number) for number in range(1, len(plan.chunks) + 1)}
            for other in existing.chunks:
                if other not in ours:
                    self._sink.delete(other)
        self._sink.delete(plan_name(plan.file_name))

    def _write(self, name: str, manifest: Manifest) -> None:
        """Store the manifest as it is made: that of a million chunks is 200 MB."""
        writer = self._sink.writer(name)
        try:
            for block in manifest.blocks():
                writer.write(block)
            writer.commit(checksum=None)
        except BaseException:
            writer.abort()
            raise

    def _check_still_ours(self, plan: PlanFile) -> None:
        """Raise NameTakenError where a split with ``--force`` took the name away while this one ran."""
        standing = read_plan(self._sink, self._job)
        if standing is not None and standing.run_id != plan.run_id:
            raise NameTakenError(
                f"{self._sink.properties.uri}{plan.file_name} was taken over, with --force, by a split of "
                f"{standing.source.uri} (run {standing.run_id}) while this one ran (run {plan.run_id})",
                hint="the other's chunks may be overwritten by this one's: splitjoin verify says so; "
                "if they are, run the other command again",
            )

    def _manifest(self, plan: PlanFile, progress: Progress) -> Manifest:
        chunks, header = plan.chunks, plan.header_bytes
        if plan.compression is None:
            sizes = array(
                "q", (header + end - start for start, end in zip(chunks.starts, chunks.starts[1:], strict=False))
            )
        else:
            sizes = progress.stored_bytes
        table = chunks
        if plan.compression is not None or 0 in chunks.checksums:
            table = chunks.with_checksums(progress.checksums)
        return Manifest(
            file_name=plan.file_name,
            run_id=plan.run_id,
            generation=plan.generation,
            source=plan.source,
            dialect=plan.dialect,
            compression=plan.compression,
            header_lines=plan.header_lines,
            chunks=table,
            stored_bytes=sizes,
            warnings=plan.warnings,
        )

    def _result(self, plan: PlanFile, progress: Progress) -> SplitResult:
        resume = None
        if progress.count("failed"):
            from splitjoin_cli.splitting.resume import resume_command

            resume = resume_command(self._request, self._job)
        return SplitResult(
            plan=plan,
            destination=self._sink.properties.uri,
            progress=progress,
            seconds=time.monotonic() - self._began,
            resume=resume,
        )
