"""Makes the plan of a split: the one that stands, one by probes, or one by a scan that may write chunks as it goes."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.format.plan_file import PlanFile
from splitjoin_cli.core.format.runs import run_id
from splitjoin_cli.core.format.shared_fields import SourceIdentity
from splitjoin_cli.core.names import plan_name
from splitjoin_cli.core.switches import SPECULATION, switched
from splitjoin_cli.core.units import size_text
from splitjoin_cli.splitting.around import Around
from splitjoin_cli.splitting.cuts import ByCount, ByRows, BySize, Mark
from splitjoin_cli.splitting.digest import digest_of
from splitjoin_cli.splitting.edges import LOOK_BYTES
from splitjoin_cli.splitting.elsewhere import is_of_source
from splitjoin_cli.splitting.locate import read_blocks
from splitjoin_cli.splitting.plan import MAX_CHUNKS, PlanBuilder
from splitjoin_cli.splitting.plan_warnings import probe_warnings, scan_warnings
from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.splitting.records.lines import Skips
from splitjoin_cli.splitting.records.open import best_block_bytes, scanner_name, scans_side_by_side
from splitjoin_cli.splitting.records.watch import LETTERS, Watch
from splitjoin_cli.splitting.request import ChunkCount, ChunkSize, RowCount
from splitjoin_cli.splitting.scan import Scan, ScanOptions
from splitjoin_cli.splitting.skipping import SkippingPlanBuilder
from splitjoin_cli.splitting.speculate import Speculation
from splitjoin_cli.splitting.staging import StagedChunks
from splitjoin_cli.splitting.survey import Survey, SurveyForm
from splitjoin_cli.stores.sources.transcode import needs_transcoding

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from splitjoin_cli.core.format.chunk_table import ChunkTable
    from splitjoin_cli.core.format.left_out import LeftOut
    from splitjoin_cli.core.model import Dialect
    from splitjoin_cli.core.names import JobName
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.cuts import CutRule
    from splitjoin_cli.splitting.engines.base import Remote
    from splitjoin_cli.splitting.existing import Existing
    from splitjoin_cli.splitting.intake import Scanned
    from splitjoin_cli.splitting.leftovers import Leftovers
    from splitjoin_cli.splitting.probe import Probed
    from splitjoin_cli.splitting.request import SplitRequest
    from splitjoin_cli.stores.sinks.base import Copier, Sink
    from splitjoin_cli.stores.sources.base import Source

ROOMS, STRIPE_BLOCKS = 4, 8
"""Where reads of the source are requests, a block is a fourth of what is worth one, a request is for eight blocks, and
there is memory of four for each thread: as much as one block of that size took, for half the requests. Longer requests
would be fewer at once in that memory, since blocks are taken in order."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, the header's bytes, and the chunks if they were written on the way."""

    plan: PlanFile
    header: bytes
    staging: StagedChunks | None = None


class Preparation:
    """What comes before a split claims its name."""

    def __init__(  # noqa: PLR0913, PLR0917 -- a split's parts
        self,
        request: SplitRequest,
        job: JobName,
        source: Source,
        sink: Sink,
        observer: Observer,
        leftovers: Leftovers,
        warnings: tuple[str, ...] = (),
        start: bytes | None = None,
        remote: Remote | None = None,
    ) -> None:
        """As SplitRun takes them."""
        self._remote, self._leftovers = remote, leftovers
        self._start = start
        self._warnings = warnings
        self._request, self._job = request, job
        self._source, self._sink, self._observer = source, sink, observer
        self._alphabet = Alphabet.of(request.dialect)
        self._digest = digest_of(request)
        self._name_prefix = f"{job.file_name}-"  # of its chunks, and of no chunk of a job that is named ``a_12``
        cores = os.cpu_count() or 1
        self._scan_threads = request.at_once if source.properties.s3 is not None else min(request.at_once, cores)

    def prepare(self, existing: Existing, executor: Executor) -> Planned:
        """The plan; ``existing`` is what lies under the name. ``executor`` runs ``request.at_once`` calls at once.

        Raises BadInputError, SourceError, StoreError, with nothing visible and nothing left.
        """
        return self._resumable(existing) or self._plan(existing, executor)

    @property
    def digest(self) -> str:
        """Of the options, as plans have it."""
        return self._digest

    @property
    def copier(self) -> Copier | None:
        """What copies from the source on the server; None where the bytes must pass here."""
        s3, copier = self._source.properties.s3, self._sink.copier
        if self._request.compress is not None or s3 is None or copier is None:
            return None
        return copier if copier.copies_from == s3.store else None

    def _resumable(self, existing: Existing) -> Planned | None:
        """The plan that stands, if it is of this source and these options: then nothing is scanned again."""
        plan, properties = existing.plan, self._source.properties
        if plan is None or plan.options_digest != self._digest:
            return None
        if not is_of_source(plan, properties) or not self._can_be_trusted(plan):
            return None
        if plan.run_id != self._run_id(plan.chunks, plan.source.fingerprint):
            return None  # of a plan whose boundaries somebody changed, the run is another
        header = self._read(plan.header_start, plan.header_start + plan.header_bytes)
        if crc64(header) != plan.header_checksum:
            return None
        self._observer.detail(f"resuming run {plan.run_id}: the source is unchanged, so it is not scanned again")
        return Planned(plan, header)

    def _run_id(self, chunks: ChunkTable, fingerprint: str) -> str:
        request = self._request
        return run_id(
            file_name=self._job.file_name,
            fingerprint=fingerprint,
            dialect=request.dialect,
            encoding=request.encoding,
            compression=request.compress,
            chunks=chunks,
            run_label=request.run_label,
            skip=request.skip,
        )

    def _can_be_trusted(self, plan: PlanFile) -> bool:
        """Whether a plan that nobody scanned is of a dialect that needs no scan; earlier releases made others too."""
        if plan.chunks.total_rows is not None or plan.dialect.every_newline_ends_a_record:
            return True
        self._observer.warn(
            f"the plan of run {plan.run_id} was made by an earlier release, without a scan: it may cut records at "
            "newlines that do not end them, so the source is scanned again"
        )
        return False

    def _read(self, start: int, end: int) -> bytes:
        return b"".join(map(bytes, read_blocks(self._source, start, end)))

    def _plan(self, existing: Existing, executor: Executor) -> Planned:
        request, properties = self._request, self._source.properties
        self._around = Around(self._source, request.dialect, request.skip, self._start)
        self._records = self._around.source
        if self.copier is not None and request.dialect.every_newline_ends_a_record and not request.strict:
            from splitjoin_cli.splitting.probe import probe  # noqa: PLC0415 -- only what is used is imported

            probed = probe(self._records, request.size, header=request.dialect.header)
            if probed is not None:
                return self._probed(probed)
        if not request.dry_run and existing.manifest is None:
            self._sink.check_writable(plan_name(self._job.file_name))
        fresh = existing.is_empty and not request.dry_run and request.compress is None
        staged = (
            fresh
            and self._remote is None
            and self._sink.staging is not None
            and (properties.seekable or not isinstance(request.size, ChunkCount))
        )
        if staged:
            self._leftovers.sweep()  # now, since a killed run's chunks may take the room that this one's need
        return self._scan_until_exact(executor, staged=staged)

    def _scan_until_exact(self, executor: Executor, *, staged: bool) -> Planned:
        """Scan; a number of chunks may need the number of records first."""
        size = self._records.properties.size
        wanted = self._request.size
        totals: tuple[int, int] | None = None
        if isinstance(wanted, ChunkSize) and size is not None:
            self._say_if_too_many(size, wanted.size_bytes)
        if isinstance(wanted, ChunkCount) and size is None:
            builder, found, _ = self._scan(ByRows(1 << 62), executor, staged=False)
            totals = (found.size, found.rows)
        while True:
            rule = _rule(self._request, size, totals)
            builder, found, staging = self._scan(rule, executor, staged=staged)
            if isinstance(rule, ByCount) and totals is None and rule.fell_short(builder.chunks, found.rows):
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

    def _say_if_too_many(self, size: int, chunk_bytes: int) -> None:
        """That a scan is likely to be for nothing: it ends at the first chunk too many, which may be hours later.

        It is no error, since records larger than a chunk make fewer of them.
        """
        if size > MAX_CHUNKS * chunk_bytes:
            chunks, least = -(-size // chunk_bytes), size_text(-(-size // MAX_CHUNKS))
            self._observer.warn(
                f"the source has about {chunks:,} chunks of {size_text(chunk_bytes)}, and a split has at most "
                f"{MAX_CHUNKS:,}: unless many records are larger, it needs --chunk-size above {least}"
            )

    def _scan(
        self, rule: CutRule, executor: Executor, *, staged: bool
    ) -> tuple[PlanBuilder, Scanned, StagedChunks | None]:
        into = self._sink.staging if staged else None
        staging = None if into is None else StagedChunks(into, self._name_prefix)
        builder = self._builder(rule)
        block_bytes = best_block_bytes(self._source.properties.read_bytes)
        options = ScanOptions(
            self._alphabet,
            self._scan_threads,
            strict=self._request.strict,
            has_trailer=self._around.has_trailer,
            block_bytes=block_bytes,
        )
        self._observer.detail(f"finding the records with {scanner_name()}")
        size = self._records.properties.size or self._source.properties.stored_bytes  # else counted as it is stored
        self._observer.phase("splitting" if staged else "scanning", size, None)
        header, survey = b"", self._survey()
        try:
            if (self._remote is not None or builder.skips is None) and not switched(SPECULATION):
                header = self._scan_ahead(builder, staging, options, survey, executor)
            found = Scan(
                self._records,
                builder,
                options if staged else self._in_stripes(options),
                observer=self._observer,
                consumer=staging,
                header=header,
                survey=survey,
            ).run(executor)
            self._source.check_unchanged()
        except BaseException:
            if staging is not None:
                staging.discard()
            raise
        return builder, found, staging

    def _in_stripes(self, options: ScanOptions) -> ScanOptions:
        """Where reads are requests, several blocks are one; together they take as much memory as one block did."""
        if not self._source.properties.read_bytes or not scans_side_by_side():
            return options
        return replace(options, block_bytes=-(-options.block_bytes // ROOMS), stripe=STRIPE_BLOCKS, rooms=ROOMS)

    def _scan_ahead(
        self,
        builder: PlanBuilder,
        staging: StagedChunks | None,
        options: ScanOptions,
        survey: Survey,
        executor: Executor,
    ) -> bytes:
        """Scan chunks from where they are guessed to begin, here or on an engine; the header's bytes, see there."""
        if self._remote is not None:
            from splitjoin_cli.splitting.engines.scan import EngineScan  # noqa: PLC0415 -- only what is used is imported

            place_of = self._around.place_of
            scan = EngineScan(self._remote, self._records, builder, options, self._observer, survey, place_of)
            return scan.run()
        if staging is None:
            return b""
        return Speculation(self._records, builder, staging, options, self._observer, survey).run(executor)

    def _builder(self, rule: CutRule) -> PlanBuilder:
        dialect, start, watch = self._request.dialect, Mark(0, 0, 0, 0), self._watch()
        if dialect.skip_blank_lines or dialect.skip_repeated_headers:
            skips = Skips(dialect.skip_blank_lines, dialect.skip_repeated_headers, isinstance(rule, BySize))
            return SkippingPlanBuilder(
                rule, alphabet=self._alphabet, skips=skips, header=dialect.header, start=start, watch=watch
            )
        return PlanBuilder(rule, header=dialect.header, start=start, watch=watch)

    def _watch(self) -> Watch:
        """What sees blank lines and, where they may be meant as C has them, letters after the escape character."""
        dialect = self._request.dialect
        null = f"{dialect.escapechar}N"
        letters = LETTERS if dialect.nulls is not None and null not in dialect.nulls else LETTERS.replace(b"N", b"")
        return Watch(self._alphabet, b"" if dialect.c_escapes else letters)

    def _survey(self) -> Survey:
        """What all bytes are looked through for. What was transcoded is valid."""
        dialect, encoding = self._request.dialect, self._request.encoding
        judged = None if encoding is not None and needs_transcoding(encoding) else dialect.encoding
        headers = dialect.header and not dialect.skip_repeated_headers
        form = SurveyForm.of(self._alphabet, judged, headers=headers)
        return Survey(form, keeps=LOOK_BYTES)

    def _found(self, builder: PlanBuilder, found: Scanned, rule: CutRule, staging: StagedChunks | None) -> Planned:
        self._around.check_tail(found.size)
        warnings = scan_warnings(self._around, builder, found, rule, declared=self._request.encoding is not None)
        plan = self._plan_file(
            builder.chunks,
            fingerprint=self._around.fingerprint(found),
            dialect=replace(self._request.dialect, line_end=found.line_end),
            header=found.header,
            header_lines=found.header_lines,
            warnings=warnings,
            left_out=self._around.left_out(builder),
        )
        return Planned(plan, found.header, staging)

    def _probed(self, probed: Probed) -> Planned:
        s3 = self._source.properties.s3
        assert s3 is not None  # noqa: S101 -- only copies are probed
        plan = self._plan_file(
            probed.chunks,
            fingerprint=f"{self._source.properties.size}-etag:{s3.etag.strip(chr(34))}",
            dialect=self._request.dialect,
            header=probed.header,
            header_lines=1 if probed.header else 0,
            warnings=probe_warnings(self._around, probed),
            left_out=self._around.left_out(),
        )
        return Planned(plan, probed.header)

    def _plan_file(
        self,
        chunks: ChunkTable,
        *,
        fingerprint: str,
        dialect: Dialect,
        header: bytes,
        header_lines: int,
        warnings: tuple[str, ...],
        left_out: LeftOut | None,
    ) -> PlanFile:
        request, properties = self._request, self._source.properties
        chunks = self._around.placed(chunks)
        warnings = properties.warnings + self._warnings + warnings
        for warning in warnings:
            self._observer.warn(warning)
        return PlanFile(
            file_name=self._job.file_name,
            run_id=self._run_id(chunks, fingerprint),
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
            header_start=self._around.header_start,
            ruler_bytes=self._around.ruler_bytes,
            left_out=left_out,
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
