"""Checks a stored split against its manifest, and against its source where that is at hand."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Literal, Protocol

from splitjoin_cli.core import names
from splitjoin_cli.core.bytes.crc64 import crc64, tagged
from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.format.chunk_table import UNKNOWN_ROWS
from splitjoin_cli.core.format.left_out import LeftOut
from splitjoin_cli.core.format.manifest import CoverageError, Manifest
from splitjoin_cli.core.format.metadata import decode_metadata
from splitjoin_cli.core.model import ChunkState
from splitjoin_cli.core.parallel import in_order
from splitjoin_cli.core.progress import Silent, Tally
from splitjoin_cli.core.words import count_text
from splitjoin_cli.splitting.stored.around import lines_between
from splitjoin_cli.splitting.stored.chunks import (
    BLOCK_BYTES,
    ChunkError,
    ChunkReader,
    choose_job,
    inventory,
)
from splitjoin_cli.splitting.stored.records import SCAN_BYTES, RecordCounter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor

    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.format.metadata import ChunkMetadata
    from splitjoin_cli.core.model import ByteRange, Chunk
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.stored.chunks import Inventory, OpenChunk
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["KINDS", "Problem", "VerifyReport", "verify"]

Kind = Literal[
    "manifest",
    "plan",
    "missing",
    "extra",
    "unreadable",
    "size",
    "checksum",
    "coverage",
    "header",
    "torn",
    "lone-cr",
    "rows",
    "metadata",
    "bytes",
]

KINDS: dict[Kind, str] = {
    "manifest": "the manifest is missing or damaged",
    "plan": "the split is under way, or was interrupted",
    "missing": "a chunk is not there; of several in a row, number is the first",
    "extra": "there is a chunk of the same name that is not part of this split",
    "unreadable": "a chunk cannot be read or decompressed",
    "size": "a stored object has another size than the manifest says",
    "checksum": "a stored object has other bytes than the manifest says",
    "coverage": "the ranges leave a gap or overlap, or a chunk holds more or less than its range",
    "header": "a chunk does not begin with the header, or the header is more than one record",
    "torn": "a chunk, or the header, ends inside a record",
    "lone-cr": "a chunk holds a carriage return without a line feed, outside quotes",
    "rows": "a chunk holds another number of records than the manifest says",
    "metadata": "a chunk says of itself that it is another one",
    "bytes": "a chunk differs from the source's bytes, or the source is longer or shorter",
}
"""The kinds of problems: stable words, for scripts."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not right; ``number`` is the chunk's, ``None`` where it is of the whole set.

    Chunks in a row that are missing are one problem: ``number`` is the first one's, the message names the last.
    """

    number: int | None
    kind: Kind
    message: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was found. ``total_parts`` is the manifest's, ``None`` without one.

    ``rows``: the records that were counted in the chunks, the header not; ``None`` unless every chunk could be counted.
    ``mended``: the chunks that ``replace`` stored: they are not the source's any more, and not compared with it.
    ``under_way``: the split is, so nothing was checked.
    """

    file_name: str
    problems: tuple[Problem, ...]
    total_parts: int | None = None
    rows: int | None = None
    mended: tuple[int, ...] = ()
    under_way: bool = False

    @property
    def ok(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    def to_json(self) -> dict[str, object]:
        """The JSON result."""
        problems = [{"number": p.number, "kind": p.kind, "message": p.message} for p in self.problems]
        return {"file_name": self.file_name, "ok": self.ok, "problems": problems, "mended": list(self.mended)}


def verify(
    sink: Sink,
    open_chunk: OpenChunk,
    *,
    executor: Executor,
    jobs: int,
    file_name: str | None = None,
    source: Source | None = None,
    observer: Observer | None = None,
) -> VerifyReport:
    """Read every chunk of a job once and report all that is not right.

    Checksums are computed from the bytes read, never taken from the store's word: that the bytes can still be read is
    what is asked. With ``source`` its body is compared byte for byte, in parallel where it can seek, else in one pass.
    At most ``jobs`` chunks are under way; memory is bounded by them. Raises UsageError where several jobs lie there and
    none is named, NotFoundError where none lies there, SourceChangedError where the source changes meanwhile.
    """
    file_name = choose_job(sink, file_name)
    manifest, problems = _manifest(sink, file_name)
    if sink.head(names.plan_name(file_name)) is not None:
        problems.append(Problem(None, "plan", f"{names.plan_name(file_name)} is there: {KINDS['plan']}"))
    here = inventory(sink, file_name, manifest)
    problems += _missing(here)
    for name in here.others:
        extra = names.parse(name)
        number = None if extra is None else extra.number
        problems.append(Problem(number, "extra", f"{name} is not of this split"))
    if manifest is None:
        return VerifyReport(file_name, tuple(problems))
    check = _Check(sink, open_chunk, manifest, here, observer or Silent())
    problems += check.run(executor, jobs, source)
    problems.sort(key=lambda problem: problem.number or 0)
    return VerifyReport(file_name, tuple(problems), manifest.total_parts, check.rows, tuple(sorted(manifest.mended)))


def _missing(here: Inventory) -> Iterator[Problem]:
    """One problem for each run of chunks that are not there: an object's name may claim ten million."""
    for first, last in here.missing.ranges():
        which = f"chunk {first} of {here.total} is" if first == last else f"chunks {first}-{last} of {here.total} are"
        yield Problem(first, "missing", f"{which} not there")


def _manifest(sink: Sink, file_name: str) -> tuple[Manifest | None, list[Problem]]:
    name = names.manifest_name(file_name)
    data = sink.get_small(name)
    if data is None:
        return None, [Problem(None, "manifest", f"{name} is not there: the split is not whole")]
    try:
        manifest = Manifest.from_bytes(data, name, file_name=file_name)
    except CoverageError as exc:
        return None, [Problem(None, "coverage", exc.message)]
    except StoreError as exc:
        return None, [Problem(None, "manifest", exc.message)]
    return manifest, []


class _Placed(Protocol):
    """The source's bytes by place."""

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """See Source."""


class _Forward:
    """A source that cannot seek, read by places that never go back."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._at = 0
        self._passed = memoryview(bytearray(BLOCK_BYTES))

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """See Source; what lies between is passed over."""
        while self._at < offset:
            got = self._stream.readinto(self._passed[: offset - self._at])
            if not got:
                return 0
            self._at += got
        got = self._stream.readinto(buffer)
        self._at += got
        return got


class _Check:
    """The chunks that are there, against what the manifest says of them."""

    def __init__(
        self, sink: Sink, open_chunk: OpenChunk, manifest: Manifest, here: Inventory, observer: Observer
    ) -> None:
        self._sink = sink
        self._open_chunk = open_chunk
        self._manifest = manifest
        self._here = here
        self._observer = observer
        self._headers = array("Q", [0]) * manifest.total_parts  # their checksums, by number
        self._read = bytearray(manifest.total_parts)  # 1 where the header was read
        self._rows = array("q", [UNKNOWN_ROWS]) * manifest.total_parts
        self._source: _Placed | None = None

    @property
    def rows(self) -> int | None:
        """The records of all chunks; None where those of any were not counted. After ``run``."""
        return None if UNKNOWN_ROWS in self._rows else sum(self._rows)

    def run(self, executor: Executor, jobs: int, source: Source | None) -> list[Problem]:
        """All problems of all chunks: in parallel, but beside a source that cannot seek one after another."""
        present = self._here.numbers
        self._observer.phase("verifying", sum(self._here.sizes), len(present))
        if source is None:
            problems = list(chain.from_iterable(in_order(executor, self.chunk, present, jobs)))
            return problems + list(self._header_problems(present, self._most_common_header(present)))
        if source.properties.seekable:
            problems = self._beside(source, present, lambda: in_order(executor, self.chunk, present, jobs))
        else:
            stream = source.stream()
            try:
                problems = self._beside(_Forward(stream), present, lambda: map(self.chunk, present))
            finally:
                stream.close()
        source.check_unchanged()
        return problems

    def _beside(
        self, source: _Placed, present: Sequence[int], chunks: Callable[[], Iterator[list[Problem]]]
    ) -> list[Problem]:
        manifest = self._manifest
        before = lines_between(source, 0, manifest.header_start)
        header = memoryview(bytearray(manifest.header_bytes))
        reference = crc64(header[: source.read_at(manifest.header_start, header)])
        ruler = lines_between(source, manifest.header_start + manifest.header_bytes, manifest.chunks.start)
        self._source = source
        problems = list(chain.from_iterable(chunks()))
        problems += self._header_problems(present, reference)
        return problems + list(self._around_problems(source, before + ruler))

    def _around_problems(self, source: _Placed, before: int) -> Iterator[Problem]:
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

    def _header_problems(self, present: Sequence[int], reference: int) -> Iterator[Problem]:
        for number in present:
            if self._read[number - 1] and self._headers[number - 1] != reference:
                yield Problem(number, "header", f"{self._manifest.name(number)} begins with another header")

    def _most_common_header(self, present: Sequence[int]) -> int:
        """Where no source says which header is right, one damaged chunk must not make all others look wrong."""
        counts = Counter(self._headers[number - 1] for number in present if self._read[number - 1])
        return counts.most_common(1)[0][0] if counts else 0

    def chunk(self, number: int) -> list[Problem]:
        """All problems of one chunk that is there. May run on any number of threads where the source can seek."""
        name = self._manifest.name(number)
        problems = list(self._metadata_problems(number, name))
        said, size = self._manifest.stored_bytes[number - 1], self._here.size(number)
        if said != size:
            problems.append(Problem(number, "size", f"{name} has {size} bytes, not {said}"))
        tally = Tally(self._observer.advance)
        try:
            with ChunkReader(self._open_chunk, self._manifest.compression, name, came=tally.add) as reader:
                problems += self._content_problems(number, name, reader)
        except ChunkError as exc:
            problems.append(Problem(number, "unreadable", exc.message))
        tally.settle(size)
        self._observer.chunk_done(number, ChunkState.SKIPPED)
        return problems

    def _content_problems(self, number: int, name: str, reader: ChunkReader) -> Iterator[Problem]:
        plan = self._manifest.chunks[number]
        header = b""
        if number == 1 or self._manifest.dialect.skip_repeated_headers:
            header = reader.head(self._manifest.header_bytes)
            self._headers[number - 1] = crc64(header)
        if number == 1:
            yield from self._header_record_problems(header)
        elif not header:
            self._headers[number - 1] = reader.head_checksum(self._manifest.header_bytes)
        self._read[number - 1] = 1
        buffer = memoryview(bytearray(min(SCAN_BYTES, plan.range.size + 1)))
        dialect = self._manifest.dialect
        counter = RecordCounter(dialect, at=plan.range.start, block_bytes=len(buffer), header=header)
        mended, size = number in self._manifest.mended, self._manifest.chunk_bytes(number) - self._manifest.header_bytes
        compared = self._source is not None and not mended
        comparison = _Comparison(self._source, plan.range, len(buffer)) if compared and self._source else None
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
            self._rows[number - 1] = counter.records
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

    def _metadata_problems(self, number: int, name: str) -> Iterator[Problem]:
        """Where the store keeps what a chunk says of itself: it must be this chunk, of this run."""
        stored = self._sink.head(name)
        if stored is None or stored.metadata is None:
            return
        try:
            said = decode_metadata(stored.metadata, name)
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


class _Comparison:
    """Compares a chunk's body, block by block, with its range of the source."""

    def __init__(self, source: _Placed, place: ByteRange, block_bytes: int) -> None:
        self.differs_at: int | None = None
        self._source = source
        self._at = place.start
        self._end = place.end
        self._expected = bytearray(block_bytes)

    def feed(self, block: memoryview) -> None:
        """Compare the next bytes of the body; what is beyond the range is not the source's business."""
        block = block[: self._end - self._at]
        if self.differs_at is not None or not block:
            return
        expected = memoryview(self._expected)[: len(block)]
        got = self._source.read_at(self._at, expected)
        here, there = bytes(block[:got]), bytes(expected[:got])  # bytes are compared at once, memoryviews one by one
        if here != there or got < len(block):
            other = (at for at in range(got) if here[at] != there[at])
            self.differs_at = self._at + next(other, got)
        self._at += len(block)
