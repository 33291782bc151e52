"""Judges one stored chunk by what its manifest says of it: anywhere, by its bytes, and by the source beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from splitjoin_cli.core.bytes.crc64 import crc64, tagged
from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.format.metadata import decode_metadata
from splitjoin_cli.core.model import ByteRange
from splitjoin_cli.core.names import chunk_names
from splitjoin_cli.splitting.stored.chunks import ChunkError, ChunkReader
from splitjoin_cli.splitting.stored.comparing import Comparison
from splitjoin_cli.splitting.stored.problems import Problem
from splitjoin_cli.splitting.stored.records import SCAN_BYTES, RecordCounter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from splitjoin_cli.core.format.manifest import Manifest
    from splitjoin_cli.core.format.metadata import ChunkMetadata
    from splitjoin_cli.core.model import Compression, Dialect
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.splitting.stored.around import Placed
    from splitjoin_cli.splitting.stored.chunks import OpenChunk
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.sources.s3_objects import S3Objects

__all__ = ["ChunkFacts", "Elsewhere", "Judge", "Judged", "SetFacts", "StoredPlace", "chunk_facts", "set_facts"]


@dataclass(frozen=True, slots=True)
class SetFacts:
    """What a manifest says of all of its chunks. ``is_empty``: there is no record but the header."""

    file_name: str
    run_id: str
    total: int
    dialect: Dialect
    compression: Compression | None
    header_lines: int
    header_bytes: int
    is_empty: bool


class ChunkFacts(NamedTuple):
    """What it says of one: where its body is in the source, and of the object, whose ``size`` is that of a listing.

    ``body_bytes``: before compression. ``mended``: ``replace`` stored it.
    """

    number: int
    start: int
    end: int
    rows: int | None
    checksum: int | None
    body_bytes: int
    stored_bytes: int
    mended: bool
    size: int


class Judged(NamedTuple):
    """What was found. ``header``: the checksum of what it begins with, None where that could not be read.

    ``records``: None where they could not be counted.
    """

    number: int
    header: int | None
    records: int | None
    problems: tuple[Problem, ...]


class StoredPlace(NamedTuple):
    """Where chunks lie. ``objects``: of a place on S3, where a small chunk is one request."""

    sink: Sink
    open_chunk: OpenChunk
    objects: S3Objects | None = None


class Elsewhere(Protocol):
    """Judges chunks somewhere else than in this process."""

    def judge(
        self, facts: SetFacts, chunks: Iterable[ChunkFacts], took: Callable[[ChunkFacts, Judged], None], *, beside: bool
    ) -> None:
        """Judge them all, in any order; ``took`` hears of each, on this thread. ``beside``: the source is compared.

        Raises SourceChangedError, StoreError and EngineError where that cannot be.
        """

    def stoppable(self, check: Callable[[], None]) -> Elsewhere:
        """The same, which asks ``check`` now and then: it raises what ends the judging."""


def set_facts(manifest: Manifest) -> SetFacts:
    """Those of a manifest."""
    return SetFacts(
        file_name=manifest.file_name,
        run_id=manifest.run_id,
        total=manifest.total_parts,
        dialect=manifest.dialect,
        compression=manifest.compression,
        header_lines=manifest.header_lines,
        header_bytes=manifest.header_bytes,
        is_empty=manifest.chunks.start == manifest.chunks.end,
    )


def chunk_facts(manifest: Manifest, number: int, size: int) -> ChunkFacts:
    """Those of a chunk that is there, with ``size`` bytes."""
    chunk = manifest.chunks[number]
    return ChunkFacts(
        number,
        chunk.range.start,
        chunk.range.end,
        chunk.rows,
        chunk.checksum,
        manifest.chunk_bytes(number) - manifest.header_bytes,
        manifest.stored_bytes[number - 1],
        number in manifest.mended,
        size,
    )


class Judge:
    """Of the chunks of one set. Thread-safe where ``source`` can be read at any place."""

    def __init__(self, place: StoredPlace, facts: SetFacts, source: Placed | None = None) -> None:
        """``source``: compared with the chunks; None: it is not."""
        self._place, self._facts, self._source = place, facts, source
        self._names = chunk_names(facts.file_name, facts.total, facts.compression)

    def chunk(self, said: ChunkFacts, came: Moved | None = None, keep: Callable[[bytes], None] | None = None) -> Judged:
        """All problems of one chunk that is there. ``came``: hears of its bytes; ``keep``: of its header's."""
        name, objects = self._names(said.number), self._place.objects
        whole = None if objects is None else objects.get(name, said.size)
        open_chunk: OpenChunk = self._place.open_chunk if whole is None else lambda _name: whole.source
        metadata = self._metadata(name) if whole is None else whole.metadata
        problems = [] if metadata is None else list(self._metadata_problems(said, name, metadata))
        if said.stored_bytes != said.size:
            problems.append(Problem(said.number, "size", f"{name} has {said.size} bytes, not {said.stored_bytes}"))
        look = _Look(self._facts, said, name, self._source)
        try:
            with ChunkReader(open_chunk, self._facts.compression, name, came=came) as reader:
                look.read(reader, keep)
        except ChunkError as exc:
            look.found.append(Problem(said.number, "unreadable", exc.message))
        problems += look.found
        return Judged(said.number, look.header, look.records, tuple(problems))

    def _metadata(self, name: str) -> str | None:
        """What a chunk says of itself; None where the store does not keep it."""
        sink = self._place.sink
        stored = sink.head(name) if sink.properties.keeps_metadata else None
        return None if stored is None else stored.metadata

    def _metadata_problems(self, said: ChunkFacts, name: str, metadata: str) -> Iterator[Problem]:
        """It must be this chunk, of this run."""
        number = said.number
        try:
            own = decode_metadata(metadata, name)
        except StoreError as exc:
            yield Problem(number, "metadata", exc.message)
            return
        if own.run_id != self._facts.run_id:
            yield Problem(number, "metadata", f"{name} is of run {own.run_id}, the manifest of {self._facts.run_id}")
        if (own.number, own.range, own.rows) != (number, ByteRange(said.start, said.end), said.rows):
            message = f"{name} says that it is chunk {own.number}, bytes {own.range.start} to {own.range.end}"
            yield Problem(number, "metadata", f"{message}, of {own.rows} rows")
        if others := _other_fields(own, self._facts):
            yield Problem(
                number, "metadata", f"{name} differs from the manifest in what it says of {', '.join(others)}"
            )


class _Look:
    """At the bytes of one chunk. ``found``: its problems, those before a place that cannot be read included."""

    def __init__(self, facts: SetFacts, said: ChunkFacts, name: str, source: Placed | None) -> None:
        self._facts, self._said, self._name = facts, said, name
        self._source = None if said.mended else source
        self.header: int | None = None
        self.records: int | None = None
        self.found: list[Problem] = []

    def read(self, reader: ChunkReader, keep: Callable[[bytes], None] | None) -> None:
        """To its end. Raises ChunkError."""
        self.found.extend(self._problems(reader, keep))

    def _problems(self, reader: ChunkReader, keep: Callable[[bytes], None] | None) -> Iterator[Problem]:
        facts, said, name = self._facts, self._said, self._name
        header = self._read_header(reader, keep)
        if said.number == 1:
            yield from self._header_record_problems(header)
        # also what took the place of a small chunk is not read a few bytes at a time
        buffer = memoryview(bytearray(min(SCAN_BYTES, max(said.end - said.start, said.size) + 1)))
        counter = RecordCounter(facts.dialect, at=said.start, block_bytes=len(buffer), header=header)
        place = ByteRange(said.start, said.end)
        comparison = None if self._source is None else Comparison(self._source, place, len(buffer))
        body_bytes = 0
        for block in reader.blocks(buffer):
            counter.feed(block)
            if comparison is not None:
                comparison.feed(block)
            body_bytes += len(block)
        if body_bytes != said.body_bytes:
            yield Problem(
                said.number, "coverage", f"{name} holds {body_bytes} bytes of the body, not {said.body_bytes}"
            )
        yield from self._record_problems(counter)
        if said.checksum is not None and reader.checksum != said.checksum:
            found, wanted = tagged(reader.checksum), tagged(said.checksum)
            yield Problem(said.number, "checksum", f"{name} has the checksum {found}, not {wanted}")
        if comparison is not None and comparison.differs_at is not None:
            yield Problem(
                said.number, "bytes", f"{name} differs from the source at the source's byte {comparison.differs_at}"
            )

    def _read_header(self, reader: ChunkReader, keep: Callable[[bytes], None] | None) -> bytes:
        facts, header = self._facts, b""
        if self._said.number == 1 or facts.dialect.skip_repeated_headers or keep is not None:
            header = reader.head(facts.header_bytes)
            self.header = crc64(header)
        else:
            self.header = reader.head_checksum(facts.header_bytes)
        if keep is not None:
            keep(header)
        return header

    def _record_problems(self, counter: RecordCounter) -> Iterator[Problem]:
        """What is wrong with the records of a chunk that was read to its end."""
        said, name = self._said, self._name
        if counter.lone_return is not None:
            where = f"a carriage return without a line feed, outside quotes (the source's byte {counter.lone_return})"
            yield Problem(said.number, "lone-cr", f"{name} holds {where}: the records cannot be counted")
            return
        why = counter.why_torn(last=said.number == self._facts.total)
        if why is None:
            self.records = counter.records
        else:
            yield Problem(said.number, "torn", _torn(f"{name} ends", counter.record_start, why))
        if said.rows not in (None, counter.records):
            records = "1 record" if counter.records == 1 else f"{counter.records} records"
            yield Problem(said.number, "rows", f"{name} holds {records}, not {said.rows}")

    def _header_record_problems(self, header: bytes) -> Iterator[Problem]:
        """The header must be one record; chunk 1 speaks for all, since headers are compared with each other."""
        if not header:
            return
        counter = RecordCounter(self._facts.dialect, block_bytes=len(header))
        counter.feed(memoryview(header))
        why = counter.why_torn(last=self._facts.is_empty)
        if why is not None:
            yield Problem(None, "torn", _torn(f"the header, {len(header)} bytes, ends", counter.record_start, why))
        elif counter.records > 1:
            yield Problem(None, "header", f"the header, {len(header)} bytes, holds {counter.records} records")


def _other_fields(said: ChunkMetadata, facts: SetFacts) -> list[str]:
    """The fields of a chunk's metadata that workers read, and that are not as the manifest has them."""
    fields = ("file_name", "total", "dialect", "header_lines", "header_bytes", "compression")
    return [field for field in fields if getattr(said, field) != getattr(facts, field)]


def _torn(what: str, record_start: int, why: str) -> str:
    began = f"the record that begins at the source's byte {record_start}"
    return f"{what} inside {began}: {why}; split the source again, with --force"
