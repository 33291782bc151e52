"""One split from end to end: look what is there, scan, claim the name, transfer, write the manifest."""

from __future__ import annotations

import os
import time
from array import array
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, cast

from splitjoin_cli.checksums import crc64, encode
from splitjoin_cli.errors import NameTakenError, SplitjoinError, StoreError
from splitjoin_cli.manifest import (
    Manifest,
    PlanFile,
    SourceIdentity,
    decode_metadata,
    digest_options,
    encode_metadata,
    run_id,
)
from splitjoin_cli.model import ChunkMetadata
from splitjoin_cli.names import manifest_name, plan_name
from splitjoin_cli.split.claim import Existing, check_free, claim, look, next_generation, read_plan
from splitjoin_cli.split.locate import find_ragged, read_blocks
from splitjoin_cli.split.plan import ByCount, ByRows, BySize, Mark, PlanBuilder
from splitjoin_cli.split.probe import probe
from splitjoin_cli.split.request import ChunkCount, ChunkSize, RowCount
from splitjoin_cli.split.result import Progress, SplitResult, chunk_name
from splitjoin_cli.split.resume import resume_command
from splitjoin_cli.split.scan import Scan, ScanOptions
from splitjoin_cli.split.scanner import Alphabet
from splitjoin_cli.split.staging import Staging
from splitjoin_cli.split.stored import in_order
from splitjoin_cli.split.transfer import Job, Transfer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.chunk_table import ChunkTable
    from splitjoin_cli.model import Chunk, Dialect, StoredObject
    from splitjoin_cli.names import JobName
    from splitjoin_cli.sinks.base import Sink, StagingSink
    from splitjoin_cli.sources.base import Source
    from splitjoin_cli.split.plan import CutRule
    from splitjoin_cli.split.probe import Probed
    from splitjoin_cli.split.progress import Observer
    from splitjoin_cli.split.request import SplitRequest
    from splitjoin_cli.split.scan import Found

LOOK_AHEAD = 256
"""How many stored chunks a resume looks at before it is known whether they must be sent."""


class OpenJob(Protocol):
    """Makes the job known to the tracker; called once, before the first object of a run is stored or replaced."""

    def __call__(self, plan: PlanFile, destination: str, *, replace: bool) -> int:
        """The generation that the run's chunks must carry. ``plan.generation`` is the least that it can be.

        ``replace``: another run may have the name, and gives it up. Raises NameTakenError, StoreError.
        """


@dataclass(frozen=True, slots=True)
class _Planned:
    """A plan, the header's bytes, and the chunks if they were written on the way."""

    plan: PlanFile
    header: bytes
    staging: Staging | None = None


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
    ) -> None:
        """``request.dialect.encoding`` is that of the chunks; ``job`` the name; ``open_job`` None without a tracker."""
        self._request, self._job, self._open_job = request, job, open_job
        self._source, self._sink, self._observer = source, sink, observer
        self._began = time.monotonic()
        self._alphabet = Alphabet.of(request.dialect, literal=request.on_stray_quote == "literal")
        self._digest = _digest(request)
        self._name_prefix = f"{job.file_name}-"  # of its chunks, and of no chunk of a job that is named ``a_12``

    def run(self) -> SplitResult:
        """Split, or resume; failed chunks are in the result.

        Raises NameTakenError, BadInputError, SourceError, StoreError.
        """
        request = self._request
        cores = os.cpu_count() or 1
        self._scan_threads = request.jobs if self._source.properties.s3 is not None else min(request.jobs, cores)
        with ThreadPoolExecutor(max(request.jobs, self._scan_threads), "split") as executor:
            existing = look(self._sink, self._job)
            planned = self._resumable(existing) or self._plan(existing, executor)
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

    # -- the plan

    def _resumable(self, existing: Existing) -> _Planned | None:
        """The plan that stands, if it is of this source and these options: then nothing is scanned again."""
        plan, properties = existing.plan, self._source.properties
        if plan is None or plan.options_digest != self._digest or properties.validator is None:
            return None
        same = (
            plan.validator == properties.validator
            and plan.source.stored_bytes == properties.stored_bytes
            and plan.source.uri == properties.uri
        )
        if not same:
            return None
        header = self._read(0, plan.header_bytes)
        if crc64(header) != plan.header_checksum:
            return None
        self._observer.detail(f"resuming run {plan.run_id}: the source is unchanged, so it is not scanned again")
        return _Planned(plan, header)

    def _read(self, start: int, end: int) -> bytes:
        return b"".join(map(bytes, read_blocks(self._source, start, end)))

    def _plan(self, existing: Existing, executor: ThreadPoolExecutor) -> _Planned:
        request, properties = self._request, self._source.properties
        if self._copies() and request.dialect.quotechar is None and not request.strict:
            probed = probe(self._source, request.size, header=request.dialect.header)
            if probed is not None:
                return self._probed(probed)
        fresh = existing.is_empty and not request.dry_run and request.compress is None
        staged = (
            fresh
            and self._sink.properties.renames
            and (properties.seekable or not isinstance(request.size, ChunkCount))
        )
        if staged:
            self._sweep()  # now, since a killed run's chunks may take the room that this one's need
        return self._scan_until_exact(executor, staged=staged)

    def _scan_until_exact(self, executor: ThreadPoolExecutor, *, staged: bool) -> _Planned:
        """Scan; a number of chunks may need the number of records first."""
        size = self._source.properties.size if self._source.properties.seekable else None
        wanted = self._request.size
        totals: tuple[int, int] | None = None
        if isinstance(wanted, ChunkCount) and size is None:
            builder, found, _ = self._scan(ByRows(1 << 62), executor, staged=False)
            totals = (found.size, found.rows)
        while True:
            rule = _rule(self._request, size, totals)
            builder, found, staging = self._scan(rule, executor, staged=staged)
            if isinstance(rule, ByCount) and totals is None and rule.fell_short(len(builder.chunks), found.rows):
                if staging is not None:
                    staging.discard()
                totals = (found.size, found.rows)
                continue
            try:
                return self._found(builder, found, rule, staging)
            except BaseException:
                if staging is not None:
                    staging.discard()
                raise

    def _scan(
        self, rule: CutRule, executor: ThreadPoolExecutor, *, staged: bool
    ) -> tuple[PlanBuilder, Found, Staging | None]:
        staging = Staging(cast("StagingSink", self._sink), self._name_prefix) if staged else None
        builder = PlanBuilder(rule, header=self._request.dialect.header, start=Mark(0, 0, 0, 0))
        options = ScanOptions(self._alphabet, self._scan_threads, strict=self._request.strict)
        self._observer.phase("splitting" if staged else "scanning", self._source.properties.size, None)
        scan = Scan(self._source, builder, options, observer=self._observer, consumer=staging)
        try:
            found = scan.run(executor)
            self._source.check_unchanged()
        except BaseException:
            if staging is not None:
                staging.discard()
            raise
        return builder, found, staging

    def _found(self, builder: PlanBuilder, found: Found, rule: CutRule, staging: Staging | None) -> _Planned:
        warnings = []
        if isinstance(rule, BySize) and rule.oversized:
            warnings.append(
                f"{rule.oversized} records are larger than the chunk size; each is alone in its chunk"
                if rule.oversized > 1
                else "1 record is larger than the chunk size; it is alone in its chunk"
            )
        ragged = self._ragged_warning(builder)
        warnings += [ragged] if ragged else []
        plan = self._plan_file(
            builder.chunks,
            fingerprint=f"{found.size}-crc64nvme:{encode(found.crc)}",
            dialect=replace(self._request.dialect, line_end=found.line_end),
            header=found.header,
            header_lines=found.header_lines,
            warnings=tuple(warnings),
        )
        return _Planned(plan, found.header, staging)

    def _ragged_warning(self, builder: PlanBuilder) -> str | None:
        ragged = builder.ragged
        if not ragged.chunks:
            return None
        expected = builder.expected_delimiters or 0
        start = builder.chunks[ragged.first].range.start
        record = find_ragged(self._source, self._alphabet, start, expected)
        if record is None:
            return None
        return (
            f"line {record.line} (byte {record.start}) has {record.fields} fields, the first has {expected + 1}; "
            f"such records are in {ragged.chunks} of {len(builder.chunks)} chunks"
        )

    def _probed(self, probed: Probed) -> _Planned:
        s3 = self._source.properties.s3
        assert s3 is not None  # noqa: S101 -- only copies are probed
        warnings = (
            (f"{probed.oversized} records are larger than the chunk size; each is alone in its chunk",)
            if probed.oversized
            else ()
        )
        plan = self._plan_file(
            probed.chunks,
            fingerprint=f"{self._source.properties.size}-etag:{s3.etag.strip(chr(34))}",
            dialect=self._request.dialect,
            header=probed.header,
            header_lines=1 if probed.header else 0,
            warnings=warnings,
        )
        return _Planned(plan, probed.header)

    def _plan_file(
        self,
        chunks: ChunkTable,
        *,
        fingerprint: str,
        dialect: Dialect,
        header: bytes,
        header_lines: int,
        warnings: tuple[str, ...],
    ) -> PlanFile:
        request, properties = self._request, self._source.properties
        for warning in warnings:
            self._observer.warn(warning)
        run = run_id(
            file_name=self._job.file_name,
            fingerprint=fingerprint,
            dialect=request.dialect,
            encoding=request.encoding,
            compression=request.compress,
            chunks=chunks,
            run_label=request.run_label,
        )
        return PlanFile(
            file_name=self._job.file_name,
            run_id=run,
            generation=1,
            source=SourceIdentity(properties.uri, properties.stored_bytes, fingerprint),
            validator=properties.validator,
            options_digest=self._digest,
            dialect=dialect,
            compression=request.compress,
            header_lines=header_lines,
            header_checksum=crc64(header),
            chunks=chunks,
            warnings=warnings,
        )

    def _check_other_dates(self, existing: Existing, plan: PlanFile) -> None:
        """A cron job that is run again past midnight must resume yesterday's split, not begin another."""
        if self._request.force:
            return
        for other in existing.others:
            theirs = read_plan(self._sink, other)
            if theirs is not None and theirs.source.fingerprint == plan.source.fingerprint:
                what = f"type: {resume_command(self._request, other)}"
                if theirs.options_digest != self._digest:
                    what = f"type the command that began it, with --client={other.client} --date={other.date}"
                raise NameTakenError(
                    f"{self._sink.properties.uri} has an unfinished split of the same content, of {other.date}",
                    hint=f"to resume it, {what}; or --force to split it under this date as well",
                )

    # -- the transfer

    def _store(self, planned: _Planned, executor: ThreadPoolExecutor) -> SplitResult:
        wanted = self._opened(planned.plan)
        existing, plan = claim(self._sink, self._job, wanted, force=self._request.force)
        self._sweep()
        progress = Progress.of(len(plan.chunks))
        if planned.staging is not None:
            self._publish(planned.staging, plan, progress)
        else:
            self._send(planned, plan, existing, progress, executor)
            self._source.check_unchanged()
        if not progress.count("failed"):
            self._conclude(plan, existing, progress)
        return self._result(plan, progress)

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

    def _sweep(self) -> None:
        prefixes = (self._name_prefix, manifest_name(self._job.file_name))
        swept = sum(self._sink.sweep(prefix) for prefix in prefixes)
        if swept:
            self._observer.detail(f"removed {swept} leftovers of a killed run")

    def _publish(self, staging: Staging, plan: PlanFile, progress: Progress) -> None:
        sink = cast("StagingSink", self._sink)
        self._observer.phase("naming", None, len(plan.chunks))
        for number, staged in enumerate(staging.chunks, 1):
            sink.publish(staged, chunk_name(plan, number), metadata=self._metadata(plan, plan.chunks[number]))
            progress.set(number, "uploaded")
            self._observer.chunk_done(number, "uploaded")

    def _send(
        self, planned: _Planned, plan: PlanFile, existing: Existing, progress: Progress, executor: ThreadPoolExecutor
    ) -> None:
        total = plan.chunks.end - plan.chunks.start + plan.header_bytes * len(plan.chunks)
        self._observer.phase("uploading", total, len(plan.chunks))

        def done(chunk: Chunk, stored: StoredObject) -> None:
            progress.stored_bytes[chunk.number - 1] = stored.size
            progress.checksums[chunk.number - 1] = stored.checksum or 0
            progress.set(chunk.number, "uploaded")
            self._observer.chunk_done(chunk.number, "uploaded")

        def failed(chunk: Chunk, error: SplitjoinError) -> None:
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
                copies=self._copies(),
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

    def _copies(self) -> bool:
        s3, identity = self._source.properties.s3, self._sink.properties.copies_from
        return self._request.compress is None and s3 is not None and identity is not None and s3.store == identity

    # -- the end

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
        return SplitResult(
            plan=plan,
            destination=self._sink.properties.uri,
            progress=progress,
            seconds=time.monotonic() - self._began,
            resume=resume_command(self._request, self._job) if progress.count("failed") else None,
        )


def _rule(request: SplitRequest, size: int | None, totals: tuple[int, int] | None) -> CutRule:
    """The rule of a size option; ``totals``: the source's bytes and records, where they were counted."""
    wanted = request.size
    if isinstance(wanted, ChunkSize):
        return BySize(wanted.size_bytes)
    if isinstance(wanted, RowCount):
        return ByRows(wanted.rows)
    counted, records = totals if totals is not None else (size or 0, None)
    return ByCount(wanted.count, size=counted, records=records)


def _digest(request: SplitRequest) -> str:
    """Of all options that shape the plan or the run."""
    dialect, size = request.dialect, request.size
    return digest_options(
        {
            "size": repr(size),
            "delimiter": dialect.delimiter,
            "quotechar": dialect.quotechar,
            "escapechar": dialect.escapechar,
            "header": dialect.header,
            "encoding": request.encoding,
            "on_stray_quote": request.on_stray_quote,
            "strict": request.strict,
            "compress": request.compress,
            "run_label": request.run_label,
        }
    )
