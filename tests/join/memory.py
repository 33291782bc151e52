"""The join's surroundings in memory: stored chunks by URI, and a database that counts rows instead of keeping them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import LoadError, NotFoundError, OlderRunError, RunConflictError
from splitjoin_cli.core.format.metadata import ChunkMetadata
from splitjoin_cli.core.model import ByteRange, Dialect
from splitjoin_cli.core.names import ChunkName
from splitjoin_cli.core.names import format as format_name
from splitjoin_cli.core.names import parse as parse_name
from splitjoin_cli.stores.chunks.base import StoredChunk
from splitjoin_cli.stores.loaders.base import (
    Expectation,
    LedgerJob,
    LedgerTotal,
    LoaderProperties,
    LoadResult,
    TableRows,
)
from splitjoin_cli.stores.loaders.ledger_repairs import content_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.stores.loaders.base import ChunkToLoad

FILE_NAME = "acme_20240131"
RUN_ID = "a" * 32
HEADER = b"id,name\n"


class BytesStream:
    """A ByteStream over bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def readinto(self, buffer: memoryview) -> int:
        part = self._data[self._position : self._position + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def close(self) -> None:
        pass


def chunk_uri(number: int, total: int, file_name: str = FILE_NAME) -> str:
    """Where a chunk lies."""
    client, _, date = file_name.rpartition("_")
    return f"s3://bucket/in/{format_name(ChunkName(client, date, number, total))}"


def metadata_of(
    uri: str, *, rows: int | None, run_id: str = RUN_ID, generation: int = 1, header_bytes: int = len(HEADER)
) -> ChunkMetadata:
    """What our splitter would have said of the object."""
    name = parse_name(uri)
    assert name is not None
    return ChunkMetadata(
        file_name=name.file_name,
        run_id=run_id,
        generation=generation,
        number=name.number,
        total=name.total,
        range=ByteRange(0, 0),
        rows=rows,
        dialect=Dialect(line_end="\n"),
        header_lines=1 if header_bytes else 0,
        header_bytes=header_bytes,
        compression=None,
    )


class MemoryChunks:
    """A ChunkStore of objects that tests put there. ``opened`` counts GETs and HEADs."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, ChunkMetadata | None]] = {}
        self.opened: list[tuple[str, bool]] = []

    def put(self, uri: str, body: bytes, *, run_id: str | None = RUN_ID, generation: int = 1) -> str:
        """Store a chunk of ``body`` after the header; ``run_id`` None: without metadata."""
        metadata = None
        if run_id is not None:
            metadata = metadata_of(uri, rows=body.count(b"\n"), run_id=run_id, generation=generation)
        self.objects[uri] = (HEADER + body, metadata)
        return uri

    def open_chunk(self, uri: str, *, body: bool = True) -> StoredChunk:
        self.opened.append((uri, body))
        name = parse_name(uri)
        if uri not in self.objects or name is None:
            raise NotFoundError(f"{uri} is not there")
        data, metadata = self.objects[uri]
        return StoredChunk(
            uri=uri,
            name=name,
            size=len(data),
            metadata=metadata,
            beside=None,
            validator=f'"{hash(data):x}"',
            open=lambda: _stream(data),
            etag_now=lambda: f'"{hash(data):x}"' if self.objects.get(uri, (b"", None))[0] == data else None,
            close=lambda: None,
        )

    def close(self) -> None:
        pass


def _stream(data: bytes) -> ByteStream:
    return BytesStream(data)


@dataclass(slots=True)
class MemoryDatabase:
    """``table``: how often the rows of a chunk (by run and number) are in it. ``ledger``: rows and validator."""

    table: dict[tuple[str, int], int] = field(default_factory=dict)
    ledger: dict[tuple[str, str, int], tuple[int, str | None]] = field(default_factory=dict)
    jobs: dict[str, LedgerJob] = field(default_factory=dict)
    expected: dict[tuple[str, str, int], str] = field(default_factory=dict)

    def copy(self) -> MemoryDatabase:
        """A snapshot."""
        return MemoryDatabase(dict(self.table), dict(self.ledger), dict(self.jobs), dict(self.expected))


class MemoryLoader:
    """A Loader over a MemoryDatabase: one atomic step each. ``before_load`` may raise: that is a bad day."""

    def __init__(self, database: MemoryDatabase | None = None, *, reads_s3: bool = False) -> None:
        self.database = database if database is not None else MemoryDatabase()
        self.before_load: Callable[[ChunkToLoad], None] = lambda _chunk: None
        self._properties = LoaderProperties("memory:", "t", reads_s3, "none")
        self._lock = threading.Lock()

    @property
    def properties(self) -> LoaderProperties:
        return self._properties

    def table_of(self, file_name: str) -> str:
        del file_name
        return "t"

    def prepare(self) -> None:
        pass

    def unchecked(self) -> tuple[str, ...]:
        return ()

    def load(self, chunk: ChunkToLoad) -> LoadResult:
        self.before_load(chunk)
        with self._lock:
            return self._loaded(chunk)

    def _loaded(self, chunk: ChunkToLoad) -> LoadResult:
        db, key = self.database, (chunk.file_name, chunk.run_id, chunk.number)
        job = db.jobs.get(chunk.file_name) or LedgerJob(chunk.file_name, chunk.run_id, chunk.generation, "t", None)
        if chunk.generation < job.generation:
            raise OlderRunError(f"{chunk.name} is older than run {job.run_id}")
        if job.run_id != chunk.run_id:
            if chunk.generation == job.generation:
                raise RunConflictError(f"{chunk.name} meets run {job.run_id}")
            for name, run_id, number in list(db.ledger):
                if (name, run_id) == (chunk.file_name, job.run_id):
                    del db.ledger[name, run_id, number]
                    db.table.pop((run_id, number), None)
            job = LedgerJob(chunk.file_name, chunk.run_id, chunk.generation, "t", None)
        if key in db.expected and db.expected[key] != content_of(chunk):
            raise RunConflictError(f"{chunk.name} is not what replace wrote down")
        content = content_of(chunk) if chunk.mended else chunk.validator
        if key in db.ledger:
            rows, validator = db.ledger[key]
            if validator != content:
                raise RunConflictError(f"{chunk.name} has another ETag than the ledger's")
            return LoadResult(rows, already_loaded=True, rows_checked=True)
        if chunk.rows is None:
            stream, buffer = chunk.open(), memoryview(bytearray(1 << 16))
            rows = bytes(buffer[: stream.readinto(buffer)])[chunk.header_bytes :].count(b"\n")
        else:
            rows = chunk.rows
        db.jobs[chunk.file_name] = job
        db.ledger[key] = (rows, content)
        place = (chunk.run_id, chunk.number)
        db.table[place] = db.table.get(place, 0) + 1
        return LoadResult(rows, already_loaded=False, rows_checked=chunk.rows is not None)

    def ledger_numbers(self, file_name: str, run_id: str) -> list[int]:
        return sorted(number for name, run, number in self.database.ledger if (name, run) == (file_name, run_id))

    def ledger_rows(self, file_name: str, run_id: str) -> LedgerTotal:
        held = [
            rows for (name, run, _), (rows, _) in self.database.ledger.items() if (name, run) == (file_name, run_id)
        ]
        return LedgerTotal(len(held), sum(held))

    def table_rows(self, file_name: str = "", run_id: str = "") -> TableRows:
        rows = {(run, number): rows for (_, run, number), (rows, _) in self.database.ledger.items()}
        return TableRows(
            sum(times * rows.get(place, 0) for place, times in self.database.table.items() if run_id in ("", place[0])),
            self.ledger_rows(file_name, run_id).rows,
        )

    def job(self, file_name: str) -> LedgerJob | None:
        return self.database.jobs.get(file_name)

    def expect(
        self, file_name: str, run_id: str, generation: int, number: int, checksum: str, *, own: bool, write: bool = True
    ) -> Expectation:
        db, key = self.database, (file_name, run_id, number)
        job = db.jobs.setdefault(file_name, LedgerJob(file_name, run_id, generation, "t", None))
        if job.run_id != run_id and job.generation > generation:
            return Expectation.OTHER_RUN
        if key in db.ledger and not (db.ledger[key][1] == checksum or (own and db.ledger[key][1] is None)):
            return Expectation.LOADED
        if write:
            db.expected[key] = checksum
        return Expectation.SAME if key in db.ledger else Expectation.NOTED

    def clear_run(self, file_name: str, run_id: str) -> LedgerTotal:
        db, held = self.database, self.ledger_rows(file_name, run_id)
        for key in [key for key in db.ledger if key[:2] == (file_name, run_id)]:
            del db.ledger[key]
            db.table.pop((run_id, key[2]), None)
        job = db.jobs.get(file_name)
        if job is not None and job.run_id == run_id:
            db.jobs[file_name] = replace(job, joined_at=None)
        return held

    def mark_joined(self, file_name: str, run_id: str, joined_at: str, *, total_parts: int = 0) -> bool:
        job = self.database.jobs.get(file_name)
        if job is None or job.run_id != run_id or self.ledger_rows(file_name, run_id).chunks < total_parts:
            return False
        if job.joined_at is None:
            self.database.jobs[file_name] = replace(job, joined_at=joined_at)
        return True

    def close(self) -> None:
        pass


class LoseAnswerError(LoadError):
    """What a worker sees when its request was applied, or was not, and nobody told it."""
