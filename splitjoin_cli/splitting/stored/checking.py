"""The chunks of a set that are there, against what its manifest says of them, and against the source."""

from __future__ import annotations

import threading
from array import array
from itertools import chain
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.crc64 import crc64, tagged
from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.format.left_out import LeftOut
from splitjoin_cli.core.format.metadata import decode_metadata
from splitjoin_cli.core.model import ChunkState
from splitjoin_cli.core.parallel import in_order
from splitjoin_cli.core.progress import Tally, chunks_done
from splitjoin_cli.core.words import count_text
from splitjoin_cli.splitting.stored.around import lines_between
from splitjoin_cli.splitting.stored.chunks import ChunkError, ChunkReader
from splitjoin_cli.splitting.stored.comparing import Comparison, Forward
from splitjoin_cli.splitting.stored.problems import Problem
from splitjoin_cli.splitting.stored.quick import QuickLook
from splitjoin_cli.splitting.stored.records import SCAN_BYTES, RecordCounter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor

    from splitjoin_cli.core.format.manifest import Manifest
    from splitjoin_cli.core.format.metadata import ChunkMetadata
    from splitjoin_cli.core.model import Chunk
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.stored.around import Placed
    from splitjoin_cli.splitting.stored.chunks import Inventory, OpenChunk
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.sources.base import Source
    from splitjoin_cli.stores.sources.s3_objects import S3Objects
    from splitjoin_cli.stores.sources.small_files import SmallFiles

__all__ = ["Check"]

SAMPLES = 3
"""Chunks that are read before all others: of their headers the one that most of them have is looked for in the rest."""


class _Headers:
    """Which chunks begin with which header, by its checksum. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[int, array[int]] = {}

    def add(self, checksum: int, numbers: Iterable[int]) -> None:
        """Those of ``numbers`` begin with it."""
        with self._lock:
            self._numbers.setdefault(checksum, array("q")).extend(numbers)

    def most_common(self) -> int:
        """Of several that are as common the one of the first chunk; 0 where none was read."""
        return max(self._numbers, key=lambda one: (len(self._numbers[one]), -min(self._numbers[one])), default=0)

    def others(self, checksum: int) -> Iterator[int]:
        """The chunks that begin with another one."""
        return chain.from_iterable(numbers for one, numbers in self._numbers.items() if one != checksum)


class Check:
    """The chunks that are there, against what the manifest says of them."""

    def __init__(
        self,
        sink: Sink,
        open_chunk: OpenChunk,
        manifest: Manifest,
        here: Inventory,
        observer: Observer,
        files: SmallFiles | None = None,
        objects: S3Objects | None = None,
    ) -> None:
        """``files``: the place's, where it is a directory whose files are read many at a call; ``objects``: on S3."""
        self._objects = objects
        self._sink = sink
        self._open_chunk = open_chunk
        self._manifest = manifest
        self._here = here
        self._observer = observer
        self._quick = None if files is None else QuickLook.of(files, manifest)
        self._samples: dict[int, bytes] = {}  # headers, by number
        self._headers = _Headers()
        self._lock = threading.Lock()
        self._counted = self._records = 0
        self._source: Placed | None = None

    @property
    def rows(self) -> int | None:
        """The records of all chunks; None where those of any were not counted. After ``run``."""
        return self._records if self._counted == self._manifest.total_parts else None

    def run(self, executor: Executor, jobs: int, source: Source | None) -> list[Problem]:
        """All problems of all chunks: in parallel, but beside a source that cannot seek one after another."""
        present = self._here.numbers
        self._observer.phase("verifying", sum(self._here.sizes), len(present))
        if source is None:
            problems = self._all(executor, jobs)
            return problems + list(self._header_problems(self._headers.most_common()))
        if source.properties.seekable:
            problems = self._beside(source, lambda: self._all(executor, jobs))
        else:
            stream = source.stream()
            try:
                problems = self._beside(Forward(stream), lambda: list(chain.from_iterable(map(self.chunk, present))))
            finally:
                stream.close()
        source.check_unchanged()
        return problems

    def _all(self, executor: Executor, jobs: int) -> list[Problem]:
        """All chunks, side by side: small ones many at a time."""
        present, quick = self._here.numbers, self._quick
        if quick is None:
            return list(chain.from_iterable(in_order(executor, self.chunk, present, jobs)))
        samples = present[:SAMPLES]
        self._samples = dict.fromkeys(samples, b"")
        problems = list(chain.from_iterable(map(self.chunk, samples)))
        header = self._samples_header()

        def several(run: range) -> list[Problem]:
            return self._several(quick, header, run)

        runs = quick.runs(present[SAMPLES:])
        return problems + list(chain.from_iterable(in_order(executor, several, runs, jobs)))

    def _samples_header(self) -> bytes:
        """The header that most of the samples have."""
        return max(self._samples.values(), key=list(self._samples.values()).count, default=b"")

    def _several(self, quick: QuickLook, header: bytes, run: range) -> list[Problem]:
        """All problems of some neighbours: those that are not right at first sight are read again, one by one."""
        looked = quick.look(run, header, self._source)
        fine = [number for number, right in zip(run, looked.fine, strict=True) if right]
        self._headers.add(crc64(header), fine)
        self._count(looked.records, chunks=len(fine))
        if looked.size:
            self._observer.advance(looked.size)
        chunks_done(self._observer, fine, ChunkState.SKIPPED)
        if len(fine) == len(run):
            return []
        others = (number for number, right in zip(run, looked.fine, strict=True) if not right)
        return list(chain.from_iterable(map(self.chunk, others)))

    def _count(self, records: int, chunks: int = 1) -> None:
        with self._lock:
            self._records += records
            self._counted += chunks

    def _beside(self, source: Placed, chunks: Callable[[], list[Problem]]) -> list[Problem]:
        manifest = self._manifest
        before = lines_between(source, 0, manifest.header_start)
        header = memoryview(bytearray(manifest.header_bytes))
        reference = crc64(header[: source.read_at(manifest.header_start, header)])
        ruler = lines_between(source, manifest.header_start + manifest.header_bytes, manifest.chunks.start)
        self._source = source
        problems = chunks()
        problems += self._header_problems(reference)
        return problems + list(self._around_problems(source, before + ruler))

    def _around_problems(self, source: Placed, before: int) -> Iterator[Problem]:
        """What is around the records in the source must be as many lines as were left out; ``before``: at its start."""
        said, end = self._manifest.left_out or LeftOut(), self._manifest.chunks.end
        if before != said.lines:
            found = count_text(before, "line")
            yield Problem(None, "bytes", f"the source has {found} where the split left out {said.lines:,}")
        if not said.trailer_lines + said.blank_lines:
            if source.read_at(end, memoryview(bytearray(1))):
                yield Problem(None, "bytes", f"the source goes on after byte {end}, where the split ends")
            return
        behind = lines_between(source, end)
        if behind != said.trailer_lines if said.trailer_lines else behind > said.blank_lines:
            left = said.trailer_lines or said.blank_lines
            found = count_text(behind, "line")
            yield Problem(
                None, "bytes", f"the source has {found} after byte {end}, where the split ends; it left out {left:,}"
            )

    def _header_problems(self, reference: int) -> Iterator[Problem]:
        """Where no source says which header is right, one damaged chunk must not make all others look wrong."""
        for number in sorted(self._headers.others(reference)):
            yield Problem(number, "header", f"{self._manifest.name(number)} begins with another header")

    def chunk(self, number: int) -> list[Problem]:
        """All problems of one chunk that is there. May run on any number of threads where the source can seek."""
        name = self._manifest.name(number)
        said, size = self._manifest.stored_bytes[number - 1], self._here.size(number)
        whole = None if self._objects is None else self._objects.get(name, size)
        open_chunk: OpenChunk = self._open_chunk if whole is None else lambda _name: whole.source
        metadata = self._metadata(name) if whole is None else whole.metadata
        problems = [] if metadata is None else list(self._metadata_problems(number, name, metadata))
        if said != size:
            problems.append(Problem(number, "size", f"{name} has {size} bytes, not {said}"))
        tally = Tally(self._observer.advance)
        try:
            with ChunkReader(open_chunk, self._manifest.compression, name, came=tally.add) as reader:
                problems += self._content_problems(number, name, reader)
        except ChunkError as exc:
            problems.append(Problem(number, "unreadable", exc.message))
        tally.settle(size)
        self._observer.chunk_done(number, ChunkState.SKIPPED)
        return problems

    def _content_problems(self, number: int, name: str, reader: ChunkReader) -> Iterator[Problem]:
        plan = self._manifest.chunks[number]
        header = b""
        if number == 1 or self._manifest.dialect.skip_repeated_headers or number in self._samples:
            header = reader.head(self._manifest.header_bytes)
            self._headers.add(crc64(header), (number,))
        else:
            self._headers.add(reader.head_checksum(self._manifest.header_bytes), (number,))
        if number in self._samples:
            self._samples[number] = header
        if number == 1:
            yield from self._header_record_problems(header)
        buffer = memoryview(bytearray(min(SCAN_BYTES, plan.range.size + 1)))
        dialect = self._manifest.dialect
        counter = RecordCounter(dialect, at=plan.range.start, block_bytes=len(buffer), header=header)
        mended, size = number in self._manifest.mended, self._manifest.chunk_bytes(number) - self._manifest.header_bytes
        compared = self._source is not None and not mended
        comparison = Comparison(self._source, plan.range, len(buffer)) if compared and self._source else None
        body_bytes = 0
        for block in reader.blocks(buffer):
            counter.feed(block)
            if comparison is not None:
                comparison.feed(block)
            body_bytes += len(block)
        if body_bytes != size:
            yield Problem(number, "coverage", f"{name} holds {body_bytes} bytes of the body, not {size}")
        yield from self._record_problems(plan, name, counter)
        if plan.checksum is not None and reader.checksum != plan.checksum:
            found, said = tagged(reader.checksum), tagged(plan.checksum)
            yield Problem(number, "checksum", f"{name} has the checksum {found}, not {said}")
        if comparison is not None and comparison.differs_at is not None:
            yield Problem(
                number, "bytes", f"{name} differs from the source at the source's byte {comparison.differs_at}"
            )

    def _record_problems(self, plan: Chunk, name: str, counter: RecordCounter) -> Iterator[Problem]:
        """What is wrong with the records of a chunk that was read to its end."""
        number = plan.number
        if counter.lone_return is not None:
            where = f"a carriage return without a line feed, outside quotes (the source's byte {counter.lone_return})"
            yield Problem(number, "lone-cr", f"{name} holds {where}: the records cannot be counted")
            return
        why = counter.why_torn(last=number == self._manifest.total_parts)
        if why is None:
            self._count(counter.records)
        else:
            yield Problem(number, "torn", _torn(f"{name} ends", counter.record_start, why))
        if plan.rows not in (None, counter.records):
            records = "1 record" if counter.records == 1 else f"{counter.records} records"
            yield Problem(number, "rows", f"{name} holds {records}, not {plan.rows}")

    def _header_record_problems(self, header: bytes) -> Iterator[Problem]:
        """The header must be one record; chunk 1 speaks for all, since headers are compared with each other."""
        if not header:
            return
        counter = RecordCounter(self._manifest.dialect, block_bytes=len(header))
        counter.feed(memoryview(header))
        chunks = self._manifest.chunks
        why = counter.why_torn(last=chunks.start == chunks.end)
        if why is not None:
            yield Problem(None, "torn", _torn(f"the header, {len(header)} bytes, ends", counter.record_start, why))
        elif counter.records > 1:
            yield Problem(None, "header", f"the header, {len(header)} bytes, holds {counter.records} records")

    def _metadata(self, name: str) -> str | None:
        """What a chunk says of itself; None where the store does not keep it."""
        stored = self._sink.head(name) if self._sink.properties.keeps_metadata else None
        return None if stored is None else stored.metadata

    def _metadata_problems(self, number: int, name: str, metadata: str) -> Iterator[Problem]:
        """It must be this chunk, of this run."""
        try:
            said = decode_metadata(metadata, name)
        except StoreError as exc:
            yield Problem(number, "metadata", exc.message)
            return
        if said.run_id != self._manifest.run_id:
            yield Problem(
                number, "metadata", f"{name} is of run {said.run_id}, the manifest of {self._manifest.run_id}"
            )
        plan = self._manifest.chunks[number]
        if (said.number, said.range, said.rows) != (plan.number, plan.range, plan.rows):
            message = f"{name} says that it is chunk {said.number}, bytes {said.range.start} to {said.range.end}"
            yield Problem(number, "metadata", f"{message}, of {said.rows} rows")
        if others := _other_fields(said, self._manifest):
            yield Problem(
                number, "metadata", f"{name} differs from the manifest in what it says of {', '.join(others)}"
            )


def _other_fields(said: ChunkMetadata, manifest: Manifest) -> list[str]:
    """The fields of a chunk's metadata that workers read, and that are not as the manifest has them."""
    wanted = {
        "file_name": manifest.file_name,
        "total": manifest.total_parts,
        "dialect": manifest.dialect,
        "header_lines": manifest.header_lines,
        "header_bytes": manifest.header_bytes,
        "compression": manifest.compression,
    }
    return [field for field, value in wanted.items() if getattr(said, field) != value]


def _torn(what: str, record_start: int, why: str) -> str:
    began = f"the record that begins at the source's byte {record_start}"
    return f"{what} inside {began}: {why}; split the source again, with --force"
